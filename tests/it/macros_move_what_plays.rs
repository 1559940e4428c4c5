//! Do macros move their targets in the same frame, follow what they stand for, and come back with their preset?

use latent_jockey::control::{Event, Source, Write};
use latent_jockey::params::{Id, Value};

use crate::common::rig::{Rig, write_by};

const PRESET: &str = "[params]\n\"/psi\" = 0.5\n\"/walk/kind\" = \"hold\"\n\"/macro/5\" = 0.25\n\n[macro] # faders\n1 = { name = \"rush\", to = [\"/psi\", { to = \"/noise/gain\", range = [2.0, 0.0] }], range = [0.0, 1.0] } # mine\n5 = \"/walk/radius\"\n";

fn rig() -> Rig {
    Rig::with(&[("dusk", PRESET)]).start()
}

/// One frame with these writes.
fn step(rig: &mut Rig, writes: &[(&str, f64)]) {
    let table = rig.show.params().table().clone();
    let event = |(address, value): &(&str, f64)| {
        let target = table.resolve(address).expect(address);
        Event::Write(Write { target, value: Value::Float(*value), source: Source::Osc })
    };
    let events: Vec<Event> = writes.iter().map(event).collect();
    rig.show.step(0.04, &events);
}

fn bases(rig: &Rig, ids: [Id; 3]) -> [f64; 3] {
    ids.map(|id| rig.base(id))
}

const RUSH: [Id; 3] = [Id::Macro1, Id::Psi, Id::NoiseGain];

#[test]
fn a_macro_and_its_targets_move_together() {
    let mut rig = rig();
    assert_eq!(bases(&rig, RUSH), [0.5, 0.5, 1.0], "the preset is where its first target is");
    assert_eq!(
        bases(&rig, [Id::Macro5, Id::WalkRadius, Id::Macro2])[..2],
        [0.25, 0.5],
        "a position that the file sets"
    );
    let names: Vec<&str> = rig.show.macros().iter().map(|state| state.name).collect();
    assert_eq!(names[..3], ["rush", "walk speed", "walk radius"]);
    step(&mut rig, &[("/macro/1", 0.25)]);
    // The square curve of /noise/gain, upside down.
    assert_eq!(bases(&rig, RUSH), [0.25, 0.25, 2.0 - 2.0 * 0.25 * 0.25]);
    step(&mut rig, &[("/psi", 0.75)]);
    assert_eq!(bases(&rig, RUSH), [0.75, 0.75, 1.875], "only the macro follows");
    step(&mut rig, &[("/macro/1", 0.1), ("/psi", 1.0)]);
    assert_eq!(bases(&rig, RUSH)[..2], [1.0, 1.0], "what comes later wins");
    step(&mut rig, &[("/psi", 0.1), ("/macro/1", 0.5)]);
    assert_eq!(bases(&rig, RUSH), [0.5, 0.5, 1.5]);
    assert_eq!(rig.show.macros()[0].modulated, None);
}

#[test]
fn a_panic_puts_them_back_and_saving_keeps_them() {
    let mut rig = rig();
    step(&mut rig, &[("/macro/1", 1.0), ("/macro/2", 0.75)]);
    for _ in 0..2 {
        step(&mut rig, &[("/panic", 1.0)]);
        assert_eq!(bases(&rig, RUSH), [0.5, 0.5, 1.0], "also when their targets are there already");
    }
    step(&mut rig, &[("/macro/1", 0.0), ("/macro/2", 0.75)]);
    rig.show.step(0.04, &[write_by(Source::Key, Id::PresetSave, Value::Nothing)]);
    let text = std::fs::read_to_string(rig.folder().join("dusk.toml")).expect("the preset");
    let macros = &PRESET[PRESET.find("[macro]").expect("a table")..];
    assert!(text.contains(macros), "{text}");
    assert!(text.contains("\"/psi\" = 0.0") && text.contains("\"/walk/speed\" = 2.0"), "{text}");
    assert!(!text.contains("\"/macro/1\"") && text.contains("\"/macro/5\" = 0.25"), "{text}");
}
