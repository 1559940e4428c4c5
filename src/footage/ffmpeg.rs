//! An ffmpeg process that decodes, and the two threads that read what it writes and what it complains about.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::camera;

/// Pictures that are read ahead of the thread that takes them.
const AHEAD: usize = 2;
/// Lines of complaints that are kept.
const KEPT: usize = 8;
/// The longest side of a picture; ffmpeg is asked for smaller ones.
const LONGEST: usize = 16_384;

/// Above this height, or from 1280 pixels on a line, undescribed colours are those of HD.
pub(super) const SD_HEIGHT: u32 = 576;
/// How ffmpeg calls the colours of a video that describes them.
const MATRICES: [&str; 8] = ["bt709", "bt470bg", "smpte170m", "smpte240m", "bt2020", "fcc", "ycgco", "gbr"];

/// A picture as it comes: RGB bytes, rows from top to bottom.
#[derive(Debug, Default)]
pub(super) struct Raw {
    /// Width and height.
    pub size: [usize; 2],
    pub rgb: Vec<u8>,
}

/// What ffmpeg and ffprobe have in common.
pub(super) fn command(program: &OsStr) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    crate::process::set_apart(&mut command);
    command
}

/// Pictures that come out of ffmpeg. Its process belongs to the caller.
pub(super) struct Pictures {
    pictures: Receiver<Raw>,
    spare: Sender<Vec<u8>>,
    told: Arc<Mutex<Told>>,
    errors: JoinHandle<()>,
}

/// What ffmpeg says about its input.
#[derive(Debug, Default)]
struct Told {
    complaints: VecDeque<String>,
    /// What a camera's driver has changed.
    changes: Vec<String>,
    /// Whether the video is HD and does not describe its colours; `None` before it is known.
    is_bare_hd: Option<bool>,
}

/// What has become of the next picture.
pub(super) enum Next {
    Picture(Raw),
    /// Not yet.
    Nothing,
    /// The process has ended.
    End,
}

impl Pictures {
    /// Starts ffmpeg with `input` (its options and `-i`) and these filters.
    ///
    /// # Errors
    /// When it or a thread cannot be started.
    pub fn start(program: &OsStr, input: &[String], filter: &str, output: &[&str]) -> io::Result<(Self, Child)> {
        let mut command = command(program);
        command.args(["-hide_banner", "-nostats", "-loglevel", "level+info", "-nostdin"]).args(input);
        command.args(["-map", "0:V:0", "-an", "-sn", "-dn", "-vf", &format!("{filter},format=rgb24")]).args(output);
        command.args(["-c:v", "ppm", "-f", "image2pipe", "-flush_packets", "1", "pipe:1"]);
        let mut child = command.spawn()?;
        let (Some(out), Some(errors)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(io::Error::other("no pipe"));
        };
        let (give, pictures) = bounded(AHEAD);
        let (spare, spares) = bounded(AHEAD + 2);
        let told = Arc::<Mutex<Told>>::default();
        let kept = told.clone();
        let listen = move || listen(errors, &kept);
        let started = std::thread::Builder::new().name("footage errors".to_owned()).spawn(listen).and_then(|errors| {
            let read = move || read_all(out, &give, &spares);
            std::thread::Builder::new().name("footage".to_owned()).spawn(read).map(|_| errors)
        });
        match started {
            Ok(errors) => Ok((Pictures { pictures, spare, told, errors }, child)),
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    /// The next picture, after waiting for at most `patience`.
    pub fn next(&self, patience: Duration) -> Next {
        match self.pictures.recv_timeout(patience) {
            Ok(raw) => Next::Picture(raw),
            Err(error) if error.is_timeout() => Next::Nothing,
            Err(_) => Next::End,
        }
    }

    /// Gives a buffer back.
    pub fn give_back(&self, buffer: Vec<u8>) {
        // A full channel has enough of them.
        let _ = self.spare.try_send(buffer);
    }

    /// What ffmpeg complained about, on one line, once it has ended: the last line about the `input` by its name, otherwise
    /// the first one.
    pub fn complaint(self, input: &str) -> Option<String> {
        // A reader that failed leaves what it had read.
        let _ = self.errors.join();
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.complaints.iter().rfind(|line| line.contains(input)).or(told.complaints.front()).cloned()
    }

    /// What a camera's driver has changed; known with the first picture.
    pub fn changes(&self) -> Vec<String> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).changes.clone()
    }

    /// Whether the video is HD and does not describe its colours; known with the first picture.
    pub fn is_bare_hd(&self) -> bool {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).is_bare_hd.unwrap_or(false)
    }
}

fn listen(errors: impl Read, told: &Mutex<Told>) {
    for line in BufReader::new(errors).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_bare_hd.is_none() {
            told.is_bare_hd = is_bare_hd(&line);
        }
        told.changes.extend(camera::changed(&line));
        // Lines that are only information are none of these.
        if ["[error] ", "[fatal] ", "[panic] "].iter().any(|level| line.contains(level)) {
            if told.complaints.len() == KEPT {
                // The first one stays: it tells most.
                told.complaints.remove(1);
            }
            told.complaints.push_back(plain(&line));
        }
    }
}

/// Whether a video is HD and does not describe its colours, from a line such as
/// `Stream #0:0: Video: h264 (High), yuv420p(tv, bt709, progressive), 1280x720, 25 fps`; `None` from any other line.
fn is_bare_hd(line: &str) -> Option<bool> {
    let (_, video) = line.split_once(": Video: ").filter(|(before, _)| before.contains("Stream #0:"))?;
    let size = |word: &str| {
        let (width, height) = word.split_once('x')?;
        Some((width.parse::<u32>().ok()?, height.parse::<u32>().ok()?))
    };
    let (width, height) = video.split([' ', ',']).find_map(size)?;
    let is_hd = width >= 1280 || height > SD_HEIGHT;
    let is_told = MATRICES.iter().any(|matrix| video.contains(matrix));
    Some(is_hd && !is_told)
}

/// A line without `[rtsp @ 0x5594e6c0]` in front.
pub(super) fn plain(line: &str) -> String {
    let mut rest = line.trim();
    while let Some((_, after)) = rest.strip_prefix('[').and_then(|inside| inside.split_once("] ")) {
        rest = after.trim();
    }
    rest.to_owned()
}

fn read_all(out: impl Read, give: &Sender<Raw>, spares: &Receiver<Vec<u8>>) {
    let mut out = BufReader::with_capacity(1 << 16, out);
    loop {
        let mut raw = Raw { rgb: spares.try_recv().unwrap_or_default(), ..Raw::default() };
        // The end, or a picture that is cut off by it.
        if !read_picture(&mut out, &mut raw).is_ok_and(|is_one| is_one) || give.send(raw).is_err() {
            return;
        }
    }
}

/// Reads a picture in the format PPM, which carries its size; false at the end.
fn read_picture(out: &mut impl BufRead, raw: &mut Raw) -> io::Result<bool> {
    let wrong = || io::Error::from(io::ErrorKind::InvalidData);
    let mut words: [usize; 3] = [0; 3];
    let mut line = Vec::new();
    out.read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(false);
    }
    if line != b"P6\n" {
        return Err(wrong());
    }
    line.clear();
    out.read_until(b'\n', &mut line)?;
    out.read_until(b'\n', &mut line)?;
    let text = std::str::from_utf8(&line).map_err(|_| wrong())?;
    let mut found = text.split_ascii_whitespace().map(str::parse::<usize>);
    for word in &mut words {
        *word = found.next().and_then(Result::ok).ok_or_else(wrong)?;
    }
    let [width, height, top] = words;
    if top != 255 || width == 0 || height == 0 || width > LONGEST || height > LONGEST {
        return Err(wrong());
    }
    raw.size = [width, height];
    raw.rgb.resize(width * height * 3, 0);
    out.read_exact(&mut raw.rgb)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_read_until_the_end() {
        let mut bytes = b"P6\n2 1\n255\nabcdef".to_vec();
        bytes.extend_from_slice(b"P6\n1 1\n255\nxyzP6\n4 4\n255\nshort");
        let mut out = bytes.as_slice();
        let mut raw = Raw::default();
        assert!(read_picture(&mut out, &mut raw).unwrap() && raw.size == [2, 1] && raw.rgb == b"abcdef");
        assert!(read_picture(&mut out, &mut raw).unwrap() && raw.size == [1, 1] && raw.rgb == b"xyz");
        assert!(read_picture(&mut out, &mut raw).is_err(), "cut short");
        assert!(!read_picture(&mut &b""[..], &mut raw).unwrap());
        for wrong in ["P5\n1 1\n255\nx", "P6\n0 1\n255\n", "P6\n99999 1\n255\n", "P6\n1 1\n65535\nxxxxxx", "P6\nx"] {
            assert!(read_picture(&mut wrong.as_bytes(), &mut raw).is_err(), "{wrong}");
        }
    }

    #[test]
    fn hd_without_colours_is_told_from_the_rest() {
        let stream = |rest: &str| is_bare_hd(&format!("[info]   Stream #0:0[0x100]: Video: h264 (High), {rest}"));
        assert_eq!(stream("yuv420p(tv, bt709, progressive), 1280x720 [SAR 1:1 DAR 16:9], 25 fps"), Some(false));
        assert_eq!(stream("yuv420p(progressive), 1920x1080, 25 fps"), Some(true));
        assert_eq!(stream("yuv420p(tv), 640x480, 25 fps"), Some(false));
        assert_eq!(stream("gbrp(pc, gbr/unknown/unknown), 1920x1080"), Some(false));
        assert_eq!(is_bare_hd("[info] Stream #0:1: Audio: aac, 48000 Hz"), None);
        let mut told = Mutex::default();
        let lines = "[info] Input #0\n[h264 @ 0x5] [error] no frame!\n[warning] late\n\
            [video4linux2,v4l2 @ 0x5] [info] The V4L2 driver changed the video from 9x9 to 8x8\n";
        listen(lines.as_bytes(), &told);
        assert_eq!(told.get_mut().unwrap().complaints, ["no frame!"]);
        assert_eq!(told.get_mut().unwrap().changes, ["8x8 instead of 9x9"]);
    }

    #[test]
    fn complaints_are_read_without_addresses_in_memory() {
        assert_eq!(plain("[rtsp @ 0x55] [tcp @ 0x1] Connection refused \n"), "Connection refused");
        assert_eq!(plain("a.mp4: No such file"), "a.mp4: No such file");
    }
}
