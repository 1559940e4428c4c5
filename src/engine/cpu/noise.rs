//! Random per-layer noise: standard normal numbers from a counter, so that a pixel's number depends only on the seed, the
//! layer and the pixel.
//!
//! Pairs of 32-bit hashes become normal numbers by the Box-Muller method. The hash is the finaliser of MurmurHash3
//! (public domain). Logarithm and cosine are polynomials: the same bits on every machine, in loops that vectorise.

use pulp::{Simd, WithSimd};

use super::simd::Isa;

/// Fills `out` with the noise of pixels `first`, `first + 1`, … of layer `layer`.
pub fn fill(isa: Isa, out: &mut [f32], seed: u64, layer: usize, first: usize) {
    isa.run(Fill { out, seed, layer, first });
}

struct Fill<'a> {
    out: &'a mut [f32],
    seed: u64,
    layer: usize,
    first: usize,
}

impl WithSimd for Fill<'_> {
    type Output = ();
    // Plain code, which the compiler vectorises for the instruction set of the function it is inlined into.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let low = mix(self.seed as u32 ^ mix((self.layer as u32).wrapping_mul(0x9e37_79b9)));
        let key = mix(low ^ mix((self.seed >> 32) as u32 ^ 0x5bd1_e995));
        for (i, out) in self.out.iter_mut().enumerate() {
            *out = normal(key, (self.first + i) as u32);
        }
    }
}

/// A bijection of 32-bit numbers that removes all patterns.
#[inline(always)]
fn mix(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x85eb_ca6b);
    x = (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

/// The normal number of one pixel: √(−2·ln u)·cos(2π·v).
#[inline(always)]
fn normal(key: u32, pixel: u32) -> f32 {
    let a = mix(pixel.wrapping_mul(2).wrapping_add(key));
    let b = mix(pixel.wrapping_mul(2).wrapping_add(1).wrapping_add(key));
    // u in (0, 1], never 0.
    let u = ((a >> 8) + 1) as f32 * (1.0 / 16_777_216.0);
    // v in −½..½ turns.
    let v = ((b >> 8) as i32 - 8_388_608) as f32 * (1.0 / 16_777_216.0);
    (-2.0 * ln(u)).max(0.0).sqrt() * cos_turns(v)
}

/// ln(x) for x in (0, 1], to about 1e-6: x = m·2^e with m in √½..√2, then a series in (m − 1)/(m + 1).
#[inline(always)]
fn ln(x: f32) -> f32 {
    let bits = x.to_bits().wrapping_sub(0x3f35_04f3);
    let e = (bits as i32) >> 23;
    let m = f32::from_bits((bits & 0x007f_ffff) + 0x3f35_04f3);
    let t = (m - 1.0) / (m + 1.0);
    let t2 = t * t;
    let series = 2.0 * t * (1.0 + t2 * (1.0 / 3.0 + t2 * (0.2 + t2 * (1.0 / 7.0 + t2 * (1.0 / 9.0)))));
    e as f32 * std::f32::consts::LN_2 + series
}

/// cos(2π·x) for x in −½..½, to about 1e-6: the sine series of the distance from a quarter turn.
#[inline(always)]
fn cos_turns(x: f32) -> f32 {
    let y = (0.25 - x.abs()) * std::f32::consts::TAU;
    let y2 = y * y;
    y * (1.0
        + y2 * (-1.0 / 6.0
            + y2 * (1.0 / 120.0 + y2 * (-1.0 / 5040.0 + y2 * (1.0 / 362_880.0 - y2 * (1.0 / 39_916_800.0))))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_agree_with_the_library() {
        for i in 1..=10_000u32 {
            let x = i as f32 / 10_000.0;
            assert!((ln(x) - x.ln()).abs() < 2e-6, "ln {x}: {} {}", ln(x), x.ln());
            let turns = x - 0.5;
            let cos = (f64::from(turns) * std::f64::consts::TAU).cos() as f32;
            assert!((cos_turns(turns) - cos).abs() < 2e-6, "cos {turns}");
        }
    }

    #[test]
    fn noise_is_standard_normal_and_differs_by_seed_and_layer() {
        let noise = |seed, layer| {
            let mut out = vec![0.0; 65536];
            fill(Isa::best(), &mut out, seed, layer, 0);
            out
        };
        let a = noise(1, 0);
        let moment = |p: i32| a.iter().map(|v| f64::from(*v).powi(p)).sum::<f64>() / a.len() as f64;
        assert!(moment(1).abs() < 0.02, "mean {}", moment(1));
        assert!((moment(2) - 1.0).abs() < 0.03, "variance {}", moment(2));
        assert!((moment(4) - 3.0).abs() < 0.2, "kurtosis {}", moment(4));
        for other in [noise(2, 0), noise(1, 1), noise(1 << 32, 0)] {
            let correlation = a.iter().zip(&other).map(|(x, y)| f64::from(x * y)).sum::<f64>() / a.len() as f64;
            assert!(correlation.abs() < 0.02, "{correlation}");
        }
    }

    #[test]
    fn a_pixel_has_its_number_wherever_the_cut_is() {
        let mut whole = vec![0.0; 1000];
        fill(Isa::best(), &mut whole, 7, 3, 0);
        for isa in Isa::available() {
            let mut part = vec![0.0; 333];
            fill(isa, &mut part, 7, 3, 501);
            assert_eq!(part[..], whole[501..834], "{isa}");
        }
    }
}
