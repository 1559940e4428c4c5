//! The octave rule: drums on every second beat only mean that the tempo is half of what it seems.

/// Beats after which the rule applies.
const BEATS: u32 = 8;
/// Tempos below this are not halved.
const FROM_BPM: f64 = 120.0;

/// Compares the drums of even and odd beats.
#[derive(Clone, Copy, Debug, Default)]
pub struct Fold {
    /// Mean peak of the drums at even and odd beats.
    peaks: [f64; 2],
    /// Which of the two comes next.
    odd: usize,
    /// The peak in the current window, and whether one is open.
    peak: f64,
    in_window: bool,
    beats: u32,
    halved: bool,
}

impl Fold {
    /// One hop: the drums, and whether it is near a beat. `Some` when the tempo must be halved: whether the beat that
    /// has just passed was one of the strong ones.
    pub fn hop(&mut self, drums: f64, near: bool, bpm: f64) -> Option<bool> {
        if near {
            self.peak = self.peak.max(drums);
            self.in_window = true;
            return None;
        }
        if !std::mem::take(&mut self.in_window) {
            return None;
        }
        let now = self.odd;
        self.peaks[now] += if self.beats >= BEATS { 0.25 } else { 0.5 } * (self.peak - self.peaks[now]);
        self.odd = 1 - now;
        self.peak = 0.0;
        self.beats += 1;
        let [even, odd] = self.peaks;
        let halves = self.beats >= BEATS && bpm >= FROM_BPM && even.min(odd) < 0.3 * even.max(odd);
        if !halves {
            return None;
        }
        let strong_now = self.peaks[now] >= self.peaks[1 - now];
        *self = Fold { halved: true, ..Fold::default() };
        Some(strong_now)
    }

    /// Whether the rule has halved the current tempo: doubling it again is refused.
    pub fn has_halved(&self) -> bool {
        self.halved
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds `count` beats with drums of these strengths in turn; the beat at which the tempo is halved.
    fn halved_at(strengths: [f64; 2], bpm: f64, count: usize) -> Option<(usize, bool)> {
        let mut fold = Fold::default();
        (0..count).find_map(|beat| {
            let strong = (0..4).find_map(|hop| fold.hop(strengths[beat % 2], hop == 0, bpm));
            strong.map(|strong| (beat + 1, strong))
        })
    }

    #[test]
    fn drums_on_every_second_beat_halve_the_tempo() {
        assert_eq!(halved_at([1.0, 0.1], 140.0, 20), Some((8, false)));
        assert_eq!(halved_at([0.1, 1.0], 140.0, 20), Some((8, true)));
        assert_eq!(halved_at([1.0, 0.8], 140.0, 20), None, "a beat is a beat");
        assert_eq!(halved_at([1.0, 0.1], 90.0, 20), None, "slow enough");
    }
}
