//! WebSocket clients can only select networks, presets and pictures of the library by name, and can save nothing, except
//! presets under a name from this machine.

use std::path::Path;

use crate::common::rig::{Folder, Rig, write_by};
use latent_jockey::control::{Event, Source};
use latent_jockey::params::{Id, Value};

fn text(id: Id, value: &str, source: Source) -> Event {
    write_by(source, id, Value::Text(value.to_owned()))
}

#[test]
fn a_browser_opens_and_writes_no_files() {
    let mut show = Rig::with(&[("a", "[params]\n\"/seed\" = 1\n"), ("b", "[params]\n\"/seed\" = 2\n")]).start();
    let elsewhere = Folder::new();
    let outside = elsewhere.join("outside.toml");
    std::fs::write(&outside, "[params]\n\"/seed\" = 99\n").expect("a preset");
    let other = crate::common::fixture("sg2_32.pkl").display().to_string();
    let outside = outside.display().to_string();

    for source in [Source::Web, Source::Osc] {
        let opens = source == Source::Osc;
        show.step(1.0, &[text(Id::Network, &other, source)]);
        assert_eq!(show.network().name == "sg2_32", opens, "{source:?} opens a network by its path");
        show.step(1.0, &[text(Id::Preset, &outside, source)]);
        assert_eq!(show.params().base(Id::Seed) == 99.0, opens, "{source:?} opens a preset by its path");
        show.step(1.0, &[text(Id::Preset, "b", source)]);
        assert_eq!(show.params().base(Id::Seed), 2.0, "{source:?} names a preset");
        // A name without a slash does not refer to a file in the working directory either.
        show.step(1.0, &[text(Id::Preset, "Cargo.toml", source), text(Id::Network, "Cargo.toml", source)]);
        assert_eq!(show.params().base(Id::Seed), 2.0);
        show.step(1.0, &[text(Id::PresetSave, "saved", source)]);
        assert_eq!(show.folder().join("saved.toml").exists(), opens, "{source:?} saves");
    }
    // A page on this machine saves presets by name, but neither reads nor writes paths.
    show.step(1.0, &[text(Id::Preset, &outside, Source::LocalWeb)]);
    assert_eq!(show.params().base(Id::Seed), 2.0);
    show.step(1.0, &[text(Id::PresetSave, "local", Source::LocalWeb)]);
    assert!(show.folder().join("local.toml").exists());
    let above = elsewhere.join("above").display().to_string();
    show.step(1.0, &[text(Id::PresetSave, &above, Source::LocalWeb)]);
    assert!(!elsewhere.join("above.toml").exists());
    // The page can start MIDI learn.
    show.step(1.0, &[text(Id::Learn, "/psi", Source::Web)]);
    assert!(show.status().learning.is_some_and(|line| line.contains("/psi")));
    assert!(Path::new("Cargo.toml").exists());
}
