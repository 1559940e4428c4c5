//! Two networks of one shape become a third: their numbers are interpolated, or some layers come from the one and some from the
//! other.
//!
//! Interpolated are the numbers of the files, before anything is folded into them: norms and statistics of a blend are computed
//! from the blend. A layer that is wholly of one network keeps that network's numbers without a copy of its weights. Noise images
//! are always the first network's: the mean of two would have half the variance. Source of the layer-wise blend: Pinkney and
//! Adler, "Resolution Dependent GAN Interpolation for Controllable Image Synthesis Between Domains" (2020). Runs on the loader's
//! thread.

use std::path::Path;
use std::sync::Arc;

use super::checkpoint::{Checkpoint, Second};
use super::{Network, NetworkError, lower};
use crate::engine::plan::{Op, Plan, Weights};
use crate::latent::mapping::{FullyConnected, Mapping};

/// How much of the second network is in each layer.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// 0 is the first network alone, 1 the second, where it plays.
    pub amount: f32,
    /// `None` for all layers, with the mapping network.
    pub swap: Option<Swap>,
}

/// The second network plays from a resolution on; the mapping network stays the first one's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Swap {
    /// Side of the map, in pixels of a picture.
    pub resolution: usize,
    /// How softly it sets in, in half resolutions: 0 between two layers, otherwise along the logistic function.
    pub width: f32,
}

impl Share {
    /// Of a layer, by the name of its step or of one of its tensors; `resolution` is the picture's.
    pub fn of(&self, layer: &str, resolution: usize) -> f32 {
        let part = match (self.swap, position(layer, resolution)) {
            (None, _) => 1.0,
            (Some(_), None) => 0.0,
            (Some(swap), Some(position)) => swap.at(position),
        };
        self.amount * part
    }

    /// Of the mapping network.
    fn of_mapping(&self) -> f32 {
        if self.swap.is_some() { 0.0 } else { self.amount }
    }
}

impl Swap {
    fn at(&self, position: f32) -> f32 {
        let past = position - half_resolutions(self.resolution);
        if self.width > 0.0 { 1.0 / (1.0 + (-past / self.width).exp()) } else { f32::from(u8::from(past >= 0.0)) }
    }
}

/// `2·log2(r/4)`: two for each doubling.
fn half_resolutions(resolution: usize) -> f32 {
    2.0 * (resolution.max(1) as f32 / 4.0).log2()
}

/// Where a layer is in the synthesis network, in half resolutions from 4 pixels on; `None` for what belongs to the mapping network.
fn position(layer: &str, resolution: usize) -> Option<f32> {
    /// By how much the maps of StyleGAN3 are larger than what is seen of them, except for the last.
    const MARGINS: usize = 20;
    let mut parts = layer.strip_prefix("synthesis.").unwrap_or(layer).split('.');
    let block = parts.next()?;
    let side = |prefix: &str| block.strip_prefix(prefix)?.parse::<usize>().ok();
    // StyleGAN2: the second convolution and the colours come half a resolution later.
    if let Some(side) = side("b") {
        let is_first = matches!(parts.next(), Some("conv0" | "const"));
        return Some(half_resolutions(side) + if is_first { 0.0 } else { 1.0 });
    }
    // FastGAN.
    if let Some(side) = side("feat_").or_else(|| side("se_")) {
        return Some(half_resolutions(side));
    }
    match block {
        "init" | "input" => return Some(0.0),
        "to_big" | "image" => return Some(half_resolutions(resolution) + 1.0),
        _ => {}
    }
    // StyleGAN3: L3_52_512.
    let size: usize = block.strip_prefix('L')?.split('_').nth(1)?.parse().ok()?;
    let seen = if size.is_power_of_two() { size } else { size.saturating_sub(MARGINS) };
    Some(half_resolutions(seen.max(4)))
}

/// Two networks of one shape, from which any blend can be made.
pub struct Pair {
    first: Arc<Network>,
    second: Network,
    /// The first one's file, with the second's beside it.
    files: Checkpoint,
}

impl Pair {
    /// Opens the second network, and the file of the first one again for its numbers.
    ///
    /// # Errors
    /// When a file cannot be read, and when the networks have not the same shape.
    pub fn open(first: &Arc<Network>, path: &Path) -> Result<Pair, NetworkError> {
        let opened = Checkpoint::open(path)?;
        let second = lower(&opened)?;
        if let Some([what, expected, found]) = difference(first, &second) {
            let (first, second) = (first.path.clone(), path.to_path_buf());
            return Err(NetworkError::Pair { first, second, what, expected, found });
        }
        let mut files = Checkpoint::open(&first.path)?;
        let (share, resolution) = (Share::default(), first.img_resolution);
        files.second = Some(Box::new(Second { checkpoint: opened, share, resolution }));
        Ok(Pair { first: first.clone(), second, files })
    }

    /// Whether this is the first network.
    pub fn is_of(&self, first: &Arc<Network>) -> bool {
        Arc::ptr_eq(&self.first, first)
    }

    /// The blend; the first network itself where there is nothing of the second in it.
    ///
    /// # Errors
    /// When a tensor is missing in the second file, and for numbers that are not finite.
    pub fn blend(&mut self, share: Share) -> Result<Arc<Network>, NetworkError> {
        let (first, second) = (&self.first, &self.second);
        let share_of = |name: &str| share.of(name, first.img_resolution);
        let shares: Vec<f32> = first.plan.steps.iter().map(|step| share_of(&step.name)).collect();
        let of_mapping = share.of_mapping();
        if of_mapping == 0.0 && shares.iter().all(|share| *share == 0.0) {
            return Ok(first.clone());
        }
        let mut between = None;
        if shares.iter().chain([&of_mapping]).any(|share| is_between(*share)) {
            if let Some(second) = &mut self.files.second {
                second.share = share;
            }
            between = Some(lower(&self.files)?);
        }
        let mut plan = Plan::clone(&first.plan);
        for (n, (step, share)) in plan.steps.iter_mut().zip(shares).enumerate() {
            let noise = noise_image(&step.op);
            match &between {
                Some(between) if is_between(share) => step.op = between.plan.steps[n].op.clone(),
                _ if share > 0.0 => step.op = second.plan.steps[n].op.clone(),
                _ => {}
            }
            if let (Op::Synthesis(layer), Some(noise)) = (&mut step.op, noise)
                && let Some(own) = &mut layer.noise
            {
                own.constant = noise;
            }
        }
        plan.check().map_err(|source| NetworkError::Plan { path: second.path.clone(), source: Box::new(source) })?;
        let mapping = match between {
            Some(between) if is_between(of_mapping) => Mapping {
                w_avg: mixed(&first.mapping.w_avg, &second.mapping.w_avg, of_mapping),
                class_w_avg: mixed(&first.mapping.class_w_avg, &second.mapping.class_w_avg, of_mapping),
                ..between.mapping
            },
            _ if of_mapping > 0.0 => second.mapping.clone(),
            _ => first.mapping.clone(),
        };
        Ok(Arc::new(Network { mapping, plan: Arc::new(plan), ..Network::clone(first) }))
    }
}

fn is_between(share: f32) -> bool {
    share > 0.0 && share < 1.0
}

/// The noise image of a layer.
fn noise_image(op: &Op) -> Option<Weights> {
    match op {
        Op::Synthesis(layer) => Some(layer.noise.as_ref()?.constant.clone()),
        _ => None,
    }
}

/// `a + share·(b − a)`
fn mixed(a: &[f32], b: &[f32], share: f32) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + share * (b - a)).collect()
}

/// What is not the same about the shapes of two networks: what it is, and what it is of each.
fn difference(first: &Network, second: &Network) -> Option<[String; 3]> {
    let is = |what: &str, a: String, b: String| (a != b).then(|| [what.to_owned(), a, b]);
    let size = |network: &Network| {
        let [height, width] = network.picture_size();
        format!("{width} x {height}")
    };
    let number = |what: &str, of: fn(&Network) -> usize| is(what, of(first).to_string(), of(second).to_string());
    is("the kind", first.kind.to_string(), second.kind.to_string())
        .or_else(|| is("the picture", size(first), size(second)))
        .or_else(|| is("the architecture", first.architecture.clone(), second.architecture.clone()))
        .or_else(|| number("the channels of the picture", |network| network.img_channels))
        .or_else(|| number("z_dim", |network| network.mapping.z_dim))
        .or_else(|| number("w_dim", |network| network.mapping.w_dim))
        .or_else(|| number("num_ws", |network| network.mapping.num_ws))
        .or_else(|| number("the number of classes", |network| network.mapping.c_dim))
        .or_else(|| is("the mapping network", of_mapping(&first.mapping), of_mapping(&second.mapping)))
        .or_else(|| number("the number of layers", |network| network.plan.steps.len()))
        .or_else(|| of_steps(&first.plan, &second.plan))
}

/// `512 → 512 → 512`
fn of_mapping(mapping: &Mapping) -> String {
    let sizes = |layer: &FullyConnected| format!("{} → {}", layer.inputs, layer.outputs);
    mapping.embed.iter().chain(&mapping.layers).map(sizes).collect::<Vec<_>>().join(", ")
}

fn of_steps(first: &Plan, second: &Plan) -> Option<[String; 3]> {
    let pairs = first.steps.iter().zip(&second.steps);
    let shape = |plan: &Plan, op: &Op| {
        let map = plan.get(op.out());
        format!("{} [{}, {}, {}]", op.kind(), map.channels, map.height, map.width)
    };
    pairs.into_iter().find_map(|(a, b)| {
        let is = |what: String, a: String, b: String| (a != b).then_some([what, a, b]);
        let numbers = |op: &Op| format!("{} numbers", op.parameters());
        is("a layer".to_owned(), a.name.clone(), b.name.clone())
            .or_else(|| is(a.name.clone(), shape(first, &a.op), shape(second, &b.op)))
            .or_else(|| is(a.name.clone(), numbers(&a.op), numbers(&b.op)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_has_its_place() {
        for (layer, expected) in [
            ("mapping.fc0.weight", None),
            ("embed.weight", None),
            ("synthesis.b4.const", Some(0.0)),
            ("synthesis.b4.conv1.affine.bias", Some(1.0)),
            ("b4.torgb", Some(1.0)),
            ("b8.conv0", Some(2.0)),
            ("b16.conv0.noise_strength", Some(4.0)),
            ("b16.conv1", Some(5.0)),
            ("b32.skip", Some(7.0)),
            ("synthesis.input.affine.weight", Some(0.0)),
            ("L0_36_1024", Some(4.0)),
            ("synthesis.L5_52_512.weight", Some(6.0)),
            ("L13_256_128", Some(12.0)),
            ("init.init.0.weight_orig", Some(0.0)),
            ("feat_64.4.conv", Some(8.0)),
            ("se_64.main.1.weight_orig", Some(8.0)),
            ("to_big.weight_orig", Some(11.0)),
        ] {
            assert_eq!(position(layer, 128), expected, "{layer}");
        }
    }

    #[test]
    fn a_swap_is_hard_or_soft() {
        let share = |width| Share { amount: 0.5, swap: Some(Swap { resolution: 16, width }) };
        let of = |width, layer| share(width).of(layer, 32);
        assert_eq!((of(0.0, "b8.conv1"), of(0.0, "b16.conv0"), of(0.0, "mapping.fc0.bias")), (0.0, 0.5, 0.0));
        assert_eq!((of(1.0, "b16.conv0"), of(1.0, "mapping.fc0.bias")), (0.25, 0.0));
        let soft = 0.5 / (1.0 + 1f32.exp());
        assert!((of(1.0, "b8.conv1") - soft).abs() < 1e-6 && (of(2.0, "b8.conv0") - soft).abs() < 1e-6);
        let all = Share { amount: 0.5, swap: None };
        assert_eq!((all.of("b4.const", 32), all.of("mapping.fc0.bias", 32)), (0.5, 0.5));
    }
}
