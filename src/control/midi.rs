//! MIDI in by midir.

/// One MIDI message of a port.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Message {
    /// Number of the port in order of appearance.
    pub port: u8,
    /// 0 to 15.
    pub channel: u8,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    NoteOn { note: u8, velocity: u8 },
    NoteOff { note: u8 },
    ControlChange { controller: u8, value: u8 },
}
