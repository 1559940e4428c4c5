//! Do a preset's modulators move what plays and never what was set? Do they stop at a panic, survive saving, and give the
//! same bytes twice?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use latent_jockey::control::midi::{Profiles, parse};
use latent_jockey::control::{Event, Source, Write};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::modulate::SignalId;
use latent_jockey::params::{Id, Target, Value};
use latent_jockey::patch::library::Library;
use latent_jockey::show::{Devices, Mode, Options, Show};

const PRESET: &str = "# Dusk, for small rooms\nname = \"dusk\"\n\n[params]\n\"/psi\" = 0.5\n\"/walk/kind\" = \"hold\"\n\n[midi]\n\"cc 21\" = \"/mod/breathe/depth\"\n\n[mod] # what moves\n# slowly\nbreathe = { source = \"sine\", seconds = 4, to = \"/psi\", depth = 0.2 } # in and out\n\n[mod.hit]\nsource = \"modulators-move.kick\" # a sensor\nto = [\"/psi\", \"/noise/gain\"]\n";

struct Rig {
    show: Show,
    file: PathBuf,
}

impl Rig {
    /// A show of the preset in a temporary folder.
    fn new(name: &str) -> Rig {
        let folder = std::env::temp_dir().join(format!("latent-jockey-mod-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("dusk.toml");
        std::fs::write(&file, PRESET).expect("a file");
        let library = Library::scan(&folder).expect("a library");
        let preset = library.first().expect("a preset");
        let network = Some(crate::common::fixture("sg2_16_p2.pkl"));
        let engine = Arc::new(Cpu::default());
        let options = Options { library, preset, network, seed: None, engine, screen: None, mode: Mode::Offline };
        let mut show = Show::new(options).expect("a show");
        show.connect(Devices::new(Arc::new(Profiles::shipped())));
        Rig { show, file }
    }

    fn write(&mut self, address: &str, value: Value) {
        let target = self.target(address);
        self.show.step(0.0, &[Event::Write(Write { target, value, source: Source::Osc })]);
    }

    fn target(&self, address: &str) -> Target {
        self.show.params().table().resolve(address).expect(address)
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.file).expect("the preset")
    }

    fn modulators(&self) -> String {
        modulators(&self.text()).to_owned()
    }

    fn psi(&self) -> f64 {
        (self.show.params().get(Id::Psi) * 1e6).round() / 1e6
    }
}

/// The part of a preset that says what moves.
fn modulators(text: &str) -> &str {
    &text[text.find("[mod]").expect("a table")..]
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.file.parent().unwrap_or(Path::new("/nowhere")));
    }
}

#[test]
fn what_plays_moves_and_the_base_stays() {
    let mut rig = Rig::new("moves");
    let mut pictures = Vec::new();
    let mut played = Vec::new();
    for _ in 0..4 {
        rig.show.step(1.0, &[]);
        played.push(rig.psi());
        pictures.push(rig.show.picture().expect("a picture").rgba.clone());
        assert_eq!(rig.show.params().base(Id::Psi), 0.5);
    }
    // A fifth of the range of 3 to both sides.
    assert_eq!(played, [1.1, 0.5, -0.1, 0.5]);
    assert!(pictures[0] != pictures[1] && pictures[1] == pictures[3], "the picture follows");

    let kick = SignalId::find("modulators-move.kick").expect("the preset uses it");
    rig.show.step(0.0, &[Event::Signal { id: kick, value: 0.2 }, Event::Signal { id: kick, value: 0.5 }]);
    assert_eq!(rig.psi(), 0.5 + 0.5 * 0.2 * 3.0, "the newest value counts");
    assert!(rig.show.params().get(Id::NoiseGain) > 1.0);
}

#[test]
fn knobs_play_the_modulator() {
    let mut rig = Rig::new("knobs");
    rig.show.step(1.0, &[]);
    for value in [64, 127] {
        rig.show.step(0.1, &[Event::Midi(parse(&[0xb0, 21, value], 0, 0).expect("a message"))]);
    }
    let depth = rig.target("/mod/breathe/depth");
    assert_eq!(rig.show.params().base(depth), 1.0, "a controller of the preset");
    rig.write("/mod/breathe/depth", Value::Float(-0.1));
    (0..60).for_each(|_| rig.show.step(0.1, &[]));
    rig.write("/mod/breathe/phase", Value::Float(0.0));
    // After 7.2 s of a wave of 4 s.
    let expected = 0.5 - 0.3 * (std::f64::consts::TAU * 7.2 / 4.0).sin();
    assert!((rig.psi() - expected).abs() < 1e-3, "{} is not {expected}", rig.psi());
}

#[test]
fn panic_switches_modulation_off() {
    let mut rig = Rig::new("panic");
    rig.show.step(1.0, &[]);
    assert_eq!(rig.psi(), 1.1);
    rig.write("/panic", Value::Nothing);
    let line = rig.show.status().notice.unwrap_or_default();
    assert!(line.contains("modulation is off until it is loaded again"), "{line}");
    for _ in 0..3 {
        rig.show.step(0.3, &[]);
        assert_eq!(rig.psi(), 0.5);
    }
    rig.write("/preset", Value::Text("dusk".to_owned()));
    rig.show.step(0.4, &[]);
    assert_ne!(rig.psi(), 0.5, "loaded again it moves again");
}

#[test]
fn a_frozen_picture_holds_its_modulation() {
    let mut rig = Rig::new("freeze");
    rig.show.step(0.5, &[]);
    let psi = rig.psi();
    rig.write("/freeze", Value::Bool(true));
    rig.show.step(0.7, &[]);
    assert_eq!(rig.psi(), psi);
    rig.write("/freeze", Value::Bool(false));
    rig.show.step(0.5, &[]);
    assert_eq!(rig.psi(), 1.1, "it goes on from where it was held");
}

#[test]
fn saving_keeps_the_modulators_and_their_comments() {
    let mut rig = Rig::new("saved");
    rig.show.step(0.7, &[]);
    rig.write("/preset/save", Value::Nothing);
    assert_eq!(rig.modulators(), modulators(PRESET), "a moved value is not a set one");
    assert!(rig.text().contains("\"/psi\" = 0.5\n"));
    rig.write("/mod/breathe/depth", Value::Float(0.35));
    rig.write("/mod/breathe/phase", Value::Float(0.25));
    rig.write("/mod/hit/smooth", Value::Float(0.5));
    rig.write("/preset/save", Value::Nothing);
    let expected = modulators(PRESET)
        .replace("depth = 0.2 }", "depth = 0.35, phase = 0.25 }")
        .replace("\"/noise/gain\"]\n", "\"/noise/gain\"]\nsmooth = 0.5\n");
    assert_eq!(rig.modulators(), expected);
}

#[test]
fn what_is_added_and_removed_while_playing_is_saved() {
    let mut rig = Rig::new("edits");
    let text = |text: &str| Value::Text(text.to_owned());
    rig.write("/mod/remove", text("hit"));
    rig.write("/mod/add", text("sway = { source = \"sine\", beats = 8, to = \"/noise/gain\", depth = 0.4 }"));
    assert!(rig.show.params().table().resolve("/mod/hit/depth").is_none(), "the preset's own is removed too");
    assert_eq!(rig.modulators(), modulators(PRESET), "not saved yet");
    rig.write("/mod/sway/depth", Value::Float(0.25));
    rig.write("/preset/save", Value::Nothing);
    let saved = rig.modulators();
    assert!(!saved.contains("[mod.hit]") && saved.contains("# in and out"), "{saved}");
    let line = saved.lines().find(|line| line.starts_with("sway")).expect("the new one");
    assert_eq!(line, "sway = { source = \"sine\", beats = 8.0, to = \"/noise/gain\", depth = 0.25 }");
    // What was saved is the preset's own: it stays after a panic, and can be removed.
    rig.write("/panic", Value::Nothing);
    assert_eq!(rig.show.params().base(rig.target("/mod/sway/depth").id), 0.25);
    rig.write("/mod/remove", text("sway"));
    rig.write("/preset/save", Value::Nothing);
    assert!(!rig.text().contains("sway"), "{}", rig.text());
}

#[test]
fn the_same_frames_give_the_same_bytes() {
    let play = |name: &str| {
        let mut rig = Rig::new(name);
        let kick = SignalId::find("modulators-move.kick").expect("the preset uses it");
        let mut bytes = Vec::new();
        for frame in 0..12 {
            let value = f64::from(frame % 4) / 4.0;
            rig.show.step(0.13, &[Event::Signal { id: kick, value }]);
            bytes.extend_from_slice(&rig.show.picture().expect("a picture").rgba);
        }
        bytes
    };
    assert!(play("same-a") == play("same-b"));
}
