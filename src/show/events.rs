//! What an event does: writes to parameters, triggers, ports that come and go.

use std::path::PathBuf;

use super::Show;
use crate::control::mapping::did_you_mean;
use crate::control::{Event, Source, Write, keys};
use crate::params::{Id, Kind, Remote, Value, Written};
use crate::patch::locate::{self, LocateError};

impl Show {
    pub(super) fn take(&mut self, event: &Event) {
        match event {
            Event::Write(write) => self.write(&write.clone()),
            Event::MidiPort { port, name, open } => self.connect_port(*port, name, *open),
            Event::Midi(message) if self.is_learning() => {
                self.clock.midi(message, &mut self.writes);
                self.learn_message(message);
                for write in std::mem::take(&mut self.writes) {
                    self.write(&write);
                }
            }
            Event::Key(keys::Key::Up) if self.is_learning() => self.choose_to_learn(-1),
            Event::Key(keys::Key::Down) if self.is_learning() => self.choose_to_learn(1),
            Event::Notice(line) => self.history.notice(line.clone()),
            Event::Midi(_) | Event::Key(_) | Event::Unknown { .. } => {
                let mut writes = std::mem::take(&mut self.writes);
                match event {
                    Event::Midi(message) => {
                        self.clock.midi(message, &mut writes);
                    }
                    Event::Key(key) => keys::writes(*key, &self.params, &mut writes),
                    _ => {}
                }
                self.mapping.apply(event, &self.params, &mut writes);
                for write in &writes {
                    self.write(write);
                }
                if writes.is_empty()
                    && let Event::Unknown { address, .. } = event
                {
                    self.history
                        .refuse_with(&format!("no parameter {address}"), || did_you_mean(address, self.params.table()));
                }
                writes.clear();
                self.writes = writes;
            }
        }
    }

    pub(super) fn connect_port(&mut self, port: u8, name: &str, open: bool) {
        let profile = self.devices.profiles.of_port(name).filter(|_| open).cloned();
        self.mapping.set_profile(port, profile.as_ref().map(|profile| profile.entries()));
        self.controllers.retain(|(known, _)| *known != port);
        self.controllers.extend(profile.map(|profile| (port, profile)));
    }

    pub(super) fn write(&mut self, write: &Write) {
        if !self.is_repeated(write) && !self.hold(write) {
            self.write_now(write);
        }
    }

    pub(super) fn write_now(&mut self, write: &Write) {
        let (id, def) = (write.target.id, write.target.id.def());
        if matches!(def.kind, Kind::Text { .. }) {
            self.text_by.insert(id, write.source);
        }
        match def.remote {
            Remote::Refused if self.is_untrusted(write.source) => {
                return self
                    .history
                    .refuse(&format!("{} is for keys, MIDI and OSC of this machine alone", write.target));
            }
            Remote::NoFiles => self.learning.from_untrusted = self.is_untrusted(write.source),
            Remote::Allowed | Remote::Refused => {}
        }
        if write.source != Source::Preset && def.learnable {
            self.learning.moved = Some(write.target);
        }
        match self.params.write(write.target, &write.value) {
            Ok(Written::Unchanged) => {}
            Ok(_) if write.source == Source::Preset => {}
            Ok(_) => self.history.message(write),
            Err(error) => self.history.refuse(&error.to_string()),
        }
    }

    /// Some senders repeat everything that they hold 60 times a second (TouchDesigner's "Every Cook"): the same number or
    /// name for a trigger or a text, without a pause, is one wish. A message without a value always counts.
    pub(super) fn is_repeated(&mut self, write: &Write) -> bool {
        /// Longer than a frame of a slow sender, shorter than a sixteenth of a fast bar.
        const PAUSE_SECS: f64 = 0.1;
        let fires = matches!(write.target.id.def().kind, Kind::Text { .. } | Kind::Trigger);
        let is_remote = matches!(write.source, Source::Osc | Source::Web);
        if !fires || !is_remote || write.value == Value::Nothing {
            return false;
        }
        let now = (self.uptime_secs, write.value.clone());
        let last = self.repeats.insert(write.target, now);
        last.is_some_and(|(at, value)| value == write.value && self.uptime_secs - at < PAUSE_SECS)
    }

    /// Who may open and write no files: browsers, and everybody over OSC while the port is open to the network.
    pub(super) fn is_untrusted(&self, source: Source) -> bool {
        source == Source::Web || (self.names_only && source == Source::Osc)
    }

    /// Does what triggers and texts written since the `from`th of this frame ask for; gives how many there are now.
    pub(super) fn answer_triggers(&mut self, from: usize) -> usize {
        // A preset that is loaded here may itself name a style network: so the list can grow while it is read.
        let mut answered = from;
        while let Some(&id) = self.params.fired().get(answered) {
            answered += 1;
            let seed = self.params.base(Id::Seed);
            match id {
                Id::SeedNext => self.set(Id::Seed, Value::Float((seed + 1.0) % 4_294_967_296.0)),
                Id::SeedPrev => self.set(Id::Seed, Value::Float((seed - 1.0).rem_euclid(4_294_967_296.0))),
                Id::WalkRestart => self.walk.restart(),
                Id::Tap => {
                    if let Some(bpm) = self.clock.tap() {
                        self.set(Id::Tempo, Value::Float(bpm));
                    }
                }
                Id::Panic => {
                    self.params.clear_modulation();
                    self.forget_held();
                    self.params.write_defaults(|_| true);
                    self.apply_preset(self.preset.clone());
                    self.history.notice(format!("back to the preset {}", self.preset.name));
                }
                Id::StyleNetwork => self.wish_style(),
                Id::Network => self.wish_network(),
                Id::Input => self.go_to_input(),
                Id::InputNext => self.leaf(1),
                Id::InputPrev => self.leaf(-1),
                Id::Preset => self.change_preset(),
                Id::PresetNext => self.step_preset(1),
                Id::PresetPrev => self.step_preset(-1),
                Id::PresetSave => self.save_preset(),
                Id::Learn => self.begin_learning(),
                Id::LearnCancel => self.cancel_learning(),
                Id::LearnUndo => self.undo_learning(),
                _ => {}
            }
        }
        answered
    }

    pub(super) fn set(&mut self, id: Id, value: Value) {
        self.write(&Write { target: id.into(), value, source: Source::Preset });
    }

    /// The file of a network that an event names. While the OSC port is open to the network, only names of the
    /// library are taken over OSC, never paths.
    pub(super) fn find_network(&self, name: &str, by: Source) -> Result<PathBuf, LocateError> {
        if self.is_untrusted(by) { locate::network_in(self.library.folder(), name) } else { self.library.network(name) }
    }

    /// Who wrote a text last.
    pub(super) fn writer_of(&self, id: Id) -> Source {
        self.text_by.get(&id).copied().unwrap_or(Source::Preset)
    }
}
