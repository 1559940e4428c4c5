//! Writes presets: the values of a running show go into a file whose hand-written parts are kept.
//!
//! Comments, order, spelling and unrelated tables stay. Values that the file has are updated; others are added only
//! where they differ from the table's defaults. The new text is checked as a whole and replaces the old file
//! atomically, so that no failure leaves half a preset.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Deserialize;
use toml_edit::{Array, DocumentMut, InlineTable, Item, TableLike, Value as Toml, table, value};

use super::check::{names_style, number};
use super::effects::EffectEntry;
use super::folders::{Folders, Kind, is_script};
use super::locate::name_of;
use super::modulators::Edits;
use super::preset::{Preset, PresetError, Reading, read_text};
use super::versions;
use crate::control::mapping::macros::{number_of, with_defaults};
use crate::control::mapping::{ControlSpec, MacroEntry, MidiEntry, MidiOptions, parse_control};
use crate::file::is_built_in;
use crate::modulate::Modulator;
use crate::params::{Id, Params, Saving as Kept, Table, Target, Value, short};

/// Why a preset was not saved. The file is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    #[error("cannot save the preset {}: {source}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("the existing file is not a valid preset and was left unchanged: {0}")]
    Broken(#[from] PresetError),
    #[error("cannot keep the version before of the preset {}, which stays unchanged: {source}", path.display())]
    Keep { path: PathBuf, source: std::io::Error },
    #[error(
        "{name} ships with the instrument and is not changed; for a copy of your own, set LATENT_JOCKEY_HOME to a folder"
    )]
    Ships { name: String },
    #[error("there is a preset {name} already: load it and save it there")]
    Exists { name: String },
    #[error(
        "{name} is not saved: there is a preset {known}, whose file {known}.toml would be overwritten where large and \
         small letters count as one"
    )]
    Alike { name: String, known: String },
    #[error("the preset {name} is not saved, by a mistake in this program: {message}")]
    Panicked { name: String, message: String },
}

/// What to save.
#[derive(Clone, Copy, Debug)]
pub struct Saving<'a> {
    /// Which parameters there are.
    pub table: &'a Table,
    /// Where networks are looked for.
    pub folders: &'a Folders,
    /// `None` leaves the values unchanged.
    pub params: Option<&'a Params>,
    /// The network's file; `None` leaves what the preset says.
    pub network: Option<&'a Path>,
    /// All of the preset's own MIDI mappings; `None` leaves them unchanged.
    pub midi: Option<&'a [MidiEntry]>,
    /// The chain of effects; `None` leaves it unchanged.
    pub effects: Option<&'a [EffectEntry]>,
    /// What was changed in modulators and macros; `None` leaves them unchanged.
    pub modulators: Option<&'a Edits>,
}

/// What the playing preset was read from.
#[derive(Clone, Debug, Default)]
pub struct Base {
    /// Its text: the last one that was good. Of a file that is gone or broken, it is what is saved.
    pub text: Option<Arc<str>>,
    /// Whether it is an older version, which comes before what the file says now.
    pub is_older: bool,
}

/// A preset that was saved.
#[derive(Clone, Debug, PartialEq)]
pub struct Written {
    /// As it now reads, without what belongs to parameters that are gone at the moment.
    pub preset: Preset,
    /// The whole file.
    pub text: String,
}

impl Saving<'_> {
    /// Writes to `path`, updating the preset that may be there. With `from`, makes a new preset from that one, under a new
    /// name.
    ///
    /// # Errors
    /// When the existing file is invalid, or writing fails; either way it stays unchanged.
    pub fn to(&self, path: &Path, from: Option<&Path>) -> Result<Written, SaveError> {
        self.to_with(path, from, &Base::default())
    }

    /// As [`Saving::to`]; `base` is what the playing preset was read from.
    ///
    /// # Errors
    /// As [`Saving::to`].
    pub fn to_with(&self, path: &Path, from: Option<&Path>, base: &Base) -> Result<Written, SaveError> {
        let source = from.unwrap_or(path);
        if is_script(source) {
            // A new preset that plays the patch.
            let named = path_from(path.parent().unwrap_or(Path::new("")), source);
            let text = format!("script = {}\n", Toml::from(named.to_string_lossy().into_owned()));
            return self.write(path, self.over(&text, path)?);
        }
        // A copy needs nothing of the file that is not known already.
        let last = base.text.as_deref().filter(|_| base.is_older || from.is_some());
        let read = match (base.text.as_deref(), base.is_older) {
            (Some(text), true) => Ok(text.to_owned()),
            _ => read_text(source),
        };
        let mut text = match read {
            Ok(old) => match (self.over(&old, source), last) {
                (Err(_), Some(last)) => self.over(last, source)?,
                (over, _) => over?,
            },
            Err(PresetError::Read { source: error, .. }) if error.kind() == std::io::ErrorKind::NotFound => {
                self.over(base.text.as_deref().unwrap_or_default(), source)?
            }
            Err(error) => match (last, error) {
                (Some(last), _) => self.over(last, source)?,
                (None, PresetError::Read { source, .. }) => {
                    return Err(SaveError::Write { path: path.to_owned(), source });
                }
                (None, error) => return Err(error.into()),
            },
        };
        if from.is_some() {
            text = self.moved(&self.renamed(&text, path), source, path)?;
        }
        self.write(path, text)
    }

    /// Makes a copy of the preset `from` in another folder, with its name.
    ///
    /// # Errors
    /// When writing fails.
    pub fn copy(&self, from: &Path, path: &Path, base: &Base) -> Result<Written, SaveError> {
        let old = match &base.text {
            Some(text) => text.to_string(),
            None => read_text(from)?,
        };
        let text = self.moved(&self.over(&old, from)?, from, path)?;
        self.write(path, text)
    }

    fn write(&self, path: &Path, text: String) -> Result<Written, SaveError> {
        let preset = Preset::parse_with(&text, path, &self.reading())?;
        let folder = path.parent().unwrap_or(Path::new(""));
        // Learned mappings are undone in another way.
        if self.params.is_some() {
            let kept = versions::keep(path, text.as_bytes());
            kept.map_err(|source| SaveError::Keep { path: path.to_owned(), source })?;
        }
        let written = fs::create_dir_all(folder).and_then(|()| replace(path, text.as_bytes()));
        written.map_err(|source| SaveError::Write { path: path.to_owned(), source })?;
        Ok(Written { preset, text })
    }

    fn reading(&self) -> Reading<'_> {
        // An effect that is gone at the moment may come back: its lines are kept as they are.
        Reading { skips_unknown: true, ..Reading::new(self.table, self.folders) }
    }

    /// The text of `old`, updated.
    fn over(&self, old: &str, path: &Path) -> Result<String, PresetError> {
        let before = Preset::parse_with(old, path, &self.reading())?;
        let mut document: DocumentMut = old.parse().expect("a checked preset is TOML");
        let base = path.parent().unwrap_or(Path::new(""));
        if let Some(network) = self.network
            && before.network.as_deref() != Some(network)
        {
            set(document.as_table_mut(), "network", Toml::from(spelled(network, base, self.folders)));
        }
        let none = Edits::default();
        let edits = self.modulators.unwrap_or(&none);
        if let Some(now) = self.params {
            let macros = with_defaults(&edits.macros.applied(&before.macros));
            in_table(&mut document, "params", |params| write_params(params, now, &macros));
            if !edits.macros.is_empty() {
                in_table(&mut document, "macro", |table| edits.macros.write(table));
            }
        }
        let modulators = edits.applied(&before.modulators);
        if let Some(now) = self.params.filter(|_| !(modulators.is_empty() && edits.is_empty())) {
            in_table(&mut document, "mod", |entries| {
                edits.write(entries);
                write_modulators(entries, &modulators, now);
            });
        }
        if let (Some(now), Some(chain)) = (self.params, self.effects) {
            write_effects(&mut document, chain, now);
        }
        if let Some(entries) = self.midi {
            in_table(&mut document, "midi", |midi| write_midi(midi, entries, self.table));
        }
        Ok(document.to_string())
    }

    /// The text of another preset as the new one at `path`: with the new name, and the network as named from there.
    fn renamed(&self, text: &str, path: &Path) -> String {
        let mut document: DocumentMut = text.parse().expect("a checked preset is TOML");
        if document.contains_key("name") {
            set(document.as_table_mut(), "name", name_of(path).into());
        }
        if let Some(network) = self.network {
            let base = path.parent().unwrap_or(Path::new(""));
            set(document.as_table_mut(), "network", spelled(network, base, self.folders).into());
        }
        document.to_string()
    }

    /// The text of the preset at `from` as one at `path`: its patch and its network are named from there.
    fn moved(&self, text: &str, from: &Path, path: &Path) -> Result<String, SaveError> {
        let base = path.parent().unwrap_or(Path::new(""));
        if from.parent() == Some(base) {
            return Ok(text.to_owned());
        }
        let before = Preset::parse_with(text, from, &self.reading())?;
        let mut document: DocumentMut = text.parse().expect("a checked preset is TOML");
        if let Some(code) = &before.script {
            let named = path_from(base, &code.path);
            set(document.as_table_mut(), "script", named.to_string_lossy().into_owned().into());
        }
        if let Some(network) = &before.network {
            set(document.as_table_mut(), "network", spelled(network, base, self.folders).into());
        }
        Ok(document.to_string())
    }
}

/// The path of `file` in a preset of the folder `base`: relative if it lies below, or the whole path.
fn path_from(base: &Path, file: &Path) -> PathBuf {
    if is_built_in(file) {
        return file.to_owned();
    }
    let whole = || std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    file.strip_prefix(base).map_or_else(|_| whole(), Path::to_owned)
}

/// Changes a table of a checked preset, and removes it if it ends up empty.
fn in_table(document: &mut DocumentMut, name: &str, change: impl FnOnce(&mut dyn TableLike)) {
    let inner = document.entry(name).or_insert_with(table);
    let inner = inner.as_table_like_mut().expect("a checked preset has a table there");
    change(inner);
    if inner.is_empty() {
        document.remove(name);
    }
}

/// Updates the MIDI mappings: an unchanged mapping keeps its place, spelling and comments.
fn write_midi(table: &mut dyn TableLike, entries: &[MidiEntry], params: &Table) {
    let spellings: Vec<(ControlSpec, String)> =
        table.iter().filter_map(|(key, _)| Some((parse_control(key).ok()?, key.to_owned()))).collect();
    for (control, key) in &spellings {
        // What belongs to a parameter that is gone at the moment is not among the entries.
        if !entries.iter().any(|entry| entry.control == *control) && !is_gone(table.get(key), params) {
            table.remove(key);
        }
    }
    for entry in entries {
        match spellings.iter().find(|(control, _)| *control == entry.control) {
            Some((_, key)) if params.resolve(&entry.to.to_string()).is_none() && is_gone(table.get(key), params) => {}
            Some((_, key)) if plays(table.get(key), entry, params) => {}
            Some((_, key)) => set(table, key, entry_toml(entry)),
            None => set(table, &entry.control.to_string(), entry_toml(entry)),
        }
    }
}

/// Whether a mapping names a parameter that does not exist.
fn is_gone(item: Option<&Item>, params: &Table) -> bool {
    let to = item.and_then(|item| item.as_str().or_else(|| item.get("to")?.as_str()));
    to.is_some_and(|to| params.resolve(to).is_none())
}

/// Whether the file already says the same as the entry.
fn plays(item: Option<&Item>, entry: &MidiEntry, params: &Table) -> bool {
    let text = item.and_then(|item| item.clone().into_value().ok()).map(|mut value| {
        value.decor_mut().clear();
        value.to_string()
    });
    let options = text.and_then(|text| MidiOptions::deserialize(toml::de::ValueDeserializer::parse(&text).ok()?).ok());
    options.and_then(|options| MidiEntry::new(&entry.control.to_string(), &options, params).ok()).as_ref()
        == Some(entry)
}

fn entry_toml(entry: &MidiEntry) -> Toml {
    let options = entry.options();
    if (MidiOptions { to: options.to.clone(), ..MidiOptions::default() }) == options {
        return options.to.into();
    }
    let mut table = InlineTable::new();
    let word = |word: &dyn std::fmt::Debug| Toml::from(format!("{word:?}").to_lowercase());
    table.insert("to", options.to.into());
    if let Some(range) = options.range {
        table.insert("range", range.into_iter().map(short).collect::<Array>().into());
    }
    let words = [
        ("curve", options.curve.as_ref().map(|x| word(x))),
        ("takeover", options.takeover.as_ref().map(|x| word(x))),
        ("relative", options.relative.as_ref().map(|x| word(x))),
        ("mode", options.mode.as_ref().map(|x| word(x))),
        ("value", entry.value().map(toml)),
    ];
    for (key, value) in words {
        value.map(|value| table.insert(key, value));
    }
    Toml::from(table)
}

/// How a preset in the folder `base` names a network: by name, by relative path, or by absolute path.
fn spelled(network: &Path, base: &Path, folders: &Folders) -> String {
    let name = name_of(network);
    if folders.beside(base, Kind::Network, &name).is_ok_and(|file| file == network) {
        return name;
    }
    path_from(base, network).to_string_lossy().into_owned()
}

/// A macro that moves something goes where its first target is, so only a position that is in the file is kept there. Then its
/// targets are written too: those that are not in a file go to the position.
fn write_params(table: &mut dyn TableLike, params: &Params, macros: &[MacroEntry]) {
    let defaults = Params::new(params.table().clone());
    let spellings: Vec<(Target, String)> =
        table.iter().filter_map(|(key, _)| Some((params.table().resolve(key)?, key.to_owned()))).collect();
    let has = |target: Target| spellings.iter().any(|(known, _)| *known == target);
    let moves = |entry: &&MacroEntry| has(Id::MACROS[entry.number].into());
    let moved: Vec<Target> = macros.iter().filter(moves).flat_map(|entry| &entry.to).map(|to| to.target).collect();
    let follows = |id: Id| number_of(id).is_some_and(|number| !macros[number].to.is_empty());
    for target in params.table().targets().filter(|target| target.id.def().saving == Kept::Saved) {
        let Some(now) = params.value(target) else { continue };
        let spelling = spellings.iter().find(|(t, _)| *t == target).map(|(_, key)| key.as_str());
        match spelling {
            Some(key) => {
                let new = named(params, target, &now, table.get(key)).unwrap_or_else(|| toml(&now));
                set(table, key, new);
            }
            None if follows(target.id) => {}
            None if moved.contains(&target) || Some(&now) != defaults.value(target).as_ref() => {
                let new = named(params, target, &now, None).unwrap_or_else(|| toml(&now));
                set(table, &target.to_string(), new);
            }
            None => {}
        }
    }
}

/// The name of a style in the place of its number, as the file spells it if it names the same one. `None` if there is no such
/// name, or if the file has the number.
fn named(params: &Params, target: Target, now: &Value, old: Option<&Item>) -> Option<Toml> {
    let (meaning, Value::Int(number)) = (params.meaning(target.id).filter(|_| names_style(target))?, now) else {
        return None;
    };
    let number = usize::try_from(*number).ok()?;
    if old.is_some_and(|old| old.as_integer() == Some(number as i64)) {
        return None;
    }
    let is_same = |word: &&str| meaning.number(word) == Some(number);
    let old = old.and_then(Item::as_str).filter(is_same);
    old.or_else(|| meaning.words.get(number).map(String::as_str).filter(is_same)).map(Toml::from)
}

/// Brings the numbers of modulators up to date with their knobs; the rest of an entry is the player's.
fn write_modulators(table: &mut dyn TableLike, modulators: &[Modulator], params: &Params) {
    for modulator in modulators {
        let Some(entry) = table.get_mut(&modulator.name) else { continue };
        for knob in modulator.knobs() {
            // A preset that does not play has no rows.
            let Some(row) = params.table().row(&modulator.address(knob)) else { continue };
            let now = params.base(row);
            let Some(numbers) = entry.as_table_like_mut() else { continue };
            if !numbers.contains_key(knob.name) && now == knob.default {
                continue;
            }
            let is_new = !numbers.contains_key(knob.name);
            set(numbers, knob.name, short(now).into());
            if let Some(inline) = entry.as_inline_table_mut().filter(|_| is_new) {
                inline.fmt();
            }
        }
    }
}

/// Brings `[[effects]]` up to date: order, and the numbers of each. An effect that was there keeps its spelling and comments.
fn write_effects(document: &mut DocumentMut, chain: &[EffectEntry], params: &Params) {
    let old: Vec<toml_edit::Table> = match document.remove("effects") {
        Some(Item::ArrayOfTables(tables)) => tables.into_iter().collect(),
        Some(Item::Value(Toml::Array(array))) => {
            array.into_iter().filter_map(|value| Some(value.as_inline_table()?.clone().into_table())).collect()
        }
        _ => Vec::new(),
    };
    let word = |table: &toml_edit::Table, key: &str| Some(table.get(key)?.as_str()?.to_owned());
    let name_of = |table: &toml_edit::Table| word(table, "name").or_else(|| word(table, "shader"));
    let defaults = Params::new(params.table().clone());
    let mut tables = toml_edit::ArrayOfTables::new();
    for entry in chain {
        let mut table =
            old.iter().find(|table| name_of(table).as_ref() == Some(&entry.name)).cloned().unwrap_or_default();
        // Its place in the file follows the order of the chain.
        table.set_position(None);
        set(&mut table, "shader", entry.source.as_str().into());
        if entry.name != entry.source {
            set(&mut table, "name", entry.name.as_str().into());
        }
        for def in entry.shader.iter().flat_map(|shader| shader.rows(&entry.name)) {
            let Some(row) = params.table().row(def.address) else { continue };
            let Some(now) = params.value(row) else { continue };
            let key = def.address.rsplit('/').next().unwrap_or_default();
            if table.contains_key(key) || Some(&now) != defaults.value(row).as_ref() {
                set(&mut table, key, toml(&now));
            }
        }
        tables.push(table);
    }
    if !tables.is_empty() {
        document.insert("effects", Item::ArrayOfTables(tables));
    }
}

/// Sets the value of `key`. Spaces and comments around an old value stay, and so does the spelling of an equal one.
fn set(table: &mut dyn TableLike, key: &str, new: Toml) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) if same(old, &new) => {}
        Some(old) => {
            let decor = old.decor().clone();
            *old = new;
            *old.decor_mut() = decor;
        }
        None => {
            table.insert(key, value(new));
        }
    }
}

fn same(a: &Toml, b: &Toml) -> bool {
    match (a, b) {
        (Toml::Array(a), Toml::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Toml::String(a), Toml::String(b)) => a.value() == b.value(),
        (Toml::Boolean(a), Toml::Boolean(b)) => a.value() == b.value(),
        _ => number(a).is_some() && number(a) == number(b),
    }
}

fn toml(value: &Value) -> Toml {
    match value {
        Value::Float(x) | Value::Travel(x) => short(*x).into(),
        Value::Int(i) => (*i).into(),
        Value::Bool(b) => (*b).into(),
        Value::Text(s) => s.as_str().into(),
        Value::List(list) => list.iter().map(|x| short(f64::from(*x))).collect::<Array>().into(),
        Value::Nothing => Array::new().into(),
    }
}

/// Writes a temporary file next to `path` and renames it into place. On failure, `path` is unchanged.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    // A symlink stays a symlink: its target is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let name = path.file_name().ok_or(std::io::ErrorKind::InvalidInput)?.to_string_lossy();
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    let aside = path.with_file_name(format!(".{name}.{}-{number}.tmp", std::process::id()));
    let written = write_aside(&aside, bytes, &path).and_then(|()| fs::rename(&aside, &path));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&aside);
    }
    written
}

fn write_aside(aside: &Path, bytes: &[u8], old: &Path) -> std::io::Result<()> {
    let mut file = fs::File::create(aside)?;
    file.write_all(bytes)?;
    if let Ok(old) = fs::metadata(old) {
        file.set_permissions(old.permissions())?;
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::super::locate::test_folder;
    use super::*;
    use crate::params::Meaning;

    fn resolve(address: &str) -> Option<Target> {
        Table::built_in().resolve(address)
    }

    fn params(writes: &[(&str, Value)]) -> Params {
        let mut params = Params::default();
        for (address, value) in writes {
            params.write(resolve(address).unwrap(), value).unwrap();
        }
        params
    }

    fn over(old: &str, writes: &[(&str, Value)]) -> String {
        over_with(old, &params(writes))
    }

    fn over_with(old: &str, params: &Params) -> String {
        Saving {
            table: Table::built_in(),
            folders: &Folders::default(),
            params: Some(params),
            network: None,
            midi: None,
            effects: None,
            modulators: None,
        }
        .over(old, Path::new("presets/p.toml"))
        .unwrap()
    }

    #[test]
    fn styles_are_saved_by_name_as_the_file_spells_it() {
        let mut params = params(&[("/style/a", Value::Int(1)), ("/style/b", Value::Int(2))]);
        for id in [Id::StyleA, Id::StyleB] {
            let words = ["candy", "starry-night", "kiss"].map(str::to_owned).into();
            params.set_meaning(Meaning { id, count: 3, words, of: "painters3".into() });
        }
        let lines = |old: &str| over_with(&format!("[params]\n{old}"), &params);
        assert_eq!(lines(""), "[params]\n\"/style/a\" = \"starry-night\"\n\"/style/b\" = \"kiss\"\n");
        let same = "\"/style/a\" = \"Starry\" # as it is\n\"/style/b\" = 2\n";
        assert_eq!(lines(same), format!("[params]\n{same}"), "the same styles");
        let other = "\"/style/a\" = \"candy\" # other\n\"/style/b\" = 0\n";
        let changed = "\"/style/a\" = \"starry-night\" # other\n\"/style/b\" = \"kiss\"\n";
        assert_eq!(lines(other), format!("[params]\n{changed}"));
        params.clear_meaning(Id::StyleA);
        params.clear_meaning(Id::StyleB);
        let without = over_with("[params]\n\"/style/a\" = \"candy\"\n", &params);
        assert_eq!(without, "[params]\n\"/style/a\" = 1\n\"/style/b\" = 2\n");
        params.name_last(Id::StyleA, "wave");
        for old in ["\"/style/a\" = \"candy\"\n", "\"/style/a\" = 0\n", ""] {
            let asked = over_with(&format!("[params]\n{old}"), &params);
            assert_eq!(asked, "[params]\n\"/style/a\" = \"wave\"\n\"/style/b\" = 2\n", "not loaded yet: {old}");
        }
    }

    #[test]
    fn hand_written_parts_stay() {
        let old = "# Dusk\ndescription = 'small' # still\n\n[osc]\n\"/1/fader\" = \"/psi\"\n\n[params] # values\n# slow\n\"/walk/speed\" = 0.10   # per second\n\"/psi\"=0.5\n";
        let writes = [("/walk/speed", Value::Float(0.1)), ("/psi", Value::Float(0.9)), ("/seed", Value::Int(7))];
        let expected = "# Dusk\ndescription = 'small' # still\n\n[osc]\n\"/1/fader\" = \"/psi\"\n\n[params] # values\n# slow\n\"/walk/speed\" = 0.10   # per second\n\"/psi\"=0.9\n\"/seed\" = 7\n";
        assert_eq!(over(old, &writes), expected);
    }

    #[test]
    fn only_what_differs_is_added_and_nothing_of_the_moment() {
        assert_eq!(over("", &[]), "");
        let writes = [("/z/3", Value::Float(-1.0)), ("/blackout", Value::Float(1.0)), ("/freeze", Value::Bool(true))];
        assert_eq!(over("", &writes), "[params]\n\"/z/3\" = -1.0\n");
        assert_eq!(over("[params]\n\"/psi\" = 1\n", &[]), "[params]\n\"/psi\" = 0.7\n");
    }

    #[test]
    fn macros_stay_and_are_where_their_targets_are() {
        let old = "[macro]\n2 = { to = [\"/psi\", \"/walk/speed\"], name = \"rush\" } # mine\n3 = []\n";
        let at = |n: &str, x| (n.to_owned(), Value::Float(x));
        let writes = [at("/macro/2", 0.5), at("/psi", 0.5), at("/macro/1", 0.25), at("/macro/3", 0.125)];
        let writes: Vec<(&str, Value)> = writes.iter().map(|(n, x)| (n.as_str(), x.clone())).collect();
        assert_eq!(over(old, &writes), format!("{old}\n[params]\n\"/psi\" = 0.5\n\"/macro/3\" = 0.125\n"));
        let with_position = format!("{old}\n[params]\n\"/macro/2\" = 0.1\n");
        let saved = over(&with_position, &writes);
        assert!(
            saved.ends_with("\"/macro/2\" = 0.5\n\"/psi\" = 0.5\n\"/walk/speed\" = 0.25\n\"/macro/3\" = 0.125\n"),
            "{saved}"
        );
    }

    #[test]
    fn a_network_is_named_as_briefly_as_possible() {
        let folder = test_folder("spelled", &["networks/a.pkl", "networks/b.pkl", "c.pt"]);
        let said = |old: &str, network: &str| {
            let (params, network) = (Params::default(), folder.join(network));
            let saving = Saving {
                table: params.table(),
                folders: &Folders::default(),
                params: Some(&params),
                network: Some(&network),
                midi: None,
                effects: None,
                modulators: None,
            };
            saving.over(old, &folder.join("p.toml")).unwrap()
        };
        assert_eq!(
            said("network = 'networks/a.pkl' # mine\n", "networks/a.pkl"),
            "network = 'networks/a.pkl' # mine\n"
        );
        assert_eq!(said("network = \"a\" # was a\n", "networks/b.pkl"), "network = \"b\" # was a\n");
        assert_eq!(said("", "c.pt"), "network = \"c.pt\"\n");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn learned_mappings_are_written_and_undone_without_touching_comments() {
        let old = "# Dusk\n\n[midi] # mine\n# the big one\n\"cc 21\" = { to = \"/psi\", range = [0.2, 1] } # psi\n'CH 1 cc 5' = '/walk/speed'\n\n[params]\n\"/psi\" = 0.5\n";
        let path = Path::new("p.toml");
        let before = Preset::parse(old, path).unwrap().midi;
        let write = |old: &str, midi: &[MidiEntry]| {
            Saving {
                table: Table::built_in(),
                folders: &Folders::default(),
                params: None,
                network: None,
                midi: Some(midi),
                effects: None,
                modulators: None,
            }
            .over(old, path)
            .unwrap()
        };
        assert_eq!(write(old, &before), old);
        let learned = Preset::parse(
            "[midi]\n'ch 1 cc 5' = '/psi'\n'cc 21' = { to = '/psi', range = [0.2, 1] }\n'ch 2 note 3' = { to = '/preset', value = 3 }\n'cc 9' = { to = '/blackout', relative = 'twos', invert = true, curve = 'square' }",
            path,
        );
        let learned = learned.unwrap().midi;
        let new = write(old, &learned);
        assert_eq!(
            new,
            "# Dusk\n\n[midi] # mine\n# the big one\n\"cc 21\" = { to = \"/psi\", range = [0.2, 1] } # psi\n'CH 1 cc 5' = \"/psi\"\n\"ch 2 note 3\" = { to = \"/preset\", value = 3 }\n\"cc 9\" = { to = \"/blackout\", range = [1.0, 0.0], curve = \"square\", relative = \"twos\" }\n\n[params]\n\"/psi\" = 0.5\n"
        );
        let same = |a: &[MidiEntry], b: &[MidiEntry]| a.len() == b.len() && a.iter().all(|entry| b.contains(entry));
        assert!(same(&Preset::parse(&new, path).unwrap().midi, &learned));
        assert_eq!(write(&new, &before), old.replace("'/walk/speed'", "\"/walk/speed\""));
        assert_eq!(write("# empty\n", &[]), "# empty\n");
    }

    #[test]
    fn a_new_preset_is_made_from_the_current_one() {
        let folder = test_folder("as", &["networks/a.pkl"]);
        let (old, new) = (folder.join("dusk.toml"), folder.join("dawn.toml"));
        fs::write(&old, "# light\nname = 'dusk'\nnetwork = 'a'\n\n[params]\n\"/psi\" = 0.5\n").unwrap();
        let params = params(&[("/psi", Value::Float(1.0))]);
        let network = folder.join("networks/a.pkl");
        let saving = Saving {
            table: params.table(),
            folders: &Folders::default(),
            params: Some(&params),
            network: Some(&network),
            midi: Some(&[]),
            effects: None,
            modulators: None,
        };
        let saved = saving.to(&new, Some(&old)).unwrap().preset;
        assert_eq!((saved.name.as_str(), saved.path.as_path()), ("dawn", new.as_path()));
        let text = fs::read_to_string(&new).unwrap();
        assert_eq!(text, "# light\nname = \"dawn\"\nnetwork = 'a'\n\n[params]\n\"/psi\" = 1.0\n");
        assert!(fs::read_to_string(&old).unwrap().contains("0.5"));
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn numbers_are_written_short() {
        for (x, text) in [
            (f64::from(0.8f32), "0.8"),
            (0.8 + 0.05, "0.85"),
            (4e9 + 7.0, "4000000007"),
            (0.1, "0.1"),
            (1.0 / 3.0, "0.3333333333333333"),
            (-4.0, "-4"),
        ] {
            assert_eq!(short(x).to_string(), text);
        }
    }

    #[test]
    fn a_saved_preset_reads_as_it_was_saved() {
        let writes = [
            ("/psi", Value::Float(0.25)),
            ("/walk/kind", Value::Text("line".into())),
            ("/seed", Value::Int(9)),
            ("/z", Value::List(vec![0.1, -2.0])),
            ("/w/1023", Value::Float(0.5)),
        ];
        let text = over("", &writes);
        let mut read = Preset::parse(&text, Path::new("p.toml")).unwrap().params;
        let mut wrote: Vec<_> = writes.iter().map(|(a, v)| (resolve(a).unwrap(), v.clone())).collect();
        wrote.sort_by_key(|(t, _)| (t.id, t.index));
        read.sort_by_key(|(t, _)| (t.id, t.index));
        assert_eq!(read, wrote);
    }
}
