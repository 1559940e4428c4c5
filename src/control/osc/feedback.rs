//! OSC out: answers to `/get`, `/dump` and `/subscribe`.
//!
//! Requests come from the thread `osc` through a bounded channel; the show calls [`Feedback::step`] once a frame,
//! on its own thread, with what it tells. Besides parameters these are the feeds, and the aliases of the preset: a
//! fader that plays `/psi` under a name of its own follows `/psi` under that name. Answers go to where the request came from, out of the port that
//! listens; a socket that cannot take them loses them. Without subscribers a frame costs one look at the channel.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use crossbeam_channel::Receiver;
use rosc::{OscBundle, OscMessage, OscPacket, OscTime, OscType};

use super::Request;
use super::feeds::{FEEDS, Feed, Feeds};
use crate::control::mapping::OscEntry;
use crate::control::{Counts, Event, EventSender, Listener, Snapshot, Source};
use crate::params::{self, Id, Params, Target, Value};

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
    /// The same of texts and vectors, in the order of [`others`].
    sent_others: Vec<Value>,
    feeds: Feeds,
    /// Where the next frame goes on looking.
    next: usize,
}

/// The answering half of the OSC server; belongs to the show.
pub struct Feedback {
    socket: Arc<UdpSocket>,
    requests: Receiver<(SocketAddr, Request)>,
    targets: Vec<Target>,
    others: Vec<Target>,
    subscribers: Vec<Subscriber>,
    /// An address that somebody asked for and that does not exist is an unknown one like others.
    events: EventSender,
    counts: Arc<Counts>,
}

impl Listener for Feedback {
    fn publish(&mut self, snapshot: &Snapshot, dt: f64) {
        if let Some(address) = self.step(snapshot, dt) {
            self.events.send(Event::Unknown { address, value: Value::Nothing, source: Source::Osc }, &self.counts);
        }
    }
}

impl Feedback {
    pub(super) fn new(
        socket: Arc<UdpSocket>,
        requests: Receiver<(SocketAddr, Request)>,
        events: EventSender,
        counts: Arc<Counts>,
    ) -> Self {
        let (targets, others) = (targets().collect(), others().collect());
        Feedback { socket, requests, targets, others, subscribers: Vec::new(), events, counts }
    }

    /// Answers what was asked since the last frame and sends what changed. `dt` in seconds. Gives the address that
    /// somebody asked for and that does not exist.
    pub fn step(&mut self, snapshot: &Snapshot, dt: f64) -> Option<String> {
        let mut unknown = None;
        while let Ok((from, request)) = self.requests.try_recv() {
            if let Err(address) = self.answer(from, request, snapshot) {
                unknown = Some(address);
            }
        }
        self.subscribers.retain_mut(|subscriber| {
            subscriber.secs_left -= dt;
            subscriber.secs_left > 0.0
        });
        for subscriber in &mut self.subscribers {
            let changed = subscriber.changed(&self.targets, &self.others, snapshot);
            send(&self.socket, subscriber.to, changed);
        }
        unknown
    }

    /// How many clients listen.
    pub fn subscribers(&self) -> usize {
        self.subscribers.len()
    }

    fn answer(&mut self, from: SocketAddr, request: Request, snapshot: &Snapshot) -> Result<(), String> {
        match request {
            Request::Get { address } => {
                let found = one(&address, snapshot).ok_or(address)?;
                send(&self.socket, from, vec![found]);
            }
            Request::Dump { prefix } => {
                let prefix = bare(&prefix);
                let wanted = self.targets.iter().chain(&self.others).copied();
                let wanted =
                    wanted.filter(|&target| is_below(target, prefix) && !is_idle_member(target, snapshot.params));
                let feeds = FEEDS.into_iter().filter(|feed| is_in(feed.address(), prefix));
                let aliases = snapshot.aliases().iter().filter(|alias| is_in(&alias.address, prefix));
                let messages = wanted
                    .filter_map(|target| message(target, snapshot.params))
                    .chain(feeds.map(|feed| feed_message(feed, &snapshot.feeds)))
                    .chain(aliases.filter_map(|alias| alias_message(alias, snapshot.params)));
                send(&self.socket, from, messages.collect());
            }
            Request::Unsubscribe => self.subscribers.retain(|s| s.to != from),
            Request::Subscribe { prefix } => {
                let prefix = bare(&prefix).to_owned();
                if let Some(known) = self.subscribers.iter_mut().find(|s| s.to == from && s.prefix == prefix) {
                    known.secs_left = SUBSCRIPTION_SECS;
                    return Ok(());
                }
                if self.subscribers.len() >= MAX_SUBSCRIBERS {
                    let first = (0..self.subscribers.len())
                        .min_by(|&a, &b| self.subscribers[a].secs_left.total_cmp(&self.subscribers[b].secs_left));
                    first.map(|i| self.subscribers.swap_remove(i));
                }
                let sent = self.targets.iter().map(|&target| snapshot.params.base(target)).collect();
                let feeds = snapshot.feeds;
                let secs_left = SUBSCRIPTION_SECS;
                let sent_others = self.others.iter().filter_map(|&target| snapshot.params.value(target)).collect();
                self.subscribers.push(Subscriber { to: from, prefix, secs_left, sent, sent_others, feeds, next: 0 });
            }
        }
        Ok(())
    }
}

impl Subscriber {
    /// What this client does not know yet, as much as one frame may send.
    fn changed(&mut self, targets: &[Target], others: &[Target], snapshot: &Snapshot) -> Vec<OscMessage> {
        let mut messages = Vec::new();
        for feed in FEEDS.into_iter().filter(|feed| is_in(feed.address(), &self.prefix)) {
            if self.feeds.number(feed) != snapshot.feeds.number(feed) {
                messages.push(feed_message(feed, &snapshot.feeds));
            }
        }
        self.feeds = snapshot.feeds;
        for (&target, sent) in others.iter().zip(&mut self.sent_others) {
            let is_known = match sent {
                Value::Text(text) => text == snapshot.params.text(target.id),
                Value::List(list) => list == snapshot.params.vector(target.id),
                _ => true,
            };
            if is_known {
                continue;
            }
            sent.clone_from(&snapshot.params.value(target).unwrap_or(Value::Nothing));
            if is_below(target, &self.prefix) {
                messages.extend(message(target, snapshot.params));
            }
        }
        for step in 0..targets.len() {
            let i = (self.next + step) % targets.len();
            let base = snapshot.params.base(targets[i]);
            if self.sent[i] == base {
                continue;
            }
            if messages.len() >= MAX_MESSAGES {
                self.next = i;
                break;
            }
            self.sent[i] = base;
            if is_below(targets[i], &self.prefix) {
                messages.extend(message(targets[i], snapshot.params));
            }
            let aliases = snapshot.aliases().iter().filter(|a| a.to == targets[i] && is_in(&a.address, &self.prefix));
            messages.extend(aliases.filter_map(|alias| alias_message(alias, snapshot.params)));
        }
        messages
    }
}

/// The answer to `/get`: a parameter, a feed or an alias.
fn one(address: &str, snapshot: &Snapshot) -> Option<OscMessage> {
    if let Some(target) = params::resolve(address) {
        return message(target, snapshot.params);
    }
    if let Some(feed) = Feed::resolve(address) {
        return Some(feed_message(feed, &snapshot.feeds));
    }
    snapshot
        .aliases()
        .iter()
        .find(|alias| alias.address == address)
        .and_then(|alias| alias_message(alias, snapshot.params))
}

fn feed_message(feed: Feed, feeds: &Feeds) -> OscMessage {
    OscMessage { addr: feed.address().to_owned(), args: vec![feeds.value(feed)] }
}

/// What a fader with an address of its own shows: the travel from 0 to 1 where the alias has a range, else the value.
fn alias_message(alias: &OscEntry, params: &Params) -> Option<OscMessage> {
    Some(OscMessage { addr: alias.address.clone(), args: arguments(alias.back(params.value(alias.to))?)? })
}

/// A prefix without ours, and without a slash at its end.
pub fn bare(prefix: &str) -> &str {
    let rest = prefix.strip_prefix("/latent-jockey").filter(|rest| rest.is_empty() || rest.starts_with('/'));
    rest.unwrap_or(prefix).trim_end_matches('/')
}

/// Whether an address is `prefix` or lies below it.
pub fn is_in(address: &str, prefix: &str) -> bool {
    address.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Every parameter that is a number, and every member of the families.
fn targets() -> impl Iterator<Item = Target> {
    use crate::params::Kind;
    Id::all()
        .filter(|id| !matches!(id.def().kind, Kind::Text { .. } | Kind::Vector { .. } | Kind::Trigger))
        .flat_map(|id| (0..id.def().count).map(move |index| Target { id, index: index as u16 }))
}

/// Every parameter that is a text or a vector.
fn others() -> impl Iterator<Item = Target> {
    use crate::params::Kind;
    Id::all().filter(|id| matches!(id.def().kind, Kind::Text { .. } | Kind::Vector { .. })).map(Target::from)
}

/// Thousands of members of families that rest at 0 are not worth telling.
fn is_idle_member(target: Target, params: &Params) -> bool {
    target.id.def().count > 1 && params.base(target) == 0.0
}

/// Whether the target's address is `prefix` or lies below it.
fn is_below(target: Target, prefix: &str) -> bool {
    is_in(target.id.def().address, prefix) || target.id.def().count > 1 && prefix == target.to_string()
}

fn message(target: Target, params: &Params) -> Option<OscMessage> {
    Some(OscMessage { addr: target.to_string(), args: arguments(params.value(target)?)? })
}

/// The arguments that carry a value; `None` for what has none.
fn arguments(value: Value) -> Option<Vec<OscType>> {
    Some(match value {
        Value::Float(x) => vec![OscType::Float(x as f32)],
        Value::Int(i) => vec![i32::try_from(i).map_or(OscType::Long(i), OscType::Int)],
        // 0 and 1 are what most programs understand.
        Value::Bool(b) => vec![OscType::Int(i32::from(b))],
        Value::Text(text) => vec![OscType::String(text)],
        Value::List(list) => list.into_iter().map(OscType::Float).collect(),
        Value::Travel(_) | Value::Nothing => return None,
    })
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
            (Id::WalkSpeed, "/latent-jockey", true),
            (Id::WalkSpeed, "/latent-jockey/walk", true),
            (Id::WalkSpeed, "/latent-jockeywalk", false),
        ] {
            assert_eq!(is_below(id.into(), bare(prefix)), expected, "{} below {prefix}", id.def().address);
        }
    }
}
