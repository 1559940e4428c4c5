//! The input of StyleGAN3: `fourier` computes the waves, a 1x1 `conv` mixes them. Twin of `cpu/fourier.rs`.

use super::super::builder::{Builder, Slot};
use super::super::shader::Value;
use super::super::variant::Form;
use super::product::{Product, Shape};
use crate::engine::EngineError;
use crate::engine::plan::{FourierInput, Op, Style};

pub fn lower(builder: &mut Builder, op: &Op, layer: &FourierInput) -> Result<(), EngineError> {
    let out = builder.plan.get(layer.out);
    let (outputs, height, width, channels) = (out.channels, out.height, out.width, layer.phases.len());
    let pose = builder.style(op, &Style { affine: layer.affine.clone(), ws_index: layer.ws_index });
    let waves = layer.freqs.as_chunks::<2>().0.iter().zip(layer.phases.iter());
    let waves: Vec<f32> = waves.flat_map(|(freqs, phase)| [freqs[0], freqs[1], *phase, 0.0]).collect();
    let waves = builder.floats(&waves)?;
    // The sums of a split product are in scratch memory.
    let features = builder.nums(&vec![0.0; channels * height * width])?;
    let own = layer.transform.inverse.as_flattened().iter().map(|n| *n as f32).collect();
    let constants = vec![
        ("C", Value::U(channels)),
        ("H", Value::U(height)),
        ("W", Value::U(width)),
        ("STYLE", Value::U(pose.style)),
        ("RATE", Value::F(layer.sampling_rate)),
        ("BANDWIDTH", Value::F(layer.bandwidth)),
        ("OWN", Value::List("OWN_COUNT", own)),
    ];
    let slots = vec![Slot::Frame, waves, Slot::Styles, features.clone()];
    builder.dispatch_each("fourier", constants, slots, channels * height * width);

    let grid = [height, width];
    let shape =
        Shape { weight: &layer.weight, outputs, order: &[0], grid, width, parities: 1, fewest: 1, form: Form::Direct };
    let product = Product::new(builder, &shape);
    let weight = builder.nums(&product.packed)?;
    let is_cut = product.splits > 1;
    let sums = if is_cut { builder.scratch(product.parts()) } else { Slot::Map(layer.out) };
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
    let nothing = Slot::Nothing;
    let unused = [nothing.clone(), nothing.clone()];
    let slots = [Slot::Frame].into_iter().chain(unused.clone()).chain([features, weight]).chain(unused);
    product.dispatch(builder, constants, slots.chain([sums.clone()]).collect());
    if is_cut {
        let bias = builder.floats(&vec![0.0; outputs])?;
        let constants = vec![
            ("O", Value::U(outputs)),
            ("COUNT", Value::U(height * width)),
            ("SPLITS", Value::U(product.splits)),
            ("HAS_NOISE", Value::B(false)),
            ("SLOPE", Value::F(1.0)),
            super::clamp(None),
        ];
        let slots = vec![Slot::Frame, bias, nothing, sums, Slot::Map(layer.out)];
        builder.dispatch_each("finish", constants, slots, outputs * height * width);
    }
    Ok(())
}
