//! The skip connection of the resnet architecture: a 1x1 `conv`, which `residual` up-samples and adds to the branch.

use super::super::builder::{Builder, Slot};
use super::super::shader::Value;
use super::super::variant::Form;
use super::fir;
use super::product::{Product, Shape};
use crate::engine::EngineError;
use crate::engine::plan::Residual;

pub fn lower(builder: &mut Builder, layer: &Residual) -> Result<(), EngineError> {
    let (input, out) = (builder.plan.get(layer.input), builder.plan.get(layer.out));
    let (height, width, outputs) = (input.height, input.width, out.channels);
    let grid = [height, width];
    let shape =
        Shape { weight: &layer.weight, outputs, order: &[0], grid, width, parities: 1, fewest: 1, form: Form::Direct };
    let product = Product::new(builder, &shape);
    let weight = builder.nums(&product.packed)?;
    let parts = builder.scratch(product.parts());
    let mut constants = product.constants();
    constants.extend([
        ("H", Value::U(height)),
        ("W", Value::U(width)),
        ("TAPS", Value::U(1)),
        ("ENDS", Value::B(false)),
        ("HAS_STYLE", Value::B(false)),
        ("HAS_DEMODULATION", Value::B(false)),
        ("HAS_NOISE", Value::B(false)),
    ]);
    let input = Slot::Map(layer.input);
    let slots =
        vec![Slot::Frame, Slot::Nothing, Slot::Nothing, input, weight, Slot::Nothing, Slot::Nothing, parts.clone()];
    product.dispatch(builder, constants, slots);
    let mut constants = fir(&layer.fir);
    constants.extend([
        ("O", Value::U(outputs)),
        ("H", Value::U(2 * height)),
        ("W", Value::U(2 * width)),
        ("SPLITS", Value::U(product.splits)),
    ]);
    let slots = vec![parts, Slot::Map(layer.branch), Slot::Map(layer.out)];
    builder.dispatch_each("residual", constants, slots, outputs * 4 * height * width);
    Ok(())
}
