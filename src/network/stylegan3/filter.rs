//! The low-pass filters of a layer: stored in the file, or designed as in the original code.
//!
//! Kaiser windows, with the attenuation that the taps and the transition width allow (`design_lowpass_filter` of stylegan3).

use std::f64::consts::PI;

use super::geometry::{Band, Geometry, Steps};
use super::{no_filter, unsupported};
use crate::engine::plan::Weights;
use crate::network::NetworkError;
use crate::network::checkpoint::{Attribute, Tensors};

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
    if at.shape("down_filter").is_none() && steps.down_taps > 1 && is_radial(at, geometry, index)? {
        let Some((band, rate)) = bands.map(|b| b.1).zip(rate) else {
            let what = format!("missing (a radial filter of {0} x {0} taps)", steps.down_taps);
            return Err(unsupported(at, "down_filter", what));
        };
        return Ok((up, radial_lowpass(steps.down_taps, band, rate).into(), true));
    }
    Ok((up, one("down_filter", steps.down_taps, bands.map(|b| b.1))?, false))
}

/// Whether a filter missing from the file is radial: as its attributes say, else as in configuration R, in layers with 1x1
/// kernels that are not critically sampled.
fn is_radial(at: &Tensors, geometry: Option<&Geometry>, index: usize) -> Result<bool, NetworkError> {
    if let Some(radial) = at.attribute("down_radial").and_then(Attribute::as_f64) {
        return Ok(radial != 0.0);
    }
    let [_, _, kernel, _] = at.shape_of_rank("weight")?;
    Ok(kernel == 1 && geometry.is_some_and(|g| !g.is_critical(index)))
}

/// A low-pass filter with `taps` taps and sum 1, for samples at `rate`.
fn kaiser_lowpass(taps: usize, band: Band, rate: f64) -> Vec<f32> {
    let window = kaiser_window(taps, band, rate);
    let filter = (0..taps).map(|k| {
        let x = 2.0 * PI * band.cutoff * position(k, taps, rate);
        window[k] * if x == 0.0 { 1.0 } else { x.sin() / x }
    });
    of_sum_one(filter.collect())
}

/// A radial low-pass filter with `taps` x `taps` taps and sum 1: the jinc function under the same window along both axes.
fn radial_lowpass(taps: usize, band: Band, rate: f64) -> Vec<f32> {
    let window = kaiser_window(taps, band, rate);
    let filter = (0..taps * taps).map(|i| {
        let (j, k) = (i / taps, i % taps);
        let r = position(j, taps, rate).hypot(position(k, taps, rate));
        // J₁(2πfr)/r, which is πf at the centre; only an odd number of taps has a centre tap.
        let jinc = if r == 0.0 { PI * band.cutoff } else { bessel_j1(2.0 * PI * band.cutoff * r) / r };
        jinc * window[j] * window[k]
    });
    of_sum_one(filter.collect())
}

/// Position of tap `k`, in pictures from the filter's centre.
fn position(k: usize, taps: usize, rate: f64) -> f64 {
    (k as f64 - (taps as f64 - 1.0) / 2.0) / rate
}

fn of_sum_one(filter: Vec<f64>) -> Vec<f32> {
    let sum: f64 = filter.iter().sum();
    filter.into_iter().map(|f| (f / sum) as f32).collect()
}

fn kaiser_window(taps: usize, band: Band, rate: f64) -> Vec<f64> {
    let last = taps as f64 - 1.0;
    let width = 2.0 * band.half_width;
    let attenuation = 2.285 * last * PI * width / (rate / 2.0) + 7.95;
    let beta = match attenuation {
        a if a > 50.0 => 0.1102 * (a - 8.7),
        a if a > 21.0 => 0.5842 * (a - 21.0).powf(0.4) + 0.07886 * (a - 21.0),
        _ => 0.0,
    };
    let at = |k: usize| {
        let side = 2.0 * k as f64 / last - 1.0;
        bessel_i0(beta * (1.0 - side * side).max(0.0).sqrt())
    };
    (0..taps).map(at).collect()
}

/// The Bessel function of the first kind and order 1, from its integral `1/π·∫cos(t − x·sin t)dt` over 0..π by the
/// midpoint rule, which is exact to double precision here because the integrand is periodic.
fn bessel_j1(x: f64) -> f64 {
    const STEPS: u32 = 256;
    let at = |i: u32| (f64::from(i) + 0.5) * PI / f64::from(STEPS);
    (0..STEPS).map(|i| (at(i) - x * at(i).sin()).cos()).sum::<f64>() / f64::from(STEPS)
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
    fn bessel_j1_has_its_tabulated_values() {
        for (x, expected) in [(0.0, 0.0), (1.0, 0.440_050_585_744_933_5), (10.0, 0.043_472_746_168_861_44)] {
            assert!((bessel_j1(x) - expected).abs() < 1e-14, "{x}: {}", bessel_j1(x));
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
