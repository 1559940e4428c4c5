//! Python pickles, read as data: protocols 0 to 5, without Python and without ever calling anything.
//!
//! A pickle is a program for a stack machine. [`read`] runs the part of it that builds values, into one flat
//! table of [`Node`]s that refer to one another by index: shared and self-referencing values cost nothing, and
//! dropping a million nested lists drops one table. Anything that a pickle asks to call is kept as an inert
//! [`Node::Object`]; a name that has no place in a network file makes the whole file refused ([`globals`]).
//!
//! Bytes stay ranges of the file. All work and memory are bounded ([`Budget`]). Runs on the loader's thread.

mod cursor;
pub mod globals;
mod machine;
mod numpy;

use std::borrow::Cow;
use std::sync::Arc;

pub use globals::{Element, Known};
pub use machine::{Level, Persistent, read};

use super::bytes::Bytes;
use super::checkpoint::TensorRef;
use super::torch::Storage;

/// What is wrong with a file. Each message continues the file's name: "x.pkl asks to call …".
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PickleError {
    #[error("asks to call {0}; refused, nothing was run")]
    Harmful(String),
    #[error("ends early: byte {at} needs {needed} more bytes, {left} are left")]
    EndsEarly { at: usize, needed: u64, left: usize },
    #[error("is not a pickle of a network: opcode 0x{byte:02x} at byte {at}")]
    Opcode { byte: u8, at: usize },
    #[error("has pickle protocol {0}; 0 to 5 are known")]
    Protocol(u8),
    #[error("names an entry of Python's extension registry at byte {at}, which means nothing here; refused")]
    Extension { at: usize },
    #[error("has a persistent id at byte {at}, which only torch files have")]
    PersistentId { at: usize },
    #[error("is damaged: {what}, at byte {at}")]
    Malformed { what: &'static str, at: usize },
    #[error("is larger than any network: more than {limit} {what}")]
    Limit { what: &'static str, limit: u64 },
    #[error("has a torch file inside a torch file inside a pickle; one level is allowed")]
    TooDeep,
    #[error("is not a torch file: {0}")]
    Container(String),
    #[error(
        "is an exported program (.pt2), which tch cannot load; save it with torch.jit.trace(model, z).save(FILE) instead"
    )]
    ExportedProgram,
    #[error("is a TorchScript archive; it plays only with --engine torch, named on the command line")]
    TorchScript,
    #[error("is incomplete: the zip's directory at its end is missing or damaged ({0})")]
    ZipDirectory(String),
    #[error("has no entry {0:?} in its zip")]
    MissingEntry(String),
    #[error("is {0}")]
    Foreign(String),
    #[error("holds no network: {0}")]
    NoNetwork(String),
    #[error("holds an invalid tensor: {0}")]
    Tensor(String),
}

/// Position of a value in its [`Document`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(u32);

/// One value of a pickle.
#[derive(Clone, Debug)]
pub enum Node<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// An integer that does not fit 64 bits, as raw bytes; networks have none.
    Long(&'a [u8]),
    Float(f64),
    Text(Cow<'a, str>),
    /// A range of the file.
    Bytes {
        start: usize,
        len: usize,
    },
    /// Bytes that protocol 2 and older write as text.
    Decoded(Arc<Vec<u8>>),
    Tuple(Box<[NodeId]>),
    List(Vec<NodeId>),
    Set(Vec<NodeId>),
    /// In file order; the last of equal keys counts.
    Dict(Vec<(NodeId, NodeId)>),
    /// A name in a Python module; both are [`Node::Text`].
    Global {
        known: Option<Known>,
        module: NodeId,
        name: NodeId,
    },
    /// What calling `callable` with `args` would have returned; nothing was called.
    Object {
        callable: NodeId,
        args: NodeId,
        state: Option<NodeId>,
    },
    /// Numbers for tensors: an index into [`Document::storages`].
    Storage(u32),
}

/// How much work and memory a file may use, nested torch files included.
#[derive(Clone, Debug)]
pub struct Budget {
    operations: u64,
    nodes: u64,
    decoded_bytes: u64,
    storages: u64,
}

impl Budget {
    const OPERATIONS: u64 = 5_000_000;
    const NODES: u64 = 1_000_000;
    const STORAGES: u64 = 50_000;

    /// For a file of `len` bytes. A 1024 network has about 100,000 nodes.
    pub fn for_file(len: usize) -> Self {
        Budget {
            operations: Self::OPERATIONS,
            nodes: Self::NODES,
            decoded_bytes: len as u64 + (1 << 20),
            storages: Self::STORAGES,
        }
    }

    fn spend(left: &mut u64, count: u64, what: &'static str, limit: u64) -> Result<(), PickleError> {
        *left = left.checked_sub(count).ok_or(PickleError::Limit { what, limit })?;
        Ok(())
    }

    fn operation(&mut self, count: u64) -> Result<(), PickleError> {
        Self::spend(&mut self.operations, count, "operations", Self::OPERATIONS)
    }

    fn node(&mut self) -> Result<(), PickleError> {
        Self::spend(&mut self.nodes, 1, "values", Self::NODES)
    }

    fn storage(&mut self) -> Result<(), PickleError> {
        Self::spend(&mut self.storages, 1, "storages", Self::STORAGES)
    }

    pub(super) fn decoded(&mut self, bytes: usize) -> Result<(), PickleError> {
        let limit = self.decoded_bytes;
        Self::spend(&mut self.decoded_bytes, bytes as u64, "bytes of escaped text", limit)
    }
}

/// Everything one pickle built.
#[derive(Debug)]
pub struct Document<'a> {
    source: &'a Bytes,
    nodes: Vec<Node<'a>>,
    /// The value of the pickle: the top of the stack at its end.
    pub root: NodeId,
    /// Offset just past the pickle's last byte.
    pub end: usize,
    /// The storages of its tensors. A torch reader fills in where their bytes are.
    pub storages: Vec<Storage>,
}

/// A module of NVIDIA's code, or a plain `torch.nn` one: its class and its attributes.
#[derive(Clone, Copy, Debug)]
pub struct Module<'d> {
    pub class_name: &'d str,
    /// A dict with `_parameters`, `_buffers`, `_modules` and plain attributes.
    pub state: NodeId,
}

impl<'a> Document<'a> {
    pub fn node(&self, id: NodeId) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }

    /// Every value, in the order of construction.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len() as u32).map(NodeId)
    }

    /// The entries of a dict; empty for anything else.
    pub fn entries(&self, id: NodeId) -> &[(NodeId, NodeId)] {
        match self.node(id) {
            Node::Dict(entries) => entries,
            _ => &[],
        }
    }

    /// The value of a text key of a dict.
    pub fn get(&self, id: NodeId, key: &str) -> Option<NodeId> {
        self.entries(id).iter().rev().find(|(k, _)| self.text(*k) == Some(key)).map(|&(_, value)| value)
    }

    /// As [`Document::get`], but `None` for Python's None too.
    pub fn get_some(&self, id: NodeId, key: &str) -> Option<NodeId> {
        self.get(id, key).filter(|&value| !matches!(self.node(value), Node::None))
    }

    /// The items of a tuple or list; `None` for anything else.
    pub fn items(&self, id: NodeId) -> Option<&[NodeId]> {
        match self.node(id) {
            Node::Tuple(items) => Some(items),
            Node::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn text(&self, id: NodeId) -> Option<&str> {
        match self.node(id) {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes of a bytes value, without copying them.
    pub fn blob(&self, id: NodeId) -> Option<Bytes> {
        match self.node(id) {
            Node::Bytes { start, len } => self.source.slice(*start..start + len),
            Node::Decoded(bytes) => Some(Bytes::new(SharedBytes(bytes.clone()))),
            _ => None,
        }
    }

    /// An integer: an int, a bool, or a numpy scalar of such a type.
    pub fn int(&self, id: NodeId) -> Option<i64> {
        match self.node(id) {
            Node::Int(i) => Some(*i),
            Node::Bool(b) => Some(i64::from(*b)),
            Node::Object { .. } => self.numpy_scalar(id).filter(|x| x.fract() == 0.0).map(|x| x as i64),
            _ => None,
        }
    }

    /// Any number, as a 64-bit float.
    pub fn number(&self, id: NodeId) -> Option<f64> {
        match self.node(id) {
            Node::Float(x) => Some(*x),
            Node::Int(i) => Some(*i as f64),
            Node::Bool(b) => Some(f64::from(u8::from(*b))),
            Node::Object { .. } => self.numpy_scalar(id),
            _ => None,
        }
    }

    /// The meaning of a global, if it is known.
    pub fn known(&self, id: NodeId) -> Option<Known> {
        match self.node(id) {
            Node::Global { known, .. } => *known,
            _ => None,
        }
    }

    /// `module.name` of a global, for messages.
    pub fn global_name(&self, id: NodeId) -> Option<String> {
        let Node::Global { module, name, .. } = self.node(id) else { return None };
        Some(format!("{}.{}", self.text(*module)?, self.text(*name)?))
    }

    /// The known callable, arguments and state of an object.
    pub fn object(&self, id: NodeId) -> Option<(Known, &[NodeId], Option<NodeId>)> {
        let Node::Object { callable, args, state } = self.node(id) else { return None };
        Some((self.known(*callable)?, self.items(*args)?, *state))
    }

    /// The bare name of the class that made an object.
    fn class_name(&self, id: NodeId) -> Option<&str> {
        let Node::Object { callable, .. } = self.node(id) else { return None };
        let Node::Global { name, .. } = self.node(*callable) else { return None };
        self.text(*name)
    }

    /// A value as a module with tensors and attributes, if it is one.
    pub fn module(&self, id: NodeId) -> Option<Module<'_>> {
        match self.object(id)? {
            (Known::PersistentObject, [meta, ..], _) => Some(Module {
                class_name: self.text(self.get(*meta, "class_name")?)?,
                state: self.get(*meta, "state")?,
            }),
            (Known::Module, _, Some(state)) => Some(Module { class_name: self.class_name(id).unwrap_or("?"), state }),
            _ => None,
        }
    }

    /// A tensor, parameter, numpy array or numpy scalar. `Ok(None)` when the value is something else.
    ///
    /// # Errors
    /// When it is one, but its parts are inconsistent or its numbers are not in the file.
    pub fn tensor(&self, id: NodeId) -> Result<Option<TensorRef>, PickleError> {
        match self.object(id) {
            Some((Known::RebuildParameter, args, _)) => match args.first() {
                // One level only: a parameter of a parameter is not a tensor.
                Some(&inner) => match self.object(inner) {
                    Some((Known::RebuildTensor, args, _)) => self.torch_tensor(args).map(Some),
                    _ => Err(PickleError::Tensor("a parameter without a tensor".into())),
                },
                None => Err(PickleError::Tensor("a parameter without a tensor".into())),
            },
            Some((Known::RebuildTensor, args, _)) => self.torch_tensor(args).map(Some),
            Some((Known::NumpyScalar | Known::NumpyReconstruct | Known::NumpyFromBuffer | Known::DillArray, ..)) => {
                self.numpy_array(id).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// `(storage, offset, size, stride, …)` as torch writes it.
    fn torch_tensor(&self, args: &[NodeId]) -> Result<TensorRef, PickleError> {
        let bad = |what: &str| PickleError::Tensor(what.to_owned());
        let &[storage, offset, size, stride, ..] = args else { return Err(bad("too few arguments")) };
        let Node::Storage(index) = *self.node(storage) else { return Err(bad("its storage is not a storage")) };
        let offset = self.int(offset).ok_or_else(|| bad("its offset is not a number"))?;
        let size = self.ints(size).ok_or_else(|| bad("its size is not a list of numbers"))?;
        let stride = self.ints(stride).ok_or_else(|| bad("its stride is not a list of numbers"))?;
        self.storages[index as usize].tensor(offset, &size, &stride)
    }

    /// A tuple or list of integers, also inside `torch.Size`. Reads at most nine, more than any tensor has axes.
    fn ints(&self, id: NodeId) -> Option<Vec<i64>> {
        let id = match self.object(id) {
            Some((Known::Size, [inner], _)) => *inner,
            _ => id,
        };
        self.items(id)?.iter().take(9).map(|&i| self.int(i)).collect()
    }
}

/// Lets a [`Bytes`] share ownership of decoded bytes with the document.
struct SharedBytes(Arc<Vec<u8>>);

impl AsRef<[u8]> for SharedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
