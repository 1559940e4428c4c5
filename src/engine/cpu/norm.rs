//! Instance norm with one gamma and beta per style, and the activations of style networks.
//!
//! Each channel is normalised over its pixels, then scaled and shifted by the mix of styles; activation and residual
//! follow in the same pass. One channel per task; allocates nothing.

use pulp::{Simd, WithSimd};

use super::conv::Parts;
use super::pool::Turn;
use super::simd::Isa;
use crate::engine::plan::Activation;

/// Instance norm, activation and residual of some channels.
#[derive(Clone, Debug)]
pub struct InstanceNorm {
    channels: usize,
    /// `[styles, channels]`
    gamma: Vec<f32>,
    beta: Vec<f32>,
    eps: f32,
    activation: Activation,
}

impl InstanceNorm {
    /// `gamma` and `beta` are `[styles, channels]`; `eps` is added to the variance.
    ///
    /// # Panics
    /// When the lengths do not match; plans are checked beforehand.
    pub fn new(channels: usize, gamma: &[f32], beta: &[f32], eps: f32, activation: Activation) -> Self {
        assert!(
            gamma.len() == beta.len() && gamma.len().is_multiple_of(channels),
            "gamma and beta of an instance norm"
        );
        InstanceNorm { channels, gamma: gamma.to_vec(), beta: beta.to_vec(), eps, activation }
    }

    /// Normalises `maps` `[channels, pixels]` in place. `mix` holds one weight per style; `residual` of the same shape
    /// as `maps` is added after the activation.
    pub fn run(&self, turn: &Turn, isa: Isa, maps: &mut [f32], mix: &[f32], residual: Option<&[f32]>) {
        let pixels = maps.len() / self.channels;
        let maps = Parts::new(maps);
        turn.run(self.channels, &|channel, _| {
            // SAFETY: each task has a different channel.
            let map = unsafe { maps.part(channel * pixels, pixels) };
            let residual = residual.map(|maps| &maps[channel * pixels..][..pixels]);
            isa.run(Channel { norm: self, channel, map, mix, residual });
        });
    }
}

/// One channel of a norm.
struct Channel<'a> {
    norm: &'a InstanceNorm,
    channel: usize,
    map: &'a mut [f32],
    mix: &'a [f32],
    residual: Option<&'a [f32]>,
}

impl WithSimd for Channel<'_> {
    type Output = ();

    // Plain loops, which the compiler vectorises for the instruction set of the function they are inlined into.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Channel { norm, channel, map, mix, residual } = self;
        let mixed = |table: &[f32]| -> f32 {
            mix.iter().zip(table.iter().skip(channel).step_by(norm.channels)).map(|(m, v)| m * v).sum()
        };
        let (mean, variance) = moments(map);
        let scale = mixed(&norm.gamma) / (variance + norm.eps).sqrt();
        let shift = mixed(&norm.beta) - mean * scale;
        match norm.activation {
            Activation::Linear => finish(map, residual, |x| x * scale + shift),
            Activation::Relu => finish(map, residual, |x| (x * scale + shift).max(0.0)),
            Activation::SignedSigmoid => finish(map, residual, |x| signed_sigmoid(x * scale + shift)),
        }
    }
}

#[inline(always)]
fn finish(map: &mut [f32], residual: Option<&[f32]>, f: impl Fn(f32) -> f32) {
    match residual {
        Some(residual) => map.iter_mut().zip(residual).for_each(|(x, r)| *x = f(*x) + r),
        None => map.iter_mut().for_each(|x| *x = f(*x)),
    }
}

/// Mean and (biased) variance in two passes, so that a nearly constant map loses no precision.
#[inline(always)]
pub fn moments(map: &[f32]) -> (f32, f32) {
    let mean = (sum_of(map, |x| x) / map.len() as f64) as f32;
    let variance = (sum_of(map, |x| (x - mean) * (x - mean)) / map.len() as f64) as f32;
    (mean, variance)
}

/// Sum of `f` over the values: 32-bit lanes over short runs, with the runs added in 64 bits.
#[inline(always)]
fn sum_of(map: &[f32], f: impl Fn(f32) -> f32) -> f64 {
    const LANES: usize = 64;
    let mut total = 0.0;
    for run in map.chunks(LANES * 16) {
        let mut lanes = [0.0f32; LANES];
        let vectors = run.chunks_exact(LANES);
        let rest: f32 = vectors.remainder().iter().map(|&x| f(x)).sum();
        for vector in vectors {
            for (lane, &x) in lanes.iter_mut().zip(vector) {
                *lane += f(x);
            }
        }
        total += f64::from(lanes.iter().sum::<f32>() + rest);
    }
    total
}

/// `2 / (1 + e^-x) - 1 = tanh(x / 2)`, to about 1e-7: e^y as 2^n times a polynomial on ±½ ln 2, written out so that
/// loops over it vectorise.
#[inline(always)]
pub fn signed_sigmoid(x: f32) -> f32 {
    let y = (-x).clamp(-80.0, 80.0) * std::f32::consts::LOG2_E;
    // Adding and subtracting 1.5 * 2^23 rounds to a whole number, which is then in the low bits.
    let rounded = y + 12_582_912.0;
    let n = rounded - 12_582_912.0;
    let r = (y - n) * std::f32::consts::LN_2;
    let series =
        1.0 + r * (1.0 + r * (0.5 + r * (1.0 / 6.0 + r * (1.0 / 24.0 + r * (1.0 / 120.0 + r * (1.0 / 720.0))))));
    let two_to_n = f32::from_bits((n as i32 + 127).cast_unsigned() << 23);
    2.0 / (1.0 + series * two_to_n) - 1.0
}

#[cfg(test)]
mod test {
    use super::super::pool::Pool;
    use super::*;

    fn normalised(norm: &InstanceNorm, map: &[f32], mix: &[f32], residual: Option<&[f32]>) -> Vec<f32> {
        let mut map = map.to_vec();
        norm.run(&Pool::new(2).turn(), Isa::best(), &mut map, mix, residual);
        map
    }

    #[test]
    fn moments_of_a_shifted_map_keep_their_digits() {
        let map: Vec<f32> = (0..5000).map(|i| 1000.0 + (i % 2) as f32 * 0.5).collect();
        assert_eq!(moments(&map), (1000.25, 0.0625));
        assert_eq!(moments(&[3.0; 77]), (3.0, 0.0));
    }

    #[test]
    fn styles_are_mixed_by_their_weights() {
        let norm = InstanceNorm::new(1, &[2.0, 4.0], &[0.0, 1.0], 0.0, Activation::Linear);
        assert_eq!(normalised(&norm, &[1.0, 3.0], &[0.5, 0.5], None), [-2.5, 3.5]);
        let norm = InstanceNorm::new(1, &[2.0, 4.0], &[0.0, 1.0], 0.0, Activation::Relu);
        assert_eq!(normalised(&norm, &[1.0, 3.0], &[1.0, 0.0], Some(&[10.0, 20.0])), [10.0, 22.0]);
    }

    #[test]
    fn the_sigmoid_agrees_with_the_library() {
        for i in -2000..=2000 {
            let x = i as f32 / 50.0;
            let expected = (f64::from(x) / 2.0).tanh();
            assert!((f64::from(signed_sigmoid(x)) - expected).abs() < 3e-7, "{x}");
        }
        assert_eq!((signed_sigmoid(1e9), signed_sigmoid(-1e9)), (1.0, -1.0));
    }
}
