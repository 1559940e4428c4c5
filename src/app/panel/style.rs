//! The page of styles: a tile for each style of the network, mixed by dragging, and how the painting is laid on.

use bevy_egui::egui::scroll_area::ScrollSource;
use bevy_egui::egui::{
    Align, Align2, CornerRadius, Layout, PointerButton, Pos2, Rect, ScrollArea, Sense, Stroke, StrokeKind, Ui,
    UiBuilder, pos2, vec2,
};

use super::grip::Hand;
use super::look::{CARD, INK, LINE, Look};
use super::{about, row};
use crate::app::hud::{COOL, DIM, PLAIN, WARM};
use crate::params::{Id, STYLE_KNOBS, Target, Value};
use crate::show::Show;
use crate::thumbnail::Key;

/// Played below the tiles.
const ROWS: [Id; 6] =
    [Id::StyleNetwork, Id::StyleBlend, Id::StyleFeedback, Id::StyleAmount, Id::StylePasses, Id::StyleKeep];
/// A drag over this part of a tile's height goes from nothing to all.
const WHOLE_DRAG: f32 = 1.2;
/// Width of a tile in characters' heights, at least.
const TILE: f32 = 8.5;

/// What the page remembers.
#[derive(Default)]
pub(super) struct Style {
    /// The style that is dragged, and its share, which may be beyond what is possible.
    dragged: Option<(u16, f64)>,
    /// The pictures of these styles.
    keys: Vec<Key>,
}

impl Style {
    /// Nothing is dragged any more.
    pub fn let_go(&mut self) {
        self.dragged = None;
    }

    fn follow(&mut self, network: &str, count: usize) {
        if self.keys.len() != count || self.keys.first().is_some_and(|key| key.name() != network) {
            let key = |style| Key::Style { network: network.to_owned(), style };
            self.keys = (0..count).map(key).collect();
        }
    }
}

/// Tiles of at least `least` points in `width`: how many stand side by side, and how wide each is.
fn columns(width: f32, least: f32, gap: f32, count: usize) -> (usize, f32) {
    let columns = (((width + gap) / (least + gap)) as usize).clamp(1, count.max(1));
    (columns, (width - gap * (columns - 1) as f32) / columns as f32)
}

/// Which style plays as a or b: numbers past the last wrap around.
fn playing(number: f64, count: usize) -> usize {
    if count == 0 { 0 } else { number.max(0.0).round() as usize % count }
}

/// Draws the page.
pub(super) fn show(ui: &mut Ui, page: &mut Style, show: &Show, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let area = ui.max_rect();
    let foot = about::place(area, &look);
    let rows = look.row() * ROWS.len() as f32;
    let top = foot.min.y - rows - look.gap();
    let tiles = area.with_max_y(top - look.gap() * 2.0);
    let names = show.styles();
    page.follow(show.style_network(), names.len());
    if names.is_empty() {
        let line = "nothing paints: write a style network's name below, such as painters8";
        look.paragraph(ui.painter(), tiles, line, DIM);
    }
    self::tiles(ui, page, tiles, names, hand);
    for (i, id) in ROWS.into_iter().enumerate() {
        let from = pos2(area.min.x, top + look.row() * i as f32);
        let at = Rect::from_min_size(from, vec2(area.width(), look.row()));
        row::show(ui, at, id.into(), id.def().address.trim_start_matches("/style/"), hand);
    }
    let hint = "drag a tile up to mix it in · click: style a · Shift-click: style b · Alt-click: share 0";
    about::show(ui, foot, hint, hand);
}

fn tiles(ui: &mut Ui, page: &mut Style, rect: Rect, names: &[String], hand: &mut Hand<'_>) {
    let look = *hand.look;
    let gap = look.gap() * 1.5;
    let bar = look.size * 1.2;
    let (columns, width) = columns(rect.width() - bar, look.size * TILE, gap, names.len());
    let width = width.min(look.size * TILE * 2.0);
    let height = width * 0.72 + look.row();
    let mut inner = ui.new_child(UiBuilder::new().max_rect(rect).layout(Layout::top_down(Align::Min)));
    let scroll = ScrollArea::vertical().id_salt("styles").auto_shrink(false);
    let scroll = scroll.scroll_source(ScrollSource::SCROLL_BAR | ScrollSource::MOUSE_WHEEL);
    scroll.show_viewport(&mut inner, |ui, _| {
        let lines = names.len().div_ceil(columns);
        ui.set_height(lines as f32 * (height + gap));
        let left = ui.min_rect().min;
        for (i, name) in names.iter().enumerate() {
            let (column, line) = (i % columns, i / columns);
            let at = left + vec2(column as f32 * (width + gap), line as f32 * (height + gap));
            let tile = Rect::from_min_size(at, vec2(width, height));
            if ui.is_rect_visible(tile) {
                self::tile(ui, page, tile, i, name, names.len(), hand);
            }
        }
    });
}

/// One style: its name, its share as the height of a bar, and whether it plays as a or b.
fn tile(ui: &Ui, page: &mut Style, rect: Rect, i: usize, name: &str, count: usize, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let target = Target { id: Id::StyleMix, index: i as u16 };
    let can_mix = i < STYLE_KNOBS;
    let response = ui.interact(rect, ui.id().with(("style", i)), Sense::CLICK | Sense::DRAG);
    if can_mix {
        drag(ui, page, rect, target, &response, hand);
    }
    let held = ui.input(|input| input.modifiers);
    if response.clicked() && held.alt {
        if can_mix {
            hand.reset(target);
        }
    } else if response.clicked() {
        let id = if held.shift { Id::StyleB } else { Id::StyleA };
        hand.write(id, Value::Int(i as i64));
    } else if response.secondary_clicked() && can_mix {
        row::learn(target, hand);
    }
    let is_played = [Id::StyleA, Id::StyleB].map(|id| playing(hand.params.get(id), count) == i);
    let texture = hand.picture(ui, page.keys.get(i));
    ui.painter().rect_filled(rect, look.round(), CARD);
    if let Some(texture) = texture {
        look.picture(ui.painter(), rect.with_max_y(rect.max.y - look.row()), texture);
    }
    paint(ui, rect, &response, is_played, (hand.params.base(target), hand.params.get(target)), &look);
    let label = Rect::from_min_max(pos2(rect.min.x, rect.max.y - look.row()), rect.max);
    let colour = if is_played[0] || is_played[1] { PLAIN } else { DIM };
    look.note(ui.painter(), label.shrink2(vec2(look.size * 0.4, 0.0)), Align2::LEFT_CENTER, name, colour);
    if hand.learns == Some(target) {
        ui.painter().rect_stroke(rect, look.round(), Stroke::new(3.0, COOL), StrokeKind::Inside);
    }
    if response.hovered() || response.dragged() {
        let share = hand.params.base(target);
        hand.grip.say(format!("{name} · style {i} · {target} {share:.2}"), Id::StyleMix.def().help);
    }
}

fn drag(
    ui: &Ui,
    page: &mut Style,
    rect: Rect,
    target: Target,
    response: &bevy_egui::egui::Response,
    hand: &mut Hand<'_>,
) {
    if response.drag_started_by(PointerButton::Primary) {
        page.dragged = Some((target.index, hand.params.base(target)));
    }
    let Some((_, share)) = page.dragged.as_mut().filter(|(index, _)| *index == target.index) else { return };
    let by = -f64::from(response.drag_delta().y / (rect.height() * WHOLE_DRAG));
    *share += if super::slider::is_fine(ui) { by * 0.1 } else { by };
    let value = super::slider::neat(share.clamp(0.0, 1.0), target.id.def());
    if value != hand.params.base(target) {
        hand.write(target, Value::Float(value));
    }
    if !ui.input(|input| input.pointer.primary_down()) {
        page.dragged = None;
    }
}

fn paint(
    ui: &Ui,
    rect: Rect,
    response: &bevy_egui::egui::Response,
    [is_a, is_b]: [bool; 2],
    (base, plays): (f64, f64),
    look: &Look,
) {
    let painter = ui.painter();
    let height = |share: f64| rect.height() * share.clamp(0.0, 1.0) as f32;
    if base > 0.0 {
        let bar = rect.with_min_y(rect.max.y - height(base));
        painter.rect_filled(bar, look.round(), WARM.gamma_multiply(0.38));
        painter.hline(rect.x_range(), bar.min.y, Stroke::new(2.0, WARM));
    }
    if (plays - base).abs() > 1e-3 {
        painter.hline(rect.x_range(), rect.max.y - height(plays), Stroke::new(2.0, COOL));
    }
    let (width, colour) = match (is_a || is_b, response.hovered()) {
        (true, _) => (2.5, WARM),
        (_, true) => (1.5, DIM),
        _ => (1.0, LINE),
    };
    painter.rect_stroke(rect, look.round(), Stroke::new(width, colour), StrokeKind::Inside);
    let mut at = rect.min + vec2(look.size * 0.4, look.size * 0.4);
    for (is_played, letter) in [(is_a, "a"), (is_b, "b")] {
        if is_played {
            badge(ui, at, letter, look);
            at.x += look.size * 1.8;
        }
    }
}

fn badge(ui: &Ui, at: Pos2, letter: &str, look: &Look) {
    let rect = Rect::from_min_size(at, vec2(look.size * 1.5, look.size * 1.5));
    ui.painter().rect_filled(rect, CornerRadius::same((look.size * 0.75) as u8), WARM);
    look.line(ui.painter(), rect, Align2::CENTER_CENTER, letter, INK);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_fill_the_width() {
        for (width, least, count, expected) in [(600.0, 100.0, 26, 5), (90.0, 100.0, 26, 1), (600.0, 100.0, 2, 2)] {
            let (columns, each) = columns(width, least, 10.0, count);
            assert_eq!(columns, expected, "{width}");
            let all = each * columns as f32 + 10.0 * (columns - 1) as f32;
            assert!((all - width).abs() < 0.01, "{all}");
        }
        assert_eq!(columns(600.0, 100.0, 10.0, 0).0, 1, "nothing to divide by");
    }

    #[test]
    fn a_number_past_the_last_style_wraps_around() {
        for (number, count, expected) in [(0.0, 8, 0), (7.0, 8, 7), (8.0, 8, 0), (30.0, 26, 4), (3.0, 0, 0)] {
            assert_eq!(playing(number, count), expected);
        }
    }
}
