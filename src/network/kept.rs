//! What was found out about a network, kept in a folder of `latent-jockey` in the cache folder: a file for each network, named by
//! the hash of its own.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Network;
use crate::file;

/// Largest network file that is hashed.
const MOST_BYTES: u64 = 16 << 30;

/// Where something about a network is kept.
pub struct Kept {
    path: PathBuf,
    what: &'static str,
}

impl Kept {
    /// `what` is the name of the folder, and `rules` changes with every rule by which it is found. `None` for a network without a
    /// file, or where there is no cache folder.
    pub fn of(network: &Network, what: &'static str, rules: &str) -> Option<Kept> {
        Kept::in_folder(&dirs::cache_dir()?.join("latent-jockey").join(what), network, what, rules)
    }

    /// As [`Kept::of`], in another folder.
    pub fn in_folder(folder: &Path, network: &Network, what: &'static str, rules: &str) -> Option<Kept> {
        let bytes = file::read(&network.path, MOST_BYTES).ok()?;
        let hash: String = Sha256::digest(&bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Some(Kept::named(folder, &hash, what, rules))
    }

    /// As [`Kept::in_folder`], where the beginning of the file's hash is known.
    pub fn named(folder: &Path, hash: &str, what: &'static str, rules: &str) -> Kept {
        Kept { path: folder.join(format!("{hash}-{rules}.safetensors")), what }
    }

    #[cfg(test)]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file, if it is there and has at most `most` bytes.
    pub fn read(&self, most: u64) -> Option<Vec<u8>> {
        file::read(&self.path, most).ok()
    }

    /// Writes a temporary file, then renames it. A failure costs one line; it is found again next time.
    pub fn write(&self, bytes: impl FnOnce() -> std::io::Result<Vec<u8>>) {
        if let Err(error) = bytes().and_then(|bytes| self.try_write(&bytes)) {
            tracing::warn!("{}: {error}; the {} are found again at the next start", self.path.display(), self.what);
        }
    }

    fn try_write(&self, bytes: &[u8]) -> std::io::Result<()> {
        let aside = self.path.with_extension(format!("{}.part", std::process::id()));
        std::fs::create_dir_all(self.path.parent().unwrap_or(Path::new("")))?;
        std::fs::write(&aside, bytes)?;
        std::fs::rename(&aside, &self.path)
    }
}
