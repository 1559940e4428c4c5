//! The pictures of a folder. Accesses the disk: runs on the loader's thread or before a show starts.

use std::path::{Path, PathBuf};

use crate::image::file::{ENDINGS, FileError};
use crate::patch::locate::{self, LocateError};

/// Why a path cannot be played as pictures.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    #[error(transparent)]
    Folder(#[from] LocateError),
    #[error("{} holds no pictures ({})", folder.display(), ENDINGS.join(", "))]
    Empty { folder: PathBuf },
    #[error(transparent)]
    File(#[from] FileError),
}

/// The pictures of a folder in name order, without hidden ones; for a file, just that file.
///
/// # Errors
/// When the folder cannot be read or holds no pictures.
pub fn pictures_of(place: &Path) -> Result<Vec<PathBuf>, PictureError> {
    if !place.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let found = locate::files(place, ENDINGS)?;
    if found.is_empty() { Err(PictureError::Empty { folder: place.to_owned() }) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_a_folder_are_in_name_order() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-input-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert!(pictures_of(&folder).unwrap_err().to_string().ends_with("holds no pictures (png, jpg, jpeg)"));
        for file in ["b.png", "a.jpg", ".hidden.png", "c.txt"] {
            std::fs::write(folder.join(file), "").unwrap();
        }
        let names: Vec<_> = pictures_of(&folder).unwrap().iter().map(|p| p.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["a.jpg", "b.png"]);
        assert_eq!(pictures_of(&folder.join("b.png")).unwrap(), [folder.join("b.png")]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
