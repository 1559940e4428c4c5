//! Pictures for other programs while the show plays: NDI over the network, Spout on Windows, Syphon on macOS.
//!
//! Each share has a thread of its own, `share`, which opens a [`Sender`] and gives it the newest picture. **Newest frame wins**:
//! what the thread had no time for is replaced and counted; the show never waits. While nobody receives, no pictures are asked
//! for. A failure is one line: a share that cannot begin ends, and one that is lost is tried again.

mod ndi;
mod spout;
mod syphon;

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::RecordError;
use super::framer::Framer;
use super::pace::Pace;
use super::recorder::{Frame, LOOK, Look};
use crate::thread::Slot;

/// What receivers call us if nothing else is asked for.
pub const NAME: &str = "Latent Jockey";

/// Longest name in bytes: Spout has room for 256, with a number behind the name.
const LONGEST_NAME: usize = 200;

/// Longest time in which a picture that stays is not sent again: who begins to receive sees it soon.
const LONGEST_SECS: f64 = 0.25;

/// The pauses before a share that was lost is tried again: the first and the longest; each is twice the one before.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// How long a library may take to take a picture when the share ends.
const GOODBYE: Duration = Duration::from_secs(2);

/// How pictures reach the other program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Ndi,
    Spout,
    Syphon,
}

impl Way {
    pub const ALL: [Way; 3] = [Way::Ndi, Way::Spout, Way::Syphon];

    /// As it is written in an address.
    pub fn word(self) -> &'static str {
        match self {
            Way::Ndi => "ndi",
            Way::Spout => "spout",
            Way::Syphon => "syphon",
        }
    }

    /// What is there to send with.
    ///
    /// # Errors
    /// One line, if nothing is: what was looked for, and where to get it.
    pub fn available(self) -> Result<String, String> {
        match self {
            Way::Ndi => ndi::available(&ndi::places()),
            #[cfg(windows)]
            Way::Spout => spout::available(),
            #[cfg(not(windows))]
            Way::Spout => Err("Windows only".to_owned()),
            #[cfg(target_os = "macos")]
            Way::Syphon => syphon::available(),
            #[cfg(not(target_os = "macos"))]
            Way::Syphon => Err("macOS only".to_owned()),
        }
    }

    /// Begins to send by this way.
    fn open(self, name: &str) -> Result<Box<dyn Sender>, String> {
        match self {
            Way::Ndi => Ok(Box::new(ndi::Sender::open(&ndi::places(), name)?)),
            #[cfg(windows)]
            Way::Spout => Ok(Box::new(spout::Sender::open(name)?)),
            #[cfg(target_os = "macos")]
            Way::Syphon => Ok(Box::new(syphon::Sender::open(name)?)),
            other => Err(other.available().err().unwrap_or_default()),
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Way::Ndi => "NDI",
            Way::Spout => "Spout",
            Way::Syphon => "Syphon",
        })
    }
}

/// Where pictures go. Displayed as it is written: `ndi:Stage`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    way: Way,
    name: String,
}

impl Target {
    /// All that a text names: `ndi, spout:Stage left`. Nothing for an empty text.
    ///
    /// # Errors
    /// One line, if one of them is none.
    pub fn parse_all(text: &str) -> Result<Vec<Self>, String> {
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        let mut targets = Vec::new();
        for word in words {
            let target = Target::parse(word)?;
            if targets.contains(&target) {
                return Err(format!("shares have different names; got {target} twice"));
            }
            targets.push(target);
        }
        Ok(targets)
    }

    /// How its pictures go.
    pub fn way(&self) -> Way {
        self.way
    }

    fn parse(word: &str) -> Result<Self, String> {
        let (way, name) = word.split_once(':').unwrap_or((word, ""));
        let way = Way::ALL.into_iter().find(|known| known.word().eq_ignore_ascii_case(way.trim()));
        let way = way.ok_or_else(|| {
            format!(
                "pictures are shared by ndi, spout or syphon, each with a name if you like (ndi:NAME); got {word:?}"
            )
        })?;
        let name = if name.trim().is_empty() { NAME } else { name.trim() };
        if name.len() > LONGEST_NAME || name.contains(char::is_control) {
            return Err(format!("the name of a share has {LONGEST_NAME} bytes at most, on one line; got {name:?}"));
        }
        if way == Way::Spout && !name.is_ascii() {
            return Err(format!("a Spout name has letters without accents; got {name:?}"));
        }
        Ok(Target { way, name: name.to_owned() })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.way.word(), self.name)
    }
}

/// Sends pictures to other programs. Lives on the thread `share` and may take its time.
trait Sender {
    /// Its name as receivers list it.
    fn name(&self) -> &str;

    /// How many receive it; `None` where that cannot be told.
    fn receivers(&mut self) -> Option<u32>;

    /// The size at which it takes a picture of that width and height: a pixel larger where it takes no odd sizes.
    fn fitting(&self, size: [u32; 2]) -> [u32; 2] {
        size
    }

    /// Sends a picture of a size that is [fitting](Self::fitting).
    ///
    /// # Errors
    /// One line, when the way is lost: it is opened again then.
    fn send(&mut self, picture: &Pixels) -> Result<(), String>;
}

/// A picture for a [`Sender`].
struct Pixels<'a> {
    /// Width and height.
    size: [u32; 2],
    /// sRGB-encoded RGBA, 8 bits each, rows from top to bottom. Alpha means nothing.
    rgba: &'a [u8],
    /// How many there are in a second, at most.
    fps: f64,
}

/// A picture on its way to the thread.
struct Shot {
    frame: Arc<dyn Frame>,
    look: Look,
    /// Width and height of the output.
    size: [u32; 2],
}

/// What the show and the thread share. **Latest value wins.**
#[derive(Default)]
struct Shared {
    newest: Slot<Option<Shot>>,
    /// Whether somebody receives.
    is_wanted: AtomicBool,
    /// Pictures a second, as bits.
    fps: AtomicU64,
    /// `u32::MAX` where it cannot be told.
    receivers: AtomicU32,
    dropped: AtomicU64,
    /// A line for the player.
    note: Mutex<Option<String>>,
}

impl Shared {
    fn fps(&self) -> f64 {
        f64::from_bits(self.fps.load(Ordering::Relaxed))
    }

    fn say(&self, line: String) {
        *self.note.lock().unwrap_or_else(PoisonError::into_inner) = Some(line);
    }
}

/// The show's half: it gets every picture that is shown.
pub struct ShareTap {
    shared: Arc<Shared>,
    /// For that many pictures a second.
    pace: (f64, Pace),
    /// The oldest picture that belongs to the share.
    from: u64,
    /// What was sent last.
    sent: Option<(u64, Look)>,
}

impl ShareTap {
    /// Whether somebody receives.
    pub fn wants(&self) -> bool {
        self.shared.is_wanted.load(Ordering::Relaxed)
    }

    /// Whether the share has ended.
    pub fn is_over(&self) -> bool {
        self.shared.newest.closed()
    }

    /// Takes the picture shown in this frame, `dt` seconds after the last one, on an output of that width and height (0 for
    /// the picture's own). Neither waits nor allocates.
    pub fn frame<F: Frame + 'static>(&mut self, dt: f64, look: Look, output: [u32; 2], frame: &Arc<F>) {
        if frame.serial() < self.from {
            return;
        }
        let (seen, fps) = ((frame.serial(), look), self.shared.fps());
        if self.pace.0 != fps {
            self.pace = (fps, Pace::new(fps, LONGEST_SECS));
        }
        if self.pace.1.step(dt, self.sent != Some(seen)).is_none() {
            return;
        }
        let size = if output.contains(&0) { frame.size() } else { output };
        let was_waiting = self.shared.newest.put(&mut Some(Shot { frame: frame.clone(), look, size }));
        self.shared.dropped.fetch_add(was_waiting.into(), Ordering::Relaxed);
        self.sent = Some(seen);
    }
}

/// Pictures that are being shared. Dropping it ends the share.
pub struct Share {
    target: Target,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Share {
    /// Starts the thread: at most `fps` pictures a second, none older than `from`. It begins once `before` has ended.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(target: Target, fps: f64, from: u64, before: Option<Share>) -> Result<(Self, ShareTap), RecordError> {
        let (way, name) = (target.way, target.name.clone());
        Share::start_by(target, fps, from, before, move || way.open(&name))
    }

    fn start_by(
        target: Target,
        fps: f64,
        from: u64,
        before: Option<Share>,
        open: impl Fn() -> Result<Box<dyn Sender>, String> + Send + 'static,
    ) -> Result<(Self, ShareTap), RecordError> {
        let shared = Arc::new(Shared { fps: fps.to_bits().into(), ..Shared::default() });
        let thread = {
            let (shared, target) = (shared.clone(), target.clone());
            std::thread::Builder::new()
                .name("share".to_owned())
                .spawn(move || {
                    drop(before);
                    run(&target, &shared, &open);
                    shared.newest.close();
                })
                .map_err(|error| RecordError::Thread(error.to_string()))?
        };
        let pace = (fps, Pace::new(fps, LONGEST_SECS));
        let tap = ShareTap { shared: shared.clone(), pace, from, sent: None };
        Ok((Share { target, shared, thread: Some(thread) }, tap))
    }

    pub fn target(&self) -> &Target {
        &self.target
    }

    /// A line for the player: that it has begun, is lost, or cannot begin.
    pub fn take_note(&self) -> Option<String> {
        self.shared.note.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether the thread has given up or has ended.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// At most that many pictures a second from now on.
    pub fn set_fps(&self, fps: f64) {
        self.shared.fps.store(fps.to_bits(), Ordering::Relaxed);
    }

    /// Ends it without waiting.
    pub fn stop(&self) {
        self.shared.newest.close();
    }

    /// Where it goes, who receives, and what was dropped: `ndi:Stage (2 receive)  3 dropped`.
    pub fn line(&self) -> String {
        let receivers = match self.shared.receivers.load(Ordering::Relaxed) {
            u32::MAX => String::new(),
            0 => " (nobody receives)".to_owned(),
            1 => " (1 receives)".to_owned(),
            count => format!(" ({count} receive)"),
        };
        let dropped = self.shared.dropped.load(Ordering::Relaxed);
        let dropped = if dropped > 0 { format!("  {dropped} dropped") } else { String::new() };
        format!("{}{receivers}{dropped}", self.target)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.stop();
        let Some(thread) = self.thread.take() else { return };
        let started = Instant::now();
        while !thread.is_finished() {
            if started.elapsed() > GOODBYE {
                // A library that hangs must not hold up the show; the thread ends with the program.
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // A thread that panicked has ended as well.
        let _ = thread.join();
    }
}

/// Opens the way and sends, again and again until the end.
fn run(target: &Target, shared: &Shared, open: &dyn Fn() -> Result<Box<dyn Sender>, String>) {
    let Target { way, .. } = target;
    let mut sender = match open() {
        Ok(sender) => sender,
        Err(line) => return shared.say(format!("no pictures by {way}: {line}")),
    };
    shared.say(format!("sharing by {way} as {:?}", sender.name()));
    let mut pause = PAUSES[0];
    while let Err(line) = send(&mut *sender, shared, &mut pause) {
        drop(sender);
        shared.is_wanted.store(false, Ordering::Relaxed);
        shared.receivers.store(0, Ordering::Relaxed);
        shared.say(format!("sharing by {way} is lost: {line}; trying again"));
        sender = loop {
            if !rest(shared, pause) {
                return;
            }
            pause = (pause * 2).min(PAUSES[1]);
            if let Ok(sender) = open() {
                break sender;
            }
        };
        shared.say(format!("sharing by {way} is back, as {:?}", sender.name()));
    }
}

/// Sends the newest picture until the end of the share.
fn send(sender: &mut dyn Sender, shared: &Shared, pause: &mut Duration) -> Result<(), String> {
    let mut framer: Option<Framer> = None;
    let (mut shot, mut is_first) = (None, true);
    while !shared.newest.closed() {
        let receivers = sender.receivers();
        shared.receivers.store(receivers.unwrap_or(u32::MAX), Ordering::Relaxed);
        // The first picture is sent in any case, so that there is one when somebody comes.
        shared.is_wanted.store(is_first || receivers != Some(0), Ordering::Relaxed);
        if !shared.newest.wait(&mut shot, LOOK) {
            continue;
        }
        let Some(Shot { frame, look, size }) = shot.take() else { continue };
        let framer = match &mut framer {
            Some(framer) if framer.size() == size => framer,
            other => other.insert(Framer::new(size, sender.fitting(size))),
        };
        framer.take(&frame, look);
        sender.send(&Pixels { size: framer.padded(), rgba: framer.bytes(), fps: shared.fps() })?;
        (is_first, *pause) = (false, PAUSES[0]);
    }
    Ok(())
}

/// Waits. `false` at the end of the share.
fn rest(shared: &Shared, pause: Duration) -> bool {
    let end = Instant::now() + pause;
    while Instant::now() < end && !shared.newest.closed() {
        // Nothing comes meanwhile: nobody asks for pictures.
        std::thread::sleep(LOOK.min(pause));
    }
    !shared.newest.closed()
}

/// `path`s for a line.
fn listed(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Blue, green, red and full alpha of RGBA.
#[cfg_attr(not(any(windows, target_os = "macos")), allow(dead_code, reason = "for Spout and Syphon"))]
fn push_bgra(rgba: &[u8], out: &mut Vec<u8>) {
    out.extend(rgba.as_chunks::<4>().0.iter().flat_map(|&[red, green, blue, _]| [blue, green, red, 255]));
}

#[cfg(test)]
mod tests;
