//! Beat and tempo, from the strength of the onsets.
//!
//! [`Tempo`](tempo::Tempo) compares the recent onsets with themselves, shifted, and picks the tempo; [`Beat`] keeps a
//! phase in step with the onsets at that tempo (a phase-locked loop), so that beats can be predicted and are never late.

mod fold;
mod tempo;

use realfft::num_complex::Complex64;
use std::f64::consts::TAU;

use super::{HOP_SECS, ema};
use fold::Fold;
use tempo::{Pick, Tempo};

/// Hops from a hit to the peak of its onset strength.
const LATENCY: f64 = 2.0;
/// Half the width of the window around a beat, hops.
const WINDOW: f64 = 3.0;
/// Seconds of onsets that set the phase at a new tempo.
const SEED_HOPS: usize = 400;

/// Follows the beat.
pub struct Beat {
    tempo: Tempo,
    fold: Fold,
    hop: u64,
    /// Beats per minute; 0 before there is a tempo.
    bpm: f64,
    /// Position within a beat, 0 to 1.
    phase: f64,
    last_beat: Option<u64>,
    /// Mean strength of onsets.
    usual: f64,
    /// Onsets of the last seconds as vectors of their phase, and the sum of their lengths.
    phases: Complex64,
    lengths: f64,
    /// Mean onset strength near beats and elsewhere.
    near: f64,
    elsewhere: f64,
    clarity: f64,
    confidence: f64,
    /// Hops since beats last counted, while there is a tempo.
    doubt: u32,
    /// Whether the onsets are not centred on the beat, as in swing: their mean phase means nothing.
    uneven: bool,
    follow: [f64; 3],
}

/// The distance of a phase from a beat, −0.5 to 0.5.
fn wrap(phase: f64) -> f64 {
    (phase + 0.5).rem_euclid(1.0) - 0.5
}

impl Default for Beat {
    fn default() -> Self {
        Beat {
            tempo: Tempo::default(),
            fold: Fold::default(),
            hop: 0,
            bpm: 0.0,
            phase: 0.0,
            last_beat: None,
            usual: 0.0,
            phases: Complex64::default(),
            lengths: 0.0,
            near: 0.0,
            elsewhere: 0.0,
            clarity: 0.0,
            confidence: 0.0,
            doubt: 0,
            uneven: false,
            follow: [ema(3.0), ema(2.0), ema(0.5)],
        }
    }
}

impl Beat {
    /// One hop: the strength of onsets, and that of drums alone (low and mid). Whether a beat falls into this hop.
    pub fn hop(&mut self, strength: f64, drums: f64) -> bool {
        self.hop += 1;
        let above = self.tempo.hop(strength);
        match self.tempo.pick(self.bpm, self.fold.has_halved(), self.confidence) {
            Some(Pick::Silence) => self.confidence *= 0.8,
            Some(Pick::Tempo { bpm, is_new, clarity }) => {
                self.bpm = bpm;
                self.clarity = clarity;
                if is_new {
                    self.seed();
                }
            }
            None => {}
        }
        if self.bpm == 0.0 {
            return false;
        }
        let period = 6000.0 / self.bpm;
        let beat = self.advance(above.max(0.0), period);
        let distance = wrap(self.phase - LATENCY / period).abs() * period;
        if let Some(strong_now) = self.fold.hop(drums, distance <= WINDOW, self.bpm) {
            self.bpm /= 2.0;
            self.phase = self.phase / 2.0 + if strong_now { 0.0 } else { 0.5 };
            self.forget();
        }
        self.judge(strength, distance);
        self.reconsider(period);
        beat
    }

    /// After some seconds at a clear tempo without a certain beat, takes the phase with the most onsets instead of their
    /// mean; after some more, another.
    fn reconsider(&mut self, period: f64) {
        /// Hops.
        const PATIENCE: u32 = 400;
        self.doubt = if self.confidence < CONFIDENT && self.clarity > 0.5 { self.doubt + 1 } else { 0 };
        if self.doubt > PATIENCE {
            self.doubt = 0;
            self.phase = self.strongest(period);
            self.uneven = true;
            self.forget();
            (self.near, self.elsewhere) = self.means(period);
        }
    }

    /// The mean onset strength near beats and elsewhere in the last seconds, if the present phase were right.
    fn means(&self, period: f64) -> (f64, f64) {
        let (mut near, mut elsewhere) = ((0.0, 1e-9), (0.0, 1e-9));
        for (k, above) in self.tempo.newest().iter().enumerate() {
            let distance = wrap(self.phase - (k as f64 + LATENCY) / period).abs() * period;
            let sum = if distance <= WINDOW { &mut near } else { &mut elsewhere };
            sum.0 += above + self.tempo.mean();
            sum.1 += 1.0;
        }
        (near.0 / near.1, elsewhere.0 / elsewhere.1)
    }

    /// What the phase would be now if beats were where most onsets have been lately. A phase that was tried before is
    /// not tried again.
    fn strongest(&self, period: f64) -> f64 {
        /// How finely phases are tried.
        const PLACES: usize = 64;
        let score = |phase: f64| -> f64 {
            let onsets = self.tempo.newest().iter().enumerate();
            let near = onsets.map(|(k, above)| {
                let distance = wrap(phase - (k as f64 + LATENCY) / period) * period / WINDOW;
                above.max(0.0) * (1.0 - distance.abs()).max(0.0)
            });
            near.sum()
        };
        let was_tried = |phase: f64| self.uneven && wrap(phase - self.phase).abs() < 0.12;
        let phases = (0..PLACES).map(|place| place as f64 / PLACES as f64).filter(|&phase| !was_tried(phase));
        let scored = phases.map(|phase| (score(phase), phase));
        scored.fold((0.0, self.phase), |best, new| if new.0 > best.0 { new } else { best }).1
    }

    /// Sets the phase from the last onsets.
    fn seed(&mut self) {
        let turn = TAU / (6000.0 / self.bpm);
        let (mut sum, mut weight) = (Complex64::default(), 1.0);
        for (k, above) in self.tempo.newest().iter().take(SEED_HOPS).enumerate() {
            sum += Complex64::from_polar(above.max(0.0) * weight, (k as f64 + LATENCY) * turn);
            weight *= 0.995;
        }
        self.phase = (sum.arg() / TAU).rem_euclid(1.0);
        self.forget();
        self.fold = Fold::default();
        (self.doubt, self.uneven) = (0, false);
    }

    fn forget(&mut self) {
        self.phases = Complex64::default();
        self.lengths = 0.0;
    }

    /// Advances the phase and pulls it towards the onsets. Whether a beat has come.
    fn advance(&mut self, above: f64, period: f64) -> bool {
        /// Seconds over which the mean phase of onsets is measured.
        const MEAN_SECS: f64 = 2.5;
        self.phase += 1.0 / period;
        let comes = self.phase >= 1.0;
        if comes {
            self.phase -= 1.0;
        }
        // The phase of the music when what the onsets show now was played.
        let heard = self.phase - LATENCY / period;
        self.usual += self.follow[0] * (above - self.usual);
        let weight = above / (8.0 * self.usual + 1e-6);
        let keep = (-HOP_SECS / MEAN_SECS).exp();
        self.phases = self.phases * keep + Complex64::from_polar(above, TAU * heard);
        self.lengths = self.lengths * keep + above;
        let mean_error = self.phases.arg() / TAU;
        let coherence = self.phases.norm() / (self.lengths + 1e-9);
        let error = wrap(heard);
        if error.abs() < 0.15 && weight > 0.5 {
            self.shift(0.12 * weight.min(1.0) * error);
        }
        if coherence > 0.25 && mean_error.abs() > 0.08 && !self.uneven {
            self.shift(0.02 * mean_error);
        }
        if self.phase < 0.0 {
            self.phase += 1.0;
        }
        let due = self.last_beat.is_none_or(|at| (self.hop - at) as f64 >= 0.6 * period);
        if comes && due {
            self.last_beat = Some(self.hop);
        }
        comes && due
    }

    fn shift(&mut self, by: f64) {
        self.phase -= by;
        self.phases *= Complex64::from_polar(1.0, -TAU * by);
    }

    /// Updates the confidence: how much stronger onsets are near beats than elsewhere.
    fn judge(&mut self, strength: f64, distance: f64) {
        let mean = if distance <= WINDOW { &mut self.near } else { &mut self.elsewhere };
        *mean += self.follow[1] * (strength - *mean);
        let share = self.near / (self.near + self.elsewhere + 0.02);
        let target = ((share - 0.4) / 0.35).clamp(0.0, 1.0) * self.clarity;
        self.confidence += self.follow[2] * (target - self.confidence);
    }

    /// Beats per minute, 60 to 180, or half of that; 0 before there is a tempo.
    pub fn bpm(&self) -> f64 {
        self.bpm
    }

    /// Position within the beat, 0 to 1.
    pub fn phase(&self) -> f64 {
        self.phase
    }

    /// 0 to 1. Below [`CONFIDENT`] beats mean nothing.
    pub fn confidence(&self) -> f64 {
        self.confidence
    }
}

/// Beats count from this confidence on.
pub const CONFIDENT: f64 = 0.25;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_onsets_give_their_tempo_and_beats() {
        let mut beat = Beat::default();
        let mut beats = Vec::new();
        // An onset each half second, its strength at its highest two hops late.
        for hop in 1..=1000u64 {
            let strength = match hop % 50 {
                1 | 3 => 0.5,
                2 => 1.5,
                _ => 0.0,
            };
            if beat.hop(strength, strength) {
                beats.push(hop);
            }
        }
        assert!((beat.bpm() - 120.0).abs() < 0.2, "{}", beat.bpm());
        assert!(beat.confidence() > 0.8, "{}", beat.confidence());
        let late = &beats[beats.len() - 8..];
        assert!(late.iter().all(|hop| hop % 50 <= 1 || hop % 50 == 49), "{late:?}");
        assert!(late.windows(2).all(|pair| (49..=51).contains(&(pair[1] - pair[0]))), "{late:?}");
    }

    #[test]
    fn silence_has_no_tempo() {
        let mut beat = Beat::default();
        assert!(!(0..1000).any(|_| beat.hop(0.0, 0.0)));
        assert_eq!((beat.bpm(), beat.confidence()), (0.0, 0.0));
    }

    #[test]
    fn phases_wrap_around_a_beat() {
        for (phase, expected) in [(0.0, 0.0), (0.25, 0.25), (0.75, -0.25), (-0.1, -0.1), (1.1, 0.1)] {
            assert!((wrap(phase) - expected).abs() < 1e-12, "{phase}");
        }
    }
}
