//! Does live code play, from a file and from other programs? Does a mistake leave the picture alone, and does the same
//! patch give the same bytes?
#![cfg(feature = "luau")]

use crate::common::rig::{Rig, bang, number, save_whole, write_by};
use latent_jockey::control::midi::parse;
use latent_jockey::control::{Event, Source};
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::library::Library;
use latent_jockey::show::Show;

const DRIFT: &str =
    "-- Slow tides.\npsi = 0.5 + 0.25 * sine(8)\nwalk.speed = 2\nevery(4, function() seed = seed() + 1 end)\n";

fn drift() -> Rig {
    Rig::with(&[("drift.luau", DRIFT), ("plain", "[params]\n\"/psi\" = 0.25\n")]).start()
}

fn eval(source: Source, code: &str) -> Event {
    write_by(source, Id::Eval, Value::Text(code.to_owned()))
}

fn psi(show: &Show) -> f64 {
    (show.params().get(Id::Psi) * 1e6).round() / 1e6
}

#[test]
fn a_patch_is_a_preset() {
    let mut rig = drift();
    assert_eq!(rig.library().names(), ["drift", "plain"]);
    assert_eq!(rig.preset().description.as_deref(), Some("Slow tides."));
    rig.step(0.0, &[]);
    // 120 beats per minute: a second is two beats.
    rig.step(1.0, &[]);
    assert_eq!((psi(&rig), rig.base(Id::Psi), rig.base(Id::WalkSpeed)), (0.75, 0.7, 2.0));
    rig.step(1.0, &[]);
    assert_eq!(rig.base(Id::Seed), 2.0, "on beats 0 and 4");
    rig.step(0.0, &[bang(Id::PresetNext)]);
    rig.step(10.0, &[]);
    rig.step(1.0, &[]);
    assert_eq!((psi(&rig), rig.base(Id::Seed), rig.preset().name.as_str()), (0.25, 0.0, "plain"), "it has ended");
}

#[test]
fn a_preset_may_have_live_code_beside_it() {
    let presets = [("a", "script = \"a.luau\"\n[params]\n\"/walk/speed\" = 1.5\n"), ("a.luau", "psi = 0.25")];
    let mut rig = Rig::with(&presets).start();
    rig.step(0.0, &[]);
    assert_eq!((psi(&rig), rig.base(Id::WalkSpeed)), (0.25, 1.5));
    assert_eq!(rig.library().names(), ["a"], "the code is a part of the preset");
    let error = rig.library().check_text("script = \"b.luau\"", &rig.folder().join("p.toml")).expect_err("no file");
    assert!(error.to_string().contains("p.toml:1:10: cannot read "), "{error}");
}

#[test]
fn the_same_patch_gives_the_same_bytes() {
    let play = || {
        let mut rig = drift();
        (0..6).flat_map(|i| (rig.step(f64::from(i.min(1)) * 0.3, &[]), rig.pixels()).1).collect::<Vec<u8>>()
    };
    assert!(play() == play());
}

#[test]
fn every_patch_that_ships_gives_the_same_bytes() {
    let library = Library::default();
    let patches = library.files().into_iter().filter(|file| file.extension().is_some_and(|ending| ending == "luau"));
    let names: Vec<String> =
        patches.filter_map(|file| Some(file.file_stem()?.to_string_lossy().into_owned())).collect();
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        let play = || {
            let mut rig = Rig::shipped(&name).start();
            (0..3).for_each(|i| rig.step(f64::from(i) * 0.4, &[]));
            assert_eq!((rig.failure(), rig.notice().as_str()), (None, ""), "{name}");
            rig.pixels()
        };
        assert!(play() == play(), "{name}");
    }
}

#[test]
fn a_network_named_at_the_start_stays() {
    let code = "network = \"flowers128\"\npsi = 0.5";
    let mut rig = Rig::with(&[("drift.luau", code)]).start();
    rig.step(0.0, &[]);
    rig.step(0.1, &[]);
    assert_ne!(rig.network().name, "flowers128");
    rig.step(0.1, &[eval(Source::Osc, "network = \"flowers128\"")]);
    rig.step(0.1, &[]);
    assert_eq!(rig.network().name, "flowers128");
}

#[test]
fn other_programs_evaluate_lines() {
    let mut rig = drift();
    rig.step(10.0, &[eval(Source::LocalWeb, "psi = 0.125 print('hello')")]);
    assert_eq!((psi(&rig), rig.params().text(Id::EvalResult)), (0.125, "2 ok\nhello"));
    rig.step(0.0, &[eval(Source::Osc, "--@ set.luau:7\n\npsi = oops()")]);
    let line = "set.luau:8: attempt to call a nil value; there is no oops";
    assert_eq!(rig.params().text(Id::EvalResult), format!("3 {line}"));
    assert_eq!((psi(&rig), rig.notice().as_str()), (0.125, line));
    rig.step(10.0, &[eval(Source::Osc, "psi = 0.5")]);
    assert_eq!((psi(&rig), rig.notice().as_str()), (0.5, ""), "the line is gone when it is mended");
    rig.step(10.0, &[bang(Id::EvalUndo)]);
    assert_eq!(psi(&rig), 0.125);
}

#[test]
fn strangers_evaluate_nothing() {
    let mut rig = drift();
    rig.step(0.0, &[eval(Source::Web, "psi = 0.125")]);
    assert_eq!((psi(&rig), rig.params().text(Id::EvalResult)), (0.5, ""));
    assert_eq!(rig.notice(), "/eval can only be written from this machine (keys, MIDI or OSC)");
    rig.set_names_only(true);
    rig.step(0.0, &[eval(Source::Osc, "psi = 0.125"), bang(Id::EvalUndo)]);
    assert_eq!(psi(&rig), 0.5);
    rig.step(10.0, &[eval(Source::LocalWeb, "psi = 0.125")]);
    assert_eq!(psi(&rig), 0.125);
}

#[test]
fn code_waits_for_the_bar() {
    let mut rig = drift();
    rig.step(0.0, &[]);
    rig.step(0.5, &[eval(Source::Osc, "--@ bar\nwalk.radius = 0.5")]);
    assert_eq!((rig.base(Id::WalkRadius), rig.status().pending), (1.0, Some("code from live in 3.0 beats".to_owned())));
    rig.step(1.0, &[]);
    assert_eq!(rig.base(Id::WalkRadius), 1.0);
    rig.step(0.5, &[]);
    assert_eq!((rig.base(Id::WalkRadius), rig.status().pending), (0.5, None));
    // What cannot wait any more says so; what waits is evaluated all the same.
    let code = |i: u32| format!("--@ a.luau:{i} bar\nwalk.radius = {}", f64::from(i) / 64.0);
    let waiting: Vec<Event> = (1..=17).map(|i| eval(Source::Osc, &code(i))).collect();
    rig.step(0.1, &waiting);
    let dropped = "a.luau:17: this is dropped: 16 pieces of code wait for their beat already";
    assert!(rig.params().text(Id::EvalResult).ends_with(dropped), "{}", rig.params().text(Id::EvalResult));
    (0..40).for_each(|_| rig.step(0.1, &[]));
    assert_eq!(rig.base(Id::WalkRadius), 0.25);
}

#[test]
fn a_line_about_code_goes_with_its_preset() {
    let mut rig = Rig::with(&[("plain", ""), ("wrong.luau", "psi = oops()")]).live().start();
    rig.wait(&[bang(Id::PresetNext)], |show| show.status().notice.is_some_and(|line| line.contains("oops")));
    rig.wait(&[bang(Id::PresetNext)], |show| show.preset().name == "plain");
    assert!(!rig.notice().contains("oops") && rig.status().faults.is_empty());
}

#[test]
fn a_patch_that_asks_for_a_panic_plays() {
    let mut rig = Rig::with(&[("a.luau", "psi = 0.5 panic()"), ("plain", "")]).start();
    rig.step(0.01, &[]);
    assert_eq!(rig.base(Id::Psi), 0.5);
    rig.step(0.01, &[bang(Id::Panic)]);
    rig.step(0.01, &[bang(Id::PresetNext)]);
    assert_eq!(rig.preset().name, "plain");
}

#[test]
fn hush_and_panic_end_it() {
    for id in [Id::Hush, Id::Panic] {
        let mut rig = drift();
        rig.step(0.0, &[]);
        rig.step(1.0, &[]);
        assert_eq!(psi(&rig), 0.75);
        rig.step(0.0, &[bang(id)]);
        rig.step(20.0, &[]);
        rig.step(20.0, &[]);
        assert_eq!(psi(&rig), 0.7, "{id:?}");
        rig.step(0.0, &[eval(Source::Osc, "psi = sine(8)")]);
        assert!(!rig.params().bound().is_empty());
    }
}

#[test]
fn a_patch_maps_hears_and_leads() {
    let code = "map('cc 21', walk.speed, 0, 2) map('/1/fader3', psi, 0, 1) on(note(36), function() seed = 36 end)
        on('/go', function(x) walk.radius = x end) noise.gain = osc('/2/x') * 2
        on(key('q'), function() preset('plain', {fade = 3}) end)";
    let mut rig = Rig::with(&[("drift.luau", code), ("plain", "")]).start();
    let unknown = |address: &str, x: f64| Event::Unknown {
        address: address.to_owned(),
        value: Value::Float(x),
        source: Source::Osc,
    };
    let midi = |bytes: &[u8]| Event::Midi(parse(bytes, 0, 0).expect("a message"));
    rig.step(0.0, &[midi(&[0x90, 36, 100]), unknown("/go", 0.5), unknown("/2/x", 0.75), unknown("/1/fader3", 0.25)]);
    rig.step(1.0, &[]);
    assert_eq!((rig.base(Id::Seed), rig.base(Id::WalkRadius), rig.base(Id::Psi)), (36.0, 0.5, 0.25));
    assert_eq!((rig.params().get(Id::NoiseGain), rig.notice().as_str()), (1.5, ""));
    assert!(rig.map().iter().any(|line| line.control.contains("cc 21")), "{:?}", rig.map());
    rig.step(0.0, &[Event::Key('q'.into())]);
    rig.step(0.1, &[]);
    assert_eq!((rig.preset().name.as_str(), rig.base(Id::PresetFade)), ("plain", 3.0));
    assert!(!rig.params().bound().is_empty(), "the patch that asked for the preset plays on");
    rig.step(0.1, &[number(Id::Preset, 1.0)]);
    rig.step(0.1, &[number(Id::Preset, 2.0)]);
    rig.step(0.1, &[]);
    assert!(rig.params().bound().is_empty(), "a hand ends it");
}

#[test]
fn a_patch_is_broken_and_mended_while_it_plays() {
    let mut rig = Rig::with(&[("drift.luau", DRIFT)]).live().start();
    let file = rig.folder().join("drift.luau");
    let save = |text: &str| save_whole(&file, text);
    for round in 0..3 {
        save(&format!("{DRIFT}-- {round}\nwalk.spede = 1"));
        rig.wait(&[], |show| show.status().notice.is_some_and(|line| line.contains("walk.speed")));
        assert_eq!(rig.params().bound().len(), 1, "the last good version plays on");
        assert!(rig.notice().starts_with("drift.luau:6: there is no walk.spede"), "{}", rig.notice());
        save(&format!("psi = 0.5 + 0.25 * sine({})\nwalk.radius = 0.{}", 4 + round, 5 + round));
        rig.wait(&[], |show| show.params().base(Id::WalkRadius) == 0.5 + 0.1 * f64::from(round));
        assert!(!rig.notice().contains("walk.speed"), "{}", rig.notice());
    }
}

#[test]
fn a_patch_is_saved_as_a_preset_that_plays_it() {
    let mut rig = drift();
    rig.step(0.0, &[write_by(Source::Key, Id::PresetSave, Value::Text(String::new()))]);
    assert!(rig.notice().starts_with("drift is a patch in Luau: "), "{}", rig.notice());
    rig.step(0.0, &[write_by(Source::Key, Id::PresetSave, Value::Text("dusk".into()))]);
    rig.step(0.0, &[]);
    let text = std::fs::read_to_string(rig.folder().join("dusk.toml")).expect("a preset");
    assert!(text.starts_with("script = \"drift.luau\"\n"), "{text}");
    assert_eq!(std::fs::read_to_string(rig.folder().join("drift.luau")).expect("the patch"), DRIFT);
}
