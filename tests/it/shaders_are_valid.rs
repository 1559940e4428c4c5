//! Does every kernel parse and validate, in both precisions, and is every file of `shaders/engine` and `shaders/effects`
//! among them?
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use latent_jockey::engine::gpu::kernels;
use naga::valid::{Capabilities, ValidationFlags, Validator};

fn check(source: &str) -> Result<(), String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|error| error.emit_to_string(source))?;
    let capabilities = Capabilities::SHADER_FLOAT16 | Capabilities::COOPERATIVE_MATRIX | Capabilities::SUBGROUP;
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    validator.validate(&module).map_err(|error| error.emit_to_string(source))?;
    Ok(())
}

#[test]
fn every_kernel_parses_and_validates() {
    let kernels = kernels();
    for (name, source) in &kernels {
        check(source).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let shaders = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders");
    let folders = ["engine", "effects"].map(|folder| std::fs::read_dir(shaders.join(folder)).unwrap());
    let files = folders.into_iter().flatten().map(|entry| entry.unwrap().path());
    for file in files.filter(|file| file.extension().is_some_and(|e| e == "wgsl")) {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned() + ", ";
        assert!(kernels.iter().any(|(kernel, _)| kernel.starts_with(&name)), "{} is no kernel", file.display());
    }
}

#[test]
fn the_window_shader_parses_and_validates() {
    check(include_str!("../../shaders/present.wgsl")).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_broken_kernel_is_found() {
    let kernels = kernels();
    let (_, source) = kernels.iter().find(|(name, _)| name.starts_with("conv, ")).unwrap();
    for (right, wrong) in [("var ", "vra "), ("= f32(", "= u32(")] {
        assert_ne!(source.replacen(right, wrong, 1), *source);
        assert!(check(&source.replacen(right, wrong, 1)).is_err(), "{wrong}");
    }
}
