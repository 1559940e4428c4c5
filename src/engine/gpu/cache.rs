//! Measurements of a device, kept on disk: which variant each layer shape uses.
//!
//! One file for all devices. Measurements by another driver or another version of this program do not count. A file that
//! cannot be read or written only costs a line in the log. No device is touched here; used while loading.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::variant::{Kernel, Variant};

/// What is known about one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Known {
    /// The driver and kernels of the measurements.
    built: String,
    /// Maps a layer's shape to the name of its variant.
    layers: BTreeMap<String, String>,
    /// The variant being tried. If it is still set at the start, it crashed the program.
    trying: Option<String>,
    /// Kernels that crashed the program.
    left_out: Vec<String>,
}

/// The measurements of one device, and the file for all devices.
#[derive(Debug)]
pub struct Cache {
    file: Option<PathBuf>,
    device: String,
    known: Known,
    others: BTreeMap<String, Known>,
    is_changed: bool,
}

impl Cache {
    /// Opens the file, if it exists and can be read. `driver` names the driver with its version.
    pub fn open(file: Option<PathBuf>, device: &str, driver: &str) -> Cache {
        let mut others = file.as_deref().map(read).unwrap_or_default();
        let built = format!("{driver} · {} · {:016x}", env!("CARGO_PKG_VERSION"), hash_of_kernels());
        let found = others.remove(device).filter(|known| known.built == built);
        let known = found.unwrap_or_else(|| Known { built, ..Known::default() });
        let mut cache = Cache { file, device: device.to_owned(), known, others, is_changed: false };
        if let Some(variant) = cache.known.trying.take() {
            let kernel = variant.split(' ').next().unwrap_or_default().to_owned();
            tracing::warn!("{device}: the program crashed while trying {variant}, so {kernel} will not be used");
            cache.known.left_out.push(kernel);
            cache.is_changed = true;
        }
        cache
    }

    /// The variant for a layer of this shape.
    pub fn get(&self, shape: &str) -> Option<Variant> {
        self.known.layers.get(shape)?.parse().ok().filter(|variant: &Variant| !self.leaves_out(variant.kernel))
    }

    pub fn set(&mut self, shape: String, variant: Variant) {
        self.is_changed |= self.known.layers.insert(shape, variant.to_string()) != Some(variant.to_string());
    }

    /// Whether this kernel has crashed the program before.
    pub fn leaves_out(&self, kernel: Kernel) -> bool {
        self.known.left_out.iter().any(|name| *name == kernel.name())
    }

    /// Records what is being tried, in case the driver crashes the program; [`Cache::save`] clears it.
    pub fn trying(&mut self, variant: Variant) {
        self.known.trying = Some(variant.to_string());
        self.write();
    }

    /// Writes the file if something has changed.
    pub fn save(&mut self) {
        if self.known.trying.take().is_some() || self.is_changed {
            self.is_changed = false;
            self.write();
        }
    }

    /// Writes a temporary file, then renames it, so that other programs never see half a file. After a failure, not tried
    /// again.
    fn write(&mut self) {
        let Some(file) = &self.file else { return };
        let mut all = self.others.clone();
        all.insert(self.device.clone(), self.known.clone());
        let aside = file.with_extension(format!("{}.part", std::process::id()));
        let written = serde_json::to_vec_pretty(&all).map_err(std::io::Error::from).and_then(|text| {
            std::fs::create_dir_all(file.parent().unwrap_or(Path::new("")))?;
            std::fs::write(&aside, text)?;
            std::fs::rename(&aside, file)
        });
        if let Err(error) = written {
            tracing::warn!("{}: {error}; kernels will be measured again at the next start", file.display());
            self.file = None;
        }
    }
}

/// The file in the platform's cache folder.
pub fn default_file() -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("latent-jockey/kernels.json"))
}

fn read(file: &Path) -> BTreeMap<String, Known> {
    let text = match std::fs::read(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return BTreeMap::new(),
        Err(error) => {
            tracing::warn!("{}: {error}; the choice of kernels is measured again", file.display());
            return BTreeMap::new();
        }
    };
    serde_json::from_slice(&text).unwrap_or_else(|error| {
        tracing::warn!("{}: {error}; the choice of kernels is measured again", file.display());
        BTreeMap::new()
    })
}

/// Changed kernels are measured again.
fn hash_of_kernels() -> u64 {
    let mut hasher = DefaultHasher::new();
    super::kernels().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn file(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("latent-jockey-cache-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        folder.join("kernels.json")
    }

    fn variant(name: &str) -> Variant {
        name.parse().unwrap()
    }

    #[test]
    fn measurements_are_found_only_by_the_same_driver() {
        let path = file("same");
        let open = |device, driver| Cache::open(Some(path.clone()), device, driver);
        let mut cache = open("A", "1");
        cache.set("shape".to_owned(), variant("half 64x64"));
        cache.save();
        let mut other = open("B", "1");
        assert_eq!(other.get("shape"), None);
        other.set("shape".to_owned(), variant("plain 32x32"));
        other.save();
        assert_eq!(open("A", "1").get("shape"), Some(variant("half 64x64")));
        assert_eq!(open("B", "1").get("shape"), Some(variant("plain 32x32")));
        assert_eq!(open("A", "2").get("shape"), None);
    }

    #[test]
    fn a_broken_or_unwritable_file_is_ignored() {
        let path = file("broken");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let whole = r#"{"A": {"built": "", "layers": {"shape": "half 64x64"}}}"#;
        for text in ["", "{", "[]", r#"{"A": 3}"#, r#"{"A": {"layers": {"shape": 5}}}"#, whole] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(Cache::open(Some(path.clone()), "A", "1").get("shape"), None, "{text}");
        }
        // Its parent is a file.
        let mut cache = Cache::open(Some(path.join("below/kernels.json")), "A", "1");
        cache.set("shape".to_owned(), variant("half 64x64"));
        cache.save();
        assert_eq!(cache.get("shape"), Some(variant("half 64x64")));
    }

    #[test]
    fn a_kernel_that_crashed_the_program_is_avoided() {
        let path = file("ended");
        let open = || Cache::open(Some(path.clone()), "A", "1");
        let mut cache = open();
        cache.set("shape".to_owned(), variant("matrix 64x64"));
        cache.trying(variant("matrix 64x64"));
        assert!(!cache.leaves_out(Kernel::Matrix));
        // The program crashes here.
        for _ in 0..2 {
            let mut cache = open();
            assert!(cache.leaves_out(Kernel::Matrix) && !cache.leaves_out(Kernel::Half));
            assert_eq!(cache.get("shape"), None);
            cache.save();
        }
        let mut cache = open();
        cache.trying(variant("half 64x64"));
        cache.save();
        assert!(!open().leaves_out(Kernel::Half));
    }
}
