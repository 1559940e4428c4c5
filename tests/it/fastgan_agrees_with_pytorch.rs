//! Do FastGAN's and projected-gan's generators, whatever file they come in, give the picture that PyTorch computes, on the
//! cpu engine, on the gpu engine and on the torch engine?
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use crate::common::{Expected, assert_close, engines, fixture, magnitude};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::gpu::Precision;
use latent_jockey::engine::plan::{Gating, Op, Plan};
use latent_jockey::engine::{Inputs, Noise, NoiseMode, Program};
use latent_jockey::image::Image;
use latent_jockey::latent::mapping::Scratch;
use latent_jockey::network::{self, Kind, Network};
use serde_json::Value;

/// Largest difference of a picture, a mean difference, and the largest of a map, all relative to the largest magnitude.
type Limits = [f32; 3];

/// As the fixtures' description has them; tanh of large numbers amplifies rounding at single pixels.
fn limits(name: &str) -> Limits {
    if name == "fastgan_1024" { [2e-3, 2e-5, 1e-4] } else { [5e-5, 2e-5, 1e-4] }
}

/// The network's plan with the noise of a case: the k-th addition of `formula` is a fixed map.
fn plan_of(network: &Network, case: &Value) -> (Arc<Plan>, NoiseMode) {
    if case["noise"] == "none" {
        return (network.plan.clone(), NoiseMode::None);
    }
    let mut plan = (*network.plan).clone();
    let mut additions = 0;
    let sizes: Vec<_> = plan.buffers.iter().map(|b| (b.height, b.width)).collect();
    for step in &mut plan.steps {
        let Op::Synthesis(layer) = &mut step.op else { continue };
        let (height, width) = sizes[layer.out.0];
        let Some(noise) = &mut layer.noise else { continue };
        let at = |i: usize| ((7 * (i / width) + 13 * (i % width) + 5 * additions) % 17) as f32;
        noise.constant = (0..height * width).map(|i| (at(i) - 8.0) / 4.0).collect::<Vec<f32>>().into();
        additions += 1;
    }
    assert_eq!(additions as u64, case["noise_additions"].as_u64().unwrap(), "additions of noise");
    (Arc::new(plan), NoiseMode::Const)
}

/// Every `step`-th sample of both axes from `start` on.
fn thinned(image: &Image, start: usize, step: usize) -> Vec<f32> {
    let plane = image.height * image.width;
    let line = |c: usize, y: usize| (start..image.width).step_by(step).map(move |x| c * plane + y * image.width + x);
    let rows = (0..image.channels).flat_map(|c| (start..image.height).step_by(step).map(move |y| (c, y)));
    rows.flat_map(|(c, y)| line(c, y)).map(|at| image.data[at]).collect()
}

fn number(value: &Value, key: &str) -> usize {
    value[key].as_u64().map_or(0, |n| n as usize)
}

/// Plays all cases of a fixture by one engine.
fn check(network: &Network, expected: &Expected, limits: Limits, program: impl Fn(Arc<Plan>) -> Box<dyn Program>) {
    let [most, mean, map] = limits;
    for case in expected.description["cases"].as_array().expect("cases") {
        let (plan, mode) = plan_of(network, case);
        let mut program = program(plan);
        let largest = ["min", "max"].map(|key| case["stats"][key].as_f64().unwrap().abs() as f32);
        let largest = largest[0].max(largest[1]);
        for n in (0..2).rev() {
            let c = case["c"].as_str().map_or_else(Vec::new, |c| expected.sample(c, n));
            let mut w = Vec::new();
            network.mapping.map(&expected.sample("z", n), &c, &mut w, &mut Scratch::default());
            let mut image = Image::default();
            let inputs = Inputs { ws: &w, noise: Noise { mode, gain: 1.0 }, ..Inputs::default() };
            program.draw(&inputs, &mut image).unwrap_or_else(|error| panic!("{}: {error}", network.name));
            let what = format!("{} {} sample {n}", network.name, case["id"]);
            let same = |part: &str, found: &[f32], values: &[f32]| {
                assert_close(&format!("{what}, {part}"), found, values, most * largest, mean * largest);
            };
            let every = &case["every"];
            if let Some(tensor) = every["tensor"].as_str() {
                let found = thinned(&image, number(every, "start"), number(every, "step"));
                same("every", &found, &expected.sample(tensor, n));
            }
            if n > 0 {
                continue;
            }
            if let Some(tensor) = case["image"].as_str() {
                same("image", &image.data, &expected.sample(tensor, 0));
            }
            if let Some(tensor) = case["crop"]["tensor"].as_str() {
                let [y, x, height, width] = ["y", "x", "height", "width"].map(|key| number(&case["crop"], key));
                let row = |c: usize, line: usize| {
                    let first = (c * image.height + y + line) * image.width + x;
                    image.data[first..first + width].to_vec()
                };
                let found: Vec<f32> = (0..image.channels)
                    .flat_map(|c| (0..height).flat_map(move |line| row(c, line)).collect::<Vec<_>>())
                    .collect();
                let (shape, values) = expected.get(tensor);
                same("crop", &found, &values[..found.len()]);
                assert_eq!(shape[shape.len() - 2..], [height, width], "{what}");
            }
            let mut compared = 0;
            for (name, tap) in case["taps"].as_object().into_iter().flatten() {
                let Some(found) = program.tap(name) else { continue };
                let values = expected.sample(tap["tensor"].as_str().unwrap(), 0);
                let found = thinned(&found, number(tap, "start"), number(tap, "step").max(1));
                let limit = map * magnitude(&values);
                assert_close(&format!("{what}, tap {name}"), &found[..values.len()], &values, limit, limit);
                compared += 1;
            }
            assert!(case.get("taps").is_none() || compared >= 4, "{what}: only {compared} taps were compared");
        }
    }
}

const NETWORKS: [(&str, &[&str], Kind); 5] = [
    ("fastgan_256", &["fastgan_256.pth", "fastgan_256_all.pth", "fastgan_256.safetensors"], Kind::FastGan),
    ("fastgan_1024", &["fastgan_1024.pth"], Kind::FastGan),
    ("pgan_fastgan_128", &["pgan_fastgan_128.pkl"], Kind::ProjectedGan),
    ("pgan_fastgan_128_cond", &["pgan_fastgan_128_cond.pkl"], Kind::ProjectedGan),
    ("pgan_fastgan_lite_256_cond", &["pgan_fastgan_lite_256_cond.pkl"], Kind::ProjectedGan),
];

fn open(name: &str, file: &str, kind: Kind) -> (Network, Expected) {
    let network = network::open(fixture(file)).unwrap_or_else(|error| panic!("{error}"));
    let expected = Expected::open(name);
    let about = &expected.description["network"];
    assert_eq!((network.kind, network.warnings.len()), (kind, 0), "{file}: {:?}", network.warnings);
    assert_eq!(network.mapping.c_dim, number(about, "c_dim"), "{file}: classes");
    let side = number(about, "img_resolution").max(number(about, "im_size"));
    assert_eq!(network.picture_size(), [side, side], "{file}");
    (network, expected)
}

#[test]
fn the_cpu_engine_gives_the_picture_of_pytorch() {
    for (name, files, kind) in NETWORKS {
        for file in files {
            let (network, expected) = open(name, file, kind);
            let cpu = Cpu::default();
            check(&network, &expected, limits(name), |plan| Box::new(cpu.program(plan).expect("the plan runs")));
        }
    }
}

#[test]
fn the_gpu_engine_gives_the_picture_of_pytorch() {
    for (precision, gpu) in engines() {
        // A picture of 1024 takes software adapters longer than a program waits for one.
        for (name, files, kind) in NETWORKS.into_iter().filter(|(name, ..)| *name != "fastgan_1024") {
            let (network, expected) = open(name, files[0], kind);
            let limits = match precision {
                Precision::F32 => limits(name),
                Precision::F16 => [6e-2, 6e-3, 4e-2],
            };
            check(&network, &expected, limits, |plan| Box::new(gpu.program(plan).expect("the plan runs")));
        }
    }
}

#[cfg(feature = "torch")]
#[test]
fn the_torch_engine_gives_the_picture_of_pytorch() {
    use latent_jockey::engine::torch::Torch;
    for (name, files, kind) in NETWORKS {
        let (network, expected) = open(name, files[0], kind);
        let torch = Torch::new(Some("cpu"), None).expect("libtorch has a processor").with_taps();
        check(&network, &expected, limits(name), |plan| Box::new(torch.program(plan).expect("the plan runs")));
    }
}

#[test]
fn a_picture_limited_by_tanh_is_that_of_the_cpu() {
    let (network, expected) = open("pgan_fastgan_128", "pgan_fastgan_128.pkl", Kind::ProjectedGan);
    let mut plan = (*network.plan).clone();
    let Some(Op::Gated(last)) = plan.steps.last_mut().map(|step| &mut step.op) else { panic!("the last step") };
    last.gating = Gating::Tanh;
    let (plan, z) = (Arc::new(plan), expected.sample("z", 0));
    let picture = |mut program: Box<dyn Program>| {
        let (mut w, mut image) = (Vec::new(), Image::default());
        network.mapping.map(&z, &[], &mut w, &mut Scratch::default());
        program.draw(&Inputs { ws: &w, ..Inputs::default() }, &mut image).expect("runs");
        image.data
    };
    let limited = picture(Box::new(Cpu::default().program(plan.clone()).expect("the plan runs")));
    let raw = picture(Box::new(Cpu::default().program(network.plan.clone()).expect("the plan runs")));
    let expected: Vec<f32> = raw.iter().map(|x| x.tanh()).collect();
    assert_close("cpu", &limited, &expected, 1e-6, 1e-6);
    #[cfg(feature = "torch")]
    {
        let torch = latent_jockey::engine::torch::Torch::new(Some("cpu"), None).expect("libtorch has a processor");
        let program = torch.program(plan.clone()).expect("the plan runs");
        assert_close("torch", &picture(Box::new(program)), &limited, 2e-3, 2e-5);
    }
    for (_, gpu) in engines().into_iter().filter(|(precision, _)| *precision == Precision::F32) {
        // Rounding of numbers up to 17 before it.
        assert_close(
            "gpu",
            &picture(Box::new(gpu.program(plan.clone()).expect("the plan runs"))),
            &limited,
            2e-3,
            2e-5,
        );
    }
}

#[test]
fn z_is_the_only_w_and_truncation_leaves_the_class_alone() {
    let (network, expected) = open("pgan_fastgan_128_cond", "pgan_fastgan_128_cond.pkl", Kind::ProjectedGan);
    let mapping = &network.mapping;
    assert_eq!((mapping.num_ws, mapping.layers.len()), (1, 0));
    let (mut w, mut ws) = (Vec::new(), Vec::new());
    let c = expected.sample("c", 0);
    let z = expected.sample("z", 0);
    let double: Vec<f32> = z.iter().map(|z| 2.0 * z).collect();
    mapping.map(&z, &c, &mut w, &mut Scratch::default());
    mapping.map(&double, &c, &mut ws, &mut Scratch::default());
    assert_close("a z twice as long", &ws, &w, 1e-6, 1e-6);
    mapping.truncate_in_class(&c, &w, 0.0, usize::MAX, &mut ws);
    assert!(ws[..mapping.z_dim].iter().all(|x| *x == 0.0), "z is gone: {ws:?}");
    assert_close("the class", &ws[mapping.z_dim..], &w[mapping.z_dim..], 1e-6, 1e-6);
    let (raw, _) = open("fastgan_256", "fastgan_256.pth", Kind::FastGan);
    let z = vec![3.0; raw.mapping.z_dim];
    raw.mapping.map(&z, &[], &mut w, &mut Scratch::default());
    assert_eq!(w, z, "FastGAN takes z as it is");
}
