//! The page of the latent space: seeds to drag through, directions of w, and the track of keys.

mod directions;
mod seeds;
mod strip;

use bevy_egui::egui::{Rect, Ui, pos2, vec2};

use super::grip::Hand;
use super::look::left_of;
use super::row;
use crate::params::Id;
use crate::show::Show;

/// What the page shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum View {
    #[default]
    Seeds,
    Directions,
    Keys,
}

const VIEWS: [(View, &str); 3] = [(View::Seeds, "seeds"), (View::Directions, "directions"), (View::Keys, "keys")];

/// What the page remembers.
#[derive(Default)]
pub(super) struct Latent {
    view: View,
    seeds: seeds::Seeds,
    directions: directions::Directions,
    strip: strip::Strip,
}

impl Latent {
    /// Lets go of the key that is held.
    pub fn let_go(&mut self) {
        self.strip.let_go();
    }
}

/// Draws the page.
pub(super) fn show(ui: &mut Ui, page: &mut Latent, show: &Show, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let area = ui.max_rect();
    let mut at = area.min.x;
    for (view, name) in VIEWS {
        let rect = left_of(
            Rect::from_min_size(pos2(at, area.min.y), vec2(0.0, look.row())),
            look.width_of(name) + look.size * 1.6,
        );
        if look.button(ui, rect, ui.id().with(("view", name)), name, page.view == view).clicked() {
            page.view = view;
        }
        at = rect.max.x + look.gap();
    }
    let rest = area.with_min_y(area.min.y + look.row() + look.gap() * 2.0);
    match page.view {
        View::Seeds => seeds::show(ui, &mut page.seeds, rest, show, hand),
        View::Directions => directions::show(ui, &mut page.directions, rest, show, hand),
        View::Keys => strip::show(ui, &mut page.strip, rest, show, hand),
    }
}

/// What stands above the rows has at least this height, in heights of the text.
const LEAST: f32 = 19.0;

/// How many of these heights, from the first, fit into `room`.
fn fitting(heights: impl Iterator<Item = f32>, room: f32) -> usize {
    let mut taken = 0.0;
    let fits = |height: &f32| {
        taken += height;
        taken <= room
    };
    heights.take_while(fits).count()
}

/// Draws rows of parameters above the foot of the page, the first of them where there is no room for all; returns where they
/// begin.
fn rows(ui: &mut Ui, area: Rect, foot: Rect, ids: &[Id], hand: &mut Hand<'_>) -> f32 {
    let look = *hand.look;
    let height = |id: &Id| look.row() * row::lines(id.def(), area.width(), &look) as f32;
    let ids = &ids[..fitting(ids.iter().map(height), foot.min.y - area.min.y - look.size * LEAST)];
    let top = foot.min.y - ids.iter().map(height).sum::<f32>();
    let mut y = top;
    for id in ids {
        let at = Rect::from_min_size(pos2(area.min.x, y), vec2(area.width(), height(id)));
        row::show(ui, at, (*id).into(), id.def().address.trim_start_matches('/'), hand);
        y = at.max.y;
    }
    top
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rows_stay_where_there_is_no_room_for_all() {
        let heights = [24.0, 48.0, 24.0];
        for (room, expected) in [(96.0, 3), (95.0, 2), (72.0, 2), (30.0, 1), (0.0, 0), (-5.0, 0)] {
            assert_eq!(fitting(heights.into_iter(), room), expected, "{room}");
        }
    }
}
