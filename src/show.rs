//! One frame of the show, from events and `dt`: the only module that knows the whole path.
//!
//! [`Show::step`] names the owners in the order of the path: controls turn events into writes, finished loads and presets
//! land, the decks walk, and the output is asked for a picture. The owners do not know each other; everything between them
//! goes through here. Time is an input: nothing here reads a clock, so the same steps give the same requests. Live, pictures,
//! files and saving have threads, and `step` never waits for them; offline ([`Mode::Offline`]) each step makes its own
//! picture, and what it requests lands in the same step.

mod bends;
mod chase;
mod clean;
mod closing;
mod controls;
mod deck;
mod directions;
mod drift;
mod effects;
mod films;
mod forget;
mod frames;
mod glance;
mod input;
mod live;
pub mod loads;
mod log;
mod macros;
mod mixing;
mod models;
mod modulation;
mod morph;
mod names;
mod output;
pub mod picture;
mod presets;
mod recording;
mod repeat;
mod reread;
mod scripts;
mod seen;
mod setlist;
mod sharing;
mod slideshow;
mod snapshots;
pub mod stage;
mod status;
mod takeover;
mod takes;
mod track;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::audio::history::History;
use crate::control::mapping::macros::number_of;
use crate::control::mapping::{MidiEntry, OscEntry};
use crate::control::midi::Profiles;
use crate::control::osc::feeds::Feeds;
use crate::control::scene::Scene;
use crate::control::{Device, Event, Listener, Snapshot, Source, Write, timecode};
use crate::effects::style::StyleSettings;
use crate::engine::Engine;
use crate::engine::gpu::Device as Graphics;
pub use crate::image::Fit;
use crate::image::words;
use crate::latent::directions::Direction;
use crate::modulate::Time;
use crate::network::Network;
use crate::params::{DIR_KNOBS, Def, Id, Kind as ParamKind, Params, Scope, TableError, Target, Value, Written};
use crate::patch::directions as directions_of;
use crate::patch::effects::EffectEntry;
use crate::patch::library::Library;
use crate::patch::locate::{LocateError, expand, shown};
use crate::patch::modulators::Edits;
use crate::patch::preset::{Preset, PresetError};
use crate::patch::saver::{Origin, Saved};
use crate::record::snapshot::Still;
use crate::record::take::{self, TakeError, Told};
use crate::screen::chain::MOST_LINKS;
use crate::screen::{Layout, Screen, Workshop, palette};
use bends::Bends;
use closing::Closing;
pub use controls::MapLine;
use controls::{Controls, HELD, Taught, Verdict};
use deck::{Decks, Leads};
use directions::Directions;
use drift::Drifts;
use effects::Effects;
use films::Films;
pub use input::input_is_seen;
use loads::{
    BlendRequest, Context, Kind, Landed, Landing, LoadError, LoadRequest, Loaded, Loads, Named, Place, Progress,
    Recorded,
};
pub use log::Said;
pub use macros::MacroState;
use mixing::{Mixing, Ready};
pub use models::{Models, ModelsView};
use modulation::Modulation;
use morph::Morph;
use output::{Now, Output, Showing};
pub use output::{Shown, Tap, Uploads};
use presets::{News, Presets};
use recording::Recording;
use repeat::Player;
use reread::Reread;
pub use scripts::Report;
use scripts::Scripts;
pub use setlist::Position;
use setlist::Setlist;
use slideshow::{Slide, Slideshow};
use snapshots::Snapshots;
pub use stage::Picture;
use status::{About, Status};
pub use status::{Summary, printable};
use takes::Takes;

/// Longest `/eval/result`, in characters.
const MAX_RESULT: usize = 8000;

/// Most modulators that can be added while playing.
const MAX_ADDED: usize = 64;

/// Why a show cannot start. Once it plays, nothing ends it.
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
    #[error("cannot start the {what} thread: {source}")]
    Thread { what: &'static str, source: std::io::Error },
    #[error(transparent)]
    Take(#[from] TakeError),
}

/// Where the pictures are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// On the engine's thread, as fast as it can; a step never waits.
    Live,
    /// In the step itself: one picture per step, reproducibly.
    Offline,
}

/// What a show starts with.
pub struct Options {
    pub library: Library,
    pub preset: Preset,
    /// Plays this file instead of the preset's network.
    pub network: Option<PathBuf>,
    pub seed: Option<u32>,
    pub engine: Arc<dyn Engine>,
    /// Draws at the output's size and runs the effects from files; `None` shows the picture as it is.
    pub screen: Option<Arc<Graphics>>,
    pub mode: Mode,
}

/// What plugs into a show from outside. The show knows none of them by name.
#[derive(Default)]
pub struct Devices {
    devices: Vec<Box<dyn Device>>,
    listeners: Vec<Box<dyn Listener>>,
    taps: Vec<Box<dyn Tap>>,
    /// The known controllers.
    profiles: Arc<Profiles>,
}

impl Devices {
    /// No devices yet; controllers are recognised by `profiles`.
    pub fn new(profiles: Arc<Profiles>) -> Self {
        Devices { profiles, ..Devices::default() }
    }

    /// Adds a device, which lives as long as the show.
    pub fn plug(&mut self, mut device: impl Device + 'static) {
        self.listeners.extend(device.listener());
        self.devices.push(Box::new(device));
    }

    /// Adds a listener.
    pub fn listen(&mut self, listener: impl Listener + 'static) {
        self.listeners.push(Box::new(listener));
    }

    /// Adds a tap for finished pictures.
    pub fn tap(&mut self, tap: impl Tap + 'static) {
        self.taps.push(Box::new(tap));
    }
}

/// A running show.
pub struct Show {
    engine: Arc<dyn Engine>,
    /// What draws at the output's size.
    graphics: Option<Arc<Graphics>>,
    devices: Vec<Box<dyn Device>>,
    listeners: Vec<Box<dyn Listener>>,
    controls: Controls,
    scripts: Scripts,
    modulation: Modulation,
    morph: Morph,
    params: Params,
    presets: Presets,
    setlist: Setlist,
    reread: Reread,
    loads: Loads,
    decks: Decks,
    mixing: Mixing,
    directions: Directions,
    bends: Bends,
    keys: track::Keys,
    slideshow: Slideshow,
    films: Films,
    drifts: Drifts,
    /// Whether the input covers most of the picture.
    is_input_seen: bool,
    effects: Effects,
    output: Output,
    recording: Recording,
    status: Status,
    idle: names::Idle,
    takes: Takes,
    snapshots: Snapshots,
    /// What plays, where somebody draws with it, too.
    models: Option<ModelsView>,
    /// A take that is played, while others play along.
    player: Option<Player>,
    /// Whether a take says that an effect's file has changed in this frame.
    has_new_effects: bool,
    /// Of one event; kept so that playing allocates nothing.
    writes: Vec<Write>,
    /// What was changed in the preset's modulators while it plays.
    edits: Edits,
    /// Of live code, in one frame; kept likewise.
    coded: Vec<(Target, Value)>,
    /// By the keys of a track, in one frame; kept likewise.
    moved: Vec<(Target, f64)>,
    /// What came of code in the last step.
    reports: Vec<Report>,
    /// Whether it is about to return to the preset as it was loaded.
    panics: bool,
    /// Seconds of the show so far, not counting frozen ones.
    secs: f64,
    /// If the frames are to become a loop.
    closing: Option<Closing>,
}

impl Show {
    /// Loads the preset's network and starts the threads that a live show needs.
    ///
    /// # Errors
    /// When the network cannot be played. A style network or a picture that cannot be played costs one line.
    pub fn new(options: Options) -> Result<Self, ShowError> {
        Show::build(options, None)
    }

    /// With `recorded`, a show that repeats a take.
    fn build(options: Options, recorded: Option<Recorded>) -> Result<Self, ShowError> {
        let Options { library, mut preset, network, seed, engine, screen, mode } = options;
        let own = preset.network.clone();
        let header = takes::header(&preset, network.as_deref(), seed, engine.name(), screen.is_some());
        preset.network = network.or(preset.network);
        let has_other_network = own != preset.network;
        if let Some(file) = preset.network.as_deref().filter(|_| has_other_network) {
            preset.directions = directions_of::names(file).unwrap_or_default();
        }
        let Some(file) = &preset.network else {
            return Err(ShowError::NoNetwork { preset: preset.name });
        };
        let thread = |what| move |source| ShowError::Thread { what, source };
        let mut takes = match mode {
            Mode::Live => Takes::start(&header).map_err(thread("take"))?,
            Mode::Offline => Takes::off(),
        };
        takes.read_from(&preset.sources);
        takes.used(file);
        let graphics = screen.clone();
        let opened = screen.map(|device| Screen::new(device.clone()).map(|screen| (screen, device)));
        let (opened, without) = match opened.transpose() {
            Ok(opened) => (opened, None),
            Err(error) => (None, Some(format!("{error}; the effects are off"))),
        };
        let (screen, workshop) = opened
            .map(|(screen, device)| (screen, Arc::new(Workshop::new(device).with_engine(engine.clone()))))
            .unzip();
        let context = Context {
            engine: engine.clone(),
            library: library.clone(),
            workshop,
            sources: None,
            is_live: mode == Mode::Live,
            pair: Arc::default(),
        };
        let place = recorded.as_ref().and_then(|recorded| recorded.places.get(file)).unwrap_or(file);
        let (network, program) = context.network(place, &Progress::default())?;
        let mut params = Params::default();
        params.set_text(Id::Network, &network.name);
        let mut show = Show {
            devices: Vec::new(),
            listeners: Vec::new(),
            controls: Controls::default(),
            scripts: Scripts::default(),
            modulation: Modulation::default(),
            morph: Morph::default(),
            presets: Presets::new(library),
            setlist: Setlist::default(),
            reread: Reread::default(),
            loads: Loads::new(context),
            decks: Decks::new(network, &params),
            mixing: Mixing::default(),
            directions: Directions::default(),
            bends: Bends::default(),
            keys: track::Keys::default(),
            slideshow: Slideshow::default(),
            films: Films::default(),
            drifts: Drifts::default(),
            is_input_seen: false,
            effects: Effects::default(),
            output: Output::new(program, screen),
            status: if recorded.is_some() { Status::repeating() } else { Status::new(mode == Mode::Offline) },
            idle: names::Idle::default(),
            takes,
            snapshots: Snapshots::default(),
            models: None,
            player: None,
            has_new_effects: false,
            recording: Recording::default(),
            writes: Vec::new(),
            edits: Edits::default(),
            coded: Vec::new(),
            moved: Vec::new(),
            reports: Vec::new(),
            panics: false,
            secs: 0.0,
            closing: None,
            params,
            engine,
            graphics,
        };
        without.into_iter().for_each(|line| show.status.notice(line));
        if let Some(recorded) = recorded {
            show.loads.repeat(recorded);
            show.presets.repeat(VecDeque::new());
        }
        show.loads.begin_with(Kind::Network, file);
        let number = show.presets.library().number(&preset.path);
        show.surround_scripts();
        if has_other_network {
            show.scripts.hold_network();
        }
        show.play_preset(preset, number, |_| true);
        if let Some(seed) = seed {
            show.set(Id::Seed, Value::Int(seed.into()));
        }
        // The first picture is already painted and mixed.
        show.answer(Id::Palette);
        show.answer(Id::CaptionWords);
        show.params.settle();
        show.land();
        show.mix();
        if show.loads.recorded().is_some() {
            show.land();
        }
        show.slideshow.settle();
        show.params.begin();
        show.decks = show.decks.anew(&show.params);
        show.takes.begin();
        if mode == Mode::Live {
            show.output = show.output.start().map_err(thread("engine"))?;
            show.loads.start().map_err(thread("loader"))?;
            show.presets.start(own).map_err(thread("presets"))?;
            show.reread.start().map_err(thread("watch files"))?;
            show.keys.start().map_err(thread("save keys"))?;
            show.effects.start().map_err(thread("watch files"))?;
        }
        Ok(show)
    }

    /// One frame: `events` since the last one, `dt` seconds later. While a take plays ([`Show::play_take`]), its frames that
    /// are due; the events join the first.
    pub fn step(&mut self, dt: f64, events: &[Event]) {
        if self.player.is_some() {
            self.step_player(dt, events);
        } else {
            self.frame(dt, events);
        }
    }

    fn frame(&mut self, dt: f64, events: &[Event]) {
        self.begin(dt);
        self.takes.heard(events);
        self.play(events);
        let saved = self.reread.changed();
        self.takes.heard(&saved);
        self.play(&saved);
        self.release(dt);
        self.step_set(dt);
        let is_frozen = self.params.bool(Id::Freeze);
        if !is_frozen {
            self.change_slides(dt);
        }
        self.land();
        self.step_morph(dt);
        let moved_by = if is_frozen { 0.0 } else { dt };
        let time = self.modulation.begin(moved_by, self.controls.clock().beat());
        self.modulation.set_timecode(self.controls.clock().timecode_secs());
        self.run_scripts(time);
        self.step_track(moved_by);
        self.modulation.step(time, &mut self.params);
        self.step_macros();
        self.params.step(dt);
        if !is_frozen {
            self.mix();
            self.walk(dt);
        }
        let frame = self.loads.frame();
        let showing = Showing { brightness: self.brightness(), fit: self.layout(), dt };
        self.output.draw(frame, is_frozen, showing, &mut self.status);
        self.log(dt, frame);
        self.recording.step(dt, &mut self.params, &mut self.status);
        self.publish(dt);
    }

    /// Ends the frame for takes.
    fn log(&mut self, dt: f64, frame: u64) {
        while let Some((drawn, serial)) = self.output.drew() {
            self.takes.drew(frame.saturating_sub(drawn));
            self.snapshots.drew(serial, drawn);
        }
        self.recording.step_take(&mut self.takes);
        let told = self.takes.end(dt).filter(|told| !self.recording.hears(told, &mut self.status));
        if self.snapshots.is_due(dt, self.params.get(Id::SnapshotEvery)) {
            self.want_snapshot(None);
        }
        self.snap();
        match told {
            Some(Told::Started(path)) => {
                self.status.mended(About::Take);
                self.status.notice(format!("the take {} begins", shown(&path)));
            }
            Some(Told::Stopped { path, bytes }) => self.status.notice(recording::complete(&path, bytes)),
            Some(Told::Failed(line) | Told::Still(Err(line))) => self.status.error(About::Take, line),
            Some(Told::Still(Ok(path))) => {
                self.status.mended(About::Take);
                self.status.notice(format!("saved {}", shown(&path)));
            }
            None => {}
        }
    }

    fn want_snapshot(&mut self, path: Option<PathBuf>) {
        let serial = self.output.picture().map_or(0, |picture| picture.serial);
        self.snapshots.want(path, serial);
        self.output.want_pixels(true);
    }

    /// Hands over the picture for a snapshot, once its pixels are here.
    fn snap(&mut self) {
        if !self.snapshots.is_wanting() {
            return;
        }
        let Some(picture) = self.output.pixels().cloned() else { return };
        let Some((path, frames)) = self.snapshots.take(picture.serial) else { return };
        self.output.want_pixels(false);
        let shape = [picture.width, picture.height];
        let output = Some(self.output.size()).filter(|size| !size.contains(&0)).unwrap_or(shape);
        let (rgba, fit, brightness) = (picture.rgba.clone(), self.fit(), self.brightness());
        self.takes.still(Still { path, rgba, picture: shape, output, fit, brightness, frames });
    }

    fn begin(&mut self, dt: f64) {
        self.reports.clear();
        self.params.begin();
        self.status.step(dt);
        self.loads.begin();
    }

    /// Turns events into writes, one after another.
    fn play(&mut self, events: &[Event]) {
        let mut writes = std::mem::take(&mut self.writes);
        for event in events {
            self.listeners.iter_mut().for_each(|listener| listener.hear(event));
            if let Event::Signal { id, value } = event {
                self.modulation.signal(*id, *value);
            }
            if let Event::Midi(message) = event {
                self.modulation.hear(message);
            }
            let (is_heard, signal) = self.scripts.hear(event);
            if let Some((id, value)) = signal {
                self.modulation.signal(id, value);
            }
            if self.press_in_set(event) {
                continue;
            }
            self.controls.hear(event, is_heard, &self.params, &mut self.status, &mut writes);
            for write in writes.drain(..) {
                self.write(&write);
            }
        }
        self.writes = writes;
    }

    /// Applies what was learned, and what waited for this beat.
    fn release(&mut self, dt: f64) {
        if let Some(taught) = self.controls.step(dt, &self.params, &mut self.status) {
            self.learned(&taught);
        }
        for write in self.controls.release(&self.params) {
            self.write_now(&write);
        }
    }

    fn change_slides(&mut self, dt: f64) {
        if let Some(slide) = self.slideshow.step(dt, &self.params) {
            self.request_slide(slide);
        }
    }

    /// Plays what has been loaded, and applies changes on disk.
    fn land(&mut self) {
        // Before directions, which take longer.
        self.ask_for_clusters();
        self.ask_for_directions();
        while let Some(news) = self.presets.poll() {
            match news {
                News::Changed(result) => {
                    if let Ok(preset) = &result {
                        self.takes.read_from(&preset.sources);
                        self.takes.news(take::News::Reload(preset.path.to_string_lossy().into_owned()));
                    }
                    self.reload_preset(result);
                }
                News::Saved(saved) => {
                    self.takes.saved(&saved);
                    self.saved(saved);
                }
            }
        }
        if self.effects.has_changed() || std::mem::take(&mut self.has_new_effects) {
            self.takes.news(take::News::Effects);
            self.load_effects(self.effects.wanted().to_vec());
        }
        while self.output.has_room()
            && let Some(landed) = self.loads.take_ready()
        {
            self.take(landed);
        }
        while let Some(preset) = self.loads.prepared() {
            self.prepare_preset(&preset);
        }
        if self.controls.holds_nothing() && !self.loads.wants(Kind::Preset) && !self.prepares_more() {
            self.loads.forget_prepared();
        }
    }

    /// Advances the decks and the slides, and describes the next picture.
    fn walk(&mut self, dt: f64) {
        self.secs += dt;
        self.decks.follow(self.morph.by_hand(&self.params));
        if self.decks.step(dt, &self.params) {
            self.output.end_fade();
        }
        self.move_input(dt);
        let now = Now {
            bends: self.bends.now(&self.params),
            secs: self.secs,
            beat: self.controls.clock().beat(),
            signals: self.modulation.signals(),
            picture: self.decks.network().picture_size(),
            moments: self.films.moments(),
            windows: self.drifts.windows(&self.params),
        };
        let request = self.output.request(&self.params, &self.slideshow, &self.effects, now);
        self.effects.remember(&request.chain_values);
        self.decks.fill(&self.params, request);
        if let Some(closing) = &mut self.closing {
            closing.close(request, &self.decks.network().mapping.w_avg);
        }
    }

    fn feeds(&self) -> Feeds {
        let clock = self.controls.clock();
        let timecode = clock.timecode_secs().unwrap_or(0.0);
        Feeds { beat: clock.beat(), timecode, fps: self.status.fps(), audio: self.modulation.heard() }
    }

    /// Publishes this frame's values to all listeners.
    fn publish(&mut self, dt: f64) {
        self.presets.library().tables().publish(self.params.table());
        self.settle_idle();
        let snapshot = Snapshot {
            params: &self.params,
            feeds: self.feeds(),
            mapping: self.controls.mapping(),
            preset: self.presets.number(),
            dims: self.dims(),
            scene: Scene {
                styles: self.scripts.styles(),
                tempo_from: self.controls.clock().leader().word(),
                waiting: self.controls.waiting(),
                notices: self.status.notices(),
                faults: self.status.faults(),
            },
        };
        self.listeners.iter_mut().for_each(|listener| listener.publish(&snapshot, dt));
        if let Some(models) = &self.models {
            let (settings, class) = (StyleSettings::from_params(&self.params), self.params.get(Id::Class));
            models.put(self.decks.network(), self.output.style_network(), settings, class);
        }
        if let Some(bpm) = self.controls.take_new_tempo(self.params.base(Id::Tempo)) {
            self.listeners.iter_mut().for_each(|listener| listener.tempo(bpm));
        }
    }

    fn write(&mut self, write: &Write) {
        let verdict = if self.setlist.leads(write.target.id) {
            self.controls.judge_repeats(write)
        } else {
            self.controls.judge(write, &self.params)
        };
        match verdict {
            Verdict::Write => self.write_now(write),
            Verdict::Hold => self.prepare(write),
            Verdict::Drop => {}
            Verdict::Full => {
                self.status.refuse(&format!("{} is dropped: {HELD} changes wait for their beat already", write.target));
            }
        }
    }

    fn write_now(&mut self, write: &Write) {
        let id = write.target.id;
        if self.awaits_style(write) {
            return;
        }
        if let Err(line) = self.controls.note(write) {
            return self.status.refuse(&line);
        }
        if !self.can_be_read(write) {
            return;
        }
        let written = match self.params.write(write.target, &write.value) {
            Ok(written) => written,
            Err(error) => return self.status.refuse(&error.to_string()),
        };
        if written == Written::Changed && write.source != Source::Preset {
            self.move_targets(write);
            self.tell_idle(write);
        }
        if id == Id::KeysTime {
            self.output.forget_bends();
        }
        if matches!(id, Id::Preset | Id::PresetNext | Id::PresetPrev) {
            self.scripts.lead(write.source == Source::Script);
        }
        if write.source != Source::Preset {
            // Code is long, and its result says what became of it; an address may hold a key.
            if written != Written::Unchanged && id != Id::Eval && id != Id::Stream {
                self.status.message(write);
            }
            self.presets.written(write.target);
            self.morph.let_go(write.target);
            let is_hand = write.source != Source::Script && id.def().scope != Scope::Stage;
            if is_hand && !matches!(id, Id::PresetRevert | Id::PresetSave) {
                self.presets.touched();
            }
        }
        // At once: a value later in the same packet must win.
        if written == Written::Fired || matches!(id.def().kind, ParamKind::Text { .. }) {
            self.answer(id);
        }
    }

    fn set(&mut self, id: Id, value: Value) {
        self.write_now(&Write { target: id.into(), value, source: Source::Preset });
    }

    /// Performs the action of a trigger or a string.
    fn answer(&mut self, id: Id) {
        // Live code in a take that is rendered may ask for it again.
        if self.loads.recorded().is_some() && take::event::is_beside(id) {
            return;
        }
        match id {
            Id::SeedNext => self.step_seed(1.0),
            Id::SeedPrev => self.step_seed(-1.0),
            Id::WalkRestart => {
                self.decks.restart();
                self.output.forget_bends();
            }
            Id::Tap | Id::TempoHalf | Id::TempoDouble | Id::TempoEarlier | Id::TempoLater | Id::TempoBar => {
                if let Some(bpm) = self.controls.play_tempo(id, self.params.base(Id::Tempo)) {
                    self.set(Id::Tempo, Value::Float(bpm));
                }
            }
            Id::Panic => self.panic(),
            Id::ErrorRead => drop(self.dismiss()),
            Id::Network => {
                let place = Place::Named(self.named(Id::Network));
                self.loads.request(LoadRequest::Network(place));
            }
            Id::NetworkB => self.name_second(),
            Id::StyleNetwork => self.go_to_style(),
            Id::Input => self.go_to_input(),
            Id::InputNext => self.leaf(1),
            Id::InputPrev => self.leaf(-1),
            Id::Preset => {
                self.forget_asked();
                let request = self.presets.go_to(self.named(Id::Preset));
                self.loads.request(request);
            }
            Id::PresetNext => self.step_preset(1),
            Id::PresetPrev => self.step_preset(-1),
            Id::PresetSave => self.save_preset(),
            Id::PresetRevert => self.revert_preset(),
            Id::PresetArm => self.arm_preset(),
            Id::Set => self.go_to_set(),
            Id::SetGo => self.go_in_set_by_name(),
            Id::Keys => self.go_to_keys(),
            Id::KeysFile => self.go_to_track(),
            Id::KeysAdd => self.add_key(),
            Id::KeysRemove => self.remove_key(),
            Id::KeysMove => self.move_key(),
            Id::KeysGoto => self.go_to_key(),
            Id::Learn => self.controls.learn(&self.params, &mut self.status),
            Id::LearnAudio => self.controls.learn_audio(&self.params, &mut self.status),
            Id::LearnCancel => self.controls.cancel_learning(&mut self.status),
            Id::LearnUndo => self.undo_learning(),
            Id::LearnForget => self.forget_mapping(),
            Id::Palette => match palette::parse(self.params.text(id)) {
                Ok(palette) => self.output.set_palette(palette),
                Err(line) => self.status.refuse(&format!("/palette: {line}")),
            },
            Id::CaptionWords | Id::CaptionInput | Id::CaptionSeen => self.caption(),
            Id::FxAdd | Id::FxRemove | Id::FxOrder => self.change_effects(id),
            Id::MacroSet => self.set_macro(),
            Id::ModAdd => self.add_modulator(),
            Id::ModRemove => self.remove_modulator(),
            Id::Eval => self.evaluate(),
            Id::EvalUndo => self.undo_evaluation(),
            Id::Hush => self.hush(),
            Id::TakeStart => {
                let name = self.params.text(Id::TakeStart).trim().to_owned();
                let path = (!name.is_empty()).then(|| expand(Path::new(&name)));
                self.start_take(path);
            }
            Id::TakeStop => self.stop_take(),
            Id::Snapshot => {
                let name = self.params.text(Id::Snapshot).trim().to_owned();
                self.want_snapshot((!name.is_empty()).then(|| expand(Path::new(&name))));
            }
            Id::RecordStart => self.start_recording(),
            Id::Stream => self.recording.stream(&self.params, &mut self.output, &mut self.status),
            Id::RecordStop => self.recording.stop(&mut self.status),
            Id::Share => self.recording.shares.set(&self.params, &mut self.output, &mut self.status),
            _ => {}
        }
    }

    fn start_recording(&mut self) {
        let orders = recording::orders(&self.params, &self.presets.playing().name, self.takes.path());
        self.recording.start(orders, &mut self.output, &mut self.status);
    }

    /// What a string parameter names.
    fn named(&self, id: Id) -> Named {
        self.controls.named_by(id, &self.params, self.base())
    }

    /// The folder of the current preset.
    fn base(&self) -> &Path {
        self.presets.playing().path.parent().unwrap_or(Path::new(""))
    }

    fn step_seed(&mut self, by: f64) {
        self.set(Id::Seed, Value::Float(stepped_seed(self.params.base(Id::Seed), by)));
        self.presets.seed_stepped(by);
    }

    fn step_preset(&mut self, by: isize) {
        if self.step_set_by(by) {
            return;
        }
        let request = self.presets.step_by(by);
        self.loads.request(request);
    }

    fn style_request(&self, named: Named) -> LoadRequest {
        let settings = Box::new(StyleSettings::from_params(&self.params));
        LoadRequest::Style { named, resolution: self.decks.network().img_resolution, settings }
    }

    fn go_to_style(&mut self) {
        let named = self.named(Id::StyleNetwork);
        if !named.name.is_empty() {
            let request = self.style_request(named);
            return self.loads.request(request);
        }
        self.loads.stop(Kind::Style);
        self.status.mended(Kind::Style);
        self.output.set_style(None);
        self.name_styles(Vec::new());
    }

    fn go_to_input(&mut self) {
        let named = self.named(Id::Input);
        if !named.name.is_empty() {
            let slide = self.slideshow.go_to(named, &self.params);
            return self.request_slide(slide);
        }
        self.loads.stop(Kind::Picture);
        self.status.mended(Kind::Picture);
        if self.slideshow.stop() {
            self.play_input(None, false);
        }
    }

    /// Adds, removes or reorders effects.
    fn change_effects(&mut self, id: Id) {
        let text = self.params.text(id).trim().to_owned();
        if text.is_empty() {
            return;
        }
        let chain = match id {
            Id::FxAdd => Ok(self.effects.with(&text)),
            Id::FxOrder => effects::ordered(self.effects.wanted(), &text),
            _ => self.effects.without(&text).ok_or_else(|| {
                format!("/fx/remove: no effect {text:?} in the chain, which is {}", self.effects.names())
            }),
        };
        match chain {
            Ok(entries) if entries.len() > MOST_LINKS => {
                self.status
                    .refuse(&format!("/fx/add: the chain has {MOST_LINKS} effects already, the most that it takes"));
            }
            Ok(entries) => self.want_effects(entries),
            Err(line) => self.status.refuse(&line),
        }
    }

    /// Requests a chain of effects, whose rows are in the table from now on.
    fn want_effects(&mut self, entries: Vec<EffectEntry>) {
        if entries == self.effects.wanted() {
            return;
        }
        match self.effects.want(entries, &mut self.params) {
            Ok(()) => {
                self.controls.follow(self.params.table());
                self.load_effects(self.effects.wanted().to_vec());
            }
            Err(error) => self.status.error(Kind::Effects, format!("the effects stay as they are: {error}")),
        }
    }

    fn load_effects(&mut self, entries: Vec<EffectEntry>) {
        let base = self.base().to_owned();
        self.loads.request(LoadRequest::Effects { entries, base });
    }

    fn leaf(&mut self, by: i64) {
        if let Some(slide) = self.slideshow.step_by(by) {
            self.request_slide(slide);
        }
    }

    fn request_slide(&mut self, slide: Slide) {
        let side = slide.size.pixels(self.decks.network().img_resolution);
        self.loads.request(LoadRequest::Picture { slide, side });
    }

    /// Loads ahead what a change that waits for its beat will need.
    fn prepare(&mut self, write: &Write) {
        let id = write.target.id;
        let text = match &write.value {
            Value::Text(text) => text.clone(),
            Value::Int(number) => number.to_string(),
            Value::Float(number) => number.round().to_string(),
            _ => String::new(),
        };
        let named = self.controls.named(&text, write.source, self.base());
        let request = match id {
            Id::Network => LoadRequest::Network(Place::Named(named)),
            Id::StyleNetwork if !text.is_empty() => self.style_request(named),
            Id::Preset => LoadRequest::Preset(self.presets.query(Some(named), 0)),
            Id::PresetNext => LoadRequest::Preset(self.presets.query(None, 1)),
            Id::PresetPrev => LoadRequest::Preset(self.presets.query(None, -1)),
            _ => return,
        };
        self.loads.prepare(request);
    }

    /// Loads ahead what a preset that waits for its beat names.
    fn prepare_preset(&mut self, preset: &Preset) {
        let style = preset.params.iter().find(|(target, _)| *target == Target::from(Id::StyleNetwork));
        if let Some((_, Value::Text(name))) = style
            && !name.is_empty()
        {
            let base = preset.path.parent().unwrap_or(Path::new(""));
            let named = self.controls.named(name, Source::Preset, base);
            self.loads.prepare(self.style_request(named));
        }
        if let Some(file) = preset.network.clone() {
            self.loads.prepare(LoadRequest::Network(Place::File(file)));
        }
    }

    /// Swaps in what was loaded, as a whole. A failed load costs one line, and the old one keeps playing.
    fn take(&mut self, Landed { request, file, result }: Landed) {
        match &result {
            Ok(loaded) => self.takes.landed(&request, file.as_deref(), Ok(loaded.as_ref())),
            Err(error) => self.takes.landed(&request, None, Err(&error.headline())),
        }
        match result {
            Ok(loaded) => {
                // That a network plays alone does not mend what keeps it so.
                if !matches!(request, LoadRequest::Blend(BlendRequest { second: None, .. })) {
                    self.status.mended(request.kind());
                }
                self.take_loaded(request, loaded);
            }
            Err(error) => self.take_failed(&request, &error),
        }
    }

    fn take_loaded(&mut self, request: LoadRequest, loaded: Option<Loaded>) {
        match (request, loaded) {
            (LoadRequest::Network(place), Some(Loaded::Network { network, program })) => {
                self.take_network(Ready { place, network, program });
            }
            // It is already playing.
            (LoadRequest::Network(_), None) => self.name_network(),
            (LoadRequest::Blend(request), Some(Loaded::Blend(blend))) => self.take_blend(&request, blend),
            (LoadRequest::Style { .. }, Some(Loaded::Style(style))) => {
                self.name_styles(style.style_names());
                self.output.set_style(Some(style));
            }
            (LoadRequest::Picture { slide, .. }, Some(Loaded::Picture { content, count, words, notice })) => {
                if let Some(line) = notice {
                    self.status.notice(format!("{}: {line}", slide.place.name));
                }
                self.input_landed(slide, content, count, words);
            }
            (LoadRequest::Preset(query), Some(Loaded::Preset { preset, number })) => {
                self.go_to_preset(&query, *preset, number);
            }
            (LoadRequest::Set(_), Some(Loaded::Set(set))) => self.take_set(set),
            (LoadRequest::Keys(_), Some(Loaded::Keys(file))) => self.take_keys(&file),
            (LoadRequest::Directions(_), Some(Loaded::Directions { network, directions, .. })) => {
                self.take_directions(&network, directions);
            }
            (LoadRequest::Clusters(_), Some(Loaded::Clusters { network, clusters })) => {
                self.take_clusters(&network, clusters);
            }
            (LoadRequest::Track(_), Some(Loaded::Track { file, keys, .. })) => self.take_track(&file, keys),
            (LoadRequest::Armed(_), Some(Loaded::Preset { preset, number })) => self.armed(*preset, number),
            (LoadRequest::Effects { .. }, Some(Loaded::Effects { entries, compiled, problems, .. })) => {
                let is_whole = |name: &str| entries.iter().any(|entry| entry.name == name && entry.shader.is_some());
                let named = &self.presets.playing().effects;
                let is_mended = named.iter().any(|entry| entry.shader.is_none() && is_whole(&entry.name));
                if let Err(error) = self.effects.want(entries, &mut self.params) {
                    return self.status.fault(Kind::Effects, format!("the effects stay as they are: {error}"));
                }
                self.controls.follow(self.params.table());
                self.reports.extend(self.effects.reports(&problems));
                let links = self.effects.play(compiled, &self.params);
                self.output.set_chain(links);
                if let Some(line) = problems.into_iter().next() {
                    self.status.fault(Kind::Effects, line);
                }
                if is_mended {
                    self.presets.look_again();
                }
            }
            _ => {}
        }
    }

    /// Plays a network that has been loaded; its blend with a second one, if there is one.
    fn change_network(&mut self, ready: Ready, blend: Option<Arc<Network>>) {
        let Ready { place, network, program } = ready;
        let drives = self.morph.network_drive(&place, &self.params);
        let fades = drives.is_some() || self.params.get(Id::NetworkFade) > 0.0;
        self.decks.change(network, &self.params, fades);
        blend.into_iter().for_each(|blend| self.decks.exchange(blend));
        self.decks.set_drive(drives);
        self.place_track();
        self.output.set_network(self.decks.generation(), program, fades);
        self.name_network();
        self.surround_scripts();
        // The step that brings the network brings its clusters too, where steps wait for what they load.
        self.forget_clusters();
        self.ask_for_clusters();
        self.status.notice(format!("{} is ready", self.decks.network().name));
    }

    /// The directions of a network have been found.
    fn take_directions(&mut self, network: &Arc<Network>, loaded: directions_of::Loaded) {
        let directions_of::Loaded { found, named, problems } = loaded;
        if Arc::ptr_eq(network, self.decks.own_network()) {
            self.name_directions(named.iter().map(|(named, _)| named.clone()).collect());
            self.directions.found(network);
        }
        let row = |name: &str| self.params.table().row(&format!("/dir/{name}"));
        let named = named.into_iter();
        let leads = Leads {
            knobs: found.iter().take(DIR_KNOBS).map(Direction::step).collect(),
            named: named
                .filter_map(|(named, step)| Some((row(&named.name)?, named.zone, named.layers, step)))
                .collect(),
        };
        self.decks.set_leads(network, &leads);
        if let Some(line) = problems.into_iter().next() {
            self.status.fault(Kind::Directions, line);
        }
    }

    /// These names for directions have rows from now on.
    fn name_directions(&mut self, names: Vec<directions_of::Named>) {
        match self.directions.name(names, &mut self.params) {
            Ok(()) => self.controls.follow(self.params.table()),
            Err(error) => self.status.error(Kind::Directions, format!("the directions have no names: {error}")),
        }
    }

    fn take_failed(&mut self, request: &LoadRequest, error: &LoadError) {
        let is_known = matches!(error, LoadError::Recorded { .. });
        let (error, file) = (error.headline(), error.file());
        if !is_known {
            self.status.fail(&error);
        }
        let network = &self.decks.network().name;
        let line = match request {
            LoadRequest::Network(_) => {
                self.params.set_text(Id::Network, network);
                format!("{error}; {network} plays on")
            }
            LoadRequest::Blend(request) => {
                self.refuse_second();
                format!("{error}; {} plays on alone", request.network.name)
            }
            LoadRequest::Style { .. } => {
                self.scripts.forget_all_awaited();
                self.params.set_text(Id::StyleNetwork, self.loads.name_of(Kind::Style));
                format!("{error}; {network} plays on")
            }
            LoadRequest::Picture { slide, .. } => {
                self.slideshow.failed(slide);
                self.params.set_text(Id::Input, self.slideshow.name());
                error
            }
            LoadRequest::Preset(_) => {
                self.presets.cancel();
                self.forget_asked();
                let playing = &self.presets.playing().name;
                self.params.set_text(Id::Preset, playing);
                format!("{error}; {playing} plays on")
            }
            LoadRequest::Keys(_) => {
                self.reread.await_mended(Id::Keys, file);
                self.name_keys();
                format!("{error}; the keys stay as they were")
            }
            LoadRequest::Track(_) => {
                self.reread.await_mended(Id::KeysFile, file);
                format!("{error}; the track stays as it was")
            }
            LoadRequest::Set(_) => {
                self.reread.await_mended(Id::Set, file);
                self.name_set();
                format!("{error}; the set list stays as it was")
            }
            LoadRequest::Armed(_) => {
                self.params.set_text(Id::PresetArm, self.morph.armed().map_or("", |preset| &preset.name));
                error
            }
            LoadRequest::Directions(_) => format!("{error}; /dir moves nothing"),
            LoadRequest::Clusters(_) => {
                self.end_search();
                format!("{error}; /bend/<n>/cluster chooses nothing")
            }
            LoadRequest::Effects { .. } => format!("{error}; the effects stay as they are"),
        };
        self.status.fault(request.kind(), line);
    }

    fn name_network(&mut self) {
        self.params.set_text(Id::Network, &self.decks.network().name);
    }

    /// Sets every parameter to the preset's value; those it does not set go to their defaults if they are `reset`. Smoothed
    /// ones glide.
    fn play_preset(&mut self, preset: Preset, number: Option<usize>, reset: impl Fn(&Def) -> bool) {
        let network = preset.network.clone().filter(|_| !self.presets.holds(Id::Network));
        self.scripts.change_preset();
        self.output.forget_bends();
        self.morph.interrupt();
        self.edits.clear();
        let writes = self.presets.play(preset, number, &self.params);
        self.params.write_defaults(reset);
        self.controls.repeat_tempo();
        self.play_modulators();
        if network.is_some() {
            self.name_directions(self.presets.playing().directions.clone());
        }
        let chain = self.morph.chain(&self.presets.playing().effects);
        self.want_effects(chain);
        let writes = self.morph.hold(writes);
        let moved = macros::moved_by(&writes);
        self.write_all(writes);
        self.play_macros(moved);
        self.set_map();
        if let Some(file) = network {
            self.loads.request(LoadRequest::Network(Place::File(file)));
        }
        self.params.set_text(Id::Preset, &self.presets.playing().name);
        self.play_code();
    }

    /// Starts the preset's live code.
    fn play_code(&mut self) {
        let Some(code) = self.presets.playing().script.clone() else {
            // What failed in the last one's has ended with it.
            return self.status.mended(Kind::Code);
        };
        let time = self.modulation.now(self.controls.clock().beat());
        match self.scripts.play(&code, &mut self.params, time) {
            Ok(()) => self.status.mended(Kind::Code),
            Err(line) => self.status.fault(Kind::Code, line),
        }
        self.write_coded();
    }

    /// Evaluates what `/eval` holds.
    fn evaluate(&mut self) {
        let code = self.params.text(Id::Eval).to_owned();
        // Code may be longer than what goes back to clients.
        self.params.set_text(Id::Eval, "");
        let time = self.modulation.now(self.controls.clock().beat());
        if let Some(result) = self.scripts.evaluate(&code, &mut self.params, time) {
            self.evaluated(result);
        }
    }

    /// Reports what came of an evaluation, and does what it wrote.
    fn evaluated(&mut self, result: Result<Vec<String>, String>) {
        let count = self.scripts.count();
        let line = match &result {
            Ok(lines) if lines.is_empty() => format!("{count} ok"),
            Ok(lines) => format!("{count} ok\n{}", lines.join("\n")),
            Err(line) => format!("{count} {line}"),
        };
        let short: String = line.chars().take(MAX_RESULT).collect();
        self.params.set_text(Id::EvalResult, &short);
        match result {
            Ok(lines) => {
                self.status.mended(Kind::Code);
                self.show_output(lines);
            }
            Err(line) => self.status.fault(Kind::Code, line),
        }
        self.write_coded();
    }

    /// What code prints: each line in the log, the last on the HUD.
    fn show_output(&mut self, lines: Vec<String>) {
        let last = lines.len().saturating_sub(1);
        for (i, line) in lines.into_iter().enumerate() {
            if i == last {
                self.status.notice(line);
            } else {
                self.status.log(&line);
            }
        }
    }

    fn undo_evaluation(&mut self) {
        let line = if self.scripts.undo() { "the last evaluation is undone" } else { "there is no evaluation to undo" };
        self.status.notice(line.to_owned());
        self.write_coded();
    }

    fn hush(&mut self) {
        self.scripts.hush();
        self.write_coded();
    }

    /// Evaluates code whose beat has come, calls the handlers that are due, and evaluates what is bound.
    fn run_scripts(&mut self, time: Time) {
        while let Some(result) = self.scripts.release(&mut self.params, time) {
            self.evaluated(result);
        }
        self.scripts.step(time, self.modulation.signals(), &mut self.params);
        self.write_coded();
        let lines = self.scripts.take_output();
        self.show_output(lines);
        self.scripts.bind(time, self.modulation.signals(), &mut self.params);
        self.write_coded();
        if let Some(line) = self.scripts.take_fault() {
            self.scripts.take_reports(&mut self.reports);
            self.status.fault(Kind::Code, line);
        }
    }

    /// Does what live code has written. Numbers take the short way, as there may be hundreds in a frame.
    fn write_coded(&mut self) {
        let mut coded = std::mem::take(&mut self.coded);
        let is_loading = self.style_is_coming();
        self.scripts.take_writes(&mut coded, is_loading);
        self.scripts.take_reports(&mut self.reports);
        for (target, value) in coded.drain(..) {
            // Code runs again and again: an effect that is there is not added twice.
            if target.id == Id::FxAdd
                && let Value::Text(name) = &value
                && self.effects.wanted().iter().any(|entry| entry.name == name.trim())
            {
                continue;
            }
            let is_style = matches!(target.id, Id::StyleA | Id::StyleB);
            let value = match &value {
                Value::Text(word) if is_style => match self.scripts.style_number(target, word, is_loading) {
                    Some(number) => Value::Float(number),
                    None if is_loading => continue,
                    None => value,
                },
                _ => value,
            };
            let is_number = matches!(target.id.def().kind, ParamKind::Float { .. } | ParamKind::Int { .. });
            let is_number = is_number && number_of(target.id).is_none();
            if is_number && self.params.write(target, &value).is_ok() {
                self.presets.written(target);
                self.morph.let_go(target);
            } else {
                self.write_now(&Write { target, value, source: Source::Script });
            }
        }
        self.coded = coded;
        if self.scripts.has_news() {
            self.controls.set_heard(self.scripts.addresses());
            if let Some((midi, osc)) = self.scripts.new_maps(&self.params) {
                self.set_map_with(midi, osc);
            }
        }
    }

    /// Tells live code about the networks that play.
    fn surround_scripts(&mut self) {
        self.name_classes();
        let latent = &self.decks.network().mapping;
        self.scripts.surround([latent.z_dim, latent.w_dim, latent.num_ws, latent.c_dim]);
    }

    /// Starts the preset's modulators; their knobs become rows of the table.
    fn play_modulators(&mut self) {
        let preset = self.presets.playing();
        let mut modulators = self.edits.applied(&preset.modulators);
        self.morph.keep_modulators_beside(&modulators);
        modulators.extend_from_slice(self.morph.modulators());
        match self.modulation.play(&modulators, &mut self.params) {
            Ok(()) => self.status.mended(About::Modulation),
            Err(error) => {
                let line = format!("preset {}: modulation is off: {error}", preset.name);
                self.status.error(About::Modulation, line);
            }
        }
    }

    /// Adds the modulator that `/mod/add` describes, like an entry of `[mod]`; one with the same name is replaced.
    fn add_modulator(&mut self) {
        let text = format!("[mod]\n{}", self.params.text(Id::ModAdd));
        let preset = match self.presets.library().check_text(&text, Path::new("/mod/add")) {
            Ok(preset) => preset,
            // The lines are those of the text with its heading.
            Err(error) => {
                let line = error.headline();
                let message = line.splitn(4, ':').nth(3).map_or(line.as_str(), str::trim);
                return self.status.refuse(&format!("/mod/add: {message}"));
            }
        };
        let names: Vec<&str> = preset.modulators.iter().map(|modulator| modulator.name.as_str()).collect();
        if names.is_empty() || self.edits.len() + names.len() > MAX_ADDED {
            return self.status.refuse(&format!("/mod/add takes one to {MAX_ADDED} entries of [mod]"));
        }
        self.status.notice(format!("added {}", names.join(", ")));
        self.edits.add(&preset.modulators);
        self.play_modulators();
        let write = |(target, value): (Target, Value)| Write { target, value, source: Source::Preset };
        let values = preset.params.into_iter().filter_map(|(target, value)| {
            let id = self.params.table().current(target.id)?;
            Some(write((Target { id, ..target }, value)))
        });
        let values: Vec<Write> = values.collect();
        self.reloaded(values);
    }

    /// Removes a modulator, whether it was added or is the preset's own.
    fn remove_modulator(&mut self) {
        let name = self.params.text(Id::ModRemove).trim().to_owned();
        if let Err(line) = self.edits.remove(&name, &self.presets.playing().modulators) {
            return self.status.refuse(&format!("/mod/remove: {line}"));
        }
        self.play_modulators();
        self.status.notice(format!("removed {name}"));
    }

    /// Does the writes in order, except those to knobs of modulators that are gone with their preset.
    fn write_all(&mut self, writes: Vec<Write>) {
        for write in writes {
            if self.params.table().current(write.target.id).is_some() {
                self.write_now(&write);
            }
        }
    }

    fn set_map(&mut self) {
        let (midi, osc) = self.scripts.maps(&self.params);
        self.set_map_with(midi, osc);
    }

    /// Sets the preset's mappings, with those of live code in front.
    fn set_map_with(&mut self, mut midi: Vec<MidiEntry>, mut osc: Vec<OscEntry>) {
        let playing = self.presets.playing();
        let is_new = |entry: &&MidiEntry| !midi.iter().any(|known| known.control == entry.control);
        midi.extend(playing.midi.iter().filter(is_new).cloned().collect::<Vec<_>>());
        let is_new = |entry: &&OscEntry| !osc.iter().any(|known| known.address == entry.address);
        osc.extend(playing.osc.iter().filter(is_new).cloned().collect::<Vec<_>>());
        let osc_out = &self.presets.playing().osc_out;
        self.controls.set_map(&midi, &osc, osc_out);
    }

    /// Returns to the preset as it was loaded.
    fn panic(&mut self) {
        // The preset's own code may ask for it as soon as it plays.
        if std::mem::replace(&mut self.panics, true) {
            return;
        }
        self.controls.forget_held();
        self.forget_asked();
        self.loads.forget_prepared();
        self.loads.cancel(Kind::Preset);
        self.presets.cancel();
        let (preset, number) = (self.presets.playing().clone(), self.presets.number());
        let name = preset.name.clone();
        self.play_preset(preset, number, |_| true);
        self.modulation.clear(&mut self.params);
        self.scripts.panic();
        self.write_coded();
        let off = if self.modulation.is_off() || self.scripts.is_off() {
            "; its modulation is off until it is loaded again"
        } else {
            ""
        };
        self.status.notice(format!("back to the preset {name}{off}"));
        self.panics = false;
    }

    fn reload_preset(&mut self, result: Result<Preset, PresetError>) {
        let preset = match result {
            Ok(preset) => preset,
            Err(error) => {
                let error = LoadError::from(error).headline();
                if let Some(code) = &self.presets.playing().script {
                    self.reports.push(Report { file: code.name(), lines: None, result: Err(error.clone()) });
                }
                let line = format!("{error}; keeping the last good version");
                return self.status.fault(Kind::Preset, line);
            }
        };
        self.status.mended(Kind::Preset);
        let Some(reload) = self.presets.reload(preset) else { return };
        self.status.notice(format!("preset {} reloaded", self.presets.playing().name));
        if self.presets.playing().network.is_some() {
            self.name_directions(self.presets.playing().directions.clone());
        }
        self.play_modulators();
        self.want_effects(self.presets.playing().effects.clone());
        let moved = macros::moved_by(&reload.writes);
        self.reloaded(reload.writes);
        self.play_macros(moved);
        self.set_map();
        if reload.has_new_code {
            if self.presets.playing().script.is_none() {
                self.scripts.end();
            }
            self.play_code();
        }
        if let Some(file) = reload.network {
            self.loads.request(LoadRequest::Network(Place::File(file)));
        }
    }

    fn learned(&mut self, taught: &Taught) {
        let is_saved = self.presets.learn(&taught.entry, taught.saves, &self.params);
        self.set_map();
        self.status.mended(About::Learning);
        self.status.notice(taught.line.clone());
        self.tell_saving(is_saved);
    }

    fn undo_learning(&mut self) {
        let line = match self.presets.undo(self.controls.may_save(), &self.params) {
            Some(Some(gone)) => format!("undone: {} no longer plays {}", gone.control, gone.to),
            Some(None) => "undone".to_owned(),
            None => "nothing to undo in this preset".to_owned(),
        };
        self.set_map();
        self.status.notice(line);
    }

    fn save_preset(&mut self) {
        if !self.controls.may_save() {
            let line = "presets can only be saved from this machine (keys, MIDI or OSC), and not by code";
            return self.status.notice(line.to_owned());
        }
        let network = self.decks.network().path.clone();
        let effects = self.morph.staying(self.effects.wanted());
        let name = self.params.text(Id::PresetSave);
        let settled = self.morph.settled(&self.params);
        let params = names::saved(settled, self.style_is_coming(), &self.scripts);
        let is_saved = self.presets.save(name, &params, network, &effects, &self.edits);
        self.tell_saving(is_saved);
    }

    /// One line if it cannot be saved now.
    fn tell_saving(&mut self, is_saved: Result<bool, String>) {
        match is_saved {
            Ok(true) => {}
            Ok(false) => self.status.notice("the disk is slow: please save again".to_owned()),
            Err(line) => self.status.error(About::Saving, line),
        }
    }

    fn revert_preset(&mut self) {
        self.forget_asked();
        match self.presets.revert() {
            Some(request) => self.loads.request(request),
            None => self.status.notice("no preset plays that could be brought back".to_owned()),
        }
    }

    fn saved(&mut self, saved: Saved) {
        match saved.result {
            Ok(written) => {
                self.status.mended(About::Saving);
                let path = shown(&written.preset.path);
                match saved.origin {
                    Origin::Copy(_) => self.status.notice(format!("saved as a preset of your own: {path}")),
                    _ if saved.whole => self.status.notice(format!("saved {path}")),
                    _ => {}
                }
                if let Origin::Copy(from) = &saved.origin {
                    self.setlist.copied(from, &written.preset.path);
                }
                let before = self.edits.applied(&self.presets.playing().modulators);
                self.presets.take_saved(written, &saved.origin, saved.number);
                self.edits.settle(&self.presets.playing().modulators);
                self.edits.macros.settle(&self.presets.playing().macros);
                // An editor has changed the file in the meantime.
                if self.edits.applied(&self.presets.playing().modulators) != before {
                    self.play_modulators();
                }
                self.set_map();
            }
            Err(error) if saved.whole => self.status.error(About::Saving, error.to_string()),
            Err(error) => {
                self.status.error(About::Saving, format!("{error}; the learned mapping stays active"));
            }
        }
    }

    /// The newest finished picture.
    pub fn picture(&self) -> Option<&Arc<Picture>> {
        self.output.picture()
    }

    /// The newest picture with something to show: a texture of the engine's device, or pixels.
    pub fn shown(&self) -> Option<&Arc<Picture>> {
        let is_blank = |picture: &&Arc<Picture>| picture.texture.is_none() && picture.rgba.is_empty();
        self.output.picture().filter(|picture| !is_blank(picture)).or_else(|| self.output.pixels())
    }

    /// 1 shows the picture, 0 is black; a factor on linear light.
    pub fn brightness(&self) -> f32 {
        1.0 - self.params.get(Id::Blackout) as f32
    }

    /// How a picture that has not the output's size fills it.
    pub fn fit(&self) -> Fit {
        self.output.picture().map_or(self.layout(), |picture| self.output.fit(picture, self.layout()))
    }

    /// Where words stand over the picture, for the audience; `None` while there are none.
    pub fn words_at(&self) -> Option<words::Place> {
        self.output.words_at(&self.params)
    }

    fn layout(&self) -> Fit {
        self.params.get_choice::<Layout>(Id::Fit).plain()
    }

    /// Whether what is shown is being recorded.
    pub fn is_recording(&self) -> bool {
        self.recording.is_running()
    }

    /// What is heard: recordings get its sound.
    pub fn set_sound(&mut self, sound: Arc<History>) {
        self.recording.set_sound(sound);
    }

    /// Ends the recording and waits for its file; one line for each file that was not finished yet.
    pub fn end_recording(&mut self) -> Vec<String> {
        self.recording.end()
    }

    /// The output's width and height in pixels, from the next picture on; 0 for the picture's own. Without a screen
    /// ([`Options::screen`]), pictures keep the network's size.
    pub fn set_output_size(&mut self, size: [u32; 2]) {
        self.takes.size(size);
        self.output.set_size(size);
    }

    /// Removes rows from the table of parameters and adds others, as one change: the knobs of an effect, a modulator or a
    /// script. Returns the ids of `rows`, in order.
    ///
    /// # Errors
    /// When a row cannot be added: see [`Table::changed`](crate::params::Table::changed). Nothing changes then.
    pub fn change_params(&mut self, old: &[Id], rows: &[Def]) -> Result<Vec<Id>, TableError> {
        let ids = self.params.replace(old, rows)?;
        self.controls.follow(self.params.table());
        self.presets.library().tables().publish(self.params.table());
        Ok(ids)
    }

    pub fn params(&self) -> &Params {
        &self.params
    }

    pub fn library(&self) -> &Library {
        self.presets.library()
    }

    pub fn network(&self) -> &Network {
        self.decks.network()
    }

    /// The latent that plays: the network, w `[w_dim]` before truncation, and ws `[num_ws, w_dim]`.
    pub fn latent(&mut self) -> (Arc<Network>, [Vec<f32>; 2]) {
        (self.decks.own_network().clone(), self.decks.latent(&self.params))
    }

    /// Whether the directions of the network have been found: until then, `/dir` moves nothing.
    pub fn has_directions(&self) -> bool {
        self.decks.has_leads()
    }

    pub fn preset(&self) -> &Preset {
        self.presets.playing()
    }

    /// From the next step on, plays `lead` frames that lead up to a loop of `frames`, which is longer, and closes that: what moves the
    /// w's, and random noise. For offline shows.
    pub fn close_loop(&mut self, frames: usize, lead: usize) {
        self.closing = Some(Closing::new(frames, lead));
    }

    /// What started to play in the last step.
    pub fn landings(&self) -> &[Landing] {
        self.loads.landings()
    }

    /// The first failure offline, if any: pictures since then are not what was requested.
    pub fn failure(&self) -> Option<&str> {
        self.status.failure()
    }

    /// What came of code in the last step: evaluations, handlers that failed, patches and effects that were read again.
    pub fn reports(&self) -> &[Report] {
        &self.reports
    }

    /// The requested chain of effects.
    pub fn effects(&self) -> &[EffectEntry] {
        self.effects.wanted()
    }

    /// What plays, from now on, for another thread that draws with it.
    pub fn models(&mut self) -> ModelsView {
        let (network, style) = (self.decks.network().clone(), self.output.style_network().cloned());
        let (settings, class) = (StyleSettings::from_params(&self.params), self.params.get(Id::Class));
        self.models.get_or_insert_with(|| ModelsView::new(Models { network, style, settings, class })).clone()
    }

    /// The parameters that live code moves, whatever their kind; each once.
    pub fn coded(&self) -> impl Iterator<Item = Target> + '_ {
        self.scripts.coded()
    }

    /// The names of the styles that play.
    pub fn styles(&self) -> &[String] {
        self.scripts.styles()
    }

    /// The preset from the file `old` has been written to `preset`, with its patch in `code`: that is what plays and is watched
    /// from now on.
    pub fn adopt_patch(&mut self, old: &Path, preset: &Path, code: &Path) {
        self.presets.adopt(old, preset, code);
    }

    /// Looks for the effects from the file `old` again: there is one of the player's own by now.
    pub fn find_effect_again(&mut self, old: &Path) {
        let mut entries = self.effects.wanted().to_vec();
        entries.iter_mut().filter(|entry| entry.file.as_deref() == Some(old)).for_each(|entry| entry.file = None);
        self.takes.news(take::News::Effects);
        self.load_effects(entries);
    }

    /// Whether MIDI learn is waiting for a control.
    pub fn is_learning(&self) -> bool {
        self.controls.is_learning()
    }

    /// The active mappings.
    pub fn map(&self) -> Vec<MapLine> {
        self.controls.map()
    }

    /// Whether OSC may only select presets and networks by name, not by path.
    pub fn set_names_only(&mut self, names_only: bool) {
        self.takes.names_only(names_only);
        self.controls.set_names_only(names_only);
    }

    /// The contents of the HUD and the status line.
    pub fn status(&self) -> Summary {
        let mut summary = Summary::new(&self.status, self.devices.iter().map(|device| device.status()).collect());
        summary.network.clone_from(&self.decks.network().name);
        let [height, width] = self.decks.network().picture_size();
        summary.resolution = [width as u32, height as u32];
        summary.engine = self.output.engine().unwrap_or_else(|| self.engine.name()).to_owned();
        summary.preset.clone_from(&self.presets.playing().name);
        summary.bpm = self.params.get(Id::Tempo);
        summary.tempo_from = self.controls.clock().leader().word();
        summary.beat = self.controls.clock().beat();
        summary.heard = self.modulation.heard();
        summary.timecode = self.controls.clock().timecode_secs().map(timecode::follow::clock);
        summary.learning = self.controls.learning_line();
        let morph = || self.morph.line(&self.params, &self.presets.playing().name);
        summary.pending = self.controls.pending(&self.params).or_else(|| self.set_line());
        summary.pending = summary.pending.or_else(|| self.controls.keys().line());
        summary.pending = summary.pending.or_else(|| self.scripts.pending()).or_else(morph);
        summary.notice = summary.notice.or_else(|| self.controls.takeover_line());
        summary.skipped_pictures = self.output.skipped();
        summary.loading = self.loads.loading();
        summary.take = self.takes.taking().map(|(path, secs)| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            format!("take {name} {}:{:02}", secs as u64 / 60, secs as u64 % 60)
        });
        summary.recording = self.recording.line().map(str::to_owned);
        summary.streaming = self.recording.stream_line();
        summary.sharing = self.recording.shares.line();
        summary
    }

    /// Adds a tap, which gets each finished picture from now on.
    pub fn tap(&mut self, tap: impl Tap + 'static) {
        self.output.tap(Box::new(tap));
    }

    /// What is written over the picture: the player's own words, or else what is said of the input or of the network's picture.
    fn caption(&mut self) {
        let own = self.params.text(Id::CaptionWords);
        let seen = if self.is_input_seen { Id::CaptionInput } else { Id::CaptionSeen };
        self.output.set_words(if own.trim().is_empty() { self.params.text(seen) } else { own });
    }

    /// Connects devices. From now on the show answers clients, and keeps the devices alive.
    pub fn connect(&mut self, devices: Devices) {
        let mut sources = devices.profiles.sources().clone();
        sources.texts.retain(|path, _| !crate::file::is_built_in(path));
        self.takes.read_from(&sources);
        self.takes.controllers(devices.profiles.files());
        self.controls.set_profiles(devices.profiles);
        (self.devices, self.listeners) = (devices.devices, devices.listeners);
        devices.taps.into_iter().for_each(|tap| self.output.tap(tap));
        // Clients that ask before the first frame get answers too.
        self.publish(0.0);
    }

    /// Writes a take of everything from the next frame on: to a new file, or to `take.take`. Live only.
    pub fn start_take(&mut self, path: Option<PathBuf>) {
        if !self.takes.start_take(path) {
            self.status.notice("takes are written while playing live".to_owned());
        }
    }

    fn stop_take(&mut self) {
        if self.takes.taking().is_none() || !self.takes.stop_take() {
            self.status.notice("no take is being written".to_owned());
        }
    }

    /// Whether a take is being written.
    pub fn is_taking(&self) -> bool {
        self.takes.taking().is_some()
    }

    /// Shows a line on the HUD, from outside the show.
    pub fn notice(&mut self, line: String) {
        self.status.notice(line);
    }
}

/// The time between two live frames in whole microseconds: short to write in a take. The rest belongs to the next frame.
pub fn whole_micros(passed: Duration) -> Duration {
    Duration::from_micros(u64::try_from(passed.as_micros()).unwrap_or(u64::MAX))
}

/// The seed `by` steps on, as a 32-bit number.
fn stepped_seed(seed: f64, by: f64) -> f64 {
    (seed + by).rem_euclid(4_294_967_296.0)
}
