//! The show's beat as a MIDI clock for other machines: 24 pulses per quarter note, song position, start and stop.
//!
//! Every frame says where the beat is ([`Listener::publish`]); the thread `midi clock` goes on from there, so that pulses
//! are even although frames are not. It opens the chosen outputs when they appear. [`Pulses`] decides what to send, and is
//! pure.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::LOOK_EVERY;
use super::inputs::PortNames;
use super::outlets::Outlets;
use super::ports::PortRule;
use crate::control::{Counts, Device, DeviceStatus, EventSender, Listener, Snapshot};
use crate::params::Id;

/// Pulses per quarter note.
const PULSES: f64 = 24.0;
/// Pulses per sixteenth note, in which song positions count.
const SIXTEENTH: u64 = 6;
/// Largest song position.
const LAST_POSITION: u64 = 0x3fff;
/// Further than this many pulses from where it should be, the other machines are told a new position.
const JUMP: f64 = 12.0;
/// Pulses between telling a position and continuing there, so that slow machines find it.
const NOTICE: f64 = 3.0;
/// How late a pulse may be.
const TICK: Duration = Duration::from_millis(1);

const CLOCK: u8 = 0xf8;
const START: u8 = 0xfa;
const CONTINUE: u8 = 0xfb;
const STOP: u8 = 0xfc;
const POSITION: u8 = 0xf2;

/// Which pulses have been sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Pulses {
    /// The next pulse, counted from the first beat; `None` until the others know the position.
    next: Option<u64>,
    /// The position that they have been told: the pulse with which they continue.
    continues_at: Option<u64>,
}

impl Pulses {
    /// Calls `send` for each message that is due when the show is at `beat`.
    fn advance(&mut self, beat: f64, mut send: impl FnMut(&[u8])) {
        let now = beat.max(0.0) * PULSES;
        if self.next.is_some_and(|next| (now - next as f64).abs() > JUMP) {
            send(&[STOP]);
            *self = Pulses::default();
        }
        if self.next.is_none() {
            let first = *self.continues_at.get_or_insert_with(|| {
                let sixteenth = if now > 0.0 { ((now + NOTICE) / SIXTEENTH as f64).ceil() as u64 } else { 0 };
                let position = sixteenth & LAST_POSITION;
                if position > 0 {
                    send(&[POSITION, (position & 0x7f) as u8, (position >> 7) as u8]);
                }
                send(&[if position > 0 { CONTINUE } else { START }]);
                sixteenth * SIXTEENTH
            });
            if first as f64 - now > 2.0 * JUMP {
                // The beat has gone back meanwhile.
                *self = Pulses::default();
                return;
            }
            if (first as f64) <= now {
                self.next = Some(first);
            }
        }
        while let Some(next) = self.next.filter(|next| *next as f64 <= now) {
            send(&[CLOCK]);
            self.next = Some(next + 1);
        }
    }
}

/// Where the beat was in the last frame.
#[derive(Clone, Copy, Debug)]
struct Told {
    beat: f64,
    /// Beats per second.
    speed: f64,
    at: Instant,
}

/// A MIDI clock on some outputs. Dropping it stops the other machines.
pub struct MidiClockOut {
    told: Arc<Mutex<Option<Told>>>,
    names: PortNames,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl MidiClockOut {
    /// Starts the thread, for the outputs that `rule` allows.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn start(rule: PortRule, events: EventSender, counts: Arc<Counts>) -> io::Result<Self> {
        let told = Arc::<Mutex<Option<Told>>>::default();
        let names = PortNames::default();
        let (stop, stopped) = bounded::<()>(0);
        let mut outlets = Outlets::new(("clock", "no clock for"), rule, names.clone(), events, counts);
        let beat = told.clone();
        let thread = std::thread::Builder::new().name("midi clock".to_owned()).spawn(move || {
            let mut pulses = Pulses::default();
            let mut next_look = Instant::now();
            loop {
                if Instant::now() >= next_look {
                    next_look = Instant::now() + LOOK_EVERY;
                    // A machine that has just been plugged in is told where we are, and so are the others.
                    if outlets.look(|_| Some(())) > 0 {
                        pulses = Pulses::default();
                    }
                }
                let told = *beat.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(Told { beat, speed, at }) = told.filter(|_| !outlets.open.is_empty()) {
                    pulses.advance(beat + speed * at.elapsed().as_secs_f64(), |message| send(&mut outlets, message));
                }
                if stopped.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
                    return send(&mut outlets, &[STOP]);
                }
            }
        })?;
        Ok(MidiClockOut { told, names, stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for MidiClockOut {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Device for MidiClockOut {
    fn status(&self) -> DeviceStatus {
        DeviceStatus { name: "clock out", open: self.names.list(), ..DeviceStatus::default() }
    }
    fn listener(&mut self) -> Option<Box<dyn Listener>> {
        Some(Box::new(Teller(self.told.clone())))
    }
}

/// Tells the thread where the beat is.
struct Teller(Arc<Mutex<Option<Told>>>);

impl Listener for Teller {
    fn publish(&mut self, snapshot: &Snapshot, _: f64) {
        // Never waits: the next frame tells it.
        if let Ok(mut told) = self.0.try_lock() {
            let speed = snapshot.params.get(Id::Tempo) / 60.0;
            *told = Some(Told { beat: snapshot.feeds.beat, speed, at: Instant::now() });
        }
    }
}

/// Sends a message to every machine. One that fails is lost: the machine may just have been unplugged.
fn send(outlets: &mut Outlets<()>, message: &[u8]) {
    for open in &mut outlets.open {
        let _ = open.connection.send(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages of a beat that goes through `beats` in steps of a hundredth.
    fn sent(pulses: &mut Pulses, beats: std::ops::Range<f64>) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        let steps = ((beats.end - beats.start) * 100.0).round() as usize;
        for step in 0..steps {
            pulses.advance(beats.start + step as f64 / 100.0, |message| messages.push(message.to_vec()));
        }
        messages
    }

    #[test]
    fn a_show_that_begins_starts_the_others_at_once() {
        let messages = sent(&mut Pulses::default(), 0.0..4.0);
        assert_eq!(messages[0], [START]);
        assert_eq!(messages[1..], vec![vec![CLOCK]; 96]);
    }

    #[test]
    fn a_machine_that_comes_later_continues_at_the_next_sixteenth() {
        let mut pulses = Pulses::default();
        let messages = sent(&mut pulses, 2.1..3.0);
        assert_eq!(messages[..2], [vec![POSITION, 9, 0], vec![CONTINUE]]);
        assert_eq!(messages[2..], vec![vec![CLOCK]; 18], "24 a beat from 2.25 on");
        let messages = sent(&mut Pulses::default(), 300.1..301.0);
        assert_eq!(messages[0], [POSITION, (1201 & 0x7f) as u8, (1201 >> 7) as u8]);
    }

    #[test]
    fn a_jump_stops_them_and_tells_the_new_position() {
        let mut pulses = Pulses::default();
        sent(&mut pulses, 0.0..9.0);
        let messages = sent(&mut pulses, 4.0..5.0);
        assert_eq!(messages[..3], [vec![STOP], vec![POSITION, 17, 0], vec![CONTINUE]]);
        assert_eq!(messages.len(), 3 + 18, "{messages:?}");
        // A small step back, as when it is pulled to another clock, waits.
        let messages = sent(&mut pulses, 4.9..5.2);
        assert!(messages.iter().all(|message| message == &[CLOCK]) && messages.len() <= 6, "{messages:?}");
    }
}
