//! Resizing and moving pictures: filters to another size, bilinear under a small motion, cubic for a part that fills the whole.
//!
//! Plain maths on `[C, H, W]` pictures. [`Resizer`] keeps its tables and allocates only when the sizes change.

use rayon::prelude::*;

use super::Image;

/// Resizes pictures between two sizes with the Catmull-Rom cubic (a = −½), widened when shrinking so that nothing is
/// skipped, as in image editors.
#[derive(Clone, Debug, Default)]
pub struct Resizer {
    sizes: [usize; 4],
    vertical: Taps,
    horizontal: Taps,
    /// `[height of the input, width of the output]`
    half_done: Vec<f32>,
}

/// The input samples for each output sample along one axis: the first one, and the weights.
#[derive(Clone, Debug, Default)]
pub struct Taps {
    pub starts: Vec<usize>,
    /// `[outputs, count]`; the weights of one output sum to 1.
    pub weights: Vec<f32>,
    /// Input samples per output.
    pub count: usize,
}

/// A resampling filter; `T` is the precision in which its weights are computed.
pub struct Kernel<T> {
    /// The weight is 0 beyond it, in samples of the coarser grid.
    radius: f64,
    weight: fn(T) -> T,
    /// Whether the last sample is repeated beyond the ends; otherwise the weights of existing samples are normalised.
    extends: bool,
}

/// The Catmull-Rom cubic (a = −½).
pub const CATMULL_ROM: Kernel<f64> = Kernel { radius: 2.0, weight: catmull_rom, extends: false };
/// The Mitchell-Netravali cubic (SIGGRAPH 1988, B = C = ⅓): hardly rings.
pub const MITCHELL: Kernel<f32> = Kernel { radius: 2.0, weight: mitchell, extends: true };
/// The Lanczos windowed sinc with three lobes: sharp when shrinking.
pub const LANCZOS3: Kernel<f32> = Kernel { radius: 3.0, weight: lanczos3, extends: true };

/// A precision that weights are computed in.
pub trait Real: Copy + Default + std::ops::AddAssign + std::ops::Div<Output = Self> + std::iter::Sum {
    fn rounded(x: f64) -> Self;
    fn single(self) -> f32;
}

impl Real for f32 {
    fn rounded(x: f64) -> f32 {
        x as f32
    }
    fn single(self) -> f32 {
        self
    }
}

impl Real for f64 {
    fn rounded(x: f64) -> f64 {
        x
    }
    fn single(self) -> f32 {
        self as f32
    }
}

impl Taps {
    /// From the middle `shown` of `from` samples to `to` samples. When shrinking, the filter is widened so that nothing is
    /// skipped; at the same size, samples are copied.
    pub fn set<T: Real>(&mut self, from: usize, shown: f64, to: usize, kernel: &Kernel<T>) {
        let scale = shown / to as f64;
        let first = (from as f64 - shown) / 2.0;
        let stretch = scale.max(1.0);
        let same = scale == 1.0;
        let reach = kernel.radius * stretch;
        self.count = if same { 1 } else { (2.0 * reach).ceil() as usize + 1 }.min(from);
        self.starts.clear();
        self.weights.clear();
        let last = from as i64 - 1;
        let mut weights = vec![T::default(); self.count];
        for i in 0..to {
            let centre = first + (i as f64 + 0.5) * scale;
            let (lowest, highest) = if same {
                let place = (centre - 0.5).round() as i64;
                (place, place)
            } else {
                ((centre - reach - 0.5).ceil() as i64, (centre + reach - 0.5).floor() as i64)
            };
            let start = lowest.clamp(0, (from - self.count) as i64);
            weights.fill(T::default());
            for place in lowest..=highest {
                if !kernel.extends && !(0..=last).contains(&place) {
                    continue;
                }
                let distance = T::rounded((place as f64 + 0.5 - centre) / stretch);
                let weight = if same { T::rounded(1.0) } else { (kernel.weight)(distance) };
                let inside = place.clamp(start, start + self.count as i64 - 1);
                weights[(inside - start) as usize] += weight;
            }
            let sum: T = weights.iter().copied().sum();
            self.starts.push(start as usize);
            self.weights.extend(weights.iter().map(|w| (*w / sum).single()));
        }
    }

    fn of(&self, output: usize) -> (usize, &[f32]) {
        (self.starts[output], &self.weights[output * self.count..][..self.count])
    }

    /// Number of output samples.
    pub fn len(&self) -> usize {
        self.starts.len()
    }

    pub fn is_empty(&self) -> bool {
        self.starts.is_empty()
    }

    /// For each output sample: its first input sample, and the weights from there.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &[f32])> + Clone {
        self.starts.iter().copied().zip(self.weights.chunks_exact(self.count))
    }

    /// As [`Taps::iter`], on all cores.
    pub fn par_iter(&self) -> impl IndexedParallelIterator<Item = (usize, &[f32])> {
        self.starts.par_iter().copied().zip(self.weights.par_chunks_exact(self.count))
    }
}

fn catmull_rom(x: f64) -> f64 {
    let x = x.abs();
    match x {
        x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        x if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
        _ => 0.0,
    }
}

fn mitchell(x: f32) -> f32 {
    let x = x.abs();
    if x < 1.0 {
        (7.0 * x.powi(3) - 12.0 * x.powi(2) + 16.0 / 3.0) / 6.0
    } else if x < 2.0 {
        (-7.0 / 3.0 * x.powi(3) + 12.0 * x.powi(2) - 20.0 * x + 32.0 / 3.0) / 6.0
    } else {
        0.0
    }
}

fn lanczos3(x: f32) -> f32 {
    let sinc = |x: f32| if x == 0.0 { 1.0 } else { (std::f32::consts::PI * x).sin() / (std::f32::consts::PI * x) };
    if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}

impl Resizer {
    /// The sizes of its tables: height and width of the input, and of the output.
    pub fn sizes(&self) -> [usize; 4] {
        self.sizes
    }

    /// Resizes `from` into `to` `[C, height, width]`. An empty `from` gives an empty picture.
    pub fn resize(&mut self, from: &Image, height: usize, width: usize, to: &mut Image) {
        if from.data.is_empty() || height * width == 0 {
            to.reshape(0, 0, 0);
            return;
        }
        to.reshape(from.channels, height, width);
        if (from.height, from.width) == (height, width) {
            to.data.copy_from_slice(&from.data);
            return;
        }
        let sizes = [from.height, from.width, height, width];
        if self.sizes != sizes {
            self.sizes = sizes;
            self.vertical.set(from.height, from.height as f64, height, &CATMULL_ROM);
            self.horizontal.set(from.width, from.width as f64, width, &CATMULL_ROM);
            self.half_done.resize(from.height * width, 0.0);
        }
        let planes = from.data.chunks_exact(from.height * from.width);
        for (plane, out) in planes.zip(to.data.chunks_exact_mut(height * width)) {
            for (row, half) in plane.chunks_exact(from.width).zip(self.half_done.chunks_exact_mut(width)) {
                for (x, value) in half.iter_mut().enumerate() {
                    let (start, weights) = self.horizontal.of(x);
                    *value = weights.iter().zip(&row[start..]).map(|(w, v)| w * v).sum();
                }
            }
            for (y, row) in out.chunks_exact_mut(width).enumerate() {
                let (start, weights) = self.vertical.of(y);
                row.fill(0.0);
                for (w, half) in weights.iter().zip(self.half_done[start * width..].chunks_exact(width)) {
                    row.iter_mut().zip(half).for_each(|(to, v)| *to += w * v);
                }
            }
        }
    }
}

/// The transpose of [`Resizer::resize`] from `height` x `width`, which is linear: for the gradient of a number by the resized
/// picture, that by the picture. Allocates.
pub fn pulled_back(by: &Image, height: usize, width: usize) -> Image {
    let mut out = Image::new(by.channels, height, width);
    if (by.height, by.width) == (height, width) {
        out.data.copy_from_slice(&by.data);
        return out;
    }
    if by.data.is_empty() || height * width == 0 {
        return out;
    }
    let (mut vertical, mut horizontal) = (Taps::default(), Taps::default());
    vertical.set(height, height as f64, by.height, &CATMULL_ROM);
    horizontal.set(width, width as f64, by.width, &CATMULL_ROM);
    let planes = by.data.chunks_exact(by.height * by.width);
    for (plane, out) in planes.zip(out.data.chunks_exact_mut(height * width)) {
        spread(plane, vertical.iter(), horizontal.iter(), width, out);
    }
    out
}

/// The transpose of a filter along both axes: adds `by`, `[rows, columns]`, to rows of `width` numbers. `vertical` has for each row
/// the first row that it was made from, and the weights from there; `horizontal` the same for columns. Allocates.
pub fn spread<'a, T: Real + 'a>(
    by: &[f32],
    vertical: impl Iterator<Item = (usize, &'a [T])>,
    horizontal: impl Iterator<Item = (usize, &'a [T])> + Clone,
    width: usize,
    out: &mut [f32],
) {
    let columns = horizontal.clone().count();
    let mut wide = vec![0.0; out.len().div_ceil(width) * columns];
    for ((start, weights), row) in vertical.zip(by.chunks_exact(columns)) {
        for (weight, to) in weights.iter().zip(wide[start * columns..].chunks_exact_mut(columns)) {
            to.iter_mut().zip(row).for_each(|(to, by)| *to += weight.single() * by);
        }
    }
    for (row, out) in wide.chunks_exact(columns).zip(out.chunks_mut(width)) {
        for ((start, weights), by) in horizontal.clone().zip(row) {
            out[start..].iter_mut().zip(weights).for_each(|(to, weight)| *to += weight.single() * by);
        }
    }
}

/// A small motion of the picture about its centre.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Motion {
    /// Above 1 enlarges.
    pub zoom: f32,
    /// Radians, clockwise on the screen.
    pub turn: f32,
    /// To the right, in picture widths.
    pub x: f32,
    /// Downwards, in picture heights.
    pub y: f32,
}

impl Motion {
    /// No motion.
    pub const STILL: Motion = Motion { zoom: 1.0, turn: 0.0, x: 0.0, y: 0.0 };

    /// Whether it moves a picture of this size at all. A non-finite motion moves nothing.
    pub fn moves(&self, height: usize, width: usize) -> bool {
        let is_finite = [self.zoom, self.turn, self.x, self.y].iter().all(|v| v.is_finite());
        *self != Motion::STILL && is_finite && height >= 2 && width >= 2
    }

    /// Cosine and sine of the turn, the scale, and pixels to the right and down.
    pub fn inverse(&self, height: usize, width: usize) -> [f32; 5] {
        let (sin, cos) = self.turn.sin_cos();
        [cos, sin, self.scale(), self.x * width as f32, self.y * height as f32]
    }

    /// Its zoom, limited to between a quarter and four.
    pub fn scale(&self) -> f32 {
        self.zoom.clamp(0.25, 4.0)
    }
}

/// Moves `from` into `to` of the same shape, bilinear, reflected at the edges. A non-finite motion moves nothing.
pub fn moved(from: &Image, motion: Motion, to: &mut Image) {
    let (height, width) = (from.height, from.width);
    moved_by(from, motion.moves(height, width).then(|| motion.inverse(height, width)), to);
}

/// As [`moved`], by [`Motion::inverse`]; `None` moves nothing.
pub fn moved_by(from: &Image, inverse: Option<[f32; 5]>, to: &mut Image) {
    to.reshape(from.channels, from.height, from.width);
    let (height, width) = (from.height, from.width);
    let Some([cos, sin, zoom, right, down]) = inverse else {
        to.data.copy_from_slice(&from.data);
        return;
    };
    let (cx, cy) = ((width as f32 - 1.0) / 2.0, (height as f32 - 1.0) / 2.0);
    let plane = height * width;
    for y in 0..height {
        for x in 0..width {
            // Where the output's pixel comes from: the inverse motion.
            let dx = x as f32 - cx - right;
            let dy = y as f32 - cy - down;
            let sx = mirrored((cos * dx + sin * dy) / zoom + cx, width);
            let sy = mirrored((cos * dy - sin * dx) / zoom + cy, height);
            let (left, top) = ((sx as usize).min(width - 2), (sy as usize).min(height - 2));
            let (fx, fy) = (sx - left as f32, sy - top as f32);
            let mut at = top * width + left;
            for out in (0..from.channels).map(|c| c * plane + y * width + x) {
                let upper = from.data[at] + fx * (from.data[at + 1] - from.data[at]);
                let lower = from.data[at + width] + fx * (from.data[at + width + 1] - from.data[at + width]);
                to.data[out] = upper + fy * (lower - upper);
                at += plane;
            }
        }
    }
}

/// A coordinate reflected into 0..=side − 1.
fn mirrored(at: f32, side: usize) -> f32 {
    let last = side as f32 - 1.0;
    if (0.0..=last).contains(&at) {
        return at;
    }
    let folded = at.rem_euclid(2.0 * last);
    // The reflected value can round up to the period itself.
    folded.min(2.0 * last - folded).clamp(0.0, last)
}

/// A square part of a picture, as parts of its width and height.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Its corner, from 0 to 1 − `size`.
    pub left: f32,
    pub top: f32,
    /// Above 0 and at most 1.
    pub size: f32,
}

impl Default for Window {
    fn default() -> Window {
        Window::WHOLE
    }
}

impl Window {
    /// The whole picture.
    pub const WHOLE: Window = Window { left: 0.0, top: 0.0, size: 1.0 };

    /// Whether it shows less than a picture of this size. Cubic filters need four pixels along each side.
    pub fn enlarges(&self, height: usize, width: usize) -> bool {
        self.size < 1.0 && height >= 4 && width >= 4
    }

    /// Where output pixel `at` of `side` comes from along an axis: the first of four neighbours, and their Catmull-Rom
    /// weights. Beyond the edges the last pixel is repeated.
    fn taps(&self, first: f32, at: usize, side: usize) -> (usize, [f32; 4]) {
        let place = (first + (at as f32 + 0.5) / side as f32 * self.size) * side as f32 - 0.5;
        let below = place.floor();
        let t = place - below;
        let own = [
            ((-0.5 * t + 1.0) * t - 0.5) * t,
            (1.5 * t - 2.5) * t * t + 1.0,
            ((-1.5 * t + 2.0) * t + 0.5) * t,
            (0.5 * t - 0.5) * t * t,
        ];
        let last = side as i64 - 1;
        let start = (below as i64 - 1).clamp(0, last - 3);
        let mut weights = [0.0; 4];
        for (i, weight) in (below as i64 - 1..).zip(own) {
            weights[(i.clamp(0, last) - start).clamp(0, 3) as usize] += weight;
        }
        (start as usize, weights)
    }
}

/// Columns whose weights are computed at once.
const COLUMNS: usize = 64;

/// Enlarges a window of `from` into `to` of the same shape, by the Catmull-Rom cubic. `half_done` is enlarged downwards only.
pub fn windowed(from: &Image, window: Window, half_done: &mut Image, to: &mut Image) {
    let (height, width) = (from.height, from.width);
    to.reshape(from.channels, height, width);
    if !window.enlarges(height, width) {
        to.data.copy_from_slice(&from.data);
        return;
    }
    half_done.reshape(from.channels, height, width);
    let planes = from.data.chunks_exact(height * width).zip(half_done.data.chunks_exact_mut(height * width));
    for (plane, half) in planes {
        for (y, row) in half.chunks_exact_mut(width).enumerate() {
            let (start, weights) = window.taps(window.top, y, height);
            row.fill(0.0);
            for (weight, from) in weights.iter().zip(plane[start * width..].chunks_exact(width)) {
                row.iter_mut().zip(from).for_each(|(to, from)| *to += weight * from);
            }
        }
    }
    let mut taps = [(0, [0.0; 4]); COLUMNS];
    for first in (0..width).step_by(COLUMNS) {
        let count = COLUMNS.min(width - first);
        for (x, taps) in (first..).zip(&mut taps[..count]) {
            *taps = window.taps(window.left, x, width);
        }
        let rows = half_done.data.chunks_exact(width).zip(to.data.chunks_exact_mut(width));
        for (half, row) in rows {
            for (to, (start, weights)) in row[first..][..count].iter_mut().zip(&taps) {
                *to = weights.iter().zip(&half[*start..]).map(|(weight, from)| weight * from).sum();
            }
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn ramp(height: usize, width: usize) -> Image {
        let mut image = Image::new(1, height, width);
        image.data.iter_mut().enumerate().for_each(|(i, v)| *v = (i % width) as f32 + 10.0 * (i / width) as f32);
        image
    }

    #[test]
    fn resizing_keeps_a_ramp_a_ramp() {
        let mut out = Image::default();
        Resizer::default().resize(&ramp(8, 8), 16, 16, &mut out);
        for x in 4..12 {
            let expected = (x as f32 + 0.5) / 2.0 - 0.5 + 10.0 * ((8.0 + 0.5) / 2.0 - 0.5);
            assert!((out.data[8 * 16 + x] - expected).abs() < 1e-4, "{x}");
        }
    }

    #[test]
    fn resizing_keeps_the_mean_and_the_same_size_is_a_copy() {
        let image = ramp(12, 20);
        let mean = |i: &Image| i.data.iter().sum::<f32>() / i.data.len() as f32;
        let (mut resizer, mut out) = (Resizer::default(), Image::default());
        for (height, width) in [(6, 10), (5, 7), (48, 80), (1, 1)] {
            resizer.resize(&image, height, width, &mut out);
            assert_eq!(out.data.len(), height * width);
            assert!((mean(&out) - mean(&image)).abs() < 0.2, "{height} x {width}: {}", mean(&out));
        }
        resizer.resize(&image, 12, 20, &mut out);
        assert_eq!(out, image);
        resizer.resize(&Image::default(), 4, 4, &mut out);
        assert!(out.data.is_empty());
    }

    /// ⟨A x, y⟩ = ⟨x, Aᵀ y⟩
    #[test]
    fn the_transpose_belongs_to_it() {
        let x = ramp(12, 20);
        for (height, width) in [(5, 7), (12, 20), (30, 33), (12, 9)] {
            let (mut resized, mut y) = (Image::default(), Image::new(1, height, width));
            y.data.iter_mut().enumerate().for_each(|(i, y)| *y = (i as f32 * 0.7).sin());
            Resizer::default().resize(&x, height, width, &mut resized);
            let product = |a: &Image, b: &Image| a.data.iter().zip(&b.data).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            let (forward, backward) = (product(&resized, &y), product(&x, &pulled_back(&y, 12, 20)));
            assert!((forward - backward).abs() < 1e-3, "{height} x {width}: {forward}, {backward}");
        }
    }

    #[test]
    fn a_picture_moves_by_the_motion() {
        let image = ramp(9, 9);
        let mut out = Image::default();
        moved(&image, Motion { x: 2.0 / 9.0, ..Motion::STILL }, &mut out);
        assert!((out.data[4 * 9 + 6] - image.data[4 * 9 + 4]).abs() < 1e-4, "to the right");
        moved(&image, Motion { y: 1.0 / 9.0, ..Motion::STILL }, &mut out);
        assert!((out.data[5 * 9 + 4] - image.data[4 * 9 + 4]).abs() < 1e-4, "downwards");
        moved(&image, Motion { zoom: 2.0, ..Motion::STILL }, &mut out);
        assert!((out.data[4 * 9 + 8] - image.data[4 * 9 + 6]).abs() < 1e-4, "enlarged");
        moved(&image, Motion { turn: std::f32::consts::FRAC_PI_2, ..Motion::STILL }, &mut out);
        assert!((out.data[8 * 9 + 4] - image.data[4 * 9 + 8]).abs() < 1e-3, "clockwise: what was right is below");
    }

    #[test]
    fn a_window_fills_the_picture() {
        let image = ramp(16, 16);
        let (mut half, mut out) = (Image::default(), Image::default());
        windowed(&image, Window::WHOLE, &mut half, &mut out);
        assert_eq!(out, image);
        // A ramp stays one: the cubic gives straight lines back, two pixels from the edges.
        let window = Window { left: 0.25, top: 0.125, size: 0.5 };
        windowed(&image, window, &mut half, &mut out);
        for (x, y) in [(0, 0), (5, 9), (15, 15)] {
            let place = |first: f32, at: usize| 16.0 * (first + (at as f32 + 0.5) / 16.0 * 0.5) - 0.5;
            let expected = place(0.25, x) + 10.0 * place(0.125, y);
            assert!((out.data[y * 16 + x] - expected).abs() < 1e-3, "{x}, {y}: {}", out.data[y * 16 + x]);
        }
        // Flat pictures stay flat up to the edges, however many columns there are.
        let mut flat = Image::new(3, 5, 200);
        flat.data.fill(0.75);
        windowed(&flat, Window { left: 0.3, top: 0.0, size: 0.7 }, &mut half, &mut out);
        assert!(out.data.len() == 3000 && out.data.iter().all(|v| (v - 0.75).abs() < 1e-6));
    }

    #[test]
    fn absurd_motions_give_finite_numbers() {
        for x in [f32::NAN, f32::INFINITY, 1e9, -1e9] {
            let mut out = Image::default();
            moved(&ramp(4, 4), Motion { x, ..Motion::STILL }, &mut out);
            assert!(out.data.iter().all(|v| v.is_finite()), "{x}");
        }
    }
}
