//! What ffprobe says about a file: how long it is, how fast, and whether its colours are described.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::ffmpeg::{SD_HEIGHT, command, plain};
use super::{FootageError, Length};

/// How long ffprobe may look at a file.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of shorter clips every picture's time is read, so that they go round without a gap.
const EXACT_SECS: f64 = 180.0;
/// Pictures per second that are told apart, if they come at uneven times.
const FASTEST: f64 = 61.0;
/// The most pictures per second.
const LIMIT: f64 = 240.0;

/// What there is to know about a clip.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Probed {
    pub length: Length,
    /// Pictures per second as ffmpeg takes it: `30000/1001`.
    pub rate: String,
    /// ffmpeg's word for the colours of a file that does not describe them; `None` if it does.
    pub colours: Option<&'static str>,
}

#[derive(Deserialize, Default)]
struct Told {
    #[serde(default)]
    streams: Vec<Stream>,
    #[serde(default)]
    format: Format,
}

#[derive(Deserialize, Default)]
struct Stream {
    width: Option<u32>,
    height: Option<u32>,
    r_frame_rate: Option<String>,
    avg_frame_rate: Option<String>,
    duration: Option<String>,
    color_space: Option<String>,
}

#[derive(Deserialize, Default)]
struct Format {
    duration: Option<String>,
}

/// A file's address for ffmpeg: no name looks like an option or another protocol, and what is in the file opens nothing else.
pub(super) fn input(file: &Path) -> Vec<String> {
    let path = file.to_string_lossy();
    ["-protocol_whitelist", "file,crypto,data", "-i", &format!("file:{path}")].map(str::to_owned).to_vec()
}

/// Looks at a file.
///
/// # Errors
/// When there is no ffprobe, or it finds no video in the file.
pub(super) fn probe(ffprobe: &OsStr, file: &Path) -> Result<Probed, FootageError> {
    let entries = "stream=width,height,r_frame_rate,avg_frame_rate,duration,color_space:format=duration";
    let json = ask(ffprobe, file, &["-select_streams", "V:0", "-show_entries", entries, "-of", "json"])?;
    let wrong = |said: &str| FootageError::File { file: PathBuf::from(file), said: said.to_owned() };
    let told: Told = serde_json::from_str(&json).map_err(|_| wrong("ffprobe says nothing about it"))?;
    let stream = told.streams.first().ok_or_else(|| wrong("there is no video in this file"))?;
    let (rate, fps) = rate(stream);
    let secs =
        [&stream.duration, &told.format.duration].into_iter().flatten().find_map(|text| text.parse::<f64>().ok());
    let exact = secs.is_none_or(|secs| secs < EXACT_SECS).then(|| {
        let entries = ["-select_streams", "V:0", "-show_entries", "packet=pts_time,duration_time", "-of", "csv=p=0"];
        ask(ffprobe, file, &entries).map(|times| span(&times, 1.0 / fps))
    });
    let secs = exact.transpose()?.flatten().or(secs).filter(|secs| secs.is_finite() && *secs >= 0.0);
    let count = secs.map_or(1.0, |secs| (secs * fps).round()).clamp(1.0, 1e9) as u64;
    let is_hd = stream.height.unwrap_or(0) > SD_HEIGHT || stream.width.unwrap_or(0) >= 1280;
    let is_told = stream.color_space.as_deref().is_some_and(|word| !["unknown", "unspecified"].contains(&word));
    let colours = (!is_told).then_some(if is_hd { "bt709" } else { "smpte170m" });
    Ok(Probed { length: Length { count, fps }, rate, colours })
}

/// Pictures per second, in words and as a number: of a file whose pictures come at uneven times, enough to tell them apart.
fn rate(stream: &Stream) -> (String, f64) {
    let number = |text: &Option<String>| {
        let text = text.as_deref()?;
        let (over, under) = text.split_once('/').unwrap_or((text, "1"));
        let fps = over.parse::<f64>().ok()? / under.parse::<f64>().ok()?;
        (fps.is_finite() && fps > 0.0).then(|| (text.to_owned(), fps))
    };
    let (least, average) = (number(&stream.r_frame_rate), number(&stream.avg_frame_rate));
    match (least, average) {
        (Some(least), average) if least.1 <= FASTEST || average.as_ref().is_some_and(|a| a.1 == least.1) => least,
        (_, Some((_, average))) if average > FASTEST => (FASTEST.to_string(), FASTEST),
        (_, Some(average)) => average,
        _ => ("25".to_owned(), 25.0),
    }
    .limited()
}

trait Limited {
    fn limited(self) -> Self;
}

impl Limited for (String, f64) {
    fn limited(self) -> Self {
        if self.1 > LIMIT { (LIMIT.to_string(), LIMIT) } else { self }
    }
}

/// From the first picture to the end of the last, in seconds; `None` if the times are not known.
fn span(times: &str, usual: f64) -> Option<f64> {
    let (mut first, mut end) = (f64::INFINITY, f64::NEG_INFINITY);
    for line in times.lines() {
        let mut parts = line.split(',').map(|part| part.trim().parse::<f64>().ok());
        let Some(time) = parts.next().flatten() else { continue };
        let duration = parts.next().flatten().filter(|secs| *secs > 0.0).unwrap_or(usual);
        (first, end) = (first.min(time), end.max(time + duration));
    }
    (end > first).then_some(end - first)
}

/// What ffprobe writes.
fn ask(ffprobe: &OsStr, file: &Path, words: &[&str]) -> Result<String, FootageError> {
    let wrong = |said: String| FootageError::File { file: file.to_owned(), said };
    let mut command = command(ffprobe);
    command.args(["-v", "error"]).args(words).args(input(file));
    let mut child = command.spawn().map_err(|error| no_ffmpeg(&file.display().to_string(), &error))?;
    let (out, errors) = (child.stdout.take(), child.stderr.take());
    let (give, texts) = crossbeam_channel::bounded(2);
    for (at, pipe) in [out.map(Pipe::Out), errors.map(Pipe::Errors)].into_iter().flatten().enumerate() {
        let give = give.clone();
        let read = move || drop(give.send((at, pipe.text())));
        let started = std::thread::Builder::new().name("probe".to_owned()).spawn(read);
        started.map_err(|error| FootageError::Thread { name: "probe", error })?;
    }
    drop(give);
    let mut all = [String::new(), String::new()];
    let end = std::time::Instant::now() + PATIENCE;
    while let Ok((at, text)) = texts.recv_deadline(end) {
        all[at] = text;
    }
    let is_late = std::time::Instant::now() >= end;
    if is_late {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| wrong(error.to_string()))?;
    if is_late {
        return Err(wrong(format!("ffprobe has not read it in {} s", PATIENCE.as_secs())));
    }
    let [out, errors] = all;
    if status.success() {
        return Ok(out);
    }
    let said = errors.lines().map(plain).rfind(|line| !line.is_empty()).unwrap_or_default();
    let name = format!("file:{}: ", file.to_string_lossy());
    Err(wrong(format!("ffprobe cannot read it: {}", said.trim_start_matches(&name))))
}

/// A program that is not there, or cannot be started.
pub(super) fn no_ffmpeg(name: &str, error: &std::io::Error) -> FootageError {
    match error.kind() {
        std::io::ErrorKind::NotFound => FootageError::NoFfmpeg { name: name.to_owned() },
        _ => FootageError::Source(format!("{name}: cannot start ffmpeg: {error}")),
    }
}

enum Pipe {
    Out(std::process::ChildStdout),
    Errors(std::process::ChildStderr),
}

impl Pipe {
    fn text(self) -> String {
        let mut bytes = Vec::new();
        // What came before a failure is still of use.
        let _ = match self {
            Pipe::Out(mut pipe) => pipe.read_to_end(&mut bytes),
            Pipe::Errors(mut pipe) => pipe.read_to_end(&mut bytes),
        };
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_tells_pictures_apart_without_inventing_many() {
        for (least, average, expected) in [
            ("25/1", "25/1", ("25/1", 25.0)),
            ("30000/1001", "30000/1001", ("30000/1001", 30000.0 / 1001.0)),
            ("60/1", "24/1", ("60/1", 60.0)),
            ("120/1", "120/1", ("120/1", 120.0)),
            ("100/1", "10/1", ("10/1", 10.0)),
            ("90000/1", "80/1", ("61", 61.0)),
            ("0/0", "0/0", ("25", 25.0)),
            ("1000/1", "1000/1", ("240", 240.0)),
        ] {
            let words = |text: &str| Some(text.to_owned());
            let stream = Stream { r_frame_rate: words(least), avg_frame_rate: words(average), ..Stream::default() };
            assert_eq!(rate(&stream), (expected.0.to_owned(), expected.1), "{least} {average}");
        }
    }

    #[test]
    fn the_span_ends_with_the_last_picture_in_time() {
        assert_eq!(span("1.0,0.5\n2.0,0.5\n1.5,0.5\n", 1.0), Some(1.5));
        assert_eq!(span("0.0,N/A\n0.1,\nN/A,0.1\n", 0.1), Some(0.2));
        assert_eq!(span("N/A,N/A\n", 0.1), None);
    }

    #[test]
    fn without_ffprobe_one_line_says_so() {
        let error = probe(OsStr::new("/nowhere/ffprobe"), Path::new("a.mp4")).unwrap_err().to_string();
        assert_eq!(error, "a.mp4: no ffmpeg on the PATH: install it to play videos, cameras and streams");
    }
}
