//! The `[macro]` table of a preset: what the eight macros move.
//!
//! ```toml
//! [macro]
//! 1 = "/psi"
//! 2 = { name = "rush", to = ["/walk/speed", "/fx/trails/zoom"], range = [0.0, 1.0] }
//! 3 = { name = "melt", to = ["/style/feedback", { to = "/feedback/zoom", range = [1.0, 1.3] }] }
//! ```
//!
//! Read strictly, like the rest of a preset.

mod edits;

use std::ops::Range;

pub use edits::MacroEdits;
use toml_edit::{Item, TableLike, Value as Toml};

use super::check::{Checker, describe, describe_value, key_span, number};
use crate::control::mapping::macros::MACROS;
use crate::control::mapping::{MacroEntry, MacroTarget};

const KEYS: &[&str] = &["name", "to", "range"];
/// The keys of one of several targets.
const TARGET_KEYS: &[&str] = &["to", "range"];
const TAKES: &str = "an address such as \"/psi\", a list of them, or a table such as { to = \"/psi\", range = [0.2, 1.0], name = \"depth\" }";

/// Reads `[macro]`; effects and modulators come first, as macros may move their parameters.
pub(super) fn read(table: &dyn TableLike, check: &mut Checker) -> Vec<MacroEntry> {
    let mut entries: Vec<MacroEntry> = Vec::new();
    for (key, item) in table.iter() {
        let span = key_span(table, key);
        let number = key.parse::<usize>().ok().filter(|number| (1..=MACROS).contains(number));
        let Some(number) = number.filter(|_| !key.starts_with(['0', '+'])) else {
            check.report(span, format!("[macro] takes the numbers 1 to {MACROS}; got \"{key}\""));
            continue;
        };
        let known = check.problems.len();
        let entry = entry(number - 1, item, span, check);
        entries.extend(entry.filter(|_| check.problems.len() == known));
    }
    entries
}

fn entry(number: usize, item: &Item, key: Option<Range<usize>>, check: &mut Checker) -> Option<MacroEntry> {
    let at = item.span().or_else(|| key.clone());
    let Some(table) = item.as_table_like() else {
        let to = item.as_value().and_then(|value| targets(value, None, at.clone(), check));
        if to.is_none() {
            check.report(at, format!("macro {} takes {TAKES}; got {}", number + 1, describe(item)));
        }
        return Some(MacroEntry::new(number, "", to?));
    };
    check.only_keys(table, "in a macro", KEYS);
    let name = check.string(table, "name").unwrap_or_default();
    let range = table.get("range").and_then(|range| range_of(range.as_value(), range.span(), check));
    let Some(to) = table.get("to") else {
        check.report(at, format!("macro {} moves nothing: add an address, such as to = \"/psi\"", number + 1));
        return None;
    };
    let span = to.span().or(at);
    match to.as_value().and_then(|value| targets(value, range, span.clone(), check)) {
        Some(to) => Some(MacroEntry::new(number, name.trim(), to)),
        None => {
            check.report(span, format!("to takes an address or a list of addresses; got {}", describe(to)));
            None
        }
    }
}

/// One address, or a list of addresses and tables with a range of their own; `None` for anything else.
fn targets(
    value: &Toml,
    range: Option<[f64; 2]>,
    span: Option<Range<usize>>,
    check: &mut Checker,
) -> Option<Vec<MacroTarget>> {
    let mut to: Vec<MacroTarget> = Vec::new();
    let one = std::slice::from_ref(value);
    let list: Vec<&Toml> = value.as_array().map_or_else(|| one.iter().collect(), |list| list.iter().collect());
    for value in list {
        let span = value.span().or_else(|| span.clone());
        let (address, range) = match value {
            Toml::String(address) => (address.value().as_str(), range),
            Toml::InlineTable(table) => {
                check.only_keys(table, "in a target of a macro", TARGET_KEYS);
                let address = table.get("to")?.as_str()?;
                let own = table.get("range");
                (address, own.and_then(|own| range_of(Some(own), own.span(), check)).or(range))
            }
            _ => return None,
        };
        let Some(target) = check.target(address, span.clone()) else { continue };
        match MacroTarget::new(target, range) {
            _ if to.iter().any(|known| known.target == target) => {
                check.report(span, format!("{target} is already in the list"));
            }
            Ok(target) => to.push(target),
            Err(error) => check.report(span, error.to_string()),
        }
    }
    Some(to)
}

/// The values at both ends.
fn range_of(value: Option<&Toml>, span: Option<Range<usize>>, check: &mut Checker) -> Option<[f64; 2]> {
    let numbers: Option<Vec<f64>> = value.and_then(Toml::as_array).and_then(|list| list.iter().map(number).collect());
    match numbers.as_deref() {
        Some(&[from, to]) => Some([from, to]),
        _ => {
            let found = value.map_or_else(|| "a table".to_owned(), describe_value);
            check.report(span, format!("range takes two numbers, such as [0.2, 1.0]; got {found}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::preset::Preset;
    use super::*;
    use crate::params::{Id, Target};

    fn read(lines: &str) -> Result<Vec<MacroEntry>, String> {
        let preset = Preset::parse(&format!("[macro]\n{lines}"), Path::new("p.toml"));
        preset.map(|preset| preset.macros).map_err(|error| error.to_string())
    }

    #[test]
    fn entries_are_read_with_their_names_and_ranges() {
        let lines = r#"
            1 = "/walk/speed"
            3 = { name = "rush", to = ["/psi", { to = "/z/3", range = [1, -1] }], range = [0.0, 1.0] }
            8 = { to = [], name = "free" }
            [macro.2]
            to = "/walk/kind"
        "#;
        let entries = read(lines).unwrap();
        let target = |target: Target, range| MacroTarget::new(target, range).unwrap();
        let z3 = Target { id: Id::Z, index: 3 };
        let expected = [
            MacroEntry::new(0, "walk speed", vec![target(Id::WalkSpeed.into(), None)]),
            MacroEntry::new(2, "rush", vec![target(Id::Psi.into(), Some([0.0, 1.0])), target(z3, Some([1.0, -1.0]))]),
            MacroEntry::new(7, "free", Vec::new()),
            MacroEntry::new(1, "walk kind", vec![target(Id::WalkKind.into(), None)]),
        ];
        assert_eq!(entries, expected);
    }

    #[test]
    fn mistakes_are_located() {
        let table = [
            ("9 = \"/psi\"", "p.toml:2:1: [macro] takes the numbers 1 to 8; got \"9\""),
            ("01 = \"/psi\"", "p.toml:2:1: [macro] takes the numbers 1 to 8; got \"01\""),
            ("1 = \"/psy\"", "p.toml:2:5: \"/psy\" is not a parameter; did you mean \"/psi\"?"),
            (
                "1 = 0.5",
                "p.toml:2:5: macro 1 takes an address such as \"/psi\", a list of them, or a table such as { to = \"/psi\", range = [0.2, 1.0], name = \"depth\" }; got 0.5",
            ),
            ("1 = { name = \"a\" }", "p.toml:2:5: macro 1 moves nothing: add an address, such as to = \"/psi\""),
            ("1 = { to = 3 }", "p.toml:2:12: to takes an address or a list of addresses; got 3"),
            (
                "1 = { to = \"/psi\", rnage = [0, 1] }",
                "p.toml:2:20: unknown key \"rnage\" in a macro, which takes name, to, range; did you mean \"range\"?",
            ),
            (
                "1 = { to = \"/psi\", range = [0, 3] }",
                "p.toml:2:12: range [0, 3] is not a valid range for /psi, which goes from -1 to 2",
            ),
            ("1 = { to = \"/psi\", range = 1 }", "p.toml:2:28: range takes two numbers, such as [0.2, 1.0]; got 1"),
            ("1 = [\"/psi\", \"/psi\"]", "p.toml:2:14: /psi is already in the list"),
            ("1 = \"/macro/2\"", "p.toml:2:5: /macro/2 is a macro: macros do not move each other"),
            ("1 = \"/seed/next\"", "p.toml:2:5: /seed/next is no number: macros move numbers"),
        ];
        for (line, message) in table {
            assert_eq!(read(line).unwrap_err(), message, "{line}");
        }
    }
}
