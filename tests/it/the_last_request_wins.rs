//! When networks and style networks are requested, replaced and requested again, does the last request win?

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use latent_jockey::control::{Event, Source, Write};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::library::Library;
use latent_jockey::patch::locate;
use latent_jockey::show::{Mode, Options, Show};

fn text(id: Id, value: &Path) -> Event {
    Event::Write(Write { target: id.into(), value: Value::Text(value.display().to_string()), source: Source::Osc })
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("latent-jockey-wish-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("a.toml"), "[params]\n\"/walk/kind\" = \"hold\"\n").expect("a preset");
    folder
}

fn show(folder: &Path, mode: Mode) -> Show {
    let library = Library::scan(folder).expect("a library");
    let preset = library.first().expect("a preset");
    let (network, engine) = (Some(crate::common::fixture("sg2_32.pkl")), Arc::new(Cpu::default()));
    Show::new(Options { library, preset, network, seed: None, engine, mode }).expect("a show")
}

fn pixels(show: &Show) -> Vec<u8> {
    show.picture().expect("a picture").rgba.clone()
}

#[test]
fn a_superseded_network_is_not_played() {
    let folder = folder("away");
    let mut show = show(&folder, Mode::Live);
    let large = locate::network(Path::new("flowers128")).expect("it ships");
    show.step(0.0, &[text(Id::Network, &large)]);
    show.step(0.0, &[text(Id::Network, &crate::common::fixture("sg2_32.pkl"))]);
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(10));
        show.step(0.01, &[]);
    }
    assert_eq!(show.network().name, "sg2_32");
    // Requested again, it loads.
    show.step(0.0, &[text(Id::Network, &large)]);
    let came = (0..1000).any(|_| {
        std::thread::sleep(Duration::from_millis(10));
        show.step(0.01, &[]);
        show.network().name == "flowers128"
    });
    assert!(came);
    std::fs::remove_dir_all(folder).expect("tidy");
}

#[test]
fn a_removed_style_is_gone_at_once() {
    let folder = folder("style");
    let mut show = show(&folder, Mode::Offline);
    show.step(0.1, &[]);
    let plain = pixels(&show);
    show.step(0.1, &[text(Id::StyleNetwork, &locate::network(Path::new("painters8")).expect("it ships"))]);
    assert_ne!(pixels(&show), plain);
    show.step(0.1, &[text(Id::StyleNetwork, Path::new(""))]);
    assert_eq!(pixels(&show), plain);
    std::fs::remove_dir_all(folder).expect("tidy");
}

#[test]
fn a_repaired_style_file_loads_when_named_again() {
    let folder = folder("mended");
    let mut show = show(&folder, Mode::Offline);
    show.step(0.1, &[]);
    let plain = pixels(&show);
    let file = folder.join("style.safetensors");
    std::fs::write(&file, "nothing of the kind").expect("a file");
    show.step(0.1, &[text(Id::StyleNetwork, &file)]);
    assert_eq!(pixels(&show), plain);
    assert!(show.failure().is_some_and(|line| line.contains("style.safetensors")), "offline a failure is kept");
    std::fs::copy(locate::network(Path::new("painters8")).expect("it ships"), &file).expect("mended");
    show.step(0.1, &[text(Id::StyleNetwork, &file)]);
    assert_ne!(pixels(&show), plain);
    std::fs::remove_dir_all(folder).expect("tidy");
}
