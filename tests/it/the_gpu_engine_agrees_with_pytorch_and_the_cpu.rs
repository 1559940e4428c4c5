//! Do pictures and feature maps of the gpu engine agree with those of PyTorch, and with the cpu engine's at other sizes?
//! Runs on any adapter, including software; without one the tests report "skipped".
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use crate::common::{Expected, assert_close, engines, fixture, magnitude, skip_gpu};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::gpu::{Device, Gpu, Precision};
use latent_jockey::engine::plan::Plan;
use latent_jockey::engine::{Engine, Inputs, Noise, NoiseMode, Program};
use latent_jockey::image::Image;
use latent_jockey::latent::seed::z_from_seed;
use latent_jockey::network;

/// The largest difference allowed, relative to the largest magnitude of a feature map; and of pictures in −1..1.
fn limits(precision: Precision) -> (f32, f32) {
    match precision {
        Precision::F32 => (1e-4, 2e-3),
        Precision::F16 => (2e-2, 6e-2),
    }
}

fn check_fixture(name: &str, file: &str) {
    let network = network::open(fixture(file)).expect("opens");
    let expected = Expected::open(name);
    for (precision, gpu) in engines() {
        let (map_limit, picture_limit) = limits(precision);
        let mut program = gpu.program(network.plan.clone()).expect("the plan runs");
        for case in expected.description["cases"].as_array().expect("cases") {
            let [id, image, ws] = ["id", "image", "ws"].map(|key| case[key].as_str().unwrap());
            let mode = if case["noise"] == "none" { NoiseMode::None } else { NoiseMode::Const };
            for n in 0..expected.get(image).0[0] {
                let ws = expected.sample(ws, n);
                let mut out = Image::default();
                let inputs = Inputs { ws: &ws, noise: Noise { mode, gain: 1.0 }, ..Inputs::default() };
                program.draw(&inputs, &mut out).expect("runs");
                let what = format!("{name} {precision:?} {id} sample {n}");
                assert_close(&what, &out.data, &expected.sample(image, n), picture_limit, picture_limit / 10.0);
                for (tap, about) in case.get("taps").and_then(|t| t.as_object()).into_iter().flatten() {
                    let Some(found) = program.tap(tap) else { continue };
                    let values = expected.sample(about["tensor"].as_str().unwrap(), 0);
                    let limit = map_limit * magnitude(&values);
                    assert_close(&format!("{what}, tap {tap}"), &found.data[..values.len()], &values, limit, limit);
                }
            }
        }
    }
}

#[test]
fn stylegan2_gives_the_picture_of_pytorch() {
    check_fixture("sg2_32", "sg2_32.safetensors");
}

#[test]
fn the_resnet_architecture_gives_the_picture_of_pytorch() {
    check_fixture("sg2_32_resnet", "sg2_32_resnet.pkl");
}

#[test]
fn pictures_that_are_not_square_are_those_of_pytorch() {
    check_fixture("sg2_human_32x16", "sg2_human_32x16.safetensors");
    check_fixture("sg2_initres_24x40", "sg2_initres_24x40.pkl");
}

#[test]
fn a_network_of_rosinality_gives_the_picture_of_pytorch() {
    check_fixture("rosi_32", "rosi_32.safetensors");
}

/// Every map of the plan, on the card and on the processor.
fn check_plan(plan: &Arc<Plan>, noise: Noise) {
    let ws = z_from_seed(7, plan.num_ws * plan.w_dim);
    let inputs = Inputs { ws: &ws, noise, ..Inputs::default() };
    let mut expected = Image::default();
    let mut cpu = Cpu::default().program(plan.clone()).expect("the cpu runs it");
    cpu.draw(&inputs, &mut expected).expect("runs");
    for (precision, gpu) in engines() {
        let mut program = gpu.program(plan.clone()).expect("the gpu runs it");
        let mut found = Image::default();
        program.draw(&inputs, &mut found).expect("runs");
        for buffer in &plan.buffers {
            let (found, expected) = (program.tap(&buffer.name).unwrap(), cpu.tap(&buffer.name).unwrap());
            let limit = limits(precision).0 * magnitude(&expected.data);
            let what = format!("{} {precision:?} {noise:?} {}", plan.name, buffer.name);
            assert_close(&what, &found.data, &expected.data, limit, limit);
        }
    }
}

#[test]
fn every_map_agrees_with_the_cpu_at_every_shape_of_tile() {
    // Few and many channels, small and large maps: cut sums and whole ones, all tiles, odd numbers of channels.
    for (resolution, base, max) in [(64, 2048, 80), (16, 340, 21), (8, 2048, 256)] {
        check_plan(&network::stylegan2::random(resolution, base, max, 48, 3).plan, Noise::default());
    }
}

#[test]
fn rough_pictures_are_those_of_the_cpu() {
    for file in ["sg2_32.safetensors", "pgan_fastgan_128_cond.pkl"] {
        let plan = network::open(fixture(file)).expect("opens").plan;
        check_plan(&Arc::new(network::rough::plan(&plan).expect("it has a small plan")), Noise::default());
    }
}

#[test]
fn random_noise_is_the_noise_of_the_cpu() {
    let plan = network::stylegan2::random(16, 256, 16, 32, 1).plan;
    check_plan(&plan, Noise { mode: NoiseMode::None, gain: 1.0 });
    check_plan(&plan, Noise { mode: NoiseMode::Random { seed: 0x0123_4567_89ab_cdef }, gain: 0.7 });
}

#[test]
fn a_card_that_is_too_small_is_refused_with_both_sizes() {
    let Ok(device) = Device::with_buffers_up_to(100_000) else { return skip_gpu("no adapter") };
    let gpu = Gpu::new(device, Precision::F32).unwrap();
    let plan = network::stylegan2::random(64, 2048, 64, 32, 1).plan;
    let error = gpu.prepare(plan).err().expect("refused").to_string();
    assert!(error.contains("MB") && error.contains("0.1 MB"), "{error}");
}
