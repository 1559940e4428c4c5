//! Tempo: how the strength of onsets resembles itself a beat, two, three and four beats ago.
//!
//! The autocorrelation forgets with a time constant of some seconds and is updated by one multiply-add per lag and hop.

use crate::audio::{HOP_SECS, ema};

/// Lags in hops: four beats at 60 beats per minute would be 400.
const LAGS: usize = 420;
/// Tempos from 60 to 180 beats per minute.
const SLOWEST: f64 = 60.0;
const STEP: f64 = 0.5;
const TEMPOS: usize = 241;
/// Weights of one to four beats.
const WEIGHTS: [f64; 4] = [1.0, 0.8, 0.4, 0.6];
/// A tempo is picked this often, hops; the first after a second.
const PICK_HOPS: u64 = 10;
const FIRST_PICK: u64 = 100;
/// Below this clarity there is no first tempo.
const CLEAR: f64 = 0.35;
/// Tempos within this many octaves are the same.
const SAME: f64 = 0.06;

/// What a pick found.
pub enum Pick {
    /// Nothing to compare.
    Silence,
    Tempo {
        bpm: f64,
        /// Whether it is a jump, so that the phase must be found again.
        is_new: bool,
        /// 0 to 1.
        clarity: f64,
    },
}

/// Finds the tempo.
pub struct Tempo {
    hop: u64,
    mean: f64,
    /// Strength above its mean, newest first.
    above: [f64; LAGS],
    correlation: [f64; LAGS],
    /// How likely each tempo is beforehand.
    prior: [f64; TEMPOS],
    /// A different tempo that may take over, and for how many picks it has led.
    candidate: f64,
    lead: u32,
    follow: f64,
    keep: f64,
}

impl Default for Tempo {
    fn default() -> Self {
        let prior = |i: usize| {
            let octaves = (tempo(i) / 120.0).log2() / 0.9;
            (-0.5 * octaves * octaves).exp()
        };
        Tempo {
            hop: 0,
            mean: 0.0,
            above: [0.0; LAGS],
            correlation: [0.0; LAGS],
            prior: std::array::from_fn(prior),
            candidate: 0.0,
            lead: 0,
            follow: ema(3.0),
            keep: (-HOP_SECS / 3.5).exp(),
        }
    }
}

fn tempo(i: usize) -> f64 {
    SLOWEST + STEP * i as f64
}

/// The distance of two tempos in octaves.
fn octaves(a: f64, b: f64) -> f64 {
    (a / b).log2()
}

impl Tempo {
    /// One hop: the strength of onsets. Returns it relative to its mean over the last seconds.
    pub fn hop(&mut self, strength: f64) -> f64 {
        self.hop += 1;
        self.mean += self.follow * (strength - self.mean);
        let now = strength - self.mean;
        self.above.copy_within(..LAGS - 1, 1);
        self.above[0] = now;
        for (sum, then) in self.correlation.iter_mut().zip(&self.above) {
            *sum = self.keep * *sum + now * then;
        }
        now
    }

    /// The mean strength over the last seconds.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Strengths relative to their mean, newest first.
    pub fn newest(&self) -> &[f64] {
        &self.above
    }

    /// The tempo from here on, ten times a second; `None` in the hops between, or while the tempo stays unclear.
    ///
    /// A small difference to `bpm` is followed; another tempo must lead for a while. `halved`: the octave rule holds,
    /// and twice the tempo is refused.
    pub fn pick(&mut self, bpm: f64, halved: bool, confidence: f64) -> Option<Pick> {
        if self.hop < FIRST_PICK || !self.hop.is_multiple_of(PICK_HOPS) {
            return None;
        }
        if self.correlation[0] < 1e-6 {
            return Some(Pick::Silence);
        }
        let (scores, clarity) = self.scores();
        let (best, found) = peak(&scores);
        if bpm == 0.0 {
            return (clarity >= CLEAR).then_some(Pick::Tempo { bpm: found, is_new: true, clarity });
        }
        let off = octaves(found, bpm);
        let mut next = (bpm, false);
        if off.abs() < SAME {
            self.lead = 0;
            next.0 = bpm + 0.35 * (found - bpm);
        } else if halved && (off - 1.0).abs() < SAME {
            self.lead = 0;
        } else if self.takes_over(found, scores[best], scores[nearest(bpm)], off, confidence) {
            next = (found, true);
        }
        Some(Pick::Tempo { bpm: next.0, is_new: next.1, clarity })
    }

    /// How well each tempo explains the onsets, and how clear the best is before the prior.
    fn scores(&self) -> ([f64; TEMPOS], f64) {
        let at = |lag: f64| {
            let lag = lag.min((LAGS - 2) as f64);
            let (whole, part) = (lag as usize, lag.fract());
            (self.correlation[whole] * (1.0 - part) + self.correlation[whole + 1] * part) / self.correlation[0]
        };
        let mut clearest = 0.0f64;
        let scores = std::array::from_fn(|i| {
            let lag = 6000.0 / tempo(i);
            let sum: f64 = WEIGHTS.iter().zip(1..).map(|(weight, beats)| weight * at(f64::from(beats) * lag)).sum();
            let score = (sum / WEIGHTS.iter().sum::<f64>()).max(0.0);
            clearest = clearest.max(score);
            score * self.prior[i]
        });
        (scores, (clearest / 0.45).min(1.0))
    }

    /// Whether a different tempo has led for long enough. Double, half and three to two need longer, and a clearer lead.
    fn takes_over(&mut self, found: f64, best: f64, current: f64, off: f64, confidence: f64) -> bool {
        let related = [1.0, -1.0, 0.585, -0.585].iter().any(|relation| (off - relation).abs() < SAME);
        if best <= if related { 1.15 } else { 1.05 } * current {
            self.lead = 0;
            return false;
        }
        let goes_on = self.candidate > 0.0 && octaves(found, self.candidate).abs() < SAME;
        self.lead = if goes_on { self.lead + 1 } else { 1 };
        self.candidate = found;
        let needed = match (confidence < 0.3, related) {
            (true, true) => 5,
            (true, false) => 3,
            (false, true) => 20,
            (false, false) => 8,
        };
        let leads = self.lead >= needed;
        if leads {
            self.lead = 0;
        }
        leads
    }
}

/// The place of a tempo in the table.
fn nearest(bpm: f64) -> usize {
    let place = (bpm - SLOWEST) / STEP;
    // Half way between two, the lower one.
    ((place - 0.5).ceil().max(0.0) as usize).min(TEMPOS - 1)
}

/// The best place, and its tempo by a parabola through its neighbours.
fn peak(scores: &[f64; TEMPOS]) -> (usize, f64) {
    let best = (0..TEMPOS).fold(0, |best, i| if scores[i] > scores[best] { i } else { best });
    let mut bpm = tempo(best);
    if best > 0 && best < TEMPOS - 1 {
        let (left, right) = (scores[best - 1], scores[best + 1]);
        let bend = left - 2.0 * scores[best] + right;
        if bend < 0.0 {
            bpm += STEP * 0.5 * (left - right) / bend;
        }
    }
    (best, bpm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tempos_have_places() {
        for (bpm, place) in
            [(60.0, 0), (60.2, 0), (60.25, 0), (60.3, 1), (120.0, 120), (180.0, 240), (30.0, 0), (400.0, 240)]
        {
            assert_eq!(nearest(bpm), place, "{bpm}");
        }
        let mut scores = [0.0; TEMPOS];
        scores[99..102].copy_from_slice(&[0.5, 1.0, 0.7]);
        let (best, bpm) = peak(&scores);
        assert!(best == 100 && (bpm - 110.0625).abs() < 1e-9, "{best} {bpm}");
    }

    #[test]
    fn another_tempo_must_lead_for_a_while() {
        let mut tempo = Tempo::default();
        let pick = |tempo: &mut Tempo, found: f64| tempo.takes_over(found, 2.0, 1.0, octaves(found, 120.0), 0.9);
        assert_eq!((0..20).position(|_| pick(&mut tempo, 140.0)), Some(7));
        assert_eq!((0..40).position(|_| pick(&mut tempo, 60.0)), Some(19), "half the tempo");
        assert!(!tempo.takes_over(140.0, 1.0, 1.0, 0.2, 0.9) && tempo.lead == 0, "no better than the present one");
    }
}
