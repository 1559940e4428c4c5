//! Learning: maps the next control that is moved to a parameter, or lets the sound move it.

use std::sync::Arc;

use super::super::status::{About, Status};
use crate::control::keys::Key;
use crate::control::learn::{Heard, Learn, Moved};
use crate::control::mapping::{MidiEntry, MidiOptions, Mode};
use crate::control::midi::{Message, Profile};
use crate::control::{Source, Write};
use crate::modulate::modulator::PREFIX;
use crate::params::{Id, Kind, Params, Remote, Table, Target, Value};

/// The sounds that keys 1 to 9 choose: the signal is `audio.` and the word, and whether it is a hit.
const SOUNDS: [(&str, bool); 9] = [
    ("bass", false),
    ("mid", false),
    ("high", false),
    ("level", false),
    ("kick", true),
    ("snare", true),
    ("hat", true),
    ("onset", true),
    ("beat", true),
];
/// How far a sound moves a parameter at first, as a share of its range.
const DEPTH: f64 = 0.3;
/// Levels are smoothed this much at first, in seconds.
const SMOOTH_SECS: f64 = 0.1;

/// A parameter that waits for a control.
struct Lesson {
    target: Target,
    learn: Learn,
    turn_back: bool,
    saves: bool,
}

/// A learned mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Taught {
    pub entry: MidiEntry,
    /// Whether it goes into the preset's file.
    pub saves: bool,
    /// The line to show.
    pub line: String,
}

/// The state of MIDI learn.
#[derive(Default)]
pub struct Learning {
    lesson: Option<Lesson>,
    /// The parameter that waits for a sound.
    sounding: Option<Target>,
    /// The parameter that a player moved last.
    moved: Option<Target>,
    /// The last client that asked to learn or to save may not write files.
    is_untrusted: bool,
}

impl Learning {
    pub fn is_waiting(&self) -> bool {
        self.lesson.is_some()
    }

    /// The parameter that waits for a control.
    pub fn waits_for(&self) -> Option<Target> {
        self.lesson.as_ref().map(|lesson| lesson.target)
    }

    pub fn may_save(&self) -> bool {
        !self.is_untrusted
    }

    /// Notes a write, by a client that may or may not save files.
    pub fn note(&mut self, write: &Write, may_save: bool) {
        let def = write.target.id.def();
        if def.remote == Remote::NoFiles {
            self.is_untrusted = !may_save;
        }
        if write.source != Source::Preset && def.learnable {
            self.moved = Some(write.target);
        }
    }

    /// Waits for a control for `address`, or for the parameter that changed last; or stops waiting.
    pub fn begin(&mut self, address: &str, table: &Table, status: &mut Status) {
        if address.is_empty() && self.lesson.is_some() {
            return self.cancel(status);
        }
        let target = match table.resolve(address) {
            Some(target) if target.id.def().learnable => target,
            None if address.is_empty() => self.moved.unwrap_or(Id::Psi.into()),
            _ => {
                let hint = table.nearest(address).filter(|near| *near != address);
                let hint = hint.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                return status.refuse(&format!("no control can play \"{address}\"{hint}"));
            }
        };
        let saves = self.may_save();
        self.lesson = Some(Lesson { target, learn: Learn::default(), turn_back: false, saves });
    }

    /// Whether a sound is to be chosen by a key.
    pub fn hears_sound(&self) -> bool {
        self.sounding.is_some()
    }

    /// Waits for a sound for the parameter that changed last; or stops waiting.
    pub fn begin_audio(&mut self, table: &Table, status: &mut Status) {
        if self.sounding.take().is_some() {
            return status.notice("no sound chosen".to_owned());
        }
        self.lesson = None;
        let can_move =
            |target: &Target| target.id.def().default_number().is_some() && table.current(target.id).is_some();
        self.sounding = Some(self.moved.filter(can_move).unwrap_or(Id::Psi.into()));
    }

    /// Takes a key while a sound is to be chosen: a number makes a modulator, or removes the one that it has made before.
    pub fn choose_sound(&mut self, key: Key, params: &Params, status: &mut Status, writes: &mut Vec<Write>) {
        let Some(target) = self.sounding else { return };
        let by = match key {
            Key::Up => -1,
            Key::Down => 1,
            Key::Char(digit @ '1'..='9') => {
                self.sounding = None;
                return writes.push(sound_write(SOUNDS[digit as usize - '1' as usize], target, params.table()));
            }
            _ => {
                self.sounding = None;
                return status.notice("no sound chosen".to_owned());
            }
        };
        let can_move = |id: &Id| id.def().learnable && id.def().default_number().is_some();
        self.sounding = next_of(&params.table().ids().filter(can_move).collect::<Vec<_>>(), target.id, by);
    }

    pub fn cancel(&mut self, status: &mut Status) {
        if self.lesson.take().is_some() | self.sounding.take().is_some() {
            status.notice("nothing learned".to_owned());
        }
    }

    /// Selects the parameter `by` places on in the table instead.
    pub fn choose(&mut self, by: isize, table: &Table) {
        let Some(lesson) = &mut self.lesson else { return };
        let all: Vec<Id> = table.ids().filter(|id| id.def().learnable).collect();
        lesson.target = next_of(&all, lesson.target.id, by).unwrap_or(lesson.target);
    }

    /// Takes a message, which then has no other effect.
    pub fn message(&mut self, message: &Message) {
        if let Some(lesson) = &mut self.lesson {
            lesson.learn.message(message);
        }
    }

    /// Advances by `dt` seconds. Returns the learned mapping once a control has moved enough.
    pub fn step(
        &mut self,
        dt: f64,
        controllers: &[(u8, Arc<Profile>)],
        table: &Table,
        status: &mut Status,
    ) -> Option<Taught> {
        let lesson = self.lesson.as_mut()?;
        match lesson.learn.step(dt) {
            Heard::Nothing => None,
            Heard::TurnBack => {
                lesson.turn_back = true;
                None
            }
            Heard::GaveUp => {
                self.lesson = None;
                status.notice("no control was moved: nothing learned".to_owned());
                None
            }
            Heard::Moved(moved) => {
                let Lesson { target, saves, .. } = self.lesson.take()?;
                let profile = controllers.iter().find(|(port, _)| *port == moved.port).map(|(_, profile)| &**profile);
                taught(target, &moved, profile, saves, table).map_err(|line| status.error(About::Learning, line)).ok()
            }
        }
    }

    /// The HUD's line while waiting.
    pub fn line(&self) -> Option<String> {
        if let Some(target) = self.sounding {
            let sounds = SOUNDS.iter().enumerate().map(|(i, (word, _))| format!("{} {word}", i + 1));
            let sounds = sounds.collect::<Vec<_>>().join("  ");
            return Some(format!("sound moves {target}: {sounds} (up, down: another parameter; A: cancel)"));
        }
        let lesson = self.lesson.as_ref()?;
        Some(if lesson.turn_back {
            format!("learn {}: now turn it the other way", lesson.target)
        } else {
            format!("learn {}: move a control (up, down: another parameter; L: cancel)", lesson.target)
        })
    }
}

/// The id `by` places on from `here`, around the end.
fn next_of(all: &[Id], here: Id, by: isize) -> Option<Target> {
    let place = all.iter().position(|&id| id == here).unwrap_or(0) as isize;
    let count = isize::try_from(all.len()).ok().filter(|count| *count > 0)?;
    all.get((place + by).rem_euclid(count) as usize).map(|id| (*id).into())
}

/// Adds a modulator that follows a sound, or removes it if it is there.
fn sound_write((word, is_hit): (&str, bool), target: Target, table: &Table) -> Write {
    // A name is made of letters, digits, - and _.
    let name: String = format!("{word}{}", target.to_string().replace('/', "-")).chars().take(32).collect();
    let is_there = table.resolve(&format!("{PREFIX}{name}/depth")).is_some();
    let (id, text) = if is_there {
        (Id::ModRemove, name)
    } else {
        let smooth = if is_hit { 0.0 } else { SMOOTH_SECS };
        let entry = format!("source = \"audio.{word}\", to = \"{target}\", depth = {DEPTH}, smooth = {smooth:?}");
        (Id::ModAdd, format!("{name} = {{ {entry} }}"))
    };
    Write { target: id.into(), value: Value::Text(text), source: Source::Key }
}

/// The mapping of a moved control to `target`, or why it is not possible.
fn taught(
    target: Target,
    moved: &Moved,
    profile: Option<&Profile>,
    saves: bool,
    table: &Table,
) -> Result<Taught, String> {
    let known = profile.and_then(|profile| profile.control(&moved.control));
    let is_trigger = target.id.def().kind == Kind::Trigger;
    let options = MidiOptions {
        to: target.to_string(),
        relative: moved.relative,
        takeover: known.and_then(|known| known.takeover).filter(|_| moved.relative.is_none() && !moved.is_button),
        mode: (moved.is_button && !is_trigger).then_some(Mode::Toggle),
        ..MidiOptions::default()
    };
    let name = match (profile, known) {
        (Some(profile), Some(known)) => format!("{} {}", profile.name, known.name),
        _ => moved.control.to_string(),
    };
    match MidiEntry::new(&moved.control.to_string(), &options, table) {
        Ok(entry) => Ok(Taught { entry, saves, line: format!("{name} plays {target}; U undoes it") }),
        Err(error) => Err(format!("{name} cannot play {target}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::midi::parse;
    use crate::params::{Params, Value};

    #[test]
    fn a_moved_control_is_mapped_to_what_changed_last() {
        let (mut learning, mut status) = (Learning::default(), Status::default());
        let write = |id: Id, source| Write { target: id.into(), value: Value::Float(1.0), source };
        learning.note(&write(Id::NoiseGain, Source::Osc), true);
        learning.note(&write(Id::Psi, Source::Preset), true);
        learning.begin("", Params::default().table(), &mut status);
        assert!(learning.line().is_some_and(|line| line.starts_with("learn /noise/gain")));
        for value in [0, 60, 61, 127] {
            learning.message(&parse(&[0xb0, 41, value], 0, 0).unwrap());
        }
        let taught = (0..100)
            .find_map(|_| learning.step(0.1, &[], Params::default().table(), &mut status))
            .expect("it is learned");
        assert!(taught.saves && taught.line.contains("plays /noise/gain"), "{}", taught.line);
        assert!(!learning.is_waiting());
    }

    #[test]
    fn a_sound_is_chosen_by_its_number_and_again_to_end_it() {
        let (mut learning, mut status, mut params) = (Learning::default(), Status::default(), Params::default());
        learning.note(&Write { target: Id::NoiseGain.into(), value: Value::Float(1.0), source: Source::Osc }, true);
        let mut choose = |learning: &mut Learning, params: &Params, keys: &[Key]| {
            let mut writes = Vec::new();
            learning.begin_audio(params.table(), &mut status);
            assert!(learning.line().is_some_and(|line| line.contains("1 bass") && line.contains("9 beat")));
            keys.iter().for_each(|key| learning.choose_sound(*key, params, &mut status, &mut writes));
            assert!(!learning.hears_sound());
            writes.pop().map(|write| (write.target.id, write.value))
        };
        let text = |text: &str| Value::Text(text.to_owned());
        let kick = "kick-noise-gain = { source = \"audio.kick\", to = \"/noise/gain\", depth = 0.3, smooth = 0.0 }";
        assert_eq!(choose(&mut learning, &params, &[Key::Char('5')]), Some((Id::ModAdd, text(kick))));
        let row = crate::params::Def::float("/mod/kick-noise-gain/depth", -1.0, 1.0, 0.3);
        params.replace(&[], &[row]).unwrap();
        let again = choose(&mut learning, &params, &[Key::Char('5')]);
        assert_eq!(again, Some((Id::ModRemove, text("kick-noise-gain"))));
        let other = choose(&mut learning, &params, &[Key::Down, Key::Char('1')]).unwrap();
        assert!(other.1 != text(kick) && format!("{:?}", other.1).contains("audio.bass"), "{other:?}");
        assert_eq!(choose(&mut learning, &params, &[Key::Char('x')]), None);
    }

    #[test]
    fn unmappable_parameters_are_refused() {
        let (mut learning, mut status) = (Learning::default(), Status::default());
        learning.begin("/network", Params::default().table(), &mut status);
        assert!(!learning.is_waiting() && status.line().is_some_and(|line| line.contains("/network")));
        learning.note(&Write { target: Id::Learn.into(), value: Value::Nothing, source: Source::Web }, false);
        assert!(!learning.may_save());
    }
}
