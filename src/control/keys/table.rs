//! What every key does, in the order of the lists.

use super::{Action, Binding, Key};
use crate::params::Id;

/// What the player's own keys call [`Action::Tens`].
pub const TENS: &str = "tens";
/// The window's actions that lead out of full screen: one of them always has a key.
pub const WAYS_BACK: [&str; 2] = ["back", "fullscreen"];

const fn bind(key: Key, action: Action, help: &'static str) -> Binding {
    Binding { key, action, help }
}

const fn window(key: Key, word: &'static str, help: &'static str) -> Binding {
    Binding { key, action: Action::Window(word), help }
}

/// Every key: first those that play, then the window's.
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
    bind(Key::Char(';'), Action::Tens, "ten on: ; 2 is preset 12, ; ; 0 preset 20"),
    bind(Key::Backspace, Action::Fire(Id::Panic), "panic: back to the preset as loaded"),
    bind(Key::Char('0'), Action::Fire(Id::Panic), "panic, too"),
    bind(Key::Char('z'), Action::Fire(Id::PresetRevert), "the preset as saved; again: before that"),
    bind(Key::Char('l'), Action::Fire(Id::Learn), "learn: map a control to what moved last"),
    bind(Key::Char('a'), Action::Fire(Id::LearnAudio), "audio: let the sound move what moved last"),
    bind(Key::Char('u'), Action::Fire(Id::LearnUndo), "undo learn"),
    window(Key::Tab, "stage", "the stage: show or hide it"),
    window(Key::Char('h'), "hud", "text: what needs attention, all, none"),
    window(Key::Char('f'), "fullscreen", "full screen"),
    window(Key::Function(11), "fullscreen", "full screen"),
    window(Key::Char('o'), "output", "output window on or off"),
    window(Key::Char('m'), "map", "show the mapping"),
    window(Key::Ctrl('p'), "panel", "the panel: play everything by hand"),
    window(Key::Ctrl('f'), "search", "search all parameters"),
    window(Key::Ctrl('e'), "editor", "live code: show or hide the editor"),
    window(Key::CtrlShift('e'), "code", "show the code to the audience too"),
    window(Key::Char('e'), "explore", "explorer: browse the network's pictures"),
    window(Key::Char('?'), "list", "this list"),
    window(Key::Function(1), "list", "this list"),
    window(Key::Escape, "back", "an error was read; close; no full screen"),
    window(Key::Ctrl('s'), "save", "save the preset"),
    window(Key::Ctrl('t'), "take", "begin or end a take"),
    window(Key::Function(12), "snapshot", "save a snapshot"),
    window(Key::Ctrl('r'), "record", "start or stop recording"),
    window(Key::Ctrl('q'), "quit", "quit"),
];

/// The window's actions by name, each once.
pub fn window_words() -> impl Iterator<Item = &'static str> + Clone {
    let word = |binding: &Binding| if let Action::Window(word) = binding.action { Some(word) } else { None };
    let is_first = move |at: usize, of: &'static str| BINDINGS[..at].iter().all(|before| word(before) != Some(of));
    BINDINGS.iter().enumerate().filter_map(move |(at, binding)| word(binding).filter(|of| is_first(at, of)))
}

/// What an action of the window does.
pub fn help_of(word: &str) -> &'static str {
    let is_it = |binding: &&Binding| matches!(binding.action, Action::Window(known) if known == word);
    BINDINGS.iter().find(is_it).map_or("", |binding| binding.help)
}
