//! Network files become weights and a plan.
//!
//! A file is opened by [`checkpoint`], which finds out what it is and lists its tensors by name; an architecture
//! ([`stylegan2`], [`stylegan3`]) checks them and lowers them to a [`crate::engine::plan::Plan`] and a
//! [`crate::latent::mapping::Mapping`]. Nothing in a file is ever executed. Runs on the loader's thread.

mod arrays;
pub mod blend;
mod bytes;
pub mod canonical;
pub mod checkpoint;
pub mod clusters;
pub mod directions;
pub mod discriminator;
pub mod fastgan;
mod kept;
mod nvidia;
pub mod pickle;
mod pickled;
pub mod projected;
mod rosinality;
pub mod rough;
pub mod style_transfer;
pub mod stylegan2;
pub mod stylegan3;
mod tensorflow;
pub mod torch;
mod torchscript;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::engine::plan::{Plan, PlanError};
use crate::engine::{Engine, EngineError};
use crate::latent::layers::Zones;
use crate::latent::mapping::Mapping;
use checkpoint::Checkpoint;
use style_transfer::StyleNetwork;

/// A family of networks with the same arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    StyleGan2,
    StyleGan3,
    StyleGanXl,
    FastGan,
    /// The generator that projected-gan trains, which is FastGAN with another ending.
    ProjectedGan,
    /// Any generator, as a TorchScript module: only the torch engine plays it.
    TorchScript,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::StyleGan2 => "StyleGAN2",
            Kind::StyleGan3 => "StyleGAN3",
            Kind::StyleGanXl => "StyleGAN-XL",
            Kind::FastGan => "FastGAN",
            Kind::ProjectedGan => "projected-gan's FastGAN",
            Kind::TorchScript => "TorchScript",
        })
    }
}

/// A generator: mapping network and synthesis plan, checked and ready for an engine.
#[derive(Clone, Debug)]
pub struct Network {
    /// The file's name without its extension.
    pub name: String,
    pub path: PathBuf,
    pub kind: Kind,
    /// A variant of the kind, such as `skip`.
    pub architecture: String,
    /// The longer side of the picture; see [`Network::picture_size`].
    pub img_resolution: usize,
    pub img_channels: usize,
    pub mapping: Mapping,
    pub plan: Arc<Plan>,
    /// Names of the classes, if the file has them.
    pub class_names: Vec<String>,
    /// The file's own description: licence, data set and so on.
    pub metadata: BTreeMap<String, String>,
    /// Size of the file in bytes; 0 for a network that was not read from a file.
    pub bytes: u64,
    /// What is odd about the file, although it plays.
    pub warnings: Vec<String>,
}

/// What `inspect` prints about a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub kind: Kind,
    pub architecture: String,
    pub img_resolution: usize,
    pub img_channels: usize,
    pub z_dim: usize,
    pub w_dim: usize,
    pub num_ws: usize,
    /// 0 for a network without classes.
    pub classes: usize,
    pub mapping_layers: usize,
    /// Steps of the synthesis plan.
    pub synthesis_layers: usize,
    /// Trained parameters, mapping included.
    pub parameters: usize,
    /// Size of the file in bytes.
    pub bytes: u64,
    /// 1e9 multiplications and additions for one picture, as if by direct convolution.
    pub gflop: f64,
}

/// Why a file cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{}: {reason}", path.display())]
    NotANetwork { path: PathBuf, reason: String },
    #[error("{}: broken file: {reason}", path.display())]
    Format { path: PathBuf, reason: String },
    #[error("{} {source}", path.display())]
    Pickle { path: PathBuf, source: pickle::PickleError },
    #[error("{}: {what} cannot be played", path.display())]
    Unsupported { path: PathBuf, what: String },
    #[error("{}: tensor {tensor} is missing (expected {expected})", path.display())]
    Missing { path: PathBuf, tensor: String, expected: String },
    #[error("{}: tensor {tensor}: expected {expected}, found {found}", path.display())]
    Shape { path: PathBuf, tensor: String, expected: String, found: String },
    #[error("{}: tensor {tensor}: number {index} is {value}", path.display())]
    NotFinite { path: PathBuf, tensor: String, index: usize, value: f32 },
    #[error("{} cannot be mixed with {}: {what}: expected {expected}, found {found}", second.display(), first.display())]
    Pair { first: PathBuf, second: PathBuf, what: String, expected: String, found: String },
    #[error("{}: {source}", path.display())]
    Plan { path: PathBuf, source: Box<PlanError> },
    #[error("{}: {source}", path.display())]
    Script { path: PathBuf, source: EngineError },
}

/// Opens a generator of any known format and architecture.
///
/// # Errors
/// When the file cannot be read, is not a network, or has tensors that are missing, of the wrong shape or not finite.
pub fn open(path: impl AsRef<Path>) -> Result<Network, NetworkError> {
    lower(&Checkpoint::open(path.as_ref())?)
}

/// As [`open`]; a TorchScript module is opened by the engine, if that can and may.
///
/// # Errors
/// As [`open`], and when the engine refuses the module, or it is an effect.
pub fn open_by(engine: &dyn Engine, path: impl AsRef<Path>) -> Result<Network, NetworkError> {
    let path = path.as_ref();
    match open(path) {
        Err(NetworkError::Pickle { source: pickle::PickleError::TorchScript, path }) => match engine.script(&path) {
            Ok(script) if script.is_effect() => {
                let what = "a TorchScript effect, which plays as /fx/NAME (--script): as a generator it".to_owned();
                Err(NetworkError::Unsupported { path, what })
            }
            Ok(script) => Ok(torchscript::network(&path, script)),
            Err(source) => Err(NetworkError::Script { path, source }),
        },
        opened => opened,
    }
}

/// Whether the first bytes of a file name the tensors of a style network, in whatever format. A guess that reads little: for
/// lists of names.
pub fn is_style_head(head: &[u8]) -> bool {
    const TENSORS: [&[u8]; 2] = [b"conv1.conv2d.weight", b"enc.0.gamma"];
    TENSORS.iter().any(|name| head.windows(name.len()).any(|bytes| bytes == *name))
}

/// The generator in an opened file.
///
/// # Errors
/// As [`open`], except for reading the file.
pub fn lower(checkpoint: &Checkpoint) -> Result<Network, NetworkError> {
    if stylegan2::is_stylegan2(checkpoint) {
        return stylegan2::lower(checkpoint);
    }
    if stylegan3::is_stylegan3(checkpoint) {
        return stylegan3::lower(checkpoint);
    }
    if fastgan::is_fastgan(checkpoint.tensors.keys().map(String::as_str)) {
        return fastgan::lower(checkpoint);
    }
    if StyleNetwork::recognises(checkpoint) {
        let what = "a style network, which paints over pictures (/style/network): as a generator it".to_owned();
        return Err(NetworkError::Unsupported { path: checkpoint.path.clone(), what });
    }
    let what = format!("no known network layout: {}; it", checkpoint.some_names());
    Err(NetworkError::Unsupported { path: checkpoint.path.clone(), what })
}

impl Network {
    /// Height and width of the picture.
    pub fn picture_size(&self) -> [usize; 2] {
        self.plan.picture().map_or([self.img_resolution; 2], |picture| [picture.height, picture.width])
    }

    /// Which layers are those of form, texture and colour.
    pub fn zones(&self) -> Zones {
        let num_ws = self.mapping.num_ws;
        if matches!(self.kind, Kind::StyleGan3 | Kind::StyleGanXl) {
            // Its maps are nearly all as large as the picture.
            return Zones::new(num_ws, None);
        }
        let mut sizes = vec![0; num_ws];
        for step in &self.plan.steps {
            let Some(style) = step.op.style().filter(|style| !style.affine.weight.is_empty()) else { continue };
            let out = &self.plan.buffers[step.op.out().0];
            // A picture reads the w of the layer that follows, whose map is larger.
            if let Some(size) = sizes.get_mut(style.ws_index) {
                *size = out.height.max(out.width).max(*size);
            }
        }
        Zones::new(num_ws, Some(&sizes))
    }

    /// The network's key figures.
    pub fn summary(&self) -> Summary {
        let mapping = &self.mapping;
        Summary {
            kind: self.kind,
            architecture: self.architecture.clone(),
            img_resolution: self.img_resolution,
            img_channels: self.img_channels,
            z_dim: mapping.z_dim,
            w_dim: mapping.w_dim,
            num_ws: mapping.num_ws,
            classes: mapping.c_dim,
            mapping_layers: mapping.layers.len(),
            synthesis_layers: self.plan.steps.len(),
            parameters: mapping.parameters() + self.plan.parameters(),
            bytes: self.bytes,
            gflop: self.plan.macs() as f64 * 2.0 / 1e9,
        }
    }
}
