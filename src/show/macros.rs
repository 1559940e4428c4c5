//! Macros in a running show: a macro that is moved moves its targets in the same frame, and follows its first target.
//!
//! What they move and where they are is known by [`Macros`](crate::control::mapping::Macros); here are the writes.

use std::path::Path;

use super::Show;
use crate::control::mapping::macros::{MACROS, number_of};
use crate::control::mapping::{MacroEntry, MacroTarget};
use crate::control::{Source, Write};
use crate::params::{Id, Target};

/// One of the eight macros, for those who draw it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MacroState<'a> {
    /// Its own parameter: what a fader writes, resets and learns.
    pub id: Id,
    pub name: &'a str,
    /// What it moves, the one that it follows first; may be empty.
    pub targets: &'a [MacroTarget],
    /// Where it stands, 0 to 1.
    pub position: f64,
    /// Where it is at this moment while a modulator or live code moves it or its first target, 0 to 1.
    pub modulated: Option<f64>,
}

impl Show {
    /// The eight macros, in order.
    pub fn macros(&self) -> [MacroState<'_>; MACROS] {
        let macros = self.controls.mapping().macros();
        std::array::from_fn(|number| {
            let entry = &macros.entries()[number];
            let id = Id::MACROS[number];
            MacroState {
                id,
                name: &entry.name,
                targets: &entry.to,
                position: self.params.base(id),
                modulated: macros.moving(number, &self.params),
            }
        })
    }

    /// After a write: if it has moved a macro, its targets are written by the same source.
    pub(super) fn move_targets(&mut self, write: &Write) {
        let Some(number) = number_of(write.target.id) else { return };
        for nth in 0.. {
            let Some((target, value)) = self.controls.mapping().macros().write(number, nth, &self.params) else {
                break;
            };
            self.write(&Write { target, value, source: write.source });
        }
        self.controls.macros_mut().agree(number, &self.params);
        // It was moved last, not its targets. A macro is never refused.
        let _ = self.controls.note(write);
    }

    /// Sets up the current preset's macros and smoothing. Those of `moved`, whose position the preset has set, move what it does not set;
    /// all follow their first target.
    pub(super) fn play_macros(&mut self, moved: [bool; MACROS]) {
        let preset = self.presets.playing();
        self.params.set_smoothing(&preset.smooth);
        self.controls.macros_mut().set(&self.edits.macros.applied(&preset.macros));
        let is_set: Vec<Target> = preset.params.iter().map(|(target, _)| *target).collect();
        for number in (0..MACROS).filter(|number| moved[*number]) {
            for nth in 0.. {
                let Some((target, value)) = self.controls.mapping().macros().write(number, nth, &self.params) else {
                    break;
                };
                if !is_set.contains(&target) {
                    self.write_all(vec![Write { target, value, source: Source::Preset }]);
                }
            }
        }
        self.controls.macros_mut().follow(&mut self.params);
    }

    /// Lets macros move what `/macro/set` says, as entries of `[macro]`; they go where their first targets are.
    pub(super) fn set_macro(&mut self) {
        let text = self.params.text(Id::MacroSet).trim().to_owned();
        let entries = match self.presets.library().check_text(&format!("[macro]\n{text}"), Path::new("/macro/set")) {
            Ok(preset) if !preset.macros.is_empty() => preset.macros,
            Ok(_) => return self.status.refuse("/macro/set takes an entry of [macro], such as 3 = \"/psi\""),
            Err(error) => {
                let line = error.headline();
                let message = line.splitn(4, ':').nth(3).map_or(line.as_str(), str::trim);
                return self.status.refuse(&format!("/macro/set: {message}"));
            }
        };
        self.edits.macros.set(&entries, &text);
        let preset = self.presets.playing();
        self.controls.macros_mut().set(&self.edits.macros.applied(&preset.macros));
        self.controls.macros_mut().follow(&mut self.params);
        let moves = |entry: &MacroEntry| format!("macro {} moves {}", entry.number + 1, entry.name);
        self.status.notice(entries.iter().map(moves).collect::<Vec<_>>().join(", "));
    }

    /// Once a frame, after everything was written and modulated.
    pub(super) fn step_macros(&mut self) {
        let macros = self.controls.macros_mut();
        macros.follow(&mut self.params);
        macros.carry(&mut self.params);
    }
}

/// Which macros a preset's writes move.
pub(super) fn moved_by(writes: &[Write]) -> [bool; MACROS] {
    std::array::from_fn(|number| writes.iter().any(|write| write.target == Id::MACROS[number].into()))
}
