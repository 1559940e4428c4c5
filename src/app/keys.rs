//! Keyboard and dropped files: what the window handles itself, and what it passes on to the show.
//!
//! Keys for the show are listed in `control::keys` and become events; the window's own are listed in [`OWN`].
//! Runs on the main thread.

use std::sync::PoisonError;

use bevy::input::keyboard::{Key as Logical, KeyboardInput};
use bevy::prelude::*;
use bevy::window::FileDragAndDrop;

use super::{Player, arrivals, windows};
use crate::control::keys::{self, Does, Key, Keys};
use crate::control::{Event, Source, Write};
use crate::params::{Id, Value};

/// The window's own keys and their actions, for the list of keys.
pub(super) const OWN: &[(&str, &str)] = &[
    ("Tab", "the stage: show or hide it"),
    ("H", "text: what needs attention, all, none"),
    ("F  F11", "full screen"),
    ("O", "output window on or off"),
    ("M", "show the mapping"),
    ("Ctrl P", "the panel: everything, to be played by hand"),
    ("Ctrl F", "search all parameters"),
    ("Ctrl E", "live code: show or hide the editor"),
    ("Ctrl Shift E", "show the code to the audience too"),
    ("?  F1", "this list"),
    ("Esc", "an error was read; close, leave full screen"),
    ("Ctrl S", "save the preset"),
    ("Ctrl T", "begin or end a take"),
    ("F12", "save a snapshot"),
    ("Ctrl R", "start or stop recording"),
    ("Ctrl Q", "quit"),
];

/// An action of the window itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    Stage,
    Hud,
    Fullscreen,
    Output,
    List,
    Map,
    Save,
    Take,
    Snapshot,
    Record,
    Editor,
    Panel,
    Search,
    Escape,
    Quit,
}

impl Own {
    /// The action that a word of [`keys::WINDOW`] names.
    fn of_word(word: &str) -> Option<Own> {
        Some(match word {
            "stage" => Own::Stage,
            "hud" => Own::Hud,
            "fullscreen" => Own::Fullscreen,
            "output" => Own::Output,
            "list" => Own::List,
            "map" => Own::Map,
            "editor" => Own::Editor,
            "save" => Own::Save,
            "take" => Own::Take,
            "snapshot" => Own::Snapshot,
            "record" => Own::Record,
            "quit" => Own::Quit,
            _ => return None,
        })
    }

    /// Whether it is not a character that may be typed, or a command of the editor.
    fn is_heard_while_typing(self, key: &Logical) -> bool {
        match self {
            Own::Editor | Own::Panel | Own::Search | Own::Escape | Own::Record | Own::Take | Own::Quit => true,
            Own::Save => false,
            _ => matches!(key, Logical::F1 | Logical::F11 | Logical::F12),
        }
    }
}

/// The window's action for a key press, if any. `command` is Ctrl or, on a Mac, Cmd.
fn own(key: &Logical, command: bool) -> Option<Own> {
    match key {
        Logical::Character(c) if command => match c.to_ascii_lowercase().as_str() {
            "q" => Some(Own::Quit),
            "s" => Some(Own::Save),
            "t" => Some(Own::Take),
            "r" => Some(Own::Record),
            "e" => Some(Own::Editor),
            "p" => Some(Own::Panel),
            "f" => Some(Own::Search),
            _ => None,
        },
        Logical::Character(c) => match c.to_ascii_lowercase().as_str() {
            "h" => Some(Own::Hud),
            "f" => Some(Own::Fullscreen),
            "o" => Some(Own::Output),
            "m" => Some(Own::Map),
            "?" => Some(Own::List),
            _ => None,
        },
        Logical::Tab if !command => Some(Own::Stage),
        Logical::F11 => Some(Own::Fullscreen),
        Logical::F1 => Some(Own::List),
        Logical::F12 => Some(Own::Snapshot),
        Logical::Escape => Some(Own::Escape),
        _ => None,
    }
}

/// The show's name for a key, if it has one.
fn played(key: &Logical) -> Option<Key> {
    Some(match key {
        Logical::Character(c) => {
            let mut characters = c.chars();
            let first = characters.next()?;
            characters.next().is_none().then(|| Key::from(first))?
        }
        Logical::Space => Key::Space,
        Logical::ArrowLeft => Key::Left,
        Logical::ArrowRight => Key::Right,
        Logical::ArrowUp => Key::Up,
        Logical::ArrowDown => Key::Down,
        Logical::Enter => Key::Enter,
        Logical::Backspace => Key::Backspace,
        Logical::Tab => Key::Tab,
        _ => return None,
    })
}

/// The window's action for a key press: as the player's own keys say, or else as listed.
fn action(keys: &Keys, key: &Logical, command: bool) -> Option<Own> {
    match played(key).filter(|_| !command).and_then(|key| keys.own(key)) {
        Some(Does::Window(word)) => Own::of_word(word),
        Some(_) => None,
        None => own(key, command),
    }
}

/// Modifier keys that turn the next key into a command.
const COMMAND: [KeyCode; 4] = [KeyCode::ControlLeft, KeyCode::ControlRight, KeyCode::SuperLeft, KeyCode::SuperRight];

const SHIFT: [KeyCode; 2] = [KeyCode::ShiftLeft, KeyCode::ShiftRight];

/// What is held while a key is pressed. The right Alt key is for characters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chord {
    pub command: bool,
    pub shift: bool,
    pub alt: bool,
}

/// Passes the show's keys on and handles the window's own.
pub(super) fn read_keys(
    mut pressed: MessageReader<KeyboardInput>,
    held: Res<ButtonInput<KeyCode>>,
    mut chord: Local<Chord>,
    mut player: ResMut<Player>,
    mut windows: Query<&mut Window>,
    mut exit: MessageWriter<AppExit>,
) {
    for input in pressed.read() {
        let is_pressed = input.state.is_pressed();
        match input.key_code {
            key if COMMAND.contains(&key) => chord.command = is_pressed,
            key if SHIFT.contains(&key) => chord.shift = is_pressed,
            KeyCode::AltLeft => chord.alt = is_pressed,
            _ => {}
        }
        if !is_pressed {
            continue;
        }
        let keys = player.show.get_mut().unwrap_or_else(PoisonError::into_inner).keys();
        let own = action(keys, &input.logical_key, chord.command);
        let repeats = played(&input.logical_key).is_some_and(|key| keys.repeats(key));
        // What is typed into the editor plays nothing.
        let is_editing = player.editor.is_shown();
        let is_typing = is_editing || player.stage.is_typing || player.panel.is_typing();
        if is_editing && !player.list_shown && !player.stage.is_typing {
            player.editor.press(input, *chord);
        }
        if let Some(own) = own.filter(|own| !is_typing || own.is_heard_while_typing(&input.logical_key)) {
            if input.repeat {
                continue;
            }
            match own {
                Own::Stage => {
                    player.stage.toggle();
                    player.knows_tab = true;
                }
                Own::Hud => player.text = player.text.next(),
                Own::List => player.list_shown = !player.list_shown,
                Own::Map => player.map_shown = !player.map_shown,
                Own::Save => player.pending.push(asked(Id::PresetSave)),
                Own::Snapshot => player.pending.push(asked(Id::Snapshot)),
                Own::Take => {
                    let id = if player.is_taking() { Id::TakeStop } else { Id::TakeStart };
                    player.pending.push(asked(id));
                }
                Own::Record => {
                    let id = if player.recording() { Id::RecordStop } else { Id::RecordStart };
                    player.pending.push(asked(id));
                }
                Own::Output => player.output_toggled = true,
                Own::Quit => {
                    exit.write(AppExit::Success);
                }
                Own::Fullscreen => windows.get_mut(input.window).iter_mut().for_each(windows::toggle_fullscreen),
                Own::Editor if chord.shift => {
                    let value = Value::Bool(!player.shows_code());
                    let write = Write { target: Id::EditorOutput.into(), value, source: Source::Key };
                    player.pending.push(Event::Write(write));
                }
                // These come in order with what else is typed.
                Own::Editor | Own::Escape if is_editing && !player.list_shown => {}
                Own::Editor => player.open_editor(),
                Own::Panel | Own::Search if is_editing => {}
                Own::Panel => player.panel.toggle(),
                Own::Search => player.panel.search(),
                Own::Escape if player.list_shown => player.list_shown = false,
                Own::Escape if player.dismiss() => {}
                Own::Escape if player.learning() => player.pending.push(asked(Id::LearnCancel)),
                Own::Escape if player.map_shown => player.map_shown = false,
                // The field lets go of the keys by itself.
                Own::Escape if is_typing => {}
                Own::Escape if player.panel.is_shown() => player.panel.toggle(),
                Own::Escape => windows.get_mut(input.window).iter_mut().for_each(windows::leave_fullscreen),
            }
        } else if let Some(key) = played(&input.logical_key)
            && !(chord.command || is_typing)
            && (!input.repeat || repeats)
        {
            player.pending.push(Event::Key(key));
        }
    }
    // Followed in order, as a slow frame may contain a whole chord; a release that another window received is corrected here.
    chord.command &= held.any_pressed(COMMAND);
    chord.shift &= held.any_pressed(SHIFT);
    chord.alt &= held.pressed(KeyCode::AltLeft);
}

fn asked(id: Id) -> Event {
    Event::Write(Write { target: id.into(), value: Value::Nothing, source: Source::Key })
}

/// A file dropped on a window is a network to load, or a snapshot or take to go to.
pub(super) fn read_drops(mut dropped: MessageReader<FileDragAndDrop>, mut player: ResMut<Player>) {
    for drop in dropped.read() {
        let FileDragAndDrop::DroppedFile { path_buf, .. } = drop else { continue };
        if arrivals::leads(path_buf) {
            player.arrive(path_buf.clone());
        } else {
            player.pending.push(keys::dropped(path_buf));
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::control::keys::{Action, BINDINGS, OwnBinding, WINDOW};

    #[test]
    fn the_players_own_keys_may_be_the_windows() {
        let mut keys = Keys::default();
        let bind = |c, does| OwnBinding { key: Key::Char(c), does };
        keys.set_own([bind('h', Does::Nothing), bind('q', Does::Window("fullscreen"))].into());
        let character = |c: &str| Logical::Character(c.into());
        assert_eq!(action(&keys, &character("h"), false), None);
        assert_eq!(action(&keys, &character("q"), false), Some(Own::Fullscreen));
        assert_eq!(action(&keys, &character("q"), true), Some(Own::Quit), "Ctrl Q stays");
        assert_eq!(action(&keys, &character("m"), false), Some(Own::Map));
        assert!(WINDOW.iter().all(|word| Own::of_word(word).is_some()));
    }

    #[test]
    fn the_window_keeps_its_own_keys_and_passes_the_rest_on() {
        let character = |c: &str| Logical::Character(c.into());
        for (key, expected) in
            [("h", Own::Hud), ("H", Own::Hud), ("f", Own::Fullscreen), ("o", Own::Output), ("?", Own::List)]
        {
            assert_eq!(own(&character(key), false), Some(expected), "{key}");
            assert_ne!(own(&character(key), true), Some(expected), "Ctrl {key}");
        }
        assert_eq!((own(&character("p"), true), own(&character("p"), false)), (Some(Own::Panel), None));
        assert_eq!(own(&character("f"), true), Some(Own::Search));
        assert_eq!(own(&character("q"), true), Some(Own::Quit));
        assert_eq!(own(&character("q"), false), None);
        assert_eq!((own(&character("s"), true), own(&character("m"), false)), (Some(Own::Save), Some(Own::Map)));
        assert_eq!((own(&character("t"), true), own(&character("t"), false)), (Some(Own::Take), None));
        assert_eq!((own(&character("r"), true), own(&character("r"), false)), (Some(Own::Record), None));
        for binding in BINDINGS {
            let key = match binding.key {
                Key::Char(c) => character(&c.to_string()),
                Key::Space => Logical::Space,
                Key::Left => Logical::ArrowLeft,
                Key::Right => Logical::ArrowRight,
                Key::Up => Logical::ArrowUp,
                Key::Down => Logical::ArrowDown,
                Key::Enter => Logical::Enter,
                Key::Backspace => Logical::Backspace,
                Key::Tab => Logical::Tab,
                Key::Escape => Logical::Escape,
            };
            let windows_own = own(&key, false).is_some();
            assert_eq!(windows_own, binding.action == Action::Window, "{}", binding.key);
            if !windows_own {
                assert_eq!(played(&key), Some(binding.key));
            }
        }
    }
}
