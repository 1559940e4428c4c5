//! Are the torch engine's gradients by ws those that its pictures have, and is a photograph found better with them than without?

use latent_jockey::caption::Captioner;
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::torch::Torch;
use latent_jockey::engine::{Engine, Inputs, Program};
use latent_jockey::image::Image;
use latent_jockey::latent::seed::z_from_seed;
use latent_jockey::network::directions::w_of_seed;
use latent_jockey::network::{self, Network};
use latent_jockey::projection::{Likeness, Projector, Space};

use crate::common::fixture;

fn open(name: &str) -> Network {
    network::open(fixture(name)).expect("a network")
}

fn program(network: &Network) -> Box<dyn Program> {
    Torch::new(Some("cpu"), None).expect("libtorch has a processor").prepare(network.plan.clone()).expect("plays")
}

/// Of every family: along itself, the gradient of a weighted sum of the picture is as steep as it is long.
#[test]
fn of_every_family() {
    for name in ["sg2_32.safetensors", "sg2_32_resnet.pkl", "sg3t_32_cond.pkl", "sg3r_32.pkl", "pgan_fastgan_128.pkl"] {
        let network = open(name);
        let mut program = program(&network);
        let start = z_from_seed(3, network.plan.num_ws * network.plan.w_dim);
        let weights = |picture: &Image| {
            let mut weights = picture.clone();
            weights.data.iter_mut().enumerate().for_each(|(i, x)| *x = (i as f32 * 0.37).sin());
            weights
        };
        let mut gradient = Vec::new();
        let inputs = Inputs { ws: &start, ..Inputs::default() };
        assert!(program.pull_back(&inputs, &mut |picture| weights(picture), &mut gradient).expect("runs"), "{name}");
        let length = gradient.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let mut value = |step: f64| {
            let ws: Vec<f32> = start.iter().zip(&gradient).map(|(w, by)| w + (step / length) as f32 * by).collect();
            let mut picture = Image::default();
            program.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut picture).expect("runs");
            let by = weights(&picture);
            picture.data.iter().zip(&by.data).map(|(x, by)| f64::from(*x) * f64::from(*by)).sum::<f64>()
        };
        let step = 0.2 / length;
        let measured = (value(step) - value(-step)) / (2.0 * step);
        assert!((length - measured).abs() < 0.05 * length, "{name}: {length}, measured {measured}");
    }
}

#[test]
fn a_photograph_is_found_better_with_them() {
    let network = open("sg2_32.safetensors");
    let captioner = Captioner::open(None).expect("ships");
    let space = Space::of(&network, 64);
    let of_layer = |layer| w_of_seed(&network.mapping, 900 + layer);
    let ws: Vec<f32> = (0..network.mapping.num_ws).flat_map(of_layer).collect();
    let mut photo = Image::default();
    let cpu = || Cpu::default().prepare(network.plan.clone()).expect("plays");
    cpu().draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut photo).expect("runs");
    let find = |program| {
        let mut tick = || {};
        let likeness = Likeness::new(&captioner, &photo);
        Projector::new(&network, program, likeness, &mut tick).find(&space, 300).expect("runs")
    };
    let (without, with) = (find(cpu()), find(program(&network)));
    assert!(!without.by_gradients && with.by_gradients);
    assert!(with.distance < 0.7 * without.distance, "{} with, {} without", with.distance, without.distance);
}
