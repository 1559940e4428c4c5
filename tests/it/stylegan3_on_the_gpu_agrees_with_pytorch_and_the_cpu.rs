//! Do pictures and maps of StyleGAN3 and StyleGAN-XL on the gpu engine agree with those of PyTorch, and with the cpu
//! engine's at every shape of layer? Runs on any adapter, including software; without one the tests report "skipped".

use std::sync::Arc;

use crate::common::{Expected, assert_close, engines, fixture, magnitude};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::gpu::Precision;
use latent_jockey::engine::plan::{BufferId, FilteredLayer, FourierInput, Op, Plan, Style, Weights};
use latent_jockey::engine::{Engine, Inputs, Program, Transform};
use latent_jockey::image::Image;
use latent_jockey::latent::mapping::FullyConnected;
use latent_jockey::latent::seed::z_from_seed;
use latent_jockey::network::{self, stylegan3};

/// The largest difference allowed, relative to the largest magnitude of a feature map; and of pictures in −1..1.
///
/// A number of 16 bits is off by up to 2⁻¹¹ of itself. Two of them in a row (the convolution, the layer's result), of 15
/// layers one after another, add up to 2⁻¹¹·√30 = 3e-3 of the largest magnitude in the mean, and to ten times that where a
/// difference is largest.
fn limits(precision: Precision) -> (f32, f32) {
    match precision {
        Precision::F32 => (1e-4, 2e-3),
        Precision::F16 => (3e-2, 6e-2),
    }
}

fn check_fixture(name: &str) {
    let network = network::open(fixture(&format!("{name}.pkl"))).expect("opens");
    let expected = Expected::open(name);
    for (precision, gpu) in engines() {
        let (map_limit, picture_limit) = limits(precision);
        let mut program = gpu.program(network.plan.clone()).expect("the plan runs");
        let mut moved = 0;
        for case in expected.description["cases"].as_array().expect("cases") {
            let text = |key: &str| case[key].as_str().unwrap_or_else(|| panic!("no {key}"));
            let transform = case.get("transform_buffer").map_or_else(Transform::default, |buffer| {
                let m: Vec<f64> = expected.get(buffer.as_str().expect("a name")).1.into_iter().map(f64::from).collect();
                Transform { inverse: [[m[0], m[1], m[2]], [m[3], m[4], m[5]]] }
            });
            moved += usize::from(transform != Transform::default());
            for n in 0..expected.get(text("image")).0[0] {
                let ws = expected.sample(text("ws"), n);
                let mut out = Image::default();
                program.draw(&Inputs { ws: &ws, transform, ..Inputs::default() }, &mut out).expect("runs");
                let what = format!("{name} {precision:?} {} sample {n}", text("id"));
                let image = expected.sample(text("image"), n);
                assert_close(&what, &out.data, &image, picture_limit, picture_limit / 10.0);
                for (tap, about) in case.get("taps").and_then(|t| t.as_object()).into_iter().flatten() {
                    // The last layer is not scaled for the picture yet.
                    let is_last = network.plan.picture().is_some_and(|picture| picture.name == *tap);
                    let Some(found) = program.tap(tap).filter(|_| !is_last) else { continue };
                    let values = expected.sample(about["tensor"].as_str().expect("a name"), 0);
                    let limit = map_limit * magnitude(&values);
                    assert_close(&format!("{what}, tap {tap}"), &found.data[..values.len()], &values, limit, limit);
                }
            }
        }
        assert!(moved >= 2, "{name} has cases with a transform");
    }
}

#[test]
fn configuration_t_gives_the_picture_of_pytorch() {
    check_fixture("sg3t_32_cond");
}

#[test]
fn configuration_r_gives_the_picture_of_pytorch() {
    check_fixture("sg3r_32");
}

#[test]
fn stylegan_xl_gives_the_picture_of_pytorch() {
    check_fixture("sgxl_32_super");
}

/// Every map of the plan, on the card and on the processor.
fn check_plan(plan: &Arc<Plan>) {
    let ws = z_from_seed(7, plan.num_ws * plan.w_dim);
    let inputs = Inputs { ws: &ws, transform: Transform::new(0.2, -0.1, 0.07, 1.3), ..Inputs::default() };
    let mut expected = Image::default();
    let mut cpu = Cpu::default().prepare(plan.clone()).expect("the cpu runs it");
    cpu.draw(&inputs, &mut expected).expect("runs");
    for (precision, gpu) in engines() {
        let mut program = gpu.program(plan.clone()).expect("the gpu runs it");
        let mut found = Image::default();
        program.draw(&inputs, &mut found).expect("runs");
        for buffer in &plan.buffers {
            let tap = |program: &dyn Program| program.tap(&buffer.name).expect("is kept").data;
            let (found, expected) = (tap(&program), tap(&*cpu));
            let limit = limits(precision).0 * magnitude(&expected);
            assert_close(&format!("{} {precision:?} {}", plan.name, buffer.name), &found, &expected, limit, limit);
        }
    }
}

#[test]
fn every_map_of_both_configurations_agrees_with_the_cpu() {
    for config in [stylegan3::Config::T, stylegan3::Config::R] {
        check_plan(&stylegan3::random(config, 64, 1024, 40, 32).plan);
    }
}

fn affine(seed: u32, outputs: usize) -> FullyConnected {
    let weight = z_from_seed(seed, 16 * outputs).iter().map(|z| z * 0.1).collect();
    FullyConnected { inputs: 16, outputs, weight, bias: vec![1.0; outputs] }
}

/// A plan with an input of `channels` x `height` x `width`.
fn with_input(name: &str, channels: usize, height: usize, width: usize) -> (Plan, BufferId) {
    let mut plan = Plan { name: name.into(), num_ws: 2, w_dim: 16, ..Plan::default() };
    let out = plan.buffer("input", channels, height, width);
    let op = FourierInput {
        out,
        affine: affine(1, 4),
        ws_index: 0,
        freqs: Weights::new(z_from_seed(2, 2 * (channels + 30))),
        phases: Weights::new(z_from_seed(3, channels + 30)),
        weight: Weights::new(z_from_seed(4, channels * (channels + 30))),
        sampling_rate: 16.0,
        bandwidth: 2.0,
        transform: Transform::new(-0.3, 0.4, -0.2, 0.8),
    };
    plan.push("input", Op::Fourier(op));
    (plan, out)
}

/// A filtered layer: outputs, kernel, factors up and down, taps up and down, padding.
struct Shape(usize, usize, [usize; 2], [usize; 2], [i64; 2]);

fn push(plan: &mut Plan, input: BufferId, shape: Shape, down_filter: Vec<f32>, clamp: Option<f32>) -> BufferId {
    let Shape(outputs, kernel, [up, down], [up_taps, down_taps], padding) = shape;
    let from = plan.get(input).clone();
    let seed = plan.steps.len() as u32;
    let mut op = FilteredLayer {
        input,
        out: BufferId(0),
        style: Style { affine: affine(seed, from.channels), ws_index: 1 },
        weight: Weights::new(z_from_seed(seed + 1, outputs * from.channels * kernel * kernel)),
        kernel,
        demodulate: seed != 3,
        magnitude: if seed == 3 { 0.05 } else { 0.8 },
        bias: Weights::new(z_from_seed(seed + 2, outputs)),
        up,
        down,
        padding,
        up_filter: Weights::new(some_filter(seed + 3, up_taps)),
        radial: down_filter.len() != down_taps,
        down_filter: Weights::new(down_filter),
        slope: 0.2,
        gain: std::f32::consts::SQRT_2,
        clamp,
        output_gain: 0.9,
    };
    let size = |n: usize| op.outputs(n).expect("the padding leaves something");
    op.out = plan.buffer(format!("layer {seed}"), outputs, size(from.height), size(from.width));
    let out = op.out;
    plan.push(format!("layer {seed}"), Op::Filtered(op));
    out
}

/// Taps of sum 1, not the same from both ends.
fn some_filter(seed: u32, taps: usize) -> Vec<f32> {
    let filter: Vec<f32> = z_from_seed(seed, taps).iter().map(|z| z.abs() + 0.1).collect();
    let sum: f32 = filter.iter().sum();
    filter.iter().map(|tap| tap / sum).collect()
}

/// A round filter that a few separable ones make.
fn bump(taps: usize) -> Vec<f32> {
    let at = |i: usize| i as f32 - (taps as f32 - 1.0) / 2.0;
    let tap = |i: usize| {
        let r = at(i / taps).hypot(at(i % taps));
        (1.0 + (r * 0.5).cos()) * (-r * r / 9.0).exp()
    };
    let sum: f32 = (0..taps * taps).map(tap).sum();
    (0..taps * taps).map(|i| tap(i) / sum).collect()
}

#[test]
fn every_shape_of_layer_agrees_with_the_cpu() {
    let (mut plan, input) = with_input("every shape", 9, 23, 30);
    let x = push(&mut plan, input, Shape(33, 3, [2, 2], [12, 12], [9, 8]), some_filter(1, 12), None);
    let x = push(&mut plan, x, Shape(17, 1, [4, 2], [24, 12], [-2, -5]), bump(12), Some(1.5));
    // Without demodulation, filters and clamp; then one whose padding is wider than its filter.
    let x = push(&mut plan, x, Shape(70, 3, [1, 1], [1, 1], [0, 0]), vec![1.0], None);
    let x = push(&mut plan, x, Shape(5, 1, [2, 3], [7, 5], [9, 4]), some_filter(2, 5), Some(2.0));
    // A filter that no few separable ones make.
    let x = push(&mut plan, x, Shape(6, 1, [3, 2], [11, 8], [-1, 20]), some_filter(3, 64), None);
    let x = push(&mut plan, x, Shape(3, 1, [2, 2], [12, 12], [11, 10]), some_filter(4, 12), None);
    plan.output = Some(x);
    check_plan(&Arc::new(plan));
}

#[test]
fn maps_of_many_workgroups_agree_with_the_cpu() {
    let (mut plan, input) = with_input("wide", 2, 70, 300);
    let x = push(&mut plan, input, Shape(2, 3, [2, 2], [12, 12], [9, 8]), some_filter(1, 12), None);
    let x = push(&mut plan, x, Shape(3, 1, [2, 2], [12, 12], [-9, -10]), bump(12), None);
    plan.output = Some(x);
    check_plan(&Arc::new(plan));
}

#[test]
fn filters_that_are_too_long_for_the_card_are_refused_with_both_sizes() {
    for (_, gpu) in engines() {
        let (mut plan, input) = with_input("long", 2, 200, 200);
        let out = push(&mut plan, input, Shape(3, 1, [1, 1], [1, 100], [0, 0]), some_filter(3, 10_000), None);
        plan.output = Some(out);
        let error = gpu.prepare(Arc::new(plan)).err().expect("refused").to_string();
        assert!(error.contains("layer 1") && error.contains("100 taps") && error.contains("the card has"), "{error}");
    }
}
