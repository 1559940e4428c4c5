//! Onsets: where something begins to sound, and whether it is a kick, a snare or a hat.
//!
//! The measure is spectral flux over logarithmic bands, against the neighbouring bands two hops ago so that vibrato does
//! not count (Böck and Widmer, "Maximum filter vibrato suppression for onset detection", 2013). A threshold adapts to
//! recent peaks. An onset is reported at once; its kind one hop later, when it can be told.

use std::ops::Range;

use super::bands::Share;
use super::{HOP_SECS, ema};

/// Third octaves from 40 Hz to 16.3 kHz.
const BANDS: usize = 26;
/// Everything, low, mid, high.
const KINDS: usize = 4;

/// Lowest threshold.
const LOWEST: [f64; KINDS] = [0.35, 0.80, 0.40, 0.35];
/// The threshold as a share of the recent peak.
const OF_PEAK: [f64; KINDS] = [0.30, 0.45, 0.72, 0.30];
/// The threshold as a multiple of the recent mean.
const OF_MEAN: f64 = 1.5;
/// Time constants of the peaks' decay, seconds.
const PEAK_SECS: [f64; KINDS] = [2.0, 2.0, 4.0, 2.0];
/// Hops that must pass after a hit before the next.
const REFRACTORY: [u64; KINDS] = [5, 10, 10, 5];
/// A hat has so much more flux above 7.5 kHz than in the middle: a snare is no hat.
const HAT_OVER_MID: f64 = 2.2;
/// Hops of sound before anything is reported: the beginning of a sound is an onset of everything.
const SETTLE_HOPS: u32 = 10;
/// Hops of silence after which the sound begins anew.
const SILENCE_HOPS: u32 = 100;

/// What began in this hop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// Anything.
    pub onset: bool,
    pub kick: bool,
    pub snare: bool,
    pub hat: bool,
}

/// Mean flux over everything, and over low, mid and high bands.
pub type Flux = [f64; KINDS];

/// Finds onsets.
pub struct Onsets {
    /// Low bands, from the long spectrum: in the short one, beating partials of a drone would look like kicks.
    long: Vec<Share>,
    /// The other bands, from the short spectrum.
    short: Vec<Share>,
    low: Range<usize>,
    mid: Range<usize>,
    high: Range<usize>,
    /// Logarithmic bands one hop ago and two hops ago.
    last: [f64; BANDS],
    before: [f64; BANDS],
    mean: Flux,
    peak: Flux,
    peak_decay: Flux,
    mean_follow: f64,
    /// Flux and threshold of the last hop.
    previous: Flux,
    previous_threshold: Flux,
    /// The hop of the last hit of each kind, and the hop in which each kind crossed its threshold.
    hit_at: [Option<u64>; KINDS],
    crossed_at: [Option<u64>; KINDS],
    /// Hops since the sound began; 0 in silence.
    open_hops: u32,
    silent_hops: u32,
    hop: u64,
}

impl Onsets {
    /// For spectra over `long` and `short` samples.
    pub fn new(long: usize, short: usize) -> Self {
        let edge = |i: usize| 40.0 * 2f64.powf(i as f64 / 3.0);
        let centre = |i: usize| (edge(i) * edge(i + 1)).sqrt();
        let count = |below_hz: f64| (0..BANDS).filter(|&i| centre(i) < below_hz).count();
        let share = |size: usize| move |i: usize| Share::new(size, edge(i), edge(i + 1));
        let low = 0..count(130.0);
        Onsets {
            long: low.clone().map(share(long)).collect(),
            short: (low.end..BANDS).map(share(short)).collect(),
            low,
            mid: count(600.0)..count(6000.0),
            high: count(7500.0)..BANDS,
            last: [0.0; BANDS],
            before: [0.0; BANDS],
            mean: [0.0; KINDS],
            peak: [0.0; KINDS],
            peak_decay: PEAK_SECS.map(|secs| (-HOP_SECS / secs).exp()),
            mean_follow: ema(0.7),
            previous: [0.0; KINDS],
            previous_threshold: [0.0; KINDS],
            hit_at: [None; KINDS],
            crossed_at: [None; KINDS],
            open_hops: 0,
            silent_hops: 0,
            hop: 0,
        }
    }

    /// One hop: both power spectra, whether anything is heard, and the loudness of everything in dB of full scale.
    pub fn hop(&mut self, long: &[f32], short: &[f32], heard: bool, reference_db: f64) -> (Flux, Hits) {
        self.hop += 1;
        let flux = self.flux(long, short, heard, reference_db);
        let live = self.is_live(heard);
        let adapted = |k: usize| LOWEST[k].max(OF_PEAK[k] * self.peak[k]).max(OF_MEAN * self.mean[k]);
        let threshold: Flux = std::array::from_fn(adapted);
        let hits = if live { self.hits(&flux, &threshold) } else { Hits::default() };
        for (k, &now) in flux.iter().enumerate() {
            if live {
                self.peak[k] = now.max(self.peak[k] * self.peak_decay[k]);
            }
            self.mean[k] += self.mean_follow * (now - self.mean[k]);
        }
        self.previous = flux;
        self.previous_threshold = threshold;
        (flux, hits)
    }

    /// How much each group of bands grew.
    fn flux(&mut self, long: &[f32], short: &[f32], heard: bool, reference_db: f64) -> Flux {
        let mut log = [0.0; BANDS];
        if heard {
            let scale = 1e4 / 10f64.powf(reference_db / 10.0);
            let low = self.long.iter().map(|share| share.energy(long));
            let other = self.short.iter().map(|share| share.energy(short));
            log.iter_mut().zip(low.chain(other)).for_each(|(log, energy)| *log = (1.0 + scale * energy).log10());
        }
        let mut grown = [0.0; BANDS];
        for (m, grown) in grown.iter_mut().enumerate() {
            let around = &self.before[m.saturating_sub(1)..(m + 2).min(BANDS)];
            *grown = (log[m] - around.iter().fold(0.0, |most: f64, &x| most.max(x))).max(0.0);
        }
        self.before = std::mem::replace(&mut self.last, log);
        let mean = |bands: Range<usize>| grown[bands.clone()].iter().sum::<f64>() / bands.len() as f64;
        [mean(0..BANDS), mean(self.low.clone()), mean(self.mid.clone()), mean(self.high.clone())]
    }

    /// Whether the sound has gone on for long enough.
    fn is_live(&mut self, heard: bool) -> bool {
        self.silent_hops = if heard { 0 } else { self.silent_hops.saturating_add(1) };
        let goes_on = (heard || self.open_hops > 0) && self.silent_hops < SILENCE_HOPS;
        self.open_hops = if goes_on { self.open_hops.saturating_add(1) } else { 0 };
        self.open_hops > SETTLE_HOPS
    }

    fn hits(&mut self, flux: &Flux, threshold: &Flux) -> Hits {
        let now = self.hop;
        let crosses = |k: usize| flux[k] > threshold[k] && self.previous[k] <= self.previous_threshold[k];
        let crossing: [bool; KINDS] = std::array::from_fn(crosses);
        // A kind is decided with the larger of two hops.
        let two: Flux = std::array::from_fn(|k| flux[k].max(self.previous[k]));
        let is_kind = [
            false,
            two[1] > threshold[1],
            two[2] > threshold[2],
            two[3] > threshold[3] && two[3] > HAT_OVER_MID * two[2],
        ];
        let mut hit = [false; KINDS];
        for k in 1..KINDS {
            hit[k] = self.crossed_at[k] == Some(now - 1) && is_kind[k] && self.may_hit(k);
            if crossing[k] {
                self.crossed_at[k] = Some(now);
            }
        }
        hit[0] = crossing.contains(&true) && self.may_hit(0);
        for (at, _) in self.hit_at.iter_mut().zip(hit).filter(|(_, hit)| *hit) {
            *at = Some(now);
        }
        let [onset, kick, snare, hat] = hit;
        Hits { onset, kick, snare, hat }
    }

    fn may_hit(&self, kind: usize) -> bool {
        self.hit_at[kind].is_none_or(|at| self.hop - at > REFRACTORY[kind])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hops of a spectrum that is silent but for bursts of 30 ms at these hops, in a range of bins of the long one.
    fn hits(bursts: &[u64], bins: Range<usize>) -> Vec<(u64, Hits)> {
        let mut onsets = Onsets::new(2048, 1024);
        let mut found = Vec::new();
        for hop in 1..=200 {
            let loud = bursts.iter().any(|&at| (at..at + 3).contains(&hop));
            let (mut long, mut short) = (vec![1e-7; 1025], vec![1e-7; 513]);
            if loud {
                long[bins.clone()].fill(1e-2);
                short[bins.start / 2..bins.end / 2].fill(1e-2);
            }
            let (_, hit) = onsets.hop(&long, &short, true, -20.0);
            if hit != Hits::default() {
                found.push((hop, hit));
            }
        }
        found
    }

    #[test]
    fn a_burst_is_an_onset_at_once_and_has_its_kind_one_hop_later() {
        let none = Hits::default();
        let onset = Hits { onset: true, ..none };
        let table = [
            (0..6, Hits { kick: true, ..none }),
            (30..240, Hits { snare: true, ..none }),
            (340..700, Hits { hat: true, ..none }),
        ];
        for (bins, kind) in table {
            assert_eq!(hits(&[50, 120], bins), [(50, onset), (51, kind), (120, onset), (121, kind)]);
        }
    }

    #[test]
    fn nothing_is_reported_twice_or_in_the_first_tenth_of_a_second() {
        let onsets = |bursts: &[u64]| hits(bursts, 0..6).iter().filter(|(_, hit)| hit.onset).count();
        assert_eq!(onsets(&[5]), 0);
        assert_eq!(onsets(&[50, 54]), 1, "40 ms apart");
        assert_eq!(onsets(&[50, 70]), 2);
    }
}
