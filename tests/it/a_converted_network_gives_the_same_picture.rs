//! Does a converted file give the same picture as the original?
//!
//! Bit for bit at full precision, for every valid fixture; within a limit with 16-bit weights. Nothing is overwritten
//! unasked, and a file without a network leaves nothing behind.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::common::fixture;
use latent_jockey::commands::convert::convert;
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::plan::Plan;
use latent_jockey::engine::surface::Surface;
use latent_jockey::engine::{Engine, Inputs, Transform};
use latent_jockey::image::Image;
use latent_jockey::latent::mapping::{Scratch, blend_classes};
use latent_jockey::latent::seed::z_from_seed;
use latent_jockey::network::canonical::Precision;
use latent_jockey::network::style_transfer::StyleNetwork;
use latent_jockey::network::{self, Network};

/// Largest and mean difference from 16-bit weights in a picture of −1..1. The fixtures' random networks are
/// rougher than trained ones, which stay below one 8-bit step.
const HALF: (f32, f32) = (3e-2, 5e-3);

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("latent-jockey-convert-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn networks() -> Vec<PathBuf> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets/networks/flowers128.safetensors");
    let endings = ["pkl", "pt", "safetensors"];
    let entries = std::fs::read_dir(fixture("")).unwrap().map(|entry| entry.unwrap().path());
    let is_network = |path: &PathBuf| path.extension().is_some_and(|e| endings.iter().any(|&known| e == known));
    let is_table = |path: &PathBuf| path.to_string_lossy().contains(".expect.") || path.ends_with("seeds.safetensors");
    let mut files: Vec<_> = entries.filter(|path| is_network(path) && !is_table(path)).collect();
    files.push(shipped);
    files.sort();
    files
}

fn run(plan: Plan, inputs: &Inputs) -> Image {
    let mut out = Image::default();
    Cpu::new(2).prepare(Arc::new(plan)).unwrap().draw(inputs, &mut out).unwrap();
    out
}

/// A truncated picture of some class.
fn picture(network: &Network) -> Image {
    let mapping = &network.mapping;
    let (mut class, mut w, mut ws) = (Vec::new(), Vec::new(), Vec::new());
    blend_classes(1.0, mapping.c_dim, &mut class);
    mapping.map(&z_from_seed(85, mapping.z_dim), &class, &mut w, &mut Scratch::default());
    mapping.truncate_in_class(&class, &w, 0.7, usize::MAX, &mut ws);
    let transform = Transform::new(0.1, -0.2, 0.05, 1.1);
    run((*network.plan).clone(), &Inputs { ws: &ws, transform, ..Inputs::default() })
}

/// Largest and mean difference.
fn difference(a: &Image, b: &Image) -> (f32, f32) {
    assert_eq!((a.channels, a.height, a.width), (b.channels, b.height, b.width));
    let differences = || a.data.iter().zip(&b.data).map(|(a, b)| (a - b).abs());
    assert!(differences().all(f32::is_finite));
    (differences().fold(0.0, f32::max), differences().sum::<f32>() / a.data.len() as f32)
}

#[test]
fn every_generator_gives_the_same_picture() {
    let folder = folder("same");
    let files = networks();
    assert!(files.len() >= 20, "{}", files.len());
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let original = network::open(&file).unwrap();
        let (full, half) = (folder.join("full.safetensors"), folder.join("half.safetensors"));
        convert(&file, &full, Precision::Full, true).unwrap();
        convert(&file, &half, Precision::Half, true).unwrap();
        let converted = network::open(&full).unwrap();
        assert_eq!((converted.kind, &converted.architecture), (original.kind, &original.architecture), "{name}");
        assert_eq!(converted.class_names, original.class_names, "{name}");
        assert!(!converted.warnings.iter().any(|w| w.contains("w_avg")), "{name}: {:?}", converted.warnings);
        let expected = picture(&original);
        assert_eq!(difference(&picture(&converted), &expected), (0.0, 0.0), "{name}");
        let (largest, mean) = difference(&picture(&network::open(&half).unwrap()), &expected);
        println!("{name:32} 16 bits: largest difference {largest:.1e}, mean {mean:.1e}");
        assert!(largest < HALF.0 && mean < HALF.1, "{name}: {largest:e}, {mean:e}");
        let size = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert!(size(&half) <= size(&full), "{name}");
        // Converting it again gives the same file.
        let again = folder.join("again.safetensors");
        convert(&full, &again, Precision::Full, true).unwrap();
        assert!(std::fs::read(&full).unwrap() == std::fs::read(&again).unwrap(), "{name}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn style_networks_paint_the_same() {
    let folder = folder("style");
    for file in ["johnson-old.pth", "johnson-new.pth", "painters8.safetensors"] {
        let file = fixture("style").join(file);
        let out = folder.join("style.safetensors");
        convert(&file, &out, Precision::Full, true).unwrap();
        let paint = |path: &Path| {
            let network = StyleNetwork::open(path).unwrap();
            let mut image = Image::new(3, 24, 32);
            image.data = z_from_seed(1, image.data.len());
            let styles = vec![1.0 / network.styles.len() as f32; network.styles.len()];
            let names: Vec<String> = network.styles.iter().skip(1).map(|s| s.title.clone()).collect();
            let content = Surface::from(image);
            let inputs = Inputs { image: Some(&content), styles: &styles, ..Inputs::default() };
            (run(network.plan_for(24, 32), &inputs), names)
        };
        assert!(paint(&out) == paint(&file), "{}", file.display());
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn nothing_is_overwritten_unasked_or_left_half_written() {
    let folder = folder("care");
    let message = |file: &str, out: &Path, overwrite| {
        convert(&fixture(file), out, Precision::Full, overwrite).expect_err("refused").to_string()
    };
    let names = || std::fs::read_dir(&folder).unwrap().count();
    let out = folder.join("a.safetensors");
    std::fs::write(&out, "precious").unwrap();
    assert!(message("sg2_16_p3.pkl", &out, false).contains("a.safetensors already exists"));
    assert!(message("sg2_16_p3.pkl", &folder.join("a.pkl"), false).contains(".safetensors"));
    assert!(message("hostile/nan_weight.pkl", &out, true).contains("synthesis.b8.conv1.weight"));
    assert!(message("hostile/network_plus_os_system.pkl", &out, true).contains("posix.system"));
    assert!(message("sg2_16_p3.pkl", &folder.join("absent/a.safetensors"), false).contains("absent"));
    assert_eq!((std::fs::read_to_string(&out).unwrap().as_str(), names()), ("precious", 1));
    convert(&fixture("sg2_16_p3.pkl"), &out, Precision::Full, true).unwrap();
    assert!(network::open(&out).is_ok() && names() == 1);
    std::fs::remove_dir_all(folder).unwrap();
}
