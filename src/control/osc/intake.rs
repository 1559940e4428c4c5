//! Everything that arrives at an OSC server, sorted by sender: an [`Inbox`] for each lane of the queue.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::Request;
use super::echoes::Echoes;
use super::feedback::Heard;
use super::inbox::Inbox;
use super::sources::Sources;
use crate::control::{Counts, Event, EventSender, Lane, OSC_PEERS};

/// How often to look for clients that return what they are sent.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Receives the datagrams of a server's sockets.
pub(super) struct Intake {
    /// One for each lane; the first is shared by senders without one.
    inboxes: Vec<Inbox>,
    sources: Sources,
    echoes: Echoes,
    next_look: Instant,
    events: EventSender,
    counts: Arc<Counts>,
}

impl Intake {
    pub fn new(events: &EventSender, heard: &Heard, ignores_tags: bool) -> Self {
        let inbox = |lane| {
            let (counts, names, reports) = (heard.counts.clone(), heard.names.clone(), heard.reports.clone());
            let inbox = Inbox::new(events.on(Lane::Osc(lane)), counts, names, reports);
            inbox.without_echoes(heard.echoes.clone()).ignoring_tags(ignores_tags)
        };
        Intake {
            inboxes: (0..=OSC_PEERS).map(inbox).collect(),
            sources: Sources::default(),
            echoes: heard.echoes.clone(),
            next_look: Instant::now(),
            events: events.clone(),
            counts: heard.counts.clone(),
        }
    }

    /// As [`Inbox::datagram`].
    pub fn datagram(
        &mut self,
        bytes: &[u8],
        from: SocketAddr,
        time: SystemTime,
        now: Instant,
        answer: impl FnMut(Request) -> bool,
    ) {
        let lane = self.sources.lane(from, now);
        self.inboxes[lane].datagram(bytes, from, time, now, answer);
    }

    /// Passes on events that are due, and says what there is to say.
    pub fn release(&mut self, now: Instant) {
        self.inboxes.iter_mut().for_each(|inbox| inbox.release(now));
        self.inboxes[0].report(now);
        if now < self.next_look {
            return;
        }
        self.next_look = now + LOOK_EVERY;
        for client in self.echoes.found(now) {
            let line = format!("OSC: {client} sends back what it receives; these echoes are ignored");
            self.events.send(Event::Notice(line), &self.counts);
        }
    }

    /// Time until something is due; very long if nothing is waiting.
    pub fn wait(&self, now: Instant) -> Duration {
        self.inboxes.iter().map(|inbox| inbox.wait(now)).min().unwrap_or(Duration::MAX)
    }
}
