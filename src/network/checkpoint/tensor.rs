//! One tensor of a file: where its bytes are, and how they become 32-bit floats.

use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};
use rayon::prelude::*;

use crate::network::bytes::Bytes;

/// Types of the numbers in a network file. Everything is little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    F16,
    Bf16,
    F32,
    F64,
    /// A type that weights do not have (integers, booleans), and its size in bytes.
    Other {
        name: &'static str,
        bytes: usize,
    },
}

impl Dtype {
    /// Bytes of one number.
    pub fn bytes(self) -> usize {
        match self {
            Dtype::F16 | Dtype::Bf16 => 2,
            Dtype::F32 => 4,
            Dtype::F64 => 8,
            Dtype::Other { bytes, .. } => bytes,
        }
    }
}

/// A tensor in a file: known to lie inside its storage, but not read yet.
#[derive(Clone, Debug)]
pub struct TensorRef {
    pub shape: Vec<usize>,
    pub dtype: Dtype,
    /// Distance between neighbours along each axis, in numbers; as long as `shape`.
    strides: Vec<usize>,
    /// Index in `storage` where the tensor starts, in numbers.
    offset: usize,
    storage: Bytes,
}

/// No known network has tensors with more axes.
const MAX_RANK: usize = 8;

impl TensorRef {
    /// A contiguous tensor, x fastest, from the start of `storage`.
    ///
    /// # Errors
    /// When the shape does not fit the storage.
    pub fn contiguous(storage: Bytes, dtype: Dtype, shape: Vec<usize>) -> Result<TensorRef, String> {
        let mut strides = vec![1; shape.len()];
        for axis in (1..shape.len()).rev() {
            strides[axis - 1] = usize::checked_mul(strides[axis], shape[axis]).ok_or("its size overflows")?;
        }
        TensorRef::strided(storage, dtype, shape, strides, 0)
    }

    /// A tensor laid out by strides, as torch stores them. `offset` and `strides` count numbers, not bytes.
    ///
    /// # Errors
    /// When it reaches beyond the storage, has more numbers than the storage, or too many axes.
    pub fn strided(
        storage: Bytes,
        dtype: Dtype,
        shape: Vec<usize>,
        strides: Vec<usize>,
        offset: usize,
    ) -> Result<TensorRef, String> {
        if shape.len() > MAX_RANK || shape.len() != strides.len() {
            return Err(format!("{} axes with {} strides", shape.len(), strides.len()));
        }
        let stored = storage.as_slice().len() / dtype.bytes().max(1);
        let count = shape.iter().try_fold(1usize, |n, &s| n.checked_mul(s));
        let reach = shape
            .iter()
            .zip(&strides)
            .try_fold(offset, |end, (&size, &stride)| end.checked_add(size.saturating_sub(1).checked_mul(stride)?));
        match (count, reach) {
            (Some(0), _) => {}
            (Some(count), Some(last)) if count <= stored && last < stored => {}
            _ => {
                return Err(format!(
                    "{shape:?} at {offset} with strides {strides:?} does not fit into {stored} numbers"
                ));
            }
        }
        Ok(TensorRef { shape, dtype, strides, offset, storage })
    }

    /// Numbers in the tensor.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The same numbers without axes of length 1, from the first on, until at most `rank` axes are left.
    pub fn trimmed(&self, rank: usize) -> TensorRef {
        let mut trimmed = self.clone();
        while trimmed.shape.len() > rank
            && let Some(axis) = trimmed.shape.iter().position(|&size| size == 1)
        {
            trimmed.shape.remove(axis);
            trimmed.strides.remove(axis);
        }
        trimmed
    }

    /// The same numbers with their axes in another order: axis i of the result is axis `order[i]` of this one.
    /// `None` when `order` does not name each axis once.
    pub fn permuted(&self, order: &[usize]) -> Option<TensorRef> {
        let mut axes: Vec<usize> = order.to_vec();
        axes.sort_unstable();
        if !axes.into_iter().eq(0..self.shape.len()) {
            return None;
        }
        let pick = |from: &[usize]| order.iter().map(|&axis| from[axis]).collect();
        Some(TensorRef { shape: pick(&self.shape), strides: pick(&self.strides), ..self.clone() })
    }

    /// A new tensor of the same shape with `change` applied to each number. `None` for types other than floats.
    pub fn mapped(&self, change: impl Fn(f32) -> f32) -> Option<TensorRef> {
        TensorRef::of_numbers(self.shape.clone(), self.to_f32().ok()?.into_iter().map(change))
    }

    /// A new tensor with each kernel `[.., kh, kw]` mirrored in both axes. `None` when there are fewer than two axes.
    pub fn flipped_kernel(&self) -> Option<TensorRef> {
        let &[.., height, width] = self.shape.as_slice() else { return None };
        let mut numbers = self.to_f32().ok()?;
        numbers.chunks_exact_mut((height * width).max(1)).for_each(<[f32]>::reverse);
        TensorRef::of_numbers(self.shape.clone(), numbers.into_iter())
    }

    /// A tensor that owns its numbers, x fastest. `None` when their count does not match the shape.
    pub fn of_numbers(shape: Vec<usize>, numbers: impl Iterator<Item = f32>) -> Option<TensorRef> {
        let bytes: Vec<u8> = numbers.flat_map(f32::to_le_bytes).collect();
        TensorRef::contiguous(Bytes::new(bytes), Dtype::F32, shape).ok()
    }

    /// The numbers, x fastest.
    ///
    /// # Errors
    /// When the type is not a float.
    pub fn to_f32(&self) -> Result<Vec<f32>, String> {
        let bytes = self.storage.as_slice();
        match self.dtype {
            Dtype::F32 => Ok(self.gather(bytes, f32::from_le_bytes)),
            Dtype::F16 if self.is_contiguous() => {
                Ok(widen(&bytes.as_chunks().0[self.offset..self.offset + self.len()]))
            }
            Dtype::F16 => Ok(self.gather(bytes, |b| f16::from_le_bytes(b).to_f32())),
            Dtype::Bf16 => Ok(self.gather(bytes, |b| bf16::from_le_bytes(b).to_f32())),
            Dtype::F64 => Ok(self.gather(bytes, |b| f64::from_le_bytes(b) as f32)),
            Dtype::Other { name, .. } => Err(format!("a weight of type {name}")),
        }
    }

    fn gather<const N: usize>(&self, bytes: &[u8], decode: impl Fn([u8; N]) -> f32 + Sync) -> Vec<f32> {
        let (numbers, _) = bytes.as_chunks::<N>();
        let count = self.len();
        if self.is_contiguous() {
            let numbers = numbers[self.offset..self.offset + count].par_iter().with_min_len(BLOCK);
            return numbers.map(|b| decode(*b)).collect();
        }
        let mut out = Vec::with_capacity(count);
        let mut index = vec![0usize; self.shape.len()];
        for _ in 0..count {
            let at: usize = index.iter().zip(&self.strides).map(|(i, s)| i * s).sum();
            out.push(decode(numbers[self.offset + at]));
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                if index[axis] < self.shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        out
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        let axes = self.shape.iter().zip(&self.strides).rev();
        // An axis of length 1 may have any stride. Empty tensors take the slow path.
        !self.is_empty()
            && axes.into_iter().all(|(&size, &stride)| {
                let ok = size == 1 || stride == expected;
                expected *= size;
                ok
            })
    }
}

/// How many numbers one core converts at a time.
const BLOCK: usize = 1 << 16;

/// Widens 16-bit floats, many at a time, as processors do.
fn widen(numbers: &[[u8; 2]]) -> Vec<f32> {
    const STEP: usize = 1024;
    let mut out = vec![0.0; numbers.len()];
    numbers.par_chunks(BLOCK).zip(out.par_chunks_mut(BLOCK)).for_each(|(from, to)| {
        let mut halves = [f16::ZERO; STEP];
        for (from, to) in from.chunks(STEP).zip(to.chunks_mut(STEP)) {
            let halves = &mut halves[..from.len()];
            halves.iter_mut().zip(from).for_each(|(half, bytes)| *half = f16::from_le_bytes(*bytes));
            halves.convert_to_f32_slice(to);
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storage(values: &[f32]) -> Bytes {
        Bytes::new(values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>())
    }

    #[test]
    fn strides_and_offsets_are_honoured() {
        let bytes = storage(&[9.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let transposed = TensorRef::strided(bytes, Dtype::F32, vec![2, 3], vec![1, 2], 1).expect("fits");
        assert_eq!(transposed.to_f32(), Ok(vec![1.0, 3.0, 5.0, 2.0, 4.0, 6.0]));
    }

    #[test]
    fn all_float_types_decode() {
        let cases: [(Dtype, Vec<u8>); 4] = [
            (Dtype::F32, 1.5f32.to_le_bytes().into()),
            (Dtype::F64, 1.5f64.to_le_bytes().into()),
            (Dtype::F16, f16::from_f32(1.5).to_le_bytes().into()),
            (Dtype::Bf16, bf16::from_f32(1.5).to_le_bytes().into()),
        ];
        for (dtype, bytes) in cases {
            let tensor = TensorRef::contiguous(Bytes::new(bytes), dtype, vec![]).expect("fits");
            assert_eq!(tensor.to_f32(), Ok(vec![1.5]), "{dtype:?}");
        }
    }

    #[test]
    fn long_rows_of_half_floats_decode_in_order() {
        let value = |i: usize| f16::from_f32(i as f32 / 8.0);
        let bytes: Vec<u8> = (0..2500).flat_map(|i| value(i).to_le_bytes()).collect();
        let tensor = TensorRef::strided(Bytes::new(bytes), Dtype::F16, vec![2497], vec![1], 3).expect("fits");
        let expected: Vec<f32> = (3..2500).map(|i| value(i).to_f32()).collect();
        assert_eq!(tensor.to_f32(), Ok(expected));
    }

    #[test]
    fn tensors_larger_than_their_storage_are_refused() {
        let bytes = storage(&[0.0; 16]);
        let strided = |shape: &[usize], strides: &[usize], offset| {
            TensorRef::strided(bytes.clone(), Dtype::F32, shape.into(), strides.into(), offset)
        };
        assert!(strided(&[4, 4], &[4, 1], 0).is_ok());
        assert!(strided(&[5, 5], &[5, 1], 0).is_err());
        assert!(strided(&[4], &[1], 14).is_err());
        assert!(strided(&[1 << 33, 1 << 33], &[0, 0], 0).is_err());
        assert!(strided(&[200_000, 200_000], &[0, 0], 0).is_err());
        assert!(strided(&[2], &[usize::MAX], 0).is_err());
        assert!(strided(&[2, 2], &[1], 0).is_err());
        assert!(TensorRef::contiguous(bytes.clone(), Dtype::F32, vec![1 << 62, 1 << 62]).is_err());
    }
}
