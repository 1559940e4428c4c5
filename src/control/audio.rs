//! Sound as an input: what the thread `audio` hears becomes signals, `audio.bass` and so on.
//!
//! [`AudioIn`] is the live device: a source of sound, or a track played as if it were live. [`Playback`] reads a track in
//! step with the frames of a render. Both send the same signals for the same samples.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::osc::feeds;
use super::{Counts, Device, DeviceStatus, Event, EventSender, Lane, Listener, Snapshot};
use crate::audio::history::History;
use crate::audio::listen::{Ear, Input, Listening};
use crate::audio::offset::Offset;
use crate::audio::outputs::{COUNT, OUTPUTS, Outputs, Values};
use crate::audio::track::TrackError;
use crate::audio::{Analysis, Features, Gain, HOP, HOP_SECS, RATE, Track};
use crate::modulate::{SignalId, Signals};
use crate::params::Id;

/// The signals of all outputs.
#[derive(Clone, Copy, Debug)]
pub struct AudioSignals {
    /// `None` when the process has too many signals.
    ids: [Option<SignalId>; COUNT],
}

impl Default for AudioSignals {
    fn default() -> Self {
        AudioSignals { ids: OUTPUTS.map(|output| SignalId::intern(output.signal)) }
    }
}

impl AudioSignals {
    /// Calls `send` for every value that differs from the last ones.
    fn changes(&self, last: &mut Values, new: &Values, mut send: impl FnMut(Event)) {
        for ((id, last), &value) in self.ids.iter().zip(last).zip(new) {
            if *last != value {
                *last = value;
                if let Some(id) = *id {
                    send(Event::Signal { id, value });
                }
            }
        }
    }

    /// The newest value of each output, 0 to 1.
    pub fn read(&self, signals: &Signals) -> feeds::Heard {
        // As fine as anyone can see, so that fewer messages are sent.
        let rounded = |id: SignalId| ((signals.get(id) * 1000.0).round() / 1000.0) as f32;
        feeds::Heard(self.ids.map(|id| id.map_or(0.0, rounded)))
    }
}

/// What the HUD shows.
#[derive(Clone, Debug)]
struct Heard {
    source: Option<String>,
    values: Values,
    bpm: f64,
    confidence: f64,
    rms: f64,
}

impl Default for Heard {
    fn default() -> Self {
        Heard { source: None, values: [0.0; COUNT], bpm: 0.0, confidence: 0.0, rms: 0.0 }
    }
}

/// Sound that plays the show. Dropping it closes the source.
pub struct AudioIn {
    heard: Arc<Mutex<Heard>>,
    counts: Arc<Counts>,
    /// Milliseconds by which the show hears earlier.
    offset: Arc<AtomicI32>,
    listening: Listening,
}

impl AudioIn {
    /// Starts listening. What is not there yet is waited for.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn start(input: Input, gain: Gain, events: EventSender, counts: Arc<Counts>) -> io::Result<Self> {
        let heard = Arc::<Mutex<Heard>>::default();
        let offset = Arc::<AtomicI32>::default();
        let ear = Hearing {
            analysis: Analysis::new(gain),
            outputs: Outputs::default(),
            is_track: matches!(input, Input::Track { .. }),
            offset: offset.clone(),
            moved: Offset::default(),
            sender: Sender {
                heard: heard.clone(),
                counts: counts.clone(),
                events: events.on(Lane::Audio),
                signals: AudioSignals::default(),
                sent: [0.0; COUNT],
            },
        };
        Ok(AudioIn { heard, counts, offset, listening: Listening::start("audio", input, None, ear)? })
    }

    /// What has been heard lately.
    pub fn history(&self) -> &Arc<History> {
        self.listening.history()
    }
}

impl Device for AudioIn {
    /// With small meters: `▂▅▇▃ 128.0 bpm -18 dB song.flac`.
    fn status(&self) -> DeviceStatus {
        let heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let open = heard.source.as_ref().map(|source| format!("{} {source}", meters(&heard)));
        DeviceStatus::new("audio", open.into_iter().collect(), &self.counts)
    }

    fn listener(&mut self) -> Option<Box<dyn Listener>> {
        Some(Box::new(OffsetTeller(self.offset.clone())))
    }
}

/// Tells the thread what `/audio/offset` says.
struct OffsetTeller(Arc<AtomicI32>);

impl Listener for OffsetTeller {
    fn publish(&mut self, snapshot: &Snapshot, _: f64) {
        self.0.store(snapshot.params.get(Id::AudioOffset).round() as i32, Ordering::Relaxed);
    }
}

/// Level, bass, mid and high as bars, the tempo if it is certain, and the loudness.
fn meters(heard: &Heard) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let bar = |level: &f64| BARS[((level * 8.0) as usize).min(7)];
    let mut line: String = heard.values[..4].iter().map(bar).collect();
    if heard.confidence >= crate::audio::beat::CONFIDENT {
        line += &format!(" {:.1} bpm", heard.bpm);
    }
    if heard.rms > 0.0 { line + &format!(" {:.0} dB", 20.0 * heard.rms.log10()) } else { line + " silent" }
}

/// Analyses samples, for the show.
struct Hearing {
    analysis: Analysis,
    outputs: Outputs,
    /// A track can be heard before it sounds.
    is_track: bool,
    offset: Arc<AtomicI32>,
    moved: Offset,
    sender: Sender,
}

impl Hearing {
    fn offset_ms(&self) -> f64 {
        f64::from(self.offset.load(Ordering::Relaxed))
    }
}

impl Ear for Hearing {
    fn feed(&mut self, samples: &[f32]) {
        let ms = self.offset_ms();
        let ms = if self.is_track { ms.min(0.0) } else { ms };
        let Hearing { analysis, outputs, moved, sender, .. } = self;
        analysis.feed(samples, |features| {
            let values = outputs.hop(features);
            sender.hear(&moved.hop(&values, ms), &values, features);
        });
    }

    fn begin(&mut self) {
        self.analysis.reopen();
    }

    fn is_deaf(&self) -> bool {
        self.analysis.features().no_signal
    }

    fn lead(&self) -> u64 {
        if self.is_track { (self.offset_ms().max(0.0) / 1e3 * f64::from(RATE)) as u64 } else { 0 }
    }

    fn say(&mut self, line: String) {
        self.sender.events.send(Event::Notice(line), &self.sender.counts);
    }

    fn fail(&mut self, line: String) {
        self.sender.events.send(Event::Fault { of: "audio".to_owned(), line }, &self.sender.counts);
    }

    fn mended(&mut self) {
        self.sender.events.send(Event::Mended { of: "audio".to_owned() }, &self.sender.counts);
    }

    fn open(&mut self, source: Option<&str>) {
        self.sender.heard.lock().unwrap_or_else(PoisonError::into_inner).source = source.map(str::to_owned);
    }

    fn lost(&mut self, samples: u64) {
        if samples > 0 {
            Counts::add(&self.sender.counts.dropped);
        }
    }
}

/// Sends what is heard to the show.
struct Sender {
    heard: Arc<Mutex<Heard>>,
    counts: Arc<Counts>,
    events: EventSender,
    signals: AudioSignals,
    /// The values that were sent last.
    sent: Values,
}

impl Sender {
    /// `moved` are the values for the show, `values` those of this moment, for the meters.
    fn hear(&mut self, moved: &Values, values: &Values, features: &Features) {
        let mut has_changed = false;
        self.signals.changes(&mut self.sent, moved, |event| {
            has_changed = true;
            self.events.send(event, &self.counts);
        });
        if has_changed {
            Counts::add(&self.counts.received);
        }
        // Never waits for the HUD.
        if let Ok(mut heard) = self.heard.try_lock() {
            heard.values = *values;
            (heard.bpm, heard.confidence, heard.rms) = (features.bpm, features.confidence, features.rms);
        }
    }
}

/// A track in step with frames. A function of the frames' times: the same track gives the same events.
pub struct Playback {
    track: Track,
    analysis: Analysis,
    outputs: Outputs,
    signals: AudioSignals,
    /// The values of the last frame, and of the newest hop.
    sent: Values,
    values: Values,
    /// Samples that were read and not analysed yet.
    samples: Vec<f32>,
    next: usize,
    hops: u64,
    events: Vec<Event>,
}

impl Playback {
    /// # Errors
    /// When the track cannot be read.
    pub fn open(path: &Path, gain: Gain) -> Result<Self, TrackError> {
        Ok(Playback {
            track: Track::open(path)?,
            analysis: Analysis::new(gain),
            outputs: Outputs::default(),
            signals: AudioSignals::default(),
            sent: [0.0; COUNT],
            values: [0.0; COUNT],
            samples: Vec::new(),
            next: 0,
            hops: 0,
            events: Vec::with_capacity(COUNT),
        })
    }

    /// Seconds of the track, if the file says so.
    pub fn secs(&self) -> Option<f64> {
        self.track.secs()
    }

    /// The events of the frame at `secs`, later than the last: from the last hop that has ended by then. Behind its end a
    /// track is silent.
    ///
    /// # Errors
    /// When the track cannot be read on.
    pub fn advance(&mut self, secs: f64) -> Result<&[Event], TrackError> {
        // A frame at the very end of a hop has heard it.
        let due = (secs / HOP_SECS + 1e-6) as u64;
        while self.hops < due {
            if self.next == self.samples.len() {
                self.samples.clear();
                self.next = 0;
                if !self.track.read(&mut self.samples)? {
                    self.samples.resize(HOP, 0.0);
                }
            }
            let left = usize::try_from(due - self.hops).unwrap_or(usize::MAX).saturating_mul(HOP);
            // No hop is analysed before its time.
            let wanted = (left - self.analysis.waiting()).min(self.samples.len() - self.next);
            let (analysis, outputs) = (&mut self.analysis, &mut self.outputs);
            let (hops, values) = (&mut self.hops, &mut self.values);
            analysis.feed(&self.samples[self.next..self.next + wanted], |features| {
                *values = outputs.hop(features);
                *hops += 1;
            });
            self.next += wanted;
        }
        self.events.clear();
        let events = &mut self.events;
        self.signals.changes(&mut self.sent, &self.values, |event| events.push(event));
        Ok(&self.events)
    }
}
