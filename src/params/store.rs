//! The values of a running show: bases, what smoothing has made of them, modulation.

use std::collections::HashMap;

use super::value::{Value, WriteError, Written};
use super::{Id, Kind, MAX_DIM, Target};

/// One number of the running show.
#[derive(Clone, Copy, Debug)]
struct Cell {
    /// What was written last.
    base: f64,
    /// The base as it is after smoothing.
    smoothed: f64,
    modulation: f64,
}

/// The values of a running show.
///
/// Writes go to the base; [`Params::step`] moves the smoothed values towards it. `set_modulation` is for LFOs,
/// audio and scripts and never touches the base.
#[derive(Clone, Debug)]
pub struct Params {
    cells: Vec<Cell>,
    /// First cell of each id.
    first: Vec<usize>,
    texts: HashMap<Id, String>,
    vectors: HashMap<Id, Vec<f32>>,
    fired: Vec<Id>,
    /// Cells whose smoothed value has not arrived yet.
    moving: Vec<(Target, usize)>,
}

impl Default for Params {
    fn default() -> Self {
        let (mut cells, mut first) = (Vec::new(), Vec::new());
        let (mut texts, mut vectors) = (HashMap::new(), HashMap::new());
        for id in Id::all() {
            first.push(cells.len());
            let default = id.def().default_number().unwrap_or(0.0);
            match id.def().kind {
                Kind::Text { default } => drop(texts.insert(id, default.to_owned())),
                Kind::Vector { max_len } => drop(vectors.insert(id, Vec::with_capacity(max_len))),
                _ => {}
            }
            let cell = Cell { base: default, smoothed: default, modulation: 0.0 };
            cells.extend(std::iter::repeat_n(cell, id.def().count));
        }
        Params { cells, first, texts, vectors, fired: Vec::with_capacity(64), moving: Vec::with_capacity(MAX_DIM) }
    }
}

impl Params {
    fn cell(&self, target: Target) -> usize {
        self.first[target.id as usize] + usize::from(target.index).min(target.id.def().count - 1)
    }

    /// Writes the base value, coerced to the parameter's kind: a float for an int is rounded, an int for a float
    /// is widened, a numeric string is parsed, numbers are clamped to the range.
    ///
    /// # Errors
    /// [`WriteError::Nonsense`] when no meaning can be found (text for a number, NaN, an unknown choice); the
    /// parameter keeps its value.
    pub fn write(&mut self, target: Target, value: &Value) -> Result<Written, WriteError> {
        let def = target.id.def();
        let nonsense = |expected: String| WriteError::Nonsense { target, expected, found: value.to_string() };
        let number = match def.kind {
            Kind::Float { min, max, .. } => match value {
                Value::Travel(t) if t.is_finite() => Some(def.from_travel(*t)),
                other => other.as_number().map(|x| x.clamp(min, max)),
            },
            Kind::Int { min, max, .. } => match value {
                Value::Travel(t) if t.is_finite() => Some(def.from_travel(*t).round()),
                other => other.as_number().map(|x| x.round().clamp(min as f64, max as f64)),
            },
            Kind::Bool { .. } => match value {
                Value::Nothing => Some(1.0 - self.cells[self.cell(target)].base),
                other => other.as_bool().map(|b| f64::from(u8::from(b))),
            },
            Kind::Choice { options, .. } => match value {
                Value::Text(s) => options
                    .iter()
                    .position(|o| o.eq_ignore_ascii_case(s.trim()))
                    .map(|i| i as f64)
                    .or_else(|| value.as_number().filter(|&x| x >= 0.0 && x < options.len() as f64).map(f64::trunc)),
                Value::Travel(t) if t.is_finite() => {
                    Some((t * options.len() as f64).floor().clamp(0.0, options.len() as f64 - 1.0))
                }
                other => other.as_number().map(|x| x.round()).filter(|&x| x >= 0.0 && x < options.len() as f64),
            },
            Kind::Text { .. } => {
                let text = match value {
                    Value::Text(s) => s.clone(),
                    Value::Int(i) => i.to_string(),
                    Value::Float(x) if x.is_finite() => format!("{}", x.round()),
                    Value::Nothing => String::new(),
                    _ => return Err(nonsense(def.expects())),
                };
                let slot = self.texts.entry(target.id).or_default();
                // Writing the same name again is a wish to load it again.
                *slot = text;
                self.fired.push(target.id);
                return Ok(Written::Changed);
            }
            Kind::Trigger => {
                let pressed = match value {
                    Value::Nothing => true,
                    other => other.as_bool().ok_or_else(|| nonsense(def.expects()))?,
                };
                if !pressed {
                    return Ok(Written::Unchanged);
                }
                if self.fired.len() < self.fired.capacity() {
                    self.fired.push(target.id);
                }
                return Ok(Written::Fired);
            }
            Kind::Vector { max_len } => {
                let slot = self.vectors.entry(target.id).or_default();
                match value {
                    Value::List(list) if list.iter().all(|x| x.is_finite()) => {
                        slot.clear();
                        slot.extend(list.iter().take(max_len));
                    }
                    Value::Nothing => slot.clear(),
                    Value::Float(_) | Value::Int(_) if value.as_number().is_some() => {
                        slot.clear();
                        slot.extend(value.as_number().map(|x| x as f32));
                    }
                    _ => return Err(nonsense(def.expects())),
                }
                return Ok(Written::Changed);
            }
        };
        let number = number.ok_or_else(|| nonsense(def.expects()))?;
        let i = self.cell(target);
        let cell = &mut self.cells[i];
        if cell.base == number {
            return Ok(Written::Unchanged);
        }
        cell.base = number;
        if def.smoothing_secs > 0.0 {
            if !self.moving.iter().any(|&(_, m)| m == i) {
                self.moving.push((target, i));
            }
        } else {
            cell.smoothed = number;
        }
        Ok(Written::Changed)
    }

    /// Starts a frame: forgets the triggers of the last one.
    pub fn begin(&mut self) {
        self.fired.clear();
    }

    /// Lets the smoothed values follow their bases for `dt` seconds.
    pub fn step(&mut self, dt: f64) {
        let cells = &mut self.cells;
        self.moving.retain(|&(target, i)| {
            let cell = &mut cells[i];
            let follow = 1.0 - (-dt / target.id.def().smoothing_secs).exp();
            cell.smoothed += (cell.base - cell.smoothed) * follow;
            let arrived = (cell.base - cell.smoothed).abs() < 1e-6 * (1.0 + cell.base.abs());
            if arrived {
                cell.smoothed = cell.base;
            }
            !arrived
        });
    }

    /// Smoothed values jump to their bases: at the start of a show and when a preset is loaded.
    pub fn settle(&mut self) {
        for (_, i) in self.moving.drain(..) {
            self.cells[i].smoothed = self.cells[i].base;
        }
    }

    /// Writes the table's default to every number and vector, so that smoothed ones glide back; texts stay, and `except`.
    pub fn write_defaults(&mut self, except: &[Id]) {
        for id in Id::all().filter(|id| !except.contains(id)) {
            let Some(default) = id.def().default_number() else { continue };
            for index in 0..id.def().count as u16 {
                let target = Target { id, index };
                if self.base(target) != default {
                    // A default is always of the parameter's own kind.
                    let _ = self.write(target, &Value::Float(default));
                }
            }
        }
        self.vectors.values_mut().for_each(Vec::clear);
    }

    /// Keeps a text without asking for anything to be done: the name of what plays by now.
    pub fn set_text(&mut self, id: Id, text: &str) {
        if let Some(slot) = self.texts.get_mut(&id) {
            text.clone_into(slot);
        }
    }

    /// What LFOs, audio and scripts add to a number; 0 takes it away.
    pub fn set_modulation(&mut self, target: Target, amount: f64) {
        let i = self.cell(target);
        self.cells[i].modulation = if amount.is_finite() { amount } else { 0.0 };
    }

    pub fn clear_modulation(&mut self) {
        self.cells.iter_mut().for_each(|c| c.modulation = 0.0);
    }

    /// The effective value: smoothed base plus modulation, clamped to the range.
    pub fn get(&self, target: impl Into<Target>) -> f64 {
        let target = target.into();
        let cell = &self.cells[self.cell(target)];
        let (min, max) = target.id.def().range();
        (cell.smoothed + cell.modulation).clamp(min, max)
    }

    /// The effective value of a whole number or a choice (its position).
    pub fn int(&self, id: Id) -> i64 {
        self.get(id).round() as i64
    }

    pub fn bool(&self, id: Id) -> bool {
        self.get(id) >= 0.5
    }

    /// The chosen word; empty for an `id` that is no choice.
    pub fn choice(&self, id: Id) -> &'static str {
        match id.def().kind {
            Kind::Choice { options, .. } => options[(self.int(id).max(0) as usize).min(options.len() - 1)],
            _ => "",
        }
    }

    pub fn text(&self, id: Id) -> &str {
        self.texts.get(&id).map_or("", String::as_str)
    }

    pub fn vector(&self, id: Id) -> &[f32] {
        self.vectors.get(&id).map_or(&[], Vec::as_slice)
    }

    /// The written value, without smoothing and modulation.
    pub fn base(&self, target: impl Into<Target>) -> f64 {
        self.cells[self.cell(target.into())].base
    }

    /// Where the base lies on a knob's 0..1 travel.
    pub fn travel(&self, target: impl Into<Target>) -> f64 {
        let target = target.into();
        target.id.def().to_travel(self.base(target))
    }

    /// Triggers and texts that were written since the frame began, in order.
    pub fn fired(&self) -> &[Id] {
        &self.fired
    }

    /// The base as a value: what `/dump` sends and what a preset saves. `None` for triggers.
    pub fn value(&self, target: impl Into<Target>) -> Option<Value> {
        let target = target.into();
        Some(match target.id.def().kind {
            Kind::Float { .. } => Value::Float(self.base(target)),
            Kind::Int { .. } => Value::Int(self.base(target) as i64),
            Kind::Bool { .. } => Value::Bool(self.base(target) >= 0.5),
            Kind::Choice { options, .. } => Value::Text(options[self.base(target) as usize].to_owned()),
            Kind::Text { .. } => Value::Text(self.text(target.id).to_owned()),
            Kind::Vector { .. } => Value::List(self.vector(target.id).to_vec()),
            Kind::Trigger => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_are_coerced_where_the_intent_is_clear() {
        let float = |v: f64| Value::Float(v);
        let text = |s: &str| Value::Text(s.to_owned());
        let table: &[(Id, Value, Option<f64>)] = &[
            (Id::Psi, float(0.5), Some(0.5)),
            (Id::Psi, Value::Int(1), Some(1.0)),
            (Id::Psi, text(" 0.25 "), Some(0.25)),
            (Id::Psi, Value::Bool(true), Some(1.0)),
            (Id::Psi, Value::List(vec![0.5, 9.0]), Some(0.5)),
            (Id::Psi, float(99.0), Some(2.0)),
            (Id::Psi, float(f64::NAN), None),
            (Id::Psi, text("much"), None),
            (Id::Psi, Value::Nothing, None),
            (Id::Psi, Value::Travel(0.0), Some(-1.0)),
            (Id::Seed, float(84.6), Some(85.0)),
            (Id::Seed, float(-3.0), Some(0.0)),
            (Id::Freeze, float(1.0), Some(1.0)),
            (Id::Freeze, text("true"), Some(1.0)),
            (Id::Freeze, text("perhaps"), None),
            (Id::WalkKind, text("LOOP"), Some(2.0)),
            (Id::WalkKind, float(3.0), Some(3.0)),
            (Id::WalkKind, Value::Int(4), None),
            (Id::WalkKind, text("keys"), None),
        ];
        for (id, value, expected) in table {
            let mut params = Params::default();
            let before = params.base(*id);
            let written = params.write((*id).into(), value);
            assert_eq!(written.is_ok(), expected.is_some(), "{id:?} {value:?}: {written:?}");
            assert_eq!(params.base(*id), expected.unwrap_or(before), "{id:?} {value:?}");
        }
    }

    #[test]
    fn a_smoothed_value_arrives_and_modulation_is_clamped() {
        let mut params = Params::default();
        params.write(Id::Psi.into(), &Value::Float(1.5)).expect("a number");
        params.step(0.01);
        let soon = params.get(Id::Psi);
        assert!(soon > 0.7 && soon < 1.0, "{soon}");
        for _ in 0..200 {
            params.step(0.01);
        }
        assert_eq!(params.get(Id::Psi), 1.5);
        params.set_modulation(Id::Psi.into(), 9.0);
        assert_eq!((params.get(Id::Psi), params.base(Id::Psi)), (2.0, 1.5));
        params.clear_modulation();
        assert_eq!(params.get(Id::Psi), 1.5);
    }

    #[test]
    fn triggers_fire_once_a_press() {
        let mut params = Params::default();
        for (value, fires) in
            [(Value::Nothing, 1), (Value::Float(1.0), 2), (Value::Float(0.0), 2), (Value::Bool(true), 3)]
        {
            params.write(Id::SeedNext.into(), &value).expect("a press");
            assert_eq!(params.fired().len(), fires);
        }
        params.begin();
        assert!(params.fired().is_empty());
    }
}
