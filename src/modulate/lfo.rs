//! The low-frequency oscillator: six waveforms, in seconds or in beats.
//!
//! Its value depends only on time, seed and knobs: at a steady rate nothing accumulates, and the same take gives the same
//! values. When its rate changes, the wave continues from where it is; one that counts beats then slides back onto the
//! beat.

use std::f64::consts::TAU;

use super::ease::Ease;
use super::signals::Signals;
use super::source::{Kind, Knob, Polarity, Setup, Source, Time};
use crate::params::{Choice, Curve, TimeBase, words};

pub(super) const SECONDS: Knob = Knob {
    name: "seconds",
    min: 0.05,
    max: 600.0,
    default: 4.0,
    unit: "s",
    curve: Curve::Square,
    smoothing_secs: 0.0,
    help: "how long one cycle takes",
};
pub(super) const BEATS: Knob = Knob {
    name: "beats",
    min: 0.0625,
    max: 256.0,
    default: 4.0,
    unit: "beats",
    curve: Curve::Square,
    smoothing_secs: 0.0,
    help: "how long one cycle takes",
};
const PHASE: Knob = Knob {
    name: "phase",
    min: 0.0,
    max: 1.0,
    default: 0.0,
    unit: "cycles",
    curve: Curve::Linear,
    smoothing_secs: 0.0,
    help: "where in its cycle it starts",
};

/// `source = "sine"` and the other waveforms.
pub static KIND: Kind = Kind {
    words: <Wave as Choice>::WORDS,
    knobs: &[&[SECONDS, BEATS], &[PHASE]],
    text: None,
    polarity: Polarity::Bipolar,
    build,
};

fn build(setup: &Setup<'_>) -> Box<dyn Source> {
    // The two knobs of the group are in the order of the words.
    let unit = TimeBase::from_index(setup.chosen.first().copied().unwrap_or(0));
    let wave = Wave::from_word(setup.word).unwrap_or(Wave::Sine);
    Box::new(Lfo::new(wave, unit, setup.seed))
}

/// The shape of one cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wave {
    /// From the middle up, down and back.
    Sine,
    /// Like the sine, with straight lines.
    Triangle,
    /// From the bottom to the top, then jumps back; a negative depth makes it fall.
    Saw,
    /// Top for the first half of the cycle, bottom for the second.
    Square,
    /// One random value per cycle.
    SampleHold,
    /// Moves from one random value to the next over each cycle, softly at both ends.
    SmoothRandom,
}

words!(Wave {
    Sine = "sine",
    Triangle = "triangle",
    Saw = "saw",
    Square = "square",
    SampleHold = "sample-hold",
    SmoothRandom = "smooth-random",
});

impl Wave {
    /// The value after `cycles`, 0 to 1. `seed` is for the random waves.
    pub fn at(self, cycles: f64, seed: u64) -> f64 {
        let index = cycles.floor();
        let t = cycles - index;
        match self {
            Wave::Sine => 0.5 + 0.5 * (TAU * t).sin(),
            Wave::Triangle => 1.0 - 2.0 * ((t + 0.25).fract() - 0.5).abs(),
            Wave::Saw => t,
            Wave::Square => f64::from(u8::from(t < 0.5)),
            Wave::SampleHold => noise(seed, index as i64),
            Wave::SmoothRandom => {
                let (from, to) = (noise(seed, index as i64), noise(seed, index as i64 + 1));
                from + (to - from) * Ease::Smooth.apply(t)
            }
        }
    }
}

/// A random number from 0 to 1 for each `(seed, index)`: the finaliser of SplitMix64 (Steele, Lea and Flood 2014).
pub(super) fn noise(seed: u64, index: i64) -> f64 {
    let mut x = seed.wrapping_add((index as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^= x >> 31;
    (x >> 11) as f64 / (1u64 << 53) as f64
}

/// An oscillator. Its knobs are the period, in its unit, and the phase in cycles.
#[derive(Clone, Debug)]
pub struct Lfo {
    wave: Wave,
    unit: TimeBase,
    seed: u64,
    period: f64,
    phase: f64,
    /// The period of the last frame; `None` before the first.
    last_period: Option<f64>,
    /// Cycles between the wave's position and where it would be if its period had never changed.
    offset: f64,
}

impl Lfo {
    pub fn new(wave: Wave, unit: TimeBase, seed: u64) -> Self {
        Lfo { wave, unit, seed, period: SECONDS.default, phase: 0.0, last_period: None, offset: 0.0 }
    }
}

impl Source for Lfo {
    fn turn(&mut self, knobs: &[f64]) {
        if let [period, phase] = *knobs {
            (self.period, self.phase) = (period.max(1e-3), phase);
        }
    }

    fn step(&mut self, t: Time, _: &Signals) -> f64 {
        /// Time constant of the slide back onto the beat: slow enough to hide, and done within a bar.
        const SLIDE_SECS: f64 = 0.3;
        let (now, before) = match self.unit {
            TimeBase::Seconds => (t.secs, t.secs - t.dt),
            TimeBase::Beats => (t.beat, t.beat),
        };
        let last_period = self.last_period.replace(self.period).unwrap_or(self.period);
        if last_period != self.period {
            self.offset += before / last_period - before / self.period;
        } else if self.unit == TimeBase::Beats && self.offset != 0.0 {
            // Whole cycles stay: they make no difference, except to the random waves, which must not jump.
            let away = self.offset - self.offset.round();
            let rest = away * (-t.dt / SLIDE_SECS).exp();
            self.offset = self.offset.round() + if rest.abs() < 1e-6 { 0.0 } else { rest };
        }
        self.wave.at(now / self.period + self.offset + self.phase, self.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn each_wave_has_its_shape() {
        let half = 0.5 + 0.5 * std::f64::consts::FRAC_1_SQRT_2;
        let table: [(Wave, [f64; 9]); 4] = [
            (Wave::Sine, [0.5, half, 1.0, half, 0.5, 1.0 - half, 0.0, 1.0 - half, 0.5]),
            (Wave::Triangle, [0.5, 0.75, 1.0, 0.75, 0.5, 0.25, 0.0, 0.25, 0.5]),
            (Wave::Saw, [0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 0.0]),
            (Wave::Square, [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]),
        ];
        for (wave, expected) in table {
            for (i, expected) in expected.into_iter().enumerate() {
                for turns in [-3.0, 0.0, 1000.0] {
                    let value = wave.at(turns + i as f64 / 8.0, 0);
                    assert!(close(value, expected), "{wave:?} at {i}/8: {value}, not {expected}");
                }
            }
        }
    }

    #[test]
    fn random_waves_depend_on_seed_and_cycle_alone() {
        // The numbers of Vigna's splitmix64.c for seed 0.
        let table = [0xe220_a839_7b1d_cdaf_u64, 0x6e78_9e6a_a1b9_65f4, 0x06c4_5d18_8009_454f];
        for (cycle, expected) in table.into_iter().enumerate() {
            let expected = (expected >> 11) as f64 / (1u64 << 53) as f64;
            assert_eq!(Wave::SampleHold.at(cycle as f64 + 0.3, 0), expected, "{cycle}");
            assert_eq!(Wave::SmoothRandom.at(cycle as f64, 0), expected, "{cycle}");
        }
        assert_ne!(Wave::SampleHold.at(0.0, 0), Wave::SampleHold.at(0.0, 1));
        let held: Vec<f64> = (0..1000).map(|i| Wave::SampleHold.at(f64::from(i), 5)).collect();
        assert!(held.iter().all(|x| (0.0..1.0).contains(x)));
        let mean = held.iter().sum::<f64>() / held.len() as f64;
        assert!((mean - 0.5).abs() < 0.03, "{mean}");
    }

    #[test]
    fn smooth_random_has_no_jumps() {
        let values: Vec<f64> = (0..4000).map(|i| Wave::SmoothRandom.at(f64::from(i) / 100.0 - 20.0, 3)).collect();
        let largest = values.windows(2).map(|w| (w[1] - w[0]).abs()).fold(0.0, f64::max);
        // The steepest slope of the easing is 1.875 per cycle.
        assert!(largest < 0.019, "{largest}");
    }

    fn played(lfo: &mut Lfo, knobs: [f64; 2], frames: std::ops::Range<u32>, dt: f64) -> Vec<f64> {
        let frame = |i: u32| {
            lfo.turn(&knobs);
            let secs = f64::from(i) * dt;
            lfo.step(Time { secs, beat: 2.0 * secs, dt }, &Signals::default())
        };
        frames.map(frame).collect()
    }

    #[test]
    fn a_period_is_in_seconds_or_beats() {
        // A quarter of a second per frame, two beats per second: a saw of 2 s and one of 4 beats are the same.
        let expected = [0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 0.0];
        for (unit, period) in [(TimeBase::Seconds, 2.0), (TimeBase::Beats, 4.0)] {
            let values = played(&mut Lfo::new(Wave::Saw, unit, 0), [period, 0.0], 0..9, 0.25);
            assert_eq!(values, expected, "{unit:?}");
        }
        assert_eq!(played(&mut Lfo::new(Wave::Saw, TimeBase::Beats, 0), [4.0, 0.25], 0..3, 0.25), [0.25, 0.375, 0.5]);
    }

    #[test]
    fn a_steady_wave_is_a_function_of_time() {
        for wave in Wave::WORDS.iter().filter_map(|word| Wave::from_word(word)) {
            let slow = played(&mut Lfo::new(wave, TimeBase::Seconds, 9), [3.0, 0.1], 0..60, 0.5);
            let fast = played(&mut Lfo::new(wave, TimeBase::Seconds, 9), [3.0, 0.1], 0..120, 0.25);
            assert!(fast.iter().step_by(2).zip(&slow).all(|(a, b)| a == b), "{wave:?}");
            let late = played(&mut Lfo::new(wave, TimeBase::Seconds, 9), [3.0, 0.1], 30..60, 0.5);
            assert_eq!(late, slow[30..], "{wave:?} does not remember when it began");
        }
    }

    #[test]
    fn a_change_of_rate_does_not_jump() {
        for unit in [TimeBase::Seconds, TimeBase::Beats] {
            for wave in [Wave::Sine, Wave::SmoothRandom] {
                let mut lfo = Lfo::new(wave, unit, 1);
                let before = played(&mut lfo, [8.0, 0.0], 0..1000, 0.01);
                let mut last = *before.last().unwrap();
                // A knob that goes from 8 to 5 in three seconds.
                for i in 1000..1300 {
                    let period = 8.0 - 0.01 * f64::from(i - 1000);
                    let value = played(&mut lfo, [period, 0.0], i..i + 1, 0.01)[0];
                    assert!((value - last).abs() < 0.03, "{unit:?} {wave:?} at {i}: {last} to {value}");
                    last = value;
                }
            }
        }
    }

    #[test]
    fn waves_return_to_the_beat() {
        let mut lfo = Lfo::new(Wave::Saw, TimeBase::Beats, 0);
        played(&mut lfo, [8.0, 0.0], 0..270, 0.01);
        let after = played(&mut lfo, [4.0, 0.0], 270..1000, 0.01);
        let steady = played(&mut Lfo::new(Wave::Saw, TimeBase::Beats, 0), [4.0, 0.0], 270..1000, 0.01);
        assert!((after[1] - steady[1]).abs() > 0.1, "at first the wave continues from where it is");
        assert!(after.iter().zip(&steady).skip(600).all(|(a, b)| close(*a, *b)));
    }
}
