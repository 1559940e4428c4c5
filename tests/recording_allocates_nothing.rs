//! Does recording add allocations to the frames of a live show? Its threads may allocate.

#[path = "common/counting.rs"]
mod counting;
#[path = "common/rig.rs"]
mod rig;

use latent_jockey::params::Id;
use rig::{Rig, bang, text};

#[test]
fn recording_allocates_nothing() {
    let folder = rig::Folder::new();
    let mut show = Rig::with(&[("a", "")]).live().start();
    // Its directions are found on another thread, which allocates.
    show.wait(&[], |show| show.has_directions());
    show.set_output_size([32, 32]);
    show.wait(&[text(Id::RecordFile, folder.join("x.mkv")), bang(Id::RecordStart)], |show| {
        let written = |line: &str| !line.starts_with("0:00");
        show.status().recording.is_some_and(|line| written(&line))
    });
    let mut play = || {
        for _ in 0..150 {
            show.step(0.02, &[]);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    };
    play();
    // Where the machine makes the first frame be dropped, the line about the recording gets longer, once.
    let times: Vec<usize> = (0..3).map(|_| counting::times_here(&mut play)).collect();
    assert!(times.contains(&0), "in 150 frames each: {times:?}");
    assert!(counting::times_here(|| drop(std::hint::black_box(vec![1]))) > 0, "the allocator counts");
    assert!(show.is_recording());
    let lines = show.end_recording();
    assert!(lines.len() == 1 && lines[0].contains("x.mkv") && lines[0].contains(" dropped"), "{lines:?}");
}
