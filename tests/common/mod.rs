//! Fixtures: networks with the numbers that the original code computed from them, and the available gpu engines.
#![allow(dead_code, reason = "every test takes what it needs")]

pub mod explorer;
pub mod heard;
pub mod rig;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use latent_jockey::engine::gpu::{Device, Gpu, Precision};
use latent_jockey::explore::survey;
use latent_jockey::image::Image;
use latent_jockey::latent::seed::z_from_seed;
use latent_jockey::network::checkpoint::Checkpoint;
use latent_jockey::network::{self, rough};

/// A file in tests/fixtures.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The expected numbers of one network.
pub struct Expected {
    checkpoint: Checkpoint,
    /// The description, `NAME.json`.
    pub description: serde_json::Value,
}

impl Expected {
    pub fn open(name: &str) -> Expected {
        let checkpoint = Checkpoint::open(&fixture(&format!("{name}.expect.safetensors"))).expect("the fixture opens");
        let text = std::fs::read_to_string(fixture(&format!("{name}.json"))).expect("the description is there");
        Expected { checkpoint, description: serde_json::from_str(&text).expect("the description is JSON") }
    }

    pub fn has(&self, tensor: &str) -> bool {
        self.checkpoint.tensors.contains_key(tensor)
    }

    /// Shape and numbers of a tensor.
    pub fn get(&self, tensor: &str) -> (Vec<usize>, Vec<f32>) {
        let found = self.checkpoint.tensors.get(tensor).unwrap_or_else(|| panic!("no tensor {tensor}"));
        (found.shape.clone(), found.to_f32().expect("floats"))
    }

    /// One sample `n` of a tensor `[N, …]`.
    pub fn sample(&self, tensor: &str, n: usize) -> Vec<f32> {
        let (shape, values) = self.get(tensor);
        let size = shape[1..].iter().product::<usize>();
        values[n * size..][..size].to_vec()
    }
}

/// Fails unless the largest and the mean difference are within the limits.
#[track_caller]
pub fn assert_close(what: &str, found: &[f32], expected: &[f32], max: f32, mean: f32) {
    assert_eq!(found.len(), expected.len(), "{what}: length");
    let differences = || found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    // NaN must not pass for small.
    let largest = differences().fold(0.0f32, |a, b| if b.is_nan() || b > a { b } else { a });
    let average = differences().sum::<f32>() / found.len().max(1) as f32;
    assert!(largest <= max && average <= mean, "{what}: largest difference {largest:e}, mean {average:e}");
}

/// The largest magnitude, at least 1e-3.
pub fn magnitude(values: &[f32]) -> f32 {
    values.iter().fold(1e-3, |a, v| a.max(v.abs()))
}

/// Says that a test, or a part of one, is skipped for want of a GPU, and how many were before it. With
/// `LATENT_JOCKEY_GPU=required` in the environment that is a failure instead.
#[track_caller]
#[allow(clippy::print_stderr, reason = "what is skipped is said")]
pub fn skip_gpu(why: impl std::fmt::Display) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let required = std::env::var("LATENT_JOCKEY_GPU").is_ok_and(|value| value == "required");
    assert!(!required, "a GPU is required here: {why}");
    eprintln!("skipped (GPU, number {}): {why}", COUNT.fetch_add(1, Ordering::Relaxed) + 1);
}

/// A gpu engine that keeps all maps, for each precision that the adapter supports; reports what is skipped.
pub fn engines() -> Vec<(Precision, Gpu)> {
    let make = |precision| {
        let engine = Device::open(false).and_then(|device| Gpu::new(device, precision)).map(Gpu::with_taps);
        engine.map_err(|error| skip_gpu(format!("{precision:?}: {error}"))).ok().map(|gpu| (precision, gpu))
    };
    [Precision::F32, Precision::F16].into_iter().filter_map(make).collect()
}

/// Whether a test is skipped for want of ffmpeg; says so, and how many were before it.
#[allow(clippy::print_stderr, reason = "what is skipped is said")]
pub fn skip_ffmpeg() -> bool {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let is_there = |tool: &&str| std::process::Command::new(tool).arg("-version").output().is_ok();
    let missing = ["ffmpeg", "ffprobe"].into_iter().find(|tool| !is_there(tool));
    if let Some(tool) = missing {
        eprintln!("skipped (video, number {}): no {tool}", COUNT.fetch_add(1, Ordering::Relaxed) + 1);
    }
    missing.is_some()
}

/// Says in the folder of a cache how good rough pictures of a network are, in their own colours.
pub fn keep_rough_pictures(network: &Path, folder: &Path, r2: f64) {
    let network = network::open(network).expect("opens");
    let small = rough::plan(&network.plan).expect("it has a small plan");
    let channels = small.picture().expect("a picture").channels;
    let data = z_from_seed(1, channels * 64).iter().map(|x| x.clamp(-1.0, 1.0)).collect();
    let colours = Image { channels, height: 8, width: 8, data };
    let mut fit = rough::Fit::new(channels);
    fit.add(&colours, &colours.data);
    let mixture = fit.mixture().expect("weights");
    rough::keep(folder, &survey::id(&network), &rough::Found { mixture, r2 });
}
