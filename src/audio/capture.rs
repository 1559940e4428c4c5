//! One open source: its callback copies samples into a ring, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{
    BufferSize, Error, ErrorKind, FromSample, SampleFormat, SizedSample, Stream, StreamConfig, SupportedStreamConfig,
};
use crossbeam_channel::{Receiver, Sender, bounded};
use rtrb::{Consumer, Producer, RingBuffer};

use super::RATE;
use super::sides::left_and_right;
use super::sources::Source;

/// Seconds of sound that fit into the ring.
const RING_SECS: usize = 1;

/// A source that is being recorded. Dropping it closes the source.
pub struct Capture {
    stream: Stream,
    /// The mean of all channels, and the first two.
    samples: Consumer<(f32, [f32; 2])>,
    failures: Receiver<Error>,
    dropped: Arc<AtomicU64>,
    rate: u32,
    channels: u16,
}

impl Capture {
    /// Starts recording `channel`, from 0, or the mean of all.
    ///
    /// # Errors
    /// One line, for the player.
    pub fn open(source: &Source, channel: Option<usize>) -> Result<Self, String> {
        let config = config(source).map_err(|error| reason(&error))?;
        if let Some(channel) = channel.filter(|channel| *channel >= usize::from(config.channels())) {
            return Err(format!("it has {} channels, and no channel {}", config.channels(), channel + 1));
        }
        let small = BufferSize::Fixed(config.sample_rate() / 200);
        // Not every system lets us choose.
        Capture::open_with(source, &config, small, channel)
            .or_else(|_| Capture::open_with(source, &config, BufferSize::Default, channel))
            .map_err(|error| reason(&error))
    }

    fn open_with(
        source: &Source,
        supported: &SupportedStreamConfig,
        buffer_size: BufferSize,
        channel: Option<usize>,
    ) -> Result<Self, Error> {
        let config = StreamConfig { buffer_size, ..supported.config() };
        let (producer, samples) = RingBuffer::new(RING_SECS * config.sample_rate as usize);
        let (report, failures) = bounded(4);
        let dropped = Arc::<AtomicU64>::default();
        let (rate, channels) = (config.sample_rate, config.channels);
        let stream = Input { config, channel, producer, dropped: dropped.clone(), report }
            .build(source, supported.sample_format())?;
        stream.play()?;
        Ok(Capture { stream, samples, failures, dropped, rate, channels })
    }

    /// Samples per second.
    pub fn rate(&self) -> u32 {
        self.rate
    }

    pub fn channels(&self) -> u16 {
        self.channels
    }

    /// Samples that did not fit into the ring, since the last call.
    pub fn dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }

    /// Calls `each` with the samples that have arrived: the mean of all channels, and the first two of them. How many there
    /// were.
    pub fn take(&mut self, mut each: impl FnMut(&[(f32, [f32; 2])])) -> usize {
        let count = self.samples.slots();
        let Ok(chunk) = self.samples.read_chunk(count) else { return 0 };
        let (first, second) = chunk.as_slices();
        each(first);
        each(second);
        chunk.commit_all();
        count
    }

    /// Why the source has stopped, if it has.
    pub fn failure(&self) -> Option<String> {
        self.failures.try_iter().find(is_over).map(|error| reason(&error))
    }

    /// Closes the source.
    pub fn close(self) {
        drop(self.stream);
    }
}

/// Whether a stream has ended with an error.
pub(super) fn is_over(error: &Error) -> bool {
    !matches!(error.kind(), ErrorKind::DeviceChanged | ErrorKind::Xrun | ErrorKind::RealtimeDenied)
}

/// One line for an error.
pub(super) fn reason(error: &Error) -> String {
    match error.kind() {
        ErrorKind::DeviceNotAvailable => "it is gone".to_owned(),
        ErrorKind::PermissionDenied => "the system does not permit it".to_owned(),
        ErrorKind::DeviceBusy => "another program uses it".to_owned(),
        _ => error.to_string().lines().next().unwrap_or_default().to_owned(),
    }
}

/// The source's own configuration, at [`RATE`] if it can do that.
fn config(source: &Source) -> Result<SupportedStreamConfig, Error> {
    if !source.device.supports_input() {
        return source.device.default_output_config();
    }
    let own = source.device.default_input_config()?;
    let at_rate = source.device.supported_input_configs().ok().and_then(|mut configs| {
        configs
            .find(|c| c.channels() == own.channels() && c.sample_format() == own.sample_format())
            .and_then(|c| c.try_with_sample_rate(RATE))
    });
    Ok(at_rate.unwrap_or(own))
}

/// What the callback needs.
struct Input {
    config: StreamConfig,
    channel: Option<usize>,
    producer: Producer<(f32, [f32; 2])>,
    dropped: Arc<AtomicU64>,
    report: Sender<Error>,
}

impl Input {
    fn build(self, source: &Source, format: SampleFormat) -> Result<Stream, Error> {
        match format {
            SampleFormat::I8 => self.typed::<i8>(source),
            SampleFormat::I16 => self.typed::<i16>(source),
            SampleFormat::I24 => self.typed::<cpal::I24>(source),
            SampleFormat::I32 => self.typed::<i32>(source),
            SampleFormat::U8 => self.typed::<u8>(source),
            SampleFormat::U16 => self.typed::<u16>(source),
            SampleFormat::U32 => self.typed::<u32>(source),
            SampleFormat::F64 => self.typed::<f64>(source),
            _ => self.typed::<f32>(source),
        }
    }

    fn typed<T: SizedSample>(self, source: &Source) -> Result<Stream, Error>
    where
        f32: FromSample<T>,
    {
        let Input { config, channel, mut producer, dropped, report } = self;
        let channels = usize::from(config.channels.max(1));
        let callback = move |data: &[T], _: &_| {
            let frames = data.len() / channels;
            let count = frames.min(producer.slots());
            if let Ok(chunk) = producer.write_chunk_uninit(count) {
                let sides = |frame: &[T]| left_and_right(frame).map(|sample| sample.to_sample::<f32>());
                let mono =
                    |frame: &[T]| channel.map_or_else(|| mean(frame), |channel| frame[channel].to_sample::<f32>());
                chunk.fill_from_iter(data.chunks_exact(channels).map(|frame| (mono(frame), sides(frame))));
            }
            dropped.fetch_add((frames - count) as u64, Ordering::Relaxed);
        };
        // A full queue of failures says enough already.
        let failed = move |error| drop(report.try_send(error));
        source.device.build_input_stream(config, callback, failed, Some(Duration::from_secs(2)))
    }
}

/// The mean of all channels.
fn mean<T: SizedSample>(frame: &[T]) -> f32
where
    f32: FromSample<T>,
{
    frame.iter().map(|&sample| sample.to_sample::<f32>()).sum::<f32>() / frame.len() as f32
}
