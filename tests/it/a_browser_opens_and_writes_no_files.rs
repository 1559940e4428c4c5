//! WebSocket clients can only select networks, presets and pictures of the library by name, and can save nothing.

use std::path::Path;
use std::sync::Arc;

use latent_jockey::control::{Event, Source, Write};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::library::Library;
use latent_jockey::show::{Mode, Options, Show};

fn text(id: Id, value: &str, source: Source) -> Event {
    Event::Write(Write { target: id.into(), value: Value::Text(value.to_owned()), source })
}

#[test]
fn a_browser_opens_and_writes_no_files() {
    let folder = std::env::temp_dir().join(format!("latent-jockey-web-{}", std::process::id()));
    let library_folder = folder.join("library");
    std::fs::create_dir_all(&library_folder).expect("a folder");
    std::fs::write(library_folder.join("a.toml"), "[params]\n\"/seed\" = 1\n").expect("a preset");
    std::fs::write(library_folder.join("b.toml"), "[params]\n\"/seed\" = 2\n").expect("a preset");
    let outside = folder.join("outside.toml");
    std::fs::write(&outside, "[params]\n\"/seed\" = 99\n").expect("a preset");
    let library = Library::scan(&library_folder).expect("a library");
    let preset = library.first().expect("a preset");
    let (network, engine) = (Some(crate::common::fixture("sg2_16_p2.pkl")), Arc::new(Cpu::default()));
    let mut show =
        Show::new(Options { library, preset, network, seed: None, engine, mode: Mode::Offline }).expect("a show");
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
        assert_eq!(library_folder.join("saved.toml").exists(), opens, "{source:?} saves");
    }
    // The page can start MIDI learn.
    show.step(1.0, &[text(Id::Learn, "/psi", Source::Web)]);
    assert!(show.status().learning.is_some_and(|line| line.contains("/psi")));
    assert!(Path::new("Cargo.toml").exists());
    std::fs::remove_dir_all(folder).expect("tidy");
}
