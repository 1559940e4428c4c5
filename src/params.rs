//! The table of parameters: every address that can be played, defined once.
//!
//! The OSC namespace, the MIDI targets, the presets, the HUD, `latent-jockey params` and the README's table all read a
//! [`Table`]. Built-in rows are permanent; others come and go at run time. [`Params`] holds the values of a running show,
//! for the rows of its table. A parameter's *effective* value is its base (set by a knob, OSC or a preset, and smoothed)
//! plus its modulation, clamped to its range.
//!
//! Nothing here does I/O or reads a clock. Writes are coerced where the intent is clear and refused otherwise.

mod choice;
mod meaning;
mod store;
mod table;
mod value;

pub(crate) use choice::words;
pub use choice::{
    BendCluster, BendEdge, BendKind, Choice, Codec, Detail, Ease, InputSize, Keep, Kernel, Layout, NoiseKind,
    RecordWhat, StyleSize, SwapFrom, TempoSource, TimeBase, TrackEnd, TrackTake, TrackWay, WalkKind, Zone,
};
pub use meaning::{Meaning, number_of_word, told_names};
pub use store::Params;
pub use table::{
    BENDS, CLASS_KNOBS, Curve, DIR_KNOBS, DIR_RANGE, Def, Id, KEY_LENGTHS, Kind, MAX_DIM, MAX_LAYERS, Members, Remote,
    STYLE_KNOBS, Saving, Scope, SharedTable, Table, TableError, Target, intern, nearest_of,
};
pub use value::{Value, WriteError, Written, short};
