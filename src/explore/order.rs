//! In which order pictures are shown. Pure.

use super::survey::Look;

/// What pictures are sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Order {
    /// By their seeds
    #[default]
    Seed,
    /// The strangest first: the least real to the file's discriminator, or those farthest from what the network usually makes
    Artifacts,
    /// The most usual first: the other way round
    Usual,
    /// From the network's average picture outwards
    Average,
    /// By hue from red over yellow, green and blue; greys last, the darkest first
    Colour,
    /// The likest first: see --like
    Like,
}

/// A picture to be sorted.
#[derive(Clone, Debug)]
pub struct Item {
    pub seed: u32,
    /// What it is sorted by, smallest first: its meaning depends on the order.
    pub value: f32,
}

/// Chroma in Oklab below which a mean colour counts as grey.
const GREY: f32 = 0.02;

/// What a picture is sorted by. `strange` grows with how strange it is, `w` is before truncation, `centre` the network's mean
/// w, `liked` the features that others should resemble.
pub fn value(order: Order, look: Option<&Look>, strange: Option<f32>, [w, centre]: [&[f32]; 2], liked: &[f32]) -> f32 {
    match order {
        Order::Seed => 0.0,
        Order::Artifacts => -strange.unwrap_or_default(),
        Order::Usual => strange.unwrap_or_default(),
        Order::Average => w.iter().zip(centre).map(|(w, c)| (w - c) * (w - c)).sum::<f32>().sqrt(),
        Order::Colour => look.map_or(f32::INFINITY, |look| match look.colour() {
            [lightness, chroma, _] if chroma < GREY => 1.0 + lightness,
            [_, _, hue] => hue,
        }),
        Order::Like => look.map_or(f32::INFINITY, |look| 1.0 - cosine(look.features(), liked)),
    }
}

/// Sorts by value, and by seed where that is the same.
pub fn sort(items: &mut [Item]) {
    items.sort_by(|a, b| a.value.total_cmp(&b.value).then(a.seed.cmp(&b.seed)));
}

/// Cosine of the angle between two lists: 1 for the same direction; 0 if one has no length.
fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { dot(a, b) / lengths } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_are_sorted_by_seed_and_numbers_that_are_none_come_last() {
        let item = |seed, value| Item { seed, value };
        let mut items = [item(5, f32::NAN), item(4, 1.0), item(3, f32::INFINITY), item(2, 1.0), item(1, -3.0)];
        sort(&mut items);
        assert_eq!(items.map(|item| item.seed), [1, 2, 4, 3, 5]);
    }

    #[test]
    fn likeness_is_an_angle_and_average_a_distance() {
        assert!((cosine(&[1.0, 0.0], &[3.0, 0.0]) - 1.0).abs() < 1e-6);
        assert!(cosine(&[1.0, 0.0], &[0.0, 2.0]).abs() < 1e-6);
        assert_eq!(cosine(&[0.0, 0.0], &[0.0, 2.0]), 0.0);
        let value = value(Order::Average, None, None, [&[3.0, 4.0], &[0.0, 0.0]], &[]);
        assert_eq!(value, 5.0);
    }
}
