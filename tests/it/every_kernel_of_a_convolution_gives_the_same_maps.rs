//! Does each kernel that can compute a convolution on this adapter give the maps of the cpu engine, at small, odd and real
//! shapes of layers, and the pictures of PyTorch? Runs on any adapter, including software; without one the tests report "skipped".
#![allow(clippy::print_stderr, reason = "what is skipped is said")]

use std::sync::Arc;

use crate::common::{Expected, assert_close, fixture, magnitude, skip_gpu};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::gpu::{Device, Form, Gpu, Kernel, Precision, Variant};
use latent_jockey::engine::plan::{Op, Plan};
use latent_jockey::engine::surface::Surface;
use latent_jockey::engine::{Engine, Inputs, Noise, NoiseMode, Program};
use latent_jockey::image::Image;
use latent_jockey::latent::seed::z_from_seed;
use latent_jockey::network;
use latent_jockey::network::style_transfer::StyleNetwork;

const PRECISIONS: [Precision; 2] = [Precision::F32, Precision::F16];

/// The largest difference allowed, relative to the largest magnitude of a feature map; and of pictures in −1..1.
fn limits(precision: Precision) -> (f32, f32) {
    match precision {
        Precision::F32 => (1e-4, 2e-3),
        Precision::F16 => (2e-2, 6e-2),
    }
}

fn gpu(precision: Precision) -> Option<Gpu> {
    let engine = Device::open(false).and_then(|device| Gpu::new(device, precision)).map(Gpu::with_taps);
    engine.map_err(|error| skip_gpu(format!("{precision:?}: {error}"))).ok()
}

/// Calls `check` with an engine that takes it, for each variant that suits a layer of the plan; says which kernels this
/// adapter has not.
fn each_variant(plan: &Plan, check: impl Fn(Precision, Variant, &Gpu)) {
    let suits = |variant: &Variant| {
        let layers =
            plan.steps.iter().filter(|step| matches!(step.op, Op::Synthesis(_) | Op::Filtered(_) | Op::NormConv(_)));
        let outs = layers.map(|step| plan.get(step.op.out()));
        outs.into_iter().any(|out| variant.suits(out.channels, out.height * out.width / variant.form.side().pow(2)))
    };
    for precision in PRECISIONS {
        let variants = gpu(precision).map_or(Vec::new(), |gpu| gpu.variants());
        if !variants.iter().any(|variant| variant.kernel == Kernel::Matrix) {
            eprintln!("skipped, {precision:?}: no cooperative matrices");
        }
        for variant in variants.into_iter().filter(suits) {
            let Some(gpu) = gpu(precision) else { continue };
            check(precision, variant, &gpu.with_variant(variant));
        }
    }
}

/// Compares every map of the plan, and says which variants layers took.
fn check_plan(plan: &Arc<Plan>) -> Vec<Variant> {
    let ws = z_from_seed(7, plan.num_ws * plan.w_dim);
    check(plan, &Inputs { ws: &ws, ..Inputs::default() }, 1.0)
}

/// As [`check_plan`], with limits that are so many times wider.
fn check(plan: &Arc<Plan>, inputs: &Inputs, wider: f32) -> Vec<Variant> {
    let mut cpu = Cpu::default().prepare(plan.clone()).expect("the cpu runs it");
    cpu.draw(inputs, &mut Image::default()).expect("runs");
    let taken = std::cell::RefCell::new(Vec::new());
    each_variant(plan, |precision, variant, gpu| {
        let mut program = gpu.program(plan.clone()).expect("the gpu runs it");
        taken.borrow_mut().extend(program.variants().iter().map(|(_, taken)| *taken).filter(|taken| *taken == variant));
        program.draw(inputs, &mut Image::default()).expect("runs");
        for buffer in &plan.buffers {
            let found = program.tap(&buffer.name).expect("is kept");
            let expected = cpu.tap(&buffer.name).expect("is kept");
            let limit = wider * limits(precision).0 * magnitude(&expected.data);
            let what = format!("{} {precision:?} {variant} {}", plan.name, buffer.name);
            assert_close(&what, &found.data, &expected.data, limit, limit);
        }
    });
    taken.into_inner()
}

#[test]
fn every_map_is_that_of_the_cpu_at_odd_and_real_shapes() {
    // Few channels, an odd number of them; channels that fill no tile; sums that are cut and whole ones; up-sampling.
    let mut taken = Vec::new();
    for (resolution, base, max) in [(16, 340, 21), (16, 1160, 72)] {
        taken.extend(check_plan(&network::stylegan2::random(resolution, base, max, 48, 3).plan));
    }
    for precision in PRECISIONS {
        for variant in gpu(precision).map_or(Vec::new(), |gpu| gpu.variants()) {
            let is_direct = variant.form == Form::Direct;
            assert!(!is_direct || taken.contains(&variant), "no layer took {variant}");
        }
    }
}

#[test]
fn every_kernel_paints_alike() {
    let network = StyleNetwork::open(&fixture("style/painters8.safetensors")).expect("opens");
    let data = z_from_seed(5, 3 * 40 * 56).iter().map(|x| (x / 2.0).clamp(-1.0, 1.0)).collect();
    let content = Surface::from(Image { channels: 3, height: 40, width: 56, data });
    let mix = [0.125; 8];
    let inputs = Inputs { image: Some(&content), styles: &mix, ..Inputs::default() };
    let taken = check(&Arc::new(network.plan_for(40, 56)), &inputs, 2.0);
    for kernel in [Kernel::Plain, Kernel::Half] {
        let is_there = gpu(Precision::F16).is_some() || kernel == Kernel::Plain;
        assert!(!is_there || taken.iter().any(|variant| variant.kernel == kernel), "no layer took {}", kernel.name());
    }
}

#[test]
fn pictures_agree_with_pytorch() {
    for (name, file) in [
        ("sg2_32", "sg2_32.safetensors"),
        ("sg2_32_resnet", "sg2_32_resnet.pkl"),
        ("sg3r_32", "sg3r_32.pkl"),
        ("sg3t_32_cond", "sg3t_32_cond.pkl"),
    ] {
        let network = network::open(fixture(file)).expect("opens");
        let expected = Expected::open(name);
        let case = &expected.description["cases"][0];
        let [image, ws] = ["image", "ws"].map(|key| case[key].as_str().expect("a name"));
        let mode = if case["noise"] == "none" { NoiseMode::None } else { NoiseMode::Const };
        let ws = expected.sample(ws, 0);
        let inputs = Inputs { ws: &ws, noise: Noise { mode, gain: 1.0 }, ..Inputs::default() };
        each_variant(&network.plan, |precision, variant, gpu| {
            let mut out = Image::default();
            gpu.program(network.plan.clone()).expect("runs").draw(&inputs, &mut out).expect("runs");
            let limit = limits(precision).1;
            let what = format!("{name} {precision:?} {variant}");
            assert_close(&what, &out.data, &expected.sample(image, 0), limit, limit / 10.0);
        });
    }
}
