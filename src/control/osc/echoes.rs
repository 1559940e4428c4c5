//! What was sent to each receiver, so that what comes back is told from input: [`crate::control::echo`] for OSC.
//!
//! Two instruments that are subscribed to each other, or a client that returns all it hears, would otherwise pass values
//! round for ever. The show notes what it sends, and the threads that read sockets ask; the lock is held for microseconds.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rosc::{OscMessage, OscType};

use crate::control::echo::Echo;
use crate::params::{Target, Value};

/// Longer than a network and two frames take to return a message.
const WINDOW: Duration = Duration::from_millis(500);
/// Maximum number of receivers whose behaviour is remembered; the one that was sent nothing for longest is forgotten.
const PEERS: usize = 64;

/// Who receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::control) struct Receiver {
    pub to: SocketAddr,
    /// Whether it may send from other ports than the one it listens on.
    pub has_other_ports: bool,
}

/// What was sent, shared by the show and the threads that read sockets.
#[derive(Clone, Default)]
pub(in crate::control) struct Echoes(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Whether anything was ever sent.
    is_used: AtomicBool,
    peers: Mutex<Vec<Peer>>,
}

struct Peer {
    receiver: Receiver,
    echo: Echo<u64, u64>,
    sent: Instant,
}

impl Echoes {
    /// Notes messages that are about to be sent.
    pub fn sent(&self, receiver: Receiver, messages: &[OscMessage], now: Instant) {
        self.0.is_used.store(true, Ordering::Release);
        let mut peers = self.peers();
        let place = peers.iter().position(|peer| peer.receiver.to == receiver.to).unwrap_or_else(|| {
            if peers.len() >= PEERS
                && let Some(quietest) = (0..PEERS).min_by_key(|&i| peers[i].sent)
            {
                peers.swap_remove(quietest);
            }
            peers.push(Peer { receiver, echo: Echo::new(WINDOW), sent: now });
            peers.len() - 1
        });
        let peer = &mut peers[place];
        (peer.sent, peer.receiver) = (now, receiver);
        for message in messages {
            peer.echo.sent(address_key(&message.addr), arguments_key(&message.args), now);
        }
    }

    /// Whether a message for a parameter is an echo of what was sent, and no input.
    pub fn is_echo_of(&self, target: Target, value: &Value, from: SocketAddr, now: Instant) -> bool {
        self.0.is_used.load(Ordering::Acquire) && self.is_echo(address_key(&target), value, from, now)
    }

    /// As [`Echoes::is_echo_of`], for an alias.
    pub fn is_echo_at(&self, alias: &str, value: &Value, from: SocketAddr, now: Instant) -> bool {
        self.0.is_used.load(Ordering::Acquire) && self.is_echo(address_key(&alias), value, from, now)
    }

    fn is_echo(&self, key: u64, value: &Value, from: SocketAddr, now: Instant) -> bool {
        let value = value_key(value);
        let mut peers = self.peers();
        if let Some(peer) = peers.iter_mut().find(|peer| peer.receiver.to == from) {
            if peer.echo.is_echo(&key, &value, now) {
                return true;
            }
            peer.echo.hand(&key);
        }
        let is_near = |peer: &&mut Peer| {
            let receiver = peer.receiver;
            receiver.has_other_ports && receiver.to != from && receiver.to.ip() == from.ip()
        };
        peers.iter_mut().filter(is_near).any(|peer| peer.echo.is_echo(&key, &value, now))
    }

    /// The receivers found to return what they are sent, each reported once.
    pub fn found(&self, now: Instant) -> Vec<SocketAddr> {
        if !self.0.is_used.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut peers = self.peers();
        peers.iter_mut().for_each(|peer| peer.echo.expire(now));
        peers.iter_mut().filter_map(|peer| peer.echo.found().then_some(peer.receiver.to)).collect()
    }

    fn peers(&self) -> MutexGuard<'_, Vec<Peer>> {
        self.0.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// 64-bit FNV-1a, whose result does not depend on how the bytes are cut. The keys are compared within this process only.
struct Fnv(u64);

impl Fnv {
    fn new(kind: u8) -> Self {
        let mut fnv = Fnv(0xcbf2_9ce4_8422_2325);
        fnv.add(&[kind]);
        fnv
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

impl std::fmt::Write for Fnv {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.add(text.as_bytes());
        Ok(())
    }
}

fn address_key(address: &impl std::fmt::Display) -> u64 {
    let mut fnv = Fnv::new(0);
    // Writing to a hash cannot fail.
    let _ = std::fmt::Write::write_fmt(&mut fnv, format_args!("{address}"));
    fnv.0
}

/// Numbers and switches of any type are the same if they are as 32-bit floats, which most programs use for everything.
fn numbers_key(numbers: impl Iterator<Item = f32>) -> u64 {
    let mut fnv = Fnv::new(1);
    numbers.for_each(|number| fnv.add(&number.to_bits().to_le_bytes()));
    fnv.0
}

fn text_key(text: &str) -> u64 {
    let mut fnv = Fnv::new(2);
    fnv.add(text.as_bytes());
    fnv.0
}

fn value_key(value: &Value) -> u64 {
    let one = |number: f32| numbers_key(std::iter::once(number));
    match value {
        Value::Float(x) | Value::Travel(x) => one(*x as f32),
        Value::Int(i) => one(*i as f32),
        Value::Bool(b) => one(f32::from(u8::from(*b))),
        Value::Text(text) => text_key(text),
        Value::List(list) => numbers_key(list.iter().copied()),
        Value::Nothing => numbers_key(std::iter::empty()),
    }
}

fn arguments_key(arguments: &[OscType]) -> u64 {
    if let [OscType::String(text)] = arguments {
        return text_key(text);
    }
    let number = |argument: &OscType| match argument {
        OscType::Float(x) => *x,
        OscType::Int(i) => *i as f32,
        OscType::Long(i) => *i as f32,
        OscType::Bool(b) => f32::from(u8::from(*b)),
        _ => 0.0,
    };
    numbers_key(arguments.iter().map(number))
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::params::Id;

    fn address(port: u16) -> SocketAddr {
        (std::net::Ipv4Addr::LOCALHOST, port).into()
    }

    fn message(address: &str, args: Vec<OscType>) -> OscMessage {
        OscMessage { addr: address.to_owned(), args }
    }

    #[test]
    fn what_comes_back_is_known_by_its_value() {
        let (echoes, now) = (Echoes::default(), Instant::now());
        let receiver = Receiver { to: address(9001), has_other_ports: false };
        let z3 = Target { id: Id::Z, index: 3 };
        for (sent, target, back, other) in [
            (
                message("/psi", vec![OscType::Float(0.7)]),
                Id::Psi.into(),
                Value::Float(f64::from(0.7_f32)),
                Value::Float(0.7001),
            ),
            (message("/z/3", vec![OscType::Float(1.5)]), z3, Value::Float(1.5), Value::Nothing),
            (message("/seed", vec![OscType::Int(7)]), Id::Seed.into(), Value::Float(7.0), Value::Int(8)),
            (message("/freeze", vec![OscType::Int(1)]), Id::Freeze.into(), Value::Bool(true), Value::Bool(false)),
            (
                message("/walk/kind", vec![OscType::String("loop".into())]),
                Id::WalkKind.into(),
                Value::Text("loop".into()),
                Value::Text("line".into()),
            ),
            (
                message("/z", vec![OscType::Float(1.0), OscType::Float(2.0)]),
                Id::ZVector.into(),
                Value::List(vec![1.0, 2.0]),
                Value::List(vec![1.0]),
            ),
        ] {
            echoes.sent(receiver, std::slice::from_ref(&sent), now);
            assert!(echoes.is_echo_of(target, &back, address(9001), now), "{sent:?}");
            assert!(!echoes.is_echo_of(target, &back, address(9001), now), "{sent:?}, sent once");
            echoes.sent(receiver, std::slice::from_ref(&sent), now);
            assert!(!echoes.is_echo_of(target, &other, address(9001), now), "{sent:?}, a hand");
        }
        assert_eq!(echoes.found(now), [address(9001)]);
        assert_eq!(echoes.found(now), [], "said once");
    }

    #[test]
    fn a_receiver_may_send_from_another_port() {
        let (echoes, now) = (Echoes::default(), Instant::now());
        let psi = [message("/1/fader", vec![OscType::Float(0.5)])];
        let (near, half) = (address(50_000), Value::Float(0.5));
        echoes.sent(Receiver { to: address(9001), has_other_ports: false }, &psi, now);
        assert!(!echoes.is_echo_at("/1/fader", &half, near, now), "another program of the same machine");
        echoes.sent(Receiver { to: address(9001), has_other_ports: true }, &psi, now);
        assert!(echoes.is_echo_at("/1/fader", &half, near, now));
        echoes.sent(Receiver { to: address(9001), has_other_ports: true }, &psi, now);
        assert!(!echoes.is_echo_at("/1/fader", &half, ([10, 0, 0, 1], 9001).into(), now), "another machine");
    }

    #[test]
    fn memory_is_bounded() {
        let (echoes, now) = (Echoes::default(), Instant::now());
        let psi = [message("/psi", vec![OscType::Float(0.5)])];
        for port in 1..10_000 {
            echoes.sent(
                Receiver { to: address(port), has_other_ports: true },
                &psi,
                now + Duration::from_millis(port.into()),
            );
        }
        assert_eq!(echoes.peers().len(), PEERS);
        assert!(echoes.is_echo_of(Id::Psi.into(), &Value::Float(0.5), address(9999), now + Duration::from_secs(10)));
    }
}
