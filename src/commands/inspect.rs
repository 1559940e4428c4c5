//! `inspect`: what a network file holds, and whether it will play.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::EngineChoice;
use crate::engine::{Image, Inputs};
use crate::network::{self, Network};
use crate::patch::locate;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The network: a file, or the name of one in presets/networks
    network: PathBuf,
    #[arg(long, value_enum, default_value_t)]
    engine: EngineChoice,
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let file = locate::network(&options.network)?;
    let network = network::open(&file)?;
    describe(&network);
    let engine = options.engine.build();
    let mut program = engine.prepare(network.plan.clone())?;
    let mut ws = Vec::new();
    let mapping = &network.mapping;
    mapping.truncate(&mapping.w_avg, 1.0, usize::MAX, &mut ws);
    let mut image = Image::default();
    let mut fastest = Duration::MAX;
    for _ in 0..4 {
        let started = Instant::now();
        program.run(&Inputs { ws: &ws, ..Inputs::default() }, &mut image)?;
        fastest = fastest.min(started.elapsed());
    }
    println!(
        "plays        yes: about {:.0} pictures/s with the {} engine here",
        1.0 / fastest.as_secs_f64(),
        engine.name()
    );
    Ok(())
}

fn describe(network: &Network) {
    let summary = network.summary();
    let line = |name: &str, value: String| println!("{name:<12} {value}");
    line("file", network.path.display().to_string());
    line("kind", format!("{}, {}", summary.kind, summary.architecture));
    line("picture", format!("{0} x {0}, {1} channels", summary.img_resolution, summary.img_channels));
    line("latents", format!("z {}, w {}, {} ws", summary.z_dim, summary.w_dim, summary.num_ws));
    let names = network.class_names.join(", ");
    line(
        "classes",
        if names.is_empty() { summary.classes.to_string() } else { format!("{} ({names})", summary.classes) },
    );
    line("layers", format!("{} mapping, {} synthesis", summary.mapping_layers, summary.synthesis_layers));
    line("size", format!("{:.2} M numbers, {:.1} MB", summary.parameters as f64 / 1e6, summary.bytes as f64 / 1e6));
    line("work", format!("{:.2} GFLOP a picture", summary.gflop));
    for key in ["dataset", "licence", "images"] {
        if let Some(value) = network.metadata.get(key).filter(|value| !value.is_empty()) {
            line(key, value.clone());
        }
    }
    for warning in &network.warnings {
        line("warning", warning.clone());
    }
}
