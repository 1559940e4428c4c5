//! The names of keys, as files, takes and lists write them.

/// Number of function keys.
const FUNCTIONS: u8 = 24;

/// A key pressed in the window: by the character on it, in lower case, or by its name; alone, or with Ctrl (on a Mac also
/// Cmd).
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
    /// `F1` to `F24`.
    Function(u8),
    /// Ctrl and a character.
    Ctrl(char),
    /// Ctrl, Shift and a letter.
    CtrlShift(char),
}

impl Key {
    /// What a key may be called, for messages.
    pub const NAMES: &str = "one character, or Space, Left, Right, Up, Down, Enter, Backspace, Tab, Escape or F1 to F24, \
                             or a character with Ctrl, or a letter with Ctrl Shift";

    /// A character with Ctrl. Shift makes another key of letters only: other characters are typed with it or without.
    pub fn with_ctrl(c: char, shift: bool) -> Option<Key> {
        match (lower(c), shift) {
            (c, _) if c.is_whitespace() || c.is_control() => None,
            (c, true) => c.is_alphabetic().then_some(Key::CtrlShift(c)),
            (c, false) => Some(Key::Ctrl(c)),
        }
    }

    /// The key called `name`: one character, or a name such as `Space`, `ArrowLeft`, `F5`, `Ctrl P` or `Ctrl+Shift+E`, in
    /// any case.
    pub fn from_name(name: &str) -> Option<Key> {
        if let Some(c) = only_character(name) {
            return Some(Key::from(c));
        }
        if let Some(rest) = ["ctrl", "control", "cmd"].iter().find_map(|word| after(name, word)) {
            let shifted = after(rest, "shift").and_then(only_character).map(|c| Key::with_ctrl(c, true));
            return shifted.unwrap_or_else(|| only_character(rest).and_then(|c| Key::with_ctrl(c, false)));
        }
        if let Some(number) = name.strip_prefix(['f', 'F']).and_then(|number| number.parse().ok()) {
            return (1..=FUNCTIONS).contains(&number).then_some(Key::Function(number));
        }
        let named =
            [Key::Space, Key::Left, Key::Right, Key::Up, Key::Down, Key::Enter, Key::Backspace, Key::Tab, Key::Escape];
        let name = name.get(..5).filter(|stem| stem.eq_ignore_ascii_case("arrow")).map_or(name, |_| &name[5..]);
        named.into_iter().find(|key| format!("{key:?}").eq_ignore_ascii_case(name))
    }
}

/// What follows a modifier and the space, `+` or `-` behind it.
fn after<'a>(name: &'a str, modifier: &str) -> Option<&'a str> {
    let stem = name.get(..modifier.len()).filter(|stem| stem.eq_ignore_ascii_case(modifier))?;
    let rest = &name[stem.len()..];
    rest.strip_prefix([' ', '+', '-']).map(|rest| if rest.len() > 1 { rest.trim() } else { rest })
}

fn only_character(name: &str) -> Option<char> {
    let mut characters = name.chars();
    characters.next().filter(|_| characters.next().is_none())
}

fn lower(c: char) -> char {
    // Of the few characters whose small letter is two, the letter itself.
    let mut small = c.to_lowercase();
    small.next().filter(|_| small.next().is_none()).unwrap_or(c)
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
            Key::Function(number) => write!(f, "F{number}"),
            Key::Ctrl(c) => write!(f, "Ctrl {}", c.to_ascii_uppercase()),
            Key::CtrlShift(c) => write!(f, "Ctrl Shift {}", c.to_ascii_uppercase()),
            named => write!(f, "{named:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_called_by_their_names_in_any_case() {
        for (name, key) in [
            ("g", Key::Char('g')),
            ("F", Key::Char('f')),
            ("f5", Key::Function(5)),
            ("F24", Key::Function(24)),
            ("ArrowUp", Key::Up),
            ("escape", Key::Escape),
            ("Ctrl P", Key::Ctrl('p')),
            ("ctrl+p", Key::Ctrl('p')),
            ("Cmd-P", Key::Ctrl('p')),
            ("Ctrl -", Key::Ctrl('-')),
            ("Ctrl++", Key::Ctrl('+')),
            ("Ctrl Shift E", Key::CtrlShift('e')),
            ("control+shift+é", Key::CtrlShift('é')),
        ] {
            assert_eq!(Key::from_name(name), Some(key), "{name}");
            assert_eq!(Key::from_name(&key.to_string()), Some(key), "{key}");
        }
        for name in [
            "",
            "gg",
            "F0",
            "F25",
            "Ctrl",
            "Ctrl ",
            "Ctrl Left",
            "Ctrl Shift",
            "Ctrl Shift 1",
            "Shift E",
            "Alt E",
            "Strg E",
        ] {
            assert_eq!(Key::from_name(name), None, "{name}");
        }
    }
}
