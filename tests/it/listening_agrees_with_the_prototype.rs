//! Does every hop of the analysis have the numbers of a prototype in numpy with 64-bit spectra?

use latent_jockey::audio::Features;
use safetensors::SafeTensors;

use crate::common::fixture;
use crate::common::heard::{features, samples};

/// The rows of a tensor of 32-bit floats.
fn rows(tensors: &SafeTensors, name: &str) -> Vec<Vec<f64>> {
    let tensor = tensors.tensor(name).expect("the tensor is there");
    let numbers = tensor.data().as_chunks::<4>().0.iter().map(|&bytes| f64::from(f32::from_le_bytes(bytes)));
    numbers.collect::<Vec<f64>>().chunks(tensor.shape()[1]).map(<[f64]>::to_vec).collect()
}

/// Compares every `step`th hop with its row; `off` takes column, found and expected, and is at most 1.
fn compare(
    what: &str,
    found: &[Features],
    rows: &[Vec<f64>],
    values: impl Fn(&Features) -> Vec<f64>,
    off: impl Fn(usize, f64, f64, &Features) -> f64,
) {
    let step = found.len() / rows.len();
    assert!(step == 1 || step == 4, "{what}: {} hops, {} rows", found.len(), rows.len());
    for (row, expected) in rows.iter().enumerate() {
        let hop = &found[step * row + step - 1];
        for (column, (found, &expected)) in values(hop).into_iter().zip(expected).enumerate() {
            let off = off(column, found, expected, hop);
            assert!(off <= 1.0, "{what}, hop {}, column {column}: {found} for {expected}", hop.hop);
        }
    }
}

fn within(limit: f64) -> impl Fn(usize, f64, f64, &Features) -> f64 {
    move |_, found, expected, _| (found - expected).abs() / limit
}

/// The energies and levels of a sound, and the file with everything else.
fn check_levels(name: &str) -> (Vec<Features>, Vec<u8>) {
    let found = features(&samples(&format!("{name}.flac")));
    let file = std::fs::read(fixture(&format!("audio/expected_{name}.safetensors"))).expect("the fixture is there");
    let tensors = SafeTensors::deserialize(&file).expect("the fixture");
    let relative = |_: usize, found: f64, expected: f64, _: &Features| match expected > 1e-9 {
        true => (found / expected - 1.0).abs() / 1e-3,
        false => 0.0,
    };
    compare("energy", &found, &rows(&tensors, "energy_4"), |f| f.energy.to_vec(), relative);
    compare("level", &found, &rows(&tensors, "level_4"), |f| f.levels.to_vec(), within(0.002));
    (found, file)
}

#[test]
fn bands_agree_in_a_sweep() {
    check_levels("sweep");
}

#[test]
fn everything_agrees_in_a_song() {
    let (found, file) = check_levels("song_128_m20");
    let tensors = SafeTensors::deserialize(&file).expect("the fixture");
    compare("chroma", &found, &rows(&tensors, "chroma_4"), |f| f.chroma.to_vec(), within(0.01));
    compare("flux", &found, &rows(&tensors, "flux_1"), |f| f.flux.to_vec(), within(1e-3));
    let scalars = rows(&tensors, "scalars_1");
    let values = |f: &Features| {
        let levels = vec![f.rms, f.peak, f.level, f.reference_db, f.centroid_hz];
        [levels, vec![f.onset_strength, f.bpm, f.confidence, f.phase]].concat()
    };
    const LIMITS: [f64; 9] = [1e-5, 1e-5, 0.002, 0.01, 2.0, 2e-3, 0.1, 0.02, 0.02];
    compare("scalars", &found, &scalars, values, |column, found, expected, f| {
        let off = match column {
            // The centre of next to nothing.
            4 if f.rms <= 1e-4 => 0.0,
            8 => (found - expected + 0.5).rem_euclid(1.0) - 0.5,
            _ => found - expected,
        };
        off.abs() / LIMITS[column]
    });
    let beats = |hops: &mut dyn Iterator<Item = bool>| -> Vec<usize> {
        hops.enumerate().filter_map(|(hop, beat)| beat.then_some(hop)).collect()
    };
    assert_eq!(beats(&mut found.iter().map(|f| f.beat)), beats(&mut scalars.iter().map(|row| row[9] > 0.5)));
    let hits: Vec<Vec<bool>> = tensors
        .tensor("hit_1")
        .expect("hits")
        .data()
        .chunks(4)
        .map(|row| row.iter().map(|&b| b == 1).collect())
        .collect();
    let found: Vec<Vec<bool>> =
        found.iter().map(|f| vec![f.hits.onset, f.hits.kick, f.hits.snare, f.hits.hat]).collect();
    assert_eq!(found, hits);
    assert!(hits.iter().flatten().filter(|&&hit| hit).count() > 100, "there is something to compare");
}
