//! Finished pictures on their way out of the engine: a small ring of textures for the window, and one of mapped buffers for
//! taps that need pixels.
//!
//! A kernel converts the picture to bytes, which are copied to an sRGB texture that is not in use. The window draws the
//! texture in place; since it shares the device, everything it has submitted is done before the texture is refilled. A second
//! copy goes to a mapped buffer; it arrives a frame or two later, and nothing waits for it. Runs on the engine's thread; a
//! [`GpuTexture`] may be sent to any thread.

use std::sync::Arc;

use half::f16;

use super::builder::make_buffer;
use super::device::Device;
use super::program::Mapped;
use crate::engine::EngineError;

/// Number of textures: one being written, the newest, and a few held by frames on their way to the window. When all are
/// held, a picture is read back instead.
const TEXTURES: usize = 6;

/// Maximum number of pictures being read back at once; further ones are dropped.
const SENDS: usize = 3;

/// A picture on the card, sRGB-encoded 8-bit RGBA; sampling gives linear light.
#[derive(Debug, PartialEq)]
pub struct GpuTexture {
    pub wgpu: wgpu::Device,
    pub texture: wgpu::Texture,
    pub view: wgpu::TextureView,
    /// Width and height in pixels.
    pub size: [u32; 2],
}

/// Textures of the same size.
pub struct Ring {
    /// The picture's bytes, in rows of `pitch` bytes; `None` if pictures are drawn to the textures.
    rgba: Option<wgpu::Buffer>,
    pitch: u32,
    /// Empty if no window draws with the device and pictures are not drawn to them.
    textures: Vec<Arc<GpuTexture>>,
    sent: [Sent; SENDS],
    size: [u32; 2],
}

/// A buffer for reading back pixels.
struct Sent {
    /// Created when pixels are first needed.
    buffer: Option<Mapped>,
    /// How many bytes it holds.
    bytes: u64,
    state: State,
    /// Of the picture.
    number: u64,
    /// Whether its light follows its bytes.
    has_light: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Free,
    /// The copy has been recorded.
    Asked,
    /// The copy has been submitted and the mapping requested.
    Coming,
}

impl Ring {
    /// A ring for pictures of this width and height; `None` if they are too large for a texture.
    ///
    /// # Errors
    /// When the card does not allow a buffer of that size.
    pub fn new(device: &Device, size: [u32; 2]) -> Result<Option<Ring>, EngineError> {
        let [width, height] = size;
        if width.max(height) > device.limits.max_texture_dimension_2d {
            return Ok(None);
        }
        let bytes = u64::from(pitch_of(width)) * u64::from(height);
        let rgba = make_buffer(device, "shown", bytes, &mut 0)?;
        let count = if device.is_shared() { TEXTURES } else { 0 };
        Ok(Some(Ring { rgba: Some(rgba), ..Ring::with_textures(device, size, count) }))
    }

    /// A ring that only reads back pictures of this width and height.
    ///
    /// # Errors
    /// When the card does not allow a buffer of that size.
    pub fn to_send(device: &Device, size: [u32; 2]) -> Result<Ring, EngineError> {
        let bytes = u64::from(pitch_of(size[0])) * u64::from(size[1]);
        let rgba = make_buffer(device, "clean", bytes, &mut 0)?;
        Ok(Ring { rgba: Some(rgba), ..Ring::with_textures(device, size, 0) })
    }

    /// A ring whose textures are drawn to, for pictures of this width and height. Without a window one texture is enough.
    pub fn to_draw(device: &Device, size: [u32; 2]) -> Ring {
        Ring::with_textures(device, size, if device.is_shared() { TEXTURES } else { 1 })
    }

    fn with_textures(device: &Device, size: [u32; 2], count: usize) -> Ring {
        let textures = (0..count).map(|_| Arc::new(texture(device, size))).collect();
        let sent =
            std::array::from_fn(|_| Sent { buffer: None, bytes: 0, state: State::Free, number: 0, has_light: false });
        Ring { rgba: None, pitch: pitch_of(size[0]), textures, sent, size }
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [u32; 2] {
        self.size
    }

    /// Bytes from row to row of [`Ring::rgba`].
    pub fn pitch(&self) -> usize {
        self.pitch as usize
    }

    /// The buffer for the picture's bytes, unless pictures are drawn to the textures.
    pub fn rgba(&self) -> Option<&wgpu::Buffer> {
        self.rgba.as_ref()
    }

    /// A texture that is not in use, if there is one.
    pub fn free(&mut self) -> Option<Arc<GpuTexture>> {
        self.textures.iter_mut().find_map(|texture| Arc::get_mut(texture).is_some().then(|| texture.clone()))
    }

    /// Fills a texture of this ring with the bytes.
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder, into: &GpuTexture) {
        let Some(buffer) = &self.rgba else { return };
        let copy = wgpu::TexelCopyBufferInfo { buffer, layout: self.layout() };
        encoder.copy_buffer_to_texture(copy, into.texture.as_image_copy(), self.extent());
    }

    fn layout(&self) -> wgpu::TexelCopyBufferLayout {
        layout(0, self.pitch, self.size[1])
    }

    /// Bytes of a picture.
    fn bytes(&self) -> u64 {
        u64::from(self.pitch) * u64::from(self.size[1])
    }

    /// Bytes from row to row of a picture in half floats.
    fn light_pitch(&self) -> u32 {
        (self.size[0] * 8).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT)
    }

    fn extent(&self) -> wgpu::Extent3d {
        wgpu::Extent3d { width: self.size[0], height: self.size[1], depth_or_array_layers: 1 }
    }

    /// Records a copy of the bytes for reading back, under that number; call [`Ring::submitted`] after it. False if too many
    /// are in flight.
    pub fn send(&mut self, device: &Device, encoder: &mut wgpu::CommandEncoder, number: u64) -> bool {
        let bytes = self.bytes();
        let Some(rgba) = self.rgba.clone() else { return false };
        let Some(buffer) = self.slot(device, bytes, number, false) else { return false };
        encoder.copy_buffer_to_buffer(&rgba, 0, &buffer, 0, bytes);
        true
    }

    /// As [`Ring::send`], for a texture that was drawn to; with the same picture in linear light, RGBA in half floats, if that
    /// is wanted.
    pub fn send_texture(
        &mut self,
        device: &Device,
        encoder: &mut wgpu::CommandEncoder,
        texture: &GpuTexture,
        light: Option<&wgpu::Texture>,
        number: u64,
    ) -> bool {
        let (extent, bytes, pitch) = (self.extent(), self.bytes(), self.light_pitch());
        let light_bytes = light.map_or(0, |_| u64::from(pitch) * u64::from(self.size[1]));
        let Some(buffer) = self.slot(device, bytes + light_bytes, number, light.is_some()) else { return false };
        let copy = |layout| wgpu::TexelCopyBufferInfo { buffer: &buffer, layout };
        encoder.copy_texture_to_buffer(texture.texture.as_image_copy(), copy(self.layout()), extent);
        if let Some(light) = light {
            let layout = layout(bytes, pitch, self.size[1]);
            encoder.copy_texture_to_buffer(light.as_image_copy(), copy(layout), extent);
        }
        true
    }

    /// A free buffer for reading back, for the picture of that number.
    fn slot(&mut self, device: &Device, bytes: u64, number: u64, has_light: bool) -> Option<wgpu::Buffer> {
        let sent = self.sent.iter_mut().find(|sent| sent.state == State::Free)?;
        if sent.bytes != bytes {
            (sent.buffer, sent.bytes) = (None, bytes);
        }
        let buffer = sent.buffer.get_or_insert_with(|| Mapped::new(device, "pixels", bytes, wgpu::MapMode::Read));
        (sent.state, sent.number, sent.has_light) = (State::Asked, number, has_light);
        Some(buffer.buffer.clone())
    }

    /// Notes that recorded copies were submitted, or abandoned.
    pub fn submitted(&mut self, is_on_its_way: bool) {
        for sent in self.sent.iter_mut().filter(|sent| sent.state == State::Asked) {
            sent.state = State::Free;
            if let Some(buffer) = sent.buffer.as_ref().filter(|_| is_on_its_way) {
                buffer.map();
                sent.state = State::Coming;
            }
        }
    }

    /// Reads the newest picture that has arrived, as rows of RGBA without gaps; returns its size and number. Older ones are
    /// dropped.
    pub fn take(&mut self, device: &Device, rgba: &mut Vec<u8>) -> Option<([u32; 2], u64)> {
        self.take_with_light(device, rgba, &mut Vec::new())
    }

    /// As [`Ring::take`], with its light; none where that was not sent.
    pub fn take_with_light(
        &mut self,
        device: &Device,
        rgba: &mut Vec<u8>,
        light: &mut Vec<f16>,
    ) -> Option<([u32; 2], u64)> {
        if self.sent.iter().all(|sent| sent.state != State::Coming) {
            return None;
        }
        // An error on the device is reported by the next submission.
        let _ = device.wgpu.poll(wgpu::PollType::Poll);
        let mut newest = None;
        let row = self.size[0] as usize * 4;
        let pitch = self.pitch as usize;
        let (bytes, light_pitch) = (self.bytes() as usize, self.light_pitch() as usize);
        for sent in self.sent.iter_mut().filter(|sent| sent.state == State::Coming) {
            let Some(buffer) = &sent.buffer else { continue };
            if buffer.has_failed() {
                sent.state = State::Free;
                continue;
            }
            if !buffer.is_mapped() {
                continue;
            }
            if newest.is_none_or(|number| number < sent.number) {
                newest = Some(sent.number);
                rgba.resize(row * self.size[1] as usize, 0);
                let view = buffer.buffer.get_mapped_range(..);
                for (to, from) in rgba.chunks_exact_mut(row).zip(view.chunks_exact(pitch)) {
                    to.copy_from_slice(&from[..row]);
                }
                if sent.has_light {
                    light.resize(row * self.size[1] as usize, f16::ZERO);
                    for (to, from) in light.chunks_exact_mut(row).zip(view[bytes..].chunks_exact(light_pitch)) {
                        bytemuck::cast_slice_mut::<f16, u8>(to).copy_from_slice(&from[..row * 2]);
                    }
                } else {
                    // Its memory is not kept for nothing.
                    *light = Vec::new();
                }
            }
            buffer.unmap();
            sent.state = State::Free;
        }
        newest.map(|number| (self.size, number))
    }
}

fn layout(offset: u64, pitch: u32, rows: u32) -> wgpu::TexelCopyBufferLayout {
    wgpu::TexelCopyBufferLayout { offset, bytes_per_row: Some(pitch), rows_per_image: Some(rows) }
}

/// Bytes from row to row of a picture that is copied from or to a texture.
fn pitch_of(width: u32) -> u32 {
    (width * 4).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT)
}

fn texture(device: &Device, size: [u32; 2]) -> GpuTexture {
    let [width, height] = size;
    let usage = wgpu::TextureUsages::TEXTURE_BINDING
        | wgpu::TextureUsages::COPY_DST
        | wgpu::TextureUsages::COPY_SRC
        | wgpu::TextureUsages::RENDER_ATTACHMENT;
    let texture = device.wgpu.create_texture(&wgpu::TextureDescriptor {
        label: Some("picture"),
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8UnormSrgb,
        usage,
        view_formats: &[],
    });
    let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
    GpuTexture { wgpu: device.wgpu.clone(), view, texture, size }
}

#[cfg(test)]
mod tests {
    use super::super::{Gpu, GpuCanvas, GpuProgram, Precision, skip_test};
    use super::*;
    use crate::engine::canvas::Canvas;
    use crate::engine::plan::Plan;
    use crate::engine::surface::Surface;
    use crate::engine::{Inputs, Program};
    use crate::image::Image;
    use crate::image::convert::rgba8_from_image;

    fn program(device: Result<Device, EngineError>, precision: Precision, plan: &Arc<Plan>) -> Option<GpuProgram> {
        match device.and_then(|device| Gpu::new(device, precision)) {
            Ok(gpu) => Some(gpu.program(plan.clone()).expect("prepares")),
            Err(error) => {
                skip_test(error);
                None
            }
        }
    }

    fn ws(plan: &Plan, seed: u32) -> Vec<f32> {
        (0..plan.num_ws * plan.w_dim)
            .map(|i| ((i as u32 * 7919 + seed * 104_729) % 1000) as f32 / 500.0 - 1.0)
            .collect()
    }

    /// The bytes of a texture.
    fn read(queue: &wgpu::Queue, picture: &GpuTexture) -> Vec<u8> {
        let [width, height] = picture.size;
        let pitch = (width * 4).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let buffer = picture.wgpu.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: u64::from(pitch * height),
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = picture.wgpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(pitch), rows_per_image: None };
        encoder.copy_texture_to_buffer(
            picture.texture.as_image_copy(),
            wgpu::TexelCopyBufferInfo { buffer: &buffer, layout },
            wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        );
        queue.submit([encoder.finish()]);
        buffer.map_async(wgpu::MapMode::Read, .., |result| result.expect("maps"));
        picture.wgpu.poll(wgpu::PollType::wait_indefinitely()).expect("waits");
        let view = buffer.get_mapped_range(..);
        view.chunks(pitch as usize).flat_map(|row| row[..width as usize * 4].to_vec()).collect()
    }

    /// A canvas on the device that a window draws with, and a program there.
    fn shared(plan: &Arc<Plan>) -> Option<(Arc<Device>, GpuCanvas, GpuProgram)> {
        let device = Device::open_with_window(false).inspect_err(|error| skip_test(error)).ok()?;
        if !device.is_shared() {
            skip_test("a window would take another adapter");
            return None;
        }
        let precision = if device.has_half() { Precision::F16 } else { Precision::F32 };
        let gpu = Gpu::new(device, precision).expect("it has that precision");
        let program = gpu.program(plan.clone()).expect("prepares");
        let canvas = GpuCanvas::new(gpu.device().clone()).expect("there is room");
        Some((gpu.device().clone(), canvas, program))
    }

    /// Draws the picture of a seed on the canvas; returns its bytes as made by another program in memory.
    fn draw(canvas: &mut GpuCanvas, [there, here]: [&mut GpuProgram; 2], seed: u32, surface: &mut Surface) -> Vec<u8> {
        let ws = ws(&there.plan().clone(), seed);
        let inputs = Inputs { ws: &ws, ..Inputs::default() };
        let (mut plain, mut rgba) = (Image::default(), Vec::new());
        here.draw(&inputs, &mut plain).expect("runs");
        rgba8_from_image(&plain, &mut rgba);
        canvas.program(there, &inputs, None, surface).expect("runs");
        rgba
    }

    fn shown(texture: &crate::engine::surface::Texture) -> &GpuTexture {
        texture.inner.downcast_ref().expect("it is of this engine")
    }

    #[test]
    fn a_picture_on_the_device_is_the_picture_that_is_read_back() {
        let plan = crate::network::stylegan2::random(8, 64, 16, 32, 0).plan;
        let Some((device, mut canvas, mut there)) = shared(&plan) else { return };
        let Some(mut alone) = program(Device::open(false), there.precision(), &plan) else { return };
        let (mut surface, mut held) = (Surface::default(), Vec::new());
        for seed in 0..TEXTURES as u32 {
            let rgba = draw(&mut canvas, [&mut there, &mut alone], seed, &mut surface);
            let texture = canvas.present(&mut surface, None).expect("shows").expect("a texture is free");
            assert_eq!(read(&device.queue, shown(&texture)), rgba, "seed {seed}");
            held.push((texture, rgba));
        }
        // All are in use: none is free for the next one, and none of them has changed.
        draw(&mut canvas, [&mut there, &mut alone], 77, &mut surface);
        assert!(canvas.present(&mut surface, None).expect("nothing fails").is_none());
        assert!(held.iter().all(|(texture, rgba)| read(&device.queue, shown(texture)) == *rgba));
        // A released one is refilled.
        let free = shown(&held.swap_remove(2).0).texture.clone();
        let texture = canvas.present(&mut surface, None).expect("shows").expect("there is room");
        assert_eq!(shown(&texture).texture, free);
        // A device without a window shows nothing.
        let mut canvas = GpuCanvas::new(alone.device().clone()).expect("there is room");
        draw(&mut canvas, [&mut alone, &mut there], 77, &mut surface);
        assert!(canvas.present(&mut surface, None).expect("nothing fails").is_none());
    }

    #[test]
    fn pixels_arrive_after_the_texture() {
        let plan = crate::network::stylegan2::random(8, 64, 16, 32, 0).plan;
        let Some((device, mut canvas, mut there)) = shared(&plan) else { return };
        let Some(mut alone) = program(Device::open(false), there.precision(), &plan) else { return };
        let (mut surface, mut rgba) = (Surface::default(), Vec::new());
        draw(&mut canvas, [&mut there, &mut alone], 1, &mut surface);
        let reads = device.reads();
        canvas.present(&mut surface, None).expect("shows");
        assert_eq!((device.reads(), canvas.take_pixels(&mut rgba)), (reads, None), "not requested");
        let mut expected = Vec::new();
        // One more than can be in flight: one is dropped.
        for number in 0..=SENDS as u64 {
            expected.push(draw(&mut canvas, [&mut there, &mut alone], number as u32, &mut surface));
            assert!(
                canvas.present(&mut surface, Some(number)).expect("shows").is_some(),
                "the texture is returned too"
            );
        }
        assert_eq!(device.reads(), reads + SENDS as u64);
        device.wgpu.poll(wgpu::PollType::wait_indefinitely()).expect("waits");
        let (size, number) = canvas.take_pixels(&mut rgba).expect("they have arrived");
        assert_eq!((size, number as usize), ([8, 8], SENDS - 1), "the newest of those that were sent");
        assert_eq!(rgba, expected[number as usize]);
        assert!(canvas.take_pixels(&mut rgba).is_none());
        canvas.present(&mut surface, Some(9)).expect("there is room again");
        device.wgpu.poll(wgpu::PollType::wait_indefinitely()).expect("waits");
        assert_eq!(canvas.take_pixels(&mut rgba), Some(([8, 8], 9)));
    }

    #[test]
    fn the_picture_is_the_same_however_it_is_split() {
        let plan = crate::network::stylegan2::random(8, 64, 16, 32, 0).plan;
        let ws = ws(&plan, 5);
        let inputs = Inputs { ws: &ws, ..Inputs::default() };
        let Some(mut alone) = program(Device::open(false), Precision::F32, &plan) else { return };
        let Some(mut shared) = program(Device::open_with_window(false), Precision::F32, &plan) else { return };
        let (mut whole, mut cut) = (Image::default(), Image::default());
        alone.draw(&inputs, &mut whole).expect("runs");
        for _ in 0..6 {
            shared.draw(&inputs, &mut cut).expect("runs");
            assert_eq!(cut, whole);
        }
    }
}
