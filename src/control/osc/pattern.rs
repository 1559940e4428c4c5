//! OSC address patterns (`*`, `?`, `[a-z]`, `[!a]`, `{a,b}`) over the table of parameters.
//!
//! All possible matches are followed at once as a set of positions, so the cost is at most the pattern's length times the
//! address's. As in OSC 1.0, nothing matches across a `/`. Allocates nothing; runs on the `osc` thread.

use std::io::Write as _;

use super::packet::Refusal;
use crate::params::{Table, Target};

/// Whether an address is a pattern.
pub fn is_pattern(address: &str) -> bool {
    address.bytes().any(|b| matches!(b, b'*' | b'?' | b'[' | b']' | b'{' | b'}'))
}

/// Calls `visit` with every parameter and every member of a family that the pattern matches.
///
/// # Errors
/// [`Refusal::BadPattern`] when a bracket is not closed, before anything is visited.
pub fn expand(pattern: &str, table: &Table, mut visit: impl FnMut(Target)) -> Result<(), Refusal> {
    let pattern = pattern.strip_prefix("/latent-jockey").filter(|rest| rest.starts_with('/')).unwrap_or(pattern);
    // A pattern that matches nothing must still be well-formed.
    well_formed(pattern.as_bytes())?;
    // Nothing matches across a `/`, so the last part can be matched by itself, against the numbers of a family.
    let (head, last) = pattern.rsplit_once('/').ok_or(Refusal::BadPattern)?;
    for id in table.ids() {
        let def = id.def();
        let Some(stem) = def.address.strip_suffix("/<n>") else {
            if matches(pattern.as_bytes(), def.address.as_bytes()) {
                visit(id.into());
            }
            continue;
        };
        if !matches(head.as_bytes(), stem.as_bytes()) {
            continue;
        }
        for index in 0..def.count {
            let mut buffer = [0u8; 20];
            let mut free = &mut buffer[..];
            if write!(free, "{index}").is_err() {
                break;
            }
            let len = 20 - free.len();
            if matches(last.as_bytes(), &buffer[..len]) {
                visit(Target { id, index: index as u16 });
            }
        }
    }
    Ok(())
}

/// Longest address that can be matched: positions are bits of a `u128`.
const MAX_LEN: usize = 127;

fn well_formed(pattern: &[u8]) -> Result<(), Refusal> {
    let mut rest = pattern;
    while let Some((&first, after)) = rest.split_first() {
        rest = match first {
            b'[' => split_at_closing(after, b']').ok_or(Refusal::BadPattern)?.1,
            b'{' => split_at_closing(after, b'}').ok_or(Refusal::BadPattern)?.1,
            b']' | b'}' => return Err(Refusal::BadPattern),
            _ => after,
        };
    }
    Ok(())
}

/// What is before the closing bracket, and after it. Neither a `/` nor another bracket may be inside.
fn split_at_closing(bytes: &[u8], closing: u8) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|b| matches!(b, b'/' | b'[' | b']' | b'{' | b'}'))?;
    (bytes[end] == closing).then(|| (&bytes[..end], &bytes[end + 1..]))
}

/// Whether a well-formed pattern matches the whole address.
fn matches(pattern: &[u8], address: &[u8]) -> bool {
    if address.len() > MAX_LEN {
        return false;
    }
    // Bit i: everything before address[i] has been matched.
    let mut reached: u128 = 1;
    let mut rest = pattern;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        reached = match first {
            b'*' => address
                .iter()
                .enumerate()
                .fold(reached, |set, (i, &c)| set | ((set >> i & u128::from(c != b'/')) << (i + 1))),
            b'?' => advance(reached, address, |c| c != b'/'),
            b'[' => {
                let Some((class, after)) = split_at_closing(after, b']') else { return false };
                rest = after;
                advance(reached, address, |c| c != b'/' && in_class(class, c))
            }
            b'{' => {
                let Some((words, after)) = split_at_closing(after, b'}') else { return false };
                rest = after;
                words.split(|&b| b == b',').fold(0, |set, word| set | after_word(reached, address, word))
            }
            literal => advance(reached, address, |c| c == literal),
        };
        if reached == 0 {
            return false;
        }
    }
    reached >> address.len() & 1 == 1
}

/// Positions after one character that `accepts`.
fn advance(reached: u128, address: &[u8], accepts: impl Fn(u8) -> bool) -> u128 {
    positions(reached).fold(0, |set, i| match address.get(i) {
        Some(&c) if accepts(c) => set | 1 << (i + 1),
        _ => set,
    })
}

fn after_word(reached: u128, address: &[u8], word: &[u8]) -> u128 {
    positions(reached).filter(|&i| address[i..].starts_with(word)).fold(0, |set, i| set | 1 << (i + word.len()))
}

fn positions(mut set: u128) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let i = (set != 0).then(|| set.trailing_zeros() as usize)?;
        set &= set - 1;
        Some(i)
    })
}

/// `a-z` is a range, a leading `!` negates, a `-` at either end stands for itself.
fn in_class(class: &[u8], c: u8) -> bool {
    let (class, wanted) = class.strip_prefix(b"!").map_or((class, true), |others| (others, false));
    let mut rest = class;
    let mut found = false;
    while let Some((&low, after)) = rest.split_first() {
        match after {
            [b'-', high, tail @ ..] => {
                found |= (low..=*high).contains(&c);
                rest = tail;
            }
            _ => {
                found |= low == c;
                rest = after;
            }
        }
    }
    found == wanted
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn patterns_match_as_in_osc() {
        let table = [
            ("/psi", "/psi", true),
            ("/p*", "/psi", true),
            ("/p*", "/psi/cutoff", false),
            ("/*/cutoff", "/psi/cutoff", true),
            ("/*", "/", true),
            ("/?si", "/psi", true),
            ("/?si", "/si", false),
            ("/ps?", "/ps/", false),
            ("/[o-q]si", "/psi", true),
            ("/[!o-q]si", "/psi", false),
            ("/[!a]si", "/psi", true),
            ("/[p-]si", "/-si", true),
            ("/[]si", "/psi", false),
            ("/{z,w}/3", "/w/3", true),
            ("/{z,w}/3", "/x/3", false),
            ("/{walk,wal}k/speed", "/walk/speed", true),
            ("/{,a}b", "/b", true),
            ("/walk/*ee*", "/walk/speed", true),
            ("/**d", "/seed", true),
            ("/z/[1-3][0-9]", "/z/27", true),
            ("/z/*7", "/z/77", true),
        ];
        for (pattern, address, expected) in table {
            assert_eq!(matches(pattern.as_bytes(), address.as_bytes()), expected, "{pattern} on {address}");
        }
    }

    fn reached(pattern: &str) -> Vec<String> {
        let mut targets = Vec::new();
        expand(pattern, Table::built_in(), |t| targets.push(t.to_string())).unwrap();
        targets
    }

    #[test]
    fn patterns_match_parameters_and_members_of_families() {
        assert_eq!(reached("/walk/s*"), ["/walk/speed", "/walk/sync"]);
        assert_eq!(reached("/latent-jockey/walk/speed*"), ["/walk/speed"]);
        assert_eq!(reached("/z/*").len(), crate::params::MAX_DIM);
        assert_eq!(reached("/{z,w}/[0-1]"), ["/z/0", "/z/1", "/w/0", "/w/1"]);
        assert_eq!(reached("/nothing*"), Vec::<String>::new());
        for broken in ["/[a", "/{a", "/a]", "/a}", "/{a/b}", "/[[a]]", "/{{a}}"] {
            assert_eq!(
                expand(broken, Table::built_in(), |_| panic!("{broken} matched")),
                Err(Refusal::BadPattern),
                "{broken}"
            );
        }
    }

    /// An exponential matcher would take hours for this one.
    #[test]
    fn the_worst_pattern_is_quick() {
        let pattern = format!("/z/{}x", "*{0,1,01,10,}".repeat(17));
        let started = std::time::Instant::now();
        assert!(reached(&pattern).is_empty());
        assert!(started.elapsed().as_secs() < 5);
    }
}
