//! The style loop: a style network paints over the picture, and over its own last painting.
//!
//! Each frame: the picture is resized to the working size, the last painting comes back a little moved and is mixed in,
//! the network paints over that some times, and what it made is shown over the picture. What keeps the loop alive is in
//! [`balance`]. Deterministic: frames in, frames out, no clock; nothing is allocated while the sizes stay.
//! Runs on the engine's thread; only the first frame of a new size prepares a program, which takes some milliseconds.

pub mod balance;
mod settings;

use std::sync::Arc;

pub use settings::{Keep, StyleSettings};

use crate::effects::resample::{Resizer, moved, shape};
use crate::engine::{Engine, EngineError, Image, Inputs, Program};
use crate::network::style_transfer::StyleNetwork;

/// Programs kept for sizes that were used before.
const PROGRAMS: usize = 3;
/// Largest share of the last painting when no network paints: a little of the picture always enters.
const MOST_PLAIN_FEEDBACK: f32 = 0.98;

/// A style network with the loop around it.
pub struct StyleLoop {
    engine: Arc<dyn Engine>,
    network: Arc<StyleNetwork>,
    /// The last used comes last.
    programs: Vec<Prepared>,
    resizer: Resizer,
    /// The picture at the working size.
    content: Image,
    /// What the network paints over.
    canvas: Image,
    /// The newest painting; fed back into the next.
    painting: Image,
    /// The painting before, faded from when not every frame is painted.
    before: Image,
    spare: Image,
    mixture: Vec<f32>,
    /// Frames since the last painting; `None` when there is no painting yet.
    since: Option<u32>,
    /// Seconds since the last painting.
    elapsed: f32,
}

struct Prepared {
    height: usize,
    width: usize,
    program: Box<dyn Program>,
}

impl StyleLoop {
    pub fn new(engine: Arc<dyn Engine>, network: Arc<StyleNetwork>) -> Self {
        StyleLoop {
            engine,
            mixture: vec![0.0; network.styles.len()],
            network,
            programs: Vec::new(),
            resizer: Resizer::default(),
            content: Image::default(),
            canvas: Image::default(),
            painting: Image::default(),
            before: Image::default(),
            spare: Image::default(),
            since: None,
            elapsed: 0.0,
        }
    }

    /// As [`Program::take_notice`].
    pub fn take_notice(&mut self) -> Option<String> {
        self.programs.iter_mut().find_map(|prepared| prepared.program.take_notice())
    }

    pub fn network(&self) -> &StyleNetwork {
        &self.network
    }

    /// Paints with another network from the next frame on; the painting so far goes on as its canvas.
    pub fn set_network(&mut self, network: Arc<StyleNetwork>) {
        self.mixture = vec![0.0; network.styles.len()];
        self.network = network;
        self.programs.clear();
    }

    /// How many styles the network has.
    pub fn styles(&self) -> usize {
        self.mixture.len()
    }

    /// Forgets the last painting: the next frame starts from its picture alone.
    pub fn restart(&mut self) {
        self.since = None;
        self.elapsed = 0.0;
    }

    /// Goes on from a painting that an earlier loop made.
    pub fn resume(&mut self, painting: &Image) {
        copy(painting, &mut self.painting);
        copy(painting, &mut self.before);
        self.since = Some(u32::MAX - 1);
        self.elapsed = 0.0;
    }

    /// Prepares the program for pictures of this size, so that the first frame need not.
    ///
    /// # Errors
    /// When the engine cannot run the network.
    pub fn prepare(&mut self, height: usize, width: usize, settings: &StyleSettings) -> Result<(), EngineError> {
        let (height, width) = settings.working_size(height, width);
        self.program_for(height, width)
    }

    /// One frame: `image` `[3, H, W]` in −1..1 becomes `out` `[3, size, size]` (the shorter side is `settings.size`).
    ///
    /// # Errors
    /// When the picture is not in colour or the engine fails; `out` is then undefined and the next frame may succeed.
    pub fn process(&mut self, image: &Image, settings: &StyleSettings, out: &mut Image) -> Result<(), EngineError> {
        if image.channels != 3 || image.data.len() != 3 * image.height * image.width || image.data.is_empty() {
            let found = format!("{} x {} x {}", image.channels, image.height, image.width);
            return Err(EngineError::Input { what: "a picture in colour", expected: "3 x H x W".into(), found });
        }
        let (height, width) = settings.working_size(image.height, image.width);
        self.resizer.resize(image, height, width, &mut self.content);
        balance::clamp(&mut self.content.data);
        self.elapsed += settings.dt_secs;
        if settings.amount == 0.0 {
            self.restart();
            copy(&self.content, out);
            return Ok(());
        }
        let due = self.since.is_none_or(|since| since + 1 >= settings.every);
        if due {
            self.paint(height, width, settings)?;
        } else {
            self.since = self.since.map(|since| since + 1);
        }
        self.show(settings, out);
        Ok(())
    }

    /// Makes the next painting.
    fn paint(&mut self, height: usize, width: usize, settings: &StyleSettings) -> Result<(), EngineError> {
        let is_first = self.since.is_none();
        let share = match settings.passes {
            _ if is_first => 0.0,
            0 => settings.feedback.min(MOST_PLAIN_FEEDBACK),
            _ => settings.feedback,
        };
        copy(&self.content, &mut self.canvas);
        if share > 0.0 {
            if (self.painting.height, self.painting.width) != (height, width) {
                Resizer::default().resize(&self.painting, height, width, &mut self.spare);
                std::mem::swap(&mut self.painting, &mut self.spare);
            }
            moved(&self.painting, settings.motion(self.elapsed), &mut self.spare);
            let back = |(to, from): (&mut f32, &f32)| *to += share * (from - *to);
            self.canvas.data.iter_mut().zip(&self.spare.data).for_each(back);
            balance::steady(&mut self.canvas, share);
        }
        settings.mixture(&mut self.mixture);
        if settings.passes > 0 {
            self.program_for(height, width)?;
        }
        for _ in 0..settings.passes {
            let inputs = Inputs { image: Some(&self.canvas), styles: &self.mixture, ..Inputs::default() };
            if let Some(prepared) = self.programs.last_mut() {
                prepared.program.run(&inputs, &mut self.spare)?;
            }
            std::mem::swap(&mut self.canvas, &mut self.spare);
        }
        balance::keep(&mut self.canvas, &self.content, settings.keep, settings.keep_what);
        if share > 0.0 && settings.passes > 0 {
            balance::stir(&mut self.canvas, &self.painting, share);
        }
        std::mem::swap(&mut self.before, &mut self.painting);
        std::mem::swap(&mut self.painting, &mut self.canvas);
        if is_first || (self.before.height, self.before.width) != (height, width) {
            copy(&self.painting, &mut self.before);
        }
        self.since = Some(0);
        self.elapsed = 0.0;
        Ok(())
    }

    /// Lays the painting over the picture. At full amount that is the painting itself to the last bit: a run that was
    /// stopped goes on from it.
    fn show(&self, settings: &StyleSettings, out: &mut Image) {
        shape(out, 3, self.content.height, self.content.width);
        let since = self.since.unwrap_or(0) as f32;
        let fade = ((since + 1.0) / settings.every.max(1) as f32).min(1.0);
        let amount = settings.amount;
        let same_size = self.painting.data.len() == self.content.data.len();
        if !same_size {
            // The size changed between two paintings: the picture alone until the next.
            out.data.copy_from_slice(&self.content.data);
            return;
        }
        let pixels = self.before.data.iter().zip(&self.painting.data).zip(&self.content.data);
        for (to, ((before, painting), content)) in out.data.iter_mut().zip(pixels) {
            let painted = before * (1.0 - fade) + painting * fade;
            *to = content * (1.0 - amount) + painted * amount;
        }
    }

    /// Makes the program for this size the last of `programs`.
    fn program_for(&mut self, height: usize, width: usize) -> Result<(), EngineError> {
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

fn copy(from: &Image, to: &mut Image) {
    shape(to, from.channels, from.height, from.width);
    to.data.copy_from_slice(&from.data);
}

#[cfg(test)]
mod test;
