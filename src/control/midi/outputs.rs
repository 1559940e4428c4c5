//! The thread `midi out`: opens the outputs of controllers that have a profile, and keeps their lights up to date.
//!
//! The show says what each light should show ([`Board`]: **latest value wins**). The thread sends what differs from
//! what the controller shows, at most once per [`TICK`] and light, and paced. Ports are scanned like the inputs.
//! Nothing is sent to controllers without a profile.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use midir::{MidiOutput, MidiOutputConnection, MidiOutputPort};

use super::inputs::{MidiInputs, PortNames};
use super::link::{Link, OpenInput};
use super::ports::{CLIENT, Identity, Listed, PortRule, Register, pair};
use super::profile::{Profile, Profiles};
use super::{LOOK_EVERY, has_sequencer};
use crate::control::lights::Lights;
use crate::control::{Counts, Device, DeviceStatus, Event, EventSender, Listener};

/// Minimum interval between two messages for the same light.
const TICK: Duration = Duration::from_millis(15);
/// Pause between two messages, so that small controllers keep up.
const PACE: Duration = Duration::from_millis(1);

/// A newly connected port loses what is sent at once: JACK takes a moment, and so do devices.
const SETTLE: Duration = Duration::from_millis(100);

/// What the lights of one controller should show.
#[derive(Clone, Debug)]
pub struct Panel {
    pub profile: Arc<Profile>,
    /// Number of its input port in messages.
    pub port: u8,
    /// For each control of the profile; `None` leaves its light unchanged.
    pub wanted: Vec<Option<u16>>,
    /// Incremented when a control was moved by hand, which may have changed what it shows.
    pub moved: Vec<u32>,
}

/// The panels of all controllers, shared by the show and the thread. Both lock it only briefly.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Vec<Panel>>>);

impl Board {
    /// Changes the panels, unless the thread is reading them; then the next frame does.
    pub fn update(&self, change: impl FnOnce(&mut Vec<Panel>)) {
        match self.0.try_lock() {
            Ok(mut panels) => change(&mut panels),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => change(&mut poisoned.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => {}
        }
    }

    fn panel(&self, profile: &Arc<Profile>, port: u8) -> Option<Panel> {
        let panels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        panels.iter().find(|panel| panel.port == port && Arc::ptr_eq(&panel.profile, profile)).cloned()
    }
}

/// The outputs of all controllers with lights. Dropping it turns the lights off and closes the outputs.
pub struct MidiOutputs {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    board: Board,
    profiles: Arc<Profiles>,
    names: PortNames,
}

impl Device for MidiOutputs {
    fn status(&self) -> DeviceStatus {
        DeviceStatus { name: "lights", open: self.names.list(), ..DeviceStatus::default() }
    }
    fn listener(&mut self) -> Option<Box<dyn Listener>> {
        Some(Box::new(Lights::new(self.profiles.clone(), self.board())))
    }
}

impl MidiOutputs {
    /// Starts the thread, for the controllers of `inputs`. Without a MIDI system it does nothing; the inputs report that.
    pub fn start(
        inputs: &MidiInputs,
        profiles: Arc<Profiles>,
        rule: PortRule,
        events: EventSender,
        counts: Arc<Counts>,
    ) -> Self {
        let (stop, stopped) = bounded::<()>(0);
        let (board, names) = (Board::default(), PortNames::default());
        let mut lamps = Lamps {
            profiles: profiles.clone(),
            rule,
            board: board.clone(),
            client: None,
            register: Register::default(),
            open: Vec::new(),
            refusing: Vec::new(),
            names: names.clone(),
            link: inputs.link(),
            paired: None,
        };
        let notices = (events.clone(), counts.clone());
        let thread = std::thread::Builder::new().name("midi out".to_owned()).spawn(move || {
            let mut next_look = Instant::now();
            loop {
                if Instant::now() >= next_look {
                    next_look = Instant::now() + LOOK_EVERY;
                    lamps.look(&notices);
                }
                lamps.refresh();
                for output in lamps.link.found(Instant::now()) {
                    let line = format!("MIDI: {output} sends back what it receives; these echoes are ignored");
                    notices.0.send(Event::Notice(line), &notices.1);
                }
                if stopped.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
                    return lamps.put_out();
                }
            }
        });
        if let Err(error) = &thread {
            events.send(
                Event::Notice(format!("cannot start the MIDI out thread: {error}; lights will not be updated")),
                &counts,
            );
        }
        MidiOutputs { stop: Some(stop), thread: thread.ok(), board, profiles, names }
    }

    /// Where the show says what the lights should show.
    pub fn board(&self) -> Board {
        self.board.clone()
    }
}

impl Drop for MidiOutputs {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Open {
    identity: Identity,
    system_id: String,
    profile: Arc<Profile>,
    /// Number of its input in messages; `None` while that is closed.
    port: Option<u8>,
    connection: MidiOutputConnection,
    /// What each light shows; `None` if unknown.
    shown: Vec<Option<u16>>,
    moved: Vec<u32>,
}

struct Lamps {
    profiles: Arc<Profiles>,
    rule: PortRule,
    board: Board,
    client: Option<MidiOutput>,
    register: Register,
    open: Vec<Open>,
    refusing: Vec<Identity>,
    names: PortNames,
    link: Link,
    /// The version of the inputs that the outputs were paired with; `None` to pair again.
    paired: Option<u64>,
}

impl Lamps {
    fn look(&mut self, (events, counts): &(EventSender, Arc<Counts>)) {
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
        for found in found {
            let identity = found.identity;
            let is_open = self.open.iter().any(|open| open.identity == identity);
            let profile = self.profiles.of_port(&identity.name).filter(|profile| profile.has_lights());
            let Some(profile) = profile.filter(|_| !is_open) else { continue };
            match connect(&found.port, "lights") {
                Ok(connection) => {
                    let count = profile.controls.len();
                    let (shown, moved) = (vec![None; count], vec![0; count]);
                    let (profile, system_id) = (profile.clone(), found.system_id);
                    let open = Open { identity, system_id, profile, port: None, connection, shown, moved };
                    std::thread::sleep(SETTLE);
                    self.open.push(open);
                    self.pair();
                    if let Some(open) = self.open.last_mut() {
                        let profile = open.profile.clone();
                        profile.hello.iter().for_each(|message| open.send(message, &self.link));
                    }
                }
                Err(error) if !self.refusing.contains(&identity) => {
                    let text = format!("MIDI: the lights of {identity} cannot be reached: {error}");
                    events.send(Event::Notice(text), counts);
                    self.refusing.push(identity);
                }
                Err(_) => {}
            }
        }
        self.names.set(self.open.iter().map(|open| open.identity.to_string()).collect());
    }

    /// Determines which input each output belongs to.
    fn pair(&mut self) {
        self.paired = Some(self.link.version());
        let inputs = self.link.inputs();
        let profile_of = |name: &str| self.profiles.of_port(name);
        let fits = |output: usize, input: usize| {
            let profile = inputs.get(input).and_then(|input: &OpenInput| profile_of(&input.identity.name));
            profile.is_some_and(|profile| Arc::ptr_eq(profile, &self.open[output].profile))
        };
        let outputs: Vec<_> = self.open.iter().map(|open| (&open.identity, open.system_id.as_str())).collect();
        let heard: Vec<_> = inputs.iter().map(|input| (&input.identity, input.system_id.as_str())).collect();
        let pairs = pair(&outputs, &heard, fits);
        for (open, input) in self.open.iter_mut().zip(pairs) {
            let port = input.map(|input| inputs[input].port);
            if port != open.port {
                open.port = port;
                open.shown.fill(None);
            }
            self.link.attach(&open.identity, port, &open.profile);
        }
    }

    /// Sends what differs from the desired state.
    fn refresh(&mut self) {
        if self.paired != Some(self.link.version()) {
            self.pair();
        }
        for open in &mut self.open {
            let Some(panel) = open.port.and_then(|port| self.board.panel(&open.profile, port)) else { continue };
            for (control, wanted) in panel.wanted.iter().enumerate() {
                if panel.moved[control] != open.moved[control] {
                    open.moved[control] = panel.moved[control];
                    open.shown[control] = None;
                }
                let Some(value) = wanted.filter(|_| open.shown[control] != *wanted) else { continue };
                if let Some(light) = &panel.profile.controls[control].light {
                    open.send(&light.bytes(value), &self.link);
                    open.shown[control] = Some(value);
                }
            }
        }
    }

    fn put_out(&mut self) {
        for open in &mut self.open {
            let profile = open.profile.clone();
            for light in profile.controls.iter().filter_map(|control| control.light.as_ref()) {
                if let Some(off) = light.off() {
                    open.send(&light.bytes(off), &self.link);
                }
            }
            profile.goodbye.iter().for_each(|message| open.send(message, &self.link));
        }
        // The last messages are still on their way.
        std::thread::sleep(PACE * 20);
    }
}

impl Open {
    /// A message that fails to send is lost: the controller may just have been unplugged.
    fn send(&mut self, message: &[u8], link: &Link) {
        // Recorded first, as it may come back before `send` returns.
        link.sent(&self.identity, message, Instant::now());
        let _ = self.connection.send(message);
        std::thread::sleep(PACE);
    }
}

pub(super) fn list(client: &MidiOutput) -> Vec<Listed<MidiOutputPort>> {
    let listed =
        |port: MidiOutputPort| Some(Listed { name: client.port_name(&port).ok()?, system_id: port.id(), port });
    client.ports().into_iter().filter_map(listed).collect()
}

/// Opens a port; ours is called `name`.
pub(super) fn connect(port: &MidiOutputPort, name: &str) -> Result<MidiOutputConnection, String> {
    let client = MidiOutput::new(CLIENT).map_err(|error| error.to_string())?;
    client.connect(port, name).map_err(|error| error.to_string())
}
