//! Does listening allocate? A counting allocator says no, from the samples to the numbers that are published.

#[path = "common/counting.rs"]
mod counting;

use latent_jockey::audio::outputs::Outputs;
use latent_jockey::audio::resample::Resample;
use latent_jockey::audio::{Analysis, Gain};

#[test]
fn listening_allocates_nothing() {
    let (mut analysis, mut outputs) = (Analysis::new(Gain::Auto), Outputs::default());
    let mut resample = Resample::new(44_100).expect("a common rate");
    // Five seconds of ticks over a tone: everything that can happen happens.
    let sample = |i: usize| {
        let tick = if i % 20_000 < 300 { 0.7 * ((i * i) as f32).sin() } else { 0.0 };
        0.1 * (i as f32 * 0.05).sin() + tick
    };
    let samples: Vec<f32> = (0..5 * 44_100).map(sample).collect();
    let (mut hops, mut hits, mut beats, mut sum) = (0, 0, 0, 0.0);
    let times = counting::times_here(|| {
        for piece in samples.chunks(333) {
            resample.feed(piece, |piece| {
                analysis.feed(piece, |features| {
                    let values = outputs.hop(features);
                    sum += values.iter().sum::<f64>();
                    hops += 1;
                    hits += u32::from(features.hits.onset);
                    beats += u32::from(features.beat);
                });
            });
        }
    });
    assert_eq!(times, 0);
    assert!(hops > 490 && hits > 5 && beats > 3 && sum > 100.0, "{hops} hops, {hits} hits, {beats} beats");
    assert!(counting::times_here(|| drop(std::hint::black_box(vec![1]))) > 0, "the allocator counts");
}
