//! A StyleGAN3 with random weights, for measuring speed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::geometry::Geometry;
use crate::latent::seed::z_from_seed;
use crate::network::Network;
use crate::network::checkpoint::{Bytes, Checkpoint, Dtype, Format, TensorRef};

/// The configurations of the original trainer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Config {
    /// 3x3 kernels and separable filters.
    T,
    /// 1x1 kernels and radial filters.
    R,
}

/// Layers besides toRGB.
const LAYERS: usize = 14;

/// A generator with the usual channel counts `min(channel_base / 2 / cutoff, channel_max)`, two mapping layers and random
/// weights. `res` is rounded up to a power of two, at least 16.
pub fn random(config: Config, res: usize, channel_base: usize, channel_max: usize, w_dim: usize) -> Network {
    let res = res.clamp(16, 1024).next_power_of_two();
    let (sizes, cutoffs) = Geometry::sizes_and_cutoffs(LAYERS, res);
    let mut channels: Vec<usize> = cutoffs
        .iter()
        .map(|cutoff| (channel_base as f64 / 2.0 / cutoff).min(channel_max as f64).round_ties_even().max(1.0) as usize)
        .collect();
    channels[LAYERS] = 3;
    let mut tensors = BTreeMap::new();
    let mut seed = 0;
    let mut add = |name: String, shape: Vec<usize>, mean: f32, spread: f32| {
        seed += 1;
        let count = shape.iter().product::<usize>();
        // numpy's generator is slow; repeating a run of prime length is random enough for timing.
        let stretch = z_from_seed(seed, count.min(8191));
        let bytes: Vec<u8> =
            stretch.iter().cycle().take(count).flat_map(|z| (mean + spread * z).to_le_bytes()).collect();
        let tensor = TensorRef::contiguous(Bytes::new(bytes), Dtype::F32, shape);
        tensors.insert(name, tensor.expect("the shape fits the bytes made from it"));
    };
    for i in 0..2 {
        add(format!("mapping.fc{i}.weight"), vec![w_dim, w_dim], 0.0, 100.0);
        add(format!("mapping.fc{i}.bias"), vec![w_dim], 0.0, 0.0);
    }
    add("mapping.w_avg".into(), vec![w_dim], 0.0, 0.1);
    let at = "synthesis.input";
    add(format!("{at}.weight"), vec![channels[0], channels[0]], 0.0, 1.0);
    add(format!("{at}.freqs"), vec![channels[0], 2], 0.0, 1.0);
    add(format!("{at}.phases"), vec![channels[0]], 0.0, 1.0);
    add(format!("{at}.affine.weight"), vec![4, w_dim], 0.0, 0.1);
    add(format!("{at}.affine.bias"), vec![4], 1.0, 0.0);
    let mut inputs = channels[0];
    for (i, (size, outputs)) in sizes.into_iter().zip(channels).enumerate() {
        let at = format!("synthesis.L{i}_{size}_{outputs}");
        let kernel = if config == Config::T && i < LAYERS { 3 } else { 1 };
        add(format!("{at}.weight"), vec![outputs, inputs, kernel, kernel], 0.0, 1.0);
        add(format!("{at}.bias"), vec![outputs], 0.0, 0.1);
        add(format!("{at}.affine.weight"), vec![inputs, w_dim], 0.0, 1.0);
        add(format!("{at}.affine.bias"), vec![inputs], 1.0, 0.0);
        add(format!("{at}.magnitude_ema"), vec![], 1.0, 0.0);
        inputs = outputs;
    }
    let checkpoint = Checkpoint {
        path: PathBuf::from(format!("random-{config:?}-{res}-{channel_base}-{channel_max}")),
        format: Format::Safetensors,
        bytes: 0,
        tensors,
        attributes: BTreeMap::new(),
        metadata: BTreeMap::new(),
        warnings: Vec::new(),
        second: None,
    };
    super::lower(&checkpoint).expect("a generated network is valid")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_configurations_are_whole() {
        // The input, then the layers as the published networks call them: L0_36_512 to L14_256_3.
        let t = random(Config::T, 256, 16384, 512, 16).plan;
        let sizes: Vec<usize> = t.buffers.iter().map(|b| b.height).collect();
        assert_eq!(sizes, [36, 36, 36, 36, 52, 52, 84, 84, 148, 148, 148, 276, 276, 276, 256, 256]);
        assert_eq!(t.buffers[15].channels, 3);
        let r = random(Config::R, 64, 2048, 64, 16);
        assert_eq!((r.architecture.as_str(), r.img_resolution), ("R", 64));
    }
}
