//! `bench`: how fast this machine plays a network.

mod effects;
mod engines;
mod latent;
mod layers;
mod painting;
mod recording;
mod sound;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::ensure;
use clap::ValueEnum;

use super::{EngineChoice, EngineOptions, EngineSettings};
use crate::control::{Event, Source, Write};
use crate::engine::gpu::Device;
use crate::engine::{Engine, Inputs};
use crate::image::Image;
use crate::network::stylegan3::{self, Config};
use crate::network::{self, Network, stylegan2};
use crate::params::{Id, Kind, Value};
use crate::patch::library::Library;
use crate::patch::locate;
use crate::patch::preset::Preset;
use crate::show::{Mode, Show};

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The network to play [default: the one of the first preset]
    #[arg(long, value_name = "FILE", conflicts_with = "random")]
    network: Option<PathBuf>,
    /// Use a StyleGAN2 (or 3) with random weights: resolution, channel base, maximum channels
    #[arg(long, value_name = "RES,BASE,MAX", value_parser = parse_sizes)]
    random: Option<[usize; 3]>,
    /// Make it a StyleGAN3 of this configuration
    #[arg(long, value_enum, requires = "random")]
    stylegan3: Option<Config>,
    /// Also measure a style network, alone and over the network's pictures
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "painters8", conflicts_with = "random")]
    style: Option<PathBuf>,
    /// Size of its paintings in pixels
    #[arg(long, default_value_t = 256, value_name = "PX", value_parser = painting_side)]
    style_size: u16,
    /// Only measure the up-scaler and each effect that ships, at 1280x720 and 1920x1080
    #[arg(long)]
    effects: bool,
    /// Also measure the time from a sound to the picture that shows it
    #[arg(long, conflicts_with_all = ["random", "effects"])]
    audio: bool,
    /// Only measure what recording costs: the first preset, with and without it in turn
    #[arg(long, conflicts_with_all = ["random", "effects", "audio", "style"])]
    record: bool,
    /// Only measure what directions, mixing and bends cost a frame, beside none, in turn
    #[arg(long, conflicts_with_all = ["random", "effects", "audio", "record", "style"])]
    latent: bool,
    /// What computes the pictures: auto, cpu, gpu, torch; or all, which compares these three in one table
    #[arg(long, value_parser = compared, default_value = "auto", value_name = "ENGINE")]
    engine: Compared,
    #[command(flatten)]
    settings: EngineSettings,
    /// Duration of each measurement
    #[arg(long, default_value_t = 5.0, value_name = "S")]
    seconds: f64,
}

/// One engine, or all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Compared {
    One(EngineChoice),
    All,
}

/// The name of an engine, or `all`.
fn compared(text: &str) -> Result<Compared, String> {
    if text == "all" {
        return Ok(Compared::All);
    }
    let known = EngineChoice::from_str(text, false);
    known.map(Compared::One).map_err(|_| format!("takes auto, cpu, gpu, torch or all, got {text:?}"))
}

impl Options {
    fn engine(&self) -> EngineOptions {
        let engine = match self.engine {
            Compared::One(engine) => engine,
            Compared::All => EngineChoice::default(),
        };
        let options = EngineOptions { engine, settings: self.settings.clone() };
        self.network.as_deref().map_or(options.clone(), |network| options.trusting(network))
    }
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    ensure!(options.seconds > 0.0, "--seconds takes more than 0, got {}", options.seconds);
    let (library, mut preset) = super::presets(None)?;
    if options.effects {
        return effects::each(&library, options.seconds);
    }
    if options.record {
        preset.network = options.network.as_deref().map(locate::network).transpose()?.or(preset.network);
        return recording::cost(preset, library, options);
    }
    if options.latent {
        let network = options.network.as_deref().map(locate::network).transpose()?.or(preset.network);
        let Some(network) = network else {
            anyhow::bail!("the first preset names no network; give one with --network")
        };
        return latent::cost(network, library, options);
    }
    preset.network = options.network.as_deref().map(locate::network).transpose()?.or(preset.network);
    let open = |engine: &dyn Engine| -> anyhow::Result<Network> {
        Ok(match (&options.random, &preset.network) {
            (Some([resolution, base, max]), _) if let Some(config) = options.stylegan3 => {
                stylegan3::random(config, *resolution, *base, *max, 512)
            }
            (Some([resolution, base, max]), _) => stylegan2::random(*resolution, *base, *max, 512, 0),
            (None, Some(network)) => network::open_by(engine, network)?,
            (None, None) => anyhow::bail!("the first preset names no network; give one with --network"),
        })
    };
    if options.engine == Compared::All {
        return engines::compare(options.engine().all(), open, options.seconds);
    }
    let engine = options.engine().build();
    let started = Instant::now();
    let network = open(&*engine)?;
    let opened = started.elapsed();
    let gmac = network.plan.macs() as f64 / 1e9;
    report!("network   {} · {:.2} GMAC per picture · {} engine", network.name, gmac, engine.name());
    picture_time(&network, &*engine, opened, options.seconds)?;
    if let Some(Ok(gpu)) = options.engine().gpu(Device::open) {
        layers::on_the_gpu(&network, &gpu, options.seconds)?;
    } else if engine.name() == "cpu" {
        layers::on_the_processor(&network)?;
    }
    if let Some(style) = &options.style {
        painting::alone(style, options.style_size.into(), &*engine, options.seconds)?;
        painting::show(preset.clone(), library.clone(), style, options.style_size, options)?;
    }
    if options.random.is_none() {
        knob_to_picture(preset.clone(), library.clone(), options)?;
    }
    if options.audio {
        sound::to_picture(preset, library, options)?;
    }
    Ok(())
}

fn picture_time(network: &Network, engine: &dyn Engine, opened: Duration, seconds: f64) -> anyhow::Result<()> {
    let started = Instant::now();
    let mut program = engine.prepare(network.plan.clone())?;
    let prepared = started.elapsed();
    let mut ws = vec![0.0; network.plan.num_ws * network.plan.w_dim];
    let z = crate::latent::seed::z_from_seed(85, ws.len());
    let mut image = Image::default();
    let mut run = |turn: usize| -> anyhow::Result<()> {
        // A different picture each time, as on stage.
        ws.iter_mut().zip(z.iter().cycle().skip(turn % 97)).for_each(|(w, z)| *w = *z);
        Ok(program.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut image)?)
    };
    let started = Instant::now();
    run(0)?;
    let first = ms(started.elapsed());
    let mut turn = 0;
    let mut millis = run_for(seconds, || {
        turn += 1;
        run(turn)
    })?;
    report!("load      open {:.0} ms, prepare {:.0} ms, first picture {first:.1} ms", ms(opened), ms(prepared));
    report!("picture   {}", percentiles(&mut millis));
    let median = millis[millis.len() / 2];
    let gmac = network.plan.macs() as f64 / 1e9;
    report!("rate      {:.1} pictures/s, {:.1} GMAC/s", 1e3 / median, gmac / median * 1e3);
    Ok(())
}

/// Calls for `seconds`, and at least five times; returns the milliseconds of each call. The first three, which touch
/// memory for the first time, are left out.
fn run_for(seconds: f64, mut call: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Vec<f64>> {
    let mut millis = Vec::new();
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    while Instant::now() < until || millis.len() < 8 {
        let started = Instant::now();
        call()?;
        millis.push(ms(started.elapsed()));
    }
    millis.drain(..3);
    Ok(millis)
}

/// The middle one; sorts them.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// One of the sizes of `/style/size`.
fn painting_side(text: &str) -> Result<u16, String> {
    let Kind::Choice { options, .. } = Id::StyleSize.def().kind else { return Err("no sizes".to_owned()) };
    let known = options.contains(&text).then(|| text.parse().ok()).flatten();
    known.ok_or_else(|| format!("takes {}, got {text:?}", options.join(", ")))
}

/// `RES,BASE,MAX`: a power of two from 8 to 2048, and two numbers of channels.
fn parse_sizes(text: &str) -> Result<[usize; 3], String> {
    let numbers: Option<Vec<usize>> = text.split(',').map(|n| n.trim().parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[resolution @ 8..=2048, base @ 1..=262_144, max @ 1..=4096])
            if resolution.is_power_of_two() && base >= resolution =>
        {
            Ok([resolution, base, max])
        }
        _ => Err(format!("expected three numbers such as 256,8192,256 (the first a power of two), got {text:?}")),
    }
}

/// Time from moving a knob to a finished picture that shows it, in a live show.
fn knob_to_picture(preset: Preset, library: Library, options: &Options) -> anyhow::Result<()> {
    let mut show = Show::new(crate::show::Options {
        library,
        preset,
        network: None,
        seed: Some(85),
        engine: options.engine().build(),
        screen: None,
        mode: Mode::Live,
    })?;
    show.step(0.0, &[set(Id::WalkKind, Value::Text("hold".to_owned()))]);
    let mut millis = Vec::new();
    let until = Instant::now() + Duration::from_secs_f64(options.seconds);
    while Instant::now() < until || millis.len() < 8 {
        settle(&mut show);
        let psi = if millis.len() % 2 == 0 { 1.0 } else { 0.5 };
        let before = show.picture().map(|p| p.serial);
        let started = Instant::now();
        show.step(0.016, &[set(Id::Psi, Value::Float(psi))]);
        while show.picture().map(|p| p.serial) == before {
            std::thread::sleep(Duration::from_micros(200));
            show.step(0.0, &[]);
        }
        millis.push(started.elapsed().as_secs_f64() * 1e3);
    }
    report!("knob      {} from the event to the finished picture", percentiles(&mut millis));
    Ok(())
}

/// A write from outside.
fn set(id: Id, value: Value) -> Event {
    Event::Write(Write { target: id.into(), value, source: Source::Osc })
}

/// Steps until the picture of a held walk is stable, so that the next picture shows the next event.
fn settle(show: &mut Show) {
    let mut quiet = 0;
    let mut last = None;
    while quiet < 100 {
        show.step(0.1, &[]);
        let serial = show.picture().map(|p| p.serial);
        quiet = if serial == last && serial.is_some() { quiet + 1 } else { 0 };
        last = serial;
        std::thread::sleep(Duration::from_micros(300));
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Sorts some milliseconds and formats them as `p50 … p95 … p99 …`.
fn percentiles(millis: &mut [f64]) -> String {
    millis.sort_by(f64::total_cmp);
    let at = |q: f64| millis[((millis.len() - 1) as f64 * q).round() as usize];
    format!("p50 {:.2} ms  p95 {:.2} ms  p99 {:.2} ms  ({} measured)", at(0.5), at(0.95), at(0.99), millis.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_three_numbers() {
        assert_eq!(parse_sizes("256,8192,256"), Ok([256, 8192, 256]));
        for wrong in ["", "256", "255,8192,256", "256,8192", "256,16,16", "256,8192,0", "a,b,c"] {
            assert!(parse_sizes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_engine_is_one_or_all() {
        assert_eq!(compared("all"), Ok(Compared::All));
        assert_eq!(compared("torch"), Ok(Compared::One(EngineChoice::Torch)));
        assert!(compared("tpu").is_err());
    }

    #[test]
    fn a_painting_has_a_size_of_the_table() {
        assert_eq!(painting_side("256"), Ok(256));
        for wrong in ["", "255", "256.0", "1024"] {
            assert!(painting_side(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn percentiles_are_of_the_sorted_values() {
        let mut millis: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!(percentiles(&mut millis), "p50 50.00 ms  p95 95.00 ms  p99 99.00 ms  (101 measured)");
    }
}
