//! Any sample rate becomes [`RATE`].

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler};

use super::RATE;

/// Rates that can be converted, in Hz.
pub const RATES: std::ops::RangeInclusive<u32> = 8000..=384_000;

/// Converts mono samples to [`RATE`], without shifting them in time. Feeding it allocates nothing.
pub struct Resample {
    /// `None` at the right rate.
    convert: Option<Convert>,
}

struct Convert {
    fft: Fft<f32>,
    from: u32,
    input: Vec<f32>,
    filled: usize,
    output: Vec<f32>,
    /// Output that is still the transform's own delay.
    skip: usize,
    /// Samples taken and given, for the end.
    taken: u64,
    given: u64,
}

impl Resample {
    /// From a rate in [`RATES`]; `None` for others.
    pub fn new(from: u32) -> Option<Self> {
        if from == RATE {
            return Some(Resample { convert: None });
        }
        if !RATES.contains(&from) {
            return None;
        }
        // About a hop at a time.
        let fft = Fft::new(from as usize, RATE as usize, from as usize / 100, 1, FixedSync::Both).ok()?;
        let (taken, given) = (0, 0);
        let (input, output) = (vec![0.0; fft.input_frames_next()], vec![0.0; fft.output_frames_next()]);
        let skip = fft.output_delay();
        Some(Resample { convert: Some(Convert { fft, from, input, filled: 0, output, skip, taken, given }) })
    }

    /// Takes samples at the other rate; calls `each` with samples at [`RATE`].
    pub fn feed(&mut self, samples: &[f32], mut each: impl FnMut(&[f32])) {
        match &mut self.convert {
            None => each(samples),
            Some(convert) => {
                convert.taken += samples.len() as u64;
                convert.feed(samples, u64::MAX, &mut each);
            }
        }
    }

    /// The end: calls `each` with what is still inside.
    pub fn finish(&mut self, mut each: impl FnMut(&[f32])) {
        if let Some(convert) = &mut self.convert {
            let total = (convert.taken * u64::from(RATE)).div_ceil(u64::from(convert.from));
            while convert.given < total {
                let zeros = [0.0; 256];
                convert.feed(&zeros, total, &mut each);
            }
        }
    }
}

impl Convert {
    /// Gives at most `total` samples in all.
    fn feed(&mut self, mut samples: &[f32], total: u64, each: &mut impl FnMut(&[f32])) {
        while !samples.is_empty() {
            let count = samples.len().min(self.input.len() - self.filled);
            let (now, later) = samples.split_at(count);
            self.input[self.filled..self.filled + count].copy_from_slice(now);
            self.filled += count;
            samples = later;
            if self.filled < self.input.len() {
                return;
            }
            self.filled = 0;
            let (inputs, outputs) = (self.input.len(), self.output.len());
            let (Ok(input), Ok(mut output)) =
                (SequentialSlice::new(&self.input, 1, inputs), SequentialSlice::new_mut(&mut self.output, 1, outputs))
            else {
                return;
            };
            let written = self.fft.process_into_buffer(&input, &mut output, None).map_or(0, |(_, written)| written);
            let skipped = self.skip.min(written);
            self.skip -= skipped;
            let left = usize::try_from(total - self.given).unwrap_or(usize::MAX);
            let fresh = &self.output[skipped..written];
            let fresh = &fresh[..fresh.len().min(left)];
            self.given += fresh.len() as u64;
            each(fresh);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(from: u32, samples: &[f32], piece: usize) -> Vec<f32> {
        let mut resample = Resample::new(from).unwrap();
        let mut out = Vec::new();
        samples.chunks(piece).for_each(|chunk| resample.feed(chunk, |fresh| out.extend_from_slice(fresh)));
        resample.finish(|fresh| out.extend_from_slice(fresh));
        out
    }

    #[test]
    fn a_sine_stays_where_it_is() {
        let sine = |rate: u32, count: usize| -> Vec<f32> {
            (0..count).map(|i| (std::f64::consts::TAU * 440.0 * i as f64 / f64::from(rate)).sin() as f32).collect()
        };
        for from in [44_100, 22_050, 96_000, 48_000, 8000] {
            let found = converted(from, &sine(from, from as usize), 333);
            assert_eq!(found.len(), RATE as usize, "a second stays a second: {from}");
            let expected = sine(RATE, RATE as usize);
            // The ends ring; an odd transform shifts by half a sample.
            let half_sample = (std::f32::consts::TAU * 440.0 / 48_000.0) * 0.6;
            for i in 2000..46_000 {
                assert!((found[i] - expected[i]).abs() < half_sample, "{from} Hz at {i}: {} {}", found[i], expected[i]);
            }
        }
    }

    #[test]
    fn the_pieces_do_not_matter() {
        let ramp: Vec<f32> = (0..20_000).map(|i| (i % 97) as f32 / 97.0).collect();
        assert_eq!(converted(44_100, &ramp, 7), converted(44_100, &ramp, 20_000));
    }

    #[test]
    fn unlikely_rates_are_refused() {
        assert!(Resample::new(0).is_none() && Resample::new(7999).is_none() && Resample::new(1_000_000).is_none());
    }
}
