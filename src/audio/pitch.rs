//! Pitch: the frequency at which the sound repeats, where it does.
//!
//! The autocorrelation of the windowed samples divided by that of the window, with a small preference for higher
//! candidates (Boersma, "Accurate short-term analysis of the fundamental frequency", 1993).

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner};

use super::RATE;

/// Lowest and highest pitch, five octaves apart: A1 and A6.
pub const LOWEST_HZ: f64 = 55.0;
pub const HIGHEST_HZ: f64 = 1760.0;

/// Below this correlation there is no pitch.
const CLEAR: f64 = 0.6;
/// What a candidate loses per octave that it lies lower.
const OCTAVE_COST: f64 = 0.02;

/// The pitch of a spectrum.
pub struct Pitch {
    inverse: Arc<dyn ComplexToReal<f32>>,
    bins: Vec<Complex<f32>>,
    correlation: Vec<f32>,
    scratch: Vec<Complex<f32>>,
    /// Autocorrelation of the window by lag, 1 at lag 0.
    window: Vec<f64>,
    hz: f64,
    clarity: f64,
}

impl Pitch {
    /// For a power spectrum over `size` samples with a Hann window.
    pub fn new(size: usize) -> Self {
        let inverse = RealFftPlanner::new().plan_fft_inverse(size);
        let lags = Pitch::longest() + 2;
        Pitch {
            bins: inverse.make_input_vec(),
            correlation: inverse.make_output_vec(),
            scratch: inverse.make_scratch_vec(),
            window: (0..lags).map(|lag| hann_correlation(lag as f64 / size as f64)).collect(),
            inverse,
            hz: 0.0,
            clarity: 0.0,
        }
    }

    fn shortest() -> usize {
        (f64::from(RATE) / HIGHEST_HZ) as usize
    }

    fn longest() -> usize {
        (f64::from(RATE) / LOWEST_HZ).ceil() as usize
    }

    /// Every fourth hop: the power spectrum, and whether anything is heard. Without a clear pitch the last one stays.
    pub fn update(&mut self, power: &[f32], heard: bool) {
        self.clarity = 0.0;
        if !heard {
            return;
        }
        for (bin, &power) in self.bins.iter_mut().zip(power) {
            *bin = Complex::new(power, 0.0);
        }
        // A power spectrum is one-sided: its ends count once, the bins between twice.
        let last = power.len() - 1;
        self.bins[0].re *= 2.0;
        self.bins[last].re *= 2.0;
        let done = self.inverse.process_with_scratch(&mut self.bins, &mut self.correlation, &mut self.scratch);
        debug_assert!(done.is_ok());
        let whole = f64::from(self.correlation[0]).max(1e-30);
        let at = |lag: usize| f64::from(self.correlation[lag]) / (whole * self.window[lag]);
        let mut best = (f64::MIN, 0.0, 0.0);
        for lag in Pitch::shortest()..=Pitch::longest() {
            let (left, middle, right) = (at(lag - 1), at(lag), at(lag + 1));
            if middle < left || middle <= right {
                continue;
            }
            let bend = left - 2.0 * middle + right;
            let shift = if bend < 0.0 { 0.5 * (left - right) / bend } else { 0.0 };
            let hz = f64::from(RATE) / (lag as f64 + shift);
            let height = middle - 0.25 * (left - right) * shift;
            let score = height + OCTAVE_COST * (hz / LOWEST_HZ).log2();
            if score > best.0 {
                best = (score, hz, height);
            }
        }
        let (_, hz, height) = best;
        if height >= CLEAR {
            self.hz = hz.clamp(LOWEST_HZ, HIGHEST_HZ);
            self.clarity = height.min(1.0);
        }
    }

    /// The last clear pitch in Hz; 0 before the first.
    pub fn hz(&self) -> f64 {
        self.hz
    }

    /// How clear the pitch is at the moment, 0 to 1; 0 for none.
    pub fn clarity(&self) -> f64 {
        self.clarity
    }
}

/// The autocorrelation of a Hann window at `t` of its length (Boersma, equation 8).
fn hann_correlation(t: f64) -> f64 {
    let turn = std::f64::consts::TAU * t;
    (1.0 - t) * (2.0 / 3.0 + turn.cos() / 3.0) + turn.sin() / std::f64::consts::TAU
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::spectrum::Spectrum;

    /// The pitch and its clarity of harmonics with these strengths.
    fn pitch(hz: f64, harmonics: &[f64]) -> (f64, f64) {
        let sample = |i: i32| {
            let turn = std::f64::consts::TAU * hz * f64::from(i) / f64::from(RATE);
            harmonics.iter().enumerate().map(|(h, a)| a * (turn * (h + 1) as f64).sin()).sum::<f64>() as f32
        };
        let samples: Vec<f32> = (0..8192).map(sample).collect();
        let mut pitch = Pitch::new(8192);
        pitch.update(Spectrum::new(8192).of(&samples), true);
        (pitch.hz(), pitch.clarity())
    }

    #[test]
    fn a_tone_has_the_pitch_at_which_it_repeats() {
        let saw: Vec<f64> = (1..12).map(|h| 1.0 / f64::from(h)).collect();
        for hz in [60.0, 110.0, 261.63, 440.0, 987.77, 1500.0] {
            for harmonics in [&[1.0][..], &saw, &[0.0, 1.0, 1.0, 1.0]] {
                if hz * harmonics.len() as f64 > 20_000.0 {
                    continue;
                }
                let (found, clarity) = pitch(hz, harmonics);
                assert!((found / hz - 1.0).abs() < 0.005 && clarity > 0.9, "{hz}: {found} {clarity} {harmonics:?}");
            }
        }
    }

    #[test]
    fn noise_has_no_pitch_and_the_last_one_stays() {
        let mut state = 1u32;
        let mut noise = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / 8_388_608.0 - 1.0
        };
        let samples: Vec<f32> = (0..8192).map(|_| noise()).collect();
        let mut pitch = Pitch::new(8192);
        pitch.hz = 220.0;
        pitch.update(Spectrum::new(8192).of(&samples), true);
        assert_eq!((pitch.hz(), pitch.clarity()), (220.0, 0.0));
    }
}
