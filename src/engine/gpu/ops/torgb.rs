//! toRGB added to the picture so far, in one kernel. Twin of `cpu/torgb.rs`.

use super::super::builder::{Builder, Slot};
use super::super::shader::Value;
use super::{clamp, fir};
use crate::engine::EngineError;
use crate::engine::plan::{Op, ToRgb};

/// Workgroups that keep a card busy; with fewer, each gets fewer pixels and more threads per pixel.
const ENOUGH_GROUPS: usize = 256;

pub fn lower(builder: &mut Builder, op: &Op, layer: &ToRgb) -> Result<(), EngineError> {
    let input = builder.plan.get(layer.input);
    let (channels, height, width) = (input.channels, input.height, input.width);
    let styled = builder.style(op, &layer.style);
    let weight = builder.floats(&layer.weight)?;
    let bias = builder.floats(&layer.bias)?;
    let is_as_large = layer.picture.is_some_and(|id| builder.plan.get(id).height == height);
    let pixels = [256, 128, 64, 32].into_iter().find(|p| height * width / p >= ENOUGH_GROUPS).unwrap_or(16);
    let mut constants = vec![
        ("I", Value::U(channels)),
        ("H", Value::U(height)),
        ("W", Value::U(width)),
        ("COLOURS", Value::U(layer.bias.len())),
        ("STYLE", Value::U(styled.style)),
        ("HAS_PICTURE", Value::B(layer.picture.is_some())),
        ("IS_AS_LARGE", Value::B(is_as_large)),
        ("PIXELS", Value::U(pixels)),
        clamp(layer.clamp),
    ];
    constants.extend(fir(&layer.fir));
    let picture = layer.picture.map_or(Slot::Nothing, Slot::Map);
    let slots = vec![Slot::Map(layer.input), weight, bias, Slot::Styles, picture, Slot::Map(layer.out)];
    let groups = (height * width).div_ceil(pixels);
    builder.dispatch("torgb", constants, slots, [groups, 1, 1]);
    Ok(())
}
