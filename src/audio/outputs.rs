//! What the rest of the instrument gets: named numbers from 0 to 1, made from [`Features`] once a hop.
//!
//! Hits are short: a picture that looks sixty times a second would miss most of them. They are therefore published as
//! [`Shape::Hit`]s, which jump to 1 and fall in a tenth of a second.

use super::beat::CONFIDENT;
use super::chroma::CLASSES;
use super::features::Features;
use super::pitch::{HIGHEST_HZ, LOWEST_HZ};
use super::{HOP_SECS, bands::NARROW};

/// Time constant of a hit's fall, seconds.
pub(super) const FALL_SECS: f64 = 0.12;

/// How a number from 0 to 1 is to be read.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// As it is.
    Level,
    /// 1 when something happens, falling.
    Hit,
    /// Evenly between two values of a unit.
    Linear { low: f64, high: f64, unit: &'static str },
    /// In equal octaves between two frequencies in Hz.
    Octaves { low: f64, high: f64 },
}

/// One number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Output {
    /// The signal is `audio.<name>`, the feed `/audio/<name>`.
    pub signal: &'static str,
    pub address: &'static str,
    pub shape: Shape,
    pub help: &'static str,
}

macro_rules! outputs {
    ($($name:literal $shape:expr, $help:literal;)*) => {
        /// Every output, in the order of its values.
        pub const OUTPUTS: [Output; COUNT] = [
            $(Output {
                signal: concat!("audio.", $name),
                address: concat!("/audio/", $name),
                shape: $shape,
                help: $help,
            },)*
        ];
    };
}

/// How many outputs there are.
pub const COUNT: usize = 37;
/// The values of all outputs.
pub type Values = [f64; COUNT];

const CENTROID: (f64, f64) = (100.0, 10_000.0);
const BPM: (f64, f64) = (60.0, 180.0);

outputs! {
    "level" Shape::Level, "loudness of everything, adapted to what was heard in the last seconds";
    "bass" Shape::Level, "20 to 250 Hz, adapted";
    "mid" Shape::Level, "250 Hz to 4 kHz, adapted";
    "high" Shape::Level, "4 to 20 kHz, adapted";
    "band1" Shape::Level, "20 to 60 Hz, adapted";
    "band2" Shape::Level, "60 to 250 Hz, adapted";
    "band3" Shape::Level, "250 to 500 Hz, adapted";
    "band4" Shape::Level, "500 Hz to 2 kHz, adapted";
    "band5" Shape::Level, "2 to 4 kHz, adapted";
    "band6" Shape::Level, "4 to 6 kHz, adapted";
    "band7" Shape::Level, "6 to 10 kHz, adapted";
    "band8" Shape::Level, "10 to 20 kHz, adapted";
    "onset" Shape::Hit, "1 when anything begins to sound, then falling";
    "kick" Shape::Hit, "1 at a kick drum, then falling";
    "snare" Shape::Hit, "1 at a snare drum, then falling";
    "hat" Shape::Hit, "1 at a hi-hat, then falling";
    "centroid" Shape::Octaves { low: CENTROID.0, high: CENTROID.1 }, "how bright the sound is";
    "pitch" Shape::Octaves { low: LOWEST_HZ, high: HIGHEST_HZ }, "the last clear pitch";
    "chroma1" Shape::Level, "how strongly C sounds";
    "chroma2" Shape::Level, "how strongly C sharp sounds";
    "chroma3" Shape::Level, "how strongly D sounds";
    "chroma4" Shape::Level, "how strongly D sharp sounds";
    "chroma5" Shape::Level, "how strongly E sounds";
    "chroma6" Shape::Level, "how strongly F sounds";
    "chroma7" Shape::Level, "how strongly F sharp sounds";
    "chroma8" Shape::Level, "how strongly G sounds";
    "chroma9" Shape::Level, "how strongly G sharp sounds";
    "chroma10" Shape::Level, "how strongly A sounds";
    "chroma11" Shape::Level, "how strongly A sharp sounds";
    "chroma12" Shape::Level, "how strongly B sounds";
    "beat" Shape::Hit, "1 on a beat, then falling; 0 while the tempo is uncertain";
    "phase" Shape::Level, "position within the beat; 0 while the tempo is uncertain";
    "bpm" Shape::Linear { low: BPM.0, high: BPM.1, unit: "bpm" }, "estimated tempo";
    "confidence" Shape::Level, "how certain tempo and beat are";
    "rms" Shape::Level, "root mean square of the samples, not adapted";
    "peak" Shape::Level, "highest sample of the last 10 ms, not adapted";
    "heard" Shape::Level, "1 while there is any sound";
}

impl Shape {
    /// The value in its unit.
    pub fn natural(self, value: f64) -> f64 {
        match self {
            Shape::Level | Shape::Hit => value,
            Shape::Linear { low, high, .. } => low + (high - low) * value,
            Shape::Octaves { low, high } => low * (high / low).powf(value),
        }
    }

    /// From the value in its unit.
    fn unit(self, natural: f64) -> f64 {
        let unit = match self {
            Shape::Level | Shape::Hit => natural,
            Shape::Linear { low, high, .. } => (natural - low) / (high - low),
            Shape::Octaves { low, high } => (natural.max(1e-3) / low).log2() / (high / low).log2(),
        };
        unit.clamp(0.0, 1.0)
    }
}

/// Makes [`Values`] out of [`Features`].
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    onset: f64,
    kick: f64,
    snare: f64,
    hat: f64,
    beat: f64,
    /// Kept in silence.
    centroid_hz: f64,
}

impl Outputs {
    /// One hop. Allocates nothing.
    pub fn hop(&mut self, f: &Features) -> Values {
        let fall = (-HOP_SECS / FALL_SECS).exp();
        let hit = |level: &mut f64, hit: bool| {
            *level = if hit { 1.0 } else { *level * fall };
            // Silence is silent, and sends nothing.
            if *level < 1e-3 {
                *level = 0.0;
            }
            *level
        };
        if f.heard {
            self.centroid_hz = f.centroid_hz;
        }
        let is_certain = f.confidence >= CONFIDENT;
        let mut values = [0.0; COUNT];
        let mut at = 0;
        let mut put = |new: &[f64]| {
            for &natural in new {
                values[at] = OUTPUTS[at].shape.unit(natural);
                at += 1;
            }
        };
        let (narrow, wide) = f.levels.split_at(NARROW);
        put(&[f.level]);
        put(wide);
        put(narrow);
        put(&[hit(&mut self.onset, f.hits.onset), hit(&mut self.kick, f.hits.kick)]);
        put(&[hit(&mut self.snare, f.hits.snare), hit(&mut self.hat, f.hits.hat)]);
        put(&[self.centroid_hz, f.pitch_hz]);
        put(&f.chroma);
        put(&[hit(&mut self.beat, f.beat && is_certain), if is_certain { f.phase } else { 0.0 }]);
        put(&[f.bpm, f.confidence, f.rms, f.peak, f64::from(u8::from(f.heard))]);
        debug_assert_eq!(at, COUNT);
        values
    }
}

const _: () = assert!(COUNT == 1 + 3 + NARROW + 4 + 2 + CLASSES + 2 + 5);

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of `audio.<name>`.
    fn value(values: &Values, name: &str) -> f64 {
        let at = OUTPUTS.iter().position(|output| output.signal == format!("audio.{name}"));
        values[at.unwrap_or_else(|| panic!("no output {name}"))]
    }

    #[test]
    fn each_feature_has_its_name() {
        let mut f = Features {
            level: 0.5,
            centroid_hz: 1000.0,
            pitch_hz: 440.0,
            bpm: 90.0,
            phase: 0.3,
            confidence: 0.9,
            rms: 0.1,
            peak: 0.2,
            heard: true,
            ..Features::default()
        };
        f.levels = [0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17, 0.18, 0.2, 0.3, 0.4];
        f.chroma[9] = 0.7;
        let values = Outputs::default().hop(&f);
        let table = [
            ("level", 0.5),
            ("bass", 0.2),
            ("mid", 0.3),
            ("high", 0.4),
            ("band1", 0.11),
            ("band8", 0.18),
            ("centroid", 0.5),
            ("pitch", 0.6),
            ("chroma10", 0.7),
            ("chroma9", 0.0),
            ("bpm", 0.25),
            ("phase", 0.3),
            ("confidence", 0.9),
            ("rms", 0.1),
            ("peak", 0.2),
            ("heard", 1.0),
            ("beat", 0.0),
        ];
        for (name, expected) in table {
            assert!((value(&values, name) - expected).abs() < 1e-9, "{name}: {}", value(&values, name));
        }
    }

    #[test]
    fn a_hit_jumps_and_falls() {
        let mut outputs = Outputs::default();
        let mut f = Features::default();
        f.hits.kick = true;
        assert_eq!(value(&outputs.hop(&f), "kick"), 1.0);
        f.hits.kick = false;
        let after: Vec<f64> = (0..100).map(|_| value(&outputs.hop(&f), "kick")).collect();
        assert!(after[0] > 0.9 && after.is_sorted_by(|a, b| a >= b) && after[99] == 0.0, "{after:?}");
    }

    #[test]
    fn an_uncertain_beat_is_none() {
        let mut outputs = Outputs::default();
        let mut f = Features { beat: true, phase: 0.5, confidence: 0.1, ..Features::default() };
        let values = outputs.hop(&f);
        assert_eq!((value(&values, "beat"), value(&values, "phase")), (0.0, 0.0));
        f.confidence = 0.5;
        let values = outputs.hop(&f);
        assert_eq!((value(&values, "beat"), value(&values, "phase")), (1.0, 0.5));
    }

    #[test]
    fn units_are_read_both_ways() {
        for output in OUTPUTS {
            for unit in [0.0, 0.25, 1.0] {
                assert!((output.shape.unit(output.shape.natural(unit)) - unit).abs() < 1e-9, "{}", output.signal);
            }
        }
        assert_eq!(Shape::Linear { low: 60.0, high: 180.0, unit: "bpm" }.natural(0.5), 120.0);
        assert!((Shape::Octaves { low: 55.0, high: 1760.0 }.natural(0.6) - 440.0).abs() < 1e-9);
    }
}
