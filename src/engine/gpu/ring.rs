//! Pictures that the window draws where they are: a small ring of textures, of which the one that nobody shows is filled
//! next.
//!
//! A kernel turns a picture of the card into bytes, a copy lays them into an sRGB texture. The window draws that in
//! place; it shares the device, so whatever it has submitted is done before the texture is filled again. Runs on the
//! engine's thread; a [`GpuTexture`] goes to any.

use std::sync::Arc;

use super::builder::make_buffer;
use super::device::Device;
use crate::engine::EngineError;

/// Textures: one is written, one is the newest, and frames on their way to the window hold a few. When all are held, a
/// picture is read back.
const TEXTURES: usize = 6;

/// A picture on the card, sRGB-encoded RGBA of 8 bits; sampled it gives linear light.
#[derive(Debug, PartialEq)]
pub struct GpuTexture {
    pub wgpu: wgpu::Device,
    pub texture: wgpu::Texture,
    /// Width and height in pixels.
    pub size: [u32; 2],
}

/// Textures of one size.
pub struct Ring {
    /// Bytes of the picture, in rows of `pitch`.
    rgba: wgpu::Buffer,
    pitch: u32,
    textures: Vec<Arc<GpuTexture>>,
    size: [u32; 2],
}

impl Ring {
    /// For pictures of that width and height; `None` when they are too large for a texture.
    ///
    /// # Errors
    /// When the card takes no buffer of that size.
    pub fn new(device: &Device, size: [u32; 2]) -> Result<Option<Ring>, EngineError> {
        let [width, height] = size;
        if width.max(height) > device.limits.max_texture_dimension_2d {
            return Ok(None);
        }
        let pitch = (width * 4).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        let rgba = make_buffer(device, "shown", u64::from(pitch) * u64::from(height), &mut 0)?;
        let textures = (0..TEXTURES).map(|_| Arc::new(texture(device, size))).collect();
        Ok(Some(Ring { rgba, pitch, textures, size }))
    }

    /// Width and height in pixels.
    pub fn size(&self) -> [u32; 2] {
        self.size
    }

    /// Bytes from row to row of [`Ring::rgba`].
    pub fn pitch(&self) -> usize {
        self.pitch as usize
    }

    /// Where the bytes of the picture go.
    pub fn rgba(&self) -> &wgpu::Buffer {
        &self.rgba
    }

    /// A texture that nobody else holds, if there is one.
    pub fn free(&mut self) -> Option<Arc<GpuTexture>> {
        self.textures.iter_mut().find_map(|texture| Arc::get_mut(texture).is_some().then(|| texture.clone()))
    }

    /// Fills a texture of this ring with the bytes.
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder, into: &GpuTexture) {
        let [width, height] = into.size;
        let layout =
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(self.pitch), rows_per_image: Some(height) };
        encoder.copy_buffer_to_texture(
            wgpu::TexelCopyBufferInfo { buffer: &self.rgba, layout },
            into.texture.as_image_copy(),
            wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        );
    }
}

fn texture(device: &Device, size: [u32; 2]) -> GpuTexture {
    let [width, height] = size;
    let usage = wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST | wgpu::TextureUsages::COPY_SRC;
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
    GpuTexture { wgpu: device.wgpu.clone(), texture, size }
}

#[cfg(test)]
#[allow(clippy::print_stderr, reason = "what is skipped is said")]
mod tests {
    use super::super::chain::Chain;
    use super::super::{Gpu, GpuProgram, Precision};
    use super::*;
    use crate::engine::plan::Plan;
    use crate::engine::{Inputs, Program};
    use crate::image::Image;
    use crate::image::convert::rgba8_from_image;

    fn program(device: Result<Device, EngineError>, precision: Precision, plan: &Arc<Plan>) -> Option<GpuProgram> {
        match device.and_then(|device| Gpu::new(device, precision)) {
            Ok(gpu) => Some(gpu.program(plan.clone()).expect("prepares")),
            Err(error) => {
                eprintln!("skipped: {error}");
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

    #[test]
    fn a_picture_on_the_card_is_the_picture_that_is_read_back() {
        let plan = crate::network::stylegan2::random(8, 64, 16, 32, 0).plan;
        let Ok(device) = Device::open_with_window(false).inspect_err(|error| eprintln!("skipped: {error}")) else {
            return;
        };
        if !device.is_shared() {
            return eprintln!("skipped: a window would take another adapter");
        }
        let queue = device.queue.clone();
        let precision = if device.has_half() { Precision::F16 } else { Precision::F32 };
        let Some(mut shared) = program(Ok(device), precision, &plan) else { return };
        let Some(mut alone) = program(Device::open(false), precision, &plan) else { return };
        let mut chain = Chain::new(shared.device().expect("it is on one").clone()).expect("there is room");
        let (mut plain, mut rgba, mut held) = (Image::default(), Vec::new(), Vec::new());
        for seed in 0..TEXTURES as u32 {
            let ws = ws(&plan, seed);
            let inputs = Inputs { ws: &ws, ..Inputs::default() };
            alone.run(&inputs, &mut plain).expect("runs");
            rgba8_from_image(&plain, &mut rgba);
            let image = shared.run_on_device(&inputs).expect("runs");
            let picture = chain.show(&image).expect("shows").expect("a texture is free");
            assert_eq!(read(&queue, &picture), rgba, "seed {seed}");
            held.push((picture, rgba.clone()));
        }
        // All are held: there is no place for the next one, and none of them has changed.
        let ws = ws(&plan, 77);
        let image = shared.run_on_device(&Inputs { ws: &ws, ..Inputs::default() }).expect("runs");
        assert!(chain.show(&image).expect("nothing fails").is_none());
        assert!(held.iter().all(|(picture, rgba)| read(&queue, picture) == *rgba));
        // One that was let go is filled again.
        let free = held.swap_remove(2).0.texture.clone();
        assert_eq!(chain.show(&image).expect("shows").expect("there is room").texture, free);
        // A device of no window has nothing to show.
        let image = alone.run_on_device(&Inputs { ws: &ws, ..Inputs::default() }).expect("runs");
        let mut chain = Chain::new(alone.device().expect("it is on one").clone()).expect("there is room");
        assert!(chain.show(&image).expect("nothing fails").is_none());
    }

    #[test]
    fn however_it_is_cut_the_picture_is_the_same() {
        let plan = crate::network::stylegan2::random(8, 64, 16, 32, 0).plan;
        let ws = ws(&plan, 5);
        let inputs = Inputs { ws: &ws, ..Inputs::default() };
        let Some(mut alone) = program(Device::open(false), Precision::F32, &plan) else { return };
        let Some(mut shared) = program(Device::open_with_window(false), Precision::F32, &plan) else { return };
        let (mut whole, mut cut) = (Image::default(), Image::default());
        alone.run(&inputs, &mut whole).expect("runs");
        for _ in 0..6 {
            shared.run(&inputs, &mut cut).expect("runs");
            assert_eq!(cut, whole);
        }
    }
}
