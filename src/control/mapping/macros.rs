//! Macros: eight faders, each of which moves one parameter or several.
//!
//! A macro's position is a parameter of its own (`/macro/1` to `/macro/8`), so whatever plays parameters plays macros: MIDI,
//! OSC, the page, modulators, live code. [`Macros`] knows what they move. It writes nothing to the targets itself, except
//! for modulation: it says what to write, and sets a macro's position when its first target was moved by something else.
//! Pure; runs inside the frame, on the show's thread, and allocates only when a preset sets other macros.

use std::sync::Arc;

use super::MappingError;
use super::curve::{TravelCurve, travel_of, value_at};
use crate::params::{Id, Kind, Meaning, Params, Table, Target, Value};

/// How many macros there are.
pub const MACROS: usize = Id::MACROS.len();

/// What a macro moves, and how far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MacroTarget {
    pub target: Target,
    /// The values at both ends of the macro; `None` for the parameter's own range and curve.
    pub curve: Option<TravelCurve>,
}

impl MacroTarget {
    /// With the values at positions 0 and 1, or the parameter's whole range. The first value may be the larger one.
    ///
    /// # Errors
    /// When the target is no number, choice or switch, is a macro itself, or the range is not within the parameter's.
    pub fn new(target: Target, range: Option<[f64; 2]>) -> Result<Self, MappingError> {
        let wrong = |reason: &str| Err(MappingError::Target { to: target, reason: reason.to_owned() });
        match target.id.def().kind {
            _ if number_of(target.id).is_some() => wrong("is a macro: macros do not move each other"),
            Kind::Text { .. } | Kind::Trigger | Kind::Vector { .. } => wrong("is no number: macros move numbers"),
            _ => Ok(MacroTarget { target, curve: TravelCurve::new(target, range, None, false)? }),
        }
    }

    /// What the target is written when the macro is at `position` 0..1.
    fn value(&self, position: f64) -> Value {
        value_at(self.curve.as_ref(), position)
    }

    /// The macro's position for a value of the target.
    fn position(&self, value: f64, params: &Params) -> f64 {
        travel_of(self.curve.as_ref(), &params.def(self.target.id), value).clamp(0.0, 1.0)
    }

    /// How far the target's knob turns when the macro goes from one position to another, in travel.
    fn turn(&self, from: f64, to: f64, params: &Params) -> f64 {
        let def = params.def(self.target.id);
        self.curve.as_ref().map_or(to - from, |curve| def.to_travel(curve.value(to)) - def.to_travel(curve.value(from)))
    }
}

/// One entry of a preset's `[macro]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MacroEntry {
    /// Which macro, from 0.
    pub number: usize,
    /// What the fader is called.
    pub name: String,
    /// What it moves, the target that it follows first; empty for a macro that only modulators and live code read.
    pub to: Vec<MacroTarget>,
}

impl MacroEntry {
    /// `name` may be empty: then it is that of the first target.
    pub fn new(number: usize, name: &str, to: Vec<MacroTarget>) -> Self {
        let first = || to.first().map(|to| label(to.target));
        let name =
            if name.is_empty() { first().unwrap_or_else(|| format!("macro {}", number + 1)) } else { name.into() };
        MacroEntry { number, name, to }
    }

    /// What macro `number` moves in a preset that does not say: the parameter of that knob of the default map.
    fn default_of(number: usize) -> Self {
        let of_knob = |id: &Id| id.def().knob.is_some_and(|knob| usize::from(knob) == number + 1);
        let to = Table::built_in().ids().filter(of_knob).map(|id| MacroTarget { target: id.into(), curve: None });
        MacroEntry::new(number, "", to.take(1).collect())
    }
}

/// A parameter's name in a few words: `/walk/speed` is `walk speed`, `/fx/trails/zoom` is `trails zoom`.
pub fn label(target: Target) -> String {
    let address = target.to_string();
    let parts = address.strip_prefix("/fx/").unwrap_or(&address);
    parts.split('/').filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Which macro this parameter is, from 0.
pub fn number_of(id: Id) -> Option<usize> {
    Id::MACROS.iter().position(|known| *known == id)
}

/// All eight entries: a preset's own, and the defaults of the others.
pub fn with_defaults(own: &[MacroEntry]) -> Vec<MacroEntry> {
    let entry = |number| own.iter().find(|entry| entry.number == number).cloned();
    (0..MACROS).map(|number| entry(number).unwrap_or_else(|| MacroEntry::default_of(number))).collect()
}

/// What the macros move, and what they have seen.
#[derive(Clone, Debug)]
pub struct Macros {
    /// All eight. A change makes a new list, so that others can detect it by pointer.
    entries: Arc<[MacroEntry]>,
    /// Which of them the preset has set.
    own: [bool; MACROS],
    /// The first target's base with which each macro agrees; NaN before it was looked at.
    seen: [f64; MACROS],
    /// Where each macro stood then: defaults may have moved it since.
    stood: [f64; MACROS],
    /// The ranges with which they were compared.
    meanings: Arc<[Meaning]>,
    /// What modulated macros add to their targets in this frame; kept for its capacity.
    carried: Vec<(Target, f64)>,
}

impl Default for Macros {
    fn default() -> Self {
        Macros {
            entries: with_defaults(&[]).into(),
            own: [false; MACROS],
            seen: [f64::NAN; MACROS],
            stood: [f64::NAN; MACROS],
            meanings: Arc::default(),
            carried: Vec::new(),
        }
    }
}

impl Macros {
    /// Replaces what the last preset has set.
    pub fn set(&mut self, own: &[MacroEntry]) {
        let entries = with_defaults(own);
        self.own = std::array::from_fn(|number| own.iter().any(|entry| entry.number == number));
        if *self.entries != *entries {
            let (old, seen) = (self.entries.iter(), self.seen.iter_mut());
            let changed = old.zip(&entries).zip(seen).filter(|((old, new), _)| old != new);
            changed.for_each(|(_, seen)| *seen = f64::NAN);
            self.carried.reserve(entries.iter().map(|entry| entry.to.len()).sum());
            self.entries = entries.into();
        }
    }

    /// All eight, in order. Another list after each change.
    pub fn entries(&self) -> &Arc<[MacroEntry]> {
        &self.entries
    }

    /// Those that the preset has set.
    pub fn own(&self) -> impl Iterator<Item = &MacroEntry> {
        self.entries.iter().filter(|entry| self.own[entry.number])
    }

    /// What the `nth` target of a macro is written, at the macro's position. `None` past the last; a target whose row is
    /// gone is written too, and refused.
    pub fn write(&self, number: usize, nth: usize, params: &Params) -> Option<(Target, Value)> {
        let to = self.entries.get(number)?.to.get(nth)?;
        Some((to.target, to.value(params.base(Id::MACROS[number]))))
    }

    /// The targets were written at the macro's position: it agrees with them.
    pub fn agree(&mut self, number: usize, params: &Params) {
        if let Some(first) = self.first(number, params) {
            self.seen[number] = params.base(first.target);
            self.stood[number] = params.base(Id::MACROS[number]);
        }
    }

    /// Once a frame, after all writes: macros whose first target was moved by something else go where it is.
    pub fn follow(&mut self, params: &mut Params) {
        if !Arc::ptr_eq(&self.meanings, params.meanings()) {
            // Another network: the same style is elsewhere on the fader.
            self.meanings.clone_from(params.meanings());
            self.seen = [f64::NAN; MACROS];
        }
        for number in 0..MACROS {
            let Some(first) = self.first(number, params) else { continue };
            let value = params.base(first.target);
            let id = Id::MACROS[number];
            if self.seen[number] != value || self.stood[number] != params.base(id) {
                self.seen[number] = value;
                // A position is always within the range.
                let _ = params.write(id.into(), &Value::Float(first.position(value, params)));
                self.stood[number] = params.base(id);
            }
        }
    }

    /// Once a frame, after modulation: modulated macros take their targets along, whose bases stay.
    pub fn carry(&mut self, params: &mut Params) {
        self.carried.clear();
        for entry in self.entries.iter() {
            let id = Id::MACROS[entry.number];
            let (from, to) = (params.base(id), params.get(id));
            if from != to {
                self.carried.extend(entry.to.iter().map(|target| (target.target, target.turn(from, to, params))));
            }
        }
        params.carry(&self.carried);
    }

    /// Where a macro is at this moment, 0 to 1, if something moves it or its first target: a modulator or live code.
    pub fn moving(&self, number: usize, params: &Params) -> Option<f64> {
        let id = Id::MACROS[number];
        if params.is_moved(id.into()) {
            return Some(params.get(id));
        }
        let first = self.first(number, params).filter(|first| params.is_moved(first.target))?;
        Some(first.position(params.get(first.target), params))
    }

    /// As [`Macros::moving`]; `None` also for what is no macro.
    pub fn moving_of(&self, id: Id, params: &Params) -> Option<f64> {
        self.moving(number_of(id)?, params)
    }

    /// The target that a macro follows, if its row exists.
    fn first(&self, number: usize, params: &Params) -> Option<MacroTarget> {
        self.entries[number].to.first().copied().filter(|to| params.table().current(to.target.id).is_some())
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn target(id: Id, range: Option<[f64; 2]>) -> MacroTarget {
        MacroTarget::new(id.into(), range).unwrap()
    }

    fn rig(number: usize, to: Vec<MacroTarget>) -> (Macros, Params) {
        let (mut macros, mut params) = (Macros::default(), Params::default());
        macros.set(&[MacroEntry::new(number, "", to)]);
        macros.follow(&mut params);
        (macros, params)
    }

    /// Moves a macro as the show does.
    fn turn(macros: &mut Macros, params: &mut Params, number: usize, position: f64) {
        params.write(Id::MACROS[number].into(), &Value::Float(position)).unwrap();
        for nth in 0.. {
            let Some((target, value)) = macros.write(number, nth, params) else { break };
            params.write(target, &value).unwrap();
        }
        macros.agree(number, params);
        macros.follow(params);
    }

    #[test]
    fn by_default_each_macro_plays_the_parameter_of_its_knob() {
        let macros = Macros::default();
        let played: Vec<String> = macros.entries().iter().map(|entry| entry.to[0].target.to_string()).collect();
        let knobs: Vec<&str> = (1..=8)
            .filter_map(|n| Table::built_in().iter().find(|def| def.knob == Some(n)).map(|def| def.address))
            .collect();
        assert_eq!(played, knobs);
        assert_eq!((macros.entries()[1].name.as_str(), macros.own().count()), ("walk speed", 0));
    }

    #[test]
    fn a_macro_moves_all_its_targets_along_their_curves_and_ranges() {
        let to = vec![target(Id::Psi, Some([1.0, 0.5])), target(Id::NoiseGain, None), target(Id::PsiCutoff, None)];
        let (mut macros, mut params) = rig(2, to);
        turn(&mut macros, &mut params, 2, 0.5);
        assert_eq!(params.base(Id::Psi), 0.75);
        assert_eq!(params.base(Id::NoiseGain), 1.0, "its curve is square");
        assert_eq!(params.base(Id::PsiCutoff), 32.0);
        assert_eq!(params.base(Id::Macro3), 0.5);
        assert_eq!(macros.write(2, 3, &params), None);
    }

    #[test]
    fn a_macro_follows_its_first_target_and_nothing_goes_round() {
        let (mut macros, mut params) = rig(0, vec![target(Id::Psi, Some([0.0, 1.0])), target(Id::WalkSpeed, None)]);
        assert_eq!(params.base(Id::Macro1), 0.7, "the default of /psi");
        params.write(Id::Psi.into(), &Value::Float(0.25)).unwrap();
        params.write(Id::WalkSpeed.into(), &Value::Float(2.0)).unwrap();
        macros.follow(&mut params);
        assert_eq!((params.base(Id::Macro1), params.base(Id::WalkSpeed)), (0.25, 2.0));
        // Out of its reach: it stays at its end, and the target where it is.
        params.write(Id::Psi.into(), &Value::Float(1.5)).unwrap();
        macros.follow(&mut params);
        assert_eq!((params.base(Id::Macro1), params.base(Id::Psi)), (1.0, 1.5));
        turn(&mut macros, &mut params, 0, 0.125);
        assert_eq!((params.base(Id::Macro1), params.base(Id::Psi), params.base(Id::WalkSpeed)), (0.125, 0.125, -3.0));
    }

    #[test]
    fn a_rounded_target_does_not_push_its_macro() {
        let (mut macros, mut params) = rig(0, vec![target(Id::StyleEvery, None)]);
        turn(&mut macros, &mut params, 0, 0.51);
        assert_eq!((params.base(Id::Macro1), params.base(Id::StyleEvery)), (0.51, 9.0));
    }

    #[test]
    fn a_modulated_macro_takes_its_targets_along() {
        let (mut macros, mut params) = rig(0, vec![target(Id::Psi, Some([0.0, 1.0])), target(Id::WalkSpeed, None)]);
        params.settle();
        let step = |macros: &mut Macros, params: &mut Params, amounts: &[(Target, f64)]| {
            params.modulate(amounts);
            macros.follow(params);
            macros.carry(params);
        };
        step(&mut macros, &mut params, &[(Id::Macro1.into(), 0.2), (Id::Psi.into(), 0.01)]);
        assert!((params.get(Id::Psi) - 0.93).abs() < 1e-9, "{}", params.get(Id::Psi));
        assert!((params.get(Id::WalkSpeed) - 1.85).abs() < 1e-9);
        assert_eq!((params.base(Id::Psi), params.base(Id::Macro1)), (0.7, 0.7), "bases stay");
        assert!((macros.moving(0, &params).unwrap() - 0.9).abs() < 1e-9);
        assert!(params.moved().any(|target| target == Id::WalkSpeed.into()));
        step(&mut macros, &mut params, &[(Id::Psi.into(), -0.1)]);
        assert!((params.get(Id::Psi) - 0.4).abs() < 1e-9 && params.get(Id::WalkSpeed) == 0.25);
        assert!((macros.moving(0, &params).unwrap() - 0.4).abs() < 1e-9, "what it follows is modulated");
        step(&mut macros, &mut params, &[]);
        assert_eq!((params.get(Id::Psi), macros.moving(0, &params)), (0.7, None));
    }

    #[test]
    fn what_is_no_number_or_a_macro_cannot_be_moved() {
        for id in [Id::Macro2, Id::Preset, Id::SeedNext, Id::ZVector] {
            assert!(MacroTarget::new(id.into(), None).is_err(), "{id:?}");
        }
        assert!(MacroTarget::new(Id::Psi.into(), Some([0.0, 3.0])).is_err());
    }
}
