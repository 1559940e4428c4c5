//! Linear timecode as an input: the thread `ltc` reads it from one channel of a sound input, or from a file.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Carrier, Motion, Stamp};
use crate::audio::listen::{Ear, Input, Listening};
use crate::audio::ltc::{Ltc, Reading};
use crate::control::{Counts, Device, DeviceStatus, Event, EventSender, Lane};

/// Every second frame is told: as often as MIDI timecode.
const EVERY: u32 = 2;

/// An input with timecode. Dropping it closes the source.
pub struct LtcIn {
    source: Arc<Mutex<Option<String>>>,
    counts: Arc<Counts>,
    _listening: Listening,
}

impl LtcIn {
    /// Starts listening to `channel`, from 0, or to the mean of all. What is not there yet is waited for.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn start(input: Input, channel: Option<usize>, events: EventSender, counts: Arc<Counts>) -> io::Result<Self> {
        let source = Arc::<Mutex<Option<String>>>::default();
        let events = events.on(Lane::Audio);
        let ear = LtcEar { ltc: Ltc::default(), last: None, source: source.clone(), events, counts: counts.clone() };
        Ok(LtcIn { source, counts, _listening: Listening::start("ltc", input, channel, ear)? })
    }
}

impl Device for LtcIn {
    fn status(&self) -> DeviceStatus {
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner).clone();
        DeviceStatus::new("ltc", source.into_iter().collect(), &self.counts)
    }
}

struct LtcEar {
    ltc: Ltc,
    /// What was told last.
    last: Option<Reading>,
    source: Arc<Mutex<Option<String>>>,
    events: EventSender,
    counts: Arc<Counts>,
}

impl Ear for LtcEar {
    fn feed(&mut self, samples: &[f32]) {
        let LtcEar { ltc, last, events, counts, .. } = self;
        ltc.feed(samples, |reading| {
            let is_next = last.is_some_and(|last| {
                let apart = i64::from(reading.code.frames()) - i64::from(last.code.frames());
                last.is_backwards == reading.is_backwards && apart.unsigned_abs() < u64::from(EVERY)
            });
            if is_next {
                return;
            }
            *last = Some(reading);
            let motion = if reading.is_backwards { Motion::Reverse } else { Motion::Forward };
            Counts::add(&counts.received);
            events.send(Event::Timecode(Stamp { carrier: Carrier::Ltc, code: reading.code, motion }), counts);
        });
    }

    fn say(&mut self, line: String) {
        self.events.send(Event::Notice(line), &self.counts);
    }

    fn fail(&mut self, line: String) {
        self.events.send(Event::Fault { of: "ltc".to_owned(), line }, &self.counts);
    }

    fn mended(&mut self) {
        self.events.send(Event::Mended { of: "ltc".to_owned() }, &self.counts);
    }

    fn open(&mut self, source: Option<&str>) {
        *self.source.lock().unwrap_or_else(PoisonError::into_inner) = source.map(str::to_owned);
    }

    fn lost(&mut self, samples: u64) {
        if samples > 0 {
            Counts::add(&self.counts.dropped);
        }
    }
}

/// Splits `scarlett:2` into an input and its channel, from 0.
pub fn parse_input(word: &str) -> (&str, Option<usize>) {
    let split = word.rsplit_once(':');
    match split.and_then(|(input, channel)| Some((input, channel.parse::<usize>().ok()?.checked_sub(1)?))) {
        Some((input, channel)) => (input, Some(channel)),
        None => (word, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_may_follow_the_input() {
        for (word, expected) in [
            ("scarlett", ("scarlett", None)),
            ("scarlett:2", ("scarlett", Some(1))),
            ("pulseaudio:club.monitor", ("pulseaudio:club.monitor", None)),
            ("jack:input:1", ("jack:input", Some(0))),
            ("tape.wav", ("tape.wav", None)),
            ("x:0", ("x:0", None)),
        ] {
            assert_eq!(parse_input(word), expected);
        }
    }
}
