//! Movement: numbers in, numbers out; no clock, no I/O, nothing that can fail.

pub mod ease;

pub use ease::{Ease, Fade, wander};
