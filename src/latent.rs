//! z, w and ws: where in the network's space the picture is.
//!
//! Pure maths: no I/O, no clock, nothing that can fail. [`seed`] has numpy's generator, [`mapping`] the mapping
//! network with truncation, [`walk`] how z moves. Runs on the show's thread.

pub mod mapping;
pub mod seed;
pub mod walk;
