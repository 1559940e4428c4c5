//! Moves what is heard in time, to make up for the delay of a sound card or of a screen.
//!
//! Later is a matter of waiting. Earlier is possible for the beat, which can be foretold; and for a track, which can be read
//! ahead.

use super::outputs::{COUNT, OUTPUTS, Values};
use super::{HOP_SECS, ema};

/// Most milliseconds, either way.
pub const MOST_MS: f64 = 500.0;
/// Hops that wait.
const HOPS: usize = 51;

/// The places of some outputs.
#[derive(Clone, Copy, Debug)]
struct Places {
    beat: usize,
    phase: usize,
    bpm: usize,
}

/// Delays values, or foretells the beat in them. Allocates nothing once built.
#[derive(Clone, Debug)]
pub struct Offset {
    waiting: Vec<Values>,
    /// Where the next values go.
    next: usize,
    places: Places,
    /// The foretold phase, and the beat that falls since it began.
    phase: f64,
    beat: f64,
}

impl Default for Offset {
    fn default() -> Self {
        let place = |signal| OUTPUTS.iter().position(|output| output.signal == signal).unwrap_or(0);
        let places = Places { beat: place("audio.beat"), phase: place("audio.phase"), bpm: place("audio.bpm") };
        Offset { waiting: vec![[0.0; COUNT]; HOPS], next: 0, places, phase: 0.0, beat: 0.0 }
    }
}

impl Offset {
    /// The values of a hop that the show gets `ms` milliseconds early, or late if negative. Early are the beat and its
    /// phase.
    pub fn hop(&mut self, values: &Values, ms: f64) -> Values {
        self.waiting[self.next] = *values;
        let late = ((-ms / 1e3 / HOP_SECS).round().max(0.0) as usize).min(HOPS - 1);
        let mut moved = self.waiting[(self.next + HOPS - late) % HOPS];
        self.next = (self.next + 1) % HOPS;
        if ms > 0.0 {
            self.foretell(&mut moved, ms / 1e3);
        }
        moved
    }

    fn foretell(&mut self, values: &mut Values, secs: f64) {
        let Places { beat, phase, bpm } = self.places;
        // An uncertain beat has neither.
        if values[phase] == 0.0 && values[beat] == 0.0 {
            (self.phase, self.beat) = (0.0, 0.0);
            return;
        }
        let bpm = OUTPUTS[bpm].shape.natural(values[bpm]);
        let ahead = (values[phase] + secs * bpm / 60.0).fract();
        let has_begun = ahead < self.phase - 0.5;
        self.beat = if has_begun { 1.0 } else { self.beat * (1.0 - ema(super::outputs::FALL_SECS)) };
        self.phase = ahead;
        (values[phase], values[beat]) = (ahead, self.beat);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(signal: &str) -> usize {
        OUTPUTS.iter().position(|output| output.signal == signal).unwrap()
    }

    #[test]
    fn late_is_late_by_as_many_hops() {
        for (ms, hops) in [(0.0, 0), (-40.0, 4), (-500.0, 50), (-9999.0, 50), (-4.0, 0)] {
            let mut offset = Offset::default();
            let given: Vec<f64> = (0..120).map(f64::from).collect();
            let got: Vec<f64> = given.iter().map(|x| offset.hop(&[*x; COUNT], ms)[0]).collect();
            assert!(got.iter().enumerate().all(|(i, x)| *x == i.saturating_sub(hops) as f64), "{ms}: {got:?}");
        }
    }

    #[test]
    fn a_beat_is_foretold() {
        let mut offset = Offset::default();
        let (beat, phase, bpm, level) =
            (place("audio.beat"), place("audio.phase"), place("audio.bpm"), place("audio.level"));
        // 120 bpm: a beat each 50 hops, at hop 0, 50, …
        let mut beats = Vec::new();
        for hop in 0..300 {
            let mut values = [0.0; COUNT];
            values[phase] = f64::from(hop % 50) / 50.0;
            values[beat] = if hop % 50 == 0 { 1.0 } else { 0.5 };
            values[bpm] = 0.5;
            values[level] = f64::from(hop);
            let moved = offset.hop(&values, 100.0);
            assert_eq!(moved[level], f64::from(hop), "levels are not");
            if moved[beat] == 1.0 {
                beats.push(hop);
            }
        }
        assert_eq!(beats, [40, 90, 140, 190, 240, 290], "a tenth of a second early");
        assert_eq!(offset.hop(&[0.0; COUNT], 100.0)[beat], 0.0, "no beat, none foretold");
    }
}
