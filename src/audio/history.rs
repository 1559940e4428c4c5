//! The last seconds of the sound that is heard, in stereo, and when it was heard: for recordings.
//!
//! The thread `audio` writes, any thread may read, and neither waits for the other: each sample is one atomic number. A reader
//! asks for a time and gets the samples that were heard then, or silence where there are none.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Instant;

use super::RATE;

/// Samples that are kept: about five seconds.
const KEPT: u64 = 1 << 18;
/// The oldest ones may be overwritten while they are read.
const MARGIN: u64 = 1 << 12;
/// For so many samples the earliest arrival is looked for.
const WINDOW: u64 = RATE as u64 / 4;
/// A source that arrives so much later than before has been away, in nanoseconds.
const AWAY_NANOS: i64 = 500_000_000;
/// Nothing has been heard yet.
const NEVER: i64 = i64::MIN;

/// The last seconds of sound at [`RATE`].
#[derive(Debug)]
pub struct History {
    /// The bits of the left and the right sample, as a ring.
    samples: Box<[AtomicU64]>,
    /// How many were written, ever.
    written: AtomicU64,
    epoch: Instant,
    /// When sample 0 would have been heard at the present speed, in nanoseconds since the epoch. A source has a clock of
    /// its own, and its samples arrive in lumps: the earliest arrival in a while counts.
    zero: AtomicI64,
    /// The writer's: the earliest of the current window, and where that began.
    earliest: AtomicI64,
    window: AtomicU64,
}

impl Default for History {
    fn default() -> Self {
        History {
            samples: (0..KEPT).map(|_| AtomicU64::new(0)).collect(),
            written: AtomicU64::new(0),
            epoch: Instant::now(),
            zero: AtomicI64::new(NEVER),
            earliest: AtomicI64::new(NEVER),
            window: AtomicU64::new(0),
        }
    }
}

impl History {
    /// Adds samples, left and right, which end `now`. One thread may do so.
    pub fn push(&self, samples: &[[f32; 2]], now: Instant) {
        let mut written = self.written.load(Ordering::Relaxed);
        for [left, right] in samples {
            let bits = u64::from(left.to_bits()) << 32 | u64::from(right.to_bits());
            self.samples[(written % KEPT) as usize].store(bits, Ordering::Relaxed);
            written += 1;
        }
        self.written.store(written, Ordering::Release);
        let nanos = |time: std::time::Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
        self.arrived(written, nanos(now.saturating_duration_since(self.epoch)));
    }

    /// How much was heard, in seconds.
    pub fn secs(&self) -> f64 {
        self.written.load(Ordering::Relaxed) as f64 / f64::from(RATE)
    }

    /// Notes that sample `written` was heard at `now`.
    fn arrived(&self, written: u64, now: i64) {
        let zero = now - nanos_of(written as f64) as i64;
        let (known, earliest) = (self.zero.load(Ordering::Relaxed), self.earliest.load(Ordering::Relaxed));
        let is_new = known == NEVER || zero - known > AWAY_NANOS;
        let earliest = if is_new { zero } else { earliest.min(zero) };
        let is_over = written - self.window.load(Ordering::Relaxed) >= WINDOW;
        if is_new || is_over || zero < known {
            self.zero.store(earliest, Ordering::Release);
        }
        if is_new || is_over {
            self.window.store(written, Ordering::Relaxed);
        }
        self.earliest.store(if is_over { i64::MAX } else { earliest }, Ordering::Relaxed);
    }

    /// How many samples have been heard.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Which sample was heard at a time, with its fraction; `None` before any was.
    pub fn sample_at(&self, time: Instant) -> Option<f64> {
        let zero = self.zero.load(Ordering::Acquire);
        let nanos = match time.checked_duration_since(self.epoch) {
            Some(after) => after.as_nanos() as f64,
            None => -(self.epoch.duration_since(time).as_nanos() as f64),
        };
        (zero != NEVER).then(|| (nanos - zero as f64) * f64::from(RATE) / 1e9)
    }

    /// A sample; silence where there is none, or not any more.
    pub fn get(&self, sample: i64) -> [f32; 2] {
        let written = self.written();
        let oldest = written.saturating_sub(KEPT - MARGIN);
        match u64::try_from(sample) {
            Ok(sample) if (oldest..written).contains(&sample) => {
                let bits = self.samples[(sample % KEPT) as usize].load(Ordering::Relaxed);
                [f32::from_bits((bits >> 32) as u32), f32::from_bits(bits as u32)]
            }
            _ => [0.0; 2],
        }
    }
}

/// How long so many samples last.
fn nanos_of(samples: f64) -> f64 {
    samples * 1e9 / f64::from(RATE)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_sample_is_found_by_the_time_at_which_it_was_heard() {
        let history = History::default();
        let start = Instant::now();
        assert!(history.sample_at(start).is_none());
        // Lumps of 480 samples that arrive up to 8 ms late, from a clock that is 100 ppm slow.
        let heard = |sample: u64| start + Duration::from_secs_f64(sample as f64 * 1.0001 / f64::from(RATE));
        for lump in 1..=1000u64 {
            let samples: Vec<[f32; 2]> = (lump * 480 - 480..lump * 480).map(|n| [n as f32, -1.0]).collect();
            history.push(&samples, heard(lump * 480) + Duration::from_millis(lump * 7919 % 8));
        }
        for sample in [440_000, 479_000] {
            let found = history.sample_at(heard(sample)).unwrap();
            assert!((found - sample as f64).abs() < 60.0, "{sample} is taken for {found}");
            assert_eq!(history.get(sample as i64), [sample as f32, -1.0]);
        }
        assert_eq!(history.written(), 480_000);
        for outside in [-1, 480_000, 480_000 - KEPT as i64] {
            assert_eq!(history.get(outside), [0.0; 2], "{outside}");
        }
        // It was away for three seconds.
        let back = heard(480_000) + Duration::from_secs(3);
        history.push(&[[0.5, 0.5]; 480], back);
        let found = history.sample_at(back).unwrap();
        assert!((found - 480_480.0).abs() < 1.0, "{found}");
    }
}
