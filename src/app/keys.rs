//! Keyboard and dropped files: what the window handles itself, and what it passes on to the show.
//!
//! What keys do is listed in `control::keys`, and by the player's own file. Those that play the show become events; the
//! window's actions, which are named there, are done here. Runs on the main thread.

use std::sync::PoisonError;

use bevy::input::keyboard::{Key as Logical, KeyboardInput};
use bevy::prelude::*;
use bevy::window::FileDragAndDrop;
use bevy_egui::egui;

use super::{Player, arrivals, windows};
use crate::control::keys::{self, Key};
use crate::control::{Event, Source, Write};
use crate::params::{Id, Value};
use crate::show::Show;

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
    /// The page's tab, in the browser.
    Explore,
    /// The audience sees the code.
    Code,
    /// An error was read; what is open closes; full screen ends.
    Back,
    Quit,
}

impl Own {
    /// The action that a word of [`keys::window_words`] names.
    fn of_word(word: &str) -> Option<Own> {
        Some(match word {
            "stage" => Own::Stage,
            "hud" => Own::Hud,
            "fullscreen" => Own::Fullscreen,
            "output" => Own::Output,
            "list" => Own::List,
            "map" => Own::Map,
            "editor" => Own::Editor,
            "panel" => Own::Panel,
            "search" => Own::Search,
            "explore" => Own::Explore,
            "code" => Own::Code,
            "back" => Own::Back,
            "save" => Own::Save,
            "take" => Own::Take,
            "snapshot" => Own::Snapshot,
            "record" => Own::Record,
            "quit" => Own::Quit,
            _ => return None,
        })
    }
}

/// The characters that text fields and the editor hear with Ctrl: to copy, to undo, to evaluate.
const TYPED: &str = "acdhkosuvwxyz./+=-0";

/// Whether a key is neither typed nor a command of text, so that it does its work while text is written.
pub(super) fn is_heard_while_typing(key: Key) -> bool {
    match key {
        Key::Escape | Key::Function(_) => true,
        Key::Ctrl(c) | Key::CtrlShift(c) => !TYPED.contains(c),
        _ => false,
    }
}

/// Actions of the window that do nothing over the editor, which lies where they would show something.
pub(super) const HIDDEN_BY_EDITOR: [&str; 2] = ["panel", "search"];

/// The name of a key that was pressed, if it has one.
fn named(key: &Logical, chord: Chord) -> Option<Key> {
    if let Logical::Character(c) = key {
        let mut characters = c.chars();
        let c = characters.next().filter(|_| characters.next().is_none())?;
        if !chord.command {
            return Some(Key::from(c));
        }
        // Of a character that is itself typed with Shift, such as +, Shift says nothing.
        return Key::with_ctrl(c, chord.shift && c.is_alphabetic());
    }
    if let Some(at) = FUNCTIONS.iter().position(|function| function == key) {
        return Some(Key::Function(at as u8 + 1));
    }
    let named = match key {
        Logical::Escape => return Some(Key::Escape),
        Logical::Space => Key::Space,
        Logical::ArrowLeft => Key::Left,
        Logical::ArrowRight => Key::Right,
        Logical::ArrowUp => Key::Up,
        Logical::ArrowDown => Key::Down,
        Logical::Enter => Key::Enter,
        Logical::Backspace => Key::Backspace,
        Logical::Tab => Key::Tab,
        _ => return None,
    };
    (!chord.command).then_some(named)
}

/// The function keys, from F1.
const FUNCTIONS: [Logical; 24] = [
    Logical::F1,
    Logical::F2,
    Logical::F3,
    Logical::F4,
    Logical::F5,
    Logical::F6,
    Logical::F7,
    Logical::F8,
    Logical::F9,
    Logical::F10,
    Logical::F11,
    Logical::F12,
    Logical::F13,
    Logical::F14,
    Logical::F15,
    Logical::F16,
    Logical::F17,
    Logical::F18,
    Logical::F19,
    Logical::F20,
    Logical::F21,
    Logical::F22,
    Logical::F23,
    Logical::F24,
];

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
        let Some(key) = named(&input.logical_key, *chord) else {
            player.type_into_editor(input, *chord);
            continue;
        };
        let show = player.show.get_mut().unwrap_or_else(PoisonError::into_inner);
        let meaning = Meaning::of(key, show);
        // What is typed into the editor plays nothing.
        let is_editing = player.editor.is_shown();
        let is_typing = is_editing || player.stage.is_typing || player.panel.is_typing();
        let is_heard = !is_typing || is_heard_while_typing(key);
        if !is_heard || !meaning.is_bound {
            player.type_into_editor(input, *chord);
        }
        if let Some(own) = meaning.own.filter(|_| is_heard) {
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
                Own::Code => {
                    let value = Value::Bool(!player.shows_code());
                    let write = Write { target: Id::EditorOutput.into(), value, source: Source::Key };
                    player.pending.push(Event::Write(write));
                }
                // These come in order with what else is typed.
                Own::Editor if is_editing && !player.list_shown => player.editor.command(egui::Key::E),
                Own::Back if is_editing && !player.list_shown => player.editor.command(egui::Key::Escape),
                Own::Editor => player.open_editor(),
                Own::Panel | Own::Search if is_editing => {}
                Own::Panel => player.panel.toggle(),
                Own::Search => player.panel.search(),
                Own::Explore => player.doorway.open(webbrowser::open),
                Own::Back if player.list_shown => player.list_shown = false,
                Own::Back if player.dismiss() => {}
                Own::Back if player.learning() => player.pending.push(asked(Id::LearnCancel)),
                Own::Back if player.map_shown => player.map_shown = false,
                // The field lets go of the keys by itself.
                Own::Back if is_typing => {}
                Own::Back if player.panel.is_shown() => player.panel.toggle(),
                Own::Back => windows.get_mut(input.window).iter_mut().for_each(windows::leave_fullscreen),
            }
        } else if is_heard && (!input.repeat || meaning.repeats) {
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

/// What a key means at the moment.
#[derive(Clone, Copy, Debug)]
struct Meaning {
    /// The window's action, unless the show has a cue for the key.
    own: Option<Own>,
    /// Whether the key does anything.
    is_bound: bool,
    repeats: bool,
}

impl Meaning {
    fn of(key: Key, show: &Show) -> Meaning {
        let (keys, is_cue) = (show.keys(), show.has_cue(key));
        // Whatever a set list says, full screen can be left.
        let own = keys.window(key).filter(|word| !is_cue || keys::WAYS_BACK.contains(word));
        Meaning { own: own.and_then(Own::of_word), is_bound: keys.is_bound(key) || is_cue, repeats: keys.repeats(key) }
    }
}

impl Player {
    /// What is typed goes into the editor, if it is open and nothing else is typed into.
    fn type_into_editor(&mut self, input: &KeyboardInput, chord: Chord) {
        if self.editor.is_shown() && !self.list_shown && !self.stage.is_typing {
            self.editor.press(input, chord);
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::control::keys::{Action, BINDINGS, window_words};

    const CTRL: Chord = Chord { command: true, shift: false, alt: false };
    const CTRL_SHIFT: Chord = Chord { command: true, shift: true, alt: false };

    fn character(c: &str) -> Logical {
        Logical::Character(c.into())
    }

    #[test]
    fn every_key_of_the_list_can_be_pressed_and_every_action_of_the_window_is_done() {
        for binding in BINDINGS {
            let (key, chord) = match binding.key {
                Key::Char(c) => (character(&c.to_string()), Chord::default()),
                Key::Ctrl(c) => (character(&c.to_string()), CTRL),
                Key::CtrlShift(c) => (character(&c.to_ascii_uppercase().to_string()), CTRL_SHIFT),
                Key::Function(number) => (FUNCTIONS[usize::from(number) - 1].clone(), Chord::default()),
                Key::Space => (Logical::Space, Chord::default()),
                Key::Left => (Logical::ArrowLeft, Chord::default()),
                Key::Right => (Logical::ArrowRight, Chord::default()),
                Key::Up => (Logical::ArrowUp, Chord::default()),
                Key::Down => (Logical::ArrowDown, Chord::default()),
                Key::Enter => (Logical::Enter, Chord::default()),
                Key::Backspace => (Logical::Backspace, Chord::default()),
                Key::Tab => (Logical::Tab, Chord::default()),
                Key::Escape => (Logical::Escape, Chord::default()),
            };
            assert_eq!(named(&key, chord), Some(binding.key), "{}", binding.key);
            if let Action::Window(word) = binding.action {
                assert!(Own::of_word(word).is_some(), "{word}");
            }
        }
        assert!(window_words().count() > 12);
        assert!(HIDDEN_BY_EDITOR.iter().all(|word| window_words().any(|known| known == *word)));
    }

    #[test]
    fn a_chord_is_another_key_than_its_character() {
        assert_eq!(named(&character("F"), Chord::default()), Some(Key::Char('f')));
        assert_eq!(named(&character("f"), CTRL), Some(Key::Ctrl('f')));
        assert_eq!(named(&character("+"), CTRL_SHIFT), Some(Key::Ctrl('+')));
        assert_eq!(named(&Logical::ArrowLeft, CTRL), None, "arrows with Ctrl are the text's");
        assert_eq!(named(&Logical::Escape, CTRL), Some(Key::Escape));
    }

    #[test]
    fn while_typing_only_what_cannot_be_typed_is_heard() {
        for (key, is_heard) in [
            (Key::Char('n'), false),
            (Key::Space, false),
            (Key::Tab, false),
            (Key::Ctrl('c'), false),
            (Key::CtrlShift('z'), false),
            (Key::Ctrl('s'), false),
            (Key::Ctrl('e'), true),
            (Key::Ctrl('r'), true),
            (Key::CtrlShift('e'), true),
            (Key::Function(5), true),
            (Key::Escape, true),
        ] {
            assert_eq!(is_heard_while_typing(key), is_heard, "{key}");
        }
    }
}
