//! A picture in memory, and the operations on a single picture.
//!
//! [`Image`] is what engines produce and effects process. [`convert`] converts floats to bytes and back, [`resample`]
//! resizes and moves, [`fit`] fits a picture into a frame of a different shape, [`mod@file`] reads picture files. Knows nothing
//! of engines, effects or devices.

pub mod convert;
pub mod file;
pub mod fit;
pub mod resample;
pub mod words;

use std::ops::RangeInclusive;

pub use fit::Fit;

/// A picture or feature map in 32-bit floats, `[channels, height, width]`, x fastest.
/// Pictures are sRGB-encoded, nominally −1..1 but not clamped.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    pub data: Vec<f32>,
}

impl Image {
    pub fn new(channels: usize, height: usize, width: usize) -> Self {
        Image { channels, height, width, data: vec![0.0; channels * height * width] }
    }

    /// Changes the shape; allocates only if it grows. The contents are lost.
    pub fn reshape(&mut self, channels: usize, height: usize, width: usize) {
        (self.channels, self.height, self.width) = (channels, height, width);
        self.data.resize(channels * height * width, 0.0);
    }
}

/// The width and height that a text such as `1280x720` names, if both are in the range.
pub fn parse_size(text: &str, sides: RangeInclusive<u32>) -> Option<[u32; 2]> {
    let (width, height) = text.split_once(['x', 'X'])?;
    let side = |text: &str| text.trim().parse().ok().filter(|side| sides.contains(side));
    Some([side(width)?, side(height)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_two_sides_in_the_range() {
        for text in ["16x9", "16X9", " 16 x 9 "] {
            assert_eq!(parse_size(text, 9..=16), Some([16, 9]), "{text}");
        }
        for wrong in ["", "16", "16x", "x9", "16x8", "17x9", "-16x9", "16x9x9", "16.0x9"] {
            assert_eq!(parse_size(wrong, 9..=16), None, "{wrong}");
        }
    }
}
