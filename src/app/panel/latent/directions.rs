//! The knobs of the network's directions, those with names first, and the layers that each reaches.

use bevy_egui::egui::scroll_area::ScrollSource;
use bevy_egui::egui::{Align, Align2, Layout, Rect, ScrollArea, Ui, UiBuilder, pos2};

use crate::app::hud::DIM;
use crate::app::panel::grip::Hand;
use crate::app::panel::look::left_of;
use crate::app::panel::{about, row};
use crate::params::{DIR_KNOBS, Id, Table, Target};
use crate::show::Show;

/// What the view remembers.
#[derive(Default)]
pub(super) struct Directions {
    /// Whether the layers are listed, too.
    has_reach: bool,
    /// The version of the table that the rows are of.
    table: Option<(u64, bool)>,
    rows: Vec<Target>,
}

impl Directions {
    fn follow(&mut self, table: &Table) {
        let made = Some((table.version(), self.has_reach));
        if self.table != made {
            (self.table, self.rows) = (made, rows(table, self.has_reach));
        }
    }
}

/// The rows of a table: directions with names, then those with numbers.
fn rows(table: &Table, has_reach: bool) -> Vec<Target> {
    let reaches: Vec<Id> = (0..DIR_KNOBS).flat_map(Id::of_direction).collect();
    let is_named = |id: &Id| *id != Id::Dir && id.def().address.starts_with("/dir/") && !reaches.contains(id);
    let mut rows: Vec<Target> = table.ids().filter(is_named).map(Target::from).collect();
    for n in 0..DIR_KNOBS {
        rows.push(Target { id: Id::Dir, index: n as u16 });
        if has_reach {
            rows.extend(Id::of_direction(n).map(Target::from));
        }
    }
    rows
}

/// Draws the view.
pub(super) fn show(ui: &mut Ui, page: &mut Directions, area: Rect, show: &Show, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let foot = about::place(area, &look);
    let head = area.with_max_y(area.min.y + look.row());
    let button = left_of(head, look.width_of("layers") + look.size * 1.6);
    if look.button(ui, button, ui.id().with("layers"), "layers", page.has_reach).clicked() {
        page.has_reach = !page.has_reach;
    }
    let state = match show.applies(Id::Dir) {
        Ok(()) if show.has_directions() => "1 is one standard deviation",
        Ok(()) => "being found; they move the picture in a moment",
        Err(_) => "this network has none",
    };
    look.line(ui.painter(), head.with_min_x(button.max.x), Align2::RIGHT_CENTER, state, DIM);
    page.follow(hand.params.table());
    let body = Rect::from_min_max(pos2(area.min.x, head.max.y + look.gap()), pos2(area.max.x, foot.min.y));
    let mut inner = ui.new_child(UiBuilder::new().max_rect(body).layout(Layout::top_down(Align::Min)));
    let scroll = ScrollArea::vertical().id_salt("directions").auto_shrink(false);
    let scroll = scroll.scroll_source(ScrollSource::SCROLL_BAR | ScrollSource::MOUSE_WHEEL);
    scroll.show_viewport(&mut inner, |ui, view| {
        let width = body.width() - look.size * 1.2;
        let left = ui.min_rect().min;
        let mut top = 0.0;
        for target in &page.rows {
            let height = look.row() * row::lines(target.id.def(), width, &look) as f32;
            if top + height > view.min.y && top < view.max.y {
                let from = pos2(left.x, left.y + top);
                let at = Rect::from_min_max(from, pos2(from.x + width, from.y + height));
                row::show(ui, at, *target, &label(*target), hand);
            }
            top += height;
        }
        ui.set_height(top);
    });
    about::show(ui, foot, "drag moves along a direction · double click goes back to 0 · right click learns", hand);
}

/// The address; what belongs to a direction is set in, and short.
fn label(target: Target) -> String {
    let address = target.to_string();
    match address.rsplit('/').next() {
        Some(part @ ("from" | "to" | "zone")) => format!("    {part}"),
        _ => address.trim_start_matches('/').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Def;

    #[test]
    fn directions_with_names_come_first_and_layers_under_their_knob() {
        let table = Table::built_in().with(&[Def::float("/dir/age", -4.0, 4.0, 0.0)]).unwrap();
        let labels = |has_reach| rows(&table, has_reach).into_iter().map(label).collect::<Vec<_>>();
        let plain = labels(false);
        assert_eq!((plain.len(), &plain[..3]), (DIR_KNOBS + 1, &["dir/age", "dir/0", "dir/1"].map(str::to_owned)[..]));
        let all = labels(true);
        assert_eq!(all.len(), 4 * DIR_KNOBS + 1);
        assert_eq!(all[1..5], ["dir/0", "    from", "    to", "    zone"].map(str::to_owned));
    }
}
