//! What a patch can call: signals, handlers, cues, mappings, help; and how it reads and writes parameters.

use mlua::{Function, Lua, Table, Value as Lu, Variadic};

use super::session::{self, Change, error_at, with};
use super::signal::{Signal, binary, borrowed, checked, number, number_or, operand};
use super::{Handler, Mapped, When, is_style};
use crate::modulate::expr::{Binary, Expr, Unary};
use crate::modulate::lfo::Wave;
use crate::modulate::pattern::Pattern;
use crate::modulate::{Binding, Plays, SignalId};
use crate::params::{Id, Kind, Target, Value, nearest_of};
use crate::patch::edit::dotted;

/// Name, usage and help of every function, in the order of `help()`.
pub const FUNCTIONS: [(&str, &str, &str); 36] = [
    ("sine", "sine(beats, phase)", "from -1 to 1, one period in so many beats"),
    ("cosine", "cosine(beats, phase)", "a sine that starts at the top"),
    ("tri", "tri(beats, phase)", "triangle from -1 to 1"),
    ("saw", "saw(beats, phase)", "ramp from 0 to 1"),
    ("square", "square(beats, phase)", "1 for half of the period, then 0"),
    ("noise", "noise(beats, seed)", "smooth random from -1 to 1, a new goal every so many beats"),
    ("rand", "rand(beats, seed)", "random steps from 0 to 1"),
    ("lfo", "lfo(\"tri\", beats, phase)", "any of these by name"),
    ("seq", "seq(\"67 8 [3 85] ~\", beats)", "a pattern in mini-notation, one cycle in so many beats (4)"),
    ("names", "names(\"starry ink\", beats)", "a pattern of names; a list such as {\"a b\", \"c\"} takes spaces"),
    ("lerp", "lerp(a, b, x)", "from a to b as x goes from 0 to 1; numbers, signals and vectors"),
    ("min", "min(a, b)", "the smaller"),
    ("max", "max(a, b)", "the larger"),
    ("abs", "abs(x)", "without its sign"),
    ("floor", "floor(x)", "rounded down"),
    ("vec", "vec(a, b, ...)", "a vector; + - * / ^ work on each element"),
    ("point", "point(seed)", "the z of a seed, as a vector"),
    ("beat", "beat", "the beat of the clock, as a signal; on(beat, f) calls f on each"),
    ("audio", "audio.bass", "a signal of the audio input from 0 to 1; bass mid high kick snare hat level also by name"),
    ("signal", "signal(\"hand.x\")", "a named signal, as sent to /signal/hand.x"),
    ("osc", "osc(\"/1/fader3\")", "the last number sent to an OSC address"),
    ("cc", "cc(21)", "the position of a MIDI controller, 0 to 1"),
    ("note", "note(36)", "a MIDI note, for on"),
    ("key", "key(\"x\")", "a key of the keyboard, for on"),
    ("every", "every(beats, f, offset)", "calls f on each multiple of so many beats"),
    ("at", "at(beats, f)", "calls f once, so many beats after the start"),
    (
        "on",
        "on(\"/foo\", f)",
        "calls f for an OSC address, note(36), beat, key(\"x\"), \"cc 21\" or a rise of a signal",
    ),
    ("map", "map(\"cc 21\", walk.speed, 0, 2)", "maps a MIDI control or an OSC address to a parameter"),
    ("pick", "pick(a, b, ...)", "one of these at random"),
    ("random", "random(a, b)", "a random number; without arguments from 0 to 1"),
    ("hush", "hush()", "ends everything that plays: bindings, handlers, mappings"),
    ("help", "help(\"walk\")", "lists parameters, or explains one"),
    ("has", "has(\"fx.kaleido\")", "whether there is such a parameter or group"),
    ("print", "print(...)", "shows a line"),
    ("p", "p[\"/fx/a-b/c\"]", "any parameter by its address"),
    ("frame", "function frame(t, beat) end", "runs every frame: seconds and beats"),
];

/// The audio signals that have bare names too.
const AUDIO: [&str; 7] = ["bass", "mid", "high", "kick", "snare", "hat", "level"];
/// Most vectors' length.
const MAX_POINT: usize = 1024;

/// Puts the functions into `library`.
pub fn install(lua: &Lua, library: &Table) -> mlua::Result<()> {
    let set = |name: &str, function: Function| library.raw_set(name, function);
    for (name, wave) in [("sine", Wave::Sine), ("tri", Wave::Triangle), ("saw", Wave::Saw), ("square", Wave::Square)] {
        set(name, lua.create_function(move |lua, args: Variadic<Lu>| steady(lua, name, wave, 0.0, &args))?)?;
    }
    set("cosine", lua.create_function(|lua, args: Variadic<Lu>| steady(lua, "cosine", Wave::Sine, 0.25, &args))?)?;
    set("rand", lua.create_function(|lua, args: Variadic<Lu>| random_wave(lua, "rand", Wave::SampleHold, &args))?)?;
    set("lfo", lua.create_function(lfo)?)?;
    set("seq", lua.create_function(|lua, args: (Lu, Option<Lu>)| sequence(lua, "seq", &args.0, args.1.as_ref()))?)?;
    set("names", lua.create_function(|lua, args: (Lu, Option<Lu>)| sequence(lua, "names", &args.0, args.1.as_ref()))?)?;
    set("lerp", lua.create_function(lerp)?)?;
    for (name, op) in [("min", Binary::Min), ("max", Binary::Max)] {
        set(name, lua.create_function(move |lua, (a, b): (Lu, Lu)| plain(lua, binary(lua, op, &a, &b)?))?)?;
    }
    for (name, op) in [("abs", Unary::Abs), ("floor", Unary::Floor)] {
        let function = move |lua: &Lua, a: Lu| {
            let a = operand(lua, &a, name)?;
            plain(lua, checked(lua, a.map(|x| Expr::unary(op, x)))?)
        };
        set(name, lua.create_function(function)?)?;
    }
    set("vec", lua.create_function(vector)?)?;
    set("point", lua.create_function(point)?)?;
    library.raw_set("beat", lua.create_userdata(Signal::One(Expr::beat()))?)?;
    for name in AUDIO {
        library.raw_set(name, lua.create_userdata(named_signal(lua, &format!("audio.{name}"))?)?)?;
    }
    set("signal", lua.create_function(|lua, name: String| named_signal(lua, &name))?)?;
    set("osc", lua.create_function(|lua, address: String| listen(lua, When::Osc(address)))?)?;
    set("cc", lua.create_function(|lua, number: u8| listen(lua, When::Cc(number)))?)?;
    set("note", lua.create_function(|_, number: i64| Ok(format!("note {number}")))?)?;
    set("key", lua.create_function(|_, name: String| Ok(format!("key {name}")))?)?;
    set("every", lua.create_function(every)?)?;
    set("at", lua.create_function(at)?)?;
    set("on", lua.create_function(on)?)?;
    set("map", lua.create_function(map)?)?;
    set("pick", lua.create_function(pick)?)?;
    set("random", lua.create_function(random)?)?;
    set("hush", lua.create_function(|lua, ()| hush(lua))?)?;
    set("help", lua.create_function(help)?)?;
    set("has", lua.create_function(|lua, name: String| with(lua, |session| !matching(session, &name).is_empty()))?)?;
    Ok(())
}

/// What the prelude calls.
pub fn for_prelude(lua: &Lua) -> mlua::Result<Table> {
    let rust = lua.create_table()?;
    for (name, op) in [
        ("add", Binary::Add),
        ("sub", Binary::Sub),
        ("mul", Binary::Mul),
        ("div", Binary::Div),
        ("pow", Binary::Pow),
        ("mod", Binary::Mod),
    ] {
        let function = move |lua: &Lua, (a, b): (Lu, Lu)| {
            with(lua, |_| ())?;
            plain(lua, binary(lua, op, &a, &b)?)
        };
        rust.raw_set(name, lua.create_function(function)?)?;
    }
    let signal = |lua: &Lua, value: Lu| operand(lua, &value, "this");
    rust.raw_set("signal", lua.create_function(signal)?)?;
    rust.raw_set("read", lua.create_function(read)?)?;
    rust.raw_set("assign", lua.create_function(assign)?)?;
    rust.raw_set("call", lua.create_function(call)?)?;
    rust.raw_set("variable", lua.create_function(variable)?)?;
    let fail = |lua: &Lua, message: String| -> mlua::Result<()> { Err(error_at(lua, &message)) };
    rust.raw_set("fail", lua.create_function(fail)?)?;
    rust.raw_set("unknown", lua.create_function(unknown)?)?;
    let missing = |lua: &Lua, name: String| with(lua, |session| session.missing = Some(name));
    rust.raw_set("missing", lua.create_function(missing)?)?;
    Ok(rust)
}

/// `noise(beats, seed)`, which is also a group of parameters.
pub fn noise(lua: &Lua) -> mlua::Result<Function> {
    lua.create_function(|lua, args: Variadic<Lu>| random_wave(lua, "noise", Wave::SmoothRandom, &args))
}

/// `audio.NAME`.
pub fn audio(lua: &Lua) -> mlua::Result<Function> {
    lua.create_function(|lua, name: String| named_signal(lua, &format!("audio.{name}")))
}

/// `print(...)`.
pub fn print(lua: &Lua, plain: Function) -> mlua::Result<Function> {
    lua.create_function(move |lua, values: Variadic<Lu>| {
        let mut line = String::new();
        for value in values.iter().take(32) {
            let text: mlua::LuaString = plain.call(value)?;
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(&text.to_string_lossy());
        }
        with(lua, |session| session.print(&line))
    })
}

/// A number stays a number.
fn plain(lua: &Lua, signal: Signal) -> mlua::Result<Lu> {
    match &signal {
        Signal::One(expr) if expr.as_number().is_some() => Ok(Lu::Number(expr.as_number().unwrap_or(0.0))),
        _ => lua.create_userdata(signal).map(Lu::UserData),
    }
}

/// A wave: its period may be a signal.
fn steady(lua: &Lua, name: &str, wave: Wave, start: f64, args: &[Lu]) -> mlua::Result<Signal> {
    with(lua, |_| ())?;
    let period = args.first().map_or(Ok(Signal::One(Expr::number(4.0))), |period| operand(lua, period, name))?;
    let phase = number_or(lua, args.get(1), 0.0, name)?;
    checked(lua, period.map(|period| Expr::wave(wave, period.clone(), start + phase, None)))
}

fn random_wave(lua: &Lua, name: &str, wave: Wave, args: &[Lu]) -> mlua::Result<Signal> {
    with(lua, |_| ())?;
    let period = args.first().map_or(Ok(Signal::One(Expr::number(4.0))), |period| operand(lua, period, name))?;
    let seed = match args.get(1) {
        None | Some(Lu::Nil) => None,
        Some(seed) => Some(number(lua, seed, name)? as i64 as u64),
    };
    checked(lua, period.map(|period| Expr::wave(wave, period.clone(), 0.0, seed)))
}

fn lfo(lua: &Lua, args: Variadic<Lu>) -> mlua::Result<Signal> {
    const WAVES: [&str; 7] = ["sine", "cosine", "tri", "saw", "square", "noise", "rand"];
    let word = args.first().and_then(Lu::as_string).map(|word| word.to_string_lossy()).unwrap_or_default();
    let rest = args.get(1..).unwrap_or_default();
    match word.as_str() {
        "sine" => steady(lua, "lfo", Wave::Sine, 0.0, rest),
        "cosine" => steady(lua, "lfo", Wave::Sine, 0.25, rest),
        "tri" | "triangle" => steady(lua, "lfo", Wave::Triangle, 0.0, rest),
        "saw" => steady(lua, "lfo", Wave::Saw, 0.0, rest),
        "square" => steady(lua, "lfo", Wave::Square, 0.0, rest),
        "noise" => random_wave(lua, "lfo", Wave::SmoothRandom, rest),
        "rand" => random_wave(lua, "lfo", Wave::SampleHold, rest),
        other => {
            let hint = did_you_mean(nearest_of(other, WAVES.into_iter()));
            Err(error_at(lua, &format!("lfo takes one of {}; got \"{other}\"{hint}", WAVES.join(", "))))
        }
    }
}

fn sequence(lua: &Lua, name: &str, text: &Lu, beats: Option<&Lu>) -> mlua::Result<Signal> {
    with(lua, |_| ())?;
    let pattern = match text {
        Lu::String(text) => {
            Pattern::parse(&text.to_string_lossy()).map_err(|error| error_at(lua, &error.to_string()))?
        }
        Lu::Table(list) => {
            let word = |value: mlua::Result<Lu>| value?.to_string();
            let words: Vec<String> = list.clone().sequence_values::<Lu>().map(word).collect::<mlua::Result<_>>()?;
            Pattern::of_words(&words)
        }
        other => {
            return Err(error_at(lua, &format!("{name} takes a text such as \"1 2 ~\"; got a {}", other.type_name())));
        }
    };
    let beats = number_or(lua, beats, 4.0, name)?;
    if beats <= 0.0 {
        return Err(error_at(lua, &format!("{name} takes a length in beats above 0; got {beats}")));
    }
    Ok(Signal::One(Expr::pattern(pattern, beats)))
}

fn lerp(lua: &Lua, (a, b, x): (Lu, Lu, Lu)) -> mlua::Result<Lu> {
    with(lua, |_| ())?;
    let (a, b, x) = (operand(lua, &a, "lerp")?, operand(lua, &b, "lerp")?, operand(lua, &x, "lerp")?);
    let zero = Expr::number(0.0);
    let at = |signal: &Signal, i: usize| signal.get(i).unwrap_or(&zero).clone();
    let len = a.len().max(b.len()).max(x.len());
    let all: Result<Vec<Expr>, _> = (0..len).map(|i| Expr::lerp(&at(&a, i), &at(&b, i), &at(&x, i))).collect();
    let mut all = all.map_err(|error| error_at(lua, &error.to_string()))?;
    let is_one = [&a, &b, &x].iter().all(|signal| matches!(signal, Signal::One(_)));
    plain(lua, if is_one { Signal::One(all.remove(0)) } else { Signal::Many(all) })
}

fn vector(lua: &Lua, args: Variadic<Lu>) -> mlua::Result<Signal> {
    with(lua, |_| ())?;
    let mut all = Vec::new();
    for value in args.iter() {
        match operand(lua, value, "vec")? {
            Signal::One(expr) => all.push(expr),
            Signal::Many(list) => all.extend(list),
        }
    }
    Ok(Signal::Many(all))
}

fn point(lua: &Lua, seed: Lu) -> mlua::Result<Signal> {
    let seed = number(lua, &seed, "point")?;
    let z = with(lua, |session| {
        let surroundings = &session.surroundings;
        (surroundings.z_of)(seed.rem_euclid(4_294_967_296.0) as u32, surroundings.z_dim.min(MAX_POINT))
    })?;
    Ok(Signal::Many(z.into_iter().map(|x| Expr::number(f64::from(x))).collect()))
}

fn named_signal(lua: &Lua, name: &str) -> mlua::Result<Signal> {
    let id = SignalId::intern(name);
    let wrong = || error_at(lua, &format!("\"{name}\" is not the name of a signal, such as audio.kick"));
    id.map(|id| Signal::One(Expr::signal(id))).ok_or_else(wrong)
}

/// A signal of an event's last value.
fn listen(lua: &Lua, when: When) -> mlua::Result<Signal> {
    /// How many events a patch can listen to.
    const MOST: usize = 256;
    let name = match &when {
        When::Osc(address) => {
            let plain = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '.' };
            format!("osc.{}", address.trim_matches('/').chars().map(plain).collect::<String>())
        }
        When::Cc(number) => format!("midi.cc{number}"),
        _ => String::new(),
    };
    let Some(id) = SignalId::intern(&name) else {
        return Err(error_at(lua, "that is not an address with numbers, such as /1/fader3"));
    };
    with(lua, |session| {
        let listening = &mut session.surroundings.listening;
        if listening.len() < MOST && !listening.iter().any(|(known, _)| *known == when) {
            listening.push((when, id));
        }
    })?;
    Ok(Signal::One(Expr::signal(id)))
}

fn handler(lua: &Lua, when: When, function: &Lu) -> mlua::Result<()> {
    let change = match function {
        Lu::Function(function) => {
            let line = session::place(lua).map_or(0, |(_, line)| line);
            with(lua, |session| {
                let (file, start) = (session.file.clone(), session.time.beat);
                Change::Handle(Handler::new(when, function.clone(), file, line, start))
            })?
        }
        Lu::Nil => Change::Unhandle(when),
        other => return Err(error_at(lua, &format!("a function goes here; got a {}", other.type_name()))),
    };
    with(lua, |session| session.changes.push(change))
}

fn every(lua: &Lua, (beats, function, offset): (Lu, Lu, Option<Lu>)) -> mlua::Result<()> {
    let beats = number(lua, &beats, "every")?;
    let offset = number_or(lua, offset.as_ref(), 0.0, "every")?;
    if beats <= 0.0 {
        return Err(error_at(lua, &format!("every takes beats above 0; got {beats}")));
    }
    handler(lua, When::Every { beats, offset }, &function)
}

fn at(lua: &Lua, (beats, function): (Lu, Lu)) -> mlua::Result<()> {
    let beats = number(lua, &beats, "at")?;
    handler(lua, When::At { beats }, &function)
}

fn on(lua: &Lua, (event, function): (Lu, Lu)) -> mlua::Result<()> {
    let when = match &event {
        Lu::String(text) => When::parse(&text.to_string_lossy()),
        _ => borrowed(&event).and_then(|signal| match &*signal {
            Signal::One(expr) => expr
                .as_signal()
                .map(When::Rise)
                .or_else(|| expr.is_beat().then_some(When::Every { beats: 1.0, offset: 0.0 })),
            Signal::Many(_) => None,
        }),
    };
    let expected = "on takes an OSC address such as \"/foo\", note(36), beat, key(\"x\"), \"cc 21\" or a signal";
    let when = when.ok_or_else(|| error_at(lua, expected))?;
    handler(lua, when, &function)
}

fn map(lua: &Lua, (control, to, low, high): (String, Lu, Option<Lu>, Option<Lu>)) -> mlua::Result<()> {
    let target = target(lua, &to)?;
    let range = match (low, high) {
        (Some(low), Some(high)) => Some([number(lua, &low, "map")?, number(lua, &high, "map")?]),
        (None, None) => None,
        _ => return Err(error_at(lua, "map takes both ends of the range, or none")),
    };
    let line = session::place(lua).map_or(0, |(_, line)| line);
    let result = with(lua, |session| {
        let mapped = Mapped { control, target, range, file: session.file.clone(), line };
        let table = session.params.as_ref().map(|params| params.table().clone());
        let check = session.surroundings.check_map;
        table.map_or(Ok(()), |table| check(&mapped, &table)).map(|()| session.changes.push(Change::Map(mapped)))
    })?;
    result.map_err(|message| error_at(lua, &message))
}

/// The parameter of a handle.
fn target(lua: &Lua, value: &Lu) -> mlua::Result<Target> {
    let target_of = with(lua, |session| session.target_of.clone())?;
    let wrong = || error_at(lua, "a parameter goes here, such as walk.speed");
    let Some(f) = target_of.filter(|_| value.is_table()) else { return Err(wrong()) };
    let (id, member, _): (Option<usize>, Option<i64>, Option<String>) = f.call(value)?;
    let target = with(lua, |session| target_in(session, id, member.unwrap_or(0)))?;
    target.ok_or_else(wrong)
}

fn target_in(session: &session::Session, row: Option<usize>, member: i64) -> Option<Target> {
    let id = *session.rows.get(row?)?;
    Some(Target { id, index: member.max(0) as u16 })
}

fn pick(lua: &Lua, args: Variadic<Lu>) -> mlua::Result<Lu> {
    let random = with(lua, session::Session::random)?;
    let index = |count: usize| ((random * count as f64) as usize).min(count.saturating_sub(1));
    match args.first() {
        None => Err(error_at(lua, "pick takes the values to pick from")),
        Some(Lu::Table(list)) if args.len() == 1 && list.raw_len() > 0 => list.raw_get(index(list.raw_len()) + 1),
        Some(_) => Ok(args[index(args.len())].clone()),
    }
}

/// `random()`, `random(high)` or `random(low, high)`; also in the place of `math.random`.
pub fn random(lua: &Lua, (low, high): (Option<Lu>, Option<Lu>)) -> mlua::Result<f64> {
    let random = with(lua, session::Session::random)?;
    let is_none = |value: &Option<Lu>| value.as_ref().is_none_or(Lu::is_nil);
    if is_none(&low) {
        return Ok(random);
    }
    let low = number_or(lua, low.as_ref(), 0.0, "random")?;
    if is_none(&high) {
        return Ok(random * low);
    }
    let high = number_or(lua, high.as_ref(), 1.0, "random")?;
    Ok(low + random * (high - low))
}

/// `math.random`: whole numbers from 1 where a limit is given.
pub fn math_random(lua: &Lua, (low, high): (Option<Lu>, Option<Lu>)) -> mlua::Result<f64> {
    let random = with(lua, session::Session::random)?;
    let given = |value: &Option<Lu>| value.clone().filter(|value| !value.is_nil());
    let (low, high) = match (given(&low), given(&high)) {
        (None, _) => return Ok(random),
        (Some(high), None) => (1.0, number(lua, &high, "math.random")?),
        (Some(low), Some(high)) => (number(lua, &low, "math.random")?, number(lua, &high, "math.random")?),
    };
    Ok((low + (random * (high - low + 1.0)).floor()).min(high))
}

fn hush(lua: &Lua) -> mlua::Result<()> {
    with(lua, |session| {
        // What was assigned before is over too.
        for &target in &session.slots {
            session.set_slot(target, f64::NAN);
        }
        session.changes.push(Change::Hush);
    })
}

fn variable(lua: &Lua, (name, value): (String, Lu)) -> mlua::Result<()> {
    if name == "frame" {
        return handler(lua, When::Frame, &value);
    }
    let vars: Table = lua.named_registry_value("vars")?;
    let old: Lu = vars.raw_get(name.as_str())?;
    with(lua, |session| {
        if old.is_nil() && !value.is_nil() && !value.is_function() {
            let near = |known: &&str| name.len() > 2 && strsim::damerau_levenshtein(&name, known) == 1;
            if let Some(near) = top_names(session).into_iter().find(near) {
                session.print(&format!("{name} is a variable of the patch; did you mean the parameter {near}?"));
            }
        }
        session.journal.push((name.clone(), old));
    })?;
    vars.raw_set(name, value)
}

/// The first part of every address.
fn top_names(session: &session::Session) -> Vec<&'static str> {
    session.rows().filter_map(|id| id.def().address.split('/').nth(1)).collect()
}

fn did_you_mean(candidate: Option<&str>) -> String {
    candidate.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default()
}

/// An unknown name in a group.
fn unknown(lua: &Lua, (group, key): (String, String)) -> mlua::Result<()> {
    let name = if group.is_empty() { key } else { format!("{group}.{key}") };
    let hint = with(lua, |session| hint_for(session, &name))?;
    Err(error_at(lua, &format!("there is no {name}{hint}")))
}

/// `; did you mean "walk.speed"?`, among parameters and functions.
pub fn hint_for(session: &session::Session, name: &str) -> String {
    let rows: Vec<String> = session.rows().map(|id| dotted(id.def().address)).collect();
    let functions = session.functions.iter().map(|(name, ..)| *name);
    let groups = top_names(session);
    did_you_mean(nearest_of(name, rows.iter().map(String::as_str).chain(functions).chain(groups)))
}

/// The rows that a name means: a parameter, or all of a group.
fn matching(session: &session::Session, name: &str) -> Vec<Id> {
    let name = name.trim().trim_start_matches('/').replace('/', ".");
    let is_in = |row: &str| {
        let rest = row.strip_prefix(name.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.') || rest.starts_with('['))
    };
    session.rows().filter(|id| is_in(&dotted(id.def().address))).collect()
}

fn help(lua: &Lua, about: Lu) -> mlua::Result<()> {
    let name = match &about {
        Lu::Nil => String::new(),
        Lu::String(name) => name.to_string_lossy(),
        Lu::Table(_) => {
            let target_of = with(lua, |session| session.target_of.clone())?;
            let found = target_of.map(|f| f.call::<(Lu, Lu, Option<String>)>(&about)).transpose()?;
            found.and_then(|(_, _, name)| name).unwrap_or_default()
        }
        _ => return Err(error_at(lua, "help takes a name in quotes, such as help(\"walk\")")),
    };
    with(lua, |session| {
        let mut lines = Vec::new();
        for &(known, usage, help) in &session.functions {
            if name.is_empty() || name == known {
                lines.push(format!("{usage}: {help}"));
            }
        }
        if name.is_empty() {
            let mut groups = top_names(session);
            groups.dedup();
            lines.push(format!("parameters: {}", groups.join(" ")));
        } else {
            for id in matching(session, &name) {
                let def = id.def();
                let unit = if def.unit.is_empty() { String::new() } else { format!(" {}", def.unit) };
                let now = session.now(id.into()).map(|value| format!(", now {value}")).unwrap_or_default();
                lines.push(format!("{}: {}{unit}{now}: {}", dotted(def.address), def.expects(), def.help));
            }
        }
        if lines.is_empty() {
            lines.push(format!("there is no {name}{}", hint_for(session, &name)));
        }
        lines.iter().for_each(|line| session.print(line));
    })
}

/// What a handle is worth in an expression.
fn read(lua: &Lua, (row, member, name): (Option<usize>, i64, String)) -> mlua::Result<Lu> {
    let target = with(lua, |session| target_in(session, row, member))?;
    let Some(target) = target else {
        return Err(error_at(lua, &format!("{name} is a group of parameters; see help(\"{name}\")")));
    };
    match target.id.def().kind {
        Kind::Float { .. } | Kind::Int { .. } | Kind::Bool { .. } if member >= 0 => {
            plain(lua, Signal::One(Expr::param(target)))
        }
        Kind::Trigger => Err(error_at(lua, &format!("{name} is a trigger and has no value; call it: {name}()"))),
        _ => now(lua, target, member),
    }
}

/// What a parameter holds now.
fn now(lua: &Lua, target: Target, member: i64) -> mlua::Result<Lu> {
    if member < 0 {
        let numbers: Vec<Expr> = with(lua, |session| {
            let len = session.surroundings.members(target.id);
            (0..len as u16).map(|index| Expr::number(session.number(Target { index, ..target }))).collect()
        })?;
        return plain(lua, Signal::Many(numbers));
    }
    let value = with(lua, |session| session.now(target))?;
    match value {
        Some(Value::Text(text)) => lua.create_string(&text).map(Lu::String),
        Some(Value::Bool(on)) => Ok(Lu::Boolean(on)),
        Some(Value::List(list)) => {
            let all = list.into_iter().map(|x| Expr::number(f64::from(x))).collect();
            plain(lua, Signal::Many(all))
        }
        Some(Value::Float(x)) => Ok(Lu::Number(x)),
        Some(Value::Int(i)) => Ok(Lu::Number(i as f64)),
        Some(Value::Travel(_) | Value::Nothing) | None => Ok(Lu::Nil),
    }
}

/// `walk.speed = value`.
fn assign(lua: &Lua, (row, member, name, value): (Option<usize>, i64, String, Lu)) -> mlua::Result<()> {
    let target = with(lua, |session| target_in(session, row, member))?;
    let Some(target) = target else {
        let message = format!("{name} is a group of parameters and cannot be set; see help(\"{name}\")");
        return Err(error_at(lua, &message));
    };
    set(lua, target, member, &name, &value)
}

fn set(lua: &Lua, target: Target, member: i64, name: &str, value: &Lu) -> mlua::Result<()> {
    let def = target.id.def();
    let wrong = |found: &str| error_at(lua, &format!("{name} takes {}; got {found}", def.expects()));
    if let Lu::Function(_) = value {
        return Err(error_at(lua, &format!("{name} is a parameter and takes a number or a signal; got a function")));
    }
    if value.is_nil() {
        return with(lua, |session| release(session, target, member));
    }
    if member < 0 || matches!(def.kind, Kind::Vector { .. }) {
        return set_vector(lua, target, name, value);
    }
    match def.kind {
        Kind::Float { .. } | Kind::Int { .. } | Kind::Bool { .. } => match value {
            Lu::Boolean(on) => write(lua, target, Value::Bool(*on)),
            Lu::String(text) => {
                let text = text.to_string_lossy();
                let number = with(lua, |session| session.surroundings.number_of(target, &text))?;
                if number.is_none() && is_style(target) && with(lua, |session| session.awaits_styles())? {
                    return write(lua, target, Value::Text(text));
                }
                if let Some(number) = number {
                    return write(lua, target, Value::Float(number));
                }
                let takes = with(lua, |session| session.expects(target.id, &text))?;
                Err(error_at(lua, &format!("{name} takes {takes}; got {text:?}")))
            }
            _ => bind_or_write(lua, target, name, &operand(lua, value, name)?),
        },
        Kind::Choice { options, .. } => match value {
            Lu::String(text) => {
                let text = text.to_string_lossy();
                if !options.iter().any(|word| word.eq_ignore_ascii_case(text.trim())) {
                    let hint = did_you_mean(nearest_of(&text, options.iter().copied()));
                    return Err(wrong(&format!("{text:?}{hint}")));
                }
                write(lua, target, Value::Text(text))
            }
            _ => bind_or_write(lua, target, name, &operand(lua, value, name)?),
        },
        Kind::Text { .. } => match value {
            Lu::String(text) => write(lua, target, Value::Text(text.to_string_lossy())),
            Lu::Number(x) => write(lua, target, Value::Text(x.to_string())),
            Lu::Integer(i) => write(lua, target, Value::Text(i.to_string())),
            _ => {
                let words = borrowed(value).and_then(|signal| match &*signal {
                    Signal::One(expr) => Some((expr.clone(), expr.as_pattern()?.values().to_vec())),
                    Signal::Many(_) => None,
                });
                let (expr, words) = words.ok_or_else(|| wrong(&format!("a {}", value.type_name())))?;
                let expr = expr.with_positions().map_err(|error| error_at(lua, &error.to_string()))?;
                bind(lua, target, expr, Plays::Words(words.into()))
            }
        },
        Kind::Trigger => match value {
            Lu::Boolean(false) => Ok(()),
            Lu::Boolean(true) => write(lua, target, Value::Nothing),
            Lu::Number(x) => {
                if *x != 0.0 {
                    write(lua, target, Value::Nothing)
                } else {
                    Ok(())
                }
            }
            Lu::Integer(i) => {
                if *i != 0 {
                    write(lua, target, Value::Nothing)
                } else {
                    Ok(())
                }
            }
            _ => match operand(lua, value, name)? {
                Signal::One(expr) => {
                    // A word fires too.
                    let expr =
                        expr.with_words(&mut |_| Some(1.0)).map_err(|error| error_at(lua, &error.to_string()))?;
                    bind(lua, target, expr, Plays::Trigger)
                }
                Signal::Many(_) => Err(wrong("a vector")),
            },
        },
        Kind::Vector { .. } => Ok(()),
    }
}

fn release(session: &mut session::Session, target: Target, member: i64) {
    let count = if member < 0 { target.id.def().count } else { 1 };
    let first = target.index;
    for index in (first..).take(count) {
        let target = Target { index, ..target };
        session.set_slot(target, f64::NAN);
        session.changes.push(Change::Release(target));
    }
    if let Kind::Vector { .. } = target.id.def().kind {
        session.changes.push(Change::Write(target, Value::List(Vec::new())));
        if let Some(family) = family_of(session, target.id) {
            release(session, family.into(), -1);
        }
    }
}

/// `/z/<n>` for `/z`.
fn family_of(session: &session::Session, id: Id) -> Option<Id> {
    let address = format!("{}/<n>", id.def().address);
    session.params.as_ref()?.table().row(&address)
}

fn set_vector(lua: &Lua, target: Target, name: &str, value: &Lu) -> mlua::Result<()> {
    let signal = operand(lua, value, name)?;
    let is_family = target.id.def().is_family();
    if !is_family {
        let numbers: Option<Vec<f32>> = match &signal {
            Signal::Many(list) => list.iter().map(|expr| expr.as_number().map(|x| x as f32)).collect(),
            Signal::One(_) => None,
        };
        if let Some(list) = numbers {
            return with(lua, |session| {
                // What was bound one by one ends.
                release(session, target, 0);
                session.changes.push(Change::Write(target, Value::List(list)));
            });
        }
    }
    let family = if is_family { Some(target.id) } else { with(lua, |session| family_of(session, target.id))? };
    let Some(family) = family else {
        return Err(error_at(lua, &format!("{name} takes a list of numbers; got a signal")));
    };
    if !is_family {
        with(lua, |session| session.changes.push(Change::Write(target, Value::List(Vec::new()))))?;
    }
    let members = with(lua, |session| session.surroundings.members(family))?;
    let count = match &signal {
        Signal::One(_) => members,
        Signal::Many(list) => list.len().min(family.def().count),
    };
    for i in 0..count {
        if let Some(expr) = signal.get(i) {
            let member = Target { id: family, index: i as u16 };
            bind_or_write(lua, member, name, &Signal::One(expr.clone()))?;
        }
    }
    Ok(())
}

/// A signal is bound, a number is written.
fn bind_or_write(lua: &Lua, target: Target, name: &str, signal: &Signal) -> mlua::Result<()> {
    let Signal::One(expr) = signal else {
        return Err(error_at(lua, &format!("{name} takes one number; got a vector of {}", signal.len())));
    };
    let fail = |error: crate::modulate::ExprError| error_at(lua, &error.to_string());
    let now = with(lua, |session| session.number(target))?;
    // Its own name means the number that it has now.
    let expr = expr.with_now(target, now).map_err(fail)?;
    if let Some(number) = expr.as_number() {
        if !number.is_finite() {
            return Err(error_at(lua, &format!("{name} takes {}; got {number}", target.id.def().expects())));
        }
        return write(lua, target, Value::Float(number));
    }
    let mut unknown = None;
    let numbered = with(lua, |session| {
        expr.with_words(&mut |word| {
            let number = session.surroundings.number_of(target, word);
            if number.is_none() {
                unknown = Some(session.surroundings.hint(target, word));
            }
            number
        })
    })?;
    if let (Err(_), Some(pattern)) = (&numbered, expr.as_pattern())
        && is_style(target)
        && with(lua, |session| session.awaits_styles())?
    {
        let words = Plays::Words(pattern.values().into());
        return bind(lua, target, expr.with_positions().map_err(fail)?, words);
    }
    let expr = numbered.map_err(|error| error_at(lua, &format!("{name}: {error}{}", unknown.unwrap_or_default())))?;
    bind(lua, target, expr, Plays::Number)
}

fn bind(lua: &Lua, target: Target, expr: Expr, plays: Plays) -> mlua::Result<()> {
    let line = session::place(lua).map_or(0, |(_, line)| line);
    with(lua, |session| {
        session.set_slot(target, f64::NAN);
        let at = (session.file.clone(), line);
        session.changes.push(Change::Bind(Binding { target, expr, plays, at }));
    })
}

fn write(lua: &Lua, target: Target, value: Value) -> mlua::Result<()> {
    with(lua, |session| {
        if let Value::Float(number) = value
            && session.set_slot(target, number)
        {
            return;
        }
        session.set_slot(target, f64::NAN);
        session.changes.push(Change::Write(target, value));
    })
}

/// `preset("vortex", {fade = 8})`, `seed.next()`, `psi()`.
fn call(
    lua: &Lua,
    (row, member, name, count, value, options): (Option<usize>, i64, String, usize, Lu, Lu),
) -> mlua::Result<Lu> {
    let target = with(lua, |session| target_in(session, row, member))?;
    let Some(target) = target else {
        return Err(error_at(lua, &format!("{name} is a group of parameters; see help(\"{name}\")")));
    };
    if count == 0 {
        if let Kind::Trigger = target.id.def().kind {
            write(lua, target, Value::Nothing)?;
            return Ok(Lu::Nil);
        }
        return match target.id.def().kind {
            Kind::Float { .. } | Kind::Int { .. } if member >= 0 => {
                with(lua, |session| Lu::Number(session.number(target)))
            }
            _ => now(lua, target, member),
        };
    }
    if let Lu::Table(options) = options {
        for pair in options.pairs::<String, Lu>() {
            let (key, value) = pair?;
            let child = with(lua, |session| option_of(session, target.id, &key))?;
            let child = child.ok_or_else(|| error_at(lua, &format!("{name} has no option \"{key}\"")))?;
            set(lua, child.into(), 0, &dotted(child.def().address), &value)?;
        }
    }
    set(lua, target, member, &name, &value)?;
    Ok(Lu::Nil)
}

/// The parameter for an option of a call: a child.
fn option_of(session: &session::Session, id: Id, key: &str) -> Option<Id> {
    session.params.as_ref()?.table().row(&format!("{}/{key}", id.def().address))
}
