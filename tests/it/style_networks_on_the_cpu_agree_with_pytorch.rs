//! Do the layers and pictures of style networks agree with PyTorch's?

use std::sync::Arc;

use crate::common::{assert_close, fixture, magnitude};
use latent_jockey::engine::cpu::{Cpu, Isa};
use latent_jockey::engine::surface::Surface;
use latent_jockey::engine::{Engine, Inputs};
use latent_jockey::image::Image;
use latent_jockey::network;
use latent_jockey::network::checkpoint::Checkpoint;
use latent_jockey::network::style_transfer::StyleNetwork;

fn expected(file: &str, tensor: &str) -> (Vec<usize>, Vec<f32>) {
    let checkpoint =
        Checkpoint::open(&fixture(&format!("style/{file}.expect.safetensors"))).expect("the fixture opens");
    let found = checkpoint.tensors.get(tensor).unwrap_or_else(|| panic!("no tensor {tensor}"));
    (found.shape.clone(), found.to_f32().expect("floats"))
}

/// The engines that run on the processor.
fn engines() -> Vec<Box<dyn Engine>> {
    vec![
        Box::new(Cpu::new(2)),
        #[cfg(feature = "torch")]
        Box::new(latent_jockey::engine::torch::Torch::new(Some("cpu"), None).expect("libtorch has a processor")),
    ]
}

fn picture(file: &str) -> Image {
    let (shape, data) = expected(file, "image");
    Image { channels: shape[0], height: shape[1], width: shape[2], data }
}

#[test]
fn every_layer_of_painters8_agrees_on_every_instruction_set() {
    let network = StyleNetwork::open(&fixture("style/painters8.safetensors")).expect("opens");
    let (image, (_, mix)) = (picture("painters8"), expected("painters8", "mix"));
    for isa in Isa::available() {
        let plan = Arc::new(network.plan_for(image.height, image.width));
        let mut program = Cpu::with_isa(2, isa).prepare(plan.clone()).expect("the plan runs");
        let mut out = Image::default();
        // Twice: the second run must not depend on the first.
        for _ in 0..2 {
            let content = Surface::from(image.clone());
            let inputs = Inputs { image: Some(&content), styles: &mix, ..Inputs::default() };
            program.draw(&inputs, &mut out).expect("runs");
        }
        for buffer in plan.buffers.iter().skip(1) {
            let (shape, values) = expected("painters8", &buffer.name);
            let tap = program.tap(&buffer.name).expect("every map is kept");
            assert_eq!([tap.channels, tap.height, tap.width], shape[..], "{isa} {}", buffer.name);
            assert_close(&format!("{isa} {}", buffer.name), &tap.data, &values, 2e-4 * magnitude(&values), 5e-5);
        }
        assert_close(&format!("{isa} picture"), &out.data, &expected("painters8", "dec.2").1, 2e-4, 2e-5);
    }
}

#[cfg(feature = "torch")]
#[test]
fn every_layer_of_painters8_agrees_by_torch() {
    let network = StyleNetwork::open(&fixture("style/painters8.safetensors")).expect("opens");
    let (image, (_, mix)) = (picture("painters8"), expected("painters8", "mix"));
    let plan = Arc::new(network.plan_for(image.height, image.width));
    let torch = latent_jockey::engine::torch::Torch::new(Some("cpu"), None).expect("libtorch has a processor");
    let mut program = torch.with_taps().prepare(plan.clone()).expect("the plan runs");
    let (content, mut out) = (Surface::from(image), Image::default());
    program.draw(&Inputs { image: Some(&content), styles: &mix, ..Inputs::default() }, &mut out).expect("runs");
    for buffer in plan.buffers.iter().skip(1) {
        let (shape, values) = expected("painters8", &buffer.name);
        let tap = program.tap(&buffer.name).expect("every map is kept");
        assert_eq!([tap.channels, tap.height, tap.width], shape[..], "{}", buffer.name);
        assert_close(&buffer.name, &tap.data, &values, 2e-4 * magnitude(&values), 5e-5);
    }
    assert_close("picture", &out.data, &expected("painters8", "dec.2").1, 2e-4, 2e-5);
}

#[test]
fn every_fast_neural_style_file_gives_its_picture() {
    let (image, (shape, values)) = (picture("johnson"), expected("johnson", "picture"));
    for file in ["johnson-new.safetensors", "johnson-old.safetensors", "johnson-new.pth", "johnson-old.pth"] {
        let network = StyleNetwork::open(&fixture(&format!("style/{file}"))).expect(file);
        for engine in engines() {
            let plan = Arc::new(network.plan_for(image.height, image.width));
            let mut program = engine.prepare(plan).expect(file);
            let (content, mut out) = (Surface::from(image.clone()), Image::default());
            program.draw(&Inputs { image: Some(&content), styles: &[1.0], ..Inputs::default() }, &mut out).expect(file);
            assert_eq!([out.channels, out.height, out.width], shape[..], "{file} {}", engine.name());
            assert_close(file, &out.data, &values, 2e-3, 2e-4);
        }
    }
}

#[test]
fn the_file_names_its_painters() {
    let network = StyleNetwork::open(&fixture("style/painters8.safetensors")).expect("opens");
    assert_eq!((network.name.as_str(), network.styles.len()), ("painters8", 8));
    assert_eq!(network.styles[2].name, "hokusai-great-wave");
    assert_eq!(network.styles[2].artist, "Katsushika Hokusai");
    let johnson = StyleNetwork::open(&fixture("style/johnson-old.safetensors")).expect("opens");
    assert_eq!(johnson.styles.len(), 1);
    assert_eq!(johnson.styles[0].name, "johnson-old");
}

#[test]
fn a_generator_is_not_a_style_network_or_vice_versa() {
    let error = StyleNetwork::open(&fixture("sg2_32.safetensors")).expect_err("a generator");
    assert!(error.to_string().contains("style network"), "{error}");
    let error = network::open(fixture("style/painters8.safetensors")).map(drop).expect_err("a style network");
    assert!(error.to_string().contains("/style/network"), "{error}");
}
