//! The mapping network of StyleGAN3, which is StyleGAN2's, and of StyleGAN-XL, which embeds classes differently.

use crate::engine::plan::Plan;
use crate::latent::mapping::{FullyConnected, Mapping};
use crate::network::NetworkError;
use crate::network::checkpoint::{Checkpoint, Tensors};
use crate::network::stylegan2::mapping::{fully_connected, lower as lower_stylegan2, lower_embedded};

/// Limit on the features of all classes together; ImageNet's 1000 classes have half a million.
const MAX_FEATURES: usize = 32 << 20;

/// Whether the file has what only StyleGAN-XL has.
pub fn is_xl(checkpoint: &Checkpoint) -> bool {
    let class = checkpoint.attributes.get("synthesis.class_name").and_then(|class| class.as_str());
    checkpoint.tensors.contains_key("mapping.embed_proj.weight")
        || checkpoint.tensors.get("mapping.w_avg").is_some_and(|w_avg| w_avg.shape.len() == 2)
        || class.is_some_and(|class| class.contains("Superres"))
        || checkpoint.attributes.get("class_name").and_then(|class| class.as_str()) == Some("SuperresGenerator")
}

/// Builds the mapping network at `mapping.` for a synthesis plan.
pub fn lower(at: &Tensors, plan: &Plan, warnings: &mut Vec<String>) -> Result<Mapping, NetworkError> {
    match at.has("embed_proj") {
        true => lower_embedded(at, plan, Some(class_features(at)?), warnings),
        false => lower_stylegan2(at, plan, warnings),
    }
}

/// StyleGAN-XL looks a class up in a table and passes the row through a layer with leaky ReLU. Computed for every class in
/// advance, that is one matrix `[features, classes]` without bias; between two classes it blends their features.
fn class_features(at: &Tensors) -> Result<FullyConnected, NetworkError> {
    let [classes, width] = at.at("embed").shape_of_rank("weight")?;
    let table = at.at("embed").get("weight", &[classes, width])?;
    let [features, _] = at.at("embed_proj").shape_of_rank("weight")?;
    if features.checked_mul(classes).is_none_or(|numbers| numbers > MAX_FEATURES) {
        let what = format!("{}: {features} features of {classes} classes", at.full_name("embed_proj"));
        return Err(NetworkError::Unsupported { path: at.path().into(), what });
    }
    let projection = fully_connected(&at.at("embed_proj"), features, width, 1.0)?;
    let mut weight = vec![0.0; features * classes];
    let mut row = Vec::new();
    for (class, embedding) in table.chunks_exact(width).enumerate() {
        projection.apply(embedding, &mut row);
        for (feature, x) in row.iter().enumerate() {
            let slope = if *x < 0.0 { 0.2 } else { 1.0 };
            weight[feature * classes + class] = std::f32::consts::SQRT_2 * slope * x;
        }
    }
    Ok(FullyConnected { weight, bias: Vec::new(), inputs: classes, outputs: features })
}
