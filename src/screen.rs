//! The picture at the projector's size: the up-scaler, and a chain of effects from files.
//!
//! Everything here runs on a graphics device (or software Vulkan), in linear light and `Rgba16Float`, after the network's
//! own effects. [`shader`] turns a file into a checked effect, [`header`] reads what it declares.

pub mod chain;
pub mod compiled;
mod flash;
pub mod header;
pub mod palette;
pub mod scale;
pub mod script;
pub mod shader;
mod words;
pub mod workshop;

pub use chain::{Link, Moment, Screen};
pub use compiled::Compiled;
pub use scale::{Kernel, Layout, Scaling};
pub use shader::{Shader, ShaderError};
pub use workshop::Workshop;
