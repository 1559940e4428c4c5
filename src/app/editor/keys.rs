//! The editor's keys: one table, which the editor acts on and the list of keys shows.

use bevy_egui::egui::{Key, Modifiers};

/// What a key does in the editor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// Plays the selected lines, or the block at the cursor.
    Block,
    /// Plays the statement at the cursor.
    Statement,
    Whole,
    Hush,
    TakeBack,
    Save,
    Comment,
    Names,
    Next,
    Previous,
    Larger,
    Smaller,
    Usual,
    Hide,
    Escape,
    /// The text field knows what to do.
    Field,
}

/// Which of Ctrl, Alt and Shift a key is pressed with; `None` if it makes no difference.
#[derive(Clone, Copy, Debug)]
struct With {
    command: Option<bool>,
    alt: Option<bool>,
    shift: Option<bool>,
}

const ANY: With = With { command: None, alt: None, shift: None };
/// Shift makes no difference: some keyboards need it for a character.
const CTRL: With = With { command: Some(true), ..ANY };
const CTRL_ALONE: With = With { shift: Some(false), ..CTRL };
const CTRL_SHIFT: With = With { shift: Some(true), ..CTRL };
const ALT: With = With { command: Some(false), alt: Some(true), shift: None };

/// A key of the editor.
#[derive(Clone, Copy, Debug)]
pub(in crate::app) struct Binding {
    key: Key,
    with: With,
    does: Command,
    /// What the list calls it; empty for a second key, and for those that the window has in its own list.
    pub name: &'static str,
    pub help: &'static str,
}

const fn bind(key: Key, with: With, does: Command, name: &'static str, help: &'static str) -> Binding {
    Binding { key, with, does, name, help }
}

/// Every key that is not simply typed. Of two that fit, the first counts.
const BINDINGS: [Binding; 20] = [
    bind(Key::Enter, CTRL_SHIFT, Command::Whole, "Ctrl Shift Enter", "play the whole text, as saving does"),
    bind(Key::Enter, CTRL, Command::Block, "Ctrl Enter", "play the selected lines, or the block"),
    bind(Key::Enter, ALT, Command::Statement, "Alt Enter", "play the statement at the cursor"),
    bind(Key::Period, CTRL, Command::Hush, "Ctrl .", "hush: bindings, handlers, mappings end"),
    bind(Key::U, CTRL, Command::TakeBack, "Ctrl U", "take back what was played last"),
    bind(Key::S, CTRL, Command::Save, "Ctrl S", "save"),
    bind(Key::Space, CTRL, Command::Names, "Ctrl Space", "names that fit here; Tab takes one"),
    bind(Key::Slash, CTRL, Command::Comment, "Ctrl /", "comment lines out, or in again"),
    bind(Key::Z, CTRL_ALONE, Command::Field, "Ctrl Z", "undo typing"),
    bind(Key::Z, CTRL_SHIFT, Command::Field, "Ctrl Shift Z", "redo typing"),
    bind(Key::PageDown, CTRL, Command::Next, "Ctrl PageDown", "next text: the patch, an effect"),
    bind(Key::PageUp, CTRL, Command::Previous, "Ctrl PageUp", "previous text"),
    bind(Key::Plus, CTRL, Command::Larger, "Ctrl +", "larger text"),
    bind(Key::Equals, CTRL, Command::Larger, "", ""),
    bind(Key::Minus, CTRL, Command::Smaller, "Ctrl -", "smaller text"),
    bind(Key::Num0, CTRL, Command::Usual, "Ctrl 0", "text as large as at first"),
    bind(Key::E, CTRL_ALONE, Command::Hide, "", ""),
    bind(Key::Escape, ANY, Command::Escape, "", ""),
    bind(Key::Y, CTRL, Command::Field, "", ""),
    bind(Key::A, CTRL, Command::Field, "Ctrl A", "select everything"),
];

/// What the editor does with a key; `None` if it is typed.
pub(super) fn command(key: Key, modifiers: Modifiers) -> Option<Command> {
    let fits = |wanted: Option<bool>, is_held: bool| wanted.is_none_or(|wanted| wanted == is_held);
    let is_it = |binding: &&Binding| {
        let With { command, alt, shift } = binding.with;
        let has = fits(command, modifiers.command) && fits(alt, modifiers.alt) && fits(shift, modifiers.shift);
        binding.key == key && has
    };
    BINDINGS.iter().find(is_it).map(|binding| binding.does)
}

/// Those that the list shows.
pub(in crate::app) fn listed() -> impl Iterator<Item = &'static Binding> {
    BINDINGS.iter().filter(|binding| !binding.name.is_empty())
}

#[cfg(test)]
mod test {
    use super::*;

    /// What is held, by the name of a key in the list.
    fn held(name: &str) -> Modifiers {
        let has = |word: &str| name.split(' ').any(|part| part == word);
        Modifiers { command: has("Ctrl"), ctrl: has("Ctrl"), alt: has("Alt"), shift: has("Shift"), mac_cmd: false }
    }

    #[test]
    fn every_key_does_what_the_list_says() {
        for binding in listed() {
            assert_eq!(command(binding.key, held(binding.name)), Some(binding.does), "{}", binding.name);
            let last = binding.name.rsplit(' ').next().unwrap();
            let key = Key::from_name(last).unwrap_or_else(|| panic!("{last}"));
            assert_eq!(key, binding.key, "{}", binding.name);
        }
        assert_eq!(command(Key::Enter, Modifiers::NONE), None, "it is typed");
        assert_eq!(command(Key::S, Modifiers::NONE), None);
        assert_eq!(command(Key::E, held("Ctrl Shift E")), None, "the window's: the code for the audience");
        assert_eq!(command(Key::Period, held("Ctrl Shift .")), Some(Command::Hush), "on some keyboards with Shift");
    }

    #[test]
    fn the_manual_has_every_key_of_the_list() {
        let manual = include_str!("../../../docs/LIVE.md");
        for binding in listed() {
            let name = binding.name.replace(" +", " plus").replace(" -", " minus").replace(' ', "-");
            assert!(manual.contains(&name), "{name}");
        }
    }
}
