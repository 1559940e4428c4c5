//! TorchScript modules as networks. The engine opens the file, because that runs the code in it; here is only what follows
//! from what it found.

use std::path::Path;
use std::sync::Arc;

use super::{Kind, Network};
use crate::engine::plan::Script;
use crate::latent::mapping::{FullyConnected, Mapping};
use crate::patch::locate::name_of;

/// The generator in a module. z is the w, and behind it come the label and ψ.
pub(super) fn network(file: &Path, script: Script) -> Network {
    let script = Arc::new(script);
    let (z_dim, c_dim, w_dim) = (script.z_dim, script.c_dim, script.w_dim());
    let [img_channels, height, width] = script.gives;
    let embed = (c_dim > 0).then(|| {
        let weight = (0..c_dim * c_dim).map(|i| if i % (c_dim + 1) == 0 { 1.0 } else { 0.0 }).collect();
        FullyConnected { weight, bias: Vec::new(), inputs: c_dim, outputs: c_dim }
    });
    let class_w_avg = (0..c_dim).flat_map(|class| (0..w_dim).map(move |i| if i == z_dim + class { 1.0 } else { 0.0 }));
    let mapping = Mapping {
        z_dim,
        c_dim,
        w_dim,
        num_ws: 1,
        embed,
        layers: Vec::new(),
        w_avg: vec![0.0; w_dim],
        normalizes_z: false,
        normalizes_label: false,
        class_w_avg: class_w_avg.collect(),
        passes_psi: script.takes_psi(),
    };
    let name = name_of(file);
    let plan = Arc::new(script.generator(&name));
    Network {
        architecture: format!("{} -> {}", script.words(), script.gives_words()),
        name,
        path: file.to_owned(),
        kind: Kind::TorchScript,
        img_resolution: height.max(width),
        img_channels,
        mapping,
        plan,
        class_names: Vec::new(),
        metadata: [("range".to_owned(), script.range.to_string()), ("forward".to_owned(), script.declaration.clone())]
            .into(),
        bytes: std::fs::metadata(file).map_or(0, |about| about.len()),
        warnings: Vec::new(),
    }
}
