//! A photograph becomes a point of the latent space: the w, and then the ws, whose picture is most like it.
//!
//! Every network of every engine can be asked: the best of many seeds ([`Space`]), what a linear map from small pictures to
//! principal coordinates guesses ([`linear`]), and from the better of the two CMA-ES (Hansen and Ostermeier, 2001) for one w. Where
//! the engine knows gradients, Adam goes on from there with a w for each layer ([`descent`]); elsewhere CMA-ES does, with a w for
//! each zone. What is alike is decided by [`Likeness`]. How good the result is depends on the network: a photograph of what it was
//! not trained on has no likeness in it, which is why every distance is told beside that of the mean picture. Takes minutes: for
//! commands.

mod descent;
mod likeness;
mod linear;
mod space;

use cmaes::{CMAESOptions, DVector};

use crate::engine::{EngineError, Inputs, Noise, NoiseMode, Program};
use crate::image::Image;
use crate::latent::layers::Layers;
use crate::network::Network;
use crate::network::directions::w_of_seed;
pub use likeness::Likeness;
pub use space::Space;

/// Principal coordinates of w that are searched, and of what each zone adds to it.
const AXES: usize = 48;
const ZONE_AXES: usize = 16;
/// The part of all pictures that seeds take, and that w takes; less where gradients come after it.
const SEEDS: f64 = 0.25;
const FOR_W: f64 = 0.5;
const FOR_W_BEFORE_GRADIENTS: f64 = 0.25;
/// First steps of the search, in standard deviations of w.
const STEP: f64 = 0.4;
const ZONE_STEP: f64 = 0.25;
/// What a point pays for being unlikely: a w that is as likely as most pays this.
const UNLIKELY: f64 = 0.02;
/// The search gives the same on every run.
const RANDOM: u64 = 1;

/// What was found. Distances are [`Likeness::distance`]'s: 0 is the photograph itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// `[num_ws, w_dim]`, after truncation.
    pub ws: Vec<f32>,
    /// Its distance.
    pub distance: f64,
    /// That of the mean picture.
    pub mean: f64,
    /// The best seed and its distance.
    pub seed: (u32, f64),
    /// The distance of what the linear map guesses, and how much of unseen coordinates it explains: R², 1 is all.
    pub linear: Option<(f64, f64)>,
    /// The distance of the best w for all layers.
    pub w: f64,
    /// Whether each layer has a w of its own, by gradients; otherwise each zone has.
    pub by_gradients: bool,
}

/// Draws pictures of one network, and compares them with the photograph.
pub struct Projector<'a> {
    network: &'a Network,
    program: Box<dyn Program>,
    likeness: Likeness<'a>,
    image: Image,
    /// The first failure.
    failure: Option<EngineError>,
    tick: &'a mut dyn FnMut(),
}

impl<'a> Projector<'a> {
    /// `tick` is called for each picture.
    pub fn new(
        network: &'a Network,
        program: Box<dyn Program>,
        likeness: Likeness<'a>,
        tick: &'a mut dyn FnMut(),
    ) -> Projector<'a> {
        Projector { network, program, likeness, image: Image::default(), failure: None, tick }
    }

    /// The picture of ws `[num_ws, w_dim]`.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn draw(&mut self, ws: &[f32]) -> Result<&Image, EngineError> {
        let noise = Noise { mode: NoiseMode::Const, gain: 1.0 };
        self.program.draw(&Inputs { ws, noise, ..Inputs::default() }, &mut self.image)?;
        Ok(&self.image)
    }

    /// The distance of the picture of ws; after a failure, infinite.
    fn distance(&mut self, ws: &[f32]) -> f64 {
        if self.failure.is_some() {
            return f64::MAX;
        }
        (self.tick)();
        match self.draw(ws).map(|_| ()) {
            Ok(()) => self.likeness.distance(&self.image),
            Err(error) => {
                self.failure = Some(error);
                f64::MAX
            }
        }
    }

    fn ws_of(&self, w: &[f32]) -> Vec<f32> {
        w.repeat(self.network.mapping.num_ws)
    }

    /// Searches with about so many pictures, at least 64.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn find(&mut self, space: &Space, pictures: usize) -> Result<Found, EngineError> {
        let pictures = pictures.max(64) as f64;
        let mean = self.distance(&self.ws_of(space.mean()));
        let (mut samples, mut seed) = (linear::Samples::default(), (0, f64::MAX));
        let mut best = (vec![0.0; space.len()], mean);
        for number in 0..(pictures * SEEDS) as u32 {
            let w = w_of_seed(&self.network.mapping, number as usize);
            let distance = self.distance(&self.ws_of(&w));
            let coordinates = space.coordinates(&w);
            samples.add(&self.image, &coordinates);
            if distance < seed.1 {
                seed = (number, distance);
            }
            if distance < best.1 {
                best = (coordinates, distance);
            }
        }
        let guess = samples.fit().map(|fit| (fit.coordinates(self.likeness.photo()), fit.r2));
        let linear = guess.map(|(coordinates, r2)| {
            let distance = self.distance(&self.ws_of(&space.w(&coordinates)));
            if distance < best.1 {
                best = (coordinates, distance);
            }
            (distance, r2)
        });
        let axes = space.len().min(AXES);
        let (start, mut w) = best;
        let mut at = start.clone();
        let by_gradients = self.knows_gradients(&self.ws_of(&space.w(&start)));
        let for_w = if by_gradients { FOR_W_BEFORE_GRADIENTS } else { FOR_W };
        let searched = self.search(&start[..axes], STEP, (pictures * for_w) as usize, |this, point| {
            at[..axes].copy_from_slice(point);
            this.distance(&this.ws_of(&space.w(&at))) + unlikely(&at)
        });
        // What lies beyond the axes stays as it was.
        let mut at = start;
        if let Some(point) = searched {
            at[..axes].copy_from_slice(&point);
        }
        let mut ws = self.ws_of(&space.w(&at));
        w = w.min(self.distance(&ws));
        let mut distance = w;
        let left = (pictures * (1.0 - SEEDS - for_w)) as usize;
        let found = if by_gradients { self.descend(space, &ws, left) } else { self.apart(space, &ws, left) };
        if let Some(found) = found {
            let found_distance = self.distance(&found);
            if found_distance < distance {
                (ws, distance) = (found, found_distance);
            }
        }
        match self.failure.take() {
            Some(error) => Err(error),
            None => Ok(Found { ws, distance, mean, seed, linear, w, by_gradients }),
        }
    }

    /// The best ws that CMA-ES finds with a w for each zone; `None` where there is one zone.
    fn apart(&mut self, space: &Space, base: &[f32], pictures: usize) -> Option<Vec<f32>> {
        let zones = zones(self.network.mapping.num_ws);
        let part = space.len().min(ZONE_AXES);
        let apart = |point: &[f64]| {
            let mut ws = base.to_vec();
            for (zone, by) in zones.iter().zip(point.chunks_exact(part.max(1))) {
                space.add(&mut ws, by, *zone);
            }
            ws
        };
        if zones.len() < 2 {
            return None;
        }
        let none = vec![0.0; zones.len() * part];
        let found =
            self.search(&none, ZONE_STEP, pictures, |this, point| this.distance(&apart(point)) + unlikely(point));
        found.map(|point| apart(&point))
    }

    /// The best point that CMA-ES finds near a start; `None` where there is nothing to search.
    fn search(
        &mut self,
        start: &[f64],
        step: f64,
        pictures: usize,
        mut cost: impl FnMut(&mut Self, &[f64]) -> f64,
    ) -> Option<Vec<f64>> {
        if start.is_empty() || pictures == 0 {
            return None;
        }
        let options = CMAESOptions::new(start.to_vec(), step).seed(RANDOM).max_function_evals(pictures);
        let found = options.build(|point: &DVector<f64>| cost(self, point.as_slice())).ok()?.run();
        found.overall_best.map(|best| best.point.as_slice().to_vec())
    }
}

fn unlikely(coordinates: &[f64]) -> f64 {
    UNLIKELY * coordinates.iter().map(|x| x * x).sum::<f64>() / coordinates.len().max(1) as f64
}

/// Thirds of the layers; one for networks with fewer than three.
fn zones(num_ws: usize) -> Vec<Layers> {
    let starts = if num_ws < 3 { vec![0] } else { vec![0, num_ws / 3, 2 * num_ws / 3] };
    let ends = starts.iter().skip(1).copied().chain([num_ws]);
    starts.iter().zip(ends).map(|(from, end)| Layers { from: *from, to: end.saturating_sub(1) }).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::caption::Captioner;
    use crate::engine::Engine;
    use crate::engine::cpu::Cpu;

    #[test]
    fn a_picture_of_the_network_is_nearly_found_again() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sg2_32.safetensors");
        let network = crate::network::open(file).unwrap();
        let captioner = Captioner::open(None).unwrap();
        let space = Space::of(&network, 64);
        // No seed that is looked at.
        let w = w_of_seed(&network.mapping, 4711);
        let mut photo = Image::default();
        let mut program = Cpu::default().prepare(network.plan.clone()).unwrap();
        let ws = w.repeat(network.mapping.num_ws);
        program.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut photo).unwrap();
        let likeness = Likeness::new(&captioner, &photo);
        let own = likeness.distance(&photo);
        assert!(own < 1e-6, "a picture is like itself: {own}");
        let mut count = 0;
        let mut tick = || count += 1;
        let found = Projector::new(&network, program, likeness, &mut tick).find(&space, 240).unwrap();
        assert!(found.seed.1 < found.mean || found.seed.1 < 2.0 * found.mean, "{found:?}");
        assert!(found.distance < 0.8 * found.seed.1.min(found.mean), "{found:?}");
        assert!(found.distance <= found.w && found.ws.len() == ws.len());
        assert!((240..300).contains(&count), "{count} pictures");
    }

    #[test]
    fn every_layer_is_in_one_zone() {
        for num_ws in [1, 2, 3, 8, 14, 18] {
            let zones = zones(num_ws);
            for layer in 0..num_ws {
                assert_eq!(zones.iter().filter(|zone| zone.contains(layer)).count(), 1, "{layer} of {num_ws}");
            }
        }
    }
}
