//! The map: MIDI messages and OSC aliases become writes to parameters.
//!
//! A preset's entries override those of a controller's profile, and these a default map, so that any controller works
//! at once. A [`Mapping`] keeps the state of takeover, toggles and 14-bit pairs; its only inputs are events and the
//! parameters, so a replay makes the same writes. It runs inside the frame, on the show's thread. Keys are in
//! [`super::keys`].

mod control;
mod curve;
mod entry;
mod knob;
pub mod macros;
mod nrpn;

pub use control::{Control, ControlSpec, parse_control};
pub use curve::{CurveName, TravelCurve};
pub use entry::{Fixed, MidiEntry, MidiOptions, Mode, OscEntry, Relative, Takeover};

use std::sync::Arc;

use super::midi::{Kind, Message};
use super::osc::Out;
use super::{Event, Source, Write};
use crate::params::{Id, Params, Table, Target};
use knob::{Action, Memory};
pub use macros::{MacroEntry, MacroTarget, Macros};
pub(super) use nrpn::Numbers;

/// What is wrong with an entry of a map.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MappingError {
    #[error("\"{text}\" is not a control: {reason}; write {}", control::ALLOWED)]
    Control { text: String, reason: String },
    #[error("\"{address}\" is not a parameter{}", hint(*.near))]
    Address { address: String, near: Option<&'static str> },
    #[error("{to} {reason}")]
    Target { to: Target, reason: String },
    #[error("{option} {reason}")]
    Option { option: &'static str, reason: String },
}

/// The nearest address, as the end of an error.
pub fn did_you_mean(address: &str, table: &Table) -> String {
    hint(table.nearest(address))
}

fn hint(near: Option<&str>) -> String {
    near.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default()
}

/// Which way a knob must be turned until it takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Left,
    Right,
}

impl std::fmt::Display for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Turn::Left => "left",
            Turn::Right => "right",
        })
    }
}

/// What controls what, and the state this needs.
#[derive(Clone, Debug)]
pub struct Mapping {
    slots: Vec<Slot>,
    /// Sorted by address. A change makes a new list, so that others can detect it by pointer.
    aliases: Arc<[OscEntry]>,
    /// The receivers that the preset sends OSC to. A change makes a new list, too.
    outs: Arc<[Out]>,
    /// The addresses that live code listens to, sorted. A change makes a new list, too.
    heard: Arc<[String]>,
    /// The version of the table that the targets are of.
    table_version: u64,
    waiting: Option<(Target, Turn, f64)>,
    numbers: Numbers,
    macros: Macros,
    /// The ports whose controller has a profile; the default map ignores them.
    profiled: Vec<u8>,
}

/// Where an entry comes from; later ones override earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    Default,
    Profile,
    Preset,
}

#[derive(Clone, Debug)]
struct Slot {
    entry: MidiEntry,
    layer: Layer,
    /// Matches this port only.
    port: Option<u8>,
    memory: Memory,
}

impl Slot {
    fn new(entry: MidiEntry, layer: Layer, port: Option<u8>) -> Self {
        Slot { entry, layer, port, memory: Memory::default() }
    }

    /// Of several matching entries, those of the highest rank apply: a preset's before a profile's, and those for one
    /// channel before those for any.
    fn rank(&self) -> (Layer, bool) {
        (self.layer, self.entry.control.channel.is_some())
    }

    fn hears(&self, port: u8, profiled: &[u8]) -> bool {
        self.port.is_none_or(|own| own == port) && (self.layer != Layer::Default || !profiled.contains(&port))
    }
}

impl Default for Mapping {
    /// The default map alone.
    fn default() -> Self {
        Mapping {
            slots: default_map().map(|entry| Slot::new(entry, Layer::Default, None)).collect(),
            aliases: Arc::new([]),
            outs: Arc::new([]),
            heard: Arc::new([]),
            table_version: Table::built_in().version(),
            waiting: None,
            numbers: Numbers::default(),
            macros: Macros::default(),
            profiled: Vec::new(),
        }
    }
}

impl Mapping {
    /// The default map, overridden by a preset's entries.
    pub fn new(midi: &[MidiEntry], osc: &[OscEntry]) -> Self {
        let mut mapping = Mapping::default();
        mapping.set_preset(midi, osc);
        mapping
    }

    /// Replaces the last preset's entries. A control whose entry stays the same keeps its state.
    pub fn set_preset(&mut self, midi: &[MidiEntry], osc: &[OscEntry]) {
        let (old, others): (Vec<Slot>, Vec<Slot>) =
            std::mem::take(&mut self.slots).into_iter().partition(|slot| slot.layer == Layer::Preset);
        let known = |entry: &MidiEntry| old.iter().find(|slot| slot.entry == *entry).cloned();
        self.slots = midi
            .iter()
            .map(|entry| known(entry).unwrap_or_else(|| Slot::new(entry.clone(), Layer::Preset, None)))
            .chain(others)
            .collect();
        let mut aliases = osc.to_vec();
        aliases.sort_by(|a, b| a.address.cmp(&b.address));
        if *self.aliases != *aliases {
            self.aliases = aliases.into();
        }
        self.waiting = None;
    }

    /// Replaces the receivers that the last preset sends OSC to.
    pub fn set_outs(&mut self, outs: &[Out]) {
        if *self.outs != *outs {
            self.outs = outs.into();
        }
    }

    /// What the macros move.
    pub fn macros(&self) -> &Macros {
        &self.macros
    }

    pub fn macros_mut(&mut self) -> &mut Macros {
        &mut self.macros
    }

    /// The OSC addresses that live code listens to, sorted.
    pub fn heard(&self) -> &Arc<[String]> {
        &self.heard
    }

    pub fn set_heard(&mut self, mut addresses: Vec<String>) {
        addresses.sort_unstable();
        addresses.dedup();
        self.heard = addresses.into();
    }

    /// The receivers that the preset sends OSC to.
    pub fn outs(&self) -> &Arc<[Out]> {
        &self.outs
    }

    /// The controller at `port` is gone: appends what its held keys write when they are let go, and forgets its knobs.
    pub fn disconnect(&mut self, port: u8, out: &mut Vec<Write>) {
        self.numbers.forget(port);
        for slot in &mut self.slots {
            if let Some(value) = slot.memory.forget(&slot.entry, port) {
                out.push(Write { target: slot.entry.to, value, source: Source::Midi });
            }
        }
    }

    /// Sets the entries of the profile of the controller at `port`; `None` when it has none, or was unplugged.
    pub fn set_profile(&mut self, port: u8, entries: Option<Vec<MidiEntry>>) {
        self.slots.retain(|slot| slot.port != Some(port));
        self.profiled.retain(|&profiled| profiled != port);
        if let Some(entries) = entries {
            self.profiled.push(port);
            self.slots.extend(entries.into_iter().map(|entry| Slot::new(entry, Layer::Profile, Some(port))));
        }
    }

    /// Appends the writes of a MIDI message or an OSC alias; other events make none.
    ///
    /// Apply the writes to `params` before the next event: relative knobs continue from there.
    pub fn apply(&mut self, event: &Event, params: &Params, out: &mut Vec<Write>) {
        self.follow(params.table());
        match event {
            Event::Midi(message) => {
                let numbered = self.numbers.read(message);
                if !numbered.is_some_and(|message| self.message(&message, params, out)) {
                    self.message(message, params, out);
                }
            }
            Event::Unknown { address, value, source } => {
                if let Some(target) = params.table().resolve(address) {
                    // It was added after the message had been read.
                    out.push(Write { target, value: value.clone(), source: *source });
                } else if let Ok(found) = self.aliases.binary_search_by(|alias| alias.address.as_str().cmp(address)) {
                    let alias = &self.aliases[found];
                    out.push(Write { target: alias.to, value: alias.value(value), source: *source });
                }
            }
            Event::Write(_) | Event::Key(_) | Event::Signal { .. } | Event::Notice(_) | Event::MidiPort { .. } => {}
            Event::Session(_) | Event::Timecode(_) | Event::Fault { .. } | Event::Mended { .. } => {}
        }
    }

    /// Other rows than before: what played a row that was edited plays the new one at its address. A row that has gone
    /// keeps its entries, and has them again when it comes back.
    pub fn follow(&mut self, table: &Table) {
        if self.table_version == table.version() {
            return;
        }
        self.table_version = table.version();
        let current = |to: Target| table.current(to.id).map_or(to, |id| Target { id, ..to });
        self.slots.iter_mut().for_each(|slot| slot.entry.to = current(slot.entry.to));
        if self.aliases.iter().any(|alias| current(alias.to) != alias.to) {
            let mut aliases = self.aliases.to_vec();
            aliases.iter_mut().for_each(|alias| alias.to = current(alias.to));
            self.aliases = aliases.into();
        }
    }

    /// Applies the matching entries of the highest rank. False if none matches this message.
    fn message(&mut self, message: &Message, params: &Params, out: &mut Vec<Write>) -> bool {
        let profiled = &self.profiled;
        let fits = |slot: &Slot| slot.hears(message.port, profiled) && slot.entry.control.fits(message);
        let Some(rank) = self.slots.iter().filter(|slot| fits(slot)).map(Slot::rank).max() else { return false };
        for slot in self.slots.iter_mut().filter(|slot| slot.rank() == rank && fits(slot)) {
            let target = slot.entry.to;
            match slot.memory.act(&slot.entry, message, params) {
                Action::Nothing => {}
                Action::Wait(turn, travel) => self.waiting = Some((target, turn, travel)),
                Action::Write(value) => {
                    self.waiting = self.waiting.filter(|&(waiting, ..)| waiting != target);
                    out.push(Write { target, value, source: Source::Midi });
                }
            }
        }
        true
    }

    /// The parameter whose knob moved last but has not picked it up yet, and which way to turn: for the HUD.
    pub fn waiting(&self) -> Option<(Target, Turn)> {
        self.waiting.map(|(target, turn, _)| (target, turn))
    }

    /// That parameter, and where its knob is, in travel 0 to 1.
    pub fn ghost(&self) -> Option<(Target, f64)> {
        self.waiting.map(|(target, _, travel)| (target, travel))
    }

    /// The preset's own OSC addresses, sorted.
    pub fn aliases(&self) -> &Arc<[OscEntry]> {
        &self.aliases
    }

    /// The entry that applies when this control of the controller at `port` moves.
    pub fn playing(&self, port: u8, control: &ControlSpec) -> Option<&MidiEntry> {
        let fits = |slot: &&Slot| slot.hears(port, &self.profiled) && slot.entry.control.covers(control);
        self.slots.iter().filter(fits).max_by_key(|slot| slot.rank()).map(|slot| &slot.entry)
    }

    /// The active entries, a preset's own first, with their layer and the port of a profile: for lists.
    pub fn entries(&self) -> impl Iterator<Item = (&MidiEntry, Layer, Option<u8>)> {
        let mut layers = [Layer::Preset, Layer::Profile, Layer::Default].into_iter();
        std::iter::from_fn(move || layers.next())
            .flat_map(|layer| self.slots.iter().filter(move |slot| slot.layer == layer))
            .map(|slot| (&slot.entry, slot.layer, slot.port))
    }
}

/// Eight knobs on CC 16 to 23 (nanoKONTROL2, APC40) and on CC 70 to 77, the mod wheel, eight pads from note 36, and
/// program changes; on any channel.
fn default_map() -> impl Iterator<Item = MidiEntry> {
    const PADS: [Id; 8] = [
        Id::SeedNext,
        Id::SeedPrev,
        Id::WalkRestart,
        Id::Tap,
        Id::PresetNext,
        Id::PresetPrev,
        Id::Freeze,
        Id::Blackout,
    ];
    let knobs = Table::built_in()
        .ids()
        .filter_map(|id| Some((id, id.def().knob?)))
        .flat_map(|(id, n)| [15 + n, 69 + n].map(|controller| MidiEntry::plain(Control::Cc(controller), id.into())));
    let pads = PADS.into_iter().zip(36..).map(|(id, note)| {
        let entry = MidiEntry::plain(Control::Note(note), id.into());
        // The blackout pad works while held.
        if id == Id::Blackout { entry.with_mode(Mode::Gate) } else { entry }
    });
    let wheel = MidiEntry::plain(Control::Cc(1), Id::Psi.into());
    let program = MidiEntry::plain(Control::Program, Id::Preset.into());
    knobs.chain(pads).chain([wheel, program])
}

impl ControlSpec {
    /// Whether this control sent the message.
    pub fn fits(&self, message: &Message) -> bool {
        let control = match (self.control, message.kind) {
            (Control::Cc(n), Kind::ControlChange { controller, .. }) => controller == n,
            (Control::Cc14(n), Kind::ControlChange { controller, .. }) => controller == n || controller == n + 32,
            (Control::Nrpn(n), Kind::Nrpn { registered, number, .. }) => !registered && number == n,
            (Control::Rpn(n), Kind::Nrpn { registered, number, .. }) => registered && number == n,
            (Control::Note(n), Kind::NoteOn { note, .. } | Kind::NoteOff { note }) => note == n,
            (Control::PolyPressure(n), Kind::PolyPressure { note, .. }) => note == n,
            (Control::Bend, Kind::PitchBend { .. })
            | (Control::Program, Kind::ProgramChange { .. })
            | (Control::Pressure, Kind::ChannelPressure { .. }) => true,
            _ => false,
        };
        control && self.channel.is_none_or(|channel| channel == message.channel)
    }
}

#[cfg(test)]
mod test;
