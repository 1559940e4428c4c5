//! What is recorded of the show. The threads of a recording do the work (see [`crate::record::recorder`]); here it starts
//! and stops, and what becomes of it is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Show;
use super::frames::Frames;
use super::output::{Output, Shown, Tap};
use super::sharing::Sharing;
use super::status::{About, Status};
use super::takes::Takes;
use crate::audio::history::History;
use crate::image;
use crate::params::{Codec, Id, Params, RecordWhat};
use crate::patch::locate;
use crate::record::Summary;
use crate::record::names::{self, Beside};
use crate::record::recorder::{FrameSender, Look, Order, Part, Recorder};
use crate::record::stream::{self, Streamer, Target};
use crate::record::take::Told;

/// How often the status of a recording is published.
const STATUS_EVERY_SECS: f64 = 1.0;

impl Show {
    /// Whether [pictures](Show::picture) come in linear light too, for what is rendered. Needs a screen.
    pub fn want_light(&mut self, is_wanted: bool) {
        self.output.want_light(is_wanted);
    }
}

/// A stream.
impl Tap for FrameSender {
    fn wants(&self) -> bool {
        !FrameSender::is_over(self)
    }
    fn picture(&mut self, shown: &Shown) {
        let look = Look { fit: shown.fit, brightness: shown.brightness };
        self.frame(shown.dt, look, shown.output, shown.picture);
    }
    fn is_over(&self) -> bool {
        FrameSender::is_over(self)
    }
}

/// The take of a recording.
#[derive(Debug, Default)]
enum OwnTake {
    /// There is none, or it is somebody else's.
    #[default]
    None,
    /// It begins once the recording has a name; it may replace that of a recording which has failed.
    Wanted {
        replaces: Option<PathBuf>,
    },
    Asked(PathBuf),
    Running(PathBuf),
    /// The recording was stopped, and so will be its take.
    Ends {
        own: PathBuf,
        /// Whether a recording has begun since, whose take begins after this one.
        next: bool,
    },
    /// It was stopped.
    Ending {
        own: PathBuf,
        next: bool,
    },
}

impl OwnTake {
    /// What follows a take that has ended.
    fn after(next: bool) -> OwnTake {
        if next { OwnTake::Wanted { replaces: None } } else { OwnTake::None }
    }
}

/// The running recording, and those whose files are being finished.
#[derive(Default)]
pub struct Recording {
    /// What is seen, the network's picture, or both.
    running: Vec<Recorder>,
    ended: Vec<Recorder>,
    take: OwnTake,
    /// Time, size and so on of the running one.
    line: String,
    since_line: f64,
    /// What is heard: recordings get its sound.
    sound: Option<Arc<History>>,
    stream: Option<Streamer>,
    /// Streams that are ending.
    old_streams: Vec<Streamer>,
    pub(super) shares: Sharing,
}

impl Recording {
    pub fn set_sound(&mut self, sound: Arc<History>) {
        self.sound = Some(sound);
    }

    /// Another show goes on, with another log: a running recording gets a second take, from here on.
    pub fn take_over(&mut self) {
        self.take = match std::mem::take(&mut self.take) {
            OwnTake::Asked(_) | OwnTake::Running(_) => OwnTake::Wanted { replaces: None },
            // The old log ends with its show.
            OwnTake::Ends { next, .. } | OwnTake::Ending { next, .. } => OwnTake::after(next),
            other => other,
        };
    }

    pub fn is_running(&self) -> bool {
        !self.running.is_empty()
    }

    /// Starts a recording of what `output` shows from now on.
    pub fn start(&mut self, orders: Result<Vec<Order>, String>, output: &mut Output, status: &mut Status) {
        if output.is_offline() {
            return status.notice("a live show can be recorded; `render` writes a file of its own".to_owned());
        }
        if self.is_running() {
            return status.notice("already recording; /record/stop finishes the file".to_owned());
        }
        match orders.and_then(|orders| self.start_each(orders, output)) {
            Ok((recorders, frames, has_take)) => {
                output.tap(Box::new(frames));
                (self.running, self.since_line) = (recorders, STATUS_EVERY_SECS);
                self.write_line();
                if has_take {
                    match &mut self.take {
                        OwnTake::Ends { next, .. } | OwnTake::Ending { next, .. } => *next = true,
                        OwnTake::Asked(own) | OwnTake::Running(own) => {
                            self.take = OwnTake::Wanted { replaces: Some(std::mem::take(own)) };
                        }
                        OwnTake::None | OwnTake::Wanted { .. } => self.take = OwnTake::Wanted { replaces: None },
                    }
                }
                status.mended(About::Recording);
                status.notice("recording".to_owned());
            }
            Err(line) => status.error(About::Recording, line),
        }
    }

    fn start_each(&self, orders: Vec<Order>, output: &Output) -> Result<(Vec<Recorder>, Frames, bool), String> {
        let (mut recorders, mut seen, mut clean) = (Vec::new(), None, None);
        let mut has_take = false;
        for order in orders {
            let order = Order { sound: self.sound.clone(), ..order };
            has_take |= order.beside.take;
            let (sender, from) = match order.part {
                Part::Output => (&mut seen, output.newest()),
                Part::Network => (&mut clean, output.next_clean()),
            };
            let (recorder, started) =
                Recorder::start(order, from).map_err(|error| format!("cannot record: {error}"))?;
            *sender = Some(started);
            recorders.push(recorder);
        }
        Ok((recorders, Frames::new(seen, clean), has_take))
    }

    /// Ends the recording; its file is finished meanwhile.
    pub fn stop(&mut self, status: &mut Status) {
        if self.running.is_empty() {
            return status.notice("nothing is being recorded; /record/start starts".to_owned());
        }
        self.running.iter().for_each(Recorder::stop);
        self.ended.append(&mut self.running);
        self.end_take();
        status.notice("finishing the recording".to_owned());
    }

    /// The take of the recording that has been stopped ends, and none follows.
    fn end_take(&mut self) {
        self.take = match std::mem::take(&mut self.take) {
            OwnTake::Wanted { replaces: Some(own) }
            | OwnTake::Asked(own)
            | OwnTake::Running(own)
            | OwnTake::Ends { own, .. } => OwnTake::Ends { own, next: false },
            OwnTake::Ending { own, .. } => OwnTake::Ending { own, next: false },
            OwnTake::None | OwnTake::Wanted { replaces: None } => OwnTake::None,
        };
    }

    /// Begins and ends the take of a recording. A take that somebody else has begun goes on.
    pub fn step_take(&mut self, takes: &mut Takes) {
        match &self.take {
            OwnTake::Wanted { replaces } => {
                let Some(name) = self.running.first().and_then(Recorder::name) else { return };
                let own = names::take_of(name);
                let is_free = replaces.is_some() || !takes.is_busy();
                let is_asked = is_free && takes.start_take(Some(own.clone()));
                self.take = if is_asked { OwnTake::Asked(own) } else { OwnTake::None };
            }
            OwnTake::Ends { own, next } => {
                // What somebody else has begun meanwhile has ended it, and goes on.
                let is_own = takes.path() == Some(own.as_path());
                self.take = match is_own && takes.stop_take() {
                    true => OwnTake::Ending { own: own.clone(), next: *next },
                    false => OwnTake::after(*next),
                };
            }
            _ => {}
        }
    }

    /// Follows what the thread tells about takes. True for what is the recording's affair: what there is to say about it is said.
    pub fn hears(&mut self, told: &Told, status: &mut Status) -> bool {
        match (told, &self.take) {
            (Told::Started(path), OwnTake::Asked(_)) => {
                self.take = OwnTake::Running(path.clone());
                true
            }
            (Told::Started(path), OwnTake::Running(own)) if path != own => {
                self.take = OwnTake::None;
                false
            }
            (Told::Stopped { .. } | Told::Failed(_), OwnTake::Asked(_) | OwnTake::Running(_)) => {
                self.take = OwnTake::None;
                false
            }
            // It was stopped before it had begun.
            (Told::Started(path), OwnTake::Ending { own, .. }) => path == own,
            (Told::Stopped { path, bytes }, OwnTake::Ending { own, next }) => {
                let is_own = path == own;
                self.take = OwnTake::after(*next);
                if is_own {
                    // What is shown is that the recording is there, and the take has its name.
                    status.log(&complete(path, *bytes));
                }
                is_own
            }
            (Told::Failed(_), OwnTake::Ending { next, .. }) => {
                self.take = OwnTake::after(*next);
                false
            }
            _ => false,
        }
    }

    /// Streams what `output` shows from now on, instead of any stream before; without an address, ends it.
    pub fn stream(&mut self, params: &Params, output: &mut Output, status: &mut Status) {
        let address = params.text(Id::Stream).trim();
        if output.is_offline() {
            return;
        }
        if let Some(old) = self.stream.take() {
            old.stop();
            self.old_streams.push(old);
            status.notice("the stream has ended".to_owned());
        }
        if address.is_empty() {
            return;
        }
        let order = Target::parse(address).and_then(|target| Ok((target, size(params)?))).map(|(target, size)| {
            let (fps, sound) = (params.get(Id::RecordFps), self.sound.clone());
            stream::Order { target, fps, size, sound }
        });
        let started = order
            .and_then(|order| Streamer::start(order, output.newest()).map_err(|error| format!("no stream: {error}")));
        match started {
            Ok((streamer, sender)) => {
                output.tap(Box::new(sender));
                status.notice(format!("streaming to {}", streamer.name()));
                status.mended(About::Streaming);
                self.stream = Some(streamer);
            }
            Err(line) => status.error(About::Streaming, line),
        }
    }

    /// Where the stream goes, and what it dropped.
    pub fn stream_line(&self) -> Option<String> {
        let stream = self.stream.as_ref()?;
        let dropped = stream.dropped();
        Some(if dropped > 0 { format!("{}  {dropped} dropped", stream.name()) } else { stream.name().to_owned() })
    }

    /// Tells what has become of recordings, of the stream and of the shares, and updates `/record/status`.
    pub fn step(&mut self, dt: f64, params: &mut Params, status: &mut Status) {
        self.ended.retain_mut(|recorder| !has_ended(recorder, "", status));
        self.old_streams.retain(|stream| !stream.has_ended());
        if let Some(note) = self.stream.as_ref().and_then(Streamer::take_note) {
            status.notice(note);
        }
        self.stream.take_if(|stream| stream.has_ended());
        self.shares.step(params, status);
        let goes_on = if matches!(self.take, OwnTake::Running(_)) { "; its take goes on" } else { "" };
        self.running.retain_mut(|recorder| !has_ended(recorder, goes_on, status));
        if self.running.is_empty() {
            if !self.line.is_empty() {
                self.line.clear();
                params.set_text(Id::RecordStatus, "");
            }
            return;
        }
        self.since_line += dt;
        if self.since_line >= STATUS_EVERY_SECS {
            self.since_line = 0.0;
            self.write_line();
            params.set_text(Id::RecordStatus, &self.line);
        }
    }

    fn write_line(&mut self) {
        self.line.clear();
        for (i, recorder) in self.running.iter().enumerate() {
            if i > 0 {
                self.line.push_str("  +  ");
            }
            recorder.write_line(&mut self.line);
        }
    }

    /// Time, size, dropped frames and name of the running recording.
    pub fn line(&self) -> Option<&str> {
        self.is_running().then_some(self.line.as_str())
    }

    /// Ends all recordings and waits for their files; a line for each.
    pub fn end(&mut self) -> Vec<String> {
        self.end_take();
        // All end at once, then each is waited for.
        self.running.iter().for_each(Recorder::stop);
        let all = self.running.drain(..).chain(self.ended.drain(..));
        let line = |mut recorder: Recorder| match recorder.end() {
            Ok(summary) => recorded(summary),
            Err(error) => format!("the recording has ended: {error}"),
        };
        all.map(line).collect()
    }
}

/// The line about a take that has ended.
pub(super) fn complete(path: &Path, bytes: u64) -> String {
    format!("the take {} is complete: {} kB", locate::shown(path), bytes.div_ceil(1000))
}

/// What was recorded, and where it is.
fn recorded(summary: Summary) -> String {
    let path = PathBuf::from(locate::shown(&summary.path));
    format!("recorded {}", Summary { path, ..summary })
}

/// Tells what there is to say about a recording; whether it has ended.
fn has_ended(recorder: &mut Recorder, failed: &str, status: &mut Status) -> bool {
    if let Some(note) = recorder.take_note() {
        status.notice(note);
    }
    match recorder.poll() {
        Some(Ok(summary)) => status.notice(recorded(summary)),
        Some(Err(error)) => status.error(About::Recording, format!("the recording has ended: {error}{failed}")),
        None => return false,
    }
    true
}

/// The next recording, by the parameters: one file, or two. Without `/record/file` it is called `name`. It may have the
/// name of the take that is `running`.
///
/// # Errors
/// One line, when `/record/size` is no size.
pub fn orders(params: &Params, name: &str, running: Option<&Path>) -> Result<Vec<Order>, String> {
    let what = params.get_choice::<RecordWhat>(Id::RecordWhat);
    let parts: &[Part] = match what {
        RecordWhat::Output => &[Part::Output],
        RecordWhat::Network => &[Part::Network],
        RecordWhat::Both => &[Part::Output, Part::Network],
    };
    let running = running.map(Path::to_owned);
    let beside = Beside { take: params.bool(Id::RecordTake), network: what == RecordWhat::Both, running };
    let size = size(params)?;
    let order = |part: &Part| Order {
        file: locate::expand(Path::new(params.text(Id::RecordFile).trim())),
        name: name.to_owned(),
        codec: params.get_choice::<Codec>(Id::RecordCodec),
        fps: params.get(Id::RecordFps),
        // Of two files, the network's keeps its own size.
        size: size.filter(|_| what != RecordWhat::Both || *part == Part::Output),
        sound: None,
        part: *part,
        beside: beside.clone(),
    };
    Ok(parts.iter().map(order).collect())
}

fn size(params: &Params) -> Result<Option<[u32; 2]>, String> {
    let text = params.text(Id::RecordSize).trim();
    if text.is_empty() {
        return Ok(None);
    }
    let size = image::parse_size(text, 16..=16_384).map(Some);
    size.ok_or_else(|| format!("/record/size takes WIDTHxHEIGHT such as 1920x1080, each 16 to 16384; got {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Value;

    #[test]
    fn the_next_recording_follows_the_parameters() {
        let mut params = Params::default();
        let plain = &orders(&params, "a preset", Some(Path::new("a.take"))).unwrap()[0];
        assert_eq!((plain.file.as_os_str().len(), plain.name.as_str()), (0, "a preset"));
        assert_eq!((plain.codec, plain.fps, plain.size), (Codec::Auto, 30.0, None));
        assert_eq!(
            (plain.part, plain.beside.clone()),
            (Part::Output, Beside { take: true, network: false, running: Some("a.take".into()) })
        );
        let set = |params: &mut Params, id: Id, value: &str| {
            params.write(id.into(), &Value::Text(value.to_owned())).unwrap();
        };
        for (id, value) in [(Id::RecordFile, "/a/b.mov"), (Id::RecordCodec, "hap"), (Id::RecordSize, "1920 x 1080")] {
            set(&mut params, id, value);
        }
        let own = &orders(&params, "", None).unwrap()[0];
        assert_eq!((own.file.as_path(), own.codec), (Path::new("/a/b.mov"), Codec::Hap));
        assert_eq!(own.size, Some([1920, 1080]));
        set(&mut params, Id::RecordWhat, "both");
        params.write(Id::RecordTake.into(), &Value::Bool(false)).unwrap();
        let both = orders(&params, "", None).unwrap();
        assert_eq!(both.iter().map(|order| order.part).collect::<Vec<_>>(), [Part::Output, Part::Network]);
        assert_eq!(both.iter().map(|order| order.size).collect::<Vec<_>>(), [Some([1920, 1080]), None]);
        assert!(both.iter().all(|order| order.beside == Beside { take: false, network: true, running: None }));
        set(&mut params, Id::RecordWhat, "network");
        let network = orders(&params, "", None).unwrap();
        assert_eq!((network.len(), network[0].size), (1, Some([1920, 1080])));
        assert!(network[0].part == Part::Network && !network[0].beside.network);
        for wrong in ["1920", "1920x", "8x8", "-1x20", "20000x20000"] {
            set(&mut params, Id::RecordSize, wrong);
            assert!(orders(&params, "", None).unwrap_err().contains(wrong), "{wrong}");
        }
    }
}
