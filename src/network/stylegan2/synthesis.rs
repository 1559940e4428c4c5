//! The synthesis network of a checkpoint, lowered block by block.

use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

use super::super::NetworkError;
use super::super::checkpoint::{Attribute, Checkpoint, Tensors};
use super::check_activation;
use super::mapping::fully_connected;
use crate::engine::plan::{
    BufferId, Constant, FIR_1331, Fir, LayerNoise, Op, Plan, Residual, Style, SynthesisLayer, ToRgb, Weights,
};

/// How the blocks of a generator are connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// Every block has a toRGB; the picture is accumulated.
    Skip,
    /// Blocks have a skip convolution; only the last has a toRGB.
    Resnet,
    /// Neither.
    Orig,
}

impl std::fmt::Display for Architecture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Architecture::Skip => "skip",
            Architecture::Resnet => "resnet",
            Architecture::Orig => "orig",
        })
    }
}

/// Longest side of the first map; files have 3 to 8.
const MAX_FIRST: usize = 64;

/// A lowered synthesis network.
pub struct Synthesis {
    pub plan: Plan,
    pub architecture: Architecture,
    pub img_resolution: usize,
    pub img_channels: usize,
}

/// Lowers the tensors at `synthesis.`.
pub fn lower(checkpoint: &Checkpoint, at: &Tensors, warnings: &mut Vec<String>) -> Result<Synthesis, NetworkError> {
    let img_resolution = resolution(checkpoint, at)?;
    let last = at.at(format!("b{img_resolution}"));
    let [img_channels, _, _, _] = last.at("torgb").shape_of_rank("weight")?;
    let architecture = architecture(at, img_resolution);
    let [_, w_dim] = at.at("b4").at("conv1").at("affine").shape_of_rank("weight")?;
    let mut lowering = Lowering {
        plan: Plan {
            name: super::name_of(&checkpoint.path),
            num_ws: 2 * img_resolution.ilog2() as usize - 2,
            w_dim,
            ..Plan::default()
        },
        architecture,
        img_channels,
        clamp: checkpoint.config("conv_clamp").and_then(|v| v.as_f64()).map(|v| v as f32),
        warnings,
    };
    let [_, height, width] = at.at("b4").shape_of_rank("const")?;
    if !(1..=MAX_FIRST).contains(&height) || !(1..=MAX_FIRST).contains(&width) {
        let what = format!("{}: a first map of {height} x {width}", at.full_name("b4.const"));
        return Err(NetworkError::Unsupported { path: at.path().into(), what });
    }
    let mut state = State { x: BufferId(0), channels: 0, picture: None, first: [height, width] };
    for exponent in 2..=img_resolution.ilog2() {
        let r = 1 << exponent;
        lowering.block(&at.at(format!("b{r}")), r, r == img_resolution, &mut state)?;
    }
    lowering.plan.output = state.picture;
    let longer = height.max(width) * (img_resolution / 4);
    Ok(Synthesis { plan: lowering.plan, architecture, img_resolution: longer, img_channels })
}

/// The resolution of the last block. Blocks 4, 8, … must all be present, and no others.
fn resolution(checkpoint: &Checkpoint, at: &Tensors) -> Result<usize, NetworkError> {
    let prefix = at.full_name("");
    let blocks = checkpoint.tensors.keys().filter_map(|name| {
        let block = name.strip_prefix(&prefix)?.split('.').next()?;
        Some((block, block.strip_prefix('b')?.parse::<usize>().ok()?))
    });
    let mut last = 4;
    for (block, r) in blocks {
        if !r.is_power_of_two() || !(4..=4096).contains(&r) {
            let what = format!("block {prefix}{block}: a resolution of {r}");
            return Err(NetworkError::Unsupported { path: at.path().into(), what });
        }
        last = last.max(r);
    }
    match (2..last.ilog2()).map(|e| 1usize << e).find(|r| !at.has(&format!("b{r}"))) {
        Some(r) => {
            let tensor = format!("{prefix}b{r}.*");
            let expected = format!("the block before b{}", 2 * r);
            Err(NetworkError::Missing { path: at.path().into(), tensor, expected })
        }
        None => Ok(last),
    }
}

/// Inferred from the layers of the blocks before the last one.
fn architecture(at: &Tensors, img_resolution: usize) -> Architecture {
    let resolutions = || (2..=img_resolution.ilog2()).map(|e| at.at(format!("b{}", 1 << e)));
    if resolutions().any(|block| block.has("skip")) {
        Architecture::Resnet
    } else if img_resolution == 4 || resolutions().rev().skip(1).any(|block| block.has("torgb")) {
        Architecture::Skip
    } else {
        Architecture::Orig
    }
}

/// State carried from block to block.
struct State {
    x: BufferId,
    channels: usize,
    picture: Option<BufferId>,
    /// Height and width of the first map: 4 x 4, or others for pictures that are not square.
    first: [usize; 2],
}

impl State {
    /// Height and width of the maps of the block called `b{r}`.
    fn size(&self, r: usize) -> [usize; 2] {
        self.first.map(|side| side * (r / 4))
    }
}

struct Lowering<'a> {
    plan: Plan,
    architecture: Architecture,
    img_channels: usize,
    /// The clamp for files without attributes.
    clamp: Option<f32>,
    warnings: &'a mut Vec<String>,
}

/// A convolution layer to be lowered.
struct Layer<'a> {
    at: Tensors<'a>,
    /// Of the block.
    resolution: usize,
    up: bool,
    ws_index: usize,
    /// The block's factor on gain and clamp.
    gain: f32,
}

impl Lowering<'_> {
    fn block(&mut self, at: &Tensors, r: usize, is_last: bool, state: &mut State) -> Result<(), NetworkError> {
        let is_resnet = self.architecture == Architecture::Resnet;
        // The index of this block's first w; its toRGB shares one with the next block's first convolution.
        let ws = (2 * r.ilog2() as usize).saturating_sub(5);
        let layer = |name: &str, up: bool, ws_index: usize, gain: f32| Layer {
            at: at.at(name),
            resolution: r,
            up,
            ws_index,
            gain,
        };
        if r == 4 {
            let [channels, _, _] = at.shape_of_rank("const")?;
            let [height, width] = state.first;
            let value = at.get("const", &[channels, height, width])?.into();
            let out = self.plan.buffer("b4.const", channels, height, width);
            self.plan.push("b4.const", Op::Constant(Constant { out, value }));
            (state.x, state.channels) = (out, channels);
            self.synthesis_layer(&layer("conv1", false, 0, 1.0), state)?;
        } else {
            let (input, channels) = (state.x, state.channels);
            self.synthesis_layer(&layer("conv0", true, ws, 1.0), state)?;
            let gain = if is_resnet { FRAC_1_SQRT_2 } else { 1.0 };
            self.synthesis_layer(&layer("conv1", false, ws + 1, gain), state)?;
            if is_resnet {
                self.residual(at, r, input, channels, state)?;
            }
        }
        if is_last || self.architecture == Architecture::Skip {
            self.torgb(at, r, if r == 4 { 1 } else { ws + 2 }, state)?;
        }
        Ok(())
    }

    fn synthesis_layer(&mut self, layer: &Layer, state: &mut State) -> Result<(), NetworkError> {
        let Layer { at, resolution: r, up, ws_index, gain } = layer;
        check_activation(at, "lrelu")?;
        let [channels, _, kernel, _] = at.shape_of_rank("weight")?;
        // Only 3x3 occurs in conv0, and 1x1 or 3x3 in conv1.
        let kernel = if kernel == 1 && !up { 1 } else { 3 };
        let weight = at.get("weight", &[channels, state.channels, kernel, kernel])?.into();
        let bias = at.get("bias", &[channels])?.into();
        let [height, width] = state.size(*r);
        let noise = self.noise(at, [height, width])?;
        let style = self.style(at, state.channels, *ws_index, 1.0)?;
        let (name, act_gain) = (layer_name(at), attribute(at, "act_gain").flatten().unwrap_or(SQRT_2));
        let out = self.plan.buffer(&name, channels, height, width);
        let op = SynthesisLayer {
            input: state.x,
            out,
            style,
            weight,
            kernel,
            up: *up,
            fir: fir(at)?,
            demodulate: true,
            noise,
            bias,
            gain: act_gain * gain,
            slope: 0.2,
            clamp: self.clamp(at).map(|c| c * gain),
        };
        self.plan.push(name, Op::Synthesis(op));
        (state.x, state.channels) = (out, channels);
        Ok(())
    }

    fn noise(&mut self, at: &Tensors, size: [usize; 2]) -> Result<Option<LayerNoise>, NetworkError> {
        let used = !matches!(at.attribute("use_noise"), Some(Attribute::Bool(false)));
        if !used || !at.has("noise_strength") {
            return Ok(None);
        }
        let strength = at.blended("noise_strength", |at| {
            // A scalar, which some writers store as a vector of one.
            let shape: &[usize] = if at.shape("noise_strength") == Some(&[1]) { &[1] } else { &[] };
            at.get("noise_strength", shape)
        })?[0];
        let constant = match at.has("noise_const") {
            true => at.get("noise_const", &size)?.into(),
            false => {
                self.warnings.push(format!("{} is missing: no constant noise there", at.full_name("noise_const")));
                Weights::default()
            }
        };
        Ok(Some(LayerNoise { constant, strength }))
    }

    fn style(&self, at: &Tensors, channels: usize, ws_index: usize, gain: f32) -> Result<Style, NetworkError> {
        check_activation(&at.at("affine"), "linear")?;
        let mut affine = fully_connected(&at.at("affine"), channels, self.plan.w_dim, 1.0)?;
        affine.weight.iter_mut().chain(&mut affine.bias).for_each(|v| *v *= gain);
        Ok(Style { affine, ws_index })
    }

    /// The layer's `conv_clamp`, else the file's.
    fn clamp(&self, at: &Tensors) -> Option<f32> {
        attribute(at, "conv_clamp").unwrap_or(self.clamp)
    }

    fn residual(
        &mut self,
        block: &Tensors,
        r: usize,
        input: BufferId,
        in_channels: usize,
        state: &mut State,
    ) -> Result<(), NetworkError> {
        let at = block.at("skip");
        let mut weight = at.get("weight", &[state.channels, in_channels, 1, 1])?;
        let gain = FRAC_1_SQRT_2 / (in_channels as f32).sqrt();
        weight.iter_mut().for_each(|w| *w *= gain);
        let [height, width] = state.size(r);
        let out = self.plan.buffer(format!("b{r}.x"), state.channels, height, width);
        let (branch, weight, fir) = (state.x, weight.into(), fir(&at)?);
        self.plan.push(format!("b{r}.skip"), Op::Residual(Residual { input, branch, out, weight, fir }));
        state.x = out;
        Ok(())
    }

    fn torgb(&mut self, block: &Tensors, r: usize, ws_index: usize, state: &mut State) -> Result<(), NetworkError> {
        let at = block.at("torgb");
        let (colours, channels) = (self.img_channels, state.channels);
        if !(1..=4).contains(&colours) {
            let what = format!("{}: a picture of {colours} colours", at.full_name("weight"));
            return Err(NetworkError::Unsupported { path: at.path().into(), what });
        }
        let weight = at.get("weight", &[colours, channels, 1, 1])?.into();
        let bias = at.get("bias", &[colours])?.into();
        let weight_gain = attribute(&at, "weight_gain").flatten().unwrap_or(1.0 / (channels as f32).sqrt());
        let style = self.style(&at, channels, ws_index, weight_gain)?;
        let [height, width] = state.size(r);
        let out = self.plan.buffer(format!("b{r}.img"), colours, height, width);
        let clamp = self.clamp(&at);
        let (input, picture) = (state.x, state.picture);
        let op = ToRgb { input, picture, out, style, weight, bias, clamp, fir: fir(block)? };
        self.plan.push(format!("b{r}.torgb"), Op::ToRgb(op));
        state.picture = Some(out);
        Ok(())
    }
}

/// `b8.conv0` for the layer at `synthesis.b8.conv0.`
fn layer_name(at: &Tensors) -> String {
    let full = at.full_name("");
    full.trim_end_matches('.').rsplit('.').take(2).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join(".")
}

/// A number from the module's attributes: `None` when the file does not say, `Some(None)` when it says "none".
fn attribute(at: &Tensors, name: &str) -> Option<Option<f32>> {
    at.attribute(name).map(|a| a.as_f64().map(|v| v as f32))
}

/// The filter of a module, as the 1-D filter whose outer product is stored.
pub fn fir(at: &Tensors) -> Result<Fir, NetworkError> {
    if !at.has("resample_filter") {
        return Ok(FIR_1331);
    }
    let stored = at.get("resample_filter", &[4, 4])?;
    let mut fir: Fir = [0.0; 4];
    for (f, row) in fir.iter_mut().zip(stored.as_chunks::<4>().0) {
        *f = row.iter().sum();
    }
    // Half-precision files round the filter a little.
    let is_same = |a: f32, b: f32| (a - b).abs() < 1e-3;
    let is_outer = stored.iter().enumerate().all(|(i, &v)| is_same(v, fir[i / 4] * fir[i % 4]));
    if !is_outer || !is_same(fir.iter().sum(), 1.0) || !is_same(fir[0], fir[3]) || !is_same(fir[1], fir[2]) {
        let what =
            format!("{}: a filter that is not a symmetric outer product with sum 1", at.full_name("resample_filter"));
        return Err(NetworkError::Unsupported { path: at.path().into(), what });
    }
    Ok(fir)
}
