//! The thread `midi out`: opens the outputs of controllers that have a profile, and keeps their lights up to date.
//!
//! The show says what each light should show ([`Board`]: **latest value wins**). The thread sends what differs from
//! what the controller shows, at most once per [`TICK`] and light, and paced. Ports are scanned like the inputs.
//! Nothing is sent to controllers without a profile.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::LOOK_EVERY;
use super::inputs::{MidiInputs, PortNames};
use super::link::{Link, OpenInput};
use super::outlets::{Outlet, Outlets};
use super::ports::{PortRule, pair};
use super::profile::{Profile, Profiles};
use crate::control::lights::Lights;
use crate::control::{Counts, Device, DeviceStatus, Event, EventSender, Listener};
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

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
        let notices = (events.clone(), counts.clone());
        let outlets = Outlets::new(("lights", "no lights on"), rule, names.clone(), events.clone(), counts.clone());
        let (link, shared) = (inputs.link(), profiles.clone());
        let mut lamps = Lamps { profiles: shared, board: board.clone(), outlets, link, paired: None };
        let thread = std::thread::Builder::new().name("midi out".to_owned()).spawn(move || {
            let mut next_look = Instant::now();
            loop {
                if Instant::now() >= next_look {
                    next_look = Instant::now() + LOOK_EVERY;
                    lamps.look();
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
                Event::Fault {
                    of: "MIDI out".to_owned(),
                    line: format!("cannot start the MIDI out thread: {error}; lights will not be updated"),
                },
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

/// The lights of one controller.
struct Lamp {
    profile: Arc<Profile>,
    /// Number of its input in messages; `None` while that is closed.
    port: Option<u8>,
    /// What each light shows; `None` if unknown.
    shown: Vec<Option<u16>>,
    moved: Vec<u32>,
}

struct Lamps {
    profiles: Arc<Profiles>,
    board: Board,
    outlets: Outlets<Lamp>,
    link: Link,
    /// The version of the inputs that the outputs were paired with; `None` to pair again.
    paired: Option<u64>,
}

impl Lamps {
    fn look(&mut self) {
        let opened = self.outlets.look(|identity| {
            let profile = self.profiles.of_port(&identity.name).filter(|profile| profile.has_lights())?.clone();
            let count = profile.controls.len();
            Some(Lamp { profile, port: None, shown: vec![None; count], moved: vec![0; count] })
        });
        if opened == 0 {
            return;
        }
        std::thread::sleep(SETTLE);
        self.pair();
        let first = self.outlets.open.len() - opened;
        for open in &mut self.outlets.open[first..] {
            let profile = open.of.profile.clone();
            profile.hello.iter().for_each(|message| open.send(message, &self.link));
        }
    }

    /// Determines which input each output belongs to.
    fn pair(&mut self) {
        self.paired = Some(self.link.version());
        let inputs = self.link.inputs();
        let profile_of = |name: &str| self.profiles.of_port(name);
        let open = &self.outlets.open;
        let fits = |output: usize, input: usize| {
            let profile = inputs.get(input).and_then(|input: &OpenInput| profile_of(&input.identity.name));
            profile.is_some_and(|profile| Arc::ptr_eq(profile, &open[output].of.profile))
        };
        let outputs: Vec<_> = open.iter().map(|open| (&open.identity, open.system_id.as_str())).collect();
        let heard: Vec<_> = inputs.iter().map(|input| (&input.identity, input.system_id.as_str())).collect();
        let pairs = pair(&outputs, &heard, fits);
        for (open, input) in self.outlets.open.iter_mut().zip(pairs) {
            let port = input.map(|input| inputs[input].port);
            if port != open.of.port {
                open.of.port = port;
                open.of.shown.fill(None);
            }
            self.link.attach(&open.identity, port, &open.of.profile);
        }
    }

    /// Sends what differs from the desired state.
    fn refresh(&mut self) {
        if self.paired != Some(self.link.version()) {
            self.pair();
        }
        for open in &mut self.outlets.open {
            let lamp = &mut open.of;
            let Some(panel) = lamp.port.and_then(|port| self.board.panel(&lamp.profile, port)) else { continue };
            for (control, wanted) in panel.wanted.iter().enumerate() {
                let lamp = &mut open.of;
                if panel.moved[control] != lamp.moved[control] {
                    lamp.moved[control] = panel.moved[control];
                    lamp.shown[control] = None;
                }
                let Some(value) = wanted.filter(|_| lamp.shown[control] != *wanted) else { continue };
                if let Some(light) = &panel.profile.controls[control].light {
                    lamp.shown[control] = Some(value);
                    open.send(&light.bytes(value), &self.link);
                }
            }
        }
    }

    fn put_out(&mut self) {
        for open in &mut self.outlets.open {
            let profile = open.of.profile.clone();
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

impl Outlet<Lamp> {
    /// A message that fails to send is lost: the controller may just have been unplugged.
    fn send(&mut self, message: &[u8], link: &Link) {
        // Recorded first, as it may come back before `send` returns.
        link.sent(&self.identity, message, Instant::now());
        let _ = self.connection.send(message);
        std::thread::sleep(PACE);
    }
}
