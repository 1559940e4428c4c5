//! Snapshots: when one is due, and of which picture.
//!
//! A picture is seen some frames after it was asked for; a snapshot leads up to the frame that asked for it. Its pixels may
//! have to come from the card first. Just counting: the thread `take` composes and writes the file.

use std::collections::VecDeque;
use std::path::PathBuf;

/// Pictures whose frames are known.
const KNOWN: usize = 64;

/// The snapshots of a running show.
pub(super) struct Snapshots {
    /// The file of the one that is wanted, and the picture that must have been drawn.
    wanted: Option<(Option<PathBuf>, u64)>,
    /// Seconds since the last of a time lapse.
    since_secs: f64,
    /// Serial numbers of pictures, and the frames that asked for them.
    known: VecDeque<(u64, u64)>,
}

impl Default for Snapshots {
    fn default() -> Self {
        Snapshots { wanted: None, since_secs: 0.0, known: VecDeque::with_capacity(KNOWN) }
    }
}

impl Snapshots {
    /// Wants the picture with this serial number, or a later one.
    pub fn want(&mut self, path: Option<PathBuf>, serial: u64) {
        self.wanted = Some((path, serial));
    }

    /// Whether pixels are wanted.
    pub fn is_wanting(&self) -> bool {
        self.wanted.is_some()
    }

    /// Notes which frame asked for a picture.
    pub fn drew(&mut self, serial: u64, frame: u64) {
        if self.known.len() == KNOWN {
            self.known.pop_front();
        }
        self.known.push_back((serial, frame));
    }

    /// Whether one of a time lapse is due, one every `every` seconds; 0 for none.
    pub fn is_due(&mut self, dt: f64, every: f64) -> bool {
        if every <= 0.0 {
            self.since_secs = 0.0;
            return false;
        }
        self.since_secs += dt;
        let is_due = self.since_secs >= every;
        if is_due {
            self.since_secs %= every;
        }
        is_due
    }

    /// Whether the picture with this serial number, which has pixels, is what is wanted: the file, and the frame.
    pub fn take(&mut self, serial: u64) -> Option<(Option<PathBuf>, u64)> {
        let frame = self.known.iter().find(|(known, _)| *known == serial)?.1;
        let (path, _) = self.wanted.take_if(|(_, wanted)| serial >= *wanted)?;
        Some((path, frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_of_a_picture_that_is_new_enough() {
        let mut snapshots = Snapshots::default();
        (0..100).for_each(|serial| snapshots.drew(serial, serial * 2));
        assert_eq!(snapshots.take(99), None, "nobody wants it");
        snapshots.want(None, 98);
        assert_eq!((snapshots.take(97), snapshots.take(3)), (None, None));
        assert_eq!(snapshots.take(98), Some((None, 196)));
        assert_eq!(snapshots.take(99), None, "once");
    }

    #[test]
    fn a_time_lapse_counts_seconds() {
        let mut snapshots = Snapshots::default();
        let due: Vec<bool> = (0..8).map(|_| snapshots.is_due(0.5, 1.5)).collect();
        assert_eq!(due, [false, false, true, false, false, true, false, false]);
        assert!(!snapshots.is_due(9.0, 0.0) && !snapshots.is_due(0.5, 1.5));
    }
}
