//! How fast a style network paints: alone, and in a whole show over the network's picture.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use super::{Options, percentiles, run_for};
use crate::control::{Event, Source, Write};
use crate::engine::surface::Surface;
use crate::engine::{Engine, Inputs};
use crate::image::Image;
use crate::network::style_transfer::StyleNetwork;
use crate::params::{Id, Value};
use crate::patch::library::Library;
use crate::patch::locate;
use crate::patch::preset::Preset;
use crate::show::{Mode, Show};

/// Measures the style network `file` on pictures of `side` x `side`.
///
/// # Errors
/// When it is not a style network, or the engine cannot run it.
pub fn alone(file: &Path, side: usize, engine: &dyn Engine, seconds: f64) -> anyhow::Result<()> {
    let network = StyleNetwork::open(&locate::network(file)?)?;
    let plan = Arc::new(network.plan_for(side, side));
    let gmac = plan.macs() as f64 / 1e9;
    let mut program = engine.prepare(plan)?;
    let mut image = Image::new(3, side, side);
    image.data.iter_mut().enumerate().for_each(|(i, v)| *v = (i as f32 * 0.01).sin());
    let mut styles = vec![0.0; network.styles.len()];
    styles[0] = 1.0;
    let (image, mut out) = (Surface::from(image), Image::default());
    let mut millis = run_for(seconds, || {
        let inputs = Inputs { image: Some(&image), styles: &styles, ..Inputs::default() };
        Ok(program.draw(&inputs, &mut out)?)
    })?;
    report!("style     {} at {side} x {side} · {gmac:.2} GMAC per picture", network.name);
    report!("painting  {}", percentiles(&mut millis));
    Ok(())
}

/// Measures whole frames: walk, mapping, network, style loop with feedback, and the finished 8-bit picture.
///
/// # Errors
/// When the preset cannot be played.
pub fn show(preset: Preset, library: Library, file: &Path, side: u16, options: &Options) -> anyhow::Result<()> {
    let mut show = Show::new(crate::show::Options {
        library,
        preset,
        network: None,
        seed: Some(85),
        engine: options.engine().build(),
        screen: None,
        mode: Mode::Offline,
    })?;
    let set = |id: Id, value: String| {
        Event::Write(Write { target: id.into(), value: Value::Text(value), source: Source::Preset })
    };
    let network = file.to_string_lossy().into_owned();
    show.step(0.0, &[set(Id::StyleNetwork, network), set(Id::StyleSize, side.to_string())]);
    let mut last = Instant::now();
    let mut millis = run_for(options.seconds, || {
        show.step(std::mem::replace(&mut last, Instant::now()).elapsed().as_secs_f64(), &[]);
        Ok(())
    })?;
    let figures = percentiles(&mut millis);
    let rate = 1e3 / millis[millis.len() / 2];
    report!("show      {figures} per frame with {}: {rate:.1} pictures/s", show.network().name);
    Ok(())
}
