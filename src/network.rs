//! Network files become weights and a plan.
//!
//! A file is opened by [`checkpoint`], which finds out what it is and lists its tensors by name; an architecture
//! ([`stylegan2`]) checks them and lowers them to a [`crate::engine::plan::Plan`] and a
//! [`crate::latent::mapping::Mapping`]. Nothing in a file is ever executed. Runs on the loader's thread.

pub mod checkpoint;
pub mod stylegan2;
