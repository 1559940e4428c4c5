//! The style loop: a style network paints over the picture, and over its own last painting.
//!
//! Each frame: the picture is resized to the working size, the last painting comes back a little moved and is mixed in,
//! the network paints over that some times, and what it made is shown over the picture. What keeps the loop alive is in
//! [`balance`]. Deterministic: frames in, frames out, no clock; nothing is allocated while the sizes stay. The loop runs
//! wherever its easel is, and takes its last painting along when that changes. Runs on the engine's thread; only the first
//! frame of a new size prepares a program, which takes some milliseconds.

pub mod balance;
mod painter;
mod settings;

use std::sync::Arc;

pub use painter::Sheets;
pub use settings::{Keep, StyleSettings};

use crate::effects::easel::{Easel, Processor};
use crate::engine::gpu::{Device, GpuImage};
use crate::engine::{Engine, EngineError};
use crate::image::Image;
use crate::network::style_transfer::StyleNetwork;
use painter::Painter;

/// A style network with the loop around it.
pub struct StyleLoop {
    painter: Painter,
    here: Sheets<Image>,
    there: Sheets<GpuImage>,
    /// Is the last painting on the card?
    is_there: bool,
    processor: Processor,
    notice: Option<String>,
}

/// What the loop has in the place where it works: what paints, and its pictures.
pub struct Desk<'a, S> {
    painter: &'a mut Painter,
    sheets: &'a mut Sheets<S>,
}

impl StyleLoop {
    pub fn new(engine: Arc<dyn Engine>, network: Arc<StyleNetwork>) -> Self {
        StyleLoop {
            painter: Painter::new(engine, network),
            here: Sheets::default(),
            there: Sheets::default(),
            is_there: false,
            processor: Processor::default(),
            notice: None,
        }
    }

    /// As [`Program::take_notice`](crate::engine::Program::take_notice).
    pub fn take_notice(&mut self) -> Option<String> {
        self.painter.take_notice().or_else(|| self.notice.take())
    }

    pub fn network(&self) -> &StyleNetwork {
        &self.painter.network
    }

    /// Paints with another network from the next frame on; the painting so far goes on as its canvas.
    pub fn set_network(&mut self, network: Arc<StyleNetwork>) {
        self.painter.set_network(network);
    }

    /// How many styles the network has.
    pub fn styles(&self) -> usize {
        self.painter.network.styles.len()
    }

    /// Forgets the last painting: the next frame starts from its picture alone.
    pub fn restart(&mut self) {
        self.painter.restart();
    }

    /// Goes on from a painting that an earlier loop made.
    pub fn resume(&mut self, painting: &Image) {
        self.is_there = false;
        self.here.painting.clone_from(painting);
        self.here.before.clone_from(painting);
        self.painter.resume();
    }

    /// Prepares the program for pictures of this size, so that the first frame need not.
    ///
    /// # Errors
    /// When the engine cannot run the network.
    pub fn prepare(&mut self, height: usize, width: usize, settings: &StyleSettings) -> Result<(), EngineError> {
        let (height, width) = settings.working_size(height, width);
        self.painter.program_for(height, width)
    }

    /// Do all its programs run on that card?
    pub fn is_on(&self, device: &Arc<Device>) -> bool {
        self.painter.is_on(device)
    }

    /// One frame: `image` `[3, H, W]` in −1..1 becomes `out` `[3, size, size]` (the shorter side is `settings.size`).
    ///
    /// # Errors
    /// As [`StyleLoop::play`].
    pub fn process(&mut self, image: &Image, settings: &StyleSettings, out: &mut Image) -> Result<(), EngineError> {
        let mut processor = std::mem::take(&mut self.processor);
        let played = self.play(&mut processor, image, settings, out);
        self.processor = processor;
        played
    }

    /// As [`StyleLoop::process`], on an easel.
    ///
    /// # Errors
    /// When the picture is not in colour or the engine fails; `out` is then undefined and the next frame may succeed.
    pub fn play<E: Easel>(
        &mut self,
        easel: &mut E,
        image: &E::Sheet,
        settings: &StyleSettings,
        out: &mut E::Sheet,
    ) -> Result<(), EngineError> {
        let Desk { painter, sheets } = easel.desk(self);
        painter.frame(easel, sheets, image, settings, out)
    }

    /// The loop goes on in memory.
    pub(super) fn desk_here(&mut self) -> Desk<'_, Image> {
        if std::mem::take(&mut self.is_there) {
            let Sheets { painting, before, .. } = std::mem::take(&mut self.there);
            let brought = painting.read().and_then(|painting| Ok((painting, before.read()?)));
            let brought = brought.map(|(painting, before)| (self.here.painting, self.here.before) = (painting, before));
            self.arrived(brought);
        }
        Desk { painter: &mut self.painter, sheets: &mut self.here }
    }

    /// The loop goes on on a card.
    pub(super) fn desk_on(&mut self, device: &Arc<Device>) -> Desk<'_, GpuImage> {
        if self.is_there && !self.there.painting.is_on(device) && !self.there.painting.is_empty() {
            // By way of the memory to another card.
            self.desk_here();
        }
        if !std::mem::replace(&mut self.is_there, true) {
            let up = |image| GpuImage::upload(device, image);
            let brought = up(&self.here.painting).and_then(|painting| Ok((painting, up(&self.here.before)?)));
            let brought =
                brought.map(|(painting, before)| (self.there.painting, self.there.before) = (painting, before));
            self.arrived(brought);
        }
        Desk { painter: &mut self.painter, sheets: &mut self.there }
    }

    /// A painting that did not arrive is one to do without.
    fn arrived(&mut self, brought: Result<(), EngineError>) {
        if let Err(error) = brought
            && self.painter.has_painted()
        {
            let line = format!("the style loop starts anew, its last painting is lost: {error}");
            tracing::warn!("{line}");
            self.notice = Some(line);
            self.restart();
        }
    }
}

#[cfg(test)]
mod test;
