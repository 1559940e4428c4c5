//! z, w and ws: where in the network's latent space the picture is.
//!
//! Pure maths: no I/O, no clock, nothing that can fail. [`seed`] has numpy's generator, [`mapping`] the mapping
//! network and truncation, [`walk`] the movement of z. Runs on the show's thread.

pub mod mapping;
pub mod seed;
pub mod walk;
