//! What the show's tempo is of one that it follows, and what of it has been reported.

/// Most that the tempo can be above or below the one followed: 4 times, a quarter.
const MOST: f64 = 4.0;

#[derive(Clone, Debug)]
pub struct Ratio {
    /// 0.25, 0.5, 1, 2 or 4.
    factor: f64,
    /// The tempo reported last, in beats per minute.
    told: Option<f64>,
}

impl Default for Ratio {
    fn default() -> Self {
        Ratio { factor: 1.0, told: None }
    }
}

impl Ratio {
    pub fn factor(&self) -> f64 {
        self.factor
    }

    /// The show's tempo while the one followed is `bpm`, if it differs from the one reported last by more than the relative
    /// change `least`.
    pub fn news(&mut self, bpm: f64, least: f64) -> Option<f64> {
        let bpm = bpm * self.factor;
        let is_known = self.told.is_some_and(|told| (bpm / told - 1.0).abs() < least);
        (!is_known).then(|| *self.told.insert(bpm))
    }

    /// Reports the tempo again, after somebody else has changed it.
    pub fn tell_again(&mut self) {
        self.told = None;
    }

    /// Counts `by` times as many beats.
    pub fn scale(&mut self, by: f64) {
        self.factor = (self.factor * by).clamp(1.0 / MOST, MOST);
    }
}
