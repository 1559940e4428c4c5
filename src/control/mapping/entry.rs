//! One entry of a map, as written in a preset and as applied.

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::{Control, ControlSpec, CurveName, MappingError, TravelCurve, curve, parse_control};
use crate::params::{self, Id, Kind, Params, Table, Target, Value};

/// What a knob does when its position differs from the parameter's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Takeover {
    /// The parameter jumps to the knob.
    Jump,
    /// Nothing happens until the knob reaches the value.
    Pickup,
    /// The value moves in proportion, so that both reach the end together.
    Scale,
}

/// How an endless encoder encodes left and right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Relative {
    /// Two's complement: 1, 2, .. right; 127, 126, .. left.
    Twos,
    /// 65, 66, .. right; 63, 62, .. left.
    Offset,
    /// 1, 2, .. right; 65, 66, .. left.
    Signed,
}

/// What a key, pad or button does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Each press writes; numbers take the velocity.
    Trigger,
    /// One end of the range while pressed, the other when released.
    Gate,
    /// Each press switches to the other end of the range.
    Toggle,
}

/// A value that a press writes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Fixed {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

impl From<&Fixed> for Value {
    fn from(fixed: &Fixed) -> Self {
        match fixed {
            Fixed::Bool(b) => Value::Bool(*b),
            Fixed::Int(i) => Value::Int(*i),
            Fixed::Float(x) => Value::Float(*x),
            Fixed::Text(text) => Value::Text(text.clone()),
        }
    }
}

/// What a preset says about a control or an alias: just an address, or a table with the address as `to`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MidiOptions {
    pub to: String,
    pub range: Option<[f64; 2]>,
    pub curve: Option<CurveName>,
    pub invert: bool,
    pub takeover: Option<Takeover>,
    pub relative: Option<Relative>,
    pub mode: Option<Mode>,
    pub value: Option<Fixed>,
}

impl<'de> Deserialize<'de> for MidiOptions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields, remote = "MidiOptions")]
        struct Table {
            to: String,
            #[serde(default)]
            range: Option<[f64; 2]>,
            #[serde(default)]
            curve: Option<CurveName>,
            #[serde(default)]
            invert: bool,
            #[serde(default)]
            takeover: Option<Takeover>,
            #[serde(default)]
            relative: Option<Relative>,
            #[serde(default)]
            mode: Option<Mode>,
            #[serde(default)]
            value: Option<Fixed>,
        }
        struct AddressOrTable;
        impl<'de> Visitor<'de> for AddressOrTable {
            type Value = MidiOptions;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an address such as \"/psi\", or a table such as { to = \"/psi\", range = [0, 1] }")
            }

            fn visit_str<E>(self, address: &str) -> Result<MidiOptions, E> {
                Ok(MidiOptions { to: address.to_owned(), ..MidiOptions::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<MidiOptions, A::Error> {
                Table::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(AddressOrTable)
    }
}

impl MidiOptions {
    fn target(&self, table: &Table) -> Result<Target, MappingError> {
        let unknown = || MappingError::Address { address: self.to.clone(), near: table.nearest(&self.to) };
        table.resolve(&self.to).ok_or_else(unknown)
    }

    fn travel_curve(&self, target: Target) -> Result<Option<TravelCurve>, MappingError> {
        TravelCurve::new(target, self.range, self.curve, self.invert)
    }
}

/// A control and its target, checked.
#[derive(Clone, Debug, PartialEq)]
pub struct MidiEntry {
    pub control: ControlSpec,
    pub to: Target,
    pub(super) curve: Option<TravelCurve>,
    pub(super) takeover: Takeover,
    pub(super) relative: Option<Relative>,
    pub(super) mode: Option<Mode>,
    pub(super) value: Option<Value>,
}

impl MidiEntry {
    /// Parses an entry of a preset's `[midi]` table.
    ///
    /// # Errors
    /// When the control, the address or an option is invalid, or options contradict each other.
    pub fn new(control: &str, options: &MidiOptions, table: &Table) -> Result<Self, MappingError> {
        let control = parse_control(control)?;
        let to = options.target(table)?;
        let entry = MidiEntry {
            curve: options.travel_curve(to)?,
            takeover: options.takeover.unwrap_or_else(|| takeover_of(control.control)),
            relative: options.relative,
            mode: options.mode,
            value: options.value.as_ref().map(Value::from),
            control,
            to,
        };
        entry.check(options).map(|()| entry)
    }

    /// The options that parse to this entry.
    pub fn options(&self) -> MidiOptions {
        let def = self.to.id.def();
        let travel_curve = self.curve.as_ref();
        MidiOptions {
            to: self.to.to_string(),
            range: travel_curve.map(|curve| [curve.from, curve.to]),
            curve: travel_curve.filter(|travel_curve| travel_curve.curve != def.curve).map(|travel_curve| {
                match travel_curve.curve {
                    params::Curve::Linear => CurveName::Linear,
                    params::Curve::Square => CurveName::Square,
                }
            }),
            invert: false,
            takeover: Some(self.takeover).filter(|&takeover| takeover != takeover_of(self.control.control)),
            relative: self.relative,
            mode: self.mode,
            value: self.value.as_ref().and_then(fixed),
        }
    }

    /// The value that a press writes.
    pub fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }

    /// The target, for lists: the address, and the value that a press writes.
    pub fn plays(&self) -> String {
        match &self.value {
            Some(value) => format!("{} {value}", self.to),
            None => self.to.to_string(),
        }
    }

    /// The position that shows the target's value on the control, 0 to 1. A key that writes a value is at 1 when the
    /// parameter has that value; `preset` is the number of the current preset. `None` for targets without a position.
    pub fn travel(&self, params: &Params, preset: Option<usize>) -> Option<f64> {
        let def = &params.def(self.to.id);
        match &self.value {
            Some(value) => {
                let holds = match (value, def.kind) {
                    (Value::Int(number), _) if self.to.id == Id::Preset => usize::try_from(*number).ok() == preset,
                    (Value::Text(word), Kind::Text { .. }) => params.text(self.to.id) == word,
                    (Value::Text(word), Kind::Choice { options, .. }) => {
                        options.get(params.base(self.to) as usize).is_some_and(|now| now.eq_ignore_ascii_case(word))
                    }
                    _ => same_number(value, params.base(self.to)),
                };
                Some(f64::from(u8::from(holds)))
            }
            None if matches!(def.kind, Kind::Text { .. } | Kind::Vector { .. }) => None,
            // A trigger is always at rest.
            None if def.kind == Kind::Trigger => Some(0.0),
            None => Some(curve::travel_of(self.curve.as_ref(), def, params.base(self.to))),
        }
    }

    /// An entry without options, on any channel.
    pub(super) fn plain(control: Control, to: Target) -> Self {
        let spec = ControlSpec { channel: None, control };
        let takeover = takeover_of(control);
        MidiEntry { control: spec, to, curve: None, takeover, relative: None, mode: None, value: None }
    }

    pub(super) fn with_mode(self, mode: Mode) -> Self {
        MidiEntry { mode: Some(mode), ..self }
    }

    fn check(&self, options: &MidiOptions) -> Result<(), MappingError> {
        let wrong = |option, reason: &str| {
            Err(MappingError::Option { option, reason: format!("{reason}, not {}", self.control) })
        };
        let control = self.control.control;
        let is_knob = is_knob(control);
        let is_button = matches!(control, Control::Cc(_) | Control::Note(_));
        if self.relative.is_some() && !matches!(control, Control::Cc(_)) {
            return wrong("relative", "is for endless encoders that send a cc");
        }
        if options.takeover.is_some() && (!is_knob || self.relative.is_some()) {
            return wrong("takeover", "is for knobs and faders that send their position");
        }
        if self.mode.is_some() && (!is_button || self.relative.is_some()) {
            return wrong("mode", "is for keys, pads and buttons");
        }
        if self.value.is_some() && !is_button && control != Control::Program {
            return wrong("value", "is what a key, pad or button writes");
        }
        match self.to.id.def().kind {
            Kind::Vector { .. } => {
                let reason = format!("takes a whole list: use its members, such as {}/0", self.to);
                Err(MappingError::Target { to: self.to, reason })
            }
            Kind::Text { .. } if self.value.is_none() && control != Control::Program => {
                let reason = "takes a name: set one for the key or pad with value = \"...\"".to_owned();
                Err(MappingError::Target { to: self.to, reason })
            }
            _ => Ok(()),
        }
    }
}

fn is_knob(control: Control) -> bool {
    matches!(control, Control::Cc(_) | Control::Cc14(_) | Control::Nrpn(_) | Control::Rpn(_))
}

/// Wheels and pressure spring back, so there is nothing to pick up.
fn takeover_of(control: Control) -> Takeover {
    if is_knob(control) { Takeover::Pickup } else { Takeover::Jump }
}

fn fixed(value: &Value) -> Option<Fixed> {
    Some(match value {
        Value::Bool(b) => Fixed::Bool(*b),
        Value::Int(i) => Fixed::Int(*i),
        Value::Float(x) => Fixed::Float(*x),
        Value::Text(text) => Fixed::Text(text.clone()),
        _ => return None,
    })
}

fn same_number(value: &Value, base: f64) -> bool {
    match value {
        Value::Int(i) => *i as f64 == base,
        Value::Float(x) => *x == base,
        Value::Bool(b) => f64::from(u8::from(*b)) == base,
        _ => false,
    }
}

/// An address that other programs already send, and the parameter it controls.
#[derive(Clone, Debug, PartialEq)]
pub struct OscEntry {
    pub address: String,
    pub to: Target,
    curve: Option<TravelCurve>,
}

impl OscEntry {
    /// An alias that passes values through unchanged.
    pub fn plain(address: String, to: Target) -> Self {
        OscEntry { address, to, curve: None }
    }

    /// Parses an entry of a preset's `[osc]` table. With a range, curve or invert, numbers from 0 to 1 are mapped to
    /// that range.
    ///
    /// # Errors
    /// When the address is not in the table, or an option is for MIDI only.
    pub fn new(address: &str, options: &MidiOptions, table: &Table) -> Result<Self, MappingError> {
        let to = options.target(table)?;
        let foreign = [
            ("takeover", options.takeover.is_some()),
            ("relative", options.relative.is_some()),
            ("mode", options.mode.is_some()),
            ("value", options.value.is_some()),
        ];
        if let Some((option, _)) = foreign.into_iter().find(|(_, given)| *given) {
            return Err(MappingError::Option { option, reason: "is for MIDI, not for an OSC address".to_owned() });
        }
        Ok(OscEntry { address: address.to_owned(), to, curve: options.travel_curve(to)? })
    }

    /// The value to write for a value sent to the alias.
    pub(super) fn value(&self, sent: &Value) -> Value {
        let travel = match sent {
            Value::Float(x) => *x,
            Value::Int(i) => *i as f64,
            other => return other.clone(),
        };
        self.curve.map_or_else(|| sent.clone(), |travel_curve| curve::value_at(Some(&travel_curve), travel))
    }

    /// Whether its numbers go from 0 to 1, whatever the parameter's range is.
    pub fn is_travel(&self) -> bool {
        self.curve.is_some()
    }

    /// What the alias would have sent for a value of the parameter: the inverse mapping. `None` for triggers.
    pub fn back(&self, value: Option<Value>) -> Option<Value> {
        let value = value?;
        let Some(travel_curve) = self.curve else { return Some(value) };
        let number = match (&value, self.to.id.def().kind) {
            (Value::Float(x), _) => *x,
            (Value::Int(i), _) => *i as f64,
            (Value::Bool(b), _) => f64::from(u8::from(*b)),
            (Value::Text(word), Kind::Choice { options, .. }) => options.iter().position(|o| o == word)? as f64,
            _ => return None,
        };
        Some(Value::Float(travel_curve.travel(number)))
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use std::collections::BTreeMap;

    fn read(toml: &str) -> Result<MidiEntry, String> {
        let table: BTreeMap<String, MidiOptions> = toml::from_str(toml).map_err(|e| e.to_string())?;
        let (control, options) = table.iter().next().unwrap();
        MidiEntry::new(control, options, Table::built_in()).map_err(|e| e.to_string())
    }

    #[test]
    fn entries_are_read_from_toml() {
        let plain = read("'cc 21' = '/walk/speed'").unwrap();
        assert_eq!((plain.to, plain.takeover, plain.curve), (Id::WalkSpeed.into(), Takeover::Pickup, None));
        let full = read(
            "'ch 2 cc 22' = { to = '/psi', range = [0.2, 1], curve = 'square', invert = true, takeover = 'scale' }",
        )
        .unwrap();
        assert_eq!(full.takeover, Takeover::Scale);
        assert_eq!(full.curve.map(|curve| (curve.from, curve.to)), Some((1.0, 0.2)));
        assert_eq!(read("'cc 1' = { to = '/psi', relative = 'twos' }").unwrap().relative, Some(Relative::Twos));
        assert_eq!(read("'note 1' = { to = '/freeze', mode = 'gate' }").unwrap().mode, Some(Mode::Gate));
        assert_eq!(
            read("'note 1' = { to = '/preset', value = 'dusk' }").unwrap().value,
            Some(Value::Text("dusk".to_owned()))
        );
        assert_eq!(read("'note 1' = { to = '/psi', value = 1 }").unwrap().value, Some(Value::Int(1)));
        assert_eq!(read("'bend' = '/psi'").unwrap().takeover, Takeover::Jump);
    }

    #[test]
    fn invalid_entries_are_reported() {
        for (toml, expected) in [
            ("'cc 21' = '/pso'", "\"/pso\" is not a parameter; did you mean \"/psi\"?"),
            ("'cc 21' = 3", "an address such as \"/psi\", or a table such as"),
            ("'cc 21' = { to = '/psi', rnage = [0, 1] }", "unknown field `rnage`, expected one of `to`, `range`"),
            (
                "'cc 21' = { to = '/psi', takeover = 'grab' }",
                "unknown variant `grab`, expected one of `jump`, `pickup`, `scale`",
            ),
            ("'cc 21' = { range = [0, 1] }", "missing field `to`"),
            (
                "'note 21' = { to = '/psi', relative = 'twos' }",
                "relative is for endless encoders that send a cc, not note 21",
            ),
            (
                "'bend' = { to = '/psi', takeover = 'jump' }",
                "takeover is for knobs and faders that send their position, not bend",
            ),
            ("'bend' = { to = '/psi', mode = 'gate' }", "mode is for keys, pads and buttons, not bend"),
            ("'cc 1/14' = { to = '/psi', value = 1 }", "value is what a key, pad or button writes, not cc 1/14"),
            ("'cc 1' = '/z'", "/z takes a whole list: use its members, such as /z/0"),
            ("'cc 1' = '/network'", "/network takes a name: set one for the key or pad with value"),
            (
                "'cc 1' = { to = '/seed/next', invert = true }",
                "/seed/next is not a number: it takes no range, curve or invert",
            ),
        ] {
            let error = read(toml).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn aliases_hand_on_or_lay_out() {
        let options = |toml: &str| toml::from_str::<BTreeMap<String, MidiOptions>>(toml).unwrap().remove("a").unwrap();
        let plain = OscEntry::new("/1/fader3", &options("a = '/psi'"), Table::built_in()).unwrap();
        assert_eq!(plain.value(&Value::Float(0.5)), Value::Float(0.5));
        let value_at =
            OscEntry::new("/1/fader3", &options("a = { to = '/psi', range = [-1, 1] }"), Table::built_in()).unwrap();
        assert_eq!(value_at.value(&Value::Float(0.25)), Value::Float(-0.5));
        assert_eq!(value_at.value(&Value::Int(1)), Value::Float(1.0));
        let error =
            OscEntry::new("/a", &options("a = { to = '/psi', takeover = 'jump' }"), Table::built_in()).unwrap_err();
        assert_eq!(error.to_string(), "takeover is for MIDI, not for an OSC address");
    }
}
