//! Signals as a patch sees them: a number over time, or a list of them, with arithmetic.

use mlua::{Lua, MetaMethod, UserData, UserDataMethods, UserDataRef, Value as Lu, Variadic};

use super::session::{self, error_at};
use crate::modulate::expr::{Binary, Expr, ExprError, Unary};

/// A number over time, or a vector of them.
#[derive(Clone, Debug)]
pub enum Signal {
    One(Expr),
    Many(Vec<Expr>),
}

/// Longest vector.
const MAX_LEN: usize = 1024;

impl Signal {
    /// Applies `f` to each element.
    pub fn map(&self, f: impl Fn(&Expr) -> Result<Expr, ExprError>) -> Result<Signal, ExprError> {
        Ok(match self {
            Signal::One(expr) => Signal::One(f(expr)?),
            Signal::Many(list) => Signal::Many(list.iter().map(f).collect::<Result<_, _>>()?),
        })
    }

    /// Applies `f` to each pair of elements; a single one goes with each of a list, and what is missing in a shorter list
    /// is 0.
    pub fn zip(
        &self,
        other: &Signal,
        f: impl Fn(&Expr, &Expr) -> Result<Expr, ExprError>,
    ) -> Result<Signal, ExprError> {
        if let (Signal::One(a), Signal::One(b)) = (self, other) {
            return Ok(Signal::One(f(a, b)?));
        }
        let zero = Expr::number(0.0);
        let len = self.len().max(other.len());
        let list = (0..len).map(|i| f(self.get(i).unwrap_or(&zero), other.get(i).unwrap_or(&zero)));
        Ok(Signal::Many(list.collect::<Result<_, _>>()?))
    }

    pub fn len(&self) -> usize {
        match self {
            Signal::One(_) => 1,
            Signal::Many(list) => list.len(),
        }
    }

    /// The element at a position; a single one is every element.
    pub fn get(&self, i: usize) -> Option<&Expr> {
        match self {
            Signal::One(expr) => Some(expr),
            Signal::Many(list) => list.get(i),
        }
    }
}

/// An error of an expression, with the place in the patch.
pub fn checked(lua: &Lua, result: Result<Signal, ExprError>) -> mlua::Result<Signal> {
    result.map_err(|error| error_at(lua, &error.to_string()))
}

/// A number, a signal, a parameter or a list of them. `what` is for the error.
pub fn operand(lua: &Lua, value: &Lu, what: &str) -> mlua::Result<Signal> {
    match value {
        Lu::Number(x) => Ok(Signal::One(Expr::number(*x))),
        Lu::Integer(i) => Ok(Signal::One(Expr::number(*i as f64))),
        Lu::UserData(data) if data.is::<Signal>() => Ok(data.borrow::<Signal>()?.clone()),
        Lu::Table(table) => {
            let value_of = session::with(lua, |session| session.value_of.clone())?;
            match value_of.map(|f| f.call::<Lu>(table)).transpose()? {
                Some(Lu::Table(list)) => elements(lua, &list, what),
                Some(value) => operand(lua, &value, what),
                None => Err(error_at(lua, "no names yet")),
            }
        }
        Lu::Nil => Err(error_at(lua, &format!("{what} takes a number or a signal; got nothing (nil)"))),
        other => Err(error_at(lua, &format!("{what} takes a number or a signal; got a {}", other.type_name()))),
    }
}

fn elements(lua: &Lua, list: &mlua::Table, what: &str) -> mlua::Result<Signal> {
    let len = list.raw_len();
    if len == 0 || len > MAX_LEN {
        return Err(error_at(lua, &format!("{what} takes a list of 1 to {MAX_LEN} numbers; got a table of {len}")));
    }
    let mut all = Vec::with_capacity(len);
    for i in 1..=len {
        match operand(lua, &list.raw_get(i)?, what)? {
            Signal::One(expr) => all.push(expr),
            Signal::Many(_) => {
                return Err(error_at(lua, &format!("{what} takes a list of numbers; got a list of lists")));
            }
        }
    }
    Ok(Signal::Many(all))
}

/// A plain number.
pub fn number(lua: &Lua, value: &Lu, what: &str) -> mlua::Result<f64> {
    match value {
        Lu::Number(x) if x.is_finite() => Ok(*x),
        Lu::Integer(i) => Ok(*i as f64),
        Lu::UserData(data) if data.is::<Signal>() => {
            Err(error_at(lua, &format!("{what} takes a plain number here; got a signal")))
        }
        Lu::Nil => Err(error_at(lua, &format!("{what} takes a number; got nothing (nil)"))),
        other => Err(error_at(lua, &format!("{what} takes a number; got a {}", other.type_name()))),
    }
}

/// A plain number, or a default where nothing is given.
pub fn number_or(lua: &Lua, value: Option<&Lu>, default: f64, what: &str) -> mlua::Result<f64> {
    match value {
        None | Some(Lu::Nil) => Ok(default),
        Some(value) => number(lua, value, what),
    }
}

pub fn binary(lua: &Lua, op: Binary, a: &Lu, b: &Lu) -> mlua::Result<Signal> {
    let what = match op {
        Binary::Add => "+",
        Binary::Sub => "-",
        Binary::Mul => "*",
        Binary::Div => "/",
        Binary::Pow => "^",
        Binary::Mod => "%",
        Binary::Min => "min",
        Binary::Max => "max",
        Binary::Above => "above",
    };
    let (a, b) = (operand(lua, a, what)?, operand(lua, b, what)?);
    checked(lua, a.zip(&b, |a, b| Expr::binary(op, a, b)))
}

/// `range` with operands.
fn range(lua: &Lua, signal: &Signal, low: &Signal, high: &Signal) -> mlua::Result<Signal> {
    let zero = Expr::number(0.0);
    let at = |s: &Signal, i: usize| s.get(i).cloned().unwrap_or_else(|| zero.clone());
    let all: Result<Vec<Expr>, ExprError> =
        (0..signal.len()).map(|i| at(signal, i).range(&at(low, i), &at(high, i))).collect();
    let all = all.map_err(|error| error_at(lua, &error.to_string()))?;
    Ok(match (signal, <[Expr; 1]>::try_from(all)) {
        (Signal::One(_), Ok([one])) => Signal::One(one),
        (_, Ok(one)) => Signal::Many(one.into()),
        (_, Err(all)) => Signal::Many(all),
    })
}

impl UserData for Signal {
    fn add_methods<M: UserDataMethods<Self>>(methods: &mut M) {
        for (meta, op) in [
            (MetaMethod::Add, Binary::Add),
            (MetaMethod::Sub, Binary::Sub),
            (MetaMethod::Mul, Binary::Mul),
            (MetaMethod::Div, Binary::Div),
            (MetaMethod::Pow, Binary::Pow),
            (MetaMethod::Mod, Binary::Mod),
        ] {
            methods.add_meta_function(meta, move |lua, (a, b): (Lu, Lu)| {
                session::with(lua, |_| ())?;
                binary(lua, op, &a, &b)
            });
        }
        methods.add_meta_function(MetaMethod::Unm, |lua, a: Lu| {
            let a = operand(lua, &a, "-")?;
            checked(lua, a.map(|x| Expr::unary(Unary::Neg, x)))
        });
        methods.add_meta_method(MetaMethod::Len, |_, this, ()| Ok(this.len()));
        methods.add_meta_method(MetaMethod::ToString, |_, this, ()| {
            Ok(match this {
                Signal::One(expr) => {
                    let [low, high] = expr.interval();
                    format!("signal from {low} to {high}")
                }
                Signal::Many(list) => format!("vector of {}", list.len()),
            })
        });
        methods.add_meta_method(MetaMethod::Index, |lua, this, key: Lu| match (&key, this) {
            (Lu::Integer(_) | Lu::Number(_), Signal::Many(list)) => {
                let i = number(lua, &key, "an index")?;
                let found = (i >= 1.0).then(|| list.get(i as usize - 1)).flatten();
                let missing = || error_at(lua, &format!("the vector has the elements 1 to {}; got {i}", list.len()));
                found.map(|expr| Signal::One(expr.clone())).ok_or_else(missing)
            }
            _ => {
                let name = key.to_string()?;
                let nearest = crate::params::nearest_of(&name, METHODS.iter().copied());
                let hint = nearest.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default();
                Err(error_at(lua, &format!("signals have no \"{name}\", only {}{hint}", METHODS.join(", "))))
            }
        });
        methods.add_meta_method(MetaMethod::NewIndex, |lua, _, (_, _): (Lu, Lu)| -> mlua::Result<()> {
            Err(error_at(lua, "a signal cannot be changed; make a new one"))
        });
        let compare = |methods: &mut M, meta| {
            methods.add_meta_function(meta, |lua, _: Variadic<Lu>| -> mlua::Result<bool> {
                Err(error_at(lua, "signals cannot be compared: use :above(x) for 1 or 0"))
            });
        };
        compare(methods, MetaMethod::Lt);
        compare(methods, MetaMethod::Le);
        methods.add_meta_function(MetaMethod::Concat, |lua, _: Variadic<Lu>| -> mlua::Result<bool> {
            Err(error_at(lua, "a signal is not a text"))
        });
        add_named(methods);
    }
}

/// The methods of signals.
pub const METHODS: [&str; 11] =
    ["range", "smooth", "slow", "fast", "delay", "quantize", "env", "clip", "above", "abs", "floor"];

fn add_named<M: UserDataMethods<Signal>>(methods: &mut M) {
    methods.add_method("range", |lua, this, (low, high): (Lu, Lu)| {
        session::with(lua, |_| ())?;
        range(lua, this, &operand(lua, &low, "range")?, &operand(lua, &high, "range")?)
    });
    methods.add_method("smooth", |lua, this, secs: Option<Lu>| {
        session::with(lua, |_| ())?;
        let secs = number_or(lua, secs.as_ref(), 0.2, "smooth")?;
        checked(lua, this.map(|x| x.smooth(secs)))
    });
    methods.add_method("fast", |lua, this, by: Lu| {
        session::with(lua, |_| ())?;
        let by = positive(lua, &by, "fast")?;
        checked(lua, this.map(|x| x.time(by, 0.0)))
    });
    methods.add_method("slow", |lua, this, by: Lu| {
        session::with(lua, |_| ())?;
        let by = positive(lua, &by, "slow")?;
        checked(lua, this.map(|x| x.time(1.0 / by, 0.0)))
    });
    methods.add_method("delay", |lua, this, beats: Lu| {
        session::with(lua, |_| ())?;
        let beats = number(lua, &beats, "delay")?;
        checked(lua, this.map(|x| x.time(1.0, beats.max(0.0))))
    });
    methods.add_method("quantize", |lua, this, step: Lu| {
        session::with(lua, |_| ())?;
        let step = positive(lua, &step, "quantize")?;
        checked(lua, this.map(|x| x.quantize(step)))
    });
    methods.add_method("env", |lua, this, (attack, release): (Option<Lu>, Option<Lu>)| {
        session::with(lua, |_| ())?;
        let attack = number_or(lua, attack.as_ref(), 0.01, "env")?;
        let release = number_or(lua, release.as_ref(), 0.5, "env")?;
        checked(lua, this.map(|x| x.env(attack, release)))
    });
    methods.add_method("clip", |lua, this, (low, high): (Lu, Lu)| {
        session::with(lua, |_| ())?;
        let (low, high) = (number(lua, &low, "clip")?, number(lua, &high, "clip")?);
        checked(lua, this.map(|x| x.clip(low.min(high), high.max(low))))
    });
    methods.add_method("above", |lua, this, than: Lu| {
        session::with(lua, |_| ())?;
        let than = operand(lua, &than, "above")?;
        checked(lua, this.zip(&than, |a, b| Expr::binary(Binary::Above, a, b)))
    });
    methods.add_method("abs", |lua, this, ()| checked(lua, this.map(|x| Expr::unary(Unary::Abs, x))));
    methods.add_method("floor", |lua, this, ()| checked(lua, this.map(|x| Expr::unary(Unary::Floor, x))));
}

fn positive(lua: &Lua, value: &Lu, what: &str) -> mlua::Result<f64> {
    let x = number(lua, value, what)?;
    if x > 0.0 { Ok(x) } else { Err(error_at(lua, &format!("{what} takes a number above 0; got {x}"))) }
}

/// A signal in a variable of Lua.
pub fn borrowed(value: &Lu) -> Option<UserDataRef<Signal>> {
    value.as_userdata()?.borrow::<Signal>().ok()
}
