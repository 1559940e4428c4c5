//! `bench --engine all`: every engine on one network, in one table.

use std::time::{Duration, Instant};

use super::super::Found;
use super::{median, ms, run_for};
use crate::engine::{Engine, EngineError, Inputs};
use crate::image::Image;
use crate::latent::seed::z_from_seed;
use crate::network::Network;

/// What one engine was measured to take.
struct Row {
    engine: &'static str,
    prepare: Duration,
    /// Milliseconds of each picture, sorted.
    millis: Vec<f64>,
    /// The largest difference of a picture from that of the first engine, in −1..1.
    difference: f32,
}

/// Measures each engine for `seconds` on the network that `open` opens, and says how much faster it is than libtorch.
///
/// # Errors
/// When none of them can open or play the network.
pub fn compare(
    engines: [(&'static str, Found); 3],
    open: impl Fn(&dyn Engine) -> anyhow::Result<Network>,
    seconds: f64,
) -> anyhow::Result<()> {
    let network = &opened(&engines, open)?;
    let gmac = network.plan.macs() as f64 / 1e9;
    // What is inside a TorchScript module is its own affair.
    let work = if gmac > 0.0 { format!("{gmac:.2} GMAC per picture") } else { network.kind.to_string() };
    report!("network   {} · {work}", network.name);
    let (mut rows, mut missing, mut first) = (Vec::new(), Vec::new(), None);
    for (name, engine) in engines {
        let row = engine.and_then(|engine| measure(network, &*engine, seconds, &mut first));
        match row {
            Ok(row) => rows.push(row),
            Err(error) => missing.push((name, error)),
        }
    }
    anyhow::ensure!(!rows.is_empty(), "no engine plays {}", network.name);
    let torch = rows.iter().find(|row| row.engine.starts_with("torch")).map(|row| row.at(0.5));
    report!(
        "{:<16} {:>11} {:>10} {:>10} {:>11} {:>11} {:>12}",
        "engine",
        "prepare ms",
        "p50 ms",
        "p95 ms",
        "pictures/s",
        "x torch",
        "difference"
    );
    for row in &rows {
        let times = torch.map_or_else(|| "-".to_owned(), |torch| format!("{:.2}", torch / row.at(0.5)));
        report!(
            "{:<16} {:>11.0} {:>10.2} {:>10.2} {:>11.1} {times:>11} {:>12.1e}",
            row.engine,
            ms(row.prepare),
            row.at(0.5),
            row.at(0.95),
            1e3 / row.at(0.5),
            row.difference
        );
    }
    for (name, error) in missing {
        report!("{name:<16} {error}");
    }
    Ok(())
}

/// The network, opened by the first engine that can: only one of them opens TorchScript modules.
fn opened(
    engines: &[(&'static str, Found)],
    open: impl Fn(&dyn Engine) -> anyhow::Result<Network>,
) -> anyhow::Result<Network> {
    let mut last = anyhow::anyhow!("no engine opens it");
    for engine in engines.iter().filter_map(|(_, engine)| engine.as_ref().ok()) {
        match open(&**engine) {
            Ok(network) => return Ok(network),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl Row {
    fn at(&self, share: f64) -> f64 {
        self.millis[((self.millis.len() - 1) as f64 * share).round() as usize]
    }
}

/// Plays the same pictures as on every other engine, the first of which is kept in `first`.
fn measure(
    network: &Network,
    engine: &dyn Engine,
    seconds: f64,
    first: &mut Option<Image>,
) -> Result<Row, EngineError> {
    let started = Instant::now();
    let mut program = engine.prepare(network.plan.clone())?;
    let prepare = started.elapsed();
    let mut ws = vec![0.0; network.plan.num_ws * network.plan.w_dim];
    let z = z_from_seed(85, ws.len().max(1));
    let (mut image, mut turn) = (Image::default(), 0);
    let mut play = |turn: usize, image: &mut Image| {
        ws.iter_mut().zip(z.iter().cycle().skip(turn % 97)).for_each(|(w, z)| *w = *z);
        program.draw(&Inputs { ws: &ws, ..Inputs::default() }, image)
    };
    play(0, &mut image)?;
    let differences =
        |first: &Image| image.data.iter().zip(&first.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let difference = first.as_ref().map_or(0.0, differences);
    if first.is_none() {
        *first = Some(image.clone());
    }
    let mut failed = None;
    let measured = run_for(seconds, || {
        turn += 1;
        play(turn, &mut image).map_err(|error| {
            let line = error.to_string();
            failed = Some(error);
            anyhow::Error::msg(line)
        })
    });
    if let Some(error) = failed {
        return Err(error);
    }
    let mut millis = measured.unwrap_or_default();
    median(&mut millis);
    Ok(Row { engine: program.engine(), prepare, millis, difference })
}
