//! Set lists: TOML files that say in which order presets are played, and what happens at which beat of each.
//!
//! ```toml
//! name = "Friday"
//! fade = { beats = 8 }        # of every entry that says nothing else; a number is seconds
//! quantize = 4
//!
//! [[entry]]
//! preset = "vortex"
//! note = "slow until the bass comes"
//! cues = [
//!     { at = 32, set = { "/psi" = 0.9 } },
//!     { key = "x", set = { "/fx/trails/mix" = 1, "/seed/next" = true } },
//! ]
//! ```
//!
//! Read strictly and as a whole, like a preset. Reading accesses the disk; nothing of the show is changed.

use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, TableLike};

use super::check::{Checker, describe, key_span, number_of, typed};
use super::folders::{Folders, Kind as Of};
use super::library::Library;
use super::locate::{LocateError, expand, name_of};
use super::preset::{PresetError, Reading, read_text};
use crate::control::keys::Key;
use crate::file;
use crate::file::sources::{self, Query, Sources};
use crate::params::{Kind, TimeBase, Value};

/// Ending of a set list, and the name of one in a folder of its own.
const ENDING: &str = ".set.toml";
const ALONE: &str = "set.toml";

const KEYS: &[&str] = &["name", "fade", "quantize", "entry"];
const ENTRY_KEYS: &[&str] = &["preset", "note", "fade", "quantize", "cues"];
const CUE_KEYS: &[&str] = &["at", "key", "set"];

/// Most entries of a set, and most cues of one.
const MOST: usize = 999;

/// Whether a file is a set list, so that it is no preset.
pub fn is_set(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    name == ALONE || name.ends_with(ENDING)
}

/// How long a preset fades in.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fade {
    /// 0 changes at once.
    pub length: f64,
    pub unit: TimeBase,
}

/// When a cue comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum When {
    /// This many beats after the entry began.
    At(f64),
    Key(Key),
}

/// Writes at a beat or on a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Cue {
    pub when: When,
    /// By address: the effects and modulators of the entry's preset may not play yet.
    pub writes: Vec<(String, Value)>,
}

/// A preset's place in a set.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// As written.
    pub preset: String,
    pub file: PathBuf,
    /// What the player wants to read meanwhile; may be empty.
    pub note: String,
    /// In place of `/preset/fade`.
    pub fade: Option<Fade>,
    /// In place of `/quantize`, in beats.
    pub quantize: Option<f64>,
    /// Those at beats come first, in order.
    pub cues: Vec<Cue>,
}

/// A set list, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Set {
    pub path: PathBuf,
    pub name: String,
    /// What [`find`] knows it by: the name of its file, or its path.
    pub address: String,
    /// One at least.
    pub entries: Vec<Entry>,
    /// What it was read from.
    pub sources: Sources,
}

/// The file of a set: `friday` for `friday.set.toml` and `set` for `set.toml` in the folders of presets, or a path.
///
/// # Errors
/// When there is none.
pub fn find(folders: &Folders, named: &str, may_be_path: bool) -> Result<PathBuf, LocateError> {
    let query = Query { kind: "set".to_owned(), base: PathBuf::new(), name: named.to_owned() };
    let look = || {
        let path = expand(Path::new(named));
        if may_be_path && file::is_file(&path) {
            return Ok(path);
        }
        let files = |place: &Path| file::list(place).unwrap_or_default().into_iter().filter(|file| is_set(file));
        let all: Vec<PathBuf> = folders.places().flat_map(files).collect();
        let found = all.iter().find(|file| title(file).eq_ignore_ascii_case(named.trim()));
        found.cloned().ok_or_else(|| match may_be_path && named.contains(['/', '\\']) {
            true => LocateError::NoFile { what: "set list", path },
            false => LocateError::Unknown {
                what: "set list",
                name: named.to_owned(),
                folders: folders.places().filter(|place| file::is_folder(place)).map(Path::to_owned).collect(),
                known: all.iter().map(|file| title(file)).collect(),
            },
        })
    };
    let path = sources::found(&query).map_or_else(look, Ok)?;
    sources::note_found(&query, &path);
    Ok(path)
}

/// `friday` for `friday.set.toml`.
fn title(file: &Path) -> String {
    let name = name_of(file);
    name.strip_suffix(".set").unwrap_or(&name).to_owned()
}

/// What leads to a set list from anywhere.
fn address(path: &Path, folders: &Folders) -> String {
    let title = title(path);
    match find(folders, &title, false) {
        Ok(found) if found == path => title,
        _ => path.display().to_string(),
    }
}

impl Set {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, or is not a valid set list: with all problems, in file order.
    pub fn read(path: &Path, library: &Library) -> Result<Set, PresetError> {
        let (read, sources) = sources::observe(|| Set::parse(&read_text(path)?, path, library));
        read.map(|set| Set { sources, ..set })
    }

    fn parse(text: &str, path: &Path, library: &Library) -> Result<Set, PresetError> {
        let table = library.tables().get();
        let reading = Reading::new(&table, library.folders());
        let mut check = Checker::new(text, &reading);
        let set = match Document::parse(text) {
            Ok(document) => Some(read(document.as_table(), path, library, &mut check)),
            Err(error) => {
                check.report(error.span(), error.message().replace('\n', ", "));
                None
            }
        };
        let mut problems = check.problems;
        problems.sort_by_key(|p| (p.line, p.column));
        match set {
            Some(set) if problems.is_empty() => Ok(set),
            _ => Err(PresetError::Wrong { path: path.to_owned(), problems }),
        }
    }
}

fn read(top: &dyn TableLike, path: &Path, library: &Library, check: &mut Checker) -> Set {
    check.only_keys(top, "in a set list", KEYS);
    let (fade, quantize) = (fade(top, check), quantize(top, check));
    let tables: Vec<&dyn TableLike> = match top.get("entry") {
        Some(Item::ArrayOfTables(tables)) => tables.iter().map(|table| table as &dyn TableLike).collect(),
        Some(Item::Value(toml_edit::Value::Array(array))) => {
            array.iter().filter_map(|value| value.as_inline_table().map(|table| table as &dyn TableLike)).collect()
        }
        _ => Vec::new(),
    };
    if tables.is_empty() || tables.len() > MOST {
        let message = format!("a set list takes 1 to {MOST} entries, each under [[entry]]; got {}", tables.len());
        check.report(top.get("entry").and_then(|item| item.span()), message);
    }
    let mut entries = Vec::new();
    for table in tables.into_iter().take(MOST) {
        if let Some(entry) = entry(table, path, library, check) {
            entries.push(Entry { fade: entry.fade.or(fade), quantize: entry.quantize.or(quantize), ..entry });
        }
    }
    let name = check.string(top, "name").unwrap_or_else(|| title(path));
    let address = address(path, library.folders());
    Set { path: path.to_owned(), name, address, entries, sources: Sources::default() }
}

fn entry(table: &dyn TableLike, path: &Path, library: &Library, check: &mut Checker) -> Option<Entry> {
    check.only_keys(table, "in an entry", ENTRY_KEYS);
    let (fade, quantize) = (fade(table, check), quantize(table, check));
    let note = check.string(table, "note").unwrap_or_default();
    let mut cues = Vec::new();
    match table.get("cues") {
        None => {}
        Some(Item::Value(toml_edit::Value::Array(array))) => {
            for value in array.iter().take(MOST) {
                match value.as_inline_table() {
                    Some(table) => cues.extend(cue(table, check)),
                    None => check.report(
                        value.span(),
                        "a cue is a table such as { at = 32, set = { \"/psi\" = 1 } }".to_owned(),
                    ),
                }
            }
        }
        Some(Item::ArrayOfTables(tables)) => {
            tables.iter().take(MOST).for_each(|table| cues.extend(cue(table, check)));
        }
        Some(item) => check.report(item.span(), format!("cues take a list; got {}", describe(item))),
    }
    cues.sort_by(|a, b| match (a.when, b.when) {
        (When::At(a), When::At(b)) => a.total_cmp(&b),
        (a, b) => matches!(a, When::Key(_)).cmp(&matches!(b, When::Key(_))),
    });
    let Some(preset) = check.string(table, "preset") else {
        if table.get("preset").is_none() {
            let first = table.iter().next().and_then(|(key, _)| key_span(table, key));
            check.report(first, "an entry names its preset: preset = \"vortex\"".to_owned());
        }
        return None;
    };
    match preset_file(&preset, path, library) {
        Ok(file) => Some(Entry { preset, file, note, fade, quantize, cues }),
        Err(error) => {
            check.report(table.get("preset").and_then(|item| item.span()), error.to_string());
            None
        }
    }
}

/// The file of a preset: beside the set list first, then as anywhere.
fn preset_file(named: &str, path: &Path, library: &Library) -> Result<PathBuf, LocateError> {
    let base = path.parent().unwrap_or(Path::new(""));
    let query = Query { kind: Of::Preset.word().to_owned(), base: base.to_owned(), name: named.to_owned() };
    let look = || {
        let beside = [base.join(named), base.join(format!("{named}.toml"))];
        let beside = beside.into_iter().find(|file| Of::Preset.ends(file) && file::is_file(file));
        beside.map_or_else(|| library.find(named), Ok)
    };
    let file = sources::found(&query).map_or_else(look, Ok)?;
    sources::note_found(&query, &file);
    Ok(file)
}

/// The number of an item, if it is in the range.
fn number(item: Option<&Item>, range: std::ops::RangeInclusive<f64>) -> Option<f64> {
    number_of(item?).filter(|x| range.contains(x))
}

/// `fade = 4` in seconds, or `fade = { beats = 8 }`.
fn fade(table: &dyn TableLike, check: &mut Checker) -> Option<Fade> {
    let item = table.get("fade")?;
    let of = |key: &str, unit| {
        let table = item.as_table_like().filter(|table| table.len() == 1)?;
        number(table.get(key), 0.0..=300.0).map(|length| Fade { length, unit })
    };
    let plain = number(Some(item), 0.0..=300.0).map(|length| Fade { length, unit: TimeBase::Seconds });
    let fade = plain.or_else(|| of("beats", TimeBase::Beats)).or_else(|| of("seconds", TimeBase::Seconds));
    if fade.is_none() {
        let message = "fade takes 0 to 300 seconds, such as 4, or beats, as { beats = 8 }; got ";
        check.report(item.span(), format!("{message}{}", describe(item)));
    }
    fade
}

fn quantize(table: &dyn TableLike, check: &mut Checker) -> Option<f64> {
    let item = table.get("quantize")?;
    let beats = number(Some(item), 0.0..=64.0);
    if beats.is_none() {
        check.report(item.span(), format!("quantize takes 0 to 64 beats; got {}", describe(item)));
    }
    beats
}

fn cue(table: &dyn TableLike, check: &mut Checker) -> Option<Cue> {
    check.only_keys(table, "in a cue", CUE_KEYS);
    let first = table.iter().next().and_then(|(key, _)| key_span(table, key));
    let when = match (table.get("at"), table.get("key")) {
        (Some(at), None) => match number(Some(at), 0.0..=100_000.0) {
            Some(beats) => When::At(beats),
            None => {
                check.report(at.span(), format!("at takes beats after the entry began; got {}", describe(at)));
                return None;
            }
        },
        (None, Some(item)) => match item.as_str().and_then(Key::from_name) {
            Some(key) => When::Key(key),
            None => {
                check
                    .report(item.span(), format!("key takes a key such as \"x\" or \"Space\"; got {}", describe(item)));
                return None;
            }
        },
        _ => {
            check.report(first, "a cue comes at a beat or on a key: at = 32, or key = \"x\"".to_owned());
            return None;
        }
    };
    let Some(writes) = check.table(table, "set") else {
        if table.get("set").is_none() {
            check.report(first, "a cue says what it writes: set = { \"/psi\" = 0.9 }".to_owned());
        }
        return None;
    };
    let writes = writes.iter().filter_map(|(address, item)| {
        value(address, item, key_span(writes, address), check).map(|value| (address.to_owned(), value))
    });
    let writes: Vec<_> = writes.collect();
    Some(Cue { when, writes })
}

/// The value to write to an address; `None` with a report if it cannot be.
fn value(address: &str, item: &Item, span: Option<std::ops::Range<usize>>, check: &mut Checker) -> Option<Value> {
    // The effects and modulators of presets come and go.
    let comes = ["/fx/", "/mod/"].iter().any(|prefix| address.starts_with(prefix));
    if comes && check.params().resolve(address).is_none() {
        let value = item.as_value();
        let value = value.and_then(|value| {
            let number = number_of(item).map(Value::Float);
            number
                .or_else(|| value.as_bool().map(Value::Bool))
                .or_else(|| value.as_str().map(|s| Value::Text(s.into())))
        });
        if value.is_none() {
            check.report(span, format!("{address} takes a number, a switch or a word; got {}", describe(item)));
        }
        return value;
    }
    let target = check.target(address, span.clone())?;
    if target.id.def().kind == Kind::Trigger {
        if item.as_bool() != Some(true) {
            check.report(item.span().or(span), format!("{target} is a trigger: write true; got {}", describe(item)));
            return None;
        }
        return Some(Value::Nothing);
    }
    typed(target, item).map_err(|message| check.report(item.span().or(span), message)).ok()
}

#[cfg(test)]
mod tests {
    use super::super::locate::test_folder;
    use super::*;

    const SET: &str = r#"
name = "Friday"
fade = { beats = 8 }
quantize = 4

[[entry]]
preset = "a"
note = "slow"
cues = [
    { key = "x", set = { "/seed/next" = true } },
    { at = 64, set = { "/psi" = 0.9, "/fx/trails/mix" = 1 } },
    { at = 32.5, set = { "/walk/kind" = "loop" } },
]

[[entry]]
preset = "b.toml"
fade = 2
quantize = 0
"#;

    #[test]
    fn a_set_is_read_as_written() {
        let folder = test_folder("set", &["a.toml", "b.toml", "friday.set.toml", "set.toml"]);
        std::fs::write(folder.join("friday.set.toml"), SET).unwrap();
        let library = Library::scan(&folder).unwrap();
        assert_eq!(library.names(), ["a", "b"], "set lists are no presets");
        let found = |name: &str, may| find(library.folders(), name, may);
        assert_eq!(found("Friday", false), Ok(folder.join("friday.set.toml")));
        assert_eq!(found("set", false), Ok(folder.join("set.toml")));
        let path = folder.join("friday.set.toml");
        assert_eq!(found(path.to_str().unwrap(), true), Ok(path.clone()));
        assert!(found(path.to_str().unwrap(), false).is_err() && found("fryday", true).is_err());
        let set = Set::read(&path, &library).unwrap();
        assert_eq!((set.name.as_str(), set.address.as_str()), ("Friday", "friday"));
        let elsewhere = folder.join("other/friday.set.toml");
        std::fs::create_dir(folder.join("other")).unwrap();
        for file in ["a.toml", "b.toml", "friday.set.toml"] {
            std::fs::copy(folder.join(file), elsewhere.with_file_name(file)).unwrap();
        }
        let other = Set::read(&elsewhere, &library).unwrap();
        assert_eq!(other.address, elsewhere.display().to_string(), "its name leads to the first one");
        let [a, b] = &set.entries[..] else { panic!("two entries") };
        assert_eq!((set.name.as_str(), a.note.as_str(), &a.file), ("Friday", "slow", &folder.join("a.toml")));
        let beats = |length| Some(Fade { length, unit: TimeBase::Beats });
        assert_eq!((a.fade, a.quantize, b.quantize), (beats(8.0), Some(4.0), Some(0.0)));
        assert_eq!(b.fade, Some(Fade { length: 2.0, unit: TimeBase::Seconds }));
        let when: Vec<When> = a.cues.iter().map(|cue| cue.when).collect();
        assert_eq!(when, [When::At(32.5), When::At(64.0), When::Key(Key::Char('x'))]);
        let second = [("/psi".to_owned(), Value::Float(0.9)), ("/fx/trails/mix".to_owned(), Value::Float(1.0))];
        assert_eq!((a.cues[1].writes.as_slice(), &a.cues[2].writes[0].1), (&second[..], &Value::Nothing));
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let folder = test_folder("wrong-set", &["a.toml"]);
        let library = Library::scan(&folder).unwrap();
        for (text, message) in [
            ("", "1:1: a set list takes 1 to 999 entries"),
            ("[[entry]]\npreset = \"aa\"", "2:10: no preset \"aa\""),
            ("[[entry]]\nnote = \"x\"", "2:1: an entry names its preset"),
            ("[[entry]]\npreset = \"a\"\nfade = \"long\"", "3:8: fade takes 0 to 300 seconds"),
            ("quantize = 99\n[[entry]]\npreset = \"a\"", "1:12: quantize takes 0 to 64 beats; got 99"),
            (
                "[[entry]]\npreset = \"a\"\ncues = [{ set = { \"/psi\" = 1 } }]",
                "3:11: a cue comes at a beat or on a key",
            ),
            (
                "[[entry]]\npreset = \"a\"\ncues = [{ at = 1, set = { \"/psy\" = 1 } }]",
                "3:27: \"/psy\" is not a parameter",
            ),
            (
                "[[entry]]\npreset = \"a\"\ncues = [{ at = 1, set = { \"/seed/next\" = 2 } }]",
                "3:42: /seed/next is a trigger",
            ),
            ("[[entry]]\npreset = \"a\"\ncues = [{ key = \"Pause\", set = {} }]", "3:17: key takes a key"),
        ] {
            let error = Set::parse(text, Path::new("f.set.toml"), &library).unwrap_err().headline();
            assert!(error.starts_with(&format!("f.set.toml:{message}")), "{text}: {error}");
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
