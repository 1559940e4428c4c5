//! A tempo that several programs on a network share: Ableton Link.
//!
//! [`Session`] is what a frame is told of it, so that a show stays a function of its events. The network itself is
//! [`link`], behind the feature `link`: rusty_link and Link are under the GPL.

#[cfg(feature = "link")]
pub mod link;

/// Where a shared session is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Session {
    /// Beats per minute.
    pub bpm: f64,
    /// Its beat when the frame before this one ended. Others agree on it modulo [`QUANTUM`] only.
    pub beat: f64,
    /// Programs in it besides this one.
    pub peers: u32,
    /// Whether it plays; always, unless start and stop are shared.
    pub is_playing: bool,
}

/// Beats after which all that share a session are at the same place: a bar.
pub const QUANTUM: f64 = 4.0;

/// Why a build cannot join a session.
#[cfg(not(feature = "link"))]
pub const ABSENT: &str = "this build has no Ableton Link (GPL): build it with `--features link`";
