//! How far a painting has moved: from the original, and from the pass before.

use crate::effects::style::balance::mean_and_deviation;
use crate::image::Image;
use crate::image::resample::Resizer;

/// Shorter side of the small copies that layouts are compared in: shapes remain, strokes do not.
const LAYOUT: usize = 32;

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    pub pass: u32,
    /// Content distance: 1 − the correlation of a small copy's brightness with the original's. 0 is the same layout,
    /// 1 is unrelated.
    pub content: f64,
    /// Mean difference from the original, 0 to 1.
    pub original: f64,
    /// Mean difference from the pass before, 0 to 1.
    pub change: f64,
    /// Mean and deviation of all values, on a scale of 0 to 1.
    pub mean: f64,
    pub deviation: f64,
    /// Mean difference between each pixel and the mean of its 3 x 3 neighbourhood.
    pub detail: f64,
}

/// Compares a painting with the original and with the pass before, all of one size.
pub fn measure(pass: u32, original: &Image, before: &Image, painting: &Image) -> Measured {
    let (mean, deviation) = mean_and_deviation(&painting.data);
    Measured {
        pass,
        content: 1.0 - correlation(&layout(original), &layout(painting)),
        original: difference(original, painting),
        change: difference(before, painting),
        mean: (f64::from(mean) + 1.0) / 2.0,
        deviation: f64::from(deviation) / 2.0,
        detail: detail(painting),
    }
}

fn difference(a: &Image, b: &Image) -> f64 {
    let sum: f64 = a.data.iter().zip(&b.data).map(|(a, b)| f64::from((a - b).abs())).sum();
    sum / (2.0 * a.data.len().max(1) as f64)
}

/// The brightness of a small copy.
fn layout(image: &Image) -> Vec<f64> {
    let shrink = |side: usize| (side * LAYOUT).div_ceil(image.height.min(image.width).max(1)).max(1);
    let mut small = Image::default();
    Resizer::default().resize(image, shrink(image.height), shrink(image.width), &mut small);
    let plane = small.height * small.width;
    let light = |i: usize| 0.299 * small.data[i] + 0.587 * small.data[plane + i] + 0.114 * small.data[2 * plane + i];
    (0..plane).map(|i| f64::from(light(i))).collect()
}

/// Pearson correlation; 0 if either is constant.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let count = a.len().max(1) as f64;
    let mean = |v: &[f64]| v.iter().sum::<f64>() / count;
    let (ma, mb) = (mean(a), mean(b));
    let covariance =
        |x: &[f64], mx: f64, y: &[f64], my: f64| x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>() / count;
    let (va, vb) = (covariance(a, ma, a, ma), covariance(b, mb, b, mb));
    if va.min(vb) > 1e-8 { covariance(a, ma, b, mb) / (va * vb).sqrt() } else { 0.0 }
}

/// Fine detail: what a 3 x 3 blur removes.
pub fn detail(image: &Image) -> f64 {
    let (height, width) = (image.height, image.width);
    if height < 3 || width < 3 {
        return 0.0;
    }
    let mut sum = 0.0;
    for plane in image.data.chunks_exact(height * width) {
        for y in 1..height - 1 {
            for x in 1..width - 1 {
                let row = |dy: usize| plane[(y + dy - 1) * width + x - 1..][..3].iter().sum::<f32>();
                let blurred = (row(0) + row(1) + row(2)) / 9.0;
                sum += f64::from((plane[y * width + x] - blurred).abs());
            }
        }
    }
    sum / (2.0 * (image.channels * (height - 2) * (width - 2)) as f64)
}

#[cfg(test)]
mod test {
    use super::*;

    fn image(f: impl Fn(usize, usize) -> f32) -> Image {
        let mut image = Image::new(3, 64, 64);
        image.data.iter_mut().enumerate().for_each(|(i, v)| *v = f(i % 64, i / 64 % 64));
        image
    }

    #[test]
    fn the_same_picture_has_not_moved_and_a_negative_has_moved_twice() {
        let picture = image(|x, y| (x as f32 / 9.0).sin() * (y as f32 / 11.0).cos());
        let same = measure(1, &picture, &picture, &picture);
        assert!(same.content.abs() < 1e-9 && same.change == 0.0 && same.original == 0.0);
        let mut negative = picture.clone();
        negative.data.iter_mut().for_each(|v| *v = -*v);
        let moved = measure(1, &picture, &picture, &negative);
        assert!((moved.content - 2.0).abs() < 1e-9 && moved.change > 0.1, "{moved:?}");
    }

    #[test]
    fn strokes_do_not_count_as_layout_but_as_detail() {
        let picture = image(|x, y| (x as f32 / 9.0).sin() * (y as f32 / 11.0).cos() * 0.5);
        let stroked =
            image(|x, y| (x as f32 / 9.0).sin() * (y as f32 / 11.0).cos() * 0.5 + if x % 2 == 0 { 0.2 } else { -0.2 });
        let moved = measure(1, &picture, &picture, &stroked);
        assert!(moved.content < 0.02, "{moved:?}");
        assert!((moved.change - 0.1).abs() < 1e-3 && moved.detail > 0.05 && detail(&picture) < 0.01, "{moved:?}");
    }

    #[test]
    fn a_flat_picture_has_nothing_in_common() {
        let picture = image(|x, _| x as f32 / 64.0);
        let flat = measure(3, &picture, &picture, &image(|_, _| 1.0));
        assert_eq!((flat.pass, flat.content, flat.mean, flat.deviation, flat.detail), (3, 1.0, 1.0, 0.0, 0.0));
    }
}
