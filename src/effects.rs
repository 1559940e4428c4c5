//! Effects: processing of the picture after the network.
//!
//! An [`Effect`] runs a few [`Pass`]es on a canvas, in memory or on the network's device; it need not know which. A
//! [`chain`] runs effects in a configurable order. [`crossfade`] fades between the pictures of two networks, [`input`] mixes
//! in pictures from files, [`style`] paints over the picture with a style network, and [`simple`] effects are one stateless
//! pass each. Runs on the engine's thread, so that the window never waits.
//!
//! To add a stateless effect: write `shaders/effects/NAME.wgsl` and declare it in [`simple`]. An effect with state also
//! needs `effects/NAME.rs`, listed here.

pub mod blend;
pub mod chain;
pub mod crossfade;
pub mod input;
pub mod simple;
pub mod style;

use crate::engine::canvas::Canvas;
use crate::engine::pass::Pass;
use crate::engine::surface::Surface;
use crate::engine::{EngineError, Program};
use crate::params::{Def, Params};
use input::InputSettings;
use style::StyleSettings;

/// One step of picture processing.
pub trait Effect: Send {
    /// One word, used in the chain's order and in messages.
    fn name(&self) -> &str;

    /// The parameters it adds to the table.
    fn params(&self) -> &[Def] {
        &[]
    }

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
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// From the previous network (0) to this one (1).
    pub crossfade: f32,
    pub input: InputSettings,
    pub style: StyleSettings,
    /// Effective values of the effects' parameters, by address.
    pub rows: Vec<(&'static str, f64)>,
}

impl Values {
    /// The value of an effect's parameter; 0 if missing.
    pub fn get(&self, address: &str) -> f64 {
        self.rows.iter().find(|(known, _)| *known == address).map_or(0.0, |(_, value)| *value)
    }
}

/// The parameters of the built-in effects.
pub fn params() -> impl Iterator<Item = &'static Def> {
    simple::ALL.iter().flat_map(|simple| simple.params)
}

/// Reads the effective values of [`params`] into `rows`, reusing its memory.
pub fn read_rows(params: &Params, rows: &mut Vec<(&'static str, f64)>) {
    rows.clear();
    let known = self::params().filter_map(|def| Some((def.address, params.table().row(def.address)?)));
    rows.extend(known.map(|(address, id)| (address, params.get(id))));
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
    let own: [&[&Pass]; 3] = [&blend::PASSES, &style::PASSES, &style::balance::PASSES];
    own.into_iter().flatten().copied().chain(simple::ALL.iter().map(|simple| &simple.pass))
}
