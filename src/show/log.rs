//! The last lines that were said: notices and mistakes, for a window to list.

use std::collections::VecDeque;

/// How many different lines are kept.
const MOST: usize = 200;

/// A line, and how often it was said.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    pub line: String,
    pub count: u32,
    /// When it was said last, in seconds since the start.
    pub secs: f64,
    /// Whether it says that something cannot be played.
    pub is_fault: bool,
}

/// The last lines, the newest at the end; each once.
#[derive(Clone, Debug, Default)]
pub struct Log {
    lines: VecDeque<Said>,
    version: u64,
}

impl Log {
    /// Adds a line, or counts it if it is known.
    pub fn add(&mut self, line: &str, secs: f64) {
        self.version += 1;
        if let Some(at) = self.lines.iter().position(|said| said.line == line)
            && let Some(said) = self.lines.remove(at)
        {
            return self.lines.push_back(Said { count: said.count.saturating_add(1), secs, ..said });
        }
        if self.lines.len() == MOST {
            self.lines.pop_front();
        }
        self.lines.push_back(Said { line: line.to_owned(), count: 1, secs, is_fault: false });
    }

    /// The last line says that something cannot be played.
    pub fn is_fault(&mut self) {
        self.version += 1;
        if let Some(said) = self.lines.back_mut() {
            said.is_fault = true;
        }
    }

    /// Grows with each change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The lines, the newest at the end.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Said> {
        self.lines.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_listed_once_with_its_count_and_the_oldest_goes() {
        let mut log = Log::default();
        for (secs, line) in [(1.0, "a"), (2.0, "b"), (3.0, "a")] {
            log.add(line, secs);
        }
        log.is_fault();
        let lines: Vec<_> = log.iter().map(|said| (said.line.as_str(), said.count, said.secs, said.is_fault)).collect();
        assert_eq!(lines, [("b", 1, 2.0, false), ("a", 2, 3.0, true)]);
        (0..MOST).for_each(|i| log.add(&format!("line {i}"), 4.0));
        assert_eq!(log.iter().count(), MOST);
        assert!(log.iter().all(|said| said.line.starts_with("line ")));
    }
}
