//! The list of mappings, which M shows over the control window.

use bevy_egui::egui::epaint::text::{LayoutJob, TextFormat};
use bevy_egui::egui::{Painter, Pos2, Rect, Vec2};

use super::hud::{DIM, PANEL, PLAIN, WARM, character, fitted, mono};
use crate::show::MapLine;

/// Characters for the control, its target and the origin of the mapping, each followed by two spaces.
const CONTROL: usize = 22;
const TO: usize = 24;
const BY: usize = 14;
const WIDTH: usize = CONTROL + TO + BY + 6;
/// Lines above the first: the title, an empty one, what the columns are.
const HEAD: usize = 3;
/// Maximum columns, and lines per column.
const COLUMNS: usize = 3;
const LINES: usize = 40;

/// The lines as painted; the last one counts those that do not fit.
fn lines(map: &[MapLine]) -> Vec<(String, String)> {
    let room = COLUMNS * LINES;
    let shown = if map.len() > room { room - 1 } else { map.len() };
    let line = |line: &MapLine| {
        (fitted(&line.control, CONTROL), format!("  {}  {}  ", fitted(&line.to, TO), fitted(&line.by, BY)))
    };
    let mut lines: Vec<_> = map[..shown].iter().map(line).collect();
    if shown < map.len() {
        lines.push((fitted(&format!("and {} more", map.len() - shown), CONTROL), String::new()));
    }
    lines
}

/// What stands above the columns.
fn heads() -> String {
    format!("{}  {}  {}  ", fitted("control", CONTROL), fitted("plays", TO), fitted("comes from", BY))
}

/// Paints the list in the middle of the window, as large as fits.
pub(super) fn paint(painter: &Painter, map: &[MapLine]) {
    let lines = lines(map);
    let columns = lines.len().div_ceil(LINES).max(1);
    let per_column = lines.len().div_ceil(columns).max(1);
    let rows = per_column + HEAD;
    let screen = painter.clip_rect();
    let mut size = (screen.height() / 48.0).clamp(9.0, 20.0);
    let area = |cell: Vec2| Vec2::new(cell.x * (WIDTH * columns) as f32, cell.y * rows as f32);
    size *= (screen.size() * 0.88 / area(character(painter, size))).min_elem().clamp(0.1, 1.0);
    let cell = character(painter, size);
    let inner = Rect::from_center_size(screen.center(), area(cell));
    painter.rect_filled(inner.expand(size * 1.5), size * 0.8, PANEL);
    let title = "mapping   L learns   U undoes   M closes".to_owned();
    painter.galley(inner.min, painter.layout_no_wrap(title, mono(size), DIM), DIM);
    for column in 0..columns {
        let at = inner.min + Vec2::new(cell.x * (column * WIDTH) as f32, cell.y * (HEAD - 1) as f32);
        painter.galley(at, painter.layout_no_wrap(heads(), mono(size), DIM), DIM);
    }
    for (i, (control, rest)) in lines.iter().enumerate() {
        let (column, row) = (i / per_column, i % per_column + HEAD);
        let at = inner.min + Vec2::new(cell.x * (column * WIDTH) as f32, cell.y * row as f32);
        let mut job = LayoutJob::default();
        job.append(control, 0.0, TextFormat::simple(mono(size), WARM));
        job.append(rest, 0.0, TextFormat::simple(mono(size), PLAIN));
        painter.galley(Pos2::new(at.x, at.y), painter.layout_job(job), PLAIN);
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn every_line_has_its_width_and_none_is_lost_silently() {
        let line = |control: &str| MapLine {
            control: control.to_owned(),
            to: "/feedback/rotate and a value that is far too long".to_owned(),
            by: "MIDI Fighter Twister".to_owned(),
            removable: None,
        };
        let map: Vec<MapLine> = (0..300).map(|i| line(&format!("ch 1 cc {i} (a long name of a knob)"))).collect();
        let painted = lines(&map);
        assert_eq!(painted.len(), COLUMNS * LINES);
        assert!(painted[0].0.chars().count() + painted[0].1.chars().count() == WIDTH);
        assert!(painted.last().is_some_and(|(text, _)| text.starts_with("and 181 more")));
        assert_eq!(lines(&map[..3]).len(), 3);
        for (head, from) in [("control", 0), ("plays", CONTROL + 2), ("comes from", CONTROL + TO + 4)] {
            assert_eq!(heads().find(head), Some(from), "above its column");
        }
        assert_eq!(heads().chars().count(), WIDTH);
    }
}
