//! Easing curves, fades and smooth wandering: pure functions of their arguments.

pub use crate::params::Ease;

impl Ease {
    /// Eased position of `t`, both 0 to 1.
    pub fn apply(self, t: f64) -> f64 {
        let t = t.clamp(0.0, 1.0);
        match self {
            Ease::Linear => t,
            Ease::Smooth => t * t * t * (t * (t * 6.0 - 15.0) + 10.0),
            Ease::Hold => Ease::Smooth.apply((t - 0.25) * 2.0),
        }
    }
}

/// A value that goes from 1 to 0 in `total_secs`, softly at both ends: the weight of what is fading out.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fade {
    left_secs: f64,
    total_secs: f64,
}

impl Fade {
    pub fn start(total_secs: f64) -> Self {
        Fade { left_secs: total_secs.max(0.0), total_secs: total_secs.max(0.0) }
    }

    pub fn step(&mut self, dt: f64) {
        self.left_secs = (self.left_secs - dt).max(0.0);
    }

    /// 1 at the start, 0 at the end.
    pub fn weight(&self) -> f64 {
        if self.total_secs > 0.0 { Ease::Smooth.apply(self.left_secs / self.total_secs) } else { 0.0 }
    }

    pub fn running(&self) -> bool {
        self.left_secs > 0.0
    }
}

/// Wandering angle of one dimension at `phase`: two sines of incommensurate rates, 0 at phase 0, within ±1.5.
///
/// `rates` are in radians per unit of phase. Many dimensions with different rates never come to rest at the same time, so
/// the whole neither stalls nor jumps, and runs backwards as well as forwards.
pub fn wander(phase: f64, rates: [f64; 2]) -> f64 {
    (phase * rates[0]).sin() + 0.5 * (phase * rates[1]).sin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easing_reaches_both_ends_and_never_goes_back() {
        for ease in [Ease::Linear, Ease::Smooth, Ease::Hold] {
            assert_eq!((ease.apply(-1.0), ease.apply(0.0), ease.apply(1.0), ease.apply(2.0)), (0.0, 0.0, 1.0, 1.0));
            let steps: Vec<f64> = (0..=100).map(|i| ease.apply(f64::from(i) / 100.0)).collect();
            assert!(steps.is_sorted(), "{ease:?} goes back");
        }
    }

    #[test]
    fn a_fade_ends_on_time() {
        let mut fade = Fade::start(2.0);
        assert_eq!(fade.weight(), 1.0);
        fade.step(1.0);
        assert_eq!(fade.weight(), 0.5);
        fade.step(1.0);
        assert!(!fade.running() && fade.weight() == 0.0);
        assert_eq!(Fade::start(0.0).weight(), 0.0);
    }
}
