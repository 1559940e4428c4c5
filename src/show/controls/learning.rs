//! MIDI learn: maps the next control that is moved to a parameter.

use std::sync::Arc;

use super::super::status::Status;
use crate::control::learn::{Heard, Learn, Moved};
use crate::control::mapping::{MidiEntry, MidiOptions, Mode};
use crate::control::midi::{Message, Profile};
use crate::control::{Source, Write};
use crate::params::{Id, Kind, Remote, Table, Target};

struct Session {
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
    session: Option<Session>,
    /// The parameter that a player moved last.
    moved: Option<Target>,
    /// The last client that asked to learn or to save may not write files.
    is_untrusted: bool,
}

impl Learning {
    pub fn is_waiting(&self) -> bool {
        self.session.is_some()
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
        if address.is_empty() && self.session.is_some() {
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
        self.session = Some(Session { target, learn: Learn::default(), turn_back: false, saves });
    }

    pub fn cancel(&mut self, status: &mut Status) {
        if self.session.take().is_some() {
            status.notice("nothing learned".to_owned());
        }
    }

    /// Selects the parameter `by` places on in the table instead.
    pub fn choose(&mut self, by: isize, table: &Table) {
        let Some(session) = &mut self.session else { return };
        let all: Vec<Id> = table.ids().filter(|id| id.def().learnable).collect();
        let here = all.iter().position(|&id| id == session.target.id).unwrap_or(0) as isize;
        session.target = all[(here + by).rem_euclid(all.len() as isize) as usize].into();
    }

    /// Takes a message, which then has no other effect.
    pub fn message(&mut self, message: &Message) {
        if let Some(session) = &mut self.session {
            session.learn.message(message);
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
        let session = self.session.as_mut()?;
        match session.learn.step(dt) {
            Heard::Nothing => None,
            Heard::TurnBack => {
                session.turn_back = true;
                None
            }
            Heard::GaveUp => {
                self.session = None;
                status.notice("no control was moved: nothing learned".to_owned());
                None
            }
            Heard::Moved(moved) => {
                let Session { target, saves, .. } = self.session.take()?;
                let profile = controllers.iter().find(|(port, _)| *port == moved.port).map(|(_, profile)| &**profile);
                taught(target, &moved, profile, saves, table).map_err(|line| status.notice(line)).ok()
            }
        }
    }

    /// The HUD's line while waiting.
    pub fn line(&self) -> Option<String> {
        let session = self.session.as_ref()?;
        Some(if session.turn_back {
            format!("learn {}: now turn it the other way", session.target)
        } else {
            format!("learn {}: move a control (up, down: another parameter; L: cancel)", session.target)
        })
    }
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
    fn unmappable_parameters_are_refused() {
        let (mut learning, mut status) = (Learning::default(), Status::default());
        learning.begin("/network", Params::default().table(), &mut status);
        assert!(!learning.is_waiting() && status.line().is_some_and(|line| line.contains("/network")));
        learning.note(&Write { target: Id::Learn.into(), value: Value::Nothing, source: Source::Web }, false);
        assert!(!learning.may_save());
    }
}
