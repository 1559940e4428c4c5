//! Sound in: what is heard becomes numbers, a hundred times a second.
//!
//! [`Analysis`] is the heart: samples in, one [`Features`] per hop of 10 ms out. It is causal, allocates nothing once
//! built, and reads no clock: the same samples give the same features, in whatever pieces they arrive. Live, it runs on
//! the thread `audio`; in `render` it reads a track in step with the frames.
//!
//! The room knows nothing of parameters or of the show. The bands, the adaptive reference and the thresholds of the
//! onsets were tuned by ear and by measure on a handful of synthetic songs; the methods are named where they are used.

pub mod aloud;
pub mod analysis;
pub mod bands;
pub mod beat;
pub mod capture;
pub mod chroma;
pub mod features;
pub mod history;
pub mod level;
pub mod listen;
pub mod ltc;
pub mod offset;
pub mod onset;
pub mod outputs;
pub mod pitch;
pub mod resample;
pub mod sides;
pub mod sources;
pub mod spectrum;
pub mod track;

pub use analysis::Analysis;
pub use features::Features;
pub use level::Gain;
pub use track::Track;

/// Samples per second inside the analysis.
pub const RATE: u32 = 48_000;
/// Samples per hop.
pub const HOP: usize = 480;
/// Seconds per hop.
pub const HOP_SECS: f64 = HOP as f64 / RATE as f64;

/// The weight of the newest value in a running mean with a time constant of `secs`, updated once a hop.
fn ema(secs: f64) -> f64 {
    1.0 - (-HOP_SECS / secs).exp()
}

/// The frequency in the middle of bin `k` of a spectrum over `size` samples, in Hz.
fn bin_hz(k: usize, size: usize) -> f64 {
    k as f64 * f64::from(RATE) / size as f64
}

/// A sound file for a test: mono, 16 bits.
#[cfg(test)]
fn test_wav(name: &str, samples: &[f32], rate: u32) -> std::path::PathBuf {
    let bytes = 2 * samples.len() as u32;
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + bytes).to_le_bytes());
    wav.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    wav.extend(rate.to_le_bytes());
    wav.extend((2 * rate).to_le_bytes());
    wav.extend(b"\x02\0\x10\0data");
    wav.extend(bytes.to_le_bytes());
    wav.extend(samples.iter().flat_map(|sample| ((sample * 32_767.0) as i16).to_le_bytes()));
    let file = std::env::temp_dir().join(format!("latent-jockey-{name}-{}.wav", std::process::id()));
    std::fs::write(&file, wav).unwrap();
    file
}
