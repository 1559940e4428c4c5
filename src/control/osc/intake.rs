//! Everything that arrives at an OSC server, sorted by sender: an [`Inbox`] for each lane of the queue.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::Request;
use super::inbox::Inbox;
use super::names::Names;
use super::reports::Reports;
use super::sources::Sources;
use crate::control::{Counts, EventSender, Lane, OSC_PEERS};

/// Receives the datagrams of a server's sockets.
pub(super) struct Intake {
    /// One for each lane; the first is shared by senders without one.
    inboxes: Vec<Inbox>,
    sources: Sources,
}

impl Intake {
    pub fn new(events: &EventSender, counts: &Arc<Counts>, names: &Names, reports: &Reports) -> Self {
        let inbox = |lane| Inbox::new(events.on(Lane::Osc(lane)), counts.clone(), names.clone(), reports.clone());
        Intake { inboxes: (0..=OSC_PEERS).map(inbox).collect(), sources: Sources::default() }
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
    }

    /// Time until something is due; very long if nothing is waiting.
    pub fn wait(&self, now: Instant) -> Duration {
        self.inboxes.iter().map(|inbox| inbox.wait(now)).min().unwrap_or(Duration::MAX)
    }
}
