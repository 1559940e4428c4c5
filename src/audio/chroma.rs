//! Chroma: how strongly each of the twelve pitch classes sounds.

use super::{bin_hz, ema};

/// C, C sharp, … B.
pub const CLASSES: usize = 12;

/// The MIDI note number of a frequency, with fractions.
pub fn note_of(hz: f64) -> f64 {
    12.0 * (hz / 440.0).log2() + 69.0
}

/// Smoothed chroma, 0 to 1; the strongest class of the moment tends to 1.
pub struct Chroma {
    /// Bin, pitch class, and weight: bins between two semitones count less.
    bins: Vec<(usize, usize, f64)>,
    classes: [f64; CLASSES],
    follow: f64,
}

impl Chroma {
    /// For a spectrum over `size` samples, from 80 Hz to 2 kHz.
    pub fn new(size: usize) -> Self {
        let bins = (1..size / 2)
            .filter(|&k| (80.0..2000.0).contains(&bin_hz(k, size)))
            .map(|k| {
                let note = note_of(bin_hz(k, size));
                let off = (note - note.round()) / 0.2;
                (k, note.round() as usize % CLASSES, (-0.5 * off * off).exp())
            })
            .collect();
        Chroma { bins, classes: [0.0; CLASSES], follow: ema(0.15).sqrt() }
    }

    /// Every fourth hop: the power spectrum, and whether anything is heard.
    pub fn update(&mut self, power: &[f32], heard: bool) {
        let mut now = [0.0; CLASSES];
        for &(k, class, weight) in &self.bins {
            now[class] += weight * f64::from(power[k]).sqrt();
        }
        let most = now.iter().copied().fold(0.0, f64::max);
        let scale = if most > 1e-9 && heard { 1.0 / most } else { 0.0 };
        for (class, now) in self.classes.iter_mut().zip(now) {
            *class += self.follow * (now * scale - *class);
        }
    }

    pub fn classes(&self) -> [f64; CLASSES] {
        self.classes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::RATE;
    use crate::audio::spectrum::Spectrum;

    #[test]
    fn a_note_is_its_class_in_every_octave() {
        let mut spectrum = Spectrum::new(8192);
        for (hz, class) in [(440.0, 9), (880.0, 9), (261.63, 0), (523.25, 0), (146.83, 2)] {
            let sine: Vec<f32> =
                (0..8192).map(|i| (std::f64::consts::TAU * hz * f64::from(i) / f64::from(RATE)).sin() as f32).collect();
            let mut chroma = Chroma::new(8192);
            (0..40).for_each(|_| chroma.update(spectrum.of(&sine), true));
            let classes = chroma.classes();
            let loudest = (0..CLASSES).max_by(|&a, &b| classes[a].total_cmp(&classes[b])).unwrap();
            assert_eq!(loudest, class, "{hz} Hz: {classes:?}");
            (0..40).for_each(|_| chroma.update(spectrum.of(&sine), false));
            assert!(chroma.classes().iter().all(|&c| c < 0.01), "it fades in silence");
        }
    }
}
