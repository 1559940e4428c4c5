//! What is saved wrong or replaced while it plays: is it one line, does the rest play, and is it right once it is mended?

use std::fs;
use std::path::Path;

use crate::common::fixture;
use crate::common::rig::{Folder, Rig, save_whole, text};
use latent_jockey::params::Id;

const STILL: &str = "[params]\n\"/walk/kind\" = \"hold\"\n";

#[test]
fn a_new_network_is_seen_though_nothing_moves() {
    let mut rig = Rig::with(&[("a", STILL)]).live().start();
    rig.wait(&[], |show| show.picture().is_some());
    // Of other sizes, again and again: each has to come though the walk stands still.
    for (name, side) in ["sg2_32.pkl", "sg2_16_p2.pkl"].into_iter().zip([32, 16]).cycle().take(12) {
        rig.wait(&[text(Id::Network, fixture(name))], |show| show.picture().is_some_and(|p| p.width == side));
    }
}

#[test]
fn a_replaced_file_is_loaded_when_it_is_named_again() {
    let folder = Folder::new();
    let file = folder.join("mine.pkl");
    fs::copy(fixture("sg2_16_p2.pkl"), &file).expect("a network");
    let mut rig = Rig::with(&[("a", STILL)]).start();
    rig.step(0.1, &[text(Id::Network, &file)]);
    assert_eq!((rig.network().name.as_str(), rig.network().img_resolution), ("mine", 16));
    let landed = |rig: &Rig| rig.landings().iter().map(|landing| landing.file.clone()).collect::<Vec<_>>();
    assert_eq!(landed(&rig), std::slice::from_ref(&file));
    rig.step(0.1, &[]);
    rig.step(0.1, &[text(Id::Network, &file)]);
    assert!(landed(&rig).is_empty(), "it plays already");
    fs::copy(fixture("sg2_32.pkl"), &file).expect("another network");
    rig.step(0.2, &[text(Id::Network, &file)]);
    assert_eq!((rig.network().img_resolution, landed(&rig)), (32, vec![file.clone()]));
}

#[test]
fn a_preset_saved_with_an_unknown_style_says_so_and_plays_the_rest() {
    let mut rig = Rig::with(&[("a", STILL)]).live().start();
    let preset = rig.folder().join("a.toml");
    rig.wait(&[], |show| show.picture().is_some());
    save_whole(&preset, &format!("{STILL}\"/psi\" = 0.25\n\"/style/network\" = \"nobody\"\n"));
    rig.wait(&[], |show| show.status().notice.is_some_and(|line| line.contains("nobody")));
    assert_eq!(rig.base(Id::Psi), 0.25, "the rest plays");
    save_whole(&preset, &format!("{STILL}\"/psi\" = 0.5\n"));
    rig.wait(&[], |show| show.params().base(Id::Psi) == 0.5);
    assert!(!rig.notice().contains("nobody"), "{}", rig.notice());
}

#[test]
fn a_line_goes_when_the_file_says_again_what_plays() {
    let mut rig = Rig::with(&[("a", STILL)]).live().start();
    let preset = rig.folder().join("a.toml");
    save_whole(&preset, "nothing of the kind");
    rig.wait(&[], |show| show.status().notice.is_some_and(|line| line.contains("keeping the last good version")));
    save_whole(&preset, STILL);
    rig.wait(&[], |show| show.status().notice.is_none());
}

#[test]
fn a_show_begins_though_its_style_and_picture_are_gone() {
    let lines = format!("{STILL}\"/style/network\" = \"nobody\"\n\"/input\" = \"nowhere.png\"\n");
    let mut rig = Rig::with(&[("a", &lines)]).live().start();
    assert!(rig.notice().contains("nobody") || rig.notice().contains("nowhere"), "{}", rig.notice());
    rig.wait(&[], |show| show.picture().is_some());
    assert!(rig.params().text(Id::StyleNetwork).is_empty() && rig.params().text(Id::Input).is_empty());
}

#[test]
fn live_a_value_after_a_preset_wins_when_the_preset_comes() {
    let presets = [("a", "[params]\n\"/psi\" = 0.5\n"), ("b", "[params]\n\"/psi\" = 0.9\n\"/seed\" = 70\n")];
    let mut rig = Rig::with(&presets).live().start();
    let events = [text(Id::Preset, "b"), text(Id::Psi, "0.1"), crate::common::rig::bang(Id::SeedNext)];
    rig.wait(&events, |show| show.preset().name == "b");
    assert_eq!((rig.base(Id::Psi), rig.base(Id::Seed)), (0.1, 71.0));
    assert!(Path::new(rig.folder()).is_dir());
}
