//! Finds the network in a pickle or torch file, and whose naming it uses.
//!
//! NVIDIA's pickles hold `G_ema` (used) and G beside D; rosinality's checkpoints hold `g_ema` as a state dict; a file
//! may also be just a network. All become tensors and attributes under the names of NVIDIA's generators.

use std::collections::BTreeMap;
use std::path::Path;

use super::NetworkError;
use super::bytes::Bytes;
use super::checkpoint::{Attribute, Checkpoint, Format, TensorRef};
use super::pickle::{self, Budget, Document, Level, Node, NodeId, Persistent, PickleError};
use super::torch::{legacy, zipped::Archive};
use super::{fastgan, nvidia, rosinality, style_transfer, tensorflow};

/// Reads a pickle or torch file.
///
/// # Errors
/// When it is damaged, references something harmful, or holds no network.
pub fn read(path: &Path, format: Format, bytes: &Bytes) -> Result<Checkpoint, NetworkError> {
    read_by(path, format, bytes, find)
}

/// Reads the tensors at the top of a pickle or torch file, whatever they are for; one that is alone has no name.
///
/// # Errors
/// When the file is damaged or references something harmful.
pub fn read_tensors(path: &Path, format: Format, bytes: &Bytes) -> Result<Checkpoint, NetworkError> {
    read_by(path, format, bytes, |document| {
        let mut tensors = tensors_of(&document, document.root)?;
        tensors.extend(document.tensor(document.root)?.map(|tensor| (String::new(), tensor)));
        Ok(Found { tensors, ..Found::default() })
    })
}

/// Reads the discriminator of a pickle or torch file; the result has no tensors when there is none.
///
/// # Errors
/// When the file is damaged or references something harmful.
pub fn read_discriminator(path: &Path, format: Format, bytes: &Bytes) -> Result<Checkpoint, NetworkError> {
    read_by(path, format, bytes, find_discriminator)
}

fn read_by(
    path: &Path,
    format: Format,
    bytes: &Bytes,
    find: fn(Document) -> Result<Found, PickleError>,
) -> Result<Checkpoint, NetworkError> {
    let mut budget = Budget::for_file(bytes.len());
    let found = match format {
        Format::TorchZip => Archive::open(bytes).and_then(|a| a.read(Level::File, &mut budget, find)),
        Format::TorchLegacy => legacy::read(bytes, Level::File, &mut budget).and_then(find),
        _ => pickle::read(bytes, 0, Persistent::Refused, Level::File, &mut budget).and_then(find),
    };
    let found = found.and_then(|found| found.bounded(bytes.len()));
    let found = found.map_err(|source| NetworkError::Pickle { path: path.into(), source })?;
    Ok(Checkpoint {
        path: path.into(),
        format,
        bytes: bytes.len() as u64,
        tensors: found.tensors,
        attributes: found.attributes,
        metadata: BTreeMap::new(),
        warnings: found.warnings,
        second: None,
    })
}

/// The network of a file.
#[derive(Default)]
struct Found {
    tensors: BTreeMap<String, TensorRef>,
    attributes: BTreeMap<String, Attribute>,
    warnings: Vec<String>,
}

impl From<nvidia::Contents> for Found {
    fn from(contents: nvidia::Contents) -> Self {
        Found { tensors: contents.tensors, attributes: contents.attributes, warnings: Vec::new() }
    }
}

impl Found {
    /// Tensors may overlap in the file; this bounds the memory they take once read.
    fn bounded(self, file_len: usize) -> Result<Self, PickleError> {
        let limit = 4 * file_len as u64 + (64 << 20);
        let total = self.tensors.values().try_fold(0u64, |sum, t| sum.checked_add(4 * t.len() as u64));
        match total {
            Some(total) if total <= limit => Ok(self),
            _ => Err(PickleError::Limit { what: "bytes of weights in a file of this size", limit }),
        }
    }
}

/// The network in a pickle, whoever wrote it.
fn find(document: Document) -> Result<Found, PickleError> {
    let root = document.root;
    if tensorflow::is_tensorflow(&document) {
        return tensorflow::read(&document).map(Found::from);
    }
    if document.module(root).is_some() {
        return module(&document, root);
    }
    if let Some(g_ema) = document.get_some(root, "G_ema").filter(|&id| document.module(id).is_some()) {
        return module(&document, g_ema);
    }
    if let Some(g) = document.get_some(root, "G").filter(|&id| document.module(id).is_some()) {
        let mut found = module(&document, g)?;
        found.warnings.push("the file has no G_ema; playing G, whose pictures are rougher".into());
        return Ok(found);
    }
    if document.get(root, "GAN").is_some() {
        let what = "a network of lucidrains' stylegan2-pytorch, which computes something else and does not play; \
            those that NVIDIA's or rosinality's code trained do";
        return Err(PickleError::Foreign(what.into()));
    }
    let inside = |key| document.get_some(root, key);
    if let Some(found) = fastgan(&document)? {
        return Ok(found);
    }
    for dict in [inside("g_ema").or(Some(root)), inside("state_dict"), inside("model")].into_iter().flatten() {
        if let Some(found) = state_dict(&document, dict)? {
            return Ok(found);
        }
    }
    // Fine-tuning scripts keep the generator alone.
    if let Some(mut found) = inside("g").and_then(|g| state_dict(&document, g).transpose()).transpose()? {
        found
            .warnings
            .push("the file has no g_ema; playing g, which is not the average: its pictures are rougher".into());
        return Ok(found);
    }
    Err(no_network(&document))
}

/// The discriminator beside a generator. StyleGAN-XL's is of a different kind and is ignored.
fn find_discriminator(document: Document) -> Result<Found, PickleError> {
    let root = document.root;
    if let Some(d) = document.get_some(root, "D").filter(|&id| document.module(id).is_some()) {
        let found = Found::from(nvidia::read(&document, d)?);
        return Ok(if found.tensors.keys().any(|name| name.starts_with("b4.")) { found } else { Found::default() });
    }
    let Some(dict) = document.get_some(root, "d") else { return Ok(Found::default()) };
    let tensors = rosinality::rename_discriminator(tensors_of(&document, dict)?);
    Ok(Found { tensors, ..Found::default() })
}

/// The tensors of a state dict.
fn tensors_of(document: &Document, dict: NodeId) -> Result<BTreeMap<String, TensorRef>, PickleError> {
    let mut tensors = BTreeMap::new();
    for &(name, value) in document.entries(dict) {
        let Some(name) = document.text(name).filter(|n| n.len() <= 256) else { continue };
        if let Some(tensor) = document.tensor(value)? {
            tensors.insert(name.to_owned(), tensor);
        }
    }
    Ok(tensors)
}

/// A pickled generator module.
fn module(document: &Document, id: NodeId) -> Result<Found, PickleError> {
    let contents = nvidia::read(document, id)?;
    if !contents.tensors.keys().any(|name| name.starts_with("synthesis.")) {
        let class = contents.attributes.get("class_name").and_then(Attribute::as_str).unwrap_or("?").to_owned();
        return Err(PickleError::NoNetwork(format!("its {class} has no synthesis network")));
    }
    Ok(contents.into())
}

/// A state dict with rosinality's or NVIDIA's names, or of a style network. `Ok(None)` for anything else.
fn state_dict(document: &Document, dict: NodeId) -> Result<Option<Found>, PickleError> {
    let names = || document.entries(dict).iter().filter_map(|&(name, _)| document.text(name));
    let is_rosinality = rosinality::is_rosinality(names());
    let is_generator = |name: &str| name.starts_with("synthesis.") || name.starts_with("G_ema.synthesis.");
    if !is_rosinality && !names().any(is_generator) && !style_transfer::is_style(names()) {
        return Ok(None);
    }
    let mut tensors = tensors_of(document, dict)?;
    if is_rosinality {
        // It stands beside g_ema, not in it.
        if let Some(average) = document.get_some(document.root, "latent_avg")
            && let Some(tensor) = document.tensor(average)?
        {
            tensors.insert("latent_avg.".into(), tensor);
        }
        tensors = rosinality::rename(tensors).map_err(PickleError::NoNetwork)?;
    }
    Ok(Some(Found { tensors, ..Found::default() }))
}

/// A generator of FastGAN's trainer: `g` as it was saved, or with the averages of `g_ema`, a list without names, put over
/// its parameters in their order. A bare state dict too.
fn fastgan(document: &Document) -> Result<Option<Found>, PickleError> {
    let root = document.root;
    let names = |dict| document.entries(dict).iter().filter_map(|&(name, _)| document.text(name));
    let dicts = ["g_ema", "g", "state_dict"].into_iter().filter_map(|key| document.get_some(root, key)).chain([root]);
    let Some(dict) = dicts.into_iter().find(|&dict| fastgan::is_fastgan(names(dict))) else { return Ok(None) };
    let mut tensors = tensors_of(document, dict)?;
    let mut warnings = Vec::new();
    let average = document.get_some(root, "g_ema").filter(|&id| id != dict);
    if let Some(list) = average.and_then(|id| document.items(id)) {
        // What torch notes beside the tensors is not one of them.
        let is_parameter = |name: &&str| fastgan::is_parameter(name) && tensors.contains_key(*name);
        let parameters: Vec<&str> = names(dict).filter(is_parameter).collect();
        let averages = list.iter().map(|&id| document.tensor(id)).collect::<Result<Option<Vec<TensorRef>>, _>>()?;
        let averages = averages.filter(|list| list.len() == parameters.len());
        let fits = |list: &Vec<TensorRef>| {
            parameters.iter().zip(list).all(|(name, a)| tensors.get(*name).is_some_and(|t| t.shape == a.shape))
        };
        match averages.filter(fits) {
            Some(list) => tensors.extend(parameters.into_iter().map(str::to_owned).zip(list)),
            None => warnings.push(
                "the averages in g_ema do not fit the tensors of g; playing g, whose pictures are rougher".to_owned(),
            ),
        }
    }
    Ok(Some(Found { tensors: fastgan::rename(tensors), attributes: BTreeMap::new(), warnings }))
}

/// Whether every name of a state dict is a layer's number: `1.weight`.
fn is_sequential(document: &Document) -> bool {
    let entries = document.entries(document.root);
    let is_number = |name: &str| name.split_once('.').is_some_and(|(layer, _)| layer.parse::<u32>().is_ok());
    !entries.is_empty() && entries.iter().all(|&(name, _)| document.text(name).is_some_and(is_number))
}

/// Why there is no network: the first invalid tensor, or what the file holds instead.
fn no_network(document: &Document) -> PickleError {
    if let Some(problem) = document.ids().find_map(|id| document.tensor(id).err()) {
        return problem;
    }
    if is_sequential(document) {
        let what = "a list of layers without names, as the decoder of AdaIN is; it needs an encoder beside it and does not \
            play: feed-forward style networks do";
        return PickleError::Foreign(what.into());
    }
    let keys: Vec<&str> =
        document.entries(document.root).iter().take(12).filter_map(|&(k, _)| document.text(k)).collect();
    PickleError::NoNetwork(match document.node(document.root) {
        Node::Dict(entries) if entries.is_empty() => "it is an empty dict".into(),
        Node::Dict(_) => {
            let keys: Vec<String> = keys.iter().map(|k| clipped(k)).collect();
            format!("no G_ema and no state dict of a generator or style network among its {}", keys.join(", "))
        }
        Node::Object { callable, .. } => {
            format!(
                "it is an object made by {}",
                document.global_name(*callable).unwrap_or_else(|| "something unknown".into())
            )
        }
        _ => "it is neither a dict nor a module".into(),
    })
}

/// A key, shortened for a one-line message.
fn clipped(key: &str) -> String {
    key.chars().take(40).filter(|c| !c.is_control()).collect()
}
