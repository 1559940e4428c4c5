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
use crate::engine::{Engine, EngineError, Program};
use crate::image::Image;
use crate::image::file;
use crate::network::style_transfer::StyleNetwork;
use crate::network::{self, Network, NetworkError};
use crate::thread::panic_message;

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

    /// Of two wishes of a kind the newer one counts.
    fn is_like(&self, other: &Wish) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

/// A wish that was worked on.
pub struct Done {
    pub wish: Wish,
    pub result: Result<Loaded, LoadError>,
    /// Wishes of its kind that were passed over for it: nothing comes of them any more.
    pub passed: Vec<Wish>,
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
    #[error("{}: loading it broke down ({panic}); please report this", file.display())]
    Panicked { file: PathBuf, panic: String },
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
            let picture = file::read_square(&pictures[at], *side, chosen.fit).map_err(PictureError::from)?;
            Ok(Loaded::Input { chosen: chosen.clone(), picture, count: pictures.len() })
        }
    }
}

/// The `loader` thread. It ends when the loader is dropped and its last wish is done.
pub struct Loader {
    wishes: Sender<(u64, Wish)>,
    results: Receiver<(u64, Result<Loaded, LoadError>)>,
    /// Keeps the name of the thread's owner visible to debuggers; it is never joined, so that quitting is instant.
    _thread: JoinHandle<()>,
    /// Wishes by their numbers, the oldest first.
    loading: Vec<(u64, Wish)>,
    count: u64,
    progress: Arc<Progress>,
}

impl Loader {
    /// # Errors
    /// When the system gives no thread.
    pub fn start(engine: Arc<dyn Engine>) -> std::io::Result<Self> {
        let (wishes, wished) = bounded::<(u64, Wish)>(WISHES);
        let (done, results) = bounded(WISHES);
        let progress = Arc::new(Progress::default());
        let working = progress.clone();
        let thread = std::thread::Builder::new().name("loader".to_owned()).spawn(move || {
            while let Ok(first) = wished.recv() {
                for (number, wish) in newest_of_each_kind(std::iter::once(first).chain(wished.try_iter())) {
                    if done.send((number, load_whole(&wish, &engine, &working))).is_err() {
                        return;
                    }
                }
            }
        })?;
        Ok(Loader { wishes, results, _thread: thread, loading: Vec::new(), count: 0, progress })
    }

    /// Asks for something; an older wish of its kind that was not begun yet is forgotten. False when too many wait.
    pub fn wish(&mut self, wish: Wish) -> bool {
        self.count += 1;
        let accepted = self.wishes.try_send((self.count, wish.clone())).is_ok();
        if accepted {
            self.loading.push((self.count, wish));
        }
        accepted
    }

    /// What is being loaded, and how far it is.
    pub fn loading(&self) -> Option<(&Path, &'static str)> {
        self.loading.last().map(|(_, wish)| (wish.file(), self.progress.stage()))
    }

    /// Something that became ready since the last call, or why it did not.
    pub fn poll(&mut self) -> Option<Done> {
        let (number, result) = self.results.try_recv().ok()?;
        let at = self.loading.iter().position(|(n, _)| *n == number)?;
        let (_, wish) = self.loading.remove(at);
        let passed = self.loading.extract_if(.., |(n, other)| *n < number && other.is_like(&wish));
        let passed = passed.map(|(_, wish)| wish).collect();
        Some(Done { wish, result, passed })
    }
}

/// As [`load`]; a panic is an error like others.
fn load_whole(wish: &Wish, engine: &Arc<dyn Engine>, progress: &Progress) -> Result<Loaded, LoadError> {
    let loaded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| load(wish, engine, progress)));
    loaded.unwrap_or_else(|panic| {
        Err(LoadError::Panicked { file: wish.file().to_owned(), panic: panic_message(&*panic) })
    })
}

fn newest_of_each_kind(wishes: impl Iterator<Item = (u64, Wish)>) -> impl Iterator<Item = (u64, Wish)> {
    let (mut network, mut style, mut input) = (None, None, None);
    for wish in wishes {
        match wish.1 {
            Wish::Network(_) => network = Some(wish),
            Wish::Style { .. } => style = Some(wish),
            Wish::Input { .. } => input = Some(wish),
        }
    }
    network.into_iter().chain(style).chain(input)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::engine::plan::Plan;
    use crate::image::Fit;

    /// An engine that panics.
    struct Broken;

    impl Engine for Broken {
        fn name(&self) -> &'static str {
            "broken"
        }
        fn prepare(&self, _: Arc<Plan>) -> Result<Box<dyn Program>, EngineError> {
            panic!("out of luck")
        }
    }

    fn picture(name: &str, index: i64) -> Wish {
        Wish::Input { chosen: Chosen { place: name.into(), index, fit: Fit::Cover }, side: 16 }
    }

    fn next(loader: &mut Loader) -> Done {
        let started = Instant::now();
        loop {
            if let Some(done) = loader.poll() {
                return done;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "nothing comes");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn nothing_that_was_passed_over_stays_on_the_list() {
        let mut loader = Loader::start(Arc::new(Broken)).expect("a thread");
        for index in 0..5 {
            assert!(loader.wish(picture("/nowhere/at/all", index)));
        }
        let mut seen = 0;
        while loader.loading().is_some() {
            let done = next(&mut loader);
            assert!(done.result.is_err());
            seen += 1 + done.passed.len();
        }
        assert_eq!(seen, 5);
    }

    #[test]
    fn a_panic_is_an_error_and_the_loader_goes_on() {
        let mut loader = Loader::start(Arc::new(Broken)).expect("a thread");
        for _ in 0..2 {
            let file = crate::patch::locate::network(Path::new("flowers128")).expect("it ships");
            assert!(loader.wish(Wish::Network(file)));
            let error = next(&mut loader).result.err().expect("it panics").to_string();
            assert!(error.contains("flowers128") && error.contains("out of luck"), "{error}");
        }
    }
}
