//! Directions that other tools have found: `.npy`, `.npz`, `.pt`, `.pkl` and `.safetensors` files of GANSpace, SeFa, Autolume,
//! InterFaceGAN and rosinality's `closed_form_factorization.py`.
//!
//! The content decides, not the ending. Nothing in a pickle is executed. A file does not say whether its directions are those of w
//! or of z: they are taken as w's, unless it is GANSpace's and has no standard deviations, which only happens in z.

use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use crate::file;
use crate::network::checkpoint::{Checkpoint, TensorRef};

/// Largest file that is read: 4,096 directions of 4,096 numbers in 64 bits, twice.
const MOST_BYTES: u64 = 256 << 20;

/// Why a file holds no directions of a network.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", file.display())]
pub struct ForeignError {
    pub file: PathBuf,
    pub reason: String,
}

/// Directions in the order of their file.
#[derive(Clone, Debug, PartialEq)]
pub struct Foreign {
    /// `[w_dim]` each, as they stand.
    pub rows: Vec<Vec<f32>>,
    /// The standard deviation of w along each, if the file has them.
    pub stdev: Option<Vec<f32>>,
}

/// Numbers and their shape, x fastest.
struct Array {
    shape: Vec<usize>,
    data: Vec<f64>,
}

/// Reads the directions in a file for a network with w `[w_dim]`.
///
/// # Errors
/// When the file cannot be read, is of no known kind, or holds vectors of another length.
pub fn open(path: &Path, w_dim: usize) -> Result<Foreign, ForeignError> {
    read(path, w_dim).map_err(|reason| ForeignError { file: path.to_owned(), reason })
}

fn read(path: &Path, w_dim: usize) -> Result<Foreign, String> {
    let bytes = file::read(path, MOST_BYTES).map_err(|error| error.to_string())?;
    if bytes.starts_with(NPY) {
        return Ok(Foreign { rows: rows(npy(&bytes)?, w_dim)?, stdev: None });
    }
    if let Some(found) = npz(&bytes) {
        return of_arrays(found?, w_dim);
    }
    let checkpoint = Checkpoint::open_tensors(path).map_err(|error| {
        // It begins with the file's name, which is said already.
        let line = error.to_string();
        line.split_once(": ").map_or(line.clone(), |(_, reason)| reason.to_owned())
    })?;
    let array = |tensor: &TensorRef| {
        let data = tensor.to_f32().map_err(|error| error.to_string())?;
        Ok::<_, String>(Array { shape: tensor.shape.clone(), data: data.into_iter().map(f64::from).collect() })
    };
    if let Some(tensor) = checkpoint.tensors.get("eigvec") {
        // rosinality: a column each.
        let Array { shape, data } = array(tensor)?;
        let [height, width] = *shape.as_slice() else { return Err(format!("eigvec is {shape:?}, expected [D, D]")) };
        let turned = (0..width).flat_map(|x| (0..height).map(move |y| (x, y))).map(|(x, y)| data[y * width + x]);
        let turned = Array { shape: vec![width, height], data: turned.collect() };
        return Ok(Foreign { rows: rows(turned, w_dim)?, stdev: None });
    }
    let arrays: Result<Vec<(String, Array)>, String> =
        checkpoint.tensors.iter().map(|(name, tensor)| Ok((name.clone(), array(tensor)?))).collect();
    of_arrays(arrays?, w_dim)
}

/// GANSpace's names, or the only array.
fn of_arrays(arrays: Vec<(String, Array)>, w_dim: usize) -> Result<Foreign, String> {
    let names = || arrays.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    let at = |name: &str| arrays.iter().position(|(known, _)| known == name);
    let Some(components) = at("lat_comp") else {
        return match arrays.len() {
            1 => {
                let only = arrays.into_iter().next().map(|(_, array)| array);
                Ok(Foreign { rows: only.map_or(Ok(Vec::new()), |array| rows(array, w_dim))?, stdev: None })
            }
            _ => Err(format!("expected lat_comp, eigvec or a single array of directions, found {}", names())),
        };
    };
    let stdev = at("lat_stdev").map(|i| arrays[i].1.data.iter().map(|x| *x as f32).collect::<Vec<f32>>());
    let components = arrays.into_iter().nth(components).map(|(_, array)| array);
    let rows = components.map_or(Ok(Vec::new()), |array| rows(array, w_dim))?;
    match &stdev {
        Some(stdev) if stdev.len() != rows.len() => {
            Err(format!("lat_comp holds {} directions, lat_stdev {} numbers", rows.len(), stdev.len()))
        }
        Some(stdev) if stdev.iter().all(|x| *x == 1.0) => {
            Err("its directions are those of z: lat_stdev is 1 everywhere; expected directions of w".to_owned())
        }
        _ => Ok(Foreign { rows, stdev }),
    }
}

/// Vectors of the length of w, which is the last axis: `[D]`, `[K, D]` or `[K, 1, D]`.
fn rows(array: Array, w_dim: usize) -> Result<Vec<Vec<f32>>, String> {
    let Array { shape, data } = array;
    let found = shape.last().copied().unwrap_or(0);
    if found != w_dim || w_dim == 0 {
        return Err(format!("its directions have {found} numbers, w has {w_dim}"));
    }
    if let Some(wrong) = data.iter().find(|x| !x.is_finite()) {
        return Err(format!("expected numbers, found {wrong}"));
    }
    Ok(data.chunks_exact(w_dim).map(|row| row.iter().map(|x| *x as f32).collect()).collect())
}

const NPY: &[u8] = b"\x93NUMPY";

/// The array in a `.npy` file: 16, 32 or 64-bit floats, little-endian.
fn npy(bytes: &[u8]) -> Result<Array, String> {
    let broken = || "broken .npy file: its header is cut off".to_owned();
    let version = *bytes.get(NPY.len()).ok_or_else(broken)?;
    // Versions 2 and 3 have a longer length of the header.
    let (start, length) = match (version, bytes.get(8..)) {
        (1, Some([a, b, ..])) => (10usize, usize::from(u16::from_le_bytes([*a, *b]))),
        (2 | 3, Some([a, b, c, d, ..])) => (12, u32::from_le_bytes([*a, *b, *c, *d]) as usize),
        (1..=3, _) => return Err(broken()),
        (other, _) => return Err(format!("version {other} of .npy is not known, expected 1 to 3")),
    };
    let end = start.checked_add(length).filter(|end| *end <= bytes.len()).ok_or_else(broken)?;
    let header = String::from_utf8_lossy(&bytes[start..end]);
    let value = |key: &str| header.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start());
    let kind = value("descr").and_then(|rest| rest.strip_prefix('\'')).and_then(|rest| rest.split('\'').next());
    let is_fortran = value("fortran_order").is_some_and(|rest| rest.starts_with("True"));
    let shape = value("shape").and_then(|rest| rest.strip_prefix('(')).and_then(|rest| rest.split(')').next());
    let (Some(kind), Some(shape)) = (kind, shape) else {
        return Err("broken .npy file: its header is incomplete".into());
    };
    let shape: Option<Vec<usize>> =
        shape.split(',').map(str::trim).filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect();
    let shape = shape.ok_or("broken .npy file: its shape is no list of numbers")?;
    let data = &bytes[end..];
    let data: Vec<f64> = match kind {
        "<f2" => data.as_chunks::<2>().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f64()).collect(),
        "<f4" => data.as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect(),
        "<f8" => data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect(),
        other => return Err(format!("its numbers are {other}, expected <f2, <f4 or <f8")),
    };
    let count = shape.iter().try_fold(1usize, |product, n| product.checked_mul(*n)).ok_or("its size overflows")?;
    if data.len() != count {
        return Err(format!("expected {count} numbers for the shape {shape:?}, found {}", data.len()));
    }
    if !is_fortran || count == 0 {
        return Ok(Array { shape, data });
    }
    // The first axis is the fastest.
    let at = |mut index: usize| {
        let mut place = 0;
        for axis in (0..shape.len()).rev() {
            place += index % shape[axis] * shape[..axis].iter().product::<usize>();
            index /= shape[axis];
        }
        place
    };
    let data = (0..count).map(|index| data[at(index)]).collect();
    Ok(Array { shape, data })
}

/// The arrays in a `.npz` file, by name; `None` for other files.
fn npz(bytes: &[u8]) -> Option<Result<Vec<(String, Array)>, String>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
    let names: Vec<String> =
        archive.file_names().flatten().filter(|name| name.ends_with(".npy")).map(|name| name.into_owned()).collect();
    if names.is_empty() {
        return None;
    }
    let read = |name: String| {
        let member = archive.by_name(&name).map_err(|error| format!("{name}: {error}"))?;
        let mut unpacked = Vec::new();
        let size =
            member.take(MOST_BYTES + 1).read_to_end(&mut unpacked).map_err(|error| format!("{name}: {error}"))?;
        if size as u64 > MOST_BYTES {
            return Err(format!("{name}: it unpacks to more than {} MB", MOST_BYTES >> 20));
        }
        let array = npy(&unpacked).map_err(|error| format!("{name}: {error}"))?;
        Ok((name.trim_end_matches(".npy").to_owned(), array))
    };
    Some(names.into_iter().map(read).collect())
}
