//! Strict checks for presets: where a mistake is, and what would be right.
//!
//! A live write is coerced and clamped; a file is not. All the problems of a file are collected, so that one reading
//! shows them all.

use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use toml_edit::{Item, TableLike, Value as Toml};

use super::folders::Folders;
use super::preset::{Problem, Reading};
use crate::control::mapping::MidiOptions;
use crate::params::{Id, Kind, Table, Target, Value, nearest_of};

/// Collects the problems of one file.
pub(super) struct Checker<'a> {
    text: &'a str,
    reading: &'a Reading<'a>,
    /// Extended by the rows of the file itself.
    extended: Option<Arc<Table>>,
    /// Starts of addresses that belong to what is missing at the moment, and are passed over.
    absent: Vec<String>,
    pub problems: Vec<Problem>,
}

impl<'a> Checker<'a> {
    pub fn new(text: &'a str, reading: &'a Reading<'a>) -> Self {
        Checker { text, reading, extended: None, absent: Vec::new(), problems: Vec::new() }
    }

    /// Where the files that it names are looked for.
    pub fn folders(&self) -> &'a Folders {
        self.reading.folders
    }

    /// Whether this address is passed over if it is no parameter.
    pub fn skips(&self, address: &str) -> bool {
        self.reading.skips_unknown || self.absent.iter().any(|start| address.starts_with(start))
    }

    /// Passes over addresses that start like this, if they are no parameters.
    pub fn skip(&mut self, start: String) {
        self.absent.push(start);
    }

    /// The parameters that the file may name.
    pub fn params(&self) -> &Table {
        self.extended.as_deref().unwrap_or(self.reading.table)
    }

    /// Replaces the parameters that the file may name.
    pub fn set_params(&mut self, table: Arc<Table>) {
        self.extended = Some(table);
    }

    /// Notes a problem at the start of `span`, or at the start of the file if the parser gives no location.
    pub fn report(&mut self, span: Option<Range<usize>>, message: String) {
        let (line, column) = position(self.text, span.map_or(0, |s| s.start));
        self.problems.push(Problem { line, column, message });
    }

    /// Reports every key of `table` that is not in `allowed`.
    pub fn only_keys(&mut self, table: &dyn TableLike, place: &str, allowed: &[&str]) {
        for (key, item) in table.iter().filter(|(key, _)| !allowed.contains(key)) {
            let hint = did_you_mean(nearest_of(key, allowed.iter().copied()));
            let message = format!("unknown key \"{key}\" {place}, which takes {}{hint}", allowed.join(", "));
            self.report(key_span(table, key).or_else(|| item.span()), message);
        }
    }

    /// The table under `key`; `None` when it is missing, or, with a report, when it is something else.
    pub fn table<'t>(&mut self, table: &'t dyn TableLike, key: &str) -> Option<&'t dyn TableLike> {
        let item = table.get(key)?;
        if item.as_table_like().is_none() {
            self.report(item.span(), format!("[{key}] takes a table; got {}", describe(item)));
        }
        item.as_table_like()
    }

    /// The string under `key`; `None` when it is missing, or, with a report, when it is something else.
    pub fn string(&mut self, table: &dyn TableLike, key: &str) -> Option<String> {
        let item = table.get(key)?;
        if item.as_str().is_none() {
            self.report(item.span(), format!("{key} takes a quoted string; got {}", describe(item)));
        }
        item.as_str().map(str::to_owned)
    }

    /// The parameter at `address`; an unknown one is reported at `span`, unless they are passed over.
    pub fn target(&mut self, address: &str, span: Option<Range<usize>>) -> Option<Target> {
        let target = self.params().resolve(address);
        if target.is_none() && !self.skips(address) {
            self.report(span, unknown_address(address, self.params()));
        }
        target
    }
}

/// The keys of an entry of `[midi]` or `[osc]`.
const ENTRY_KEYS: &[&str] = &["to", "range", "curve", "invert", "takeover", "relative", "mode", "value"];

impl Checker<'_> {
    /// Parses an entry of `[midi]` or `[osc]`: an address, or a table. Mistakes are reported at their location.
    pub fn entry(&mut self, item: &Item, key_span: Option<Range<usize>>) -> Option<MidiOptions> {
        let known = self.problems.len();
        if let Some(table) = item.as_table_like() {
            self.only_keys(table, "in an entry", ENTRY_KEYS);
        }
        let inside = item.is_value().then(|| item.span()).flatten();
        // The text of a sub-table is not a value; its mistakes are reported at its start.
        let text = match inside.clone().and_then(|span| self.text.get(span)) {
            Some(text) => text.to_owned(),
            None => item.clone().into_value().ok()?.to_string(),
        };
        let read = toml::de::ValueDeserializer::parse(&text).and_then(MidiOptions::deserialize);
        if let Err(error) = &read
            && self.problems.len() == known
        {
            let place = inside.map(|span| span.start + error.span().map_or(0, |s| s.start));
            let span = place.map(|start| start..start).or_else(|| item.span()).or(key_span);
            self.report(span, error.message().replace('\n', ", "));
        }
        read.ok().filter(|_| self.problems.len() == known)
    }
}

/// The span of the key itself.
pub(super) fn key_span(table: &dyn TableLike, key: &str) -> Option<Range<usize>> {
    table.key(key).and_then(toml_edit::Key::span)
}

/// `; did you mean "x"?`, or nothing.
pub(super) fn did_you_mean(candidate: Option<&str>) -> String {
    candidate.map(|c| format!("; did you mean \"{c}\"?")).unwrap_or_default()
}

/// Line and column of a byte, both counted from 1, columns in characters.
pub(super) fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |i| i + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

fn unknown_address(address: &str, table: &Table) -> String {
    let family = table.iter().find(|def| {
        let stem = def.address.trim_end_matches("<n>");
        def.count > 1 && address.strip_prefix(stem).is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
    });
    match family {
        Some(def) => format!("\"{address}\" is not a parameter: {} takes n from 0 to {}", def.address, def.count - 1),
        None => format!("\"{address}\" is not a parameter{}", did_you_mean(table.nearest(address))),
    }
}

/// Describes any TOML item in a few words.
pub(super) fn describe(item: &Item) -> String {
    match item {
        Item::Value(value) => describe_value(value),
        Item::Table(_) | Item::ArrayOfTables(_) => "a table".to_owned(),
        Item::None => "nothing".to_owned(),
    }
}

pub(super) fn describe_value(value: &Toml) -> String {
    match value {
        Toml::String(s) => format!("{:?}", s.value()),
        Toml::Integer(i) => i.value().to_string(),
        Toml::Float(x) => format!("{:?}", x.value()),
        Toml::Boolean(b) => b.value().to_string(),
        Toml::Datetime(d) => format!("the date {}", d.value()),
        Toml::Array(a) => format!("a list of {}", a.len()),
        Toml::InlineTable(_) => "a table".to_owned(),
    }
}

/// The number of a value, whole or not.
pub(super) fn number(value: &Toml) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|i| i as f64))
}

/// As [`number`], of an item.
pub(super) fn number_of(item: &Item) -> Option<f64> {
    item.as_value().and_then(number)
}

/// A value from the file as the parameter's kind.
///
/// # Errors
/// The message for the player: what the parameter takes, what the file says, and the nearest valid word.
pub(super) fn typed(target: Target, item: &Item) -> Result<Value, String> {
    let def = target.id.def();
    let wrong = || format!("{target} takes {}; got {}", def.expects(), describe(item));
    let Some(value) = item.as_value() else { return Err(wrong()) };
    match def.kind {
        Kind::Float { min, max, .. } => {
            number(value).filter(|x| (min..=max).contains(x)).map(Value::Float).ok_or_else(wrong)
        }
        // By its name, which the network knows once it plays.
        Kind::Int { .. } if names_style(target) && value.as_str().is_some_and(|word| !word.trim().is_empty()) => {
            Ok(Value::Text(value.as_str().unwrap_or_default().to_owned()))
        }
        Kind::Int { min, max, .. } => {
            value.as_integer().filter(|i| (min..=max).contains(i)).map(Value::Int).ok_or_else(wrong)
        }
        Kind::Bool { .. } => {
            // As the table of parameters and the headers of effects write them.
            let word = || ["off", "on"].iter().position(|word| value.as_str() == Some(word)).map(|at| at == 1);
            let switch = value.as_bool().or_else(word).map(Value::Bool);
            switch.ok_or_else(|| format!("{target} takes true or false; got {}", describe(item)))
        }
        Kind::Choice { options, .. } => match value.as_str() {
            Some(word) if options.contains(&word) => Ok(Value::Text(word.to_owned())),
            Some(word) => Err(wrong() + &did_you_mean(nearest_of(word, options.iter().copied()))),
            None => Err(wrong()),
        },
        Kind::Text { .. } => value.as_str().map(|s| Value::Text(s.to_owned())).ok_or_else(wrong),
        Kind::Vector { max_len } => vector(value, max_len).ok_or_else(wrong),
        Kind::Trigger => Err(format!("{target} is a trigger and has no value: map it under [midi] or [osc] instead")),
    }
}

/// Whether a parameter is the number of a style, which may be written by its name.
pub(super) fn names_style(target: Target) -> bool {
    matches!(target.id, Id::StyleA | Id::StyleB)
}

fn vector(value: &Toml, max_len: usize) -> Option<Value> {
    let list = value.as_array().filter(|a| a.len() <= max_len)?;
    let single = |value: &Toml| number(value).map(|x| x as f32).filter(|x| x.is_finite());
    list.iter().map(single).collect::<Option<Vec<f32>>>().map(Value::List)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_style_has_a_number_or_a_name() {
        let read = |target: Id, value: toml_edit::Value| typed(target.into(), &Item::Value(value));
        assert_eq!(read(Id::StyleA, "starry".into()), Ok(Value::Text("starry".to_owned())));
        assert_eq!(read(Id::StyleB, 7.into()), Ok(Value::Int(7)));
        assert!(read(Id::StyleA, " ".into()).is_err() && read(Id::StyleA, 256.into()).is_err());
        assert!(read(Id::StylePasses, "two".into()).is_err(), "only styles have names");
    }

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        assert_eq!(position("", 0), (1, 1));
        assert_eq!(position("ab\ncd", 4), (2, 2));
        assert_eq!(position("é = 1", 2), (1, 2));
        assert_eq!(position("ab\n", 99), (2, 1));
    }

    #[test]
    fn a_switch_takes_words() {
        for (word, value) in [("on", Some(true)), ("off", Some(false)), ("of", None)] {
            let typed = typed(crate::params::Id::Freeze.into(), &toml_edit::value(word));
            assert_eq!(typed.ok(), value.map(Value::Bool), "{word}");
        }
    }

    #[test]
    fn a_number_past_a_family_names_the_family() {
        assert_eq!(
            unknown_address("/z/2000", Table::built_in()),
            "\"/z/2000\" is not a parameter: /z/<n> takes n from 0 to 1023"
        );
        assert_eq!(unknown_address("/psy", Table::built_in()), "\"/psy\" is not a parameter; did you mean \"/psi\"?");
    }
}
