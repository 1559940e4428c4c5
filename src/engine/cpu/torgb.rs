//! Colours: toRGB added to the picture so far, and the skip connection of the resnet architecture.
#![allow(clippy::needless_range_loop, reason = "plain indices become registers")]

use pulp::{Simd, WithSimd};

use super::memory::{Floats, Map, Planes};
use super::product::{Packed, Product, Rows};
use super::simd::{fma, load, store};
use super::{Frame, Stage};
use crate::engine::plan::{self, Fir, Plan};

/// Maximum number of colours, enforced by [`Plan::check`].
const MAX_COLOURS: usize = 4;

/// Weights of toRGB, and where its input and output are.
pub struct ToRgb {
    input: usize,
    picture: Option<usize>,
    out: usize,
    styled: usize,
    /// `[colours, padded channels]`
    weight: Floats,
    /// `weight·s` for this picture, in the same shape.
    scaled: Floats,
    bias: Vec<f32>,
    clamp: f32,
    fir: Fir,
}

impl ToRgb {
    pub fn new(plan: &Plan, op: &plan::ToRgb, styled: usize, lanes: usize) -> ToRgb {
        let channels = plan.get(op.input).channels;
        let padded = channels.next_multiple_of(lanes);
        let mut weight = Floats::new(op.bias.len() * padded);
        for (row, from) in weight.as_mut_slice().chunks_exact_mut(padded).zip(op.weight.chunks_exact(channels)) {
            row[..channels].copy_from_slice(from);
        }
        ToRgb {
            input: op.input.0,
            picture: op.picture.map(|id| id.0),
            out: op.out.0,
            styled,
            scaled: Floats::new(op.bias.len() * padded),
            weight,
            bias: op.bias.to_vec(),
            clamp: op.clamp.unwrap_or(f32::INFINITY),
            fir: op.fir,
        }
    }
}

impl Stage for ToRgb {
    fn run(&mut self, frame: &Frame) {
        let (input, out) = (frame.map(self.input), frame.planes(self.out));
        // SAFETY: the styles are finished.
        let s = unsafe { frame.styles.layers[self.styled].s.as_slice() };
        // SAFETY: nobody writes the weights.
        let weight = unsafe { self.weight.as_slice() };
        for (i, v) in self.scaled.as_mut_slice().iter_mut().enumerate() {
            *v = weight[i] * s[i % s.len()];
        }
        let stage = &*self;
        let picture = self.picture.map(|id| frame.planes(id));
        frame.turn.run(out.height, &|y, _| frame.isa.run(RgbRow { stage, input, picture, out, y }));
    }
}

struct RgbRow<'a> {
    stage: &'a ToRgb,
    input: &'a Map,
    picture: Option<&'a Planes>,
    out: &'a Planes,
    y: usize,
}

impl WithSimd for RgbRow<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let RgbRow { stage, picture, out, y, .. } = self;
        let colours = out.channels;
        debug_assert!(colours <= MAX_COLOURS);
        // SAFETY: the row is inside the map, and only this task writes its row of the picture.
        unsafe {
            match colours {
                1 => self.colours::<S, 1>(simd),
                2 => self.colours::<S, 2>(simd),
                3 => self.colours::<S, 3>(simd),
                _ => self.colours::<S, MAX_COLOURS>(simd),
            }
        }
        let Some(picture) = picture else { return };
        for colour in 0..colours {
            // SAFETY: as above.
            let row = unsafe {
                std::slice::from_raw_parts_mut(out.data.ptr().add((colour * out.height + y) * out.width), out.width)
            };
            match picture.width == out.width {
                true => add_row(row, picture, colour, y),
                false => add_upsampled(row, picture, colour, y, &stage.fir),
            }
        }
    }
}

impl RgbRow<'_> {
    /// The row's `C` colours, all in one pass over the map.
    ///
    /// # Safety
    /// The row must be inside the map and the picture, which nobody else writes there.
    #[inline(always)]
    unsafe fn colours<S: Simd, const C: usize>(&self, simd: S) {
        let RgbRow { stage, input, out, y, .. } = *self;
        let (padded, plane) = (input.padded, out.height * out.width);
        // SAFETY: inside the map, the weights and the picture, as the caller guarantees.
        unsafe {
            let (from, to) = (input.ptr(y as isize, 0), out.data.ptr().add(y * out.width));
            for x in 0..out.width {
                let mut sums = [simd.splat_f32s(0.0); C];
                for v in (0..padded).step_by(S::F32_LANES) {
                    let sample = load::<S>(from.add(x * padded + v));
                    for colour in 0..C {
                        let weight = load::<S>(stage.scaled.ptr().add(colour * padded + v));
                        sums[colour] = fma(simd, sample, weight, sums[colour]);
                    }
                }
                for colour in 0..C {
                    let sum = simd.reduce_sum_f32s(sums[colour]) + stage.bias[colour];
                    *to.add(colour * plane + x) = sum.clamp(-stage.clamp, stage.clamp);
                }
            }
        }
    }
}

/// Adds row `y` of a picture of the same size.
#[inline(always)]
fn add_row(row: &mut [f32], picture: &Planes, colour: usize, y: usize) {
    let start = (colour * picture.height + y) * picture.width;
    // SAFETY: inside the picture; it was finished by an earlier stage.
    let from = unsafe { &picture.data.as_slice()[start..start + picture.width] };
    row.iter_mut().zip(from).for_each(|(sum, x)| *sum += x);
}

/// Adds row `y` of the picture up-sampled by two: zeros inserted, filtered with gain 2 on each axis.
#[inline(always)]
fn add_upsampled(row: &mut [f32], picture: &Planes, colour: usize, y: usize, fir: &Fir) {
    let (width, height) = (picture.width, picture.height);
    let (first, upper, lower) = pair(y, fir);
    for (sample, weight) in [(first, upper), (first + 1, lower)] {
        if sample < 0 || sample >= height as isize {
            continue;
        }
        let start = (colour * height + sample as usize) * width;
        // SAFETY: inside the picture; it was finished by an earlier stage.
        let from = unsafe { &picture.data.as_slice()[start..start + width] };
        let (even_back, even, odd, odd_next) =
            (weight * 2.0 * fir[0], weight * 2.0 * fir[2], weight * 2.0 * fir[1], weight * 2.0 * fir[3]);
        let (pairs, _) = row.as_chunks_mut::<2>();
        for (x, pair) in pairs.iter_mut().enumerate() {
            let back = if x > 0 { from[x - 1] } else { 0.0 };
            let next = if x + 1 < width { from[x + 1] } else { 0.0 };
            pair[0] += even_back * back + even * from[x];
            pair[1] += odd * from[x] + odd_next * next;
        }
    }
}

/// `out = branch + upsample(weight·x)`
pub struct Residual {
    input: usize,
    branch: usize,
    out: usize,
    weight: Packed,
    fir: Fir,
    small: Map,
}

impl Residual {
    pub fn new(plan: &Plan, op: &plan::Residual, lanes: usize) -> Residual {
        let (input, out) = (plan.get(op.input), plan.get(op.out));
        let weight = Packed::new(1, input.channels, out.channels, lanes, |_, i, o| op.weight[o * input.channels + i]);
        Residual {
            input: op.input.0,
            branch: op.branch.0,
            out: op.out.0,
            weight,
            fir: op.fir,
            small: Map::new(out.channels, input.height, input.width, lanes),
        }
    }
}

impl Stage for Residual {
    fn run(&mut self, frame: &Frame) {
        let stage = &*self;
        let (input, small) = (frame.map(self.input), &self.small);
        frame.turn.run(input.height, &|y, _| frame.isa.run(SmallRow { input, small, weight: &stage.weight, y }));
        let (branch, out) = (frame.map(self.branch), frame.map(self.out));
        frame.turn.run(out.height, &|y, _| frame.isa.run(AddRow { small, branch, out, fir: stage.fir, y }));
    }
}

/// One row of the 1x1 convolution.
struct SmallRow<'a> {
    input: &'a Map,
    small: &'a Map,
    weight: &'a Packed,
    y: usize,
}

impl WithSimd for SmallRow<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (input, small, y) = (self.input, self.small, self.y as isize);
        for panel in 0..self.weight.panels() {
            let product = Product {
                a: input.data.ptr(),
                a_rows: Rows::line(input.at(y, 0), input.padded),
                taps: &[0],
                b: self.weight,
                panel,
                c: small.data.ptr(),
                c_rows: Rows::line(small.at(y, 0), small.padded),
                count: input.width,
            };
            // SAFETY: rows are inside the maps; only this task writes its row.
            unsafe { product.run(simd) };
        }
    }
}

/// One row of the sum.
struct AddRow<'a> {
    small: &'a Map,
    branch: &'a Map,
    out: &'a Map,
    fir: Fir,
    y: usize,
}

impl WithSimd for AddRow<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let AddRow { small, branch, out, fir, y } = self;
        let (top, upper, lower) = pair(y, &fir);
        let (upper, lower) = (simd.splat_f32s(upper), simd.splat_f32s(lower));
        for x in 0..out.width {
            let (left, first, second) = pair(x, &fir);
            let (first, second) = (simd.splat_f32s(first), simd.splat_f32s(second));
            // SAFETY: samples −1 to `height` and `width` are inside the map with its border; only this task writes
            // its row of the output.
            unsafe {
                let from = small.ptr(top, left).cast_const();
                let (row, step) = (small.row(), small.padded);
                let (add, to) = (branch.ptr(y as isize, x as isize).cast_const(), out.ptr(y as isize, x as isize));
                for v in (0..out.padded).step_by(S::F32_LANES) {
                    let at = from.add(v);
                    let a = fma(simd, load::<S>(at.add(row)), lower, simd.mul_f32s(load::<S>(at), upper));
                    let at = at.add(step);
                    let b = fma(simd, load::<S>(at.add(row)), lower, simd.mul_f32s(load::<S>(at), upper));
                    let sum = fma(simd, b, second, fma(simd, a, first, load::<S>(add.add(v))));
                    store::<S>(to.add(v), sum);
                }
            }
        }
    }
}

/// How up-sampling by two computes output `n`: the first of two neighbouring samples, and the factors of both.
#[inline(always)]
fn pair(n: usize, fir: &Fir) -> (isize, f32, f32) {
    match n % 2 {
        0 => (n as isize / 2 - 1, 2.0 * fir[0], 2.0 * fir[2]),
        _ => (n as isize / 2, 2.0 * fir[1], 2.0 * fir[3]),
    }
}
