//! What was measured on a device, kept on disk: which variant each shape of layer takes.
//!
//! One file for all devices. What another driver or another version of this program measured does not count. A file that
//! cannot be read or written costs a line in the log and nothing else. No device is touched here; used while loading.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::variant::{Kernel, Variant};

/// What is known of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Known {
    /// Driver and kernels that it was measured with.
    built: String,
    /// Shape of a layer to the name of its variant.
    layers: BTreeMap<String, String>,
    /// A variant that is being tried. One that is still here at the start ended the program.
    trying: Option<String>,
    /// Kernels that ended the program.
    left_out: Vec<String>,
}

/// The measurements of one device, and the file for those of all.
#[derive(Debug)]
pub struct Cache {
    file: Option<PathBuf>,
    device: String,
    known: Known,
    others: BTreeMap<String, Known>,
    is_changed: bool,
}

impl Cache {
    /// Opens the file, where there is one and it can be read. `driver` names the driver with its version.
    pub fn open(file: Option<PathBuf>, device: &str, driver: &str) -> Cache {
        let mut others = file.as_deref().map(read).unwrap_or_default();
        let built = format!("{driver} · {} · {:016x}", env!("CARGO_PKG_VERSION"), hash_of_kernels());
        let found = others.remove(device).filter(|known| known.built == built);
        let known = found.unwrap_or_else(|| Known { built, ..Known::default() });
        let mut cache = Cache { file, device: device.to_owned(), known, others, is_changed: false };
        if let Some(variant) = cache.known.trying.take() {
            let kernel = variant.split(' ').next().unwrap_or_default().to_owned();
            tracing::warn!(
                "{device}: the last start ended while {variant} was tried, so {kernel} is left out from now on"
            );
            cache.known.left_out.push(kernel);
            cache.is_changed = true;
        }
        cache
    }

    /// What a layer of that shape takes.
    pub fn get(&self, shape: &str) -> Option<Variant> {
        self.known.layers.get(shape)?.parse().ok().filter(|variant: &Variant| !self.leaves_out(variant.kernel))
    }

    pub fn set(&mut self, shape: String, variant: Variant) {
        self.is_changed |= self.known.layers.insert(shape, variant.to_string()) != Some(variant.to_string());
    }

    /// Has this kernel ended the program before?
    pub fn leaves_out(&self, kernel: Kernel) -> bool {
        self.known.left_out.iter().any(|name| *name == kernel.name())
    }

    /// Writes down what is being tried, in case the driver ends the program; [`Cache::save`] takes it back.
    pub fn trying(&mut self, variant: Variant) {
        self.known.trying = Some(variant.to_string());
        self.write();
    }

    /// Writes the file when something has changed.
    pub fn save(&mut self) {
        if self.known.trying.take().is_some() || self.is_changed {
            self.is_changed = false;
            self.write();
        }
    }

    /// Aside first, then renamed: another program sees a whole file. After a failure it is not tried again.
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
            tracing::warn!("{}: {error}; the choice of kernels is measured again at the next start", file.display());
            self.file = None;
        }
    }
}

/// The file, in the folder that the platform has for caches.
pub fn default_file() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = if cfg!(windows) {
        set("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        set("HOME").map(|home| home.join("Library/Caches"))
    } else {
        set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")))
    };
    folder.map(|folder| folder.join("latent-jockey/kernels.json"))
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

/// Kernels that were changed are measured again.
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
    fn what_was_measured_is_found_by_the_same_driver_alone() {
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
    fn a_broken_or_unwritable_file_is_as_none() {
        let path = file("broken");
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let whole = r#"{"A": {"built": "", "layers": {"shape": "half 64x64"}}}"#;
        for text in ["", "{", "[]", r#"{"A": 3}"#, r#"{"A": {"layers": {"shape": 5}}}"#, whole] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(Cache::open(Some(path.clone()), "A", "1").get("shape"), None, "{text}");
        }
        // Its folder is a file.
        let mut cache = Cache::open(Some(path.join("below/kernels.json")), "A", "1");
        cache.set("shape".to_owned(), variant("half 64x64"));
        cache.save();
        assert_eq!(cache.get("shape"), Some(variant("half 64x64")));
    }

    #[test]
    fn a_kernel_that_ended_the_program_is_left_out() {
        let path = file("ended");
        let open = || Cache::open(Some(path.clone()), "A", "1");
        let mut cache = open();
        cache.set("shape".to_owned(), variant("matrix 64x64"));
        cache.trying(variant("matrix 64x64"));
        assert!(!cache.leaves_out(Kernel::Matrix));
        // The program ends here.
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
