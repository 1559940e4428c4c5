//! Effects that are half written, lie about themselves, come in crowds or lose their device: one line each, and the show
//! goes on.

use std::path::Path;
use std::sync::Arc;

use latent_jockey::engine::gpu::Device;
use latent_jockey::params::Id;
use latent_jockey::patch::effects::load;

use crate::common::rig::{Folder, Rig, number, text};
use crate::common::skip_gpu;

const STILL: &str = "[params]\n\"/walk/kind\" = \"hold\"\n";
const DIM: &str = "struct Params {\n    light: f32, // 0..1 = 0.98: how much is left\n}\n\
    fn effect(uv: vec2f) -> vec4f { return picture(uv) * p.light; }\n";

fn device() -> Option<Arc<Device>> {
    Device::open(false).map(Arc::new).map_err(skip_gpu).ok()
}

/// A show on the screen with two presets, the first plays, and these effects beside them.
fn rig(device: Arc<Device>, presets: [&str; 2], effects: &[(&str, &str)]) -> Rig {
    let [a, b] = presets.map(|rest| format!("{STILL}{rest}"));
    let setup = Rig::with(&[("a", &a), ("b", &b)]).on_screen(device);
    std::fs::create_dir_all(setup.folder().join("fx")).expect("a folder");
    for (name, text) in effects {
        std::fs::write(setup.folder().join(format!("fx/{name}.wgsl")), text).expect("an effect");
    }
    let mut rig = setup.reload().start();
    rig.set_output_size([64, 36]);
    rig.step(0.0, &[]);
    rig
}

fn light(rig: &Rig) -> f64 {
    rig.pixels().iter().map(|&byte| f64::from(byte)).sum()
}

#[test]
fn a_chain_has_forty_effects_and_not_one_more() {
    let Some(device) = device() else { return };
    let chain = |count: usize| {
        let links = (0..count).map(|i| format!("[[effects]]\nshader = \"dim\"\nname = \"dim-{i}\"\n"));
        links.collect::<String>()
    };
    let mut rig = rig(device, [&chain(40), &chain(41)], &[("dim", DIM)]);
    assert_eq!(rig.notice(), "");
    let all = light(&rig);
    rig.step(0.1, &[text(Id::FxAdd, "dim")]);
    assert!(rig.notice().contains("the chain has 40 effects already"), "{}", rig.notice());
    assert_eq!(light(&rig), all, "the forty play on");
    rig.step(0.1, &[text(Id::Preset, "b")]);
    assert!(rig.notice().contains("a chain has at most 40 effects, found 41"), "{}", rig.notice());
    assert_eq!(light(&rig), all, "the preset before plays on");
    rig.step(0.1, &[text(Id::FxRemove, "dim-39")]);
    assert!(light(&rig) > all, "all forty had an effect");
}

#[test]
fn two_effects_of_one_name_are_refused_and_a_file_may_replace_one_that_ships() {
    let Some(device) = device() else { return };
    let twice = "[[effects]]\nshader = \"dim\"\n[[effects]]\nshader = \"dim\"\n";
    let mut rig =
        rig(device, ["[[effects]]\nshader = \"trails\"\nlight = 0.5\n", twice], &[("dim", DIM), ("trails", DIM)]);
    assert_eq!(rig.notice(), "");
    assert!(rig.params().table().row("/fx/trails/length").is_none(), "the one beside the preset plays");
    rig.step(0.1, &[text(Id::Preset, "b")]);
    assert!(rig.notice().contains("\"dim\" stands twice in the chain: give one of them name"), "{}", rig.notice());
    assert!(rig.params().table().row("/fx/trails/light").is_some(), "the preset before plays on");
}

#[test]
fn a_header_that_lies_costs_a_line_and_the_rest_plays() {
    let Some(device) = device() else { return };
    let lies = [
        ("struct Params {\n    n: i32, // 0..1.5 = 1: no integer\n}\n", "2:5: n: 0..1.5 = 1 does not fit an integer"),
        ("struct Params {\n    n: f32, // off | on = on: no switch\n}\n", "2:5: n: a choice is a u32"),
        ("struct Params {\n    n: mat2x2f, // 0..1 = 0: no number\n}\n", "2:5: "),
        ("//@ texture t half\n//@ step fill -> t\n", "the function \"fill\" is missing"),
        ("//@ texture t half\n//@ step effect -> t\n", "2:1: a step needs the name of a function other than effect"),
    ];
    let effect = "fn effect(uv: vec2f) -> vec4f { return picture(uv); }\n";
    let mut rig = rig(device, ["[[effects]]\nshader = \"dim\"\nlight = 0.5\n", ""], &[("dim", DIM)]);
    let dim = light(&rig);
    for (header, line) in lies {
        std::fs::write(rig.folder().join("fx/liar.wgsl"), format!("{header}{effect}")).unwrap();
        rig.step(0.1, &[text(Id::FxAdd, "liar")]);
        let notice = rig.notice();
        assert!(
            notice.contains("liar.wgsl") && notice.contains(line) && notice.lines().count() == 1,
            "{notice}\n{line}"
        );
        assert_eq!(light(&rig), dim);
        rig.step(0.1, &[text(Id::FxRemove, "liar")]);
    }
}

#[test]
fn a_half_written_file_is_an_error_or_an_effect() {
    let folder = Folder::new();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("shaders/fx");
    std::fs::create_dir(folder.join("lib")).unwrap();
    for part in std::fs::read_dir(sources.join("lib")).unwrap().map(|entry| entry.unwrap().path()) {
        std::fs::copy(&part, folder.join("lib").join(part.file_name().unwrap())).unwrap();
    }
    let file = folder.join("half.wgsl");
    let mut errors = 0;
    let wholes = std::fs::read_dir(sources).unwrap().map(|entry| entry.unwrap().path());
    for whole in wholes.filter(|path| path.is_file()) {
        let text = std::fs::read_to_string(&whole).unwrap();
        for tenth in 1..=10 {
            std::fs::write(&file, &text.as_bytes()[..text.len() * tenth / 10]).unwrap();
            if let Err(error) = load(&file) {
                assert!(tenth < 10, "{}: {error}", whole.display());
                errors += 1;
                assert_eq!(error.to_string().lines().count(), 1, "{error}");
                assert!(error.block().lines().count() <= 8, "{}", error.block());
            }
        }
    }
    assert!(errors > 200, "{errors} of them are wrong");
}

#[test]
fn a_lost_device_costs_the_effects_not_the_picture() {
    let Some(device) = device() else { return };
    let mut rig = rig(device.clone(), ["[[effects]]\nshader = \"dim\"\n", ""], &[("dim", DIM)]);
    device.wgpu.destroy();
    let mut lines = Vec::new();
    for psi in [0.2, 0.4, 0.6, 0.8] {
        rig.step(0.1, &[number(Id::Psi, psi)]);
        assert!(rig.picture().is_some_and(|picture| picture.rgba.iter().any(|byte| *byte != picture.rgba[0])));
        lines.push(rig.notice());
    }
    assert!(lines.iter().any(|line| line.contains("the effects from files are off")), "{lines:?}");
}
