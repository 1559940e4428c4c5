//! StyleGAN2 pickles from the TensorFlow era: a tuple of three `dnnlib.tflib.network.Network`.
//!
//! They are only data (names and numpy arrays), so they open without TensorFlow. The variables of Gs are renamed,
//! transposed and flipped to the layout of stylegan2-ada-pytorch. Where that repository's converter and this reader
//! both apply, they give the same tensors. Source: NVIDIA's `legacy.py`, as described in words.

use std::collections::BTreeMap;

use super::checkpoint::{Attribute, TensorRef};
use super::nvidia::Contents;
use super::pickle::{Document, Known, NodeId, PickleError};

/// Oldest file version with the layout of StyleGAN2.
const VERSION: i64 = 4;

/// Is the root of a pickle the tuple (G, D, Gs)?
pub fn is_tensorflow(document: &Document) -> bool {
    generator(document).is_some()
}

/// The state of Gs, the averaged generator.
fn generator(document: &Document) -> Option<NodeId> {
    let &[_, _, averaged] = document.items(document.root)? else { return None };
    network(document, averaged)
}

/// The state dict of a network object.
fn network(document: &Document, id: NodeId) -> Option<NodeId> {
    match document.object(id)? {
        (Known::TensorFlowNetwork, _, state) => state,
        _ => None,
    }
}

/// Limit on copied numbers, as a file may reference one tensor many times; the largest known network has 12 million.
const MAX_COPIED: u64 = 32 << 20;

/// Tensors and attributes of the averaged generator, under ada's names.
///
/// # Errors
/// When the file is older than StyleGAN2, or a variable is not an array.
pub fn read(document: &Document) -> Result<Contents, PickleError> {
    let unfit = |what: String| PickleError::Container(what);
    let state = generator(document).ok_or_else(|| unfit("it holds no averaged generator".into()))?;
    let version = document.get(state, "version").and_then(|v| document.int(v)).unwrap_or(0);
    if version < VERSION {
        let what = format!(
            "a TensorFlow network of version {version}, older than StyleGAN2 (4 or later): a StyleGAN of 2018 or 2019, which \
             does not play; look for the same network as StyleGAN2"
        );
        return Err(PickleError::Foreign(what));
    }
    let (mut tensors, mut copied) = (BTreeMap::new(), 0);
    variables(document, state, "", &mut tensors, &mut copied)?;
    if let Some(components) = document.get(state, "components") {
        for &(name, component) in document.entries(components).iter().take(16) {
            if let (Some(name), Some(state)) = (document.text(name), network(document, component)) {
                variables(document, state, &format!("{name}/"), &mut tensors, &mut copied)?;
            }
        }
    }
    let mut attributes = BTreeMap::new();
    if let Some(kwargs) = document.get(state, "static_kwargs") {
        if let Some(id) = document.get(kwargs, "architecture").and_then(|a| document.text(a)) {
            attributes.insert("synthesis.b4.architecture".to_owned(), Attribute::Text(id.chars().take(32).collect()));
        }
        if let Some(rate) = document.get(kwargs, "mapping_lrmul").and_then(|r| document.number(r)) {
            let layers =
                tensors.keys().filter_map(|name| name.strip_prefix("mapping.fc")?.split_once('.')?.0.parse().ok());
            let gains: Vec<usize> = layers.collect();
            for layer in gains {
                attributes.insert(format!("mapping.fc{layer}.bias_gain"), Attribute::Float(rate));
            }
        }
    }
    Ok(Contents::new(tensors, attributes))
}

/// Adds the variables of one component.
fn variables(
    document: &Document,
    state: NodeId,
    prefix: &str,
    tensors: &mut BTreeMap<String, TensorRef>,
    copied: &mut u64,
) -> Result<(), PickleError> {
    let list = document.get(state, "variables").and_then(|v| document.items(v)).unwrap_or(&[]);
    for &variable in list.iter().take(4096) {
        let Some(&[name, value]) = document.items(variable) else { continue };
        let Some(name) = document.text(name).filter(|n| n.len() <= 256) else { continue };
        let full = format!("{prefix}{name}");
        if full.contains("ToRGB_lod") {
            return Err(PickleError::Container("the \"orig\" TensorFlow form (ToRGB_lod) is not supported".into()));
        }
        let Some((name, change)) = rename(&full) else {
            // Anything else, and the resolution that progressive training had reached, takes no part in the computation.
            let counts = full.starts_with("mapping/") || full.starts_with("synthesis/");
            if counts && !full.ends_with("/lod") {
                return Err(PickleError::Container(format!("its variable {full} belongs to no known StyleGAN2")));
            }
            continue;
        };
        let Some(tensor) = document.tensor(value)? else {
            return Err(PickleError::Tensor(format!("the variable {full} is not an array")));
        };
        if change.copies() {
            *copied += tensor.len() as u64;
            if *copied > MAX_COPIED {
                return Err(PickleError::Limit {
                    what: "numbers in kernels that are stored mirrored",
                    limit: MAX_COPIED,
                });
            }
        }
        let bad = || PickleError::Tensor(format!("the variable {full} has shape {:?}", tensor.shape));
        tensors.insert(name, change.apply(&tensor).ok_or_else(bad)?);
    }
    Ok(())
}

/// How a variable differs from the ada tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Same,
    /// `[in, out]` to `[out, in]`.
    Transpose,
    /// The bias of a style is stored without the added 1.
    PlusOne,
    /// `[kh, kw, in, out]` to `[out, in, kh, kw]`.
    Kernel,
    /// The same, and mirrored in both kernel axes: TensorFlow's transposed convolution flips.
    FlippedKernel,
    /// Keeps this many axes; the others have length 1.
    Axes(usize),
}

impl Change {
    /// Does it have to copy the numbers?
    fn copies(self) -> bool {
        matches!(self, Change::PlusOne | Change::FlippedKernel)
    }

    fn apply(self, tensor: &TensorRef) -> Option<TensorRef> {
        match self {
            Change::Same => Some(tensor.clone()),
            Change::Transpose => tensor.permuted(&[1, 0]),
            Change::PlusOne => tensor.mapped(|x| x + 1.0),
            Change::Kernel => tensor.permuted(&[3, 2, 0, 1]),
            Change::FlippedKernel => tensor.permuted(&[3, 2, 0, 1])?.flipped_kernel(),
            Change::Axes(axes) => Some(tensor.trimmed(axes)),
        }
    }
}

/// The ada name of a variable, and how its numbers change.
fn rename(name: &str) -> Option<(String, Change)> {
    if name == "dlatent_avg" {
        return Some(("mapping.w_avg".into(), Change::Same));
    }
    let (component, rest) = name.split_once('/')?;
    match component {
        "mapping" => {
            let (layer, leaf) = rest.split_once('/')?;
            let layer = match layer.strip_prefix("Dense") {
                Some(index) => format!("fc{}", index.parse::<u8>().ok()?),
                None if layer == "LabelEmbed" => "embed".into(),
                None => return None,
            };
            let change = if leaf == "weight" { Change::Transpose } else { Change::Same };
            matches!(leaf, "weight" | "bias").then(|| (format!("mapping.{layer}.{leaf}"), change))
        }
        "synthesis" => match rest.strip_prefix("noise") {
            Some(index) => {
                let layer = match index.parse::<u32>().ok().filter(|&n| n < 32)? {
                    0 => "b4.conv1".to_owned(),
                    // n = 2·log₂r − 5 for conv0 and 2·log₂r − 4 for conv1.
                    n => format!("b{}.conv{}", 8u64 << ((n - 1) / 2), (n - 1) % 2),
                };
                Some((format!("synthesis.{layer}.noise_const"), Change::Axes(2)))
            }
            None => synthesis(rest),
        },
        _ => None,
    }
}

/// `16x16/Conv0_up/mod_bias`
fn synthesis(name: &str) -> Option<(String, Change)> {
    let (resolution, rest) = name.split_once('/')?;
    let (width, height) = resolution.split_once('x')?;
    let resolution: u32 = width.parse().ok().filter(|_| width == height)?;
    let (layer, leaf) = rest.split_once('/')?;
    if (layer, leaf) == ("Const", "const") {
        return Some((format!("synthesis.b{resolution}.const"), Change::Axes(3)));
    }
    let layer = match layer {
        "Conv" | "Conv1" => "conv1",
        "Conv0_up" => "conv0",
        "ToRGB" => "torgb",
        "Skip" => "skip",
        _ => return None,
    };
    let (leaf, change) = match leaf {
        "weight" if matches!(layer, "conv0" | "skip") => ("weight", Change::FlippedKernel),
        "weight" => ("weight", Change::Kernel),
        "mod_weight" => ("affine.weight", Change::Transpose),
        "mod_bias" => ("affine.bias", Change::PlusOne),
        "bias" => ("bias", Change::Same),
        "noise_strength" => ("noise_strength", Change::Same),
        _ => return None,
    };
    Some((format!("synthesis.b{resolution}.{layer}.{leaf}"), change))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_have_their_names_and_layouts() {
        let table = [
            ("dlatent_avg", "mapping.w_avg", Change::Same),
            ("mapping/Dense0/weight", "mapping.fc0.weight", Change::Transpose),
            ("mapping/LabelEmbed/bias", "mapping.embed.bias", Change::Same),
            ("synthesis/4x4/Const/const", "synthesis.b4.const", Change::Axes(3)),
            ("synthesis/4x4/Conv/weight", "synthesis.b4.conv1.weight", Change::Kernel),
            ("synthesis/8x8/Conv0_up/weight", "synthesis.b8.conv0.weight", Change::FlippedKernel),
            ("synthesis/8x8/Conv1/mod_bias", "synthesis.b8.conv1.affine.bias", Change::PlusOne),
            ("synthesis/noise0", "synthesis.b4.conv1.noise_const", Change::Axes(2)),
            ("synthesis/noise1", "synthesis.b8.conv0.noise_const", Change::Axes(2)),
            ("synthesis/noise4", "synthesis.b16.conv1.noise_const", Change::Axes(2)),
        ];
        for (variable, name, change) in table {
            assert_eq!(rename(variable), Some((name.to_owned(), change)), "{variable}");
        }
        assert_eq!(rename("lod"), None);
        assert_eq!(rename("synthesis/8x16/Conv1/bias"), None);
    }
}
