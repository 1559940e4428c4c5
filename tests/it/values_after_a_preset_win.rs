//! Are messages applied in order, even a preset or panic followed by a value in one packet? And does an unplayable name
//! revert to the one that is playing?

use crate::common::rig::{Rig, bang, text, write};
use latent_jockey::params::{Id, Value};

const PRESETS: [(&str, &str); 2] = [("a", "[params]\n\"/psi\" = 0.5\n"), ("b", "[params]\n\"/psi\" = 0.9\n")];

#[test]
fn a_value_after_a_preset_in_one_packet_wins() {
    let mut show = Rig::with(&PRESETS).start();
    show.step(0.1, &[write(Id::Psi, Value::Float(0.1)), text(Id::Preset, "b"), write(Id::Seed, Value::Float(7.0))]);
    assert_eq!((show.params().base(Id::Psi), show.params().base(Id::Seed)), (0.9, 7.0));
    show.step(0.1, &[bang(Id::Panic), write(Id::Psi, Value::Float(0.2))]);
    assert_eq!((show.params().base(Id::Psi), show.params().base(Id::Seed)), (0.2, 0.0));
    // On the beat too.
    show.step(
        0.1,
        &[write(Id::Quantize, Value::Float(1e-3)), text(Id::Preset, "a"), write(Id::Seed, Value::Float(9.0))],
    );
    show.step(0.1, &[]);
    assert_eq!((show.params().base(Id::Psi), show.params().base(Id::Seed)), (0.5, 9.0));
}

#[test]
fn an_unplayable_name_reverts_to_the_playing_one() {
    let mut show = Rig::with(&PRESETS).start();
    let style = crate::common::fixture("style/painters8.safetensors").to_string_lossy().into_owned();
    let damaged = crate::common::fixture("sg2_16.json").to_string_lossy().into_owned();
    for wrong in ["nothing of that name", damaged.as_str()] {
        let events = [Id::Preset, Id::Network, Id::StyleNetwork, Id::Input].map(|id| text(id, wrong));
        show.step(0.1, &events);
        let names = [Id::Preset, Id::Network, Id::StyleNetwork, Id::Input].map(|id| show.params().text(id).to_owned());
        assert_eq!(names, ["a", "sg2_16_p2", "", ""], "{wrong}");
    }
    show.step(0.1, &[text(Id::StyleNetwork, &style)]);
    assert_eq!(show.params().text(Id::StyleNetwork), style);
    show.step(0.1, &[text(Id::StyleNetwork, "nothing of that name")]);
    assert_eq!(show.params().text(Id::StyleNetwork), style, "what paints");
}
