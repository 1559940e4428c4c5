//! Does each of Winograd's variants that this adapter can run give the maps of the cpu engine: odd sizes, few and many
//! channels, noise, clamps, maps that grow, reflection? Runs on any adapter, including software; without one the tests report "skipped".
#![allow(clippy::print_stderr, reason = "what is skipped is said")]

use std::sync::Arc;

use crate::common::{assert_close, magnitude, skip_gpu};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::gpu::{Device, Form, Gpu, Kernel, Precision, Variant};
use latent_jockey::engine::plan::{
    Activation, BufferId, Constant, Convolution, FIR_1331, FilteredLayer, LayerNoise, NormConv, Op, Picture, Plan,
    Style, SynthesisLayer, Weights,
};
use latent_jockey::engine::surface::Surface;
use latent_jockey::engine::{Engine, Inputs, Noise, NoiseMode, Program};
use latent_jockey::image::Image;
use latent_jockey::latent::mapping::FullyConnected;
use latent_jockey::latent::seed::z_from_seed;

const W_DIM: usize = 12;

/// The largest difference allowed, relative to the largest magnitude of a map.
fn limit(precision: Precision) -> f32 {
    match precision {
        Precision::F32 => 1e-4,
        Precision::F16 => 1e-2,
    }
}

fn numbers(seed: usize, count: usize, scale: f32) -> Weights {
    Weights::new(z_from_seed(seed as u32, count).iter().map(|x| x * scale).collect())
}

fn style(seed: usize, channels: usize) -> Style {
    let weight = numbers(seed, channels * W_DIM, 0.2).to_vec();
    Style {
        affine: FullyConnected { weight, bias: vec![1.0; channels], inputs: W_DIM, outputs: channels },
        ws_index: 0,
    }
}

/// Random maps, and a layer on each: input and output channels, height and width of the input.
fn plan(name: &str, shapes: &[[usize; 4]], layer: impl Fn(&mut Plan, usize, BufferId, [usize; 4]) -> Op) -> Arc<Plan> {
    let mut plan = Plan { name: name.into(), num_ws: 1, w_dim: W_DIM, ..Plan::default() };
    for (at, shape) in shapes.iter().enumerate() {
        let [inputs, _, height, width] = *shape;
        let input = plan.buffer(format!("in {at}"), inputs, height, width);
        let value = numbers(at + 100, inputs * height * width, 1.0);
        plan.push(format!("in {at}"), Op::Constant(Constant { out: input, value }));
        let op = layer(&mut plan, at, input, *shape);
        plan.push(format!("layer {at}"), op);
    }
    let picture = plan.buffer("picture", 3, 1, 1);
    plan.push("picture", Op::Constant(Constant { out: picture, value: numbers(1, 3, 1.0) }));
    plan.output = Some(picture);
    assert_eq!(plan.check(), Ok(()));
    Arc::new(plan)
}

/// Every map by every variant of Winograd's; says which variants no layer took.
fn check(plan: &Arc<Plan>, inputs: &Inputs) -> Vec<Variant> {
    let mut cpu = Cpu::default().prepare(plan.clone()).expect("the cpu runs it");
    cpu.draw(inputs, &mut Image::default()).expect("runs");
    let mut unused = Vec::new();
    for precision in [Precision::F32, Precision::F16] {
        let gpu = || Device::open(false).and_then(|device| Gpu::new(device, precision)).map(Gpu::with_taps);
        let variants = match gpu() {
            Ok(gpu) => gpu.variants(),
            Err(error) => {
                skip_gpu(format!("{precision:?}: {error}"));
                continue;
            }
        };
        if !variants.iter().any(|variant| variant.kernel == Kernel::Matrix) {
            eprintln!("skipped, {precision:?}: no cooperative matrices");
        }
        for variant in variants.into_iter().filter(|variant| variant.form != Form::Direct) {
            let gpu = gpu().expect("opened before").with_variant(variant);
            let mut program = gpu.program(plan.clone()).expect("the gpu runs it");
            let taken = program.variants().iter().filter(|(_, taken)| *taken == variant).count();
            if taken == 0 {
                unused.push(variant);
                continue;
            }
            // Twice: the second run must not depend on the first.
            for _ in 0..2 {
                program.draw(inputs, &mut Image::default()).expect("runs");
            }
            // The last one stands for a picture.
            for buffer in plan.buffers.iter().filter(|buffer| buffer.name != "picture") {
                let (found, expected) =
                    (program.tap(&buffer.name).expect("kept"), cpu.tap(&buffer.name).expect("kept"));
                let limit = limit(precision) * magnitude(&expected.data);
                let what = format!("{} {precision:?} {variant} {}", plan.name, buffer.name);
                assert_close(&what, &found.data, &expected.data, limit, limit / 4.0);
            }
        }
    }
    unused
}

#[test]
fn of_stylegan2_layers() {
    // Every tile is suited by one of them.
    let shapes = [[19, 37, 21, 35], [40, 70, 37, 29], [3, 33, 50, 47]];
    let plan = plan("synthesis", &shapes, |plan, at, input, [inputs, outputs, height, width]| {
        let out = plan.buffer(format!("out {at}"), outputs, height, width);
        Op::Synthesis(SynthesisLayer {
            input,
            out,
            style: style(at, inputs),
            weight: numbers(at + 10, outputs * inputs * 9, 1.0 / ((9 * inputs) as f32).sqrt()),
            kernel: 3,
            up: false,
            fir: FIR_1331,
            demodulate: at != 0,
            noise: (at != 2).then(|| LayerNoise { constant: numbers(at + 20, height * width, 1.0), strength: 0.3 }),
            bias: numbers(at + 30, outputs, 0.5),
            gain: 1.4,
            slope: 0.2,
            clamp: (at != 1).then_some(1.5),
        })
    });
    let ws = z_from_seed(7, W_DIM);
    let inputs = |mode| Inputs { ws: &ws, noise: Noise { mode, gain: 0.7 }, ..Inputs::default() };
    let unused = check(&plan, &inputs(NoiseMode::Const));
    assert_eq!(unused, [], "no layer took these");
    check(&plan, &inputs(NoiseMode::Random { seed: 77 }));
}

#[test]
fn of_stylegan3_layers() {
    let shapes = [[9, 34, 15, 18], [33, 70, 19, 17]];
    let plan = plan("filtered", &shapes, |plan, at, input, [inputs, outputs, height, width]| {
        let layer = FilteredLayer {
            input,
            out: input,
            style: style(at, inputs),
            weight: numbers(at + 10, outputs * inputs * 9, 1.0),
            kernel: 3,
            demodulate: at == 0,
            magnitude: 0.2,
            bias: numbers(at + 30, outputs, 0.5),
            up: 2,
            down: 2,
            padding: [-3, -3],
            up_filter: Weights::new(vec![1.0 / 12.0; 12]),
            down_filter: Weights::new(vec![1.0 / 12.0; 12]),
            radial: false,
            slope: 0.2,
            gain: 1.4,
            clamp: Some(3.0),
            output_gain: 1.0,
        };
        let [height, width] = [height, width].map(|side| layer.outputs(side).expect("is left"));
        let out = plan.buffer(format!("out {at}"), outputs, height, width);
        Op::Filtered(FilteredLayer { out, ..layer })
    });
    check(&plan, &Inputs { ws: &z_from_seed(7, W_DIM), ..Inputs::default() });
}

#[test]
fn of_style_networks() {
    let mut plan = Plan { name: "painting".into(), styles: 2, ..Plan::default() };
    let mut last = plan.buffer("image", 3, 3, 21);
    plan.push("image", Op::Picture(Picture { out: last, gain: 0.5, offset: 0.25 }));
    // Outputs and enlargement; the first map is lower than a tile, and one is one sample too narrow for it.
    for (at, (outputs, up)) in [(40, 2), (70, 1), (33, 2)].into_iter().enumerate() {
        let input = plan.get(last).clone();
        let out = plan.buffer(format!("out {at}"), outputs, up * input.height, up * input.width);
        let step = Op::NormConv(NormConv {
            input: last,
            out,
            residual: None,
            weight: numbers(at + 10, outputs * input.channels * 9, 1.0 / ((9 * input.channels) as f32).sqrt()),
            kernel: 3,
            stride: 1,
            up,
            gamma: numbers(at + 40, 2 * outputs, 1.0),
            beta: numbers(at + 50, 2 * outputs, 1.0),
            eps: 1e-5,
            activation: Activation::Relu,
        });
        plan.push(format!("layer {at}"), step);
        last = out;
    }
    let input = plan.get(last).clone();
    let out = plan.buffer("painted", 5, input.height, input.width);
    let weight = numbers(60, 5 * input.channels * 9, 1.0 / ((9 * input.channels) as f32).sqrt());
    let bias = numbers(61, 5, 0.5);
    plan.push("painted", Op::Convolution(Convolution { input: last, out, weight, kernel: 3, bias, clamp: Some(1.0) }));
    plan.output = Some(out);
    assert_eq!(plan.check(), Ok(()));
    let image = Image { channels: 3, height: 3, width: 21, data: numbers(5, 3 * 3 * 21, 0.5).to_vec() };
    let content = Surface::from(image);
    let inputs = Inputs { image: Some(&content), styles: &[0.25, 0.75], ..Inputs::default() };
    check(&Arc::new(plan), &inputs);
}
