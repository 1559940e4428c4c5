//! Does one preset go over into the next in time, or by hand, and the same way when a take repeats it?

use std::fs;
use std::sync::Arc;

use crate::common::rig::{Folder, Rig, bang, number, text, write};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::library::Library;
use latent_jockey::record::take::Take;
use latent_jockey::show::Show;

const A: &str = r#"
[params]
"/psi" = 0.0
"/noise/gain" = 1.0
"/fit/sectors" = 6
"/walk/glide" = 0.0
[[effects]]
shader = "trails"
[[effects]]
shader = "vignette"
[mod]
sway = { source = "sine", beats = 4, to = "/noise/gain", depth = 0.4 }
"#;
const B: &str = r##"
[params]
"/psi" = 1.0
"/noise/gain" = 4.0
"/fit/sectors" = 12
"/seed" = 9
"/palette" = "#102030 #f0e0d0"
[[effects]]
shader = "vignette"
[[effects]]
shader = "bloom"
mix = 0.5
[mod]
rise = { source = "saw", beats = 4, to = "/walk/speed", depth = 0.5 }
"##;

fn rig() -> Rig {
    Rig::with(&[("a", A), ("b", B), ("c", "[params]\n\"/psi\" = -1.0\n")]).start()
}

/// The number at an address.
#[track_caller]
fn at(rig: &Rig, address: &str) -> f64 {
    let target = rig.params().table().resolve(address).expect("a parameter");
    (rig.params().base(target) * 1e6).round() / 1e6
}

fn chain(rig: &Rig) -> Vec<String> {
    rig.effects().iter().map(|entry| entry.name.clone()).collect()
}

#[test]
fn numbers_go_over_and_what_cannot_be_divided_changes_half_way() {
    let mut rig = rig();
    rig.step(0.01, &[number(Id::PresetFade, 4.0)]);
    rig.step(0.0, &[text(Id::Preset, "b")]);
    assert_eq!((rig.preset().name.as_str(), at(&rig, "/psi")), ("b", 0.0), "nothing has changed yet");
    assert_eq!(at(&rig, "/seed"), 9.0, "the walk glides by itself");
    assert_eq!(chain(&rig), ["trails", "vignette", "bloom"]);
    let fading = ["/fx/trails/mix", "/fx/bloom/mix", "/mod/sway/depth", "/mod/rise/depth"];
    assert_eq!(fading.map(|address| at(&rig, address)), [1.0, 0.0, 0.4, 0.0]);
    rig.step(1.9, &[]);
    assert_eq!((at(&rig, "/fit/sectors"), rig.params().text(Id::Palette)), (6.0, "ember"));
    rig.step(0.1, &[]);
    assert_eq!((at(&rig, "/fit/sectors"), rig.params().text(Id::Palette)), (12.0, "#102030 #f0e0d0"));
    // Half of the way along the knob, which is finer near 0: (1/2 + 1/4)^2 * 4.
    assert_eq!((at(&rig, "/psi"), at(&rig, "/noise/gain"), rig.fading()), (0.5, 2.25, Some(0.5)));
    assert_eq!(fading.map(|address| at(&rig, address)), [0.5, 0.25, 0.2, 0.25]);
    // What a hand has touched stays.
    rig.step(1.0, &[number(Id::Psi, -0.5)]);
    rig.step(1.0, &[]);
    assert_eq!((at(&rig, "/psi"), at(&rig, "/noise/gain"), rig.fading()), (-0.5, 4.0, None));
    assert_eq!(chain(&rig), ["vignette", "bloom"]);
    assert_eq!((at(&rig, "/fx/bloom/mix"), at(&rig, "/mod/rise/depth")), (0.5, 0.5));
    assert!(rig.params().table().row("/mod/sway/depth").is_none());
}

#[test]
fn another_preset_begins_where_the_last_has_come_to() {
    let mut rig = rig();
    rig.step(0.01, &[number(Id::PresetFade, 2.0)]);
    rig.step(0.0, &[text(Id::Preset, "b")]);
    rig.step(1.0, &[]);
    rig.step(0.0, &[text(Id::Preset, "c")]);
    assert_eq!((at(&rig, "/psi"), at(&rig, "/fx/trails/mix"), at(&rig, "/fx/bloom/mix")), (0.5, 0.5, 0.25));
    rig.step(1.0, &[]);
    assert_eq!((at(&rig, "/psi"), at(&rig, "/fx/trails/mix")), (-0.25, 0.25));
    rig.step(1.0, &[]);
    assert_eq!((at(&rig, "/psi"), chain(&rig).len()), (-1.0, 0));
    // A panic goes back at once, and so does a revert.
    rig.step(0.0, &[text(Id::Preset, "b")]);
    rig.step(1.0, &[bang(Id::PresetRevert)]);
    assert_eq!((at(&rig, "/psi"), rig.fading()), (1.0, None));
}

#[test]
fn a_modulator_that_is_added_meanwhile_takes_the_place_of_one_that_fades_out() {
    let mut rig = rig();
    rig.step(0.01, &[number(Id::PresetFade, 2.0)]);
    rig.step(0.0, &[text(Id::Preset, "b")]);
    rig.step(1.0, &[]);
    let sway = "sway = { source = \"steps\", steps = \"1 0\", beats = 8, to = \"/psi\", depth = 0.3 }";
    rig.step(0.0, &[write(Id::ModAdd, Value::Text(sway.to_owned()))]);
    assert_eq!((rig.notice().as_str(), at(&rig, "/mod/sway/depth")), ("added sway", 0.3));
    rig.step(2.0, &[]);
    assert_eq!((at(&rig, "/mod/sway/depth"), at(&rig, "/mod/rise/depth"), rig.fading()), (0.3, 0.5, None));
    rig.step(0.0, &[text(Id::Preset, "a")]);
    rig.step(2.1, &[]);
    assert!(!rig.notice().contains("modulation is off"), "{}", rig.notice());
    assert_eq!(at(&rig, "/mod/sway/depth"), 0.4, "the preset's own again");
}

#[test]
fn what_is_armed_no_more_has_no_line() {
    let mut rig = Rig::with(&[("a", A), ("b", B)]).live().start();
    let says = |show: &Show| show.status().notice.is_some_and(|line| line.contains("nobody"));
    rig.wait(&[text(Id::PresetArm, "nobody")], says);
    rig.step(0.01, &[text(Id::PresetArm, "")]);
    let is_said = |line: &String| line.contains("nobody");
    assert!(!rig.notice().contains("nobody") && !rig.status().faults.iter().any(is_said));
}

#[test]
fn beats_count_as_the_tempo_says_and_half_way_is_on_a_beat() {
    let mut rig = rig();
    rig.step(0.35, &[number(Id::PresetFade, 8.0), write(Id::PresetSync, Value::Text("beats".into()))]);
    // Two beats a second.
    rig.step(0.0, &[text(Id::Preset, "b")]);
    rig.step(2.1, &[]);
    assert_eq!(at(&rig, "/fit/sectors"), 6.0, "beat 4.9");
    rig.step(0.1, &[]);
    assert_eq!(at(&rig, "/fit/sectors"), 12.0, "beat 5.1");
    rig.step(1.7, &[]);
    assert!(rig.fading().is_some());
    rig.step(0.2, &[]);
    assert_eq!((rig.fading(), at(&rig, "/psi")), (None, 1.0));
}

#[test]
fn what_is_saved_on_the_way_is_where_it_leads() {
    let mut rig = rig();
    rig.step(0.01, &[number(Id::PresetFade, 4.0)]);
    rig.step(0.0, &[text(Id::Preset, "b")]);
    rig.step(1.0, &[number(Id::WalkRadius, 0.5), bang(Id::PresetSave)]);
    rig.step(0.0, &[]);
    let saved = fs::read_to_string(rig.folder().join("b.toml")).expect("a preset");
    for line in
        ["\"/psi\" = 1.0", "\"/fit/sectors\" = 12", "mix = 0.5", "depth = 0.5", "#102030", "\"/walk/radius\" = 0.5"]
    {
        assert!(saved.contains(line), "{line}: {saved}");
    }
    assert!(!saved.contains("trails") && !saved.contains("sway"), "{saved}");
}

#[test]
fn the_crossfader_brings_in_what_is_armed_from_either_end() {
    let mut rig = rig();
    rig.step(0.01, &[text(Id::PresetArm, "b")]);
    assert_eq!((rig.preset().name.as_str(), rig.armed_preset()), ("a", Some("b")));
    rig.step(0.01, &[number(Id::PresetCross, 0.25)]);
    assert_eq!((at(&rig, "/psi"), at(&rig, "/fx/bloom/mix"), rig.fading()), (0.25, 0.125, Some(0.25)));
    assert_eq!((rig.armed_preset(), chain(&rig).len()), (None, 3));
    rig.step(9.0, &[]);
    assert_eq!(at(&rig, "/psi"), 0.25, "it waits for the hand");
    rig.step(0.01, &[number(Id::PresetCross, 0.0)]);
    assert_eq!((at(&rig, "/psi"), at(&rig, "/fx/bloom/mix"), at(&rig, "/fx/trails/mix")), (0.0, 0.0, 1.0), "and back");
    rig.step(0.01, &[number(Id::PresetCross, 1.0)]);
    assert_eq!((at(&rig, "/psi"), at(&rig, "/seed"), rig.fading()), (1.0, 9.0, None));
    assert_eq!(chain(&rig), ["vignette", "bloom"]);
    // The other way, from where the fader is now.
    rig.step(0.01, &[text(Id::PresetArm, "c")]);
    rig.step(0.01, &[number(Id::PresetCross, 0.75)]);
    assert_eq!((at(&rig, "/psi"), rig.fading()), (0.5, Some(0.25)));
    rig.step(0.01, &[number(Id::PresetCross, 0.0)]);
    assert_eq!((at(&rig, "/psi"), chain(&rig).len()), (-1.0, 0));
    rig.step(0.01, &[text(Id::PresetArm, "nothing")]);
    assert!(rig.notice().contains("no preset \"nothing\""), "{}", rig.notice());
}

#[test]
fn a_take_repeats_the_way() {
    let folder = Folder::new();
    let path = folder.join("show.take");
    let mut rig = Rig::with(&[("a", A), ("b", B)]).live().start();
    rig.show.start_take(Some(path.clone()));
    let (mut seen, mut began) = (Vec::new(), false);
    let watched = |show: &Show| [Id::Psi, Id::NoiseGain, Id::FitSectors].map(|id| show.params().base(id));
    rig.step(0.01, &[number(Id::PresetFade, 0.5), text(Id::Preset, "b")]);
    seen.push(watched(&rig));
    while !began || rig.fading().is_some() {
        std::thread::sleep(std::time::Duration::from_millis(1));
        rig.step(0.02, &[]);
        began |= rig.fading().is_some();
        seen.push(watched(&rig));
        assert!(seen.len() < 20_000, "it never arrives: {}", rig.notice());
    }
    drop(rig.show);
    let take = Take::read(&path).expect("a take");
    let mut show =
        Show::of_take(&take, take.locate().expect("all files"), Library::default(), Arc::new(Cpu::default()), None)
            .expect("a show");
    let mut again = Vec::new();
    for frame in &take.frames {
        show.repeat(frame, false);
        again.push(watched(&show));
    }
    assert!(seen.iter().any(|[psi, ..]| (0.2..0.8).contains(psi)), "it was on its way");
    let skipped = again.len() - seen.len();
    assert_eq!(again[skipped..], seen);
}
