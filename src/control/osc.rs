//! OSC input over UDP, and answers to clients.
//!
//! The thread `osc` blocks on its socket, reads each datagram behind the guard in [`packet`], and puts events into
//! the queue. It never waits for the show, and no input can stop it: invalid messages are counted, and reported once. It
//! looks up addresses in a shared table, without a lock; `params` decides which values a parameter takes, and presets define
//! the aliases.

mod echoes;
pub mod feedback;
pub mod feeds;
pub(in crate::control) mod inbox;
mod intake;
mod message;
pub(in crate::control) mod names;
mod outs;
pub mod packet;
mod pattern;
mod port_owner;
pub(in crate::control) mod reports;
pub mod schedule;
mod server;
mod sockets;
mod sources;

pub use feedback::Feedback;
pub use message::{MAX_ADDRESS, MAX_CODE, MAX_TEXT};
pub use outs::{MAX_OUTS, Out, OutError};
pub use packet::Refusal;
pub use server::{Options, OscServer};

use std::net::SocketAddr;
use std::num::NonZeroU16;

use crate::control::listen::{Refuses, is_missing_family};
use crate::modulate::SignalId;
use crate::params::{Id, MAX_DIM, Table, Target, Value};
use message::Message;

/// Where the instrument listens by default: on this machine only.
pub const DEFAULT_ADDRESS: SocketAddr =
    SocketAddr::V4(std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 9000));

/// Why OSC cannot be received.
#[derive(Debug, thiserror::Error)]
pub enum OscError {
    #[error("UDP port {} is in use by {owner}: quit that program, or choose another port with --osc", address.port())]
    Taken { address: SocketAddr, owner: String },
    #[error("no address {} on this machine: listen on 127.0.0.1, or on 0.0.0.0 for the whole network", address.ip())]
    NoSuchAddress { address: SocketAddr },
    #[error("cannot listen for OSC on {address}: {source}")]
    Socket { address: SocketAddr, source: std::io::Error },
}

impl Refuses for OscError {
    fn is_missing_family(&self) -> bool {
        match self {
            OscError::NoSuchAddress { .. } => true,
            OscError::Socket { source, .. } => is_missing_family(source),
            OscError::Taken { .. } => false,
        }
    }
}

/// The meaning of one message.
#[derive(Clone, Debug, PartialEq)]
pub enum Incoming<'a> {
    Write {
        target: Target,
        value: Value,
    },
    /// No parameter has this address, but a preset may have an alias for it.
    Unknown {
        address: &'a str,
        value: Value,
    },
    /// Nothing has this address.
    Nothing {
        address: &'a str,
    },
    /// `/signal/<name>`, of a name that a preset or a device uses.
    Signal {
        id: SignalId,
        value: f64,
    },
    Request(Request),
}

/// A client's request, answered to its sender.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// `/subscribe [PREFIX] [PORT]`: send changes for the next minute.
    Subscribe { prefix: String, reply: Reply },
    /// `/unsubscribe [PORT]`
    Unsubscribe { reply: Reply },
    /// `/get ADDRESS [PORT]`
    Get { address: String, reply: Reply },
    /// `/get/effective ADDRESS [PORT]`: the effective value, including modulation.
    GetEffective { address: String, reply: Reply },
    /// `/dump [PREFIX] [PORT]`: send everything.
    Dump { prefix: String, reply: Reply },
}

/// Where answers go: to the port that the request came from, or to another port of the same machine, as for programs that
/// send from one port and listen on another (TouchOSC, Lemur).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reply(pub Option<NonZeroU16>);

impl Reply {
    /// The address for a request `from` this client.
    pub fn to(self, from: SocketAddr) -> SocketAddr {
        self.0.map_or(from, |port| SocketAddr::new(from.ip(), port.get()))
    }
}

/// What one client may request per second, in single-value answers; a dump counts as a hundred.
pub(in crate::control) const QUESTIONS_PER_SEC: f64 = 400.0;

impl Request {
    /// How many single-value answers it counts as.
    pub(in crate::control) fn cost(&self) -> f64 {
        match self {
            Request::Dump { .. } => 100.0,
            Request::Subscribe { .. } => 20.0,
            Request::Get { .. } | Request::GetEffective { .. } | Request::Unsubscribe { .. } => 1.0,
        }
    }
}

/// Maximum number of parameters that the patterns of one datagram may match.
const MAX_REACHED: usize = 2 * MAX_DIM;
/// Maximum number of patterns in one datagram.
const MAX_PATTERNS: usize = 16;

/// Addresses of requests, which are answered to the sender; aliases cannot use them.
const QUESTIONS: [&str; 5] = ["/subscribe", "/unsubscribe", "/dump", "/get", "/get/effective"];
/// Prefixes of signals and of answers, and the optional prefix of every address.
const PREFIXES: [&str; 3] = ["/signal/", "/effective/", "/latent-jockey/"];

/// Whether an address is reserved without being a parameter: a request or a feed.
pub fn is_reserved(address: &str) -> bool {
    let has_prefix = PREFIXES.iter().any(|prefix| address.starts_with(prefix));
    QUESTIONS.contains(&address) || feeds::Feed::resolve(address).is_some() || has_prefix
}

/// Reads a datagram: calls `visit` for each message in order, with its time tag, and for each refusal.
/// Pure and bounded; does not allocate for messages with a single number. An address costs one look-up in the table.
pub fn read<'a>(datagram: &'a [u8], table: &Table, visit: impl FnMut(Result<(u64, Incoming<'a>), Refusal>)) {
    read_for(datagram, table, |_| true, visit);
}

/// As [`read`]. `may_play` tells which of the addresses that are not in the table an alias may have; the arguments of all
/// others are not read.
pub fn read_for<'a>(
    datagram: &'a [u8],
    table: &Table,
    may_play: impl Fn(&str) -> bool,
    mut visit: impl FnMut(Result<(u64, Incoming<'a>), Refusal>),
) {
    let (mut patterns, mut reached) = (0, 0);
    packet::each_message(datagram, |part| {
        let (time_tag, message) = match part.and_then(|(tag, bytes)| Ok((tag, Message::parse(bytes)?))) {
            Ok(read) => read,
            Err(refusal) => return visit(Err(refusal)),
        };
        if pattern::is_pattern(message.address) {
            patterns += 1;
            let result = if patterns > MAX_PATTERNS { Err(Refusal::WidePattern) } else { message.value(None) };
            let result = result.and_then(|value| {
                pattern::expand(message.address, table, |target| {
                    reached += 1;
                    if reached <= MAX_REACHED {
                        visit(Ok((time_tag, Incoming::Write { target, value: value.clone() })));
                    }
                })
            });
            match result {
                Err(refusal) => visit(Err(refusal)),
                Ok(()) if reached > MAX_REACHED => visit(Err(Refusal::WidePattern)),
                Ok(()) => {}
            }
            return;
        }
        visit(one(&message, table, &may_play).map(|incoming| (time_tag, incoming)));
    });
}

/// A message whose address is not a pattern.
fn one<'a>(message: &Message<'a>, table: &Table, may_play: impl Fn(&str) -> bool) -> Result<Incoming<'a>, Refusal> {
    if let Some(target) = table.resolve(message.address) {
        let is_code = target.id == Id::Eval;
        let value = if is_code { message.code()? } else { message.value(Some(target.id.def().kind))? };
        return Ok(Incoming::Write { target, value });
    }
    let address =
        message.address.strip_prefix("/latent-jockey").filter(|rest| rest.starts_with('/')).unwrap_or(message.address);
    let wanted = || -> Result<(String, Reply), Refusal> {
        let (prefix, port) = message.prefix_and_port()?;
        Ok((prefix.unwrap_or("/").to_owned(), Reply(port)))
    };
    let asked = || -> Result<(String, Reply), Refusal> {
        let (address, port) = message.prefix_and_port()?;
        let address = address.filter(|address| address.starts_with('/')).ok_or(Refusal::BadRequest)?;
        Ok((address.to_owned(), Reply(port)))
    };
    match address {
        "/subscribe" => wanted().map(|(prefix, reply)| Incoming::Request(Request::Subscribe { prefix, reply })),
        "/unsubscribe" => wanted().map(|(_, reply)| Incoming::Request(Request::Unsubscribe { reply })),
        "/dump" => wanted().map(|(prefix, reply)| Incoming::Request(Request::Dump { prefix, reply })),
        "/get" => asked().map(|(address, reply)| Incoming::Request(Request::Get { address, reply })),
        "/get/effective" => asked().map(|(address, reply)| Incoming::Request(Request::GetEffective { address, reply })),
        _ => match address.strip_prefix("/signal/").and_then(SignalId::find) {
            Some(id) => Ok(Incoming::Signal { id, value: message.number()? }),
            None if may_play(address) => Ok(Incoming::Unknown { address, value: message.value(None)? }),
            None => Ok(Incoming::Nothing { address }),
        },
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::params::Id;

    fn seen(datagram: &[u8]) -> Vec<Result<Incoming<'_>, Refusal>> {
        let mut seen = Vec::new();
        read(datagram, Table::built_in(), |part| seen.push(part.map(|(_, incoming)| incoming)));
        seen
    }

    fn write(id: Id, value: Value) -> Result<Incoming<'static>, Refusal> {
        Ok(Incoming::Write { target: id.into(), value })
    }

    #[test]
    fn messages_find_their_parameters() {
        assert_eq!(seen(b"/psi\0\0\0\0,f\0\0\x3f\x00\0\0"), [write(Id::Psi, Value::Float(0.5))]);
        assert_eq!(seen(b"/latent-jockey/psi\0\0,i\0\0\0\0\0\x01"), [write(Id::Psi, Value::Int(1))]);
        let z = Target { id: Id::Z, index: 3 };
        assert_eq!(
            seen(b"/z/3\0\0\0\0,f\0\0\x3f\x80\0\0"),
            [Ok(Incoming::Write { target: z, value: Value::Float(1.0) })]
        );
        assert_eq!(seen(b"/z\0\0,ff\0\x3f\x80\0\0\xbf\x80\0\0"), [write(Id::ZVector, Value::List(vec![1.0, -1.0]))]);
        assert_eq!(seen(b"/1/fader3\0\0\0"), [Ok(Incoming::Unknown { address: "/1/fader3", value: Value::Nothing })]);
        assert_eq!(seen(b"/p?i\0\0\0\0,F\0\0"), [write(Id::Psi, Value::Bool(false))]);
    }

    #[test]
    fn requests_are_told_from_unknown_addresses() {
        let request = |bytes: &[u8]| match seen(bytes).remove(0) {
            Ok(Incoming::Request(request)) => Ok(request),
            Err(refusal) => Err(refusal),
            other => panic!("{other:?}"),
        };
        let subscribe = |prefix: &str, port| {
            Ok(Request::Subscribe { prefix: prefix.to_owned(), reply: Reply(NonZeroU16::new(port)) })
        };
        assert_eq!(request(b"/subscribe\0\0"), subscribe("/", 0));
        assert_eq!(request(b"/subscribe\0\0,s\0\0/walk\0\0\0"), subscribe("/walk", 0));
        // With the port that the client listens on, in any order and number type.
        assert_eq!(request(b"/subscribe\0\0,si\0/psi\0\0\0\0\0\0\x23\x29"), subscribe("/psi", 9001));
        assert_eq!(request(b"/subscribe\0\0,is\0\0\0\x23\x29/psi\0\0\0\0"), subscribe("/psi", 9001));
        assert_eq!(request(b"/subscribe\0\0,i\0\0\0\0\x23\x29"), subscribe("/", 9001));
        assert_eq!(request(b"/subscribe\0\0,f\0\0\x46\x0c\xa4\0"), subscribe("/", 9001));
        assert_eq!(request(b"/subscribe\0\0,ss\0/psi\0\0\0\x009001\0\0\0\0"), subscribe("/psi", 9001));
        for wrong in [&b",i\0\0\0\0\0\0"[..], b",i\0\0\xff\xff\xff\xff", b",i\0\0\0\x01\0\0", b",f\0\0\x3f\x00\0\0"] {
            assert_eq!(request(&[b"/subscribe\0\0", wrong].concat()), Err(Refusal::BadPort));
        }
        let reply = Reply(NonZeroU16::new(9001));
        assert_eq!(request(b"/unsubscribe\0\0\0\0,i\0\0\0\0\x23\x29"), Ok(Request::Unsubscribe { reply }));
        let from: SocketAddr = ([10, 0, 0, 7], 50_000).into();
        assert_eq!((reply.to(from), Reply(None).to(from)), (([10, 0, 0, 7], 9001).into(), from));
        assert_eq!(
            request(b"/get\0\0\0\0,s\0\0/psi\0\0\0\0"),
            Ok(Request::Get { address: "/psi".to_owned(), reply: Reply(None) })
        );
        let at_port = Request::Get { address: "/psi".to_owned(), reply: Reply(NonZeroU16::new(9001)) };
        assert_eq!(request(b"/get\0\0\0\0,si\0/psi\0\0\0\0\0\0\x23\x29"), Ok(at_port));
        assert_eq!(request(b"/get\0\0\0\0,s\0\0psi\0"), Err(Refusal::BadRequest));
        assert_eq!(
            request(b"/get/effective\0\0,s\0\0/psi\0\0\0\0"),
            Ok(Request::GetEffective { address: "/psi".to_owned(), reply: Reply(None) })
        );
        assert_eq!(request(b"/get/effective\0\0"), Err(Refusal::BadRequest));
        assert_eq!(request(b"/dump\0\0\0"), Ok(Request::Dump { prefix: "/".to_owned(), reply: Reply(None) }));
    }

    #[test]
    fn signals_are_numbers_under_names_in_use() {
        let id = SignalId::intern("osc-test.kick").unwrap();
        let signal = |value| Ok(Incoming::Signal { id, value });
        assert_eq!(seen(b"/signal/osc-test.kick\0\0\0,f\0\0\x3f\x00\0\0"), [signal(0.5)]);
        assert_eq!(seen(b"/signal/osc-test/kick\0\0\0,i\0\0\0\0\0\x01"), [signal(1.0)]);
        assert_eq!(seen(b"/signal/osc-test.kick\0\0\0,s\0\x000.25\0\0\0\0"), [signal(0.25)]);
        for wrong in [&b",s\0\0abc\0"[..], b",f\0\0\x7f\x80\0\0", b",\0\0\0"] {
            let datagram = [&b"/signal/osc-test.kick\0\0\0"[..], wrong].concat();
            assert!(matches!(seen(&datagram)[..], [Err(_)]), "{:?}", seen(&datagram));
        }
        let other = "/signal/osc-test.never";
        let datagram = b"/signal/osc-test.never\0\0,f\0\0\x3f\x00\0\0";
        assert_eq!(seen(datagram), [Ok(Incoming::Unknown { address: other, value: Value::Float(0.5) })]);
    }

    #[test]
    fn patterns_are_bounded() {
        let wide: &[u8] = b"/{z,w}/*\0\0\0\0,f\0\0\x3f\x80\0\0";
        assert_eq!(seen(wide).len(), MAX_REACHED);
        let twice = packet::test::bundle_of(1, &[wide, wide]);
        let twice = seen(&twice);
        assert_eq!((twice.len(), twice.last()), (MAX_REACHED + 1, Some(&Err(Refusal::WidePattern))));
        let narrow: &[u8] = b"/ps?\0\0\0\0";
        let many = packet::test::bundle_of(1, &[narrow; 100]);
        assert_eq!(seen(&many).iter().filter(|part| part.is_ok()).count(), MAX_PATTERNS);
    }

    /// Random bytes, and valid datagrams with a few bytes changed: nothing panics or hangs.
    #[test]
    fn no_bytes_make_it_panic() {
        let mut rng = crate::control::test_rng(1);
        let good = packet::test::bundle_of(
            1,
            &[
                b"/psi\0\0\0\0,f\0\0\x3f\x00\0\0",
                b"/[z]/{1,2}\0\0,[sSb]\0\0abc\0def\0\0\0\0\x04abcd",
                &packet::test::bundle_of(9, &[b"/walk/*\0,T\0\0"]),
            ],
        );
        let mut parts = 0;
        for _ in 0..30_000 {
            let mut bytes = good.clone();
            for _ in 0..1 + rng() % 4 {
                let i = rng() as usize % bytes.len();
                bytes[i] = rng() as u8;
            }
            bytes.truncate(1 + rng() as usize % bytes.len());
            read(&bytes, Table::built_in(), |_| parts += 1);
            let noise: Vec<u8> = (0..rng() % 64).map(|_| rng() as u8).collect();
            read(&noise, Table::built_in(), |_| parts += 1);
        }
        assert!(parts > 30_000);
    }
}
