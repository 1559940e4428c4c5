//! Finds MIDI timecode in the bytes of a port: quarter frames, and the SysEx of full frames.
//!
//! Runs in the driver's callback: it neither waits nor allocates.

use std::time::Duration;

use smpte_timecode::{Motion as Heard, MtcDecoder};

use super::{Carrier, Motion, Stamp};

/// Bytes of a full frame: F0 7F, device, 01 01, four numbers, F7.
const FULL: usize = 10;

/// Of one port.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    decoder: MtcDecoder,
    bytes: [u8; FULL],
    count: usize,
}

impl Reader {
    /// Takes what a port delivers at `at_us` microseconds, in whatever pieces, and calls `each` with what it reads.
    pub fn feed(&mut self, at_us: u64, bytes: &[u8], mut each: impl FnMut(Stamp)) {
        for &byte in bytes {
            match byte {
                // Clocks and the like may come in the middle of another message.
                0xf8.. => {}
                0xf0 | 0xf1 => self.begin(byte),
                0xf7 if self.bytes[0] == 0xf0 => self.push(byte),
                0x80.. => self.count = 0,
                _ if self.count > 0 => self.push(byte),
                _ => {}
            }
            let is_whole = match self.count {
                2 => self.bytes[0] == 0xf1,
                FULL => true,
                _ => false,
            };
            if is_whole {
                let message = &self.bytes[..self.count];
                // What is no time is passed over.
                if let Ok(Some(event)) = self.decoder.feed(message, Duration::from_micros(at_us)) {
                    each(stamp(event));
                }
                self.count = 0;
            }
        }
    }

    fn begin(&mut self, status: u8) {
        self.bytes[0] = status;
        self.count = 1;
    }

    /// Adds to a message; one that is too long for timecode is dropped.
    fn push(&mut self, byte: u8) {
        if self.count == 0 {
            return;
        }
        self.bytes[self.count] = byte;
        self.count += 1;
        let is_ended = byte == 0xf7;
        if is_ended != (self.count == FULL) && (is_ended || self.count == FULL) {
            self.count = 0;
        }
    }
}

fn stamp(event: smpte_timecode::MtcEvent) -> Stamp {
    let motion = match event.motion {
        Heard::Forward => Motion::Forward,
        Heard::Reverse => Motion::Reverse,
        Heard::Located => Motion::Still,
    };
    Stamp { carrier: Carrier::Mtc, code: event.timecode, motion }
}

#[cfg(test)]
mod tests {
    use smpte_timecode::{Direction, FrameRate, MtcEncoder, Timecode};

    use super::*;

    const RATES: [FrameRate; 4] = [FrameRate::FPS_24, FrameRate::FPS_25, FrameRate::FPS_29_97_DF, FrameRate::FPS_30];

    fn read(reader: &mut Reader, at_us: u64, bytes: &[u8]) -> Option<Stamp> {
        let mut found = None;
        reader.feed(at_us, bytes, |stamp| found = Some(stamp));
        found
    }

    /// Quarter frames from `text` on, with other messages between; the stamps, and the time of each in frames.
    fn played(text: &str, rate: FrameRate, direction: Direction, quarters: usize) -> Vec<(Stamp, f64)> {
        let mut reader = Reader::default();
        let start = Timecode::parse(text, rate).unwrap();
        let period = rate.frames_per_second().to_f64() * 4.0;
        let mut stamps = Vec::new();
        for (i, message) in MtcEncoder::new(start, direction).unwrap().take(quarters).enumerate() {
            let at_us = (i as f64 / period * 1e6) as u64;
            // A clock in the middle, and a note before it.
            let bytes = [0x90, 60, 100, message[0], 0xf8, message[1]];
            stamps.extend(read(&mut reader, at_us, &bytes).map(|stamp| (stamp, i as f64 / 4.0)));
        }
        stamps
    }

    #[test]
    fn quarter_frames_of_every_rate_give_the_time() {
        for rate in RATES {
            // 400 frames, over a minute's end: drop frame leaves out two labels there.
            let stamps = played("00:00:50:00", rate, Direction::Forward, 1600);
            assert_eq!(stamps.len(), 200, "each eight quarters");
            let start = Timecode::parse("00:00:50:00", rate).unwrap();
            for (stamp, frames) in stamps {
                let expected = super::super::secs(start) + frames / rate.frames_per_second().to_f64();
                // The last quarter is sent a quarter before the frame that is named.
                assert!((stamp.secs() - expected).abs() < 0.3 / 24.0, "{stamp:?} {expected}");
                assert_eq!((stamp.motion, stamp.code.rate()), (Motion::Forward, rate));
            }
        }
    }

    #[test]
    fn it_runs_backwards_too() {
        let stamps = played("01:00:00:10", FrameRate::FPS_25, Direction::Reverse, 80);
        assert!(stamps.len() >= 9 && stamps.iter().all(|(stamp, _)| stamp.motion == Motion::Reverse), "{stamps:?}");
        assert!(stamps.is_sorted_by(|(a, _), (b, _)| a.secs() > b.secs()));
    }

    #[test]
    fn a_full_frame_jumps() {
        for rate in RATES {
            let code = Timecode::parse("01:02:03:04", rate).unwrap();
            let message = MtcEncoder::full_frame(code).unwrap();
            let expected = Some(Stamp { carrier: Carrier::Mtc, code, motion: Motion::Still });
            assert_eq!(read(&mut Reader::default(), 0, &message), expected);
            let mut reader = Reader::default();
            assert_eq!(read(&mut reader, 0, &message[..4]), None);
            assert_eq!(read(&mut reader, 0, &[0xf8]), None);
            assert_eq!(read(&mut reader, 0, &message[4..]), expected, "in pieces");
        }
    }

    #[test]
    fn what_is_not_timecode_gives_nothing() {
        let mut reader = Reader::default();
        let other: [&[u8]; 6] = [
            &[0xf0, 0x7e, 1, 2, 0xf7],
            &[0xf0, 0x7f, 0x7f, 1, 1, 0x1f, 0x3f, 0x3f, 0x1f, 0xf7],
            &[0xf0, 0x7f, 0x7f, 1, 1, 1, 2, 3, 4, 5, 6, 7, 8, 0xf7],
            &[0xf7, 0xf1, 0x90, 60, 100],
            &[0x71, 0x31],
            &[0xf1],
        ];
        for bytes in other {
            assert_eq!(read(&mut reader, 0, bytes), None, "{bytes:x?}");
        }
        let mut rng = crate::control::test_rng(11);
        for i in 0..20_000 {
            let noise: Vec<u8> = (0..rng() % 13).map(|_| rng() as u8).collect();
            reader.feed(i, &noise, |stamp| assert!(stamp.secs() < 86_400.0));
        }
    }

    #[test]
    fn a_lost_quarter_costs_one_reading() {
        let mut reader = Reader::default();
        let start = Timecode::parse("00:00:01:00", FrameRate::FPS_25).unwrap();
        let mut count = 0;
        for (i, message) in MtcEncoder::new(start, Direction::Forward).unwrap().take(80).enumerate() {
            if i != 20 {
                count += usize::from(read(&mut reader, i as u64 * 10_000, &message).is_some());
            }
        }
        assert_eq!(count, 9);
    }
}
