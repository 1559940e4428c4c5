//! Repeats a take, frame by frame, offline: the same events, loads landing in the frames in which they landed then, and the
//! pictures that were drawn then.
//!
//! The texts of presets, patches and effects come from the take; networks and pictures from their files, or from the copies
//! beside the take. Saving a preset again is passed over.
//!
//! [`Show::resume`] repeats the beginning of a take as fast as it can and plays on live from there: from a snapshot, or to
//! play the rest of the take while somebody plays along. Then what the take requests lands when it is loaded.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::chase::{self, Chase, Step};
use super::loads::Recorded;
use super::presets;
use super::status::Status;
use super::takes::Takes;
use super::{Mode, Options, Show, ShowError};
use crate::control::Event;
use crate::control::keys::{Does, Key, Keys};
use crate::control::midi::Profiles;
use crate::control::timecode::Carrier;
use crate::engine::Engine;
use crate::engine::gpu::Device as Graphics;
use crate::engine::memo::{Memo, MemoError};
use crate::file::sources::{self, Sources};
use crate::params::{Id, Scope};
use crate::patch::library::Library;
use crate::patch::preset::Preset;
use crate::patch::save::Written;
use crate::patch::saver::{Origin, Saved};
use crate::record::take::{Frame, More, News, Take, event};

/// How much of what feeds back is drawn before a show goes on, in seconds.
const RUN_UP_SECS: f64 = 60.0;
/// Frames of a take in one frame of the show that plays it.
const MOST_FRAMES: usize = 8;
/// The longest time that a take is late.
const LONGEST_SECS: f64 = 0.25;

/// Shows that have gone on from a take, and how many bits the numbers of their pictures have.
static SHOWS: AtomicU64 = AtomicU64::new(1);
const PICTURES_BITS: u32 = 40;

/// A take that is playing.
pub(super) struct Player {
    take: Take,
    /// Its first frame, and the next one.
    first: usize,
    next: usize,
    /// Seconds since the last one.
    owed_secs: f64,
    loops: bool,
    /// With which it begins.
    preset: Preset,
    /// Its time is another machine's.
    chase: Option<Chase>,
}

/// Nothing is learned or saved twice.
const ONCE: [Id; 5] = [Id::PresetSave, Id::Learn, Id::LearnCancel, Id::LearnUndo, Id::LearnForget];

/// Whether an event is given to the show once more; with these keys.
fn is_repeated(event: &Event, keys: &Keys) -> bool {
    match event {
        Event::Write(write) => !ONCE.contains(&write.target.id),
        Event::Key(key) => match keys.own(*key) {
            Some(Does::Press(to) | Does::Step(to, _) | Does::Set(to, _)) => {
                !ONCE.iter().any(|id| id.def().address == to)
            }
            Some(Does::Nothing | Does::Window(_) | Does::Tens) => true,
            None => ![Key::Char('l'), Key::Char('u')].contains(key),
        },
        _ => true,
    }
}

impl Show {
    /// The show of a take, before its first frame. `places` says where its files are: see [`Take::locate`].
    ///
    /// # Errors
    /// When its preset cannot be read from the take, or its network cannot be played.
    pub fn of_take(
        take: &Take,
        places: BTreeMap<PathBuf, PathBuf>,
        library: Library,
        engine: Arc<dyn Engine>,
        screen: Option<Arc<Graphics>>,
    ) -> Result<Show, ShowError> {
        let sources = Arc::new(take.prelude.sources.clone());
        let preset = sources::answer(&sources, || library.read(Path::new(&take.header.preset)))?;
        let network = take.header.network.as_ref().map(PathBuf::from);
        let seed = take.header.seed;
        let recorded = Recorded { landed: take.prelude.landed.iter().cloned().collect(), sources, places };
        Show::build(Options { library, preset, network, seed, engine, screen, mode: Mode::Offline }, Some(recorded))
    }

    /// A live show that goes on where the first `frames` frames of a take lead. Of what feeds back, only the last
    /// [`RUN_UP_SECS`] are drawn.
    ///
    /// # Errors
    /// As [`Show::of_take`], and when a thread cannot be started.
    pub fn resume(
        take: &Take,
        frames: usize,
        places: BTreeMap<PathBuf, PathBuf>,
        library: Library,
        (engine, screen): (Arc<dyn Engine>, Option<Arc<Graphics>>),
    ) -> Result<Show, ShowError> {
        let mut show = Show::of_take(take, places, library, engine, screen)?;
        show.output.go_live();
        let lead = &take.frames[..frames.min(take.frames.len())];
        let last_drawn = lead.iter().rposition(|frame| frame.is_drawn);
        let is_remembered = take.remembers(lead.len());
        show.output.set_size(take.prelude.size.unwrap_or_default());
        let mut left_secs: f64 = lead.iter().map(|frame| frame.dt).sum();
        for (i, frame) in lead.iter().enumerate() {
            left_secs -= frame.dt;
            if let Some(size) = frame.more.as_ref().and_then(|more| more.size) {
                show.output.set_size(size);
            }
            let draws = frame.is_drawn && is_remembered && left_secs < RUN_UP_SECS || Some(i) == last_drawn;
            if frame.is_drawn && !draws {
                show.pass_over(frame);
            } else {
                show.repeat(frame, draws);
            }
        }
        let thread = |what| move |source| ShowError::Thread { what, source };
        let sources = if lead.len() < take.frames.len() { take.sources() } else { Sources::default() };
        show.takes = Takes::go_on(&take.header, take.history(lead.len()), &take.files).map_err(thread("take"))?;
        show.loads.go_on(sources).map_err(thread("loader"))?;
        let own = show.own_network(take);
        show.presets.go_on(own).map_err(thread("presets"))?;
        show.reread.start().map_err(thread("watch files"))?;
        show.keys.start().map_err(thread("save keys"))?;
        show.effects.start().map_err(thread("watch files"))?;
        show.status = Status::new(false);
        // Outputs that it takes over from another show see newer pictures.
        show.output.number_from(SHOWS.fetch_add(1, Ordering::Relaxed) << PICTURES_BITS);
        let output = show.output.start().map_err(thread("engine"))?;
        Ok(Show { output, ..show })
    }

    /// The network that the current preset's file names, though the take may have been started with another one.
    fn own_network(&self, take: &Take) -> Option<PathBuf> {
        let playing = self.presets.playing();
        if take.header.network.is_none() || playing.path != Path::new(&take.header.preset) {
            return playing.network.clone();
        }
        let sources = Arc::new(take.sources());
        sources::answer(&sources, || self.library().read(&playing.path)).ok()?.network
    }

    /// Plays the rest of a take from [`Show::resume`], and again if it `loops`: what is played meanwhile comes on top.
    pub fn play_take(&mut self, take: Take, frames: usize, loops: bool) {
        let preset = self.presets.playing().clone();
        self.presets.repeat(VecDeque::new());
        self.player = Some(Player { take, first: frames, next: frames, owed_secs: 0.0, loops, preset, chase: None });
    }

    /// Lets the take that plays follow timecode: it begins at `start_secs`, in seconds since 00:00:00:00.
    pub fn chase(&mut self, carrier: Carrier, start_secs: f64) {
        let Some(player) = &mut self.player else { return };
        let chase = Chase::new(carrier, start_secs);
        self.status.notice(chase.waiting());
        self.controls.set_chasing();
        player.chase = Some(chase);
    }

    /// Whether a take is playing.
    pub fn is_playing_take(&self) -> bool {
        self.player.is_some()
    }

    /// The frames of the take that are due, `dt` seconds later.
    pub(super) fn step_player(&mut self, dt: f64, events: &[Event]) {
        let Some(mut player) = self.player.take() else { return };
        player.owed_secs += dt;
        let mut most = MOST_FRAMES;
        if let Some(chase) = &mut player.chase {
            most = chase::MOST_FRAMES;
            let step = chase.step(dt, events);
            chase.take_line().into_iter().for_each(|line| self.status.notice(line));
            match step {
                Step::Wait => player.owed_secs = 0.0,
                Step::Play { owed_secs, again } => {
                    player.owed_secs = owed_secs;
                    if again {
                        self.rewind(&mut player);
                    }
                }
            }
        }
        let owed_secs = player.owed_secs;
        let mut events = events;
        // After a long pause it does not catch up.
        for _ in 0..most {
            let Some(frame) = player.take.frames.get(player.next) else {
                if !player.loops || player.chase.is_some() {
                    break;
                }
                self.rewind(&mut player);
                continue;
            };
            if frame.dt > player.owed_secs {
                break;
            }
            player.owed_secs -= frame.dt;
            player.next += 1;
            let mut all = Vec::new();
            if let Some(more) = &frame.more {
                more.heard.iter().for_each(|(path, secs)| self.takes.heard_track(path, *secs));
                let sources = Arc::new(more.sources.clone());
                let news = more.news.iter().filter_map(|news| self.news_of(news, &sources)).collect();
                self.presets.repeat(news);
                let table = self.params.table();
                let keys = self.controls.keys();
                let recorded = more.events.iter().filter_map(|json| event::read(json, table));
                let recorded = recorded.filter(|event| is_repeated(event, keys));
                // While timecode is chased, there is no other.
                let is_chasing = player.chase.is_some();
                all.extend(recorded.filter(|event| !is_chasing || !matches!(event, Event::Timecode(_))));
            }
            all.extend_from_slice(std::mem::take(&mut events));
            self.frame(frame.dt, &all);
        }
        if !events.is_empty() {
            // A hand does not wait for the take.
            self.frame(0.0, events);
        }
        if let Some(chase) = &mut player.chase {
            let (played, is_over) = (owed_secs - player.owed_secs, player.next == player.take.frames.len());
            let line = chase.played(played, if is_over { 0.0 } else { player.owed_secs });
            line.into_iter().for_each(|line| self.status.notice(line));
            if played == 0.0 {
                // The show stands, but its lines do not stay for ever.
                self.status.step(dt);
            }
            self.player = Some(player);
            return;
        }
        player.owed_secs = player.owed_secs.min(LONGEST_SECS);
        if player.loops || player.next < player.take.frames.len() {
            self.player = Some(player);
        } else if self.presets.go_on_watching() {
            self.status.notice(format!("the take {} has ended", player.take.path.display()));
        }
    }

    /// Lets a take begin again, with its first preset as it was loaded.
    fn rewind(&mut self, player: &mut Player) {
        player.next = player.first;
        let number = self.presets.number();
        self.play_preset(player.preset.clone(), number, |def| def.scope != Scope::Stage);
        self.decks.restart();
    }

    /// Repeats one frame of [`Show::of_take`]. Its picture is made if it `draws`; otherwise the last one stays.
    pub fn repeat(&mut self, frame: &Frame, draws: bool) {
        self.output.direct(draws);
        self.repeat_as_directed(frame);
    }

    /// Repeats one frame whose picture was drawn, without drawing it. What comes after it goes the same way, as long as the
    /// show does not [remember](Show::remembers) its pictures.
    pub fn pass_over(&mut self, frame: &Frame) {
        self.output.pass_over();
        self.repeat_as_directed(frame);
    }

    /// Of [`Show::of_take`]: whether what was drawn before can be seen in the next picture, by a style loop, effects that
    /// feed back, or a fade.
    pub fn remembers(&self) -> bool {
        self.output.remembers()
    }

    /// Of [`Show::of_take`]: what it remembers of its pictures. Everything else follows from the take: a show that has
    /// [passed over](Show::pass_over) the same frames goes on from there once this is given back.
    ///
    /// # Errors
    /// When a device is lost, and when it is given back to another show.
    pub fn memo(&mut self, memo: &mut Memo) -> Result<(), MemoError> {
        self.output.memo(memo)
    }

    fn repeat_as_directed(&mut self, frame: &Frame) {
        match &frame.more {
            Some(more) => self.repeat_more(frame.dt, more),
            None => self.frame(frame.dt, &[]),
        }
    }

    fn repeat_more(&mut self, dt: f64, more: &More) {
        let Some(recorded) = self.loads.recorded() else { return };
        if !more.sources.texts.is_empty() || !more.sources.found.is_empty() {
            let known = Arc::make_mut(&mut recorded.sources);
            known.texts.extend(more.sources.texts.clone());
            known.found.extend(more.sources.found.clone());
        }
        recorded.landed = more.landed.iter().cloned().collect();
        let sources = recorded.sources.clone();
        if let Some(names_only) = more.names_only {
            self.set_names_only(names_only);
        }
        if let Some(files) = &more.controllers {
            let (profiles, _) = sources::answer(&sources, || Profiles::load(files));
            self.controls.set_profiles(Arc::new(profiles));
        }
        let news: VecDeque<presets::News> = more.news.iter().filter_map(|news| self.news_of(news, &sources)).collect();
        self.has_new_effects = more.news.contains(&News::Effects);
        self.presets.repeat(news);
        let table = self.params.table().clone();
        let events: Vec<Event> = more.events.iter().filter_map(|json| event::read(json, &table)).collect();
        self.frame(dt, &events);
    }

    fn news_of(&self, news: &News, sources: &Arc<Sources>) -> Option<presets::News> {
        let read = |file: &str| sources::answer(sources, || self.library().read(Path::new(file)));
        match news {
            News::Reload(file) => Some(presets::News::Changed(read(file))),
            News::Saved { file, from, copy, number, whole } => {
                let text = sources.texts.get(Path::new(file))?.to_string();
                let preset = read(file).ok()?;
                let origin = match from.as_ref().map(PathBuf::from) {
                    None => Origin::Itself,
                    Some(file) if *copy => Origin::Copy(file),
                    Some(from) => Origin::Other(from),
                };
                let (number, whole) = (*number, *whole);
                Some(presets::News::Saved(Saved { result: Ok(Written { preset, text }), origin, number, whole }))
            }
            News::Effects => None,
        }
    }
}
