//! A long rendering in pieces: it can be stopped and go on, and several processes or machines can share it.
//!
//! Each piece is a short video of its own, made by the encoder of the whole; at the end ffmpeg joins them without encoding
//! again. However a rendering was split or stopped, the same pieces are joined, so the file has the same bytes. Lossless
//! pictures would be simpler, but an hour of them fills a disk, and encoding them all at the end would be one machine's work.
//! GIF and WebP cannot be joined as they are: their pieces are FFV1, encoded once more when they are joined. Of a folder of
//! PNGs, a mark says which pieces are whole.
//!
//! A piece gets its name once it is whole. All of them are in a folder beside the video, with a description of the rendering,
//! so that pieces of different ones are never joined.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::{Deserialize, Serialize};

use super::codec::{self, Encoder};
use super::frames::{Kind, PictureFolder};
use super::sound::{self, Heard};
use super::video::{self, Effort, FFMPEG, VideoError, VideoSettings, VideoWriter};
use super::{Pixels, RecordError, Summary};
use crate::params::{Choice, Codec};

/// The description of a rendering, in its folder.
const DESCRIPTION: &str = "render.json";
/// A piece of a video lasts so many seconds: two groups of pictures. What is lost when a rendering is stopped.
const SECS: f64 = 4.0;
/// A piece of pictures, which are written one by one anyway.
const PICTURES_SECS: f64 = 1.0;

/// Why pieces cannot be written or joined.
#[derive(Debug, thiserror::Error)]
pub enum PiecesError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("cannot use {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error(
        "{} holds a rendering that was stopped, with other settings: {}; go on with those, or begin again with --restart",
        folder.display(), differences.join(", ")
    )]
    Other { folder: PathBuf, differences: Vec<String> },
    #[error("{} is no description of a rendering: {message}; begin again with --restart", path.display())]
    Description { path: PathBuf, message: String },
    #[error("there is nothing to join: {} is not there", folder.display())]
    Nothing { folder: PathBuf },
    #[error("{} of {count} pieces are missing: frames {}; render them first", missing.len(), ranges(missing, *length, *frames))]
    Missing { missing: Vec<Range<u64>>, count: u64, length: u64, frames: u64 },
    #[error("cannot join the pieces in {}: {why}", folder.display())]
    Join { folder: PathBuf, why: String },
}

/// The frames of runs of pieces, numbered from 1.
fn ranges(runs: &[Range<u64>], length: u64, frames: u64) -> String {
    let named = |run: &Range<u64>| format!("{} to {}", run.start * length + 1, (run.end * length).min(frames));
    runs.iter().take(8).map(named).collect::<Vec<_>>().join(", ") + if runs.len() > 8 { " and more" } else { "" }
}

/// What a rendering is of, and how it is cut. Two that have the same description have the same pieces.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Description {
    /// By what a person calls it: `--size`, `the take` and so on.
    pub settings: BTreeMap<String, String>,
    pub width: u32,
    pub height: u32,
    pub fps: f64,
    /// By its word; never `auto`.
    pub codec: String,
    /// How many frames the whole has.
    pub frames: u64,
    /// How many frames a piece has; the last one may have fewer.
    pub length: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<Heard>,
}

/// A rendering in pieces.
#[derive(Debug)]
pub struct Pieces {
    /// The video, or the folder of pictures.
    out: PathBuf,
    folder: PathBuf,
    codec: Codec,
    description: Description,
}

/// `x.mp4` → `x.mp4.parts`; of a folder, one inside it.
fn folder_of(out: &Path, codec: Codec) -> PathBuf {
    if codec::is_folder(codec) {
        return out.join(".parts");
    }
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".parts");
    out.with_file_name(name)
}

impl Pieces {
    /// Plans the pieces of `out`; nothing is written yet. The description's codec and length are filled in here. The string
    /// is a remark if something else is written than was asked for.
    ///
    /// # Errors
    /// When the ending or the size does not go with the codec, or ffmpeg has no encoder for it.
    pub fn plan(
        out: &Path,
        codec: Codec,
        mut description: Description,
    ) -> Result<(Pieces, Option<String>), PiecesError> {
        let (mut out, mut codec, renamed) = codec::plan(out, codec)?;
        let mut remarks: Vec<String> = renamed.into_iter().collect();
        if !codec::is_folder(codec) {
            match Encoder::for_codec(OsStr::new(FFMPEG), codec) {
                Ok(encoder) => {
                    let Description { width, height, fps, .. } = description;
                    VideoSettings::new(width, height, fps).check().map_err(RecordError::from)?;
                    remarks.extend(encoder.remark());
                    remarks.extend(encoder.told_padding([width, height]));
                }
                Err(VideoError::NoFfmpeg) => {
                    (out, codec) = (super::beside(&out), Codec::Png);
                    remarks.push(format!("no ffmpeg on the PATH: writing PNGs to {} instead", out.display()));
                }
                Err(error) => return Err(RecordError::from(error).into()),
            }
        }
        let secs = if codec::is_folder(codec) { PICTURES_SECS } else { SECS };
        description.codec = Codec::WORDS[codec as usize].to_owned();
        description.length = (description.fps * secs).round().max(1.0) as u64;
        let folder = folder_of(&out, codec);
        let remark = (!remarks.is_empty()).then(|| remarks.join("; "));
        Ok((Pieces { out, folder, codec, description }, remark))
    }

    /// Those that were planned before, to join them.
    ///
    /// # Errors
    /// When there are none.
    pub fn find(out: &Path, codec: Codec) -> Result<Pieces, PiecesError> {
        let (out, codec, _) = codec::plan(out, codec)?;
        let instead = super::beside(&out);
        let places = [(out.clone(), codec), (out.clone(), Codec::Png), (instead, Codec::Png)];
        let found = places.into_iter().find(|(out, codec)| folder_of(out, *codec).join(DESCRIPTION).is_file());
        let Some((out, codec)) = found else {
            return Err(PiecesError::Nothing { folder: folder_of(&out, codec) });
        };
        let folder = folder_of(&out, codec);
        let description = read(&folder.join(DESCRIPTION))?;
        // A folder may hold PNGs or EXRs.
        let codec = Codec::from_word(&description.codec).unwrap_or(codec);
        Ok(Pieces { out, folder, codec, description })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn out(&self) -> &Path {
        &self.out
    }

    pub fn frames(&self) -> u64 {
        self.description.frames
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.description.frames.div_ceil(self.description.length)
    }

    /// The frames of a run of pieces.
    pub fn frames_of(&self, run: &Range<u64>) -> Range<u64> {
        let at = |piece: u64| (piece * self.description.length).min(self.description.frames);
        at(run.start)..at(run.end)
    }

    /// Part `number` of `parts`, from 1: which pieces it has. Parts share all pieces as evenly as they can.
    pub fn part(&self, number: u64, parts: u64) -> Range<u64> {
        let at = |number: u64| (u128::from(self.count()) * u128::from(number) / u128::from(parts.max(1))) as u64;
        at(number.saturating_sub(1))..at(number)
    }

    /// Whether some of them may be there: of this rendering, or of one with other settings.
    pub fn is_begun(&self) -> bool {
        self.folder.join(DESCRIPTION).is_file()
    }

    /// Says whose pieces these are, or finds that they are of the same rendering. With `again`, begins anew. Returns a
    /// remark, if a folder holds frames of an earlier recording.
    ///
    /// # Errors
    /// [`PiecesError::Other`] if they are of another one.
    pub fn claim(&self, again: bool) -> Result<Option<String>, PiecesError> {
        let path = self.folder.join(DESCRIPTION);
        if again && self.folder.is_dir() {
            fs::remove_dir_all(&self.folder).map_err(|source| self.wrong(&self.folder, source))?;
        }
        if path.is_file() {
            let known = read(&path)?;
            let differences = differences(&known, &self.description);
            if differences.is_empty() {
                return Ok(None);
            }
            return Err(PiecesError::Other { folder: self.folder.clone(), differences });
        }
        let mut remark = None;
        if codec::is_folder(self.codec) {
            remark = self.pictures()?.1;
        }
        fs::create_dir_all(&self.folder).map_err(|source| self.wrong(&self.folder, source))?;
        let text = serde_json::to_vec_pretty(&self.description).unwrap_or_default();
        // Others may start at the same time: with the same description.
        let aside = self.folder.join(format!(".{DESCRIPTION}.{}", std::process::id()));
        let written = fs::write(&aside, text).and_then(|()| fs::rename(&aside, &path));
        written.map_err(|source| self.wrong(&path, source))?;
        Ok(remark)
    }

    /// The folder of pictures, and a remark if it holds some.
    fn pictures(&self) -> Result<(PictureFolder, Option<String>), PiecesError> {
        let kind = Kind::of(self.codec);
        Ok(PictureFolder::create(&self.out, kind, self.description.width, self.description.height)?)
    }

    fn wrong(&self, path: &Path, source: io::Error) -> PiecesError {
        PiecesError::File { path: path.to_owned(), source }
    }

    /// The codec of a piece, and the ending of its file.
    fn of_piece(&self) -> (Codec, String) {
        match self.codec {
            Codec::Gif | Codec::Webp => (Codec::Ffv1, "mkv".to_owned()),
            codec if codec::is_folder(codec) => (codec, "whole".to_owned()),
            codec => (codec, self.out.extension().unwrap_or_default().to_string_lossy().into_owned()),
        }
    }

    fn file(&self, piece: u64) -> PathBuf {
        self.folder.join(format!("piece-{piece:06}.{}", self.of_piece().1))
    }

    /// The runs of pieces in a range that are not whole yet.
    pub fn missing(&self, within: Range<u64>) -> Vec<Range<u64>> {
        let mut runs: Vec<Range<u64>> = Vec::new();
        for piece in within.filter(|piece| !self.file(*piece).is_file()) {
            match runs.last_mut() {
                Some(run) if run.end == piece => run.end += 1,
                _ => runs.push(piece..piece + 1),
            }
        }
        runs
    }

    /// Writes the frames of a run of pieces, one after another.
    pub fn writer(&self, run: Range<u64>) -> Writer<'_> {
        Writer { pieces: self, next: self.frames_of(&run).start, open: None }
    }

    /// Joins all pieces into the video, with the sound; of PNGs, all are there already. The pieces are gone then.
    ///
    /// # Errors
    /// When some are missing, or ffmpeg fails: the pieces stay.
    pub fn join(&self) -> Result<Summary, PiecesError> {
        let missing = self.missing(0..self.count());
        let Description { width, height, fps, frames, length, .. } = self.description;
        if !missing.is_empty() {
            return Err(PiecesError::Missing { missing, count: self.count(), length, frames });
        }
        let summary = if codec::is_folder(self.codec) {
            let (mut folder, _) = self.pictures()?;
            folder.go_to(frames);
            let mut summary = folder.finish();
            if self.description.sound.is_some() {
                summary.add_remark("pictures have no sound");
            }
            summary
        } else {
            // Joining encodes nothing: another machine may do it, without this encoder.
            let encoder = Encoder::for_codec(OsStr::new(FFMPEG), self.codec);
            let [width, height] = encoder.map_or([width, height], |encoder| encoder.padded([width, height]));
            let mut summary = Summary {
                path: self.out.clone(),
                frames,
                width,
                height,
                seconds: Some(frames as f64 / fps),
                remark: None,
            };
            self.join_video(&mut summary)?;
            summary
        };
        fs::remove_dir_all(&self.folder).map_err(|source| self.wrong(&self.folder, source))?;
        Ok(summary)
    }

    fn join_video(&self, summary: &mut Summary) -> Result<(), PiecesError> {
        let list = self.folder.join("list.txt");
        fs::write(&list, self.list()).map_err(|source| self.wrong(&list, source))?;
        let (sound, silent) = match self.description.sound.as_ref() {
            Some(_) if !codec::has_sound(self.codec) => {
                (None, Some(format!("a .{} has no sound", self.description.codec)))
            }
            Some(sound) if !sound.track.is_file() => {
                (None, Some(format!("without sound: {} is not there", sound.track.display())))
            }
            sound => (sound, None),
        };
        silent.iter().for_each(|line| summary.add_remark(line));
        match self.join_with(&list, sound) {
            Err(why) if sound.is_some() => {
                self.join_with(&list, None).map_err(|why| self.cannot_join(why))?;
                summary.add_remark(&format!("without sound: {why}"));
                Ok(())
            }
            joined => joined.map_err(|why| self.cannot_join(why)),
        }
    }

    fn cannot_join(&self, why: String) -> PiecesError {
        PiecesError::Join { folder: self.folder.clone(), why }
    }

    /// For ffmpeg's concat demuxer: each piece and how long it lasts.
    fn list(&self) -> String {
        let mut list = String::from("ffconcat version 1.0\n");
        for piece in 0..self.count() {
            let frames = self.frames_of(&(piece..piece + 1));
            let secs = (frames.end - frames.start) as f64 / self.description.fps;
            let file = self.file(piece);
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            list.push_str(&format!("file '{name}'\nduration {secs:.6}\n"));
        }
        list
    }

    fn join_with(&self, list: &Path, sound: Option<&Heard>) -> Result<(), String> {
        let Description { fps, frames, .. } = self.description;
        let aside = self.folder.join(format!("joined-{}", std::process::id()));
        let ffmpeg = OsStr::new(FFMPEG);
        let encoder = Encoder::for_codec(ffmpeg, self.codec).map_err(|error| error.to_string())?;
        let mut command = video::command(ffmpeg);
        command.stdin(Stdio::null()).args(["-f", "concat", "-safe", "0", "-i"]).arg(video::file_url(list));
        let secs = frames as f64 / fps;
        if let Some(sound) = sound {
            sound::input(&mut command, sound);
        }
        command.args(["-map", "0:v:0"]);
        match self.codec {
            Codec::Gif | Codec::Webp => {
                // The times in the pieces are rounded.
                let filter = format!("settb=1/1000000,setpts=N/({fps}*TB),{}", encoder.filter("", None));
                command.args(["-vf", &filter, "-r", &fps.to_string()]).args(encoder.arguments(Effort::Best));
                command.args(["-threads", "8", "-flags:v", "+bitexact"]);
            }
            _ => drop(command.args(["-c:v", "copy"])),
        }
        if video::is_hevc(encoder) && video::is_fragmented(&self.out) {
            command.args(["-tag:v", "hvc1"]);
        }
        if let Some(sound) = sound {
            sound::output(&mut command, sound, video::audio_codec(&self.out, self.codec), secs);
        }
        command.args(["-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact"]);
        if video::is_fragmented(&self.out) {
            command.args(["-movflags", "+faststart"]);
        }
        command.args(["-f", video::container(&self.out)]).arg(video::file_url(&aside));
        let ended = command.output().map_err(|error| error.to_string());
        let joined =
            ended.and_then(|output| if output.status.success() { Ok(()) } else { Err(video::why(&output.stderr)) });
        let replaced = joined.and_then(|()| fs::rename(&aside, &self.out).map_err(|error| error.to_string()));
        if replaced.is_err() {
            let _ = fs::remove_file(&aside);
        }
        replaced
    }
}

fn read(path: &Path) -> Result<Description, PiecesError> {
    let text = fs::read(path).map_err(|source| PiecesError::File { path: path.to_owned(), source })?;
    serde_json::from_slice(&text)
        .map_err(|error| PiecesError::Description { path: path.to_owned(), message: error.to_string() })
}

/// What differs, with both sides.
fn differences(there: &Description, here: &Description) -> Vec<String> {
    let sound = |one: &Description| match &one.sound {
        Some(heard) => format!("{} from {:.3} s", heard.track.display(), heard.at_secs),
        None => "none".to_owned(),
    };
    let all = |one: &Description| {
        let mut all = one.settings.clone();
        all.insert("--size".to_owned(), format!("{}x{}", one.width, one.height));
        // Numbers in JSON may be read back a little off.
        all.insert("--fps".to_owned(), ((one.fps * 1e6).round() / 1e6).to_string());
        all.insert("--codec".to_owned(), one.codec.clone());
        all.insert("the number of frames".to_owned(), one.frames.to_string());
        all.insert("the sound".to_owned(), sound(one));
        all
    };
    let (there, here) = (all(there), all(here));
    let names: std::collections::BTreeSet<&String> = there.keys().chain(here.keys()).collect();
    let none = String::from("nothing");
    let pairs = names.into_iter().map(|name| (name, there.get(name).unwrap_or(&none), here.get(name).unwrap_or(&none)));
    pairs
        .filter(|(_, there, here)| there != here)
        .map(|(name, there, here)| format!("{name} {there} there, {here} now"))
        .collect()
}

/// Writes frames into pieces.
#[derive(Debug)]
pub struct Writer<'a> {
    pieces: &'a Pieces,
    /// The next frame.
    next: u64,
    open: Option<Piece>,
}

#[derive(Debug)]
enum Piece {
    Video(Box<VideoWriter>, PathBuf),
    Pictures(PictureFolder),
}

impl Writer<'_> {
    /// Writes one frame. Returns whether a piece has become whole with it.
    ///
    /// # Errors
    /// When the frame has another size, or the disk or the encoder fails; whole pieces stay.
    pub fn write(&mut self, pixels: Pixels) -> Result<bool, PiecesError> {
        let pieces = self.pieces;
        let piece = self.next / pieces.description.length;
        if self.open.is_none() {
            self.open = Some(self.begin(piece)?);
        }
        match &mut self.open {
            Some(Piece::Video(video, _)) => video.write(&pixels.coded())?,
            Some(Piece::Pictures(folder)) => folder.write(pixels)?,
            None => {}
        }
        self.next += 1;
        if self.next < pieces.frames_of(&(piece..piece + 1)).end {
            return Ok(false);
        }
        let file = pieces.file(piece);
        match self.open.take() {
            Some(Piece::Video(video, aside)) => {
                video.finish()?;
                fs::rename(&aside, &file).map_err(|source| pieces.wrong(&file, source))?;
            }
            Some(Piece::Pictures(_)) => fs::write(&file, "").map_err(|source| pieces.wrong(&file, source))?,
            None => {}
        }
        Ok(true)
    }

    fn begin(&self, piece: u64) -> Result<Piece, PiecesError> {
        let Description { width, height, fps, .. } = self.pieces.description;
        let (codec, ending) = self.pieces.of_piece();
        if codec::is_folder(codec) {
            let mut folder = self.pieces.pictures()?.0;
            folder.go_to(self.next);
            return Ok(Piece::Pictures(folder));
        }
        // Another process may be at the same piece. No dot in front: some ffmpegs may not write to hidden files.
        let aside = self.pieces.folder.join(format!("part-{piece:06}-{}.{ending}", std::process::id()));
        let settings = VideoSettings { codec, ..VideoSettings::new(width, height, fps) };
        Ok(Piece::Video(Box::new(VideoWriter::start(&aside, &settings)?), aside))
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        // What is not whole is rendered again.
        if let Some(Piece::Video(video, aside)) = self.open.take() {
            drop(video);
            let _ = fs::remove_file(aside);
        }
    }
}
