//! Does a warmed-up show allocate while it plays? A counting allocator says no, for every preset.

#[path = "common/counting.rs"]
mod counting;

use std::sync::Arc;

use latent_jockey::control::{Event, Source, Write};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::library::Library;
use latent_jockey::patch::locate;
use latent_jockey::patch::preset::Preset;
use latent_jockey::show::{Mode, Options, Show};

fn turn(id: Id, value: f64) -> Event {
    Event::Write(Write { target: id.into(), value: Value::Float(value), source: Source::Osc })
}

#[test]
fn playing_allocates_nothing() {
    let library = Library::scan(&locate::presets().expect("a folder")).expect("the presets");
    for file in library.files() {
        let preset = Preset::load(&file).expect("a preset");
        let name = preset.name.clone();
        let engine = Arc::new(Cpu::default());
        let library = library.clone();
        let mut show = Show::new(Options { library, preset, network: None, seed: None, engine, mode: Mode::Offline })
            .expect("a show");
        let mut play = |frames: u32| {
            for frame in 0..frames {
                let knobs = [turn(Id::Psi, f64::from(frame) / 40.0), turn(Id::WalkSpeed, f64::from(frame % 7))];
                show.step(0.1, &knobs);
            }
        };
        play(12);
        let mut times = counting::times(|| play(24));
        if times > 0 {
            // Possibly the test harness, which prints a line when a test takes longer than a minute.
            times = counting::times(|| play(24));
        }
        assert_eq!(times, 0, "{name} allocates {times} times in 24 frames");
    }
    assert!(counting::times(|| drop(std::hint::black_box(vec![1]))) > 0, "the allocator counts");
}
