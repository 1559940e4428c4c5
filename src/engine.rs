//! Engines execute plans: ws in, picture out.
//!
//! `network` lowers a network to a [`plan::Plan`]; an [`Engine`] turns plans into [`Program`]s that run them, and knows
//! nothing of architectures, MIDI, presets or windows. All allocation, weight transformation and tuning happens in
//! [`Engine::prepare`], on the loader's thread; [`Program::run`] only computes.

pub mod bend;
pub mod canvas;
pub mod cpu;
pub mod fallback;
pub mod gpu;
pub mod memo;
pub mod pass;
pub mod plan;
pub mod score;
pub mod surface;
#[cfg(feature = "torch")]
pub mod torch;

use std::path::Path;
use std::sync::Arc;

use crate::image::Image;
use bend::Bends;
use memo::{Memo, MemoError};
use surface::{Place, Surface};

/// How per-layer noise is made (`noise_mode` of the original code).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum NoiseMode {
    /// The network's `noise_const`.
    #[default]
    Const,
    /// Standard normal numbers from a seed: the same seed gives the same picture.
    Random {
        seed: u64,
    },
    /// A way round: cos(2π·turn) times the network's `noise_const`, or another random noise where it has none, plus
    /// sin(2π·turn) times the random noise of this seed. It keeps its strength, and closes.
    Loop {
        seed: u64,
        /// 0 to 1.
        turn: f32,
    },
    None,
}

impl NoiseMode {
    /// The shares of the first and the second noise of a [`NoiseMode::Loop`].
    fn shares(turn: f32) -> [f32; 2] {
        let (sin, cos) = (f64::from(turn) * std::f64::consts::TAU).sin_cos();
        [cos as f32, sin as f32]
    }

    /// The seed of the first noise where the network has none.
    fn other(seed: u64) -> u64 {
        !seed
    }
}

/// Per-layer noise of one picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Noise {
    pub mode: NoiseMode,
    /// Multiplies every layer's `noise_strength`; 1 is the network as it was trained.
    pub gain: f32,
}

impl Default for Noise {
    fn default() -> Self {
        Noise { mode: NoiseMode::Const, gain: 1.0 }
    }
}

/// The inputs that a program computes a picture from. Plans read what they need.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inputs<'a> {
    /// `[num_ws, w_dim]`, one w per layer.
    pub ws: &'a [f32],
    pub noise: Noise,
    /// The player's transform of the content of a StyleGAN3 picture; other networks ignore it.
    pub transform: Transform,
    /// What is done to maps between layers.
    pub bends: Bends,
    /// The content picture of a style network, `[3, H, W]` in −1..1. It is quickest where the program computes.
    pub image: Option<&'a Surface>,
    /// The mix of styles of a style network, `[styles]`, summing to 1.
    pub styles: &'a [f32],
}

impl Inputs<'_> {
    /// Checks that these are the inputs that `plan` takes.
    ///
    /// # Errors
    /// [`EngineError::Input`] with the mismatch.
    fn check(&self, plan: &plan::Plan) -> Result<(), EngineError> {
        let input = |what, expected: String, found: String| Err(EngineError::Input { what, expected, found });
        if self.ws.len() != plan.num_ws * plan.w_dim {
            return input("ws", format!("{} x {} numbers", plan.num_ws, plan.w_dim), self.ws.len().to_string());
        }
        if self.styles.len() != plan.styles {
            return input("a mix of styles", format!("{} numbers", plan.styles), self.styles.len().to_string());
        }
        for step in &plan.steps {
            let plan::Op::Picture(op) = &step.op else { continue };
            let plan::Buffer { channels, height, width, .. } = *plan.get(op.out);
            let expected = format!("{channels} x {height} x {width}");
            match self.image.map(|image| (image.shape(), image.len())) {
                None => return input("a content picture", expected, "none".into()),
                Some((shape, numbers))
                    if shape != [channels, height, width] || numbers != channels * height * width =>
                {
                    let [channels, height, width] = shape;
                    let found = format!("{channels} x {height} x {width}, {numbers} numbers");
                    return input("a content picture", expected, found);
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// Translates, rotates and scales the content of a StyleGAN3 picture inside the network.
///
/// Stores the inverse of the visible transform, as the network's input expects it: `[[a, b, x], [c, d, y]]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transform {
    pub inverse: [[f64; 3]; 2],
}

impl Default for Transform {
    fn default() -> Self {
        Transform { inverse: [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]] }
    }
}

impl Transform {
    /// This transform after `inner`: the product of the two matrices.
    pub fn of(self, inner: Transform) -> Transform {
        let ([p, q], [[a, b, x], [c, d, y]]) = (self.inverse, inner.inverse);
        let row = |[m, n, t]: [f64; 3]| [m * a + n * c, m * b + n * d, m * x + n * y + t];
        Transform { inverse: [row(p), row(q)] }
    }

    /// Scales by `scale` (0 counts as 0.001), rotates by `turns` full turns, then translates by (x, y) pictures.
    /// Source: `make_transform` of stylegan3's `gen_images.py`, with scale added.
    pub fn new(x: f64, y: f64, turns: f64, scale: f64) -> Self {
        let scale = if scale.abs() < 1e-3 { 1e-3 } else { scale };
        let (sin, cos) = (turns * std::f64::consts::TAU).sin_cos();
        // The inverse of [[cos, sin], [−sin, cos]]·scale, and of the translation after it.
        let (a, b) = (cos / scale, -sin / scale);
        Transform { inverse: [[a, b, -(a * x + b * y)], [-b, a, -(a * y - b * x)]] }
    }
}

/// Why an engine could not prepare or run a plan.
#[derive(Clone, Debug, thiserror::Error)]
pub enum EngineError {
    #[error("the plan needs {what}: expected {expected}, got {found}")]
    Input { what: &'static str, expected: String, found: String },
    #[error("the {engine} engine: {reason}")]
    Unavailable { engine: &'static str, reason: String },
}

/// A way to run plans on some hardware.
pub trait Engine: Send + Sync {
    /// `cpu`, `gpu` or `torch`, as on the command line.
    fn name(&self) -> &'static str;
    /// Builds everything that running `plan` needs. Slow; runs on the loader's thread.
    ///
    /// # Errors
    /// When this hardware cannot run the plan.
    fn prepare(&self, plan: Arc<plan::Plan>) -> Result<Box<dyn Program>, EngineError>;

    /// Finds out what a TorchScript module takes and gives, by running it a few times. That runs whatever code is in the file:
    /// an engine opens only those that the player has named.
    ///
    /// # Errors
    /// When this engine plays no TorchScript, the file is not among those, or the module is neither a generator nor an effect.
    fn script(&self, file: &Path) -> Result<plan::Script, EngineError> {
        let _ = file;
        let reason = "a TorchScript file plays only with --engine torch".to_owned();
        Err(EngineError::Unavailable { engine: self.name(), reason })
    }
}

/// A prepared plan. Allocates nothing after its first run.
pub trait Program: Send {
    /// Computes one picture, and leaves it where it computes; in memory if `out` prefers that.
    ///
    /// # Errors
    /// [`EngineError::Input`] when the inputs do not fit the plan; `out` is then untouched.
    fn run(&mut self, inputs: &Inputs, out: &mut Surface) -> Result<(), EngineError>;

    /// As [`Program::run`], into memory.
    ///
    /// # Errors
    /// As [`Program::run`].
    fn draw(&mut self, inputs: &Inputs, out: &mut Image) -> Result<(), EngineError> {
        let mut surface = Surface::for_memory(std::mem::take(out));
        let ran = self.run(inputs, &mut surface).and_then(|()| surface.bring().map(drop));
        *out = surface.into_image();
        ran
    }

    /// As [`Program::draw`], with the gradient by the ws of a number that depends on the picture: `by` is shown the picture and
    /// returns the gradient by each number of it, `[channels, height, width]`. `gradient` becomes `[num_ws, w_dim]`. Returns false
    /// from a program that knows no gradients, and does nothing then. Slow, and allocates.
    ///
    /// # Errors
    /// As [`Program::run`].
    fn pull_back(
        &mut self,
        inputs: &Inputs,
        by: &mut dyn FnMut(&Image) -> Image,
        gradient: &mut Vec<f32>,
    ) -> Result<bool, EngineError> {
        let _ = (inputs, by, gradient);
        Ok(false)
    }

    /// The device on which it leaves its pictures; `None` in memory.
    fn place(&self) -> Option<Arc<dyn Place>> {
        None
    }

    /// What computes its pictures, as shown to the performer: `cpu`, `gpu f16`, `torch cuda f16`.
    fn engine(&self) -> &'static str;

    /// One line for the performer, returned once, if another engine had to take over.
    fn take_notice(&mut self) -> Option<String> {
        None
    }

    /// What bends remember of the pictures before, written down or given back.
    ///
    /// # Errors
    /// When a device is lost, and when it is given back to another program.
    fn memo(&mut self, memo: &mut Memo) -> Result<(), MemoError> {
        let _ = memo;
        Ok(())
    }

    /// What the last run left in a buffer of the plan, for tests and for inspecting a network. `None` if there is no such
    /// buffer, or if this program does not keep it. Slow, and allocates.
    fn tap(&self, buffer: &str) -> Option<Image> {
        let _ = buffer;
        None
    }
}
