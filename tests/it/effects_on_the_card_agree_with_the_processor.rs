//! Do the effects give the same pictures on a card as on the processor, alone and in a style loop of many frames? Any
//! adapter will do, software too; without one the tests say "skipped".

use std::path::Path;
use std::sync::{Arc, OnceLock};

use crate::common::{assert_close, skip_gpu};
use latent_jockey::effects::crossfade::Crossfade;
use latent_jockey::effects::input::{Input, InputSettings};
use latent_jockey::effects::style::balance::Balance;
use latent_jockey::effects::style::painter::{feed_back, lay_over};
use latent_jockey::effects::style::{Keep, StyleLoop, StyleSettings};
use latent_jockey::effects::{Effect, Time, Values};
use latent_jockey::engine::Engine;
use latent_jockey::engine::canvas::{Canvas, Memory};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::gpu::{Device, Gpu, GpuCanvas, Precision};
use latent_jockey::engine::surface::Surface;
use latent_jockey::image::Image;
use latent_jockey::image::resample::{Motion, Window};
use latent_jockey::latent::seed::z_from_seed;
use latent_jockey::network::style_transfer::StyleNetwork;

/// One card for all tests.
fn gpu() -> Option<&'static Gpu> {
    static GPU: OnceLock<Option<Gpu>> = OnceLock::new();
    let open = || Device::open(false).and_then(|device| Gpu::new(device, Precision::F32));
    let gpu = GPU.get_or_init(|| open().ok()).as_ref();
    if gpu.is_none() {
        skip_gpu("no adapter");
    }
    gpu
}

fn noise(seed: u32, channels: usize, height: usize, width: usize) -> Image {
    let data = z_from_seed(seed, channels * height * width).iter().map(|x| (x / 2.0).clamp(-1.0, 1.0)).collect();
    Image { channels, height, width, data }
}

/// Smooth, and never the same in two frames.
fn waves(frame: usize, side: usize) -> Image {
    let mut image = Image::new(3, side, side);
    let t = frame as f32 / 12.0;
    for (i, value) in image.data.iter_mut().enumerate() {
        let (x, y) = ((i % side) as f32 / side as f32, (i / side % side) as f32 / side as f32);
        let c = (i / side / side) as f32;
        *value = 0.6 * (7.0 * x + 0.9 * t + c).sin() * (5.0 * y - 0.7 * t + 2.0 * c).cos() + 0.2 * (c - 1.0);
    }
    image
}

/// What is done on a canvas with some surfaces, into the last one.
type Act<'a> = &'a dyn Fn(&mut dyn Canvas, &mut [Surface], &mut Surface);

fn done(canvas: &mut dyn Canvas, images: &[Image], act: Act) -> Image {
    let mut surfaces: Vec<Surface> = images.iter().cloned().map(Surface::from).collect();
    let mut to = Surface::default();
    act(canvas, &mut surfaces, &mut to);
    canvas.finish().expect("submits");
    to.bring().expect("comes back").clone()
}

/// Does the same on both canvases and compares what comes of it: the largest difference allowed, and the mean.
fn compare(what: &str, max: f32, images: &[Image], act: Act) {
    let Some(gpu) = gpu() else { return };
    let expected = done(&mut Memory::default(), images, act);
    let found = done(&mut GpuCanvas::new(gpu.device().clone()).expect("there is room"), images, act);
    let shape = |image: &Image| [image.channels, image.height, image.width];
    assert_eq!(shape(&found), shape(&expected), "{what}");
    assert_close(what, &found.data, &expected.data, max, max / 2.0);
}

#[test]
fn resizing_agrees() {
    for (size, [height, width]) in [
        ([3, 32, 32], [64, 64]),
        ([3, 64, 48], [20, 15]),
        ([1, 7, 33], [50, 9]),
        ([4, 16, 16], [1, 1]),
        ([3, 5, 5], [5, 5]),
    ] {
        let [c, h, w] = size;
        let what = format!("{size:?} to {height} x {width}");
        compare(&what, 3e-6, &[noise(1, c, h, w)], &|canvas, surfaces, to| {
            canvas.resize(&mut surfaces[0], height, width, to).expect("resizes");
        });
    }
}

#[test]
fn fades_of_all_sizes_and_colours_agree() {
    let sizes = [[3, 32, 32], [1, 16, 16], [4, 64, 64], [1, 32, 32], [3, 20, 30]];
    for (a, b) in sizes.into_iter().flat_map(|a| sizes.map(|b| (a, b))) {
        for share in [0.0, 0.3, 1.0] {
            let image = |seed, [c, h, w]: [usize; 3]| noise(seed, c, h, w);
            let what = format!("{a:?} to {b:?}, {share}");
            compare(&what, 3e-6, &[image(1, a), image(2, b)], &|canvas, surfaces, to| {
                let values = Values { crossfade: share, ..Values::default() };
                let before = Some(std::mem::take(&mut surfaces[0]));
                let mut fade = Crossfade::default();
                fade.before = before;
                let mixed = fade.process(canvas, &mut surfaces[1], to, &values, Time::default()).expect("mixes");
                assert_eq!(mixed, share < 1.0);
                if !mixed {
                    canvas.copy(&mut surfaces[1], to).expect("copies");
                }
            });
        }
    }
}

#[test]
fn pictures_from_files_enter_alike() {
    let whole = [Window::WHOLE; 2];
    let parts = [Window { left: 0.0, top: 0.2, size: 0.7 }, Window { left: 0.11, top: 0.0, size: 0.89 }];
    let mixes = [(1.0, 1.0), (0.4, 1.0), (0.7, 0.25), (1.0, 0.5)];
    // Neighbours of noise lie far apart: a little of the place is much of the number.
    for ((amount, fade), (windows, tolerance)) in
        mixes.into_iter().flat_map(|mix| [(whole, 3e-6), (parts, 3e-5)].map(|windows| (mix, windows)))
    {
        for channels in [1, 3] {
            let what = format!("{amount}, {fade}, {channels} colours, {windows:?}");
            compare(&what, tolerance, &[noise(5, channels, 32, 32)], &|canvas, surfaces, to| {
                let mut input = Input::default();
                let settings = InputSettings { amount, fade: 1.0, serial: 1, windows, ..InputSettings::default() };
                let mut mix = |input: &mut Input, settings| {
                    let values = Values { input: settings, ..Values::default() };
                    let mixed = input.process(canvas, &mut surfaces[0], to, &values, Time::default());
                    assert!(mixed.expect("mixes"));
                };
                input.change(Some(noise(6, 3, 48, 48).into()), 1);
                mix(&mut input, settings);
                input.change(Some(noise(7, 3, 48, 48).into()), 2);
                mix(&mut input, InputSettings { fade, serial: 2, ..settings });
                // A third one, in the middle of the fade.
                input.change(Some(noise(8, 3, 40, 40).into()), 3);
                mix(&mut input, InputSettings { fade: 0.5, serial: 3, ..settings });
            });
        }
    }
}

#[test]
fn motions_agree() {
    let plain = Motion { zoom: 1.07, turn: 0.2, x: 0.03, y: -0.08 };
    let motions = [
        plain,
        Motion::STILL,
        Motion { zoom: 0.3, ..plain },
        Motion { x: 7.3, y: -4.6, ..plain },
        Motion { zoom: 9.0, turn: -2.5, ..plain },
        Motion { turn: f32::NAN, ..plain },
    ];
    for motion in motions {
        for (height, width) in [(32, 48), (45, 31), (1, 16)] {
            // Neighbours of noise lie far apart: a little of the place is much of the number.
            let (canvas, painting) = (waves(1, 48), noise(4, 3, height, width));
            let what = format!("{motion:?} of {height} x {width}");
            compare(&what, 3e-4, &[canvas, painting], &|canvas, surfaces, to| {
                canvas.resize(&mut surfaces[0], height, width, to).expect("resizes");
                feed_back(canvas, to, &mut surfaces[1], motion, 0.7).expect("mixes");
            });
        }
    }
}

#[test]
fn a_canvas_outside_its_band_is_brought_back_alike() {
    type Start = fn(f32) -> f32;
    let starts: [(&str, Start); 7] = [
        ("dark", |x| 0.1 * x - 0.9),
        ("bright", |x| 0.2 * x + 0.95),
        ("flat", |x| 0.03 * x + 0.2),
        ("empty", |x| 0.001 * x - 0.3),
        ("one colour", |_| 0.25),
        ("hard", |x| if x > 0.0 { 1.0 } else { -1.0 }),
        ("inside", |x| x),
    ];
    for (name, start) in starts {
        for (share, side) in [(1.0, 64), (0.4, 100), (0.9, 7)] {
            let mut canvas = noise(9, 3, side, side);
            canvas.data.iter_mut().for_each(|x| *x = start(*x));
            // Some frames one after another, so that what is wrong adds up.
            compare(&format!("{name}, share {share}, {side}"), 1e-5, &[canvas], &|canvas, surfaces, to| {
                canvas.copy(&mut surfaces[0], to).expect("copies");
                let mut balance = Balance::default();
                (0..5).for_each(|_| balance.steady(canvas, to, share).expect("steadies"));
            });
        }
    }
}

#[test]
fn a_canvas_inside_its_band_is_not_touched() {
    let Some(gpu) = gpu() else { return };
    let mut canvas = GpuCanvas::new(gpu.device().clone()).expect("there is room");
    for side in [8, 64, 300] {
        let image = noise(3, 3, side, side);
        let found = done(&mut canvas, std::slice::from_ref(&image), &|canvas, surfaces, to| {
            Balance::default().steady(canvas, &mut surfaces[0], 1.0).expect("steadies");
            canvas.copy(&mut surfaces[0], to).expect("copies");
        });
        assert_eq!(found, image, "{side}");
    }
}

#[test]
fn only_a_still_painting_is_stirred_and_then_alike() {
    for side in [8, 64, 101] {
        for (name, moves) in [("still", 0.0), ("hardly", 0.0008), ("moving", 0.0012)] {
            let before = noise(3, 3, side, side);
            let mut painting = before.clone();
            painting.data.iter_mut().for_each(|x| *x += moves);
            let stays = moves > 0.001;
            // Where it is stirred, an equal picture is meant, not equal bits: cards round the last place differently.
            let limit = if stays { 0.0 } else { 1e-6 };
            let stir: Act = &|canvas, surfaces, to| {
                canvas.copy(&mut surfaces[0], to).expect("copies");
                Balance::default().stir(canvas, to, &mut surfaces[1], 0.8).expect("stirs");
            };
            let images = [painting.clone(), before];
            compare(&format!("{name}, {side}"), limit, &images, stir);
            let stirred = done(&mut Memory::default(), &images, stir);
            assert_eq!(stirred == painting, stays, "{name}");
        }
    }
}

#[test]
fn light_and_colour_are_kept_alike() {
    for (amount, what) in
        [(1.0, Keep::Light), (1.0, Keep::Colour), (0.3, Keep::Light), (0.6, Keep::Colour), (0.0, Keep::Light)]
    {
        let (painting, picture) = (noise(1, 3, 20, 33), noise(2, 3, 20, 33));
        compare(&format!("{amount} of {what:?}"), 1e-6, &[painting, picture], &|canvas, surfaces, to| {
            canvas.copy(&mut surfaces[0], to).expect("copies");
            Balance::default().keep(canvas, to, &mut surfaces[1], amount, what).expect("keeps");
        });
    }
}

#[test]
fn limits_and_layers_agree() {
    let mut odd = noise(1, 3, 16, 16);
    let ends = [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.5, -3e9, 1.0, -1.0, 0.0, -0.0, 1e-42];
    odd.data[..ends.len()].copy_from_slice(&ends);
    compare("limits", 0.0, &[odd], &|canvas, surfaces, to| {
        canvas.copy(&mut surfaces[0], to).expect("copies");
        Balance::default().limit(canvas, to).expect("limits");
    });
    for (fade, amount) in [(1.0, 1.0), (0.25, 0.5), (0.0, 0.9)] {
        let images = [noise(1, 3, 9, 9), noise(2, 3, 9, 9), noise(3, 3, 9, 9)];
        compare(&format!("{fade}, {amount}"), 1e-6, &images, &|canvas, surfaces, to| {
            let [picture, before, painting] = surfaces else { unreachable!("three") };
            lay_over(canvas, [picture, before, painting], [fade, amount], to).expect("lays");
        });
    }
}

/// The frames of a loop, the same pictures again and again with the settings of each frame.
fn frames(
    canvas: &mut dyn Canvas,
    style: &mut StyleLoop,
    settings: impl Fn(usize) -> StyleSettings,
    count: usize,
) -> Vec<Image> {
    let mut out = Surface::default();
    let frame = |frame| {
        let mut content = Surface::from(waves(frame, 80));
        style.play(canvas, &mut content, &settings(frame), &mut out).expect("every frame is painted");
        canvas.finish().expect("submits");
        out.bring().expect("comes back").clone()
    };
    (0..count).map(frame).collect()
}

/// The largest and the mean difference of each frame, the loop of the device against the processor's.
fn loops(what: &str, count: usize, settings: impl Fn(usize) -> StyleSettings + Copy, limits: [f32; 2]) {
    let Some(gpu) = gpu() else { return };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets/networks/painters8.safetensors");
    let network = Arc::new(StyleNetwork::open(&file).expect("opens"));
    let style = |engine: Arc<dyn Engine>| StyleLoop::new(engine, network.clone());
    let expected = frames(&mut Memory::default(), &mut style(Arc::new(Cpu::default())), settings, count);
    let mut canvas = GpuCanvas::new(gpu.device().clone()).expect("there is room");
    let engine = Arc::new(gpu.at(Precision::F32).expect("every device has it"));
    let found = frames(&mut canvas, &mut style(engine), settings, count);
    for (frame, (found, expected)) in found.iter().zip(&expected).enumerate() {
        assert_eq!([found.height, found.width], [expected.height, expected.width], "{what}, frame {frame}");
        assert_close(&format!("{what}, frame {frame}"), &found.data, &expected.data, limits[0], limits[1]);
    }
}

fn plain() -> StyleSettings {
    StyleSettings { size: 64, a: 2, ..StyleSettings::default() }
}

#[test]
fn twenty_frames_of_the_loop_agree() {
    loops("the defaults", 20, |_| plain(), [2e-3, 1e-4]);
}

#[test]
fn several_passes_with_the_pictures_colours_agree() {
    let settings = StyleSettings { passes: 3, keep: 0.6, feedback: 0.5, b: 4, blend: 0.5, rotate: 30.0, ..plain() };
    // A loop that paints three times a frame makes ten times as much of a difference in five frames.
    loops("three passes", 8, |_| settings, [5e-3, 5e-4]);
}

#[test]
fn paintings_of_every_third_frame_agree() {
    let settings = StyleSettings { every: 3, amount: 0.7, feedback: 0.8, ..plain() };
    loops("every third", 20, |_| settings, [2e-3, 1e-4]);
}

#[test]
fn feedback_without_a_network_agrees() {
    let settings = StyleSettings { passes: 0, feedback: 1.0, zoom: 1.3, ..plain() };
    loops("no passes", 20, |_| settings, [1e-3, 1e-4]);
}

#[test]
fn changes_of_size_and_amount_in_between_agree() {
    let settings = |frame: usize| match frame {
        5..8 => StyleSettings { amount: 0.0, ..plain() },
        8..12 => StyleSettings { size: 96, every: 2, ..plain() },
        12..15 => StyleSettings { size: 48, every: 4, ..plain() },
        _ => StyleSettings { feedback: 0.9, ..plain() },
    };
    loops("changes", 20, settings, [4e-3, 2e-4]);
}
