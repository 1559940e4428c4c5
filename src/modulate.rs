//! Movement: easing curves, smooth wandering, and sources that move parameters.
//!
//! Pure: time and signals in, numbers out. No clock, no I/O, nothing that can fail, and no allocation once a modulator is
//! built. Others decide what follows the curves ([`crate::latent::walk`]); the show decides which routes are active.

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

/// Every kind of source, in the order of a preset's error message.
/// A new kind is a file with a [`source::Kind`], and one line here.
pub static KINDS: &[&source::Kind] = &[&lfo::KIND, &follow::KIND];
