//! Movement: easing curves, smooth wandering, and sources that move parameters.
//!
//! Pure: time and signals in, numbers out. No clock, no I/O, nothing that can fail, and no allocation once a modulator is
//! built. Others decide what follows the curves (the walks in `latent`); the show decides which routes are active.

pub mod bindings;
pub mod chaos;
pub mod ease;
pub mod envelope;
pub mod expr;
pub mod follow;
pub mod lfo;
pub mod modulator;
pub mod pattern;
pub mod random_walk;
pub mod route;
pub mod signals;
pub mod source;
pub mod steps;

pub use bindings::{Binding, Bindings, Plays};
pub use ease::{Ease, Fade, wander};
pub use expr::{Expr, ExprError};
pub use modulator::Modulator;
pub use pattern::Pattern;
pub use route::{Route, Routes};
pub use signals::{SignalId, Signals};
pub use source::{Source, Time};

/// Every kind of source, in the order of a preset's error message.
/// A new kind is a file with a [`source::Kind`], and one line here.
pub static KINDS: &[&source::Kind] =
    &[&lfo::KIND, &random_walk::KIND, &chaos::KIND, &envelope::KIND, &steps::KIND, &follow::KIND];
