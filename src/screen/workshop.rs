//! Compiles effects, and tries each one out before it plays. Slow: runs on the loader's thread.

use std::sync::{Arc, Mutex, PoisonError};

use super::chain::Screen;
use super::compiled::Compiled;
use super::shader::{MOST_TURNS, Shader};
use crate::engine::Engine;
use crate::engine::gpu::Device;

/// How many compiled effects are kept.
const MOST_KEPT: usize = 128;

/// Compiles effects for one device. The same text is compiled once.
pub struct Workshop {
    device: Arc<Device>,
    /// Runs TorchScript modules.
    engine: Option<Arc<dyn Engine>>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The oldest first.
    compiled: Vec<Arc<Compiled>>,
    /// Runs effects on a small picture.
    trial: Option<Screen>,
}

impl Workshop {
    pub fn new(device: Arc<Device>) -> Self {
        Workshop { device, engine: None, known: Mutex::default() }
    }

    /// With the engine that runs TorchScript modules.
    #[must_use]
    pub fn with_engine(self, engine: Arc<dyn Engine>) -> Workshop {
        Workshop { engine: Some(engine), ..self }
    }

    /// The effect, ready to run.
    ///
    /// # Errors
    /// One line, when the driver rejects it or it loops for ever.
    pub fn compile(&self, shader: &Arc<Shader>) -> Result<Arc<Compiled>, String> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known.compiled.iter().position(|compiled| {
            (compiled.shader.fingerprint, &compiled.shader.name) == (shader.fingerprint, &shader.name)
        });
        if let Some(at) = same {
            let compiled = known.compiled.remove(at);
            known.compiled.push(compiled.clone());
            return Ok(compiled);
        }
        let mut compiled = Compiled::new(&self.device, shader.clone()).map_err(|error| error.to_string())?;
        if let Some(engine) = &self.engine {
            compiled = compiled.painted_by(engine);
        }
        let compiled = Arc::new(compiled);
        let mut trial = match known.trial.take() {
            Some(trial) => trial,
            None => Screen::new(self.device.clone()).map_err(|error| error.to_string())?,
        };
        let runs_away = trial.runs_away(&compiled).map_err(|error| error.to_string());
        known.trial = Some(trial);
        if runs_away? {
            return Err(format!("a loop does not end within {MOST_TURNS} turns"));
        }
        if known.compiled.len() == MOST_KEPT {
            known.compiled.remove(0);
        }
        known.compiled.push(compiled.clone());
        Ok(compiled)
    }
}
