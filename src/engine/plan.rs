//! A plan: a network as a flat list of a few fused operations over named buffers.
//!
//! `network` lowers architectures to plans; engines run plans and know nothing of architectures. Weights are plain
//! 32-bit floats in the layout of the file (`[O, I, k, k]`); an engine transforms and packs them once, in
//! [`crate::engine::Engine::prepare`]. Steps and buffers carry the checkpoint's dotted names, for profiles, taps and
//! network bending. A new kind of layer is a new variant of [`Op`]; the others stay as they are.
//!
//! Nothing here computes or does I/O. [`Plan::check`] finds out whether a plan is consistent, so that engines can
//! trust the shapes of a checked plan.

mod filtered;

use std::sync::Arc;

use crate::latent::mapping::FullyConnected;

pub use filtered::{FilteredLayer, FourierInput};

/// Most memory of all maps together; the largest known network (StyleGAN3-R at 1024) needs about 3 GB.
const MAX_MAP_BYTES: u64 = 8 << 30;

/// Numbers shared between a plan and the engines that hold it; a `Vec` becomes one without a copy.
pub type Weights = Arc<Vec<f32>>;

/// Which buffer of [`Plan::buffers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub usize);

/// A feature map or picture `[channels, height, width]` that steps write and read.
/// Each is written by exactly one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// As the fixtures' taps are called: `b8.conv0`, `b8.torgb`, `b8.img`.
    pub name: String,
    pub channels: usize,
    pub height: usize,
    pub width: usize,
}

/// One operation with the name of its layer, such as `b8.conv0`.
#[derive(Clone, Debug)]
pub struct Step {
    pub name: String,
    pub op: Op,
}

/// What a step computes.
#[derive(Clone, Debug)]
pub enum Op {
    Constant(Constant),
    Synthesis(SynthesisLayer),
    ToRgb(ToRgb),
    Residual(Residual),
    Picture(Picture),
    NormConv(NormConv),
    Convolution(Convolution),
    Fourier(FourierInput),
    Filtered(FilteredLayer),
}

/// `out = value`, the learned constant at the start of StyleGAN2.
#[derive(Clone, Debug)]
pub struct Constant {
    pub out: BufferId,
    /// `[C, H, W]`
    pub value: Weights,
}

/// Turns one w into a factor for each input channel: `s = affine(ws[ws_index])`.
#[derive(Clone, Debug)]
pub struct Style {
    /// w_dim → C_in, gains multiplied in.
    pub affine: FullyConnected,
    pub ws_index: usize,
}

/// Per-layer noise, the same for all channels.
#[derive(Clone, Debug)]
pub struct LayerNoise {
    /// `[H, W]` of the output: the noise of [`crate::engine::NoiseMode::Const`]. Empty when the file has none.
    pub constant: Weights,
    /// `noise_strength`
    pub strength: f32,
}

/// The 4-tap low-pass filter of one axis, `[1, 3, 3, 1] / 8` in all known networks. Its sum is 1.
pub type Fir = [f32; 4];

/// The FIR filter of StyleGAN2.
pub const FIR_1331: Fir = [0.125, 0.375, 0.375, 0.125];

/// A StyleGAN2 convolution layer (Karras et al. 2020, section 3; `SynthesisLayer` of stylegan2-ada-pytorch):
///
/// `out = clamp(gain·lrelu(d·conv(weight, s⊙x) + strength·noise + bias))` with slope 0.2 and
/// `d[o] = 1/√(Σ_{i,k} (weight[o,i,k]·s[i])² + 1e-8)`.
///
/// With `up` the convolution is a stride-2 transposed one (kernel not flipped, no padding, `[2H+1, 2W+1]`), then `fir` is
/// applied along y and along x with gain 2 on each axis and padding 1, which gives `[2H, 2W]`.
#[derive(Clone, Debug)]
pub struct SynthesisLayer {
    pub input: BufferId,
    pub out: BufferId,
    pub style: Style,
    /// `[O, I, kernel, kernel]`
    pub weight: Weights,
    /// 3 or 1; zero padding keeps the size. `up` needs 3.
    pub kernel: usize,
    /// Doubles the size.
    pub up: bool,
    pub fir: Fir,
    pub demodulate: bool,
    pub noise: Option<LayerNoise>,
    /// `[O]`
    pub bias: Weights,
    /// After the leaky ReLU: √2, or 1 in resnet blocks.
    pub gain: f32,
    /// Already multiplied by the block's gain.
    pub clamp: Option<f32>,
}

/// `out = clamp(weight·(s⊙x) + bias) + upsample(picture)`: a 1x1 convolution to colours on top of the picture so far.
/// Up-sampling doubles the size by zero insertion, `fir` with gain 2 along each axis and padding 2 before, 1 after
/// (upfirdn of the original code).
#[derive(Clone, Debug)]
pub struct ToRgb {
    pub input: BufferId,
    /// The picture of the block before, half as large.
    pub picture: Option<BufferId>,
    pub out: BufferId,
    /// The factor 1/√C is multiplied in.
    pub style: Style,
    /// `[img_channels, C]`
    pub weight: Weights,
    /// `[img_channels]`
    pub bias: Weights,
    pub clamp: Option<f32>,
    pub fir: Fir,
}

/// `out = branch + upsample(weight·x)`: the skip connection of the resnet architecture, up-sampled like the picture of
/// [`ToRgb`].
#[derive(Clone, Debug)]
pub struct Residual {
    /// Half as large as `branch` and `out`.
    pub input: BufferId,
    pub branch: BufferId,
    pub out: BufferId,
    /// `[O, I]`, gains multiplied in.
    pub weight: Weights,
    pub fir: Fir,
}

/// `out = gain·image + offset`: the picture of [`crate::engine::Inputs::image`].
#[derive(Clone, Debug)]
pub struct Picture {
    pub out: BufferId,
    pub gain: f32,
    pub offset: f32,
}

/// What follows the normalisation of a [`NormConv`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    Linear,
    Relu,
    /// 2·sigmoid(x) − 1: a picture in −1..1.
    SignedSigmoid,
}

/// A convolution with conditional instance normalisation, the layer of feed-forward style networks (Dumoulin et al. 2017):
///
/// `y = conv(weight, pad(up(x)))`, `out = act((y − mean(y))/√(var(y) + eps)·γ + β) (+ residual)`
///
/// with mean and (biased) variance of each channel over the map, reflection padding by `kernel/2`, nearest-neighbour
/// up-sampling before it, and γ, β mixed from the rows of `gamma`, `beta` by [`crate::engine::Inputs::styles`].
#[derive(Clone, Debug)]
pub struct NormConv {
    pub input: BufferId,
    pub out: BufferId,
    /// Added after the activation.
    pub residual: Option<BufferId>,
    /// `[O, I, kernel, kernel]`
    pub weight: Weights,
    /// Odd.
    pub kernel: usize,
    pub stride: usize,
    /// 1 or 2: the input is enlarged by repeating samples before the padding.
    pub up: usize,
    /// `[styles, O]`
    pub gamma: Weights,
    /// `[styles, O]`
    pub beta: Weights,
    pub eps: f32,
    pub activation: Activation,
}

/// `out = clamp(conv(weight, pad(x)) + bias)` with reflection padding by `kernel/2`: the last layer of style networks
/// that end without normalisation (Johnson et al. 2016).
#[derive(Clone, Debug)]
pub struct Convolution {
    pub input: BufferId,
    /// As large as the input.
    pub out: BufferId,
    /// `[O, I, kernel, kernel]`
    pub weight: Weights,
    /// Odd.
    pub kernel: usize,
    /// `[O]`
    pub bias: Weights,
    pub clamp: Option<f32>,
}

/// A network ready for engines.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub name: String,
    pub buffers: Vec<Buffer>,
    /// In the order of execution.
    pub steps: Vec<Step>,
    /// The buffer that is the picture.
    pub output: Option<BufferId>,
    /// Rows of [`crate::engine::Inputs::ws`]; 0 for a plan that takes none.
    pub num_ws: usize,
    pub w_dim: usize,
    /// Length of [`crate::engine::Inputs::styles`]; 0 for a plan that takes none.
    pub styles: usize,
}

/// Why a plan is not consistent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("plan {plan}, step {step}: {what}: expected {expected}, found {found}")]
pub struct PlanError {
    pub plan: String,
    pub step: String,
    pub what: String,
    pub expected: String,
    pub found: String,
}

impl Buffer {
    /// Samples in the map.
    pub fn len(&self) -> usize {
        self.channels * self.height * self.width
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Op {
    /// What kind of operation it is, for profiles and messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Op::Constant(_) => "constant",
            Op::Synthesis(op) if op.up => "synthesis layer, up",
            Op::Synthesis(_) => "synthesis layer",
            Op::ToRgb(_) => "toRGB",
            Op::Residual(_) => "residual",
            Op::Picture(_) => "picture",
            Op::NormConv(_) => "normalised convolution",
            Op::Convolution(_) => "convolution",
            Op::Fourier(_) => "Fourier input",
            Op::Filtered(_) => "filtered layer",
        }
    }

    /// The buffer that the operation writes.
    pub fn out(&self) -> BufferId {
        match self {
            Op::Constant(op) => op.out,
            Op::Synthesis(op) => op.out,
            Op::ToRgb(op) => op.out,
            Op::Residual(op) => op.out,
            Op::Picture(op) => op.out,
            Op::NormConv(op) => op.out,
            Op::Convolution(op) => op.out,
            Op::Fourier(op) => op.out,
            Op::Filtered(op) => op.out,
        }
    }

    /// The buffers that the operation reads.
    pub fn inputs(&self) -> impl Iterator<Item = BufferId> {
        let (first, second) = match self {
            Op::Constant(_) | Op::Picture(_) | Op::Fourier(_) => (None, None),
            Op::Filtered(op) => (Some(op.input), None),
            Op::Synthesis(op) => (Some(op.input), None),
            Op::ToRgb(op) => (Some(op.input), op.picture),
            Op::Residual(op) => (Some(op.input), Some(op.branch)),
            Op::NormConv(op) => (Some(op.input), op.residual),
            Op::Convolution(op) => (Some(op.input), None),
        };
        first.into_iter().chain(second)
    }

    /// The style of the operation, if it has one.
    pub fn style(&self) -> Option<&Style> {
        match self {
            Op::Synthesis(op) => Some(&op.style),
            Op::ToRgb(op) => Some(&op.style),
            Op::Filtered(op) => Some(&op.style),
            _ => None,
        }
    }

    /// Trained numbers in the operation, noise images not counted.
    pub fn parameters(&self) -> usize {
        let style = |s: &Style| s.affine.weight.len() + s.affine.bias.len();
        match self {
            Op::Constant(op) => op.value.len(),
            Op::Synthesis(op) => style(&op.style) + op.weight.len() + op.bias.len() + usize::from(op.noise.is_some()),
            Op::ToRgb(op) => style(&op.style) + op.weight.len() + op.bias.len(),
            Op::Residual(op) => op.weight.len(),
            Op::Picture(_) => 0,
            Op::NormConv(op) => op.weight.len() + op.gamma.len() + op.beta.len(),
            Op::Convolution(op) => op.weight.len() + op.bias.len(),
            Op::Fourier(op) => op.weight.len() + op.affine.weight.len() + op.affine.bias.len(),
            Op::Filtered(op) => style(&op.style) + op.weight.len() + op.bias.len(),
        }
    }
}

impl Plan {
    /// Adds a buffer `[channels, height, width]`.
    pub fn buffer(&mut self, name: impl Into<String>, channels: usize, height: usize, width: usize) -> BufferId {
        self.buffers.push(Buffer { name: name.into(), channels, height, width });
        BufferId(self.buffers.len() - 1)
    }

    /// Adds a step at the end.
    pub fn push(&mut self, name: impl Into<String>, op: Op) {
        self.steps.push(Step { name: name.into(), op });
    }

    /// # Panics
    /// When `id` is not of this plan; [`Plan::check`] makes sure that the ids in steps are.
    pub fn get(&self, id: BufferId) -> &Buffer {
        &self.buffers[id.0]
    }

    /// The buffer of that name.
    pub fn find(&self, name: &str) -> Option<BufferId> {
        self.buffers.iter().position(|b| b.name == name).map(BufferId)
    }

    /// The picture's buffer, when the plan has an output.
    pub fn picture(&self) -> Option<&Buffer> {
        self.buffers.get(self.output?.0)
    }

    /// Trained numbers in the plan.
    pub fn parameters(&self) -> usize {
        self.steps.iter().map(|step| step.op.parameters()).sum()
    }

    /// Multiplications of one step's convolution, done directly (no Winograd, FIR and styles not counted).
    pub fn step_macs(&self, step: &Step) -> u64 {
        let pixels = |id: BufferId| (self.get(id).height * self.get(id).width) as u64;
        match &step.op {
            Op::Constant(_) | Op::Picture(_) => 0,
            Op::Synthesis(op) => op.weight.len() as u64 * pixels(op.input),
            Op::ToRgb(op) => op.weight.len() as u64 * pixels(op.input),
            Op::Residual(op) => op.weight.len() as u64 * pixels(op.input),
            Op::NormConv(op) => op.weight.len() as u64 * pixels(op.out),
            Op::Convolution(op) => op.weight.len() as u64 * pixels(op.out),
            Op::Fourier(op) => op.weight.len() as u64 * pixels(op.out),
            Op::Filtered(op) => {
                let input = self.get(op.input);
                (op.weight.len() * op.convolved(input.height) * op.convolved(input.width)) as u64
            }
        }
    }

    /// Numbers that one step reads and writes at least: weights and maps, each once.
    pub fn step_numbers(&self, step: &Step) -> u64 {
        let maps = step.op.inputs().chain([step.op.out()]).map(|id| self.get(id).len()).sum::<usize>();
        (step.op.parameters() + maps) as u64
    }

    /// Multiplications of one picture; see [`Plan::step_macs`].
    pub fn macs(&self) -> u64 {
        self.steps.iter().map(|step| self.step_macs(step)).sum()
    }

    /// Is every shape consistent, every buffer written once and before it is read?
    ///
    /// # Errors
    /// The first inconsistency, with the name of its step.
    pub fn check(&self) -> Result<(), PlanError> {
        self.check_memory()?;
        let mut written = vec![false; self.buffers.len()];
        for step in &self.steps {
            let check = Check { plan: self, step };
            for id in step.op.inputs() {
                let is_written = written.get(id.0).copied().unwrap_or(false);
                check.that(is_written, "its input", "a buffer written by an earlier step", || {
                    format!("buffer {}", id.0)
                })?;
            }
            let out = step.op.out().0;
            check.that(written.get(out) == Some(&false), "its output", "a buffer not written yet", || {
                format!("buffer {out}")
            })?;
            written[out] = true;
            check.op()?;
        }
        let last =
            Step { name: "output".into(), op: Op::Picture(Picture { out: BufferId(0), gain: 1.0, offset: 0.0 }) };
        let check = Check { plan: self, step: &last };
        let output = self.output.map(|id| id.0).unwrap_or(usize::MAX);
        check.that(written.get(output) == Some(&true), "the picture", "a buffer that a step writes", || "none".into())
    }
}

impl Plan {
    /// Refuses maps that need more memory than any known network's, before anybody makes room for them.
    fn check_memory(&self) -> Result<(), PlanError> {
        let map = |channels: usize, height: usize, width: usize| {
            [channels, height, width, 4].into_iter().map(|n| n as u64).fold(1, u64::saturating_mul)
        };
        // Engines may keep every map, and share what they need between two of them.
        let maps = self.buffers.iter().map(|b| map(b.channels, b.height, b.width)).fold(0, u64::saturating_add);
        let between = |step: &Step| {
            let Some(out) = self.buffers.get(step.op.out().0) else { return 0 };
            match &step.op {
                Op::Fourier(op) => map(op.phases.len(), out.height, out.width),
                Op::Filtered(op) => self.buffers.get(op.input.0).map_or(0, |input| {
                    let (height, width) = (input.height.saturating_add(4), input.width.saturating_add(4));
                    map(input.channels, height, width).saturating_add(map(out.channels, height, width))
                }),
                _ => 0,
            }
        };
        let bytes = maps.saturating_add(self.steps.iter().map(between).max().unwrap_or(0));
        if bytes <= MAX_MAP_BYTES {
            return Ok(());
        }
        let gigabytes = |bytes: u64| format!("{:.1} GB", bytes as f64 / 1e9);
        Err(PlanError {
            plan: self.name.clone(),
            step: "all layers".into(),
            what: "memory of its maps".into(),
            expected: format!("at most {}", gigabytes(MAX_MAP_BYTES)),
            found: gigabytes(bytes),
        })
    }
}

/// Checks one step.
struct Check<'a> {
    plan: &'a Plan,
    step: &'a Step,
}

impl Check<'_> {
    fn that(&self, ok: bool, what: &str, expected: &str, found: impl FnOnce() -> String) -> Result<(), PlanError> {
        if ok {
            return Ok(());
        }
        Err(PlanError {
            plan: self.plan.name.clone(),
            step: self.step.name.clone(),
            what: what.into(),
            expected: expected.into(),
            found: found(),
        })
    }

    /// Gains are numbers, and a clamp leaves something between its two ends.
    fn limits(&self, gains: &[f32], clamp: Option<f32>) -> Result<(), PlanError> {
        let wrong = gains.iter().find(|gain| !gain.is_finite());
        self.that(wrong.is_none(), "gain", "a finite number", || wrong.map(ToString::to_string).unwrap_or_default())?;
        let clamp = clamp.unwrap_or(f32::INFINITY);
        self.that(clamp > 0.0, "clamp", "more than 0", || clamp.to_string())
    }

    fn len(&self, what: &str, found: &[f32], expected: usize) -> Result<(), PlanError> {
        self.that(found.len() == expected, what, &format!("{expected} numbers"), || found.len().to_string())
    }

    /// Is `id` a map of `scale` times the height and width of `like`?
    fn size(&self, what: &str, id: BufferId, like: &Buffer, scale: usize) -> Result<(), PlanError> {
        let b = self.plan.get(id);
        let expected = format!("{} x {}", like.height * scale, like.width * scale);
        let ok = b.height == like.height * scale && b.width == like.width * scale;
        self.that(ok, what, &expected, || format!("{} x {}", b.height, b.width))
    }

    fn style(&self, style: &Style, channels: usize) -> Result<(), PlanError> {
        let (a, plan) = (&style.affine, self.plan);
        self.that(a.inputs == plan.w_dim && a.inputs > 0, "width of the style", &plan.w_dim.to_string(), || {
            a.inputs.to_string()
        })?;
        self.that(a.outputs == channels, "style", &format!("{channels} factors"), || a.outputs.to_string())?;
        self.len("affine weight", &a.weight, a.inputs * a.outputs)?;
        self.that(a.bias.is_empty() || a.bias.len() == channels, "affine bias", &channels.to_string(), || {
            a.bias.len().to_string()
        })?;
        self.that(style.ws_index < plan.num_ws, "index into ws", &format!("below {}", plan.num_ws), || {
            style.ws_index.to_string()
        })
    }

    fn op(&self) -> Result<(), PlanError> {
        let out = self.plan.get(self.step.op.out());
        self.that(!out.is_empty(), "output", "a map of at least one sample", || format!("{out:?}"))?;
        match &self.step.op {
            Op::Constant(op) => self.len("value", &op.value, out.len()),
            Op::Synthesis(op) => self.synthesis(op, out),
            Op::ToRgb(op) => self.torgb(op, out),
            Op::Residual(op) => {
                let input = self.plan.get(op.input);
                self.len("weight", &op.weight, input.channels * out.channels)?;
                self.size("output", op.out, input, 2)?;
                self.size("branch", op.branch, out, 1)?;
                let branch = self.plan.get(op.branch).channels;
                self.that(branch == out.channels, "channels of the branch", &out.channels.to_string(), || {
                    branch.to_string()
                })
            }
            Op::Picture(_) => Ok(()),
            Op::NormConv(op) => self.norm_conv(op, out),
            Op::Convolution(op) => self.convolution(op, out),
            Op::Fourier(op) => self.fourier(op, out),
            Op::Filtered(op) => self.filtered(op, out),
        }
    }

    fn synthesis(&self, op: &SynthesisLayer, out: &Buffer) -> Result<(), PlanError> {
        let input = self.plan.get(op.input);
        self.limits(&[op.gain], op.clamp)?;
        self.size("output", op.out, input, if op.up { 2 } else { 1 })?;
        self.style(&op.style, input.channels)?;
        let kernels: &[usize] = if op.up { &[3] } else { &[1, 3] };
        self.that(kernels.contains(&op.kernel), "kernel", &format!("one of {kernels:?}"), || op.kernel.to_string())?;
        self.len("weight", &op.weight, out.channels * input.channels * op.kernel * op.kernel)?;
        self.len("bias", &op.bias, out.channels)?;
        match &op.noise {
            Some(noise) if !noise.constant.is_empty() => {
                self.len("noise_const", &noise.constant, out.height * out.width)
            }
            _ => Ok(()),
        }
    }

    fn torgb(&self, op: &ToRgb, out: &Buffer) -> Result<(), PlanError> {
        let input = self.plan.get(op.input);
        self.limits(&[], op.clamp)?;
        self.size("output", op.out, input, 1)?;
        self.style(&op.style, input.channels)?;
        self.that((1..=4).contains(&out.channels), "colours", "1 to 4", || out.channels.to_string())?;
        self.len("weight", &op.weight, out.channels * input.channels)?;
        self.len("bias", &op.bias, out.channels)?;
        let Some(picture) = op.picture else { return Ok(()) };
        self.size("output", op.out, self.plan.get(picture), 2)?;
        let colours = self.plan.get(picture).channels;
        self.that(colours == out.channels, "colours of the picture so far", &out.channels.to_string(), || {
            colours.to_string()
        })
    }

    fn convolution(&self, op: &Convolution, out: &Buffer) -> Result<(), PlanError> {
        let input = self.plan.get(op.input);
        self.limits(&[], op.clamp)?;
        self.that(op.kernel % 2 == 1, "kernel", "an odd number", || op.kernel.to_string())?;
        self.size("output", op.out, input, 1)?;
        self.len("weight", &op.weight, out.channels * input.channels * op.kernel * op.kernel)?;
        self.len("bias", &op.bias, out.channels)
    }

    fn norm_conv(&self, op: &NormConv, out: &Buffer) -> Result<(), PlanError> {
        let (input, styles) = (self.plan.get(op.input), self.plan.styles);
        self.that(op.kernel % 2 == 1, "kernel", "an odd number", || op.kernel.to_string())?;
        self.that(matches!(op.up, 1 | 2), "up-sampling", "1 or 2", || op.up.to_string())?;
        self.that(matches!(op.stride, 1 | 2), "stride", "1 or 2", || op.stride.to_string())?;
        let size = |n: usize| (n * op.up).div_ceil(op.stride);
        let expected = (size(input.height), size(input.width));
        self.that((out.height, out.width) == expected, "output", &format!("{expected:?}"), || format!("{out:?}"))?;
        // Reflection needs more samples than it reflects.
        let smallest = input.height.min(input.width) * op.up;
        self.that(smallest > op.kernel / 2, "input", "larger than half the kernel", || format!("{input:?}"))?;
        self.len("weight", &op.weight, out.channels * input.channels * op.kernel * op.kernel)?;
        self.that(styles > 0, "styles of the plan", "at least one", || "none".into())?;
        self.len("gamma", &op.gamma, styles * out.channels)?;
        self.len("beta", &op.beta, styles * out.channels)?;
        let Some(residual) = op.residual else { return Ok(()) };
        let r = self.plan.get(residual);
        let same = (r.channels, r.height, r.width) == (out.channels, out.height, out.width);
        self.that(same, "residual", &format!("{out:?}"), || format!("{r:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::stylegan3::{Config, random};

    fn plan() -> Plan {
        (*random(Config::T, 64, 1024, 32, 16).plan).clone()
    }

    #[test]
    fn maps_beyond_all_bounds_are_refused_before_they_are_made() {
        assert!(plan().check().is_ok());
        for side in [1 << 20, usize::MAX] {
            let mut plan = plan();
            (plan.buffers[3].height, plan.buffers[3].width) = (side, side);
            let message = plan.check().expect_err("too much").to_string();
            assert!(message.contains("at most 8.6 GB"), "{message}");
        }
        assert!(random(Config::R, 1024, 65_536, 1024, 512).plan.check().is_ok(), "the largest that is known");
    }

    #[test]
    fn clamps_and_gains_that_mean_nothing_are_refused() {
        let with = |change: fn(&mut FilteredLayer)| {
            let mut plan = plan();
            let op = plan.steps.iter_mut().find_map(|s| if let Op::Filtered(op) = &mut s.op { Some(op) } else { None });
            change(op.expect("there are filtered layers"));
            plan.check().expect_err("refused").to_string()
        };
        for message in [with(|op| op.clamp = Some(-1.0)), with(|op| op.clamp = Some(f32::NAN))] {
            assert!(message.contains("clamp"), "{message}");
        }
        assert!(with(|op| op.gain = f32::INFINITY).contains("gain"));
    }
}
