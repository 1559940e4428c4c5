//! Kernels that work on pictures of the card one after another, for the effects: between the network and the window
//! nothing comes back to the processor.
//!
//! What a kernel does, with which numbers, the effects know (`effects/card.rs`); this asks the card for it. Sizes and
//! settings go up in one small buffer a submission, so that pipelines stay whatever size plays; bind groups are made when
//! buffers meet for the first time. Runs on the engine's thread.

use std::sync::Arc;

use super::Precision;
use super::builder::{make_buffer, make_pipeline};
use super::device::{Device, unavailable};
use super::image::{GpuImage, bring};
use super::program::{Mapped, wait};
use super::ring::{GpuTexture, Ring};
use super::shader;
use crate::engine::EngineError;
use crate::image::Image;

/// A kernel of `shaders/effects`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernel {
    Resize,
    Blend,
    Limit,
    FeedBack,
    SteadyMoments,
    SteadyStep,
    Steady,
    StirChange,
    Stir,
    Keep,
    LayOver,
    Shown,
}

/// Each with the buffers that it reads, and those that it writes behind them.
const KERNELS: [(Kernel, &str, usize, usize); 12] = [
    (Kernel::Resize, "resize", 3, 1),
    (Kernel::Blend, "blend", 3, 1),
    (Kernel::Limit, "limit", 0, 1),
    (Kernel::FeedBack, "feed_back", 1, 1),
    (Kernel::SteadyMoments, "steady_moments", 1, 1),
    (Kernel::SteadyStep, "steady_step", 1, 1),
    (Kernel::Steady, "steady", 1, 1),
    (Kernel::StirChange, "stir_change", 2, 1),
    (Kernel::Stir, "stir", 1, 1),
    (Kernel::Keep, "keep", 1, 1),
    (Kernel::LayOver, "lay_over", 3, 1),
    (Kernel::Shown, "shown", 1, 1),
];

/// Dispatches of one submission.
const SLOTS: usize = 64;
/// Bytes of the settings of a dispatch, as every device can bind them.
const STRIDE: usize = 256;
/// Bind groups that are kept; a style loop with every effect around it takes about a third.
const MOST_BOUND: usize = 256;
/// Buffers of the largest kernel.
const MOST_BUFFERS: usize = 4;

/// The compiled kernels of a card.
pub struct Kernels(Vec<Compiled>);

struct Compiled {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

impl Kernels {
    /// Of that card; compiled at the first call.
    pub fn of(device: &Device) -> &Kernels {
        device.kernels.get_or_init(|| {
            Kernels(KERNELS.iter().map(|(_, name, reads, writes)| compile(device, name, *reads, *writes)).collect())
        })
    }
}

fn compile(device: &Device, name: &str, reads: usize, writes: usize) -> Compiled {
    let entry = |binding, ty, has_dynamic_offset| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
        count: None,
    };
    let storage = |at| entry(1 + at as u32, wgpu::BufferBindingType::Storage { read_only: at < reads }, false);
    let settings = entry(0, wgpu::BufferBindingType::Uniform, true);
    let entries: Vec<_> = std::iter::once(settings).chain((0..reads + writes).map(storage)).collect();
    let descriptor = wgpu::BindGroupLayoutDescriptor { label: Some(name), entries: &entries };
    let layout = device.wgpu.create_bind_group_layout(&descriptor);
    let whole = device.wgpu.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(name),
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    let source = shader::source(name, Precision::F32, &Vec::new());
    Compiled { pipeline: make_pipeline(device, name, &source, Some(&whole)), layout }
}

/// Buffers that a kernel was bound to.
struct Bound {
    kernel: Kernel,
    buffers: [Option<wgpu::Buffer>; MOST_BUFFERS],
    group: wgpu::BindGroup,
}

/// Asks a card for one kernel after another.
pub struct Chain {
    device: Arc<Device>,
    upload: Mapped,
    settings: wgpu::Buffer,
    words: Vec<u32>,
    /// Slots of `words` that are taken.
    used: usize,
    last: Option<wgpu::SubmissionIndex>,
    /// What was asked for since the last submission.
    encoder: Option<wgpu::CommandEncoder>,
    bound: Vec<Bound>,
    brought: Option<Mapped>,
    ring: Option<Ring>,
    made: u64,
}

impl Chain {
    /// # Errors
    /// When the card has no room.
    pub fn new(device: Arc<Device>) -> Result<Chain, EngineError> {
        let bytes = (SLOTS * STRIDE) as u64;
        let upload = Mapped::new(&device, "settings", bytes, wgpu::MapMode::Write);
        let settings = device.wgpu.create_buffer(&wgpu::BufferDescriptor {
            label: Some("settings"),
            size: bytes,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        upload.map();
        wait(&device, None)?;
        let words = vec![0; SLOTS * STRIDE / 4];
        let (bound, brought, ring) = (Vec::with_capacity(MOST_BOUND), None, None);
        Ok(Chain { device, upload, settings, words, used: 0, last: None, encoder: None, bound, brought, ring, made: 0 })
    }

    /// Where it works.
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// Buffers and bind groups made so far: none more once everything that plays was seen.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// Forgets what was asked for and not submitted: a picture that failed half way.
    pub fn begin(&mut self) {
        (self.encoder, self.used) = (None, 0);
    }

    /// Lets go of all buffers that it has worked with.
    pub fn forget(&mut self) {
        self.bound.clear();
    }

    /// Gives a picture another shape; what was in it is lost.
    ///
    /// # Errors
    /// When the card takes no buffer of that size.
    pub fn shape(&mut self, image: &mut GpuImage, shape: [usize; 3]) -> Result<(), EngineError> {
        if image.reshape(&self.device, shape)? {
            self.made += 1;
            // The old one may be among what is bound.
            self.forget();
        }
        Ok(())
    }

    /// Words in memory of their own on the card. Allocates.
    ///
    /// # Errors
    /// When the card takes no buffer of that size.
    pub fn table(&mut self, words: &[u32]) -> Result<GpuImage, EngineError> {
        self.made += 1;
        let buffer = make_buffer(&self.device, "table", words.len() as u64 * 4, &mut 0)?;
        self.device.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(words));
        Ok(GpuImage::of(&self.device, &buffer, [1, 1, words.len()]))
    }

    /// Copies a picture into another of its shape.
    ///
    /// # Errors
    /// When the card has no room.
    pub fn copy(&mut self, from: &GpuImage, to: &mut GpuImage) -> Result<(), EngineError> {
        self.shape(to, from.shape())?;
        let bytes = from.bytes();
        if let (Some(from), Some(to), true) = (from.buffer(), to.buffer(), bytes > 0) {
            self.encoder().copy_buffer_to_buffer(from, 0, to, 0, bytes);
        }
        Ok(())
    }

    /// Makes all numbers of a picture 0.
    ///
    /// # Errors
    /// When it is nowhere.
    pub fn clear(&mut self, image: &GpuImage) -> Result<(), EngineError> {
        let buffer = image.buffer().ok_or_else(|| unavailable("nothing to clear".to_owned()))?;
        self.encoder().clear_buffer(buffer, 0, None);
        Ok(())
    }

    fn encoder(&mut self) -> &mut wgpu::CommandEncoder {
        self.encoder.get_or_insert_with(|| {
            let mut encoder = self.device.wgpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            // What is in it is known when it is submitted.
            encoder.copy_buffer_to_buffer(&self.upload.buffer, 0, &self.settings, 0, (SLOTS * STRIDE) as u64);
            encoder
        })
    }

    /// Asks for a kernel over `groups` workgroups.
    ///
    /// # Errors
    /// When the card is lost, or one of the pictures is nowhere.
    pub fn dispatch(
        &mut self,
        kernel: Kernel,
        images: &[&GpuImage],
        settings: &[u32],
        groups: [usize; 3],
    ) -> Result<(), EngineError> {
        let mut buffers = [const { None }; MOST_BUFFERS];
        for (buffer, image) in buffers.iter_mut().zip(images) {
            *buffer = Some(image.buffer().ok_or_else(|| unavailable(format!("{kernel:?} of nothing")))?);
        }
        self.ask(kernel, buffers, settings, groups)
    }

    fn ask(
        &mut self,
        kernel: Kernel,
        buffers: [Option<&wgpu::Buffer>; MOST_BUFFERS],
        settings: &[u32],
        groups: [usize; 3],
    ) -> Result<(), EngineError> {
        if self.used == SLOTS {
            self.submit()?;
        }
        self.words[self.used * STRIDE / 4..][..settings.len()].copy_from_slice(settings);
        let offset = (self.used * STRIDE) as u32;
        self.used += 1;
        let group = self.bind(kernel, buffers);
        let device = self.device.clone();
        let [x, y, z] = groups.map(|n| n as u32);
        let mut pass = self.encoder().begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&Kernels::of(&device).0[kernel as usize].pipeline);
        pass.set_bind_group(0, &group, &[offset]);
        pass.dispatch_workgroups(x, y, z);
        Ok(())
    }

    fn bind(&mut self, kernel: Kernel, buffers: [Option<&wgpu::Buffer>; MOST_BUFFERS]) -> wgpu::BindGroup {
        let is_it = |bound: &&Bound| bound.kernel == kernel && bound.buffers.iter().map(Option::as_ref).eq(buffers);
        if let Some(bound) = self.bound.iter().find(is_it) {
            return bound.group.clone();
        }
        let size = std::num::NonZeroU64::new(STRIDE as u64);
        let settings = wgpu::BufferBinding { buffer: &self.settings, offset: 0, size };
        let settings = wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(settings) };
        let storage = (1..).zip(buffers.iter().flatten());
        let storage =
            storage.map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() });
        let group = self.device.wgpu.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(KERNELS[kernel as usize].1),
            layout: &Kernels::of(&self.device).0[kernel as usize].layout,
            entries: &std::iter::once(settings).chain(storage).collect::<Vec<_>>(),
        });
        self.made += 1;
        if self.bound.len() == MOST_BOUND {
            self.forget();
        }
        self.bound.push(Bound { kernel, buffers: buffers.map(|buffer| buffer.cloned()), group: group.clone() });
        group
    }

    /// Hands everything that was asked for to the card, and waits for nothing of it.
    ///
    /// # Errors
    /// When the card is lost.
    pub fn submit(&mut self) -> Result<(), EngineError> {
        let Some(encoder) = self.encoder.take() else { return Ok(()) };
        let used = std::mem::take(&mut self.used);
        if !self.upload.is_mapped() {
            // The card still reads what was submitted last.
            wait(&self.device, self.last.take())?;
        }
        if let Some(fault) = self.device.fault() {
            return Err(unavailable(fault));
        }
        if !self.upload.arrived() {
            return Err(unavailable("the settings cannot be mapped".to_owned()));
        }
        if used > 0 {
            let mut view = self.upload.buffer.get_mapped_range_mut(..(used * STRIDE) as u64);
            view.copy_from_slice(bytemuck::cast_slice(&self.words[..used * STRIDE / 4]));
        }
        self.upload.unmap();
        self.last = Some(self.device.queue.submit([encoder.finish()]));
        self.upload.map();
        Ok(())
    }

    /// Brings a picture into memory, everything that was asked for before done.
    ///
    /// # Errors
    /// When the card is lost.
    pub fn read(&mut self, image: &GpuImage, to: &mut Image) -> Result<(), EngineError> {
        self.submit()?;
        [to.channels, to.height, to.width] = image.shape();
        to.data.resize(image.len(), 0.0);
        let Some(buffer) = image.buffer().filter(|_| !image.is_empty()) else { return Ok(()) };
        let bytes = image.bytes();
        let through = match self.brought.take().filter(|through| through.buffer.size() >= bytes) {
            Some(through) => through,
            None => Mapped::new(&self.device, "brought", bytes, wgpu::MapMode::Read),
        };
        bring(&self.device, buffer, self.brought.insert(through), to)
    }

    /// The picture as a texture for the window; `None` when no window draws with this card, when the picture is too large
    /// for a texture, or when all textures are held.
    ///
    /// # Errors
    /// When the card is lost or has no room.
    pub fn show(&mut self, image: &GpuImage) -> Result<Option<Arc<GpuTexture>>, EngineError> {
        let [channels, height, width] = image.shape();
        let Some(buffer) = image.buffer().filter(|_| self.device.is_shared() && !image.is_empty()) else {
            return Ok(None);
        };
        let size = [width as u32, height as u32];
        if self.ring.as_ref().is_none_or(|ring| ring.size() != size) {
            self.forget();
            self.ring = Ring::new(&self.device, size)?;
        }
        let Some(mut ring) = self.ring.take() else { return Ok(None) };
        let shown = ring.free().map(|texture| {
            let settings = [channels, width, height * width, ring.pitch() / 4].map(|n| n as u32);
            self.ask(Kernel::Shown, [Some(buffer), Some(ring.rgba()), None, None], &settings, each(height * width))?;
            ring.encode(self.encoder(), &texture);
            self.submit()?;
            Ok(texture)
        });
        self.ring = Some(ring);
        shown.transpose()
    }
}

/// Workgroups with a thread for each of `count` numbers.
pub fn each(count: usize) -> [usize; 3] {
    super::builder::spread(count.div_ceil(256))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_stands_in_its_place() {
        for (at, (kernel, _, reads, writes)) in KERNELS.iter().enumerate() {
            assert!(*kernel as usize == at && reads + writes <= MOST_BUFFERS, "{kernel:?}");
        }
    }
}
