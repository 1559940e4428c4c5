//! A show to be played by a test, in one line, and what every such test needs.
#![allow(dead_code, reason = "every test takes what it needs")]

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use latent_jockey::control::{Event, Source, Write};
use latent_jockey::engine::Engine;
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::gpu::Device;
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::library::Library;
use latent_jockey::patch::preset::Preset;
use latent_jockey::show::{Mode, Options, Show};

/// A write by OSC.
pub fn write(id: Id, value: Value) -> Event {
    write_by(Source::Osc, id, value)
}

pub fn write_by(source: Source, id: Id, value: Value) -> Event {
    Event::Write(Write { target: id.into(), value, source })
}

/// A number by OSC.
pub fn number(id: Id, value: f64) -> Event {
    write(id, Value::Float(value))
}

/// A name or a path by OSC.
pub fn text(id: Id, value: impl AsRef<Path>) -> Event {
    write(id, Value::Text(value.as_ref().display().to_string()))
}

/// A trigger by OSC.
pub fn bang(id: Id) -> Event {
    write(id, Value::Nothing)
}

/// The most that a test waits for something that comes at once: a busy machine may stop a thread for seconds.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Saves a file as a whole, as it may be read at any moment.
pub fn save_whole(file: &Path, text: &str) {
    let aside = file.with_extension("aside");
    std::fs::write(&aside, text).expect("written");
    std::fs::rename(aside, file).expect("saved");
}

/// A temporary folder, removed at the end.
pub struct Folder(PathBuf);

impl Folder {
    #[allow(clippy::new_without_default, reason = "it makes a folder")]
    pub fn new() -> Folder {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("latent-jockey-test-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).expect("a folder");
        Folder(folder)
    }
}

impl Deref for Folder {
    type Target = Path;
    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A running show, and the folder of its presets where that is the test's own.
pub struct Rig {
    pub show: Show,
    folder: Option<Folder>,
}

/// What a [`Rig`] is made of.
pub struct Setup {
    library: Library,
    preset: Preset,
    network: Option<PathBuf>,
    seed: Option<u32>,
    engine: Arc<dyn Engine>,
    screen: Option<Arc<Device>>,
    mode: Mode,
    folder: Option<Folder>,
}

impl Rig {
    /// The presets that ship; this one plays, with its own network, offline.
    pub fn shipped(preset: &str) -> Setup {
        let library = Library::default();
        let preset = library.load(preset).expect("a preset");
        Setup::new(library, preset, None)
    }

    /// Presets of these names and texts in a temporary folder (`a` for `a.toml`, or `a.luau`); the first plays, offline, with a small network.
    pub fn with(presets: &[(&str, &str)]) -> Setup {
        let folder = Folder::new();
        for (name, text) in presets {
            let file = if name.contains('.') { (*name).to_owned() } else { format!("{name}.toml") };
            std::fs::write(folder.join(file), text).expect("a preset");
        }
        let library = Library::scan(&folder).expect("a library");
        let first = presets[0].0.split('.').next().unwrap_or_default();
        let preset = library.load(first).expect("a preset");
        Setup::new(library, preset, Some(folder)).network("sg2_16_p2.pkl")
    }

    /// The folder of the presets.
    pub fn folder(&self) -> &Path {
        self.show.library().folder()
    }

    /// The one line that needs attention, or "".
    pub fn notice(&self) -> String {
        self.show.status().notice.unwrap_or_default()
    }

    pub fn base(&self, id: Id) -> f64 {
        self.show.params().base(id)
    }

    /// The picture's pixels.
    pub fn pixels(&self) -> Vec<u8> {
        self.show.picture().expect("a picture").rgba.clone()
    }

    /// Saves a file, and again every second until that `is_noticed`: at first nobody may be watching yet.
    #[track_caller]
    pub fn save(&mut self, file: &Path, text: &str, is_noticed: impl Fn(&Show) -> bool) {
        let mut saved: Option<Instant> = None;
        self.wait(&[], |show| {
            if saved.is_none_or(|at| at.elapsed() > Duration::from_secs(1)) {
                save_whole(file, text);
                saved = Some(Instant::now());
            }
            is_noticed(show)
        });
    }

    /// Steps of 10 ms, the first with these events, until `done`.
    #[track_caller]
    pub fn wait(&mut self, events: &[Event], mut done: impl FnMut(&Show) -> bool) {
        let end = Instant::now() + PATIENCE;
        self.show.step(0.01, events);
        while !done(&self.show) {
            assert!(Instant::now() < end, "waited in vain: {:?}", self.show.status());
            std::thread::sleep(Duration::from_millis(2));
            self.show.step(0.01, &[]);
        }
    }
}

impl Deref for Rig {
    type Target = Show;
    fn deref(&self) -> &Show {
        &self.show
    }
}

impl DerefMut for Rig {
    fn deref_mut(&mut self) -> &mut Show {
        &mut self.show
    }
}

impl Setup {
    fn new(library: Library, preset: Preset, folder: Option<Folder>) -> Setup {
        let engine = Arc::new(Cpu::default());
        Setup { library, preset, network: None, seed: None, engine, screen: None, mode: Mode::Offline, folder }
    }

    /// The folder of the presets.
    pub fn folder(&self) -> &Path {
        self.library.folder()
    }

    /// Reads the preset again: the test has added files beside it.
    pub fn reload(self) -> Setup {
        let preset = self.library.read(&self.preset.path).expect("a preset");
        Setup { preset, ..self }
    }

    /// With this folder as the player's own.
    pub fn own(self, folder: &Path) -> Setup {
        let library = Library::new(self.library.folders().clone().with_own(folder));
        Setup { library, ..self }
    }

    /// Plays this preset instead.
    pub fn preset(self, preset: Preset) -> Setup {
        Setup { preset, ..self }
    }

    /// Plays this file of tests/fixtures instead of the preset's network.
    pub fn network(self, name: &str) -> Setup {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
        Setup { network: Some(fixtures.join(name)), ..self }
    }

    pub fn seed(self, seed: u32) -> Setup {
        Setup { seed: Some(seed), ..self }
    }

    pub fn engine(self, engine: Arc<dyn Engine>) -> Setup {
        Setup { engine, ..self }
    }

    /// Draws at the output's size on this device.
    pub fn on_screen(self, device: Arc<Device>) -> Setup {
        Setup { screen: Some(device), ..self }
    }

    pub fn live(self) -> Setup {
        Setup { mode: Mode::Live, ..self }
    }

    pub fn start(self) -> Rig {
        let Setup { library, preset, network, seed, engine, screen, mode, folder } = self;
        let show = Show::new(Options { library, preset, network, seed, engine, screen, mode }).expect("a show");
        Rig { show, folder }
    }
}
