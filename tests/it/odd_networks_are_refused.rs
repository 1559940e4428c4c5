//! Are files with valid tensors that do not form a valid network refused, in one line, before any picture is computed?

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use latent_jockey::network::style_transfer::StyleNetwork;
use latent_jockey::patch::locate;
use safetensors::tensor::{Dtype, TensorView};

fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("latent-jockey-odd-{name}-{}.safetensors", std::process::id()))
}

/// A style network with one style and 1x1 kernels, with the given numbers of layers that halve and that double the size.
fn write_style(path: &Path, halves: usize, doubles: usize) {
    let ones = |count: usize| [0u8, 0, 128, 63].repeat(count);
    let (weight, table) = (ones(9), ones(3));
    let names = (0..=halves).map(|i| format!("enc.{i}")).chain((0..=doubles).map(|i| format!("dec.{i}")));
    let tensors = names.flat_map(|name| {
        [
            (format!("{name}.weight"), TensorView::new(Dtype::F32, vec![3, 3, 1, 1], &weight).expect("fits")),
            (format!("{name}.gamma"), TensorView::new(Dtype::F32, vec![1, 3], &table).expect("fits")),
            (format!("{name}.beta"), TensorView::new(Dtype::F32, vec![1, 3], &table).expect("fits")),
        ]
    });
    safetensors::serialize_to_file(tensors, None, path).expect("written");
}

#[test]
fn a_style_network_that_changes_the_size_is_refused() {
    let path = file("style");
    for (halves, doubles, opens) in [(2, 2, true), (0, 0, true), (1, 2, false), (2, 0, false), (3, 3, false)] {
        write_style(&path, halves, doubles);
        match StyleNetwork::open(&path) {
            Ok(_) => assert!(opens, "{halves} halves and {doubles} doubles"),
            Err(error) => {
                assert!(!opens, "{error}");
                assert!(error.to_string().contains("the size of the picture"), "{error}");
            }
        }
    }
    std::fs::remove_file(path).expect("tidy");
}

#[test]
fn a_negative_clamp_is_refused() {
    let bytes = std::fs::read(locate::network(Path::new("flowers128")).expect("it ships")).expect("reads");
    let whole = safetensors::SafeTensors::deserialize(&bytes).expect("safetensors");
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).expect("a header");
    let path = file("clamp");
    for (clamp, opens) in [("null", true), ("256", true), ("-1", false), ("0", false)] {
        let mut metadata: HashMap<String, String> = header.metadata().clone().expect("there is some");
        let config = metadata["config"].replace("\"conv_clamp\": null", &format!("\"conv_clamp\": {clamp}"));
        metadata.insert("config".into(), config);
        safetensors::serialize_to_file(whole.tensors(), Some(metadata), &path).expect("written");
        match latent_jockey::network::open(&path) {
            Ok(_) => assert!(opens, "{clamp}"),
            Err(error) => assert!(!opens && error.to_string().contains("clamp"), "{error}"),
        }
    }
    std::fs::remove_file(path).expect("tidy");
}
