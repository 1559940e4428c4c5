//! Effects: what happens to a picture after the network has made it.
//!
//! [`crossfade`] leads from one network's picture to another's; [`input`] brings pictures from files in; [`style`] paints
//! over the picture with a style network, again and again over its own output. They work on an [`easel`]: in plain
//! arithmetic, or on the [`device`] that the network runs on, which the picture then does not leave. Runs on the engine's thread, so that the window never waits.

pub mod crossfade;
pub mod device;
pub mod easel;
pub mod input;
pub mod style;
