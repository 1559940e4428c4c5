//! The page of the chain of effects: in its order, to be dragged; each with its switch, its share and its parameters; and all
//! effects that can be added.

use std::collections::HashSet;

use bevy_egui::egui::scroll_area::ScrollSource;
use bevy_egui::egui::{
    Align, Align2, CursorIcon, Layout, PointerButton, Rect, ScrollArea, Sense, Stroke, Ui, UiBuilder, pos2, vec2,
};

use super::grip::Hand;
use super::look::{CARD, LINE, Look, left_of, right_of};
use super::names::Names;
use super::{about, row};
use crate::app::hud::{COOL, DIM, PLAIN, RED, WARM};
use crate::params::{Id, Table, Value};
use crate::patch::effects::EffectEntry;
use crate::show::Show;

/// The rows of one effect of the chain.
struct Rows {
    enabled: Option<Id>,
    mix: Option<Id>,
    rest: Vec<Id>,
}

/// What the page remembers.
#[derive(Default)]
pub(super) struct Effects {
    /// The version of the table, and the names of the chain, that `rows` were found for.
    made: Option<(u64, Vec<String>)>,
    rows: Vec<Rows>,
    folded: HashSet<String>,
    /// The place of the effect that is dragged.
    dragged: Option<usize>,
    names: Names,
}

impl Effects {
    /// Nothing is dragged any more.
    pub fn let_go(&mut self) {
        self.dragged = None;
    }

    fn follow(&mut self, chain: &[EffectEntry], table: &Table) {
        let is_same = |(version, names): &(u64, Vec<String>)| {
            *version == table.version() && names.iter().eq(chain.iter().map(|entry| &entry.name))
        };
        if self.made.as_ref().is_some_and(is_same) {
            return;
        }
        let of = |entry: &EffectEntry| {
            let stem = format!("/fx/{}/", entry.name);
            let mut rows = Rows { enabled: None, mix: None, rest: Vec::new() };
            for id in table.ids() {
                match id.def().address.strip_prefix(&stem) {
                    Some("enabled") => rows.enabled = Some(id),
                    Some("mix") => rows.mix = Some(id),
                    Some(_) => rows.rest.push(id),
                    None => {}
                }
            }
            rows
        };
        self.rows = chain.iter().map(of).collect();
        self.made = Some((table.version(), chain.iter().map(|entry| entry.name.clone()).collect()));
    }
}

/// The value of `/fx/order` when the effect at `from` is put before the one that is at `to` now, or behind all; `None` if that
/// changes nothing.
fn order(names: &[&str], from: usize, to: usize) -> Option<String> {
    if from >= names.len() || to == from || to == from + 1 {
        return None;
    }
    let mut moved: Vec<&str> = names.to_vec();
    let name = moved.remove(from);
    let at = if to > from { to - 1 } else { to };
    moved.insert(at.min(moved.len()), name);
    Some(moved.join(" "))
}

/// Before which card something is dropped at this height; the number of cards for behind them all.
fn gap_at(cards: &[Rect], y: f32) -> usize {
    cards.iter().position(|card| y < card.center().y).unwrap_or(cards.len())
}

/// Draws the page.
pub(super) fn show(ui: &mut Ui, page: &mut Effects, show: &Show, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let area = ui.max_rect();
    let foot = about::place(area, &look);
    let body = area.with_max_y(foot.min.y);
    let side = look.size * 13.0;
    page.names.0.follow(show.library());
    page.follow(show.effects(), show.params().table());
    add(ui, page, right_of(body, body.width() - side), hand);
    let rows = left_of(body, body.width() - side - look.size);
    if show.effects().is_empty() {
        let line = "no effects yet: click one at the right to add it";
        look.paragraph(ui.painter(), rows, line, DIM);
    }
    chain(ui, page, rows, show, hand);
    about::show(
        ui,
        foot,
        "drag a name to move an effect · click it to fold · what plays is the chain from top to bottom",
        hand,
    );
}

/// All effects, which a click adds to the end of the chain.
fn add(ui: &mut Ui, page: &Effects, rect: Rect, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let head = rect.with_max_y(rect.min.y + look.row());
    look.note(ui.painter(), head, Align2::LEFT_CENTER, "add to the end", DIM);
    let list = rect.with_min_y(head.max.y);
    let mut inner = ui.new_child(UiBuilder::new().max_rect(list).layout(Layout::top_down(Align::Min)));
    ScrollArea::vertical().id_salt("all effects").auto_shrink(false).show_viewport(&mut inner, |ui, view| {
        let line = look.row();
        let names = page.names.0.get();
        ui.set_height(line * names.len() as f32);
        let left = ui.min_rect().min;
        let width = list.width() - look.size * 1.2;
        for (i, (name, help)) in names.iter().enumerate() {
            let top = line * i as f32;
            if top + line < view.min.y || top > view.max.y {
                continue;
            }
            let at = Rect::from_min_size(pos2(left.x, left.y + top), vec2(width, line - look.gap()));
            let response = look.button(ui, at, ui.id().with(("add", i)), name, false);
            if response.clicked() {
                hand.write(Id::FxAdd, Value::Text(name.clone()));
            }
            if response.hovered() {
                hand.grip.say(format!("{name} · a click adds it"), help);
            }
        }
    });
}

/// The cards of the chain.
fn chain(ui: &mut Ui, page: &mut Effects, rect: Rect, show: &Show, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let entries = show.effects();
    let mut inner = ui.new_child(UiBuilder::new().max_rect(rect).layout(Layout::top_down(Align::Min)));
    let scroll = ScrollArea::vertical().id_salt("chain").auto_shrink(false);
    let scroll = scroll.scroll_source(ScrollSource::SCROLL_BAR | ScrollSource::MOUSE_WHEEL);
    scroll.show_viewport(&mut inner, |ui, _| {
        let width = rect.width() - look.size * 1.2;
        let left = ui.min_rect().min;
        let mut cards = Vec::with_capacity(entries.len());
        let mut top = left.y;
        for (i, entry) in entries.iter().enumerate() {
            let height = card_height(page, i, entry, width, &look);
            let card = Rect::from_min_size(pos2(left.x, top), vec2(width, height));
            if ui.is_rect_visible(card) {
                self::card(ui, card, i, entry, page, hand);
            }
            cards.push(card);
            top += height + look.gap() * 2.0;
        }
        ui.set_height(top - left.y);
        drop_dragged(ui, page, &cards, entries, hand);
    });
}

fn card_height(page: &Effects, i: usize, entry: &EffectEntry, width: f32, look: &Look) -> f32 {
    let lines = |id: &Id| row::lines(id.def(), width - look.size, look);
    let is_folded = page.folded.contains(&entry.name);
    let rest = page.rows.get(i).filter(|_| !is_folded).map_or(0, |rows| rows.rest.iter().map(lines).sum());
    look.row() * (1.0 + rest as f32) + if rest > 0 { look.gap() } else { 0.0 }
}

/// One effect: its head with the grip, the name, the switch, the share and the button that removes it; and its rows.
fn card(ui: &mut Ui, card: Rect, i: usize, entry: &EffectEntry, page: &mut Effects, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let is_dragged = page.dragged == Some(i);
    ui.painter().rect_filled(card, look.round(), if is_dragged { LINE } else { CARD });
    let head = card.with_max_y(card.min.y + look.row());
    let id = ui.id().with(("effect", &entry.name));
    // The name is the grip.
    let name = left_of(head, head.width() * 0.34);
    let response = ui.interact(name, id, Sense::CLICK | Sense::DRAG).on_hover_cursor(CursorIcon::Grab);
    if response.drag_started_by(PointerButton::Primary) {
        page.dragged = Some(i);
    }
    if response.clicked() && !page.folded.remove(&entry.name) {
        page.folded.insert(entry.name.clone());
    }
    grip(ui, name, response.hovered() || is_dragged, &look);
    let text = right_of(name, look.size * 1.8);
    let (colour, help) = match (&entry.shader, &entry.file) {
        (Some(shader), _) => (WARM, shader.help.as_str()),
        (None, Some(_)) => (RED, "its file is broken: see the log"),
        (None, None) => (DIM, "it is being loaded, or there is no such file: see the log"),
    };
    look.line(ui.painter(), text, Align2::LEFT_CENTER, &entry.name, colour);
    if response.hovered() {
        hand.grip.say(format!("{} · drag to move it, click to fold it", entry.name), help);
    }
    let close = right_of(head, head.width() - look.size * 2.4).shrink(look.gap());
    let response = look.button(ui, close, id.with("remove"), "×", false);
    if response.clicked() {
        hand.write(Id::FxRemove, Value::Text(entry.name.clone()));
    }
    if response.hovered() {
        hand.grip.say(format!("removes {} from the chain", entry.name), "");
    }
    let Some(rows) = page.rows.get(i) else { return };
    let rest = Rect::from_min_max(pos2(name.max.x, head.min.y), pos2(close.min.x - look.gap(), head.max.y));
    if let Some(enabled) = rows.enabled {
        row::control(ui, left_of(rest, look.size * 3.4), enabled.into(), hand);
    }
    if let Some(mix) = rows.mix {
        row::control(ui, right_of(rest, look.size * 3.8), mix.into(), hand);
    }
    if page.folded.contains(&entry.name) {
        return;
    }
    let mut top = head.max.y;
    for row_id in &rows.rest {
        let height = look.row() * row::lines(row_id.def(), card.width() - look.size, &look) as f32;
        let at = Rect::from_min_size(pos2(card.min.x + look.size * 0.5, top), vec2(card.width() - look.size, height));
        let label = row_id.def().address.rsplit('/').next().unwrap_or_default();
        row::show(ui, at, (*row_id).into(), label, hand);
        top += height;
    }
}

/// Six dots at the left of what can be dragged.
fn grip(ui: &Ui, rect: Rect, is_over: bool, look: &Look) {
    let colour = if is_over { PLAIN } else { DIM.gamma_multiply(0.6) };
    for dot in 0..6u8 {
        let (column, line) = (f32::from(dot % 2), f32::from(dot / 2));
        let at = pos2(rect.min.x + look.size * (0.65 + 0.4 * column), rect.center().y + look.size * 0.4 * (line - 1.0));
        ui.painter().circle_filled(at, look.size * 0.1, colour);
    }
}

/// Shows where what is dragged would go, and moves it there when it is let go.
fn drop_dragged(ui: &Ui, page: &mut Effects, cards: &[Rect], entries: &[EffectEntry], hand: &mut Hand<'_>) {
    let Some(from) = page.dragged else { return };
    let (pointer, is_down, is_dropped) = ui.input(|input| {
        let pointer = &input.pointer;
        (pointer.latest_pos(), pointer.primary_down(), pointer.primary_released())
    });
    let names: Vec<&str> = entries.iter().map(|entry| entry.name.as_str()).collect();
    let wanted = pointer.map(|at| gap_at(cards, at.y)).filter(|to| order(&names, from, *to).is_some());
    if let (Some(to), Some(first)) = (wanted, cards.first()) {
        let y = match cards.get(to) {
            Some(card) => card.min.y - hand.look.gap(),
            None => cards.last().map_or(first.max.y, |last| last.max.y + hand.look.gap()),
        };
        ui.painter().hline(first.x_range(), y, Stroke::new(3.0, COOL));
    }
    if !is_down {
        page.dragged = None;
        if let Some(order) = wanted.filter(|_| is_dropped).and_then(|to| order(&names, from, to)) {
            hand.write(Id::FxOrder, Value::Text(order));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_effect_is_dropped_between_two_others() {
        let names = ["a", "b", "c"];
        let table = [
            (0, 0, None),
            (0, 1, None),
            (0, 2, Some("b a c")),
            (0, 3, Some("b c a")),
            (2, 0, Some("c a b")),
            (2, 1, Some("a c b")),
            (1, 2, None),
            (1, 9, Some("a c b")),
            (7, 0, None),
        ];
        for (from, to, expected) in table {
            assert_eq!(order(&names, from, to).as_deref(), expected, "{from} to {to}");
        }
    }

    #[test]
    fn the_place_to_drop_is_before_the_first_middle_below_the_pointer() {
        let card = |top: f32| Rect::from_min_size(pos2(0.0, top), vec2(100.0, 20.0));
        let cards = [card(0.0), card(30.0), card(60.0)];
        for (y, expected) in [(-5.0, 0), (9.0, 0), (11.0, 1), (39.0, 1), (41.0, 2), (500.0, 3)] {
            assert_eq!(gap_at(&cards, y), expected, "{y}");
        }
        assert_eq!(gap_at(&[], 5.0), 0);
    }
}
