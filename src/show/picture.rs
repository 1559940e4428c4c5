//! The pictures and videos of a folder. Accesses the disk: runs on the loader's thread or before a show starts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::caption::table as captions;
use crate::file;
use crate::footage::FootageError;
use crate::image::file::{ENDINGS, FileError};
use crate::patch::folders::Kind;
use crate::patch::locate::{self, LocateError};

/// Why a path cannot be played as pictures.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    #[error(transparent)]
    Folder(#[from] LocateError),
    #[error("{} holds no pictures ({}) or videos{}", folder.display(), ENDINGS.join(", "), left_out_of(folder))]
    Empty { folder: PathBuf },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Footage(#[from] FootageError),
    #[error("{name} is live: a render cannot wait for it; record it first, and play the file")]
    Live { name: String },
    #[error("cameras, screens and addresses can only be named from this machine (keys, presets or OSC); got {name}")]
    Remote { name: String },
}

/// The pictures and videos of a folder in natural order, without hidden ones; for a file, just that file.
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

/// The files of a folder that are not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// How many files there are in all, without a table of captions.
    all: usize,
    /// How many are left out, by extension in lower case.
    counts: BTreeMap<String, usize>,
}

impl LeftOut {
    /// Looks through a folder; `None` if nothing is left out.
    pub fn of(folder: &Path) -> Option<LeftOut> {
        let (mut all, mut counts) = (0, BTreeMap::new());
        let is_table = |path: &Path| path.file_name().is_some_and(|name| name == captions::NAME);
        for file in file::list(folder).ok()?.into_iter().filter(|path| file::is_file(path) && !is_table(path)) {
            all += 1;
            let ending = file.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
            if !Kind::Picture.ends(&file) {
                *counts.entry(ending).or_default() += 1;
            }
        }
        (!counts.is_empty()).then_some(LeftOut { all, counts })
    }

    /// For the HUD: `3 of 12 files left out (2 .heic, 1 .txt)`.
    pub fn headline(&self) -> String {
        let counted = |(ending, count): (&String, &usize)| match ending.as_str() {
            "" => format!("{count} without an extension"),
            ending => format!("{count} .{ending}"),
        };
        let kinds: Vec<String> = self.counts.iter().map(counted).collect();
        let sum: usize = self.counts.values().sum();
        format!("{sum} of {} files left out ({})", self.all, kinds.join(", "))
    }
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; supported: {} and videos", self.headline(), ENDINGS.join(", "))
    }
}

fn left_out_of(folder: &Path) -> String {
    LeftOut::of(folder).map_or_else(String::new, |left| format!("; {left}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_a_folder_are_in_natural_order() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-input-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert!(
            pictures_of(&folder)
                .unwrap_err()
                .to_string()
                .ends_with("holds no pictures (png, jpg, jpeg, jfif, webp) or videos")
        );
        for file in ["10.png", "2.jpg", "3.MP4", ".hidden.png", "c.txt"] {
            std::fs::write(folder.join(file), "").unwrap();
        }
        let names: Vec<_> = pictures_of(&folder).unwrap().iter().map(|p| p.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["2.jpg", "3.MP4", "10.png"]);
        assert_eq!(pictures_of(&folder.join("10.png")).unwrap(), [folder.join("10.png")]);
        assert!(LeftOut::of(&folder).unwrap().headline() == "1 of 4 files left out (1 .txt)");
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::create_dir_all(&folder).unwrap();
        assert_eq!(LeftOut::of(&folder), None);
        for file in ["a.heic", "b.HEIC", "c.tif", "d", captions::NAME] {
            std::fs::write(folder.join(file), "").unwrap();
        }
        let empty = pictures_of(&folder).unwrap_err().to_string();
        assert!(empty.contains("; 4 of 4 files left out (1 without an extension, 2 .heic, 1 .tif)"), "{empty}");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
