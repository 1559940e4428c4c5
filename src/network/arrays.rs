//! Arrays of numbers in the files of other tools: `.npy`, `.npz`, and tensors in `.pt`, `.pkl` and `.safetensors`.
//!
//! The content decides, not the ending. Nothing in a pickle is executed.

use std::io::{Cursor, Read};
use std::path::Path;

use super::checkpoint::{Checkpoint, TensorRef};
use crate::file;

/// Largest file that is read: 4,096 directions of 4,096 numbers in 64 bits, twice.
const MOST_BYTES: u64 = 256 << 20;

/// Numbers and their shape, x fastest.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    pub shape: Vec<usize>,
    pub data: Vec<f64>,
}

/// The arrays in a file, by name; one without a name is called nothing.
///
/// # Errors
/// One line without the file's name: when it cannot be read, or is of no known kind.
pub fn open(path: &Path) -> Result<Vec<(String, Array)>, String> {
    let bytes = file::read(path, MOST_BYTES).map_err(|error| error.to_string())?;
    if bytes.starts_with(NPY) {
        return Ok(vec![(String::new(), npy(&bytes)?)]);
    }
    if let Some(found) = npz(&bytes) {
        return found;
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
    checkpoint.tensors.iter().map(|(name, tensor)| Ok((name.clone(), array(tensor)?))).collect()
}

/// Numbers as 32-bit floats.
///
/// # Errors
/// When one is none, or too large for that.
pub fn finite(data: &[f64]) -> Result<Vec<f32>, String> {
    let number = |x: &f64| {
        let short = *x as f32;
        if short.is_finite() { Ok(short) } else { Err(format!("expected numbers, found {x:e}")) }
    };
    data.iter().map(number).collect()
}

/// Rows of numbers as a text that gives them back: what a take keeps of a file that is no text.
pub fn text_of(rows: &[Vec<f32>]) -> String {
    let line = |row: &Vec<f32>| row.iter().map(|x| format!("{x:?}")).collect::<Vec<_>>().join(" ");
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The rows of such a text; `None` if it is none.
pub fn rows_of(text: &str) -> Option<Vec<Vec<f32>>> {
    text.lines().map(|line| line.split_whitespace().map(|word| word.parse().ok()).collect()).collect()
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
    let mut left = MOST_BYTES;
    let read = |name: String| {
        let member = archive.by_name(&name).map_err(|error| format!("{name}: {error}"))?;
        let mut unpacked = Vec::new();
        let size = member.take(left + 1).read_to_end(&mut unpacked).map_err(|error| format!("{name}: {error}"))?;
        left = left
            .checked_sub(size as u64)
            .ok_or_else(|| format!("{name}: with it, the file unpacks to more than {} MB", MOST_BYTES >> 20))?;
        let array = npy(&unpacked).map_err(|error| format!("{name}: {error}"))?;
        Ok((name.trim_end_matches(".npy").to_owned(), array))
    };
    Some(names.into_iter().map(read).collect())
}
