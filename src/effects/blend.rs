//! A weighted sum of pictures, whose sizes and channels may differ from the result's.

use std::borrow::Cow;

use crate::engine::EngineError;
use crate::engine::canvas::Canvas;
use crate::engine::pass::{MOST_READS, Pass, Threads, Work};
use crate::engine::surface::Surface;

/// The sum of up to three pictures of the result's size. A picture with share 0 is ignored; grey is added to all colours.
static BLEND: Pass = Pass {
    name: Cow::Borrowed("blend"),
    wgsl: Cow::Borrowed(include_str!("../../shaders/effects/blend.wgsl")),
    reads: MOST_READS,
    uniforms: &[
        "count",
        "plane",
        "first_channels",
        "second_channels",
        "third_channels",
        "first_share",
        "second_share",
        "third_share",
    ],
    threads: Threads::Numbers,
    twin: Some(blend),
};

pub static PASSES: [&Pass; 1] = [&BLEND];

fn blend(work: &mut Work) {
    work.to.data.fill(0.0);
    let plane = work.to.height * work.to.width;
    for (at, image) in work.reads.into_iter().enumerate() {
        let share = work.float(5 + at);
        if share <= 0.0 {
            continue;
        }
        for (c, colour) in work.to.data.chunks_exact_mut(plane.max(1)).enumerate() {
            let c = if image.channels < 3 { 0 } else { c };
            colour.iter_mut().zip(&image.data[c * plane..]).for_each(|(to, from)| *to += share * from);
        }
    }
}

/// Sums pictures; keeps buffers for those that have to be resized.
#[derive(Debug, Default)]
pub struct Blend {
    resized: [Surface; MOST_READS],
}

impl Blend {
    /// The sum of at most three pictures with their shares, each resized to the `shape` of the result. Pictures with share 0
    /// are ignored; grey is added to all colours; alpha is dropped.
    ///
    /// # Errors
    /// As the canvas.
    pub fn sum<const N: usize>(
        &mut self,
        canvas: &mut dyn Canvas,
        parts: [(&mut Surface, f32); N],
        shape: [usize; 3],
        to: &mut Surface,
    ) -> Result<(), EngineError> {
        canvas.shape(to, shape)?;
        let [_, height, width] = shape;
        let mut uniforms = [0; 8];
        (uniforms[0], uniforms[1]) = (shape.iter().product::<usize>() as u32, (height * width) as u32);
        let mut reads: [Option<&mut Surface>; MOST_READS] = Default::default();
        let parts = parts.into_iter().filter(|(image, share)| *share > 0.0 && !image.is_empty());
        for (at, ((image, share), resized)) in parts.zip(&mut self.resized).enumerate() {
            let image = if image.shape()[1..] == shape[1..] {
                image
            } else {
                canvas.resize(image, height, width, resized)?;
                resized
            };
            (uniforms[2 + at], uniforms[5 + at]) = (image.shape()[0] as u32, share.to_bits());
            reads[at] = Some(image);
        }
        match reads {
            [Some(a), Some(b), Some(c)] => canvas.run(&BLEND, &uniforms, &mut [a, b, c], to),
            [Some(a), Some(b), _] => canvas.run(&BLEND, &uniforms, &mut [a, b], to),
            [Some(a), ..] => canvas.run(&BLEND, &uniforms, &mut [a], to),
            _ => canvas.clear(to),
        }
    }
}
