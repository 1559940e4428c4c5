//! Captions for the picture that plays: `/caption/seen`, while somebody shows it, has no words of their own, and sees more of the
//! network than of the input.
//!
//! [`Watch`] decides in each frame whether it is time to look; [`Looker`] gets the network's picture then, and hands it over
//! without waiting. Live the thread `captions` puts it into words, at the lowest priority, and sends an event like any device:
//! a take has it. Offline that is done between two frames.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender, bounded};
use image::RgbImage;

use super::Captioner;
use crate::control::{Counts, Event, EventSender, Listener, Snapshot, Source, Write};
use crate::params::{Id, Params, Value};
use crate::process::become_idle_thread;
use crate::show::{Picture, Shown, Tap, input_is_seen};

/// Whether a picture is wanted: shared by what decides and what gets it.
type Wanted = Arc<AtomicBool>;

/// Decides when to look.
pub struct Watch {
    wanted: Wanted,
    /// Seconds until the next look.
    left: f64,
}

impl Watch {
    /// `dt` seconds later.
    pub fn step(&mut self, params: &Params, dt: f64) {
        let has_other_words = !params.text(Id::CaptionWords).trim().is_empty() || input_is_seen(params);
        let is_on = params.bool(Id::CaptionShow) && !has_other_words;
        self.left = if is_on { self.left - dt } else { 0.0 };
        if is_on && self.left <= 0.0 {
            self.left += params.get(Id::CaptionEvery).max(self.left.abs());
            self.wanted.store(true, Ordering::Release);
        } else if !is_on {
            self.wanted.store(false, Ordering::Release);
        }
    }
}

impl Listener for Watch {
    fn publish(&mut self, snapshot: &Snapshot, dt: f64) {
        self.step(snapshot.params, dt);
    }
}

/// Gets the picture that is looked at. **Latest value wins**: while one is being put into words, the next waits its turn.
pub struct Looker {
    wanted: Wanted,
    pictures: Sender<Arc<Picture>>,
}

impl Tap for Looker {
    fn wants(&self) -> bool {
        false
    }

    fn picture(&mut self, _: &Shown) {}

    fn wants_clean(&self) -> bool {
        self.wanted.load(Ordering::Acquire)
    }

    fn clean(&mut self, picture: &Arc<Picture>, _: f64) {
        if self.wanted.swap(false, Ordering::AcqRel) {
            // If the last one is not done, this one is left out.
            let _ = self.pictures.try_send(picture.clone());
        }
    }
}

fn parts() -> (Watch, Looker, Receiver<Arc<Picture>>) {
    let wanted = Wanted::default();
    let (pictures, received) = bounded(1);
    (Watch { wanted: wanted.clone(), left: 0.0 }, Looker { wanted, pictures }, received)
}

/// Puts pictures into words for a live show, until both halves are dropped.
///
/// # Errors
/// When the system refuses the thread.
pub fn start(events: EventSender, yields: bool) -> std::io::Result<(Watch, Looker)> {
    let (watch, looker, pictures) = parts();
    let speak = move || {
        if yields {
            become_idle_thread();
        }
        let (mut speaker, counts) = (Speaker::default(), Counts::default());
        while let Ok(picture) = pictures.recv() {
            if let Some(event) = speaker.speak(&picture) {
                events.send(event, &counts);
            }
        }
    };
    std::thread::Builder::new().name("captions".to_owned()).spawn(speak)?;
    Ok((watch, looker))
}

/// Puts pictures into words for an offline show.
pub struct Offline {
    watch: Watch,
    pictures: Receiver<Arc<Picture>>,
    speaker: Speaker,
}

impl Offline {
    /// With what the show gives its pictures to.
    pub fn new() -> (Offline, Looker) {
        let (watch, looker, pictures) = parts();
        (Offline { watch, pictures, speaker: Speaker::default() }, looker)
    }

    /// What enters the next frame, `dt` seconds after the last.
    pub fn event(&mut self, params: &Params, dt: f64) -> Option<Event> {
        self.watch.step(params, dt);
        let picture = self.pictures.try_recv().ok()?;
        self.speaker.speak(&picture)
    }
}

/// Opens the captioner when there is something to look at.
#[derive(Default)]
struct Speaker {
    captioner: Option<Captioner>,
    /// The last words, or the line that said that there are none.
    last: String,
}

impl Speaker {
    /// What the picture shows, if that is news.
    fn speak(&mut self, picture: &Picture) -> Option<Event> {
        let captioner = match &mut self.captioner {
            Some(captioner) => captioner,
            none => match Captioner::open(None) {
                Ok(captioner) => none.insert(captioner),
                Err(error) => {
                    let line = format!("/caption/show: {error}; /caption/words shows your own words");
                    return self.news(line).map(Event::Notice);
                }
            },
        };
        let rgb: Vec<u8> = picture.rgba.as_chunks::<4>().0.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect();
        let picture = RgbImage::from_raw(picture.width, picture.height, rgb)?;
        let caption = captioner.caption(&picture);
        let mark = if caption.is_guess() { "?" } else { "" };
        let words = self.news(format!("{}{mark}", caption.text))?;
        Some(Event::Write(Write { target: Id::CaptionSeen.into(), value: Value::Text(words), source: Source::Key }))
    }

    fn news(&mut self, line: String) -> Option<String> {
        if self.last == line {
            return None;
        }
        self.last.clone_from(&line);
        Some(line)
    }
}
