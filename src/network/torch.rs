//! torch's own files, `.pt` and `.pth`: a pickle with the tensor data stored beside it.
//!
//! [`zipped`] is the form since torch 1.6, [`legacy`] the one before, which NVIDIA's pickles still use for each of
//! their tensors. Both go through the restricted unpickler and add where the numbers of each [`Storage`] are; the
//! numbers stay in the file. Nothing is extracted to disk. Runs on the loader's thread.

pub mod legacy;
pub mod zipped;

use super::bytes::Bytes;
use super::checkpoint::TensorRef;
use super::pickle::{Budget, Document, Element, Level, Node, PickleError};

/// A run of numbers that tensors are views of.
#[derive(Clone, Debug)]
pub struct Storage {
    /// Its name inside the torch file.
    pub key: Box<str>,
    /// The type of its numbers, or the Python name of an unknown type.
    pub element: Result<Element, Box<str>>,
    /// How many numbers it is declared to have.
    pub count: u64,
    /// Its numbers, at least `count` of them, once the container's reader has found them.
    pub bytes: Option<Bytes>,
}

impl Storage {
    /// All of `bytes` as numbers of one type.
    pub fn of_bytes(element: Element, bytes: Bytes) -> Self {
        let count = (bytes.len() / element.size()) as u64;
        Storage { key: "".into(), element: Ok(element), count, bytes: Some(bytes) }
    }

    /// Bytes that its numbers take. `None` when the type is unknown or the size overflows.
    fn byte_len(&self) -> Option<usize> {
        usize::try_from(self.count).ok()?.checked_mul(self.element.as_ref().ok()?.size())
    }

    /// A tensor in this storage; offset and strides count numbers.
    ///
    /// # Errors
    /// When it reaches outside the storage, or the storage is missing.
    pub fn tensor(&self, offset: i64, size: &[i64], stride: &[i64]) -> Result<TensorRef, PickleError> {
        let bad = |what: String| PickleError::Tensor(what);
        let element = *self.element.as_ref().map_err(|name| bad(format!("its storage is of type {name}")))?;
        let missing = || bad(format!("the numbers of storage {:?} are not in the file", self.key));
        let bytes = self.bytes.as_ref().and_then(|b| b.slice(0..self.byte_len()?)).ok_or_else(missing)?;
        let natural = |numbers: &[i64]| numbers.iter().map(|&n| usize::try_from(n).ok()).collect::<Option<Vec<_>>>();
        match (natural(size), natural(stride), usize::try_from(offset)) {
            (Some(size), Some(stride), Ok(offset)) => {
                TensorRef::strided(bytes, element.dtype(), size, stride, offset).map_err(bad)
            }
            _ => Err(bad(format!("size {size:?}, stride {stride:?} and offset {offset} must not be negative"))),
        }
    }
}

/// A torch file that is a value inside a pickle and holds a single storage.
///
/// # Errors
/// When it is not a torch file, or holds anything else.
pub fn read_nested(bytes: &Bytes, budget: &mut Budget) -> Result<Storage, PickleError> {
    let only_storage = |document: Document| match *document.node(document.root) {
        Node::Storage(index) => Ok(document.storages[index as usize].clone()),
        _ => Err(PickleError::Container("a nested one holds something other than a storage".into())),
    };
    if bytes.starts_with(b"PK") {
        zipped::Archive::open(bytes)?.read(Level::Nested, budget, only_storage)
    } else {
        only_storage(legacy::read(bytes, Level::Nested, budget)?)
    }
}
