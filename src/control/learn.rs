//! MIDI learn: recognises a moved control by the messages it sends.
//!
//! [`Learn`] examines the messages that arrive while it waits: pads and keys, pitch bend, pressure, program changes,
//! 7- and 14-bit knobs, parameter numbers, and the three encodings of endless encoders. Pure: times are inputs. It
//! says which control was moved and how to read it; the mapping is changed elsewhere.

use std::collections::BTreeSet;

use super::mapping::{Control, ControlSpec, Numbers, Relative};
use super::midi::{Data, Kind, Message};

/// Learning gives up after this long.
const PATIENCE_SECS: f64 = 30.0;
/// A recognised control is accepted once it has been still for this long.
const STILL_SECS: f64 = 0.3;
/// If an encoder's encoding is still unclear after this long, the likeliest one is used.
const UNCLEAR_SECS: f64 = 4.0;
/// Minimum travel of a knob, of 127; less is noise from a knob that nobody touches.
const TRAVEL: u8 = 4;
/// Number of messages needed to recognise an encoder's encoding.
const CLICKS: usize = 3;
/// The halves of a 14-bit pair arrive within this many microseconds.
const PAIR_US: u64 = 30_000;
/// How many controls are tracked, and how many values of each.
const CONTROLS: usize = 16;
const VALUES: usize = 64;

/// What a moved control turned out to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moved {
    pub port: u8,
    /// Always with a channel.
    pub control: ControlSpec,
    /// Set for endless encoders.
    pub relative: Option<Relative>,
    /// A controller that only sends pressed and released.
    pub is_button: bool,
}

/// The state of learning.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Heard {
    Nothing,
    /// An encoder was turned one way only; turning it the other way would reveal its encoding.
    TurnBack,
    Moved(Moved),
    GaveUp,
}

/// One control that sent something.
#[derive(Clone, Debug)]
struct Candidate {
    port: u8,
    control: ControlSpec,
    values: Vec<u8>,
    still_secs: f64,
    first_us: u64,
    last_us: u64,
    /// The note was released.
    released: bool,
}

/// Waits for a control to be moved.
#[derive(Clone, Debug, Default)]
pub struct Learn {
    secs: f64,
    numbers: Numbers,
    /// In order of appearance.
    candidates: Vec<Candidate>,
}

impl Learn {
    /// Processes a message. Channel modes and clocks cannot be learned.
    pub fn message(&mut self, message: &Message) {
        let (control, value) = match self.numbers.read(message).unwrap_or(*message).kind {
            Kind::NoteOn { note, velocity } => (Control::Note(note), velocity),
            Kind::NoteOff { note } => {
                let spec = ControlSpec { channel: Some(message.channel), control: Control::Note(note) };
                if let Some(candidate) = self.find(message.port, &spec) {
                    candidate.released = true;
                }
                return;
            }
            Kind::PolyPressure { note, pressure } => (Control::PolyPressure(note), pressure),
            Kind::ChannelPressure { pressure } => (Control::Pressure, pressure),
            Kind::PitchBend { bend } => (Control::Bend, ((bend + 1.0) * 63.5) as u8),
            Kind::ProgramChange { program } => (Control::Program, program),
            Kind::Nrpn { registered, number, data } => {
                let control = if registered { Control::Rpn(number) } else { Control::Nrpn(number) };
                // Low halves say little about the direction; steps say everything.
                match data {
                    Data::High(value) => (control, value),
                    Data::Low(_) => return,
                    Data::Step(step) => (control, if step > 0 { 127 } else { 0 }),
                }
            }
            // These select a parameter number and are not controls.
            Kind::ControlChange { controller: 98..=101, .. } => return,
            Kind::ControlChange { controller, value } => (Control::Cc(controller), value),
            Kind::Clock | Kind::Start | Kind::Continue | Kind::Stop | Kind::SongPosition { .. } => return,
        };
        let control = ControlSpec { channel: Some(message.channel), control };
        if let Some(known) = self.find(message.port, &control) {
            (known.still_secs, known.last_us) = (0.0, message.at_us);
            if known.values.len() < VALUES {
                known.values.push(value);
            }
        } else if self.candidates.len() < CONTROLS {
            self.candidates.push(Candidate {
                port: message.port,
                control,
                values: vec![value],
                still_secs: 0.0,
                first_us: message.at_us,
                last_us: message.at_us,
                released: false,
            });
        }
    }

    fn find(&mut self, port: u8, control: &ControlSpec) -> Option<&mut Candidate> {
        self.candidates.iter_mut().find(|c| c.port == port && c.control == *control)
    }

    /// Advances by `dt` seconds and returns what is known so far.
    pub fn step(&mut self, dt: f64) -> Heard {
        self.secs += dt;
        self.candidates.iter_mut().for_each(|candidate| candidate.still_secs += dt);
        let mut turn_back = false;
        // A touch-sensitive fader sends a note first, and a pad sends pressure after its note.
        let mut best: Option<(u8, Moved)> = None;
        let is_moving = self.candidates.iter().any(|c| c.weight() == 2 && c.spread() >= TRAVEL);
        for candidate in self.candidates.iter().filter(|c| !is_moving || c.weight() == 2) {
            match candidate.judge() {
                Verdict::Clear(relative) => {
                    let found = (candidate.weight(), self.moved(candidate, relative));
                    if best.is_none_or(|(weight, _)| found.0 > weight) {
                        best = Some(found);
                    }
                }
                Verdict::Unclear => turn_back = true,
                Verdict::Little => {}
            }
        }
        match best {
            Some((_, moved)) => Heard::Moved(moved),
            None if self.secs > PATIENCE_SECS => Heard::GaveUp,
            None if turn_back => Heard::TurnBack,
            None => Heard::Nothing,
        }
    }

    fn moved(&self, candidate: &Candidate, relative: Option<Relative>) -> Moved {
        let mut control = candidate.control;
        if let Control::Cc(n) = control.control
            && relative.is_none()
            && let Some(high) = self.pair(candidate, n)
        {
            control.control = Control::Cc14(high);
        }
        let is_button = matches!(control.control, Control::Cc(_)) && relative.is_none() && candidate.is_button();
        Moved { port: candidate.port, control, relative, is_button }
    }

    /// The high half, if controller `n` is one half of a pair whose other half arrived with it.
    fn pair(&self, candidate: &Candidate, n: u8) -> Option<u8> {
        let (high, other) = match n {
            0..=31 => (n, n + 32),
            32..=63 => (n - 32, n - 32),
            _ => return None,
        };
        let other = ControlSpec { control: Control::Cc(other), ..candidate.control };
        let other = self.candidates.iter().find(|c| c.port == candidate.port && c.control == other)?;
        let together = candidate.first_us <= other.last_us + PAIR_US && other.first_us <= candidate.last_us + PAIR_US;
        (together && candidate.values.len() + other.values.len() > 2).then_some(high)
    }
}

enum Verdict {
    /// Not enough messages yet.
    Little,
    /// An encoder with an unknown encoding.
    Unclear,
    Clear(Option<Relative>),
}

impl Candidate {
    fn judge(&self) -> Verdict {
        let still = self.still_secs >= STILL_SECS;
        match self.control.control {
            Control::Program => Verdict::Clear(None),
            Control::Note(_) if still || self.released && self.still_secs >= STILL_SECS / 2.0 => Verdict::Clear(None),
            Control::Cc(_) if self.is_encoder() => self.encoder(),
            // One press of a button, or a knob that was turned.
            Control::Cc(_) if still && (self.is_button() || self.spread() >= TRAVEL) => Verdict::Clear(None),
            Control::Note(_) | Control::Cc(_) => Verdict::Little,
            _ if still && self.spread() >= TRAVEL => Verdict::Clear(None),
            _ => Verdict::Little,
        }
    }

    fn weight(&self) -> u8 {
        match self.control.control {
            Control::Pressure | Control::PolyPressure(_) => 0,
            Control::Note(_) => 1,
            _ => 2,
        }
    }

    fn spread(&self) -> u8 {
        let (min, max) = self.values.iter().fold((127, 0), |(min, max), &v| (v.min(min), v.max(max)));
        max.saturating_sub(min)
    }

    /// Only the two ends arrived, including the upper one, and without the repeats of an encoder.
    fn is_button(&self) -> bool {
        self.values.iter().all(|v| [0, 127].contains(v)) && self.values.contains(&127)
    }

    /// An absolute knob never sends the same value twice in a row, nor jumps back and forth; an encoder does little
    /// else.
    fn is_encoder(&self) -> bool {
        let click = |v: &u8| matches!(v, 1..=7 | 57..=63 | 65..=71 | 121..=127);
        let again = self.values.windows(2).filter(|pair| pair[0] == pair[1] || pair[0].abs_diff(pair[1]) > 48).count();
        self.values.len() >= CLICKS && self.values.iter().all(click) && again * 2 >= self.values.len() - 1
    }

    fn encoder(&self) -> Verdict {
        let groups: String = self.values.iter().map(|&value| way(value)).collect::<BTreeSet<_>>().into_iter().collect();
        let still = self.still_secs >= STILL_SECS;
        let waited = self.still_secs >= UNCLEAR_SECS;
        Verdict::Clear(Some(match groups.as_str() {
            "rt" => Relative::Twos,
            "os" | "o" => Relative::Offset,
            "rs" => Relative::Signed,
            "t" if still => Relative::Twos,
            // Two encodings are identical to the right; they differ to the left.
            "r" if waited => Relative::Twos,
            "s" if waited => Relative::Offset,
            "r" | "s" if still => return Verdict::Unclear,
            _ => return Verdict::Little,
        }))
    }
}

/// Classifies an encoder's value: small steps to the right, or one of three encodings of left.
fn way(value: u8) -> char {
    match value {
        0..=7 => 'r',
        8..=63 => 'o',
        64..=71 => 's',
        _ => 't',
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::control::midi::parse;

    /// Plays messages 10 ms apart, then silence; returns what is recognised, as text.
    fn learned(messages: &[&[u8]]) -> String {
        let mut learn = Learn::default();
        let mut said = String::new();
        let mut at_us = 0;
        let quiet = std::iter::repeat_n(&[0xfe_u8][..], 4000);
        for bytes in messages.iter().copied().chain(quiet) {
            if let Some(message) = parse(bytes, 2, at_us) {
                learn.message(&message);
            }
            at_us += 10_000;
            match learn.step(0.01) {
                Heard::Nothing => {}
                Heard::TurnBack if said.ends_with("turn back, ") => {}
                Heard::TurnBack => said += "turn back, ",
                Heard::GaveUp => return said + "gave up",
                Heard::Moved(moved) => {
                    assert_eq!(moved.port, 2);
                    let relative = moved.relative.map(|relative| format!(" {relative:?}")).unwrap_or_default();
                    return format!(
                        "{said}{}{relative}{}",
                        moved.control,
                        if moved.is_button { " button" } else { "" }
                    );
                }
            }
        }
        said
    }

    fn knob(controller: u8, values: &[u8]) -> Vec<Vec<u8>> {
        values.iter().map(|&value| vec![0xb0, controller, value]).collect()
    }

    #[test]
    fn what_arrives_says_what_was_moved() {
        let pair = |low_first: bool| {
            let halves = (0..6).flat_map(move |i| {
                let (high, low) = (vec![0xb3, 7, 40 + i], vec![0xb3, 39, i * 20]);
                if low_first { [low, high] } else { [high, low] }
            });
            halves.collect::<Vec<_>>()
        };
        let nrpn = [vec![0xb0, 99, 2], vec![0xb0, 98, 44], vec![0xb0, 6, 10], vec![0xb0, 38, 3], vec![0xb0, 6, 30]];
        let bend = [vec![0xe2, 0, 64], vec![0xe2, 0, 70], vec![0xe2, 0, 90]];
        let touched = [vec![0x90, 104, 127], bend[1].clone(), bend[2].clone(), vec![0x90, 104, 0]];
        let pressed = [vec![0x99, 36, 80], vec![0xa9, 36, 20], vec![0xa9, 36, 90], vec![0x99, 36, 0]];
        let table: &[(&str, &[Vec<u8>], &str)] = &[
            ("a knob", &knob(21, &[60, 61, 62, 64, 66]), "ch 1 cc 21"),
            ("a fast knob", &knob(21, &[3, 90]), "ch 1 cc 21"),
            ("a knob near 65", &knob(21, &[65, 66, 67, 68, 69]), "ch 1 cc 21"),
            ("a knob over 64", &knob(21, &[60, 61, 70]), "ch 1 cc 21"),
            ("a knob that only trembles", &knob(21, &[64, 65, 64, 65, 64, 65]), "gave up"),
            ("14 bits", &pair(false), "ch 4 cc 7/14"),
            ("14 bits, low first", &pair(true), "ch 4 cc 7/14"),
            ("an NRPN", &nrpn, "ch 1 nrpn 300"),
            ("a button", &knob(41, &[127, 0]), "ch 1 cc 41 button"),
            ("a held button", &knob(41, &[127]), "ch 1 cc 41 button"),
            ("a pad", &[vec![0x99, 36, 80], vec![0x89, 36, 0]], "ch 10 note 36"),
            ("a pad with pressure", &pressed, "ch 10 note 36"),
            ("a wheel", &bend, "ch 3 bend"),
            ("a fader that feels the finger", &touched, "ch 3 bend"),
            ("a program", &[vec![0xc4, 7]], "ch 5 program"),
            ("pressure", &[vec![0xd0, 1], vec![0xd0, 40]], "ch 1 pressure"),
            ("two's complement", &knob(1, &[1, 1, 2, 1, 127, 127]), "ch 1 cc 1 Twos"),
            ("two's complement, left", &knob(1, &[127, 127, 127]), "ch 1 cc 1 Twos"),
            ("offset", &knob(1, &[65, 65, 65, 63, 63]), "ch 1 cc 1 Offset"),
            ("offset, left", &knob(1, &[63, 63, 63]), "ch 1 cc 1 Offset"),
            ("signed bit", &knob(1, &[1, 1, 1, 65, 65]), "ch 1 cc 1 Signed"),
            ("right only", &knob(1, &[1, 1, 1]), "turn back, ch 1 cc 1 Twos"),
            ("another right only", &knob(1, &[65, 65, 65]), "turn back, ch 1 cc 1 Offset"),
            ("channel modes and clocks", &[vec![0xb0, 123, 0], vec![0xf8], vec![0xfa]], "gave up"),
        ];
        for (what, messages, expected) in table {
            let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
            assert_eq!(learned(&messages), *expected, "{what}");
        }
    }

    #[test]
    fn no_messages_make_it_panic() {
        let mut rng = crate::control::test_rng(17);
        let (mut learn, mut moved) = (Learn::default(), 0);
        for at_us in 0..50_000 {
            let bytes = [0x80 | rng() as u8, rng() as u8 & 0x67, rng() as u8 & 0x7f];
            if let Some(message) = parse(&bytes, rng() as u8, at_us) {
                learn.message(&message);
            }
            if let Heard::Moved(_) | Heard::GaveUp = learn.step((rng() % 100) as f64 / 200.0) {
                learn = Learn::default();
                moved += 1;
            }
        }
        assert!(moved > 100);
    }
}
