//! Tuning while playing: a network that the card does not know plays at once, with kernels that are known to be right. A thread
//! measures its layers meanwhile, a slice at a time, so that the show has the card in between. When all are measured, a program with
//! the fastest kernels takes over between two pictures.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, TryRecvError, bounded};

use super::program::GpuProgram;
use super::variant::Variant;
use super::{Gpu, autotune};
use crate::engine::memo::{Memo, MemoError};
use crate::engine::plan::Plan;
use crate::engine::surface::{Place, Surface};
use crate::engine::{EngineError, Inputs, Program};
use crate::image::Image;

/// How long is measured without a pause, unless a single layer takes longer, and how long the pause is.
const SLICE: Duration = Duration::from_millis(40);
const PAUSE: Duration = Duration::from_millis(40);

/// A program that may be replaced by a faster one while it plays.
pub struct TuningProgram {
    program: Box<GpuProgram>,
    /// Where the faster one comes from; `None` if there will be none.
    faster: Option<Receiver<Box<GpuProgram>>>,
    /// While it is there, the thread has something to do.
    _played: Arc<()>,
}

impl TuningProgram {
    /// One whose kernels are all measured.
    pub(super) fn tuned(program: GpuProgram) -> TuningProgram {
        TuningProgram { program: Box::new(program), faster: None, _played: Arc::default() }
    }

    /// Starts the thread. Without one it plays on as it is.
    pub(super) fn start(gpu: &Gpu, plan: Arc<Plan>, program: GpuProgram) -> TuningProgram {
        let Gpu { device, precision, apart, autotune, .. } = gpu;
        let (device, autotune) = (device.clone(), autotune.clone());
        let gpu = Gpu { device, precision: *precision, apart: *apart, autotune, plays_at_once: false };
        let played = Arc::new(());
        let (done, faster) = bounded(1);
        let watched = Arc::downgrade(&played);
        let started = std::thread::Builder::new().name("tuning".to_owned()).spawn(move || {
            tune(&gpu, &plan, &watched, &done);
        });
        let faster = match started {
            Ok(_) => Some(faster),
            Err(error) => {
                tracing::warn!("cannot start the thread tuning: {error}");
                None
            }
        };
        TuningProgram { program: Box::new(program), faster, _played: played }
    }

    /// Whether nothing faster will come.
    pub fn is_tuned(&self) -> bool {
        self.faster.is_none()
    }

    /// The variant of each step with a matrix product.
    pub fn variants(&self) -> &[(String, Variant)] {
        self.program.variants()
    }

    /// Lets the faster program take over, if it is ready. Never waits for it.
    fn take_over(&mut self) {
        let Some(faster) = &self.faster else { return };
        match faster.try_recv() {
            Err(TryRecvError::Empty) => return,
            Err(TryRecvError::Disconnected) => {}
            Ok(mut program) => match carry_over(&mut self.program, &mut program) {
                Ok(()) => self.program = program,
                Err(error) => tracing::warn!("{error}; the kernels stay as they are"),
            },
        }
        self.faster = None;
    }
}

/// Gives what bends remember to another program.
fn carry_over(from: &mut GpuProgram, to: &mut GpuProgram) -> Result<(), MemoError> {
    let mut memo = Memo::new();
    from.memo(&mut memo)?;
    to.memo(&mut Memo::of(memo.into_bytes()))
}

/// Measures while somebody plays, and sends the faster program.
fn tune(gpu: &Gpu, plan: &Arc<Plan>, played: &Weak<()>, done: &Sender<Box<GpuProgram>>) {
    let started = Instant::now();
    while played.strong_count() > 0 && gpu.device.fault().is_none() {
        if !autotune::of_plan(gpu, plan, Some(SLICE)).is_complete {
            std::thread::sleep(PAUSE);
            continue;
        }
        match gpu.program(plan.clone()) {
            Ok(program) => {
                tracing::info!("{}: its kernels were measured in {:.1} s", plan.name, started.elapsed().as_secs_f64());
                gpu.device.pipelines.save();
                // Nobody plays it any more, perhaps.
                let _ = done.send(Box::new(program));
            }
            Err(error) => tracing::warn!("{}: {error}; its kernels stay as they are", plan.name),
        }
        return;
    }
}

impl Program for TuningProgram {
    fn run(&mut self, inputs: &Inputs, out: &mut Surface) -> Result<(), EngineError> {
        self.take_over();
        self.program.run(inputs, out)
    }

    fn place(&self) -> Option<Arc<dyn Place>> {
        self.program.place()
    }

    fn engine(&self) -> &'static str {
        self.program.engine()
    }

    fn take_notice(&mut self) -> Option<String> {
        self.program.take_notice()
    }

    fn memo(&mut self, memo: &mut Memo) -> Result<(), MemoError> {
        self.program.memo(memo)
    }

    fn tap(&self, buffer: &str) -> Option<Image> {
        self.program.tap(buffer)
    }
}
