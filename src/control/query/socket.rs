//! One WebSocket: OSC both ways as binary messages, `LISTEN` and `IGNORE` as text.
//!
//! Messages from a client go through the same reader and queue as UDP, at a limited rate. A value it listens to is sent when
//! its number on the board has grown: a slow client gets the newest value, never a queue. Beyond the proposal, a client may
//! send `/subscribe`, `/unsubscribe`, `/dump` and `/get` as over UDP, answered here.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use futures_util::{SinkExt, StreamExt};
use hyper::body::{Bytes, Incoming};
use hyper::{Request, StatusCode};
use rosc::{OscMessage, OscPacket, OscType};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio_tungstenite::tungstenite::Message;

use super::board::{Board, Place};
use super::http::{Answer, Site, plain};
use super::playing::Playing;
use crate::control::Counts;
use crate::control::mapping::MacroEntry;
use crate::control::osc::feedback::{bare, effective_address, is_in};
use crate::control::osc::inbox::Inbox;
use crate::control::osc::{QUESTIONS_PER_SEC, Request as Question};
use crate::control::rate::Rate;
use crate::control::web::{self, Socket};
use crate::params::{Id, Members, Table};

/// Longest message from a client, in bytes: the length of a datagram.
const MAX_MESSAGE: usize = 64 << 10;
/// Messages per second from one client.
const MAX_MESSAGES_PER_SEC: f64 = 2000.0;
/// Maximum number of effective values that one client may watch.
const MAX_WATCHED: usize = 256;
/// Instead of an address in `LISTEN` and `IGNORE`: what plays, in words.
const PLAYING: &str = "/?PLAYING";
/// After an address in `LISTEN` and `IGNORE`: the effective value.
const EFFECTIVE: &str = "?EFFECTIVE";
/// Maximum number of addresses that one client may listen to.
const MAX_LISTENED: usize = 4096;
/// Minimum interval between updates to a client.
const EVERY: Duration = Duration::from_millis(16);
/// A client that reads nothing for this long is disconnected.
const SEND_TIMEOUT: Duration = Duration::from_secs(3);

/// Answers the handshake and serves the client until its socket closes.
pub fn upgrade(request: &mut Request<Incoming>, from: SocketAddr, site: Site) -> Answer {
    let Ok(place) = site.sockets.clone().try_acquire_owned() else {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "too many clients");
    };
    let play = move |socket| Client::new(site, from, place).play(socket);
    web::upgrade(request, MAX_MESSAGE, play).unwrap_or_else(|| plain(StatusCode::BAD_REQUEST, "missing WebSocket key"))
}

struct Client {
    site: Site,
    from: SocketAddr,
    inbox: Inbox,
    rate: Rate,
    /// Limits its requests; a dump counts as many.
    questions: Rate,
    /// What it listens to, and the number of the last change sent to it.
    listened: HashMap<String, u64>,
    /// The effective values that it watches, and what it was sent last.
    watched: HashMap<String, Vec<OscType>>,
    /// Whether it listens to [`PLAYING`]: the number of the last change sent to it, and how many notices.
    playing: Option<(u64, u64)>,
    /// Prefixes that it has subscribed to.
    prefixes: Vec<String>,
    /// Number of the last change sent for its subscriptions.
    told: u64,
    shape: u64,
    table: Arc<Table>,
    aliases: Vec<String>,
    macros: Arc<[MacroEntry]>,
    _place: OwnedSemaphorePermit,
}

impl Client {
    fn new(site: Site, from: SocketAddr, place: OwnedSemaphorePermit) -> Self {
        let board = site.shared.board();
        let (shape, told, aliases, table) = (board.shape, board.serial, aliases(&board), board.table().clone());
        let macros = board.macros.clone();
        drop(board);
        Client {
            inbox: Inbox::web(
                site.events.clone(),
                site.counts.clone(),
                site.shared.names.clone(),
                site.shared.reports.clone(),
                from.ip().to_canonical().is_loopback(),
            ),
            rate: Rate::new(MAX_MESSAGES_PER_SEC, Instant::now()),
            questions: Rate::new(QUESTIONS_PER_SEC, Instant::now()),
            listened: HashMap::new(),
            watched: HashMap::new(),
            playing: None,
            prefixes: Vec::new(),
            told,
            shape,
            table,
            aliases,
            macros,
            site,
            from,
            _place: place,
        }
    }

    async fn play(mut self, mut stream: Socket) {
        let mut news = self.site.shared.news.subscribe();
        let (mut is_behind, mut next) = (false, Instant::now());
        let ping = self.site.timeouts.ping;
        let (mut heard, mut ping_at) = (Instant::now(), Instant::now() + ping);
        loop {
            let due = Instant::now() + self.inbox.wait(Instant::now());
            let answers = tokio::select! {
                message = stream.next() => {
                    heard = Instant::now();
                    match message {
                        Some(Ok(Message::Binary(bytes))) => self.datagram(&bytes),
                        Some(Ok(Message::Text(text))) => self.command(text.as_str()),
                        Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                        Some(Ok(_)) => Vec::new(),
                    }
                }
                () = tokio::time::sleep_until(ping_at.into()) => {
                    // Two pings without an answer: its machine or network is gone, or it has stopped reading.
                    if heard + 2 * ping <= Instant::now() {
                        return;
                    }
                    ping_at = Instant::now() + ping;
                    vec![Message::Ping(Bytes::new())]
                }
                changed = news.changed(), if !is_behind => {
                    if changed.is_err() {
                        return;
                    }
                    is_behind = true;
                    continue;
                }
                () = tokio::time::sleep_until(next.into()), if is_behind => {
                    is_behind = false;
                    next = Instant::now() + EVERY;
                    self.news()
                }
                () = tokio::time::sleep_until(due.into()) => Vec::new(),
            };
            self.inbox.release(Instant::now());
            self.inbox.report(Instant::now());
            if answers.is_empty() {
                continue;
            }
            let sending = async {
                for answer in answers {
                    stream.feed(answer).await?;
                }
                stream.flush().await
            };
            if !matches!(tokio::time::timeout(SEND_TIMEOUT, sending).await, Ok(Ok(()))) {
                return;
            }
        }
    }

    /// Handles OSC from the client.
    fn datagram(&mut self, bytes: &[u8]) -> Vec<Message> {
        if !self.rate.pass(Instant::now()) {
            Counts::add(&self.site.counts.dropped);
            return Vec::new();
        }
        const MAX_QUESTIONS: usize = 64;
        let mut questions = Vec::new();
        self.inbox.datagram(bytes, self.from, SystemTime::now(), Instant::now(), |question| {
            let room = questions.len() < MAX_QUESTIONS && self.questions.take(question.cost(), Instant::now());
            if room {
                questions.push(question);
            }
            room
        });
        questions.into_iter().flat_map(|question| self.answer(question)).collect()
    }

    fn answer(&mut self, question: Question) -> Vec<Message> {
        let board = self.site.shared.board();
        match question {
            Question::Get { address, .. } => {
                board.find(&address).and_then(|place| packet(&board, place)).into_iter().collect()
            }
            Question::GetEffective { address, .. } => {
                let found = board.find(&address).and_then(|place| Some((place, board.effective(place)?)));
                found.and_then(|(place, args)| effective_packet(&board, place, args)).into_iter().collect()
            }
            Question::Dump { prefix, .. } => {
                let prefix = bare(&prefix);
                let below = board.places().filter(|&place| is_in(&board.address(place), prefix));
                below.filter_map(|place| packet(&board, place)).collect()
            }
            Question::Subscribe { prefix, .. } => {
                const MAX_PREFIXES: usize = 16;
                let prefix = bare(&prefix).to_owned();
                if !self.prefixes.contains(&prefix) && self.prefixes.len() < MAX_PREFIXES {
                    if self.prefixes.is_empty() {
                        self.told = board.serial;
                    }
                    self.prefixes.push(prefix);
                }
                Vec::new()
            }
            Question::Unsubscribe { .. } => {
                self.prefixes.clear();
                Vec::new()
            }
        }
    }

    /// `LISTEN` and `IGNORE`, for values, with [`EFFECTIVE`] after the address for effective values, and for [`PLAYING`];
    /// anything else is ignored.
    fn command(&mut self, text: &str) -> Vec<Message> {
        if !self.rate.pass(Instant::now()) {
            Counts::add(&self.site.counts.dropped);
            return Vec::new();
        }
        let Ok(command) = serde_json::from_str::<serde_json::Value>(text) else { return Vec::new() };
        let address = command["DATA"].as_str().unwrap_or_default();
        let watched = address.strip_suffix(EFFECTIVE);
        match (command["COMMAND"].as_str(), watched) {
            (Some("LISTEN"), None) if address == PLAYING => {
                self.playing = Some((0, 0));
                tell_playing(&mut self.playing, &self.site.shared.board().playing).into_iter().collect()
            }
            (Some("IGNORE"), None) if address == PLAYING => {
                self.playing = None;
                Vec::new()
            }
            (Some("LISTEN"), Some(address)) => self.watch(address),
            (Some("IGNORE"), Some(address)) => {
                if self.watched.remove(address).is_some() {
                    self.site.shared.watched.fetch_sub(1, Ordering::AcqRel);
                }
                Vec::new()
            }
            (Some("LISTEN"), None) => {
                let board = self.site.shared.board();
                let Some(place) = board.find(address).filter(|_| self.listened.len() < MAX_LISTENED) else {
                    return Vec::new();
                };
                self.listened.insert(address.to_owned(), board.serial);
                // The current value, so that nothing is missed between asking and listening.
                packet(&board, place).into_iter().collect()
            }
            (Some("IGNORE"), None) => {
                self.listened.remove(address);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    /// Starts watching the effective value at an address.
    fn watch(&mut self, address: &str) -> Vec<Message> {
        let board = self.site.shared.board();
        let found = board.find(address).and_then(|place| Some((place, board.effective(place)?)));
        let Some((place, args)) = found.filter(|_| self.watched.len() < MAX_WATCHED) else { return Vec::new() };
        if self.watched.insert(address.to_owned(), args.clone()).is_none() {
            self.site.shared.watched.fetch_add(1, Ordering::AcqRel);
        }
        effective_packet(&board, place, args).into_iter().collect()
    }

    /// Changes that this client listens to.
    fn news(&mut self) -> Vec<Message> {
        let board = self.site.shared.board();
        let mut messages = Vec::new();
        if self.shape != board.shape {
            self.shape = board.shape;
            let aliases = aliases(&board);
            messages.extend(self.aliases.iter().filter(|old| !aliases.contains(old)).map(|a| event("PATH_REMOVED", a)));
            messages.extend(aliases.iter().filter(|new| !self.aliases.contains(new)).map(|a| event("PATH_ADDED", a)));
            messages.extend(aliases.iter().filter(|a| self.aliases.contains(a)).map(|a| event("PATH_CHANGED", a)));
            messages.extend(rows_that_changed(&self.table, board.table()));
            let macros = board.macros.iter().zip(Id::MACROS).filter(|(entry, _)| !self.macros.contains(entry));
            messages.extend(macros.map(|(_, id)| event("PATH_CHANGED", id.def().address)));
            self.macros.clone_from(&board.macros);
            (self.aliases, self.table) = (aliases, board.table().clone());
        }
        for (address, told) in &mut self.listened {
            let Some(place) = board.find(address) else { continue };
            if board.serial_of(place) > *told {
                *told = board.serial;
                messages.extend(packet(&board, place));
            }
        }
        for (address, sent) in &mut self.watched {
            let Some(place) = board.find(address) else { continue };
            if let Some(args) = board.effective(place).filter(|args| args != sent) {
                sent.clone_from(&args);
                messages.extend(effective_packet(&board, place, args));
            }
        }
        messages.extend(tell_playing(&mut self.playing, &board.playing));
        if !self.prefixes.is_empty() {
            let changed = board.places().filter(|&place| board.serial_of(place) > self.told);
            for place in changed {
                let address = board.address(place);
                if self.prefixes.iter().any(|prefix| is_in(&address, prefix)) && !self.listened.contains_key(&address) {
                    messages.extend(packet(&board, place));
                }
            }
            self.told = board.serial;
        }
        messages
    }
}

/// What plays, if it is not what the client was told last.
fn tell_playing(told: &mut Option<(u64, u64)>, playing: &Playing) -> Option<Message> {
    let (_, notices) = told.filter(|(serial, _)| *serial != playing.serial)?;
    *told = Some((playing.serial, playing.notices()));
    Some(Message::text(json!({ "COMMAND": "PLAYING", "DATA": playing.json(notices) }).to_string()))
}

impl Drop for Client {
    fn drop(&mut self) {
        self.site.shared.watched.fetch_sub(self.watched.len(), Ordering::AcqRel);
    }
}

fn aliases(board: &Board) -> Vec<String> {
    board.aliases.iter().map(|alias| alias.address.clone()).collect()
}

/// The messages to send when rows were added or removed, including families whose size follows the networks.
fn rows_that_changed(old: &Table, new: &Table) -> Vec<Message> {
    // A family is a node with its members below it.
    let path = |address: &'static str| address.trim_end_matches("/<n>");
    let mut messages = Vec::new();
    for def in old.iter().filter(|def| new.row(def.address).is_none()) {
        messages.push(event("PATH_REMOVED", path(def.address)));
    }
    for id in new.ids().filter(|id| !old.has(*id)) {
        let command = if old.row(id.def().address).is_some() { "PATH_CHANGED" } else { "PATH_ADDED" };
        messages.push(event(command, path(id.def().address)));
    }
    let families = new.iter().filter(|def| def.is_family() && def.members != Members::All);
    messages.extend(families.map(|def| event("PATH_CHANGED", path(def.address))));
    messages
}

fn event(command: &str, address: &str) -> Message {
    Message::text(json!({ "COMMAND": command, "DATA": address }).to_string())
}

/// The value at a place as an OSC packet.
fn packet(board: &Board, place: Place) -> Option<Message> {
    let message = OscMessage { addr: board.address(place), args: board.arguments(place)? };
    rosc::encoder::encode(&OscPacket::Message(message)).ok().map(Message::binary)
}

/// The effective value at a place as an OSC packet: `/psi` arrives as `/effective/psi`.
fn effective_packet(board: &Board, place: Place, args: Vec<OscType>) -> Option<Message> {
    let message = OscMessage { addr: effective_address(&board.address(place)), args };
    rosc::encoder::encode(&OscPacket::Message(message)).ok().map(Message::binary)
}
