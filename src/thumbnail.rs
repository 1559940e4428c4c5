//! Small pictures of presets, styles, networks and seeds, for whatever shows a choice: the window, the page, the editor.
//!
//! [`Thumbnails::get`] never waits: it returns the picture, or asks for it. The thread `thumbnails` finds it among those that
//! ship and in a folder of the platform's cache, or has it drawn by a child process of our own program at the lowest priority
//! (`latent-jockey thumbnails`), so that a show never stutters for a thumbnail, and a file that crashes the drawing crashes
//! only that. Nothing runs before something is asked for. What draws is not in this room: see
//! [`crate::commands::thumbnails`].

mod cache;
mod child;
mod key;
mod origin;
mod service;
mod shelf;
#[cfg(test)]
mod test;

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crossbeam_channel::{Receiver, Sender, bounded};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageFormat};

pub use child::{HELLO, Head};
pub use key::Key;
pub use origin::Request;
use service::Service;
pub use shelf::Found;
use shelf::Shelf;

use crate::control::query::{Thumb, Thumbs};
use crate::patch::library::Library;

/// Width and height of a preset's picture, as the audience sees it.
pub const WIDE: [u32; 2] = [192, 108];
/// Width and height of all others.
pub const SQUARE: [u32; 2] = [160, 160];
/// The folder of those that ship, among the files that are built in.
pub const SHIPPED: &str = "thumbnails";
/// Their extension.
pub const ENDING: &str = "jpg";
/// Most bytes of one that ships.
pub const MOST_SHIPPED: usize = 10 << 10;
/// Most bytes and longest side of a file that is taken for a thumbnail.
const MOST_BYTES: usize = 64 << 10;
const LONGEST: u32 = 512;
/// The best quality of their JPEG.
const QUALITY: u8 = 84;

/// A small picture.
#[derive(Debug, PartialEq, Eq)]
pub struct Thumbnail {
    pub width: u32,
    pub height: u32,
    /// sRGB-encoded RGBA, 8 bits each, rows from top to bottom; opaque.
    pub rgba: Vec<u8>,
    /// The same as a JPEG.
    pub jpeg: Arc<[u8]>,
    /// Changes with the contents.
    pub tag: Arc<str>,
}

impl Thumbnail {
    /// Decodes a JPEG; `None` if it is none, or too large for a thumbnail.
    pub fn from_jpeg(jpeg: &[u8], tag: &str) -> Option<Thumbnail> {
        if jpeg.len() > MOST_BYTES {
            return None;
        }
        let mut reader = image::ImageReader::with_format(std::io::Cursor::new(jpeg), ImageFormat::Jpeg);
        let mut limits = image::Limits::default();
        (limits.max_image_width, limits.max_image_height) = (Some(LONGEST), Some(LONGEST));
        reader.limits(limits);
        let picture = reader.decode().ok()?.into_rgba8();
        let (width, height) = picture.dimensions();
        Some(Thumbnail { width, height, rgba: picture.into_raw(), jpeg: jpeg.into(), tag: tag.into() })
    }

    /// A JPEG of at most [`MOST_SHIPPED`] bytes: as good as fits into them. `None` if the bytes are not such a picture.
    pub fn encode(rgba: &[u8], [width, height]: [u32; 2]) -> Option<Vec<u8>> {
        if rgba.len() as u64 != u64::from(width) * u64::from(height) * 4 {
            return None;
        }
        let rgb: Vec<u8> = rgba.as_chunks::<4>().0.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect();
        let mut jpeg = Vec::new();
        for quality in (1..=QUALITY).rev().step_by(6) {
            jpeg.clear();
            let encoder = JpegEncoder::new_with_quality(&mut jpeg, quality);
            encoder.write_image(&rgb, width, height, ExtendedColorType::Rgb8).ok()?;
            if jpeg.len() <= MOST_SHIPPED {
                break;
            }
        }
        Some(jpeg)
    }
}

/// Where thumbnails are kept, and who draws them.
#[derive(Clone)]
pub struct Options {
    pub library: Library,
    /// The folder of those that were drawn; `None` keeps none.
    pub cache: Option<PathBuf>,
    /// The program that draws: see [`Head`] for what it reads and writes.
    pub program: Arc<dyn Fn() -> std::io::Result<Command> + Send + Sync>,
}

impl Options {
    /// Drawn by this program, and kept in the platform's cache folder.
    pub fn new(library: Library) -> Self {
        let program = || {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg("thumbnails");
            Ok(command)
        };
        Options { library, cache: cache::default_folder(), program: Arc::new(program) }
    }
}

/// The thumbnails: a handle that can be cloned. When the last is dropped, the thread and the child process end.
#[derive(Clone)]
pub struct Thumbnails {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for Thumbnails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Thumbnails").finish_non_exhaustive()
    }
}

/// What the handles and the thread share.
struct Shared {
    shelf: Mutex<Shelf>,
    /// Wakes the thread; it holds one call at most.
    wake: Sender<()>,
    /// For the thread, until it is started.
    calls: Receiver<()>,
    is_started: AtomicBool,
    options: Options,
}

impl Shared {
    /// Held for some lookups at most, never while anything is read or drawn.
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        // A panicked holder leaves at worst one request behind.
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Thumbnails {
    /// Starts nothing yet.
    pub fn new(options: Options) -> Self {
        let (wake, calls) = bounded(1);
        let (shelf, is_started) = (Mutex::default(), AtomicBool::new(false));
        Thumbnails { shared: Arc::new(Shared { shelf, wake, calls, is_started, options }) }
    }

    /// The picture, if it is there; otherwise it is asked for. Never waits. Newer requests are served first; a request that
    /// is displaced by newer ones is made again by asking again.
    pub fn get(&self, key: &Key) -> Option<Arc<Thumbnail>> {
        match self.find(key) {
            Found::Ready(thumbnail) => Some(thumbnail),
            Found::Coming | Found::Absent => None,
        }
    }

    /// As [`Thumbnails::get`]; also says whether there is any use in waiting.
    pub fn find(&self, key: &Key) -> Found {
        let (found, is_new) = self.shared.shelf().find(key);
        if is_new {
            self.start();
            // A call that is waiting is for this one, too.
            let _ = self.shared.wake.try_send(());
        }
        found
    }

    fn start(&self) {
        if self.shared.is_started.swap(true, Ordering::AcqRel) {
            return;
        }
        let service = Service::new(Arc::downgrade(&self.shared), self.shared.calls.clone(), &self.shared.options);
        let started = std::thread::Builder::new().name("thumbnails".to_owned()).spawn(move || service.run());
        if let Err(error) = started {
            tracing::warn!("no thumbnails: cannot start their thread: {error}");
        }
    }
}

impl Thumbs for Thumbnails {
    fn thumb(&self, address: &str) -> Thumb {
        let Some(key) = Key::from_address(address) else { return Thumb::Absent };
        match self.find(&key) {
            Found::Ready(thumbnail) => Thumb::Ready { jpeg: thumbnail.jpeg.clone(), tag: thumbnail.tag.clone() },
            Found::Coming => Thumb::Coming,
            Found::Absent => Thumb::Absent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thumbnail_survives_its_jpeg_and_garbage_is_none() {
        let [width, height] = WIDE;
        // Noise is what JPEG is worst at.
        let noise = |i: u32| (i.wrapping_mul(2_654_435_761) >> 13) as u8;
        let rgba: Vec<u8> = (0..width * height).flat_map(|i| [noise(i), noise(i + 7), noise(i + 99), 255]).collect();
        let jpeg = Thumbnail::encode(&rgba, WIDE).unwrap();
        assert!(jpeg.len() <= MOST_SHIPPED, "{}", jpeg.len());
        let thumbnail = Thumbnail::from_jpeg(&jpeg, "t").unwrap();
        assert_eq!([thumbnail.width, thumbnail.height], WIDE);
        assert_eq!(thumbnail.rgba.len(), rgba.len());
        assert_eq!((&*thumbnail.jpeg, &*thumbnail.tag), (&*jpeg, "t"));
        assert!(Thumbnail::encode(&rgba[4..], WIDE).is_none());
        for wrong in [&b""[..], b"\xff\xd8\xff", &[0; 100_000], b"<html>"] {
            assert!(Thumbnail::from_jpeg(wrong, "").is_none());
        }
        let large = vec![0; 4 * 600 * 600];
        let large = Thumbnail::encode(&large, [600, 600]).unwrap();
        assert!(large.len() < MOST_BYTES && Thumbnail::from_jpeg(&large, "").is_none());
    }
}
