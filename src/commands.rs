//! The command line, one file per command.
//!
//! Each command has its options (parsed by clap) and a `run` that prints to the terminal and returns errors for `main`
//! to print. Everything that a command computes lives in the other modules.

/// Prints a line. A reader that has gone (`| head`) does not end the work.
macro_rules! say {
    ($($part:tt)*) => { $crate::commands::print(std::io::stdout(), format_args!($($part)*)) };
}

/// Prints a line to standard error, if anybody reads it.
macro_rules! warn {
    ($($part:tt)*) => { $crate::commands::print(std::io::stderr(), format_args!($($part)*)) };
}

/// As `say`, for commands that only report: without a reader they end.
macro_rules! report {
    ($($part:tt)*) => { $crate::commands::print_or_end(format_args!($($part)*)) };
}

pub mod bench;
pub mod caption;
pub mod completions;
pub mod convert;
pub mod directions;
pub mod doctor;
pub mod eval;
pub mod explore;
pub mod favourites;
pub mod generate;
pub mod inspect;
pub mod keys;
pub mod man;
mod overwrite;
pub mod params;
pub mod play;
pub mod project;
pub mod render;
pub mod shader;
pub mod slides;
pub mod style;
pub mod take;
pub mod thumbnails;

use std::fmt::Arguments;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, bail, ensure};
use clap::builder::{PathBufValueParser, TypedValueParser};

use crate::audio::Gain;
use crate::engine::cpu::Cpu;
use crate::engine::fallback::Fallback;
use crate::engine::gpu::{Device, Gpu, Precision};
use crate::engine::plan::Script;
use crate::engine::{Engine, EngineError};
use crate::image;
use crate::network::Network;
use crate::patch::effects;
use crate::patch::library::Library;
use crate::patch::locate;
use crate::patch::preset::Preset;
use crate::record::take::Take;
use crate::screen::script;
use crate::show::{Mode, Show};

/// Prints a line where somebody may read it.
pub(crate) fn print(mut out: impl Write, line: Arguments) {
    // A closed terminal or pipe is no reason to stop.
    let _ = writeln!(out, "{line}");
}

/// Prints a line of a report, and ends the program if nobody reads it any more.
pub(crate) fn print_or_end(line: Arguments) {
    if let Err(error) = writeln!(io::stdout(), "{line}")
        && error.kind() == io::ErrorKind::BrokenPipe
    {
        std::process::exit(0);
    }
}

/// Parses a path as people write or copy it: see [`locate::expand`].
fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| locate::expand(&path))
}

/// Logs to standard error, warnings only unless `RUST_LOG` says otherwise. Missing drivers are not logged: the engine
/// reports in one line what it falls back to.
pub fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| "warn,wgpu_hal=off,jack=off,symphonia_core=off".into());
    // Fails only if a logger is already set up, which is then used.
    // Failing to write is no reason to complain, which would fail as well.
    let _ =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).log_internal_errors(false).try_init();
}

/// Which engine computes the pictures, and how.
#[derive(Clone, Debug, clap::Args)]
pub struct EngineOptions {
    /// What computes the pictures
    #[arg(long, value_enum, default_value_t)]
    engine: EngineChoice,
    #[command(flatten)]
    settings: EngineSettings,
}

/// How engines compute.
#[derive(Clone, Debug, clap::Args)]
struct EngineSettings {
    /// How the gpu and torch engines store weights and feature maps
    #[arg(long, value_enum, default_value_t)]
    precision: PrecisionChoice,
    /// Where the torch engine computes: cpu, cuda, cuda:N or mps [default: the best that there is]
    #[arg(long, value_parser = torch_device, value_name = "DEVICE")]
    #[cfg_attr(not(feature = "torch"), allow(dead_code, reason = "only that engine has a choice"))]
    device: Option<String>,
    /// A TorchScript file that the torch engine may open, for /network, presets and /fx: opening it runs the code in it
    #[arg(long = "script", value_parser = path(), value_name = "FILE")]
    scripts: Vec<PathBuf>,
}

/// A device of the torch engine.
fn torch_device(text: &str) -> Result<String, String> {
    let is_numbered = text.strip_prefix("cuda:").is_some_and(|number| number.parse::<u8>().is_ok());
    let is_known = matches!(text, "cpu" | "cuda" | "mps") || is_numbered;
    is_known.then(|| text.to_owned()).ok_or_else(|| format!("takes cpu, cuda, cuda:N or mps, got {text:?}"))
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum EngineChoice {
    /// gpu if there is a real graphics card, otherwise cpu
    #[default]
    Auto,
    /// All processor cores
    Cpu,
    /// The best graphics adapter, including software adapters
    Gpu,
    /// libtorch: a build with the feature torch
    Torch,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum PrecisionChoice {
    /// 16 bits on a real card that supports them, otherwise 32
    #[default]
    Auto,
    F32,
    F16,
}

/// An engine, or why there is none.
type Found = Result<Arc<dyn Engine>, EngineError>;

impl EngineOptions {
    /// These, and a file that the command line names as its network.
    fn trusting(&self, file: &Path) -> EngineOptions {
        let mut options = self.clone();
        options.settings.scripts.push(file.to_owned());
        options
    }

    /// Opens the files of `--script`, and lets the show find those that are effects.
    fn name_effects(&self, engine: &dyn Engine) -> anyhow::Result<()> {
        for file in &self.settings.scripts {
            let script = engine.script(file).with_context(|| file.display().to_string())?;
            if script.is_effect() {
                // As the engine knows it, wherever the show is.
                let file = file.canonicalize().unwrap_or_else(|_| file.clone());
                effects::name_script(script::shader(&Arc::new(Script { file, ..script }))?);
            }
        }
        Ok(())
    }

    /// The engine. Falls back to the processor where the card is missing or cannot run a network, and reports it in one line.
    fn build(&self) -> Arc<dyn Engine> {
        self.with(self.gpu(Device::open))
    }

    /// As [`EngineOptions::build`]; also returns the device that draws at the output's size: the engine's, or any that there
    /// is. A live show does not wait until kernels are measured.
    fn build_with_screen(&self, mode: Mode) -> (Arc<dyn Engine>, Option<Arc<Device>>) {
        let mut gpu = self.gpu(Device::open);
        if mode == Mode::Live {
            gpu = gpu.map(|gpu| gpu.map(Gpu::tuned_while_playing));
        }
        let device = device_of(gpu.as_ref()).or_else(|| other_device(Device::open));
        (self.with(gpu), device)
    }

    /// As [`EngineOptions::build_with_screen`], for a live show in a window, which can draw with that device if it is shared.
    fn build_with_window(&self) -> (Arc<dyn Engine>, Option<Arc<Device>>) {
        let gpu = self.gpu(Device::open_with_window).map(|gpu| gpu.map(Gpu::tuned_while_playing));
        let device = device_of(gpu.as_ref()).or_else(|| other_device(Device::open_with_window));
        if let Some(device) = device.iter().find(|device| !device.is_shared()) {
            warn!("the window draws on another adapter than {}: pictures are copied", device.adapter.name);
        }
        (self.with(gpu), device)
    }

    fn with(&self, gpu: Option<Result<Gpu, EngineError>>) -> Arc<dyn Engine> {
        let cpu: Arc<dyn Engine> = Arc::new(Cpu::default());
        if self.engine == EngineChoice::Torch {
            return match self.torch() {
                Ok(torch) => Arc::new(Fallback::new(torch, cpu)),
                Err(error) => {
                    warn!("{error}; playing on the cpu engine");
                    cpu
                }
            };
        }
        match (self.engine, gpu) {
            (_, None) => cpu,
            (_, Some(Ok(gpu))) => {
                if !gpu.adapter().is_real() {
                    warn!("the gpu engine runs on {}: slower than the cpu engine", gpu.adapter());
                }
                // Where 32 bits need too much memory, 16 bits may fit.
                let rest = match gpu.precision() {
                    Precision::F32 => gpu.at(Precision::F16).ok(),
                    Precision::F16 => None,
                };
                let rest = rest.map(|half| Arc::new(Fallback::new(Arc::new(half), cpu.clone())) as Arc<dyn Engine>);
                Arc::new(Fallback::new(Arc::new(gpu), rest.unwrap_or(cpu)))
            }
            (EngineChoice::Gpu, Some(Err(error))) => {
                warn!("{error}; playing on the cpu engine");
                cpu
            }
            (_, Some(Err(error))) => {
                tracing::info!("{error}; playing on the cpu engine");
                cpu
            }
        }
    }

    /// Every available engine, or the requested one, each without fallback so that it can be judged.
    fn each(&self) -> Vec<Arc<dyn Engine>> {
        let gpu = self.gpu(Device::open).and_then(Result::ok).map(|gpu| Arc::new(gpu) as Arc<dyn Engine>);
        let torch = matches!(self.engine, EngineChoice::Auto | EngineChoice::Torch).then(|| self.torch().ok());
        let others: Vec<_> = gpu.into_iter().chain(torch.flatten()).collect();
        let is_wanted = !matches!(self.engine, EngineChoice::Gpu | EngineChoice::Torch) || others.is_empty();
        let cpu = is_wanted.then(|| Arc::new(Cpu::default()) as Arc<dyn Engine>);
        others.into_iter().chain(cpu).collect()
    }

    /// The cpu engine, the gpu engine on any adapter, and the torch engine, with their names, or why there is none.
    fn all(&self) -> [(&'static str, Found); 3] {
        let on_any = EngineOptions { engine: EngineChoice::Gpu, ..self.clone() };
        let missing = || Err(crate::engine::gpu::unavailable("no adapter".to_owned()));
        let gpu = on_any.gpu(Device::open).unwrap_or_else(missing);
        let gpu = gpu.map(|gpu| Arc::new(gpu) as Arc<dyn Engine>);
        [("cpu", Ok(Arc::new(Cpu::default()))), ("gpu", gpu), ("torch", self.torch())]
    }

    /// The torch engine.
    #[cfg(feature = "torch")]
    fn torch(&self) -> Result<Arc<dyn Engine>, EngineError> {
        let half = match self.settings.precision {
            PrecisionChoice::Auto => None,
            PrecisionChoice::F32 => Some(false),
            PrecisionChoice::F16 => Some(true),
        };
        Ok(Arc::new(
            crate::engine::torch::Torch::new(self.settings.device.as_deref(), half)?
                .with_scripts(&self.settings.scripts),
        ))
    }

    #[cfg(not(feature = "torch"))]
    fn torch(&self) -> Result<Arc<dyn Engine>, EngineError> {
        let reason = "this program is built without the feature torch (docs/TORCH.md)".to_owned();
        Err(EngineError::Unavailable { engine: "torch", reason })
    }

    /// The gpu engine, if requested, on the card that `open` opens (its argument: real cards only).
    fn gpu(&self, open: fn(bool) -> Result<Device, EngineError>) -> Option<Result<Gpu, EngineError>> {
        let device = match self.engine {
            EngineChoice::Cpu | EngineChoice::Torch => return None,
            EngineChoice::Auto => open(true),
            EngineChoice::Gpu => open(false),
        };
        Some(device.and_then(|device| {
            let precision = match self.settings.precision {
                PrecisionChoice::Auto if device.adapter.is_real() && device.has_half() => Precision::F16,
                PrecisionChoice::Auto | PrecisionChoice::F32 => Precision::F32,
                PrecisionChoice::F16 => Precision::F16,
            };
            Gpu::new(device, precision)
        }))
    }
}

fn device_of(gpu: Option<&Result<Gpu, EngineError>>) -> Option<Arc<Device>> {
    Some(gpu?.as_ref().ok()?.device().clone())
}

/// Any adapter, also one in software.
fn other_device(open: fn(bool) -> Result<Device, EngineError>) -> Option<Arc<Device>> {
    let opened = open(false).inspect_err(|error| tracing::info!("{error}; the picture keeps the network's size"));
    opened.ok().map(Arc::new)
}

/// What to play instead of what the preset says.
#[derive(Debug, clap::Args)]
struct Overrides {
    /// Play this network instead of the preset's: a file, or the name of one that ships or is yours
    #[arg(long, value_name = "FILE")]
    network: Option<PathBuf>,
    #[command(flatten)]
    engine: EngineOptions,
    /// Start from this seed instead of the preset's
    #[arg(long)]
    seed: Option<u32>,
}

impl Overrides {
    /// The options of the engine, which may open the network that the command line names.
    fn engine(&self, preset: Option<&str>) -> EngineOptions {
        let positional = preset.filter(|named| locate::is_network(named)).map(Path::new);
        let Some(named) = self.network.as_deref().or(positional) else { return self.engine.clone() };
        self.engine.trusting(&locate::network(named).unwrap_or_else(|_| named.to_owned()))
    }

    /// The show for a preset: the named one, or the first.
    fn show(&self, preset: Option<&str>, mode: Mode) -> anyhow::Result<Show> {
        let (engine, screen) = self.engine(preset).build_with_screen(mode);
        self.show_by(engine, screen, preset, mode)
    }

    /// As [`Overrides::show`], live, with the card that the window shares.
    fn show_in_window(&self, preset: Option<&str>) -> anyhow::Result<(Show, Option<Arc<Device>>)> {
        let (engine, device) = self.engine(preset).build_with_window();
        let show = self.show_by(engine, device.clone(), preset, Mode::Live)?;
        Ok((show, device.filter(|device| device.is_shared())))
    }

    /// The live show that a take or a snapshot leads to, as [`Overrides::show_in_window`]; with the take, and how many of its
    /// frames have been played.
    fn resume(&self, file: &Path, has_window: bool) -> anyhow::Result<(Show, Option<Arc<Device>>, Take, usize)> {
        let name = file.display();
        ensure!(self.network.is_none(), "--network does not go with {name}, which holds what was played");
        ensure!(self.seed.is_none(), "--seed does not go with {name}, which holds what was played");
        let take = Take::read(file)?;
        let places = take.locate()?;
        let (engine, device) =
            if has_window { self.engine.build_with_window() } else { self.engine.build_with_screen(Mode::Live) };
        self.engine.name_effects(&*engine)?;
        let frames = take.picture.unwrap_or(take.start).min(take.frames.len());
        let show = Show::resume(&take, frames, places, Library::open()?, (engine, device.clone()))?;
        Ok((show, device.filter(|device| device.is_shared()), take, frames))
    }

    fn show_by(
        &self,
        engine: Arc<dyn Engine>,
        screen: Option<Arc<Device>>,
        preset: Option<&str>,
        mode: Mode,
    ) -> anyhow::Result<Show> {
        self.engine.name_effects(&*engine)?;
        let (network, preset) = match (self.network.as_deref(), preset.filter(|named| locate::is_network(named))) {
            (Some(network), Some(named)) => {
                let network = network.display();
                bail!("two networks are given: {named} and --network {network}")
            }
            (None, Some(named)) => (Some(Path::new(named)), None),
            (network, None) => (network, preset),
        };
        let (library, preset) = presets(preset)?;
        let network = network.map(|network| locate::network_of(library.folders(), network)).transpose()?;
        let seed = self.seed;
        Ok(Show::new(crate::show::Options { library, preset, network, seed, engine, screen, mode })?)
    }
}

/// Checks the class that the command line names.
fn check_class(class: Option<f64>, network: &Network) -> anyhow::Result<()> {
    let (Some(class), classes) = (class, network.mapping.c_dim) else { return Ok(()) };
    let name = network.path.display();
    ensure!(classes > 0, "{name}: --class {class}, but the network has no classes");
    ensure!((0.0..=(classes - 1) as f64).contains(&class), "{name}: --class takes 0 to {}, got {class}", classes - 1);
    Ok(())
}

/// A progress bar on standard error; hidden if that is not a terminal.
fn progress(steps: u64) -> indicatif::ProgressBar {
    let style =
        indicatif::ProgressStyle::with_template("{bar:40.cyan/dim} {pos}/{len}  {per_sec:.1}  {eta} left  {msg}")
            .unwrap_or_else(|_| indicatif::ProgressStyle::default_bar());
    indicatif::ProgressBar::new(steps).with_style(style)
}

/// A flag that Ctrl-C or SIGTERM raises; a second one ends the program at once.
fn interrupted() -> Arc<AtomicBool> {
    static FLAG: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    let flag = FLAG.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let raised = flag.clone();
        let handler = ctrlc::set_handler(move || {
            if raised.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        });
        if let Err(error) = handler {
            tracing::warn!("Ctrl-C ends the program without finishing files: {error}");
        }
        flag
    });
    flag.clone()
}

/// `WxH` in pixels, each from 16 to 16384.
fn parse_size(text: &str) -> Result<(u32, u32), String> {
    let size = image::parse_size(text, 16..=16_384).map(Into::into);
    size.ok_or_else(|| format!("expected WIDTHxHEIGHT such as 1280x720, each 16 to 16384, got {text:?}"))
}

/// A loudness in dB of full scale, -80 to 0.
fn parse_gain(text: &str) -> Result<Gain, String> {
    let wrong = || format!("expected decibels from -80 to 0, such as -18, got {text:?}");
    text.trim().parse().ok().filter(|db| (-80.0..=0.0).contains(db)).map(Gain::Fixed).ok_or_else(wrong)
}

/// The library of presets, and the named preset or the first.
fn presets(name: Option<&str>) -> anyhow::Result<(Library, Preset)> {
    let library = Library::open()?;
    let preset = match name {
        Some(name) => library.load(name)?,
        None => library.first()?,
    };
    Ok((library, preset))
}
