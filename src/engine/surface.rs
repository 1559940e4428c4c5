//! Where a picture is: in memory, on a device, or in both.
//!
//! A [`Surface`] is brought to where it is needed, and only then. What is written in one place is out of date in the other,
//! whose room is kept for the next time: nothing is allocated while sizes stay. A device's pictures are behind
//! [`DeviceImage`], so that each engine can have its own kind.

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

    /// Brings the picture into memory, everything asked of the device before done. Slow.
    ///
    /// # Errors
    /// When the device is lost.
    fn read(&self, to: &mut Image) -> Result<(), EngineError>;
}

/// A device on which programs leave pictures and passes work on them.
pub trait Place: Any + Send + Sync {
    /// Something to work on its pictures with.
    ///
    /// # Errors
    /// When the device is lost or has no room.
    fn canvas(self: Arc<Self>) -> Result<Box<dyn Canvas>, EngineError>;

    /// Compiles passes ahead of time, so that none is compiled between two frames.
    ///
    /// # Errors
    /// When the device does not take one of them.
    fn compile(&self, passes: &[&Pass]) -> Result<(), EngineError>;

    /// Does `work`, and returns in one line what the driver found wrong in it.
    fn watch(&self, work: &mut dyn FnMut()) -> Option<String>;

    /// Why the device is not to be used any more.
    fn fault(&self) -> Option<String>;

    /// Does a window draw with this device?
    fn is_shared(&self) -> bool;
}

/// Are these the same device?
pub fn same(a: &Arc<dyn Place>, b: &Arc<dyn Place>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(a), Arc::as_ptr(b))
}

/// A finished picture that a window can draw without a copy: a texture of the device that it draws with.
#[derive(Clone)]
pub struct Texture {
    /// Of the engine that made it.
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

/// A picture `[C, H, W]` in 32-bit floats, wherever it is; at first empty and nowhere.
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
    /// One that programs leave in memory, since that is where it is needed; `image` lends its room.
    pub fn for_memory(image: Image) -> Surface {
        Surface { prefers_memory: true, ..Surface::from(image) }
    }

    /// Should a program that computes on a device bring its picture into memory at once?
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

    /// How many numbers.
    pub fn len(&self) -> usize {
        if self.is_in_memory { self.image.data.len() } else { self.shape().iter().product() }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The picture, when it is in memory.
    pub fn image(&self) -> Option<&Image> {
        self.is_in_memory.then_some(&self.image)
    }

    /// The picture, when it is on a device of that kind.
    pub fn on_device<T: DeviceImage>(&self) -> Option<&T> {
        let device = self.device.as_deref().filter(|_| self.is_on_device)?;
        (device as &dyn Any).downcast_ref()
    }

    /// Brings the picture into memory; it stays on the device too.
    ///
    /// # Errors
    /// When it is on a device that is lost.
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

    /// The picture in memory, to be changed there.
    ///
    /// # Errors
    /// As [`Surface::bring`].
    pub fn image_mut(&mut self) -> Result<&mut Image, EngineError> {
        self.bring()?;
        self.is_on_device = false;
        Ok(&mut self.image)
    }

    /// Room in memory for a picture of this shape, to be written whole.
    pub fn write(&mut self, [channels, height, width]: [usize; 3]) -> &mut Image {
        self.image.reshape(channels, height, width);
        (self.is_in_memory, self.is_on_device) = (true, false);
        &mut self.image
    }

    /// The picture in memory, or its room when it is not there.
    pub fn into_image(self) -> Image {
        self.image
    }

    /// Room on a device of that kind, for the engine that it belongs to; what is in it counts once
    /// [`Surface::written`] or [`Surface::uploaded`] says so. The image in memory beside it.
    pub fn room<T: DeviceImage + Default>(&mut self) -> Option<(&mut T, &Image)> {
        if self.device.as_deref().is_none_or(|device| !(device as &dyn Any).is::<T>()) {
            self.device = Some(Box::<T>::default());
        }
        let device: &mut dyn Any = self.device.as_deref_mut()?;
        Some((device.downcast_mut()?, &self.image))
    }

    /// The device's copy is the picture; memory's is out of date.
    pub fn written(&mut self) {
        (self.is_in_memory, self.is_on_device) = (false, true);
    }

    /// The device's copy is that of memory.
    pub fn uploaded(&mut self) {
        self.is_on_device = true;
    }
}
