//! Splits a picture's dispatches into submissions, so that a window on the same device gets its turn in between.
//!
//! The lengths are learned while playing: a long submission is halved, two short neighbours are merged. Pure numbers; the
//! order of the dispatches never changes.

use std::ops::Range;
use std::time::Duration;

/// A submission that takes longer than this is halved.
const LONGEST: Duration = Duration::from_millis(4);
/// Initial number of dispatches per submission.
const FIRST: usize = 8;

/// The submissions of a picture, in order.
pub struct Slices {
    /// Where each ends.
    ends: Vec<usize>,
    /// How long each took.
    took: Vec<Duration>,
}

impl Slices {
    /// All `count` dispatches at once.
    pub fn whole(count: usize) -> Slices {
        Slices { ends: vec![count], took: vec![Duration::ZERO] }
    }

    /// A few dispatches each.
    pub fn cut(count: usize) -> Slices {
        // Room for the finest split, so that nothing is allocated while playing.
        let (mut ends, mut took) = (Vec::with_capacity(count.max(1)), Vec::with_capacity(count.max(1)));
        ends.extend((FIRST..count).step_by(FIRST).chain([count]));
        took.resize(ends.len(), Duration::ZERO);
        Slices { ends, took }
    }

    /// Number of submissions.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// The dispatches of one submission.
    pub fn range(&self, slice: usize) -> Range<usize> {
        let start = slice.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[slice]
    }

    /// Records how long a submission took, from submitting it to its end.
    pub fn measured(&mut self, slice: usize, took: Duration) {
        self.took[slice] = took;
    }

    /// Adjusts the split to the measurements. Call it after a picture.
    pub fn learn(&mut self) {
        let mut slice = 0;
        while slice < self.len() {
            let Range { start, end } = self.range(slice);
            if self.took[slice] > LONGEST && end - start > 1 {
                let half = self.took[slice] / 2;
                self.ends.insert(slice, start + (end - start) / 2);
                self.took.insert(slice, half);
                self.took[slice + 1] = half;
                slice += 2;
            } else if slice + 1 < self.len() && self.took[slice] + self.took[slice + 1] < LONGEST / 2 {
                self.ends.remove(slice);
                let first = self.took.remove(slice);
                self.took[slice] += first;
            } else {
                slice += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether every dispatch is included once, in order.
    fn covers(slices: &Slices, count: usize) -> bool {
        (0..slices.len()).flat_map(|slice| slices.range(slice)).eq(0..count)
    }

    #[test]
    fn long_submissions_are_split_and_short_ones_merged() {
        for (count, each) in [(60, 3000), (60, 10), (1, 50_000), (7, 700), (0, 0)] {
            let mut slices = Slices::cut(count);
            for _ in 0..12 {
                assert!(covers(&slices, count));
                for slice in 0..slices.len() {
                    slices.measured(slice, Duration::from_micros(each) * slices.range(slice).len() as u32);
                }
                slices.learn();
            }
            assert!(covers(&slices, count));
            let longest = (0..slices.len()).map(|slice| slices.range(slice).len()).max().unwrap_or(0);
            let fits = Duration::from_micros(each) * longest as u32 <= LONGEST;
            assert!(longest <= 1 || fits, "{count} dispatches of {each} us: {longest} at once");
            assert!(slices.len() == 1 || each > 10, "short ones are one submission");
        }
    }

    #[test]
    fn without_a_window_there_is_one_submission() {
        let slices = Slices::whole(60);
        assert!(slices.len() == 1 && covers(&slices, 60));
    }
}
