//! A picture in a buffer on the card, as left by programs and used by effects.

use std::sync::Arc;

use super::builder::make_buffer;
use super::device::{Device, unavailable};
use super::program::{Mapped, wait};
use crate::engine::EngineError;
use crate::engine::surface::{DeviceImage, Surface};
use crate::image::Image;

/// `[channels, height, width]` in 32-bit floats, x fastest, like an [`Image`]; initially empty. The buffer may be larger.
#[derive(Clone, Default)]
pub struct GpuImage {
    memory: Option<(Arc<Device>, wgpu::Buffer)>,
    channels: usize,
    height: usize,
    width: usize,
}

impl std::fmt::Debug for GpuImage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("GpuImage").field(&self.shape()).finish()
    }
}

impl GpuImage {
    /// The picture of a surface on that device, uploaded first if it is elsewhere. True if that allocated memory.
    ///
    /// # Errors
    /// When the device is out of memory, or the picture is on another device that is lost.
    pub fn on<'a>(surface: &'a mut Surface, device: &Arc<Device>) -> Result<(&'a GpuImage, bool), EngineError> {
        let mut made = false;
        if surface.on_device::<GpuImage>().is_none_or(|image| !image.is_on(device)) {
            surface.bring()?;
            let (image, from) = surface.room::<GpuImage>().ok_or_else(nowhere)?;
            made = image.reshape(device, [from.channels, from.height, from.width])?;
            if let Some(buffer) = image.buffer().filter(|_| image.len() == from.data.len()) {
                device.queue.write_buffer(buffer, 0, bytemuck::cast_slice(&from.data));
            }
            surface.uploaded();
        }
        Ok((surface.on_device().ok_or_else(nowhere)?, made))
    }

    /// As [`GpuImage::on`], for modification there: the copy in memory becomes out of date.
    pub(super) fn to_change<'a>(
        surface: &'a mut Surface,
        device: &Arc<Device>,
    ) -> Result<(&'a GpuImage, bool), EngineError> {
        let (_, made) = GpuImage::on(surface, device)?;
        surface.written();
        Ok((surface.on_device().ok_or_else(nowhere)?, made))
    }

    /// The buffer of a surface on that device, to be overwritten completely. True if that allocated memory.
    ///
    /// # Errors
    /// When the device allows no buffer of that size.
    pub(super) fn to_write<'a>(
        surface: &'a mut Surface,
        device: &Arc<Device>,
        shape: [usize; 3],
    ) -> Result<(&'a GpuImage, bool), EngineError> {
        let (image, _) = surface.room::<GpuImage>().ok_or_else(nowhere)?;
        let made = image.reshape(device, shape)?;
        surface.written();
        Ok((surface.on_device().ok_or_else(nowhere)?, made))
    }

    /// Channels, height and width.
    pub fn shape(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.channels * self.height * self.width
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `None` until it has memory.
    pub fn buffer(&self) -> Option<&wgpu::Buffer> {
        self.memory.as_ref().map(|(_, buffer)| buffer)
    }

    pub fn is_on(&self, device: &Arc<Device>) -> bool {
        self.memory.as_ref().is_some_and(|(own, _)| Arc::ptr_eq(own, device))
    }

    /// Changes the shape; the contents are lost. True if that allocated memory.
    ///
    /// # Errors
    /// When the card allows no buffer of that size.
    pub(super) fn reshape(&mut self, device: &Arc<Device>, shape: [usize; 3]) -> Result<bool, EngineError> {
        let bytes = shape.iter().product::<usize>() as u64 * 4;
        let fits = self.is_on(device) && self.buffer().is_some_and(|buffer| buffer.size() >= bytes);
        if !fits {
            let buffer = make_buffer(device, "sheet", bytes, &mut 0)?;
            self.memory = Some((device.clone(), buffer));
        }
        [self.channels, self.height, self.width] = shape;
        Ok(!fits)
    }
}

fn nowhere() -> EngineError {
    unavailable("a picture has no buffer".to_owned())
}

impl DeviceImage for GpuImage {
    fn shape(&self) -> [usize; 3] {
        GpuImage::shape(self)
    }

    fn read(&self, to: &mut Image) -> Result<(), EngineError> {
        to.reshape(self.channels, self.height, self.width);
        let Some((device, buffer)) = self.memory.as_ref().filter(|_| !self.is_empty()) else { return Ok(()) };
        device.bring(buffer, to)
    }
}

/// Fills `image` from a buffer, via one that can be mapped.
///
/// # Errors
/// When the card is lost.
pub(super) fn bring(
    device: &Device,
    buffer: &wgpu::Buffer,
    through: &Mapped,
    image: &mut Image,
) -> Result<(), EngineError> {
    if let Some(fault) = device.fault() {
        return Err(unavailable(fault));
    }
    let bytes = image.data.len() as u64 * 4;
    let mut encoder = device.wgpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    encoder.copy_buffer_to_buffer(buffer, 0, &through.buffer, 0, bytes);
    let index = device.queue.submit([encoder.finish()]);
    through.map();
    wait(device, Some(index))?;
    if !through.arrived() {
        return Err(unavailable("a picture cannot be read".to_owned()));
    }
    let view = through.buffer.get_mapped_range(..bytes);
    bytemuck::cast_slice_mut::<f32, u8>(&mut image.data).copy_from_slice(&view);
    drop(view);
    through.unmap();
    Ok(())
}
