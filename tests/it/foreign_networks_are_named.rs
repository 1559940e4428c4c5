//! Does a file of another family get one line that says what it is and what to do, and is nothing played wrong?
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::PathBuf;

use crate::common::fixture;
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::{Inputs, Program};
use latent_jockey::image::Image;
use latent_jockey::latent::seed::z_from_seed;
use latent_jockey::network;
use latent_jockey::network::style_transfer::StyleNetwork;

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("latent-jockey-foreign-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn files_of_other_families_are_named_in_one_line() {
    let folder = folder("named");
    let onnx = [&b"\x08\x03\x12\x07pytorch\x1a\x031.1"[..], &[0; 512]].concat();
    let torch7 = [&b"\x04\0\0\0\x01\0\0\0\x03\0\0\0V 1"[..], &[0; 512]].concat();
    fs::write(folder.join("mosaic.onnx"), onnx).unwrap();
    fs::write(folder.join("candy.t7"), torch7).unwrap();
    for (file, words) in [
        (fixture("foreign/lucidrains-model_120.pt"), &["lucidrains", "does not play"][..]),
        (fixture("foreign/stylegan1-karras2019.pkl"), &["version 3", "older than StyleGAN2", "does not play"]),
        (fixture("foreign/network-snapshot.zip"), &["zip archive", "network-snapshot-000887.pkl", "unpack"]),
        (folder.join("mosaic.onnx"), &["ONNX", ".safetensors"]),
        (folder.join("candy.t7"), &["Lua Torch", ".safetensors"]),
    ] {
        for message in [
            network::open(&file).map(drop).unwrap_err().to_string(),
            StyleNetwork::open(&file).map(drop).unwrap_err().to_string(),
        ] {
            assert_eq!(message.lines().count(), 1, "{message}");
            assert!(words.iter().all(|word| message.contains(word)), "{words:?}: {message}");
        }
    }
    let lost = network::open(fixture("foreign/class-embedding-lost.pt")).map(drop).unwrap_err().to_string();
    for words in ["mapping.embed is missing", "export it again"] {
        assert!(lost.lines().count() == 1 && lost.contains(words), "{lost}");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_generator_saved_without_its_average_plays_with_a_word() {
    let network = network::open(fixture("foreign/fine-tuned-g-only.pt")).unwrap_or_else(|error| panic!("{error}"));
    assert!(network.warnings.iter().any(|w| w.contains("no g_ema") && w.contains("not the average")), "{network:?}");
    let average = network::open(fixture("rosi_32_train.pt")).unwrap();
    let picture = |network: &network::Network| {
        let mut program = Cpu::new(1).program(network.plan.clone()).unwrap();
        let (ws, mut picture) = (z_from_seed(3, network.plan.num_ws * network.plan.w_dim), Image::default());
        program.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut picture).unwrap();
        picture
    };
    assert_eq!(picture(&network), picture(&average), "the same weights under both names");
}
