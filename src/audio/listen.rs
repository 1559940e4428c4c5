//! The thread `audio`: takes samples from a source or a track, analyses them, and passes on what it heard.
//!
//! A source that disappears is looked for once a second until it is back; meanwhile everything fades. A track is played
//! at its own speed, again and again, as if it were live. Steady listening allocates nothing.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::capture::Capture;
use super::history::History;
use super::outputs::{Outputs, Values};
use super::resample::Resample;
use super::sides::Sides;
use super::sources::{Source, Wanted};
use super::track::{Track, TrackError};
use super::{Analysis, Features, Gain, HOP, RATE};

/// How often the ring is emptied. What waits longer would be heard later.
const POLL: Duration = Duration::from_millis(2);
/// A source that sends nothing for this long is opened again.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time between two attempts to open a source.
const RETRY: Duration = Duration::from_secs(1);

/// Endings of sound files.
const ENDINGS: [&str; 13] =
    ["flac", "wav", "mp3", "ogg", "oga", "opus", "m4a", "aac", "aif", "aiff", "mp4", "mkv", "webm"];

/// What is listened to.
pub enum Input {
    Live(Wanted),
    Track(Box<Track>),
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
            return Ok(Input::Track(Box::new(Track::open(&path)?)));
        }
        Ok(Input::Live(if word == "default" { Wanted::Default } else { Wanted::Named(word.to_owned()) }))
    }
}

/// Hears what the thread has heard; called on that thread.
pub trait Ear: Send + 'static {
    /// One hop. Must not wait or allocate.
    fn hear(&mut self, values: &Values, features: &Features);
    /// One line for the player.
    fn say(&mut self, line: String);
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
    /// # Errors
    /// When the system starts no thread.
    pub fn start(input: Input, gain: Gain, ear: impl Ear) -> std::io::Result<Self> {
        let stop = Arc::<AtomicBool>::default();
        let history = Arc::<History>::default();
        let listener = Listener {
            stop: stop.clone(),
            history: history.clone(),
            sides: Vec::with_capacity(RATE as usize),
            mono: Vec::with_capacity(RATE as usize),
            analysis: Analysis::new(gain),
            outputs: Outputs::default(),
            ear,
            said: String::new(),
            zeros: false,
        };
        let thread = std::thread::Builder::new().name("audio".to_owned()).spawn(move || listener.run(input))?;
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
    stop: Arc<AtomicBool>,
    history: Arc<History>,
    /// What has just been heard, left and right, and its mean.
    sides: Vec<[f32; 2]>,
    mono: Vec<f32>,
    analysis: Analysis,
    outputs: Outputs,
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
            Input::Track(track) => self.rehearse(*track),
        }
    }

    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Says what does not work, unless that was the last thing said.
    fn complain(&mut self, line: String) {
        if self.said != line {
            self.said.clone_from(&line);
            self.ear.say(line);
        }
    }

    fn feed(&mut self, samples: &[f32]) {
        let Listener { analysis, outputs, ear, .. } = self;
        analysis.feed(samples, |features| ear.hear(&outputs.hop(features), features));
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
                self.feed(&[0.0; HOP]);
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
            let opened = found.and_then(|source| match Capture::open(&source) {
                Ok(capture) => Ok((source, capture)),
                Err(why) => Err(format!("{source}: {why}")),
            });
            match opened {
                Ok((source, capture)) => {
                    last = Some(source.id.clone());
                    self.follow(&source, capture);
                    self.ear.open(None);
                }
                Err(_) if last.is_some() => {}
                Err(line) => self.complain(format!("audio: {line}")),
            }
            self.fade(RETRY);
        }
    }

    /// Listens to an open source until it stops.
    fn follow(&mut self, source: &Source, mut capture: Capture) {
        let (Some(mut resample), Some(mut sides)) = (Resample::new(capture.rate()), Sides::new(capture.rate())) else {
            return self.complain(format!("audio: {source}: cannot use {} samples per second", capture.rate()));
        };
        self.analysis.reopen();
        self.zeros = false;
        let mut last = Instant::now();
        let mut flows = false;
        let why = loop {
            if !self.goes_on() {
                return capture.close();
            }
            self.mono.clear();
            let mono = &mut self.mono;
            let count = capture.take(|samples| {
                mono.extend(samples.iter().map(|(mean, _)| mean));
                sides.feed(samples.iter().map(|(_, sides)| *sides));
            });
            self.remember(&mut sides);
            let mono = std::mem::take(&mut self.mono);
            resample.feed(&mono, |samples| self.feed(samples));
            self.mono = mono;
            self.ear.lost(capture.dropped());
            if count > 0 {
                last = Instant::now();
                if !std::mem::replace(&mut flows, true) {
                    self.said.clear();
                    let (rate, channels) = (capture.rate(), capture.channels());
                    self.ear.open(Some(&source.name));
                    self.ear.say(format!("audio: {source}, {rate} Hz, {channels} channels"));
                }
                self.notice_zeros(source);
            } else if last.elapsed() > PATIENCE {
                break "it sends nothing".to_owned();
            }
            if let Some(why) = capture.failure() {
                break why;
            }
            std::thread::sleep(POLL);
        };
        capture.close();
        self.complain(format!("audio: {source}: {why}; waiting for it"));
    }

    /// Says once when there is no signal, and when there is one again.
    fn notice_zeros(&mut self, source: &Source) {
        let zeros = self.analysis.features().no_signal;
        if std::mem::replace(&mut self.zeros, zeros) != zeros {
            self.ear.say(match zeros {
                true => format!("audio: {source} sends only zeros: nothing plays, no permission, or the wrong source"),
                false => format!("audio: {source} is heard again"),
            });
        }
    }

    /// Plays a track as if it were live.
    fn rehearse(&mut self, track: Track) {
        let mut track = track.with_sides();
        let path = track.path().to_owned();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.ear.open(Some(&name));
        let (mut samples, mut next) = (Vec::with_capacity(RATE as usize), 0);
        let start = Instant::now();
        let (mut sides, mut fed, mut has_sound) = (Vec::with_capacity(RATE as usize), 0, false);
        while self.goes_on() {
            let due = samples_in(start.elapsed()).saturating_sub(fed);
            let count = (samples.len() - next).min(usize::try_from(due).unwrap_or(usize::MAX));
            self.feed(&samples[next..next + count]);
            if let Some(now) = sides.get(next..next + count).filter(|now| !now.is_empty()) {
                self.history.push(now, start + time_of(fed + count as u64));
            }
            next += count;
            fed += count as u64;
            if next < samples.len() {
                std::thread::sleep(POLL);
                continue;
            }
            samples.clear();
            sides.clear();
            next = 0;
            let more = track.read(&mut samples).unwrap_or_else(|error| {
                self.complain(format!("audio: {error}"));
                false
            });
            track.take_sides(&mut sides);
            has_sound |= more;
            if !more {
                match Track::open(&path) {
                    // A track without any sound would start again forever.
                    Ok(from_start) if has_sound => track = from_start.with_sides(),
                    Ok(_) => return self.silence(format!("audio: {}: no sound in it", path.display())),
                    Err(error) => return self.silence(format!("audio: {error}")),
                }
                has_sound = false;
            }
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

/// How many samples a time has.
fn samples_in(time: Duration) -> u64 {
    (time.as_secs_f64() * f64::from(RATE)) as u64
}
