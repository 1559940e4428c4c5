//! What the inputs and outputs know of each other: which controller is which, and what was sent to each.
//!
//! The thread `midi out` records what it sends, and the callbacks of the inputs check whether a message is an [`Echo`] of
//! that. They never block: the lock is held for microseconds at most, and they only try it a few times. See
//! [`crate::control::echo`] for what counts as an echo.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use super::motor::Motor;
use super::ports::Identity;
use super::{Kind, Message, Profile, parse};
use crate::control::echo::Echo;
use crate::control::mapping::{Control, ControlSpec};

/// Longer than a DAW or a network takes to return a message.
const WINDOW: Duration = Duration::from_millis(500);
/// How often a callback tries the lock.
const TRIES: usize = 100;
/// Maximum unplugged controllers whose behaviour is remembered.
const PEERS: usize = 64;

/// A control on one channel.
pub(super) type Key = ControlSpec;

/// What a message is about, and its value: 7 bits, or 14 for pitch bend. A released note has the value 0, in either
/// encoding. `None` for clocks and the like.
pub(super) fn key(message: &Message) -> Option<(Key, u16)> {
    let (control, value) = match message.kind {
        Kind::NoteOn { note, velocity } => (Control::Note(note), velocity.into()),
        Kind::NoteOff { note } => (Control::Note(note), 0),
        Kind::ControlChange { controller, value } => (Control::Cc(controller), value.into()),
        Kind::ProgramChange { program } => (Control::Program, program.into()),
        Kind::ChannelPressure { pressure } => (Control::Pressure, pressure.into()),
        Kind::PolyPressure { note, pressure } => (Control::PolyPressure(note), pressure.into()),
        Kind::PitchBend { bend } => {
            let steps = if bend < 0.0 { bend * 8192.0 } else { bend * 8191.0 };
            (Control::Bend, (steps + 8192.0).round() as u16)
        }
        _ => return None,
    };
    Some((ControlSpec { channel: Some(message.channel), control }, value))
}

/// An input that is open.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OpenInput {
    pub identity: Identity,
    pub system_id: String,
    /// Its number in messages.
    pub port: u8,
}

/// Shared by the inputs and the outputs.
#[derive(Clone, Debug, Default)]
pub(super) struct Link(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    inputs: Mutex<Vec<OpenInput>>,
    /// Incremented when the inputs change.
    version: AtomicU64,
    peers: Mutex<Vec<Peer>>,
}

/// A controller that receives messages.
#[derive(Debug)]
struct Peer {
    output: Identity,
    /// The input of the same controller; `None` while there is none.
    port: Option<u8>,
    echo: Echo<Key, u16>,
    motors: Vec<Motor>,
}

impl Link {
    pub fn set_inputs(&self, inputs: Vec<OpenInput>) {
        let mut known = self.0.inputs.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != inputs {
            *known = inputs;
            self.0.version.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn inputs(&self) -> Vec<OpenInput> {
        self.0.inputs.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Incremented when the inputs change.
    pub fn version(&self) -> u64 {
        self.0.version.load(Ordering::Relaxed)
    }

    /// Registers an open output, whose controller with this profile has its input at `port`. Its echo behaviour is
    /// remembered while it is unplugged.
    pub fn attach(&self, output: &Identity, port: Option<u8>, profile: &Profile) {
        let mut peers = self.peers();
        let place = peers.iter().position(|peer| peer.output == *output).unwrap_or_else(|| {
            if peers.len() >= PEERS {
                peers.remove(0);
            }
            peers.push(Peer { output: output.clone(), port: None, echo: Echo::new(WINDOW), motors: Vec::new() });
            peers.len() - 1
        });
        let peer = &mut peers[place];
        if std::mem::replace(&mut peer.port, port) != port {
            peer.motors = profile.motors().collect();
        }
    }

    /// Notes a message that is about to be sent.
    pub fn sent(&self, output: &Identity, bytes: &[u8], now: Instant) {
        let Some((key, value)) = parse(bytes, 0, 0).as_ref().and_then(key) else { return };
        if let Some(peer) = self.peers().iter_mut().find(|peer| peer.output == *output) {
            peer.echo.sent(key, value, now);
            peer.motors.iter_mut().for_each(|motor| motor.sent(key, value, now));
        }
    }

    /// Whether a message is not input: an echo of what was sent, at this or another port, or a fader moved by its motor. For
    /// callbacks.
    pub fn is_echo(&self, message: &Message, now: Instant) -> bool {
        let Some((key, value)) = key(message) else { return false };
        let Some(mut peers) = self.peers_soon() else { return false };
        for peer in peers.iter_mut().filter(|peer| peer.port == Some(message.port)) {
            // Every motor sees it, to track position and touch.
            let mut is_motor = false;
            for motor in &mut peer.motors {
                is_motor |= motor.moves_itself(key, value, message.kind, now);
            }
            if peer.echo.is_echo(&key, &value, now) || is_motor {
                return true;
            }
            peer.echo.hand(&key);
        }
        peers.iter_mut().any(|peer| peer.port != Some(message.port) && peer.echo.is_echo(&key, &value, now))
    }

    /// The controllers found to echo what they receive, each reported once.
    pub fn found(&self, now: Instant) -> Vec<Identity> {
        let mut peers = self.peers();
        peers.iter_mut().for_each(|peer| peer.echo.expire(now));
        peers.iter_mut().filter_map(|peer| peer.echo.found().then(|| peer.output.clone())).collect()
    }

    fn peers(&self) -> MutexGuard<'_, Vec<Peer>> {
        self.0.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn peers_soon(&self) -> Option<MutexGuard<'_, Vec<Peer>>> {
        for _ in 0..TRIES {
            match self.0.peers.try_lock() {
                Ok(peers) => return Some(peers),
                Err(TryLockError::Poisoned(poisoned)) => return Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
            }
        }
        None
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::control::midi::Profiles;

    struct Rig {
        link: Link,
        now: Instant,
    }

    impl Rig {
        /// Controllers with these names, with inputs at ports 0, 1, ...
        fn new(names: &[&str]) -> Rig {
            let (link, profiles) = (Link::default(), Profiles::shipped());
            for (port, name) in (0..).zip(names) {
                link.attach(&Rig::identity(name), Some(port), profiles.of_port(name).expect("a profile"));
            }
            Rig { link, now: Instant::now() }
        }

        fn identity(name: &str) -> Identity {
            Identity { name: name.to_owned(), number: 0 }
        }

        fn send(&mut self, name: &str, bytes: &[u8]) {
            self.link.sent(&Rig::identity(name), bytes, self.now);
        }

        /// Receives a message some milliseconds later; returns whether it was an echo.
        fn hear(&mut self, ms: u64, port: u8, bytes: &[u8]) -> bool {
            self.now += Duration::from_millis(ms);
            self.link.is_echo(&parse(bytes, port, 0).expect("a message"), self.now)
        }
    }

    #[test]
    fn messages_have_a_key_and_a_value() {
        for (bytes, control, value) in [
            (&[0x95, 60, 100][..], "ch 6 note 60", 100),
            (&[0x95, 60, 0], "ch 6 note 60", 0),
            (&[0x85, 60, 64], "ch 6 note 60", 0),
            (&[0xbf, 7, 3], "ch 16 cc 7", 3),
            (&[0xc0, 9], "ch 1 program", 9),
            (&[0xd0, 9], "ch 1 pressure", 9),
            (&[0xa0, 5, 9], "ch 1 pressure 5", 9),
        ] {
            let (key, found) = key(&parse(bytes, 0, 0).unwrap()).unwrap();
            assert_eq!((key.to_string().as_str(), found), (control, value), "{bytes:x?}");
        }
        for steps in 0..16_384 {
            let bytes = [0xe3, (steps & 0x7f) as u8, (steps >> 7) as u8];
            assert_eq!(key(&parse(&bytes, 0, 0).unwrap()).unwrap().1, steps, "all 14 bits of pitch bend come through");
        }
        assert!(key(&parse(&[0xf8], 0, 0).unwrap()).is_none());
    }

    #[test]
    fn echoed_lights_are_not_presses() {
        let mut rig = Rig::new(&["APC MINI"]);
        // Pads have their lights on the same notes, with different values than presses.
        for pad in 0..8 {
            rig.send("APC MINI", &[0x90, pad, 5]);
        }
        assert!((0..8).all(|pad| rig.hear(1, 0, &[0x90, pad, 5])));
        assert!(!rig.hear(1, 0, &[0x90, 3, 127]), "a press");
        assert!(!rig.hear(1, 0, &[0x90, 3, 0]), "and its release");
        rig.send("APC MINI", &[0x90, 3, 0]);
        assert!(rig.hear(5, 0, &[0x80, 3, 64]), "a light that goes out returns as a note that is let go");
        assert_eq!(rig.link.found(rig.now), [Rig::identity("APC MINI")]);
        assert_eq!(rig.link.found(rig.now), [], "said once");
    }

    #[test]
    fn an_echo_may_come_back_at_another_port() {
        let mut rig = Rig::new(&["APC MINI", "nanoKONTROL2"]);
        rig.send("APC MINI", &[0x90, 36, 5]);
        assert!(rig.hear(5, 7, &[0x90, 36, 5]), "through a port that has no profile");
        rig.send("APC MINI", &[0x90, 37, 5]);
        assert!(rig.hear(5, 1, &[0x90, 37, 5]), "or through another controller's");
        assert!(!rig.hear(5, 1, &[0x90, 37, 5]));
    }

    #[test]
    fn a_press_with_the_value_of_its_light_counts() {
        let mut rig = Rig::new(&["nanoKONTROL2", "nanoKONTROL2-01"]);
        let button = |value| [0xb0, 43, value];
        rig.send("nanoKONTROL2", &button(0));
        rig.send("nanoKONTROL2-01", &button(0));
        assert!(!rig.hear(600, 0, &button(127)));
        assert!(!rig.hear(20, 0, &button(0)));
        rig.send("nanoKONTROL2", &button(127));
        rig.send("nanoKONTROL2-01", &button(127));
        assert!(!rig.hear(100, 0, &button(127)), "pressed again at once");
        assert!(!rig.hear(20, 0, &button(0)));
        assert!(!rig.hear(100, 1, &button(127)), "and on the other one");
    }

    #[test]
    fn a_14_bit_ring_and_a_motor() {
        let mut rig = Rig::new(&["X-Touch"]);
        rig.send("X-Touch", &[0xe0, 0x01, 0x40]);
        assert!(rig.hear(20, 0, &[0xe0, 0x00, 0x20]) && rig.hear(20, 0, &[0xe0, 0x01, 0x40]), "its own way");
        assert!(!rig.hear(0, 0, &[0x90, 104, 127]), "a finger");
        assert!(!rig.hear(0, 0, &[0xe0, 0x02, 0x40]), "any other value is a hand");
        let ring = "name = 'r'\nports = ['r']\n[[controls]]\nname = 'k'\nsends = 'bend'\nchannels = 1\nlight = { motor = false }";
        let profile = Profile::parse("r", ring).unwrap();
        rig.link.attach(&Rig::identity("r"), Some(5), &profile);
        rig.send("r", &[0xe0, 0x01, 0x40]);
        assert!(!rig.hear(20, 5, &[0xe0, 0x00, 0x40]), "the lowest bit is a hand");
        rig.send("r", &[0xe0, 0x03, 0x40]);
        assert!(!rig.hear(20, 5, &[0xe0, 0x03, 0x40]), "one that was lost, so the first echo is not believed");
    }
}
