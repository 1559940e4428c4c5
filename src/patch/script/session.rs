//! What running code reads, and the changes that it collects. Nothing takes effect before the code has ended well.

use std::collections::HashMap;
use std::sync::Arc;

use mlua::{Buffer, Function, Lua};

use super::sandbox::{Budget, CALL};
use super::{Handler, Mapped, Surroundings};
use crate::modulate::{Binding, Time};
use crate::params::{Id, Params, Target, Value};

/// Most lines that one evaluation may print.
const MAX_OUTPUT: usize = 200;

/// Something that code did.
#[derive(Clone, Debug)]
pub enum Change {
    Write(Target, Value),
    Bind(Binding),
    Release(Target),
    /// All bindings, handlers and mappings end.
    Hush,
    Handle(Handler),
    /// Ends the handlers of the same event.
    Unhandle(super::When),
    Map(Mapped),
}

/// The data of the machine. Borrowed for moments only, never while Lua runs.
pub struct Session {
    /// The show's parameters while code runs.
    pub params: Option<Params>,
    /// The rows by the numbers that the prelude knows.
    pub rows: Vec<Id>,
    /// The numbers of the rows that exist now.
    pub listed: Vec<usize>,
    /// The targets of the slots.
    pub slots: Vec<Target>,
    pub slot_of: HashMap<Target, usize>,
    pub buffer: Option<Buffer>,
    pub changes: Vec<Change>,
    /// The old values of variables, in the order of their changes.
    pub journal: super::Journal,
    pub output: Vec<String>,
    /// The last name that did not exist.
    pub missing: Option<String>,
    pub random: u64,
    /// The file that runs.
    pub file: Arc<str>,
    pub time: Time,
    pub surroundings: Surroundings,
    pub budget: Budget,
    /// Of the prelude.
    pub value_of: Option<Function>,
    pub target_of: Option<Function>,
    /// The names of functions and their help.
    pub functions: Vec<(&'static str, &'static str, &'static str)>,
}

impl Session {
    pub fn new(budget: Budget) -> Session {
        Session {
            params: None,
            rows: Vec::new(),
            listed: Vec::new(),
            slots: Vec::new(),
            slot_of: HashMap::new(),
            buffer: None,
            changes: Vec::new(),
            journal: Vec::new(),
            output: Vec::new(),
            missing: None,
            random: 0,
            file: "".into(),
            time: Time::default(),
            surroundings: Surroundings::default(),
            budget,
            value_of: None,
            target_of: None,
            functions: Vec::new(),
        }
    }

    /// The rows that exist now.
    pub fn rows(&self) -> impl Iterator<Item = Id> + '_ {
        self.listed.iter().filter_map(|&row| self.rows.get(row).copied())
    }

    /// Adds a line of output.
    pub fn print(&mut self, line: &str) {
        if self.output.len() < MAX_OUTPUT {
            self.output.push(line.chars().take(400).collect());
        }
    }

    /// The number written to a slot in this run.
    pub fn slot(&self, target: Target) -> Option<f64> {
        let at = self.slot_of.get(&target)? * 8;
        let number = f64::from_le_bytes(self.buffer.as_ref()?.read_bytes::<8>(at));
        (!number.is_nan()).then_some(number)
    }

    /// Writes a number to a slot, or empties it with NaN. False if the target has none.
    pub fn set_slot(&self, target: Target, number: f64) -> bool {
        let (Some(slot), Some(buffer)) = (self.slot_of.get(&target), &self.buffer) else { return false };
        buffer.write_bytes(slot * 8, &number.to_le_bytes());
        true
    }

    /// What a target holds now, with the changes of this run.
    pub fn now(&self, target: Target) -> Option<Value> {
        if let Some(number) = self.slot(target) {
            return Some(Value::Float(number));
        }
        let written = self.changes.iter().rev().find_map(|change| match change {
            Change::Write(to, value) if *to == target => Some(value.clone()),
            _ => None,
        });
        written.or_else(|| self.params.as_ref()?.effective(target))
    }

    /// Whether a style network loads whose styles are not known yet.
    pub fn awaits_styles(&self) -> bool {
        let name = self.now(Id::StyleNetwork.into());
        !matches!(name, Some(Value::Text(name)) if name == self.surroundings.styles_of)
    }

    /// What a parameter takes, where a word is none of its names.
    pub fn expects(&self, id: Id, word: &str) -> String {
        let word = Value::Text(word.to_owned());
        self.params.as_ref().map_or_else(|| id.def().expects(), |params| params.expects(id, &word))
    }

    /// The number that a target has now.
    pub fn number(&self, target: Target) -> f64 {
        match self.slot(target) {
            Some(number) => number,
            None => self.params.as_ref().map_or(0.0, |params| params.get(target)),
        }
    }

    /// The next random number from 0 to 1: SplitMix64.
    pub fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.random;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        (x >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Works with the session, and charges for the call.
pub fn with<R>(lua: &Lua, f: impl FnOnce(&mut Session) -> R) -> mlua::Result<R> {
    let budget = {
        let session = lua.app_data_ref::<Session>().ok_or_else(|| mlua::Error::runtime("no session"))?;
        session.budget.clone()
    };
    budget.spend(CALL, lua)?;
    let mut session = lua.app_data_mut::<Session>().ok_or_else(|| mlua::Error::runtime("no session"))?;
    Ok(f(&mut session))
}

/// The file and line of the patch that is running.
pub fn place(lua: &Lua) -> Option<(String, u32)> {
    for level in 0..32 {
        let at = lua.inspect_stack(level, |debug| {
            let name = debug.source().short_src.map(|name| name.into_owned()).unwrap_or_default();
            (name, debug.current_line())
        })?;
        if let (name, Some(line)) = at
            && !name.starts_with('[')
            && !name.starts_with("__mlua")
        {
            return Some((name, line as u32));
        }
    }
    None
}

/// An error with the place in the patch.
pub fn error_at(lua: &Lua, message: &str) -> mlua::Error {
    match place(lua) {
        Some((file, line)) => mlua::Error::runtime(format!("{file}:{line}: {message}")),
        None => mlua::Error::runtime(message),
    }
}
