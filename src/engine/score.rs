//! A discriminator's arithmetic: how real does it judge a picture to be?
//!
//! The score is a logit: larger is more real, and only scores of the same discriminator are comparable. Plain 32-bit
//! arithmetic on all cores at a few pictures a second; not for live use. `network::discriminator` reads the layers from
//! files. Source of the maths: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020).

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

use rayon::prelude::*;

use super::plan::Fir;
use crate::image::Image;
use crate::latent::mapping::FullyConnected;

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
    pub blocks: Vec<Block>,
    /// Of the last, small picture; architecture skip only.
    pub from_small_rgb: Option<Conv>,
    pub conv: Conv,
    pub fc: FullyConnected,
    pub out: FullyConnected,
    pub class: Option<ClassMapping>,
}

/// One halving of the map.
#[derive(Clone, Debug)]
pub struct Block {
    pub fir: Fir,
    pub from_rgb: Option<Conv>,
    pub conv0: Conv,
    /// Halves.
    pub conv1: Conv,
    /// Halves.
    pub skip: Option<Conv>,
}

/// A convolution with the gain of equalised learning rate multiplied in.
#[derive(Clone, Debug)]
pub struct Conv {
    /// `[outputs, inputs, kernel, kernel]`
    pub weight: Vec<f32>,
    /// Empty for none.
    pub bias: Vec<f32>,
    pub inputs: usize,
    pub outputs: usize,
    pub kernel: usize,
    /// `None` is linear.
    pub activation: Option<Activation>,
}

/// `clamp(gain·lrelu(x))`
#[derive(Clone, Copy, Debug)]
pub struct Activation {
    pub gain: f32,
    pub clamp: f32,
}

/// Maps a class to the factors of the features.
#[derive(Clone, Debug)]
pub struct ClassMapping {
    pub embed: FullyConnected,
    pub layers: Vec<FullyConnected>,
}

impl Discriminator {
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
