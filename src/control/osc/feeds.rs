//! Feeds: read-only values that the show publishes about itself.
//!
//! Clients get them like parameters: by `/get`, `/dump`, `/subscribe` and OSCQuery. Pure.

use rosc::OscType;

use crate::audio::outputs::{COUNT, OUTPUTS};

/// One feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feed {
    Beat,
    Fps,
    Timecode,
    /// What is heard: a place in the list of outputs.
    Audio(u8),
}

/// The feeds of the show itself.
const OWN: usize = 3;

/// Every feed, in the order of [`Feed::index`].
pub const FEEDS: [Feed; OWN + COUNT] = {
    let mut feeds = [Feed::Beat; OWN + COUNT];
    feeds[1] = Feed::Fps;
    feeds[2] = Feed::Timecode;
    let mut i = 0;
    while i < COUNT {
        feeds[OWN + i] = Feed::Audio(i as u8);
        i += 1;
    }
    feeds
};

impl Feed {
    pub const fn address(self) -> &'static str {
        match self {
            Feed::Beat => "/beat",
            Feed::Fps => "/fps",
            Feed::Timecode => "/timecode",
            Feed::Audio(i) => OUTPUTS[i as usize].address,
        }
    }

    pub const fn help(self) -> &'static str {
        match self {
            Feed::Beat => "beats since the start: a new number on each beat",
            Feed::Fps => "pictures per second, updated once a second",
            Feed::Timecode => "seconds of the timecode that arrives, from 00:00:00:00",
            Feed::Audio(i) => OUTPUTS[i as usize].help,
        }
    }

    /// Its place in [`FEEDS`].
    pub const fn index(self) -> usize {
        match self {
            Feed::Beat => 0,
            Feed::Fps => 1,
            Feed::Timecode => 2,
            Feed::Audio(i) => OWN + i as usize,
        }
    }

    /// Whether subscribers to `prefix` get it. What is heard, and timecode, change in every frame and are sent only to
    /// those who ask for them.
    pub fn is_sent_to(self, prefix: &str) -> bool {
        match self {
            Feed::Beat | Feed::Fps => true,
            Feed::Timecode | Feed::Audio(_) => !prefix.is_empty(),
        }
    }

    /// The feed at an address; a leading `/latent-jockey` is ignored.
    pub fn resolve(address: &str) -> Option<Feed> {
        let address = address.strip_prefix("/latent-jockey").unwrap_or(address);
        FEEDS.into_iter().find(|feed| feed.address() == address)
    }
}

/// The values of the feeds in this frame.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Feeds {
    /// Beats since the start; clients get whole ones.
    pub beat: f64,
    /// Seconds since 00:00:00:00; clients get hundredths.
    pub timecode: f64,
    /// Pictures per second.
    pub fps: f32,
    /// What is heard, 0 to 1, in the order of [`OUTPUTS`].
    pub audio: Heard,
}

/// A value for each of [`OUTPUTS`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heard(pub [f32; COUNT]);

impl Default for Heard {
    fn default() -> Self {
        Heard([0.0; COUNT])
    }
}

impl Feeds {
    /// Differs from every value, so that all are sent.
    pub fn unsent() -> Self {
        Feeds { beat: -1.0, timecode: -1.0, fps: -1.0, audio: Heard([f32::NAN; COUNT]) }
    }

    /// As an OSC argument.
    pub fn value(&self, feed: Feed) -> OscType {
        match feed {
            Feed::Beat => OscType::Int(self.beat.floor() as i32),
            Feed::Fps => OscType::Float(self.fps),
            Feed::Timecode | Feed::Audio(_) => OscType::Float(self.number(feed) as f32),
        }
    }

    /// As a number that changes whenever the feed does.
    pub fn number(&self, feed: Feed) -> f64 {
        match feed {
            Feed::Beat => self.beat.floor(),
            Feed::Fps => f64::from(self.fps),
            Feed::Timecode => (self.timecode * 100.0).floor() / 100.0,
            Feed::Audio(i) => {
                let i = usize::from(i);
                OUTPUTS[i].shape.natural(f64::from(self.audio.0[i]))
            }
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn feeds_are_found_and_are_not_parameters() {
        for (i, feed) in FEEDS.into_iter().enumerate() {
            assert_eq!(feed.index(), i);
            assert_eq!(Feed::resolve(feed.address()), Some(feed));
            assert_eq!(Feed::resolve(&format!("/latent-jockey{}", feed.address())), Some(feed));
            assert_eq!(crate::params::Table::built_in().resolve(feed.address()), None);
        }
        assert_eq!(Feed::resolve("/beats"), None);
    }

    #[test]
    fn what_is_heard_is_published_in_its_unit() {
        let mut feeds = Feeds::default();
        let feed = |address: &str| Feed::resolve(address).unwrap_or_else(|| panic!("no feed {address}"));
        let mut set = |address: &str, value: f32| {
            let Feed::Audio(i) = feed(address) else { panic!("{address}") };
            feeds.audio.0[usize::from(i)] = value;
        };
        set("/audio/bass", 0.25);
        set("/audio/bpm", 0.5);
        assert_eq!(feeds.value(feed("/audio/bass")), OscType::Float(0.25));
        assert_eq!(feeds.value(feed("/latent-jockey/audio/bpm")), OscType::Float(120.0), "half way from 60 to 180");
        assert_eq!(feeds.number(feed("/audio/centroid")), 100.0);
        assert!(!feed("/audio/bass").is_sent_to("") && feed("/audio/bass").is_sent_to("/audio"));
        assert!(feed("/beat").is_sent_to(""));
        feeds.timecode = 3600.256;
        assert_eq!(feeds.number(feed("/timecode")), 3600.25);
        assert!(!feed("/timecode").is_sent_to(""));
    }
}
