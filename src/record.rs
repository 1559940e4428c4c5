//! Recording: pictures become video files and folders of PNGs.
//!
//! [`Sink`] takes frames (laid out by [`crate::image::fit`]), [`recorder`] does so on its own thread for a live show, and
//! [`sheet`] arranges stills on a contact sheet. Nothing here knows about the show, networks or time: a frame's time is its
//! position in the sequence.

pub mod frames;
pub mod recorder;
pub mod sheet;
pub mod snapshot;
mod sound;
pub mod take;
pub mod video;

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use frames::PngFolder;
pub use sound::add_sound;
use video::{Effort, VideoError, VideoSettings, VideoWriter};

/// Extensions of the supported video formats.
pub const VIDEO_ENDINGS: &[&str] = &["mp4", "mov", "mkv"];

/// Why a recording could not start or continue.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error(transparent)]
    Video(#[from] VideoError),
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("a frame of {width}x{height} has {expected} bytes; got {found}")]
    FrameSize { width: u32, height: u32, expected: usize, found: usize },
    #[error("{}: \"{ending}\" is not a video extension; use .mp4, .mov, .mkv, or a folder for PNGs", path.display())]
    Ending { path: PathBuf, ending: String },
    #[error("the record thread: {0}")]
    Thread(String),
}

/// Where frames go: a video, or a folder of PNGs.
#[derive(Debug)]
pub enum Sink {
    Video(VideoWriter),
    Pngs(PngFolder),
}

impl Sink {
    /// Opens `out` for frames of `width` x `height`: a video for .mp4, .mov and .mkv, a folder of PNGs for a path
    /// without an extension. Without ffmpeg, a video becomes a folder next to it. The string is a remark for the player
    /// if the output differs from what was requested.
    ///
    /// # Errors
    /// When `out` cannot be written, has a different extension, or the size is not possible for a video.
    pub fn open(out: &Path, width: u32, height: u32, fps: f64) -> Result<(Self, Option<String>), RecordError> {
        Sink::open_with(out, VideoSettings { width, height, fps, effort: Effort::Best })
    }

    /// As [`Sink::open`], with all settings.
    ///
    /// # Errors
    /// As [`Sink::open`].
    pub fn open_with(out: &Path, settings: VideoSettings) -> Result<(Self, Option<String>), RecordError> {
        Sink::open_by(OsStr::new(video::FFMPEG), out, settings)
    }

    fn open_by(ffmpeg: &OsStr, out: &Path, settings: VideoSettings) -> Result<(Self, Option<String>), RecordError> {
        let ending = out.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        let pngs = |folder: &Path| PngFolder::create(folder, settings.width, settings.height);
        match ending {
            _ if out.is_dir() => pngs(out).map(|(folder, remark)| (Sink::Pngs(folder), remark)),
            None => pngs(out).map(|(folder, remark)| (Sink::Pngs(folder), remark)),
            Some(ending) if VIDEO_ENDINGS.contains(&ending.as_str()) => {
                match VideoWriter::start_by(ffmpeg, out, &settings) {
                    Err(RecordError::Video(VideoError::NoFfmpeg)) => {
                        let folder = beside(out);
                        let (sink, remark) = pngs(&folder)?;
                        let instead = format!("no ffmpeg on the PATH: writing PNGs to {} instead", folder.display());
                        let remarks: Vec<String> = std::iter::once(instead).chain(remark).collect();
                        Ok((Sink::Pngs(sink), Some(remarks.join("; "))))
                    }
                    started => {
                        let video = started?;
                        let remark = video.encoder().remark();
                        Ok((Sink::Video(video), remark))
                    }
                }
            }
            Some(ending) => Err(RecordError::Ending { path: out.to_owned(), ending }),
        }
    }

    /// Writes one frame: sRGB-encoded RGBA, 8 bits each, rows from top to bottom. Waits while the encoder is behind.
    ///
    /// # Errors
    /// When the frame has another size, or the disk or the encoder fails; what was written before stays.
    pub fn write(&mut self, rgba: &[u8]) -> Result<(), RecordError> {
        match self {
            Sink::Video(video) => video.write(rgba),
            Sink::Pngs(folder) => folder.write(rgba),
        }
    }

    /// Ends the recording; from then on a video plays everywhere.
    ///
    /// # Errors
    /// When the encoder failed.
    pub fn finish(self) -> Result<Summary, RecordError> {
        match self {
            Sink::Video(video) => video.finish(),
            Sink::Pngs(folder) => Ok(folder.finish()),
        }
    }

    /// Bytes of one frame.
    pub fn frame_bytes(&self) -> usize {
        match self {
            Sink::Video(video) => video.settings().frame_bytes(),
            Sink::Pngs(folder) => folder.frame_bytes(),
        }
    }
}

/// `x.mp4` → `x-frames`.
fn beside(video: &Path) -> PathBuf {
    let stem = video.file_stem().unwrap_or_default().to_string_lossy();
    video.with_file_name(format!("{stem}-frames"))
}

/// What a recording left on disk. Displayed as one line.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub path: PathBuf,
    pub frames: u64,
    pub width: u32,
    pub height: u32,
    /// Length of a video in seconds; `None` for pictures.
    pub seconds: Option<f64>,
    /// A remark for the player.
    pub remark: Option<String>,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Summary { path, frames, width, height, .. } = self;
        let plural = if *frames == 1 { "" } else { "s" };
        write!(f, "{}: {frames} frame{plural} of {width}x{height}", path.display())?;
        if let Some(seconds) = self.seconds {
            write!(f, ", {seconds:.2} s")?;
        }
        self.remark.as_ref().map_or(Ok(()), |remark| write!(f, "; {remark}"))
    }
}

/// Checks the length of an RGBA frame.
fn check_frame(width: u32, height: u32, rgba: &[u8]) -> Result<(), RecordError> {
    let expected = width as usize * height as usize * 4;
    if rgba.len() == expected {
        Ok(())
    } else {
        Err(RecordError::FrameSize { width, height, expected, found: rgba.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_extension_is_reported() {
        let error = Sink::open(Path::new("x.gif"), 16, 16, 30.0).unwrap_err().to_string();
        assert_eq!(error, "x.gif: \"gif\" is not a video extension; use .mp4, .mov, .mkv, or a folder for PNGs");
    }

    #[test]
    fn without_ffmpeg_a_video_becomes_a_folder() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-sink-{}", std::process::id()));
        let settings = VideoSettings { width: 2, height: 2, fps: 30.0, effort: Effort::Best };
        let (mut sink, remark) = Sink::open_by(OsStr::new("no-such-ffmpeg"), &folder.join("x.mp4"), settings).unwrap();
        let instead = folder.join("x-frames");
        assert_eq!(remark.unwrap(), format!("no ffmpeg on the PATH: writing PNGs to {} instead", instead.display()));
        sink.write(&[0; 16]).unwrap();
        assert_eq!(sink.finish().unwrap().frames, 1);
        assert!(instead.join("frame_000001.png").is_file() && !folder.join("x.mp4").exists());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_summary_is_one_line() {
        let summary = Summary {
            path: "x.mp4".into(),
            frames: 300,
            width: 64,
            height: 32,
            seconds: Some(10.0),
            remark: Some("a remark".into()),
        };
        assert_eq!(summary.to_string(), "x.mp4: 300 frames of 64x32, 10.00 s; a remark");
        let one = Summary { frames: 1, seconds: None, remark: None, ..summary };
        assert_eq!(one.to_string(), "x.mp4: 1 frame of 64x32");
    }
}
