//! The filters around a layer's leaky ReLU, tile by tile, without storing the large map between them.
//!
//! A task computes a square of the output for one vector of channels: rows of the convolution are up-sampled along x into
//! one ring buffer, from there along y into a second ring of rows between the filters, and once that holds all the rows
//! that an output row needs, they are filtered down. All intermediates stay in the L1 and L2 caches. Inserted zeros are
//! never multiplied: a sample between the filters is a sum of `taps / up` samples.

use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::super::memory::{Floats, Map};
use super::super::simd::{fma, load, store};
use crate::engine::plan::FilteredLayer;

/// Maximum output samples of a tile along each axis.
const SIDE: usize = 64;
/// Vectors computed together, so that their sums do not wait for one another.
const TOGETHER: usize = 8;

/// One sample of an up-sampled axis as a sum: consecutive samples from `first`, times weights.
struct Phase {
    first: usize,
    weights: Vec<f32>,
}

impl Phase {
    fn end(&self) -> usize {
        self.first + self.weights.len()
    }
}

/// All samples of an up-sampled axis, polyphase: `t[n] = up·Σ_k f[k]·x[(n + K − 1 − k − before)/up]` over the k for which
/// the division is whole and the sample exists.
fn phases(op: &FilteredLayer, convolved: usize, between: usize) -> Vec<Phase> {
    let (up, taps) = (op.up as i64, op.up_filter.len() as i64);
    let phase = |n: usize| {
        let q = n as i64 + taps - 1 - op.padding[0];
        let mut terms: Vec<(usize, f32)> = (0..taps)
            .filter(|k| (q - k).rem_euclid(up) == 0)
            .map(|k| ((q - k).div_euclid(up), op.up as f32 * op.up_filter[k as usize]))
            .filter(|&(i, _)| (0..convolved as i64).contains(&i))
            .map(|(i, weight)| (i as usize, weight))
            .collect();
        terms.reverse();
        Phase { first: terms.first().map_or(0, |t| t.0), weights: terms.into_iter().map(|t| t.1).collect() }
    };
    (0..between).map(phase).collect()
}

/// A part of the down filter: a sum of rows, then a sum along x.
struct Line {
    /// Rows, counted from the first that the filter reaches, and their weights.
    rows: Vec<(usize, f32)>,
    /// In sample order.
    along_x: Vec<f32>,
}

/// The down filter as a sum of lines: a separable filter is one line, any other has one per row, with equal rows
/// sharing a line.
fn lines(op: &FilteredLayer) -> Vec<Line> {
    let taps = op.down_taps();
    let filter: Vec<f32> = op.down_filter.iter().rev().copied().collect();
    if !op.radial {
        return vec![Line { rows: filter.iter().copied().enumerate().collect(), along_x: filter }];
    }
    let mut lines: Vec<Line> = Vec::new();
    for (row, along_x) in filter.chunks_exact(taps).enumerate() {
        match lines.iter_mut().find(|line| line.along_x == along_x) {
            Some(line) => line.rows.push((row, 1.0)),
            None => lines.push(Line { rows: vec![(row, 1.0)], along_x: along_x.to_vec() }),
        }
    }
    lines
}

/// Heights and widths through the filters.
#[derive(Clone, Copy)]
pub struct Sizes {
    pub convolved: (usize, usize),
    pub between: (usize, usize),
    pub out: (usize, usize),
    /// Rounded up to whole vectors.
    pub channels: usize,
    pub lanes: usize,
}

/// The filters of a layer.
pub struct Filters {
    sizes: Sizes,
    rows: Vec<Phase>,
    columns: Vec<Phase>,
    lines: Vec<Line>,
    down: usize,
    taps: usize,
    slope: f32,
    gain: f32,
    clamp: f32,
    output_gain: f32,
    /// Maximum rows that a row between the filters is computed from.
    reach: usize,
}

impl Filters {
    pub fn new(op: &FilteredLayer, sizes: Sizes) -> Filters {
        let rows = phases(op, sizes.convolved.0, sizes.between.0);
        Filters {
            sizes,
            columns: phases(op, sizes.convolved.1, sizes.between.1),
            lines: lines(op),
            down: op.down,
            taps: op.down_taps(),
            slope: op.slope,
            gain: op.gain,
            clamp: op.clamp.unwrap_or(f32::INFINITY),
            output_gain: op.output_gain,
            reach: rows.iter().map(|phase| phase.weights.len()).max().unwrap_or(0),
            rows,
        }
    }

    fn tiles(&self) -> (usize, usize) {
        (self.sizes.out.0.div_ceil(SIDE), self.sizes.out.1.div_ceil(SIDE))
    }

    /// Tasks per picture.
    pub fn tasks(&self) -> usize {
        let (down, across) = self.tiles();
        down * across * (self.sizes.channels / self.sizes.lanes)
    }

    /// Samples between the filters that `count` outputs are computed from, along one axis.
    fn under(&self, count: usize) -> usize {
        (count - 1) * self.down + self.taps
    }

    /// Scratch floats per thread.
    pub fn scratch(&self) -> usize {
        let width = self.under(SIDE.min(self.sizes.out.1));
        (self.sizes.convolved.1 + (self.reach + self.taps + self.lines.len()) * width) * self.sizes.lanes
    }
}

/// One tile of the output for one vector of channels.
pub struct Tile<'a> {
    pub filters: &'a Filters,
    pub task: usize,
    /// The convolution, `[height, width, channels]`.
    pub from: &'a Floats,
    pub to: &'a Map,
    /// [`Filters::scratch`] floats, used by nobody else during the task.
    pub scratch: &'a Floats,
}

/// A tile's parts of the scratch memory; everything in whole vectors.
#[derive(Clone, Copy)]
struct Parts {
    /// A row of the convolution.
    convolved: *mut f32,
    /// Up-sampled along x: a ring of `reach` rows, indexed by row modulo `reach`.
    wide: *mut f32,
    /// Between the filters: a ring of `taps` rows, indexed by row modulo `taps`.
    between: *mut f32,
    /// Sums of rows, one for each line of the filter.
    sums: *mut f32,
    /// Numbers in a row of the last three.
    row: usize,
}

impl WithSimd for Tile<'_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Tile { filters, task, from, to, scratch } = self;
        let (sizes, vectors) = (&filters.sizes, filters.sizes.channels / S::F32_LANES);
        let (tile, channel) = (task / vectors, task % vectors * S::F32_LANES);
        let across = filters.tiles().1;
        let part = |tile: usize, size: usize| tile * SIDE..(tile * SIDE + SIDE).min(size);
        let (ys, xs) = (part(tile / across, sizes.out.0), part(tile % across, sizes.out.1));
        let under = |outs: &Range<usize>| {
            let first = outs.start * filters.down;
            first..first + filters.under(outs.len())
        };
        let (rows, columns) = (under(&ys), under(&xs));
        let row = columns.len() * S::F32_LANES;
        // SAFETY: `scratch` is large enough; `from` and `to` have the sizes that the filters were made for, phases refer
        // to samples that exist, and only this task writes its samples.
        unsafe {
            let wide = scratch.ptr().add(sizes.convolved.1 * S::F32_LANES);
            let between = wide.add(filters.reach * row);
            let parts = Parts { convolved: scratch.ptr(), wide, between, sums: between.add(filters.taps * row), row };
            let mut next = 0;
            for y in rows.clone() {
                let phase = &filters.rows[y];
                if !phase.weights.is_empty() {
                    for convolved in next.max(phase.first)..phase.end() {
                        let line = from.ptr().add(convolved * sizes.convolved.1 * sizes.channels + channel);
                        filters.widen(simd, line, &columns, convolved, &parts);
                    }
                    next = phase.end();
                }
                filters.activate(simd, y, &parts);
                // The taps of an output row that begin `above` rows after the first one are now complete.
                if let Some(above) = (y + 1).checked_sub(rows.start + filters.taps)
                    && above.is_multiple_of(filters.down)
                {
                    let to = to.ptr((ys.start + above / filters.down) as isize, xs.start as isize).add(channel);
                    filters.lower(
                        simd,
                        rows.start + above,
                        Outputs { to, step: sizes.channels, count: xs.len() },
                        &parts,
                    );
                }
            }
        }
    }
}

/// Output samples next to one another.
#[derive(Clone, Copy)]
struct Outputs {
    to: *mut f32,
    /// From one to the next.
    step: usize,
    count: usize,
}

impl Filters {
    /// Up-samples a row of the convolution along x.
    ///
    /// # Safety
    /// As [`Tile`]; `line` is the row's first sample.
    #[inline(always)]
    unsafe fn widen<S: Simd>(&self, simd: S, line: *const f32, columns: &Range<usize>, row: usize, parts: &Parts) {
        let phases = &self.columns[columns.clone()];
        let inside = || phases.iter().filter(|phase| !phase.weights.is_empty());
        let (first, end) = (inside().map(|p| p.first).min(), inside().map(Phase::end).max());
        let (first, end) = (first.unwrap_or(0), end.unwrap_or(0));
        // SAFETY: in bounds, as the caller guarantees.
        unsafe {
            // Samples are far apart in the map, and each is read several times.
            for x in first..end {
                store::<S>(
                    parts.convolved.add((x - first) * S::F32_LANES),
                    load::<S>(line.add(x * self.sizes.channels)),
                );
            }
            let to = parts.wide.add(row % self.reach * parts.row);
            for (x, phase) in phases.iter().enumerate() {
                let from = parts.convolved.add(phase.first.saturating_sub(first) * S::F32_LANES);
                let mut sum = simd.splat_f32s(0.0);
                for (j, weight) in phase.weights.iter().enumerate() {
                    sum = fma(simd, load::<S>(from.add(j * S::F32_LANES)), simd.splat_f32s(*weight), sum);
                }
                store::<S>(to.add(x * S::F32_LANES), sum);
            }
        }
    }

    /// Makes row `y` between the filters: up-sampled along y, leaky ReLU, clamp.
    ///
    /// # Safety
    /// As [`Tile`]; the rows that it is computed from must be ready.
    #[inline(always)]
    unsafe fn activate<S: Simd>(&self, simd: S, y: usize, parts: &Parts) {
        let phase = &self.rows[y];
        let (slope, gain) = (simd.splat_f32s(self.slope * self.gain), simd.splat_f32s(self.gain));
        let (low, high) = (simd.splat_f32s(-self.clamp), simd.splat_f32s(self.clamp));
        let from = |j: usize| (phase.first + j) % self.reach * parts.row;
        // SAFETY: in bounds, as the caller guarantees.
        unsafe {
            let to = parts.between.add(y % self.taps * parts.row);
            let rows =
                phase.weights.iter().enumerate().map(|(j, weight)| (parts.wide.add(from(j)).cast_const(), *weight));
            sum_rows(simd, rows, parts.row, |i, sum| {
                // Slopes are at most 1, so the larger of the two is the leaky ReLU.
                let active = simd.max_f32s(simd.mul_f32s(sum, gain), simd.mul_f32s(sum, slope));
                store::<S>(to.add(i), simd.min_f32s(simd.max_f32s(active, low), high));
            });
        }
    }

    /// Filters the rows from `first` down to one row of the output.
    ///
    /// # Safety
    /// As [`Tile`]; the rows must be ready.
    #[inline(always)]
    unsafe fn lower<S: Simd>(&self, simd: S, first: usize, out: Outputs, parts: &Parts) {
        // SAFETY: in bounds, as the caller guarantees.
        unsafe {
            for (l, line) in self.lines.iter().enumerate() {
                let to = parts.sums.add(l * parts.row);
                let row = |row: usize| parts.between.add((first + row) % self.taps * parts.row).cast_const();
                let rows = line.rows.iter().map(|(number, weight)| (row(*number), *weight));
                sum_rows(simd, rows, parts.row, |i, sum| store::<S>(to.add(i), sum));
            }
            let mut x = 0;
            while x + TOGETHER <= out.count {
                self.put::<S, TOGETHER>(simd, x, out, parts);
                x += TOGETHER;
            }
            while x < out.count {
                self.put::<S, 1>(simd, x, out, parts);
                x += 1;
            }
        }
    }

    /// `N` outputs from the sums of rows.
    ///
    /// # Safety
    /// As [`Filters::lower`].
    #[inline(always)]
    unsafe fn put<S: Simd, const N: usize>(&self, simd: S, x: usize, out: Outputs, parts: &Parts) {
        let step = self.down * S::F32_LANES;
        let mut sums = [simd.splat_f32s(0.0); N];
        // SAFETY: in bounds, as the caller guarantees.
        unsafe {
            for (l, line) in self.lines.iter().enumerate() {
                let from = parts.sums.add(l * parts.row + x * step);
                for (j, weight) in line.along_x.iter().enumerate() {
                    let weight = simd.splat_f32s(*weight);
                    for (n, sum) in sums.iter_mut().enumerate() {
                        *sum = fma(simd, load::<S>(from.add(n * step + j * S::F32_LANES)), weight, *sum);
                    }
                }
            }
            let gain = simd.splat_f32s(self.output_gain);
            for (n, sum) in sums.into_iter().enumerate() {
                store::<S>(out.to.add((x + n) * out.step), simd.mul_f32s(sum, gain));
            }
        }
    }
}

/// Calls `each` with every vector of the weighted sum of rows, and its index in them.
///
/// # Safety
/// `count` numbers, whole vectors, must be readable in each row.
#[inline(always)]
unsafe fn sum_rows<S: Simd>(
    simd: S,
    rows: impl Iterator<Item = (*const f32, f32)> + Clone,
    count: usize,
    mut each: impl FnMut(usize, S::f32s),
) {
    let lanes = S::F32_LANES;
    let mut i = 0;
    // SAFETY: in bounds, as the caller guarantees.
    unsafe {
        while i + TOGETHER * lanes <= count {
            let mut sums = [simd.splat_f32s(0.0); TOGETHER];
            for (row, weight) in rows.clone() {
                let weight = simd.splat_f32s(weight);
                for (n, sum) in sums.iter_mut().enumerate() {
                    *sum = fma(simd, load::<S>(row.add(i + n * lanes)), weight, *sum);
                }
            }
            for (n, sum) in sums.into_iter().enumerate() {
                each(i + n * lanes, sum);
            }
            i += TOGETHER * lanes;
        }
        while i < count {
            let mut sum = simd.splat_f32s(0.0);
            for (row, weight) in rows.clone() {
                sum = fma(simd, load::<S>(row.add(i)), simd.splat_f32s(weight), sum);
            }
            each(i, sum);
            i += lanes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::simd::Isa;
    use super::*;
    use crate::engine::plan::{BufferId, Style};
    use crate::latent::mapping::FullyConnected;

    /// Numbers between −1 and 1 that look like noise.
    fn noise(count: usize) -> Vec<f32> {
        (0..count).map(|i| ((i * 7919 + 13) as f32 * 0.618).sin()).collect()
    }

    fn layer(up: usize, down: usize, padding: [i64; 2], up_filter: &[f32], down_filter: &[f32]) -> FilteredLayer {
        FilteredLayer {
            input: BufferId(0),
            out: BufferId(0),
            style: Style {
                affine: FullyConnected { weight: vec![], bias: vec![], inputs: 0, outputs: 0 },
                ws_index: 0,
            },
            weight: vec![].into(),
            kernel: 1,
            demodulate: true,
            magnitude: 1.0,
            bias: vec![].into(),
            up,
            down,
            padding,
            up_filter: up_filter.to_vec().into(),
            down_filter: down_filter.to_vec().into(),
            radial: false,
            slope: 0.2,
            gain: 1.5,
            clamp: Some(0.9),
            output_gain: 0.5,
        }
    }

    /// Straight from the definition in the plan, for one channel: zeros inserted, whole filters.
    fn slow(op: &FilteredLayer, from: &[f32], [height, width]: [usize; 2]) -> Vec<f32> {
        let (rows, columns) = (op.between(height).expect("fits"), op.between(width).expect("fits"));
        let (taps, up) = (op.up_filter.len() as i64, op.up as i64);
        let sample = |y: i64, x: i64| {
            let inside = |n: i64, size: usize| n.rem_euclid(up) == 0 && (0..size as i64).contains(&n.div_euclid(up));
            if !inside(y, height) || !inside(x, width) {
                return 0.0;
            }
            f64::from(from[(y / up) as usize * width + (x / up) as usize])
        };
        let between = |y: usize, x: usize| {
            let mut sum = 0.0;
            for (j, k) in (0..taps).flat_map(|j| (0..taps).map(move |k| (j, k))) {
                let weight = f64::from(op.up_filter[(taps - 1 - j) as usize] * op.up_filter[(taps - 1 - k) as usize]);
                sum += weight * sample(y as i64 + j - op.padding[0], x as i64 + k - op.padding[0]);
            }
            let y = sum * (op.up * op.up) as f64 * f64::from(op.gain);
            let y = if y < 0.0 { y * f64::from(op.slope) } else { y };
            op.clamp.map_or(y, |clamp| y.clamp(-f64::from(clamp), f64::from(clamp)))
        };
        let maps: Vec<f64> = (0..rows * columns).map(|i| between(i / columns, i % columns)).collect();
        let n = op.down_taps();
        let weight = |j: usize, k: usize| match op.radial {
            true => op.down_filter[(n - 1 - j) * n + n - 1 - k],
            false => op.down_filter[n - 1 - j] * op.down_filter[n - 1 - k],
        };
        let (out_rows, out_columns) = (op.outputs(height).expect("fits"), op.outputs(width).expect("fits"));
        let lowered = |i: usize| {
            let (y, x) = (i / out_columns * op.down, i % out_columns * op.down);
            let terms = (0..n * n).map(|t| f64::from(weight(t / n, t % n)) * maps[(y + t / n) * columns + x + t % n]);
            (terms.sum::<f64>() * f64::from(op.output_gain)) as f32
        };
        (0..out_rows * out_columns).map(lowered).collect()
    }

    fn check(what: &str, op: &FilteredLayer, size: [usize; 2]) {
        let [height, width] = size;
        let from = noise(height * width);
        let expected = slow(op, &from, size);
        for isa in Isa::available() {
            let lanes = isa.lanes();
            let out = (op.outputs(height).expect("fits"), op.outputs(width).expect("fits"));
            let between = (op.between(height).expect("fits"), op.between(width).expect("fits"));
            // Two vectors of channels; the second has the numbers negated.
            let sizes = Sizes { convolved: (height, width), between, out, channels: 2 * lanes, lanes };
            let filters = Filters::new(op, sizes);
            let spread: Vec<f32> =
                from.iter().flat_map(|x| (0..2 * lanes).map(move |c| if c < lanes { *x } else { -x })).collect();
            let (map, scratch) = (Map::new(2 * lanes, out.0, out.1, lanes), Floats::new(filters.scratch()));
            for task in 0..filters.tasks() {
                isa.run(Tile {
                    filters: &filters,
                    task,
                    from: &Floats::from_slice(&spread),
                    to: &map,
                    scratch: &scratch,
                });
            }
            let mut planes = vec![0.0; 2 * lanes * out.0 * out.1];
            map.to_planar(&mut planes);
            for (i, want) in expected.iter().enumerate() {
                let got = planes[i];
                assert!((got - want).abs() < 2e-5, "{what}, {isa}: sample {i} is {got} instead of {want}");
            }
            let negated = slow(op, &from.iter().map(|x| -x).collect::<Vec<_>>(), size);
            let last = &planes[(2 * lanes - 1) * out.0 * out.1..];
            assert!(last.iter().zip(&negated).all(|(a, b)| (a - b).abs() < 2e-5), "{what}, {isa}: the second vector");
        }
    }

    #[test]
    fn tiles_add_up_to_the_definition() {
        let six = [0.05, 0.15, 0.3, 0.3, 0.15, 0.05];
        let four = [0.1, 0.4, 0.4, 0.1];
        check("twice up and down", &layer(2, 2, [3, 2], &six, &six), [9, 7]);
        check("more than one tile", &layer(2, 1, [2, 3], &four, &four), [34, 70]);
        check("four times up, cropped", &layer(4, 2, [-6, -9], &[0.125; 8], &six), [12, 20]);
        check("no filters", &layer(1, 1, [0, 0], &[1.0], &[1.0]), [5, 66]);
        check("not symmetric", &layer(2, 2, [3, 3], &[0.1, 0.2, 0.3, 0.4], &[0.7, 0.2, 0.1]), [8, 11]);
        // Wider than the filter reaches: rows and columns of zeros between.
        check("a wide border", &layer(2, 1, [20, 20], &four, &four), [5, 4]);
    }

    #[test]
    fn matrices_are_filters_too() {
        let round: Vec<f32> =
            (0..36).map(|i| 1.0 / (1.0 + (i / 6) as f32 * (5 - i / 6) as f32 + (i % 6) as f32)).collect();
        let op = FilteredLayer { radial: true, ..layer(2, 2, [4, 4], &[0.25; 4], &round) };
        assert_eq!(lines(&op).len(), 3, "rows that are alike go together");
        check("rows alike", &op, [10, 40]);
        let op = FilteredLayer { radial: true, ..layer(1, 2, [2, 2], &[1.0], &noise(25)) };
        assert_eq!(lines(&op).len(), 5);
        check("no two rows alike", &op, [11, 12]);
    }
}
