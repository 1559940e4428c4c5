//! A track: a file of sound, read piece by piece as mono samples at [`RATE`].
//!
//! symphonia reads FLAC, WAV, AIFF, MP3, Ogg Vorbis and AAC or ALAC in MP4; it is pure Rust. Opus is missing.

use std::fs::File;
use std::path::{Path, PathBuf};

use symphonia::core::audio::sample::Sample;
use symphonia::core::codecs::audio::well_known::CODEC_ID_AAC;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::probe::Hint;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::core::meta::MetadataOptions;
use symphonia::core::packet::Packet;

use super::RATE;
use super::resample::{RATES, Resample};
use super::sides::{Sides, left_and_right};

/// Samples that an AAC encoder puts in front; files say so in a way that the reader does not understand.
const AAC_PRIMING: u64 = 1024;

/// Why a track cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TrackError {
    #[error("cannot open {}: {source}", path.display())]
    Open { path: PathBuf, source: std::io::Error },
    #[error("{}: not a sound file that can be read (FLAC, WAV, AIFF, MP3, Ogg Vorbis, M4A): {why}", path.display())]
    Format { path: PathBuf, why: String },
    #[error("{}: {found} samples per second; expected {} to {}", path.display(), RATES.start(), RATES.end())]
    Rate { path: PathBuf, found: u32 },
    #[error("{}: cannot be read on after {secs:.1} s: {why}", path.display())]
    Broken { path: PathBuf, secs: f64, why: String },
}

/// A file of sound, open for reading from its beginning.
pub struct Track {
    path: PathBuf,
    format: Box<dyn FormatReader>,
    decoder: Box<dyn AudioDecoder>,
    id: u32,
    rate: u32,
    resample: Resample,
    interleaved: Vec<f32>,
    mono: Vec<f32>,
    /// Left and right, if they are wanted too.
    sides: Option<Sides>,
    /// Samples at the front that are not sound.
    skip: u64,
    /// Samples read at the file's rate.
    read: u64,
    finished: bool,
}

impl Track {
    /// # Errors
    /// When the file cannot be opened, is not sound, or has an impossible sample rate.
    pub fn open(path: &Path) -> Result<Self, TrackError> {
        let format_error = |why: &dyn std::fmt::Display| TrackError::Format { path: path.into(), why: why.to_string() };
        let file = File::open(path).map_err(|source| TrackError::Open { path: path.into(), source })?;
        let stream = MediaSourceStream::new(Box::new(file), MediaSourceStreamOptions::default());
        let mut hint = Hint::new();
        if let Some(ending) = path.extension().and_then(|ending| ending.to_str()) {
            hint.with_extension(ending);
        }
        let format = symphonia::default::get_probe()
            .probe(&hint, stream, FormatOptions::default(), MetadataOptions::default())
            .map_err(|error| format_error(&error))?;
        let track = format.default_track(TrackType::Audio).ok_or_else(|| format_error(&"no sound in it"))?;
        let params = track.codec_params.as_ref().and_then(|params| params.audio());
        let params = params.ok_or_else(|| format_error(&"an unknown codec"))?;
        let decoder = symphonia::default::get_codecs()
            .make_audio_decoder(params, &AudioDecoderOptions::default())
            .map_err(|error| format_error(&error))?;
        let rate = params.sample_rate.ok_or_else(|| format_error(&"no sample rate in it"))?;
        let resample = Resample::new(rate).ok_or_else(|| TrackError::Rate { path: path.into(), found: rate })?;
        let skip = if params.codec == CODEC_ID_AAC && track.delay.is_none() { AAC_PRIMING } else { 0 };
        Ok(Track {
            path: path.into(),
            id: track.id,
            rate,
            resample,
            decoder,
            format,
            interleaved: Vec::new(),
            mono: Vec::new(),
            sides: None,
            skip,
            read: 0,
            finished: false,
        })
    }

    /// Also reads left and right: see [`Track::take_sides`].
    #[must_use]
    pub fn with_sides(mut self) -> Self {
        self.sides = Sides::new(self.rate);
        self
    }

    /// Moves left and right of the samples read since the last call to `to`, for [`Track::with_sides`].
    pub fn take_sides(&mut self, to: &mut Vec<[f32; 2]>) {
        self.sides.iter_mut().for_each(|sides| sides.take(to));
    }

    /// The length in seconds, if the file says so.
    pub fn secs(&self) -> Option<f64> {
        let track = self.format.tracks().iter().find(|track| track.id == self.id)?;
        track.num_frames.map(|frames| frames as f64 / f64::from(self.rate))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends the next piece of the track to `samples`: mono, at [`RATE`]. False at the end.
    ///
    /// # Errors
    /// When the file cannot be read on.
    pub fn read(&mut self, samples: &mut Vec<f32>) -> Result<bool, TrackError> {
        let before = samples.len();
        while samples.len() == before && !self.finished {
            match self.format.next_packet() {
                Ok(Some(packet)) if packet.track_id == self.id => {
                    self.decode(&packet)?;
                    self.resample.feed(&self.mono, |fresh| samples.extend_from_slice(fresh));
                }
                Ok(Some(_)) => {}
                Ok(None) => {
                    self.finished = true;
                    self.resample.finish(|fresh| samples.extend_from_slice(fresh));
                    self.sides.iter_mut().for_each(Sides::finish);
                }
                Err(error) => return Err(self.broken(&error)),
            }
        }
        Ok(samples.len() > before)
    }

    /// Reads all of the track.
    ///
    /// # Errors
    /// As [`Track::read`].
    pub fn read_all(mut self) -> Result<Vec<f32>, TrackError> {
        let mut samples = Vec::new();
        while self.read(&mut samples)? {}
        Ok(samples)
    }

    /// Fills `mono` with the samples of a packet, at the file's rate.
    fn decode(&mut self, packet: &Packet) -> Result<(), TrackError> {
        self.mono.clear();
        let sound = match self.decoder.decode(packet) {
            Ok(sound) => sound,
            // A damaged packet is silent, so that what follows stays in time.
            Err(Error::DecodeError(_)) => {
                self.mono.resize(usize::try_from(packet.dur.get()).unwrap_or(0).min(RATE as usize), 0.0);
                self.count();
                let silence = std::iter::repeat_n([0.0; 2], self.mono.len());
                self.sides.iter_mut().for_each(|sides| sides.feed(silence.clone()));
                return Ok(());
            }
            Err(error) => return Err(self.broken(&error)),
        };
        let (found, channels) = (sound.spec().rate(), sound.spec().channels().count().max(1));
        self.interleaved.resize(sound.samples_interleaved(), f32::MID);
        sound.copy_to_slice_interleaved(&mut self.interleaved);
        if found != self.rate {
            return Err(self.broken(&format!("from here on {found} samples per second instead of {}", self.rate)));
        }
        self.mono.extend(self.interleaved.chunks_exact(channels).map(mean));
        let skipped = self.count();
        let frames = self.interleaved.chunks_exact(channels).skip(skipped);
        self.sides.iter_mut().for_each(|sides| sides.feed(frames.clone().map(left_and_right)));
        Ok(())
    }

    /// Counts what was read, and removes what is not sound: so many samples.
    fn count(&mut self) -> usize {
        let skipped = self.skip.min(self.mono.len() as u64);
        self.skip -= skipped;
        self.mono.drain(..skipped as usize);
        self.read += self.mono.len() as u64;
        skipped as usize
    }

    fn broken(&self, why: &dyn std::fmt::Display) -> TrackError {
        let secs = self.read as f64 / f64::from(self.rate);
        TrackError::Broken { path: self.path.clone(), secs, why: why.to_string() }
    }
}

/// The mean of all channels.
pub fn mean(frame: &[f32]) -> f32 {
    frame.iter().sum::<f32>() / frame.len() as f32
}
