//! Effects: what happens to a picture after the network has made it.
//!
//! An [`Effect`] runs a few [`Pass`]es on a canvas, in memory or on the device that the network computes on; it need not know
//! which. A [`chain`] runs effects in an order that is data. [`crossfade`] leads from one network's picture to another's,
//! [`input`] brings pictures from files in, [`style`] paints over the picture with a style network, and [`simple`] ones are a
//! pass each, with nothing kept from picture to picture. Runs on the engine's thread, so that the window never waits.
//!
//! A new effect that keeps nothing is `shaders/effects/NAME.wgsl` and its declaration in [`simple`]; one that does keep
//! something is that file and `effects/NAME.rs`, listed here.

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

/// Something that is done to a picture.
pub trait Effect: Send {
    /// One word, as the chain's order and messages name it.
    fn name(&self) -> &str;

    /// The parameters that it adds to the table.
    fn params(&self) -> &[Def] {
        &[]
    }

    /// Makes `out` of `frame`. False when there is nothing to do: then `frame` goes on as it is, and `out` is not looked at.
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

/// When a picture is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Time {
    /// Since the show began.
    pub secs: f64,
    /// Since the last picture.
    pub dt_secs: f32,
}

/// What effects read of one frame: a copy, so that a request to the engine's thread is plain data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// From the network before (0) to this one (1).
    pub crossfade: f32,
    pub input: InputSettings,
    pub style: StyleSettings,
    /// Effective values of the parameters that effects have added to the table, by address.
    pub rows: Vec<(&'static str, f64)>,
}

impl Values {
    /// The value of a parameter that an effect has added; 0 when nobody gave one.
    pub fn get(&self, address: &str) -> f64 {
        self.rows.iter().find(|(known, _)| *known == address).map_or(0.0, |(_, value)| *value)
    }
}

/// The parameters that the effects that ship add to the table.
pub fn params() -> impl Iterator<Item = &'static Def> {
    simple::ALL.iter().flat_map(|simple| simple.params)
}

/// Effective values of [`params`], into the memory that is there.
pub fn read_rows(params: &Params, rows: &mut Vec<(&'static str, f64)>) {
    rows.clear();
    let known = self::params().filter_map(|def| Some((def.address, params.table().row(def.address)?)));
    rows.extend(known.map(|(address, id)| (address, params.get(id))));
}

/// Compiles every pass for where `program` leaves its pictures, so that none is compiled while a show plays.
///
/// # Errors
/// When the device does not take one of them.
pub fn compile(program: &dyn Program) -> Result<(), EngineError> {
    let Some(place) = program.place() else { return Ok(()) };
    place.compile(&passes().collect::<Vec<_>>())
}

/// Every pass of the effects that ship, to be compiled before they play.
pub fn passes() -> impl Iterator<Item = &'static Pass> {
    let own: [&[&Pass]; 3] = [&blend::PASSES, &style::PASSES, &style::balance::PASSES];
    own.into_iter().flatten().copied().chain(simple::ALL.iter().map(|simple| &simple.pass))
}
