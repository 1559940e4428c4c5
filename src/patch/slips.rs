//! Slips that are easy to make in a preset and hard to see: what the TOML parser stumbles over, said in plain words.

/// Quotes that word processors, chats and phones put in.
const CURLY: &str = "\u{201c}\u{201d}\u{201e}\u{201f}\u{2018}\u{2019}\u{201a}\u{201b}\u{ab}\u{bb}\u{2033}\u{ff02}";

/// The slip in the line of the byte `at`, where the parser stopped: its place in bytes, and what to write instead.
pub fn find(text: &str, at: usize) -> Option<(usize, String)> {
    let at = (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at))?;
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let (place, message) = curly(line).or_else(|| bare(line)).or_else(|| comma(line))?;
    Some((start + place, message))
}

/// The characters outside quoted strings and comments, with their places.
fn outside(line: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let mut quote = None;
    line.char_indices()
        .take_while({
            let mut quote = None;
            move |(_, c)| {
                quote = after(quote, *c);
                quote.is_some() || *c != '#'
            }
        })
        .filter(move |(_, c)| {
            let was = quote;
            quote = after(quote, *c);
            was.is_none() && quote.is_none()
        })
}

/// The open quote after this character.
fn after(quote: Option<char>, c: char) -> Option<char> {
    match quote {
        Some(open) if open == c => None,
        None if matches!(c, '"' | '\'') => Some(c),
        quote => quote,
    }
}

fn curly(line: &str) -> Option<(usize, String)> {
    let (place, c) = outside(line).find(|(_, c)| CURLY.contains(*c))?;
    Some((place, format!("write straight quotes (\") instead of {c}")))
}

/// An address, a control or a path without quotes.
fn bare(line: &str) -> Option<(usize, String)> {
    let equals = outside(line).find(|(_, c)| *c == '=').map(|(place, _)| place)?;
    let key = line[..equals].trim();
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !key.is_empty() && !key.contains(['"', '\'', '[', '{']) && !key.chars().all(is_bare) {
        let place = line.len() - line.trim_start().len();
        return Some((place, format!("write the key in quotes: \"{key}\" = ...")));
    }
    let value = &line[equals + 1..];
    let place = equals + 1 + (value.len() - value.trim_start().len());
    let word: String =
        value.trim_start().chars().take_while(|c| !c.is_whitespace() && !",}]#\"'".contains(*c)).collect();
    word.starts_with(['/', '~']).then(|| (place, format!("write the value in quotes: \"{word}\"")))
}

/// A decimal comma right behind an equals sign.
fn comma(line: &str) -> Option<(usize, String)> {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    outside(line).filter(|(_, c)| *c == '=').find_map(|(equals, _)| {
        let value = line[equals + 1..].trim_start();
        let place = line.len() - value.len();
        let sign = usize::from(value.starts_with(['-', '+']));
        let whole = sign + digits(&value[sign..]);
        let fraction = value[whole..].strip_prefix(',').map(digits).filter(|&count| count > 0 && whole > sign)?;
        let (before, after) = (&value[..whole], &value[whole + 1..whole + 1 + fraction]);
        Some((place, format!("write {before}.{after} with a point, not {before},{after}")))
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::preset::Preset;

    #[test]
    fn each_slip_is_said_where_it_is() {
        for (text, message) in [
            ("[params]\n/psi = 0.7", "p.toml:2:1: write the key in quotes: \"/psi\" = ..."),
            ("[params]\n  /walk/speed=1 # slow", "p.toml:2:3: write the key in quotes: \"/walk/speed\" = ..."),
            ("[midi]\ncc 21 = \"/psi\"", "p.toml:2:1: write the key in quotes: \"cc 21\" = ..."),
            ("[midi]\n\"cc 21\" = /psi", "p.toml:2:11: write the value in quotes: \"/psi\""),
            ("network = ~/nets/a.pkl", "p.toml:1:11: write the value in quotes: \"~/nets/a.pkl\""),
            ("[params]\n\"/psi\" = 0,55", "p.toml:2:10: write 0.55 with a point, not 0,55"),
            ("[params]\n\"/psi\" = -0,5 # \"it\"", "p.toml:2:10: write -0.5 with a point, not -0,5"),
            (
                "[mod]\na = { source = \"sine\", depth = 0,1, to = \"/psi\" }",
                "p.toml:2:32: write 0.1 with a point, not 0,1",
            ),
            ("name = \u{201c}dusk\u{201d}", "p.toml:1:8: write straight quotes (\") instead of \u{201c}"),
            ("[params]\n\u{201e}/psi\u{201c} = 0.5", "p.toml:2:1: write straight quotes (\") instead of \u{201e}"),
            (
                "[params]\n\"/psi\" = 0.5\n\u{2018}/seed\u{2019} = 1",
                "p.toml:3:1: write straight quotes (\") instead of \u{2018}",
            ),
        ] {
            assert_eq!(Preset::parse(text, Path::new("p.toml")).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn what_is_right_is_left_alone() {
        let text = "name = \"it\u{2019}s 0,5 #1\" # \u{201c}0,5\u{201d} /psi = 1\n[params]\n\"/z\" = [0,5]\n";
        assert_eq!(Preset::parse(text, Path::new("p.toml")).unwrap().name, "it\u{2019}s 0,5 #1");
        // Other mistakes keep the parser's own words.
        let error = Preset::parse("name = \"it\u{2019}s\" x", Path::new("p.toml")).unwrap_err().to_string();
        assert!(!error.contains("straight"), "{error}");
    }
}
