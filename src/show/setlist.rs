//! The set list that is played: where the show is in it, what waits for its beat, and the cues of the entry that plays.
//!
//! A set list arrives like a preset, read by the thread `library`. While there is one, the next and the previous preset are
//! its own. Beats are the show's, so a take repeats everything. The player's own keys arrive in the same way.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Show;
use super::loads::{self, LoadRequest, Named};
use crate::control::keys::{Key, Keys};
use crate::control::{Event, Source, Write, clock};
use crate::params::{Id, TimeBase, Value};
use crate::patch::key_file::KeyFile;
use crate::patch::set::{Cue, Entry, Set, When};

/// The set list of a show.
#[derive(Default)]
pub struct Setlist {
    set: Option<Arc<Set>>,
    /// The entry that plays.
    at: Option<usize>,
    /// The entry whose preset is being loaded.
    asked: Option<usize>,
    /// The entry that waits for a multiple of so many beats.
    held: Option<(usize, f64)>,
    /// The beat of the last frame.
    beat: f64,
    /// Beats since the entry began.
    beats: f64,
    /// How many of its cues at beats have come.
    come: usize,
    /// The file of the player's own keys that play; empty for none.
    keys: PathBuf,
}

/// Where a show is in its set list.
#[derive(Clone, Copy, Debug)]
pub struct Position<'a> {
    /// The set's name.
    pub name: &'a str,
    /// Number of entries.
    pub count: usize,
    /// The number of the entry that plays, from 1, and the entry.
    pub now: Option<(usize, &'a Entry)>,
    /// The one after it.
    pub next: Option<(usize, &'a Entry)>,
    /// The one that waits for its beat, or is being loaded.
    pub waiting: Option<(usize, &'a Entry)>,
    /// Beats since the entry began.
    pub beats: f64,
}

impl Setlist {
    /// Whether a step goes along the set list, which knows for how long it waits.
    pub fn leads(&self, id: Id) -> bool {
        self.set.is_some() && matches!(id, Id::PresetNext | Id::PresetPrev | Id::SetGo)
    }

    /// Whether an entry waits for its beat.
    pub fn waits(&self) -> bool {
        self.held.is_some()
    }

    /// Another preset is requested by hand, or the one that was requested does not come.
    pub fn forget_asked(&mut self) {
        (self.asked, self.held) = (None, None);
    }

    /// A preset from this file plays.
    pub fn landed(&mut self, file: &Path) {
        let Some(set) = &self.set else { return };
        let asked = self.asked.take();
        let is_it = |&i: &usize| set.entries.get(i).is_some_and(|entry| entry.file == file);
        let count = set.entries.len();
        let after = self.at.unwrap_or(0);
        let at = asked.filter(is_it).or_else(|| (0..count).map(|i| (after + i) % count).find(is_it));
        if at.is_some() {
            (self.at, self.beats, self.come) = (at, 0.0, 0);
        }
    }

    /// Plays a set list that has been read. The entry that plays goes on if it is in it.
    fn take(&mut self, set: Arc<Set>, playing: &Path) {
        let is_same = self.set.as_ref().is_some_and(|old| old.path == set.path);
        let is_it = |i: &usize| set.entries.get(*i).is_some_and(|entry| entry.file == playing);
        let at = self.at.filter(|_| is_same).filter(is_it).or_else(|| (0..set.entries.len()).find(is_it));
        if !is_same || at.is_none() {
            self.beats = 0.0;
        }
        let beats = self.beats;
        let has_come =
            |entry: &Entry| entry.cues.iter().filter(|cue| matches!(cue.when, When::At(at) if at < beats)).count();
        self.come = at.and_then(|i| set.entries.get(i)).map_or(0, has_come);
        let file = |set: &Set, i: usize| set.entries.get(i).map(|entry| entry.file.clone());
        let old = self.set.take().filter(|_| is_same);
        let stays =
            |i: &usize| old.as_ref().is_some_and(|old| file(old, *i).is_some() && file(old, *i) == file(&set, *i));
        (self.asked, self.held) = (self.asked.filter(stays), self.held.filter(|(i, _)| stays(i)));
        (self.at, self.set) = (at, Some(set));
    }

    /// The preset of `from` was saved as a copy: its entries play that from now on.
    pub fn copied(&mut self, from: &Path, copy: &Path) {
        let Some(set) = self.set.as_mut().filter(|set| set.entries.iter().any(|entry| entry.file == from)) else {
            return;
        };
        for entry in Arc::make_mut(set).entries.iter_mut().filter(|entry| entry.file == from) {
            copy.clone_into(&mut entry.file);
        }
    }

    fn entry(&self, i: usize) -> Option<(usize, &Entry)> {
        Some((i + 1, self.set.as_ref()?.entries.get(i)?))
    }
}

impl Show {
    /// Loads the set list that `/setlist` names; nothing ends it.
    pub(super) fn go_to_set(&mut self) {
        let named = self.named(Id::Set);
        if !named.name.trim().is_empty() {
            return self.loads.request(LoadRequest::Set(named));
        }
        self.loads.cancel(loads::Kind::Set);
        self.status.mended(loads::Kind::Set);
        self.reread.follow(Id::Set, None);
        if let Some(set) = self.setlist.set.take() {
            self.forget_asked();
            self.setlist.at = None;
            self.status.notice(format!("the set {} is over", set.name));
        }
    }

    /// No entry of the set list is waited for any more.
    pub(super) fn forget_asked(&mut self) {
        self.setlist.forget_asked();
        self.morph.set_next(None);
    }

    /// A set list has been read.
    pub(super) fn take_set(&mut self, set: Arc<Set>) {
        // Another file was saved: what waits goes on waiting.
        if self.setlist.set.as_deref() == Some(&*set) {
            return self.name_set();
        }
        self.status.notice(format!("the set {} has {} entries", set.name, set.entries.len()));
        let playing = self.presets.playing().path.clone();
        self.reread.follow(Id::Set, Some(&set.path));
        self.setlist.take(set, &playing);
        self.name_set();
    }

    /// Names what plays in `/setlist`.
    pub(super) fn name_set(&mut self) {
        let address = self.setlist.set.as_ref().map_or("", |set| &set.address);
        self.params.set_text(Id::Set, address);
    }

    /// Loads the keys that `/keyboard` names; nothing brings back those of the instrument.
    pub(super) fn go_to_keys(&mut self) {
        let named = self.named(Id::Keys);
        if !named.name.trim().is_empty() {
            return self.loads.request(LoadRequest::Keys(named));
        }
        self.loads.cancel(loads::Kind::Keys);
        self.status.mended(loads::Kind::Keys);
        self.reread.follow(Id::Keys, None);
        self.setlist.keys = PathBuf::new();
        self.controls.set_own_keys(Arc::default());
    }

    /// Keys of the player's own have been read.
    pub(super) fn take_keys(&mut self, file: &KeyFile) {
        self.reread.follow(Id::Keys, Some(&file.path));
        self.setlist.keys.clone_from(&file.path);
        self.name_keys();
        self.status.notice(format!("{} keys from {}", file.bindings.len(), file.path.display()));
        self.controls.set_own_keys(file.bindings.as_slice().into());
    }

    /// Names in `/keyboard` the file whose keys play.
    pub(super) fn name_keys(&mut self) {
        self.params.set_text(Id::Keys, &self.setlist.keys.to_string_lossy());
    }

    /// What keys do.
    pub fn keys(&self) -> &Keys {
        self.controls.keys()
    }

    /// The name of the set list that plays.
    pub(super) fn set_name(&self) -> &str {
        self.setlist.set.as_ref().map_or("", |set| &set.name)
    }

    /// Goes `by` entries on. False without a set list.
    pub(super) fn step_set_by(&mut self, by: isize) -> bool {
        let Some(set) = self.setlist.set.clone() else { return false };
        let from = self.setlist.held.map(|(i, _)| i).or(self.setlist.asked).or(self.setlist.at);
        let to = match from {
            Some(i) => i.checked_add_signed(by).filter(|&i| i < set.entries.len()),
            None if by < 0 => None,
            None => Some(0),
        };
        match to {
            Some(i) => self.go_in_set(i),
            None if by < 0 => self.status.notice(format!("this is where the set {} begins", set.name)),
            None => self.status.notice(format!("the set {} ends here", set.name)),
        }
        true
    }

    /// Goes to the entry that `/setlist/go` names: its number, or its preset.
    pub(super) fn go_in_set_by_name(&mut self) {
        let Some(set) = self.setlist.set.clone() else {
            return self.status.refuse("/setlist/go: there is no set list; /setlist takes one");
        };
        let word = self.params.text(Id::SetGo).trim().to_owned();
        let number = word.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        let is_it = |entry: &Entry| entry.preset.eq_ignore_ascii_case(&word);
        let at = set.entries.iter().position(is_it).or(number).filter(|&i| i < set.entries.len());
        match at {
            Some(i) => self.go_in_set(i),
            None => {
                let count = set.entries.len();
                self.status.refuse(&format!("/setlist/go: no entry \"{word}\" in {}, which has {count}", set.name));
            }
        }
    }

    /// Goes to an entry, on its beat.
    fn go_in_set(&mut self, i: usize) {
        let Some(set) = self.setlist.set.clone() else { return };
        let every = set.entries[i].quantize.unwrap_or_else(|| self.params.base(Id::Quantize));
        if every > 0.0 {
            self.setlist.held = Some((i, every));
            self.setlist.asked = None;
            let query = self.presets.query(Some(named(&set.entries[i])), 0);
            self.loads.prepare(LoadRequest::Preset(query));
        } else {
            self.ask_entry(i);
        }
    }

    fn ask_entry(&mut self, i: usize) {
        let Some(set) = self.setlist.set.clone() else { return };
        (self.setlist.asked, self.setlist.held) = (Some(i), None);
        self.morph.set_next(set.entries[i].fade);
        let request = self.presets.go_to(named(&set.entries[i]));
        self.loads.request(request);
    }

    /// Advances the entry's beats, and does what they bring.
    pub(super) fn step_set(&mut self, dt: f64) {
        let now = self.controls.clock().beat();
        let last = std::mem::replace(&mut self.setlist.beat, now);
        if self.setlist.set.is_none() {
            return;
        }
        let (passed, expected) = (now - last, dt * TimeBase::Beats.per_second(self.params.get(Id::Tempo)));
        self.setlist.beats += clock::counted(passed, expected);
        if let Some((i, every)) = self.setlist.held
            && (now < last || (now / every).floor() != (last / every).floor())
        {
            self.ask_entry(i);
        }
        while let Some(writes) = self.next_cue() {
            self.do_cue(&writes);
        }
    }

    /// The writes of the next cue whose beat has come.
    fn next_cue(&mut self) -> Option<Vec<(String, Value)>> {
        let setlist = &mut self.setlist;
        let cue = setlist.set.as_ref()?.entries.get(setlist.at?)?.cues.get(setlist.come)?;
        match cue.when {
            When::At(at) if at <= setlist.beats => {
                setlist.come += 1;
                Some(cue.writes.clone())
            }
            _ => None,
        }
    }

    /// Whether the entry of the set list that plays has a cue for a key.
    pub fn has_cue(&self, key: Key) -> bool {
        self.cue_of(key).is_some()
    }

    fn cue_of(&self, key: Key) -> Option<&Cue> {
        let entry = self.setlist.set.as_ref()?.entries.get(self.setlist.at?)?;
        entry.cues.iter().find(|cue| cue.when == When::Key(key))
    }

    /// Does the cue of a key, if the entry that plays has one. The key does nothing else then.
    pub(super) fn press_in_set(&mut self, event: &Event) -> bool {
        let (Event::Key(key), false) = (event, self.controls.is_learning()) else { return false };
        let Some(cue) = self.cue_of(*key) else { return false };
        let writes = cue.writes.clone();
        self.do_cue(&writes);
        true
    }

    fn do_cue(&mut self, writes: &[(String, Value)]) {
        for (address, value) in writes {
            match self.params.table().resolve(address) {
                Some(target) => self.write(&Write { target, value: value.clone(), source: Source::Key }),
                None => self.status.refuse(&format!("a cue of the set {}: no parameter {address}", self.set_name())),
            }
        }
    }

    /// Whether something is loaded ahead for the crossfader, for a change half-way, or for an entry that waits.
    pub(super) fn prepares_more(&self) -> bool {
        self.morph.prepares() || self.setlist.waits()
    }

    /// Where the show is in its set list; `None` without one.
    pub fn setlist(&self) -> Option<Position<'_>> {
        let setlist = &self.setlist;
        let set = setlist.set.as_ref()?;
        let next = setlist.at.map_or(0, |i| i + 1);
        Some(Position {
            name: &set.name,
            count: set.entries.len(),
            now: setlist.at.and_then(|i| setlist.entry(i)),
            next: setlist.entry(next),
            waiting: setlist.held.map(|(i, _)| i).or(setlist.asked).and_then(|i| setlist.entry(i)),
            beats: setlist.beats,
        })
    }

    /// The HUD's line about the set list.
    pub(super) fn set_line(&self) -> Option<String> {
        let (i, every) = self.setlist.held?;
        let (number, entry) = self.setlist.entry(i)?;
        let left = every - self.controls.clock().beat().rem_euclid(every);
        Some(format!("{number} {} in {left:.1} beats", entry.preset))
    }
}

fn named(entry: &Entry) -> Named {
    Named { name: entry.file.to_string_lossy().into_owned(), may_be_path: true, base: Default::default() }
}
