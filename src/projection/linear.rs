//! Ridge regression from small pictures to coordinates of w.

use nalgebra::DMatrix;

use crate::image::Image;
use crate::image::resample::Resizer;

/// Pixels on a side of the pictures.
const SIDE: usize = 16;
/// Every so manieth sample is held out, and fewer samples than this fit nothing.
const HELD_OUT: usize = 10;
const FEWEST: usize = 40;
/// Strengths of the regularisation that are tried on those that are held out.
const RIDGES: [f64; 4] = [3.0, 30.0, 300.0, 3000.0];

/// Pictures with their coordinates.
#[derive(Default)]
pub struct Samples {
    pictures: Vec<Vec<f64>>,
    coordinates: Vec<Vec<f64>>,
}

/// A linear map.
pub struct Fit {
    /// What explains most of those that were held out: 1 is all, below 0 worse than the mean.
    pub r2: f64,
    mean: Vec<f64>,
    /// `[pictures' numbers, coordinates]`
    map: DMatrix<f64>,
}

impl Samples {
    pub fn add(&mut self, picture: &Image, coordinates: &[f64]) {
        self.pictures.push(small(picture));
        self.coordinates.push(coordinates.to_vec());
    }

    /// The map that predicts best what was held out; `None` with too few samples.
    pub fn fit(&self) -> Option<Fit> {
        let count = self.pictures.len();
        let (held, used): (Vec<usize>, Vec<usize>) = (0..count).partition(|i| i % HELD_OUT == 0);
        let (inputs, outputs) = (self.pictures.first()?.len(), self.coordinates.first()?.len());
        if count < FEWEST || outputs == 0 {
            return None;
        }
        let mut mean = vec![0.0; inputs];
        for i in &used {
            mean.iter_mut().zip(&self.pictures[*i]).for_each(|(mean, x)| *mean += x / used.len() as f64);
        }
        let of = |rows: &[usize]| {
            let x = DMatrix::from_fn(rows.len(), inputs, |i, j| self.pictures[rows[i]][j] - mean[j]);
            (x, DMatrix::from_fn(rows.len(), outputs, |i, j| self.coordinates[rows[i]][j]))
        };
        let ((x, y), (x_held, y_held)) = (of(&used), of(&held));
        // With fewer samples than numbers the dual form is the small one. Coordinates have mean 0.
        let gram = &x * x.transpose();
        let total: f64 = y_held.iter().map(|y| y * y).sum();
        let mut best: Option<Fit> = None;
        for ridge in RIDGES {
            let mut regular = gram.clone();
            (0..used.len()).for_each(|i| regular[(i, i)] += ridge);
            let Some(solver) = regular.cholesky() else { continue };
            let map = x.transpose() * solver.solve(&y);
            let error: f64 = (&x_held * &map - &y_held).iter().map(|e| e * e).sum();
            let r2 = 1.0 - error / total.max(f64::MIN_POSITIVE);
            if best.as_ref().is_none_or(|best| r2 > best.r2) {
                best = Some(Fit { r2, mean: mean.clone(), map });
            }
        }
        best
    }
}

impl Fit {
    pub fn coordinates(&self, picture: &Image) -> Vec<f64> {
        let small = small(picture);
        let x = DMatrix::from_fn(1, small.len(), |_, j| small[j] - self.mean[j]);
        (x * &self.map).iter().copied().collect()
    }
}

/// `[3 or 1, 16, 16]`
fn small(picture: &Image) -> Vec<f64> {
    let mut small = Image::default();
    Resizer::default().resize(picture, SIDE, SIDE, &mut small);
    small.data.iter().map(|x| f64::from(*x)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linear_is_found_and_noise_is_not() {
        let picture = |a: f64, b: f64| {
            let mut image = Image::default();
            image.reshape(3, 16, 16);
            let number = |i: usize| (a * (i as f64 * 0.1).sin() + b * (i as f64 * 0.37).cos()) as f32;
            image.data.iter_mut().enumerate().for_each(|(i, x)| *x = number(i));
            image
        };
        let numbers = crate::latent::seed::z_from_seed(3, 400);
        let (mut linear, mut noise) = (Samples::default(), Samples::default());
        for pair in numbers.chunks_exact(4) {
            let [a, b, c, d] = [0, 1, 2, 3].map(|i| f64::from(pair[i]));
            linear.add(&picture(a, b), &[a + b, 2.0 * b]);
            noise.add(&picture(a, b), &[c, d]);
        }
        let fit = linear.fit().unwrap();
        assert!(fit.r2 > 0.95, "{}", fit.r2);
        let found = fit.coordinates(&picture(0.5, -0.25));
        assert!((found[0] - 0.25).abs() < 0.1 && (found[1] + 0.5).abs() < 0.1, "{found:?}");
        assert!(noise.fit().unwrap().r2 < 0.2);
    }
}
