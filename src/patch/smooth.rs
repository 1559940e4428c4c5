//! The `[smooth]` table of a preset: how fast parameters follow what is written, in seconds.
//!
//! ```toml
//! [smooth]
//! "/psi" = 0          # at once, for hits
//! "/walk/speed" = 2.5
//! ```

use toml_edit::TableLike;

use super::check::{Checker, describe, key_span, number_of};
use crate::params::{Kind, Target};

/// The longest time constant, in seconds.
const LONGEST_SECS: f64 = 60.0;

/// Reads `[smooth]`; effects and modulators come first, as it may name their parameters.
pub(super) fn read(table: &dyn TableLike, check: &mut Checker) -> Vec<(Target, f64)> {
    let mut smooth: Vec<(Target, f64)> = Vec::new();
    for (address, item) in table.iter() {
        let span = key_span(table, address);
        let Some(target) = check.target(address, span.clone()) else { continue };
        if !matches!(target.id.def().kind, Kind::Float { .. }) {
            check.report(span, format!("{target} has no steps in between: only numbers with fractions are smoothed"));
        } else if smooth.iter().any(|(known, _)| *known == target) {
            check.report(span, format!("{target} already has a time"));
        } else if let Some(secs) = number_of(item).filter(|secs| (0.0..=LONGEST_SECS).contains(secs)) {
            smooth.push((target, secs));
        } else {
            let message = format!("{target} is smoothed by 0 to {LONGEST_SECS} seconds; got {}", describe(item));
            check.report(item.span().or(span), message);
        }
    }
    smooth
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::preset::Preset;
    use crate::params::{Id, Target};

    #[test]
    fn times_are_read_and_mistakes_located() {
        let read = |lines: &str| Preset::parse(&format!("[smooth]\n{lines}"), Path::new("p.toml"));
        let preset = read("\"/psi\" = 0\n\"/z/3\" = 2.5").unwrap();
        assert_eq!(preset.smooth, [(Id::Psi.into(), 0.0), (Target { id: Id::Z, index: 3 }, 2.5)]);
        for (line, message) in [
            ("\"/psi\" = -1", "p.toml:2:10: /psi is smoothed by 0 to 60 seconds; got -1"),
            ("\"/psi\" = \"slow\"", "p.toml:2:10: /psi is smoothed by 0 to 60 seconds; got \"slow\""),
            ("\"/seed\" = 1", "p.toml:2:1: /seed has no steps in between: only numbers with fractions are smoothed"),
            ("\"/psy\" = 1", "p.toml:2:1: \"/psy\" is not a parameter; did you mean \"/psi\"?"),
        ] {
            assert_eq!(read(line).unwrap_err().to_string(), message, "{line}");
        }
    }
}
