//! What threads share: [`Slot`], in which only the newest item is kept, [`panic_message`], how many may draw beside a show, and
//! [`free`], which gives back memory.
//!
//! The show puts requests into a slot and takes pictures out of another; neither side ever waits for the other while
//! holding a lock. What was not taken in time is replaced, and the replacement is counted.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Sender, bounded};

/// Things that wait to be freed.
const FREED: usize = 64;

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

/// Frees something on the thread `free`: giving back hundreds of megabytes takes longer than a frame. Never waits: if too much is
/// being freed already, this is freed here.
pub fn free(thing: impl Send + 'static) {
    if let Some(things) = things() {
        let _ = things.try_send(Box::new(thing));
    }
}

/// Waits until everything that was given to [`free`] before is freed: at the end of a show, whose devices end too.
pub fn finish_freeing() {
    let (done, is_done) = bounded::<()>(0);
    if things().is_some_and(|things| things.send(Box::new(done)).is_ok()) {
        // Fails as soon as the other end is freed.
        let _ = is_done.recv();
    }
}

/// Where things go that are to be freed; `None` if the system refuses the thread.
fn things() -> Option<&'static Sender<Box<dyn Send>>> {
    static THINGS: OnceLock<Option<Sender<Box<dyn Send>>>> = OnceLock::new();
    let start = || {
        let (sender, things) = bounded::<Box<dyn Send>>(FREED);
        let work = move || {
            for thing in things {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(thing))) {
                    tracing::error!("freeing memory: {}", panic_message(&*panic));
                }
            }
        };
        let started = std::thread::Builder::new().name("free".to_owned()).spawn(work);
        started.inspect_err(|error| tracing::warn!("cannot start the thread free: {error}")).ok().map(|_| sender)
    };
    THINGS.get_or_init(start).as_ref()
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
    fn things_are_freed_elsewhere() {
        /// Tells on which thread it is freed.
        struct Probe(std::sync::mpsc::Sender<Option<String>>, bool);
        impl Drop for Probe {
            fn drop(&mut self) {
                let _ = self.0.send(std::thread::current().name().map(str::to_owned));
                assert!(!self.1, "out of luck");
            }
        }
        let (sender, freed) = std::sync::mpsc::channel();
        // One that panics ends nothing.
        for panics in [true, false] {
            free(Probe(sender.clone(), panics));
        }
        finish_freeing();
        assert_eq!(freed.try_iter().collect::<Vec<_>>(), [Some("free".to_owned()), Some("free".to_owned())]);
    }

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
