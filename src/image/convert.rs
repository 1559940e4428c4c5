//! Floats to bytes and back, and sRGB to linear light and back. Plain arithmetic.
//!
//! There is one rounding rule: −1..1 becomes a byte by `byte_from_float`, everywhere; `shaders/effects/shown.wgsl` is its twin
//! on a graphics card.

use std::sync::OnceLock;

use ::image::RgbImage;
use half::f16;

use super::Image;

/// The byte for a picture's number, −1..1: trunc(clamp(127.5·x + 128, 0, 255)), as in the original tools.
pub fn byte_from_float(x: f32) -> u8 {
    (x * 127.5 + 128.0).clamp(0.0, 255.0) as u8
}

/// The number −1..1 for a byte.
pub fn float_from_byte(byte: u8) -> f32 {
    f32::from(byte) / 127.5 - 1.0
}

/// Converts a picture of −1..1 to 8-bit RGBA. Grey pictures become RGB; an alpha channel is dropped.
pub fn rgba8_from_image(image: &Image, rgba: &mut Vec<u8>) {
    let plane = image.width * image.height;
    rgba.resize(plane * 4, 255);
    if plane == 0 {
        return;
    }
    let channel = |c: usize| &image.data[c.min(image.channels - 1) * plane..][..plane];
    let (r, g, b) =
        if image.channels < 3 { (channel(0), channel(0), channel(0)) } else { (channel(0), channel(1), channel(2)) };
    for (pixel, ((r, g), b)) in rgba.as_chunks_mut::<4>().0.iter_mut().zip(r.iter().zip(g).zip(b)) {
        *pixel = [byte_from_float(*r), byte_from_float(*g), byte_from_float(*b), 255];
    }
}

/// Converts a picture of −1..1 to 8-bit RGB, as [`rgba8_from_image`].
pub fn rgb8_from_image(image: &Image) -> RgbImage {
    let mut rgba = Vec::new();
    rgba8_from_image(image, &mut rgba);
    let bytes = rgba.as_chunks::<4>().0.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect();
    RgbImage::from_raw(image.width as u32, image.height as u32, bytes).unwrap_or_default()
}

/// Converts 8-bit RGBA pixels to `[3, H, W]` in −1..1; alpha is dropped.
pub fn image_from_rgba8(rgba: &[u8], height: usize, width: usize) -> Image {
    let mut image = Image::new(3, height, width);
    let plane = height * width;
    for (i, pixel) in rgba.as_chunks::<4>().0.iter().enumerate().take(plane) {
        for (c, &byte) in pixel[..3].iter().enumerate() {
            image.data[c * plane + i] = float_from_byte(byte);
        }
    }
    image
}

/// Converts linear light, RGBA, to sRGB-encoded bytes; what is brighter than white is white. Alpha becomes 255.
pub fn rgba8_from_light(light: &[f16], rgba: &mut Vec<u8>) {
    let encoder = Encoder::get();
    rgba.clear();
    let byte = |light: f16| encoder.byte(light.to_f32());
    rgba.extend(light.as_chunks::<4>().0.iter().flat_map(|&[r, g, b, _]| [byte(r), byte(g), byte(b), 255]));
}

/// Linear light 0 to 1 of an sRGB-encoded value 0 to 1 (IEC 61966-2-1).
pub fn linear_from_srgb(x: f64) -> f64 {
    if x <= 0.040_45 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) }
}

/// Linear light of each byte.
pub fn linear_table() -> &'static [f32; 256] {
    static TABLE: OnceLock<[f32; 256]> = OnceLock::new();
    TABLE.get_or_init(|| std::array::from_fn(|byte| linear_from_srgb(byte as f64 / 255.0) as f32))
}

/// Linear light to sRGB-encoded bytes, correctly rounded.
pub(super) struct Encoder {
    /// The byte at the lower end of each of [`Encoder::CELLS`] equal parts of 0 to 1.
    guess: Vec<u8>,
    /// The linear light from which each byte is the nearest.
    from: [f32; 257],
}

impl Encoder {
    const CELLS: usize = 4096;

    pub(super) fn get() -> &'static Encoder {
        static ENCODER: OnceLock<Encoder> = OnceLock::new();
        ENCODER.get_or_init(|| {
            let edge = |byte: usize| match byte {
                0 => 0.0,
                256 => f32::INFINITY,
                _ => linear_from_srgb((byte as f64 - 0.5) / 255.0) as f32,
            };
            let from: [f32; 257] = std::array::from_fn(edge);
            let guess = (0..=Self::CELLS).map(|cell| {
                let low = cell as f32 / Self::CELLS as f32;
                (from.partition_point(|&edge| edge <= low) - 1) as u8
            });
            Encoder { guess: guess.collect(), from }
        })
    }

    pub(super) fn byte(&self, light: f32) -> u8 {
        let light = light.clamp(0.0, 1.0);
        let mut byte = self.guess[(light * Self::CELLS as f32) as usize];
        while light >= self.from[usize::from(byte) + 1] {
            byte += 1;
        }
        byte
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_become_numbers_and_back() {
        let image = image_from_rgba8(&[0, 128, 255, 7, 255, 0, 1, 9], 1, 2);
        assert_eq!((image.data[0], image.data[4], image.data[1]), (-1.0, 1.0, 1.0));
        let mut rgba = Vec::new();
        rgba8_from_image(&image, &mut rgba);
        assert_eq!(rgba, [0, 128, 255, 255, 255, 0, 1, 255]);
        assert!((0..=255).all(|byte| byte_from_float(float_from_byte(byte)) == byte));
    }

    #[test]
    fn pictures_are_rounded_as_in_the_original_tools() {
        let image = Image { channels: 3, height: 1, width: 2, data: vec![-1.0, 0.0, 1.0, -9.0, 9.0, 0.5] };
        let mut rgba = Vec::new();
        rgba8_from_image(&image, &mut rgba);
        assert_eq!(rgba, [0, 255, 255, 255, 128, 0, 191, 255]);
        let grey = Image { channels: 1, height: 1, width: 1, data: vec![0.0] };
        rgba8_from_image(&grey, &mut rgba);
        assert_eq!(rgba, [128, 128, 128, 255]);
    }

    #[test]
    fn light_is_encoded_to_the_nearest_byte() {
        let encoder = Encoder::get();
        for i in 0..=100_000 {
            let light = i as f32 / 100_000.0;
            let x = f64::from(light);
            let srgb = if x <= 0.003_130_8 { x * 12.92 } else { 1.055 * x.powf(1.0 / 2.4) - 0.055 };
            let distance = (f64::from(encoder.byte(light)) - srgb * 255.0).abs();
            assert!(distance < 0.501, "{light}: {distance}");
        }
        assert_eq!([-1.0, 0.0, 1.0, 9.0].map(|x| encoder.byte(x)), [0, 0, 255, 255]);
    }
}
