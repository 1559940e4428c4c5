//! Chaos: the Lorenz attractor, which circles on one side, then on the other, and never twice alike.
//!
//! `x' = 10 (y − x)`, `y' = x (28 − z) − y`, `z' = x y − 8/3 z` (Lorenz 1963), of which x is taken. It is integrated in steps
//! of one length, so that what it does depends on the time that has passed and not on the frame rate.

use super::lfo::{BEATS, SECONDS, noise};
use super::signals::Signals;
use super::source::{Kind, Polarity, Setup, Source, Time};
use crate::params::{Choice, TimeBase};

/// Steps of an orbit around one side, which takes about 0.75 units of the equations' time.
const ORBIT_STEPS: f64 = 150.0;
const STEP: f64 = 0.75 / ORBIT_STEPS;
/// Steps until it is on the attractor, from anywhere near it.
const RUN_IN: usize = 2000;
/// After a jump of the clock it goes on from where it was: at most this many orbits are caught up with in a frame.
const MOST_ORBITS: f64 = 16.0;
/// x stays within these on both sides.
const REACH: f64 = 20.0;

/// `source = "chaos"`.
pub static KIND: Kind =
    Kind { words: &["chaos"], knobs: &[&[SECONDS, BEATS]], text: None, polarity: Polarity::Bipolar, build };

fn build(setup: &Setup<'_>) -> Box<dyn Source> {
    let unit = TimeBase::from_index(setup.chosen.first().copied().unwrap_or(0));
    let mut place = [0, 1, 2].map(|axis| 2.0 * noise(setup.seed, axis) - 1.0 + if axis == 2 { 25.0 } else { 0.0 });
    for _ in 0..RUN_IN {
        place = stepped(place);
    }
    Box::new(Chaos { unit, period: SECONDS.default, last: None, rest: 0.0, ends: [place; 2] })
}

struct Chaos {
    unit: TimeBase,
    period: f64,
    /// The time of the last frame, in its unit.
    last: Option<f64>,
    /// The share of the current step that has passed.
    rest: f64,
    /// The places before and after the current step.
    ends: [[f64; 3]; 2],
}

/// The place one step later, by the midpoint rule.
fn stepped(place: [f64; 3]) -> [f64; 3] {
    let slope = |[x, y, z]: [f64; 3]| [10.0 * (y - x), x * (28.0 - z) - y, x * y - 8.0 / 3.0 * z];
    let moved = |by: [f64; 3], share: f64| [0, 1, 2].map(|i| place[i] + share * STEP * by[i]);
    moved(slope(moved(slope(place), 0.5)), 1.0)
}

impl Source for Chaos {
    fn turn(&mut self, knobs: &[f64]) {
        if let [period] = *knobs {
            self.period = period.max(1e-3);
        }
    }

    fn step(&mut self, t: Time, _: &Signals) -> f64 {
        let now = match self.unit {
            TimeBase::Seconds => t.secs,
            TimeBase::Beats => t.beat,
        };
        let passed = self.last.replace(now).map_or(0.0, |last| (now - last).max(0.0)) / self.period;
        self.rest += passed.min(MOST_ORBITS) * ORBIT_STEPS;
        while self.rest >= 1.0 {
            self.rest -= 1.0;
            self.ends = [self.ends[1], stepped(self.ends[1])];
        }
        let [from, to] = self.ends.map(|place| place[0]);
        (0.5 + (from + (to - from) * self.rest) / (2.0 * REACH)).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn played(seed: u64, frames_per_beat: u32, beats: u32) -> Vec<f64> {
        let mut source = build(&Setup { word: "chaos", text: "", seed, chosen: &[1] });
        source.turn(&[1.0]);
        let at = |i: u32| Time { beat: f64::from(i) / f64::from(frames_per_beat), ..Time::default() };
        (0..=beats * frames_per_beat).map(|i| source.step(at(i), &Signals::default())).collect()
    }

    #[test]
    fn it_visits_both_sides_without_a_jump() {
        let values = played(3, 60, 200);
        let share = values.iter().filter(|x| **x > 0.5).count() as f64 / values.len() as f64;
        assert!((0.2..0.8).contains(&share), "{share}");
        let (low, high) = values.iter().fold((1.0, 0.0), |(low, high): (f64, f64), &x| (low.min(x), high.max(x)));
        assert!((0.0..0.15).contains(&low) && high > 0.85 && high < 1.0, "{low} to {high}");
        let largest = values.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f64::max);
        assert!(largest < 0.08, "{largest}");
    }

    #[test]
    fn a_period_is_about_one_orbit() {
        // Each orbit has one peak of |x|.
        let away: Vec<f64> = played(7, 60, 400).iter().map(|x| (x - 0.5).abs()).collect();
        let peaks = away.windows(3).filter(|w| w[0] < w[1] && w[1] >= w[2]).count();
        assert!((350..450).contains(&peaks), "{peaks} in 400 beats");
    }

    #[test]
    fn the_frame_rate_makes_no_difference() {
        let slow = played(5, 25, 20);
        let fast = played(5, 100, 20);
        let worst = slow.iter().zip(fast.iter().step_by(4)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-3, "{worst}");
    }

    #[test]
    fn it_depends_on_its_seed() {
        assert_eq!(played(3, 30, 8), played(3, 30, 8));
        assert_ne!(played(3, 30, 8), played(4, 30, 8));
    }
}
