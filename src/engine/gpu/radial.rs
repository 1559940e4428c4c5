//! Radial filters as sums of a few separable ones.
//!
//! StyleGAN3's radial filters are nearly separable: they are the sum of their eigenvectors with the largest eigenvalues, used
//! as filters along x and along y. A filter that is not nearly separable, or not symmetric, runs as it is.

/// More separable filters than this cost more than the filter itself.
const MOST_TERMS: usize = 4;

/// One separable filter: taps along y, and the first half of the taps along x, which are symmetric.
pub struct Term {
    pub along_y: Vec<f32>,
    pub along_x: Vec<f32>,
}

/// The terms of a square filter with `taps` x `taps` taps and sum 1; `None` if a few cannot approximate it with a remainder
/// of at most `most_left_out`, as a sum of magnitudes.
pub fn terms(filter: &[f32], taps: usize, most_left_out: f64) -> Option<Vec<Term>> {
    let half = taps / 2;
    let at = |j: usize, k: usize| f64::from(filter[j * taps + k]);
    let is_symmetric = (0..taps * taps).all(|i| {
        let (j, k) = (i / taps, i % taps);
        let mirrored = [at(k, j), at(taps - 1 - j, k), at(j, taps - 1 - k)];
        mirrored.iter().all(|other| (other - at(j, k)).abs() < 1e-8)
    });
    if !taps.is_multiple_of(2) || !is_symmetric {
        return None;
    }
    // By symmetry, a quarter of it is enough.
    let quarter: Vec<Vec<f64>> = (0..half).map(|j| (0..half).map(|k| at(j, k)).collect()).collect();
    let mut pairs = eigen(quarter);
    pairs.sort_by(|a, b| b.0.abs().total_cmp(&a.0.abs()));
    let left_out = |terms: &[(f64, Vec<f64>)]| -> f64 {
        let rest = |j: usize, k: usize| at(j, k) - terms.iter().map(|(value, v)| value * v[j] * v[k]).sum::<f64>();
        4.0 * (0..half * half).map(|i| rest(i / half, i % half).abs()).sum::<f64>()
    };
    let count = (1..=MOST_TERMS.min(half)).find(|&count| left_out(&pairs[..count]) <= most_left_out)?;
    let term = |(value, v): &(f64, Vec<f64>)| Term {
        along_y: (0..taps).map(|j| (value * v[j.min(taps - 1 - j)]) as f32).collect(),
        along_x: v.iter().map(|x| *x as f32).collect(),
    };
    Some(pairs[..count].iter().map(term).collect())
}

/// Eigenvalues and eigenvectors of a symmetric matrix, by Jacobi rotations.
fn eigen(mut a: Vec<Vec<f64>>) -> Vec<(f64, Vec<f64>)> {
    let n = a.len();
    let mut vectors: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    for _ in 0..64 {
        for p in 0..n {
            for q in p + 1..n {
                if a[p][q].abs() < 1e-300 {
                    continue;
                }
                let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
                let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let c = 1.0 / t.hypot(1.0);
                let s = t * c;
                for row in &mut a {
                    (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
                }
                for k in 0..n {
                    (a[p][k], a[q][k]) = (c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]);
                    (vectors[p][k], vectors[q][k]) =
                        (c * vectors[p][k] - s * vectors[q][k], s * vectors[p][k] + c * vectors[q][k]);
                }
            }
        }
    }
    vectors.into_iter().enumerate().map(|(i, v)| (a[i][i], v)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A radial bump with `taps` x `taps` taps and sum 1.
    fn bump(taps: usize, shape: impl Fn(f64) -> f64) -> Vec<f32> {
        let at = |i: usize| i as f64 - (taps as f64 - 1.0) / 2.0;
        let filter: Vec<f64> = (0..taps * taps).map(|i| shape(at(i / taps).hypot(at(i % taps)))).collect();
        let sum: f64 = filter.iter().sum();
        filter.iter().map(|f| (f / sum) as f32).collect()
    }

    #[test]
    fn terms_add_up_to_the_filter() {
        let filter = bump(12, |r| (1.0 + (r * 0.5).cos()) * (-r * r / 9.0).exp());
        let terms = terms(&filter, 12, 1e-6).expect("a few are enough");
        for j in 0..12 {
            for k in 0..12 {
                let sum: f32 = terms.iter().map(|t| t.along_y[j] * t.along_x[k.min(11 - k)]).sum();
                assert!((sum - filter[j * 12 + k]).abs() < 1e-7, "{j} {k}");
            }
        }
        // A Gaussian is separable.
        assert_eq!(super::terms(&bump(12, |r| (-r * r / 9.0).exp()), 12, 1e-6).map(|terms| terms.len()), Some(1));
    }

    #[test]
    fn filters_that_are_not_nearly_separable_stay_whole() {
        assert!(terms(&bump(12, |r| (1.7 * r).cos().abs()), 12, 1e-6).is_none());
        let mut lopsided = bump(12, |r| (-r * r / 9.0).exp());
        lopsided[3] += 1e-4;
        assert!(terms(&lopsided, 12, 1e-6).is_none());
    }
}
