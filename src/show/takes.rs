//! Writes down what enters the show, frame by frame, for takes.
//!
//! Called from [`Show::step`](super::Show::step) in the order of the path. It writes lines into a buffer and hands it to the
//! thread `take` every second; the thread may be as late as it likes, nothing here waits for it. A frame in which nothing
//! enters costs a few bytes and no allocation.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::Show;
use super::loads::{Arrived, Kind, LoadRequest, Loaded};
use crate::audio::history::History;
use crate::control::Event;
use crate::file::sources::Sources;
use crate::footage::Source;
use crate::patch::preset::Preset;
use crate::patch::saver::{Origin, Saved};
use crate::record::snapshot::Still;
use crate::record::take::{FORMAT, FileUsed, Header, Landed, News, Note, Recorder, Told, event};

/// A track is noted again where it is so far from where the log says, in seconds: it is told in steps of a hundredth.
const HEARD_SLACK_SECS: f64 = 0.05;
/// How often lines are handed over, in seconds.
const EVERY_SECS: f64 = 1.0;
/// Frames in one line.
const FRAMES: usize = 240;
/// Lines are handed over when they are this long, in bytes.
const PIECE: usize = 64 << 10;
/// If the thread takes nothing, so much is kept before the log ends, in bytes.
const MOST_KEPT: usize = 64 << 20;
/// Names of files on their way to the thread.
const MOST_FILES: usize = 256;

/// What a show is started with.
pub(super) fn header(
    preset: &Preset,
    network: Option<&Path>,
    seed: Option<u32>,
    engine: &str,
    has_screen: bool,
) -> Header {
    Header {
        take: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        engine: engine.to_owned(),
        preset: preset.path.to_string_lossy().into_owned(),
        network: network.map(|network| network.to_string_lossy().into_owned()),
        seed,
        screen: has_screen,
    }
}

/// The log of a show.
#[derive(Default)]
pub(super) struct Takes {
    recorder: Option<Recorder>,
    /// Whole lines.
    lines: Vec<u8>,
    /// The frames of the current line, `16683,16690`, and their marks.
    dts: Vec<u8>,
    drew: Vec<u8>,
    frames: usize,
    /// What entered in this frame: members of its line's object.
    on: Vec<u8>,
    more: Vec<u8>,
    landed: Vec<Landed>,
    news: Vec<News>,
    /// The frames, counted back from this one, whose pictures have arrived in it.
    arrived: Vec<u64>,
    /// Texts and names that are in the log.
    known: Sources,
    /// Files and orders that the thread had no room for.
    waiting: Vec<Note>,
    since_secs: f64,
    /// The take that is being written, and for how long.
    taking: Option<(PathBuf, f64)>,
    /// Whether one was asked for that the thread has not begun yet, and by which name.
    is_asked: bool,
    asked: Option<PathBuf>,
    size: [u32; 2],
    /// What is heard, and where the log says it is by now, in seconds.
    track: Option<(PathBuf, Arc<History>)>,
    heard_secs: Option<f64>,
}

impl Takes {
    /// Notes nothing.
    pub fn off() -> Self {
        Takes::default()
    }

    /// Starts the log of a show.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(header: &Header) -> std::io::Result<Self> {
        let mut head = serde_json::to_vec(header)?;
        head.push(b'\n');
        let buffer = || Vec::with_capacity(PIECE + (4 << 10));
        let mut takes = Takes::off();
        takes.recorder = Some(Recorder::start(head)?);
        for part in [&mut takes.lines, &mut takes.dts, &mut takes.drew, &mut takes.on, &mut takes.more] {
            *part = buffer();
        }
        takes.arrived.reserve(64);
        takes.waiting.reserve(MOST_FILES);
        Ok(takes)
    }

    /// Starts the log of a show that goes on where a take has led it.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn go_on(header: &Header, history: Vec<u8>, files: &[FileUsed]) -> std::io::Result<Self> {
        let mut takes = Takes::start(header)?;
        takes.waiting.push(Note::Lines(history));
        let note = |used: &FileUsed| {
            let path = PathBuf::from(&used.path);
            if used.sound { Note::Track(path) } else { Note::File(path) }
        };
        takes.waiting.extend(files.iter().map(note));
        takes.hand_waiting();
        Ok(takes)
    }

    /// Writes a picture, and what leads up to it. False where nothing is noted.
    pub fn still(&mut self, still: Still) -> bool {
        self.order(Note::Still(Box::new(still)))
    }

    fn is_on(&self) -> bool {
        self.recorder.is_some()
    }

    /// The path of the take that is being written, and its length in seconds.
    pub fn taking(&self) -> Option<(&Path, f64)> {
        self.taking.as_ref().map(|(path, secs)| (path.as_path(), *secs))
    }

    /// The take that is being written, or is about to be, if it is known by now.
    pub fn path(&self) -> Option<&Path> {
        self.asked.as_deref().filter(|_| self.is_asked).or(self.taking().map(|(path, _)| path))
    }

    /// Whether a take is being written, or is about to be.
    pub fn is_busy(&self) -> bool {
        self.is_asked || self.taking.is_some()
    }

    /// Notes the events of a frame.
    pub fn heard(&mut self, events: &[Event]) {
        if !self.is_on() {
            return;
        }
        for event in events.iter().filter(|event| event::is_played(event)) {
            if !self.on.is_empty() {
                self.on.push(b',');
            }
            event::write(event, &mut self.on);
        }
    }

    /// Notes something that has arrived, and what it was read from.
    pub fn landed(&mut self, request: &LoadRequest, file: Option<&Path>, result: Result<Option<&Loaded>, &str>) {
        if !self.is_on() {
            return;
        }
        let kind = request.kind();
        let mut landed = Landed { kind: kind.word().to_owned(), ..Landed::default() };
        landed.file = file.map(|file| file.to_string_lossy().into_owned());
        match result {
            Err(line) => landed.error = Some(line.to_owned()),
            Ok(None) => landed.same = true,
            Ok(Some(Loaded::Picture { content, count, words, .. })) => {
                (landed.count, landed.same) = (Some(*count), matches!(content, Arrived::Same));
                landed.words.clone_from(words);
            }
            Ok(Some(Loaded::Preset { preset, number })) => {
                landed.number = *number;
                self.read_from(&preset.sources);
            }
            Ok(Some(Loaded::Effects { sources, .. })) => self.read_from(sources),
            Ok(Some(Loaded::Directions { sources, .. })) => self.read_from(sources),
            Ok(Some(Loaded::Track { sources, .. })) => self.read_from(sources),
            Ok(Some(Loaded::Set(set))) => self.read_from(&set.sources),
            Ok(Some(Loaded::Keys(keys))) => self.read_from(&keys.sources),
            Ok(Some(Loaded::Network { .. } | Loaded::Style(_) | Loaded::Blend(_) | Loaded::Clusters { .. })) => {}
        }
        // A camera is no file.
        let is_file = |file: &&Path| file.to_str().and_then(Source::parse).is_none();
        let has_file = matches!(kind, Kind::Network | Kind::Style | Kind::Picture | Kind::Blend);
        if let Some(file) = file.filter(|_| has_file).filter(is_file) {
            self.used(file);
        }
        self.landed.push(landed);
    }

    /// Notes a network, picture or video that plays.
    pub fn used(&mut self, file: &Path) {
        if self.is_on() && self.waiting.len() < MOST_FILES {
            self.waiting.push(Note::File(file.to_owned()));
        }
    }

    /// Notes which track is heard from now on; `sound` says how much of it.
    fn set_track(&mut self, path: PathBuf, sound: Arc<History>) {
        if self.is_on() {
            self.waiting.push(Note::Track(path.clone()));
            (self.track, self.heard_secs) = (Some((path, sound)), None);
        }
    }

    /// What is heard goes on in a show that takes the place of another.
    pub fn take_over(&mut self, old: &mut Takes) {
        if let Some((path, sound)) = old.track.take() {
            self.set_track(path, sound);
        }
    }

    /// Notes where a track is, unless one of the show's own is heard.
    pub fn heard_track(&mut self, path: &Path, at_secs: f64) {
        if self.is_on() && self.track.is_none() {
            if self.heard_secs.is_none() {
                self.waiting.push(Note::Track(path.to_owned()));
            }
            self.heard_secs = Some(at_secs);
            self.member(format_args!("\"heard\":{}", json!([path.to_string_lossy(), at_secs])));
        }
    }

    /// Notes where the track is, if it is not where the log says.
    fn listen(&mut self, dt: f64) {
        let Some((path, sound)) = &self.track else { return };
        let at_secs = sound.secs();
        let expected = self.heard_secs.map(|secs| secs + dt);
        self.heard_secs = expected;
        if expected.is_none_or(|secs| (secs - at_secs).abs() > HEARD_SLACK_SECS) {
            self.heard_secs = Some(at_secs);
            let path = path.to_string_lossy().into_owned();
            self.member(format_args!("\"heard\":{}", json!([path, at_secs])));
        }
    }

    /// Notes texts and names that are not in the log yet.
    pub fn read_from(&mut self, sources: &Sources) {
        if !self.is_on() {
            return;
        }
        let mut lines = Vec::new();
        for (path, text) in &sources.texts {
            if self.known.texts.get(path) != Some(text) {
                lines.push(json!({ "text": [path.to_string_lossy(), &**text] }));
                self.known.texts.insert(path.clone(), text.clone());
            }
        }
        for (query, path) in &sources.found {
            if self.known.found.get(query) != Some(path) {
                let base = query.base.to_string_lossy();
                lines.push(json!({ "found": [query.kind, base, query.name, path.to_string_lossy()] }));
                self.known.found.insert(query.clone(), path.clone());
            }
        }
        if !lines.is_empty() {
            self.end_line();
        }
        for line in lines {
            // Writing to memory cannot fail.
            let _ = writeln!(self.lines, "{line}");
        }
    }

    /// Notes that a preset was saved.
    pub fn saved(&mut self, saved: &Saved) {
        let Ok(written) = &saved.result else { return };
        if !self.is_on() {
            return;
        }
        let mut sources = written.preset.sources.clone();
        sources.texts.insert(written.preset.path.clone(), written.text.as_str().into());
        self.read_from(&sources);
        let (from, copy) = match &saved.origin {
            Origin::Itself => (None, false),
            Origin::Other(from) => (Some(from), false),
            Origin::Copy(file) => (Some(file), true),
        };
        self.news(News::Saved {
            file: written.preset.path.to_string_lossy().into_owned(),
            from: from.map(|from| from.to_string_lossy().into_owned()),
            copy,
            number: saved.number,
            whole: saved.whole,
        });
    }

    /// Notes what the show's threads reported.
    pub fn news(&mut self, news: News) {
        if self.is_on() {
            self.news.push(news);
        }
    }

    /// Notes the output's size.
    pub fn size(&mut self, size: [u32; 2]) {
        if self.is_on() && self.size != size {
            self.size = size;
            self.member(format_args!("\"size\":[{},{}]", size[0], size[1]));
        }
    }

    /// Notes whether OSC may only give names.
    pub fn names_only(&mut self, names_only: bool) {
        if self.is_on() {
            self.member(format_args!("\"names_only\":{names_only}"));
        }
    }

    /// Notes the profiles of controllers.
    pub fn controllers(&mut self, files: &[PathBuf]) {
        if self.is_on() {
            let files: Vec<_> = files.iter().map(|file| file.to_string_lossy()).collect();
            self.member(format_args!("\"controllers\":{}", json!(files)));
        }
    }

    fn member(&mut self, member: std::fmt::Arguments) {
        let _ = write!(self.more, "{member},");
    }

    /// Notes that the picture which was asked for this many frames ago has been drawn.
    pub fn drew(&mut self, frames_ago: u64) {
        if self.is_on() {
            self.arrived.push(frames_ago);
        }
    }

    /// What came so far belongs to the show's start.
    pub fn begin(&mut self) {
        if !self.is_on() {
            return;
        }
        self.open_line();
        if self.lines.last() == Some(&b',') {
            self.lines.pop();
            self.lines.extend_from_slice(b"}\n");
        } else {
            // Nothing entered: only the bracket is there.
            self.lines.pop();
        }
        self.lines.extend_from_slice(b"{\"begin\":true}\n");
    }

    /// Begins a line with what entered.
    fn open_line(&mut self) {
        self.lines.push(b'{');
        if !self.on.is_empty() {
            self.lines.extend_from_slice(b"\"on\":[");
            self.lines.append(&mut self.on);
            self.lines.extend_from_slice(b"],");
        }
        if !self.landed.is_empty() {
            let _ = write!(self.lines, "\"landed\":{},", json!(self.landed));
            self.landed.clear();
        }
        if !self.news.is_empty() {
            let _ = write!(self.lines, "\"news\":{},", json!(self.news));
            self.news.clear();
        }
        self.lines.append(&mut self.more);
    }

    /// Writes the frames of the current line.
    fn end_line(&mut self) {
        if self.frames == 0 {
            return;
        }
        self.lines.extend_from_slice(b"\"dt\":[");
        self.lines.append(&mut self.dts);
        self.lines.push(b']');
        if self.drew.iter().any(|mark| *mark != b'.') {
            self.lines.extend_from_slice(b",\"drew\":\"");
            self.lines.append(&mut self.drew);
            self.lines.push(b'"');
        }
        self.drew.clear();
        self.lines.extend_from_slice(b"}\n");
        self.frames = 0;
    }

    /// Ends a frame, and returns what the thread has told.
    pub fn end(&mut self, dt: f64) -> Option<Told> {
        self.recorder.as_ref()?;
        self.listen(dt);
        let has_entered =
            !(self.on.is_empty() && self.more.is_empty() && self.landed.is_empty() && self.news.is_empty());
        if has_entered || self.frames >= FRAMES {
            self.end_line();
        }
        if self.frames == 0 {
            self.open_line();
        } else {
            self.dts.push(b',');
        }
        self.frames += 1;
        write_dt(dt, &mut self.dts);
        self.mark();
        self.since_secs += dt;
        if let Some((_, secs)) = &mut self.taking {
            *secs += dt;
        }
        if self.since_secs >= EVERY_SECS || self.lines.len() >= PIECE {
            self.since_secs = 0.0;
            self.hand_over();
        } else if !self.waiting.is_empty() {
            self.hand_waiting();
        }
        let told = self.recorder.as_ref()?.told()?;
        // One that ends may be another one than that which was asked for.
        self.is_asked &= matches!(told, Told::Still(_) | Told::Stopped { .. });
        match &told {
            Told::Started(path) => self.taking = Some((path.clone(), 0.0)),
            Told::Stopped { .. } | Told::Failed(_) => self.taking = None,
            Told::Still(_) => {}
        }
        Some(told)
    }

    /// The marks of this frame: `.` for no picture, `1` for one that was asked for a frame ago, `+` before a further one.
    fn mark(&mut self) {
        if self.arrived.is_empty() {
            self.drew.push(b'.');
        }
        for (i, ago) in self.arrived.drain(..).enumerate() {
            if i > 0 {
                self.drew.push(b'+');
            }
            let _ = match u32::try_from(ago).ok().and_then(|ago| char::from_digit(ago, 36)) {
                Some(digit) => write!(self.drew, "{digit}"),
                None => write!(self.drew, "({ago})"),
            };
        }
    }

    /// Hands the lines to the thread, or keeps them until it has room.
    fn hand_over(&mut self) {
        // A line goes on while the thread is busy, however long that lasts.
        if self.recorder.as_ref().is_some_and(|recorder| !recorder.has_room()) {
            return self.keep();
        }
        self.end_line();
        if self.lines.is_empty() || !self.hand_waiting() {
            return self.keep();
        }
        let Some(recorder) = &self.recorder else { return };
        let spare = recorder.spare().unwrap_or_else(|| Vec::with_capacity(PIECE + (4 << 10)));
        if let Err(Note::Lines(lines)) = recorder.hand(Note::Lines(std::mem::replace(&mut self.lines, spare))) {
            self.lines = lines;
            self.keep();
        }
    }

    fn keep(&mut self) {
        if self.lines.len() > MOST_KEPT {
            tracing::error!("the thread take does not keep up; there will be no takes of this show");
            *self = Takes::off();
        }
    }

    /// Whether everything that waited is handed over.
    fn hand_waiting(&mut self) -> bool {
        let Some(recorder) = &self.recorder else { return false };
        while !self.waiting.is_empty() {
            let note = self.waiting.remove(0);
            if let Err(note) = recorder.hand(note) {
                self.waiting.insert(0, note);
                return false;
            }
        }
        true
    }

    /// Starts a take with the next frame. False where nothing is noted.
    pub fn start_take(&mut self, path: Option<PathBuf>) -> bool {
        self.asked.clone_from(&path);
        self.is_asked = self.order(Note::Start(path));
        self.is_asked
    }

    /// Ends the take.
    pub fn stop_take(&mut self) -> bool {
        self.order(Note::Stop)
    }

    /// Lines that were written before an order are handed over before it.
    fn order(&mut self, note: Note) -> bool {
        if !self.is_on() {
            return false;
        }
        self.end_line();
        let lines = std::mem::take(&mut self.lines);
        if !lines.is_empty() {
            self.waiting.push(Note::Lines(lines));
        }
        self.waiting.push(note);
        self.hand_waiting();
        true
    }
}

impl Drop for Takes {
    fn drop(&mut self) {
        self.end_line();
        if let Some(recorder) = &mut self.recorder {
            let mut rest = std::mem::take(&mut self.waiting);
            rest.push(Note::Lines(std::mem::take(&mut self.lines)));
            recorder.finish(rest);
        }
    }
}

impl Show {
    /// The file that is heard, and its sound: takes name it, so that videos of them get it.
    pub fn set_track(&mut self, path: PathBuf, sound: Arc<History>) {
        self.takes.set_track(path, sound);
    }
}

/// Whole microseconds, as live frames have; otherwise seconds in quotes.
fn write_dt(dt: f64, out: &mut Vec<u8>) {
    let micros = (dt * 1e6).round();
    let is_whole = (0.0..1e12).contains(&micros) && std::time::Duration::from_micros(micros as u64).as_secs_f64() == dt;
    let _ = if is_whole { write!(out, "{micros}") } else { write!(out, "\"{dt:?}\"") };
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::audio::RATE;
    use crate::control::{Source, Write, midi};
    use crate::params::{Id, Value};
    use crate::record::take::Take;

    /// Bytes of a take of an hour at 60 frames a second, of which each but every tenth is drawn.
    fn an_hour(mut events: impl FnMut(u64) -> Vec<Event>) -> u64 {
        let folder = std::env::temp_dir().join(format!("latent-jockey-hour-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("hour.take");
        let mut takes = Takes::start(&header(&Preset::default(), None, None, "cpu", false)).unwrap();
        takes.begin();
        takes.start_take(Some(path.clone()));
        let mut rng = crate::control::test_rng(5);
        for frame in 0..216_000 {
            let dt = std::time::Duration::from_micros(16_600 + rng() % 150);
            takes.heard(&events(frame));
            if frame % 10 > 0 {
                takes.drew(1 + rng() % 2);
            }
            takes.end(dt.as_secs_f64());
        }
        drop(takes);
        let take = Take::read(&path).unwrap();
        assert_eq!(take.frames.len(), 216_000);
        let bytes = std::fs::metadata(&path).unwrap().len();
        std::fs::remove_dir_all(folder).unwrap();
        bytes
    }

    #[test]
    #[allow(clippy::print_stderr, reason = "the figures are of interest")]
    fn a_minute_takes_tens_of_kilobytes() {
        let write = |id: Id, value| Event::Write(Write { target: id.into(), value, source: Source::Osc });
        let idle = an_hour(|_| Vec::new()) / 60;
        let busy = an_hour(|frame| {
            // A fader that is moved all the time, a beat of notes, a knob now and then.
            let mut events = vec![write(Id::Psi, Value::Float(f64::from((frame as f32 / 700.0).sin())))];
            if frame % 30 == 0 {
                events.push(Event::Midi(midi::parse(&[0x90, 36, 100], 0, frame * 16_667).unwrap()));
            }
            if frame % 100 < 20 {
                events.push(write(Id::WalkSpeed, Value::Float(frame as f64 / 216_000.0)));
            }
            events
        }) / 60;
        eprintln!("a minute of a take: {idle} bytes idle, {busy} bytes busy");
        assert!(idle < 32_000, "{idle} bytes a minute");
        assert!(busy < 250_000, "{busy} bytes a minute");
    }

    #[test]
    fn a_track_is_noted_where_it_is() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-heard-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("heard.take");
        let mut takes = Takes::start(&header(&Preset::default(), None, None, "cpu", false)).unwrap();
        let sound = Arc::new(History::default());
        let hear = |secs: f64| sound.push(&vec![[0.0; 2]; (secs * f64::from(RATE)).round() as usize], Instant::now());
        hear(2.0);
        takes.begin();
        takes.set_track("a.flac".into(), sound.clone());
        takes.start_take(Some(path.clone()));
        for frame in 0..100 {
            if frame == 60 {
                hear(0.5);
            }
            takes.end(0.02);
            // Told in steps.
            if frame % 2 == 1 {
                hear(0.04);
            }
        }
        drop(takes);
        let take = Take::read(&path).unwrap();
        let heard = take.frames.iter().filter_map(|frame| frame.more.as_ref()?.heard.clone());
        assert_eq!(heard.collect::<Vec<_>>(), [("a.flac".into(), 2.0), ("a.flac".into(), 3.7)]);
        assert!(take.files.iter().any(|used| used.sound && used.path == "a.flac"), "{:?}", take.files);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_track_goes_on_in_the_show_that_takes_over() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-heard-on-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("heard.take");
        let [mut old, mut takes] =
            [(); 2].map(|()| Takes::start(&header(&Preset::default(), None, None, "cpu", false)).unwrap());
        let sound = Arc::new(History::default());
        sound.push(&vec![[0.0; 2]; 3 * RATE as usize], Instant::now());
        old.set_track("a.flac".into(), sound);
        takes.begin();
        takes.take_over(&mut old);
        takes.start_take(Some(path.clone()));
        (0..3).for_each(|_| drop(takes.end(0.02)));
        drop(takes);
        let take = Take::read(&path).unwrap();
        let heard = take.frames.iter().filter_map(|frame| frame.more.as_ref()?.heard.clone());
        assert_eq!(heard.collect::<Vec<_>>(), [("a.flac".into(), 3.0)]);
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn frames_last_whole_microseconds_or_are_exact() {
        for (dt, expected) in
            [(0.016683, "16683"), (0.0, "0"), (1.0, "1000000"), (1.0 / 60.0, "\"0.016666666666666666\"")]
        {
            let mut out = Vec::new();
            write_dt(dt, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
