//! When networks and style networks are requested, replaced and requested again, does the last request win?

use std::path::Path;
use std::time::Duration;

use crate::common::fixture;
use crate::common::rig::{Rig, Setup, text};
use latent_jockey::params::Id;
use latent_jockey::patch::locate;

/// A walk that stands still.
fn held() -> Setup {
    Rig::with(&[("a", "[params]\n\"/walk/kind\" = \"hold\"\n")]).network("sg2_32.pkl")
}

#[test]
fn a_superseded_network_is_not_played() {
    let mut show = held().live().start();
    let large = locate::network(Path::new("flowers128")).expect("it ships");
    show.step(0.0, &[text(Id::Network, &large)]);
    show.step(0.0, &[text(Id::Network, fixture("sg2_32.pkl"))]);
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(10));
        show.step(0.01, &[]);
    }
    assert_eq!(show.network().name, "sg2_32");
    // Requested again, it loads.
    show.wait(&[text(Id::Network, &large)], |show| show.network().name == "flowers128");
}

#[test]
fn a_removed_style_is_gone_at_once() {
    let mut show = held().start();
    show.step(0.1, &[]);
    let plain = show.pixels();
    show.step(0.1, &[text(Id::StyleNetwork, locate::network(Path::new("painters8")).expect("it ships"))]);
    assert_ne!(show.pixels(), plain);
    show.step(0.1, &[text(Id::StyleNetwork, Path::new(""))]);
    assert_eq!(show.pixels(), plain);
}

#[test]
fn a_repaired_style_file_loads_when_named_again() {
    let mut show = held().start();
    show.step(0.1, &[]);
    let plain = show.pixels();
    let file = show.folder().join("style.safetensors");
    std::fs::write(&file, "nothing of the kind").expect("a file");
    show.step(0.1, &[text(Id::StyleNetwork, &file)]);
    assert_eq!(show.pixels(), plain);
    assert!(show.failure().is_some_and(|line| line.contains("style.safetensors")), "offline a failure is kept");
    std::fs::copy(locate::network(Path::new("painters8")).expect("it ships"), &file).expect("mended");
    show.step(0.1, &[text(Id::StyleNetwork, &file)]);
    assert_ne!(show.pixels(), plain);
}
