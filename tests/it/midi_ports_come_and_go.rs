//! Is a missing MIDI system reported just once?
//! Ports that come and go: `tests/midi_over_jack.rs`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::rig::PATIENCE;
use latent_jockey::control::midi::{MidiInputs, PortRule};
use latent_jockey::control::{Counts, Event, Events, queue};

fn notices(events: &Events, wait: Duration) -> Vec<String> {
    let until = Instant::now() + wait;
    let mut notices = Vec::new();
    while let Ok(event) = events.recv_deadline(until) {
        if let Event::Notice(text) | Event::Fault { line: text, .. } = event {
            notices.push(text);
        }
    }
    notices
}

#[test]
fn no_midi_system_is_one_notice() {
    if latent_jockey::control::midi::ports().is_ok() {
        println!("skipped: this machine has a MIDI system");
        return;
    }
    let (sender, events) = queue();
    let inputs = MidiInputs::start(PortRule::default(), sender, Arc::new(Counts::default()));
    let told = events.recv_timeout(PATIENCE);
    let is_it = |line: &str| line.starts_with("no MIDI system: ") && line.ends_with("; continuing without MIDI");
    assert!(matches!(&told, Ok(Event::Notice(line)) if is_it(line)), "{told:?}");
    // Long enough for several scans.
    assert_eq!(notices(&events, Duration::from_secs(3)), Vec::<String>::new());
    assert_eq!(inputs.names().list(), Vec::<String>::new());
    // It stops.
    drop(inputs);
}
