//! Is a moved control learned, does it work at once, is it written to the preset without touching comments, and can it
//! be undone?

use std::path::PathBuf;
use std::sync::Arc;

use crate::common::rig::{Rig, write};
use latent_jockey::control::midi::{Profiles, parse};
use latent_jockey::control::{Event, Source, Write, keys};
use latent_jockey::params::{Def, Id, Remote, Value};
use latent_jockey::show::Devices;

const PRESET: &str = "# Dusk, for small rooms\nname = \"dusk\"\n\n[params]\n\"/freeze\" = true # no pictures\n\n[midi] # my box\n\"cc 21\" = \"/walk/speed\" # the big knob\n";

struct Player {
    show: Rig,
    file: PathBuf,
}

impl Player {
    fn new() -> Player {
        let mut show = Rig::with(&[("dusk", PRESET)]).start();
        show.connect(Devices::new(Arc::new(Profiles::shipped())));
        let file = show.folder().join("dusk.toml");
        Player { show, file }
    }

    fn text(&self) -> String {
        std::fs::read_to_string(&self.file).expect("the preset")
    }

    fn write(&mut self, id: Id, value: Value) {
        self.show.step(0.01, &[write(id, value)]);
    }

    /// Sends messages 10 ms apart, then waits for half a second.
    fn play(&mut self, messages: &[[u8; 3]]) {
        for (i, bytes) in messages.iter().enumerate() {
            let message = parse(bytes, 0, i as u64 * 10_000).expect("a message");
            self.show.step(0.01, &[Event::Midi(message)]);
        }
        (0..50).for_each(|_| self.show.step(0.01, &[]));
    }

    fn line(&self) -> String {
        let status = self.show.status();
        status.learning.or(status.notice).unwrap_or_default()
    }
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn a_moved_control_is_learned_and_saved() {
    let mut rig = Player::new();
    rig.write(Id::Learn, text("/psi"));
    assert!(rig.line().starts_with("learn /psi: move a control"), "{}", rig.line());
    let psi = rig.show.params().base(Id::Psi);
    rig.play(&[[0xb1, 5, 10], [0xb1, 37, 99], [0xb1, 5, 14], [0xb1, 37, 9], [0xb1, 5, 20], [0xb1, 37, 1]]);
    assert_eq!(rig.line(), "ch 2 cc 5/14 plays /psi; U undoes it");
    assert_eq!(rig.show.params().base(Id::Psi), psi, "what teaches plays nothing");
    let learned = format!("{PRESET}\"ch 2 cc 5/14\" = \"/psi\"\n");
    assert_eq!(rig.text(), learned);
    let lines = rig.show.map();
    assert!(
        lines.iter().any(|line| (line.control.as_str(), line.to.as_str()) == ("ch 2 cc 5/14", "/psi")),
        "{lines:?}"
    );
    // 16,383 steps from end to end, once it has picked up the value.
    rig.play(&[[0xb1, 5, 0], [0xb1, 37, 0], [0xb1, 5, 127], [0xb1, 37, 127], [0xb1, 5, 64], [0xb1, 37, 0]]);
    let expected = -1.0 + 3.0 * f64::from(64 * 128) / 16_383.0;
    assert!((rig.show.params().base(Id::Psi) - expected).abs() < 1e-9);

    // An encoder and a button; then a line of the preset gets a new target and keeps its comment.
    rig.write(Id::Learn, text("/walk/radius"));
    rig.play(&[[0xb0, 7, 65], [0xb0, 7, 65], [0xb0, 7, 65], [0xb0, 7, 63]]);
    rig.write(Id::Learn, text("/freeze"));
    rig.play(&[[0xb0, 41, 127], [0xb0, 41, 0]]);
    let two = "\"ch 1 cc 7\" = { to = \"/walk/radius\", relative = \"offset\" }\n\"ch 1 cc 41\" = { to = \"/freeze\", mode = \"toggle\" }\n";
    assert_eq!(rig.text(), format!("{learned}{two}"));
    rig.write(Id::LearnUndo, Value::Nothing);
    assert_eq!(rig.line(), "undone: ch 1 cc 41 no longer plays /freeze");
    rig.write(Id::LearnUndo, Value::Nothing);
    assert_eq!(rig.text(), learned);
    rig.write(Id::LearnUndo, Value::Nothing);
    assert_eq!(rig.text(), PRESET);
    rig.write(Id::LearnUndo, Value::Nothing);
    assert_eq!(rig.line(), "nothing to undo in this preset");
}

#[test]
fn learning_can_be_cancelled_and_mistakes_are_reported() {
    let mut rig = Player::new();
    for (address, told) in [
        ("/pso", "no control can play \"/pso\"; did you mean /psi?"),
        ("/z", "no control can play \"/z\""),
        ("/network", "no control can play \"/network\""),
    ] {
        rig.write(Id::Learn, text(address));
        assert!(rig.line().starts_with(told) && !rig.show.is_learning(), "{}", rig.line());
    }
    // The key selects the parameter that moved last; arrow up, the one before it in the table; then cancel.
    rig.write(Id::NoiseGain, Value::Float(2.0));
    let key = |rig: &mut Player, key| rig.show.step(0.01, &[Event::Key(key)]);
    key(&mut rig, keys::Key::Char('l'));
    assert!(rig.line().starts_with("learn /noise/gain: "), "{}", rig.line());
    key(&mut rig, keys::Key::Up);
    assert!(rig.line().starts_with("learn /noise/mode: "), "{}", rig.line());
    key(&mut rig, keys::Key::Char('l'));
    assert_eq!((rig.line().as_str(), rig.show.is_learning()), ("nothing learned", false));
    rig.write(Id::Learn, text("/psi"));
    rig.write(Id::LearnCancel, Value::Nothing);
    assert!(!rig.show.is_learning());
    rig.write(Id::Learn, text("/psi"));
    (0..400).for_each(|_| rig.show.step(0.1, &[]));
    assert!(!rig.show.is_learning());
    assert_eq!(rig.text(), PRESET);
}

#[test]
fn a_known_controller_is_named_and_its_motors_jump() {
    let mut rig = Player::new();
    let name = "X-TOUCH MINI:X-TOUCH MINI MIDI 1".to_owned();
    rig.show.step(0.01, &[Event::MidiPort { port: 0, name, open: true }]);
    rig.play(&[[0xba, 2, 127]]);
    assert_eq!(rig.show.params().base(Id::WalkSpeed), 4.0, "the profile plays, without a takeover");
    rig.write(Id::Learn, text("/noise/gain"));
    rig.play(&[[0xba, 1, 60], [0xba, 1, 61], [0xba, 1, 70]]);
    assert_eq!(rig.line(), "X-Touch Mini knob 1 plays /noise/gain; U undoes it");
    assert!(rig.text().ends_with("\"ch 11 cc 1\" = { to = \"/noise/gain\", takeover = \"jump\" }\n"), "{}", rig.text());
    rig.play(&[[0xba, 1, 127]]);
    assert_eq!(rig.show.params().base(Id::NoiseGain), 4.0);
}

#[test]
fn presets_are_saved_completely_and_never_for_remote_clients() {
    let mut rig = Player::new();
    rig.write(Id::Psi, Value::Float(0.25));
    rig.write(Id::PresetSave, Value::Nothing);
    assert!(rig.text().contains("\"/psi\" = 0.25\n") && rig.text().contains("# the big knob"), "{}", rig.text());
    rig.write(Id::Psi, Value::Float(1.5));
    rig.write(Id::PresetSave, text("dawn"));
    let dawn = rig.file.with_file_name("dawn.toml");
    let saved = std::fs::read_to_string(&dawn).expect("a new preset");
    assert!(saved.contains("name = \"dawn\"") && saved.contains("\"/psi\" = 1.5\n"), "{saved}");
    assert!(rig.text().contains("\"/psi\" = 0.25\n"), "the old one stays");
    assert_eq!(rig.show.preset().path, dawn);
    rig.write(Id::PresetSave, text("dusk"));
    assert!(rig.line().starts_with("there is a preset dusk already"), "{}", rig.line());
    rig.write(Id::PresetSave, text("Dusk"));
    let both = "Dusk is not saved: there is a preset dusk, whose file dusk.toml would be overwritten";
    assert!(rig.line().starts_with(both), "{}", rig.line());
    assert!(!std::fs::read_dir(dawn.parent().unwrap()).unwrap().any(|f| f.unwrap().file_name() == "Dusk.toml"));
    rig.write(Id::PresetSave, text("../dusk"));
    assert!(rig.line().starts_with("\"../dusk\" is not a valid preset name"), "{}", rig.line());

    rig.show.set_names_only(true);
    rig.write(Id::Psi, Value::Float(-1.0));
    rig.write(Id::PresetSave, Value::Nothing);
    assert!(
        rig.line().starts_with("presets can only be saved from this machine (keys, MIDI or OSC)"),
        "{}",
        rig.line()
    );
    rig.write(Id::Learn, text("/psi"));
    rig.play(&[[0xb0, 41, 0], [0xb0, 41, 90]]);
    assert!(rig.line().starts_with("ch 1 cc 41 plays /psi"), "{}", rig.line());
    assert_eq!(std::fs::read_to_string(&dawn).expect("the preset"), saved, "no file is reached");
}

#[test]
fn mappings_learned_remotely_are_not_saved() {
    let mut rig = Player::new();
    rig.show.set_names_only(true);
    rig.write(Id::Learn, text("/psi"));
    rig.play(&[[0xb0, 41, 0], [0xb0, 41, 90]]);
    assert!(rig.line().starts_with("ch 1 cc 41 plays /psi"), "{}", rig.line());
    rig.show.set_names_only(false);
    let plays = |rig: &Player, control: &str| rig.show.map().iter().any(|line| line.control == control);
    // The player learns and saves: the player's mapping is written to the file, and the remote one keeps working.
    rig.write(Id::Learn, text("/walk/radius"));
    rig.play(&[[0xb0, 42, 0], [0xb0, 42, 90]]);
    rig.write(Id::PresetSave, Value::Nothing);
    assert!(rig.text().contains("cc 42") && !rig.text().contains("cc 41"), "{}", rig.text());
    assert!(plays(&rig, "ch 1 cc 41") && plays(&rig, "ch 1 cc 42"), "{:?}", rig.show.map());
    rig.write(Id::PresetSave, text("dawn"));
    let dawn = std::fs::read_to_string(rig.file.with_file_name("dawn.toml")).expect("a new preset");
    assert!(dawn.contains("cc 42") && !dawn.contains("cc 41"), "{dawn}");
    rig.write(Id::LearnUndo, Value::Nothing);
    assert!(!plays(&rig, "ch 1 cc 42") && plays(&rig, "ch 1 cc 41"), "{:?}", rig.show.map());
}

#[test]
fn rows_that_come_while_playing_are_learned_saved_and_reset_like_others() {
    let mut rig = Player::new();
    let depth = |max| Def::float("/fx/haze/depth", 0.0, max, 0.0);
    let hidden = Def::float("/fx/haze/hidden", 0.0, 1.0, 0.0).unlearnable();
    let local = Def::float("/fx/haze/local", 0.0, 1.0, 0.0).stage().remote(Remote::Refused);
    let ids = rig.show.change_params(&[], &[depth(1.0), hidden, local]).expect("rows");

    rig.write(Id::Learn, text("/fx/haze/hidden"));
    assert!(rig.line().starts_with("no control can play"), "{}", rig.line());
    rig.write(Id::Learn, text("/fx/haze/depth"));
    rig.play(&[[0xb0, 9, 0], [0xb0, 9, 40], [0xb0, 9, 80]]);
    assert_eq!(rig.text(), format!("{PRESET}\"ch 1 cc 9\" = \"/fx/haze/depth\"\n"));
    rig.play(&[[0xb0, 9, 0], [0xb0, 9, 127]]);
    assert_eq!(rig.show.params().base(ids[0]), 1.0);

    // The effect is edited while its knob is mapped; then the list of what can be learned goes past the last row.
    let edited = rig.show.change_params(&ids[..1], &[depth(4.0)]).expect("a row");
    assert_eq!(rig.show.params().base(edited[0]), 1.0);
    rig.play(&[[0xb0, 9, 30], [0xb0, 9, 127]]);
    assert_eq!(rig.show.params().base(edited[0]), 4.0);
    rig.write(Id::Learn, text("/fx/haze/depth"));
    rig.show.step(0.01, &[Event::Key(keys::Key::Down)]);
    assert!(rig.line().starts_with("learn /network/fade"), "{}", rig.line());
    rig.write(Id::LearnCancel, Value::Nothing);

    let write = |source| Event::Write(Write { target: ids[2].into(), value: Value::Float(0.5), source });
    rig.show.step(0.01, &[write(Source::Web)]);
    assert_eq!((rig.show.params().base(ids[2]), rig.line().contains("/fx/haze/local")), (0.0, true), "{}", rig.line());
    rig.show.step(0.01, &[write(Source::Osc)]);
    assert_eq!(rig.show.params().base(ids[2]), 0.5);
    rig.write(Id::Preset, text("dusk"));
    rig.show.step(0.01, &[]);
    let base = |id| rig.show.params().base(id);
    assert_eq!((base(edited[0]), base(ids[2])), (0.0, 0.5), "a preset resets the picture and leaves the stage alone");

    rig.show.change_params(&[edited[0], ids[1], ids[2]], &[]).expect("nothing to add");
    rig.show.step(0.01, &[write(Source::Osc)]);
    assert_eq!(rig.line(), "/fx/haze/local no longer exists");
}
