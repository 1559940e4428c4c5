//! Which variant each layer takes: measured once on the device, at load, and remembered.
//!
//! A layer is run alone, with its own weights and random input, by each variant. One that gives other numbers than the
//! plain kernel is refused; of the others the fastest is taken. Measuring a network takes about [`BUDGET`]: layers for which
//! no time is left take what was found right on the others, and are measured at the next start. On software adapters nothing
//! is measured, so that the same input gives the same picture. Runs on the thread that loads, never while playing.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::cache::{self, Cache};
use super::card::Card;
use super::program::GpuProgram;
use super::variant::{self, Kernel, Variant};
use super::{Gpu, Precision};
use crate::engine::plan::{BufferId, Constant, FilteredLayer, Op, Plan, Step, SynthesisLayer, Weights};
use crate::engine::{EngineError, Image, Inputs, Noise, NoiseMode, Program};

/// For one network.
const BUDGET: Duration = Duration::from_secs(2);
/// Each of [`TRIES`] measurements lasts about so long; the fastest counts.
const LASTS: Duration = Duration::from_millis(2);
const TRIES: usize = 3;
/// Pixels of a map that are computed: rows of a larger one are alike.
const MOST_PIXELS: usize = 1 << 17;
/// Name of the one map that is compared.
const OUT: &str = "out";

/// How an engine finds the variant of a layer.
#[derive(Clone)]
pub enum Choice {
    /// The same for all that it suits, or the plain kernel.
    Fixed(Option<Variant>),
    Measured(Arc<Mutex<Cache>>),
}

impl Choice {
    /// Measured on a real card, else fixed.
    pub fn on(card: &Card) -> Choice {
        if card.adapter.is_real() { Choice::measured(card, cache::default_file()) } else { Choice::Fixed(None) }
    }

    /// Measured, and remembered in `file`.
    pub fn measured(card: &Card, file: Option<PathBuf>) -> Choice {
        Choice::Measured(Arc::new(Mutex::new(Cache::open(file, &card.adapter.name, &card.driver))))
    }
}

/// The variant of each step of a checked plan; `None` for steps without choice.
pub fn of_plan(gpu: &Gpu, plan: &Plan) -> Vec<Option<Variant>> {
    let cache = match &gpu.choice {
        Choice::Fixed(variant) => return vec![*variant; plan.steps.len()],
        Choice::Measured(cache) => cache,
    };
    let mut cache = cache.lock().unwrap_or_else(PoisonError::into_inner);
    let end = Instant::now() + BUDGET;
    let mut session = Session { gpu, cache: &mut cache, right: Vec::new(), wrong: Vec::new(), end, is_new: true };
    // What takes longest is measured first.
    let mut order: Vec<usize> = (0..plan.steps.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(plan.step_macs(&plan.steps[*at])));
    let mut variants = vec![None; plan.steps.len()];
    for at in order {
        variants[at] = session.variant(plan, &plan.steps[at]);
    }
    cache.save();
    variants
}

/// The measurements of one network.
struct Session<'a> {
    gpu: &'a Gpu,
    cache: &'a mut Cache,
    /// Variants that gave the numbers of the plain kernel, and those that did not.
    right: Vec<Variant>,
    wrong: Vec<Variant>,
    end: Instant,
    /// The first layer is measured whatever it takes, so that every start comes further.
    is_new: bool,
}

impl Session<'_> {
    fn variant(&mut self, plan: &Plan, step: &Step) -> Option<Variant> {
        let layer = Layer::of(&step.op)?;
        let pixels = layer.pixels(plan);
        let all = variant::on(&self.gpu.card, self.gpu.precision).into_iter();
        let suits = |v: &Variant| v.suits(layer.outputs, pixels) && !self.cache.leaves_out(v.kernel);
        let mut all: Vec<Variant> = all.filter(suits).filter(|v| !self.wrong.contains(v)).collect();
        // What is expected to be faster comes first; beside cooperative matrices nothing else is in question.
        let rank = |kernel| [Kernel::Matrix, Kernel::Half, Kernel::Plain].iter().position(|k| *k == kernel);
        all.sort_by_key(|v| rank(v.kernel));
        if all.iter().any(|v| v.kernel == Kernel::Matrix) {
            all.retain(|v| v.kernel == Kernel::Matrix);
        }
        let shape = layer.shape(plan, self.gpu.precision);
        if let Some(known) = self.cache.get(&shape).filter(|known| all.contains(known)) {
            if !self.right.contains(&known) {
                self.right.push(known);
            }
            return Some(known);
        }
        if self.is_late() {
            return all.into_iter().find(|v| self.right.contains(v));
        }
        match self.measured(&all, Arc::new(alone(plan, &step.op)), Variant::plain(layer.outputs, pixels)) {
            Ok(Some(fastest)) => {
                self.is_new = false;
                self.cache.set(shape, fastest);
                Some(fastest)
            }
            Ok(None) => all.into_iter().find(|v| self.right.contains(v)),
            Err(error) => {
                tracing::warn!("{}: {error}; its kernel is not measured", step.name);
                None
            }
        }
    }

    fn is_late(&self) -> bool {
        !self.is_new && Instant::now() >= self.end
    }

    /// The fastest variant, when there is time for all.
    fn measured(&mut self, all: &[Variant], plan: Arc<Plan>, plain: Variant) -> Result<Option<Variant>, EngineError> {
        let ws = noise(plan.w_dim, 1);
        let inputs = Inputs { ws: &ws, noise: Noise { mode: NoiseMode::None, gain: 1.0 }, ..Inputs::default() };
        let mut trial = self.trial(&plan, plain, &inputs)?;
        let expected = trial.tap(OUT).unwrap_or_default();
        let mut fastest = (secs(&mut trial, &inputs)?, plain);
        for variant in all.iter().copied().filter(|v| *v != plain) {
            if self.is_late() {
                return Ok(None);
            }
            match self.checked(&plan, variant, &inputs, &expected) {
                Ok(mut trial) => {
                    let secs = secs(&mut trial, &inputs)?;
                    if secs < fastest.0 {
                        fastest = (secs, variant);
                    }
                }
                Err(why) => {
                    tracing::warn!("{} does without {variant}: {why}", self.gpu.adapter().name);
                    self.wrong.push(variant);
                    self.right.retain(|v| *v != variant);
                }
            }
        }
        Ok(Some(fastest.1))
    }

    /// A layer that has run, by a variant that gives the expected numbers.
    fn checked(
        &mut self,
        plan: &Arc<Plan>,
        variant: Variant,
        inputs: &Inputs,
        expected: &Image,
    ) -> Result<GpuProgram, String> {
        // Experimental in the driver: it may end more than a measurement.
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
        let Gpu { card, precision, .. } = self.gpu;
        let choice = Choice::Fixed(Some(variant));
        let gpu = Gpu { card: card.clone(), precision: *precision, apart: true, choice };
        let mut trial = gpu.program(plan.clone())?;
        trial.run(inputs, &mut Image::default())?;
        Ok(trial)
    }
}

/// Are these the same numbers, as far as the precision goes?
fn agrees(found: &[f32], expected: &[f32], precision: Precision) -> Result<(), String> {
    let bound = match precision {
        Precision::F32 => 1e-4,
        Precision::F16 => 1e-2,
    };
    let magnitude = expected.iter().fold(0.0f32, |a, x| a.max(x.abs()));
    // What is no number is not near either.
    let is_near = |(a, b): (&f32, &f32)| (a - b).abs() <= bound * magnitude;
    match found.iter().zip(expected).position(|pair| !is_near(pair)) {
        _ if found.len() != expected.len() => Err(format!("{} numbers instead of {}", found.len(), expected.len())),
        Some(at) => Err(format!("it makes {} of what is {}", found[at], expected[at])),
        None => Ok(()),
    }
}

/// Seconds of one run.
fn secs(trial: &mut GpuProgram, inputs: &Inputs) -> Result<f64, EngineError> {
    let once = trial.repeat(inputs, 1)?.max(1e-6);
    let count = (LASTS.as_secs_f64() / once).clamp(1.0, 256.0) as u32;
    let mut fastest = f64::MAX;
    for _ in 0..TRIES {
        fastest = fastest.min(trial.repeat(inputs, count)? / f64::from(count));
    }
    Ok(fastest)
}

/// The matrix product of a layer, and all that its speed depends on.
struct Layer {
    input: BufferId,
    outputs: usize,
    kernel: usize,
    /// By how many pixels the result of each parity is larger than the input.
    grows: usize,
    up: bool,
}

impl Layer {
    /// `None` for an operation without choice.
    fn of(op: &Op) -> Option<Layer> {
        match op {
            Op::Synthesis(op) => {
                let outputs = op.bias.len();
                Some(Layer { input: op.input, outputs, kernel: op.kernel, grows: usize::from(op.up), up: op.up })
            }
            // Three or four are a picture, which has a kernel of its own.
            Op::Filtered(op) if op.bias.len() > 4 => {
                let outputs = op.bias.len();
                Some(Layer { input: op.input, outputs, kernel: op.kernel, grows: op.kernel - 1, up: false })
            }
            _ => None,
        }
    }

    fn pixels(&self, plan: &Plan) -> usize {
        let input = plan.get(self.input);
        (input.height + self.grows) * (input.width + self.grows)
    }

    fn shape(&self, plan: &Plan, precision: Precision) -> String {
        let Layer { outputs, kernel, grows, up, .. } = *self;
        let (input, how) = (plan.get(self.input), if up { " up" } else { "" });
        let (channels, height, width) = (input.channels, input.height, input.width);
        format!("{precision:?} {channels}>{outputs} {height}x{width} k{kernel}+{grows}{how}")
    }
}

/// A plan of this step on random input.
fn alone(plan: &Plan, op: &Op) -> Plan {
    let mut alone = Plan { name: plan.name.clone(), num_ws: 1, w_dim: plan.w_dim, ..Plan::default() };
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
            let (input, height, width) = add_input(layer.input, MOST_PIXELS);
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
        other => other.clone(),
    };
    alone.push("layer", op);
    // A plan has a picture. The layer's result is none: it would be kept in other numbers.
    let picture = alone.buffer("picture", 3, 1, 1);
    alone.push("picture", Op::Constant(Constant { out: picture, value: Weights::new(vec![0.0; 3]) }));
    alone.output = Some(picture);
    alone
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
    fn other_numbers_are_refused() {
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
    fn a_layer_alone_is_a_plan_of_its_own_and_no_larger_than_needed() {
        let plan = crate::network::stylegan2::random(512, 1024, 8, 16, 0).plan;
        for step in &plan.steps {
            let Some(layer) = Layer::of(&step.op) else { continue };
            let alone = alone(&plan, &step.op);
            assert_eq!(alone.check(), Ok(()), "{}", step.name);
            let (input, whole) = (alone.get(BufferId(0)), plan.get(layer.input));
            assert!(input.height * input.width <= MOST_PIXELS && input.width == whole.width);
        }
    }
}
