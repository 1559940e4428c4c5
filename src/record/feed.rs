//! Pictures with their times, as a Matroska stream.
//!
//! A pipe of raw frames has no times, so that every repeated frame would have to go through it. Here each frame carries its
//! place in the recording, and what repeats is left out: ffmpeg fills the gaps. The stream needs no end and no index, so it
//! is also a file that plays however it was cut off. Only what that takes is written: a track of frames, one of sound if there is
//! any, cut into pieces as long as frames, and both in clusters of unknown length (RFC 8794, RFC 9559). The crates for Matroska write files that are seekable.

use std::io::{self, Write};

use crate::audio::RATE;

/// What the frames are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// RGBA, 8 bits each, rows from top to bottom.
    Rgba,
    /// A JPEG for each frame.
    Jpeg,
}

const EBML: u32 = 0x1A45_DFA3;
const SEGMENT: u32 = 0x1853_8067;
const INFO: u32 = 0x1549_A966;
const TRACKS: u32 = 0x1654_AE6B;
const CLUSTER: u32 = 0x1F43_B675;
/// The length of what ends with the next one of its kind, or with the stream.
const UNKNOWN: [u8; 8] = [0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF];

/// The numbers of the tracks, with the bit that ends a number.
const PICTURES: u8 = 0x81;
const SOUND: u8 = 0x82;

/// Longest span of a cluster in frames; times in it are 16 bits wide.
const LONGEST_CLUSTER: u64 = 10_000;

/// A stream being written.
#[derive(Debug)]
pub struct Feed<W> {
    out: W,
    /// The place of the cluster's first frame, and where the next cluster begins at the latest.
    cluster: Option<u64>,
    per_cluster: u64,
    header: Vec<u8>,
    /// The bytes of a piece of sound.
    sound: Vec<u8>,
}

impl<W: Write> Feed<W> {
    /// Writes the header: frames of `width` x `height` pixels, `fps` a second, and sound at [`RATE`] in stereo if `has_sound`.
    ///
    /// # Errors
    /// When nobody reads.
    pub fn new(mut out: W, content: Content, [width, height]: [u32; 2], fps: f64, has_sound: bool) -> io::Result<Self> {
        // A unit of time is a frame, to the nanosecond.
        let frame_ns = (1e9 / fps).round().max(1.0) as u64;
        let mut video = [number(&[0xB0], width.into()), number(&[0xBA], height.into())].concat();
        let codec: &[u8] = match content {
            Content::Rgba => {
                video.extend(element(&[0x2E, 0xB5, 0x24], b"RGBA"));
                b"V_UNCOMPRESSED"
            }
            Content::Jpeg => b"V_MJPEG",
        };
        let track = [
            number(&[0xD7], 1),
            number(&[0x73, 0xC5], 1),
            number(&[0x83], 1),
            number(&[0x9C], 0),
            element(&[0x86], codec),
            number(&[0x23, 0xE3, 0x83], frame_ns),
            element(&[0xE0], &video),
        ];
        let kind = [
            number(&[0x42, 0x86], 1),
            number(&[0x42, 0xF7], 1),
            number(&[0x42, 0xF2], 4),
            number(&[0x42, 0xF3], 8),
            element(&[0x42, 0x82], b"matroska"),
            number(&[0x42, 0x87], 4),
            number(&[0x42, 0x85], 2),
        ];
        let name = b"latent-jockey";
        let info = [number(&[0x2A, 0xD7, 0xB1], frame_ns), element(&[0x4D, 0x80], name), element(&[0x57, 0x41], name)];
        let mut header = element(&EBML.to_be_bytes(), &kind.concat());
        header.extend(SEGMENT.to_be_bytes());
        header.extend(UNKNOWN);
        header.extend(element(&INFO.to_be_bytes(), &info.concat()));
        let mut tracks = element(&[0xAE], &track.concat());
        if has_sound {
            tracks.extend(element(&[0xAE], &sound_track()));
        }
        header.extend(element(&TRACKS.to_be_bytes(), &tracks));
        out.write_all(&header)?;
        let per_cluster = (fps.round() as u64).clamp(1, LONGEST_CLUSTER);
        Ok(Feed { out, cluster: None, per_cluster, header, sound: Vec::new() })
    }

    /// Writes the frame at `place`, counted from 0; places only grow.
    ///
    /// # Errors
    /// When nobody reads any more, or the disk is full.
    pub fn write(&mut self, place: u64, data: &[u8]) -> io::Result<()> {
        self.block(PICTURES, place, data)
    }

    /// Writes the sound while the frame at `place` is shown: left and right in turn, -1 to 1. It may come later than the frame,
    /// by a few seconds at most.
    ///
    /// # Errors
    /// As [`Feed::write`].
    pub fn write_sound(&mut self, place: u64, samples: &[f32]) -> io::Result<()> {
        let mut sound = std::mem::take(&mut self.sound);
        sound.clear();
        sound.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        let written = self.block(SOUND, place, &sound);
        self.sound = sound;
        written
    }

    fn block(&mut self, track: u8, place: u64, data: &[u8]) -> io::Result<()> {
        self.header.clear();
        // Sound may belong before the first frame of its cluster.
        let is_near = |start: &u64| place < start + self.per_cluster && start.saturating_sub(place) < LONGEST_CLUSTER;
        let start = match self.cluster.filter(is_near) {
            Some(start) => start,
            None => {
                self.header.extend(CLUSTER.to_be_bytes());
                self.header.extend(UNKNOWN);
                self.header.extend(number(&[0xE7], place));
                place
            }
        };
        self.cluster = Some(start);
        self.header.push(0xA3);
        self.header.extend(length(data.len() as u64 + 4));
        // The track, the time in the cluster, and that it is a keyframe.
        self.header.push(track);
        self.header
            .extend((place as i64 - start as i64).clamp(i16::MIN.into(), i16::MAX.into()).to_be_bytes()[6..].iter());
        self.header.push(0x80);
        self.out.write_all(&self.header)?;
        self.out.write_all(data)
    }

    /// Gives what was written to the reader or the disk.
    ///
    /// # Errors
    /// As [`Feed::write`].
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The description of the sound: 32-bit floats in stereo.
fn sound_track() -> Vec<u8> {
    let rate = element(&[0xB5], &f64::from(RATE).to_be_bytes());
    let audio = [rate, number(&[0x9F], 2), number(&[0x62, 0x64], 32)].concat();
    let track = [
        number(&[0xD7], 2),
        number(&[0x73, 0xC5], 2),
        number(&[0x83], 2),
        number(&[0x9C], 0),
        element(&[0x86], b"A_PCM/FLOAT/IEEE"),
        element(&[0xE1], &audio),
    ];
    track.concat()
}

fn element(id: &[u8], data: &[u8]) -> Vec<u8> {
    [id, &length(data.len() as u64), data].concat()
}

fn number(id: &[u8], value: u64) -> Vec<u8> {
    element(id, &value.to_be_bytes())
}

/// A length in eight bytes.
fn length(bytes: u64) -> [u8; 8] {
    (bytes | 1 << 56).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_a_block_with_its_time() {
        let mut feed = Feed::new(Vec::new(), Content::Rgba, [2, 1], 2.0, true).unwrap();
        let header = feed.out.len();
        feed.write(0, b"abcdefgh").unwrap();
        feed.write(1, b"ijklmnop").unwrap();
        feed.write(5, b"qrstuvwx").unwrap();
        // Late, and before its cluster.
        feed.write_sound(3, &[1.0, -1.0]).unwrap();
        let blocks = &feed.out[header..];
        let cluster = |place: u8| {
            [&[0x1F, 0x43, 0xB6, 0x75], &UNKNOWN[..], &[0xE7], &length(8), &[0, 0, 0, 0, 0, 0, 0, place]].concat()
        };
        let block = |time: u8, data: &[u8]| [&[0xA3], &length(12)[..], &[0x81, 0, time, 0x80], data].concat();
        let sound =
            [&[0xA3], &length(12)[..], &[0x82, 0xFF, 0xFE, 0x80], &[0, 0, 0x80, 0x3F, 0, 0, 0x80, 0xBF]].concat();
        let expected =
            [cluster(0), block(0, b"abcdefgh"), block(1, b"ijklmnop"), cluster(5), block(0, b"qrstuvwx"), sound];
        assert_eq!(blocks, expected.concat());
    }
}
