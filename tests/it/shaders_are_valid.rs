//! Does every kernel parse and validate, in both precisions, and is every file of `shaders/engine` and `shaders/effects`
//! among them?
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use latent_jockey::effects;
use latent_jockey::engine::gpu::{kernels, of_pass};
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
    let passes = effects::passes().map(|pass| (format!("{}, F32", pass.name), of_pass(&pass.wgsl)));
    let kernels: Vec<_> = kernels().into_iter().chain(passes).collect();
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

/// The fields of a kernel's `struct Settings`.
fn fields(source: &str) -> Vec<&str> {
    let (_, rest) = source.split_once("struct Settings {").expect("a pass has settings");
    let (fields, _) = rest.split_once('}').expect("the struct ends");
    fields
        .lines()
        .filter_map(|line| line.trim().split_once(": ").filter(|_| !line.trim().starts_with("//")))
        .map(|f| f.0)
        .collect()
}

#[test]
fn a_pass_names_the_settings_of_its_kernel() {
    for pass in effects::passes() {
        assert_eq!(fields(&pass.wgsl), pass.uniforms, "{}", pass.name);
        let bindings = pass.wgsl.matches("@group(0) @binding(").count();
        assert!(bindings <= 2 + pass.reads, "{}: {bindings} bindings", pass.name);
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
