//! What a performer sees at a glance beside the parameters: what waits, and what has to be read. For windows and pages; nothing
//! here changes a frame.

use super::Show;
use crate::control::Write;
use crate::params::{Id, Target, Value};
use crate::patch::library::numbered;
use crate::patch::locate::name_of;

impl Show {
    /// The parameter whose knob was moved but has not picked it up yet, and where that knob is, in travel 0 to 1.
    pub fn waiting_knob(&self) -> Option<(Target, f64)> {
        self.controls.mapping().ghost()
    }

    /// The preset that waits for its beat, as one of `names`, the list of presets in order.
    pub fn waiting_preset<'a>(&self, names: &'a [String]) -> Option<&'a str> {
        waiting(self.controls.waiting(), names, &self.preset_listed())
    }

    /// What the preset that plays is called in the list of presets.
    pub fn preset_listed(&self) -> String {
        name_of(&self.preset().path)
    }

    /// What the preset that waits for the crossfader is called there.
    pub fn armed_listed(&self) -> Option<String> {
        self.morph.armed().map(|preset| name_of(&preset.path))
    }

    /// Whether the crossfader brings something in, or would if it were moved.
    pub fn crosses(&self) -> bool {
        self.morph.armed().is_some() || self.morph.by_hand(&self.params).is_some()
    }

    /// What went wrong, until it works again or was read; the newest at the end.
    pub fn errors(&self) -> &[String] {
        self.status.faults()
    }

    /// What cannot be played was read: its line disappears. False if there was none.
    pub fn dismiss(&mut self) -> bool {
        self.status.dismiss()
    }
}

fn waiting<'a>(held: &[Write], names: &'a [String], playing: &str) -> Option<&'a str> {
    let (mut at, mut waits) = (names.iter().position(|name| name == playing), false);
    let step = |at: Option<usize>, by: isize| Some((at? as isize + by).rem_euclid(names.len() as isize) as usize);
    for write in held {
        let target = match write.target.id {
            Id::Preset => named(&write.value, names),
            Id::PresetNext => step(at, 1),
            Id::PresetPrev => step(at, -1),
            _ => continue,
        };
        (at, waits) = (target, true);
    }
    at.filter(|_| waits).map(|at| names[at].as_str())
}

/// The place of the preset with this name or number, by the rules of [`Library::named`](crate::patch::library::Library::named).
fn named(value: &Value, names: &[String]) -> Option<usize> {
    let text = match value {
        Value::Text(text) => text.trim().to_lowercase(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.round().to_string(),
        _ => return None,
    };
    let is_it = |name: &String| name.to_lowercase() == text;
    let number = text.parse().ok().filter(|&number: &usize| number > 0);
    let has_rest = |name: &String| numbered(name).1.to_lowercase() == text;
    let has_number = |name: &String| number.is_some() && numbered(name).0 == number;
    let found = names.iter().position(is_it).or_else(|| names.iter().position(has_rest));
    let found = found.or_else(|| names.iter().position(has_number));
    found.or_else(|| number.filter(|number| *number <= names.len()).map(|number| number - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Source;

    #[test]
    fn the_preset_that_waits_is_the_last_one_asked_for_and_steps_go_on_from_it() {
        let names = ["1-vortex", "2-amber", "10-cathedral", "mine"].map(str::to_owned);
        let write = |id: Id, value| Write { target: id.into(), value, source: Source::Key };
        let text = |name: &str| write(Id::Preset, Value::Text(name.to_owned()));
        let next = || write(Id::PresetNext, Value::Nothing);
        for (held, expected) in [
            (vec![], None),
            (vec![write(Id::Seed, Value::Int(4))], None),
            (vec![text("amber")], Some("2-amber")),
            (vec![text("2-Amber")], Some("2-amber")),
            (vec![write(Id::Preset, Value::Int(10))], Some("10-cathedral")),
            (vec![write(Id::Preset, Value::Int(4))], Some("mine")),
            (vec![next(), next()], Some("10-cathedral")),
            (vec![write(Id::PresetPrev, Value::Nothing)], Some("mine")),
            (vec![text("10"), next()], Some("mine")),
            (vec![text("nowhere")], None),
        ] {
            assert_eq!(waiting(&held, &names, "1-vortex"), expected, "{held:?}");
        }
        let names = ["night-drive", "3_drive"].map(str::to_owned);
        assert_eq!(waiting(&[text("drive")], &names, ""), Some("3_drive"), "only a number is left out");
    }
}
