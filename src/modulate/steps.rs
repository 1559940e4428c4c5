//! A step sequencer: a pattern in the mini-notation of [`super::pattern`], on beats.

use super::pattern::{Atom, Pattern, Player};
use super::signals::Signals;
use super::source::{Kind, Knob, Polarity, Setup, Source, TextKey, Time};
use crate::params::Curve;

const BEATS: Knob = Knob {
    name: "beats",
    min: 0.0625,
    max: 256.0,
    default: 4.0,
    unit: "beats",
    curve: Curve::Square,
    smoothing_secs: 0.0,
    help: "how long one cycle of the pattern takes",
};

static STEPS: TextKey = TextKey { name: "steps", example: "1 0 [0.5 0.75] ~", check };

/// `source = "steps"`, with `steps = "1 0 [0.5 0.75] ~"`.
pub static KIND: Kind =
    Kind { words: &["steps"], knobs: &[&[BEATS]], text: Some(&STEPS), polarity: Polarity::Unipolar, build };

fn check(text: &str) -> Result<(), String> {
    let pattern = Pattern::parse(text).map_err(|error| error.to_string())?;
    let wrong = |value: &&Atom| !matches!(value, Atom::Number(x) if (0.0..=1.0).contains(x));
    match pattern.values().iter().find(wrong) {
        Some(Atom::Number(x)) => Err(format!("steps takes numbers from 0 to 1; got {x}")),
        Some(Atom::Word(word)) => Err(format!("steps takes numbers from 0 to 1; got {word:?}")),
        None => Ok(()),
    }
}

fn build(setup: &Setup<'_>) -> Box<dyn Source> {
    // The preset's reader has checked it.
    let pattern = Pattern::parse(setup.text).unwrap_or_else(|_| Pattern::of_words(&[]));
    let number = |value: &Atom| match value {
        Atom::Number(x) => *x,
        Atom::Word(_) => 0.0,
    };
    let numbers = pattern.values().iter().map(number).collect();
    Box::new(Steps { player: Player::new(pattern, setup.seed), numbers, beats: BEATS.default, value: 0.0 })
}

struct Steps {
    player: Player,
    numbers: Vec<f64>,
    beats: f64,
    /// Held during rests.
    value: f64,
}

impl Source for Steps {
    fn turn(&mut self, knobs: &[f64]) {
        if let [beats] = *knobs {
            self.beats = beats.max(1e-3);
        }
    }

    fn step(&mut self, t: Time, _: &Signals) -> f64 {
        let (value, _) = self.player.at(t.beat / self.beats);
        self.value = value.and_then(|value| self.numbers.get(value).copied()).unwrap_or(self.value);
        self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_share_the_cycle_and_rests_hold() {
        let mut source = build(&Setup { word: "steps", text: "1 0 [0.5 0.75] ~", seed: 0, chosen: &[0] });
        source.turn(&[8.0]);
        let mut at = |beat: f64| source.step(Time { secs: 0.0, beat, dt: 0.1 }, &Signals::default());
        assert_eq!([0.0, 2.0, 4.0, 5.0, 6.0, 8.0].map(&mut at), [1.0, 0.0, 0.5, 0.75, 0.75, 1.0]);
    }

    #[test]
    fn only_numbers_of_the_range_are_steps() {
        assert_eq!(check("1 0 ~"), Ok(()));
        assert_eq!(check("1 2"), Err("steps takes numbers from 0 to 1; got 2".to_owned()));
        assert_eq!(check("1 a"), Err("steps takes numbers from 0 to 1; got \"a\"".to_owned()));
    }
}
