//! The pictures of a folder. Accesses the disk: runs on the loader's thread or before a show starts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::file;
use crate::image::file::{ENDINGS, FileError};
use crate::patch::folders::Kind;
use crate::patch::locate::{self, LocateError};

/// Why a path cannot be played as pictures.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    #[error(transparent)]
    Folder(#[from] LocateError),
    #[error("{} holds no pictures ({}){}", folder.display(), ENDINGS.join(", "), left_out_of(folder))]
    Empty { folder: PathBuf },
    #[error(transparent)]
    File(#[from] FileError),
}

/// The pictures of a folder in natural order, without hidden ones; for a file, just that file.
///
/// # Errors
/// When the folder cannot be read or holds no pictures.
pub fn pictures_of(place: &Path) -> Result<Vec<PathBuf>, PictureError> {
    if !file::is_folder(place) {
        return Ok(vec![place.to_owned()]);
    }
    let found = locate::files(place, Kind::Picture)?;
    if found.is_empty() { Err(PictureError::Empty { folder: place.to_owned() }) } else { Ok(found) }
}

/// One line about the files of a folder that are not read, counted by extension; `None` if there are none.
pub fn left_out(folder: &Path) -> Option<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut all = 0;
    for file in file::list(folder).ok()?.into_iter().filter(|path| file::is_file(path)) {
        all += 1;
        let ending = file.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        if !ENDINGS.contains(&ending.as_str()) {
            *counts.entry(ending).or_default() += 1;
        }
    }
    let counted = |(ending, count): (&String, &usize)| match ending.as_str() {
        "" => format!("{count} without an extension"),
        ending => format!("{count} .{ending}"),
    };
    let kinds: Vec<String> = counts.iter().map(counted).collect();
    let sum: usize = counts.values().sum();
    let line = || format!("{sum} of {all} files skipped: {} (supported: {})", kinds.join(", "), ENDINGS.join(", "));
    (sum > 0).then(line)
}

fn left_out_of(folder: &Path) -> String {
    left_out(folder).map_or_else(String::new, |line| format!("; {line}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_a_folder_are_in_name_order() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-input-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert!(
            pictures_of(&folder).unwrap_err().to_string().ends_with("holds no pictures (png, jpg, jpeg, jfif, webp)")
        );
        for file in ["b.png", "a.jpg", ".hidden.png", "c.txt"] {
            std::fs::write(folder.join(file), "").unwrap();
        }
        let names: Vec<_> = pictures_of(&folder).unwrap().iter().map(|p| p.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["a.jpg", "b.png"]);
        assert_eq!(pictures_of(&folder.join("b.png")).unwrap(), [folder.join("b.png")]);
        assert!(left_out(&folder).unwrap().starts_with("1 of 3 files skipped: 1 .txt ("));
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(left_out(&folder), None);
        for file in ["a.heic", "b.HEIC", "c.tif", "d"] {
            std::fs::write(folder.join(file), "").unwrap();
        }
        let empty = pictures_of(&folder).unwrap_err().to_string();
        assert!(empty.contains("; 4 of 4 files skipped: 1 without an extension, 2 .heic, 1 .tif"), "{empty}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
