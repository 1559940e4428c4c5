//! Effects: processing of the picture after the network.
//!
//! An [`Effect`] runs a few [`Pass`]es on a canvas, in memory or on the network's device; it need not know which. A
//! [`chain`] runs effects in a configurable order. [`crossfade`] fades between the pictures of two networks, [`input`] mixes
//! in pictures from files, and [`style`] paints over the picture with a style network. Runs on the engine's thread, so that
//! the window never waits. Effects from files process the picture at the output's size, after these: see
//! [`screen`](crate::screen).

pub mod blend;
pub mod chain;
pub mod crossfade;
pub mod input;
pub mod style;

use crate::engine::canvas::Canvas;
use crate::engine::pass::Pass;
use crate::engine::surface::Surface;
use crate::engine::{EngineError, Program};
use input::InputSettings;
use style::StyleSettings;

/// One step of picture processing.
pub trait Effect: Send {
    /// One word, used in the chain's order and in messages.
    fn name(&self) -> &str;

    /// Computes `out` from `frame`. False if there is nothing to do: `frame` is then passed on unchanged and `out` ignored.
    ///
    /// # Errors
    /// When the canvas or a program fails.
    fn process(
        &mut self,
        canvas: &mut dyn Canvas,
        frame: &mut Surface,
        out: &mut Surface,
        values: &Values,
        time: Time,
    ) -> Result<bool, EngineError>;
}

/// The time of a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Time {
    /// Since the start of the show.
    pub secs: f64,
    /// Since the last picture.
    pub dt_secs: f32,
}

/// The values that effects read for one frame: a copy, so that a request to the engine's thread is plain data.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Values {
    /// From the previous network (0) to this one (1).
    pub crossfade: f32,
    pub input: InputSettings,
    pub style: StyleSettings,
}

/// Compiles every pass for the device of `program`, so that none is compiled during a show.
///
/// # Errors
/// When the device rejects one of them.
pub fn compile(program: &dyn Program) -> Result<(), EngineError> {
    let Some(place) = program.place() else { return Ok(()) };
    place.compile(&passes().collect::<Vec<_>>())
}

/// Every pass of the built-in effects, for compilation ahead of time.
pub fn passes() -> impl Iterator<Item = &'static Pass> {
    let own: [&[&Pass]; 6] = [
        &blend::PASSES,
        &input::PASSES,
        &style::PASSES,
        &style::balance::PASSES,
        &style::clean::PASSES,
        &style::dark::PASSES,
    ];
    own.into_iter().flatten().copied()
}
