//! Operations specific to FastGAN: the map computed from one w, gated linear units, and the gates of skip-layer excitation.
//! Twin of `cpu/gated.rs`.

use super::super::builder::{Builder, Slot};
use super::super::shader::Value;
use super::results;
use crate::engine::EngineError;
use crate::engine::plan::{Gated, Gates, Gating, Latent, Op};

pub fn latent(builder: &mut Builder, op: &Op, layer: &Latent) {
    let styled = builder.style(op, &layer.style);
    let count = builder.plan.get(layer.out).len();
    let constants = vec![("STYLE", Value::U(styled.style)), ("COUNT", Value::U(count))];
    builder.dispatch_each("latent", constants, vec![Slot::Styles, Slot::Map(layer.out)], count);
}

pub fn gated(builder: &mut Builder, op: &Op, layer: &Gated) {
    let styled = builder.style(op, &layer.style);
    let out = builder.plan.get(layer.out);
    let (is_picture, results) = results(builder, layer.out);
    let constants = vec![
        ("C", Value::U(out.channels)),
        ("COUNT", Value::U(out.height * out.width)),
        ("STYLE", Value::U(styled.style)),
        ("IS_GLU", Value::B(layer.gating == Gating::Glu)),
        ("IS_TANH", Value::B(layer.gating == Gating::Tanh)),
        ("HAS_GATES", Value::B(layer.gates.is_some())),
        is_picture,
    ];
    // Without gates, this buffer is bound but not read.
    let gates = Slot::Map(layer.gates.unwrap_or(layer.input));
    let slots = [Slot::Map(layer.input), Slot::Styles, gates].into_iter().chain(results).collect();
    builder.dispatch_each("gated", constants, slots, out.len());
}

/// # Errors
/// When the card is out of memory.
pub fn gates(builder: &mut Builder, layer: &Gates) -> Result<(), EngineError> {
    let (input, channels) = (builder.plan.get(layer.input), builder.plan.get(layer.out).channels);
    let cells = input.channels * Gates::GRID * Gates::GRID;
    let averages = builder.floats(&vec![0.0; cells])?;
    let constants = vec![
        ("C", Value::U(input.channels)),
        ("H", Value::U(input.height)),
        ("W", Value::U(input.width)),
        ("GRID", Value::U(Gates::GRID)),
    ];
    builder.dispatch_each("averages", constants, vec![Slot::Map(layer.input), averages.clone()], cells);
    let between = builder.floats(&vec![0.0; channels])?;
    let squeeze = builder.nums(&layer.squeeze)?;
    let slots = vec![squeeze, averages, between.clone(), Slot::Nothing];
    let constants = vec![("LENGTH", Value::U(cells)), ("IS_LAST", Value::B(false))];
    builder.dispatch("excite", constants, slots, [channels, 1, 1]);
    let excite = builder.nums(&layer.excite)?;
    let slots = vec![excite, between, Slot::Nothing, Slot::Map(layer.out)];
    let constants = vec![("LENGTH", Value::U(channels)), ("IS_LAST", Value::B(true))];
    builder.dispatch("excite", constants, slots, [channels, 1, 1]);
    Ok(())
}
