//! A thread that loads one thing at a time. It ends when its worker is dropped and its last load is finished.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use super::load::{Context, Identity, LoadRequest, Outcome, Progress};

struct Job {
    number: u64,
    request: LoadRequest,
    playing: Option<Identity>,
}

/// One thread. Requests wait in the show, where they can still be superseded.
pub struct Worker {
    jobs: Sender<Job>,
    results: Receiver<(u64, Outcome)>,
    /// What it works on.
    busy: Option<u64>,
    progress: Arc<Progress>,
    /// Never joined, so that quitting is instant.
    _thread: JoinHandle<()>,
}

impl Worker {
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(name: &str, context: Context) -> std::io::Result<Self> {
        let (jobs, todo) = bounded::<Job>(1);
        let (done, results) = bounded(1);
        let progress = Arc::new(Progress::default());
        let working = progress.clone();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            for job in todo {
                let outcome = context.load_whole(&job.request, job.playing.as_ref(), &working);
                if done.send((job.number, outcome)).is_err() {
                    return;
                }
            }
        })?;
        Ok(Worker { jobs, results, busy: None, progress, _thread: thread })
    }

    pub fn is_idle(&self) -> bool {
        self.busy.is_none()
    }

    /// What it is working on, and its progress.
    pub fn working(&self) -> Option<(u64, &'static str)> {
        Some((self.busy?, self.progress.stage()))
    }

    /// Starts a load; only when idle. False if the thread has ended.
    pub fn begin(&mut self, number: u64, request: LoadRequest, playing: Option<Identity>) -> bool {
        let taken = self.jobs.try_send(Job { number, request, playing }).is_ok();
        self.busy = Some(number).filter(|_| taken);
        taken
    }

    /// The finished load since the last call; `Err` with its number if the thread ended during it.
    pub fn poll(&mut self) -> Option<Result<(u64, Outcome), u64>> {
        let number = self.busy?;
        let result = match self.results.try_recv() {
            Ok(result) => Ok(result),
            Err(TryRecvError::Empty) => return None,
            Err(TryRecvError::Disconnected) => Err(number),
        };
        self.busy = None;
        Some(result)
    }
}
