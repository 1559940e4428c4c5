//! The virtual machine: without files, network, clock or chance, and with limits on work, memory and depth.
//!
//! Work is counted, not timed: the same patch stops at the same step on every machine, and a take replays. A clock is the
//! last resort for the few operations that the count does not see, such as joining long strings in a loop.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, LuaOptions, StdLib, Table, Value, VmState};

use super::session;

/// How many steps all code of one frame may take: loop rounds, calls, and [`CALL`] for each call into the instrument.
pub const STEPS: i64 = 300_000;
/// What a call into the instrument costs.
pub const CALL: i64 = 20;
/// Memory of a patch, in bytes.
pub const MEMORY: usize = 16 << 20;
/// The last resort, in real time.
const DEADLINE: Duration = Duration::from_millis(250);
/// How many steps pass between two looks at the clock.
const LOOK_EVERY: i64 = 64;

const SANDBOX: &str = include_str!("sandbox.luau");

/// Globals that are not for patches.
const REMOVED: [&str; 12] = [
    "collectgarbage",
    "gcinfo",
    "getfenv",
    "setfenv",
    "loadstring",
    "newproxy",
    "require",
    "debug",
    "os",
    "coroutine",
    "rawset",
    "vector",
];
/// What a patch sees of the standard library.
const KEPT: [&str; 23] = [
    "assert",
    "bit32",
    "buffer",
    "error",
    "getmetatable",
    "ipairs",
    "math",
    "next",
    "pairs",
    "pcall",
    "rawequal",
    "rawget",
    "rawlen",
    "select",
    "setmetatable",
    "string",
    "table",
    "tonumber",
    "type",
    "typeof",
    "unpack",
    "utf8",
    "xpcall",
];

/// The steps that are left in this frame.
#[derive(Clone, Default)]
pub struct Budget(Arc<Left>);

#[derive(Default)]
struct Left {
    steps: AtomicI64,
    /// Nanoseconds after `epoch`.
    until: AtomicI64,
}

impl Budget {
    /// Starts a frame.
    pub fn refill(&self) {
        self.0.steps.store(STEPS, Ordering::Relaxed);
        self.0.until.store(now() + DEADLINE.as_nanos() as i64, Ordering::Relaxed);
    }

    /// Takes steps.
    ///
    /// # Errors
    /// When there are none left; and from then on until [`Budget::refill`], so that `pcall` cannot go on.
    pub fn spend(&self, steps: i64, lua: &Lua) -> mlua::Result<()> {
        let left = self.0.steps.fetch_sub(steps, Ordering::Relaxed) - steps;
        if left < 0 {
            // Not below zero for ever, so that nothing wraps.
            self.0.steps.store(-1, Ordering::Relaxed);
            return Err(session::error_at(lua, &format!("it ran too long: more than {STEPS} steps in one frame")));
        }
        if left % LOOK_EVERY < steps && now() > self.0.until.load(Ordering::Relaxed) {
            self.0.steps.store(-1, Ordering::Relaxed);
            let millis = DEADLINE.as_millis();
            return Err(session::error_at(lua, &format!("it ran too long: more than {millis} ms in one frame")));
        }
        Ok(())
    }
}

/// Nanoseconds since the first call.
fn now() -> i64 {
    static EPOCH: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
    EPOCH.elapsed().as_nanos() as i64
}

/// A machine with limits, and the part of the standard library that a patch sees. Call [`seal`] when everything is set up.
///
/// # Errors
/// When memory runs out.
pub fn machine(budget: &Budget, random: MakeFunction, name_of: MakeFunction) -> mlua::Result<(Lua, Table, Function)> {
    let libraries = StdLib::MATH | StdLib::STRING | StdLib::TABLE | StdLib::BIT | StdLib::UTF8 | StdLib::BUFFER;
    let lua = Lua::new_with(libraries, LuaOptions::default())?;
    lua.set_memory_limit(MEMORY)?;
    let globals = lua.globals();
    let (random, name_of) = (random(&lua)?, name_of(&lua)?);
    let chunk = lua.load(SANDBOX).set_name("=[sandbox]").set_mode(ChunkMode::Text);
    let plain: Function = chunk.call((random, name_of))?;
    let library = lua.create_table()?;
    for name in KEPT {
        library.raw_set(name, globals.raw_get::<Value>(name)?)?;
    }
    // Addresses of tables differ between runs.
    library.raw_set("tostring", plain.clone())?;
    let interrupt = budget.clone();
    lua.set_interrupt(move |lua| interrupt.spend(1, lua).map(|()| VmState::Continue));
    Ok((lua, library, plain))
}

/// Takes away what only trusted code may use, and makes the libraries read-only.
///
/// # Errors
/// When memory runs out.
pub fn seal(lua: &Lua) -> mlua::Result<()> {
    let globals = lua.globals();
    REMOVED.iter().try_for_each(|name| globals.raw_set(*name, Value::Nil))?;
    lua.sandbox(true)?;
    lua.gc_collect()
}

/// Makes a function for the machine.
type MakeFunction = fn(&Lua) -> mlua::Result<Function>;
