//! Does every kind of network file give the picture that PyTorch computes from it?
//!
//! Each file is identified by its bytes alone and played by the cpu engine, and by the torch engine where it is built; w, ws
//! and pictures of all cases in the fixture's description are compared within its limits.

use crate::common::{Expected, assert_close, fixture, magnitude};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::plan::{FilteredLayer, Op};
use latent_jockey::engine::{Engine, Inputs, Noise, NoiseMode, Program, Transform};
use latent_jockey::image::Image;
use latent_jockey::latent::mapping::Scratch;
use latent_jockey::network::checkpoint::{Checkpoint, TensorRef};
use latent_jockey::network::{self, Kind, Network, stylegan3};
use serde_json::Value;

/// Largest and mean difference of 32-bit pictures.
const IMAGE: (f32, f32) = (2e-4, 2e-5);

/// Network, file, and what is special about the file.
const FILES: &[(&str, &str, Special)] = &[
    ("sg2_32", "sg2_32.pkl", Special::Nothing),
    ("sg2_16", "sg2_16_p2.pkl", Special::Nothing),
    ("sg2_16", "sg2_16_p3.pkl", Special::Nothing),
    ("sg2_16", "sg2_16_p5.pkl", Special::Nothing),
    ("sg2_16", "sg2_16_gema_only.pkl", Special::Nothing),
    ("sg2_16", "sg2_16_bare_module.pkl", Special::Nothing),
    ("sg2_16", "sg2_16_zipnested.pkl", Special::Nothing),
    ("sg2_16_legacy", "sg2_16_legacy_resaved.pkl", Special::Nothing),
    ("sg2_16_legacy", "sg2_16_legacy_tf.pkl", Special::Nothing),
    ("sg2_16_orig_gray", "sg2_16_orig_gray.pkl", Special::Nothing),
    ("sg2_32_cond", "sg2_32_cond.pkl", Special::Nothing),
    ("sg2_32_resnet", "sg2_32_resnet.pkl", Special::Nothing),
    ("sg2_human_32x16", "sg2_human_32x16.pkl", Special::Nothing),
    ("sg2_human_32x16", "sg2_human_32x16.safetensors", Special::Nothing),
    ("sg2_initres_24x40", "sg2_initres_24x40.pkl", Special::Nothing),
    ("rosi_32", "rosi_32_converted_legacy.pt", Special::Nothing),
    ("rosi_32", "rosi_32_train.pt", Special::NoAverage),
    ("rosi_32", "rosi_32_bare.pt", Special::NoAverage),
    ("rosi_32", "rosi_32_bare_no_noises.pt", Special::NoNoises),
    ("rosi_32", "rosi_32.safetensors", Special::NoAverage),
    ("sg3t_32_cond", "sg3t_32_cond.pkl", Special::Nothing),
    ("sg3r_32", "sg3r_32.pkl", Special::Nothing),
    ("sgxl_32_super", "sgxl_32_super.pkl", Special::Nothing),
];

#[derive(Clone, Copy, PartialEq)]
enum Special {
    Nothing,
    /// No `w_avg` in the file, so truncated ws are not comparable.
    NoAverage,
    /// Neither `w_avg` nor noise.
    NoNoises,
}

fn noise(case: &Value) -> Noise {
    let mode = if case["noise"] == "none" { NoiseMode::None } else { NoiseMode::Const };
    Noise { mode, gain: 1.0 }
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_else(|| panic!("{key} in {case}"))
}

/// The transform that the case writes into the network's input; StyleGAN3 only.
fn transform(case: &Value, expected: &Expected) -> Transform {
    let Some(buffer) = case.get("transform_buffer").and_then(Value::as_str) else { return Transform::default() };
    let m: Vec<f64> = expected.get(buffer).1.into_iter().map(f64::from).collect();
    let transform = Transform { inverse: [[m[0], m[1], m[2]], [m[3], m[4], m[5]]] };
    let number = |value: &Value| value.as_f64().expect("a number");
    let (x, y) = (number(&case["translate"][0]), number(&case["translate"][1]));
    let ours = Transform::new(x, y, number(&case["angle_degrees"]) / 360.0, number(&case["scale"]));
    for (a, b) in ours.inverse.as_flattened().iter().zip(transform.inverse.as_flattened()) {
        assert!((a - b).abs() < 1e-6, "{ours:?} is not {transform:?}");
    }
    transform
}

/// Compares the mapping network and truncation of every case that has a z.
fn check_mapping(network: &Network, expected: &Expected, special: Special) {
    let (mapping, mut w, mut ws) = (&network.mapping, Vec::new(), Vec::new());
    let has_classes = expected.has("c");
    assert_eq!(mapping.c_dim > 0, has_classes, "{}", network.name);
    for case in expected.description["cases"].as_array().expect("cases").iter().filter(|c| c.get("z").is_some()) {
        let psi = case["psi"].as_f64().expect("psi") as f32;
        if psi != 1.0 && special != Special::Nothing {
            continue;
        }
        let cutoff = case["cutoff"].as_u64().map_or(usize::MAX, |c| c as usize);
        for n in 0..expected.get(text(case, "ws")).0[0] {
            let what = format!("{} {} sample {n}", network.name, text(case, "id"));
            let c = if has_classes { expected.sample("c", n) } else { Vec::new() };
            mapping.map(&expected.sample(text(case, "z"), n), &c, &mut w, &mut Scratch::default());
            mapping.truncate_in_class(&c, &w, psi, cutoff, &mut ws);
            assert_close(&what, &ws, &expected.sample(text(case, "ws"), n), 1e-5, 1e-5);
        }
    }
}

/// Compares the layers that the case lists; the last one is already scaled for the picture.
fn check_taps(program: &dyn Program, network: &Network, expected: &Expected, case: &Value, what: &str) {
    let Some(taps) = case.get("taps").and_then(Value::as_object).filter(|_| network.kind != Kind::StyleGan2) else {
        return;
    };
    let last = &network.plan.buffers[network.plan.buffers.len() - 1].name;
    let mut compared = 0;
    for (name, tap) in taps.iter().filter(|(name, _)| *name != last) {
        let Some(found) = program.tap(name) else { continue };
        let values = expected.sample(text(tap, "tensor"), 0);
        let limit = 1e-4 * magnitude(&values);
        assert_close(&format!("{what}, tap {name}"), &found.data[..values.len()], &values, limit, limit);
        compared += 1;
    }
    assert!(compared > 0, "{what}: no layer was compared");
}

/// Compares the pictures of every case. Returns the largest difference and the largest mean difference.
fn check_pictures(network: &Network, expected: &Expected, special: Special, engine: &dyn Engine) -> (f32, f32) {
    let mut program = engine.prepare(network.plan.clone()).expect("the plan runs");
    let mut worst = (0.0f32, 0.0f32);
    for case in expected.description["cases"].as_array().expect("cases") {
        if special == Special::NoNoises && case["noise"] != "none" {
            continue;
        }
        let image = text(case, "image");
        for n in 0..expected.get(image).0[0] {
            let ws = expected.sample(text(case, "ws"), n);
            let mut out = Image::default();
            let (noise, transform) = (noise(case), transform(case, expected));
            program.draw(&Inputs { ws: &ws, noise, transform, ..Inputs::default() }, &mut out).expect("runs");
            let what = format!("{} {} sample {n}", network.name, text(case, "id"));
            assert_eq!([out.channels, out.height, out.width], expected.get(image).0[1..], "{what}");
            check_taps(&*program, network, expected, case, &what);
            let expected = expected.sample(image, n);
            assert_close(&what, &out.data, &expected, IMAGE.0, IMAGE.1);
            let differences = || out.data.iter().zip(&expected).map(|(a, b)| (a - b).abs());
            let mean = differences().sum::<f32>() / expected.len() as f32;
            worst = (differences().fold(worst.0, f32::max), worst.1.max(mean));
        }
    }
    worst
}

#[test]
fn what_attributes_say_of_stylegan3_can_be_derived_as_well() {
    for file in ["sg3t_32_cond.pkl", "sg3r_32.pkl"] {
        let mut checkpoint = Checkpoint::open(&fixture(file)).unwrap_or_else(|e| panic!("{e}"));
        let told = stylegan3::lower(&checkpoint).expect("lowers");
        checkpoint.attributes.clear();
        checkpoint.tensors.retain(|name, _| !name.ends_with("_filter"));
        let derived = stylegan3::lower(&checkpoint).expect("lowers without attributes");
        for (a, b) in told.plan.steps.iter().zip(&derived.plan.steps) {
            if let (Op::Filtered(a), Op::Filtered(b)) = (&a.op, &b.op) {
                let steps = |op: &FilteredLayer| (op.up, op.down, op.padding, op.demodulate, op.radial, op.output_gain);
                assert_eq!(steps(a), steps(b), "{file}");
                assert_close("up filter", &b.up_filter, &a.up_filter, 1e-7, 1e-7);
                assert_close("down filter", &b.down_filter, &a.down_filter, 1e-7, 1e-7);
            }
            if let (Op::Fourier(a), Op::Fourier(b)) = (&a.op, &b.op) {
                assert_eq!((a.sampling_rate, a.bandwidth), (b.sampling_rate, b.bandwidth), "{file}");
            }
        }
    }
}

#[test]
fn the_transform_that_a_file_stores_is_honoured() {
    let expected = Expected::open("sg3r_32");
    let mut checkpoint = Checkpoint::open(&fixture("sg3r_32.pkl")).unwrap_or_else(|e| panic!("{e}"));
    let cases = expected.description["cases"].as_array().expect("cases").iter();
    let mut count = 0;
    for case in cases.filter(|case| case.get("transform_buffer").is_some()) {
        let (shape, matrix) = expected.get(text(case, "transform_buffer"));
        let stored = TensorRef::of_numbers(shape, matrix.into_iter()).expect("nine numbers");
        checkpoint.tensors.insert("synthesis.input.transform".into(), stored);
        let network = stylegan3::lower(&checkpoint).expect("lowers");
        let mut program = Cpu::default().program(network.plan.clone()).expect("the plan runs");
        let mut out = Image::default();
        let ws = expected.sample(text(case, "ws"), 0);
        program.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut out).expect("runs");
        assert_close(text(case, "id"), &out.data, &expected.sample(text(case, "image"), 0), IMAGE.0, IMAGE.1);
        count += 1;
    }
    assert!(count >= 2, "{count}");
}

fn check_every_file(engine: &dyn Engine) {
    for &(name, file, special) in FILES {
        let expected = Expected::open(name);
        let network = network::open(fixture(file)).unwrap_or_else(|e| panic!("{e}"));
        let expects_warnings = special != Special::Nothing;
        assert_eq!(!network.warnings.is_empty(), expects_warnings, "{file}: {:?}", network.warnings);
        check_mapping(&network, &expected, special);
        check_pictures(&network, &expected, special, engine);
    }
}

#[test]
fn every_file_gives_the_picture_of_its_network() {
    check_every_file(&Cpu::default());
}

#[cfg(feature = "torch")]
#[test]
fn every_file_gives_the_picture_of_its_network_by_torch() {
    for channels_last in [false, true] {
        let torch = latent_jockey::engine::torch::Torch::new(Some("cpu"), None).expect("libtorch has a processor");
        check_every_file(&torch.with_taps().with_channels_last(channels_last));
    }
}
