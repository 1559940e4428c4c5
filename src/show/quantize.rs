//! Changes that wait for the beat: presets, seeds and networks, while `/quantize` is above 0.
//!
//! What is asked for is kept in order and done on the next multiple of so many beats; networks are loaded
//! meanwhile, so that they are ready. Time is the show's beat alone, whoever sets the tempo.

use std::path::{Path, PathBuf};

use super::Show;
use super::loader::{Done, Loaded, Wish};
use crate::control::{Source, Write};
use crate::params::{Id, Kind, Target, Value};
use crate::patch::preset::Preset;

/// How many changes wait at most.
const HELD: usize = 64;

/// What waits for the beat.
#[derive(Default)]
pub(super) struct Held {
    writes: Vec<Write>,
    /// Being loaded for then.
    wished: Vec<PathBuf>,
    /// Loaded for then.
    ready: Vec<Loaded>,
    /// The beat of the last frame.
    beat: f64,
}

/// The file of a network; pictures wait for no beat.
fn file(loaded: &Loaded) -> Option<&Path> {
    match loaded {
        Loaded::Network { network, .. } => Some(&network.path),
        Loaded::Style { file, .. } => Some(file),
        Loaded::Input { .. } => None,
    }
}

impl Show {
    /// Whether the write has to wait; then it is kept.
    pub(super) fn hold(&mut self, write: &Write) -> bool {
        let id = write.target.id;
        if write.source == Source::Preset || self.params.base(Id::Quantize) <= 0.0 || !id.def().quantized {
            return false;
        }
        let is_trigger = id.def().kind == Kind::Trigger;
        if is_trigger && write.value.as_bool() == Some(false) {
            return true;
        }
        // Of two presets the later one is meant; of two steps both are.
        if !is_trigger {
            self.held.writes.retain(|held| held.target != write.target);
        }
        if self.held.writes.len() < HELD {
            self.held.writes.push(write.clone());
            self.prepare(write);
        }
        true
    }

    /// Loads what the change will need.
    fn prepare(&mut self, write: &Write) {
        let (id, value) = (write.target.id, &write.value);
        let Value::Text(name) = value else {
            let preset = match (id, value) {
                (Id::PresetNext, _) => self.library.neighbour(&self.preset, 1).and_then(Result::ok),
                (Id::PresetPrev, _) => self.library.neighbour(&self.preset, -1).and_then(Result::ok),
                (Id::Preset, Value::Int(number)) => self.find_preset(&number.to_string(), write.source).ok(),
                _ => None,
            };
            return self.prepare_preset(preset);
        };
        match id {
            Id::Network => self.wish_for_later(self.find_network(name, write.source).ok().map(Wish::Network)),
            Id::StyleNetwork => {
                let file = self.find_network(name, write.source).ok();
                self.wish_for_later(file.map(|file| self.style_wish(file)));
            }
            Id::Preset => self.prepare_preset(self.find_preset(name, write.source).ok()),
            _ => {}
        }
    }

    /// A preset that cannot be played is told of on the beat.
    fn prepare_preset(&mut self, preset: Option<Preset>) {
        let Some(preset) = preset else { return };
        let style = Target::from(Id::StyleNetwork);
        let style = preset.params.iter().find(|(target, _)| *target == style).map(|(_, value)| value);
        if let Some(Value::Text(name)) = style {
            self.wish_for_later(self.find_network(name, Source::Preset).ok().map(|file| self.style_wish(file)));
        }
        self.wish_for_later(preset.network.map(Wish::Network));
    }

    fn wish_for_later(&mut self, wish: Option<Wish>) {
        let Some(wish) = wish else { return };
        let path = wish.file();
        let plays = path == self.network.path || self.style_file.as_deref() == Some(path);
        let is_ready = self.held.ready.iter().any(|loaded| file(loaded) == Some(path));
        let known = is_ready || self.held.wished.iter().any(|file| file == path);
        if !plays && !known {
            self.held.wished.push(path.to_owned());
            self.load(wish);
        }
    }

    /// A wish was worked on: what was loaded is played at once, unless it is for later.
    pub(super) fn done(&mut self, done: Done) {
        let Done { wish, result, passed } = done;
        // What was passed over is wished for again on its beat.
        let passed = |path: &PathBuf| path != wish.file() && passed.iter().any(|wish| wish.file() == path);
        self.held.wished.retain(|path| !passed(path));
        let waited = self.held.wished.len();
        self.held.wished.retain(|path| path != wish.file());
        match result {
            Ok(loaded) if self.held.wished.len() < waited => self.held.ready.push(loaded),
            Ok(loaded) => self.take_up(loaded),
            Err(error) => self.failed(&wish, &error),
        }
    }

    /// Whether the wish is fulfilled already, or soon will be, by what was loaded for the beat.
    pub(super) fn take_ready(&mut self, wish: &Wish) -> bool {
        if let Some(i) = self.held.ready.iter().position(|loaded| file(loaded) == Some(wish.file())) {
            let loaded = self.held.ready.swap_remove(i);
            self.take_up(loaded);
            return true;
        }
        let wished = self.held.wished.iter().position(|path| path == wish.file());
        wished.map(|i| self.held.wished.swap_remove(i)).is_some()
    }

    /// Whether a beat has come on which changes are done. `/quantize` of 0 is any time.
    fn beat_came(&mut self) -> bool {
        let beat = self.clock.beat();
        let last = std::mem::replace(&mut self.held.beat, beat);
        let beats = self.params.base(Id::Quantize);
        // Another clock's start goes back to the first beat.
        beats <= 0.0 || beat < last || (beat / beats).floor() != (last / beats).floor()
    }

    /// Does what waited, when its beat has come.
    pub(super) fn release(&mut self) {
        if !self.beat_came() || self.held.writes.is_empty() {
            return;
        }
        let mut answered = self.params.fired().len();
        for write in std::mem::take(&mut self.held.writes) {
            self.write_now(&write);
            answered = self.answer_triggers(answered);
        }
        // What was loaded for a wish that another one replaced.
        self.held.ready.clear();
        self.held.wished.clear();
    }

    /// Forgets what waits.
    pub(super) fn forget_held(&mut self) {
        self.held.writes.clear();
        self.held.ready.clear();
        self.held.wished.clear();
    }

    /// What waits, and for how many beats still: for the HUD.
    pub(super) fn pending(&self) -> Option<String> {
        let beats = self.params.base(Id::Quantize);
        let last = self.held.writes.last().filter(|_| beats > 0.0)?;
        let value = if last.value == Value::Nothing { String::new() } else { format!(" {}", last.value) };
        let more = match self.held.writes.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        let left = beats - self.clock.beat().rem_euclid(beats);
        Some(format!("{}{value}{more} in {left:.1} beats", last.target))
    }
}
