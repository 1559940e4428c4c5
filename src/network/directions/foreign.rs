//! Directions that other tools have found: `.npy`, `.npz`, `.pt`, `.pkl` and `.safetensors` files of GANSpace, SeFa, Autolume,
//! InterFaceGAN and rosinality's `closed_form_factorization.py`.
//!
//! A file does not say whether its directions are those of w
//! or of z: they are taken as w's, unless it is GANSpace's and has no standard deviations, which only happens in z.

use std::path::{Path, PathBuf};

use crate::file::sources;
use crate::network::arrays::{self, Array};

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

/// Reads the directions in a file for a network with w `[w_dim]`.
///
/// # Errors
/// When the file cannot be read, is of no known kind, or holds vectors of another length.
pub fn open(path: &Path, w_dim: usize) -> Result<Foreign, ForeignError> {
    read(path, w_dim).map_err(|reason| ForeignError { file: path.to_owned(), reason })
}

/// A take keeps the numbers: the standard deviations in a line that may be empty, then the directions.
fn read(path: &Path, w_dim: usize) -> Result<Foreign, String> {
    if let Some(mut rows) = sources::text(path).and_then(|text| arrays::rows_of(&text)).filter(|rows| !rows.is_empty())
    {
        let stdev = rows.remove(0);
        return Ok(Foreign { rows, stdev: (!stdev.is_empty()).then_some(stdev) });
    }
    let found = of_arrays(arrays::open(path)?, w_dim)?;
    let mut kept = vec![found.stdev.clone().unwrap_or_default()];
    kept.extend(found.rows.iter().cloned());
    sources::note_text(path, &arrays::text_of(&kept));
    Ok(found)
}

/// GANSpace's names, or the only array.
fn of_arrays(arrays: Vec<(String, Array)>, w_dim: usize) -> Result<Foreign, String> {
    let names = || arrays.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
    let at = |name: &str| arrays.iter().position(|(known, _)| known == name);
    if let Some(turned) = at("eigvec") {
        // rosinality: a column each.
        let Array { shape, data } = &arrays[turned].1;
        let [height, width] = *shape.as_slice() else { return Err(format!("eigvec is {shape:?}, expected [D, D]")) };
        let data = (0..width).flat_map(|x| (0..height).map(move |y| data[y * width + x])).collect();
        return Ok(Foreign { rows: rows(Array { shape: vec![width, height], data }, w_dim)?, stdev: None });
    }
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
    Ok(arrays::finite(&data)?.chunks_exact(w_dim).map(<[f32]>::to_vec).collect())
}
