//! Is a take that chases timecode where the timecode is, also when that jumps, stops and goes back?

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use latent_jockey::control::Event;
use latent_jockey::control::timecode::{Carrier, FrameRate, Motion, Stamp, Timecode};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::params::Id;
use latent_jockey::patch::library::Library;
use latent_jockey::record::take::Take;
use latent_jockey::show::Show;

use crate::common::fixture;
use crate::common::rig::{Folder, Rig, number};

const FRAMES: u32 = 200;
/// Not a multiple of a frame of timecode.
const DT: f64 = 0.03;

/// A take in which /psi is the number of each frame in thousandths.
fn take(path: &Path) -> Take {
    let preset = format!("network = {:?}\n", fixture("sg2_16_p2.pkl"));
    let mut rig = Rig::with(&[("a", &preset)]).live().start();
    rig.show.start_take(Some(path.to_owned()));
    for frame in 0..FRAMES {
        rig.show.step(DT, &[number(Id::Psi, f64::from(frame) / 1000.0)]);
    }
    drop(rig.show);
    Take::read(path).expect("a take")
}

fn stamp(carrier: Carrier, text: &str, motion: Motion) -> Event {
    let code = Timecode::parse(text, FrameRate::FPS_25).expect("a time");
    Event::Timecode(Stamp { carrier, code, motion })
}

struct Chaser(Show);

impl Chaser {
    /// Steps until the take stands, with one reading in the first step; the frame that plays.
    fn at(&mut self, event: Event) -> i64 {
        self.0.step(0.0, &[event]);
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            let before = self.frame();
            self.0.step(0.0, &[]);
            if self.frame() == before {
                return before;
            }
            assert!(Instant::now() < end, "it never comes to rest");
        }
    }

    fn frame(&self) -> i64 {
        (self.0.params().base(Id::Psi) * 1000.0).round() as i64
    }

    fn line(&self) -> String {
        self.0.status().notice.unwrap_or_default()
    }
}

#[test]
fn the_take_is_where_the_timecode_is() {
    let folder = Folder::new();
    let take = take(&folder.join("show.take"));
    let places = take.locate().expect("all files");
    let frames = take.start;
    let engine = (Arc::new(Cpu::default()) as _, None);
    let mut show = Show::resume(&take, frames, places, Library::default(), engine).expect("a show");
    show.play_take(take, frames, false);
    show.chase(Carrier::Mtc, 3600.0);
    let mut chaser = Chaser(show);
    assert_eq!(chaser.line(), "waiting for timecode (mtc)");
    let before = chaser.frame();
    (0..50).for_each(|_| chaser.0.step(DT, &[]));
    assert_eq!(chaser.frame(), before, "it waits");
    let mtc = |text: &str| stamp(Carrier::Mtc, text, Motion::Still);
    assert_eq!(chaser.at(mtc("01:00:02:00")), 65, "two seconds: the frames up to there");
    assert_eq!(chaser.at(mtc("01:00:05:00")), 165, "ahead");
    assert_eq!(chaser.at(mtc("01:00:01:00")), 32, "back");
    assert_eq!(chaser.at(stamp(Carrier::Ltc, "01:00:04:00", Motion::Still)), 32, "another carrier");
    assert_eq!(chaser.at(mtc("01:00:00:24")), 32, "a little back is waited for");
    // It runs, and on by itself for a second.
    chaser.at(stamp(Carrier::Mtc, "01:00:02:00", Motion::Forward));
    (0..12).for_each(|_| chaser.0.step(DT, &[]));
    assert!((76..=78).contains(&chaser.frame()), "{}", chaser.frame());
    (0..100).for_each(|_| chaser.0.step(DT, &[]));
    assert!((97..=100).contains(&chaser.frame()), "{}", chaser.frame());
    assert!(chaser.line().starts_with("timecode (mtc) is lost: holding 1:00:0"), "{}", chaser.line());
    // A hand plays on top while it stands.
    chaser.0.step(DT, &[number(Id::WalkSpeed, 3.0)]);
    assert_eq!(chaser.0.params().base(Id::WalkSpeed), 3.0);
    assert_eq!(chaser.at(mtc("02:00:00:00")), i64::from(FRAMES) - 1, "behind its end it stays");
    assert_eq!(chaser.at(mtc("01:00:01:00")), 32, "and can be called back");
}
