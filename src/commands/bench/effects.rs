//! How long the up-scaler and each effect that ships take, at the sizes of projectors.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{median, ms, run_for};
use crate::engine::gpu::Device;
use crate::engine::surface::Surface;
use crate::image::Image;
use crate::patch::effects;
use crate::patch::folders::Kind;
use crate::patch::library::Library;
use crate::screen::chain::default_values;
use crate::screen::{Kernel, Link, Moment, Scaling, Screen, Workshop};

const SIZES: [[u32; 2]; 2] = [[1280, 720], [1920, 1080]];

/// The least number of pairs for a median.
const PAIRS: usize = 5;

/// What is compared with the linear up-scaler alone.
#[derive(Clone, Copy)]
struct Case<'a> {
    kernel: Kernel,
    limits_flashes: bool,
    /// The values of the chain's one effect, the first of which says whether it runs; empty without an effect.
    values: &'a [u32],
}

/// The linear up-scaler, then each other kernel in its place, the limit on flashes and each effect on top of it. Pictures
/// with and without what is measured take turns, so that a machine that has other work shows in both; every one is waited for.
///
/// # Errors
/// Without an adapter, or when one fails.
pub fn each(library: &Library, seconds: f64) -> anyhow::Result<()> {
    let device = Arc::new(Device::open(false)?);
    say!("effects   on {}", device.adapter);
    say!("{:<18} {:>10} {:>18}", "ms per picture", "1280x720", "1920x1080");
    let mut bench = Bench::new(device.clone())?;
    let linear = Case { kernel: Kernel::Linear, limits_flashes: false, values: &[] };
    let say_case = |bench: &mut Bench, name: &str, case: Case, built: &str| -> anyhow::Result<()> {
        let [low, high] = [bench.cost(SIZES[0], case, seconds)?, bench.cost(SIZES[1], case, seconds)?];
        say!("{name:<18} {low} {high}   {built}");
        Ok(())
    };
    let [low, high] = [bench.plain(SIZES[0], seconds)?, bench.plain(SIZES[1], seconds)?];
    say!("{:<18} {low:>10.2} {high:>18.2}", "scaler linear");
    say_case(&mut bench, "scaler edge", Case { kernel: Kernel::Edge, ..linear }, "")?;
    say_case(&mut bench, "scaler lanczos", Case { kernel: Kernel::Lanczos, ..linear }, "")?;
    say_case(&mut bench, "limit on flashes", Case { limits_flashes: true, ..linear }, "")?;
    let workshop = Workshop::new(device);
    for file in library.folders().files(Kind::Effect) {
        let shader = effects::load(&file)?;
        let started = Instant::now();
        let compiled = workshop.compile(&shader).map_err(anyhow::Error::msg)?;
        let built = format!("built in {:.0} ms", ms(started.elapsed()));
        let values = default_values(&compiled);
        bench.screen.set_chain(vec![Link { name: shader.name.clone(), compiled }]);
        say_case(&mut bench, &shader.name, Case { values: &values, ..linear }, &built)?;
    }
    Ok(())
}

/// A screen that draws the same picture of 256x256 again and again.
struct Bench {
    screen: Screen,
    painting: Surface,
    frame: u32,
    rgba: Vec<u8>,
}

/// What a case takes beyond the linear up-scaler alone in milliseconds, and its time divided by that one's.
struct Cost {
    more: f64,
    ratio: f64,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:>+10.2} ({:.2}x)", self.more, self.ratio)
    }
}

impl Bench {
    fn new(device: Arc<Device>) -> anyhow::Result<Bench> {
        let mut image = Image::new(3, 256, 256);
        image.data.iter_mut().enumerate().for_each(|(i, v)| *v = (i as f32 * 0.013).sin() * (i as f32 * 0.0007).cos());
        Ok(Bench { screen: Screen::new(device)?, painting: Surface::from(image), frame: 0, rgba: Vec::new() })
    }

    /// The median time of the linear up-scaler alone.
    fn plain(&mut self, size: [u32; 2], seconds: f64) -> anyhow::Result<f64> {
        let linear = Case { kernel: Kernel::Linear, limits_flashes: false, values: &[] };
        let mut millis = run_for(seconds, || self.draw(size, linear).map(drop))?;
        Ok(median(&mut millis))
    }

    fn cost(&mut self, size: [u32; 2], case: Case, seconds: f64) -> anyhow::Result<Cost> {
        let off: Vec<u32> = std::iter::once(0).chain(case.values.iter().skip(1).copied()).collect();
        let values = if case.values.is_empty() { &[] } else { off.as_slice() };
        let without = Case { kernel: Kernel::Linear, limits_flashes: false, values };
        // The first pictures make textures and compile shaders.
        for case in [case, without, case, without] {
            self.draw(size, case)?;
        }
        let (mut more, mut ratios) = (Vec::new(), Vec::new());
        let until = Instant::now() + Duration::from_secs_f64(seconds);
        while Instant::now() < until || more.len() < PAIRS {
            let (with, without) = (self.draw(size, case)?, self.draw(size, without)?);
            more.push(with - without);
            ratios.push(with / without);
        }
        Ok(Cost { more: median(&mut more), ratio: median(&mut ratios) })
    }

    /// Milliseconds until a picture has been drawn and read.
    fn draw(&mut self, size: [u32; 2], case: Case) -> anyhow::Result<f64> {
        let started = Instant::now();
        self.frame += 1;
        let scaling = Scaling {
            size,
            kernel: case.kernel,
            zoom: 1.0,
            sharpness: 0.4,
            limits_flashes: case.limits_flashes,
            ..Scaling::default()
        };
        let moment = Moment {
            secs: f64::from(self.frame) / 60.0,
            dt: 1.0 / 60.0,
            bpm: 120.0,
            frame: self.frame,
            ..Moment::default()
        };
        let number = Some(self.frame.into());
        self.screen.draw([&mut self.painting, &mut Surface::default()], &scaling, case.values, moment, number)?;
        self.screen.read(&mut self.rgba)?;
        Ok(ms(started.elapsed()))
    }
}
