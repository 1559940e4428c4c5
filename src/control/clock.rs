//! Tempo and beat: tapped, or followed from a MIDI clock.
//!
//! [`Clock`] counts the beats of the show; [`MidiClock`] derives the tempo from another machine's pulses. Both are
//! pure: times are inputs (`dt` of the frame, the driver's time stamps), so a replay gives the same beats.

mod follow;

pub use follow::MidiClock;

use super::midi;
use super::{Source, Write};
use crate::params::{Id, Value};

/// Taps further apart than this start a new measurement.
const TAP_RESET_SECS: f64 = 2.0;
/// How many of the last intervals between taps are used.
const TAPS: usize = 7;
/// Tempos accepted from taps or a MIDI clock, in beats per minute.
const BPM: std::ops::RangeInclusive<f64> = 20.0..=400.0;

/// The show's beat, and what sets its tempo.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// Seconds of the show so far.
    secs: f64,
    beat: f64,
    last_tap: Option<f64>,
    /// Intervals between the last taps in seconds, oldest first.
    intervals: Vec<f64>,
    midi: MidiClock,
    /// Beats by which the MIDI clock is ahead of ours; caught up gradually.
    behind: f64,
}

impl Clock {
    /// Advances by `dt` seconds at `bpm` beats per minute. While a MIDI clock runs, the beat is pulled towards its
    /// beat; while that is stopped, the beat stands still.
    pub fn step(&mut self, dt: f64, bpm: f64) {
        /// Time constant of the pull towards the other clock: slow enough to hide jumps, fast enough to remove drift.
        const PULL_SECS: f64 = 0.3;
        self.secs += dt;
        self.midi.step(dt);
        if self.midi.is_stopped() {
            return;
        }
        if !self.midi.is_running() {
            self.behind = 0.0;
        }
        let pull = self.behind * (1.0 - (-dt / PULL_SECS).exp());
        self.behind -= pull;
        self.beat = (self.beat + dt * bpm / 60.0 + pull).max(0.0);
    }

    /// Makes a running MIDI clock report its tempo again.
    pub fn tell_again(&mut self) {
        self.midi.tell_again();
    }

    /// A tap at the time of the last step. From the second tap on, returns the tempo in beats per minute: from the
    /// median of the last intervals, so that one slip does not count.
    pub fn tap(&mut self) -> Option<f64> {
        let interval = self.last_tap.replace(self.secs).map(|last| self.secs - last);
        match interval {
            // Two taps in one frame: a bouncing pad.
            Some(interval) if interval < 60.0 / BPM.end() => return None,
            Some(interval) if interval <= TAP_RESET_SECS => {
                if self.intervals.len() == TAPS {
                    self.intervals.remove(0);
                }
                self.intervals.push(interval);
            }
            _ => {
                self.intervals.clear();
                return None;
            }
        }
        let mut sorted = self.intervals.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 };
        Some((60.0 / median).clamp(*BPM.start(), *BPM.end()))
    }

    /// Follows MIDI clock messages, and appends a write to `/tempo` once the tempo is certain or has changed. Ignores
    /// other messages.
    pub fn midi(&mut self, message: &midi::Message, out: &mut Vec<Write>) {
        let heard = self.midi.message(message);
        match heard.beat {
            Some(beat) if heard.jumped => {
                self.beat = beat;
                self.behind = 0.0;
            }
            Some(beat) => self.behind = beat - self.beat,
            None => {}
        }
        if let Some(bpm) = heard.bpm {
            let value = Value::Float(bpm.clamp(*BPM.start(), *BPM.end()));
            out.push(Write { target: Id::Tempo.into(), value, source: Source::Midi });
        }
    }

    /// Beats since the start; the fraction is the position within a beat.
    pub fn beat(&self) -> f64 {
        self.beat
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn taps(at: &[f64]) -> Option<f64> {
        let mut clock = Clock::default();
        let mut bpm = None;
        for &at in at {
            clock.step(at - clock.secs, 120.0);
            bpm = clock.tap();
        }
        bpm
    }

    #[test]
    fn taps_give_the_median_tempo() {
        assert_eq!(taps(&[0.0]), None);
        assert_eq!(taps(&[0.0, 0.5]), Some(120.0));
        let near =
            |bpm: Option<f64>, expected: f64| assert!((bpm.unwrap() - expected).abs() < 0.5, "{bpm:?} {expected}");
        near(taps(&[0.0, 0.5, 1.0, 1.7, 2.0, 2.5]), 120.0);
        near(taps(&[0.0, 1.0, 2.0, 5.0, 5.4, 5.8]), 150.0);
        assert_eq!(taps(&[0.0, 0.5, 5.0]), None, "a pause starts over");
        assert_eq!(taps(&[1.0, 1.0]), None, "a bounce is not a tap");
    }

    #[test]
    fn the_beat_follows_a_midi_clock_smoothly() {
        let mut clock = Clock::default();
        let mut bpm = 120.0;
        let mut out = Vec::new();
        let message = |kind, secs: f64| midi::Message { port: 0, channel: 0, kind, at_us: (secs * 1e6) as u64 };
        clock.midi(&message(midi::Kind::Start, 0.0), &mut out);
        // 140 bpm in frames of 1/60 s; the pulses arrive in one bunch per frame.
        let (mut pulses, mut last) = (0, 0.0);
        for frame in 1..=1200 {
            let now = f64::from(frame) / 60.0;
            while f64::from(pulses) * 60.0 / 140.0 / 24.0 <= now {
                clock.midi(&message(midi::Kind::Clock, now), &mut out);
                pulses += 1;
            }
            out.drain(..).for_each(|write| {
                let Value::Float(told) = write.value else { panic!("{write:?}") };
                bpm = told;
            });
            clock.step(1.0 / 60.0, bpm);
            assert!(clock.beat() >= last && clock.beat() - last < 0.1, "a jump at frame {frame}");
            last = clock.beat();
        }
        let expected = 20.0 * 140.0 / 60.0;
        assert!((bpm - 140.0).abs() < 1.0, "{bpm}");
        assert!((clock.beat() - expected).abs() < 0.08, "{} {expected}", clock.beat());
    }

    #[test]
    fn beats_are_counted() {
        let mut clock = Clock::default();
        (0..600).for_each(|_| clock.step(1.0 / 60.0, 90.0));
        assert!((clock.beat() - 15.0).abs() < 1e-9);
    }
}
