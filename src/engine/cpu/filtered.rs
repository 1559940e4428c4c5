//! StyleGAN3 layers: a full convolution, then the filters around the leaky ReLU (`filtered/tile.rs`).
//!
//! 3x3 convolutions are Winograd's. All layers of a program share their scratch memory: they run one after another.

mod tile;

use std::sync::Arc;

use pulp::{Simd, WithSimd};

use super::memory::{Floats, Map};
use super::product::{Packed, Product, Rows};
use super::simd::{fma, load, store};
use super::winograd::full::{self, Full};
use super::{Frame, Stage};
use crate::engine::plan::{FilteredLayer, Op, Plan};
use tile::{Filters, Tile};

/// Maximum rows of pixels per task.
const STRIP: usize = 4;

/// Scratch memory shared by the layers of a program.
pub struct Scratch {
    /// s⊙input with its border.
    scaled: Floats,
    /// The result of the convolution.
    convolved: Floats,
    /// Tiles of Winograd's convolution before and after the products.
    tiles: (Floats, Floats),
    /// Per thread: the intermediate rows of its output tile.
    parts: Vec<Floats>,
}

impl Scratch {
    /// Enough for every filtered layer of a checked plan.
    pub fn new(plan: &Plan, lanes: usize, threads: usize) -> Arc<Scratch> {
        let (mut scaled, mut convolved, mut part, mut tiles) = (0, 0, 0, (0, 0));
        for step in &plan.steps {
            let Op::Filtered(op) = &step.op else { continue };
            let sizes = Sizes::new(plan, op, lanes);
            scaled = scaled.max(sizes.padded_height() * sizes.padded_width() * sizes.pixel);
            if sizes.kernel == 3 {
                let (input, output) = sizes.full().scratch();
                tiles = (tiles.0.max(input), tiles.1.max(output));
            }
            convolved = convolved.max(sizes.convolved.0 * sizes.convolved.1 * sizes.outputs);
            part = part.max(Filters::new(op, sizes.filters(plan, op, lanes)).scratch());
        }
        let parts = (0..threads).map(|_| Floats::new(part)).collect();
        let tiles = (Floats::new(tiles.0), Floats::new(tiles.1));
        Arc::new(Scratch { scaled: Floats::new(scaled), convolved: Floats::new(convolved), tiles, parts })
    }
}

/// Heights and widths on the way through a layer; channels rounded up to whole vectors.
#[derive(Clone, Copy)]
struct Sizes {
    inputs: usize,
    /// Numbers from one pixel of `scaled` to the next. A product reads a dozen neighbouring pixels, which evict one another
    /// from the L1 cache when they are whole pages apart; an odd number of vectors avoids that.
    pixel: usize,
    outputs: usize,
    kernel: usize,
    input: (usize, usize),
    convolved: (usize, usize),
}

impl Sizes {
    fn new(plan: &Plan, op: &FilteredLayer, lanes: usize) -> Sizes {
        let (input, out) = (plan.get(op.input), plan.get(op.out));
        let inputs = input.channels.next_multiple_of(lanes);
        Sizes {
            inputs,
            pixel: if op.kernel == 1 { ((inputs / lanes) | 1) * lanes } else { inputs },
            outputs: out.channels.next_multiple_of(lanes),
            kernel: op.kernel,
            input: (input.height, input.width),
            convolved: (op.convolved(input.height), op.convolved(input.width)),
        }
    }

    fn filters(&self, plan: &Plan, op: &FilteredLayer, lanes: usize) -> tile::Sizes {
        let between = |n| op.between(n).expect("`Plan::check` guarantees that there is something between the filters");
        let out = plan.get(op.out);
        tile::Sizes {
            convolved: self.convolved,
            between: (between(self.input.0), between(self.input.1)),
            out: (out.height, out.width),
            channels: self.outputs,
            lanes,
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
    filters: Filters,
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
            filters: Filters::new(op, sizes.filters(plan, op, lanes)),
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
                let Scratch { scaled, convolved, tiles: (input, output), .. } = &*self.scratch;
                let ends =
                    full::Ends { from: scaled, to: convolved, alpha: &styled.alpha, bias: &self.bias, input, output };
                full.run(frame, ends);
            }
        }
        let Scratch { convolved, parts, .. } = &*self.scratch;
        frame.turn.run(self.filters.tasks(), &|task, thread| {
            frame.isa.run(Tile { filters: &self.filters, task, from: convolved, to: out, scratch: &parts[thread] });
        });
    }
}

/// One row of s⊙input with its border of zeros, into `scaled`.
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
        // SAFETY: `scaled` has room for all padded rows; only this task writes its row of it.
        unsafe {
            let to = scratch.scaled.ptr().add(row * sizes.padded_width() * sizes.pixel);
            for x in 0..sizes.padded_width() {
                let to = to.add(x * sizes.pixel);
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

/// Rows of one panel of output channels: the product, demodulation and bias, from `scaled` into `convolved`.
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
        let row = sizes.padded_width() * sizes.pixel;
        let (width, step) = (sizes.convolved.1, sizes.outputs);
        let first = rows.start * width * step;
        let product = Product {
            a: scratch.scaled.ptr(),
            a_rows: Rows { start: rows.start * row, width, row, step: sizes.pixel },
            taps: &[0],
            b: weight,
            panel,
            c: scratch.convolved.ptr(),
            c_rows: Rows::line(first, step),
            count: rows.len() * width,
        };
        // SAFETY: both maps have the same size; only this task writes its rows of its panel.
        unsafe {
            product.run(simd);
            let channel = weight.first_output(panel);
            for v in 0..weight.panel_vectors(panel) {
                let channel = channel + v * S::F32_LANES;
                let (alpha, bias) = (load::<S>(alpha.ptr().add(channel)), load::<S>(bias.ptr().add(channel)));
                for pixel in 0..product.count {
                    let at = scratch.convolved.ptr().add(first + pixel * step + channel);
                    store::<S>(at, fma(simd, load::<S>(at), alpha, bias));
                }
            }
        }
    }
}
