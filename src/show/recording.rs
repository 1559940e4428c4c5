//! What is recorded of the show. The thread of a recording does the work (see [`crate::record::recorder`]); here it starts
//! and stops, and what becomes of it is told.

use std::path::Path;
use std::sync::Arc;

use super::output::{Output, Shown, Tap};
use super::stage::Picture;
use super::status::Status;
use crate::params::{Codec, Id, Params};
use crate::patch::locate;
use crate::record::recorder::{Frame, FrameSender, Look, Order, Recorder, Track};
use crate::record::stream::{self, Streamer, Target};

/// How often the status of a recording is published.
const STATUS_EVERY_SECS: f64 = 1.0;

impl Frame for Picture {
    fn size(&self) -> [u32; 2] {
        [self.width, self.height]
    }
    fn rgba(&self) -> &[u8] {
        &self.rgba
    }
    fn serial(&self) -> u64 {
        self.serial
    }
}

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

/// The running recording, and those whose files are being finished.
#[derive(Default)]
pub struct Recording {
    running: Option<Recorder>,
    ended: Vec<Recorder>,
    /// Time, size and so on of the running one.
    line: String,
    since_line: f64,
    /// What is heard, if that is a file: recordings get its sound.
    track: Option<Track>,
    stream: Option<Streamer>,
    /// Streams that are ending.
    old_streams: Vec<Streamer>,
}

impl Recording {
    pub fn set_track(&mut self, track: Track) {
        self.track = Some(track);
    }

    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Starts a recording of what `output` shows from now on.
    pub fn start(&mut self, order: Result<Order, String>, output: &mut Output, status: &mut Status) {
        if output.is_offline() {
            return status.notice("a live show can be recorded; `render` writes a file of its own".to_owned());
        }
        if self.is_running() {
            return status.notice("already recording; /record/stop finishes the file".to_owned());
        }
        let started = order.and_then(|order| {
            let order = Order { track: self.track.clone(), ..order };
            Recorder::start(order, output.newest()).map_err(|error| format!("cannot record: {error}"))
        });
        match started {
            Ok((recorder, sender)) => {
                output.tap(Box::new(sender));
                recorder.write_line(&mut self.line);
                (self.running, self.since_line) = (Some(recorder), STATUS_EVERY_SECS);
                status.notice("recording".to_owned());
            }
            Err(line) => status.notice(line),
        }
    }

    /// Ends the recording; its file is finished meanwhile.
    pub fn stop(&mut self, status: &mut Status) {
        match self.running.take() {
            Some(recorder) => {
                recorder.stop();
                status.notice("finishing the recording".to_owned());
                self.ended.push(recorder);
            }
            None => status.notice("nothing is being recorded; /record/start starts".to_owned()),
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
        let order = Target::parse(address)
            .and_then(|target| Ok(stream::Order { target, fps: params.get(Id::RecordFps), size: size(params)? }));
        let started = order
            .and_then(|order| Streamer::start(order, output.newest()).map_err(|error| format!("no stream: {error}")));
        match started {
            Ok((streamer, sender)) => {
                output.tap(Box::new(sender));
                status.notice(format!("streaming to {}", streamer.name()));
                self.stream = Some(streamer);
            }
            Err(line) => status.notice(line),
        }
    }

    /// Where the stream goes, and what it dropped.
    pub fn stream_line(&self) -> Option<String> {
        let stream = self.stream.as_ref()?;
        let dropped = stream.dropped();
        Some(if dropped > 0 { format!("{}  {dropped} dropped", stream.name()) } else { stream.name().to_owned() })
    }

    /// Tells what has become of recordings and of the stream, and updates `/record/status`.
    pub fn step(&mut self, dt: f64, params: &mut Params, status: &mut Status) {
        self.ended.retain_mut(|recorder| !has_ended(recorder, status));
        self.old_streams.retain(|stream| !stream.has_ended());
        if let Some(note) = self.stream.as_ref().and_then(Streamer::take_note) {
            status.notice(note);
        }
        self.stream.take_if(|stream| stream.has_ended());
        self.running.take_if(|recorder| has_ended(recorder, status));
        let Some(running) = &self.running else {
            if !self.line.is_empty() {
                self.line.clear();
                params.set_text(Id::RecordStatus, "");
            }
            return;
        };
        self.since_line += dt;
        if self.since_line >= STATUS_EVERY_SECS {
            self.since_line = 0.0;
            running.write_line(&mut self.line);
            params.set_text(Id::RecordStatus, &self.line);
        }
    }

    /// Time, size, dropped frames and name of the running recording.
    pub fn line(&self) -> Option<&str> {
        self.running.as_ref().map(|_| self.line.as_str())
    }

    /// Ends all recordings and waits for their files; a line for each.
    pub fn end(&mut self) -> Vec<String> {
        let all = self.running.take().into_iter().chain(self.ended.drain(..));
        let line = |mut recorder: Recorder| match recorder.end() {
            Ok(summary) => format!("recorded {summary}"),
            Err(error) => format!("the recording has ended: {error}"),
        };
        all.map(line).collect()
    }
}

/// Tells what there is to say about a recording; whether it has ended.
fn has_ended(recorder: &mut Recorder, status: &mut Status) -> bool {
    if let Some(note) = recorder.take_note() {
        status.notice(note);
    }
    match recorder.poll() {
        Some(Ok(summary)) => status.notice(format!("recorded {summary}")),
        Some(Err(error)) => status.notice(format!("the recording has ended: {error}")),
        None => return false,
    }
    true
}

/// The next recording, by the parameters. A file without a name is called `name`.
///
/// # Errors
/// One line, when `/record/size` is no size.
pub fn order(params: &Params, name: &str) -> Result<Order, String> {
    Ok(Order {
        file: locate::expand(Path::new(params.text(Id::RecordFile).trim())),
        name: name.to_owned(),
        codec: params.get_choice::<Codec>(Id::RecordCodec),
        fps: params.get(Id::RecordFps),
        size: size(params)?,
        track: None,
    })
}

fn size(params: &Params) -> Result<Option<[u32; 2]>, String> {
    let text = params.text(Id::RecordSize).trim();
    if text.is_empty() { Ok(None) } else { parse_size(text).map(Some) }
}

fn parse_size(text: &str) -> Result<[u32; 2], String> {
    let wrong = || format!("/record/size takes WIDTHxHEIGHT such as 1920x1080, each 16 to 16384; got {text:?}");
    let (width, height) = text.split_once(['x', 'X']).ok_or_else(wrong)?;
    let number = |side: &str| side.trim().parse().ok().filter(|side| (16..=16_384).contains(side)).ok_or_else(wrong);
    Ok([number(width)?, number(height)?])
}

/// So that a picture can go to the thread as it is.
const _: fn(&Arc<Picture>) = |picture| drop::<Arc<dyn Frame>>(picture.clone());

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Value;

    #[test]
    fn the_next_recording_follows_the_parameters() {
        let mut params = Params::default();
        let plain = order(&params, "a preset").unwrap();
        assert_eq!((plain.file.as_os_str().len(), plain.name.as_str()), (0, "a preset"));
        assert_eq!((plain.codec, plain.fps, plain.size), (Codec::Auto, 30.0, None));
        for (id, value) in [(Id::RecordFile, "/a/b.mov"), (Id::RecordCodec, "hap"), (Id::RecordSize, "1920 x 1080")] {
            params.write(id.into(), &Value::Text(value.to_owned())).unwrap();
        }
        let own = order(&params, "").unwrap();
        assert_eq!((own.file.as_path(), own.codec), (Path::new("/a/b.mov"), Codec::Hap));
        assert_eq!(own.size, Some([1920, 1080]));
        for wrong in ["1920", "1920x", "8x8", "-1x20", "20000x20000"] {
            params.write(Id::RecordSize.into(), &Value::Text(wrong.to_owned())).unwrap();
            assert!(order(&params, "").unwrap_err().contains(wrong), "{wrong}");
        }
    }
}
