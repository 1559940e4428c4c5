//! Autotuning: which variant each layer uses, measured once on the device, at load, and cached.
//!
//! A layer is run in isolation, with its weights and random input, with each variant. A variant whose numbers differ from
//! the plain kernel's is rejected; of the rest the fastest is used: first one tile of each kind of kernel is tried, then
//! all tiles of the fastest kind. Measuring a network takes about [`BUDGET`]: layers for which no time is left use what
//! was verified on the others, and are measured at the next start. Nothing is measured on software adapters, so that the
//! same input gives the same picture. Runs on the loading thread, or while playing, a slice at a time (`gpu/tuning.rs`).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::cache::{self, Cache};
use super::device::Device;
use super::ops::winograd;
use super::program::GpuProgram;
use super::tiling::{self, Outline};
use super::variant::{self, Form, Kernel, Variant};
use super::{Gpu, Precision};
use crate::engine::plan::{
    BufferId, Constant, Convolution, FilteredLayer, NormConv, Op, Plan, Step, SynthesisLayer, Weights,
};
use crate::engine::{EngineError, Inputs, Noise, NoiseMode, Program};
use crate::image::Image;

/// Time for one network, where it is measured before it plays.
pub const BUDGET: Duration = Duration::from_secs(2);
/// Approximate duration of each of [`TRIES`] measurements; the fastest counts.
const LASTS: Duration = Duration::from_millis(2);
const TRIES: usize = 3;
/// A variant that takes this many times longer than the best so far is abandoned.
const SLOWER: f64 = 1.25;
/// Overhead allowed per submission.
const SUBMISSION: Duration = Duration::from_millis(1);
/// Pixels of a map tried first when a window waits for its turn.
const FEWEST_PIXELS: usize = 1 << 11;
/// Maximum pixels of a map to compute: the rows of a larger one are all alike.
const MOST_PIXELS: usize = 1 << 17;
/// Name of the map that is compared.
const OUT: &str = "out";

/// How an engine chooses the variant of a layer.
#[derive(Clone)]
pub enum Autotune {
    /// The same for every layer that it suits, or the plain kernel.
    Fixed(Option<Variant>),
    Measured(Arc<Mutex<Cache>>),
}

impl Autotune {
    /// Measured on a real card, otherwise fixed.
    pub fn on(device: &Device) -> Autotune {
        if device.adapter.is_real() { Autotune::measured(device, cache::default_file()) } else { Autotune::Fixed(None) }
    }

    /// Measured, and cached in `file`.
    pub fn measured(device: &Device, file: Option<PathBuf>) -> Autotune {
        Autotune::Measured(Arc::new(Mutex::new(Cache::open(file, &device.adapter.name, &device.driver))))
    }
}

/// The variants of a plan.
pub struct Choice {
    /// Of each step; `None` for steps without a choice.
    pub variants: Vec<Option<Variant>>,
    /// Whether there was no layer that is still to be measured.
    pub is_complete: bool,
}

/// The variants of a checked plan. Measures for about so long what is not known yet, and at least one layer; without a budget,
/// nothing.
pub fn of_plan(gpu: &Gpu, plan: &Plan, budget: Option<Duration>) -> Choice {
    let cache = match &gpu.autotune {
        Autotune::Fixed(variant) => return Choice { variants: vec![*variant; plan.steps.len()], is_complete: true },
        Autotune::Measured(cache) => cache,
    };
    let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    let mut measuring = Measuring {
        gpu,
        cache: &mut cache,
        right: Vec::new(),
        wrong: Vec::new(),
        end: Instant::now() + budget.unwrap_or_default(),
        is_new: budget.is_some(),
        is_complete: true,
    };
    // The slowest layers are measured first.
    let mut order: Vec<usize> = (0..plan.steps.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(plan.step_macs(&plan.steps[*at])));
    let mut variants = vec![None; plan.steps.len()];
    for at in order {
        variants[at] = measuring.variant(plan, &plan.steps[at]);
    }
    let is_complete = measuring.is_complete;
    cache.save();
    Choice { variants, is_complete }
}

/// The measurements of one network.
struct Measuring<'a> {
    gpu: &'a Gpu,
    cache: &'a mut Cache,
    /// Variants that agreed with the plain kernel, and those that did not.
    right: Vec<Variant>,
    wrong: Vec<Variant>,
    end: Instant,
    /// The first layer is measured however long it takes, so that every start makes progress.
    is_new: bool,
    is_complete: bool,
}

impl Measuring<'_> {
    fn variant(&mut self, plan: &Plan, step: &Step) -> Option<Variant> {
        let layer = Layer::of(plan, &step.op)?;
        let plain = layer.plain(plan);
        let all = variant::on(&self.gpu.device, self.gpu.precision).into_iter();
        let suits = |v: &Variant| layer.takes(&self.gpu.device, plan, *v) && !self.cache.leaves_out(v.kernel);
        let mut all: Vec<Variant> = all.filter(suits).filter(|v| !self.wrong.contains(v)).collect();
        // The fastest expected first; if there are cooperative matrices, nothing else is considered.
        let rank = |kernel| [Kernel::Matrix, Kernel::Half, Kernel::Plain].iter().position(|k| *k == kernel);
        all.sort_by_key(|v| rank(v.kernel));
        if all.iter().any(|v| v.kernel == Kernel::Matrix) {
            all.retain(|v| v.kernel == Kernel::Matrix);
        }
        if !all.contains(&plain) {
            all.push(plain);
        }
        let shape = layer.shape(plan, self.gpu.precision);
        if let Some(known) = self.cache.get(&shape).filter(|known| all.contains(known)) {
            if !self.right.contains(&known) {
                self.right.push(known);
            }
            return Some(known);
        }
        if self.is_late() {
            self.is_complete = false;
            return all.into_iter().find(|v| self.right.contains(v));
        }
        let measured = self
            .most_pixels(plan, &step.op, plain)
            .and_then(|most| self.measured(&all, Arc::new(alone(plan, &step.op, most)), plain));
        match measured {
            Ok(Some(fastest)) => {
                self.is_new = false;
                self.cache.set(shape, fastest);
                Some(fastest)
            }
            Ok(None) => {
                self.is_complete = false;
                all.into_iter().find(|v| self.right.contains(v))
            }
            Err(error) => {
                tracing::warn!("{}: {error}; its kernel is not measured", step.name);
                None
            }
        }
    }

    /// Pixels of a map that the plain kernel computes in one short submission, after which a window on the same device
    /// gets its turn. Without a window, all pixels.
    fn most_pixels(&self, plan: &Plan, op: &Op, plain: Variant) -> Result<usize, EngineError> {
        if !self.gpu.device.is_shared() {
            return Ok(MOST_PIXELS);
        }
        let few = Arc::new(alone(plan, op, FEWEST_PIXELS));
        let secs = with_inputs(&few, |inputs| {
            let mut trial = self.trial(&few, plain, inputs)?;
            trial.repeat(inputs, 1)
        })?;
        Ok(((FEWEST_PIXELS as f64 * LASTS.as_secs_f64() / secs) as usize).clamp(FEWEST_PIXELS, MOST_PIXELS))
    }

    fn is_late(&self) -> bool {
        !self.is_new && Instant::now() >= self.end
    }

    /// The fastest variant, if there is time to try all.
    fn measured(&mut self, all: &[Variant], plan: Arc<Plan>, plain: Variant) -> Result<Option<Variant>, EngineError> {
        with_inputs(&plan, |inputs| self.measured_on(all, &plan, plain, inputs))
    }

    fn measured_on(
        &mut self,
        all: &[Variant],
        plan: &Arc<Plan>,
        plain: Variant,
        inputs: &Inputs,
    ) -> Result<Option<Variant>, EngineError> {
        let mut trial = self.trial(plan, plain, inputs)?;
        let expected = trial.tap(OUT).unwrap_or_default();
        let mut fastest = (secs(&mut trial, inputs, f64::MAX)?, plain);
        // One of each kind, then all of the fastest kind.
        let mut tried = vec![plain];
        for &variant in all {
            if !tried.iter().any(|known| known.is_kin(variant)) {
                tried.push(variant);
                if !self.compare(plan, variant, inputs, &expected, &mut fastest)? {
                    return Ok(None);
                }
            }
        }
        let (_, first) = fastest;
        for &variant in all {
            let is_next = variant.is_kin(first) && !tried.contains(&variant);
            if is_next && !self.compare(plan, variant, inputs, &expected, &mut fastest)? {
                return Ok(None);
            }
        }
        Ok(Some(fastest.1))
    }

    /// Replaces the fastest variant if this one is faster. False if there is no time to try it.
    fn compare(
        &mut self,
        plan: &Arc<Plan>,
        variant: Variant,
        inputs: &Inputs,
        expected: &Image,
        fastest: &mut (f64, Variant),
    ) -> Result<bool, EngineError> {
        if self.is_late() {
            return Ok(false);
        }
        match self.checked(plan, variant, inputs, expected) {
            Ok(mut trial) => {
                let secs = secs(&mut trial, inputs, fastest.0)?;
                tracing::debug!("{}: {variant} takes {:.3} ms", plan.name, secs * 1e3);
                if secs < fastest.0 {
                    *fastest = (secs, variant);
                }
            }
            Err(why) => {
                tracing::warn!("{}: {variant} is not used: {why}", self.gpu.adapter().name);
                self.wrong.push(variant);
                self.right.retain(|v| *v != variant);
            }
        }
        Ok(true)
    }

    /// Runs a layer with a variant, and checks that it gives the expected numbers.
    fn checked(
        &mut self,
        plan: &Arc<Plan>,
        variant: Variant,
        inputs: &Inputs,
        expected: &Image,
    ) -> Result<GpuProgram, String> {
        // Experimental in the driver: it may crash more than a measurement.
        if variant.kernel == Kernel::Matrix && !self.right.contains(&variant) {
            self.cache.trying(variant);
        }
        let trial = self.trial(plan, variant, inputs).map_err(|error| error.to_string())?;
        let found = trial.tap(OUT).ok_or("its result cannot be read")?;
        agrees(&found.data, &expected.data, self.gpu.precision)?;
        self.cache.save();
        if !self.right.contains(&variant) {
            self.right.push(variant);
        }
        Ok(trial)
    }

    fn trial(&self, plan: &Arc<Plan>, variant: Variant, inputs: &Inputs) -> Result<GpuProgram, EngineError> {
        let Gpu { device, precision, .. } = self.gpu;
        let autotune = Autotune::Fixed(Some(variant));
        let gpu = Gpu { device: device.clone(), precision: *precision, apart: true, autotune, plays_at_once: false };
        let mut trial = gpu.program(plan.clone())?;
        trial.draw(inputs, &mut Image::default())?;
        Ok(trial)
    }
}

/// Checks that these are the same numbers, within the precision.
fn agrees(found: &[f32], expected: &[f32], precision: Precision) -> Result<(), String> {
    let bound = match precision {
        Precision::F32 => 1e-4,
        Precision::F16 => 1e-2,
    };
    let magnitude = expected.iter().fold(0.0f32, |a, x| a.max(x.abs()));
    // NaN is never near.
    let is_near = |(a, b): (&f32, &f32)| (a - b).abs() <= bound * magnitude;
    match found.iter().zip(expected).position(|pair| !is_near(pair)) {
        _ if found.len() != expected.len() => Err(format!("{} numbers instead of {}", found.len(), expected.len())),
        Some(at) => Err(format!("it gives {} instead of {}", found[at], expected[at])),
        None => Ok(()),
    }
}

/// Seconds per run; stops measuring once it is clearly slower than `best`.
fn secs(trial: &mut GpuProgram, inputs: &Inputs, best: f64) -> Result<f64, EngineError> {
    let once = trial.repeat(inputs, 1)?.max(1e-6);
    if once > SLOWER * best + SUBMISSION.as_secs_f64() {
        return Ok(once);
    }
    let count = (LASTS.as_secs_f64() / once).clamp(1.0, 256.0) as u32;
    let mut fastest = f64::MAX;
    for _ in 0..TRIES {
        fastest = fastest.min(trial.repeat(inputs, count)? / f64::from(count));
        if fastest > SLOWER * best {
            break;
        }
    }
    Ok(fastest)
}

/// The matrix product of a layer, with everything that its speed depends on.
struct Layer {
    input: BufferId,
    outputs: usize,
    kernel: usize,
    /// By how many pixels the result of each parity exceeds the input.
    grows: usize,
    up: bool,
    /// For style networks, with reflection padding: the number of repeats of each sample before it, and the stride.
    reflected: Option<[usize; 2]>,
}

impl Layer {
    /// `None` for an operation without a choice.
    fn of(plan: &Plan, op: &Op) -> Option<Layer> {
        match op {
            Op::Synthesis(op) => {
                let outputs = op.bias.len();
                Some(Layer {
                    input: op.input,
                    outputs,
                    kernel: op.kernel,
                    grows: usize::from(op.up),
                    up: op.up,
                    reflected: None,
                })
            }
            // Three or four channels are a picture, which has a separate kernel.
            Op::Filtered(op) if op.bias.len() > 4 => {
                let outputs = op.bias.len();
                Some(Layer {
                    input: op.input,
                    outputs,
                    kernel: op.kernel,
                    grows: op.kernel - 1,
                    up: false,
                    reflected: None,
                })
            }
            Op::NormConv(op) => {
                let outputs = op.weight.len() / (op.kernel * op.kernel * plan.get(op.input).channels);
                let reflected = Some([op.up, op.stride]);
                Some(Layer { input: op.input, outputs, kernel: op.kernel, grows: 0, up: false, reflected })
            }
            Op::Convolution(op) => {
                let (outputs, reflected) = (op.bias.len(), Some([1, 1]));
                Some(Layer { input: op.input, outputs, kernel: op.kernel, grows: 0, up: false, reflected })
            }
            _ => None,
        }
    }

    /// Rows and columns of the result, for each parity.
    fn grid(&self, plan: &Plan) -> [usize; 2] {
        let input = plan.get(self.input);
        let [up, stride] = self.reflected.unwrap_or([1, 1]);
        [input.height, input.width].map(|side| (side * up).div_ceil(stride) + self.grows)
    }

    fn pixels(&self, plan: &Plan) -> usize {
        self.grid(plan).into_iter().product()
    }

    /// Whether it can be computed by Winograd.
    fn is_same(&self) -> bool {
        self.kernel == 3 && !self.up && self.reflected.is_none_or(|[_, stride]| stride == 1)
    }

    /// Whether this kernel can compute it directly.
    fn has(&self, kernel: Kernel) -> bool {
        self.reflected.is_none() || kernel != Kernel::Matrix
    }

    /// The variant that is correct on every card.
    fn plain(&self, plan: &Plan) -> Variant {
        match self.reflected {
            Some(_) => Variant::painting(self.outputs),
            None => Variant::plain(self.outputs, self.pixels(plan)),
        }
    }

    /// Whether the variant can compute it with enough work for its workgroups.
    fn takes(&self, device: &Device, plan: &Plan, variant: Variant) -> bool {
        let tiles = || winograd::tiles(variant.form, plan.get(self.input).channels.max(self.outputs), self.grid(plan));
        let (grid, width, taps, up) = (self.grid(plan), plan.get(self.input).width, self.kernel * self.kernel, self.up);
        let direct = Outline { grid, width, taps, up };
        let allows =
            |outline: Outline| variant.kernel != Kernel::Matrix || tiling::on(device, variant, &outline).is_some();
        match variant.form {
            Form::Direct => {
                self.has(variant.kernel) && variant.suits(self.outputs, self.pixels(plan)) && allows(direct)
            }
            Form::F2 | Form::F4 => {
                let of_tiles = |tiles| Outline { grid: [1, tiles], width: tiles, taps: 1, up };
                let fits = |tiles| variant.suits(self.outputs, tiles) && allows(of_tiles(tiles));
                self.is_same() && tiles().is_some_and(fits)
            }
        }
    }

    fn shape(&self, plan: &Plan, precision: Precision) -> String {
        let Layer { outputs, kernel, grows, up, .. } = *self;
        let how = match self.reflected {
            Some([repeats, stride]) => format!(" reflected x{repeats}/{stride}"),
            None => (if up { " up" } else { "" }).to_owned(),
        };
        let input = plan.get(self.input);
        let (channels, height, width) = (input.channels, input.height, input.width);
        format!("{precision:?} {channels}>{outputs} {height}x{width} k{kernel}+{grows}{how}")
    }
}

/// A plan with just this step on random input, with at most `most` pixels (StyleGAN3 layers: all of them).
fn alone(plan: &Plan, op: &Op, most: usize) -> Plan {
    let mut alone = Plan { name: plan.get(op.out()).name.clone(), num_ws: 1, w_dim: plan.w_dim, ..Plan::default() };
    let out = plan.get(op.out());
    let mut add_input = |id: BufferId, most: usize| {
        let input = plan.get(id);
        let (channels, width) = (input.channels, input.width);
        let height = input.height.min((most / width).max(1));
        let from = alone.buffer("in", channels, height, width);
        alone
            .push("in", Op::Constant(Constant { out: from, value: Weights::new(noise(channels * height * width, 0)) }));
        (from, height, width)
    };
    let op = match op {
        Op::Synthesis(layer) => {
            let (input, height, width) = add_input(layer.input, most);
            let factor = if layer.up { 2 } else { 1 };
            let out = alone.buffer(OUT, out.channels, factor * height, factor * width);
            let mut layer = SynthesisLayer { input, out, ..layer.clone() };
            layer.style.ws_index = 0;
            if let Some(noise) = &mut layer.noise {
                noise.constant = Weights::new(Vec::new());
            }
            Op::Synthesis(layer)
        }
        Op::Filtered(layer) => {
            let (input, ..) = add_input(layer.input, usize::MAX);
            let out = alone.buffer(OUT, out.channels, out.height, out.width);
            let mut layer = FilteredLayer { input, out, ..layer.clone() };
            layer.style.ws_index = 0;
            Op::Filtered(layer)
        }
        Op::NormConv(layer) => {
            let (input, height, width) = add_input(layer.input, most);
            let [height, width] = [height, width].map(|side| (side * layer.up).div_ceil(layer.stride));
            let out = alone.buffer(OUT, out.channels, height, width);
            alone.styles = plan.styles;
            Op::NormConv(NormConv { input, out, residual: None, ..layer.clone() })
        }
        Op::Convolution(layer) => {
            let (input, height, width) = add_input(layer.input, most);
            let out = alone.buffer(OUT, out.channels, height, width);
            Op::Convolution(Convolution { input, out, ..layer.clone() })
        }
        other => other.clone(),
    };
    alone.push("layer", op);
    // A plan has a picture. The layer's result must not be it, as pictures are stored with a different precision.
    let picture = alone.buffer("picture", 3, 1, 1);
    alone.push("picture", Op::Constant(Constant { out: picture, value: Weights::new(vec![0.0; 3]) }));
    alone.output = Some(picture);
    alone
}

/// Calls `work` with inputs for a layer in isolation.
fn with_inputs<T>(plan: &Plan, work: impl FnOnce(&Inputs) -> T) -> T {
    let (ws, styles) = (noise(plan.num_ws * plan.w_dim, 1), vec![1.0; plan.styles]);
    let noise = Noise { mode: NoiseMode::None, gain: 1.0 };
    work(&Inputs { ws: &ws, styles: &styles, noise, ..Inputs::default() })
}

/// Numbers in −1..1 (xorshift, Marsaglia 2003).
fn noise(count: usize, seed: u32) -> Vec<f32> {
    let mut x = 0x9e37_79b9 ^ seed;
    let mut next = || {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        (x >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn different_numbers_are_rejected() {
        let agrees = |found: &[f32], precision| agrees(found, &[1.0, -2.0], precision);
        for right in [[1.0, -2.0], [1.019, -2.0], [1.0, -1.99]] {
            assert_eq!(agrees(&right, Precision::F16), Ok(()), "{right:?}");
        }
        for wrong in [[1.021, -2.0], [1.0, 2.0], [f32::NAN, -2.0], [1.0, f32::INFINITY]] {
            assert!(agrees(&wrong, Precision::F16).is_err(), "{wrong:?}");
        }
        assert!(agrees(&[1.019, -2.0], Precision::F32).is_err());
        assert!(agrees(&[1.0], Precision::F16).is_err());
    }

    #[test]
    fn an_isolated_layer_is_a_plan_no_larger_than_needed() {
        let plan = crate::network::stylegan2::random(512, 1024, 8, 16, 0).plan;
        for step in &plan.steps {
            let Some(layer) = Layer::of(&plan, &step.op) else { continue };
            let alone = alone(&plan, &step.op, MOST_PIXELS);
            assert_eq!(alone.check(), Ok(()), "{}", step.name);
            let (input, whole) = (alone.get(BufferId(0)), plan.get(layer.input));
            assert!(input.height * input.width <= MOST_PIXELS && input.width == whole.width);
        }
    }
}
