//! From a start, downhill in all layers' w: Adam (Kingma and Ba, 2015) with the gradients of an engine that knows them.

use super::{Projector, Space, UNLIKELY};
use crate::engine::{EngineError, Inputs, Noise, NoiseMode};
use crate::image::Image;

/// The first step, in standard deviations of w; it shrinks to nothing along a quarter of a cosine.
const STEP: f64 = 0.08;
/// Adam's means of gradients and of their squares keep so much.
const KEEPS: [f64; 2] = [0.9, 0.99];

impl Projector<'_> {
    /// Whether the engine knows gradients, and can tell them of this network.
    pub(super) fn knows_gradients(&mut self, ws: &[f32]) -> bool {
        let found = self.pull_back(ws, &mut Vec::new());
        let told = found.inspect_err(|error| tracing::warn!("{error}; the search goes on without gradients"));
        told.is_ok_and(|distance| distance.is_some())
    }

    /// The best ws among so many pictures, each a step further downhill from `start` `[num_ws, w_dim]`; `None` if there was no step
    /// or the engine failed.
    pub(super) fn descend(&mut self, space: &Space, start: &[f32], steps: usize) -> Option<Vec<f32>> {
        let deviation = space.deviation();
        let mut ws = start.to_vec();
        // Of each number of ws: how far it has gone in standard deviations, and Adam's two means.
        let mut path = vec![[0.0f64; 3]; ws.len()];
        let (mut gradient, mut best) = (Vec::new(), None);
        let mut least = f64::MAX;
        for step in 0..steps {
            let distance = match self.pull_back(&ws, &mut gradient) {
                Ok(Some(distance)) => distance,
                Ok(None) => return best,
                Err(error) => {
                    self.failure = Some(error);
                    return best;
                }
            };
            let far = path.iter().map(|[at, ..]| at * at).sum::<f64>() / path.len() as f64;
            if distance + UNLIKELY * far < least {
                least = distance + UNLIKELY * far;
                best = Some(ws.clone());
            }
            let rate = STEP * (std::f64::consts::FRAC_PI_2 * step as f64 / steps as f64).cos();
            let bias = KEEPS.map(|keeps| 1.0 - keeps.powi(step as i32 + 1));
            let pull = 2.0 * UNLIKELY / path.len() as f64;
            for ((w, start), ([at, mean, square], by)) in ws.iter_mut().zip(start).zip(path.iter_mut().zip(&gradient)) {
                let by = f64::from(*by) * deviation + pull * *at;
                *mean = KEEPS[0] * *mean + (1.0 - KEEPS[0]) * by;
                *square = KEEPS[1] * *square + (1.0 - KEEPS[1]) * by * by;
                *at -= rate * (*mean / bias[0]) / ((*square / bias[1]).sqrt() + 1e-12);
                *w = start + (*at * deviation) as f32;
            }
        }
        best
    }

    /// The distance of the picture of ws, and its gradient by ws; `None` from an engine without gradients.
    fn pull_back(&mut self, ws: &[f32], gradient: &mut Vec<f32>) -> Result<Option<f64>, EngineError> {
        let noise = Noise { mode: NoiseMode::Const, gain: 1.0 };
        let (likeness, mut distance) = (&self.likeness, f64::MAX);
        let mut by = |picture: &Image| {
            distance = likeness.distance(picture);
            likeness.gradient(picture)
        };
        let knows = self.program.pull_back(&Inputs { ws, noise, ..Inputs::default() }, &mut by, gradient)?;
        if knows {
            (self.tick)();
        }
        Ok(knows.then_some(distance))
    }
}
