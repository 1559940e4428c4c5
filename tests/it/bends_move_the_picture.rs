//! Do bends that a preset, modulators, knobs and live code move change the picture, the same in every rendering? And do those that
//! do nothing say why?
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::Path;

use crate::common::fixture;
use crate::common::rig::{Rig, number, text, write_by};
use latent_jockey::control::Source;
use latent_jockey::params::{Id, Value};

const BENT: &str = "\"/bend/0/kind\" = \"rotate\"\n\"/bend/0/layer\" = 1\n\"/bend/0/share\" = 0.5\n\
    \"/bend/1/kind\" = \"feedback\"\n\"/bend/1/layer\" = 3\n\"/bend/1/amount\" = 0.9\n\"/bend/1/angle\" = 40\n";
const MOVED: &str = "[mod]\nturn = { source = \"sine\", seconds = 0.7, to = \"/bend/0/amount\", depth = 0.5 }\n";

fn rig(values: &str, rest: &str) -> Rig {
    let network = fixture("sg2_32.safetensors");
    let network = network.to_str().unwrap();
    let preset = format!("network = {network:?}\n[params]\n\"/walk/kind\" = \"hold\"\n{values}{rest}");
    Rig::with(&[("a", &preset)]).network(network).start()
}

fn pictures(mut rig: Rig) -> Vec<Vec<u8>> {
    let mut frame = |_| {
        rig.step(0.05, &[]);
        assert_eq!(rig.notice(), "");
        rig.pixels()
    };
    (0..6).map(&mut frame).collect()
}

#[test]
fn renderings_are_alike() {
    let (still, bent) = (pictures(rig("", "")), pictures(rig(BENT, MOVED)));
    assert!(still.iter().all(|picture| *picture == still[0]));
    assert!(bent.windows(2).all(|pair| pair[0] != pair[1]), "modulators and feedback move it");
    assert_eq!(pictures(rig(BENT, MOVED)), bent);
    // The network stands still, and what it remembers moves.
    let fed = pictures(rig(&BENT.replace("rotate", "off"), ""));
    assert!(fed[0] == still[0] && fed.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn knobs_choose_a_layer_by_its_number_or_name() {
    let [kind, layer, amount, ..] = Id::of_bend(2);
    let mut show = rig("", "");
    show.step(0.05, &[text(kind, "invert"), number(amount, 0.5), text(layer, "b8.conv0")]);
    show.step(5.0, &[]);
    let named = show.pixels();
    assert_eq!(show.params().base(layer), 1.0);
    show.step(0.05, &[number(layer, 4.0)]);
    assert_ne!(show.pixels(), named);
    assert_eq!(show.notice(), "");
    show.step(0.05, &[number(layer, 40.0)]);
    assert_eq!(show.notice(), "/bend/2/layer does nothing: the network has no such layer");
    show.step(0.05, &[number(layer, 1.0)]);
    assert_eq!((show.notice(), show.pixels()), (String::new(), named));
}

const SCALED: &str = "\"/bend/0/kind\" = \"scale\"\n\"/bend/0/layer\" = 2\n\"/bend/0/amount\" = 3\n";

/// The first picture of a preset with these bends.
fn first(values: &str) -> Vec<u8> {
    let mut show = rig(&format!("{SCALED}{values}"), "");
    show.step(0.05, &[]);
    assert_eq!(show.notice(), "", "{values}");
    show.pixels()
}

#[test]
fn channels_are_chosen_by_a_list_or_a_cluster() {
    let all = first("");
    let [list, cluster] = [first("\"/bend/0/channels\" = \"3,8-12\"\n"), first("\"/bend/0/cluster\" = \"b\"\n")];
    assert!(list != all && cluster != all && list != cluster);
    assert_eq!(first("\"/bend/0/channels\" = \"12 3, 8-11\"\n\"/bend/0/cluster\" = \"b\"\n"), list, "a list decides");
    assert_eq!(first("\"/bend/0/channels\" = \"0-31\"\n"), all);
    // In a file, while it plays, and gone with its preset.
    let [.., channels] = Id::of_bend(0);
    let mut show = rig(SCALED, "");
    show.step(0.05, &[text(channels, "3,8-12")]);
    assert_eq!(show.pixels(), list);
    show.step(0.05, &[text(channels, "3,eight")]);
    let line = "/bend/0/channels: channels are numbers and ranges such as 3,8-12, got \"eight\"";
    assert_eq!((show.notice(), show.pixels()), (line.to_owned(), list));
    assert_eq!(show.params().text(channels), "3,8-12");
    show.step(0.05, &[text(Id::Preset, "a")]);
    assert_eq!((show.params().text(channels), show.pixels()), ("", all));
}

#[test]
fn a_mistake_in_a_list_is_told_with_its_line() {
    let wrong = format!("[params]\n{SCALED}\"/bend/0/channels\" = \"3,eight\"\n");
    let line = rig("", "").library().check_text(&wrong, Path::new("a.toml")).unwrap_err().to_string();
    assert!(line.contains("a.toml:5:") && line.contains("numbers and ranges such as 3,8-12, got \"eight\""), "{line}");
}

#[test]
fn live_a_cluster_is_looked_for_beside_the_show() {
    let expected = first("\"/bend/0/cluster\" = \"b\"\n");
    let network = fixture("sg2_32.safetensors");
    let preset =
        format!("network = {network:?}\n[params]\n\"/walk/kind\" = \"hold\"\n{SCALED}\"/bend/0/share\" = 0.5\n");
    let mut show = Rig::with(&[("a", &preset)]).network(network.to_str().unwrap()).live().start();
    show.wait(&[], |show| show.picture().is_some_and(|picture| !picture.rgba.is_empty()));
    let [_, _, _, _, _, _, share, _, cluster, _] = Id::of_bend(0);
    show.step(0.05, &[text(cluster, "b"), number(share, 1.0)]);
    assert!(show.notice().starts_with("looking for clusters in the channels of sg2_32"), "{}", show.notice());
    show.wait(&[], |show| show.picture().is_some_and(|picture| picture.rgba == expected));
    assert_eq!(show.notice(), "");
}

#[cfg(feature = "luau")]
#[test]
fn live_code_bends() {
    let mut show = rig("", "");
    let code =
        "bend[0].kind = 'scale' bend[0].layer = 2 bend[0].amount = 2 bend[0].cluster = 'c' bend[0].channels = '1-9'";
    show.step(0.05, &[write_by(Source::Key, Id::Eval, Value::Text(code.to_owned()))]);
    show.step(5.0, &[]);
    let [kind, layer, amount, .., cluster, channels] = Id::of_bend(0);
    assert_eq!([kind, layer, amount, cluster].map(|id| show.params().base(id)), [1.0, 2.0, 2.0, 3.0]);
    assert_eq!(show.params().text(channels), "1-9");
    assert_ne!(show.pixels(), pictures(rig("", "")).remove(0));
}
