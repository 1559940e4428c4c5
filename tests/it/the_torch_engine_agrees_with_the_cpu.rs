//! Do feature maps and pictures of the torch engine agree with the cpu engine's, at shapes that the fixtures do not have, with
//! every kind of noise, and one picture after another?

use std::sync::Arc;

use crate::common::{assert_close, fixture, magnitude};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::plan::{FilteredLayer, Op, Plan};
use latent_jockey::engine::torch::Torch;
use latent_jockey::engine::{Engine, Inputs, Noise, NoiseMode, Program, Transform};
use latent_jockey::image::Image;
use latent_jockey::latent::seed::z_from_seed;
use latent_jockey::network::{self, rough, stylegan2, stylegan3};

fn torch() -> Torch {
    Torch::new(Some("cpu"), None).expect("libtorch has a processor")
}

/// Every map of the plan, by both engines, in both orders of memory; the second picture must not depend on the first.
fn check_plan(plan: &Arc<Plan>, noise: Noise) {
    let draw = |program: &mut dyn Program| {
        let mut picture = Image::default();
        for seed in [8, 7] {
            let (ws, transform) = (z_from_seed(seed, plan.num_ws * plan.w_dim), Transform::new(0.2, -0.1, 0.07, 1.3));
            let inputs = Inputs { ws: &ws, noise, transform, ..Inputs::default() };
            program.draw(&inputs, &mut picture).expect("runs");
        }
        picture
    };
    let mut cpu = Cpu::default().program(plan.clone()).expect("the cpu runs it");
    let expected = draw(&mut cpu);
    for channels_last in [false, true] {
        let mut program = torch().with_taps().with_channels_last(channels_last).program(plan.clone()).expect("runs it");
        let found = draw(&mut program);
        let limit = 1e-4 * magnitude(&expected.data);
        assert_close(&plan.name, &found.data, &expected.data, limit, limit);
        for buffer in &plan.buffers {
            let tap = |program: &dyn Program| program.tap(&buffer.name).expect("is kept").data;
            let (found, expected) = (tap(&program), tap(&cpu));
            let limit = 1e-4 * magnitude(&expected);
            let what = format!("{} {noise:?} {}, channels last: {channels_last}", plan.name, buffer.name);
            assert_close(&what, &found, &expected, limit, limit);
        }
    }
}

#[test]
fn maps_of_stylegan2_where_weights_are_scaled_and_where_maps_are() {
    for (resolution, base, max) in [(64, 1024, 40), (16, 340, 21), (8, 2048, 128)] {
        check_plan(&stylegan2::random(resolution, base, max, 48, 3).plan, Noise::default());
    }
    // Where maps stop growing, too.
    let small = rough::plan(&stylegan2::random(64, 1024, 40, 48, 3).plan).expect("it has a small plan");
    check_plan(&Arc::new(small), Noise::default());
}

#[test]
fn noise_of_every_kind() {
    let plan = stylegan2::random(16, 256, 16, 32, 1).plan;
    check_plan(&plan, Noise { mode: NoiseMode::None, gain: 1.0 });
    check_plan(&plan, Noise { mode: NoiseMode::Const, gain: 2.5 });
    check_plan(&plan, Noise { mode: NoiseMode::Random { seed: 0x0123_4567_89ab_cdef }, gain: 0.7 });
}

#[test]
fn maps_of_both_configurations_of_stylegan3() {
    for config in [stylegan3::Config::T, stylegan3::Config::R] {
        check_plan(&stylegan3::random(config, 32, 512, 20, 16).plan, Noise::default());
    }
}

/// Padding that crops, pads, or is uneven, around every factor of up-sampling.
#[test]
fn filters_with_every_kind_of_padding() {
    let plan = stylegan3::random(stylegan3::Config::T, 32, 512, 12, 16).plan;
    let mut compared = 0;
    for [front, back] in [[0, 0], [3, 1], [-2, 5], [9, -3], [14, 14], [1, 2]] {
        let mut plan = (*plan).clone();
        // The first filtered layer, alone behind the input.
        let first = plan.steps.iter().position(|step| matches!(step.op, Op::Filtered(_))).expect("it has layers");
        plan.steps.truncate(first + 1);
        let Some(Op::Filtered(op)) = plan.steps.last_mut().map(|step| &mut step.op) else { panic!("found before") };
        op.padding = [front, back];
        let (op, out): (FilteredLayer, _) = (op.clone(), op.out);
        let input = plan.buffers[op.input.0].clone();
        let (Some(height), Some(width)) = (op.outputs(input.height), op.outputs(input.width)) else { continue };
        (plan.buffers[out.0].height, plan.buffers[out.0].width) = (height, width);
        plan.buffers.truncate(out.0 + 1);
        plan.output = Some(out);
        check_plan(&Arc::new(plan), Noise::default());
        compared += 1;
    }
    assert!(compared >= 5, "{compared}");
}

#[test]
fn inputs_of_the_wrong_size_are_refused_and_the_picture_stays() {
    let network = network::open(fixture("sg2_32.safetensors")).expect("opens");
    let mut program = torch().prepare(network.plan.clone()).expect("prepares");
    assert_eq!(program.engine(), "torch cpu");
    let mut picture = Image::new(1, 1, 1);
    let error = program.draw(&Inputs { ws: &[0.0; 3], ..Inputs::default() }, &mut picture).expect_err("too few");
    assert!(error.to_string().contains("expected 8 x "), "{error}");
    assert_eq!(picture, Image::new(1, 1, 1));
}
