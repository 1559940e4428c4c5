//! The effects from files: which ones are requested, which ones run, and their rows in the table.
//!
//! An effect's parameters are `/fx/<name>/<param>`; `enabled` and `mix` belong to each. Rows exist from the moment an effect is
//! requested, so that a preset can set them; the effect itself runs once it has been compiled on the loader's thread
//! ([`LoadRequest::Effects`](super::loads::LoadRequest)). Values survive a reload.

use std::sync::Arc;

use super::scripts::Report;
use crate::modulate::Signals;
use crate::params::{Def, Id, Params, TableError, Value};
use crate::patch::effects::EffectEntry;
use crate::patch::watch_files::WatchFiles;
use crate::screen::chain::{LINK_WORDS, words_of};
use crate::screen::header::What;
use crate::screen::{Compiled, Link};

/// The effects of a running show.
#[derive(Default)]
pub(super) struct Effects {
    /// The requested chain.
    wanted: Vec<EffectEntry>,
    /// The rows of the requested chain.
    rows: Vec<Id>,
    playing: Vec<Playing>,
    /// Live only.
    watch: Option<WatchFiles>,
}

/// An effect that runs.
struct Playing {
    name: String,
    compiled: Arc<Compiled>,
    /// `enabled` and `mix`, then one per field; `None` for a field that is a signal.
    rows: Vec<Option<Id>>,
    /// The last values of the rows; they count while a row is not in the table.
    words: Vec<u32>,
}

impl Effects {
    /// Notices changes of the effects' files from now on.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(&mut self) -> std::io::Result<()> {
        let mut watch = WatchFiles::start()?;
        watch.follow(self.wanted.iter().flat_map(EffectEntry::files).collect());
        self.watch = Some(watch);
        Ok(())
    }

    /// Whether a file of the requested chain has changed since the last call.
    pub fn has_changed(&self) -> bool {
        self.watch.as_ref().is_some_and(WatchFiles::poll)
    }

    /// The requested chain and one more effect, under a name that is free.
    pub fn with(&self, source: &str) -> Vec<EffectEntry> {
        let is_taken = |name: &str| self.wanted.iter().any(|entry| entry.name == name);
        let numbered = (2..).map(|n| format!("{source}-{n}"));
        let name = std::iter::once(source.to_owned()).chain(numbered).find(|name| !is_taken(name));
        let new = EffectEntry { name: name.unwrap_or_default(), source: source.to_owned(), file: None, shader: None };
        self.wanted.iter().cloned().chain([new]).collect()
    }

    /// The requested chain without one effect; `None` if it is not there.
    pub fn without(&self, name: &str) -> Option<Vec<EffectEntry>> {
        let rest: Vec<EffectEntry> = self.wanted.iter().filter(|entry| entry.name != name).cloned().collect();
        (rest.len() < self.wanted.len()).then_some(rest)
    }

    /// The requested chain.
    pub fn wanted(&self) -> &[EffectEntry] {
        &self.wanted
    }

    /// Requests this chain; its rows are in the table from now on. A row that stays keeps its value.
    ///
    /// # Errors
    /// When the table cannot take the rows; then the chain stays as it was.
    pub fn want(&mut self, mut entries: Vec<EffectEntry>, params: &mut Params) -> Result<(), TableError> {
        // The last good version of a file that is broken at the moment plays on.
        for entry in entries.iter_mut().filter(|entry| entry.shader.is_none() && entry.file.is_some()) {
            let same = |known: &&EffectEntry| (&known.name, &known.file) == (&entry.name, &entry.file);
            entry.shader = self.wanted.iter().find(same).and_then(|known| known.shader.clone());
        }
        let new: Vec<Def> =
            entries.iter().flat_map(|entry| entry.shader.iter().flat_map(|shader| shader.rows(&entry.name))).collect();
        let kept: Vec<(&str, Value)> =
            self.rows.iter().filter_map(|id| Some((id.def().address, params.value(*id)?))).collect();
        let ids = params.replace(&self.rows, &new)?;
        for id in &ids {
            if let Some((_, value)) = kept.iter().find(|(address, _)| *address == id.def().address) {
                // A value that no longer fits the new range is brought into it.
                let _ = params.write((*id).into(), value);
            }
        }
        (self.rows, self.wanted) = (ids, entries);
        if let Some(watch) = &mut self.watch {
            watch.follow(self.wanted.iter().flat_map(EffectEntry::files).collect());
        }
        Ok(())
    }

    /// Runs these effects: `compiled` are those of the requested chain, in order. Returns the links for the screen.
    pub fn play(&mut self, compiled: Vec<(String, Arc<Compiled>)>, params: &Params) -> Vec<Link> {
        let table = params.table();
        let row = |address: &str| table.row(address);
        self.playing = compiled
            .into_iter()
            .map(|(name, compiled)| {
                let common = ["enabled", "mix"].map(|param| row(&format!("/fx/{name}/{param}")));
                let fields = compiled.shader.fields.iter().map(|field| match field.what {
                    What::Param(_) => row(&format!("/fx/{name}/{}", field.name)),
                    What::Signal(_) => None,
                });
                let rows = common.into_iter().chain(fields).collect();
                let words = vec![0; LINK_WORDS + words_of(&compiled)];
                Playing { name, rows, words, compiled }
            })
            .collect();
        self.playing.iter().map(|p| Link { name: p.name.clone(), compiled: p.compiled.clone() }).collect()
    }

    /// The values of the chain that runs, as [`Screen::draw`](crate::screen::Screen::draw) takes them. Allocates nothing once
    /// `out` is large enough.
    pub fn fill(&self, params: &Params, signals: &Signals, out: &mut Vec<u32>) {
        out.clear();
        for playing in &self.playing {
            let start = out.len();
            out.extend_from_slice(&playing.words);
            let current = |row: &Option<Id>| row.and_then(|id| params.table().current(id));
            let words = &mut out[start..];
            words[0] = current(&playing.rows[0]).map_or(words[0], |id| u32::from(params.get(id) != 0.0));
            words[1] = current(&playing.rows[1]).map_or(words[1], |id| (params.get(id) as f32).to_bits());
            for (field, row) in playing.compiled.shader.fields.iter().zip(&playing.rows[LINK_WORDS..]) {
                let value = match field.what {
                    What::Signal(signal) => Some(signals.get(signal)),
                    What::Param(_) => current(row).map(|id| params.get(id)),
                };
                if let (Some(value), Some(word)) = (value, words.get_mut(LINK_WORDS + field.word)) {
                    *word = field.scalar.bits(value);
                }
            }
        }
    }

    /// Keeps the values of this frame, for when rows leave the table before their effect does.
    pub fn remember(&mut self, values: &[u32]) {
        let mut rest = values;
        for playing in &mut self.playing {
            let (own, after) = rest.split_at(rest.len().min(playing.words.len()));
            rest = after;
            if own.len() == playing.words.len() {
                playing.words.copy_from_slice(own);
            }
        }
    }

    /// What came of reading the files of the requested chain, with these lines for those that are wrong.
    pub fn reports(&self, problems: &[String]) -> Vec<Report> {
        let files = self.wanted.iter().filter_map(|entry| entry.file.as_ref()?.file_name());
        let report = |file: String| {
            let problem =
                problems.iter().find(|line| line.strip_prefix(&file).is_some_and(|rest| rest.starts_with(':')));
            let result = problem.map_or(Ok(Vec::new()), |line| Err(line.clone()));
            Report { file, lines: None, result }
        };
        files.map(|file| report(file.to_string_lossy().into_owned())).collect()
    }

    /// Whether no effect runs.
    pub fn is_empty(&self) -> bool {
        self.playing.is_empty()
    }

    /// Whether the chain's picture changes with time alone.
    pub fn is_moving(&self, params: &Params) -> bool {
        let is_above_0 =
            |row: Option<Id>| row.and_then(|id| params.table().current(id)).is_none_or(|id| params.get(id) > 0.0);
        let is_on = |playing: &&Playing| is_above_0(playing.rows[0]) && is_above_0(playing.rows[1]);
        self.playing.iter().filter(is_on).any(|playing| playing.compiled.shader.reads.time)
    }

    /// The names of the requested chain, in order.
    pub fn names(&self) -> String {
        self.wanted.iter().map(|entry| entry.name.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// `entries` in the order of `names`; those that are not named follow.
///
/// # Errors
/// One line, when a name is not in the chain.
pub(super) fn ordered(entries: &[EffectEntry], names: &str) -> Result<Vec<EffectEntry>, String> {
    let mut rest: Vec<&EffectEntry> = entries.iter().collect();
    let mut ordered = Vec::new();
    for name in names.split([' ', ',']).filter(|name| !name.is_empty()) {
        match rest.iter().position(|entry| entry.name == name) {
            Some(at) => ordered.push(rest.remove(at).clone()),
            None => {
                let known: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
                return Err(format!("/fx/order: no effect {name:?} in the chain, which is {}", known.join(", ")));
            }
        }
    }
    ordered.extend(rest.into_iter().cloned());
    Ok(ordered)
}
