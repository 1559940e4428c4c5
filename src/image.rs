//! A picture in memory, and what can be done with one alone.
//!
//! [`Image`] is what engines make and effects work on. [`convert`] goes from floats to bytes and back, [`resample`] changes
//! the size and moves, [`fit`] lays a picture out in a frame of another shape, [`file`] reads picture files. Knows no
//! engines, no effects and no devices.

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

    /// Takes another shape; allocates only when it grows. What was in it is lost.
    pub fn reshape(&mut self, channels: usize, height: usize, width: usize) {
        (self.channels, self.height, self.width) = (channels, height, width);
        self.data.resize(channels * height * width, 0.0);
    }
}
