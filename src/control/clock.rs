//! Tempo and beat: tapped, or followed from a MIDI clock or the sound.
//!
//! [`Clock`] counts the beats of the show; [`MidiClock`] derives the tempo from another machine's pulses, [`HeardClock`]
//! from what is heard, [`SessionClock`] from a session that others share. It also keeps the time of the timecode. All are
//! pure: times are inputs (`dt` of the frame, the driver's time stamps), so a replay gives the same beats.

mod follow;
mod heard;
mod ratio;
mod session;

pub use follow::MidiClock;
pub use heard::HeardClock;
pub use session::SessionClock;

use super::midi;
use super::session::Session;
use super::timecode::{Follow, Stamp};
use super::{Source, Write};
use crate::modulate::SignalId;
use crate::params::{Id, TempoSource, Value};

/// Taps further apart than this start a new measurement.
const TAP_RESET_SECS: f64 = 2.0;
/// How many of the last intervals between taps are used.
const TAPS: usize = 7;
/// Tempos accepted from taps or a MIDI clock, in beats per minute.
const BPM: std::ops::RangeInclusive<f64> = 20.0..=400.0;
/// How far one nudge moves the beat.
const NUDGE_BEATS: f64 = 1.0 / 32.0;
/// Beats of a bar.
const BAR: f64 = 4.0;

/// What sets the tempo at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Leader {
    /// The show's own `/tempo`.
    #[default]
    Own,
    Midi,
    Audio,
    /// Ableton Link.
    Session,
    Timecode,
}

impl Leader {
    /// For the HUD.
    pub fn word(self) -> &'static str {
        match self {
            Leader::Own => "",
            Leader::Midi => "MIDI clock",
            Leader::Audio => "heard",
            Leader::Session => "Link",
            Leader::Timecode => "timecode",
        }
    }
}

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
    heard: HeardClock,
    session: SessionClock,
    timecode: Follow,
    /// Whether a hand has set the tempo that others share, since they were last told.
    has_new_tempo: bool,
    /// Who may lead.
    source: TempoSource,
    /// Who led in the last step.
    leader: Leader,
    /// Beats by which the leader is ahead of ours; caught up gradually.
    behind: f64,
    /// Our beat less the leader's: by nudging, and by saying where the bar begins.
    offset: f64,
}

impl Clock {
    /// Advances by `dt` seconds at `bpm` beats per minute. While another clock leads, the beat is pulled towards its beat;
    /// while a MIDI clock or a session is stopped, the beat stands still.
    pub fn step(&mut self, dt: f64, bpm: f64, source: TempoSource) {
        /// Time constant of the pull towards the other clock: slow enough to hide jumps, fast enough to remove drift.
        const PULL_SECS: f64 = 0.3;
        self.secs += dt;
        self.midi.step(dt);
        self.heard.step(dt);
        self.timecode.step(dt);
        self.source = source;
        let leader = self.leader();
        if leader != std::mem::replace(&mut self.leader, leader) {
            self.behind = 0.0;
            self.offset = 0.0;
            self.tell_again();
        }
        match leader {
            Leader::Midi if self.midi.is_stopped() => return self.session.step(dt),
            Leader::Midi => {}
            Leader::Audio => self.behind = self.heard.ahead_of(self.beat - self.offset),
            Leader::Session if self.session.is_stopped() => return self.session.step(dt),
            Leader::Session => self.follow_session(),
            Leader::Timecode => {
                self.beat = (self.timecode.secs().unwrap_or(0.0) * bpm / 60.0 + self.offset).max(0.0);
                return self.session.step(dt);
            }
            Leader::Own => self.behind = 0.0,
        }
        self.session.step(dt);
        let pull = self.behind * (1.0 - (-dt / PULL_SECS).exp());
        self.behind -= pull;
        self.beat = (self.beat + dt * bpm / 60.0 + pull).max(0.0);
    }

    /// Goes to the place in the bar where the others are: smoothly if that is near, else at once, and forward.
    fn follow_session(&mut self) {
        /// Beats that are caught up without a jump.
        const NEAR: f64 = 0.25;
        self.behind = self.session.ahead_of(self.beat - self.offset);
        if self.behind.abs() > NEAR {
            self.beat += self.behind.rem_euclid(BAR);
            self.behind = 0.0;
        }
    }

    /// The first that may lead and has something to say: a session, a MIDI clock, the sound, the show itself.
    pub fn leader(&self) -> Leader {
        let has_midi = self.midi.is_running() || self.midi.is_stopped();
        match self.source {
            TempoSource::Timecode if self.timecode.secs().is_some() => Leader::Timecode,
            TempoSource::Auto | TempoSource::Link if self.session.leads() => Leader::Session,
            TempoSource::Auto | TempoSource::Midi if has_midi => Leader::Midi,
            TempoSource::Auto | TempoSource::Audio if self.heard.is_certain() => Leader::Audio,
            _ => Leader::Own,
        }
    }

    /// Makes the other clocks report their tempo again.
    pub fn tell_again(&mut self) {
        self.midi.tell_again();
        self.heard.tell_again();
        self.session.tell_again();
    }

    /// Half or twice the tempo: returns the new one where it is the show's own, and `None` where a leader will tell it.
    pub fn scale(&mut self, by: f64, bpm: f64) -> Option<f64> {
        match self.leader() {
            Leader::Audio => self.heard.scale(by),
            Leader::Session => self.session.scale(by),
            _ => return Some(bpm * by).filter(|bpm| BPM.contains(bpm)),
        }
        None
    }

    /// Notes that a hand has set the tempo.
    pub fn set_by_hand(&mut self) {
        self.has_new_tempo |= self.leader() == Leader::Session;
    }

    /// What others who share the tempo should play, if a hand has set it to `bpm` here since the last call.
    pub fn take_new_tempo(&mut self, bpm: f64) -> Option<f64> {
        std::mem::take(&mut self.has_new_tempo).then(|| self.session.shared(bpm))
    }

    /// Moves the beat a little, and keeps it there if another clock leads.
    pub fn nudge(&mut self, by: f64) {
        self.shift(by * NUDGE_BEATS);
    }

    /// Makes the beat nearest to this moment the first of a bar.
    pub fn begin_bar(&mut self) {
        let beat = self.beat.round();
        self.shift((beat / BAR).round() * BAR - beat);
    }

    fn shift(&mut self, by: f64) {
        let from = self.beat;
        self.beat = (self.beat + by).max(0.0);
        self.offset += self.beat - from;
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
        if self.leader() != Leader::Midi {
            return;
        }
        match heard.beat {
            Some(beat) if heard.jumped => {
                self.beat = beat;
                (self.behind, self.offset) = (0.0, 0.0);
            }
            Some(beat) => self.behind = beat + self.offset - self.beat,
            None => {}
        }
        out.extend(heard.bpm.map(|bpm| tempo(bpm, Source::Midi)));
    }

    /// Follows the signals of the sound, and appends a write to `/tempo` when the tempo has changed. Ignores other signals.
    pub fn signal(&mut self, id: SignalId, value: f64, out: &mut Vec<Write>) {
        if self.heard.signal(id, value) && self.leader() == Leader::Audio {
            out.extend(self.heard.news().map(|bpm| tempo(bpm, Source::Audio)));
        }
    }

    /// Takes news of a shared session, and appends a write to `/tempo` when its tempo has changed. A session that starts
    /// begins the show's first bar.
    pub fn session(&mut self, session: Session, out: &mut Vec<Write>) {
        let has_started = self.session.hear(session);
        if self.leader() != Leader::Session {
            return;
        }
        if has_started {
            self.beat = self.session.in_bar();
            (self.behind, self.offset) = (0.0, 0.0);
        }
        out.extend(self.session.news().map(|bpm| tempo(bpm, Source::Session)));
    }

    /// Takes a reading of timecode.
    pub fn timecode(&mut self, stamp: Stamp) {
        self.timecode.hear(stamp);
    }

    /// The time of the timecode.
    pub fn timecode_mut(&mut self) -> &mut Follow {
        &mut self.timecode
    }

    /// Seconds of timecode since 00:00:00:00; `None` before there is any.
    pub fn timecode_secs(&self) -> Option<f64> {
        self.timecode.secs()
    }

    /// Beats since the start; the fraction is the position within a beat.
    pub fn beat(&self) -> f64 {
        self.beat
    }
}

/// The beats that a frame adds to what counts them: those that `passed`, or as many as were `expected` if the beat was set
/// to another place.
pub fn counted(passed: f64, expected: f64) -> f64 {
    let is_jump = passed < 0.0 || passed > 1.0 + 4.0 * expected;
    if is_jump { expected } else { passed }
}

fn tempo(bpm: f64, source: Source) -> Write {
    Write { target: Id::Tempo.into(), value: Value::Float(bpm.clamp(*BPM.start(), *BPM.end())), source }
}

#[cfg(test)]
mod test {
    use super::*;

    fn taps(at: &[f64]) -> Option<f64> {
        let mut clock = Clock::default();
        let mut bpm = None;
        for &at in at {
            clock.step(at - clock.secs, 120.0, TempoSource::Auto);
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
            clock.step(1.0 / 60.0, bpm, TempoSource::Auto);
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
        (0..600).for_each(|_| clock.step(1.0 / 60.0, 90.0, TempoSource::Auto));
        assert!((clock.beat() - 15.0).abs() < 1e-9);
    }

    /// Plays music of 128 bpm from `from` seconds on, in frames of 1/60 s, heard as surely as `certain`. `bpm` is the tempo.
    fn listen(clock: &mut Clock, bpm: &mut f64, frames: u32, from: f64, certain: f64) {
        let ids = ["audio.bpm", "audio.phase", "audio.confidence"].map(|name| SignalId::intern(name).unwrap());
        let mut out = Vec::new();
        for frame in 0..frames {
            let phase = ((from + f64::from(frame) / 60.0) * 128.0 / 60.0).fract();
            for (id, value) in ids.into_iter().zip([(128.0 - 60.0) / 120.0, phase, certain]) {
                clock.signal(id, value, &mut out);
            }
            for write in out.drain(..) {
                let Value::Float(told) = write.value else { panic!("{write:?}") };
                *bpm = told;
            }
            clock.step(1.0 / 60.0, *bpm, clock.source);
        }
    }

    fn clock(source: TempoSource) -> Clock {
        Clock { source, ..Clock::default() }
    }

    #[test]
    fn the_beat_follows_the_music_and_goes_on_without_it() {
        let (mut clock, mut bpm) = (clock(TempoSource::Auto), 100.0);
        listen(&mut clock, &mut bpm, 600, 0.0, 0.9);
        assert_eq!(clock.leader(), Leader::Audio);
        assert!((bpm - 128.0).abs() < 0.5, "{bpm}");
        let apart = clock.beat() - 10.0 * 128.0 / 60.0;
        assert!((apart - apart.round()).abs() < 0.03, "{apart}");
        listen(&mut clock, &mut bpm, 60, 10.25, 0.1);
        assert_eq!(clock.leader(), Leader::Own, "no longer certain");
        let apart = clock.beat() - 11.0 * 128.0 / 60.0;
        assert!((apart - apart.round()).abs() < 0.03, "it goes on at its tempo: {apart}");
    }

    #[test]
    fn only_the_chosen_source_leads() {
        let (mut own, mut bpm) = (clock(TempoSource::Tap), 100.0);
        listen(&mut own, &mut bpm, 60, 0.0, 0.9);
        assert_eq!((own.leader(), bpm), (Leader::Own, 100.0));
        let mut heard = clock(TempoSource::Audio);
        listen(&mut heard, &mut bpm, 60, 0.0, 0.9);
        let start = midi::Message { port: 0, channel: 0, kind: midi::Kind::Start, at_us: 0 };
        heard.midi(&start, &mut Vec::new());
        assert!(heard.leader() == Leader::Audio && heard.beat() > 1.0, "a MIDI clock does not jump in");
    }

    #[test]
    fn half_a_tempo_a_nudge_and_a_bar_stay_while_another_clock_leads() {
        let (mut clock, mut bpm) = (clock(TempoSource::Audio), 100.0);
        listen(&mut clock, &mut bpm, 600, 0.0, 0.9);
        assert_eq!(clock.scale(0.5, 128.0), None, "the sound leads");
        listen(&mut clock, &mut bpm, 600, 10.0, 0.9);
        assert!((bpm - 64.0).abs() < 0.5, "{bpm}");
        (0..4).for_each(|_| clock.nudge(1.0));
        listen(&mut clock, &mut bpm, 600, 20.0, 0.9);
        let apart = (clock.beat() - 30.0 * 64.0 / 60.0 - 4.0 * NUDGE_BEATS) * 2.0;
        assert!((apart - apart.round()).abs() < 0.05, "{apart}");
    }

    /// A session of two at `bpm`, told of every quarter second from `beat` on, in frames of 1/60 s. Returns its beat.
    fn join(clock: &mut Clock, bpm: &mut f64, session: Session, frames: u32) -> f64 {
        let mut out = Vec::new();
        let mut beat = session.beat;
        for frame in 0..frames {
            if frame % 15 == 0 {
                clock.session(Session { beat, ..session }, &mut out);
            }
            for write in out.drain(..) {
                assert_eq!(write.source, Source::Session);
                let Value::Float(told) = write.value else { panic!("{write:?}") };
                *bpm = told;
            }
            let before = clock.beat();
            clock.step(1.0 / 60.0, *bpm, clock.source);
            assert!(clock.beat() >= before, "back at frame {frame}");
            beat += session.bpm / 3600.0;
        }
        beat
    }

    /// How far two beats are apart within a bar.
    fn apart(a: f64, b: f64) -> f64 {
        let apart = (a - b) / BAR;
        ((apart - apart.round()) * BAR).abs()
    }

    #[test]
    fn what_counts_beats_passes_over_a_jump() {
        // At 120 beats a minute: a frame, a hitch, a bar further on, and back to the start.
        for (passed, counted) in [(0.03, 0.03), (0.9, 0.9), (4.0, 0.03), (-17.0, 0.03)] {
            assert_eq!(super::counted(passed, 0.03), counted, "{passed}");
        }
    }

    #[test]
    fn a_session_gives_tempo_and_bar_and_comes_before_a_midi_clock() {
        let (mut clock, mut bpm) = (clock(TempoSource::Auto), 100.0);
        (0..100).for_each(|_| clock.step(1.0 / 60.0, 100.0, TempoSource::Auto));
        let start = midi::Message { port: 0, channel: 0, kind: midi::Kind::Start, at_us: 0 };
        clock.midi(&start, &mut Vec::new());
        assert_eq!(clock.leader(), Leader::Midi);
        let session = Session { bpm: 126.5, beat: 31.7, peers: 1, is_playing: true };
        let beat = join(&mut clock, &mut bpm, session, 300);
        assert_eq!((clock.leader(), bpm), (Leader::Session, 126.5));
        assert!(apart(clock.beat(), beat) < 1e-3, "{} {beat}", clock.beat());
        // Another tempo, and a beat that is a little ahead: no jump.
        let moved = Session { bpm: 90.0, beat: beat + 0.1, ..session };
        let before = clock.beat();
        let beat = join(&mut clock, &mut bpm, moved, 1);
        assert!(clock.beat() - before < 0.05);
        let beat = join(&mut clock, &mut bpm, Session { beat, ..moved }, 300);
        assert!(apart(clock.beat(), beat) < 1e-3 && bpm == 90.0, "{} {beat}", clock.beat());
        let alone = Session { peers: 0, ..moved };
        clock.session(alone, &mut Vec::new());
        assert_ne!(clock.leader(), Leader::Session);
    }

    #[test]
    fn a_session_that_stops_holds_the_beat_and_its_start_begins_a_bar() {
        let (mut clock, mut bpm) = (clock(TempoSource::Link), 120.0);
        let session = Session { bpm: 120.0, beat: 6.0, peers: 1, is_playing: true };
        let beat = join(&mut clock, &mut bpm, session, 60);
        let held = clock.beat();
        join(&mut clock, &mut bpm, Session { beat, is_playing: false, ..session }, 120);
        assert!((clock.beat() - held).abs() < 0.02, "{} {held}", clock.beat());
        let beat = join(&mut clock, &mut bpm, Session { beat: 16.0, ..session }, 60);
        assert!((clock.beat() - 2.0).abs() < 0.05 && apart(clock.beat(), beat) < 1e-3, "{}", clock.beat());
    }

    #[test]
    fn what_a_hand_sets_goes_to_the_session_and_half_the_tempo_stays_here() {
        let (mut clock, mut bpm) = (clock(TempoSource::Auto), 100.0);
        clock.set_by_hand();
        assert_eq!(clock.take_new_tempo(130.0), None, "nobody shares it");
        let session = Session { bpm: 120.0, beat: 0.0, peers: 2, is_playing: true };
        join(&mut clock, &mut bpm, session, 60);
        clock.set_by_hand();
        assert_eq!(clock.take_new_tempo(130.0), Some(130.0));
        assert_eq!(clock.take_new_tempo(130.0), None, "told once");
        assert_eq!(clock.scale(0.5, bpm), None);
        let beat = join(&mut clock, &mut bpm, Session { beat: 2.0, ..session }, 120);
        assert!((bpm - 60.0).abs() < 1e-9 && apart(clock.beat(), beat / 2.0) < 1e-3);
        clock.set_by_hand();
        assert_eq!(clock.take_new_tempo(65.0), Some(130.0));
    }

    #[test]
    fn timecode_sets_the_beat_if_it_is_chosen() {
        use crate::control::timecode::{Carrier, FrameRate, Motion, Stamp, Timecode};
        let code = Timecode::parse("00:01:00:00", FrameRate::FPS_25).unwrap();
        let stamp = Stamp { carrier: Carrier::Mtc, code, motion: Motion::Forward };
        let mut auto = clock(TempoSource::Auto);
        auto.timecode(stamp);
        auto.step(0.5, 120.0, TempoSource::Auto);
        assert!((auto.beat() - 1.0).abs() < 1e-9 && auto.leader() == Leader::Own);
        let mut clock = clock(TempoSource::Timecode);
        clock.step(0.5, 120.0, TempoSource::Timecode);
        assert!((clock.beat() - 1.0).abs() < 1e-9, "none yet: it goes on by itself");
        clock.timecode(stamp);
        clock.step(0.5, 120.0, TempoSource::Timecode);
        assert!((clock.beat() - 121.0).abs() < 1e-9, "{}", clock.beat());
        (0..100).for_each(|_| clock.step(0.5, 120.0, TempoSource::Timecode));
        assert!((clock.beat() - 122.0).abs() < 1e-9, "lost, and held after a second: {}", clock.beat());
    }

    #[test]
    fn the_shows_own_tempo_and_bar_are_set_at_once() {
        let mut own = Clock::default();
        assert_eq!(own.scale(2.0, 100.0), Some(200.0));
        assert_eq!(own.scale(2.0, 300.0), None, "too fast");
        own.step(3.1, 120.0, TempoSource::Auto);
        own.begin_bar();
        assert!((own.beat() - 8.2).abs() < 1e-9, "{}", own.beat());
    }
}
