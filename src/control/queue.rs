//! The event queue between the devices and the show: one lane per source, read as one queue.
//!
//! A source that floods the queue loses its own oldest events and nobody else's. The number of lanes and the length of
//! each are fixed, so memory is bounded however many senders there are. Events come out in the order in which they went
//! in, across all lanes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, TrySendError, bounded};

use super::{Counts, Event};

/// Maximum number of events of one lane that wait between two frames.
pub const QUEUE: usize = 4096;
/// Number of OSC senders that have a lane of their own; the others share one.
pub const OSC_PEERS: usize = 8;

const LANES: usize = 6 + OSC_PEERS;

/// Where a source's events wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lane {
    /// Whatever has no lane of its own.
    #[default]
    Other,
    /// Lines for the player. [`EventSender::send`] puts every [`Event::Notice`] here, and what is wrong with devices.
    Notices,
    Midi,
    Web,
    Audio,
    /// OSC: 0 is shared, 1 to [`OSC_PEERS`] belong to one sender each. Larger numbers are the shared one.
    Osc(usize),
}

impl Lane {
    fn index(self) -> usize {
        match self {
            Lane::Other => 0,
            Lane::Notices => 1,
            Lane::Midi => 2,
            Lane::Web => 3,
            Lane::Audio => 4,
            Lane::Osc(peer) => 5 + if peer <= OSC_PEERS { peer } else { 0 },
        }
    }
}

/// An event, and its number in the order of arrival.
type Numbered = (u64, Event);

struct Lanes {
    lanes: Vec<(Sender<Numbered>, Receiver<Numbered>)>,
    next: AtomicU64,
}

/// The sending end of the event queue, one clone per device thread.
#[derive(Clone)]
pub struct EventSender {
    lanes: Arc<Lanes>,
    /// Wakes the show.
    bell: Sender<()>,
    lane: Lane,
}

impl EventSender {
    /// A sender for another lane.
    pub fn on(&self, lane: Lane) -> Self {
        EventSender { lane, ..self.clone() }
    }

    /// Puts an event into the queue without waiting or allocating. A full lane loses its oldest event, and the loss is
    /// counted.
    pub fn send(&self, event: Event, counts: &Counts) {
        let is_line = matches!(event, Event::Notice(_) | Event::Fault { .. } | Event::Mended { .. });
        let lane = if is_line { Lane::Notices } else { self.lane };
        let (sender, overflow) = &self.lanes.lanes[lane.index()];
        let mut event = (self.lanes.next.fetch_add(1, Ordering::Relaxed), event);
        // Bounded, as other senders may refill the slot that was just freed.
        for _ in 0..4 {
            match sender.try_send(event) {
                Ok(()) => {
                    // A bell that is already ringing is enough.
                    let _ = self.bell.try_send(());
                    return;
                }
                Err(TrySendError::Full(back)) => {
                    event = back;
                    if overflow.try_recv().is_ok() {
                        Counts::add(&counts.dropped);
                    }
                }
                Err(TrySendError::Disconnected(_)) => return,
            }
        }
        Counts::add(&counts.dropped);
    }
}

/// The receiving end of the event queue; belongs to the show's thread.
pub struct Events {
    lanes: Arc<Lanes>,
    bell: Receiver<()>,
    /// The oldest event of each lane, if it has been taken out already.
    heads: Mutex<[Option<Numbered>; LANES]>,
}

impl Events {
    /// The oldest event.
    ///
    /// # Errors
    /// When there is none.
    pub fn try_recv(&self) -> Result<Event, TryRecvError> {
        let mut heads = self.heads();
        let mut oldest: Option<(usize, u64)> = None;
        for (i, head) in heads.iter_mut().enumerate() {
            if head.is_none() {
                *head = self.lanes.lanes[i].1.try_recv().ok();
            }
            if let Some((number, _)) = head
                && oldest.is_none_or(|(_, least)| *number < least)
            {
                oldest = Some((i, *number));
            }
        }
        oldest.and_then(|(i, _)| heads[i].take()).map(|(_, event)| event).ok_or(TryRecvError::Empty)
    }

    /// The oldest event; waits for one until `deadline`.
    ///
    /// # Errors
    /// When none arrives, or when all senders are gone.
    pub fn recv_deadline(&self, deadline: Instant) -> Result<Event, RecvTimeoutError> {
        loop {
            if let Ok(event) = self.try_recv() {
                return Ok(event);
            }
            match self.bell.recv_deadline(deadline) {
                Ok(()) => {}
                // An event that arrived at the last moment counts.
                Err(error) => return self.try_recv().map_err(|_| error),
            }
        }
    }

    /// As [`Events::recv_deadline`], waiting for at most `timeout`.
    ///
    /// # Errors
    /// As [`Events::recv_deadline`].
    pub fn recv_timeout(&self, timeout: Duration) -> Result<Event, RecvTimeoutError> {
        self.recv_deadline(Instant::now() + timeout)
    }

    /// The events, oldest first, until none is left.
    pub fn try_iter(&self) -> impl Iterator<Item = Event> + '_ {
        std::iter::from_fn(|| self.try_recv().ok())
    }

    /// Appends everything that is waiting now, oldest first: at most as many events as were there when it was called, so
    /// that devices that send continuously cannot hold up the frame.
    pub fn take_waiting(&self, batch: &mut Vec<Event>) {
        batch.extend(self.try_iter().take(self.len()));
    }

    /// Number of waiting events.
    pub fn len(&self) -> usize {
        let held = self.heads().iter().flatten().count();
        held + self.lanes.lanes.iter().map(|(_, lane)| lane.len()).sum::<usize>()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn heads(&self) -> MutexGuard<'_, [Option<Numbered>; LANES]> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The event queue between the device threads and the show.
pub fn queue() -> (EventSender, Events) {
    let lanes = Arc::new(Lanes { lanes: (0..LANES).map(|_| bounded(QUEUE)).collect(), next: AtomicU64::new(0) });
    let (ring, bell) = bounded(1);
    let sender = EventSender { lanes: lanes.clone(), bell: ring, lane: Lane::default() };
    (sender, Events { lanes, bell, heads: Mutex::new([const { None }; LANES]) })
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::control::keys::Key;

    fn key(c: char) -> Event {
        Event::Key(Key::Char(c))
    }

    #[test]
    fn a_flood_evicts_its_own_events_only() {
        let (sender, events) = queue();
        let counts = Counts::default();
        let lanes = [Lane::Other, Lane::Midi, Lane::Web, Lane::Audio, Lane::Osc(0), Lane::Osc(1), Lane::Osc(OSC_PEERS)];
        for lane in lanes {
            sender.on(lane).send(key('a'), &counts);
        }
        sender.on(Lane::Osc(1)).send(Event::Notice("a line".to_owned()), &counts);
        for _ in 0..2 * QUEUE {
            sender.on(Lane::Osc(1)).send(key('x'), &counts);
        }
        assert_eq!(Counts::read(&counts.dropped), QUEUE as u64 + 1);
        let heard: Vec<Event> = events.try_iter().collect();
        assert_eq!(heard.iter().filter(|&event| *event == key('a')).count(), lanes.len() - 1);
        assert!(heard.contains(&Event::Notice("a line".to_owned())));
        assert_eq!(heard.len(), lanes.len() - 1 + 1 + QUEUE);
    }

    #[test]
    fn events_come_out_in_the_order_of_arrival() {
        let (sender, events) = queue();
        let counts = Counts::default();
        let lanes = [Lane::Osc(3), Lane::Midi, Lane::Osc(0), Lane::Web, Lane::Osc(99)];
        let sent: Vec<Event> = ('a'..='z').map(key).collect();
        for (i, event) in sent.iter().enumerate() {
            sender.on(lanes[i * 7 % lanes.len()]).send(event.clone(), &counts);
        }
        assert_eq!((events.len(), events.is_empty()), (sent.len(), false));
        let mut batch = vec![events.try_recv().unwrap()];
        assert_eq!(events.len(), sent.len() - 1);
        events.take_waiting(&mut batch);
        assert_eq!(batch, sent);
        assert_eq!(events.try_recv(), Err(TryRecvError::Empty));
    }

    #[test]
    fn a_waiting_show_is_woken_from_any_lane() {
        let (sender, events) = queue();
        assert_eq!(events.recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout));
        let thread = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            sender.on(Lane::Osc(2)).send(key('a'), &Counts::default());
        });
        assert_eq!(events.recv_timeout(Duration::from_secs(60)), Ok(key('a')));
        thread.join().unwrap();
        assert_eq!(events.recv_timeout(Duration::from_secs(60)), Err(RecvTimeoutError::Disconnected));
    }
}
