//! Feeds: read-only values that the show publishes about itself.
//!
//! Clients get them like parameters: by `/get`, `/dump`, `/subscribe` and OSCQuery. Pure.

use rosc::OscType;

/// One feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Feed {
    Beat,
    Fps,
}

/// Every feed, in the order of the list.
pub const FEEDS: [Feed; 2] = [Feed::Beat, Feed::Fps];

impl Feed {
    pub const fn address(self) -> &'static str {
        match self {
            Feed::Beat => "/beat",
            Feed::Fps => "/fps",
        }
    }

    pub const fn help(self) -> &'static str {
        match self {
            Feed::Beat => "beats since the start: a new number on each beat",
            Feed::Fps => "pictures per second, updated once a second",
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
    /// Whole beats since the start.
    pub beat: i32,
    /// Pictures per second.
    pub fps: f32,
}

impl Feeds {
    /// As an OSC argument.
    pub fn value(&self, feed: Feed) -> OscType {
        match feed {
            Feed::Beat => OscType::Int(self.beat),
            Feed::Fps => OscType::Float(self.fps),
        }
    }

    /// As a number that changes whenever the feed does.
    pub fn number(&self, feed: Feed) -> f64 {
        match feed {
            Feed::Beat => f64::from(self.beat),
            Feed::Fps => f64::from(self.fps),
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn feeds_are_found_and_are_not_parameters() {
        for feed in FEEDS {
            assert_eq!(Feed::resolve(feed.address()), Some(feed));
            assert_eq!(Feed::resolve(&format!("/latent-jockey{}", feed.address())), Some(feed));
            assert_eq!(crate::params::Table::built_in().resolve(feed.address()), None);
        }
        assert_eq!(Feed::resolve("/beats"), None);
    }
}
