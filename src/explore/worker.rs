//! The thread `explore`: draws the pictures that a page shows, and looks at those that it wants sorted.
//!
//! Pictures come first, and of these the rough ones: they are what somebody looks at. A page asks for a few at a time, and goes
//! away from those that it has scrolled past, which are then left out. A full queue drops the oldest, whose page asks again. Orders
//! are worked on in turns while no picture waits: each page has its own. Rough pictures are fitted while nothing else is to be
//! done, or beside slow whole ones. Beside a show it has the lowest priority and few threads, works only while somebody asks, and
//! gives back after a minute what it has opened.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use tokio::sync::{oneshot, watch};

use super::directions::Direction;
use super::favourites::{self, Favourite};
use super::order::{Item, Order, sort, value};
use super::realness::Realness;
use super::rough::{self, Rough};
use super::studio::{Moment, Settings, Shown, Studio};
use super::survey::{self, Survey, USUAL};
use crate::caption::Captioner;
use crate::engine::Program;
use crate::engine::plan::Plan;
use crate::engine::score::Discriminator;
use crate::latent::layers::{Layers, add, mix};
use crate::network::Network;
use crate::process::become_idle_thread;
use crate::thread::panic_message;

/// Most pictures that wait.
const MOST_WAITING: usize = 256;
/// Most batches of rough pictures that wait.
const MOST_BATCHES: usize = 16;
/// Pictures that are looked at before those that wait are drawn.
const SLICE: usize = 8;
/// Pictures that are scored before: each takes longer.
const SCORED_AT_ONCE: usize = 1;
/// Orders that are kept, for as many pages.
const MOST_ORDERS: usize = 8;
/// Surveys that are kept in memory, some megabytes each.
const MOST_SURVEYS: usize = 4;
const QUALITY: u8 = 90;
/// Rough pictures are fitted when nobody has wanted anything for so long: between the pictures of a page there are gaps, too.
const LULL: Duration = Duration::from_millis(100);
/// Where somebody scrolls without a pause, they are fitted after so many pictures, one step for every few of them.
const WITHOUT_LULL: usize = 160;
const FEW: usize = 4;
/// Where a whole picture takes longer, they are fitted as soon as those that are needed have been drawn: that costs little beside it.
const SLOW: Duration = Duration::from_millis(100);
/// Beside a show, after so long without work, memory is given back.
const REST: Duration = Duration::from_secs(60);
/// Beside a show, an order that nobody has asked about for so long is not worked on. Browsers let pages that are not seen ask
/// once a second.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a picture is made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ask {
    /// Its number: the seed, or which moment it is.
    pub seed: u32,
    pub settings: Settings,
    /// A direction and how many steps along it.
    pub along: Option<(usize, f32)>,
    /// Another seed, and how far from it to this one: 0 to 1.
    pub around: Option<(u32, f32)>,
}

/// What pictures are sorted by.
#[derive(Clone, Debug, PartialEq)]
pub struct OrderAsk {
    pub order: Order,
    /// Pictures, from 0.
    pub count: u32,
    pub settings: Settings,
    /// Pictures that others should resemble.
    pub like: Vec<u32>,
}

/// How far an order is.
#[derive(Clone, Debug, PartialEq)]
pub enum Progress {
    Looked { looked: usize, of: usize },
    Sorted(Arc<Vec<u32>>),
    Failed(String),
}

/// Why there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("too many pictures wait: ask again")]
    Busy,
    #[error("{0}")]
    Failed(String),
}

/// Prepares the plan of the network, or of its rough pictures.
pub type Prepare = Box<dyn FnMut(Arc<Plan>) -> Result<Box<dyn Program>, String> + Send>;
/// Seed, psi and class of a favourite.
pub type Starred = (u32, f32, f64);

type Reply<T> = oneshot::Sender<Result<T, Refused>>;

/// A JPEG that a page waits for.
struct Wanted<T> {
    what: T,
    reply: Reply<Vec<u8>>,
}

/// A picture, and its longer side in pixels.
type Picture = Wanted<(Ask, u32)>;
/// Rough pictures, in one strip.
type Batch = Wanted<Vec<Ask>>;

impl<T> Wanted<T> {
    /// Queues it. Those that nobody waits for any more go, and so does the oldest of `most`.
    fn push(queue: &mut VecDeque<Self>, most: usize, what: T) -> oneshot::Receiver<Result<Vec<u8>, Refused>> {
        let (reply, answer) = oneshot::channel();
        queue.retain(|wanted| !wanted.reply.is_closed());
        if queue.len() >= most
            && let Some(oldest) = queue.pop_front()
        {
            let _ = oldest.reply.send(Err(Refused::Busy));
        }
        queue.push_back(Wanted { what, reply });
        answer
    }

    /// The oldest that somebody waits for.
    fn pop(queue: &mut VecDeque<Self>) -> Option<Self> {
        std::iter::from_fn(|| queue.pop_front()).find(|wanted| !wanted.reply.is_closed())
    }
}

/// Something to do with the favourites.
enum Star {
    Set {
        asks: Vec<Ask>,
        on: bool,
        reply: Reply<usize>,
    },
    /// All of this network.
    List {
        reply: Reply<Vec<Starred>>,
    },
}

/// An order, and how far it is.
struct Sorting {
    ask: OrderAsk,
    progress: Progress,
    /// When somebody asked about it last.
    asked: Instant,
    /// When it was worked on last.
    turn: u64,
}

#[derive(Default)]
struct Waiting {
    batches: VecDeque<Batch>,
    pictures: VecDeque<Picture>,
    stars: VecDeque<Star>,
    orders: Vec<Sorting>,
    /// Counts turns.
    turn: u64,
    directions: Option<Arc<Vec<Direction>>>,
    /// Whether there are rough pictures, once that is known.
    has_rough: Option<bool>,
    /// Changes with the network's file and the moments; `None` until that has been read.
    id: watch::Sender<Option<Arc<str>>>,
    is_closed: bool,
}

impl Waiting {
    /// Whether nobody wants anything.
    fn is_idle(&self) -> bool {
        !self.is_closed && self.batches.is_empty() && self.pictures.is_empty() && self.stars.is_empty()
    }
}

type Shared = Arc<(Mutex<Waiting>, Condvar)>;

/// What the worker works with. Everything is called on its thread, when it is first needed.
pub struct Tools {
    pub network: Arc<Network>,
    pub shown: Shown,
    /// Called before the first picture, the whole ones' and the rough ones', and again after a rest.
    pub prepare: Prepare,
    /// Where there are none, there are no orders by looks, with the reason.
    pub eyes: Box<dyn FnMut() -> Result<Captioner, String> + Send>,
    pub favourites: PathBuf,
    /// What favourites call the network.
    pub named: Box<dyn FnMut() -> String + Send>,
    /// Where what was seen and found out is kept.
    pub cache: Option<PathBuf>,
}

/// What a worker may take for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    Alone,
    /// Beside a show, with so many threads, at the lowest priority if it `yields` to the show.
    Beside {
        threads: usize,
        yields: bool,
    },
}

/// The running thread. Dropping it ends it after what it does.
pub struct Worker {
    shared: Shared,
    thread: Option<JoinHandle<()>>,
}

/// Gives the thread work. Clones share it.
#[derive(Clone)]
pub struct Queue(Shared);

impl Waiting {
    /// The order whose turn it is, among those that somebody asks about; alone, also the last one that was asked for.
    fn next_order(&mut self, pace: Pace) -> Option<OrderAsk> {
        let newest = self.orders.iter().map(|order| order.asked).max().filter(|_| pace == Pace::Alone);
        let is_wanted = |order: &&mut Sorting| {
            matches!(order.progress, Progress::Looked { .. })
                && (order.asked.elapsed() < PATIENCE || Some(order.asked) == newest)
        };
        let order = self.orders.iter_mut().filter(is_wanted).min_by_key(|order| order.turn)?;
        self.turn += 1;
        order.turn = self.turn;
        Some(order.ask.clone())
    }
}

fn lock(shared: &Shared) -> MutexGuard<'_, Waiting> {
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    /// A JPEG of at most `side` pixels on its longer side.
    pub fn picture(&self, ask: Ask, side: u32) -> oneshot::Receiver<Result<Vec<u8>, Refused>> {
        let answer = Wanted::push(&mut lock(&self.0).pictures, MOST_WAITING, (ask, side));
        self.0.1.notify_one();
        answer
    }

    /// Rough pictures of all of these below one another, as a JPEG; in the size of the network's, see [`Queue::has_rough`].
    pub fn rough(&self, asks: Vec<Ask>) -> oneshot::Receiver<Result<Vec<u8>, Refused>> {
        let answer = Wanted::push(&mut lock(&self.0).batches, MOST_BATCHES, asks);
        self.0.1.notify_one();
        answer
    }

    /// Whether the network has rough pictures; `None` until that is known.
    pub fn has_rough(&self) -> Option<bool> {
        lock(&self.0).has_rough
    }

    /// Adds favourites, or takes them back: how many these were.
    pub fn star(&self, asks: Vec<Ask>, on: bool) -> oneshot::Receiver<Result<usize, Refused>> {
        let (reply, answer) = oneshot::channel();
        let mut waiting = lock(&self.0);
        if waiting.stars.len() >= MOST_WAITING {
            let _ = reply.send(Err(Refused::Busy));
            return answer;
        }
        waiting.stars.push_back(Star::Set { asks, on, reply });
        self.0.1.notify_one();
        answer
    }

    /// All favourites of the network.
    pub fn stars(&self) -> oneshot::Receiver<Result<Vec<Starred>, Refused>> {
        let (reply, answer) = oneshot::channel();
        let mut waiting = lock(&self.0);
        if waiting.stars.len() >= MOST_WAITING {
            let _ = reply.send(Err(Refused::Busy));
            return answer;
        }
        waiting.stars.push_back(Star::List { reply });
        self.0.1.notify_one();
        answer
    }

    /// How far an order is. One that is new begins; of too many, it takes the place of that which nobody has asked about for
    /// the longest time.
    pub fn order(&self, ask: &OrderAsk) -> Progress {
        let mut waiting = lock(&self.0);
        self.0.1.notify_one();
        let asked = Instant::now();
        if let Some(known) = waiting.orders.iter_mut().find(|known| known.ask == *ask) {
            known.asked = asked;
            return known.progress.clone();
        }
        // What has failed is tried again after something else was asked for.
        waiting.orders.retain(|known| !matches!(known.progress, Progress::Failed(_)));
        if waiting.orders.len() >= MOST_ORDERS
            && let Some(oldest) = (0..waiting.orders.len()).min_by_key(|i| waiting.orders[*i].asked)
        {
            waiting.orders.remove(oldest);
        }
        let progress = Progress::Looked { looked: 0, of: ask.count as usize };
        waiting.orders.push(Sorting { ask: ask.clone(), progress: progress.clone(), asked, turn: 0 });
        progress
    }

    /// Changes with the network's file, which may have to be read first. `None` if the worker ends meanwhile.
    pub async fn id(&self) -> Option<Arc<str>> {
        let mut id = lock(&self.0).id.subscribe();
        id.wait_for(Option::is_some).await.ok()?.clone()
    }

    /// The directions, once they have been found.
    pub fn directions(&self) -> Option<Arc<Vec<Direction>>> {
        lock(&self.0).directions.clone()
    }

    pub fn set_directions(&self, directions: Vec<Direction>) {
        lock(&self.0).directions = Some(Arc::new(directions));
    }

    /// Whether the worker has ended, or is about to.
    pub fn is_closed(&self) -> bool {
        lock(&self.0).is_closed
    }
}

impl Worker {
    /// Ends `last` on its thread before it begins, so that two never take memory at once.
    ///
    /// # Errors
    /// When the system refuses the thread.
    pub fn start(tools: Tools, pace: Pace, last: Option<Worker>) -> std::io::Result<Worker> {
        let shared = Shared::default();
        let own = shared.clone();
        let last = last.inspect(Worker::close);
        let run = move || {
            drop(last);
            // What is computed on all cores is computed by these few.
            let pool = match pace {
                Pace::Alone => None,
                Pace::Beside { threads, yields } => {
                    if yields {
                        become_idle_thread();
                    }
                    rayon::ThreadPoolBuilder::new().num_threads(threads).use_current_thread().build().ok()
                }
            };
            Desk::new(tools, pace, own).work();
            drop(pool);
        };
        let thread = std::thread::Builder::new().name("explore".to_owned()).spawn(run)?;
        Ok(Worker { shared, thread: Some(thread) })
    }

    pub fn queue(&self) -> Queue {
        Queue(self.shared.clone())
    }
}

impl Worker {
    /// Nobody gets an answer any more; what is being drawn is drawn to its end.
    fn close(&self) {
        let mut waiting = lock(&self.shared);
        waiting.is_closed = true;
        waiting.batches.clear();
        waiting.pictures.clear();
        waiting.stars.clear();
        drop(waiting);
        self.shared.1.notify_all();
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

enum Work {
    Batch(Batch),
    Picture(Picture),
    Star(Star),
    Order(OrderAsk),
    /// One step of fitting rough pictures.
    Fit,
    Rest,
    End,
}

/// What was seen.
#[derive(Default)]
struct Surveys {
    /// Of seeds, by the bits of psi and class.
    seeds: HashMap<(u32, u64), Survey>,
    moments: Survey,
}

impl Surveys {
    fn of(&mut self, shown: &Shown, settings: &Settings, studio: &Studio, cache: Option<&Path>) -> &mut Survey {
        if let Shown::Moments(_) = shown {
            return &mut self.moments;
        }
        let key = (settings.psi.to_bits(), settings.class.to_bits());
        if !self.seeds.contains_key(&key) && self.seeds.len() >= MOST_SURVEYS {
            self.rest();
        }
        self.seeds.entry(key).or_insert_with(|| Survey::in_folder(cache, studio, settings))
    }

    /// Gives back the memory of what is kept in the cache folder.
    fn rest(&mut self) {
        self.seeds.drain().for_each(|(_, mut survey)| survey.keep());
    }
}

struct Desk {
    tools: Tools,
    pace: Pace,
    studio: Option<Studio>,
    eyes: Option<Captioner>,
    /// The network's discriminator, if its file holds one: once that is known.
    judge: Option<Option<Discriminator>>,
    surveys: Surveys,
    rough: Rough,
    /// Whole pictures that were drawn, and whether the last one took long.
    drawn: usize,
    is_slow: bool,
    /// After how many of them rough pictures are fitted although others wait.
    fit_after: usize,
    /// Whether the last that was done was to fit.
    is_fitting: bool,
    shared: Shared,
}

impl Desk {
    fn new(tools: Tools, pace: Pace, shared: Shared) -> Desk {
        let id = survey::id(&tools.network);
        // What is found out about a file that cannot be told from another is not kept.
        let cache = tools.cache.clone().filter(|_| id != survey::UNKNOWN);
        let rough = Rough::new(tools.network.clone(), &id, cache);
        let id = match &tools.shown {
            Shown::Seeds => id,
            Shown::Moments(moments) => format!("{id}-{:016x}", fingerprint(moments)),
        };
        let mut waiting = lock(&shared);
        waiting.has_rough = rough.is_there();
        waiting.id.send_replace(Some(id.into()));
        drop(waiting);
        Desk {
            tools,
            pace,
            studio: None,
            eyes: None,
            judge: None,
            surveys: Surveys::default(),
            rough,
            drawn: 0,
            is_slow: false,
            fit_after: WITHOUT_LULL,
            is_fitting: false,
            shared,
        }
    }

    fn next(&self) -> Work {
        let mut waiting = lock(&self.shared);
        loop {
            if waiting.is_closed {
                return Work::End;
            }
            if let Some(star) = waiting.stars.pop_front() {
                return Work::Star(star);
            }
            if let Some(batch) = Wanted::pop(&mut waiting.batches) {
                return Work::Batch(batch);
            }
            let may_fit = self.studio.is_some() && self.rough.is_there().is_none();
            if may_fit && (self.drawn >= self.fit_after || self.is_slow && self.rough.is_ready()) {
                return Work::Fit;
            }
            if let Some(picture) = Wanted::pop(&mut waiting.pictures) {
                return Work::Picture(picture);
            }
            if let Some(ask) = waiting.next_order(self.pace) {
                return Work::Order(ask);
            }
            if may_fit {
                if self.is_fitting {
                    return Work::Fit;
                }
                let (woken, lull) = self.shared.1.wait_timeout(waiting, LULL).unwrap_or_else(PoisonError::into_inner);
                if lull.timed_out() && woken.is_idle() {
                    return Work::Fit;
                }
                waiting = woken;
                continue;
            }
            let is_open = self.studio.is_some() || self.eyes.is_some();
            if self.pace == Pace::Alone || !is_open {
                waiting = self.shared.1.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (woken, rested) = self.shared.1.wait_timeout(waiting, REST).unwrap_or_else(PoisonError::into_inner);
            if rested.timed_out() {
                return Work::Rest;
            }
            waiting = woken;
        }
    }

    fn work(&mut self) {
        loop {
            let work = self.next();
            self.is_fitting = matches!(work, Work::Fit);
            match work {
                Work::End => break,
                Work::Batch(Wanted { what: asks, reply }) => {
                    let drawn =
                        caught(|| self.sketch(&asks, || reply.is_closed()).and_then(|strip| jpeg(&strip, u32::MAX)));
                    let _ = reply.send(drawn);
                }
                Work::Picture(Wanted { what: (ask, side), reply }) => {
                    let drawn = caught(|| self.draw(&ask).and_then(|picture| jpeg(&picture, side)));
                    let _ = reply.send(drawn);
                }
                Work::Fit => self.fit(),
                Work::Star(Star::Set { asks, on, reply }) => {
                    let done = caught(|| self.star(&asks, on));
                    let _ = reply.send(done);
                }
                Work::Star(Star::List { reply }) => {
                    let _ = reply.send(caught(|| self.stars()));
                }
                Work::Rest => {
                    (self.studio, self.eyes, self.judge) = (None, None, None);
                    self.rough.rest();
                    self.surveys.rest();
                }
                Work::Order(ask) => {
                    let progress =
                        caught(|| self.sorted(&ask)).unwrap_or_else(|error| Progress::Failed(error.to_string()));
                    // It may be forgotten by now.
                    if let Some(own) = lock(&self.shared).orders.iter_mut().find(|own| own.ask == ask) {
                        own.progress = progress;
                    }
                }
            }
        }
        self.surveys.rest();
    }

    fn studio(&mut self) -> Result<&mut Studio, Refused> {
        opened(&mut self.studio, &mut self.tools)
    }

    /// ws of what is asked for.
    fn ws(&mut self, ask: &Ask) -> Result<Vec<f32>, Refused> {
        let directions = lock(&self.shared).directions.clone();
        let shown = self.tools.shown.clone();
        let studio = self.studio()?;
        let (_, mut ws) = shown.latent(ask.seed, studio, &ask.settings);
        if let Some((centre, radius)) = ask.around {
            let (_, other) = studio.latent(centre, &ask.settings);
            let all = Layers { from: 0, to: usize::MAX };
            mix(&mut ws, &other, 1.0 - radius, all, studio.network.mapping.w_dim);
        }
        if let Some((number, amount)) = ask.along
            && let Some(Direction { layers, step, .. }) = directions.as_deref().and_then(|all| all.get(number))
        {
            add(&mut ws, step, amount, *layers);
        }
        Ok(ws)
    }

    fn draw(&mut self, ask: &Ask) -> Result<RgbImage, Refused> {
        let ws = self.ws(ask)?;
        let begun = Instant::now();
        let picture = self.studio()?.draw(&ws).map_err(failed)?;
        self.is_slow = begun.elapsed() > SLOW;
        self.drawn += 1;
        if ask.along.is_none() && ask.around.is_none() && self.tools.shown.moment(ask.seed).is_none() {
            self.rough.note(ask.seed, &ask.settings, &picture);
        }
        Ok(picture)
    }

    /// Rough pictures of all of these below one another, unless nobody waits for them any more.
    fn sketch(&mut self, asks: &[Ask], is_over: impl Fn() -> bool) -> Result<RgbImage, Refused> {
        let none = || Refused::Failed("the network has no rough pictures".to_owned());
        if self.rough.is_there() != Some(true) {
            return Err(none());
        }
        let mut pictures = Vec::with_capacity(asks.len());
        for ask in asks {
            if is_over() {
                return Err(Refused::Failed("nobody waits for it".to_owned()));
            }
            let ws = self.ws(ask)?;
            match self.rough.draw(&ws, &mut *self.tools.prepare) {
                Ok(Some(picture)) => pictures.push(picture),
                Ok(None) => return Err(none()),
                Err(error) => {
                    self.without_rough(&error);
                    return Err(Refused::Failed(error));
                }
            }
        }
        Ok(rough::strip(&pictures))
    }

    /// There are no rough pictures any more.
    fn without_rough(&mut self, why: &str) {
        tracing::warn!("{}: no rough pictures: {why}", self.tools.network.path.display());
        self.rough.give_up();
        lock(&self.shared).has_rough = Some(false);
    }

    /// Does one step of fitting rough pictures. If that fails, there are none.
    fn fit(&mut self) {
        self.fit_after = self.drawn.max(WITHOUT_LULL) + FEW;
        let step = caught(|| {
            let studio = opened(&mut self.studio, &mut self.tools)?;
            self.rough.step(studio, &mut *self.tools.prepare).map_err(Refused::Failed)
        });
        match step {
            Ok(()) => lock(&self.shared).has_rough = self.rough.is_there(),
            Err(error) => self.without_rough(&error.to_string()),
        }
    }

    fn stars(&mut self) -> Result<Vec<Starred>, Refused> {
        let stars = favourites::read(&self.tools.favourites).map_err(failed)?;
        let named = (self.tools.named)();
        let own = stars.iter().filter(|star| star.network == named);
        let Shown::Moments(moments) = &self.tools.shown else {
            return Ok(own.map(|star| (star.seed, star.psi, star.class)).collect());
        };
        let w_dim = self.tools.network.mapping.w_dim;
        let is_starred = |n: u32| {
            let star = moments.get(n as usize).map(|Moment { seed, settings, ws, .. }| {
                Favourite::new(&named, *seed, [f64::from(settings.psi), settings.class], ws, w_dim)
            });
            star.is_some_and(|star| own.clone().any(|own| own.is_same(&star)))
        };
        let starred = (0..moments.len() as u32).filter(|n| is_starred(*n)).map(|n| (n, 1.0, 0.0)).collect();
        Ok(starred)
    }

    fn star(&mut self, asks: &[Ask], on: bool) -> Result<usize, Refused> {
        let (named, w_dim) = ((self.tools.named)(), self.tools.network.mapping.w_dim);
        let star = |ask: &Ask| {
            let moment = self.tools.shown.moment(ask.seed);
            let (seed, Settings { psi, class }) = moment.map_or((ask.seed, ask.settings), |m| (m.seed, m.settings));
            Ok(Favourite::new(&named, seed, [f64::from(psi), class], &self.ws(ask)?, w_dim))
        };
        let stars: Vec<Favourite> = asks.iter().map(star).collect::<Result<_, Refused>>()?;
        let file = &self.tools.favourites;
        if on { favourites::add(file, &stars) } else { favourites::remove(file, &stars) }.map_err(failed)
    }

    /// What was seen with these settings.
    fn survey(&mut self, shown: &Shown, settings: &Settings) -> Result<&mut Survey, Refused> {
        let studio = opened(&mut self.studio, &mut self.tools)?;
        Ok(self.surveys.of(shown, settings, studio, self.tools.cache.as_deref()))
    }

    /// Draws these, and looks at them.
    fn look(&mut self, shown: &Shown, numbers: &[u32], settings: &Settings) -> Result<(), Refused> {
        let eyes = match &mut self.eyes {
            Some(eyes) => eyes,
            none => none.insert((self.tools.eyes)().map_err(Refused::Failed)?),
        };
        let (studio, rough) = (opened(&mut self.studio, &mut self.tools)?, &mut self.rough);
        let survey = self.surveys.of(shown, settings, studio, self.tools.cache.as_deref());
        survey.look(numbers, eyes, |n| {
            let (_, ws) = shown.latent(n, studio, settings);
            let picture = studio.draw(&ws).map_err(failed)?;
            if shown.moment(n).is_none() {
                rough.note(n, settings, &picture);
            }
            Ok(picture)
        })
    }

    /// Draws these, and scores them.
    fn score(&mut self, shown: &Shown, numbers: &[u32], settings: &Settings) -> Result<(), Refused> {
        let (studio, judge) = (opened(&mut self.studio, &mut self.tools)?, self.judge.iter().flatten().next());
        let survey = self.surveys.of(shown, settings, studio, self.tools.cache.as_deref());
        survey.judge(numbers, |n| {
            let (_, ws) = shown.latent(n, studio, settings);
            let score = judge.map(|judge| studio.score(judge, &ws, shown.class(n, settings))).transpose();
            let none = || Refused::Failed("the discriminator cannot score its pictures".to_owned());
            score.map_err(failed)?.flatten().ok_or_else(none)
        })
    }

    /// Whether the network's file holds a discriminator that fits.
    fn has_judge(&mut self) -> bool {
        let network = &self.tools.network;
        self.judge.get_or_insert_with(|| Discriminator::of(network)).is_some()
    }

    /// Looks at a few more pictures, or sorts them.
    fn sorted(&mut self, ask: &OrderAsk) -> Result<Progress, Refused> {
        let OrderAsk { order, count, .. } = *ask;
        let shown = self.tools.shown.clone();
        let settings = shown.settings(&ask.settings);
        let numbers: Vec<u32> = (0..count.min(shown.count())).collect();
        let is_by_usual = matches!(order, Order::Artifacts | Order::Usual);
        let is_judged = is_by_usual && self.has_judge();
        // What has to be seen before.
        let mut wanted = match order {
            Order::Seed | Order::Average => Vec::new(),
            _ => vec![(shown.clone(), numbers.clone())],
        };
        if is_by_usual && !is_judged {
            // What is usual is what seeds show.
            match &shown {
                Shown::Seeds => wanted = vec![(Shown::Seeds, (0..count.max(USUAL)).collect())],
                Shown::Moments(_) => wanted.push((Shown::Seeds, (0..USUAL).collect())),
            }
        }
        let of = wanted.iter().map(|(_, numbers)| numbers.len()).sum();
        let mut seen = 0;
        for (shown, numbers) in &wanted {
            let survey = self.survey(shown, &settings)?;
            let is_missing = |n: &u32| if is_judged { survey.score(*n).is_none() } else { survey.get(*n).is_none() };
            let missing: Vec<u32> = numbers.iter().copied().filter(is_missing).collect();
            seen += numbers.len() - missing.len();
            if !missing.is_empty() {
                let some = &missing[..missing.len().min(if is_judged { SCORED_AT_ONCE } else { SLICE })];
                if is_judged {
                    self.score(shown, some, &settings)?;
                } else {
                    self.look(shown, some, &settings)?;
                }
                return Ok(Progress::Looked { looked: seen + some.len(), of });
            }
            survey.keep();
        }
        let mut usual = None;
        if is_by_usual && !is_judged {
            let survey = self.survey(&Shown::Seeds, &settings)?;
            let looks: Vec<&[f32]> = (0..USUAL).filter_map(|seed| Some(survey.get(seed)?.features())).collect();
            let none = || Refused::Failed("all pictures of the network look the same".to_owned());
            usual = Some(Realness::of(looks.into_iter()).ok_or_else(none)?);
        }
        let mut liked = Vec::new();
        if order == Order::Like {
            self.look(&shown, &ask.like, &settings)?;
            let survey = self.survey(&shown, &settings)?;
            for look in ask.like.iter().filter_map(|n| survey.get(*n)) {
                liked.resize(look.features().len(), 0.0);
                liked.iter_mut().zip(look.features()).for_each(|(sum, x): (&mut f32, _)| *sum += x);
            }
        }
        let studio = opened(&mut self.studio, &mut self.tools)?;
        let centre = studio.centre(&settings);
        let latents: Vec<Vec<f32>> = numbers.iter().map(|n| shown.latent(*n, studio, &settings).0).collect();
        let survey = self.survey(&shown, &settings)?;
        let strange = |n: u32| match &usual {
            Some(usual) => Some(usual.distance(survey.get(n)?.features())),
            None => Some(-survey.score(n)?),
        };
        let item = |(n, w): (u32, Vec<f32>)| {
            let strange = if is_by_usual { strange(n) } else { None };
            Item { seed: n, value: value(order, survey.get(n), strange, [&w, &centre], &liked) }
        };
        let mut items: Vec<Item> = numbers.into_iter().zip(latents).map(item).collect();
        sort(&mut items);
        Ok(Progress::Sorted(Arc::new(items.into_iter().map(|item| item.seed).collect())))
    }
}

/// The network, prepared.
fn opened<'a>(studio: &'a mut Option<Studio>, tools: &mut Tools) -> Result<&'a mut Studio, Refused> {
    match studio {
        Some(studio) => Ok(studio),
        none => {
            let program = (tools.prepare)(tools.network.plan.clone()).map_err(Refused::Failed)?;
            Ok(none.insert(Studio::new(tools.network.clone(), program)))
        }
    }
}

/// Changes with what the pictures of the moments are.
fn fingerprint(moments: &[Moment]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for moment in moments {
        moment.ws.iter().for_each(|x| x.to_bits().hash(&mut hasher));
    }
    hasher.finish()
}

fn failed(error: impl std::fmt::Display) -> Refused {
    Refused::Failed(error.to_string())
}

/// A panic costs one answer.
fn caught<T>(work: impl FnOnce() -> Result<T, Refused>) -> Result<T, Refused> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let line = panic_message(&*panic);
        tracing::warn!("explore: {line}");
        Err(Refused::Failed(line))
    })
}

/// A JPEG; larger pictures are reduced.
fn jpeg(picture: &RgbImage, longest: u32) -> Result<Vec<u8>, Refused> {
    let reduced = super::studio::reduced(picture, longest);
    let mut bytes = Cursor::new(Vec::new());
    reduced.write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY)).map_err(failed)?;
    Ok(bytes.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(count: u32) -> OrderAsk {
        OrderAsk { order: Order::Artifacts, count, settings: Settings { psi: 1.0, class: 0.0 }, like: Vec::new() }
    }

    #[test]
    fn two_pages_have_their_orders_in_turns() {
        let queue = Queue(Shared::default());
        let begun = |of| Progress::Looked { looked: 0, of };
        assert_eq!([queue.order(&ask(5)), queue.order(&ask(7))], [begun(5), begun(7)]);
        let next = || lock(&queue.0).next_order(Pace::Beside { threads: 1, yields: false }).map(|ask| ask.count);
        let turns: Vec<Option<u32>> = (0..4).map(|_| next()).collect();
        assert_eq!(turns, [Some(5), Some(7), Some(5), Some(7)]);
        let sorted = Progress::Sorted(Arc::new(vec![3, 1, 2]));
        lock(&queue.0).orders[0].progress = sorted.clone();
        assert_eq!([queue.order(&ask(7)), queue.order(&ask(5))], [begun(7), sorted], "neither has disturbed the other");
        assert_eq!([next(), next()], [Some(7); 2]);
    }

    #[test]
    fn of_many_orders_those_stay_that_are_asked_about() {
        let queue = Queue(Shared::default());
        for count in 1..=MOST_ORDERS as u32 {
            queue.order(&ask(count));
        }
        lock(&queue.0).orders[1].progress = Progress::Failed("no eyes".to_owned());
        assert_eq!(queue.order(&ask(2)), Progress::Failed("no eyes".to_owned()), "it is not tried again at once");
        queue.order(&ask(1));
        // What has failed makes room, then the one that nobody has asked about for longest.
        queue.order(&ask(100));
        queue.order(&ask(101));
        let counts: Vec<u32> = lock(&queue.0).orders.iter().map(|order| order.ask.count).collect();
        assert_eq!(counts, [1, 4, 5, 6, 7, 8, 100, 101]);
    }
}
