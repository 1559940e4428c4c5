//! The operations of FastGAN: a map from one w, gated layers, and gates.

use tch::{Kind, TchError, Tensor};

use super::conv::NO_BIAS;
use super::stage::{Factors, Form, Frame, Stage};
use crate::engine::plan::{self, BufferId, Gating, Plan};

/// See [`plan::Latent`].
pub struct Latent {
    factors: Factors,
    shape: [i64; 4],
}

impl Latent {
    pub fn new(op: &plan::Latent, plan: &Plan, form: Form) -> Result<Latent, TchError> {
        let out = plan.get(op.out);
        let shape = [1, out.channels, out.height, out.width].map(|n| n as i64);
        Ok(Latent { factors: Factors::new(&op.style, form)?, shape })
    }
}

impl Stage for Latent {
    fn run(&mut self, frame: &Frame) -> Result<Tensor, TchError> {
        frame.form.lay(&self.factors.of(frame)?.f_reshape(self.shape)?.f_to_kind(frame.form.kind)?)
    }
}

/// See [`plan::Gated`].
pub struct Gated {
    input: BufferId,
    gates: Option<BufferId>,
    factors: Factors,
    gating: Gating,
}

impl Gated {
    pub fn new(op: &plan::Gated, form: Form) -> Result<Gated, TchError> {
        Ok(Gated { input: op.input, gates: op.gates, factors: Factors::new(&op.style, form)?, gating: op.gating })
    }
}

impl Stage for Gated {
    fn run(&mut self, frame: &Frame) -> Result<Tensor, TchError> {
        let halves = self.factors.of(frame)?.f_to_kind(frame.form.kind)?.f_reshape([2, 1, -1, 1, 1])?;
        let (scale, shift) = (halves.f_select(0, 0)?, halves.f_select(0, 1)?);
        let y = shift.f_addcmul(frame.map(self.input)?, &scale)?;
        let mut y = match self.gating {
            Gating::Glu => y.f_glu(1)?,
            Gating::Linear => y,
            Gating::Tanh => y.f_tanh()?,
        };
        match self.gates {
            Some(gates) => y.f_mul_(frame.map(gates)?),
            None => Ok(y),
        }
    }
}

/// See [`plan::Gates`].
pub struct Gates {
    input: BufferId,
    /// `[C, S, 4, 4]`
    squeeze: Tensor,
    /// `[C, C, 1, 1]`
    excite: Tensor,
}

impl Gates {
    pub fn new(op: &plan::Gates, plan: &Plan, form: Form) -> Result<Gates, TchError> {
        let [inputs, outputs] = [op.input, op.out].map(|id| plan.get(id).channels as i64);
        let grid = plan::Gates::GRID as i64;
        Ok(Gates {
            input: op.input,
            squeeze: form.floats(&op.squeeze, &[outputs, inputs, grid, grid])?,
            excite: form.floats(&op.excite, &[outputs, outputs, 1, 1])?,
        })
    }
}

impl Stage for Gates {
    fn run(&mut self, frame: &Frame) -> Result<Tensor, TchError> {
        let grid = plan::Gates::GRID as i64;
        let means = frame.map(self.input)?.f_adaptive_avg_pool2d([grid, grid])?.f_to_kind(Kind::Float)?;
        let squeezed = means.f_conv2d(&self.squeeze, NO_BIAS, [1, 1], [0, 0], [1, 1], 1)?.f_silu()?;
        let excited = squeezed.f_conv2d(&self.excite, NO_BIAS, [1, 1], [0, 0], [1, 1], 1)?;
        excited.f_sigmoid()?.f_to_kind(frame.form.kind)
    }
}
