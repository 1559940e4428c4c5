//! StyleGAN3 (configurations T and R) and StyleGAN-XL: tensors with NVIDIA's names become a mapping network and a plan.
//!
//! One code path for all of them: the layers of `layer_names`, each with its sizes, factors and filters; a
//! super-resolution head is just more layers. What a file without attributes leaves out is derived in
//! [`geometry`]. Source of the maths: Karras et al., "Alias-Free Generative Adversarial Networks" (2021); Sauer et al.,
//! "StyleGAN-XL" (2022). Runs on the loader's thread.

mod filter;
mod geometry;
mod mapping;
mod random;

use std::sync::Arc;

use super::checkpoint::{Attribute, Checkpoint, Tensors};
use super::stylegan2::mapping::fully_connected;
use super::{Kind, Network, NetworkError};
use crate::engine::Transform;
use crate::engine::plan::{BufferId, FilteredLayer, FourierInput, Op, Plan, Style, Weights};
use geometry::{Geometry, LayerName};

/// Largest feature map; 1024 networks have 1044.
const MAX_SIZE: usize = 4200;
/// The clamp that all known trainers use, for files that do not say.
const CONV_CLAMP: f32 = 256.0;
/// The factor on the picture, for files that do not say.
const OUTPUT_SCALE: f32 = 0.25;

pub use random::{Config, random};

/// Whether the file holds a StyleGAN3 or StyleGAN-XL generator.
pub fn is_stylegan3(checkpoint: &Checkpoint) -> bool {
    checkpoint.tensors.contains_key("synthesis.input.freqs")
}

/// Lowers a checkpoint with StyleGAN3 names.
///
/// # Errors
/// For the first tensor that is missing, of the wrong shape or not finite, and for inconsistent sizes.
pub fn lower(checkpoint: &Checkpoint) -> Result<Network, NetworkError> {
    let root = checkpoint.root();
    let at = root.at("synthesis");
    let mut warnings = checkpoint.warnings.clone();
    let names = geometry::layer_names(checkpoint)?;
    let geometry = Geometry::of(&names);
    let [_, w_dim] = at.at("input").at("affine").shape_of_rank("weight")?;
    let name = checkpoint.path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let plan = Plan { name: name.clone(), num_ws: names.len() + 1, w_dim, ..Plan::default() };
    let mut lowering = Lowering { plan, x: BufferId(0), names: &names, geometry, radial: false };
    lowering.input(&at.at("input"))?;
    for index in 0..names.len() {
        lowering.layer(&at, index)?;
    }
    let Lowering { mut plan, x, radial, .. } = lowering;
    plan.output = Some(x);
    let picture = plan.get(x);
    let (img_resolution, img_channels) = (picture.height, picture.channels);
    if picture.width != picture.height || !(1..=4).contains(&img_channels) {
        let what = format!("a picture of {} x {} with {img_channels} channels", picture.width, picture.height);
        return Err(NetworkError::Unsupported { path: checkpoint.path.clone(), what });
    }
    let mapping = mapping::lower(&root.at("mapping"), &plan, &mut warnings)?;
    plan.check().map_err(|source| NetworkError::Plan { path: checkpoint.path.clone(), source: Box::new(source) })?;
    let is_xl = mapping::is_xl(checkpoint);
    Ok(Network {
        name,
        path: checkpoint.path.clone(),
        kind: if is_xl { Kind::StyleGanXl } else { Kind::StyleGan3 },
        architecture: if radial { "R" } else { "T" }.to_owned(),
        img_resolution,
        img_channels,
        mapping,
        plan: Arc::new(plan),
        class_names: super::stylegan2::class_names(checkpoint),
        metadata: checkpoint.metadata.clone(),
        bytes: checkpoint.bytes,
        warnings,
    })
}

/// State carried from layer to layer.
struct Lowering<'a> {
    plan: Plan,
    x: BufferId,
    names: &'a [LayerName],
    geometry: Option<Geometry>,
    /// Whether any layer has a radial filter.
    radial: bool,
}

impl Lowering<'_> {
    fn input(&mut self, at: &Tensors) -> Result<(), NetworkError> {
        let [outputs, channels] = at.shape_of_rank("weight")?;
        let first = self.names.first().map_or(0, |name| name.size);
        let size = match at.attribute("size") {
            Some(Attribute::List(size)) => size.first().and_then(Attribute::as_f64).map_or(0, |n| n as usize),
            _ => first,
        };
        if !(1..=MAX_SIZE).contains(&size) {
            return Err(unsupported(at, "size", format!("{size} samples")));
        }
        let derived = self.geometry.as_ref();
        let number = |name: &str, derived: Option<f64>| at.attribute(name).and_then(Attribute::as_f64).or(derived);
        let sampling_rate = number("sampling_rate", derived.map(|g| g.input_rate()));
        let bandwidth = number("bandwidth", derived.map(|g| g.bandwidth()));
        let (Some(sampling_rate), Some(bandwidth)) = (sampling_rate, bandwidth) else {
            return Err(unsupported(at, "sampling_rate", "not a number, and the sizes do not determine it".into()));
        };
        let mut weight = at.get("weight", &[outputs, channels])?;
        let gain = 1.0 / (channels as f32).sqrt();
        weight.iter_mut().for_each(|w| *w *= gain);
        let out = self.plan.buffer("input", outputs, size, size);
        let op = FourierInput {
            out,
            affine: fully_connected(&at.at("affine"), 4, self.plan.w_dim, 1.0)?,
            ws_index: 0,
            freqs: at.get("freqs", &[channels, 2])?.into(),
            phases: at.get("phases", &[channels])?.into(),
            weight: weight.into(),
            sampling_rate: sampling_rate as f32,
            bandwidth: bandwidth as f32,
            transform: own_transform(at)?,
        };
        self.plan.push("input", Op::Fourier(op));
        self.x = out;
        Ok(())
    }

    fn layer(&mut self, synthesis: &Tensors, index: usize) -> Result<(), NetworkError> {
        let name = &self.names[index];
        let at = synthesis.at(&name.text);
        let input = self.plan.get(self.x).clone();
        let is_last = index + 1 == self.names.len();
        let is_torgb = match at.attribute("is_torgb") {
            Some(Attribute::Bool(is_torgb)) => *is_torgb,
            _ => is_last,
        };
        let [outputs, _, kernel, _] = at.shape_of_rank("weight")?;
        // Only 1x1 and 3x3 occur.
        let kernel = if kernel == 1 { 1 } else { 3 };
        let mut weight = at.get("weight", &[outputs, input.channels, kernel, kernel])?;
        if !is_torgb {
            normalize(&mut weight, input.channels * kernel * kernel);
        }
        let style_gain = if is_torgb { 1.0 / (input.channels as f32).sqrt() } else { 1.0 };
        let mut affine = fully_connected(&at.at("affine"), input.channels, self.plan.w_dim, 1.0)?;
        affine.weight.iter_mut().chain(&mut affine.bias).for_each(|v| *v *= style_gain);
        let magnitude = at.get("magnitude_ema", &[])?[0];
        if magnitude <= 0.0 {
            return Err(unsupported(&at, "magnitude_ema", magnitude.to_string()));
        }
        let steps = geometry::Steps::of(&at, self.geometry.as_ref(), index, kernel)?;
        let (up_filter, down_filter, radial) = filter::of(&at, self.geometry.as_ref(), index, &steps)?;
        self.radial |= radial;
        let mut op = FilteredLayer {
            input: self.x,
            out: BufferId(0),
            style: Style { affine, ws_index: index + 1 },
            weight: weight.into(),
            kernel,
            demodulate: !is_torgb,
            magnitude: 1.0 / magnitude.sqrt(),
            bias: at.get("bias", &[outputs])?.into(),
            up: steps.up,
            down: steps.down,
            padding: steps.padding,
            up_filter,
            down_filter,
            radial,
            slope: if is_torgb { 1.0 } else { 0.2 },
            gain: if is_torgb { 1.0 } else { std::f32::consts::SQRT_2 },
            clamp: match at.attribute("conv_clamp") {
                Some(clamp) => clamp.as_f64().map(|c| c as f32),
                None => Some(CONV_CLAMP),
            },
            output_gain: 1.0,
        };
        if is_last {
            let scale = synthesis.attribute("output_scale").and_then(Attribute::as_f64);
            op.output_gain = scale.map_or(OUTPUT_SCALE, |s| s as f32);
        }
        let size = (op.outputs(input.height), op.outputs(input.width));
        let expected = (Some(name.size), Some(name.size));
        if size != expected || name.size > MAX_SIZE {
            return Err(unsupported(&at, "padding", format!("a map of {size:?} instead of {expected:?} samples")));
        }
        op.out = self.plan.buffer(&name.text, outputs, name.size, name.size);
        self.x = op.out;
        self.plan.push(&name.text, Op::Filtered(op));
        Ok(())
    }
}

/// The input transform stored in the file; usually the identity.
fn own_transform(at: &Tensors) -> Result<Transform, NetworkError> {
    if !at.has("transform") {
        return Ok(Transform::default());
    }
    let m: Vec<f64> = at.get("transform", &[3, 3])?.into_iter().map(f64::from).collect();
    if m[6..] != [0.0, 0.0, 1.0] {
        return Err(unsupported(at, "transform", format!("a last row of {:?}", &m[6..])));
    }
    Ok(Transform { inverse: [[m[0], m[1], m[2]], [m[3], m[4], m[5]]] })
}

/// Divides each output's weights by their root mean square; `count` is the number of weights per output.
fn normalize(weight: &mut [f32], count: usize) {
    for output in weight.chunks_exact_mut(count) {
        let mean = output.iter().map(|w| f64::from(*w) * f64::from(*w)).sum::<f64>() / count as f64;
        let scale = (1.0 / mean.max(f64::MIN_POSITIVE).sqrt()) as f32;
        output.iter_mut().for_each(|w| *w *= scale);
    }
}

fn unsupported(at: &Tensors, name: &str, what: String) -> NetworkError {
    NetworkError::Unsupported { path: at.path().into(), what: format!("{}: {what}", at.full_name(name)) }
}

/// One tap: no filter.
fn no_filter() -> Weights {
    vec![1.0].into()
}
