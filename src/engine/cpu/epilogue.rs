//! What follows a convolution: demodulation, noise, bias, leaky ReLU and clamp in one pass, for one row of pixels.

use std::ops::Range;

use pulp::Simd;

use super::memory::Floats;
use super::simd::{fma, load, store};
use crate::engine::plan::SynthesisLayer;

/// The epilogue of one synthesis layer: `clamp(lrelu(α·y + σ·n + b))`, the gain multiplied into α, σ and b.
pub struct Epilogue {
    /// `[C_out]`, padded with zeros.
    bias: Floats,
    /// Infinite for no clamp.
    clamp: f32,
    slope: f32,
    /// gain·noise_strength
    pub sigma: f32,
}

/// The epilogue for one picture.
#[derive(Clone, Copy)]
pub struct RowEpilogue {
    pub alpha: *const f32,
    pub bias: *const f32,
    /// `[H, W]`
    pub noise: *const f32,
    /// Numbers from one row of noise to the next.
    pub noise_row: usize,
    /// What the noise is multiplied by.
    pub sigma: f32,
    pub clamp: f32,
    /// Of the leaky ReLU, at most 1.
    pub slope: f32,
}

// SAFETY: the memory behind the pointers is only read while a stage runs.
unsafe impl Sync for RowEpilogue {}
// SAFETY: as above.
unsafe impl Send for RowEpilogue {}

impl Epilogue {
    pub fn new(op: &SynthesisLayer, lanes: usize) -> Epilogue {
        let mut bias = Floats::new(op.bias.len().next_multiple_of(lanes));
        bias.as_mut_slice().iter_mut().zip(op.bias.iter()).for_each(|(to, from)| *to = op.gain * from);
        let sigma = op.noise.as_ref().map_or(0.0, |noise| op.gain * noise.strength);
        Epilogue { bias, clamp: op.clamp.unwrap_or(f32::INFINITY), slope: op.slope, sigma }
    }

    /// `noise` is `[H, W]`, or one row for all when `noise_row` is 0; `noise_gain` multiplies it once more.
    pub fn for_picture(&self, alpha: &Floats, noise: *const f32, noise_row: usize, noise_gain: f32) -> RowEpilogue {
        let (alpha, bias) = (alpha.ptr().cast_const(), self.bias.ptr().cast_const());
        let (clamp, slope) = (self.clamp, self.slope);
        RowEpilogue { alpha, bias, noise, noise_row, sigma: self.sigma * noise_gain, clamp, slope }
    }
}

impl RowEpilogue {
    /// The epilogue for one vector of channels from `channel` on.
    ///
    /// # Safety
    /// Whole vectors must be readable at `channel` in alpha and bias.
    #[inline(always)]
    pub unsafe fn vector<S: Simd>(&self, simd: S, channel: usize) -> VectorEnding<S> {
        // SAFETY: readable, as the caller guarantees.
        unsafe {
            VectorEnding {
                alpha: load::<S>(self.alpha.add(channel)),
                bias: load::<S>(self.bias.add(channel)),
                slope: simd.splat_f32s(self.slope),
                low: simd.splat_f32s(-self.clamp),
                high: simd.splat_f32s(self.clamp),
            }
        }
    }

    /// σ·n of one pixel.
    ///
    /// # Safety
    /// The pixel must be inside the noise.
    #[inline(always)]
    pub unsafe fn noise_at(&self, y: usize, x: usize) -> f32 {
        // SAFETY: in bounds, as the caller guarantees.
        self.sigma * unsafe { *self.noise.add(y * self.noise_row + x) }
    }

    /// Ends `channels` (whole vectors) of the pixels 0..`width` of row `y`, in place: `row` points to the first pixel's
    /// channel 0, `step` numbers lie between pixels.
    ///
    /// # Safety
    /// That part of the row must belong to the caller alone, and everything must be inside.
    #[inline(always)]
    pub unsafe fn row<S: Simd>(
        &self,
        simd: S,
        row: *mut f32,
        step: usize,
        y: usize,
        width: usize,
        channels: Range<usize>,
    ) {
        for channel in channels.step_by(S::F32_LANES) {
            // SAFETY: in bounds, as the caller guarantees.
            unsafe {
                let epilogue = self.vector(simd, channel);
                for x in 0..width {
                    let at = row.add(x * step + channel);
                    let noise = simd.splat_f32s(self.noise_at(y, x));
                    store::<S>(at, epilogue.apply(simd, load::<S>(at), noise));
                }
            }
        }
    }
}

/// The epilogue of one vector of channels, in registers.
#[derive(Clone, Copy)]
pub struct VectorEnding<S: Simd> {
    alpha: S::f32s,
    bias: S::f32s,
    slope: S::f32s,
    low: S::f32s,
    high: S::f32s,
}

impl<S: Simd> VectorEnding<S> {
    /// `noise` is σ·n in all lanes.
    #[inline(always)]
    pub fn apply(&self, simd: S, y: S::f32s, noise: S::f32s) -> S::f32s {
        let x = fma(simd, y, self.alpha, simd.add_f32s(self.bias, noise));
        let x = simd.max_f32s(x, simd.mul_f32s(x, self.slope));
        simd.max_f32s(simd.min_f32s(x, self.high), self.low)
    }
}
