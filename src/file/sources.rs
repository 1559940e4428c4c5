//! What a piece of work reads: the texts of small files, and which file a name stood for.
//!
//! [`observe`] notes it while presets and effects are read, so that a take can hold it; [`answer`] does the work again from
//! the same texts, whatever has become of the files. Both hold for the calling thread only. Networks and pictures are too
//! large for this: a take names them with their hashes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A name that was looked up: what kind of file, from which folder, and the name as written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Query {
    pub kind: String,
    /// Empty if the folder does not matter.
    pub base: PathBuf,
    pub name: String,
}

/// Texts by path, and files by name. Where a preset's texts came from makes no difference to it: all are equal.
#[derive(Clone, Default)]
pub struct Sources {
    pub texts: BTreeMap<PathBuf, Arc<str>>,
    pub found: BTreeMap<Query, PathBuf>,
}

impl PartialEq for Sources {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.texts.keys()).finish()
    }
}

enum Scope {
    Observing(Sources),
    Answering(Arc<Sources>),
}

thread_local! {
    /// Innermost last.
    static SCOPES: RefCell<Vec<Scope>> = const { RefCell::new(Vec::new()) };
}

/// Ends a scope, also when the work panics.
struct Open;

impl Open {
    fn new(scope: Scope) -> Open {
        SCOPES.with_borrow_mut(|scopes| scopes.push(scope));
        Open
    }

    fn close(self) -> Option<Scope> {
        std::mem::forget(self);
        SCOPES.with_borrow_mut(Vec::pop)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        SCOPES.with_borrow_mut(|scopes| drop(scopes.pop()));
    }
}

/// Does the work, and returns what it has read.
pub fn observe<T>(work: impl FnOnce() -> T) -> (T, Sources) {
    let open = Open::new(Scope::Observing(Sources::default()));
    let result = work();
    match open.close() {
        Some(Scope::Observing(sources)) => (result, sources),
        _ => (result, Sources::default()),
    }
}

/// Does the work with these texts and files instead of those on the disk. What they do not hold is read from the disk.
pub fn answer<T>(sources: &Arc<Sources>, work: impl FnOnce() -> T) -> T {
    let open = Open::new(Scope::Answering(sources.clone()));
    let result = work();
    drop(open);
    result
}

fn ask<T>(look: impl Fn(&Sources) -> Option<T>) -> Option<T> {
    SCOPES.with_borrow(|scopes| {
        scopes.iter().rev().find_map(|scope| match scope {
            Scope::Answering(sources) => look(sources),
            Scope::Observing(_) => None,
        })
    })
}

fn note(mut write: impl FnMut(&mut Sources)) {
    SCOPES.with_borrow_mut(|scopes| {
        for scope in scopes {
            if let Scope::Observing(sources) = scope {
                write(sources);
            }
        }
    });
}

/// The text to read instead of a file's.
pub fn text(path: &Path) -> Option<Arc<str>> {
    ask(|sources| sources.texts.get(path).cloned())
}

/// Notes that a text was read.
pub fn note_text(path: &Path, text: &str) {
    note(|sources| drop(sources.texts.insert(path.to_owned(), text.into())));
}

/// The file that a name stands for instead of the one on the disk.
pub fn found(query: &Query) -> Option<PathBuf> {
    ask(|sources| sources.found.get(query).cloned())
}

/// Notes which file a name stood for.
pub fn note_found(query: &Query, path: &Path) {
    note(|sources| drop(sources.found.insert(query.clone(), path.to_owned())));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_answers_in_place_of_the_disk() {
        let path = Path::new("a.toml");
        let query = Query { kind: "network".into(), base: PathBuf::new(), name: "x".into() };
        let ((), outer) = observe(|| {
            note_text(path, "one");
            let ((), inner) = observe(|| note_found(&query, Path::new("x.pkl")));
            assert_eq!((inner.texts.len(), inner.found.len()), (0, 1));
        });
        assert_eq!((outer.texts.len(), outer.found.len()), (1, 1));
        assert!(text(path).is_none() && found(&query).is_none(), "only within");
        let outer = Arc::new(outer);
        answer(&outer, || assert_eq!(text(path).as_deref(), Some("one")));
        let panicked = std::panic::catch_unwind(|| answer(&outer, || panic!("out of luck")));
        assert!(panicked.is_err() && text(path).is_none());
        assert_eq!(answer(&outer, || found(&query)).as_deref(), Some(Path::new("x.pkl")));
    }
}
