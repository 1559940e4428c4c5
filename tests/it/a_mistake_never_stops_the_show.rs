//! Nonsense from outside costs one line and a count; the picture keeps playing.

use crate::common::rig::{Rig, write};
use latent_jockey::control::{Event, Source};
use latent_jockey::params::{Id, Value};

fn show() -> Rig {
    Rig::shipped("1").start()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

#[test]
fn a_mistake_never_stops_the_show() {
    let mistakes = [
        (write(Id::Network, text("no-such-network")), "no-such-network"),
        (write(Id::Network, text("/no/such/file.pkl")), "/no/such/file.pkl"),
        (write(Id::Preset, text("no-such-preset")), "no-such-preset"),
        (write(Id::Psi, text("loud")), "/psi"),
        (write(Id::WalkKind, text("sideways")), "drift"),
        (
            Event::Unknown { address: "/nothing/here".to_owned(), value: Value::Nothing, source: Source::Osc },
            "/nothing/here",
        ),
    ];
    let mut show = show();
    show.step(0.0, &[]);
    for (event, named) in mistakes {
        let before = show.picture().expect("a picture").serial;
        show.step(0.1, &[event]);
        let notice = show.status().notice.unwrap_or_default();
        assert!(notice.contains(named), "{notice:?} does not name {named}");
        assert!(show.picture().expect("a picture").serial > before, "the picture stopped");
    }
    assert_eq!(show.status().refused, 3);
}

#[test]
fn a_write_is_in_the_next_picture() {
    // Without a style network, which would keep painting by itself.
    let mut show = Rig::shipped("6-flowers").start();
    show.step(0.0, &[write(Id::WalkKind, text("hold"))]);
    for _ in 0..40 {
        show.step(0.2, &[]);
    }
    let still = show.picture().expect("a picture").clone();
    show.step(0.05, &[]);
    assert!(show.picture().expect("a picture").rgba == still.rgba, "a held walk moved");
    show.step(0.05, &[write(Id::Psi, Value::Float(0.1))]);
    assert!(show.picture().expect("a picture").rgba != still.rgba, "/psi changed nothing");
}

#[test]
fn panic_goes_back_to_the_preset() {
    let mut show = show();
    let psi = show.params().base(Id::Psi);
    show.step(0.1, &[write(Id::Psi, Value::Float(psi + 0.4)), write(Id::Blackout, Value::Int(1))]);
    assert_ne!(show.params().base(Id::Psi), psi);
    show.step(0.1, &[write(Id::Panic, Value::Nothing)]);
    assert_eq!((show.params().base(Id::Psi), show.params().base(Id::Blackout)), (psi, 0.0));
}

#[test]
fn a_frozen_show_resumes_where_it_was() {
    let mut show = show();
    show.step(0.0, &[]);
    show.step(0.1, &[write(Id::Freeze, Value::Bool(true))]);
    let held = show.picture().expect("a picture").serial;
    show.step(5.0, &[]);
    assert_eq!(show.picture().expect("a picture").serial, held);
    show.step(0.1, &[write(Id::Freeze, Value::Bool(false))]);
    assert!(show.picture().expect("a picture").serial > held);
}

#[test]
fn presets_follow_one_another() {
    let mut show = show();
    let first = show.status().preset;
    show.step(0.1, &[write(Id::PresetNext, Value::Nothing)]);
    assert_ne!(show.status().preset, first);
    show.step(0.1, &[write(Id::PresetPrev, Value::Nothing)]);
    assert_eq!(show.status().preset, first);
    show.step(0.1, &[write(Id::Preset, Value::Float(2.0))]);
    assert_ne!(show.status().preset, first);
}

#[test]
fn an_open_port_takes_names_but_no_paths() {
    let mut show = show();
    show.set_names_only(true);
    show.step(0.0, &[]);
    let preset = show.preset().path.clone();
    for (id, path) in [
        (Id::Preset, preset.to_str().expect("a path").to_owned()),
        (Id::Network, "presets/networks/flowers128.safetensors".to_owned()),
        (Id::StyleNetwork, "../networks/painters8".to_owned()),
    ] {
        show.step(0.1, &[write(id, text(&path))]);
        let notice = show.status().notice.unwrap_or_default();
        assert!(notice.contains("no ") && notice.contains(&path), "{notice:?}");
    }
    show.step(0.1, &[write(Id::Preset, text("2-amber"))]);
    assert_eq!(show.status().preset, "amber");
}
