//! Repeats a take, frame by frame, offline: the same events, loads landing in the frames in which they landed then, and the
//! pictures that were drawn then.
//!
//! The texts of presets, patches and effects come from the take; networks and pictures from their files, or from the copies
//! beside the take. Saving a preset again is passed over.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::loads::Recorded;
use super::presets;
use super::{Mode, Options, Show, ShowError};
use crate::control::Event;
use crate::control::midi::Profiles;
use crate::engine::Engine;
use crate::engine::gpu::Device as Graphics;
use crate::file::sources::{self, Sources};
use crate::patch::library::Library;
use crate::patch::save::Written;
use crate::patch::saver::{Origin, Saved};
use crate::record::take::{Frame, More, News, Take, event};

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

    /// Repeats one frame of [`Show::of_take`]. Its picture is made if it `draws`; otherwise the last one stays.
    pub fn repeat(&mut self, frame: &Frame, draws: bool) {
        self.output.direct(draws);
        match &frame.more {
            Some(more) => self.repeat_more(frame.dt, more),
            None => self.step(frame.dt, &[]),
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
        self.step(dt, &events);
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
                    Some(file) if *copy => Origin::BuiltIn { file, again: false },
                    Some(from) => Origin::Other(from),
                };
                let (number, whole) = (*number, *whole);
                Some(presets::News::Saved(Saved { result: Ok(Written { preset, text }), origin, number, whole }))
            }
            News::Effects => None,
        }
    }
}
