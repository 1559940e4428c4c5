//! z, w and ws: where in the network's latent space the picture is.
//!
//! Pure maths: no I/O, no clock, nothing that can fail. [`seed`] has numpy's generator, [`mapping`] the mapping
//! network and truncation, [`walk`] the movement of z, [`track`] keys in time, [`classes`] blends of classes, [`layers`] ranges of layers and style mixing. Runs on the show's
//! thread, except [`directions`], which finds out along which lines of w the picture changes most.

pub mod classes;
pub mod directions;
pub mod layers;
pub mod mapping;
pub mod seed;
pub mod track;
pub mod walk;
