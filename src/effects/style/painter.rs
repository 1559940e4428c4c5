//! The frames of the style loop, one after another, on whatever easel they are painted.

use std::sync::Arc;

use super::StyleSettings;
use crate::effects::easel::{Easel, Layers};
use crate::engine::gpu::Device;
use crate::engine::{Engine, EngineError, Inputs, Program};
use crate::network::style_transfer::StyleNetwork;

/// Programs kept for sizes that were used before.
const PROGRAMS: usize = 3;
/// Largest share of the last painting when no network paints: a little of the picture always enters.
const MOST_PLAIN_FEEDBACK: f32 = 0.98;

/// What paints, and how far it is.
pub struct Painter {
    engine: Arc<dyn Engine>,
    pub network: Arc<StyleNetwork>,
    /// The last used comes last.
    programs: Vec<Prepared>,
    mixture: Vec<f32>,
    /// Frames since the last painting; `None` when there is no painting yet.
    since: Option<u32>,
    /// Seconds since the last painting.
    elapsed: f32,
}

/// The pictures of the loop.
#[derive(Debug, Default)]
pub struct Sheets<S> {
    /// The picture at the working size.
    content: S,
    /// What the network paints over.
    canvas: S,
    /// The newest painting; fed back into the next.
    pub(super) painting: S,
    /// The painting before, faded from when not every frame is painted.
    pub(super) before: S,
    spare: S,
}

struct Prepared {
    height: usize,
    width: usize,
    program: Box<dyn Program>,
}

impl Painter {
    pub fn new(engine: Arc<dyn Engine>, network: Arc<StyleNetwork>) -> Painter {
        let mixture = vec![0.0; network.styles.len()];
        Painter { engine, mixture, network, programs: Vec::new(), since: None, elapsed: 0.0 }
    }

    /// As [`Program::take_notice`].
    pub fn take_notice(&mut self) -> Option<String> {
        self.programs.iter_mut().find_map(|prepared| prepared.program.take_notice())
    }

    pub fn set_network(&mut self, network: Arc<StyleNetwork>) {
        self.mixture = vec![0.0; network.styles.len()];
        self.network = network;
        self.programs.clear();
    }

    pub fn has_painted(&self) -> bool {
        self.since.is_some()
    }

    pub fn restart(&mut self) {
        self.since = None;
        self.elapsed = 0.0;
    }

    /// The painting and the one before are there already: the next frame paints over them.
    pub fn resume(&mut self) {
        self.since = Some(u32::MAX - 1);
        self.elapsed = 0.0;
    }

    /// Do all programs run on that card?
    pub fn is_on(&self, device: &Arc<Device>) -> bool {
        self.programs.iter().all(|prepared| prepared.program.device().is_some_and(|own| Arc::ptr_eq(own, device)))
    }

    /// As [`StyleLoop::play`](super::StyleLoop::play).
    pub fn frame<E: Easel>(
        &mut self,
        easel: &mut E,
        sheets: &mut Sheets<E::Sheet>,
        image: &E::Sheet,
        settings: &StyleSettings,
        out: &mut E::Sheet,
    ) -> Result<(), EngineError> {
        let before = self.elapsed;
        let played = self.play(easel, sheets, image, settings, out);
        if played.is_err() {
            // The frame that follows stands in its place.
            self.elapsed = before;
        }
        played
    }

    fn play<E: Easel>(
        &mut self,
        easel: &mut E,
        sheets: &mut Sheets<E::Sheet>,
        image: &E::Sheet,
        settings: &StyleSettings,
        out: &mut E::Sheet,
    ) -> Result<(), EngineError> {
        let [channels, high, wide] = E::shape_of(image);
        if channels != 3 || high * wide == 0 {
            let found = format!("{channels} x {high} x {wide}");
            return Err(EngineError::Input { what: "a picture in colour", expected: "3 x H x W".into(), found });
        }
        let (height, width) = settings.working_size(high, wide);
        easel.resize(image, height, width, &mut sheets.content)?;
        easel.limit(&mut sheets.content)?;
        self.elapsed += settings.dt_secs;
        if settings.amount == 0.0 {
            self.restart();
            return easel.copy(&sheets.content, out);
        }
        let due = self.since.is_none_or(|since| since + 1 >= settings.every);
        if due {
            self.paint(easel, sheets, settings)?;
        } else {
            self.since = self.since.map(|since| since + 1);
        }
        self.show(easel, sheets, settings, out)
    }

    /// Makes the next painting.
    fn paint<E: Easel>(
        &mut self,
        easel: &mut E,
        sheets: &mut Sheets<E::Sheet>,
        settings: &StyleSettings,
    ) -> Result<(), EngineError> {
        let Sheets { content, canvas, painting, before, spare } = sheets;
        let shape @ [_, height, width] = E::shape_of(content);
        let is_first = self.since.is_none();
        let share = match settings.passes {
            _ if is_first => 0.0,
            0 => settings.feedback.min(MOST_PLAIN_FEEDBACK),
            _ => settings.feedback,
        };
        easel.copy(content, canvas)?;
        if share > 0.0 {
            if E::shape_of(painting) != shape {
                easel.resize(painting, height, width, spare)?;
                std::mem::swap(painting, spare);
            }
            easel.feed_back(canvas, painting, settings.motion(self.elapsed), share)?;
            easel.steady(canvas, share)?;
        }
        settings.mixture(&mut self.mixture);
        if settings.passes > 0 {
            self.program_for(height, width)?;
        }
        for _ in 0..settings.passes {
            let inputs = Inputs { styles: &self.mixture, ..Inputs::default() };
            if let Some(prepared) = self.programs.last_mut() {
                easel.run(&mut *prepared.program, &inputs, Some(canvas), spare)?;
            }
            std::mem::swap(canvas, spare);
        }
        if settings.passes > 0 {
            // Networks paint inside these limits; this is for numbers that are none.
            easel.limit(canvas)?;
        }
        easel.keep(canvas, content, settings.keep, settings.keep_what)?;
        if share > 0.0 && settings.passes > 0 {
            easel.stir(canvas, painting, share)?;
        }
        std::mem::swap(before, painting);
        std::mem::swap(painting, canvas);
        if is_first || E::shape_of(before) != shape {
            easel.copy(painting, before)?;
        }
        self.since = Some(0);
        self.elapsed = 0.0;
        Ok(())
    }

    /// Lays the painting over the picture. At full amount that is the painting itself to the last bit (here; a card rounds):
    /// a run that was stopped goes on from it.
    fn show<E: Easel>(
        &self,
        easel: &mut E,
        sheets: &Sheets<E::Sheet>,
        settings: &StyleSettings,
        out: &mut E::Sheet,
    ) -> Result<(), EngineError> {
        let Sheets { content, painting, before, .. } = sheets;
        let since = self.since.unwrap_or(0) as f32;
        let fade = ((since + 1.0) / settings.every.max(1) as f32).min(1.0);
        if E::shape_of(painting) != E::shape_of(content) {
            // The size changed between two paintings: the picture alone until the next.
            return easel.copy(content, out);
        }
        easel.lay_over(&Layers { picture: content, before, painting, fade, amount: settings.amount }, out)
    }

    /// Makes the program for this size the last of `programs`.
    pub fn program_for(&mut self, height: usize, width: usize) -> Result<(), EngineError> {
        if let Some(at) = self.programs.iter().position(|p| (p.height, p.width) == (height, width)) {
            self.programs[at..].rotate_left(1);
            return Ok(());
        }
        let plan = self.network.plan_for(height, width);
        let program = self.engine.prepare(Arc::new(plan))?;
        if self.programs.len() == PROGRAMS {
            self.programs.remove(0);
        }
        self.programs.push(Prepared { height, width, program });
        Ok(())
    }
}
