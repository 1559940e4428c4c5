//! The torch format before 1.6: five consecutive pickles, then the numbers of every storage.

use std::collections::HashMap;

use crate::network::bytes::Bytes;
use crate::network::pickle::{self, Budget, Document, Level, Node, Persistent, PickleError};

/// The number that the first pickle holds: 0x1950a86a20f9469cfc6c, little-endian.
const MAGIC: &[u8] = &[0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];
const PROTOCOL: i64 = 1001;

/// Reads a whole legacy torch file.
///
/// # Errors
/// When it is something else, is cut short, or holds anything that the unpickler refuses.
pub fn read<'a>(bytes: &'a Bytes, level: Level, budget: &mut Budget) -> Result<Document<'a>, PickleError> {
    let container = |what: &str| PickleError::Container(what.to_owned());
    let mut plain = |at| pickle::read(bytes, at, Persistent::Refused, level, budget);
    let magic = plain(0)?;
    if !matches!(magic.node(magic.root), Node::Long(MAGIC)) {
        return Err(container("its magic number is wrong"));
    }
    let protocol = plain(magic.end)?;
    if protocol.int(protocol.root) != Some(PROTOCOL) {
        return Err(container("its protocol is not 1001"));
    }
    let system = plain(protocol.end)?;
    if system.get(system.root, "little_endian").and_then(|id| system.int(id)) == Some(0) {
        return Err(container("its numbers are big-endian"));
    }
    let mut document = pickle::read(bytes, system.end, Persistent::Storages, level, budget)?;
    let keys = pickle::read(bytes, document.end, Persistent::Refused, level, budget)?;
    let found = storages(bytes, &document, &keys)?;
    for storage in &mut document.storages {
        storage.bytes = found.get(&storage.key).cloned();
    }
    document.end = bytes.len();
    Ok(document)
}

/// Where the numbers of each storage are: for each key a count as int64, then the numbers.
fn storages(bytes: &Bytes, document: &Document, keys: &Document) -> Result<HashMap<Box<str>, Bytes>, PickleError> {
    let bad = |what: String| PickleError::Container(what);
    let declared: HashMap<&str, &super::Storage> = document.storages.iter().map(|s| (&*s.key, s)).collect();
    let mut found = HashMap::new();
    let mut at = keys.end;
    for &key in keys.items(keys.root).ok_or_else(|| bad("its list of storages is not a list".into()))? {
        let key = keys.text(key).ok_or_else(|| bad("a storage has a key that is not text".into()))?;
        let storage = declared.get(key).ok_or_else(|| bad(format!("nothing uses its storage {key:?}")))?;
        let size = match &storage.element {
            Ok(element) => element.size() as u64,
            Err(name) => return Err(PickleError::Tensor(format!("its storage is of type {name}"))),
        };
        let left = bytes.len().saturating_sub(at);
        let ends_early = |needed| PickleError::EndsEarly { at, needed, left };
        let count = bytes.get(at..).and_then(|b| b.first_chunk()).ok_or_else(|| ends_early(8))?;
        let count = u64::from_le_bytes(*count);
        if count < storage.count {
            return Err(bad(format!("storage {key:?} should have {} numbers and has {count}", storage.count)));
        }
        let needed = count.checked_mul(size).ok_or_else(|| ends_early(u64::MAX))?;
        let end = usize::try_from(needed).ok().and_then(|needed| (at + 8).checked_add(needed));
        let numbers = end.and_then(|end| bytes.slice(at + 8..end)).ok_or_else(|| ends_early(needed))?;
        at += 8 + numbers.len();
        found.insert(key.into(), numbers);
    }
    Ok(found)
}
