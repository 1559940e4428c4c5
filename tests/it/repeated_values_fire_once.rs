//! TouchDesigner repeats its values 60 times a second: does a held button fire once, and a name load once?

use crate::common::rig::{Rig, write};
use latent_jockey::control::Event;
use latent_jockey::params::{Id, Value};
use latent_jockey::show::Show;

const DT: f64 = 1.0 / 60.0;

fn seed_after(show: &mut Show, id: Id, values: &[Option<Value>]) -> f64 {
    for value in values {
        let events: Vec<Event> = value.iter().map(|value| write(id, value.clone())).collect();
        show.step(DT, &events);
    }
    show.params().base(Id::Seed)
}

#[test]
fn held_values_fire_once() {
    let mut show = Rig::with(&[("a", "[params]\n\"/seed\" = 0\n"), ("b", "[params]\n\"/seed\" = 70\n")]).start();
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
    show.step(DT, &[write(Id::Preset, Value::Float(2.0)), write(Id::Seed, Value::Int(5))]);
    assert_eq!(seed_after(&mut show, Id::Preset, &vec![two; 10]), 5.0);
    assert_eq!(seed_after(&mut show, Id::Preset, &[Some(Value::Float(1.0))]), 0.0, "another one");
}
