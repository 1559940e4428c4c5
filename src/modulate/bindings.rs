//! Expressions bound to parameters: `psi = 0.7 + 0.3 * sine(8)` plays until it is replaced.
//!
//! Evaluated natively, once per frame, and without allocating. A binding that is replaced by one of the same shape
//! continues from where it is.

use std::collections::HashMap;
use std::sync::Arc;

use super::expr::{Expr, ExprError, Frame, Program};
use super::pattern::Atom;
use super::source::seed_of;
use crate::params::{Target, Value};

/// What a bound expression does with its parameter.
#[derive(Clone, Debug)]
pub enum Plays {
    /// It is the parameter's value.
    Number,
    /// Its values are positions in this list; each change writes one.
    Words(Arc<[Atom]>),
    /// Each step of a pattern, and each rise above a half, fires.
    Trigger,
}

/// An expression for a parameter. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Binding {
    pub target: Target,
    pub expr: Expr,
    pub plays: Plays,
    /// The file and line that made it.
    pub at: (Arc<str>, u32),
}

struct Running {
    binding: Binding,
    program: Program,
    /// The last finite value.
    value: Option<f64>,
    is_bad: bool,
}

/// All bindings, in the order in which their parameters were first bound.
#[derive(Default)]
pub struct Bindings {
    running: Vec<Running>,
    places: HashMap<Target, usize>,
    /// The numbers of this frame.
    values: Vec<(Target, f64)>,
    writes: Vec<(Target, Value)>,
    stack: Vec<f64>,
    /// A parameter whose expression has just become NaN or infinite.
    bad: Option<Target>,
}

impl Bindings {
    /// Binds an expression, replacing the one that its target had.
    ///
    /// # Errors
    /// When the expression cannot be lowered; the old one then plays on.
    pub fn bind(&mut self, binding: Binding) -> Result<(), ExprError> {
        let mut program = Program::new(&binding.expr, seed_of(&binding.target.to_string()))?;
        let target = binding.target;
        match self.places.get(&target).map(|&i| &mut self.running[i]) {
            Some(running) => {
                program.go_on_from(&running.program);
                (running.binding, running.program) = (binding, program);
            }
            None => {
                self.places.insert(target, self.running.len());
                self.running.push(Running { binding, program, value: None, is_bad: false });
                self.values.reserve(self.running.len());
            }
        }
        Ok(())
    }

    /// Lets go of a parameter.
    pub fn release(&mut self, target: Target) {
        if self.places.contains_key(&target) {
            self.keep(|binding| binding.target != target);
        }
    }

    /// Lets go of all parameters except those that `is_kept` selects.
    pub fn keep(&mut self, mut is_kept: impl FnMut(&Binding) -> bool) {
        self.running.retain(|running| is_kept(&running.binding));
        self.places = self.running.iter().enumerate().map(|(i, running)| (running.binding.target, i)).collect();
    }

    /// Names may mean something else from now on: each is written again.
    pub fn write_words_again(&mut self) {
        let words = self.running.iter_mut().filter(|running| matches!(running.binding.plays, Plays::Words(_)));
        words.for_each(|running| running.value = None);
    }

    pub fn get(&self, target: Target) -> Option<&Binding> {
        self.places.get(&target).map(|&i| &self.running[i].binding)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Binding> {
        self.running.iter().map(|running| &running.binding)
    }

    pub fn len(&self) -> usize {
        self.running.len()
    }

    pub fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// Steps one frame. [`Bindings::values`] and [`Bindings::writes`] are its results.
    pub fn step(&mut self, frame: &Frame) {
        self.values.clear();
        self.writes.clear();
        self.bad = None;
        for Running { binding, program, value, is_bad } in &mut self.running {
            let number = program.step(frame, &mut self.stack);
            if program.is_silent() {
                continue;
            }
            if !number.is_finite() {
                if !std::mem::replace(is_bad, true) {
                    self.bad = self.bad.or(Some(binding.target));
                }
                // The last finite value is held.
                if let (Plays::Number, Some(value)) = (&binding.plays, *value) {
                    self.values.push((binding.target, value));
                }
                continue;
            }
            *is_bad = false;
            let last = value.replace(number);
            match &binding.plays {
                Plays::Number => self.values.push((binding.target, number)),
                Plays::Words(words) => {
                    if last != Some(number)
                        && let Some(word) = words.get(number as usize)
                    {
                        self.writes.push((binding.target, value_of(word)));
                    }
                }
                Plays::Trigger => {
                    let has_risen = number > 0.5 && last.is_none_or(|last| last <= 0.5);
                    if has_risen || (program.has_onset() && number > 0.5) {
                        self.writes.push((binding.target, Value::Nothing));
                    }
                }
            }
        }
    }

    /// The numbers of this frame, each target once.
    pub fn values(&self) -> &[(Target, f64)] {
        &self.values
    }

    /// What strings and triggers get in this frame.
    pub fn writes(&self) -> &[(Target, Value)] {
        &self.writes
    }

    /// A parameter whose expression became NaN or infinite in this frame; it holds its last value.
    pub fn bad(&self) -> Option<Target> {
        self.bad
    }
}

fn value_of(word: &Atom) -> Value {
    match word {
        Atom::Number(x) => Value::Text(x.to_string()),
        Atom::Word(word) => Value::Text(word.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modulate::expr::Binary;
    use crate::modulate::lfo::Wave;
    use crate::modulate::{Pattern, Signals, Time};
    use crate::params::{Id, Params};

    struct Rig {
        bindings: Bindings,
        params: Params,
        signals: Signals,
    }

    impl Rig {
        fn new() -> Rig {
            Rig { bindings: Bindings::default(), params: Params::default(), signals: Signals::default() }
        }

        fn bind(&mut self, id: Id, expr: Expr, plays: Plays) {
            self.bindings.bind(Binding { target: id.into(), expr, plays, at: ("test".into(), 1) }).unwrap();
        }

        fn step(&mut self, beat: f64) -> Vec<(Target, Value)> {
            let time = Time { secs: beat, beat, dt: 0.01 };
            self.bindings.step(&Frame { time, signals: &self.signals, params: &self.params });
            self.params.bind(self.bindings.values());
            self.bindings.writes().to_vec()
        }
    }

    fn sine(beats: f64) -> Expr {
        Expr::wave(Wave::Sine, Expr::number(beats), 0.0, None).unwrap()
    }

    #[test]
    fn a_bound_parameter_plays_its_expression_until_it_is_let_go() {
        let mut rig = Rig::new();
        rig.bind(Id::Psi, sine(8.0), Plays::Number);
        for (beat, psi) in [(0.0, 0.0), (2.0, 1.0), (6.0, -1.0)] {
            rig.step(beat);
            assert!((rig.params.get(Id::Psi) - psi).abs() < 1e-9, "at {beat}: {}", rig.params.get(Id::Psi));
            assert_eq!(rig.params.base(Id::Psi), 0.7, "the base stays");
        }
        rig.bindings.release(Id::Psi.into());
        rig.step(6.0);
        assert_eq!(rig.params.get(Id::Psi), -1.0, "it glides back");
        rig.params.step(10.0);
        assert_eq!((rig.params.get(Id::Psi), rig.params.bound().len()), (0.7, 0));
    }

    #[test]
    fn an_edited_period_does_not_jump() {
        let mut rig = Rig::new();
        rig.bind(Id::Psi, sine(8.0), Plays::Number);
        rig.step(97.3);
        let before = rig.params.get(Id::Psi);
        rig.bind(Id::Psi, sine(7.0), Plays::Number);
        rig.step(97.3);
        assert!((rig.params.get(Id::Psi) - before).abs() < 1e-9);
        for _ in 0..1000 {
            rig.step(97.3);
        }
        let steady = (std::f64::consts::TAU * 97.3 / 7.0).sin();
        assert!((rig.params.get(Id::Psi) - steady).abs() < 1e-6, "it slides back onto the beat");
    }

    #[test]
    fn what_is_not_a_number_holds_the_last_value_and_is_reported_once() {
        let mut rig = Rig::new();
        let beat = Expr::beat();
        let above = Expr::binary(Binary::Above, &beat, &Expr::number(5.0)).unwrap();
        let zero = Expr::binary(Binary::Sub, &Expr::number(1.0), &above).unwrap();
        rig.bind(Id::Psi, Expr::binary(Binary::Div, &zero, &zero).unwrap(), Plays::Number);
        rig.step(1.0);
        assert_eq!((rig.params.get(Id::Psi), rig.bindings.bad()), (1.0, None));
        rig.step(6.0);
        assert_eq!((rig.params.get(Id::Psi), rig.bindings.bad()), (1.0, Some(Id::Psi.into())));
        rig.step(7.0);
        assert_eq!((rig.params.get(Id::Psi), rig.bindings.bad()), (1.0, None), "once");
    }

    #[test]
    fn words_are_written_when_they_change_and_triggers_at_each_step() {
        let mut rig = Rig::new();
        let words = Expr::pattern(Pattern::parse("fog fog ink ~").unwrap(), 4.0);
        let atoms = words.as_pattern().unwrap().values().into();
        rig.bind(Id::StyleNetwork, words.with_positions().unwrap(), Plays::Words(atoms));
        rig.bind(Id::SeedNext, Expr::pattern(Pattern::parse("1 1 ~ 1").unwrap(), 4.0), Plays::Trigger);
        let text = |word: &str| (Target::from(Id::StyleNetwork), Value::Text(word.into()));
        let next = (Target::from(Id::SeedNext), Value::Nothing);
        let played: Vec<_> = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 3.5, 4.0].map(|beat| rig.step(beat)).into();
        let expected = [
            vec![text("fog"), next.clone()],
            vec![],
            vec![next.clone()],
            vec![],
            vec![text("ink")],
            vec![next.clone()],
            vec![],
            vec![text("fog"), next],
        ];
        assert_eq!(played, expected);
    }
}
