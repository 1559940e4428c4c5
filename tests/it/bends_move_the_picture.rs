//! Do bends that a preset, modulators, knobs and live code move change the picture, the same in every rendering? And do those that
//! do nothing say why?
#![allow(clippy::unwrap_used, reason = "a test may panic")]

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

#[cfg(feature = "luau")]
#[test]
fn live_code_bends() {
    let mut show = rig("", "");
    let code = "bend[0].kind = 'scale' bend[0].layer = 2 bend[0].amount = 2";
    show.step(0.05, &[write_by(Source::Key, Id::Eval, Value::Text(code.to_owned()))]);
    show.step(5.0, &[]);
    let [kind, layer, amount, ..] = Id::of_bend(0);
    assert_eq!([kind, layer, amount].map(|id| show.params().base(id)), [1.0, 2.0, 2.0]);
    assert_ne!(show.pixels(), pictures(rig("", "")).remove(0));
}
