//! Recording: pictures become video files and folders of pictures.
//!
//! [`Sink`] takes frames (laid out by [`crate::image::fit`]), [`recorder`] does so on its own thread for a live show, and
//! [`sheet`] arranges stills on a contact sheet, [`slides`] on a page for browsers. Nothing here knows about the show or networks: a frame's time is its
//! position in the sequence, which [`pace`] derives from the show's steps.

pub mod codec;
mod exr;
pub mod feed;
mod framer;
pub mod frames;
pub mod jpegs;
pub mod names;
pub mod pace;
pub mod pieces;
pub mod recorder;
pub mod share;
pub mod sheet;
pub mod slides;
pub mod snapshot;
mod sound;
mod soundtrack;
pub mod states;
pub mod stream;
pub mod take;
#[cfg(test)]
mod test;
pub mod video;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};

use codec::Encoder;
use frames::{Kind, PictureFolder};
use half::f16;
use jpegs::JpegVideo;
pub use sound::{Heard, add_sound};
use video::{Effort, VideoError, VideoSettings, VideoWriter};

use crate::image::convert::rgba8_from_light;
use crate::params::Codec;

/// Why a recording could not start or continue.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error(transparent)]
    Video(#[from] VideoError),
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("a frame of {width}x{height} has {expected} numbers; got {found}")]
    FrameSize { width: u32, height: u32, expected: usize, found: usize },
    #[error("{}: \"{ending}\" is not a video extension; use .mp4, .mov, .mkv, .webm, .gif, .webp, or a folder for PNGs", path.display())]
    Ending { path: PathBuf, ending: String },
    #[error("the record thread: {0}")]
    Thread(String),
}

/// The pixels of a frame: RGBA, rows from top to bottom.
#[derive(Clone, Copy, Debug)]
pub enum Pixels<'a> {
    /// sRGB-encoded, 8 bits each.
    Coded(&'a [u8]),
    /// Linear light in half floats; above 1 it is brighter than white.
    Light(&'a [f16]),
}

impl<'a> Pixels<'a> {
    /// How many numbers there are, four for each pixel.
    fn len(self) -> usize {
        match self {
            Pixels::Coded(rgba) => rgba.len(),
            Pixels::Light(light) => light.len(),
        }
    }

    /// With 8 bits.
    fn coded(self) -> Cow<'a, [u8]> {
        match self {
            Pixels::Coded(rgba) => Cow::Borrowed(rgba),
            Pixels::Light(light) => {
                let mut rgba = Vec::new();
                rgba8_from_light(light, &mut rgba);
                Cow::Owned(rgba)
            }
        }
    }
}

/// Where frames go: a video, or a folder of pictures.
#[derive(Debug)]
pub enum Sink {
    Video(VideoWriter),
    Pictures(PictureFolder),
    /// What a live show is recorded to without ffmpeg.
    Jpegs(JpegVideo),
}

impl Sink {
    /// Opens `out` for frames of `width` x `height`: a video by its ending (see [`codec::ENDINGS`]), a folder of PNGs for a
    /// path without one. Without ffmpeg, a video becomes a folder next to it. The string is a remark for the player if the
    /// output differs from what was requested.
    ///
    /// # Errors
    /// When `out` cannot be written, has a different extension, or the size is not possible for a video.
    pub fn open(out: &Path, width: u32, height: u32, fps: f64) -> Result<(Self, Option<String>), RecordError> {
        Sink::open_with(out, VideoSettings::new(width, height, fps))
    }

    /// As [`Sink::open`], with all settings. Live, an existing file is left alone and the new one is numbered, odd sizes grow
    /// ([`Sink::size`]), and without ffmpeg a video is a file of JPEGs.
    ///
    /// # Errors
    /// As [`Sink::open`].
    pub fn open_with(out: &Path, settings: VideoSettings) -> Result<(Self, Option<String>), RecordError> {
        Sink::open_by(OsStr::new(video::FFMPEG), out, settings)
    }

    fn open_by(ffmpeg: &OsStr, out: &Path, settings: VideoSettings) -> Result<(Self, Option<String>), RecordError> {
        let is_live = settings.effort == Effort::Live;
        let (out, codec, renamed) = codec::plan(out, settings.codec)?;
        let out = if is_live { names::fresh(&out) } else { out };
        Sink::open_planned(ffmpeg, &out, VideoSettings { codec, ..settings }, renamed)
    }

    /// As [`Sink::open_with`], for a path and a codec from [`codec::plan`], with what that has to say.
    pub(crate) fn open_planned(
        ffmpeg: &OsStr,
        out: &Path,
        settings: VideoSettings,
        renamed: Option<String>,
    ) -> Result<(Self, Option<String>), RecordError> {
        let (sink, remark) = if codec::is_folder(settings.codec) {
            let kind = Kind::of(settings.codec);
            let (folder, remark) = PictureFolder::create(out, kind, settings.width, settings.height)?;
            (Sink::Pictures(folder), remark)
        } else {
            match VideoWriter::start_by(ffmpeg, out, &settings) {
                Err(RecordError::Video(VideoError::NoFfmpeg)) => Sink::without_ffmpeg(out, &settings)?,
                started => {
                    let video = started?;
                    let is_live = settings.effort != Effort::Best;
                    // On stage nobody has asked for this size.
                    let padding = video.encoder().told_padding([settings.width, settings.height]).filter(|_| !is_live);
                    let remarks: Vec<String> = video.encoder().remark().into_iter().chain(padding).collect();
                    (Sink::Video(video), (!remarks.is_empty()).then(|| remarks.join("; ")))
                }
            }
        };
        let silent = (settings.sound && !codec::has_sound(settings.codec)).then(|| "without sound".to_owned());
        let remarks: Vec<String> = [renamed, remark, silent].into_iter().flatten().collect();
        Ok((sink, (!remarks.is_empty()).then(|| remarks.join("; "))))
    }

    fn without_ffmpeg(out: &Path, settings: &VideoSettings) -> Result<(Self, Option<String>), RecordError> {
        settings.check()?;
        let VideoSettings { width, height, fps, .. } = *settings;
        if settings.effort == Effort::Live {
            let is_mkv = video::container(out) == "matroska";
            let file = if is_mkv { out.to_owned() } else { names::fresh(&out.with_extension("mkv")) };
            let instead = format!("no ffmpeg on the PATH: recording JPEGs to {}", file.display());
            return Ok((Sink::Jpegs(JpegVideo::create(&file, [width, height], fps, settings.sound)?), Some(instead)));
        }
        let folder = beside(out);
        let (sink, remark) = PictureFolder::create(&folder, Kind::Png, width, height)?;
        let instead = format!("no ffmpeg on the PATH: writing PNGs to {} instead", folder.display());
        let remarks: Vec<String> = std::iter::once(instead).chain(remark).collect();
        Ok((Sink::Pictures(sink), Some(remarks.join("; "))))
    }

    /// Width and height of its frames in pixels.
    pub fn size(&self) -> [u32; 2] {
        match self {
            Sink::Video(video) => [video.settings().width, video.settings().height],
            Sink::Pictures(folder) => folder.size(),
            Sink::Jpegs(video) => video.size(),
        }
    }

    /// The file or folder that is written now.
    pub fn path(&self) -> &Path {
        match self {
            Sink::Video(video) => video.growing(),
            Sink::Pictures(folder) => folder.path(),
            Sink::Jpegs(video) => video.path(),
        }
    }

    /// Whether it makes use of [`Pixels::Light`].
    pub fn takes_light(&self) -> bool {
        matches!(self, Sink::Pictures(folder) if folder.takes_light())
    }

    /// Writes one frame: sRGB-encoded RGBA, 8 bits each, rows from top to bottom. Waits while the encoder is behind.
    ///
    /// # Errors
    /// When the frame has another size, or the disk or the encoder fails; what was written before stays.
    pub fn write(&mut self, rgba: &[u8]) -> Result<(), RecordError> {
        self.write_pixels(Pixels::Coded(rgba))
    }

    /// As [`Sink::write`], with more bits where there are more.
    ///
    /// # Errors
    /// As [`Sink::write`].
    pub fn write_pixels(&mut self, pixels: Pixels) -> Result<(), RecordError> {
        match self {
            Sink::Video(video) => video.write(&pixels.coded()),
            Sink::Pictures(folder) => folder.write(pixels),
            Sink::Jpegs(video) => video.write(&pixels.coded()),
        }
    }

    /// `count` more frames like the last one, which is given again. A video may have them only once another one is written.
    ///
    /// # Errors
    /// As [`Sink::write`].
    pub fn repeat(&mut self, count: u64, pixels: Pixels) -> Result<(), RecordError> {
        match self {
            Sink::Video(video) => video.repeat(count, &pixels.coded()),
            Sink::Pictures(folder) => folder.repeat(count),
            Sink::Jpegs(video) => {
                video.repeat(count);
                Ok(())
            }
        }
    }

    /// Writes the sound while the frame at `place`, counted from 0, is shown: left and right in turn at
    /// [`RATE`](crate::audio::RATE). It may come a few seconds later than the frame. Pictures have none.
    ///
    /// # Errors
    /// When the disk or the encoder fails.
    pub fn write_sound(&mut self, place: u64, samples: &[f32]) -> Result<(), RecordError> {
        match self {
            Sink::Video(video) => video.write_sound(place, samples),
            Sink::Pictures(_) => Ok(()),
            Sink::Jpegs(video) => video.write_sound(place, samples),
        }
    }

    /// Ends the recording; from then on a video plays everywhere.
    ///
    /// # Errors
    /// When the encoder failed.
    pub fn finish(self) -> Result<Summary, RecordError> {
        match self {
            Sink::Video(video) => video.finish(),
            Sink::Pictures(folder) => Ok(folder.finish()),
            Sink::Jpegs(video) => Ok(video.finish()),
        }
    }
}

/// Where a rendering to `out` goes: a video, or the folder of its pictures and their kind. Without ffmpeg, a video is a folder.
///
/// # Errors
/// When `out` has the ending of something else.
pub fn destination(out: &Path, codec: Codec) -> Result<(PathBuf, Option<Kind>), RecordError> {
    let (out, codec, _) = codec::plan(out, codec)?;
    if codec::is_folder(codec) {
        return Ok((out, Some(Kind::of(codec))));
    }
    match Encoder::for_codec(OsStr::new(video::FFMPEG), codec) {
        Err(VideoError::NoFfmpeg) => Ok((beside(&out), Some(Kind::Png))),
        _ => Ok((out, None)),
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

impl Summary {
    /// Adds to the remark.
    pub fn add_remark(&mut self, remark: &str) {
        self.remark = Some(match self.remark.take() {
            Some(before) => format!("{before}; {remark}"),
            None => remark.to_owned(),
        });
    }
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
fn check_frame(width: u32, height: u32, found: usize) -> Result<(), RecordError> {
    let expected = width as usize * height as usize * 4;
    if found == expected { Ok(()) } else { Err(RecordError::FrameSize { width, height, expected, found }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_extension_is_reported() {
        let error = Sink::open(Path::new("x.avi"), 16, 16, 30.0).unwrap_err().to_string();
        let takes = ".mp4, .mov, .mkv, .webm, .gif, .webp, or a folder for PNGs";
        assert_eq!(error, format!("x.avi: \"avi\" is not a video extension; use {takes}"));
    }

    #[test]
    fn without_ffmpeg_a_video_becomes_a_folder() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-sink-{}", std::process::id()));
        let settings = VideoSettings::new(2, 2, 30.0);
        let none = OsStr::new("no-such-ffmpeg");
        let (mut sink, remark) = Sink::open_by(none, &folder.join("x.mp4"), settings).unwrap();
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
