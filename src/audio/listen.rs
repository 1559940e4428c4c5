//! The threads `audio` and `ltc`: take samples from a source or a track, and pass them to an [`Ear`].
//!
//! A source that disappears is looked for once a second until it is back; meanwhile everything fades. A track is played
//! at its own speed, again and again, as if it were live. Steady listening allocates nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::aloud::Aloud;
use super::capture::Capture;
use super::history::History;
use super::resample::Resample;
use super::sides::Sides;
use super::sources::{Source, Wanted};
use super::track::{Track, TrackError};
use super::{HOP, RATE};

/// How often the ring is emptied. What waits longer would be heard later.
const POLL: Duration = Duration::from_millis(2);
/// A source that sends nothing for this long is opened again.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time between two attempts to open a source.
const RETRY: Duration = Duration::from_secs(1);

/// How far a track is read and handed to the sound output ahead of what sounds, in samples: a tenth of a second.
const AHEAD: u64 = RATE as u64 / 10;

/// Endings of sound files.
const ENDINGS: [&str; 13] =
    ["flac", "wav", "mp3", "ogg", "oga", "opus", "m4a", "aac", "aif", "aiff", "mp4", "mkv", "webm"];

/// What is listened to.
pub enum Input {
    Live(Wanted),
    /// `aloud` plays it, too, if this machine has a sound output.
    Track {
        track: Box<Track>,
        aloud: bool,
    },
}

impl Input {
    /// `default`, the path of a sound file, or a part of a source's name.
    ///
    /// # Errors
    /// When it is a file, by its ending or because it exists, but cannot be read as sound.
    pub fn of(word: &str) -> Result<Self, TrackError> {
        let path = PathBuf::from(word);
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_file() || ENDINGS.contains(&&*ending) {
            return Ok(Input::Track { track: Box::new(Track::open(&path)?), aloud: false });
        }
        Ok(Input::Live(if word == "default" { Wanted::Default } else { Wanted::Named(word.to_owned()) }))
    }
}

/// Hears samples; called on the listening thread.
pub trait Ear: Send + 'static {
    /// The next samples: mono, at [`RATE`]. Must not wait or allocate.
    fn feed(&mut self, samples: &[f32]);
    /// Another source begins.
    fn begin(&mut self) {}
    /// Whether there have been zeros only for a while.
    fn is_deaf(&self) -> bool {
        false
    }
    /// How much earlier than it sounds a track is heard, in samples.
    fn lead(&self) -> u64 {
        0
    }
    /// One line for the player.
    fn say(&mut self, line: String);
    /// One line about what is wrong, until [`Ear::mended`].
    fn fail(&mut self, line: String);
    /// Nothing is wrong any more.
    fn mended(&mut self);
    /// What is open now.
    fn open(&mut self, source: Option<&str>);
    /// Samples that were lost.
    fn lost(&mut self, samples: u64);
}

/// A running thread. Dropping it ends the thread.
pub struct Listening {
    stop: Arc<AtomicBool>,
    history: Arc<History>,
    thread: Option<JoinHandle<()>>,
}

impl Listening {
    /// Starts the thread `name`; of a source with several channels it hears `channel`, from 0, or the mean of all.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn start(name: &str, input: Input, channel: Option<usize>, ear: impl Ear) -> std::io::Result<Self> {
        let stop = Arc::<AtomicBool>::default();
        let history = Arc::<History>::default();
        let listener = Listener {
            name: name.to_owned(),
            channel,
            stop: stop.clone(),
            history: history.clone(),
            sides: Vec::with_capacity(RATE as usize),
            mono: Vec::with_capacity(RATE as usize),
            ear,
            said: String::new(),
            zeros: false,
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || listener.run(input))?;
        Ok(Listening { stop, history, thread: Some(thread) })
    }

    /// What has been heard lately.
    pub fn history(&self) -> &Arc<History> {
        &self.history
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has ended as well.
            let _ = thread.join();
        }
    }
}

struct Listener<E> {
    /// Of the thread, and in front of its lines.
    name: String,
    channel: Option<usize>,
    stop: Arc<AtomicBool>,
    history: Arc<History>,
    /// What has just been heard, left and right, and its mean.
    sides: Vec<[f32; 2]>,
    mono: Vec<f32>,
    ear: E,
    /// The last line about something that does not work, so that it is said once.
    said: String,
    /// Whether the source sends zeros only.
    zeros: bool,
}

impl<E: Ear> Listener<E> {
    fn run(mut self, input: Input) {
        match input {
            Input::Live(wanted) => self.live(wanted),
            Input::Track { track, aloud } => self.rehearse(*track, aloud),
        }
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    fn say(&mut self, line: &str) {
        self.ear.say(format!("{}: {line}", self.name));
    }

    fn fail(&mut self, line: &str) {
        self.ear.fail(format!("{}: {line}", self.name));
    }

    /// Says what does not work, unless that was the last thing said.
    fn complain(&mut self, line: String) {
        if self.said != line {
            self.fail(&line);
            self.said = line;
        }
    }

    /// Keeps what has just been heard for recordings.
    fn remember(&mut self, sides: &mut Sides) {
        self.sides.clear();
        sides.take(&mut self.sides);
        if !self.sides.is_empty() {
            self.history.push(&self.sides, Instant::now());
        }
    }

    /// Feeds silence in step with the time for a while, so that everything fades.
    fn fade(&mut self, time: Duration) {
        let start = Instant::now();
        let mut fed = 0;
        while self.goes_on() && start.elapsed() < time {
            std::thread::sleep(POLL);
            while fed < samples_in(start.elapsed()) {
                self.ear.feed(&[0.0; HOP]);
                fed += HOP as u64;
            }
        }
    }

    fn live(&mut self, wanted: Wanted) {
        // The one that was open, to be found again after it was pulled out.
        let mut last = None;
        while self.goes_on() {
            let known = last.clone().map(Wanted::Named);
            let found = match known.map(|known| known.find()) {
                Some(Ok(source)) => Ok(source),
                // What was asked for by name is waited for; for the default any other will do.
                Some(Err(line)) if wanted != Wanted::Default => Err(line),
                _ => wanted.find(),
            };
            let opened = found.and_then(|source| match Capture::open(&source, self.channel) {
                Ok(capture) => Ok((source, capture)),
                Err(why) => Err(format!("{source}: {why}")),
            });
            match opened {
                Ok((source, capture)) => {
                    last = Some(source.id.clone());
                    self.follow(&source, capture);
                }
                Err(_) if last.is_some() => {}
                Err(line) => self.complain(line),
            }
            self.fade(RETRY);
        }
    }

    /// Listens to an open source until it stops.
    fn follow(&mut self, source: &Source, mut capture: Capture) {
        let (Some(mut resample), Some(mut sides)) = (Resample::new(capture.rate()), Sides::new(capture.rate())) else {
            return self.complain(format!("{source}: cannot use {} samples per second", capture.rate()));
        };
        self.ear.begin();
        self.zeros = false;
        let mut last = Instant::now();
        let mut flows = false;
        let why = loop {
            if !self.goes_on() {
                break None;
            }
            self.mono.clear();
            let mono = &mut self.mono;
            let count = capture.take(|samples| {
                mono.extend(samples.iter().map(|(mean, _)| mean));
                sides.feed(samples.iter().map(|(_, sides)| *sides));
            });
            self.remember(&mut sides);
            let mono = std::mem::take(&mut self.mono);
            resample.feed(&mono, |samples| self.ear.feed(samples));
            self.mono = mono;
            self.ear.lost(capture.dropped());
            if count > 0 {
                last = Instant::now();
                if !std::mem::replace(&mut flows, true) {
                    self.said.clear();
                    let (rate, channels) = (capture.rate(), capture.channels());
                    self.ear.open(Some(&source.name));
                    self.ear.mended();
                    self.say(&format!("{source}, {rate} Hz, {channels} channels"));
                }
                self.notice_zeros(source);
            } else if last.elapsed() > PATIENCE {
                break Some("it sends nothing".to_owned());
            }
            if let Some(why) = capture.failure() {
                break Some(why);
            }
            std::thread::sleep(POLL);
        };
        capture.close();
        // Before it is said: who reads the line finds it true.
        self.ear.open(None);
        if let Some(why) = why {
            self.complain(format!("{source}: {why}; waiting for it"));
        }
    }

    /// Says once when there is no signal, and when there is one again.
    fn notice_zeros(&mut self, source: &Source) {
        let zeros = self.ear.is_deaf();
        if std::mem::replace(&mut self.zeros, zeros) != zeros {
            if zeros {
                self.fail(&format!("{source} sends only zeros: nothing plays, no permission, or the wrong source"));
            } else {
                self.ear.mended();
                self.say(&format!("{source} is heard again"));
            }
        }
    }

    /// Plays a track as if it were live, and aloud if that is wanted and possible.
    fn rehearse(&mut self, track: Track, aloud: bool) {
        let path = track.path().to_owned();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.ear.open(Some(&name));
        let output = if aloud { Some(Aloud::open()) } else { None };
        if let Some(Err(why)) = &output {
            self.fail(&format!("{why}: only the instrument hears {name}"));
        }
        let mut output = output.and_then(Result::ok);
        let mut reel = Reel::new(track, path);
        // The sample that sounds at `since`, where the output does not count.
        let (mut since, mut counted) = (Instant::now(), 0);
        while self.goes_on() {
            let (now, time) = match &output {
                Some(output) => (output.played(), Instant::now()),
                None => {
                    let now = counted + samples_in(since.elapsed());
                    (now, since + time_of(now - counted))
                }
            };
            let heard = now + self.ear.lead();
            if let Err(line) = reel.fill(heard.max(now + AHEAD)) {
                return self.silence(line);
            }
            self.ear.feed(reel.heard.upto(&reel.mono, reel.first, heard));
            let sounding = reel.sounding.upto(&reel.sides, reel.first, now);
            if !sounding.is_empty() {
                self.history.push(sounding, time);
            }
            if let Some(output) = &mut output {
                let count = output.push(reel.sent.peek(&reel.sides, reel.first, now + AHEAD));
                reel.sent.0 += count as u64;
            }
            reel.forget(output.is_some());
            if let Some(why) = output.as_ref().and_then(Aloud::failure) {
                (since, counted, output) = (Instant::now(), now, None);
                self.fail(&format!("the sound output: {why}: only the instrument hears {name}"));
            }
            std::thread::sleep(POLL);
        }
    }

    /// The track cannot be played any more: everything fades.
    fn silence(&mut self, line: String) {
        self.complain(line);
        self.ear.open(None);
        while self.goes_on() {
            self.fade(RETRY);
        }
    }
}

/// How long so many samples last.
fn time_of(samples: u64) -> Duration {
    Duration::from_secs_f64(samples as f64 / f64::from(RATE))
}

/// A track that begins again at its end, read ahead. Samples are counted from the first time that it plays.
struct Reel {
    track: Track,
    path: PathBuf,
    /// The mean, and left and right.
    mono: Vec<f32>,
    sides: Vec<[f32; 2]>,
    /// The number of the first of them.
    first: u64,
    /// What is analysed, what sounds, and what the output has.
    heard: Cursor,
    sounding: Cursor,
    sent: Cursor,
    has_sound: bool,
}

/// The number of the next sample.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor(u64);

impl Cursor {
    /// The samples up to number `end`, of those that begin with number `first`.
    fn peek<'a, T>(&self, samples: &'a [T], first: u64, end: u64) -> &'a [T] {
        let place =
            |number: u64| usize::try_from(number.saturating_sub(first)).unwrap_or(usize::MAX).min(samples.len());
        &samples[place(self.0)..place(end).max(place(self.0))]
    }

    /// The same, and goes there.
    fn upto<'a, T>(&mut self, samples: &'a [T], first: u64, end: u64) -> &'a [T] {
        let next = self.peek(samples, first, end);
        self.0 += next.len() as u64;
        next
    }
}

impl Reel {
    fn new(track: Track, path: PathBuf) -> Reel {
        let mono = Vec::with_capacity(2 * RATE as usize);
        let sides = Vec::with_capacity(2 * RATE as usize);
        let [heard, sounding, sent] = [Cursor::default(); 3];
        Reel { track: track.with_sides(), path, mono, sides, first: 0, heard, sounding, sent, has_sound: false }
    }

    /// Reads on up to a sample.
    ///
    /// # Errors
    /// One line, if the track cannot be played again.
    fn fill(&mut self, end: u64) -> Result<(), String> {
        while self.first + (self.mono.len() as u64) < end {
            // What cannot be read any further ends there, and begins again.
            let has_more = self.track.read(&mut self.mono).unwrap_or(false);
            self.track.take_sides(&mut self.sides);
            // Of a broken file, one may end before the other.
            self.sides.resize(self.mono.len(), [0.0; 2]);
            if has_more {
                self.has_sound = true;
                continue;
            }
            let from_start = Track::open(&self.path).map_err(|error| error.to_string())?;
            // A track without any sound would start again forever.
            if !std::mem::take(&mut self.has_sound) {
                return Err(format!("{}: no sound in it", self.path.display()));
            }
            self.track = from_start.with_sides();
        }
        Ok(())
    }

    /// Drops what nobody needs any more, now and then.
    fn forget(&mut self, is_sent: bool) {
        let sent = if is_sent { self.sent.0 } else { u64::MAX };
        let done = self.heard.0.min(self.sounding.0).min(sent).saturating_sub(self.first);
        let done = usize::try_from(done).unwrap_or(usize::MAX).min(self.mono.len());
        if done > RATE as usize {
            self.mono.drain(..done);
            self.sides.drain(..done);
            self.first += done as u64;
        }
    }
}

/// How many samples a time has.
fn samples_in(time: Duration) -> u64 {
    (time.as_secs_f64() * f64::from(RATE)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_goes_on_from_its_beginning() {
        // 20,000 samples, each of its own.
        let ramp: Vec<f32> = (0..20_000).map(|i| i as f32 / 32_767.0).collect();
        let file = super::super::test_wav("reel", &ramp, RATE);
        let mut reel = Reel::new(Track::open(&file).unwrap(), file.clone());
        let (mut heard, mut sounded, mut sent) = (Vec::new(), Vec::new(), Vec::new());
        for now in (0..150_000).step_by(480) {
            reel.fill(now + 4800).unwrap();
            heard.extend_from_slice(reel.heard.upto(&reel.mono, reel.first, now + 2400));
            sounded.extend(reel.sounding.upto(&reel.sides, reel.first, now).iter().map(|[left, _]| *left));
            let ahead = reel.sent.upto(&reel.sides, reel.first, now + 4800);
            assert_eq!(ahead.len(), if now == 0 { 4800 } else { 480 });
            sent.extend(ahead.iter().map(|[_, right]| *right));
            reel.forget(true);
            assert!(reel.mono.len() < 3 * RATE as usize, "what was heard is dropped");
        }
        std::fs::remove_file(file).unwrap();
        assert!(heard.len() > 150_000 && sounded.len() > 149_000 && sent.len() > 150_000);
        for samples in [heard, sounded, sent] {
            let wrong = samples.iter().enumerate().find(|(i, x)| (**x * 32_768.0).round() as usize != i % 20_000);
            assert_eq!(wrong, None, "no sample is missing or heard twice");
        }
    }

    #[test]
    fn a_track_that_cannot_go_on_is_one_line() {
        let file = super::super::test_wav("reel-gone", &[0.5; 1000], RATE);
        let mut reel = Reel::new(Track::open(&file).unwrap(), file.clone());
        reel.fill(1000).unwrap();
        std::fs::remove_file(&file).unwrap();
        let line = reel.fill(1001).unwrap_err();
        assert!(line.starts_with(&format!("cannot open {}", file.display())), "{line}");
        let empty = super::super::test_wav("reel-empty", &[], RATE);
        if let Ok(track) = Track::open(&empty) {
            let line = Reel::new(track, empty.clone()).fill(1).unwrap_err();
            assert!(line.ends_with("no sound in it"), "{line}");
        }
        std::fs::remove_file(empty).unwrap();
    }
}
