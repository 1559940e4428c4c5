//! The explorer as a tab of the show's page, for the network that plays.
//!
//! Nothing is opened before somebody asks, and nothing is drawn while nobody does. Pictures come from the thread `explore`, with
//! an engine of its own on the processor, at the lowest priority: neither the show's frame nor the thread that answers ever
//! waits for it, whichever engine plays. Another network gets another worker, which first ends the last one.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::StatusCode;

use super::directions;
use super::site::{About, Request, Site, refusal};
use super::studio::{Settings, Shown};
use super::worker::{Pace, Tools, Worker};
use crate::caption::Captioner;
use crate::control::query::{Answering, Explorer, Wish};
use crate::engine::Engine;
use crate::engine::cpu::Cpu;
use crate::network::Network;
use crate::patch::folders::Folders;
use crate::patch::locate::called;

/// What the explorer is given.
pub struct Options {
    /// The network that plays.
    pub network: Box<dyn Fn() -> Arc<Network> + Send + Sync>,
    /// Makes the engine, on the thread that draws.
    pub engine: Arc<dyn Fn() -> Arc<dyn Engine> + Send + Sync>,
    /// How many threads draw, at least 1.
    pub threads: usize,
    /// Whether they draw at the lowest priority.
    pub yields: bool,
    /// Where networks have names.
    pub folders: Folders,
    pub favourites: PathBuf,
    /// Where what was seen is kept.
    pub cache: Option<PathBuf>,
}

impl Options {
    /// Draws on the processor with so many threads.
    pub fn new(
        network: impl Fn() -> Arc<Network> + Send + Sync + 'static,
        threads: usize,
        folders: Folders,
    ) -> Options {
        Options {
            network: Box::new(network),
            engine: Arc::new(move || Arc::new(Cpu::new(threads))),
            threads,
            yields: true,
            folders,
            favourites: PathBuf::from(super::favourites::FILE),
            cache: super::survey::folder(),
        }
    }
}

/// The explorer of a show.
pub struct Beside {
    options: Options,
    open: Mutex<Option<Open>>,
}

/// The network that was asked about last.
struct Open {
    network: Arc<Network>,
    site: Site,
    worker: Worker,
}

impl Beside {
    pub fn new(options: Options) -> Beside {
        Beside { options, open: Mutex::default() }
    }

    /// What answers for the network that plays.
    fn site(&self) -> std::io::Result<Site> {
        let network = (self.options.network)();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = open.as_ref().filter(|open| Arc::ptr_eq(&open.network, &network)) {
            return Ok(open.site.clone());
        }
        let Options { threads, yields, .. } = self.options;
        let last = open.take().map(|open| open.worker);
        let worker = Worker::start(self.tools(&network), Pace::Beside { threads, yields }, last)?;
        let queue = worker.queue();
        directions::find(network.clone(), threads, queue.clone())?;
        let settings = Settings { psi: 1.0, class: 0.0 };
        let about = About::new(&network, settings, self.options.favourites.clone());
        let site = Site::new(about, queue);
        *open = Some(Open { network, site: site.clone(), worker });
        Ok(site)
    }

    fn tools(&self, network: &Arc<Network>) -> Tools {
        let (engine, folders, file) = (self.options.engine.clone(), self.options.folders.clone(), network.path.clone());
        let path = network.path.clone();
        Tools {
            network: network.clone(),
            shown: Shown::Seeds,
            prepare: Box::new(move |plan| {
                engine().prepare(plan).map_err(|error| format!("{}: {error}", path.display()))
            }),
            eyes: Box::new(|| Captioner::open(None).map_err(|error| error.to_string())),
            favourites: self.options.favourites.clone(),
            named: Box::new(move || called(&folders, &file)),
            cache: self.options.cache.clone(),
        }
    }
}

impl Explorer for Beside {
    fn answer(&self, wish: Wish) -> Answering {
        let site = self.site();
        Box::pin(async move {
            let Wish { is_post, path, query, is_local } = &wish;
            let request = Request { is_post: *is_post, path, query, may_star: *is_local };
            match site {
                Ok(site) => site.answer(request).await,
                Err(error) => {
                    let line = format!("cannot start the explorer's thread: {error}");
                    refusal(StatusCode::INTERNAL_SERVER_ERROR, &line)
                }
            }
        })
    }
}
