//! A plan prepared for the card: one command buffer per picture, and no new allocations, pipelines or bind groups.
//!
//! A picture is computed and read back in one call, on the calling thread. The frame's numbers are uploaded, and the
//! picture read back, through two buffers that stay mapped between pictures. If a window draws with the same device, the
//! command buffer is split (`slices`). A picture may stay on the card for effects that run there (`canvas`).

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::Precision;
use super::bend::{self, Bender};
use super::builder::{Built, Dispatch};
use super::device::{Device, first_line, unavailable};
use super::image::GpuImage;
use super::memory;
use super::slices::Slices;
use super::variant::Variant;
use crate::engine::memo::{Memo, MemoError};
use crate::engine::plan::{BufferId, Op, Plan};
use crate::engine::surface::{Place, Surface};
use crate::engine::{EngineError, Inputs, NoiseMode, Program};
use crate::image::Image;

/// Numbers before the ws in the buffer of the frame (`Frame` in `shared/epilogue.wgsl`).
pub const HEADER: usize = 12;

/// Numbers in the frame buffer: the header, ws, the mix of styles, the content picture.
pub fn frame_numbers(plan: &Plan) -> usize {
    let content = plan.steps.iter().find(|step| matches!(step.op, Op::Picture(_)));
    let image = content.map_or(0, |step| plan.get(step.op.out()).len());
    HEADER + plan.num_ws * plan.w_dim + plan.styles + image
}

/// Time-out after which a picture counts as lost.
const PATIENCE: Duration = Duration::from_secs(60);

/// The same on a software adapter, which is slow but never hangs.
const SOFTWARE_PATIENCE: Duration = Duration::from_secs(600);

/// Waits until the card has finished a submission, or all of them.
///
/// # Errors
/// When that takes too long, or the card is lost.
pub fn wait(device: &Device, submission_index: Option<wgpu::SubmissionIndex>) -> Result<(), EngineError> {
    let timeout = if device.adapter.kind == wgpu::DeviceType::Cpu { SOFTWARE_PATIENCE } else { PATIENCE };
    match device.wgpu.poll(wgpu::PollType::Wait { submission_index, timeout: Some(timeout) }) {
        Ok(_) => {}
        Err(wgpu::PollError::Timeout) => device.give_up(format!("no picture within {} s", timeout.as_secs())),
        // The submission is unknown to the device.
        Err(_) => device.give_up("the device is gone".to_owned()),
    }
    device.fault().map_or(Ok(()), |fault| Err(unavailable(fault)))
}

/// Maximum time from when a thread learns of a mapping until its callback has run.
const TOLD: Duration = Duration::from_secs(1);

/// A buffer that the processor can access while it is mapped.
#[derive(Debug)]
pub struct Mapped {
    pub buffer: wgpu::Buffer,
    mode: wgpu::MapMode,
    state: Arc<AtomicU8>,
    /// The card's counter, if this buffer is for reading back.
    reads: Option<Arc<AtomicU64>>,
}

const PENDING: u8 = 0;
const MAPPED: u8 = 1;
const FAILED: u8 = 2;

impl Mapped {
    pub fn new(device: &Device, label: &str, size: u64, mode: wgpu::MapMode) -> Mapped {
        let usage = match mode {
            wgpu::MapMode::Read => wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            wgpu::MapMode::Write => wgpu::BufferUsages::MAP_WRITE | wgpu::BufferUsages::COPY_SRC,
        };
        let size = size.next_multiple_of(8);
        let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        let buffer = device.wgpu.create_buffer(&descriptor);
        let reads = (mode == wgpu::MapMode::Read).then(|| device.reads.clone());
        Mapped { buffer, mode, state: Arc::new(AtomicU8::new(PENDING)), reads }
    }

    /// Requests the mapping; it is ready after the next wait.
    pub fn map(&self) {
        if let Some(reads) = &self.reads {
            reads.fetch_add(1, Ordering::Relaxed);
        }
        self.state.store(PENDING, Ordering::Release);
        let state = self.state.clone();
        self.buffer.map_async(self.mode, .., move |result| {
            state.store(if result.is_ok() { MAPPED } else { FAILED }, Ordering::Release);
        });
    }

    pub fn is_mapped(&self) -> bool {
        self.state.load(Ordering::Acquire) == MAPPED
    }

    /// Was the mapping refused?
    pub fn has_failed(&self) -> bool {
        self.state.load(Ordering::Acquire) == FAILED
    }

    /// As [`Mapped::is_mapped`], after waiting for the card: another thread that polls the device, such as a window's, may be
    /// about to run the callback.
    pub fn arrived(&self) -> bool {
        let end = Instant::now() + TOLD;
        while self.state.load(Ordering::Acquire) == PENDING && Instant::now() < end {
            std::thread::yield_now();
        }
        self.is_mapped()
    }

    pub fn unmap(&self) {
        self.state.store(PENDING, Ordering::Release);
        self.buffer.unmap();
    }
}

/// Seconds of one picture.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// Writing the frame's numbers, encoding and submitting, on the processor.
    pub processor: f64,
    /// From the first to the last kernel, on the card.
    pub card: f64,
    /// From the call until the picture can be read.
    pub total: f64,
}

/// Writes the time before and after each dispatch, or each picture.
struct Stopwatch {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    read: Mapped,
}

/// The destination of a picture.
#[derive(Clone, Copy)]
enum Goal<'a> {
    /// The buffer for reading back.
    Memory,
    Device(&'a wgpu::Buffer),
}

/// A plan prepared for the gpu engine.
pub struct GpuProgram {
    device: Arc<Device>,
    plan: Arc<Plan>,
    precision: Precision,
    apart: bool,
    dispatches: Vec<Dispatch>,
    maps: Vec<wgpu::Buffer>,
    frame: wgpu::Buffer,
    bytes: u64,
    variants: Vec<(String, Variant)>,
    /// `None` if no layer can be bent.
    bender: Option<Bender>,
    upload: Mapped,
    numbers: Vec<f32>,
    picture: Mapped,
    slices: Slices,
}

impl GpuProgram {
    /// # Errors
    /// When the card is lost.
    pub fn new(
        device: Arc<Device>,
        plan: Arc<Plan>,
        precision: Precision,
        apart: bool,
        built: Built,
    ) -> Result<GpuProgram, EngineError> {
        let bender = Bender::new(&device, &plan, precision, &built)?;
        let Built { dispatches, maps, frame, bytes, variants } = built;
        let [_, count] = bend::numbers(&plan, frame_numbers(&plan));
        let upload = Mapped::new(&device, "upload", count as u64 * 4, wgpu::MapMode::Write);
        let picture_bytes = plan.picture().map_or(0, |b| b.len() as u64 * 4);
        let picture = Mapped::new(&device, "picture", picture_bytes.max(8), wgpu::MapMode::Read);
        let numbers = Vec::with_capacity(count);
        let slices = if device.is_shared() { Slices::cut(dispatches.len()) } else { Slices::whole(dispatches.len()) };
        let program = GpuProgram {
            device,
            plan,
            precision,
            apart,
            dispatches,
            maps,
            frame,
            bytes,
            variants,
            bender,
            upload,
            numbers,
            picture,
            slices,
        };
        program.upload.map();
        program.wait(None)?;
        Ok(program)
    }

    /// How maps and weights are stored.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// What it runs.
    pub fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Where it computes.
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// Size of all its buffers on the card, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The kernel of each step that has a matrix product.
    pub fn variants(&self) -> &[(String, Variant)] {
        &self.variants
    }

    /// Waits until the card has finished a submission.
    fn wait(&self, submission_index: Option<wgpu::SubmissionIndex>) -> Result<(), EngineError> {
        wait(&self.device, submission_index)
    }

    /// The content picture, if it is on this device.
    fn content<'a>(&self, inputs: &Inputs<'a>) -> Option<&'a wgpu::Buffer> {
        inputs.image?.on_device::<GpuImage>().filter(|image| image.is_on(&self.device))?.buffer()
    }

    /// The content picture, if it has to be uploaded.
    fn uploads<'a>(&self, inputs: &Inputs<'a>) -> Result<Option<Cow<'a, Image>>, EngineError> {
        let Some(surface) = inputs.image.filter(|_| self.content(inputs).is_none()) else { return Ok(None) };
        if let Some(image) = surface.image() {
            return Ok(Some(Cow::Borrowed(image)));
        }
        let mut image = Image::default();
        surface.read(&mut image)?;
        Ok(Some(Cow::Owned(image)))
    }

    fn write_frame(&mut self, inputs: &Inputs) -> Result<(), EngineError> {
        let (mode, seed) = match inputs.noise.mode {
            NoiseMode::None => (0u32, 0),
            NoiseMode::Const => (1, 0),
            NoiseMode::Random { seed } => (2, seed),
            NoiseMode::Loop { seed, .. } => (3, seed),
        };
        let [first, second] = match inputs.noise.mode {
            NoiseMode::Loop { turn, .. } => NoiseMode::shares(turn),
            _ => [0.0; 2],
        };
        let [[a, b, x], [c, d, y]] = inputs.transform.inverse.map(|row| row.map(|n| n as f32));
        let word = f32::from_bits;
        self.numbers.clear();
        self.numbers.extend([word(mode), inputs.noise.gain, word(seed as u32), word((seed >> 32) as u32)]);
        self.numbers.extend([a, b, x, first, c, d, y, second]);
        self.numbers.extend_from_slice(inputs.ws);
        self.numbers.extend_from_slice(inputs.styles);
        if let Some(content) = self.uploads(inputs)? {
            self.numbers.extend_from_slice(&content.data);
        }
        if let Some(bender) = &mut self.bender {
            bender.begin(&inputs.bends, &mut self.numbers)?;
        }
        if !self.upload.arrived() {
            return Err(unavailable("the upload buffer cannot be mapped".to_owned()));
        }
        let mut view = self.upload.buffer.get_mapped_range_mut(..self.numbers.len() as u64 * 4);
        view.copy_from_slice(bytemuck::cast_slice(&self.numbers));
        drop(view);
        self.upload.unmap();
        Ok(())
    }

    /// Starts an encoder with the frame's numbers, followed by the content picture if that is already on the card.
    fn encoder(&self, inputs: &Inputs) -> wgpu::CommandEncoder {
        let mut encoder = self.device.wgpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let bytes = self.numbers.len() as u64 * 4;
        encoder.copy_buffer_to_buffer(&self.upload.buffer, 0, &self.frame, 0, bytes);
        if let Some(buffer) = self.content(inputs) {
            let rest = frame_numbers(&self.plan) as u64 * 4 - bytes;
            encoder.copy_buffer_to_buffer(buffer, 0, &self.frame, bytes, rest);
        }
        encoder
    }

    fn submit(&self, encoder: wgpu::CommandEncoder) -> wgpu::SubmissionIndex {
        let index = self.device.queue.submit([encoder.finish()]);
        self.upload.map();
        index
    }

    /// Seconds for `count` consecutive pictures, without reading them back.
    ///
    /// # Errors
    /// As [`Program::run`].
    pub fn repeat(&mut self, inputs: &Inputs, count: u32) -> Result<f64, EngineError> {
        inputs.check(&self.plan)?;
        self.write_frame(inputs)?;
        let started = Instant::now();
        let mut encoder = self.encoder(inputs);
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        for _ in 0..count {
            self.encode(0..self.dispatches.len(), &mut pass);
        }
        drop(pass);
        let index = self.submit(encoder);
        self.wait(Some(index))?;
        Ok(started.elapsed().as_secs_f64())
    }

    /// Encodes some dispatches, and what is bent after them.
    fn encode(&self, range: std::ops::Range<usize>, pass: &mut wgpu::ComputePass) {
        for at in range {
            self.dispatches[at].encode(pass);
            if let Some(bender) = &self.bender {
                bender.after(at, pass);
            }
        }
    }

    /// Computes the picture, submission by submission; the last one copies it to its destination.
    fn compute(&mut self, inputs: &Inputs, to: Goal, watch: Option<&Stopwatch>) -> Result<Duration, EngineError> {
        let begun = Instant::now();
        self.write_frame(inputs)?;
        let mut busy = begun.elapsed();
        let last = self.slices.len() - 1;
        for slice in 0..=last {
            let started = Instant::now();
            let mut encoder = match slice {
                0 => self.encoder(inputs),
                _ => self.device.wgpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default()),
            };
            let timestamp_writes = watch.and_then(|watch| watch.writes(slice == 0, slice == last));
            let descriptor = wgpu::ComputePassDescriptor { label: None, timestamp_writes };
            let mut pass = encoder.begin_compute_pass(&descriptor);
            self.encode(self.slices.range(slice), &mut pass);
            drop(pass);
            if let Some(watch) = watch.filter(|_| slice == last) {
                watch.resolve(&mut encoder, 2);
            }
            if let Some(id) = self.plan.output.filter(|_| slice == last) {
                let bytes = self.plan.get(id).len() as u64 * 4;
                let to = match to {
                    Goal::Memory => &self.picture.buffer,
                    Goal::Device(buffer) => buffer,
                };
                encoder.copy_buffer_to_buffer(&self.maps[id.0], 0, to, 0, bytes);
            }
            let index = match slice {
                0 => self.submit(encoder),
                _ => self.device.queue.submit([encoder.finish()]),
            };
            if slice == last && matches!(to, Goal::Memory) {
                self.picture.map();
            }
            busy += started.elapsed();
            self.wait(Some(index))?;
            self.slices.measured(slice, started.elapsed());
        }
        if self.device.is_shared() {
            self.slices.learn();
        }
        Ok(busy)
    }

    /// As [`GpuProgram::compute`]; on a device shared with a window, errors are caught here.
    fn compute_apart(&mut self, inputs: &Inputs, to: Goal) -> Result<(), EngineError> {
        if let Some(fault) = self.device.fault() {
            return Err(unavailable(fault));
        }
        if !self.device.is_shared() {
            return self.compute(inputs, to, None).map(drop);
        }
        let device = self.device.clone();
        let (drawn, error) = device.watched(|| self.compute(inputs, to, None).map(drop));
        match error {
            Some(error) => {
                device.give_up(first_line(&error));
                Err(unavailable(first_line(&error)))
            }
            None => drawn,
        }
    }

    /// Where the time of one picture goes; `None` if the card has no timestamps. Allocates.
    ///
    /// # Errors
    /// As [`Program::run`].
    pub fn spent(&mut self, inputs: &Inputs) -> Result<Option<Spent>, EngineError> {
        if !self.device.wgpu.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Ok(None);
        }
        inputs.check(&self.plan)?;
        let watch = Stopwatch::new(&self.device, 1);
        let started = Instant::now();
        let processor = self.compute(inputs, Goal::Memory, Some(&watch))?.as_secs_f64();
        if !self.picture.arrived() {
            return Err(unavailable("the picture cannot be read".to_owned()));
        }
        self.picture.unmap();
        let total = started.elapsed().as_secs_f64();
        watch.read.map();
        self.wait(None)?;
        let period = f64::from(self.device.queue.get_timestamp_period()) * 1e-9;
        let ticks = watch.ticks()?;
        Ok(Some(Spent { processor, card: ticks[1].saturating_sub(ticks[0]) as f64 * period, total }))
    }

    /// Seconds that each step takes on the card, summed over its dispatches; `None` if the card has no timestamps. Slow,
    /// and allocates.
    ///
    /// # Errors
    /// As [`Program::run`].
    pub fn times(&mut self, inputs: &Inputs) -> Result<Option<Vec<(String, f64)>>, EngineError> {
        if !self.device.wgpu.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Ok(None);
        }
        inputs.check(&self.plan)?;
        let watch = Stopwatch::new(&self.device, self.dispatches.len() as u32);
        self.write_frame(inputs)?;
        let mut encoder = self.encoder(inputs);
        for (dispatch, at) in self.dispatches.iter().zip((0..).step_by(2)) {
            let writes = wgpu::ComputePassTimestampWrites {
                query_set: &watch.queries,
                beginning_of_pass_write_index: Some(at),
                end_of_pass_write_index: Some(at + 1),
            };
            let descriptor =
                wgpu::ComputePassDescriptor { label: Some(&dispatch.step), timestamp_writes: Some(writes) };
            dispatch.encode(&mut encoder.begin_compute_pass(&descriptor));
        }
        watch.resolve(&mut encoder, 2 * self.dispatches.len() as u32);
        let index = self.submit(encoder);
        watch.read.map();
        self.wait(Some(index))?;
        let period = f64::from(self.device.queue.get_timestamp_period()) * 1e-9;
        let mut times: Vec<(String, f64)> = Vec::new();
        let ticks = watch.ticks()?;
        for (dispatch, &[start, end]) in self.dispatches.iter().zip(ticks.as_chunks::<2>().0) {
            let secs = end.saturating_sub(start) as f64 * period;
            tracing::trace!("{} {} {:?} {:.1} us", dispatch.step, dispatch.kernel, dispatch.groups, secs * 1e6);
            match times.last_mut().filter(|(step, _)| *step == dispatch.step) {
                Some((_, sum)) => *sum += secs,
                None => times.push((dispatch.step.clone(), secs)),
            }
        }
        Ok(Some(times))
    }

    /// Reads a buffer of the plan.
    fn read(&self, id: BufferId) -> Result<Image, EngineError> {
        let buffer = self.plan.get(id);
        let mut image = Image::new(buffer.channels, buffer.height, buffer.width);
        let is_half = self.precision == Precision::F16 && !memory::is_picture(&self.plan, id);
        let bytes = (buffer.len() as u64 * if is_half { 2 } else { 4 }).next_multiple_of(4);
        let read = Mapped::new(&self.device, "tap", bytes, wgpu::MapMode::Read);
        let mut encoder = self.device.wgpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(&self.maps[id.0], 0, &read.buffer, 0, bytes);
        let index = self.device.queue.submit([encoder.finish()]);
        read.map();
        self.wait(Some(index))?;
        if !read.arrived() {
            return Err(unavailable(format!("{} cannot be read", buffer.name)));
        }
        let view = read.buffer.get_mapped_range(..bytes);
        for (i, out) in image.data.iter_mut().enumerate() {
            *out = match is_half {
                true => half::f16::from_le_bytes([view[2 * i], view[2 * i + 1]]).to_f32(),
                false => f32::from_le_bytes([view[4 * i], view[4 * i + 1], view[4 * i + 2], view[4 * i + 3]]),
            };
        }
        Ok(image)
    }
}

impl Dispatch {
    pub fn encode(&self, pass: &mut wgpu::ComputePass) {
        let [x, y, z] = self.groups;
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}

impl Stopwatch {
    fn new(device: &Device, dispatches: u32) -> Stopwatch {
        let count = 2 * dispatches;
        let queries = device.wgpu.create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("times"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let size = u64::from(count) * 8;
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let descriptor = wgpu::BufferDescriptor { label: Some("times"), size, usage, mapped_at_creation: false };
        let resolved = device.wgpu.create_buffer(&descriptor);
        Stopwatch { queries, resolved, read: Mapped::new(device, "times", size, wgpu::MapMode::Read) }
    }

    /// Of a pass that a picture begins or ends with.
    fn writes(&self, begins: bool, ends: bool) -> Option<wgpu::ComputePassTimestampWrites<'_>> {
        (begins || ends).then(|| wgpu::ComputePassTimestampWrites {
            query_set: &self.queries,
            beginning_of_pass_write_index: begins.then_some(0),
            end_of_pass_write_index: ends.then_some(1),
        })
    }

    fn resolve(&self, encoder: &mut wgpu::CommandEncoder, count: u32) {
        encoder.resolve_query_set(&self.queries, 0..count, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.read.buffer, 0, u64::from(count) * 8);
    }

    fn ticks(&self) -> Result<Vec<u64>, EngineError> {
        if !self.read.arrived() {
            return Err(unavailable("the times cannot be read".to_owned()));
        }
        let view = self.read.buffer.get_mapped_range(..);
        Ok(view.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect())
    }
}

impl Program for GpuProgram {
    fn run(&mut self, inputs: &Inputs, out: &mut Surface) -> Result<(), EngineError> {
        inputs.check(&self.plan)?;
        let Some(id) = self.plan.output else { return Ok(()) };
        let buffer = self.plan.get(id);
        let shape = [buffer.channels, buffer.height, buffer.width];
        if !out.prefers_memory() {
            let image = GpuImage::to_write(out, &self.device, shape)?.0;
            let to = image.buffer().ok_or_else(|| unavailable("a picture of no size".to_owned()))?.clone();
            return self.compute_apart(inputs, Goal::Device(&to));
        }
        let bytes = buffer.len() as u64 * 4;
        self.compute_apart(inputs, Goal::Memory)?;
        if !self.picture.arrived() {
            return Err(unavailable("the picture cannot be read".to_owned()));
        }
        let view = self.picture.buffer.get_mapped_range(..bytes);
        bytemuck::cast_slice_mut::<f32, u8>(&mut out.write(shape).data).copy_from_slice(&view);
        drop(view);
        self.picture.unmap();
        Ok(())
    }

    fn place(&self) -> Option<Arc<dyn Place>> {
        Some(self.device.clone())
    }

    fn engine(&self) -> &'static str {
        match self.precision {
            Precision::F32 => "gpu f32",
            Precision::F16 => "gpu f16",
        }
    }

    fn memo(&mut self, memo: &mut Memo) -> Result<(), MemoError> {
        self.bender.as_mut().map_or(Ok(()), |bender| bender.memo(memo))
    }

    fn tap(&self, buffer: &str) -> Option<Image> {
        let id = self.plan.find(buffer).filter(|id| self.apart || self.plan.output == Some(*id))?;
        self.read(id).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Gpu;
    use super::*;

    #[test]
    fn a_lost_device_is_an_error_not_a_crash() {
        let gpu = match Device::open(false).and_then(|device| Gpu::new(device, Precision::F32)) {
            Ok(gpu) => gpu,
            Err(error) => return super::super::skip_test(error),
        };
        let plan = crate::network::stylegan2::random(8, 64, 8, 16, 0).plan;
        let mut program = gpu.program(plan.clone()).expect("prepares");
        let ws = vec![0.5; plan.num_ws * plan.w_dim];
        let inputs = Inputs { ws: &ws, ..Inputs::default() };
        let mut image = Image::default();
        program.draw(&inputs, &mut image).expect("runs");
        let before = image.clone();
        program.device.wgpu.destroy();
        for _ in 0..2 {
            let error = program.draw(&inputs, &mut image).expect_err("the device is gone");
            assert!(matches!(error, EngineError::Unavailable { .. }), "{error}");
        }
        assert_eq!(image, before);
        assert!(gpu.program(plan).is_err());
    }
}
