//! Power spectra of the newest samples.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

/// The power spectrum over a fixed number of samples, with a periodic Hann window.
pub struct Spectrum {
    fft: Arc<dyn RealToComplex<f32>>,
    /// `[N]`
    window: Vec<f32>,
    windowed: Vec<f32>,
    bins: Vec<Complex<f32>>,
    scratch: Vec<Complex<f32>>,
    /// Scales |X|² so that the bins sum to the mean square of the windowed samples.
    scale: f32,
    /// `[N/2 + 1]`
    power: Vec<f32>,
}

impl Spectrum {
    /// For `size` samples, an even number.
    pub fn new(size: usize) -> Self {
        let fft = RealFftPlanner::new().plan_fft_forward(size);
        let turn = std::f64::consts::TAU / size as f64;
        let window: Vec<f64> = (0..size).map(|i| 0.5 - 0.5 * (turn * i as f64).cos()).collect();
        let energy: f64 = window.iter().map(|w| w * w).sum();
        Spectrum {
            window: window.iter().map(|&w| w as f32).collect(),
            windowed: fft.make_input_vec(),
            bins: fft.make_output_vec(),
            scratch: fft.make_scratch_vec(),
            scale: (1.0 / (size as f64 * energy)) as f32,
            power: vec![0.0; size / 2 + 1],
            fft,
        }
    }

    /// Number of samples.
    pub fn size(&self) -> usize {
        self.window.len()
    }

    /// The power in each bin, `[N/2 + 1]`, of the last `size` of `samples`. A sine at full scale sums to 0.5.
    pub fn of(&mut self, samples: &[f32]) -> &[f32] {
        let newest = &samples[samples.len() - self.size()..];
        for ((out, x), w) in self.windowed.iter_mut().zip(newest).zip(&self.window) {
            *out = x * w;
        }
        // Fails for wrong lengths only, and all buffers were made for this transform.
        let done = self.fft.process_with_scratch(&mut self.windowed, &mut self.bins, &mut self.scratch);
        debug_assert!(done.is_ok());
        for (power, bin) in self.power.iter_mut().zip(&self.bins) {
            *power = 2.0 * self.scale * bin.norm_sqr();
        }
        let last = self.power.len() - 1;
        self.power[0] *= 0.5;
        self.power[last] *= 0.5;
        &self.power
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::RATE;

    #[test]
    fn the_bins_sum_to_the_mean_square() {
        let mut spectrum = Spectrum::new(2048);
        let sine: Vec<f32> =
            (0..4096).map(|i| (std::f64::consts::TAU * 1000.0 * f64::from(i) / f64::from(RATE)).sin() as f32).collect();
        let power = spectrum.of(&sine);
        assert!((power.iter().sum::<f32>() - 0.5).abs() < 1e-3, "{}", power.iter().sum::<f32>());
        let loudest = (0..power.len()).max_by(|&a, &b| power[a].total_cmp(&power[b])).unwrap();
        assert_eq!(loudest, 43, "1000 Hz lies in bin 42.7");
        let direct = spectrum.of(&[0.5; 2048]);
        assert!((direct[0] + direct[1] - 0.25).abs() < 1e-3, "a constant counts once: {direct:?}");
    }
}
