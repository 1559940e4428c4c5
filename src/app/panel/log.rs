//! The page of what was said: notices and mistakes, the newest first, with their time and how often.

use bevy_egui::egui::scroll_area::ScrollSource;
use bevy_egui::egui::{Align, Align2, Layout, Rect, ScrollArea, Sense, Ui, UiBuilder, pos2, vec2};

use super::about;
use super::grip::Hand;
use super::look::{CARD, left_of, right_of};
use crate::app::hud::{DIM, PLAIN, RED, WARM};
use crate::show::{Said, Show};

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
pub(super) fn show(ui: &mut Ui, show: &Show, hand: &mut Hand<'_>) {
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
    scroll.show_viewport(&mut inner, |ui, _| {
        let left = ui.min_rect().min;
        let width = body.width() - look.size * 1.2;
        let (time, count) = (look.size * 5.6, look.size * 4.0);
        let mut top = left.y;
        for (i, said) in show.said().rev().enumerate() {
            let colour = if said.is_fault { RED } else { PLAIN };
            let room = width - time - count;
            // egui keeps what it has laid out.
            let galley = ui.painter().layout(said.line.clone(), look.font(), colour, room);
            let height = galley.size().y + look.size * 0.7;
            let line = Rect::from_min_size(pos2(left.x, top), vec2(width, height));
            top += height;
            if !ui.is_rect_visible(line) {
                continue;
            }
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
            ui.painter().galley(pos2(line.min.x + time, first.min.y), galley, colour);
            if said.count > 1 {
                let times = format!("×{}", said.count);
                look.line(ui.painter(), right_of(first, first.width() - count), Align2::RIGHT_TOP, &times, WARM);
            }
        }
        ui.set_height(top - left.y);
    });
    about::show(ui, foot, "what was said since the start; mistakes are red", hand);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_copied_with_their_time_and_count() {
        let mut said = Said { line: "no parameter /a".to_owned(), count: 1, secs: 3725.9, is_fault: false };
        assert_eq!(copied(&said), "1:02:05 no parameter /a");
        said.count = 7;
        assert_eq!(copied(&said), "1:02:05 no parameter /a (7 times)");
        assert_eq!(clock(-1.0), "0:00:00");
    }
}
