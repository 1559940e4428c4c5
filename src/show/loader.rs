//! Networks and pictures are loaded and prepared aside, on the `loader` thread, while the show plays on.
//!
//! The newest wish of each kind wins. What comes back is whole: a network with its program, a style network with
//! its loop, a picture, or one line that says why not.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::content::Chosen;
use super::picture::{self, PictureError};
use crate::effects::style::{StyleLoop, StyleSettings};
use crate::engine::{Engine, EngineError, Image, Program};
use crate::network::style_transfer::StyleNetwork;
use crate::network::{self, Network, NetworkError};

/// How many wishes wait at most.
const WISHES: usize = 32;

/// What the show would like to have.
#[derive(Clone, Debug)]
pub enum Wish {
    Network(PathBuf),
    Style {
        file: PathBuf,
        /// The size of picture and the settings it will be used with first.
        resolution: usize,
        settings: Box<StyleSettings>,
    },
    Input {
        chosen: Chosen,
        /// Side of the square that it becomes, in pixels.
        side: usize,
    },
}

impl Wish {
    /// The file that is to be loaded.
    pub fn file(&self) -> &Path {
        match self {
            Wish::Network(file) | Wish::Style { file, .. } => file,
            Wish::Input { chosen, .. } => &chosen.place,
        }
    }
}

/// Something that is ready to be played.
pub enum Loaded {
    Network { network: Arc<Network>, program: Box<dyn Program> },
    Style { file: PathBuf, style: Box<StyleLoop> },
    Input { chosen: Chosen, picture: Image, count: usize },
}

/// Why a network or a picture cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Network(#[from] NetworkError),
    #[error("{}: {source}", file.display())]
    Engine { file: PathBuf, source: EngineError },
    #[error(transparent)]
    Picture(#[from] PictureError),
}

/// How far the loader is with what it loads.
#[derive(Debug, Default)]
pub struct Progress(AtomicU8);

impl Progress {
    const STAGES: [&str; 2] = ["reading", "building"];

    fn set(&self, stage: u8) {
        self.0.store(stage, Ordering::Relaxed);
    }

    /// What it does: `reading` a file, or `building` what the engine needs.
    pub fn stage(&self) -> &'static str {
        Progress::STAGES[usize::from(self.0.load(Ordering::Relaxed)).min(1)]
    }
}

/// Opens a generator and prepares it for `engine`.
///
/// # Errors
/// When the file holds no network that can be played, or the engine cannot run it.
pub fn load_network(
    file: &Path,
    engine: &Arc<dyn Engine>,
    progress: &Progress,
) -> Result<(Arc<Network>, Box<dyn Program>), LoadError> {
    progress.set(0);
    let network = network::open(file)?;
    progress.set(1);
    let failed = |source| LoadError::Engine { file: file.to_owned(), source };
    let program = engine.prepare(network.plan.clone()).map_err(failed)?;
    Ok((Arc::new(network), program))
}

/// Fulfils a wish.
///
/// # Errors
/// As [`load_network`]; and when a picture cannot be read.
pub fn load(wish: &Wish, engine: &Arc<dyn Engine>, progress: &Progress) -> Result<Loaded, LoadError> {
    match wish {
        Wish::Network(file) => {
            load_network(file, engine, progress).map(|(network, program)| Loaded::Network { network, program })
        }
        Wish::Style { file, resolution, settings } => {
            progress.set(0);
            let network = StyleNetwork::open(file)?;
            progress.set(1);
            let mut style = Box::new(StyleLoop::new(engine.clone(), Arc::new(network)));
            let failed = |source| LoadError::Engine { file: file.clone(), source };
            style.prepare(*resolution, *resolution, settings).map_err(failed)?;
            Ok(Loaded::Style { file: file.clone(), style })
        }
        Wish::Input { chosen, side } => {
            progress.set(0);
            let pictures = picture::pictures_of(&chosen.place)?;
            let at = chosen.index.rem_euclid(pictures.len() as i64) as usize;
            let picture = picture::read_square(&pictures[at], *side, chosen.fit)?;
            Ok(Loaded::Input { chosen: chosen.clone(), picture, count: pictures.len() })
        }
    }
}

/// The `loader` thread. It ends when the loader is dropped and its last wish is done.
pub struct Loader {
    wishes: Sender<Wish>,
    results: Receiver<(PathBuf, Result<Loaded, LoadError>)>,
    /// Keeps the name of the thread's owner visible to debuggers; it is never joined, so that quitting is instant.
    _thread: JoinHandle<()>,
    loading: Vec<PathBuf>,
    progress: Arc<Progress>,
}

impl Loader {
    /// # Errors
    /// When the system gives no thread.
    pub fn start(engine: Arc<dyn Engine>) -> std::io::Result<Self> {
        let (wishes, wished) = bounded::<Wish>(WISHES);
        let (done, results) = bounded(WISHES);
        let progress = Arc::new(Progress::default());
        let working = progress.clone();
        let thread = std::thread::Builder::new().name("loader".to_owned()).spawn(move || {
            while let Ok(first) = wished.recv() {
                for wish in newest_of_each_kind(std::iter::once(first).chain(wished.try_iter())) {
                    let file = wish.file().to_owned();
                    if done.send((file, load(&wish, &engine, &working))).is_err() {
                        return;
                    }
                }
            }
        })?;
        Ok(Loader { wishes, results, _thread: thread, loading: Vec::new(), progress })
    }

    /// Asks for something; an older wish of its kind that was not begun yet is forgotten. False when too many wait.
    pub fn wish(&mut self, wish: Wish) -> bool {
        let file = wish.file().to_owned();
        let accepted = self.wishes.try_send(wish).is_ok();
        if accepted {
            self.loading.push(file);
        }
        accepted
    }

    /// What is being loaded, and how far it is.
    pub fn loading(&self) -> Option<(&Path, &'static str)> {
        self.loading.last().map(|file| (file.as_path(), self.progress.stage()))
    }

    /// Something that became ready since the last call, or why it did not.
    pub fn poll(&mut self) -> Option<Result<Loaded, LoadError>> {
        let (file, result) = self.results.try_recv().ok()?;
        // Wishes that were passed over for this one are done with too.
        let done = self.loading.iter().position(|f| *f == file).map_or(0, |i| i + 1);
        self.loading.drain(..done);
        Some(result)
    }
}

fn newest_of_each_kind(wishes: impl Iterator<Item = Wish>) -> impl Iterator<Item = Wish> {
    let (mut network, mut style, mut input) = (None, None, None);
    for wish in wishes {
        match wish {
            Wish::Network(_) => network = Some(wish),
            Wish::Style { .. } => style = Some(wish),
            Wish::Input { .. } => input = Some(wish),
        }
    }
    network.into_iter().chain(style).chain(input)
}
