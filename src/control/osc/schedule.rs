//! Time tags: events of future bundles wait here and come out in order.
//!
//! Bounded, and without a clock: times are inputs. Runs on the `osc` thread.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::control::Event;

/// Maximum number of waiting events.
pub const CAPACITY: usize = 4096;

/// Tags closer than this, in seconds, are applied at once.
const NOW: f64 = 0.005;
/// Tags further ahead than this, in seconds, come from a clock that does not match ours.
const HORIZON: f64 = 5.0;

/// When a time tag is due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Due {
    Now,
    In(Duration),
    /// So far ahead that the sender's clock must be wrong: applied at once.
    ForeignClock {
        ahead_secs: f64,
    },
}

/// When a message with this tag (seconds since 1900 in 32.32 fixed point) is due.
pub fn due(time_tag: u64, now: SystemTime) -> Due {
    if time_tag <= super::packet::IMMEDIATELY {
        return Due::Now;
    }
    // A wrapping difference, so that the end of the era in 2036 does not matter.
    let ahead_secs = time_tag.wrapping_sub(time_tag_of(now)) as i64 as f64 / 2f64.powi(32);
    if ahead_secs <= NOW {
        Due::Now
    } else if ahead_secs <= HORIZON {
        Due::In(Duration::from_secs_f64(ahead_secs))
    } else {
        Due::ForeignClock { ahead_secs }
    }
}

/// A moment as a time tag.
pub fn time_tag_of(time: SystemTime) -> u64 {
    const UNIX_EPOCH_SINCE_1900: u64 = 2_208_988_800;
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    (since.as_secs().wrapping_add(UNIX_EPOCH_SINCE_1900) << 32) | fraction
}

/// Events waiting for their time.
#[derive(Default)]
pub struct Schedule {
    heap: BinaryHeap<Waiting>,
    next_number: u64,
}

struct Waiting {
    at: Instant,
    /// Keeps events with the same time in order of arrival.
    number: u64,
    event: Event,
}

impl Schedule {
    /// Queues an event. `false`, and the event is dropped, if too many are waiting.
    pub fn add(&mut self, at: Instant, event: Event) -> bool {
        if self.heap.len() >= CAPACITY {
            return false;
        }
        self.next_number += 1;
        self.heap.push(Waiting { at, number: self.next_number, event });
        true
    }

    /// When the next event is due.
    pub fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|waiting| waiting.at)
    }

    /// Takes the next event out if it is due.
    pub fn pop(&mut self, now: Instant) -> Option<Event> {
        self.next().filter(|&at| at <= now)?;
        self.heap.pop().map(|waiting| waiting.event)
    }
}

impl Ord for Waiting {
    /// The earliest is the greatest, so that it is on top of the heap.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn tags_are_due_when_they_say() {
        let now = UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
        let tag = |millis: i64| time_tag_of(now).wrapping_add_signed((millis << 32) / 1000);
        for past in [0, 1, tag(0), tag(-1), tag(-3_600_000), tag(4)] {
            assert_eq!(due(past, now), Due::Now);
        }
        for millis in [6, 200, 4999] {
            let Due::In(wait) = due(tag(millis), now) else { panic!("{millis} ms must wait") };
            assert!((wait.as_secs_f64() - millis as f64 / 1000.0).abs() < 1e-6);
        }
        for millis in [5001, 3_600_000] {
            let Due::ForeignClock { ahead_secs } = due(tag(millis), now) else { panic!("{millis} ms must not wait") };
            assert!((ahead_secs - millis as f64 / 1000.0).abs() < 1e-6);
        }
        // 2036-02-07, the last second of the era and the first of the next.
        let end = UNIX_EPOCH + Duration::from_millis(2_085_978_495_900);
        assert!(matches!(due(time_tag_of(end + Duration::from_millis(200)), end), Due::In(_)));
    }

    #[test]
    fn events_come_out_in_order_and_the_heap_is_bounded() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut schedule = Schedule::default();
        for (ms, name) in [(30, "c"), (10, "a"), (20, "b1"), (20, "b2")] {
            assert!(schedule.add(at(ms), Event::Notice(name.to_owned())));
        }
        let mut out = Vec::new();
        while let Some(event) = schedule.pop(at(20)) {
            out.push(event);
        }
        assert_eq!(out, ["a", "b1", "b2"].map(|s| Event::Notice(s.to_owned())));
        assert_eq!(schedule.next(), Some(at(30)));
        let accepted = (0..CAPACITY + 10).filter(|_| schedule.add(at(40), Event::Notice(String::new()))).count();
        assert_eq!(accepted, CAPACITY - 1);
    }
}
