//! What can move a parameter: an LFO, a follower of a signal, and anything else that implements [`Source`].
//!
//! A source returns one number from 0 to 1 per frame. [`Route`](super::Route)s decide what it moves, how far, and whether
//! to both sides of the base. A source's knobs are rows of the table of parameters while it plays.

use super::signals::Signals;
use crate::params::{Curve, words};

/// The time of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Time {
    /// Seconds since the show began; stands still while the picture is frozen.
    pub secs: f64,
    /// Beats of the show's clock. Jumps when a MIDI clock jumps.
    pub beat: f64,
    /// Seconds since the last frame; 0 while the picture is frozen.
    pub dt: f64,
}

/// Returns one number from 0 to 1 per frame. A function of the frames it has seen, so that a take replays exactly.
pub trait Source: Send {
    /// The values of its knobs in this frame, in the order of [`Kind::knobs`]; called before [`Source::step`].
    fn turn(&mut self, _knobs: &[f64]) {}

    /// The value at `t`.
    fn step(&mut self, t: Time, signals: &Signals) -> f64;
}

/// Whether a route moves its parameter to one side of the base or to both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// 0 to 1: the base is one end.
    Unipolar,
    /// −1 to 1: the base is the middle.
    Bipolar,
}

words!(Polarity { Unipolar = "unipolar", Bipolar = "bipolar" });

impl Polarity {
    /// Converts a source's 0..1 to what the route adds.
    pub fn apply(self, value: f64) -> f64 {
        match self {
            Polarity::Unipolar => value,
            Polarity::Bipolar => 2.0 * value - 1.0,
        }
    }
}

/// A playable number of a source: `/mod/<name>/<knob>` while its preset plays, and a key of its entry in the file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knob {
    pub name: &'static str,
    pub min: f64,
    pub max: f64,
    pub default: f64,
    pub unit: &'static str,
    pub curve: Curve,
    /// Time constant of the smoothing in seconds.
    pub smoothing_secs: f64,
    pub help: &'static str,
}

/// A kind of source: its keys in a preset, and how it is built.
#[derive(Debug)]
pub struct Kind {
    /// Its words for `source = "…"`. A kind without words takes a signal's name.
    pub words: &'static [&'static str],
    /// Each group is one knob. A group of several is a choice between them: an entry must use exactly one.
    pub knobs: &'static [&'static [Knob]],
    /// The key of a text that an entry must have, besides its numbers.
    pub text: Option<&'static TextKey>,
    /// The default polarity of its routes.
    pub polarity: Polarity,
    pub build: fn(&Setup<'_>) -> Box<dyn Source>,
}

/// A key of an entry that takes a text.
#[derive(Debug)]
pub struct TextKey {
    pub name: &'static str,
    /// For the message when it is missing.
    pub example: &'static str,
    /// Whether a text is valid, or what is wrong with it.
    pub check: fn(&str) -> Result<(), String>,
}

/// Kinds are compared by address.
impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

/// What a source is built from.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// The value of `source =`.
    pub word: &'a str,
    /// The value of [`Kind::text`]; empty if it has none.
    pub text: &'a str,
    /// For random waves.
    pub seed: u64,
    /// Which knob of each group the entry uses, in the order of [`Kind::knobs`].
    pub chosen: &'a [usize],
}

/// The kind for a word.
pub fn kind(word: &str) -> Option<&'static Kind> {
    let by_signal = || super::KINDS.iter().find(|kind| kind.words.is_empty() && super::signals::is_name(word));
    super::KINDS.iter().find(|kind| kind.words.contains(&word)).or_else(by_signal).copied()
}

/// The default seed of a modulator: the FNV-1a hash of its name, so that two modulators move differently.
pub fn seed_of(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_names_one_kind() {
        for kind in super::super::KINDS {
            for word in kind.words {
                assert!(std::ptr::eq(super::kind(word).unwrap(), *kind), "{word}");
            }
        }
        let follower = kind("audio.kick").unwrap();
        assert!(follower.words.is_empty() && follower.polarity == Polarity::Unipolar);
        for nothing in ["", "sien", "Sine", "audio", "audio kick", ".kick", "kick."] {
            assert!(kind(nothing).is_none(), "{nothing}");
        }
    }

    #[test]
    fn polarity_places_the_source_beside_the_base_or_around_it() {
        assert_eq!([0.0, 0.5, 1.0].map(|u| Polarity::Bipolar.apply(u)), [-1.0, 0.0, 1.0]);
        assert_eq!([0.0, 0.5, 1.0].map(|u| Polarity::Unipolar.apply(u)), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn defaults_lie_in_their_ranges() {
        for knob in super::super::KINDS.iter().flat_map(|kind| kind.knobs).copied().flatten() {
            assert!(knob.min <= knob.default && knob.default <= knob.max, "{}", knob.name);
        }
    }

    #[test]
    fn different_names_have_different_seeds() {
        assert_eq!(seed_of("a"), 0xaf63_dc4c_8601_ec8c);
        assert_ne!(seed_of("breathe"), seed_of("sway"));
    }
}
