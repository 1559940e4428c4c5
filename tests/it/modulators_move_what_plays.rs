//! Do a preset's modulators move what plays and never what was set? Do they stop at a panic, survive saving, and give the
//! same bytes twice?

use latent_jockey::control::midi::parse;
use latent_jockey::control::{Event, Source, Write};
use latent_jockey::modulate::SignalId;
use latent_jockey::params::{Id, Target, Value};

use crate::common::rig::Rig;

const PRESET: &str = "# Dusk, for small rooms\nname = \"dusk\"\n\n[params]\n\"/psi\" = 0.5\n\"/walk/kind\" = \"hold\"\n\n[midi]\n\"cc 21\" = \"/mod/breathe/depth\"\n\n[mod] # what moves\n# slowly\nbreathe = { source = \"sine\", seconds = 4, to = \"/psi\", depth = 0.2 } # in and out\n\n[mod.hit]\nsource = \"modulators-move.kick\" # a sensor\nto = [\"/psi\", \"/noise/gain\"]\n";

fn rig() -> Rig {
    Rig::with(&[("dusk", PRESET)]).start()
}

fn target(rig: &Rig, address: &str) -> Target {
    rig.params().table().resolve(address).expect(address)
}

fn play(rig: &mut Rig, address: &str, value: Value) {
    let target = target(rig, address);
    rig.step(0.0, &[Event::Write(Write { target, value, source: Source::Osc })]);
}

fn psi(rig: &Rig) -> f64 {
    (rig.params().get(Id::Psi) * 1e6).round() / 1e6
}

fn saved(rig: &Rig) -> String {
    std::fs::read_to_string(&rig.preset().path).expect("the preset")
}

/// The part of a preset that says what moves.
fn modulators(text: &str) -> &str {
    &text[text.find("[mod]").expect("a table")..]
}

#[test]
fn what_plays_moves_and_the_base_stays() {
    let mut rig = rig();
    let mut pictures = Vec::new();
    let mut played = Vec::new();
    for _ in 0..4 {
        rig.step(1.0, &[]);
        played.push(psi(&rig));
        pictures.push(rig.picture().expect("a picture").rgba.clone());
        assert_eq!(rig.params().base(Id::Psi), 0.5);
    }
    // A fifth of the range of 3 to both sides.
    assert_eq!(played, [1.1, 0.5, -0.1, 0.5]);
    assert!(pictures[0] != pictures[1] && pictures[1] == pictures[3], "the picture follows");

    let kick = SignalId::find("modulators-move.kick").expect("the preset uses it");
    rig.step(0.0, &[Event::Signal { id: kick, value: 0.2 }, Event::Signal { id: kick, value: 0.5 }]);
    assert_eq!(psi(&rig), 0.5 + 0.5 * 0.2 * 3.0, "the newest value counts");
    assert!(rig.params().get(Id::NoiseGain) > 1.0);
}

#[test]
fn knobs_play_the_modulator() {
    let mut rig = rig();
    rig.step(1.0, &[]);
    for value in [64, 127] {
        rig.step(0.1, &[Event::Midi(parse(&[0xb0, 21, value], 0, 0).expect("a message"))]);
    }
    let depth = target(&rig, "/mod/breathe/depth");
    assert_eq!(rig.params().base(depth), 1.0, "a controller of the preset");
    play(&mut rig, "/mod/breathe/depth", Value::Float(-0.1));
    (0..60).for_each(|_| rig.step(0.1, &[]));
    play(&mut rig, "/mod/breathe/phase", Value::Float(0.0));
    // After 7.2 s of a wave of 4 s.
    let expected = 0.5 - 0.3 * (std::f64::consts::TAU * 7.2 / 4.0).sin();
    assert!((psi(&rig) - expected).abs() < 1e-3, "{} is not {expected}", psi(&rig));
}

#[test]
fn panic_switches_modulation_off() {
    let mut rig = rig();
    rig.step(1.0, &[]);
    assert_eq!(psi(&rig), 1.1);
    play(&mut rig, "/panic", Value::Nothing);
    let line = rig.status().notice.unwrap_or_default();
    assert!(line.contains("modulation is off until it is loaded again"), "{line}");
    for _ in 0..3 {
        rig.step(0.3, &[]);
        assert_eq!(psi(&rig), 0.5);
    }
    play(&mut rig, "/preset", Value::Text("dusk".to_owned()));
    rig.step(0.4, &[]);
    assert_ne!(psi(&rig), 0.5, "loaded again it moves again");
}

#[test]
fn a_frozen_picture_holds_its_modulation() {
    let mut rig = rig();
    rig.step(0.5, &[]);
    let held = psi(&rig);
    play(&mut rig, "/freeze", Value::Bool(true));
    rig.step(0.7, &[]);
    assert_eq!(psi(&rig), held);
    play(&mut rig, "/freeze", Value::Bool(false));
    rig.step(0.5, &[]);
    assert_eq!(psi(&rig), 1.1, "it goes on from where it was held");
}

#[test]
fn saving_keeps_the_modulators_and_their_comments() {
    let mut rig = rig();
    rig.step(0.7, &[]);
    play(&mut rig, "/preset/save", Value::Nothing);
    assert_eq!(modulators(&saved(&rig)), modulators(PRESET), "a moved value is not a set one");
    assert!(saved(&rig).contains("\"/psi\" = 0.5\n"));
    play(&mut rig, "/mod/breathe/depth", Value::Float(0.35));
    play(&mut rig, "/mod/breathe/phase", Value::Float(0.25));
    play(&mut rig, "/mod/hit/smooth", Value::Float(0.5));
    play(&mut rig, "/preset/save", Value::Nothing);
    let expected = modulators(PRESET)
        .replace("depth = 0.2 }", "depth = 0.35, phase = 0.25 }")
        .replace("\"/noise/gain\"]\n", "\"/noise/gain\"]\nsmooth = 0.5\n");
    assert_eq!(modulators(&saved(&rig)), expected);
}

#[test]
fn what_is_added_and_removed_while_playing_is_saved() {
    let mut rig = rig();
    let text = |text: &str| Value::Text(text.to_owned());
    play(&mut rig, "/mod/remove", text("hit"));
    play(&mut rig, "/mod/add", text("sway = { source = \"sine\", beats = 8, to = \"/noise/gain\", depth = 0.4 }"));
    assert!(rig.params().table().resolve("/mod/hit/depth").is_none(), "the preset's own is removed too");
    assert_eq!(modulators(&saved(&rig)), modulators(PRESET), "not saved yet");
    play(&mut rig, "/mod/sway/depth", Value::Float(0.25));
    play(&mut rig, "/preset/save", Value::Nothing);
    let whole = saved(&rig);
    let now = modulators(&whole);
    assert!(!now.contains("[mod.hit]") && now.contains("# in and out"), "{now}");
    let line = now.lines().find(|line| line.starts_with("sway")).expect("the new one");
    assert_eq!(line, "sway = { source = \"sine\", beats = 8.0, to = \"/noise/gain\", depth = 0.25 }");
    // What was saved is the preset's own: it stays after a panic, and can be removed.
    play(&mut rig, "/panic", Value::Nothing);
    assert_eq!(rig.params().base(target(&rig, "/mod/sway/depth").id), 0.25);
    play(&mut rig, "/mod/remove", text("sway"));
    play(&mut rig, "/preset/save", Value::Nothing);
    assert!(!saved(&rig).contains("sway"), "{}", saved(&rig));
}

#[test]
fn the_same_frames_give_the_same_bytes() {
    let bytes = || {
        let mut rig = rig();
        let kick = SignalId::find("modulators-move.kick").expect("the preset uses it");
        let mut bytes = Vec::new();
        for frame in 0..12 {
            let value = f64::from(frame % 4) / 4.0;
            rig.step(0.13, &[Event::Signal { id: kick, value }]);
            bytes.extend_from_slice(&rig.picture().expect("a picture").rgba);
        }
        bytes
    };
    assert!(bytes() == bytes());
}
