//! The page of mappings: what plays what, by MIDI and OSC; those of the preset can be removed.

use bevy_egui::egui::scroll_area::ScrollSource;
use bevy_egui::egui::{Align, Align2, Layout, Rect, ScrollArea, Sense, Ui, UiBuilder, pos2, vec2};

use super::about;
use super::grip::Hand;
use super::look::{CARD, LINE, Look, left_of, right_of};
use crate::app::hud::{COOL, DIM, PLAIN, WARM};
use crate::params::{Id, Value};
use crate::show::{MapLine, Show};

/// The list is made again after this many frames.
const FRAMES: u32 = 15;

/// What the page remembers.
#[derive(Default)]
pub(super) struct Mapping {
    lines: Vec<MapLine>,
    age: u32,
}

/// Draws the page.
pub(super) fn show(ui: &mut Ui, page: &mut Mapping, show: &Show, hand: &mut Hand<'_>) {
    let look = *hand.look;
    if page.age == 0 {
        page.lines = show.map();
    }
    page.age = (page.age + 1) % FRAMES;
    let area = ui.max_rect();
    let foot = about::place(area, &look);
    let head = Rect::from_min_size(area.min, vec2(area.width(), look.row()));
    self::head(ui, head, hand);
    let titles = Rect::from_min_size(
        pos2(area.min.x, head.max.y + look.gap()),
        vec2(area.width() - look.size * 1.2, look.row()),
    );
    for (column, title) in columns(titles, &look).into_iter().zip(["control", "plays", "comes from"]) {
        look.note(ui.painter(), column, Align2::LEFT_CENTER, title, DIM);
    }
    let body = Rect::from_min_max(pos2(area.min.x, titles.max.y), pos2(area.max.x, foot.min.y));
    let mut inner = ui.new_child(UiBuilder::new().max_rect(body).layout(Layout::top_down(Align::Min)));
    let scroll = ScrollArea::vertical().id_salt("map").auto_shrink(false);
    let scroll = scroll.scroll_source(ScrollSource::SCROLL_BAR | ScrollSource::MOUSE_WHEEL);
    scroll.show_viewport(&mut inner, |ui, view| {
        ui.set_height(look.row() * page.lines.len() as f32);
        let left = ui.min_rect().min;
        for (i, line) in page.lines.iter().enumerate() {
            let top = look.row() * i as f32;
            if top + look.row() < view.min.y || top > view.max.y {
                continue;
            }
            let from = pos2(left.x, left.y + top);
            let at = Rect::from_min_size(from, vec2(body.width() - look.size * 1.2, look.row()));
            if self::line(ui, at, i, line, hand) {
                page.age = 0;
            }
        }
    });
    about::show(ui, foot, "the preset's own come first; what comes from a controller's profile stays", hand);
}

/// The buttons to learn and to undo.
fn head(ui: &Ui, rect: Rect, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let width = look.size * 17.0;
    let learn = if hand.learns.is_some() { "stop learning" } else { "learn what moved last" };
    if look.button(ui, left_of(rect, width), ui.id().with("learn"), learn, hand.learns.is_some()).clicked() {
        let id = if hand.learns.is_some() { Id::LearnCancel } else { Id::Learn };
        hand.write(id, Value::Nothing);
    }
    let undo = left_of(right_of(rect, width + look.gap()), look.size * 11.0);
    if look.button(ui, undo, ui.id().with("undo"), "undo learning", false).clicked() {
        hand.write(Id::LearnUndo, Value::Nothing);
    }
}

/// Where the control, what it plays, and the origin of a mapping stand in its line.
fn columns(line: Rect, look: &Look) -> [Rect; 3] {
    let text = line.shrink2(vec2(look.size * 0.5, 0.0));
    let part = |from: f32, to: f32| left_of(right_of(text, text.width() * from), text.width() * (to - from));
    [part(0.0, 0.33), part(0.35, 0.7), part(0.71, 0.91)]
}

/// One mapping. True when it is removed.
fn line(ui: &Ui, rect: Rect, i: usize, line: &MapLine, hand: &mut Hand<'_>) -> bool {
    let look = *hand.look;
    let id = ui.id().with(("mapping", i));
    let response = ui.interact(rect, id, Sense::hover());
    if response.contains_pointer() {
        ui.painter().rect_filled(rect, look.round(), CARD);
        hand.grip.say(format!("{} plays {}", line.control, line.to), &line.by);
    }
    ui.painter().hline(rect.x_range(), rect.max.y, (1.0, LINE.gamma_multiply(0.5)));
    let [control, to, from] = columns(rect, &look);
    look.line(ui.painter(), control, Align2::LEFT_CENTER, &line.control, WARM);
    look.line(ui.painter(), to, Align2::LEFT_CENTER, &line.to, PLAIN);
    let own = line.removable.as_ref();
    let by = if own.is_some() { COOL } else { DIM };
    look.note(ui.painter(), from, Align2::LEFT_CENTER, &line.by, by);
    let Some(spec) = own else { return false };
    let close = right_of(rect, rect.width() - look.size * 2.4).shrink(look.gap());
    let response = look.button(ui, close, id.with("remove"), "×", false);
    if response.clicked() {
        hand.write(Id::LearnForget, Value::Text(spec.clone()));
    }
    response.clicked()
}
