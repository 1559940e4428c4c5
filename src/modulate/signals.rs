//! Signals: named numbers that arrive continuously from outside (audio bands, sensors).
//!
//! A signal has one newest value per frame, 0 to 1 by convention; earlier values in the same frame are lost. Names are
//! interned in one process-wide list, so that a device's thread and the show use the same [`SignalId`]. Setting and
//! reading a signal allocates nothing.

use std::sync::{PoisonError, RwLock};

/// How many different signals a process can have.
pub const MAX_SIGNALS: usize = 1024;
/// Longest name in bytes.
pub const MAX_NAME: usize = 64;

/// Names a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SignalId(u16);

/// Every name so far; the index is the id.
static NAMES: RwLock<Vec<&'static str>> = RwLock::new(Vec::new());

impl SignalId {
    /// The signal with a name such as `audio.kick`, created if missing. `None` for an invalid name, and when there are
    /// already [`MAX_SIGNALS`]. For presets and devices; names from clients go through [`SignalId::find`], so that they
    /// cannot fill the list.
    pub fn intern(name: &str) -> Option<Self> {
        if let Some(known) = SignalId::find(name) {
            return Some(known);
        }
        if !is_name(name) {
            return None;
        }
        let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have been faster.
        if let Some(i) = names.iter().position(|known| *known == name) {
            return Some(SignalId(i as u16));
        }
        if names.len() >= MAX_SIGNALS {
            return None;
        }
        names.push(Box::leak(name.to_owned().into_boxed_str()));
        Some(SignalId((names.len() - 1) as u16))
    }

    /// The existing signal with a name. `/` counts as `.`, so that `audio/kick`, the end of an OSC address, is
    /// `audio.kick`. Does not allocate.
    pub fn find(name: &str) -> Option<Self> {
        let same = |known: &str| {
            known.len() == name.len()
                && known.bytes().zip(name.bytes()).all(|(a, b)| a == b || (a == b'.' && b == b'/'))
        };
        let names = NAMES.read().unwrap_or_else(PoisonError::into_inner);
        names.iter().position(|known| same(known)).map(|i| SignalId(i as u16))
    }

    pub fn name(self) -> &'static str {
        let names = NAMES.read().unwrap_or_else(PoisonError::into_inner);
        names.get(usize::from(self.0)).copied().unwrap_or_default()
    }
}

/// Whether a string is a valid signal name: two or more parts of letters, digits, `-` and `_`, separated by dots. The dot
/// keeps a typo in the name of a waveform from becoming a signal.
pub fn is_name(name: &str) -> bool {
    let is_part =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    name.len() <= MAX_NAME && name.contains('.') && name.split('.').all(is_part)
}

/// The newest value of every signal; 0 for one that has not arrived.
#[derive(Clone, Debug)]
pub struct Signals {
    values: Box<[f64; MAX_SIGNALS]>,
}

impl Default for Signals {
    fn default() -> Self {
        Signals { values: Box::new([0.0; MAX_SIGNALS]) }
    }
}

impl Signals {
    /// Sets the newest value; non-finite values are ignored.
    pub fn set(&mut self, id: SignalId, value: f64) {
        if value.is_finite() {
            self.values[usize::from(id.0)] = value;
        }
    }

    pub fn get(&self, id: SignalId) -> f64 {
        self.values[usize::from(id.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_is_one_id() {
        let kick = SignalId::intern("test.kick").unwrap();
        let snare = SignalId::intern("test.snare").unwrap();
        assert_ne!(kick, snare);
        assert_eq!(SignalId::intern("test.kick"), Some(kick));
        assert_eq!(SignalId::find("test/kick"), Some(kick), "as the end of an OSC address");
        assert_eq!((kick.name(), snare.name()), ("test.kick", "test.snare"));
        assert_eq!(SignalId::find("test.never"), None);
        assert_eq!(SignalId::intern("test/slash"), None, "a name has dots");
    }

    #[test]
    fn the_newest_value_counts() {
        let id = SignalId::intern("test.newest").unwrap();
        let mut signals = Signals::default();
        assert_eq!(signals.get(id), 0.0);
        signals.set(id, 0.25);
        signals.set(id, 0.75);
        signals.set(id, f64::NAN);
        assert_eq!(signals.get(id), 0.75);
    }

    #[test]
    fn names_have_parts() {
        let table = [
            ("audio.kick", true),
            ("hand.left.x", true),
            ("a.1", true),
            ("sine", false),
            ("", false),
            (".", false),
            ("a.", false),
            ("a b.c", false),
            ("a/b.c", false),
        ];
        for (name, expected) in table {
            assert_eq!(is_name(name), expected, "{name:?}");
        }
        assert!(!is_name(&format!("a.{}", "b".repeat(MAX_NAME))));
    }
}
