//! The set list, the keys and the track of keys are read again when their files are saved.
//!
//! A file that was saved enters the show as a write to its address, so that a take repeats it.

use std::path::{Path, PathBuf};

use crate::control::{Event, Source, Write};
use crate::params::{Id, Value};
use crate::patch::watch_files::WatchFiles;

/// The addresses whose files are read again.
const ADDRESSES: [Id; 3] = [Id::Set, Id::Keys, Id::KeysFile];

/// Notices that files are saved.
#[derive(Default)]
pub struct Reread {
    /// In the order of [`ADDRESSES`].
    files: [Option<PathBuf>; 3],
    /// Live only.
    watch: Option<WatchFiles>,
}

impl Reread {
    /// Notices it from now on.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(&mut self) -> std::io::Result<()> {
        self.watch = Some(WatchFiles::start()?);
        self.watch();
        Ok(())
    }

    /// The file behind an address, from now on; `None` for no file.
    pub fn follow(&mut self, id: Id, file: Option<&Path>) {
        if let Some(at) = ADDRESSES.iter().position(|known| *known == id) {
            self.files[at] = file.map(Path::to_owned);
            self.watch();
        }
    }

    /// A file that could not be played: it is read again when it is saved, unless another one plays.
    pub fn await_mended(&mut self, id: Id, file: Option<&Path>) {
        let is_free = ADDRESSES.iter().zip(&self.files).any(|(known, file)| *known == id && file.is_none());
        if is_free {
            self.follow(id, file);
        }
    }

    fn watch(&mut self) {
        let files = self.files.iter().flatten().cloned().collect();
        if let Some(watch) = &mut self.watch {
            watch.follow(files);
        }
    }

    /// The writes with which files that were saved enter the show. Allocates nothing if none was.
    pub fn changed(&self) -> Vec<Event> {
        if !self.watch.as_ref().is_some_and(WatchFiles::poll) {
            return Vec::new();
        }
        let write = |(&id, file): (&Id, &Option<PathBuf>)| {
            let value = Value::Text(file.as_ref()?.to_string_lossy().into_owned());
            Some(Event::Write(Write { target: id.into(), value, source: Source::Key }))
        };
        ADDRESSES.iter().zip(&self.files).filter_map(write).collect()
    }
}
