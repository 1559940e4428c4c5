//! rosinality's stylegan2-pytorch, and ports that use its names: the same network under other names.
//!
//! Renames the tensors of a state dict to stylegan2-ada-pytorch's names, so that one architecture reads both. Axes of
//! length 1 that its code keeps are dropped, and the filters, which include the gain of 4 there, are scaled back. Weights
//! are left alone: both repositories use the same orientation and the same raw values.

use std::collections::BTreeMap;

use super::checkpoint::TensorRef;

/// Is this a state dict in rosinality's names?
pub fn is_rosinality<'a>(mut names: impl Iterator<Item = &'a str>) -> bool {
    names.any(|name| name.strip_prefix(PARALLEL).unwrap_or(name) == "input.input")
}

/// The prefix that torch's DataParallel adds to every name.
const PARALLEL: &str = "module.";

/// The tensors under their names in stylegan2-ada-pytorch. Tensors without a counterpart there are left out.
///
/// # Errors
/// When the names belong to a related architecture that computes something else.
pub fn rename(tensors: BTreeMap<String, TensorRef>) -> Result<BTreeMap<String, TensorRef>, String> {
    if tensors.keys().any(|n| n.contains("iwt.") || n.contains("dwt.")) {
        return Err("a SWAGAN network (StyleGAN2 over wavelets)".into());
    }
    let renamed = tensors.into_iter().filter_map(|(name, tensor)| {
        let name = name.strip_prefix(PARALLEL).unwrap_or(&name);
        let (place, rest) = place(name)?;
        let (leaf, rank) = leaf(rest)?;
        let mut tensor = tensor.trimmed(rank);
        if leaf == "resample_filter" && tensor.len() <= MAX_TAPS {
            tensor = tensor.mapped(|x| x * 0.25)?;
        }
        Some((if place.is_empty() { leaf.to_owned() } else { format!("{place}.{leaf}") }, tensor))
    });
    Ok(renamed.collect())
}

/// The tensors of a discriminator under their names in stylegan2-ada-pytorch.
pub fn rename_discriminator(tensors: BTreeMap<String, TensorRef>) -> BTreeMap<String, TensorRef> {
    let bare = |name: &str| name.strip_prefix(PARALLEL).unwrap_or(name).to_owned();
    let block = |name: &str| bare(name).strip_prefix("convs.")?.split('.').next()?.parse::<u32>().ok();
    let Some(last) = tensors.keys().filter_map(|name| block(name)).max().filter(|&n| n < 16) else { return tensors };
    let renamed = tensors.iter().filter_map(|(name, tensor)| {
        let name = bare(name);
        let place = match name.strip_prefix("convs.") {
            Some(rest) => {
                let (index, rest) = rest.split_once('.')?;
                let index: u32 = index.parse().ok()?;
                let resolution = 4u64 << (last - index.saturating_sub(1));
                let leaf = match rest {
                    "0.weight" => "fromrgb.weight",
                    "1.bias" => "fromrgb.bias",
                    "conv1.0.weight" => "conv0.weight",
                    "conv1.1.bias" => "conv0.bias",
                    "conv2.1.weight" => "conv1.weight",
                    "conv2.2.bias" => "conv1.bias",
                    "skip.1.weight" => "skip.weight",
                    _ => return None,
                };
                format!("b{resolution}.{leaf}")
            }
            None => match name.as_str() {
                "final_conv.0.weight" => "b4.conv.weight".into(),
                "final_conv.1.bias" => "b4.conv.bias".into(),
                "final_linear.0.weight" => "b4.fc.weight".into(),
                "final_linear.0.bias" => "b4.fc.bias".into(),
                "final_linear.1.weight" => "b4.out.weight".into(),
                "final_linear.1.bias" => "b4.out.bias".into(),
                _ => return None,
            },
        };
        Some((place, tensor.clone()))
    });
    renamed.collect()
}

/// Maximum taps of a filter; larger ones are refused when they are read.
const MAX_TAPS: usize = 64;

/// The module that a name belongs to, in ada's terms, and the rest of the name.
fn place(name: &str) -> Option<(String, &str)> {
    if let Some(rest) = name.strip_prefix("noises.noise_") {
        let layer: usize = rest.parse().ok()?;
        return Some((synthesis_layer(layer)?, "noise_const"));
    }
    let (head, rest) = name.split_once('.')?;
    match head {
        "input" => Some(("synthesis.b4".into(), name)),
        "latent_avg" => Some(("mapping".into(), "w_avg")),
        "conv1" => Some((synthesis_layer(0)?, rest)),
        "to_rgb1" => Some(("synthesis.b4.torgb".into(), rest)),
        _ => {
            let (index, rest) = rest.split_once('.')?;
            let index: usize = index.parse().ok().filter(|&i| i < 64)?;
            match head {
                // style.0 is the normalisation, which has no parameters.
                "style" => Some((format!("mapping.fc{}", index.checked_sub(1)?), rest)),
                "convs" => Some((synthesis_layer(index + 1)?, rest)),
                // The filter for the picture belongs to the block.
                "to_rgbs" if rest == "upsample.kernel" => Some((block(index)?, rest)),
                "to_rgbs" => Some((format!("{}.torgb", block(index)?), rest)),
                _ => None,
            }
        }
    }
}

/// The block that the `index`-th up-sampling leads to.
fn block(index: usize) -> Option<String> {
    Some(format!("synthesis.b{}", 8usize.checked_shl(index as u32).filter(|_| index < 32)?))
}

/// The `layer`-th convolution: b4.conv1, b8.conv0, b8.conv1, b16.conv0, …
fn synthesis_layer(layer: usize) -> Option<String> {
    match layer.checked_sub(1) {
        None => Some("synthesis.b4.conv1".into()),
        Some(above) => Some(format!("{}.conv{}", block(above / 2)?, above % 2)),
    }
}

/// The tensor's name inside its module in ada's terms, and its number of axes there.
fn leaf(name: &str) -> Option<(&'static str, usize)> {
    Some(match name {
        "input.input" => ("const", 3),
        "noise_const" => ("noise_const", 2),
        "w_avg" => ("w_avg", 1),
        "weight" => ("weight", 2),
        "bias" | "activate.bias" => ("bias", 1),
        "conv.weight" => ("weight", 4),
        "conv.modulation.weight" => ("affine.weight", 2),
        "conv.modulation.bias" => ("affine.bias", 1),
        "noise.weight" => ("noise_strength", 0),
        "conv.blur.kernel" | "upsample.kernel" => ("resample_filter", 2),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ada(name: &str) -> Option<String> {
        let (place, rest) = place(name)?;
        Some(format!("{place}.{}", leaf(rest)?.0))
    }

    #[test]
    fn names_are_those_of_ada() {
        let table = [
            ("style.1.weight", "mapping.fc0.weight"),
            ("style.8.bias", "mapping.fc7.bias"),
            ("input.input", "synthesis.b4.const"),
            ("conv1.conv.weight", "synthesis.b4.conv1.weight"),
            ("convs.0.conv.weight", "synthesis.b8.conv0.weight"),
            ("convs.5.activate.bias", "synthesis.b32.conv1.bias"),
            ("convs.4.conv.blur.kernel", "synthesis.b32.conv0.resample_filter"),
            ("noises.noise_0", "synthesis.b4.conv1.noise_const"),
            ("noises.noise_3", "synthesis.b16.conv0.noise_const"),
            ("noises.noise_4", "synthesis.b16.conv1.noise_const"),
            ("to_rgb1.conv.modulation.bias", "synthesis.b4.torgb.affine.bias"),
            ("to_rgbs.1.bias", "synthesis.b16.torgb.bias"),
            ("to_rgbs.1.upsample.kernel", "synthesis.b16.resample_filter"),
        ];
        for (rosinality, expected) in table {
            assert_eq!(ada(rosinality).as_deref(), Some(expected), "{rosinality}");
        }
        for nothing in ["style.0.weight", "convs.99.conv.weight", "noises.noise_x", "g_optim.state", "to_rgbs.0"] {
            assert_eq!(ada(nothing), None, "{nothing}");
        }
    }
}
