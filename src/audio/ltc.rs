//! Reads linear timecode (SMPTE 12M) out of sound: mono samples at [`RATE`] in, the time out.
//!
//! Every bit begins with a change of sign; a one has another in its middle. 80 bits are a frame, and the last 16 say where it
//! ends and which way the tape runs. A frame counts once the one before it was its neighbour, so that dropouts and noise give
//! nothing rather than a wrong time. The crate `ltc` (0.2) learns the length of a bit without limits and never comes back
//! after noise; `timecode-coder` (0.3) knows no drop frame. Runs on the thread that listens; allocates nothing.

use smpte_timecode::{FrameRate, Timecode};

use super::RATE;

/// Bits of a frame, and its last 16, in the order in which they arrive forwards and backwards.
const BITS: u32 = 80;
const SYNC: u128 = 0b0011_1111_1111_1101;
const SYNC_BACKWARDS: u128 = 0b1011_1111_1111_1100;
/// Samples of a bit: with which reading begins, between 25 and 30 frames a second, and the shortest and longest that are
/// followed.
const BIT: f32 = RATE as f32 / (BITS as f32 * 27.0);
const SHORTEST: f32 = BIT / 2.0;
const LONGEST: f32 = BIT * 2.0;
/// Below this amplitude there is silence.
const SILENCE: f32 = 2e-3;
/// A sign has changed when a sample is beyond this part of the amplitude.
const BEYOND: f32 = 0.25;

/// A frame that has just ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The frame that begins now.
    pub code: Timecode,
    pub is_backwards: bool,
}

/// Reads a stream of samples.
#[derive(Clone, Debug)]
pub struct Ltc {
    /// Follows the middle and the amplitude of the wave.
    middle: f32,
    amplitude: f32,
    is_high: bool,
    /// Samples since the last change of sign, and since the last frame ended.
    since_change: u32,
    since_frame: u32,
    /// The length of a bit in samples.
    bit: f32,
    /// The first half of a one has passed.
    is_half: bool,
    bits: u128,
    count: u32,
    /// The last frame, whether or not it had a neighbour.
    last: Option<(Timecode, bool)>,
    /// Labels in a second, once they were seen to begin again.
    nominal: Option<u8>,
}

impl Default for Ltc {
    fn default() -> Self {
        Ltc {
            middle: 0.0,
            amplitude: 0.0,
            is_high: false,
            since_change: 0,
            since_frame: 0,
            bit: BIT,
            is_half: false,
            bits: 0,
            count: 0,
            last: None,
            nominal: None,
        }
    }
}

impl Ltc {
    /// Takes samples, and calls `each` for every frame that ends in them.
    pub fn feed(&mut self, samples: &[f32], mut each: impl FnMut(Reading)) {
        for &sample in samples {
            if self.has_changed(if sample.is_finite() { sample } else { 0.0 })
                && let Some(reading) = self.change()
            {
                each(reading);
            }
        }
    }

    /// Whether the sign of the wave changes with this sample.
    fn has_changed(&mut self, sample: f32) -> bool {
        self.since_change = self.since_change.saturating_add(1);
        self.since_frame = self.since_frame.saturating_add(1);
        // A tenth of a second for the middle, half a second for the amplitude.
        self.middle += (sample - self.middle) * 2e-4;
        let x = sample - self.middle;
        self.amplitude = x.abs().max(self.amplitude * (1.0 - 4e-5));
        let threshold = self.amplitude * BEYOND;
        let has_changed = self.amplitude > SILENCE && if self.is_high { x < -threshold } else { x > threshold };
        self.is_high ^= has_changed;
        has_changed
    }

    /// Takes a change of sign: a whole bit, or half of one.
    fn change(&mut self) -> Option<Reading> {
        let length = std::mem::take(&mut self.since_change) as f32;
        let is_short = length < 0.75 * self.bit;
        let bit = if is_short { 2.0 * length } else { length };
        if !(0.6 * self.bit..1.6 * self.bit).contains(&bit) || (self.is_half && !is_short) {
            return self.lose();
        }
        self.bit = (self.bit + 0.1 * (bit - self.bit)).clamp(SHORTEST, LONGEST);
        if is_short && !std::mem::replace(&mut self.is_half, true) {
            return None;
        }
        self.is_half = false;
        self.bits = self.bits << 1 | u128::from(is_short);
        self.count += 1;
        self.frame()
    }

    /// What came is no bit: begins again.
    fn lose(&mut self) -> Option<Reading> {
        (self.bits, self.count, self.is_half) = (0, 0, false);
        self.bit = BIT;
        None
    }

    /// A frame, if one has ended with the last bit.
    fn frame(&mut self) -> Option<Reading> {
        if self.count < BITS {
            return None;
        }
        let is_backwards = match (self.bits & 0xffff, self.bits >> (BITS - 16) & 0xffff) {
            (SYNC, _) => false,
            (_, SYNC_BACKWARDS) => true,
            _ => return None,
        };
        self.count = 0;
        let length = std::mem::take(&mut self.since_frame);
        let bits = self.bits;
        let bit = |i: u32| if is_backwards { bits >> i & 1 } else { bits >> (BITS - 1 - i) & 1 } as u8;
        // The lowest bit of a number is the first.
        let number = |from: u32, count: u32| (0..count).map(|i| bit(from + i) << i).sum::<u8>();
        let two = |units: u32, tens: u32, count: u32| number(units, 4) + 10 * number(tens, count);
        let fields = smpte_timecode::Fields {
            frames: two(0, 8, 2),
            seconds: two(16, 24, 3),
            minutes: two(32, 40, 3),
            hours: two(48, 56, 2),
        };
        let code = self.code(fields, bit(10) == 1, length)?;
        let now = if is_backwards { code } else { code.wrapping_add_frames(1) };
        let expected = self.last.replace((code, is_backwards));
        let is_next = expected.is_some_and(|(before, was_backwards)| {
            let step = if is_backwards { -1 } else { 1 };
            was_backwards == is_backwards && before.wrapping_add_frames(step) == code
        });
        is_next.then_some(Reading { code: now, is_backwards })
    }

    /// What a frame of `length` samples says. Its speed tells 24, 25 and 30 apart until a second has begun.
    fn code(&mut self, fields: smpte_timecode::Fields, is_drop: bool, length: u32) -> Option<Timecode> {
        let expected = self.bit * BITS as f32;
        let is_whole = (length as f32 / expected - 1.0).abs() < 0.1;
        if let Some((last, false)) = self.last
            && is_whole
            && fields.frames == 0
            && fields.seconds != last.fields().seconds
            && matches!(last.fields().frames, 23 | 24 | 29)
        {
            self.nominal = Some(last.fields().frames + 1);
        }
        let fps = RATE as f32 / if is_whole { length as f32 } else { expected };
        let measured = match fps {
            ..24.5 => 24,
            24.5..27.5 => 25,
            _ => 30,
        };
        // A tape that runs slowly looks like one with fewer frames.
        let least = match fields.frames {
            ..24 => 24,
            24 => 25,
            _ => 30,
        };
        if self.nominal.unwrap_or(measured) < least {
            self.nominal = Some(least);
        }
        let nominal = self.nominal.unwrap_or(measured);
        let rate = match (nominal, is_drop) {
            (24, _) => FrameRate::FPS_24,
            (25, _) => FrameRate::FPS_25,
            (_, true) => FrameRate::FPS_29_97_DF,
            _ => FrameRate::FPS_30,
        };
        let code = Timecode::from_fields(fields, rate).ok()?;
        // What came before counts at another rate: it is no neighbour, but the same place.
        if let Some((last, _)) = &mut self.last
            && last.rate() != rate
        {
            *last = Timecode::from_fields(last.fields(), rate).ok()?;
        }
        Some(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bits of a frame in the order in which they are played.
    fn bits(code: Timecode) -> [bool; 80] {
        let fields = code.fields();
        let mut bits = [false; 80];
        let mut put = |from: usize, count: usize, value: u8| {
            for i in 0..count {
                bits[from + i] = value >> i & 1 == 1;
            }
        };
        for (at, value, tens) in
            [(0, fields.frames, 2), (16, fields.seconds, 3), (32, fields.minutes, 3), (48, fields.hours, 2)]
        {
            put(at, 4, value % 10);
            put(at + 8, tens, value / 10);
        }
        // User bits of all kinds.
        put(4, 4, 0xf);
        put(20, 4, 0x5);
        put(60, 4, 0xf);
        put(10, 1, u8::from(code.rate().is_drop_frame()));
        bits[66..78].fill(true);
        bits[79] = true;
        bits
    }

    /// How a tape is played.
    struct Tape {
        sample_rate: f64,
        speed: f64,
        level: f32,
        noise: f32,
        /// Samples by which each edge may be off.
        jitter: f64,
        is_backwards: bool,
    }

    const CLEAN: Tape =
        Tape { sample_rate: 48_000.0, speed: 1.0, level: 0.5, noise: 0.0, jitter: 0.0, is_backwards: false };

    /// The sound of `count` frames from `start` on.
    fn sound(start: Timecode, count: u32, tape: &Tape) -> Vec<f32> {
        let mut rng = crate::control::test_rng(21);
        let mut random = move || (rng() % 20_001) as f64 / 10_000.0 - 1.0;
        let bit_secs = 1.0 / (start.rate().frames_per_second().to_f64() * 80.0 * tape.speed);
        let (mut samples, mut time, mut is_high) = (Vec::new(), 0.0, false);
        let until = |time: f64, is_high: bool, samples: &mut Vec<f32>, random: &mut dyn FnMut() -> f64| {
            let end = time * tape.sample_rate + tape.jitter * random();
            while (samples.len() as f64) < end {
                let level = if is_high { tape.level } else { -tape.level };
                samples.push(level + tape.noise * random() as f32);
            }
        };
        for i in 0..count {
            let step = if tape.is_backwards { -i64::from(i) } else { i64::from(i) };
            let mut frame = bits(start.wrapping_add_frames(step));
            if tape.is_backwards {
                frame.reverse();
            }
            for one in frame {
                is_high = !is_high;
                if one {
                    until(time + bit_secs / 2.0, is_high, &mut samples, &mut random);
                    is_high = !is_high;
                }
                time += bit_secs;
                until(time, is_high, &mut samples, &mut random);
            }
        }
        // The last bit ends with the first change after it.
        samples.extend([if is_high { -tape.level } else { tape.level }; 4]);
        samples
    }

    fn at(text: &str, rate: FrameRate) -> Timecode {
        Timecode::parse(text, rate).unwrap()
    }

    /// The readings, each with the number of samples before it.
    fn read(ltc: &mut Ltc, samples: &[f32]) -> Vec<(Reading, usize)> {
        let mut found = Vec::new();
        for (i, sample) in samples.iter().enumerate() {
            ltc.feed(std::slice::from_ref(sample), |reading| found.push((reading, i)));
        }
        found
    }

    const RATES: [FrameRate; 4] = [FrameRate::FPS_24, FrameRate::FPS_25, FrameRate::FPS_29_97_DF, FrameRate::FPS_30];

    #[test]
    fn every_rate_is_read_frame_by_frame() {
        for rate in RATES {
            // Over the end of a minute, where drop frame leaves out two labels.
            let start = at("01:00:58:00", rate);
            let found = read(&mut Ltc::default(), &sound(start, 100, &CLEAN));
            assert!(found.len() >= 97, "{rate:?}: {}", found.len());
            for (reading, samples) in found {
                let frames = reading.code.frames() - start.frames();
                let expected = f64::from(frames) / rate.frames_per_second().to_f64() * 48_000.0;
                assert!((samples as f64 - expected).abs() < 4.0, "{rate:?} {reading:?} {samples} {expected}");
                assert!(!reading.is_backwards && reading.code.rate() == rate);
            }
        }
    }

    #[test]
    fn faint_noisy_and_uneven_tapes_are_read() {
        let start = at("10:20:30:00", FrameRate::FPS_25);
        let tapes = [
            Tape { level: 0.01, ..CLEAN },
            Tape { noise: 0.1, ..CLEAN },
            Tape { jitter: 2.0, ..CLEAN },
            Tape { speed: 1.1, jitter: 1.0, ..CLEAN },
            Tape { speed: 0.8, ..CLEAN },
        ];
        for (i, tape) in tapes.iter().enumerate() {
            let found = read(&mut Ltc::default(), &sound(start, 60, tape));
            assert!(found.len() >= 50, "tape {i}: {}", found.len());
            let last = found[found.len() - 1].0.code;
            assert_eq!((last.fields().seconds, last.rate()), (32, FrameRate::FPS_25), "tape {i}: {last}");
        }
    }

    #[test]
    fn a_tape_that_runs_backwards_is_read() {
        let start = at("00:01:00;10", FrameRate::FPS_29_97_DF);
        let tape = Tape { is_backwards: true, ..CLEAN };
        let found = read(&mut Ltc::default(), &sound(start, 50, &tape));
        assert!(found.len() >= 46, "{}", found.len());
        assert!(found.iter().all(|(reading, _)| reading.is_backwards));
        assert_eq!(found[found.len() - 1].0.code, start.wrapping_add_frames(-49));
    }

    #[test]
    fn a_dropout_gives_nothing_wrong_and_it_comes_back() {
        let start = at("00:00:10:00", FrameRate::FPS_25);
        let mut samples = sound(start, 100, &CLEAN);
        let mut rng = crate::control::test_rng(3);
        // Half a frame is gone, then noise for ten, then silence for ten.
        samples[19_200..20_160].fill(0.0);
        for sample in &mut samples[38_400..57_600] {
            *sample = (rng() % 2001) as f32 / 1000.0 - 1.0;
        }
        samples[57_600..76_800].fill(0.0);
        let found = read(&mut Ltc::default(), &samples);
        for (reading, at) in &found {
            let expected = f64::from(reading.code.frames() - start.frames()) * 1920.0;
            assert!((*at as f64 - expected).abs() < 4.0, "{reading:?} {at}");
        }
        assert!((60..78).contains(&found.len()), "{}", found.len());
        assert!(found.iter().any(|(_, at)| *at < 76_800 + 4 * 1920 && *at > 76_800), "back within four frames");
    }

    #[test]
    fn a_jump_is_followed_with_the_second_frame() {
        let rate = FrameRate::FPS_30;
        let mut samples = sound(at("00:10:00:00", rate), 30, &CLEAN);
        samples.extend(sound(at("00:02:00:00", rate), 30, &CLEAN));
        let found = read(&mut Ltc::default(), &samples);
        let back = found.iter().position(|(reading, _)| reading.code.fields().minutes == 2).unwrap();
        assert!(found[back].1 < 30 * 1600 + 4 * 1600, "{}", found[back].1);
        assert!(found[..back].iter().all(|(reading, _)| reading.code.fields().minutes == 10));
    }

    #[test]
    fn music_and_noise_give_no_time() {
        let mut rng = crate::control::test_rng(5);
        let mut ltc = Ltc::default();
        let noise: Vec<f32> = (0..480_000).map(|_| (rng() % 2001) as f32 / 1000.0 - 1.0).collect();
        let tone: Vec<f32> = (0..480_000).map(|i| (i as f32 * 0.13).sin() * 0.7).collect();
        assert_eq!(read(&mut ltc, &noise), []);
        assert_eq!(read(&mut ltc, &tone), []);
        let found = read(&mut ltc, &sound(at("00:00:01:00", FrameRate::FPS_24), 24, &CLEAN));
        assert!(found.len() >= 18, "and afterwards it reads: {}", found.len());
    }

    #[test]
    fn a_sound_file_of_another_rate_is_read() {
        let tape = Tape { sample_rate: 44_100.0, ..CLEAN };
        let samples = sound(at("23:59:59:00", FrameRate::FPS_25), 50, &tape);
        let file = super::super::test_wav("ltc", &samples, 44_100);
        let samples = super::super::Track::open(&file).unwrap().read_all().unwrap();
        std::fs::remove_file(file).unwrap();
        let found = read(&mut Ltc::default(), &samples);
        assert!(found.len() >= 45, "{}", found.len());
        let midnight = at("00:00:00:00", FrameRate::FPS_25);
        assert!(found.iter().any(|(reading, _)| reading.code == midnight), "over midnight");
    }
}
