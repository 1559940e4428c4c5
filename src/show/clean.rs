//! The clean picture: the network's own, before all effects but a fade between networks. It is made only while a recording
//! wants it, and goes beside the picture that is shown.

use std::sync::Arc;

use super::stage::{Picture, publish};
use crate::engine::EngineError;
use crate::engine::canvas::Canvas;
use crate::engine::surface::Surface;
use crate::image::convert::rgba8_from_image;

/// Clean pictures on their way to a recording.
#[derive(Default)]
pub(super) struct Clean {
    pool: Vec<Arc<Picture>>,
    serial: u64,
    /// The newest that nobody has taken.
    newest: Option<Arc<Picture>>,
}

impl Clean {
    /// Numbers the pictures from here on.
    pub fn number_from(&mut self, serial: u64) {
        self.serial = serial;
    }

    /// Keeps a picture that was made in memory.
    ///
    /// # Errors
    /// When it is on a device that is lost.
    pub fn keep(&mut self, surface: &mut Surface) -> Result<(), EngineError> {
        let image = surface.bring()?;
        self.serial += 1;
        let serial = self.serial;
        self.newest = Some(publish(&mut self.pool, |picture| {
            (picture.width, picture.height, picture.serial) = (image.width as u32, image.height as u32, serial);
            rgba8_from_image(image, &mut picture.rgba);
        }));
        Ok(())
    }

    /// Sends a picture on its way from a device.
    ///
    /// # Errors
    /// When the device is lost or out of memory.
    pub fn send(&mut self, canvas: &mut dyn Canvas, surface: &mut Surface) -> Result<(), EngineError> {
        self.serial += 1;
        canvas.send(surface, self.serial)
    }

    /// Takes what has arrived from a device.
    pub fn collect(&mut self, canvas: &mut dyn Canvas) {
        let mut has_arrived = false;
        let picture = publish(&mut self.pool, |picture| {
            if let Some(([width, height], serial)) = canvas.take_sent(&mut picture.rgba) {
                (picture.width, picture.height, picture.serial) = (width, height, serial);
                has_arrived = true;
            }
        });
        if has_arrived && self.newest.as_ref().is_none_or(|known| known.serial < picture.serial) {
            self.newest = Some(picture);
        }
    }

    pub fn take(&mut self) -> Option<Arc<Picture>> {
        self.newest.take()
    }
}
