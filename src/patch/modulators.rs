//! The `[mod]` table of a preset: modulators, which move parameters automatically.
//!
//! ```toml
//! [mod]
//! breathe = { source = "sine", beats = 8, to = "/psi", depth = 0.3 }
//! hit     = { source = "audio.kick", to = ["/walk/speed", "/feedback/zoom"], depth = 0.5, smooth = 0.1 }
//! ```
//!
//! Read strictly, like the rest of a preset. An entry's numbers are the values of its rows in the table of parameters.

use std::ops::Range;

use toml_edit::{Array, InlineTable, Item, TableLike};

use super::check::{Checker, describe, did_you_mean, key_span, number_of};
use super::macros::MacroEdits;
use crate::modulate::modulator::{PREFIX, is_name};
use crate::modulate::route::{DEPTH, Response, SMOOTH};
use crate::modulate::source::{self, Kind, Knob, Polarity};
use crate::modulate::{KINDS, Modulator};
use crate::params::{Choice, Kind as Holds, Table, Target, Value, nearest_of};

/// The keys of every entry, besides its source's knobs.
const KEYS: [&str; 7] = ["source", "to", "depth", "curve", "smooth", "polarity", "seed"];

/// An entry, and its numbers for the knobs of [`Modulator::knobs`].
pub(super) type Entry = (Modulator, Vec<f64>);

/// What was changed in a preset while it plays: its modulators, which were added (or put in the place of one with the same
/// name) or removed, and its macros.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edits {
    added: Vec<Modulator>,
    removed: Vec<String>,
    pub macros: MacroEdits,
}

impl Edits {
    /// How many were added.
    pub fn len(&self) -> usize {
        self.added.len()
    }

    /// Whether the modulators are the preset's own.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    pub fn clear(&mut self) {
        *self = Edits::default();
    }

    pub fn add(&mut self, modulators: &[Modulator]) {
        for new in modulators {
            self.removed.retain(|name| *name != new.name);
            self.added.retain(|old| old.name != new.name);
            self.added.push(new.clone());
        }
    }

    /// Removes the modulator of this name, whether it was added or is one of the preset's `own`.
    ///
    /// # Errors
    /// With a message when there is none.
    pub fn remove(&mut self, name: &str, own: &[Modulator]) -> Result<(), String> {
        let playing = self.applied(own);
        if !playing.iter().any(|modulator| modulator.name == name) {
            let names: Vec<&str> = playing.iter().map(|modulator| modulator.name.as_str()).collect();
            let known = if names.is_empty() { "there is none".to_owned() } else { names.join(", ") };
            return Err(format!("no modulator \"{name}\" plays; {known}"));
        }
        self.added.retain(|added| added.name != name);
        if own.iter().any(|modulator| modulator.name == name) {
            self.removed.push(name.to_owned());
        }
        Ok(())
    }

    /// Forgets what `own` has by now, as after saving.
    pub fn settle(&mut self, own: &[Modulator]) {
        self.added.retain(|added| !own.contains(added));
        self.removed.retain(|name| own.iter().any(|modulator| modulator.name == *name));
    }

    /// The preset's own modulators as edited.
    pub fn applied(&self, own: &[Modulator]) -> Vec<Modulator> {
        let stays = |modulator: &&Modulator| {
            let name = &modulator.name;
            !self.removed.contains(name) && !self.added.iter().any(|added| added.name == *name)
        };
        own.iter().filter(stays).chain(&self.added).cloned().collect()
    }

    /// Brings `[mod]` up to date, except for the numbers.
    pub(super) fn write(&self, table: &mut dyn TableLike) {
        for name in &self.removed {
            table.remove(name);
        }
        for modulator in &self.added {
            table.insert(&modulator.name, toml_edit::value(entry_toml(modulator)));
        }
    }
}

/// An entry of `[mod]`, with only those numbers that say which knob of a group it uses.
fn entry_toml(modulator: &Modulator) -> InlineTable {
    let mut entry = InlineTable::new();
    entry.insert("source", modulator.word.as_str().into());
    if let Some(key) = modulator.kind.text {
        entry.insert(key.name, modulator.text.as_str().into());
    }
    for (group, &chosen) in modulator.kind.knobs.iter().zip(&modulator.chosen).filter(|(group, _)| group.len() > 1) {
        entry.insert(group[chosen].name, group[chosen].default.into());
    }
    let targets: Vec<String> = modulator.to.iter().map(Target::to_string).collect();
    match &targets[..] {
        [only] => entry.insert("to", only.as_str().into()),
        several => entry.insert("to", several.iter().map(String::as_str).collect::<Array>().into()),
    };
    if modulator.polarity != modulator.kind.polarity {
        entry.insert("polarity", Polarity::WORDS[modulator.polarity as usize].into());
    }
    if modulator.curve != Response::default() {
        entry.insert("curve", Response::WORDS[modulator.curve as usize].into());
    }
    // TOML has signed numbers.
    if let Some(seed) = modulator.seed.and_then(|seed| i64::try_from(seed).ok()) {
        entry.insert("seed", seed.into());
    }
    entry
}

/// Reads `[mod]`. Sources come first: modulators may move each other's knobs, in any order in the file.
///
/// From here on, the file may refer to the rows of its own modulators, but not to those of the current preset.
pub(super) fn read(table: Option<&dyn TableLike>, check: &mut Checker) -> Vec<Entry> {
    let listed = || table.into_iter().flat_map(|table| table.iter().map(move |(name, item)| (table, name, item)));
    let mut entries: Vec<Entry> = listed().filter_map(|(table, name, item)| entry(table, name, item, check)).collect();
    let rows: Vec<_> = entries.iter().flat_map(|(modulator, _)| modulator.rows()).collect();
    let others: Vec<_> = check.params().ids().filter(|id| id.def().address.starts_with(PREFIX)).collect();
    match check.params().changed(&others, &rows) {
        Ok(params) => check.set_params(params),
        Err(error) => check.report(None, error.to_string()),
    }
    for (modulator, _) in &mut entries {
        if let Some(item) = table.and_then(|table| table.get(&modulator.name)) {
            modulator.to = targets(item, &modulator.name, check);
        }
    }
    entries
}

/// The numbers of the entries as values of their rows.
pub(super) fn values<'a>(entries: &'a [Entry], params: &'a Table) -> impl Iterator<Item = (Target, Value)> + 'a {
    let rows = |modulator: &'a Modulator| modulator.knobs().map(|knob| params.row(&modulator.address(knob)));
    let one = move |(modulator, numbers): &'a Entry| rows(modulator).zip(numbers);
    entries.iter().flat_map(one).filter_map(|(row, number)| Some((row?.into(), Value::Float(*number))))
}

/// One entry, without its targets; `None`, with a report, if it is invalid.
fn entry(table: &dyn TableLike, name: &str, item: &Item, check: &mut Checker) -> Option<Entry> {
    let key = key_span(table, name);
    let known = check.problems.len();
    if !is_name(name) {
        let message = format!("a modulator's name is made of letters, digits, - and _, at most 32; got \"{name}\"");
        check.report(key, message);
        return None;
    }
    let Some(entry) = item.as_table_like() else {
        let message = format!(
            "{name} takes a table such as {{ source = \"sine\", beats = 8, to = \"/psi\" }}; got {}",
            describe(item)
        );
        check.report(item.span().or(key), message);
        return None;
    };
    let at = item.span().or(key);
    if entry.get("source").is_none() {
        check.report(at, format!("{name} has no source: add one, such as source = \"sine\""));
        return None;
    }
    let word = check.string(entry, "source")?;
    let Some(kind) = source::kind(&word) else {
        check.report(span_of(entry, "source"), unknown_source(&word));
        return None;
    };
    let knobs = kind.knobs.iter().copied().flatten().map(|knob| knob.name);
    let allowed: Vec<&str> = KEYS.into_iter().chain(knobs).chain(kind.text.map(|text| text.name)).collect();
    check.only_keys(entry, "in a modulator", &allowed);
    let mut numbers = vec![number(entry, &DEPTH, check), number(entry, &SMOOTH, check)];
    let chosen = chosen(entry, name, kind, at.clone(), check, &mut numbers);
    let text = text(entry, name, kind, at, check);
    let modulator = Modulator {
        name: name.to_owned(),
        kind,
        text,
        chosen,
        seed: seed(entry, check),
        polarity: word_of(entry, "polarity", Polarity::WORDS, check)
            .and_then(Polarity::from_word)
            .unwrap_or(kind.polarity),
        curve: word_of(entry, "curve", Response::WORDS, check).and_then(Response::from_word).unwrap_or_default(),
        to: Vec::new(),
        word,
    };
    (check.problems.len() == known).then_some((modulator, numbers))
}

fn span_of(entry: &dyn TableLike, key: &str) -> Option<Range<usize>> {
    entry.get(key).and_then(Item::span).or_else(|| key_span(entry, key))
}

fn unknown_source(word: &str) -> String {
    let words = || KINDS.iter().flat_map(|kind| kind.words.iter().copied());
    let hint = did_you_mean(nearest_of(word, words()));
    let list = words().collect::<Vec<_>>().join(", ");
    format!("source takes one of {list}, or the name of a signal such as audio.kick; got \"{word}\"{hint}")
}

/// The number for a knob, or its default.
fn number(entry: &dyn TableLike, knob: &Knob, check: &mut Checker) -> f64 {
    let Some(item) = entry.get(knob.name) else { return knob.default };
    number_of(item).filter(|x| (knob.min..=knob.max).contains(x)).unwrap_or_else(|| {
        let message = format!("{} takes a number from {} to {}; got {}", knob.name, knob.min, knob.max, describe(item));
        check.report(span_of(entry, knob.name), message);
        knob.default
    })
}

/// Which knob of each group the entry uses; their numbers are appended to `numbers`.
fn chosen(
    entry: &dyn TableLike,
    name: &str,
    kind: &Kind,
    at: Option<Range<usize>>,
    check: &mut Checker,
    numbers: &mut Vec<f64>,
) -> Vec<usize> {
    let mut chosen = Vec::new();
    for group in kind.knobs.iter() {
        let given: Vec<usize> = (0..group.len()).filter(|&i| entry.contains_key(group[i].name)).collect();
        let words = || group.iter().map(|knob| knob.name).collect::<Vec<_>>().join(" or ");
        if given.is_empty() && group.len() > 1 {
            check.report(at.clone(), format!("{name} takes {}: how long one cycle is", words()));
        }
        if let [_, second, ..] = *given {
            let message = format!("{name} takes {}, not both", words());
            check.report(key_span(entry, group[second].name), message);
        }
        let i = given.first().copied().unwrap_or(0);
        numbers.push(number(entry, &group[i], check));
        chosen.push(i);
    }
    chosen
}

/// The text that an entry of this kind must have.
fn text(entry: &dyn TableLike, name: &str, kind: &Kind, at: Option<Range<usize>>, check: &mut Checker) -> String {
    let Some(key) = kind.text else { return String::new() };
    if !entry.contains_key(key.name) {
        check.report(at, format!("{name} has no {}: add one, such as {} = {:?}", key.name, key.name, key.example));
        return String::new();
    }
    let Some(text) = check.string(entry, key.name) else { return String::new() };
    if let Err(message) = (key.check)(&text) {
        check.report(span_of(entry, key.name), message);
    }
    text
}

fn seed(entry: &dyn TableLike, check: &mut Checker) -> Option<u64> {
    let item = entry.get("seed")?;
    let seed = item.as_integer().and_then(|i| u64::try_from(i).ok());
    if seed.is_none() {
        check.report(span_of(entry, "seed"), format!("seed takes a whole number from 0; got {}", describe(item)));
    }
    seed
}

/// One of several words.
fn word_of<'a>(entry: &'a dyn TableLike, key: &str, words: &[&str], check: &mut Checker) -> Option<&'a str> {
    let item = entry.get(key)?;
    let word = item.as_str().filter(|word| words.contains(word));
    if word.is_none() {
        let hint = did_you_mean(item.as_str().and_then(|word| nearest_of(word, words.iter().copied())));
        let message = format!("{key} takes one of {}; got {}{hint}", words.join(", "), describe(item));
        check.report(span_of(entry, key), message);
    }
    word
}

/// The parameters that an entry moves: one address, or a list of them.
fn targets(entry: &Item, name: &str, check: &mut Checker) -> Vec<Target> {
    let Some(item) = entry.get("to") else {
        check.report(entry.span(), format!("{name} moves nothing: add an address, such as to = \"/psi\""));
        return Vec::new();
    };
    let whole = item.span();
    let one = item.as_str().map(|address| vec![(address, item.span())]);
    let list = || {
        let values = item.as_array()?.iter();
        values.map(|value| Some((value.as_str()?, value.span()))).collect::<Option<Vec<_>>>()
    };
    let Some(addresses) = one.or_else(list).filter(|addresses| !addresses.is_empty()) else {
        check.report(whole, format!("to takes an address or a list of addresses; got {}", describe(item)));
        return Vec::new();
    };
    let mut targets = Vec::new();
    for (address, span) in addresses {
        let span = span.or_else(|| whole.clone());
        let Some(target) = check.target(address, span.clone()) else { continue };
        if !matches!(target.id.def().kind, Holds::Float { .. } | Holds::Int { .. }) {
            check.report(span, format!("{target} is not a number: modulators move numbers"));
        } else if targets.contains(&target) {
            check.report(span, format!("{target} is already in the list"));
        } else {
            targets.push(target);
        }
    }
    targets
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::preset::Preset;
    use crate::modulate::Modulator;
    use crate::modulate::route::Response;
    use crate::modulate::source::Polarity;
    use crate::params::Id;

    fn read(text: &str) -> Vec<Modulator> {
        Preset::parse(text, Path::new("p.toml")).unwrap().modulators
    }

    #[test]
    fn a_complete_entry_is_read() {
        let read = read(
            r#"[mod]
            breathe = { source = "sine", beats = 8, to = "/psi", depth = 0.3 }
            hit = { source = "audio.kick", to = ["/walk/speed", "/feedback/zoom"], depth = 0.5, smooth = 0.1, curve = "square" }
            [mod.wander]
            source = "smooth-random"
            seconds = 2.5
            phase = 0.25
            polarity = "unipolar"
            seed = 7
            to = "/z/3""#,
        );
        let said: Vec<_> = read.iter().map(|m| (m.name.as_str(), m.polarity, m.curve, m.seed, m.to.len())).collect();
        assert_eq!(
            said,
            [
                ("breathe", Polarity::Bipolar, Response::Linear, None, 1),
                ("hit", Polarity::Unipolar, Response::Square, None, 2),
                ("wander", Polarity::Unipolar, Response::Linear, Some(7), 1),
            ]
        );
        assert_eq!(read[0].to, [Id::Psi.into()]);
        let knobs: Vec<Vec<&str>> = read.iter().map(|m| m.knobs().map(|knob| knob.name).collect()).collect();
        assert_eq!(
            knobs,
            [
                vec!["depth", "smooth", "beats", "phase"],
                vec!["depth", "smooth"],
                vec!["depth", "smooth", "seconds", "phase"]
            ]
        );
    }

    #[test]
    fn each_mistake_names_its_place_and_the_right_word() {
        let waves = "sine, triangle, saw, square, sample-hold, smooth-random, random-walk, chaos, envelope, steps";
        let table = [
            ("mod = 3", "p.toml:1:7: [mod] takes a table; got 3".to_owned()),
            (
                "[mod]\n\"a b\" = {}",
                "p.toml:2:1: a modulator's name is made of letters, digits, - and _, at most 32; got \"a b\"".to_owned(),
            ),
            (
                "[mod]\na = \"sine\"",
                "p.toml:2:5: a takes a table such as { source = \"sine\", beats = 8, to = \"/psi\" }; got \"sine\"".to_owned(),
            ),
            (
                "[mod]\na = { to = \"/psi\" }",
                "p.toml:2:5: a has no source: add one, such as source = \"sine\"".to_owned(),
            ),
            (
                "[mod]\na = { source = \"sien\", to = \"/psi\" }",
                format!(
                    "p.toml:2:16: source takes one of {waves}, or the name of a signal such as audio.kick; got \"sien\"; did you mean \"sine\"?"
                ),
            ),
            ("[mod]\na = { source = 3, to = \"/psi\" }", "p.toml:2:16: source takes a quoted string; got 3".to_owned()),
            (
                "[mod]\na = { source = \"sine\", to = \"/psi\" }",
                "p.toml:2:5: a takes seconds or beats: how long one cycle is".to_owned(),
            ),
            (
                "[mod]\na = { source = \"sine\", seconds = 1, beats = 4, to = \"/psi\" }",
                "p.toml:2:37: a takes seconds or beats, not both".to_owned(),
            ),
            (
                "[mod]\na = { source = \"sine\", beats = 0, to = \"/psi\" }",
                "p.toml:2:32: beats takes a number from 0.0625 to 256; got 0".to_owned(),
            ),
            (
                "[mod]\na = { source = \"sine\", beats = 4, to = \"/psi\", depth = 2 }",
                "p.toml:2:56: depth takes a number from -1 to 1; got 2".to_owned(),
            ),
            (
                "[mod]\na = { source = \"audio.kick\", beats = 4, to = \"/psi\" }",
                "p.toml:2:30: unknown key \"beats\" in a modulator, which takes source, to, depth, curve, smooth, polarity, seed".to_owned(),
            ),
            (
                "[mod]\na = { source = \"sine\", beats = 4, to = \"/psi\", curve = \"sqare\" }",
                "p.toml:2:56: curve takes one of linear, square, root, smooth; got \"sqare\"; did you mean \"square\"?".to_owned(),
            ),
            (
                "[mod]\na = { source = \"sine\", beats = 4, to = \"/psi\", polarity = 1 }",
                "p.toml:2:59: polarity takes one of unipolar, bipolar; got 1".to_owned(),
            ),
            (
                "[mod]\na = { source = \"sine\", beats = 4, to = \"/psi\", seed = -1 }",
                "p.toml:2:55: seed takes a whole number from 0; got -1".to_owned(),
            ),
            (
                "[mod]\na = { source = \"envelope\", to = \"/psi\" }",
                "p.toml:2:5: a has no on: add one, such as on = \"audio.kick\"".to_owned(),
            ),
            (
                "[mod]\na = { source = \"envelope\", on = \"note 300\", to = \"/psi\" }",
                "p.toml:2:33: on takes the name of a signal such as audio.kick, a note such as note 36, or beat; got \"note 300\"".to_owned(),
            ),
            (
                "[mod]\na = { source = \"steps\", steps = \"1 [0\", to = \"/psi\" }",
                "p.toml:2:33: the pattern \"1 [0\" has its end at character 5; expected a closing ]".to_owned(),
            ),
            (
                "[mod]\na = { source = \"sine\", beats = 4 }",
                "p.toml:2:5: a moves nothing: add an address, such as to = \"/psi\"".to_owned(),
            ),
            (
                "[mod]\na = { source = \"sine\", beats = 4, to = [] }",
                "p.toml:2:40: to takes an address or a list of addresses; got a list of 0".to_owned(),
            ),
            (
                "[mod]\na = { source = \"sine\", beats = 4, to = [\"/psi\", \"/psy\"] }",
                "p.toml:2:49: \"/psy\" is not a parameter; did you mean \"/psi\"?".to_owned(),
            ),
            (
                "[mod]\na = { source = \"sine\", beats = 4, to = [\"/psi\", \"/psi\"] }",
                "p.toml:2:49: /psi is already in the list".to_owned(),
            ),
            (
                "[mod]\na = { source = \"sine\", beats = 4, to = \"/walk/kind\" }",
                "p.toml:2:40: /walk/kind is not a number: modulators move numbers".to_owned(),
            ),
            (
                "[mod.a]\nsource = \"sine\"\nbeats = 4\nto = \"/seed/next\"",
                "p.toml:4:6: /seed/next is not a number: modulators move numbers".to_owned(),
            ),
        ];
        for (text, message) in table {
            let error = Preset::parse(text, Path::new("p.toml")).expect_err(text).to_string();
            assert_eq!(error, message, "{text}");
        }
    }
}
