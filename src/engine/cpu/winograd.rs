//! Winograd convolutions: fewer multiplications for constant kernels.
//!
//! Along one axis, `m` outputs of a correlation with `r` taps are `Aᵀ[(G·g) ⊙ (Bᵀ·d)]` with `m + r − 1` products instead of
//! `m·r` (Winograd 1980; Lavin and Gray 2016). Both forms here use the points ±a, ±b and infinity, the 3-tap one also 0.
//! The points are chosen so that all constants stay near 1, which keeps rounding errors small. In two dimensions the
//! transforms are applied along y, then along x, and each product becomes a matrix product over tiles.
#![allow(clippy::needless_range_loop, reason = "transforms of two axes read one index and write the other")]

pub mod full;
pub mod same;
pub mod up;

use pulp::Simd;

use super::simd::fma;

/// Outputs of a tile along one axis.
pub const TILE: usize = 4;

const A: f64 = std::f64::consts::FRAC_1_SQRT_2;
const B: f64 = std::f64::consts::SQRT_2;
const A2: f64 = 0.5;
const B2: f64 = 2.0;

/// `G` for 3 taps: products 0 (point 0), 1, 2 (±a), 3, 4 (±b), 5 (infinity).
pub const KERNEL_3: [[f64; 3]; 6] = [
    [1.0 / (A2 * B2), 0.0, 0.0],
    [1.0 / (2.0 * A2 * (A2 - B2)), A / (2.0 * A2 * (A2 - B2)), A2 / (2.0 * A2 * (A2 - B2))],
    [1.0 / (2.0 * A2 * (A2 - B2)), -A / (2.0 * A2 * (A2 - B2)), A2 / (2.0 * A2 * (A2 - B2))],
    [1.0 / (2.0 * B2 * (B2 - A2)), B / (2.0 * B2 * (B2 - A2)), B2 / (2.0 * B2 * (B2 - A2))],
    [1.0 / (2.0 * B2 * (B2 - A2)), -B / (2.0 * B2 * (B2 - A2)), B2 / (2.0 * B2 * (B2 - A2))],
    [0.0, 0.0, 1.0],
];

/// `G` for 2 taps: products 0, 1 (±a), 2, 3 (±b), 4 (infinity).
pub const KERNEL_2: [[f64; 2]; 5] = [
    [1.0 / (2.0 * A * (A2 - B2)), A / (2.0 * A * (A2 - B2))],
    [-1.0 / (2.0 * A * (A2 - B2)), A / (2.0 * A * (A2 - B2))],
    [1.0 / (2.0 * B * (B2 - A2)), B / (2.0 * B * (B2 - A2))],
    [-1.0 / (2.0 * B * (B2 - A2)), B / (2.0 * B * (B2 - A2))],
    [0.0, 1.0],
];

/// The weight of one of the 36 products of two axes with 3 taps, `G·kernel·Gᵀ`; the kernel is `[3, 3]`.
fn weight_3(product: usize, kernel: &[f32]) -> f32 {
    let (gy, gx) = (KERNEL_3[product / KERNEL_3.len()], KERNEL_3[product % KERNEL_3.len()]);
    let row = |y: usize| (0..3).map(|x| gx[x] * f64::from(kernel[y * 3 + x])).sum::<f64>();
    (0..3).map(|y| gy[y] * row(y)).sum::<f64>() as f32
}

/// The constants in registers.
#[derive(Clone, Copy)]
pub struct Points<S: Simd> {
    a: S::f32s,
    b: S::f32s,
    a2: S::f32s,
    b2: S::f32s,
    a3: S::f32s,
    b3: S::f32s,
    minus_a: S::f32s,
    minus_b: S::f32s,
    minus_a2: S::f32s,
    minus_b2: S::f32s,
    /// −(a² + b²)
    minus_sum: S::f32s,
}

impl<S: Simd> Points<S> {
    #[inline(always)]
    pub fn new(simd: S) -> Self {
        let splat = |v: f64| simd.splat_f32s(v as f32);
        Points {
            a: splat(A),
            b: splat(B),
            a2: splat(A2),
            b2: splat(B2),
            a3: splat(A * A2),
            b3: splat(B * B2),
            minus_a: splat(-A),
            minus_b: splat(-B),
            minus_a2: splat(-A2),
            minus_b2: splat(-B2),
            minus_sum: splat(-A2 - B2),
        }
    }

    /// `Bᵀ·d` for 3 taps. a²·b² = 1 is left out.
    #[inline(always)]
    pub fn input_3(&self, simd: S, d: [S::f32s; 6]) -> [S::f32s; 6] {
        let (even_a, odd_a) = (fma(simd, d[2], self.minus_b2, d[4]), fma(simd, d[1], self.minus_b2, d[3]));
        let (even_b, odd_b) = (fma(simd, d[2], self.minus_a2, d[4]), fma(simd, d[1], self.minus_a2, d[3]));
        [
            fma(simd, d[2], self.minus_sum, simd.add_f32s(d[0], d[4])),
            fma(simd, odd_a, self.a, even_a),
            fma(simd, odd_a, self.minus_a, even_a),
            fma(simd, odd_b, self.b, even_b),
            fma(simd, odd_b, self.minus_b, even_b),
            fma(simd, d[3], self.minus_sum, simd.add_f32s(d[1], d[5])),
        ]
    }

    /// `Bᵀ·d` for 2 taps.
    #[inline(always)]
    pub fn input_2(&self, simd: S, d: [S::f32s; 5]) -> [S::f32s; 5] {
        let (even_a, odd_a) = (fma(simd, d[0], self.minus_b2, d[2]), fma(simd, d[1], self.minus_b2, d[3]));
        let (even_b, odd_b) = (fma(simd, d[0], self.minus_a2, d[2]), fma(simd, d[1], self.minus_a2, d[3]));
        [
            fma(simd, even_a, self.a, odd_a),
            fma(simd, even_a, self.minus_a, odd_a),
            fma(simd, even_b, self.b, odd_b),
            fma(simd, even_b, self.minus_b, odd_b),
            fma(simd, d[2], self.minus_sum, simd.add_f32s(d[0], d[4])),
        ]
    }

    /// `Aᵀ·m` for 2 taps.
    #[inline(always)]
    pub fn output_2(&self, simd: S, m: [S::f32s; 5]) -> [S::f32s; 4] {
        let (sum_a, difference_a) = (simd.add_f32s(m[0], m[1]), simd.sub_f32s(m[0], m[1]));
        let (sum_b, difference_b) = (simd.add_f32s(m[2], m[3]), simd.sub_f32s(m[2], m[3]));
        [
            simd.add_f32s(sum_a, sum_b),
            fma(simd, difference_a, self.a, simd.mul_f32s(difference_b, self.b)),
            fma(simd, sum_a, self.a2, simd.mul_f32s(sum_b, self.b2)),
            fma(simd, difference_a, self.a3, fma(simd, difference_b, self.b3, m[4])),
        ]
    }

    /// `Aᵀ·m` for 3 taps.
    #[inline(always)]
    pub fn output_3(&self, simd: S, m: [S::f32s; 6]) -> [S::f32s; 4] {
        let [first, rest @ ..] = m;
        let mut out = self.output_2(simd, rest);
        out[0] = simd.add_f32s(out[0], first);
        out
    }
}

/// How the tiles of a map are divided into tasks: runs of tiles within a tile row.
#[derive(Clone, Copy, Debug)]
pub struct Tiling {
    pub tiles_x: usize,
    pub tiles_y: usize,
    /// Tiles in a run; divides `tiles_x`.
    pub run: usize,
}

impl Tiling {
    /// Runs short enough to stay in the L2 cache at `floats_per_tile`.
    pub fn new(height: usize, width: usize, floats_per_tile: usize) -> Tiling {
        /// Half of the L2 cache of most machines.
        const FLOATS: usize = 160 * 1024;
        let (tiles_y, tiles_x) = (height / TILE, width / TILE);
        let mut run = tiles_x;
        while run % 2 == 0 && run > 8 && run * floats_per_tile > FLOATS {
            run /= 2;
        }
        Tiling { tiles_x, tiles_y, run }
    }

    pub fn runs(&self) -> usize {
        self.tiles_y * (self.tiles_x / self.run)
    }

    /// Tile row and first tile of a run.
    pub fn place(&self, run: usize) -> (usize, usize) {
        let per_row = self.tiles_x / self.run;
        (run / per_row, run % per_row * self.run)
    }
}

/// Weights with more floats than this are read once for all tiles together, not once per run.
pub const SHARED_WEIGHTS: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::Scalar128b;

    type V = <Scalar128b as Simd>::f32s;

    fn lane(v: V) -> f32 {
        bytemuck::cast::<V, [f32; 4]>(v)[0]
    }

    #[test]
    fn one_axis_agrees_with_the_definition() {
        let simd = Scalar128b;
        let points = Points::new(simd);
        let d = [0.3f32, -1.2, 0.7, 2.1, -0.4, 1.6];
        let g = [0.9f64, -0.5, 1.3];
        let product = |v: V, w: f64| simd.mul_f32s(v, simd.splat_f32s(w as f32));

        let input = points.input_3(simd, d.map(|x| simd.splat_f32s(x)));
        let weight = KERNEL_3.map(|row| row.iter().zip(&g).map(|(a, b)| a * b).sum::<f64>());
        let out = points.output_3(simd, std::array::from_fn(|i| product(input[i], weight[i])));
        for (j, found) in out.into_iter().enumerate() {
            let expected: f64 = (0..3).map(|k| g[k] * f64::from(d[j + k])).sum();
            assert!((f64::from(lane(found)) - expected).abs() < 1e-5, "3 taps, output {j}");
        }

        let input = points.input_2(simd, std::array::from_fn(|i| simd.splat_f32s(d[i])));
        let weight = KERNEL_2.map(|row| row[0] * g[0] + row[1] * g[1]);
        let out = points.output_2(simd, std::array::from_fn(|i| product(input[i], weight[i])));
        for (j, found) in out.into_iter().enumerate() {
            let expected: f64 = (0..2).map(|k| g[k] * f64::from(d[j + k])).sum();
            assert!((f64::from(lane(found)) - expected).abs() < 1e-5, "2 taps, output {j}");
        }
    }
}
