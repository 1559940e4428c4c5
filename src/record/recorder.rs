//! Recording a live show: the thread `record` writes, the show never waits.
//!
//! [`FrameSender`] runs inside the frame. It decides by the show's time which frames of the recording are due ([`Pace`]) and
//! queues their pictures; it copies no pixels. When the disk or the encoder is behind, frames are dropped and counted, and
//! the one before is repeated in their place, so that the recording keeps its length. The thread opens the file, fits and
//! pads each picture to the size that the recording began with, and finishes the file after [`Recorder::stop`].

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use half::f16;

use super::codec::{self, Encoder};
use super::framer::Framer;
use super::names::{self, Beside};
use super::pace::Pace;
use super::soundtrack::Soundtrack;
use super::video::{Effort, FFMPEG, VideoError, VideoSettings};
use super::{RecordError, Sink, Summary};
use crate::audio::history::History;
use crate::image::Fit;
use crate::params::Codec;

/// Maximum number of waiting frames.
pub const QUEUE: usize = 6;

/// Longest time in which a picture that stays is not written again.
const LONGEST_SECS: f64 = 0.25;

/// How often the thread looks whether the recording has ended.
pub(super) const LOOK: Duration = Duration::from_millis(50);

/// Said where an EXR sequence has to do with less.
pub const COARSE: &str = "no graphics device draws the pictures: EXR from 8 bits";

/// Sound that is this late in coming is left out.
const SOUND_SECS: f64 = 0.5;

/// Interval at which what was written is forced onto the disk, in case of a power cut.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// A finished picture with its pixels.
pub trait Frame: Send + Sync {
    /// Width and height in pixels.
    fn size(&self) -> [u32; 2];
    /// sRGB-encoded RGBA, 8 bits each, rows from top to bottom.
    fn rgba(&self) -> &[u8];
    /// The same picture in linear light, RGBA; empty if nobody asked for it, or there is none.
    fn light(&self) -> &[f16] {
        &[]
    }
    /// Whether somebody asked for its light.
    fn is_for_light(&self) -> bool {
        false
    }
    /// Increases with each new picture.
    fn serial(&self) -> u64;
}

/// How a picture is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// How it fills a frame of another shape.
    pub fit: Fit,
    /// 1 shows the picture, 0 is black; a factor on linear light.
    pub brightness: f32,
}

/// What to record.
#[derive(Clone, Debug)]
pub struct Order {
    /// A video, or a folder of PNGs; empty for a file called `name` in the player's folder of videos.
    pub file: PathBuf,
    pub name: String,
    pub codec: Codec,
    /// Frames per second.
    pub fps: f64,
    /// Width and height; `None` for those of the output when it begins.
    pub size: Option<[u32; 2]>,
    /// What is heard.
    pub sound: Option<Arc<History>>,
    pub part: Part,
    /// What else is written: names are chosen so that they go together.
    pub beside: Beside,
}

/// Which picture is recorded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// What the audience sees.
    #[default]
    Output,
    /// The network's own, beside the recording of the output.
    Network,
}

impl Order {
    fn out(&self) -> PathBuf {
        if !self.file.as_os_str().is_empty() {
            return self.file.clone();
        }
        let folder = dirs::video_dir().or_else(dirs::home_dir).unwrap_or_default();
        let name: String =
            self.name.chars().map(|c| if c.is_alphanumeric() || " -_".contains(c) { c } else { '-' }).collect();
        let name = if name.trim().is_empty() { "latent-jockey".to_owned() } else { name };
        folder.join(match self.codec {
            Codec::Auto => format!("{name}.mp4"),
            _ => name,
        })
    }
}

/// What the show and the thread share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// The encoder was found: frames may come.
    is_ready: AtomicBool,
    /// Whether it takes linear light; known before it is ready.
    takes_light: AtomicBool,
    is_stopped: AtomicBool,
    /// Frames due, and how many of them repeat the one before for want of a new picture, or were dropped.
    frames: AtomicU64,
    repeated: AtomicU64,
    dropped: AtomicU64,
    /// The name of the recording; its parts are called after it.
    name: OnceLock<PathBuf>,
    /// Size of the file.
    bytes: AtomicU64,
    path: Mutex<PathBuf>,
    /// A line for the player.
    note: Mutex<Option<String>>,
}

impl Shared {
    fn count(&self, counter: fn(&Self) -> &AtomicU64) -> u64 {
        counter(self).load(Ordering::Relaxed)
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }

    pub(super) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Release);
    }

    /// Frames are taken from now on.
    pub(super) fn set_ready(&self) {
        self.is_ready.store(true, Ordering::Release);
    }

    pub(super) fn dropped(&self) -> u64 {
        self.count(|shared| &shared.dropped)
    }
}

/// Both ends of the way of the frames, and what they share: `fps` frames a second, and one at least every `longest_secs`.
/// Pictures older than `from` are not taken.
pub(super) fn frames(fps: f64, longest_secs: f64, from: u64) -> (FrameSender, Receiver<Shot>, Arc<Shared>) {
    let (shots, receiver) = bounded(QUEUE);
    let shared = Arc::<Shared>::default();
    let pace = Pace::new(fps, longest_secs);
    let sender = FrameSender { shots, shared: shared.clone(), pace, from, sent: None, is_over: false };
    (sender, receiver, shared)
}

/// A frame on its way to the thread. **Every item counts.**
pub(super) struct Shot {
    /// In the recording, from 0.
    pub(super) place: u64,
    pub(super) frame: Arc<dyn Frame>,
    pub(super) look: Look,
    /// The output's width and height; 0 for the picture's own.
    output: [u32; 2],
    /// When it was shown.
    pub(super) at: Instant,
}

impl Shot {
    /// Width and height of the output, or of the picture.
    pub(super) fn size(&self) -> [u32; 2] {
        if self.output.contains(&0) { self.frame.size() } else { self.output }
    }
}

/// The show's half: it gets every picture that is shown.
pub struct FrameSender {
    shots: Sender<Shot>,
    shared: Arc<Shared>,
    pace: Pace,
    /// The oldest picture that belongs to the recording.
    from: u64,
    /// What was sent last.
    sent: Option<(u64, Look)>,
    is_over: bool,
}

impl FrameSender {
    /// Whether it takes no more frames: the recording was stopped, or has failed.
    pub fn is_over(&self) -> bool {
        self.is_over || self.shared.is_stopped()
    }

    /// Whether it wants pictures in linear light too.
    pub fn takes_light(&self) -> bool {
        self.shared.takes_light.load(Ordering::Acquire) && !self.is_over()
    }

    /// Whether this picture can begin the recording.
    pub fn is_ready<F: Frame>(&self, frame: &F) -> bool {
        let is_ready = self.shared.is_ready.load(Ordering::Acquire) && frame.serial() >= self.from;
        is_ready && (self.sent.is_some() || !self.takes_light() || frame.is_for_light())
    }

    /// Takes the picture shown in this frame, `dt` seconds after the last one, on an output of that width and height (0 for
    /// the picture's own). Neither waits nor allocates.
    pub fn frame<F: Frame + 'static>(&mut self, dt: f64, look: Look, output: [u32; 2], frame: &Arc<F>) {
        if !self.is_ready(&**frame) || self.is_over() {
            return;
        }
        let seen = (frame.serial(), look);
        let is_new = self.sent != Some(seen);
        let due = self.pace.step(dt, is_new);
        self.shared.frames.store(self.pace.frames(), Ordering::Relaxed);
        self.shared.repeated.store(self.pace.repeated(), Ordering::Relaxed);
        let Some(due) = due else { return };
        match self.shots.try_send(Shot { place: due.place, frame: frame.clone(), look, output, at: Instant::now() }) {
            Ok(()) => self.sent = Some(seen),
            Err(TrySendError::Full(_)) => {
                self.shared.dropped.fetch_add(u64::from(is_new), Ordering::Relaxed);
            }
            Err(TrySendError::Disconnected(_)) => self.is_over = true,
        }
    }
}

/// A running recording. Dropping it ends the recording and waits for the file.
#[derive(Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<Summary, RecordError>>>,
    fps: f64,
}

impl Recorder {
    /// Starts the thread. Pictures older than `from` do not belong to the recording.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(order: Order, from: u64) -> Result<(Self, FrameSender), RecordError> {
        let fps = order.fps;
        let (sender, receiver, shared) = frames(fps, LONGEST_SECS, from);
        let thread = {
            let shared = shared.clone();
            std::thread::Builder::new()
                .name("record".to_owned())
                .spawn(move || run(&order, &receiver, &shared))
                .map_err(|error| RecordError::Thread(error.to_string()))?
        };
        Ok((Recorder { shared, thread: Some(thread), fps }, sender))
    }

    /// Ends the recording. The thread still finishes the file: see [`Recorder::poll`].
    pub fn stop(&self) {
        self.shared.stop();
    }

    /// The name of the recording, once it is chosen.
    pub fn name(&self) -> Option<&Path> {
        self.shared.name.get().map(PathBuf::as_path)
    }

    /// A line for the player: what is written instead of what was asked for.
    pub fn take_note(&self) -> Option<String> {
        self.shared.note.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What became of it, once the file is finished or the thread has given up. Never waits.
    pub fn poll(&mut self) -> Option<Result<Summary, RecordError>> {
        let has_ended = self.thread.as_ref().is_some_and(JoinHandle::is_finished);
        has_ended.then(|| self.end())
    }

    /// Ends the recording and waits for the file.
    ///
    /// # Errors
    /// Why the thread gave up.
    pub fn end(&mut self) -> Result<Summary, RecordError> {
        self.stop();
        let thread = self.thread.take().ok_or_else(|| RecordError::Thread("already ended".to_owned()))?;
        thread.join().unwrap_or_else(|_| Err(RecordError::Thread("panicked".to_owned())))
    }

    /// Appends time, size, dropped frames and name, for the HUD: `1:23  45.6 MB  3 dropped  show.mp4`.
    pub fn write_line(&self, line: &mut String) {
        use std::fmt::Write;
        let secs = (self.shared.count(|shared| &shared.frames) as f64 / self.fps) as u64;
        let megabytes = self.shared.count(|shared| &shared.bytes) as f64 / 1e6;
        let dropped = self.shared.count(|shared| &shared.dropped);
        // Writing to a string cannot fail.
        let _ = write!(line, "{}:{:02}  {megabytes:.1} MB", secs / 60, secs % 60);
        if dropped > 0 {
            let _ = write!(line, "  {dropped} dropped");
        }
        if let Ok(path) = self.shared.path.try_lock()
            && let Some(name) = path.file_name()
        {
            let _ = write!(line, "  {}", Path::new(name).display());
        }
    }

    /// Frames dropped so far because the encoder or the disk was behind.
    pub fn dropped(&self) -> u64 {
        self.shared.dropped()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if self.thread.is_some() {
            // Told as everything else that the show says.
            match self.end() {
                Ok(summary) => tracing::info!(target: "show", "recorded {summary}"),
                Err(error) => tracing::warn!(target: "show", "the recording: {error}"),
            }
        }
    }
}

fn run(order: &Order, shots: &Receiver<Shot>, shared: &Shared) -> Result<Summary, RecordError> {
    // Looking for the encoder takes a moment, in which no frame should be missed.
    let (planned, codec, renamed) = codec::plan(&order.out(), order.codec)?;
    if !codec::is_folder(codec) {
        match Encoder::for_codec(FFMPEG.as_ref(), codec) {
            Ok(_) | Err(VideoError::NoFfmpeg) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // Nothing is written before all parts have their names.
    let name = order.beside.fresh(&planned);
    let out = if order.part == Part::Network && order.beside.network { names::network_of(&name) } else { name.clone() };
    out.clone_into(&mut shared.path.lock().unwrap_or_else(PoisonError::into_inner));
    // Set once: here.
    let _ = shared.name.set(name);
    // The network's own picture has 8 bits.
    let takes_light = codec == Codec::Exr && order.part == Part::Output;
    shared.takes_light.store(takes_light, Ordering::Release);
    shared.set_ready();
    let Some(first) = next(shots, shared) else { return Err(VideoError::NoFrames { path: out }.into()) };
    let size = order.size.unwrap_or_else(|| first.size());
    let sound = order.sound.clone().map(|history| Soundtrack::new(history, order.fps, first.at));
    let settings = VideoSettings {
        width: size[0],
        height: size[1],
        fps: order.fps,
        effort: Effort::Live,
        codec,
        sound: sound.is_some(),
    };
    let (sink, note) = Sink::open_planned(FFMPEG.as_ref(), &out, settings, renamed)?;
    let coarse = match order.part {
        _ if codec != Codec::Exr => None,
        Part::Network => Some("the network's picture has 8 bits: EXR from these".to_owned()),
        Part::Output => first.frame.light().is_empty().then(|| COARSE.to_owned()),
    };
    let notes: Vec<String> = note.into_iter().chain(coarse).collect();
    let note = (!notes.is_empty()).then(|| notes.join("; "));
    *shared.note.lock().unwrap_or_else(PoisonError::into_inner) = note;
    sink.path().clone_into(&mut shared.path.lock().unwrap_or_else(PoisonError::into_inner));
    write(sink, size, sound, first, shots, shared)
}

/// Writes frames until the recording ends.
fn write(
    sink: Sink,
    size: [u32; 2],
    sound: Option<Soundtrack>,
    first: Shot,
    shots: &Receiver<Shot>,
    shared: &Shared,
) -> Result<Summary, RecordError> {
    let path = sink.path().to_owned();
    let done = AtomicBool::new(false);
    let written = std::thread::scope(|scope| {
        let keeper = std::thread::Builder::new().name("record disk".to_owned());
        // Without the thread, a power cut costs a few seconds more.
        let keeper = keeper.spawn_scoped(scope, || keep_on_disk(&path, &shared.bytes, &done)).ok();
        let written = write_frames(sink, size, sound, first, shots, shared);
        done.store(true, Ordering::Relaxed);
        if let Some(keeper) = &keeper {
            keeper.thread().unpark();
        }
        written
    });
    let mut summary = written?;
    let counts = format!(
        "{} repeated, {} dropped",
        shared.count(|shared| &shared.repeated),
        shared.count(|shared| &shared.dropped)
    );
    summary.remark = Some(summary.remark.map_or(counts.clone(), |remark| format!("{counts}; {remark}")));
    Ok(summary)
}

fn write_frames(
    mut sink: Sink,
    size: [u32; 2],
    mut sound: Option<Soundtrack>,
    first: Shot,
    shots: &Receiver<Shot>,
    shared: &Shared,
) -> Result<Summary, RecordError> {
    let mut framer = Framer::new(size, sink.size()).with_light(sink.takes_light());
    let mut shot = first;
    let mut count = 0;
    loop {
        if shot.place > count {
            sink.repeat(shot.place - count, framer.pixels())?;
        }
        framer.take(&shot.frame, shot.look);
        sink.write_pixels(framer.pixels())?;
        count_bytes(&sink, shared);
        count = shot.place + 1;
        if let Some(sound) = &mut sound {
            sound.follow(shot.place, shot.at);
            write_sound(&mut sink, sound, count)?;
        }
        match next(shots, shared) {
            Some(next) => shot = next,
            None => break,
        }
    }
    // The last picture stays until the end.
    let frames = shared.count(|shared| &shared.frames);
    if frames > count {
        sink.repeat(frames - count - 1, framer.pixels())?;
        sink.write_pixels(framer.pixels())?;
        count_bytes(&sink, shared);
    }
    if let Some(sound) = &mut sound {
        write_rest(&mut sink, sound, frames.max(count))?;
    }
    sink.finish()
}

/// For the HUD; a file is measured by [`keep_on_disk`].
fn count_bytes(sink: &Sink, shared: &Shared) {
    if let Sink::Pictures(pictures) = sink {
        shared.bytes.store(pictures.written(), Ordering::Relaxed);
    }
}

/// Writes the sound of the frames before `count` as far as it has been heard.
fn write_sound(sink: &mut Sink, sound: &mut Soundtrack, count: u64) -> Result<(), RecordError> {
    let mut samples = Vec::new();
    while sound.place() < count {
        let (place, is_late) = (sound.place(), sound.is_late(count, SOUND_SECS));
        if !sound.piece(is_late, &mut samples) {
            break;
        }
        sink.write_sound(place, &samples)?;
    }
    Ok(())
}

/// Writes the sound of all frames; the last of it is still on its way.
fn write_rest(sink: &mut Sink, sound: &mut Soundtrack, count: u64) -> Result<(), RecordError> {
    let started = Instant::now();
    while sound.place() < count && started.elapsed().as_secs_f64() < SOUND_SECS {
        write_sound(sink, sound, count)?;
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut samples = Vec::new();
    while sound.place() < count {
        let place = sound.place();
        sound.piece(true, &mut samples);
        sink.write_sound(place, &samples)?;
    }
    Ok(())
}

/// The next frame; `None` at the end of the recording.
pub(super) fn next(shots: &Receiver<Shot>, shared: &Shared) -> Option<Shot> {
    loop {
        match shots.recv_timeout(LOOK) {
            Ok(shot) => return Some(shot),
            Err(RecvTimeoutError::Timeout) if !shared.is_stopped() => {}
            Err(_) => return shots.try_recv().ok(),
        }
    }
}

/// Measures a file, and forces what was written onto the disk.
fn keep_on_disk(path: &Path, bytes: &AtomicU64, done: &AtomicBool) {
    while !done.load(Ordering::Relaxed) {
        let started = Instant::now();
        if let Ok(file) = File::open(path) {
            if let Ok(data) = file.metadata()
                && data.is_file()
            {
                bytes.store(data.len(), Ordering::Relaxed);
            }
            // A folder, or a disk that cannot: nothing is lost by trying.
            let _ = file.sync_data();
        }
        std::thread::park_timeout(SYNC_EVERY.saturating_sub(started.elapsed()).max(LOOK));
    }
}

#[cfg(test)]
mod tests {
    use super::super::test::{LOOK, Still, wait_until};
    use super::*;
    use crate::record::frames::{Kind, PictureFolder};

    fn grey(level: u8, size: [u32; 2]) -> Arc<Still> {
        let rgba = [level, level, level, 255].repeat((size[0] * size[1]) as usize);
        Arc::new(Still { serial: level.into(), size, rgba })
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("latent-jockey-recorder-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        folder
    }

    fn order(file: &Path) -> Order {
        Order {
            file: file.to_owned(),
            name: "x".to_owned(),
            codec: Codec::Auto,
            fps: 10.0,
            size: None,
            sound: None,
            part: Part::Output,
            beside: Beside::default(),
        }
    }

    /// Sends a frame once the thread has taken those before it, so that none is dropped.
    fn send(sender: &mut FrameSender, dt: f64, look: Look, frame: &Arc<Still>) {
        wait_until(|| sender.shared.is_ready.load(Ordering::Acquire) && sender.shots.len() < QUEUE);
        sender.frame(dt, look, [0; 2], frame);
    }

    fn levels(folder: &Path) -> Vec<u8> {
        let level = |n: u32| {
            let picture = image::open(folder.join(format!("frame_{n:06}.png"))).ok()?.into_rgb8();
            assert_eq!(picture.dimensions(), (2, 2));
            Some(picture.into_raw()[0])
        };
        (1..).map_while(level).collect()
    }

    #[test]
    fn frames_come_at_a_constant_rate() {
        let folder = folder("rate");
        let (mut recorder, mut sender) = Recorder::start(order(&folder), 10).unwrap();
        let size = [2, 2];
        // One from before the recording; then 10 frames a second: a hitch, one too early for a frame, one that stays, and
        // one of another size.
        for (dt, level, size) in [
            (0.1, 9, size),
            (5.0, 10, size),
            (0.1, 20, size),
            (0.3, 30, size),
            (0.01, 40, size),
            (0.09, 50, size),
            (0.1, 50, size),
            (0.1, 60, [4, 4]),
            (0.1, 60, [4, 4]),
        ] {
            send(&mut sender, dt, LOOK, &grey(level, size));
        }
        let summary = recorder.end().unwrap();
        assert_eq!(levels(&folder), [10, 20, 20, 20, 30, 50, 50, 60, 60]);
        let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().metadata().unwrap().len());
        assert_eq!(recorder.shared.count(|shared| &shared.bytes), files.sum::<u64>());
        assert_eq!((summary.frames, summary.remark.as_deref()), (9, Some("4 repeated, 0 dropped")));
        let mut after = sender.sent;
        sender.frame(1.0, LOOK, [0; 2], &grey(70, size));
        assert!(sender.is_over() && std::mem::take(&mut after) == sender.sent, "it takes no more");
        // Nothing is overwritten.
        let (mut recorder, mut sender) = Recorder::start(order(&folder), 0).unwrap();
        let dark = Look { brightness: 0.5, ..LOOK };
        send(&mut sender, 0.1, dark, &grey(255, size));
        let second = folder.with_file_name(format!("{}-2", folder.file_name().unwrap().display()));
        assert_eq!(recorder.end().unwrap().path, second);
        assert_eq!(levels(&second), [188]);
        std::fs::remove_dir_all(folder).unwrap();
        std::fs::remove_dir_all(second).unwrap();
    }

    #[test]
    fn the_show_never_waits_and_drops_are_counted() {
        let (shots, receiver) = bounded(QUEUE);
        let shared = Arc::new(Shared { is_ready: AtomicBool::new(true), ..Shared::default() });
        let pace = Pace::new(10.0, LONGEST_SECS);
        let mut sender = FrameSender { shots, shared: shared.clone(), pace, from: 0, sent: None, is_over: false };
        // Nobody takes a frame.
        for level in 0..10 {
            sender.frame(0.1, LOOK, [0; 2], &grey(level, [2, 2]));
        }
        assert_eq!(shared.count(|shared| &shared.dropped), 10 - QUEUE as u64);
        shared.is_stopped.store(true, Ordering::Release);
        let folder = folder("drops");
        let sink = Sink::Pictures(PictureFolder::create(&folder, Kind::Png, 2, 2).unwrap().0);
        let first = next(&receiver, &shared).unwrap();
        let summary = write(sink, [2, 2], None, first, &receiver, &shared).unwrap();
        assert_eq!(levels(&folder), [0, 1, 2, 3, 4, 5, 5, 5, 5, 5], "it keeps its length");
        assert_eq!(summary.remark.as_deref(), Some("0 repeated, 4 dropped"));
        sender.is_over = false;
        shared.is_stopped.store(false, Ordering::Release);
        drop(receiver);
        sender.frame(0.1, LOOK, [0; 2], &grey(99, [2, 2]));
        assert!(sender.is_over(), "nobody is there any more");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_failure_is_one_line_and_ends_the_recording() {
        let file = folder("in-the-way");
        std::fs::write(&file, "").unwrap();
        let inside = file.join("x.mkv");
        let (mut recorder, mut sender) = Recorder::start(order(&inside), 0).unwrap();
        let mut ended = None;
        wait_until(|| {
            sender.frame(0.1, LOOK, [0; 2], &grey(1, [64, 64]));
            ended = recorder.poll();
            ended.is_some()
        });
        let error = ended.unwrap().unwrap_err().to_string();
        assert!(error.contains(&inside.display().to_string()) && error.lines().count() == 1, "{error}");
        sender.frame(1.0, LOOK, [0; 2], &grey(2, [64, 64]));
        assert!(sender.is_over());
        assert!(recorder.poll().is_none() && recorder.end().is_err(), "told once");
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn the_hud_shows_time_size_and_drops() {
        let (recorder, sender) = Recorder::start(order(Path::new("/nowhere/x.mkv")), 0).unwrap();
        let shared = &recorder.shared;
        shared.frames.store(833, Ordering::Relaxed);
        shared.bytes.store(45_600_000, Ordering::Relaxed);
        let line = || {
            let mut line = String::new();
            recorder.write_line(&mut line);
            line
        };
        // Its thread names the file.
        wait_until(|| line().ends_with("x.mkv"));
        assert_eq!(line(), "1:23  45.6 MB  x.mkv");
        shared.dropped.store(3, Ordering::Relaxed);
        *shared.path.lock().unwrap() = "/a/show.mp4".into();
        assert_eq!(line(), "1:23  45.6 MB  3 dropped  show.mp4");
        drop(sender);
    }
}
