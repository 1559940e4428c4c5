//! 3x3 convolutions that grow the map by two samples along each axis, in tiles of 4x4 pixels: 36 products instead of 144.
//!
//! Used by StyleGAN3's layers. Tiles pass through the scratch memory in bands of tile rows: enough of them to read the
//! weights rarely, few enough to stay in the cache.

use pulp::{Simd, WithSimd};

use super::super::Frame;
use super::super::memory::Floats;
use super::super::product::{Packed, Product, Rows};
use super::super::simd::{fma, load, store};
use super::{Points, TILE, weight_3};

/// Products along one axis.
const SIDE: usize = 6;
const PRODUCTS: usize = SIDE * SIDE;
/// Gap between the matrices of two products, so that they do not map to the same cache lines.
const GAP: usize = 16;
/// Approximate number of tiles in a band.
const BAND: usize = 256;

/// A prepared 3x3 convolution.
pub struct Full {
    weights: Vec<Packed>,
    sizes: Sizes,
}

/// Sizes of a convolution; channels rounded up to whole vectors.
#[derive(Clone, Copy)]
pub struct Sizes {
    pub inputs: usize,
    pub outputs: usize,
    /// Height and width of the result: the input's plus 2.
    pub out: (usize, usize),
}

impl Sizes {
    fn tiles(self) -> (usize, usize) {
        (self.out.0.div_ceil(TILE), self.out.1.div_ceil(TILE))
    }

    /// Tile rows in a band.
    fn band(self) -> usize {
        BAND.div_ceil(self.tiles().1).min(self.tiles().0)
    }

    /// Numbers from one product to the next, of input and output.
    fn strides(self) -> (usize, usize) {
        let tiles = self.band() * self.tiles().1;
        (tiles * self.inputs + GAP, tiles * self.outputs + GAP)
    }

    /// Scratch floats, for input and output.
    pub fn scratch(self) -> (usize, usize) {
        let (input, output) = self.strides();
        (PRODUCTS * input, PRODUCTS * output)
    }
}

/// Height or width of the input including the zeros around it that [`Full::run`] reads, for a result of `out` samples:
/// two before it, and as many after it as whole tiles need.
pub fn padded(out: usize) -> usize {
    out.next_multiple_of(TILE) + 2
}

/// Where the numbers are.
#[derive(Clone, Copy)]
pub struct Ends<'a> {
    /// `[padded height, padded width, inputs]`
    pub from: &'a Floats,
    /// `[height, width, outputs]`
    pub to: &'a Floats,
    /// The result is `alpha·y + bias`, `[outputs]` each.
    pub alpha: &'a Floats,
    pub bias: &'a Floats,
    /// As large as [`Sizes::scratch`] says.
    pub input: &'a Floats,
    pub output: &'a Floats,
}

impl Full {
    /// `weight` is `[outputs, channels, 3, 3]`.
    pub fn new(weight: &[f32], channels: usize, outputs: usize, lanes: usize, sizes: Sizes) -> Full {
        let value = |product: usize, _, i: usize, o: usize| weight_3(product, &weight[(o * channels + i) * 9..][..9]);
        Full { weights: Packed::several(PRODUCTS, [1, channels, outputs], lanes, value), sizes }
    }

    /// Convolves the whole map.
    pub fn run(&self, frame: &Frame, ends: Ends) {
        let ((tiles_y, tiles_x), band) = (self.sizes.tiles(), self.sizes.band());
        let panels = self.weights[0].panels();
        for first in (0..tiles_y).step_by(band) {
            let rows = band.min(tiles_y - first);
            let part = |row: usize| Part { full: self, ends, first, row };
            frame.turn.run(rows, &|row, _| frame.isa.run(Input(part(row))));
            frame.turn.run(PRODUCTS * panels, &|task, _| {
                let (product, panel, tiles) = (task / panels, task % panels, rows * tiles_x);
                frame.isa.run(Multiply { full: self, ends, product, panel, tiles });
            });
            frame.turn.run(rows, &|row, _| frame.isa.run(Output(part(row))));
        }
    }
}

/// One row of tiles of a band.
#[derive(Clone, Copy)]
struct Part<'a> {
    full: &'a Full,
    ends: Ends<'a>,
    /// The band's first tile row.
    first: usize,
    /// Tile row in the band.
    row: usize,
}

struct Input<'a>(Part<'a>);

struct Output<'a>(Part<'a>);

/// One panel of one product for all tiles of a band.
struct Multiply<'a> {
    full: &'a Full,
    ends: Ends<'a>,
    product: usize,
    panel: usize,
    tiles: usize,
}

impl WithSimd for Input<'_> {
    type Output = ();
    // Loops over arrays, not closures: a closure would be compiled without the vector instructions.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Part { full: Full { sizes, .. }, ends, first, row } = self.0;
        let (points, zero, step) = (Points::new(simd), simd.splat_f32s(0.0), sizes.inputs);
        let (tiles_x, stride) = (sizes.tiles().1, sizes.strides().0);
        let line = padded(sizes.out.1) * step;
        for tile in 0..tiles_x {
            for v in (0..step).step_by(S::F32_LANES) {
                // SAFETY: the input has a border as wide as the last tile reads; this row of tiles of the scratch memory
                // belongs to this task alone.
                unsafe {
                    let at = ends.from.ptr().cast_const().add((first + row) * TILE * line + tile * TILE * step + v);
                    let mut columns = [[zero; SIDE]; SIDE];
                    for x in 0..SIDE {
                        let mut column = [zero; SIDE];
                        for y in 0..SIDE {
                            column[y] = load::<S>(at.add(y * line + x * step));
                        }
                        columns[x] = points.input_3(simd, column);
                    }
                    let to = ends.input.ptr().add((row * tiles_x + tile) * step + v);
                    for y in 0..SIDE {
                        let mut samples = [zero; SIDE];
                        for x in 0..SIDE {
                            samples[x] = columns[x][y];
                        }
                        let samples = points.input_3(simd, samples);
                        for x in 0..SIDE {
                            store::<S>(to.add((y * SIDE + x) * stride), samples[x]);
                        }
                    }
                }
            }
        }
    }
}

impl WithSimd for Multiply<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let sizes = self.full.sizes;
        let (input_stride, output_stride) = sizes.strides();
        let product = Product {
            a: self.ends.input.ptr(),
            a_rows: Rows::line(self.product * input_stride, sizes.inputs),
            taps: &[0],
            b: &self.full.weights[self.product],
            panel: self.panel,
            c: self.ends.output.ptr(),
            c_rows: Rows::line(self.product * output_stride, sizes.outputs),
            count: self.tiles,
        };
        // SAFETY: rows are tiles of the scratch memory; only this task writes this panel of this product.
        unsafe { product.run(simd) };
    }
}

impl WithSimd for Output<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Part { full: Full { sizes, .. }, ends, first, row } = self.0;
        let (points, zero, step) = (Points::new(simd), simd.splat_f32s(0.0), sizes.outputs);
        let (tiles_x, stride) = (sizes.tiles().1, sizes.strides().1);
        let (height, width) = sizes.out;
        for tile in 0..tiles_x {
            for v in (0..step).step_by(S::F32_LANES) {
                // SAFETY: samples beyond the result are not written; only this task uses the tiles of this row.
                unsafe {
                    let (alpha, bias) = (load::<S>(ends.alpha.ptr().add(v)), load::<S>(ends.bias.ptr().add(v)));
                    let from = ends.output.ptr().cast_const().add((row * tiles_x + tile) * step + v);
                    let mut columns = [[zero; TILE]; SIDE];
                    for x in 0..SIDE {
                        let mut column = [zero; SIDE];
                        for y in 0..SIDE {
                            column[y] = load::<S>(from.add((y * SIDE + x) * stride));
                        }
                        columns[x] = points.output_3(simd, column);
                    }
                    let (top, left) = ((first + row) * TILE, tile * TILE);
                    for y in 0..TILE.min(height - top) {
                        let mut samples = [zero; SIDE];
                        for x in 0..SIDE {
                            samples[x] = columns[x][y];
                        }
                        let samples = points.output_3(simd, samples);
                        let to = ends.to.ptr().add(((top + y) * width + left) * step + v);
                        for x in 0..TILE.min(width - left) {
                            store::<S>(to.add(x * step), fma(simd, samples[x], alpha, bias));
                        }
                    }
                }
            }
        }
    }
}
