//! Do the layers and pictures of style networks on the gpu engine agree with PyTorch's, and with the cpu engine's at other
//! sizes and in the style loop? Runs on any adapter, including software; without one the tests report "skipped".

use std::path::Path;
use std::sync::Arc;

use crate::common::{assert_close, engines, fixture, magnitude};
use latent_jockey::effects::style::{StyleLoop, StyleSettings};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::gpu::Precision;
use latent_jockey::engine::plan::{Activation, Convolution, NormConv, Op, Picture, Plan};
use latent_jockey::engine::surface::Surface;
use latent_jockey::engine::{Engine, EngineError, Inputs, Program};
use latent_jockey::image::Image;
use latent_jockey::latent::seed::z_from_seed;
use latent_jockey::network::checkpoint::Checkpoint;
use latent_jockey::network::style_transfer::StyleNetwork;

/// The largest difference allowed, relative to the largest magnitude of a feature map; and of pictures in −1..1.
fn limits(precision: Precision) -> (f32, f32) {
    match precision {
        Precision::F32 => (5e-4, 2e-3),
        Precision::F16 => (4e-2, 6e-2),
    }
}

fn expected(file: &str, tensor: &str) -> Vec<f32> {
    let checkpoint = Checkpoint::open(&fixture(&format!("style/{file}.expect.safetensors"))).expect("opens");
    checkpoint.tensors.get(tensor).unwrap_or_else(|| panic!("no tensor {tensor}")).to_f32().expect("floats")
}

fn picture(file: &str) -> Image {
    let checkpoint = Checkpoint::open(&fixture(&format!("style/{file}.expect.safetensors"))).expect("opens");
    let shape = &checkpoint.tensors["image"].shape;
    Image { channels: shape[0], height: shape[1], width: shape[2], data: expected(file, "image") }
}

fn noise_image(height: usize, width: usize) -> Image {
    let data = z_from_seed(5, 3 * height * width).iter().map(|x| (x / 2.0).clamp(-1.0, 1.0)).collect();
    Image { channels: 3, height, width, data }
}

fn preset(name: &str) -> StyleNetwork {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets/networks").join(name);
    StyleNetwork::open(&file).expect("opens")
}

#[test]
fn every_layer_of_painters8_is_that_of_pytorch() {
    let network = StyleNetwork::open(&fixture("style/painters8.safetensors")).expect("opens");
    let (image, mix) = (picture("painters8"), expected("painters8", "mix"));
    let plan = Arc::new(network.plan_for(image.height, image.width));
    for (precision, gpu) in engines() {
        let (map_limit, picture_limit) = limits(precision);
        let mut program = gpu.program(plan.clone()).expect("the plan runs");
        let mut out = Image::default();
        // Twice: the second run must not depend on the first.
        for _ in 0..2 {
            let content = Surface::from(image.clone());
            let inputs = Inputs { image: Some(&content), styles: &mix, ..Inputs::default() };
            program.draw(&inputs, &mut out).expect("runs");
        }
        for buffer in plan.buffers.iter().skip(1) {
            let values = expected("painters8", &buffer.name);
            let limit = map_limit * magnitude(&values);
            let what = format!("{precision:?} {}", buffer.name);
            assert_close(&what, &program.tap(&buffer.name).expect("is kept").data, &values, limit, limit / 4.0);
        }
        let values = expected("painters8", "dec.2");
        assert_close(&format!("{precision:?} picture"), &out.data, &values, picture_limit, picture_limit / 10.0);
    }
}

#[test]
fn every_fast_neural_style_file_agrees_with_pytorch() {
    let (image, values) = (picture("johnson"), expected("johnson", "picture"));
    for (precision, gpu) in engines() {
        let limit = limits(precision).1;
        for file in ["johnson-new.safetensors", "johnson-old.safetensors", "johnson-new.pth", "johnson-old.pth"] {
            let network = StyleNetwork::open(&fixture(&format!("style/{file}"))).expect(file);
            let mut program = gpu.prepare(Arc::new(network.plan_for(image.height, image.width))).expect(file);
            let (content, mut out) = (Surface::from(image.clone()), Image::default());
            program.draw(&Inputs { image: Some(&content), styles: &[1.0], ..Inputs::default() }, &mut out).expect(file);
            assert_close(&format!("{precision:?} {file}"), &out.data, &values, limit, limit / 10.0);
        }
    }
}

/// Every map of the plan, on the card and on the processor.
fn check_plan(plan: &Arc<Plan>, image: &Image, styles: &[f32]) {
    let content = Surface::from(image.clone());
    let inputs = Inputs { image: Some(&content), styles, ..Inputs::default() };
    let mut expected = Image::default();
    let mut cpu = Cpu::default().prepare(plan.clone()).expect("the cpu runs it");
    cpu.draw(&inputs, &mut expected).expect("runs");
    for (precision, gpu) in engines() {
        let mut program = gpu.program(plan.clone()).expect("the gpu runs it");
        let mut found = Image::default();
        program.draw(&inputs, &mut found).expect("runs");
        assert_eq!([found.channels, found.height, found.width], [expected.channels, expected.height, expected.width]);
        for buffer in &plan.buffers {
            let (found, expected) =
                (program.tap(&buffer.name).expect("is kept"), cpu.tap(&buffer.name).expect("is kept"));
            let limit = limits(precision).0 * magnitude(&expected.data);
            let what = format!("{} {precision:?} {}", plan.name, buffer.name);
            assert_close(&what, &found.data, &expected.data, limit, limit / 4.0);
        }
    }
}

#[test]
fn mixtures_of_styles_agree_with_the_cpu_at_odd_sizes() {
    for (name, height, width) in [("painters8.safetensors", 45, 70), ("multistyle26.safetensors", 64, 50)] {
        let network = preset(name);
        let count = network.styles.len();
        let mut styles = vec![0.0; count];
        (styles[1], styles[count - 1]) = (0.7, 0.3);
        check_plan(&Arc::new(network.plan_for(height, width)), &noise_image(height, width), &styles);
    }
}

/// A layer of each shape one after another: few and many channels, every kernel, stride and enlargement.
fn every_shape() -> Plan {
    let mut plan = Plan { name: "every shape".into(), styles: 2, ..Plan::default() };
    let mut last = plan.buffer("image", 3, 19, 34);
    plan.push("image", Op::Picture(Picture { out: last, gain: 0.5, offset: 0.25 }));
    // Outputs, kernel, stride, enlargement, residual.
    let layers = [(9, 9, 1, 1), (17, 3, 2, 1), (33, 3, 1, 2), (33, 3, 1, 1), (70, 1, 1, 1), (4, 5, 2, 2)];
    for (at, (outputs, kernel, stride, up)) in layers.into_iter().enumerate() {
        let input = plan.get(last).clone();
        let size = |side: usize| (side * up).div_ceil(stride);
        let out = plan.buffer(format!("layer {at}"), outputs, size(input.height), size(input.width));
        let numbers = |n: usize| Arc::from(z_from_seed(at as u32 + 1, n));
        plan.push(
            format!("layer {at}"),
            Op::NormConv(NormConv {
                input: last,
                out,
                residual: (input.channels == outputs).then_some(last),
                weight: numbers(outputs * input.channels * kernel * kernel),
                kernel,
                stride,
                up,
                gamma: numbers(2 * outputs),
                beta: numbers(2 * outputs),
                eps: 1e-5,
                activation: [Activation::Relu, Activation::Linear, Activation::SignedSigmoid][at % 3],
            }),
        );
        last = out;
    }
    let input = plan.get(last).clone();
    let out = plan.buffer("picture", 3, input.height, input.width);
    let weight: Vec<f32> = z_from_seed(9, 3 * input.channels * 81).iter().map(|x| x * 0.1).collect();
    let (weight, bias) = (weight.into(), vec![0.5, -0.5, 0.1].into());
    plan.push("picture", Op::Convolution(Convolution { input: last, out, weight, kernel: 9, bias, clamp: Some(1.0) }));
    plan.output = Some(out);
    plan
}

#[test]
fn every_shape_of_layer_agrees_with_the_cpu() {
    check_plan(&Arc::new(every_shape()), &noise_image(19, 34), &[0.25, 0.75]);
}

#[test]
fn a_map_shorter_than_the_padding_is_folded_as_on_the_cpu() {
    let mut plan = Plan { name: "tiny".into(), ..Plan::default() };
    let image = plan.buffer("image", 3, 3, 1);
    let out = plan.buffer("picture", 2, 3, 1);
    plan.push("image", Op::Picture(Picture { out: image, gain: 1.0, offset: 0.0 }));
    let (weight, bias) = (Arc::from(z_from_seed(2, 2 * 3 * 81)), Arc::from(vec![0.0, 1.0]));
    plan.push("picture", Op::Convolution(Convolution { input: image, out, weight, kernel: 9, bias, clamp: None }));
    plan.output = Some(out);
    check_plan(&Arc::new(plan), &noise_image(3, 1), &[]);
}

#[test]
fn the_style_loop_paints_what_it_paints_on_the_cpu() {
    let network = Arc::new(preset("painters8.safetensors"));
    let settings = StyleSettings { size: 64, ..StyleSettings::default() };
    let run = |engine: Arc<dyn Engine>| {
        let mut style = StyleLoop::new(engine, network.clone());
        let mut out = Image::default();
        for _ in 0..3 {
            style.process(&noise_image(64, 64), &settings, &mut out).expect("paints");
        }
        out
    };
    let expected = run(Arc::new(Cpu::default()));
    for (precision, gpu) in engines().into_iter().filter(|(precision, _)| *precision == Precision::F32) {
        let found = run(Arc::new(gpu));
        assert_close(&format!("{precision:?}"), &found.data, &expected.data, 2e-3, 2e-4);
    }
}

#[test]
fn a_picture_of_another_size_is_refused_with_both_sizes() {
    let plan = Arc::new(preset("painters8.safetensors").plan_for(32, 48));
    let styles = vec![0.0; plan.styles];
    for (_, gpu) in engines() {
        let mut program = gpu.prepare(plan.clone()).expect("prepares");
        for (image, found) in [(Some(noise_image(48, 32)), "3 x 48 x 32"), (None, "none")] {
            let image = image.map(Surface::from);
            let inputs = Inputs { image: image.as_ref(), styles: &styles, ..Inputs::default() };
            let error = program.draw(&inputs, &mut Image::default()).expect_err("refused");
            assert!(matches!(error, EngineError::Input { .. }), "{error}");
            assert!(error.to_string().contains("3 x 32 x 48") && error.to_string().contains(found), "{error}");
        }
    }
}
