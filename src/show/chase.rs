//! Chasing: a take whose time is that of another machine's timecode.
//!
//! Pure. The frames of the take up to the timecode are due; where it goes back, the take begins again and catches up. While
//! it stands or is lost, so does the take.

use crate::control::Event;
use crate::control::timecode::follow::{State, clock};
use crate::control::timecode::{Carrier, Follow};

/// Frames of a take in one frame of the show, to catch up: a minute in a second.
pub(super) const MOST_FRAMES: usize = 64;
/// A step back by less than this is waited for.
const BACK_SECS: f64 = 0.25;
/// A distance that is shown.
const FAR_SECS: f64 = 1.0;

/// What is chased, and how far the take is.
pub(super) struct Chase {
    carrier: Carrier,
    /// The timecode at which the take begins.
    start_secs: f64,
    follow: Follow,
    /// Seconds of the take that have been played.
    played_secs: f64,
    is_far: bool,
}

/// What to do in a frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Step {
    /// No timecode yet.
    Wait,
    /// So many seconds of the take are due, from the beginning if it begins again.
    Play { owed_secs: f64, again: bool },
}

impl Chase {
    pub fn new(carrier: Carrier, start_secs: f64) -> Chase {
        Chase { carrier, start_secs, follow: Follow::default(), played_secs: 0.0, is_far: false }
    }

    /// The line before there is any timecode.
    pub fn waiting(&self) -> String {
        format!("waiting for timecode ({})", self.carrier.word())
    }

    /// Advances by `dt` seconds and takes the readings among `events`.
    pub fn step(&mut self, dt: f64, events: &[Event]) -> Step {
        self.follow.step(dt);
        for event in events {
            if let Event::Timecode(stamp) = event
                && stamp.carrier == self.carrier
            {
                self.follow.hear(*stamp);
            }
        }
        let Some(secs) = self.follow.secs().filter(|_| self.follow.state() != State::Absent) else { return Step::Wait };
        let target = (secs - self.start_secs).max(0.0);
        let again = target < self.played_secs - BACK_SECS;
        if again {
            self.played_secs = 0.0;
        }
        Step::Play { owed_secs: (target - self.played_secs).max(0.0), again }
    }

    /// The line about timecode that was found or lost, once.
    pub fn take_line(&mut self) -> Option<String> {
        self.follow.take_line()
    }

    /// Notes frames of the take that were played; `left_secs` are still due.
    pub fn played(&mut self, secs: f64, left_secs: f64) -> Option<String> {
        self.played_secs += secs;
        let was_far = std::mem::replace(&mut self.is_far, left_secs > FAR_SECS);
        match (was_far, self.is_far) {
            (false, true) => Some(format!("catching up with the timecode: the take is at {}", clock(self.played_secs))),
            (true, false) => Some(format!("with the timecode again: the take is at {}", clock(self.played_secs))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::timecode::{FrameRate, Motion, Stamp, Timecode};

    fn at(text: &str) -> [Event; 1] {
        let code = Timecode::parse(text, FrameRate::FPS_25).unwrap();
        [Event::Timecode(Stamp { carrier: Carrier::Mtc, code, motion: Motion::Forward })]
    }

    /// Plays all that is due, in one go.
    fn play(chase: &mut Chase, dt: f64, events: &[Event]) -> (f64, bool) {
        let Step::Play { owed_secs, again } = chase.step(dt, events) else { panic!("it waits") };
        chase.played(owed_secs, 0.0);
        (owed_secs, again)
    }

    #[test]
    fn the_take_is_where_the_timecode_is() {
        let mut chase = Chase::new(Carrier::Mtc, 3600.0);
        assert_eq!(chase.step(1.0, &[]), Step::Wait);
        let other = Event::Timecode(Stamp {
            carrier: Carrier::Ltc,
            code: Timecode::parse("01:00:09:00", FrameRate::FPS_25).unwrap(),
            motion: Motion::Forward,
        });
        assert_eq!(chase.step(0.0, &[other]), Step::Wait, "another carrier");
        assert_eq!(play(&mut chase, 0.0, &at("00:59:59:00")), (0.0, false), "it has not begun");
        assert_eq!(play(&mut chase, 0.0, &at("01:00:02:00")), (2.0, false));
        let (owed, again) = play(&mut chase, 0.5, &[]);
        assert!((owed - 0.5).abs() < 1e-9 && !again, "it runs on: {owed}");
        let (owed, _) = play(&mut chase, 9.0, &[]);
        assert!((owed - 0.5).abs() < 1e-9, "and stands after a second: {owed}");
        assert_eq!(play(&mut chase, 9.0, &[]), (0.0, false));
    }

    #[test]
    fn it_begins_again_where_the_timecode_goes_back() {
        let mut chase = Chase::new(Carrier::Mtc, 0.0);
        play(&mut chase, 0.0, &at("00:00:10:00"));
        assert_eq!(play(&mut chase, 0.0, &at("00:00:09:20")), (0.0, false), "a little is waited for");
        assert_eq!(play(&mut chase, 0.0, &at("00:00:04:00")), (4.0, true));
        assert_eq!(play(&mut chase, 0.0, &at("00:01:04:00")), (60.0, false), "forward it goes on");
    }

    #[test]
    fn a_long_way_is_told_at_both_ends() {
        let mut chase = Chase::new(Carrier::Mtc, 0.0);
        assert!(chase.played(1.0, 30.0).unwrap().starts_with("catching up"));
        assert_eq!(chase.played(1.0, 20.0), None);
        assert!(chase.played(20.0, 0.0).unwrap().ends_with("the take is at 0:00:22.0"));
        assert_eq!(chase.played(0.1, 0.1), None);
    }
}
