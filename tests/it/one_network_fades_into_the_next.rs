//! Does one network fade into the next over `/network/fade` seconds, whatever their sizes, while both keep moving?
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::common::fixture;
use crate::common::rig::{Rig, Setup, number, text};
use latent_jockey::control::{Event, keys};
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::params::Id;
use latent_jockey::show::{Picture, Show};

/// A different size, a different family, fewer colours.
const SMALL: &str = "sg2_32.pkl";
const TURNING: &str = "sg3r_32.pkl";
const GREY: &str = "sg2_16_orig_gray.pkl";

fn setup(network: &str) -> Setup {
    Rig::shipped("6-flowers").network(network).seed(85).engine(Arc::new(Cpu::new(2)))
}

fn show(network: &str) -> Rig {
    setup(network).start()
}

fn load(network: &str) -> Event {
    text(Id::Network, fixture(network))
}

fn fade(secs: f64) -> Event {
    number(Id::NetworkFade, secs)
}

fn picture(show: &Show) -> Picture {
    Picture { serial: 0, ..(**show.picture().unwrap()).clone() }
}

/// The mean difference of two pictures of the same size, in 8-bit steps.
fn difference(a: &Picture, b: &Picture) -> f64 {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let sum: u64 = a.rgba.iter().zip(&b.rgba).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.rgba.len() as f64
}

#[test]
fn without_a_fade_it_cuts() {
    let mut show = show(SMALL);
    show.step(0.0, &[fade(0.0)]);
    show.step(0.1, &[load(GREY)]);
    assert_eq!((picture(&show).width, show.network().name.as_str()), (16, "sg2_16_orig_gray"));
}

#[test]
fn the_picture_changes_in_even_steps() {
    let still = text(Id::WalkKind, "hold");
    let mut show = show(SMALL);
    show.step(0.0, &[still, fade(2.0)]);
    let before = picture(&show);
    show.step(0.5, &[load(TURNING)]);
    let quarter = picture(&show);
    for _ in 0..2 {
        show.step(0.5, &[]);
    }
    let three_quarters = picture(&show);
    show.step(0.5, &[]);
    let after = picture(&show);
    let whole = difference(&before, &after);
    assert!(whole > 8.0, "{whole}");
    for (picture, share) in [(&quarter, 0.25), (&three_quarters, 0.75)] {
        // Untrained networks go far beyond black and white, where 8 bits clip, so the line is slightly bent.
        let (left, right) = (difference(&before, picture) / whole, difference(picture, &after) / whole);
        assert!((left - share).abs() < 0.25 && (right - (1.0 - share)).abs() < 0.25, "{share}: {left} and {right}");
    }
    // The fade is complete: the picture is what the network alone gives.
    let mut alone = self::show(TURNING);
    alone.step(0.0, &[text(Id::WalkKind, "hold")]);
    assert!(difference(&picture(&alone), &after) < 0.5);
}

#[test]
fn both_networks_keep_moving_and_the_same_fade_gives_the_same_bytes() {
    let run = || {
        let mut show = show(SMALL);
        show.step(0.0, &[fade(1.0), number(Id::WalkSpeed, 4.0)]);
        show.step(1e-9, &[load(GREY)]);
        // Held at the very start, only the old network is visible, so it is the one that moves.
        let first = picture(&show);
        assert_eq!(first.width, 32, "the larger size is shown");
        show.step(0.25, &[fade(60.0)]);
        let moved = picture(&show);
        show.step(0.25, &[fade(1.0)]);
        (first, moved, picture(&show))
    };
    let (first, moved, last) = run();
    assert!(difference(&first, &moved) > 0.5, "the old network stands still");
    assert!((first, moved, last) == run());
}

#[test]
fn a_third_network_in_the_middle_of_a_fade_does_not_jump() {
    let mut show = show(SMALL);
    show.step(0.0, &[fade(1.0), text(Id::WalkKind, "hold")]);
    show.step(0.5, &[load(TURNING)]);
    let middle = picture(&show);
    show.step(1e-6, &[load("sgxl_32_super.pkl")]);
    assert!(difference(&middle, &picture(&show)) < 1.5);
    for _ in 0..5 {
        show.step(0.25, &[]);
    }
    assert_eq!(show.network().name, "sgxl_32_super");
    assert!(difference(&middle, &picture(&show)) > 2.0);
}

#[test]
fn live_loading_reports_progress_and_a_failure_keeps_the_old_network() {
    let mut show = setup(SMALL).live().start();
    let seen = RefCell::new(Vec::new());
    let step_until = |show: &mut Show, events: &[Event], done: &dyn Fn(&Show) -> bool| {
        show.step(0.01, events);
        for _ in 0..30_000 {
            if done(show) {
                return;
            }
            seen.borrow_mut().extend(show.status().loading);
            std::thread::sleep(Duration::from_millis(2));
            show.step(0.01, &[]);
        }
        panic!("waited in vain: {:?}", show.status());
    };
    step_until(&mut show, &[fade(0.2)], &|show| show.picture().is_some());
    // As the window passes it on, even where OSC may only send names.
    show.set_names_only(true);
    let dropped = keys::dropped(&fixture(TURNING));
    step_until(&mut show, &[dropped], &|show| show.network().name == "sg3r_32");
    assert!(show.status().notice.is_some_and(|line| line == "sg3r_32 is ready"));
    let serial = show.picture().unwrap().serial;
    step_until(&mut show, &[], &|show| show.picture().unwrap().serial > serial + 2);
    let bad = keys::dropped(&fixture("hostile/network_plus_os_system.pkl"));
    step_until(&mut show, &[bad], &|show| show.status().notice.is_some_and(|line| line.contains("posix.system")));
    let status = show.status();
    let line = status.notice.unwrap_or_default();
    assert!(line.ends_with("sg3r_32 plays on") && !line.contains('\n'), "{line}");
    assert_eq!((status.network.as_str(), status.loading), ("sg3r_32", None));
    let path = text(Id::Network, fixture(SMALL));
    let refused = |show: &Show| show.status().notice.is_some_and(|line| line.starts_with("no network "));
    step_until(&mut show, &[path], &refused);
    assert!(show.status().loading.is_none() && show.network().name == "sg3r_32", "a path came in over the open port");
    // Where the machine has stopped us meanwhile, nothing was seen of it.
    let is_seen = || seen.borrow().iter().any(|line| line.starts_with("sg3r_32: "));
    for name in [SMALL, TURNING].into_iter().cycle().take(20).take_while(|_| !is_seen()) {
        let stem = name.strip_suffix(".pkl").expect("a network");
        step_until(&mut show, &[keys::dropped(&fixture(name))], &|show| show.network().name == stem);
    }
    let seen = seen.borrow();
    assert!(seen.iter().any(|line| line.starts_with("sg3r_32: ")), "{seen:?}");
    assert!(seen.iter().all(|line| line.ends_with(": reading") || line.ends_with(": building")), "{seen:?}");
    assert!(Path::new(&show.network().path).exists());
}
