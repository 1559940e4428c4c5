//! The convolution of a layer as a matrix product: outputs x (taps x inputs) times (taps x inputs) x pixels.
//!
//! A [`Product`] knows which variant computes it, packs the weights for its kernel, and splits a sum that would not fill
//! the card.

use rayon::prelude::*;

use super::super::builder::{Builder, Slot};
use super::super::shader::{Constants, Value};
use super::super::variant::{Form, Kernel, Matrix, SUBGROUPS, Variant};
use super::ENOUGH_GROUPS;

/// Products that a workgroup adds between two barriers: `DEPTH` in the kernels.
pub const DEPTH: usize = 16;
/// Workgroups that fill a card when each does more, with cooperative matrices; a sum is split to get this many.
const ENOUGH_MATRIX_GROUPS: usize = 256;
/// Maximum parts that a sum is split into.
const MOST_SPLITS: usize = 32;

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
    matrix: Option<Matrix>,
    /// Parts of the sum; more than one need a kernel that adds them.
    pub splits: usize,
    /// The weights, in the kernel's layout.
    pub packed: Vec<f32>,
    inputs: usize,
    outputs: usize,
    pixels: usize,
    parities: usize,
    /// Pixels distributed over workgroups, including discarded ones between rows.
    positions: usize,
    /// Number of products with separate inputs and weights.
    batch: usize,
}

impl Product {
    /// Uses the variant of the builder's current step.
    pub fn new(builder: &mut Builder, shape: &Shape) -> Product {
        let Shape { weight, outputs, order, grid, width, parities, fewest, form } = *shape;
        let inputs = weight.len() / (outputs * order.len());
        let pixels = grid[0] * grid[1];
        let matrix = builder.matrix();
        let is_there = |v: &Variant| v.kernel != Kernel::Matrix || matrix.is_some();
        let wanted = builder.variant().filter(|v| v.form == form && v.suits(outputs, pixels) && is_there(v));
        let variant = wanted.unwrap_or_else(|| Variant::plain(outputs, pixels));
        builder.takes(variant);
        let chunks = inputs.div_ceil(DEPTH);
        // Input rows are separated by at least one pixel, which serves as both borders.
        let is_wide = form == Form::Direct && order.len() > 1;
        let pitch = grid[1].max(width + usize::from(is_wide));
        let (positions, most_splits, enough) = match variant.kernel {
            Kernel::Matrix => (grid[0] * pitch, chunks, ENOUGH_MATRIX_GROUPS),
            Kernel::Plain | Kernel::Half => (pixels, fewest * chunks, ENOUGH_GROUPS),
        };
        let [high, wide] = variant.tile;
        let groups = outputs.div_ceil(high) * positions.div_ceil(wide) * parities;
        let splits = (enough / groups).clamp(1, MOST_SPLITS).min(most_splits);
        let packed = match variant.kernel {
            Kernel::Matrix => by_chunks(shape, inputs, outputs.next_multiple_of(high)),
            Kernel::Plain | Kernel::Half => by_taps(shape, inputs, outputs.next_multiple_of(high)),
        };
        let batch = if form == Form::Direct { 1 } else { parities };
        Product { variant, matrix, splits, packed, inputs, outputs, pixels, parities, positions, batch }
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
            ("I_PADDED", Value::U(self.inputs.next_multiple_of(DEPTH))),
            ("O", Value::U(self.outputs)),
            ("O_PADDED", Value::U(self.outputs.next_multiple_of(high))),
            ("SPLITS", Value::U(self.splits)),
            ("BATCH", Value::U(self.batch)),
        ];
        match self.matrix.filter(|_| self.variant.kernel == Kernel::Matrix) {
            Some(Matrix { side, lanes }) => {
                let (down, [rows, columns]) = (self.variant.down(), self.variant.matrices(side));
                constants.extend([
                    ("SIDE", Value::U(side)),
                    ("LANES", Value::U(lanes)),
                    ("DOWN", Value::U(down)),
                    ("ACROSS", Value::U(SUBGROUPS / down)),
                    ("ROWS", Value::U(rows)),
                    ("COLUMNS", Value::U(columns)),
                    ("LOADS", Value::U(high * DEPTH / 4 / (SUBGROUPS * lanes))),
                ]);
            }
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
            Kernel::Matrix => "conv_matrix",
        };
        let [high, wide] = self.variant.tile;
        let (across, down) = (self.positions.div_ceil(wide), self.outputs.div_ceil(high));
        builder.dispatch(kernel, constants, slots, [across, down, self.parities * self.splits]);
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

/// `[I_PADDED / DEPTH, taps, O_PADDED, DEPTH]`
fn by_chunks(shape: &Shape, inputs: usize, height: usize) -> Vec<f32> {
    let taps = shape.order.len();
    let mut packed = vec![0.0; inputs.next_multiple_of(DEPTH) * taps * height];
    packed.par_chunks_exact_mut(DEPTH).enumerate().for_each(|(row, packed)| {
        let (o, tap, chunk) = (row % height, row / height % taps, row / height / taps);
        if o < shape.outputs {
            let depths = (chunk * DEPTH..inputs).zip(packed);
            depths.for_each(|(i, w)| *w = shape.weight[(o * inputs + i) * taps + shape.order[tap]]);
        }
    });
    packed
}
