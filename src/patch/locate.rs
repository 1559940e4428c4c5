//! What the names and paths that people write mean.
//!
//! Presets, and what the player types, may name a network by path. A bare name only ever refers to a file in one of the
//! [`Folders`]. Nothing here opens a network.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use super::folders::{Folders, Kind, PRESETS_VARIABLE, is_path};
use crate::file;
use crate::params::nearest_of;

/// Why no file was found for a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocateError {
    #[error("no {what} \"{name}\"{}{}", places(folders), hint(known, name))]
    Unknown { what: &'static str, name: String, folders: Vec<PathBuf>, known: Vec<String> },
    #[error("no {what} file {}", path.display())]
    NoFile { what: &'static str, path: PathBuf },
    #[error("no folder {}, which {PRESETS_VARIABLE} names", folder.display())]
    NoFolder { folder: PathBuf },
    #[error("cannot read the folder {}: {reason}", folder.display())]
    Folder { folder: PathBuf, reason: String },
}

/// ` in a, b or built in`.
fn places(folders: &[PathBuf]) -> String {
    let disk: Vec<String> =
        folders.iter().filter(|folder| !file::is_built_in(folder)).map(|folder| folder.display().to_string()).collect();
    match (disk.is_empty(), disk.len() < folders.len()) {
        (true, true) => " among those built in".to_owned(),
        (true, false) => String::new(),
        (false, true) => format!(" in {} or built in", disk.join(", ")),
        (false, false) => format!(" in {}", disk.join(", ")),
    }
}

fn hint(known: &[String], name: &str) -> String {
    if known.is_empty() {
        return "; there are none".to_owned();
    }
    match nearest_of(name, known.iter().map(String::as_str)) {
        Some(near) => format!("; did you mean \"{near}\"?"),
        None => format!("; available: {}", known.join(", ")),
    }
}

/// The network file that the player names: a path, or a name.
///
/// # Errors
/// When there is no such file, with the nearest known name.
pub fn network(named: &Path) -> Result<PathBuf, LocateError> {
    network_of(&Folders::here()?, named)
}

/// As [`network`], in these folders.
///
/// # Errors
/// As [`network`].
pub fn network_of(folders: &Folders, named: &Path) -> Result<PathBuf, LocateError> {
    let path = expand(named);
    if file::is_file(&path) {
        return Ok(path);
    }
    match named.to_str().filter(|name| !is_path(Kind::Network, name)) {
        Some(name) => folders.named(Kind::Network, name),
        None => Err(LocateError::NoFile { what: Kind::Network.word(), path }),
    }
}

/// Whether the player means a network when a preset could be meant too: `my-network.pkl`.
pub fn is_network(named: &str) -> bool {
    let path = expand(Path::new(named));
    Kind::Network.ends(&path) && !Kind::Preset.ends(&path)
}

/// A path as people write or copy it: `~/` is the home folder, and `file://` addresses are paths.
pub fn expand(path: &Path) -> PathBuf {
    let Some(text) = path.to_str() else { return path.to_owned() };
    if let Some(rest) = strip_scheme(text) {
        let rest = rest.strip_prefix("localhost").filter(|rest| rest.starts_with('/')).unwrap_or(rest);
        let path = percent_encoding::percent_decode_str(rest).decode_utf8().unwrap_or(Cow::Borrowed(rest));
        // file:///C:/nets/a.pkl
        let has_drive = path.as_bytes().get(2) == Some(&b':') && path.starts_with('/');
        return PathBuf::from(if has_drive && cfg!(windows) { &path[1..] } else { &path });
    }
    match text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with(['/', '\\'])) {
        Some(rest) => {
            dirs::home_dir().map_or_else(|| path.to_owned(), |home| home.join(rest.trim_start_matches(['/', '\\'])))
        }
        None => path.to_owned(),
    }
}

/// What files call a network: its name, if that leads to its file in these folders, or else the whole path.
pub fn called(folders: &Folders, network: &Path) -> String {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let name = name_of(network);
    match folders.named(Kind::Network, &name) {
        Ok(known) if known == network || whole(&known) == whole(network) => name,
        _ => whole(network).to_string_lossy().into_owned(),
    }
}

/// A path as people are told it, so that they find the file: in full, with `~` for their home folder as [`expand`] reads it.
pub fn shown(path: &Path) -> String {
    if file::is_built_in(path) {
        return path.display().to_string();
    }
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let own = dirs::home_dir().and_then(|home| Some(Path::new("~").join(whole.strip_prefix(home).ok()?)));
    own.unwrap_or(whole).display().to_string()
}

fn strip_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_at_checked("file://".len())?;
    scheme.eq_ignore_ascii_case("file://").then_some(rest)
}

/// The file's name without folder and extension.
pub(crate) fn name_of(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The files of a kind in a folder, in natural order, without hidden ones.
///
/// # Errors
/// When the folder cannot be read.
pub(crate) fn files(folder: &Path, kind: Kind) -> Result<Vec<PathBuf>, LocateError> {
    let found = file::list(folder)
        .map_err(|error| LocateError::Folder { folder: folder.to_owned(), reason: error.to_string() })?;
    Ok(found.into_iter().filter(|path| kind.ends(path) && file::is_file(path)).collect())
}

/// A temporary folder for one test, with these empty files in it.
#[cfg(test)]
pub(super) fn test_folder(name: &str, files: &[&str]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("latent-jockey-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(folder.join("networks")).unwrap();
    for file in files {
        std::fs::write(folder.join(file), "").unwrap();
    }
    folder
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn from(base: &Path, named: &str) -> Result<PathBuf, LocateError> {
        Folders::default().file_from(base, Kind::Network, named)
    }

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
            assert_eq!(from(&folder, named), Ok(folder.join(file)), "{named}");
        }
        assert!(matches!(from(&folder, "d.pt"), Err(LocateError::NoFile { .. })));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_name_never_leaves_the_folder() {
        let folder = test_folder("outside", &["c.pt", "networks/n.safetensors"]);
        let named = |name: &str| Folders::of_show(&folder).named(Kind::Network, name);
        assert!(named("../c").is_err());
        assert!(named(folder.join("c.pt").to_str().unwrap()).is_err());
        assert!(named("built-in:/networks/painters8").is_err() && named("painters8").is_ok());
        assert_eq!(named("n"), Ok(folder.join("networks/n.safetensors")));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_picture_is_a_file_or_a_folder_of_the_pictures() {
        let folder = test_folder("pictures", &["outside.png"]);
        fs::create_dir_all(folder.join("pictures/Trees")).unwrap();
        fs::write(folder.join("pictures/wave.jpg"), "").unwrap();
        fs::write(folder.join("pictures/notes.txt"), "").unwrap();
        let named = |name: &str| Folders::of_show(&folder).named(Kind::Picture, name);
        assert_eq!(named("wave"), Ok(folder.join("pictures/wave.jpg")));
        assert_eq!(named("trees"), Ok(folder.join("pictures/Trees")));
        for name in ["notes", "../outside", "pictures/wave.jpg", "", ".", ".."] {
            assert!(named(name).is_err(), "{name}");
        }
        let told = named("wafe").unwrap_err().to_string();
        assert!(told.starts_with("no picture \"wafe\"") && told.ends_with("did you mean \"wave\"?"), "{told}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn an_unknown_name_is_reported_with_the_nearest_one() {
        let folder = test_folder("near", &["networks/faces64.safetensors"]);
        let told = |name: &str| Folders::of_show(&folder).named(Kind::Network, name).unwrap_err().to_string();
        let shown = folder.join("networks").display().to_string();
        assert_eq!(
            told("faecs64"),
            format!("no network \"faecs64\" in {shown} or built in; did you mean \"faces64\"?")
        );
        assert_eq!(
            told("cats"),
            format!(
                "no network \"cats\" in {shown} or built in; available: faces64, flowers128, mandalas256, masters128, multistyle26, nebulae256, painters8"
            )
        );
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn paths_are_understood_as_they_are_copied() {
        let home = dirs::home_dir().unwrap();
        for (written, path) in [
            ("~/nets/a.pkl", home.join("nets/a.pkl")),
            ("~", home.clone()),
            ("~other/a.pkl", "~other/a.pkl".into()),
            ("nets/~/a.pkl", "nets/~/a.pkl".into()),
            ("file:///home/me/my%20net.pkl", "/home/me/my net.pkl".into()),
            ("FILE://localhost/a%C3%A9.pkl", "/aé.pkl".into()),
            ("/a%20b.pkl", "/a%20b.pkl".into()),
            ("a.pkl", "a.pkl".into()),
        ] {
            assert_eq!(expand(Path::new(written)), path, "{written}");
        }
        let folder = test_folder("copied", &["my net.pt"]);
        let written = format!("file://{}/my%20net.pt", folder.display());
        assert_eq!(from(Path::new("/elsewhere"), &written), Ok(folder.join("my net.pt")));
        assert_eq!(network_of(&Folders::default(), Path::new(&written)), Ok(folder.join("my net.pt")));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_path_is_shown_in_full_and_can_be_typed() {
        let (home, here) = (dirs::home_dir().unwrap(), std::env::current_dir().unwrap());
        assert_eq!(shown(&home.join("a b/c.mp4")), Path::new("~").join("a b/c.mp4").display().to_string());
        assert_eq!(expand(Path::new(&shown(Path::new("snapshot.png")))), here.join("snapshot.png"));
        assert!(
            Path::new(&shown(Path::new("snapshot.png"))).parent().is_some_and(|folder| !folder.as_os_str().is_empty())
        );
        assert_eq!(shown(Path::new("built-in:/1-vortex.toml")), "built-in:/1-vortex.toml");
    }

    #[test]
    fn a_network_is_told_from_a_preset() {
        for (named, is) in [("a.pkl", true), ("~/b.PTH", true), ("c.toml", false), ("7", false), ("flowers", false)] {
            assert_eq!(is_network(named), is, "{named}");
        }
    }
}
