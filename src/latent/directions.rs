//! Directions: lines through the space of w along which the picture changes most.
//!
//! Principal directions are the principal components of many mapped w: Härkönen et al., "GANSpace" (2020). Style directions
//! are the singular vectors of the style weights, which need no samples: Shen and Zhou, "Closed-Form Factorization of Latent
//! Semantics in GANs" (2021), "SeFa". Both become steps of one standard deviation of w, with a sign that is the same on every
//! machine. Sums are in 64 bits. Takes seconds: runs on a thread of its own or in a command.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use super::mapping::FullyConnected;

/// Eigenvalues that differ by less than this part of the largest count as equal.
const TIED: f64 = 1e-6;
/// Components below this part of the largest eigenvalue are left out.
const FLAT: f64 = 1e-10;
/// Directions whose cosine is larger are the same.
const SAME: f32 = 0.9;

/// How a direction was found, and its number there, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A principal component of w.
    Principal(usize),
    /// A singular vector of the style weights.
    Style(usize),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Principal(number) => write!(f, "pca {number}"),
            Origin::Style(number) => write!(f, "sefa {number}"),
        }
    }
}

/// A direction in w.
#[derive(Clone, Debug, PartialEq)]
pub struct Direction {
    pub origin: Origin,
    /// `[w_dim]`, of length 1. The entry of largest magnitude is positive.
    pub vector: Vec<f32>,
    /// The standard deviation of w along it: the step of amount 1.
    pub sigma: f32,
    /// How much one step changes what the layers read, root mean square.
    pub effect: f32,
    /// How much one step changes the picture, root mean square of samples from -1 to 1; 0 where no pictures were drawn.
    pub change: f32,
}

impl Direction {
    /// `[w_dim]`: one step.
    pub fn step(&self) -> Vec<f32> {
        self.vector.iter().map(|x| x * self.sigma).collect()
    }
}

/// Mean and covariance of w, summed up batch by batch.
#[derive(Clone, Debug)]
pub struct Moments {
    count: usize,
    /// Near the mean, so that the sums lose no digits.
    centre: Vec<f32>,
    sum: DVector<f64>,
    products: DMatrix<f64>,
}

impl Moments {
    /// No samples yet; `centre` `[w_dim]` is near their mean.
    pub fn new(centre: &[f32]) -> Moments {
        let dim = centre.len();
        Moments { count: 0, centre: centre.to_vec(), sum: DVector::zeros(dim), products: DMatrix::zeros(dim, dim) }
    }

    /// Adds samples `[N, w_dim]`.
    pub fn add(&mut self, samples: &[f32]) {
        let dim = self.centre.len();
        if dim == 0 {
            return;
        }
        let centred = samples.chunks_exact(dim).flat_map(|w| w.iter().zip(&self.centre));
        let centred = DMatrix::from_iterator(
            dim,
            samples.len() / dim,
            centred.map(|(w, centre)| f64::from(*w) - f64::from(*centre)),
        );
        self.count += centred.ncols();
        self.sum += centred.column_sum();
        self.products.gemm(1.0, &centred, &centred.transpose(), 1.0);
    }

    /// `[w_dim]`
    pub fn mean(&self) -> Vec<f64> {
        let n = self.count.max(1) as f64;
        self.centre.iter().zip(self.sum.iter()).map(|(centre, sum)| f64::from(*centre) + sum / n).collect()
    }

    /// `[w_dim, w_dim]`, divided by N − 1.
    pub fn covariance(&self) -> DMatrix<f64> {
        let n = self.count as f64;
        (&self.products - &self.sum * self.sum.transpose() / n.max(1.0)) / (n - 1.0).max(1.0)
    }
}

/// The eigenvalues and unit eigenvectors of a symmetric matrix, the largest first, the same on every machine.
fn eigen(matrix: DMatrix<f64>) -> Vec<(f64, DVector<f64>)> {
    if matrix.is_empty() {
        return Vec::new();
    }
    let SymmetricEigen { eigenvectors, eigenvalues } = SymmetricEigen::new(matrix);
    let mut pairs: Vec<(f64, DVector<f64>)> =
        eigenvalues.iter().copied().zip(eigenvectors.column_iter().map(|column| column.into_owned())).collect();
    pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
    let largest = pairs.first().map_or(0.0, |(value, _)| value.abs());
    pairs.retain(|(value, _)| value.is_finite() && *value >= FLAT * largest && *value > 0.0);
    let mut from = 0;
    while from < pairs.len() {
        let is_tied = |i: &usize| pairs[*i - 1].0 - pairs[*i].0 < TIED * largest;
        let end = (from + 1..pairs.len()).take_while(is_tied).count() + from + 1;
        if end - from > 1 {
            untie(&mut pairs[from..end]);
        }
        from = end;
    }
    for (_, vector) in &mut pairs {
        let widest = vector.iter().fold(0.0f64, |most, x| if x.abs() > most.abs() { *x } else { most });
        if widest < 0.0 {
            vector.neg_mut();
        }
    }
    pairs
}

/// Vectors of equal eigenvalues may turn freely among themselves: replaces them by projections of the axes onto the space that
/// they span, in order (Gram-Schmidt).
fn untie(pairs: &mut [(f64, DVector<f64>)]) {
    const SHORT: f64 = 1e-3;
    let mut found: Vec<DVector<f64>> = Vec::new();
    for axis in 0..pairs[0].1.len() {
        if found.len() == pairs.len() {
            break;
        }
        let mut vector: DVector<f64> = DVector::zeros(pairs[0].1.len());
        pairs.iter().for_each(|(_, basis)| vector.axpy(basis[axis], basis, 1.0));
        for known in &found {
            vector.axpy(-known.dot(&vector), known, 1.0);
        }
        let length = vector.norm();
        if length > SHORT {
            found.push(vector / length);
        }
    }
    if found.len() == pairs.len() {
        pairs.iter_mut().zip(found).for_each(|((_, vector), new)| *vector = new);
    }
}

/// The principal directions of w, at most so many: eigenvalue and unit vector `[w_dim]` each, the largest first.
pub fn principal(covariance: &DMatrix<f64>, most: usize) -> Vec<(f64, DVector<f64>)> {
    let mut found = eigen(covariance.clone());
    found.truncate(most);
    found
}

/// The directions that move the styles of these layers most, at most so many. Each row of the weights counts alike.
pub fn of_styles(styles: &[&FullyConnected], most: usize) -> Vec<(f64, DVector<f64>)> {
    let Some(dim) = styles.first().map(|style| style.inputs) else { return Vec::new() };
    let mut products = DMatrix::zeros(dim, dim);
    for style in styles {
        let mut rows: Vec<f64> = Vec::with_capacity(style.weight.len());
        for row in style.weight.chunks_exact(dim) {
            let length = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
            if length > 0.0 {
                rows.extend(row.iter().map(|x| f64::from(*x) / length));
            }
        }
        // A column for each row of the weights.
        let columns = DMatrix::from_vec(dim, rows.len() / dim, rows);
        products.gemm(1.0, &columns, &columns.transpose(), 1.0);
    }
    let mut found = eigen(products);
    found.truncate(most);
    found
}

/// The standard deviation of w along a unit vector: √(vᵀCv).
pub fn sigma(covariance: &DMatrix<f64>, vector: &DVector<f64>) -> f64 {
    (covariance * vector).dot(vector).max(0.0).sqrt()
}

/// How much a step changes what the layers read: √(Σ over layers of the mean over its rows of (A·step)²).
pub fn effect(styles: &[&FullyConnected], vector: &[f32], sigma: f64) -> f64 {
    let of_layer = |style: &&FullyConnected| {
        let rows = style.weight.chunks_exact(style.inputs);
        let count = rows.len().max(1) as f64;
        rows.map(|row| row.iter().zip(vector).map(|(a, v)| f64::from(a * v)).sum::<f64>().powi(2)).sum::<f64>() / count
    };
    sigma * styles.iter().map(of_layer).sum::<f64>().sqrt()
}

/// The directions of a network by effect, at most `most`: principal ones of w, if `mapped` says that a mapping network made it,
/// and those of the styles. What is nearly the same as a stronger one is left out.
pub fn find(moments: &Moments, mapped: bool, styles: &[&FullyConnected], most: usize) -> Vec<Direction> {
    let covariance = moments.covariance();
    // Without a mapping network w is a normal z, in which all directions are alike.
    let principal = if mapped { principal(&covariance, most) } else { Vec::new() };
    let principal = principal.into_iter().enumerate().map(|(i, (_, vector))| (Origin::Principal(i), vector));
    let of_styles = of_styles(styles, most).into_iter().enumerate().map(|(i, (_, vector))| (Origin::Style(i), vector));
    let mut all: Vec<Direction> = principal
        .chain(of_styles)
        .map(|(origin, unit)| {
            let (sigma, vector) = (sigma(&covariance, &unit), unit.iter().map(|x| *x as f32).collect::<Vec<f32>>());
            let effect = effect(styles, &vector, sigma) as f32;
            Direction { origin, vector, sigma: sigma as f32, effect, change: 0.0 }
        })
        .filter(|direction| direction.sigma > 0.0)
        .collect();
    all.sort_by(|a, b| b.effect.total_cmp(&a.effect));
    let mut kept: Vec<Direction> = Vec::new();
    for direction in all {
        let cosine =
            |known: &Direction| known.vector.iter().zip(&direction.vector).map(|(a, b)| a * b).sum::<f32>().abs();
        if kept.len() < most && kept.iter().all(|known| cosine(known) <= SAME) {
            kept.push(direction);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_eigenvalues_and_signs_do_not_depend_on_the_solver() {
        // Two equal eigenvalues, in a plane that is turned.
        let axis = DVector::from_vec(vec![0.6, -0.8, 0.0]);
        let matrix = DMatrix::identity(3, 3) * 2.0 - &axis * axis.transpose();
        let found = eigen(matrix);
        let values: Vec<f64> = found.iter().map(|(value, _)| *value).collect();
        assert!(values.iter().zip([2.0, 2.0, 1.0]).all(|(a, b)| (a - b).abs() < 1e-12), "{values:?}");
        for ((_, vector), expected) in found.iter().zip([[0.8, 0.6, 0.0], [0.0, 0.0, 1.0], [-0.6, 0.8, 0.0]]) {
            assert!((vector - DVector::from_row_slice(&expected)).norm() < 1e-9, "{vector}");
        }
    }

    #[test]
    fn what_never_moves_has_no_direction() {
        let mut moments = Moments::new(&[0.0, 0.0, 5.0]);
        moments.add(&[1.0, 0.0, 5.0, -1.0, 0.0, 5.0, 3.0, 0.0, 5.0]);
        let covariance = moments.covariance();
        let found = principal(&covariance, 8);
        assert_eq!((found.len(), found[0].0, moments.mean()), (1, 4.0, vec![1.0, 0.0, 5.0]));
        assert_eq!(sigma(&covariance, &found[0].1), 2.0);
        assert!(find(&Moments::new(&[]), true, &[], 8).is_empty());
    }
}
