//! Notices when one of a few files changes: thread `watch files`.
//!
//! For the effects that play, set lists and keys. Notifications from the operating system only say when to look; what counts is the size and time
//! of each file, once they have been quiet for a moment. Built-in files never change.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use crate::file::{self, State, is_built_in};

/// How long the files must be quiet before a change is told.
const QUIET: Duration = Duration::from_millis(30);
/// Polling interval without notifications.
const POLL: Duration = Duration::from_secs(1);

/// Watches the files that [`WatchFiles::follow`] names.
pub struct WatchFiles {
    orders: Option<Sender<Vec<PathBuf>>>,
    /// The oldest order is removed through this end when there are too many.
    overflow: Receiver<Vec<PathBuf>>,
    changes: Receiver<()>,
    followed: Vec<PathBuf>,
    thread: Option<JoinHandle<()>>,
}

impl WatchFiles {
    /// Starts the thread; it watches nothing yet.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start() -> std::io::Result<Self> {
        let (orders, order_end) = bounded(1);
        let overflow = order_end.clone();
        let (change_end, changes) = bounded(1);
        let thread =
            std::thread::Builder::new().name("watch files".to_owned()).spawn(move || run(&order_end, &change_end))?;
        Ok(WatchFiles { orders: Some(orders), overflow, changes, followed: Vec::new(), thread: Some(thread) })
    }

    /// Watches only these files from now on. **Latest value wins**.
    pub fn follow(&mut self, mut files: Vec<PathBuf>) {
        files.retain(|path| !is_built_in(path));
        let Some(orders) = self.orders.as_ref().filter(|_| files != self.followed) else { return };
        self.followed.clone_from(&files);
        if let Err(TrySendError::Full(files)) = orders.try_send(files) {
            let _ = self.overflow.try_recv();
            // There is only one sender, so there is room now. Without the thread, the show goes on without watching.
            let _ = orders.try_send(files);
        }
    }

    /// Whether a file has changed since the last call. Never waits.
    pub fn poll(&self) -> bool {
        self.changes.try_recv().is_ok()
    }
}

impl Drop for WatchFiles {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(orders: &Receiver<Vec<PathBuf>>, changes: &Sender<()>) {
    let (hint_end, hints) = bounded(1);
    let mut files: Vec<(PathBuf, State)> = Vec::new();
    let mut watcher: Option<RecommendedWatcher> = None;
    let mut changed_at: Option<Instant> = None;
    loop {
        let wait = if changed_at.is_some() { QUIET } else { POLL };
        select! {
            recv(orders) -> order => match order {
                Ok(order) => {
                    // What was followed before keeps the state that was seen: it may have changed since.
                    let seen = |path: &PathBuf| files.iter().find(|(known, _)| known == path).map(|(_, state)| *state);
                    let new = |path: PathBuf| (path.clone(), seen(&path).unwrap_or_else(|| file::state(&path)));
                    let order: Vec<_> = order.into_iter().map(new).collect();
                    files = order;
                    watcher = notifications(&files, hint_end.clone());
                }
                Err(_) => return,
            },
            recv(hints) -> _ => {}
            default(wait) => {}
        }
        for (path, known) in &mut files {
            let state = file::state(path);
            if state != *known {
                *known = state;
                changed_at = Some(Instant::now());
            }
        }
        // A file that is gone may come back: editors remove it for a moment.
        let is_whole = files.iter().all(|(path, _)| file::is_file(path));
        let quiet_for = changed_at.map_or(Duration::ZERO, |at| at.elapsed());
        if changed_at.is_some() && quiet_for >= QUIET && (is_whole || quiet_for >= 10 * QUIET) {
            changed_at = None;
            let _ = changes.try_send(());
        }
        let _ = &watcher;
    }
}

/// Hints from the operating system about the folders of these files; `None` where there are none.
fn notifications(files: &[(PathBuf, State)], hints: Sender<()>) -> Option<RecommendedWatcher> {
    let tell = move |_: notify::Result<notify::Event>| {
        let _ = hints.try_send(());
    };
    let mut watcher = notify::recommended_watcher(tell).ok()?;
    let folders: HashSet<&Path> = files.iter().filter_map(|(path, _)| path.parent()).collect();
    for folder in folders {
        let _ = watcher.watch(folder, RecursiveMode::NonRecursive);
    }
    Some(watcher)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(watch: &WatchFiles, at_most: Duration) -> bool {
        let end = Instant::now() + at_most;
        while Instant::now() < end {
            if watch.poll() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    #[test]
    fn a_change_of_a_followed_file_is_noticed_however_it_is_saved() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-watch-files-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let (own, other) = (folder.join("a.wgsl"), folder.join("b.wgsl"));
        std::fs::write(&own, "1").unwrap();
        std::fs::write(&other, "1").unwrap();
        let mut watch = WatchFiles::start().unwrap();
        watch.follow(vec![own.clone()]);
        assert!(!wait(&watch, Duration::from_millis(300)), "nothing has changed");
        // Again and again: at first nobody may be watching yet, where the machine has stopped the thread.
        let is_noticed = |save: &dyn Fn()| {
            (0..60).any(|_| {
                save();
                wait(&watch, Duration::from_secs(1))
            })
        };
        assert!(is_noticed(&|| std::fs::write(&own, "in place").unwrap()));
        let temporary = folder.join("a.tmp");
        assert!(is_noticed(&|| {
            std::fs::write(&temporary, "moved over it").unwrap();
            std::fs::rename(&temporary, &own).unwrap();
        }));
        // A file may have been seen half-way.
        while wait(&watch, Duration::from_millis(500)) {}
        std::fs::write(&other, "another file").unwrap();
        assert!(!wait(&watch, Duration::from_millis(300)), "not followed");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
