//! `favourites.toml`: pictures that were starred.
//!
//! ```toml
//! [[favourite]]
//! network = "flowers128"   # as presets name it
//! seed = 12
//! psi = 1.0
//! class = 0.0
//! ws = [[...], ...]        # as the layers read them; a single row is that of all
//! ```
//!
//! A star is added at the end and nothing else in the file is touched, so comments and an order of one's own stay.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::file::text;

/// The file where nobody names another.
pub const FILE: &str = "favourites.toml";

/// Why favourites cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FavouritesError {
    #[error("cannot read {}: {source}", file.display())]
    Read { file: PathBuf, source: text::TextError },
    #[error("{}: {reason}", file.display())]
    Wrong { file: PathBuf, reason: String },
    #[error("cannot write {}: {source}", file.display())]
    Write { file: PathBuf, source: io::Error },
}

/// A picture that was starred.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Favourite {
    pub network: String,
    pub seed: u32,
    pub psi: f32,
    #[serde(default)]
    pub class: f64,
    /// `[num_ws, w_dim]`, or `[1, w_dim]` if all are the same.
    pub ws: Vec<Vec<f32>>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    favourite: Vec<Favourite>,
}

impl Favourite {
    /// `ws` `[num_ws, w_dim]` in a row.
    pub fn new(network: &str, seed: u32, [psi, class]: [f64; 2], ws: &[f32], w_dim: usize) -> Favourite {
        let mut rows: Vec<Vec<f32>> = ws.chunks_exact(w_dim.max(1)).map(<[f32]>::to_vec).collect();
        if rows.windows(2).all(|pair| pair[0] == pair[1]) {
            rows.truncate(1);
        }
        Favourite { network: network.to_owned(), seed, psi: psi as f32, class, ws: rows }
    }

    /// The rows for a network's layers; `None` if they do not fit them.
    pub fn rows(&self, num_ws: usize, w_dim: usize) -> Option<Vec<Vec<f32>>> {
        let fits = self.ws.iter().all(|row| row.len() == w_dim);
        match self.ws.as_slice() {
            [row] if fits => Some(vec![row.clone(); num_ws]),
            rows if fits && rows.len() == num_ws => Some(rows.to_vec()),
            _ => None,
        }
    }

    /// Whether it is the same picture.
    pub fn is_same(&self, other: &Favourite) -> bool {
        // Rounding in the file, or another engine's, is no other picture.
        let is_near =
            |a: &Vec<f32>, b: &Vec<f32>| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-3);
        (&self.network, self.seed, self.psi, self.class) == (&other.network, other.seed, other.psi, other.class)
            && self.ws.len() == other.ws.len()
            && self.ws.iter().zip(&other.ws).all(|(a, b)| is_near(a, b))
    }
}

/// Reads favourites; a file that does not exist has none.
///
/// # Errors
/// When it is there and cannot be read, or something in it is wrong.
pub fn read(file: &Path) -> Result<Vec<Favourite>, FavouritesError> {
    if !file.exists() {
        return Ok(Vec::new());
    }
    let text = text::read(file).map_err(|source| FavouritesError::Read { file: file.to_owned(), source })?;
    let read: File = toml::from_str(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
        let reason = format!("line {line}: {}", error.message().replace('\n', ", "));
        FavouritesError::Wrong { file: file.to_owned(), reason }
    })?;
    Ok(read.favourite)
}

/// Adds those that are not in the file yet, and says how many these are.
///
/// # Errors
/// As [`read`], and when it cannot be written.
pub fn add(file: &Path, stars: &[Favourite]) -> Result<usize, FavouritesError> {
    let known = read(file)?;
    let mut added = File::default();
    for star in stars {
        if !known.iter().chain(&added.favourite).any(|other| other.is_same(star)) {
            added.favourite.push(star.clone());
        }
    }
    if added.favourite.is_empty() {
        return Ok(0);
    }
    let text = toml::to_string(&added)
        .map_err(|error| FavouritesError::Wrong { file: file.to_owned(), reason: error.to_string() })?;
    let wrong = |reason: &str| FavouritesError::Wrong { file: file.to_owned(), reason: reason.to_owned() };
    let old = if file.exists() { std::fs::read(file) } else { Ok(Vec::new()) };
    let old = old.map_err(|error| wrong(&error.to_string()))?;
    let Ok(old) = std::str::from_utf8(&old) else {
        return Err(wrong("it is not UTF-8: save it as that to add stars"));
    };
    if toml::from_str::<File>(&format!("{}\n{text}", old.trim_start_matches('\u{feff}'))).is_err() {
        return Err(wrong("its favourites are not under [[favourite]]: write them so to add stars"));
    }
    let write = || {
        let mut open = OpenOptions::new().create(true).append(true).open(file)?;
        // The last line may have no end.
        let gap = if open.metadata()?.len() > 0 { "\n" } else { "" };
        open.write_all(format!("{gap}{text}").as_bytes())
    };
    write().map_err(|source| FavouritesError::Write { file: file.to_owned(), source })?;
    Ok(added.favourite.len())
}

/// Takes stars back, and says how many; the rest of the file stays as it is.
///
/// # Errors
/// As [`add`].
pub fn remove(file: &Path, stars: &[Favourite]) -> Result<usize, FavouritesError> {
    let known = read(file)?;
    let wrong = |reason: String| FavouritesError::Wrong { file: file.to_owned(), reason };
    let gone = |own: &Favourite| stars.iter().any(|star| star.is_same(own));
    if !known.iter().any(gone) {
        return Ok(0);
    }
    let text = text::read(file).map_err(|source| FavouritesError::Read { file: file.to_owned(), source })?;
    let mut document: toml_edit::DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| wrong(error.to_string()))?;
    let list = document.get_mut("favourite").and_then(|list| list.as_array_of_tables_mut());
    let list = list.ok_or_else(|| wrong("expected [[favourite]]".to_owned()))?;
    let mut removed = 0;
    for (index, _) in known.iter().enumerate().rev().filter(|(_, own)| gone(own)) {
        list.remove(index);
        removed += 1;
    }
    let aside = PathBuf::from(format!("{}.{}.part", file.display(), std::process::id()));
    let written = std::fs::write(&aside, document.to_string()).and_then(|()| std::fs::rename(&aside, file));
    written.map_err(|source| FavouritesError::Write { file: file.to_owned(), source })?;
    Ok(removed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_are_added_once_and_the_rest_of_the_file_stays() {
        let file = std::env::temp_dir().join(format!("latent-jockey-favourites-{}.toml", std::process::id()));
        let _ = std::fs::remove_file(&file);
        let star = |seed, ws: &[f32]| Favourite::new("flowers128", seed, [0.7, 0.0], ws, 2);
        let (one, two) = (star(1, &[0.5, -0.25, 0.5, -0.25]), star(2, &[0.1, 1e-9, 3.0, 4.0]));
        assert_eq!(add(&file, std::slice::from_ref(&one)).unwrap(), 1);
        let text = format!("# Mine\n{}", std::fs::read_to_string(&file).unwrap().trim_end());
        std::fs::write(&file, &text).unwrap();
        assert_eq!(add(&file, &[one.clone(), two.clone(), two.clone()]).unwrap(), 1);
        assert!(std::fs::read_to_string(&file).unwrap().starts_with(&text));
        assert_eq!(read(&file).unwrap(), [one.clone(), two.clone()]);
        assert_eq!(add(&file, &[one.clone(), two.clone()]).unwrap(), 0);
        assert_eq!(one.rows(2, 2), Some(vec![vec![0.5, -0.25]; 2]));
        assert_eq!(two.rows(2, 2), Some(vec![vec![0.1, 1e-9], vec![3.0, 4.0]]));
        assert_eq!((two.rows(3, 2), one.rows(2, 3)), (None, None));
        // The same seed along a direction is another picture.
        let moved = star(1, &[0.75, -0.25, 0.75, -0.25]);
        assert_eq!(remove(&file, std::slice::from_ref(&moved)).unwrap(), 0);
        assert_eq!(remove(&file, std::slice::from_ref(&two)).unwrap(), 1);
        assert_eq!(read(&file).unwrap(), std::slice::from_ref(&one));
        assert!(std::fs::read_to_string(&file).unwrap().starts_with("# Mine\n"));
        assert_eq!(add(&file, &[moved]).unwrap(), 1);
        std::fs::write(&file, "[[favourite]]\nnetwork = \"a\"\nseed = -1\n").unwrap();
        let line = add(&file, &[two]).unwrap_err().to_string();
        assert!(line.contains("line 3") && line.contains("favourites"), "{line}");
        std::fs::remove_file(&file).unwrap();
    }
}
