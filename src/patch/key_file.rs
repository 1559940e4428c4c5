//! The player's own keys: a TOML file that says what keys do.
//!
//! ```toml
//! "g" = "/seed/next"                     # fires a trigger, flips a switch, chooses the next word
//! "x" = { to = "/psi", value = 0.9 }     # sets
//! "Up" = { to = "/psi", step = 0.01 }    # moves; held, it repeats
//! "f" = "none"                           # does nothing
//! "Ctrl G" = "fullscreen"                # an action of the window
//! ```
//!
//! Keys that are not named stay as they are. One that leaves full screen has to remain. Read strictly and as a whole, like a preset. Accesses the disk.

use std::ops::Range;
use std::path::{Path, PathBuf};

use toml_edit::{Document, Item, TableLike};

use super::check::{Checker, describe, did_you_mean, key_span, number_of, typed};
use super::folders::Folders;
use super::preset::{PresetError, Reading, read_text};
use crate::control::keys::{Does, Key, Keys, OwnBinding, TENS, WAYS_BACK, window_words};
use crate::file;
use crate::file::sources::{self, Sources};
use crate::params::{Kind, Table, Value, nearest_of};

/// Its name in the folders of presets.
pub const NAME: &str = "keys.toml";

const KEYS: &[&str] = &["to", "value", "step"];

/// A file of keys, checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyFile {
    pub path: PathBuf,
    pub bindings: Vec<OwnBinding>,
    /// What it was read from.
    pub sources: Sources,
}

/// The file of keys: that of the show's folder, or else the player's own. `None` if there is none.
pub fn find(folders: &Folders) -> Option<PathBuf> {
    folders.places().map(|place| place.join(NAME)).find(|path| file::is_file(path))
}

/// Whether a file holds keys, so that it is no preset.
pub fn is_keys(file: &Path) -> bool {
    file.file_name().is_some_and(|name| name.eq_ignore_ascii_case(NAME))
}

impl KeyFile {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read, or is not a valid file of keys: with all problems, in file order.
    pub fn read(path: &Path, table: &Table, folders: &Folders) -> Result<KeyFile, PresetError> {
        let (read, sources) = sources::observe(|| KeyFile::parse(&read_text(path)?, path, table, folders));
        read.map(|file| KeyFile { sources, ..file })
    }

    fn parse(text: &str, path: &Path, table: &Table, folders: &Folders) -> Result<KeyFile, PresetError> {
        let reading = Reading::new(table, folders);
        let mut check = Checker::new(text, &reading);
        let mut bindings = Vec::new();
        match Document::parse(text) {
            Ok(document) => bindings = read(document.as_table(), &mut check),
            Err(error) => check.report(error.span(), error.message().replace('\n', ", ")),
        }
        let mut problems = check.problems;
        problems.sort_by_key(|p| (p.line, p.column));
        match problems.is_empty() {
            true => Ok(KeyFile { path: path.to_owned(), bindings, sources: Sources::default() }),
            false => Err(PresetError::Wrong { path: path.to_owned(), problems }),
        }
    }
}

fn read(table: &dyn TableLike, check: &mut Checker) -> Vec<OwnBinding> {
    let mut bindings: Vec<OwnBinding> = Vec::new();
    for (name, item) in table.iter() {
        let span = key_span(table, name);
        let Some(key) = Key::from_name(name) else {
            check.report(span, format!("no key \"{name}\": a key is {}", Key::NAMES));
            continue;
        };
        if bindings.iter().any(|known| known.key == key) {
            check.report(span, format!("the key {key} is named already"));
        } else if let Some(does) = does(item, span, check) {
            bindings.push(OwnBinding { key, does });
        }
    }
    keep_a_way_back(table, &bindings, check);
    bindings
}

/// Without a key that leaves full screen, nobody would get out of it.
fn keep_a_way_back(table: &dyn TableLike, bindings: &[OwnBinding], check: &mut Checker) {
    let mut keys = Keys::default();
    let leads_back = |keys: &Keys, key| keys.window(key).is_some_and(|word| WAYS_BACK.contains(&word));
    let taken: Vec<Key> = bindings.iter().map(|own| own.key).filter(|key| leads_back(&keys, *key)).collect();
    keys.set_own(bindings.into());
    let mut left = bindings.iter().map(|own| own.key).chain(keys.as_listed().map(|binding| binding.key));
    if left.any(|key| leads_back(&keys, key)) {
        return;
    }
    let last = table.iter().map(|(name, _)| name).filter(|name| Key::from_name(name) == taken.last().copied()).last();
    let [back, fullscreen] = WAYS_BACK;
    let named: Vec<String> = taken.iter().map(Key::to_string).collect();
    let message = format!(
        "no key would leave full screen any more ({} did): give one \"{back}\" or \"{fullscreen}\"",
        named.join(", ")
    );
    check.report(last.and_then(|name| key_span(table, name)), message);
}

fn does(item: &Item, span: Option<Range<usize>>, check: &mut Checker) -> Option<Does> {
    if let Some(word) = item.as_str() {
        if word == "none" {
            return Some(Does::Nothing);
        }
        if word == TENS {
            return Some(Does::Tens);
        }
        if let Some(known) = window_words().find(|known| *known == word) {
            return Some(Does::Window(known));
        }
        if !word.starts_with('/') {
            let words = window_words().chain([TENS, "none"]);
            let hint = did_you_mean(nearest_of(word, words.clone()));
            let known: Vec<&str> = words.collect();
            let message = format!("a key takes an address, or one of {}; got \"{word}\"{hint}", known.join(", "));
            check.report(item.span().or(span), message);
            return None;
        }
        known(word, item.span().or(span), check)?;
        return Some(Does::Press(word.to_owned()));
    }
    let Some(table) = item.as_table_like() else {
        let message = format!(
            "a key takes an address, or a table such as {{ to = \"/psi\", value = 0.9 }}; got {}",
            describe(item)
        );
        check.report(item.span().or(span), message);
        return None;
    };
    check.only_keys(table, "of a key", KEYS);
    let Some(to) = check.string(table, "to") else {
        if table.get("to").is_none() {
            check.report(span, "a key says what it plays: to = \"/psi\"".to_owned());
        }
        return None;
    };
    known(&to, table.get("to").and_then(Item::span).or_else(|| span.clone()), check)?;
    match (table.get("value"), table.get("step")) {
        (None, None) => Some(Does::Press(to)),
        (Some(value), None) => {
            let value = set_value(&to, value, span, check)?;
            Some(Does::Set(to, value))
        }
        (None, Some(step)) => {
            let number = number_of(step).filter(|x| x.is_finite());
            let target = check.params().resolve(&to);
            let is_number =
                target.is_none_or(|target| matches!(target.id.def().kind, Kind::Float { .. } | Kind::Int { .. }));
            match number.filter(|x| *x != 0.0 && is_number) {
                Some(number) => Some(Does::Step(to, number)),
                None => {
                    let message = format!(
                        "step takes a number other than 0, for a parameter that is a number; got {} for {to}",
                        describe(step)
                    );
                    check.report(step.span().or(span), message);
                    None
                }
            }
        }
        (Some(_), Some(step)) => {
            check.report(step.span().or(span), "a key has a value or a step, not both".to_owned());
            None
        }
    }
}

/// Whether an address is a parameter, or will be one with its effect or modulator.
fn known(address: &str, span: Option<Range<usize>>, check: &mut Checker) -> Option<()> {
    if ["/fx/", "/mod/"].iter().any(|prefix| address.starts_with(prefix)) {
        return Some(());
    }
    check.target(address, span).map(|_| ())
}

fn set_value(to: &str, item: &Item, span: Option<Range<usize>>, check: &mut Checker) -> Option<Value> {
    let read = match check.params().resolve(to) {
        Some(target) if target.id.def().kind == Kind::Trigger => Err(format!("{to} is a trigger and takes no value")),
        // A preset's number is a name too.
        Some(target) if matches!(target.id.def().kind, Kind::Text { .. }) && item.as_integer().is_some() => {
            Ok(Value::Int(item.as_integer().unwrap_or_default()))
        }
        Some(target) => typed(target, item),
        None => {
            let value = item.as_value();
            let word = || value.and_then(|value| value.as_str()).map(|word| Value::Text(word.to_owned()));
            let switch = || value.and_then(|value| value.as_bool()).map(Value::Bool);
            let read = number_of(item).map(Value::Float).or_else(switch).or_else(word);
            read.ok_or_else(|| format!("{to} takes a number, a switch or a word; got {}", describe(item)))
        }
    };
    read.map_err(|message| check.report(item.span().or(span), message)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<OwnBinding>, String> {
        let read = KeyFile::parse(text, Path::new("keys.toml"), Table::built_in(), &Folders::default());
        read.map(|file| file.bindings).map_err(|error| error.headline())
    }

    #[test]
    fn keys_are_read_as_written() {
        let read = parse(
            "\"g\" = '/seed/next'\nX = { to = '/psi', value = 0.5 }\nup = { to = '/fx/trails/mix', step = -0.1 }\n'1' = { to = '/preset', value = 12 }\nspace = 'none'\n\"9\" = 'fullscreen'\nF5 = 'list'\nEscape = '/panic'\n\"ctrl+shift+e\" = 'tens'",
        );
        let bind = |key, does| OwnBinding { key, does };
        let expected = [
            bind(Key::Char('g'), Does::Press("/seed/next".into())),
            bind(Key::Char('x'), Does::Set("/psi".into(), Value::Float(0.5))),
            bind(Key::Up, Does::Step("/fx/trails/mix".into(), -0.1)),
            bind(Key::Char('1'), Does::Set("/preset".into(), Value::Int(12))),
            bind(Key::Space, Does::Nothing),
            bind(Key::Char('9'), Does::Window("fullscreen")),
            bind(Key::Function(5), Does::Window("list")),
            bind(Key::Escape, Does::Press("/panic".into())),
            bind(Key::CtrlShift('e'), Does::Tens),
        ];
        assert_eq!(read.as_deref(), Ok(&expected[..]));
    }

    #[test]
    fn a_way_out_of_full_screen_remains() {
        for text in ["f = 'none'\nF11 = 'none'", "f = 'none'\nF11 = 'none'\nescape = '/psi'\nq = 'back'"] {
            assert!(parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        for (text, message) in [
            ("gg = '/psi'", "1:1: no key \"gg\""),
            ("g = '/psy'", "1:5: \"/psy\" is not a parameter; did you mean \"/psi\"?"),
            ("g = 'fulscreen'", "1:5: a key takes an address, or one of stage, hud, "),
            ("g = '/psi'\nG = '/psi'", "2:1: the key G is named already"),
            ("\"Ctrl Left\" = '/psi'", "1:1: no key \"Ctrl Left\": a key is one character, or Space, "),
            (
                "f = 'none'\nF11 = '/tap'\nescape = '/psi'",
                "3:1: no key would leave full screen any more (F, F11, Escape did): give one \"back\" or \"fullscreen\"",
            ),
            ("g = { to = '/psi', value = 'wild' }", "1:28: /psi takes a number from -1 to 2"),
            ("g = { to = '/seed/next', value = 1 }", "1:34: /seed/next is a trigger and takes no value"),
            ("g = { to = '/walk/kind', step = 1 }", "1:33: step takes a number other than 0"),
            ("g = { value = 1 }", "1:1: a key says what it plays"),
            ("g = 4", "1:5: a key takes an address, or a table"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.starts_with(&format!("keys.toml:{message}")), "{text}: {error}");
        }
    }
}
