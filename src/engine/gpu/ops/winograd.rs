//! 3x3 convolutions with stride 1 by Winograd: `winograd_in` transforms the input, `conv` or `conv_matrix` computes one
//! product for each of the 16 or 36 numbers of a tile, `winograd_out` transforms back and may finish the layer.
//!
//! The weights are transformed here, once. The transforms of `F(4,3)` are those of `cpu/winograd.rs`.
//! [`super::super::autotune`] decides which form a layer uses.

use rayon::prelude::*;

use super::super::Precision;
use super::super::builder::{Builder, Slot};
use super::super::shader::{Constants, Value};
use super::super::variant::Form;
use super::product::{Product, Shape};
use crate::engine::EngineError;
use crate::engine::cpu::KERNEL_3;
use crate::engine::plan::BufferId;

/// `G` of `F(2,3)`: points 0, 1, −1 and infinity.
const KERNEL_F2: [[f64; 3]; 4] = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.0, 0.0, 1.0]];
/// Maximum numbers of the transformed input or of the products: beyond that, the memory traffic costs more than the
/// products save, and a small card has too little memory.
const MOST_NUMBERS: usize = 1 << 26;

/// A 3x3 convolution with stride 1.
pub struct Conv<'a> {
    pub input: BufferId,
    /// `[O, I, 3, 3]`
    pub weight: &'a [f32],
    pub outputs: usize,
    /// Rows and columns of the result.
    pub grid: [usize; 2],
    /// Samples before the first result's position.
    pub back: usize,
    /// Index of the layer's first style.
    pub style: Option<usize>,
    /// Whether the input is padded by reflection, after repeating its samples `up` times, rather than by zeros.
    pub reflects: bool,
    pub up: usize,
}

/// Requested products.
pub struct Products {
    tiling: Tiling,
    grid: [usize; 2],
    outputs: usize,
    splits: usize,
    slot: Slot,
}

/// How a map is split into tiles.
#[derive(Clone, Copy)]
struct Tiling {
    form: Form,
    across: usize,
    tiles: usize,
}

impl Tiling {
    fn new(form: Form, [height, width]: [usize; 2]) -> Tiling {
        let across = width.div_ceil(form.side());
        Tiling { form, across, tiles: across * height.div_ceil(form.side()) }
    }

    fn constants(self) -> Constants {
        vec![
            ("TILE", Value::U(self.form.side())),
            ("SIDE", Value::U(self.form.side() + 2)),
            ("TILES_X", Value::U(self.across)),
            ("TILES", Value::U(self.tiles)),
        ]
    }
}

/// Number of tiles of a result, if `form` is worth trying for this many channels.
pub fn tiles(form: Form, channels: usize, grid: [usize; 2]) -> Option<usize> {
    let Tiling { tiles, .. } = Tiling::new(form, grid);
    (form != Form::Direct && form.products() * tiles * channels <= MOST_NUMBERS).then_some(tiles)
}

/// The form of the step's variant, if the convolution can use it.
pub fn form(builder: &Builder, inputs: usize, outputs: usize, grid: [usize; 2]) -> Option<Form> {
    let variant = builder.variant()?;
    let tiles = tiles(variant.form, inputs.max(outputs), grid)?;
    let numbers = variant.form.products() * tiles * inputs.max(outputs);
    (variant.suits(outputs, tiles) && builder.has_room_for(numbers)).then_some(variant.form)
}

/// Requests the products, multiplied by the gain and demodulation in `scaling`.
///
/// # Errors
/// When the card has too little memory.
pub fn products(
    builder: &mut Builder,
    form: Form,
    conv: &Conv,
    scaling: Constants,
    slots: [Slot; 2],
) -> Result<Products, EngineError> {
    let Conv { outputs, grid, .. } = *conv;
    let input = builder.plan.get(conv.input);
    let tiling = Tiling::new(form, grid);
    let weight = transformed(form, conv.weight);
    let order: Vec<usize> = (0..form.products()).collect();
    let (grid_of_tiles, width, parities) = ([1, tiling.tiles], tiling.tiles, form.products());
    let shape =
        Shape { weight: &weight, outputs, order: &order, grid: grid_of_tiles, width, parities, fewest: 1, form };
    let product = Product::new(builder, &shape);

    let most = if builder.precision() == Precision::F16 { 65504.0 } else { f32::MAX };
    let mut constants = tiling.constants();
    constants.extend([
        ("I", Value::U(input.channels)),
        ("H", Value::U(input.height)),
        ("W", Value::U(input.width)),
        ("BACK", Value::U(conv.back)),
        ("HAS_STYLE", Value::B(conv.style.is_some())),
        ("STYLE", Value::U(conv.style.unwrap_or(0))),
        ("REFLECTS", Value::B(conv.reflects)),
        ("UP", Value::U(conv.up)),
        ("MOST", Value::F(most)),
    ]);
    let count = input.channels * tiling.tiles;
    let [styles, demodulations] = slots;
    let from = builder.scratch(form.products() * count);
    let first = vec![Slot::Map(conv.input), styles.clone(), from.clone()];
    builder.dispatch_each("winograd_in", constants, first, count);

    let weight = builder.nums(&product.packed)?;
    let slot = builder.products(product.parts());
    let mut constants = product.constants();
    constants.extend(scaling);
    constants.extend([
        ("H", Value::U(1)),
        ("W", Value::U(tiling.tiles)),
        ("TAPS", Value::U(1)),
        ("ENDS", Value::B(false)),
        ("HAS_STYLE", Value::B(false)),
        ("HAS_NOISE", Value::B(false)),
    ]);
    let none = [Slot::Frame, Slot::Nothing, Slot::Nothing];
    let slots = none.into_iter().chain([from, weight, styles, demodulations, slot.clone()]).collect();
    product.dispatch(builder, constants, slots);
    Ok(Products { tiling, grid, outputs, splits: product.splits, slot })
}

impl Products {
    /// Requests the sums of the convolution, in scratch memory.
    pub fn sums(self, builder: &mut Builder) -> Slot {
        let out = builder.scratch(self.outputs * self.grid[0] * self.grid[1]);
        let constants = vec![("ENDS", Value::B(false)), ("HAS_NOISE", Value::B(false))];
        self.finish(builder, constants, [Slot::Frame, Slot::Nothing, Slot::Nothing], out.clone());
        out
    }

    /// Requests the results, finished according to `constants` and the frame, bias and noise in `slots`.
    pub fn finish(self, builder: &mut Builder, mut constants: Constants, slots: [Slot; 3], out: Slot) {
        let count = self.outputs * self.tiling.tiles;
        constants.extend(self.tiling.constants());
        constants.extend([
            ("O", Value::U(self.outputs)),
            ("H", Value::U(self.grid[0])),
            ("W", Value::U(self.grid[1])),
            ("SPLITS", Value::U(self.splits)),
        ]);
        let slots = slots.into_iter().chain([self.slot, out]).collect();
        builder.dispatch_each("winograd_out", constants, slots, count);
    }
}

/// `G·g·Gᵀ` of each kernel: `[O, I, 3, 3]` to `[O, I, products]`.
fn transformed(form: Form, weight: &[f32]) -> Vec<f32> {
    let rows: &[[f64; 3]] = if form == Form::F2 { &KERNEL_F2 } else { &KERNEL_3 };
    let mut all = vec![0.0; weight.len() / 9 * form.products()];
    all.par_chunks_exact_mut(form.products()).zip(weight.par_chunks_exact(9)).for_each(|(out, g)| {
        let along_x = |y: usize, row: &[f64; 3]| (0..3).map(|x| row[x] * f64::from(g[3 * y + x])).sum::<f64>();
        for (line, to) in out.chunks_exact_mut(rows.len()).enumerate() {
            for (row, to) in rows.iter().zip(to) {
                *to = (0..3).map(|y| rows[line][y] * along_x(y, row)).sum::<f64>() as f32;
            }
        }
    });
    all
}
