//! The layers of style networks: the content picture, convolutions with reflection padding, conditional instance norm.
//! Twin of `cpu/conv.rs` and `cpu/norm.rs`.
//!
//! A convolution leaves its sums in scratch memory; `moments` and `scales` compute how each channel is normalised,
//! `normalise` finishes the layer. A layer without norm has a fixed scale and shift: 1 and the bias.

use super::super::builder::{Builder, Slot};
use super::super::program::HEADER;
use super::super::shader::{Constants, Value};
use super::super::variant::{Form, Kernel, Variant};
use super::product::DEPTH;
use super::winograd::{self, Conv};
use super::{clamp, results};
use crate::engine::EngineError;
use crate::engine::plan::{Activation, BufferId, Convolution, NormConv, Picture};

/// Minimum numbers of a channel that one workgroup sums.
const SHORTEST_PART: usize = 2048;
/// Maximum parts of a channel.
const MOST_PARTS: usize = 64;

/// A convolution, without what follows it.
struct Reflected<'a> {
    input: BufferId,
    out: BufferId,
    weight: &'a [f32],
    kernel: usize,
    stride: usize,
    up: usize,
}

pub fn picture(builder: &mut Builder, op: &Picture) {
    let plan = builder.plan;
    let count = plan.get(op.out).len();
    let (is_picture, out) = results(builder, op.out);
    let constants = vec![
        ("COUNT", Value::U(count)),
        ("FIRST", Value::U(first_style(builder) + plan.styles)),
        ("GAIN", Value::F(op.gain)),
        ("OFFSET", Value::F(op.offset)),
        is_picture,
    ];
    builder.dispatch_each("picture", constants, [Slot::Frame].into_iter().chain(out).collect(), count);
}

pub fn convolution(builder: &mut Builder, op: &Convolution) -> Result<(), EngineError> {
    let Convolution { input, out, kernel, .. } = *op;
    let sums = reflected(builder, &Reflected { input, out, weight: &op.weight, kernel, stride: 1, up: 1 })?;
    let scales: Vec<f32> = op.bias.iter().flat_map(|bias| [1.0, *bias]).collect();
    let scales = builder.floats(&scales)?;
    let epilogue = vec![("ACTIVATION", Value::U(0)), clamp(op.clamp)];
    normalise(builder, epilogue, sums, scales, None, out);
    Ok(())
}

pub fn norm_conv(builder: &mut Builder, op: &NormConv) -> Result<(), EngineError> {
    let NormConv { input, out, kernel, stride, up, .. } = *op;
    let sums = reflected(builder, &Reflected { input, out, weight: &op.weight, kernel, stride, up })?;
    let map = builder.plan.get(out);
    let (channels, count) = (map.channels, map.height * map.width);
    let length = count.div_ceil(count.div_ceil(SHORTEST_PART).min(MOST_PARTS));
    let parts = count.div_ceil(length);
    let moments = builder.floats(&vec![0.0; 2 * channels * parts])?;
    let cut = [("COUNT", Value::U(count)), ("PARTS", Value::U(parts)), ("LENGTH", Value::U(length))];
    builder.dispatch("moments", cut.to_vec(), vec![sums.clone(), moments.clone()], [parts, channels, 1]);

    let table: Vec<f32> = op.gamma.iter().zip(op.beta.iter()).flat_map(|(gamma, beta)| [*gamma, *beta]).collect();
    let table = builder.floats(&table)?;
    let scales = builder.floats(&vec![0.0; 2 * channels])?;
    let mut constants = cut.to_vec();
    constants.extend([
        ("C", Value::U(channels)),
        ("STYLES", Value::U(builder.plan.styles)),
        ("FIRST_STYLE", Value::U(first_style(builder))),
        ("EPS", Value::F(op.eps)),
    ]);
    builder.dispatch("scales", constants, vec![Slot::Frame, moments, table, scales.clone()], [channels, 1, 1]);

    let activation = match op.activation {
        Activation::Linear => 0,
        Activation::Relu => 1,
        Activation::SignedSigmoid => 2,
    };
    let epilogue = vec![("ACTIVATION", Value::U(activation)), clamp(None)];
    normalise(builder, epilogue, sums, scales, op.residual, out);
    Ok(())
}

/// Requests the convolution, which leaves its sums in scratch memory.
fn reflected(builder: &mut Builder, conv: &Reflected) -> Result<Slot, EngineError> {
    let (input, out) = (builder.plan.get(conv.input), builder.plan.get(conv.out));
    let (outputs, pixels) = (out.channels, out.height * out.width);
    let grid = [out.height, out.width];
    let is_same = conv.kernel == 3 && conv.stride == 1;
    if let Some(form) = winograd::form(builder, input.channels, outputs, grid).filter(|_| is_same) {
        let Reflected { input, weight, up, .. } = *conv;
        let conv = Conv { input, weight, outputs, grid, back: 1, style: None, reflects: true, up };
        let scaling = vec![("HAS_DEMODULATION", Value::B(false)), ("GAIN", Value::F(1.0))];
        let products = winograd::products(builder, form, &conv, scaling, [Slot::Nothing, Slot::Nothing])?;
        return Ok(products.sums(builder));
    }
    let is_direct = |v: &Variant| v.form == Form::Direct && v.kernel != Kernel::Matrix && v.suits(outputs, pixels);
    let variant = builder.variant().filter(is_direct).unwrap_or_else(|| Variant::painting(outputs));
    builder.takes(variant);
    let tile = variant.tile;
    let length = input.channels * conv.kernel * conv.kernel;
    let (depth, across) = (length.next_multiple_of(DEPTH), outputs.next_multiple_of(tile[0]));
    let mut packed = vec![0.0; depth * across];
    for (o, row) in conv.weight.chunks_exact(length).enumerate() {
        row.iter().enumerate().for_each(|(at, weight)| packed[at * across + o] = *weight);
    }
    let weight = builder.nums(&packed)?;
    let sums = builder.scratch(out.len());
    let constants = vec![
        ("O", Value::U(outputs)),
        ("O_PADDED", Value::U(across)),
        ("H", Value::U(input.height)),
        ("W", Value::U(input.width)),
        ("OUT_H", Value::U(out.height)),
        ("OUT_W", Value::U(out.width)),
        ("KERNEL", Value::U(conv.kernel)),
        ("STRIDE", Value::U(conv.stride)),
        ("UP", Value::U(conv.up)),
        ("LENGTH", Value::U(length)),
        ("LENGTH_PADDED", Value::U(depth)),
        ("OUTPUTS", Value::U(tile[0])),
        ("PIXELS", Value::U(tile[1])),
        ("IS_HALF", Value::B(variant.kernel == Kernel::Half)),
    ];
    let slots = vec![Slot::Map(conv.input), weight, sums.clone()];
    let kernel = if variant.kernel == Kernel::Half { "reflected_half" } else { "reflected" };
    builder.dispatch(kernel, constants, slots, [pixels.div_ceil(tile[1]), outputs.div_ceil(tile[0]), 1]);
    Ok(sums)
}

/// Requests the end of a layer, with the constants of its activation.
fn normalise(
    builder: &mut Builder,
    mut constants: Constants,
    sums: Slot,
    scales: Slot,
    residual: Option<BufferId>,
    out: BufferId,
) {
    let map = builder.plan.get(out);
    let (is_picture, results) = results(builder, out);
    constants.extend([
        ("C", Value::U(map.channels)),
        ("COUNT", Value::U(map.height * map.width)),
        ("HAS_RESIDUAL", Value::B(residual.is_some())),
        is_picture,
    ]);
    // Without a residual, the buffer in its place is not read.
    let residual = residual.map_or_else(|| sums.clone(), Slot::Map);
    let slots = [sums, scales, residual].into_iter().chain(results).collect();
    builder.dispatch_each("normalise", constants, slots, map.len());
}

/// Where the mix of styles starts in the frame's numbers; the content picture follows it.
fn first_style(builder: &Builder) -> usize {
    HEADER + builder.plan.num_ws * builder.plan.w_dim
}
