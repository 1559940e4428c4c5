//! StyleGAN3 layers: a full convolution, then up-sampling, leaky ReLU and down-sampling, polyphase.
//!
//! Zeros are never multiplied: every sample between the filters is a sum of `taps / up` samples. Both filters run along
//! x and along y apart (radial ones cannot), with whole vectors of channels. The map between the filters exists one
//! row at a time. All layers of a program share their scratch memory: they run one after another.

use std::sync::Arc;

use pulp::{Simd, WithSimd};

use super::memory::{Floats, Map};
use super::product::{Packed, Product, Rows};
use super::simd::{fma, load, store};
use super::{Frame, Stage};
use crate::engine::plan::{FilteredLayer, Op, Plan};

/// Rows of pixels that one task convolves, at most.
const STRIP: usize = 4;

/// Memory that the layers of one program share.
pub struct Scratch {
    /// s⊙input with its border, then the map that is up-sampled along x.
    even: Floats,
    /// The convolution, then the map that is down-sampled along x.
    odd: Floats,
    /// One row between the filters for each thread.
    rows: Vec<Floats>,
}

impl Scratch {
    /// Enough for every filtered layer of a checked plan.
    pub fn new(plan: &Plan, lanes: usize, threads: usize) -> Arc<Scratch> {
        let (mut even, mut odd, mut row) = (0, 0, 0);
        for step in &plan.steps {
            let Op::Filtered(op) = &step.op else { continue };
            let sizes = Sizes::new(plan, op, lanes);
            even = even.max(sizes.padded_height() * sizes.padded_width() * sizes.inputs);
            even = even.max(sizes.convolved.0 * sizes.between.1 * sizes.outputs);
            odd = odd.max(sizes.convolved.0 * sizes.convolved.1 * sizes.outputs);
            odd = odd.max(sizes.between.0 * sizes.kept_width() * sizes.outputs);
            row = row.max(sizes.between.1 * sizes.outputs);
        }
        let rows = (0..threads).map(|_| Floats::new(row)).collect();
        Arc::new(Scratch { even: Floats::new(even), odd: Floats::new(odd), rows })
    }
}

/// Heights and widths on the way through a layer; channels rounded up to whole vectors.
#[derive(Clone, Copy)]
struct Sizes {
    inputs: usize,
    outputs: usize,
    kernel: usize,
    input: (usize, usize),
    convolved: (usize, usize),
    between: (usize, usize),
    out: (usize, usize),
    radial: bool,
}

impl Sizes {
    fn new(plan: &Plan, op: &FilteredLayer, lanes: usize) -> Sizes {
        let (input, out) = (plan.get(op.input), plan.get(op.out));
        let between =
            |n| op.between(n).expect("`Plan::check` has seen to it that there is something between the filters");
        Sizes {
            inputs: input.channels.next_multiple_of(lanes),
            outputs: out.channels.next_multiple_of(lanes),
            kernel: op.kernel,
            input: (input.height, input.width),
            convolved: (op.convolved(input.height), op.convolved(input.width)),
            between: (between(input.height), between(input.width)),
            out: (out.height, out.width),
            radial: op.radial,
        }
    }

    fn padded_height(&self) -> usize {
        self.input.0 + 2 * (self.kernel - 1)
    }

    fn padded_width(&self) -> usize {
        self.input.1 + 2 * (self.kernel - 1)
    }

    /// Width of the map that the last filter reads.
    fn kept_width(&self) -> usize {
        if self.radial { self.between.1 } else { self.out.1 }
    }
}

/// The sum that makes one sample of an up-sampled axis: samples from `first` on, times weights.
struct Phase {
    first: usize,
    weights: Vec<f32>,
}

/// All samples of an up-sampled axis, polyphase: `t[n] = up·Σ_k f[k]·x[(n + K − 1 − k − before)/up]` over the k for which
/// the division is whole and the sample exists.
fn phases(op: &FilteredLayer, convolved: usize, between: usize) -> Vec<Phase> {
    let (up, taps) = (op.up as i64, op.up_filter.len() as i64);
    let phase = |n: usize| {
        let q = n as i64 + taps - 1 - op.padding[0];
        let mut terms: Vec<(usize, f32)> = (0..taps)
            .filter(|k| (q - k).rem_euclid(up) == 0)
            .map(|k| ((q - k).div_euclid(up), op.up as f32 * op.up_filter[k as usize]))
            .filter(|&(i, _)| (0..convolved as i64).contains(&i))
            .map(|(i, weight)| (i as usize, weight))
            .collect();
        terms.reverse();
        Phase { first: terms.first().map_or(0, |t| t.0), weights: terms.into_iter().map(|t| t.1).collect() }
    };
    (0..between).map(phase).collect()
}

/// A filtered layer, prepared.
pub struct Filtered {
    input: usize,
    out: usize,
    styled: usize,
    sizes: Sizes,
    weight: Packed,
    /// `[O]`, padded with zeros.
    bias: Floats,
    rows: Vec<Phase>,
    columns: Vec<Phase>,
    /// In the order in which samples follow one another.
    down_filter: Vec<f32>,
    down: usize,
    down_taps: usize,
    slope: f32,
    gain: f32,
    clamp: f32,
    output_gain: f32,
    scratch: Arc<Scratch>,
}

impl Filtered {
    pub fn new(plan: &Plan, op: &FilteredLayer, styled: usize, lanes: usize, scratch: Arc<Scratch>) -> Filtered {
        let sizes = Sizes::new(plan, op, lanes);
        let channels = plan.get(op.input).channels;
        let taps = op.kernel * op.kernel;
        let at = |tap: usize, i: usize, o: usize| op.weight[(o * channels + i) * taps + tap];
        let mut bias = Floats::new(sizes.outputs);
        bias.as_mut_slice()[..op.bias.len()].copy_from_slice(&op.bias);
        Filtered {
            input: op.input.0,
            out: op.out.0,
            styled,
            sizes,
            weight: Packed::new(taps, channels, op.bias.len(), lanes, at),
            bias,
            rows: phases(op, sizes.convolved.0, sizes.between.0),
            columns: phases(op, sizes.convolved.1, sizes.between.1),
            down_filter: op.down_filter.iter().rev().copied().collect(),
            down: op.down,
            down_taps: op.down_taps(),
            slope: op.slope,
            gain: op.gain,
            clamp: op.clamp.unwrap_or(f32::INFINITY),
            output_gain: op.output_gain,
            scratch,
        }
    }
}

impl Stage for Filtered {
    fn run(&mut self, frame: &Frame) {
        let (stage, sizes) = (&*self, self.sizes);
        let (input, out, styled) = (frame.map(self.input), frame.map(self.out), &frame.styles.layers[self.styled]);
        frame.turn.run(sizes.padded_height(), &|row, _| {
            frame.isa.run(Scale { stage, input, s: &styled.s, row });
        });
        let panels = self.weight.panels();
        frame.turn.run(sizes.convolved.0.div_ceil(STRIP) * panels, &|task, _| {
            let (first, panel) = (task / panels * STRIP, task % panels);
            let rows = first..(first + STRIP).min(sizes.convolved.0);
            frame.isa.run(Convolve { stage, alpha: &styled.alpha, panel, rows });
        });
        frame.turn.run(sizes.convolved.0, &|y, _| frame.isa.run(UpX { stage, y }));
        frame.turn.run(sizes.between.0, &|y, thread| frame.isa.run(Between { stage, y, thread }));
        frame.turn.run(sizes.out.0, &|y, _| frame.isa.run(Down { stage, out, y }));
    }
}

/// `Σ_j weights[j]·from[j·step]`, one vector.
///
/// # Safety
/// All these vectors must be readable.
#[inline(always)]
unsafe fn weighted<S: Simd>(simd: S, from: *const f32, step: usize, weights: &[f32]) -> S::f32s {
    let mut sum = simd.splat_f32s(0.0);
    for (j, weight) in weights.iter().enumerate() {
        // SAFETY: readable, says the caller.
        sum = fma(simd, unsafe { load::<S>(from.add(j * step)) }, simd.splat_f32s(*weight), sum);
    }
    sum
}

/// One row of s⊙input with its border of zeros, into `even`.
struct Scale<'a> {
    stage: &'a Filtered,
    input: &'a Map,
    s: &'a Floats,
    row: usize,
}

impl WithSimd for Scale<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Scale { stage: Filtered { sizes, scratch, .. }, input, s, row } = self;
        let (border, channels) = (sizes.kernel - 1, sizes.inputs);
        let inside = row >= border && row < border + sizes.input.0;
        // SAFETY: `even` has room for all padded rows; this task alone writes its row of it.
        unsafe {
            let to = scratch.even.ptr().add(row * sizes.padded_width() * channels);
            for x in 0..sizes.padded_width() {
                let to = to.add(x * channels);
                if !inside || x < border || x >= border + sizes.input.1 {
                    std::slice::from_raw_parts_mut(to, channels).fill(0.0);
                    continue;
                }
                let from = input.ptr((row - border) as isize, (x - border) as isize);
                for v in (0..channels).step_by(S::F32_LANES) {
                    let scaled = simd.mul_f32s(load::<S>(from.add(v)), load::<S>(s.ptr().add(v)));
                    store::<S>(to.add(v), scaled);
                }
            }
        }
    }
}

/// Rows of one panel of output channels: the product, demodulation and bias, from `even` into `odd`.
struct Convolve<'a> {
    stage: &'a Filtered,
    alpha: &'a Floats,
    panel: usize,
    rows: std::ops::Range<usize>,
}

impl WithSimd for Convolve<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Convolve { stage: Filtered { sizes, scratch, weight, bias, .. }, alpha, panel, rows } = self;
        let row = sizes.padded_width() * sizes.inputs;
        let mut taps = [0; 9];
        for (tap, offset) in taps.iter_mut().enumerate() {
            *offset = tap / sizes.kernel * row + tap % sizes.kernel * sizes.inputs;
        }
        let (width, step) = (sizes.convolved.1, sizes.outputs);
        let first = rows.start * width * step;
        let product = Product {
            a: scratch.even.ptr(),
            a_rows: Rows { start: rows.start * row, width, row, step: sizes.inputs },
            taps: &taps[..sizes.kernel * sizes.kernel],
            b: weight,
            panel,
            c: scratch.odd.ptr(),
            c_rows: Rows::line(first, step),
            count: rows.len() * width,
        };
        // SAFETY: the padded map is larger than the convolved one by the taps' reach; this task alone writes its rows of
        // its panel.
        unsafe {
            product.run(simd);
            let channel = weight.first_output(panel);
            for v in 0..weight.panel_vectors(panel) {
                let channel = channel + v * S::F32_LANES;
                let (alpha, bias) = (load::<S>(alpha.ptr().add(channel)), load::<S>(bias.ptr().add(channel)));
                for pixel in 0..product.count {
                    let at = scratch.odd.ptr().add(first + pixel * step + channel);
                    store::<S>(at, fma(simd, load::<S>(at), alpha, bias));
                }
            }
        }
    }
}

/// One row, up-sampled along x, from `odd` into `even`.
struct UpX<'a> {
    stage: &'a Filtered,
    y: usize,
}

impl WithSimd for UpX<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Filtered { sizes, scratch, columns, .. } = self.stage;
        let channels = sizes.outputs;
        // SAFETY: phases name samples of the row only; this task alone writes its row.
        unsafe {
            let from = scratch.odd.ptr().add(self.y * sizes.convolved.1 * channels);
            let to = scratch.even.ptr().add(self.y * sizes.between.1 * channels);
            for (x, phase) in columns.iter().enumerate() {
                for v in (0..channels).step_by(S::F32_LANES) {
                    let sum = weighted(simd, from.add(phase.first * channels + v), channels, &phase.weights);
                    store::<S>(to.add(x * channels + v), sum);
                }
            }
        }
    }
}

/// One row between the filters: up-sampled along y, activated, and (unless radial) down-sampled along x, from `even`
/// into `odd`.
struct Between<'a> {
    stage: &'a Filtered,
    y: usize,
    thread: usize,
}

impl WithSimd for Between<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let stage = self.stage;
        let Filtered { sizes, scratch, .. } = stage;
        let (channels, row) = (sizes.outputs, sizes.between.1 * sizes.outputs);
        let (slope, gain) = (simd.splat_f32s(stage.slope * stage.gain), simd.splat_f32s(stage.gain));
        let (low, high) = (simd.splat_f32s(-stage.clamp), simd.splat_f32s(stage.clamp));
        let phase = &stage.rows[self.y];
        // SAFETY: phases name rows that exist; this task alone writes its row of `odd`, and the thread its scratch row.
        unsafe {
            let kept = scratch.odd.ptr().add(self.y * sizes.kept_width() * channels);
            let active = if sizes.radial { kept } else { scratch.rows[self.thread].ptr() };
            let from = scratch.even.ptr().add(phase.first * row);
            for v in (0..row).step_by(S::F32_LANES) {
                let y = weighted(simd, from.add(v), row, &phase.weights);
                // Slopes are at most 1, so the larger of the two is the leaky ReLU.
                let y = simd.max_f32s(simd.mul_f32s(y, gain), simd.mul_f32s(y, slope));
                store::<S>(active.add(v), simd.min_f32s(simd.max_f32s(y, low), high));
            }
            if sizes.radial {
                return;
            }
            for x in 0..sizes.out.1 {
                for v in (0..channels).step_by(S::F32_LANES) {
                    let from = active.add(x * stage.down * channels + v);
                    store::<S>(kept.add(x * channels + v), weighted(simd, from, channels, &stage.down_filter));
                }
            }
        }
    }
}

/// One row of the output from the rows in `odd`.
struct Down<'a> {
    stage: &'a Filtered,
    out: &'a Map,
    y: usize,
}

impl WithSimd for Down<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Down { stage, out, y } = self;
        let Filtered { sizes, scratch, .. } = stage;
        let (channels, row) = (sizes.outputs, sizes.kept_width() * sizes.outputs);
        let gain = simd.splat_f32s(stage.output_gain);
        // SAFETY: the filter reaches to the last row between the filters at most; this task alone writes its row.
        unsafe {
            let from = scratch.odd.ptr().add(y * stage.down * row).cast_const();
            let to = out.ptr(y as isize, 0);
            for x in 0..sizes.out.1 {
                for v in (0..channels).step_by(S::F32_LANES) {
                    let sum = if sizes.radial {
                        let from = from.add(x * stage.down * channels + v);
                        let mut sum = simd.splat_f32s(0.0);
                        for (line, weights) in stage.down_filter.chunks_exact(stage.down_taps).enumerate() {
                            sum = simd.add_f32s(sum, weighted(simd, from.add(line * row), channels, weights));
                        }
                        sum
                    } else {
                        weighted(simd, from.add(x * channels + v), row, &stage.down_filter)
                    };
                    store::<S>(to.add(x * channels + v), simd.mul_f32s(sum, gain));
                }
            }
        }
    }
}
