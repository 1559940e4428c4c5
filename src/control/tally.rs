//! Repeated complaints: each is shown once, and later with a count. Pure; times are inputs.

use std::collections::HashMap;

/// Maximum number of different complaints that are told apart; the rest are only counted.
const KNOWN: usize = 256;
/// Longest complaint that is kept, in bytes.
const LONGEST: usize = 512;
/// Minimum interval between lines, in seconds.
const LINE_SECS: f64 = 1.0;
/// Interval at which complaints that go on are repeated, with their counts, in seconds.
const COUNT_SECS: f64 = 60.0;
/// If more new complaints than this wait for a line, they share one.
const FEW: usize = 3;

/// Which complaints there were, and which of them the player has read.
#[derive(Clone, Debug)]
pub struct Tally {
    known: HashMap<String, Entry>,
    /// Not shown yet, oldest first.
    fresh: Vec<String>,
    /// Complaints beyond the known ones.
    others: u64,
    /// Lines that may be shown at once.
    burst: f64,
    left: f64,
    filled_secs: f64,
    counted_secs: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    count: u64,
    /// The count at the last line with counts, or after the first line.
    shown: u64,
}

/// What to show now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// A new complaint.
    New(String),
    /// Several new ones, the first of them by name.
    Several { first: Vec<String>, more: usize },
    /// Old ones that go on, the most frequent of them with their counts.
    Again { first: Vec<(String, u64)>, more: usize },
}

impl Tally {
    /// Shows one line a second, after a burst of at most `burst`.
    pub fn new(burst: u32) -> Self {
        let burst = f64::from(burst.max(1));
        Tally {
            known: HashMap::new(),
            fresh: Vec::new(),
            others: 0,
            burst,
            left: burst,
            filled_secs: 0.0,
            counted_secs: 0.0,
        }
    }

    /// Notes a complaint. Costs a hash look-up unless it is new.
    pub fn note(&mut self, complaint: &str) {
        if let Some(entry) = self.known.get_mut(complaint) {
            entry.count += 1;
        } else if self.known.len() < KNOWN && complaint.len() <= LONGEST {
            self.known.insert(complaint.to_owned(), Entry { count: 1, shown: 0 });
            self.fresh.push(complaint.to_owned());
        } else {
            self.others += 1;
        }
    }

    /// Whether [`Tally::tell`] may have something to say at `now_secs`.
    pub fn is_due(&self, now_secs: f64) -> bool {
        let is_fresh = !self.fresh.is_empty() && self.tokens(now_secs) >= 1.0;
        is_fresh || (!self.known.is_empty() && now_secs - self.counted_secs >= COUNT_SECS)
    }

    /// Whether there is anything that may have to be told later.
    pub fn is_waiting(&self) -> bool {
        !self.known.is_empty()
    }

    /// What to show at `now_secs`, if anything.
    pub fn tell(&mut self, now_secs: f64) -> Option<Told> {
        self.left = self.tokens(now_secs);
        self.filled_secs = now_secs;
        if self.left < 1.0 {
            return None;
        }
        let told = if self.fresh.is_empty() { self.again(now_secs)? } else { self.new_ones() };
        self.left -= 1.0;
        Some(told)
    }

    fn tokens(&self, now_secs: f64) -> f64 {
        (self.left + (now_secs - self.filled_secs).max(0.0) / LINE_SECS).min(self.burst)
    }

    fn new_ones(&mut self) -> Told {
        let are_many = self.fresh.len() > FEW;
        let mut first: Vec<String> = self.fresh.drain(..if are_many { FEW } else { 1 }).collect();
        let more = if are_many { self.fresh.len() } else { 0 };
        let shown = first.iter().cloned().chain(self.fresh.drain(..more));
        for complaint in shown {
            if let Some(entry) = self.known.get_mut(&complaint) {
                entry.shown = entry.count;
            }
        }
        match first.pop() {
            Some(only) if !are_many => Told::New(only),
            last => {
                first.extend(last);
                Told::Several { first, more }
            }
        }
    }

    /// The complaints of the last minute, and forgets those that have stopped.
    fn again(&mut self, now_secs: f64) -> Option<Told> {
        if now_secs - self.counted_secs < COUNT_SECS {
            return None;
        }
        self.counted_secs = now_secs;
        self.others = 0;
        self.known.retain(|_, entry| entry.count > entry.shown);
        let mut going_on: Vec<(String, u64)> =
            self.known.iter().map(|(what, entry)| (what.clone(), entry.count)).collect();
        going_on.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
        self.known.values_mut().for_each(|entry| entry.shown = entry.count);
        let more = going_on.len().saturating_sub(FEW);
        going_on.truncate(FEW);
        (!going_on.is_empty()).then_some(Told::Again { first: going_on, more })
    }
}

impl Default for Tally {
    /// Shows one line a second, after a burst of eight.
    fn default() -> Self {
        Tally::new(8)
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn new(complaint: &str) -> Option<Told> {
        Some(Told::New(complaint.to_owned()))
    }

    #[test]
    fn each_complaint_is_shown_once_and_then_counted() {
        let mut tally = Tally::new(1);
        for _ in 0..100 {
            tally.note("a");
        }
        assert!(tally.is_due(0.0));
        assert_eq!(tally.tell(0.0), new("a"));
        tally.note("a");
        tally.note("b");
        assert!(!tally.is_due(0.5));
        assert_eq!(tally.tell(0.5), None, "one line a second");
        assert_eq!(tally.tell(1.0), new("b"));
        assert_eq!(tally.tell(30.0), None, "not again so soon");
        tally.note("b");
        assert!(tally.is_due(60.0));
        let first = vec![("a".to_owned(), 101), ("b".to_owned(), 2)];
        assert_eq!(tally.tell(60.0), Some(Told::Again { first, more: 0 }));
        assert_eq!(tally.tell(121.0), None, "they have stopped");
        tally.note("a");
        assert_eq!(tally.tell(122.0), new("a"), "and were forgotten");
    }

    #[test]
    fn many_new_ones_share_a_line() {
        let mut tally = Tally::new(1);
        tally.note("first");
        assert_eq!(tally.tell(0.0), new("first"));
        for i in 0..100 {
            tally.note(&format!("/shape{i}"));
        }
        let first = vec!["/shape0".to_owned(), "/shape1".to_owned(), "/shape2".to_owned()];
        assert_eq!(tally.tell(1.0), Some(Told::Several { first, more: 97 }));
        assert_eq!(tally.tell(2.0), None);
    }

    #[test]
    fn a_burst_passes_and_memory_is_bounded() {
        let mut tally = Tally::new(2);
        tally.note("a");
        assert_eq!(tally.tell(0.0), new("a"));
        tally.note("b");
        assert_eq!(tally.tell(0.0), new("b"));
        tally.note("c");
        assert_eq!((tally.tell(0.1), tally.tell(1.1)), (None, new("c")));
        for i in 0..100_000 {
            tally.note(&format!("/shape{i}"));
        }
        tally.note(&"x".repeat(100_000));
        assert!(tally.known.len() <= KNOWN && tally.fresh.len() <= KNOWN);
    }
}
