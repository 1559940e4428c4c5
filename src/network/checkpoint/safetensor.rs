//! Reads the safetensors format: a JSON header, then raw numbers.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::{Dtype as Stored, SafeTensors};

use super::{Bytes, Checkpoint, Dtype, Format, TensorRef};
use crate::network::{NetworkError, canonical};

/// The tensors of a file. The crate refuses over-long headers, holes, overlaps, and sizes that do not match
/// the shapes.
pub fn read(path: &Path, file: Bytes) -> Result<Checkpoint, NetworkError> {
    let broken = |reason: String| NetworkError::Format { path: path.into(), reason };
    let (header, parsed) = SafeTensors::read_metadata(&file).map_err(|e| broken(format!("safetensors: {e}")))?;
    let data = header.checked_add(8).ok_or_else(|| broken("safetensors: the header is too long".into()))?;
    let mut tensors = BTreeMap::new();
    for (name, info) in parsed.tensors() {
        let (start, end) = info.data_offsets;
        let range = data.checked_add(start).zip(data.checked_add(end));
        let storage = range.and_then(|(start, end)| file.slice(start..end));
        let outside = || broken(format!("tensor {name}: its data lies outside the file: the file is incomplete"));
        let storage = storage.ok_or_else(outside)?;
        let tensor = TensorRef::contiguous(storage, dtype(info.dtype), info.shape.clone());
        tensors.insert(name.clone(), tensor.map_err(|e| broken(format!("tensor {name}: {e}")))?);
    }
    let mut metadata = parsed.metadata().iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    let attributes = canonical::take_attributes(&mut metadata).map_err(broken)?;
    let (path, bytes) = (path.to_path_buf(), file.len() as u64);
    let (format, warnings, second) = (Format::Safetensors, Vec::new(), None);
    Ok(Checkpoint { path, format, bytes, tensors, attributes, metadata, warnings, second })
}

fn dtype(stored: Stored) -> Dtype {
    match stored {
        Stored::F16 => Dtype::F16,
        Stored::BF16 => Dtype::Bf16,
        Stored::F32 => Dtype::F32,
        Stored::F64 => Dtype::F64,
        Stored::I64 | Stored::U64 => Dtype::Other { name: "64-bit integer", bytes: 8 },
        Stored::I32 | Stored::U32 => Dtype::Other { name: "32-bit integer", bytes: 4 },
        Stored::I16 | Stored::U16 => Dtype::Other { name: "16-bit integer", bytes: 2 },
        Stored::I8 | Stored::U8 | Stored::BOOL => Dtype::Other { name: "8-bit integer", bytes: 1 },
        // Sub-byte and 8-bit floats: no network has them, and the crate checks their sizes.
        _ => Dtype::Other { name: "an exotic type", bytes: 0 },
    }
}
