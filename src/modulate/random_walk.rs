//! A random walk: from each step to one nearby, within 0 to 1.

use super::ease::Ease;
use super::lfo::{BEATS, SECONDS, noise};
use super::signals::Signals;
use super::source::{Kind, Knob, Polarity, Setup, Source, Time};
use crate::params::{Choice, Curve, TimeBase};

const STEP: Knob = Knob {
    name: "step",
    min: 0.0,
    max: 1.0,
    default: 0.25,
    unit: "",
    curve: Curve::Linear,
    smoothing_secs: 0.0,
    help: "how far it goes in one step at most",
};

/// `source = "random-walk"`.
pub static KIND: Kind = Kind {
    words: &["random-walk"],
    knobs: &[&[SECONDS, BEATS], &[STEP]],
    text: None,
    polarity: Polarity::Bipolar,
    build,
};

fn build(setup: &Setup<'_>) -> Box<dyn Source> {
    let unit = TimeBase::from_index(setup.chosen.first().copied().unwrap_or(0));
    Box::new(RandomWalk {
        unit,
        seed: setup.seed,
        period: SECONDS.default,
        step: STEP.default,
        phase: 0.0,
        last: None,
        ends: [0.5; 2],
    })
}

struct RandomWalk {
    unit: TimeBase,
    seed: u64,
    period: f64,
    step: f64,
    /// Steps so far.
    phase: f64,
    /// The time of the last frame, in its unit.
    last: Option<f64>,
    /// The ends of the current step.
    ends: [f64; 2],
}

impl Source for RandomWalk {
    fn turn(&mut self, knobs: &[f64]) {
        if let [period, step] = *knobs {
            (self.period, self.step) = (period.max(1e-3), step);
        }
    }

    fn step(&mut self, t: Time, _: &Signals) -> f64 {
        let now = match self.unit {
            TimeBase::Seconds => t.secs,
            TimeBase::Beats => t.beat,
        };
        let passed = self.last.replace(now).map_or(0.0, |last| (now - last).max(0.0)) / self.period;
        let before = self.phase.floor();
        self.phase += passed;
        // After a jump of the clock it need not catch up with every step.
        let steps = (self.phase.floor() - before).min(64.0) as u32;
        for i in (0..steps).rev() {
            let index = self.phase.floor() as i64 - i64::from(i);
            let to = self.ends[1] + self.step * (2.0 * noise(self.seed, index) - 1.0);
            // What would leave the range comes back from its end.
            let within = if to < 0.0 {
                -to
            } else if to > 1.0 {
                2.0 - to
            } else {
                to
            };
            self.ends = [self.ends[1], within];
        }
        let [from, to] = self.ends;
        from + (to - from) * Ease::Smooth.apply(self.phase - self.phase.floor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(seed: u64, step: f64) -> Vec<f64> {
        let mut source = build(&Setup { word: "random-walk", text: "", seed, chosen: &[1, 0] });
        source.turn(&[1.0, step]);
        let at = |i: u32| Time { secs: 0.0, beat: f64::from(i) / 10.0, dt: 0.1 };
        (0..5000).map(|i| source.step(at(i), &Signals::default())).collect()
    }

    #[test]
    fn it_stays_in_range_and_takes_small_steps() {
        let values = walk(3, 0.25);
        assert!(values.iter().all(|x| (0.0..=1.0).contains(x)));
        // A tenth of a step, at the steepest slope of the easing.
        let largest = values.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f64::max);
        assert!(largest > 0.01 && largest < 0.25 * 0.19, "{largest}");
        let (low, high) = values.iter().fold((1.0, 0.0), |(low, high): (f64, f64), &x| (low.min(x), high.max(x)));
        assert!(low < 0.2 && high > 0.8, "it gets about: {low} to {high}");
    }

    #[test]
    fn it_depends_on_its_seed_alone() {
        assert_eq!(walk(3, 0.25), walk(3, 0.25));
        assert_ne!(walk(3, 0.25), walk(4, 0.25));
        assert!(walk(3, 0.0).iter().all(|x| *x == 0.5));
    }
}
