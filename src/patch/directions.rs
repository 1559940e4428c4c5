//! Names for the directions of a network: `NAME-directions.toml` beside the network, or in the working folder.
//!
//! ```toml
//! age = 3                                            # the fourth direction that was found
//! pose = { direction = 5, zone = "form", scale = -1 }  # only some layers, and the other way round
//! smile = "smile.npy"                                # of another tool, beside this file
//! hair = { file = "ganspace.npz", index = 2, from = 4, to = 9 }
//! ```
//!
//! Each name is an address: `/dir/age`. Runs on the loader's threads.

use std::path::{Path, PathBuf};

use toml::{Table as Toml, Value};

use super::locate::name_of;
use crate::file::is_built_in;
use crate::file::text::{self, TextError};
use crate::latent::directions::{Direction, sigma};
use crate::latent::layers::{Layers, Zone};
use crate::network::Network;
use crate::network::directions::{self, foreign};
use crate::params::{Choice, DIR_RANGE, Def, MAX_LAYERS, intern};
use nalgebra::DVector;

/// Most names of a network.
const MOST: usize = 64;
/// Keys of an entry that is a table.
const KEYS: [&str; 7] = ["direction", "file", "index", "from", "to", "zone", "scale"];

/// Where the vector of a name comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum From {
    /// The number of a direction that was found, from 0.
    Found(usize),
    /// One of the vectors in a file of another tool.
    File { path: PathBuf, index: usize },
}

/// A named direction.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    pub name: String,
    pub from: From,
    pub zone: Zone,
    pub layers: Layers,
    pub scale: f64,
}

impl Named {
    /// Its row in the table.
    pub fn row(&self) -> Def {
        let [min, max] = DIR_RANGE;
        Def::float(intern(&format!("/dir/{}", self.name)), min, max, 0.0)
            .smooth(0.08)
            .help(intern(&format!("moves along the direction {} of the network", self.name)))
    }
}

/// The directions of a network, and its names for them.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The strongest first.
    pub found: Vec<Direction>,
    /// With the step `[w_dim]` of each.
    pub named: Vec<(Named, Vec<f32>)>,
    /// One line for each name that cannot be used.
    pub problems: Vec<String>,
}

/// Finds the directions of a network, or gets them from the cache folder, with their names. `draw` as for [`directions::of`].
pub fn load(network: &Network, draw: impl FnMut(&[f32]) -> Option<Vec<f32>>) -> Loaded {
    let found = directions::of(network, draw);
    let (names, mut problems) = match names(&network.path) {
        Ok(names) => (names, Vec::new()),
        Err(problem) => (Vec::new(), vec![problem]),
    };
    let mut covariance = None;
    let mut step = |named: &Named| -> Result<Vec<f32>, String> {
        let (path, index) = match &named.from {
            From::Found(number) => {
                let direction = found.get(*number);
                let direction = direction.ok_or_else(|| {
                    format!("/dir/{}: the network has the directions 0 to {}, found {number}", named.name, last(&found))
                })?;
                return Ok(scaled(&direction.step(), named.scale));
            }
            From::File { path, index } => (path, *index),
        };
        let file =
            foreign::open(path, network.mapping.w_dim).map_err(|error| format!("/dir/{}: {error}", named.name))?;
        let row = file.rows.get(index).ok_or_else(|| {
            let last = file.rows.len().saturating_sub(1);
            format!("/dir/{}: {} has the vectors 0 to {last}, found {index}", named.name, path.display())
        })?;
        let length = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let strength = match &file.stdev {
            Some(stdev) => f64::from(stdev[index]),
            None if length == 0.0 => 0.0,
            None => {
                let covariance = covariance
                    .get_or_insert_with(|| directions::moments(&network.mapping, directions::SEEDS).covariance());
                sigma(covariance, &DVector::from_iterator(row.len(), row.iter().map(|x| f64::from(*x) / length)))
                    / length
            }
        };
        let step = scaled(row, strength * named.scale);
        if step.iter().any(|x| !x.is_finite()) {
            return Err(format!("/dir/{}: {}: expected finite numbers, found others", named.name, path.display()));
        }
        Ok(step)
    };
    let mut named = Vec::new();
    for name in names {
        match step(&name) {
            Ok(step) => named.push((name, step)),
            Err(problem) => problems.push(problem),
        }
    }
    Loaded { found, named, problems }
}

fn last(found: &[Direction]) -> usize {
    found.len().saturating_sub(1)
}

fn scaled(vector: &[f32], scale: f64) -> Vec<f32> {
    vector.iter().map(|x| (f64::from(*x) * scale) as f32).collect()
}

/// The name of the file for a network.
pub fn file_name(network: &Path) -> String {
    format!("{}-directions.toml", name_of(network))
}

/// Whether a file is named like one of names, so that it is no preset.
pub fn is_names(file: &Path) -> bool {
    name_of(file).to_lowercase().ends_with("-directions")
}

/// The names for the directions of a network: from the file beside it, else from the one in the working folder; none without
/// a file. For a network that ships, that in the working folder comes first: it is the player's.
///
/// # Errors
/// When a file is there and cannot be read, in one line.
pub fn names(network: &Path) -> Result<Vec<Named>, String> {
    let name = file_name(network);
    let mut places = [network.with_file_name(&name), PathBuf::from(&name)];
    if is_built_in(network) {
        places.reverse();
    }
    for path in places {
        match text::read(&path) {
            Ok(text) => return parse(&text, &path),
            Err(TextError::Read(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{}: {error}", path.display())),
        }
    }
    Ok(Vec::new())
}

/// Reads the text of a file of names.
///
/// # Errors
/// In one line: the first thing that is wrong.
pub fn parse(text: &str, file: &Path) -> Result<Vec<Named>, String> {
    let base = file.parent().unwrap_or(Path::new(""));
    let wrong = |message: String| format!("{}: {message}", file.display());
    let table: Toml = text.parse().map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
        wrong(format!("line {line}: {}", error.message().replace('\n', ", ")))
    })?;
    if table.len() > MOST {
        return Err(wrong(format!("expected at most {MOST} names, found {}", table.len())));
    }
    let mut names = Vec::new();
    for (name, value) in table {
        let is_letter = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if !name.bytes().all(is_letter) || name.len() > 40 || !name.bytes().any(|b| b.is_ascii_alphabetic()) {
            return Err(wrong(format!("{name:?} cannot be an address: expected letters, digits, - and _")));
        }
        names.push(entry(&name, value, base).map_err(|message| wrong(format!("{name}: {message}")))?);
    }
    Ok(names)
}

fn entry(name: &str, value: Value, base: &Path) -> Result<Named, String> {
    let all = Layers { from: 0, to: MAX_LAYERS - 1 };
    let mut named = Named { name: name.to_owned(), from: From::Found(0), zone: Zone::Range, layers: all, scale: 1.0 };
    let table = match value {
        Value::Integer(_) => Toml::from_iter([("direction".to_owned(), value)]),
        Value::String(_) => Toml::from_iter([("file".to_owned(), value)]),
        Value::Table(table) => table,
        other => {
            return Err(format!("expected the number of a direction, a file or a table, found {}", other.type_str()));
        }
    };
    if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("unknown key {key:?}; expected {}", KEYS.join(", ")));
    }
    let number = |key: &str| match table.get(key) {
        None => Ok(None),
        Some(Value::Integer(number)) if *number >= 0 => Ok(Some(*number as usize)),
        Some(other) => Err(format!("{key}: expected a whole number from 0, found {other}")),
    };
    named.from = match (number("direction")?, table.get("file"), number("index")?) {
        (Some(number), None, None) => From::Found(number),
        (None, Some(Value::String(path)), index) => From::File { path: base.join(path), index: index.unwrap_or(0) },
        (None, Some(other), _) => return Err(format!("file: expected a path, found {other}")),
        _ => return Err("expected either direction, or file with or without index".to_owned()),
    };
    named.layers = Layers { from: number("from")?.unwrap_or(all.from), to: number("to")?.unwrap_or(all.to) };
    if let Some(zone) = table.get("zone") {
        let found = zone.as_str().and_then(Zone::from_word);
        named.zone = found.ok_or_else(|| format!("zone: expected {}, found {zone}", Zone::WORDS.join(", ")))?;
    }
    named.scale = match table.get("scale") {
        None => 1.0,
        Some(Value::Integer(number)) => *number as f64,
        Some(Value::Float(number)) if number.is_finite() => *number,
        Some(other) => return Err(format!("scale: expected a number, found {other}")),
    };
    Ok(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbers_files_or_tables() {
        let text = "age = 3\nsmile = \"smile.npy\"\n[hair]\nfile = \"g.npz\"\nindex = 2\nfrom = 4\nto = 9\n[pose]\ndirection = 5\nzone = \"form\"\nscale = -1\n";
        let names = parse(text, Path::new("/n/a-directions.toml")).unwrap();
        let of = |name: &str| names.iter().find(|known| known.name == name).unwrap();
        assert_eq!(of("age").from, From::Found(3));
        assert_eq!(of("smile").from, From::File { path: "/n/smile.npy".into(), index: 0 });
        assert_eq!(of("hair").from, From::File { path: "/n/g.npz".into(), index: 2 });
        assert_eq!((of("hair").zone, of("hair").layers), (Zone::Range, Layers { from: 4, to: 9 }));
        assert_eq!((of("pose").zone, of("pose").scale), (Zone::Form, -1.0));
        assert_eq!(of("age").row().address, "/dir/age");
    }

    #[test]
    fn generators_that_ship_have_names() {
        let ships = |name: &str| crate::file::is_file(Path::new(&format!("built-in:/networks/{name}.safetensors")));
        for network in ["flowers128", "masters128", "nebulae256", "mandalas256"] {
            // A package for a registry is without the large ones.
            assert!(ships(network) || network.ends_with("256"), "{network}");
            let names = names(Path::new(&format!("built-in:/networks/{network}.safetensors"))).unwrap();
            let is_known = |named: &Named| matches!(named.from, From::Found(number) if number < directions::MOST);
            assert!((names.len() > 3 || !ships(network)) && names.iter().all(is_known), "{network}");
        }
    }

    #[test]
    fn a_mistake_is_named() {
        for (text, expected) in [
            ("age = ", "a.toml: line 1: "),
            ("age = true", "a.toml: age: expected the number of a direction, a file or a table, found boolean"),
            ("age = -1", "a.toml: age: direction: expected a whole number from 0, found -1"),
            ("3 = 1", "a.toml: \"3\" cannot be an address"),
            ("\"a/b\" = 1", "a.toml: \"a/b\" cannot be an address"),
            ("age = { direction = 1, file = \"x\" }", "a.toml: age: expected either direction, or file"),
            ("age = { direction = 1, zone = \"top\" }", "a.toml: age: zone: expected range, form, texture, colour"),
            ("age = { direction = 1, layer = 2 }", "a.toml: age: unknown key \"layer\""),
        ] {
            let found = parse(text, Path::new("a.toml")).unwrap_err();
            assert!(found.starts_with(expected), "{found}");
        }
    }
}
