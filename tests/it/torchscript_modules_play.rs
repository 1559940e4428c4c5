//! Do TorchScript generators and effects play like everything else: found out by running them, drawn in a show whose pictures
//! are looked at, with one line and the last good picture when they throw, and only if the player has named their file?
//!
//! `tests/torchscript/make.py` makes the modules; without a python that has torch, the tests report "skipped".

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, LazyLock};

use latent_jockey::engine::Engine;
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::engine::fallback::Fallback;
use latent_jockey::engine::gpu::Device;
use latent_jockey::engine::plan::{Argument, Range};
use latent_jockey::engine::torch::Torch;
use latent_jockey::latent::seed::z_from_seed;
use latent_jockey::network;
use latent_jockey::params::Id;
use latent_jockey::patch::effects::name_script;
use latent_jockey::screen::script::shader;

use crate::common::rig::{Folder, Rig, number, text};
use crate::common::skip_gpu;

/// The folder of the modules, made once.
static MODULES: LazyLock<Option<Folder>> = LazyLock::new(|| {
    let folder = Folder::new();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torchscript/make.py");
    let python = std::env::var("LATENT_JOCKEY_PYTHON").unwrap_or_else(|_| "python".to_owned());
    let made = Command::new(&python).arg(script).arg(&*folder).output();
    match made {
        Ok(made) if made.status.success() => Some(folder),
        other => {
            let is_required = std::env::var("LATENT_JOCKEY_TORCHSCRIPT").is_ok_and(|value| value == "required");
            assert!(!is_required, "{python} has to make the modules: {other:?}");
            None
        }
    }
});

/// The file of a module; `None`, said, without a python that has torch.
#[allow(clippy::print_stderr, reason = "what is skipped is said")]
fn module(name: &str) -> Option<PathBuf> {
    if MODULES.is_none() {
        eprintln!("skipped (TorchScript): no python with torch made {name}");
    }
    MODULES.as_ref().map(|folder| folder.join(name))
}

/// The engine as the command line makes it, with the files that the player has named.
fn engine(named: &[PathBuf]) -> Arc<dyn Engine> {
    let torch = Torch::new(Some("cpu"), None).expect("libtorch has a processor").with_scripts(named);
    Arc::new(Fallback::new(Arc::new(torch), Arc::new(Cpu::new(1))))
}

const STILL: &str = "[params]\n\"/walk/kind\" = \"hold\"\n\"/noise/mode\" = \"none\"\n";

/// An offline show with this module as its network, in its own size.
fn rig(file: &Path) -> Rig {
    let mut rig = Rig::with(&[("a", STILL)])
        .network(&file.display().to_string())
        .seed(85)
        .engine(engine(&[file.to_owned()]))
        .start();
    rig.step(0.0, &[]);
    rig
}

/// Red, green and blue of a pixel.
fn pixel(rig: &Rig, x: usize, y: usize) -> [u8; 3] {
    let picture = rig.show.picture().expect("a picture");
    let at = (y * picture.width as usize + x) * 4;
    [picture.rgba[at], picture.rgba[at + 1], picture.rgba[at + 2]]
}

#[track_caller]
fn assert_near(found: [u8; 3], expected: [f64; 3]) {
    for (found, expected) in found.iter().zip(expected) {
        assert!((f64::from(*found) - expected).abs() < 2.0, "{found} is not near {expected}");
    }
}

/// The byte of a number in −1..1.
fn byte(x: f64) -> f64 {
    (x * 127.5 + 128.0).clamp(0.0, 255.0)
}

#[test]
fn what_a_module_takes_and_gives_is_found_out() {
    let z = Argument::Z { is_map: false };
    let as_map = Argument::Z { is_map: true };
    let psi = Argument::Psi { is_tensor: false };
    let knobs = Argument::Knobs { has_batch: false };
    for (name, arguments, dims, gives, range) in [
        ("plain", vec![z], [6, 0, 0], [3, 16, 24], Range::Signed),
        ("traced", vec![z], [6, 0, 0], [3, 16, 24], Range::Signed),
        ("classes", vec![z, Argument::Class], [5, 4, 0], [1, 8, 8], Range::Unit),
        ("truncated", vec![as_map, psi], [7, 0, 0], [3, 8, 8], Range::Bytes),
        ("inverse", vec![Argument::Picture], [0, 0, 0], [3, 1, 1], Range::Unit),
        ("tint", vec![Argument::Picture, knobs], [0, 0, 3], [3, 1, 1], Range::Unit),
    ] {
        let Some(file) = module(&format!("{name}.pt")) else { return };
        let script = engine(&[file.clone()]).script(&file).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(script.arguments, arguments, "{name}: {}", script.declaration);
        assert_eq!([script.z_dim, script.c_dim, script.knobs], dims, "{name}");
        assert_eq!((script.gives, script.range), (gives, range), "{name}");
    }
}

#[test]
fn a_generator_plays_with_walks_and_vectors() {
    for name in ["plain.pt", "traced.pt"] {
        let Some(file) = module(name) else { return };
        let mut rig = rig(&file);
        let picture = rig.show.picture().expect("a picture");
        assert_eq!((picture.width, picture.height), (24, 16));
        // The held walk is at a z of its seed; offsets on /z move the colours.
        let z = z_from_seed(85, 6);
        rig.step(0.1, &[number(Id::Psi, 1.0)]);
        rig.step(1.0, &[]);
        let slope = f64::from(z[3]);
        for x in [0, 23] {
            let along = -1.0 + 2.0 * x as f64 / 23.0;
            let expected = [0, 1, 2].map(|c| byte((f64::from(z[c]) + slope * along).tanh()));
            assert_near(pixel(&rig, x, 7), expected);
        }
        // Truncation leads to z = 0, which is grey.
        rig.step(0.1, &[number(Id::Psi, 0.0)]);
        rig.step(1.0, &[]);
        assert_near(pixel(&rig, 3, 3), [128.0; 3]);
        assert_eq!(rig.notice(), "");
    }
}

#[test]
fn classes_and_psi_reach_the_module() {
    let Some(file) = module("classes.pt") else { return };
    let mut grey = rig(&file);
    grey.step(0.1, &[number(Id::Class, 2.0)]);
    grey.step(1.0, &[]);
    let rows: Vec<u8> = (0..8).map(|y| pixel(&grey, 0, y)[0]).collect();
    let brightest = (0..8).max_by_key(|&y| rows[y]);
    assert_eq!(brightest, Some(2), "{rows:?}");
    let Some(file) = module("truncated.pt") else { return };
    let mut red = rig(&file);
    for psi in [0.5, 1.0] {
        red.step(0.1, &[number(Id::Psi, psi)]);
        red.step(1.0, &[]);
        assert_near([pixel(&red, 2, 2)[0]; 3], [200.0 * psi; 3]);
    }
}

#[test]
fn a_generator_that_throws_costs_one_line_and_its_last_picture_stays() {
    let Some(file) = module("moody.pt") else { return };
    let mut rig = rig(&file);
    let before = rig.pixels();
    let moved = |value: f64| {
        let target = latent_jockey::params::Target { id: Id::Z, index: 0 };
        let value = latent_jockey::params::Value::Float(value);
        let source = latent_jockey::control::Source::Osc;
        latent_jockey::control::Event::Write(latent_jockey::control::Write { target, value, source })
    };
    rig.step(0.1, &[moved(4.0)]);
    rig.step(1.0, &[]);
    let notice = rig.show.status().notice.unwrap_or_default();
    assert!(notice.contains("too much of a good thing") && notice.lines().count() == 1, "{notice:?}");
    let width = rig.show.picture().expect("the last picture").width;
    assert_eq!((rig.pixels().len(), width), (before.len(), 8));
    rig.step(1.0, &[moved(0.0)]);
    rig.step(1.0, &[]);
    assert_eq!(rig.pixels(), before, "it plays on");
}

fn device() -> Option<Arc<Device>> {
    Device::open(false).map(Arc::new).map_err(skip_gpu).ok()
}

/// A show of a plain network on the screen, with effects by modules of these names.
fn on_screen(device: Arc<Device>, preset: &str, names: &[&str]) -> Option<Rig> {
    let files = names.iter().map(|name| module(&format!("{name}.pt"))).collect::<Option<Vec<_>>>()?;
    let engine = engine(&files);
    for file in &files {
        name_script(shader(&Arc::new(engine.script(file).expect("an effect"))).expect("a name"));
    }
    let mut rig = Rig::with(&[("a", &format!("{STILL}{preset}"))]).on_screen(device).engine(engine).start();
    rig.set_output_size([32, 32]);
    rig.step(0.0, &[]);
    rig.step(1.0, &[]);
    Some(rig)
}

#[test]
fn effects_play_with_their_knobs() {
    let Some(device) = device() else { return };
    let Some(mut rig) = on_screen(device, "", &["inverse", "tint"]) else { return };
    let plain = rig.pixels();
    rig.step(0.1, &[text(Id::FxAdd, "inverse")]);
    rig.step(1.0, &[]);
    assert_eq!(rig.notice(), "");
    for (found, plain) in rig.pixels().iter().zip(&plain).enumerate().filter(|(i, _)| i % 4 < 3).map(|(_, pair)| pair) {
        let expected = 255 - i32::from(*plain);
        assert!((i32::from(*found) - expected).abs() <= 2, "{found} is not near {expected}");
    }
    rig.step(0.1, &[text(Id::FxRemove, "inverse"), text(Id::FxAdd, "tint")]);
    let knob = |rig: &Rig, n: usize| rig.show.params().table().row(&format!("/fx/tint/knob{n}")).expect("a row");
    let values = [1.0, 0.0, 0.5];
    let events: Vec<_> = (1..=3).map(|n| number(knob(&rig, n), values[n - 1])).collect();
    rig.step(0.1, &events);
    rig.step(2.0, &[]);
    for (found, plain) in rig.pixels().as_chunks::<4>().0.iter().zip(plain.as_chunks::<4>().0) {
        for c in 0..3 {
            let expected = f64::from(plain[c]) * values[c];
            assert!((f64::from(found[c]) - expected).abs() <= 2.5, "{found:?} is not {plain:?} times {values:?}");
        }
    }
}

#[test]
fn a_preset_names_an_effect_and_its_knobs() {
    let Some(device) = device() else { return };
    let preset = "[[effects]]\nshader = \"tint\"\nknob1 = 0.0\nknob2 = 0.0\nknob3 = 1.0\n";
    // Named first: a preset is read with what is known.
    if on_screen(device.clone(), "", &["tint"]).is_none() {
        return;
    }
    let Some(rig) = on_screen(device, preset, &["tint"]) else { return };
    assert_eq!(rig.notice(), "");
    assert!(rig.pixels().as_chunks::<4>().0.iter().all(|[r, g, _, _]| *r <= 2 && *g <= 2), "only blue is left");
    assert!(rig.pixels().as_chunks::<4>().0.iter().any(|[_, _, b, _]| *b > 20), "and that is left");
}

#[test]
fn an_effect_that_throws_costs_one_line_and_its_last_painting_stays() {
    let Some(device) = device() else { return };
    let Some(mut rig) = on_screen(device, "[[effects]]\nshader = \"fussy\"\nknob1 = 0.5\n", &["fussy"]) else { return };
    rig.step(0.1, &[text(Id::FxAdd, "fussy")]);
    rig.step(0.1, &[]);
    let name = rig.show.params().table().row("/fx/fussy/knob1").expect("a row");
    let before = rig.pixels();
    rig.step(0.1, &[number(name, 1.0)]);
    rig.step(2.0, &[]);
    let notice = rig.notice();
    assert!(notice.contains("fussy.pt: ") && notice.contains("no more than that"), "{notice}");
    assert_eq!(rig.pixels(), before, "the last painting");
    rig.step(0.1, &[number(name, 0.2)]);
    rig.step(2.0, &[]);
    assert_eq!(rig.pixels(), before);
}

#[test]
fn only_files_that_the_player_has_named_are_opened() {
    let (Some(plain), Some(traced)) = (module("plain.pt"), module("traced.pt")) else { return };
    let error = network::open(&plain).expect_err("never by itself").to_string();
    assert!(error.contains("--engine torch"), "{error}");
    let error = network::open_by(&*engine(&[traced.clone()]), &plain).expect_err("not named").to_string();
    assert!(error.contains("only those named on the command line"), "{error}");
    let error = network::open_by(&Cpu::new(1), &plain).expect_err("another engine").to_string();
    assert!(error.contains("--engine torch"), "{error}");
    assert!(network::open_by(&*engine(&[plain.clone()]), &plain).is_ok());
    // A path by OSC is no exception.
    let mut rig = rig(&traced);
    let before = rig.pixels();
    rig.step(0.1, &[text(Id::Network, &plain)]);
    rig.step(0.1, &[]);
    assert!(rig.notice().contains("only those named on the command line"), "{}", rig.notice());
    assert_eq!(rig.pixels(), before);
}

#[test]
fn what_cannot_be_played_is_named() {
    let (Some(counter), Some(exported)) = (module("counter.pt"), module("exported.pt2")) else { return };
    let error = engine(&[counter.clone()]).script(&counter).expect_err("takes text").to_string();
    assert!(error.contains("str name") && error.contains("its first argument is a str"), "{error}");
    let error = network::open_by(&*engine(&[exported.clone()]), &exported).expect_err("a .pt2").to_string();
    assert!(error.contains("exported program (.pt2)") && error.contains("torch.jit.trace"), "{error}");
}
