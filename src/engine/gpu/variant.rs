//! The kernels that can compute a matrix product of a layer: which there are, and which of them a card can run.
//!
//! Which one a layer takes is decided in [`super::choice`]. Nothing here computes.

use std::fmt;
use std::str::FromStr;

use super::Precision;
use super::card::Card;

/// What a product is computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// Sums and products of 32 bits in registers: `conv.wgsl`.
    Plain,
    /// Products of 16 bits, a few of them added in 16 bits, all others in 32: `conv.wgsl` as `conv_half`.
    Half,
    /// Cooperative matrices (tensor cores): products of 16 bits added in 32, `conv_matrix.wgsl`.
    Matrix,
}

/// A kernel with the outputs and pixels that one workgroup computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Variant {
    pub kernel: Kernel,
    pub tile: [usize; 2],
}

/// The cooperative matrices of a card: `side` x `side` numbers, held by the `lanes` threads of a subgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Matrix {
    pub side: usize,
    pub lanes: usize,
}

/// Subgroups of a workgroup in `conv_matrix.wgsl`.
pub const SUBGROUPS: usize = 4;
/// Matrices of sums that a subgroup holds, at most: more would leave the registers, and take long to compile.
const MOST_MATRICES: usize = 16;
/// Tiles of the kernels that keep their sums in registers.
const TILES: [[usize; 2]; 7] = [[64, 64], [64, 128], [128, 64], [32, 128], [32, 32], [64, 32], [64, 16]];
/// Tiles of the kernel with cooperative matrices, the best first where all fit.
const MATRIX_TILES: [[usize; 2]; 6] = [[128, 128], [64, 128], [128, 64], [64, 64], [32, 128], [64, 32]];

/// Every variant that the card can run with maps of `precision`.
pub fn on(card: &Card, precision: Precision) -> Vec<Variant> {
    let of =
        |kernel, tiles: &[[usize; 2]]| tiles.iter().map(|tile| Variant { kernel, tile: *tile }).collect::<Vec<_>>();
    let mut all = of(Kernel::Plain, &TILES);
    if precision == Precision::F16 {
        all.extend(of(Kernel::Half, &TILES));
        if let Some(matrix) = card.matrix {
            let most = card.limits.max_compute_workgroup_storage_size as usize;
            // Each thread has a part of the tile of weights.
            let fits = |v: &Variant| {
                let [rows, columns] = v.matrices(matrix.side);
                v.matrix_bytes(matrix.side) <= most && v.tile[0] >= matrix.lanes && rows * columns <= MOST_MATRICES
            };
            all.extend(of(Kernel::Matrix, &MATRIX_TILES).into_iter().filter(fits));
        }
    }
    all
}

impl Kernel {
    /// What it is called in tables and in the file of measurements.
    pub fn name(self) -> &'static str {
        match self {
            Kernel::Plain => "plain",
            Kernel::Half => "half",
            Kernel::Matrix => "matrix",
        }
    }
}

impl Variant {
    /// The kernel in registers with the tile that fits a product of so many outputs and pixels: right on every card.
    pub fn plain(outputs: usize, pixels: usize) -> Variant {
        let tile = match (outputs, pixels) {
            (..=32, ..=1024) => [32, 32],
            (..=32, _) => [32, 128],
            (_, ..=16) => [64, 16],
            (_, ..=256) => [64, 32],
            _ => [64, 64],
        };
        Variant { kernel: Kernel::Plain, tile }
    }

    /// Does a workgroup have enough to do? A tile twice as large as the product would compute mostly nothing.
    pub fn suits(self, outputs: usize, pixels: usize) -> bool {
        let [high, wide] = self.tile;
        high < 2 * outputs.max(32) && (wide < 2 * pixels || wide <= 32)
    }

    /// Subgroups along the outputs in `conv_matrix.wgsl`; the others are along the pixels.
    pub fn down(self) -> usize {
        if self.tile[0] < 64 { 1 } else { 2 }
    }

    /// Rows and columns of matrices of one subgroup.
    pub fn matrices(self, side: usize) -> [usize; 2] {
        let [high, wide] = self.tile;
        [high / self.down() / side, wide / (SUBGROUPS / self.down()) / side]
    }

    /// Workgroup memory of `conv_matrix.wgsl` with the most taps.
    fn matrix_bytes(self, side: usize) -> usize {
        let [high, wide] = self.tile;
        48 * (2 * high + 3 * (wide + 2)) + 4 * side * self.matrices(side)[1] * SUBGROUPS * side
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}x{}", self.kernel.name(), self.tile[0], self.tile[1])
    }
}

impl FromStr for Variant {
    type Err = ();

    /// As [`fmt::Display`] writes it.
    fn from_str(text: &str) -> Result<Variant, ()> {
        let kernels = [(Kernel::Plain, &TILES[..]), (Kernel::Half, &TILES[..]), (Kernel::Matrix, &MATRIX_TILES[..])];
        let all = kernels.into_iter().flat_map(|(kernel, tiles)| tiles.iter().map(move |tile| (kernel, *tile)));
        all.map(|(kernel, tile)| Variant { kernel, tile }).find(|variant| variant.to_string() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let variant = Variant { kernel: Kernel::Matrix, tile: [64, 128] };
        assert_eq!(variant.to_string(), "matrix 64x128");
        assert_eq!("matrix 64x128".parse(), Ok(variant));
        for wrong in ["", "matrix", "matrix 64x63", "tensor 64x64", "plain 64x64 "] {
            assert_eq!(wrong.parse::<Variant>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn tiles_much_larger_than_the_product_do_not_suit() {
        let suits = |tile, outputs, pixels| Variant { kernel: Kernel::Plain, tile }.suits(outputs, pixels);
        assert!(suits([64, 64], 512, 4096) && suits([128, 64], 128, 4096) && suits([32, 32], 3, 16));
        assert!(!suits([64, 64], 32, 4096) && !suits([64, 128], 512, 64));
        for (outputs, pixels) in [(1, 1), (3, 16), (32, 1024), (33, 16), (64, 64), (512, 1 << 20)] {
            assert!(Variant::plain(outputs, pixels).suits(outputs, pixels), "{outputs} x {pixels}");
        }
    }
}
