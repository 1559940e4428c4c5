//! Do blackout, freeze, tempo and the like stay as they are when the preset changes, unless it names them?

use crate::common::rig::{Rig, bang, number};
use latent_jockey::control::Event;
use latent_jockey::params::Id;

#[test]
fn the_stage_stays_as_it_is() {
    let presets = [
        ("a", "[params]\n\"/psi\" = 0.5"),
        ("b", "[params]\n\"/seed\" = 7"),
        ("c", "[params]\n\"/tempo\" = 96\n\"/blackout\" = 0.25"),
    ];
    let mut show = Rig::with(&presets).start();

    let stage =
        [(Id::Blackout, 1.0), (Id::Tempo, 128.0), (Id::NetworkFade, 2.0), (Id::Quantize, 1e-3), (Id::Freeze, 1.0)];
    let events: Vec<Event> = stage.iter().map(|&(id, value)| number(id, value)).collect();
    show.step(0.1, &events);
    show.step(0.1, &[number(Id::Preset, 2.0)]);
    show.step(0.1, &[]);
    assert_eq!((show.params().base(Id::Seed), show.params().base(Id::Psi)), (7.0, 0.7), "the preset plays");
    for (id, value) in stage {
        assert_eq!(show.params().base(id), value, "{id:?}");
    }
    show.step(0.1, &[number(Id::Preset, 3.0)]);
    show.step(0.1, &[]);
    let base = |id: Id| show.params().base(id);
    assert_eq!((base(Id::Tempo), base(Id::Blackout), base(Id::Freeze)), (96.0, 0.25, 1.0), "what it names is set");
    show.step(0.1, &[bang(Id::Panic)]);
    let base = |id: Id| show.params().base(id);
    assert_eq!((base(Id::Freeze), base(Id::NetworkFade), base(Id::Tempo)), (0.0, 0.0, 96.0), "panic sets all");
}
