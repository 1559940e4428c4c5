//! Reloads the current preset when its file changes: thread `watch`.
//!
//! Editors rewrite a file in place, move a new one over it, truncate it first or remove it for a moment. Notifications from
//! the operating system only say when to look; what counts is the file's text, read once it has been quiet for a moment.
//! Polling once a second covers cases without notifications: network drives, a replaced folder. A broken file is reported
//! as an error, and the show keeps the old preset.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, select};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher, event::AccessKind};

use super::library::Library;
use super::preset::{Preset, PresetError, read_text};
use crate::file;

/// How long a file must be quiet before it is read.
const QUIET: Duration = Duration::from_millis(20);
/// A file that is never quiet is read after this long anyway.
const IMPATIENT: Duration = Duration::from_millis(200);
/// A file that is missing or empty may come back within this time before it is reported.
const GRACE: Duration = Duration::from_millis(300);
/// Polling interval without notifications.
const POLL: Duration = Duration::from_secs(1);

/// A preset's file changed.
#[derive(Debug)]
pub struct Reload {
    /// The file that [`Watch::follow`] named; ignore it if another preset is current by now.
    pub path: PathBuf,
    /// The whole file, if it could be read.
    pub text: Option<String>,
    /// The new preset, or why it cannot be played.
    pub result: Result<Preset, PresetError>,
}

/// Watches one file at a time. **Latest value wins**: a reload that nobody took is replaced by the next.
#[derive(Debug)]
pub struct Watch {
    orders: Option<Sender<Order>>,
    /// The oldest order is removed through this end when there are too many.
    overflow: Receiver<Order>,
    reloads: Receiver<Reload>,
    thread: Option<JoinHandle<()>>,
}

/// Follow the file of this preset.
#[derive(Debug)]
struct Order {
    preset: Box<Preset>,
}

impl Watch {
    /// Starts the thread; it watches nothing yet.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(library: Library) -> std::io::Result<Self> {
        Self::looking_every(POLL, library)
    }

    /// Like [`Watch::start`], with a different polling interval.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn looking_every(poll: Duration, library: Library) -> std::io::Result<Self> {
        let (orders, order_end) = bounded(1);
        let overflow = order_end.clone();
        let (reload_end, reloads) = bounded(1);
        let outbox = Outbox { sender: reload_end, overflow: reloads.clone(), library };
        let thread =
            std::thread::Builder::new().name("watch".to_owned()).spawn(move || run(&order_end, &outbox, poll))?;
        Ok(Watch { orders: Some(orders), overflow, reloads, thread: Some(thread) })
    }

    /// Watches only this preset's file from now on. A file whose contents differ from `preset` counts as changed.
    /// **Latest value wins**.
    pub fn follow(&self, preset: &Preset) {
        let order = Order { preset: Box::new(preset.clone()) };
        let Some(orders) = &self.orders else { return };
        if let Err(TrySendError::Full(order)) = orders.try_send(order) {
            let _ = self.overflow.try_recv();
            // There is only one sender, so there is room now. Without the thread, the show goes on without watching.
            let _ = orders.try_send(order);
        }
    }

    /// The newest reload since the last call. Never waits.
    pub fn poll(&self) -> Option<Reload> {
        self.reloads.try_recv().ok()
    }

    /// Waits for a reload, for at most this long.
    pub fn wait(&self, at_most: Duration) -> Option<Reload> {
        self.reloads.recv_timeout(at_most).ok()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // The thread ends when its order channel closes.
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The sending end of the reloads.
struct Outbox {
    sender: Sender<Reload>,
    overflow: Receiver<Reload>,
    /// What presets may name.
    library: Library,
}

impl Outbox {
    fn put(&self, reload: Reload) {
        if let Err(TrySendError::Full(reload)) = self.sender.try_send(reload) {
            let _ = self.overflow.try_recv();
            // This thread is the only sender, so there is room now.
            let _ = self.sender.try_send(reload);
        }
    }
}

fn run(orders: &Receiver<Order>, outbox: &Outbox, poll: Duration) {
    let (hint_end, hints) = bounded(1);
    let mut followed: Option<Followed> = None;
    loop {
        let wait = followed.as_ref().map_or(poll, |followed| followed.wait(poll));
        select! {
            recv(orders) -> order => match order {
                // What is built in never changes.
                Ok(order) if file::is_built_in(&order.preset.path) => followed = None,
                Ok(order) => followed = Some(Followed::new(order, hint_end.clone())),
                Err(_) => return,
            },
            recv(hints) -> _ => followed.iter_mut().for_each(Followed::hint),
            default(wait) => followed.iter_mut().for_each(|f| f.look(outbox)),
        }
    }
}

/// The watched file.
struct Followed {
    path: PathBuf,
    /// The file of its live code, if that is another one.
    code: Option<PathBuf>,
    /// What was reported last.
    known: Seen,
    /// The first and last notification since the file was read.
    since: Option<(Instant, Instant)>,
    /// When the file was first found missing or empty.
    gone: Option<Instant>,
    /// Stops the notifications when dropped; `None` if the system has none.
    notices: Option<RecommendedWatcher>,
    hints: Sender<()>,
}

/// The contents of a file.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    /// The preset as read when watching started.
    Preset(Box<Preset>),
    /// Its text, and that of its live code.
    Text(String, Option<String>),
    /// Missing, empty or unreadable.
    Nothing,
}

impl Followed {
    fn new(order: Order, hints: Sender<()>) -> Self {
        let path = order.preset.path.clone();
        let notices = notices(&[&path], hints.clone());
        // The file may have changed after it was read and before the first notification.
        let since = Some((Instant::now(), Instant::now()));
        let mut followed = Followed { path, code: None, known: Seen::Nothing, since, gone: None, notices, hints };
        followed.follow_code(&order.preset);
        followed.known = Seen::Preset(order.preset);
        followed
    }

    fn hint(&mut self) {
        let now = Instant::now();
        self.since = Some((self.since.map_or(now, |(first, _)| first), now));
    }

    /// How long to wait if nothing happens; at most `poll`.
    fn wait(&self, poll: Duration) -> Duration {
        let now = Instant::now();
        let quiet = self.since.map(|(first, last)| (last + QUIET).min(first + IMPATIENT));
        let grace = self.gone.map(|gone| gone + GRACE);
        quiet.into_iter().chain(grace).map(|at| at.saturating_duration_since(now)).min().unwrap_or(poll).min(poll)
    }

    /// Reads the file and reports changes.
    fn look(&mut self, outbox: &Outbox) {
        self.since = None;
        if self.notices.is_none() {
            self.notices = self.new_notices();
        }
        match read_text(&self.path) {
            Ok(text) if !text.trim().is_empty() => {
                // An empty or missing patch is one that is being saved, like an empty or missing preset.
                let code = match self.code.as_deref().map(|path| (path, read_text(path))) {
                    None => None,
                    Some((_, Ok(code))) if !code.trim().is_empty() => Some(code),
                    Some((path, Ok(_))) => return self.missing(PresetError::Empty { path: path.to_owned() }, outbox),
                    Some((_, Err(error))) => return self.missing(error, outbox),
                };
                self.gone = None;
                if matches!(&self.known, Seen::Text(known, old) if *known == text && *old == code) {
                    return;
                }
                let result = outbox.library.check_text(&text, &self.path);
                // As it was read, when it was good: what it names may be gone by now, which is no news.
                let is_old =
                    matches!(&self.known, Seen::Preset(known) if is_of(known, &self.path, &text, code.as_deref()));
                if result.is_err() && is_old {
                    self.known = Seen::Text(text, code);
                    return;
                }
                let is_known =
                    matches!((&self.known, &result), (Seen::Preset(known), Ok(preset)) if **known == *preset);
                let followed = result.as_ref().ok().cloned();
                if !is_known {
                    outbox.put(Reload { path: self.path.clone(), text: Some(text.clone()), result });
                }
                self.known = Seen::Text(text, code);
                if let Some(preset) = followed {
                    self.follow_code(&preset);
                }
            }
            Ok(_) => self.missing(PresetError::Empty { path: self.path.clone() }, outbox),
            // It is there, but in another encoding.
            Err(error @ PresetError::Wrong { .. }) => {
                self.gone = None;
                if self.known != Seen::Nothing {
                    self.known = Seen::Nothing;
                    outbox.put(Reload { path: self.path.clone(), text: None, result: Err(error) });
                }
            }
            Err(error) => {
                // The folder may have been replaced. The old notifications only end once the new ones are set up.
                self.notices = self.new_notices();
                self.missing(error, outbox);
            }
        }
    }

    /// Watches the live code of a preset too.
    fn follow_code(&mut self, preset: &Preset) {
        let code = preset.script.as_ref().map(|code| code.path.clone());
        let code = code.filter(|path| *path != self.path && !file::is_built_in(path));
        if self.code != code {
            self.code = code;
            self.notices = self.new_notices();
        }
    }

    fn new_notices(&self) -> Option<RecommendedWatcher> {
        let paths: Vec<&Path> = std::iter::once(self.path.as_path()).chain(self.code.as_deref()).collect();
        notices(&paths, self.hints.clone())
    }

    fn missing(&mut self, error: PresetError, outbox: &Outbox) {
        let gone = *self.gone.get_or_insert_with(Instant::now);
        if gone.elapsed() >= GRACE {
            self.gone = None;
            if self.known != Seen::Nothing {
                self.known = Seen::Nothing;
                outbox.put(Reload { path: self.path.clone(), text: None, result: Err(error) });
            }
        }
    }
}

/// Whether a preset was read from these texts: its file's, and that of its live code in another file.
fn is_of(preset: &Preset, path: &Path, text: &str, code: Option<&str>) -> bool {
    let own = preset.sources.texts.get(path).is_some_and(|known| **known == *text);
    let script = preset.script.as_ref().filter(|script| script.path != path);
    own && code.is_none_or(|code| script.is_some_and(|script| *script.text == *code))
}

/// Notifications about the files' folders, because a file moved over the old one is a different file; and about the
/// folder of a symlink's target.
fn notices(paths: &[&Path], hints: Sender<()>) -> Option<RecommendedWatcher> {
    let real = paths.iter().map(|path| fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()));
    let files: Vec<PathBuf> = paths.iter().map(|path| path.to_path_buf()).chain(real).collect();
    let names: Vec<_> = files.iter().filter_map(|path| path.file_name().map(ToOwned::to_owned)).collect();
    let concerned = move |event: &notify::Event| {
        let reading = matches!(event.kind, EventKind::Access(AccessKind::Open(_) | AccessKind::Read));
        let ours = |p: &PathBuf| p.file_name().is_some_and(|n| names.iter().any(|name| name == n));
        !reading && (event.paths.is_empty() || event.paths.iter().any(ours))
    };
    let handler = move |event: notify::Result<notify::Event>| {
        if event.as_ref().map_or(true, &concerned) {
            // A full channel already holds a hint.
            let _ = hints.try_send(());
        }
    };
    let mut watcher = notify::recommended_watcher(handler)
        .inspect_err(|error| tracing::debug!("no file notifications, polling once a second: {error}"))
        .ok()?;
    let mut folders = std::collections::BTreeSet::new();
    for file in &files {
        let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !folders.insert(folder) {
            continue;
        }
        watcher
            .watch(folder, RecursiveMode::NonRecursive)
            .inspect_err(|error| tracing::debug!("no notifications for {}: {error}", folder.display()))
            .ok()?;
    }
    Some(watcher)
}
