//! Operations specific to FastGAN: a map computed from one w, gated linear units, and gates for a large map computed from a
//! small one.

use pulp::{Simd, WithSimd};

use super::memory::{Floats, Map};
use super::norm::signed_sigmoid;
use super::styles::{Dot, Matrix};
use super::{Frame, Stage};
use crate::engine::plan::{self, Gates as Op, Gating, Plan};

/// Matrix rows per task.
const ROWS: usize = 32;
const CELLS: usize = Op::GRID * Op::GRID;

/// Writes the style of a layer as a map.
pub struct Latent {
    pub out: usize,
    pub styled: usize,
}

impl Stage for Latent {
    fn run(&mut self, frame: &Frame) {
        let out = frame.map(self.out);
        // SAFETY: the styles are finished.
        let values = unsafe { frame.styles.layers[self.styled].s.as_slice() };
        out.write_planar(&values[..out.channels * out.height * out.width]);
    }
}

/// Scale and shift, and the operations after them.
pub struct Gated {
    input: usize,
    out: usize,
    styled: usize,
    gates: Option<usize>,
    gating: Gating,
    channels: usize,
}

impl Gated {
    pub fn new(plan: &Plan, op: &plan::Gated, styled: usize) -> Gated {
        let (channels, gates) = (plan.get(op.out).channels, op.gates.map(|id| id.0));
        Gated { input: op.input.0, out: op.out.0, styled, gates, gating: op.gating, channels }
    }
}

impl Stage for Gated {
    fn run(&mut self, frame: &Frame) {
        let (input, out) = (frame.map(self.input), frame.map(self.out));
        // SAFETY: the styles are finished.
        let style = unsafe { frame.styles.layers[self.styled].s.as_slice() };
        let (scale, shift) = style[..2 * input.channels].split_at(input.channels);
        // SAFETY: one sample, finished by an earlier stage.
        let gates = self.gates.map(|id| unsafe { std::slice::from_raw_parts(frame.map(id).ptr(0, 0), self.channels) });
        let gating = self.gating;
        frame.turn.run(out.height, &|y, _| frame.isa.run(Row { input, out, scale, shift, gates, gating, y }));
    }
}

struct Row<'a> {
    input: &'a Map,
    out: &'a Map,
    scale: &'a [f32],
    shift: &'a [f32],
    gates: Option<&'a [f32]>,
    gating: Gating,
    y: usize,
}

impl WithSimd for Row<'_> {
    type Output = ();
    // Plain loops over channels, which the compiler vectorises for the instruction set they are inlined into.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Row { input, out, scale, shift, gates, gating, y } = self;
        for x in 0..out.width {
            // SAFETY: inside both maps; only this task writes its row, and an input is never the output.
            let (from, to) = unsafe {
                let (from, to) = (input.ptr(y as isize, x as isize), out.ptr(y as isize, x as isize));
                (
                    std::slice::from_raw_parts(from.cast_const(), input.channels),
                    std::slice::from_raw_parts_mut(to, out.channels),
                )
            };
            let normalised = from.iter().zip(scale).zip(shift).map(|((x, scale), shift)| x * scale + shift);
            match gating {
                Gating::Linear => to.iter_mut().zip(normalised).for_each(|(to, y)| *to = y),
                Gating::Tanh => to.iter_mut().zip(normalised).for_each(|(to, y)| *to = signed_sigmoid(2.0 * y)),
                Gating::Glu => {
                    let half = to.len();
                    let second = from[half..].iter().zip(&scale[half..]).zip(&shift[half..]);
                    let second = second.map(|((x, scale), shift)| x * scale + shift);
                    to.iter_mut().zip(normalised).zip(second).for_each(|((to, y), gate)| *to = y * sigmoid(gate));
                }
            }
            if let Some(gates) = gates {
                to.iter_mut().zip(gates).for_each(|(to, gate)| *to *= gate);
            }
        }
    }
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    0.5 + 0.5 * signed_sigmoid(x)
}

/// The gates of one large map.
pub struct Gates {
    input: usize,
    out: usize,
    /// `[C, S·16]` and `[C, C]`
    squeeze: Matrix,
    excite: Matrix,
    /// The averages `[S, 4, 4]` and the numbers between the two matrices, padded to whole vectors.
    averages: Floats,
    between: Floats,
}

impl Gates {
    pub fn new(plan: &Plan, op: &Op, lanes: usize) -> Gates {
        let (channels, inputs) = (plan.get(op.out).channels, plan.get(op.input).channels * CELLS);
        Gates {
            input: op.input.0,
            out: op.out.0,
            squeeze: Matrix::new(|o, i| op.squeeze[o * inputs + i], &[], channels, inputs, lanes),
            excite: Matrix::new(|o, i| op.excite[o * channels + i], &[], channels, channels, lanes),
            averages: Floats::new(inputs.next_multiple_of(lanes)),
            between: Floats::new(channels.next_multiple_of(lanes)),
        }
    }
}

impl Stage for Gates {
    fn run(&mut self, frame: &Frame) {
        let (input, out) = (frame.map(self.input), frame.map(self.out));
        average(input, self.averages.as_mut_slice());
        let (averages, between) = (&self.averages, &self.between);
        product(frame, &self.squeeze, averages, between.ptr(), |x| x * sigmoid(x));
        // SAFETY: the only sample of the map, which has room for all channels.
        product(frame, &self.excite, between, unsafe { out.ptr(0, 0) }, sigmoid);
    }
}

/// Means over the cells of the grid, `[channels, 4, 4]`.
fn average(map: &Map, out: &mut [f32]) {
    let (height, width) = (map.height / Op::GRID, map.width / Op::GRID);
    for (at, mean) in out.iter_mut().enumerate().take(map.channels * CELLS) {
        let (c, cell) = (at / CELLS, at % CELLS);
        let (first_y, first_x) = (cell / Op::GRID * height, cell % Op::GRID * width);
        let mut sum = 0.0;
        for y in first_y..first_y + height {
            for x in first_x..first_x + width {
                // SAFETY: inside the map, which an earlier stage finished.
                sum += unsafe { *map.ptr(y as isize, x as isize).add(c) };
            }
        }
        *mean = sum / (height * width) as f32;
    }
}

/// `out = f(matrix·x)`
fn product(frame: &Frame, matrix: &Matrix, x: &Floats, out: *mut f32, f: impl Fn(f32) -> f32 + Sync) {
    let out = out as usize;
    frame.turn.run(matrix.rows.div_ceil(ROWS), &|task, _| {
        for row in task * ROWS..matrix.rows.min((task + 1) * ROWS) {
            // SAFETY: rows have `stride` numbers, like `x`; every task writes different numbers.
            unsafe {
                let a = matrix.weight.ptr().add(row * matrix.stride);
                let dot = frame.isa.run(Dot { a, b: x.ptr(), len: matrix.stride });
                *(out as *mut f32).add(row) = f(dot);
            }
        }
    });
}
