//! Fits a picture into a frame of a different shape, on the processor.
//!
//! Resampling and brightness work in linear light: the mean of black and white is the grey that reflects half the light.
//! Enlarging uses the Mitchell-Netravali filter (SIGGRAPH 1988, B = C = 1/3), which hardly rings; shrinking uses Lanczos
//! with three lobes. Plain arithmetic in a fixed order: the same pixels on every machine. Pictures are 8-bit sRGB, or linear
//! light in half floats.

use half::f16;
use rayon::prelude::*;

use super::convert::{Encoder, linear_table};
use super::resample::{LANCZOS3, MITCHELL, Taps};

/// How a picture fills an output of a different shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Fit {
    /// The whole picture; the rest is black.
    Contain,
    /// The output is filled; the excess is cropped evenly.
    Cover,
    /// The whole picture; the rest is filled with its mirror image.
    #[default]
    Mirror,
}

impl Fit {
    /// How much a picture is enlarged to fill a frame. Both are width and height in pixels, none of them 0.
    pub fn enlargement(self, picture: [f64; 2], frame: [f64; 2]) -> f64 {
        let [across, down] = [0, 1].map(|axis| frame[axis] / picture[axis]);
        match self {
            Fit::Contain | Fit::Mirror => across.min(down),
            Fit::Cover => across.max(down),
        }
    }
}

/// One pixel in linear light; the fourth number only fills a register.
type Linear = [f32; 4];

/// A pixel as it is stored: RGBA.
trait Pixel: Copy + Send + Sync {
    const BLACK: Self;
    fn light(self) -> Linear;
    fn of(light: &Linear) -> Self;
}

/// sRGB-encoded.
impl Pixel for [u8; 4] {
    const BLACK: Self = [0, 0, 0, 255];
    fn light(self) -> Linear {
        let table = linear_table();
        let [r, g, b, _] = self.map(|byte| table[usize::from(byte)]);
        [r, g, b, 0.0]
    }
    fn of(&[r, g, b, _]: &Linear) -> Self {
        let encoder = Encoder::get();
        [encoder.byte(r), encoder.byte(g), encoder.byte(b), 255]
    }
}

/// Linear light, which may be brighter than white.
impl Pixel for [f16; 4] {
    const BLACK: Self = [f16::ZERO, f16::ZERO, f16::ZERO, f16::ONE];
    fn light(self) -> Linear {
        let [r, g, b, _] = self.map(f16::to_f32);
        [r, g, b, 0.0]
    }
    fn of(&[r, g, b, _]: &Linear) -> Self {
        [f16::from_f32(r), f16::from_f32(g), f16::from_f32(b), f16::ONE]
    }
}

/// Composes frames of a fixed size. Allocates when the picture's size or the fit changes, not per frame.
#[derive(Debug)]
pub struct Composer {
    size: (usize, usize),
    bytes: Composed<[u8; 4]>,
    /// Made when it is first needed.
    light: Composed<[f16; 4]>,
}

impl Composer {
    /// For frames of `width` x `height` pixels.
    pub fn new(width: u32, height: u32) -> Self {
        let size = (width as usize, height as usize);
        let mut bytes = Composed::default();
        bytes.prepare(size);
        Composer { size, bytes, light: Composed::default() }
    }

    /// The frame for a picture of `width` x `height` pixels: sRGB-encoded RGBA in and out; alpha is ignored on input and 255
    /// on output. `brightness` from 0 to 1 multiplies the light. A picture whose length does not match its size gives a
    /// black frame.
    pub fn compose(&mut self, rgba: &[u8], width: u32, height: u32, fit: Fit, brightness: f32) -> &[u8] {
        let picture = (width as usize, height as usize);
        self.bytes.compose(rgba.as_chunks::<4>().0, picture, self.size, fit, brightness).as_flattened()
    }

    /// As [`Composer::compose`], in linear light: half floats, also above 1.
    pub fn compose_light(&mut self, light: &[f16], width: u32, height: u32, fit: Fit, brightness: f32) -> &[f16] {
        let picture = (width as usize, height as usize);
        self.light.prepare(self.size);
        self.light.compose(light.as_chunks::<4>().0, picture, self.size, fit, brightness).as_flattened()
    }

    /// The frame that [`Composer::compose_light`] has made last; empty before.
    pub fn light(&self) -> &[f16] {
        self.light.frame.as_flattened()
    }
}

/// The frame of one kind of pixels.
#[derive(Debug)]
struct Composed<P> {
    layout: Option<Layout>,
    /// The picture after the horizontal pass, `[picture height][placed width]`.
    rows: Vec<Linear>,
    frame: Vec<P>,
}

impl<P> Default for Composed<P> {
    fn default() -> Self {
        Composed { layout: None, rows: Vec::new(), frame: Vec::new() }
    }
}

impl<P: Pixel> Composed<P> {
    fn prepare(&mut self, (width, height): (usize, usize)) {
        self.frame.resize(width * height, P::BLACK);
    }

    fn compose(
        &mut self,
        pixels: &[P],
        picture: (usize, usize),
        size: (usize, usize),
        fit: Fit,
        brightness: f32,
    ) -> &[P] {
        // NaN counts as dark, too.
        let brightness = if brightness > 0.0 { brightness.min(1.0) } else { 0.0 };
        let nothing = pixels.is_empty() || pixels.len() != picture.0 * picture.1 || self.frame.is_empty();
        if nothing || brightness == 0.0 {
            self.frame.fill(P::BLACK);
            return &self.frame;
        }
        if self.layout.as_ref().is_none_or(|l| (l.picture, l.fit) != (picture, fit)) {
            self.layout = Some(Layout::new(picture, size, fit));
            self.frame.fill(P::BLACK);
        }
        if let Some(layout) = &self.layout {
            layout.spread_rows(pixels, &mut self.rows);
            layout.place(&self.rows, brightness, &mut self.frame, size.0);
            if fit == Fit::Mirror {
                layout.mirror(&mut self.frame, size.0);
            }
        }
        &self.frame
    }
}

/// Where a picture is placed, and the filters for it.
#[derive(Debug)]
struct Layout {
    picture: (usize, usize),
    fit: Fit,
    /// Left and top of the placed picture in the frame.
    origin: (usize, usize),
    across: Taps,
    down: Taps,
}

impl Layout {
    fn new(picture: (usize, usize), frame: (usize, usize), fit: Fit) -> Self {
        let scale = fit.enlargement([picture.0 as f64, picture.1 as f64], [frame.0 as f64, frame.1 as f64]);
        let placed = |picture: usize, frame: usize| ((picture as f64 * scale).round() as usize).clamp(1, frame);
        let (width, height) = (placed(picture.0, frame.0), placed(picture.1, frame.1));
        // How much of each side the frame shows, in the picture's pixels; the rest is cropped.
        let shown = |picture: usize, frame: usize| {
            if fit == Fit::Cover { (frame as f64 / scale).min(picture as f64) } else { picture as f64 }
        };
        Layout {
            picture,
            fit,
            origin: ((frame.0 - width) / 2, (frame.1 - height) / 2),
            across: taps(picture.0, shown(picture.0, frame.0), width),
            down: taps(picture.1, shown(picture.1, frame.1), height),
        }
    }

    /// The horizontal pass: resizes each row of the picture to the placed width, in linear light.
    fn spread_rows<P: Pixel>(&self, pixels: &[P], rows: &mut Vec<Linear>) {
        rows.resize(self.picture.1 * self.across.len(), [0.0; 4]);
        let lines = rows.par_chunks_mut(self.across.len()).zip(pixels.par_chunks(self.picture.0));
        lines.for_each_init(Vec::new, |linear: &mut Vec<Linear>, (row, pixels)| {
            linear.clear();
            linear.extend(pixels.iter().map(|pixel| pixel.light()));
            for (out, (start, weights)) in row.iter_mut().zip(self.across.iter()) {
                *out = [0.0; 4];
                for (pixel, weight) in linear[start..].iter().zip(weights) {
                    add(out, pixel, *weight);
                }
            }
        });
    }

    /// The vertical pass: the placed picture into the frame.
    fn place<P: Pixel>(&self, rows: &[Linear], brightness: f32, frame: &mut [P], frame_width: usize) {
        let width = self.across.len();
        let lines = frame.par_chunks_mut(frame_width).skip(self.origin.1).zip(self.down.par_iter());
        lines.for_each_init(Vec::new, |sums: &mut Vec<Linear>, (line, (start, weights))| {
            sums.clear();
            sums.resize(width, [0.0; 4]);
            for (row, weight) in rows.chunks_exact(width).skip(start).zip(weights) {
                sums.iter_mut().zip(row).for_each(|(sum, pixel)| add(sum, pixel, *weight * brightness));
            }
            for (pixel, light) in line[self.origin.0..].iter_mut().zip(sums.iter()) {
                *pixel = P::of(light);
            }
        });
    }

    /// Fills the area around the placed picture with repeated mirror images.
    fn mirror<P: Pixel>(&self, frame: &mut [P], frame_width: usize) {
        let (left, top) = self.origin;
        let (width, height) = (self.across.len(), self.down.len());
        if width < frame_width {
            for line in frame.chunks_exact_mut(frame_width).skip(top).take(height) {
                for x in (0..left).chain(left + width..frame_width) {
                    line[x] = line[left + reflected(x, left, width)];
                }
            }
        }
        let frame_height = frame.len() / frame_width;
        for y in (0..top).chain(top + height..frame_height) {
            let from = (top + reflected(y, top, height)) * frame_width;
            frame.copy_within(from..from + frame_width, y * frame_width);
        }
    }
}

fn add(sum: &mut Linear, pixel: &Linear, weight: f32) {
    for (sum, x) in sum.iter_mut().zip(pixel) {
        *sum += x * weight;
    }
}

/// Which of `len` positions is visible at `x` when they start at `start` and are mirrored at both ends.
pub(crate) fn reflected(x: usize, start: usize, len: usize) -> usize {
    let period = 2 * len as i64;
    let place = (x as i64 - start as i64).rem_euclid(period);
    place.min(period - 1 - place) as usize
}

/// From the middle `shown` of `from` samples to `to`.
fn taps(from: usize, shown: f64, to: usize) -> Taps {
    let mut taps = Taps::default();
    if shown < to as f64 {
        taps.set(from, shown, to, &MITCHELL)
    } else {
        taps.set(from, shown, to, &LANCZOS3)
    }
    taps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(levels: &[u8]) -> Vec<u8> {
        levels.iter().flat_map(|&l| [l, l, l, 0]).collect()
    }

    fn levels(frame: &[u8]) -> Vec<u8> {
        assert!(frame.as_chunks::<4>().0.iter().all(|p| p[3] == 255));
        frame.iter().step_by(4).copied().collect()
    }

    fn composed(picture: &[u8], size: (u32, u32), frame: (u32, u32), fit: Fit) -> Vec<u8> {
        levels(Composer::new(frame.0, frame.1).compose(&grey(picture), size.0, size.1, fit, 1.0))
    }

    #[test]
    fn every_byte_survives_its_own_size() {
        let all: Vec<u8> = (0..=255).collect();
        for fit in [Fit::Contain, Fit::Cover, Fit::Mirror] {
            assert_eq!(composed(&all, (32, 8), (32, 8), fit), all);
        }
    }

    #[test]
    fn mixing_and_brightness_are_in_linear_light() {
        // Half of the light is 188 in sRGB, not 128.
        let board: Vec<u8> = (0..64 * 64).map(|i| if (i + i / 64) % 2 == 0 { 0 } else { 255 }).collect();
        let middle = composed(&board, (64, 64), (8, 8), Fit::Contain)[27];
        assert!(middle.abs_diff(188) <= 1, "{middle}");
        let half = Composer::new(1, 1).compose(&grey(&[255]), 1, 1, Fit::Contain, 0.5)[0];
        assert_eq!(half, 188);
        let mut composer = Composer::new(2, 2);
        composer.compose(&grey(&[255; 4]), 2, 2, Fit::Contain, 1.0);
        for brightness in [0.0, -1.0, f32::NAN] {
            let dark = composer.compose(&grey(&[255; 4]), 2, 2, Fit::Contain, brightness);
            assert_eq!(levels(dark), [0; 4], "{brightness}");
        }
    }

    #[test]
    fn light_is_fitted_as_bytes_are() {
        let bytes: Vec<u8> = (0..7 * 5 * 4).map(|i| (i * 53 % 256) as u8).collect();
        let light: Vec<f16> = bytes.iter().map(|byte| f16::from_f32(linear_table()[usize::from(*byte)])).collect();
        for fit in [Fit::Contain, Fit::Cover, Fit::Mirror] {
            let mut composer = Composer::new(16, 9);
            let coded = composer.compose(&bytes, 7, 5, fit, 0.7).to_vec();
            let light = composer.compose_light(&light, 7, 5, fit, 0.7);
            for (byte, light) in coded.iter().zip(light) {
                let encoded = Encoder::get().byte(light.to_f32());
                assert!(byte.abs_diff(encoded) <= 1, "{fit:?}: {byte} {encoded}");
            }
        }
        // Brighter than white stays so, and the rest is black.
        let bright = [f16::from_f32(7.5); 4];
        let frame = Composer::new(3, 1).compose_light(&bright, 1, 1, Fit::Contain, 1.0).to_vec();
        assert_eq!(
            frame.iter().map(|light| light.to_f32()).collect::<Vec<_>>()[..8],
            [0.0, 0.0, 0.0, 1.0, 7.5, 7.5, 7.5, 1.0]
        );
    }

    #[test]
    fn an_even_picture_stays_even_at_any_size() {
        for size in [(1, 1), (3, 3), (7, 7), (16, 16), (100, 100), (255, 255)] {
            let out = composed(&[77; 49], (7, 7), size, Fit::Cover);
            assert!(out.iter().all(|&x| x == 77), "{size:?}");
        }
    }

    #[test]
    fn contain_leaves_black_sides_and_cover_crops() {
        let picture = [10, 20, 30, 40];
        assert_eq!(composed(&picture, (2, 2), (4, 2), Fit::Contain), [0, 10, 20, 0, 0, 30, 40, 0]);
        assert_eq!(composed(&picture, (2, 2), (2, 4), Fit::Contain), [0, 0, 10, 20, 30, 40, 0, 0]);
        assert_eq!(composed(&[1, 2, 3, 4, 5, 6, 7, 8], (4, 2), (2, 2), Fit::Cover), [2, 3, 6, 7]);
    }

    #[test]
    fn mirror_repeats() {
        assert_eq!(composed(&[10, 20, 30, 40], (2, 2), (4, 2), Fit::Mirror), [10, 10, 20, 20, 30, 30, 40, 40]);
        assert_eq!(composed(&[10, 20], (1, 2), (1, 8), Fit::Contain)[3..5], [10, 20]);
        let tall = composed(&[10, 20], (2, 1), (2, 7), Fit::Mirror);
        assert_eq!(tall, [10, 20].repeat(7));
        let wide = composed(&[1, 2, 3, 4, 5, 6], (3, 2), (11, 2), Fit::Mirror);
        assert_eq!(wide[..11], [3, 3, 2, 1, 1, 2, 3, 3, 2, 1, 1]);
    }

    #[test]
    fn enlarging_keeps_the_centre_in_place() {
        let ramp: Vec<u8> = (0..16).flat_map(|_| (0..16).map(|x| 100 + 4 * x)).collect();
        let large = composed(&ramp, (16, 16), (64, 64), Fit::Contain);
        let line = &large[32 * 64..33 * 64];
        assert!(line.windows(2).all(|w| w[0] <= w[1]), "{line:?}");
        // A ramp and its mirror image meet in the middle, in linear light.
        let (left, right) = (u32::from(line[31]), u32::from(line[32]));
        assert!((left + right).abs_diff(2 * 130) <= 1, "{left} {right}");
    }

    #[test]
    fn a_picture_of_the_wrong_length_is_black() {
        let mut composer = Composer::new(2, 1);
        assert_eq!(levels(composer.compose(&grey(&[255; 3]), 2, 2, Fit::Cover, 1.0)), [0, 0]);
        assert_eq!(levels(composer.compose(&[], 0, 0, Fit::Cover, 1.0)), [0, 0]);
        assert_eq!(Composer::new(0, 0).compose(&grey(&[1]), 1, 1, Fit::Cover, 1.0), [0; 0]);
    }
}
