//! The directions of a network, found by itself, and those of other tools ([`foreign`]).
//!
//! 10,000 seeds are mapped and the style weights factorised, in seconds; what was found is kept in the cache folder by the hash
//! of the file. Runs on a thread of its own or in a command.

mod cache;
pub mod foreign;

use std::sync::{Mutex, PoisonError};

use super::Network;
use crate::engine::plan::Op;
use crate::latent::directions::{Direction, Moments, find};
use crate::latent::layers::{Layers, add};
use crate::latent::mapping::{FullyConnected, Mapping};
use crate::latent::seed::fill_from_seed;
use crate::params::DIR_KNOBS;

/// Seeds that are mapped, from 0: everybody gets the same directions.
pub const SEEDS: usize = 10_000;
/// How many are mapped at once.
const BATCH: usize = 500;
/// Most directions of a network.
pub const MOST: usize = 32;
/// How many of them are ranked by pictures: those that have knobs.
const SEEN: usize = DIR_KNOBS;
/// Most multiplications for these pictures: larger networks draw fewer. It does not depend on the machine, so that the order is
/// the same on all.
const MOST_MACS: u64 = 400_000_000_000;
/// Most seeds whose pictures are drawn.
const MOST_SEEN_SEEDS: u64 = 4;
/// Truncation psi of these pictures.
const PSI: f32 = 0.7;

/// The directions of a network, the strongest first, at most [`MOST`]. From the cache folder, if they have been found before.
/// `draw` makes a picture of ws `[num_ws, w_dim]`; without pictures they stay in the order of what the layers read.
pub fn of(network: &Network, draw: impl FnMut(&[f32]) -> Option<Vec<f32>>) -> Vec<Direction> {
    // One after another: the next one that wants those of the same network gets them from the cache folder.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let key = cache::Key::of(network);
    if let Some(known) = key.as_ref().and_then(|key| key.read(network.mapping.w_dim)) {
        return known;
    }
    let mut found = compute(network);
    let is_ranked = rank(network, &mut found, draw);
    if let Some(key) = key.filter(|_| is_ranked) {
        key.write(&found);
    }
    found
}

/// Sorts the first directions by how much they change the picture of a few seeds. A network that is too large for that keeps
/// its order, and so does one whose pictures cannot be drawn: false.
pub fn rank(network: &Network, found: &mut [Direction], mut draw: impl FnMut(&[f32]) -> Option<Vec<f32>>) -> bool {
    let seen = found.len().min(SEEN);
    let each = (2 * seen as u64).saturating_mul(network.plan.macs()).max(1);
    let seeds = (MOST_MACS / each).min(MOST_SEEN_SEEDS);
    let mut changes = Vec::with_capacity(seen);
    for direction in &found[..seen] {
        let Some(change) = change(network, direction, seeds as usize, &mut draw) else { return false };
        changes.push(change as f32);
    }
    found.iter_mut().zip(changes).for_each(|(direction, change)| direction.change = change);
    found[..seen].sort_by(|a, b| b.change.total_cmp(&a.change));
    true
}

/// Half the difference of the pictures one step ahead and one step back, root mean square, on average over the first seeds.
fn change(
    network: &Network,
    direction: &Direction,
    seeds: usize,
    draw: &mut impl FnMut(&[f32]) -> Option<Vec<f32>>,
) -> Option<f64> {
    let (mapping, step) = (&network.mapping, direction.step());
    let (mut class, mut ws, mut sum) = (Vec::new(), Vec::new(), 0.0);
    for seed in 0..seeds {
        let w = w_of_seed(mapping, seed);
        fill_class(mapping, seed, &mut class);
        let mut moved = |amount: f32| {
            mapping.truncate_in_class(&class, &w, PSI, usize::MAX, &mut ws);
            add(&mut ws, &step, amount, Layers { from: 0, to: usize::MAX });
            draw(&ws)
        };
        let (before, after) = (moved(-1.0)?, moved(1.0)?);
        let squares: f64 = before.iter().zip(&after).map(|(a, b)| f64::from((b - a) / 2.0).powi(2)).sum();
        sum += (squares / before.len().max(1) as f64).sqrt();
    }
    Some(sum / seeds.max(1) as f64)
}

/// The w `[w_dim]` of a seed, without truncation: the seeds are spread over the classes.
pub fn w_of_seed(mapping: &Mapping, seed: usize) -> Vec<f32> {
    mapping.map_many(1, |_, z, c| fill(mapping, seed, z, c))
}

/// z and label of a seed: the seeds are spread over the classes.
fn fill(mapping: &Mapping, seed: usize, z: &mut [f32], c: &mut Vec<f32>) {
    fill_from_seed(seed as u32, z);
    fill_class(mapping, seed, c);
}

/// The label `[c_dim]` of a seed.
pub(super) fn fill_class(mapping: &Mapping, seed: usize, c: &mut Vec<f32>) {
    c.clear();
    c.resize(mapping.c_dim, 0.0);
    if mapping.c_dim > 0 {
        c[seed % mapping.c_dim] = 1.0;
    }
}

/// As [`of`], without pictures and without the cache folder.
pub fn compute(network: &Network) -> Vec<Direction> {
    find(&moments(&network.mapping, SEEDS), !network.mapping.layers.is_empty(), &styles(network), MOST)
}

/// Mean and covariance of the w of the first `count` seeds, spread over the classes.
pub fn moments(mapping: &Mapping, count: usize) -> Moments {
    let mut moments = Moments::new(&mapping.w_avg);
    for from in (0..count).step_by(BATCH) {
        let w = mapping.map_many(BATCH.min(count - from), |n, z, c| fill(mapping, from + n, z, c));
        moments.add(&w);
    }
    moments
}

/// What each layer makes of its w: of the convolutions, and of the last conversion to colours.
pub fn styles(network: &Network) -> Vec<&FullyConnected> {
    let last_rgb = network.plan.steps.iter().rposition(|step| matches!(step.op, Op::ToRgb(_)));
    let is_layer = |(i, op): &(usize, &Op)| !matches!(op, Op::ToRgb(_)) || Some(*i) == last_rgb;
    let layers = network.plan.steps.iter().map(|step| &step.op).enumerate().filter(is_layer);
    let affine = layers.filter_map(|(_, op)| op.style()).map(|style| &style.affine);
    affine.filter(|affine| !affine.weight.is_empty() && affine.inputs == network.mapping.w_dim).collect()
}

#[cfg(test)]
mod test;
