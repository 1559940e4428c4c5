//! The keyboard: one table of what each key does ([`BINDINGS`]), and the player's own keys, which come before it.
//!
//! The window names the keys it receives. Those that play the show come back through the event queue as [`Keys::press`];
//! actions of the window itself (HUD, full screen, quitting) are listed here by name and done there. Pure.

mod key;
mod table;

use std::path::Path;
use std::sync::Arc;

pub use key::Key;
pub use table::{BINDINGS, TENS, WAYS_BACK, window_words};

use super::{Event, Source, Write};
use crate::params::{Id, Kind, Params, Target, Value};

/// What a key of the player's own does.
#[derive(Clone, Debug, PartialEq)]
pub enum Does {
    Nothing,
    /// One of [`window_words`].
    Window(&'static str),
    /// The next digit chooses from the next ten presets.
    Tens,
    /// Fires a trigger, flips a switch or a fader, chooses the next word of a choice.
    Press(String),
    /// Moves a number by this much, in its unit.
    Step(String, f64),
    Set(String, Value),
}

impl std::fmt::Display for Does {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Does::Nothing => f.write_str("nothing"),
            Does::Window(word) => f.write_str(table::help_of(word)),
            Does::Tens => f.write_str("ten presets on: a digit chooses"),
            Does::Press(address) => f.write_str(address),
            Does::Step(address, step) => write!(f, "{address} by {step}"),
            Does::Set(address, value) => write!(f, "{address} {value}"),
        }
    }
}

/// A key of the player's own, which comes before those of the list. Its address may not be a parameter at the moment.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnBinding {
    pub key: Key,
    pub does: Does,
}

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// Fires a trigger.
    Fire(Id),
    /// Toggles a switch, or a fader between its two ends.
    Toggle(Id),
    /// Moves a number by this much, in its unit.
    Nudge(Id, f64),
    /// Selects the next option of a choice, and the first after the last.
    NextChoice(Id),
    /// Sets this number.
    Set(Id, i64),
    /// The next digit chooses from the next ten presets.
    Tens,
    /// An action of the window itself, by its name.
    Window(&'static str),
}

/// One line of the list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Binding {
    pub key: Key,
    pub action: Action,
    pub help: &'static str,
}

/// A file dropped on the window is a network to load.
pub fn dropped(file: &Path) -> Event {
    let value = Value::Text(file.to_string_lossy().into_owned());
    Event::Write(Write { target: Id::Network.into(), value, source: Source::Key })
}

/// The keys of a show: the list, the player's own, and what has been typed of a preset's number.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    own: Arc<[OwnBinding]>,
    tens: u8,
}

impl Keys {
    /// Plays these keys of the player's own from now on.
    pub fn set_own(&mut self, own: Arc<[OwnBinding]>) {
        (self.own, self.tens) = (own, 0);
    }

    /// What the player's own file makes of a key; `None` if it does not name it.
    pub fn own(&self, key: Key) -> Option<&Does> {
        self.own.iter().find(|binding| binding.key == key).map(|binding| &binding.does)
    }

    /// The window's action that a key stands for, if any.
    pub fn window(&self, key: Key) -> Option<&'static str> {
        match (self.own(key), default(key)) {
            (Some(Does::Window(word)), _) => Some(word),
            (None, Some(Binding { action: Action::Window(word), .. })) => Some(word),
            _ => None,
        }
    }

    /// The first key that stands for an action of the window.
    pub fn of_window(&self, word: &str) -> Option<Key> {
        let own =
            self.own.iter().find(|own| matches!(own.does, Does::Window(known) if known == word)).map(|own| own.key);
        let listed = |binding: &&Binding| matches!(binding.action, Action::Window(known) if known == word);
        own.or_else(|| self.as_listed().find(listed).map(|binding| binding.key))
    }

    /// Whether a key does anything, in the window or in the show.
    pub fn is_bound(&self, key: Key) -> bool {
        match self.own(key) {
            Some(does) => *does != Does::Nothing,
            None => default(key).is_some(),
        }
    }

    /// The player's own keys, in the order of their file.
    pub fn all_own(&self) -> &[OwnBinding] {
        &self.own
    }

    /// The keys that do as listed.
    pub fn as_listed(&self) -> impl Iterator<Item = &'static Binding> {
        BINDINGS.iter().filter(|binding| self.own(binding.key).is_none())
    }

    /// Whether a key repeats while it is held. Those that fire, flip or set act once.
    pub fn repeats(&self, key: Key) -> bool {
        match self.own(key) {
            Some(does) => matches!(does, Does::Step(..)),
            None => default(key).is_some_and(|binding| matches!(binding.action, Action::Nudge(..))),
        }
    }

    /// Appends what a key writes.
    ///
    /// # Errors
    /// With one line when the player's own key names what is no parameter at the moment.
    pub fn press(&mut self, key: Key, params: &Params, out: &mut Vec<Write>) -> Result<(), String> {
        let tens = std::mem::take(&mut self.tens);
        let own = self.own.iter().find(|binding| binding.key == key).map(|binding| &binding.does);
        let is_tens = match own {
            Some(does) => *does == Does::Tens,
            None => default(key).is_some_and(|binding| binding.action == Action::Tens),
        };
        if is_tens {
            self.tens = (tens + 1) % 10;
        } else if let Some(does) = own {
            return own_writes(does, params, out);
        } else if let (1.., Key::Char(digit @ '0'..='9')) = (tens, key) {
            let number = 10 * i64::from(tens) + i64::from(digit as u8 - b'0');
            out.push(Write { target: Id::Preset.into(), value: Value::Int(number), source: Source::Key });
        } else {
            writes(key, params, out);
        }
        Ok(())
    }

    /// What has been typed of a preset's number: for the HUD.
    pub fn line(&self) -> Option<String> {
        let first = 10 * i32::from(self.tens);
        (self.tens > 0).then(|| format!("preset {first} to {}: a digit chooses", first + 9))
    }
}

/// Appends what a key of the player's own writes.
fn own_writes(does: &Does, params: &Params, out: &mut Vec<Write>) -> Result<(), String> {
    let (Does::Press(address) | Does::Step(address, _) | Does::Set(address, _)) = does else { return Ok(()) };
    let target = params.table().resolve(address).ok_or_else(|| format!("no parameter {address} at the moment"))?;
    let def = target.id.def();
    let (base, (low, high)) = (params.base(target), def.range());
    let value = match does {
        Does::Set(_, value) => value.clone(),
        Does::Step(_, step) => Value::Float(base + step),
        _ => match def.kind {
            Kind::Choice { .. } => Value::Float(if base + 1.0 > high { 0.0 } else { base + 1.0 }),
            Kind::Float { .. } | Kind::Int { .. } | Kind::Bool { .. } => {
                Value::Float(if base >= (low + high) / 2.0 { low } else { high })
            }
            Kind::Trigger | Kind::Text { .. } | Kind::Vector { .. } => Value::Nothing,
        },
    };
    out.push(Write { target, value, source: Source::Key });
    Ok(())
}

/// What the list says about a key.
fn default(key: Key) -> Option<&'static Binding> {
    BINDINGS.iter().find(|binding| binding.key == key)
}

/// Appends what a key writes: nothing for keys that belong to the window or are unbound.
pub fn writes(key: Key, params: &Params, out: &mut Vec<Write>) {
    let Some(binding) = default(key) else { return };
    let (id, value) = match binding.action {
        Action::Fire(id) => (id, Value::Nothing),
        Action::Toggle(id) => {
            let (low, high) = id.def().range();
            let is_high = params.base(id) >= (low + high) / 2.0;
            (id, Value::Float(if is_high { low } else { high }))
        }
        Action::Nudge(id, amount) => {
            // Steps land on whole multiples, so that 0 is among them.
            let steps = (params.base(id) / amount.abs()).round() + amount.signum();
            (id, Value::Float(steps * amount.abs()))
        }
        Action::NextChoice(id) => {
            let (_, last) = id.def().range();
            let next = params.base(id) + 1.0;
            (id, Value::Float(if next > last { 0.0 } else { next }))
        }
        Action::Set(id, number) => (id, Value::Int(number)),
        Action::Window(_) | Action::Tens => return,
    };
    out.push(Write { target: Target::from(id), value, source: Source::Key });
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn no_key_is_bound_twice_and_every_write_is_accepted() {
        let mut params = Params::default();
        for (i, binding) in BINDINGS.iter().enumerate() {
            assert!(BINDINGS[..i].iter().all(|other| other.key != binding.key), "{} twice", binding.key);
            assert_eq!(Key::from_name(&binding.key.to_string()), Some(binding.key));
            let mut out = Vec::new();
            writes(binding.key, &params, &mut out);
            let is_empty = matches!(binding.action, Action::Window(_) | Action::Tens);
            assert_eq!(out.is_empty(), is_empty, "{}", binding.key);
            for write in out {
                params.write(write.target, &write.value).unwrap();
            }
        }
    }

    fn press(params: &mut Params, name: &str) {
        let mut out = Vec::new();
        writes(Key::from_name(name).unwrap(), params, &mut out);
        for write in out {
            params.write(write.target, &write.value).unwrap();
        }
    }

    #[test]
    fn keys_toggle_nudge_and_cycle() {
        let mut params = Params::default();
        press(&mut params, "Space");
        assert!(params.bool(Id::Freeze));
        press(&mut params, " ");
        assert!(!params.bool(Id::Freeze));
        press(&mut params, "B");
        assert_eq!(params.base(Id::Blackout), 1.0);
        for _ in 0..5 {
            press(&mut params, "ArrowDown");
        }
        assert_eq!(params.base(Id::WalkSpeed), 0.0);
        for expected in ["loop", "line", "keys", "hold", "drift"] {
            press(&mut params, "w");
            assert_eq!(params.choice(Id::WalkKind), expected);
        }
        press(&mut params, "3");
        assert_eq!(params.text(Id::Preset), "3");
        assert_eq!(Key::from_name("Arrow"), None);
        assert_eq!(Key::from_name("é"), Some(Key::Char('é')));
        assert_eq!(Key::from_name("ééé"), None);
    }

    #[test]
    fn presets_above_nine_are_typed() {
        let (mut keys, mut params) = (Keys::default(), Params::default());
        for (typed, preset) in [("3", "3"), (";2", "12"), (";;0", "20"), (";n4", "4"), (";;;;;;;;;;5", "5")] {
            let mut out = Vec::new();
            for c in typed.chars() {
                keys.press(Key::from(c), &params, &mut out).unwrap();
            }
            out.iter().for_each(|write| drop(params.write(write.target, &write.value)));
            assert_eq!((params.text(Id::Preset), keys.line()), (preset, None), "{typed}");
        }
        keys.press(Key::Char(';'), &params, &mut Vec::new()).unwrap();
        assert_eq!(keys.line().as_deref(), Some("preset 10 to 19: a digit chooses"));
    }

    #[test]
    fn the_players_own_keys_come_first() {
        let (mut keys, params) = (Keys::default(), Params::default());
        let own = [
            ("n", Does::Nothing),
            ("3", Does::Press("/freeze".into())),
            ("x", Does::Step("/walk/speed".into(), -0.5)),
            ("w", Does::Set("/walk/kind".into(), Value::Text("line".into()))),
            ("y", Does::Press("/fx/gone/mix".into())),
            ("h", Does::Window("fullscreen")),
        ];
        let bind = |(key, does): (&str, Does)| OwnBinding { key: Key::from_name(key).unwrap(), does };
        keys.set_own(own.map(bind).into());
        let mut press = |key: &str| {
            let mut out = Vec::new();
            keys.press(Key::from_name(key).unwrap(), &params, &mut out)?;
            Ok::<_, String>(out.pop().map(|write| (write.target.to_string(), write.value)))
        };
        assert_eq!((press("n"), press("h")), (Ok(None), Ok(None)));
        assert_eq!(press("3"), Ok(Some(("/freeze".into(), Value::Float(1.0)))));
        assert_eq!(press("x"), Ok(Some(("/walk/speed".into(), Value::Float(-0.25)))));
        assert_eq!(press("w"), Ok(Some(("/walk/kind".into(), Value::Text("line".into())))));
        assert_eq!(press("y"), Err("no parameter /fx/gone/mix at the moment".into()));
        assert_eq!(press("p"), Ok(Some(("/seed/prev".into(), Value::Nothing))), "the others stay");
        assert!(keys.repeats(Key::Char('x')) && keys.repeats(Key::Up) && !keys.repeats(Key::Char('n')));
    }
}
