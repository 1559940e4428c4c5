//! Presets: changed, reloaded when their file is, and applied.

use super::Show;
use crate::control::{Source, Write};
use crate::params::{Id, Scope, Target, Value};
use crate::patch::preset::{Preset, PresetError};
use crate::patch::watch::Watch;

impl Show {
    pub(super) fn poll_watch(&mut self) {
        if let Some(reload) = self.watch.as_ref().and_then(Watch::poll)
            && reload.path == self.preset.path
        {
            self.reload_preset(reload.result);
        }
    }

    pub(super) fn step_preset(&mut self, by: isize) {
        match self.library.neighbour(&self.preset, by) {
            Some(preset) => self.take_preset(preset),
            None => self.history.notice("there are no presets to go to".to_owned()),
        }
    }

    pub(super) fn change_preset(&mut self) {
        let preset = self.find_preset(self.params.text(Id::Preset), self.writer_of(Id::Preset));
        self.take_preset(preset);
    }

    pub(super) fn find_preset(&self, name: &str, by: Source) -> Result<Preset, PresetError> {
        let file = if self.is_untrusted(by) { self.library.named(name) } else { self.library.find(name) };
        file.map_err(PresetError::from).and_then(|file| self.library.read(&file))
    }

    pub(super) fn take_preset(&mut self, preset: Result<Preset, PresetError>) {
        match preset {
            Ok(preset) => {
                self.apply_preset(preset);
                self.forget_learned();
            }
            Err(error) => {
                self.history.notice(format!("{}; {} plays on", error.headline(), self.preset.name));
                self.params.set_text(Id::Preset, &self.preset.name);
            }
        }
    }

    /// Every parameter to what the preset says, or its default; smoothed ones glide there.
    pub(super) fn apply_preset(&mut self, preset: Preset) {
        self.params.write_defaults(|def| def.scope != Scope::Stage);
        self.clock.tell_again();
        for id in [Id::StyleNetwork, Id::Input] {
            if !preset.params.iter().any(|(target, _)| target.id == id) {
                self.set(id, Value::Text(String::new()));
            }
        }
        for (target, value) in &preset.params {
            self.write(&Write { target: *target, value: value.clone(), source: Source::Preset });
        }
        self.mapping.set_preset(&preset.midi, &preset.osc);
        if let Some(file) = preset.network.clone() {
            self.load_network(file);
        }
        if let Some(watch) = &self.watch {
            watch.follow(&preset.path);
        }
        self.preset_number = self.library.files().iter().position(|file| *file == preset.path).map(|i| i + 1);
        self.params.set_text(Id::Preset, &preset.name);
        self.preset = preset;
    }

    /// The preset's file was saved: what it says differently from before is applied, the rest stays as played.
    pub(super) fn reload_preset(&mut self, reloaded: Result<Preset, PresetError>) {
        let mut preset = match reloaded {
            Ok(preset) => preset,
            Err(error) => return self.history.notice(format!("{}; the last good version plays on", error.headline())),
        };
        if preset.midi == self.own_entries() {
            // What a stranger has learned plays on.
            preset.midi.clone_from(&self.preset.midi);
        } else {
            self.forget_learned();
        }
        // The show has just written it itself.
        if preset == self.preset {
            return;
        }
        let changed = preset.params.iter().filter(|entry| !self.preset.params.contains(entry));
        let gone = self.preset.params.iter().map(|(target, _)| *target);
        let gone = gone.filter(|target| !preset.params.iter().any(|(kept, _)| kept == target));
        let writes: Vec<(Target, Value)> = gone
            .filter_map(|target| Some((target, target.id.def().default_value()?)))
            .chain(changed.cloned())
            .collect();
        for (target, value) in writes {
            self.write(&Write { target, value, source: Source::Preset });
        }
        self.mapping.set_preset(&preset.midi, &preset.osc);
        if preset.network != self.preset.network
            && let Some(file) = preset.network.clone()
        {
            self.load_network(file);
        }
        self.history.notice(format!("preset {} reloaded", preset.name));
        self.preset = preset;
    }
}
