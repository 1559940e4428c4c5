//! One frame of the show, from events and `dt`: the only module that knows the whole path.
//!
//! [`Show::step`] applies events to parameters, moves the walk, maps z to ws and asks the stage for a picture.
//! Time is an input: nothing here reads a clock, so the same steps give the same requests. Live, pictures come
//! from the `engine` thread and networks from the `loader` thread, and `step` never waits for either; offline
//! ([`Mode::Offline`]) each step makes its own picture before it returns.

mod content;
mod events;
mod input;
mod learning;
mod live;
pub mod loader;
pub mod picture;
mod presets;
mod quantize;
mod request;
pub mod stage;
mod status;
mod wishes;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::control::clock::Clock;
use crate::control::mapping::Mapping;
use crate::control::midi::{Profile, Profiles};
use crate::control::osc::feeds::Feeds;
use crate::control::query::{Dims, Viewer};
use crate::control::{Device, Event, Listener, Snapshot, Source, Write};
use crate::engine::Engine;
pub use crate::image::Fit;
use crate::latent::walk::{self, Walk};
use crate::network::Network;
use crate::params::{Id, Params, Target, Value};
use crate::patch::library::Library;
use crate::patch::locate::LocateError;
use crate::patch::preset::{Preset, PresetError};
use crate::patch::saver::Saver;
use crate::patch::watch::Watch;
use content::Content;
use learning::Learning;
pub use learning::MapLine;
use live::{Drawn, Live};
use loader::{LoadError, Loader, Progress};
use quantize::Held;
use request::Mapped;
pub use stage::Picture;
use stage::{Request, Scene, Stage};
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
}

/// What plugs into a show from outside. It knows none of them by name.
#[derive(Default)]
pub struct Devices {
    devices: Vec<Box<dyn Device>>,
    listeners: Vec<Box<dyn Listener>>,
    viewer: Option<Viewer>,
    /// What is known of controllers.
    profiles: Arc<Profiles>,
}

impl Devices {
    /// No device yet; controllers will be known by `profiles`.
    pub fn new(profiles: Arc<Profiles>) -> Self {
        Devices { profiles, ..Devices::default() }
    }

    /// Plugs a device in. It lives as long as the show.
    pub fn plug(&mut self, mut device: impl Device + 'static) {
        self.listeners.extend(device.listener());
        self.devices.push(Box::new(device));
    }

    pub fn set_viewer(&mut self, viewer: Viewer) {
        self.viewer = Some(viewer);
    }
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
            Mode::Live => Some(
                Watch::start(library.tables().clone()).map_err(|source| ShowError::Thread { what: "watch", source })?,
            ),
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
        let mut answered = 0;
        for event in events {
            self.devices.listeners.iter_mut().for_each(|listener| listener.hear(event));
            self.take(event);
            // At once: a value that follows a preset in the same packet is meant to hold.
            answered = self.answer_triggers(answered);
        }
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
        self.library.tables().publish(self.params.table());
        self.publish(dt);
    }

    /// Tells those who listen what changed in this frame.
    fn publish(&mut self, dt: f64) {
        let brightness = self.brightness();
        let feeds = Feeds { beat: self.clock.beat().floor() as i32, fps: self.history.fps() };
        let latent = &self.network.mapping;
        let dims = Dims { z: latent.z_dim, w: latent.w_dim, styles: self.styles };
        let snapshot =
            Snapshot { params: &self.params, feeds, mapping: &self.mapping, preset: self.preset_number, dims };
        for listener in &mut self.devices.listeners {
            listener.publish(&snapshot, dt);
        }
        // A picture that is on the card alone is asked for again, with its pixels.
        if let Some(viewer) = &self.devices.viewer
            && let Some(picture) = self.picture.as_ref().filter(|picture| picture.texture.is_none())
        {
            viewer.show(picture.width, picture.height, &picture.rgba, picture.serial, brightness);
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
        self.params.get_choice(Id::Fit)
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
        let mut status =
            Status::new(&self.history, self.devices.devices.iter().map(|device| device.status()).collect());
        status.network.clone_from(&self.network.name);
        status.resolution = [self.network.img_resolution as u32; 2];
        status.engine = if self.drawn.engine.is_empty() { self.engine.name() } else { self.drawn.engine }.to_owned();
        status.preset.clone_from(&self.preset.name);
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
        self.devices = devices;
        // Who asks before the first frame is answered too.
        self.publish(0.0);
    }

    /// One line for the HUD, from outside the show.
    pub fn notice(&mut self, line: String) {
        self.history.notice(line);
    }
}

/// The file's name without folder and ending.
fn name_of(file: &Path) -> &str {
    file.file_stem().and_then(|s| s.to_str()).unwrap_or("?")
}
