//! Cameras, screens and streams. The thread `source` keeps the newest picture; what comes late is replaced. A source that is
//! lost holds its last picture and is tried again until it is back.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clip::GOODBYE;
use super::ffmpeg::{Next, Pictures, command};
use super::place::{filter, place};
use super::probe::no_ffmpeg;
use super::reel::Reel;
use super::source::Source;
use super::{Footage, FootageError};
use crate::image::Fit;

/// How often the thread looks whether it should end.
const LOOK: Duration = Duration::from_millis(100);
/// A source that gives no picture for so long is lost.
const SILENCE: Duration = Duration::from_secs(3);
/// How long the first picture may take.
const BEGINNING: Duration = Duration::from_secs(15);
/// The first pause before a source is tried again, and the longest; each is twice the one before.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(8)];
/// A source that plays for so long is there; one that ends by itself after that begins again.
const STEADY: Duration = Duration::from_secs(1);

/// Opens a source. Its pictures are squares of `side` pixels; the first may come much later.
///
/// # Errors
/// When there is no ffmpeg, or the source is none that this system knows.
pub fn open(source: &Source, side: usize, fit: Fit) -> Result<Footage, FootageError> {
    open_by(OsStr::new("ffmpeg"), source, side, fit)
}

fn open_by(ffmpeg: &OsStr, source: &Source, side: usize, fit: Fit) -> Result<Footage, FootageError> {
    let passthrough = passthrough(ffmpeg).map_err(|error| no_ffmpeg(&source.name(), &error))?;
    source.check().map_err(|line| FootageError::Source(format!("{}: {line}", source.name())))?;
    // A camera that is not there yet is waited for; a screen is not.
    if let Source::Screen(_) = source {
        source.input(ffmpeg).map_err(|line| FootageError::Source(format!("{}: {line}", source.name())))?;
    }
    let reel = Arc::new(Reel::new(side, None));
    let receiver = Receiver {
        is_bare_hd: false,
        ffmpeg: ffmpeg.to_owned(),
        source: source.clone(),
        offers: None,
        has_told_changes: false,
        fit,
        passthrough,
        reel: reel.clone(),
    };
    std::thread::Builder::new()
        .name("source".to_owned())
        .spawn(move || receiver.run())
        .map_err(|error| FootageError::Thread { name: "source", error })?;
    Ok(Footage::new(reel))
}

/// How this ffmpeg is told to pass every picture on when it comes: the option has another name since version 5.1.
fn passthrough(ffmpeg: &OsStr) -> std::io::Result<[&'static str; 2]> {
    let output = command(ffmpeg).arg("-version").output()?;
    Ok(words_of(&String::from_utf8_lossy(&output.stdout)))
}

fn words_of(version: &str) -> [&'static str; 2] {
    let number = version.strip_prefix("ffmpeg version ").unwrap_or(version).trim_start_matches('n');
    let mut parts = number.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) < (5, 1) => ["-vsync", "passthrough"],
        _ => ["-fps_mode", "passthrough"],
    }
}

/// What the thread `source` works with.
struct Receiver {
    /// Whether the source is HD and does not describe its colours.
    is_bare_hd: bool,
    ffmpeg: OsString,
    source: Source,
    /// What the camera offers of which something was asked, once it had to be told.
    offers: Option<String>,
    has_told_changes: bool,
    fit: Fit,
    passthrough: [&'static str; 2],
    reel: Arc<Reel>,
}

/// Why a source gives no more pictures.
enum Loss {
    /// It ended by itself, after it had played.
    Over,
    /// Its colours are others than ffmpeg takes them for.
    Misread,
    Failed(String),
}

impl Receiver {
    fn run(mut self) {
        let mut pause = PAUSES[0];
        while !self.reel.is_closed() {
            let started = Instant::now();
            let loss = self.receive();
            let was_steady = started.elapsed() >= STEADY;
            match loss {
                Loss::Misread => {
                    self.is_bare_hd = true;
                    continue;
                }
                Loss::Over if was_steady => continue,
                Loss::Over => self.lose("it has ended"),
                Loss::Failed(line) => self.lose(&line),
            }
            pause = if was_steady { PAUSES[0] } else { (pause * 2).min(PAUSES[1]) };
            if !self.reel.pause(pause) {
                break;
            }
        }
        self.reel.end_child(Duration::ZERO);
        self.reel.clear();
    }

    /// What else there is to say about a camera that did not give what it was asked for.
    fn offers(&mut self) -> String {
        if self.offers.is_none() {
            self.offers = self.source.offers(&self.ffmpeg);
        }
        self.offers.as_ref().map_or_else(String::new, |all| format!("; it offers {all}"))
    }

    fn lose(&mut self, why: &str) {
        let name = self.source.name();
        let said = self.source.told(why) + &self.offers();
        self.reel.lose(|| match said.strip_prefix(&format!("{name}: ")) {
            Some(said) => format!("{name}: {said}; trying again"),
            None => format!("{name}: {said}; trying again"),
        });
    }

    /// Says once that a camera gives something else than it was asked for.
    fn tell_changes(&mut self, changes: &[String]) {
        if changes.is_empty() || std::mem::replace(&mut self.has_told_changes, true) {
            return;
        }
        let line = format!("{} gives {}{}", self.source.name(), changes.join(" and "), self.offers());
        self.reel.tell(line);
    }

    /// Keeps the newest picture until the source is lost.
    fn receive(&mut self) -> Loss {
        let started = self.source.input(&self.ffmpeg).and_then(|mut input| {
            if self.is_bare_hd {
                input.splice(0..0, ["-colorspace", "bt709"].map(str::to_owned));
            }
            Pictures::start(&self.ffmpeg, &input, &filter(self.fit, self.reel.side), &self.passthrough)
                .map_err(|error| format!("cannot start ffmpeg: {error}"))
        });
        let (pictures, child) = match started {
            Ok(started) => started,
            Err(line) => return Loss::Failed(line),
        };
        self.reel.watch(child);
        let (mut seen, mut has_begun) = (Instant::now(), false);
        while !self.reel.is_closed() {
            match pictures.next(LOOK) {
                Next::Picture(_) if !self.is_bare_hd && self.source.is_address() && pictures.is_bare_hd() => {
                    self.reel.end_child(Duration::ZERO);
                    return Loss::Misread;
                }
                Next::Picture(mut raw) => {
                    if !has_begun {
                        self.tell_changes(&pictures.changes());
                    }
                    (seen, has_begun) = (Instant::now(), true);
                    let mut square = self.reel.spare();
                    place(&mut raw, self.reel.side, self.fit, &mut square);
                    pictures.give_back(raw.rgb);
                    self.reel.replace(square);
                }
                Next::Nothing => {
                    let patience = if has_begun { SILENCE } else { BEGINNING };
                    if seen.elapsed() >= patience {
                        self.reel.end_child(Duration::ZERO);
                        return Loss::Failed(format!("no picture for {} s", patience.as_secs()));
                    }
                }
                Next::End => {
                    let has_ended_well = self.reel.end_child(GOODBYE);
                    return match pictures.complaint(&self.source.place()) {
                        None if has_ended_well && has_begun => Loss::Over,
                        complaint => Loss::Failed(complaint.unwrap_or_else(|| "it has ended".to_owned())),
                    };
                }
            }
        }
        Loss::Over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_have_another_word() {
        for (version, word) in [
            ("ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright", "-vsync"),
            ("ffmpeg version 5.0 Copyright", "-vsync"),
            ("ffmpeg version 5.1.9-0+deb12u1 Copyright", "-fps_mode"),
            ("ffmpeg version n7.1 Copyright", "-fps_mode"),
            ("ffmpeg version N-118000-gabc Copyright", "-fps_mode"),
        ] {
            assert_eq!(words_of(version)[0], word, "{version}");
        }
    }

    #[test]
    fn without_ffmpeg_one_line_says_so() {
        let source = Source::parse("udp://127.0.0.1:5000").unwrap();
        let error = open_by(OsStr::new("/nowhere/ffmpeg"), &source, 16, Fit::Cover).unwrap_err().to_string();
        assert!(error.starts_with("udp://127.0.0.1:5000: no ffmpeg on the PATH"), "{error}");
    }
}
