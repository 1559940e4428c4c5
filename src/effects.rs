//! Effects: what happens to a picture after the network has made it.
//!
//! [`style`] paints over the picture with a style network, again and again over its own output; [`resample`] has the
//! resizing and moving of pictures that it needs. Runs on the engine's thread, so that the window never waits.

pub mod resample;
pub mod style;
