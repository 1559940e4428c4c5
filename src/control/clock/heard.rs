//! Follows the beat that is heard in the sound: tempo and position within the beat, while they are certain.

use super::ratio::Ratio;
use crate::audio::beat::CONFIDENT;
use crate::audio::outputs::{OUTPUTS, Shape};
use crate::modulate::SignalId;

/// A relative change of tempo that is too small to report.
const WORTH_TELLING: f64 = 2e-3;
/// Without news for this long, nothing is heard any more.
const GAP_SECS: f64 = 0.5;

/// The tempo and beat of the sound, as the signals `audio.bpm`, `audio.phase` and `audio.confidence` tell them.
#[derive(Clone, Debug)]
pub struct HeardClock {
    /// Of the tempo, the phase and the confidence.
    ids: [Option<SignalId>; 3],
    bpm_shape: Shape,
    bpm: f64,
    /// 0 to 1.
    phase: f64,
    confidence: f64,
    ratio: Ratio,
    /// Seconds of the show since the last signal.
    silence_secs: f64,
}

impl Default for HeardClock {
    fn default() -> Self {
        let shape = |signal| OUTPUTS.iter().find(|output| output.signal == signal).map(|output| output.shape);
        HeardClock {
            ids: ["audio.bpm", "audio.phase", "audio.confidence"].map(SignalId::intern),
            bpm_shape: shape("audio.bpm").unwrap_or(Shape::Level),
            bpm: 0.0,
            phase: 0.0,
            confidence: 0.0,
            ratio: Ratio::default(),
            silence_secs: f64::INFINITY,
        }
    }
}

impl HeardClock {
    /// Advances by `dt` seconds of the show.
    pub fn step(&mut self, dt: f64) {
        self.silence_secs += dt;
    }

    /// Takes a signal; `true` if it is one of the clock's.
    pub fn signal(&mut self, id: SignalId, value: f64) -> bool {
        let Some(which) = self.ids.iter().position(|own| *own == Some(id)) else { return false };
        match which {
            0 => self.bpm = self.bpm_shape.natural(value),
            1 => self.phase = value,
            _ => self.confidence = value,
        }
        self.silence_secs = 0.0;
        true
    }

    /// Whether there is a beat to follow.
    pub fn is_certain(&self) -> bool {
        self.confidence >= CONFIDENT && self.bpm > 0.0 && self.silence_secs < GAP_SECS
    }

    /// A tempo in beats per minute that has not been reported yet.
    pub fn news(&mut self) -> Option<f64> {
        self.ratio.news(self.bpm, WORTH_TELLING)
    }

    /// Reports the tempo again, after somebody else has changed it.
    pub fn tell_again(&mut self) {
        self.ratio.tell_again();
    }

    /// Counts half or twice as many beats as are heard.
    pub fn scale(&mut self, by: f64) {
        self.ratio.scale(by);
    }

    /// How far `beat` is behind the one heard, in beats: at most half a beat of the slower one.
    pub fn ahead_of(&self, beat: f64) -> f64 {
        // Beats of the show between two that are certainly beats of both.
        let period = self.ratio.factor().min(1.0);
        let apart = (self.phase * self.ratio.factor() - beat) / period;
        (apart - apart.round()) * period
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(bpm: f64, phase: f64, confidence: f64) -> HeardClock {
        let mut clock = HeardClock::default();
        let ids = clock.ids.map(Option::unwrap);
        for (id, value) in ids.into_iter().zip([(bpm - 60.0) / 120.0, phase, confidence]) {
            assert!(clock.signal(id, value));
        }
        clock
    }

    #[test]
    fn it_counts_while_it_is_certain() {
        assert!(!HeardClock::default().is_certain());
        assert!(!heard(120.0, 0.0, 0.1).is_certain());
        let mut clock = heard(128.0, 0.0, 0.9);
        assert!(clock.is_certain());
        assert!((clock.news().unwrap() - 128.0).abs() < 1e-9);
        assert_eq!(clock.news(), None, "known");
        clock.scale(0.5);
        assert!((clock.news().unwrap() - 64.0).abs() < 1e-9);
        clock.step(1.0);
        assert!(!clock.is_certain(), "nothing arrives any more");
        assert!(!clock.signal(SignalId::intern("hand.sensor").unwrap(), 1.0));
    }

    #[test]
    fn a_beat_is_pulled_to_the_nearest_one_heard() {
        let near = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        let clock = heard(120.0, 0.9, 1.0);
        near(clock.ahead_of(7.8), 0.1);
        near(clock.ahead_of(8.0), -0.1);
        near(heard(120.0, 0.1, 1.0).ahead_of(7.9), 0.2);
        let mut half = heard(120.0, 0.5, 1.0);
        half.scale(0.5);
        // 60 beats a minute: 0.25 or 0.75 of a beat have passed.
        near(half.ahead_of(3.2), 0.05);
        near(half.ahead_of(3.7), 0.05);
        let mut double = heard(60.0, 0.5, 1.0);
        double.scale(2.0);
        near(double.ahead_of(3.9), 0.1);
        (0..9).for_each(|_| double.scale(2.0));
        assert_eq!(double.ratio.factor(), 4.0);
    }
}
