//! Results and errors beside the lines that they are about, while the text around them changes.

use std::ops::Range;

/// A line or more below a line of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Counted from 0.
    pub line: usize,
    pub text: String,
    pub is_error: bool,
}

/// The notes of one text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    notes: Vec<Note>,
    /// Changes with them.
    version: u64,
}

/// Most characters of a note.
const LONGEST: usize = 400;

impl Notes {
    pub fn iter(&self) -> impl Iterator<Item = &Note> {
        self.notes.iter()
    }

    pub fn version(&self) -> u64 {
        self.version
    }

    /// The note of a line.
    pub fn of(&self, line: usize) -> Option<&Note> {
        self.notes.iter().find(|note| note.line == line)
    }

    /// Whether a line or any other is in error.
    pub fn has_errors(&self) -> bool {
        self.notes.iter().any(|note| note.is_error)
    }

    /// Notes something at a line, in the place of what was there.
    pub fn put(&mut self, line: usize, text: &str, is_error: bool) {
        let text: String = text.chars().take(LONGEST).collect();
        self.notes.retain(|note| note.line != line);
        self.notes.push(Note { line, text, is_error });
        self.version += 1;
    }

    /// Removes the notes of these lines: they have been evaluated again.
    pub fn clear(&mut self, lines: Range<usize>) {
        let count = self.notes.len();
        self.notes.retain(|note| !lines.contains(&note.line));
        self.version += u64::from(self.notes.len() != count);
    }

    /// Removes results that are no errors.
    pub fn clear_results(&mut self) {
        let count = self.notes.len();
        self.notes.retain(|note| note.is_error);
        self.version += u64::from(self.notes.len() != count);
    }

    /// Follows an edit: notes below it move with their lines, those within stay where they are, and those of lines that were
    /// taken away go with them.
    pub fn follow(&mut self, old: &str, new: &str) {
        if self.notes.is_empty() {
            return;
        }
        let edit = Edit::between(old, new);
        self.notes.retain_mut(|note| edit.moved(note.line).map(|line| note.line = line).is_some());
        self.version += 1;
    }
}

/// Which lines differ.
struct Edit {
    /// Lines at the end that are the same, and the number of lines before and after.
    same_at_end: usize,
    before: usize,
    after: usize,
}

impl Edit {
    fn between(old: &str, new: &str) -> Edit {
        let (before, after) = (old.split('\n').count(), new.split('\n').count());
        let shorter = before.min(after);
        let same = |(a, b): &(&str, &str)| a == b;
        let same_at_start = old.split('\n').zip(new.split('\n')).take(shorter).take_while(same).count();
        let ends = old.rsplit('\n').zip(new.rsplit('\n')).take(shorter - same_at_start);
        Edit { same_at_end: ends.take_while(same).count(), before, after }
    }

    /// Where a line is now; `None` if it was taken away.
    fn moved(&self, line: usize) -> Option<usize> {
        let from_end = self.before.saturating_sub(line);
        if from_end <= self.same_at_end {
            return Some(self.after - from_end);
        }
        (line + self.same_at_end < self.after).then_some(line)
    }
}

/// Splits `drift.luau:3: message` or `trails.wgsl:3:14: message`: the file, the line from 1, and the message.
pub fn place(message: &str) -> Option<(&str, usize, &str)> {
    let (at, rest) = message.split_once(": ")?;
    let mut parts = at.split(':');
    let (file, line) = (parts.next()?, parts.next()?.parse().ok()?);
    parts.all(|part| part.parse::<usize>().is_ok()).then_some((file, line, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(notes: &Notes) -> Vec<usize> {
        notes.iter().map(|note| note.line).collect()
    }

    #[test]
    fn notes_move_with_their_lines() {
        let mut notes = Notes::default();
        [1, 3].iter().for_each(|line| notes.put(*line, "wrong", true));
        let old = "a\nb\nc\nd";
        notes.follow(old, "a\nnew\nb\nc\nd");
        assert_eq!(lines(&notes), [2, 4], "a line above");
        notes.follow("a\nnew\nb\nc\nd", "a\nnew\nbb\nc\nd");
        assert_eq!(lines(&notes), [2, 4], "the line itself");
        notes.follow("a\nnew\nbb\nc\nd", "a\nnew\nbb\nc\nd\ne");
        assert_eq!(lines(&notes), [2, 4], "below");
        notes.follow("a\nnew\nbb\nc\nd\ne", "c\nd\ne");
        assert_eq!(lines(&notes), [1], "a line is taken away with its note, and lines above the other");
        notes.follow("c\nd\ne", "c\ne");
        assert_eq!(lines(&notes), [0; 0], "the line of the last");
    }

    #[test]
    fn what_is_evaluated_again_is_mended() {
        let mut notes = Notes::default();
        notes.put(1, "wrong", true);
        notes.put(1, "worse", true);
        notes.put(5, "3", false);
        assert_eq!((lines(&notes), notes.of(1).unwrap().text.as_str()), (vec![1, 5], "worse"));
        let version = notes.version();
        notes.clear(2..5);
        assert_eq!((lines(&notes), notes.version()), (vec![1, 5], version));
        notes.clear_results();
        assert!(notes.has_errors());
        notes.clear(0..2);
        assert!(!notes.has_errors() && notes.version() > version);
    }

    #[test]
    fn messages_name_their_line() {
        assert_eq!(place("drift.luau:3: no: such"), Some(("drift.luau", 3, "no: such")));
        assert_eq!(place("trails.wgsl:3:14: wrong"), Some(("trails.wgsl", 3, "wrong")));
        assert_eq!(place("trails.wgsl: wrong"), None);
        assert_eq!(place("a:b: c"), None);
        assert_eq!(place("12 ok"), None);
    }
}
