//! The names of controls, as presets write them: `cc 21`, `ch 2 note 36`, `bend`.

use std::fmt;

use super::MappingError;

/// What may be written, for the error messages.
pub(super) const ALLOWED: &str = "cc 21, cc 1/14 (a 14-bit pair), nrpn 300, rpn 0, note 36, bend, program, pressure or pressure 36, each optionally preceded by ch 1 to ch 16";

/// The number 127/127 means "none selected".
const HIGHEST_NUMBER: u16 = 16_382;

/// A knob, fader, key, pad or wheel of a controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Control {
    /// Controller 0 to 119.
    Cc(u8),
    /// Controller 0 to 31, with its low half on the controller 32 above: 0 to 16,383.
    Cc14(u8),
    /// Non-registered parameter number, 0 to 16,383, with a value of up to 14 bits.
    Nrpn(u16),
    /// Registered parameter number, as `Nrpn`.
    Rpn(u16),
    Note(u8),
    Bend,
    Program,
    /// Channel pressure.
    Pressure,
    /// Pressure of a single note.
    PolyPressure(u8),
}

/// A control on one channel, or on any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ControlSpec {
    /// 0 to 15; written 1 to 16.
    pub channel: Option<u8>,
    pub control: Control,
}

impl ControlSpec {
    /// Whether messages of `other`, on one channel, match this one too.
    pub fn covers(&self, other: &ControlSpec) -> bool {
        let same = match (self.control, other.control) {
            (Control::Cc14(high), Control::Cc(n)) => n == high || n == high + 32,
            (a, b) => a == b,
        };
        same && self.channel.is_none_or(|channel| other.channel.is_none_or(|other| other == channel))
    }
}

impl fmt::Display for ControlSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(channel) = self.channel {
            write!(f, "ch {} ", channel + 1)?;
        }
        match self.control {
            Control::Cc(n) => write!(f, "cc {n}"),
            Control::Cc14(n) => write!(f, "cc {n}/14"),
            Control::Nrpn(n) => write!(f, "nrpn {n}"),
            Control::Rpn(n) => write!(f, "rpn {n}"),
            Control::Note(n) => write!(f, "note {n}"),
            Control::Bend => f.write_str("bend"),
            Control::Program => f.write_str("program"),
            Control::Pressure => f.write_str("pressure"),
            Control::PolyPressure(n) => write!(f, "pressure {n}"),
        }
    }
}

/// Parses the name of a control; the inverse of [`ControlSpec`]'s `Display`.
///
/// # Errors
/// [`MappingError::Control`] with what is wrong and what is allowed.
pub fn parse_control(text: &str) -> Result<ControlSpec, MappingError> {
    read(text).map_err(|reason| MappingError::Control { text: text.to_owned(), reason })
}

fn read(text: &str) -> Result<ControlSpec, String> {
    let lower = text.to_ascii_lowercase();
    let mut words = lower.split_whitespace().peekable();
    let mut channel = None;
    if words.next_if_eq(&"ch").is_some() {
        channel = Some(number(words.next(), "a channel", 1, 16)? - 1);
    }
    let control = match words.next().ok_or("no control is named")? {
        "cc" => controller(words.next())?,
        "nrpn" => Control::Nrpn(number(words.next(), "an NRPN", 0, HIGHEST_NUMBER)?),
        "rpn" => Control::Rpn(number(words.next(), "an RPN", 0, HIGHEST_NUMBER)?),
        "note" => Control::Note(number(words.next(), "a note", 0, 127)?),
        "bend" => Control::Bend,
        "program" => Control::Program,
        "pressure" => match words.next() {
            None => Control::Pressure,
            word => Control::PolyPressure(number(word, "a note", 0, 127)?),
        },
        other => return Err(format!("unknown kind {other}")),
    };
    match words.next() {
        Some(word) => Err(format!("unexpected {word}")),
        None => Ok(ControlSpec { channel, control }),
    }
}

fn controller(word: Option<&str>) -> Result<Control, String> {
    match word.and_then(|word| word.split_once('/')) {
        None => Ok(Control::Cc(number(word, "a controller", 0, 119)?)),
        Some((high, "14")) => Ok(Control::Cc14(number(Some(high), "the high half of a 14-bit pair", 0, 31)?)),
        Some((_, bits)) => Err(format!("/14 marks a 14-bit pair, not /{bits}")),
    }
}

fn number<N>(word: Option<&str>, what: &str, min: N, max: N) -> Result<N, String>
where
    N: std::str::FromStr + PartialOrd + fmt::Display + Copy,
{
    word.and_then(|word| word.parse().ok())
        .filter(|n| (min..=max).contains(n))
        .ok_or_else(|| format!("{what} is a number from {min} to {max}"))
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn controls_are_read_and_written() {
        for (text, channel, control) in [
            ("cc 21", None, Control::Cc(21)),
            ("ch 2 cc 22", Some(1), Control::Cc(22)),
            ("note 36", None, Control::Note(36)),
            ("ch 10 note 36", Some(9), Control::Note(36)),
            ("bend", None, Control::Bend),
            ("ch 1 bend", Some(0), Control::Bend),
            ("program", None, Control::Program),
            ("pressure", None, Control::Pressure),
            ("ch 16 pressure 60", Some(15), Control::PolyPressure(60)),
            ("cc 1/14", None, Control::Cc14(1)),
            ("nrpn 16382", None, Control::Nrpn(16_382)),
            ("ch 3 rpn 0", Some(2), Control::Rpn(0)),
        ] {
            let spec = parse_control(text).unwrap();
            assert_eq!(spec, ControlSpec { channel, control });
            assert_eq!(spec.to_string(), text);
            assert_eq!(parse_control(&format!("  {} ", text.to_uppercase().replace(' ', "  "))), Ok(spec));
        }
    }

    #[test]
    fn an_invalid_control_is_reported_with_what_is_allowed() {
        for (text, reason) in [
            ("", "no control is named"),
            ("ch 2", "no control is named"),
            ("cc", "a controller is a number from 0 to 119"),
            ("cc 120", "a controller is a number from 0 to 119"),
            ("cc -1", "a controller is a number from 0 to 119"),
            ("cc 32/14", "the high half of a 14-bit pair is a number from 0 to 31"),
            ("cc 1/7", "/14 marks a 14-bit pair, not /7"),
            ("ch 0 cc 1", "a channel is a number from 1 to 16"),
            ("ch 17 cc 1", "a channel is a number from 1 to 16"),
            ("nrpn 16383", "an NRPN is a number from 0 to 16382"),
            ("note 128", "a note is a number from 0 to 127"),
            ("knob 1", "unknown kind knob"),
            ("cc 1 2", "unexpected 2"),
        ] {
            let error = parse_control(text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("\"{text}\" is not a control: {reason}; write cc 21, ")), "{error}");
        }
    }
}
