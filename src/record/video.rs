//! A video: frames are piped to an ffmpeg process.
//!
//! ffmpeg runs in its own process group, so that Ctrl-C reaches only us and the file is finished properly. While
//! it grows, the file is a sequence of fragments that plays up to the last half second even if either process is
//! killed; finishing turns an .mp4 or .mov into one that every editor opens. Offline, the same frames give the same bytes,
//! and the file has its name once it is finished. Live, it has its name from the beginning, and frames that repeat the one
//! before are left to ffmpeg.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::codec;
pub use super::codec::Encoder;
use super::feed::{Content, Feed};
use super::framer::pad;
use super::{RecordError, Summary, check_frame};
use crate::params::Codec;

/// The program, found on the PATH.
pub const FFMPEG: &str = "ffmpeg";

/// How many lines of ffmpeg's error output are kept.
const KEPT_LINES: usize = 6;

/// ffmpeg says so of all sound that is piped to it.
const GUESSED: &str = "Guessed Channel Layout";

/// A file with fewer bytes has no frame in it, only the header.
const SHORTEST: u64 = 4096;

/// Why a video could not be written.
#[derive(Debug, thiserror::Error)]
pub enum VideoError {
    #[error("no ffmpeg on the PATH: install it to write videos")]
    NoFfmpeg,
    #[error("cannot start ffmpeg: {0}")]
    Start(std::io::Error),
    #[error("this ffmpeg has no usable encoder for {codec} ({known}): install a full ffmpeg")]
    NoEncoder { codec: &'static str, known: String },
    #[error("a video takes {what}; got {found}")]
    Settings { what: &'static str, found: String },
    #[error("ffmpeg ended with {status} while writing {}: {said}{}", path.display(), kept_part(part.as_deref()))]
    Encoder { path: PathBuf, status: String, said: String, part: Option<PathBuf> },
    #[error("{}: no frame was recorded", path.display())]
    NoFrames { path: PathBuf },
}

impl VideoError {
    pub(super) fn start(error: std::io::Error) -> VideoError {
        if error.kind() == std::io::ErrorKind::NotFound { VideoError::NoFfmpeg } else { VideoError::Start(error) }
    }
}

fn kept_part(part: Option<&Path>) -> String {
    part.map_or_else(String::new, |part| format!("; the part written before that is in {}", part.display()))
}

/// How much effort goes into each frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// For offline rendering: small and visually near lossless.
    #[default]
    Best,
    /// For recording a live show: light on the processor.
    Live,
    /// For a receiver on the network: few delays, and a limited rate.
    Stream,
}

/// Size, frame rate, codec and effort of a video.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VideoSettings {
    /// 2 to 16,384 pixels. An odd size grows to the next one that the encoder takes.
    pub width: u32,
    /// As the width.
    pub height: u32,
    /// Frames per second, above 0 and at most 1000.
    pub fps: f64,
    pub effort: Effort,
    pub codec: Codec,
    /// Whether sound comes along with the frames; not with [`Effort::Best`], or where [`codec::has_sound`] says no.
    pub sound: bool,
}

impl VideoSettings {
    /// With the codec that the file's ending suggests and the best effort.
    pub fn new(width: u32, height: u32, fps: f64) -> Self {
        VideoSettings { width, height, fps, effort: Effort::Best, codec: Codec::Auto, sound: false }
    }

    /// Bytes of one frame.
    pub fn frame_bytes(&self) -> usize {
        self.width as usize * self.height as usize * 4
    }

    pub(super) fn check(&self) -> Result<(), VideoError> {
        let VideoSettings { width, height, fps, .. } = *self;
        let in_range = |side: u32| (2..=16_384).contains(&side);
        if !in_range(width) || !in_range(height) {
            let found = format!("{width}x{height}");
            return Err(VideoError::Settings { what: "a width and height from 2 to 16384", found });
        }
        if !(fps > 0.0 && fps <= 1000.0) {
            return Err(VideoError::Settings {
                what: "above 0 and at most 1000 frames per second",
                found: fps.to_string(),
            });
        }
        Ok(())
    }
}

/// A video being written. Dropping it closes the file, which then plays but is not finished for editors.
#[derive(Debug)]
pub struct VideoWriter {
    ffmpeg: OsString,
    /// Where the finished video goes.
    path: PathBuf,
    /// Where it is written until it is finished.
    part: PathBuf,
    encoder: Encoder,
    settings: VideoSettings,
    /// Offline: width and height of the frames, which are padded here. Live, they come padded.
    size: [u32; 2],
    padded: Vec<u8>,
    child: Child,
    /// `None` once the end of the frames was signalled.
    frames_in: Option<FramesIn>,
    complaints: Complaints,
    /// How many frames the video has, with those that repeat the one before.
    frames: u64,
}

/// How frames get to ffmpeg.
#[derive(Debug)]
enum FramesIn {
    /// One after another.
    Raw(ChildStdin),
    /// With their places; what repeats is left out.
    Timed(Feed<ChildStdin>),
}

impl VideoWriter {
    /// Starts ffmpeg, which writes to a file next to `out`; creates missing parent folders. An existing `out` is replaced
    /// only once the video is finished.
    ///
    /// # Errors
    /// [`VideoError::NoFfmpeg`] when there is none, and when the settings are invalid or `out` cannot be written.
    pub fn start(out: &Path, settings: &VideoSettings) -> Result<Self, RecordError> {
        VideoWriter::start_by(OsStr::new(FFMPEG), out, settings)
    }

    /// As [`VideoWriter::start`], with this ffmpeg. An odd size grows to the next one that the encoder takes: see
    /// [`VideoWriter::settings`]. Live, the frames have that size; otherwise the one that was asked for.
    pub(super) fn start_by(ffmpeg: &OsStr, out: &Path, settings: &VideoSettings) -> Result<Self, RecordError> {
        settings.check()?;
        let is_live = settings.effort != Effort::Best;
        let encoder = Encoder::for_codec(ffmpeg, settings.codec)?;
        let asked = [settings.width, settings.height];
        let [width, height] = encoder.padded(asked);
        let sound = settings.sound && is_live && codec::has_sound(settings.codec);
        let settings = VideoSettings { width, height, sound, ..*settings };
        let part = if is_live { out.to_owned() } else { part_of(out) };
        writable(out, &part).map_err(|source| RecordError::Write { path: out.to_owned(), source })?;
        let mut command = command(ffmpeg);
        command.args(arguments(&part, &settings, encoder)).stdin(Stdio::piped());
        let started = command.spawn().map_err(VideoError::start);
        let mut child = started.inspect_err(|_| {
            // Leave no empty file behind.
            let _ = fs::remove_file(&part);
        })?;
        let complaints = Complaints::of(&mut child).map_err(VideoError::Start)?;
        let frames_in = child.stdin.take();
        let frames_in = match is_live {
            false => frames_in.map(FramesIn::Raw),
            // If it has gone already, the first frame says why.
            true => frames_in
                .and_then(|pipe| Feed::new(pipe, Content::Rgba, [width, height], settings.fps, sound).ok())
                .map(FramesIn::Timed),
        };
        Ok(VideoWriter {
            ffmpeg: ffmpeg.to_owned(),
            path: out.to_owned(),
            part,
            encoder,
            settings,
            size: if is_live { [width, height] } else { asked },
            padded: Vec::new(),
            frames_in,
            complaints,
            child,
            frames: 0,
        })
    }

    pub fn settings(&self) -> &VideoSettings {
        &self.settings
    }

    /// The file that is written now.
    pub fn growing(&self) -> &Path {
        &self.part
    }

    /// Its encoder.
    pub fn encoder(&self) -> Encoder {
        self.encoder
    }

    /// The id of the ffmpeg process.
    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Writes one frame: sRGB-encoded RGBA, rows from top to bottom. Waits while ffmpeg is behind.
    ///
    /// # Errors
    /// When the frame has the wrong size, or ffmpeg has ended.
    pub fn write(&mut self, rgba: &[u8]) -> Result<(), RecordError> {
        let VideoWriter { size, settings, padded, .. } = self;
        check_frame(size[0], size[1], rgba.len())?;
        let to = [settings.width, settings.height];
        let rgba = if *size == to {
            rgba
        } else {
            pad(rgba, *size, to, padded);
            &*padded
        };
        let written = match &mut self.frames_in {
            Some(FramesIn::Raw(pipe)) => pipe.write_all(rgba),
            Some(FramesIn::Timed(feed)) => feed.write(self.frames, rgba),
            None => return Err(self.failed()),
        };
        if written.is_err() {
            return Err(self.failed());
        }
        self.frames += 1;
        Ok(())
    }

    /// `count` more frames like the last one, which is given again. Live, they are in the file once another one is written.
    ///
    /// # Errors
    /// As [`VideoWriter::write`].
    pub fn repeat(&mut self, count: u64, rgba: &[u8]) -> Result<(), RecordError> {
        match &self.frames_in {
            Some(FramesIn::Timed(_)) => self.frames += count,
            _ => (0..count).try_for_each(|_| self.write(rgba))?,
        }
        Ok(())
    }

    /// Writes the sound while the frame at `place` is shown: see [`Feed::write_sound`].
    ///
    /// # Errors
    /// When ffmpeg has ended.
    pub fn write_sound(&mut self, place: u64, samples: &[f32]) -> Result<(), RecordError> {
        let written = match &mut self.frames_in {
            Some(FramesIn::Timed(feed)) if self.settings.sound => feed.write_sound(place, samples),
            _ => return Ok(()),
        };
        written.map_err(|_| self.failed())
    }

    /// Why ffmpeg ended before the frames did.
    fn failed(&mut self) -> RecordError {
        self.end().err().unwrap_or_else(|| self.encoder_error("no error".to_owned())).into()
    }

    /// Signals the end of the frames, waits for ffmpeg, and finishes the file so that every program opens it.
    ///
    /// # Errors
    /// When ffmpeg failed, or there were no frames.
    pub fn finish(mut self) -> Result<Summary, RecordError> {
        self.end()?;
        let path = self.path.clone();
        if self.frames == 0 {
            // Nothing plays in it.
            let _ = fs::remove_file(&self.part);
            return Err(VideoError::NoFrames { path }.into());
        }
        if self.part != path {
            fs::rename(&self.part, &path).map_err(|source| RecordError::Write { path: path.clone(), source })?;
        }
        let remark = self.index().err().map(|why| format!("it plays, but some editors may not be able to seek: {why}"));
        let VideoSettings { width, height, fps, .. } = self.settings;
        Ok(Summary { path, frames: self.frames, width, height, seconds: Some(self.frames as f64 / fps), remark })
    }

    fn end(&mut self) -> Result<(), VideoError> {
        self.frames_in = None;
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(self.encoder_error(status.to_string())),
            Err(error) => Err(self.encoder_error(error.to_string())),
        }
    }

    fn encoder_error(&mut self, status: String) -> VideoError {
        let bytes = fs::metadata(&self.part).map_or(0, |part| part.len());
        if self.frames == 0 || bytes < SHORTEST {
            // Nothing plays in it.
            let _ = fs::remove_file(&self.part);
        }
        let part = self.part.exists().then(|| self.part.clone());
        VideoError::Encoder { path: self.path.clone(), status, said: self.complaints.all(), part }
    }

    /// Rewrites the fragments of an .mp4 or .mov as a file with a single index at its start.
    fn index(&self) -> Result<(), String> {
        if !is_fragmented(&self.path) {
            return Ok(());
        }
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        let aside = self.path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let mut command = command(&self.ffmpeg);
        command.stdin(Stdio::null()).arg("-i").arg(file_url(&self.path)).args(["-c", "copy", "-map_metadata", "-1"]);
        if is_hevc(self.encoder) {
            command.args(["-tag:v", "hvc1"]);
        }
        command.args(["-fflags", "+bitexact", "-movflags", "+faststart", "-f", container(&self.path)]);
        let ended = command.arg(file_url(&aside)).output().map_err(|error| error.to_string());
        let indexed = ended.and_then(|output| if output.status.success() { Ok(()) } else { Err(why(&output.stderr)) });
        let replaced = indexed.and_then(|()| fs::rename(&aside, &self.path).map_err(|error| error.to_string()));
        if replaced.is_err() {
            // The fragmented file is still there and plays.
            let _ = fs::remove_file(&aside);
        }
        replaced
    }
}

impl Drop for VideoWriter {
    fn drop(&mut self) {
        self.frames_in = None;
        // The file is closed in order, and no process is left behind.
        let ended = self.child.wait();
        if self.frames == 0 {
            let _ = fs::remove_file(&self.part);
        } else if self.part != self.path && ended.is_ok_and(|status| status.success()) && self.part.exists() {
            // It plays, under the requested name.
            let _ = fs::rename(&self.part, &self.path);
        }
    }
}

/// The last lines of ffmpeg's standard error, read by a thread, because ffmpeg blocks when nobody reads them.
#[derive(Debug)]
pub(super) struct Complaints {
    lines: Arc<Mutex<VecDeque<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl Complaints {
    pub(super) fn of(child: &mut Child) -> std::io::Result<Self> {
        let lines = Arc::new(Mutex::new(VecDeque::with_capacity(KEPT_LINES)));
        let kept = lines.clone();
        let thread = match child.stderr.take() {
            Some(stderr) => Some(std::thread::Builder::new().name("record-errors".to_owned()).spawn(move || {
                for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                    let line = String::from_utf8_lossy(&line).trim().to_owned();
                    if line.starts_with(GUESSED) {
                        continue;
                    }
                    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
                    if kept.len() == KEPT_LINES {
                        kept.pop_front();
                    }
                    kept.push_back(line);
                }
            })?),
            None => None,
        };
        Ok(Complaints { lines, thread })
    }

    /// All of them as one line, once ffmpeg has ended.
    pub(super) fn all(&mut self) -> String {
        if let Some(thread) = self.thread.take() {
            // A reader that failed leaves what it had read.
            let _ = thread.join();
        }
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.is_empty() { "no output".to_owned() } else { lines.iter().cloned().collect::<Vec<_>>().join("; ") }
    }
}

/// ffmpeg in its own process group, reporting only errors.
pub(super) fn command(ffmpeg: &OsStr) -> Command {
    let mut command = Command::new(ffmpeg);
    command.args(["-hide_banner", "-loglevel", "warning", "-nostdin", "-y"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    crate::process::set_apart(&mut command);
    command
}

/// ffmpeg's arguments, after those of [`command`].
fn arguments(out: &Path, settings: &VideoSettings, encoder: Encoder) -> Vec<OsString> {
    let VideoSettings { width, height, fps, effort, codec, sound } = *settings;
    let keyframes = (fps * 2.0).round().max(1.0).to_string();
    let mut arguments: Vec<OsString> = Vec::new();
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));
    add(encoder.before());
    let (flags, rate, fragment) = match effort {
        Effort::Best => {
            add(&["-f", "rawvideo", "-pix_fmt", "rgba", "-s", &format!("{width}x{height}")]);
            add(&["-framerate", &fps.to_string(), "-i", "pipe:0"]);
            ("bicubic+accurate_rnd+full_chroma_inp+bitexact", None, 500)
        }
        Effort::Live | Effort::Stream => {
            add(&["-fpsprobesize", "0", "-f", "matroska", "-i", "pipe:0"]);
            ("bicubic", Some(fps), 250)
        }
    };
    match sound {
        true => {
            add(&["-map", "0:v:0", "-map", "0:a:0"]);
            add(audio_codec(out, codec));
        }
        false => add(&["-an"]),
    }
    add(&["-g", &keyframes]);
    add(&encoder.arguments(effort).collect::<Vec<_>>());
    add(&["-vf", &encoder.filter(flags, rate)]);
    if effort == Effort::Best {
        // The number of threads changes the bytes, so it is the same on every machine.
        add(&["-threads", "8"]);
    }
    add(&["-fflags", "+bitexact", "-flags:v", "+bitexact", "-map_metadata", "-1"]);
    add(&["-flush_packets", "1", "-f", container(out)]);
    match container(out) {
        "matroska" | "webm" => add(&["-cluster_time_limit", &fragment.to_string()]),
        _ if is_fragmented(out) => {
            let micros = format!("{}000", fragment);
            add(&["-movflags", "+frag_keyframe+empty_moov+default_base_moof", "-frag_duration", &micros]);
        }
        _ => {}
    }
    arguments.push(file_url(out));
    arguments
}

/// The sound that goes with a video: as it is for editing, otherwise compressed.
pub(super) fn audio_codec(out: &Path, codec: Codec) -> &'static [&'static str] {
    match codec {
        Codec::Prores | Codec::Dnxhr | Codec::Hap | Codec::Ffv1 => &["-c:a", "pcm_s24le"],
        _ if container(out) == "webm" => &["-c:a", "libopus", "-b:a", "192k"],
        _ => &["-c:a", "aac", "-b:a", "256k"],
    }
}

/// The last line that ffmpeg wrote.
pub(super) fn why(stderr: &[u8]) -> String {
    String::from_utf8_lossy(stderr).lines().last().unwrap_or("no reason given").to_owned()
}

/// ffmpeg's name for the format of an extension.
pub(super) fn container(out: &Path) -> &'static str {
    match out.extension().map(OsStr::to_ascii_lowercase).as_deref().and_then(OsStr::to_str) {
        Some("mkv") => "matroska",
        Some("mov") => "mov",
        Some("webm") => "webm",
        Some("gif") => "gif",
        Some("webp") => "webp",
        _ => "mp4",
    }
}

/// Whether its .mp4 or .mov needs the tag by which players know HEVC.
pub(super) fn is_hevc(encoder: Encoder) -> bool {
    encoder.name.contains("hevc") || encoder.name == "libx265"
}

/// Whether it is written in fragments, which are joined at the end.
pub(super) fn is_fragmented(out: &Path) -> bool {
    matches!(container(out), "mp4" | "mov")
}

/// A path in a form that ffmpeg never mistakes for an option or a protocol.
pub(super) fn file_url(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(path);
    url
}

/// `x.mp4` → `x.part.mp4`, in the same folder: the file being written.
fn part_of(out: &Path) -> PathBuf {
    let ending = out.extension().unwrap_or_default().to_string_lossy();
    out.with_extension(format!("part.{ending}"))
}

/// Creates the parent folders of the files, and checks before ffmpeg does whether both can be written.
fn writable(out: &Path, part: &Path) -> std::io::Result<()> {
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder)?;
    }
    if out.exists() {
        fs::OpenOptions::new().append(true).open(out)?;
    }
    fs::File::create(part).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_settings_are_reported() {
        let settings = VideoSettings::new;
        for (settings, message) in [
            (settings(0, 512, 30.0), "a video takes a width and height from 2 to 16384; got 0x512"),
            (settings(64, 64, 0.0), "a video takes above 0 and at most 1000 frames per second; got 0"),
            (settings(64, 64, f64::NAN), "a video takes above 0 and at most 1000 frames per second; got NaN"),
        ] {
            assert_eq!(settings.check().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn without_ffmpeg_nothing_is_left_behind() {
        let out = std::env::temp_dir().join(format!("latent-jockey-no-ffmpeg-{}.mp4", std::process::id()));
        let settings = VideoSettings::new(64, 64, 30.0);
        let error = VideoWriter::start_by(OsStr::new("no-such-ffmpeg"), &out, &settings).unwrap_err();
        assert!(matches!(error, RecordError::Video(VideoError::NoFfmpeg)), "{error}");
        assert!(!out.exists());
    }

    /// Writes a program that can be run at once.
    ///
    /// A shell writes it: what this process has open for writing, a child that another test starts at that moment holds
    /// open until it runs, and a program that anybody has open for writing is "text file busy".
    #[cfg(unix)]
    fn write_program(path: &Path, script: &str) {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", r#"cat > "$0" && chmod +x "$0""#]).arg(path).stdin(Stdio::piped());
        let mut shell = shell.spawn().unwrap();
        shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(shell.wait().unwrap().success());
    }

    /// A fake ffmpeg that has `encoders`, of which `broken` fail; encoding writes `bytes` bytes and exits with `code`.
    #[cfg(unix)]
    fn fake(name: &str, encoders: &str, broken: &str, bytes: usize, code: u8) -> (PathBuf, PathBuf) {
        let folder = std::env::temp_dir().join(format!("latent-jockey-fake-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("ffmpeg");
        let script = format!(
            r#"#!/bin/sh
echo "$@" >> "{log}"
for last; do :; done
case "$*" in
  *-encoders*) for e in {encoders}; do echo " V....D $e    $e"; done; exit 0;;
  *"-f null"*) cat > /dev/null; for e in {broken}; do case "$*" in *"-c:v $e "*) exit 1;; esac; done; exit 0;;
  *pipe:0*) head -c {bytes} /dev/zero > "${{last#file:}}"; [ {code} = 0 ] && cat > /dev/null; echo "No space left on device" >&2; exit {code};;
  *) exit 1;;
esac
"#,
            log = folder.join("log").display()
        );
        write_program(&program, &script);
        (folder, program)
    }

    #[cfg(unix)]
    const SMALL: VideoSettings =
        VideoSettings { width: 64, height: 64, fps: 30.0, effort: Effort::Best, codec: Codec::Auto, sound: false };

    #[cfg(unix)]
    #[test]
    fn an_available_and_working_encoder_is_chosen() {
        for (listed, broken, expected) in [
            ("libx264 libopenh264 mpeg4", "", Some("libx264")),
            ("libopenh264 mpeg4", "", Some("libopenh264")),
            ("libopenh264 mpeg4", "libopenh264", Some("mpeg4")),
            ("h264_nvenc mpeg4", "h264_nvenc", Some("mpeg4")),
            ("theora vp9", "", None),
        ] {
            let (folder, program) = fake(&format!("choice-{}", listed.len() + broken.len()), listed, broken, 9000, 0);
            let out = folder.join("x.mp4");
            match (VideoWriter::start_by(program.as_os_str(), &out, &SMALL), expected) {
                (Ok(mut writer), Some(name)) => {
                    assert_eq!(writer.encoder().name, name, "{listed}");
                    assert_eq!(writer.encoder().remark().is_some(), name != "libx264");
                    writer.write(&vec![0; SMALL.frame_bytes()]).unwrap();
                    writer.finish().unwrap();
                    assert!(out.exists(), "{listed}");
                    let log = fs::read_to_string(folder.join("log")).unwrap();
                    let encoding = log.lines().find(|line| line.contains("x.part.mp4")).unwrap();
                    assert!(encoding.contains(&format!("-c:v {name} ")), "{encoding}");
                }
                (Err(RecordError::Video(VideoError::NoEncoder { .. })), None) => {}
                (found, _) => panic!("{listed}, {broken}: {found:?}"),
            }
            let left: Vec<_> = fs::read_dir(&folder).unwrap().flatten().map(|entry| entry.file_name()).collect();
            assert!(left.iter().all(|name| !name.to_string_lossy().contains("part")), "{left:?}");
            fs::remove_dir_all(folder).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn an_encoder_that_fails_leaves_the_existing_file() {
        for (bytes, is_kept) in [(0, false), (1200, false), (50_000, true)] {
            let (folder, program) = fake(&format!("fails-{bytes}"), "libx264", "", bytes, 1);
            let out = folder.join("x.mp4");
            fs::write(&out, "the video of yesterday").unwrap();
            let mut writer = VideoWriter::start_by(program.as_os_str(), &out, &SMALL).unwrap();
            let frame = vec![0; SMALL.frame_bytes()];
            let error = (0..1000).find_map(|_| writer.write(&frame).err()).expect("the encoder is gone").to_string();
            assert!(error.contains("No space left on device") && error.lines().count() == 1, "{error}");
            drop(writer);
            assert_eq!(fs::read_to_string(&out).unwrap(), "the video of yesterday");
            let part = folder.join("x.part.mp4");
            assert_eq!((part.exists(), error.contains("x.part.mp4")), (is_kept, is_kept), "{bytes}: {error}");
            fs::remove_dir_all(folder).unwrap();
        }
    }

    /// An ffmpeg that may write so many kibibytes, if there is one here.
    #[cfg(unix)]
    fn limited(folder: &Path, kibibytes: u32) -> Option<PathBuf> {
        if Command::new(FFMPEG).arg("-version").output().is_err() {
            println!("skipped: no ffmpeg");
            return None;
        }
        fs::create_dir_all(folder).unwrap();
        let program = folder.join("ffmpeg");
        // In blocks of 512 bytes. The signal would end it without a word, a full disk does not.
        let script = format!("#!/bin/sh\ntrap '' XFSZ\nulimit -f {}\nexec ffmpeg \"$@\"\n", kibibytes * 2);
        write_program(&program, &script);
        Some(program)
    }

    #[cfg(unix)]
    #[test]
    fn what_was_written_before_the_disk_was_full_plays() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-full-{}", std::process::id()));
        let Some(program) = limited(&folder, 300) else { return };
        for name in ["x.mp4", "x.mkv", "x.mov"] {
            let out = folder.join(name);
            let settings = VideoSettings { effort: Effort::Live, ..SMALL };
            let mut writer = VideoWriter::start_by(program.as_os_str(), &out, &settings).unwrap();
            let mut grain = 1u32;
            let error = (0..100_000).find_map(|_| {
                let mut noise = || {
                    grain = grain.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (grain >> 24) as u8
                };
                let frame: Vec<u8> = (0..SMALL.frame_bytes()).map(|_| noise()).collect();
                writer.write(&frame).err()
            });
            let error = error.expect("the disk is full").to_string();
            assert!(error.lines().count() == 1 && error.contains(name), "{error}");
            drop(writer);
            let played = Command::new(FFMPEG)
                .args(["-v", "quiet", "-i"])
                .arg(&out)
                .args(["-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"])
                .output()
                .unwrap();
            let frames = played.stdout.len() / (64 * 64);
            assert!(frames >= 10, "{name}: {frames} frames play");
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn odd_sizes_grow() {
        let (folder, program) = fake("odd", "libx264", "", 9000, 0);
        let out = folder.join("x.mp4");
        // Offline the frames are padded here, live before they come.
        for (effort, width) in [(Effort::Best, 511), (Effort::Live, 512)] {
            let settings = VideoSettings { effort, ..VideoSettings::new(511, 512, 30.0) };
            let mut writer = VideoWriter::start_by(program.as_os_str(), &out, &settings).unwrap();
            assert_eq!((writer.settings().width, writer.settings().height), (512, 512));
            assert!(writer.write(&vec![9; 4 * width * 512]).is_ok(), "{effort:?}");
            let wrong = writer.write(&vec![9; 4 * (1023 - width) * 512]).unwrap_err();
            assert!(matches!(wrong, RecordError::FrameSize { .. }), "{effort:?}: {wrong}");
            let _ = writer.finish();
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_out_that_cannot_be_written_is_named() {
        let settings = VideoSettings::new(64, 64, 30.0);
        let file = std::env::temp_dir().join(format!("latent-jockey-a-file-{}", std::process::id()));
        fs::write(&file, "").unwrap();
        let out = file.join("x.mp4");
        let error = VideoWriter::start(&out, &settings).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot write {}: ", out.display())), "{error}");
        fs::remove_file(file).unwrap();
    }
}
