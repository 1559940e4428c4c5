//! The low-pass filters of a layer: the stored ones, else designed as the original code does.
//!
//! Kaiser windows with the attenuation that taps and transition width allow (`design_lowpass_filter` of stylegan3).

use std::f64::consts::PI;

use super::geometry::{Band, Geometry, Steps};
use super::{no_filter, unsupported};
use crate::engine::plan::Weights;
use crate::network::NetworkError;
use crate::network::checkpoint::Tensors;

/// Up filter, down filter, and whether the down filter is a (radial) matrix.
pub fn of(
    at: &Tensors,
    geometry: Option<&Geometry>,
    index: usize,
    steps: &Steps,
) -> Result<(Weights, Weights, bool), NetworkError> {
    let rate = geometry.map(|g| g.between(index));
    let bands = geometry.map(|g| g.layer(index));
    let one = |name: &str, taps: usize, band: Option<Band>| -> Result<Weights, NetworkError> {
        match (at.shape(name), taps, band.zip(rate)) {
            (Some(&[stored]), ..) if stored == taps => Ok(at.get(name, &[taps])?.into()),
            (Some(shape), ..) => Err(unsupported(at, name, format!("expected {taps} taps, found {shape:?}"))),
            (None, 1, _) => Ok(no_filter()),
            (None, taps, Some((band, rate))) => Ok(kaiser_lowpass(taps, band, rate).into()),
            (None, taps, None) => Err(unsupported(at, name, format!("missing ({taps} taps)"))),
        }
    };
    let up = one("up_filter", steps.up_taps, bands.map(|b| b.0))?;
    if let Some(&[height, width]) = at.shape("down_filter") {
        if (height, width) != (steps.down_taps, steps.down_taps) {
            let what = format!("expected {0} x {0} taps, found {height} x {width}", steps.down_taps);
            return Err(unsupported(at, "down_filter", what));
        }
        return Ok((up, at.get("down_filter", &[height, width])?.into(), true));
    }
    Ok((up, one("down_filter", steps.down_taps, bands.map(|b| b.1))?, false))
}

/// A low-pass filter of `taps` taps and sum 1 for samples at `rate`.
fn kaiser_lowpass(taps: usize, band: Band, rate: f64) -> Vec<f32> {
    let last = taps as f64 - 1.0;
    let width = 2.0 * band.half_width;
    let attenuation = 2.285 * last * PI * width / (rate / 2.0) + 7.95;
    let beta = match attenuation {
        a if a > 50.0 => 0.1102 * (a - 8.7),
        a if a > 21.0 => 0.5842 * (a - 21.0).powf(0.4) + 0.07886 * (a - 21.0),
        _ => 0.0,
    };
    let filter: Vec<f64> = (0..taps)
        .map(|k| {
            let x = PI * 2.0 * band.cutoff * (k as f64 - last / 2.0) / rate;
            let sinc = if x == 0.0 { 1.0 } else { x.sin() / x };
            let side = 2.0 * k as f64 / last - 1.0;
            sinc * bessel_i0(beta * (1.0 - side * side).max(0.0).sqrt())
        })
        .collect();
    let sum: f64 = filter.iter().sum();
    filter.into_iter().map(|f| (f / sum) as f32).collect()
}

/// The modified Bessel function of the first kind and order 0, by its series.
fn bessel_i0(x: f64) -> f64 {
    let (mut term, mut sum) = (1.0, 1.0);
    for k in 1..64 {
        term *= (x / 2.0 / f64::from(k)).powi(2);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bessel_i0_has_its_tabulated_values() {
        for (x, expected) in [(0.0, 1.0), (1.0, 1.266_065_877_752_008), (5.0, 27.239_871_823_604_44)] {
            assert!((bessel_i0(x) - expected).abs() < 1e-12 * expected, "{x}");
        }
    }

    #[test]
    fn filters_are_symmetric_and_keep_the_mean() {
        let filter = kaiser_lowpass(12, Band { cutoff: 2.0, half_width: 6.0, rate: 16.0, size: 36 }, 32.0);
        assert!((filter.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        for k in 0..6 {
            assert!((filter[k] - filter[11 - k]).abs() < 1e-7, "{k}");
        }
    }
}
