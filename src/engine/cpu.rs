//! The cpu engine: plans in 32-bit floats on all cores.
//!
//! Every step of a plan becomes a [`Stage`] with its weights packed for the machine's vectors; feature maps are channels-last
//! with a border of zeros. All memory is allocated in [`Cpu::prepare`]; running a picture allocates nothing. Results do
//! not depend on the number of threads. Runs on the calling thread, helped by a [`pool::Pool`].

mod bend;
mod conv;
mod epilogue;
mod filtered;
mod fourier;
mod gated;
mod memory;
mod noise;
mod norm;
mod painting;
mod pool;
mod product;
mod simd;
mod styles;
mod synthesis;
mod torgb;
mod winograd;

use std::sync::Arc;
use std::time::Instant;

use epilogue::{Epilogue, RowEpilogue};
use memory::{Floats, Map, Planes};
use pool::{Pool, Turn};
pub use simd::Isa;
use styles::{Styled, Styles};
pub(in crate::engine) use winograd::KERNEL_3;

/// Fills the noise of a layer, `[H, W]`, as this engine does: for engines with the same pictures.
#[cfg(feature = "torch")]
pub(in crate::engine) fn fill_noise(out: &mut [f32], seed: u64, layer: usize) {
    noise::fill(Isa::best(), out, seed, layer, 0);
}

use super::memo::{Memo, MemoError};
use super::plan::{Buffer, Op, Plan};
use super::surface::Surface;
use super::{Engine, EngineError, Inputs, NoiseMode, Program};
use crate::image::Image;

/// Runs plans on the processor.
pub struct Cpu {
    pool: Arc<Pool>,
    isa: Isa,
}

impl Default for Cpu {
    /// All cores, the best instruction set.
    fn default() -> Self {
        Cpu::new(std::thread::available_parallelism().map_or(1, usize::from))
    }
}

impl Cpu {
    /// An engine with `threads` threads, including the caller's.
    pub fn new(threads: usize) -> Cpu {
        Cpu::with_isa(threads, Isa::best())
    }

    /// An engine restricted to an instruction set, for comparing them.
    pub fn with_isa(threads: usize, isa: Isa) -> Cpu {
        Cpu { pool: Arc::new(Pool::new(threads)), isa }
    }

    /// How many threads compute, including the caller's.
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// Which instruction set it uses.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// As [`Engine::prepare`], returning the concrete type.
    ///
    /// # Errors
    /// When the plan is not consistent, or uses a picture as a feature map.
    pub fn program(&self, plan: Arc<Plan>) -> Result<CpuProgram, EngineError> {
        let unavailable = |reason: String| EngineError::Unavailable { engine: "cpu", reason };
        plan.check().map_err(|e| unavailable(e.to_string()))?;
        let lanes = self.isa.lanes();
        let is_picture = |b: usize| plan.steps.iter().any(|s| s.op.out().0 == b && matches!(s.op, Op::ToRgb(_)));
        let slots = plan.buffers.iter().enumerate().map(|(i, b)| Slot::new(b, is_picture(i), lanes)).collect();
        let threads = self.threads();
        let scratch = filtered::Scratch::new(&plan, lanes, threads);
        let mut builder = Builder { plan: &plan, lanes, threads, scratch, styled: Vec::new(), noises: Vec::new() };
        let stages = plan.steps.iter().map(|step| builder.stage(&step.op)).collect::<Result<Vec<_>, _>>();
        let stages = stages.map_err(unavailable)?;
        let Builder { styled, noises, .. } = builder;
        let styles = Styles::new(styled, plan.num_ws, plan.w_dim, lanes);
        let longest = plan.buffers.iter().map(|b| b.width).max().unwrap_or(0);
        let silence = Floats::new(longest);
        let bender = bend::Bender::new(&plan);
        Ok(CpuProgram { pool: self.pool.clone(), isa: self.isa, slots, stages, styles, noises, silence, bender, plan })
    }
}

impl Engine for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn prepare(&self, plan: Arc<Plan>) -> Result<Box<dyn Program>, EngineError> {
        if painting::Painting::runs(&plan) {
            return Ok(Box::new(painting::Painting::new(plan, self.pool.clone(), self.isa)?));
        }
        Ok(Box::new(self.program(plan)?))
    }
}

/// The memory of one buffer of the plan.
enum Slot {
    Map(Map),
    Planes(Planes),
}

impl Slot {
    fn new(buffer: &Buffer, is_picture: bool, lanes: usize) -> Slot {
        let Buffer { channels, height, width, .. } = *buffer;
        match is_picture {
            true => Slot::Planes(Planes::new(channels, height, width)),
            false => Slot::Map(Map::new(channels, height, width, lanes)),
        }
    }

    fn write_image(&self, buffer: &Buffer, out: &mut Image) {
        (out.channels, out.height, out.width) = (buffer.channels, buffer.height, buffer.width);
        out.data.resize(buffer.len(), 0.0);
        match self {
            Slot::Map(map) => map.to_planar(&mut out.data),
            // SAFETY: no stage runs.
            Slot::Planes(planes) => out.data.copy_from_slice(unsafe { planes.data.as_slice() }),
        }
    }
}

/// The noise of one layer.
struct NoiseSlot {
    height: usize,
    width: usize,
    /// The network's constant noise; empty if it has none.
    constant: Floats,
    has_constant: bool,
    /// Refilled with random noise for each picture.
    random: Floats,
}

/// Everything a stage reads while it runs.
struct Frame<'a> {
    turn: &'a Turn<'a>,
    isa: Isa,
    slots: &'a [Slot],
    styles: &'a Styles,
    noises: &'a [NoiseSlot],
    silence: &'a Floats,
    inputs: &'a Inputs<'a>,
}

impl Frame<'_> {
    fn map(&self, slot: usize) -> &Map {
        match &self.slots[slot] {
            Slot::Map(map) => map,
            Slot::Planes(_) => unreachable!("`Builder::stage` refuses pictures as feature maps"),
        }
    }

    fn planes(&self, slot: usize) -> &Planes {
        match &self.slots[slot] {
            Slot::Planes(planes) => planes,
            Slot::Map(_) => unreachable!("`Builder::stage` refuses feature maps as pictures"),
        }
    }

    /// The epilogue of a layer with this picture's demodulation and noise.
    fn epilogue(&self, epilogue: &Epilogue, layer: &synthesis::Layer) -> RowEpilogue {
        let alpha = &self.styles.layers[layer.styled].alpha;
        let gain = self.inputs.noise.gain;
        let noise = layer.noise.map(|n| &self.noises[n]);
        match (self.inputs.noise.mode, noise) {
            (NoiseMode::Const, Some(n)) if n.has_constant => {
                epilogue.for_picture(alpha, n.constant.ptr(), n.width, gain)
            }
            (NoiseMode::Random { .. } | NoiseMode::Loop { .. }, Some(n)) => {
                epilogue.for_picture(alpha, n.random.ptr(), n.width, gain)
            }
            _ => epilogue.for_picture(alpha, self.silence.ptr(), 0, 0.0),
        }
    }
}

/// One step of a plan, prepared.
trait Stage: Send {
    fn run(&mut self, frame: &Frame);
}

/// Turns the steps of a plan into stages.
struct Builder<'a> {
    plan: &'a Plan,
    lanes: usize,
    threads: usize,
    scratch: Arc<filtered::Scratch>,
    styled: Vec<Styled>,
    noises: Vec<NoiseSlot>,
}

impl Builder<'_> {
    fn stage(&mut self, op: &Op) -> Result<Box<dyn Stage>, String> {
        let (plan, lanes) = (self.plan, self.lanes);
        let is_picture = |id| plan.steps.iter().any(|s| s.op.out() == id && matches!(s.op, Op::ToRgb(_)));
        let picture = if let Op::ToRgb(op) = op { op.picture } else { None };
        if let Some(id) = op.inputs().find(|&id| is_picture(id) != (Some(id) == picture)) {
            return Err(format!("{} reads {}, which is the wrong kind of buffer", op.kind(), plan.get(id).name));
        }
        let styled = self.styled.len();
        self.styled.extend(op.style().map(|style| Styled::new(op, style, lanes)));
        Ok(match op {
            Op::Constant(op) => {
                Box::new(synthesis::Constant { out: op.out.0, value: Floats::from_slice(&op.value), is_done: false })
            }
            Op::Synthesis(op) => {
                let out = plan.get(op.out);
                let noise = op.noise.as_ref().map(|noise| {
                    let (height, width) = (out.height, out.width);
                    let constant = Floats::from_slice(&noise.constant);
                    let (has_constant, random) = (!noise.constant.is_empty(), Floats::new(height * width));
                    self.noises.push(NoiseSlot { height, width, constant, has_constant, random });
                    self.noises.len() - 1
                });
                let layer = synthesis::Layer { input: op.input.0, out: op.out.0, styled, noise };
                if winograd::up::Up::suits(op, plan) {
                    Box::new(winograd::up::Up::new(plan, op, layer, lanes, self.threads))
                } else if winograd::same::Same::suits(op, plan) {
                    Box::new(winograd::same::Same::new(plan, op, layer, lanes, self.threads))
                } else if op.up {
                    Box::new(synthesis::Up::new(plan, op, layer, lanes))
                } else {
                    Box::new(synthesis::Direct::new(plan, op, layer, lanes))
                }
            }
            Op::ToRgb(op) => Box::new(torgb::ToRgb::new(plan, op, styled, lanes)),
            Op::Residual(op) => Box::new(torgb::Residual::new(plan, op, lanes)),
            Op::Fourier(op) => Box::new(fourier::Fourier::new(plan, op, lanes)),
            Op::Filtered(op) => Box::new(filtered::Filtered::new(plan, op, styled, lanes, self.scratch.clone())),
            Op::Latent(op) => Box::new(gated::Latent { out: op.out.0, styled }),
            Op::Gated(op) => Box::new(gated::Gated::new(plan, op, styled)),
            Op::Gates(op) => Box::new(gated::Gates::new(plan, op, lanes)),
            Op::Module(_) => return Err(format!("a {} plays with --engine torch", op.kind())),
            Op::Picture(_) | Op::NormConv(_) | Op::Convolution(_) => {
                return Err(format!("{} is an operation of style networks", op.kind()));
            }
        })
    }
}

/// A plan prepared for the cpu engine.
pub struct CpuProgram {
    pool: Arc<Pool>,
    isa: Isa,
    plan: Arc<Plan>,
    slots: Vec<Slot>,
    stages: Vec<Box<dyn Stage>>,
    styles: Styles,
    noises: Vec<NoiseSlot>,
    /// Zeros for layers without noise.
    silence: Floats,
    bender: bend::Bender,
}

impl CpuProgram {
    /// Fills the noise images of all layers; with shares, with that much of a first noise and of this one.
    fn make_noise(&self, seed: u64, shares: Option<[f32; 2]>, turn: &Turn) {
        /// Pixels per task.
        const CHUNK: usize = 4096;
        let isa = self.isa;
        for (layer, noise) in self.noises.iter().enumerate() {
            let len = noise.height * noise.width;
            turn.run(len.div_ceil(CHUNK), &|task, _| {
                let first = task * CHUNK;
                // SAFETY: each task fills a different part.
                let part =
                    unsafe { std::slice::from_raw_parts_mut(noise.random.ptr().add(first), CHUNK.min(len - first)) };
                noise::fill(isa, part, seed, layer, first);
                let Some([of_first, of_second]) = shares else { return };
                let mut other = [0.0; CHUNK];
                let other = &mut other[..part.len()];
                if noise.has_constant {
                    // SAFETY: nobody writes it.
                    other.copy_from_slice(unsafe { &noise.constant.as_slice()[first..first + part.len()] });
                } else {
                    noise::fill(isa, other, NoiseMode::other(seed), layer, first);
                }
                part.iter_mut().zip(other).for_each(|(x, first)| *x = of_first * *first + of_second * *x);
            });
        }
    }
}

impl CpuProgram {
    /// Seconds of one picture: of the styles with the noise, and of each step by its name.
    ///
    /// # Errors
    /// As [`Program::run`].
    pub fn times(&mut self, inputs: &Inputs) -> Result<Vec<(String, f64)>, EngineError> {
        let plan = self.plan.clone();
        let mut times = Vec::with_capacity(1 + plan.steps.len());
        let mut before = Instant::now();
        self.steps(inputs, |step| {
            let name = step.map_or("styles", |step| &plan.steps[step].name);
            let now = Instant::now();
            times.push((name.to_owned(), (now - before).as_secs_f64()));
            before = now;
        })?;
        Ok(times)
    }

    /// Computes a picture in the slots. `done` is told when the styles are known, and after each step.
    fn steps(&mut self, inputs: &Inputs, mut done: impl FnMut(Option<usize>)) -> Result<(), EngineError> {
        inputs.check(&self.plan)?;
        let pool = self.pool.clone();
        let turn = pool.turn();
        self.styles.update(inputs.ws, &turn, self.isa);
        match inputs.noise.mode {
            NoiseMode::Random { seed } => self.make_noise(seed, None, &turn),
            NoiseMode::Loop { seed, turn: at } => self.make_noise(seed, Some(NoiseMode::shares(at)), &turn),
            NoiseMode::Const | NoiseMode::None => {}
        }
        done(None);
        let frame = Frame {
            turn: &turn,
            isa: self.isa,
            slots: &self.slots,
            styles: &self.styles,
            noises: &self.noises,
            silence: &self.silence,
            inputs,
        };
        let bends = Some(&inputs.bends).filter(|bends| bends.is_on());
        self.bender.begin(&inputs.bends);
        for (step, stage) in self.stages.iter_mut().enumerate() {
            stage.run(&frame);
            if let Some(bends) = bends {
                self.bender.after(step, &frame, bends);
            }
            done(Some(step));
        }
        Ok(())
    }
}

impl Program for CpuProgram {
    fn run(&mut self, inputs: &Inputs, out: &mut Surface) -> Result<(), EngineError> {
        self.steps(inputs, |_| {})?;
        if let Some(id) = self.plan.output {
            let buffer = self.plan.get(id);
            let out = out.write([buffer.channels, buffer.height, buffer.width]);
            self.slots[id.0].write_image(buffer, out);
        }
        Ok(())
    }

    fn engine(&self) -> &'static str {
        "cpu"
    }

    fn memo(&mut self, memo: &mut Memo) -> Result<(), MemoError> {
        self.bender.memo(&self.slots, memo)
    }

    fn tap(&self, buffer: &str) -> Option<Image> {
        let id = self.plan.find(buffer)?;
        let mut out = Image::default();
        self.slots[id.0].write_image(self.plan.get(id), &mut out);
        Some(out)
    }
}
