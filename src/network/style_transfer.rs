//! Feed-forward style networks: files in two layouts become a [`Plan`] for any picture size.
//!
//! - `enc`/`res`/`dec` with one gamma and beta per style (conditional instance norm, Dumoulin et al. 2017): our own
//!   networks; the metadata names the styles.
//! - `conv1`/`res1`/`deconv1` with one style (Johnson et al. 2016), as in PyTorch's example `fast_neural_style` and the
//!   many files trained with it; the instance norm's parameters are called `weight` and `bias` or, in older files,
//!   `scale` and `shift`.
//!
//! Arbitrary styles from an image (AdaIN) are not supported: they feed the statistics of one network's maps into the
//! middle of another, which no plan can express. Mixing a network's styles is the substitute.
//!
//! Both layouts see pictures in −1..1 here: the range that the files expect is folded into the first and last weights.
//! Runs on the loader's thread and computes nothing.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;

use crate::engine::plan::{Activation, BufferId, Convolution, NormConv, Op, Picture, Plan, Weights};
use crate::network::NetworkError;
use crate::network::checkpoint::{Checkpoint, Tensors};

/// Added to the variance (both layouts; PyTorch's default).
const EPS: f32 = 1e-5;
/// How much smaller maps may be than the picture along each side: its sides are rounded up to a multiple of this.
const MAX_SHRINK: usize = 4;
/// More styles than any known file has; bounds what a file may ask for.
const MAX_STYLES: usize = 1024;

/// One style of a network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StyleInfo {
    /// Short, such as `hokusai-great-wave`.
    pub name: String,
    /// Title of the painting; empty when the file does not say.
    pub title: String,
    pub artist: String,
}

/// A style network, ready to be lowered.
#[derive(Clone, Debug)]
pub struct StyleNetwork {
    /// The file's name without its extension.
    pub name: String,
    /// At least one.
    pub styles: Vec<StyleInfo>,
    layers: Vec<Layer>,
}

/// One convolution and what follows it.
#[derive(Clone, Debug)]
struct Layer {
    name: String,
    weight: Weights,
    /// `[out, in]`
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    up: usize,
    after: After,
    /// Adds the map from before the block.
    closes_block: bool,
}

#[derive(Clone, Debug)]
enum After {
    /// `[styles, out]` each.
    Norm { gamma: Weights, beta: Weights, activation: Activation },
    /// `[out]`, then limited to −1..1.
    Bias(Weights),
}

impl StyleNetwork {
    /// Opens a style network of any format that [`Checkpoint::open`] knows.
    ///
    /// # Errors
    /// When the file cannot be opened, or holds something else.
    pub fn open(path: &Path) -> Result<StyleNetwork, NetworkError> {
        StyleNetwork::from_checkpoint(&Checkpoint::open(path)?)
    }

    /// Whether these tensors look like one of the two layouts.
    pub fn recognises(checkpoint: &Checkpoint) -> bool {
        layout(checkpoint).is_some()
    }

    /// Reads the weights of an opened file.
    ///
    /// # Errors
    /// When it is not a style network, or a tensor is missing or does not fit its neighbours.
    pub fn from_checkpoint(checkpoint: &Checkpoint) -> Result<StyleNetwork, NetworkError> {
        let (layers, count) = match layout(checkpoint) {
            Some(Layout::Conditional) => conditional(&checkpoint.root())?,
            Some(Layout::Johnson(root)) => (johnson(&root)?, 1),
            None => {
                let what = format!("not a style network ({}): as one it", checkpoint.some_names());
                return Err(NetworkError::Unsupported { path: checkpoint.path.clone(), what });
            }
        };
        let name = checkpoint.path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        let styles = style_infos(checkpoint, count, &name);
        Ok(StyleNetwork { name, styles, layers })
    }

    /// The plan for pictures of `height` x `width` pixels. The output has the same size, with each side rounded up to a
    /// multiple of 4.
    pub fn plan_for(&self, height: usize, width: usize) -> Plan {
        let mut plan = Plan { name: self.name.clone(), styles: self.styles.len(), ..Plan::default() };
        let mut input = plan.buffer("image", 3, height, width);
        plan.push("image", Op::Picture(Picture { out: input, gain: 1.0, offset: 0.0 }));
        let mut block_input = input;
        for (i, layer) in self.layers.iter().enumerate() {
            if self.layers.get(i + 1).is_some_and(|next| next.closes_block) {
                block_input = input;
            }
            let residual = layer.closes_block.then_some(block_input);
            input = layer.push(&mut plan, input, residual);
        }
        plan.output = Some(input);
        plan
    }
}

#[cfg(test)]
impl StyleNetwork {
    /// A network with this many styles that does nothing, for testing the code around it.
    pub fn without_layers(styles: usize) -> StyleNetwork {
        StyleNetwork { name: "nothing".into(), styles: vec![StyleInfo::default(); styles], layers: Vec::new() }
    }
}

impl Layer {
    fn push(&self, plan: &mut Plan, input: BufferId, residual: Option<BufferId>) -> BufferId {
        let side = |n: usize| (n * self.up).div_ceil(self.stride);
        let (height, width) = (side(plan.get(input).height), side(plan.get(input).width));
        let out = plan.buffer(self.name.as_str(), self.channels[0], height, width);
        let (weight, kernel) = (self.weight.clone(), self.kernel);
        let op = match &self.after {
            After::Norm { gamma, beta, activation } => Op::NormConv(NormConv {
                input,
                out,
                residual,
                weight,
                kernel,
                stride: self.stride,
                up: self.up,
                gamma: gamma.clone(),
                beta: beta.clone(),
                eps: EPS,
                activation: *activation,
            }),
            After::Bias(bias) => {
                Op::Convolution(Convolution { input, out, weight, kernel, bias: bias.clone(), clamp: Some(1.0) })
            }
        };
        plan.push(self.name.as_str(), op);
        out
    }

    fn scaled(mut self, gain: f32) -> Layer {
        self.weight = Arc::new(self.weight.iter().map(|w| w * gain).collect());
        self
    }
}

/// Whether the names of a state dict look like one of the two layouts.
pub fn is_style<'a>(mut names: impl Iterator<Item = &'a str>) -> bool {
    names.any(|name| matches!(name.trim_start_matches("module."), "conv1.conv2d.weight" | "enc.0.gamma"))
}

enum Layout<'a> {
    Conditional,
    /// The place of `conv1`.
    Johnson(Tensors<'a>),
}

fn layout(checkpoint: &Checkpoint) -> Option<Layout<'_>> {
    let root = checkpoint.root();
    if root.at("enc.0").has("gamma") && root.at("dec.0").has("gamma") {
        return Some(Layout::Conditional);
    }
    // Networks saved from DataParallel have their names below `module`.
    [root.clone(), root.at("module")]
        .into_iter()
        .find(|p| p.at("conv1.conv2d").has("weight") && p.at("deconv1.conv2d").has("weight"))
        .map(Layout::Johnson)
}

/// `enc.0` …, `res.0.0` …, `dec.0` …, as many as the names say. Also returns the number of styles.
fn conditional(root: &Tensors) -> Result<(Vec<Layer>, usize), NetworkError> {
    let [styles, _] = root.at("enc.0").shape_of_rank::<2>("gamma")?;
    if styles > MAX_STYLES {
        let reason = format!("{styles} styles; at most {MAX_STYLES} are read");
        return Err(NetworkError::Format { path: root.path().into(), reason });
    }
    let count = |kind: &str| (0..).take_while(|i| root.at(kind).has(&i.to_string())).count();
    let (encoder, blocks, decoder) = (count("enc"), count("res"), count("dec"));
    let mut layers = Vec::new();
    let mut channels = 3;
    let mut read = |name: String, stride, up, activation, closes_block| -> Result<(), NetworkError> {
        let place = root.at(&name);
        let (weight, shape, kernel) = convolution(&place, channels)?;
        channels = shape[0];
        let norm = |table: &str| place.get(table, &[styles, shape[0]]).map(Weights::from);
        let after = After::Norm { gamma: norm("gamma")?, beta: norm("beta")?, activation };
        layers.push(Layer { name, weight, channels: shape, kernel, stride, up, after, closes_block });
        Ok(())
    };
    for i in 0..encoder {
        read(format!("enc.{i}"), if i == 0 { 1 } else { 2 }, 1, Activation::Relu, false)?;
    }
    for i in 0..blocks {
        read(format!("res.{i}.0"), 1, 1, Activation::Relu, false)?;
        read(format!("res.{i}.1"), 1, 1, Activation::Linear, true)?;
    }
    for i in 0..decoder {
        let last = i + 1 == decoder;
        let activation = if last { Activation::SignedSigmoid } else { Activation::Relu };
        read(format!("dec.{i}"), 1, if last { 1 } else { 2 }, activation, false)?;
    }
    finish(root, &mut layers)?;
    // The file expects 0..1. The offset of a half is the same everywhere, and the norm removes it.
    layers[0] = layers[0].clone().scaled(0.5);
    Ok((layers, styles))
}

/// `conv1` to `conv3`, `res1` …, `deconv1` to `deconv3`, with `in1` to `in5` between.
fn johnson(root: &Tensors) -> Result<Vec<Layer>, NetworkError> {
    let mut layers = Vec::new();
    let mut channels = 3;
    let mut read =
        |place: Tensors, name: &str, norm: Option<&str>, stride, up, activation| -> Result<(), NetworkError> {
            let (weight, shape, kernel) = convolution(&place.at(name).at("conv2d"), channels)?;
            channels = shape[0];
            let after = match norm {
                Some(norm) => johnson_norm(&place.at(norm), channels, activation)?,
                None => After::Bias(place.at(name).at("conv2d").get("bias", &[channels])?.into()),
            };
            let closes_block = activation == Activation::Linear && norm.is_some();
            let name = place.full_name(name);
            layers.push(Layer { name, weight, channels: shape, kernel, stride, up, after, closes_block });
            Ok(())
        };
    let relu = Activation::Relu;
    read(root.clone(), "conv1", Some("in1"), 1, 1, relu)?;
    read(root.clone(), "conv2", Some("in2"), 2, 1, relu)?;
    read(root.clone(), "conv3", Some("in3"), 2, 1, relu)?;
    for block in (1..).map(|i| format!("res{i}")).take_while(|block| root.has(block)) {
        read(root.at(&block), "conv1", Some("in1"), 1, 1, relu)?;
        read(root.at(&block), "conv2", Some("in2"), 1, 1, Activation::Linear)?;
    }
    read(root.clone(), "deconv1", Some("in4"), 1, 2, relu)?;
    read(root.clone(), "deconv2", Some("in5"), 1, 2, relu)?;
    read(root.clone(), "deconv3", None, 1, 1, Activation::Linear)?;
    finish(root, &mut layers)?;
    // The file works in 0..255. The norm removes the input's offset, and likewise the biases before norms.
    layers[0] = layers[0].clone().scaled(127.5);
    if let Some(Layer { after: After::Bias(bias), .. }) = layers.last_mut() {
        *bias = Arc::new(bias.iter().map(|b| b / 127.5 - 1.0).collect());
    }
    if let Some(last) = layers.pop() {
        layers.push(last.scaled(1.0 / 127.5));
    }
    Ok(layers)
}

/// An instance norm of one style: `weight` and `bias`, or `scale` and `shift` in files older than PyTorch's own norm.
fn johnson_norm(place: &Tensors, channels: usize, activation: Activation) -> Result<After, NetworkError> {
    let (gamma, beta) = if place.has("scale") { ("scale", "shift") } else { ("weight", "bias") };
    let get = |name| place.get(name, &[channels]).map(Weights::from);
    Ok(After::Norm { gamma: get(gamma)?, beta: get(beta)?, activation })
}

/// `weight` `[O, channels, k, k]` with odd `k`: its numbers, `[O, channels]` and `k`.
fn convolution(place: &Tensors, channels: usize) -> Result<(Weights, [usize; 2], usize), NetworkError> {
    let [out, _, kernel, _] = place.shape_of_rank::<4>("weight")?;
    if kernel % 2 == 0 {
        let reason = format!("tensor {}: a kernel of {kernel} pixels; an odd one is needed", place.full_name("weight"));
        return Err(NetworkError::Format { path: place.path().into(), reason });
    }
    let weight = place.get("weight", &[out, channels, kernel, kernel])?;
    Ok((Arc::from(weight), [out, channels], kernel))
}

/// Checks that a picture comes out, and that blocks end with as many channels as they began with.
fn finish(root: &Tensors, layers: &mut [Layer]) -> Result<(), NetworkError> {
    let broken = |reason: String| Err(NetworkError::Format { path: root.path().into(), reason });
    for pair in layers.windows(2) {
        if pair[1].closes_block && pair[1].channels[0] != pair[0].channels[1] {
            return broken(format!(
                "block {}: {} channels go in and {} come out",
                pair[1].name, pair[0].channels[1], pair[1].channels[0]
            ));
        }
    }
    let product = |factor: fn(&Layer) -> usize| layers.iter().map(factor).fold(1, usize::saturating_mul);
    let (smaller, larger) = (product(|layer| layer.stride), product(|layer| layer.up));
    if smaller != larger || smaller > MAX_SHRINK {
        return broken(format!(
            "a painting {larger}/{smaller} the size of the picture: it must be 1/1, by 1, 2 or {MAX_SHRINK} on the way"
        ));
    }
    match layers.last() {
        Some(last) if last.channels[0] == 3 && last.up == 1 => Ok(()),
        Some(last) => broken(format!("layer {}: 3 colours must come out, found {}", last.name, last.channels[0])),
        None => broken("it has no layers".into()),
    }
}

/// What the metadata says about the styles; without metadata they are numbered.
fn style_infos(checkpoint: &Checkpoint, count: usize, name: &str) -> Vec<StyleInfo> {
    #[derive(Deserialize)]
    struct Credit {
        name: String,
        #[serde(default)]
        title: String,
        #[serde(default)]
        artist: String,
    }
    let json = |key: &str| checkpoint.metadata.get(key).map(String::as_str).unwrap_or("[]");
    let names: Vec<String> = serde_json::from_str(json("styles")).unwrap_or_default();
    let credits: Vec<Credit> = serde_json::from_str(json("credits")).unwrap_or_default();
    let info = |i: usize| {
        let name = match names.get(i) {
            Some(name) => name.clone(),
            None if count == 1 => name.to_owned(),
            None => format!("style-{i}"),
        };
        match credits.iter().find(|credit| credit.name == name) {
            Some(credit) => StyleInfo { name, title: credit.title.clone(), artist: credit.artist.clone() },
            None => StyleInfo { name, ..StyleInfo::default() },
        }
    };
    (0..count).map(info).collect()
}
