//! The operations of plans on the card, one file each.

mod filtered;
mod fourier;
mod painting;
mod residual;
mod synthesis;
mod torgb;

use super::builder::{Builder, Slot};
use super::memory::is_picture;
use super::shader::{Constants, Value};
use crate::engine::EngineError;
use crate::engine::plan::{BufferId, Fir, Op};

/// Asks `builder` for the kernels of one operation.
///
/// # Errors
/// When the card has no room.
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
    }
}

/// The constants of `shared/upsample.wgsl`.
fn fir(taps: &Fir) -> Constants {
    ["FIR_0", "FIR_1", "FIR_2", "FIR_3"].into_iter().zip(taps.map(Value::F)).collect()
}

/// A clamp for kernels, which know no infinity.
fn clamp(clamp: Option<f32>) -> (&'static str, Value) {
    ("CLAMP", Value::F(clamp.unwrap_or(f32::MAX)))
}

/// Where a kernel writes a map of `Num` or the picture of 32 bits, and which of both it is.
fn results(builder: &Builder, out: BufferId) -> ((&'static str, Value), [Slot; 2]) {
    match is_picture(builder.plan, out) {
        true => (("IS_PICTURE", Value::B(true)), [Slot::Nothing, Slot::Map(out)]),
        false => (("IS_PICTURE", Value::B(false)), [Slot::Map(out), Slot::Nothing]),
    }
}

/// The matrix product of `conv.wgsl`: its tile, its packed weights, its cut.
struct Product {
    /// Outputs and pixels of a workgroup.
    tile: [usize; 2],
    /// Parts of the sum; more than one needs a kernel that adds them.
    splits: usize,
    /// `[taps, I_PADDED, O_PADDED]`
    packed: Vec<f32>,
    inputs: usize,
    outputs: usize,
    pixels: usize,
    parities: usize,
}

/// Products that a workgroup adds between two barriers, `DEPTH` of `conv.wgsl`.
const DEPTH: usize = 16;
/// Workgroups that fill any card; a sum is cut to have as many.
const ENOUGH_GROUPS: usize = 512;
/// Parts that a sum is cut into, at most.
const MOST_SPLITS: usize = 32;

impl Product {
    /// `weight` is `[O, I, k, k]`; `order` lists its taps as the kernel takes them, `fewest` are the taps of the parity
    /// with the fewest.
    fn new(weight: &[f32], outputs: usize, order: &[usize], pixels: usize, parities: usize, fewest: usize) -> Product {
        let taps = order.len();
        let inputs = weight.len() / (outputs * taps);
        let tile = match (outputs, pixels) {
            (..=32, ..=1024) => [32, 32],
            (..=32, _) => [32, 128],
            (_, ..=16) => [64, 16],
            (_, ..=256) => [64, 32],
            _ => [64, 64],
        };
        let (depth, width) = (inputs.next_multiple_of(DEPTH), outputs.next_multiple_of(tile[0]));
        let groups = outputs.div_ceil(tile[0]) * pixels.div_ceil(tile[1]) * parities;
        let splits = (ENOUGH_GROUPS / groups).clamp(1, MOST_SPLITS).min(fewest * depth / DEPTH);
        let mut packed = vec![0.0; taps * depth * width];
        for (tap, from) in order.iter().enumerate() {
            for i in 0..inputs {
                let row = &mut packed[(tap * depth + i) * width..][..outputs];
                row.iter_mut().enumerate().for_each(|(o, w)| *w = weight[(o * inputs + i) * taps + from]);
            }
        }
        Product { tile, splits, packed, inputs, outputs, pixels, parities }
    }

    /// Numbers of the parts: `[parities, splits, O, pixels]`.
    fn parts(&self) -> usize {
        self.parities * self.splits * self.outputs * self.pixels
    }

    fn constants(&self) -> Constants {
        vec![
            ("I", Value::U(self.inputs)),
            ("I_PADDED", Value::U(self.inputs.next_multiple_of(DEPTH))),
            ("O", Value::U(self.outputs)),
            ("O_PADDED", Value::U(self.outputs.next_multiple_of(self.tile[0]))),
            ("SPLITS", Value::U(self.splits)),
            ("OUTPUTS", Value::U(self.tile[0])),
            ("PIXELS", Value::U(self.tile[1])),
        ]
    }

    fn dispatch(&self, builder: &mut Builder, constants: Constants, slots: Vec<Slot>) {
        let (across, down) = (self.pixels.div_ceil(self.tile[1]), self.outputs.div_ceil(self.tile[0]));
        builder.dispatch("conv", constants, slots, [across, down, self.parities * self.splits]);
    }
}
