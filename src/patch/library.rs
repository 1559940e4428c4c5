//! The presets of one folder: a list in the order of file names, and a way through it.
//!
//! The folder is read each time, so that presets added while playing are found. Loading reads a
//! small file; it runs on the thread that asks.

use std::fs;
use std::path::{Path, PathBuf};

use super::locate::{self, LocateError, name_of};
use super::preset::{Preset, PresetError};
use crate::params::SharedTable;

/// The presets of one folder.
#[derive(Clone, Debug)]
pub struct Library {
    folder: PathBuf,
    /// The current table of parameters.
    tables: SharedTable,
}

impl Library {
    /// The presets of `folder`.
    ///
    /// # Errors
    /// [`LocateError::Folder`] when it cannot be read.
    pub fn scan(folder: &Path) -> Result<Self, LocateError> {
        locate::files(folder, &["toml"])?;
        Ok(Library { folder: folder.to_owned(), tables: SharedTable::default() })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The table that presets are read with. A show publishes its own here, so that presets may name parameters that
    /// were added at run time.
    pub fn tables(&self) -> &SharedTable {
        &self.tables
    }

    /// Reads and checks a file, with the current table of parameters.
    ///
    /// # Errors
    /// As [`Preset::load`].
    pub fn read(&self, file: &Path) -> Result<Preset, PresetError> {
        Preset::load_with(file, &self.tables.get())
    }

    /// The current files, in name order.
    pub fn files(&self) -> Vec<PathBuf> {
        locate::files(&self.folder, &["toml"]).unwrap_or_default()
    }

    /// The current presets' names.
    pub fn names(&self) -> Vec<String> {
        self.files().iter().map(|p| name_of(p)).collect()
    }

    /// The file for a name, ignoring case, with or without its leading number (`7-gallery`, `gallery`), or for a number
    /// counted from 1. Never a path: for names from other programs.
    ///
    /// # Errors
    /// [`LocateError::Unknown`] with the nearest known name.
    pub fn named(&self, name: &str) -> Result<PathBuf, LocateError> {
        let files = self.files();
        let exact = files.iter().find(|p| name_of(p) == name);
        let any_case = || files.iter().find(|p| name_of(p).eq_ignore_ascii_case(name.trim()));
        let unnumbered = || files.iter().find(|p| without_number(&name_of(p)).eq_ignore_ascii_case(name.trim()));
        let number = || files.get(name.trim().parse::<usize>().ok()?.checked_sub(1)?);
        exact.or_else(any_case).or_else(unnumbered).or_else(number).cloned().ok_or_else(|| LocateError::Unknown {
            what: "preset",
            name: name.to_owned(),
            folder: self.folder.clone(),
            known: files.iter().map(|p| name_of(p)).collect(),
        })
    }

    /// The file for a name or a number as in [`Library::named`], or for a path: for what the player types.
    ///
    /// # Errors
    /// [`LocateError::NoFile`] for a path that does not exist, otherwise [`LocateError::Unknown`].
    pub fn find(&self, query: &str) -> Result<PathBuf, LocateError> {
        let path = Path::new(query);
        match self.named(query) {
            Ok(file) => Ok(file),
            Err(_) if path.is_file() => Ok(path.to_owned()),
            Err(_) if query.contains(['/', '\\']) || path.extension().is_some() => {
                Err(LocateError::NoFile { what: "preset", path: path.to_owned() })
            }
            Err(unknown) => Err(unknown),
        }
    }

    /// Reads and checks the preset that [`Library::find`] finds.
    ///
    /// # Errors
    /// When there is none, or it is invalid.
    pub fn load(&self, query: &str) -> Result<Preset, PresetError> {
        self.read(&self.find(query)?)
    }

    /// The first preset of the list.
    ///
    /// # Errors
    /// When there is none, or it is invalid.
    pub fn first(&self) -> Result<Preset, PresetError> {
        self.load("1")
    }

    /// The file `by` places after (or before) this one, wrapping around; from a file outside the folder, the first or the
    /// last. `None` if the folder has no presets.
    pub fn neighbour(&self, from: &Path, by: isize) -> Option<PathBuf> {
        let files = self.files();
        let count = isize::try_from(files.len()).ok().filter(|&n| n > 0)?;
        let next = match files.iter().position(|file| same_file(file, from)) {
            Some(here) => (here as isize + by).rem_euclid(count),
            None if by < 0 => count - 1,
            None => 0,
        };
        Some(files[next as usize].clone())
    }

    /// The network file that the player names: a name in this folder's `networks`, or a path.
    ///
    /// # Errors
    /// When there is no such file, with the nearest known name.
    pub fn network(&self, name: &str) -> Result<PathBuf, LocateError> {
        match locate::network_in(&self.folder, name) {
            Err(_) if locate::is_path(name) => locate::network(Path::new(name)),
            found => found,
        }
    }

    /// The picture or folder of pictures that the player names: a name in this folder's `pictures`, or a path relative to
    /// the working directory or to `base`.
    ///
    /// # Errors
    /// When there is nothing with that name.
    pub fn picture(&self, name: &str, base: &Path) -> Result<PathBuf, LocateError> {
        let path = Path::new(name);
        match locate::picture_in(&self.folder, name) {
            Ok(found) => Ok(found),
            Err(_) if !name.is_empty() && path.exists() => Ok(path.to_owned()),
            Err(_) if !name.is_empty() && base.join(path).exists() => Ok(base.join(path)),
            Err(_) if name.contains(['/', '\\']) || path.extension().is_some() => {
                Err(LocateError::NoFile { what: "picture", path: path.to_owned() })
            }
            Err(unknown) => Err(unknown),
        }
    }

    /// Checks every preset and counts them.
    ///
    /// # Errors
    /// For the first invalid preset, or if there are no presets.
    pub fn check(&self) -> Result<usize, PresetError> {
        self.first()?;
        self.files().iter().map(|file| self.read(file).map(drop)).collect::<Result<Vec<()>, _>>().map(|all| all.len())
    }
}

/// `gallery` for `7-gallery`; a name without a leading number is returned as it is.
fn without_number(name: &str) -> &str {
    let rest = name.trim_start_matches(|c: char| c.is_ascii_digit());
    if rest.len() < name.len() { rest.strip_prefix('-').filter(|rest| !rest.is_empty()).unwrap_or(name) } else { name }
}

fn same_file(a: &Path, b: &Path) -> bool {
    a == b || fs::canonicalize(a).ok().is_some_and(|a| fs::canonicalize(b).ok() == Some(a))
}

#[cfg(test)]
mod tests {
    use super::super::locate::test_folder;
    use super::*;

    #[test]
    fn presets_are_found_by_name_number_and_path() {
        let folder = test_folder("find", &["b.toml", "a.toml", "7.toml", "9-dusk.toml", "x.txt", ".hidden.toml"]);
        let library = Library::scan(&folder).unwrap();
        assert_eq!(library.names(), ["7", "9-dusk", "a", "b"]);
        let found = [("a", "a.toml"), ("B", "b.toml"), ("3", "a.toml"), ("7", "7.toml"), ("Dusk", "9-dusk.toml")];
        for (query, file) in found {
            assert_eq!(library.named(query), Ok(folder.join(file)), "{query}");
            assert_eq!(library.find(query), Ok(folder.join(file)), "{query}");
        }
        for (name, rest) in
            [("7-gallery", "gallery"), ("10-a-b", "a-b"), ("gallery", "gallery"), ("7", "7"), ("7-", "7-")]
        {
            assert_eq!(without_number(name), rest);
        }
        let path = folder.join("x.txt");
        assert_eq!(library.find(path.to_str().unwrap()).as_ref(), Ok(&path));
        assert!(library.named(path.to_str().unwrap()).is_err());
        for wrong in ["0", "5", "", "no/such.toml"] {
            assert!(library.find(wrong).is_err(), "{wrong}");
        }
        let told = library.load("bb").unwrap_err().to_string();
        assert_eq!(told, format!("no preset \"bb\" in {}; did you mean \"b\"?", folder.display()));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn neighbours_wrap_around() {
        let folder = test_folder("round", &["a.toml", "b.toml", "c.toml"]);
        let library = Library::scan(&folder).unwrap();
        let from = |name: &str, by| name_of(&library.neighbour(&library.find(name).unwrap(), by).unwrap());
        assert_eq!([from("a", 1), from("c", 1), from("a", -1), from("b", -4)], ["b", "a", "c", "a"]);
        let elsewhere = Path::new("elsewhere.toml");
        assert_eq!(library.neighbour(elsewhere, 1), Some(folder.join("a.toml")));
        assert_eq!(library.neighbour(elsewhere, -1), Some(folder.join("c.toml")));
        assert_eq!(library.check().unwrap(), 3);
        fs::write(folder.join("b.toml"), "wrong").unwrap();
        assert!(library.check().is_err());
        fs::remove_dir_all(&folder).unwrap();
        assert!(library.neighbour(elsewhere, 1).is_none());
        assert!(Library::scan(&folder).is_err());
    }
}
