//! The frames of the style loop.

use std::borrow::Cow;
use std::sync::Arc;

use super::StyleSettings;
use super::balance::Balance;
use super::clean::Clean;
use super::dark::Dark;
use crate::engine::canvas::Canvas;
use crate::engine::memo::{Memo, MemoError};
use crate::engine::pass::{Pass, Threads, Work};
use crate::engine::surface::{self, Place, Surface};
use crate::engine::{Engine, EngineError, Inputs, Program};
use crate::image::Image;
use crate::image::resample::{Motion, moved_by};
use crate::network::style_transfer::StyleNetwork;

/// Mixes the last painting, moved, into the canvas.
static FEED_BACK: Pass = Pass {
    name: Cow::Borrowed("feed_back"),
    wgsl: Cow::Borrowed(include_str!("../../../shaders/effects/feed_back.wgsl")),
    reads: 1,
    uniforms: &["count", "width", "height", "share", "moves", "cos", "sin", "zoom", "x", "y"],
    threads: Threads::Numbers,
    twin: Some(feed_back_twin),
};

fn feed_back_twin(work: &mut Work) {
    let [painting, ..] = work.reads;
    let moves = (work.uniforms[4] != 0).then(|| std::array::from_fn(|i| work.float(5 + i)));
    let share = work.float(3);
    moved_by(painting, moves, work.scratch);
    let back = |(to, from): (&mut f32, &f32)| *to += share * (from - *to);
    work.to.data.iter_mut().zip(&work.scratch.data).for_each(back);
}

/// Blends the painting, fading from the previous one to the newest, over the picture.
static LAY_OVER: Pass = Pass {
    name: Cow::Borrowed("lay_over"),
    wgsl: Cow::Borrowed(include_str!("../../../shaders/effects/lay_over.wgsl")),
    reads: 3,
    uniforms: &["count", "fade", "amount"],
    threads: Threads::Numbers,
    twin: Some(lay_over_twin),
};

fn lay_over_twin(work: &mut Work) {
    let [picture, before, painting] = work.reads;
    let (fade, amount) = (work.float(1), work.float(2));
    let pixels = before.data.iter().zip(&painting.data).zip(&picture.data);
    for (to, ((before, painting), picture)) in work.to.data.iter_mut().zip(pixels) {
        let painted = before * (1.0 - fade) + painting * fade;
        *to = picture * (1.0 - amount) + painted * amount;
    }
}

pub static PASSES: [&Pass; 2] = [&FEED_BACK, &LAY_OVER];

/// Mixes `share` of the last painting, moved, into a canvas of the same shape.
///
/// # Errors
/// As the canvas.
pub fn feed_back(
    canvas: &mut dyn Canvas,
    painted: &mut Surface,
    painting: &mut Surface,
    motion: Motion,
    share: f32,
) -> Result<(), EngineError> {
    let [_, height, width] = painted.shape();
    let [count, wide, high] = [painted.len(), width, height].map(|n| n as u32);
    let moves = u32::from(motion.moves(height, width));
    let [cos, sin, zoom, x, y] = motion.inverse(height, width).map(f32::to_bits);
    let uniforms = [count, wide, high, share.to_bits(), moves, cos, sin, zoom, x, y];
    canvas.run(&FEED_BACK, &uniforms, &mut [painting], painted)
}

/// Blends `amount` of a painting over the picture; the painting fades from the previous one (`fade` 0) to the newest (1).
/// All have the same shape.
///
/// # Errors
/// As the canvas.
pub fn lay_over(
    canvas: &mut dyn Canvas,
    [picture, before, painting]: [&mut Surface; 3],
    [fade, amount]: [f32; 2],
    to: &mut Surface,
) -> Result<(), EngineError> {
    canvas.shape(to, picture.shape())?;
    let uniforms = [picture.len() as u32, fade.to_bits(), amount.to_bits()];
    canvas.run(&LAY_OVER, &uniforms, &mut [picture, before, painting], to)
}

/// Number of programs kept for recently used sizes.
const PROGRAMS: usize = 3;
/// Maximum share of the last painting when no network paints: a little of the picture always enters.
const MOST_PLAIN_FEEDBACK: f32 = 0.98;

/// Runs the style network.
pub struct Painter {
    engine: Arc<dyn Engine>,
    pub network: Arc<StyleNetwork>,
    /// Most recently used last.
    programs: Vec<Prepared>,
    mixture: Vec<f32>,
    balance: Balance,
}

/// The paintings so far, from whichever network, and the surfaces for the next one.
#[derive(Debug, Default)]
pub struct Paintings {
    /// The picture at the working size.
    content: Surface,
    /// The network's input.
    canvas: Surface,
    /// The newest painting; fed back into the next.
    painting: Surface,
    /// The previous painting, faded from when not every frame is painted.
    before: Surface,
    spare: Surface,
    /// Frames since the last painting; `None` before the first.
    since: Option<u32>,
    /// Seconds since the last painting.
    elapsed: f32,
    clean: Clean,
    dark: Dark,
}

impl Paintings {
    pub fn has_painted(&self) -> bool {
        self.since.is_some()
    }

    pub fn restart(&mut self) {
        self.since = None;
        self.elapsed = 0.0;
    }

    /// The next frame continues from this painting.
    pub fn resume(&mut self, painting: &Image) {
        self.painting = painting.clone().into();
        self.before = painting.clone().into();
        self.since = Some(u32::MAX - 1);
        self.elapsed = 0.0;
    }

    /// What it remembers; the rest is made anew in each frame.
    ///
    /// # Errors
    /// As [`Memo::surface`].
    pub fn memo(&mut self, memo: &mut Memo) -> Result<(), MemoError> {
        let (mut has_painted, mut since) = (self.since.is_some(), self.since.unwrap_or_default());
        memo.bool(&mut has_painted)?;
        memo.u32(&mut since)?;
        memo.f32(&mut self.elapsed)?;
        self.since = has_painted.then_some(since);
        if has_painted {
            memo.surface(&mut self.painting)?;
            memo.surface(&mut self.before)?;
        }
        Ok(())
    }

    /// Moves the paintings to where the loop runs.
    ///
    /// # Errors
    /// When they were on a lost device; they are then gone.
    pub fn bring(&mut self, canvas: &mut dyn Canvas) -> Result<(), EngineError> {
        let brought = canvas.bring(&mut self.painting).and_then(|()| canvas.bring(&mut self.before));
        if brought.is_err() {
            (self.painting, self.before) = Default::default();
            self.restart();
        }
        brought
    }
}

struct Prepared {
    height: usize,
    width: usize,
    program: Box<dyn Program>,
}

impl Painter {
    pub fn new(engine: Arc<dyn Engine>, network: Arc<StyleNetwork>) -> Painter {
        let mixture = vec![0.0; network.styles.len()];
        Painter { engine, mixture, network, programs: Vec::new(), balance: Balance::default() }
    }

    /// As [`Program::take_notice`].
    pub fn take_notice(&mut self) -> Option<String> {
        self.programs.iter_mut().find_map(|prepared| prepared.program.take_notice())
    }

    /// Whether all programs run on that device.
    pub fn is_on(&self, place: &Arc<dyn Place>) -> bool {
        self.programs.iter().all(|prepared| prepared.program.place().is_some_and(|own| surface::same(&own, place)))
    }

    /// As [`StyleLoop::play`](super::StyleLoop::play).
    pub fn frame(
        &mut self,
        canvas: &mut dyn Canvas,
        paintings: &mut Paintings,
        image: &mut Surface,
        settings: &StyleSettings,
        out: &mut Surface,
    ) -> Result<(), EngineError> {
        let before = paintings.elapsed;
        let played = self.play(canvas, paintings, image, settings, out);
        if played.is_err() {
            // The next frame replaces this one.
            paintings.elapsed = before;
        }
        played
    }

    fn play(
        &mut self,
        canvas: &mut dyn Canvas,
        paintings: &mut Paintings,
        image: &mut Surface,
        settings: &StyleSettings,
        out: &mut Surface,
    ) -> Result<(), EngineError> {
        let [channels, high, wide] = image.shape();
        if channels != 3 || high * wide == 0 {
            let found = format!("{channels} x {high} x {wide}");
            return Err(EngineError::Input { what: "a picture in colour", expected: "3 x H x W".into(), found });
        }
        let (height, width) = settings.working_size(high, wide);
        canvas.resize(image, height, width, &mut paintings.content)?;
        self.balance.limit(canvas, &mut paintings.content)?;
        paintings.elapsed += settings.dt_secs;
        if settings.amount == 0.0 {
            paintings.restart();
            return canvas.copy(&mut paintings.content, out);
        }
        let due = paintings.since.is_none_or(|since| since + 1 >= settings.every);
        if due {
            self.paint(canvas, paintings, settings)?;
        } else {
            paintings.since = paintings.since.map(|since| since + 1);
        }
        show(canvas, paintings, settings, out)
    }

    /// Paints the next painting.
    fn paint(
        &mut self,
        place: &mut dyn Canvas,
        paintings: &mut Paintings,
        settings: &StyleSettings,
    ) -> Result<(), EngineError> {
        let Paintings { content, canvas, painting, before, spare, since, elapsed, clean, .. } = paintings;
        let shape @ [_, height, width] = content.shape();
        let is_first = since.is_none();
        let share = match settings.passes {
            _ if is_first => 0.0,
            0 => settings.feedback.min(MOST_PLAIN_FEEDBACK),
            _ => settings.feedback,
        };
        place.copy(content, canvas)?;
        if share > 0.0 {
            if painting.shape() != shape {
                place.resize(painting, height, width, spare)?;
                std::mem::swap(painting, spare);
            }
            feed_back(place, canvas, painting, settings.motion(*elapsed), share)?;
            self.balance.steady(place, canvas, share)?;
        }
        settings.mixture(&mut self.mixture);
        if settings.passes > 0 {
            self.program_for(height, width)?;
        }
        for _ in 0..settings.passes {
            let inputs = Inputs { styles: &self.mixture, ..Inputs::default() };
            if let Some(prepared) = self.programs.last_mut() {
                place.program(&mut *prepared.program, &inputs, Some(canvas), spare)?;
            }
            std::mem::swap(canvas, spare);
        }
        if settings.passes > 0 {
            // Networks stay within these limits; this is for NaNs.
            self.balance.limit(place, canvas)?;
            clean.clean(place, canvas, settings.clean)?;
        }
        self.balance.keep(place, canvas, content, settings.keep, settings.keep_what)?;
        if share > 0.0 && settings.passes > 0 {
            self.balance.stir(place, canvas, painting, share)?;
        }
        std::mem::swap(before, painting);
        std::mem::swap(painting, canvas);
        if is_first || before.shape() != shape {
            place.copy(painting, before)?;
        }
        (*since, *elapsed) = (Some(0), 0.0);
        Ok(())
    }

    /// Moves the program for this size to the end of `programs`, creating it if needed.
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

/// Blends the painting over the picture. At full amount the result is the painting, bit for bit (in memory; a device
/// rounds), so that a stopped run can be resumed from it.
fn show(
    canvas: &mut dyn Canvas,
    paintings: &mut Paintings,
    settings: &StyleSettings,
    out: &mut Surface,
) -> Result<(), EngineError> {
    let Paintings { content, painting, before, since, dark, .. } = paintings;
    let since = since.unwrap_or(0) as f32;
    let fade = ((since + 1.0) / settings.every.max(1) as f32).min(1.0);
    if painting.shape() != content.shape() {
        // The size changed between two paintings: show only the picture until the next.
        return canvas.copy(content, out);
    }
    lay_over(canvas, [content, before, painting], [fade, settings.amount], out)?;
    // Feedback alone makes no stripes.
    let amount = if settings.passes > 0 { settings.dark } else { 0.0 };
    dark.leave(canvas, content, out, amount)
}
