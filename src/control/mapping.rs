//! The map: MIDI messages and OSC aliases become writes to parameters.
//!
//! A preset's entries lie over a default map, so that any controller plays something at once. A [`Mapping`] keeps
//! what takeover, toggles and 14-bit pairs need to remember; its only inputs are events and the parameters, so a
//! replay makes the same writes. It runs inside the frame, on the show's thread. Keys are in [`super::keys`].

mod control;
mod entry;
mod knob;
mod lay;

pub use control::{Control, ControlSpec, parse_control};
pub use entry::{Fixed, MidiEntry, MidiOptions, Mode, OscEntry, Relative, Takeover};
pub use lay::{CurveName, Lay};

use std::collections::HashMap;

use super::midi::{Kind, Message};
use super::{Event, Source, Write};
use crate::params::{self, Id, Params, Target};
use knob::{Action, Memory};

/// What is wrong with an entry of a map.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum MappingError {
    #[error("\"{text}\" is no control: {reason}; write {}", control::ALLOWED)]
    Control { text: String, reason: String },
    #[error("\"{address}\" is no parameter{}", did_you_mean(.address))]
    Address { address: String },
    #[error("{to} {reason}")]
    Target { to: Target, reason: String },
    #[error("{option} {reason}")]
    Option { option: &'static str, reason: String },
}

fn did_you_mean(address: &str) -> String {
    params::nearest(address).map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default()
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

/// What plays what, and what it has to remember.
#[derive(Clone, Debug)]
pub struct Mapping {
    slots: Vec<Slot>,
    aliases: HashMap<String, OscEntry>,
    waiting: Option<(Target, Turn)>,
}

#[derive(Clone, Debug)]
struct Slot {
    entry: MidiEntry,
    /// Comes from the preset, not from the default map.
    own: bool,
    memory: Memory,
}

impl Slot {
    /// Of several entries that fit, those of the highest rank play: a preset's before the default ones, and those
    /// for one channel before those for any.
    fn rank(&self, message: &Message) -> Option<(bool, bool)> {
        self.entry.control.fits(message).then_some((self.own, self.entry.control.channel.is_some()))
    }
}

impl Default for Mapping {
    /// The default map alone.
    fn default() -> Self {
        Mapping::new(Vec::new(), Vec::new())
    }
}

impl Mapping {
    /// The default map with a preset's entries over it.
    pub fn new(midi: Vec<MidiEntry>, osc: Vec<OscEntry>) -> Self {
        let own = midi.into_iter().map(|entry| Slot { entry, own: true, memory: Memory::default() });
        let default = default_map().map(|entry| Slot { entry, own: false, memory: Memory::default() });
        Mapping {
            slots: own.chain(default).collect(),
            aliases: osc.into_iter().map(|entry| (entry.address.clone(), entry)).collect(),
            waiting: None,
        }
    }

    /// Appends the writes of a MIDI message or an OSC alias; other events make none.
    ///
    /// The writes are to be applied to `params` before the next event: relative knobs go on from there.
    pub fn apply(&mut self, event: &Event, params: &Params, out: &mut Vec<Write>) {
        match event {
            Event::Midi(message) => self.message(message, params, out),
            Event::Unknown { address, value } => {
                if let Some(alias) = self.aliases.get(address.as_str()) {
                    out.push(Write { target: alias.to, value: alias.value(value), source: Source::Osc });
                }
            }
            Event::Write(_) | Event::Key(_) | Event::Notice(_) => {}
        }
    }

    fn message(&mut self, message: &Message, params: &Params, out: &mut Vec<Write>) {
        let Some(rank) = self.slots.iter().filter_map(|slot| slot.rank(message)).max() else { return };
        for slot in self.slots.iter_mut().filter(|slot| slot.rank(message) == Some(rank)) {
            let target = slot.entry.to;
            match slot.memory.act(&slot.entry, message, params) {
                Action::Nothing => {}
                Action::Wait(turn) => self.waiting = Some((target, turn)),
                Action::Write(value) => {
                    self.waiting = self.waiting.filter(|&(waiting, _)| waiting != target);
                    out.push(Write { target, value, source: Source::Midi });
                }
            }
        }
    }

    /// The parameter whose knob was moved last and has not caught it yet, and which way to turn: for the HUD.
    pub fn waiting(&self) -> Option<(Target, Turn)> {
        self.waiting
    }

    /// The entries that play, a preset's own first: for lists of what plays what.
    pub fn entries(&self) -> impl Iterator<Item = &MidiEntry> {
        self.slots.iter().map(|slot| &slot.entry)
    }
}

/// Eight knobs on CC 16 to 23 (nanoKONTROL2, APC40) and on CC 70 to 77, the modulation wheel, eight pads from
/// note 36 on, and program changes; on any channel.
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
    let knobs = Id::all()
        .filter_map(|id| Some((id, id.def().knob?)))
        .flat_map(|(id, n)| [15 + n, 69 + n].map(|controller| MidiEntry::plain(Control::Cc(controller), id.into())));
    let pads = PADS.into_iter().zip(36..).map(|(id, note)| {
        let entry = MidiEntry::plain(Control::Note(note), id.into());
        // The pad of the blackout is held down.
        if id == Id::Blackout { entry.with_mode(Mode::Gate) } else { entry }
    });
    let wheel = MidiEntry::plain(Control::Cc(1), Id::Psi.into());
    let program = MidiEntry::plain(Control::Program, Id::Preset.into());
    knobs.chain(pads).chain([wheel, program])
}

impl ControlSpec {
    fn fits(&self, message: &Message) -> bool {
        let control = match (self.control, message.kind) {
            (Control::Cc(n), Kind::ControlChange { controller, .. }) => controller == n,
            (Control::Cc14(n), Kind::ControlChange { controller, .. }) => controller == n || controller == n + 32,
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
