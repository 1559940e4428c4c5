//! Turns the steps of a plan into dispatches: collects what [`super::ops`] requests, then creates everything at once.
//!
//! Kernels are requested with their constants and buffers, in binding order. The sizes of the shared buffers (scratch,
//! styles) are only known after all requests, so pipelines and bind groups are created in [`Builder::finish`].

use std::collections::HashMap;

use rayon::prelude::*;

use super::Precision;
use super::bend;
use super::device::{Device, first_line, unavailable};
use super::memory::{self, Assignment};
use super::program::{HEADER, frame_numbers};
use super::shader::{self, Constants, Value};
use super::styles::{Row, StyleRows, Styled};
use super::tiling::{self, Outline, Tiling};
use super::variant::Variant;
use crate::engine::EngineError;
use crate::engine::plan::{BufferId, Op, Plan, Style};

/// Maximum workgroups along one axis (WebGPU's limit).
const MOST_GROUPS: usize = 65_535;

/// What a kernel's binding refers to.
#[derive(Clone)]
pub enum Slot {
    /// A buffer of the plan.
    Map(BufferId),
    /// Numbers uploaded at load.
    Data(wgpu::Buffer),
    /// Scratch memory between the kernels of one step.
    Scratch,
    /// More scratch memory: the products of Winograd convolutions, whose input and results alternate in the first.
    Products,
    /// The frame's numbers: noise, transform, ws, the mix of styles.
    Frame,
    Styles,
    Demodulations,
    /// Absent in this layer, as the kernel's constants say.
    Nothing,
}

/// A requested dispatch.
struct Wanted {
    step: String,
    kernel: &'static str,
    constants: Constants,
    slots: Vec<Slot>,
    groups: [u32; 3],
}

/// A prepared dispatch.
pub struct Dispatch {
    /// The step's name.
    pub step: String,
    pub kernel: &'static str,
    pub pipeline: wgpu::ComputePipeline,
    pub bind_group: wgpu::BindGroup,
    pub groups: [u32; 3],
}

/// Everything that a program consists of.
pub struct Built {
    pub dispatches: Vec<Dispatch>,
    /// The memory of each buffer of the plan.
    pub maps: Vec<wgpu::Buffer>,
    pub frame: wgpu::Buffer,
    /// Size of all buffers together.
    pub bytes: u64,
    /// The variant of each step with a matrix product.
    pub variants: Vec<(String, Variant)>,
}

/// Buffers whose size is only known at the end.
struct Shared {
    styles: wgpu::Buffer,
    demodulations: wgpu::Buffer,
    scratch: wgpu::Buffer,
    products: wgpu::Buffer,
}

/// Collects the requests of a plan's steps.
pub struct Builder<'a> {
    pub plan: &'a Plan,
    device: &'a Device,
    precision: Precision,
    assignment: Assignment,
    maps: Vec<wgpu::Buffer>,
    frame: wgpu::Buffer,
    nothing: wgpu::Buffer,
    rows: StyleRows,
    wanted: Vec<Wanted>,
    scratch: u64,
    products: u64,
    noise_layers: usize,
    bytes: u64,
    step: String,
    /// The variant chosen for the step.
    variant: Option<Variant>,
    /// The variants that steps use.
    variants: Vec<(String, Variant)>,
}

impl<'a> Builder<'a> {
    /// Allocates the memory of all maps. With `apart` each has its own, and every tap can be read.
    ///
    /// # Errors
    /// When the card does not allow a buffer of that size.
    pub fn new(plan: &'a Plan, device: &'a Device, precision: Precision, apart: bool) -> Result<Self, EngineError> {
        let assignment = memory::assign(plan, precision.bytes(), apart);
        let [_, numbers] = bend::numbers(plan, frame_numbers(plan));
        let mut bytes = 0;
        let mut make = |label: &str, size: u64| make_buffer(device, label, size, &mut bytes);
        let maps = assignment.bytes.iter().map(|size| make("map", *size)).collect::<Result<_, _>>()?;
        // A kernel needs at least one number after the header.
        let frame = make("frame", (numbers as u64 + 1) * 4)?;
        let nothing = make("nothing", 16)?;
        Ok(Builder {
            plan,
            device,
            precision,
            assignment,
            maps,
            frame,
            nothing,
            rows: StyleRows::default(),
            wanted: Vec::new(),
            scratch: 16,
            products: 16,
            noise_layers: 0,
            bytes,
            step: String::new(),
            variant: None,
            variants: Vec::new(),
        })
    }

    /// Sets the step that makes the following requests, and the variant chosen for its matrix product.
    pub fn begin(&mut self, step: &str, variant: Option<Variant>) {
        step.clone_into(&mut self.step);
        self.variant = variant;
    }

    /// The variant chosen for the step.
    pub fn variant(&self) -> Option<Variant> {
        self.variant
    }

    /// Notes the variant that the step uses.
    pub fn takes(&mut self, variant: Variant) {
        self.variants.push((self.step.clone(), variant));
    }

    /// How a variant with cooperative matrices divides a product, if the card has them and maps have their precision.
    pub fn tiling(&self, variant: Variant, outline: &Outline) -> Option<Tiling> {
        tiling::on(self.device, variant, outline).filter(|_| self.precision == Precision::F16)
    }

    fn buffer(&mut self, label: &str, bytes: u64) -> Result<wgpu::Buffer, EngineError> {
        make_buffer(self.device, label, bytes, &mut self.bytes)
    }

    /// Uploads numbers in 32 bits.
    ///
    /// # Errors
    /// When the card does not allow a buffer of that size.
    pub fn floats(&mut self, numbers: &[f32]) -> Result<Slot, EngineError> {
        if numbers.is_empty() {
            return Ok(Slot::Nothing);
        }
        let label = self.step.clone();
        let buffer = self.buffer(&label, numbers.len() as u64 * 4)?;
        self.device.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(numbers));
        Ok(Slot::Data(buffer))
    }

    /// Uploads numbers in the precision of maps and weights (`Num`).
    ///
    /// # Errors
    /// As [`Builder::floats`].
    pub fn nums(&mut self, numbers: &[f32]) -> Result<Slot, EngineError> {
        let label = self.step.clone();
        let buffer = self.buffer(&label, (numbers.len() as u64 * self.precision.bytes()).next_multiple_of(4))?;
        self.write_nums(&buffer, numbers);
        Ok(Slot::Data(buffer))
    }

    fn write_nums(&self, buffer: &wgpu::Buffer, numbers: &[f32]) {
        match self.precision {
            Precision::F32 => self.device.queue.write_buffer(buffer, 0, bytemuck::cast_slice(numbers)),
            Precision::F16 => {
                let mut halves: Vec<half::f16> = numbers.iter().map(|x| half::f16::from_f32(*x)).collect();
                // Copies must be whole words.
                halves.resize(halves.len().next_multiple_of(2), half::f16::ZERO);
                self.device.queue.write_buffer(buffer, 0, bytemuck::cast_slice(&halves));
            }
        }
    }

    /// Fills a map of the plan, once.
    pub fn fill(&self, id: BufferId, numbers: &[f32]) {
        self.write_nums(&self.maps[self.assignment.memory[id.0]], numbers);
    }

    /// Reserves at least `numbers` of scratch memory, in `Num`.
    pub fn scratch(&mut self, numbers: usize) -> Slot {
        self.scratch = self.scratch.max((numbers as u64 * self.precision.bytes()).next_multiple_of(4));
        Slot::Scratch
    }

    /// As [`Builder::scratch`], for [`Slot::Products`].
    pub fn products(&mut self, numbers: usize) -> Slot {
        self.products = self.products.max((numbers as u64 * self.precision.bytes()).next_multiple_of(4));
        Slot::Products
    }

    /// What maps and weights are stored in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Whether a buffer of this many `Num` fits the card.
    pub fn has_room_for(&self, numbers: usize) -> bool {
        numbers as u64 * self.precision.bytes() <= most_bytes(self.device)
    }

    /// Bytes of workgroup memory that a kernel may use.
    pub fn workgroup_memory(&self) -> usize {
        self.device.limits.max_compute_workgroup_storage_size as usize
    }

    /// Adds a style, to be computed before the first step.
    pub fn style(&mut self, op: &Op, style: &Style) -> Styled {
        self.rows.add(op, style, HEADER + style.ws_index * self.plan.w_dim)
    }

    /// The index of the next layer with noise.
    pub fn noise_layer(&mut self) -> usize {
        self.noise_layers += 1;
        self.noise_layers - 1
    }

    /// Requests a kernel over `groups` workgroups.
    pub fn dispatch(&mut self, kernel: &'static str, constants: Constants, slots: Vec<Slot>, groups: [usize; 3]) {
        let groups = groups.map(|n| n as u32);
        self.wanted.push(Wanted { step: self.step.clone(), kernel, constants, slots, groups });
    }

    /// Requests a kernel with one thread for each of `count` items, 256 per workgroup; its constant `ACROSS` is the
    /// number of workgroups along x.
    pub fn dispatch_each(&mut self, kernel: &'static str, mut constants: Constants, slots: Vec<Slot>, count: usize) {
        let groups = spread(count.div_ceil(256));
        constants.push(("ACROSS", Value::U(groups[0])));
        self.dispatch(kernel, constants, slots, groups);
    }

    /// Creates the dispatch for all rows of one kind, if there are any.
    fn rows(&mut self, demodulate: bool, out: Slot) -> Result<(), EngineError> {
        let rows = std::mem::take(if demodulate { &mut self.rows.demodulations } else { &mut self.rows.styles });
        if rows.rows.is_empty() {
            return Ok(());
        }
        self.begin(if demodulate { "demodulation" } else { "styles" }, None);
        let table = self.buffer("styles", (rows.rows.len() * size_of::<Row>()) as u64)?;
        self.device.queue.write_buffer(&table, 0, bytemuck::cast_slice(&rows.rows));
        let weights = self.floats(&rows.weights)?;
        let groups = spread(rows.rows.len());
        let constants = vec![
            ("DEMODULATE", Value::B(demodulate)),
            ("COUNT", Value::U(rows.rows.len())),
            ("ACROSS", Value::U(groups[0])),
        ];
        let vectors = if demodulate { Slot::Styles } else { Slot::Frame };
        self.dispatch("styles", constants, vec![Slot::Data(table), weights, vectors, out], groups);
        Ok(())
    }

    fn bound<'b>(&'b self, shared: &'b Shared, slot: &'b Slot) -> &'b wgpu::Buffer {
        match slot {
            Slot::Map(id) => &self.maps[self.assignment.memory[id.0]],
            Slot::Data(buffer) => buffer,
            Slot::Scratch => &shared.scratch,
            Slot::Products => &shared.products,
            Slot::Frame => &self.frame,
            Slot::Styles => &shared.styles,
            Slot::Demodulations => &shared.demodulations,
            Slot::Nothing => &self.nothing,
        }
    }

    /// Creates pipelines and bind groups for all requests.
    ///
    /// # Errors
    /// When a buffer is too large for the card, or a kernel needs too many workgroups.
    pub fn finish(mut self) -> Result<Built, EngineError> {
        let count = |rows: &[Row]| (rows.len() as u64 * 4).max(16);
        let shared = Shared {
            styles: self.buffer("styles", count(&self.rows.styles.rows))?,
            demodulations: self.buffer("demodulations", count(&self.rows.demodulations.rows))?,
            scratch: self.buffer("scratch", self.scratch)?,
            products: self.buffer("products", self.products)?,
        };
        // Styles come before the steps.
        let steps = std::mem::take(&mut self.wanted);
        self.rows(false, Slot::Styles)?;
        self.rows(true, Slot::Demodulations)?;
        self.wanted.extend(steps);
        let source = |wanted: &Wanted| shader::source(wanted.kernel, self.precision, &wanted.constants);
        let sources: Vec<String> = self.wanted.par_iter().map(source).collect();
        let kernels: HashMap<&str, &'static str> =
            sources.iter().zip(&self.wanted).map(|(source, wanted)| (source.as_str(), wanted.kernel)).collect();
        // Compiling takes longest, and drivers do it on every core.
        // A thread only sees its own errors.
        let compile = |(source, kernel): (&'_ str, &str)| match self
            .device
            .watched(|| make_pipeline(self.device, kernel, source, None, true))
        {
            (_, Some(error)) => Err(unavailable(format!("{kernel}: {}", first_line(&error)))),
            (pipeline, None) => Ok(pipeline),
        };
        let compiled = kernels.into_par_iter().map(|(source, kernel)| Ok((source, compile((source, kernel))?)));
        let pipelines: HashMap<&str, wgpu::ComputePipeline> = compiled.collect::<Result<_, EngineError>>()?;
        let mut dispatches = Vec::with_capacity(self.wanted.len());
        for (wanted, source) in self.wanted.iter().zip(&sources) {
            if let Some(groups) = wanted.groups.iter().find(|n| **n as usize > MOST_GROUPS) {
                return Err(unavailable(format!(
                    "{} needs {groups} workgroups; at most {MOST_GROUPS} are possible",
                    wanted.step
                )));
            }
            let pipeline = &pipelines[source.as_str()];
            let entries: Vec<_> = (0..)
                .zip(&wanted.slots)
                .map(|(binding, slot)| wgpu::BindGroupEntry {
                    binding,
                    resource: self.bound(&shared, slot).as_entire_binding(),
                })
                .collect();
            let bind_group = self.device.wgpu.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(&wanted.step),
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            });
            let (step, kernel, groups) = (wanted.step.clone(), wanted.kernel, wanted.groups);
            dispatches.push(Dispatch { step, kernel, pipeline: pipeline.clone(), bind_group, groups });
        }
        let maps = self.assignment.memory.iter().map(|m| self.maps.get(*m).unwrap_or(&self.nothing).clone()).collect();
        Ok(Built { dispatches, maps, frame: self.frame, bytes: self.bytes, variants: self.variants })
    }
}

/// Spreads workgroups over two axes, as one alone allows too few.
pub fn spread(groups: usize) -> [usize; 3] {
    let across = groups.clamp(1, 32_768);
    [across, groups.div_ceil(across).max(1), 1]
}

/// Maximum size of a buffer that kernels access.
fn most_bytes(device: &Device) -> u64 {
    device.limits.max_buffer_size.min(device.limits.max_storage_buffer_binding_size)
}

/// A buffer for kernels; its size is added to `sum`.
pub fn make_buffer(device: &Device, label: &str, bytes: u64, sum: &mut u64) -> Result<wgpu::Buffer, EngineError> {
    let most = most_bytes(device);
    if bytes > most {
        let (bytes, most) = (bytes as f64 / 1e6, most as f64 / 1e6);
        return Err(unavailable(format!(
            "a buffer ({label}) of {bytes:.1} MB: {} allows {most:.1} MB",
            device.adapter.name
        )));
    }
    *sum += bytes;
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
    let size = bytes.max(16).next_multiple_of(4);
    Ok(device.wgpu.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size,
        usage,
        mapped_at_creation: false,
    }))
}

/// Compiles a kernel, with the bindings in its source unless there is a `layout`. Only built-in kernels are `is_trusted` to
/// stay within their buffers.
pub fn make_pipeline(
    device: &Device,
    kernel: &str,
    source: &str,
    layout: Option<&wgpu::PipelineLayout>,
    is_trusted: bool,
) -> wgpu::ComputePipeline {
    let descriptor =
        wgpu::ShaderModuleDescriptor { label: Some(kernel), source: wgpu::ShaderSource::Wgsl(source.into()) };
    let checks = if is_trusted { wgpu::ShaderRuntimeChecks::unchecked() } else { wgpu::ShaderRuntimeChecks::checked() };
    // SAFETY: built-in kernels stay within their buffers, given constants from a checked plan, and their loops terminate.
    let module = unsafe { device.wgpu.create_shader_module_trusted(descriptor, checks) };
    device.wgpu.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(kernel),
        layout,
        module: &module,
        entry_point: Some("main"),
        // Tiles are written before they are read.
        compilation_options: wgpu::PipelineCompilationOptions {
            zero_initialize_workgroup_memory: false,
            ..Default::default()
        },
        cache: device.pipelines.cache(),
    })
}
