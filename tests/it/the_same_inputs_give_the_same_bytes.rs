//! Does a picture depend only on the network and its inputs, not on the number of threads or on earlier pictures?

use crate::common::{Expected, fixture};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::{Inputs, Noise, NoiseMode, Program};
use latent_jockey::image::Image;
use latent_jockey::network::{self, stylegan2, stylegan3};

fn picture(program: &mut dyn Program, ws: &[f32], mode: NoiseMode) -> Vec<f32> {
    let mut out = Image::default();
    let noise = Noise { mode, gain: 1.0 };
    program.draw(&Inputs { ws, noise, ..Inputs::default() }, &mut out).expect("runs");
    assert!(out.data.iter().all(|v| v.is_finite()));
    out.data
}

#[test]
fn results_do_not_depend_on_threads_or_history() {
    let network = network::open(fixture("sg2_32.safetensors")).expect("opens");
    // Large enough to use every form of convolution.
    let large = stylegan2::random(128, 2048, 48, 64, 3);
    let [alias_free, rotating] =
        [stylegan3::Config::T, stylegan3::Config::R].map(|c| stylegan3::random(c, 64, 1024, 32, 16));
    let expected = Expected::open("sg2_32");
    let (a, b) = (expected.sample("psi1.ws", 0), expected.sample("psi1.ws", 1));
    for plan in [network.plan, large.plan, alias_free.plan, rotating.plan] {
        let wide = |ws: &[f32]| ws.iter().copied().cycle().take(plan.num_ws * plan.w_dim).collect::<Vec<f32>>();
        let (a, b) = (wide(&a), wide(&b));
        for mode in [NoiseMode::Const, NoiseMode::Random { seed: 5 }, NoiseMode::None] {
            let fresh = picture(&mut Cpu::new(1).program(plan.clone()).expect("runs"), &a, mode);
            for threads in [1, 2, 5] {
                let mut program = Cpu::new(threads).program(plan.clone()).expect("runs");
                let other = picture(&mut program, &b, NoiseMode::Random { seed: 6 });
                assert!(other != fresh, "the comparison compares something");
                for _ in 0..3 {
                    assert!(picture(&mut program, &a, mode) == fresh, "{threads} threads, {mode:?}");
                }
            }
        }
    }
}

#[test]
fn noise_follows_its_seed_and_gain() {
    let network = network::open(fixture("sg2_32.safetensors")).expect("opens");
    let ws = Expected::open("sg2_32").sample("psi1.ws", 0);
    let mut program = Cpu::default().program(network.plan).expect("runs");
    let one = picture(&mut program, &ws, NoiseMode::Random { seed: 1 });
    assert!(picture(&mut program, &ws, NoiseMode::Random { seed: 2 }) != one);
    assert!(picture(&mut program, &ws, NoiseMode::Random { seed: 1 }) == one);
    let (mut silent, noise) = (Image::default(), Noise { mode: NoiseMode::Const, gain: 0.0 });
    program.draw(&Inputs { ws: &ws, noise, ..Inputs::default() }, &mut silent).expect("runs");
    assert_eq!(silent.data, picture(&mut program, &ws, NoiseMode::None));
}

#[test]
fn wrong_inputs_are_refused_and_keep_the_picture() {
    let network = network::open(fixture("sg2_32.safetensors")).expect("opens");
    let mut program = Cpu::default().program(network.plan).expect("runs");
    let mut out = Image::new(1, 1, 1);
    let error = program.draw(&Inputs { ws: &[0.0; 3], ..Inputs::default() }, &mut out).expect_err("too few");
    assert!(error.to_string().contains("8 x 64"), "{error}");
    assert_eq!(out, Image::new(1, 1, 1));
}
