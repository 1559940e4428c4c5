//! What the analysis hears in a sound, and how that compares with what was played.

use latent_jockey::audio::{Analysis, Features, Gain, Track};

use super::fixture;

/// A sound of tests/fixtures/audio: mono, 48 kHz.
pub fn samples(file: &str) -> Vec<f32> {
    Track::open(&fixture("audio").join(file)).expect("the fixture opens").read_all().expect("the fixture is whole")
}

/// The features of every hop.
pub fn features(samples: &[f32]) -> Vec<Features> {
    let mut all = Vec::new();
    Analysis::new(Gain::Auto).feed(samples, |features| all.push(*features));
    all
}

/// The times of the hops for which something holds, in seconds.
pub fn times(features: &[Features], holds: impl Fn(&Features) -> bool) -> Vec<f64> {
    features.iter().filter(|f| holds(f)).map(Features::secs).collect()
}

/// Beats that count.
pub fn beats(features: &[Features]) -> Vec<f64> {
    times(features, |f| f.beat && f.confidence >= latent_jockey::audio::beat::CONFIDENT)
}

/// F-measure of sorted times: a time is right within 50 ms.
pub fn f_measure(expected: &[f64], found: &[f64]) -> f64 {
    let (mut right, mut next) = (0, 0);
    for &time in expected {
        while next < found.len() && found[next] < time - 0.05 {
            next += 1;
        }
        if next < found.len() && found[next] <= time + 0.05 {
            right += 1;
            next += 1;
        }
    }
    2.0 * f64::from(right) / (expected.len() + found.len()) as f64
}

/// F-measure of beats from the fifth second on.
pub fn beat_measure(expected: &[f64], found: &[f64]) -> f64 {
    let expected: Vec<f64> = expected.iter().copied().filter(|time| *time >= 5.0).collect();
    let (from, to) = (expected[0] - 0.06, expected[expected.len() - 1] + 0.06);
    let found: Vec<f64> = found.iter().copied().filter(|time| (from..to).contains(time)).collect();
    f_measure(&expected, &found)
}

/// Seconds from each expected time to the first found one within 50 ms: median and 95th percentile.
pub fn latency(expected: &[f64], found: &[f64]) -> (f64, f64) {
    let first = |time: &f64| found.iter().map(|found| found - time).find(|late| (-0.01..0.05).contains(late));
    let mut late: Vec<f64> = expected.iter().filter_map(first).collect();
    late.sort_by(f64::total_cmp);
    if late.is_empty() { (f64::NAN, f64::NAN) } else { (late[late.len() / 2], late[late.len() * 95 / 100]) }
}
