//! A picture that may be in memory, on a device, or in both.
//!
//! A [`Surface`] is copied to where it is needed, and only then. Writing one copy invalidates the other, whose buffer is kept
//! for reuse: nothing is allocated while sizes stay the same. A device's pictures are behind [`DeviceImage`], so that each
//! engine can have its own kind.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use super::EngineError;
use super::canvas::Canvas;
use super::pass::Pass;
use crate::image::Image;

/// A picture `[C, H, W]` on a device.
pub trait DeviceImage: Any + Send + Sync + fmt::Debug {
    /// Channels, height and width.
    fn shape(&self) -> [usize; 3];

    /// Copies the picture into memory, after all earlier work on the device. Slow.
    ///
    /// # Errors
    /// When the device is lost.
    fn read(&self, to: &mut Image) -> Result<(), EngineError>;
}

/// A device that programs leave pictures on and passes run on.
pub trait Place: Any + Send + Sync {
    /// A new canvas for its pictures.
    ///
    /// # Errors
    /// When the device is lost or out of memory.
    fn canvas(self: Arc<Self>) -> Result<Box<dyn Canvas>, EngineError>;

    /// Compiles passes ahead of time, so that none is compiled between two frames.
    ///
    /// # Errors
    /// When the device rejects one of them.
    fn compile(&self, passes: &[&Pass]) -> Result<(), EngineError>;

    /// Runs `work`, and returns the driver's complaint about it, if any, on one line.
    fn watch(&self, work: &mut dyn FnMut()) -> Option<String>;

    /// Why the device must no longer be used, if so.
    fn fault(&self) -> Option<String>;

    /// Whether a window draws with this device.
    fn is_shared(&self) -> bool;
}

/// Whether these are the same device.
pub fn same(a: &Arc<dyn Place>, b: &Arc<dyn Place>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
}

/// A finished picture that a window can draw without a copy: a texture on the window's device.
#[derive(Clone)]
pub struct Texture {
    /// The texture in the type of the engine that made it.
    pub inner: Arc<dyn Any + Send + Sync>,
    /// Width and height in pixels.
    pub size: [u32; 2],
}

impl PartialEq for Texture {
    fn eq(&self, other: &Texture) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl fmt::Debug for Texture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Texture").field(&self.size).finish()
    }
}

/// A picture `[C, H, W]` in 32-bit floats, wherever it is; initially empty.
#[derive(Debug, Default)]
pub struct Surface {
    image: Image,
    device: Option<Box<dyn DeviceImage>>,
    is_in_memory: bool,
    is_on_device: bool,
    prefers_memory: bool,
}

impl From<Image> for Surface {
    fn from(image: Image) -> Surface {
        Surface { image, is_in_memory: true, ..Surface::default() }
    }
}

impl Surface {
    /// A surface for programs to leave in memory, where it is needed; reuses the memory of `image`.
    pub fn for_memory(image: Image) -> Surface {
        Surface { prefers_memory: true, ..Surface::from(image) }
    }

    /// Whether a program on a device should copy its picture into memory at once.
    pub fn prefers_memory(&self) -> bool {
        self.prefers_memory
    }

    /// See [`Surface::prefers_memory`].
    pub fn set_prefers_memory(&mut self, prefers_memory: bool) {
        self.prefers_memory = prefers_memory;
    }

    /// Channels, height and width.
    pub fn shape(&self) -> [usize; 3] {
        match &self.device {
            _ if self.is_in_memory => [self.image.channels, self.image.height, self.image.width],
            Some(device) if self.is_on_device => device.shape(),
            _ => [0; 3],
        }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        if self.is_in_memory { self.image.data.len() } else { self.shape().iter().product() }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The picture, if it is in memory.
    pub fn image(&self) -> Option<&Image> {
        self.is_in_memory.then_some(&self.image)
    }

    /// The picture, if it is on a device of that kind.
    pub fn on_device<T: DeviceImage>(&self) -> Option<&T> {
        let device = self.device.as_deref().filter(|_| self.is_on_device)?;
        (device as &dyn Any).downcast_ref()
    }

    /// Copies the picture into memory; it stays on the device too.
    ///
    /// # Errors
    /// When it is on a lost device.
    pub fn bring(&mut self) -> Result<&Image, EngineError> {
        if !self.is_in_memory {
            match self.device.as_deref().filter(|_| self.is_on_device) {
                Some(device) => device.read(&mut self.image)?,
                None => self.image.reshape(0, 0, 0),
            }
            self.is_in_memory = true;
        }
        Ok(&self.image)
    }

    /// Copies the picture into `to`, wherever it is.
    ///
    /// # Errors
    /// As [`Surface::bring`].
    pub fn read(&self, to: &mut Image) -> Result<(), EngineError> {
        match self.device.as_deref() {
            Some(device) if self.is_on_device && !self.is_in_memory => device.read(to),
            _ => {
                let [channels, height, width] = self.shape();
                to.reshape(channels, height, width);
                to.data.clone_from_slice(self.image.data.get(..channels * height * width).unwrap_or(&[]));
                Ok(())
            }
        }
    }

    /// The picture in memory, for modification there.
    ///
    /// # Errors
    /// As [`Surface::bring`].
    pub fn image_mut(&mut self) -> Result<&mut Image, EngineError> {
        self.bring()?;
        self.is_on_device = false;
        Ok(&mut self.image)
    }

    /// A buffer in memory for a picture of this shape, to be overwritten completely.
    pub fn write(&mut self, [channels, height, width]: [usize; 3]) -> &mut Image {
        self.image.reshape(channels, height, width);
        (self.is_in_memory, self.is_on_device) = (true, false);
        &mut self.image
    }

    /// The picture in memory, or its unused buffer if it is elsewhere.
    pub fn into_image(self) -> Image {
        self.image
    }

    /// The buffer on a device of that kind, for that device's engine, and the image in memory. The buffer's contents are
    /// valid only after [`Surface::written`] or [`Surface::uploaded`].
    pub fn room<T: DeviceImage + Default>(&mut self) -> Option<(&mut T, &Image)> {
        if self.device.as_deref().is_none_or(|device| !(device as &dyn Any).is::<T>()) {
            self.device = Some(Box::<T>::default());
        }
        let device: &mut dyn Any = self.device.as_deref_mut()?;
        Some((device.downcast_mut()?, &self.image))
    }

    /// Marks the device's copy as the picture, and the one in memory as out of date.
    pub fn written(&mut self) {
        (self.is_in_memory, self.is_on_device) = (false, true);
    }

    /// Marks the device's copy as equal to the one in memory.
    pub fn uploaded(&mut self) {
        self.is_on_device = true;
    }
}
