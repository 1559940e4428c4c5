//! The machine of a show with live code: translates between events and what patches hear.

use crate::control::mapping::{MidiEntry, MidiOptions, OscEntry};
use crate::control::{Event, midi};
use crate::latent::seed::z_from_seed;
use crate::modulate::expr::Frame;
use crate::modulate::{SignalId, Signals, Time};
use crate::params::{Params, Table, Target, Value};
pub use crate::patch::script::style_number;
use crate::patch::script::{Chunk, Heard, Mapped, Script};

/// A machine with patches.
pub struct Machine {
    script: Script,
    /// The version of the mappings and addresses that the show has.
    version: u64,
    maps: (Vec<MidiEntry>, Vec<OscEntry>),
}

impl Machine {
    /// # Errors
    /// When there is no memory for it.
    pub fn new() -> Result<Machine, String> {
        let mut script = Script::new(0).map_err(|error| error.to_string())?;
        script.surround(|around| {
            around.z_of = z_from_seed;
            around.check_map = |mapped, table| entry(mapped, table).map(|_| ());
        });
        Ok(Machine { script, version: 0, maps: Default::default() })
    }

    pub fn evaluate(
        &mut self,
        (file, line, is_whole): (&str, u32, bool),
        text: &str,
        params: &mut Params,
        time: Time,
    ) -> Result<(), String> {
        let chunk = Chunk { file, text, line, is_whole };
        self.script.evaluate(&chunk, params, time).map_err(|error| error.to_string())
    }

    pub fn reseed(&mut self, seed: u64) {
        self.script.reseed(seed);
    }

    pub fn end(&mut self, file: &str) {
        self.script.end(file);
    }

    pub fn undo(&mut self) -> bool {
        self.script.undo()
    }

    pub fn join_undo(&mut self) {
        self.script.join_undo();
    }

    pub fn hush(&mut self) {
        self.script.hush();
    }

    pub fn is_idle(&self) -> bool {
        self.script.is_idle()
    }

    pub fn hear(&mut self, event: &Event) -> (bool, Option<(SignalId, f64)>) {
        let unit = |byte: u8| f64::from(byte) / 127.0;
        match event {
            Event::Unknown { address, value, .. } => self.script.hear(&Heard::Osc(address, value)),
            Event::Midi(message) => match message.kind {
                midi::Kind::NoteOn { note, velocity } => self.script.hear(&Heard::Note(note, unit(velocity))),
                midi::Kind::ControlChange { controller, value } => {
                    self.script.hear(&Heard::Cc(controller, unit(value)))
                }
                _ => (false, None),
            },
            Event::Key(key) => self.script.hear(&Heard::Key(&key.to_string().to_lowercase())),
            _ => (false, None),
        }
    }

    pub fn call(&mut self, params: &mut Params, time: Time, signals: &Signals) {
        self.script.call(params, time, signals);
    }

    pub fn step(&mut self, frame: &Frame) -> &[(Target, f64)] {
        self.script.step(frame).values()
    }

    pub fn coded(&self) -> impl Iterator<Item = Target> + '_ {
        self.script.bindings().iter().map(|binding| binding.target)
    }

    pub fn take_writes(&mut self, writes: &mut Vec<(Target, Value)>) {
        writes.extend(self.script.drain_writes());
    }

    pub fn take_fault(&mut self) -> Option<String> {
        // The first of a frame is the one to mend.
        let fault = self.script.drain_faults().next();
        fault.map(|fault| fault.to_string())
    }

    pub fn take_output(&mut self) -> Vec<String> {
        self.script.take_output()
    }

    pub fn write_words_again(&mut self) {
        self.script.write_words_again();
    }

    pub fn surround(&mut self, styles: &[String], styles_of: &str, dims: [usize; 4]) {
        self.script.surround(|around| {
            styles.clone_into(&mut around.styles);
            styles_of.clone_into(&mut around.styles_of);
            [around.z_dim, around.w_dim, around.layers, around.classes] = dims;
        });
    }

    pub fn has_news(&mut self) -> bool {
        let version = self.script.maps_version();
        std::mem::replace(&mut self.version, version) != version
    }

    pub fn new_maps(&mut self, table: &Table) -> Option<(Vec<MidiEntry>, Vec<OscEntry>)> {
        let maps = self.maps(table);
        if maps == self.maps {
            return None;
        }
        self.maps.clone_from(&maps);
        Some(maps)
    }

    pub fn addresses(&self) -> Vec<String> {
        self.script.addresses()
    }

    pub fn maps(&self, table: &Table) -> (Vec<MidiEntry>, Vec<OscEntry>) {
        let (mut midi, mut osc) = (Vec::new(), Vec::new());
        for mapped in self.script.maps() {
            // It was checked when it was made; its parameter may be gone since.
            match entry(mapped, table) {
                Ok(Entry::Midi(entry)) => midi.push(entry),
                Ok(Entry::Osc(entry)) => osc.push(entry),
                Err(_) => {}
            }
        }
        (midi, osc)
    }
}

enum Entry {
    Midi(MidiEntry),
    Osc(OscEntry),
}

/// A patch's mapping as an entry of the map, or why it is none.
fn entry(mapped: &Mapped, table: &Table) -> Result<Entry, String> {
    let options = MidiOptions { to: mapped.target.to_string(), range: mapped.range, ..MidiOptions::default() };
    if mapped.control.starts_with('/') {
        return OscEntry::new(&mapped.control, &options, table).map(Entry::Osc).map_err(|error| error.to_string());
    }
    MidiEntry::new(&mapped.control, &options, table).map(Entry::Midi).map_err(|error| error.to_string())
}
