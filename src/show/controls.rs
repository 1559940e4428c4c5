//! Controls: turns events into writes. Mapping, learning, repeats, holding until the beat, and permissions.
//!
//! Runs inside the frame, on the show's thread. It changes no parameter itself, but says what to write, so that a show is a
//! function of its events.

mod held;
mod learning;
mod repeats;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use super::loads::Named;
use super::status::{About, Status};
use crate::control::clock::Clock;
use crate::control::mapping::{Layer, MacroEntry, Macros, Mapping, MidiEntry, OscEntry};
use crate::control::midi::{Profile, Profiles};
use crate::control::osc::Out;
use crate::control::{Event, Source, Write, keys};
use crate::params::{Id, Kind, Params, Remote, Table, Target};
use held::Held;
pub use held::{HELD, Verdict};
use learning::Learning;
pub use learning::Taught;
use repeats::Repeats;

/// One line of the list of mappings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapLine {
    /// `knob 3` if the controller is known, otherwise `ch 1 cc 18`.
    pub control: String,
    /// Its target.
    pub to: String,
    /// Where the mapping comes from.
    pub by: String,
    /// The control as `/learn/forget` takes it, if the preset has the mapping.
    pub removable: Option<String>,
}

/// Everything between events and writes.
#[derive(Default)]
pub struct Controls {
    mapping: Mapping,
    learning: Learning,
    held: Held,
    clock: Clock,
    repeats: Repeats,
    keys: keys::Keys,
    /// The known controllers.
    profiles: Arc<Profiles>,
    /// The open ports whose controllers have a profile.
    controllers: Vec<(u8, Arc<Profile>)>,
    /// Who wrote each string last.
    text_by: HashMap<Id, Source>,
    /// A take follows the timecode, and tells about it.
    is_chasing: bool,
    /// OSC is open to the network, so it may only name what is in the library, not paths.
    names_only: bool,
}

impl Controls {
    pub fn set_profiles(&mut self, profiles: Arc<Profiles>) {
        self.profiles = profiles;
    }

    /// Whether OSC may only select presets and networks by name, not by path.
    pub fn set_names_only(&mut self, names_only: bool) {
        self.names_only = names_only;
    }

    pub fn profiles(&self) -> &Arc<Profiles> {
        &self.profiles
    }

    /// See [`Controls::set_names_only`].
    pub fn names_only(&self) -> bool {
        self.names_only
    }

    /// Takes over the controllers that are open.
    pub fn take_ports(&mut self, other: &mut Controls) {
        self.controllers = std::mem::take(&mut other.controllers);
    }

    pub fn mapping(&self) -> &Mapping {
        &self.mapping
    }

    pub fn macros_mut(&mut self) -> &mut Macros {
        self.mapping.macros_mut()
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What keys do.
    pub fn keys(&self) -> &keys::Keys {
        &self.keys
    }

    /// Plays these keys of the player's own from now on.
    pub fn set_own_keys(&mut self, own: Arc<[keys::OwnBinding]>) {
        self.keys.set_own(own);
    }

    /// Follows a change of the table: mappings of an edited row play the new row at its address.
    pub fn follow(&mut self, table: &Table) {
        self.mapping.follow(table);
    }

    /// Does what a trigger of the tempo says, at `bpm` beats per minute; returns the new tempo if that is the show's own.
    pub fn play_tempo(&mut self, id: Id, bpm: f64) -> Option<f64> {
        match id {
            Id::Tap => {
                let bpm = self.clock.tap();
                if bpm.is_some() {
                    self.clock.set_by_hand();
                }
                return bpm;
            }
            Id::TempoHalf => return self.clock.scale(0.5, bpm),
            Id::TempoDouble => return self.clock.scale(2.0, bpm),
            Id::TempoEarlier => self.clock.nudge(1.0),
            Id::TempoLater => self.clock.nudge(-1.0),
            Id::TempoBar => self.clock.begin_bar(),
            _ => {}
        }
        None
    }

    /// What others who share the tempo should play, if a hand has set it to `bpm` here in this frame.
    pub fn take_new_tempo(&mut self, bpm: f64) -> Option<f64> {
        self.clock.take_new_tempo(bpm)
    }

    /// From now on a take follows the timecode, and tells about it.
    pub fn set_chasing(&mut self) {
        self.is_chasing = true;
    }

    /// Sets the current preset's mappings, aliases and receivers.
    pub fn set_map(&mut self, midi: &[MidiEntry], osc: &[OscEntry], outs: &[Out]) {
        self.mapping.set_preset(midi, osc);
        self.mapping.set_outs(outs);
    }

    /// Sets the OSC addresses that live code listens to.
    pub fn set_heard(&mut self, addresses: Vec<String>) {
        self.mapping.set_heard(addresses);
    }

    /// A different preset is playing: a clock that leads reports its tempo again.
    pub fn repeat_tempo(&mut self) {
        self.clock.tell_again();
    }

    /// Appends what an event writes. Apply it before the next event, as relative knobs continue from there.
    /// An unknown address is refused unless something else `is_heard` by it.
    pub fn hear(
        &mut self,
        event: &Event,
        is_heard: bool,
        params: &Params,
        status: &mut Status,
        writes: &mut Vec<Write>,
    ) {
        match event {
            Event::Write(write) => writes.push(write.clone()),
            Event::MidiPort { port, name, open } => {
                if !open {
                    self.mapping.disconnect(*port, writes);
                }
                self.connect_port(*port, name, *open);
            }
            Event::Notice(line) => status.notice(line.clone()),
            Event::Fault { of, line } => status.error(About::Device(of.clone()), line.clone()),
            Event::Mended { of } => status.mended(About::Device(of.clone())),
            // A value without a target: modulation follows it, and the tempo what is heard.
            Event::Signal { id, value } => self.clock.signal(*id, *value, writes),
            Event::Session(session) => self.clock.session(*session, writes),
            Event::Timecode(stamp) => self.clock.timecode(*stamp),
            Event::Key(key) if self.learning.hears_sound() => {
                self.learning.choose_sound(*key, params, status, writes);
            }
            Event::Midi(message) if self.learning.is_waiting() => {
                self.clock.midi(message, writes);
                self.learning.message(message);
            }
            Event::Key(keys::Key::Up) if self.learning.is_waiting() => self.learning.choose(-1, params.table()),
            Event::Key(keys::Key::Down) if self.learning.is_waiting() => self.learning.choose(1, params.table()),
            Event::Midi(message) => {
                self.clock.midi(message, writes);
                self.mapping.apply(event, params, writes);
            }
            Event::Key(key) => {
                if let Err(line) = self.keys.press(*key, params, writes) {
                    status.refuse(&format!("the key {key}: {line}"));
                }
            }
            Event::Unknown { address, .. } => {
                self.mapping.apply(event, params, writes);
                if is_heard {
                    return;
                }
                if let Some(signal) = address.strip_prefix("/signal/").filter(|_| writes.is_empty()) {
                    status.refuse(&format!("no modulator follows the signal {signal}"));
                } else if writes.is_empty() {
                    // The nearest one is not searched here: the devices do that, outside the frame.
                    status.refuse(&format!("no parameter {address}"));
                }
            }
        }
    }

    fn connect_port(&mut self, port: u8, name: &str, open: bool) {
        let profile = self.profiles.of_port(name).filter(|_| open).cloned();
        self.mapping.set_profile(port, profile.as_ref().map(|profile| profile.entries()));
        self.controllers.retain(|(known, _)| *known != port);
        self.controllers.extend(profile.map(|profile| (port, profile)));
    }

    /// Whether to do a write now, hold it until the beat, or ignore it as a repeat.
    pub fn judge(&mut self, write: &Write, params: &Params) -> Verdict {
        if self.repeats.is_repeated(write) { Verdict::Drop } else { self.held.judge(write, params) }
    }

    /// Whether to ignore a write as a repeat; something else holds it.
    pub fn judge_repeats(&mut self, write: &Write) -> Verdict {
        if self.repeats.is_repeated(write) { Verdict::Drop } else { Verdict::Write }
    }

    /// Notes a write that is about to be done.
    ///
    /// # Errors
    /// With a message if its source is not allowed to.
    pub fn note(&mut self, write: &Write) -> Result<(), String> {
        let (id, def) = (write.target.id, write.target.id.def());
        let is_untrusted = self.is_untrusted(write.source);
        let is_refused = match def.remote {
            Remote::Refused => is_untrusted,
            Remote::Local => is_untrusted && write.source != Source::LocalWeb,
            Remote::Allowed | Remote::NoFiles => false,
        };
        if is_refused {
            return Err(format!("{} can only be written from this machine (keys, MIDI or OSC)", write.target));
        }
        if matches!(def.kind, Kind::Text { .. }) {
            self.text_by.insert(id, write.source);
        }
        let is_hand = !matches!(write.source, Source::Preset | Source::Session | Source::Audio);
        if id == Id::Tempo && is_hand {
            self.clock.set_by_hand();
        }
        // A page on this machine may save presets by name, as it may record and evaluate code. Code may not: a preset's would
        // whenever the preset is rendered, or its thumbnail is drawn.
        let is_trusted = !is_untrusted || write.source == Source::LocalWeb;
        self.learning.note(write, is_trusted && write.source != Source::Script);
        Ok(())
    }

    /// Browsers, and OSC while the port is open to the network: they may not open or write files.
    fn is_untrusted(&self, source: Source) -> bool {
        matches!(source, Source::Web | Source::LocalWeb) || (self.names_only && source == Source::Osc)
    }

    /// A name as `by` wrote it.
    pub fn named(&self, name: &str, by: Source, base: &Path) -> Named {
        Named { name: name.to_owned(), may_be_path: !self.is_untrusted(by), base: base.to_owned() }
    }

    /// What a string parameter names, within the permissions of its last writer.
    pub fn named_by(&self, id: Id, params: &Params, base: &Path) -> Named {
        let by = self.text_by.get(&id).copied().unwrap_or(Source::Preset);
        self.named(params.text(id), by, base)
    }

    /// Advances the frame's time: the beat, and MIDI learn. Returns what has been learned.
    pub fn step(&mut self, dt: f64, params: &Params, status: &mut Status) -> Option<Taught> {
        self.repeats.step(dt);
        self.clock.step(dt, params.get(Id::Tempo), params.get_choice(Id::TempoSource));
        if let Some(line) = self.clock.timecode_mut().take_line().filter(|_| !self.is_chasing) {
            status.notice(line);
        }
        self.learning.step(dt, &self.controllers, params.table(), status)
    }

    /// The writes whose beat has arrived.
    pub fn release(&mut self, params: &Params) -> Vec<Write> {
        self.held.release(self.clock.beat(), params.base(Id::Quantize))
    }

    /// Whether nothing is waiting for its beat.
    pub fn holds_nothing(&self) -> bool {
        self.held.is_empty()
    }

    /// Drops what is waiting for its beat.
    pub fn forget_held(&mut self) {
        self.held.forget();
    }

    /// What is waiting, and for how many more beats: for the HUD.
    pub fn pending(&self, params: &Params) -> Option<String> {
        self.held.line(self.clock.beat(), params.base(Id::Quantize))
    }

    /// The changes that wait for the beat.
    pub fn waiting(&self) -> &[Write] {
        self.held.writes()
    }

    /// Handles `/learn`: waits for a control, or stops waiting if called again without an address.
    pub fn learn(&mut self, params: &Params, status: &mut Status) {
        self.learning.begin(params.text(Id::Learn), params.table(), status);
    }

    /// Handles `/learn/audio`: waits for the number of a sound, or stops waiting.
    pub fn learn_audio(&mut self, params: &Params, status: &mut Status) {
        self.learning.begin_audio(params.table(), status);
    }

    pub fn cancel_learning(&mut self, status: &mut Status) {
        self.learning.cancel(status);
    }

    /// Whether MIDI learn is waiting for a control.
    pub fn is_learning(&self) -> bool {
        self.learning.is_waiting()
    }

    /// The parameter that waits for a control.
    pub fn learns(&self) -> Option<Target> {
        self.learning.waits_for()
    }

    /// Whether the last client that asked to learn or to save may write files.
    pub fn may_save(&self) -> bool {
        self.learning.may_save()
    }

    /// The HUD's line about MIDI learn.
    pub fn learning_line(&self) -> Option<String> {
        self.learning.line()
    }

    /// The knob that must be turned further until it takes over: for the HUD.
    pub fn takeover_line(&self) -> Option<String> {
        let (target, turn): (Target, _) = self.mapping.waiting()?;
        Some(format!("{target} waits for its knob: turn it {turn}"))
    }

    /// The active mappings: the preset's macros and mappings first, then those of connected controllers, then the default map if a controller
    /// without a profile is connected.
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
            let removable = (layer == Layer::Preset).then(|| entry.control.to_string());
            MapLine { control, to: entry.plays(), by, removable }
        };
        let listed = |entry: &MacroEntry| {
            let to: Vec<String> = entry.to.iter().map(|to| to.target.to_string()).collect();
            let control = format!("macro {} {}", entry.number + 1, entry.name);
            MapLine { control, to: to.join(" "), by: "preset".to_owned(), removable: None }
        };
        let alias = |entry: &OscEntry| MapLine {
            control: entry.address.clone(),
            to: entry.to.to_string(),
            by: "preset".to_owned(),
            removable: None,
        };
        let macros = self.mapping.macros().own().map(listed);
        macros.chain(self.mapping.entries().map(line)).chain(self.mapping.aliases().iter().map(alias)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::midi::parse;
    use crate::params::Value;

    fn heard(controls: &mut Controls, params: &Params, status: &mut Status, event: &Event) -> Vec<Write> {
        let mut writes = Vec::new();
        controls.hear(event, false, params, status, &mut writes);
        writes
    }

    #[test]
    fn events_become_writes_and_nonsense_a_line() {
        let (mut controls, params, mut status) = (Controls::default(), Params::default(), Status::default());
        let wheel = Event::Midi(parse(&[0xb0, 1, 127], 0, 0).unwrap());
        // The first move of a knob far from the value waits for pickup; either way nothing is refused.
        heard(&mut controls, &params, &mut status, &wheel);
        let writes = heard(&mut controls, &params, &mut status, &Event::Key(keys::Key::Char('n')));
        assert_eq!(writes.first().map(|write| write.target), Some(Id::SeedNext.into()));
        let unknown = Event::Unknown { address: "/psy".to_owned(), value: Value::Nothing, source: Source::Osc };
        assert!(heard(&mut controls, &params, &mut status, &unknown).is_empty());
        assert_eq!(status.line(), Some("no parameter /psy"));
        let signal = Event::Unknown { address: "/signal/a.b".into(), value: Value::Nothing, source: Source::Osc };
        assert!(heard(&mut controls, &params, &mut status, &signal).is_empty());
        assert_eq!(status.line(), Some("no modulator follows the signal a.b"));
    }

    #[test]
    fn untrusted_clients_give_names_and_no_paths() {
        let mut controls = Controls::default();
        let may = |controls: &Controls, source| controls.named("a", source, Path::new("")).may_be_path;
        assert_eq!([Source::Osc, Source::Web, Source::Key].map(|source| may(&controls, source)), [true, false, true]);
        controls.set_names_only(true);
        assert_eq!([Source::Osc, Source::Midi].map(|source| may(&controls, source)), [false, true]);
        let write = Write { target: Id::Network.into(), value: Value::Text("a".into()), source: Source::Osc };
        controls.note(&write).unwrap();
        assert!(!controls.named_by(Id::Network, &Params::default(), Path::new("")).may_be_path);
        assert!(controls.named_by(Id::Preset, &Params::default(), Path::new("")).may_be_path, "not written by anyone");
    }
}
