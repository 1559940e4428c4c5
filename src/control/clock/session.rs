//! Follows a shared session: its tempo, and its beat modulo a bar.

use super::BAR;
use super::ratio::Ratio;
use crate::control::session::Session;

/// A relative change of tempo that is too small to report.
const WORTH_TELLING: f64 = 1e-5;
/// Without news for this long, the session is gone.
const GAP_SECS: f64 = 2.0;
/// The longest frame that counts as silence, in seconds: a show that hangs hears nothing.
const FRAME_SECS: f64 = 0.25;

/// What the show makes of a session.
#[derive(Clone, Debug)]
pub struct SessionClock {
    session: Session,
    ratio: Ratio,
    silence_secs: f64,
}

impl Default for SessionClock {
    fn default() -> Self {
        SessionClock { session: Session::default(), ratio: Ratio::default(), silence_secs: f64::INFINITY }
    }
}

impl SessionClock {
    /// Advances by `dt` seconds of the show.
    pub fn step(&mut self, dt: f64) {
        self.silence_secs += dt.min(FRAME_SECS);
        self.session.beat += dt * self.session.bpm / 60.0;
    }

    /// Takes news. `true` if the session has started to play.
    pub fn hear(&mut self, session: Session) -> bool {
        let was_stopped = self.is_stopped();
        self.session = session;
        self.silence_secs = 0.0;
        was_stopped && self.leads() && session.is_playing
    }

    /// Whether there is somebody to follow.
    pub fn leads(&self) -> bool {
        self.session.peers > 0 && self.session.bpm > 0.0 && self.silence_secs < GAP_SECS
    }

    /// Whether the others have stopped.
    pub fn is_stopped(&self) -> bool {
        self.leads() && !self.session.is_playing
    }

    /// A tempo in beats per minute that has not been reported yet.
    pub fn news(&mut self) -> Option<f64> {
        self.ratio.news(self.session.bpm, WORTH_TELLING)
    }

    /// Reports the tempo again, after somebody else has changed it.
    pub fn tell_again(&mut self) {
        self.ratio.tell_again();
    }

    /// Counts half or twice as many beats as the others do.
    pub fn scale(&mut self, by: f64) {
        self.ratio.scale(by);
        self.ratio.tell_again();
    }

    /// The session's tempo when the show's is `bpm`.
    pub fn shared(&self, bpm: f64) -> f64 {
        bpm / self.ratio.factor()
    }

    /// Where the bar is, in beats of the show, from 0 to 4.
    pub fn in_bar(&self) -> f64 {
        (self.session.beat * self.ratio.factor()).rem_euclid(BAR)
    }

    /// How far `beat` is behind the session's bar, in beats: -2 to 2.
    pub fn ahead_of(&self, beat: f64) -> f64 {
        let apart = self.in_bar() - beat;
        apart - (apart / BAR).round() * BAR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(bpm: f64, beat: f64) -> SessionClock {
        let mut clock = SessionClock::default();
        clock.hear(Session { bpm, beat, peers: 1, is_playing: true });
        clock
    }

    #[test]
    fn it_leads_while_somebody_is_there() {
        assert!(!SessionClock::default().leads());
        let mut clock = heard(120.0, 1.0);
        assert!(clock.leads() && !clock.is_stopped());
        clock.step(30.0);
        assert!(clock.leads(), "one long frame is no silence");
        (0..9).for_each(|_| clock.step(0.25));
        assert!(!clock.leads());
        clock.hear(Session { bpm: 120.0, beat: 1.0, peers: 0, is_playing: true });
        assert!(!clock.leads(), "alone");
    }

    #[test]
    fn the_beat_goes_on_between_news() {
        let mut clock = heard(90.0, 3.5);
        clock.step(1.0);
        assert!((clock.in_bar() - 1.0).abs() < 1e-9);
        assert!((clock.ahead_of(40.75) - 0.25).abs() < 1e-9);
        assert!((clock.ahead_of(41.5) + 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_start_is_told_once() {
        let mut clock = SessionClock::default();
        let news = |is_playing| Session { bpm: 120.0, beat: 0.0, peers: 1, is_playing };
        assert!(!clock.hear(news(false)) && clock.is_stopped());
        assert!(clock.hear(news(true)));
        assert!(!clock.hear(news(true)));
    }

    #[test]
    fn half_the_tempo_is_the_shows_alone() {
        let mut clock = heard(120.0, 5.0);
        assert!((clock.news().unwrap() - 120.0).abs() < 1e-9);
        assert_eq!(clock.news(), None);
        clock.scale(0.5);
        assert!((clock.news().unwrap() - 60.0).abs() < 1e-9);
        assert!((clock.in_bar() - 2.5).abs() < 1e-9);
        assert!((clock.shared(70.0) - 140.0).abs() < 1e-9);
        (0..9).for_each(|_| clock.scale(2.0));
        assert_eq!(clock.ratio.factor(), 4.0);
    }
}
