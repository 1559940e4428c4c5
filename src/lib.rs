//! Latent Jockey: an instrument for playing generative networks on stage.
//!
//! ```text
//! MIDI ┐
//! OSC  ├─ control ─→ params ─→ patch ─→ latent ─→ engine ─→ effects ─→ window
//! keys ┘             (one      (presets,  (z, w,    (network   (style     recorder
//!                     table)    walks)     ws)       → image)   transfer)
//! ```
//!
//! Data moves left to right; a module knows those on its left, never those on its right.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`thread`] | what threads share: the newest item, a panic in one line |
//! | [`mod@image`] | a picture in memory: fit, bytes and floats, resizing, files |
//! | [`params`] | the table of parameters, each defined once |
//! | [`control`] | events from devices become writes to parameters |
//! | [`patch`] | presets, checked as a whole, and their files watched |
//! | [`modulate`] | easing and smooth random motion: numbers in, numbers out |
//! | [`latent`] | z, w, ws: seeds, walks, mapping, truncation; pure maths |
//! | [`network`] | network files become weights and a plan |
//! | [`file`] | whole files are read, whatever happens to them meanwhile |
//! | [`engine`] | plans are executed: ws in, picture out |
//! | [`effects`] | painting over the picture, with feedback |
//! | [`record`] | pictures become video files and folders of PNGs |
//! | [`show`] | one frame of the show; the only module that knows the whole path |
//! | [`commands`] | what the command line does, one file a command |
//! | `app` | the window (feature `window`): presenting, HUD, keys |

#[cfg(feature = "window")]
pub mod app;
pub mod commands;
pub mod control;
pub mod effects;
pub mod engine;
pub mod file;
pub mod image;
pub mod latent;
pub mod modulate;
pub mod network;
pub mod params;
pub mod patch;
pub mod record;
pub mod show;
pub mod thread;
