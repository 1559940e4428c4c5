//! Sequences of messages and what they do to the parameters.

use std::collections::BTreeMap;

use super::*;
use crate::control::midi;
use crate::params::{Table, Value};

/// A map and its parameters, driven by MIDI bytes.
struct Rig {
    mapping: Mapping,
    params: Params,
}

impl Rig {
    /// With these lines in the preset's `[midi]` table.
    fn new(toml: &str) -> Rig {
        let table: BTreeMap<String, MidiOptions> = toml::from_str(toml).unwrap();
        let entries: Vec<_> = table
            .iter()
            .map(|(control, options)| MidiEntry::new(control, options, Table::built_in()).unwrap())
            .collect();
        Rig { mapping: Mapping::new(&entries, &[]), params: Params::default() }
    }

    /// Plays a message and applies its writes; returns their number.
    fn play(&mut self, bytes: &[u8]) -> usize {
        self.play_at(bytes, 0)
    }

    fn play_at(&mut self, bytes: &[u8], at_us: u64) -> usize {
        self.play_on(0, bytes, at_us)
    }

    fn play_on(&mut self, port: u8, bytes: &[u8], at_us: u64) -> usize {
        let mut out = Vec::new();
        let message = midi::parse(bytes, port, at_us).expect("a message");
        self.mapping.apply(&Event::Midi(message), &self.params, &mut out);
        for write in &out {
            self.params.write(write.target, &write.value).unwrap();
        }
        out.len()
    }

    /// Moves a controller from one end to the other, which picks up any value.
    fn sweep(&mut self, status: u8, controller: u8) {
        for value in [0, 127] {
            self.play(&[status, controller, value]);
        }
    }

    fn set(&mut self, id: Id, value: f64) {
        self.params.write(id.into(), &Value::Float(value)).unwrap();
    }

    /// Turns controller 21 of channel 1 through these values; returns the parameter after each.
    fn turn(&mut self, id: Id, values: &[u8]) -> Vec<f64> {
        let mut after = Vec::new();
        for &value in values {
            self.play(&[0xb0, 21, value]);
            after.push((self.params.base(id) * 1000.0).round() / 1000.0);
        }
        after
    }
}

/// /blackout goes from 0 to 1, so that values and travel are the same.
const FADER: &str = "'cc 21' = { to = '/blackout', takeover = ";

#[test]
fn jump_follows_at_once() {
    let mut rig = Rig::new(&format!("{FADER}'jump' }}"));
    assert_eq!(rig.turn(Id::Blackout, &[127, 0]), [1.0, 0.0]);
}

#[test]
fn pickup_waits_for_the_value() {
    let mut rig = Rig::new(&format!("{FADER}'pickup' }}"));
    rig.set(Id::Blackout, 0.5);
    assert_eq!(rig.turn(Id::Blackout, &[10, 20, 40]), [0.5, 0.5, 0.5]);
    assert_eq!(rig.mapping.waiting(), Some((Id::Blackout.into(), Turn::Right)));
    assert_eq!(rig.turn(Id::Blackout, &[63, 70, 127]), [0.496, 0.551, 1.0]);
    assert_eq!(rig.mapping.waiting(), None);
    // A write from anywhere else releases the knob.
    rig.set(Id::Blackout, 0.25);
    assert_eq!(rig.turn(Id::Blackout, &[126, 120]), [0.25, 0.25]);
    assert_eq!(rig.mapping.waiting(), Some((Id::Blackout.into(), Turn::Left)));
    assert_eq!(rig.turn(Id::Blackout, &[32, 33]), [0.252, 0.26]);
}

#[test]
fn pickup_catches_a_fast_turn_over_the_value() {
    let mut rig = Rig::new(&format!("{FADER}'pickup' }}"));
    rig.set(Id::Blackout, 0.5);
    assert_eq!(rig.turn(Id::Blackout, &[10, 100, 110]), [0.5, 0.787, 0.866]);
}

#[test]
fn pickup_catches_the_words_of_a_choice() {
    let mut rig = Rig::new("'cc 21' = '/walk/kind'");
    rig.set(Id::WalkKind, 2.0);
    assert_eq!(rig.turn(Id::WalkKind, &[10, 70, 100, 127, 0]), [2.0, 2.0, 3.0, 4.0, 0.0]);
}

#[test]
fn scale_reaches_both_ends_together() {
    let mut rig = Rig::new(&format!("{FADER}'scale' }}"));
    rig.set(Id::Blackout, 0.2);
    // The first message only gives the knob's position.
    assert_eq!(rig.turn(Id::Blackout, &[64]), [0.2]);
    let up = rig.turn(Id::Blackout, &[80, 100, 127]);
    assert!(up[0] > 0.2 && up[0] < up[1] && up[1] < up[2] && up[2] == 1.0, "{up:?}");
    rig.set(Id::Blackout, 0.2);
    assert_eq!(rig.turn(Id::Blackout, &[64, 0]), [0.101, 0.0]);
}

#[test]
fn relative_knobs_step_by_their_encoding() {
    for (relative, right, left, three_left) in [("twos", 1, 127, 125), ("offset", 65, 63, 61), ("signed", 1, 65, 67)] {
        let mut rig = Rig::new(&format!("'cc 21' = {{ to = '/blackout', relative = '{relative}' }}"));
        rig.set(Id::Blackout, 0.5);
        assert_eq!(
            rig.turn(Id::Blackout, &[right, right, left, three_left]),
            [0.508, 0.516, 0.508, 0.484],
            "{relative}"
        );
    }
    // Ints and choices move one by one, and stop at the ends.
    let mut rig = Rig::new("'cc 21' = { to = '/psi/cutoff', relative = 'twos', range = [0, 64] }");
    rig.set(Id::PsiCutoff, 63.0);
    assert_eq!(rig.turn(Id::PsiCutoff, &[1, 1, 127, 120]), [64.0, 64.0, 63.0, 55.0]);
    let mut rig = Rig::new("'cc 21' = { to = '/blackout', relative = 'twos', invert = true }");
    rig.set(Id::Blackout, 0.5);
    assert_eq!(rig.turn(Id::Blackout, &[2]), [0.484]);
}

#[test]
fn ranges_curves_and_invert_lay_the_travel() {
    let entry = "'cc 21' = { to = '/walk/speed', range = [0, 2], curve = 'square', invert = true, takeover = 'jump' }";
    assert_eq!(Rig::new(entry).turn(Id::WalkSpeed, &[0, 127]), [2.0, 0.0]);
    let mut rig = Rig::new("'cc 21' = { to = '/walk/speed', range = [0, 2], curve = 'square', takeover = 'jump' }");
    assert_eq!(rig.turn(Id::WalkSpeed, &[0, 64, 127]), [0.0, 0.508, 2.0]);
}

#[test]
fn pairs_have_14_bits() {
    let mut rig = Rig::new("'cc 1/14' = { to = '/blackout', takeover = 'jump' }");
    let fader = |rig: &mut Rig, bytes: &[u8]| (rig.play(bytes), (rig.params.base(Id::Blackout) * 16_383.0).round());
    // Only high halves so far: 7 bits.
    assert_eq!(fader(&mut rig, &[0xb0, 1, 127]), (1, 16_383.0));
    assert_eq!(fader(&mut rig, &[0xb0, 33, 5]), (1, f64::from(127 * 128 + 5)));
    assert_eq!(fader(&mut rig, &[0xb0, 1, 64]).0, 0, "waits for its low half");
    assert_eq!(fader(&mut rig, &[0xb0, 33, 0]), (1, f64::from(64 * 128)));
    // Each channel has its own halves.
    assert_eq!(fader(&mut rig, &[0xb1, 33, 7]).0, 0);
    assert_eq!(fader(&mut rig, &[0xb0, 33, 1]), (1, f64::from(64 * 128 + 1)));
}

#[test]
fn pairs_whose_low_half_comes_first_do_not_jump() {
    // Each step: milliseconds, is it the high half, its value, and the position afterwards.
    let high_known = [(0, true, 10, 1290), (0, false, 9, 1289)];
    let low_first: &[(u64, bool, u8, u16)] = &[
        (0, false, 126, 0),
        (1, true, 1, 254),
        (2, false, 1, 254),
        (3, true, 2, 257),
        (4, false, 0, 257),
        (5, true, 3, 384),
        // The same after a pause.
        (900, false, 127, 384),
        (901, true, 2, 383),
        // The low half alone: accepted at once from the third on.
        (1000, false, 126, 383),
        (1001, false, 125, 383),
        (1002, false, 124, 380),
    ];
    // Joining in mid-gesture: off by at most one step of the high half, on the first gesture.
    let joined: &[(u64, bool, u8, u16)] = &[
        (0, true, 10, 1290),
        (1, false, 9, 1289),
        (500, false, 3, 1283),
        (501, true, 11, 1411),
        (502, false, 4, 1411),
        (503, true, 12, 1540),
        // A sender that starts with its high half.
        (900, true, 13, 1540),
        (901, false, 2, 1666),
    ];
    // High half first, and only the low half for fine steps.
    let fine: &[(u64, bool, u8, u16)] = &[
        (0, true, 10, 1290),
        (1, false, 9, 1289),
        (500, false, 10, 1290),
        (600, false, 11, 1291),
        (650, true, 11, 1291),
    ];
    for steps in [low_first, joined, fine, &high_known] {
        let mut rig = Rig::new("'cc 1/14' = { to = '/blackout', takeover = 'jump' }");
        for &(ms, is_high, value, expected) in steps {
            rig.play_at(&[0xb0, if is_high { 1 } else { 33 }, value], ms * 1000);
            let position = (rig.params.base(Id::Blackout) * 16_383.0).round() as u16;
            assert_eq!(position, expected, "at {ms} ms");
        }
    }
}

#[test]
fn parameter_numbers_are_chosen_and_then_moved() {
    let mut rig = Rig::new("'nrpn 300' = { to = '/blackout', takeover = 'jump' }\n'rpn 0' = '/freeze'");
    let mut play = |messages: &[[u8; 2]]| {
        for &[controller, value] in messages {
            rig.play(&[0xb4, controller, value]);
        }
        (rig.params.base(Id::Blackout) * 16_383.0).round()
    };
    assert_eq!(play(&[[6, 127]]), 0.0, "no number is chosen");
    // 300 = 2 * 128 + 44
    assert_eq!(play(&[[99, 2], [98, 44], [6, 127]]), 16_383.0, "only a high half so far");
    assert_eq!(play(&[[38, 0]]), f64::from(127 * 128));
    assert_eq!(play(&[[99, 2], [98, 45], [6, 0], [38, 0]]), f64::from(127 * 128), "another number");
    assert_eq!(play(&[[98, 44], [6, 64], [38, 1]]), f64::from(64 * 128 + 1));
    assert!(play(&[[96, 0]]) > f64::from(64 * 128 + 1), "a step up");
    assert_eq!(play(&[[97, 0]]), f64::from(64 * 128 + 1));
    assert_eq!(play(&[[99, 127], [98, 127], [6, 0]]), f64::from(64 * 128 + 1), "none is chosen");
    play(&[[101, 0], [100, 0], [6, 127]]);
    assert!(rig.params.bool(Id::Freeze));
}

#[test]
fn a_profile_lies_between_the_default_map_and_the_preset() {
    let mut rig = Rig::new("'cc 17' = '/blackout'");
    let entry = |control: &str, to: &str| {
        MidiEntry::new(control, &MidiOptions { to: to.to_owned(), ..MidiOptions::default() }, Table::built_in())
            .unwrap()
    };
    let profile = vec![entry("ch 1 cc 16", "/noise/gain"), entry("cc 17", "/psi")];
    rig.mapping.set_profile(3, Some(profile.clone()));
    let mut sweep = |port: u8, controller: u8, id: Id| {
        let low = id.def().range().0;
        rig.set(id, low);
        for value in [0, 127] {
            let message = midi::parse(&[0xb0, controller, value], port, 0).unwrap();
            let mut out = Vec::new();
            rig.mapping.apply(&Event::Midi(message), &rig.params, &mut out);
            out.iter().for_each(|write| drop(rig.params.write(write.target, &write.value)));
        }
        rig.params.base(id) > low
    };
    assert!(sweep(3, 16, Id::NoiseGain) && !sweep(3, 16, Id::Psi), "the profile of its port");
    assert!(sweep(0, 16, Id::Psi) && !sweep(0, 16, Id::NoiseGain), "the default map elsewhere");
    assert!(sweep(3, 17, Id::Blackout) && !sweep(3, 17, Id::Psi), "the preset everywhere");
    assert!(!sweep(3, 18, Id::WalkRadius), "the default map leaves it alone");
    assert_eq!(rig.mapping.playing(3, &profile[0].control).map(|entry| entry.to), Some(Id::NoiseGain.into()));
    rig.mapping.set_profile(3, None);
    assert!({
        let message = midi::parse(&[0xb0, 16, 127], 3, 0).unwrap();
        let mut out = Vec::new();
        rig.mapping.apply(&Event::Midi(message), &rig.params, &mut out);
        rig.mapping.waiting().is_some() || !out.is_empty()
    });
}

#[test]
fn presses_trigger_gate_and_toggle() {
    let mut rig = Rig::new("'note 60' = { to = '/blackout', range = [0.2, 0.8], mode = 'gate' }");
    rig.play(&[0x90, 60, 1]);
    assert_eq!(rig.params.base(Id::Blackout), 0.8);
    rig.play(&[0x80, 60, 0]);
    assert_eq!(rig.params.base(Id::Blackout), 0.2);

    let mut rig = Rig::new("'note 60' = { to = '/blackout', range = [0, 0.6], mode = 'toggle' }");
    for expected in [0.6, 0.0, 0.6] {
        rig.play(&[0x90, 60, 100]);
        assert_eq!(rig.play(&[0x90, 60, 0]), 0);
        assert_eq!(rig.params.base(Id::Blackout), expected);
    }

    let mut rig = Rig::new("'note 60' = '/blackout'");
    rig.play(&[0x90, 60, 127]);
    assert_eq!(rig.params.base(Id::Blackout), 1.0, "a number takes the velocity");

    let mut rig = Rig::new("'note 60' = { to = '/preset', value = 'dusk' }");
    rig.play(&[0x90, 60, 127]);
    assert_eq!(rig.params.text(Id::Preset), "dusk");

    // A button that sends a controller fires once per press.
    let mut rig = Rig::new("'cc 41' = '/seed/next'");
    assert_eq!([127, 127, 0, 0, 127].map(|value| rig.play(&[0xb0, 41, value])), [1, 0, 0, 0, 1]);
    let mut rig = Rig::new("'cc 41' = { to = '/freeze', mode = 'toggle' }");
    let states = [127, 0, 127, 0].map(|value| {
        rig.play(&[0xb0, 41, value]);
        rig.params.base(Id::Freeze)
    });
    assert_eq!(states, [1.0, 1.0, 0.0, 0.0]);
}

#[test]
fn the_default_map_plays_any_controller() {
    let mut rig = Rig::new("");
    for id in Table::built_in().ids().filter(|id| id.def().knob.is_some()) {
        let knob = id.def().knob.unwrap();
        for controller in [15 + knob, 69 + knob] {
            rig.sweep(0xb5, controller);
            assert_eq!(rig.params.travel(id), 1.0, "{} by cc {controller}", id.def().address);
            rig.set(id, id.def().range().0);
        }
    }
    rig.play(&[0x99, 36, 100]);
    assert_eq!(rig.params.fired(), [Id::SeedNext]);
    rig.play(&[0x90, 42, 100]);
    assert!(rig.params.bool(Id::Freeze));
    rig.play(&[0x90, 43, 100]);
    assert_eq!(rig.params.base(Id::Blackout), 1.0);
    rig.play(&[0x80, 43, 0]);
    assert_eq!(rig.params.base(Id::Blackout), 0.0);
    rig.play(&[0xc3, 2]);
    assert_eq!(rig.params.text(Id::Preset), "3");
    assert_eq!(rig.play(&[0xb0, 99, 1]), 0, "what is not mapped does nothing");
}

#[test]
fn a_preset_overrides_the_default_map_control_by_control() {
    let mut rig = Rig::new("'cc 16' = '/blackout'\n'ch 2 cc 16' = '/noise/gain'");
    let psi = rig.params.base(Id::Psi);
    rig.sweep(0xb0, 16);
    assert_eq!((rig.params.base(Id::Blackout), rig.params.base(Id::Psi)), (1.0, psi));
    rig.sweep(0xb1, 16);
    assert_eq!(rig.params.base(Id::NoiseGain), 4.0);
    rig.sweep(0xb0, 70);
    assert_eq!(rig.params.base(Id::Psi), 2.0, "the other default entry still plays");
}

#[test]
fn aliases_are_written() {
    let alias = OscEntry::plain("/1/fader3".to_owned(), Id::Psi.into());
    let mut mapping = Mapping::new(&[], &[alias]);
    let mut out = Vec::new();
    let event =
        |address: &str| Event::Unknown { address: address.to_owned(), value: Value::Float(0.5), source: Source::Osc };
    mapping.apply(&event("/1/fader4"), &Params::default(), &mut out);
    assert_eq!(out, []);
    mapping.apply(&event("/1/fader3"), &Params::default(), &mut out);
    assert_eq!(out, [Write { target: Id::Psi.into(), value: Value::Float(0.5), source: Source::Osc }]);
}

/// Arbitrary messages: no panic, and the parameters accept every write.
#[test]
fn no_messages_make_it_panic() {
    let mut rig = Rig::new(
        "'cc 1/14' = '/psi'\n'cc 2' = { to = '/psi/cutoff', takeover = 'scale' }\n'cc 3' = { to = '/walk/kind', relative = 'offset' }\n\
         'bend' = '/walk/speed'\n'pressure' = '/freeze'\n'cc 4' = { to = '/blackout', takeover = 'scale' }",
    );
    let mut rng = crate::control::test_rng(11);
    let mut writes = 0;
    for _ in 0..50_000 {
        let bytes = [0x80 | rng() as u8, rng() as u8 & 0x2f, rng() as u8 & 0x7f];
        if midi::parse(&bytes, 0, 0).is_some() {
            writes += rig.play(&bytes);
        }
        assert!((0.0..=1.0).contains(&rig.params.base(Id::Blackout)));
    }
    assert!(writes > 1000);
}

#[test]
fn equal_controllers_have_a_knob_each() {
    let mut rig = Rig::new("\"cc 21\" = \"/psi\"\n\"cc 1/14\" = \"/feedback/x\"");
    rig.set(Id::Psi, 0.5);
    assert_eq!(rig.play_on(0, &[0xb0, 21, 0], 0), 0, "far below");
    assert_eq!(rig.play_on(1, &[0xb0, 21, 100], 0), 0, "far above: nobody has passed the value");
    assert_eq!(rig.play_on(0, &[0xb0, 21, 127], 0), 1, "the first has");
    assert_eq!(rig.play_on(1, &[0xb0, 21, 110], 0), 0, "the other has not caught it by that");
    // Pairs of 14 bits, whose halves come in turn: each position belongs to one of two places.
    for (high, at_us) in (0..127).zip((0..).step_by(10_000)) {
        for (port, high) in [(0, high), (1, 127 - high)] {
            rig.play_on(port, &[0xb0, 1, high], at_us);
        }
        for port in [0, 1] {
            rig.play_on(port, &[0xb0, 33, 0], at_us + 500);
        }
    }
    let last = -1.0 + 2.0 * f64::from(1 << 7) / 16_383.0;
    assert!((rig.params.base(Id::FeedbackX) - last).abs() < 1e-9, "{}", rig.params.base(Id::FeedbackX));
}

#[test]
fn a_controller_that_is_pulled_lets_go() {
    let mut rig = Rig::new(
        "\"note 36\" = { to = \"/blackout\", mode = \"gate\" }\n\"cc 40\" = { to = \"/freeze\", mode = \"gate\" }",
    );
    let mut pulled = |port: u8, messages: &[&[u8]]| {
        for bytes in messages {
            rig.play_on(0, bytes, 0);
        }
        let mut out = Vec::new();
        rig.mapping.disconnect(port, &mut out);
        for write in &out {
            rig.params.write(write.target, &write.value).unwrap();
        }
        (out.len(), rig.params.base(Id::Blackout), rig.params.bool(Id::Freeze))
    };
    assert_eq!(pulled(1, &[&[0x90, 36, 100]]), (0, 1.0, false), "another one");
    assert_eq!(pulled(0, &[]), (1, 0.0, false), "held");
    assert_eq!(pulled(0, &[]), (0, 0.0, false), "once");
    assert_eq!(pulled(0, &[&[0x90, 36, 100], &[0x80, 36, 0]]), (0, 0.0, false), "let go before");
    assert_eq!(pulled(1, &[&[0xb0, 40, 127]]), (0, 0.0, true), "a button that sends a controller");
    assert_eq!(pulled(0, &[]), (1, 0.0, false));
    let mut rig = Rig::new("'nrpn 300' = { to = '/blackout', takeover = 'jump' }");
    let halves: [&[u8]; 3] = [&[0xb0, 99, 2], &[0xb0, 98, 44], &[0xb0, 6, 127]];
    assert_eq!(halves.map(|bytes| rig.play(bytes)), [0, 0, 1]);
    rig.mapping.disconnect(0, &mut Vec::new());
    assert_eq!(rig.play(halves[2]), 0, "no parameter number is chosen any more");
}
