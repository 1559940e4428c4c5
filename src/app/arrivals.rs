//! Snapshots and takes that are dropped on the window: the show that they lead to is prepared by the thread `arrival`, while
//! the old one plays on, and takes its place when it is ready.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crossbeam_channel::{Receiver, TryRecvError, bounded};

use crate::engine::Engine;
use crate::engine::gpu::Device;
use crate::patch::library::Library;
use crate::record::take::Take;
use crate::show::Show;

/// Whether a dropped file leads to a show.
pub(super) fn leads(file: &Path) -> bool {
    Take::is_named(file) || Take::is_in_picture(file)
}

/// The show that is being prepared, if any.
#[derive(Default)]
pub(super) struct Arrivals {
    coming: Option<Receiver<Result<Box<Show>, String>>>,
}

impl Arrivals {
    /// Prepares the show that a file leads to. One at a time.
    pub fn prepare(&mut self, file: PathBuf, show: &mut Show) {
        if self.coming.is_some() {
            return show.notice(format!("{} has to wait: another file is being prepared", file.display()));
        }
        let (send, receive) = bounded(1);
        let machinery = show.machinery();
        show.notice(format!("preparing {}", file.display()));
        let work = move || {
            let one_line = |error: String| error.lines().next().unwrap_or_default().to_owned();
            let prepared = prepare(&file, machinery).map_err(|error| format!("{}; the show plays on", one_line(error)));
            // Nobody waits for it when the show has ended.
            let _ = send.send(prepared);
        };
        match std::thread::Builder::new().name("arrival".to_owned()).spawn(work) {
            Ok(_) => self.coming = Some(receive),
            Err(error) => show.notice(format!("cannot start the thread arrival: {error}")),
        }
    }

    /// Puts a show that is ready in the place of the old one.
    pub fn step(&mut self, show: &mut Show) {
        let Some(coming) = &self.coming else { return };
        let arrived = match coming.try_recv() {
            Ok(arrived) => arrived,
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Disconnected) => Err("the file could not be played; please report this".to_owned()),
        };
        self.coming = None;
        match arrived {
            Ok(mut new) => {
                new.take_over(show);
                let old = std::mem::replace(show, *new);
                // Its threads end when they have finished what they do.
                let ended = std::thread::Builder::new().name("departure".to_owned()).spawn(move || drop(old));
                if let Err(error) = ended {
                    tracing::warn!("cannot start the thread departure: {error}");
                }
            }
            Err(line) => show.notice(line),
        }
    }
}

fn prepare(file: &Path, machinery: (Arc<dyn Engine>, Option<Arc<Device>>)) -> Result<Box<Show>, String> {
    let library = Library::open().map_err(|error| error.to_string())?;
    Show::arrive(file, library, machinery).map(Box::new)
}
