//! Does a warmed-up show allocate while it plays? A counting allocator says no, for every preset.

#[path = "common/counting.rs"]
mod counting;
#[path = "common/rig.rs"]
mod rig;

use latent_jockey::params::Id;
use latent_jockey::patch::library::Library;
use rig::{Rig, number};

#[test]
fn playing_allocates_nothing() {
    the_log_of_a_live_show_allocates_nothing();
    let library = Library::default();
    for name in library.names() {
        let mut show = Rig::shipped(&name).start();
        if show.preset().script.is_some() {
            // Lua allocates when its handlers run.
            continue;
        }
        let mut play = |frames: u32| {
            for frame in 0..frames {
                let knobs = [
                    number(Id::Psi, f64::from(frame) / 40.0),
                    number(Id::WalkSpeed, f64::from(frame % 7)),
                    number(Id::MixAmount, f64::from(frame % 3) / 2.0),
                    number(Id::Dir, f64::from(frame % 5) / 2.0),
                    number(Id::of_bend(0)[0], f64::from(frame % 12)),
                    number(Id::of_bend(1)[0], f64::from(12 + frame % 3)),
                    number(Id::of_bend(0)[2], 0.5),
                    number(Id::of_bend(1)[2], 0.5),
                    number(Id::of_bend(1)[6], f64::from(frame % 4) / 4.0),
                ];
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
    #[cfg(feature = "luau")]
    bindings_allocate_nothing();
    assert!(counting::times(|| drop(std::hint::black_box(vec![1]))) > 0, "the allocator counts");
}

/// What enters a live show is noted for takes in buffers that come back.
fn the_log_of_a_live_show_allocates_nothing() {
    let mut show = Rig::shipped("6-flowers").live().start();
    // Its directions are found on another thread, which allocates.
    show.wait(&[], |show| show.has_directions());
    let mut play = |frames: u32| {
        (0..frames).for_each(|frame| show.step(0.1, &[number(Id::Psi, f64::from(frame % 8) / 16.0)]));
    };
    play(400);
    let mut times = counting::times_here(|| play(100));
    if times > 0 {
        times = counting::times_here(|| play(100));
    }
    assert_eq!(times, 0, "the frames of a live show allocate {times} times in 100");
}

/// 600 bindings of live code: waves, patterns, envelopes, smoothing and delays.
#[cfg(feature = "luau")]
fn bindings_allocate_nothing() {
    let code = "for i = 0, 199 do
        z[i] = 0.5 + (noise(i / 50 + 1) ^ 2 * kick - sine(3) / 2):smooth(0.2):clip(-1, 1)
        w[i] = seq('1 2(3,8) [3 4]? <5 6>', 2):env(0.01, 0.2)
        w[i + 200] = (psi * bass):delay(0.5) + lfo('tri', 2):slow(2):quantize(0.1)
    end";
    let mut show = Rig::with(&[("many.luau", code)]).start();
    let mut play = |frames: u32| (0..frames).for_each(|_| show.step(0.1, &[]));
    play(40);
    let mut times = counting::times(|| play(40));
    if times > 0 {
        times = counting::times(|| play(40));
    }
    assert_eq!(times, 0, "600 bindings allocate {times} times in 40 frames");
    assert_eq!(show.params().bound().len(), 600);
}
