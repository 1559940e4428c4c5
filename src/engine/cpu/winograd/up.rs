//! Convolutions that double the size, in tiles of 4x4 input pixels: 81 products instead of 144.
//!
//! The strided transposed convolution has four parities of outputs. Along one axis the even ones are a correlation with two
//! taps, `y[2i] = w₂·x[i−1] + w₀·x[i]`, which Winograd makes cheaper; the odd ones are `y[2i+1] = w₁·x[i]`.
//! The one even row and column beyond the last tile are computed directly. The FIR filter with the epilogue follows.

use std::sync::atomic::{AtomicUsize, Ordering};

use pulp::{Simd, WithSimd};

use super::super::epilogue::Epilogue;
use super::super::memory::{Floats, Map};
use super::super::product::{Packed, Product, Rows};
use super::super::simd::{load, store};
use super::super::synthesis::{Filter, Layer};
use super::super::{Frame, Stage};
use super::{KERNEL_2, Points, SHARED_WEIGHTS, TILE, Tiling};
use crate::engine::plan::{Fir, Plan, SynthesisLayer};

/// Products along one even axis.
const SIDE: usize = 5;
/// Products of the parities (even, even), (even, odd), (odd, even), (odd, odd), one after another.
const EVEN_EVEN: usize = 0;
const EVEN_ODD: usize = SIDE * SIDE;
const ODD_EVEN: usize = EVEN_ODD + SIDE;
const ODD_ODD: usize = ODD_EVEN + SIDE;
const PRODUCTS: usize = ODD_ODD + 1;
/// Rows of all products for one tile.
const ROWS: usize = SIDE * SIDE + 2 * SIDE * TILE + TILE * TILE;
/// Gap between the matrices of two products, so that they do not map to the same cache lines.
const GAP: usize = 16;
/// Rows of the output that one task filters.
const FILTER_ROWS: usize = 4;

/// The kernel indices of the two taps of an even axis.
const EVEN_TAPS: [usize; 2] = [2, 0];

/// An up-sampling 3x3 convolution layer.
pub struct Up {
    layer: Layer,
    epilogue: Epilogue,
    weights: Vec<Packed>,
    edges: Edges,
    fir: Fir,
    tiling: Tiling,
    /// Reads the weights once for all tiles, in three stages, instead of once per run of tiles.
    is_shared: bool,
    /// One per thread, or one for all.
    scratch: Vec<Scratch>,
    /// For each row of tiles, how many of the runs that its filtering needs are finished.
    finished: Vec<AtomicUsize>,
    /// `[2H + 1, 2W + 1]`: the transposed convolution.
    transposed: Map,
}

/// Transformed input and products of some tiles, and where each product starts in them.
struct Scratch {
    input: Floats,
    output: Floats,
    input_start: [usize; PRODUCTS],
    output_start: [usize; PRODUCTS],
    tiles: usize,
}

impl Scratch {
    fn new(tiles: usize, inputs: usize, outputs: usize) -> Scratch {
        let starts = |channels: usize| {
            let (mut starts, mut at) = ([0; PRODUCTS], 0);
            for (product, start) in starts.iter_mut().enumerate() {
                *start = at;
                at += rows_per_tile(product) * tiles * channels + GAP;
            }
            (starts, at)
        };
        let ((input_start, input_len), (output_start, output_len)) = (starts(inputs), starts(outputs));
        let (input, output) = (Floats::new(input_len), Floats::new(output_len));
        Scratch { input, output, input_start, output_start, tiles }
    }
}

/// Rows of a product for each tile.
#[inline(always)]
fn rows_per_tile(product: usize) -> usize {
    match product {
        ODD_ODD => TILE * TILE,
        EVEN_ODD.. => TILE,
        _ => 1,
    }
}

/// The last row and column of the transposed convolution.
struct Edges {
    /// s⊙x of the last row and of the last column, with a zero at both ends.
    row: Floats,
    column: Floats,
    /// Even and odd outputs along the last row, and along the last column.
    row_weights: [Packed; 2],
    column_weights: [Packed; 2],
}

impl Up {
    /// Whether a layer of this size can be split into tiles.
    pub fn suits(op: &SynthesisLayer, plan: &Plan) -> bool {
        let input = plan.get(op.input);
        op.up && input.height >= 16 && input.height.is_multiple_of(TILE) && input.width.is_multiple_of(TILE)
    }

    pub fn new(plan: &Plan, op: &SynthesisLayer, layer: Layer, lanes: usize, threads: usize) -> Up {
        let (input, out) = (plan.get(op.input), plan.get(op.out));
        let at = |o: usize, i: usize, y: usize, x: usize| op.weight[(o * input.channels + i) * 9 + y * 3 + x];
        let value = |product: usize, _, i: usize, o: usize| {
            transformed_weight(product, |y, x| f64::from(at(o, i, y, x))) as f32
        };
        let edge = |taps: usize, kernel: fn(usize) -> (usize, usize)| {
            Packed::new(taps, input.channels, out.channels, lanes, |tap, i, o| at(o, i, kernel(tap).0, kernel(tap).1))
        };
        let (inputs, outputs) = (input.channels.next_multiple_of(lanes), out.channels.next_multiple_of(lanes));
        let edges = Edges {
            row: Floats::new((input.width + 2) * inputs),
            column: Floats::new((input.height + 2) * inputs),
            row_weights: [edge(2, |tap| (2, EVEN_TAPS[tap])), edge(1, |_| (2, 1))],
            column_weights: [edge(2, |tap| (EVEN_TAPS[tap], 2)), edge(1, |_| (1, 2))],
        };
        let mut tiling = Tiling::new(input.height, input.width, ROWS * (inputs + outputs));
        let is_shared = PRODUCTS * inputs * outputs > SHARED_WEIGHTS || tiling.runs() < 8;
        let (tiles, copies) = if is_shared {
            tiling.run = tiling.tiles_x;
            (tiling.tiles_x * tiling.tiles_y, 1)
        } else {
            (tiling.run, threads)
        };
        Up {
            layer,
            epilogue: Epilogue::new(op, lanes),
            weights: Packed::several(PRODUCTS, [1, input.channels, out.channels], lanes, value),
            edges,
            fir: op.fir,
            tiling,
            is_shared,
            scratch: (0..copies).map(|_| Scratch::new(tiles, inputs, outputs)).collect(),
            finished: (0..tiling.tiles_y).map(|_| AtomicUsize::new(0)).collect(),
            transposed: Map::new(out.channels, 2 * input.height + 1, 2 * input.width + 1, lanes),
        }
    }
}

/// The weight of a product, from the kernel `w(y, x)`.
fn transformed_weight(product: usize, w: impl Fn(usize, usize) -> f64) -> f64 {
    let along_x = |y: usize, g: [f64; 2]| g[0] * w(y, EVEN_TAPS[0]) + g[1] * w(y, EVEN_TAPS[1]);
    let along_y = |x: usize, g: [f64; 2]| g[0] * w(EVEN_TAPS[0], x) + g[1] * w(EVEN_TAPS[1], x);
    match product {
        ODD_ODD => w(1, 1),
        ODD_EVEN.. => along_x(1, KERNEL_2[product - ODD_EVEN]),
        EVEN_ODD.. => along_y(1, KERNEL_2[product - EVEN_ODD]),
        _ => {
            let (gy, gx) = (KERNEL_2[product / SIDE], KERNEL_2[product % SIDE]);
            gy[0] * along_x(EVEN_TAPS[0], gx) + gy[1] * along_x(EVEN_TAPS[1], gx)
        }
    }
}

impl Stage for Up {
    fn run(&mut self, frame: &Frame) {
        let (from, out) = (frame.map(self.layer.input), frame.map(self.layer.out));
        let s = &frame.styles.layers[self.layer.styled].s;
        let (stage, tiling) = (&*self, self.tiling);
        frame.isa.run(ScaleEdges { from, s, edges: &stage.edges });
        let part = |run: usize, thread: usize| {
            let (tile_y, tile_x) = tiling.place(run);
            // In shared scratch memory each run has its own tiles.
            let (scratch, first) = if stage.is_shared { (0, run * tiling.run) } else { (thread, 0) };
            Part {
                from,
                to: &stage.transposed,
                s,
                scratch: &stage.scratch[scratch],
                tile_y,
                tile_x,
                tiles: tiling.run,
                first,
            }
        };
        let panels = stage.weights[0].panels();
        let epilogue = frame.epilogue(&self.epilogue, &self.layer);
        let filter = |rows: std::ops::Range<usize>| {
            for y in rows.start..rows.end.min(out.height) {
                frame.isa.run(Filter { from: &stage.transposed, out, epilogue, fir: stage.fir, y });
            }
        };
        let edge = |task: usize| frame.isa.run(EdgeTask { stage, from, panel: task / 2, is_column: task % 2 == 1 });
        if stage.is_shared {
            frame.turn.run(tiling.runs(), &|run, _| frame.isa.run(Input(part(run, 0))));
            // The products with the most rows first.
            frame.turn.run((PRODUCTS + 2) * panels, &|task, _| {
                let (product, panel) = (PRODUCTS + 1 - task / panels, task % panels);
                if product >= PRODUCTS {
                    return edge((product - PRODUCTS) * panels + panel);
                }
                let (inputs, weight) = (from.padded, &stage.weights[product]);
                let (scratch, to) = (&stage.scratch[0], &stage.transposed);
                frame.isa.run(Multiply { scratch, inputs, to, weight, product, panel });
            });
            frame.turn.run(tiling.runs(), &|run, _| frame.isa.run(Output(part(run, 0))));
            let strips = out.height.div_ceil(FILTER_ROWS);
            frame.turn.run(strips, &|strip, _| filter(strip * FILTER_ROWS..(strip + 1) * FILTER_ROWS));
            return;
        }
        frame.turn.run(2 * panels, &|task, _| edge(task));
        stage.finished.iter().for_each(|count| count.store(0, Ordering::Relaxed));
        let per_row = tiling.tiles_x / tiling.run;
        frame.turn.run(tiling.runs(), &|run, thread| {
            let part = part(run, thread);
            frame.isa.run(Whole { part, weights: &stage.weights });
            // Rows are filtered while they are in the cache, by the thread that finishes the last run that they need.
            for row in part.tile_y.saturating_sub(1)..=part.tile_y {
                let needed = if row + 1 < tiling.tiles_y { 2 * per_row } else { per_row };
                if stage.finished[row].fetch_add(1, Ordering::AcqRel) + 1 == needed {
                    // Output row n reads rows n − 1 to n + 2; a row of tiles makes eight rows.
                    let first = if row == 0 { 0 } else { row * 2 * TILE + 1 };
                    filter(first..(row + 1) * 2 * TILE + 1);
                }
            }
        });
    }
}

/// Fills the edges' inputs.
struct ScaleEdges<'a> {
    from: &'a Map,
    s: &'a Floats,
    edges: &'a Edges,
}

impl WithSimd for ScaleEdges<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (from, padded) = (self.from, self.from.padded);
        let (last_y, last_x) = (from.height as isize - 1, from.width as isize - 1);
        for v in (0..padded).step_by(S::F32_LANES) {
            // SAFETY: inside the map; the edges have an extra sample at both ends. No other thread is running.
            unsafe {
                let s = load::<S>(self.s.ptr().add(v));
                for x in 0..from.width {
                    let value = simd.mul_f32s(load::<S>(from.ptr(last_y, x as isize).add(v)), s);
                    store::<S>(self.edges.row.ptr().add((x + 1) * padded + v), value);
                }
                for y in 0..from.height {
                    let value = simd.mul_f32s(load::<S>(from.ptr(y as isize, last_x).add(v)), s);
                    store::<S>(self.edges.column.ptr().add((y + 1) * padded + v), value);
                }
            }
        }
    }
}

/// One panel of the last row or column.
struct EdgeTask<'a> {
    stage: &'a Up,
    from: &'a Map,
    panel: usize,
    is_column: bool,
}

impl WithSimd for EdgeTask<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (edges, to, step) = (&self.stage.edges, &self.stage.transposed, self.from.padded);
        let (a, weights, length, distance) = match self.is_column {
            true => (&edges.column, &edges.column_weights, self.from.height, to.row()),
            false => (&edges.row, &edges.row_weights, self.from.width, to.padded),
        };
        let (last_y, last_x) = ((to.height - 1) as isize, (to.width - 1) as isize);
        let start = if self.is_column { to.at(0, last_x) } else { to.at(last_y, 0) };
        // The corner belongs to the row.
        let evens = if self.is_column { length } else { length + 1 };
        for (odd, (weight, count)) in weights.iter().zip([evens, length]).enumerate() {
            let taps = [0, step];
            let product = Product {
                a: a.ptr(),
                // Even outputs begin with the zero before the first sample.
                a_rows: Rows::line(odd * step, step),
                taps: &taps[..2 - odd],
                b: weight,
                panel: self.panel,
                c: to.data.ptr(),
                c_rows: Rows::line(start + odd * distance, 2 * distance),
                count,
            };
            // SAFETY: the taps stay between the zeros at both ends; only this task writes this panel of this edge.
            unsafe { product.run(simd) };
        }
    }
}

/// A run of tiles.
#[derive(Clone, Copy)]
struct Part<'a> {
    from: &'a Map,
    to: &'a Map,
    s: &'a Floats,
    scratch: &'a Scratch,
    tile_y: usize,
    tile_x: usize,
    tiles: usize,
    /// The run's first tile in the scratch memory.
    first: usize,
}

/// Input, products and output of a run.
struct Whole<'a> {
    part: Part<'a>,
    weights: &'a [Packed],
}

struct Input<'a>(Part<'a>);

struct Output<'a>(Part<'a>);

/// One panel of one product.
struct Multiply<'a> {
    scratch: &'a Scratch,
    inputs: usize,
    to: &'a Map,
    weight: &'a Packed,
    product: usize,
    panel: usize,
}

impl WithSimd for Whole<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Part { scratch, from, to, .. } = self.part;
        Input(self.part).with_simd(simd);
        for (product, weight) in self.weights.iter().enumerate() {
            for panel in 0..weight.panels() {
                Multiply { scratch, inputs: from.padded, to, weight, product, panel }.with_simd(simd);
            }
        }
        Output(self.part).with_simd(simd);
    }
}

impl WithSimd for Multiply<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (scratch, product) = (self.scratch, self.product);
        let product = Product {
            a: scratch.input.ptr(),
            a_rows: Rows::line(scratch.input_start[product], self.inputs),
            taps: &[0],
            b: self.weight,
            panel: self.panel,
            c: scratch.output.ptr(),
            c_rows: Rows::line(scratch.output_start[product], self.to.padded),
            count: rows_per_tile(product) * scratch.tiles,
        };
        // SAFETY: rows are tiles of the scratch memory; only this task writes this panel of this product.
        unsafe { product.run(simd) };
    }
}

/// The rows of all products for one tile and one vector of channels.
#[derive(Clone, Copy)]
struct ProductRows<'a> {
    start: &'a [usize; PRODUCTS],
    memory: *mut f32,
    tile: usize,
    channels: usize,
}

impl ProductRows<'_> {
    /// Row `row` of the tile in a product.
    ///
    /// # Safety
    /// The tile must be inside the scratch memory.
    #[inline(always)]
    unsafe fn at(&self, product: usize, row: usize) -> *mut f32 {
        let row = self.tile * rows_per_tile(product) + row;
        // SAFETY: in bounds, as the caller guarantees.
        unsafe { self.memory.add(self.start[product] + row * self.channels) }
    }
}

impl WithSimd for Input<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Part { from, s, scratch, tile_y, tile_x, tiles, first, .. } = self.0;
        let points = Points::new(simd);
        let (row, step, channels) = (from.row(), from.padded, from.padded);
        let start = &scratch.input_start;
        for tile in 0..tiles {
            for v in (0..channels).step_by(S::F32_LANES) {
                // SAFETY: a tile reads one sample before itself, which is in the map's border at the most; the run's
                // tiles of the scratch memory belong to this task alone.
                unsafe {
                    let at = from
                        .ptr((tile_y * TILE) as isize - 1, ((tile_x + tile) * TILE) as isize - 1)
                        .add(v)
                        .cast_const();
                    let style = load::<S>(s.ptr().add(v));
                    let rows = ProductRows { start, memory: scratch.input.ptr().add(v), tile: first + tile, channels };
                    let mut columns = [[style; SIDE]; SIDE];
                    let mut samples = [[style; SIDE]; SIDE];
                    for x in 0..SIDE {
                        let mut column = [style; SIDE];
                        for y in 0..SIDE {
                            column[y] = simd.mul_f32s(load::<S>(at.add(y * row + x * step)), style);
                            samples[y][x] = column[y];
                        }
                        columns[x] = points.input_2(simd, column);
                    }
                    for y in 0..SIDE {
                        let line = points
                            .input_2(simd, [columns[0][y], columns[1][y], columns[2][y], columns[3][y], columns[4][y]]);
                        for x in 0..SIDE {
                            store::<S>(rows.at(EVEN_EVEN + y * SIDE + x, 0), line[x]);
                        }
                        for x in 0..TILE {
                            store::<S>(rows.at(EVEN_ODD + y, x), columns[x + 1][y]);
                        }
                    }
                    for y in 0..TILE {
                        let line = points.input_2(simd, samples[y + 1]);
                        for x in 0..SIDE {
                            store::<S>(rows.at(ODD_EVEN + x, y), line[x]);
                        }
                        for x in 0..TILE {
                            store::<S>(rows.at(ODD_ODD, y * TILE + x), samples[y + 1][x + 1]);
                        }
                    }
                }
            }
        }
    }
}

impl WithSimd for Output<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Part { to, scratch, tile_y, tile_x, tiles, first, .. } = self.0;
        let points = Points::new(simd);
        let (row, step, channels) = (to.row(), to.padded, to.padded);
        let start = &scratch.output_start;
        for tile in 0..tiles {
            for v in (0..channels).step_by(S::F32_LANES) {
                // SAFETY: the run's tiles of the scratch memory and of the output belong to this task alone.
                unsafe {
                    let rows = ProductRows { start, memory: scratch.output.ptr().add(v), tile: first + tile, channels };
                    let at = to.ptr((tile_y * 2 * TILE) as isize, ((tile_x + tile) * 2 * TILE) as isize).add(v);
                    let zero = simd.splat_f32s(0.0);
                    let mut columns = [[zero; TILE]; SIDE];
                    for x in 0..SIDE {
                        let mut column = [zero; SIDE];
                        for y in 0..SIDE {
                            column[y] = load::<S>(rows.at(EVEN_EVEN + y * SIDE + x, 0));
                        }
                        columns[x] = points.output_2(simd, column);
                    }
                    for y in 0..TILE {
                        let line = points.output_2(
                            simd,
                            [columns[0][y], columns[1][y], columns[2][y], columns[3][y], columns[4][y]],
                        );
                        for x in 0..TILE {
                            store::<S>(at.add(2 * y * row + 2 * x * step), line[x]);
                        }
                    }
                    for x in 0..TILE {
                        let mut column = [zero; SIDE];
                        for y in 0..SIDE {
                            column[y] = load::<S>(rows.at(EVEN_ODD + y, x));
                        }
                        let column = points.output_2(simd, column);
                        for y in 0..TILE {
                            store::<S>(at.add(2 * y * row + (2 * x + 1) * step), column[y]);
                        }
                    }
                    for y in 0..TILE {
                        let mut line = [zero; SIDE];
                        for x in 0..SIDE {
                            line[x] = load::<S>(rows.at(ODD_EVEN + x, y));
                        }
                        let line = points.output_2(simd, line);
                        for x in 0..TILE {
                            store::<S>(at.add((2 * y + 1) * row + 2 * x * step), line[x]);
                            let odd = load::<S>(rows.at(ODD_ODD, y * TILE + x));
                            store::<S>(at.add((2 * y + 1) * row + (2 * x + 1) * step), odd);
                        }
                    }
                }
            }
        }
    }
}
