//! Live code: patches in Luau that play parameters.
//!
//! `psi = 0.7 + 0.3 * sine(8)` binds an expression, which is then evaluated natively ([`Bindings`]); Lua runs only when
//! code is evaluated, for handlers (`every`, `on`, `at`) and for a `frame` function. Code is a transaction: what it does
//! takes effect when it ends well, and an error changes nothing. A file counts as a whole, a line or block for itself.
//!
//! Runs in the show's step; no I/O. What a patch sees of the world are parameters, signals, events and time, so the same
//! take gives the same show.

mod api;
mod sandbox;
mod session;
mod signal;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mlua::chunk::{ChunkMode, Compiler};
use mlua::{Function, Lua, Table as LuaTable, Value as Lu};

use crate::modulate::expr::Frame;
use crate::modulate::{Bindings, SignalId, Signals, Time};
use crate::params::{Id, Kind, Members, Params, Table, Target, Value, nearest_of, number_of_word, told_names};
pub use api::FUNCTIONS;
use sandbox::Budget;
use session::{Change, Session};

const PRELUDE: &str = include_str!("script/prelude.luau");
/// Numbers that can be assigned without a call into Rust.
const MAX_SLOTS: usize = 8192;
/// Longest text that is evaluated, in bytes.
pub const MAX_TEXT: usize = 256 << 10;
/// Evaluations that can be undone.
const MAX_UNDO: usize = 32;
/// Handlers that may wait for events at a time.
const MAX_HANDLERS: usize = 1024;
/// Events that handlers hear in one frame.
const MAX_HEARD: usize = 256;
/// After this many errors in a row a handler is switched off.
const MAX_ERRORS: u32 = 3;

/// Why code cannot be played, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{}: {message}", line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct ScriptError {
    pub file: String,
    /// Counted from 1.
    pub line: Option<u32>,
    pub message: String,
}

/// Code to evaluate.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// The file's name, for messages.
    pub file: &'a str,
    pub text: &'a str,
    /// The line of the file on which `text` begins, from 1.
    pub line: u32,
    /// Whether this is a whole file: what an earlier version played and this one does not, ends.
    pub is_whole: bool,
}

/// What the show knows and a patch may ask for.
#[derive(Clone)]
pub struct Surroundings {
    /// The names of the style network's styles, and the network's name. While another one loads, names are taken as they are,
    /// and the show finds their numbers later.
    pub styles: Vec<String>,
    pub styles_of: String,
    pub z_dim: usize,
    pub w_dim: usize,
    /// How many layers read a w.
    pub layers: usize,
    pub classes: usize,
    /// z of a seed and a number of dimensions.
    pub z_of: fn(u32, usize) -> Vec<f32>,
    /// Whether a mapping is valid, or why not.
    pub check_map: fn(&Mapped, &Table) -> Result<(), String>,
    /// The events whose last values are signals.
    listening: Vec<(When, SignalId)>,
}

impl Default for Surroundings {
    fn default() -> Self {
        Surroundings {
            styles: Vec::new(),
            styles_of: String::new(),
            z_dim: 512,
            w_dim: 512,
            layers: 16,
            classes: 0,
            z_of: |_, dim| vec![0.0; dim],
            check_map: |_, _| Ok(()),
            listening: Vec::new(),
        }
    }
}

impl Surroundings {
    /// The number of a word for a parameter: the position of a choice or of a style's name.
    fn number_of(&self, target: Target, word: &str) -> Option<f64> {
        let position = |known: &str| known.eq_ignore_ascii_case(word);
        match target.id.def().kind {
            Kind::Choice { options, .. } => options.iter().position(|known| position(known)).map(|i| i as f64),
            Kind::Bool { .. } => Value::Text(word.to_owned()).as_bool().map(|on| f64::from(u8::from(on))),
            _ if is_style(target) => style_number(&self.styles, word),
            _ => word.trim().parse().ok().filter(|x: &f64| x.is_finite()),
        }
    }

    /// The nearest word that a parameter knows; of styles, all that there are.
    fn hint(&self, target: Target, word: &str) -> String {
        let near = match target.id.def().kind {
            Kind::Choice { options, .. } => nearest_of(word, options.iter().copied()),
            _ if is_style(target) => nearest_of(word, self.styles.iter().map(String::as_str)),
            _ => None,
        };
        let near = near.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
        match is_style(target) && !self.styles.is_empty() {
            true => {
                let join = if near.is_empty() { ";" } else { "" };
                format!("{near}{join} {} has {}", self.styles_of, told_names(&self.styles, word))
            }
            false => near,
        }
    }

    /// How many members of a family the network uses.
    fn members(&self, id: Id) -> usize {
        let def = id.def();
        match def.members {
            Members::Z => self.z_dim.min(def.count),
            Members::W => self.w_dim.min(def.count),
            Members::Layers => self.layers.min(def.count),
            Members::Classes => self.classes.min(def.count),
            Members::All | Members::Styles => def.count,
        }
    }
}

/// Whether a parameter takes the names of styles.
pub fn is_style(target: Target) -> bool {
    target.id == Id::StyleA || target.id == Id::StyleB
}

/// The number of a style by its name, or by a part of it.
pub fn style_number(styles: &[String], word: &str) -> Option<f64> {
    let found = number_of_word(styles, word).map(|i| i as f64);
    found.or_else(|| word.trim().parse().ok().filter(|x: &f64| x.is_finite()))
}

/// A mapping that a patch made.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapped {
    /// A MIDI control such as `cc 21`, or an OSC address.
    pub control: String,
    pub target: Target,
    pub range: Option<[f64; 2]>,
    pub file: Arc<str>,
    pub line: u32,
}

/// When a handler is called.
#[derive(Clone, Debug, PartialEq)]
pub enum When {
    Frame,
    /// On each multiple of `beats`, plus `offset`.
    Every {
        beats: f64,
        offset: f64,
    },
    /// Once, this many beats after the start.
    At {
        beats: f64,
    },
    Osc(String),
    Note(u8),
    Cc(u8),
    Key(String),
    /// When a signal rises above a half.
    Rise(SignalId),
}

impl When {
    /// Reads `/foo`, `note 36`, `cc 21`, `key x`, `beat`, `bar` or the name of a signal.
    fn parse(text: &str) -> Option<When> {
        let (kind, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        match (kind, rest.trim()) {
            ("beat", "") => Some(When::Every { beats: 1.0, offset: 0.0 }),
            ("bar", "") => Some(When::Every { beats: 4.0, offset: 0.0 }),
            ("note", number) => number.parse().ok().filter(|n| *n < 128).map(When::Note),
            ("cc", number) => number.parse().ok().filter(|n| *n < 128).map(When::Cc),
            ("key", key) if !key.is_empty() => Some(When::Key(key.to_lowercase())),
            (address, "") if address.starts_with('/') && address.len() > 1 => Some(When::Osc(address.to_owned())),
            (name, "") if name.contains('.') => SignalId::intern(name).map(When::Rise),
            _ => None,
        }
    }
}

/// A function that waits for its event.
#[derive(Clone, Debug)]
pub struct Handler {
    /// Different for every handler.
    id: u64,
    when: When,
    function: Function,
    file: Arc<str>,
    line: u32,
    /// The beat at which it was made, or its patch began.
    start: f64,
    /// The beat up to which its events have been played.
    until: Option<f64>,
    errors: u32,
    is_over: bool,
    was_high: bool,
}

impl Handler {
    fn new(when: When, function: Function, file: Arc<str>, line: u32, start: f64) -> Handler {
        static IDS: AtomicU64 = AtomicU64::new(0);
        let id = IDS.fetch_add(1, Ordering::Relaxed);
        Handler { id, when, function, file, line, start, until: None, errors: 0, is_over: false, was_high: false }
    }

    /// Whether it is due at this beat; for handlers that wait for time or for a signal.
    fn is_due(&mut self, beat: f64, signals: &Signals) -> bool {
        if self.is_over {
            return false;
        }
        match &self.when {
            When::Frame => true,
            When::Every { beats, offset } => {
                let count = |beat: f64| ((beat - offset) / beats + 1e-9).floor();
                // A multiple on which it is made counts.
                let before = self.until.replace(beat).unwrap_or(self.start - 1e-6);
                count(beat) > count(before)
            }
            When::At { beats } => {
                let is_due = beat >= self.start + beats - 1e-9;
                self.is_over = is_due;
                is_due
            }
            When::Rise(id) => {
                let is_high = signals.get(*id) > 0.5;
                let was_high = std::mem::replace(&mut self.was_high, is_high);
                is_high && !was_high
            }
            When::Osc(_) | When::Note(_) | When::Cc(_) | When::Key(_) => false,
        }
    }
}

/// Something that handlers may wait for.
#[derive(Clone, Copy, Debug)]
pub enum Heard<'a> {
    Osc(&'a str, &'a Value),
    /// 0 to 127, and its velocity from 0 to 1.
    Note(u8, f64),
    /// 0 to 127, and its position from 0 to 1.
    Cc(u8, f64),
    Key(&'a str),
}

impl Heard<'_> {
    fn is(&self, when: &When) -> bool {
        match (self, when) {
            (Heard::Osc(address, _), When::Osc(known)) => address == known,
            (Heard::Note(note, _), When::Note(known)) => note == known,
            (Heard::Cc(cc, _), When::Cc(known)) => cc == known,
            (Heard::Key(key), When::Key(known)) => key == known,
            _ => false,
        }
    }
}

/// What handlers get.
#[derive(Clone, Debug)]
enum Argument {
    Number(f64),
    Text(String),
    List(Vec<f32>),
    Nothing,
}

/// The old values of variables, in the order of their changes.
type Journal = Vec<(String, Lu)>;

/// A state to which `undo` returns.
struct Undo {
    bindings: Vec<crate::modulate::Binding>,
    handlers: Vec<Handler>,
    maps: Vec<Mapped>,
    vars: Journal,
    /// The values that the evaluation overwrote.
    values: Vec<(Target, Value)>,
}

/// A machine with everything that patches have set going in it.
pub struct Script {
    lua: Lua,
    env: LuaTable,
    vars: LuaTable,
    define: Function,
    forget: Function,
    budget: Budget,
    /// The version of the table whose names the machine knows.
    version: Option<u64>,
    /// The row numbers and the slots of the addresses that are known.
    known: HashMap<&'static str, (usize, Id)>,
    slots_of: HashMap<&'static str, (usize, usize)>,
    bindings: Bindings,
    handlers: Vec<Handler>,
    maps: Vec<Mapped>,
    maps_version: u64,
    /// By the handlers' ids.
    heard: Vec<(u64, Argument)>,
    undo: Vec<Undo>,
    /// The last evaluation changed something, so that it can be taken back.
    is_noted: bool,
    writes: Vec<(Target, Value)>,
    output: Vec<String>,
    faults: Vec<ScriptError>,
    /// The beat at which each file began.
    starts: HashMap<String, f64>,
}

impl Script {
    /// A machine without any patch; `seed` is for what is random.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn new(seed: u64) -> Result<Script, ScriptError> {
        Script::build(seed).map_err(|error| describe(&error, "luau", None))
    }

    fn build(seed: u64) -> mlua::Result<Script> {
        let budget = Budget::default();
        budget.refill();
        let name_of = |lua: &Lua| {
            lua.create_function(|lua, handle: Lu| {
                let f: Option<Function> = lua.named_registry_value("name_of")?;
                f.map_or(Ok(Lu::Nil), |f| f.call(handle))
            })
        };
        let (lua, library, plain) = sandbox::machine(&budget, |lua| lua.create_function(api::math_random), name_of)?;
        let mut session = Session::new(budget.clone());
        session.random = seed;
        session.functions = api::FUNCTIONS.to_vec();
        let slots = lua.create_buffer(vec![0xff; MAX_SLOTS * 8])?;
        session.buffer = Some(slots.clone());
        lua.set_app_data(session);
        api::install(&lua, &library)?;
        library.raw_set("print", api::print(&lua, plain)?)?;
        let rust = api::for_prelude(&lua)?;
        let chunk = lua.load(PRELUDE).set_name("=[prelude]").set_mode(ChunkMode::Text);
        let compiler = Compiler::new().set_optimization_level(2).set_debug_level(1);
        let prelude: LuaTable = chunk.set_compiler(compiler).call((rust, slots, library))?;
        let also: Function = prelude.get("also")?;
        also.call::<()>(("noise", api::noise(&lua)?, Lu::Nil))?;
        also.call::<()>(("audio", Lu::Nil, api::audio(&lua)?))?;
        lua.set_named_registry_value("name_of", prelude.get::<Function>("name_of")?)?;
        let vars: LuaTable = prelude.get("vars")?;
        vars.raw_set("points", lua.create_table()?)?;
        lua.set_named_registry_value("vars", &vars)?;
        if let Some(mut session) = lua.app_data_mut::<Session>() {
            session.value_of = Some(prelude.get("value_of")?);
            session.target_of = Some(prelude.get("target_of")?);
        }
        sandbox::seal(&lua)?;
        Ok(Script {
            env: prelude.get("env")?,
            define: prelude.get("define")?,
            forget: prelude.get("forget")?,
            vars,
            lua,
            budget,
            version: None,
            known: HashMap::new(),
            slots_of: HashMap::new(),
            bindings: Bindings::default(),
            handlers: Vec::new(),
            maps: Vec::new(),
            maps_version: 0,
            heard: Vec::new(),
            undo: Vec::new(),
            is_noted: false,
            writes: Vec::new(),
            output: Vec::new(),
            faults: Vec::new(),
            starts: HashMap::new(),
        })
    }

    /// Changes what patches may ask for.
    pub fn surround(&mut self, change: impl FnOnce(&mut Surroundings)) {
        if let Some(mut session) = self.lua.app_data_mut::<Session>() {
            change(&mut session.surroundings);
        }
    }

    /// Evaluates code. What it writes is in [`Script::drain_writes`], what it prints in [`Script::take_output`].
    ///
    /// # Errors
    /// When the code fails anywhere; then nothing changes.
    pub fn evaluate(&mut self, chunk: &Chunk, params: &mut Params, time: Time) -> Result<(), ScriptError> {
        if chunk.text.len() > MAX_TEXT {
            let message = format!("{} bytes of code; at most {MAX_TEXT} are evaluated", chunk.text.len());
            return Err(ScriptError { file: chunk.file.to_owned(), line: None, message });
        }
        self.budget.refill();
        self.is_noted = false;
        // Lines are those of the file.
        let text = format!("{}{}", "\n".repeat(chunk.line.saturating_sub(1) as usize), chunk.text);
        let name = format!("={}", chunk.file);
        let env = self.env.clone();
        let (changes, vars) = self.run(chunk.file, params, time, |lua| {
            let compiler = Compiler::new().set_optimization_level(1).set_debug_level(1);
            let code = lua.load(text.as_str()).set_name(name).set_mode(ChunkMode::Text);
            code.set_compiler(compiler).set_environment(env).call::<()>(())
        })?;
        // Code that only asks, such as `help()`, leaves nothing to take back. A whole file may end what plays.
        self.is_noted = !changes.is_empty() || !vars.is_empty() || (chunk.is_whole && !self.is_idle());
        let undo = self.is_noted.then(|| self.snapshot(&changes, vars, params));
        let start = match chunk.is_whole {
            true => *self.starts.entry(chunk.file.to_owned()).or_insert(time.beat),
            false => time.beat,
        };
        let is_first = start == time.beat;
        self.commit(changes, Some((chunk, start, is_first)), time.beat);
        if let Some(undo) = undo {
            if self.undo.len() == MAX_UNDO {
                self.undo.remove(0);
            }
            self.undo.push(undo);
        }
        Ok(())
    }

    /// Takes back the last evaluation that changed anything: bindings, handlers, mappings, variables and the values that it
    /// wrote. Contents of tables stay. False if there is nothing to take back.
    pub fn undo(&mut self) -> bool {
        let Some(undo) = self.undo.pop() else { return false };
        self.bindings.keep(|binding| undo.bindings.iter().any(|kept| kept.target == binding.target));
        for binding in undo.bindings {
            // It was lowered before.
            let _ = self.bindings.bind(binding);
        }
        (self.handlers, self.maps) = (undo.handlers, undo.maps);
        self.maps_version += 1;
        self.heard.clear();
        self.restore(undo.vars);
        self.writes.extend(undo.values);
        true
    }

    /// The last evaluation is undone together with the one before it, as a number that is dragged evaluates its line often.
    pub fn join_undo(&mut self) {
        if self.undo.len() > 1 && std::mem::take(&mut self.is_noted) {
            self.undo.pop();
        }
    }

    /// Ends everything: bindings, handlers and mappings.
    pub fn hush(&mut self) {
        self.bindings.keep(|_| false);
        self.handlers.clear();
        self.heard.clear();
        self.maps.clear();
        self.maps_version += 1;
    }

    /// Ends what a file plays, and forgets when it began.
    pub fn end(&mut self, file: &str) {
        self.starts.remove(file);
        self.bindings.keep(|binding| &*binding.at.0 != file);
        self.handlers.retain(|handler| &*handler.file != file);
        self.heard.clear();
        self.maps.retain(|mapped| &*mapped.file != file);
        self.maps_version += 1;
    }

    /// Starts what is random from this seed.
    pub fn reseed(&mut self, seed: u64) {
        if let Some(mut session) = self.lua.app_data_mut::<Session>() {
            session.random = seed;
        }
    }

    /// Takes an event. Returns whether the patch listens to it, and the signal that it sets.
    pub fn hear(&mut self, heard: &Heard) -> (bool, Option<(SignalId, f64)>) {
        let argument = |heard: &Heard| match heard {
            Heard::Osc(_, value) => match value {
                Value::Text(text) => Argument::Text(text.clone()),
                Value::List(list) => Argument::List(list.clone()),
                Value::Nothing => Argument::Nothing,
                Value::Float(x) | Value::Travel(x) => Argument::Number(*x),
                Value::Int(i) => Argument::Number(*i as f64),
                Value::Bool(on) => Argument::Number(f64::from(u8::from(*on))),
            },
            Heard::Note(_, x) | Heard::Cc(_, x) => Argument::Number(*x),
            Heard::Key(_) => Argument::Nothing,
        };
        let mut is_heard = false;
        for handler in self.handlers.iter().filter(|handler| heard.is(&handler.when)) {
            is_heard = true;
            if self.heard.len() < MAX_HEARD {
                self.heard.push((handler.id, argument(heard)));
            }
        }
        let session = self.lua.app_data_ref::<Session>();
        let listening = session.as_ref().map(|session| &session.surroundings.listening);
        let signal = listening.and_then(|all| all.iter().find(|(when, _)| heard.is(when))).map(|(_, id)| *id);
        let number = match argument(heard) {
            Argument::Number(x) => Some(x),
            Argument::List(list) => list.first().map(|x| f64::from(*x)),
            Argument::Text(text) => text.trim().parse().ok(),
            Argument::Nothing => None,
        };
        (is_heard || signal.is_some(), signal.zip(number))
    }

    /// Calls the handlers that are due. What they write is in [`Script::drain_writes`], what fails in
    /// [`Script::drain_faults`]. Does not enter Lua if nothing is due.
    pub fn call(&mut self, params: &mut Params, time: Time, signals: &Signals) {
        if self.handlers.is_empty() {
            return;
        }
        self.budget.refill();
        let mut heard = std::mem::take(&mut self.heard);
        for i in 0..self.handlers.len() {
            // Handlers may end one another.
            let Some(handler) = self.handlers.get_mut(i) else { break };
            let id = handler.id;
            let is_due = handler.is_due(time.beat, signals);
            let is_frame = handler.when == When::Frame;
            if is_due {
                let arguments = if is_frame { (time.secs, Some(time.beat)) } else { (time.beat, None) };
                self.call_one(i, params, time, |_| match arguments {
                    (secs, Some(beat)) => Ok((Lu::Number(secs), Lu::Number(beat))),
                    (beat, None) => Ok((Lu::Number(beat), Lu::Nil)),
                });
            }
            for (_, argument) in heard.extract_if(.., |(to, _)| *to == id) {
                self.call_one(i, params, time, |lua| {
                    let value = match argument {
                        Argument::Number(x) => Lu::Number(x),
                        Argument::Text(text) => Lu::String(lua.create_string(&text)?),
                        Argument::List(list) => Lu::Table(lua.create_sequence_from(list)?),
                        Argument::Nothing => Lu::Nil,
                    };
                    Ok((value, Lu::Nil))
                });
            }
        }
        heard.clear();
        self.heard = heard;
        self.handlers.retain(|handler| !handler.is_over);
    }

    fn call_one(
        &mut self,
        i: usize,
        params: &mut Params,
        time: Time,
        arguments: impl FnOnce(&Lua) -> mlua::Result<(Lu, Lu)>,
    ) {
        let Some(handler) = self.handlers.get(i).filter(|handler| !(handler.is_over && handler.errors > 0)) else {
            return;
        };
        let (function, file, when) = (handler.function.clone(), handler.file.clone(), handler.when.clone());
        let result = self.run(&file, params, time, |lua| function.call::<()>(arguments(lua)?));
        match result {
            Ok((changes, _)) => {
                if let Some(handler) = self.handlers.get_mut(i) {
                    handler.errors = 0;
                }
                self.commit(changes, None, time.beat);
            }
            Err(mut error) => {
                if let Some(handler) = self.handlers.get_mut(i).filter(|handler| handler.when == when) {
                    handler.errors += 1;
                    error.line = error.line.or(Some(handler.line));
                    if handler.errors >= MAX_ERRORS {
                        handler.is_over = true;
                        error.message.push_str("; switched off after three errors in a row");
                    }
                }
                self.faults.push(error);
            }
        }
    }

    /// Evaluates the bindings: their numbers are [`Bindings::values`]; what they write is added to
    /// [`Script::drain_writes`]. Does not enter Lua, and does not allocate.
    pub fn step(&mut self, frame: &Frame) -> &Bindings {
        self.bindings.step(frame);
        self.writes.extend(self.bindings.writes().iter().cloned());
        if let Some(binding) = self.bindings.bad().and_then(|target| self.bindings.get(target)) {
            let (file, line) = &binding.at;
            let message = format!("{} is not a number any more; its last value stays", binding.target);
            self.faults.push(ScriptError { file: file.to_string(), line: Some(*line), message });
        }
        &self.bindings
    }

    pub fn bindings(&self) -> &Bindings {
        &self.bindings
    }

    /// Whether nothing plays.
    pub fn is_idle(&self) -> bool {
        self.bindings.is_empty() && self.handlers.is_empty() && self.maps.is_empty()
    }

    /// The mappings that patches have made.
    pub fn maps(&self) -> &[Mapped] {
        &self.maps
    }

    /// The OSC addresses that patches listen to.
    pub fn addresses(&self) -> Vec<String> {
        let session = self.lua.app_data_ref::<Session>();
        let listening = session.iter().flat_map(|session| session.surroundings.listening.iter().map(|(when, _)| when));
        let all = self.handlers.iter().map(|handler| &handler.when).chain(listening);
        let addresses = all.filter_map(|when| match when {
            When::Osc(address) => Some(address.clone()),
            _ => None,
        });
        addresses.collect()
    }

    /// Changes whenever [`Script::maps`] or [`Script::addresses`] does.
    pub fn maps_version(&self) -> u64 {
        self.maps_version
    }

    /// Other styles are there: what is written by name is written again.
    pub fn write_words_again(&mut self) {
        self.bindings.write_words_again();
    }

    /// What was written since the last call, in order.
    pub fn drain_writes(&mut self) -> std::vec::Drain<'_, (Target, Value)> {
        self.writes.drain(..)
    }

    /// What failed since the last call.
    pub fn drain_faults(&mut self) -> std::vec::Drain<'_, ScriptError> {
        self.faults.drain(..)
    }

    /// The lines printed since the last call.
    pub fn take_output(&mut self) -> Vec<String> {
        std::mem::take(&mut self.output)
    }

    /// Runs code and returns what it did, and the old values of the variables that it set. Nothing of it counts if it fails.
    fn run(
        &mut self,
        file: &str,
        params: &mut Params,
        time: Time,
        code: impl FnOnce(&Lua) -> mlua::Result<()>,
    ) -> Result<(Vec<Change>, Journal), ScriptError> {
        let fail = |error: &mlua::Error, missing| describe(error, file, missing);
        self.learn_names(params).map_err(|error| fail(&error, None))?;
        if let Some(mut session) = self.lua.app_data_mut::<Session>() {
            session.params = Some(std::mem::replace(params, Params::hollow()));
            session.time = time;
            session.missing = None;
            if &*session.file != file {
                session.file = file.into();
            }
        }
        let result = code(&self.lua);
        let Some(mut session) = self.lua.app_data_mut::<Session>() else { return Ok(Default::default()) };
        if let Some(back) = session.params.take() {
            *params = back;
        }
        let mut changes = std::mem::take(&mut session.changes);
        let journal = std::mem::take(&mut session.journal);
        self.output.append(&mut session.output);
        take_slots(&session, result.is_ok().then_some(&mut changes));
        let Err(error) = result else { return Ok((changes, journal)) };
        let hint = session.missing.as_deref().map(|name| (name.to_owned(), api::hint_for(&session, name)));
        drop(session);
        self.restore(journal);
        // Without this the next line would fail too.
        let _ = self.lua.gc_collect();
        Err(describe(&error, file, hint))
    }

    fn snapshot(&self, changes: &[Change], vars: Journal, params: &Params) -> Undo {
        let written = changes.iter().filter_map(|change| match change {
            Change::Write(target, _) => Some((*target, params.value(*target)?)),
            _ => None,
        });
        let (bindings, values) = (self.bindings.iter().cloned().collect(), written.collect());
        Undo { bindings, handlers: self.handlers.clone(), maps: self.maps.clone(), vars, values }
    }

    /// Gives variables their old values.
    fn restore(&self, journal: Journal) {
        for (name, old) in journal.into_iter().rev() {
            // It existed, so there is room.
            let _ = self.vars.raw_set(name, old);
        }
    }

    /// Makes changes take effect. `evaluated` is the code with the beat at which it began, and whether that is now; `None`
    /// for a handler.
    fn commit(&mut self, changes: Vec<Change>, evaluated: Option<(&Chunk, f64, bool)>, beat: f64) {
        let is_whole = evaluated.is_some_and(|(chunk, ..)| chunk.is_whole);
        let old = if is_whole {
            let bound = |change: &Change| match change {
                Change::Bind(binding) => Some(binding.target),
                _ => None,
            };
            let kept: HashSet<Target> = changes.iter().filter_map(bound).collect();
            self.bindings.keep(|binding| kept.contains(&binding.target));
            self.maps.clear();
            self.heard.clear();
            std::mem::take(&mut self.handlers)
        } else {
            Vec::new()
        };
        let first = self.handlers.len();
        let mut added = 0;
        // An evaluation may listen to other addresses.
        self.maps_version += u64::from(evaluated.is_some());
        for change in changes {
            match change {
                Change::Write(target, value) => {
                    self.bindings.release(target);
                    self.writes.push((target, value));
                }
                Change::Bind(binding) => {
                    let (target, (file, line)) = (binding.target, binding.at.clone());
                    if let Err(error) = self.bindings.bind(binding) {
                        let message = format!("{target}: {error}");
                        self.faults.push(ScriptError { file: file.to_string(), line: Some(line), message });
                    }
                }
                Change::Release(target) => self.bindings.release(target),
                Change::Hush => {
                    self.hush();
                    added = 0;
                }
                Change::Handle(mut handler) => {
                    // It may listen to another address.
                    self.maps_version += u64::from(matches!(handler.when, When::Osc(_)));
                    if let Some((_, start, is_first)) = evaluated {
                        if let When::At { .. } = handler.when {
                            handler.start = start;
                        }
                        // A cue that has passed is not played again by a reload.
                        let passed = matches!(handler.when, When::At { beats } if !is_first && start + beats <= beat);
                        let same = old.iter().find(|old| old.when == handler.when);
                        handler.until = same.and_then(|same| same.until);
                        if passed {
                            continue;
                        }
                        if !is_whole && first > 0 {
                            // A line on its own replaces the handlers for the same event of earlier evaluations.
                            let last = self.handlers.len().saturating_sub(added);
                            let (when, mut i) = (handler.when.clone(), 0);
                            self.handlers.retain(|known| {
                                i += 1;
                                i > last || known.when != when
                            });
                        }
                    } else if handler.when == When::Frame {
                        self.handlers.retain(|known| known.when != When::Frame);
                    }
                    if self.handlers.len() < MAX_HANDLERS {
                        self.handlers.push(handler);
                        added += 1;
                    }
                }
                Change::Unhandle(when) => self.handlers.retain(|known| known.when != when),
                Change::Map(mapped) => {
                    self.maps.retain(|known| known.control != mapped.control);
                    self.maps.push(mapped);
                    self.maps_version += 1;
                }
            }
        }
        if evaluated.is_some() {
            // The last `frame` counts.
            let frames = self.handlers.iter().filter(|handler| handler.when == When::Frame).count();
            let mut seen = 0;
            self.handlers.retain(|handler| {
                seen += usize::from(handler.when == When::Frame);
                handler.when != When::Frame || seen == frames
            });
        }
    }

    /// Tells the machine about rows that have come or gone.
    fn learn_names(&mut self, params: &Params) -> mlua::Result<()> {
        let table = params.table();
        if self.version == Some(table.version()) {
            return Ok(());
        }
        let gone: Vec<&'static str> =
            self.known.iter().filter(|(_, (_, id))| !table.has(*id)).map(|(address, _)| *address).collect();
        for address in gone {
            self.known.remove(address);
            self.forget.call::<()>(parts(&self.lua, address)?)?;
        }
        for id in table.ids() {
            let def = id.def();
            // Code does not evaluate code, and `hush()` is in order with the lines around it.
            let is_hidden = def.address.starts_with("/eval") || def.address == "/hush";
            if is_hidden || self.known.contains_key(def.address) {
                continue;
            }
            let slot = self.slot_for(id);
            let Some(mut session) = self.lua.app_data_mut::<Session>() else { return Ok(()) };
            session.rows.push(id);
            let row = session.rows.len() - 1;
            if let Some(first) = slot {
                for i in 0..def.count {
                    let target = Target { id, index: i as u16 };
                    if session.slots.len() <= first + i {
                        session.slots.push(target);
                    }
                    let before = std::mem::replace(&mut session.slots[first + i], target);
                    session.slot_of.remove(&before);
                    session.slot_of.insert(target, first + i);
                }
            }
            drop(session);
            self.known.insert(def.address, (row, id));
            let offset = slot.map(|slot| slot * 8);
            self.define.call::<()>((parts(&self.lua, def.address)?, row, offset, def.count))?;
        }
        if let Some(mut session) = self.lua.app_data_mut::<Session>() {
            // What is gone is not suggested.
            let known: Vec<usize> = self.known.values().map(|(row, _)| *row).collect();
            session.functions = api::FUNCTIONS.to_vec();
            session.listed = known;
            session.listed.sort_unstable();
        }
        self.version = Some(table.version());
        Ok(())
    }

    /// The first slot of a row, if its numbers may be assigned without a check.
    fn slot_for(&mut self, id: Id) -> Option<usize> {
        let def = id.def();
        if !matches!(def.kind, Kind::Float { .. } | Kind::Int { .. }) {
            return None;
        }
        if let Some(&(first, count)) = self.slots_of.get(def.address)
            && count == def.count
        {
            return Some(first);
        }
        let used = self.slots_of.values().map(|(first, count)| first + count).max().unwrap_or(0);
        if used + def.count > MAX_SLOTS {
            return None;
        }
        self.slots_of.insert(def.address, (used, def.count));
        Some(used)
    }
}

/// The parts of an address as names: numbers are indices, and a hyphen is an underscore.
fn parts(lua: &Lua, address: &str) -> mlua::Result<LuaTable> {
    let part = |part: &str| match part.parse::<i64>() {
        Ok(number) => Ok(Lu::Number(number as f64)),
        Err(_) => lua.create_string(part.replace('-', "_")).map(Lu::String),
    };
    let names = address.split('/').filter(|part| !part.is_empty() && *part != "<n>");
    lua.create_sequence_from(names.map(part).collect::<mlua::Result<Vec<Lu>>>()?)
}

/// Empties the slots; with `changes`, what they held is written.
fn take_slots(session: &Session, mut changes: Option<&mut Vec<Change>>) {
    const AT_ONCE: usize = 64;
    let Some(buffer) = &session.buffer else { return };
    for (first, slots) in session.slots.chunks(AT_ONCE).enumerate() {
        let bytes = buffer.read_bytes::<{ AT_ONCE * 8 }>(first * AT_ONCE * 8);
        let mut is_written = false;
        for (slot, target) in bytes.chunks_exact(8).zip(slots) {
            let number = f64::from_le_bytes(slot.try_into().unwrap_or([0xff; 8]));
            if number.is_nan() {
                continue;
            }
            is_written = true;
            if let Some(changes) = &mut changes {
                changes.push(Change::Write(*target, Value::Float(number)));
            }
        }
        if is_written {
            buffer.write_bytes(first * AT_ONCE * 8, &[0xff; AT_ONCE * 8]);
        }
    }
}

/// An error of the machine as one line with its place.
fn describe(error: &mlua::Error, file: &str, missing: Option<(String, String)>) -> ScriptError {
    let mut inner = error;
    while let mlua::Error::CallbackError { cause, .. } | mlua::Error::WithContext { cause, .. } = inner {
        inner = cause;
    }
    let text = match inner {
        mlua::Error::SyntaxError { message, .. } | mlua::Error::RuntimeError(message) => message.clone(),
        mlua::Error::MemoryError(_) => format!("out of memory: a patch may use {} MB", sandbox::MEMORY >> 20),
        other => other.to_string(),
    };
    let text = text.lines().next().unwrap_or_default();
    let (file, line, message) = place_in(text).unwrap_or((file, None, text));
    let mut message = message.to_owned();
    if message.contains("attempt to compare") || message.contains("expected, got table") {
        message.push_str("; psi() is the number of a parameter, and :above(x) compares a signal");
    } else if message.contains("nil")
        && let Some((name, hint)) = missing
    {
        message.push_str(&format!("; there is no {name}{hint}"));
    } else if message.contains("not enough memory") {
        message = format!("out of memory: a patch may use {} MB", sandbox::MEMORY >> 20);
    }
    ScriptError { file: file.to_owned(), line, message }
}

/// Splits `drift.luau:3: message`.
fn place_in(text: &str) -> Option<(&str, Option<u32>, &str)> {
    let (at, message) = text.split_once(": ")?;
    let (file, line) = at.rsplit_once(':')?;
    Some((file, Some(line.parse().ok()?), message))
}

#[cfg(test)]
mod test;
