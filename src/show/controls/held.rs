//! Changes that wait for the beat: presets, seeds and networks, while `/quantize` is above 0.
//!
//! Changes are kept in order and done on the next multiple of that many beats. Only the show's beat counts, whatever sets the
//! tempo.

use crate::control::{Source, Write};
use crate::params::{Id, Kind, Params, Value};

/// Maximum number of waiting changes.
pub const HELD: usize = 64;

/// What to do with a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Write,
    /// It waits for the beat; what it needs can be loaded in the meantime.
    Hold,
    Drop,
    /// It cannot wait: [`HELD`] changes do already.
    Full,
}

/// Writes waiting for the beat.
#[derive(Default)]
pub struct Held {
    writes: Vec<Write>,
    /// The beat of the last frame.
    beat: f64,
}

impl Held {
    pub fn judge(&mut self, write: &Write, params: &Params) -> Verdict {
        let id = write.target.id;
        if write.source == Source::Preset || params.base(Id::Quantize) <= 0.0 || !id.def().quantized {
            return Verdict::Write;
        }
        let is_trigger = id.def().kind == Kind::Trigger;
        if is_trigger && write.value.as_bool() == Some(false) {
            return Verdict::Drop;
        }
        // Of two presets the later one counts; of two steps both do.
        if !is_trigger {
            self.writes.retain(|held| held.target != write.target);
        }
        if self.writes.len() >= HELD {
            return Verdict::Full;
        }
        self.writes.push(write.clone());
        Verdict::Hold
    }

    /// The waiting writes, if their beat has arrived: a multiple of `every` beats; with 0, at once.
    pub fn release(&mut self, beat: f64, every: f64) -> Vec<Write> {
        let last = std::mem::replace(&mut self.beat, beat);
        // The start of another clock goes back to the first beat.
        let has_come = every <= 0.0 || beat < last || (beat / every).floor() != (last / every).floor();
        if has_come { std::mem::take(&mut self.writes) } else { Vec::new() }
    }

    /// Those that wait, oldest first.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    pub fn forget(&mut self) {
        self.writes.clear();
    }

    /// What is waiting, and for how many more beats.
    pub fn line(&self, beat: f64, every: f64) -> Option<String> {
        let last = self.writes.last().filter(|_| every > 0.0)?;
        let value = if last.value == Value::Nothing { String::new() } else { format!(" {}", last.value) };
        let more = match self.writes.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        let left = every - beat.rem_euclid(every);
        Some(format!("{}{value}{more} in {left:.1} beats", last.target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_value_and_every_step_wait_for_the_beat() {
        let (mut held, mut params) = (Held::default(), Params::default());
        let write = |id: Id, value| Write { target: id.into(), value, source: Source::Osc };
        assert_eq!(held.judge(&write(Id::Seed, Value::Int(1)), &params), Verdict::Write, "without /quantize");
        params.write(Id::Quantize.into(), &Value::Float(4.0)).unwrap();
        for (id, value, verdict) in [
            (Id::Psi, Value::Float(0.5), Verdict::Write),
            (Id::Seed, Value::Int(1), Verdict::Hold),
            (Id::Seed, Value::Int(2), Verdict::Hold),
            (Id::SeedNext, Value::Float(0.0), Verdict::Drop),
            (Id::SeedNext, Value::Nothing, Verdict::Hold),
            (Id::SeedNext, Value::Nothing, Verdict::Hold),
        ] {
            assert_eq!(held.judge(&write(id, value), &params), verdict, "{id:?}");
        }
        assert_eq!(held.line(1.0, 4.0).as_deref(), Some("/seed/next and 2 more in 3.0 beats"));
        assert!(held.release(3.9, 4.0).is_empty() && !held.is_empty());
        let released: Vec<Value> = held.release(4.0, 4.0).into_iter().map(|write| write.value).collect();
        assert_eq!(released, [Value::Int(2), Value::Nothing, Value::Nothing]);
        held.judge(&write(Id::Seed, Value::Int(3)), &params);
        assert_eq!(held.release(0.0, 4.0).len(), 1, "another clock has started");
        held.judge(&write(Id::Seed, Value::Int(3)), &params);
        held.forget();
        assert!(held.is_empty() && held.line(0.0, 4.0).is_none());
        let step = write(Id::SeedNext, Value::Nothing);
        let verdicts: Vec<Verdict> = (0..=HELD).map(|_| held.judge(&step, &params)).collect();
        assert!(verdicts[..HELD].iter().all(|verdict| *verdict == Verdict::Hold) && verdicts[HELD] == Verdict::Full);
    }
}
