//! Outputs that are kept open: those that appear are opened, those that are gone are closed.
//!
//! Scanned like the inputs, by whoever owns them, on its own thread.

use std::sync::Arc;

use midir::{MidiOutput, MidiOutputConnection, MidiOutputPort};

use super::has_sequencer;
use super::inputs::PortNames;
use super::ports::{CLIENT, Identity, Listed, PortRule, Register};
use crate::control::{Counts, Event, EventSender};

/// One open output, with what its owner knows of it.
pub(super) struct Outlet<T> {
    pub identity: Identity,
    pub system_id: String,
    pub connection: MidiOutputConnection,
    pub of: T,
}

/// Outputs that a rule allows and their owner wants.
pub(super) struct Outlets<T> {
    /// What our ports are called.
    name: &'static str,
    /// What a line about a port that cannot be opened says it lacks: `no clock for`.
    lack: &'static str,
    rule: PortRule,
    names: PortNames,
    events: EventSender,
    counts: Arc<Counts>,
    client: Option<MidiOutput>,
    register: Register,
    pub open: Vec<Outlet<T>>,
    /// Ports that could not be opened and have been reported.
    refusing: Vec<Identity>,
}

impl<T> Outlets<T> {
    /// None yet. `names` follows what is open.
    pub fn new(
        (name, lack): (&'static str, &'static str),
        rule: PortRule,
        names: PortNames,
        events: EventSender,
        counts: Arc<Counts>,
    ) -> Self {
        let (register, open, refusing) = (Register::default(), Vec::new(), Vec::new());
        Outlets { name, lack, rule, names, events, counts, client: None, register, open, refusing }
    }

    /// What a port cannot do while it cannot be opened.
    fn part(&self, identity: &Identity) -> String {
        format!("MIDI: {} {identity}", self.lack)
    }

    /// Opens outputs that have appeared and for which `of` has something, and closes those that are gone. Returns how many
    /// were opened: the last ones.
    pub fn look(&mut self, of: impl Fn(&Identity) -> Option<T>) -> usize {
        let client = match self.client.take() {
            None if !has_sequencer() => None,
            None => MidiOutput::new(CLIENT).ok(),
            kept => kept,
        };
        let listed = client.as_ref().map(list).unwrap_or_default();
        // A client without any port may have lost its server, so the next scan makes a new one.
        self.client = client.filter(|_| !listed.is_empty());
        let found = self.register.identify(listed.into_iter().filter(|port| self.rule.allows(&port.name)));
        self.open.retain(|open| found.iter().any(|f| f.identity == open.identity && f.system_id == open.system_id));
        self.refusing.retain(|identity| found.iter().any(|found| found.identity == *identity));
        let before = self.open.len();
        for found in found {
            if self.open.iter().any(|open| open.identity == found.identity) {
                continue;
            }
            let Some(of) = of(&found.identity) else { continue };
            let (identity, system_id) = (found.identity, found.system_id);
            match connect(&found.port, self.name) {
                Ok(connection) => {
                    if self.refusing.contains(&identity) {
                        self.refusing.retain(|refusing| *refusing != identity);
                        self.events.send(Event::Mended { of: self.part(&identity) }, &self.counts);
                    }
                    self.open.push(Outlet { identity, system_id, connection, of });
                }
                Err(error) if !self.refusing.contains(&identity) => {
                    let of = self.part(&identity);
                    let line = format!("{of}: {error}");
                    self.events.send(Event::Fault { of, line }, &self.counts);
                    self.refusing.push(identity);
                }
                Err(_) => {}
            }
        }
        self.names.set(self.open.iter().map(|open| open.identity.to_string()).collect());
        self.open.len() - before
    }
}

fn list(client: &MidiOutput) -> Vec<Listed<MidiOutputPort>> {
    let listed =
        |port: MidiOutputPort| Some(Listed { name: client.port_name(&port).ok()?, system_id: port.id(), port });
    client.ports().into_iter().filter_map(listed).collect()
}

/// Opens a port; ours is called `name`.
fn connect(port: &MidiOutputPort, name: &str) -> Result<MidiOutputConnection, String> {
    let client = MidiOutput::new(CLIENT).map_err(|error| error.to_string())?;
    client.connect(port, name).map_err(|error| error.to_string())
}
