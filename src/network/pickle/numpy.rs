//! numpy's scalars and arrays, which networks use for gains, cutoffs and sizes.
//!
//! numpy 1 and 2 use different names for the same things, and dill and protocol 5 write them in yet other ways. All
//! become numbers, or a [`TensorRef`] over bytes of the file.

use super::{Document, Element, Known, Node, NodeId, PickleError};
use crate::network::bytes::Bytes;
use crate::network::checkpoint::TensorRef;
use crate::network::torch::Storage;

/// An array before its numbers are read.
struct Array {
    element: Element,
    shape: Vec<i64>,
    is_fortran: bool,
    bytes: Bytes,
}

impl Document<'_> {
    /// `numpy.core.multiarray.scalar(dtype, bytes)` as a number.
    pub(super) fn numpy_scalar(&self, id: NodeId) -> Option<f64> {
        let (Known::NumpyScalar, &[dtype, bytes], _) = self.object(id)? else { return None };
        self.numpy_dtype(dtype).ok()?.decode(&self.raw_bytes(bytes)?)
    }

    /// The numbers of a short vector such as the `size` of a StyleGAN3 layer; `None` for anything else.
    pub fn short_array(&self, id: NodeId) -> Option<Vec<f64>> {
        let array = self.numpy_parts(id).ok()?;
        let &[count @ 0..=16] = array.shape.as_slice() else { return None };
        array.bytes.chunks_exact(array.element.size()).take(count as usize).map(|b| array.element.decode(b)).collect()
    }

    /// An array of any size as a tensor.
    pub(super) fn numpy_array(&self, id: NodeId) -> Result<TensorRef, PickleError> {
        let Array { element, shape, is_fortran, bytes } = self.numpy_parts(id)?;
        let axes: Vec<usize> = if is_fortran { (0..shape.len()).collect() } else { (0..shape.len()).rev().collect() };
        let mut strides = vec![0; shape.len()];
        let mut step = 1i64;
        for axis in axes {
            strides[axis] = step;
            let overflow = || PickleError::Tensor(format!("an array of size {shape:?}"));
            step = step.checked_mul(shape[axis].max(1)).ok_or_else(overflow)?;
        }
        Storage::of_bytes(element, bytes).tensor(0, &shape, &strides)
    }

    /// An array, however it is written.
    fn numpy_parts(&self, id: NodeId) -> Result<Array, PickleError> {
        let bad = |what: &str| PickleError::Tensor(what.to_owned());
        if let Some((Known::NumpyScalar, &[dtype, bytes], _)) = self.object(id) {
            let bytes = self.raw_bytes(bytes).ok_or_else(|| bad("a number without bytes"))?;
            return Ok(Array { element: self.numpy_dtype(dtype)?, shape: Vec::new(), is_fortran: false, bytes });
        }
        let (bytes, dtype, shape, is_fortran) = match self.object(id) {
            Some((Known::NumpyFromBuffer, &[bytes, dtype, shape, order, ..], _)) => {
                (bytes, dtype, shape, self.text(order) == Some("F"))
            }
            Some((Known::NumpyReconstruct, _, Some(state))) => self.array_state(state)?,
            Some((Known::DillArray, &[_, _, state, ..], _)) => self.array_state(state)?,
            _ => return Err(bad("an array without contents")),
        };
        Ok(Array {
            element: self.numpy_dtype(dtype)?,
            shape: self.ints(shape).ok_or_else(|| bad("an array whose shape is not a list of numbers"))?,
            is_fortran,
            bytes: self.raw_bytes(bytes).ok_or_else(|| bad("an array without bytes"))?,
        })
    }

    /// `(version, shape, dtype, is_fortran, bytes)`, reordered.
    fn array_state(&self, state: NodeId) -> Result<(NodeId, NodeId, NodeId, bool), PickleError> {
        match self.items(state) {
            Some(&[_version, shape, dtype, fortran, bytes]) => {
                Ok((bytes, dtype, shape, matches!(self.node(fortran), Node::Bool(true) | Node::Int(1))))
            }
            _ => Err(PickleError::Tensor("an array whose state does not have five parts".into())),
        }
    }

    /// The element type of a `numpy.dtype` object.
    fn numpy_dtype(&self, id: NodeId) -> Result<Element, PickleError> {
        let Some((Known::NumpyDtype, args, state)) = self.object(id) else {
            return Err(PickleError::Tensor("an array without a dtype".into()));
        };
        let order = state.and_then(|s| self.items(s)).and_then(|s| self.text(*s.get(1)?)).unwrap_or("<");
        let kind = args.first().and_then(|&a| self.text(a)).unwrap_or("");
        if order == ">" || kind.starts_with('>') {
            return Err(PickleError::Tensor("an array in big-endian order".into()));
        }
        Ok(match kind.trim_start_matches(['<', '|', '=']) {
            "f8" => Element::F64,
            "f4" => Element::F32,
            "f2" => Element::F16,
            "i8" => Element::I64,
            "i4" => Element::I32,
            "i2" => Element::I16,
            "i1" => Element::I8,
            "u1" => Element::U8,
            "b1" => Element::Bool,
            other => return Err(PickleError::Tensor(format!("an array of numpy type {other:?}"))),
        })
    }

    /// Bytes, or the string that Python 2 wrote for them.
    fn raw_bytes(&self, id: NodeId) -> Option<Bytes> {
        match self.node(id) {
            // A scalar whose bytes happen to be valid text. Python 2 arrays like that are rare and small.
            Node::Text(text) if text.len() <= 4096 => Some(Bytes::new(text.as_bytes().to_vec())),
            _ => self.blob(id),
        }
    }
}
