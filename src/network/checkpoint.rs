//! A checkpoint: the tensors and attributes of a network file by dotted name, whatever the file's format.
//!
//! [`Checkpoint::open`] detects the format from the first bytes and reads the file whole. Tensors stay there until an
//! architecture asks for them ([`Tensors`]); they are then converted to 32-bit floats and checked. Nothing in a file is
//! executed, and no size that a file declares is trusted for an allocation. Runs on the loader's thread.
//! Names are those of `stylegan2-ada-pytorch`: `synthesis.b8.conv0.weight`.

mod format;
mod safetensor;
mod tensor;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

pub use super::bytes::Bytes;
pub use format::Format;
pub use tensor::{Dtype, TensorRef};

use crate::file::Opened;
use crate::network::blend::Share;
use crate::network::{NetworkError, fastgan, pickled, rosinality};

/// First bytes that tell formats apart.
const HEAD: u64 = 4096;
/// Largest file that is read; the largest known network, optimizer state included, has a tenth of it.
const MOST_BYTES: u64 = 16 << 30;

/// A plain value that a file stores beside its tensors.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// Present but without a value, such as a disabled `conv_clamp`.
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Attribute>),
}

impl Attribute {
    /// The value as a number, if it is one.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Attribute::Bool(b) => Some(f64::from(u8::from(*b))),
            Attribute::Int(i) => Some(*i as f64),
            Attribute::Float(f) => Some(*f),
            _ => None,
        }
    }

    /// The value as text, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Attribute::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// What a network file holds.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    pub path: PathBuf,
    pub format: Format,
    /// Size of the file.
    pub bytes: u64,
    pub tensors: BTreeMap<String, TensorRef>,
    /// Attributes of modules by dotted name: `synthesis.b8.conv1.conv_clamp`, `img_resolution`.
    pub attributes: BTreeMap<String, Attribute>,
    /// The file's own description of itself, text by key.
    pub metadata: BTreeMap<String, String>,
    /// What is odd about the file, although it opens.
    pub warnings: Vec<String>,
    /// If its numbers are read as a blend with those of another file.
    pub second: Option<Box<Second>>,
}

/// A second file with tensors of the same names and sizes.
#[derive(Clone, Debug)]
pub struct Second {
    pub checkpoint: Checkpoint,
    /// How much of it each tensor gets.
    pub share: Share,
    /// Of the networks' pictures.
    pub resolution: usize,
}

impl Checkpoint {
    /// Opens a network file of any known format.
    ///
    /// # Errors
    /// When the file cannot be read, is not a network (a web page, a Git LFS pointer, a picture …), or is damaged.
    pub fn open(path: &Path) -> Result<Checkpoint, NetworkError> {
        let (format, bytes) = Checkpoint::load(path)?;
        let checkpoint = match format {
            Format::Safetensors => safetensor::read(path, bytes)?,
            format => pickled::read(path, format, &bytes)?,
        };
        checkpoint.without_prefix().with_ada_names()
    }

    /// Opens a file that is no network: its tensors by name.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn open_tensors(path: &Path) -> Result<Checkpoint, NetworkError> {
        let (format, bytes) = Checkpoint::load(path)?;
        match format {
            Format::Safetensors => safetensor::read(path, bytes),
            format => pickled::read_tensors(path, format, &bytes),
        }
    }

    /// Opens the discriminator in a network file; `None` when it has none of a known kind.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn open_discriminator(path: &Path) -> Result<Option<Checkpoint>, NetworkError> {
        let (format, bytes) = Checkpoint::load(path)?;
        let mut checkpoint = match format {
            Format::Safetensors => safetensor::read(path, bytes)?,
            format => pickled::read_discriminator(path, format, &bytes)?,
        };
        if format == Format::Safetensors {
            checkpoint.keep("D.");
        }
        Ok((!checkpoint.tensors.is_empty()).then_some(checkpoint))
    }

    /// The file's format, and its bytes.
    fn load(path: &Path) -> Result<(Format, Bytes), NetworkError> {
        let io = |source| NetworkError::Io { path: path.to_path_buf(), source };
        let file = Opened::new(path, HEAD).map_err(io)?;
        let format = Format::of(file.head(), file.bytes());
        let format = format.map_err(|reason| NetworkError::NotANetwork { path: path.into(), reason })?;
        Ok((format, Bytes::new(file.read(MOST_BYTES).map_err(io)?)))
    }

    /// Training files may hold several networks: keeps only `G_ema.` and drops the prefix.
    fn without_prefix(mut self) -> Self {
        for prefix in ["G_ema.", "g_ema."] {
            if self.tensors.keys().any(|name| name.starts_with(prefix)) {
                self.keep(prefix);
                break;
            }
        }
        if self.tensors.keys().any(|name| name.starts_with("synthesis.")) {
            self.tensors.retain(|name, _| !name.starts_with("D."));
            self.attributes.retain(|name, _| !name.starts_with("D."));
        }
        self
    }

    /// Keeps the names that begin with `prefix`, and strips it from them.
    fn keep(&mut self, prefix: &str) {
        let inside = |name: String| name.strip_prefix(prefix).map(str::to_string);
        let tensors = std::mem::take(&mut self.tensors).into_iter();
        self.tensors = tensors.filter_map(|(n, t)| Some((inside(n)?, t))).collect();
        let attributes = std::mem::take(&mut self.attributes).into_iter();
        self.attributes = attributes.filter_map(|(n, a)| Some((inside(n)?, a))).collect();
    }

    /// Renames tensors if the file uses rosinality's names.
    fn with_ada_names(mut self) -> Result<Self, NetworkError> {
        if fastgan::is_fastgan(self.tensors.keys().map(String::as_str)) {
            self.tensors = fastgan::rename(self.tensors);
        }
        if rosinality::is_rosinality(self.tensors.keys().map(String::as_str)) {
            let renamed = rosinality::rename(self.tensors);
            self.tensors = renamed.map_err(|what| NetworkError::Unsupported { path: self.path.clone(), what })?;
        }
        Ok(self)
    }

    /// A value from the JSON under the metadata key `config`, where our own trainers describe a network.
    pub fn config(&self, key: &str) -> Option<serde_json::Value> {
        let config: serde_json::Value = serde_json::from_str(self.metadata.get("config")?).ok()?;
        config.get(key).cloned()
    }

    /// The root of the tree of tensors.
    pub fn root(&self) -> Tensors<'_> {
        Tensors { checkpoint: self, prefix: String::new(), second: self.second.as_deref() }
    }

    /// The first dozen tensor names, for messages about unknown layouts.
    pub fn some_names(&self) -> String {
        let names: Vec<&str> = self.tensors.keys().take(12).map(String::as_str).collect();
        match names.len() {
            0 => "the file holds no tensors".into(),
            n if n < self.tensors.len() => format!("it holds {} tensors: {}, …", self.tensors.len(), names.join(", ")),
            _ => format!("it holds {}", names.join(", ")),
        }
    }
}

/// One place in the tree of dotted names; going down is like `cd`.
#[derive(Clone)]
pub struct Tensors<'a> {
    checkpoint: &'a Checkpoint,
    prefix: String,
    second: Option<&'a Second>,
}

/// What describes a network and is not trained, and means, which follow from the rest: a blend keeps the first file's.
const KEPT: [&str; 6] = ["noise_const", "resample_filter", "up_filter", "down_filter", "transform", "w_avg"];

impl<'a> Tensors<'a> {
    /// The place called `name` below this one.
    pub fn at(&self, name: impl std::fmt::Display) -> Tensors<'a> {
        Tensors { prefix: format!("{}{name}.", self.prefix), ..self.clone() }
    }

    /// The full name of a tensor or attribute of this place.
    pub fn full_name(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub fn path(&self) -> &'a Path {
        &self.checkpoint.path
    }

    /// Is there any tensor at or below `name`?
    pub fn has(&self, name: &str) -> bool {
        let full = self.full_name(name);
        let below = format!("{full}.");
        self.checkpoint.tensors.contains_key(&full)
            || self.checkpoint.tensors.range(below.clone()..).next().is_some_and(|(k, _)| k.starts_with(&below))
    }

    /// The shape of a tensor, if the file has it.
    pub fn shape(&self, name: &str) -> Option<&'a [usize]> {
        self.checkpoint.tensors.get(&self.full_name(name)).map(|t| t.shape.as_slice())
    }

    /// An attribute of the module at this place.
    pub fn attribute(&self, name: &str) -> Option<&'a Attribute> {
        self.checkpoint.attributes.get(&self.full_name(name))
    }

    /// The numbers of a tensor of exactly this shape, all finite; of a blend those between the two files.
    ///
    /// # Errors
    /// When it is missing, has another shape, is not of a float type, or holds NaN or infinity.
    pub fn get(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, NetworkError> {
        self.blended(name, |at| at.read(name, shape))
    }

    /// What `read` gives; of a blend, between what it gives in the two files. For numbers that mean something only together, as
    /// those of the tensor `name` do with others.
    ///
    /// # Errors
    /// As `read`.
    pub fn blended(
        &self,
        name: &str,
        read: impl Fn(&Tensors<'a>) -> Result<Vec<f32>, NetworkError>,
    ) -> Result<Vec<f32>, NetworkError> {
        let mut numbers = read(&Tensors { second: None, ..self.clone() })?;
        let Some(second) = self.second.filter(|_| !KEPT.contains(&name)) else { return Ok(numbers) };
        let share = second.share.of(&self.full_name(name), second.resolution);
        if share != 0.0 {
            let others = read(&Tensors { checkpoint: &second.checkpoint, second: None, ..self.clone() })?;
            numbers.iter_mut().zip(others).for_each(|(x, other)| *x += share * (other - *x));
        }
        Ok(numbers)
    }

    fn read(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, NetworkError> {
        let (path, tensor) = (self.path().to_path_buf(), self.full_name(name));
        let Some(found) = self.checkpoint.tensors.get(&tensor) else {
            return Err(NetworkError::Missing { path, tensor, expected: format!("{shape:?}") });
        };
        if found.shape != shape {
            let (expected, found) = (format!("{shape:?}"), format!("{:?}", found.shape));
            return Err(NetworkError::Shape { path, tensor, expected, found });
        }
        let values = match found.to_f32() {
            Ok(values) => values,
            Err(reason) => return Err(NetworkError::Format { path, reason: format!("tensor {tensor}: {reason}") }),
        };
        match first_not_finite(&values) {
            Some(index) => Err(NetworkError::NotFinite { path, tensor, index, value: values[index] }),
            None => Ok(values),
        }
    }

    /// The shape of a tensor of this rank, whatever its sizes.
    ///
    /// # Errors
    /// When it is missing, has another rank, or has an axis of length 0.
    pub fn shape_of_rank<const RANK: usize>(&self, name: &str) -> Result<[usize; RANK], NetworkError> {
        let (path, tensor) = (self.path().to_path_buf(), self.full_name(name));
        let expected = || format!("{RANK} axes");
        let Some(shape) = self.shape(name) else {
            return Err(NetworkError::Missing { path, tensor, expected: expected() });
        };
        match <[usize; RANK]>::try_from(shape) {
            Ok(shape) if !shape.contains(&0) => Ok(shape),
            _ => Err(NetworkError::Shape { path, tensor, expected: expected(), found: format!("{shape:?}") }),
        }
    }
}

/// Index of the first number that is infinite or NaN. Checks whole blocks first, as a network has tens of millions.
fn first_not_finite(values: &[f32]) -> Option<usize> {
    const BLOCK: usize = 1 << 14;
    const INFINITY: u32 = f32::INFINITY.to_bits();
    let largest = |block: &[f32]| block.iter().fold(0, |most, v| v.abs().to_bits().max(most));
    let block = values.par_chunks(BLOCK).position_first(|block| largest(block) >= INFINITY)?;
    values[block * BLOCK..].iter().position(|v| !v.is_finite()).map(|at| block * BLOCK + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_number_that_is_none_is_found() {
        let mut values = vec![-1.5f32; 40_000];
        assert_eq!(first_not_finite(&values), None);
        for (at, value) in [(39_999, f32::NEG_INFINITY), (16_384, f32::NAN), (16_383, f32::INFINITY), (0, -f32::NAN)] {
            values[at] = value;
            assert_eq!(first_not_finite(&values), Some(at));
        }
    }
}
