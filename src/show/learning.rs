//! Learning and saving in a running show: a control that is moved plays the parameter that waits for it.
//!
//! What was learned is part of the playing preset at once and is written into its file aside; `/learn/undo` takes
//! it back in both.

use super::Show;
use crate::control::learn::{Heard, Learn, Moved};
use crate::control::mapping::{Layer, MidiEntry, MidiOptions, Mode};
use crate::control::midi::Message;
use crate::params::{Id, Kind, Target};
use crate::patch::saver::{Job, Saved};

/// How many steps back there are.
const UNDO: usize = 64;

/// What waits for a control, and what was before.
#[derive(Default)]
pub(super) struct Learning {
    session: Option<Session>,
    /// The entries before each thing that was learned.
    undo: Vec<Entries>,
    /// What the preset's file should hold, where strangers have learned: what they did plays and is never saved.
    own: Option<Vec<MidiEntry>>,
    /// The parameter that a player moved last.
    pub moved: Option<Target>,
    /// The last wish to learn or save came by an OSC port that is open to the network: it reaches no file.
    pub from_untrusted: bool,
}

/// The preset's entries: those that play, and those for its file where they are others.
#[derive(Clone)]
struct Entries {
    playing: Vec<MidiEntry>,
    own: Option<Vec<MidiEntry>>,
}

impl Entries {
    /// One more, in the place of those that it takes the control from; `saves` when it is for the file too.
    fn learn(&mut self, entry: &MidiEntry, saves: bool) {
        if !saves && self.own.is_none() {
            self.own = Some(self.playing.clone());
        }
        let own = self.own.as_mut().filter(|_| saves);
        for entries in [Some(&mut self.playing), own].into_iter().flatten() {
            let same_channel = |old: &MidiEntry| old.control.channel == entry.control.channel;
            entries.retain(|old| {
                !(same_channel(old) && (old.control.covers(&entry.control) || entry.control.covers(&old.control)))
            });
            entries.push(entry.clone());
        }
    }
}

struct Session {
    target: Target,
    learn: Learn,
    turn_back: bool,
    saves: bool,
}

/// One line of the list of what plays what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapLine {
    /// `knob 3` where the controller is known, else `ch 1 cc 18`.
    pub control: String,
    /// What it plays.
    pub to: String,
    /// Who says so.
    pub by: String,
}

impl Show {
    /// Whether a control is waited for.
    pub fn is_learning(&self) -> bool {
        self.learning.session.is_some()
    }

    /// Answers `/learn`: waits for a control, or stops waiting when asked again without an address.
    pub(super) fn begin_learning(&mut self) {
        let address = self.params.text(Id::Learn).to_owned();
        if address.is_empty() && self.learning.session.is_some() {
            return self.cancel_learning();
        }
        let table = self.params.table();
        let target = match table.resolve(&address) {
            Some(target) if target.id.def().learnable => target,
            None if address.is_empty() => self.learning.moved.unwrap_or(Id::Psi.into()),
            _ => {
                let hint = table.nearest(&address).filter(|near| *near != address);
                let hint = hint.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
                return self.history.refuse(&format!("no control can play \"{address}\"{hint}"));
            }
        };
        let saves = !self.learning.from_untrusted;
        self.learning.session = Some(Session { target, learn: Learn::default(), turn_back: false, saves });
    }

    pub(super) fn cancel_learning(&mut self) {
        if self.learning.session.take().is_some() {
            self.history.notice("nothing learned".to_owned());
        }
    }

    /// Waits for the parameter `by` places on in the table instead.
    pub(super) fn choose_to_learn(&mut self, by: isize) {
        let Some(session) = &mut self.learning.session else { return };
        let all: Vec<Id> = self.params.table().ids().filter(|id| id.def().learnable).collect();
        let here = all.iter().position(|&id| id == session.target.id).unwrap_or(0) as isize;
        session.target = all[(here + by).rem_euclid(all.len() as isize) as usize].into();
    }

    /// Whether the message is for whoever learns and plays nothing.
    pub(super) fn learn_message(&mut self, message: &Message) -> bool {
        if let Some(session) = &mut self.learning.session {
            session.learn.message(message);
        }
        self.learning.session.is_some()
    }

    pub(super) fn step_learning(&mut self, dt: f64) {
        let Some(session) = &mut self.learning.session else { return };
        match session.learn.step(dt) {
            Heard::Nothing => {}
            Heard::TurnBack => session.turn_back = true,
            Heard::GaveUp => {
                self.learning.session = None;
                self.history.notice("no control was moved: nothing learned".to_owned());
            }
            Heard::Moved(moved) => {
                let (target, saves) = (session.target, session.saves);
                self.learning.session = None;
                self.learned(target, &moved, saves);
            }
        }
    }

    fn learned(&mut self, target: Target, moved: &Moved, saves: bool) {
        let profile = self.controllers.iter().find(|(port, _)| *port == moved.port).map(|(_, profile)| profile);
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
        match MidiEntry::new(&moved.control.to_string(), &options, self.params.table()) {
            Ok(entry) => {
                let mut entries = self.entries();
                entries.learn(&entry, saves);
                self.learning.undo.truncate(UNDO - 1);
                let before = self.set_entries(entries, saves);
                self.learning.undo.push(before);
                self.history.notice(format!("{name} plays {target}; U takes it back"));
            }
            Err(error) => self.history.notice(format!("{name} cannot play {target}: {error}")),
        }
    }

    pub(super) fn undo_learning(&mut self) {
        match self.learning.undo.pop() {
            Some(mut entries) => {
                let saves = !self.learning.from_untrusted;
                if !saves {
                    entries.own = Some(self.own_entries().to_vec());
                }
                let undone = self.set_entries(entries, saves);
                let gone = undone.playing.iter().find(|entry| !self.preset.midi.contains(entry));
                let gone = gone.map(|entry| format!(": {} no longer plays {}", entry.control, entry.to));
                self.history.notice(format!("taken back{}", gone.unwrap_or_default()));
            }
            None => self.history.notice("nothing was learned in this preset".to_owned()),
        }
    }

    /// Another preset plays: its map is its own.
    pub(super) fn forget_learned(&mut self) {
        self.learning.undo.clear();
        self.learning.own = None;
    }

    fn entries(&self) -> Entries {
        Entries { playing: self.preset.midi.clone(), own: self.learning.own.clone() }
    }

    /// The entries that belong in the preset's file.
    pub(super) fn own_entries(&self) -> &[MidiEntry] {
        self.learning.own.as_ref().unwrap_or(&self.preset.midi)
    }

    /// The preset's controllers from now on, in its file too when `saves`; what they were before.
    fn set_entries(&mut self, entries: Entries, saves: bool) -> Entries {
        let before = self.entries();
        (self.preset.midi, self.learning.own) = (entries.playing, entries.own);
        self.mapping.set_preset(&self.preset.midi, &self.preset.osc);
        if saves && !self.preset.path.as_os_str().is_empty() {
            let midi = Some(self.own_entries().to_vec());
            let (table, path) = (self.params.table().clone(), self.preset.path.clone());
            self.save(Job { table, path, from: None, params: None, network: None, midi });
        }
        before
    }

    /// Answers `/preset/save`: into the playing preset, or as a new one of this name beside it.
    pub(super) fn save_preset(&mut self) {
        let name = self.params.text(Id::PresetSave).trim().to_owned();
        if self.learning.from_untrusted {
            return self.history.notice("presets are saved by keys, MIDI and OSC of this machine alone".to_owned());
        }
        let (path, from) = if name.is_empty() || name == self.preset.name {
            (self.preset.path.clone(), None)
        } else if name.contains(['/', '\\', ':']) || name.starts_with('.') || name.chars().any(char::is_control) {
            return self.history.notice(format!("\"{name}\" is no name for a preset: write it without / and .toml"));
        } else {
            let path = self.library.folder().join(format!("{name}.toml"));
            // Some file systems take Dawn.toml and dawn.toml for one file.
            let lower = name.to_lowercase();
            match self.library.names().into_iter().find(|known| known.to_lowercase() == lower) {
                Some(known) if known == name => {
                    return self.history.notice(format!("there is a preset {name} already: load it and save it there"));
                }
                Some(known) => {
                    return self.history.notice(format!(
                        "{name} is not saved: there is a preset {known}, whose file {known}.toml would be overwritten where \
                         large and small letters count as one"
                    ));
                }
                None => {}
            }
            (path, Some(self.preset.path.clone()))
        };
        self.save(Job {
            table: self.params.table().clone(),
            path,
            from,
            params: Some(Box::new(self.params.clone())),
            network: Some(self.network.path.clone()),
            midi: Some(self.own_entries().to_vec()),
        });
    }

    fn save(&mut self, job: Job) {
        match &mut self.saver {
            Some(saver) => {
                if !saver.save(job) {
                    self.history.notice("the disk is slow: save that once more".to_owned());
                }
            }
            None => {
                let saved = job.run();
                self.saved(saved);
            }
        }
    }

    pub(super) fn poll_saver(&mut self) {
        while let Some(saved) = self.saver.as_mut().and_then(|saver| saver.poll()) {
            self.saved(saved);
        }
    }

    fn saved(&mut self, saved: Saved) {
        let preset = match saved.result {
            Ok(preset) => preset,
            Err(error) if saved.whole => return self.history.notice(error.to_string()),
            Err(error) => return self.history.notice(format!("{error}; what was learned plays all the same")),
        };
        if saved.whole {
            self.history.notice(format!("saved {}", preset.path.display()));
        }
        let is_playing = preset.path == self.preset.path;
        // What was learned while the disk was busy is still on its way there.
        let is_newest = self.saver.as_ref().is_none_or(|saver| !saver.is_busy());
        if is_playing && is_newest || saved.from.as_ref() == Some(&self.preset.path) {
            if let Some(watch) = &self.watch
                && !is_playing
            {
                watch.follow(&preset.path);
            }
            // What a stranger has learned plays on; the file knows nothing of it.
            let playing = std::mem::take(&mut self.preset.midi);
            self.preset = preset;
            if self.learning.own.is_some() {
                self.learning.own = Some(std::mem::replace(&mut self.preset.midi, playing));
            }
            self.mapping.set_preset(&self.preset.midi, &self.preset.osc);
        }
    }

    /// What plays what: the preset's controllers first, then those of the controllers that are connected, then the
    /// default map when a controller without profile is there.
    pub fn map(&self) -> Vec<MapLine> {
        let line = |(entry, layer, port): (&MidiEntry, Layer, Option<u8>)| {
            let profile = |port: &u8| self.controllers.iter().find(|(p, _)| p == port).map(|(_, profile)| profile);
            let (control, by) = match port.as_ref().and_then(profile) {
                Some(profile) => {
                    let known = profile.control(&entry.control).map(|control| control.name.clone());
                    (known.unwrap_or_else(|| entry.control.to_string()), profile.name.clone())
                }
                None => {
                    let known = self.controllers.iter().find_map(|(_, profile)| profile.control(&entry.control));
                    let spec = entry.control.to_string();
                    let control = known.map_or(spec.clone(), |control| format!("{spec} ({})", control.name));
                    (control, if layer == Layer::Preset { "preset" } else { "any" }.to_owned())
                }
            };
            MapLine { control, to: entry.plays(), by }
        };
        self.mapping.entries().map(line).collect()
    }

    /// The line that says what is waited for.
    pub(super) fn learning_line(&self) -> Option<String> {
        let session = self.learning.session.as_ref()?;
        Some(if session.turn_back {
            format!("learn {}: now turn it the other way", session.target)
        } else {
            format!("learn {}: move a control (up, down: another parameter; L: stop)", session.target)
        })
    }
}
