//! Stateless effects: one pass over the picture, and the parameters it reads.
//!
//! To add one: write `shaders/effects/NAME.wgsl` and list it in [`ALL`]. That adds its parameters to the table, and the
//! effect runs after the style loop. Its `Settings` begin with the four words of [`SIZES`], followed by each parameter as a
//! float. The first parameter is the amount: at 0 the effect is bypassed.

use super::{Effect, Time, Values};
use crate::engine::EngineError;
use crate::engine::canvas::Canvas;
use crate::engine::pass::{MOST_UNIFORMS, Pass};
use crate::engine::surface::Surface;
use crate::params::Def;

/// The built-in simple effects, in order.
pub static ALL: &[Simple] = &[];

/// The first uniforms of every simple effect.
pub const SIZES: [&str; 4] = ["count", "width", "height", "channels"];

/// A pass over the picture, and its parameters.
pub struct Simple {
    pub pass: Pass,
    /// Floats, at most 60; the first is the amount.
    pub params: &'static [Def],
}

impl Effect for &'static Simple {
    fn name(&self) -> &str {
        &self.pass.name
    }

    fn params(&self) -> &[Def] {
        self.params
    }

    fn process(
        &mut self,
        canvas: &mut dyn Canvas,
        frame: &mut Surface,
        out: &mut Surface,
        values: &Values,
        _: Time,
    ) -> Result<bool, EngineError> {
        if self.params.first().is_some_and(|amount| values.get(amount.address) == 0.0) {
            return Ok(false);
        }
        let shape @ [channels, height, width] = frame.shape();
        let mut uniforms = [0; MOST_UNIFORMS];
        uniforms[..SIZES.len()].copy_from_slice(&[frame.len(), width, height, channels].map(|n| n as u32));
        let params = self.params.iter().map(|param| (values.get(param.address) as f32).to_bits());
        uniforms[SIZES.len()..].iter_mut().zip(params).for_each(|(uniform, param)| *uniform = param);
        canvas.shape(out, shape)?;
        let count = (SIZES.len() + self.params.len()).min(MOST_UNIFORMS);
        canvas.run(&self.pass, &uniforms[..count], &mut [frame], out)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::*;
    use crate::engine::canvas::Memory;
    use crate::engine::pass::Threads;
    use crate::image::Image;

    static INVERT: Simple = Simple {
        pass: Pass {
            name: Cow::Borrowed("invert"),
            wgsl: Cow::Borrowed(""),
            reads: 1,
            uniforms: &["count", "width", "height", "channels", "amount"],
            threads: Threads::Numbers,
            twin: Some(|work| {
                let amount = work.float(4);
                let pixels = work.to.data.iter_mut().zip(&work.reads[0].data);
                pixels.for_each(|(to, from)| *to = from * (1.0 - 2.0 * amount));
            }),
        },
        params: &[Def::float("/fx/invert/amount", 0.0, 1.0, 0.0)],
    };

    #[test]
    fn a_simple_effect_reads_its_parameters() {
        let mut frame = Surface::from(Image { channels: 1, height: 1, width: 2, data: vec![0.5, -0.25] });
        let mut process = |amount| {
            let values = Values { rows: vec![("/fx/invert/amount", amount)], ..Values::default() };
            let (mut out, mut effect) = (Surface::default(), &INVERT);
            let played = effect.process(&mut Memory::default(), &mut frame, &mut out, &values, Time::default());
            played.expect("memory has room").then(|| out.into_image().data)
        };
        assert_eq!(process(0.0), None, "nothing to do");
        assert_eq!(process(1.0), Some(vec![-0.5, 0.25]));
        assert_eq!(process(0.25), Some(vec![0.25, -0.125]));
    }
}
