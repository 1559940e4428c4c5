//! Where presets and networks are on disk.
//!
//! Presets, and what the player types, may name a network by path. A bare name only ever refers to a file in a `networks`
//! folder. Nothing here opens a network.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::params::nearest_of;

/// The environment variable that names the folder of presets.
pub const PRESETS_VARIABLE: &str = "LATENT_JOCKEY_PRESETS";

/// Extensions of network files.
pub const NETWORK_ENDINGS: &[&str] = &["safetensors", "pkl", "pt", "pth", "ckpt", "model", "bin"];

/// Extensions of picture files.
pub const PICTURE_ENDINGS: &[&str] = crate::image::file::ENDINGS;

/// Why no file was found for a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocateError {
    #[error("no {what} \"{name}\" in {}{}", folder.display(), hint(known, name))]
    Unknown { what: &'static str, name: String, folder: PathBuf, known: Vec<String> },
    #[error("no {what} file {}", path.display())]
    NoFile { what: &'static str, path: PathBuf },
    #[error(
        "no presets folder: looked for {}; set {PRESETS_VARIABLE} to one",
        looked.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    NoFolder { looked: Vec<PathBuf> },
    #[error("cannot read the folder {}: {reason}", folder.display())]
    Folder { folder: PathBuf, reason: String },
}

fn hint(known: &[String], name: &str) -> String {
    if known.is_empty() {
        return ", which has none".to_owned();
    }
    match nearest_of(name, known.iter().map(String::as_str)) {
        Some(near) => format!("; did you mean \"{near}\"?"),
        None => format!("; available: {}", known.join(", ")),
    }
}

/// The presets folder: the one named by [`PRESETS_VARIABLE`], otherwise `presets` in the working directory, next to the
/// executable, in a directory above it, or in the source tree. Its subfolder `networks` holds the networks.
///
/// # Errors
/// [`LocateError::NoFolder`] when there is none; a folder named by the variable must exist.
pub fn presets() -> Result<PathBuf, LocateError> {
    first_folder(candidates(std::env::var_os(PRESETS_VARIABLE).map(PathBuf::from)))
}

fn first_folder(looked: Vec<PathBuf>) -> Result<PathBuf, LocateError> {
    looked.iter().find(|p| p.is_dir()).cloned().ok_or(LocateError::NoFolder { looked })
}

fn candidates(named: Option<PathBuf>) -> Vec<PathBuf> {
    if let Some(named) = named {
        return vec![named];
    }
    let executable = std::env::current_exe().and_then(fs::canonicalize).ok();
    let above = executable.iter().flat_map(|e| e.ancestors().skip(1)).map(|folder| folder.join("presets"));
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets");
    std::iter::once(PathBuf::from("presets")).chain(above).chain([sources]).collect()
}

/// The network file that the player names: a path, or a name in the library.
///
/// # Errors
/// When there is no such file, with the nearest known name.
pub fn network(named: &Path) -> Result<PathBuf, LocateError> {
    if named.is_file() {
        return Ok(named.to_owned());
    }
    match named.to_str().filter(|name| !is_path(name)) {
        Some(name) => network_in(&presets()?, name),
        None => Err(LocateError::NoFile { what: "network", path: named.to_owned() }),
    }
}

/// The network that a preset in the folder `base` names: a path relative to it, a name in its own `networks`, or a name
/// in the library.
///
/// # Errors
/// As [`network`].
pub fn network_from(base: &Path, named: &str) -> Result<PathBuf, LocateError> {
    if is_path(named) {
        let path = base.join(named);
        return if path.is_file() { Ok(path) } else { Err(LocateError::NoFile { what: "network", path }) };
    }
    network_in(base, named).or_else(|own| {
        // If the preset has networks of its own, the error lists those.
        let has_own = matches!(&own, LocateError::Unknown { known, .. } if !known.is_empty());
        match presets() {
            Ok(presets) if presets != base => {
                network_in(&presets, named).map_err(|other| if has_own { own } else { other })
            }
            _ => Err(own),
        }
    })
}

/// The network `name` in the `networks` of a presets folder. Never a path: for names from other programs.
///
/// # Errors
/// [`LocateError::Unknown`] with the nearest known name.
pub fn network_in(presets: &Path, name: &str) -> Result<PathBuf, LocateError> {
    let folder = presets.join("networks");
    let files = files(&folder, NETWORK_ENDINGS).unwrap_or_default();
    let exact = files.iter().find(|p| name_of(p) == name);
    let found = exact.or_else(|| files.iter().find(|p| name_of(p).eq_ignore_ascii_case(name.trim())));
    found.cloned().ok_or_else(|| LocateError::Unknown {
        what: "network",
        name: name.to_owned(),
        folder,
        known: files.iter().map(|p| name_of(p)).collect(),
    })
}

/// The picture, or folder of pictures, `name` in the `pictures` of a presets folder. Never a path: for names from other
/// programs.
///
/// # Errors
/// [`LocateError::Unknown`] with the nearest known name.
pub fn picture_in(presets: &Path, name: &str) -> Result<PathBuf, LocateError> {
    let folder = presets.join("pictures");
    let listing = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let folders = listing.filter(|path| path.is_dir() && !is_hidden(path));
    let mut places: Vec<PathBuf> = files(&folder, PICTURE_ENDINGS).unwrap_or_default();
    places.extend(folders);
    places.sort();
    let exact = places.iter().find(|p| name_of(p) == name);
    let found = exact.or_else(|| places.iter().find(|p| name_of(p).eq_ignore_ascii_case(name.trim())));
    found.cloned().ok_or_else(|| LocateError::Unknown {
        what: "picture",
        name: name.to_owned(),
        folder,
        known: places.iter().map(|p| name_of(p)).collect(),
    })
}

/// Whether a network's name is a path: it contains a separator or ends like a network file.
pub(super) fn is_path(name: &str) -> bool {
    name.contains(['/', '\\']) || has_ending(Path::new(name), NETWORK_ENDINGS)
}

/// The file's name without folder and extension.
pub(super) fn name_of(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn has_ending(path: &Path, endings: &[&str]) -> bool {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or("");
    endings.iter().any(|e| e.eq_ignore_ascii_case(ending))
}

/// The files of a folder with one of these extensions, in name order, without hidden ones.
pub(crate) fn files(folder: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, LocateError> {
    let listing = fs::read_dir(folder)
        .map_err(|error| LocateError::Folder { folder: folder.to_owned(), reason: error.to_string() })?;
    let mut files: Vec<PathBuf> = listing
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| has_ending(path, endings) && !is_hidden(path) && path.is_file())
        .collect();
    files.sort();
    Ok(files)
}

fn is_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// A temporary folder for one test, with these empty files in it.
#[cfg(test)]
pub(super) fn test_folder(name: &str, files: &[&str]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("latent-jockey-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(folder.join("networks")).unwrap();
    for file in files {
        fs::write(folder.join(file), "").unwrap();
    }
    folder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_a_name_or_a_path() {
        let more = ["networks/d.ckpt", "networks/e.model", "networks/f.BIN"];
        let files = ["networks/a.safetensors", "networks/B.pkl", "networks/x.txt", "c.pt"];
        let folder = test_folder("locate", &[&files[..], &more].concat());
        for (named, file) in [
            ("a", "networks/a.safetensors"),
            ("b", "networks/B.pkl"),
            ("d", more[0]),
            ("e", more[1]),
            ("f", more[2]),
            ("c.pt", "c.pt"),
            ("./c.pt", "./c.pt"),
            ("networks/x.txt", "networks/x.txt"),
        ] {
            assert_eq!(network_from(&folder, named), Ok(folder.join(file)), "{named}");
        }
        assert!(matches!(network_from(&folder, "d.pt"), Err(LocateError::NoFile { .. })));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_name_never_leaves_the_folder() {
        let folder = test_folder("outside", &["c.pt", "networks/n.safetensors"]);
        assert!(network_in(&folder, "../c").is_err());
        assert!(network_in(&folder, folder.join("c.pt").to_str().unwrap()).is_err());
        assert_eq!(network_in(&folder, "n"), Ok(folder.join("networks/n.safetensors")));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_picture_is_a_file_or_a_folder_of_the_pictures() {
        let folder = test_folder("pictures", &["outside.png"]);
        fs::create_dir_all(folder.join("pictures/Trees")).unwrap();
        fs::write(folder.join("pictures/wave.jpg"), "").unwrap();
        fs::write(folder.join("pictures/notes.txt"), "").unwrap();
        assert_eq!(picture_in(&folder, "wave"), Ok(folder.join("pictures/wave.jpg")));
        assert_eq!(picture_in(&folder, "trees"), Ok(folder.join("pictures/Trees")));
        for name in ["notes", "../outside", "pictures/wave.jpg", "", ".", ".."] {
            assert!(picture_in(&folder, name).is_err(), "{name}");
        }
        let told = picture_in(&folder, "wafe").unwrap_err().to_string();
        assert!(told.starts_with("no picture \"wafe\"") && told.ends_with("did you mean \"wave\"?"), "{told}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_unknown_name_is_reported_with_the_nearest_one() {
        let folder = test_folder("near", &["networks/flowers64.safetensors"]);
        let told = |name: &str| network_in(&folder, name).unwrap_err().to_string();
        let shown = folder.join("networks").display().to_string();
        assert_eq!(told("flowres64"), format!("no network \"flowres64\" in {shown}; did you mean \"flowers64\"?"));
        assert_eq!(told("cats"), format!("no network \"cats\" in {shown}; available: flowers64"));
        let none = network_in(&folder.join("networks"), "x").unwrap_err().to_string();
        assert!(none.ends_with("networks, which has none"), "{none}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn only_the_named_folder_is_looked_for() {
        assert_eq!(candidates(Some("/here".into())), [PathBuf::from("/here")]);
        assert_eq!(candidates(None)[0], Path::new("presets"));
        let error = first_folder(vec!["/no/such/folder".into()]).unwrap_err();
        assert!(error.to_string().starts_with("no presets folder: looked for /no/such/folder;"), "{error}");
    }
}
