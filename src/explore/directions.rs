//! The directions that a page moves its pictures along, found by a thread of their own.

use std::sync::Arc;

use super::worker::Queue;
use crate::engine::cpu::Cpu;
use crate::engine::{Inputs, Program};
use crate::image::Image;
use crate::latent::layers::Layers;
use crate::network::Network;
use crate::params::DIR_KNOBS;
use crate::patch::directions::load;
use crate::process::become_idle_thread;

/// A direction of a network, as `/dir/NAME` follows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Direction {
    /// The network's own name for it, or its number.
    pub name: String,
    pub layers: Layers,
    /// One step: `[w_dim]`.
    pub step: Vec<f32>,
}

/// Finds the directions of a network and puts them into the queue; pictures are drawn for it by so many threads, at the lowest
/// priority. Once the queue is closed, it soon ends; it is not waited for.
///
/// # Errors
/// When the system refuses the thread `directions`.
pub fn find(network: Arc<Network>, threads: usize, queue: Queue) -> std::io::Result<()> {
    let run = move || {
        become_idle_thread();
        let found = all(&network, threads, &queue);
        queue.set_directions(found);
    };
    std::thread::Builder::new().name("directions".to_owned()).spawn(run).map(drop)
}

/// A network's directions: those that it names first.
fn all(network: &Network, threads: usize, queue: &Queue) -> Vec<Direction> {
    // As the show finds them, so that their order is the same.
    let Ok(mut exact) = Cpu::new(threads).program(network.plan.clone()) else { return Vec::new() };
    let loaded = load(network, |ws| {
        if queue.is_closed() {
            return None;
        }
        let mut image = Image::default();
        exact.draw(&Inputs { ws, ..Inputs::default() }, &mut image).ok()?;
        Some(image.data)
    });
    loaded.problems.iter().for_each(|problem| tracing::warn!("{problem}"));
    let zones = network.zones();
    let own = loaded.named.into_iter().map(|(named, step)| {
        let layers = zones.layers(named.zone, named.layers);
        Direction { name: named.name, layers, step }
    });
    let everywhere = Layers { from: 0, to: usize::MAX };
    let found = loaded.found.iter().enumerate().map(|(number, direction)| {
        let step = direction.step();
        Direction { name: number.to_string(), layers: everywhere, step }
    });
    own.chain(found.take(DIR_KNOBS)).collect()
}
