//! A picture in memory, and the operations on a single picture.
//!
//! [`Image`] is what engines produce and effects process. [`convert`] converts floats to bytes and back, [`resample`]
//! resizes and moves, [`fit`] fits a picture into a frame of a different shape, [`mod@file`] reads picture files. Knows nothing
//! of engines, effects or devices.

pub mod convert;
pub mod file;
pub mod fit;
pub mod resample;

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
