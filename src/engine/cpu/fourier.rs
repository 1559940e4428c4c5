//! The input of StyleGAN3: Fourier features, moved by w and by the player, and the matrix that mixes them.
//!
//! By `sin(a + b) = sin a·cos b + cos a·sin b`, a channel only needs the sines of its rows and columns. Nothing is
//! computed while w and the transform stay the same.

use std::f64::consts::TAU;

use pulp::{Simd, WithSimd};

use super::memory::{Floats, Map};
use super::product::{Packed, Product, Rows};
use super::simd::{fma, load, store};
use super::{Frame, Stage};
use crate::engine::Transform;
use crate::engine::plan::{FourierInput, Plan};

/// A Fourier input, prepared.
pub struct Fourier {
    op: FourierInput,
    weight: Packed,
    /// The waves, before the matrix is applied.
    features: Map,
    /// `[W, 2, padded C]`: sine and cosine along x, times the amplitude.
    columns: Floats,
    /// `[H, 2, padded C]`: cosine and sine along y.
    rows: Floats,
    /// The inputs that `out` was computed from.
    key: Option<([f32; 4], Transform)>,
}

impl Fourier {
    pub fn new(plan: &Plan, op: &FourierInput, lanes: usize) -> Fourier {
        let (out, channels) = (plan.get(op.out), op.phases.len());
        let features = Map::new(channels, out.height, out.width, lanes);
        let at = |_: usize, i: usize, o: usize| op.weight[o * channels + i];
        Fourier {
            weight: Packed::new(1, channels, out.channels, lanes, at),
            columns: Floats::new(2 * out.width * features.padded),
            rows: Floats::new(2 * out.height * features.padded),
            features,
            op: op.clone(),
            key: None,
        }
    }

    /// `affine(w)` divided by the length of its first two numbers: (r_c, r_s, t_x, t_y).
    fn pose(&self, ws: &[f32]) -> [f32; 4] {
        let affine = &self.op.affine;
        let w = &ws[self.op.ws_index * affine.inputs..][..affine.inputs];
        let mut t = [0.0; 4];
        for (t, (row, bias)) in t.iter_mut().zip(affine.weight.chunks_exact(affine.inputs).zip(&affine.bias)) {
            *t = row.iter().zip(w).map(|(a, b)| a * b).sum::<f32>() + bias;
        }
        let length = t[0].hypot(t[1]);
        t.map(|t| t / length)
    }

    /// Fills the sines of rows and columns.
    fn waves(&mut self, [r_c, r_s, t_x, t_y]: [f32; 4], transform: Transform) {
        let [r_c, r_s, t_x, t_y] = [r_c, r_s, t_x, t_y].map(f64::from);
        let [[a, b, u_x], [c, d, u_y]] = transform.inverse;
        // Rotation · translation by −t · the player's.
        let (x, y) = (u_x - t_x, u_y - t_y);
        let shift = [r_c * x - r_s * y, r_s * x + r_c * y];
        let linear = [[r_c * a - r_s * c, r_c * b - r_s * d], [r_s * a + r_c * c, r_s * b + r_c * d]];
        let (rate, band) = (f64::from(self.op.sampling_rate), f64::from(self.op.bandwidth));
        let (width, height, padded) = (self.features.width, self.features.height, self.features.padded);
        let place = |i: usize, n: usize| (i as f64 + 0.5 - n as f64 / 2.0) / rate;
        let (columns, rows) = (self.columns.as_mut_slice(), self.rows.as_mut_slice());
        for (channel, (f, phase)) in self.op.freqs.as_chunks::<2>().0.iter().zip(self.op.phases.iter()).enumerate() {
            let f = f.map(f64::from);
            let phase = f64::from(*phase) + f[0] * shift[0] + f[1] * shift[1];
            let f_x = f[0] * linear[0][0] + f[1] * linear[1][0];
            let f_y = f[0] * linear[0][1] + f[1] * linear[1][1];
            let amplitude = (1.0 - (f_x.hypot(f_y) - band) / (rate / 2.0 - band)).clamp(0.0, 1.0);
            for i in 0..width {
                let (sin, cos) = (TAU * f_x * place(i, width)).sin_cos();
                columns[2 * i * padded + channel] = (amplitude * sin) as f32;
                columns[(2 * i + 1) * padded + channel] = (amplitude * cos) as f32;
            }
            for i in 0..height {
                let (sin, cos) = (TAU * (f_y * place(i, height) + phase)).sin_cos();
                rows[2 * i * padded + channel] = cos as f32;
                rows[(2 * i + 1) * padded + channel] = sin as f32;
            }
        }
    }
}

impl Stage for Fourier {
    fn run(&mut self, frame: &Frame) {
        let key = (self.pose(frame.inputs.ws), self.op.transform.of(frame.inputs.transform));
        if self.key == Some(key) {
            return;
        }
        self.waves(key.0, key.1);
        self.key = Some(key);
        let (stage, out) = (&*self, frame.map(self.op.out.0));
        frame.turn.run(out.height, &|y, _| frame.isa.run(Row { stage, out, y }));
    }
}

/// One row of features and of the output.
struct Row<'a> {
    stage: &'a Fourier,
    out: &'a Map,
    y: usize,
}

impl WithSimd for Row<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Row { stage, out, y } = self;
        let (features, weight) = (&stage.features, &stage.weight);
        let padded = features.padded;
        // SAFETY: tables have two vectors of channels for each row and column; only this task writes its rows.
        unsafe {
            let row = stage.rows.ptr().add(2 * y * padded);
            for x in 0..features.width {
                let (column, to) = (stage.columns.ptr().add(2 * x * padded), features.ptr(y as isize, x as isize));
                for v in (0..padded).step_by(S::F32_LANES) {
                    let cosine = simd.mul_f32s(load::<S>(column.add(padded + v)), load::<S>(row.add(padded + v)));
                    store::<S>(to.add(v), fma(simd, load::<S>(column.add(v)), load::<S>(row.add(v)), cosine));
                }
            }
            for panel in 0..weight.panels() {
                let product = Product {
                    a: features.data.ptr(),
                    a_rows: Rows::line(features.at(y as isize, 0), padded),
                    taps: &[0],
                    b: weight,
                    panel,
                    c: out.data.ptr(),
                    c_rows: Rows::line(out.at(y as isize, 0), out.padded),
                    count: out.width,
                };
                product.run(simd);
            }
        }
    }
}
