//! How far a picture is from what its network usually makes.
//!
//! The features of many samples of a network are a cloud; most of its spread lies along a few dozen axes. The distance of a
//! picture from the middle of the cloud is measured in standard deviations along each of them (Mahalanobis), and what no axis
//! explains is one more. Pictures far out are failures, or rare: nobody knows which without looking.

use nalgebra::{DMatrix, SymmetricEigen};

/// Axes along which distances are measured, at most.
const AXES: usize = 48;
/// Samples for each axis, at least: with fewer the deviations are chance.
const SAMPLES_PER_AXIS: usize = 8;
/// Axes with less than this share of the largest variance hold nothing but rounding.
const LEAST_SHARE: f64 = 1e-5;

/// The cloud of a network's samples.
#[derive(Clone, Debug)]
pub struct Realness {
    /// `[features]`
    mean: Vec<f32>,
    /// `[features, axes]`
    axes: DMatrix<f32>,
    /// Along each axis.
    variances: Vec<f32>,
    /// Mean square of what no axis explains.
    rest: f32,
}

impl Realness {
    /// The cloud of these samples, each as long; `None` for fewer than two times eight, or if all are the same.
    pub fn of<'a>(samples: impl ExactSizeIterator<Item = &'a [f32]> + Clone) -> Option<Realness> {
        let count = samples.len();
        let features = samples.clone().next()?.len();
        let most = AXES.min(count / SAMPLES_PER_AXIS).min(features);
        if most < 2 {
            return None;
        }
        let mut mean = vec![0.0f64; features];
        samples.clone().for_each(|sample| mean.iter_mut().zip(sample).for_each(|(m, x)| *m += f64::from(*x)));
        let mean: Vec<f32> = mean.into_iter().map(|sum| (sum / count as f64) as f32).collect();
        let centred = samples.flat_map(|sample| sample.iter().zip(&mean).map(|(x, m)| f64::from(x - m)));
        // A column for each sample.
        let centred = DMatrix::from_iterator(features, count, centred);
        // The smaller of the two matrices has the same eigenvalues. In 32 bits its smallest would underflow.
        let scale = 1.0 / (count - 1) as f64;
        let is_short = count < features;
        let product = if is_short { centred.transpose() * &centred } else { &centred * centred.transpose() } * scale;
        let SymmetricEigen { eigenvectors, eigenvalues } = SymmetricEigen::new(product);
        let mut order: Vec<usize> = (0..eigenvalues.len()).collect();
        order.sort_by(|a, b| eigenvalues[*b].total_cmp(&eigenvalues[*a]));
        let largest = eigenvalues[order[0]];
        if !largest.is_finite() || largest <= f64::from(f32::MIN_POSITIVE) {
            return None;
        }
        order.truncate(most);
        order.retain(|axis| eigenvalues[*axis] > LEAST_SHARE * largest);
        let vectors = eigenvectors.select_columns(&order);
        let mut axes = if is_short { centred * vectors } else { vectors };
        for mut axis in axes.column_iter_mut() {
            axis.normalize_mut();
        }
        let variances: Vec<f32> = order.iter().map(|axis| eigenvalues[*axis] as f32).collect();
        let all: f64 = eigenvalues.iter().map(|value| value.max(0.0)).sum();
        let explained: f64 = order.iter().map(|axis| eigenvalues[*axis]).sum();
        let rest = (all - explained).max(LEAST_SHARE * largest) as f32;
        Some(Realness { mean, axes: axes.map(|x| x as f32), variances, rest })
    }

    /// The distance of a picture with these features: about 1 for a usual one, larger for a stranger one.
    pub fn distance(&self, features: &[f32]) -> f32 {
        let centred: Vec<f32> = features.iter().zip(&self.mean).map(|(x, m)| x - m).collect();
        let (mut sum, mut explained) = (0.0, 0.0);
        for (axis, variance) in self.axes.column_iter().zip(&self.variances) {
            let along: f32 = axis.iter().zip(&centred).map(|(a, x)| a * x).sum();
            sum += along * along / variance;
            explained += along * along;
        }
        let whole: f32 = centred.iter().map(|x| x * x).sum();
        sum += (whole - explained).max(0.0) / self.rest;
        (sum / (self.variances.len() + 1) as f32).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::seed::z_from_seed;

    /// Samples with deviations 4, 1 and 0.1 on three of six features, around 5.
    fn samples() -> Vec<Vec<f32>> {
        let numbers = z_from_seed(3, 3 * 400);
        let sample = |z: &[f32]| vec![5.0 + 4.0 * z[0], 5.0 + z[1], 5.0, 5.0 + 0.1 * z[2], 5.0, 5.0];
        numbers.chunks_exact(3).map(sample).collect()
    }

    #[test]
    fn a_distance_counts_deviations_along_each_axis() {
        let samples = samples();
        let cloud = Realness::of(samples.iter().map(Vec::as_slice)).unwrap();
        let at = |by: [f32; 6]| cloud.distance(&by.map(|by| 5.0 + by));
        let [wide, narrow, tiny] = [
            at([8.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
            at([0.0, 8.0, 0.0, 0.0, 0.0, 0.0]),
            at([0.0, 0.0, 0.0, 8.0, 0.0, 0.0]),
        ];
        // Two, eight and eighty deviations.
        assert!((narrow / wide - 4.0).abs() < 0.6 && (tiny / wide - 40.0).abs() < 6.0, "{wide} {narrow} {tiny}");
        // What never varies is strangest of all.
        assert!(at([0.0, 0.0, 8.0, 0.0, 0.0, 0.0]) > tiny);
        assert!(at([0.0; 6]) < 0.2);
        let mean = samples.iter().map(|sample| cloud.distance(sample)).sum::<f32>() / samples.len() as f32;
        assert!((0.6..1.1).contains(&mean), "{mean}");
    }

    #[test]
    fn fewer_samples_than_features_have_the_same_cloud() {
        // The same samples among many features that never vary.
        let samples = samples();
        let long = |sample: &Vec<f32>| [sample.as_slice(), &[1.0; 500]].concat();
        let longer: Vec<Vec<f32>> = samples.iter().map(long).collect();
        let [short, long] = [&samples, &longer].map(|samples| Realness::of(samples.iter().map(Vec::as_slice)).unwrap());
        for (sample, longer) in samples.iter().zip(&longer).take(20) {
            let (a, b) = (short.distance(sample), long.distance(longer));
            assert!((a - b).abs() < 1e-2 * a.max(0.1), "{a}, {b}");
        }
    }

    #[test]
    fn too_few_samples_and_samples_without_spread_have_no_cloud() {
        let samples = samples();
        assert!(Realness::of(samples[..15].iter().map(Vec::as_slice)).is_none());
        let same = vec![vec![1.0f32; 6]; 100];
        assert!(Realness::of(same.iter().map(Vec::as_slice)).is_none());
        assert!(Realness::of([].iter().map(|sample: &Vec<f32>| sample.as_slice())).is_none());
    }
}
