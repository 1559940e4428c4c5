//! How the kernels with cooperative matrices (`shaders/engine/shared/matrix.wgsl`) divide a product: the subgroups of a
//! workgroup, the matrices of each, and the tile of the map in workgroup memory. Nothing here computes.

use super::device::Device;
use super::shader::{Constants, Value};
use super::variant::{Kernel, Matrix, Variant};

/// Maximum matrices of sums per subgroup: more would spill out of the registers.
const MOST_MATRICES: usize = 16;
/// Subgroups of a workgroup, fewest first.
const SUBGROUPS: [usize; 2] = [4, 8];
/// Columns of a tile of the map.
const TILE_WIDTH: usize = 16;
/// How many more pixels than there are a division into tiles may have before pixels are numbered over rows instead.
const MOST_EMPTY: f64 = 1.25;
/// Inputs in a tile for one tap; with nine, two as large matrices would have too little to do between two barriers.
const DEPTH_OF_ONE_TAP: usize = 32;
const DEPTH: usize = 16;
/// Results of an up-sampling layer per pixel of its input.
const PARITIES: usize = 4;

/// The product of a layer, as far as its division depends on it.
#[derive(Clone, Copy, Debug)]
pub struct Outline {
    /// Rows and columns of the result, for each parity.
    pub grid: [usize; 2],
    /// Columns of the input.
    pub width: usize,
    /// 9 or 1.
    pub taps: usize,
    pub up: bool,
}

/// How a product is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiling {
    matrix: Matrix,
    /// Subgroups along the outputs and along the pixels.
    down: usize,
    across: usize,
    /// Matrices of each subgroup along both; for up-sampling layers, of each parity.
    rows: usize,
    columns: usize,
    /// Taps of a row.
    taps_x: usize,
    /// Inputs in a tile.
    pub depth: usize,
    is_flat: bool,
    /// Rows and columns of a tile.
    tile: [usize; 2],
    /// Groups of four inputs of one pixel in the tile.
    fours: usize,
    /// Workgroups along the pixels.
    pub groups: usize,
}

impl Tiling {
    /// The division by a variant; `None` if a thread has too few registers, or a workgroup with `most` bytes too little memory.
    pub fn new(matrix: Matrix, most: usize, variant: Variant, outline: &Outline) -> Option<Tiling> {
        let Outline { grid: [height, width], taps, up, .. } = *outline;
        let ([high, wide], Matrix { side, .. }) = (variant.tile, matrix);
        let parities = if up { PARITIES } else { 1 };
        let matrices = high / side * (wide / side) * parities;
        let subgroups = SUBGROUPS.into_iter().find(|count| matrices <= count * MOST_MATRICES)?;
        let down = match subgroups {
            4 if high < 64 => 1,
            8 if high > wide => 4,
            _ => 2,
        };
        let across = subgroups / down;
        let (rows, columns) = (high / down / side, wide / across / side);
        // Up-sampling layers have one matrix of inputs for each tap.
        let depth = match (taps, up) {
            (1, _) => DEPTH_OF_ONE_TAP,
            (_, true) => side,
            _ => DEPTH,
        };
        let reach = if up { 1 } else { taps.isqrt() - 1 };
        let pitch = width.max(outline.width + usize::from(taps > 1));
        let tile_high = (wide / TILE_WIDTH).max(1);
        let padded = height.next_multiple_of(tile_high) * width.next_multiple_of(TILE_WIDTH);
        let is_flat = taps == 1 || padded as f64 > MOST_EMPTY * (height * pitch) as f64;
        let tile = if is_flat { [1, wide] } else { [tile_high, TILE_WIDTH] };
        let groups = match is_flat {
            true => (height * pitch).div_ceil(wide),
            false => height.div_ceil(tile_high) * width.div_ceil(TILE_WIDTH),
        };
        let pixels: usize = tile.map(|side| side + reach).into_iter().product();
        let fours = pixels * depth / 4;
        // As in the kernel: 16 bytes between the pixels of a tile, and two matrices of sums for each subgroup.
        let bytes = pixels * (2 * depth + 16) + subgroups * 2 * side * side * 4;
        let fits = rows * columns > 0 && bytes <= most;
        fits.then_some(Tiling {
            matrix,
            down,
            across,
            rows,
            columns,
            taps_x: taps.isqrt(),
            depth,
            is_flat,
            tile,
            fours,
            groups,
        })
    }

    /// The constants of the kernel.
    pub fn constants(&self) -> Constants {
        let Matrix { side, lanes } = self.matrix;
        let threads = self.down * self.across * lanes;
        vec![
            ("SIDE", Value::U(side)),
            ("LANES", Value::U(lanes)),
            ("DOWN", Value::U(self.down)),
            ("ACROSS", Value::U(self.across)),
            ("ROWS", Value::U(self.rows)),
            ("COLUMNS", Value::U(self.columns)),
            ("TAPS_X", Value::U(self.taps_x)),
            ("DEPTH", Value::U(self.depth)),
            ("DEEP", Value::U(self.depth / side)),
            ("IS_FLAT", Value::B(self.is_flat)),
            ("TILE_H", Value::U(self.tile[0])),
            ("TILE_W", Value::U(self.tile[1])),
            ("LOADS", Value::U(self.fours.div_ceil(threads))),
        ]
    }

    /// Rows and columns of a matrix.
    pub fn side(&self) -> usize {
        self.matrix.side
    }
}

/// How a variant divides the product on this card; `None` without cooperative matrices that can.
pub fn on(device: &Device, variant: Variant, outline: &Outline) -> Option<Tiling> {
    let matrix = device.matrix.filter(|_| variant.kernel == Kernel::Matrix)?;
    Tiling::new(matrix, device.limits.max_compute_workgroup_storage_size as usize, variant, outline)
}

#[cfg(test)]
mod tests {
    use super::super::variant::Form;
    use super::*;

    const MATRIX: Matrix = Matrix { side: 16, lanes: 32 };
    const MOST: usize = 48 << 10;

    fn tiling(tile: [usize; 2], side: usize, taps: usize, up: bool) -> Option<Tiling> {
        let variant = Variant { kernel: Kernel::Matrix, form: Form::Direct, tile };
        let grid = side + usize::from(up);
        Tiling::new(MATRIX, MOST, variant, &Outline { grid: [grid, grid], width: side, taps, up })
    }

    #[test]
    fn a_workgroup_computes_its_tile() {
        for tile in [[128, 128], [64, 128], [128, 64], [64, 64], [32, 128], [64, 32], [128, 256], [32, 256], [32, 32]] {
            for (side, taps, up) in [(64, 9, false), (16, 9, false), (4, 1, false), (64, 9, true), (16, 9, true)] {
                let Some(t) = tiling(tile, side, taps, up) else { continue };
                let what = format!("{tile:?} {side} {taps} {up}: {t:?}");
                assert_eq!([t.down * t.rows * 16, t.across * t.columns * 16], tile, "{what}");
                assert_eq!(t.tile[0] * t.tile[1], tile[1], "{what}");
                assert!(t.rows * t.columns * if up { PARITIES } else { 1 } <= MOST_MATRICES, "{what}");
            }
        }
    }

    #[test]
    fn pixels_are_numbered_over_rows_where_tiles_would_be_empty() {
        let flat = |side, up| tiling([64, 64], side, 9, up).expect("it fits");
        assert_eq!((flat(64, false).is_flat, flat(64, false).groups), (false, 64));
        assert!(flat(8, false).is_flat && flat(16, true).is_flat && !flat(256, true).is_flat);
        // Rows of 8 with a column of zeros between them.
        assert_eq!(flat(8, false).groups, 2);
    }

    #[test]
    fn what_does_not_fit_is_none() {
        assert!(tiling([128, 128], 64, 9, false).is_some());
        assert_eq!(tiling([128, 128], 64, 9, true), None, "four parities need too many registers");
        let variant = Variant { kernel: Kernel::Matrix, form: Form::Direct, tile: [128, 128] };
        let outline = Outline { grid: [64, 64], width: 64, taps: 9, up: false };
        assert_eq!(Tiling::new(MATRIX, 1 << 12, variant, &outline), None);
    }
}
