//! Do blackout, freeze, tempo and the like stay as they are when the preset changes, unless it names them?

use std::sync::Arc;

use latent_jockey::control::{Event, Source, Write};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::library::Library;
use latent_jockey::show::{Mode, Options, Show};

fn write(id: Id, value: f64) -> Event {
    Event::Write(Write { target: id.into(), value: Value::Float(value), source: Source::Osc })
}

#[test]
fn the_stage_stays_as_it_is() {
    let folder = std::env::temp_dir().join(format!("latent-jockey-stage-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let presets = [("a", "\"/psi\" = 0.5"), ("b", "\"/seed\" = 7"), ("c", "\"/tempo\" = 96\n\"/blackout\" = 0.25")];
    for (name, line) in presets {
        std::fs::write(folder.join(format!("{name}.toml")), format!("[params]\n{line}\n")).expect("a preset");
    }
    let library = Library::scan(&folder).expect("a library");
    let preset = library.first().expect("a preset");
    let (network, engine) = (Some(crate::common::fixture("sg2_16_p2.pkl")), Arc::new(Cpu::default()));
    let mut show =
        Show::new(Options { library, preset, network, seed: None, engine, mode: Mode::Offline }).expect("a show");

    let stage =
        [(Id::Blackout, 1.0), (Id::Tempo, 128.0), (Id::NetworkFade, 2.0), (Id::Quantize, 1e-3), (Id::Freeze, 1.0)];
    let events: Vec<Event> = stage.iter().map(|&(id, value)| write(id, value)).collect();
    show.step(0.1, &events);
    show.step(0.1, &[write(Id::Preset, 2.0)]);
    show.step(0.1, &[]);
    assert_eq!((show.params().base(Id::Seed), show.params().base(Id::Psi)), (7.0, 0.7), "the preset plays");
    for (id, value) in stage {
        assert_eq!(show.params().base(id), value, "{id:?}");
    }
    show.step(0.1, &[write(Id::Preset, 3.0)]);
    show.step(0.1, &[]);
    let base = |id: Id| show.params().base(id);
    assert_eq!((base(Id::Tempo), base(Id::Blackout), base(Id::Freeze)), (96.0, 0.25, 1.0), "what it names is set");
    show.step(0.1, &[Event::Write(Write { target: Id::Panic.into(), value: Value::Nothing, source: Source::Key })]);
    let base = |id: Id| show.params().base(id);
    assert_eq!((base(Id::Freeze), base(Id::NetworkFade), base(Id::Tempo)), (0.0, 0.0, 96.0), "panic sets all");
    std::fs::remove_dir_all(folder).expect("tidy");
}
