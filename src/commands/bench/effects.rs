//! How long the up-scaler and each effect that ships take, at the sizes of projectors.

use std::sync::Arc;
use std::time::Instant;

use super::{ms, run_for};
use crate::engine::gpu::Device;
use crate::engine::surface::Surface;
use crate::image::Image;
use crate::patch::effects;
use crate::patch::folders::Kind;
use crate::patch::library::Library;
use crate::screen::chain::default_values;
use crate::screen::{Kernel, Link, Moment, Scaling, Screen, Workshop};

const SIZES: [[u32; 2]; 2] = [[1280, 720], [1920, 1080]];

/// Measures each kernel of the up-scaler alone, then the limit on flashes and each effect on top of the linear one. Every picture is waited for.
///
/// # Errors
/// Without an adapter, or when one fails.
pub fn each(library: &Library, seconds: f64) -> anyhow::Result<()> {
    let device = Arc::new(Device::open(false)?);
    say!("effects   on {}; milliseconds per picture, median", device.adapter);
    let mut screen = Screen::new(device.clone())?;
    let workshop = Workshop::new(device.clone());
    let mut image = Image::new(3, 256, 256);
    image.data.iter_mut().enumerate().for_each(|(i, v)| *v = (i as f32 * 0.013).sin() * (i as f32 * 0.0007).cos());
    let mut painting = Surface::from(image);
    let mut frame = 0;
    let mut measure = |screen: &mut Screen, kernel, values: &[u32], limits_flashes| -> anyhow::Result<[f64; 2]> {
        let mut medians = [0.0; 2];
        for (size, median) in SIZES.into_iter().zip(&mut medians) {
            let scaling = Scaling { size, kernel, zoom: 1.0, sharpness: 0.4, limits_flashes, ..Scaling::default() };
            let mut rgba = Vec::new();
            let mut millis = run_for(seconds, || {
                frame += 1;
                let moment =
                    Moment { secs: f64::from(frame) / 60.0, dt: 1.0 / 60.0, bpm: 120.0, frame, ..Moment::default() };
                screen.draw([&mut painting, &mut Surface::default()], &scaling, values, moment, Some(frame.into()))?;
                screen.read(&mut rgba)?;
                Ok(())
            })?;
            millis.sort_by(f64::total_cmp);
            *median = millis[millis.len() / 2];
        }
        Ok(medians)
    };
    say!("{:<24} {:>10} {:>10}", "", "1280x720", "1920x1080");
    let mut plain = [0.0; 2];
    for (kernel, name) in [(Kernel::Lanczos, "lanczos"), (Kernel::Edge, "edge"), (Kernel::Linear, "linear")] {
        plain = measure(&mut screen, kernel, &[], false)?;
        say!("scaler {name:<17} {:>10.2} {:>10.2}", plain[0], plain[1]);
    }
    let [low, high] = measure(&mut screen, Kernel::Linear, &[], true)?;
    say!("{:<24} {:>10.2} {:>10.2}", "limit on flashes", low - plain[0], high - plain[1]);
    for file in library.folders().files(Kind::Effect) {
        let shader = effects::load(&file)?;
        let started = Instant::now();
        let compiled = workshop.compile(&shader).map_err(anyhow::Error::msg)?;
        let built = ms(started.elapsed());
        let values = default_values(&compiled);
        screen.set_chain(vec![Link { name: shader.name.clone(), compiled }]);
        let [low, high] = measure(&mut screen, Kernel::Linear, &values, false)?;
        let [low, high] = [low - plain[0], high - plain[1]];
        say!("{:<24} {low:>10.2} {high:>10.2}   built in {built:.0} ms", shader.name);
    }
    Ok(())
}
