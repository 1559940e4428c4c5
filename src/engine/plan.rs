//! A plan: a network as a flat list of a few fused operations over named buffers.
//!
//! `network` lowers architectures to plans; engines run plans and know nothing of architectures. Weights are plain
//! 32-bit floats in the layout of the file (`[O, I, k, k]`); an engine transforms and packs them once, in
//! [`crate::engine::Engine::prepare`]. Steps and buffers carry the checkpoint's dotted names, for profiles, taps and
//! network bending. A new kind of layer is a new variant of [`Op`]; the others stay as they are.
//!
//! Nothing here computes or does I/O. [`Plan::check`] checks that a plan is consistent, so that engines can trust the
//! shapes of a checked plan.

mod check;
mod filtered;
mod gated;
mod module;
mod small;

use std::sync::Arc;

use crate::latent::mapping::FullyConnected;

pub use filtered::{FilteredLayer, FourierInput};
pub use gated::{Gated, Gates, Gating, Latent};
pub use module::{Argument, Module, Range, Script};

/// Numbers shared between a plan and the engines that use it; a `Vec` becomes one without a copy.
pub type Weights = Arc<Vec<f32>>;

/// Index into [`Plan::buffers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BufferId(pub usize);

/// A feature map or picture `[channels, height, width]` that steps write and read.
/// Each is written by exactly one step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// Named like the fixtures' taps: `b8.conv0`, `b8.torgb`, `b8.img`.
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
    Latent(Latent),
    Gated(Gated),
    Gates(Gates),
    Module(Module),
}

/// `out = value`, the learned constant at the start of StyleGAN2.
#[derive(Clone, Debug)]
pub struct Constant {
    pub out: BufferId,
    /// `[C, H, W]`
    pub value: Weights,
}

/// Turns one w into a factor per input channel: `s = affine(ws[ws_index])`.
#[derive(Clone, Debug)]
pub struct Style {
    /// w_dim → C_in, gains multiplied in. Without weights the factors are the bias, whatever w is.
    pub affine: FullyConnected,
    pub ws_index: usize,
}

impl Style {
    /// Factors that no w changes.
    pub fn constant(factors: Vec<f32>, w_dim: usize) -> Style {
        let outputs = factors.len();
        Style { affine: FullyConnected { weight: Vec::new(), bias: factors, inputs: w_dim, outputs }, ws_index: 0 }
    }
}

/// Per-layer noise, the same for all channels.
#[derive(Clone, Debug)]
pub struct LayerNoise {
    /// `[H, W]` of the output: the noise of [`crate::engine::NoiseMode::Const`]. Empty if the file has none.
    pub constant: Weights,
    /// `noise_strength`
    pub strength: f32,
}

/// The 4-tap low-pass filter of one axis, `[1, 3, 3, 1] / 8` in all known networks. Its sum is 1.
pub type Fir = [f32; 4];

/// StyleGAN2's FIR filter.
pub const FIR_1331: Fir = [0.125, 0.375, 0.375, 0.125];

/// A StyleGAN2 convolution layer (Karras et al. 2020, section 3; `SynthesisLayer` of stylegan2-ada-pytorch):
///
/// `out = clamp(gain·lrelu(d·conv(weight, s⊙x) + strength·noise + bias))` with the slope of lrelu, 0.2, and
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
    /// Of the leaky ReLU: 0.2, or 1 for a linear layer.
    pub slope: f32,
    /// Already multiplied by the block's gain.
    pub clamp: Option<f32>,
}

/// `out = clamp(weight·(s⊙x) + bias) + upsample(picture)`: a 1x1 convolution to colours on top of the picture so far.
/// Up-sampling doubles the size by zero insertion, `fir` with gain 2 along each axis and padding 2 before, 1 after
/// (upfirdn of the original code). A picture that is as large as the output is added as it is.
#[derive(Clone, Debug)]
pub struct ToRgb {
    pub input: BufferId,
    /// The picture of the previous block, half as large; or as large, in a plan that has stopped growing.
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

/// The activation after the normalisation of a [`NormConv`].
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
    /// 1 or 2: the input is enlarged by repeating samples, before padding.
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
    /// In execution order.
    pub steps: Vec<Step>,
    /// The buffer of the picture.
    pub output: Option<BufferId>,
    /// Rows of [`crate::engine::Inputs::ws`]; 0 if the plan takes none.
    pub num_ws: usize,
    pub w_dim: usize,
    /// Length of [`crate::engine::Inputs::styles`]; 0 if the plan takes none.
    pub styles: usize,
}

/// Why a plan is inconsistent.
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
    /// Number of samples in the map.
    pub fn len(&self) -> usize {
        self.channels * self.height * self.width
    }
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Op {
    /// The kind of operation, for profiles and messages.
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
            Op::Latent(_) => "latent",
            Op::Gated(_) => "gated layer",
            Op::Gates(_) => "gates",
            Op::Module(_) => "TorchScript module",
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
            Op::Latent(op) => op.out,
            Op::Gated(op) => op.out,
            Op::Gates(op) => op.out,
            Op::Module(op) => op.out,
        }
    }

    /// The buffers that the operation reads.
    pub fn inputs(&self) -> impl Iterator<Item = BufferId> {
        let (first, second) = match self {
            Op::Constant(_) | Op::Picture(_) | Op::Fourier(_) | Op::Latent(_) => (None, None),
            Op::Gated(op) => (Some(op.input), op.gates),
            Op::Gates(op) => (Some(op.input), None),
            Op::Module(op) => (op.input, None),
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
            Op::Latent(op) => Some(&op.style),
            Op::Gated(op) => Some(&op.style),
            _ => None,
        }
    }

    /// Trained parameters of the operation, not counting noise images.
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
            Op::Latent(op) => style(&op.style),
            Op::Gated(op) => style(&op.style),
            Op::Gates(op) => op.squeeze.len() + op.excite.len(),
            Op::Module(op) => op.script.parameters,
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
    /// When `id` is not from this plan; [`Plan::check`] ensures that the ids in steps are.
    pub fn get(&self, id: BufferId) -> &Buffer {
        &self.buffers[id.0]
    }

    /// The buffer with this name.
    pub fn find(&self, name: &str) -> Option<BufferId> {
        self.buffers.iter().position(|b| b.name == name).map(BufferId)
    }

    /// The picture's buffer, if the plan has an output.
    pub fn picture(&self) -> Option<&Buffer> {
        self.buffers.get(self.output?.0)
    }

    /// Trained parameters of the plan.
    pub fn parameters(&self) -> usize {
        self.steps.iter().map(|step| step.op.parameters()).sum()
    }

    /// Multiplications of one step's convolution, as if computed directly, not counting FIR and styles.
    pub fn step_macs(&self, step: &Step) -> u64 {
        let pixels = |id: BufferId| (self.get(id).height * self.get(id).width) as u64;
        match &step.op {
            // What a module does inside is not known.
            Op::Constant(_) | Op::Picture(_) | Op::Gated(_) | Op::Module(_) => 0,
            Op::Latent(op) => op.style.affine.weight.len() as u64,
            Op::Gates(op) => (op.squeeze.len() + op.excite.len()) as u64,
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

    /// Minimum numbers that one step reads and writes: weights and maps, each once.
    pub fn step_numbers(&self, step: &Step) -> u64 {
        let maps = step.op.inputs().chain([step.op.out()]).map(|id| self.get(id).len()).sum::<usize>();
        (step.op.parameters() + maps) as u64
    }

    /// Multiplications per picture; see [`Plan::step_macs`].
    pub fn macs(&self) -> u64 {
        self.steps.iter().map(|step| self.step_macs(step)).sum()
    }
}
