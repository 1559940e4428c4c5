//! The mapping network of a checkpoint.

use rayon::prelude::*;

use super::super::NetworkError;
use super::super::checkpoint::{Attribute, Tensors};
use super::check_activation;
use crate::engine::plan::Plan;
use crate::latent::mapping::{FullyConnected, Mapping, Scratch};
use crate::latent::seed::z_from_seed;

/// The learning-rate multiplier of mapping layers; pickled modules store it as `bias_gain`.
const MAPPING_LR_MULTIPLIER: f32 = 0.01;
/// How many samples of w are averaged when a file has no `w_avg`.
const W_AVG_SAMPLES: u32 = 1024;

/// Builds the mapping network at `mapping.` for a synthesis plan.
pub fn lower(at: &Tensors, plan: &Plan, warnings: &mut Vec<String>) -> Result<Mapping, NetworkError> {
    let embed = match at.has("embed") {
        true => {
            let [outputs, inputs] = at.at("embed").shape_of_rank("weight")?;
            check_activation(&at.at("embed"), "linear")?;
            Some(fully_connected(&at.at("embed"), outputs, inputs, 1.0)?)
        }
        false => None,
    };
    lower_embedded(at, plan, embed, warnings)
}

/// As [`lower`], with a given label embedding.
pub fn lower_embedded(
    at: &Tensors,
    plan: &Plan,
    embed: Option<FullyConnected>,
    warnings: &mut Vec<String>,
) -> Result<Mapping, NetworkError> {
    let w_dim = plan.w_dim;
    let count = (0..).take_while(|i| at.has(&format!("fc{i}"))).count();
    let [_, mut inputs] = at.at("fc0").shape_of_rank("weight")?;
    let features = embed.as_ref().map_or(0, |e| e.outputs);
    let z_dim = inputs.saturating_sub(features);
    if z_dim == 0 {
        let (path, tensor) = (at.path().into(), at.full_name("fc0.weight"));
        let expected = format!("more than the {features} inputs that the class takes");
        return Err(NetworkError::Shape { path, tensor, expected, found: inputs.to_string() });
    }
    let named = at.attribute("z_dim").and_then(Attribute::as_f64).map(|n| n as usize);
    let [outputs, _] = at.at("fc0").shape_of_rank("weight")?;
    if embed.is_none() && named.map_or(z_dim == 2 * outputs, |named| named != z_dim) {
        let what = format!(
            "a network with classes whose {} is missing ({} takes {inputs} numbers: z and the class); export it again with \
             its embedding: like this it",
            at.full_name("embed"),
            at.full_name("fc0")
        );
        return Err(NetworkError::Unsupported { path: at.path().into(), what });
    }
    let mut layers = Vec::with_capacity(count);
    for i in 0..count {
        let layer = at.at(format!("fc{i}"));
        check_activation(&layer, "lrelu")?;
        let [mut outputs, _] = layer.shape_of_rank("weight")?;
        if i + 1 == count {
            outputs = w_dim;
        }
        layers.push(fully_connected(&layer, outputs, inputs, MAPPING_LR_MULTIPLIER)?);
        inputs = outputs;
    }
    let c_dim = embed.as_ref().map_or(0, |e| e.inputs);
    let mut mapping = Mapping {
        z_dim,
        c_dim,
        w_dim,
        num_ws: plan.num_ws,
        embed,
        layers,
        normalizes_z: true,
        normalizes_label: true,
        passes_psi: false,
        w_avg: Vec::new(),
        class_w_avg: Vec::new(),
    };
    mapping.w_avg = match at.shape("w_avg") {
        // StyleGAN-XL: one per class.
        Some(&[_, _]) if c_dim > 0 => {
            mapping.class_w_avg = at.get("w_avg", &[c_dim, w_dim])?;
            let mean = |i: usize| mapping.class_w_avg.iter().skip(i).step_by(w_dim).sum::<f32>() / c_dim as f32;
            (0..w_dim).map(mean).collect()
        }
        Some(_) => at.get("w_avg", &[w_dim])?,
        None => {
            warnings.push(format!("mapping.w_avg is missing: estimated from {W_AVG_SAMPLES} seeds"));
            estimate_w_avg(&mapping)
        }
    };
    Ok(mapping)
}

/// A fully connected layer with equalised learning rate: `weight_gain` = m/√inputs and `bias_gain` = m are multiplied in.
pub fn fully_connected(
    at: &Tensors,
    outputs: usize,
    inputs: usize,
    lr_multiplier: f32,
) -> Result<FullyConnected, NetworkError> {
    let number = |name| at.attribute(name).and_then(Attribute::as_f64).map(|v| v as f32);
    let bias_gain = number("bias_gain").unwrap_or(lr_multiplier);
    let weight_gain = number("weight_gain").unwrap_or(bias_gain / (inputs as f32).sqrt());
    let mut weight = at.get("weight", &[outputs, inputs])?;
    let mut bias = if at.has("bias") { at.get("bias", &[outputs])? } else { Vec::new() };
    weight.iter_mut().for_each(|w| *w *= weight_gain);
    bias.iter_mut().for_each(|b| *b *= bias_gain);
    Ok(FullyConnected { weight, bias, inputs, outputs })
}

/// The mean w over some seeds, cycling through the classes.
fn estimate_w_avg(mapping: &Mapping) -> Vec<f32> {
    let sum = (0..W_AVG_SAMPLES)
        .into_par_iter()
        .map(|seed| {
            let mut c = vec![0.0; mapping.c_dim];
            if mapping.c_dim > 0 {
                c[seed as usize % mapping.c_dim] = 1.0;
            }
            let mut w = Vec::new();
            mapping.map(&z_from_seed(seed, mapping.z_dim), &c, &mut w, &mut Scratch::default());
            w.into_iter().map(f64::from).collect::<Vec<f64>>()
        })
        .collect::<Vec<_>>();
    let mean = |i: usize| sum.iter().map(|w| w[i]).sum::<f64>() / f64::from(W_AVG_SAMPLES);
    (0..mapping.w_dim).map(|i| mean(i) as f32).collect()
}
