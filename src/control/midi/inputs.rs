//! The thread `midi`: looks for input ports, opens new ones and notices when one is gone.
//!
//! midir tells nothing about ports that come and go, so the list is read again and again with one client that is
//! kept. A port is known by its name, and by its number among ports of the same name. JACK goes on listing the
//! ports of a server that has died: with the feature `jack` its end is not seen.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use midir::{Ignore, MidiInput, MidiInputConnection, MidiInputPort};

use super::ports::{CLIENT, Identity, PortRule, identify};
use super::{LOOK_EVERY, MidiError, has_sequencer};
use crate::control::{Counts, Device, DeviceStatus, Event, EventSender};

/// A client that has listed nothing for so many looks may have lost its server: a new one is made.
const RENEW_AFTER: u32 = 8;
/// How many ports are opened at most.
const MAX_PORTS: usize = 64;

/// The names of the open ports, kept up to date by the thread `midi`.
#[derive(Clone, Debug, Default)]
pub struct PortNames(Arc<Mutex<Vec<String>>>);

impl PortNames {
    /// The ports that are open now.
    pub fn list(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, names: Vec<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }
}

/// All MIDI input ports of the machine. Dropping it closes them.
pub struct MidiInputs {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    names: PortNames,
    counts: Arc<Counts>,
}

impl Device for MidiInputs {
    fn status(&self) -> DeviceStatus {
        DeviceStatus::new("midi", self.names.list(), &self.counts)
    }
}

impl MidiInputs {
    /// Opens every port that `rule` allows and goes on looking for others. A missing MIDI system is told by one notice, and
    /// looked for again and again.
    pub fn start(rule: PortRule, events: EventSender, counts: Arc<Counts>) -> Self {
        let (stop, stopped) = bounded::<()>(0);
        let names = PortNames::default();
        let mut watcher = Watcher {
            events: events.clone(),
            counts: counts.clone(),
            client: None,
            rule,
            empty_looks: 0,
            absence_told: false,
            known: Vec::new(),
            open: Vec::new(),
            refusing: Vec::new(),
            names: names.clone(),
        };
        let thread = std::thread::Builder::new().name("midi".to_owned()).spawn(move || {
            watcher.look();
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                watcher.look();
            }
        });
        if let Err(error) = &thread {
            events.send(Event::Notice(format!("no thread for MIDI: {error}; going on without")), &counts);
        }
        MidiInputs { stop: Some(stop), thread: thread.ok(), names, counts }
    }

    /// The names of the open ports, for the HUD; they follow what is plugged in.
    pub fn names(&self) -> PortNames {
        self.names.clone()
    }
}

impl Drop for MidiInputs {
    fn drop(&mut self) {
        // The thread waits on the other end: it wakes when this one is gone.
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The names of all MIDI input ports, for `doctor`.
///
/// # Errors
/// [`MidiError::NoSystem`] when this machine has no MIDI system.
pub fn ports() -> Result<Vec<String>, MidiError> {
    Ok(list(&client()?).into_iter().map(|(id, _)| id.to_string()).collect())
}

struct Open {
    identity: Identity,
    /// Its number in messages.
    number: u8,
    /// The system's own name; it may change when a device is plugged in again.
    system_id: String,
    _connection: MidiInputConnection<()>,
}

struct Watcher {
    events: EventSender,
    counts: Arc<Counts>,
    client: Option<MidiInput>,
    rule: PortRule,
    empty_looks: u32,
    absence_told: bool,
    /// Every port ever seen; its place is its number in messages.
    known: Vec<Identity>,
    open: Vec<Open>,
    /// Ports that could not be opened, and have been told of.
    refusing: Vec<Identity>,
    names: PortNames,
}

impl Watcher {
    fn look(&mut self) {
        let client = match self.client.take().map_or_else(client, Ok) {
            Ok(client) => client,
            Err(error) => {
                if !std::mem::replace(&mut self.absence_told, true) {
                    self.notice(format!("{error}; going on without"));
                }
                self.close_missing(&[]);
                return self.tell_names();
            }
        };
        let listed = list(&client);
        self.empty_looks = if listed.is_empty() { self.empty_looks + 1 } else { 0 };
        if self.empty_looks < RENEW_AFTER {
            self.client = Some(client);
        } else {
            self.empty_looks = 0;
        }
        self.close_missing(&listed);
        self.refusing.retain(|identity| listed.iter().any(|(id, _)| id == identity));
        for (identity, port) in &listed {
            let is_open = self.open.iter().any(|open| open.identity == *identity);
            if !is_open && self.open.len() < MAX_PORTS && self.rule.allows(&identity.name) {
                self.open(identity, port);
            }
        }
        self.tell_names();
    }

    fn close_missing(&mut self, listed: &[(Identity, MidiInputPort)]) {
        let is_there =
            |open: &Open| listed.iter().any(|(id, port)| *id == open.identity && port.id() == open.system_id);
        let (kept, gone) = std::mem::take(&mut self.open).into_iter().partition(is_there);
        self.open = kept;
        for open in gone {
            self.tell_port(open.number, &open.identity, false);
            self.notice(format!("MIDI: {} is gone", open.identity));
        }
    }

    fn open(&mut self, identity: &Identity, port: &MidiInputPort) {
        let number = self.known.iter().position(|known| known == identity).unwrap_or(self.known.len());
        let Ok(number_in_messages) = u8::try_from(number) else { return };
        let (events, counts) = (self.events.clone(), self.counts.clone());
        let receive = move |at_us: u64, bytes: &[u8], (): &mut ()| {
            super::receive(bytes, number_in_messages, at_us, &events, &counts);
        };
        let connection = MidiInput::new(CLIENT).map_err(|error| error.to_string()).and_then(|mut client| {
            client.ignore(Ignore::SysexAndActiveSense);
            client.connect(port, "in", receive, ()).map_err(|error| error.to_string())
        });
        match connection {
            Ok(connection) => {
                if number == self.known.len() {
                    self.known.push(identity.clone());
                }
                self.refusing.retain(|refusing| refusing != identity);
                self.notice(format!("MIDI: {identity} is connected"));
                self.tell_port(number_in_messages, identity, true);
                self.open.push(Open {
                    identity: identity.clone(),
                    number: number_in_messages,
                    system_id: port.id(),
                    _connection: connection,
                });
            }
            Err(error) if !self.refusing.contains(identity) => {
                self.notice(format!("MIDI: {identity} cannot be opened: {error}"));
                self.refusing.push(identity.clone());
            }
            Err(_) => {}
        }
    }

    fn tell_names(&self) {
        self.names.set(self.open.iter().map(|open| open.identity.to_string()).collect());
    }

    fn tell_port(&self, port: u8, identity: &Identity, open: bool) {
        self.events.send(Event::MidiPort { port, name: identity.name.clone(), open }, &self.counts);
    }

    fn notice(&self, text: String) {
        self.events.send(Event::Notice(text), &self.counts);
    }
}

fn client() -> Result<MidiInput, MidiError> {
    if !has_sequencer() {
        return Err(MidiError::NoSystem("this machine has no ALSA sequencer (/dev/snd/seq)"));
    }
    MidiInput::new(CLIENT).map_err(|_| MidiError::NoSystem("it does not answer"))
}

/// The input ports there are, each with the name by which it is known.
fn list(client: &MidiInput) -> Vec<(Identity, MidiInputPort)> {
    identify(client.ports().into_iter().filter_map(|port| Some((client.port_name(&port).ok()?, port))))
}
