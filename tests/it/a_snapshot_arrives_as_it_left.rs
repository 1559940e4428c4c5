//! Is what is seen after a snapshot was dropped on a running show the picture that the snapshot holds, byte for byte?
//!
//! On the screen, with effects from files; the window does the same on a thread.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use latent_jockey::control::Source;
use latent_jockey::engine::gpu::Device;
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::library::Library;
use latent_jockey::show::{Devices, Show, Uploads};

use crate::common::rig::{Folder, Rig, bang, number, text, write_by};
use crate::common::{fixture, skip_gpu};

const SIZE: [u32; 2] = [64, 36];
/// Nothing moves by itself, and effects remember nothing.
const STILL: &str = "fn effect(uv: vec2f) -> vec4f { return vec4f(picture(uv.yx).bgr, 1.0); }";
/// Films its own output.
const FILM: &str = "fn effect(uv: vec2f) -> vec4f { return mix(picture(uv), last(uv * 0.98 + 0.01), 0.6); }";

/// A live show on the screen whose pixels somebody wants.
fn live(device: &Arc<Device>, effect: &str) -> Rig {
    let network = fixture("sg2_16_p2.pkl");
    let preset = format!("network = {network:?}\n[params]\n\"/walk/kind\" = \"hold\"\n[[effects]]\nshader = \"one\"\n");
    let setup = Rig::with(&[("a", &preset), ("b", "")]).on_screen(device.clone()).live();
    let folder = setup.folder().join("fx");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("one.wgsl"), effect).expect("an effect");
    let mut rig = setup.reload().start();
    let mut devices = Devices::default();
    devices.tap(Uploads);
    rig.show.connect(devices);
    rig.set_output_size(SIZE);
    rig
}

fn serial(show: &Show) -> u64 {
    show.shown().map_or(0, |picture| picture.serial)
}

/// What is seen, without alpha.
fn seen(show: &Show) -> Vec<u8> {
    let picture = show.shown().expect("a picture");
    assert_eq!([picture.width, picture.height], SIZE);
    picture.rgba.as_chunks::<4>().0.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect()
}

/// Steps in which no time passes, until something holds.
#[track_caller]
fn wait(rig: &mut Rig, done: impl Fn(&Show) -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !done(&rig.show) {
        assert!(Instant::now() < end, "waited in vain: {}", rig.show.status());
        std::thread::sleep(Duration::from_millis(2));
        rig.show.step(0.0, &[]);
    }
}

/// Plays a while, and takes a snapshot; returns its pixels.
fn snapshot(device: &Arc<Device>, effect: &str, file: &Path) -> Vec<u8> {
    let mut rig = live(device, effect);
    for frame in 0..12 {
        let before = serial(&rig.show);
        rig.show.step(0.05, &[number(Id::Psi, f64::from(frame) / 8.0), bang(Id::SeedNext), number(Id::WalkGlide, 0.0)]);
        wait(&mut rig, |show| serial(show) > before);
    }
    let snap = write_by(Source::Key, Id::Snapshot, Value::Text(file.display().to_string()));
    rig.show.step(0.0, &[snap]);
    wait(&mut rig, |show| show.status().notice.is_some_and(|line| line.starts_with("saved ")));
    let still = image::open(file).expect("a picture").into_rgb8();
    assert_eq!(still.dimensions(), (SIZE[0], SIZE[1]));
    still.into_raw()
}

/// A show that plays something else, on which the file is then dropped.
fn dropped(device: &Arc<Device>, file: &Path) -> Rig {
    let mut rig = live(device, STILL);
    rig.wait(&[text(Id::Preset, "b"), number(Id::Psi, -1.0)], |show| serial(show) > 2);
    let mut new = Show::arrive(file, Library::default(), rig.show.machinery()).expect("it leads to a show");
    new.take_over(&mut rig.show);
    drop(std::mem::replace(&mut rig.show, new));
    rig
}

#[test]
fn the_picture_of_a_snapshot_is_seen_again() {
    let Ok(device) = Device::open(false).map(Arc::new).map_err(skip_gpu) else { return };
    let folder = Folder::new();
    for (name, effect) in [("still.png", STILL), ("film.png", FILM)] {
        let file = folder.join(name);
        let still = snapshot(&device, effect, &file);
        let mut rig = dropped(&device, &file);
        assert!(seen(&rig.show) == still, "{name}: at once");
        rig.show.step(0.0, &[]);
        assert!(seen(&rig.show) == still, "{name}: and as long as nothing moves");
        assert_eq!(rig.base(Id::Psi), f64::from(11.0f32 / 8.0));
    }
}
