//! The list of keys that `?` shows over the control window: the show's keys, and the window's own.

use bevy_egui::egui::epaint::text::{LayoutJob, TextFormat};
use bevy_egui::egui::{Painter, Pos2, Rect, Vec2};

use super::hud::{DIM, PANEL, PLAIN, WARM, character, mono};
use super::keys::OWN;
use crate::control::keys::{Action, BINDINGS};

/// Columns of a key's name and of its action, and between the two halves of the list.
const NAME: usize = 14;
const HELP: usize = 42;
const GAP: usize = 3;

/// Key names and their actions. Consecutive keys that set the same parameter share a line.
fn played() -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut rest = BINDINGS;
    while let [binding, after @ ..] = rest {
        let alike = match binding.action {
            Action::Window => {
                rest = after;
                continue;
            }
            Action::Set(id, _) => {
                after.iter().take_while(|b| matches!(b.action, Action::Set(other, _) if other == id)).count()
            }
            _ => 0,
        };
        lines.push(match after[..alike].last() {
            Some(last) => (format!("{} … {}", binding.key, last.key), format!("{} … {}", binding.help, last.help)),
            None => (binding.key.to_string(), binding.help.to_owned()),
        });
        rest = &after[alike..];
    }
    lines
}

/// Paints the list in the middle of the window, as large as fits.
pub(super) fn paint(painter: &Painter) {
    let screen = painter.clip_rect();
    let own = OWN.iter().map(|&(key, help)| (key.to_owned(), help.to_owned())).collect::<Vec<_>>();
    let halves = [("playing", played()), ("window", own)];
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
            job.append(help, 0.0, TextFormat::simple(mono(size), PLAIN));
            painter.galley(at(line + 2), painter.layout_job(job), PLAIN);
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn every_line_fits_and_only_the_shows_keys_are_listed_as_such() {
        let own = OWN.iter().map(|&(key, help)| (key.to_owned(), help.to_owned()));
        for (key, help) in played().into_iter().chain(own) {
            assert!(key.chars().count() < NAME && help.chars().count() <= HELP, "{key}: {help}");
        }
        let played = played();
        assert!(played.iter().any(|(key, _)| key == "1 … 9"));
        assert!(!played.iter().any(|(key, _)| key == "H"));
    }
}
