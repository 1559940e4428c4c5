//! What one hop says.

use super::HOP_SECS;
use super::bands::BANDS;
use super::chroma::CLASSES;
use super::onset::Hits;

/// Everything that was measured in one hop.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Features {
    /// Which hop, from 0. It ends at sample `480 · (hop + 1)`.
    pub hop: u64,
    /// Root mean square of the last 2048 samples, of full scale.
    pub rms: f64,
    /// Highest absolute sample of the hop.
    pub peak: f64,
    /// Energy in each of [`BANDS`], of full scale.
    pub energy: [f64; BANDS.len()],
    /// Level of each of [`BANDS`], 0 to 1.
    pub levels: [f64; BANDS.len()],
    /// Level of the whole, 0 to 1.
    pub level: f64,
    /// What counts as loud, in dB of full scale; −120 before anything was heard.
    pub reference_db: f64,
    /// Centre of gravity of the spectrum in Hz.
    pub centroid_hz: f64,
    /// Flux of everything, and of low, mid and high bands.
    pub flux: [f64; 4],
    pub hits: Hits,
    /// C, C sharp, … B, 0 to 1.
    pub chroma: [f64; CLASSES],
    /// The last clear pitch; 0 before the first.
    pub pitch_hz: f64,
    /// How clear the pitch is at the moment, 0 to 1.
    pub pitch_clarity: f64,
    /// Strength of onsets for the beat.
    pub onset_strength: f64,
    /// Beats per minute; 0 before there is a tempo.
    pub bpm: f64,
    /// Of tempo and beat, 0 to 1.
    pub confidence: f64,
    /// Position within the beat, 0 to 1.
    pub phase: f64,
    /// Whether a beat falls into this hop.
    pub beat: bool,
    /// Whether the sound is above the gate.
    pub heard: bool,
    /// Nothing but zeros for two seconds: a wrong source, or no permission.
    pub no_signal: bool,
}

impl Features {
    /// The time of the hop's end in seconds.
    pub fn secs(&self) -> f64 {
        (self.hop + 1) as f64 * HOP_SECS
    }
}
