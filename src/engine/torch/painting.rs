//! The operations of style networks: the content picture, normalised convolutions, and the last one.

use tch::{Kind, TchError, Tensor};

use super::conv::{self, NO_BIAS};
use super::stage::{Form, Frame, Stage};
use crate::engine::plan::{self, Activation, BufferId, Plan};

/// See [`plan::Picture`].
pub struct Picture(pub plan::Picture);

impl Stage for Picture {
    fn run(&mut self, frame: &Frame) -> Result<Tensor, TchError> {
        let Some(image) = frame.content else { return Err(TchError::Shape("no content picture".to_owned())) };
        let shape = [1, image.channels, image.height, image.width].map(|n| n as i64);
        let picture = frame.form.floats(&image.data, &shape)?;
        let scaled = picture.f_mul_scalar(f64::from(self.0.gain))?.f_add_scalar(f64::from(self.0.offset))?;
        frame.form.lay(&scaled.f_to_kind(frame.form.kind)?)
    }
}

/// Reflects a map at its edges.
fn reflected(map: &Tensor, kernel: usize) -> Result<Tensor, TchError> {
    let edge = (kernel / 2) as i64;
    if edge == 0 { Ok(map.shallow_clone()) } else { map.f_reflection_pad2d([edge; 4]) }
}

/// See [`plan::NormConv`].
pub struct NormConv {
    op: plan::NormConv,
    /// `[O, I, k, k]`
    weight: Tensor,
    /// `[styles, O]`
    gamma: Tensor,
    beta: Tensor,
}

impl NormConv {
    pub fn new(op: &plan::NormConv, plan: &Plan, form: Form) -> Result<NormConv, TchError> {
        let [inputs, outputs] = [op.input, op.out].map(|id| plan.get(id).channels as i64);
        let (kernel, styles) = (op.kernel as i64, plan.styles as i64);
        Ok(NormConv {
            weight: form.numbers(&op.weight, &[outputs, inputs, kernel, kernel])?,
            gamma: form.floats(&op.gamma, &[styles, outputs])?,
            beta: form.floats(&op.beta, &[styles, outputs])?,
            op: op.clone(),
        })
    }
}

impl Stage for NormConv {
    fn run(&mut self, frame: &Frame) -> Result<Tensor, TchError> {
        let (op, x) = (&self.op, frame.map(self.op.input)?);
        let enlarged = match (op.up as i64, x.size().as_slice()) {
            (1, _) => x.shallow_clone(),
            (up, &[.., height, width]) => x.f_upsample_nearest2d([up * height, up * width], None, None)?,
            _ => x.shallow_clone(),
        };
        let stride = op.stride as i64;
        let padded = reflected(&enlarged, op.kernel)?;
        let y = padded.f_conv2d(&self.weight, NO_BIAS, [stride, stride], [0, 0], [1, 1], 1)?;
        let Some(mix) = frame.mix else { return Err(TchError::Shape("no mix of styles".to_owned())) };
        let (gamma, beta) = (mix.f_matmul(&self.gamma)?.f_reshape(-1)?, mix.f_matmul(&self.beta)?.f_reshape(-1)?);
        // Statistics in 32 bits, whatever the map has.
        let y = y.f_to_kind(Kind::Float)?;
        let nothing: Option<&Tensor> = None;
        let eps = f64::from(op.eps);
        let y = y.f_instance_norm(Some(&gamma), Some(&beta), nothing, nothing, true, 0.0, eps, true)?;
        let mut y = match op.activation {
            Activation::Linear => y,
            Activation::Relu => y.f_relu()?,
            Activation::SignedSigmoid => y.f_sigmoid()?.f_mul_scalar(2.0)?.f_add_scalar(-1.0)?,
        };
        y = y.f_to_kind(frame.form.kind)?;
        match op.residual {
            Some(residual) => y.f_add_(frame.map(residual)?),
            None => Ok(y),
        }
    }
}

/// See [`plan::Convolution`].
pub struct Convolution {
    input: BufferId,
    kernel: usize,
    weight: Tensor,
    bias: Tensor,
    clamp: Option<f32>,
}

impl Convolution {
    pub fn new(op: &plan::Convolution, plan: &Plan, form: Form) -> Result<Convolution, TchError> {
        let [inputs, outputs] = [op.input, op.out].map(|id| plan.get(id).channels as i64);
        let kernel = op.kernel as i64;
        Ok(Convolution {
            input: op.input,
            kernel: op.kernel,
            weight: form.numbers(&op.weight, &[outputs, inputs, kernel, kernel])?,
            bias: form.floats(&op.bias, &[outputs])?.f_to_kind(form.kind)?,
            clamp: op.clamp,
        })
    }
}

impl Stage for Convolution {
    fn run(&mut self, frame: &Frame) -> Result<Tensor, TchError> {
        let padded = reflected(frame.map(self.input)?, self.kernel)?;
        let mut y = padded.f_conv2d(&self.weight, Some(&self.bias), [1, 1], [0, 0], [1, 1], 1)?;
        conv::clamp(&mut y, self.clamp)?;
        Ok(y)
    }
}
