//! How far are 16-bit pictures from PyTorch's 32-bit ones, for each kernel that this adapter can run? Prints a table with
//! `--nocapture`. Runs on any adapter with 16-bit floats, including software; without one it reports "skipped".
#![allow(clippy::print_stderr, reason = "what is skipped is said, and the table is for whoever asks")]

use crate::common::{Expected, fixture, skip_gpu};
use latent_jockey::engine::gpu::{Device, Gpu, Precision};
use latent_jockey::engine::{Inputs, Noise, NoiseMode, Program};
use latent_jockey::image::Image;
use latent_jockey::network;

/// The largest and the mean difference allowed, for pictures in −1..1. Measured on software Vulkan: see the table.
const LARGEST: f32 = 3e-2;
const MEAN: f32 = 4e-3;

#[test]
fn by_every_kernel() {
    let gpu = || Device::open(false).and_then(|device| Gpu::new(device, Precision::F16));
    let variants = match gpu() {
        Ok(gpu) => gpu.variants(),
        Err(error) => return skip_gpu(error),
    };
    eprintln!("{:<14} {:<20} {:>9} {:>9}", "network", "kernel", "largest", "mean");
    for (name, file) in
        [("sg2_32", "sg2_32.pkl"), ("sg2_32_resnet", "sg2_32_resnet.pkl"), ("sg3t_32_cond", "sg3t_32_cond.pkl")]
    {
        let network = network::open(fixture(file)).expect("opens");
        let expected = Expected::open(name);
        let case = &expected.description["cases"][0];
        let [image, ws] = ["image", "ws"].map(|key| case[key].as_str().expect("a name"));
        let mode = if case["noise"] == "none" { NoiseMode::None } else { NoiseMode::Const };
        let ws = expected.sample(ws, 0);
        let inputs = Inputs { ws: &ws, noise: Noise { mode, gain: 1.0 }, ..Inputs::default() };
        for variant in &variants {
            let gpu = gpu().expect("opened before").with_variant(*variant);
            let mut program = gpu.program(network.plan.clone()).expect("prepares");
            if !program.variants().iter().any(|(_, taken)| taken == variant) {
                continue;
            }
            let mut out = Image::default();
            program.draw(&inputs, &mut out).expect("runs");
            let image = expected.sample(image, 0);
            let differences: Vec<f32> = out.data.iter().zip(&image).map(|(a, b)| (a - b).abs()).collect();
            let largest = differences.iter().fold(0.0f32, |a, b| if b.is_nan() || *b > a { *b } else { a });
            let mean = differences.iter().sum::<f32>() / differences.len() as f32;
            eprintln!("{name:<14} {:<20} {largest:>9.1e} {mean:>9.1e}", variant.to_string());
            assert!(largest <= LARGEST && mean <= MEAN, "{name}, {variant}: largest {largest:e}, mean {mean:e}");
        }
    }
}
