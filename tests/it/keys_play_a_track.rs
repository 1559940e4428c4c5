//! Do keys play as a track, offline and live? Is what a player keeps in the file, and does the file come back when it is edited?
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::common::rig::{Rig, bang, number, text};
use latent_jockey::params::{Id, Table};
use latent_jockey::patch::track::{self, Latent};

const TRACK: &str = "[[keys]]\nseed = 1\nlength = 4\nparams = { \"/noise/gain\" = 0.5 }\n[[keys]]\nseed = 2\nlength = 2\nparams = { \"/noise/gain\" = 1 }\n";
const PLAYS: &str = "[params]\n\"/walk/kind\" = \"keys\"\n\"/keys/file\" = \"a-keys.toml\"\n\"/keys/ease\" = \"linear\"\n\"/keys/speed\" = 0\n";

fn still(seed: u32, gain: f64) -> Vec<u8> {
    let preset = format!("[params]\n\"/walk/kind\" = \"hold\"\n\"/seed\" = {seed}\n\"/noise/gain\" = {gain}\n");
    let mut show = Rig::with(&[("a", &preset)]).start();
    show.step(0.0, &[]);
    show.pixels()
}

/// Steps that take so long together that everything smoothed has arrived; `/keys/speed` is 0.
fn settled(show: &mut Rig) -> Vec<u8> {
    (0..8).for_each(|_| show.step(1.0, &[]));
    show.pixels()
}

#[test]
fn offline_it_passes_its_keys() {
    let setup = Rig::with(&[("a", PLAYS)]);
    std::fs::write(setup.folder().join("a-keys.toml"), TRACK).unwrap();
    let mut show = setup.start();
    let (first, second) = (still(1, 0.5), still(2, 1.0));
    assert_eq!(settled(&mut show), first);
    show.step(0.0, &[number(Id::KeysTime, 4.0)]);
    assert_eq!(settled(&mut show), second);
    show.step(0.0, &[number(Id::KeysTime, 2.0)]);
    let between = settled(&mut show);
    assert!(between != first && between != second);
    assert_eq!(show.base(Id::NoiseGain), 0.75, "halfway");
    show.step(0.0, &[text(Id::KeysGoto, "0")]);
    assert_eq!(settled(&mut show), first);
    show.step(0.0, &[number(Id::KeysScrub, 4.0 / 6.0), text(Id::KeysGoto, "7")]);
    assert_eq!(show.notice(), "/keys/goto takes 0 to 1, got \"7\"");
    assert_eq!(settled(&mut show), second);
    // The second key is moved half way towards the first: half the way to it is now what a quarter was.
    show.step(0.0, &[number(Id::KeysScrub, 0.0), number(Id::KeysTime, 1.0), text(Id::KeysMove, "1 2")]);
    assert_eq!(settled(&mut show), between);
    for (wrong, line) in [
        ("0 1", "/keys/move: the first key stays at 0"),
        ("7 1", "/keys/move takes 0 to 1, got \"7\""),
        ("1", "/keys/move takes the number of a key and a time, such as 3 12.5, got \"1\""),
    ] {
        show.step(0.0, &[text(Id::KeysMove, wrong)]);
        assert_eq!(show.notice(), line);
    }
    show.step(0.0, &[text(Id::KeysMove, "1 4")]);
    // On its own it takes 4 seconds to the second key, and 2 back.
    show.step(0.0, &[number(Id::KeysScrub, 0.0), number(Id::KeysTime, 0.0)]);
    settled(&mut show);
    show.step(0.0, &[number(Id::KeysSpeed, 1.0)]);
    settled(&mut show);
    // Of 8 seconds, the speed takes the first to arrive.
    assert!((show.base(Id::KeysTime) - 1.0).abs() < 0.1, "{}", show.base(Id::KeysTime));
}

#[test]
fn it_glides_to_a_key_from_wherever_it_is() {
    let setup = Rig::with(&[("a", PLAYS)]);
    std::fs::write(setup.folder().join("a-keys.toml"), TRACK).unwrap();
    let mut show = setup.start();
    let (first, second) = (still(1, 0.5), still(2, 1.0));
    show.step(0.0, &[number(Id::KeysTime, 2.0)]);
    let between = settled(&mut show);
    show.step(0.0, &[number(Id::KeysTime, 0.0)]);
    assert_eq!(settled(&mut show), first);
    show.step(0.0, &[number(Id::KeysGlide, 2.0), text(Id::KeysGoto, "1")]);
    assert_eq!((show.pixels(), show.base(Id::KeysTime)), (first.clone(), 4.0));
    show.step(1.0, &[]);
    assert_eq!(
        (show.pixels(), show.base(Id::NoiseGain)),
        (between.clone(), 0.75),
        "half the way, and of what it moves"
    );
    // Back from there: half of that is a quarter of all.
    show.step(0.0, &[text(Id::KeysGoto, "0")]);
    assert_eq!(show.pixels(), between);
    show.step(1.0, &[]);
    assert_eq!(show.base(Id::NoiseGain), 0.625);
    show.step(1.0, &[]);
    assert_eq!(show.pixels(), first);
    // The track waits until it is there, and goes on.
    show.step(0.0, &[number(Id::KeysSpeed, 1.0)]);
    settled(&mut show);
    show.step(0.0, &[number(Id::KeysSync, 1.0), number(Id::Tempo, 60.0), text(Id::KeysGoto, "1")]);
    show.step(2.0, &[]);
    assert_eq!((show.pixels(), show.base(Id::KeysTime)), (second.clone(), 4.0));
    show.step(1.0, &[]);
    assert!((show.base(Id::KeysTime) - 5.0).abs() < 0.02, "{}", show.base(Id::KeysTime));
    // Another place on the track ends it, and so does no time at all.
    show.step(0.0, &[number(Id::KeysSpeed, 0.0), text(Id::KeysGoto, "0")]);
    show.step(0.5, &[number(Id::KeysTime, 4.0)]);
    assert_eq!(settled(&mut show), second);
    show.step(0.0, &[number(Id::KeysGlide, 0.0), text(Id::KeysGoto, "0")]);
    show.step(1.0, &[]);
    assert_eq!(show.pixels(), first);
}

#[test]
fn what_a_player_keeps_is_saved_and_read_again() {
    let preset = "[params]\n\"/walk/kind\" = \"drift\"\n\"/keys/params\" = \"/psi\"\n";
    let mut show = Rig::with(&[("a", preset)]).live().start();
    let file = show.folder().join("a-keys.toml");
    show.wait(&[bang(Id::KeysAdd)], |show| !show.params().text(Id::KeysFile).is_empty());
    assert_eq!(show.params().text(Id::KeysFile), "a-keys.toml");
    let kept = || track::read(&file, Table::built_in()).unwrap();
    assert!(matches!(&kept()[0].at, Latent::W(w) if w.iter().all(|x| x.is_finite())));
    assert_eq!(kept()[0].params, [(Id::Psi.into(), 0.7)]);
    show.wait(&[text(Id::KeysParams, ""), text(Id::FxAdd, ""), number(Id::KeysTake, 1.0), bang(Id::KeysAdd)], |_| {
        kept().len() == 2
    });
    assert!(matches!(kept()[1].at, Latent::Ws(_)));
    // An editor removes one.
    let shorter = track::text(&kept()[..1]);
    show.save(&file, &shorter, |show| show.status().notice.is_none() || show.picture().is_some());
    show.wait(&[text(Id::KeysGoto, "")], |_| true);
    show.save(&file, "[[keys]]\nseed = \n", |show| {
        show.status().notice.is_some_and(|line| line.contains("a-keys.toml: line 2"))
    });
    show.save(&file, &shorter, |show| !show.status().notice.is_some_and(|line| line.contains("a-keys.toml")));
    show.wait(&[text(Id::KeysRemove, "0")], |_| kept().is_empty());
    drop(show);
}

#[test]
fn what_was_found_for_a_photograph_is_a_key() {
    let setup = Rig::with(&[("a", PLAYS)]).network("sg2_32.safetensors");
    std::fs::copy(crate::common::fixture("latent/projected_w.npz"), setup.folder().join("w.npz")).unwrap();
    std::fs::write(setup.folder().join("a-keys.toml"), "[[keys]]\nfile = \"w.npz\"\n").unwrap();
    let mut show = setup.reload().start();
    assert_eq!(show.notice(), "");
    let found = settled(&mut show);
    // The same numbers, written by hand.
    let setup = Rig::with(&[("a", PLAYS)]).network("sg2_32.safetensors");
    let rows = latent_jockey::network::projected::open(&crate::common::fixture("latent/projected_w.npz")).unwrap();
    let key = track::KeyEntry { at: Latent::Ws(rows), length: 4.0, params: Vec::new() };
    std::fs::write(setup.folder().join("a-keys.toml"), track::text(&[key])).unwrap();
    let mut show = setup.start();
    assert_eq!(settled(&mut show), found);
}
