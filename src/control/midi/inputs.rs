//! The thread `midi`: scans for input ports, opens new ones and notices when one disappears.
//!
//! midir does not report ports that appear or disappear, so the list is polled with one long-lived client. A port is
//! identified by its name, and its number among ports of the same name ([`Register`]). JACK keeps listing the ports of a
//! dead server, so with the feature `jack` its end goes unnoticed.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use midir::{Ignore, MidiInput, MidiInputConnection, MidiInputPort};

use super::link::{Link, OpenInput};
use super::ports::{CLIENT, Found, Identity, Listed, PortRule, Register};
use super::{LOOK_EVERY, MidiError, Port, has_sequencer};
use crate::control::{Counts, Device, DeviceStatus, Event, EventSender, Lane};

/// A client that has listed nothing for this many scans may have lost its server, so it is replaced.
const RENEW_AFTER: u32 = 8;
/// What midir filters out. SysEx passes: full frames of timecode are SysEx.
const IGNORED: Ignore = Ignore::ActiveSense;
/// Maximum number of open ports.
const MAX_PORTS: usize = 64;

/// The names of the open ports, updated by the thread `midi`.
#[derive(Clone, Debug, Default)]
pub struct PortNames(Arc<Mutex<Vec<String>>>);

impl PortNames {
    /// The currently open ports.
    pub fn list(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, names: Vec<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }
}

/// All the machine's MIDI input ports. Dropping it closes them.
pub struct MidiInputs {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    names: PortNames,
    counts: Arc<Counts>,
    link: Link,
}

impl Device for MidiInputs {
    fn status(&self) -> DeviceStatus {
        DeviceStatus::new("midi", self.names.list(), &self.counts)
    }
}

impl MidiInputs {
    /// Opens every port that `rule` allows, and keeps scanning for others. A missing MIDI system is reported once and retried.
    pub fn start(rule: PortRule, events: EventSender, counts: Arc<Counts>) -> Self {
        let (stop, stopped) = bounded::<()>(0);
        let events = events.on(Lane::Midi);
        let (names, link) = (PortNames::default(), Link::default());
        let mut watcher = Watcher {
            events: events.clone(),
            counts: counts.clone(),
            client: None,
            rule,
            empty_looks: 0,
            absence_told: false,
            register: Register::default(),
            open: Vec::new(),
            refusing: Vec::new(),
            names: names.clone(),
            link: link.clone(),
        };
        let thread = std::thread::Builder::new().name("midi".to_owned()).spawn(move || {
            watcher.look();
            while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                watcher.look();
            }
        });
        if let Err(error) = &thread {
            events.send(
                Event::Fault {
                    of: "MIDI".to_owned(),
                    line: format!("cannot start the MIDI thread: {error}; continuing without MIDI"),
                },
                &counts,
            );
        }
        MidiInputs { stop: Some(stop), thread: thread.ok(), names, counts, link }
    }

    /// What the outputs need to know about the inputs.
    pub(super) fn link(&self) -> Link {
        self.link.clone()
    }

    /// The names of the open ports, for the HUD; they follow changes.
    pub fn names(&self) -> PortNames {
        self.names.clone()
    }
}

impl Drop for MidiInputs {
    fn drop(&mut self) {
        // The thread waits on the other end and wakes when this one is dropped.
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
    let found = Register::default().identify(list(&client()?));
    Ok(found.into_iter().map(|port| port.identity.to_string()).collect())
}

struct Open {
    input: OpenInput,
    _connection: MidiInputConnection<()>,
}

struct Watcher {
    events: EventSender,
    counts: Arc<Counts>,
    client: Option<MidiInput>,
    rule: PortRule,
    empty_looks: u32,
    absence_told: bool,
    register: Register,
    open: Vec<Open>,
    /// Ports that could not be opened and have been reported.
    refusing: Vec<Identity>,
    names: PortNames,
    link: Link,
}

/// A port as lines name it.
fn part(identity: &Identity) -> String {
    format!("MIDI: {identity}")
}

impl Watcher {
    fn look(&mut self) {
        let client = match self.client.take().map_or_else(client, Ok) {
            Ok(client) => client,
            Err(error) => {
                if !std::mem::replace(&mut self.absence_told, true) {
                    // Many a machine has none, and plays without.
                    self.notice(format!("{error}; continuing without MIDI"));
                }
                return self.close_missing(&[]);
            }
        };
        let mut listed = list(&client);
        self.empty_looks = if listed.is_empty() { self.empty_looks + 1 } else { 0 };
        if self.empty_looks < RENEW_AFTER {
            self.client = Some(client);
        } else {
            self.empty_looks = 0;
        }
        listed.retain(|port| self.rule.allows(&port.name));
        let found = self.register.identify(listed);
        self.close_missing(&found);
        self.refusing.retain(|identity| found.iter().any(|found| found.identity == *identity));
        for found in &found {
            let is_open = self.open.iter().any(|open| open.input.identity == found.identity);
            if !is_open && self.open.len() < MAX_PORTS {
                self.open(found);
            }
        }
    }

    fn close_missing(&mut self, found: &[Found<MidiInputPort>]) {
        let is_there = |open: &Open| {
            let same = |f: &Found<_>| f.identity == open.input.identity && f.system_id == open.input.system_id;
            found.iter().any(same)
        };
        let (kept, gone) = std::mem::take(&mut self.open).into_iter().partition(is_there);
        self.open = kept;
        if !gone.is_empty() {
            self.tell_names();
        }
        for open in gone {
            self.tell_port(open.input.port, &open.input.identity, false);
            let of = part(&open.input.identity);
            self.fault(of.clone(), format!("{of} is gone"));
        }
    }

    fn open(&mut self, found: &Found<MidiInputPort>) {
        let identity = &found.identity;
        let mut port = Port::linked(found.place, self.link.clone(), self.events.clone(), self.counts.clone());
        let receive = move |at_us: u64, bytes: &[u8], (): &mut ()| port.receive(at_us, bytes);
        let connection = MidiInput::new(CLIENT).map_err(|error| error.to_string()).and_then(|mut client| {
            client.ignore(IGNORED);
            client.connect(&found.port, "in", receive, ()).map_err(|error| error.to_string())
        });
        match connection {
            Ok(connection) => {
                self.refusing.retain(|refusing| refusing != identity);
                let input =
                    OpenInput { identity: identity.clone(), system_id: found.system_id.clone(), port: found.place };
                self.open.push(Open { input, _connection: connection });
                // Before the notice, so that whoever reads it finds the port in the list.
                self.tell_names();
                let of = part(identity);
                let line = format!("{of} is connected");
                self.events.send(Event::Mended { of }, &self.counts);
                self.notice(line);
                self.tell_port(found.place, identity, true);
            }
            Err(error) if !self.refusing.contains(identity) => {
                let of = part(identity);
                self.fault(of.clone(), format!("{of} cannot be opened: {error}"));
                self.refusing.push(identity.clone());
            }
            Err(_) => {}
        }
    }

    fn tell_names(&self) {
        self.names.set(self.open.iter().map(|open| open.input.identity.to_string()).collect());
        self.link.set_inputs(self.open.iter().map(|open| open.input.clone()).collect());
    }

    fn tell_port(&self, port: u8, identity: &Identity, open: bool) {
        self.events.send(Event::MidiPort { port, name: identity.name.clone(), open }, &self.counts);
    }

    fn notice(&self, text: String) {
        self.events.send(Event::Notice(text), &self.counts);
    }

    fn fault(&self, of: String, line: String) {
        self.events.send(Event::Fault { of, line }, &self.counts);
    }
}

fn client() -> Result<MidiInput, MidiError> {
    if !has_sequencer() {
        return Err(MidiError::NoSystem("this machine has no ALSA sequencer (/dev/snd/seq)"));
    }
    MidiInput::new(CLIENT).map_err(|_| MidiError::NoSystem("it is not responding"))
}

/// The available input ports.
fn list(client: &MidiInput) -> Vec<Listed<MidiInputPort>> {
    let listed = |port: MidiInputPort| Some(Listed { name: client.port_name(&port).ok()?, system_id: port.id(), port });
    client.ports().into_iter().filter_map(listed).collect()
}
