//! A picture in a buffer of the card, as programs leave it and effects work on it.

use std::sync::Arc;

use super::builder::make_buffer;
use super::device::{Device, unavailable};
use super::program::{Mapped, wait};
use crate::engine::EngineError;
use crate::image::Image;

/// `[channels, height, width]` in 32-bit floats, x fastest, as an [`Image`] has it; at first empty and nowhere. The buffer may
/// be larger.
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
    /// What is in a buffer already.
    pub(super) fn of(device: &Arc<Device>, buffer: &wgpu::Buffer, [channels, height, width]: [usize; 3]) -> GpuImage {
        GpuImage { memory: Some((device.clone(), buffer.clone())), channels, height, width }
    }

    /// Channels, height and width.
    pub fn shape(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// How many numbers.
    pub fn len(&self) -> usize {
        self.channels * self.height * self.width
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `None` while it is nowhere.
    pub fn buffer(&self) -> Option<&wgpu::Buffer> {
        self.memory.as_ref().map(|(_, buffer)| buffer)
    }

    pub fn is_on(&self, device: &Arc<Device>) -> bool {
        self.memory.as_ref().is_some_and(|(own, _)| Arc::ptr_eq(own, device))
    }

    pub(super) fn bytes(&self) -> u64 {
        self.len() as u64 * 4
    }

    /// Takes another shape on that card; what was in it is lost. True when that took new memory.
    ///
    /// # Errors
    /// When the card takes no buffer of that size.
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

    /// A picture in memory of its own on the card. Allocates.
    ///
    /// # Errors
    /// When the card takes no buffer of that size.
    pub fn upload(device: &Arc<Device>, image: &Image) -> Result<GpuImage, EngineError> {
        let mut there = GpuImage::default();
        there.reshape(device, [image.channels, image.height, image.width])?;
        if let Some(buffer) = there.buffer().filter(|_| there.len() == image.data.len()) {
            device.queue.write_buffer(buffer, 0, bytemuck::cast_slice(&image.data));
        }
        Ok(there)
    }

    /// Brings the picture into memory, what was asked of the card before done. Slow, and allocates.
    ///
    /// # Errors
    /// When the card is lost.
    pub fn read(&self) -> Result<Image, EngineError> {
        let mut image = Image::new(self.channels, self.height, self.width);
        let Some((device, buffer)) = self.memory.as_ref().filter(|_| !self.is_empty()) else { return Ok(image) };
        let read = Mapped::new(device, "sheet", self.bytes(), wgpu::MapMode::Read);
        bring(device, buffer, &read, &mut image)?;
        Ok(image)
    }
}

/// Fills `image` from a buffer, by way of one that can be mapped.
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
