//! Presets are written on the thread `save` while the show continues.
//!
//! Jobs run in order and none is dropped; their results are polled. The thread ends with its [`Saver`], after the remaining
//! jobs.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::effects::EffectEntry;
use super::library::Library;
use super::locate::name_of;
use super::modulators::Edits;
use super::save::{SaveError, Saving, Written};
use crate::control::mapping::MidiEntry;
use crate::params::{Params, Table};

/// Maximum number of waiting jobs.
const JOBS: usize = 16;

/// What a preset is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Its own file, or nothing.
    Itself,
    /// Another preset, including comments, under a new name.
    Other(PathBuf),
    /// The built-in preset of the same name; `again` if the copy may be there already, because this show made it.
    BuiltIn { file: PathBuf, again: bool },
}

/// What to write, and where.
#[derive(Clone, Debug)]
pub struct Job {
    /// The current table of parameters.
    pub table: Arc<Table>,
    pub path: PathBuf,
    pub origin: Origin,
    /// `None` leaves the values, the network or the mappings as in the file.
    pub params: Option<Box<Params>>,
    pub network: Option<PathBuf>,
    pub midi: Option<Vec<MidiEntry>>,
    /// The chain of effects; `None` leaves it as in the file.
    pub effects: Option<Vec<EffectEntry>>,
    /// What was changed in the modulators; `None` leaves them as in the file.
    pub modulators: Option<Edits>,
    /// A new preset must not take the name of another one.
    pub library: Library,
}

/// The result of a job.
#[derive(Debug)]
pub struct Saved {
    pub result: Result<Written, SaveError>,
    pub origin: Origin,
    /// Its number among the presets.
    pub number: Option<usize>,
    /// Whether the values were saved too.
    pub whole: bool,
}

impl Job {
    /// Writes the file.
    pub fn run(self) -> Saved {
        let result = self.write();
        let (number, whole) = (self.library.number(&self.path), self.params.is_some());
        Saved { result, origin: self.origin, number, whole }
    }

    fn write(&self) -> Result<Written, SaveError> {
        let saving = Saving {
            table: &self.table,
            folders: self.library.folders(),
            params: self.params.as_deref(),
            network: self.network.as_deref(),
            midi: self.midi.as_deref(),
            effects: self.effects.as_deref(),
            modulators: self.modulators.as_ref(),
        };
        match &self.origin {
            Origin::Itself => saving.to(&self.path, None),
            Origin::Other(from) => match taken(&self.library, &self.path) {
                Some(error) => Err(error),
                None => saving.to(&self.path, Some(from)),
            },
            Origin::BuiltIn { again: true, .. } if self.path.is_file() => saving.to(&self.path, None),
            Origin::BuiltIn { .. } if self.path.is_file() => Err(SaveError::Exists { name: name_of(&self.path) }),
            Origin::BuiltIn { file, .. } => saving.copy(file, &self.path),
        }
    }
}

/// Why a new preset cannot have this name.
fn taken(library: &Library, path: &Path) -> Option<SaveError> {
    let name = name_of(path);
    // Some file systems take Dawn.toml and dawn.toml for one file.
    let lower = name.to_lowercase();
    let known = library.names().into_iter().find(|known| known.to_lowercase() == lower)?;
    Some(if known == name { SaveError::Exists { name } } else { SaveError::Alike { name, known } })
}

/// The thread `save`.
pub struct Saver {
    jobs: Option<Sender<Job>>,
    results: Receiver<Saved>,
    waiting: usize,
    thread: Option<JoinHandle<()>>,
}

impl Saver {
    /// # Errors
    /// When the thread cannot be started.
    pub fn start() -> std::io::Result<Self> {
        let (jobs, todo) = bounded::<Job>(JOBS);
        let (done, results) = bounded(JOBS);
        let thread = std::thread::Builder::new().name("save".to_owned()).spawn(move || {
            for job in todo {
                let _ = done.try_send(job.run());
            }
        })?;
        Ok(Saver { jobs: Some(jobs), results, waiting: 0, thread: Some(thread) })
    }

    /// Queues a job without waiting; false if too many are waiting.
    pub fn save(&mut self, job: Job) -> bool {
        let taken = self.jobs.as_ref().is_some_and(|jobs| jobs.try_send(job).is_ok());
        self.waiting += usize::from(taken);
        taken
    }

    /// The next finished job, if any.
    pub fn poll(&mut self) -> Option<Saved> {
        let saved = self.results.try_recv().ok()?;
        self.waiting = self.waiting.saturating_sub(1);
        Some(saved)
    }

    /// Whether there are jobs whose results have not been polled.
    pub fn is_busy(&self) -> bool {
        self.waiting > 0
    }
}

impl Drop for Saver {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // Everything requested is on disk before the show ends.
            let _ = thread.join();
        }
    }
}
