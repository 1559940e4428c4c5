//! 3x3 convolutions that keep the size, in tiles of 4x4 pixels: 36 products instead of 144.

use pulp::{Simd, WithSimd};

use super::super::epilogue::{Epilogue, RowEpilogue};
use super::super::memory::{Floats, Map};
use super::super::product::{Packed, Product, Rows};
use super::super::simd::{load, store};
use super::super::synthesis::Layer;
use super::super::{Frame, Stage};
use super::{Points, SHARED_WEIGHTS, TILE, Tiling, weight_3};
use crate::engine::plan::{Plan, SynthesisLayer};

/// Products along one axis.
const SIDE: usize = 6;
const PRODUCTS: usize = SIDE * SIDE;
/// Gap between the matrices of two products, so that they do not map to the same cache lines.
const GAP: usize = 16;

/// A 3x3 convolution layer.
pub struct Same {
    layer: Layer,
    epilogue: Epilogue,
    weights: Vec<Packed>,
    tiling: Tiling,
    /// Reads the weights once for all tiles, in three stages, instead of once per run of tiles.
    is_shared: bool,
    /// Transformed input and products: one per thread, or one for all.
    scratch: Vec<Scratch>,
}

/// `[36, tiles, channels]` of input and output.
struct Scratch {
    input: Floats,
    output: Floats,
    /// Numbers from one product to the next.
    input_stride: usize,
    output_stride: usize,
}

impl Scratch {
    fn new(tiles: usize, inputs: usize, outputs: usize) -> Scratch {
        let (input_stride, output_stride) = (tiles * inputs + GAP, tiles * outputs + GAP);
        let (input, output) = (Floats::new(PRODUCTS * input_stride), Floats::new(PRODUCTS * output_stride));
        Scratch { input, output, input_stride, output_stride }
    }
}

impl Same {
    /// Whether a layer of this size can be split into tiles.
    pub fn suits(op: &SynthesisLayer, plan: &Plan) -> bool {
        let out = plan.get(op.out);
        op.kernel == 3
            && !op.up
            && out.height >= 16
            && out.height.is_multiple_of(TILE)
            && out.width.is_multiple_of(TILE)
    }

    pub fn new(plan: &Plan, op: &SynthesisLayer, layer: Layer, lanes: usize, threads: usize) -> Same {
        let (input, out) = (plan.get(op.input), plan.get(op.out));
        let weight = |i: usize, o: usize| &op.weight[(o * input.channels + i) * 9..][..9];
        let value = |product: usize, _, i: usize, o: usize| weight_3(product, weight(i, o));
        let (inputs, outputs) = (input.channels.next_multiple_of(lanes), out.channels.next_multiple_of(lanes));
        let mut tiling = Tiling::new(out.height, out.width, PRODUCTS * (inputs + outputs));
        let is_shared = PRODUCTS * inputs * outputs > SHARED_WEIGHTS || tiling.runs() < 8;
        let (tiles, copies) = if is_shared {
            tiling.run = tiling.tiles_x;
            (tiling.tiles_x * tiling.tiles_y, 1)
        } else {
            (tiling.run, threads)
        };
        Same {
            layer,
            epilogue: Epilogue::new(op, lanes),
            weights: Packed::several(PRODUCTS, [1, input.channels, out.channels], lanes, value),
            tiling,
            is_shared,
            scratch: (0..copies).map(|_| Scratch::new(tiles, inputs, outputs)).collect(),
        }
    }
}

impl Stage for Same {
    fn run(&mut self, frame: &Frame) {
        let (from, out) = (frame.map(self.layer.input), frame.map(self.layer.out));
        let s = &frame.styles.layers[self.layer.styled].s;
        let epilogue = frame.epilogue(&self.epilogue, &self.layer);
        let (stage, tiling) = (&*self, self.tiling);
        let part = |run: usize, scratch: usize| {
            let (tile_y, tile_x) = tiling.place(run);
            // In shared scratch memory each run has its own tiles.
            let first = if stage.is_shared { run * tiling.run } else { 0 };
            Part { from, out, s, epilogue, scratch: &stage.scratch[scratch], tile_y, tile_x, tiles: tiling.run, first }
        };
        if !stage.is_shared {
            frame.turn.run(tiling.runs(), &|run, thread| {
                frame.isa.run(Whole { part: part(run, thread), weights: &stage.weights });
            });
            return;
        }
        frame.turn.run(tiling.runs(), &|run, _| frame.isa.run(Input(part(run, 0))));
        let (panels, tiles) = (stage.weights[0].panels(), tiling.tiles_x * tiling.tiles_y);
        frame.turn.run(PRODUCTS * panels, &|task, _| {
            let (product, panel) = (task / panels, task % panels);
            let (scratch, weight) = (&stage.scratch[0], &stage.weights[product]);
            frame.isa.run(Multiply {
                scratch,
                inputs: from.padded,
                outputs: out.padded,
                weight,
                product,
                panel,
                tiles,
            });
        });
        frame.turn.run(tiling.runs(), &|run, _| frame.isa.run(Output(part(run, 0))));
    }
}

/// A run of tiles.
#[derive(Clone, Copy)]
struct Part<'a> {
    from: &'a Map,
    out: &'a Map,
    s: &'a Floats,
    epilogue: RowEpilogue,
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
    outputs: usize,
    weight: &'a Packed,
    product: usize,
    panel: usize,
    tiles: usize,
}

impl WithSimd for Whole<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Part { scratch, from, out, tiles, .. } = self.part;
        Input(self.part).with_simd(simd);
        for (product, weight) in self.weights.iter().enumerate() {
            for panel in 0..weight.panels() {
                Multiply { scratch, inputs: from.padded, outputs: out.padded, weight, product, panel, tiles }
                    .with_simd(simd);
            }
        }
        Output(self.part).with_simd(simd);
    }
}

impl WithSimd for Multiply<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let product = Product {
            a: self.scratch.input.ptr(),
            a_rows: Rows::line(self.product * self.scratch.input_stride, self.inputs),
            taps: &[0],
            b: self.weight,
            panel: self.panel,
            c: self.scratch.output.ptr(),
            c_rows: Rows::line(self.product * self.scratch.output_stride, self.outputs),
            count: self.tiles,
        };
        // SAFETY: rows are tiles of the scratch memory; only this task writes this panel of this product.
        unsafe { product.run(simd) };
    }
}

impl WithSimd for Input<'_> {
    type Output = ();
    // Loops over arrays, not closures: a closure would be compiled without the vector instructions.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Part { from, s, scratch, tile_y, tile_x, tiles, first, .. } = self.0;
        let points = Points::new(simd);
        let (row, step) = (from.row(), from.padded);
        for tile in 0..tiles {
            for v in (0..from.padded).step_by(S::F32_LANES) {
                // SAFETY: a tile reads one sample beyond itself, which is in the map's border at the most; the run's
                // tiles of the scratch memory belong to this task alone.
                unsafe {
                    let (top, left) = ((tile_y * TILE) as isize - 1, ((tile_x + tile) * TILE) as isize - 1);
                    let at = from.ptr(top, left).add(v).cast_const();
                    let style = load::<S>(s.ptr().add(v));
                    let mut columns = [[style; SIDE]; SIDE];
                    for x in 0..SIDE {
                        let mut column = [style; SIDE];
                        for y in 0..SIDE {
                            column[y] = simd.mul_f32s(load::<S>(at.add(y * row + x * step)), style);
                        }
                        columns[x] = points.input_3(simd, column);
                    }
                    let to = scratch.input.ptr().add((first + tile) * from.padded + v);
                    for y in 0..SIDE {
                        let mut line = [style; SIDE];
                        for x in 0..SIDE {
                            line[x] = columns[x][y];
                        }
                        let line = points.input_3(simd, line);
                        for x in 0..SIDE {
                            store::<S>(to.add((y * SIDE + x) * scratch.input_stride), line[x]);
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
        let Part { out, epilogue, scratch, tile_y, tile_x, tiles, first, .. } = self.0;
        let (points, zero) = (Points::new(simd), simd.splat_f32s(0.0));
        for tile in 0..tiles {
            for v in (0..out.padded).step_by(S::F32_LANES) {
                // SAFETY: the run's tiles of the scratch memory and of the output belong to this task alone.
                unsafe {
                    let vector = epilogue.vector(simd, v);
                    let from = scratch.output.ptr().add((first + tile) * out.padded + v).cast_const();
                    let mut columns = [[zero; TILE]; SIDE];
                    for x in 0..SIDE {
                        let mut column = [zero; SIDE];
                        for y in 0..SIDE {
                            column[y] = load::<S>(from.add((y * SIDE + x) * scratch.output_stride));
                        }
                        columns[x] = points.output_3(simd, column);
                    }
                    for y in 0..TILE {
                        let mut line = [zero; SIDE];
                        for x in 0..SIDE {
                            line[x] = columns[x][y];
                        }
                        let line = points.output_3(simd, line);
                        let (py, px) = (tile_y * TILE + y, (tile_x + tile) * TILE);
                        let to = out.ptr(py as isize, px as isize).add(v);
                        for x in 0..TILE {
                            let noise = simd.splat_f32s(epilogue.noise_at(py, px + x));
                            store::<S>(to.add(x * out.padded), vector.apply(simd, line[x], noise));
                        }
                    }
                }
            }
        }
    }
}
