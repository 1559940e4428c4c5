//! The kernels that can compute a matrix product of a layer: which there are, and which of them a card can run.
//!
//! Which one a layer takes is decided in [`super::autotune`]. Nothing here computes.

use std::fmt;
use std::str::FromStr;

use super::Precision;
use super::device::Device;

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

/// What the products of a convolution are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Each tap with each pixel.
    Direct,
    /// Winograd's for 3x3 kernels and stride 1, tiles of 2x2 results: 16 products instead of 36.
    F2,
    /// Winograd's for tiles of 4x4 results: 36 products instead of 144. In 32 bits alone.
    F4,
}

/// A kernel with the outputs and pixels (in Winograd's forms: tiles of pixels) that one workgroup computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Variant {
    pub kernel: Kernel,
    pub form: Form,
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

/// Tiles of Winograd's forms, of which there are fewer: a layer has a quarter or a sixteenth of the pixels to share out,
/// but 16 or 36 products.
const WINOGRAD_TILES: [[usize; 2]; 4] = [[64, 64], [64, 32], [128, 64], [32, 128]];
const WINOGRAD_MATRIX_TILES: [[usize; 2]; 3] = [[128, 128], [64, 64], [64, 32]];

/// Tiles of `reflected.wgsl` for few outputs.
const LOW_TILES: [[usize; 2]; 2] = [[8, 256], [16, 128]];

/// The tiles of a kernel, the best first where all fit.
fn tiles(kernel: Kernel, form: Form) -> &'static [[usize; 2]] {
    match (kernel, form) {
        (Kernel::Matrix, Form::Direct) => &MATRIX_TILES,
        (Kernel::Matrix, _) => &WINOGRAD_MATRIX_TILES,
        (_, Form::Direct) => &TILES,
        _ => &WINOGRAD_TILES,
    }
}

/// The variants of a kernel, whatever the card.
fn of(kernel: Kernel) -> impl Iterator<Item = Variant> {
    let forms = [Form::Direct, Form::F4, Form::F2].into_iter();
    forms.flat_map(move |form| tiles(kernel, form).iter().map(move |tile| Variant { kernel, form, tile: *tile }))
}

/// Every variant that the card can run with maps of `precision`.
pub fn on(device: &Device, precision: Precision) -> Vec<Variant> {
    let mut all: Vec<Variant> = of(Kernel::Plain).collect();
    if precision == Precision::F16 {
        // Numbers of 16 bits that grow and cancel leave an error of 1 to 2 percent of a map's largest number.
        all.retain(|v| v.form != Form::F4);
        all.extend(of(Kernel::Half).filter(|v| v.form != Form::F4));
        if let Some(matrix) = device.matrix {
            let most = device.limits.max_compute_workgroup_storage_size as usize;
            // Each thread has a part of the tile of weights.
            let fits = |v: &Variant| {
                let [rows, columns] = v.matrices(matrix.side);
                v.form != Form::F4
                    && v.matrix_bytes(matrix.side) <= most
                    && v.tile[0] >= matrix.lanes
                    && rows * columns <= MOST_MATRICES
            };
            all.extend(of(Kernel::Matrix).filter(fits));
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

impl Form {
    /// Results of a tile along an axis; 1 where there are no tiles.
    pub fn side(self) -> usize {
        match self {
            Form::Direct => 1,
            Form::F2 => 2,
            Form::F4 => 4,
        }
    }

    /// Products of a tile.
    pub fn products(self) -> usize {
        (self.side() + 2).pow(2)
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Form::Direct => Ok(()),
            Form::F2 => write!(f, "F(2,3) "),
            Form::F4 => write!(f, "F(4,3) "),
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
        Variant { kernel: Kernel::Plain, form: Form::Direct, tile }
    }

    /// As [`Variant::plain`], of the convolutions of style networks.
    pub fn painting(outputs: usize) -> Variant {
        let tile = match outputs {
            0..=8 => LOW_TILES[0],
            9..=16 => LOW_TILES[1],
            17..=32 => [32, 128],
            _ => [64, 64],
        };
        Variant { kernel: Kernel::Plain, form: Form::Direct, tile }
    }

    /// Are these the same but for their tiles?
    pub fn is_kin(self, other: Variant) -> bool {
        (self.kernel, self.form) == (other.kernel, other.form)
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
        write!(f, "{} {}{}x{}", self.kernel.name(), self.form, self.tile[0], self.tile[1])
    }
}

impl FromStr for Variant {
    type Err = ();

    /// As [`fmt::Display`] writes it.
    fn from_str(text: &str) -> Result<Variant, ()> {
        let low = LOW_TILES.map(|tile| Variant { kernel: Kernel::Plain, form: Form::Direct, tile });
        let mut all = [Kernel::Plain, Kernel::Half, Kernel::Matrix].into_iter().flat_map(of).chain(low);
        all.find(|variant| variant.to_string() == text).ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        let variant = Variant { kernel: Kernel::Matrix, form: Form::Direct, tile: [64, 128] };
        assert_eq!(variant.to_string(), "matrix 64x128");
        assert_eq!("matrix 64x128".parse(), Ok(variant));
        let variant = Variant { kernel: Kernel::Half, form: Form::F4, tile: [32, 128] };
        assert_eq!(variant.to_string(), "half F(4,3) 32x128");
        assert_eq!("half F(4,3) 32x128".parse(), Ok(variant));
        for wrong in ["", "matrix", "matrix 64x63", "tensor 64x64", "plain 64x64 ", "plain F(3,3) 64x64"] {
            assert_eq!(wrong.parse::<Variant>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn tiles_much_larger_than_the_product_do_not_suit() {
        let suits =
            |tile, outputs, pixels| Variant { kernel: Kernel::Plain, form: Form::Direct, tile }.suits(outputs, pixels);
        assert!(suits([64, 64], 512, 4096) && suits([128, 64], 128, 4096) && suits([32, 32], 3, 16));
        assert!(!suits([64, 64], 32, 4096) && !suits([64, 128], 512, 64));
        for (outputs, pixels) in [(1, 1), (3, 16), (32, 1024), (33, 16), (64, 64), (512, 1 << 20)] {
            assert!(Variant::plain(outputs, pixels).suits(outputs, pixels), "{outputs} x {pixels}");
        }
    }
}
