//! The discriminator stored beside a generator, for [`Discriminator::score`].
//!
//! All of NVIDIA's families and rosinality use StyleGAN2's discriminator; StyleGAN-XL's is a different kind and is not read.

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};
use std::path::Path;

use super::checkpoint::{Attribute, Checkpoint, Tensors};
use super::stylegan2::fir;
use super::stylegan2::mapping::fully_connected;
use super::{Network, NetworkError};
use crate::engine::score::{Activation, Block, ClassMapping, Conv, Discriminator};

/// Maximum channels of a map; known discriminators have 512.
const MAX_CHANNELS: usize = 4096;
/// Largest picture that is scored.
const MAX_RESOLUTION: usize = 2048;

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

    /// The discriminator in the network's file, if it scores what the network paints. A broken one costs one line.
    pub fn of(network: &Network) -> Option<Discriminator> {
        let opened = Discriminator::open(&network.path).inspect_err(|error| tracing::warn!("{error}"));
        opened.ok().flatten().filter(|judge| judge.fits(network))
    }

    /// Whether it scores what this network paints.
    pub fn fits(&self, network: &Network) -> bool {
        self.img_channels == network.img_channels
            && network.picture_size() == [self.img_resolution; 2]
            && (self.c_dim == 0 || self.c_dim == network.mapping.c_dim)
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
}
