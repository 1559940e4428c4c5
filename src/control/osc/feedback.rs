//! OSC out: answers to `/get`, `/dump` and `/subscribe`.
//!
//! Requests come from the thread `osc` through a bounded channel; the show calls [`Feedback::step`] once a frame,
//! on its own thread, with the values of that frame: parameters, feeds, and the preset's aliases, so that a fader mapped to
//! `/psi` under `/1/fader3` follows it at that address. Answers go to the sender of the request, or to another port of its
//! machine if it names one, from the listening port; if the socket cannot take them they are dropped. Receivers of
//! [`Outs`] are subscribed for good. When rows are added or removed, subscribers are only sent the new ones.
//! Without subscribers, a frame costs one look at the channel.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::Receiver;
use rosc::{OscBundle, OscMessage, OscPacket, OscTime, OscType};

use super::Request;
use super::echoes::{self, Echoes};
use super::feeds::{FEEDS, Feed, Feeds};
use super::names::Names;
use super::outs::Outs;
use super::reports::Reports;
use super::sockets::Sockets;
use crate::control::mapping::OscEntry;
use crate::control::{Counts, Listener, Snapshot};
use crate::params::{Kind, Params, Table, Target, Value};

/// A subscription expires after this long unless renewed.
pub const SUBSCRIPTION_SECS: f64 = 60.0;
/// Maximum number of subscribers; another one replaces the one that expires first.
pub const MAX_SUBSCRIBERS: usize = 16;
/// Maximum messages per client and frame; the rest follow in the next frames.
const MAX_MESSAGES: usize = 128;
/// Maximum bundle size in bytes, below a network's usual packet size.
const MAX_BUNDLE: usize = 1400;

struct Subscriber {
    to: SocketAddr,
    /// The client that asked; `None` if it is one of [`Outs`].
    asked_by: Option<SocketAddr>,
    prefix: String,
    /// Infinite if it is one of [`Outs`].
    secs_left: f64,
    /// Values sent to this client: one slot for each of [`Feedback::numbers`]; NaN if not sent yet.
    sent: Vec<f64>,
    /// The same for each of [`Feedback::others`]; `Nothing` if not sent yet.
    sent_others: Vec<Value>,
    feeds: Feeds,
    /// Where the next frame continues.
    next: usize,
}

/// What both halves of an OSC server share.
#[derive(Clone)]
pub(super) struct Heard {
    pub names: Names,
    pub reports: Reports,
    pub echoes: Echoes,
    pub counts: Arc<Counts>,
}

/// The answering half of the OSC server; belongs to the show.
pub struct Feedback {
    sockets: Sockets,
    requests: Receiver<(SocketAddr, Request)>,
    echoes: Echoes,
    outs: Outs,
    /// What the thread `osc` looks up.
    names: Names,
    /// The table behind the next two lists.
    table: Arc<Table>,
    /// Every numeric parameter, and every member of the families.
    numbers: Vec<Target>,
    /// Every string or vector parameter.
    others: Vec<Target>,
    subscribers: Vec<Subscriber>,
    /// For requests for unknown addresses.
    reports: Reports,
    counts: Arc<Counts>,
}

impl Listener for Feedback {
    fn publish(&mut self, snapshot: &Snapshot, dt: f64) {
        if let Some((address, from)) = self.step(snapshot, dt) {
            Counts::add(&self.counts.refused);
            self.reports.unknown(&address, from);
        }
    }
}

impl Feedback {
    pub(super) fn new(
        sockets: Sockets,
        requests: Receiver<(SocketAddr, Request)>,
        outs: Outs,
        Heard { names, reports, echoes, counts }: Heard,
    ) -> Self {
        let table = names.tables.get().clone();
        let (numbers, others) = (numbers(&table), others(&table));
        let subscribers = Vec::new();
        Feedback { sockets, requests, echoes, outs, names, table, numbers, others, subscribers, reports, counts }
    }

    /// Switches to other rows; subscribers keep what they know of those that stay.
    fn follow(&mut self, table: &Arc<Table>) {
        if self.table.version() == table.version() {
            return;
        }
        let (numbers, others) = (numbers(table), others(table));
        for subscriber in &mut self.subscribers {
            let known: HashMap<Target, f64> = self.numbers.iter().copied().zip(subscriber.sent.drain(..)).collect();
            subscriber.sent.extend(numbers.iter().map(|t| known.get(t).copied().unwrap_or_else(|| unsent(t))));
            let mut known: HashMap<Target, Value> =
                self.others.iter().copied().zip(subscriber.sent_others.drain(..)).collect();
            subscriber.sent_others.extend(others.iter().map(|t| known.remove(t).unwrap_or(Value::Nothing)));
            subscriber.next = 0;
        }
        (self.table, self.numbers, self.others) = (table.clone(), numbers, others);
    }

    /// Answers requests since the last frame and sends changes. `dt` in seconds. Returns an address that a client asked
    /// for but that does not exist, and the client.
    pub fn step(&mut self, snapshot: &Snapshot, dt: f64) -> Option<(String, SocketAddr)> {
        self.names.publish(snapshot.params.table(), snapshot.aliases(), snapshot.heard());
        self.follow(snapshot.params.table());
        let mut unknown = None;
        while let Ok((from, request)) = self.requests.try_recv() {
            if let Err(address) = self.answer(from, request, snapshot) {
                unknown = Some((address, from));
            }
        }
        self.subscribers.retain_mut(|subscriber| {
            subscriber.secs_left -= dt;
            subscriber.secs_left > 0.0
        });
        self.follow_outs(snapshot);
        for subscriber in &mut self.subscribers {
            let changed = subscriber.changed(&self.numbers, &self.others, snapshot);
            if changed.is_empty() {
                continue;
            }
            let has_other_ports = subscriber.asked_by != Some(subscriber.to);
            let receiver = echoes::Receiver { to: subscriber.to, has_other_ports };
            // Before the bytes leave, as they may be back at once.
            self.echoes.sent(receiver, &changed, Instant::now());
            send(&self.sockets, subscriber.to, changed);
        }
        unknown
    }

    /// Subscribes the receivers of [`Outs`], if they have changed. New ones are sent everything first.
    fn follow_outs(&mut self, snapshot: &Snapshot) {
        let Some(outs) = self.outs.changed(snapshot.outs()) else { return };
        let is_wanted = |to, prefix: &str| outs.iter().any(|(out, wanted)| *out == to && bare(wanted) == prefix);
        self.subscribers.retain(|s| s.asked_by.is_some() || is_wanted(s.to, &s.prefix));
        for (to, prefix) in outs {
            let (to, prefix) = (*to, bare(prefix).to_owned());
            let is_known = |s: &Subscriber| s.asked_by.is_none() && s.to == to && s.prefix == prefix;
            if self.subscribers.iter().any(is_known) || self.sockets.are_at(to) {
                continue;
            }
            let sent = self.numbers.iter().map(unsent).collect();
            let sent_others = vec![Value::Nothing; self.others.len()];
            let feeds = Feeds::unsent();
            let secs_left = f64::INFINITY;
            self.subscribers.push(Subscriber {
                to,
                asked_by: None,
                prefix,
                secs_left,
                sent,
                sent_others,
                feeds,
                next: 0,
            });
        }
    }

    /// Number of subscribed clients, and of receivers that are sent everything without asking.
    pub fn subscribers(&self) -> usize {
        self.subscribers.len()
    }

    fn answer(&mut self, from: SocketAddr, request: Request, snapshot: &Snapshot) -> Result<(), String> {
        match request {
            Request::Get { address, reply } => {
                let found = one(&address, snapshot).ok_or(address)?;
                send(&self.sockets, reply.to(from), vec![found]);
            }
            Request::GetEffective { address, reply } => {
                let target = snapshot.params.table().resolve(&address);
                let value = target.and_then(|target| snapshot.params.effective(target));
                let (target, args) = target.zip(value.and_then(arguments)).ok_or(address)?;
                let message = OscMessage { addr: effective_address(&target.to_string()), args };
                send(&self.sockets, reply.to(from), vec![message]);
            }
            Request::Dump { prefix, reply } => {
                let prefix = bare(&prefix);
                let wanted = self.numbers.iter().chain(&self.others).copied();
                let wanted =
                    wanted.filter(|&target| is_below(target, prefix) && !is_idle_member(target, snapshot.params));
                let feeds = FEEDS.into_iter().filter(|feed| is_in(feed.address(), prefix));
                let aliases = snapshot.aliases().iter().filter(|alias| is_in(&alias.address, prefix));
                let messages = wanted
                    .filter_map(|target| message(target, snapshot.params))
                    .chain(feeds.map(|feed| feed_message(feed, &snapshot.feeds)))
                    .chain(aliases.filter_map(|alias| alias_message(alias, snapshot.params)));
                send(&self.sockets, reply.to(from), messages.collect());
            }
            Request::Unsubscribe { reply } => {
                let to = reply.to(from);
                self.subscribers.retain(|s| s.asked_by.is_none_or(|by| s.to != to && by != to));
            }
            Request::Subscribe { prefix, reply } => {
                let (to, prefix) = (reply.to(from), bare(&prefix).to_owned());
                let asked = |s: &&mut Subscriber| s.asked_by.is_some() && s.to == to && s.prefix == prefix;
                if let Some(known) = self.subscribers.iter_mut().find(asked) {
                    (known.secs_left, known.asked_by) = (SUBSCRIPTION_SECS, Some(from));
                    return Ok(());
                }
                // Our own port: every change would come back as one.
                if self.sockets.are_at(to) {
                    Counts::add(&self.counts.refused);
                    return Ok(());
                }
                let clients = (0..self.subscribers.len()).filter(|&i| self.subscribers[i].asked_by.is_some());
                if clients.clone().count() >= MAX_SUBSCRIBERS {
                    let first = clients
                        .min_by(|&a, &b| self.subscribers[a].secs_left.total_cmp(&self.subscribers[b].secs_left));
                    first.map(|i| self.subscribers.swap_remove(i));
                }
                let sent = self.numbers.iter().map(|&target| snapshot.params.base(target)).collect();
                let feeds = snapshot.feeds;
                let secs_left = SUBSCRIPTION_SECS;
                let sent_others = self.others.iter().filter_map(|&target| snapshot.params.value(target)).collect();
                let asked_by = Some(from);
                self.subscribers.push(Subscriber {
                    to,
                    asked_by,
                    prefix,
                    secs_left,
                    sent,
                    sent_others,
                    feeds,
                    next: 0,
                });
            }
        }
        Ok(())
    }
}

impl Subscriber {
    /// What this client does not know yet, up to the limit per frame.
    fn changed(&mut self, numbers: &[Target], others: &[Target], snapshot: &Snapshot) -> Vec<OscMessage> {
        let mut messages = Vec::new();
        let is_wanted = |feed: &Feed| feed.is_sent_to(&self.prefix) && is_in(feed.address(), &self.prefix);
        for feed in FEEDS.into_iter().filter(is_wanted) {
            if self.feeds.number(feed) != snapshot.feeds.number(feed) {
                messages.push(feed_message(feed, &snapshot.feeds));
            }
        }
        self.feeds = snapshot.feeds;
        for (&target, sent) in others.iter().zip(&mut self.sent_others) {
            let is_known = match sent {
                Value::Text(text) => text == snapshot.params.text(target.id),
                Value::List(list) => list == snapshot.params.vector(target.id),
                _ => false,
            };
            if is_known {
                continue;
            }
            sent.clone_from(&snapshot.params.value(target).unwrap_or(Value::Nothing));
            if is_below(target, &self.prefix) {
                messages.extend(message(target, snapshot.params));
            }
        }
        for step in 0..numbers.len() {
            let i = (self.next + step) % numbers.len();
            let base = snapshot.params.base(numbers[i]);
            if self.sent[i] == base {
                continue;
            }
            if messages.len() >= MAX_MESSAGES {
                self.next = i;
                break;
            }
            self.sent[i] = base;
            if is_below(numbers[i], &self.prefix) {
                messages.extend(message(numbers[i], snapshot.params));
            }
            let aliases = snapshot.aliases().iter().filter(|a| a.to == numbers[i] && is_in(&a.address, &self.prefix));
            messages.extend(aliases.filter_map(|alias| alias_message(alias, snapshot.params)));
        }
        messages
    }
}

/// The answer to `/get`: a parameter, a feed or an alias.
fn one(address: &str, snapshot: &Snapshot) -> Option<OscMessage> {
    if let Some(target) = snapshot.params.table().resolve(address) {
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

/// The value for a fader on an alias: its travel from 0 to 1 if the alias has a range, otherwise the value.
fn alias_message(alias: &OscEntry, params: &Params) -> Option<OscMessage> {
    Some(OscMessage { addr: alias.address.clone(), args: arguments(alias.back(params.value(alias.to))?)? })
}

/// The address under which an effective value is sent.
pub fn effective_address(address: &str) -> String {
    format!("/effective{address}")
}

/// A prefix without `/latent-jockey`, and without a trailing slash.
pub fn bare(prefix: &str) -> &str {
    let rest = prefix.strip_prefix("/latent-jockey").filter(|rest| rest.is_empty() || rest.starts_with('/'));
    rest.unwrap_or(prefix).trim_end_matches('/')
}

/// Whether an address is `prefix` or lies below it.
pub fn is_in(address: &str, prefix: &str) -> bool {
    address.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The slot of a number that was not sent yet.
fn unsent(target: &Target) -> f64 {
    match target.id.def() {
        // Of a family, only members that were set are sent.
        def if def.is_family() => def.default_number().unwrap_or(f64::NAN),
        _ => f64::NAN,
    }
}

fn numbers(table: &Table) -> Vec<Target> {
    let is_number = |kind| !matches!(kind, Kind::Text { .. } | Kind::Vector { .. } | Kind::Trigger);
    table.targets().filter(|target| is_number(target.id.def().kind)).collect()
}

fn others(table: &Table) -> Vec<Target> {
    table.targets().filter(|target| matches!(target.id.def().kind, Kind::Text { .. } | Kind::Vector { .. })).collect()
}

/// Thousands of members of families that rest at 0 are not worth sending.
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

/// The arguments for a value; `None` if it has none.
fn arguments(value: Value) -> Option<Vec<OscType>> {
    Some(match value {
        Value::Float(x) => vec![OscType::Float(x as f32)],
        Value::Int(i) => vec![i32::try_from(i).map_or(OscType::Long(i), OscType::Int)],
        // Most programs understand 0 and 1.
        Value::Bool(b) => vec![OscType::Int(i32::from(b))],
        Value::Text(text) => vec![OscType::String(text)],
        Value::List(list) => list.into_iter().map(OscType::Float).collect(),
        Value::Travel(_) | Value::Nothing => return None,
    })
}

/// Sends messages in bundles that fit into a packet. What the socket does not take is lost.
fn send(sockets: &Sockets, to: SocketAddr, messages: Vec<OscMessage>) {
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
            sockets.send(&bytes, to);
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
    use crate::params::Id;

    #[test]
    fn prefixes_match_whole_names_only() {
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
