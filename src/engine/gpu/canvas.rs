//! The canvas of a device: runs passes by their WGSL, with nothing read back between the network and the window.
//!
//! Runs any [`Pass`]; only the two that every canvas needs, resizing and conversion to bytes, are defined here. Uniforms are
//! uploaded in one small buffer per submission, so pipelines do not depend on sizes; bind groups are created when buffers are
//! first used together. Runs on the engine's thread.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use super::builder::{make_buffer, make_pipeline};
use super::device::{Device, first_line, unavailable};
use super::image::GpuImage;
use super::program::{Mapped, wait};
use super::ring::Ring;
use super::shader;
use crate::engine::canvas::Canvas;
use crate::engine::pass::{MOST_READS, MOST_UNIFORMS, Pass, Threads};
use crate::engine::surface::{Place, Surface, Texture};
use crate::engine::{EngineError, Inputs, Program};
use crate::image::resample::{CATMULL_ROM, Taps};

/// Resizes a picture along one axis.
static RESIZE: Pass = Pass {
    name: Cow::Borrowed("resize"),
    wgsl: Cow::Borrowed(include_str!("../../../shaders/engine/resize.wgsl")),
    reads: 3,
    uniforms: &["count", "input", "output", "inner", "taps"],
    threads: Threads::Numbers,
    twin: None,
};

/// Converts a picture to bytes.
static SHOWN: Pass = Pass {
    name: Cow::Borrowed("shown"),
    wgsl: Cow::Borrowed(include_str!("../../../shaders/engine/shown.wgsl")),
    reads: 1,
    uniforms: &["channels", "width", "count", "pitch"],
    threads: Threads::Numbers,
    twin: None,
};

/// The passes that every canvas needs.
pub static PASSES: [&Pass; 2] = [&RESIZE, &SHOWN];

/// Maximum dispatches per submission.
const SLOTS: usize = 64;
/// Bytes reserved for the uniforms of a dispatch: an offset that every device can bind.
const STRIDE: usize = 256;
/// Maximum bind groups kept; a style loop with every effect needs about a third.
const MOST_BOUND: usize = 256;
/// Maximum buffers of a pass.
const MOST_BUFFERS: usize = MOST_READS + 1;
/// Number of resizing tables kept.
const TABLES: usize = 12;

const _: () = assert!(MOST_UNIFORMS * 4 <= STRIDE, "the uniforms of a pass fit into their slot");

/// The compiled passes of a device.
#[derive(Default)]
pub struct Passes(Mutex<Vec<Arc<Compiled>>>);

struct Compiled {
    name: Cow<'static, str>,
    wgsl: Cow<'static, str>,
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

impl Passes {
    /// That pass; compiled at the first call.
    fn get(device: &Device, pass: &Pass) -> Arc<Compiled> {
        let mut all = device.passes.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = all.iter().find(|compiled| pass.is(&compiled.name, &compiled.wgsl)) {
            return known.clone();
        }
        let compiled = Arc::new(compile(device, pass));
        all.push(compiled.clone());
        compiled
    }

    /// Compiles those that are not there yet.
    pub fn prepare(device: &Device, passes: &[&Pass]) {
        passes.iter().for_each(|pass| drop(Passes::get(device, pass)));
    }
}

fn compile(device: &Device, pass: &Pass) -> Compiled {
    let name = &pass.name;
    let entry = |binding, ty, has_dynamic_offset| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset, min_binding_size: None },
        count: None,
    };
    let storage = |at| entry(1 + at as u32, wgpu::BufferBindingType::Storage { read_only: at < pass.reads }, false);
    let uniforms = entry(0, wgpu::BufferBindingType::Uniform, true);
    let entries: Vec<_> = std::iter::once(uniforms).chain((0..=pass.reads).map(storage)).collect();
    let descriptor = wgpu::BindGroupLayoutDescriptor { label: Some(name), entries: &entries };
    let layout = device.wgpu.create_bind_group_layout(&descriptor);
    let whole = device.wgpu.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(name),
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    // What a file brings is checked at every access.
    let is_ours = matches!(pass.wgsl, Cow::Borrowed(_));
    let pipeline = make_pipeline(device, name, &shader::of_pass(&pass.wgsl), Some(&whole), is_ours);
    Compiled { name: pass.name.clone(), wgsl: pass.wgsl.clone(), pipeline, layout }
}

/// Buffers that a kernel was bound to.
struct Bound {
    /// Its place among the passes.
    pass: usize,
    buffers: [Option<wgpu::Buffer>; MOST_BUFFERS],
    group: wgpu::BindGroup,
}

/// The coefficients for resizing one axis.
struct Table {
    sizes: [usize; 2],
    starts: wgpu::Buffer,
    weights: wgpu::Buffer,
    taps: usize,
}

/// Processes pictures on a device.
pub struct GpuCanvas {
    device: Arc<Device>,
    upload: Mapped,
    uniforms: wgpu::Buffer,
    words: Vec<u32>,
    /// Slots of `words` in use.
    used: usize,
    last: Option<wgpu::SubmissionIndex>,
    /// Operations since the last submission.
    encoder: Option<wgpu::CommandEncoder>,
    passes: Vec<Arc<Compiled>>,
    bound: Vec<Bound>,
    /// Most recently used last.
    tables: Vec<Table>,
    /// A picture resized along one axis.
    half_done: Surface,
    ring: Option<Ring>,
    /// For pictures that are not presented.
    sent: Option<Ring>,
    made: u64,
}

impl GpuCanvas {
    /// # Errors
    /// When the device is lost or out of memory.
    pub fn new(device: Arc<Device>) -> Result<GpuCanvas, EngineError> {
        let bytes = (SLOTS * STRIDE) as u64;
        let upload = Mapped::new(&device, "uniforms", bytes, wgpu::MapMode::Write);
        let uniforms = device.wgpu.create_buffer(&wgpu::BufferDescriptor {
            label: Some("uniforms"),
            size: bytes,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        upload.map();
        wait(&device, None)?;
        Ok(GpuCanvas {
            device,
            upload,
            uniforms,
            words: vec![0; SLOTS * STRIDE / 4],
            used: 0,
            last: None,
            encoder: None,
            passes: Vec::new(),
            bound: Vec::with_capacity(MOST_BOUND),
            tables: Vec::with_capacity(TABLES),
            half_done: Surface::default(),
            ring: None,
            sent: None,
            made: 0,
        })
    }

    /// Number of buffers and bind groups created so far; it stops growing once everything in use has run.
    pub fn made(&self) -> u64 {
        self.made
    }

    /// Counts a reallocated surface, whose old buffer may still be bound.
    fn made_room(&mut self, made: bool) {
        if made {
            self.made += 1;
            self.bound.clear();
        }
    }

    /// The buffer of a surface, which is copied here first if needed.
    fn buffer(&mut self, surface: &mut Surface) -> Result<wgpu::Buffer, EngineError> {
        let (image, made) = GpuImage::on(surface, &self.device)?;
        let buffer = image.buffer().cloned();
        self.made_room(made);
        buffer.ok_or_else(|| unavailable("a pass over nothing".to_owned()))
    }

    /// As [`GpuCanvas::buffer`], for modification here.
    fn buffer_to_change(&mut self, surface: &mut Surface) -> Result<wgpu::Buffer, EngineError> {
        let (image, made) = GpuImage::to_change(surface, &self.device)?;
        let buffer = image.buffer().cloned();
        self.made_room(made);
        buffer.ok_or_else(|| unavailable("a pass over nothing".to_owned()))
    }

    /// Uploads words to a new buffer.
    fn words(&mut self, words: &[u32]) -> Result<wgpu::Buffer, EngineError> {
        self.made += 1;
        let buffer = make_buffer(&self.device, "table", words.len() as u64 * 4, &mut 0)?;
        self.device.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(words));
        Ok(buffer)
    }

    /// Moves the table of an axis to the end, creating it if needed.
    fn table(&mut self, input: usize, output: usize) -> Result<(), EngineError> {
        let sizes = [input, output];
        if let Some(at) = self.tables.iter().position(|table| table.sizes == sizes) {
            self.tables[at..].rotate_left(1);
            return Ok(());
        }
        let mut taps = Taps::default();
        taps.set(input, input as f64, output, &CATMULL_ROM);
        let starts: Vec<u32> = taps.starts.iter().map(|start| *start as u32).collect();
        let (starts, weights) = (self.words(&starts)?, self.words(bytemuck::cast_slice(&taps.weights))?);
        if self.tables.len() == TABLES {
            self.tables.remove(0);
            self.bound.clear();
        }
        self.tables.push(Table { sizes, starts, weights, taps: taps.count });
        Ok(())
    }

    /// Resizes the middle of three axes; `to` already has its shape.
    fn resize_axis(
        &mut self,
        from: &mut Surface,
        [outer, input, inner]: [usize; 3],
        output: usize,
        to: &mut Surface,
    ) -> Result<(), EngineError> {
        self.table(input, output)?;
        let (from, to) = (self.buffer(from)?, self.buffer_to_change(to)?);
        let Some(table) = self.tables.last() else { return Ok(()) };
        let (starts, weights, taps) = (table.starts.clone(), table.weights.clone(), table.taps);
        let count = outer * output * inner;
        let uniforms = [count, input, output, inner, taps].map(|n| n as u32);
        self.dispatch(&RESIZE, [Some(&from), Some(&starts), Some(&weights), Some(&to)], &uniforms, each(count))
    }

    fn encoder(&mut self) -> &mut wgpu::CommandEncoder {
        self.encoder.get_or_insert_with(|| {
            let mut encoder = self.device.wgpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            // Its contents are written before submission.
            encoder.copy_buffer_to_buffer(&self.upload.buffer, 0, &self.uniforms, 0, (SLOTS * STRIDE) as u64);
            encoder
        })
    }

    /// Records a pass over `groups` workgroups.
    fn dispatch(
        &mut self,
        pass: &Pass,
        buffers: [Option<&wgpu::Buffer>; MOST_BUFFERS],
        uniforms: &[u32],
        groups: [usize; 3],
    ) -> Result<(), EngineError> {
        if self.used == SLOTS {
            self.submit()?;
        }
        let place = match self.passes.iter().position(|known| pass.is(&known.name, &known.wgsl)) {
            Some(place) => place,
            None => {
                self.passes.push(Passes::get(&self.device, pass));
                self.passes.len() - 1
            }
        };
        self.words[self.used * STRIDE / 4..][..uniforms.len()].copy_from_slice(uniforms);
        let offset = (self.used * STRIDE) as u32;
        self.used += 1;
        let group = self.bind(place, buffers);
        let pipeline = self.passes[place].pipeline.clone();
        let [x, y, z] = groups.map(|n| n as u32);
        let mut pass = self.encoder().begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        pass.set_pipeline(&pipeline);
        pass.set_bind_group(0, &group, &[offset]);
        pass.dispatch_workgroups(x, y, z);
        Ok(())
    }

    fn bind(&mut self, pass: usize, buffers: [Option<&wgpu::Buffer>; MOST_BUFFERS]) -> wgpu::BindGroup {
        let is_it = |bound: &&Bound| bound.pass == pass && bound.buffers.iter().map(Option::as_ref).eq(buffers);
        if let Some(bound) = self.bound.iter().find(is_it) {
            return bound.group.clone();
        }
        let size = std::num::NonZeroU64::new(STRIDE as u64);
        let uniforms = wgpu::BufferBinding { buffer: &self.uniforms, offset: 0, size };
        let uniforms = wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(uniforms) };
        let storage = (1..).zip(buffers.iter().flatten());
        let storage =
            storage.map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() });
        let compiled = &self.passes[pass];
        let group = self.device.wgpu.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(&compiled.name),
            layout: &compiled.layout,
            entries: &std::iter::once(uniforms).chain(storage).collect::<Vec<_>>(),
        });
        self.made += 1;
        if self.bound.len() == MOST_BOUND {
            self.bound.clear();
        }
        self.bound.push(Bound { pass, buffers: buffers.map(|buffer| buffer.cloned()), group: group.clone() });
        group
    }

    /// Submits all pending operations to the device, without waiting for them.
    ///
    /// # Errors
    /// When the device is lost.
    fn submit(&mut self) -> Result<(), EngineError> {
        let Some(encoder) = self.encoder.take() else { return Ok(()) };
        let used = std::mem::take(&mut self.used);
        if !self.upload.is_mapped() {
            // The device may still be reading the last submission.
            wait(&self.device, self.last.take())?;
        }
        if let Some(fault) = self.device.fault() {
            return Err(unavailable(fault));
        }
        if !self.upload.arrived() {
            return Err(unavailable("the uniforms cannot be mapped".to_owned()));
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
}

impl Canvas for GpuCanvas {
    fn begin(&mut self) {
        (self.encoder, self.used) = (None, 0);
    }

    fn forget(&mut self) {
        self.bound.clear();
    }

    fn finish(&mut self) -> Result<(), EngineError> {
        self.submit()
    }

    fn bring(&mut self, surface: &mut Surface) -> Result<(), EngineError> {
        if !surface.is_empty() {
            let made = GpuImage::on(surface, &self.device)?.1;
            self.made_room(made);
        }
        Ok(())
    }

    fn shape(&mut self, surface: &mut Surface, shape: [usize; 3]) -> Result<(), EngineError> {
        let made = GpuImage::to_write(surface, &self.device, shape)?.1;
        self.made_room(made);
        Ok(())
    }

    fn run(
        &mut self,
        pass: &Pass,
        uniforms: &[u32],
        reads: &mut [&mut Surface],
        to: &mut Surface,
    ) -> Result<(), EngineError> {
        let shape = to.shape();
        let groups = match pass.threads {
            Threads::Numbers => each(shape.iter().product()),
            Threads::Pixels => each(shape[1] * shape[2]),
            Threads::Groups(groups) => groups(uniforms),
        };
        let mut buffers = [const { None }; MOST_BUFFERS];
        for (buffer, surface) in buffers[..pass.reads].iter_mut().zip(reads) {
            *buffer = Some(self.buffer(surface)?);
        }
        // Missing pictures are replaced by a buffer that the pass ignores.
        let first = buffers[0].clone();
        buffers[..pass.reads].iter_mut().for_each(|buffer| *buffer = buffer.take().or_else(|| first.clone()));
        buffers[pass.reads] = Some(self.buffer_to_change(to)?);
        self.dispatch(pass, buffers.each_ref().map(Option::as_ref), uniforms, groups)
    }

    fn copy(&mut self, from: &mut Surface, to: &mut Surface) -> Result<(), EngineError> {
        let shape = from.shape();
        if from.is_empty() {
            to.write(shape);
            return Ok(());
        }
        self.shape(to, shape)?;
        let (from, to) = (self.buffer(from)?, self.buffer_to_change(to)?);
        let bytes = shape.iter().product::<usize>() as u64 * 4;
        self.encoder().copy_buffer_to_buffer(&from, 0, &to, 0, bytes);
        Ok(())
    }

    fn clear(&mut self, surface: &mut Surface) -> Result<(), EngineError> {
        let shape = surface.shape();
        self.shape(surface, shape)?;
        let buffer = self.buffer_to_change(surface)?;
        self.encoder().clear_buffer(&buffer, 0, None);
        Ok(())
    }

    fn resize(&mut self, from: &mut Surface, height: usize, width: usize, to: &mut Surface) -> Result<(), EngineError> {
        let [channels, high, wide] = from.shape();
        if from.is_empty() || height * width == 0 {
            to.write([0; 3]);
            return Ok(());
        }
        if [high, wide] == [height, width] {
            return self.copy(from, to);
        }
        let mut half_done = std::mem::take(&mut self.half_done);
        let resized = self
            .shape(&mut half_done, [channels, high, width])
            .and_then(|()| self.shape(to, [channels, height, width]))
            .and_then(|()| self.resize_axis(from, [channels * high, wide, 1], width, &mut half_done))
            .and_then(|()| self.resize_axis(&mut half_done, [channels, high, width], height, to));
        self.half_done = half_done;
        resized
    }

    fn program(
        &mut self,
        program: &mut dyn Program,
        inputs: &Inputs,
        over: Option<&mut Surface>,
        to: &mut Surface,
    ) -> Result<(), EngineError> {
        // The program's content picture must be finished first.
        self.submit()?;
        to.set_prefers_memory(false);
        program.run(&Inputs { image: over.map(|surface| &*surface), ..*inputs }, to)
    }

    fn present(&mut self, surface: &mut Surface, pixels: Option<u64>) -> Result<Option<Texture>, EngineError> {
        let [channels, height, width] = surface.shape();
        let size = [width as u32, height as u32];
        if surface.is_empty() || (pixels.is_none() && !self.device.is_shared()) {
            return self.submit().map(|()| None);
        }
        let buffer = self.buffer(surface)?;
        if self.ring.as_ref().is_none_or(|ring| ring.size() != size) {
            self.bound.clear();
            self.ring = Ring::new(&self.device, size)?;
        }
        let Some(mut ring) = self.ring.take() else { return self.submit().map(|()| None) };
        let uniforms = [channels, width, height * width, ring.pitch() / 4].map(|n| n as u32);
        let buffers = [Some(&buffer), ring.rgba(), None, None];
        let asked = self.dispatch(&SHOWN, buffers, &uniforms, each(height * width));
        let texture = ring.free();
        if let Some(texture) = &texture {
            ring.encode(self.encoder(), texture);
        }
        if let Some(number) = pixels {
            ring.send(&self.device.clone(), self.encoder(), number);
        }
        let submitted = asked.and_then(|()| self.submit());
        ring.submitted(submitted.is_ok());
        self.ring = Some(ring);
        submitted?;
        Ok(texture.map(|texture| Texture { size, inner: texture }))
    }

    fn send(&mut self, surface: &mut Surface, number: u64) -> Result<(), EngineError> {
        if surface.is_empty() {
            return Ok(());
        }
        let [channels, height, width] = surface.shape();
        let size = [width as u32, height as u32];
        let buffer = self.buffer(surface)?;
        if self.sent.as_ref().is_none_or(|ring| ring.size() != size) {
            self.bound.clear();
            self.sent = Some(Ring::to_send(&self.device, size)?);
        }
        let Some(mut ring) = self.sent.take() else { return Ok(()) };
        let uniforms = [channels, width, height * width, ring.pitch() / 4].map(|n| n as u32);
        let asked = self.dispatch(&SHOWN, [Some(&buffer), ring.rgba(), None, None], &uniforms, each(height * width));
        ring.send(&self.device.clone(), self.encoder(), number);
        let submitted = asked.and_then(|()| self.submit());
        ring.submitted(submitted.is_ok());
        self.sent = Some(ring);
        submitted
    }

    fn take_sent(&mut self, rgba: &mut Vec<u8>) -> Option<([u32; 2], u64)> {
        self.sent.as_mut()?.take(&self.device, rgba)
    }

    fn take_pixels(&mut self, rgba: &mut Vec<u8>) -> Option<([u32; 2], u64)> {
        self.ring.as_mut()?.take(&self.device, rgba)
    }
}

impl Place for Device {
    fn canvas(self: Arc<Self>) -> Result<Box<dyn Canvas>, EngineError> {
        Ok(Box::new(GpuCanvas::new(self)?))
    }

    fn compile(&self, passes: &[&Pass]) -> Result<(), EngineError> {
        match self.watched(|| Passes::prepare(self, passes)) {
            (_, Some(error)) => Err(unavailable(first_line(&error))),
            (_, None) => Ok(()),
        }
    }

    fn watch(&self, work: &mut dyn FnMut()) -> Option<String> {
        self.watched(work).1.map(|error| first_line(&error))
    }

    fn fault(&self) -> Option<String> {
        Device::fault(self)
    }

    fn is_shared(&self) -> bool {
        Device::is_shared(self)
    }
}

/// Workgroups for one thread per number.
fn each(count: usize) -> [usize; 3] {
    super::builder::spread(count.div_ceil(256))
}
