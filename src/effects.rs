//! Effects: what happens to a picture after the network has made it.
//!
//! [`crossfade`] leads from one network's picture to another's; [`input`] brings pictures from files in; [`style`] paints
//! over the picture with a style network, again and again over its own output; [`resample`] has the resizing and moving
//! of pictures that they need. Runs on the engine's thread, so that the window never waits.

pub mod crossfade;
pub mod input;
pub mod resample;
pub mod style;
