//! A contact sheet: pictures side by side on a dark page.

use image::{Rgba, RgbaImage, imageops};

/// Behind and between the pictures.
const BACKGROUND: Rgba<u8> = Rgba([24, 24, 24, 255]);

/// Maximum side of a sheet in pixels; many programs cannot open larger ones.
const MAX_SIDE: u32 = 16_384;

/// Arranges pictures row by row on a roughly square sheet, with thin gaps between and around them. The pictures should
/// have the same size: each cell has the size of the largest. Pictures are shrunk if the page would be too large to
/// open. No pictures give one dark pixel.
pub fn contact_sheet(pictures: &[RgbaImage]) -> RgbaImage {
    let [width, height] = largest(pictures);
    if width == 0 || height == 0 {
        return RgbaImage::from_pixel(1, 1, BACKGROUND);
    }
    let count = pictures.len() as u32;
    grid(pictures, columns(count, width, height), divisor(count, width, height))
}

/// As [`contact_sheet`], with this many pictures in a row; they are not shrunk.
pub fn rows_of(pictures: &[RgbaImage], columns: u32) -> RgbaImage {
    grid(pictures, columns, 1)
}

fn largest(pictures: &[RgbaImage]) -> [u32; 2] {
    [RgbaImage::width, RgbaImage::height].map(|side| pictures.iter().map(side).max().unwrap_or(0))
}

fn grid(pictures: &[RgbaImage], columns: u32, divisor: u32) -> RgbaImage {
    let ([width, height], columns) = (largest(pictures), columns.max(1));
    let rows = (pictures.len() as u32).div_ceil(columns);
    let (width, height) = ((width / divisor).max(1), (height / divisor).max(1));
    let gap = gap(width.min(height));
    let mut sheet = RgbaImage::from_pixel(gap + columns * (width + gap), gap + rows * (height + gap), BACKGROUND);
    for (i, picture) in (0..).zip(pictures) {
        let x = gap + i % columns * (width + gap);
        let y = gap + i / columns * (height + gap);
        if divisor == 1 {
            imageops::replace(&mut sheet, picture, x.into(), y.into());
        } else {
            imageops::replace(&mut sheet, &imageops::thumbnail(picture, width, height), x.into(), y.into());
        }
    }
    sheet
}

/// A picture at the size it will have on a sheet of `count` pictures, so that large ones need not be kept until the
/// sheet is made.
pub fn small(picture: RgbaImage, count: u32) -> RgbaImage {
    let (width, height) = picture.dimensions();
    match divisor(count.max(1), width.max(1), height.max(1)) {
        1 => picture,
        divisor => imageops::thumbnail(&picture, (width / divisor).max(1), (height / divisor).max(1)),
    }
}

/// By what factor `count` pictures must be shrunk so that their page can be opened.
fn divisor(count: u32, width: u32, height: u32) -> u32 {
    let columns = columns(count, width, height);
    let rows = count.div_ceil(columns);
    let fits = |d: &u32| page(columns, width / d) <= MAX_SIDE && page(rows, height / d) <= MAX_SIDE;
    (1..width.max(height)).find(fits).unwrap_or(width.max(height))
}

/// The side of a page of `count` pictures.
fn page(count: u32, side: u32) -> u32 {
    gap(side) + count * (side + gap(side))
}

/// 1/32 of a picture, from 2 to 16 pixels.
fn gap(side: u32) -> u32 {
    (side / 32).clamp(2, 16)
}

/// As many columns as make the page roughly square.
fn columns(count: u32, width: u32, height: u32) -> u32 {
    let square = (f64::from(count) * f64::from(height) / f64::from(width)).sqrt();
    (square.ceil() as u32).clamp(1, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_lie_in_rows() {
        let pictures: Vec<RgbaImage> =
            (0..5).map(|i| RgbaImage::from_pixel(64, 64, Rgba([100 + i, 0, 0, 255]))).collect();
        let sheet = contact_sheet(&pictures);
        assert_eq!(sheet.dimensions(), (2 + 3 * 66, 2 + 2 * 66));
        for (x, y, level) in [(2, 2, 100), (67 + 2, 65, 101), (2 + 2 * 66, 2, 102), (2, 68, 103), (68, 68, 104)] {
            assert_eq!(sheet.get_pixel(x, y)[0], level, "{x} {y}");
        }
        for (x, y) in [(0, 0), (66, 10), (2 + 2 * 66, 68)] {
            assert_eq!(*sheet.get_pixel(x, y), BACKGROUND, "{x} {y}");
        }
    }

    #[test]
    fn a_page_is_about_square_and_never_too_large() {
        assert_eq!([1, 2, 16, 17, 100].map(|n| columns(n, 64, 64)), [1, 2, 4, 5, 10]);
        assert_eq!(columns(8, 128, 64), 2);
        let many: Vec<RgbaImage> = (0..90).map(|_| RgbaImage::new(2048, 1024)).collect();
        let sheet = contact_sheet(&many);
        assert!(sheet.width() <= MAX_SIDE && sheet.height() <= MAX_SIDE, "{:?}", sheet.dimensions());
        assert_eq!(contact_sheet(&[]).dimensions(), (1, 1));
    }

    #[test]
    fn small_pictures_give_the_same_sheet() {
        for (width, height, count) in [(64, 64, 5), (MAX_SIDE + 1000, 8, 3)] {
            let pixel = |i: u32| move |x: u32, y: u32| Rgba([(x / 9 + i) as u8, (y * 3) as u8, 90, 255]);
            let pictures: Vec<_> = (0..count).map(|i| RgbaImage::from_fn(width, height, pixel(i))).collect();
            let sheet = contact_sheet(&pictures);
            let small: Vec<_> = pictures.into_iter().map(|picture| small(picture, count)).collect();
            assert!(small.iter().all(|picture| picture.width() < MAX_SIDE), "{width} x {height}");
            assert!(contact_sheet(&small) == sheet, "{count} of {width} x {height}");
        }
    }
}
