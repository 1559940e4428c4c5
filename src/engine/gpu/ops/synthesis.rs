//! StyleGAN2 convolution layers: `conv` alone for large maps; `conv` and `finish` if the sum is split; `conv` and `fir`
//! for up-sampling; or, with Winograd, what `winograd.rs` requests. Twin of `cpu/synthesis.rs`.

use super::super::builder::{Builder, Slot};
use super::super::shader::Value;
use super::super::variant::Form;
use super::product::{Product, Shape};
use super::winograd::{self, Conv};
use super::{clamp, fir};
use crate::engine::EngineError;
use crate::engine::plan::{Op, SynthesisLayer};

/// Taps of the strided transposed convolution by parity of (y, x): even ones use kernel index 2, then 0, odd ones 1.
const UP_TAPS: [usize; 9] = [8, 6, 2, 0, 7, 1, 5, 3, 4];

pub fn lower(builder: &mut Builder, op: &Op, layer: &SynthesisLayer) -> Result<(), EngineError> {
    let input = builder.plan.get(layer.input);
    let (height, width, outputs) = (input.height, input.width, layer.bias.len());
    let styled = builder.style(op, &layer.style);
    let bias: Vec<f32> = layer.bias.iter().map(|b| b * layer.gain).collect();
    let bias = builder.floats(&bias)?;
    let noise_const = match &layer.noise {
        Some(noise) => builder.floats(&noise.constant)?,
        None => Slot::Nothing,
    };
    let epilogue = vec![
        ("HAS_NOISE", Value::B(layer.noise.is_some())),
        ("HAS_NOISE_CONST", Value::B(matches!(noise_const, Slot::Data(_)))),
        ("NOISE_LAYER", Value::U(if layer.noise.is_some() { builder.noise_layer() } else { 0 })),
        ("SIGMA", Value::F(layer.noise.as_ref().map_or(0.0, |noise| noise.strength * layer.gain))),
        ("SLOPE", Value::F(layer.slope)),
        clamp(layer.clamp),
    ];
    let first = [Slot::Frame, bias, noise_const];
    let scaling = vec![
        ("HAS_DEMODULATION", Value::B(styled.demodulation.is_some())),
        ("DEMODULATION", Value::U(styled.demodulation.unwrap_or(0))),
        ("GAIN", Value::F(layer.gain)),
    ];
    let is_same = layer.kernel == 3 && !layer.up;
    if let Some(form) = winograd::form(builder, input.channels, outputs, [height, width]).filter(|_| is_same) {
        let conv = Conv {
            input: layer.input,
            weight: &layer.weight,
            outputs,
            grid: [height, width],
            back: 1,
            style: Some(styled.style),
            reflects: false,
            up: 1,
        };
        let products = winograd::products(builder, form, &conv, scaling, [Slot::Styles, Slot::Demodulations])?;
        products.finish(builder, epilogue, first, Slot::Map(layer.out));
        return Ok(());
    }
    let order: Vec<usize> = if layer.up { UP_TAPS.to_vec() } else { (0..layer.kernel * layer.kernel).collect() };
    let (parities, fewest, extra) = if layer.up { (4, 1, 1) } else { (1, order.len(), 0) };
    let grid = [height + extra, width + extra];
    let form = Form::Direct;
    let shape = Shape { weight: &layer.weight, outputs, order: &order, grid, width, parities, fewest, form };
    let product = Product::new(builder, &shape);
    let ends = !layer.up && product.splits == 1;
    let weight = builder.nums(&product.packed)?;
    let result = if ends { Slot::Map(layer.out) } else { builder.scratch(product.parts()) };
    let mut constants = product.constants();
    constants.extend(epilogue.iter().cloned().chain(scaling));
    constants.extend([
        ("H", Value::U(height)),
        ("W", Value::U(width)),
        ("TAPS", Value::U(layer.kernel * layer.kernel)),
        ("UP", Value::B(layer.up)),
        ("ENDS", Value::B(ends)),
        ("STYLE", Value::U(styled.style)),
    ]);
    let rest = [Slot::Map(layer.input), weight, Slot::Styles, Slot::Demodulations, result.clone()];
    product.dispatch(builder, constants, first.iter().cloned().chain(rest).collect());
    if ends {
        return Ok(());
    }
    let mut constants = epilogue;
    constants.extend([("O", Value::U(outputs)), ("SPLITS", Value::U(product.splits))]);
    let slots = first.into_iter().chain([result, Slot::Map(layer.out)]).collect();
    if layer.up {
        constants.extend([("H", Value::U(height)), ("W", Value::U(width))]);
        constants.extend(fir(&layer.fir));
        builder.dispatch_each("fir", constants, slots, outputs * height * width);
    } else {
        constants.push(("COUNT", Value::U(height * width)));
        builder.dispatch_each("finish", constants, slots, outputs * height * width);
    }
    Ok(())
}
