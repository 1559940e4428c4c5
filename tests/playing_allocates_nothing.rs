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
    let library = Library::default();
    for name in library.names() {
        let mut show = Rig::shipped(&name).start();
        let mut play = |frames: u32| {
            for frame in 0..frames {
                let knobs = [number(Id::Psi, f64::from(frame) / 40.0), number(Id::WalkSpeed, f64::from(frame % 7))];
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
