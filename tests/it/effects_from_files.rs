//! Effects from files: they come with a preset, by OSC and with a saved file, and a mistake never takes the picture away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use latent_jockey::control::Event;
use latent_jockey::engine::gpu::Device;
use latent_jockey::engine::surface::Surface;
use latent_jockey::image::Image;
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::folders::{Folders, Kind};
use latent_jockey::screen::chain::AHEAD;
use latent_jockey::screen::{Kernel, Moment, Scaling, Screen, Workshop};
use latent_jockey::show::{Devices, Show, Shown, Tap};

use crate::common::rig::{Rig, text, write_by};
use crate::common::skip_gpu;

const INVERT: &str = "struct Params {\n    amount: f32, // 0..1 = 1 smooth 0: how much\n    lift: f32, // 0..1 = 0 smooth 0\n}\n\
    fn effect(uv: vec2f) -> vec4f {\n    let c = picture(uv).rgb;\n    \
    return vec4f(mix(c, 1.0 - c, p.amount) + p.lift, 1.0);\n}\n";
const HALF: &str = "fn effect(uv: vec2f) -> vec4f { return picture(uv) * 0.5; }";

fn device() -> Option<Arc<Device>> {
    Device::open(false).map(Arc::new).map_err(skip_gpu).ok()
}

/// A show on the screen with these effects beside its presets.
fn rig(preset: &str, effects: &[(&str, &str)]) -> Option<Rig> {
    let device = device()?;
    let setup = Rig::with(&[("a", preset), ("b", "")]).on_screen(device);
    let folder = setup.folder().join("fx");
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, text) in effects {
        std::fs::write(folder.join(format!("{name}.wgsl")), text).expect("an effect");
    }
    let mut rig = setup.reload().start();
    rig.set_output_size([64, 36]);
    rig.step(0.0, &[]);
    Some(rig)
}

/// The mean of the picture's light, 0 to 255.
fn mean(rig: &Rig) -> f64 {
    let picture = rig.picture().expect("a picture");
    assert_eq!([picture.width, picture.height], [64, 36]);
    let rgb = picture.rgba.chunks_exact(4).flat_map(|pixel| &pixel[..3]);
    rgb.clone().map(|&byte| f64::from(byte)).sum::<f64>() / rgb.count() as f64
}

fn set(rig: &Rig, address: &str, value: f64) -> Event {
    let target = rig.params().table().resolve(address).unwrap_or_else(|| panic!("no {address}"));
    write_by(latent_jockey::control::Source::Osc, target.id, Value::Float(value))
}

const STILL: &str = "[params]\n\"/walk/kind\" = \"hold\"\n";

/// Wants every picture, as a window that draws with another device does.
struct Eye;

impl Tap for Eye {
    fn wants(&self) -> bool {
        true
    }
    fn picture(&mut self, _: &Shown) {}
}

#[test]
fn a_window_on_another_device_gets_a_part_of_its_size_too_where_software_draws() {
    let Some(mut device) = Device::open(false).map_err(skip_gpu).ok() else { return };
    if device.adapter.is_real() {
        return skip_gpu("a card draws in full");
    }
    device.is_for_window = true;
    let mut rig = Rig::with(&[("a", STILL)]).live().on_screen(Arc::new(device)).start();
    let mut devices = Devices::default();
    devices.tap(Eye);
    rig.connect(devices);
    rig.set_output_size([1280, 720]);
    let size = |show: &Show| show.picture().map(|picture| [picture.width, picture.height]);
    rig.wait(&[], |show| size(show).is_some_and(|size| size[0] > 64));
    assert_eq!(size(&rig), Some([640, 360]));
}

#[test]
fn a_preset_brings_effects_with_their_parameters() {
    let preset = format!(
        "{STILL}[[effects]]\nshader = \"invert\"\namount = 0.0\n[mod]\nm = {{ source = \"sine\", seconds = 1, to = \"/fx/invert/lift\" }}\n[midi]\n\"cc 1\" = \"/fx/invert/mix\"\n"
    );
    let Some(mut rig) = rig(&preset, &[("invert", INVERT)]) else { return };
    let base = |rig: &Rig, address: &str| rig.params().base(rig.params().table().row(address).expect("a row"));
    assert_eq!((base(&rig, "/fx/invert/amount"), base(&rig, "/fx/invert/lift")), (0.0, 0.0));
    let plain = mean(&rig);
    let event = set(&rig, "/fx/invert/amount", 1.0);
    rig.step(0.1, &[event]);
    let inverted = mean(&rig);
    assert!((plain - inverted).abs() > 5.0, "{plain} {inverted}");
    let event = set(&rig, "/fx/invert/enabled", 0.0);
    rig.step(0.1, &[event]);
    assert!((mean(&rig) - plain).abs() < 0.01, "it is off");
    rig.step(0.1, &[text(Id::Preset, "b")]);
    assert!(rig.params().table().row("/fx/invert/amount").is_none(), "they leave with their preset");
    assert!((mean(&rig) - plain).abs() < 3.0, "{}", rig.notice());
}

#[test]
fn effects_come_and_go_while_playing() {
    let Some(mut rig) = rig(STILL, &[("invert", INVERT), ("half", HALF)]) else { return };
    let plain = mean(&rig);
    rig.step(0.1, &[text(Id::FxAdd, "half")]);
    let half = mean(&rig);
    assert!(half < plain * 0.85, "{plain} {half}");
    rig.step(0.1, &[text(Id::FxAdd, "half")]);
    assert!(mean(&rig) < half * 0.85, "twice");
    assert!(rig.params().table().row("/fx/half-2/mix").is_some());
    rig.step(0.1, &[text(Id::FxRemove, "half-2"), text(Id::FxAdd, "invert")]);
    let after = mean(&rig);
    // Half of the light, inverted, is brighter than the inverse, halved.
    rig.step(0.1, &[text(Id::FxOrder, "invert half")]);
    assert!(mean(&rig) < after - 5.0, "{after} {}", mean(&rig));
    rig.step(0.1, &[text(Id::FxRemove, "invert"), text(Id::FxRemove, "half")]);
    assert!((mean(&rig) - plain).abs() < 0.01);
    for (event, line) in [
        (text(Id::FxAdd, "invrt"), "\"invrt\""),
        (text(Id::FxRemove, "half"), "no effect \"half\" in the chain"),
        (text(Id::FxOrder, "half"), "no effect \"half\" in the chain"),
    ] {
        rig.step(0.1, &[event]);
        assert!(rig.notice().contains(line), "{}", rig.notice());
    }
}

#[test]
fn a_mistake_costs_one_line_and_the_rest_plays() {
    let preset = format!(
        "{STILL}[[effects]]\nshader = \"half\"\n[[effects]]\nshader = \"broken\"\n[[effects]]\nshader = \"none\"\n"
    );
    let Some(mut rig) =
        rig(&preset, &[("half", HALF), ("broken", "fn effect(uv: vec2f) -> vec4f {\n    return pictur(uv);\n}")])
    else {
        return;
    };
    assert!(
        rig.notice().contains("broken.wgsl:2:12: no definition in scope for identifier: `pictur`"),
        "{}",
        rig.notice()
    );
    let half = mean(&rig);
    rig.step(0.1, &[text(Id::FxRemove, "half")]);
    assert!(mean(&rig) > half * 1.1, "the good one played");
    let loops =
        "fn effect(uv: vec2f) -> vec4f { var x = uv.x; loop { x += 0.1; if x < 0.0 { break; } } return vec4f(x); }";
    std::fs::write(rig.folder().join("fx/for_ever.wgsl"), loops).unwrap();
    rig.step(0.1, &[text(Id::FxRemove, "broken"), text(Id::FxAdd, "for_ever")]);
    assert!(rig.notice().contains("for_ever.wgsl: a loop does not end within 16384 turns"), "{}", rig.notice());
    rig.step(0.1, &[text(Id::FxRemove, "for_ever"), text(Id::FxAdd, "invert")]);
    assert!(!rig.notice().contains("for_ever.wgsl"), "the line is gone: {}", rig.notice());
}

#[test]
fn a_file_is_reloaded_when_it_is_saved_and_values_survive() {
    let Some(device) = device() else { return };
    let setup = Rig::with(&[("a", &format!("{STILL}[[effects]]\nshader = \"invert\"\n"))]).on_screen(device).live();
    let file = setup.folder().join("fx/invert.wgsl");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, INVERT).unwrap();
    let mut rig = setup.reload().start();
    rig.set_output_size([64, 36]);
    let row = |show: &latent_jockey::show::Show, address: &str| show.params().table().row(address);
    let event = set(&rig, "/fx/invert/amount", 0.25);
    rig.wait(&[event], |show| show.picture().is_some());
    for turn in 0..3 {
        rig.save(&file, "fn effect(", |show| show.status().notice.is_some_and(|line| line.contains("invert.wgsl:1:")));
        assert!(row(&rig, "/fx/invert/lift").is_some(), "the last good version plays on");
        rig.save(&file, &INVERT.replace("lift", &format!("lift{turn}")), |show| {
            row(show, &format!("/fx/invert/lift{turn}")).is_some()
        });
        assert!(!rig.notice().contains("invert.wgsl"), "{}", rig.notice());
        assert_eq!(rig.params().base(row(&rig, "/fx/invert/amount").unwrap()), 0.25);
        rig.save(&file, INVERT, |show| row(show, "/fx/invert/lift").is_some());
    }
}

#[test]
fn an_effect_that_is_mended_takes_its_presets_values() {
    let Some(device) = device() else { return };
    let preset =
        format!("{STILL}[[effects]]\nshader = \"invert\"\namount = 0.25\n[midi]\n\"cc 1\" = \"/fx/invert/mix\"\n");
    let setup = Rig::with(&[("a", &preset)]).on_screen(device).live();
    let file = setup.folder().join("fx/invert.wgsl");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "fn effect(").unwrap();
    let mut rig = setup.reload().start();
    rig.set_output_size([64, 36]);
    rig.wait(&[], |show| show.status().notice.is_some_and(|line| line.starts_with("invert.wgsl:1:")));
    let amount = |show: &latent_jockey::show::Show| {
        show.params().table().row("/fx/invert/amount").map(|row| show.params().base(row))
    };
    rig.save(&file, INVERT, |show| amount(show) == Some(0.25));
    assert_eq!(rig.map().iter().filter(|line| format!("{line:?}").contains("/fx/invert/mix")).count(), 1);
}

#[test]
fn the_networks_own_picture_can_be_read_with_and_without_painting() {
    let reads = "fn effect(uv: vec2f) -> vec4f { return network(uv); }";
    let Some(mut rig) = rig(STILL, &[("own", reads)]) else { return };
    let plain = mean(&rig);
    rig.step(0.1, &[text(Id::FxAdd, "own")]);
    assert!((mean(&rig) - plain).abs() < 0.01, "{plain} {}", mean(&rig));
    rig.step(0.1, &[text(Id::StyleNetwork, "painters8")]);
    assert!((mean(&rig) - plain).abs() < 0.01, "not the painting: {plain} {}", mean(&rig));
    rig.step(0.1, &[text(Id::FxRemove, "own")]);
    assert!((mean(&rig) - plain).abs() > 0.1, "the painting differs");
    rig.step(0.1, &[text(Id::StyleNetwork, ""), text(Id::FxAdd, "own")]);
    assert!((mean(&rig) - plain).abs() < 0.01, "and without it again");
}

#[test]
fn a_chain_with_memory_renders_the_same_bytes() {
    let Some(device) = device() else { return };
    let preset = Rig::shipped("11-star-engine");
    let frames = |setup: crate::common::rig::Setup| -> Vec<Vec<u8>> {
        let mut rig = setup.start();
        rig.set_output_size([96, 54]);
        (0..4)
            .map(|_| {
                rig.step(0.1, &[]);
                rig.picture().expect("a picture").rgba.clone()
            })
            .collect()
    };
    let first = frames(preset.on_screen(device.clone()));
    assert_eq!(first, frames(Rig::shipped("11-star-engine").on_screen(device)));
    assert_ne!(first[2], first[3], "it moves");
}

#[test]
fn without_a_device_the_effects_are_skipped_with_a_line() {
    let mut rig = Rig::with(&[("a", "[[effects]]\nshader = \"trails\"\n")]).start();
    rig.step(0.1, &[]);
    assert!(rig.notice().starts_with("no graphics adapter"), "{}", rig.notice());
    assert!(rig.picture().is_some());
}

#[test]
fn every_effect_that_ships_runs_and_leaves_something_to_see() {
    let Some(device) = device() else { return };
    let workshop = Workshop::new(device.clone());
    let mut rig = Rig::shipped("6-flowers").on_screen(device).start();
    rig.set_output_size([160, 90]);
    let names: Vec<String> = Folders::default()
        .files(Kind::Effect)
        .iter()
        .map(|file| file.file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert!(names.len() >= 25, "{names:?}");
    for name in &names {
        let file = Folders::default().named(Kind::Effect, name).unwrap();
        let shader = latent_jockey::patch::effects::load(&file).unwrap_or_else(|error| panic!("{}", error.block()));
        assert!(!shader.help.is_empty(), "{name} does not say what it does");
        assert!(
            shader.fields.iter().all(|field| match &field.what {
                latent_jockey::screen::header::What::Param(def) => !def.help.is_empty(),
                latent_jockey::screen::header::What::Signal(_) => true,
            }),
            "a parameter of {name} has no help"
        );
        workshop.compile(&shader).unwrap_or_else(|line| panic!("{name}: {line}"));
        rig.step(0.1, &[text(Id::FxAdd, name)]);
        for _ in 0..4 {
            rig.step(0.1, &[]);
        }
        assert_eq!(rig.notice(), "", "{name}");
        let picture = rig.picture().unwrap();
        let bright = picture.rgba.chunks_exact(4).filter(|pixel| pixel[..3].iter().any(|&byte| byte > 16)).count();
        assert!(bright > 160 * 90 / 50, "{name} leaves {bright} of {} pixels that are not black", 160 * 90);
        rig.step(0.1, &[text(Id::FxRemove, name)]);
    }
}

#[test]
fn a_saved_preset_has_its_chain() {
    let preset = format!("{STILL}# the first\n[[effects]]\nshader = \"invert\" # inverts\namount = 0.5\n");
    let Some(mut rig) = rig(&preset, &[("invert", INVERT), ("half", HALF)]) else { return };
    rig.step(0.1, &[text(Id::FxAdd, "half"), text(Id::FxAdd, "invert")]);
    let events = [set(&rig, "/fx/invert-2/lift", 0.25), set(&rig, "/fx/half/mix", 0.5), text(Id::FxOrder, "half")];
    rig.step(0.1, &events);
    rig.step(0.1, &[text(Id::PresetSave, "")]);
    let saved = std::fs::read_to_string(rig.folder().join("a.toml")).unwrap();
    let expected = "# the first\n[[effects]]\nshader = \"invert\" # inverts\namount = 0.5\n";
    assert!(saved.contains(expected), "{saved}");
    assert!(saved.contains("[[effects]]\nshader = \"half\"\nmix = 0.5\n"), "{saved}");
    assert!(saved.contains("[[effects]]\nshader = \"invert\"\nname = \"invert-2\"\nlift = 0.25\n"), "{saved}");
    assert!(saved.find("half").unwrap() < saved.find("inverts").unwrap(), "{saved}");
}

#[test]
fn pictures_do_not_pile_up_on_a_slow_device() {
    let Some(device) = device() else { return };
    let mut screen = Screen::new(device.clone()).expect("a screen");
    let picture = Image { channels: 3, height: 64, width: 64, data: vec![0.25; 3 * 64 * 64] };
    let scaling = Scaling { size: [1920, 1080], kernel: Kernel::Lanczos, ..Scaling::default() };
    let drawn = Arc::new(AtomicUsize::new(0));
    for asked in 0..12 {
        let (mut painting, mut network) = (Surface::from(picture.clone()), Surface::default());
        screen.draw([&mut painting, &mut network], &scaling, &[], Moment::default(), None).expect("a picture");
        let waiting = asked - drawn.load(Ordering::Relaxed);
        assert!(waiting <= AHEAD, "{waiting} pictures before the one that was asked for last");
        let drawn = drawn.clone();
        device.queue.on_submitted_work_done(move || {
            drawn.fetch_add(1, Ordering::Relaxed);
        });
    }
}

/// Lanczos with three lobes, widened by the ratio, along rows and then columns of coded values.
fn shrunk(picture: &[f64], side: usize, out: usize) -> Vec<f64> {
    let ratio = side as f64 / out as f64;
    let sinc = |x: f64| if x == 0.0 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) };
    let weights = |o: usize| -> Vec<(usize, f64)> {
        let at = (o as f64 + 0.5) * ratio - 0.5;
        let taps = (at - 3.0 * ratio).ceil() as i64..=(at + 3.0 * ratio).floor() as i64;
        let weight = |i: i64| {
            let d = (i as f64 - at) / ratio;
            (i.clamp(0, side as i64 - 1) as usize, sinc(d) * sinc(d / 3.0))
        };
        let all: Vec<(usize, f64)> = taps.map(weight).collect();
        let sum: f64 = all.iter().map(|(_, weight)| weight).sum();
        all.into_iter().map(|(i, weight)| (i, weight / sum)).collect()
    };
    let all: Vec<_> = (0..out).map(weights).collect();
    let value = |x: usize, y: usize| -> f64 {
        let row = |j: usize| -> f64 { all[x].iter().map(|(i, weight)| picture[j * side + i] * weight).sum() };
        all[y].iter().map(|(j, weight)| row(*j) * weight).sum::<f64>().clamp(0.0, 1.0)
    };
    (0..out * out).map(|i| value(i % out, i / out)).collect()
}

#[test]
fn a_picture_is_made_smaller_by_lanczos() {
    let Some(device) = device() else { return };
    let mut screen = Screen::new(device).expect("a screen");
    let side = 48;
    let coded: Vec<f64> = (0..side * side).map(|i| 0.5 + 0.4 * (i as f64 * 12.9898).sin()).collect();
    let plane: Vec<f32> = coded.iter().map(|value| (value * 2.0 - 1.0) as f32).collect();
    let picture = Image { channels: 3, height: side, width: side, data: plane.repeat(3) };
    // Whole, half and odd ratios, and one just above 1.
    for out in [24, 32, 20, 13, 47] {
        let size = [out as u32, out as u32];
        let scaling = Scaling { size, zoom: 1.0, ..Scaling::default() };
        let (mut painting, mut network) = (Surface::from(picture.clone()), Surface::default());
        screen.draw([&mut painting, &mut network], &scaling, &[], Moment::default(), Some(1)).expect("a picture");
        let mut rgba = Vec::new();
        assert_eq!(screen.read(&mut rgba).expect("its bytes"), size);
        let expected = shrunk(&coded, side, out);
        let worst =
            rgba.chunks_exact(4).zip(&expected).map(|(pixel, value)| (f64::from(pixel[1]) - value * 255.0).abs());
        let worst = worst.fold(0.0, f64::max);
        assert!(worst < 1.0, "{side} to {out}: off by {worst} of 255");
    }
}
