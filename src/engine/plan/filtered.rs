//! The operations of StyleGAN3: Fourier features, and layers with filters around their non-linearity.
//!
//! Source of the maths: Karras et al., "Alias-Free Generative Adversarial Networks" (2021). Nothing here computes.

use super::{BufferId, Style, Weights};
use crate::engine::Transform;
use crate::latent::mapping::FullyConnected;

/// Sine waves of learned frequencies, translated and rotated by w and by the player, mixed by a matrix (`SynthesisInput`):
///
/// `(r_c, r_s, t_x, t_y) = affine(ws[ws_index])`, divided by the length of (r_c, r_s), gives a rotation and a translation;
/// followed by [`crate::engine::Transform`] they change frequencies and phases, and
/// `out = weight·(amplitude·sin(2π(freqs·position + phases)))`, where the amplitude falls from 1 at `bandwidth` to 0 at
/// `sampling_rate / 2`.
#[derive(Clone, Debug)]
pub struct FourierInput {
    pub out: BufferId,
    /// w_dim → 4, gains multiplied in.
    pub affine: FullyConnected,
    pub ws_index: usize,
    /// `[C, 2]`: x and y, in cycles per picture.
    pub freqs: Weights,
    /// `[C]`, in cycles.
    pub phases: Weights,
    /// `[O, C]`, the factor 1/√C multiplied in.
    pub weight: Weights,
    /// Samples per picture.
    pub sampling_rate: f32,
    pub bandwidth: f32,
    /// The network's transform, applied before the player's.
    pub transform: Transform,
}

/// A StyleGAN3 layer: convolution, up-sampling, leaky ReLU, clamp, down-sampling.
///
/// `y = d[o]·conv(weight, s⊙x)·magnitude + bias` with zero padding `kernel − 1`, so that the map grows by that; then on each axis
/// `up − 1` zeros after each sample, `padding`, the up filter times `up`; then `clamp(gain·lrelu(y))`; then the down
/// filter, every `down`-th sample, and `output_gain`.
/// With `demodulate`, s is divided by its root mean square and `d[o] = 1/√(Σ_{i,k} (weight[o,i,k]·s[i])² + 1e-8)`.
#[derive(Clone, Debug)]
pub struct FilteredLayer {
    pub input: BufferId,
    pub out: BufferId,
    pub style: Style,
    /// `[O, I, kernel, kernel]`; with `demodulate` each output's weights have a mean square of 1.
    pub weight: Weights,
    /// 1 or 3.
    pub kernel: usize,
    pub demodulate: bool,
    /// 1/√`magnitude_ema`
    pub magnitude: f32,
    /// `[O]`
    pub bias: Weights,
    pub up: usize,
    pub down: usize,
    /// Samples added (or, if negative, cropped) after inserting zeros, on both axes: before and after.
    pub padding: [i64; 2],
    /// Symmetric, with sum 1; `[1.0]` for none.
    pub up_filter: Weights,
    /// Symmetric, with sum 1; `[1.0]` for none; a square matrix if `radial`.
    pub down_filter: Weights,
    pub radial: bool,
    /// Slope of the leaky ReLU: 0.2, or 1 for toRGB.
    pub slope: f32,
    /// √2, or 1 for toRGB.
    pub gain: f32,
    pub clamp: Option<f32>,
    /// 1, or the network's `output_scale` in the last layer.
    pub output_gain: f32,
}

impl FilteredLayer {
    /// Taps of the down filter along one axis.
    pub fn down_taps(&self) -> usize {
        if self.radial { self.down_filter.len().isqrt() } else { self.down_filter.len() }
    }

    /// Samples along an axis after the convolution.
    pub fn convolved(&self, input: usize) -> usize {
        input + self.kernel - 1
    }

    /// Samples along an axis between the filters. `None` if the padding crops everything.
    pub fn between(&self, input: usize) -> Option<usize> {
        let zeros = i64::try_from(self.convolved(input).checked_mul(self.up)?).ok()?;
        let size = zeros.checked_add(self.padding[0])?.checked_add(self.padding[1])? + 1;
        usize::try_from(size - i64::try_from(self.up_filter.len()).ok()?).ok().filter(|&n| n >= self.down_taps().max(1))
    }

    /// Samples along an axis of the output.
    pub fn outputs(&self, input: usize) -> Option<usize> {
        Some((self.between(input)? - self.down_taps()) / self.down + 1)
    }
}
