//! StyleGAN2 convolution layers, directly: a matrix product over pixels, nine taps, and the fused epilogue.
//!
//! The input is multiplied by the style while it is copied. Up-sampling layers compute the four parities of the strided
//! transposed convolution separately (4, 2, 2 and 1 taps), then filter.

use pulp::{Simd, WithSimd};

use super::epilogue::{Epilogue, RowEpilogue};
use super::memory::{Floats, Map};
use super::product::{Packed, Product, Rows};
use super::simd::{fma, load, store};
use super::{Frame, Stage};
use crate::engine::plan::{Fir, Plan, SynthesisLayer};

/// Maximum rows of pixels per task.
const STRIP: usize = 4;

/// Where a layer finds its style and its noise.
#[derive(Clone, Copy)]
pub struct Layer {
    pub input: usize,
    pub out: usize,
    pub styled: usize,
    pub noise: Option<usize>,
}

/// Multiplies a map by the style, row by row, into a copy.
struct Scale<'a> {
    from: &'a Map,
    to: &'a Map,
    s: *const f32,
    row: usize,
}

impl WithSimd for Scale<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (padded, width) = (self.from.padded, self.from.width);
        // SAFETY: the row is inside both maps, which have the same shape; only this task writes it.
        unsafe {
            let (from, to) = (self.from.ptr(self.row as isize, 0), self.to.ptr(self.row as isize, 0));
            for v in (0..padded).step_by(S::F32_LANES) {
                let s = load::<S>(self.s.add(v));
                for x in 0..width {
                    let at = x * padded + v;
                    store::<S>(to.add(at), simd.mul_f32s(load::<S>(from.add(at)), s));
                }
            }
        }
    }
}

/// Fills the interior of `scaled` with s⊙input.
fn scale_input(frame: &Frame, layer: &Layer, scaled: &Map) {
    let (from, s) = (frame.map(layer.input), frame.styles.layers[layer.styled].s.ptr() as usize);
    frame.turn.run(from.height, &|row, _| {
        frame.isa.run(Scale { from, to: scaled, s: s as *const f32, row });
    });
}

/// A convolution that keeps the size.
pub struct Direct {
    layer: Layer,
    epilogue: Epilogue,
    weight: Packed,
    kernel: usize,
    scaled: Map,
}

/// Pixels `rows` of one panel of output channels.
struct DirectTask<'a> {
    stage: &'a Direct,
    out: &'a Map,
    epilogue: RowEpilogue,
    panel: usize,
    rows: std::ops::Range<usize>,
}

impl Direct {
    pub fn new(plan: &Plan, op: &SynthesisLayer, layer: Layer, lanes: usize) -> Direct {
        let input = plan.get(op.input);
        let taps = op.kernel * op.kernel;
        let at = |tap: usize, i: usize, o: usize| op.weight[(o * input.channels + i) * taps + tap];
        Direct {
            layer,
            epilogue: Epilogue::new(op, lanes),
            weight: Packed::new(taps, input.channels, op.bias.len(), lanes, at),
            kernel: op.kernel,
            scaled: Map::new(input.channels, input.height, input.width, lanes),
        }
    }
}

impl Stage for Direct {
    fn run(&mut self, frame: &Frame) {
        scale_input(frame, &self.layer, &self.scaled);
        let (stage, out) = (&*self, frame.map(self.layer.out));
        let epilogue = frame.epilogue(&self.epilogue, &self.layer);
        let panels = self.weight.panels();
        let strips = out.height.div_ceil(STRIP);
        frame.turn.run(strips * panels, &|task, _| {
            let (strip, panel) = (task / panels, task % panels);
            let rows = strip * STRIP..(strip * STRIP + STRIP).min(out.height);
            frame.isa.run(DirectTask { stage, out, epilogue, panel, rows });
        });
    }
}

impl WithSimd for DirectTask<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (from, out, weight) = (&self.stage.scaled, self.out, &self.stage.weight);
        let border = (self.stage.kernel / 2) as isize;
        let mut taps = [0; 9];
        for (tap, offset) in taps.iter_mut().enumerate() {
            *offset = tap / self.stage.kernel * from.row() + tap % self.stage.kernel * from.padded;
        }
        let first = self.rows.start as isize;
        let product = Product {
            a: from.data.ptr(),
            a_rows: Rows {
                start: from.at(first - border, -border),
                width: out.width,
                row: from.row(),
                step: from.padded,
            },
            taps: &taps[..self.stage.kernel * self.stage.kernel],
            b: weight,
            panel: self.panel,
            c: out.data.ptr(),
            c_rows: Rows { start: out.at(first, 0), width: out.width, row: out.row(), step: out.padded },
            count: self.rows.len() * out.width,
        };
        let (channel, vectors) = (weight.first_output(self.panel), weight.panel_vectors(self.panel));
        // SAFETY: taps reach one sample beyond the map at most, into its border; only this task writes its rows of
        // its panel of the output.
        unsafe {
            product.run(simd);
            for y in self.rows {
                let channels = channel..channel + vectors * S::F32_LANES;
                self.epilogue.row(simd, out.ptr(y as isize, 0), out.padded, y, out.width, channels);
            }
        }
    }
}

/// A convolution that doubles the size: four parities, then the FIR filter.
pub struct Up {
    layer: Layer,
    epilogue: Epilogue,
    /// By parity of (y, x).
    weights: [Packed; 4],
    fir: Fir,
    scaled: Map,
    /// `[2H + 1, 2W + 1]`: the transposed convolution.
    transposed: Map,
}

/// The taps of one axis by parity: (kernel index, offset of the sample) for even and odd outputs.
const EVEN: &[(usize, isize)] = &[(2, -1), (0, 0)];
const ODD: &[(usize, isize)] = &[(1, 0)];

impl Up {
    pub fn new(plan: &Plan, op: &SynthesisLayer, layer: Layer, lanes: usize) -> Up {
        let input = plan.get(op.input);
        let pack = |taps_y: &'static [(usize, isize)], taps_x: &'static [(usize, isize)]| {
            let at = |tap: usize, i: usize, o: usize| {
                let ((ky, _), (kx, _)) = (taps_y[tap / taps_x.len()], taps_x[tap % taps_x.len()]);
                op.weight[(o * input.channels + i) * 9 + ky * 3 + kx]
            };
            Packed::new(taps_y.len() * taps_x.len(), input.channels, op.bias.len(), lanes, at)
        };
        Up {
            layer,
            epilogue: Epilogue::new(op, lanes),
            weights: [pack(EVEN, EVEN), pack(EVEN, ODD), pack(ODD, EVEN), pack(ODD, ODD)],
            fir: op.fir,
            scaled: Map::new(input.channels, input.height, input.width, lanes),
            transposed: Map::new(op.bias.len(), 2 * input.height + 1, 2 * input.width + 1, lanes),
        }
    }
}

impl Stage for Up {
    fn run(&mut self, frame: &Frame) {
        scale_input(frame, &self.layer, &self.scaled);
        let stage = &*self;
        let panels = self.weights[0].panels();
        // One row beyond the input, for the last row of the transposed convolution.
        let strips = (self.scaled.height + 1).div_ceil(STRIP);
        frame.turn.run(strips * panels, &|task, _| {
            let (strip, panel) = (task / panels, task % panels);
            frame.isa.run(UpTask { stage, panel, first: strip * STRIP });
        });
        let (out, epilogue) = (frame.map(self.layer.out), frame.epilogue(&self.epilogue, &self.layer));
        frame.turn.run(out.height, &|y, _| {
            frame.isa.run(Filter { from: &stage.transposed, out, epilogue, fir: stage.fir, y });
        });
    }
}

struct UpTask<'a> {
    stage: &'a Up,
    panel: usize,
    /// Row of the input.
    first: usize,
}

impl WithSimd for UpTask<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (from, to) = (&self.stage.scaled, &self.stage.transposed);
        for (parity, weight) in self.stage.weights.iter().enumerate() {
            let (odd_y, odd_x) = (parity / 2, parity % 2);
            // Even outputs look one sample back, and there is one more of them.
            let end = (self.first + STRIP).min(from.height + 1 - odd_y);
            let width = from.width + 1 - odd_x;
            let (back_y, back_x) = (odd_y as isize - 1, odd_x as isize - 1);
            let (row, step) = (from.row(), from.padded);
            let taps: &[usize] = match parity {
                0 => &[0, step, row, row + step],
                1 => &[0, row],
                2 => &[0, step],
                _ => &[0],
            };
            for y in self.first..end {
                let product = Product {
                    a: from.data.ptr(),
                    a_rows: Rows::line(from.at(y as isize + back_y, back_x), step),
                    taps,
                    b: weight,
                    panel: self.panel,
                    c: to.data.ptr(),
                    c_rows: Rows::line(to.at((2 * y + odd_y) as isize, odd_x as isize), 2 * to.padded),
                    count: width,
                };
                // SAFETY: the taps stay inside the map with its border; only this task writes its rows of its panel.
                unsafe { product.run(simd) };
            }
        }
    }
}

/// The FIR filter along y and x with the epilogue, for one row of the output.
pub struct Filter<'a> {
    pub from: &'a Map,
    pub out: &'a Map,
    pub epilogue: RowEpilogue,
    pub fir: Fir,
    pub y: usize,
}

impl WithSimd for Filter<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Filter { from, out, epilogue, fir, y } = self;
        // Gain 2 on each axis.
        let mut f = [simd.splat_f32s(0.0); 4];
        for (f, tap) in f.iter_mut().zip(fir) {
            *f = simd.splat_f32s(2.0 * tap);
        }
        let (row, step) = (from.row(), from.padded);
        for channel in (0..out.padded).step_by(S::F32_LANES) {
            // SAFETY: rows y − 1 to y + 2 and columns −1 to W + 1 are inside the map of 2H + 1 rows with its border;
            // only this task writes its row of the output.
            unsafe {
                let vector = epilogue.vector(simd, channel);
                let top = from.ptr(y as isize - 1, -1).add(channel).cast_const();
                let to = out.ptr(y as isize, 0).add(channel);
                let mut a = column(simd, top, row, &f);
                let mut b = column(simd, top.add(step), row, &f);
                let mut c = column(simd, top.add(2 * step), row, &f);
                for x in 0..out.width {
                    let d = column(simd, top.add((x + 3) * step), row, &f);
                    let left = fma(simd, b, f[1], simd.mul_f32s(a, f[0]));
                    let sum = fma(simd, d, f[3], fma(simd, c, f[2], left));
                    let noise = simd.splat_f32s(epilogue.noise_at(y, x));
                    store::<S>(to.add(x * out.padded), vector.apply(simd, sum, noise));
                    (a, b, c) = (b, c, d);
                }
            }
        }
    }
}

/// The filter along y at one place: four samples, a row apart.
///
/// # Safety
/// They must be readable.
#[inline(always)]
unsafe fn column<S: Simd>(simd: S, at: *const f32, row: usize, f: &[S::f32s; 4]) -> S::f32s {
    // SAFETY: readable, as the caller guarantees.
    unsafe {
        let upper = fma(simd, load::<S>(at.add(row)), f[1], simd.mul_f32s(load::<S>(at), f[0]));
        let lower = fma(simd, load::<S>(at.add(3 * row)), f[3], simd.mul_f32s(load::<S>(at.add(2 * row)), f[2]));
        simd.add_f32s(upper, lower)
    }
}

/// Copies the learned constant, once.
pub struct Constant {
    pub out: usize,
    pub value: Floats,
    pub is_done: bool,
}

impl Stage for Constant {
    fn run(&mut self, frame: &Frame) {
        if !std::mem::replace(&mut self.is_done, true) {
            // SAFETY: nobody writes the constant.
            frame.map(self.out).write_planar(unsafe { self.value.as_slice() });
        }
    }
}
