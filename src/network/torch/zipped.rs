//! The torch format since 1.6: a zip with `<stem>/data.pkl` and `<stem>/data/<key>` for every storage.
//!
//! Entries are usually stored uncompressed, and stay ranges of the file. Deflated ones (from a repacked file) are inflated,
//! never further than the tensors need: declared sizes are not trusted. Names are only compared.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use zip::{CompressionMethod, ZipArchive};

use crate::network::bytes::Bytes;
use crate::network::pickle::{self, Budget, Document, Level, Persistent, PickleError};

/// Longest object description that is read, in bytes. Those of real files take less than 1 MiB.
const MAX_DESCRIPTION: u64 = 16 << 20;

/// Whether the directory at the end of a zip names what exported programs have. Theirs is not always one that zip reads.
fn names_an_exported_program(bytes: &[u8]) -> bool {
    const NAME: &[u8] = b"/archive_format";
    let end = &bytes[bytes.len().saturating_sub(1 << 20)..];
    end.windows(NAME.len()).any(|part| part == NAME)
}

/// An open torch zip.
pub struct Archive {
    zip: ZipArchive<Cursor<Bytes>>,
    bytes: Bytes,
    /// The path in front of `data.pkl`, with its slash.
    stem: String,
}

impl Archive {
    /// Reads the zip's directory.
    ///
    /// # Errors
    /// When the zip is damaged, or not a torch file of a supported kind.
    pub fn open(bytes: &Bytes) -> Result<Self, PickleError> {
        let zip = ZipArchive::new(Cursor::new(bytes.clone()));
        let mut zip = zip.map_err(|e| match names_an_exported_program(bytes) {
            true => PickleError::ExportedProgram,
            false => PickleError::ZipDirectory(e.to_string()),
        })?;
        let names: Vec<String> = zip.file_names().filter_map(|n| n.ok()).map(|n| n.into_owned()).collect();
        let in_folder = |name: &str| names.iter().any(|n| n.ends_with(&format!("/{name}")) || n == name);
        if in_folder("archive_format") || in_folder("serialized_exported_program.json") {
            return Err(PickleError::ExportedProgram);
        }
        if in_folder("constants.pkl") || names.iter().any(|n| n.contains("/code/")) {
            return Err(PickleError::TorchScript);
        }
        let description = names.iter().filter(|n| n.ends_with("/data.pkl")).min_by_key(|n| n.len());
        let network = |n: &&String| [".pkl", ".pt", ".pth", ".safetensors"].iter().any(|ending| n.ends_with(ending));
        if description.is_none()
            && let Some(inside) = names.iter().find(network)
        {
            let what = format!("a zip archive with {inside:?} in it: unpack it first");
            return Err(PickleError::Foreign(what));
        }
        let Some(stem) = description.and_then(|n| n.strip_suffix("data.pkl")).map(str::to_owned) else {
            return Err(PickleError::Container("its zip has no data.pkl".into()));
        };
        if let Some(index) = zip.index_for_name(&format!("{stem}byteorder")) {
            let mut order = Vec::new();
            let entry = zip.by_index(index).map_err(|e| PickleError::Container(e.to_string()))?;
            let read = entry.take(16).read_to_end(&mut order);
            if read.is_err() || order.trim_ascii() != b"little" {
                return Err(PickleError::Container("its numbers are not little-endian".into()));
            }
        }
        Ok(Archive { zip, bytes: bytes.clone(), stem })
    }

    /// Reads the description, finds the storages, and hands the document to `then`.
    ///
    /// # Errors
    /// When the description is refused, or a storage is missing or too short.
    pub fn read<T>(
        mut self,
        level: Level,
        budget: &mut Budget,
        then: impl FnOnce(Document) -> Result<T, PickleError>,
    ) -> Result<T, PickleError> {
        let name = format!("{}data.pkl", self.stem);
        let description = self.entry(&name, None, budget)?;
        let mut document = pickle::read(&description, 0, Persistent::Storages, level, budget)?;
        let mut found: HashMap<Box<str>, Bytes> = HashMap::new();
        for storage in &mut document.storages {
            // An unknown type is an error only for the tensor that uses it.
            let Some(needed) = storage.byte_len() else { continue };
            let bytes = match found.get(&storage.key) {
                Some(bytes) if bytes.len() >= needed => bytes.clone(),
                _ => self.entry(&format!("{}data/{}", self.stem, storage.key), Some(needed), budget)?,
            };
            found.insert(storage.key.clone(), bytes.clone());
            storage.bytes = Some(bytes);
        }
        then(document)
    }

    /// The contents of an entry: at least `needed` bytes, or all of a description.
    fn entry(&mut self, name: &str, needed: Option<usize>, budget: &mut Budget) -> Result<Bytes, PickleError> {
        let damaged = |e: &dyn std::fmt::Display| PickleError::Container(format!("entry {name:?} of its zip: {e}"));
        let index = self.zip.index_for_name(name).ok_or_else(|| PickleError::MissingEntry(name.to_owned()))?;
        let entry = self.zip.by_index(index).map_err(|e| damaged(&e))?;
        let limit = needed.map_or(MAX_DESCRIPTION, |needed| needed as u64);
        if needed.is_none() && entry.size() > MAX_DESCRIPTION {
            return Err(PickleError::Limit { what: "bytes of object description", limit: MAX_DESCRIPTION });
        }
        let bytes = if entry.compression() == CompressionMethod::Stored {
            let start = entry.data_start().and_then(|s| usize::try_from(s).ok());
            let len = usize::try_from(entry.compressed_size()).ok();
            let range = start.zip(len).and_then(|(start, len)| Some(start..start.checked_add(len)?));
            range.and_then(|range| self.bytes.slice(range)).ok_or_else(|| damaged(&"it lies outside the file"))?
        } else {
            let mut inflated = Vec::new();
            let mut entry = entry.take(limit);
            // In steps, so that memory follows the data that is actually there, not the declared size.
            loop {
                let before = inflated.len();
                entry.by_ref().take(1 << 20).read_to_end(&mut inflated).map_err(|e| damaged(&e))?;
                budget.decoded(inflated.len() - before)?;
                if inflated.len() == before {
                    break Bytes::new(inflated);
                }
            }
        };
        match needed {
            Some(needed) if bytes.len() < needed => {
                Err(damaged(&format!("it holds {} bytes and its tensors need {needed}", bytes.len())))
            }
            _ => Ok(bytes),
        }
    }
}
