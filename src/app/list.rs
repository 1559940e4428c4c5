//! The list of keys that `?` shows over the control window: what they do in the show, and in the window itself.

use bevy_egui::egui::epaint::text::{LayoutJob, TextFormat};
use bevy_egui::egui::{Painter, Pos2, Rect, Vec2};

use super::hud::{DIM, PANEL, PLAIN, WARM, character, fitted, mono};
use crate::control::keys::{Action, Binding, Does, Keys};

/// Columns of a key's name and of its action, and between the two halves of the list.
const NAME: usize = 14;
const HELP: usize = 42;
const GAP: usize = 3;

/// What keys do in the show, and in the window: their names and actions. Keys that do the same share a line.
fn halves(keys: &Keys) -> [Vec<(String, String)>; 2] {
    let (mut played, mut window) = (Vec::new(), Vec::new());
    for own in keys.all_own() {
        let half = if matches!(own.does, Does::Window(_)) { &mut window } else { &mut played };
        half.push((own.key.to_string(), own.does.to_string()));
    }
    let mut rest: Vec<&Binding> = keys.as_listed().collect();
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
pub(super) fn paint(painter: &Painter, keys: &Keys) {
    let screen = painter.clip_rect();
    let [played, window] = halves(keys);
    let halves = [("playing", played), ("window", window)];
    let lines = 2 + halves.iter().map(|(_, lines)| lines.len()).max().unwrap_or(0);
    let columns = 2 * (NAME + HELP) + GAP;

    let mut size = (screen.height() / 44.0).clamp(9.0, 22.0);
    let spacing = 1.25;
    let area = |cell: Vec2| Vec2::new(cell.x * columns as f32, cell.y * spacing * lines as f32);
    size *= (screen.size() * 0.88 / area(character(painter, size))).min_elem().clamp(0.1, 1.0);
    let cell = character(painter, size);

    let inner = Rect::from_center_size(screen.center(), area(cell));
    painter.rect_filled(inner.expand(size * 1.5), size * 0.8, PANEL);
    for (half, (title, lines)) in halves.iter().enumerate() {
        let left = inner.min.x + cell.x * (half * (NAME + HELP + GAP)) as f32;
        let at = |line: usize| Pos2::new(left, inner.min.y + cell.y * spacing * line as f32);
        painter.galley(at(0), painter.layout_no_wrap((*title).to_owned(), mono(size), DIM), DIM);
        for (line, (key, help)) in lines.iter().enumerate() {
            let mut job = LayoutJob::default();
            job.append(&format!("{key:<NAME$}"), 0.0, TextFormat::simple(mono(size), WARM));
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
        let [played, window] = halves(&Keys::default());
        for (key, help) in played.iter().chain(&window) {
            assert!(key.chars().count() < NAME && help.chars().count() <= HELP, "{key}: {help}");
        }
        assert!(played.iter().any(|(key, _)| key == "1 … 9"), "{played:?}");
        assert!(!played.iter().any(|(key, _)| key == "H"), "{played:?}");
        assert!(window.iter().any(|(key, _)| key == "F  F11"), "{window:?}");
    }

    #[test]
    fn the_players_own_keys_are_listed_as_they_are() {
        let mut keys = Keys::default();
        let own = |key, does| OwnBinding { key, does };
        let bindings = [own(Key::Char('f'), Does::Press("/tap".into())), own(Key::Function(2), Does::Window("list"))];
        keys.set_own(bindings.into());
        let [played, window] = halves(&keys);
        assert_eq!(played[0], ("F".to_owned(), "/tap".to_owned()));
        assert_eq!(window[0], ("F2".to_owned(), "this list".to_owned()));
        assert!(window.iter().any(|(key, _)| key == "F11"), "{window:?}");
    }
}
