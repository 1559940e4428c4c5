//! Looks something up in the player's folders while it is shown, on a thread of its own, so that no frame waits for the disk.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::patch::library::Library;

/// How often it is looked up.
const EVERY: Duration = Duration::from_secs(2);

/// What was found last, and the thread that looks.
pub(super) struct Lister<T> {
    /// Of the thread.
    name: &'static str,
    find: fn(&Library) -> T,
    found: T,
    work: Option<Work<T>>,
    has_started: bool,
}

struct Work<T> {
    ask: Sender<Library>,
    answers: Receiver<T>,
    asked: Option<Instant>,
}

impl<T: Default + Send + 'static> Lister<T> {
    /// Looks with `find`, on a thread of this name.
    pub fn new(name: &'static str, find: fn(&Library) -> T) -> Self {
        Lister { name, find, found: T::default(), work: None, has_started: false }
    }

    /// What was found last.
    pub fn get(&self) -> &T {
        &self.found
    }

    /// Keeps it up to date while it is called each frame; never waits.
    pub fn follow(&mut self, library: &Library) {
        if !std::mem::replace(&mut self.has_started, true) {
            self.work = start(self.name, self.find);
        }
        let Some(work) = &mut self.work else { return };
        if let Ok(found) = work.answers.try_recv() {
            self.found = found;
        }
        if work.asked.is_none_or(|asked| asked.elapsed() >= EVERY) {
            work.asked = Some(Instant::now());
            // An answer that is still being looked for is new enough.
            let _ = work.ask.try_send(library.clone());
        }
    }
}

fn start<T: Send + 'static>(name: &str, find: fn(&Library) -> T) -> Option<Work<T>> {
    let (ask, asked) = bounded::<Library>(1);
    let (tell, answers) = bounded(1);
    let work = move || {
        while let Ok(library) = asked.recv() {
            if tell.send(find(&library)).is_err() {
                return;
            }
        }
    };
    let started = std::thread::Builder::new().name(name.to_owned()).spawn(work);
    started.inspect_err(|error| tracing::warn!("cannot start the thread {name}: {error}")).ok()?;
    Some(Work { ask, answers, asked: None })
}
