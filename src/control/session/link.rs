//! Ableton Link, by rusty_link.
//!
//! [`LinkSession`] is asked where it is at the end of each frame, on the show's thread: asking neither waits nor allocates.
//! What has changed goes to the next frame as an [`Event::Session`]. While nobody else is in the session, it follows the
//! show, so that whoever joins finds the show's tempo and bar; a tempo that is tapped or set here is the session's, too.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusty_link::{AblLink, SessionState};

use super::{QUANTUM, Session};
use crate::control::{Counts, Device, DeviceStatus, Event, EventSender, Listener, Snapshot};
use crate::params::Id;

/// What is as predicted is told again after this long.
const TELL_EVERY_MICROS: i64 = 250_000;
/// How far a beat may be from the predicted one without news, in beats.
const NEAR: f64 = 0.002;
/// How far the beat of an empty session may be from the show's, in beats.
const APART: f64 = 0.01;
/// A tempo of this relative difference is the same.
const SAME: f64 = 1e-6;

/// This program's part of a session. Dropping it leaves the session.
pub struct LinkSession {
    follower: Option<Follower>,
    peers: Arc<AtomicU64>,
}

impl LinkSession {
    /// Joins the session of this network. With `shares_start`, the show starts and stops with the others.
    pub fn join(shares_start: bool, events: EventSender, counts: Arc<Counts>) -> Self {
        let link = AblLink::new(120.0);
        link.enable_start_stop_sync(shares_start);
        link.enable(true);
        let peers = Arc::<AtomicU64>::default();
        let follower = Follower {
            link,
            state: SessionState::new(),
            played: false,
            shares_start,
            told: None,
            peers: peers.clone(),
            events,
            counts,
        };
        LinkSession { follower: Some(follower), peers }
    }
}

impl Device for LinkSession {
    fn status(&self) -> DeviceStatus {
        let line = match self.peers.load(Ordering::Relaxed) {
            0 => "nobody else".to_owned(),
            1 => "1 peer".to_owned(),
            peers => format!("{peers} peers"),
        };
        DeviceStatus { name: "link", open: vec![line], ..DeviceStatus::default() }
    }

    fn listener(&mut self) -> Option<Box<dyn Listener>> {
        Some(Box::new(self.follower.take()?))
    }
}

/// The half that runs inside the frame.
struct Follower {
    link: AblLink,
    state: SessionState,
    shares_start: bool,
    /// Whether the session was playing in the last frame.
    played: bool,
    /// What the show was told, and when, in Link's microseconds.
    told: Option<(Session, i64)>,
    peers: Arc<AtomicU64>,
    events: EventSender,
    counts: Arc<Counts>,
}

impl Follower {
    /// Where the session is at `now`.
    fn session(&self, now: i64) -> Session {
        let beat = self.state.beat_at_time(now, QUANTUM);
        let is_started = self.state.is_playing() && now >= self.state.time_for_is_playing() && beat >= 0.0;
        Session {
            bpm: self.state.tempo(),
            beat,
            peers: u32::try_from(self.link.num_peers()).unwrap_or(u32::MAX),
            is_playing: is_started || !self.shares_start,
        }
    }

    /// Counts the beats from the first bar after the others have started: until then they are negative, and the show waits.
    fn align(&mut self) {
        let plays = self.state.is_playing();
        let played = std::mem::replace(&mut self.played, plays);
        if self.shares_start && plays && !played && self.link.num_peers() > 0 {
            self.state.request_beat_at_start_playing_time(0.0, QUANTUM);
            self.link.commit_app_session_state(&self.state);
        }
    }

    /// Takes the show's tempo and beat into a session that has nobody else in it.
    fn lead(&mut self, bpm: f64, beat: f64, now: i64) {
        let apart = self.state.beat_at_time(now, QUANTUM) - beat;
        let apart = apart - (apart / QUANTUM).round() * QUANTUM;
        let has_tempo = (self.state.tempo() / bpm - 1.0).abs() < SAME;
        let plays = self.state.is_playing() || !self.shares_start;
        if has_tempo && apart.abs() < APART && plays {
            return;
        }
        self.state.set_tempo(bpm, now);
        if self.shares_start {
            self.state.set_is_playing(true, now);
        }
        self.state.request_beat_at_time(beat, now, QUANTUM);
        self.link.commit_app_session_state(&self.state);
    }

    /// Whether the show can work this out from what it was told.
    fn is_known(&self, session: &Session, now: i64) -> bool {
        let Some((told, at)) = self.told else { return false };
        let predicted = told.beat + (now - at) as f64 * 1e-6 * told.bpm / 60.0;
        let same = Session { beat: session.beat, ..told } == *session;
        same && (session.beat - predicted).abs() < NEAR && now - at < TELL_EVERY_MICROS
    }
}

impl Listener for Follower {
    fn tempo(&mut self, bpm: f64) {
        self.link.capture_app_session_state(&mut self.state);
        self.state.set_tempo(bpm, self.link.clock_micros());
        self.link.commit_app_session_state(&self.state);
    }

    fn publish(&mut self, snapshot: &Snapshot, _: f64) {
        self.link.capture_app_session_state(&mut self.state);
        self.align();
        let now = self.link.clock_micros();
        let session = self.session(now);
        self.peers.store(session.peers.into(), Ordering::Relaxed);
        if session.peers == 0 {
            self.lead(snapshot.params.get(Id::Tempo), snapshot.feeds.beat, now);
        }
        if !self.is_known(&session, now) {
            self.told = Some((session, now));
            self.events.send(Event::Session(session), &self.counts);
        }
    }
}

/// How many others are in the session of this network, for `doctor`: waits for `patience`.
pub fn peers(patience: Duration) -> u64 {
    let link = AblLink::new(120.0);
    link.enable(true);
    std::thread::sleep(patience);
    link.num_peers()
}
