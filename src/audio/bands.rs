//! Bands: which bins of a spectrum belong to which range of frequencies.

use super::RATE;

/// One range of frequencies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    pub name: &'static str,
    pub low_hz: f64,
    pub high_hz: f64,
}

const fn band(name: &'static str, low_hz: f64, high_hz: f64) -> Band {
    Band { name, low_hz, high_hz }
}

/// How many of [`BANDS`] are narrow; together they cover everything once.
pub const NARROW: usize = 8;

/// Eight narrow bands, then bass, mid and high.
pub const BANDS: [Band; 11] = [
    band("sub", 20.0, 60.0),
    band("bass", 60.0, 250.0),
    band("low mid", 250.0, 500.0),
    band("mid", 500.0, 2000.0),
    band("high mid", 2000.0, 4000.0),
    band("presence", 4000.0, 6000.0),
    band("brilliance", 6000.0, 10_000.0),
    band("air", 10_000.0, 20_000.0),
    band("all bass", 20.0, 250.0),
    band("all mid", 250.0, 4000.0),
    band("all high", 4000.0, 20_000.0),
];

/// How much of each bin of a spectrum lies in one range of frequencies.
#[derive(Clone, Debug)]
pub struct Share {
    first: usize,
    weights: Vec<f64>,
}

impl Share {
    /// For a spectrum over `size` samples. A bin covers the half bin on either side of its frequency.
    pub fn new(size: usize, low_hz: f64, high_hz: f64) -> Self {
        let width = f64::from(RATE) / size as f64;
        let share = |k: usize| {
            let (from, to) = ((k as f64 - 0.5) * width, (k as f64 + 0.5) * width);
            ((to.min(high_hz) - from.max(low_hz)) / width).max(0.0)
        };
        let bins = 0..=size / 2;
        let first = bins.clone().find(|&k| share(k) > 0.0).unwrap_or(0);
        let weights = (first..=size / 2).map(share).take_while(|&weight| weight > 0.0).collect();
        Share { first, weights }
    }

    /// The energy of `power` in the range.
    pub fn energy(&self, power: &[f32]) -> f64 {
        self.weights.iter().zip(&power[self.first..]).map(|(w, &p)| w * f64::from(p)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bin_counts_once() {
        let shares: Vec<Share> = BANDS.iter().map(|b| Share::new(2048, b.low_hz, b.high_hz)).collect();
        // A flat spectrum: energy is the width of the band in bins.
        let flat = [1.0; 1025];
        for (band, share) in BANDS.iter().zip(&shares) {
            let expected = (band.high_hz - band.low_hz) * 2048.0 / f64::from(RATE);
            assert!((share.energy(&flat) - expected).abs() < 1e-9, "{}", band.name);
        }
        for k in 1..800 {
            let mut one = [0.0; 1025];
            one[k] = 1.0;
            let narrow: f64 = shares[..NARROW].iter().map(|share| share.energy(&one)).sum();
            let wide: f64 = shares[NARROW..].iter().map(|share| share.energy(&one)).sum();
            assert!((narrow - wide).abs() < 1e-9 && narrow <= 1.0 + 1e-9, "bin {k}: {narrow} {wide}");
        }
    }
}
