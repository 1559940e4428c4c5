//! Effects in a preset, `[[effects]]`, and the files they are in.
//!
//! ```toml
//! [[effects]]
//! shader = "trails"     # a file in fx/ beside the preset, in the user's fx/, or one that ships
//! name = "long trails"  # optional; needed when the same effect stands twice
//! decay = 0.9           # its parameters, and enabled and mix
//! ```
//!
//! Reading an effect checks its text, but compiles nothing for a device. One that is missing or broken is no mistake of the
//! preset: it is reported with one line when the chain is loaded, and the rest plays.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use toml_edit::{Item, TableLike};

use super::check::{Checker, key_span, typed};
use super::folders::{Folders, Kind};
use super::locate::{LocateError, name_of};
use crate::file::text;
use crate::params::{Target, Value};
use crate::screen::chain::MOST_LINKS;
use crate::screen::script::is_script;
use crate::screen::{Shader, ShaderError};

/// One effect of a chain, as requested.
#[derive(Clone, Debug)]
pub struct EffectEntry {
    /// Its name in addresses.
    pub name: String,
    /// The name of its file, as written.
    pub source: String,
    /// `None` until it is found.
    pub file: Option<PathBuf>,
    /// `None` while its file is broken.
    pub shader: Option<Arc<Shader>>,
}

impl EffectEntry {
    /// The files of this effect, to be watched.
    pub fn files(&self) -> Vec<PathBuf> {
        let imported = self.shader.iter().flat_map(|shader| shader.files.iter().cloned());
        let mut files: Vec<PathBuf> = self.file.iter().cloned().chain(imported).collect();
        files.dedup();
        files
    }
}

impl PartialEq for EffectEntry {
    fn eq(&self, other: &Self) -> bool {
        let text = |entry: &EffectEntry| entry.shader.as_ref().map(|shader| shader.fingerprint);
        (&self.name, &self.source, &self.file, text(self)) == (&other.name, &other.source, &other.file, text(other))
    }
}

/// Reads and checks the effect in a file.
///
/// # Errors
/// When the file cannot be read or is not a valid effect.
pub fn load(file: &Path) -> Result<Arc<Shader>, ShaderError> {
    if is_script(file) {
        let known = scripts().iter().find(|shader| shader.files.iter().any(|known| known == file)).cloned();
        return known.ok_or_else(|| ShaderError::new(file, NOT_NAMED));
    }
    let text = text::read(file).map_err(|error| ShaderError::new(file, error.to_string()))?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let import = |name: &str| {
        if name.starts_with('/') || name.contains(['\\', ':']) || name.split('/').any(|part| part == "..") {
            return Err(format!("an import is a file in the same folder or below it, found {name:?}"));
        }
        let path = folder.join(name);
        text::read(&path).map(|text| (path, text)).map_err(|error| format!("{name}: {error}"))
    };
    Shader::parse(file, &text, &import).map(Arc::new)
}

/// Why a TorchScript effect does not play.
const NOT_NAMED: &str =
    "a TorchScript effect plays only with --engine torch, if it is named with --script on the command line";

/// The TorchScript effects that the player has named on the command line.
static SCRIPTS: RwLock<Vec<Arc<Shader>>> = RwLock::new(Vec::new());

fn scripts() -> RwLockReadGuard<'static, Vec<Arc<Shader>>> {
    SCRIPTS.read().unwrap_or_else(PoisonError::into_inner)
}

/// The TorchScript effects that can be added: their names and one line about each.
pub fn named_scripts() -> Vec<(String, String)> {
    scripts().iter().map(|shader| (shader.name.clone(), shader.help.clone())).collect()
}

/// Lets the show find a TorchScript effect by its name, for as long as the program runs.
pub fn name_script(shader: Shader) {
    let mut scripts = SCRIPTS.write().unwrap_or_else(PoisonError::into_inner);
    scripts.retain(|known| known.name != shader.name);
    scripts.push(Arc::new(shader));
}

/// The file of an effect that a preset in the folder `base` names: a TorchScript module that the player has named, or one as
/// [`Folders::beside`] finds it.
///
/// # Errors
/// As [`Folders::beside`].
pub fn find(folders: &Folders, base: &Path, name: &str) -> Result<PathBuf, LocateError> {
    let stem = if is_script(Path::new(name)) { name_of(Path::new(name)) } else { name.to_owned() };
    let file = scripts().iter().find(|shader| shader.name == stem).and_then(|shader| shader.files.first().cloned());
    file.map_or_else(|| folders.beside(base, Kind::Effect, name), Ok)
}

/// Effects by the names of their files, each once, as [`read`] finds them.
pub(super) fn named<'a>(names: impl Iterator<Item = &'a str>, origin: &Path, folders: &Folders) -> Vec<EffectEntry> {
    let base = origin.parent().unwrap_or(Path::new(""));
    let mut entries: Vec<EffectEntry> = Vec::new();
    for name in names.take(MOST_LINKS) {
        if !crate::screen::header::is_name(name) || entries.iter().any(|entry| entry.name == name) {
            continue;
        }
        let file = find(folders, base, name).ok();
        let shader = file.as_deref().and_then(|file| load(file).ok());
        entries.push(EffectEntry { name: name.to_owned(), source: name.to_owned(), file, shader });
    }
    entries
}

/// Whether an address is that of an effect's row.
fn is_row(address: &str) -> bool {
    address.strip_prefix("/fx/").is_some_and(|rest| rest.contains('/'))
}

/// What `[[effects]]` of a preset holds.
#[derive(Debug, Default)]
pub struct Read {
    pub entries: Vec<EffectEntry>,
    pub values: Vec<(Target, Value)>,
}

/// Reads `[[effects]]`. From here on, the file may refer to the rows of its effects.
pub(super) fn read(item: Option<&Item>, origin: &Path, folders: &Folders, check: &mut Checker) -> Read {
    let mut read = Read::default();
    let Some(item) = item else { return read };
    let tables: Vec<&dyn TableLike> = match item {
        Item::ArrayOfTables(tables) => tables.iter().map(|table| table as &dyn TableLike).collect(),
        Item::Value(toml_edit::Value::Array(array)) => {
            array.iter().filter_map(|value| value.as_inline_table().map(|table| table as &dyn TableLike)).collect()
        }
        _ => {
            check.report(item.span(), "effects are a list: write each one under [[effects]]".to_owned());
            return read;
        }
    };
    if tables.len() > MOST_LINKS {
        let message = format!("a chain has at most {MOST_LINKS} effects, found {}", tables.len());
        check.report(item.span(), message);
        return read;
    }
    let base = origin.parent().unwrap_or(Path::new(""));
    let mut found: Vec<(EffectEntry, &dyn TableLike)> = Vec::new();
    for table in tables {
        let Some(shader) = check.string(table, "shader") else {
            if table.get("shader").is_none() {
                check.report(item.span(), "an effect needs shader = \"NAME\"".to_owned());
            }
            continue;
        };
        let name = check.string(table, "name").unwrap_or_else(|| shader.clone());
        if !crate::screen::header::is_name(&name) || ["add", "remove", "order"].contains(&name.as_str()) {
            check.report(
                key_span(table, "name"),
                format!("an effect's name takes letters, digits, - and _ (not add, remove or order); got {name:?}"),
            );
            continue;
        }
        if found.iter().any(|(entry, _)| entry.name == name) {
            let message = format!("{name:?} stands twice in the chain: give one of them name = \"...\"");
            check.report(key_span(table, "shader"), message);
            continue;
        }
        // One that is missing or broken is reported when the chain is loaded; the rest plays.
        let file = find(folders, base, &shader).ok();
        let checked = file.as_deref().and_then(|file| load(file).ok());
        if checked.is_none() {
            check.skip(format!("/fx/{name}/"));
        }
        found.push((EffectEntry { name, source: shader, file, shader: checked }, table));
    }
    let rows: Vec<_> =
        found.iter().flat_map(|(entry, _)| entry.shader.iter().flat_map(|shader| shader.rows(&entry.name))).collect();
    let others: Vec<_> = check.params().ids().filter(|id| is_row(id.def().address)).collect();
    match check.params().changed(&others, &rows) {
        Ok(params) => check.set_params(params),
        Err(error) => {
            check.report(item.span(), error.to_string());
            return read;
        }
    }
    for (entry, table) in &found {
        for (key, item) in table.iter().filter(|(key, _)| !["shader", "name"].contains(key)) {
            // Of a broken effect nothing is known.
            if entry.shader.is_none() {
                continue;
            }
            let span = key_span(*table, key);
            let address = format!("/fx/{}/{key}", entry.name);
            let Some(target) = check.target(&address, span.clone()) else { continue };
            match typed(target, item) {
                Ok(value) => read.values.push((target, value)),
                Err(message) => check.report(item.span().or(span), message),
            }
        }
    }
    read.entries = found.into_iter().map(|(entry, _)| entry).collect();
    read
}
