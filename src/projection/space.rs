//! The principal coordinates of w.

use crate::latent::directions::principal;
use crate::latent::layers::Layers;
use crate::network::Network;
use crate::network::directions::{SEEDS, moments};

/// The mean of w, and the axes along which it varies most, each as long as one standard deviation.
pub struct Space {
    mean: Vec<f32>,
    /// `[w_dim]` each.
    axes: Vec<Vec<f32>>,
}

impl Space {
    /// At most so many axes, from 10,000 seeds.
    pub fn of(network: &Network, most: usize) -> Space {
        let moments = moments(&network.mapping, SEEDS);
        let axes = principal(&moments.covariance(), most).into_iter().filter(|(variance, _)| *variance > 0.0);
        let axis = |(variance, unit): (f64, nalgebra::DVector<f64>)| {
            unit.iter().map(|x| (variance.sqrt() * x) as f32).collect()
        };
        Space { mean: moments.mean().into_iter().map(|x| x as f32).collect(), axes: axes.map(axis).collect() }
    }

    pub fn mean(&self) -> &[f32] {
        &self.mean
    }

    /// The standard deviation of a number of w, over all of them.
    pub fn deviation(&self) -> f64 {
        let variance: f64 = self.axes.iter().flatten().map(|x| f64::from(*x).powi(2)).sum();
        (variance / self.mean.len().max(1) as f64).sqrt()
    }

    pub fn len(&self) -> usize {
        self.axes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.axes.is_empty()
    }

    /// The w of coordinates in standard deviations.
    pub fn w(&self, coordinates: &[f64]) -> Vec<f32> {
        let mut w = self.mean.clone();
        self.add(&mut w, coordinates, Layers { from: 0, to: 0 });
        w
    }

    /// Moves some layers of ws `[num_ws, w_dim]`.
    pub fn add(&self, ws: &mut [f32], coordinates: &[f64], layers: Layers) {
        for (axis, by) in self.axes.iter().zip(coordinates) {
            crate::latent::layers::add(ws, axis, *by as f32, layers);
        }
    }

    /// The coordinates of w.
    pub fn coordinates(&self, w: &[f32]) -> Vec<f64> {
        let along = |axis: &Vec<f32>| {
            let (mut dot, mut square) = (0.0, 0.0);
            for ((w, mean), x) in w.iter().zip(&self.mean).zip(axis) {
                dot += f64::from(w - mean) * f64::from(*x);
                square += f64::from(*x).powi(2);
            }
            dot / f64::max(square, f64::MIN_POSITIVE)
        };
        self.axes.iter().map(along).collect()
    }
}
