//! FastGAN, and the generators that projected-gan trains under that name: spectral-normed convolutions with batch norm
//! and gated linear units, and skip-layer excitation, in which small maps gate large ones. There is no mapping network: z
//! is the only w.
//!
//! Everything constant is folded at load: σ of the spectral norm into the weights, stored statistics into a scale and
//! shift per channel. Sources of the maths: Liu et al., "Towards Faster and Stabilized GAN Training" (2021); Sauer et
//! al., "Projected GANs Converge Faster" (2021). Sizes come from the tensors. Runs on the loader's thread.

mod norm;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::checkpoint::{Attribute, Checkpoint, TensorRef, Tensors};
use super::{Kind, Network, NetworkError};
use crate::engine::plan::{
    BufferId, FIR_1331, Fir, Gated, Gates, Gating, Latent, LayerNoise, Op, Plan, Style, SynthesisLayer, Weights,
};
use crate::latent::mapping::{FullyConnected, Mapping};
use norm::{conditional_norm, norm, spectral};

/// Prefixes that torch's DataParallel and training files add to names.
const PREFIXES: [&str; 4] = ["module.", "g.", "g_ema.", "G_ema."];
/// Up-sampling by repetition is zero insertion followed by this filter, which commutes with the convolution.
const REPEAT: Fir = [0.0, 0.5, 0.5, 0.0];
/// Known networks go up to 1024.
const RESOLUTIONS: [usize; 8] = [8, 16, 32, 64, 128, 256, 512, 1024];
/// projected-gan's networks have blocks up to 256 that smaller ones do not use.
const SMALLEST_PROJECTED: usize = 128;
/// FastGAN applies tanh to its picture only at this resolution.
const TANH_RESOLUTION: usize = 1024;

/// A name without training prefixes and without `synthesis.`.
pub fn bare(name: &str) -> &str {
    let mut name = name;
    while let Some(rest) = PREFIXES.iter().find_map(|prefix| name.strip_prefix(prefix)) {
        name = rest;
    }
    name.strip_prefix("synthesis.").unwrap_or(name)
}

/// Whether these are the names of such a generator.
pub fn is_fastgan<'a>(names: impl Iterator<Item = &'a str>) -> bool {
    let (mut init, mut blocks) = (false, false);
    for name in names.map(bare) {
        init |= name == "init.init.0.weight_orig" || name == "init.init.0.parametrizations.weight.original";
        blocks |= name.starts_with("feat_8.");
    }
    init && blocks
}

/// Whether the tensor with this name is trained, and so averaged. The others are statistics and the spectral norm's vectors.
pub fn is_parameter(name: &str) -> bool {
    const BUFFERS: [&str; 7] =
        ["weight_u", "weight_v", "running_mean", "running_var", "num_batches_tracked", "stored_mean", "stored_var"];
    !BUFFERS.contains(&name.rsplit('.').next().unwrap_or(name))
}

/// The tensors under their bare names.
pub fn rename(tensors: BTreeMap<String, TensorRef>) -> BTreeMap<String, TensorRef> {
    tensors.into_iter().map(|(name, tensor)| (bare(&name).to_owned(), tensor)).collect()
}

/// Lowers a checkpoint with bare names.
///
/// # Errors
/// For the first tensor that is missing, of the wrong shape or not finite, and for blocks of a derived architecture.
pub fn lower(checkpoint: &Checkpoint) -> Result<Network, NetworkError> {
    let at = checkpoint.root();
    refuse_derived(checkpoint, &at)?;
    let to_big = at.at("to_big");
    let is_projected = to_big.has("bias");
    let (resolution, img_channels) = resolution(checkpoint, &at, is_projected)?;
    let mapping = mapping(checkpoint, &at, is_projected)?;
    let mut lowering = Lowering {
        plan: Plan { name: name_of(checkpoint), num_ws: 1, w_dim: mapping.w_dim, ..Plan::default() },
        first_y: mapping.z_dim,
        maps: BTreeMap::new(),
        channels: 0,
    };
    lowering.init(&at, mapping.z_dim)?;
    for r in RESOLUTIONS.into_iter().take_while(|r| *r <= resolution) {
        lowering.block(&at, r)?;
    }
    let is_tanh = !is_projected && resolution == TANH_RESOLUTION;
    lowering.picture(&to_big, resolution, img_channels, is_tanh)?;
    let (plan, path) = (lowering.plan, checkpoint.path.clone());
    plan.check().map_err(|source| NetworkError::Plan { path: path.clone(), source: Box::new(source) })?;
    Ok(Network {
        name: plan.name.clone(),
        kind: if is_projected { Kind::ProjectedGan } else { Kind::FastGan },
        architecture: architecture(&at, mapping.c_dim),
        img_resolution: resolution,
        img_channels,
        mapping,
        plan: Arc::new(plan),
        class_names: super::stylegan2::class_names(checkpoint),
        metadata: checkpoint.metadata.clone(),
        bytes: checkpoint.bytes,
        warnings: checkpoint.warnings.clone(),
        path,
    })
}

fn name_of(checkpoint: &Checkpoint) -> String {
    checkpoint.path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

fn architecture(at: &Tensors, classes: usize) -> String {
    let block = at.at("feat_8");
    let size = if block.has("5") || block.has("conv1") { "large blocks" } else { "small blocks" };
    if classes > 0 { format!("{size}, with classes") } else { size.to_owned() }
}

/// Derived architectures, which compute something else, have additional parts.
fn refuse_derived(checkpoint: &Checkpoint, at: &Tensors) -> Result<(), NetworkError> {
    for name in ["init_constant", "mapping_network", "se_4_16", "se_8_32"] {
        if at.has(name) {
            let what = format!("a relative of FastGAN with a part called {name}");
            return Err(NetworkError::Unsupported { path: checkpoint.path.clone(), what });
        }
    }
    Ok(())
}

/// The picture's side and colours: the resolution given in the file, else the largest block whose channels match `to_big`.
fn resolution(checkpoint: &Checkpoint, at: &Tensors, is_projected: bool) -> Result<(usize, usize), NetworkError> {
    let [colours, channels, ..] = spectral_shape::<4>(&at.at("to_big"))?;
    let fits = |r: usize| block_channels(&at.at(format!("feat_{r}"))) == Some(channels);
    let named = at.attribute("img_resolution").and_then(Attribute::as_f64).map(|r| r as usize).filter(|r| fits(*r));
    let smallest = if is_projected { SMALLEST_PROJECTED } else { RESOLUTIONS[0] };
    let found = RESOLUTIONS.into_iter().rev().find(|r| *r >= smallest && fits(*r));
    if !(1..=4).contains(&colours) {
        let what = format!("to_big: a picture of {colours} colours");
        return Err(NetworkError::Unsupported { path: checkpoint.path.clone(), what });
    }
    named.or(found).map(|r| (r, colours)).ok_or_else(|| NetworkError::Missing {
        path: checkpoint.path.clone(),
        tensor: "feat_*".into(),
        expected: format!("a block of {channels} channels, as many as to_big takes"),
    })
}

/// The stored shape of a spectral-normed weight.
fn spectral_shape<const RANK: usize>(at: &Tensors) -> Result<[usize; RANK], NetworkError> {
    at.shape_of_rank(if at.has("weight_orig") { "weight_orig" } else { "parametrizations.weight.original" })
}

/// Output channels of a block.
fn block_channels(at: &Tensors) -> Option<usize> {
    let last = ["5", "1", "conv2", "conv"].into_iter().find(|name| at.has(name))?;
    spectral_shape::<4>(&at.at(last)).ok().map(|[outputs, ..]| outputs / 2)
}

/// w is the concatenation of z and the class: z is used as it is, or normalised; a class is a row of a table.
fn mapping(checkpoint: &Checkpoint, at: &Tensors, is_projected: bool) -> Result<Mapping, NetworkError> {
    let [z_dim, ..] = spectral_shape::<4>(&at.at("init").at("init").at("0"))?;
    let embed = match at.has("embed") {
        true => {
            let [rows, features] = at.at("embed").shape_of_rank("weight")?;
            let table = at.at("embed").get("weight", &[rows, features])?;
            // The table always has rows for all ImageNet classes.
            let classes = at.attribute("c_dim").and_then(Attribute::as_f64).map_or(rows, |n| n as usize).clamp(1, rows);
            let mut weight = vec![0.0; features * classes];
            for (class, row) in table.chunks_exact(features).enumerate().take(classes) {
                row.iter().enumerate().for_each(|(feature, x)| weight[feature * classes + class] = *x);
            }
            Some(FullyConnected { weight, bias: Vec::new(), inputs: classes, outputs: features })
        }
        false => None,
    };
    let (features, c_dim) = embed.as_ref().map_or((0, 0), |embed| (embed.outputs, embed.inputs));
    let w_dim = z_dim + features;
    // Truncation scales z but not the class: the centre of each class is that class at z = 0.
    let mut class_w_avg = vec![0.0; c_dim * w_dim];
    if let Some(embed) = &embed {
        for (class, centre) in class_w_avg.chunks_exact_mut(w_dim).enumerate() {
            let row = centre[z_dim..].iter_mut().enumerate();
            row.for_each(|(feature, x)| *x = embed.weight[feature * c_dim + class]);
        }
    }
    if w_dim == 0 {
        let what = "a network without z".to_owned();
        return Err(NetworkError::Unsupported { path: checkpoint.path.clone(), what });
    }
    Ok(Mapping {
        z_dim,
        c_dim,
        w_dim,
        num_ws: 1,
        embed,
        layers: Vec::new(),
        w_avg: vec![0.0; w_dim],
        class_w_avg,
        normalizes_z: is_projected,
        normalizes_label: false,
        passes_psi: false,
    })
}

/// State carried from block to block.
struct Lowering {
    plan: Plan,
    /// Offset of the class in w.
    first_y: usize,
    /// The map of each resolution, gated.
    maps: BTreeMap<usize, BufferId>,
    /// Channels of the last map.
    channels: usize,
}

/// A convolution and the operations after it.
struct Conv<'a> {
    at: Tensors<'a>,
    norm: Tensors<'a>,
    /// Noise strength.
    strength: Option<f32>,
    up: bool,
    /// Resolution of the result.
    resolution: usize,
    /// Name of the result in the original code.
    name: String,
    gates: Option<BufferId>,
}

impl Lowering {
    /// z to 4 x 4.
    fn init(&mut self, at: &Tensors, z_dim: usize) -> Result<(), NetworkError> {
        let at = at.at("init").at("init");
        let [_, outputs, height, width] = spectral_shape::<4>(&at.at("0"))?;
        // [z, 2C, 4, 4]
        let weight = spectral(&at.at("0"), &[z_dim, outputs, 4, 4], true)?;
        let (scale, shift) = norm(&at.at("1"), outputs)?;
        let (samples, w_dim) = (height * width, self.plan.w_dim);
        let mut rows = vec![0.0; outputs * samples * w_dim];
        for (row, numbers) in rows.chunks_exact_mut(w_dim).enumerate() {
            let numbers = numbers.iter_mut().take(z_dim).enumerate();
            numbers.for_each(|(i, x)| *x = weight[i * outputs * samples + row] * scale[row / samples]);
        }
        let bias = (0..outputs * samples).map(|row| shift[row / samples]).collect();
        let affine = FullyConnected { weight: rows, bias, inputs: w_dim, outputs: outputs * samples };
        let out = self.plan.buffer("init.conv", outputs, height, width);
        self.plan.push("init.conv", Op::Latent(Latent { out, style: Style { affine, ws_index: 0 } }));
        let unchanged = [vec![1.0; outputs], vec![0.0; outputs]].concat();
        let style = Style::constant(unchanged, w_dim);
        self.gated("init", out, style, Gating::Glu, None);
        Ok(())
    }

    /// The block that doubles the size to `r`.
    fn block(&mut self, root: &Tensors, r: usize) -> Result<(), NetworkError> {
        let at = root.at(format!("feat_{r}"));
        let gates = self.gates(root, r)?;
        let name = if gates.is_some() { format!("se_{r}") } else { format!("feat_{r}") };
        // One strength for both halves, or one for each.
        let noise = |name: &str| -> Result<Option<f32>, NetworkError> {
            if !at.has(name) {
                return Ok(None);
            }
            Ok(at.at(name).get("weight", &[1])?.first().copied())
        };
        let (first, second) = match () {
            () if at.has("5") => (("1", noise("2")?, "3"), Some(("5", noise("6")?, "7"))),
            () if at.has("1") => (("1", None, "2"), None),
            () if at.has("conv1") => (("conv1", noise("noise")?, "bn1"), Some(("conv2", noise("noise")?, "bn2"))),
            () if at.has("conv") => (("conv", None, "bn"), None),
            () => {
                let (tensor, expected) = (at.full_name("*"), "a block of FastGAN".to_owned());
                return Err(NetworkError::Missing { path: at.path().into(), tensor, expected });
            }
        };
        let conv = |(conv, strength, norm): (&str, Option<f32>, &str), up: bool, name: &str, gates| Conv {
            at: at.at(conv),
            norm: at.at(norm),
            strength,
            up,
            resolution: r,
            name: name.to_owned(),
            gates,
        };
        match second {
            Some(second) => {
                self.conv(&conv(first, true, &format!("feat_{r}.4"), None))?;
                self.conv(&conv(second, false, &name, gates))?;
            }
            None => self.conv(&conv(first, true, &name, gates))?,
        }
        Ok(())
    }

    /// Convolution, noise, normalisation, gated linear unit.
    fn conv(&mut self, conv: &Conv) -> Result<(), NetworkError> {
        let [outputs, ..] = spectral_shape::<4>(&conv.at)?;
        let mut weight = spectral(&conv.at, &[outputs, self.channels, 3, 3], false)?;
        if conv.up {
            // Transposed convolutions flip their kernels.
            weight.chunks_exact_mut(9).for_each(<[f32]>::reverse);
        }
        let (input, w_dim) = (self.last(), self.plan.w_dim);
        let name = format!("{}.conv", conv.name);
        let out = self.plan.buffer(&name, outputs, conv.resolution, conv.resolution);
        let fir = if conv.up { REPEAT } else { FIR_1331 };
        let strength = conv.strength;
        self.plan.push(name, linear(input, out, weight, conv.up, fir, strength, self.channels, w_dim));
        let style = match conv.norm.has("gain") {
            true => conditional_norm(&conv.norm, outputs, self.first_y, w_dim)?,
            false => {
                let (scale, shift) = norm(&conv.norm, outputs)?;
                Style::constant([scale, shift].concat(), w_dim)
            }
        };
        self.gated(&conv.name, out, style, Gating::Glu, conv.gates);
        Ok(())
    }

    fn gated(&mut self, name: &str, input: BufferId, style: Style, gating: Gating, gates: Option<BufferId>) {
        let from = self.plan.get(input).clone();
        let channels = if gating == Gating::Glu { from.channels / 2 } else { from.channels };
        let out = self.plan.buffer(name, channels, from.height, from.width);
        self.plan.push(name, Op::Gated(Gated { input, out, style, gating, gates }));
        self.channels = channels;
        self.maps.insert(from.height, out);
        self.plan.output = Some(out);
    }

    fn last(&self) -> BufferId {
        self.plan.output.unwrap_or(BufferId(0))
    }

    /// The gates of resolution `r`, computed from the map at a sixteenth of that resolution.
    fn gates(&mut self, root: &Tensors, r: usize) -> Result<Option<BufferId>, NetworkError> {
        let at = root.at(format!("se_{r}")).at("main");
        let Some(&input) = self.maps.get(&(r / 16)).filter(|_| at.has("1")) else { return Ok(None) };
        let [channels, ..] = spectral_shape::<4>(&at.at("1"))?;
        let inputs = self.plan.get(input).channels;
        let squeeze = spectral(&at.at("1"), &[channels, inputs, Gates::GRID, Gates::GRID], false)?.into();
        let excite = spectral(&at.at("3"), &[channels, channels, 1, 1], false)?.into();
        let name = format!("se_{r}.main");
        let out = self.plan.buffer(&name, channels, 1, 1);
        self.plan.push(name, Op::Gates(Gates { input, out, squeeze, excite }));
        Ok(Some(out))
    }

    /// Colours.
    fn picture(&mut self, at: &Tensors, r: usize, colours: usize, is_tanh: bool) -> Result<(), NetworkError> {
        let weight = spectral(at, &[colours, self.channels, 3, 3], false)?;
        let bias = if at.has("bias") { at.get("bias", &[colours])? } else { vec![0.0; colours] };
        let (input, w_dim) = (self.last(), self.plan.w_dim);
        let out = self.plan.buffer("to_big", colours, r, r);
        self.plan.push("to_big", linear(input, out, weight, false, FIR_1331, None, self.channels, w_dim));
        let style = Style::constant([vec![1.0; colours], bias].concat(), w_dim);
        self.gated("image", out, style, if is_tanh { Gating::Tanh } else { Gating::Linear }, None);
        Ok(())
    }
}

/// A convolution without style, bias and activation.
#[expect(clippy::too_many_arguments, reason = "the fields of one operation, most of them of different types")]
fn linear(
    input: BufferId,
    out: BufferId,
    weight: Vec<f32>,
    up: bool,
    fir: Fir,
    strength: Option<f32>,
    inputs: usize,
    w_dim: usize,
) -> Op {
    let outputs = weight.len() / (9 * inputs.max(1));
    Op::Synthesis(SynthesisLayer {
        input,
        out,
        style: Style::constant(vec![1.0; inputs], w_dim),
        weight: weight.into(),
        kernel: 3,
        up,
        fir,
        demodulate: false,
        // The original draws new noise for every picture; the file contains none.
        noise: strength.map(|strength| LayerNoise { constant: Weights::default(), strength }),
        bias: vec![0.0; outputs].into(),
        gain: 1.0,
        slope: 1.0,
        clamp: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised_with_any_prefix() {
        for prefix in ["", "module.", "g.module.", "G_ema.synthesis.", "synthesis."] {
            let names = [format!("{prefix}init.init.0.weight_orig"), format!("{prefix}feat_8.1.weight_orig")];
            assert!(is_fastgan(names.iter().map(String::as_str)), "{prefix}");
            assert_eq!(bare(&names[1]), "feat_8.1.weight_orig");
        }
        assert!(!is_fastgan(["init.init.0.weight_orig"].into_iter()));
        assert!(is_parameter("feat_8.1.weight_orig") && !is_parameter("feat_8.1.weight_u"));
    }
}
