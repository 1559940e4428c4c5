//! Where datagrams arrive: they are read, wait for their time tags, and go into the event queue.
//!
//! UDP and the WebSockets of [`crate::control::query`] share this; nothing reaches the show past it. Times are
//! inputs. Each socket has its own inbox, on the thread that reads the socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::Refusal;
use super::echoes::Echoes;
use super::names::Names;
use super::reports::{Reports, is_news};
use super::schedule::{self, Due, Schedule};
use super::{Incoming, Request};
use crate::control::{Counts, Event, EventSender, Source, Write};

/// Receives the datagrams of one source: of a socket, or of one sender.
pub(in crate::control) struct Inbox {
    events: EventSender,
    counts: Arc<Counts>,
    names: Names,
    reports: Reports,
    /// What was sent to clients.
    echoes: Echoes,
    /// Whether time tags are ignored.
    ignores_tags: bool,
    schedule: Schedule,
    /// Texts are names: what looks like a path is refused.
    source: Source,
}

impl Inbox {
    /// An inbox for UDP. `names` is what the show last published; `reports` is shared by the inboxes of a server.
    pub fn new(events: EventSender, counts: Arc<Counts>, names: Names, reports: Reports) -> Self {
        let (echoes, schedule) = (Echoes::default(), Schedule::default());
        Inbox { events, counts, names, reports, echoes, ignores_tags: false, schedule, source: Source::Osc }
    }

    /// An inbox for a WebSocket: the show does not let its writes open or write files.
    pub fn web(events: EventSender, counts: Arc<Counts>, names: Names, reports: Reports, is_local: bool) -> Self {
        let source = if is_local { Source::LocalWeb } else { Source::Web };
        Inbox { source, ..Inbox::new(events, counts, names, reports) }
    }

    /// Drops echoes of what was sent.
    pub fn without_echoes(self, echoes: Echoes) -> Self {
        Inbox { echoes, ..self }
    }

    /// Whether to apply everything at once, whatever its time tag.
    pub fn ignoring_tags(self, ignores_tags: bool) -> Self {
        Inbox { ignores_tags, ..self }
    }

    /// Processes a datagram that arrived `from` an address at calendar `time`, `now` by the monotonic clock. `answer`
    /// accepts a request, or says that it cannot.
    pub fn datagram(
        &mut self,
        bytes: &[u8],
        from: SocketAddr,
        time: SystemTime,
        now: Instant,
        mut answer: impl FnMut(Request) -> bool,
    ) {
        let table = self.names.tables.get();
        let names = self.names.clone();
        super::read_for(
            bytes,
            &table,
            |address| names.may_play(address),
            |part| match part {
                Ok((_, Incoming::Nothing { address })) => self.nothing(address, from),
                Ok((time_tag, incoming)) => {
                    Counts::add(&self.counts.received);
                    match incoming {
                        Incoming::Nothing { .. } => {}
                        Incoming::Request(request) => {
                            if !answer(request) {
                                Counts::add(&self.counts.dropped);
                            }
                        }
                        Incoming::Write { target, ref value } if self.echoes.is_echo_of(target, value, from, now) => {}
                        Incoming::Unknown { address, ref value }
                            if self.echoes.is_echo_at(address, value, from, now) => {}
                        Incoming::Write { target, value } => {
                            let write = Write { target, value, source: self.source };
                            self.take(time_tag, Event::Write(write), from, time, now);
                        }
                        Incoming::Signal { id, value } => {
                            self.take(time_tag, Event::Signal { id, value }, from, time, now);
                        }
                        Incoming::Unknown { address, value } => {
                            let event = Event::Unknown { address: address.to_owned(), value, source: self.source };
                            self.take(time_tag, event, from, time, now);
                        }
                    }
                }
                Err(refusal) => self.refused(refusal, from, now),
            },
        );
    }

    fn take(&mut self, time_tag: u64, event: Event, from: SocketAddr, time: SystemTime, now: Instant) {
        let due = if self.ignores_tags { Due::Now } else { schedule::due(time_tag, time) };
        match due {
            Due::Now => return self.events.send(event, &self.counts),
            Due::In(wait) => {
                if !self.schedule.add(now + wait, event) {
                    Counts::add(&self.counts.dropped);
                }
            }
            Due::ForeignClock { .. } => {
                Counts::add(&self.counts.foreign_clock);
                self.events.send(event, &self.counts);
            }
        }
        if let Some(line) = self.reports.clock(due, from.ip()) {
            self.notice(line);
        }
    }

    /// Counts a message for an address that plays nothing.
    fn nothing(&self, address: &str, from: SocketAddr) {
        if is_news(address) {
            return Counts::add(&self.counts.received);
        }
        Counts::add(&self.counts.refused);
        self.reports.unknown(address, from);
    }

    /// Counts a refusal, and reports it if the reason is new, at most once a second.
    fn refused(&self, refusal: Refusal, from: SocketAddr, now: Instant) {
        Counts::add(&self.counts.refused);
        if let Some(line) = self.reports.refused(refusal, from, now) {
            self.notice(line);
        }
    }

    /// Tells the player about unknown addresses, at most once a second.
    pub fn report(&self, now: Instant) {
        if let Some(line) = self.reports.line(&self.names.tables.get(), now) {
            self.notice(line);
        }
    }

    fn notice(&self, line: String) {
        self.events.send(Event::Notice(line), &self.counts);
    }

    /// Passes on events that are due.
    pub fn release(&mut self, now: Instant) {
        while let Some(event) = self.schedule.pop(now) {
            self.events.send(event, &self.counts);
        }
    }

    /// Time until something is due; very long if nothing is waiting.
    pub fn wait(&self, now: Instant) -> Duration {
        const SHORTEST: Duration = Duration::from_micros(500);
        const NOTHING: Duration = Duration::from_secs(3600);
        let event = self.schedule.next().map_or(NOTHING, |at| at.saturating_duration_since(now).max(SHORTEST));
        event.min(self.reports.wait().unwrap_or(NOTHING))
    }
}
