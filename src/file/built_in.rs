//! What ships, inside the program: presets, networks, pictures, controllers and effects.
//!
//! A built-in file has a path like any other, `built-in:/networks/flowers128.safetensors`, so that whatever takes paths
//! takes these too. [`super`] reads, lists and recognises them. They never change, so nothing watches them.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use rust_embed::Embed;

/// The root of the built-in files.
pub const ROOT: &str = "built-in:";

#[derive(Embed)]
#[folder = "presets"]
#[include = "*.toml"]
#[include = "*.luau"]
#[include = "networks/*.safetensors"]
#[include = "captioner/*.safetensors"]
#[include = "pictures/*"]
#[include = "thumbnails/*.jpg"]
#[exclude = "*.md"]
#[exclude = "examples/*"]
#[exclude = "networks/training/*"]
struct Presets;

/// Effects that users write are in the same language and lie in folders named `fx` too.
#[derive(Embed)]
#[folder = "shaders/fx"]
#[prefix = "fx/"]
#[include = "*.wgsl"]
#[allow_missing = true]
struct Effects;

/// Networks that are larger than the registry takes: its package is built without them, and without the presets that play
/// them.
const LARGE: [&str; 2] = ["mandalas256", "nebulae256"];

/// The captioner that ships; the registry's package is without it, too.
pub const CAPTIONER: &str = "captioner/captioner.safetensors";

/// What ships and what this build is without.
pub fn left_out() -> Vec<&'static str> {
    let is_missing = |file: &str| Presets::get(file).is_none();
    let networks = LARGE.into_iter().filter(|name| is_missing(&format!("networks/{name}.safetensors")));
    networks.chain(Some("the captioner").filter(|_| is_missing(CAPTIONER))).collect()
}

/// Whether this is a built-in file, or a place where one might be.
pub fn is_built_in(path: &Path) -> bool {
    path.starts_with(ROOT)
}

/// The contents of a built-in file.
pub(super) fn get(path: &Path) -> Option<Cow<'static, [u8]>> {
    let name = name(path)?;
    Presets::get(&name).or_else(|| Effects::get(&name)).map(|file| file.data)
}

/// The files and folders in a built-in folder, in no particular order; `None` if there is no such folder.
pub(super) fn list(folder: &Path) -> Option<Vec<PathBuf>> {
    let mut start = name(folder)?;
    if !start.is_empty() {
        start.push('/');
    }
    let names = Presets::iter().chain(Effects::iter());
    let inside = names.filter_map(|name| Some(name.strip_prefix(start.as_str())?.split('/').next()?.to_owned()));
    let inside: BTreeSet<String> = inside.collect();
    (!inside.is_empty()).then(|| inside.into_iter().map(|name| folder.join(name)).collect())
}

/// The name below the root, with forward slashes.
fn name(path: &Path) -> Option<String> {
    let parts = path.strip_prefix(ROOT).ok()?.components().filter(|part| *part != Component::CurDir);
    Some(parts.map(|part| part.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_ships_is_built_in_and_nothing_else() {
        let names = |folder: &str| -> Vec<String> {
            let found = list(&Path::new(ROOT).join(folder)).unwrap_or_default();
            found.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
        };
        let sources = Path::new(env!("CARGO_MANIFEST_DIR"));
        for (folder, ending, at) in [
            ("", "toml", "presets"),
            ("networks", "safetensors", "presets/networks"),
            ("captioner", "safetensors", "presets/captioner"),
            ("controllers", "toml", "presets/controllers"),
            ("pictures/paintings", "jpg", "presets/pictures/paintings"),
            ("fx", "wgsl", "shaders/fx"),
        ] {
            let files = std::fs::read_dir(sources.join(at)).into_iter().flatten().flatten().map(|entry| entry.path());
            let files = files.filter(|file| file.extension().is_some_and(|e| e == ending));
            let files: BTreeSet<PathBuf> = files.collect();
            assert!(!files.is_empty() || at == "shaders/fx", "{at}");
            let found: Vec<String> = names(folder).into_iter().filter(|name| name.ends_with(ending)).collect();
            let shipped: Vec<String> =
                files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect();
            assert_eq!(found, shipped, "{at}");
            for file in files {
                let built_in = Path::new(ROOT).join(folder).join(file.file_name().unwrap());
                assert!(get(&built_in).is_some_and(|bytes| *bytes == std::fs::read(&file).unwrap()), "{file:?}");
            }
        }
        let is_played = |name: &String| name.ends_with(".safetensors") || name.ends_with("-directions.toml");
        assert!(names("networks").iter().all(is_played), "{:?}", names("networks"));
        assert!(list(Path::new("built-in:/examples")).is_none() && list(Path::new("presets")).is_none());
        let folders = ["controllers", "networks", "pictures"];
        assert!(folders.iter().all(|folder| names("").contains(&(*folder).to_owned())), "{:?}", names(""));
    }

    #[test]
    fn a_path_leads_to_its_file_however_it_is_written() {
        for path in ["built-in:/6-flowers.toml", "built-in:/./6-flowers.toml", "built-in:6-flowers.toml"] {
            assert_eq!(get(Path::new(path)).is_some(), path.contains(":/"), "{path}");
        }
        assert!(is_built_in(Path::new("built-in:")) && !is_built_in(Path::new("/built-in:/6-flowers.toml")));
        assert!(get(Path::new("built-in:/../Cargo.toml")).is_none());
    }
}
