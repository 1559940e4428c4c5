//! The kernels that can compute the matrix product of a layer, and which of them a card supports.
//!
//! [`super::autotune`] decides which one a layer uses. Nothing here computes.

use std::fmt;
use std::str::FromStr;

use super::Precision;
use super::device::Device;
use super::tiling::{self, Outline};

/// How a product is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kernel {
    /// 32-bit sums and products in registers: `conv.wgsl`.
    Plain,
    /// 16-bit products; a few are added in 16 bits, these sums in 32: `conv.wgsl` as `conv_half`.
    Half,
    /// Cooperative matrices (tensor cores): 16-bit products added in 32 bits, `conv_matrix.wgsl`.
    Matrix,
}

/// How a convolution is turned into products.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Every tap with every pixel.
    Direct,
    /// Winograd for 3x3 kernels and stride 1, tiles of 2x2 results: 16 products instead of 36.
    F2,
    /// Winograd for tiles of 4x4 results: 36 products instead of 144. Only in 32 bits.
    F4,
}

/// A kernel with the outputs and pixels (for Winograd: tiles of pixels) that one workgroup computes.
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

/// Tiles of the kernels that keep their sums in registers.
const TILES: [[usize; 2]; 7] = [[64, 64], [64, 128], [128, 64], [32, 128], [32, 32], [64, 32], [64, 16]];
/// Tiles of the kernel with cooperative matrices, best first if all fit.
const MATRIX_TILES: [[usize; 2]; 10] =
    [[128, 128], [64, 128], [128, 64], [64, 64], [32, 128], [64, 32], [128, 256], [64, 256], [32, 256], [32, 32]];

/// Tiles of the Winograd forms. There are fewer, as a layer has a quarter or a sixteenth of the pixels to distribute, but 16
/// or 36 products.
const WINOGRAD_TILES: [[usize; 2]; 4] = [[64, 64], [64, 32], [128, 64], [32, 128]];
const WINOGRAD_MATRIX_TILES: [[usize; 2]; 3] = [[128, 128], [64, 64], [64, 32]];

/// Tiles of `reflected.wgsl` for few outputs.
const LOW_TILES: [[usize; 2]; 2] = [[8, 256], [16, 128]];

/// The tiles of a kernel, best first if all fit.
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

/// Every variant that the card supports with maps of `precision`.
pub fn on(device: &Device, precision: Precision) -> Vec<Variant> {
    let mut all: Vec<Variant> = of(Kernel::Plain).collect();
    if precision == Precision::F16 {
        // In 16 bits, large numbers that cancel leave an error of 1 to 2 percent of a map's largest number.
        all.retain(|v| v.form != Form::F4);
        all.extend(of(Kernel::Half).filter(|v| v.form != Form::F4));
        // A card with small matrices has too few registers for large tiles.
        let usual = Outline { grid: [64, 64], width: 64, taps: 9, up: false };
        let fits = |v: &Variant| v.form != Form::F4 && tiling::on(device, *v, &usual).is_some();
        all.extend(of(Kernel::Matrix).filter(fits));
    }
    all
}

impl Kernel {
    /// Its name in tables and in the file of measurements.
    pub fn name(self) -> &'static str {
        match self {
            Kernel::Plain => "plain",
            Kernel::Half => "half",
            Kernel::Matrix => "matrix",
        }
    }
}

impl Form {
    /// Results of a tile along an axis; 1 without tiles.
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
    /// The kernel in registers with the best tile for this many outputs and pixels: correct on every card.
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

    /// As [`Variant::plain`], for the convolutions of style networks.
    pub fn painting(outputs: usize) -> Variant {
        let tile = match outputs {
            0..=8 => LOW_TILES[0],
            9..=16 => LOW_TILES[1],
            17..=32 => [32, 128],
            _ => [64, 64],
        };
        Variant { kernel: Kernel::Plain, form: Form::Direct, tile }
    }

    /// Whether these differ only in their tiles.
    pub fn is_kin(self, other: Variant) -> bool {
        (self.kernel, self.form) == (other.kernel, other.form)
    }

    /// Whether a workgroup has enough to do. A tile twice as large as the product would mostly be empty.
    pub fn suits(self, outputs: usize, pixels: usize) -> bool {
        let [high, wide] = self.tile;
        high < 2 * outputs.max(32) && (wide < 2 * pixels || wide <= 32)
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}x{}", self.kernel.name(), self.form, self.tile[0], self.tile[1])
    }
}

impl FromStr for Variant {
    type Err = ();

    /// Parses the output of [`fmt::Display`].
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
