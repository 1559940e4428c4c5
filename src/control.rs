//! Control: what devices send becomes writes to parameters.
//!
//! Device threads ([`osc`], [`query`], [`midi`], [`audio`]) turn what they get into [`Event`]s and put them into one bounded
//! queue with a lane per source. They never wait for the show: what does not fit is dropped and counted in [`Counts`].
//! [`mapping`], [`keys`] and [`clock`] turn events into parameter writes inside the frame, so that a show is a function
//! of its events.

pub mod audio;
pub mod clock;
pub mod device;
pub mod echo;
pub mod keys;
pub mod learn;
pub mod lights;
pub(crate) mod listen;
pub mod mapping;
pub mod midi;
pub mod osc;
pub mod query;
mod queue;
pub(crate) mod rate;
pub mod scene;
pub mod session;
pub mod tally;
pub mod timecode;
pub(crate) mod web;

use std::sync::atomic::{AtomicU64, Ordering};

use crate::modulate::SignalId;
use crate::params::{Target, Value};
pub use device::{Absent, Device, DeviceStatus, Listener, Snapshot};
pub use listen::Listen;
pub use queue::{EventSender, Events, Lane, OSC_PEERS, QUEUE, queue};
pub use tally::Tally;

/// Who wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    Osc,
    /// A browser page or another program, over a WebSocket: may not open or write files.
    Web,
    /// The same, from this machine: may also evaluate code.
    LocalWeb,
    Midi,
    /// The tempo that is heard.
    Audio,
    /// The tempo of a shared session.
    Session,
    Key,
    Preset,
    /// Live code.
    Script,
}

/// One write to one parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    pub target: Target,
    pub value: Value,
    pub source: Source,
}

/// What a device did. **Every item counts**: the queue is bounded ([`queue`]), and what does not fit is counted.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Write(Write),
    Midi(midi::Message),
    /// A MIDI input port was opened or has disappeared; `port` is its number in messages.
    MidiPort {
        port: u8,
        name: String,
        open: bool,
    },
    Key(keys::Key),
    /// An OSC message whose address is not in the table: presets may have an alias for it.
    Unknown {
        address: String,
        value: Value,
        source: Source,
    },
    /// The newest value of a signal, 0 to 1 by convention. **Latest value wins** within a frame.
    Signal {
        id: SignalId,
        value: f64,
    },
    /// News of a tempo that is shared with others.
    Session(session::Session),
    /// A reading of timecode.
    Timecode(timecode::Stamp),
    /// One line for the HUD and the log: a port appeared, a datagram was invalid.
    Notice(String),
    /// The same for what is wrong until it is mended: `of` says which device, or which part of one.
    Fault {
        of: String,
        line: String,
    },
    /// What was wrong with it works again.
    Mended {
        of: String,
    },
}

/// What happened to the events of one kind of device, for the HUD. Shared between threads.
#[derive(Debug, Default)]
pub struct Counts {
    /// Messages understood.
    pub received: AtomicU64,
    /// Dropped because their lane of the queue was full.
    pub dropped: AtomicU64,
    /// Invalid bytes, or values that no parameter accepts.
    pub refused: AtomicU64,
    /// Time tags so far ahead that the sender's clock must be wrong; applied at once.
    pub foreign_clock: AtomicU64,
}

impl Counts {
    pub fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
    pub fn read(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

/// A small generator for the tests: xorshift, the same numbers on every machine.
#[cfg(test)]
pub(crate) fn test_rng(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 16
    }
}
