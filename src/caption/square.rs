//! The picture that the captioner sees: the middle square, in the size that it was trained with.
//!
//! Resized exactly as in training, by Pillow's bicubic filter: numbers that differ by one in every tenth byte move the
//! log-probability of a caption by 0.01. So this is not [`crate::image::resample`]. Source of the maths: Pillow's
//! `Resample.c`.

use image::RgbImage;

use crate::image::resample::spread;

/// Pixels on a side.
pub const SIDE: usize = 160;

/// The middle square of a picture, `SIDE` x `SIDE`. A picture without pixels is black.
pub fn middle(picture: &RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    let side = width.min(height) as usize;
    if side == 0 {
        return RgbImage::new(SIDE as u32, SIDE as u32);
    }
    let (left, top) = ((width as usize - side) / 2, (height as usize - side) / 2);
    let taps = taps(side);
    let row = |y: usize| &picture.as_raw()[((top + y) * width as usize + left) * 3..][..side * 3];
    // [side, SIDE, 3]
    let narrow: Vec<u8> = (0..side).flat_map(|y| shrunk(row(y), 3, &taps)).collect();
    // Along y, a row is one sample of SIDE * 3 numbers.
    let square = shrunk(&narrow, SIDE * 3, &taps);
    RgbImage::from_raw(SIDE as u32, SIDE as u32, square).unwrap_or_default()
}

/// The transpose of [`middle`], which is linear but for its rounding: for the gradient `[3, SIDE, SIDE]` of a number by the square,
/// that by the picture, `[3, height, width]`.
pub fn pulled_back(by: &[f32], height: usize, width: usize) -> Vec<f32> {
    let side = width.min(height);
    let mut out = vec![0.0; 3 * height * width];
    if side == 0 {
        return out;
    }
    let (left, top) = ((width - side) / 2, (height - side) / 2);
    let taps = taps(side);
    let lines = || taps.iter().map(|(from, weights)| (*from, weights.as_slice()));
    for (by, out) in by.chunks_exact(SIDE * SIDE).zip(out.chunks_exact_mut(height * width)) {
        spread(by, lines(), lines(), width, &mut out[top * width + left..]);
    }
    out
}

/// Where a sample's taps begin, and their weights, whose sum is 1.
type Taps = (usize, Vec<f64>);

/// The taps of each of `SIDE` samples of `side`.
fn taps(side: usize) -> Vec<Taps> {
    let scale = side as f64 / SIDE as f64;
    let stretch = scale.max(1.0);
    let each = |o: usize| {
        let centre = (o as f64 + 0.5) * scale;
        let edge = |x: f64| (x + 0.5).max(0.0) as usize;
        let (from, to) = (edge(centre - 2.0 * stretch), edge(centre + 2.0 * stretch).min(side));
        let weights: Vec<f64> = (from..to).map(|i| cubic((i as f64 - centre + 0.5) / stretch)).collect();
        let sum: f64 = weights.iter().sum();
        (from, weights.into_iter().map(|weight| weight / sum).collect())
    };
    (0..SIDE).map(each).collect()
}

/// The cubic of Keys with a = -0.5.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// A line of samples of `size` bytes, filtered and rounded half up.
fn shrunk(line: &[u8], size: usize, taps: &[Taps]) -> Vec<u8> {
    let mut sums = vec![0.0; size];
    let mut out = Vec::with_capacity(taps.len() * size);
    for (from, weights) in taps {
        sums.fill(0.5);
        for (weight, sample) in weights.iter().zip(line[from * size..].chunks_exact(size)) {
            sums.iter_mut().zip(sample).for_each(|(sum, byte)| *sum += weight * f64::from(*byte));
        }
        out.extend(sums.iter().map(|sum| sum.floor().clamp(0.0, 255.0) as u8));
    }
    out
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_wide_and_a_small_picture_become_pillows_square() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/caption");
        let read = |name: &str| crate::image::file::read(&folder.join(name)).unwrap().into_rgb8();
        for name in ["wide", "tiny"] {
            let (found, expected) = (middle(&read(&format!("{name}.png"))), read(&format!("{name}-160.png")));
            let differing = found.as_raw().iter().zip(expected.as_raw()).filter(|(a, b)| a != b).count();
            assert_eq!((found.dimensions(), differing), (expected.dimensions(), 0), "{name}");
        }
    }

    /// ⟨A x, y⟩ = ⟨x, Aᵀ y⟩, with what rounding leaves of it.
    #[test]
    fn the_transpose_belongs_to_it() {
        for (width, height) in [(64, 64), (320, 200), (90, 256)] {
            let byte = |i: u32| (128.0 + 100.0 * (i as f32 * 0.013).sin()) as u8;
            let picture =
                RgbImage::from_fn(width, height, |x, y| image::Rgb([0, 1, 2].map(|c| byte(x * (c + 1) + 7 * y))));
            let square = middle(&picture);
            let y: Vec<f32> = (0..3 * SIDE * SIDE).map(|i| 1.0 + (i as f32 * 0.01).cos()).collect();
            let plane = SIDE * SIDE;
            let number =
                |picture: &RgbImage, i: usize, plane: usize| f64::from(picture.as_raw()[i % plane * 3 + i / plane]);
            let forward: f64 = y.iter().enumerate().map(|(i, y)| f64::from(*y) * number(&square, i, plane)).sum();
            let back = pulled_back(&y, height as usize, width as usize);
            let plane = (width * height) as usize;
            let backward: f64 = back.iter().enumerate().map(|(i, y)| f64::from(*y) * number(&picture, i, plane)).sum();
            assert!((forward - backward).abs() < 1e-3 * forward, "{width} x {height}: {forward}, {backward}");
        }
    }

    #[test]
    fn a_square_of_that_size_stays_and_any_size_is_taken() {
        let picture = RgbImage::from_fn(160, 160, |x, y| image::Rgb([x as u8, y as u8, (x * y) as u8]));
        assert_eq!(middle(&picture), picture);
        for (width, height) in [(0, 9), (1, 1), (1, 300), (161, 3), (641, 480)] {
            let grey = RgbImage::from_pixel(width, height, image::Rgb([77; 3]));
            let expected = if width == 0 { 0 } else { 77 };
            assert!(middle(&grey).as_raw().iter().all(|byte| *byte == expected), "{width} x {height}");
        }
    }
}
