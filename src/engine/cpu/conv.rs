//! Direct convolution with reflection padding, as style networks use it: stride, or nearest upsampling first.
//!
//! The input is copied once into a padded buffer whose columns are sorted by their remainder modulo the stride, so
//! that the innermost loop reads contiguous floats for any stride. A block of output channels by a few vectors of
//! output columns stays in registers over all taps; nothing is unrolled into matrices (no im2col). Knows nothing of
//! plans. After [`Conv::new`] it allocates nothing; the caller provides [`Conv::scratch_len`] floats.

use pulp::{Simd, WithSimd};

use super::pool::Turn;
use super::simd::{Isa, fma, load, store};

/// Output channels computed together. 4 x 4 vectors keep both multipliers busy and fit 32 registers.
const BLOCK: usize = 4;
/// Widest register tile in floats: 4 vectors of 16. Padded rows may be read this far past the last column.
const WIDEST_TILE: usize = 64;
/// Output rows of one task.
const STRIP: usize = 8;
/// Rows that one task pads.
const PAD_ROWS: usize = 64;

/// What a convolution does to the shape of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    pub in_channels: usize,
    pub out_channels: usize,
    /// Odd; the padding is `kernel / 2` on every side.
    pub kernel: usize,
    /// 1 or more.
    pub stride: usize,
    /// Doubles the input, repeating each pixel, before padding.
    pub upsample: bool,
}

impl ConvShape {
    fn source_side(&self, side: usize) -> usize {
        if self.upsample { 2 * side } else { side }
    }

    /// For each padded position along an input axis of length `side`, the input position that it copies.
    fn sources(&self, side: usize) -> Vec<usize> {
        let (border, enlarged) = (self.kernel / 2, self.source_side(side));
        let source = |at: usize| reflect(at as isize - border as isize, enlarged) >> usize::from(self.upsample);
        (0..enlarged + 2 * border).map(source).collect()
    }

    /// Height (or width) of the output for a height (or width) of the input.
    pub fn out_side(&self, side: usize) -> usize {
        let padded = self.source_side(side) + 2 * (self.kernel / 2);
        (padded - self.kernel) / self.stride + 1
    }
}

/// How the padded copy of one input lies in memory: `[in_channels, rows, stride, columns]`.
#[derive(Clone, Copy, Debug)]
struct Padded {
    rows: usize,
    /// Columns with the same remainder modulo the stride, with room for the widest tile.
    columns: usize,
    row: usize,
    plane: usize,
}

/// A convolution prepared for inputs of one size, with its weights packed for the registers.
#[derive(Clone, Debug)]
pub struct Conv {
    shape: ConvShape,
    height: usize,
    width: usize,
    padded: Padded,
    /// The input row that each padded row copies.
    row_sources: Vec<usize>,
    /// The input column that each padded column copies, in the order of [`Padded`]: grouped by remainder.
    column_sources: Vec<Vec<usize>>,
    /// Offset of each tap `[ky, kx]` from the first, in the padded copy.
    taps: Vec<usize>,
    /// `[out block][in, ky, kx][channel of the block]`
    packed: Vec<f32>,
    bias: Vec<f32>,
}

impl Conv {
    /// For inputs of `height` x `width`. `weight` is `[out, in, kernel, kernel]`, `bias` `[out]` or empty.
    ///
    /// # Panics
    /// When the lengths do not match the shape; plans are checked beforehand.
    pub fn new(shape: ConvShape, height: usize, width: usize, weight: &[f32], bias: &[f32]) -> Self {
        let ConvShape { in_channels, out_channels, kernel, stride, .. } = shape;
        let per_output = in_channels * kernel * kernel;
        assert_eq!(weight.len(), out_channels * per_output, "weights of a convolution");
        assert!(bias.is_empty() || bias.len() == out_channels, "bias of a convolution");
        let mut packed = Vec::with_capacity(weight.len());
        for first in (0..out_channels).step_by(BLOCK) {
            let block = first..out_channels.min(first + BLOCK);
            for tap in 0..per_output {
                packed.extend(block.clone().map(|o| weight[o * per_output + tap]));
            }
        }
        let mut bias = bias.to_vec();
        bias.resize(out_channels, 0.0);
        let columns = shape.out_side(width).next_multiple_of(WIDEST_TILE) + kernel.div_ceil(stride);
        let row_sources = shape.sources(height);
        let (row, rows) = (stride * columns, row_sources.len());
        let all_columns = shape.sources(width);
        let column_sources =
            (0..stride).map(|r| all_columns.iter().skip(r).step_by(stride).copied().collect()).collect();
        let tap = |ky: usize, kx: usize| ky * row + kx % stride * columns + kx / stride;
        let taps = (0..kernel * kernel).map(|i| tap(i / kernel, i % kernel)).collect();
        let padded = Padded { rows, columns, row, plane: rows * row };
        Conv { shape, height, width, padded, row_sources, column_sources, taps, packed, bias }
    }

    /// Floats of scratch that [`Conv::run`] needs.
    pub fn scratch_len(&self) -> usize {
        self.shape.in_channels * self.padded.plane
    }

    /// `input` is `[in, height, width]`, `out` becomes `[out, out_side(height), out_side(width)]`.
    ///
    /// # Panics
    /// When a slice is shorter than its shape.
    pub fn run(&self, turn: &Turn, isa: Isa, input: &[f32], scratch: &mut [f32], out: &mut [f32]) {
        let scratch = &mut scratch[..self.scratch_len()];
        self.pad(turn, input, scratch);
        let (rows, columns) = (self.shape.out_side(self.height), self.shape.out_side(self.width));
        let out = Parts::new(&mut out[..self.shape.out_channels * rows * columns]);
        let (blocks, strips) = (self.shape.out_channels.div_ceil(BLOCK), rows.div_ceil(STRIP));
        let source = &*scratch;
        turn.run(blocks * strips, &|task, _| {
            // Neighbouring tasks share their input rows.
            let (strip, block) = (task / blocks, task % blocks);
            let rows_of_task = strip * STRIP..rows.min((strip + 1) * STRIP);
            isa.run(Task { conv: self, source, block, rows: rows_of_task, height: rows, width: columns, out: &out });
        });
    }

    /// Copies the input into the padded layout.
    fn pad(&self, turn: &Turn, input: &[f32], scratch: &mut [f32]) {
        let (height, width, padded) = (self.height, self.width, self.padded);
        let border = self.shape.kernel / 2;
        let is_copy = self.shape.stride == 1 && !self.shape.upsample;
        let scratch = Parts::new(scratch);
        let bands = padded.rows.div_ceil(PAD_ROWS);
        turn.run(self.shape.in_channels * bands, &|task, _| {
            let (channel, band) = (task / bands, task % bands);
            for y in band * PAD_ROWS..padded.rows.min((band + 1) * PAD_ROWS) {
                let from = &input[(channel * height + self.row_sources[y]) * width..][..width];
                // SAFETY: each row of each channel is written by one task.
                let to = unsafe { scratch.part(channel * padded.plane + y * padded.row, padded.row) };
                if is_copy {
                    let sources = &self.column_sources[0];
                    to[border..border + width].copy_from_slice(from);
                    (0..border).chain(border + width..sources.len()).for_each(|x| to[x] = from[sources[x]]);
                    continue;
                }
                for (to, sources) in to.chunks_exact_mut(padded.columns).zip(&self.column_sources) {
                    to.iter_mut().zip(sources).for_each(|(to, &source)| *to = from[source]);
                }
            }
        });
    }
}

/// Index of position `at` in a row of `side` pixels, extended by reflection without repeating its ends (PyTorch's
/// `reflect`); reflected repeatedly when the row is shorter than the padding.
pub fn reflect(at: isize, side: usize) -> usize {
    if side == 1 {
        return 0;
    }
    let last = side as isize - 1;
    let folded = at.rem_euclid(2 * last);
    folded.min(2 * last - folded) as usize
}

/// Memory that the tasks of one stage write, each a different part.
pub struct Parts<'a> {
    start: *mut f32,
    len: usize,
    memory: std::marker::PhantomData<&'a mut [f32]>,
}
// SAFETY: the caller of `part` keeps the parts of different tasks disjoint.
unsafe impl Sync for Parts<'_> {}

impl<'a> Parts<'a> {
    pub fn new(memory: &'a mut [f32]) -> Self {
        Parts { start: memory.as_mut_ptr(), len: memory.len(), memory: std::marker::PhantomData }
    }

    /// # Safety
    /// No two parts in use at the same time may overlap.
    ///
    /// # Panics
    /// When the part is out of bounds.
    #[expect(clippy::mut_from_ref, reason = "the caller keeps the parts apart")]
    pub unsafe fn part(&self, start: usize, len: usize) -> &mut [f32] {
        assert!(start <= self.len && len <= self.len - start, "a part out of bounds");
        // SAFETY: in bounds; the caller guarantees that no other part overlaps it.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(start), len) }
    }
}

/// One block of output channels on one strip of rows.
struct Task<'a> {
    conv: &'a Conv,
    source: &'a [f32],
    block: usize,
    rows: std::ops::Range<usize>,
    height: usize,
    width: usize,
    out: &'a Parts<'a>,
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.conv.shape.out_channels - self.block * BLOCK {
            1 => self.rows_of::<S, 1>(simd),
            2 => self.rows_of::<S, 2>(simd),
            3 => self.rows_of::<S, 3>(simd),
            _ => self.rows_of::<S, BLOCK>(simd),
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    fn rows_of<S: Simd, const O: usize>(&self, simd: S) {
        let lanes = S::F32_LANES;
        for y in self.rows.clone() {
            let mut x = 0;
            // 16 registers hold 4 x 2 sums and their operands; 32 hold 4 x 4.
            while S::REGISTER_COUNT >= 32 && x + 3 * lanes < self.width {
                self.tile::<S, O, 4>(simd, y, x);
                x += 4 * lanes;
            }
            while x + lanes < self.width {
                self.tile::<S, O, 2>(simd, y, x);
                x += 2 * lanes;
            }
            if x < self.width {
                self.tile::<S, O, 1>(simd, y, x);
            }
        }
    }

    /// `O` channels by `V` vectors of columns of output row `y`, starting at `x`.
    #[expect(
        clippy::needless_range_loop,
        reason = "the sums stay in registers only while the compiler knows all indices"
    )]
    #[inline(always)]
    fn tile<S: Simd, const O: usize, const V: usize>(&self, simd: S, y: usize, x: usize) {
        let ConvShape { in_channels, stride, .. } = self.conv.shape;
        let (padded, taps, lanes) = (self.conv.padded, &self.conv.taps[..], S::F32_LANES);
        let first = self.block * BLOCK;
        let per_output = in_channels * taps.len();
        let weights = &self.conv.packed[first * per_output..][..O * per_output];
        let start = y * stride * padded.row + x;
        // The last tap of the last channel reads the farthest.
        let reach = start + (in_channels - 1) * padded.plane + taps.last().map_or(0, |tap| tap + V * lanes);
        assert!(reach <= self.source.len(), "a convolution beyond its input");
        let mut sums = [[simd.splat_f32s(0.0); V]; O];
        let bias = &self.conv.bias[first..first + O];
        for o in 0..O {
            sums[o] = [simd.splat_f32s(bias[o]); V];
        }
        // SAFETY: `reach` is within the source, and `weights` has `O` numbers for each tap of each channel. Plain
        // indices and pointers keep the sums in registers.
        unsafe {
            let mut weight = weights.as_ptr();
            for channel in 0..in_channels {
                let base = self.source.as_ptr().add(start + channel * padded.plane);
                for &tap in taps {
                    let from = base.add(tap);
                    let inputs: [S::f32s; V] = std::array::from_fn(|v| load::<S>(from.add(v * lanes)));
                    for o in 0..O {
                        let factor = simd.splat_f32s(*weight.add(o));
                        for v in 0..V {
                            sums[o][v] = fma(simd, factor, inputs[v], sums[o][v]);
                        }
                    }
                    weight = weight.add(O);
                }
            }
        }
        let wanted = (self.width - x).min(V * lanes);
        let mut line = [0.0f32; WIDEST_TILE];
        // Constant indices again: slicing the sums would force them into memory throughout.
        for o in 0..O {
            for v in 0..V {
                // SAFETY: `line` is as long as the widest tile.
                unsafe { store::<S>(line.as_mut_ptr().add(v * lanes), sums[o][v]) };
            }
            // SAFETY: only this task writes this row of this channel.
            let row = unsafe { self.out.part(((first + o) * self.height + y) * self.width + x, wanted) };
            row.copy_from_slice(&line[..wanted]);
        }
    }
}

#[cfg(test)]
mod test {
    use super::super::pool::Pool;
    use super::*;

    fn numbers(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    /// The definition, tap by tap, in 64-bit floats.
    fn by_definition(
        shape: ConvShape,
        weight: &[f32],
        bias: &[f32],
        input: &[f32],
        height: usize,
        width: usize,
    ) -> Vec<f32> {
        let ConvShape { in_channels, out_channels, kernel, stride, upsample } = shape;
        let (pad, shift) = ((kernel / 2) as isize, usize::from(upsample));
        let mut out = Vec::new();
        for o in 0..out_channels {
            for y in 0..shape.out_side(height) {
                for x in 0..shape.out_side(width) {
                    let mut sum = f64::from(bias[o]);
                    for i in 0..in_channels {
                        for ky in 0..kernel {
                            for kx in 0..kernel {
                                let sy = reflect((y * stride + ky) as isize - pad, height << shift) >> shift;
                                let sx = reflect((x * stride + kx) as isize - pad, width << shift) >> shift;
                                let w = weight[((o * in_channels + i) * kernel + ky) * kernel + kx];
                                sum += f64::from(w) * f64::from(input[(i * height + sy) * width + sx]);
                            }
                        }
                    }
                    out.push(sum as f32);
                }
            }
        }
        out
    }

    #[test]
    fn a_position_beyond_the_edge_is_folded_back() {
        let folded: Vec<usize> = (-4..8).map(|at| reflect(at, 4)).collect();
        assert_eq!(folded, [2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1]);
        assert_eq!(reflect(-3, 1), 0);
    }

    #[test]
    fn every_shape_agrees_with_the_definition() {
        // in, out, kernel, stride, upsample, height, width
        let shapes = [
            (3, 32, 9, 1, false, 12, 70),
            (5, 6, 3, 2, false, 9, 21),
            (4, 8, 3, 2, false, 16, 130),
            (7, 3, 3, 1, true, 6, 9),
            (4, 3, 9, 1, false, 5, 3),
            (2, 1, 1, 1, false, 3, 17),
            (2, 5, 3, 1, true, 33, 1),
        ];
        let pool = Pool::new(2);
        for (in_channels, out_channels, kernel, stride, upsample, height, width) in shapes {
            let shape = ConvShape { in_channels, out_channels, kernel, stride, upsample };
            let weight = numbers(out_channels * in_channels * kernel * kernel, 1);
            let bias = numbers(out_channels, 2);
            let input = numbers(in_channels * height * width, 3);
            let conv = Conv::new(shape, height, width, &weight, &bias);
            let mut scratch = vec![0.0; conv.scratch_len()];
            let expected = by_definition(shape, &weight, &bias, &input, height, width);
            let mut out = vec![f32::NAN; expected.len()];
            for isa in Isa::available() {
                conv.run(&pool.turn(), isa, &input, &mut scratch, &mut out);
                for (i, (found, expected)) in out.iter().zip(&expected).enumerate() {
                    assert!((found - expected).abs() < 2e-5, "{shape:?} at {i}: {found} instead of {expected}");
                }
            }
        }
    }
}
