//! Network bending between the dispatches of a program: see [`crate::engine::bend`].
//!
//! One kernel, compiled with the program in its three passes; what it does is in numbers that are uploaded with the frame's. So a
//! bend that is switched on needs no preparation but its buffers: one for scratch, as large as the largest map that is bent, and
//! one for what each slot remembers. Twin of `cpu/bend.rs`.

use std::sync::Arc;

use super::Precision;
use super::builder::{Built, make_buffer, make_pipeline, spread};
use super::device::{Device, unavailable};
use super::program::{Mapped, frame_numbers};
use super::shader::{self, Value};
use crate::engine::EngineError;
use crate::engine::bend::{self, Bend, Bends, Choice, Kind, Layer, SLOTS, Warp, Work};
use crate::engine::memo::{Memo, MemoError};
use crate::engine::plan::Plan;

/// Numbers before the channels (`FIRST_CHANNEL` in `bend.wgsl`).
const FIRST_CHANNEL: usize = 20;
/// Numbers that a binding's offset is a multiple of: 256 bytes, which every card allows.
const ALIGNED: usize = 64;
/// What 16 bits hold.
const MOST_HALF: f32 = 65_504.0;
const PASSES: usize = 3;

/// Numbers of one slot in the frame buffer.
fn slot_numbers(layers: &[Layer]) -> usize {
    let channels = layers.iter().map(|layer| layer.channels).max();
    channels.map_or(0, |channels| (FIRST_CHANNEL + channels).next_multiple_of(ALIGNED))
}

/// Where the slots begin in the frame buffer, and where they end, after `others` numbers.
pub fn numbers(plan: &Plan, others: usize) -> [usize; 2] {
    match slot_numbers(&bend::layers(plan)) {
        0 => [others, others],
        count => {
            let first = others.next_multiple_of(ALIGNED);
            [first, first + SLOTS * count]
        }
    }
}

/// What a slot keeps from picture to picture.
#[derive(Default)]
struct Held {
    /// Whose memory it is, if it holds something: a kind, a layer, and the seed of noise.
    owner: Option<(Kind, usize, u32)>,
    memory: Option<(wgpu::Buffer, u64)>,
    chosen: Vec<f32>,
    /// What `chosen` is for.
    choice: Option<Choice>,
    /// The layer whose buffers are bound.
    bound: Option<(usize, wgpu::BindGroup)>,
    /// The passes of this picture, as bits, and the workgroups of each.
    passes: u8,
    groups: [u32; 3],
    layer: usize,
}

/// The bends of a program.
pub struct Bender {
    device: Arc<Device>,
    precision: Precision,
    layers: Vec<Layer>,
    /// The last dispatch of each layer.
    last: Vec<usize>,
    passes: Vec<wgpu::ComputePipeline>,
    layout: wgpu::BindGroupLayout,
    frame: wgpu::Buffer,
    /// The first number of the first slot, and the numbers of each.
    first: usize,
    count: usize,
    maps: Vec<wgpu::Buffer>,
    scratch: Option<(wgpu::Buffer, u64)>,
    nothing: [wgpu::Buffer; 2],
    held: [Held; SLOTS],
    order: Vec<(f64, usize)>,
    normals: Vec<f32>,
    epoch: u32,
    is_on: bool,
}

/// The passes that do this work, a bit each; more than the first need scratch memory.
fn passes(work: &Work) -> u8 {
    match work {
        Work::Linear { .. } | Work::Threshold(_) | Work::AddMemory(_) | Work::Freeze(_) => 0b001,
        Work::Warp(..) | Work::Disc { .. } | Work::Feedback(..) | Work::Blur(_) => 0b110,
    }
}

impl Bender {
    /// `None` for a plan without layers that can be bent.
    ///
    /// # Errors
    /// When the card has no memory at all.
    pub fn new(
        device: &Arc<Device>,
        plan: &Plan,
        precision: Precision,
        built: &Built,
    ) -> Result<Option<Bender>, EngineError> {
        let layers = bend::layers(plan);
        if layers.is_empty() {
            return Ok(None);
        }
        let of = |layer: &Layer| built.dispatches.iter().rposition(|dispatch| dispatch.step == layer.name);
        let last = layers.iter().map(|layer| of(layer).unwrap_or(usize::MAX)).collect();
        let entry = |binding| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty: wgpu::BufferBindingType::Storage { read_only: binding == 0 },
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let entries = [0, 1, 2, 3].map(entry);
        let descriptor = wgpu::BindGroupLayoutDescriptor { label: Some("bend"), entries: &entries };
        let layout = device.wgpu.create_bind_group_layout(&descriptor);
        let pipelines = device.wgpu.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("bend"),
            bind_group_layouts: &[Some(&layout)],
            immediate_size: 0,
        });
        let pass = |pass| {
            let source = shader::source("bend", precision, &vec![("PASS", Value::U(pass))]);
            make_pipeline(device, "bend", &source, Some(&pipelines), true)
        };
        let mut bytes = 0;
        let mut nothing = || make_buffer(device, "nothing", 16, &mut bytes);
        Ok(Some(Bender {
            device: device.clone(),
            precision,
            last,
            passes: (0..PASSES).map(pass).collect(),
            layout,
            frame: built.frame.clone(),
            first: numbers(plan, frame_numbers(plan))[0],
            count: slot_numbers(&layers),
            layers,
            maps: built.maps.clone(),
            scratch: None,
            nothing: [nothing()?, nothing()?],
            held: Default::default(),
            order: Vec::new(),
            normals: Vec::new(),
            epoch: 0,
            is_on: false,
        }))
    }

    fn bytes(&self, layer: &Layer) -> u64 {
        (layer.channels * layer.height * layer.width) as u64 * self.precision.bytes()
    }

    /// Call it before the first dispatch: adds the numbers of the bends to those of the frame.
    ///
    /// # Errors
    /// When the card has no memory for them.
    pub fn begin(&mut self, bends: &Bends, numbers: &mut Vec<f32>) -> Result<(), EngineError> {
        if self.epoch != bends.epoch {
            self.epoch = bends.epoch;
            self.held.iter_mut().for_each(|held| held.owner = None);
        }
        for (held, bend) in self.held.iter_mut().zip(&bends.slots) {
            held.passes = 0;
            if held.owner.is_some_and(|(kind, layer, _)| (kind, layer) != (bend.kind, bend.layer)) {
                held.owner = None;
            }
        }
        self.is_on = false;
        if !bends.is_on() {
            return Ok(());
        }
        numbers.resize(self.first + SLOTS * self.count, 0.0);
        self.make_room(bends)?;
        for (slot, bend) in bends.slots.iter().enumerate() {
            let Some(layer) = self.layers.get(bend.layer) else { continue };
            if let Some(work) = bend.work(layer, bends.secs) {
                self.prepare(slot, bend, &work, &mut numbers[self.first + slot * self.count..][..self.count])?;
                self.is_on = true;
            }
        }
        Ok(())
    }

    /// Scratch memory for all slots, before any of them is bound to it.
    fn make_room(&mut self, bends: &Bends) -> Result<(), EngineError> {
        let need = |bend: &Bend| {
            let layer = self.layers.get(bend.layer)?;
            let passes = bend.work(layer, bends.secs).map_or(0, |work| passes(&work));
            (passes > 1).then(|| self.bytes(layer).next_multiple_of(4))
        };
        let Some(bytes) = bends.slots.iter().filter_map(need).max() else { return Ok(()) };
        if self.scratch.as_ref().is_none_or(|(_, has)| *has < bytes) {
            self.scratch = Some((make_buffer(&self.device, "bend", bytes, &mut 0)?, bytes));
            self.held.iter_mut().for_each(|held| held.bound = None);
        }
        Ok(())
    }

    fn prepare(&mut self, slot: usize, bend: &Bend, work: &Work, numbers: &mut [f32]) -> Result<(), EngineError> {
        let layer = &self.layers[bend.layer];
        let bytes = self.bytes(layer).next_multiple_of(4);
        let mut sum = 0;
        let held = &mut self.held[slot];
        (held.passes, held.layer) = (passes(work), bend.layer);
        let mut is_first = false;
        if bend.has_memory() {
            let owner = (bend.kind, bend.layer, if bend.kind == Kind::Noise { bend.seed } else { 0 });
            is_first = held.owner != Some(owner);
            let memory = match held.memory.take().filter(|(_, has)| *has >= bytes) {
                Some(memory) => memory,
                None => {
                    held.bound = None;
                    (make_buffer(&self.device, "bend", bytes, &mut sum)?, bytes)
                }
            };
            held.owner = Some(owner);
            if is_first && bend.kind == Kind::Noise {
                let count = layer.channels * layer.height * layer.width;
                let mut data = vec![0u8; bytes as usize];
                bend::fill_noise(bend.seed, count, &mut self.normals, |at, n| match self.precision {
                    Precision::F32 => data[4 * at..4 * at + 4].copy_from_slice(&n.to_le_bytes()),
                    Precision::F16 => {
                        data[2 * at..2 * at + 2].copy_from_slice(&half::f16::from_f32(n).to_le_bytes());
                    }
                });
                self.device.queue.write_buffer(&memory.0, 0, &data);
            }
            held.memory = Some(memory);
        }
        let choice = Some(bend.choice());
        if held.choice != choice {
            held.choice = choice;
            held.chosen.resize(layer.channels, 0.0);
            bend.choose(&mut held.chosen, &mut self.order);
        }
        let [across, down, _] = spread((layer.channels * layer.height * layer.width).div_ceil(256));
        held.groups = [across as u32, down as u32, 1];
        let limit = match self.precision {
            Precision::F32 => f32::MAX,
            Precision::F16 => layer.clamp.unwrap_or(MOST_HALF).min(MOST_HALF),
        };
        write(numbers, layer, work, is_first, limit);
        numbers[FIRST_CHANNEL..][..layer.channels].copy_from_slice(&held.chosen);
        if held.bound.as_ref().is_none_or(|(bound, _)| *bound != bend.layer) {
            let size = std::num::NonZeroU64::new(self.count as u64 * 4);
            let offset = (self.first + slot * self.count) as u64 * 4;
            let numbers = wgpu::BufferBinding { buffer: &self.frame, offset, size };
            let whole =
                |buffer: Option<&(wgpu::Buffer, u64)>, without| buffer.map_or(without, |(buffer, _)| buffer).clone();
            let map = self.maps[layer.out.0].clone();
            let scratch = whole(self.scratch.as_ref(), &self.nothing[0]);
            let memory = whole(held.memory.as_ref(), &self.nothing[1]);
            let entries = [
                wgpu::BindGroupEntry { binding: 0, resource: wgpu::BindingResource::Buffer(numbers) },
                wgpu::BindGroupEntry { binding: 1, resource: map.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 2, resource: scratch.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 3, resource: memory.as_entire_binding() },
            ];
            let descriptor = wgpu::BindGroupDescriptor { label: Some("bend"), layout: &self.layout, entries: &entries };
            held.bound = Some((bend.layer, self.device.wgpu.create_bind_group(&descriptor)));
        }
        Ok(())
    }

    /// Bends the map that dispatch `dispatch` has finished.
    pub fn after(&self, dispatch: usize, pass: &mut wgpu::ComputePass) {
        if !self.is_on {
            return;
        }
        for held in self.held.iter().filter(|held| held.passes != 0 && self.last[held.layer] == dispatch) {
            let Some((_, group)) = &held.bound else { continue };
            for (number, pipeline) in self.passes.iter().enumerate() {
                if held.passes & (1 << number) != 0 {
                    let [x, y, z] = held.groups;
                    pass.set_pipeline(pipeline);
                    pass.set_bind_group(0, group, &[]);
                    pass.dispatch_workgroups(x, y, z);
                }
            }
        }
    }

    /// What is remembered, written down or given back.
    ///
    /// # Errors
    /// When the card is lost, and as [`Memo`]'s.
    pub fn memo(&mut self, memo: &mut Memo) -> Result<(), MemoError> {
        memo.u32(&mut self.epoch)?;
        for slot in 0..SLOTS {
            // Noise is made again.
            let owner = self.held[slot].owner.filter(|(kind, ..)| *kind != Kind::Noise);
            let mut is_there = owner.is_some();
            memo.bool(&mut is_there)?;
            if !is_there {
                if memo.gives_back() {
                    self.held[slot].owner = None;
                }
                continue;
            }
            let (mut kind, mut number) = (0u32, 0u64);
            if let Some((owner, layer, _)) = owner {
                (kind, number) = (u32::from(owner == Kind::Freeze), layer as u64);
            }
            memo.u32(&mut kind)?;
            memo.u64(&mut number)?;
            let layer = self.layers.get(number as usize).ok_or(MemoError::Short)?;
            let size = self.bytes(layer).next_multiple_of(4);
            let mut bytes = match &self.held[slot].memory {
                Some((memory, _)) if !memo.gives_back() => self.read(memory, size)?,
                _ => Vec::new(),
            };
            memo.bytes(&mut bytes)?;
            if bytes.len() as u64 != size {
                return Err(MemoError::Short);
            }
            if memo.gives_back() {
                let memory = make_buffer(&self.device, "bend", size, &mut 0)?;
                self.device.queue.write_buffer(&memory, 0, &bytes);
                let kind = if kind == 1 { Kind::Freeze } else { Kind::Feedback };
                let held = &mut self.held[slot];
                (held.owner, held.memory, held.bound) = (Some((kind, number as usize, 0)), Some((memory, size)), None);
            }
        }
        Ok(())
    }

    fn read(&self, from: &wgpu::Buffer, bytes: u64) -> Result<Vec<u8>, EngineError> {
        let read = Mapped::new(&self.device, "bend", bytes, wgpu::MapMode::Read);
        let mut encoder = self.device.wgpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(from, 0, &read.buffer, 0, bytes);
        let index = self.device.queue.submit([encoder.finish()]);
        read.map();
        super::wait(&self.device, Some(index))?;
        if !read.arrived() {
            return Err(unavailable("what a bend remembers cannot be read".to_owned()));
        }
        let view = read.buffer.get_mapped_range(..bytes);
        Ok(view.to_vec())
    }
}

/// The numbers of a bend, as `bend.wgsl` reads them.
fn write(numbers: &mut [f32], layer: &Layer, work: &Work, is_first: bool, limit: f32) {
    let word = |n: usize| f32::from_bits(n as u32);
    let (kind, a, offset) = match *work {
        Work::Linear { gain, offset } => (0, gain, offset),
        Work::Threshold(a) => (1, a, 0.0),
        Work::AddMemory(a) => (2, a, 0.0),
        Work::Freeze(a) => (3, a, 0.0),
        Work::Warp(_, a) => (4, a, 0.0),
        Work::Feedback(_, a) => (5, a, 0.0),
        Work::Disc { radius, is_most } => (6 + usize::from(is_most), radius, 0.0),
        Work::Blur(deviation) => (8, deviation, 0.0),
    };
    let sizes = [kind, layer.channels, layer.height, layer.width, usize::from(is_first)].map(word);
    numbers[..5].copy_from_slice(&sizes);
    (numbers[6], numbers[7], numbers[8]) = (limit, a, offset);
    if let Work::Warp(Warp { rows, edge }, _) | Work::Feedback(Warp { rows, edge }, _) = work {
        numbers[5] = word(*edge as usize);
        numbers[9..15].copy_from_slice(rows.as_flattened());
    }
}
