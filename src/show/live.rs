//! The `engine` thread: a [`Stage`] that always works on the newest request. Neither side waits for the other.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::stage::{Change, Picture, Request, Stage, Used};
use crate::thread::{Slot, finish_freeing, free, panic_message};

/// How many pictures can be drawn between two frames of the show.
const DRAWN: usize = 256;

/// A picture, and how long it took.
#[derive(Clone, Debug, Default)]
pub struct Drawn {
    pub picture: Option<Arc<Picture>>,
    pub took: Duration,
    /// Why there is no picture, or no painting.
    pub error: Option<String>,
    /// What computes the network's pictures.
    pub engine: &'static str,
    /// Set if another engine had to take over.
    pub notice: Option<String>,
}

/// What the thread hands over: the newest of each.
#[derive(Default)]
struct Results {
    drawn: Slot<Drawn>,
    /// With its pixels, where they come later.
    pixels: Slot<Option<Arc<Picture>>>,
    clean: Slot<Option<Arc<Picture>>>,
}

/// A stage on its own thread. Neither side waits for the other.
pub struct Live {
    requests: Arc<Slot<Request>>,
    results: Arc<Results>,
    changes: Sender<Change>,
    used: Receiver<Used>,
    drew: Receiver<(u64, u64)>,
    skipped: u64,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// Starts the `engine` thread.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(stage: Stage) -> std::io::Result<Self> {
        let (requests, results) = (Arc::new(Slot::default()), Arc::<Results>::default());
        let (changes, new_changes) = bounded(4);
        let (done, used) = bounded(8);
        let (tell, drew) = bounded(DRAWN);
        let thread = {
            let (requests, results) = (requests.clone(), results.clone());
            std::thread::Builder::new()
                .name("engine".to_owned())
                .spawn(move || engine_thread(stage, &requests, &results, &new_changes, (&done, &tell)))?
        };
        Ok(Live { requests, results, changes, used, drew, skipped: 0, thread: Some(thread) })
    }

    /// Requests a picture; a request that the engine did not get to is replaced and counted. `request` receives an old
    /// buffer.
    pub fn submit(&mut self, request: &mut Request) {
        if self.requests.put(request) {
            self.skipped += 1;
        }
    }

    /// The newest picture, if one was finished since the last call.
    pub fn newest(&mut self, drawn: &mut Drawn) -> bool {
        // What the engine no longer needs is freed neither on its thread nor here: a network may have hundreds of megabytes.
        while let Ok(used) = self.used.try_recv() {
            free(used);
        }
        self.results.drawn.take(drawn)
    }

    /// The newest picture whose pixels have come down since the last call.
    pub fn newest_pixels(&mut self) -> Option<Arc<Picture>> {
        let mut newest = None;
        self.results.pixels.take(&mut newest);
        newest
    }

    /// The newest clean picture that was made since the last call.
    pub fn newest_clean(&mut self) -> Option<Arc<Picture>> {
        let mut newest = None;
        self.results.clean.take(&mut newest);
        newest
    }

    /// The frame of the next request that was drawn, and its picture's serial number; in order, each once.
    pub fn drew(&mut self) -> Option<(u64, u64)> {
        self.drew.try_recv().ok()
    }

    /// Sends a change to the engine.
    ///
    /// # Errors
    /// Returns it if the engine has not yet applied the previous ones.
    pub fn change(&self, change: Change) -> Result<(), Change> {
        self.changes.try_send(change).map_err(crossbeam_channel::TrySendError::into_inner)
    }

    /// Requests that were replaced before the engine got to them.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.requests.close();
        if let Some(thread) = self.thread.take() {
            // A panic of the engine has already been reported.
            let _ = thread.join();
        }
        finish_freeing();
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn engine_thread(
    mut stage: Stage,
    requests: &Slot<Request>,
    results: &Results,
    changes: &Receiver<Change>,
    (done, tell): (&Sender<Used>, &Sender<(u64, u64)>),
) {
    let mut request = Request::default();
    let mut result = Drawn::default();
    let mut last = Instant::now();
    while !requests.closed() {
        // Short enough that a new network is applied soon, even without requests.
        let is_asked = requests.wait(&mut request, Duration::from_millis(100));
        // After the wait, because what a request needs was sent before it.
        for change in changes.try_iter() {
            // A full channel means that the show is gone; then it is freed here.
            let _ = done.try_send(stage.change(change));
        }
        // A picture or two later, whether or not another is asked for.
        let mut arrived = stage.take_pixels();
        if arrived.is_some() {
            results.pixels.put(&mut arrived);
        }
        let mut arrived = stage.take_clean();
        if arrived.is_some() {
            results.clean.put(&mut arrived);
        }
        if !is_asked {
            continue;
        }
        let started = Instant::now();
        let drawing = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stage.draw(&request)));
        result.took = started.elapsed();
        // For `RUST_LOG=pictures=trace`: gaps between pictures, and what they take.
        let since = last.elapsed();
        last += since;
        tracing::trace!(target: "pictures", "{:.2} ms, made in {:.2} ms", ms(since), ms(result.took));
        (result.picture, result.error) = match drawing {
            Ok(Ok(None)) => continue,
            Ok(Ok(picture)) => {
                // Full only if the show has stopped.
                let serial = picture.as_ref().map_or(0, |picture| picture.serial);
                let _ = tell.try_send((request.frame, serial));
                (picture, stage.take_fault())
            }
            Ok(Err(error)) => (None, Some(error.to_string())),
            Err(panic) => (None, Some(format!("the engine panicked ({}); please report this", panic_message(&*panic)))),
        };
        let mut made = stage.take_clean();
        if made.is_some() {
            results.clean.put(&mut made);
        }
        result.engine = stage.engine();
        // A notice that came back was not read in time.
        result.notice = stage.take_notice().or(result.notice);
        results.drawn.put(&mut result);
        // The buffer that came back holds an older picture; release it, so that the pool can refill it.
        result.picture = None;
    }
}
