//! A step of a plan on libtorch: what it reads while it runs, and how its numbers get onto the device.

use tch::{Device, Kind, TchError, Tensor};

use super::{filtered, gated, layers, module, painting};
use crate::engine::Inputs;
use crate::engine::plan::{BufferId, Op, Plan, Style};
use crate::image::Image;

/// Where maps and weights are, and how they are stored. Styles and pictures are always 32-bit floats.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    pub device: Device,
    /// Of maps and weights.
    pub kind: Kind,
    pub channels_last: bool,
}

impl Form {
    /// Numbers in 32-bit floats, on the device.
    pub fn floats(self, numbers: &[f32], shape: &[i64]) -> Result<Tensor, TchError> {
        Tensor::f_from_slice(numbers)?.f_reshape(shape)?.f_to_device(self.device)
    }

    /// Numbers as maps and weights are stored.
    pub fn numbers(self, numbers: &[f32], shape: &[i64]) -> Result<Tensor, TchError> {
        self.lay(&self.floats(numbers, shape)?.f_to_kind(self.kind)?)
    }

    /// A map or weight `[A, B, H, W]` in the order of the engine's memory.
    pub fn lay(self, map: &Tensor) -> Result<Tensor, TchError> {
        match self.channels_last {
            true => map.f_permute([0, 2, 3, 1])?.f_contiguous()?.f_permute([0, 3, 1, 2]),
            false => map.f_contiguous(),
        }
    }
}

/// The noise of one layer, `[H, W]`.
pub struct Hiss {
    /// `[1, 1, H, W]`: the network's own; `None` if it has none.
    pub constant: Option<Tensor>,
    /// Refilled for each picture with random noise.
    pub random: Vec<f32>,
    pub shape: [i64; 4],
}

/// What a stage reads while it runs.
pub struct Frame<'a> {
    pub maps: &'a [Option<Tensor>],
    pub hisses: &'a [Hiss],
    /// `[num_ws, w_dim]`
    pub ws: Option<&'a Tensor>,
    /// `[1, styles]`
    pub mix: Option<&'a Tensor>,
    /// The content picture, in memory.
    pub content: Option<&'a Image>,
    pub inputs: &'a Inputs<'a>,
    pub form: Form,
}

impl Frame<'_> {
    /// A map that an earlier step wrote.
    pub fn map(&self, id: BufferId) -> Result<&Tensor, TchError> {
        self.maps[id.0].as_ref().ok_or_else(|| TchError::Shape("a map is read before it is written".to_owned()))
    }
}

/// One step of a plan, prepared.
pub trait Stage: Send {
    /// The map that the step writes, `[1, C, H, W]`.
    fn run(&mut self, frame: &Frame) -> Result<Tensor, TchError>;
}

/// `affine(w)`: a factor per input channel, in 32-bit floats.
pub struct Factors {
    /// `[C, w_dim]`; `None` if the factors are the bias, whatever w is.
    weight: Option<Tensor>,
    /// `[C]`
    bias: Tensor,
    index: i64,
}

impl Factors {
    pub fn new(style: &Style, form: Form) -> Result<Factors, TchError> {
        let (affine, index) = (&style.affine, style.ws_index as i64);
        let (outputs, inputs) = (affine.outputs as i64, affine.inputs as i64);
        let weight = match affine.weight.is_empty() {
            true => None,
            false => Some(form.floats(&affine.weight, &[outputs, inputs])?),
        };
        let bias = match affine.bias.is_empty() {
            true => Tensor::f_zeros([outputs], (Kind::Float, form.device))?,
            false => form.floats(&affine.bias, &[outputs])?,
        };
        Ok(Factors { weight, bias, index })
    }

    /// `[C]`
    pub fn of(&self, frame: &Frame) -> Result<Tensor, TchError> {
        match (&self.weight, frame.ws) {
            (Some(weight), Some(ws)) => self.bias.f_addmv(weight, &ws.f_select(0, self.index)?),
            _ => Ok(self.bias.shallow_clone()),
        }
    }
}

/// The stage of an operation. Noise is appended to `hisses`, in the order of the layers.
pub fn of(op: &Op, plan: &Plan, form: Form, hisses: &mut Vec<Hiss>) -> Result<Box<dyn Stage>, TchError> {
    Ok(match op {
        Op::Constant(op) => Box::new(layers::Constant::new(op, plan, form)?),
        Op::Synthesis(op) => Box::new(layers::Synthesis::new(op, plan, form, hisses)?),
        Op::ToRgb(op) => Box::new(layers::ToRgb::new(op, plan, form)?),
        Op::Residual(op) => Box::new(layers::Residual::new(op, plan, form)?),
        Op::Picture(op) => Box::new(painting::Picture(op.clone())),
        Op::NormConv(op) => Box::new(painting::NormConv::new(op, plan, form)?),
        Op::Convolution(op) => Box::new(painting::Convolution::new(op, plan, form)?),
        Op::Fourier(op) => Box::new(filtered::Fourier::new(op, plan, form)?),
        Op::Filtered(op) => Box::new(filtered::Filtered::new(op, plan, form)?),
        Op::Latent(op) => Box::new(gated::Latent::new(op, plan, form)?),
        Op::Gated(op) => Box::new(gated::Gated::new(op, form)?),
        Op::Gates(op) => Box::new(gated::Gates::new(op, plan, form)?),
        Op::Module(op) => {
            let out = plan.get(op.out);
            Box::new(module::Runner::new(op, [out.channels, out.height, out.width], form)?)
        }
    })
}
