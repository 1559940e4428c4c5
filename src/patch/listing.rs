//! The names of what can be played, for pages and panels that offer it. Reads folders, and the first bytes of new networks.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::folders::Kind;
use super::library::Library;
use super::locate::name_of;
use crate::control::query::Names;
use crate::file::{self, Opened, State};
use crate::network;

/// The header of a network file is within its first bytes, also with credits for many paintings.
const HEAD: u64 = 256 << 10;

/// What can be played, and which files are known to be style networks.
pub struct Listing {
    library: Library,
    kinds: Mutex<HashMap<PathBuf, (State, bool)>>,
}

impl Listing {
    pub fn new(library: Library) -> Self {
        Listing { library, kinds: Mutex::default() }
    }

    /// The current names: presets in the order of the list, networks in natural order.
    pub fn names(&self) -> Names {
        let networks = self.library.folders().files(Kind::Network);
        let (style, plain): (Vec<_>, Vec<_>) = networks.iter().partition(|file| self.is_style(file));
        let names = |files: Vec<&PathBuf>| files.into_iter().map(|file| name_of(file)).collect();
        let (presets, numbers) = self.library.numbered_names().into_iter().unzip();
        Names { presets, numbers, networks: names(plain), style_networks: names(style) }
    }

    fn is_style(&self, path: &Path) -> bool {
        let state = file::state(path);
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, is_style)) = kinds.get(path)
            && *known == state
        {
            return *is_style;
        }
        let is_style = Opened::new(path, HEAD).is_ok_and(|file| network::is_style_head(first(file.head())));
        kinds.insert(path.to_owned(), (state, is_style));
        is_style
    }
}

/// Built-in files are read whole.
fn first(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.len().min(HEAD as usize)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::locate::test_folder;

    #[test]
    fn networks_that_paint_are_told_from_those_that_make_pictures() {
        let folder = test_folder("listing", &["1-ink.toml", "2-amber.toml"]);
        let listing = Listing::new(Library::scan(&folder).unwrap());
        let names = listing.names();
        assert_eq!(names.presets, ["1-ink", "2-amber"]);
        assert_eq!(names.numbers, [Some(1), Some(2)]);
        assert_eq!(names.style_networks, ["multistyle26", "painters8"]);
        assert!(names.networks.contains(&"flowers128".to_owned()) && !names.networks.contains(&"painters8".to_owned()));
        // A file that changes is looked at again.
        let own = folder.join("networks/own.pth");
        std::fs::create_dir_all(folder.join("networks")).unwrap();
        std::fs::write(&own, "nothing yet").unwrap();
        assert!(listing.names().networks.contains(&"own".to_owned()));
        std::fs::write(&own, "a pickle with module.conv1.conv2d.weight inside").unwrap();
        assert!(listing.names().style_networks.contains(&"own".to_owned()));
    }
}
