//! Where datagrams arrive: they are read, wait for their time tags, and go into the event queue.
//!
//! UDP and the WebSockets of [`crate::control::query`] share this; nothing reaches the show past it. Times are
//! inputs. Each socket has its own inbox, on the thread that reads the socket.

use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::schedule::{self, Due, Schedule};
use super::{Incoming, Refusal, Request};
use crate::control::{Counts, Event, EventSender, Source, Write};
use crate::params::SharedTable;

/// Receives the datagrams of one socket.
pub(in crate::control) struct Inbox {
    events: EventSender,
    counts: Arc<Counts>,
    tables: SharedTable,
    schedule: Schedule,
    /// Texts are names: what looks like a path is refused.
    source: Source,
    /// The last refusal and when it was seen last.
    last_refusal: Option<(Refusal, Instant)>,
    /// When a refusal was last reported.
    told: Option<Instant>,
    foreign_clock_told: bool,
}

impl Inbox {
    /// An inbox for a UDP socket. `tables` is the table of parameters as the show last published it.
    pub fn new(events: EventSender, counts: Arc<Counts>, tables: SharedTable) -> Self {
        Inbox {
            events,
            counts,
            tables,
            schedule: Schedule::default(),
            source: Source::Osc,
            last_refusal: None,
            told: None,
            foreign_clock_told: false,
        }
    }

    /// An inbox for a WebSocket: the show does not let its writes open or write files.
    pub fn web(events: EventSender, counts: Arc<Counts>, tables: SharedTable) -> Self {
        Inbox { source: Source::Web, ..Inbox::new(events, counts, tables) }
    }

    /// Processes a datagram that arrived `from` an address at calendar `time`, `now` by the monotonic clock. `answer`
    /// accepts a request, or says that it cannot.
    pub fn datagram(
        &mut self,
        bytes: &[u8],
        from: &dyn Display,
        time: SystemTime,
        now: Instant,
        mut answer: impl FnMut(Request) -> bool,
    ) {
        let table = self.tables.get();
        super::read(bytes, &table, |part| match part {
            Ok((time_tag, incoming)) => {
                Counts::add(&self.counts.received);
                match incoming {
                    Incoming::Request(request) => {
                        if !answer(request) {
                            Counts::add(&self.counts.dropped);
                        }
                    }
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
        });
    }

    fn take(&mut self, time_tag: u64, event: Event, from: &dyn Display, time: SystemTime, now: Instant) {
        match schedule::due(time_tag, time) {
            Due::Now => self.events.send(event, &self.counts),
            Due::In(wait) => {
                if !self.schedule.add(now + wait, event) {
                    Counts::add(&self.counts.dropped);
                }
            }
            Due::ForeignClock => {
                Counts::add(&self.counts.foreign_clock);
                self.events.send(event, &self.counts);
                if !std::mem::replace(&mut self.foreign_clock_told, true) {
                    let notice =
                        format!("OSC from {from}: its clock is ahead of ours; its messages are applied at once");
                    self.events.send(Event::Notice(notice), &self.counts);
                }
            }
        }
    }

    /// Counts a refusal, and reports it if the reason is new, at most once a second.
    fn refused(&mut self, refusal: Refusal, from: &dyn Display, now: Instant) {
        const AT_MOST_EVERY: Duration = Duration::from_secs(1);
        const FORGOTTEN_AFTER: Duration = Duration::from_secs(10);
        Counts::add(&self.counts.refused);
        let recently = |at: Instant, span| now.duration_since(at) < span;
        let known = self.last_refusal.is_some_and(|(last, at)| last == refusal && recently(at, FORGOTTEN_AFTER));
        let hurried = self.told.is_some_and(|at| recently(at, AT_MOST_EVERY));
        if known || !hurried {
            self.last_refusal = Some((refusal, now));
        }
        if !known && !hurried {
            self.told = Some(now);
            self.events.send(Event::Notice(format!("OSC from {from}: {refusal}; refused")), &self.counts);
        }
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
        self.schedule.next().map_or(NOTHING, |at| at.saturating_duration_since(now).max(SHORTEST))
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn refusals_are_reported_once_per_reason_and_at_most_once_a_second() {
        let (events, queue) = crate::control::queue();
        let counts = Arc::new(Counts::default());
        let mut inbox = Inbox::new(events, counts.clone(), SharedTable::default());
        let from = super::super::DEFAULT_ADDRESS;
        let start = Instant::now();
        let mut told = Vec::new();
        // (milliseconds, reason, is it reported)
        for (ms, refusal, expected) in [
            (0, Refusal::NotOsc, true),
            (1, Refusal::NotOsc, false),
            (2, Refusal::Short, false),
            (1500, Refusal::NotOsc, false),
            (1600, Refusal::Short, true),
            (9000, Refusal::Short, false),
            (20_000, Refusal::Short, true),
        ] {
            inbox.refused(refusal, &from, start + Duration::from_millis(ms));
            told.push((queue.try_iter().count() == 1, expected));
        }
        assert!(told.iter().all(|(is, should)| is == should), "{told:?}");
        assert_eq!(Counts::read(&counts.refused), 7);
    }
}
