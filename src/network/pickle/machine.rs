//! The stack machine: opcodes in, nodes out.
//!
//! Every opcode either builds a value, moves values around, or is refused. REDUCE, NEWOBJ and BUILD, which call things
//! in Python, build dicts, sets and bytes for a few known names, read nested torch storages, and turn everything
//! else into inert [`Node::Object`]s.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::cursor::{Cursor, utf8};
use super::globals::{self, Known};
use super::{Budget, Document, Node, NodeId, PickleError};
use crate::network::bytes::Bytes;
use crate::network::torch;
use crate::network::torch::Storage;

/// What persistent ids mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistent {
    /// They are an error: a plain pickle.
    Refused,
    /// They name storages: a pickle inside a torch file.
    Storages,
}

/// How deeply the pickle is nested in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    File,
    /// Inside a torch file that is itself a value of a pickle.
    Nested,
}

/// Longest module path, name or storage key, in bytes.
const MAX_NAME: usize = 256;

/// Reads the pickle that begins at byte `at` of `source`, up to its STOP. What follows is ignored.
///
/// # Errors
/// When it is not a complete pickle, references something harmful, or exceeds `budget`.
pub fn read<'a>(
    source: &'a Bytes,
    at: usize,
    persistent: Persistent,
    level: Level,
    budget: &mut Budget,
) -> Result<Document<'a>, PickleError> {
    let mut machine = Machine {
        cursor: Cursor::new(source, at.min(source.len())),
        source,
        persistent,
        level,
        budget,
        nodes: vec![Node::None, Node::Bool(false), Node::Bool(true)],
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        storages: Vec::new(),
        nested: HashMap::new(),
    };
    let root = machine.run()?;
    let Machine { cursor, nodes, storages, .. } = machine;
    Ok(Document { source, nodes, root, end: cursor.position(), storages })
}

/// The first three nodes of every document.
const NONE: NodeId = NodeId(0);
const FALSE: NodeId = NodeId(1);
const TRUE: NodeId = NodeId(2);

struct Machine<'a, 'b> {
    cursor: Cursor<'a>,
    source: &'a Bytes,
    persistent: Persistent,
    level: Level,
    budget: &'b mut Budget,
    nodes: Vec<Node<'a>>,
    stack: Vec<NodeId>,
    /// Stack heights at the open marks.
    marks: Vec<usize>,
    /// A map, not a list: a file may store at index 4294967295.
    memo: HashMap<u64, NodeId>,
    storages: Vec<Storage>,
    /// Nested torch files already read, by the value that holds their bytes.
    nested: HashMap<NodeId, NodeId>,
}

impl<'a> Machine<'a, '_> {
    fn run(&mut self) -> Result<NodeId, PickleError> {
        loop {
            let at = self.cursor.position();
            let opcode = self.cursor.u8()?;
            self.budget.operation(1)?;
            if opcode == b'.' {
                return self.pop();
            }
            self.step(opcode, at)?;
        }
    }

    /// One opcode; `at` is its offset. The letters are those of Python's `pickletools`.
    fn step(&mut self, opcode: u8, at: usize) -> Result<(), PickleError> {
        match opcode {
            // PROTO
            0x80 => match self.cursor.u8()? {
                0..=5 => Ok(()),
                protocol => Err(PickleError::Protocol(protocol)),
            },
            // FRAME: only a buffering hint, but one that reaches past the end means a damaged file.
            0x95 => {
                let len = self.cursor.u64()?;
                let here = self.cursor.position();
                self.cursor.take(len)?;
                self.cursor = Cursor::new(self.source, here);
                Ok(())
            }
            b'(' => {
                self.marks.push(self.stack.len());
                Ok(())
            }
            // POP
            b'0' => match self.marks.last() {
                Some(&mark) if mark == self.stack.len() => self.pop_mark().map(drop),
                _ => self.pop().map(drop),
            },
            b'1' => self.pop_mark().map(drop),
            // DUP
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
                Ok(())
            }
            // Numbers and constants
            b'N' => self.push_id(NONE),
            0x88 => self.push_id(TRUE),
            0x89 => self.push_id(FALSE),
            b'J' => self.cursor.i32().and_then(|i| self.push(Node::Int(i.into()))),
            b'K' => self.cursor.u8().and_then(|i| self.push(Node::Int(i.into()))),
            b'M' => self.cursor.u16().and_then(|i| self.push(Node::Int(i.into()))),
            b'G' => self.cursor.f64_be().and_then(|x| self.push(Node::Float(x))),
            0x8a => self.cursor.u8().and_then(|len| self.long(len.into())),
            0x8b => match self.cursor.i32()? {
                len if len < 0 => Err(PickleError::Malformed { what: "an integer of negative length", at }),
                len => self.long(len as u64),
            },
            b'I' | b'L' | b'F' => self.number_line(opcode, at),
            // Text
            0x8c => self.cursor.u8().and_then(|len| self.text(len.into())),
            b'X' => self.cursor.u32().and_then(|len| self.text(len.into())),
            0x8d => self.cursor.u64().and_then(|len| self.text(len)),
            b'U' => self.cursor.u8().and_then(|len| self.string(len.into())),
            b'T' => self.cursor.u32().and_then(|len| self.string(len.into())),
            b'S' => self.quoted_line(at),
            b'V' => {
                let text = unescape(self.cursor.line()?, at)?;
                self.budget.decoded(text.len())?;
                self.push(Node::Text(Cow::Owned(text)))
            }
            // Bytes: SHORT_BINBYTES, BINBYTES, BINBYTES8, BYTEARRAY8
            b'C' => self.cursor.u8().and_then(|len| self.bytes(len.into())),
            b'B' => self.cursor.u32().and_then(|len| self.bytes(len.into())),
            0x8e | 0x96 => self.cursor.u64().and_then(|len| self.bytes(len)),
            // Containers
            b')' => self.push(Node::Tuple(Box::new([]))),
            0x85..=0x87 => {
                let from = self.below(usize::from(opcode - 0x84), at)?;
                let items = self.stack.split_off(from).into_boxed_slice();
                self.push(Node::Tuple(items))
            }
            b't' => self.pop_mark().and_then(|items| self.push(Node::Tuple(items.into_boxed_slice()))),
            b']' => self.push(Node::List(Vec::new())),
            b'l' => self.pop_mark().and_then(|items| self.push(Node::List(items))),
            b'}' => self.push(Node::Dict(Vec::new())),
            b'd' => {
                let entries = pairs(&self.pop_mark()?, at)?;
                self.push(Node::Dict(entries))
            }
            0x8f => self.push(Node::Set(Vec::new())),
            0x91 => self.pop_mark().and_then(|items| self.push(Node::Set(items))),
            b'a' => {
                let item = self.pop()?;
                self.append(&[item], at)
            }
            b'e' | 0x90 => {
                let items = self.pop_mark()?;
                self.append(&items, at)
            }
            b's' => {
                let from = self.below(2, at)?;
                let entry = self.stack.split_off(from);
                self.set_items(&entry, at)
            }
            b'u' => {
                let items = self.pop_mark()?;
                self.set_items(&items, at)
            }
            // Memo: PUT, BINPUT, LONG_BINPUT, MEMOIZE, GET, BINGET, LONG_BINGET
            b'p' => self.memo_line(at).and_then(|key| self.remember(key)),
            b'q' => self.cursor.u8().and_then(|key| self.remember(key.into())),
            b'r' => self.cursor.u32().and_then(|key| self.remember(key.into())),
            0x94 => self.remember(self.memo.len() as u64),
            b'g' => self.memo_line(at).and_then(|key| self.recall(key, at)),
            b'h' => self.cursor.u8().and_then(|key| self.recall(key.into(), at)),
            b'j' => self.cursor.u32().and_then(|key| self.recall(key.into(), at)),
            // Names and what Python would call
            b'c' => {
                let (module, name) = (self.cursor.text_line()?, self.cursor.text_line()?);
                let module = self.add(Node::Text(Cow::Borrowed(module)))?;
                let name = self.add(Node::Text(Cow::Borrowed(name)))?;
                self.global(module, name, at)
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                self.global(module, name, at)
            }
            b'R' | 0x81 => {
                let (args, callable) = (self.pop()?, self.pop()?);
                self.call(callable, args, at)
            }
            // NEWOBJ_EX: its keyword arguments are ignored.
            0x92 => {
                let (_keywords, args, callable) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(callable, args, at)
            }
            b'b' => self.build(at),
            b'i' => {
                let (module, name) = (self.cursor.text_line()?, self.cursor.text_line()?);
                Err(if globals::is_harmful(module, name) {
                    PickleError::Harmful(format!("{module}.{name}"))
                } else {
                    PickleError::Opcode { byte: opcode, at }
                })
            }
            b'Q' => self.persistent_id(at),
            b'P' => Err(PickleError::PersistentId { at }),
            0x82..=0x84 => Err(PickleError::Extension { at }),
            // OBJ, the out-of-band buffers of protocol 5, and invalid opcodes.
            byte => Err(PickleError::Opcode { byte, at }),
        }
    }

    fn add(&mut self, node: Node<'a>) -> Result<NodeId, PickleError> {
        self.budget.node()?;
        let id = NodeId(self.nodes.len() as u32);
        self.nodes.push(node);
        Ok(id)
    }

    fn push(&mut self, node: Node<'a>) -> Result<(), PickleError> {
        let id = self.add(node)?;
        self.push_id(id)
    }

    fn push_id(&mut self, id: NodeId) -> Result<(), PickleError> {
        self.stack.push(id);
        Ok(())
    }

    fn node(&self, id: NodeId) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }

    /// Stack height after removing `count` values, none of them below the last mark.
    fn below(&self, count: usize, at: usize) -> Result<usize, PickleError> {
        let floor = self.marks.last().copied().unwrap_or(0);
        self.stack
            .len()
            .checked_sub(count)
            .filter(|&height| height >= floor)
            .ok_or(PickleError::Malformed { what: "too few values on the stack", at })
    }

    fn top(&self) -> Result<NodeId, PickleError> {
        let from = self.below(1, self.cursor.position())?;
        Ok(self.stack[from])
    }

    fn pop(&mut self) -> Result<NodeId, PickleError> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_mark(&mut self) -> Result<Vec<NodeId>, PickleError> {
        let at = self.cursor.position();
        let mark = self.marks.pop().ok_or(PickleError::Malformed { what: "a mark is missing", at })?;
        Ok(self.stack.split_off(mark))
    }

    fn text(&mut self, len: u64) -> Result<(), PickleError> {
        let at = self.cursor.position();
        let text = utf8(self.cursor.take(len)?, at)?;
        self.push(Node::Text(Cow::Borrowed(text)))
    }

    /// A Python 2 string: text if it is valid UTF-8, else bytes.
    fn string(&mut self, len: u64) -> Result<(), PickleError> {
        let start = self.cursor.position();
        let bytes = self.cursor.take(len)?;
        self.push(match std::str::from_utf8(bytes) {
            Ok(text) => Node::Text(Cow::Borrowed(text)),
            Err(_) => Node::Bytes { start, len: bytes.len() },
        })
    }

    fn bytes(&mut self, len: u64) -> Result<(), PickleError> {
        let start = self.cursor.position();
        let len = self.cursor.take(len)?.len();
        self.push(Node::Bytes { start, len })
    }

    fn quoted_line(&mut self, at: usize) -> Result<(), PickleError> {
        let line = self.cursor.line()?.trim_ascii();
        let inner = match line {
            [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
            _ => return Err(PickleError::Malformed { what: "a string without quotes", at }),
        };
        let text = unescape(inner, at)?;
        self.budget.decoded(text.len())?;
        self.push(Node::Text(Cow::Owned(text)))
    }

    /// LONG1 and LONG4: little-endian, two's complement.
    fn long(&mut self, len: u64) -> Result<(), PickleError> {
        let bytes = self.cursor.take(len)?;
        let node = if bytes.len() <= 8 {
            let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
            let mut wide = if negative { [0xff; 8] } else { [0; 8] };
            wide[..bytes.len()].copy_from_slice(bytes);
            Node::Int(i64::from_le_bytes(wide))
        } else {
            Node::Long(bytes)
        };
        self.push(node)
    }

    fn number_line(&mut self, opcode: u8, at: usize) -> Result<(), PickleError> {
        let line = self.cursor.text_line()?.trim();
        let node = match (opcode, line) {
            (b'I', "00") => Some(Node::Bool(false)),
            (b'I', "01") => Some(Node::Bool(true)),
            (b'F', line) => line.parse().ok().map(Node::Float),
            (_, line) => {
                let digits = line.strip_suffix('L').unwrap_or(line);
                let whole = digits.strip_prefix('-').unwrap_or(digits);
                let is_number = !whole.is_empty() && whole.bytes().all(|b| b.is_ascii_digit());
                digits.parse().ok().map(Node::Int).or(is_number.then_some(Node::Long(digits.as_bytes())))
            }
        };
        self.push(node.ok_or(PickleError::Malformed { what: "an invalid number", at })?)
    }

    fn memo_line(&mut self, at: usize) -> Result<u64, PickleError> {
        let line = self.cursor.text_line()?.trim();
        line.parse().map_err(|_| PickleError::Malformed { what: "a memo index that is not a number", at })
    }

    fn remember(&mut self, key: u64) -> Result<(), PickleError> {
        let top = self.top()?;
        if self.memo.insert(key, top).is_none() {
            // Memo entries count as values: each costs about as much.
            self.budget.node()?;
        }
        Ok(())
    }

    fn recall(&mut self, key: u64, at: usize) -> Result<(), PickleError> {
        let id =
            *self.memo.get(&key).ok_or(PickleError::Malformed { what: "a memo entry that was never stored", at })?;
        self.push_id(id)
    }

    /// APPEND, APPENDS and ADDITEMS. Items of objects are dropped, as nothing needs them.
    fn append(&mut self, items: &[NodeId], at: usize) -> Result<(), PickleError> {
        let target = self.top()?;
        match &mut self.nodes[target.0 as usize] {
            Node::List(list) | Node::Set(list) => list.extend_from_slice(items),
            Node::Object { .. } => {}
            _ => return Err(PickleError::Malformed { what: "an item is added to something that is not a list", at }),
        }
        Ok(())
    }

    /// SETITEM and SETITEMS; `items` alternates keys and values.
    fn set_items(&mut self, items: &[NodeId], at: usize) -> Result<(), PickleError> {
        let target = self.top()?;
        let entries = pairs(items, at)?;
        match &mut self.nodes[target.0 as usize] {
            Node::Dict(dict) => dict.extend(entries),
            Node::Object { .. } => {}
            _ => return Err(PickleError::Malformed { what: "an entry is added to something that is not a dict", at }),
        }
        Ok(())
    }

    fn name(&self, id: NodeId, at: usize) -> Result<&str, PickleError> {
        match self.node(id) {
            Node::Text(text) if text.len() <= MAX_NAME => Ok(text),
            _ => Err(PickleError::Malformed { what: "an invalid name", at }),
        }
    }

    fn global(&mut self, module: NodeId, name: NodeId, at: usize) -> Result<(), PickleError> {
        let (module_name, global_name) = (self.name(module, at)?, self.name(name, at)?);
        if globals::is_harmful(module_name, global_name) {
            return Err(PickleError::Harmful(format!("{module_name}.{global_name}")));
        }
        let known = globals::known(module_name, global_name);
        self.push(Node::Global { known, module, name })
    }

    /// REDUCE, NEWOBJ and NEWOBJ_EX. Nothing is called.
    fn call(&mut self, callable: NodeId, args: NodeId, at: usize) -> Result<(), PickleError> {
        let Node::Tuple(items) = self.node(args) else {
            return Err(PickleError::Malformed { what: "arguments that are not a tuple", at });
        };
        let first = items.first().copied();
        let known = match self.node(callable) {
            Node::Global { known, .. } => *known,
            _ => None,
        };
        match known {
            Some(Known::OrderedDict | Known::DictLike) => {
                let entries = first.map_or(Ok(Vec::new()), |first| self.dict_from(first, at))?;
                self.push(Node::Dict(entries))
            }
            Some(Known::Set) => {
                let items = match first.map(|first| self.node(first)) {
                    Some(Node::List(items) | Node::Set(items)) => items.clone(),
                    Some(Node::Tuple(items)) => items.to_vec(),
                    _ => Vec::new(),
                };
                self.budget.operation(items.len() as u64)?;
                self.push(Node::Set(items))
            }
            Some(Known::Encode) => self.encode(first, at),
            Some(Known::LoadFromBytes) => self.load_nested(first, at),
            _ => self.push(Node::Object { callable, args, state: None }),
        }
    }

    /// What `OrderedDict(x)` holds: x is a dict or a list of pairs.
    fn dict_from(&mut self, id: NodeId, at: usize) -> Result<Vec<(NodeId, NodeId)>, PickleError> {
        let entries: Vec<_> = match self.node(id) {
            Node::Dict(entries) => entries.clone(),
            Node::List(items) => {
                let pair = |item: &NodeId| match self.node(*item) {
                    Node::Tuple(pair) if pair.len() == 2 => Some((pair[0], pair[1])),
                    Node::List(pair) if pair.len() == 2 => Some((pair[0], pair[1])),
                    _ => None,
                };
                let entries: Option<_> = items.iter().map(pair).collect();
                entries.ok_or(PickleError::Malformed { what: "a dict of something other than pairs", at })?
            }
            _ => return Err(PickleError::Malformed { what: "a dict of something other than pairs", at }),
        };
        self.budget.operation(entries.len() as u64)?;
        Ok(entries)
    }

    /// `_codecs.encode(text, "latin1")`: bytes in protocol 2.
    fn encode(&mut self, text: Option<NodeId>, at: usize) -> Result<(), PickleError> {
        let Some(Node::Text(text)) = text.map(|id| self.node(id)) else {
            return Err(PickleError::Malformed { what: "encoded bytes without their text", at });
        };
        let len = text.len();
        let latin1: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
        let bytes = latin1.ok_or(PickleError::Malformed { what: "encoded bytes that are not Latin-1", at })?;
        self.budget.decoded(len)?;
        self.push(Node::Decoded(Arc::new(bytes)))
    }

    /// `torch.storage._load_from_bytes(bytes)`: a whole torch file that holds one storage.
    fn load_nested(&mut self, bytes: Option<NodeId>, at: usize) -> Result<(), PickleError> {
        let bytes = bytes.ok_or(PickleError::Malformed { what: "a nested torch file without bytes", at })?;
        if let Some(&known) = self.nested.get(&bytes) {
            return self.push_id(known);
        }
        let blob = match self.node(bytes) {
            Node::Bytes { start, len } => self.source.slice(*start..start + len),
            Node::Decoded(decoded) => Some(Bytes::new(super::SharedBytes(decoded.clone()))),
            _ => None,
        };
        let blob = blob.ok_or(PickleError::Malformed { what: "a nested torch file without bytes", at })?;
        if self.level == Level::Nested {
            return Err(PickleError::TooDeep);
        }
        let storage = torch::read_nested(&blob, self.budget)?;
        let node = self.storage(storage)?;
        self.nested.insert(bytes, node);
        self.push_id(node)
    }

    fn storage(&mut self, storage: Storage) -> Result<NodeId, PickleError> {
        self.budget.storage()?;
        let index = self.storages.len() as u32;
        self.storages.push(storage);
        self.add(Node::Storage(index))
    }

    /// BUILD. Dicts take the entries of their state; objects keep it.
    fn build(&mut self, at: usize) -> Result<(), PickleError> {
        let state = self.pop()?;
        let target = self.top()?;
        let entries = match (self.node(target), self.node(state)) {
            (Node::Dict(_), Node::Dict(entries)) => entries.clone(),
            _ => Vec::new(),
        };
        self.budget.operation(entries.len() as u64)?;
        match &mut self.nodes[target.0 as usize] {
            Node::Dict(dict) => dict.extend(entries),
            Node::Object { state: slot, .. } => *slot = Some(state),
            // Functions and classes may be given attributes; they stay names.
            Node::Global { .. } | Node::Set(_) | Node::List(_) | Node::Storage(_) => {}
            _ => return Err(PickleError::Malformed { what: "state for a plain value", at }),
        }
        Ok(())
    }

    /// BINPERSID of `("storage", type, key, location, count[, view])`.
    fn persistent_id(&mut self, at: usize) -> Result<(), PickleError> {
        if self.persistent == Persistent::Refused {
            return Err(PickleError::PersistentId { at });
        }
        let bad = |what| PickleError::Malformed { what, at };
        let id = self.pop()?;
        let Node::Tuple(items) = self.node(id) else { return Err(bad("a persistent id that is not a tuple")) };
        let (&[tag, kind, key, _location, count], view) =
            items.split_first_chunk::<5>().ok_or_else(|| bad("a persistent id with too few parts"))?;
        let tag_is_storage = matches!(self.node(tag), Node::Text(text) if text == "storage");
        let view_is_none = view.iter().all(|&v| matches!(self.node(v), Node::None));
        if !tag_is_storage || !view_is_none {
            return Err(bad("a persistent id that is not a storage"));
        }
        let Node::Int(count) = *self.node(count) else { return Err(bad("a storage without a size")) };
        let count = u64::try_from(count).map_err(|_| bad("a storage of negative size"))?;
        let key: Box<str> = self.name(key, at)?.into();
        let Node::Global { known, module, name } = *self.node(kind) else {
            return Err(bad("a storage without a type"));
        };
        let element = match known {
            Some(Known::Storage(element)) => Ok(element),
            _ => Err(format!("{}.{}", self.name(module, at)?, self.name(name, at)?).into()),
        };
        let node = self.storage(Storage { key, element, count, bytes: None })?;
        self.push_id(node)
    }
}

/// Alternating keys and values as pairs.
fn pairs(items: &[NodeId], at: usize) -> Result<Vec<(NodeId, NodeId)>, PickleError> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(PickleError::Malformed { what: "a key without a value", at });
    }
    Ok(pairs.iter().map(|&[key, value]| (key, value)).collect())
}

/// A string of protocol 0: Latin-1 with Python's backslash escapes.
fn unescape(line: &[u8], at: usize) -> Result<String, PickleError> {
    let mut out = String::new();
    let mut bytes = line.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(char::from(byte));
            continue;
        }
        let digits = match bytes.next() {
            Some(b'n') => {
                out.push('\n');
                continue;
            }
            Some(b'r') => {
                out.push('\r');
                continue;
            }
            Some(b't') => {
                out.push('\t');
                continue;
            }
            Some(b'x') => 2,
            Some(b'u') => 4,
            Some(b'U') => 8,
            Some(other) => {
                out.push(char::from(other));
                continue;
            }
            None => return Err(PickleError::Malformed { what: "text that ends in a backslash", at }),
        };
        let code = bytes.by_ref().take(digits).try_fold(0u32, |code, b| Some(code << 4 | char::from(b).to_digit(16)?));
        out.push(code.and_then(char::from_u32).ok_or(PickleError::Malformed { what: "an invalid escape", at })?);
    }
    Ok(out)
}
