//! The operations of StyleGAN2: constant, synthesis layer, toRGB and residual.

use tch::{Kind, TchError, Tensor};

use super::conv::{self, Modulated, NO_BIAS, Shape};
use super::stage::{Factors, Form, Frame, Hiss, Stage};
use crate::engine::NoiseMode;
use crate::engine::plan::{self, BufferId, Fir, Plan, SynthesisLayer};

pub struct Constant(Tensor);

impl Constant {
    pub fn new(op: &plan::Constant, plan: &Plan, form: Form) -> Result<Constant, TchError> {
        let out = plan.get(op.out);
        let [c, h, w] = [out.channels, out.height, out.width].map(|n| n as i64);
        Ok(Constant(form.numbers(&op.value, &[1, c, h, w])?))
    }
}

impl Stage for Constant {
    fn run(&mut self, _: &Frame) -> Result<Tensor, TchError> {
        Ok(self.0.shallow_clone())
    }
}

/// See [`SynthesisLayer`]. The gain is multiplied into demodulation, noise and bias.
pub struct Synthesis {
    input: BufferId,
    factors: Factors,
    conv: Modulated,
    /// `[O]`, the gain.
    gain: Tensor,
    gain_number: f64,
    /// `[O]`
    bias: Tensor,
    /// `[O, 1, 4, 4]`, after a transposed convolution.
    fir: Option<Tensor>,
    /// Index and strength.
    noise: Option<(usize, f64)>,
    slope: Option<Tensor>,
    clamp: Option<f32>,
}

impl Synthesis {
    pub fn new(op: &SynthesisLayer, plan: &Plan, form: Form, hisses: &mut Vec<Hiss>) -> Result<Synthesis, TchError> {
        let (input, out) = (plan.get(op.input), plan.get(op.out));
        let shape = Shape {
            outputs: out.channels,
            inputs: input.channels,
            kernel: op.kernel,
            padding: op.kernel / 2,
            up: op.up,
            samples: [input.height * input.width, out.height * out.width],
        };
        let noise = match &op.noise {
            None => None,
            Some(noise) => {
                let shape = [1, 1, out.height as i64, out.width as i64];
                let constant = match noise.constant.is_empty() {
                    true => None,
                    false => Some(form.numbers(&noise.constant, &shape)?),
                };
                hisses.push(Hiss { constant, random: vec![0.0; out.height * out.width], shape });
                Some((hisses.len() - 1, f64::from(op.gain * noise.strength)))
            }
        };
        // A filter is convolved, and libtorch correlates: it is reversed. Gain 2 along each axis.
        let taps = op.fir.map(|tap| 2.0 * tap);
        let taps = [taps[3], taps[2], taps[1], taps[0]];
        let fir = if op.up { Some(conv::depthwise(&taps, &taps, out.channels, form)?) } else { None };
        let bias: Vec<f32> = op.bias.iter().map(|bias| op.gain * bias).collect();
        Ok(Synthesis {
            input: op.input,
            factors: Factors::new(&op.style, form)?,
            conv: Modulated::new(&op.weight, shape, op.demodulate, form)?,
            gain: form.floats(&vec![op.gain; out.channels], &[out.channels as i64])?,
            gain_number: op.gain.into(),
            bias: form.floats(&bias, &[out.channels as i64])?.f_to_kind(form.kind)?,
            fir,
            noise,
            slope: conv::slope(op.slope, form)?,
            clamp: op.clamp,
        })
    }

    /// Adds the layer's noise for this picture, in place.
    fn add_noise(&self, y: &mut Tensor, frame: &Frame) -> Result<(), TchError> {
        let Some((index, strength)) = self.noise else { return Ok(()) };
        let strength = strength * f64::from(frame.inputs.noise.gain);
        let hiss = &frame.hisses[index];
        let noise = match frame.inputs.noise.mode {
            NoiseMode::Const => hiss.constant.as_ref().map(Tensor::shallow_clone),
            NoiseMode::Random { .. } => Some(frame.form.numbers(&hiss.random, &hiss.shape)?),
            NoiseMode::Loop { turn, .. } => {
                let random = frame.form.numbers(&hiss.random, &hiss.shape)?;
                let [of_first, of_second] = NoiseMode::shares(turn).map(f64::from);
                // Without a noise of its own, both are in the random one already.
                Some(match &hiss.constant {
                    Some(first) => first.f_mul_scalar(of_first)?.f_add(&random.f_mul_scalar(of_second)?)?,
                    None => random,
                })
            }
            NoiseMode::None => None,
        };
        if let Some(noise) = noise.filter(|_| strength != 0.0) {
            drop(y.f_add_(&noise.f_mul_scalar(strength)?)?);
        }
        Ok(())
    }
}

impl Stage for Synthesis {
    fn run(&mut self, frame: &Frame) -> Result<Tensor, TchError> {
        let x = frame.map(self.input)?;
        let s = self.factors.of(frame)?;
        let scale = self.conv.demodulation(&s, self.gain_number)?.unwrap_or_else(|| self.gain.shallow_clone());
        let mut y = match &self.fir {
            None => self.conv.apply(x, &s, &scale, Some(&self.bias))?,
            Some(fir) => {
                // [2H + 1, 2W + 1]
                let wide = self.conv.apply(x, &s, &scale, None)?;
                let channels = self.bias.size()[0];
                let fir = match self.conv.leaves_scale() {
                    true => fir.f_mul(&scale.f_reshape([-1, 1, 1, 1])?.f_to_kind(frame.form.kind)?)?,
                    false => fir.shallow_clone(),
                };
                wide.f_conv2d(&fir, Some(&self.bias), [1, 1], [1, 1], [1, 1], channels)?
            }
        };
        self.add_noise(&mut y, frame)?;
        if let Some(slope) = &self.slope {
            y = y.f_prelu(slope)?;
        }
        conv::clamp(&mut y, self.clamp)?;
        Ok(y)
    }
}

/// Doubles a map: zeros inserted, filtered with gain 2 on each axis. A transposed convolution of stride 2, whose kernel is
/// not reversed.
struct Doubled {
    /// `[C, 1, 4, 4]`
    fir: Tensor,
    channels: i64,
}

impl Doubled {
    fn new(fir: Fir, channels: usize, form: Form) -> Result<Doubled, TchError> {
        let taps = fir.map(|tap| 2.0 * tap);
        Ok(Doubled { fir: conv::depthwise(&taps, &taps, channels, form)?, channels: channels as i64 })
    }

    fn apply(&self, map: &Tensor) -> Result<Tensor, TchError> {
        map.f_conv_transpose2d(&self.fir, NO_BIAS, [2, 2], [1, 1], [0, 0], self.channels, [1, 1])
    }
}

/// See [`plan::ToRgb`]. Pictures are 32-bit floats.
pub struct ToRgb {
    input: BufferId,
    /// The second is `None` if it is as large as the output.
    picture: Option<(BufferId, Option<Doubled>)>,
    factors: Factors,
    /// `[colours, C]`
    weight: Tensor,
    /// `[colours]`
    bias: Tensor,
    clamp: Option<f32>,
}

impl ToRgb {
    pub fn new(op: &plan::ToRgb, plan: &Plan, form: Form) -> Result<ToRgb, TchError> {
        let (inputs, colours) = (plan.get(op.input).channels as i64, op.bias.len());
        let picture = match op.picture {
            None => None,
            Some(id) if plan.get(id).height == plan.get(op.out).height => Some((id, None)),
            Some(id) => Some((id, Some(Doubled::new(op.fir, colours, Form { kind: Kind::Float, ..form })?))),
        };
        Ok(ToRgb {
            input: op.input,
            picture,
            factors: Factors::new(&op.style, form)?,
            weight: form.floats(&op.weight, &[colours as i64, inputs])?,
            bias: form.floats(&op.bias, &[colours as i64])?.f_to_kind(form.kind)?,
            clamp: op.clamp,
        })
    }
}

impl Stage for ToRgb {
    fn run(&mut self, frame: &Frame) -> Result<Tensor, TchError> {
        let s = self.factors.of(frame)?;
        let weight = self.weight.f_mul(&s)?.f_unsqueeze(-1)?.f_unsqueeze(-1)?.f_to_kind(frame.form.kind)?;
        let colours = frame.map(self.input)?.f_conv2d(&weight, Some(&self.bias), [1, 1], [0, 0], [1, 1], 1)?;
        let mut colours = colours.f_to_kind(Kind::Float)?;
        conv::clamp(&mut colours, self.clamp)?;
        match &self.picture {
            None => Ok(colours),
            Some((id, Some(doubled))) => doubled.apply(frame.map(*id)?)?.f_add_(&colours),
            Some((id, None)) => frame.map(*id)?.f_add(&colours),
        }
    }
}

/// See [`plan::Residual`].
pub struct Residual {
    input: BufferId,
    branch: BufferId,
    /// `[O, I, 1, 1]`
    weight: Tensor,
    doubled: Doubled,
}

impl Residual {
    pub fn new(op: &plan::Residual, plan: &Plan, form: Form) -> Result<Residual, TchError> {
        let [inputs, outputs] = [op.input, op.out].map(|id| plan.get(id).channels);
        Ok(Residual {
            input: op.input,
            branch: op.branch,
            weight: form.numbers(&op.weight, &[outputs as i64, inputs as i64, 1, 1])?,
            doubled: Doubled::new(op.fir, outputs, form)?,
        })
    }
}

impl Stage for Residual {
    fn run(&mut self, frame: &Frame) -> Result<Tensor, TchError> {
        let small = frame.map(self.input)?.f_conv2d(&self.weight, NO_BIAS, [1, 1], [0, 0], [1, 1], 1)?;
        self.doubled.apply(&small)?.f_add_(frame.map(self.branch)?)
    }
}
