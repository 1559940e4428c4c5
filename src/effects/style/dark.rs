//! Leaves dark, flat parts of the picture to the picture: style networks turn black into stripes and blots.
//!
//! The painting is weighted by the local light of the picture and its local contrast. Both come from the picture's luma and
//! its square, averaged over about [`REACH`] pixels by shrinking and enlarging them.

use std::borrow::Cow;

use crate::engine::EngineError;
use crate::engine::canvas::Canvas;
use crate::engine::pass::{Pass, Threads, Work};
use crate::engine::surface::Surface;

/// Pixels over which light and contrast are averaged.
const REACH: usize = 8;
/// Local light plus twice the local deviation, both 0 to 1 in sRGB coding: up to the first the picture shows, from the second
/// on the painting.
pub const BAND: [f32; 2] = [0.03, 0.22];

/// Luma from 0 to 1, and its square.
static DARK_MOMENTS: Pass = Pass {
    name: Cow::Borrowed("dark_moments"),
    wgsl: Cow::Borrowed(include_str!("../../../shaders/effects/dark_moments.wgsl")),
    reads: 1,
    uniforms: &["count"],
    threads: Threads::Pixels,
    twin: Some(moments_twin),
};

/// Brings the picture back where it is dark and flat.
static DARK: Pass = Pass {
    name: Cow::Borrowed("dark"),
    wgsl: Cow::Borrowed(include_str!("../../../shaders/effects/dark.wgsl")),
    reads: 2,
    uniforms: &["count", "amount", "low", "high"],
    threads: Threads::Pixels,
    twin: Some(dark_twin),
};

pub static PASSES: [&Pass; 2] = [&DARK_MOMENTS, &DARK];

fn moments_twin(work: &mut Work) {
    let picture = work.reads[0];
    let plane = picture.height * picture.width;
    let (lumas, squares) = work.to.data.split_at_mut(plane);
    for (i, (luma, square)) in lumas.iter_mut().zip(squares).enumerate() {
        let [r, g, b] = [0, 1, 2].map(|c| picture.data[c * plane + i]);
        // Rec. 601 weights, as everywhere in the loop.
        *luma = (0.5 + 0.5 * (0.299 * r + 0.587 * g + 0.114 * b)).clamp(0.0, 1.0);
        *square = *luma * *luma;
    }
}

fn dark_twin(work: &mut Work) {
    let [picture, moments, _] = work.reads;
    let (amount, low, high) = (work.float(1), work.float(2), work.float(3));
    let plane = picture.height * picture.width;
    for i in 0..plane {
        let back = amount * (1.0 - weight(moments.data[i], moments.data[plane + i], [low, high]));
        for c in 0..3 {
            let at = c * plane + i;
            work.to.data[at] += back * (picture.data[at] - work.to.data[at]);
        }
    }
}

/// The painting's share where luma and its square have these means.
fn weight(mean: f32, square: f32, [low, high]: [f32; 2]) -> f32 {
    let deviation = (square - mean * mean).max(0.0).sqrt();
    let t = ((mean + 2.0 * deviation - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Intermediate pictures; kept for their memory.
#[derive(Debug, Default)]
pub struct Dark {
    moments: Surface,
    small: Surface,
    wide: Surface,
}

impl Dark {
    /// Brings `amount` of the picture, `[3, H, W]`, back into `shown` where the picture is dark and flat.
    ///
    /// # Errors
    /// As the canvas.
    pub fn leave(
        &mut self,
        canvas: &mut dyn Canvas,
        picture: &mut Surface,
        shown: &mut Surface,
        amount: f32,
    ) -> Result<(), EngineError> {
        let [_, height, width] = picture.shape();
        if amount <= 0.0 || height * width == 0 {
            return Ok(());
        }
        let Dark { moments, small, wide } = self;
        let count = (height * width) as u32;
        canvas.shape(moments, [2, height, width])?;
        canvas.run(&DARK_MOMENTS, &[count], &mut [picture], moments)?;
        canvas.resize(moments, height.div_ceil(REACH), width.div_ceil(REACH), small)?;
        canvas.resize(small, height, width, wide)?;
        let [low, high] = BAND.map(f32::to_bits);
        canvas.run(&DARK, &[count, amount.to_bits(), low, high], &mut [picture, wide], shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::canvas::Memory;
    use crate::image::Image;

    /// A painting of 0.5 over a picture of this luma in the left half and white in the right half; the result at the left
    /// and right edge.
    fn left(luma: f32, amount: f32) -> [f32; 2] {
        let mut picture = Image::new(3, 64, 64);
        picture.data.iter_mut().enumerate().for_each(|(i, x)| *x = if i % 64 < 32 { 2.0 * luma - 1.0 } else { 1.0 });
        let mut shown = Surface::from(Image { channels: 3, height: 64, width: 64, data: vec![0.5; 3 * 64 * 64] });
        let (mut canvas, mut picture) = (Memory::default(), Surface::from(picture));
        Dark::default().leave(&mut canvas, &mut picture, &mut shown, amount).expect("memory has room");
        let data = &shown.image().expect("in memory").data;
        [data[32 * 64], data[33 * 64 - 1]]
    }

    #[test]
    fn black_stays_and_light_is_painted() {
        assert_eq!(left(0.0, 1.0), [-1.0, 0.5]);
        assert_eq!(left(0.0, 0.0), [0.5, 0.5], "off");
        assert_eq!(left(0.3, 1.0), [0.5, 0.5], "not dark");
        assert_eq!(left(0.0, 0.5), [-0.25, 0.5], "half");
    }

    #[test]
    fn dark_with_contrast_is_painted() {
        // Mean 0.1, deviation 0.1.
        assert_eq!(weight(0.1, 0.02, BAND), 1.0);
        assert!(weight(0.1, 0.01, BAND) < 0.4);
        assert_eq!(weight(0.02, 0.0004, BAND), 0.0);
    }
}
