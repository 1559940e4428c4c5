//! Does a rendering that is closed to a loop lead on from its last frame to its first, with walks that would not, and with noise?
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use crate::common::rig::Rig;
use crate::common::{assert_close, engines, fixture};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::plan::{Op, Plan};
use latent_jockey::engine::{Inputs, Noise, NoiseMode, Program};
use latent_jockey::image::Image;
use latent_jockey::latent::seed::{fill_from_seed, z_from_seed};
use latent_jockey::network;
use latent_jockey::network::checkpoint::Checkpoint;

const FRAMES: usize = 24;
const LEAD: usize = 6;

/// The frames of the loop.
fn frames(values: &str, closes: bool) -> Vec<Vec<u8>> {
    let network = fixture("sg2_32.safetensors");
    let network = network.to_str().unwrap();
    let preset = format!("network = {network:?}\n[params]\n{values}");
    let mut show = Rig::with(&[("a", &preset)]).network(network).start();
    if closes {
        show.close_loop(FRAMES, LEAD);
    }
    show.step(0.0, &[]);
    (0..LEAD).for_each(|_| show.step(0.1, &[]));
    let mut frame = |at: usize| {
        if at > 0 {
            show.step(0.1, &[]);
        }
        show.pixels()
    };
    (0..FRAMES).map(&mut frame).collect()
}

/// How much two pictures differ.
fn difference(a: &[u8], b: &[u8]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum::<f64>().sqrt()
}

/// From the last to the first, as a part of the largest difference of neighbours.
fn seam(frames: &[Vec<u8>]) -> f64 {
    let most = frames.windows(2).map(|pair| difference(&pair[0], &pair[1])).fold(0.0, f64::max);
    difference(&frames[FRAMES - 1], &frames[0]) / most
}

#[test]
fn any_walk() {
    for walk in ["drift", "line", "loop"] {
        let values = format!("\"/walk/kind\" = \"{walk}\"\n\"/walk/speed\" = 0.9\n\"/seed\" = 4\n");
        let (open, closed) = (frames(&values, false), frames(&values, true));
        assert!(seam(&open) > 1.5, "{walk}: {}", seam(&open));
        assert!(seam(&closed) <= 1.0, "{walk}: {}", seam(&closed));
        assert_eq!(closed[..FRAMES - LEAD], open[..FRAMES - LEAD], "{walk}: before that nothing changes");
        assert_eq!(frames(&values, true), closed, "{walk}: again the same");
    }
}

#[test]
fn random_noise() {
    let values = "\"/walk/kind\" = \"hold\"\n\"/noise/mode\" = \"random\"\n\"/noise/gain\" = 2\n";
    let (open, closed) = (frames(values, false), frames(values, true));
    assert!(seam(&closed) <= 1.01, "{}", seam(&closed));
    let mean = |frames: &[Vec<u8>]| frames.windows(2).map(|pair| difference(&pair[0], &pair[1])).sum::<f64>();
    assert!(0.0 < mean(&closed) && mean(&closed) < mean(&open) / 2.0, "it moves evenly");
}

#[test]
fn w_on_the_way_round_are_the_prototypes() {
    let checkpoint = Checkpoint::open(&fixture("latent/mixing.safetensors")).unwrap();
    let expected = checkpoint.tensors["loop_w"].to_f32().unwrap();
    let mapping = network::open(fixture("sg2_32.safetensors")).unwrap().mapping;
    let [a, b] = [20, 21].map(|seed| z_from_seed(seed, mapping.z_dim));
    for (turn, expected) in expected.chunks_exact(expected.len() / 8).enumerate() {
        let (sin, cos) = (turn as f32 / 8.0 * std::f32::consts::TAU).sin_cos();
        let w = mapping.map_many(1, |_, z, _| {
            z.iter_mut().zip(a.iter().zip(&b)).for_each(|(z, (a, b))| *z = cos * a + sin * b);
        });
        assert_close(&format!("{turn} eighths"), &w, expected, 2e-4, 2e-5);
    }
}

#[test]
fn noise_on_the_way_round_is_the_prototypes() {
    let expected = Checkpoint::open(&fixture("latent/mixing.safetensors")).unwrap();
    let expected = |name: &str| expected.tensors[name].to_f32().unwrap();
    let mut network = network::open(fixture("sg2_32.safetensors")).unwrap();
    let (sin, cos) = (0.3 * std::f32::consts::TAU).sin_cos();
    let mut plan = Plan::clone(&network.plan);
    let layers = plan.steps.iter_mut().filter_map(|step| match &mut step.op {
        Op::Synthesis(layer) => layer.noise.as_mut(),
        _ => None,
    });
    for (number, noise) in layers.enumerate() {
        let other = expected(&format!("loop_noise.{number}"));
        noise.constant = Arc::new(noise.constant.iter().zip(other).map(|(a, b)| cos * a + sin * b).collect());
    }
    network.plan = Arc::new(plan);
    let w = network.mapping.map_many(1, |_, z, _| fill_from_seed(0, z));
    let (mut ws, mut picture) = (Vec::new(), Image::default());
    network.mapping.truncate(&w, 0.7, usize::MAX, &mut ws);
    let mut draw = |mut program: Box<dyn Program>| {
        program.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut picture).unwrap();
        picture.data.clone()
    };
    let expected = expected("loop_noise.image");
    let found = draw(Box::new(Cpu::new(2).program(network.plan.clone()).unwrap()));
    assert_close("cpu", &found, &expected, 2e-4, 2e-5);
    for (precision, gpu) in engines() {
        let limit = if precision == latent_jockey::engine::gpu::Precision::F32 { 2e-3 } else { 6e-2 };
        let found = draw(Box::new(gpu.program(network.plan.clone()).unwrap()));
        assert_close(&format!("{precision:?}"), &found, &expected, limit, limit / 10.0);
    }
}

#[test]
fn noise_goes_round_from_the_networks_own_on_both_engines() {
    for (file, has_own) in [("sg2_32.safetensors", true), ("rosi_32_bare_no_noises.pt", false)] {
        let network = network::open(fixture(file)).unwrap();
        let mut ws = Vec::new();
        network.mapping.truncate(&network.mapping.w_avg, 1.0, usize::MAX, &mut ws);
        let of = |program: &mut dyn Program, mode| {
            let mut picture = Image::default();
            let noise = Noise { mode, gain: 1.0 };
            program.draw(&Inputs { ws: &ws, noise, ..Inputs::default() }, &mut picture).unwrap();
            picture.data
        };
        let mut cpu = Cpu::new(2).program(network.plan.clone()).unwrap();
        let at = |turn| NoiseMode::Loop { seed: 7, turn };
        let start = of(&mut cpu, at(0.0));
        let own = of(&mut cpu, if has_own { NoiseMode::Const } else { NoiseMode::Random { seed: !7 } });
        let random = of(&mut cpu, NoiseMode::Random { seed: 7 });
        assert_close(file, &start, &own, 1e-5, 1e-6);
        assert_close(file, &of(&mut cpu, at(0.25)), &random, 1e-4, 1e-5);
        assert_close(file, &of(&mut cpu, at(1.0)), &start, 1e-4, 1e-5);
        let between = of(&mut cpu, at(0.3));
        assert!(between != start && between != random, "{file}");
        for (precision, gpu) in engines() {
            let mut gpu = gpu.program(network.plan.clone()).unwrap();
            let limit = if precision == latent_jockey::engine::gpu::Precision::F32 { 2e-3 } else { 6e-2 };
            assert_close(&format!("{file} {precision:?}"), &of(&mut gpu, at(0.3)), &between, limit, limit / 10.0);
        }
    }
}
