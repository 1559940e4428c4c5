//! A StyleGAN2 with random weights, for measuring speed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::Network;
use super::super::checkpoint::{Bytes, Checkpoint, Dtype, Format, TensorRef};
use crate::latent::seed::z_from_seed;

/// A skip generator with the usual channel counts `min(channel_base / r, channel_max)`, two mapping layers and random
/// weights. `res` is rounded up to a power of two, at least 4.
pub fn random(res: usize, channel_base: usize, channel_max: usize, w_dim: usize, seed: u32) -> Network {
    let res = res.clamp(4, 4096).next_power_of_two();
    let mut tensors = BTreeMap::new();
    let mut next = seed;
    let mut add = |name: String, shape: Vec<usize>, mean: f32, spread: f32| {
        next = next.wrapping_add(1);
        let count = shape.iter().product::<usize>();
        // numpy's generator is slow; repeating a run of prime length is random enough for timing.
        let stretch = z_from_seed(next, count.min(8191));
        let bytes = stretch.iter().cycle().take(count).flat_map(|z| (mean + spread * z).to_le_bytes());
        let bytes: Vec<u8> = bytes.collect();
        let tensor = TensorRef::contiguous(Bytes::new(bytes), Dtype::F32, shape);
        tensors.insert(name, tensor.expect("the shape fits the bytes made from it"));
    };
    let fully_connected = |add: &mut dyn FnMut(String, Vec<usize>, f32, f32), at: &str, out, inputs, bias, spread| {
        add(format!("{at}.weight"), vec![out, inputs], 0.0, spread);
        add(format!("{at}.bias"), vec![out], bias, 0.0);
    };
    for i in 0..2 {
        fully_connected(&mut add, &format!("mapping.fc{i}"), w_dim, w_dim, 0.0, 100.0);
    }
    add("mapping.w_avg".into(), vec![w_dim], 0.0, 0.1);
    let mut before = 0;
    for r in (2..=res.ilog2()).map(|e| 1usize << e) {
        let channels = (channel_base / r).min(channel_max).max(1);
        let block = format!("synthesis.b{r}");
        if r == 4 {
            add(format!("{block}.const"), vec![channels, 4, 4], 0.0, 1.0);
        }
        for (conv, inputs) in [("conv0", before), ("conv1", channels)] {
            if inputs > 0 {
                let at = format!("{block}.{conv}");
                add(format!("{at}.weight"), vec![channels, inputs, 3, 3], 0.0, 1.0);
                add(format!("{at}.bias"), vec![channels], 0.0, 0.1);
                add(format!("{at}.noise_const"), vec![r, r], 0.0, 1.0);
                add(format!("{at}.noise_strength"), vec![], 0.1, 0.0);
                fully_connected(&mut add, &format!("{at}.affine"), inputs, w_dim, 1.0, 1.0);
            }
        }
        add(format!("{block}.torgb.weight"), vec![3, channels, 1, 1], 0.0, 1.0);
        add(format!("{block}.torgb.bias"), vec![3], 0.0, 0.1);
        fully_connected(&mut add, &format!("{block}.torgb.affine"), channels, w_dim, 1.0, 1.0);
        before = channels;
    }
    let checkpoint = Checkpoint {
        path: PathBuf::from(format!("random-{res}-{channel_base}-{channel_max}")),
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
