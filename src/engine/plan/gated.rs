//! The operations of FastGAN that StyleGAN2 does not have: a map computed from one w, gated linear units, and gates for a
//! large map computed from a small one. Its convolutions are [`super::SynthesisLayer`]s with a linear epilogue.

use super::{BufferId, Style, Weights};

/// `out = affine(ws[ws_index])`, as `[C, H, W]`: a transposed convolution of a single sample.
#[derive(Clone, Debug)]
pub struct Latent {
    pub out: BufferId,
    /// w_dim → C·H·W
    pub style: Style,
}

/// What [`Gated`] does with its normalised input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gating {
    /// A gated linear unit: `y[c]·sigmoid(y[c + C])`, `[2C, H, W]` to `[C, H, W]`.
    Glu,
    /// y unchanged.
    Linear,
    Tanh,
}

/// Normalisation by stored statistics, and the operations after it:
///
/// `y = scale·x + shift`, `out = gating(y) (·gates)`
///
/// where scale and shift, one of each per input channel, are an affine function of a w (the class), or constant if the
/// affine has no weights.
#[derive(Clone, Debug)]
pub struct Gated {
    pub input: BufferId,
    pub out: BufferId,
    /// w_dim → 2·(channels of the input): all scales, then all shifts.
    pub style: Style,
    pub gating: Gating,
    /// `[C, 1, 1]`: the result of a [`Gates`], a factor per channel.
    pub gates: Option<BufferId>,
}

/// Skip-layer excitation (Liu et al. 2021, section 3.1): a factor per channel of a large map, computed from a small one.
///
/// `out = sigmoid(excite·swish(squeeze·m))`, where m are the averages of the input over a grid of [`Gates::GRID`]² equal
/// cells.
#[derive(Clone, Debug)]
pub struct Gates {
    /// `[S, H, W]`, H and W multiples of the grid.
    pub input: BufferId,
    /// `[C, 1, 1]`
    pub out: BufferId,
    /// `[C, S, 4, 4]`
    pub squeeze: Weights,
    /// `[C, C]`
    pub excite: Weights,
}

impl Gates {
    /// Cells along an axis.
    pub const GRID: usize = 4;
}
