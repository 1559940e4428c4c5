//! Plays a track aloud, through the system's default sound output, so that one hears what the instrument hears.
//!
//! The output's callback takes samples from a ring and counts them: that count is the clock of the track while it sounds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{Device, Error, FromSample, SampleFormat, SizedSample, Stream, StreamConfig, SupportedStreamConfig};
use crossbeam_channel::{Receiver, Sender, bounded};
use rtrb::{Consumer, Producer, RingBuffer};

use super::RATE;
use super::capture::{is_over, reason};
use super::sources::{hosts, quietly};

/// Samples that wait for the output: a fifth of a second.
const RING: usize = RATE as usize / 5;

/// An open output. Dropping it closes the output.
pub struct Aloud {
    _stream: Stream,
    ring: Producer<[f32; 2]>,
    played: Arc<AtomicU64>,
    failures: Receiver<Error>,
}

impl Aloud {
    /// Opens the default output of the first sound system that has one.
    ///
    /// # Errors
    /// One line, if this machine has none that can be opened.
    pub fn open() -> Result<Self, String> {
        quietly();
        let mut why = "this machine has no sound output".to_owned();
        for host in hosts() {
            let Some(device) = cpal::host_from_id(host).ok().and_then(|host| host.default_output_device()) else {
                continue;
            };
            // ALSA lists an output even where there is none.
            let Ok(config) = config(&device) else { continue };
            match Aloud::start(&device, &config) {
                Ok(aloud) => return Ok(aloud),
                Err(error) => why = format!("the sound output {device}: {}", reason(&error)),
            }
        }
        Err(why)
    }

    fn start(device: &Device, config: &SupportedStreamConfig) -> Result<Self, Error> {
        let (ring, waiting) = RingBuffer::new(RING);
        let played = Arc::<AtomicU64>::default();
        let (report, failures) = bounded(4);
        let output = Output { config: config.config(), waiting, played: played.clone(), report };
        let stream = match config.sample_format() {
            SampleFormat::I16 => output.build::<i16>(device),
            SampleFormat::I32 => output.build::<i32>(device),
            SampleFormat::U8 => output.build::<u8>(device),
            SampleFormat::U16 => output.build::<u16>(device),
            SampleFormat::F64 => output.build::<f64>(device),
            _ => output.build::<f32>(device),
        }?;
        stream.play()?;
        Ok(Aloud { _stream: stream, ring, played, failures })
    }

    /// Samples of the track that have been taken by the output.
    pub fn played(&self) -> u64 {
        self.played.load(Ordering::Relaxed)
    }

    /// Hands over samples, left and right, at [`RATE`]; returns how many there was room for.
    pub fn push(&mut self, samples: &[[f32; 2]]) -> usize {
        let count = samples.len().min(self.ring.slots());
        if let Ok(chunk) = self.ring.write_chunk_uninit(count) {
            chunk.fill_from_iter(samples[..count].iter().copied());
        }
        count
    }

    /// Why the output has stopped, if it has.
    pub fn failure(&self) -> Option<String> {
        self.failures.try_iter().find(is_over).map(|error| reason(&error))
    }
}

/// The output's own configuration, at [`RATE`] if it can do that.
fn config(device: &Device) -> Result<SupportedStreamConfig, Error> {
    let own = device.default_output_config()?;
    let at_rate = device.supported_output_configs().ok().and_then(|mut configs| {
        configs
            .find(|c| c.channels() == own.channels() && c.sample_format() == own.sample_format())
            .and_then(|c| c.try_with_sample_rate(RATE))
    });
    Ok(at_rate.unwrap_or(own))
}

/// What the callback needs.
struct Output {
    config: StreamConfig,
    waiting: Consumer<[f32; 2]>,
    played: Arc<AtomicU64>,
    report: Sender<Error>,
}

impl Output {
    fn build<T: SizedSample + FromSample<f32>>(self, device: &Device) -> Result<Stream, Error> {
        let Output { config, mut waiting, played, report } = self;
        let channels = usize::from(config.channels.max(1));
        let mut line = Line::new(config.sample_rate);
        let callback = move |data: &mut [T], _: &_| {
            let mut taken = 0;
            for frame in data.chunks_mut(channels) {
                let [left, right] = line.next(|| {
                    let sample = waiting.pop().ok();
                    taken += u64::from(sample.is_some());
                    sample
                });
                match frame {
                    [only] => *only = T::from_sample((left + right) / 2.0),
                    // More than two: the rest stays silent.
                    [first, second, rest @ ..] => {
                        (*first, *second) = (T::from_sample(left), T::from_sample(right));
                        rest.fill(T::EQUILIBRIUM);
                    }
                    [] => {}
                }
            }
            played.fetch_add(taken, Ordering::Relaxed);
        };
        let failed = move |error| drop(report.try_send(error));
        device.build_output_stream(config, callback, failed, Some(Duration::from_secs(2)))
    }
}

/// Goes from [`RATE`] to another rate, in straight lines between samples: good enough to rehearse with.
struct Line {
    /// Samples per output sample, and the place between the two newest.
    step: f64,
    place: f64,
    newest: [[f32; 2]; 2],
}

impl Line {
    fn new(rate: u32) -> Line {
        Line { step: f64::from(RATE) / f64::from(rate.max(1)), place: 1.0, newest: [[0.0; 2]; 2] }
    }

    /// The next output sample; what is missing is silent.
    fn next(&mut self, mut more: impl FnMut() -> Option<[f32; 2]>) -> [f32; 2] {
        while self.place >= 1.0 {
            self.place -= 1.0;
            self.newest = [self.newest[1], more().unwrap_or([0.0; 2])];
        }
        let [before, after] = self.newest;
        let between = |side: usize| before[side] + (after[side] - before[side]) * self.place as f32;
        let sample = [between(0), between(1)];
        self.place += self.step;
        sample
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an output at `rate` gets from a ramp, and how many samples it took.
    fn ramp(rate: u32, count: usize) -> (Vec<f32>, usize) {
        let (mut line, mut at) = (Line::new(rate), 0);
        let mut more = || {
            at += 1;
            (at <= 1000).then_some([at as f32, -(at as f32)])
        };
        let samples = (0..count).map(|_| {
            let [left, right] = line.next(&mut more);
            assert_eq!(left, -right);
            left
        });
        let samples = samples.collect();
        (samples, at)
    }

    #[test]
    fn any_rate_gets_the_same_sound() {
        let (same, taken) = ramp(RATE, 100);
        assert_eq!(taken, 100);
        assert!(same.iter().enumerate().all(|(i, x)| *x == i as f32), "one sample late: {same:?}");
        for rate in [44_100, 96_000, 22_050] {
            let (samples, taken) = ramp(rate, 100);
            let step = 48_000.0 / rate as f32;
            assert!(samples.iter().enumerate().all(|(i, x)| (x - i as f32 * step).abs() < 1e-2), "{rate}: {samples:?}");
            assert!((taken as f32 - 100.0 * step).abs() < 3.0, "{rate}: {taken}");
        }
        assert_eq!(ramp(RATE, 1100).0[1050..], [0.0; 50], "silent afterwards");
    }
}
