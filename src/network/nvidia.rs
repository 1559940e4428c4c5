//! Networks as NVIDIA's trainers pickle them: a tree of modules, each with its tensors and attributes.
//!
//! Walks the tree along a generator's module paths and gives every tensor and attribute its dotted name. Classes, source
//! code, hooks and optimiser states are skipped: the names and shapes of the tensors say what a network is.

use std::collections::BTreeMap;

use super::checkpoint::{Attribute, TensorRef};
use super::pickle::{Document, Node, NodeId, PickleError};

/// A generator is less than ten levels deep.
const MAX_DEPTH: usize = 16;
/// Known networks have a few thousand.
const MAX_ENTRIES: usize = 200_000;
/// A module reached by two paths is walked twice; this bounds trees that double at every level.
const MAX_MODULES: usize = 4096;
const MAX_ATTRIBUTES: usize = 100_000;
/// Longest text kept as an attribute, in bytes; this leaves out source code.
const MAX_TEXT: usize = 256;

/// Tensors and attributes of one network by dotted name.
#[derive(Debug, Default)]
pub struct Contents {
    pub tensors: BTreeMap<String, TensorRef>,
    pub attributes: BTreeMap<String, Attribute>,
    modules: usize,
    /// Entries visited: a small file can reference one dictionary many times.
    entries: usize,
}

/// Everything in the module `root` and below it.
///
/// # Errors
/// When a tensor is invalid, the tree is deeper or larger than any generator's, or the list of blocks makes no sense.
pub fn read(document: &Document, root: NodeId) -> Result<Contents, PickleError> {
    let mut contents = Contents::default();
    contents.module(document, root, "", 0)?;
    contents.check_blocks()?;
    Ok(contents)
}

impl Contents {
    pub fn new(tensors: BTreeMap<String, TensorRef>, attributes: BTreeMap<String, Attribute>) -> Self {
        Contents { tensors, attributes, ..Contents::default() }
    }

    fn module(&mut self, document: &Document, id: NodeId, prefix: &str, depth: usize) -> Result<(), PickleError> {
        let Some(module) = document.module(id) else { return Ok(()) };
        self.modules += 1;
        if depth > MAX_DEPTH || self.modules > MAX_MODULES {
            return Err(PickleError::Limit { what: "modules in one network", limit: MAX_MODULES as u64 });
        }
        self.attributes.insert(format!("{prefix}class_name"), Attribute::Text(clipped(module.class_name)));
        for &(key, value) in document.entries(module.state) {
            self.count()?;
            match document.text(key) {
                Some("_parameters" | "_buffers") => self.tensors(document, value, prefix)?,
                Some("_modules") => {
                    for &(name, child) in document.entries(value) {
                        self.count()?;
                        let Some(name) = document.text(name).filter(|n| n.len() <= MAX_TEXT) else { continue };
                        self.module(document, child, &format!("{prefix}{name}."), depth + 1)?;
                    }
                }
                Some("_init_kwargs") => self.kwargs(document, value, prefix)?,
                Some(name) if !name.starts_with('_') && name.len() <= MAX_TEXT => {
                    self.attribute(document, format!("{prefix}{name}"), value)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), PickleError> {
        self.entries += 1;
        match self.entries > MAX_ENTRIES {
            true => Err(PickleError::Limit { what: "entries in one network", limit: MAX_ENTRIES as u64 }),
            false => Ok(()),
        }
    }

    /// A StyleGAN2 synthesis network lists its blocks: 4, 8, 16 and so on.
    fn check_blocks(&self) -> Result<(), PickleError> {
        let Some(Attribute::List(blocks)) = self.attributes.get("synthesis.block_resolutions") else { return Ok(()) };
        let resolutions: Vec<f64> = blocks.iter().filter_map(Attribute::as_f64).collect();
        let doubling = resolutions.iter().zip(2..).all(|(&r, exponent)| r == f64::from(exponent).exp2());
        if resolutions.len() == blocks.len() && doubling {
            return Ok(());
        }
        let what = format!("synthesis.block_resolutions: expected 4, 8, 16 and so on, found {resolutions:?}");
        Err(PickleError::NoNetwork(what))
    }

    fn tensors(&mut self, document: &Document, dict: NodeId, prefix: &str) -> Result<(), PickleError> {
        for &(name, value) in document.entries(dict) {
            self.count()?;
            let Some(name) = document.text(name).filter(|n| n.len() <= MAX_TEXT) else { continue };
            let full = format!("{prefix}{name}");
            let tensor = document.tensor(value).map_err(|e| match e {
                PickleError::Tensor(what) => PickleError::Tensor(format!("{full}: {what}")),
                other => other,
            })?;
            if let Some(tensor) = tensor {
                self.tensors.insert(full, tensor);
            }
        }
        Ok(())
    }

    /// Only what no attribute or tensor provides.
    fn kwargs(&mut self, document: &Document, dict: NodeId, prefix: &str) -> Result<(), PickleError> {
        match document.get(dict, "use_radial_filters") {
            Some(value) => self.attribute(document, format!("{prefix}use_radial_filters"), value),
            None => Ok(()),
        }
    }

    fn attribute(&mut self, document: &Document, name: String, value: NodeId) -> Result<(), PickleError> {
        if self.attributes.len() >= MAX_ATTRIBUTES {
            return Err(PickleError::Limit { what: "attributes", limit: MAX_ATTRIBUTES as u64 });
        }
        if let Some(value) = plain(document, value) {
            self.attributes.insert(name, value);
        }
        Ok(())
    }
}

/// A plain value: a number, a string, None, or a short list of numbers or strings.
fn plain(document: &Document, id: NodeId) -> Option<Attribute> {
    match document.node(id) {
        Node::Tuple(items) => list(document, items),
        Node::List(items) => list(document, items),
        Node::Object { .. } => match document.short_array(id) {
            Some(numbers) => Some(Attribute::List(numbers.into_iter().map(Attribute::Float).collect())),
            None => document.number(id).map(Attribute::Float),
        },
        _ => single(document, id),
    }
}

fn list(document: &Document, items: &[NodeId]) -> Option<Attribute> {
    let items: Option<Vec<_>> = items.iter().take(65).map(|&item| single(document, item)).collect();
    items.filter(|items| items.len() <= 64).map(Attribute::List)
}

fn single(document: &Document, id: NodeId) -> Option<Attribute> {
    Some(match document.node(id) {
        Node::None => Attribute::None,
        Node::Bool(b) => Attribute::Bool(*b),
        Node::Int(i) => Attribute::Int(*i),
        Node::Float(x) => Attribute::Float(*x),
        Node::Text(text) => Attribute::Text(clipped(text)),
        Node::Object { .. } => Attribute::Float(document.number(id)?),
        _ => return None,
    })
}

fn clipped(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}
