//! Styles and demodulation of all layers, at the start of a picture.
//!
//! Styles scale activations and demodulation scales outputs, so that weights stay constant:
//! `d[o] = 1/√(Σ_i q[o,i]·s[i]² + 1e-8)` with `q[o,i] = Σ_k weight[o,i,k]²`, made once at load.
//! A layer whose w has not changed keeps its styles.

use pulp::{Simd, WithSimd};

use super::memory::Floats;
use super::pool::Turn;
use super::simd::{Isa, fma, load};
use crate::engine::plan::{Op, Style};

/// Matrix rows per task.
const ROWS: usize = 32;

/// Style and demodulation of one layer.
pub struct Styled {
    ws_index: usize,
    affine: Matrix,
    /// `[C_in]`, padded with zeros to whole vectors.
    pub s: Floats,
    /// s², padded the same way.
    s_squared: Floats,
    demodulation: Option<Matrix>,
    /// `[C_out]`: gain·d, padded with zeros to whole vectors. Without demodulation, just the gain.
    pub alpha: Floats,
    gain: f32,
    /// Styles are divided by their root mean square. That cancels out except for the added 1e-8.
    normalized: bool,
    /// The w that the above was computed from; empty at first.
    w: Vec<f32>,
    changed: bool,
}

/// A matrix `[rows, columns]`, rows padded with zeros to whole vectors, and a bias.
pub struct Matrix {
    pub weight: Floats,
    bias: Vec<f32>,
    pub rows: usize,
    pub stride: usize,
}

impl Matrix {
    pub fn new(
        weight: impl Fn(usize, usize) -> f32,
        bias: &[f32],
        rows: usize,
        columns: usize,
        lanes: usize,
    ) -> Matrix {
        let stride = columns.next_multiple_of(lanes).max(lanes);
        let mut floats = Floats::new(rows * stride);
        for (row, out) in floats.as_mut_slice().chunks_exact_mut(stride).enumerate() {
            out[..columns].iter_mut().enumerate().for_each(|(column, v)| *v = weight(row, column));
        }
        Matrix { weight: floats, bias: bias.to_vec(), rows, stride }
    }
}

/// Σ a·b over two arrays of whole vectors.
pub struct Dot {
    pub a: *const f32,
    pub b: *const f32,
    pub len: usize,
}

impl WithSimd for Dot {
    type Output = f32;
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let mut sums = [simd.splat_f32s(0.0); 4];
        for at in (0..self.len).step_by(4 * S::F32_LANES) {
            for (u, sum) in sums.iter_mut().enumerate() {
                let at = at + u * S::F32_LANES;
                if at < self.len {
                    // SAFETY: both arrays have `len` numbers, a whole number of vectors.
                    let (a, b) = unsafe { (load::<S>(self.a.add(at)), load::<S>(self.b.add(at))) };
                    *sum = fma(simd, a, b, *sum);
                }
            }
        }
        let (x, y) = (simd.add_f32s(sums[0], sums[1]), simd.add_f32s(sums[2], sums[3]));
        simd.reduce_sum_f32s(simd.add_f32s(x, y))
    }
}

impl Styled {
    /// The style of a step that has one.
    pub fn new(op: &Op, style: &Style, lanes: usize) -> Styled {
        let (a, inputs) = (&style.affine, style.affine.outputs);
        let columns = if a.weight.is_empty() { 0 } else { a.inputs };
        let affine = Matrix::new(|o, i| a.weight[o * a.inputs + i], &a.bias, inputs, columns, lanes);
        let (demodulation, gain, outputs) = match op {
            Op::Synthesis(op) => {
                let taps = op.kernel * op.kernel;
                let outputs = op.bias.len();
                let square = |o: usize, i: usize| {
                    let at = (o * inputs + i) * taps;
                    op.weight[at..at + taps].iter().map(|w| w * w).sum::<f32>()
                };
                let q = op.demodulate.then(|| Matrix::new(square, &[], outputs, inputs, lanes));
                (q, op.gain, outputs)
            }
            Op::Filtered(op) => {
                let taps = op.kernel * op.kernel;
                let outputs = op.bias.len();
                let square = |o: usize, i: usize| {
                    let at = (o * inputs + i) * taps;
                    op.weight[at..at + taps].iter().map(|w| w * w).sum::<f32>()
                };
                let q = op.demodulate.then(|| Matrix::new(square, &[], outputs, inputs, lanes));
                (q, op.magnitude, outputs)
            }
            _ => (None, 1.0, 0),
        };
        let padded = inputs.next_multiple_of(lanes);
        let mut alpha = Floats::new(outputs.next_multiple_of(lanes));
        alpha.as_mut_slice()[..outputs].fill(gain);
        Styled {
            ws_index: style.ws_index,
            affine,
            s: Floats::new(padded),
            s_squared: Floats::new(padded),
            demodulation,
            alpha,
            gain,
            normalized: matches!(op, Op::Filtered(_)),
            w: Vec::new(),
            changed: false,
        }
    }
}

/// All styled layers of a program.
pub struct Styles {
    pub layers: Vec<Styled>,
    w_dim: usize,
    /// (layer, first row) of the affine and of the demodulation matrices.
    affine_tasks: Vec<(usize, usize)>,
    demodulation_tasks: Vec<(usize, usize)>,
    /// ws padded to whole vectors.
    ws: Floats,
    padded_w: usize,
}

impl Styles {
    pub fn new(layers: Vec<Styled>, num_ws: usize, w_dim: usize, lanes: usize) -> Styles {
        let blocks =
            |layer: usize, m: &Matrix| (0..m.rows).step_by(ROWS).map(move |row| (layer, row)).collect::<Vec<_>>();
        let affine_tasks = layers.iter().enumerate().flat_map(|(i, l)| blocks(i, &l.affine)).collect();
        let with = layers.iter().enumerate().filter_map(|(i, l)| Some((i, l.demodulation.as_ref()?)));
        let demodulation_tasks = with.flat_map(|(i, m)| blocks(i, m)).collect();
        let padded_w = w_dim.next_multiple_of(lanes);
        Styles { layers, w_dim, affine_tasks, demodulation_tasks, ws: Floats::new(num_ws * padded_w), padded_w }
    }

    /// Brings the styles of all layers up to date with ws `[num_ws, w_dim]`.
    pub fn update(&mut self, ws: &[f32], turn: &Turn, isa: Isa) {
        let (w_dim, padded_w) = (self.w_dim, self.padded_w);
        let mut changed = false;
        for layer in &mut self.layers {
            let w = &ws[layer.ws_index * w_dim..][..w_dim];
            layer.changed = layer.w != w;
            if layer.changed {
                layer.w.clear();
                layer.w.extend_from_slice(w);
                self.ws.as_mut_slice()[layer.ws_index * padded_w..][..w_dim].copy_from_slice(w);
                changed = true;
            }
        }
        if !changed {
            return;
        }
        let (layers, padded) = (&self.layers, &self.ws);
        turn.run(self.affine_tasks.len(), &|task, _| {
            let (layer, first) = self.affine_tasks[task];
            let layer = &layers[layer];
            let m = &layer.affine;
            for row in (first..m.rows.min(first + ROWS)).take_while(|_| layer.changed) {
                // SAFETY: rows have `stride` numbers, as a padded w has; each task writes different rows.
                unsafe {
                    let b = padded.ptr().add(layer.ws_index * padded_w);
                    let dot = isa.run(Dot { a: m.weight.ptr().add(row * m.stride), b, len: m.stride });
                    let s = dot + m.bias.get(row).copied().unwrap_or(0.0);
                    *layer.s.ptr().add(row) = s;
                    *layer.s_squared.ptr().add(row) = s * s;
                }
            }
        });
        turn.run(self.demodulation_tasks.len(), &|task, _| {
            let (layer, first) = self.demodulation_tasks[task];
            let layer = &layers[layer];
            let Some(m) = layer.demodulation.as_ref().filter(|_| layer.changed) else { return };
            // SAFETY: the styles are finished.
            let s_squared = unsafe { layer.s_squared.as_slice() };
            let epsilon = match layer.normalized {
                true => 1e-8 * s_squared.iter().sum::<f32>() / layer.affine.rows as f32,
                false => 1e-8,
            };
            for row in first..m.rows.min(first + ROWS) {
                // SAFETY: rows have `stride` numbers, as padded styles have; each task writes different rows.
                unsafe {
                    let a = m.weight.ptr().add(row * m.stride);
                    let dot = isa.run(Dot { a, b: layer.s_squared.ptr(), len: m.stride });
                    *layer.alpha.ptr().add(row) = layer.gain / (dot + epsilon).sqrt();
                }
            }
        });
    }
}
