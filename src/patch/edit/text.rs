//! Places in a text: the block, the statement or the number under the cursor. Offsets are in bytes, lines count from 0.

use std::ops::Range;

use super::highlight::{Kind, Language, Token, tokens};

/// The byte offset of a character; the end of the text if there are fewer.
pub fn byte_of(text: &str, character: usize) -> usize {
    text.char_indices().nth(character).map_or(text.len(), |(at, _)| at)
}

/// The number of characters before a byte offset.
pub fn character_of(text: &str, byte: usize) -> usize {
    text[..byte.min(text.len())].chars().count()
}

/// The line that a byte offset is on.
pub fn line_of(text: &str, at: usize) -> usize {
    text[..at.min(text.len())].matches('\n').count()
}

/// The bytes of a line, without its line break; empty at the end if there are fewer lines.
pub fn line(text: &str, number: usize) -> Range<usize> {
    let start = match number {
        0 => 0,
        _ => text.match_indices('\n').nth(number - 1).map_or(text.len(), |(at, _)| at + 1),
    };
    start..start + text[start..].find('\n').unwrap_or(text.len() - start)
}

/// What opens and closes on each line, and whether a line ends in the middle of an expression.
struct Lines<'a> {
    text: &'a str,
    /// Offsets of the lines' starts.
    starts: Vec<usize>,
    /// By how much the nesting grows on each line.
    nesting: Vec<i32>,
    /// Whether there is nothing on the line, not even a part of a string or comment.
    is_blank: Vec<bool>,
    /// Whether the statement goes on on the next line.
    goes_on: Vec<bool>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str, language: Language) -> Lines<'a> {
        let starts: Vec<usize> = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let count = starts.len();
        let mut lines =
            Lines { text, starts, nesting: vec![0; count], is_blank: vec![true; count], goes_on: vec![false; count] };
        let all = tokens(text, language);
        let mut line = 0;
        let mut before: Option<&Token> = None;
        for token in &all {
            while lines.starts.get(line + 1).is_some_and(|start| *start <= token.range.start) {
                line += 1;
            }
            let last = (line..count).take_while(|i| lines.starts[*i] < token.range.end).last().unwrap_or(line);
            lines.is_blank[line..=last].fill(false);
            // Inside of a long string or comment, a line is no end.
            lines.goes_on[line..last].fill(true);
            let word = &text[token.range.clone()];
            lines.nesting[last] +=
                nesting(word, token.kind, before.map(|t| (&text[t.range.clone()], t.kind)), language);
            if token.kind != Kind::Comment {
                lines.goes_on[last] = language == Language::Luau && leads_on(word, token.kind);
                before = Some(token);
            }
        }
        lines
    }

    fn bytes(&self, lines: Range<usize>) -> Range<usize> {
        let end = self.starts.get(lines.end).map_or(self.text.len(), |next| next - 1);
        self.starts[lines.start]..end.max(self.starts[lines.start])
    }

    /// Whether what is open after a line is closed further down.
    fn closes_after(&self, line: usize, mut depth: i32) -> bool {
        (line..self.nesting.len()).any(|i| {
            depth += self.nesting[i];
            depth <= 0
        })
    }

    /// Blocks as ranges of lines: what stands between blank lines, but a function or table stays whole.
    fn blocks(&self) -> Vec<Range<usize>> {
        let mut blocks = Vec::new();
        let mut start = None;
        let mut depth = 0;
        for i in 0..self.starts.len() {
            if self.is_blank[i] {
                let is_open = depth > 0 && self.closes_after(i, depth);
                if let Some(first) = start.filter(|_| !is_open) {
                    blocks.push(first..i);
                    (start, depth) = (None, 0);
                }
                continue;
            }
            start.get_or_insert(i);
            depth += self.nesting[i];
        }
        blocks.extend(start.map(|first| first..self.last_line() + 1));
        blocks
    }

    fn last_line(&self) -> usize {
        self.is_blank.iter().rposition(|is_blank| !is_blank).unwrap_or(0)
    }

    fn line_of(&self, at: usize) -> usize {
        self.starts.partition_point(|start| *start <= at).saturating_sub(1)
    }
}

fn nesting(word: &str, kind: Kind, before: Option<(&str, Kind)>, language: Language) -> i32 {
    match (kind, word) {
        (Kind::Symbol, "(" | "{" | "[") => 1,
        (Kind::Symbol, ")" | "}" | "]") => -1,
        (Kind::Keyword, _) if language == Language::Wgsl => 0,
        (Kind::Keyword, "function" | "do" | "repeat") => 1,
        (Kind::Keyword, "end" | "until") => -1,
        // `x = if a then b else c` is an expression and has no end.
        (Kind::Keyword, "if") => i32::from(!before.is_some_and(|(word, kind)| leads_on(word, kind))),
        _ => 0,
    }
}

/// Whether an expression cannot end with this.
fn leads_on(word: &str, kind: Kind) -> bool {
    match kind {
        Kind::Symbol => !matches!(word, ")" | "]" | "}" | ";" | "."),
        Kind::Keyword => matches!(word, "and" | "or" | "not" | "return" | "in"),
        _ => false,
    }
}

/// The block around the cursor, as whole lines: what stands between blank lines. A function, a call with a function or a
/// table stays whole, whatever blank lines are in it. Right below a block, the cursor still belongs to it. `None` where
/// there is nothing.
pub fn block(text: &str, at: usize, language: Language) -> Option<Range<usize>> {
    let lines = Lines::new(text, language);
    let line = lines.line_of(at);
    let found = lines.blocks().into_iter().find(|block| (block.start..=block.end).contains(&line))?;
    Some(lines.bytes(found))
}

/// The statement on the line of the cursor, as whole lines: the line, and what belongs to it where it opens something or
/// ends with an operator. `None` on an empty line.
pub fn statement(text: &str, at: usize, language: Language) -> Option<Range<usize>> {
    let lines = Lines::new(text, language);
    let line = lines.line_of(at);
    let block = lines.blocks().into_iter().find(|block| block.contains(&line))?;
    let (mut start, mut depth) = (block.start, 0);
    for i in block.clone() {
        depth += lines.nesting[i];
        let is_over = depth <= 0 && !lines.goes_on[i];
        if i >= line && is_over {
            return Some(lines.bytes(start..i + 1));
        }
        if is_over {
            (start, depth) = (i + 1, 0);
        }
    }
    Some(lines.bytes(start..block.end))
}

/// The lines that a selection touches, as whole lines.
pub fn whole_lines(text: &str, selected: Range<usize>) -> Range<usize> {
    let start = line(text, line_of(text, selected.start)).start;
    // A selection that ends at the start of a line does not touch it.
    let last = if selected.end > selected.start && text[..selected.end].ends_with('\n') {
        selected.end - 1
    } else {
        selected.end
    };
    start..line(text, line_of(text, last)).end
}

/// A number in the text.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    pub range: Range<usize>,
    pub value: f64,
    /// Digits after the point.
    pub decimals: usize,
}

impl Number {
    /// The text of the number so many steps on: a step is 1 in its last digit, or with `is_fine` in the one after.
    pub fn stepped(&self, steps: f64, is_fine: bool) -> String {
        let decimals = self.decimals + usize::from(is_fine);
        let step = 10f64.powi(-(decimals as i32));
        let value = self.value + steps.round() * step;
        // No -0.
        let value = if value.abs() < step / 2.0 { 0.0 } else { value };
        format!("{value:.decimals$}")
    }
}

/// The number at a byte offset, in code or in a string such as a pattern. A minus belongs to it if it is a sign.
pub fn number(text: &str, at: usize, language: Language) -> Option<Number> {
    let all = tokens(text, language);
    let i = all.iter().position(|token| (token.range.start..=token.range.end).contains(&at) && is_numeric(token))?;
    let token = &all[i];
    let mut range = match token.kind {
        Kind::Number => token.range.clone(),
        _ => {
            let inside = |c: char| c.is_ascii_digit() || c == '.';
            let before = &text[token.range.start..at];
            let start = token.range.start + before.rfind(|c| !inside(c)).map_or(0, |i| i + 1);
            let rest = &text[at..token.range.end];
            start..at + rest.find(|c| !inside(c)).unwrap_or(rest.len())
        }
    };
    let is_sign = match token.kind {
        Kind::Number => {
            let is_minus = |token: &Token| &text[token.range.clone()] == "-" && token.range.end == range.start;
            let before = i.checked_sub(2).map(|i| &all[i]);
            let is_binary = before.is_some_and(|before| !leads_on(&text[before.range.clone()], before.kind));
            i > 0 && is_minus(&all[i - 1]) && !is_binary
        }
        _ => text[token.range.start..range.start].ends_with('-'),
    };
    range.start -= usize::from(is_sign);
    let digits = &text[range.clone()];
    let value: f64 = digits.trim_end_matches(['f', 'u', 'i', 'h']).parse().ok().filter(|x: &f64| x.is_finite())?;
    // Suffixes of WGSL stay as they are.
    range.end -= digits.len() - digits.trim_end_matches(['f', 'u', 'i', 'h']).len();
    let decimals = text[range.clone()].split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let is_plain = !text[range.clone()].contains(['e', 'E', 'x', 'X', '_']);
    is_plain.then_some(Number { range, value, decimals })
}

fn is_numeric(token: &Token) -> bool {
    matches!(token.kind, Kind::Number | Kind::Text)
}

/// The name that a line assigns to, such as `walk.speed` or `z[3]`.
pub fn assigned(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let is_part = |c: char| c.is_alphanumeric() || "_.[]".contains(c);
    let (name, rest) = line.split_at(line.find(|c| !is_part(c))?);
    let rest = rest.trim_start();
    let is_name = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    (is_name && rest.starts_with('=') && !rest.starts_with("==")).then_some(name)
}

/// The spaces with which a new line after the cursor begins: those of its line, and two more if something opens there.
pub fn indent_after(text: &str, at: usize, language: Language) -> String {
    let start = line(text, line_of(text, at)).start;
    let before = &text[start..at];
    let old = &before[..before.len() - before.trim_start().len()];
    let lines = Lines::new(before, language);
    let steps = match (language, lines.nesting[0] > 0) {
        (_, false) if !before.trim_end().ends_with("then") && before.trim() != "else" => "",
        (Language::Luau, _) => "  ",
        (Language::Wgsl, _) => "    ",
    };
    format!("{old}{steps}")
}

/// The text with these lines commented out, or in again if all of them are. Empty lines stay.
pub fn toggle_comment(text: &str, lines: Range<usize>, language: Language) -> String {
    let mark = match language {
        Language::Luau => "--",
        Language::Wgsl => "//",
    };
    let touched = &text[lines.clone()];
    let is_off = |line: &str| line.trim().is_empty() || line.trim_start().starts_with(mark);
    let all_off = touched.lines().all(is_off);
    let change = |line: &str| {
        let indent = line.len() - line.trim_start().len();
        match (line.trim().is_empty(), all_off) {
            (true, _) => line.to_owned(),
            (false, false) => format!("{}{mark} {}", &line[..indent], &line[indent..]),
            (false, true) => {
                let rest = line[indent..].trim_start_matches(mark);
                format!("{}{}", &line[..indent], rest.strip_prefix(' ').unwrap_or(rest))
            }
        }
    };
    let changed: Vec<String> = touched.split('\n').map(change).collect();
    format!("{}{}{}", &text[..lines.start], changed.join("\n"), &text[lines.end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "\
-- a patch
psi = sine(8)
walk.speed = 0.5 +
  0.2 * tri(4)

every(16, function()
  if psi() > 0.5 then

    walk.kind = pick(\"loop\", \"line\")
  end
end)
seed = 3

x = if y then 1 else 2

function frame(t)
  z[3] = t
";

    fn at(text: &str, word: &str) -> usize {
        text.find(word).unwrap()
    }

    #[test]
    fn a_block_stands_between_blank_lines_and_a_function_stays_whole() {
        let table = [
            ("psi = sine", "-- a patch", "0.2 * tri(4)"),
            ("0.2 *", "-- a patch", "0.2 * tri(4)"),
            ("walk.kind", "every(16", "seed = 3"),
            ("seed = 3", "every(16", "seed = 3"),
            ("x = if", "x = if", "else 2"),
            // Nothing closes it: it ends with its lines.
            ("z[3]", "function frame", "z[3] = t"),
        ];
        for (cursor, first, last) in table {
            let found = &PATCH[block(PATCH, at(PATCH, cursor), Language::Luau).unwrap()];
            assert!(found.starts_with(first) && found.ends_with(last), "{cursor}: {found:?}");
        }
        let below = at(PATCH, "\n\nevery") + 1;
        assert!(PATCH[block(PATCH, below, Language::Luau).unwrap()].ends_with("tri(4)"), "right below a block");
        assert_eq!(block("a = 1\n\n\n\nb = 2", 7, Language::Luau), None);
        assert_eq!(block("", 0, Language::Luau), None);
    }

    #[test]
    fn what_never_closes_takes_nothing_along() {
        let text = "every(4, function()\n  psi = 1\n\nseed = 3\n";
        assert_eq!(&text[block(text, 0, Language::Luau).unwrap()], "every(4, function()\n  psi = 1");
        assert_eq!(&text[block(text, at(text, "seed"), Language::Luau).unwrap()], "seed = 3");
        let broken = "psi = sine(8\n\nseed = 3\n";
        assert_eq!(&broken[block(broken, 0, Language::Luau).unwrap()], "psi = sine(8");
    }

    #[test]
    fn a_statement_is_a_line_and_what_belongs_to_it() {
        let table = [
            ("psi = sine", "psi = sine(8)"),
            ("walk.speed", "walk.speed = 0.5 +\n  0.2 * tri(4)"),
            ("0.2 *", "walk.speed = 0.5 +\n  0.2 * tri(4)"),
            ("seed = 3", "seed = 3"),
            ("z[3]", "function frame(t)\n  z[3] = t"),
        ];
        for (cursor, expected) in table {
            assert_eq!(&PATCH[statement(PATCH, at(PATCH, cursor), Language::Luau).unwrap()], expected);
        }
        let inner = &PATCH[statement(PATCH, at(PATCH, "walk.kind"), Language::Luau).unwrap()];
        assert!(inner.starts_with("every") && inner.ends_with("end)"), "{inner:?}");
        assert_eq!(statement("\n", 0, Language::Luau), None);
    }

    #[test]
    fn numbers_are_found_with_their_sign_and_digits() {
        let table = [
            ("psi = 0.75", "0.75", Some(("0.75", 2))),
            ("x = -3", "3", Some(("-3", 0))),
            ("x = 5-3", "3", Some(("3", 0))),
            ("x = a - 3", "3", Some(("3", 0))),
            ("f(-0.5)", "0.5", Some(("-0.5", 1))),
            ("seq(\"67 8.5 -2\")", "67", Some(("67", 0))),
            ("seq(\"67 8.5 -2\")", "8.5", Some(("8.5", 1))),
            ("seq(\"67 8.5 -2\")", "2\"", Some(("-2", 0))),
            ("z3 = 0x10", "0x10", None),
            ("seq(\"a b\")", "b", None),
            ("-- 3", "3", None),
        ];
        for (text, word, expected) in table {
            let found = number(text, at(text, word), Language::Luau);
            let found = found.as_ref().map(|n| (&text[n.range.clone()], n.decimals));
            assert_eq!(found, expected, "{text}");
        }
        let wgsl = "let x = 2.5f;";
        assert_eq!(&wgsl[number(wgsl, at(wgsl, "5"), Language::Wgsl).unwrap().range], "2.5");
    }

    #[test]
    fn a_number_keeps_its_digits_while_it_is_scrubbed() {
        let number = |text: &str| number(text, 0, Language::Luau).unwrap();
        assert_eq!(number("0.75").stepped(10.0, false), "0.85");
        assert_eq!(number("0.75").stepped(1.0, true), "0.751");
        assert_eq!(number("3").stepped(-4.4, false), "-1");
        assert_eq!(number("0.1").stepped(-1.0, false), "0.0");
    }

    #[test]
    fn names_that_lines_assign_to() {
        let table = [
            ("psi = 1", Some("psi")),
            ("  walk.speed=2", Some("walk.speed")),
            ("z[3] = t", Some("z[3]")),
            ("psi == 1", None),
            ("local x = 1", None),
            ("-- psi = 1", None),
            ("seed", None),
            ("", None),
        ];
        for (line, expected) in table {
            assert_eq!(assigned(line), expected, "{line}");
        }
    }

    #[test]
    fn lines_and_characters_are_counted() {
        let text = "aé\nb\n";
        assert_eq!((byte_of(text, 2), byte_of(text, 9), character_of(text, 3)), (3, 6, 2));
        assert_eq!((line_of(text, 3), line_of(text, 4), line_of(text, 6)), (0, 1, 2));
        assert_eq!([line(text, 0), line(text, 1), line(text, 2), line(text, 7)], [0..3, 4..5, 6..6, 6..6]);
        assert_eq!(whole_lines(text, 1..4), 0..3);
        assert_eq!(whole_lines(text, 1..5), 0..5);
    }

    #[test]
    fn a_new_line_is_indented_where_something_opens() {
        let table = [
            ("  psi = 1", "  "),
            ("every(4, function()", "  "),
            ("  if a then", "    "),
            ("x = {", "  "),
            ("f(1)", ""),
            ("else", "  "),
        ];
        for (text, expected) in table {
            assert_eq!(indent_after(text, text.len(), Language::Luau), expected, "{text}");
        }
        assert_eq!(indent_after("fn a() {", 8, Language::Wgsl), "    ");
    }

    #[test]
    fn comments_are_put_in_and_taken_out() {
        let text = "a = 1\n\n  b = 2\nc";
        let off = toggle_comment(text, 0..14, Language::Luau);
        assert_eq!(off, "-- a = 1\n\n  -- b = 2\nc");
        assert_eq!(toggle_comment(&off, 0..off.len() - 2, Language::Luau), text);
    }
}
