//! Loads: networks, style networks, pictures and presets share one life cycle, wanted → loading → ready → playing.
//!
//! The newest request of each kind wins; drops loads superseded in the meantime. Live, four threads do the work (`loader`, and
//! `library`, `effects` and `directions` for what must not wait behind a network, or takes long); offline the step itself does, at the same point:
//! [`Loads::take_ready`]. What is requested ahead of its beat is loaded and waits. Everything that starts to play is a
//! [`Landing`] with its frame number, so that it can be recorded.

mod load;
mod worker;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::file::sources::Sources;
use crate::patch::preset::Preset;
use crate::record::take;
use crate::thread::free;
pub use load::{
    Arrived, BlendRequest, Context, From, Kind, LoadError, LoadRequest, Loaded, Named, Place, PresetQuery, Progress,
    Second,
};
use load::{Identity, Outcome};
use worker::Worker;

/// Most things of a kind that are loaded ahead: of presets that somebody browses on the way to the next beat, the last ones
/// count. A network may have gigabytes.
const MOST_PREPARED: usize = 4;

/// Something that started to play.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landing {
    pub kind: Kind,
    pub file: PathBuf,
    /// The number of the step, from 1.
    pub frame: u64,
}

/// A request and its result: `None` if that very file is already playing.
pub struct Landed {
    pub request: LoadRequest,
    /// The file, if it was loaded.
    pub file: Option<PathBuf>,
    pub result: Result<Option<Loaded>, LoadError>,
}

/// What a take says about loads.
#[derive(Debug, Default)]
pub struct Recorded {
    /// What lands in this frame, in order.
    pub landed: VecDeque<take::Landed>,
    /// The texts and names of this moment.
    pub sources: Arc<Sources>,
    /// Where files are that are not in their old places.
    pub places: BTreeMap<PathBuf, PathBuf>,
}

enum State {
    Wanted,
    Loading,
    Ready(Outcome),
}

struct Entry {
    number: u64,
    request: LoadRequest,
    state: State,
    /// Once loaded, waits until it is requested.
    is_prepared: bool,
    /// Whether the things that this prepared preset needs are being prepared too.
    is_seen: bool,
}

/// A file that is playing.
struct Playing {
    kind: Kind,
    /// The name as written.
    name: String,
    identity: Identity,
}

struct Workers {
    loader: Worker,
    library: Worker,
    effects: Worker,
    directions: Worker,
}

impl Workers {
    fn of(&mut self, kind: Kind) -> &mut Worker {
        match kind {
            Kind::Preset | Kind::Armed | Kind::Set | Kind::Keys | Kind::Track => &mut self.library,
            Kind::Effects => &mut self.effects,
            Kind::Directions | Kind::Clusters => &mut self.directions,
            Kind::Network | Kind::Style | Kind::Picture | Kind::Blend | Kind::Code => &mut self.loader,
        }
    }
}

/// What is requested, what is loading, and which files are playing.
pub struct Loads {
    context: Context,
    workers: Option<Workers>,
    /// In order of request.
    entries: Vec<Entry>,
    playing: Vec<Playing>,
    count: u64,
    frame: u64,
    landings: Vec<Landing>,
    /// A take that is rendered: its loads land when they landed then.
    recorded: Option<Recorded>,
}

impl Loads {
    /// Loads in the step itself until [`Loads::start`].
    pub fn new(context: Context) -> Self {
        let (entries, playing, landings) = (Vec::new(), Vec::new(), Vec::new());
        Loads { context, workers: None, entries, playing, count: 0, frame: 0, landings, recorded: None }
    }

    /// Loads what a take says, in the step itself.
    pub fn repeat(&mut self, recorded: Recorded) {
        self.recorded = Some(recorded);
    }

    /// Loads on threads from now on, as [`Loads::start`]; the take has been repeated as far as wanted.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn go_on(&mut self, sources: Sources) -> std::io::Result<()> {
        self.recorded = None;
        self.context.is_live = true;
        self.context.sources = Some(Arc::new(sources)).filter(|sources| !sources.texts.is_empty());
        self.start()
    }

    /// What the take says.
    pub fn recorded(&mut self) -> Option<&mut Recorded> {
        self.recorded.as_mut()
    }

    /// Whether threads do the work.
    pub fn is_live(&self) -> bool {
        self.workers.is_some()
    }

    /// Whether it is a live show that is being built: its threads do not work yet.
    pub fn is_starting(&self) -> bool {
        self.context.is_live && self.workers.is_none() && self.recorded.is_none()
    }

    /// The number of this frame, from 1.
    pub fn frame(&self) -> u64 {
        self.frame
    }

    /// Loads on threads from now on.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start(&mut self) -> std::io::Result<()> {
        let loader = Worker::start("loader", self.context.clone())?;
        let library = Worker::start("library", self.context.clone())?;
        let effects = Worker::start("effects", self.context.clone())?;
        let directions = Worker::start("directions", self.context.clone())?;
        self.workers = Some(Workers { loader, library, effects, directions });
        Ok(())
    }

    /// Starts a frame.
    pub fn begin(&mut self) {
        self.frame += 1;
        self.landings.clear();
    }

    /// What started to play in this frame.
    pub fn landings(&self) -> &[Landing] {
        &self.landings
    }

    /// Requests something. Drops an older request of its kind, unless it is the same.
    pub fn request(&mut self, request: LoadRequest) {
        let kind = request.kind();
        let same = self.entries.iter().position(|entry| entry.request.is_same(&request));
        let entry = same.map(|i| self.entries.remove(i));
        self.cancel(kind);
        self.count += 1;
        let mut entry = entry.unwrap_or(Entry {
            number: self.count,
            request,
            state: State::Wanted,
            is_prepared: false,
            is_seen: false,
        });
        entry.is_prepared = false;
        // What was playing when it was prepared may no longer be playing.
        if matches!(entry.state, State::Ready(Ok(None))) {
            (entry.state, entry.number) = (State::Wanted, self.count);
        }
        self.entries.push(entry);
    }

    /// Loads something ahead of the beat on which it will be requested.
    pub fn prepare(&mut self, request: LoadRequest) {
        if !self.entries.iter().any(|entry| entry.request.is_same(&request)) {
            self.count += 1;
            let kind = request.kind();
            let is_ahead = |entry: &Entry| entry.is_prepared && entry.request.kind() == kind;
            if self.entries.iter().filter(|entry| is_ahead(entry)).count() >= MOST_PREPARED
                && let Some(oldest) = self.entries.iter().position(is_ahead)
            {
                free(self.entries.remove(oldest));
            }
            self.entries.push(Entry {
                number: self.count,
                request,
                state: State::Wanted,
                is_prepared: true,
                is_seen: false,
            });
        }
    }

    /// A preset prepared since the last call, so that what it names can be prepared too.
    pub fn prepared(&mut self) -> Option<Preset> {
        let ready = |entry: &&mut Entry| entry.is_prepared && !entry.is_seen;
        self.entries.iter_mut().filter(ready).find_map(|entry| match &entry.state {
            State::Ready(Ok(Some((_, Loaded::Preset { preset, .. })))) => {
                entry.is_seen = true;
                Some((**preset).clone())
            }
            _ => None,
        })
    }

    /// Drops what was prepared but not requested.
    pub fn forget_prepared(&mut self) {
        self.drop_entries(|entry| entry.is_prepared);
    }

    /// Whether something of this kind is requested and has not arrived.
    pub fn wants(&self, kind: Kind) -> bool {
        self.entries.iter().any(|entry| !entry.is_prepared && entry.request.kind() == kind)
    }

    /// Drops requests of this kind.
    pub fn cancel(&mut self, kind: Kind) {
        self.drop_entries(|entry| !entry.is_prepared && entry.request.kind() == kind);
    }

    /// What they have loaded may be large.
    fn drop_entries(&mut self, are_over: impl Fn(&Entry) -> bool) {
        self.entries.extract_if(.., |entry| are_over(entry)).for_each(free);
    }

    /// Notes that nothing of this kind is playing, and drops requests.
    pub fn stop(&mut self, kind: Kind) {
        self.cancel(kind);
        self.playing.retain(|playing| playing.kind != kind);
    }

    /// The name by which the playing thing was requested.
    pub fn name_of(&self, kind: Kind) -> &str {
        self.playing.iter().find(|playing| playing.kind == kind).map_or("", |playing| &playing.name)
    }

    /// Notes a file that is playing from before the first frame.
    pub fn begin_with(&mut self, kind: Kind, file: &Path) {
        let name = file.to_string_lossy().into_owned();
        self.playing.push(Playing { kind, name, identity: Identity::of(file, None) });
    }

    /// What is loading, and its progress.
    pub fn loading(&self) -> Option<String> {
        let (number, stage) = self.workers.as_ref()?.loader.working()?;
        let entry = self.entries.iter().find(|entry| entry.number == number)?;
        // While a knob moves, there is always a blend on its way.
        if entry.request.kind() == Kind::Blend && stage != Progress::READING {
            return None;
        }
        Some(format!("{}: {stage}", entry.request.label()))
    }

    /// The next finished load, or its error. Never waits for a thread; without threads it loads right here.
    pub fn take_ready(&mut self) -> Option<Landed> {
        if self.recorded.is_some() {
            return self.take_recorded();
        }
        self.poll();
        self.dispatch();
        let ready = |entry: &Entry| !entry.is_prepared && matches!(entry.state, State::Ready(_));
        let at = self.entries.iter().position(ready)?;
        let Entry { request, state, .. } = self.entries.remove(at);
        let State::Ready(outcome) = state else { return None };
        Some(self.arrive(request, outcome))
    }

    /// As [`Loads::take_ready`], of one kind and without threads; with them, or in a take, it comes in its own time.
    pub fn take_ready_offline(&mut self, kind: Kind) -> Option<Landed> {
        if self.workers.is_some() || self.recorded.is_some() {
            return None;
        }
        let at = self.entries.iter().position(|entry| !entry.is_prepared && entry.request.kind() == kind)?;
        let request = self.entries.remove(at).request;
        let outcome = self.context.load_whole(&request, None, &Progress::default());
        Some(self.arrive(request, outcome))
    }

    /// What the take says has landed next. What nothing has asked for is passed over.
    fn take_recorded(&mut self) -> Option<Landed> {
        loop {
            let wants_blend = self.wants(Kind::Blend);
            let recorded = self.recorded.as_mut()?;
            // The blend of the first picture comes last, when what it needs is there.
            let is_early = |landed: &take::Landed| landed.kind == Kind::Blend.word() && self.frame == 0 && !wants_blend;
            if recorded.landed.front().is_some_and(is_early) {
                return None;
            }
            let landed = recorded.landed.pop_front()?;
            let is_it = |entry: &Entry| !entry.is_prepared && Some(entry.request.kind()) == Kind::of_word(&landed.kind);
            let Some(at) = self.entries.iter().position(is_it) else {
                if Kind::of_word(&landed.kind).is_none_or(Kind::is_seen) {
                    tracing::warn!("the take plays a {} that nothing asked for: the picture may differ", landed.kind);
                }
                continue;
            };
            let request = self.entries.remove(at).request;
            let outcome = self.context.repeat(&request, &landed, recorded);
            return Some(self.arrive(request, outcome));
        }
    }

    fn arrive(&mut self, request: LoadRequest, outcome: Outcome) -> Landed {
        let (kind, mut file) = (request.kind(), None);
        let result = outcome.map(|loaded| {
            loaded.map(|(identity, loaded)| {
                file = Some(identity.file.clone());
                // They come with their network, and start nothing.
                if kind.is_seen() {
                    self.landings.push(Landing { kind, file: identity.file.clone(), frame: self.frame });
                }
                self.playing.retain(|playing| playing.kind != kind);
                self.playing.push(Playing { kind, name: request.name(), identity });
                loaded
            })
        });
        Landed { request, file, result }
    }

    /// Collects what the threads have loaded; drops loads superseded in the meantime.
    fn poll(&mut self) {
        let Some(Workers { loader, library, effects, directions }) = &mut self.workers else { return };
        for result in [loader.poll(), library.poll(), effects.poll(), directions.poll()].into_iter().flatten() {
            let number = match &result {
                Ok((number, _)) | Err(number) => *number,
            };
            let Some(entry) = self.entries.iter_mut().find(|entry| entry.number == number) else {
                free(result);
                continue;
            };
            let name = entry.request.label();
            entry.state =
                State::Ready(result.map_or_else(|_| Err(LoadError::NoThread { name }), |(_, outcome)| outcome));
        }
    }

    /// Gives idle threads work: first what is requested now, then what is prepared.
    fn dispatch(&mut self) {
        for is_prepared in [false, true] {
            for entry in &mut self.entries {
                if entry.is_prepared != is_prepared || !matches!(entry.state, State::Wanted) {
                    continue;
                }
                let kind = entry.request.kind();
                let playing = self.playing.iter().find(|playing| playing.kind == kind).map(|playing| &playing.identity);
                match self.workers.as_mut().map(|workers| workers.of(kind)) {
                    Some(worker) if worker.is_idle() => {
                        let name = entry.request.label();
                        let begun = worker.begin(entry.number, entry.request.clone(), playing.cloned());
                        entry.state =
                            if begun { State::Loading } else { State::Ready(Err(LoadError::NoThread { name })) };
                    }
                    // Offline nothing is prepared: it is loaded when it is requested.
                    None if !is_prepared => {
                        let progress = Progress::default();
                        entry.state = State::Ready(self.context.load_whole(&entry.request, playing, &progress));
                        return;
                    }
                    _ => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::engine::plan::Plan;
    use crate::engine::{Engine, EngineError, Program};
    use crate::image::Fit;
    use crate::params::InputSize;
    use crate::patch::library::Library;
    use crate::show::slideshow::Slide;

    /// An engine that panics.
    struct Broken;

    impl Engine for Broken {
        fn name(&self) -> &'static str {
            "broken"
        }
        fn prepare(&self, _: Arc<Plan>) -> Result<Box<dyn Program>, EngineError> {
            panic!("out of luck")
        }
    }

    fn loads() -> Loads {
        Loads::new(Context {
            engine: Arc::new(Broken),
            library: Library::default(),
            workshop: None,
            sources: None,
            is_live: false,
            pair: Arc::default(),
        })
    }

    fn named(name: &str) -> Named {
        Named { name: name.to_owned(), may_be_path: true, base: PathBuf::new() }
    }

    fn picture(name: &str, index: i64) -> LoadRequest {
        LoadRequest::Picture {
            slide: Slide { place: named(name), index, fit: Fit::Cover, size: InputSize::Auto },
            side: 16,
        }
    }

    fn preset(name: &str) -> LoadRequest {
        LoadRequest::Preset(PresetQuery { from: From::Named(named(name)), by: 0 })
    }

    fn wait(loads: &mut Loads) -> Landed {
        let started = Instant::now();
        loop {
            if let Some(landed) = loads.take_ready() {
                return landed;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "nothing comes");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    #[test]
    fn the_newest_of_a_kind_wins() {
        for live in [false, true] {
            let mut loads = loads();
            if live {
                loads.start().unwrap();
            }
            loads.begin();
            (0..5).for_each(|index| loads.request(picture("/nowhere/at/all", index)));
            loads.request(preset("6-flowers"));
            let mut landed = [wait(&mut loads), wait(&mut loads)];
            landed.sort_by_key(|landed| landed.request.kind() == Kind::Preset);
            assert!(landed[0].request.is_same(&picture("/nowhere/at/all", 4)) && landed[0].result.is_err());
            let Ok(Some(Loaded::Preset { preset, number })) = &landed[1].result else { panic!("a preset") };
            assert_eq!((preset.name.as_str(), *number), ("flowers", Some(6)));
            assert!(loads.take_ready().is_none() && !loads.wants(Kind::Picture), "live: {live}");
            let [landing] = loads.landings() else { panic!("one started to play") };
            assert_eq!((landing.kind, landing.frame), (Kind::Preset, 1));
            loads.begin();
            assert!(loads.landings().is_empty());
        }
    }

    #[test]
    fn a_picture_that_plays_is_loaded_again_only_when_its_file_changes() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-loads-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("a.png");
        let save = |side| image::RgbImage::from_pixel(side, side, image::Rgb([255, 0, 0])).save(&file).unwrap();
        save(8);
        let request = || picture(file.to_str().unwrap(), 0);
        let mut loads = loads();
        let mut land = || {
            loads.request(request());
            let Ok(Some(Loaded::Picture { content, .. })) = loads.take_ready().unwrap().result else {
                panic!("a picture")
            };
            matches!(content, Arrived::New(_))
        };
        assert!(land() && !land());
        save(32);
        assert!(land() && !land());
        loads.stop(Kind::Picture);
        loads.request(request());
        let Ok(Some(Loaded::Picture { content, .. })) = loads.take_ready().unwrap().result else { panic!("a picture") };
        assert!(matches!(content, Arrived::New(_)), "it was no longer playing");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn what_is_prepared_waits_until_it_is_requested() {
        let mut loads = loads();
        loads.start().unwrap();
        loads.prepare(preset("6-flowers"));
        let started = Instant::now();
        let prepared = loop {
            assert!(loads.take_ready().is_none());
            if let Some(preset) = loads.prepared() {
                break preset;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "nothing comes");
            std::thread::sleep(Duration::from_millis(2));
        };
        assert!(prepared.network.is_some() && loads.prepared().is_none(), "once");
        loads.request(preset("6-flowers"));
        assert!(loads.take_ready().is_some(), "at once");
        loads.prepare(preset("6-flowers"));
        loads.forget_prepared();
        assert!(loads.entries.is_empty());
    }

    #[test]
    fn what_is_prepared_does_not_pile_up() {
        let mut loads = loads();
        loads.request(preset("1"));
        for number in 2..40 {
            loads.prepare(preset(&number.to_string()));
            loads.prepare(LoadRequest::Network(Place::File(number.to_string().into())));
        }
        let is_there =
            |number: u32| loads.entries.iter().any(|entry| entry.request.is_same(&preset(&number.to_string())));
        assert_eq!((1..40).filter(|number| is_there(*number)).collect::<Vec<_>>(), [1, 36, 37, 38, 39]);
        assert_eq!(loads.entries.len(), 1 + 2 * MOST_PREPARED);
    }

    #[test]
    fn a_panic_is_an_error_and_loading_goes_on() {
        let mut loads = loads();
        loads.start().unwrap();
        for _ in 0..2 {
            loads.request(LoadRequest::Network(Place::Named(named("flowers128"))));
            let error = wait(&mut loads).result.err().expect("it panics").to_string();
            assert!(error.contains("flowers128") && error.contains("out of luck"), "{error}");
        }
    }
}
