//! From samples to [`Features`], hop by hop.

use super::bands::{BANDS, Share};
use super::beat::Beat;
use super::chroma::Chroma;
use super::level::{Gain, Levels};
use super::onset::Onsets;
use super::pitch::Pitch;
use super::spectrum::Spectrum;
use super::{Features, HOP, bin_hz};

/// Samples of the spectra: for bands, for the upper bands of onsets, and for chroma and pitch.
const BAND_SIZE: usize = 2048;
const ONSET_SIZE: usize = 1024;
const TONE_SIZE: usize = 8192;
/// Chroma and pitch are updated this often, hops.
const TONE_HOPS: u64 = 4;
/// Hops of zeros after which there is no signal.
const ZERO_HOPS: u32 = 200;

/// Listens: mono samples at [`RATE`](super::RATE) in, [`Features`] out. Nothing looks ahead.
///
/// Feeding it allocates nothing. What it says depends on the samples only, not on the pieces in which they arrive.
pub struct Analysis {
    /// The newest [`TONE_SIZE`] samples, oldest first.
    newest: Vec<f32>,
    /// A hop that is not complete, and how much of it there is.
    partial: [f32; HOP],
    filled: usize,
    bands: Spectrum,
    onset: Spectrum,
    tone: Spectrum,
    shares: Vec<Share>,
    levels: Levels,
    onsets: Onsets,
    chroma: Chroma,
    pitch: Pitch,
    beat: Beat,
    hops: u64,
    zero_hops: u32,
    features: Features,
}

impl Analysis {
    pub fn new(gain: Gain) -> Self {
        Analysis {
            newest: vec![0.0; TONE_SIZE],
            partial: [0.0; HOP],
            filled: 0,
            bands: Spectrum::new(BAND_SIZE),
            onset: Spectrum::new(ONSET_SIZE),
            tone: Spectrum::new(TONE_SIZE),
            shares: BANDS.iter().map(|band| Share::new(BAND_SIZE, band.low_hz, band.high_hz)).collect(),
            levels: Levels::new(gain),
            onsets: Onsets::new(BAND_SIZE, ONSET_SIZE),
            chroma: Chroma::new(TONE_SIZE),
            pitch: Pitch::new(TONE_SIZE),
            beat: Beat::default(),
            hops: 0,
            zero_hops: 0,
            features: Features::default(),
        }
    }

    /// Takes any number of samples and calls `each` for every hop that they complete.
    pub fn feed(&mut self, mut samples: &[f32], mut each: impl FnMut(&Features)) {
        while !samples.is_empty() {
            let count = samples.len().min(HOP - self.filled);
            let (now, later) = samples.split_at(count);
            self.partial[self.filled..self.filled + count].copy_from_slice(now);
            self.filled += count;
            samples = later;
            if self.filled == HOP {
                self.filled = 0;
                self.hop();
                each(&self.features);
            }
        }
    }

    /// Samples since the last hop.
    pub fn waiting(&self) -> usize {
        self.filled
    }

    /// Another source begins: zeros from before do not count.
    pub fn reopen(&mut self) {
        self.zero_hops = 0;
        self.features.no_signal = false;
    }

    /// The newest features.
    pub fn features(&self) -> &Features {
        &self.features
    }

    fn hop(&mut self) {
        self.newest.copy_within(HOP.., 0);
        let rest = TONE_SIZE - HOP;
        // A broken driver must not poison what is learnt for the rest of the evening.
        for (sample, &new) in self.newest[rest..].iter_mut().zip(&self.partial) {
            *sample = if new.is_finite() { new.clamp(-8.0, 8.0) } else { 0.0 };
        }
        self.hops += 1;
        let hop = &self.newest[rest..];
        let peak = hop.iter().fold(0.0f32, |peak, x| peak.max(x.abs()));
        self.zero_hops = if peak == 0.0 { self.zero_hops.saturating_add(1) } else { 0 };
        let long = self.bands.of(&self.newest);
        let short = self.onset.of(&self.newest);
        let energy: [f64; BANDS.len()] = std::array::from_fn(|b| self.shares[b].energy(long));
        let heard = self.levels.hop(&energy);
        let reference_db = self.levels.reference();
        let (flux, hits) = self.onsets.hop(long, short, heard, reference_db.unwrap_or(0.0));
        let centroid_hz = centroid(long);
        if self.hops.is_multiple_of(TONE_HOPS) {
            let power = self.tone.of(&self.newest);
            self.chroma.update(power, heard);
            self.pitch.update(power, heard);
        }
        let drums = flux[1] + flux[2];
        let onset_strength = drums + 0.5 * flux[3];
        let beat = self.beat.hop(onset_strength, drums);
        self.features = Features {
            hop: self.hops - 1,
            rms: rms(&self.newest[TONE_SIZE - BAND_SIZE..]),
            peak: f64::from(peak),
            energy,
            levels: self.levels.bands(),
            level: self.levels.whole(),
            reference_db: reference_db.unwrap_or(-120.0),
            centroid_hz,
            flux,
            hits,
            chroma: self.chroma.classes(),
            pitch_hz: self.pitch.hz(),
            pitch_clarity: self.pitch.clarity(),
            onset_strength,
            bpm: self.beat.bpm(),
            confidence: self.beat.confidence(),
            phase: self.beat.phase(),
            beat,
            heard,
            no_signal: self.zero_hops >= ZERO_HOPS,
        };
    }
}

fn rms(samples: &[f32]) -> f64 {
    let sum: f64 = samples.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
    (sum / samples.len() as f64).sqrt()
}

/// The centre of gravity of a power spectrum in Hz.
fn centroid(power: &[f32]) -> f64 {
    let size = 2 * (power.len() - 1);
    let (mut moment, mut sum) = (0.0, 1e-20);
    for (k, &p) in power.iter().enumerate() {
        moment += bin_hz(k, size) * f64::from(p);
        sum += f64::from(p);
    }
    moment / sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ticks over a drone.
    fn sound(samples: usize) -> Vec<f32> {
        let sample = |i: usize| {
            let drone = 0.1 * (i as f32 * 0.02).sin();
            let tick = if i % 24_000 < 200 { 0.8 * ((i * i) as f32).sin() } else { 0.0 };
            drone + tick
        };
        (0..samples).map(sample).collect()
    }

    fn features(samples: &[f32], pieces: impl Fn(usize) -> usize) -> Vec<Features> {
        let mut analysis = Analysis::new(Gain::Auto);
        let (mut out, mut at) = (Vec::new(), 0);
        while at < samples.len() {
            let end = (at + pieces(at)).min(samples.len());
            analysis.feed(&samples[at..end], |features| out.push(*features));
            at = end;
        }
        out
    }

    #[test]
    fn the_pieces_do_not_matter() {
        let samples = sound(48_000 * 3 + 17);
        let whole = features(&samples, |_| usize::MAX / 2);
        assert_eq!(whole.len(), 300);
        assert_eq!(whole, features(&samples, |_| 64));
        assert_eq!(whole, features(&samples, |at| 1 + at * 7919 % 1500));
        assert!(whole.iter().any(|f| f.hits.onset), "there is something to compare");
    }

    #[test]
    fn zeros_are_no_signal_after_two_seconds() {
        let mut samples = vec![0.0; 48_000 * 2 - 1];
        assert!(features(&samples, |_| 480).iter().all(|f| !f.no_signal));
        samples.push(0.0);
        let found = features(&samples, |_| 480);
        assert!(found[199].no_signal && found[199].secs() == 2.0);
        samples.extend(sound(480));
        assert!(!features(&samples, |_| 480)[200].no_signal);
    }

    #[test]
    fn broken_samples_do_no_lasting_harm() {
        let mut samples = sound(48_000 * 4);
        samples[1000] = f32::NAN;
        samples[2000] = f32::INFINITY;
        samples[3000] = 1e30;
        let found = features(&samples, |_| 480);
        let last = found.last().unwrap();
        assert!(last.levels.iter().all(|level| level.is_finite()) && last.level > 0.1, "{last:?}");
        assert!(last.bpm.is_finite() && last.reference_db < 10.0, "{last:?}");
    }
}
