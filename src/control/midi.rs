//! MIDI through midir: every input port, including those that appear later, and the lights of known controllers.
//!
//! [`parse`] makes a [`Message`] of the bytes of one MIDI message; [`MidiInputs`] runs the thread `midi`, which
//! looks for ports and opens them, [`MidiOutputs`] the thread `midi out`. [`Profiles`] know controllers. Messages
//! come on threads of the MIDI system, which neither wait nor allocate; there [`Port`] drops the echoes of what the
//! outputs sent, so that only hands become events.
//! What a message moves is decided by [`mapping`](super::mapping); without any MIDI system the show goes on.

mod clock_out;
mod inputs;
mod link;
mod motor;
mod outlets;
mod outputs;
mod ports;
mod profile;
mod split;

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Counts, Event, EventSender, timecode};
use link::Link;
use split::Splitter;

pub use clock_out::MidiClockOut;
pub use inputs::{MidiInputs, PortNames, ports};
pub use outputs::{Board, MidiOutputs, Panel};
pub use ports::PortRule;
pub use profile::{Light, Profile, ProfileControl, ProfileError, Profiles};

/// How often ports are scanned.
const LOOK_EVERY: Duration = Duration::from_millis(700);

/// The ALSA library complains on standard error when its sequencer is missing, so it is not called then.
fn has_sequencer() -> bool {
    cfg!(not(all(target_os = "linux", not(feature = "jack")))) || std::path::Path::new("/dev/snd/seq").exists()
}

/// Why no ports can be listed.
#[derive(Debug, thiserror::Error)]
pub enum MidiError {
    #[error("no MIDI system: {0}")]
    NoSystem(&'static str),
}

/// One MIDI message of a port.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Message {
    /// Number of the port, in order of appearance; a port that reappears keeps its number.
    pub port: u8,
    /// 0 to 15; 0 for messages that have no channel.
    pub channel: u8,
    pub kind: Kind,
    /// The driver's time stamp in microseconds. Each connection has its own origin, so only differences between
    /// messages of the same port are meaningful.
    pub at_us: u64,
}

/// What was played. Data bytes are 0 to 127.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Velocity 1 to 127.
    NoteOn {
        note: u8,
        velocity: u8,
    },
    NoteOff {
        note: u8,
    },
    /// Controllers 0 to 119; the channel modes above are dropped.
    ControlChange {
        controller: u8,
        value: u8,
    },
    ProgramChange {
        program: u8,
    },
    ChannelPressure {
        pressure: u8,
    },
    PolyPressure {
        note: u8,
        pressure: u8,
    },
    /// -1 to 1, both ends included.
    PitchBend {
        bend: f64,
    },
    /// 24 per quarter note.
    Clock,
    Start,
    Continue,
    Stop,
    /// Sixteenths since the start of the song.
    SongPosition {
        sixteenths: u16,
    },
    /// A registered (RPN) or non-registered (NRPN) parameter number, 0 to 16,383. Not a MIDI message by itself: the map
    /// assembles it from several control changes.
    Nrpn {
        registered: bool,
        number: u16,
        data: Data,
    },
}

/// The data sent for a parameter number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Data {
    /// The high 7 bits of its value.
    High(u8),
    /// The low 7 bits.
    Low(u8),
    /// One step up or down.
    Step(i8),
}

/// The message in `bytes`, if it is complete and of a supported kind. Never panics, whatever the bytes.
pub fn parse(bytes: &[u8], port: u8, at_us: u64) -> Option<Message> {
    let &[status, ref data @ ..] = bytes else { return None };
    let data_byte = |i: usize| data.get(i).copied().filter(|&b| b < 0x80);
    let kind = match status & 0xf0 {
        0x80 => Kind::NoteOff { note: data_byte(0)? },
        0x90 => match (data_byte(0)?, data_byte(1)?) {
            (note, 0) => Kind::NoteOff { note },
            (note, velocity) => Kind::NoteOn { note, velocity },
        },
        0xa0 => Kind::PolyPressure { note: data_byte(0)?, pressure: data_byte(1)? },
        0xb0 => Kind::ControlChange { controller: data_byte(0).filter(|&c| c < 120)?, value: data_byte(1)? },
        0xc0 => Kind::ProgramChange { program: data_byte(0)? },
        0xd0 => Kind::ChannelPressure { pressure: data_byte(0)? },
        0xe0 => Kind::PitchBend { bend: bend(data_byte(0)?, data_byte(1)?) },
        0xf0 => match status {
            0xf2 => Kind::SongPosition { sixteenths: u16::from(data_byte(1)?) << 7 | u16::from(data_byte(0)?) },
            0xf8 => Kind::Clock,
            0xfa => Kind::Start,
            0xfb => Kind::Continue,
            0xfc => Kind::Stop,
            _ => return None,
        },
        _ => return None,
    };
    let channel = if status < 0xf0 { status & 0x0f } else { 0 };
    Some(Message { port, channel, kind, at_us })
}

/// Handles the bytes of an open port: its messages go into the event queue, except echoes of what we sent.
pub struct Port {
    number: u8,
    splitter: Splitter,
    timecode: timecode::Reader,
    link: Link,
    events: EventSender,
    counts: Arc<Counts>,
}

impl Port {
    /// A port with a number for its messages, to which no output belongs.
    pub fn new(number: u8, events: EventSender, counts: Arc<Counts>) -> Self {
        Port::linked(number, Link::default(), events, counts)
    }

    fn linked(number: u8, link: Link, events: EventSender, counts: Arc<Counts>) -> Self {
        Port { number, splitter: Splitter::default(), timecode: timecode::Reader::default(), link, events, counts }
    }

    /// Takes one event of the MIDI system: a message, several, or a part of one. Neither waits nor allocates,
    /// whatever the bytes and however many.
    pub fn receive(&mut self, at_us: u64, bytes: &[u8]) {
        let Port { number, splitter, timecode, link, events, counts } = self;
        timecode.feed(at_us, bytes, |stamp| {
            Counts::add(&counts.received);
            events.send(Event::Timecode(stamp), counts);
        });
        splitter.feed(bytes, |bytes| {
            let Some(message) = parse(bytes, *number, at_us) else { return };
            if !link.is_echo(&message, Instant::now()) {
                Counts::add(&counts.received);
                events.send(Event::Midi(message), counts);
            }
        });
    }
}

/// Each side is scaled separately, because there is one more step below the centre.
fn bend(low: u8, high: u8) -> f64 {
    let steps = f64::from(u16::from(high) << 7 | u16::from(low)) - 8192.0;
    if steps < 0.0 { steps / 8192.0 } else { steps / 8191.0 }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn bytes_become_messages() {
        let table: &[(&[u8], u8, Kind)] = &[
            (&[0x90, 60, 100], 0, Kind::NoteOn { note: 60, velocity: 100 }),
            (&[0x95, 60, 0], 5, Kind::NoteOff { note: 60 }),
            (&[0x81, 60, 64], 1, Kind::NoteOff { note: 60 }),
            (&[0xbf, 119, 127], 15, Kind::ControlChange { controller: 119, value: 127 }),
            (&[0xa2, 60, 7], 2, Kind::PolyPressure { note: 60, pressure: 7 }),
            (&[0xd3, 9], 3, Kind::ChannelPressure { pressure: 9 }),
            (&[0xc4, 12], 4, Kind::ProgramChange { program: 12 }),
            (&[0xe0, 0, 0], 0, Kind::PitchBend { bend: -1.0 }),
            (&[0xe0, 0, 64], 0, Kind::PitchBend { bend: 0.0 }),
            (&[0xe0, 127, 127], 0, Kind::PitchBend { bend: 1.0 }),
            (&[0xf2, 1, 2], 0, Kind::SongPosition { sixteenths: 257 }),
            (&[0xf8], 0, Kind::Clock),
            (&[0xfa], 0, Kind::Start),
            (&[0xfb], 0, Kind::Continue),
            (&[0xfc], 0, Kind::Stop),
        ];
        for &(bytes, channel, kind) in table {
            assert_eq!(parse(bytes, 3, 7), Some(Message { port: 3, channel, kind, at_us: 7 }), "{bytes:x?}");
        }
        let nothing: &[&[u8]] = &[
            &[],
            &[60],
            &[0x90],
            &[0x90, 60],
            &[0x90, 0x80, 1],
            &[0xb0, 120, 0],
            &[0xb0, 123, 0],
            &[0xfe],
            &[0xf0, 1, 0xf7],
        ];
        for bytes in nothing {
            assert_eq!(parse(bytes, 0, 0), None, "{bytes:x?}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut rng = crate::control::test_rng(3);
        let mut understood = 0;
        for status in 0..=255u8 {
            for _ in 0..200 {
                let mut bytes = vec![status];
                bytes.extend((0..rng() % 5).map(|_| rng() as u8));
                let Some(message) = parse(&bytes, 0, 0) else { continue };
                understood += 1;
                assert!(message.channel < 16);
                if let Kind::PitchBend { bend } = message.kind {
                    assert!((-1.0..=1.0).contains(&bend));
                }
            }
        }
        assert!(understood > 1000);
    }
}
