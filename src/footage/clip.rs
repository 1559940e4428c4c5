//! Video files. The thread `clip` decodes ahead of what is seen, in either direction and round the end, so that a clip loops
//! without a gap, plays backward, and can be scrubbed. It decodes each picture once as long as it is kept: see
//! [`window`](super::window).
//!
//! Pictures are numbered at a constant rate; of a file whose pictures come at uneven times, some count twice. The same file
//! gives the same numbers, however it is reached.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::ffmpeg::{Next, Pictures};
use super::place::{filter, place};
use super::probe::{Probed, input, no_ffmpeg, probe};
use super::reel::Reel;
use super::window::Window;
use super::{Footage, FootageError};
use crate::image::Fit;

/// Extensions of video files.
pub const ENDINGS: &[&str] =
    &["mp4", "m4v", "mov", "mkv", "webm", "avi", "mpg", "mpeg", "mts", "m2ts", "wmv", "flv", "ogv", "mxf", "gif"];

/// How long a clip may take to begin.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the thread looks whether it should go elsewhere.
const LOOK: Duration = Duration::from_millis(50);
/// How long a process that writes no more may take to end.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);
/// The pause before a file that cannot be read is tried again.
const PAUSE: Duration = Duration::from_secs(2);

/// Whether a path ends like a video.
pub fn is_clip(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    ENDINGS.contains(&ending.as_str())
}

/// Opens a video file and waits for its first picture. Its pictures are squares of `side` pixels.
///
/// # Errors
/// When there is no ffmpeg, or it finds no video in the file.
pub fn open(file: &Path, side: usize, fit: Fit) -> Result<Footage, FootageError> {
    open_by(OsStr::new("ffmpeg"), OsStr::new("ffprobe"), file, side, fit)
}

fn open_by(ffmpeg: &OsStr, ffprobe: &OsStr, file: &Path, side: usize, fit: Fit) -> Result<Footage, FootageError> {
    if !crate::file::is_file(file) || crate::file::is_built_in(file) {
        return Err(FootageError::File { file: file.to_owned(), said: "there is no such video file".to_owned() });
    }
    let probed = probe(ffprobe, file)?;
    let reel = Arc::new(Reel::new(side, Some(probed.length)));
    let window = Window::new(probed.length.count, side * side * 3);
    let projector = Projector {
        ffmpeg: ffmpeg.to_owned(),
        file: file.to_owned(),
        probed,
        fit,
        window,
        reel: reel.clone(),
        running: None,
        cannot_seek: false,
    };
    let footage = Footage::new(reel.clone());
    std::thread::Builder::new()
        .name("clip".to_owned())
        .spawn(move || projector.run())
        .map_err(|error| FootageError::Thread { name: "clip", error })?;
    match reel.begin(PATIENCE) {
        Ok(()) => Ok(footage),
        Err(said) => Err(FootageError::Source(said)),
    }
}

/// A process that decodes from somewhere on.
struct Running {
    pictures: Pictures,
    /// The number of the picture that comes next.
    next: u64,
    /// Pictures before this one only lead up to it.
    from: u64,
    /// The last one, for a file that is shorter than it says.
    last: Option<Arc<Vec<u8>>>,
}

/// What the thread `clip` works with.
struct Projector {
    ffmpeg: OsString,
    file: PathBuf,
    probed: Probed,
    fit: Fit,
    window: Window,
    reel: Arc<Reel>,
    running: Option<Running>,
    /// Whether going somewhere gave no picture: from then on everything is decoded from the beginning.
    cannot_seek: bool,
}

impl Projector {
    fn run(mut self) {
        while !self.reel.is_closed() {
            let (aim, wanted) = self.reel.choose(|aim, is_there| (aim, self.window.next(aim, is_there)));
            let Some(wanted) = wanted else {
                self.reel.rest(aim, Duration::from_secs(1));
                continue;
            };
            if !self.leads_to(wanted)
                && let Err(line) = self.go_to(wanted, aim.backward)
            {
                self.fail(line);
                continue;
            }
            self.take();
        }
        self.stop();
        self.reel.clear();
    }

    /// Whether decoding on is the shortest way to a picture.
    fn leads_to(&self, wanted: u64) -> bool {
        let near = (self.probed.length.fps * 2.0) as u64 + self.window.most / 4;
        let is_near = |ahead: u64| ahead <= near || self.cannot_seek;
        self.running
            .as_ref()
            .is_some_and(|running| wanted >= running.from && wanted.checked_sub(running.next).is_some_and(is_near))
    }

    fn go_to(&mut self, wanted: u64, backward: bool) -> Result<(), String> {
        self.stop();
        let from = if self.cannot_seek { 0 } else { self.window.start(wanted, backward) };
        // The pictures before it bring the counting of uneven times into step.
        let lead = ((self.probed.length.fps / 4.0).ceil() as u64).max(2);
        let first = from.saturating_sub(lead);
        let mut words = Vec::new();
        if first > 0 {
            words.extend(["-ss".to_owned(), format!("{:.6}", first as f64 / self.probed.length.fps)]);
        }
        words.extend(self.probed.colours.iter().flat_map(|word| ["-colorspace", word]).map(str::to_owned));
        words.extend(input(&self.file));
        let filters = format!("fps={}:start_time=0,{}", self.probed.rate, filter(self.fit, self.reel.side));
        let (pictures, child) = Pictures::start(&self.ffmpeg, &words, &filters, &[])
            .map_err(|error| no_ffmpeg(&self.file.display().to_string(), &error).to_string())?;
        self.reel.watch(child);
        self.running = Some(Running { pictures, next: first, from, last: None });
        Ok(())
    }

    /// Takes the next picture, if there is one.
    fn take(&mut self) {
        let Some(running) = &mut self.running else { return };
        match running.pictures.next(LOOK) {
            Next::Nothing => {}
            Next::End => self.ended(),
            Next::Picture(mut raw) => {
                let frame = running.next;
                running.next += 1;
                if frame < running.from || frame >= self.probed.length.count {
                    return running.pictures.give_back(raw.rgb);
                }
                let mut square = self.reel.spare();
                place(&mut raw, self.reel.side, self.fit, &mut square);
                running.pictures.give_back(raw.rgb);
                let square = Arc::new(square);
                running.last = Some(square.clone());
                self.keep(frame, square);
            }
        }
    }

    fn keep(&self, frame: u64, square: Arc<Vec<u8>>) {
        let is_wanted = self.reel.choose(|aim, is_there| self.window.wants(frame, aim) && !is_there(frame));
        if is_wanted {
            let is_full = self.reel.len() as u64 >= self.window.most;
            let out = is_full.then(|| self.reel.furthest(|frame, aim| self.window.ahead(frame, aim))).flatten();
            self.reel.put_shared(frame, square, out);
        }
    }

    /// The process has ended: at the end of the file, or because it cannot be read.
    fn ended(&mut self) {
        let Some(running) = self.running.take() else { return };
        self.reel.end_child(GOODBYE);
        let address = format!("file:{}", self.file.to_string_lossy());
        let complaint = running.pictures.complaint(&address);
        match running.last {
            // Files say that they are longer than they are.
            Some(last) => (running.next..self.probed.length.count).for_each(|frame| self.keep(frame, last.clone())),
            None if running.from > 0 => self.cannot_seek = true,
            None => {
                let said = complaint.unwrap_or_else(|| "ffmpeg finds no picture in it".to_owned());
                let said = said.trim_start_matches(&address).trim_start_matches(": ");
                self.fail(format!("{}: {said}", self.file.display()));
            }
        }
    }

    /// Tries again later: a stick may be plugged in again.
    fn fail(&mut self, line: String) {
        self.stop();
        self.reel.lose(|| line);
        self.reel.pause(PAUSE);
    }

    fn stop(&mut self) {
        if self.running.take().is_some() {
            self.reel.end_child(Duration::ZERO);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_are_told_by_their_ending() {
        for (path, is) in [("a.mp4", true), ("/b/c.MOV", true), ("d.png", false), ("mp4", false), ("e", false)] {
            assert_eq!(is_clip(Path::new(path)), is, "{path}");
        }
    }

    #[test]
    fn without_ffmpeg_one_line_says_so() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-clip-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("a.mp4");
        let none = OsStr::new("/nowhere/ffmpeg");
        let missing = open_by(none, none, &file, 16, Fit::Cover).unwrap_err().to_string();
        assert!(missing.ends_with("a.mp4: there is no such video file"), "{missing}");
        std::fs::write(&file, "x").unwrap();
        let error = open_by(none, none, &file, 16, Fit::Cover).unwrap_err().to_string();
        assert!(
            error.ends_with("a.mp4: no ffmpeg on the PATH: install it to play videos, cameras and streams"),
            "{error}"
        );
        std::fs::remove_dir_all(folder).unwrap();
    }
}
