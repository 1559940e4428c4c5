//! Timecode: where another machine's tape, timeline or light show is, as MIDI timecode or from a sound input.
//!
//! A [`Stamp`] is one reading, an event like any other; [`Reader`] finds those of a MIDI port, and [`follow`] makes a steady
//! time of them. Counting frames, with those that drop-frame leaves out, is the crate `smpte-timecode`'s part.

pub mod follow;
pub mod ltc;
mod reader;

pub use follow::{Follow, State};
pub use reader::Reader;
pub use smpte_timecode::{FrameRate, Timecode};

use crate::params::words;

/// What carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// MIDI timecode.
    Mtc,
    /// Linear timecode: sound.
    Ltc,
}

words!(Carrier { Mtc = "mtc", Ltc = "ltc" });

impl Carrier {
    pub fn word(self) -> &'static str {
        if self == Carrier::Mtc { "mtc" } else { "ltc" }
    }
}

/// How the other machine moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    Forward,
    Reverse,
    /// It stands, or has been sent somewhere else.
    Still,
}

words!(Motion { Forward = "forward", Reverse = "reverse", Still = "still" });

impl Motion {
    pub fn word(self) -> &'static str {
        match self {
            Motion::Forward => "forward",
            Motion::Reverse => "reverse",
            Motion::Still => "still",
        }
    }
}

/// One reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub carrier: Carrier,
    /// The frame that begins now.
    pub code: Timecode,
    pub motion: Motion,
}

impl Stamp {
    /// Seconds since 00:00:00:00.
    pub fn secs(&self) -> f64 {
        secs(self.code)
    }
}

/// Seconds since 00:00:00:00.
pub fn secs(code: Timecode) -> f64 {
    code.to_seconds().to_f64()
}

/// `24`, `25`, `29.97df`.
pub fn rate_word(rate: FrameRate) -> String {
    let fps = rate.frames_per_second().to_f64();
    let drop = if rate.is_drop_frame() { "df" } else { "" };
    if rate.is_ntsc() { format!("{fps:.2}{drop}") } else { format!("{fps:.0}{drop}") }
}

/// As [`rate_word`] wrote it.
pub fn rate_of(word: &str) -> Option<FrameRate> {
    FrameRate::ALL.into_iter().find(|rate| rate_word(*rate) == word)
}

/// Reads a time of the day: `01:00:00:00`, `1:30`, or seconds. Frames are counted at 25 a second: a start is a round number.
///
/// # Errors
/// One line that says what is taken.
pub fn parse_start(text: &str) -> Result<f64, String> {
    let wrong = || format!("expected seconds, M:SS, H:MM:SS or HH:MM:SS:FF (25 frames a second), got {text:?}");
    let parts: Vec<&str> = text.split([':', ';']).collect();
    if let [_, _, _, _] = parts[..] {
        return Timecode::parse(text, FrameRate::FPS_25).map(secs).map_err(|_| wrong());
    }
    let mut total = 0.0;
    for part in &parts {
        let value: f64 = part.parse().ok().filter(|value: &f64| (0.0..=86_400.0).contains(value)).ok_or_else(wrong)?;
        total = total * 60.0 + value;
    }
    if parts.len() > 3 { Err(wrong()) } else { Ok(total) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Choice;

    #[test]
    fn words_come_back() {
        for rate in FrameRate::ALL {
            assert_eq!(rate_of(&rate_word(rate)), Some(rate));
        }
        assert_eq!(rate_word(FrameRate::FPS_29_97_DF), "29.97df");
        for (i, word) in Carrier::WORDS.iter().enumerate() {
            assert_eq!(Carrier::from_index(i).word(), *word);
        }
        for (i, word) in Motion::WORDS.iter().enumerate() {
            assert_eq!(Motion::from_index(i).word(), *word);
        }
    }

    #[test]
    fn a_start_is_written_in_several_ways() {
        for (text, expected) in
            [("0", 0.0), ("12.5", 12.5), ("1:30", 90.0), ("1:00:00", 3600.0), ("01:00:00:05", 3600.2)]
        {
            assert!((parse_start(text).unwrap() - expected).abs() < 1e-9, "{text}");
        }
        for wrong in ["", "x", "1:2:3:4:5", "-1", "01:00:00:25", "1:00:00:00"] {
            assert!(parse_start(wrong).unwrap_err().contains(wrong), "{wrong}");
        }
    }
}
