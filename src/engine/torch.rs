//! The torch engine: plans by libtorch, on the processor, on NVIDIA's cards (CUDA) or on Apple's (MPS).
//!
//! Every step of a plan becomes a [`Stage`] with its weights on the device; a map is a tensor `[1, C, H, W]`. The arithmetic is
//! that of the cpu engine, in libtorch's words: weights are modulated where that is less work than scaling the map, gains and
//! demodulation are folded into what is small. Maps are forgotten as soon as nothing reads them, so libtorch's allocator hands
//! out the same memory for every picture. [`Torch::prepare`] draws one picture to warm up. Only this module imports tch.
//! Runs on whichever thread calls it.

mod conv;
mod filtered;
mod gated;
mod layers;
mod module;
mod painting;
mod stage;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tch::{Cuda, Device, Kind, TchError, Tensor};

use super::plan::{Buffer, Op, Plan, Script};
use super::surface::Surface;
use super::{Engine, EngineError, Inputs, NoiseMode, Program, cpu};
use crate::image::Image;
use stage::{Form, Frame, Hiss, Stage};

/// Where libtorch was when the program was built, with its version.
pub const LIBTORCH: &str = env!("LATENT_JOCKEY_LIBTORCH");

/// What libtorch can say about itself and this machine, in one line.
pub fn report() -> String {
    let mut devices = vec![format!("cpu ({} threads, f32)", tch::get_num_threads())];
    match Cuda::is_available() {
        true => devices.extend((0..Cuda::device_count()).map(|n| format!("cuda:{n} (f16, f32)"))),
        false if tch::utils::has_cuda() => devices.push("no cuda (no card, or its driver is too old)".to_owned()),
        false => {}
    }
    if tch::utils::has_mps() {
        devices.push("mps (f16, f32)".to_owned());
    }
    format!("libtorch {LIBTORCH}; {}", devices.join(", "))
}

/// The device that a word such as `cuda:1` names; without one, the best that there is.
fn device_of(word: Option<&str>) -> Result<Device, EngineError> {
    let word = match word {
        Some(word) => word,
        None if Cuda::is_available() => "cuda",
        None if tch::utils::has_mps() => "mps",
        None => "cpu",
    };
    let missing = |found: String| Err(unavailable(format!("--device {word}: {found}")));
    match word.split_once(':').unwrap_or((word, "0")) {
        ("cpu", _) => Ok(Device::Cpu),
        ("mps", _) if tch::utils::has_mps() => Ok(Device::Mps),
        ("mps", _) => missing("this libtorch has no MPS".to_owned()),
        ("cuda", _) if !Cuda::is_available() => missing("libtorch finds no CUDA device".to_owned()),
        ("cuda", number) => match number.parse::<usize>() {
            Ok(number) if (number as i64) < Cuda::device_count() => Ok(Device::Cuda(number)),
            _ => missing(format!("expected a number below {}", Cuda::device_count())),
        },
        _ => missing("expected cpu, cuda, cuda:N or mps".to_owned()),
    }
}

fn unavailable(reason: String) -> EngineError {
    EngineError::Unavailable { engine: "torch", reason }
}

fn failed(error: TchError) -> EngineError {
    unavailable(one_line(error))
}

/// libtorch's complaint on one line: the error itself, without the traces around it.
fn one_line(error: TchError) -> String {
    let text = match error {
        TchError::Torch(text) => text,
        other => other.to_string(),
    };
    let own = text.split("\nException raised from").next().unwrap_or_default();
    let mut lines = own.lines().map(str::trim).filter(|line| !line.is_empty());
    // A script's trace ends with what it raised.
    let line = if own.contains("Traceback") { lines.next_back() } else { lines.next() };
    line.unwrap_or("libtorch failed without a word").to_owned()
}

/// Runs plans with libtorch.
pub struct Torch {
    form: Form,
    keeps: bool,
    /// The TorchScript files that may be opened.
    scripts: Vec<PathBuf>,
}

impl Torch {
    /// An engine on the device that a word names (`cpu`, `cuda`, `cuda:1`, `mps`), or on the best that there is. With `half`,
    /// maps and weights have 16 bits; without a wish, they do on CUDA.
    ///
    /// # Errors
    /// When there is no such device, or 16 bits are asked of the processor, where they are slower.
    pub fn new(device: Option<&str>, half: Option<bool>) -> Result<Torch, EngineError> {
        let device = device_of(device)?;
        let half = half.unwrap_or(device.is_cuda());
        if half && device == Device::Cpu {
            return Err(unavailable("16 bits are slower than 32 on the processor; use --precision f32".to_owned()));
        }
        let kind = if half { Kind::Half } else { Kind::Float };
        // Tensor cores read 16-bit maps channels-last.
        Ok(Torch {
            form: Form { device, kind, channels_last: half && device.is_cuda() },
            keeps: false,
            scripts: Vec::new(),
        })
    }

    /// Keeps every map, so that [`Program::tap`] finds all of them.
    #[must_use]
    pub fn with_taps(self) -> Torch {
        Torch { keeps: true, ..self }
    }

    /// Lets these TorchScript files be opened, which runs the code in them: only what the player names belongs here.
    #[must_use]
    pub fn with_scripts(self, scripts: &[PathBuf]) -> Torch {
        Torch { scripts: scripts.iter().filter_map(|file| file.canonicalize().ok()).collect(), ..self }
    }

    /// With maps channels-last, or channel by channel: for tests and measurements.
    #[must_use]
    pub fn with_channels_last(mut self, channels_last: bool) -> Torch {
        self.form.channels_last = channels_last;
        self
    }

    /// As [`Engine::prepare`], returning the concrete type.
    ///
    /// # Errors
    /// When the plan is not consistent, or the device has too little memory.
    pub fn program(&self, plan: Arc<Plan>) -> Result<TorchProgram, EngineError> {
        plan.check().map_err(|error| unavailable(error.to_string()))?;
        let _guard = tch::no_grad_guard();
        let mut hisses = Vec::new();
        let stages = plan.steps.iter().map(|step| stage::of(&step.op, &plan, self.form, &mut hisses));
        let stages = stages.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let last_use = |buffer: usize| {
            let reads = |op: &Op| op.inputs().any(|id| id.0 == buffer);
            plan.steps.iter().rposition(|step| reads(&step.op) || step.op.out().0 == buffer)
        };
        let forgotten = (0..plan.steps.len()).map(|step| {
            let ends = |buffer: &usize| !self.keeps && last_use(*buffer) == Some(step);
            (0..plan.buffers.len()).filter(ends).filter(|b| plan.output.is_none_or(|id| id.0 != *b)).collect()
        });
        let (forgotten, maps) = (forgotten.collect(), plan.buffers.iter().map(|_| None).collect());
        let mut program = TorchProgram {
            form: self.form,
            stages,
            forgotten,
            maps,
            hisses,
            host: None,
            content: Image::default(),
            notice: None,
            has_told: false,
            plan,
        };
        program.warm_up()?;
        Ok(program)
    }
}

impl Torch {
    /// Refuses a TorchScript file that the player has not named.
    fn trusts(&self, file: &Path) -> Result<(), EngineError> {
        let is_named = file.canonicalize().is_ok_and(|file| self.scripts.contains(&file));
        let reason = "opening a TorchScript file runs the code in it, so only those named on the command line are opened \
                      (as the network, or with --script)";
        is_named.then_some(()).ok_or_else(|| unavailable(reason.to_owned()))
    }
}

impl Engine for Torch {
    fn name(&self) -> &'static str {
        "torch"
    }

    fn prepare(&self, plan: Arc<Plan>) -> Result<Box<dyn Program>, EngineError> {
        if let Some(file) = plan.steps.iter().find_map(|step| match &step.op {
            Op::Module(module) => Some(&module.script.file),
            _ => None,
        }) {
            self.trusts(file)?;
        }
        Ok(Box::new(self.program(plan)?))
    }

    fn script(&self, file: &Path) -> Result<Script, EngineError> {
        self.trusts(file)?;
        let _guard = tch::no_grad_guard();
        module::open(file, self.form).map_err(failed)
    }
}

/// A plan prepared for the torch engine.
pub struct TorchProgram {
    plan: Arc<Plan>,
    form: Form,
    stages: Vec<Box<dyn Stage>>,
    /// The maps that nothing reads after each step.
    forgotten: Vec<Vec<usize>>,
    /// `[1, C, H, W]` each, while it is needed.
    maps: Vec<Option<Tensor>>,
    hisses: Vec<Hiss>,
    /// Page-locked memory that a card's pictures are copied through.
    host: Option<Tensor>,
    /// The content picture, if it comes from another device.
    content: Image,
    notice: Option<String>,
    /// Whether it was said that nothing is bent.
    has_told: bool,
}

impl TorchProgram {
    /// Draws a picture of nothing, so that libtorch has chosen its kernels and its memory.
    fn warm_up(&mut self) -> Result<(), EngineError> {
        let picture = self.plan.steps.iter().find_map(|step| match &step.op {
            Op::Picture(op) => Some(self.plan.get(op.out)),
            _ => None,
        });
        let picture = picture.map(|b| Surface::from(Image::new(b.channels, b.height, b.width)));
        let (ws, mut styles) = (vec![0.1; self.plan.num_ws * self.plan.w_dim], vec![0.0; self.plan.styles]);
        // A script is measured in its first runs and compiled after that.
        let runs = if self.plan.has_module() { 3 } else { 1 };
        styles.iter_mut().take(1).for_each(|share| *share = 1.0);
        let inputs = Inputs { ws: &ws, styles: &styles, image: picture.as_ref(), ..Inputs::default() };
        for _ in 0..runs {
            self.compute(&inputs)?;
        }
        self.write(&mut Image::default())
    }

    /// Runs all steps.
    fn compute(&mut self, inputs: &Inputs) -> Result<(), EngineError> {
        let _guard = tch::no_grad_guard();
        self.take_in(inputs)?;
        let ws = self.ws(inputs).map_err(failed)?;
        self.steps(inputs, ws.as_ref()).map_err(failed)
    }

    /// Reads the content picture and rolls the noise.
    fn take_in(&mut self, inputs: &Inputs) -> Result<(), EngineError> {
        if let Some(surface) = inputs.image.filter(|surface| surface.image().is_none()) {
            surface.read(&mut self.content)?;
        }
        if let NoiseMode::Random { seed } | NoiseMode::Loop { seed, .. } = inputs.noise.mode {
            for (layer, hiss) in self.hisses.iter_mut().enumerate() {
                cpu::fill_noise(&mut hiss.random, seed, layer);
                if let (NoiseMode::Loop { turn, .. }, None) = (inputs.noise.mode, &hiss.constant) {
                    let [of_first, of_second] = NoiseMode::shares(turn);
                    let mut first = vec![0.0; hiss.random.len()];
                    cpu::fill_noise(&mut first, NoiseMode::other(seed), layer);
                    hiss.random.iter_mut().zip(first).for_each(|(x, first)| *x = of_first * first + of_second * *x);
                }
            }
        }
        Ok(())
    }

    /// `[num_ws, w_dim]`, on the device.
    fn ws(&self, inputs: &Inputs) -> Result<Option<Tensor>, TchError> {
        match inputs.ws {
            [] => Ok(None),
            ws => self.form.floats(ws, &[self.plan.num_ws as i64, self.plan.w_dim as i64]).map(Some),
        }
    }

    fn steps(&mut self, inputs: &Inputs, ws: Option<&Tensor>) -> Result<(), TchError> {
        let device = self.form.device;
        let mix = match inputs.styles {
            [] => None,
            styles => Some(Tensor::f_from_slice(styles)?.f_reshape([1, -1])?.f_to_device(device)?),
        };
        let content = inputs.image.map(|surface| surface.image().unwrap_or(&self.content));
        for (index, (stage, step)) in self.stages.iter_mut().zip(&self.plan.steps).enumerate() {
            let frame = Frame {
                maps: &self.maps,
                hisses: &self.hisses,
                ws,
                mix: mix.as_ref(),
                content,
                inputs,
                form: self.form,
            };
            let map = stage.run(&frame)?;
            self.maps[step.op.out().0] = Some(map);
            for &map in &self.forgotten[index] {
                self.maps[map] = None;
            }
        }
        Ok(())
    }

    /// Copies the picture into memory, in one piece; waits for the device.
    fn write(&mut self, out: &mut Image) -> Result<(), EngineError> {
        let Some(id) = self.plan.output else { return Ok(()) };
        let Buffer { channels, height, width, .. } = *self.plan.get(id);
        out.reshape(channels, height, width);
        let Some(map) = &self.maps[id.0] else { return Ok(()) };
        copy(map, self.form, &mut self.host, &mut out.data).map_err(failed)
    }
}

impl TorchProgram {
    /// The gradient by ws of a number whose gradient by the picture is `by`.
    fn backward(&self, picture: &Tensor, by: &Image, ws: &Tensor, gradient: &mut [f32]) -> Result<(), TchError> {
        // Scaled to 1, so that 16 bits keep it.
        let most = by.data.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        if most == 0.0 {
            gradient.fill(0.0);
            return Ok(());
        }
        let shape = [1, by.channels, by.height, by.width].map(|n| n as i64);
        let scaled: Vec<f32> = by.data.iter().map(|x| x / most).collect();
        let sum = picture.f_to_kind(Kind::Float)?.f_mul(&self.form.floats(&scaled, &shape)?)?.f_sum(Kind::Float)?;
        let gradients = Tensor::f_run_backward(&[sum], &[ws], false, false)?;
        let Some(found) = gradients.first() else { return Ok(()) };
        let found = found.f_mul_scalar(f64::from(most))?.f_to_device(Device::Cpu)?.f_contiguous()?;
        found.f_copy_data(gradient, gradient.len())
    }
}

/// Copies a map into `out`: from CUDA through page-locked memory, which the card writes at the full speed of its bus.
fn copy(map: &Tensor, form: Form, host: &mut Option<Tensor>, out: &mut [f32]) -> Result<(), TchError> {
    let map = map.f_to_kind(Kind::Float)?.f_contiguous()?;
    if !form.device.is_cuda() {
        return map.f_to_device(Device::Cpu)?.f_copy_data(out, out.len());
    }
    let size = map.size();
    if host.as_ref().is_none_or(|host| host.size() != size) {
        *host = Some(Tensor::f_empty(&size, (Kind::Float, Device::Cpu))?.f_pin_memory(form.device)?);
    }
    let Some(host) = host else { return Ok(()) };
    host.f_copy_(&map)?;
    host.f_copy_data(out, out.len())
}

impl Program for TorchProgram {
    fn run(&mut self, inputs: &Inputs, out: &mut Surface) -> Result<(), EngineError> {
        inputs.check(&self.plan)?;
        if inputs.bends.is_on() && !std::mem::replace(&mut self.has_told, true) {
            self.notice = Some("/bend does nothing: the torch engine bends nothing".to_owned());
        }
        self.compute(inputs)?;
        let Some(id) = self.plan.output else { return Ok(()) };
        let Buffer { channels, height, width, .. } = *self.plan.get(id);
        self.write(out.write([channels, height, width]))
    }

    fn pull_back(
        &mut self,
        inputs: &Inputs,
        by: &mut dyn FnMut(&Image) -> Image,
        gradient: &mut Vec<f32>,
    ) -> Result<bool, EngineError> {
        inputs.check(&self.plan)?;
        self.take_in(inputs)?;
        let Some(id) = self.plan.output else { return Ok(false) };
        let Some(ws) = self.ws(inputs).map_err(failed)? else { return Ok(false) };
        let ws = ws.set_requires_grad(true);
        self.steps(inputs, Some(&ws)).map_err(failed)?;
        let Some(picture) = self.maps[id.0].take() else { return Ok(false) };
        // What is kept for looking at no longer remembers how it was made.
        self.maps[id.0] = Some(picture.f_detach().map_err(failed)?);
        let mut image = Image::default();
        self.write(&mut image)?;
        gradient.resize(inputs.ws.len(), 0.0);
        self.backward(&picture, &by(&image), &ws, gradient).map_err(failed)?;
        Ok(true)
    }

    fn engine(&self) -> &'static str {
        match (self.form.device, self.form.kind) {
            (Device::Cuda(_), Kind::Half) => "torch cuda f16",
            (Device::Cuda(_), _) => "torch cuda f32",
            (Device::Mps, Kind::Half) => "torch mps f16",
            (Device::Mps, _) => "torch mps f32",
            _ => "torch cpu",
        }
    }

    fn take_notice(&mut self) -> Option<String> {
        self.notice.take()
    }

    fn tap(&self, buffer: &str) -> Option<Image> {
        let id = self.plan.find(buffer)?;
        let Buffer { channels, height, width, .. } = *self.plan.get(id);
        let mut image = Image::new(channels, height, width);
        copy(self.maps[id.0].as_ref()?, self.form, &mut None, &mut image.data).ok()?;
        Some(image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_named() {
        assert_eq!(device_of(Some("cpu")).expect("there always"), Device::Cpu);
        for (word, expected) in [("cuda:99", "--device cuda:99"), ("tpu", "expected cpu, cuda, cuda:N or mps")] {
            let error = device_of(Some(word)).expect_err("not there").to_string();
            assert!(error.contains(expected), "{error}");
        }
        let error = Torch::new(Some("cpu"), Some(true)).err().expect("refused").to_string();
        assert!(error.contains("--precision f32"), "{error}");
    }

    #[test]
    fn an_error_is_one_line() {
        let line = |text: &str| failed(TchError::Torch(text.to_owned())).to_string();
        assert_eq!(line("size mismatch\nException raised from f at x.cpp:1"), "the torch engine: size mismatch");
        let script = "The following operation failed in the TorchScript interpreter.\n\
            Traceback of TorchScript (most recent call last):\n  File \"a.py\", line 3, in forward\n    raise x\n\
            builtins.ValueError: too dark\nException raised from handleError";
        assert_eq!(line(script), "the torch engine: builtins.ValueError: too dark");
    }
}
