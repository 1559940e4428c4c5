//! Do macros move their targets in the same frame, follow what they stand for, and come back with their preset?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use latent_jockey::control::{Event, Source, Write};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::library::Library;
use latent_jockey::show::{Mode, Options, Show};

const PRESET: &str = "[params]\n\"/psi\" = 0.5\n\"/walk/kind\" = \"hold\"\n\"/macro/5\" = 0.25\n\n[macro] # faders\n1 = { name = \"rush\", to = [\"/psi\", { to = \"/noise/gain\", range = [2.0, 0.0] }], range = [0.0, 1.0] } # mine\n5 = \"/walk/radius\"\n";

struct Rig {
    show: Show,
    file: PathBuf,
}

impl Rig {
    fn new(name: &str) -> Rig {
        let folder = std::env::temp_dir().join(format!("latent-jockey-macro-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let file = folder.join("dusk.toml");
        std::fs::write(&file, PRESET).expect("a file");
        let library = Library::scan(&folder).expect("a library");
        let preset = library.first().expect("a preset");
        let network = Some(crate::common::fixture("sg2_16_p2.pkl"));
        let engine = Arc::new(Cpu::default());
        let options = Options { library, preset, network, seed: None, engine, screen: None, mode: Mode::Offline };
        Rig { show: Show::new(options).expect("a show"), file }
    }

    /// One frame with these writes.
    fn step(&mut self, writes: &[(&str, f64)]) {
        let table = self.show.params().table().clone();
        let event = |(address, value): &(&str, f64)| {
            let target = table.resolve(address).expect(address);
            Event::Write(Write { target, value: Value::Float(*value), source: Source::Osc })
        };
        let events: Vec<Event> = writes.iter().map(event).collect();
        self.show.step(0.04, &events);
    }

    fn bases(&self, ids: [Id; 3]) -> [f64; 3] {
        ids.map(|id| self.show.params().base(id))
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.file.parent().unwrap_or(Path::new("/nowhere")));
    }
}

const RUSH: [Id; 3] = [Id::Macro1, Id::Psi, Id::NoiseGain];

#[test]
fn a_macro_and_its_targets_move_together() {
    let mut rig = Rig::new("together");
    assert_eq!(rig.bases(RUSH), [0.5, 0.5, 1.0], "the preset is where its first target is");
    assert_eq!(rig.bases([Id::Macro5, Id::WalkRadius, Id::Macro2])[..2], [0.25, 0.5], "a position that the file sets");
    let names: Vec<&str> = rig.show.macros().iter().map(|state| state.name).collect();
    assert_eq!(names[..3], ["rush", "walk speed", "walk radius"]);
    rig.step(&[("/macro/1", 0.25)]);
    // The square curve of /noise/gain, upside down.
    assert_eq!(rig.bases(RUSH), [0.25, 0.25, 2.0 - 2.0 * 0.25 * 0.25]);
    rig.step(&[("/psi", 0.75)]);
    assert_eq!(rig.bases(RUSH), [0.75, 0.75, 1.875], "only the macro follows");
    rig.step(&[("/macro/1", 0.1), ("/psi", 1.0)]);
    assert_eq!(rig.bases(RUSH)[..2], [1.0, 1.0], "what comes later wins");
    rig.step(&[("/psi", 0.1), ("/macro/1", 0.5)]);
    assert_eq!(rig.bases(RUSH), [0.5, 0.5, 1.5]);
    assert_eq!(rig.show.macros()[0].modulated, None);
}

#[test]
fn a_panic_puts_them_back_and_saving_keeps_them() {
    let mut rig = Rig::new("back");
    rig.step(&[("/macro/1", 1.0), ("/macro/2", 0.75)]);
    for _ in 0..2 {
        rig.step(&[("/panic", 1.0)]);
        assert_eq!(rig.bases(RUSH), [0.5, 0.5, 1.0], "also when their targets are there already");
    }
    rig.step(&[("/macro/1", 0.0), ("/macro/2", 0.75)]);
    let event = Event::Write(Write { target: Id::PresetSave.into(), value: Value::Nothing, source: Source::Key });
    rig.show.step(0.04, &[event]);
    let text = std::fs::read_to_string(&rig.file).expect("the preset");
    let macros = &PRESET[PRESET.find("[macro]").expect("a table")..];
    assert!(text.contains(macros), "{text}");
    assert!(text.contains("\"/psi\" = 0.0") && text.contains("\"/walk/speed\" = 2.0"), "{text}");
    assert!(!text.contains("\"/macro/1\"") && text.contains("\"/macro/5\" = 0.25"), "{text}");
}
