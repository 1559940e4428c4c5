//! OSC out: answers to `/get`, `/dump` and `/subscribe`.
//!
//! Requests come from the thread `osc` through a bounded channel; the show calls [`Feedback::step`] once a frame,
//! on its own thread, with its parameters. Answers go to where the request came from, out of the port that
//! listens; a socket that cannot take them loses them. Without subscribers a frame costs one look at the channel.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use crossbeam_channel::Receiver;
use rosc::{OscBundle, OscMessage, OscPacket, OscTime, OscType};

use super::Request;
use crate::params::{Id, Params, Target, Value};

/// A subscription ends after so long unless it is renewed.
pub const SUBSCRIPTION_SECS: f64 = 60.0;
/// How many subscribers there are at most; a further one takes the place of the one who expires first.
pub const MAX_SUBSCRIBERS: usize = 16;
/// Messages to one client and frame, at most; the others follow in the next frames.
const MAX_MESSAGES: usize = 128;
/// Bundles stay below the usual packet size of a network.
const MAX_BUNDLE: usize = 1400;

struct Subscriber {
    to: SocketAddr,
    prefix: String,
    secs_left: f64,
    /// What this client knows: one slot for each number of the table, in the order of [`targets`].
    sent: Vec<f64>,
    /// Where the next frame goes on looking.
    next: usize,
}

/// The answering half of the OSC server; belongs to the show.
pub struct Feedback {
    socket: Arc<UdpSocket>,
    requests: Receiver<(SocketAddr, Request)>,
    targets: Vec<Target>,
    subscribers: Vec<Subscriber>,
}

impl Feedback {
    pub(super) fn new(socket: Arc<UdpSocket>, requests: Receiver<(SocketAddr, Request)>) -> Self {
        Feedback { socket, requests, targets: targets().collect(), subscribers: Vec::new() }
    }

    /// Answers what was asked since the last frame and sends what changed. `dt` in seconds.
    pub fn step(&mut self, params: &Params, dt: f64) {
        while let Ok((from, request)) = self.requests.try_recv() {
            self.answer(from, request, params);
        }
        self.subscribers.retain_mut(|subscriber| {
            subscriber.secs_left -= dt;
            subscriber.secs_left > 0.0
        });
        for subscriber in &mut self.subscribers {
            let changed = subscriber.changed(&self.targets, params);
            send(&self.socket, subscriber.to, changed);
        }
    }

    /// How many clients listen.
    pub fn subscribers(&self) -> usize {
        self.subscribers.len()
    }

    fn answer(&mut self, from: SocketAddr, request: Request, params: &Params) {
        match request {
            Request::Get { target } => send(&self.socket, from, message(target, params).into_iter().collect()),
            Request::Dump { prefix } => {
                let wanted = self.targets.iter().copied().chain(wordy());
                let wanted = wanted.filter(|&target| is_below(target, &prefix) && !is_idle_member(target, params));
                send(&self.socket, from, wanted.filter_map(|target| message(target, params)).collect());
            }
            Request::Unsubscribe => self.subscribers.retain(|s| s.to != from),
            Request::Subscribe { prefix } => {
                if let Some(known) = self.subscribers.iter_mut().find(|s| s.to == from && s.prefix == prefix) {
                    known.secs_left = SUBSCRIPTION_SECS;
                    return;
                }
                if self.subscribers.len() >= MAX_SUBSCRIBERS {
                    let first = (0..self.subscribers.len())
                        .min_by(|&a, &b| self.subscribers[a].secs_left.total_cmp(&self.subscribers[b].secs_left));
                    first.map(|i| self.subscribers.swap_remove(i));
                }
                let sent = self.targets.iter().map(|&target| params.base(target)).collect();
                self.subscribers.push(Subscriber { to: from, prefix, secs_left: SUBSCRIPTION_SECS, sent, next: 0 });
            }
        }
    }
}

impl Subscriber {
    /// The numbers that this client does not know yet, as many as one frame may send.
    fn changed(&mut self, targets: &[Target], params: &Params) -> Vec<OscMessage> {
        let mut messages = Vec::new();
        for step in 0..targets.len() {
            let i = (self.next + step) % targets.len();
            let base = params.base(targets[i]);
            if self.sent[i] == base {
                continue;
            }
            if messages.len() >= MAX_MESSAGES {
                self.next = i;
                break;
            }
            self.sent[i] = base;
            if is_below(targets[i], &self.prefix) {
                messages.extend(message(targets[i], params));
            }
        }
        messages
    }
}

/// Every parameter that is a number, and every member of the families.
fn targets() -> impl Iterator<Item = Target> {
    use crate::params::Kind;
    Id::all()
        .filter(|id| !matches!(id.def().kind, Kind::Text { .. } | Kind::Vector { .. } | Kind::Trigger))
        .flat_map(|id| (0..id.def().count).map(move |index| Target { id, index: index as u16 }))
}

/// Parameters that are texts: `/dump` has them too.
fn wordy() -> impl Iterator<Item = Target> {
    Id::all().filter(|id| matches!(id.def().kind, crate::params::Kind::Text { .. })).map(Target::from)
}

/// Thousands of members of families that rest at 0 are not worth telling.
fn is_idle_member(target: Target, params: &Params) -> bool {
    target.id.def().count > 1 && params.base(target) == 0.0
}

/// Whether the target's address is `prefix` or lies below it.
fn is_below(target: Target, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    let address = target.id.def().address;
    match address.strip_prefix(prefix) {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => target.id.def().count > 1 && prefix == target.to_string(),
    }
}

fn message(target: Target, params: &Params) -> Option<OscMessage> {
    let args = match params.value(target)? {
        Value::Float(x) => vec![OscType::Float(x as f32)],
        Value::Int(i) => vec![i32::try_from(i).map_or(OscType::Long(i), OscType::Int)],
        // 0 and 1 are what most programs understand.
        Value::Bool(b) => vec![OscType::Int(i32::from(b))],
        Value::Text(text) => vec![OscType::String(text)],
        Value::List(list) => list.into_iter().map(OscType::Float).collect(),
        Value::Travel(_) | Value::Nothing => return None,
    };
    Some(OscMessage { addr: target.to_string(), args })
}

/// Sends messages in bundles of a size that networks like. What the socket does not take is lost.
fn send(socket: &UdpSocket, to: SocketAddr, messages: Vec<OscMessage>) {
    let at_once = OscTime { seconds: 0, fractional: 1 };
    let mut bundle = OscBundle { timetag: at_once, content: Vec::new() };
    let mut size = 16;
    let flush = |bundle: &mut OscBundle| {
        if bundle.content.is_empty() {
            return;
        }
        let content = std::mem::take(&mut bundle.content);
        let packet = match <[OscPacket; 1]>::try_from(content) {
            Ok([single]) => single,
            Err(content) => OscPacket::Bundle(OscBundle { timetag: at_once, content }),
        };
        if let Ok(bytes) = rosc::encoder::encode(&packet) {
            let _ = socket.send_to(&bytes, to);
        }
    };
    for message in messages {
        let len = 4 + message.addr.len() + 4 + 8 * (1 + message.args.len());
        if size + len > MAX_BUNDLE {
            flush(&mut bundle);
            size = 16;
        }
        size += len;
        bundle.content.push(OscPacket::Message(message));
    }
    flush(&mut bundle);
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn prefixes_reach_whole_names_only() {
        for (id, prefix, expected) in [
            (Id::Psi, "/", true),
            (Id::Psi, "", true),
            (Id::Psi, "/psi", true),
            (Id::PsiCutoff, "/psi", true),
            (Id::Psi, "/ps", false),
            (Id::WalkSpeed, "/walk/", true),
            (Id::Z, "/z", true),
            (Id::Z, "/z/0", true),
            (Id::Z, "/z/1", false),
        ] {
            assert_eq!(is_below(id.into(), prefix), expected, "{} below {prefix}", id.def().address);
        }
    }
}
