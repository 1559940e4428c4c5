//! The convolution of a layer as a matrix product: outputs x (taps x inputs) times (taps x inputs) x pixels.
//!
//! A [`Product`] knows which variant computes it, packs the weights for its kernel, and splits a sum that would not fill
//! the card.

use rayon::prelude::*;

use super::super::builder::{Builder, Slot};
use super::super::shader::{Constants, Value};
use super::super::tiling::{Outline, Tiling};
use super::super::variant::{Form, Kernel, Variant};
use super::ENOUGH_GROUPS;

/// Products that a workgroup adds between two barriers: `DEPTH` in the kernels without cooperative matrices.
pub const DEPTH: usize = 16;
/// Workgroups that fill a card when each does more, with cooperative matrices; a sum is split to get this many.
const ENOUGH_MATRIX_GROUPS: usize = 256;
/// Maximum parts that a sum is split into.
const MOST_SPLITS: usize = 32;

/// The taps of an up-sampling layer in the order of `conv_matrix_up.wgsl`, as places in that of `conv.wgsl`.
const BY_SAMPLE: [usize; 9] = [0, 1, 4, 2, 6, 3, 5, 7, 8];

/// What is multiplied.
pub struct Shape<'a> {
    /// `[O, I, k, k]`
    pub weight: &'a [f32],
    pub outputs: usize,
    /// The taps in the kernel's order.
    pub order: &'a [usize],
    /// Rows and columns of the result, for each parity.
    pub grid: [usize; 2],
    /// Columns of the input.
    pub width: usize,
    pub parities: usize,
    /// Number of taps of the parity with the fewest.
    pub fewest: usize,
    /// For forms other than [`Form::Direct`], each tap is a separate product.
    pub form: Form,
}

/// A matrix product with its kernel: tile, packed weights, split.
pub struct Product {
    variant: Variant,
    /// With cooperative matrices.
    tiling: Option<Tiling>,
    /// Parts of the sum; more than one need a kernel that adds them.
    pub splits: usize,
    /// The weights, in the kernel's layout.
    pub packed: Vec<f32>,
    inputs: usize,
    outputs: usize,
    pixels: usize,
    parities: usize,
    /// Workgroups.
    groups: [usize; 3],
    /// Number of products with separate inputs and weights.
    batch: usize,
}

impl Product {
    /// Uses the variant of the builder's current step.
    pub fn new(builder: &mut Builder, shape: &Shape) -> Product {
        let Shape { weight, outputs, order, grid, width, parities, fewest, form } = *shape;
        let inputs = weight.len() / (outputs * order.len());
        let pixels = grid[0] * grid[1];
        let is_batch = form != Form::Direct;
        let up = parities > 1 && !is_batch;
        let taps = if is_batch { 1 } else { order.len() };
        let outline = Outline { grid, width, taps, up };
        let wanted = builder.variant().filter(|v| v.form == form && v.suits(outputs, pixels));
        let wanted = wanted.filter(|v| v.kernel != Kernel::Matrix || builder.tiling(*v, &outline).is_some());
        let variant = wanted.unwrap_or_else(|| Variant::plain(outputs, pixels));
        let tiling = builder.tiling(variant, &outline);
        builder.takes(variant);
        let batch = if is_batch { parities } else { 1 };
        let [high, wide] = variant.tile;
        let (depth, across, copies, enough) = match tiling {
            Some(tiling) => (tiling.depth, tiling.groups, batch, ENOUGH_MATRIX_GROUPS),
            None => (DEPTH, pixels.div_ceil(wide), parities, ENOUGH_GROUPS),
        };
        let chunks = inputs.div_ceil(depth);
        let groups = [across, outputs.div_ceil(high), copies];
        let most_splits = if tiling.is_some() { chunks } else { fewest * chunks };
        let splits = (enough / groups.iter().product::<usize>()).clamp(1, MOST_SPLITS).min(most_splits);
        let rows = outputs.next_multiple_of(high);
        let packed = match tiling {
            Some(tiling) => by_matrices(shape, inputs, rows, tiling, batch),
            None => by_taps(shape, inputs, rows),
        };
        let groups = [groups[0], groups[1], copies * splits];
        Product { variant, tiling, splits, packed, inputs, outputs, pixels, parities, groups, batch }
    }

    /// Total numbers in the parts: `[parities, splits, O, pixels]`.
    pub fn parts(&self) -> usize {
        self.parities * self.splits * self.outputs * self.pixels
    }

    /// The product's constants for the kernel.
    pub fn constants(&self) -> Constants {
        let [high, wide] = self.variant.tile;
        let mut constants = vec![
            ("I", Value::U(self.inputs)),
            ("I_PADDED", Value::U(self.inputs.next_multiple_of(self.tiling.map_or(DEPTH, |tiling| tiling.depth)))),
            ("O", Value::U(self.outputs)),
            ("O_PADDED", Value::U(self.outputs.next_multiple_of(high))),
            ("SPLITS", Value::U(self.splits)),
            ("BATCH", Value::U(self.batch)),
        ];
        match self.tiling {
            Some(tiling) => constants.extend(tiling.constants()),
            None => constants.extend([
                ("OUTPUTS", Value::U(high)),
                ("PIXELS", Value::U(wide)),
                ("IS_HALF", Value::B(self.variant.kernel == Kernel::Half)),
            ]),
        }
        constants
    }

    pub fn dispatch(&self, builder: &mut Builder, constants: Constants, slots: Vec<Slot>) {
        let kernel = match self.variant.kernel {
            Kernel::Plain => "conv",
            Kernel::Half => "conv_half",
            Kernel::Matrix if self.parities > self.batch => "conv_matrix_up",
            Kernel::Matrix => "conv_matrix",
        };
        builder.dispatch(kernel, constants, slots, self.groups);
    }
}

/// `[taps, I_PADDED, O_PADDED]`
fn by_taps(shape: &Shape, inputs: usize, width: usize) -> Vec<f32> {
    let (taps, depth) = (shape.order.len(), inputs.next_multiple_of(DEPTH));
    let mut packed = vec![0.0; taps * depth * width];
    packed.par_chunks_exact_mut(depth * width).zip(shape.order).for_each(|(packed, from)| {
        for (i, row) in packed.chunks_exact_mut(width).take(inputs).enumerate() {
            let outputs = row.iter_mut().take(shape.outputs).enumerate();
            outputs.for_each(|(o, w)| *w = shape.weight[(o * inputs + i) * taps + from]);
        }
    });
    packed
}

/// `[batch, I_PADDED / depth, taps of a product, depth / side, height, side]`, each matrix in one piece.
fn by_matrices(shape: &Shape, inputs: usize, height: usize, tiling: Tiling, batch: usize) -> Vec<f32> {
    let (all, depth, side) = (shape.order.len(), tiling.depth, tiling.side());
    let (taps, deep, chunks) = (all / batch, depth / side, inputs.div_ceil(depth));
    let is_up = shape.parities > batch;
    let mut packed = vec![0.0; chunks * depth * all * height];
    packed.par_chunks_exact_mut(side).enumerate().for_each(|(row, packed)| {
        let (o, step) = (row % height, row / height);
        let (k, tap) = (step % deep, step / deep % taps);
        let (chunk, product) = (step / deep / taps % chunks, step / deep / taps / chunks);
        let place = product * taps + tap;
        let from = shape.order[if is_up { BY_SAMPLE[place] } else { place }];
        if o < shape.outputs {
            let depths = (chunk * depth + k * side..inputs).zip(packed);
            depths.for_each(|(i, w)| *w = shape.weight[(o * inputs + i) * all + from]);
        }
    });
    packed
}
