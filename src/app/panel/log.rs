//! The page of what was said: notices and mistakes, the newest first, with their time and how often.

use std::sync::Arc;

use bevy_egui::egui::scroll_area::ScrollSource;
use bevy_egui::egui::{Align, Align2, Galley, Layout, Rect, ScrollArea, Sense, Ui, UiBuilder, pos2, vec2};

use super::about;
use super::grip::Hand;
use super::look::{CARD, Look, left_of, right_of};
use crate::app::hud::{DIM, PLAIN, RED, WARM};
use crate::show::{Said, Show};

/// What the page remembers: where each line begins, so that only those in view are laid out.
#[derive(Default)]
pub(super) struct Log {
    /// What `tops` were found for: the lines, their width and the size of the text.
    made: Option<(u64, f32, f32)>,
    /// From the newest line, in points from the top; one more for the end.
    tops: Vec<f32>,
}

impl Log {
    fn follow(&mut self, show: &Show, ui: &Ui, width: f32, look: &Look) {
        let wanted = Some((show.said_version(), width, look.size));
        if self.made == wanted {
            return;
        }
        self.made = wanted;
        self.tops.clear();
        let mut top = 0.0;
        for said in show.said().rev() {
            self.tops.push(top);
            top += galley(ui, said, width, look).size().y + look.size * 0.7;
        }
        self.tops.push(top);
    }
}

/// The lines between two heights.
fn between(tops: &[f32], from: f32, to: f32) -> std::ops::Range<usize> {
    let first = tops.partition_point(|top| *top <= from).saturating_sub(1);
    let last = tops.partition_point(|top| *top < to).min(tops.len().saturating_sub(1));
    first.min(last)..last
}

fn galley(ui: &Ui, said: &Said, width: f32, look: &Look) -> Arc<Galley> {
    let colour = if said.is_fault { RED } else { PLAIN };
    ui.painter().layout(said.line.clone(), look.font(), colour, width)
}

/// A time of the show as hours, minutes and seconds.
fn clock(secs: f64) -> String {
    let secs = secs.max(0.0) as u64;
    format!("{}:{:02}:{:02}", secs / 3600, secs / 60 % 60, secs % 60)
}

/// A line as it is copied.
fn copied(said: &Said) -> String {
    match said.count {
        1 => format!("{} {}", clock(said.secs), said.line),
        count => format!("{} {} ({count} times)", clock(said.secs), said.line),
    }
}

/// Draws the page.
pub(super) fn show(ui: &mut Ui, page: &mut Log, show: &Show, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let area = ui.max_rect();
    let foot = about::place(area, &look);
    let head = Rect::from_min_size(area.min, vec2(area.width(), look.row()));
    let copy = right_of(head, head.width() - look.size * 8.0);
    let is_empty = show.said().next().is_none();
    let title = if is_empty { "nothing has been said yet" } else { "the newest first · times since the start" };
    look.note(ui.painter(), head, Align2::LEFT_CENTER, title, DIM);
    if !is_empty && look.button(ui, copy, ui.id().with("copy"), "copy all", false).clicked() {
        let lines: Vec<String> = show.said().map(copied).collect();
        ui.ctx().copy_text(lines.join("\n"));
    }
    let body = Rect::from_min_max(pos2(area.min.x, head.max.y + look.gap()), pos2(area.max.x, foot.min.y));
    let mut inner = ui.new_child(UiBuilder::new().max_rect(body).layout(Layout::top_down(Align::Min)));
    let scroll = ScrollArea::vertical().id_salt("said").auto_shrink(false);
    let scroll = scroll.scroll_source(ScrollSource::SCROLL_BAR | ScrollSource::MOUSE_WHEEL);
    let width = body.width() - look.size * 1.2;
    let (time, count) = (look.size * 5.6, look.size * 4.0);
    let room = width - time - count;
    page.follow(show, ui, room, &look);
    scroll.show_viewport(&mut inner, |ui, view| {
        ui.set_height(page.tops.last().copied().unwrap_or(0.0));
        let left = ui.min_rect().min;
        let seen = between(&page.tops, view.min.y, view.max.y);
        for (i, said) in show.said().rev().enumerate().skip(seen.start).take(seen.len()) {
            let line = Rect::from_min_max(
                pos2(left.x, left.y + page.tops[i]),
                pos2(left.x + width, left.y + page.tops[i + 1]),
            );
            let response = ui.interact(line, ui.id().with(("said", i)), Sense::CLICK);
            if response.hovered() {
                ui.painter().rect_filled(line, look.round(), CARD);
                hand.grip.say("a click copies the line".to_owned(), "");
            }
            if response.clicked() {
                ui.ctx().copy_text(copied(said));
            }
            let first = line.shrink2(vec2(look.size * 0.3, look.size * 0.35));
            look.note(ui.painter(), left_of(first, time), Align2::LEFT_TOP, &clock(said.secs), DIM);
            ui.painter().galley(pos2(line.min.x + time, first.min.y), galley(ui, said, room, &look), PLAIN);
            if said.count > 1 {
                let times = format!("×{}", said.count);
                look.line(ui.painter(), right_of(first, first.width() - count), Align2::RIGHT_TOP, &times, WARM);
            }
        }
    });
    about::show(ui, foot, "what was said since the start; mistakes are red", hand);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_in_view_is_laid_out() {
        let tops = [0.0, 20.0, 60.0, 80.0, 100.0];
        assert_eq!(between(&tops, 0.0, 30.0), 0..2);
        assert_eq!(between(&tops, 30.0, 70.0), 1..3);
        assert_eq!(between(&tops, 90.0, 500.0), 3..4);
        assert_eq!(between(&[0.0], 0.0, 50.0), 0..0, "nothing was said");
    }

    #[test]
    fn lines_are_copied_with_their_time_and_count() {
        let mut said = Said { line: "no parameter /a".to_owned(), count: 1, secs: 3725.9, is_fault: false };
        assert_eq!(copied(&said), "1:02:05 no parameter /a");
        said.count = 7;
        assert_eq!(copied(&said), "1:02:05 no parameter /a (7 times)");
        assert_eq!(clock(-1.0), "0:00:00");
    }
}
