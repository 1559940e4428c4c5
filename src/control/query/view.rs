//! The small picture for clients: copied by the show only when a client is waiting, and encoded as JPEG on the thread
//! `query`, once for all clients.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};

/// Longest side of the JPEG, in pixels.
const LONGEST: usize = 384;
const QUALITY: u8 = 80;

/// The newest picture that a client asked for.
#[derive(Debug, Default)]
pub struct View {
    width: usize,
    height: usize,
    /// sRGB-encoded, 8 bits each.
    rgba: Vec<u8>,
    /// The picture's serial number, and its brightness.
    key: (u64, f32),
    jpeg: Option<std::sync::Arc<[u8]>>,
}

impl View {
    /// Whether this picture is already here.
    pub fn is(&self, serial: u64, brightness: f32) -> bool {
        self.width > 0 && self.key == (serial, brightness)
    }

    /// Copies a picture: `width` by `height`, sRGB-encoded RGBA.
    pub fn take(&mut self, width: u32, height: u32, rgba: &[u8], serial: u64, brightness: f32) {
        (self.width, self.height) = (width as usize, height as usize);
        rgba.clone_into(&mut self.rgba);
        self.key = (serial, brightness);
        self.jpeg = None;
    }

    /// The picture as a JPEG, at most 384 pixels on each side; `None` before the first one.
    pub fn jpeg(&mut self) -> Option<std::sync::Arc<[u8]>> {
        if self.jpeg.is_none() {
            let (width, height, rgb) = self.small()?;
            let mut out = Vec::with_capacity(64 << 10);
            let encoder = JpegEncoder::new_with_quality(&mut out, QUALITY);
            encoder.write_image(&rgb, width as u32, height as u32, ExtendedColorType::Rgb8).ok()?;
            self.jpeg = Some(out.into());
        }
        self.jpeg.clone()
    }

    /// Shrunk by averaging blocks of n·n pixels, with the show's brightness applied.
    fn small(&self) -> Option<(usize, usize, Vec<u8>)> {
        let n = self.width.max(self.height).div_ceil(LONGEST).max(1);
        let (width, height) = (self.width / n, self.height / n);
        if width == 0 || height == 0 || self.rgba.len() < self.width * self.height * 4 {
            return None;
        }
        // The fade is in linear light; gamma 2.2 is close enough for a small picture.
        let gain = f64::from(self.key.1.clamp(0.0, 1.0)).powf(1.0 / 2.2);
        let mut rgb = Vec::with_capacity(width * height * 3);
        for y in 0..height {
            for x in 0..width {
                for channel in 0..3 {
                    let mut sum = 0u32;
                    for row in y * n..(y + 1) * n {
                        for column in x * n..(x + 1) * n {
                            sum += u32::from(self.rgba[(row * self.width + column) * 4 + channel]);
                        }
                    }
                    rgb.push((f64::from(sum) / (n * n) as f64 * gain) as u8);
                }
            }
        }
        Some((width, height, rgb))
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn pictures_are_shrunk_and_faded() {
        let mut view = View::default();
        assert!(view.jpeg().is_none() && !view.is(0, 0.0));
        let rgba: Vec<u8> = (0..800 * 400).flat_map(|i| [if i % 2 == 0 { 0 } else { 200 }, 100, 50, 255]).collect();
        view.take(800, 400, &rgba, 7, 1.0);
        assert!(view.is(7, 1.0) && !view.is(7, 0.5) && !view.is(8, 1.0));
        let (width, height, rgb) = view.small().unwrap();
        assert_eq!((width, height), (266, 133));
        assert!((i32::from(rgb[1]) - 100).abs() <= 1 && (60..140).contains(&rgb[0]));
        let jpeg = view.jpeg().unwrap();
        let decoded = image::load_from_memory(&jpeg).unwrap();
        assert_eq!((decoded.width(), decoded.height()), (266, 133));
        view.take(800, 400, &rgba, 7, 0.0);
        assert!(view.small().unwrap().2.iter().all(|&x| x == 0));
    }
}
