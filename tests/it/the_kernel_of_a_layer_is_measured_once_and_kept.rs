//! Does an engine that measures choose a kernel for every convolution, does it keep the choice in its file, and does
//! the picture stay right? Runs on any adapter, including software; without one the tests report "skipped".
#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::print_stderr, reason = "what is skipped is said")]

use std::time::{Duration, Instant};

use crate::common::skip_gpu;
use latent_jockey::engine::gpu::{Device, Gpu, Precision, Variant};
use latent_jockey::engine::plan::Op;
use latent_jockey::engine::{Inputs, Program};
use latent_jockey::image::Image;
use latent_jockey::latent::seed::z_from_seed;
use latent_jockey::network;

#[test]
fn a_choice_is_taken_from_the_file_at_the_next_start() {
    let folder = std::env::temp_dir().join(format!("latent-jockey-kernels-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let file = folder.join("kernels.json");
    let plan = network::stylegan2::random(8, 256, 32, 16, 0).plan;
    let ws = z_from_seed(7, plan.num_ws * plan.w_dim);
    let start = || -> Option<(Vec<(String, Variant)>, Image)> {
        let gpu = Device::open(false).and_then(|device| Gpu::new(device, Precision::F32));
        let gpu = gpu.map_err(|error| skip_gpu(error)).ok()?.with_measurements_in(file.clone());
        let mut program = gpu.program(plan.clone()).unwrap();
        let mut image = Image::default();
        program.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut image).unwrap();
        Some((program.variants().to_vec(), image))
    };
    let Some((first, picture)) = start() else { return };
    let layers = plan.steps.iter().filter(|step| matches!(step.op, Op::Synthesis(_)));
    assert!(layers.map(|step| &step.name).eq(first.iter().map(|(name, _)| name)), "{first:?}");

    // What the file says is taken, whatever is faster.
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"F32 32>32 8x8 k3+0\": "), "{text}");
    let start_of = |text: &str| text.find("\"F32 32>32 8x8 k3+0\": ").unwrap() + "\"F32 32>32 8x8 k3+0\": ".len();
    for wanted in ["plain 32x32", "plain 64x32"] {
        let at = start_of(&text);
        let end = at + text[at..].find(['\n', ',']).unwrap();
        std::fs::write(&file, format!("{}\"{wanted}\"{}", &text[..at], &text[end..])).unwrap();
        let (variants, again) = start().unwrap();
        let taken = variants.iter().find(|(name, _)| name == "b8.conv1").unwrap().1;
        // A tile twice as high as the layer has outputs does not suit; nothing that is measured would give it.
        assert_eq!(taken.to_string() == wanted, wanted == "plain 32x32", "{wanted}, {taken}");
        let largest = picture.data.iter().zip(&again.data).fold(0.0f32, |a, (x, y)| a.max((x - y).abs()));
        assert!(largest < 1e-4, "{wanted}: {largest}");
    }
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn a_new_network_plays_at_once_and_is_measured_meanwhile() {
    let folder = std::env::temp_dir().join(format!("latent-jockey-tuning-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    let file = folder.join("kernels.json");
    let plan = network::stylegan2::random(8, 256, 32, 16, 0).plan;
    let ws = z_from_seed(7, plan.num_ws * plan.w_dim);
    let start = || {
        let gpu = Device::open(false).and_then(|device| Gpu::new(device, Precision::F32));
        let gpu = gpu.map_err(|error| skip_gpu(error)).ok()?;
        Some(gpu.with_measurements_in(file.clone()).tuned_while_playing().tuning_program(plan.clone()).unwrap())
    };
    let Some(mut program) = start() else { return };
    let (mut first, mut image) = (Image::default(), Image::default());
    program.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut first).unwrap();
    let end = Instant::now() + Duration::from_secs(120);
    while !program.is_tuned() {
        assert!(Instant::now() < end, "it is still being measured");
        program.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut image).unwrap();
        let largest = first.data.iter().zip(&image.data).fold(0.0f32, |a, (x, y)| a.max((x - y).abs()));
        assert!(largest < 1e-4, "{largest}");
    }
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"F32 32>32 8x8 k3+0\": "), "{text}");
    let again = start().unwrap();
    assert!(again.is_tuned(), "everything is known");
    assert_eq!(again.variants(), program.variants());
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn nothing_is_measured_on_a_software_adapter() {
    let gpus = Device::open(false).and_then(|device| Gpu::new(device, Precision::F32));
    let Ok(gpu) = gpus.map_err(|error| skip_gpu(error)) else { return };
    if gpu.adapter().is_real() {
        return eprintln!("skipped: {} is a real card", gpu.adapter());
    }
    let program = gpu.program(network::stylegan2::random(16, 1160, 72, 16, 0).plan).unwrap();
    let taken: Vec<String> = program.variants().iter().map(|(name, variant)| format!("{name} {variant}")).collect();
    let expected = [
        "b4.conv1 plain 64x16",
        "b8.conv0 plain 64x32",
        "b8.conv1 plain 64x32",
        "b16.conv0 plain 64x32",
        "b16.conv1 plain 64x32",
    ];
    assert_eq!(taken, expected);
}
