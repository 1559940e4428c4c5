//! The table of parameters: every address that can be played, defined once.
//!
//! The OSC namespace, the MIDI targets, the presets, the HUD, `latent-jockey params` and the README's table
//! all read [`TABLE`]. [`Params`] holds the values of a running show. A parameter's *effective* value is its
//! base (what a knob, OSC or preset set, smoothed) plus its modulation, clamped to its range.
//!
//! Nothing here does I/O or reads a clock. Writes are coerced where the intent is clear and refused otherwise.

mod store;
mod table;
mod value;

pub use store::Params;
pub use table::{Curve, Def, Id, Kind, MAX_DIM, STYLE_KNOBS, TABLE, Target, nearest, nearest_of, resolve};
pub use value::{Value, WriteError, Written, short};
