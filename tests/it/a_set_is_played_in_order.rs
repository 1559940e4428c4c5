//! Does a set list lead through a show, with its cues on their beats, and do the player's own keys play?

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::common::rig::{Folder, Rig, bang, number, text, write_by};
use latent_jockey::control::keys::Key;
use latent_jockey::control::{Event, Source};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::library::Library;
use latent_jockey::record::take::Take;
use latent_jockey::show::Show;

const SET: &str = r#"
[[entry]]
preset = "a"
note = "slow"
cues = [
    { at = 4, set = { "/psi" = 0.5, "/walk/kind" = "loop" } },
    { at = 8, set = { "/preset/next" = true } },
    { key = "x", set = { "/walk/radius" = 0.25 } },
]
[[entry]]
preset = "c"
fade = { seconds = 2 }
[[entry]]
preset = "b"
note = "the end"
quantize = 4
"#;

const PRESETS: [(&str, &str); 3] =
    [("a", "[params]\n\"/psi\" = 0.0\n"), ("b", "[params]\n\"/psi\" = 1.0\n"), ("c", "[params]\n\"/psi\" = -1.0\n")];

fn rig() -> Rig {
    let rig = Rig::with(&PRESETS).start();
    fs::write(rig.folder().join("friday.set.toml"), SET).expect("a set");
    rig
}

/// The number of the entry that plays, its preset, and the next one's.
fn at(show: &Show) -> (usize, String, String) {
    let set = show.setlist().expect("a set");
    let (number, entry) = set.now.expect("an entry");
    (number, entry.preset.clone(), set.next.map(|(_, next)| next.preset.clone()).unwrap_or_default())
}

fn key(c: char) -> Event {
    Event::Key(Key::Char(c))
}

#[test]
fn next_and_previous_follow_the_set() {
    let mut rig = rig();
    rig.step(0.01, &[text(Id::Set, "Friday")]);
    assert_eq!(at(&rig), (1, "a".into(), "c".into()), "{}", rig.notice());
    assert_eq!(rig.setlist().and_then(|set| set.now).map(|(_, entry)| entry.note.as_str()), Some("slow"));
    rig.step(0.01, &[bang(Id::PresetPrev)]);
    assert!(rig.notice().ends_with("begins"), "{}", rig.notice());
    // Its own fade.
    rig.step(0.0, &[key(']')]);
    assert_eq!((at(&rig).0, rig.fading()), (2, Some(0.0)));
    rig.step(2.0, &[]);
    assert_eq!((rig.base(Id::Psi), rig.fading()), (-1.0, None));
    // Its own beat: two a second.
    rig.step(0.0, &[bang(Id::PresetNext)]);
    let waiting = |rig: &Rig| rig.setlist().and_then(|set| set.waiting).map(|(number, _)| number);
    assert_eq!((at(&rig).0, waiting(&rig)), (2, Some(3)));
    let mut secs = 0.0;
    while waiting(&rig).is_some() {
        rig.step(0.05, &[]);
        secs += 0.05;
        assert!(secs < 2.1);
    }
    assert!((rig.status().beat.rem_euclid(4.0)) < 0.11, "{}", rig.status().beat);
    assert_eq!((at(&rig), rig.base(Id::Psi)), ((3, "b".into(), String::new()), 1.0));
    rig.step(0.01, &[bang(Id::PresetNext)]);
    assert!(rig.notice().ends_with("ends here"), "{}", rig.notice());
    rig.step(0.01, &[text(Id::SetGo, "1")]);
    assert_eq!(at(&rig).0, 1);
    rig.step(0.01, &[text(Id::SetGo, "7")]);
    assert!(rig.notice().contains("no entry \"7\""), "{}", rig.notice());
    // A preset that is chosen by hand is found in the set.
    rig.step(0.01, &[text(Id::Preset, "b")]);
    assert_eq!(at(&rig).0, 3);
    rig.step(0.01, &[text(Id::Set, "")]);
    assert!(rig.setlist().is_none());
    rig.step(0.01, &[bang(Id::PresetNext)]);
    assert_eq!(rig.preset().name, "c", "the library's order again");
}

#[test]
fn what_the_address_says_leads_to_the_set_that_plays() {
    let mut rig = rig();
    fs::write(rig.folder().join("friday.set.toml"), format!("name = \"Friday night\"\n{SET}")).expect("a set");
    rig.step(0.01, &[text(Id::Set, "FRIDAY")]);
    assert_eq!(rig.setlist().map(|set| set.name.to_owned()).as_deref(), Some("Friday night"));
    let said = rig.params().text(Id::Set).to_owned();
    rig.step(0.01, &[text(Id::Set, "saturday")]);
    assert!(rig.notice().contains("saturday"), "{}", rig.notice());
    assert_eq!((said.as_str(), rig.params().text(Id::Set)), ("friday", "friday"), "what plays");
    rig.step(0.01, &[text(Id::Set, "")]);
    rig.step(0.01, &[text(Id::Set, said)]);
    assert!(rig.setlist().is_some(), "{}", rig.notice());
}

#[test]
fn what_waits_for_its_beat_stays_when_files_are_read_again_and_goes_in_a_panic() {
    let mut rig = rig();
    rig.step(0.01, &[text(Id::Set, "friday")]);
    let waiting = |rig: &Rig| rig.setlist().and_then(|set| set.waiting).map(|(number, _)| number);
    rig.step(0.01, &[text(Id::SetGo, "3")]);
    assert_eq!(waiting(&rig), Some(3));
    let again = write_by(Source::Key, Id::Set, Value::Text("friday".to_owned()));
    rig.step(0.01, std::slice::from_ref(&again));
    assert_eq!(waiting(&rig), Some(3), "the same file");
    fs::write(rig.folder().join("friday.set.toml"), SET.replace("slow", "slower")).expect("saved");
    rig.step(0.01, &[again]);
    assert_eq!(rig.setlist().and_then(|set| set.now).map(|(_, entry)| entry.note.as_str()), Some("slower"));
    assert_eq!(waiting(&rig), Some(3), "another text with that entry");
    rig.step(0.01, &[bang(Id::Panic)]);
    assert_eq!(waiting(&rig), None);
    rig.step(3.0, &[]);
    assert_eq!((at(&rig).0, rig.preset().name.as_str()), (1, "a"));
}

#[test]
fn cues_come_on_their_beat_and_on_their_key() {
    let mut rig = rig();
    rig.step(0.01, &[text(Id::Set, "friday")]);
    rig.step(1.9, &[key('x')]);
    assert_eq!((rig.base(Id::Psi), rig.base(Id::WalkRadius)), (0.0, 0.25));
    rig.step(0.2, &[]);
    assert_eq!((rig.base(Id::Psi), rig.params().choice(Id::WalkKind)), (0.5, "loop"));
    rig.step(1.8, &[number(Id::Psi, 0.25)]);
    assert_eq!((at(&rig).0, rig.base(Id::Psi)), (1, 0.25), "once");
    rig.step(0.2, &[]);
    rig.step(0.01, &[]);
    assert_eq!(at(&rig).0, 2);
    rig.step(0.01, &[number(Id::WalkRadius, 1.0), key('x')]);
    assert_eq!(rig.base(Id::WalkRadius), 1.0, "the key belongs to the first entry");
}

#[test]
fn a_set_and_keys_are_read_again_when_they_are_saved_and_a_mistake_costs_one_line() {
    let mut rig = Rig::with(&PRESETS).live().start();
    let (set, keys) = (rig.folder().join("friday.set.toml"), rig.folder().join("keys.toml"));
    fs::write(&keys, "g = '/walk/restart'\n\"]\" = { to = '/walk/radius', value = 0.5 }\n").expect("keys");
    // The first entry stays, however long saving takes to be noticed.
    let set_text = SET.replace("at = 8,", "at = 80000,");
    fs::write(&set, &set_text).expect("a set");
    let own = |show: &Show| show.keys().own(Key::Char('g')).is_some();
    let write_keys = write_by(Source::Key, Id::Keys, Value::Text(keys.display().to_string()));
    rig.wait(&[text(Id::Set, "friday"), write_keys], |show| show.setlist().is_some() && own(show));
    rig.step(0.01, &[key(']')]);
    assert_eq!((rig.base(Id::WalkRadius), at(&rig).0), (0.5, 1), "the key has another meaning");
    let says = |part: &'static str| move |show: &Show| show.status().notice.is_some_and(|line| line.contains(part));
    let is_slower =
        |show: &Show| show.setlist().and_then(|set| set.now).is_some_and(|(_, entry)| entry.note == "slower");
    rig.save(&set, &set_text.replace("slow", "slower"), is_slower);
    rig.save(&set, &set_text.replace("\"c\"", "\"cc\""), says("no preset \"cc\""));
    assert_eq!(at(&rig), (1, "a".into(), "c".into()));
    rig.save(&keys, "g = '/walk/restrat'\n", says("\"/walk/restrat\" is not a parameter"));
    assert!(rig.notice().contains("keys.toml:1:5") && own(&rig), "{}", rig.notice());
    rig.save(&keys, "f = 'none'\n", |show| !own(show));
}

#[test]
fn a_file_that_is_wrong_from_the_start_is_read_again_when_it_is_mended() {
    let mut rig = Rig::with(&PRESETS).live().start();
    let (set, keys) = (rig.folder().join("friday.set.toml"), rig.folder().join("keys.toml"));
    fs::write(&keys, "g = '/walk/restrat'\n").expect("keys");
    fs::write(&set, "[[entry]]\npreset = \"aa\"\n").expect("a set");
    let says = |part: &'static str| move |show: &Show| show.status().notice.is_some_and(|line| line.contains(part));
    let write_keys = |file: &Path| write_by(Source::Key, Id::Keys, Value::Text(file.display().to_string()));
    rig.wait(&[write_keys(&keys)], says("/walk/restrat"));
    assert_eq!(rig.params().text(Id::Keys), "", "no keys of this file play");
    let own = |show: &Show| show.keys().own(Key::Char('g')).is_some();
    rig.save(&keys, "g = '/walk/restart'\n", own);
    assert!(rig.notice().contains("1 keys") && rig.status().faults.is_empty(), "{}", rig.notice());
    rig.wait(&[text(Id::Set, "friday")], says("no preset \"aa\""));
    rig.save(&set, SET, |show| show.setlist().is_some());
    // Another file that is wrong changes nothing.
    let other = rig.folder().join("other.toml");
    fs::write(&other, "g = '/psy'\n").expect("keys");
    rig.wait(&[write_keys(&other)], says("/psy"));
    assert_eq!((rig.params().text(Id::Keys), own(&rig)), (keys.to_string_lossy().as_ref(), true));
    // Without keys of one's own, nothing is wrong with them.
    rig.step(0.01, &[write_by(Source::Key, Id::Keys, Value::Text(String::new()))]);
    let status = rig.status();
    assert!(!status.faults.iter().chain(&status.notice).any(|line| line.contains("/psy")), "{:?}", status.faults);
}

#[test]
fn a_take_repeats_the_set_its_cues_and_the_keys() {
    let folder = Folder::new();
    let path = folder.join("show.take");
    let mut rig = Rig::with(&PRESETS).live().start();
    rig.show.start_take(Some(path.clone()));
    fs::write(rig.folder().join("friday.set.toml"), SET).expect("a set");
    let keys = rig.folder().join("keys.toml");
    fs::write(&keys, "g = { to = '/walk/radius', step = -0.25 }\n").expect("keys");
    let watched = |show: &Show| [Id::Psi, Id::WalkRadius, Id::WalkKind].map(|id| show.params().base(id));
    let mut seen = Vec::new();
    let write_keys = write_by(Source::Key, Id::Keys, Value::Text(keys.display().to_string()));
    rig.step(0.01, &[text(Id::Set, "friday"), write_keys]);
    seen.push(watched(&rig));
    while rig.preset().name != "c" || rig.fading().is_some() {
        std::thread::sleep(std::time::Duration::from_millis(1));
        rig.step(0.02, if seen.len() % 60 == 59 { &[Event::Key(Key::Char('g'))] } else { &[] });
        seen.push(watched(&rig));
        assert!(seen.len() < 20_000, "it never arrives: {}", rig.notice());
    }
    assert!(seen.iter().any(|[_, radius, _]| *radius < 1.0), "the key has played");
    drop(rig.show);
    let take = Take::read(&path).expect("a take");
    let places = take.locate().expect("all files");
    let mut show = Show::of_take(&take, places, Library::default(), Arc::new(Cpu::default()), None).expect("a show");
    let mut again = Vec::new();
    for frame in &take.frames {
        show.repeat(frame, false);
        again.push(watched(&show));
    }
    let skipped = again.len() - seen.len();
    assert_eq!(again[skipped..], seen);
}
