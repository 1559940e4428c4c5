//! The thread `midi out`: opens the outputs of controllers that have a profile, and keeps their lights as the show
//! wants them.
//!
//! The show says what each light should be ([`Board`]: **latest value wins**); the thread sends what differs from
//! what a controller shows, at most once in [`TICK`] for each light and at a pace. Ports that come and go are
//! looked for as the inputs are. Controllers without a profile are sent nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use midir::{MidiOutput, MidiOutputConnection, MidiOutputPort};

use super::inputs::PortNames;
use super::ports::{CLIENT, Identity, PortRule, identify};
use super::profile::{Profile, Profiles};
use super::{LOOK_EVERY, has_sequencer};
use crate::control::lights::Lights;
use crate::control::{Counts, Device, DeviceStatus, Event, EventSender, Listener};

/// A light is sent at most once in this time.
const TICK: Duration = Duration::from_millis(15);
/// Between two messages, so that small controllers keep up.
const PACE: Duration = Duration::from_millis(1);

/// A port that was just connected loses what comes at once: JACK takes a moment, and so do devices.
const SETTLE: Duration = Duration::from_millis(100);

/// What the lights of one controller should show.
#[derive(Clone, Debug)]
pub struct Panel {
    pub profile: Arc<Profile>,
    /// 0 for the first controller of this profile.
    pub number: usize,
    /// For each control of the profile; `None` leaves its light alone.
    pub wanted: Vec<Option<u16>>,
    /// Grows when a control was moved by hand: what it shows now is its own.
    pub moved: Vec<u32>,
}

/// The panels of all controllers, shared by the show and the thread. Both hold it for moments only.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Vec<Panel>>>);

impl Board {
    /// Changes the panels, unless the thread is reading them: then the next frame does.
    pub fn update(&self, change: impl FnOnce(&mut Vec<Panel>)) {
        match self.0.try_lock() {
            Ok(mut panels) => change(&mut panels),
            Err(std::sync::TryLockError::Poisoned(poisoned)) => change(&mut poisoned.into_inner()),
            Err(std::sync::TryLockError::WouldBlock) => {}
        }
    }

    fn panel(&self, profile: &Arc<Profile>, number: usize) -> Option<Panel> {
        let panels = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        panels.iter().find(|panel| Arc::ptr_eq(&panel.profile, profile) && panel.number == number).cloned()
    }
}

/// The outputs of all controllers that have lights. Dropping it puts the lights out and closes them.
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
    /// Starts the thread. Without a MIDI system it does nothing; the inputs tell of that.
    pub fn start(profiles: Arc<Profiles>, rule: PortRule, events: EventSender, counts: Arc<Counts>) -> Self {
        let (stop, stopped) = bounded::<()>(0);
        let (board, names) = (Board::default(), PortNames::default());
        let mut lamps = Lamps {
            profiles: profiles.clone(),
            rule,
            board: board.clone(),
            client: None,
            open: Vec::new(),
            refusing: Vec::new(),
            names: names.clone(),
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
                if stopped.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout) {
                    return lamps.put_out();
                }
            }
        });
        if let Err(error) = &thread {
            events
                .send(Event::Notice(format!("no thread for MIDI out: {error}; the lights stay as they are")), &counts);
        }
        MidiOutputs { stop: Some(stop), thread: thread.ok(), board, profiles, names }
    }

    /// Where the show says what the lights should be.
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
    connection: MidiOutputConnection,
    /// What each light shows; `None` when that is not known.
    shown: Vec<Option<u16>>,
    moved: Vec<u32>,
}

struct Lamps {
    profiles: Arc<Profiles>,
    rule: PortRule,
    board: Board,
    client: Option<MidiOutput>,
    open: Vec<Open>,
    refusing: Vec<Identity>,
    names: PortNames,
}

impl Lamps {
    fn look(&mut self, (events, counts): &(EventSender, Arc<Counts>)) {
        let client = match self.client.take() {
            None if !has_sequencer() => None,
            None => MidiOutput::new(CLIENT).ok(),
            kept => kept,
        };
        let listed = client.as_ref().map(list).unwrap_or_default();
        // A client without any port may have lost its server: a new one is made at the next look.
        self.client = client.filter(|_| !listed.is_empty());
        self.open.retain(|open| listed.iter().any(|(id, port)| *id == open.identity && port.id() == open.system_id));
        self.refusing.retain(|identity| listed.iter().any(|(id, _)| id == identity));
        for (identity, port) in listed {
            let is_open = self.open.iter().any(|open| open.identity == identity);
            let profile = self.profiles.of_port(&identity.name).filter(|profile| profile.has_lights());
            let Some(profile) = profile.filter(|_| !is_open && self.rule.allows(&identity.name)) else { continue };
            match connect(&port) {
                Ok(connection) => {
                    let count = profile.controls.len();
                    let (shown, moved) = (vec![None; count], vec![0; count]);
                    let profile = profile.clone();
                    let mut open = Open { identity, system_id: port.id(), profile, connection, shown, moved };
                    std::thread::sleep(SETTLE);
                    let hello = open.profile.clone();
                    hello.hello.iter().for_each(|message| open.send(message));
                    self.open.push(open);
                }
                Err(error) if !self.refusing.contains(&identity) => {
                    let text = format!("MIDI: the lights of {identity} cannot be reached: {error}");
                    events.send(Event::Notice(text), counts);
                    self.refusing.push(identity);
                }
                Err(_) => {}
            }
        }
        self.open.sort_by(|a, b| (&a.identity.name, a.identity.number).cmp(&(&b.identity.name, b.identity.number)));
        self.names.set(self.open.iter().map(|open| open.identity.to_string()).collect());
    }

    /// Sends what is not as it should be.
    fn refresh(&mut self) {
        for i in 0..self.open.len() {
            let number =
                self.open[..i].iter().filter(|other| Arc::ptr_eq(&other.profile, &self.open[i].profile)).count();
            let open = &mut self.open[i];
            let Some(panel) = self.board.panel(&open.profile, number) else { continue };
            for (control, wanted) in panel.wanted.iter().enumerate() {
                if panel.moved[control] != open.moved[control] {
                    open.moved[control] = panel.moved[control];
                    open.shown[control] = None;
                }
                let Some(value) = wanted.filter(|_| open.shown[control] != *wanted) else { continue };
                if let Some(light) = &panel.profile.controls[control].light {
                    open.send(&light.bytes(value));
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
                    open.send(&light.bytes(off));
                }
            }
            profile.goodbye.iter().for_each(|message| open.send(message));
        }
        // What was sent last is still on its way.
        std::thread::sleep(PACE * 20);
    }
}

impl Open {
    /// What a controller does not take is lost: it may just have been pulled out.
    fn send(&mut self, message: &[u8]) {
        let _ = self.connection.send(message);
        std::thread::sleep(PACE);
    }
}

fn list(client: &MidiOutput) -> Vec<(Identity, MidiOutputPort)> {
    identify(client.ports().into_iter().filter_map(|port| Some((client.port_name(&port).ok()?, port))))
}

fn connect(port: &MidiOutputPort) -> Result<MidiOutputConnection, String> {
    let client = MidiOutput::new(CLIENT).map_err(|error| error.to_string())?;
    client.connect(port, "lights").map_err(|error| error.to_string())
}
