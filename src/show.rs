//! One frame of the show, from events and `dt`: the only module that knows the whole path.
//!
//! [`Show::step`] applies events to parameters, moves the walk, maps z to ws and asks the stage for a picture.
//! Time is an input: nothing here reads a clock, so the same steps give the same requests. Live, pictures come
//! from the `engine` thread and networks from the `loader` thread, and `step` never waits for either; offline
//! ([`Mode::Offline`]) each step makes its own picture before it returns.

mod content;
mod input;
mod learning;
pub mod loader;
pub mod picture;
mod quantize;
pub mod stage;
mod status;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::control::clock::Clock;
use crate::control::lights::Lights;
use crate::control::mapping::Mapping;
use crate::control::midi::{MidiInputs, MidiOutputs, Profile, Profiles};
use crate::control::osc::feeds::Feeds;
use crate::control::osc::{Feedback, OscServer, Told};
use crate::control::query::{Dims, Panel, QueryServer};
use crate::control::{AllCounts, Event, Source, Write, keys};
use crate::effects::style::{StyleLoop, StyleSettings};
use crate::engine::{Engine, Noise, NoiseMode, Program, Transform};
use crate::latent::mapping::{Scratch, blend_classes};
use crate::latent::walk::{self, Walk};
use crate::modulate::Ease;
use crate::network::Network;
use crate::params::{Id, Kind, Params, Target, Value, Written};
use crate::patch::library::Library;
use crate::patch::locate::{self, LocateError};
use crate::patch::preset::{Preset, PresetError};
use crate::patch::saver::Saver;
use crate::patch::watch::Watch;
pub use crate::record::compose::Fit;
use content::Content;
use learning::Learning;
pub use learning::MapLine;
use loader::{Done, LoadError, Loaded, Loader, Progress, Wish};
use quantize::Held;
pub use stage::Picture;
use stage::{Change, Drawn, Live, Request, Scene, Stage};
use status::History;
pub use status::{Status, printable};

/// Why a show cannot begin. Once it plays, nothing ends it.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    #[error(transparent)]
    Preset(#[from] PresetError),
    #[error(transparent)]
    Locate(#[from] LocateError),
    #[error(transparent)]
    Network(#[from] LoadError),
    #[error("the preset {preset} names no network: add a line such as network = \"flowers128\"")]
    NoNetwork { preset: String },
    #[error("no thread for the {what}: {source}")]
    Thread { what: &'static str, source: std::io::Error },
}

/// Who makes the pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The engine's thread, as fast as it can; a step never waits.
    Live,
    /// The step itself: one picture a step, always the same.
    Offline,
}

/// What a show begins with.
pub struct Options {
    pub library: Library,
    pub preset: Preset,
    /// Plays this file instead of the preset's network.
    pub network: Option<PathBuf>,
    pub seed: Option<u32>,
    pub engine: Arc<dyn Engine>,
    pub mode: Mode,
}

/// The picture-making end of the path.
enum Output {
    Live { live: Live, loader: Loader },
    Offline { stage: Box<Stage> },
}

/// What belongs to the stage, not to a picture: a preset that does not name it leaves it as it is.
const OF_THE_STAGE: &[Id] = &[Id::Tempo, Id::Quantize, Id::NetworkFade, Id::Blackout, Id::Freeze];

/// A network on its way out.
struct Leaving {
    network: Arc<Network>,
    walk: Walk,
    /// From it (0) to the one that comes (1).
    fade: f64,
}

/// A running show.
pub struct Show {
    params: Params,
    mapping: Mapping,
    clock: Clock,
    library: Library,
    preset: Preset,
    /// Sees the preset's file change; live only.
    watch: Option<Watch>,
    /// Writes presets; live only, offline the step itself does.
    saver: Option<Saver>,
    learning: Learning,
    held: Held,
    lights: Lights,
    /// The open ports whose controllers have a profile.
    controllers: Vec<(u8, Arc<Profile>)>,
    /// The place of the playing preset in the list, from 1.
    preset_number: Option<usize>,
    engine: Arc<dyn Engine>,
    network: Arc<Network>,
    /// The network that is to play, while it is loaded.
    wished_network: Option<PathBuf>,
    /// The style network that paints, or is about to.
    style_file: Option<PathBuf>,
    /// The one that paints.
    style_playing: Option<PathBuf>,
    /// Counts the style networks that came and went.
    style_serial: u64,
    content: Content,
    /// How many styles it has.
    styles: usize,
    walk: Walk,
    /// The network that is faded from, which walks on meanwhile.
    leaving: Option<Leaving>,
    output: Output,
    /// Counts networks; a request says which one it is for.
    generation: u64,
    pictures_asked: u64,
    /// Seconds of the show so far, frozen ones not counted.
    secs: f64,
    request: Request,
    last_request: Request,
    mapped: Mapped,
    writes: Vec<Write>,
    drawn: Drawn,
    picture: Option<Arc<Picture>>,
    history: History,
    /// Presets named over OSC may only be names of the library, not paths, when the port is open to the network.
    names_only: bool,
    /// Who wrote each text last.
    text_by: HashMap<Id, Source>,
    /// What came last over OSC for a trigger or a text, and when: a sender that repeats it means it once.
    repeats: HashMap<Target, (f64, Value)>,
    /// Seconds since the start, frozen ones too.
    uptime_secs: f64,
    /// What could not be made offline, where no picture may be missed.
    failure: Option<String>,
    devices: Devices,
    feedback: Option<Feedback>,
    panel: Option<Panel>,
}

/// What plays a show from outside, and how much of it came.
#[derive(Default)]
pub struct Devices {
    pub osc: Option<OscServer>,
    pub query: Option<QueryServer>,
    pub midi: Option<MidiInputs>,
    pub lights: Option<MidiOutputs>,
    /// What is known of controllers.
    pub profiles: Arc<Profiles>,
    pub counts: AllCounts,
}

impl Show {
    /// Loads the preset's network and starts the threads that a live show needs.
    ///
    /// # Errors
    /// When the network cannot be played.
    pub fn new(options: Options) -> Result<Self, ShowError> {
        let Options { library, mut preset, network, seed, engine, mode } = options;
        preset.network = network.or(preset.network);
        let Some(file) = &preset.network else {
            return Err(ShowError::NoNetwork { preset: preset.name });
        };
        let (network, program) = loader::load_network(file, &engine, &Progress::default())?;
        let stage = Stage::new(Scene { generation: 0, program });
        let output = match mode {
            Mode::Offline => Output::Offline { stage: Box::new(stage) },
            Mode::Live => Output::Live {
                live: Live::start(stage).map_err(|source| ShowError::Thread { what: "engine", source })?,
                loader: Loader::start(engine.clone()).map_err(|source| ShowError::Thread { what: "loader", source })?,
            },
        };
        let watch = match mode {
            Mode::Offline => None,
            Mode::Live => Some(Watch::start().map_err(|source| ShowError::Thread { what: "watch", source })?),
        };
        let saver = match mode {
            Mode::Offline => None,
            Mode::Live => Some(Saver::start().map_err(|source| ShowError::Thread { what: "save", source })?),
        };
        let mut show = Show {
            params: Params::default(),
            mapping: Mapping::default(),
            clock: Clock::default(),
            library,
            watch,
            saver,
            learning: Learning::default(),
            held: Held::default(),
            lights: Lights::default(),
            controllers: Vec::new(),
            preset_number: None,
            walk: Walk::new(network.mapping.z_dim, walk::Settings::default()),
            network,
            leaving: None,
            wished_network: None,
            style_file: None,
            style_playing: None,
            style_serial: 0,
            failure: None,
            content: Content::default(),
            styles: 0,
            output,
            engine,
            generation: 0,
            pictures_asked: 0,
            secs: 0.0,
            request: Request::default(),
            last_request: Request::default(),
            mapped: Mapped::default(),
            writes: Vec::new(),
            drawn: Drawn::default(),
            picture: None,
            history: History::default(),
            names_only: false,
            text_by: HashMap::new(),
            repeats: HashMap::new(),
            uptime_secs: 0.0,
            devices: Devices::default(),
            feedback: None,
            panel: None,
            preset: preset.clone(),
        };
        show.params.set_text(Id::Network, &show.network.name);
        show.apply_preset(preset);
        if let Some(seed) = seed {
            show.write(&Write { target: Id::Seed.into(), value: Value::Int(seed.into()), source: Source::Preset });
        }
        show.params.settle();
        show.begin_painting()?;
        show.begin_input()?;
        show.params.begin();
        show.walk = Walk::new(show.network.mapping.z_dim, show.walk_settings());
        Ok(show)
    }

    /// Whether presets and networks may only be named, not given as paths, by OSC messages.
    pub fn set_names_only(&mut self, names_only: bool) {
        self.names_only = names_only;
    }

    /// One frame: `events` since the last one, `dt` seconds later.
    pub fn step(&mut self, dt: f64, events: &[Event]) {
        self.params.begin();
        self.history.step(dt);
        self.uptime_secs += dt;
        for event in events {
            self.take(event);
        }
        self.answer_triggers(0);
        self.step_learning(dt);
        self.params.step(dt);
        let tempo = self.params.get(Id::Tempo);
        self.clock.step(dt, tempo);
        self.poll_loader();
        self.release();
        self.poll_watch();
        self.poll_saver();
        // A frozen picture holds the walk too, so that it goes on from where it was held.
        if !self.params.bool(Id::Freeze) {
            self.secs += dt;
            let settings = self.walk_settings();
            self.walk.step(dt, &settings);
            self.step_fade(dt, &settings);
            self.step_input(dt);
            self.make_request();
            self.submit();
        } else if self.pixels_wanted() {
            self.request.clone_from(&self.last_request);
            self.submit();
        }
        self.collect();
        self.tell(dt);
    }

    /// Tells those who listen what changed in this frame.
    fn tell(&mut self, dt: f64) {
        let brightness = self.brightness();
        let feeds = Feeds { beat: self.clock.beat().floor() as i32, fps: self.history.fps() };
        let told = Told { params: &self.params, feeds, aliases: self.mapping.aliases() };
        if let Some(feedback) = &mut self.feedback
            && let Some(address) = feedback.step(&told, dt)
        {
            self.history.refuse(&format!("no parameter {address}"));
        }
        if let Some(panel) = &mut self.panel {
            let mapping = &self.network.mapping;
            let dims = Dims { z: mapping.z_dim, w: mapping.w_dim, styles: self.styles };
            panel.step(&told, dims);
            // A picture that is on the card alone is asked for again, with its pixels.
            if let Some(picture) = self.picture.as_ref().filter(|picture| picture.card.is_none()) {
                panel.show(picture.width, picture.height, &picture.rgba, picture.serial, brightness);
            }
        }
        if let Some(lights) = &self.devices.lights {
            self.lights.step(dt, &self.params, &self.mapping, self.preset_number, &lights.board());
        }
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::Write(write) => self.write(&write.clone()),
            Event::MidiPort { port, name, open } => self.connect_port(*port, name, *open),
            Event::Midi(message) if self.is_learning() => {
                self.clock.midi(message, &mut self.writes);
                self.learn_message(message);
                for write in std::mem::take(&mut self.writes) {
                    self.write(&write);
                }
            }
            Event::Key(keys::Key::Up) if self.is_learning() => self.choose_to_learn(-1),
            Event::Key(keys::Key::Down) if self.is_learning() => self.choose_to_learn(1),
            Event::Notice(line) => self.history.notice(line.clone()),
            Event::Midi(_) | Event::Key(_) | Event::Unknown { .. } => {
                let mut writes = std::mem::take(&mut self.writes);
                match event {
                    Event::Midi(message) => {
                        self.clock.midi(message, &mut writes);
                        self.lights.heard(message);
                    }
                    Event::Key(key) => keys::writes(*key, &self.params, &mut writes),
                    _ => {}
                }
                self.mapping.apply(event, &self.params, &mut writes);
                for write in &writes {
                    self.write(write);
                }
                if writes.is_empty()
                    && let Event::Unknown { address, .. } = event
                {
                    self.history.refuse(&format!("no parameter {address}"));
                }
                writes.clear();
                self.writes = writes;
            }
        }
    }

    fn connect_port(&mut self, port: u8, name: &str, open: bool) {
        let profile = self.devices.profiles.of_port(name).filter(|_| open).cloned();
        self.mapping.set_profile(port, profile.as_ref().map(|profile| profile.entries()));
        self.lights.set_profile(port, profile.as_ref());
        self.controllers.retain(|(known, _)| *known != port);
        self.controllers.extend(profile.map(|profile| (port, profile)));
    }

    fn write(&mut self, write: &Write) {
        if !self.is_repeated(write) && !self.hold(write) {
            self.write_now(write);
        }
    }

    fn write_now(&mut self, write: &Write) {
        let id = write.target.id;
        if matches!(id.def().kind, Kind::Text { .. }) {
            self.text_by.insert(id, write.source);
        }
        if matches!(id, Id::Learn | Id::LearnUndo | Id::PresetSave) {
            self.learning.from_stranger = self.is_stranger(write.source);
        } else if write.source != Source::Preset && learning::is_learnable(id) {
            self.learning.moved = Some(write.target);
        }
        match self.params.write(write.target, &write.value) {
            Ok(Written::Unchanged) => {}
            Ok(_) if write.source == Source::Preset => {}
            Ok(_) => self.history.message(write),
            Err(error) => self.history.refuse(&error.to_string()),
        }
    }

    /// Some senders repeat everything that they hold 60 times a second (TouchDesigner's "Every Cook"): the same number or
    /// name for a trigger or a text, without a pause, is one wish. A message without a value always counts.
    fn is_repeated(&mut self, write: &Write) -> bool {
        /// Longer than a frame of a slow sender, shorter than a sixteenth of a fast bar.
        const PAUSE_SECS: f64 = 0.1;
        let fires = matches!(write.target.id.def().kind, Kind::Text { .. } | Kind::Trigger);
        let is_remote = matches!(write.source, Source::Osc | Source::Web);
        if !fires || !is_remote || write.value == Value::Nothing {
            return false;
        }
        let now = (self.uptime_secs, write.value.clone());
        let last = self.repeats.insert(write.target, now);
        last.is_some_and(|(at, value)| value == write.value && self.uptime_secs - at < PAUSE_SECS)
    }

    /// Who may open and write no files: browsers, and everybody over OSC while the port is open to the network.
    fn is_stranger(&self, source: Source) -> bool {
        source == Source::Web || (self.names_only && source == Source::Osc)
    }

    fn answer_triggers(&mut self, from: usize) {
        // A preset that is loaded here may itself name a style network: so the list can grow while it is read.
        let mut answered = from;
        while let Some(&id) = self.params.fired().get(answered) {
            answered += 1;
            let seed = self.params.base(Id::Seed);
            match id {
                Id::SeedNext => self.set(Id::Seed, Value::Float((seed + 1.0) % 4_294_967_296.0)),
                Id::SeedPrev => self.set(Id::Seed, Value::Float((seed - 1.0).rem_euclid(4_294_967_296.0))),
                Id::WalkRestart => self.walk.restart(),
                Id::Tap => {
                    if let Some(bpm) = self.clock.tap() {
                        self.set(Id::Tempo, Value::Float(bpm));
                    }
                }
                Id::Panic => {
                    self.params.clear_modulation();
                    self.forget_held();
                    self.params.write_defaults(&[]);
                    self.apply_preset(self.preset.clone());
                    self.history.notice(format!("back to the preset {}", self.preset.name));
                }
                Id::StyleNetwork => self.wish_style(),
                Id::Network => self.wish_network(),
                Id::Input => self.go_to_input(),
                Id::InputNext => self.leaf(1),
                Id::InputPrev => self.leaf(-1),
                Id::Preset => self.change_preset(),
                Id::PresetNext => self.step_preset(1),
                Id::PresetPrev => self.step_preset(-1),
                Id::PresetSave => self.save_preset(),
                Id::Learn => self.begin_learning(),
                Id::LearnCancel => self.cancel_learning(),
                Id::LearnUndo => self.undo_learning(),
                _ => {}
            }
        }
    }

    fn set(&mut self, id: Id, value: Value) {
        self.write(&Write { target: id.into(), value, source: Source::Preset });
    }

    /// The file of a network that an event names. While the OSC port is open to the network, only names of the
    /// library are taken over OSC, never paths.
    fn find_network(&self, name: &str, by: Source) -> Result<PathBuf, LocateError> {
        if self.is_stranger(by) { locate::network_in(self.library.folder(), name) } else { self.library.network(name) }
    }

    /// Who wrote a text last.
    fn writer_of(&self, id: Id) -> Source {
        self.text_by.get(&id).copied().unwrap_or(Source::Preset)
    }

    fn wish_network(&mut self) {
        let name = self.params.text(Id::Network);
        match self.find_network(name, self.writer_of(Id::Network)) {
            Ok(file) => self.load_network(file),
            Err(error) => self.history.notice(format!("{error}; {} plays on", self.network.name)),
        }
    }

    fn load_network(&mut self, file: PathBuf) {
        if file == self.network.path {
            // Whatever is being loaded comes too late now.
            self.wished_network = None;
            return;
        }
        self.wished_network = Some(file.clone());
        self.wish(Wish::Network(file));
    }

    fn wish_style(&mut self) {
        let name = self.params.text(Id::StyleNetwork);
        if name.is_empty() {
            self.change_style(None, None);
            return;
        }
        match self.find_network(name, self.writer_of(Id::StyleNetwork)) {
            Ok(file) if self.style_file.as_ref() == Some(&file) => {}
            Ok(file) => {
                self.style_file = Some(file.clone());
                self.wish(self.style_wish(file));
            }
            Err(error) => self.history.notice(error.to_string()),
        }
    }

    fn style_wish(&self, file: PathBuf) -> Wish {
        let settings = Box::new(StyleSettings::from_params(&self.params));
        Wish::Style { file, resolution: self.network.img_resolution, settings }
    }

    fn wish(&mut self, wish: Wish) {
        if !self.take_ready(&wish) {
            self.load(wish);
        }
    }

    fn load(&mut self, wish: Wish) {
        match &mut self.output {
            Output::Live { loader, .. } => {
                if !loader.wish(wish.clone()) {
                    self.history.notice("too much is waiting to be loaded: try that once more".to_owned());
                    self.forget(&wish);
                }
            }
            Output::Offline { .. } => {
                let result = loader::load(&wish, &self.engine, &Progress::default());
                self.done(Done { wish, result, passed: Vec::new() });
            }
        }
    }

    /// A wish that is not fulfilled: the same again is a new one.
    fn forget(&mut self, wish: &Wish) {
        match wish {
            Wish::Network(file) if self.wished_network.as_ref() == Some(file) => self.wished_network = None,
            Wish::Style { file, .. } if self.style_file.as_ref() == Some(file) => {
                self.style_file.clone_from(&self.style_playing);
            }
            Wish::Input { chosen, .. } => self.content.failed(chosen),
            _ => {}
        }
    }

    /// A wish that cannot be fulfilled is one line, and the old one plays on.
    fn failed(&mut self, wish: &Wish, error: &LoadError) {
        self.forget(wish);
        let line = match wish {
            Wish::Network(_) | Wish::Style { .. } => format!("{error}; {} plays on", self.network.name),
            Wish::Input { .. } => error.to_string(),
        };
        self.fault(line);
    }

    /// One line on the HUD; offline nobody reads it there.
    fn fault(&mut self, line: String) {
        if matches!(self.output, Output::Offline { .. }) {
            self.failure.get_or_insert_with(|| line.clone());
        }
        self.history.notice(line);
    }

    /// The first thing that could not be made offline, if there was one: pictures since then are not what was asked for.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    fn poll_loader(&mut self) {
        if let Output::Live { loader, .. } = &mut self.output
            && let Some(done) = loader.poll()
        {
            self.done(done);
        }
    }

    /// Swaps in whole what was loaded; what was wished away meanwhile is let go.
    fn take_up(&mut self, loaded: Loaded) {
        match loaded {
            Loaded::Network { network, program } => {
                if self.wished_network.as_ref() == Some(&network.path) {
                    self.wished_network = None;
                    self.change_network(network, program);
                }
            }
            Loaded::Style { file, style } => {
                if self.style_file.as_ref() == Some(&file) {
                    self.change_style(Some(file), Some(style));
                }
            }
            Loaded::Input { chosen, picture, count } => {
                if self.content.take_up(chosen, count) {
                    let change = Change::Input(Some(picture), self.content.changed());
                    self.hand_over(change);
                }
            }
        }
    }

    /// The style network paints from the next picture on; `None` paints nothing.
    fn change_style(&mut self, file: Option<PathBuf>, style: Option<Box<StyleLoop>>) {
        let styles = style.as_ref().map_or(0, |style| style.styles());
        self.style_file = file;
        if self.hand_over(Change::Style(style)) {
            self.styles = styles;
            self.style_serial += 1;
            self.style_playing.clone_from(&self.style_file);
        } else {
            self.style_file.clone_from(&self.style_playing);
        }
    }

    /// The new network plays from the next request on; the old one leaves at once, or fades.
    fn change_network(&mut self, network: Arc<Network>, program: Box<dyn Program>) {
        let fades = self.params.get(Id::NetworkFade) > 0.0;
        let scene = Scene { generation: self.generation + 1, program };
        if !self.hand_over(Change::Scene { scene, fades }) {
            return;
        }
        self.generation += 1;
        let walk = Walk::new(network.mapping.z_dim, self.walk_settings());
        let (network, walk) = (std::mem::replace(&mut self.network, network), std::mem::replace(&mut self.walk, walk));
        self.leaving = fades.then_some(Leaving { network, walk, fade: 0.0 });
        self.params.set_text(Id::Network, &self.network.name);
        self.history.notice(format!("{} is ready", self.network.name));
    }

    /// Both networks of a fade move on. At its end the old one is let go.
    fn step_fade(&mut self, dt: f64, settings: &walk::Settings) {
        let secs = self.params.get(Id::NetworkFade);
        let Some(leaving) = &mut self.leaving else { return };
        leaving.walk.step(dt, settings);
        leaving.fade = if secs > 0.0 { (leaving.fade + dt / secs).min(1.0) } else { 1.0 };
        // When the engine has no time to take that up, it will have at the next step.
        if leaving.fade >= 1.0 && self.offer(Change::EndFade) {
            self.leaving = None;
        }
    }

    fn hand_over(&mut self, change: Change) -> bool {
        let taken = self.offer(change);
        if !taken {
            self.history.notice("the engine is busy: try that once more".to_owned());
        }
        taken
    }

    /// False when the engine has not even taken up the last changes.
    fn offer(&mut self, change: Change) -> bool {
        match &mut self.output {
            Output::Live { live, .. } => live.change(change).is_ok(),
            Output::Offline { stage } => {
                stage.change(change);
                true
            }
        }
    }

    fn poll_watch(&mut self) {
        if let Some(reload) = self.watch.as_ref().and_then(Watch::poll)
            && reload.path == self.preset.path
        {
            self.reload_preset(reload.result);
        }
    }

    fn step_preset(&mut self, by: isize) {
        match self.library.neighbour(&self.preset, by) {
            Some(preset) => self.take_preset(preset),
            None => self.history.notice("there are no presets to go to".to_owned()),
        }
    }

    fn change_preset(&mut self) {
        let preset = self.find_preset(self.params.text(Id::Preset), self.writer_of(Id::Preset));
        self.take_preset(preset);
    }

    fn find_preset(&self, name: &str, by: Source) -> Result<Preset, PresetError> {
        let file = if self.is_stranger(by) { self.library.named(name) } else { self.library.find(name) };
        file.map_err(PresetError::from).and_then(|file| Preset::load(&file))
    }

    fn take_preset(&mut self, preset: Result<Preset, PresetError>) {
        match preset {
            Ok(preset) => {
                self.apply_preset(preset);
                self.forget_learned();
            }
            Err(error) => self.history.notice(format!("{}; {} plays on", error.headline(), self.preset.name)),
        }
    }

    /// Every parameter to what the preset says, or its default; smoothed ones glide there.
    fn apply_preset(&mut self, preset: Preset) {
        self.params.write_defaults(OF_THE_STAGE);
        self.clock.tell_again();
        for id in [Id::StyleNetwork, Id::Input] {
            if !preset.params.iter().any(|(target, _)| target.id == id) {
                self.set(id, Value::Text(String::new()));
            }
        }
        for (target, value) in &preset.params {
            self.write(&Write { target: *target, value: value.clone(), source: Source::Preset });
        }
        self.mapping.set_preset(&preset.midi, &preset.osc);
        if let Some(file) = preset.network.clone() {
            self.load_network(file);
        }
        if let Some(watch) = &self.watch {
            watch.follow(&preset.path);
        }
        self.preset_number = self.library.files().iter().position(|file| *file == preset.path).map(|i| i + 1);
        self.params.set_text(Id::Preset, &preset.name);
        self.preset = preset;
    }

    /// The preset's file was saved: what it says differently from before is applied, the rest stays as played.
    fn reload_preset(&mut self, reloaded: Result<Preset, PresetError>) {
        let preset = match reloaded {
            Ok(preset) => preset,
            Err(error) => return self.history.notice(format!("{}; the last good version plays on", error.headline())),
        };
        // The show has just written it itself.
        if preset == self.preset {
            return;
        }
        if preset.midi != self.preset.midi {
            self.forget_learned();
        }
        let changed = preset.params.iter().filter(|entry| !self.preset.params.contains(entry));
        let gone = self.preset.params.iter().map(|(target, _)| *target);
        let gone = gone.filter(|target| !preset.params.iter().any(|(kept, _)| kept == target));
        let writes: Vec<(Target, Value)> = gone
            .filter_map(|target| Some((target, target.id.def().default_value()?)))
            .chain(changed.cloned())
            .collect();
        for (target, value) in writes {
            self.write(&Write { target, value, source: Source::Preset });
        }
        self.mapping.set_preset(&preset.midi, &preset.osc);
        if preset.network != self.preset.network
            && let Some(file) = preset.network.clone()
        {
            self.load_network(file);
        }
        self.history.notice(format!("preset {} reloaded", preset.name));
        self.preset = preset;
    }

    fn walk_settings(&self) -> walk::Settings {
        let p = &self.params;
        let per_second = if p.choice(Id::WalkSync) == "beats" { p.get(Id::Tempo) / 60.0 } else { 1.0 };
        walk::Settings {
            kind: match p.choice(Id::WalkKind) {
                "hold" => walk::Kind::Hold,
                "loop" => walk::Kind::Loop,
                "line" => walk::Kind::Line,
                _ => walk::Kind::Drift,
            },
            seed: p.base(Id::Seed) as u32,
            speed: p.get(Id::WalkSpeed) * per_second,
            radius: p.get(Id::WalkRadius),
            ease: match p.choice(Id::WalkEase) {
                "linear" => Ease::Linear,
                "hold" => Ease::Hold,
                _ => Ease::Smooth,
            },
            glide_secs: p.get(Id::WalkGlide),
        }
    }

    /// z with the player's offsets → w → ws, and the noise.
    fn make_request(&mut self) {
        let mut mapped = std::mem::take(&mut self.mapped);
        mapped.ws(&self.params, &self.network, &self.walk, &mut self.request.ws);
        match &self.leaving {
            Some(leaving) => mapped.ws(&self.params, &leaving.network, &leaving.walk, &mut self.request.ws_before),
            None => self.request.ws_before.clear(),
        }
        self.mapped = mapped;
        self.request.fade = self.leaving.as_ref().map_or(1.0, |leaving| leaving.fade as f32);
        let p = &self.params;
        self.pictures_asked += 1;
        let mode = match p.choice(Id::NoiseMode) {
            "random" => NoiseMode::Random { seed: p.base(Id::NoiseSeed) as u64 ^ (self.pictures_asked << 32) },
            "none" => NoiseMode::None,
            _ => NoiseMode::Const,
        };
        self.request.noise = Noise { mode, gain: p.get(Id::NoiseGain) as f32 };
        self.request.transform = Transform::new(
            p.get(Id::TransformX),
            p.get(Id::TransformY),
            p.get(Id::TransformRotate),
            p.get(Id::TransformScale),
        );
        self.request.generation = self.generation;
        self.request.input = self.content.settings(p.get(Id::InputAmount));
        self.request.style = StyleSettings::from_params(p);
        self.request.style_serial = self.style_serial;
        self.request.at_secs = self.secs;
    }

    /// Does somebody wait for pixels of a picture that is on the card alone?
    fn pixels_wanted(&self) -> bool {
        self.panel.as_ref().is_some_and(Panel::is_looked_at)
            && self.picture.as_ref().is_some_and(|picture| picture.card.is_some())
    }

    fn submit(&mut self) {
        self.request.pixels = self.panel.as_ref().is_some_and(Panel::is_looked_at);
        // A style loop lives on without new latents.
        let same = self.style_file.is_none()
            && self.request.generation == self.last_request.generation
            && self.request.ws == self.last_request.ws
            && self.request.ws_before == self.last_request.ws_before
            && self.request.fade == self.last_request.fade
            && self.request.noise == self.last_request.noise
            && self.request.transform == self.last_request.transform
            && self.request.input == self.last_request.input
            && self.request.style_serial == self.last_request.style_serial
            && (self.last_request.pixels || !self.pixels_wanted());
        if same && self.picture.is_some() {
            return;
        }
        // Into the vectors that are there: a derived clone would allocate new ones.
        let mut ws = std::mem::take(&mut self.last_request.ws);
        let mut ws_before = std::mem::take(&mut self.last_request.ws_before);
        ws.clone_from(&self.request.ws);
        ws_before.clone_from(&self.request.ws_before);
        self.last_request = Request { ws, ws_before, ..self.request };
        match &mut self.output {
            Output::Live { live, .. } => live.submit(&mut self.request),
            Output::Offline { stage } => match stage.draw(&self.request) {
                Ok(Some(picture)) => {
                    self.picture = Some(picture);
                    if let Some(line) = stage.take_unpainted() {
                        self.fault(line);
                    }
                }
                Ok(None) => {}
                Err(error) => self.fault(error.to_string()),
            },
        }
    }

    /// Takes the newest picture when there is one; else the last good one stays.
    fn collect(&mut self) {
        let Output::Live { live, .. } = &mut self.output else { return };
        if !live.newest(&mut self.drawn) {
            return;
        }
        for line in [self.drawn.notice.take(), self.drawn.error.take()].into_iter().flatten() {
            self.history.notice(line);
        }
        if let Some(picture) = self.drawn.picture.take() {
            self.history.drawn(self.drawn.took);
            self.picture = Some(picture);
        }
    }

    /// The newest finished picture.
    pub fn picture(&self) -> Option<&Arc<Picture>> {
        self.picture.as_ref()
    }

    /// 1 shows the picture, 0 is black; to be multiplied in linear light.
    pub fn brightness(&self) -> f32 {
        1.0 - self.params.get(Id::Blackout) as f32
    }

    /// How the picture fills what it is shown on.
    pub fn fit(&self) -> Fit {
        fit_named(self.params.choice(Id::Fit))
    }

    pub fn params(&self) -> &Params {
        &self.params
    }

    pub fn library(&self) -> &Library {
        &self.library
    }

    pub fn network(&self) -> &Network {
        &self.network
    }

    pub fn preset(&self) -> &Preset {
        &self.preset
    }

    /// What the HUD and the status line show.
    pub fn status(&self) -> Status {
        let mut status = Status::new(&self.history, &self.devices.counts);
        status.network.clone_from(&self.network.name);
        status.resolution = [self.network.img_resolution as u32; 2];
        status.engine = if self.drawn.engine.is_empty() { self.engine.name() } else { self.drawn.engine }.to_owned();
        status.preset.clone_from(&self.preset.name);
        status.osc = self.devices.osc.as_ref().map_or_else(|| "off".to_owned(), |osc| osc.local_addr().to_string());
        status.midi_ports = self.devices.midi.as_ref().map(|midi| midi.names().list()).unwrap_or_default();
        status.bpm = self.params.get(Id::Tempo);
        status.beat = self.clock.beat();
        status.learning = self.learning_line();
        status.pending = self.pending();
        if let (None, Some((target, turn))) = (&status.notice, self.mapping.waiting()) {
            status.notice = Some(format!("{target} waits for its knob: turn it {turn}"));
        }
        if let Output::Live { live, loader } = &self.output {
            status.skipped_pictures = live.skipped();
            status.loading = loader.loading().map(|(file, stage)| format!("{}: {stage}", name_of(file)));
        }
        status
    }

    /// The first picture is to be painted already: the preset's style network is loaded before the show begins.
    fn begin_painting(&mut self) -> Result<(), ShowError> {
        let name = self.params.text(Id::StyleNetwork).to_owned();
        if name.is_empty() {
            return Ok(());
        }
        let wish = self.style_wish(self.library.network(&name)?);
        self.style_file = Some(wish.file().to_owned());
        let loaded = loader::load(&wish, &self.engine, &Progress::default())?;
        self.take_up(loaded);
        Ok(())
    }

    /// The devices that play this show. It answers OSC clients from now on, and the devices live as long as it.
    pub fn connect(&mut self, devices: Devices) {
        self.feedback = devices.osc.as_ref().map(OscServer::feedback);
        self.panel = devices.query.as_ref().map(QueryServer::panel);
        self.devices = devices;
        // Who asks before the first frame is answered too.
        self.tell(0.0);
    }

    /// One line for the HUD, from outside the show.
    pub fn notice(&mut self, line: String) {
        self.history.notice(line);
    }
}

/// A word of `/fit` and `/input/fit`.
fn fit_named(word: &str) -> Fit {
    match word {
        "contain" => Fit::Contain,
        "cover" => Fit::Cover,
        _ => Fit::Mirror,
    }
}

/// The file's name without folder and ending.
fn name_of(file: &Path) -> &str {
    file.file_stem().and_then(|s| s.to_str()).unwrap_or("?")
}

/// Working memory of the way from z to ws.
#[derive(Default)]
struct Mapped {
    scratch: Scratch,
    w: Vec<f32>,
    class: Vec<f32>,
}

impl Mapped {
    /// z with the player's offsets → w → ws, truncated.
    fn ws(&mut self, p: &Params, network: &Network, walk: &Walk, ws: &mut Vec<f32>) {
        let mapping = &network.mapping;
        ws.clear();
        ws.extend_from_slice(walk.z());
        offset(ws, p, Id::Z, p.vector(Id::ZVector));
        blend_classes(p.get(Id::Class), mapping.c_dim, &mut self.class);
        mapping.map(ws, &self.class, &mut self.w, &mut self.scratch);
        offset(&mut self.w, p, Id::W, &[]);
        let cutoff = p.int(Id::PsiCutoff) as usize;
        mapping.truncate_in_class(&self.class, &self.w, p.get(Id::Psi) as f32, cutoff, ws);
    }
}

/// Adds the player's offsets, of single dimensions (`family`) and of a whole vector.
fn offset(values: &mut [f32], params: &Params, family: Id, vector: &[f32]) {
    for (index, value) in values.iter_mut().enumerate().take(family.def().count) {
        *value += params.get(Target { id: family, index: index as u16 }) as f32;
    }
    values.iter_mut().zip(vector).for_each(|(value, offset)| *value += offset);
}
