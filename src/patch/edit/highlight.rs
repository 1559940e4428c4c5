//! Code as a list of coloured pieces: a lexer for Luau and for WGSL.
//!
//! It never fails: what it does not know is a symbol, and an unfinished string or comment reaches to the end of its line or
//! of the text. Ranges are in bytes.

use std::ops::Range;

use super::complete::Words;

/// What a text is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    Luau,
    Wgsl,
}

/// What a piece of code is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Comment,
    /// A string.
    Text,
    Number,
    Keyword,
    /// A parameter, or a group of them.
    Parameter,
    /// A function, a method of signals, or anything else that is called.
    Function,
    Type,
    Name,
    Symbol,
}

/// A piece of code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub range: Range<usize>,
    pub kind: Kind,
}

const LUAU_WORDS: [&str; 22] = [
    "and", "break", "continue", "do", "else", "elseif", "end", "false", "for", "function", "if", "in", "local", "nil",
    "not", "or", "repeat", "return", "then", "true", "until", "while",
];

const WGSL_WORDS: [&str; 24] = [
    "alias",
    "break",
    "case",
    "const",
    "continue",
    "continuing",
    "default",
    "discard",
    "else",
    "enable",
    "false",
    "fn",
    "for",
    "if",
    "let",
    "loop",
    "override",
    "return",
    "struct",
    "switch",
    "true",
    "var",
    "while",
    "const_assert",
];

const WGSL_TYPES: [&str; 9] = ["f32", "f16", "i32", "u32", "bool", "array", "atomic", "ptr", "sampler"];

/// The keywords of a language.
pub fn keywords(language: Language) -> &'static [&'static str] {
    match language {
        Language::Luau => &LUAU_WORDS,
        Language::Wgsl => &WGSL_WORDS,
    }
}

/// The pieces of `text`, in order, without spaces. A name in Luau includes what follows its dots: `walk.speed`.
pub fn tokens(text: &str, language: Language) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (len, kind) = match language {
            Language::Luau => luau(&text[at..], c),
            Language::Wgsl => wgsl(&text[at..], c),
        };
        tokens.push(Token { range: at..at + len, kind });
        at += len;
    }
    tokens
}

/// As [`tokens`], with what the names mean: parameters and functions of the instrument, and what is called.
pub fn coloured(text: &str, language: Language, words: &Words) -> Vec<Token> {
    let mut tokens = tokens(text, language);
    for i in 0..tokens.len() {
        if tokens[i].kind != Kind::Name {
            continue;
        }
        let name = &text[tokens[i].range.clone()];
        let is_called = text[tokens[i].range.end..].starts_with('(');
        let is_method = i > 0 && text[..tokens[i].range.start].ends_with(':');
        let kind = match language {
            Language::Luau if is_method => Kind::Function,
            Language::Luau if words.is_parameter(name) => Kind::Parameter,
            Language::Luau if words.is_function(name) || is_called => Kind::Function,
            Language::Wgsl if is_type(name) => Kind::Type,
            Language::Wgsl if is_called => Kind::Function,
            Language::Wgsl if text[..tokens[i].range.start].ends_with("p.") => Kind::Parameter,
            _ => Kind::Name,
        };
        tokens[i].kind = kind;
    }
    tokens
}

fn is_type(name: &str) -> bool {
    let is_shaped = |stem: &str| {
        let rest = name.strip_prefix(stem).unwrap_or_default();
        rest.starts_with(|c: char| ('2'..='4').contains(&c))
    };
    WGSL_TYPES.contains(&name) || is_shaped("vec") || is_shaped("mat") || name.starts_with("texture_")
}

fn luau(text: &str, first: char) -> (usize, Kind) {
    if let Some(rest) = text.strip_prefix("--") {
        let len = long_bracket(rest).map_or_else(|| line_len(text), |len| len + 2);
        return (len, Kind::Comment);
    }
    match first {
        '"' | '\'' | '`' => (quoted(text, first), Kind::Text),
        '[' if let Some(len) = long_bracket(text) => (len, Kind::Text),
        c if starts_number(text, c) => (number(text), Kind::Number),
        c if starts_name(c) => {
            let mut len = name_len(text);
            // `walk.speed` is one name; `a..b` is two.
            while text[len..].starts_with('.') && text[len + 1..].starts_with(starts_name) {
                len += 1 + name_len(&text[len + 1..]);
            }
            let kind = if LUAU_WORDS.contains(&&text[..len]) { Kind::Keyword } else { Kind::Name };
            (len, kind)
        }
        c => (c.len_utf8(), Kind::Symbol),
    }
}

fn wgsl(text: &str, first: char) -> (usize, Kind) {
    // Directives to the instrument stand out from other comments.
    if text.starts_with("//@") {
        return (line_len(text), Kind::Keyword);
    }
    if text.starts_with("//") {
        return (line_len(text), Kind::Comment);
    }
    if text.starts_with("/*") {
        return (block_comment(text), Kind::Comment);
    }
    match first {
        '@' => (1 + name_len(&text[1..]), Kind::Keyword),
        c if starts_number(text, c) => (number(text), Kind::Number),
        c if starts_name(c) => {
            let len = name_len(text);
            let kind = if WGSL_WORDS.contains(&&text[..len]) { Kind::Keyword } else { Kind::Name };
            (len, kind)
        }
        c => (c.len_utf8(), Kind::Symbol),
    }
}

fn starts_name(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn name_len(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len())
}

fn starts_number(text: &str, first: char) -> bool {
    let is_digit = |c: char| c.is_ascii_digit();
    is_digit(first) || first == '.' && text[1..].starts_with(is_digit)
}

fn number(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_hex = bytes.len() > 1 && bytes[0] == b'0' && matches!(bytes[1], b'x' | b'X' | b'b' | b'B');
    let mut len = 0;
    while let Some(&byte) = bytes.get(len) {
        let is_exponent = !is_hex && len > 0 && matches!(bytes[len - 1], b'e' | b'E');
        let is_point = byte == b'.' && bytes.get(len + 1) != Some(&b'.');
        let goes_on = byte.is_ascii_alphanumeric() || byte == b'_' || is_point;
        if !(goes_on || is_exponent && matches!(byte, b'+' | b'-')) {
            break;
        }
        len += 1;
    }
    len
}

fn line_len(text: &str) -> usize {
    text.find('\n').unwrap_or(text.len())
}

/// A string in quotes; it ends with its line unless it is interpolated.
fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' if quote != '`' && !is_escaped => return at,
            c if c == quote && !is_escaped => return at + 1,
            _ => {}
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    text.len()
}

/// `[[ ... ]]` or `[==[ ... ]==]`.
fn long_bracket(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('[')?;
    let level = rest.len() - rest.trim_start_matches('=').len();
    rest[level..].strip_prefix('[')?;
    let close = format!("]{}]", "=".repeat(level));
    let start = level + 2;
    Some(text[start..].find(&close).map_or(text.len(), |at| start + at + close.len()))
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::Kind::*;
    use super::*;
    use crate::params::Table;

    fn split(text: &str, language: Language) -> Vec<(&str, Kind)> {
        let mut words = Words::default();
        words.set_table(Table::built_in());
        coloured(text, language, &words).into_iter().map(|token| (&text[token.range], token.kind)).collect()
    }

    #[test]
    fn luau_is_split_into_its_pieces() {
        let table: [(&str, &[(&str, Kind)]); 8] = [
            (
                "psi = 0.7 + .3 * sine(8) -- é",
                &[
                    ("psi", Parameter),
                    ("=", Symbol),
                    ("0.7", Number),
                    ("+", Symbol),
                    (".3", Number),
                    ("*", Symbol),
                    ("sine", Function),
                    ("(", Symbol),
                    ("8", Number),
                    (")", Symbol),
                    ("-- é", Comment),
                ],
            ),
            (
                "walk.speed = bass:range(",
                &[
                    ("walk.speed", Parameter),
                    ("=", Symbol),
                    ("bass", Name),
                    (":", Symbol),
                    ("range", Function),
                    ("(", Symbol),
                ],
            ),
            (
                "x = \"a\\\"b\" .. 'c",
                &[("x", Name), ("=", Symbol), ("\"a\\\"b\"", Text), (".", Symbol), (".", Symbol), ("'c", Text)],
            ),
            ("\"open\nif", &[("\"open", Text), ("if", Keyword)]),
            ("--[[ a\n\nb ]] end", &[("--[[ a\n\nb ]]", Comment), ("end", Keyword)]),
            ("[==[ ]] ]==]", &[("[==[ ]] ]==]", Text)]),
            ("1e-3 0xff 1..2", &[("1e-3", Number), ("0xff", Number), ("1", Number), (".", Symbol), (".2", Number)]),
            (
                "z[3] = a.b",
                &[("z", Parameter), ("[", Symbol), ("3", Number), ("]", Symbol), ("=", Symbol), ("a.b", Name)],
            ),
        ];
        for (text, expected) in table {
            let mut found = split(text, Language::Luau);
            // What is a function depends on whether live code is built in.
            found.iter_mut().filter(|(name, _)| *name == "bass").for_each(|(_, kind)| *kind = Name);
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn wgsl_is_split_into_its_pieces() {
        let text = "//@ step draw\n@fragment fn draw(uv: vec2f) -> f32 { /* a /* b */ */ return sin(p.size * 2.5f); }";
        let found = split(text, Language::Wgsl);
        let expected = [
            ("//@ step draw", Keyword),
            ("@fragment", Keyword),
            ("fn", Keyword),
            ("draw", Function),
            ("vec2f", Type),
            ("f32", Type),
            ("/* a /* b */ */", Comment),
            ("return", Keyword),
            ("sin", Function),
            ("size", Parameter),
            ("2.5f", Number),
        ];
        for piece in expected {
            assert!(found.contains(&piece), "{piece:?} in {found:?}");
        }
    }

    #[test]
    fn whatever_is_typed_every_byte_that_is_no_space_is_in_one_piece() {
        let texts = ["--[", "\"\\", "`a\n{b}`", "a.", "0x", "1e", "/* /*", "@", "ö = é.ü", "]]--[=[\n", "'\n'", "..."];
        for language in [Language::Luau, Language::Wgsl] {
            for text in texts {
                let mut last = 0;
                for token in tokens(text, language) {
                    assert!(text[last..token.range.start].trim().is_empty() && !token.range.is_empty(), "{text:?}");
                    last = token.range.end;
                }
                assert!(text[last..].trim().is_empty(), "{text:?}");
            }
        }
    }
}
