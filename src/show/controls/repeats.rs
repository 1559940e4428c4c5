//! Some senders repeat all their values 60 times a second (TouchDesigner's "Every Cook"): the same number or name for a
//! trigger or a string, without a pause, counts as one request. A message without a value always counts.

use std::collections::HashMap;

use crate::control::{Source, Write};
use crate::params::{Id, Kind, Target, Value};

/// Longer than a frame of a slow sender, shorter than a sixteenth of a fast bar.
const PAUSE_SECS: f64 = 0.1;

/// The last value of each trigger and string, and when it arrived.
#[derive(Default)]
pub struct Repeats {
    now: f64,
    last: HashMap<Target, (f64, Value)>,
}

impl Repeats {
    /// Advances by `dt` seconds, including frozen ones.
    pub fn step(&mut self, dt: f64) {
        self.now += dt;
    }

    pub fn is_repeated(&mut self, write: &Write) -> bool {
        let fires = matches!(write.target.id.def().kind, Kind::Text { .. } | Kind::Trigger);
        let is_remote = matches!(write.source, Source::Osc | Source::Web | Source::LocalWeb);
        // The same line may be evaluated as often as it is sent.
        if !fires || !is_remote || write.target.id == Id::Eval || write.value == Value::Nothing {
            return false;
        }
        let last = self.last.insert(write.target, (self.now, write.value.clone()));
        last.is_some_and(|(at, value)| value == write.value && self.now - at < PAUSE_SECS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Id;

    #[test]
    fn repeats_without_a_pause_count_once() {
        let mut repeats = Repeats::default();
        let write = |value, source| Write { target: Id::SeedNext.into(), value, source };
        let one = write(Value::Float(1.0), Source::Osc);
        assert!(!repeats.is_repeated(&one));
        repeats.step(0.05);
        assert!(repeats.is_repeated(&one) && !repeats.is_repeated(&write(Value::Float(0.0), Source::Osc)));
        assert!(!repeats.is_repeated(&one), "pressed again");
        repeats.step(0.2);
        assert!(!repeats.is_repeated(&one), "after a pause");
        let bang = write(Value::Nothing, Source::Osc);
        assert!(!repeats.is_repeated(&bang) && !repeats.is_repeated(&bang));
        let key = write(Value::Float(1.0), Source::Key);
        assert!(!repeats.is_repeated(&key) && !repeats.is_repeated(&key));
    }
}
