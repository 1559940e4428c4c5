//! The keyboard: one table of what each key does, which `?` lists in the window.
//!
//! The window names the keys it receives, and [`writes`] is called through the event queue; keys that belong to the
//! window itself (HUD, full screen, quitting) are listed here and handled there. Pure.

use std::path::Path;

use super::{Event, Source, Write};
use crate::params::{Id, Params, Target, Value};

/// A key pressed in the window: by the character on it, in lower case, or by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    Char(char),
    Space,
    Left,
    Right,
    Up,
    Down,
    Enter,
    Backspace,
    Tab,
    Escape,
}

impl Key {
    /// The key called `name`: one character, or a name such as `Space`, `Left` or `ArrowLeft`, in any case.
    pub fn from_name(name: &str) -> Option<Key> {
        let mut characters = name.chars();
        if let (Some(c), None) = (characters.next(), characters.next()) {
            return Some(Key::from(c));
        }
        let named =
            [Key::Space, Key::Left, Key::Right, Key::Up, Key::Down, Key::Enter, Key::Backspace, Key::Tab, Key::Escape];
        let name = name.get(..5).filter(|stem| stem.eq_ignore_ascii_case("arrow")).map_or(name, |_| &name[5..]);
        named.into_iter().find(|key| format!("{key:?}").eq_ignore_ascii_case(name))
    }
}

impl From<char> for Key {
    fn from(c: char) -> Self {
        match c {
            ' ' => Key::Space,
            '\r' | '\n' => Key::Enter,
            '\t' => Key::Tab,
            '\u{8}' | '\u{7f}' => Key::Backspace,
            '\u{1b}' => Key::Escape,
            c => Key::Char(c.to_ascii_lowercase()),
        }
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Key::Char(c) => write!(f, "{}", c.to_ascii_uppercase()),
            named => write!(f, "{named:?}"),
        }
    }
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
    /// Belongs to the window.
    Window,
}

/// One line of the list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Binding {
    pub key: Key,
    pub action: Action,
    pub help: &'static str,
}

const fn bind(key: Key, action: Action, help: &'static str) -> Binding {
    Binding { key, action, help }
}

/// Every key, in the order of the list.
pub const BINDINGS: &[Binding] = &[
    bind(Key::Space, Action::Toggle(Id::Freeze), "freeze the picture"),
    bind(Key::Char('n'), Action::Fire(Id::SeedNext), "next seed"),
    bind(Key::Char('p'), Action::Fire(Id::SeedPrev), "previous seed"),
    bind(Key::Right, Action::Nudge(Id::Psi, 0.05), "more truncation psi: wilder"),
    bind(Key::Left, Action::Nudge(Id::Psi, -0.05), "less truncation psi: calmer"),
    bind(Key::Up, Action::Nudge(Id::WalkSpeed, 0.05), "walk faster"),
    bind(Key::Down, Action::Nudge(Id::WalkSpeed, -0.05), "walk slower, then backwards"),
    bind(Key::Char('w'), Action::NextChoice(Id::WalkKind), "next kind of walk"),
    bind(Key::Char('r'), Action::Fire(Id::WalkRestart), "restart the walk"),
    bind(Key::Char('t'), Action::Fire(Id::Tap), "tap the tempo"),
    bind(Key::Char('-'), Action::Fire(Id::TempoHalf), "half the tempo"),
    bind(Key::Char('='), Action::Fire(Id::TempoDouble), "twice the tempo"),
    bind(Key::Char(','), Action::Fire(Id::TempoLater), "the next beat comes later"),
    bind(Key::Char('.'), Action::Fire(Id::TempoEarlier), "the next beat comes earlier"),
    bind(Key::Char('\\'), Action::Fire(Id::TempoBar), "a bar begins now"),
    bind(Key::Char('b'), Action::Toggle(Id::Blackout), "fade to black and back"),
    bind(Key::Char(']'), Action::Fire(Id::PresetNext), "next preset"),
    bind(Key::Char('['), Action::Fire(Id::PresetPrev), "previous preset"),
    bind(Key::Char('1'), Action::Set(Id::Preset, 1), "first preset"),
    bind(Key::Char('2'), Action::Set(Id::Preset, 2), "second preset"),
    bind(Key::Char('3'), Action::Set(Id::Preset, 3), "third preset"),
    bind(Key::Char('4'), Action::Set(Id::Preset, 4), "fourth preset"),
    bind(Key::Char('5'), Action::Set(Id::Preset, 5), "fifth preset"),
    bind(Key::Char('6'), Action::Set(Id::Preset, 6), "sixth preset"),
    bind(Key::Char('7'), Action::Set(Id::Preset, 7), "seventh preset"),
    bind(Key::Char('8'), Action::Set(Id::Preset, 8), "eighth preset"),
    bind(Key::Char('9'), Action::Set(Id::Preset, 9), "ninth preset"),
    bind(Key::Backspace, Action::Fire(Id::Panic), "panic: back to the preset as loaded"),
    bind(Key::Char('0'), Action::Fire(Id::Panic), "panic, too"),
    bind(Key::Char('z'), Action::Fire(Id::PresetRevert), "back to the preset as saved; again: as saved before that"),
    bind(Key::Char('l'), Action::Fire(Id::Learn), "learn: map a control to what moved last"),
    bind(Key::Char('a'), Action::Fire(Id::LearnAudio), "audio: let the sound move what moved last"),
    bind(Key::Char('u'), Action::Fire(Id::LearnUndo), "undo learn"),
    bind(Key::Char('m'), Action::Window, "show the mapping"),
    bind(Key::Char('h'), Action::Window, "show or hide the HUD"),
    bind(Key::Char('f'), Action::Window, "full screen"),
    bind(Key::Char('?'), Action::Window, "this list"),
    bind(Key::Escape, Action::Window, "leave full screen, then quit"),
];

/// A file dropped on the window is a network to load.
pub fn dropped(file: &Path) -> Event {
    let value = Value::Text(file.to_string_lossy().into_owned());
    Event::Write(Write { target: Id::Network.into(), value, source: Source::Key })
}

/// Appends what a key writes: nothing for keys that belong to the window or are unbound.
pub fn writes(key: Key, params: &Params, out: &mut Vec<Write>) {
    let Some(binding) = BINDINGS.iter().find(|binding| binding.key == key) else { return };
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
        Action::Window => return,
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
            assert_eq!(out.is_empty(), binding.action == Action::Window, "{}", binding.key);
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
        for expected in ["loop", "line", "hold", "drift"] {
            press(&mut params, "w");
            assert_eq!(params.choice(Id::WalkKind), expected);
        }
        press(&mut params, "3");
        assert_eq!(params.text(Id::Preset), "3");
        assert_eq!(Key::from_name("Arrow"), None);
        assert_eq!(Key::from_name("é"), Some(Key::Char('é')));
        assert_eq!(Key::from_name("ééé"), None);
    }
}
