//! Does an EXR sequence hold what the screen draws in 16 bits, live and rendered, and the same bytes again?

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use exr::prelude::{Vec2, f16, read_first_rgba_layer_from_file};
use latent_jockey::engine::gpu::Device;
use latent_jockey::image::convert::rgba8_from_light;
use latent_jockey::params::{Id, Value};
use latent_jockey::show::stage::Picture;

use crate::common::rig::{Folder, Rig, Setup, bang, number, text, write};
use crate::common::{fixture, skip_gpu};

const SIZE: [u32; 2] = [64, 36];
/// Steps of less than a 256th, and light that is brighter than white.
const RAMP: &str = "fn effect(uv: vec2f) -> vec4f { return vec4f(0.2 + uv.x * 0.02, uv.y * 3.0, 0.25, 1.0); }";
const FLASH: &str = "fn effect(uv: vec2f) -> vec4f { return vec4f(vec3f(step(0.5, fract(time() * 8.0))), 1.0); }";

/// A show on the screen with one effect, or none.
fn setup(effect: Option<&str>) -> Option<Setup> {
    let device = Device::open(false).map(Arc::new).map_err(skip_gpu).ok()?;
    let preset = effect.map_or("", |_| "[[effects]]\nshader = \"one\"\n");
    let setup = Rig::with(&[("a", preset)]).on_screen(device);
    let Some(effect) = effect else { return Some(setup) };
    let folder = setup.folder().join("fx");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("one.wgsl"), effect).expect("an effect");
    Some(setup.reload())
}

/// Fails unless the light of a picture is what its bytes show.
#[track_caller]
fn assert_agrees(light: &[f16], rgba: &[u8]) {
    let mut coded = Vec::new();
    rgba8_from_light(light, &mut coded);
    assert_eq!(coded.len(), rgba.len());
    let most = coded.iter().zip(rgba).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(most <= Some(1), "{most:?} of 255");
}

/// How many levels of red there are.
fn reds(light: &[f16]) -> usize {
    let mut bits: Vec<u16> = light.iter().step_by(4).map(|red| red.to_bits()).collect();
    bits.sort_unstable();
    bits.dedup();
    bits.len()
}

/// The pixels of a file, RGBA.
fn opened(file: &Path) -> ([usize; 2], Vec<f16>) {
    let image = read_first_rgba_layer_from_file(
        file,
        |size: Vec2<usize>, _| ([size.0, size.1], vec![f16::ONE; size.0 * size.1 * 4]),
        |(size, light): &mut ([usize; 2], Vec<f16>), at: Vec2<usize>, (r, g, b, _): (f16, f16, f16, f16)| {
            let at = (at.1 * size[0] + at.0) * 4;
            light[at..at + 3].copy_from_slice(&[r, g, b]);
        },
    );
    image.expect("an EXR file").layer_data.channel_data.pixels
}

#[test]
fn light_is_finer_than_bytes_and_agrees_with_them() {
    let Some(setup) = setup(Some(RAMP)) else { return };
    let mut rig = setup.start();
    rig.set_output_size(SIZE);
    rig.step(0.1, &[]);
    assert!(rig.picture().expect("a picture").light.is_empty(), "nobody asked for it");
    rig.want_light(true);
    rig.step(0.1, &[number(Id::Seed, 3.0)]);
    let Picture { light, rgba, .. } = &**rig.picture().expect("a picture");
    assert_agrees(light, rgba);
    assert_eq!(reds(light), 64);
    assert!(light[1..].iter().step_by(4).any(|green| green.to_f32() > 2.9), "brighter than white");
    let mut bytes: Vec<u8> = rgba.iter().step_by(4).copied().collect();
    bytes.sort_unstable();
    bytes.dedup();
    assert!(bytes.len() < 10, "{bytes:?}");
}

#[test]
fn what_is_damped_is_damped_in_light_too() {
    let Some(setup) = setup(Some(FLASH)) else { return };
    let mut rig = setup.start();
    rig.set_output_size(SIZE);
    rig.want_light(true);
    let mut greys = 0;
    for _ in 0..120 {
        rig.step(1.0 / 60.0, &[]);
        let Picture { light, rgba, .. } = &**rig.picture().expect("a picture");
        assert_agrees(light, rgba);
        greys += usize::from((20..235).contains(&rgba[0]));
    }
    assert!(greys > 20, "{greys} pictures were damped");
}

#[test]
fn a_picture_that_is_shown_as_it_is_has_light() {
    let Some(setup) = setup(None) else { return };
    let mut rig = setup.start();
    rig.set_output_size([16, 16]);
    rig.step(0.0, &[]);
    let before = rig.pixels();
    rig.want_light(true);
    rig.step(0.0, &[]);
    let Picture { light, rgba, .. } = &**rig.picture().expect("a picture");
    assert_agrees(light, rgba);
    assert_agrees(light, &before);
}

/// Records a few frames to a folder; what was said meanwhile.
fn record(rig: &mut Rig, folder: &Path) -> Vec<String> {
    let codec = write(Id::RecordCodec, Value::Text("exr".to_owned()));
    let take = write(Id::RecordTake, Value::Bool(false));
    rig.step(0.01, &[text(Id::RecordFile, folder), codec, take, number(Id::RecordFps, 10.0)]);
    let mut told = Vec::new();
    let third = folder.join("frame_000003.exr");
    rig.wait(&[bang(Id::RecordStart)], |show| {
        told.extend(show.status().notice.filter(|line| told.last() != Some(line)));
        third.is_file()
    });
    rig.wait(&[bang(Id::RecordStop)], |show| show.status().notice.is_some_and(|line| line.starts_with("recorded ")));
    told
}

#[test]
fn a_live_show_is_recorded_in_16_bits() {
    let Some(setup) = setup(Some(RAMP)) else { return };
    let folder = Folder::new();
    let mut rig = setup.live().start();
    rig.set_output_size(SIZE);
    let told = record(&mut rig, &folder.join("fine"));
    assert!(!told.iter().any(|line| line.contains("8 bits")), "{told:?}");
    for number in 1..=3 {
        let (size, light) = opened(&folder.join(format!("fine/frame_{number:06}.exr")));
        assert_eq!((size, reds(&light)), ([64, 36], 64), "frame {number}");
    }
    // Smaller: what is resampled stays fine.
    rig.step(0.01, &[text(Id::RecordSize, "32x18")]);
    record(&mut rig, &folder.join("small"));
    let (size, light) = opened(&folder.join("small/frame_000002.exr"));
    assert!(size == [32, 18] && reds(&light) >= 28, "{size:?}: {} levels", reds(&light));
    // Light is read back only while somebody writes it.
    rig.step(0.01, &[number(Id::Seed, 9.0)]);
    rig.wait(&[], |show| show.picture().is_some_and(|picture| !picture.is_for_light));
}

#[test]
fn without_a_screen_one_line_says_that_there_are_8_bits() {
    let folder = Folder::new();
    let mut rig = Rig::with(&[("a", "")]).live().start();
    rig.set_output_size(SIZE);
    let told = record(&mut rig, &folder.join("coarse"));
    let lines = told.iter().filter(|line| line.contains("EXR from 8 bits")).count();
    assert_eq!(lines, 1, "{told:?}");
    assert_eq!(opened(&folder.join("coarse/frame_000001.exr")).0, [64, 36]);
}

/// Runs `render`; returns all files of the folder, in order.
fn rendered(what: &Path, out: &Path, more: &[&str]) -> Vec<Vec<u8>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_latent-jockey"));
    command.arg("render").arg(what).args(["--engine", "cpu", "--size", "64x36", "--fps", "10", "--codec", "exr"]);
    let output = command.arg("--out").arg(out).args(more).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut files: Vec<_> =
        std::fs::read_dir(out).expect("a folder").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    files.into_iter().filter(|file| file.is_file()).map(|file| std::fs::read(file).expect("its bytes")).collect()
}

#[test]
fn a_preset_and_a_take_render_to_the_same_bytes() {
    let Some(setup) = setup(Some(RAMP)) else { return };
    let folder = Folder::new();
    let preset = setup.folder().join("a.toml");
    let network = format!("network = {:?}\n", fixture("sg2_16_p2.pkl"));
    let effects = std::fs::read_to_string(&preset).expect("a preset");
    std::fs::write(&preset, network + &effects).expect("a preset");
    let first = rendered(&preset, &folder.join("one"), &["--seconds", "0.5"]);
    assert_eq!(first.len(), 5);
    assert!(first == rendered(&preset, &folder.join("two"), &["--seconds", "0.5"]));
    assert_eq!(reds(&opened(&folder.join("one/frame_000005.exr")).1), 64);
    // A take: at once, and in two parts that are joined.
    let mut rig = setup.live().start();
    rig.set_output_size(SIZE);
    let take = folder.join("show.take");
    rig.start_take(Some(take.clone()));
    for _ in 0..25 {
        let serial = rig.picture().map(|picture| picture.serial);
        rig.wait(&[], |show| show.picture().map(|picture| picture.serial) != serial);
        rig.step(0.1, &[]);
    }
    drop(rig.show);
    let whole = rendered(&take, &folder.join("whole"), &[]);
    assert!(whole.len() >= 20, "{}", whole.len());
    let parts = folder.join("parts");
    rendered(&take, &parts, &["--part", "2/2"]);
    rendered(&take, &parts, &["--part", "1/2"]);
    assert!(whole == rendered(&take, &parts, &["--join"]));
    assert_eq!(reds(&opened(&parts.join("frame_000015.exr")).1), 64);
}
