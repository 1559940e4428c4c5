//! The thumbnails in memory and what has been asked for. Pure: no thread, no clock, no disk.
//!
//! **Newest request first.** Each look at a key makes its request the newest; where more wait than are kept, the oldest is
//! dropped, and made again by the next look.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Key, Thumbnail};

/// Most requests that wait to be looked up.
pub const MOST_WAITING: usize = 256;
/// Most keys in memory, of which each has some 90 KB.
const MOST_KEPT: usize = 400;

/// What is known of a thumbnail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Ready(Arc<Thumbnail>),
    /// It has been asked for.
    Coming,
    /// There is no such thing, or it cannot be drawn.
    Absent,
}

#[derive(Debug)]
struct Entry {
    /// Stays while a newer version is made.
    found: Found,
    /// When somebody looked last, in looks.
    used: u64,
    /// Whether it waits to be looked up.
    waits: bool,
}

/// Everything in memory.
#[derive(Debug, Default)]
pub struct Shelf {
    entries: HashMap<Key, Entry>,
    looks: u64,
    waiting: usize,
}

impl Shelf {
    /// What is known, and whether the request is new.
    pub fn find(&mut self, key: &Key) -> (Found, bool) {
        self.looks += 1;
        if let Some(entry) = self.entries.get_mut(key) {
            entry.used = self.looks;
            return (entry.found.clone(), false);
        }
        if !key.is_sensible() {
            return (Found::Absent, false);
        }
        self.entries.insert(key.clone(), Entry { found: Found::Coming, used: self.looks, waits: true });
        self.waiting += 1;
        if self.waiting > MOST_WAITING
            && let Some(oldest) = self.oldest(|entry| entry.waits)
        {
            self.forget(&oldest);
        }
        while self.entries.len() > MOST_KEPT {
            // Requests are fewer than what is kept, so there is one.
            let Some(oldest) = self.oldest(|entry| !matches!(entry.found, Found::Coming)) else { break };
            self.forget(&oldest);
        }
        (Found::Coming, true)
    }

    /// The newest request.
    pub fn take(&mut self) -> Option<Key> {
        let waiting = self.entries.iter().filter(|(_, entry)| entry.waits);
        let (key, _) = waiting.max_by_key(|(_, entry)| entry.used)?;
        let key = key.clone();
        self.waiting -= 1;
        self.entries.get_mut(&key)?.waits = false;
        Some(key)
    }

    /// Puts what was found, unless it was forgotten in the meantime.
    pub fn put(&mut self, key: &Key, found: Found) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.found = found;
        }
    }

    /// Makes a request that cannot be kept be made again by the next look.
    pub fn forget(&mut self, key: &Key) {
        if self.entries.remove(key).is_some_and(|entry| entry.waits) {
            self.waiting -= 1;
        }
    }

    /// When somebody looked at a key last, in looks; 0 if it is not here.
    pub fn used(&self, key: &Key) -> u64 {
        self.entries.get(key).map_or(0, |entry| entry.used)
    }

    /// Number of looks so far.
    pub fn looks(&self) -> u64 {
        self.looks
    }

    /// What was looked at since then, except what waits to be looked up.
    pub fn used_since(&self, looks: u64) -> Vec<Key> {
        let all = self.entries.iter().filter(|(_, entry)| entry.used > looks && !entry.waits);
        all.map(|(key, _)| key.clone()).collect()
    }

    fn oldest(&self, is_one: impl Fn(&Entry) -> bool) -> Option<Key> {
        let all = self.entries.iter().filter(|(_, entry)| is_one(entry));
        all.min_by_key(|(_, entry)| entry.used).map(|(key, _)| key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u32) -> Key {
        Key::Seed { network: "n".into(), seed }
    }

    fn thumbnail(tag: &str) -> Found {
        Found::Ready(Arc::new(Thumbnail {
            width: 0,
            height: 0,
            rgba: Vec::new(),
            jpeg: Arc::default(),
            tag: tag.into(),
        }))
    }

    #[test]
    fn the_newest_request_is_served_first_and_a_look_renews_it() {
        let mut shelf = Shelf::default();
        for seed in 0..4 {
            assert_eq!(shelf.find(&key(seed)), (Found::Coming, true));
        }
        assert_eq!(shelf.find(&key(1)), (Found::Coming, false), "asked once");
        let taken: Vec<Key> = std::iter::from_fn(|| shelf.take()).collect();
        assert_eq!(taken, [1, 3, 2, 0].map(key));
        for version in ["a", "b"] {
            shelf.put(&key(1), thumbnail(version));
            assert_eq!(shelf.find(&key(1)), (thumbnail(version), false));
        }
        shelf.put(&key(9), thumbnail("a"));
        assert_eq!(shelf.used(&key(9)), 0, "nobody asked for it");
    }

    #[test]
    fn the_queue_and_the_memory_are_bounded() {
        let mut shelf = Shelf::default();
        for seed in 0..1000 {
            shelf.find(&key(seed));
        }
        let taken: Vec<Key> = std::iter::from_fn(|| shelf.take()).collect();
        assert_eq!(taken.len(), MOST_WAITING);
        assert_eq!((taken[0].clone(), taken[MOST_WAITING - 1].clone()), (key(999), key(1000 - MOST_WAITING as u32)));
        assert_eq!(shelf.find(&key(0)), (Found::Coming, true), "a request that was dropped is made again");
        for seed in 0..2000 {
            shelf.find(&key(seed));
            while let Some(key) = shelf.take() {
                shelf.put(&key, Found::Absent);
            }
            shelf.find(&key(0));
        }
        assert!(shelf.entries.len() <= MOST_KEPT, "{}", shelf.entries.len());
        assert!(shelf.used(&key(0)) > 0 && shelf.used(&key(3)) == 0, "what is looked at stays");
        assert_eq!(shelf.waiting, 0);
    }

    #[test]
    fn odd_keys_are_never_asked_for() {
        let mut shelf = Shelf::default();
        for name in ["".to_owned(), "a\0".to_owned(), "x".repeat(5000)] {
            assert_eq!(shelf.find(&Key::Preset(name)), (Found::Absent, false));
        }
        assert_eq!(shelf.take(), None);
    }
}
