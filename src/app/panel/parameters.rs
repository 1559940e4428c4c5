//! The page of all parameters: a search, the groups, the rows, and what is known about the one under the pointer.

use bevy_egui::egui::scroll_area::ScrollSource;
use bevy_egui::egui::{
    Align, Align2, Id as Name, Key, Layout, Rect, RichText, ScrollArea, Sense, Ui, UiBuilder, pos2, vec2,
};

use super::grip::{Hand, field};
use super::list::{self, Group, Item, View};
use super::look::{IDLE, LINE, Look, left_of, right_of};
use super::{about, row};
use crate::app::hud::{DIM, PLAIN, WARM};
use crate::params::{Id, Members, Target};
use crate::show::Show;

/// What a hand can do, while it is over nothing.
const HINT: &str = "drag plays, Shift finely · double click resets · right click learns · click a number to type";

/// What the list was made from.
#[derive(Clone, PartialEq, Default)]
struct Made {
    table: Option<u64>,
    dims: [usize; 5],
    view: View,
    width: f32,
    size: f32,
}

/// What the page remembers.
#[derive(Default)]
pub(super) struct Parameters {
    view: View,
    made: Made,
    groups: Vec<Group>,
    items: Vec<Item>,
    /// Where each item begins, in points from the top; one more for the end.
    tops: Vec<f32>,
    /// Goes here in this frame.
    go_to: Option<f32>,
    wants_search: bool,
}

impl Parameters {
    /// The next keys are for the search.
    pub fn search(&mut self) {
        self.wants_search = true;
    }

    /// Whether the search is about to get the keys.
    pub fn awaits_search(&self) -> bool {
        self.wants_search
    }

    /// Lists the rows again if something has changed.
    fn follow(&mut self, show: &Show, width: f32, look: &Look) {
        let table = show.params().table();
        let latent = &show.network().mapping;
        let dims = [latent.z_dim, latent.w_dim, latent.num_ws, latent.c_dim, show.styles().len()];
        let made = &self.made;
        if made.table == Some(table.version())
            && (made.dims, made.width, made.size) == (dims, width, look.size)
            && made.view == self.view
        {
            return;
        }
        if made.view.search != self.view.search {
            self.go_to = Some(0.0);
        }
        self.groups = list::groups(table);
        self.items = list::items(&self.groups, &self.view, |id| members(id, dims));
        self.tops.clear();
        let mut top = 0.0;
        for item in &self.items {
            self.tops.push(top);
            let lines = match item {
                Item::Row(target) => row::lines(target.id.def(), width, look) as f32,
                Item::Group(_) => 1.3,
                Item::Heading(_) | Item::Family(_) => 1.0,
            };
            top += lines * look.row();
        }
        self.tops.push(top);
        self.made = Made { table: Some(table.version()), dims, view: self.view.clone(), width, size: look.size };
    }

    /// The items between two heights.
    fn between(&self, from: f32, to: f32) -> std::ops::Range<usize> {
        let first = self.tops.partition_point(|top| *top <= from).saturating_sub(1);
        let last = self.tops.partition_point(|top| *top < to).min(self.items.len());
        first.min(last)..last
    }
}

/// How many members of a family the networks use.
fn members(id: Id, [z, w, layers, classes, styles]: [usize; 5]) -> usize {
    let def = id.def();
    let used = match def.members {
        Members::All => def.count,
        Members::Z => z,
        Members::W => w,
        Members::Layers => layers,
        Members::Classes => classes,
        Members::Styles => styles,
    };
    used.min(def.count)
}

/// Draws the page.
pub(super) fn show(ui: &mut Ui, page: &mut Parameters, show: &Show, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let area = ui.max_rect();
    let top = Rect::from_min_size(area.min, vec2(area.width(), look.row()));
    search(ui, page, top, hand);
    let foot = about::place(area, &look);
    let body = Rect::from_min_max(pos2(area.min.x, top.max.y + look.gap() * 2.0), pos2(area.max.x, foot.min.y));
    let is_wide = body.width() > look.size * 46.0;
    let side = if is_wide { look.size * 9.5 } else { 0.0 };
    let bar = (look.size * 0.7).max(8.0) + 4.0;
    let rows = right_of(body, side);
    page.follow(show, rows.width() - bar, &look);
    if is_wide {
        index(ui, page, left_of(body, side - look.size), &look);
    }
    let mut inner = ui.new_child(UiBuilder::new().max_rect(rows).layout(Layout::top_down(Align::Min)));
    let mut area_of_rows = ScrollArea::vertical()
        .id_salt("rows")
        .auto_shrink(false)
        .scroll_source(ScrollSource::SCROLL_BAR | ScrollSource::MOUSE_WHEEL);
    if let Some(top) = page.go_to.take() {
        area_of_rows = area_of_rows.vertical_scroll_offset(top);
    }
    area_of_rows.show_viewport(&mut inner, |ui, view| {
        let height = page.tops.last().copied().unwrap_or(0.0);
        ui.set_height(height.max(view.height()));
        let left = ui.min_rect().min;
        for i in page.between(view.min.y, view.max.y) {
            let from = pos2(left.x, left.y + page.tops[i]);
            let rect = Rect::from_min_max(from, pos2(left.x + rows.width() - bar, left.y + page.tops[i + 1]));
            item(ui, rect, i, page, show, hand);
        }
        if page.items.is_empty() {
            let at = Rect::from_min_size(left, vec2(rows.width(), look.row()));
            look.line(ui.painter(), at, Align2::LEFT_CENTER, "nothing is called so", DIM);
        }
    });
    about::show(ui, foot, HINT, hand);
}

/// The field at the top.
fn search(ui: &mut Ui, page: &mut Parameters, rect: Rect, hand: &mut Hand<'_>) {
    let look = hand.look;
    let clear = look.size * 5.0;
    let at = if page.view.search.is_empty() { rect } else { left_of(rect, rect.width() - clear - look.gap()) };
    let id = Name::new("search parameters");
    let hint = RichText::new("search: a name, or what it does (Ctrl F)").font(look.font());
    let edit = field(&mut page.view.search, id, look).hint_text(hint).desired_width(at.width());
    let response = ui.put(at, edit);
    if std::mem::take(&mut page.wants_search) {
        response.request_focus();
        hand.grip.is_typing = true;
    }
    if response.has_focus() {
        hand.grip.is_typing = true;
    }
    if response.lost_focus() && ui.input(|input| input.key_pressed(Key::Escape)) {
        page.view.search.clear();
    }
    if !page.view.search.is_empty() {
        let button = right_of(rect, rect.width() - clear);
        if look.button(ui, button, ui.id().with("clear"), "clear", false).clicked() {
            page.view.search.clear();
        }
    }
}

/// The names of the groups, which lead to them.
fn index(ui: &mut Ui, page: &mut Parameters, rect: Rect, look: &Look) {
    let line = look.size * 1.75;
    let mut inner = ui.new_child(UiBuilder::new().max_rect(rect).layout(Layout::top_down(Align::Min)));
    let scroll = ScrollArea::vertical().id_salt("groups").auto_shrink(false);
    scroll.show_viewport(&mut inner, |ui, view| {
        ui.set_height(line * page.groups.len() as f32);
        let left = ui.min_rect().min;
        for (i, group) in page.groups.iter().enumerate() {
            let top = line * i as f32;
            if top + line < view.min.y || top > view.max.y {
                continue;
            }
            let at = Rect::from_min_size(pos2(left.x, left.y + top), vec2(rect.width(), line));
            let response = ui.interact(at, ui.id().with(("group", i)), Sense::CLICK);
            let colour = if response.hovered() { WARM } else { DIM };
            look.note(ui.painter(), at.shrink2(vec2(look.size * 0.3, 0.0)), Align2::LEFT_CENTER, &group.name, colour);
            if response.clicked() {
                page.view.search.clear();
                page.view.folded.remove(&group.name);
                page.made.table = None;
                page.go_to = page.items.iter().position(|item| *item == Item::Group(i)).map(|at| page.tops[at]);
            }
        }
    });
}

fn item(ui: &mut Ui, rect: Rect, i: usize, page: &mut Parameters, show: &Show, hand: &mut Hand<'_>) {
    let look = *hand.look;
    match page.items[i] {
        Item::Row(target) => {
            let label = label_of(target, page, show);
            row::show(ui, rect, target, &label, hand);
        }
        Item::Group(group) => {
            let name = &page.groups[group].name;
            let response = ui.interact(rect, ui.id().with(("head", group)), Sense::CLICK);
            let is_folded = page.view.folded.contains(name);
            let text = rect.with_min_y(rect.max.y - look.row()).shrink2(vec2(look.size * 0.5, 0.0));
            look.line(ui.painter(), text, Align2::LEFT_CENTER, name, WARM);
            arrow(ui, text, is_folded, &look);
            let y = rect.max.y - 1.0;
            ui.painter().hline(rect.x_range(), y, (1.0, LINE));
            if response.clicked() && !page.view.folded.remove(name) {
                page.view.folded.insert(name.clone());
            }
        }
        Item::Heading(text) => {
            look.note(ui.painter(), rect.shrink2(vec2(look.size * 0.5, 0.0)), Align2::LEFT_CENTER, text, DIM);
        }
        Item::Family(id) => family(ui, rect, id, page, hand),
    }
}

/// What a row is called: short under its group, in full where it was searched.
fn label_of(target: Target, page: &Parameters, show: &Show) -> std::borrow::Cow<'static, str> {
    let def = target.id.def();
    if let Some(number) = Id::MACROS.iter().position(|id| *id == target.id) {
        return format!("{}  {}", number + 1, show.macros()[number].name).into();
    }
    if def.is_family() {
        return target.to_string().trim_start_matches('/').to_owned().into();
    }
    if !page.view.search.trim().is_empty() {
        return def.address.into();
    }
    let group = page.groups.iter().find(|group| group.ids.contains(&target.id));
    group.map_or(def.address, |group| list::label(def, &group.name)).into()
}

/// An arrow at the right: whether something is folded.
fn arrow(ui: &Ui, rect: Rect, is_folded: bool, look: &Look) {
    let centre = pos2(rect.max.x - look.size * 0.6, rect.center().y);
    let half = look.size * 0.28;
    let corners = if is_folded {
        [vec2(-half * 0.6, -half), vec2(half * 0.8, 0.0), vec2(-half * 0.6, half)]
    } else {
        [vec2(-half, -half * 0.6), vec2(half, -half * 0.6), vec2(0.0, half * 0.8)]
    };
    let points = corners.map(|corner| centre + corner).to_vec();
    ui.painter().add(bevy_egui::egui::Shape::convex_polygon(points, DIM, bevy_egui::egui::Stroke::NONE));
}

/// The head of a family: how many there are, and how many have been moved.
fn family(ui: &mut Ui, rect: Rect, id: Id, page: &mut Parameters, hand: &mut Hand<'_>) {
    let look = hand.look;
    let response = ui.interact(rect, ui.id().with(("family", id)), Sense::CLICK);
    if response.hovered() {
        hand.grip.over = Some(id.into());
        ui.painter().rect_filled(rect, look.round(), super::look::CARD);
    }
    let mut grey;
    let ui = if hand.show.applies(id).is_err() {
        grey = ui.new_child(UiBuilder::new().max_rect(rect));
        grey.multiply_opacity(IDLE);
        &grey
    } else {
        ui
    };
    let text = rect.shrink2(vec2(look.size * 0.5, 0.0));
    let stem = id.def().address.trim_start_matches('/');
    look.line(ui.painter(), text, Align2::LEFT_CENTER, stem, PLAIN);
    let count = members(id, page.made.dims);
    let default = id.def().default_number().unwrap_or(0.0);
    let is_moved = |index: &u16| hand.params.base(Target { id, index: *index }) != default;
    let moved = (0..count as u16).filter(is_moved).count();
    let line = match moved {
        0 => format!("{count}"),
        moved => format!("{moved} of {count} moved"),
    };
    let at = text.with_max_x(text.max.x - look.size * 2.0);
    look.line(ui.painter(), at, Align2::RIGHT_CENTER, &line, if moved > 0 { WARM } else { DIM });
    arrow(ui, text, !page.view.unfolded.contains(&id), look);
    if response.clicked() && !page.view.unfolded.remove(&id) {
        page.view.unfolded.insert(id);
    }
}
