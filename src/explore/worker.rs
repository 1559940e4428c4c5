//! The thread `explore`: draws the pictures that a page shows, and looks at those that it wants sorted.
//!
//! Pictures come first, the newest first: they are what somebody looks at. A full queue drops the oldest, whose page asks
//! again. Of orders the **latest value wins**: it is worked on while no picture waits.

use std::collections::{HashMap, VecDeque};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use image::RgbImage;
use image::codecs::jpeg::JpegEncoder;
use tokio::sync::oneshot;

use super::favourites::{self, Favourite};
use super::order::{Item, Order, sort, value};
use super::realness::Realness;
use super::studio::{Settings, Studio};
use super::survey::{Survey, USUAL, see};
use crate::caption::Captioner;
use crate::latent::layers::{Layers, add, mix};
use crate::thread::panic_message;

/// Most pictures that wait.
const MOST_WAITING: usize = 256;
/// Pictures that are looked at before those that wait are drawn.
const SLICE: usize = 8;
/// Surveys that are kept in memory, some megabytes each.
const MOST_SURVEYS: usize = 4;
const QUALITY: u8 = 90;

/// What a picture is made from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ask {
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
    /// Seeds, from 0.
    pub count: u32,
    pub settings: Settings,
    /// Seeds that others should resemble.
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

type Reply<T> = oneshot::Sender<Result<T, Refused>>;

struct Picture {
    ask: Ask,
    side: u32,
    reply: Reply<Vec<u8>>,
}

struct Star {
    asks: Vec<Ask>,
    on: bool,
    reply: Reply<usize>,
}

#[derive(Default)]
struct Waiting {
    pictures: VecDeque<Picture>,
    stars: VecDeque<Star>,
    order: Option<(OrderAsk, Progress)>,
    directions: Arc<Vec<Vec<f32>>>,
    is_closed: bool,
}

type Shared = Arc<(Mutex<Waiting>, Condvar)>;

/// What the worker works with.
pub struct Tools {
    pub studio: Studio,
    /// `None` where there is none: there are no orders by looks then, with the reason.
    pub eyes: Result<Captioner, String>,
    pub favourites: PathBuf,
    /// What favourites call the network.
    pub named: String,
    /// Where what was seen is kept.
    pub cache: Option<PathBuf>,
}

/// The running thread. Dropping it ends it after what it does.
pub struct Worker {
    shared: Shared,
    thread: Option<JoinHandle<()>>,
}

/// Gives the thread work. Clones share it.
#[derive(Clone)]
pub struct Queue(Shared);

fn lock(shared: &Shared) -> MutexGuard<'_, Waiting> {
    shared.0.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Queue {
    /// A JPEG of at most `side` pixels on its longer side.
    pub fn picture(&self, ask: Ask, side: u32) -> oneshot::Receiver<Result<Vec<u8>, Refused>> {
        let (reply, answer) = oneshot::channel();
        let mut waiting = lock(&self.0);
        waiting.pictures.retain(|picture| !picture.reply.is_closed());
        if waiting.pictures.len() >= MOST_WAITING
            && let Some(oldest) = waiting.pictures.pop_front()
        {
            let _ = oldest.reply.send(Err(Refused::Busy));
        }
        waiting.pictures.push_back(Picture { ask, side, reply });
        self.0.1.notify_one();
        answer
    }

    /// Adds favourites, or takes them back: how many these were.
    pub fn star(&self, asks: Vec<Ask>, on: bool) -> oneshot::Receiver<Result<usize, Refused>> {
        let (reply, answer) = oneshot::channel();
        let mut waiting = lock(&self.0);
        if waiting.stars.len() >= MOST_WAITING {
            let _ = reply.send(Err(Refused::Busy));
            return answer;
        }
        waiting.stars.push_back(Star { asks, on, reply });
        self.0.1.notify_one();
        answer
    }

    /// How far an order is; one that is new takes the place of the last.
    pub fn order(&self, ask: &OrderAsk) -> Progress {
        let mut waiting = lock(&self.0);
        match &waiting.order {
            Some((own, progress)) if own == ask => progress.clone(),
            _ => {
                let begun = Progress::Looked { looked: 0, of: ask.count as usize };
                waiting.order = Some((ask.clone(), begun.clone()));
                self.0.1.notify_one();
                begun
            }
        }
    }

    /// The steps of the directions, once they have been found.
    pub fn set_directions(&self, steps: Vec<Vec<f32>>) {
        lock(&self.0).directions = Arc::new(steps);
    }
}

impl Worker {
    /// # Errors
    /// When the system refuses the thread.
    pub fn start(tools: Tools) -> std::io::Result<Worker> {
        let shared = Shared::default();
        let own = shared.clone();
        let run = move || {
            let mut desk = Desk { tools, surveys: HashMap::new(), shared: own };
            desk.work();
        };
        let thread = std::thread::Builder::new().name("explore".to_owned()).spawn(run)?;
        Ok(Worker { shared, thread: Some(thread) })
    }

    pub fn queue(&self) -> Queue {
        Queue(self.shared.clone())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let mut waiting = lock(&self.shared);
        waiting.is_closed = true;
        waiting.pictures.clear();
        waiting.stars.clear();
        drop(waiting);
        self.shared.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

enum Work {
    Picture(Picture),
    Star(Star),
    Order(OrderAsk),
    End,
}

struct Desk {
    tools: Tools,
    /// By the bits of psi and class.
    surveys: HashMap<(u32, u64), Survey>,
    shared: Shared,
}

impl Desk {
    fn next(&self) -> Work {
        let mut waiting = lock(&self.shared);
        loop {
            if waiting.is_closed {
                return Work::End;
            }
            if let Some(star) = waiting.stars.pop_front() {
                return Work::Star(star);
            }
            if let Some(picture) = waiting.pictures.pop_back() {
                if picture.reply.is_closed() {
                    continue;
                }
                return Work::Picture(picture);
            }
            if let Some((ask, Progress::Looked { .. })) = &waiting.order {
                return Work::Order(ask.clone());
            }
            waiting = self.shared.1.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn work(&mut self) {
        loop {
            match self.next() {
                Work::End => break,
                Work::Picture(Picture { ask, side, reply }) => {
                    let drawn = caught(|| self.draw(&ask).and_then(|picture| jpeg(&picture, side)));
                    let _ = reply.send(drawn);
                }
                Work::Star(Star { asks, on, reply }) => {
                    let done = caught(|| self.star(&asks, on));
                    let _ = reply.send(done);
                }
                Work::Order(ask) => {
                    let progress =
                        caught(|| self.sorted(&ask)).unwrap_or_else(|error| Progress::Failed(error.to_string()));
                    let mut waiting = lock(&self.shared);
                    // It may want another one by now.
                    if let Some((own, to)) = &mut waiting.order
                        && *own == ask
                    {
                        *to = progress;
                    }
                }
            }
        }
        self.surveys.values_mut().for_each(Survey::keep);
    }

    /// ws of what is asked for.
    fn ws(&mut self, ask: &Ask) -> Vec<f32> {
        let studio = &mut self.tools.studio;
        let (_, mut ws) = studio.latent(ask.seed, &ask.settings);
        let all = Layers { from: 0, to: usize::MAX };
        if let Some((centre, radius)) = ask.around {
            let (_, other) = studio.latent(centre, &ask.settings);
            mix(&mut ws, &other, 1.0 - radius, all, studio.network.mapping.w_dim);
        }
        if let Some((direction, amount)) = ask.along
            && let Some(step) = lock(&self.shared).directions.clone().get(direction)
        {
            add(&mut ws, step, amount, all);
        }
        ws
    }

    fn draw(&mut self, ask: &Ask) -> Result<RgbImage, Refused> {
        let ws = self.ws(ask);
        self.tools.studio.draw(&ws).map_err(failed)
    }

    fn star(&mut self, asks: &[Ask], on: bool) -> Result<usize, Refused> {
        let stars: Vec<Favourite> = asks
            .iter()
            .map(|ask| {
                let ws = self.ws(ask);
                let Settings { psi, class } = ask.settings;
                let w_dim = self.tools.studio.network.mapping.w_dim;
                Favourite::new(&self.tools.named, ask.seed, [f64::from(psi), class], &ws, w_dim)
            })
            .collect();
        let file = &self.tools.favourites;
        if on { favourites::add(file, &stars) } else { favourites::remove(file, &stars) }.map_err(failed)
    }

    /// Looks at a few more pictures, or sorts them.
    fn sorted(&mut self, ask: &OrderAsk) -> Result<Progress, Refused> {
        let OrderAsk { order, count, settings, .. } = *ask;
        let seeds: Vec<u32> = (0..count).collect();
        let studio = &mut self.tools.studio;
        let looks = !matches!(order, Order::Seed | Order::Average);
        let mut usual = None;
        let mut liked = Vec::new();
        let key = (settings.psi.to_bits(), settings.class.to_bits());
        if looks {
            let eyes = self.tools.eyes.as_ref().map_err(|line| Refused::Failed(line.clone()))?;
            if !self.surveys.contains_key(&key) {
                if self.surveys.len() >= MOST_SURVEYS {
                    self.surveys.drain().for_each(|(_, mut survey)| survey.keep());
                }
                self.surveys.insert(key, Survey::in_folder(self.tools.cache.as_deref(), studio, &settings));
            }
            let survey = self.surveys.entry(key).or_insert_with(|| Survey::in_folder(None, studio, &settings));
            let is_by_usual = matches!(order, Order::Artifacts | Order::Usual);
            let all = 0..if is_by_usual { count.max(USUAL) } else { count };
            let of = all.len();
            let missing: Vec<u32> = all.filter(|seed| survey.get(*seed).is_none()).collect();
            if !missing.is_empty() {
                let some = &missing[..missing.len().min(SLICE)];
                survey.look(some, studio, &settings, eyes, |_, _| {}).map_err(failed)?;
                return Ok(Progress::Looked { looked: of - missing.len() + some.len(), of });
            }
            survey.keep();
            if is_by_usual {
                let looks: Vec<&[f32]> = (0..USUAL).filter_map(|seed| Some(survey.get(seed)?.features())).collect();
                let none = || Refused::Failed("all pictures of the network look the same".to_owned());
                usual = Some(Realness::of(looks.into_iter()).ok_or_else(none)?);
            }
            for seed in &ask.like {
                let picture = studio.of_seed(*seed, &settings).map_err(failed)?;
                let look = see(eyes, &picture);
                liked.resize(look.features().len(), 0.0);
                liked.iter_mut().zip(look.features()).for_each(|(sum, x): (&mut f32, _)| *sum += x);
            }
        }
        let centre = studio.centre(&settings);
        let mut items = Vec::with_capacity(seeds.len());
        for seed in seeds {
            let (w, _) = studio.latent(seed, &settings);
            let look = self.surveys.get(&key).and_then(|survey| survey.get(seed));
            items.push(Item { seed, value: value(order, look, usual.as_ref(), [&w, &centre], &liked) });
        }
        sort(&mut items);
        Ok(Progress::Sorted(Arc::new(items.into_iter().map(|item| item.seed).collect())))
    }
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
