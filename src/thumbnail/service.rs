//! The thread `thumbnails`: finds what is asked for, and keeps the child process that draws the rest.
//!
//! The child is started when the first picture must be drawn, ended when nothing was drawn for a while, and started again with
//! growing pauses when it ends by itself. What it ends at twice counts as undrawable until its files change.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, never, select};

use super::cache::Cache;
use super::child::{Answer, Painter};
use super::origin::{Compared, Origin};
use super::{Found, Key, Options, Shared, Thumbnail};
use crate::thread::panic_message;

/// How often what somebody looks at is compared with its files.
const CHECK: Duration = Duration::from_secs(4);
/// Most pictures that wait to be drawn.
const MOST_WAITING: usize = 128;
/// Longest time for one picture, on a machine that has better things to do.
const LONGEST: Duration = Duration::from_secs(600);
/// A child that has nothing to draw for so long is ended.
const IDLE: Duration = Duration::from_secs(20);
/// First and longest pause before a child is started again.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(60)];
/// What the child ends at so often is not drawn; once may have been somebody else's doing.
const ENDS: u32 = 2;
/// A child that ends so often before it can draw is given up.
const TRIES: u32 = 3;

/// A picture that waits to be drawn.
struct Waiting {
    key: Key,
    origin: Origin,
    /// How often the child ended while it drew this.
    ends: u32,
}

/// The child process.
enum Hand {
    /// Not needed yet.
    Resting,
    /// It has not said yet that it can draw; since when.
    Starting(Painter, Instant),
    /// Since when it has nothing to do.
    Idle(Painter, Instant),
    /// What it draws, and since when.
    Drawing(Painter, Waiting, Instant),
    /// It ended; not before this time it is started again.
    Pausing(Instant),
    /// It cannot run.
    GivenUp,
}

/// The state of the thread.
pub(super) struct Service {
    shared: Weak<Shared>,
    calls: Receiver<()>,
    options: Options,
    cache: Cache,
    hand: Hand,
    waiting: Vec<Waiting>,
    /// What was found for each key, by its tag.
    tags: HashMap<Key, String>,
    compared: Compared,
    pause: Duration,
    /// How often the child ended before it could draw.
    failures: u32,
    checked: Instant,
    /// Number of looks at the last check.
    looks: u64,
}

impl Service {
    pub fn new(shared: Weak<Shared>, calls: Receiver<()>, options: &Options) -> Self {
        Service {
            shared,
            calls,
            options: options.clone(),
            cache: Cache::new(options.cache.clone()),
            hand: Hand::Resting,
            waiting: Vec::new(),
            tags: HashMap::new(),
            compared: Compared::default(),
            pause: PAUSES[0],
            failures: 0,
            checked: Instant::now(),
            looks: 0,
        }
    }

    /// Works until the last handle is dropped.
    pub fn run(mut self) {
        let silent = never();
        while let Some(shared) = self.shared.upgrade() {
            while let Some(key) = { shared.shelf().take() } {
                self.look_up(&shared, &key);
            }
            if self.checked.elapsed() >= CHECK {
                self.check(&shared);
            }
            self.drive(&shared);
            drop(shared);
            let answers = match &self.hand {
                Hand::Starting(painter, _) | Hand::Idle(painter, _) | Hand::Drawing(painter, ..) => &painter.answers,
                _ => &silent,
            };
            select! {
                // It fails once all handles are gone.
                recv(self.calls) -> _ => {}
                recv(answers) -> answer => {
                    let answer = answer.unwrap_or(Answer::Gone);
                    if let Some(shared) = self.shared.upgrade() {
                        self.heard(&shared, answer);
                    }
                }
                default(self.patience()) => {}
            }
        }
    }

    /// How long nothing can happen.
    fn patience(&self) -> Duration {
        match &self.hand {
            Hand::Pausing(until) => until.saturating_duration_since(Instant::now()).min(CHECK),
            _ => CHECK,
        }
    }

    /// Finds a picture, or has it drawn.
    fn look_up(&mut self, shared: &Shared, key: &Key) {
        let origin = match self.origin(key) {
            Ok(origin) => origin,
            Err(line) => {
                tracing::debug!("no thumbnail of {key:?}: {line}");
                self.tags.remove(key);
                return put(shared, key, Found::Absent);
            }
        };
        self.tags.insert(key.clone(), origin.tag.clone());
        match self.load(&origin) {
            Some(thumbnail) => put(shared, key, Found::Ready(Arc::new(thumbnail))),
            None if matches!(self.hand, Hand::GivenUp) => put(shared, key, Found::Absent),
            None => self.wait(shared, Waiting { key: key.clone(), origin, ends: 0 }),
        }
    }

    fn origin(&mut self, key: &Key) -> Result<Origin, String> {
        // Parsers are not meant to panic; a thumbnail must not be what shows that they do.
        let (library, compared) = (&self.options.library, &mut self.compared);
        let looked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Origin::of(key, library, compared)));
        looked.unwrap_or_else(|panic| Err(panic_message(&*panic)))
    }

    /// The one that ships, or that was drawn before.
    fn load(&self, origin: &Origin) -> Option<Thumbnail> {
        let shipped = origin.shipped.as_ref();
        let shipped = shipped.and_then(|shipped| crate::file::read(shipped, super::MOST_BYTES as u64).ok());
        let bytes = shipped.or_else(|| self.cache.load(&origin.tag))?;
        let thumbnail = Thumbnail::from_jpeg(&bytes, &origin.tag);
        if thumbnail.is_none() {
            self.cache.remove(&origin.tag);
        }
        thumbnail
    }

    fn wait(&mut self, shared: &Shared, waiting: Waiting) {
        self.waiting.retain(|other| other.key != waiting.key);
        self.waiting.push(waiting);
        if self.waiting.len() > MOST_WAITING {
            let oldest = self.by_use(shared).map(|(at, _)| at).next();
            let oldest = oldest.map(|at| self.waiting.swap_remove(at));
            oldest.into_iter().for_each(|oldest| shared.shelf().forget(&oldest.key));
        }
    }

    /// Those that wait, the longest unused first.
    fn by_use(&self, shared: &Shared) -> impl DoubleEndedIterator<Item = (usize, u64)> + use<> {
        let shelf = shared.shelf();
        let mut all: Vec<(usize, u64)> =
            self.waiting.iter().enumerate().map(|(at, waiting)| (at, shelf.used(&waiting.key))).collect();
        all.sort_by_key(|(_, used)| *used);
        all.into_iter()
    }

    /// Looks again at the files of what was looked at since the last check.
    fn check(&mut self, shared: &Shared) {
        self.checked = Instant::now();
        let (seen, looks) = {
            let shelf = shared.shelf();
            self.tags.retain(|key, _| shelf.used(key) > 0);
            (shelf.used_since(self.looks), shelf.looks())
        };
        self.looks = looks;
        for key in seen {
            let is_busy = self.waiting.iter().any(|waiting| waiting.key == key)
                || matches!(&self.hand, Hand::Drawing(_, waiting, _) if waiting.key == key);
            let origin = self.origin(&key).ok().map(|origin| origin.tag);
            if !is_busy && origin.as_ref() != self.tags.get(&key) {
                self.look_up(shared, &key);
            }
        }
    }

    /// Starts, feeds and ends the child.
    fn drive(&mut self, shared: &Shared) {
        {
            // What nobody remembers asking for was displaced.
            let shelf = shared.shelf();
            self.waiting.retain(|waiting| shelf.used(&waiting.key) > 0);
        }
        self.hand = match std::mem::replace(&mut self.hand, Hand::Resting) {
            Hand::Resting if !self.waiting.is_empty() => self.start(shared),
            Hand::Pausing(until) if Instant::now() >= until => {
                if self.waiting.is_empty() {
                    Hand::Resting
                } else {
                    self.start(shared)
                }
            }
            Hand::Idle(_, since) if self.waiting.is_empty() && since.elapsed() > IDLE => Hand::Resting,
            Hand::Idle(painter, since) => match self.by_use(shared).next_back() {
                Some((newest, _)) => self.ask(shared, painter, newest),
                None => Hand::Idle(painter, since),
            },
            Hand::Drawing(_, waiting, since) if since.elapsed() > LONGEST => {
                tracing::warn!("no thumbnail of {}: drawing it takes too long", waiting.key.name());
                put(shared, &waiting.key, Found::Absent);
                self.pause(false)
            }
            Hand::Starting(_, since) if since.elapsed() > LONGEST => self.fail(shared),
            hand => hand,
        }
    }

    /// The child ended before it could draw.
    fn fail(&mut self, shared: &Shared) -> Hand {
        self.failures += 1;
        if self.failures < TRIES { self.pause(true) } else { self.give_up(shared, "what draws them ends at once") }
    }

    fn start(&mut self, shared: &Shared) -> Hand {
        match (self.options.program)().and_then(Painter::start) {
            Ok(painter) => Hand::Starting(painter, Instant::now()),
            Err(error) => self.give_up(shared, &format!("cannot start what draws them: {error}")),
        }
    }

    fn ask(&mut self, shared: &Shared, mut painter: Painter, at: usize) -> Hand {
        let waiting = self.waiting.swap_remove(at);
        match painter.ask(&waiting.origin.request) {
            Ok(()) => Hand::Drawing(painter, waiting, Instant::now()),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                self.waiting.push(waiting);
                self.pause(false)
            }
            Err(error) => {
                tracing::debug!("no thumbnail of {}: {error}", waiting.key.name());
                put(shared, &waiting.key, Found::Absent);
                Hand::Idle(painter, Instant::now())
            }
        }
    }

    fn heard(&mut self, shared: &Shared, answer: Answer) {
        self.hand = match (std::mem::replace(&mut self.hand, Hand::Resting), answer) {
            (Hand::Starting(painter, _), Answer::Hello) => {
                self.failures = 0;
                Hand::Idle(painter, Instant::now())
            }
            (Hand::Starting(..), _) => self.fail(shared),
            (Hand::Drawing(painter, waiting, _), Answer::Drawn(drawn)) => {
                self.pause = PAUSES[0];
                self.drawn(shared, &waiting, drawn);
                Hand::Idle(painter, Instant::now())
            }
            (Hand::Drawing(_, mut waiting, _), _) => {
                waiting.ends += 1;
                if waiting.ends < ENDS {
                    self.waiting.push(waiting);
                } else {
                    tracing::debug!("no thumbnail of {}: what draws it ends", waiting.key.name());
                    put(shared, &waiting.key, Found::Absent);
                }
                self.pause(false)
            }
            (Hand::Idle(..), _) => self.pause(false),
            (hand, _) => hand,
        }
    }

    fn drawn(&mut self, shared: &Shared, waiting: &Waiting, drawn: Result<Vec<u8>, String>) {
        let Waiting { key, origin, .. } = waiting;
        let thumbnail = drawn.and_then(|jpeg| {
            let thumbnail = Thumbnail::from_jpeg(&jpeg, &origin.tag).ok_or("not a small JPEG")?;
            self.cache.store(&origin.tag, &jpeg);
            Ok(thumbnail)
        });
        match thumbnail {
            Ok(thumbnail) => put(shared, key, Found::Ready(Arc::new(thumbnail))),
            Err(line) => {
                tracing::debug!("no thumbnail of {key:?}: {line}");
                put(shared, key, Found::Absent);
            }
        }
    }

    fn pause(&mut self, is_start: bool) -> Hand {
        let pause = if is_start { PAUSES[0] } else { self.pause };
        self.pause = (self.pause * 2).min(PAUSES[1]);
        Hand::Pausing(Instant::now() + pause)
    }

    /// Only those that are there already can be shown from now on.
    fn give_up(&mut self, shared: &Shared, why: &str) -> Hand {
        tracing::warn!("no thumbnails: {why}");
        self.waiting.drain(..).for_each(|waiting| put(shared, &waiting.key, Found::Absent));
        Hand::GivenUp
    }
}

fn put(shared: &Shared, key: &Key, found: Found) {
    shared.shelf().put(key, found);
}
