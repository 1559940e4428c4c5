//! Where pictures are worked on: in memory by plain arithmetic, or on a device by its kernels.
//!
//! Effects say what happens to a picture, in which order; a [`Canvas`] does it. [`Memory`] is the reference, and a device's
//! canvas gives the same numbers but for rounding. A surface that is elsewhere is brought first. Runs on the engine's
//! thread; allocates only when a size changes.

use super::pass::{MOST_READS, Pass, Work};
use super::surface::{Surface, Texture};
use super::{EngineError, Inputs, Program};
use crate::image::Image;
use crate::image::resample::Resizer;

/// Works on surfaces in one place. Each method fails when a device that is needed is lost or has no room.
pub trait Canvas: Send {
    /// Forgets what was asked for and not done: a picture that failed half way. Call it before each picture.
    fn begin(&mut self) {}

    /// Lets go of what it keeps of surfaces, before something else plays.
    fn forget(&mut self) {}

    /// Hands over everything that was asked for, so that a surface can be read.
    ///
    /// # Errors
    /// See [`Canvas`].
    fn finish(&mut self) -> Result<(), EngineError> {
        Ok(())
    }

    /// Brings a surface to this place.
    ///
    /// # Errors
    /// See [`Canvas`].
    fn bring(&mut self, surface: &mut Surface) -> Result<(), EngineError>;

    /// Gives a surface a shape `[C, H, W]` in this place; its numbers are to be written.
    ///
    /// # Errors
    /// See [`Canvas`].
    fn shape(&mut self, surface: &mut Surface, shape: [usize; 3]) -> Result<(), EngineError>;

    /// Runs a pass over a surface that has its shape already. Surfaces left out of `reads` are not looked at by the pass.
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

    /// Makes `to` a copy of `from`.
    ///
    /// # Errors
    /// See [`Canvas`].
    fn copy(&mut self, from: &mut Surface, to: &mut Surface) -> Result<(), EngineError>;

    /// Makes all numbers of a surface 0.
    ///
    /// # Errors
    /// See [`Canvas`].
    fn clear(&mut self, surface: &mut Surface) -> Result<(), EngineError>;

    /// As [`Resizer::resize`].
    ///
    /// # Errors
    /// See [`Canvas`].
    fn resize(&mut self, from: &mut Surface, height: usize, width: usize, to: &mut Surface) -> Result<(), EngineError>;

    /// Runs a program after everything that was asked for before, over a picture when it takes one. `to` is left where the
    /// program computes.
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

    /// Finishes a picture. A device that a window draws with gives a texture, unless the picture is too large for one or
    /// all textures are held; with `pixels`, its bytes come later under that number, see [`Canvas::take_pixels`].
    ///
    /// # Errors
    /// See [`Canvas`].
    fn present(&mut self, surface: &mut Surface, pixels: Option<u64>) -> Result<Option<Texture>, EngineError> {
        let _ = (surface, pixels);
        Ok(None)
    }

    /// The bytes of the newest picture that has arrived since the last call, as RGBA: its width and height, and its number.
    /// Waits for nothing.
    fn take_pixels(&mut self, rgba: &mut Vec<u8>) -> Option<([u32; 2], u64)> {
        let _ = rgba;
        None
    }
}

/// Plain arithmetic in memory.
#[derive(Debug, Default)]
pub struct Memory {
    /// The last used comes last.
    resizers: Vec<Resizer>,
    scratch: Image,
}

/// Sizes whose tables are kept.
const RESIZERS: usize = 6;

/// What a pass sees in place of a picture that was left out.
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
