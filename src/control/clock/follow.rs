//! Follows a MIDI clock: tempo by least squares over its pulses, song position from start and position messages.

use std::collections::VecDeque;

use crate::control::midi::{Kind, Message};

/// Pulses per quarter note.
const PULSES: u64 = 24;
/// How many arrivals the fit uses: 96 intervals, four beats.
const WINDOW: usize = 97;
/// A pause after which the fit starts over.
const GAP_SECS: f64 = 0.5;
/// Relative difference between the last beat and the fit at which the fit starts over.
const TOLERANCE: f64 = 0.03;
/// A relative change of tempo that is too small to report.
const WORTH_TELLING: f64 = 2e-4;
/// A clock that has been stopped and silent for this long is gone: the beat continues freely.
const LEFT_SECS: f64 = 2.0;

/// What a message says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Heard {
    /// A new tempo in beats per minute.
    pub bpm: Option<f64>,
    /// The current beat.
    pub beat: Option<f64>,
    /// The beat has jumped to another song position.
    pub jumped: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum State {
    /// No start yet: pulses give the tempo but no position.
    #[default]
    Unplaced,
    /// After a start or continue: the next pulse plays.
    Waiting,
    Running,
    Stopped,
}

/// Follows the clock of one port, and switches to another when that one has gone silent.
#[derive(Clone, Debug, Default)]
pub struct MidiClock {
    port: u8,
    /// Time stamps of the last pulses in seconds, evenly spaced except for jitter.
    arrivals: VecDeque<f64>,
    state: State,
    /// Song position, in pulses.
    place: u64,
    pulses_heard: u64,
    /// Seconds of the show since the last message.
    silence_secs: f64,
    told: Option<f64>,
}

impl MidiClock {
    /// Advances by `dt` seconds of the show.
    pub fn step(&mut self, dt: f64) {
        self.silence_secs += dt;
    }

    /// Whether the other machine is stopped but still there.
    pub fn is_stopped(&self) -> bool {
        matches!(self.state, State::Waiting | State::Stopped) && self.silence_secs < LEFT_SECS
    }

    /// Whether pulses are arriving.
    pub fn is_running(&self) -> bool {
        !self.arrivals.is_empty() && self.silence_secs < GAP_SECS
    }

    /// Reports the tempo again with the next pulse, after somebody else has changed it.
    pub fn tell_again(&mut self) {
        self.told = None;
    }

    /// Processes a message; anything but clock messages is ignored.
    pub fn message(&mut self, message: &Message) -> Heard {
        let is_ours =
            matches!(message.kind, Kind::Clock | Kind::Start | Kind::Continue | Kind::Stop | Kind::SongPosition { .. });
        if !is_ours || (message.port != self.port && self.is_running()) {
            return Heard::default();
        }
        if message.port != self.port {
            *self = MidiClock { port: message.port, ..MidiClock::default() };
        }
        self.silence_secs = 0.0;
        match message.kind {
            Kind::Clock => self.pulse(message.at_us as f64 * 1e-6),
            Kind::Start => {
                self.place = 0;
                self.state = State::Waiting;
                self.jump()
            }
            Kind::Continue => {
                self.state = State::Waiting;
                Heard::default()
            }
            Kind::Stop => {
                self.state = State::Stopped;
                Heard::default()
            }
            Kind::SongPosition { sixteenths } => {
                self.place = u64::from(sixteenths) * PULSES / 4;
                self.jump()
            }
            _ => Heard::default(),
        }
    }

    fn jump(&self) -> Heard {
        Heard { beat: Some(self.beat()), jumped: true, bpm: None }
    }

    fn beat(&self) -> f64 {
        self.place as f64 / PULSES as f64
    }

    fn pulse(&mut self, at_secs: f64) -> Heard {
        match self.state {
            State::Waiting => self.state = State::Running,
            State::Running => self.place += 1,
            State::Unplaced | State::Stopped => {}
        }
        let broken = self.arrivals.back().is_some_and(|&last| !(0.0..=GAP_SECS).contains(&(at_secs - last)));
        if broken {
            self.arrivals.clear();
        }
        if self.arrivals.len() == WINDOW {
            self.arrivals.pop_front();
        }
        self.arrivals.push_back(at_secs);
        self.pulses_heard += 1;
        let beat = (self.state == State::Running).then(|| self.beat());
        let due = self.pulses_heard.is_multiple_of(PULSES) || self.told.is_none();
        Heard { beat, jumped: false, bpm: if due { self.changed_tempo() } else { None } }
    }

    /// The tempo, once it is certain and differs from what was last reported.
    fn changed_tempo(&mut self) -> Option<f64> {
        let a_beat = PULSES as usize + 1;
        let mut period = fitted_period(&self.arrivals).filter(|_| self.arrivals.len() >= a_beat)?;
        let recent = self.arrivals.len() - a_beat;
        let last_beat = (self.arrivals.back()? - self.arrivals.get(recent)?) / PULSES as f64;
        if (last_beat / period - 1.0).abs() > TOLERANCE {
            self.arrivals.drain(..recent);
            period = fitted_period(&self.arrivals)?;
        }
        let bpm = 60.0 / (period * PULSES as f64);
        let worth = bpm.is_finite() && self.told.is_none_or(|told| (bpm / told - 1.0).abs() > WORTH_TELLING);
        worth.then(|| *self.told.insert(bpm))
    }
}

/// Seconds between pulses: the slope of the straight line through the arrivals, by least squares.
fn fitted_period(arrivals: &VecDeque<f64>) -> Option<f64> {
    let first = arrivals.front()?;
    let middle = (arrivals.len() as f64 - 1.0) / 2.0;
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (i, at) in arrivals.iter().enumerate() {
        let x = i as f64 - middle;
        covariance += x * (at - first);
        variance += x * x;
    }
    (covariance > 0.0).then(|| covariance / variance)
}

#[cfg(test)]
mod test {
    use super::*;

    fn at(kind: Kind, secs: f64) -> Message {
        Message { port: 0, channel: 0, kind, at_us: (secs * 1e6) as u64 }
    }

    /// Sends pulses at `bpm`, up to `jitter_secs` late; returns all reported tempos.
    fn tempos(clock: &mut MidiClock, from_secs: f64, bpm: f64, beats: usize, jitter_secs: f64) -> Vec<f64> {
        let mut rng = crate::control::test_rng(5);
        let period = 60.0 / bpm / 24.0;
        (0..beats * 24)
            .filter_map(|i| {
                let late = (rng() % 1000) as f64 / 1000.0 * jitter_secs;
                clock.step(period);
                clock.message(&at(Kind::Clock, from_secs + i as f64 * period + late)).bpm
            })
            .collect()
    }

    #[test]
    fn tempo_is_found_under_jitter() {
        let mut clock = MidiClock::default();
        let exact = tempos(&mut clock, 0.0, 120.0, 8, 0.0);
        assert_eq!(exact.len(), 1, "a steady clock is reported once: {exact:?}");
        assert!((exact[0] - 120.0).abs() < 0.01);

        let mut clock = MidiClock::default();
        let told = tempos(&mut clock, 0.0, 174.0, 16, 0.011);
        assert!((told.last().unwrap() - 174.0).abs() < 0.5, "{told:?}");
    }

    #[test]
    fn a_tempo_that_was_overwritten_is_told_again() {
        let mut clock = MidiClock::default();
        tempos(&mut clock, 0.0, 140.0, 4, 0.0);
        clock.tell_again();
        let told = tempos(&mut clock, 4.0 * 60.0 / 140.0, 140.0, 2, 0.0);
        assert!(told.len() == 1 && (told[0] - 140.0).abs() < 0.01, "{told:?}");
    }

    #[test]
    fn a_change_of_tempo_is_followed_within_two_beats() {
        let mut clock = MidiClock::default();
        tempos(&mut clock, 0.0, 120.0, 8, 0.0);
        let told = tempos(&mut clock, 4.0, 150.0, 2, 0.0);
        assert!((told.last().unwrap() - 150.0).abs() < 1.0, "{told:?}");
        let told = tempos(&mut clock, 60.0, 90.0, 3, 0.0);
        assert!((told.last().unwrap() - 90.0).abs() < 0.1, "after a pause: {told:?}");
    }

    #[test]
    fn the_place_in_the_song_is_known() {
        let mut clock = MidiClock::default();
        assert_eq!(clock.message(&at(Kind::Clock, 0.0)).beat, None, "no start yet");
        assert_eq!(clock.message(&at(Kind::Start, 0.0)), Heard { beat: Some(0.0), jumped: true, bpm: None });
        assert!(clock.is_stopped(), "a start counts from the next clock");
        assert_eq!(clock.message(&at(Kind::Clock, 0.0)).beat, Some(0.0));
        for pulse in 1..=48 {
            assert_eq!(clock.message(&at(Kind::Clock, 0.0)).beat, Some(f64::from(pulse) / 24.0));
        }
        clock.message(&at(Kind::Stop, 0.0));
        assert!(clock.is_stopped());
        clock.message(&at(Kind::Continue, 0.0));
        assert_eq!(clock.message(&at(Kind::Clock, 0.0)).beat, Some(2.0), "goes on where it stopped");
        let jump = clock.message(&at(Kind::SongPosition { sixteenths: 16 }, 0.0));
        assert_eq!((jump.beat, jump.jumped), (Some(4.0), true));
        clock.message(&at(Kind::Stop, 0.0));
        clock.step(LEFT_SECS + 0.1);
        assert!(!clock.is_stopped(), "a clock that is gone no longer holds the beat");
    }

    #[test]
    fn one_clock_is_followed_at_a_time() {
        let mut clock = MidiClock::default();
        clock.message(&at(Kind::Start, 0.0));
        clock.message(&at(Kind::Clock, 0.0));
        let other = Message { port: 1, ..at(Kind::Start, 0.1) };
        assert_eq!(clock.message(&other), Heard::default());
        clock.step(1.0);
        assert!(clock.message(&other).jumped, "the first one is silent");
    }
}
