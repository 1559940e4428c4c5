//! Latent Jockey: an instrument for playing generative networks on stage.
//!
//! ```text
//! audio┐
//! MIDI │                       LFOs, signals
//! OSC  ├─ control ─→ params ←─ modulate
//! keys ┘  events       (one table)
//!                        │
//!                        ▼
//!             latent ─→ engine ─→ effects ─→ window · browser page · recorder
//!             (z, w, ws)
//! ```
//!
//! Data moves left to right; a module knows those on its left, never those on its right. See `docs/ARCHITECTURE.md`.
//!
//! | module | what it is for |
//! | --- | --- |
//! | [`thread`] | shared between threads: the newest item; panics in one line |
//! | [`mod@image`] | a picture in memory: fit, bytes and floats, resizing, files |
//! | [`audio`] | sound in: levels, drums, pitch, beat and tempo, a hundred times a second |
//! | [`footage`] | video files, cameras, screens and streams become pictures, by ffmpeg |
//! | [`params`] | the table of parameters, each defined once |
//! | [`control`] | events from devices become writes to parameters |
//! | [`patch`] | presets: checked as a whole, saved, and watched for changes |
//! | [`modulate`] | LFOs and signals that move parameters, easing, smooth random motion: numbers in, numbers out |
//! | [`latent`] | z, w, ws: seeds, walks, mapping, truncation; pure maths |
//! | [`network`] | network files become weights and a plan |
//! | [`file`] | reads whole files, and refuses files that change while they are read |
//! | [`engine`] | runs plans: ws in, picture out |
//! | [`effects`] | picture processing after the network: crossfade, input, style loop |
//! | [`record`] | writes pictures as videos and folders of PNGs |
//! | [`show`] | one frame of the show; the only module that knows the whole path |
//! | [`caption`] | pictures get captions, by a small network and by people |
//! | [`explore`] | many pictures of one network, beside the show |
//! | [`projection`] | a photograph becomes a point of the latent space |
//! | [`runway`] | pictures for sketches, by the protocol of Runway's app |
//! | [`thumbnail`] | small pictures of presets, styles, networks and seeds, drawn by a child process and kept |
//! | [`commands`] | the command line, one file per command |
//! | `app` | the window (feature `window`): presenting, HUD, keys |

#[cfg(feature = "window")]
pub mod app;
pub mod audio;
pub mod caption;
pub mod commands;
pub mod control;
pub mod effects;
pub mod engine;
pub mod explore;
pub mod file;
pub mod footage;
pub mod image;
pub mod latent;
pub mod modulate;
pub mod network;
pub mod params;
pub mod patch;
pub mod process;
pub mod projection;
pub mod record;
pub mod runway;
pub mod screen;
pub mod show;
pub mod thread;
pub mod thumbnail;
