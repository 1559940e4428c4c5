//! Mappings learned in the current preset, with undo.

use crate::control::mapping::{ControlSpec, MidiEntry};

/// Number of undo steps.
const UNDO: usize = 64;

/// The preset's mappings: the active ones, and those for its file if they differ.
#[derive(Clone)]
struct Entries {
    playing: Vec<MidiEntry>,
    own: Option<Vec<MidiEntry>>,
}

impl Entries {
    /// Adds a mapping, replacing those of the same control; `saves` if it also goes into the file.
    fn learn(&mut self, entry: &MidiEntry, saves: bool) {
        if !saves && self.own.is_none() {
            self.own = Some(self.playing.clone());
        }
        let own = self.own.as_mut().filter(|_| saves);
        for entries in [Some(&mut self.playing), own].into_iter().flatten() {
            let same_channel = |old: &MidiEntry| old.control.channel == entry.control.channel;
            entries.retain(|old| {
                !(same_channel(old) && (old.control.covers(&entry.control) || entry.control.covers(&old.control)))
            });
            entries.push(entry.clone());
        }
    }
}

/// Keeps mappings learned by untrusted clients out of the preset's file: they work but are not saved.
#[derive(Default)]
pub struct Learned {
    /// The entries before each learned mapping.
    undo: Vec<Entries>,
    /// What the preset's file should contain, if that differs from what is active.
    own: Option<Vec<MidiEntry>>,
}

impl Learned {
    /// The entries that belong in the preset's file, when `playing` are active.
    pub fn own<'a>(&'a self, playing: &'a [MidiEntry]) -> &'a [MidiEntry] {
        self.own.as_deref().unwrap_or(playing)
    }

    /// Adds a mapping to `playing`; `saves` if it also goes into the file.
    pub fn learn(&mut self, playing: &mut Vec<MidiEntry>, entry: &MidiEntry, saves: bool) {
        let before = Entries { playing: playing.clone(), own: self.own.clone() };
        let mut entries = before.clone();
        entries.learn(entry, saves);
        (*playing, self.own) = (entries.playing, entries.own);
        self.remember(before);
    }

    /// Removes what this control plays from `playing`, and if `saves` from the file; a step that can be undone. False if it
    /// plays nothing.
    pub fn remove(&mut self, playing: &mut Vec<MidiEntry>, control: &ControlSpec, saves: bool) -> bool {
        if !playing.iter().any(|entry| entry.control == *control) {
            return false;
        }
        let before = Entries { playing: playing.clone(), own: self.own.clone() };
        if !saves && self.own.is_none() {
            self.own = Some(playing.clone());
        }
        let own = self.own.as_mut().filter(|_| saves);
        for entries in [Some(playing), own].into_iter().flatten() {
            entries.retain(|entry| entry.control != *control);
        }
        self.remember(before);
        true
    }

    /// Keeps a step that can be undone; the oldest goes when there are too many.
    fn remember(&mut self, before: Entries) {
        if self.undo.len() == UNDO {
            self.undo.remove(0);
        }
        self.undo.push(before);
    }

    /// Undoes the last one. Returns the removed entry, if any; `None` if nothing was learned.
    pub fn undo(&mut self, playing: &mut Vec<MidiEntry>, saves: bool) -> Option<Option<MidiEntry>> {
        let mut entries = self.undo.pop()?;
        if !saves {
            entries.own = Some(self.own(playing).to_vec());
        }
        let undone = std::mem::replace(playing, entries.playing);
        self.own = entries.own;
        Some(undone.into_iter().find(|entry| !playing.contains(entry)))
    }

    /// The preset was saved as `saved` while `playing` were active: mappings that are not for the file stay active.
    pub fn saved(&mut self, saved: &mut Vec<MidiEntry>, playing: Vec<MidiEntry>) {
        if self.own.is_some() {
            self.own = Some(std::mem::replace(saved, playing));
        }
    }

    /// A different preset is current, with its own mappings.
    pub fn forget(&mut self) {
        *self = Learned::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::mapping::MidiOptions;
    use crate::params::Params;

    fn entry(control: &str, to: &str) -> MidiEntry {
        let options = MidiOptions { to: to.to_owned(), ..MidiOptions::default() };
        MidiEntry::new(control, &options, Params::default().table()).unwrap()
    }

    #[test]
    fn the_last_learned_mapping_wins_and_undo_goes_back_step_by_step() {
        let (mut learned, mut playing) = (Learned::default(), vec![entry("ch 1 cc 1", "/psi")]);
        learned.learn(&mut playing, &entry("ch 1 cc 2", "/walk/speed"), true);
        learned.learn(&mut playing, &entry("ch 1 cc 1", "/noise/gain"), true);
        let plays: Vec<String> = playing.iter().map(|entry| entry.to.to_string()).collect();
        assert_eq!(plays, ["/walk/speed", "/noise/gain"]);
        assert_eq!(learned.undo(&mut playing, true), Some(Some(entry("ch 1 cc 1", "/noise/gain"))));
        assert_eq!(learned.undo(&mut playing, true), Some(Some(entry("ch 1 cc 2", "/walk/speed"))));
        assert_eq!(playing, [entry("ch 1 cc 1", "/psi")]);
        assert_eq!(learned.undo(&mut playing, true), None);
    }

    #[test]
    fn of_too_many_steps_the_oldest_cannot_be_undone() {
        let (mut learned, mut playing) = (Learned::default(), Vec::new());
        let mut steps = Vec::new();
        for number in 0..UNDO + 6 {
            steps.push(playing.clone());
            let to = ["/psi", "/walk/speed"][number % 2];
            learned.learn(&mut playing, &entry(&format!("ch 1 cc {}", number % 100), to), true);
        }
        for step in steps.iter().rev().take(UNDO) {
            assert!(learned.undo(&mut playing, true).is_some());
            assert_eq!(&playing, step);
        }
        assert_eq!(learned.undo(&mut playing, true), None);
    }

    #[test]
    fn a_mapping_is_forgotten_and_comes_back_by_undo() {
        let (psi, speed) = (entry("ch 1 cc 1", "/psi"), entry("ch 1 cc 2", "/walk/speed"));
        let (mut learned, mut playing) = (Learned::default(), vec![psi.clone(), speed.clone()]);
        assert!(!learned.remove(&mut playing, &entry("cc 9", "/psi").control, true));
        assert!(learned.remove(&mut playing, &psi.control, true));
        assert_eq!((&playing[..], learned.own(&playing)), (&[speed.clone()][..], &[speed.clone()][..]));
        assert_eq!(learned.undo(&mut playing, true), Some(None), "nothing was added");
        assert_eq!(playing, [psi.clone(), speed.clone()]);
        assert!(learned.remove(&mut playing, &speed.control, false), "by someone who may not write files");
        assert_eq!((&playing[..], learned.own(&playing)), (&[psi.clone()][..], &[psi, speed][..]));
    }

    #[test]
    fn unsaved_mappings_work_and_stay_out_of_the_file() {
        let (mut learned, mut playing) = (Learned::default(), Vec::new());
        learned.learn(&mut playing, &entry("cc 1", "/psi"), false);
        learned.learn(&mut playing, &entry("cc 2", "/walk/speed"), true);
        assert_eq!((playing.len(), learned.own(&playing)), (2, &[entry("cc 2", "/walk/speed")][..]));
        let mut saved = learned.own(&playing).to_vec();
        learned.saved(&mut saved, playing.clone());
        assert_eq!((saved.len(), learned.own(&saved).len()), (2, 1));
        learned.forget();
        assert_eq!(learned.own(&playing).len(), 2);
    }
}
