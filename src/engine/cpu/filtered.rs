//! StyleGAN3 layers: a full convolution, then up-sampling, leaky ReLU and down-sampling, polyphase.
//!
//! Zeros are never multiplied: every sample between the filters is a sum of `taps / up` samples. Both filters run along
//! x and along y apart, radial ones as sums of a few that can, with whole vectors of channels. The map between the filters
//! exists one row at a time. 3x3 convolutions are Winograd's. All layers of a program share their scratch memory: they run one after another.

use std::sync::Arc;

use pulp::{Simd, WithSimd};

use super::memory::{Floats, Map};
use super::product::{Packed, Product, Rows};
use super::simd::{fma, load, store};
use super::winograd::full::{self, Full};
use super::{Frame, Stage};
use crate::engine::plan::{FilteredLayer, Op, Plan};
use crate::engine::radial::{self, Term};

/// Rows of pixels that one task convolves, at most.
const STRIP: usize = 4;
/// Largest sum of what the terms of a round filter may leave out; the filter's own sum is 1.
const MOST_LEFT_OUT: f64 = 1e-6;

/// Memory that the layers of one program share.
pub struct Scratch {
    /// s⊙input with its border, then the map that is up-sampled along x.
    even: Floats,
    /// The convolution, then the map that is down-sampled along x.
    odd: Floats,
    /// Tiles of Winograd's convolution before and after the products.
    tiles: (Floats, Floats),
    /// One row between the filters for each thread.
    rows: Vec<Floats>,
}

impl Scratch {
    /// Enough for every filtered layer of a checked plan.
    pub fn new(plan: &Plan, lanes: usize, threads: usize) -> Arc<Scratch> {
        let (mut even, mut odd, mut row, mut tiles) = (0, 0, 0, (0, 0));
        for step in &plan.steps {
            let Op::Filtered(op) = &step.op else { continue };
            let sizes = Sizes::new(plan, op, lanes);
            even = even.max(sizes.padded_height() * sizes.padded_width() * sizes.inputs);
            if sizes.kernel == 3 {
                let (input, output) = sizes.full().scratch();
                tiles = (tiles.0.max(input), tiles.1.max(output));
            }
            even = even.max(sizes.convolved.0 * sizes.between.1 * sizes.outputs);
            odd = odd.max(sizes.convolved.0 * sizes.convolved.1 * sizes.outputs);
            odd = odd.max(sizes.between.0 * sizes.kept_width * sizes.outputs);
            row = row.max(sizes.between.1 * sizes.outputs);
        }
        let rows = (0..threads).map(|_| Floats::new(row)).collect();
        let tiles = (Floats::new(tiles.0), Floats::new(tiles.1));
        Arc::new(Scratch { even: Floats::new(even), odd: Floats::new(odd), tiles, rows })
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
    /// Numbers along x, for each row between the filters, that the filter along y reads.
    kept_width: usize,
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
            kept_width: match Down::of(op) {
                Down::Separable(_) => out.width,
                Down::Radial(terms) => terms.len() * out.width,
                Down::Whole(_) => between(input.width),
            },
        }
    }

    fn padded_height(&self) -> usize {
        if self.kernel == 3 { full::padded(self.convolved.0) } else { self.input.0 }
    }

    fn padded_width(&self) -> usize {
        if self.kernel == 3 { full::padded(self.convolved.1) } else { self.input.1 }
    }

    /// Of the 3x3 convolution.
    fn full(&self) -> full::Sizes {
        full::Sizes { inputs: self.inputs, outputs: self.outputs, out: self.convolved }
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

/// The filter at the end, its taps in the order in which samples follow one another.
enum Down {
    Separable(Vec<f32>),
    Radial(Vec<Term>),
    /// `[taps, taps]`
    Whole(Vec<f32>),
}

impl Down {
    fn of(op: &FilteredLayer) -> Down {
        let filter = op.down_filter.iter().rev().copied().collect();
        if !op.radial {
            return Down::Separable(filter);
        }
        radial::terms(&op.down_filter, op.down_taps(), MOST_LEFT_OUT).map_or(Down::Whole(filter), Down::Radial)
    }
}

/// The convolution of a layer.
enum Convolution {
    /// 1x1
    Pointwise(Packed),
    /// 3x3
    Full(Full),
}

/// A filtered layer, prepared.
pub struct Filtered {
    input: usize,
    out: usize,
    styled: usize,
    sizes: Sizes,
    convolution: Convolution,
    /// `[O]`, padded with zeros.
    bias: Floats,
    rows: Vec<Phase>,
    columns: Vec<Phase>,
    down_filter: Down,
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
        let convolution = match op.kernel {
            3 => Convolution::Full(Full::new(&op.weight, channels, op.bias.len(), lanes, sizes.full())),
            _ => {
                let at = |_, i: usize, o: usize| op.weight[o * channels + i];
                Convolution::Pointwise(Packed::new(1, channels, op.bias.len(), lanes, at))
            }
        };
        let mut bias = Floats::new(sizes.outputs);
        bias.as_mut_slice()[..op.bias.len()].copy_from_slice(&op.bias);
        Filtered {
            input: op.input.0,
            out: op.out.0,
            styled,
            sizes,
            convolution,
            bias,
            rows: phases(op, sizes.convolved.0, sizes.between.0),
            columns: phases(op, sizes.convolved.1, sizes.between.1),
            down_filter: Down::of(op),
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
        match &self.convolution {
            Convolution::Pointwise(weight) => {
                let panels = weight.panels();
                frame.turn.run(sizes.convolved.0.div_ceil(STRIP) * panels, &|task, _| {
                    let (first, panel) = (task / panels * STRIP, task % panels);
                    let rows = first..(first + STRIP).min(sizes.convolved.0);
                    frame.isa.run(Convolve { stage, weight, alpha: &styled.alpha, panel, rows });
                });
            }
            Convolution::Full(full) => {
                let Scratch { even, odd, tiles: (input, output), .. } = &*self.scratch;
                let ends = full::Ends { from: even, to: odd, alpha: &styled.alpha, bias: &self.bias, input, output };
                full.run(frame, ends);
            }
        }
        frame.turn.run(sizes.convolved.0, &|y, _| frame.isa.run(UpX { stage, y }));
        frame.turn.run(sizes.between.0, &|y, thread| frame.isa.run(Between { stage, y, thread }));
        frame.turn.run(sizes.out.0, &|y, _| frame.isa.run(Lower { stage, out, y }));
    }
}

/// Vectors that are filtered together: their sums do not wait for one another.
const TOGETHER: usize = 4;

/// Adds `Σ_j weights[j]·from[j·step]` to `N` vectors that follow one another.
///
/// # Safety
/// All these vectors must be readable.
#[inline(always)]
unsafe fn weighted<S: Simd, const N: usize>(
    simd: S,
    mut sums: [S::f32s; N],
    from: *const f32,
    step: usize,
    weights: &[f32],
) -> [S::f32s; N] {
    for (j, weight) in weights.iter().enumerate() {
        let weight = simd.splat_f32s(*weight);
        for (n, sum) in sums.iter_mut().enumerate() {
            // SAFETY: readable, says the caller.
            *sum = fma(simd, unsafe { load::<S>(from.add(j * step + n * S::F32_LANES)) }, weight, *sum);
        }
    }
    sums
}

/// `to[i] = Σ_j weights[j]·from[j·step + i]` for `count` numbers, whole vectors.
///
/// # Safety
/// All these numbers must be readable and writable.
#[inline(always)]
unsafe fn filter<S: Simd>(simd: S, from: *const f32, step: usize, weights: &[f32], to: *mut f32, count: usize) {
    let zero = simd.splat_f32s(0.0);
    let mut i = 0;
    // SAFETY: inside, says the caller.
    unsafe {
        while i + TOGETHER * S::F32_LANES <= count {
            let sums = weighted::<S, TOGETHER>(simd, [zero; TOGETHER], from.add(i), step, weights);
            for (n, sum) in sums.into_iter().enumerate() {
                store::<S>(to.add(i + n * S::F32_LANES), sum);
            }
            i += TOGETHER * S::F32_LANES;
        }
        while i < count {
            let [sum] = weighted::<S, 1>(simd, [zero], from.add(i), step, weights);
            store::<S>(to.add(i), sum);
            i += S::F32_LANES;
        }
    }
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
    weight: &'a Packed,
    alpha: &'a Floats,
    panel: usize,
    rows: std::ops::Range<usize>,
}

impl WithSimd for Convolve<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Convolve { stage: Filtered { sizes, scratch, bias, .. }, weight, alpha, panel, rows } = self;
        let row = sizes.padded_width() * sizes.inputs;
        let (width, step) = (sizes.convolved.1, sizes.outputs);
        let first = rows.start * width * step;
        let product = Product {
            a: scratch.even.ptr(),
            a_rows: Rows { start: rows.start * row, width, row, step: sizes.inputs },
            taps: &[0],
            b: weight,
            panel,
            c: scratch.odd.ptr(),
            c_rows: Rows::line(first, step),
            count: rows.len() * width,
        };
        // SAFETY: both maps have the same size; this task alone writes its rows of its panel.
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
                let (from, to) = (from.add(phase.first * channels), to.add(x * channels));
                filter(simd, from, channels, &phase.weights, to, channels);
            }
        }
    }
}

/// One row between the filters: up-sampled along y, activated, and down-sampled along x where the filter allows it, from
/// `even` into `odd`.
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
            let kept = scratch.odd.ptr().add(self.y * sizes.kept_width * channels);
            let is_whole = matches!(stage.down_filter, Down::Whole(_));
            let active = if is_whole { kept } else { scratch.rows[self.thread].ptr() };
            let from = scratch.even.ptr().add(phase.first * row);
            filter(simd, from, row, &phase.weights, active, row);
            for v in (0..row).step_by(S::F32_LANES) {
                let y = load::<S>(active.add(v));
                // Slopes are at most 1, so the larger of the two is the leaky ReLU.
                let y = simd.max_f32s(simd.mul_f32s(y, gain), simd.mul_f32s(y, slope));
                store::<S>(active.add(v), simd.min_f32s(simd.max_f32s(y, low), high));
            }
            match &stage.down_filter {
                Down::Whole(_) => {}
                Down::Separable(taps) => {
                    for x in 0..sizes.out.1 {
                        let (from, to) = (active.add(x * stage.down * channels), kept.add(x * channels));
                        filter(simd, from, channels, taps, to, channels);
                    }
                }
                Down::Radial(terms) => {
                    for x in 0..sizes.out.1 {
                        let (from, to) = (active.add(x * stage.down * channels), kept.add(x * channels));
                        along_x(simd, from, channels, terms, to, sizes.out.1 * channels);
                    }
                }
            }
        }
    }
}

/// One sample of each term's map: all channels, the terms' maps `stride` apart. Mirrored samples are added first, once for
/// all terms.
///
/// # Safety
/// As many samples as the filter has taps must be readable, and the terms' samples writable.
#[inline(always)]
unsafe fn along_x<S: Simd>(simd: S, from: *const f32, channels: usize, terms: &[Term], to: *mut f32, stride: usize) {
    /// Half of the taps that are held in registers.
    const HALF: usize = 6;
    let zero = simd.splat_f32s(0.0);
    for v in (0..channels).step_by(S::F32_LANES) {
        let half = terms[0].along_x.len();
        // SAFETY: inside, says the caller.
        unsafe {
            for start in (0..half).step_by(HALF) {
                let mut pairs = [zero; HALF];
                let count = HALF.min(half - start);
                for (j, pair) in pairs.iter_mut().enumerate().take(count) {
                    let (left, right) = (start + j, 2 * half - 1 - start - j);
                    let sample = |j: usize| from.add(j * channels + v);
                    *pair = simd.add_f32s(load::<S>(sample(left)), load::<S>(sample(right)));
                }
                for (t, term) in terms.iter().enumerate() {
                    let to = to.add(t * stride + v);
                    let mut sum = if start == 0 { zero } else { load::<S>(to) };
                    for (j, pair) in pairs.iter().enumerate().take(count) {
                        sum = fma(simd, *pair, simd.splat_f32s(term.along_x[start + j]), sum);
                    }
                    store::<S>(to, sum);
                }
            }
        }
    }
}

/// One row of the output from the rows in `odd`.
struct Lower<'a> {
    stage: &'a Filtered,
    out: &'a Map,
    y: usize,
}

impl WithSimd for Lower<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Lower { stage, out, y } = self;
        let Filtered { sizes, scratch, .. } = stage;
        let (channels, row) = (sizes.outputs, sizes.kept_width * sizes.outputs);
        let (gain, zero) = (simd.splat_f32s(stage.output_gain), simd.splat_f32s(0.0));
        // SAFETY: the filter reaches to the last row between the filters at most; this task alone writes its row.
        unsafe {
            let from = scratch.odd.ptr().add(y * stage.down * row).cast_const();
            let to = out.ptr(y as isize, 0);
            let count = sizes.out.1 * channels;
            for i in (0..count).step_by(S::F32_LANES) {
                let mut sum = [zero];
                match &stage.down_filter {
                    Down::Separable(taps) => sum = weighted(simd, sum, from.add(i), row, taps),
                    Down::Radial(terms) => {
                        for (t, term) in terms.iter().enumerate() {
                            sum = weighted(simd, sum, from.add(t * count + i), row, &term.along_y);
                        }
                    }
                    Down::Whole(taps) => {
                        let from = from.add(i / channels * stage.down * channels + i % channels);
                        for (line, taps) in taps.chunks_exact(stage.down_taps).enumerate() {
                            sum = weighted(simd, sum, from.add(line * row), channels, taps);
                        }
                    }
                }
                store::<S>(to.add(i), simd.mul_f32s(sum[0], gain));
            }
        }
    }
}
