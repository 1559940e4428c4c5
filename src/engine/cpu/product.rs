//! The matrix product at the heart of every convolution.
//!
//! `c[row][o] = Σ_tap Σ_k a[row + tap][k]·b[tap][k][o]`: rows are pixels or Winograd tiles, k input channels, o output
//! channels, which fill the vectors. `b` is packed once, at load. Sums run over k in a fixed order, so a result does not
//! depend on how the rows are split into blocks or among threads.
#![allow(clippy::needless_range_loop, reason = "plain indices become registers")]

use std::sync::Arc;

use pulp::Simd;
use rayon::prelude::*;

use super::memory::Floats;
use super::simd::{fma, load, prefetch, store};

/// Vectors of output channels that one pass over k computes.
const PANEL: usize = 2;
/// k is padded with zeros to a multiple of this.
pub const K_STEP: usize = 4;

/// Floats of a cache line.
const LINE: usize = 16;
/// How far ahead weights are asked for, in floats.
const AHEAD: usize = 1024;

/// A matrix `[taps, k, o]` in the order in which the kernel reads it: panels of two vectors of output channels, each with
/// all taps and k. The last panel has one vector if their number is odd.
pub struct Packed {
    /// Together with the other matrices of its layer.
    data: Arc<Floats>,
    /// Where this one starts in it.
    start: usize,
    taps: usize,
    k: usize,
    lanes: usize,
    /// Vectors of output channels.
    vectors: usize,
}

impl Packed {
    /// Packs `value(tap, k, o)`.
    pub fn new(
        taps: usize,
        k: usize,
        outputs: usize,
        lanes: usize,
        value: impl Fn(usize, usize, usize) -> f32 + Sync,
    ) -> Self {
        let value = |_, tap, i, o| value(tap, i, o);
        Packed::several(1, [taps, k, outputs], lanes, value).remove(0)
    }

    /// Packs `matrices` of `[taps, k, outputs]`, one after another in one piece of memory: `value(matrix, tap, k, o)`.
    pub fn several(
        matrices: usize,
        [taps, k, outputs]: [usize; 3],
        lanes: usize,
        value: impl Fn(usize, usize, usize, usize) -> f32 + Sync,
    ) -> Vec<Packed> {
        let (padded_k, vectors) = (k.next_multiple_of(K_STEP), outputs.div_ceil(lanes));
        let (len, panel_len) = (taps * padded_k * vectors * lanes, taps * padded_k * PANEL * lanes);
        let mut data = Floats::new(matrices * len);
        let fill = |matrix: usize, panel: usize, out: &mut [f32]| {
            for (row, out) in out.chunks_exact_mut(out.len() / (taps * padded_k)).enumerate() {
                let (tap, i) = (row / padded_k, row % padded_k);
                for (lane, out) in out.iter_mut().enumerate() {
                    let o = panel * PANEL * lanes + lane;
                    *out = if i < k && o < outputs { value(matrix, tap, i, o) } else { 0.0 };
                }
            }
        };
        data.as_mut_slice().par_chunks_exact_mut(len.max(1)).enumerate().for_each(|(matrix, out)| {
            out.chunks_mut(panel_len).enumerate().for_each(|(panel, out)| fill(matrix, panel, out));
        });
        let data = Arc::new(data);
        let packed = |matrix| Packed { data: data.clone(), start: matrix * len, taps, k: padded_k, lanes, vectors };
        (0..matrices).map(packed).collect()
    }

    /// Number of panels.
    pub fn panels(&self) -> usize {
        self.vectors.div_ceil(PANEL)
    }

    /// Vectors in a panel: two, or one in an odd last one.
    pub fn panel_vectors(&self, panel: usize) -> usize {
        (self.vectors - panel * PANEL).min(PANEL)
    }

    /// The first output channel of a panel.
    pub fn first_output(&self, panel: usize) -> usize {
        panel * PANEL * self.lanes
    }

    fn panel_start(&self, panel: usize) -> usize {
        self.start + panel * PANEL * self.lanes * self.taps * self.k
    }
}

/// Where the rows of a product are, in numbers from the start of their memory: row r is at
/// `start + (r / width)·row + (r % width)·step`, like the pixels of a picture `width` wide.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    pub start: usize,
    pub width: usize,
    pub row: usize,
    pub step: usize,
}

impl Rows {
    /// Rows at even distances.
    pub fn line(start: usize, step: usize) -> Rows {
        Rows { start, width: usize::MAX, row: 0, step }
    }

    #[inline(always)]
    fn at(&self, r: usize) -> usize {
        let (y, x) = if r < self.width { (0, r) } else { (r / self.width, r % self.width) };
        self.start + y * self.row + x * self.step
    }
}

/// One panel of a product, for `count` rows.
#[derive(Clone, Copy)]
pub struct Product<'a> {
    pub a: *const f32,
    pub a_rows: Rows,
    /// What each tap adds to the index of a row in `a`.
    pub taps: &'a [usize],
    pub b: &'a Packed,
    pub panel: usize,
    pub c: *mut f32,
    /// Where rows of `c` start; the panel's first output channel is added.
    pub c_rows: Rows,
    pub count: usize,
}

impl Product<'_> {
    /// Computes the panel.
    ///
    /// # Safety
    /// All rows plus all taps must have `k` readable numbers in `a`; all rows must have the panel's vectors writable
    /// in `c`, and nobody else may use that part of `c` during the call. `S` must have the lanes that `b` was packed for.
    #[inline(always)]
    pub unsafe fn run<S: Simd>(&self, simd: S) {
        debug_assert_eq!(self.b.lanes, S::F32_LANES);
        debug_assert_eq!(self.b.taps, self.taps.len());
        // The accumulators, two vectors of b and one broadcast must fit in the registers.
        let most = if S::REGISTER_COUNT >= 32 { 12 } else { 6 };
        // Blocks of even sizes.
        let blocks = self.count.div_ceil(most);
        for block in 0..blocks {
            let (first, end) = (block * self.count / blocks, (block + 1) * self.count / blocks);
            // SAFETY: the same requirements as this function's.
            unsafe {
                match (self.b.panel_vectors(self.panel), end - first) {
                    (2, 1) => self.block::<S, 1, 2>(simd, first),
                    (2, 2) => self.block::<S, 2, 2>(simd, first),
                    (2, 3) => self.block::<S, 3, 2>(simd, first),
                    (2, 4) => self.block::<S, 4, 2>(simd, first),
                    (2, 5) => self.block::<S, 5, 2>(simd, first),
                    (2, 6) => self.block::<S, 6, 2>(simd, first),
                    (2, 7) => self.block::<S, 7, 2>(simd, first),
                    (2, 8) => self.block::<S, 8, 2>(simd, first),
                    (2, 9) => self.block::<S, 9, 2>(simd, first),
                    (2, 10) => self.block::<S, 10, 2>(simd, first),
                    (2, 11) => self.block::<S, 11, 2>(simd, first),
                    (2, _) => self.block::<S, 12, 2>(simd, first),
                    (_, 1) => self.block::<S, 1, 1>(simd, first),
                    (_, 2) => self.block::<S, 2, 1>(simd, first),
                    (_, 3) => self.block::<S, 3, 1>(simd, first),
                    (_, 4) => self.block::<S, 4, 1>(simd, first),
                    (_, 5) => self.block::<S, 5, 1>(simd, first),
                    (_, 6) => self.block::<S, 6, 1>(simd, first),
                    (_, 7) => self.block::<S, 7, 1>(simd, first),
                    (_, 8) => self.block::<S, 8, 1>(simd, first),
                    (_, 9) => self.block::<S, 9, 1>(simd, first),
                    (_, 10) => self.block::<S, 10, 1>(simd, first),
                    (_, 11) => self.block::<S, 11, 1>(simd, first),
                    (_, _) => self.block::<S, 12, 1>(simd, first),
                }
            }
        }
    }

    /// Keeps `ROWS` rows by `VECTORS` vectors in registers over all k.
    ///
    /// # Safety
    /// As [`Product::run`].
    #[inline(always)]
    unsafe fn block<S: Simd, const ROWS: usize, const VECTORS: usize>(&self, simd: S, first: usize) {
        let mut acc = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        let lanes = S::F32_LANES;
        // SAFETY: in bounds, as the caller of `run` guarantees.
        unsafe {
            let mut b = self.b.data.ptr().cast_const().add(self.b.panel_start(self.panel));
            for &tap in self.taps {
                let mut rows = [self.a; ROWS];
                for (r, row) in rows.iter_mut().enumerate() {
                    *row = self.a.add(self.a_rows.at(first + r) + tap);
                }
                for k in (0..self.b.k).step_by(K_STEP) {
                    for u in 0..K_STEP {
                        let mut weights = [simd.splat_f32s(0.0); VECTORS];
                        for v in 0..VECTORS {
                            let at = b.add((u * VECTORS + v) * lanes);
                            weights[v] = load::<S>(at);
                            // Weights come from memory, once for each picture; the first rows wait for them.
                            if v * lanes % LINE == 0 {
                                prefetch(at.wrapping_add(AHEAD));
                            }
                        }
                        for r in 0..ROWS {
                            let x = simd.splat_f32s(*rows[r].add(k + u));
                            for v in 0..VECTORS {
                                acc[r][v] = fma(simd, x, weights[v], acc[r][v]);
                            }
                        }
                    }
                    b = b.add(K_STEP * VECTORS * lanes);
                }
            }
            let output = self.b.first_output(self.panel);
            for (r, sums) in acc.iter().enumerate() {
                let c = self.c.add(self.c_rows.at(first + r) + output);
                for (v, sum) in sums.iter().enumerate() {
                    store::<S>(c.add(v * lanes), *sum);
                }
            }
        }
    }
}
