//! The style loop: a style network paints over the picture, and over its own last painting.
//!
//! Each frame: the picture is resized to the working size, the last painting is moved slightly and mixed in, the network
//! paints over the result one or more times, and the painting is blended over the picture. [`balance`] keeps the loop alive.
//! Deterministic: frames in, frames out, no clock; nothing is allocated while sizes stay the same. The loop runs wherever its
//! canvas is, and moves its last painting along when that changes. Only the first frame of a new size prepares a program,
//! which takes some milliseconds.

pub mod balance;
pub mod clean;
pub mod dark;
pub mod painter;
mod settings;

use std::sync::Arc;

pub use painter::PASSES;
pub use settings::{Keep, StyleSettings};

use super::blend::Blend;
use super::{Effect, Time, Values};
use crate::engine::canvas::{Canvas, Memory};
use crate::engine::memo::{Memo, MemoError};
use crate::engine::surface::{Place, Surface};
use crate::engine::{Engine, EngineError};
use crate::image::Image;
use crate::network::style_transfer::StyleNetwork;
use painter::{Painter, Paintings};

/// The style loop of a chain, or none.
#[derive(Default)]
pub struct Style {
    painting: Option<Box<StyleLoop>>,
    /// The picture converted to three colours for the style network.
    coloured: Surface,
    blend: Blend,
}

impl Style {
    /// Switches to another network, or to none, from the next frame on; a new network continues from the current painting.
    /// Returns the previous loop.
    pub fn change(&mut self, mut style: Option<Box<StyleLoop>>) -> Option<Box<StyleLoop>> {
        if let (Some(new), Some(old)) = (&mut style, &mut self.painting) {
            new.go_on_from(old);
        }
        std::mem::replace(&mut self.painting, style)
    }

    pub fn is_none(&self) -> bool {
        self.painting.is_none()
    }

    /// What it remembers.
    ///
    /// # Errors
    /// As [`Memo::surface`], and when there is a loop here and none there, or the other way round.
    pub fn memo(&mut self, memo: &mut Memo) -> Result<(), MemoError> {
        memo.same("the style loop", &self.painting.is_some())?;
        self.painting.as_mut().map_or(Ok(()), |style| style.paintings.memo(memo))
    }

    /// Whether everything in the loop runs on that device.
    pub fn is_on(&self, place: &Arc<dyn Place>) -> bool {
        self.painting.as_ref().is_none_or(|style| style.is_on(place))
    }

    /// As [`Program::take_notice`](crate::engine::Program::take_notice).
    pub fn take_notice(&mut self) -> Option<String> {
        self.painting.as_mut()?.take_notice()
    }
}

impl Effect for Style {
    fn name(&self) -> &str {
        "style"
    }

    fn process(
        &mut self,
        canvas: &mut dyn Canvas,
        frame: &mut Surface,
        out: &mut Surface,
        values: &Values,
        time: Time,
    ) -> Result<bool, EngineError> {
        let Style { painting: Some(style), coloured, blend } = self else { return Ok(false) };
        let settings = values.style.after(time.dt_secs);
        let [channels, height, width] = frame.shape();
        if channels == 3 {
            style.play(canvas, frame, &settings, out)?;
        } else {
            blend.sum(canvas, [(frame, 1.0)], [3, height, width], coloured)?;
            style.play(canvas, coloured, &settings, out)?;
        }
        Ok(true)
    }
}

/// A style network and its feedback loop.
pub struct StyleLoop {
    painter: Painter,
    paintings: Paintings,
    /// For [`StyleLoop::process`].
    memory: Memory,
    content: Surface,
    notice: Option<String>,
}

impl StyleLoop {
    pub fn new(engine: Arc<dyn Engine>, network: Arc<StyleNetwork>) -> Self {
        StyleLoop {
            painter: Painter::new(engine, network),
            paintings: Paintings::default(),
            memory: Memory::default(),
            content: Surface::default(),
            notice: None,
        }
    }

    /// As [`Program::take_notice`](crate::engine::Program::take_notice).
    pub fn take_notice(&mut self) -> Option<String> {
        self.painter.take_notice().or_else(|| self.notice.take())
    }

    pub fn network(&self) -> &Arc<StyleNetwork> {
        &self.painter.network
    }

    /// Takes over the paintings of another loop, which is left without any.
    pub fn go_on_from(&mut self, old: &mut StyleLoop) {
        self.paintings = std::mem::take(&mut old.paintings);
    }

    /// The names of the network's styles, in order.
    pub fn style_names(&self) -> Vec<String> {
        self.painter.network.styles.iter().map(|style| style.name.clone()).collect()
    }

    /// Number of styles in the network.
    pub fn styles(&self) -> usize {
        self.painter.network.styles.len()
    }

    /// Forgets the last painting: the next frame starts from its picture only.
    pub fn restart(&mut self) {
        self.paintings.restart();
    }

    /// Continues from a painting of an earlier run.
    pub fn resume(&mut self, painting: &Image) {
        self.paintings.resume(painting);
    }

    /// Prepares the program for pictures of this size ahead of the first frame.
    ///
    /// # Errors
    /// When the engine cannot run the network.
    pub fn prepare(&mut self, height: usize, width: usize, settings: &StyleSettings) -> Result<(), EngineError> {
        let (height, width) = settings.working_size(height, width);
        self.painter.program_for(height, width)
    }

    /// Whether all its programs run on that device.
    pub fn is_on(&self, place: &Arc<dyn Place>) -> bool {
        self.painter.is_on(place)
    }

    /// One frame in memory: `image` `[3, H, W]` in −1..1 becomes `out` `[3, size, size]` (the shorter side is
    /// `settings.size`).
    ///
    /// # Errors
    /// As [`StyleLoop::play`].
    pub fn process(&mut self, image: &Image, settings: &StyleSettings, out: &mut Image) -> Result<(), EngineError> {
        let (mut memory, mut content) = (std::mem::take(&mut self.memory), std::mem::take(&mut self.content));
        content.write([image.channels, image.height, image.width]).data.clone_from(&image.data);
        let mut painted = Surface::for_memory(std::mem::take(out));
        let played = self.play(&mut memory, &mut content, settings, &mut painted);
        (self.memory, self.content, *out) = (memory, content, painted.into_image());
        played
    }

    /// As [`StyleLoop::process`], on a canvas.
    ///
    /// # Errors
    /// When the picture is not in colour, or the engine fails; `out` is then undefined, and the next frame may succeed.
    pub fn play(
        &mut self,
        canvas: &mut dyn Canvas,
        image: &mut Surface,
        settings: &StyleSettings,
        out: &mut Surface,
    ) -> Result<(), EngineError> {
        let had_painted = self.paintings.has_painted();
        if let Err(error) = self.paintings.bring(canvas)
            && had_painted
        {
            let line = format!("the style loop restarts without its last painting: {error}");
            tracing::warn!("{line}");
            self.notice = Some(line);
        }
        self.painter.frame(canvas, &mut self.paintings, image, settings, out)
    }
}

#[cfg(test)]
mod test;
