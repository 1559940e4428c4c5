//! Makes a steady time of timecode's readings, which come late, jitter, stop and jump.
//!
//! Pure: `dt` and the readings are its inputs. Between readings the time runs on; each pulls it a little, and shows how fast
//! the other machine runs. If none comes any more, the time runs on for [`FREEWHEEL_SECS`] and then stands.

use super::{Motion, Stamp, rate_word};

/// How long the time runs on by itself.
pub const FREEWHEEL_SECS: f64 = 1.0;
/// Further than this from a reading the time jumps, in seconds: more than two frames and a picture.
const JUMP_SECS: f64 = 0.12;
/// How much of the distance to a reading is caught up with it, and how much of it is taken for speed: an alpha-beta filter,
/// slow enough for the jitter of a frame, fast enough for a tape that is pulled up by a tenth.
const PULL: f64 = 0.2;
const SPEED_PULL: f64 = 0.02;
/// The speeds that are followed without jumps, of a machine that plays at 1.
const SPEEDS: std::ops::RangeInclusive<f64> = 0.5..=2.0;

/// How the time is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// No timecode so far.
    #[default]
    Absent,
    /// It follows, or runs on by itself for a moment.
    Running,
    /// The other machine stands at this place.
    Still,
    /// No readings any more.
    Lost,
}

/// A time that follows readings.
#[derive(Clone, Debug, Default)]
pub struct Follow {
    last: Option<Stamp>,
    state: State,
    secs: f64,
    /// Seconds of timecode in a second, negative backwards.
    speed: f64,
    silence_secs: f64,
    /// One line about a change of state.
    line: Option<String>,
}

impl Follow {
    /// Advances by `dt` seconds.
    pub fn step(&mut self, dt: f64) {
        self.silence_secs += dt;
        if self.state != State::Running {
            return;
        }
        let left = FREEWHEEL_SECS - (self.silence_secs - dt);
        self.secs = (self.secs + dt.min(left.max(0.0)) * self.speed).max(0.0);
        if self.silence_secs > FREEWHEEL_SECS {
            self.state = State::Lost;
            self.line = self
                .last
                .map(|last| format!("timecode ({}) is lost: holding {}", last.carrier.word(), clock(self.secs)));
        }
    }

    /// Takes a reading. The first, and each after a silence, decides which carrier is followed; others are ignored
    /// meanwhile.
    pub fn hear(&mut self, stamp: Stamp) {
        let is_other = self.last.is_some_and(|last| last.carrier != stamp.carrier);
        if is_other && matches!(self.state, State::Running | State::Still) && self.silence_secs < FREEWHEEL_SECS {
            return;
        }
        if is_other || matches!(self.state, State::Absent | State::Lost) {
            let (carrier, fps) = (stamp.carrier.word(), rate_word(stamp.code.rate()));
            self.line = Some(format!("timecode ({carrier}) at {}, {fps} frames a second", stamp.code));
        }
        let apart = stamp.secs() - self.secs;
        let direction = match stamp.motion {
            Motion::Forward => 1.0,
            Motion::Reverse => -1.0,
            Motion::Still => 0.0,
        };
        let goes_on = self.state == State::Running && self.speed * direction > 0.0 && apart.abs() < JUMP_SECS;
        if goes_on {
            self.secs += PULL * apart;
            // At the first silence of all there is no distance in time.
            let speed = self.speed + SPEED_PULL * apart / self.silence_secs.max(0.01);
            self.speed = direction * (speed * direction).clamp(*SPEEDS.start(), *SPEEDS.end());
        } else {
            (self.secs, self.speed) = (stamp.secs(), direction);
        }
        self.state = if stamp.motion == Motion::Still { State::Still } else { State::Running };
        self.silence_secs = 0.0;
        self.last = Some(stamp);
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// Seconds since 00:00:00:00; `None` before the first reading.
    pub fn secs(&self) -> Option<f64> {
        self.last.map(|_| self.secs)
    }

    /// The line about the last change of state, once.
    pub fn take_line(&mut self) -> Option<String> {
        self.line.take()
    }
}

/// `1:02:03.4`.
pub fn clock(secs: f64) -> String {
    let tenths = (secs * 10.0).floor() as u64;
    let (secs, tenths) = (tenths / 10, tenths % 10);
    format!("{}:{:02}:{:02}.{tenths}", secs / 3600, secs / 60 % 60, secs % 60)
}

#[cfg(test)]
mod tests {
    use smpte_timecode::{FrameRate, Timecode};

    use super::super::Carrier;
    use super::*;

    fn stamp(secs: f64, rate: FrameRate, motion: Motion) -> Stamp {
        let frames = (secs * rate.frames_per_second().to_f64() + 1e-6).floor() as u32;
        Stamp { carrier: Carrier::Mtc, code: Timecode::from_frames(frames, rate).unwrap(), motion }
    }

    /// A tape at `speed` from `from` for `secs`, read every two frames in frames of 1/60 s, each reading up to `late` frames
    /// late; the largest difference in the last half.
    fn play(follow: &mut Follow, from: f64, secs: f64, speed: f64, late: u64) -> f64 {
        let mut rng = crate::control::test_rng(4);
        let rate = FrameRate::FPS_25;
        let (mut worst, mut due, mut wait, mut label): (f64, f64, u64, f64) = (0.0, from, 0, from);
        let frames = (secs * 60.0) as u32;
        for frame in 0..frames {
            let tape = from + f64::from(frame) / 60.0 * speed;
            if tape >= due {
                (label, due) = (due, due + 0.08);
                wait = if late > 0 { 1 + rng() % late } else { 1 };
            }
            if wait > 0 {
                wait -= 1;
                if wait == 0 {
                    follow.hear(stamp(label, rate, Motion::Forward));
                }
            }
            if frame > frames / 2 {
                worst = worst.max((follow.secs().unwrap() - tape).abs());
            }
            follow.step(1.0 / 60.0);
        }
        worst
    }

    #[test]
    fn it_runs_evenly_and_follows_another_speed() {
        for (speed, late, most) in [(1.0, 0, 0.02), (1.0, 3, 0.04), (1.1, 0, 0.03), (0.9, 2, 0.04)] {
            let mut follow = Follow::default();
            let worst = play(&mut follow, 3600.0, 10.0, speed, late);
            assert!(worst < most, "{speed} {late}: {worst}");
        }
    }

    #[test]
    fn it_runs_on_for_a_second_and_then_stands() {
        let mut follow = Follow::default();
        assert_eq!((follow.state(), follow.secs()), (State::Absent, None));
        play(&mut follow, 10.0, 4.0, 1.0, 0);
        assert!(follow.take_line().unwrap().contains("mtc) at 00:00:10:00, 25 frames"));
        let last = follow.secs().unwrap();
        (0..30).for_each(|_| follow.step(1.0 / 60.0));
        assert!(follow.state() == State::Running && follow.take_line().is_none());
        assert!((follow.secs().unwrap() - last - 0.5).abs() < 0.02);
        (0..300).for_each(|_| follow.step(1.0 / 60.0));
        assert_eq!(follow.state(), State::Lost);
        assert!((follow.secs().unwrap() - last - 1.0).abs() < 0.1, "{} {last}", follow.secs().unwrap());
        assert!(follow.take_line().unwrap().starts_with("timecode (mtc) is lost: holding 0:00:1"));
        assert_eq!(follow.take_line(), None, "said once");
        follow.hear(stamp(16.0, FrameRate::FPS_25, Motion::Forward));
        assert!((follow.secs().unwrap() - 16.0).abs() < 0.05 && follow.take_line().is_some());
    }

    #[test]
    fn it_jumps_where_the_other_machine_jumps() {
        let mut follow = Follow::default();
        play(&mut follow, 100.0, 2.0, 1.0, 0);
        follow.hear(stamp(20.0, FrameRate::FPS_25, Motion::Forward));
        assert!((follow.secs().unwrap() - 20.0).abs() < 1e-6, "back");
        follow.hear(stamp(50.0, FrameRate::FPS_25, Motion::Still));
        (0..600).for_each(|_| follow.step(1.0 / 60.0));
        assert_eq!(
            (follow.state(), follow.secs()),
            (State::Still, Some(50.0)),
            "it stands there for as long as it likes"
        );
        follow.hear(stamp(49.0, FrameRate::FPS_25, Motion::Reverse));
        follow.step(0.5);
        assert!((follow.secs().unwrap() - 48.5).abs() < 1e-6);
    }

    #[test]
    fn one_carrier_is_followed_at_a_time() {
        let mut follow = Follow::default();
        follow.hear(stamp(5.0, FrameRate::FPS_25, Motion::Forward));
        let other = Stamp { carrier: Carrier::Ltc, ..stamp(90.0, FrameRate::FPS_25, Motion::Forward) };
        follow.hear(other);
        assert!((follow.secs().unwrap() - 5.0).abs() < 1e-6);
        follow.step(3.0);
        follow.hear(other);
        assert!((follow.secs().unwrap() - 90.0).abs() < 1e-6);
    }

    #[test]
    fn a_clock_is_readable() {
        assert_eq!(clock(3723.45), "1:02:03.4");
        assert_eq!(clock(0.0), "0:00:00.0");
    }
}
