//! A video without ffmpeg: JPEGs in a Matroska file, which most players open. Runs on the calling thread.
//!
//! Much larger than an encoder's, but every cut-off file plays, and a slow machine keeps up. It has no index, so that
//! players seek in it slowly; `ffmpeg -i x.mkv -c copy` adds one.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};

use super::feed::{Content, Feed};
use super::{RecordError, Summary, check_frame};

/// Hardly any loss is visible.
const QUALITY: u8 = 90;

/// Writes one file.
#[derive(Debug)]
pub struct JpegVideo {
    path: PathBuf,
    feed: Feed<BufWriter<File>>,
    size: [u32; 2],
    fps: f64,
    has_sound: bool,
    frames: u64,
    rgb: Vec<u8>,
    jpeg: Vec<u8>,
}

impl JpegVideo {
    /// Creates the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(path: &Path, size: [u32; 2], fps: f64, has_sound: bool) -> Result<Self, RecordError> {
        let wrong = |source| RecordError::Write { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(wrong)?;
        }
        let file = BufWriter::new(File::create(path).map_err(wrong)?);
        let feed = Feed::new(file, Content::Jpeg, size, fps, has_sound).map_err(wrong)?;
        Ok(JpegVideo {
            path: path.to_owned(),
            feed,
            size,
            fps,
            has_sound,
            frames: 0,
            rgb: Vec::new(),
            jpeg: Vec::new(),
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn size(&self) -> [u32; 2] {
        self.size
    }

    /// Writes the next frame: sRGB-encoded RGBA.
    ///
    /// # Errors
    /// When the frame has the wrong size, or the disk is full.
    pub fn write(&mut self, rgba: &[u8]) -> Result<(), RecordError> {
        let [width, height] = self.size;
        check_frame(width, height, rgba.len())?;
        self.rgb.clear();
        self.rgb.extend(rgba.as_chunks::<4>().0.iter().flat_map(|&[r, g, b, _]| [r, g, b]));
        self.jpeg.clear();
        let wrong = |source| RecordError::Write { path: self.path.clone(), source };
        JpegEncoder::new_with_quality(&mut self.jpeg, QUALITY)
            .write_image(&self.rgb, width, height, ExtendedColorType::Rgb8)
            .map_err(|error| wrong(std::io::Error::other(error)))?;
        self.feed.write(self.frames, &self.jpeg).and_then(|()| self.feed.flush()).map_err(wrong)?;
        self.frames += 1;
        Ok(())
    }

    /// Writes the sound while the frame at `place` is shown: see [`Feed::write_sound`].
    ///
    /// # Errors
    /// When the disk is full.
    pub fn write_sound(&mut self, place: u64, samples: &[f32]) -> Result<(), RecordError> {
        if !self.has_sound {
            return Ok(());
        }
        let written = self.feed.write_sound(place, samples);
        written.map_err(|source| RecordError::Write { path: self.path.clone(), source })
    }

    /// `count` more frames like the last one, which stays visible.
    pub fn repeat(&mut self, count: u64) {
        self.frames += count;
    }

    /// What was written.
    pub fn finish(self) -> Summary {
        let [width, height] = self.size;
        let seconds = Some(self.frames as f64 / self.fps);
        Summary { path: self.path, frames: self.frames, width, height, seconds, remark: None }
    }
}
