//! How the travel of a control maps to the values of a parameter, and what a parameter makes of a write.

use serde::Deserialize;

use super::MappingError;
use crate::params::{Curve, Def, Kind, Target, Value};

/// A curve, as presets name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CurveName {
    Linear,
    /// Finer near the first end.
    Square,
}

/// Maps travel 0 to 1 to a range of values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TravelCurve {
    /// Value at travel 0.
    pub from: f64,
    /// Value at travel 1; may be smaller than `from`.
    pub to: f64,
    pub curve: Curve,
}

impl TravelCurve {
    /// From a preset's options; `None` if they leave the parameter's own range and curve.
    ///
    /// # Errors
    /// When the parameter is not a number, or the range is not within the parameter's.
    pub(super) fn new(
        target: Target,
        range: Option<[f64; 2]>,
        curve: Option<CurveName>,
        invert: bool,
    ) -> Result<Option<Self>, MappingError> {
        let def = target.id.def();
        let (min, max) = def.range();
        if range.is_none() && curve.is_none() && !invert {
            return Ok(None);
        }
        if !matches!(def.kind, Kind::Float { .. } | Kind::Int { .. } | Kind::Choice { .. } | Kind::Bool { .. }) {
            return Err(MappingError::Target {
                to: target,
                reason: "is not a number: it takes no range, curve or invert".to_owned(),
            });
        }
        let [from, to] = range.unwrap_or([min, max]);
        let inside = |x: f64| (min..=max).contains(&x);
        if !inside(from) || !inside(to) || from == to {
            let reason = format!("[{from}, {to}] is not a valid range for {target}, which goes from {min} to {max}");
            return Err(MappingError::Option { option: "range", reason });
        }
        let (from, to) = if invert { (to, from) } else { (from, to) };
        let curve = match curve {
            None => def.curve,
            Some(CurveName::Linear) => Curve::Linear,
            Some(CurveName::Square) => Curve::Square,
        };
        Ok(Some(TravelCurve { from, to, curve }))
    }

    /// The value at a travel of 0 to 1.
    pub fn value(&self, travel: f64) -> f64 {
        let t = travel.clamp(0.0, 1.0);
        let t = if self.curve == Curve::Square { t * t } else { t };
        self.from + (self.to - self.from) * t
    }

    /// The travel of a value, 0 to 1; the inverse of [`TravelCurve::value`].
    pub fn travel(&self, value: f64) -> f64 {
        let t = ((value - self.from) / (self.to - self.from)).clamp(0.0, 1.0);
        if self.curve == Curve::Square { t.sqrt() } else { t }
    }
}

/// The value to write for a travel of 0 to 1.
pub(super) fn value_at(curve: Option<&TravelCurve>, travel: f64) -> Value {
    curve.map_or(Value::Travel(travel), |curve| Value::Float(curve.value(travel)))
}

/// The travel of a control that corresponds to a value.
pub(super) fn travel_of(curve: Option<&TravelCurve>, def: &Def, value: f64) -> f64 {
    match (curve, def.kind) {
        (Some(curve), _) => curve.travel(value),
        // The middle of the part of the travel that selects this option.
        (None, Kind::Choice { options, .. }) => (value + 0.5) / options.len() as f64,
        (None, _) => def.to_travel(value),
    }
}

/// The number that a parameter holds after writing [`value_at`]: the same coercion as in `Params::write`.
pub(super) fn settled(def: &Def, value: &Value) -> f64 {
    let (min, max) = def.range();
    let number = match (value, def.kind) {
        (Value::Travel(t), Kind::Choice { options, .. }) => (t * options.len() as f64).floor(),
        (Value::Travel(t), Kind::Bool { .. }) => f64::from(u8::from(*t >= 0.5)),
        (Value::Travel(t), _) => def.from_travel(*t),
        (Value::Float(x), Kind::Bool { .. }) => f64::from(u8::from(*x != 0.0)),
        (Value::Float(x), _) => *x,
        _ => return f64::NAN,
    };
    let number = if matches!(def.kind, Kind::Float { .. }) { number } else { number.round() };
    number.clamp(min, max)
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::params::{Id, Params};

    #[test]
    fn a_write_settles_as_the_parameters_say() {
        let mut params = Params::default();
        let numbers = |id: &Id| !matches!(id.def().kind, Kind::Text { .. } | Kind::Trigger | Kind::Vector { .. });
        for id in crate::params::Table::built_in().ids().filter(numbers) {
            let curve = TravelCurve::new(id.into(), None, None, true).unwrap().unwrap();
            for curve in [None, Some(&curve)] {
                for i in 0..=127 {
                    let value = value_at(curve, f64::from(i) / 127.0);
                    params.write(id.into(), &value).unwrap();
                    assert_eq!(settled(id.def(), &value), params.base(id), "{} at {value}", id.def().address);
                }
            }
        }
    }

    #[test]
    fn ranges_must_be_within_the_parameters() {
        let psi = Target::from(Id::Psi);
        let curve = |range, curve, invert| TravelCurve::new(psi, range, curve, invert);
        assert_eq!(curve(None, None, false), Ok(None));
        let square = curve(Some([0.0, 1.0]), Some(CurveName::Square), true).unwrap().unwrap();
        assert_eq!([square.value(0.0), square.value(0.5), square.value(1.0)], [1.0, 0.75, 0.0]);
        assert!((square.travel(square.value(0.3)) - 0.3).abs() < 1e-12);
        for range in [[0.0, 3.0], [0.5, 0.5], [f64::NAN, 1.0]] {
            let error = curve(Some(range), None, false).unwrap_err().to_string();
            assert!(error.ends_with("is not a valid range for /psi, which goes from -1 to 2"), "{error}");
        }
        assert!(TravelCurve::new(Id::Preset.into(), None, None, true).is_err());
    }
}
