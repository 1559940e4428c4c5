//! Movement: easing curves, smooth wandering, and sources that move parameters.
//!
//! Pure: time and signals in, numbers out. No clock, no I/O, nothing that can fail, and nothing is allocated after
//! a modulator is built. What moves by the curves is decided elsewhere ([`crate::latent::walk`]); which routes play
//! is decided by the show.

pub mod ease;
pub mod follow;
pub mod lfo;
pub mod modulator;
pub mod route;
pub mod signals;
pub mod source;

pub use ease::{Ease, Fade, wander};
pub use modulator::Modulator;
pub use route::{Route, Routes};
pub use signals::{SignalId, Signals};
pub use source::{Source, Time};

/// Every kind of source, in the order in which a preset's error message lists them.
/// A new kind is its own file with a [`source::Kind`], and one line here.
pub static KINDS: &[&source::Kind] = &[&lfo::KIND, &follow::KIND];
