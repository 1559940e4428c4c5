//! The sound of a stream: what is heard while its frames are shown, or silence.
//!
//! A muxer holds frames back until their sound is there, so sound that is late is left out sooner than in a recording.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use super::Shot;
use crate::audio::history::History;
use crate::record::feed::Feed;
use crate::record::soundtrack::Soundtrack;

/// Sound that is this late in coming is left out.
const LATEST_SECS: f64 = 0.25;

/// What a stream gives to be heard.
#[derive(Clone, Debug)]
pub(super) enum Heard {
    Sound(Arc<History>),
    /// For receivers that take no stream without sound.
    Silence,
}

/// The sound of one connection.
pub(super) struct StreamSound {
    track: Soundtrack,
    is_silent: bool,
    samples: Vec<f32>,
}

impl StreamSound {
    /// From frame 0 of the connection, which was shown at `start`.
    pub fn new(heard: Heard, fps: f64, start: Instant) -> StreamSound {
        let is_silent = matches!(heard, Heard::Silence);
        let history = match heard {
            Heard::Sound(history) => history,
            Heard::Silence => Arc::default(),
        };
        StreamSound { track: Soundtrack::new(history, fps, start), is_silent, samples: Vec::new() }
    }

    /// Writes the sound until frame `place` of the connection, as far as it has been heard.
    ///
    /// # Errors
    /// When nobody reads.
    pub fn write<W: Write>(&mut self, feed: &mut Feed<W>, place: u64, shot: &Shot) -> io::Result<()> {
        self.track.follow(place, shot.at);
        while self.track.place() <= place {
            let next = self.track.place();
            let must = self.is_silent || self.track.is_late(place, LATEST_SECS);
            if !self.track.piece(must, &mut self.samples) {
                break;
            }
            feed.write_sound(next, &self.samples)?;
        }
        Ok(())
    }
}
