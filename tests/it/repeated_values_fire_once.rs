//! TouchDesigner repeats its values 60 times a second: does a held button fire once, and a name load once?

use std::sync::Arc;

use latent_jockey::control::{Event, Source, Write};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::library::Library;
use latent_jockey::show::{Mode, Options, Show};

const DT: f64 = 1.0 / 60.0;

fn event(id: Id, value: Value) -> Event {
    Event::Write(Write { target: id.into(), value, source: Source::Osc })
}

fn seed_after(show: &mut Show, id: Id, values: &[Option<Value>]) -> f64 {
    for value in values {
        let events: Vec<Event> = value.iter().map(|value| event(id, value.clone())).collect();
        show.step(DT, &events);
    }
    show.params().base(Id::Seed)
}

#[test]
fn held_values_fire_once() {
    let folder = std::env::temp_dir().join(format!("latent-jockey-held-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    for (name, seed) in [("a", 0), ("b", 70)] {
        std::fs::write(folder.join(format!("{name}.toml")), format!("[params]\n\"/seed\" = {seed}\n"))
            .expect("a preset");
    }
    let library = Library::scan(&folder).expect("a library");
    let preset = library.first().expect("a preset");
    let (network, engine) = (Some(crate::common::fixture("sg2_16_p2.pkl")), Arc::new(Cpu::default()));
    let mut show =
        Show::new(Options { library, preset, network, seed: None, engine, mode: Mode::Offline }).expect("a show");
    let (one, zero) = (Some(Value::Float(1.0)), Some(Value::Float(0.0)));

    assert_eq!(seed_after(&mut show, Id::SeedNext, &vec![one.clone(); 30]), 1.0, "held for half a second");
    assert_eq!(
        seed_after(&mut show, Id::SeedNext, &[zero.clone(), one.clone(), zero, one.clone()]),
        3.0,
        "two presses"
    );
    let pause = vec![None; 8];
    assert_eq!(seed_after(&mut show, Id::SeedNext, &pause), 3.0);
    assert_eq!(seed_after(&mut show, Id::SeedNext, &[one]), 4.0, "a sender that never lets go, after a pause");
    assert_eq!(seed_after(&mut show, Id::SeedNext, &[Some(Value::Nothing), Some(Value::Nothing)]), 6.0, "bangs");

    // The preset is loaded once: changes made on top of it stay.
    let two = Some(Value::Float(2.0));
    assert_eq!(seed_after(&mut show, Id::Preset, &vec![two.clone(); 10]), 70.0);
    show.step(DT, &[event(Id::Preset, Value::Float(2.0)), event(Id::Seed, Value::Int(5))]);
    assert_eq!(seed_after(&mut show, Id::Preset, &vec![two; 10]), 5.0);
    assert_eq!(seed_after(&mut show, Id::Preset, &[Some(Value::Float(1.0))]), 0.0, "another one");
    std::fs::remove_dir_all(folder).expect("tidy");
}
