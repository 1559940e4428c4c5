//! Does the style loop stay alive, never black, white, grey, noisy or still, whatever the settings?
#![allow(clippy::print_stdout, reason = "the figures are worth reading with --nocapture")]

use crate::common::skip_gpu;
use std::path::Path;
use std::sync::Arc;

use latent_jockey::commands::style::measure::detail;
use latent_jockey::effects::style::balance::mean_and_deviation;
use latent_jockey::effects::style::{Keep, StyleLoop, StyleSettings};
use latent_jockey::engine::Engine;
use latent_jockey::engine::canvas::Canvas;
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::gpu::{Device, Gpu, GpuCanvas, Precision};
use latent_jockey::engine::surface::Surface;
use latent_jockey::image::Image;
use latent_jockey::network::style_transfer::StyleNetwork;
use latent_jockey::patch::locate;

/// Frames per second of the show.
const FPS: f32 = 12.0;

/// A soft, slowly moving picture.
fn garden(frame: usize) -> Image {
    let t = frame as f32 / FPS;
    let mut image = Image::new(3, 64, 64);
    for (i, value) in image.data.iter_mut().enumerate() {
        let (x, y, c) = ((i % 64) as f32 / 64.0, (i / 64 % 64) as f32 / 64.0, (i / 4096) as f32);
        *value = 0.6 * (7.0 * x + 0.3 * t + c).sin() * (5.0 * y - 0.2 * t + 2.0 * c).cos() + 0.2 * (c - 1.0);
    }
    image
}

fn black(_: usize) -> Image {
    let mut image = Image::new(3, 64, 64);
    image.data.fill(-1.0);
    image
}

type Content = fn(usize) -> Image;

/// A bundled network, and settings that drive the loop to its extremes.
struct Extreme(&'static str, &'static str, StyleSettings, Content);

fn extremes() -> Vec<Extreme> {
    // The painting everywhere, also where the picture is black.
    let plain = StyleSettings { size: 64, dark: 0.0, dt_secs: 1.0 / FPS, ..StyleSettings::default() };
    let alone = StyleSettings { feedback: 1.0, ..plain };
    let light = StyleSettings { keep: 1.0, keep_what: Keep::Light, ..plain };
    let painters = |name, settings, content| Extreme("painters8", name, settings, content);
    let many = |name, settings, content| Extreme("multistyle26", name, settings, content);
    vec![
        painters("the defaults", plain, garden),
        painters("feedback alone, flying in", StyleSettings { zoom: 1.5, a: 2, ..alone }, garden),
        painters("feedback alone, flying out", StyleSettings { zoom: 0.5, a: 5, ..alone }, garden),
        painters("feedback alone, eight passes", StyleSettings { passes: 8, a: 4, ..alone }, garden),
        painters("spinning", StyleSettings { feedback: 0.9, rotate: 180.0, x: 1.0, y: -1.0, a: 6, ..plain }, garden),
        painters("eight passes", StyleSettings { feedback: 0.6, passes: 8, a: 3, ..plain }, garden),
        painters(
            "the picture's colours",
            StyleSettings { feedback: 0.8, b: 4, blend: 0.5, keep: 1.0, ..plain },
            garden,
        ),
        painters("the picture's light", StyleSettings { feedback: 1.0, a: 5, ..light }, garden),
        painters("no network", StyleSettings { passes: 0, zoom: 1.3, ..alone }, garden),
        painters("over black", StyleSettings { feedback: 0.95, a: 1, ..plain }, black),
        painters("seldom painted", StyleSettings { feedback: 0.8, every: 5, a: 7, ..plain }, garden),
        many("the defaults", StyleSettings { a: 19, ..plain }, garden),
        many("feedback alone, the palest", StyleSettings { zoom: 1.5, a: 8, ..alone }, garden),
        many("feedback alone, the darkest, eight passes", StyleSettings { passes: 8, a: 20, ..alone }, garden),
        many("the calmest over black", StyleSettings { feedback: 0.95, a: 7, ..plain }, black),
        many("a mixture, the picture's light", StyleSettings { feedback: 0.9, mix: [0.5; 32], ..light }, garden),
    ]
}

/// Where the loop runs: a picture goes in, a frame comes out.
trait Place {
    fn engine(&self) -> Arc<dyn Engine>;
    fn play(&mut self, style: &mut StyleLoop, image: &Image, settings: &StyleSettings, out: &mut Image);
}

impl Place for Arc<Cpu> {
    fn engine(&self) -> Arc<dyn Engine> {
        self.clone()
    }
    fn play(&mut self, style: &mut StyleLoop, image: &Image, settings: &StyleSettings, out: &mut Image) {
        style.process(image, settings, out).expect("every frame is painted");
    }
}

/// On a card, where only the frames are read back.
struct OnDevice {
    gpu: Arc<Gpu>,
    canvas: GpuCanvas,
}

impl Place for OnDevice {
    fn engine(&self) -> Arc<dyn Engine> {
        self.gpu.clone()
    }
    fn play(&mut self, style: &mut StyleLoop, image: &Image, settings: &StyleSettings, out: &mut Image) {
        let (mut content, mut painting) = (Surface::from(image.clone()), Surface::default());
        style.play(&mut self.canvas, &mut content, settings, &mut painting).expect("every frame is painted");
        self.canvas.finish().expect("submits");
        out.clone_from(painting.bring().expect("comes back"));
    }
}

/// Plays `frames` frames and checks the second half against the limits of a living picture.
fn soak(place: &mut dyn Place, frames: usize) {
    for Extreme(network, name, settings, content) in extremes() {
        let name = format!("{network}: {name}");
        let file = locate::network(Path::new(network)).expect("it ships");
        let network = StyleNetwork::open(&file).expect("opens");
        let mut style = StyleLoop::new(place.engine(), Arc::new(network));
        let (mut out, mut before) = (Image::default(), Image::default());
        let (mut means, mut deviations, mut details, mut moved) =
            ([1.0f32, -1.0], [9.0f32, 0.0], [9.0f64, 0.0], 0.0f64);
        for frame in 0..frames {
            place.play(&mut style, &content(frame), &settings, &mut out);
            if frame >= frames / 2 {
                let (mean, deviation) = mean_and_deviation(&out.data);
                let fine = detail(&out);
                means = [means[0].min(mean), means[1].max(mean)];
                deviations = [deviations[0].min(deviation), deviations[1].max(deviation)];
                details = [details[0].min(fine), details[1].max(fine)];
                let change: f64 = out.data.iter().zip(&before.data).map(|(a, b)| f64::from((a - b).abs())).sum();
                moved += change / (2 * out.data.len() * (frames - frames / 2)) as f64;
            }
            before.clone_from(&out);
        }
        println!("{name}: mean {means:.2?}, deviation {deviations:.2?}, detail {details:.3?}, change {moved:.4}");
        assert!(means[0] > -0.9 && means[1] < 0.9, "{name}: the mean goes to {means:?}");
        assert!(deviations[0] > 0.08 && deviations[1] < 0.9, "{name}: the deviation goes to {deviations:?}");
        // Without a network a soft picture stays soft.
        let least = if settings.passes == 0 { 1e-4 } else { 5e-4 };
        assert!(details[0] > least && details[1] < 0.2, "{name}: the detail goes to {details:?}");
        assert!(moved > 5e-4, "{name}: it stands still, {moved}");
    }
}

#[test]
fn five_seconds_at_the_extremes() {
    soak(&mut Arc::new(Cpu::default()), 60);
}

#[test]
#[ignore = "takes minutes: cargo test --test it the_style_loop_stays_alive -- --ignored --nocapture"]
fn ten_minutes_at_the_extremes() {
    soak(&mut Arc::new(Cpu::default()), (600.0 * FPS) as usize);
}

#[test]
#[ignore = "takes minutes: cargo test --test it the_style_loop_stays_alive -- --ignored --nocapture"]
fn ten_seconds_at_the_extremes_on_a_card() {
    let gpu = match Device::open(false).and_then(|device| Gpu::new(device, Precision::F32)) {
        Ok(gpu) => Arc::new(gpu),
        Err(error) => return skip_gpu(error),
    };
    let canvas = GpuCanvas::new(gpu.device().clone()).expect("there is room");
    soak(&mut OnDevice { gpu, canvas }, (10.0 * FPS) as usize);
}
