//! Do w, ws, feature maps and pictures of the cpu engine agree with those of the original code?
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::common::{Expected, assert_close, fixture, magnitude};
use latent_jockey::engine::cpu::{Cpu, Isa};
use latent_jockey::engine::{Inputs, Noise, NoiseMode, Program};
use latent_jockey::image::Image;
use latent_jockey::latent::mapping::Scratch;
use latent_jockey::network::{self, Network};

/// Limits from the fixtures' description, for 32-bit pictures.
const IMAGE: (f32, f32) = (2e-4, 2e-5);

fn noise(case: &serde_json::Value) -> Noise {
    let mode = if case["noise"] == "none" { NoiseMode::None } else { NoiseMode::Const };
    Noise { mode, gain: 1.0 }
}

/// Plays all cases of a fixture and compares pictures, and taps where a case has any.
fn check_pictures(network: &Network, expected: &Expected, cpu: &Cpu, (max, mean): (f32, f32), taps: bool) {
    let mut program = cpu.program(network.plan.clone()).expect("the plan runs");
    for case in expected.description["cases"].as_array().expect("cases") {
        let (id, image, ws) =
            (case["id"].as_str().unwrap(), case["image"].as_str().unwrap(), case["ws"].as_str().unwrap());
        for n in 0..expected.get(image).0[0] {
            let ws = expected.sample(ws, n);
            let mut out = Image::default();
            program.draw(&Inputs { ws: &ws, noise: noise(case), ..Inputs::default() }, &mut out).expect("runs");
            let what = format!("{} {id} sample {n}", network.name);
            assert_eq!([out.channels, out.height, out.width], expected.get(image).0[1..], "{what}");
            assert_close(&what, &out.data, &expected.sample(image, n), max, mean);
            if taps && case.get("taps").is_some() {
                check_taps(&program, expected, &case["taps"], &what);
            }
        }
    }
}

fn check_taps(program: &dyn Program, expected: &Expected, taps: &serde_json::Value, what: &str) {
    let mut compared = 0;
    for (name, tap) in taps.as_object().expect("taps") {
        let Some(found) = program.tap(name) else { continue };
        let values = expected.sample(tap["tensor"].as_str().unwrap(), 0);
        // Large taps only contain the first channels.
        let limit = 1e-4 * magnitude(&values);
        assert_close(&format!("{what}, tap {name}"), &found.data[..values.len()], &values, limit, limit);
        compared += 1;
    }
    assert!(compared >= 4, "{what}: only {compared} taps were compared");
}

#[test]
fn pictures_and_feature_maps_agree_on_every_instruction_set() {
    let network = network::open(fixture("sg2_32.safetensors")).expect("opens");
    let expected = Expected::open("sg2_32");
    for isa in Isa::available() {
        for threads in [1, 3] {
            check_pictures(&network, &expected, &Cpu::with_isa(threads, isa), IMAGE, true);
        }
    }
}

#[test]
fn a_half_precision_file_gives_nearly_the_same_picture() {
    let network = network::open(fixture("sg2_32_f16.safetensors")).expect("opens");
    check_pictures(&network, &Expected::open("sg2_32"), &Cpu::default(), (2e-2, 3e-3), false);
}

#[test]
fn z_becomes_the_same_w_and_ws() {
    let network = network::open(fixture("sg2_32.safetensors")).expect("opens");
    let expected = Expected::open("sg2_32");
    let (mapping, mut w, mut ws) = (&network.mapping, Vec::new(), Vec::new());
    for n in 0..expected.get("z").0[0] {
        mapping.map(&expected.sample("z", n), &[], &mut w, &mut Scratch::default());
        assert_close("w", &w, &expected.sample("w", n), 1e-5, 1e-6);
        for case in expected.description["cases"].as_array().expect("cases").iter().filter(|c| c.get("z").is_some()) {
            let psi = case["psi"].as_f64().unwrap() as f32;
            let cutoff = case["cutoff"].as_u64().map_or(usize::MAX, |c| c as usize);
            mapping.truncate(&w, psi, cutoff, &mut ws);
            assert_close("ws", &ws, &expected.sample(case["ws"].as_str().unwrap(), n), 1e-5, 1e-6);
        }
    }
}
