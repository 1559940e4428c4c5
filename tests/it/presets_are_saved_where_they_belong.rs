//! Where does a preset go that is built in, and does a file keep what it says of parameters that are gone?

use std::fs;

use crate::common::rig::{Folder, Rig, bang, text};
use latent_jockey::params::{Def, Id};
use latent_jockey::patch::library::Library;
use latent_jockey::patch::locate::shown;
use latent_jockey::show::Show;

/// Waits for a live show to say it, and returns the line.
#[track_caller]
fn notice(rig: &mut Rig, part: &str) -> String {
    let said = |show: &Show| show.status().notice.is_some_and(|line| line.contains(part));
    rig.wait(&[], said);
    rig.notice()
}

#[test]
fn a_built_in_preset_is_saved_as_ones_own() {
    let folder = Folder::new();
    let own = folder.join("own");
    let mut rig = Rig::shipped("6-flowers").own(&own).network("sg2_16_p2.pkl").live().start();
    let built_in = rig.preset().path.clone();
    assert_eq!(built_in, std::path::Path::new("built-in:/6-flowers.toml"));
    rig.step(0.01, &[text(Id::Psi, "0.25"), bang(Id::PresetSave)]);
    // Before the first is written.
    rig.step(0.01, &[text(Id::Psi, "0.5"), bang(Id::PresetSave)]);
    let file = own.join("6-flowers.toml");
    rig.wait(&[], |show| show.preset().path == file);
    let line = notice(&mut rig, "saved");
    assert!(line.contains(&shown(&file)), "{line}");
    rig.wait(&[], |_| fs::read_to_string(&file).is_ok_and(|text| text.contains("\"/psi\" = 0.5\n")));
    let saved = fs::read_to_string(&file).expect("a preset");
    let shipped = fs::read_to_string("presets/6-flowers.toml").expect("the source");
    assert_eq!(saved.lines().next(), shipped.lines().next(), "comments stay");
    assert!(saved.contains("name = \"flowers\"") && saved.contains("\"/1/fader1\" = \"/psi\""), "{saved}");
    assert_eq!(rig.status().preset, "flowers");
    // It takes the place of the one that ships, and is watched.
    assert_eq!(rig.library().named("6"), Ok(file.clone()));
    assert_eq!(rig.library().number(&file), Some(6));
    fs::write(&file, saved.replace("\"/psi\" = 0.5\n", "\"/psi\" = 0.125\n")).expect("edited");
    rig.wait(&[], |show| show.params().base(Id::Psi) == 0.125);

    // A new name goes there too.
    rig.step(0.01, &[text(Id::PresetSave, "dusk")]);
    rig.wait(&[], |show| show.preset().path == own.join("dusk.toml"));
    let ships = Library::default().files().len();
    assert_eq!(rig.library().number(&own.join("dusk.toml")), Some(ships + 1));
}

#[test]
fn ones_own_preset_is_not_overwritten_and_without_a_folder_one_line_says_so() {
    let folder = Folder::new();
    let mut rig = Rig::shipped("6-flowers").own(&folder).network("sg2_16_p2.pkl").start();
    let file = folder.join("6-flowers.toml");
    fs::write(&file, "# mine\n").expect("a preset");
    rig.step(0.01, &[bang(Id::PresetSave)]);
    rig.step(0.01, &[]);
    assert!(rig.notice().contains("there is a preset 6-flowers already"), "{}", rig.notice());
    assert_eq!(fs::read_to_string(&file).expect("a preset"), "# mine\n");

    let mut rig = Rig::shipped("6-flowers").network("sg2_16_p2.pkl").start();
    rig.step(0.01, &[bang(Id::PresetSave)]);
    assert!(rig.notice().contains("set LATENT_JOCKEY_HOME"), "{}", rig.notice());
}

#[test]
fn a_preset_comes_back_as_it_was_saved_and_as_it_was_before() {
    let text_of = "# mine\n[params]\n\"/psi\" = 0.125\n\n[mod]\nsway = { source = \"sine\", beats = 4, to = \"/seed\", depth = 0.0 }\n";
    let mut rig = Rig::with(&[("a", text_of), ("b", "")]).start();
    let file = rig.folder().join("a.toml");
    let revert = |rig: &mut Rig| {
        rig.step(0.01, &[bang(Id::PresetRevert)]);
        rig.base(Id::Psi)
    };
    rig.step(0.01, &[text(Id::Psi, "0.25"), bang(Id::PresetSave)]);
    rig.step(0.01, &[text(Id::Psi, "0.5"), bang(Id::PresetSave)]);
    rig.step(0.01, &[text(Id::Psi, "0.75"), text(Id::ModRemove, "sway")]);
    assert_eq!(rig.base(Id::Psi), 0.75);
    assert_eq!(revert(&mut rig), 0.5, "{}", rig.notice());
    assert!(rig.params().table().row("/mod/sway/depth").is_some(), "its modulators are back too");
    assert_eq!([revert(&mut rig), revert(&mut rig)], [0.25, 0.125]);
    assert_eq!(revert(&mut rig), 0.125);
    assert!(rig.notice().starts_with("no older version of the preset a is kept"), "{}", rig.notice());
    // Once something has been changed, it begins with the file again.
    rig.step(0.01, &[text(Id::Psi, "1")]);
    assert_eq!([revert(&mut rig), revert(&mut rig)], [0.5, 0.25]);
    // The file is changed only by saving, and then nothing is lost either.
    assert!(fs::read_to_string(&file).expect("a preset").contains("\"/psi\" = 0.5\n"));
    rig.step(0.01, &[bang(Id::PresetSave)]);
    rig.step(0.01, &[]);
    let saved = fs::read_to_string(&file).expect("a preset");
    assert!(saved.contains("# mine\n") && saved.contains("\"/psi\" = 0.25\n") && saved.contains("sway"), "{saved}");
    assert_eq!([revert(&mut rig), revert(&mut rig), revert(&mut rig)], [0.25, 0.5, 0.25]);
    assert_eq!(rig.library().names(), ["a", "b"], "versions are not in the list");

    rig.step(0.01, &[text(Id::Preset, "b"), text(Id::Psi, "1")]);
    assert_eq!(revert(&mut rig), 0.7, "{}", rig.notice());
}

#[test]
fn a_file_that_is_gone_or_broken_loses_nothing() {
    let mut rig = Rig::with(&[("a", "# mine\n[osc]\n\"/1/fader1\" = \"/psi\"\n")]).start();
    let file = rig.folder().join("a.toml");
    fs::remove_file(&file).expect("gone");
    rig.step(0.01, &[bang(Id::PresetSave)]);
    rig.step(0.01, &[]);
    assert!(fs::read_to_string(&file).expect("it is back").contains("# mine\n[osc]\n"));
    fs::write(&file, "[osc\n").expect("broken");
    rig.step(0.01, &[bang(Id::PresetSave)]);
    rig.step(0.01, &[]);
    assert!(rig.notice().contains("left unchanged"), "{}", rig.notice());
    rig.step(0.01, &[text(Id::PresetSave, "dusk.toml")]);
    rig.step(0.01, &[]);
    let saved = fs::read_to_string(rig.folder().join("dusk.toml")).expect("a new preset");
    assert!(saved.contains("# mine\n[osc]\n"), "{saved}");
    assert_eq!(fs::read_to_string(&file).expect("as it was"), "[osc\n");
}

#[test]
fn a_file_keeps_what_it_says_of_parameters_that_are_gone() {
    let b = "[params]\n\"/fx/glow/size\" = 0.75 # wide\n\"/psi\" = 0.5\n\n[midi]\n\"cc 21\" = \"/fx/glow/size\" # mine\n\"cc 22\" = \"/psi\"\n\n[osc]\n\"/1/fader1\" = \"/fx/glow/size\"\n";
    let mut rig = Rig::with(&[("a", ""), ("b", b)]).live().start();
    let file = rig.folder().join("b.toml");
    let glow = Def::float("/fx/glow/size", 0.0, 1.0, 0.1).help("how wide the glow is");
    let ids = rig.change_params(&[], &[glow]).expect("a row");
    rig.wait(&[text(Id::Preset, "b")], |show| show.preset().name == "b");
    assert_eq!(rig.base(ids[0]), 0.75);
    rig.change_params(&ids, &[]).expect("it goes");
    rig.step(0.01, &[text(Id::Psi, "0.25"), bang(Id::PresetSave)]);
    let line = notice(&mut rig, "b.toml");
    assert!(line.starts_with("saved "), "{line}");
    let saved = fs::read_to_string(&file).expect("a preset");
    let (network, rest) = saved.split_once('\n').expect("lines");
    assert!(network.starts_with("network = "), "the one that plays, which the preset did not name: {network}");
    assert_eq!(rest, b.replace("\"/psi\" = 0.5", "\"/psi\" = 0.25"));
    // The file is as the show wrote it: nothing to complain about.
    for _ in 0..50 {
        std::thread::sleep(std::time::Duration::from_millis(10));
        rig.step(0.01, &[]);
        assert!(!rig.notice().contains("is not a parameter"), "{}", rig.notice());
    }
    // It comes back.
    let ids = rig.change_params(&[], &[glow]).expect("a row");
    rig.wait(&[text(Id::Preset, "a")], |show| show.preset().name == "a");
    rig.wait(&[text(Id::Preset, "b")], |show| show.preset().name == "b");
    assert_eq!((rig.base(ids[0]), rig.base(Id::Psi)), (0.75, 0.25));
}

#[test]
fn presets_are_read_as_editors_save_them() {
    let mut rig = Rig::with(&[("a", ""), ("wide", ""), ("latin", "")]).start();
    let text_of = "# D\u{e4}mmerung\n[params]\n\"/psi\" = 0.125\n";
    let wide: Vec<u8> = [0xff, 0xfe].into_iter().chain(text_of.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    fs::write(rig.folder().join("wide.toml"), wide).expect("a preset");
    fs::write(rig.folder().join("latin.toml"), b"name = \"a\"\n# D\xe4mmerung\n").expect("a preset");
    rig.step(0.01, &[text(Id::Preset, "wide")]);
    assert_eq!(rig.base(Id::Psi), 0.125, "{}", rig.notice());
    rig.step(0.01, &[text(Id::Preset, "latin")]);
    assert!(rig.notice().contains("latin.toml:2:4: the byte 0xe4 is not UTF-8"), "{}", rig.notice());
    assert_eq!(rig.preset().name, "wide");
}

#[test]
fn a_performer_sees_what_a_folder_leaves_out() {
    let pictures = Folder::new();
    let red = image::RgbImage::from_pixel(8, 8, image::Rgb([255, 0, 0]));
    for name in ["1.png", "2.png", "10.png"] {
        red.save(pictures.join(name)).expect("a picture");
    }
    ["a.heic", "b.HEIC", "notes.txt"].iter().for_each(|name| fs::write(pictures.join(name), "x").expect("a file"));
    let mut rig = Rig::with(&[("a", "")]).start();
    rig.step(0.01, &[text(Id::Input, format!("file://{}", pictures.display()))]);
    assert!(rig.notice().ends_with(": 3 of 6 files left out (2 .heic, 1 .txt)"), "{}", rig.notice());
    let landed = |rig: &Rig| rig.landings().last().and_then(|landing| Some(landing.file.file_name()?.to_owned()));
    assert_eq!(landed(&rig).unwrap_or_default(), "1.png");
    rig.step(0.01, &[bang(Id::InputNext)]);
    assert_eq!(landed(&rig).unwrap_or_default(), "2.png");
    rig.step(0.01, &[bang(Id::InputNext)]);
    assert_eq!(landed(&rig).unwrap_or_default(), "10.png");
    assert!(rig.params().text(Id::Input).starts_with("file://"));
}

#[cfg(feature = "luau")]
#[test]
fn code_saves_nothing() {
    let code = "psi = 0.9\npreset.save(\"\")\npreset.save(\"new\")\n";
    let mut rig = Rig::with(&[("a.luau", code)]).start();
    rig.step(0.01, &[]);
    rig.step(0.01, &[]);
    assert!(rig.notice().ends_with("not by code"), "{}", rig.notice());
    let mut files: Vec<_> =
        fs::read_dir(rig.folder()).expect("a folder").map(|file| file.expect("a file").file_name()).collect();
    files.sort();
    assert_eq!(files, ["a.luau"]);
    assert_eq!(fs::read_to_string(rig.folder().join("a.luau")).expect("code"), code);
}
