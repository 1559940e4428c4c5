//! What threads share: [`Slot`], in which only the newest item is kept, [`panic_message`], and how many may draw beside a show.
//!
//! The show puts requests into a slot and takes pictures out of another; neither side ever waits for the other while
//! holding a lock. What was not taken in time is replaced, and the replacement is counted.

use std::any::Any;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many threads draw for others beside a show on this engine: half of the processor's if the show plays on the
/// card, otherwise a quarter. libtorch may be on either.
pub fn beside_a_show(engine: &str) -> usize {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    (all / if engine != "gpu" { 4 } else { 2 }).max(1)
}

/// Holds the newest item. **Latest value wins**: an item that nobody took is replaced.
///
/// Items are exchanged, not moved: the sender gets the buffer of an older item back to fill again, so that
/// passing requests allocates nothing.
#[derive(Debug, Default)]
pub struct Slot<T> {
    inner: Mutex<Inner<T>>,
    filled: Condvar,
}

#[derive(Debug, Default)]
struct Inner<T> {
    item: T,
    fresh: bool,
    closed: bool,
}

impl<T> Slot<T> {
    fn lock(&self) -> MutexGuard<'_, Inner<T>> {
        // A panicked holder leaves at worst an older item behind, which is still a whole one.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Exchanges `item` with what the slot holds and marks it fresh. True when an untaken item was replaced.
    pub fn put(&self, item: &mut T) -> bool {
        let mut inner = self.lock();
        std::mem::swap(&mut inner.item, item);
        self.filled.notify_one();
        std::mem::replace(&mut inner.fresh, true)
    }

    /// Exchanges a fresh item into `item`; false when there is none.
    pub fn take(&self, item: &mut T) -> bool {
        let mut inner = self.lock();
        let fresh = std::mem::take(&mut inner.fresh);
        if fresh {
            std::mem::swap(&mut inner.item, item);
        }
        fresh
    }

    /// Like [`Slot::take`], but waits for a fresh item for at most `timeout`.
    pub fn wait(&self, item: &mut T, timeout: Duration) -> bool {
        let inner = self.lock();
        let (mut inner, _) = self
            .filled
            .wait_timeout_while(inner, timeout, |inner| !inner.fresh && !inner.closed)
            .unwrap_or_else(PoisonError::into_inner);
        let fresh = std::mem::take(&mut inner.fresh);
        if fresh {
            std::mem::swap(&mut inner.item, item);
        }
        fresh
    }

    /// Wakes the waiting side for good.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    pub fn closed(&self) -> bool {
        self.lock().closed
    }
}

/// The first line of a panic's message.
pub fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("unknown").lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_one_line() {
        let panic = std::panic::catch_unwind(|| panic!("no {}\nsecond line", "device")).unwrap_err();
        assert_eq!(panic_message(&*panic), "no device");
    }

    #[test]
    fn the_newest_item_wins_and_buffers_come_back() {
        let slot = Slot::default();
        let mut item = vec![1];
        assert!(!slot.put(&mut item));
        item = vec![2];
        assert!(slot.put(&mut item), "nobody took the first");
        assert_eq!(item, [1], "its buffer comes back");
        let mut taken = Vec::new();
        assert!(slot.take(&mut taken) && taken == [2]);
        assert!(!slot.take(&mut taken) && taken == [2]);
    }

    #[test]
    fn closing_ends_the_wait() {
        let slot = std::sync::Arc::new(Slot::<u32>::default());
        let waiting = {
            let slot = slot.clone();
            std::thread::spawn(move || slot.wait(&mut 0, Duration::from_secs(60)))
        };
        slot.close();
        assert!(!waiting.join().expect("no panic"));
    }
}
