//! The parser of the mini-notation: recursive descent over bytes, with bounded depth.
//!
//! ```text
//! pattern  = sequence {"," sequence} | sequence {"|" sequence}
//! sequence = {step}
//! step     = term {mod} | "~" | "-" | "_" | "!"
//! term     = word | number [".." number] | "[" pattern "]" | "<" pattern ">" | "{" pattern "}" ["%" arg]
//! mod      = "*" arg | "/" arg | "@" number | "!" [int] | "?" [number] | "(" arg "," arg ["," arg] ")"
//! arg      = number | "<" pattern ">" | "[" pattern "]"
//! ```

use std::sync::Arc;

use super::{Atom, Factor, Fraction, Node, Pattern, Step};

/// Longest pattern in bytes.
const MAX_TEXT: usize = 4096;
/// Deepest nesting of brackets.
const MAX_DEPTH: usize = 32;
/// Most steps that one `..` or `!` adds.
const MAX_REPEATS: i64 = 1024;

/// Why a text is not a pattern.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("the pattern {text:?} has {found} at character {at}; expected {expected}")]
    Syntax { text: String, at: usize, found: String, expected: &'static str },
    #[error("the pattern {text:?}: {problem}")]
    Number { text: String, problem: &'static str },
    #[error("a pattern has at most {MAX_TEXT} characters and {MAX_DEPTH} levels of brackets")]
    TooLong,
    #[error("the pattern has more than {} events in a cycle", super::MAX_EVENTS)]
    TooMany,
}

pub(super) fn parse(text: &str) -> Result<Pattern, PatternError> {
    if text.len() > MAX_TEXT {
        return Err(PatternError::TooLong);
    }
    let mut parser = Parser { text, at: 0, depth: 0, values: Vec::new() };
    let root = parser.pattern()?;
    if parser.at < text.len() {
        return Err(parser.expected("a step, or the end"));
    }
    Ok(Pattern { root: Arc::new(root), values: parser.values.into() })
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    values: Vec<Atom>,
}

/// The steps of a sequence while it is read.
#[derive(Default)]
struct Steps(Vec<Step>);

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn take(&mut self, c: char) -> bool {
        let is_next = self.peek() == Some(c);
        self.at += if is_next { c.len_utf8() } else { 0 };
        is_next
    }

    fn skip_space(&mut self) {
        while let Some(c) = self.peek().filter(|c| c.is_whitespace()) {
            self.at += c.len_utf8();
        }
    }

    fn expected(&self, expected: &'static str) -> PatternError {
        let found = self.peek().map_or_else(|| "its end".to_owned(), |c| format!("{c:?}"));
        let at = self.text[..self.at.min(self.text.len())].chars().count() + 1;
        PatternError::Syntax { text: self.text.to_owned(), at, found, expected }
    }

    fn wrong(&self, problem: &'static str) -> PatternError {
        PatternError::Number { text: self.text.to_owned(), problem }
    }

    fn close(&mut self, bracket: char, expected: &'static str) -> Result<(), PatternError> {
        self.skip_space();
        if self.take(bracket) { Ok(()) } else { Err(self.expected(expected)) }
    }

    fn pattern(&mut self) -> Result<Node, PatternError> {
        let position = self.at as u64;
        let (mut nodes, separator) = self.sequences()?;
        Ok(match separator {
            Some('|') => Node::Random(nodes.into_iter().map(Node::Sequence).collect(), position),
            Some(_) => Node::Stack(nodes.into_iter().map(Node::Sequence).collect()),
            None => nodes.pop().map_or(Node::Rest, Node::Sequence),
        })
    }

    /// Sequences separated by `,` or `|`, not both.
    fn sequences(&mut self) -> Result<(Vec<Vec<Step>>, Option<char>), PatternError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(PatternError::TooLong);
        }
        let (mut sequences, mut separator) = (vec![self.sequence()?], None);
        while let Some(c) = self.peek().filter(|&c| (c == ',' || c == '|') && separator.is_none_or(|s| s == c)) {
            separator = Some(c);
            self.at += 1;
            sequences.push(self.sequence()?);
        }
        self.depth -= 1;
        Ok((sequences, separator))
    }

    fn sequence(&mut self) -> Result<Vec<Step>, PatternError> {
        let mut steps = Steps::default();
        loop {
            self.skip_space();
            match self.peek() {
                None | Some(',' | '|' | ']' | '>' | '}' | ')') => return Ok(steps.0),
                Some('~') => {
                    self.at += 1;
                    steps.push(Node::Rest);
                }
                Some('_') => {
                    self.at += 1;
                    let step = steps.0.last_mut().ok_or_else(|| self.expected("a step before _"))?;
                    step.weight = step.weight.plus(Fraction::ONE).ok_or(PatternError::TooMany)?;
                }
                Some('!') => {
                    self.at += 1;
                    let step = steps.0.last().cloned().ok_or_else(|| self.expected("a step before !"))?;
                    steps.0.push(step);
                }
                Some('-') if !self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => {
                    self.at += 1;
                    steps.push(Node::Rest);
                }
                Some(_) => self.step(&mut steps)?,
            }
            if steps.0.len() > super::MAX_EVENTS {
                return Err(PatternError::TooMany);
            }
        }
    }

    fn step(&mut self, steps: &mut Steps) -> Result<(), PatternError> {
        let first = steps.0.len();
        self.term(steps)?;
        loop {
            let position = self.at as u64;
            let last = steps.0.len() - 1;
            match self.peek() {
                Some('*') => {
                    self.at += 1;
                    let factor = self.speed()?;
                    steps.wrap(first, |node| Node::Fast(Box::new(node), factor.clone()));
                }
                Some('/') => {
                    self.at += 1;
                    let factor = self.speed()?;
                    steps.wrap(first, |node| Node::Slow(Box::new(node), factor.clone()));
                }
                Some('@') => {
                    self.at += 1;
                    let weight = self.number("a number after @")?;
                    if !weight.is_positive() {
                        return Err(self.wrong("@ takes a number above 0"));
                    }
                    steps.0[last].weight = weight;
                }
                Some('!') => {
                    self.at += 1;
                    let has_number = self.peek().is_some_and(|c| c.is_ascii_digit());
                    let times = if has_number { self.number("a number after !")?.floor() } else { 2 };
                    if !(1..=MAX_REPEATS).contains(&times) {
                        return Err(self.wrong("! takes a whole number from 1 to 1024"));
                    }
                    let step = steps.0[last].clone();
                    steps.0.extend(std::iter::repeat_n(step, times as usize - 1));
                }
                Some('?') => {
                    self.at += 1;
                    let has_number = self.peek().is_some_and(|c| c.is_ascii_digit());
                    let chance = if has_number { self.number("a number after ?")?.to_f64() } else { 0.5 };
                    steps.wrap(first, |node| Node::Degrade(Box::new(node), chance, position));
                }
                Some('(') => {
                    self.at += 1;
                    let factors = self.rhythm()?;
                    steps.wrap(first, |node| Node::Euclid(Box::new(node), factors.clone()));
                }
                _ => return Ok(()),
            }
        }
    }

    fn rhythm(&mut self) -> Result<[Factor; 3], PatternError> {
        self.skip_space();
        let pulses = self.argument()?;
        self.close(',', "a comma, as in (3,8)")?;
        self.skip_space();
        let steps = self.argument()?;
        self.skip_space();
        let rotation = if self.take(',') {
            self.skip_space();
            self.argument()?
        } else {
            Factor::Fixed(Fraction::ZERO)
        };
        self.close(')', "a closing )")?;
        if let (Factor::Fixed(k), Factor::Fixed(n)) = (&pulses, &steps)
            && (n.floor() < 1 || n.floor() > 256 || k.floor().abs() > n.floor())
        {
            return Err(self.wrong("a rhythm (k,n) has 1 to 256 steps and at most as many pulses"));
        }
        Ok([pulses, steps, rotation])
    }

    fn term(&mut self, steps: &mut Steps) -> Result<(), PatternError> {
        match self.peek() {
            Some('[') => {
                self.at += 1;
                let node = self.pattern()?;
                self.close(']', "a closing ]")?;
                steps.push(node);
            }
            Some('<') => {
                let node = self.alternation()?;
                steps.push(node);
            }
            Some('{') => {
                self.at += 1;
                let (sequences, separator) = self.sequences()?;
                if separator == Some('|') {
                    return Err(self.wrong("{ } takes sequences separated by commas"));
                }
                self.close('}', "a closing }")?;
                let lengths: Option<Vec<Fraction>> = sequences.iter().map(|steps| length(steps)).collect();
                let lengths = lengths.ok_or(PatternError::TooMany)?;
                let factor = if self.take('%') { self.speed()? } else { Factor::Fixed(lengths[0]) };
                let nodes = sequences.into_iter().map(Node::Sequence).zip(lengths);
                let nodes = nodes.filter(|(_, length)| length.is_positive()).collect();
                steps.push(Node::Polymeter(nodes, factor));
            }
            Some(c) if c.is_ascii_digit() || c == '-' => self.numbers(steps)?,
            Some(c) if c.is_alphabetic() => {
                let word = self.word();
                let atom = self.atom(Atom::Word(word));
                steps.push(atom);
            }
            _ => return Err(self.expected("a number, a word, ~ or a bracket")),
        }
        Ok(())
    }

    /// `<a b>`: one step per cycle; with commas, several at the same time.
    fn alternation(&mut self) -> Result<Node, PatternError> {
        self.at += 1;
        let position = self.at as u64;
        let (sequences, separator) = self.sequences()?;
        self.close('>', "a closing >")?;
        let slow = |steps: Vec<Step>| {
            let length = length(&steps).ok_or(PatternError::TooMany)?;
            let node = Node::Sequence(steps);
            Ok(if length.is_positive() { Node::Slow(Box::new(node), Factor::Fixed(length)) } else { node })
        };
        let mut nodes = sequences.into_iter().map(slow).collect::<Result<Vec<Node>, PatternError>>()?;
        Ok(match separator {
            Some('|') => Node::Random(nodes, position),
            Some(_) => Node::Stack(nodes),
            None => nodes.pop().unwrap_or(Node::Rest),
        })
    }

    /// A number, or a range of them.
    fn numbers(&mut self, steps: &mut Steps) -> Result<(), PatternError> {
        let from = self.number("a number")?;
        let start = self.at;
        self.skip_space();
        if !self.rest().starts_with("..") {
            self.at = start;
            let atom = self.atom(Atom::Number(from.to_f64()));
            steps.push(atom);
            return Ok(());
        }
        self.at += 2;
        self.skip_space();
        let to = self.number("a number after ..")?;
        let (from, to) = (from.floor(), to.floor());
        if from.abs_diff(to) > MAX_REPEATS as u64 {
            return Err(self.wrong("a range has at most 1024 steps"));
        }
        let step = (to - from).signum();
        for i in 0..=from.abs_diff(to) as i64 {
            let atom = self.atom(Atom::Number((from + step * i) as f64));
            steps.push(atom);
        }
        Ok(())
    }

    fn number(&mut self, expected: &'static str) -> Result<Fraction, PatternError> {
        let start = self.at;
        self.take('-');
        let digits = |parser: &mut Self| {
            while parser.peek().is_some_and(|c| c.is_ascii_digit()) {
                parser.at += 1;
            }
        };
        digits(self);
        let mut chars = self.rest().chars();
        if chars.next() == Some('.') && chars.next().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
            digits(self);
        }
        let number = Fraction::parse(&self.text[start..self.at]);
        if number.is_none() {
            self.at = start;
        }
        number.ok_or_else(|| self.expected(expected))
    }

    fn word(&mut self) -> String {
        let start = self.at;
        while let Some(c) = self.peek() {
            let next = self.rest().chars().nth(1);
            // `a/2` is slower; `a/b` is a word. A dot ends a word only before another.
            let belongs = c.is_alphanumeric()
                || matches!(c, '_' | '-' | '#')
                || (c == '/' && next.is_some_and(char::is_alphabetic))
                || (c == '.' && next.is_some_and(char::is_alphanumeric));
            if !belongs {
                break;
            }
            self.at += c.len_utf8();
        }
        self.text[start..self.at].to_owned()
    }

    fn atom(&mut self, atom: Atom) -> Node {
        let known = self.values.iter().position(|value| *value == atom);
        Node::Atom(known.unwrap_or_else(|| {
            self.values.push(atom);
            self.values.len() - 1
        }))
    }

    /// A number, or a pattern of numbers.
    fn argument(&mut self) -> Result<Factor, PatternError> {
        let before = std::mem::take(&mut self.values);
        let node = match self.peek() {
            Some('<') => Some(self.alternation()?),
            Some('[') => {
                self.at += 1;
                let node = self.pattern()?;
                self.close(']', "a closing ]")?;
                Some(node)
            }
            _ => None,
        };
        let values = std::mem::replace(&mut self.values, before);
        let Some(node) = node else { return self.number("a number, <...> or [...]").map(Factor::Fixed) };
        let number = |value: &Atom| match value {
            Atom::Number(x) => Fraction::parse(&x.to_string()),
            Atom::Word(_) => None,
        };
        let numbers: Option<Vec<Fraction>> = values.iter().map(number).collect();
        Ok(Factor::Varying(Box::new(node), numbers.ok_or_else(|| self.wrong("an argument takes numbers"))?))
    }

    /// An argument above 0.
    fn speed(&mut self) -> Result<Factor, PatternError> {
        let factor = self.argument()?;
        match &factor {
            Factor::Fixed(x) if !x.is_positive() => Err(self.wrong("* / and % take numbers above 0")),
            _ => Ok(factor),
        }
    }
}

impl Steps {
    fn push(&mut self, node: Node) {
        self.0.push(Step { node, weight: Fraction::ONE });
    }

    /// Changes the steps from `first` on.
    fn wrap(&mut self, first: usize, change: impl Fn(Node) -> Node) {
        for step in &mut self.0[first..] {
            step.node = change(std::mem::replace(&mut step.node, Node::Rest));
        }
    }
}

/// The sum of the weights.
fn length(steps: &[Step]) -> Option<Fraction> {
    steps.iter().try_fold(Fraction::ZERO, |sum, step| sum.plus(step.weight))
}
