//! `inspect`: what a network file holds, whether it plays, and how fast.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::EngineOptions;
use crate::engine::bend;
use crate::engine::plan::Script;
use crate::engine::score::Discriminator;
use crate::engine::surface::Surface;
use crate::engine::{Engine, EngineError, Inputs, Program};
use crate::image::Image;
use crate::network::checkpoint::Checkpoint;
use crate::network::style_transfer::StyleNetwork;
use crate::network::{self, Kind, Network, NetworkError};
use crate::patch::locate;

/// Side of the picture that a style network is timed on, in pixels.
const PAINTING: usize = 256;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The network: a file, or the name of one that ships or is yours
    network: PathBuf,
    #[command(flatten)]
    engine: EngineOptions,
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let file = locate::network(&options.network)?;
    let options = options.engine.trusting(&file);
    let engine = options.build();
    let network = match network::open_by(&*engine, &file) {
        Err(NetworkError::Unsupported { .. }) if is_style(&file) => return style(&file, &*engine),
        Err(NetworkError::Unsupported { .. }) if let Ok(script) = engine.script(&file) => {
            return effect(script, &*engine);
        }
        opened => opened?,
    };
    describe(&network);
    if network.kind != Kind::TorchScript {
        describe_judge(&file);
    }
    let mut ws = Vec::new();
    let mapping = &network.mapping;
    mapping.truncate(&mapping.w_avg, 1.0, usize::MAX, &mut ws);
    let inputs = Inputs { ws: &ws, ..Inputs::default() };
    for engine in options.each() {
        let tried = engine.prepare(network.plan.clone()).and_then(|mut program| rate(&mut *program, &inputs));
        match tried {
            Ok(rate) => report!("plays        yes: about {rate:.1} pictures/s with the {} engine here", engine.name()),
            Err(error) => report!("plays        no with the {} engine: {error}", engine.name()),
        }
    }
    Ok(())
}

/// Describes the discriminator; a broken one does not prevent playing.
fn describe_judge(file: &Path) {
    let text = match Discriminator::open(file) {
        Ok(Some(judge)) => format!(
            "yes: {} discriminator, {:.2} M parameters (generate --score)",
            judge.architecture,
            judge.parameters() as f64 / 1e6
        ),
        Ok(None) => "no discriminator in this file".to_owned(),
        Err(error) => format!("no: {error}"),
    };
    report!("{:<12} {text}", "scores");
}

/// Pictures per second, from the fastest of a few.
fn rate(program: &mut dyn Program, inputs: &Inputs) -> Result<f64, EngineError> {
    let mut image = Image::default();
    let mut fastest = Duration::MAX;
    for _ in 0..4 {
        let started = Instant::now();
        program.draw(inputs, &mut image)?;
        fastest = fastest.min(started.elapsed());
    }
    Ok(1.0 / fastest.as_secs_f64())
}

fn is_style(file: &Path) -> bool {
    Checkpoint::open(file).is_ok_and(|checkpoint| StyleNetwork::recognises(&checkpoint))
}

/// Describes a style network, and times it on a 256 x 256 picture.
fn style(file: &Path, engine: &dyn Engine) -> anyhow::Result<()> {
    let network = StyleNetwork::open(file)?;
    let plan = Arc::new(network.plan_for(PAINTING, PAINTING));
    report!("file         {}", file.display());
    report!(
        "kind         style network, {}",
        if network.styles.len() == 1 { "one style" } else { "conditional instance norm" }
    );
    for (i, style) in network.styles.iter().enumerate() {
        let credit = [&style.artist, &style.title].into_iter().filter(|text| !text.is_empty());
        let credit: Vec<&str> = credit.map(String::as_str).collect();
        report!("style {i:<6} {}  {}", style.name, credit.join(", "));
    }
    report!("size         {:.2} M parameters", plan.parameters() as f64 / 1e6);
    report!("work         {:.2} GFLOP per {PAINTING} x {PAINTING} painting", plan.macs() as f64 * 2.0 / 1e9);
    let mut program = engine.prepare(plan)?;
    let mut weights = vec![0.0; network.styles.len()];
    weights[0] = 1.0;
    let picture = Surface::from(Image::new(3, PAINTING, PAINTING));
    let rate = rate(&mut *program, &Inputs { image: Some(&picture), styles: &weights, ..Inputs::default() })?;
    report!("plays        yes: about {rate:.0} paintings/s with the {} engine here", engine.name());
    Ok(())
}

/// Describes a TorchScript effect, and times it on a 256 x 256 picture, or the one size that it takes.
fn effect(script: Script, engine: &dyn Engine) -> anyhow::Result<()> {
    report!("file         {}", script.file.display());
    report!("kind         TorchScript effect, {} -> {}", script.words(), script.gives_words());
    report!("range        {}", script.range);
    report!("forward      {}", script.declaration);
    report!("size         {:.2} M parameters", script.parameters as f64 / 1e6);
    let (side, knobs, takes) = (script.side.unwrap_or(PAINTING), vec![0.5; script.knobs], script.takes);
    let mut program = engine.prepare(Arc::new(Arc::new(script).effect("effect", [side, side])))?;
    let picture = Surface::from(Image::new(takes, side, side));
    let rate = rate(&mut *program, &Inputs { image: Some(&picture), ws: &knobs, ..Inputs::default() })?;
    report!("plays        yes: about {rate:.0} pictures/s of {side} x {side} with the {} engine here", engine.name());
    Ok(())
}

fn describe(network: &Network) {
    let summary = network.summary();
    let line = |name: &str, value: String| report!("{name:<12} {value}");
    line("file", network.path.display().to_string());
    line("kind", format!("{}, {}", summary.kind, summary.architecture));
    let [height, width] = network.picture_size();
    line("picture", format!("{width} x {height}, {} channels", summary.img_channels));
    line("latents", format!("z {}, w {}, {} ws", summary.z_dim, summary.w_dim, summary.num_ws));
    let names = network.class_names.join(", ");
    line(
        "classes",
        if names.is_empty() { summary.classes.to_string() } else { format!("{} ({names})", summary.classes) },
    );
    let mapping = match summary.mapping_layers {
        0 => "no mapping network (z is the w)".to_owned(),
        layers => format!("{layers} mapping"),
    };
    line("layers", format!("{mapping}, {} synthesis", summary.synthesis_layers));
    let bent = bend::layers(&network.plan).into_iter().enumerate();
    let bent: Vec<String> = bent.map(|(number, layer)| format!("{number} {}", layer.name)).collect();
    line("bends", if bent.is_empty() { "none".to_owned() } else { bent.join(", ") });
    // What is inside a TorchScript module is its own affair.
    if summary.parameters > 0 {
        let (parameters, bytes) = (summary.parameters as f64 / 1e6, summary.bytes as f64 / 1e6);
        line("size", format!("{parameters:.2} M parameters, {bytes:.1} MB"));
        line("work", format!("{:.2} GFLOP per picture", summary.gflop));
    }
    for key in ["dataset", "licence", "images", "range", "forward"] {
        if let Some(value) = network.metadata.get(key).filter(|value| !value.is_empty()) {
            line(key, value.clone());
        }
    }
    for warning in &network.warnings {
        line("warning", warning.clone());
    }
}
