//! Picture processing, in memory by plain arithmetic or on a device by kernels.
//!
//! Effects define the operations and their order; a [`Canvas`] executes them. [`Memory`] is the reference; a device's canvas
//! gives the same numbers up to rounding. Surfaces that are elsewhere are copied first. Runs on the engine's thread;
//! allocates only when a size changes.

use super::pass::{MOST_READS, Pass, Work};
use super::surface::{Surface, Texture};
use super::{EngineError, Inputs, Program};
use crate::image::Image;
use crate::image::resample::Resizer;

/// Processes surfaces in one place. Each method fails if a required device is lost or out of memory.
pub trait Canvas: Send {
    /// Discards operations left over from a picture that failed. Call it before each picture.
    fn begin(&mut self) {}

    /// Releases everything it keeps of surfaces, before something else is loaded.
    fn forget(&mut self) {}

    /// Submits all pending operations, so that surfaces can be read.
    ///
    /// # Errors
    /// See [`Canvas`].
    fn finish(&mut self) -> Result<(), EngineError> {
        Ok(())
    }

    /// Copies a surface to this place.
    ///
    /// # Errors
    /// See [`Canvas`].
    fn bring(&mut self, surface: &mut Surface) -> Result<(), EngineError>;

    /// Gives a surface a shape `[C, H, W]` in this place; its contents are undefined.
    ///
    /// # Errors
    /// See [`Canvas`].
    fn shape(&mut self, surface: &mut Surface, shape: [usize; 3]) -> Result<(), EngineError>;

    /// Runs a pass that writes a surface which already has its shape. The pass ignores surfaces missing from `reads`.
    ///
    /// # Errors
    /// See [`Canvas`].
    fn run(
        &mut self,
        pass: &Pass,
        uniforms: &[u32],
        reads: &mut [&mut Surface],
        to: &mut Surface,
    ) -> Result<(), EngineError>;

    /// Copies `from` to `to`.
    ///
    /// # Errors
    /// See [`Canvas`].
    fn copy(&mut self, from: &mut Surface, to: &mut Surface) -> Result<(), EngineError>;

    /// Sets all numbers of a surface to 0.
    ///
    /// # Errors
    /// See [`Canvas`].
    fn clear(&mut self, surface: &mut Surface) -> Result<(), EngineError>;

    /// As [`Resizer::resize`].
    ///
    /// # Errors
    /// See [`Canvas`].
    fn resize(&mut self, from: &mut Surface, height: usize, width: usize, to: &mut Surface) -> Result<(), EngineError>;

    /// Runs a program after all pending operations, with a content picture if it takes one. `to` stays where the program
    /// computes.
    ///
    /// # Errors
    /// As [`Program::run`].
    fn program(
        &mut self,
        program: &mut dyn Program,
        inputs: &Inputs,
        over: Option<&mut Surface>,
        to: &mut Surface,
    ) -> Result<(), EngineError>;

    /// Finishes a picture. A device that a window draws with returns a texture, unless the picture is too large for one or
    /// all textures are in use. With `pixels`, its bytes arrive later under that number, see [`Canvas::take_pixels`].
    ///
    /// # Errors
    /// See [`Canvas`].
    fn present(&mut self, surface: &mut Surface, pixels: Option<u64>) -> Result<Option<Texture>, EngineError> {
        let _ = (surface, pixels);
        Ok(None)
    }

    /// Sends the bytes of a picture that is not presented; they arrive later under that number, see [`Canvas::take_sent`].
    ///
    /// # Errors
    /// See [`Canvas`].
    fn send(&mut self, surface: &mut Surface, number: u64) -> Result<(), EngineError> {
        let _ = (surface, number);
        Ok(())
    }

    /// As [`Canvas::take_pixels`], for pictures that were sent.
    fn take_sent(&mut self, rgba: &mut Vec<u8>) -> Option<([u32; 2], u64)> {
        let _ = rgba;
        None
    }

    /// Reads the newest picture that has arrived since the last call, as RGBA; returns its width and height, and its number.
    /// Never waits.
    fn take_pixels(&mut self, rgba: &mut Vec<u8>) -> Option<([u32; 2], u64)> {
        let _ = rgba;
        None
    }
}

/// Plain arithmetic in memory.
#[derive(Debug, Default)]
pub struct Memory {
    /// Most recently used last.
    resizers: Vec<Resizer>,
    scratch: Image,
}

/// Number of resizers kept.
const RESIZERS: usize = 6;

/// Stands in for a missing picture.
static NOTHING: Image = Image { channels: 0, height: 0, width: 0, data: Vec::new() };

impl Memory {
    fn resizer(&mut self, from: [usize; 2], height: usize, width: usize) -> &mut Resizer {
        let sizes = [from[0], from[1], height, width];
        let known = self.resizers.iter().position(|resizer| resizer.sizes() == sizes);
        match known {
            Some(at) => self.resizers[at..].rotate_left(1),
            None if self.resizers.len() < RESIZERS => self.resizers.push(Resizer::default()),
            None => self.resizers.rotate_left(1),
        }
        let last = self.resizers.len() - 1;
        &mut self.resizers[last]
    }
}

impl Canvas for Memory {
    fn bring(&mut self, surface: &mut Surface) -> Result<(), EngineError> {
        surface.bring().map(drop)
    }

    fn shape(&mut self, surface: &mut Surface, shape: [usize; 3]) -> Result<(), EngineError> {
        surface.write(shape);
        Ok(())
    }

    fn run(
        &mut self,
        pass: &Pass,
        uniforms: &[u32],
        reads: &mut [&mut Surface],
        to: &mut Surface,
    ) -> Result<(), EngineError> {
        let Some(twin) = pass.twin else { return Ok(()) };
        let mut images = [&NOTHING; MOST_READS];
        for (image, surface) in images.iter_mut().zip(reads) {
            *image = surface.bring()?;
        }
        twin(&mut Work { uniforms, reads: images, to: to.image_mut()?, scratch: &mut self.scratch });
        Ok(())
    }

    fn copy(&mut self, from: &mut Surface, to: &mut Surface) -> Result<(), EngineError> {
        let shape = from.shape();
        to.write(shape).data.copy_from_slice(&from.bring()?.data);
        Ok(())
    }

    fn clear(&mut self, surface: &mut Surface) -> Result<(), EngineError> {
        surface.write(surface.shape()).data.fill(0.0);
        Ok(())
    }

    fn resize(&mut self, from: &mut Surface, height: usize, width: usize, to: &mut Surface) -> Result<(), EngineError> {
        let from = from.bring()?;
        let to = to.write([from.channels, height, width]);
        self.resizer([from.height, from.width], height, width).resize(from, height, width, to);
        Ok(())
    }

    fn program(
        &mut self,
        program: &mut dyn Program,
        inputs: &Inputs,
        over: Option<&mut Surface>,
        to: &mut Surface,
    ) -> Result<(), EngineError> {
        let image = match over {
            Some(surface) => {
                surface.bring()?;
                Some(&*surface)
            }
            None => None,
        };
        to.set_prefers_memory(true);
        program.run(&Inputs { image, ..*inputs }, to)
    }
}
