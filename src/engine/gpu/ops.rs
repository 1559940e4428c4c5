//! The plan operations on the card, one file each.

mod filtered;
mod fourier;
mod gated;
mod painting;
mod product;
mod residual;
mod synthesis;
mod torgb;
pub mod winograd;

use super::builder::{Builder, Slot};
use super::memory::is_picture;
use super::shader::{Constants, Value};
use crate::engine::EngineError;
use crate::engine::plan::{BufferId, Fir, Op};

/// Number of workgroups that fills any card.
const ENOUGH_GROUPS: usize = 512;

/// Requests the kernels of one operation from `builder`.
///
/// # Errors
/// When the card has too little memory.
pub fn lower(builder: &mut Builder, op: &Op) -> Result<(), EngineError> {
    match op {
        Op::Constant(op) => {
            builder.fill(op.out, &op.value);
            Ok(())
        }
        Op::Synthesis(layer) => synthesis::lower(builder, op, layer),
        Op::ToRgb(layer) => torgb::lower(builder, op, layer),
        Op::Residual(layer) => residual::lower(builder, layer),
        Op::Picture(layer) => {
            painting::picture(builder, layer);
            Ok(())
        }
        Op::NormConv(layer) => painting::norm_conv(builder, layer),
        Op::Convolution(layer) => painting::convolution(builder, layer),
        Op::Fourier(layer) => fourier::lower(builder, op, layer),
        Op::Filtered(layer) => filtered::lower(builder, op, layer),
        Op::Latent(layer) => {
            gated::latent(builder, op, layer);
            Ok(())
        }
        Op::Gated(layer) => {
            gated::gated(builder, op, layer);
            Ok(())
        }
        Op::Gates(layer) => gated::gates(builder, layer),
        Op::Module(_) => Err(super::unavailable(format!("a {} plays with --engine torch", op.kind()))),
    }
}

/// The constants of `shared/upsample.wgsl`.
fn fir(taps: &Fir) -> Constants {
    ["FIR_0", "FIR_1", "FIR_2", "FIR_3"].into_iter().zip(taps.map(Value::F)).collect()
}

/// A clamp for kernels, which have no infinity.
fn clamp(clamp: Option<f32>) -> (&'static str, Value) {
    ("CLAMP", Value::F(clamp.unwrap_or(f32::MAX)))
}

/// Where a kernel writes a map of `Num` or the 32-bit picture, and which of the two it is.
fn results(builder: &Builder, out: BufferId) -> ((&'static str, Value), [Slot; 2]) {
    match is_picture(builder.plan, out) {
        true => (("IS_PICTURE", Value::B(true)), [Slot::Nothing, Slot::Map(out)]),
        false => (("IS_PICTURE", Value::B(false)), [Slot::Map(out), Slot::Nothing]),
    }
}
