//! Values as sent by writers, and the results of a write.

use super::Target;

/// What a writer sends. Coerced to the parameter's kind by [`Params::write`](super::Params::write).
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Float(f64),
    Int(i64),
    Bool(bool),
    Text(String),
    List(Vec<f32>),
    /// No argument at all.
    Nothing,
    /// A knob's travel from 0 to 1, mapped to the range by the parameter's curve.
    Travel(f64),
}

impl Value {
    pub(super) fn as_number(&self) -> Option<f64> {
        let number = match self {
            Value::Float(x) => *x,
            Value::Int(i) => *i as f64,
            Value::Bool(b) => f64::from(u8::from(*b)),
            Value::Text(s) => s.trim().parse().ok()?,
            Value::List(v) => f64::from(*v.first()?),
            Value::Travel(t) => *t,
            Value::Nothing => return None,
        };
        number.is_finite().then_some(number)
    }

    /// As a switch; `None` if it is neither on nor off.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Text(s) => match s.trim().to_ascii_lowercase().as_str() {
                "true" | "on" | "yes" => Some(true),
                "false" | "off" | "no" => Some(false),
                other => other.parse::<f64>().ok().filter(|x| x.is_finite()).map(|x| x != 0.0),
            },
            Value::Travel(t) => Some(*t >= 0.5),
            other => other.as_number().map(|x| x != 0.0),
        }
    }
}

/// Rounds numbers that came from 32-bit floats, or from sums of short ones, to their intended digits: 0.8, not
/// 0.800000011920929 or 0.8000000000000002. All others are unchanged.
pub fn short(x: f64) -> f64 {
    let narrow = x as f32;
    if f64::from(narrow) == x { narrow.to_string().parse().unwrap_or(x) } else { without_residue(x) }
}

/// Rounds to six decimals if the remainder is only a rounding error.
fn without_residue(x: f64) -> f64 {
    let rounded = (x * 1e6).round() / 1e6;
    if (rounded - x).abs() <= 1e-12 * x.abs() { rounded } else { x }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            // Like `short`, but without a string in between, as this is displayed while playing.
            Value::Float(x) if f64::from(*x as f32) == *x => write!(f, "{}", *x as f32),
            Value::Float(x) => write!(f, "{}", without_residue(*x)),
            Value::Int(i) => write!(f, "{i}"),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Text(s) => write!(f, "{s:?}"),
            Value::List(v) => write!(f, "a list of {}", v.len()),
            Value::Travel(t) => write!(f, "{:.0}%", t * 100.0),
            Value::Nothing => f.write_str("nothing"),
        }
    }
}

/// Why a write was refused. The parameter keeps its value.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum WriteError {
    #[error("{target} takes {expected}, got {found}")]
    Nonsense { target: Target, expected: String, found: String },
    #[error("{target} no longer exists")]
    Gone { target: Target },
}

/// What an accepted write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    Changed,
    /// The parameter already had this value, or a trigger was released.
    Unchanged,
    Fired,
}
