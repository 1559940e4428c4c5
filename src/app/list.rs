//! The list of keys that `?` shows over the control window: what they do in the show, and in the window itself; over the editor,
//! its own keys, and those that do something while code is typed.

use bevy_egui::egui::epaint::text::{LayoutJob, TextFormat};
use bevy_egui::egui::{Painter, Pos2, Rect, Vec2};

use super::editor;
use super::hud::{DIM, PANEL, PLAIN, WARM, character, fitted, mono};
use super::keys::{HIDDEN_BY_EDITOR, is_heard_while_typing};
use crate::control::keys::{Action, Binding, Does, Key, Keys};

/// Columns of a key's action, after its name, and between the two halves of the list.
const HELP: usize = 42;
const AFTER: usize = 2;
const GAP: usize = 3;

/// Which keys are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    All,
    /// Those that do something while code is typed.
    Editor,
}

/// Names of keys and what they do.
type Lines = Vec<(String, String)>;

/// Both halves of the list, with their titles.
fn halves(keys: &Keys, shows: Shows) -> [(&'static str, Lines); 2] {
    match shows {
        Shows::All => {
            let [played, window] = of_show(keys, |_| true);
            [("playing", played), ("window", window)]
        }
        Shows::Editor => {
            let own = editor::keys::listed().map(|binding| (binding.name.to_owned(), binding.help.to_owned()));
            let is_idle = |key| keys.window(key).is_some_and(|word| HIDDEN_BY_EDITOR.contains(&word));
            let beside = of_show(keys, |key| is_heard_while_typing(key) && !is_idle(key)).concat();
            [("in the editor", own.collect()), ("while you type", beside)]
        }
    }
}

/// What keys do in the show, and in the window, of those that are `wanted`: their names and actions. Keys that do the same share a
/// line.
fn of_show(keys: &Keys, wanted: impl Fn(Key) -> bool) -> [Lines; 2] {
    let (mut played, mut window) = (Vec::new(), Vec::new());
    for own in keys.all_own().iter().filter(|own| wanted(own.key)) {
        let half = if matches!(own.does, Does::Window(_)) { &mut window } else { &mut played };
        half.push((own.key.to_string(), own.does.to_string()));
    }
    let mut rest: Vec<&Binding> = keys.as_listed().filter(|binding| wanted(binding.key)).collect();
    while let Some((binding, after)) = rest.split_first() {
        let key = binding.key.to_string();
        let (half, key, help, alike) = match binding.action {
            Action::Window(_) => {
                let alike: Vec<&&Binding> = after.iter().take_while(|b| b.action == binding.action).collect();
                let keys = alike.iter().fold(key, |keys, b| format!("{keys}  {}", b.key));
                (&mut window, keys, binding.help.to_owned(), alike.len())
            }
            Action::Set(id, _) => {
                let is_alike = |b: &&&Binding| matches!(b.action, Action::Set(other, _) if other == id);
                let alike: Vec<&&Binding> = after.iter().take_while(is_alike).collect();
                let last = alike.last().map(|last| (format!("{key} … {}", last.key), last.help));
                let (key, help) = last.map_or((key, binding.help.to_owned()), |(keys, help)| {
                    (keys, format!("{} … {help}", binding.help))
                });
                (&mut played, key, help, alike.len())
            }
            _ => (&mut played, key, binding.help.to_owned(), 0),
        };
        half.push((key, help));
        rest.drain(..=alike);
    }
    [played, window]
}

/// Paints the list in the middle of the window, as large as fits.
pub(super) fn paint(painter: &Painter, keys: &Keys, shows: Shows) {
    let screen = painter.clip_rect();
    let halves = halves(keys, shows);
    let lines = 2 + halves.iter().map(|(_, lines)| lines.len()).max().unwrap_or(0);
    let all = halves.iter().flat_map(|(_, lines)| lines);
    let name = all.map(|(key, _)| key.chars().count()).max().unwrap_or(0) + AFTER;
    let columns = 2 * (name + HELP) + GAP;

    let mut size = (screen.height() / 44.0).clamp(9.0, 22.0);
    let spacing = 1.25;
    let area = |cell: Vec2| Vec2::new(cell.x * columns as f32, cell.y * spacing * lines as f32);
    size *= (screen.size() * 0.88 / area(character(painter, size))).min_elem().clamp(0.1, 1.0);
    let cell = character(painter, size);

    let inner = Rect::from_center_size(screen.center(), area(cell));
    painter.rect_filled(inner.expand(size * 1.5), size * 0.8, PANEL);
    for (half, (title, lines)) in halves.iter().enumerate() {
        let left = inner.min.x + cell.x * (half * (name + HELP + GAP)) as f32;
        let at = |line: usize| Pos2::new(left, inner.min.y + cell.y * spacing * line as f32);
        painter.galley(at(0), painter.layout_no_wrap((*title).to_owned(), mono(size), DIM), DIM);
        for (line, (key, help)) in lines.iter().enumerate() {
            let mut job = LayoutJob::default();
            job.append(&format!("{key:<name$}"), 0.0, TextFormat::simple(mono(size), WARM));
            job.append(fitted(help, HELP).trim_end(), 0.0, TextFormat::simple(mono(size), PLAIN));
            painter.galley(at(line + 2), painter.layout_job(job), PLAIN);
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::control::keys::{Key, OwnBinding};

    #[test]
    fn every_line_fits_and_what_does_the_same_shares_one() {
        let [(_, played), (_, window)] = halves(&Keys::default(), Shows::All);
        let [(_, editor), (_, beside)] = halves(&Keys::default(), Shows::Editor);
        for (key, help) in played.iter().chain(&window).chain(&editor).chain(&beside) {
            assert!(key.chars().count() <= 16 && help.chars().count() <= HELP, "{key}: {help}");
        }
        assert!(played.iter().any(|(key, _)| key == "1 … 9"), "{played:?}");
        assert!(!played.iter().any(|(key, _)| key == "H"), "{played:?}");
        assert!(window.iter().any(|(key, _)| key == "F  F11"), "{window:?}");
    }

    #[test]
    fn over_the_editor_only_keys_are_listed_that_do_something_there() {
        let [(_, editor), (_, beside)] = halves(&Keys::default(), Shows::Editor);
        let has = |lines: &Lines, name: &str| lines.iter().any(|(key, _)| key.split("  ").any(|one| one == name));
        for name in ["Ctrl Enter", "Ctrl .", "Ctrl Shift Z", "Ctrl PageDown"] {
            assert!(has(&editor, name), "{name}: {editor:?}");
        }
        for name in ["F1", "Escape", "Ctrl E", "Ctrl R", "F12"] {
            assert!(has(&beside, name), "{name}: {beside:?}");
        }
        assert!(!has(&beside, "Ctrl P") && !has(&beside, "Ctrl F"), "the editor lies over the panel");
        assert!(
            !has(&beside, "N") && !has(&beside, "?") && !has(&beside, "Ctrl S"),
            "typed, or the editor's: {beside:?}"
        );
    }

    #[test]
    fn the_players_own_keys_are_listed_as_they_are() {
        let mut keys = Keys::default();
        let own = |key, does| OwnBinding { key, does };
        let bindings = [own(Key::Char('f'), Does::Press("/tap".into())), own(Key::Function(2), Does::Window("list"))];
        keys.set_own(bindings.into());
        let [(_, played), (_, window)] = halves(&keys, Shows::All);
        assert_eq!(played[0], ("F".to_owned(), "/tap".to_owned()));
        assert_eq!(window[0], ("F2".to_owned(), "this list".to_owned()));
        assert!(window.iter().any(|(key, _)| key == "F11"), "{window:?}");
    }
}
