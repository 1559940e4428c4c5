//! The gpu engine: plans as compute shaders, over Vulkan, Metal or DX12.
//!
//! Every step of a plan becomes one to three dispatches of the kernels in `shaders/engine`, specialised for the step's
//! sizes; maps are planar (`[C, H, W]`), weights packed once. All memory, pipelines and bind groups are made in
//! [`Gpu::prepare`]; a picture is one command buffer, or a few if a window draws with the same device. The picture stays on
//! the card unless its pixels are needed, and effects run there (`gpu/canvas.rs`). `prepare` also chooses the kernel of each
//! convolution, by measuring (`gpu/autotune.rs`), or leaves that to a thread beside the show (`gpu/tuning.rs`). Runs on whichever thread calls it.
//!
//! A new operation is a kernel `shaders/engine/NAME.wgsl` (listed in `gpu/shader.rs`; maps are `array<Num>`, pictures and
//! everything else `array<f32>`) and a file `gpu/ops/NAME.rs` with a function `lower`, which uploads the weights and asks
//! the [`builder::Builder`] for dispatches, called in `gpu/ops.rs`. The test `shaders_are_valid` finds the kernel by itself.
//! Kernels of effects do not belong here: they are passes, run by `gpu/canvas.rs`.

mod autotune;
mod bend;
mod builder;
mod cache;
mod canvas;
mod device;
mod image;
mod memory;
mod ops;
mod pipelines;
mod program;
mod radial;
mod ring;
mod roofline;
mod shader;
mod slices;
mod styles;
mod tiling;
mod tuning;
mod variant;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use autotune::Autotune;
use builder::Builder;

use super::plan::Plan;
use super::surface::Place;
use super::{Engine, EngineError, Program};

pub use canvas::GpuCanvas;
pub use device::{Adapter, Device, adapters, first_line, unavailable};
pub use image::GpuImage;
pub use program::{GpuProgram, Mapped, Spent, wait};
pub use ring::{GpuTexture, Ring};
pub use roofline::Roofline;
pub use shader::of_pass;
pub use tuning::TuningProgram;
pub use variant::{Form, Kernel, Variant};

/// How maps and weights are stored; sums and pictures are always 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    F32,
    F16,
}

impl Precision {
    /// Size of one number.
    pub fn bytes(self) -> u64 {
        match self {
            Precision::F32 => 4,
            Precision::F16 => 2,
        }
    }
}

/// Runs plans on a graphics card.
pub struct Gpu {
    device: Arc<Device>,
    precision: Precision,
    apart: bool,
    autotune: Autotune,
    /// Whether a network plays before its kernels are measured.
    plays_at_once: bool,
}

impl Gpu {
    /// # Errors
    /// When 16 bits are requested and the card does not support them.
    pub fn new(device: Device, precision: Precision) -> Result<Gpu, EngineError> {
        Gpu::on(Arc::new(device), precision)
    }

    fn on(device: Arc<Device>, precision: Precision) -> Result<Gpu, EngineError> {
        if precision == Precision::F16 && !device.has_half() {
            return Err(unavailable(format!("{} has no 16-bit floats; use --precision f32", device.adapter)));
        }
        let autotune = Autotune::on(&device);
        Ok(Gpu { device, precision, apart: false, autotune, plays_at_once: false })
    }

    /// The same card with another precision.
    ///
    /// # Errors
    /// As [`Gpu::new`].
    pub fn at(&self, precision: Precision) -> Result<Gpu, EngineError> {
        let gpu = Gpu::on(self.device.clone(), precision)?;
        // Both share one file of measurements.
        Ok(Gpu { autotune: self.autotune.clone(), plays_at_once: self.plays_at_once, ..gpu })
    }

    /// How maps and weights are stored.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Gives every map separate memory, so that [`Program::tap`] finds all of them.
    #[must_use]
    pub fn with_taps(self) -> Gpu {
        Gpu { apart: true, ..self }
    }

    /// Computes every layer that `variant` suits with it, and measures nothing: for tests.
    #[must_use]
    pub fn with_variant(self, variant: Variant) -> Gpu {
        Gpu { autotune: Autotune::Fixed(Some(variant)), ..self }
    }

    /// Measures variants on any adapter, and stores results in `file`: for tests.
    #[must_use]
    pub fn with_measurements_in(self, file: PathBuf) -> Gpu {
        let autotune = Autotune::measured(&self.device, Some(file));
        Gpu { autotune, ..self }
    }

    /// Plays a network that the card does not know at once, and measures its kernels while it plays: for shows.
    #[must_use]
    pub fn tuned_while_playing(self) -> Gpu {
        Gpu { plays_at_once: true, ..self }
    }

    /// Every variant of the matrix product that the card supports.
    pub fn variants(&self) -> Vec<Variant> {
        variant::on(&self.device, self.precision)
    }

    /// The card it runs on.
    pub fn device(&self) -> &Arc<Device> {
        &self.device
    }

    /// The adapter it runs on.
    pub fn adapter(&self) -> &Adapter {
        &self.device.adapter
    }

    /// As [`Engine::prepare`], returning the concrete type.
    ///
    /// # Errors
    /// When the card has too little memory.
    pub fn program(&self, plan: Arc<Plan>) -> Result<GpuProgram, EngineError> {
        self.program_within(plan, Some(autotune::BUDGET)).map(|(program, _)| program)
    }

    /// A program that plays at once with what is known of its kernels; the rest is measured while it plays.
    ///
    /// # Errors
    /// As [`Gpu::program`].
    pub fn tuning_program(&self, plan: Arc<Plan>) -> Result<TuningProgram, EngineError> {
        let (program, is_complete) = self.program_within(plan.clone(), None)?;
        Ok(if is_complete { TuningProgram::tuned(program) } else { TuningProgram::start(self, plan, program) })
    }

    /// A program, for whose kernels so much time may be taken, and whether all of them are measured.
    fn program_within(&self, plan: Arc<Plan>, budget: Option<Duration>) -> Result<(GpuProgram, bool), EngineError> {
        if let Some(fault) = self.device.fault() {
            return Err(unavailable(fault));
        }
        plan.check().map_err(|error| unavailable(error.to_string()))?;
        let choice = autotune::of_plan(self, &plan, budget);
        let started = Instant::now();
        let built = self.device.watched(|| self.build(plan, &choice.variants));
        tracing::debug!("built in {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
        match built {
            (_, Some(error)) => Err(unavailable(first_line(&error))),
            (program, None) => program.map(|program| (program, choice.is_complete)),
        }
    }

    fn build(&self, plan: Arc<Plan>, variants: &[Option<Variant>]) -> Result<GpuProgram, EngineError> {
        let mut builder = Builder::new(&plan, &self.device, self.precision, self.apart)?;
        for (step, variant) in plan.steps.iter().zip(variants) {
            builder.begin(&step.name, *variant);
            ops::lower(&mut builder, &step.op)?;
        }
        let built = builder.finish()?;
        GpuProgram::new(self.device.clone(), plan, self.precision, self.apart, built)
    }
}

impl Engine for Gpu {
    fn name(&self) -> &'static str {
        "gpu"
    }

    fn prepare(&self, plan: Arc<Plan>) -> Result<Box<dyn Program>, EngineError> {
        let program: Box<dyn Program> = match self.plays_at_once {
            true => Box::new(self.tuning_program(plan)?),
            false => Box::new(self.program(plan)?),
        };
        self.device.compile(&canvas::PASSES)?;
        self.device.pipelines.save();
        Ok(program)
    }
}

/// The sources of all kernels, for validation: name and text, in each precision of the kernel.
pub fn kernels() -> Vec<(String, String)> {
    let both = |name: &'static str| {
        let is_half = name.ends_with("_half") || name.contains("_matrix");
        let precisions = [Precision::F32, Precision::F16].into_iter().filter(move |p| *p == Precision::F16 || !is_half);
        precisions.map(move |p| (format!("{name}, {p:?}"), shader::source(name, p, &Vec::new())))
    };
    shader::names().flat_map(both).collect()
}

/// Reports that a test is skipped because there is no GPU; with `LATENT_JOCKEY_GPU=required` in the environment, fails.
#[cfg(test)]
#[track_caller]
#[allow(clippy::print_stderr, reason = "skipped tests are reported")]
pub(crate) fn skip_test(why: impl std::fmt::Display) {
    static COUNT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let is_required = std::env::var("LATENT_JOCKEY_GPU").is_ok_and(|value| value == "required");
    assert!(!is_required, "a GPU is required here: {why}");
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
    eprintln!("skipped (GPU, number {count}): {why}");
}
