//! Layers of style networks: padding, convolution, conditional instance normalisation.

use pulp::{Simd, WithSimd};

use super::memory::{Floats, Map};
use super::product::{Packed, Product, Rows};
use super::simd::{fma, load, store};
use super::{Frame, Stage};
use crate::engine::plan::{self, Activation, Plan};

/// A convolution with conditional instance normalisation.
pub struct NormConv {
    input: usize,
    out: usize,
    residual: Option<usize>,
    weight: Packed,
    taps: Vec<usize>,
    kernel: usize,
    stride: usize,
    up: usize,
    eps: f32,
    activation: Activation,
    /// `[styles, C]`
    gamma: Vec<f32>,
    beta: Vec<f32>,
    /// The enlarged input with its reflected border around it.
    padded: Map,
    /// `[H, 2, C]`: Σ y and Σ y² of each row of the output.
    sums: Floats,
    /// `[2, C]`: factor and offset that normalise.
    scale: Floats,
}

impl NormConv {
    pub fn new(plan: &Plan, op: &plan::NormConv, lanes: usize) -> NormConv {
        let (input, out) = (plan.get(op.input), plan.get(op.out));
        let taps = op.kernel * op.kernel;
        let at = |tap: usize, i: usize, o: usize| op.weight[(o * input.channels + i) * taps + tap];
        let weight = Packed::new(taps, input.channels, out.channels, lanes, at);
        // The map's own border is one sample; the rest of the reflection is inside.
        let size = |n: usize| n * op.up + op.kernel - 1;
        let padded = Map::new(input.channels, size(input.height), size(input.width), lanes);
        let offset = |tap: usize| tap / op.kernel * padded.row() + tap % op.kernel * padded.padded;
        let channels = out.channels.next_multiple_of(lanes);
        NormConv {
            input: op.input.0,
            out: op.out.0,
            residual: op.residual.map(|id| id.0),
            weight,
            taps: (0..taps).map(offset).collect(),
            kernel: op.kernel,
            stride: op.stride,
            up: op.up,
            eps: op.eps,
            activation: op.activation,
            gamma: op.gamma.to_vec(),
            beta: op.beta.to_vec(),
            padded,
            sums: Floats::new(out.height * 2 * channels),
            scale: Floats::new(2 * channels),
        }
    }

    /// Factor and offset of each channel from the sums of all rows.
    fn normalise(&mut self, out: &Map, styles: &[f32]) {
        let (c, count) = (out.padded, (out.height * out.width) as f64);
        // SAFETY: the rows are finished.
        let sums = unsafe { self.sums.as_slice() };
        let scale = self.scale.as_mut_slice();
        for channel in 0..out.channels {
            let total =
                |which: usize| sums.iter().skip(which * c + channel).step_by(2 * c).map(|v| f64::from(*v)).sum::<f64>();
            let mean = total(0) / count;
            let variance = (total(1) / count - mean * mean).max(0.0);
            let mix = |table: &[f32]| {
                let column = table.iter().skip(channel).step_by(out.channels);
                column.zip(styles).map(|(v, s)| v * s).sum::<f32>()
            };
            let factor = f64::from(mix(&self.gamma)) / (variance + f64::from(self.eps)).sqrt();
            scale[channel] = factor as f32;
            scale[c + channel] = (f64::from(mix(&self.beta)) - mean * factor) as f32;
        }
    }
}

impl Stage for NormConv {
    fn run(&mut self, frame: &Frame) {
        let (input, out) = (frame.map(self.input), frame.map(self.out));
        {
            let stage = &*self;
            frame.turn.run(self.padded.height, &|y, _| stage.reflect_row(input, y));
            frame.turn.run(out.height, &|y, _| frame.isa.run(ConvRow { stage, out, y }));
        }
        self.normalise(out, frame.inputs.styles);
        let stage = &*self;
        let residual = self.residual.map(|id| frame.map(id));
        frame.turn.run(out.height, &|y, _| frame.isa.run(NormRow { stage, residual, out, y }));
    }
}

/// The sample that reflection puts at `n − border` of `size` samples: … 2 1 | 0 1 2 … | size−2 …
fn reflected(n: usize, border: usize, size: usize) -> usize {
    let at = n.abs_diff(border);
    if at < size { at } else { 2 * (size - 1) - at }
}

impl NormConv {
    /// One row of the enlarged, padded input.
    fn reflect_row(&self, input: &Map, y: usize) {
        let border = self.kernel / 2;
        let from_y = reflected(y, border, input.height * self.up) / self.up;
        for x in 0..self.padded.width {
            let from_x = reflected(x, border, input.width * self.up) / self.up;
            // SAFETY: inside both maps, which have the same channels; this task alone writes its row.
            unsafe {
                let from = input.ptr(from_y as isize, from_x as isize);
                std::ptr::copy_nonoverlapping(from, self.padded.ptr(y as isize, x as isize), input.padded);
            }
        }
    }
}

/// One row of the convolution with its sums.
struct ConvRow<'a> {
    stage: &'a NormConv,
    out: &'a Map,
    y: usize,
}

impl WithSimd for ConvRow<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (stage, out, y) = (self.stage, self.out, self.y);
        let from = &stage.padded;
        for panel in 0..stage.weight.panels() {
            let product = Product {
                a: from.data.ptr(),
                a_rows: Rows::line(from.at((y * stage.stride) as isize, 0), stage.stride * from.padded),
                taps: &stage.taps,
                b: &stage.weight,
                panel,
                c: out.data.ptr(),
                c_rows: Rows::line(out.at(y as isize, 0), out.padded),
                count: out.width,
            };
            // SAFETY: the taps of the last pixel end with the padded map; this task alone writes its row.
            unsafe { product.run(simd) };
        }
        for v in (0..out.padded).step_by(S::F32_LANES) {
            // SAFETY: inside the row, and inside this row's sums.
            unsafe {
                let (mut sum, mut squares) = (simd.splat_f32s(0.0), simd.splat_f32s(0.0));
                for x in 0..out.width {
                    let value = load::<S>(out.ptr(y as isize, x as isize).add(v));
                    sum = simd.add_f32s(sum, value);
                    squares = fma(simd, value, value, squares);
                }
                let sums = stage.sums.ptr().add(y * 2 * out.padded + v);
                store::<S>(sums, sum);
                store::<S>(sums.add(out.padded), squares);
            }
        }
    }
}

/// One row of the normalisation with activation and residual.
struct NormRow<'a> {
    stage: &'a NormConv,
    residual: Option<&'a Map>,
    out: &'a Map,
    y: usize,
}

impl WithSimd for NormRow<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (stage, out, y) = (self.stage, self.out, self.y as isize);
        for v in (0..out.padded).step_by(S::F32_LANES) {
            // SAFETY: inside the maps; this task alone writes its row.
            unsafe {
                let factor = load::<S>(stage.scale.ptr().add(v));
                let offset = load::<S>(stage.scale.ptr().add(out.padded + v));
                for x in 0..out.width {
                    let to = out.ptr(y, x as isize).add(v);
                    let mut value = fma(simd, load::<S>(to), factor, offset);
                    if stage.activation == Activation::Relu {
                        value = simd.max_f32s(value, simd.splat_f32s(0.0));
                    }
                    if let Some(residual) = self.residual {
                        value = simd.add_f32s(value, load::<S>(residual.ptr(y, x as isize).add(v)));
                    }
                    store::<S>(to, value);
                }
            }
        }
        if stage.activation == Activation::SignedSigmoid {
            for x in 0..out.width {
                for c in 0..out.channels {
                    // SAFETY: as above. 2·sigmoid(v) − 1 = tanh(v/2).
                    unsafe {
                        let to = out.ptr(y, x as isize).add(c);
                        *to = (0.5 * *to).tanh();
                    }
                }
            }
        }
    }
}

/// Copies the content picture.
pub struct Picture {
    pub out: usize,
    pub gain: f32,
    pub offset: f32,
}

impl Stage for Picture {
    fn run(&mut self, frame: &Frame) {
        let (out, Some(image)) = (frame.map(self.out), frame.inputs.image) else { return };
        let plane = out.height * out.width;
        frame.turn.run(out.height, &|y, _| {
            for c in 0..out.channels {
                for (x, value) in image.data[c * plane + y * out.width..][..out.width].iter().enumerate() {
                    // SAFETY: inside the map; this task alone writes its row.
                    unsafe { *out.ptr(y as isize, x as isize).add(c) = value * self.gain + self.offset };
                }
            }
        });
    }
}
