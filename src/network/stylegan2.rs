//! StyleGAN2: tensors with stylegan2-ada-pytorch's names become a mapping network and a plan.
//!
//! Sizes come from the tensors' shapes. What shapes do not say (clamp, gains, architecture) comes from the modules'
//! attributes, else from the file's metadata, else it is what all known networks use. Source of the maths: Karras et al.,
//! "Analyzing and Improving the Image Quality of StyleGAN" (2020). Runs on the loader's thread.

pub(super) mod mapping;
mod random;
mod synthesis;

use std::sync::Arc;

use super::checkpoint::{Attribute, Checkpoint, Tensors};
use super::{Kind, Network, NetworkError};

pub use random::random;
pub(super) use synthesis::fir;

/// Whether the file holds a StyleGAN2 generator.
pub fn is_stylegan2(checkpoint: &Checkpoint) -> bool {
    checkpoint.tensors.keys().any(|name| name == "synthesis.b4.const" || name.starts_with("synthesis.b4.conv"))
}

/// Lowers a checkpoint with StyleGAN2 names.
///
/// # Errors
/// For the first tensor that is missing, of the wrong shape or not finite, and for features of other architectures.
pub fn lower(checkpoint: &Checkpoint) -> Result<Network, NetworkError> {
    let root = checkpoint.root();
    let mut warnings = checkpoint.warnings.clone();
    let synthesis = synthesis::lower(checkpoint, &root.at("synthesis"), &mut warnings)?;
    let mapping = mapping::lower(&root.at("mapping"), &synthesis.plan, &mut warnings)?;
    let path = checkpoint.path.clone();
    synthesis.plan.check().map_err(|e| NetworkError::Plan { path: path.clone(), source: Box::new(e) })?;
    Ok(Network {
        name: name_of(&path),
        kind: Kind::StyleGan2,
        architecture: synthesis.architecture.to_string(),
        img_resolution: synthesis.img_resolution,
        img_channels: synthesis.img_channels,
        mapping,
        plan: Arc::new(synthesis.plan),
        class_names: class_names(checkpoint),
        metadata: checkpoint.metadata.clone(),
        bytes: checkpoint.bytes,
        warnings,
        path,
    })
}

/// The file's name without its extension.
fn name_of(path: &std::path::Path) -> String {
    path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The JSON list of names under the metadata key `classes`.
pub(super) fn class_names(checkpoint: &Checkpoint) -> Vec<String> {
    let text = checkpoint.metadata.get("classes").map(String::as_str).unwrap_or("[]");
    serde_json::from_str(text).unwrap_or_default()
}

/// Refuses a layer whose `activation` attribute is not `expected`.
fn check_activation(at: &Tensors, expected: &str) -> Result<(), NetworkError> {
    match at.attribute("activation").and_then(Attribute::as_str) {
        Some(found) if found != expected => {
            let what = format!("activation {found:?} of {}", at.full_name("activation"));
            Err(NetworkError::Unsupported { path: at.path().into(), what })
        }
        _ => Ok(()),
    }
}
