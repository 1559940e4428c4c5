//! A folder of pictures: frame_000001.png (or .exr), frame_000002.png, and so on.
//!
//! Frames of an earlier recording are overwritten one by one; nothing is ever deleted, and leftovers are reported.
//! Runs on the calling thread.

use std::fs;
use std::path::{Path, PathBuf};

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use super::{Pixels, RecordError, Summary, check_frame, exr};
use crate::params::Codec;

/// What each picture is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// sRGB, 8 bits each.
    Png,
    /// Linear light, half floats.
    Exr,
}

impl Kind {
    /// That of a folder's codec.
    pub fn of(codec: Codec) -> Kind {
        if codec == Codec::Exr { Kind::Exr } else { Kind::Png }
    }

    fn ending(self) -> &'static str {
        match self {
            Kind::Png => "png",
            Kind::Exr => "exr",
        }
    }
}

/// Writes numbered pictures into one folder.
#[derive(Debug)]
pub struct PictureFolder {
    kind: Kind,
    folder: PathBuf,
    width: u32,
    height: u32,
    frames: u64,
    /// The highest existing frame number at the start.
    before: u64,
    rgb: Vec<u8>,
    /// The last frame's file.
    bytes: Vec<u8>,
    /// Bytes of all frames.
    written: u64,
}

impl PictureFolder {
    /// Creates the folder, and its parents, if missing. The string is a remark about existing frames.
    ///
    /// # Errors
    /// When the folder cannot be created or read, or the frames would be empty.
    pub fn create(folder: &Path, kind: Kind, width: u32, height: u32) -> Result<(Self, Option<String>), RecordError> {
        let wrong = |source| RecordError::Write { path: folder.to_owned(), source };
        if width == 0 || height == 0 {
            let reason = format!("a frame of {width}x{height} has no pixels");
            return Err(wrong(std::io::Error::new(std::io::ErrorKind::InvalidInput, reason)));
        }
        fs::create_dir_all(folder).map_err(wrong)?;
        let before = last(folder, kind).map_err(wrong)?;
        let remark = (before > 0).then(|| {
            format!(
                "{} holds frames up to {before} from an earlier recording, which will be overwritten",
                folder.display()
            )
        });
        Ok((
            PictureFolder {
                kind,
                folder: folder.to_owned(),
                width,
                height,
                frames: 0,
                before,
                rgb: Vec::new(),
                bytes: Vec::new(),
                written: 0,
            },
            remark,
        ))
    }

    /// Bytes of one frame.
    pub fn frame_bytes(&self) -> usize {
        self.width as usize * self.height as usize * 4
    }

    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Bytes of the frames that were written.
    pub fn written(&self) -> u64 {
        self.written
    }

    pub fn size(&self) -> [u32; 2] {
        [self.width, self.height]
    }

    /// Goes on after the first `frames` frames, which another one has written.
    pub fn go_to(&mut self, frames: u64) {
        self.frames = frames;
    }

    /// Whether its pictures hold more than 8 bits.
    pub fn takes_light(&self) -> bool {
        self.kind == Kind::Exr
    }

    /// Writes the next frame. Alpha is dropped: what the audience sees has none.
    ///
    /// # Errors
    /// When the frame has the wrong size, or writing fails.
    pub fn write(&mut self, pixels: Pixels) -> Result<(), RecordError> {
        check_frame(self.width, self.height, pixels.len())?;
        let PictureFolder { bytes, rgb, width, height, .. } = self;
        bytes.clear();
        let encoded = match self.kind {
            Kind::Png => {
                rgb.clear();
                rgb.extend(pixels.coded().as_chunks::<4>().0.iter().flat_map(|&[r, g, b, _]| [r, g, b]));
                encode(bytes, rgb, *width, *height)
            }
            Kind::Exr => exr::encode(bytes, pixels, *width, *height),
        };
        encoded.map_err(|source| RecordError::Write { path: self.folder.clone(), source })?;
        self.repeat(1)
    }

    /// `count` more frames like the last one.
    ///
    /// # Errors
    /// When writing fails.
    pub fn repeat(&mut self, count: u64) -> Result<(), RecordError> {
        for _ in 0..count {
            let path = self.folder.join(format!("frame_{:06}.{}", self.frames + 1, self.kind.ending()));
            fs::write(&path, &self.bytes).map_err(|source| RecordError::Write { path, source })?;
            self.frames += 1;
            self.written += self.bytes.len() as u64;
        }
        Ok(())
    }

    /// What was written.
    pub fn finish(self) -> Summary {
        let stale = self.before.saturating_sub(self.frames);
        let remark = (stale > 0 && self.frames > 0)
            .then(|| format!("frames {} to {} are from an earlier recording", self.frames + 1, self.before));
        Summary {
            path: self.folder,
            frames: self.frames,
            width: self.width,
            height: self.height,
            seconds: None,
            remark,
        }
    }
}

fn encode(png: &mut Vec<u8>, rgb: &[u8], width: u32, height: u32) -> std::io::Result<()> {
    PngEncoder::new_with_quality(png, CompressionType::Fast, FilterType::Adaptive)
        .write_image(rgb, width, height, ExtendedColorType::Rgb8)
        .map_err(|error| match error {
            image::ImageError::IoError(error) => error,
            other => std::io::Error::other(other),
        })
}

/// The highest number of a frame in a folder; 0 if it has none.
///
/// # Errors
/// When the folder cannot be read.
pub fn last(folder: &Path, kind: Kind) -> std::io::Result<u64> {
    let names = fs::read_dir(folder)?.flatten().map(|entry| entry.file_name());
    Ok(names.filter_map(|name| number(&name.to_string_lossy(), kind)).max().unwrap_or(0))
}

/// The number of a frame's file.
fn number(file: &str, kind: Kind) -> Option<u64> {
    file.strip_prefix("frame_")?.strip_suffix(kind.ending())?.strip_suffix('.')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_numbered_and_overwritten() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-frames-{}/deep", std::process::id()));
        let (mut first, remark) = PictureFolder::create(&folder, Kind::Png, 2, 1).unwrap();
        assert_eq!(remark, None);
        for level in [10, 20, 30] {
            first.write(Pixels::Coded(&[level, 0, 0, 0, 0, level, 0, 255])).unwrap();
        }
        assert!(matches!(
            first.write(Pixels::Coded(&[0; 4])),
            Err(RecordError::FrameSize { expected: 8, found: 4, .. })
        ));
        assert_eq!((first.frames, first.finish().remark), (3, None));
        let (mut second, remark) = PictureFolder::create(&folder, Kind::Png, 2, 1).unwrap();
        assert!(remark.unwrap().ends_with("holds frames up to 3 from an earlier recording, which will be overwritten"));
        second.write(Pixels::Coded(&[40, 0, 0, 255, 0, 40, 0, 255])).unwrap();
        assert_eq!(second.finish().remark.unwrap(), "frames 2 to 3 are from an earlier recording");
        let read = |n: u32| image::open(folder.join(format!("frame_{n:06}.png"))).unwrap().into_rgb8().into_raw();
        assert_eq!([read(1), read(2)], [[40, 0, 0, 0, 40, 0], [20, 0, 0, 0, 20, 0]]);
        fs::remove_dir_all(folder.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let file = std::env::temp_dir().join(format!("latent-jockey-in-the-way-{}", std::process::id()));
        fs::write(&file, "").unwrap();
        let error = PictureFolder::create(&file, Kind::Exr, 2, 2).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot write {}: ", file.display())), "{error}");
        assert!(
            PictureFolder::create(&file, Kind::Png, 0, 2)
                .unwrap_err()
                .to_string()
                .ends_with("a frame of 0x2 has no pixels")
        );
        fs::remove_file(file).unwrap();
    }
}
