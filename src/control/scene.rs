//! What a listener may show besides numbers: names and words about what plays, and the last notices.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Write;

/// How many notices are kept.
pub const KEPT: usize = 200;

/// What plays, in words.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The names of the styles that play, in order; empty without a style network.
    pub styles: &'a [String],
    /// What sets the tempo; empty for the show itself.
    pub tempo_from: &'static str,
    /// What waits for its beat, oldest first.
    pub waiting: &'a [Write],
    pub notices: &'a Notices,
    /// What went wrong, until it is mended or was read; the newest at the end.
    pub faults: &'a [String],
}

impl Default for Scene<'_> {
    fn default() -> Self {
        Scene { styles: &[], tempo_from: "", waiting: &[], notices: &NONE, faults: &[] }
    }
}

/// One line that the show has told.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// Counted from 1, over the whole show.
    pub number: u64,
    /// Seconds since the show began.
    pub at_secs: f64,
    pub line: Arc<str>,
}

/// The last [`KEPT`] lines that the show has told, oldest first.
#[derive(Clone, Debug, Default)]
pub struct Notices {
    lines: VecDeque<Notice>,
    count: u64,
}

static NONE: Notices = Notices { lines: VecDeque::new(), count: 0 };

impl Notices {
    /// Adds a line; the oldest goes when there are too many.
    pub fn push(&mut self, at_secs: f64, line: &str) {
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.count += 1;
        self.lines.push_back(Notice { number: self.count, at_secs, line: line.into() });
    }

    /// How many there have been.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Those after the first `count`, oldest first, as far as they are kept.
    pub fn since(&self, count: u64) -> impl Iterator<Item = &Notice> {
        self.lines.iter().filter(move |notice| notice.number > count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_notices_are_kept_and_numbered() {
        let mut notices = Notices::default();
        for i in 0..KEPT as u64 + 3 {
            notices.push(i as f64, &format!("line {i}"));
        }
        assert_eq!(notices.count(), KEPT as u64 + 3);
        let all: Vec<u64> = notices.since(0).map(|notice| notice.number).collect();
        assert_eq!((all.len(), all[0], all[KEPT - 1]), (KEPT, 4, KEPT as u64 + 3));
        let last: Vec<&str> = notices.since(KEPT as u64 + 2).map(|notice| &*notice.line).collect();
        assert_eq!(last, [format!("line {}", KEPT + 2)]);
    }
}
