//! Crossfades one network's picture into another's; sizes and channels may differ.

use super::blend::Blend;
use super::{Effect, Time, Values};
use crate::engine::EngineError;
use crate::engine::canvas::Canvas;
use crate::engine::memo::{Memo, MemoError};
use crate::engine::surface::Surface;

/// Fades from the picture of another network, or from a still.
#[derive(Debug, Default)]
pub struct Crossfade {
    /// The picture to fade from; `None` outside a fade.
    pub before: Option<Surface>,
    /// Whether the last picture was a mix.
    pub has_mixed: bool,
    blend: Blend,
}

impl Crossfade {
    /// Notes a picture that is not made.
    pub fn pass_over(&mut self, share: f32) {
        self.has_mixed = self.before.is_some() && share < 1.0;
    }

    /// What it remembers; `mixture` is its last result.
    ///
    /// # Errors
    /// As [`Memo::surface`].
    pub fn memo(&mut self, memo: &mut Memo, mixture: &mut Surface) -> Result<(), MemoError> {
        memo.optional(&mut self.before)?;
        memo.bool(&mut self.has_mixed)?;
        if self.has_mixed { memo.surface(mixture) } else { Ok(()) }
    }
}

impl Effect for Crossfade {
    fn name(&self) -> &str {
        "crossfade"
    }

    /// `out` has the larger of the two sizes. Grey pictures stay grey unless the other one is in colour; alpha is dropped.
    fn process(
        &mut self,
        canvas: &mut dyn Canvas,
        frame: &mut Surface,
        out: &mut Surface,
        values: &Values,
        _: Time,
    ) -> Result<bool, EngineError> {
        let share = values.crossfade;
        self.has_mixed = false;
        let Some(before) = self.before.as_mut().filter(|_| share < 1.0) else { return Ok(false) };
        if let Err(error) = canvas.bring(before) {
            // The picture was lost with its device: cut.
            tracing::warn!("fade cut short: {error}");
            self.before = None;
            return Ok(false);
        }
        let ([few, low, narrow], [channels, height, width]) = (before.shape(), frame.shape());
        let shape = [if few.max(channels) < 3 { 1 } else { 3 }, low.max(height), narrow.max(width)];
        self.blend.sum(canvas, [(before, 1.0 - share), (frame, share)], shape, out)?;
        self.has_mixed = true;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::canvas::Memory;
    use crate::image::Image;

    fn plain(channels: usize, side: usize, value: f32) -> Image {
        Image { channels, height: side, width: side, data: vec![value; channels * side * side] }
    }

    fn mixed(before: &Image, now: &Image, share: f32) -> Image {
        let mut fade = Crossfade { before: Some(before.clone().into()), ..Crossfade::default() };
        let (mut frame, mut mixture) = (now.clone().into(), Surface::default());
        let values = Values { crossfade: share, ..Values::default() };
        let canvas = &mut Memory::default();
        assert!(fade.process(canvas, &mut frame, &mut mixture, &values, Time::default()).expect("memory has room"));
        mixture.into_image()
    }

    #[test]
    fn the_larger_size_and_colour_win() {
        let mixture = mixed(&plain(1, 4, -1.0), &plain(3, 8, 0.5), 0.25);
        assert_eq!((mixture.channels, mixture.height, mixture.width), (3, 8, 8));
        assert!(mixture.data.iter().all(|x| (x + 0.625).abs() < 1e-6), "{:?}", &mixture.data[..4]);
        let grey = mixed(&plain(1, 4, -1.0), &plain(1, 2, 1.0), 0.5);
        assert_eq!((grey.channels, grey.height), (1, 4));
        assert!(grey.data.iter().all(|x| x.abs() < 1e-6));
        assert_eq!(mixed(&plain(4, 2, 0.25), &plain(4, 2, 1.0), 0.0), plain(3, 2, 0.25));
    }
}
