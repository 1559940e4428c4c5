//! Motor faders: some report the movement of their own motor, which is not input.

use std::time::{Duration, Instant};

use super::Kind;
use super::link::Key;
use crate::control::mapping::ControlSpec;

/// A motor arrives within this time.
const TRAVEL: Duration = Duration::from_millis(500);
/// It may stop short of its target or overshoot by 1/64 of the full travel.
const INEXACT: u16 = 64;
/// Consecutive moves that tell whether a fader reports its own movement.
const TURNS: i8 = 2;

/// One motor fader. A finger is recognised by the note of the touch sensor, if there is one, and otherwise by a position that
/// is not on the motor's path.
#[derive(Clone, Debug)]
pub(super) struct Motor {
    sends: ControlSpec,
    touch: Option<ControlSpec>,
    is_touched: bool,
    /// Its last known position: 7 bits, or 14 for pitch bend.
    position: Option<u16>,
    /// Its last target, and when it was sent.
    target: Option<(u16, Instant)>,
    /// Whether it has reported a position since.
    reported: bool,
    /// Consecutive moves that it reported; negative for those that it did not.
    reports: i8,
}

impl Motor {
    pub fn new(sends: ControlSpec, touch: Option<ControlSpec>) -> Self {
        Motor { sends, touch, is_touched: false, position: None, target: None, reported: false, reports: 0 }
    }

    /// Notes that it is sent to a position.
    pub fn sent(&mut self, key: Key, value: u16, now: Instant) {
        if !self.sends.covers(&key) {
            return;
        }
        if let Some((target, at)) = self.target
            && now.saturating_duration_since(at) > TRAVEL
        {
            self.position = Some(target);
            let reported = std::mem::take(&mut self.reported);
            self.reports =
                if reported { self.reports.max(0) + 1 } else { self.reports.min(0) - 1 }.clamp(-TURNS, TURNS);
        }
        self.target = Some((value, now));
    }

    /// Whether a message from its controller is its own movement.
    pub fn moves_itself(&mut self, key: Key, value: u16, kind: Kind, now: Instant) -> bool {
        if self.touch.is_some_and(|touch| touch.covers(&key)) {
            self.is_touched = matches!(kind, Kind::NoteOn { .. });
            return false;
        }
        if !self.sends.covers(&key) {
            return false;
        }
        let from = self.position.replace(value);
        let Some((target, at)) = self.target else { return false };
        if self.is_touched || now.saturating_duration_since(at) > TRAVEL {
            return false;
        }
        let whole = if matches!(kind, Kind::PitchBend { .. }) { 16_383 } else { 127 };
        let inexact = whole / INEXACT + 1;
        let is_on_the_way = from.is_none_or(|from| {
            value.abs_diff(target) <= from.abs_diff(target) + inexact && {
                let way = from.min(target).saturating_sub(inexact)..=from.max(target) + inexact;
                way.contains(&value)
            }
        });
        self.reported |= is_on_the_way;
        // A touch sensor, if there is one, has said that no finger is on it.
        is_on_the_way && (self.touch.is_some() || self.reports > -TURNS)
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::control::midi::{link, parse};

    /// Plays a script of bytes such as `>e0 00 40` (sent), `<e0 00 10` (received) and `600` (milliseconds); returns `m` for
    /// the motor's own movement and `H` for a hand.
    fn play(motor: &mut Motor, script: &str) -> String {
        let mut now = Instant::now();
        let mut heard = String::new();
        for word in script.split(',').map(str::trim) {
            if let Ok(ms) = word.parse() {
                now += Duration::from_millis(ms);
                continue;
            }
            let (way, bytes) = word.split_at(1);
            let bytes: Vec<u8> = bytes.split(' ').map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
            let message = parse(&bytes, 0, 0).unwrap();
            let (key, value) = link::key(&message).unwrap();
            match way {
                ">" => motor.sent(key, value, now),
                _ if motor.moves_itself(key, value, message.kind, now) => heard.push('m'),
                _ => heard.push('H'),
            }
        }
        heard
    }

    fn spec(text: &str) -> ControlSpec {
        crate::control::mapping::parse_control(text).unwrap()
    }

    #[test]
    fn a_motor_is_distinguished_from_a_finger() {
        let bend = spec("ch 1 bend");
        let cc = spec("ch 1 cc 81");
        let touch = Some(spec("ch 1 note 104"));
        for (what, sends, touch, script, expected) in [
            ("nothing was sent", bend, None, "<e0 00 40", "H"),
            ("on its way", bend, None, "<e0 00 00,>e0 00 40,20,<e0 00 08,20,<e0 00 20,20,<e0 00 3f,<e0 00 40", "Hmmmm"),
            ("from where nobody knows", bend, None, ">e0 00 40,20,<e0 00 7f,20,<e0 00 60,20,<e0 00 40", "mmm"),
            ("beyond, by a little", bend, None, "<e0 00 00,>e0 00 40,50,<e0 10 41,<e0 70 3f", "Hmm"),
            ("10 bits of 14", bend, None, "<e0 00 00,>e0 7f 40,50,<e0 70 40", "Hm"),
            ("against its way", bend, None, "<e0 00 20,>e0 00 40,20,<e0 00 10", "HH"),
            ("turning back", bend, None, "<e0 00 00,>e0 00 40,20,<e0 00 30,20,<e0 00 10", "HmH"),
            ("beyond, by much", bend, None, "<e0 00 20,>e0 00 40,20,<e0 00 50", "HH"),
            ("after its time", bend, None, "<e0 00 00,>e0 00 40,501,<e0 00 20", "HH"),
            ("another fader", bend, None, "<e0 00 00,>e1 00 40,20,<e0 00 20", "HH"),
            ("7 bits", cc, None, "<b0 51 00,>b0 51 40,20,<b0 51 20,<b0 51 40,<b0 51 50", "HmmH"),
            (
                "a finger",
                bend,
                touch,
                "<e0 00 00,>e0 00 40,<90 68 7f,<e0 00 20,<e0 00 30,<90 68 00,<e0 00 38",
                "HHHHHm",
            ),
            (
                "one that never reports",
                bend,
                None,
                "<e0 00 00,>e0 00 40,600,>e0 00 00,600,>e0 00 40,20,<e0 00 20,<e0 00 30",
                "HHH",
            ),
            (
                "one that never reports and has a sensor",
                bend,
                touch,
                "<e0 00 00,>e0 00 40,600,>e0 00 00,600,>e0 00 40,20,<e0 00 20",
                "Hm",
            ),
        ] {
            assert_eq!(play(&mut Motor::new(sends, touch), script), expected, "{what}: {script}");
        }
    }
}
