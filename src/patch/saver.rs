//! Presets are written on the thread `save` while the show continues.
//!
//! Jobs run in order and none is dropped; their results are polled. One that panics is an error like any other. The thread ends
//! with its [`Saver`], after the remaining jobs.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::effects::EffectEntry;
use super::library::Library;
use super::locate::name_of;
use super::modulators::Edits;
use super::save::{Base, SaveError, Saving, Written};
use crate::control::mapping::MidiEntry;
use crate::params::{Params, Table};
use crate::thread::panic_message;

/// Maximum number of waiting jobs.
const JOBS: usize = 16;

/// What a preset is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Its own file, or nothing.
    Itself,
    /// Another preset, including comments, under a new name.
    Other(PathBuf),
    /// The preset of the same name in another place, whose file is not to be changed or cannot be: one that ships, or one
    /// on a full or read-only disk.
    Copy(PathBuf),
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
    /// What the playing preset was read from.
    pub base: Base,
    /// Where a copy of it goes, if the file must not or cannot be written.
    pub own: Option<PathBuf>,
    pub copies: Copies,
}

/// The copies that this show has made: it saves to them again.
pub type Copies = Arc<Mutex<BTreeSet<PathBuf>>>;

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
        let (result, origin) = self.write();
        let file = result.as_ref().map_or(&self.path, |written| &written.preset.path);
        let (number, whole) = (self.library.number(file), self.params.is_some());
        Saved { result, origin, number, whole }
    }

    fn write(&self) -> (Result<Written, SaveError>, Origin) {
        let saving = Saving {
            table: &self.table,
            folders: self.library.folders(),
            params: self.params.as_deref(),
            network: self.network.as_deref(),
            midi: self.midi.as_deref(),
            effects: self.effects.as_deref(),
            modulators: self.modulators.as_ref(),
        };
        let own = self.own.as_deref().filter(|own| *own != self.path);
        match (&self.origin, own) {
            (Origin::Itself, Some(own)) if self.library.ships(&self.path) => {
                (self.copy(&saving, &self.path, own), Origin::Copy(self.path.clone()))
            }
            (Origin::Itself, _) if self.library.ships(&self.path) => {
                (Err(SaveError::Ships { name: name_of(&self.path) }), Origin::Itself)
            }
            (Origin::Itself, own) => match (saving.to_with(&self.path, None, &self.base), own) {
                // The disk is full, or may not be written to.
                (Err(error @ (SaveError::Write { .. } | SaveError::Keep { .. })), Some(own)) => {
                    match self.copy(&saving, &self.path, own) {
                        Ok(written) => {
                            tracing::warn!("{error}");
                            (Ok(written), Origin::Copy(self.path.clone()))
                        }
                        Err(_) => (Err(error), Origin::Itself),
                    }
                }
                (result, _) => (result, Origin::Itself),
            },
            (Origin::Other(from), _) => {
                let result = match taken(&self.library, &self.path) {
                    Some(error) => Err(error),
                    None => saving.to_with(&self.path, Some(from), &self.base),
                };
                (result, self.origin.clone())
            }
            (Origin::Copy(file), _) => (self.copy(&saving, file, &self.path), self.origin.clone()),
        }
    }

    /// Copies the preset `file` to `to`, or saves to the copy that this show has made before.
    fn copy(&self, saving: &Saving, file: &Path, to: &Path) -> Result<Written, SaveError> {
        let is_ours = self.copies.lock().unwrap_or_else(PoisonError::into_inner).contains(to);
        if to.is_file() {
            return if is_ours { saving.to(to, None) } else { Err(SaveError::Exists { name: name_of(to) }) };
        }
        let written = saving.copy(file, to, &self.base)?;
        self.copies.lock().unwrap_or_else(PoisonError::into_inner).insert(to.to_owned());
        Ok(written)
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

/// Runs a job. If it panics, that is what came of it: files are replaced whole, so none is half written, and the next job runs.
fn contained(job: Job, run: fn(Job) -> Saved) -> Saved {
    let (name, origin, whole) = (name_of(&job.path), job.origin.clone(), job.params.is_some());
    catch_unwind(AssertUnwindSafe(|| run(job))).unwrap_or_else(|panic| {
        let message = panic_message(&*panic);
        Saved { result: Err(SaveError::Panicked { name, message }), origin, number: None, whole }
    })
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
        Saver::start_with(Job::run)
    }

    fn start_with(run: fn(Job) -> Saved) -> std::io::Result<Self> {
        let (jobs, todo) = bounded::<Job>(JOBS);
        let (done, results) = bounded(JOBS);
        let thread = std::thread::Builder::new().name("save".to_owned()).spawn(move || {
            for job in todo {
                let _ = done.try_send(contained(job, run));
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::folders::Folders;
    use super::super::locate::test_folder;
    use super::super::preset::Preset;
    use super::super::versions;
    use super::*;
    use crate::params::{Id, Value};

    /// Saves psi = `psi` into the preset `file` as a show would that has read it.
    fn save(library: &Library, file: &Path, own: &Path, copies: &Copies, psi: f64) -> Saved {
        job(library, file, own, copies, psi).run()
    }

    fn job(library: &Library, file: &Path, own: &Path, copies: &Copies, psi: f64) -> Job {
        let mut params = Params::default();
        params.write(Id::Psi.into(), &Value::Float(psi)).unwrap();
        let base = Base { text: fs::read_to_string(file).ok().map(Arc::from), is_older: false };
        Job {
            table: params.table().clone(),
            path: file.to_owned(),
            origin: Origin::Itself,
            params: Some(Box::new(params)),
            network: None,
            midi: None,
            effects: None,
            modulators: None,
            library: library.clone(),
            base,
            own: Some(own.join(file.file_name().unwrap())),
            copies: copies.clone(),
        }
    }

    #[test]
    fn a_job_that_panics_is_one_line_and_the_next_is_saved() {
        let folder = test_folder("panics", &["a.toml", "b.toml"]);
        let library = Library::new(Folders::of_show(&folder));
        let mut saver = Saver::start_with(|job| {
            assert!(!job.path.ends_with("a.toml"), "out of luck");
            job.run()
        })
        .unwrap();
        for name in ["a.toml", "b.toml"] {
            assert!(saver.save(job(&library, &folder.join(name), &folder, &Copies::default(), 0.25)));
        }
        let mut next = || {
            let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
            loop {
                if let Some(saved) = saver.poll() {
                    return saved;
                }
                assert!(std::time::Instant::now() < end, "nothing came of it");
                std::thread::yield_now();
            }
        };
        let error = next().result.unwrap_err().to_string();
        assert_eq!(error, "the preset a is not saved, by a mistake in this program: out of luck");
        assert_eq!(path(&next()), folder.join("b.toml"));
        assert!(!saver.is_busy());
        drop(saver);
        fs::remove_dir_all(folder).unwrap();
    }

    fn path(saved: &Saved) -> &Path {
        &saved.result.as_ref().unwrap().preset.path
    }

    #[test]
    fn what_ships_is_never_overwritten() {
        let folder = test_folder("ships", &[]);
        let (ships, own) = (folder.join("ships"), folder.join("own"));
        fs::create_dir_all(&ships).unwrap();
        let text = "# mine\nscript = \"drift.luau\"\n";
        fs::write(ships.join("drift.luau"), "-- code\n").unwrap();
        fs::write(ships.join("a.toml"), text).unwrap();
        let library = Library::new(Folders::default().with_own(&own).with_installed(&ships));
        let copies = Copies::default();
        for psi in [0.25, 0.5] {
            let saved = save(&library, &ships.join("a.toml"), &own, &copies, psi);
            assert_eq!(
                (path(&saved), &saved.origin),
                (own.join("a.toml").as_path(), &Origin::Copy(ships.join("a.toml")))
            );
        }
        assert_eq!(fs::read_to_string(ships.join("a.toml")).unwrap(), text);
        let copy = fs::read_to_string(own.join("a.toml")).unwrap();
        assert!(copy.starts_with("# mine\n") && copy.contains("\"/psi\" = 0.5"), "{copy}");
        let script = Preset::load(&own.join("a.toml")).unwrap().script.map(|code| code.path);
        assert_eq!(script, Some(ships.join("drift.luau")), "the patch is found from there");
        // Another show does not save over that copy.
        let saved = save(&library, &ships.join("a.toml"), &own, &Copies::default(), 0.75);
        assert!(matches!(saved.result, Err(SaveError::Exists { .. })), "{saved:?}");
        let nowhere = Library::new(Folders::default().with_installed(&ships));
        let saved = save(&nowhere, &ships.join("a.toml"), &ships, &copies, 0.75);
        assert!(matches!(saved.result, Err(SaveError::Ships { .. })), "{saved:?}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn where_the_disk_takes_nothing_the_preset_is_saved_among_ones_own() {
        // A file in the place of the folder of versions stands for a disk that is full or read-only.
        let folder = test_folder("full", &["a.toml", "backups"]);
        let (file, own) = (folder.join("a.toml"), folder.join("own"));
        fs::write(&file, "# mine\n").unwrap();
        let library = Library::new(Folders::of_show(&folder).with_own(&own));
        let copies = Copies::default();
        let saved = save(&library, &file, &own, &copies, 0.25);
        assert_eq!((path(&saved), &saved.origin), (own.join("a.toml").as_path(), &Origin::Copy(file.clone())));
        assert_eq!(fs::read_to_string(&file).unwrap(), "# mine\n");
        // There neither: one line, and nothing is lost.
        fs::write(folder.join("none"), "").unwrap();
        let error = save(&library, &file, &folder.join("none"), &copies, 0.5).result.unwrap_err().to_string();
        assert!(
            error.starts_with("cannot keep the version before of the preset") && error.contains("a.toml"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), "# mine\n");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_changes_meanwhile_keeps_what_it_says() {
        let folder = test_folder("meanwhile", &["a.toml"]);
        let (file, copies) = (folder.join("a.toml"), Copies::default());
        let library = Library::new(Folders::of_show(&folder));
        fs::write(&file, "# new\n[osc]\n\"/1/fader1\" = \"/psi\"\n").unwrap();
        save(&library, &file, &folder, &copies, 0.25).result.unwrap();
        let saved = fs::read_to_string(&file).unwrap();
        assert!(saved.starts_with("# new\n[osc]\n") && saved.contains("\"/psi\" = 0.25"), "{saved}");
        assert!(fs::read_to_string(versions::path(&file, 1)).unwrap().starts_with("# new\n[osc]\n"));
        // What an editor has left half finished is not written over.
        fs::write(&file, "[osc\n").unwrap();
        let saved = save(&library, &file, &folder, &copies, 0.5);
        assert!(matches!(saved.result, Err(SaveError::Broken(_))), "{saved:?}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "[osc\n");
        fs::remove_dir_all(folder).unwrap();
    }
}
