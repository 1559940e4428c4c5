//! A live stream: the thread `stream` sends what is shown to another program, by ffmpeg. The show never waits.
//!
//! A receiver that is not there or goes away is tried again, at first after a second and at last twice a minute; one line
//! says that it is lost, and one that it is back. Frames are never queued for it: what it misses is gone. What is heard goes
//! along; services for RTMP refuse streams without sound, so these get silence where there is none.

mod sound;

use std::ffi::{OsStr, OsString};
use std::process::{Child, ChildStdin, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};

use super::RecordError;
use super::codec::Encoder;
use super::feed::{Content, Feed};
use super::framer::Framer;
use super::recorder::{FrameSender, LOOK, Shared, Shot, frames, next};
use super::video::{Complaints, Effort, FFMPEG, command};
use crate::audio::history::History;
use crate::params::Codec;
use sound::{Heard, StreamSound};

/// Longest time in which a picture that stays is not sent again.
const LONGEST_SECS: f64 = 0.1;

/// How long ffmpeg may take to say goodbye before it is ended.
const GOODBYE: Duration = Duration::from_secs(2);

/// The first pause before a receiver is tried again, and the longest; each is twice the one before.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// A receiver that takes frames for this long is there.
const STEADY_SECS: f64 = 2.0;

/// The sound, for every format that has some.
const SOUND: &[&str] = &["-map", "0:v:0", "-map", "0:a:0", "-c:a", "aac", "-b:a", "160k"];

/// Without the delay that a muxer adds for sound.
const MPEGTS: &[&str] = &["-muxdelay", "0", "-muxpreload", "0"];

/// Where a stream goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    url: String,
    /// ffmpeg's name of the format.
    format: &'static str,
    options: &'static [&'static str],
    /// A loopback device, which takes raw pictures.
    is_raw: bool,
    /// Whether a stream without sound is refused there.
    needs_sound: bool,
}

impl Target {
    /// An address such as `srt://host:9710`, `udp://`, `tcp://`, `rtmp://`, `rtsp://`, or a loopback device such as
    /// `/dev/video2`.
    ///
    /// # Errors
    /// One line for anything else.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let scheme =
            text.split_once("://").filter(|(_, rest)| !rest.is_empty()).map(|(scheme, _)| scheme.to_lowercase());
        let new = |format, options| Target { url: text.to_owned(), format, options, is_raw: false, needs_sound: false };
        match scheme.as_deref() {
            Some("udp") if !text.contains('?') => {
                // Seven packets of a transport stream in a datagram.
                Ok(Target { url: format!("{text}?pkt_size=1316"), ..new("mpegts", MPEGTS) })
            }
            Some("srt" | "udp" | "tcp" | "rist") => Ok(new("mpegts", MPEGTS)),
            Some("rtmp" | "rtmps") => {
                Ok(Target { needs_sound: true, ..new("flv", &["-flvflags", "no_duration_filesize"]) })
            }
            Some("rtsp") => Ok(new("rtsp", &["-rtsp_transport", "tcp"])),
            None if text.starts_with("/dev/video") => Ok(Target { is_raw: true, ..new("v4l2", &[]) }),
            _ => Err(format!(
                "a stream goes to srt://, udp://, tcp://, rist://, rtmp://, rtsp:// or /dev/video0; got {text:?}"
            )),
        }
    }

    /// Without what may be a key or a password.
    pub fn name(&self) -> String {
        let Some((scheme, rest)) = self.url.split_once("://") else { return self.url.clone() };
        let host = rest.split(['/', '?']).next().unwrap_or_default();
        format!("{scheme}://{}", host.rsplit('@').next().unwrap_or_default())
    }

    /// What goes there to be heard.
    fn heard(&self, sound: Option<&Arc<History>>) -> Option<Heard> {
        match sound {
            _ if self.is_raw => None,
            Some(sound) => Some(Heard::Sound(sound.clone())),
            None => self.needs_sound.then_some(Heard::Silence),
        }
    }

    /// What ffmpeg says, without the address.
    fn told(&self, line: &str) -> String {
        line.replace(&self.url, &self.name())
    }
}

/// What to stream.
#[derive(Clone, Debug)]
pub struct Order {
    pub target: Target,
    /// Frames per second.
    pub fps: f64,
    /// Width and height; `None` for those of the output when it begins.
    pub size: Option<[u32; 2]>,
    /// What is heard.
    pub sound: Option<Arc<History>>,
}

/// A running stream. Dropping it ends it.
pub struct Streamer {
    name: String,
    shared: Arc<Shared>,
    line: Arc<Line>,
    thread: Option<JoinHandle<()>>,
}

/// The process, and what there is to say.
#[derive(Default)]
struct Line {
    child: Mutex<Option<Child>>,
    note: Mutex<Option<String>>,
}

impl Line {
    fn child(&self) -> MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, line: String) {
        *self.note.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
    }

    /// Waits for the process for a while, then ends it. Whether it ended well.
    fn end_child(&self) -> bool {
        let started = Instant::now();
        loop {
            let mut child = self.child();
            let ended = child.as_mut().map(Child::try_wait);
            match ended {
                Some(Ok(None)) if started.elapsed() < GOODBYE => {
                    drop(child);
                    std::thread::sleep(Duration::from_millis(20));
                }
                Some(Ok(None)) => {
                    if let Some(mut child) = child.take() {
                        let _ = child.kill();
                        let _ = child.wait();
                    }
                    return false;
                }
                ended => {
                    *child = None;
                    return matches!(ended, Some(Ok(Some(status))) if status.success());
                }
            }
        }
    }
}

impl Streamer {
    /// Starts the thread. Pictures older than `from` are not sent.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(order: Order, from: u64) -> Result<(Self, FrameSender), RecordError> {
        Streamer::start_by(OsStr::new(FFMPEG).to_owned(), order, from)
    }

    fn start_by(ffmpeg: OsString, order: Order, from: u64) -> Result<(Self, FrameSender), RecordError> {
        let (sender, shots, shared) = frames(order.fps, LONGEST_SECS, from);
        let line = Arc::<Line>::default();
        let name = order.target.name();
        let thread = {
            let (shared, line) = (shared.clone(), line.clone());
            std::thread::Builder::new()
                .name("stream".to_owned())
                .spawn(move || {
                    if let Err(error) = run(&ffmpeg, &order, &shots, &shared, &line) {
                        line.say(format!("no stream to {}: {error}", order.target.name()));
                    }
                })
                .map_err(|error| RecordError::Thread(error.to_string()))?
        };
        Ok((Streamer { name, shared, line, thread: Some(thread) }, sender))
    }

    /// Where it goes, without keys and passwords.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A line for the player: that the receiver is lost, or back.
    pub fn take_note(&self) -> Option<String> {
        self.line.note.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Frames dropped because the network or the encoder was behind.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped()
    }

    /// Whether the thread has given up or has ended.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends it without waiting.
    pub fn stop(&self) {
        self.shared.stop();
    }
}

impl Drop for Streamer {
    fn drop(&mut self) {
        self.stop();
        let Some(thread) = self.thread.take() else { return };
        let started = Instant::now();
        while !thread.is_finished() {
            if started.elapsed() > GOODBYE + LOOK {
                // It waits for a network that takes nothing.
                self.line.child().as_mut().map(Child::kill);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // A thread that panicked has ended as well.
        let _ = thread.join();
    }
}

fn run(ffmpeg: &OsStr, order: &Order, shots: &Receiver<Shot>, shared: &Shared, line: &Line) -> Result<(), RecordError> {
    let encoder = if order.target.is_raw { None } else { Some(Encoder::for_codec(ffmpeg, Codec::H264)?) };
    shared.set_ready();
    let name = order.target.name();
    let (mut pause, mut is_lost) = (PAUSES[0], false);
    let mut framer: Option<Framer> = None;
    loop {
        let Some(first) = next(shots, shared) else { return Ok(()) };
        let framer = framer.get_or_insert_with(|| {
            let size = order.size.unwrap_or_else(|| first.size());
            Framer::new(size, size.map(|side| side.next_multiple_of(2)))
        });
        let (mut feed, mut complaints) = connect(ffmpeg, order, encoder, framer.padded(), line)?;
        let heard = order.target.heard(order.sound.as_ref());
        let mut sound = heard.map(|heard| StreamSound::new(heard, order.fps, first.at));
        let (start, mut shot) = (first.place, Some(first));
        while let Some(taken) = shot.take() {
            framer.take(&taken.frame, taken.look);
            let place = taken.place - start;
            let mut send = |feed: &mut Feed<ChildStdin>| {
                feed.write(place, framer.bytes())?;
                sound.as_mut().map_or(Ok(()), |sound| sound.write(feed, place, &taken))
            };
            let is_sent = feed.as_mut().is_some_and(|feed| send(feed).is_ok());
            if !is_sent {
                break;
            }
            if place as f64 >= STEADY_SECS * order.fps {
                pause = PAUSES[0];
                if std::mem::take(&mut is_lost) {
                    line.say(format!("the stream to {name} is back"));
                }
            }
            shot = next(shots, shared);
            if shot.is_none() {
                drop(feed);
                line.end_child();
                return Ok(());
            }
        }
        drop(feed);
        line.end_child();
        let said = order.target.told(&complaints.all());
        if !std::mem::replace(&mut is_lost, true) {
            line.say(format!("the stream to {name} is lost: {said}; trying again"));
        }
        if !rest(pause, shots, shared) {
            return Ok(());
        }
        pause = (pause * 2).min(PAUSES[1]);
    }
}

/// Starts ffmpeg.
fn connect(
    ffmpeg: &OsStr,
    order: &Order,
    encoder: Option<Encoder>,
    size: [u32; 2],
    line: &Line,
) -> Result<(Option<Feed<ChildStdin>>, Complaints), RecordError> {
    let Order { target, fps, .. } = order;
    let mut command = command(ffmpeg);
    command.args(encoder.map(Encoder::before).unwrap_or_default());
    let has_sound = target.heard(order.sound.as_ref()).is_some();
    command.args(["-fpsprobesize", "0", "-f", "matroska", "-i", "pipe:0"]);
    command.args(if has_sound { SOUND } else { &["-an"] });
    match encoder {
        Some(encoder) => {
            command.args(["-g", &fps.round().max(1.0).to_string()]).args(encoder.arguments(Effort::Stream));
            command.args(["-vf", &encoder.filter("bicubic", Some(*fps))]);
        }
        None => {
            command.args(["-c:v", "rawvideo", "-vf"]);
            command.arg(format!("scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,fps={fps}"));
        }
    }
    command.args(target.options).args(["-flush_packets", "1", "-f", target.format, &target.url]);
    let failed = |error| RecordError::Video(super::video::VideoError::start(error));
    let mut child = command.stdin(Stdio::piped()).spawn().map_err(failed)?;
    let complaints = Complaints::of(&mut child).map_err(failed)?;
    let pipe = child.stdin.take().ok_or_else(|| failed(std::io::Error::other("no pipe")))?;
    *line.child() = Some(child);
    // If it has gone already, its complaints say why.
    Ok((Feed::new(pipe, Content::Rgba, size, *fps, has_sound).ok(), complaints))
}

/// Waits and drops what comes meanwhile. `false` at the end of the stream.
fn rest(pause: Duration, shots: &Receiver<Shot>, shared: &Shared) -> bool {
    let end = Instant::now() + pause;
    while Instant::now() < end {
        match shots.recv_timeout(LOOK) {
            Ok(_) | Err(RecvTimeoutError::Timeout) if !shared.is_stopped() => {}
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_an_address_or_a_device() {
        for (text, url, format, name) in [
            (
                "srt://a.example:9710?latency=80000",
                "srt://a.example:9710?latency=80000",
                "mpegts",
                "srt://a.example:9710",
            ),
            (" udp://127.0.0.1:5000 ", "udp://127.0.0.1:5000?pkt_size=1316", "mpegts", "udp://127.0.0.1:5000"),
            ("rtmp://u:pw@live.example/app/KEY", "rtmp://u:pw@live.example/app/KEY", "flv", "rtmp://live.example"),
            ("rtsp://h:8554/x", "rtsp://h:8554/x", "rtsp", "rtsp://h:8554"),
            ("/dev/video2", "/dev/video2", "v4l2", "/dev/video2"),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!((target.url.as_str(), target.format, target.name().as_str()), (url, format, name));
        }
        let sound = Arc::<History>::default();
        for (text, with, without) in [
            ("srt://h:9710", true, false),
            ("rtsp://h/x", true, false),
            ("rtmp://h/x", true, true),
            ("/dev/video2", false, false),
        ] {
            let target = Target::parse(text).unwrap();
            let has = [Some(&sound), None].map(|sound| target.heard(sound).is_some());
            assert_eq!(has, [with, without], "{text}");
        }
        let target = Target::parse("rtmp://live.example/app/KEY").unwrap();
        assert_eq!(target.told("rtmp://live.example/app/KEY: refused"), "rtmp://live.example: refused");
        for wrong in ["", "udp://", "host:5000", "http://x/", "/etc/passwd", "/dev/sda"] {
            assert!(Target::parse(wrong).unwrap_err().contains(&format!("{wrong:?}")), "{wrong}");
        }
    }
}
