//! Video becomes pictures: files, cameras, screens and streams, decoded by ffmpeg in a process of its own.
//!
//! A [`Footage`] is what the rest of the program sees of it: squares of RGB bytes by number. A [`clip`] has a length, and any
//! of its pictures can be asked for; its thread decodes ahead in the direction of play. A [`live`] source has only a newest
//! picture. [`source`] says what names and addresses mean. Nobody waits for a thread here except offline, where every
//! picture counts.

pub mod camera;
pub mod clip;
mod ffmpeg;
pub mod live;
mod place;
mod probe;
mod reel;
pub mod source;
mod window;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reel::Reel;
pub use source::Source;

/// How long a render waits for a picture.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why video cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum FootageError {
    #[error("{name}: no ffmpeg on the PATH: install it to play videos, cameras and streams")]
    NoFfmpeg { name: String },
    #[error("{}: {said}", file.display())]
    File { file: PathBuf, said: String },
    #[error("{0}")]
    Source(String),
    #[error("cannot start the thread {name}: {error}")]
    Thread { name: &'static str, error: std::io::Error },
}

/// The length of a clip.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Length {
    /// Number of pictures, at least 1.
    pub count: u64,
    /// Pictures per second, above 0.
    pub fps: f64,
}

impl Length {
    /// In seconds, above 0.
    pub fn secs(&self) -> f64 {
        self.count as f64 / self.fps
    }

    /// The picture that is seen at a time in seconds; times beyond the ends come round again.
    pub fn frame_at(&self, secs: f64) -> u64 {
        // A picture is seen from its own time on, and a step of the show may end a rounding error before it.
        let place = secs.rem_euclid(self.secs()) * self.fps + 1e-6;
        place as u64 % self.count
    }
}

/// What there is to say about a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum News {
    /// One line: it gives no pictures at the moment.
    Lost(String),
    /// It gives pictures again.
    Back,
    /// One line: it gives pictures, though not as they were asked for.
    Told(String),
}

/// A clip or a live source. Clones are the same one; it ends with the last of them.
#[derive(Clone, Debug)]
pub struct Footage {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    reel: Arc<Reel>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.reel.close();
    }
}

impl Footage {
    fn new(reel: Arc<Reel>) -> Self {
        Footage { handle: Arc::new(Handle { reel }) }
    }

    /// Side of its pictures in pixels.
    pub fn side(&self) -> usize {
        self.handle.reel.side
    }

    /// The length of a clip; `None` for a live source.
    pub fn length(&self) -> Option<Length> {
        self.handle.reel.length
    }

    /// Which picture of a clip is seen now, and whether it plays backward. Never waits.
    pub fn aim(&self, frame: u64, backward: bool) {
        self.handle.reel.aim(frame, backward);
    }

    /// Whether this picture is there.
    pub fn has(&self, frame: u64) -> bool {
        self.handle.reel.has(frame)
    }

    /// The number of a live source's newest picture; 0 before the first.
    pub fn newest(&self) -> u64 {
        self.handle.reel.newest()
    }

    /// A picture, `[S, S, 3]` sRGB bytes, and its number: the one that is asked for or, if that is not there yet, the nearest
    /// within a quarter of a second. With `waits`, exactly that one, however long it takes; of a live source always the
    /// newest. `None` if there is none.
    pub fn read(&self, frame: u64, waits: bool) -> Option<(u64, Arc<Vec<u8>>)> {
        let reel = &self.handle.reel;
        match reel.length {
            None => reel.last(),
            Some(_) if waits => reel.wait(frame, PATIENCE).map(|bytes| (frame, bytes)),
            Some(length) => reel.near(frame, (length.fps / 4.0).ceil() as u64),
        }
    }

    /// What there is to say since the last call.
    pub fn take_news(&self) -> Option<News> {
        self.handle.reel.take_news()
    }

    /// Ends it: no more pictures come. Never waits.
    pub fn close(&self) {
        self.handle.reel.close();
    }

    /// A clip of pictures of one colour that are all there: for tests of what plays it.
    #[cfg(test)]
    pub fn of_colours(side: usize, fps: f64, colours: &[[u8; 3]]) -> Footage {
        let reel = Reel::new(side, Some(Length { count: colours.len().max(1) as u64, fps }));
        for (frame, colour) in colours.iter().enumerate() {
            reel.put(frame as u64, colour.repeat(side * side), None);
        }
        Footage::new(Arc::new(reel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_has_a_picture() {
        let length = Length { count: 10, fps: 25.0 };
        for (secs, frame) in
            [(0.0, 0), (0.039, 0), (0.04, 1), (0.3, 7), (0.399, 9), (0.4, 0), (0.4 - 1e-12, 0), (1.0, 5), (-0.01, 9)]
        {
            assert_eq!(length.frame_at(secs), frame, "{secs}");
        }
        // Thirds do not add up, and still each step is the next picture.
        let length = Length { count: 1000, fps: 30000.0 / 1001.0 };
        let mut secs = 0.0;
        for frame in 0..1000 {
            assert_eq!(length.frame_at(secs), frame);
            secs += 1.0 / length.fps;
        }
    }
}
