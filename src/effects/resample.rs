//! Resizing and moving pictures: bicubic to another size, bilinear under a small motion.
//!
//! Plain maths on `[C, H, W]` pictures. [`Resizer`] keeps its tables and allocates only when the sizes change.

use crate::engine::Image;

/// Resizes pictures between two sizes with the cubic kernel of Catmull and Rom (a = −½), widened when shrinking so that
/// nothing is skipped, as image editors do it.
#[derive(Clone, Debug, Default)]
pub struct Resizer {
    sizes: [usize; 4],
    vertical: Taps,
    horizontal: Taps,
    /// `[height of the input, width of the output]`
    half_done: Vec<f32>,
}

/// For each output sample of one axis where its input samples start, and their weights.
#[derive(Clone, Debug, Default)]
pub struct Taps {
    pub starts: Vec<usize>,
    /// `[outputs, count]`
    pub weights: Vec<f32>,
    /// Input samples that each output takes.
    pub count: usize,
}

impl Taps {
    /// From `input` to `output` samples.
    pub fn set(&mut self, input: usize, output: usize) {
        let scale = input as f64 / output as f64;
        let stretch = scale.max(1.0);
        self.count = ((4.0 * stretch).ceil() as usize + 1).min(input);
        self.starts.clear();
        self.weights.clear();
        for i in 0..output {
            let centre = (i as f64 + 0.5) * scale - 0.5;
            let first = (centre - 2.0 * stretch).ceil().max(0.0) as usize;
            let first = first.min(input - self.count);
            let weights = (first..first + self.count).map(|j| cubic((j as f64 - centre) / stretch));
            let sum: f64 = weights.clone().sum();
            self.starts.push(first);
            self.weights.extend(weights.map(|w| (w / sum) as f32));
        }
    }

    fn of(&self, output: usize) -> (usize, &[f32]) {
        (self.starts[output], &self.weights[output * self.count..][..self.count])
    }
}

fn cubic(x: f64) -> f64 {
    let x = x.abs();
    match x {
        x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        x if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
        _ => 0.0,
    }
}

impl Resizer {
    /// The sizes whose tables it has: height and width of what it resizes, and of what it makes of that.
    pub fn sizes(&self) -> [usize; 4] {
        self.sizes
    }

    /// Makes `to` `[C, height, width]` from `from` with its number of colours. An empty `from` gives an empty picture.
    pub fn resize(&mut self, from: &Image, height: usize, width: usize, to: &mut Image) {
        if from.data.is_empty() || height * width == 0 {
            shape(to, 0, 0, 0);
            return;
        }
        shape(to, from.channels, height, width);
        if (from.height, from.width) == (height, width) {
            to.data.copy_from_slice(&from.data);
            return;
        }
        let sizes = [from.height, from.width, height, width];
        if self.sizes != sizes {
            self.sizes = sizes;
            self.vertical.set(from.height, height);
            self.horizontal.set(from.width, width);
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

/// Gives a picture another shape; allocates only when it grows.
pub fn shape(image: &mut Image, channels: usize, height: usize, width: usize) {
    (image.channels, image.height, image.width) = (channels, height, width);
    image.data.resize(channels * height * width, 0.0);
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
    /// Leaves everything where it is.
    pub const STILL: Motion = Motion { zoom: 1.0, turn: 0.0, x: 0.0, y: 0.0 };

    /// Does it move a picture of this size at all? One that is not finite moves nothing.
    pub fn moves(&self, height: usize, width: usize) -> bool {
        let is_finite = [self.zoom, self.turn, self.x, self.y].iter().all(|v| v.is_finite());
        *self != Motion::STILL && is_finite && height >= 2 && width >= 2
    }

    /// How it enlarges: between a quarter and four times.
    pub fn scale(&self) -> f32 {
        self.zoom.clamp(0.25, 4.0)
    }
}

/// Moves `from` into `to` of the same shape, bilinear, continued beyond its edges by reflection.
/// A motion that is not finite moves nothing.
pub fn moved(from: &Image, motion: Motion, to: &mut Image) {
    shape(to, from.channels, from.height, from.width);
    let (height, width) = (from.height, from.width);
    if !motion.moves(height, width) {
        to.data.copy_from_slice(&from.data);
        return;
    }
    let (sin, cos) = motion.turn.sin_cos();
    let zoom = motion.scale();
    let (cx, cy) = ((width as f32 - 1.0) / 2.0, (height as f32 - 1.0) / 2.0);
    let plane = height * width;
    for y in 0..height {
        for x in 0..width {
            // Where the output's pixel comes from: the inverse motion.
            let dx = x as f32 - cx - motion.x * width as f32;
            let dy = y as f32 - cy - motion.y * height as f32;
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

/// A coordinate folded into 0..=side − 1.
fn mirrored(at: f32, side: usize) -> f32 {
    let last = side as f32 - 1.0;
    if (0.0..=last).contains(&at) {
        return at;
    }
    let folded = at.rem_euclid(2.0 * last);
    // The folded value can round up to the period itself.
    folded.min(2.0 * last - folded).clamp(0.0, last)
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

    #[test]
    fn a_picture_moves_as_it_is_told() {
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
    fn absurd_motions_give_numbers() {
        for x in [f32::NAN, f32::INFINITY, 1e9, -1e9] {
            let mut out = Image::default();
            moved(&ramp(4, 4), Motion { x, ..Motion::STILL }, &mut out);
            assert!(out.data.iter().all(|v| v.is_finite()), "{x}");
        }
    }
}
