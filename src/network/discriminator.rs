//! The discriminator stored beside a generator: how real does it judge a picture to be?
//!
//! All of NVIDIA's families and rosinality use StyleGAN2's discriminator; StyleGAN-XL's is a different kind and is not read.
//! The score of a picture is a logit: larger is more real, and only scores of the same discriminator are comparable. Plain
//! 32-bit arithmetic on all cores at a few pictures a second; not for live use. Source of the maths: Karras et al.,
//! "Analyzing and Improving the Image Quality of StyleGAN" (2020).

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};
use std::path::Path;

use rayon::prelude::*;

use super::NetworkError;
use super::checkpoint::{Attribute, Checkpoint, Tensors};
use super::stylegan2::fir;
use super::stylegan2::mapping::fully_connected;
use crate::engine::plan::Fir;
use crate::image::Image;
use crate::latent::mapping::FullyConnected;

/// Maximum channels of a map; known discriminators have 512.
const MAX_CHANNELS: usize = 4096;
/// Largest picture that is scored.
const MAX_RESOLUTION: usize = 2048;
/// The standard deviation over a batch of one picture: the root of the 1e-8 that is added to 0.
const DEVIATION_OF_ONE: f32 = 1e-4;

/// A discriminator, ready to score.
#[derive(Clone, Debug)]
pub struct Discriminator {
    pub img_resolution: usize,
    pub img_channels: usize,
    /// 0 when it is unconditional.
    pub c_dim: usize,
    /// `resnet`, `skip` or `orig`.
    pub architecture: &'static str,
    blocks: Vec<Block>,
    /// Of the last, small picture; architecture skip only.
    from_small_rgb: Option<Conv>,
    conv: Conv,
    fc: FullyConnected,
    out: FullyConnected,
    class: Option<ClassMapping>,
}

/// One halving of the map.
#[derive(Clone, Debug)]
struct Block {
    fir: Fir,
    from_rgb: Option<Conv>,
    conv0: Conv,
    /// Halves.
    conv1: Conv,
    /// Halves.
    skip: Option<Conv>,
}

/// A convolution with the gain of equalised learning rate multiplied in.
#[derive(Clone, Debug)]
struct Conv {
    /// `[outputs, inputs, kernel, kernel]`
    weight: Vec<f32>,
    /// Empty for none.
    bias: Vec<f32>,
    inputs: usize,
    outputs: usize,
    kernel: usize,
    /// `None` is linear.
    activation: Option<Activation>,
}

/// `clamp(gain·lrelu(x))`
#[derive(Clone, Copy, Debug)]
struct Activation {
    gain: f32,
    clamp: f32,
}

#[derive(Clone, Debug)]
struct ClassMapping {
    embed: FullyConnected,
    layers: Vec<FullyConnected>,
}

impl Discriminator {
    /// The discriminator in a network file; `None` when it has none of a known kind.
    ///
    /// # Errors
    /// When the file cannot be opened, or its discriminator is broken.
    pub fn open(path: &Path) -> Result<Option<Discriminator>, NetworkError> {
        match Checkpoint::open_discriminator(path)? {
            Some(checkpoint) => Discriminator::lower(&checkpoint).map(Some),
            None => Ok(None),
        }
    }

    /// Reads the tensors of a discriminator.
    ///
    /// # Errors
    /// The first that is missing, of the wrong shape or not finite.
    pub fn lower(checkpoint: &Checkpoint) -> Result<Discriminator, NetworkError> {
        let root = checkpoint.root();
        let unsupported = |what: String| NetworkError::Unsupported { path: checkpoint.path.clone(), what };
        let resolutions = (3..=MAX_RESOLUTION.ilog2()).map(|e| 1usize << e);
        let Some(img_resolution) = resolutions.rev().find(|r| root.has(&format!("b{r}"))) else {
            return Err(unsupported(format!("a different kind of discriminator: {}; it", checkpoint.some_names())));
        };
        let [_, img_channels, _, _] = root.at(format!("b{img_resolution}")).at("fromrgb").shape_of_rank("weight")?;
        let mut blocks = Vec::new();
        let mut channels = 0;
        for r in (3..=img_resolution.ilog2()).rev().map(|e| 1usize << e) {
            let at = root.at(format!("b{r}"));
            let block = Block::read(&at, r == img_resolution, img_channels, channels)?;
            channels = block.conv1.outputs;
            blocks.push(block);
        }
        let at = root.at("b4");
        let from_small_rgb = match at.has("fromrgb") {
            true => Some(Conv::read(&at.at("fromrgb"), img_channels, 1, Some(1.0))?),
            false => None,
        };
        let [_, with_deviations, _, _] = at.at("conv").shape_of_rank("weight")?;
        if with_deviations < channels {
            return Err(unsupported(format!("b4.conv.weight of {with_deviations} channels after {channels}")));
        }
        let conv = Conv::read(&at.at("conv"), with_deviations, 3, Some(1.0))?;
        let [hidden, _] = at.at("fc").shape_of_rank("weight")?;
        let fc = fully_connected(&at.at("fc"), hidden, conv.outputs * 16, 1.0)?;
        let [features, _] = at.at("out").shape_of_rank("weight")?;
        let out = fully_connected(&at.at("out"), features, hidden, 1.0)?;
        let class = ClassMapping::read(&root.at("mapping"), features)?;
        if class.is_none() && features != 1 {
            return Err(unsupported(format!("b4.out.weight of {features} features without a mapping of classes")));
        }
        let architecture = match (blocks.iter().any(|b| b.skip.is_some()), &from_small_rgb) {
            (true, _) => "resnet",
            (false, Some(_)) => "skip",
            (false, None) => "orig",
        };
        let c_dim = class.as_ref().map_or(0, |class| class.embed.inputs);
        Ok(Discriminator {
            img_resolution,
            img_channels,
            c_dim,
            architecture,
            blocks,
            from_small_rgb,
            conv,
            fc,
            out,
            class,
        })
    }

    /// Number of trained parameters.
    pub fn parameters(&self) -> usize {
        let dense = |layer: &FullyConnected| layer.weight.len() + layer.bias.len();
        let blocks = self
            .blocks
            .iter()
            .flat_map(|b| [b.from_rgb.as_ref(), Some(&b.conv0), Some(&b.conv1), b.skip.as_ref()].into_iter().flatten());
        let convs = blocks.chain(&self.from_small_rgb).chain([&self.conv]);
        let class = self.class.iter().flat_map(|class| class.layers.iter().chain([&class.embed]));
        convs.map(|conv| conv.weight.len() + conv.bias.len()).sum::<usize>()
            + class.chain([&self.fc, &self.out]).map(dense).sum::<usize>()
    }

    /// How real one picture is: a logit. `class` is one-hot, or a mixture, `[c_dim]`.
    /// `None` when the picture has another size or other channels, or `class` another length.
    pub fn score(&self, picture: &Image, class: &[f32]) -> Option<f32> {
        let side = self.img_resolution;
        let fits = (picture.channels, picture.height, picture.width) == (self.img_channels, side, side);
        if !fits || class.len() != self.c_dim {
            return None;
        }
        let mut rgb = picture.clone();
        let mut x: Option<Image> = None;
        for block in &self.blocks {
            x = Some(block.run(&rgb, x));
            if self.from_small_rgb.is_some() {
                rgb = filtered(&rgb, block.fir, 1, 2);
            }
        }
        let mut x = x?;
        if let Some(from_rgb) = &self.from_small_rgb {
            add(&mut x, &from_rgb.run(&rgb, 1, 0));
        }
        // The deviation over the batch: the same number in every pixel of its channels.
        x.data.resize(self.conv.inputs * 16, DEVIATION_OF_ONE);
        x.channels = self.conv.inputs;
        let x = self.conv.run(&x, 1, 1);
        let (mut hidden, mut features) = (Vec::new(), Vec::new());
        self.fc.apply(&x.data, &mut hidden);
        hidden.iter_mut().for_each(|x| *x = lrelu(*x) * SQRT_2);
        self.out.apply(&hidden, &mut features);
        match &self.class {
            None => features.first().copied(),
            Some(mapping) => {
                let mapped = mapping.run(class);
                let sum: f32 = features.iter().zip(&mapped).map(|(a, b)| a * b).sum();
                Some(sum / (mapped.len() as f32).sqrt())
            }
        }
    }
}

impl Block {
    fn read(at: &Tensors, is_first: bool, colours: usize, channels: usize) -> Result<Block, NetworkError> {
        let from_rgb = match is_first || at.has("fromrgb") {
            true => Some(Conv::read(&at.at("fromrgb"), colours, 1, Some(1.0))?),
            false => None,
        };
        let channels = from_rgb.as_ref().map_or(channels, |conv| conv.outputs);
        let conv0 = Conv::read(&at.at("conv0"), channels, 3, Some(1.0))?;
        let is_resnet = at.has("skip");
        let gain = if is_resnet { FRAC_1_SQRT_2 } else { 1.0 };
        let conv1 = Conv::read(&at.at("conv1"), conv0.outputs, 3, Some(gain))?;
        let skip = match is_resnet {
            true => Some(Conv::read(&at.at("skip"), channels, 1, None)?),
            false => None,
        };
        if let Some(skip) = skip.as_ref().filter(|skip| skip.outputs != conv1.outputs) {
            let (expected, found) = (conv1.outputs.to_string(), skip.outputs.to_string());
            let tensor = at.full_name("skip.weight");
            return Err(NetworkError::Shape { path: at.path().into(), tensor, expected, found });
        }
        Ok(Block { fir: fir(at)?, from_rgb, conv0, conv1, skip })
    }

    /// `rgb` is the picture at this size, `x` the output of the block before.
    fn run(&self, rgb: &Image, x: Option<Image>) -> Image {
        let x = match (&self.from_rgb, x) {
            (Some(from_rgb), Some(mut x)) => {
                add(&mut x, &from_rgb.run(rgb, 1, 0));
                x
            }
            (Some(from_rgb), None) => from_rgb.run(rgb, 1, 0),
            (None, x) => x.unwrap_or_default(),
        };
        let y = self.conv0.run(&x, 1, 1);
        let mut y = self.conv1.run(&filtered(&y, self.fir, 2, 1), 2, 0);
        if let Some(skip) = &self.skip {
            let mut t = skip.run(&filtered(&x, self.fir, 1, 2), 1, 0);
            t.data.iter_mut().for_each(|t| *t *= FRAC_1_SQRT_2);
            add(&mut y, &t);
        }
        y
    }
}

impl Conv {
    /// `gain` is the block's factor on gain and clamp; `None` reads a linear convolution without bias.
    fn read(at: &Tensors, inputs: usize, kernel: usize, gain: Option<f32>) -> Result<Conv, NetworkError> {
        let [outputs, ..] = at.shape_of_rank::<4>("weight")?;
        if outputs > MAX_CHANNELS {
            let what = format!("{}: {outputs} channels, where at most {MAX_CHANNELS} are read", at.full_name("weight"));
            return Err(NetworkError::Unsupported { path: at.path().into(), what });
        }
        let mut weight = at.get("weight", &[outputs, inputs, kernel, kernel])?;
        let scale = 1.0 / ((inputs * kernel * kernel) as f32).sqrt();
        weight.iter_mut().for_each(|w| *w *= scale);
        let bias = if gain.is_some() { at.get("bias", &[outputs])? } else { Vec::new() };
        let clamp = at.attribute("conv_clamp").and_then(Attribute::as_f64).map_or(f32::INFINITY, |c| c as f32);
        if clamp.is_nan() || clamp <= 0.0 {
            let what = format!("{}: {clamp}", at.full_name("conv_clamp"));
            return Err(NetworkError::Unsupported { path: at.path().into(), what });
        }
        let activation = gain.map(|gain| Activation { gain: SQRT_2 * gain, clamp: clamp * gain });
        Ok(Conv { weight, bias, inputs, outputs, kernel, activation })
    }

    /// Correlates with `padding` zeros around the map, at every `stride`-th sample.
    fn run(&self, x: &Image, stride: usize, padding: usize) -> Image {
        let size = |n: usize| (n + 2 * padding - self.kernel) / stride + 1;
        let mut out = Image::new(self.outputs, size(x.height), size(x.width));
        let (height, width, plane) = (out.height, out.width, x.height * x.width);
        out.data.par_chunks_exact_mut((height * width).max(1)).enumerate().for_each(|(o, out)| {
            out.fill(self.bias.get(o).copied().unwrap_or(0.0));
            for i in 0..self.inputs {
                let from = &x.data[i * plane..][..plane];
                for tap in 0..self.kernel * self.kernel {
                    let weight = self.weight[(o * self.inputs + i) * self.kernel * self.kernel + tap];
                    let (ky, kx) = (tap / self.kernel, tap % self.kernel);
                    let columns = inside(x.width, width, stride, kx, padding);
                    for y in inside(x.height, height, stride, ky, padding) {
                        let row = &from[(y * stride + ky - padding) * x.width..][..x.width];
                        let to = &mut out[y * width..][columns.clone()];
                        let row = &row[columns.start * stride + kx - padding..];
                        to.iter_mut().zip(row.iter().step_by(stride)).for_each(|(to, from)| *to += weight * from);
                    }
                }
            }
            if let Some(Activation { gain, clamp }) = self.activation {
                out.iter_mut().for_each(|x| *x = (lrelu(*x) * gain).clamp(-clamp, clamp));
            }
        });
        out
    }
}

/// The samples of the result whose tap `k` reads an existing sample.
fn inside(input: usize, output: usize, stride: usize, k: usize, padding: usize) -> std::ops::Range<usize> {
    let first = padding.saturating_sub(k).div_ceil(stride);
    let end = (input + padding).saturating_sub(k).div_ceil(stride).min(output);
    first.min(end)..end
}

impl ClassMapping {
    fn read(at: &Tensors, features: usize) -> Result<Option<ClassMapping>, NetworkError> {
        if !at.has("embed") {
            return Ok(None);
        }
        let [outputs, inputs] = at.at("embed").shape_of_rank("weight")?;
        let embed = fully_connected(&at.at("embed"), outputs, inputs, 1.0)?;
        let count = (0..).take_while(|i| at.has(&format!("fc{i}"))).count();
        let (mut layers, mut width) = (Vec::new(), outputs);
        for i in 0..count {
            let layer = at.at(format!("fc{i}"));
            let [outputs, _] = layer.shape_of_rank("weight")?;
            let outputs = if i + 1 == count { features } else { outputs };
            layers.push(fully_connected(&layer, outputs, width, 0.01)?);
            width = outputs;
        }
        if width != features {
            let (expected, found) = (features.to_string(), width.to_string());
            let tensor = at.full_name("embed.weight");
            return Err(NetworkError::Shape { path: at.path().into(), tensor, expected, found });
        }
        Ok(Some(ClassMapping { embed, layers }))
    }

    fn run(&self, class: &[f32]) -> Vec<f32> {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        self.embed.apply(class, &mut x);
        let square = x.iter().map(|x| x * x).sum::<f32>() / x.len().max(1) as f32;
        x.iter_mut().for_each(|x| *x /= (square + 1e-8).sqrt());
        for layer in &self.layers {
            layer.apply(&x, &mut y);
            y.iter_mut().for_each(|y| *y = lrelu(*y) * SQRT_2);
            std::mem::swap(&mut x, &mut y);
        }
        x
    }
}

fn lrelu(x: f32) -> f32 {
    if x < 0.0 { 0.2 * x } else { x }
}

fn add(to: &mut Image, from: &Image) {
    to.data.iter_mut().zip(&from.data).for_each(|(to, from)| *to += from);
}

/// Along x and along y with `padding` zeros around the map, at every `down`-th sample.
fn filtered(x: &Image, fir: Fir, padding: usize, down: usize) -> Image {
    let size = |n: usize| (n + 2 * padding - fir.len()) / down + 1;
    let mut out = Image::new(x.channels, size(x.height), size(x.width));
    let (width, plane) = (out.width, x.height * x.width);
    let sample = |line: &mut dyn Iterator<Item = (f32, f32)>| line.map(|(f, x)| f * x).sum::<f32>();
    out.data.par_chunks_exact_mut((out.height * width).max(1)).zip(x.data.par_chunks_exact(plane.max(1))).for_each(
        |(out, from)| {
            let mut lines = vec![0.0; x.height * width];
            for (line, row) in lines.chunks_exact_mut(width).zip(from.chunks_exact(x.width)) {
                for (i, to) in line.iter_mut().enumerate() {
                    let taps = fir
                        .iter()
                        .enumerate()
                        .filter_map(|(k, f)| Some((*f, *row.get((i * down + k).checked_sub(padding)?)?)));
                    *to = sample(&mut { taps });
                }
            }
            for (y, row) in out.chunks_exact_mut(width).enumerate() {
                for (i, to) in row.iter_mut().enumerate() {
                    let taps = fir.iter().enumerate().filter_map(|(k, f)| {
                        let y = (y * down + k).checked_sub(padding).filter(|y| *y < x.height)?;
                        Some((*f, lines[y * width + i]))
                    });
                    *to = sample(&mut { taps });
                }
            }
        },
    );
    out
}
