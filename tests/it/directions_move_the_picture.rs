//! Do the directions that a show finds by itself move the picture: by number, by name, in the layers that are asked for, offline
//! and live? And does a mistake in their names cost one line?
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::common::fixture;
use crate::common::rig::{Rig, Setup, number};
use latent_jockey::params::Id;

const NAMES: &str = "age = 0
pose = { direction = 0, zone = \"form\" }
back = { direction = 0, scale = -1 }
smile = \"boundary.npy\"
";

/// A preset with its network, the names of its directions and a file of another tool, all in one folder.
fn setup(values: &str, names: &str) -> Setup {
    let setup = Rig::with(&[("a", "[params]\n")]);
    let network = setup.folder().join("net.safetensors");
    std::fs::copy(fixture("sg2_32.safetensors"), &network).unwrap();
    std::fs::copy(fixture("latent/boundary.npy"), setup.folder().join("boundary.npy")).unwrap();
    std::fs::write(setup.folder().join("net-directions.toml"), names).unwrap();
    let preset = format!("network = \"net.safetensors\"\n[params]\n\"/walk/kind\" = \"hold\"\n{values}");
    std::fs::write(setup.folder().join("a.toml"), preset).unwrap();
    setup.reload().network(network.to_str().unwrap())
}

fn picture(values: &str) -> Vec<u8> {
    let mut show = setup(values, NAMES).start();
    show.step(0.1, &[]);
    assert_eq!(show.notice(), "", "{values}");
    show.pixels()
}

#[test]
fn by_number_and_by_name() {
    let still = picture("");
    let moved = picture("\"/dir/0\" = 2\n");
    assert_ne!(moved, still);
    assert_eq!(picture("\"/dir/age\" = 2\n"), moved);
    assert_eq!(picture("\"/dir/back\" = -2\n"), moved);
    let form = picture("\"/dir/0\" = 2\n\"/dir/0/zone\" = \"form\"\n");
    assert!(form != still && form != moved);
    assert_eq!(picture("\"/dir/pose\" = 2\n"), form);
    // The zones of a small network are thirds of its eight layers.
    assert_eq!(picture("\"/dir/0\" = 2\n\"/dir/0/to\" = 1\n"), form);
    assert_ne!(picture("\"/dir/smile\" = 2\n"), still);
}

#[test]
fn live_they_come_after_the_network() {
    let mut show = setup("", NAMES).live().start();
    show.wait(&[], |show| show.has_directions() && show.picture().is_some_and(|picture| !picture.rgba.is_empty()));
    let still = show.pixels();
    show.wait(&[number(Id::Dir, 3.0)], |show| show.picture().is_some_and(|picture| picture.rgba != still));
}

#[test]
fn a_live_show_begins_without_them() {
    let mut show = setup("\"/dir/0\" = 2\n", NAMES).live().start();
    assert!(!show.has_directions(), "it would have waited");
    show.step(0.0, &[]);
    assert_eq!(show.notice(), "/dir moves nothing yet: the directions of net are being found");
    show.wait(&[], |show| show.has_directions() && show.picture().is_some_and(|picture| !picture.rgba.is_empty()));
    show.step(0.0, &[]);
    assert_eq!(show.notice(), "", "it is no longer true");
    let moved = picture("\"/dir/0\" = 2\n");
    show.wait(&[], |show| show.picture().is_some_and(|picture| picture.rgba == moved));
}

#[test]
fn a_mistake_in_their_names_costs_one_line() {
    let mut show = setup("\"/dir/0\" = 2\n", "age = 99\n").start();
    show.step(0.1, &[]);
    assert_eq!(show.notice(), "/dir/age: the network has the directions 0 to 31, found 99");
    assert_eq!(show.pixels(), picture("\"/dir/0\" = 2\n"), "the others play");
    let mut show = setup("\"/dir/0\" = 2\n\"/dir/age\" = 1\n", "age = ").start();
    show.step(0.1, &[]);
    assert!(show.notice().contains("net-directions.toml: line 1: "), "{}", show.notice());
}

#[cfg(feature = "luau")]
#[test]
fn live_code_knows_them() {
    let mut show = setup("", NAMES).start();
    let eval = |code: &str| {
        let value = latent_jockey::params::Value::Text(code.to_owned());
        crate::common::rig::write_by(latent_jockey::control::Source::Key, Id::Eval, value)
    };
    show.step(0.1, &[eval("dir[0] = 2 dir[0].zone = 'form' dir.age = 1")]);
    show.step(5.0, &[]);
    let table = show.params().table().clone();
    let base = |address: &str| show.params().base(table.resolve(address).unwrap());
    assert_eq!([base("/dir/0"), base("/dir/0/zone"), base("/dir/age")], [2.0, 1.0, 1.0]);
}
