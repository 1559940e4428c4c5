//! Clusters of channels: those of a layer that draw in the same places together, for bends.
//!
//! Broad, Leymarie and Grierson ("Network Bending", 2021) train a small network for each layer and cluster its features by k-means.
//! Here nothing is trained: a channel is described by its maps of a few seeds, averaged to 4 x 4 cells, without their mean and their
//! strength, and the centres begin far from each other instead of at random, so that everybody gets the same clusters. They are kept in
//! the cache folder by the hash of the network's file. Runs on a thread of its own.

use std::collections::HashMap;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::Network;
use super::directions::{fill_class, w_of_seed};
use super::kept::Kept;
use crate::engine::bend::{self, Channels, Cluster};
use crate::engine::{EngineError, Inputs, Program};
use crate::image::Image;
use crate::params::Choice;

/// Clusters of a layer.
pub const COUNT: usize = Cluster::WORDS.len() - 1;
/// Seeds whose maps are looked at, from 0.
const SEEDS: usize = 16;
/// Truncation psi of these.
const PSI: f32 = 0.7;
/// Cells in each direction into which a map is averaged.
const CELLS: usize = 4;
/// Numbers that describe a channel.
const LENGTH: usize = SEEDS * CELLS * CELLS;
/// Numbers that are closer to their mean than this draw nothing.
const LEAST: f64 = 1e-12;
/// Most rounds of k-means.
const ROUNDS: usize = 100;
/// Changes with every rule above.
const RULES: u32 = 1;
/// Largest file of clusters.
const MOST_CACHED: u64 = 1 << 20;

/// The clusters of all layers that can be bent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clusters {
    layers: Vec<[Channels; COUNT]>,
}

impl Clusters {
    fn new(labels: &[Vec<u8>]) -> Clusters {
        let sets = |labels: &Vec<u8>| {
            let mut sets = [Channels::default(); COUNT];
            labels.iter().zip(0..).for_each(|(label, channel)| sets[usize::from(*label)].insert(channel..=channel));
            sets
        };
        Clusters { layers: labels.iter().map(sets).collect() }
    }

    /// The channels of a cluster, 0 the largest, of a layer by its number in [`bend::layers`]; none, where there is no such layer.
    pub fn channels(&self, layer: usize, cluster: usize) -> Channels {
        self.layers.get(layer).and_then(|sets| sets.get(cluster)).copied().unwrap_or_default()
    }
}

/// The clusters of a network: from the cache folder, if they have been found before, or else by what `program` draws.
///
/// # Errors
/// When its pictures cannot be drawn.
pub fn of(
    network: &Network,
    program: impl FnOnce() -> Result<Box<dyn Program>, EngineError>,
) -> Result<Clusters, EngineError> {
    let kept = Kept::of(network, "clusters", &format!("{RULES}-{COUNT}"));
    if let Some(labels) = kept.as_ref().and_then(|kept| read(kept, network)) {
        return Ok(Clusters::new(&labels));
    }
    let labels = find(network, &mut *program()?, COUNT)?;
    if let Some(kept) = kept {
        kept.write(|| bytes(&labels));
    }
    Ok(Clusters::new(&labels))
}

/// The cluster of each channel, of every layer that can be bent: `count` clusters, 0 the largest.
///
/// # Errors
/// When `program` cannot draw, or keeps no maps.
pub fn find(network: &Network, program: &mut dyn Program, count: usize) -> Result<Vec<Vec<u8>>, EngineError> {
    let (layers, mapping) = (bend::layers(&network.plan), &network.mapping);
    let mut described: Vec<Vec<f64>> = layers.iter().map(|layer| vec![0.0; layer.channels * LENGTH]).collect();
    let (mut class, mut ws, mut picture) = (Vec::new(), Vec::new(), Image::default());
    for seed in 0..SEEDS {
        fill_class(mapping, seed, &mut class);
        mapping.truncate_in_class(&class, &w_of_seed(mapping, seed), PSI, usize::MAX, &mut ws);
        program.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut picture)?;
        for (layer, described) in layers.iter().zip(&mut described) {
            let map = program.tap(&network.plan.get(layer.out).name).ok_or_else(|| EngineError::Unavailable {
                engine: program.engine(),
                reason: format!("it keeps no map of {}", layer.name),
            })?;
            for (channel, described) in described.chunks_exact_mut(LENGTH).enumerate() {
                describe(&map, channel, &mut described[seed * CELLS * CELLS..]);
            }
        }
    }
    Ok(described.into_iter().map(|described| sort(described, count)).collect())
}

/// Writes the means of the cells of a channel: rows of them, from the top left.
fn describe(map: &Image, channel: usize, cells: &mut [f64]) {
    let plane = &map.data[channel * map.height * map.width..][..map.height * map.width];
    let ends = |side: usize, at: usize| (at * side / CELLS, ((at + 1) * side).div_ceil(CELLS));
    for (cell, at) in cells.iter_mut().zip(0..CELLS * CELLS) {
        let ((top, bottom), (left, right)) = (ends(map.height, at / CELLS), ends(map.width, at % CELLS));
        let rows = (top..bottom).flat_map(|y| &plane[y * map.width + left..y * map.width + right]);
        *cell = rows.map(|x| f64::from(*x)).sum::<f64>() / ((bottom - top) * (right - left)).max(1) as f64;
    }
}

/// The cluster of each channel, of which there are rows of `LENGTH` numbers.
fn sort(mut described: Vec<f64>, count: usize) -> Vec<u8> {
    let mut strengths = Vec::with_capacity(described.len() / LENGTH);
    for channel in described.chunks_exact_mut(LENGTH) {
        let mean = channel.iter().sum::<f64>() / LENGTH as f64;
        channel.iter_mut().for_each(|x| *x -= mean);
        let strength = channel.iter().map(|x| x * x).sum::<f64>().sqrt();
        let scale = if strength > LEAST { 1.0 / strength } else { 0.0 };
        channel.iter_mut().for_each(|x| *x *= scale);
        strengths.push(strength);
    }
    let points: Vec<&[f64]> = described.chunks_exact(LENGTH).collect();
    by_size(&k_means(&points, &strengths, count), count)
}

/// Squared.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// Where the largest number is; the first, of equal ones.
fn largest(numbers: &[f64]) -> usize {
    (0..numbers.len()).fold(0, |most, at| if numbers[at] > numbers[most] { at } else { most })
}

/// Lloyd's k-means. The first centre is the strongest point, each further one the point farthest from those before it.
fn k_means(points: &[&[f64]], strengths: &[f64], count: usize) -> Vec<u8> {
    let mut centres: Vec<Vec<f64>> = Vec::new();
    let mut nearest = vec![f64::INFINITY; points.len()];
    for number in 0..count.min(points.len()) {
        let next = largest(if number == 0 { strengths } else { &nearest });
        nearest
            .iter_mut()
            .zip(points)
            .for_each(|(nearest, point)| *nearest = nearest.min(distance(point, points[next])));
        centres.push(points[next].to_vec());
    }
    let mut labels: Vec<u8> = Vec::new();
    for _ in 0..ROUNDS {
        let closest = |point: &&[f64]| {
            let distances: Vec<f64> = centres.iter().map(|centre| -distance(point, centre)).collect();
            let label = largest(&distances);
            (label as u8, distances.get(label).map_or(0.0, |far| -far))
        };
        let (found, distances): (Vec<u8>, Vec<f64>) = points.iter().map(closest).unzip();
        if found == labels {
            break;
        }
        labels = found;
        for (centre, number) in centres.iter_mut().zip(0..) {
            let members = || points.iter().zip(&labels).filter(|(_, label)| **label == number).map(|(point, _)| point);
            let size = members().count();
            if size == 0 {
                // It takes the point that fits its own worst.
                centre.copy_from_slice(points[largest(&distances)]);
                continue;
            }
            centre.fill(0.0);
            members().for_each(|point| centre.iter_mut().zip(*point).for_each(|(sum, x)| *sum += x));
            centre.iter_mut().for_each(|sum| *sum /= size as f64);
        }
    }
    labels
}

/// Numbers clusters by their sizes, the largest first; of equal ones, that of the lowest channel.
fn by_size(labels: &[u8], count: usize) -> Vec<u8> {
    let size = |number: u8| labels.iter().filter(|label| **label == number).count();
    let first = |number: u8| labels.iter().position(|label| *label == number);
    let mut order: Vec<u8> = (0..count as u8).collect();
    order.sort_by_key(|number| (std::cmp::Reverse(size(*number)), first(*number).unwrap_or(usize::MAX)));
    let mut names = vec![0; count];
    order.iter().zip(0..).for_each(|(number, name)| names[usize::from(*number)] = name);
    labels.iter().map(|label| names[usize::from(*label)]).collect()
}

/// The clusters of the channels of each layer, if they are all there.
fn read(kept: &Kept, network: &Network) -> Option<Vec<Vec<u8>>> {
    let bytes = kept.read(MOST_CACHED)?;
    let tensors = SafeTensors::deserialize(&bytes).ok()?;
    let labels = |(number, layer): (usize, &bend::Layer)| {
        let view = tensors.tensor(&number.to_string()).ok().filter(|view| view.dtype() == Dtype::U8)?;
        let labels = view.data().to_vec();
        let is_whole = labels.len() == layer.channels && labels.iter().all(|label| usize::from(*label) < COUNT);
        is_whole.then_some(labels)
    };
    bend::layers(&network.plan).iter().enumerate().map(labels).collect()
}

fn bytes(labels: &[Vec<u8>]) -> std::io::Result<Vec<u8>> {
    let mut tensors = HashMap::new();
    for (number, labels) in labels.iter().enumerate() {
        let view = TensorView::new(Dtype::U8, vec![labels.len()], labels).map_err(std::io::Error::other)?;
        tensors.insert(number.to_string(), view);
    }
    safetensors::serialize(tensors, None).map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::engine::cpu::Cpu;
    use crate::network;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
    }

    fn program(network: &Network) -> Result<Box<dyn Program>, EngineError> {
        Ok(Box::new(Cpu::new(2).program(network.plan.clone())?))
    }

    #[test]
    fn clusters_are_those_of_the_prototype() {
        let network = network::open(fixture("sg2_32.safetensors")).unwrap();
        let bytes = std::fs::read(fixture("latent/bend_state.safetensors")).unwrap();
        let expected = SafeTensors::deserialize(&bytes).unwrap();
        for (layer, count) in [(2, 4), (4, 5)] {
            let found = find(&network, &mut *program(&network).unwrap(), count).unwrap();
            let numbers = expected.tensor(&format!("cluster.{layer}")).unwrap().data().as_chunks::<4>().0;
            let numbers: Vec<u8> = numbers.iter().map(|number| i32::from_le_bytes(*number) as u8).collect();
            assert_eq!(found[layer], numbers, "layer {layer}");
            assert_eq!(found.len(), 7);
        }
    }

    #[test]
    fn clusters_are_kept_and_found_by_layer_and_letter() {
        let network = network::open(fixture("sg2_32.safetensors")).unwrap();
        let folder = std::env::temp_dir().join(format!("latent-jockey-clusters-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let kept = Kept::in_folder(&folder, &network, "clusters", "1").unwrap();
        assert_eq!(read(&kept, &network), None);
        let found = find(&network, &mut *program(&network).unwrap(), COUNT).unwrap();
        kept.write(|| bytes(&found));
        assert_eq!(read(&kept, &network), Some(found.clone()));
        let other = network::open(fixture("fastgan_256.safetensors")).unwrap();
        assert_eq!(read(&kept, &other), None, "not of this network");
        std::fs::remove_dir_all(folder).unwrap();
        let clusters = Clusters::new(&found);
        let sizes: Vec<usize> = (0..COUNT)
            .map(|cluster| (0..32).filter(|channel| clusters.channels(2, cluster).has(*channel)).count())
            .collect();
        assert!(sizes.iter().sum::<usize>() == 32 && sizes.is_sorted_by(|a, b| a >= b), "{sizes:?}");
        assert_eq!(clusters.channels(7, 0), Channels::default(), "there is no such layer");
    }

    #[test]
    fn few_channels_and_equal_ones_are_no_trouble() {
        let row = |at: usize| (0..LENGTH).map(|i| if i == at { 1.0 } else { 0.0 }).collect::<Vec<f64>>();
        assert_eq!(sort(Vec::new(), 5), [0; 0]);
        assert_eq!(sort(row(3), 5), [0]);
        assert_eq!(sort([row(3), row(3), row(5), vec![0.0; LENGTH]].concat(), 2).len(), 4);
        // Channels that draw the same are in one cluster, and two clusters of one size are in the order of their channels.
        assert_eq!(sort([row(9), row(3), row(9), row(3), row(3), row(7)].concat(), 3), [1, 0, 1, 0, 0, 2]);
        assert_eq!(sort([row(7), row(3), row(7), row(3)].concat(), 2), [0, 1, 0, 1]);
    }
}
