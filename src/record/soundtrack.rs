//! The sound of a recording: what was heard while its frames were shown.
//!
//! Sound is cut into pieces as long as frames, so that it is written by the same counter as the pictures. The source has a
//! clock of its own: where it runs away from the show's, a piece is stretched by a sample, and where it jumps, as after a
//! pulled cable, the sound jumps along. Runs on the thread of the recording; reads no clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::audio::RATE;
use crate::audio::history::History;

/// What runs away by more than this is brought back, a sample in each piece; in seconds.
const DRIFT_SECS: f64 = 0.003;
/// What is off by more than this jumps.
const JUMP_SECS: f64 = 0.05;
/// For so long the show's delays are watched before the sound follows them.
const WATCH_SECS: f64 = 1.0;

/// Finds the sound for each frame.
pub struct Soundtrack {
    history: Arc<History>,
    fps: f64,
    /// When frame 0 was shown.
    start: Instant,
    /// The next piece.
    place: u64,
    /// The next sample, once there is one.
    next: Option<f64>,
    /// By how much frames are late, at least, in seconds, since that place.
    late: f64,
    since: u64,
}

impl Soundtrack {
    /// From frame 0, which was shown at `start`.
    pub fn new(history: Arc<History>, fps: f64, start: Instant) -> Self {
        Soundtrack { history, fps, start, place: 0, next: None, late: f64::INFINITY, since: 0 }
    }

    /// Follows the show, whose time stands still in long pauses: frame `place` was shown at `at`.
    pub fn follow(&mut self, place: u64, at: Instant) {
        let due = self.time_of(place);
        let late = match at.checked_duration_since(due) {
            Some(late) => late.as_secs_f64(),
            None => -due.duration_since(at).as_secs_f64(),
        };
        self.late = self.late.min(late);
        if (place - self.since) as f64 >= WATCH_SECS * self.fps {
            if self.late > JUMP_SECS {
                self.start += Duration::from_secs_f64(self.late);
            } else if self.late < -JUMP_SECS {
                self.start = self.start.checked_sub(Duration::from_secs_f64(-self.late)).unwrap_or(self.start);
            }
            (self.late, self.since) = (f64::INFINITY, place);
        }
    }

    /// When a frame is shown.
    fn time_of(&self, place: u64) -> Instant {
        self.start + Duration::from_secs_f64(place as f64 / self.fps)
    }

    /// Whether the next piece is more than `secs` behind the frame at `place`.
    pub fn is_late(&self, place: u64, secs: f64) -> bool {
        place.saturating_sub(self.place) as f64 > secs * self.fps
    }

    /// Where the pieces so far end.
    pub fn place(&self) -> u64 {
        self.place
    }

    /// The samples of the next piece, left and right in turn, if all of them have been heard or if it `must` come now: what
    /// is missing is silence then.
    pub fn piece(&mut self, must: bool, out: &mut Vec<f32>) -> bool {
        let count = samples_before(self.place + 1, self.fps) - samples_before(self.place, self.fps);
        let ideal = self.history.sample_at(self.time_of(self.place));
        let from = self.from(ideal);
        // One more, for the last one's fraction.
        let is_there = from.is_some_and(|from| from + count as f64 + 2.0 <= self.history.written() as f64);
        if !is_there && !must {
            return false;
        }
        out.clear();
        self.place += 1;
        let Some(from) = from else {
            out.resize(count as usize * 2, 0.0);
            return true;
        };
        let off = ideal.map_or(0.0, |ideal| ideal - from) / f64::from(RATE);
        let step = match off {
            off if off > DRIFT_SECS => 1.0 + 1.0 / count as f64,
            off if off < -DRIFT_SECS => 1.0 - 1.0 / count as f64,
            _ => 1.0,
        };
        out.extend((0..count).flat_map(|i| self.sample(from + i as f64 * step)));
        self.next = Some(from + count as f64 * step);
        true
    }

    /// The first sample of the next piece: after the last one, unless that is far off.
    fn from(&self, ideal: Option<f64>) -> Option<f64> {
        let is_near = |next: &f64| ideal.is_none_or(|ideal| (ideal - next).abs() <= JUMP_SECS * f64::from(RATE));
        self.next.filter(is_near).or(ideal.map(f64::round))
    }

    /// Between two samples.
    fn sample(&self, at: f64) -> [f32; 2] {
        let (whole, part) = (at.floor(), (at - at.floor()) as f32);
        let a = self.history.get(whole as i64);
        if part == 0.0 {
            return a;
        }
        let b = self.history.get(whole as i64 + 1);
        [0, 1].map(|side| a[side] + (b[side] - a[side]) * part)
    }
}

/// How many samples come before a frame.
fn samples_before(place: u64, fps: f64) -> u64 {
    (place as f64 * f64::from(RATE) / fps).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds from `start`.
    fn at(start: Instant, secs: f64) -> Instant {
        start + Duration::from_secs_f64(secs)
    }

    /// Plays `secs` of a click every second, from a clock that is too slow by `drift`, while a show of 30 frames a second
    /// is recorded, whose time stands still for `pause` seconds after 4 s. Where clicks are heard, in seconds.
    fn clicks(secs: u64, drift: f64, pause: f64) -> Vec<f64> {
        let history = Arc::new(History::default());
        let start = Instant::now();
        let mut track = Soundtrack::new(history.clone(), 30.0, start);
        let (mut sound, mut piece) = (Vec::<f32>::new(), Vec::new());
        let mut written = 0u64;
        for frame in 0..secs * 30 {
            let shown = frame as f64 / 30.0 + if frame >= 120 { pause } else { 0.0 };
            while (written as f64) < shown * f64::from(RATE) / (1.0 + drift) {
                // A click is 5 ms long, from each full second of the room on.
                let second = written as f64 * (1.0 + drift) / f64::from(RATE);
                let lump: Vec<[f32; 2]> = (0..240)
                    .map(|i| [if (second + f64::from(i) / 48_000.0) % 1.0 < 0.005 { 0.5 } else { 0.0 }; 2])
                    .collect();
                written += 240;
                history.push(&lump, at(start, written as f64 * (1.0 + drift) / f64::from(RATE)));
            }
            track.follow(frame, at(start, shown));
            while track.place() < frame && track.piece(track.place() + 15 < frame, &mut piece) {
                sound.extend(piece.iter().step_by(2));
            }
        }
        let rises = sound.windows(2).enumerate().filter(|(_, pair)| pair[0] < 0.25 && pair[1] >= 0.25);
        rises.map(|(i, _)| (i + 1) as f64 / f64::from(RATE)).collect()
    }

    #[test]
    fn clicks_stay_where_they_were_heard() {
        for drift in [0.0, 2e-4, -2e-4] {
            let heard = clicks(60, drift, 0.0);
            assert!(heard.len() >= 58, "{drift}: {heard:?}");
            for (i, at) in heard.iter().enumerate() {
                let expected = at.round();
                assert!((at - expected).abs() < 0.006, "{drift}: click {i} at {at}");
            }
        }
        assert!(
            clicks(3, 0.0, 0.0).iter().all(|at| (at - at.round()).abs() < 1e-3),
            "nothing is stretched without need"
        );
    }

    #[test]
    fn the_sound_follows_a_show_that_stood_still() {
        let heard = clicks(12, 0.0, 0.25);
        // The show is a quarter of a second late: so is its picture of what is heard.
        let late: Vec<f64> = heard.iter().filter(|at| **at > 6.0).map(|at| (at + 0.25).rem_euclid(1.0)).collect();
        assert!(late.len() >= 4, "{heard:?}");
        assert!(late.iter().all(|at| at.min(1.0 - at) < 0.01), "{heard:?}");
    }

    #[test]
    fn what_was_not_heard_is_silence() {
        let mut track = Soundtrack::new(Arc::default(), 29.97, Instant::now());
        let mut piece = vec![1.0];
        assert!(!track.piece(false, &mut piece), "it may still come");
        let mut count = 0;
        for place in 1..=2997u64 {
            assert!(track.piece(true, &mut piece) && track.place() == place);
            assert!(piece.iter().all(|sample| *sample == 0.0));
            count += piece.len();
        }
        assert_eq!(count, 4_800_000 * 2, "a hundred seconds");
    }
}
