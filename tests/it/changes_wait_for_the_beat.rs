//! With `/quantize`, do presets, seeds and networks change on the beat and not before, whatever the clock?

use crate::common::rig::{Rig, write};
use latent_jockey::control::Event;
use latent_jockey::control::midi::parse;
use latent_jockey::params::{Id, Value};
use latent_jockey::show::Show;

/// Frames per second; at 120 bpm, a beat takes 30 frames.
const FPS: f64 = 60.0;

fn show() -> Rig {
    // The others do not set /quantize, so it stays.
    Rig::with(&[
        ("a", "[params]\n\"/seed\" = 1\n\"/freeze\" = true\n\"/quantize\" = 4\n"),
        ("b", "[params]\n\"/seed\" = 2\n\"/freeze\" = true\n"),
        ("c", "[params]\n\"/seed\" = 3\n\"/freeze\" = true\n"),
    ])
    .start()
}

/// The frame, counted from now, after which the seed is `seed`.
fn frames_until(show: &mut Show, seed: f64) -> usize {
    (1..400)
        .find(|_| {
            show.step(1.0 / FPS, &[]);
            show.params().base(Id::Seed) == seed
        })
        .expect("the change comes")
}

#[test]
fn what_cannot_wait_any_more_is_one_line() {
    let mut show = show();
    show.step(1.0 / FPS, &vec![write(Id::SeedNext, Value::Nothing); 66]);
    assert_eq!(show.notice(), "/seed/next is dropped: 64 changes wait for their beat already");
    assert_eq!((show.status().refused, show.params().base(Id::Seed)), (2, 1.0));
    frames_until(&mut show, 65.0);
}

#[test]
fn seeds_and_presets_wait_for_the_fourth_beat() {
    let mut show = show();
    show.step(1.0 / FPS, &[write(Id::Seed, Value::Int(77)), write(Id::Seed, Value::Int(78))]);
    assert_eq!(show.params().base(Id::Seed), 1.0);
    let pending = show.status().pending.expect("a line");
    assert!(pending.starts_with("/seed 78 in 4.0 beats") || pending.starts_with("/seed 78 in 3.9 beats"), "{pending}");
    let frames = frames_until(&mut show, 78.0);
    assert!((118..=120).contains(&frames), "{frames} frames instead of 119");
    assert_eq!(show.status().pending, None);

    // Steps add up; releasing a button is not a step.
    show.step(
        1.0 / FPS,
        &[
            write(Id::SeedNext, Value::Nothing),
            write(Id::SeedNext, Value::Float(0.0)),
            write(Id::SeedNext, Value::Int(1)),
        ],
    );
    assert!((116..=120).contains(&frames_until(&mut show, 80.0)));

    show.step(1.0 / FPS, &[write(Id::Preset, Value::Text("c".to_owned()))]);
    assert_eq!(show.preset().name, "a");
    frames_until(&mut show, 3.0);
    assert_eq!((show.preset().name.as_str(), show.params().text(Id::Preset)), ("c", "c"));

    // A faster tempo: the beat is what counts. And 0 applies everything at once, including what is waiting.
    show.step(1.0 / FPS, &[write(Id::Tempo, Value::Int(240)), write(Id::PresetNext, Value::Nothing)]);
    assert!(frames_until(&mut show, 1.0) <= 60);
    show.step(1.0 / FPS, &[write(Id::Seed, Value::Int(9))]);
    show.step(1.0 / FPS, &[write(Id::Quantize, Value::Int(0))]);
    assert_eq!(show.params().base(Id::Seed), 9.0);
    show.step(1.0 / FPS, &[write(Id::Seed, Value::Int(10))]);
    assert_eq!(show.params().base(Id::Seed), 10.0);
}

#[test]
fn networks_are_loaded_before_their_beat() {
    let mut show = show();
    let before = show.network().path.clone();
    let other = crate::common::fixture("sg2_32.safetensors");
    show.step(1.0 / FPS, &[write(Id::Network, Value::Text(other.to_string_lossy().into_owned()))]);
    for _ in 0..100 {
        show.step(1.0 / FPS, &[]);
        assert_eq!(show.network().path, before);
    }
    (0..25).for_each(|_| show.step(1.0 / FPS, &[]));
    assert_eq!(show.network().path, other);
    // One that does not exist is reported, and the show goes on.
    show.step(1.0 / FPS, &[write(Id::Network, Value::Text("nowhere".to_owned()))]);
    (0..130).for_each(|_| show.step(1.0 / FPS, &[]));
    assert!(show.status().notice.is_some_and(|line| line.contains("nowhere")));
    assert_eq!(show.network().path, other);
}

#[test]
fn a_midi_clock_sets_the_beat() {
    let mut show = show();
    let midi = |bytes: &[u8], secs: f64| Event::Midi(parse(bytes, 0, (secs * 1e6) as u64).expect("a message"));
    // 150 bpm, in frames; the pulses are up to 8 ms late.
    let (mut secs, mut pulse) = (0.0, 0u32);
    let mut play = |show: &mut Show, frames: usize, mut events: Vec<Event>| {
        let from = secs;
        for _ in 0..frames {
            secs += 1.0 / FPS;
            while f64::from(pulse) * 60.0 / 150.0 / 24.0 <= secs {
                let late = f64::from(pulse * 7 % 5) * 0.002;
                events.push(midi(&[0xf8], f64::from(pulse) * 60.0 / 150.0 / 24.0 + late));
                pulse += 1;
            }
            show.step(1.0 / FPS, &events);
            events.clear();
        }
        secs - from
    };
    play(&mut show, 1, vec![midi(&[0xfa], 0.0)]);
    play(&mut show, 480, Vec::new());
    assert!((show.params().base(Id::Tempo) - 150.0).abs() < 1.0, "{}", show.params().base(Id::Tempo));
    // 8 s are 20 beats: the next multiple of four is at 24, 1.6 s later.
    let seed = write(Id::Seed, Value::Int(77));
    play(&mut show, 1, vec![seed]);
    let mut waited = 0.0;
    while show.params().base(Id::Seed) != 77.0 && waited < 5.0 {
        waited += play(&mut show, 1, Vec::new());
    }
    assert!((1.45..1.7).contains(&waited), "{waited} s");

    // Stop holds the beat and everything waiting; start is a first beat.
    play(&mut show, 1, vec![midi(&[0xfc], 0.0), write(Id::Seed, Value::Int(78))]);
    (0..100).for_each(|_| show.step(1.0 / FPS, &[midi(&[0xf8], 0.0)]));
    assert_eq!(show.params().base(Id::Seed), 77.0, "the other machine is stopped");
    show.step(1.0 / FPS, &[midi(&[0xfa], 0.0)]);
    assert_eq!(show.params().base(Id::Seed), 78.0, "a start is a first beat");
}
