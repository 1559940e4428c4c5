//! A map of seeds to drag through, and how the walk moves from there.
//!
//! Dragging over the map goes to the seed under the pointer, and the walk glides there. Seeds have no order of their own:
//! neighbours are as different as any two.

use bevy_egui::egui::{Align2, PointerButton, Pos2, Rect, Sense, Stroke, StrokeKind, Ui, pos2, vec2};

use super::rows;
use crate::app::hud::{COOL, DIM, PLAIN, WARM};
use crate::app::panel::grip::Hand;
use crate::app::panel::look::{CARD, LINE, PLATE, left_of};
use crate::app::panel::{about, row};
use crate::params::{Id, Value};
use crate::show::Show;
use crate::thumbnail::Key;

/// Played below the map.
const ROWS: [Id; 8] =
    [Id::Psi, Id::WalkKind, Id::WalkSpeed, Id::WalkRadius, Id::WalkGlide, Id::NoiseGain, Id::NoiseMode, Id::PsiCutoff];
/// Width of a tile in characters' heights, at least.
const TILE: f32 = 7.0;
/// Most tiles in a row or a column.
const MOST: usize = 12;
/// The last seed.
const LAST: u64 = u32::MAX as u64;

/// What the page remembers.
#[derive(Default)]
pub(super) struct Seeds {
    /// The seed of the first tile.
    from: u64,
    /// The seed that the pointer was over when it was written.
    dragged: Option<u64>,
    /// The pictures of the seeds on the map.
    keys: Vec<Key>,
}

impl Seeds {
    fn follow(&mut self, network: &str, count: usize) {
        let first = |key: &Key| matches!(key, Key::Seed { seed, .. } if u64::from(*seed) == self.from);
        let is_same = self.keys.first().is_some_and(|key| first(key) && key.name() == network);
        if !is_same || self.keys.len() != count {
            let seeds = (self.from..).take(count).filter_map(|seed| u32::try_from(seed).ok());
            self.keys = seeds.map(|seed| Key::Seed { network: network.to_owned(), seed }).collect();
        }
    }
}

/// A grid of square tiles in a rectangle.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Grid {
    area: Rect,
    columns: usize,
    lines: usize,
    side: f32,
    gap: f32,
}

impl Grid {
    /// As many tiles of at least `least` points as fit.
    fn of(area: Rect, least: f32, gap: f32) -> Grid {
        let fits = |length: f32| (((length + gap) / (least + gap)) as usize).clamp(1, MOST);
        let (columns, lines) = (fits(area.width()), fits(area.height()));
        let side = |length: f32, count: usize| (length - gap * (count - 1) as f32) / count as f32;
        let side = side(area.width(), columns).min(side(area.height(), lines));
        Grid { area, columns, lines, side, gap }
    }

    fn count(&self) -> usize {
        self.columns * self.lines
    }

    fn tile(&self, i: usize) -> Rect {
        let (column, line) = ((i % self.columns) as f32, (i / self.columns) as f32);
        let step = self.side + self.gap;
        Rect::from_min_size(self.area.min + vec2(column * step, line * step), vec2(self.side, self.side))
    }

    /// The tile at a place; none between two.
    fn at(&self, place: Pos2) -> Option<usize> {
        (0..self.count()).find(|i| self.tile(*i).contains(place))
    }
}

/// The first seed of the map after `by` pages of `count` seeds.
fn page_from(from: u64, by: i64, count: usize) -> u64 {
    let last = (LAST + 1).saturating_sub(count as u64);
    from.saturating_add_signed(by.saturating_mul(count as i64)).min(last)
}

/// Draws the view.
pub(super) fn show(ui: &mut Ui, page: &mut Seeds, area: Rect, show: &Show, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let foot = about::place(area, &look);
    let top = rows(ui, area, foot, &ROWS, hand) - look.gap();
    let head = Rect::from_min_size(area.min, vec2(area.width(), look.row()));
    let map = Rect::from_min_max(pos2(area.min.x, head.max.y + look.gap()), pos2(area.max.x, top - look.gap()));
    let grid = Grid::of(map, look.size * TILE, look.gap());
    let seed = show.params().base(Id::Seed).max(0.0) as u64;
    steps(ui, page, head, seed, grid.count(), hand);
    page.follow(&show.network().path.to_string_lossy(), grid.count());
    tiles(ui, page, &grid, seed, hand);
    about::show(ui, foot, "drag through the seeds: the walk glides to the one under the pointer", hand);
}

/// The buttons above the map: other seeds, and the one that plays.
fn steps(ui: &Ui, page: &mut Seeds, rect: Rect, seed: u64, count: usize, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let (mut at, mut number) = (rect.min.x, 0);
    let mut button = |text: &str| {
        let width = look.width_of(text) + look.size * 1.4;
        let place = left_of(rect.with_min_x(at), width);
        at += width + look.gap();
        number += 1;
        look.button(ui, place, ui.id().with(("step", number)), text, false).clicked()
    };
    if button("◀ earlier") {
        page.from = page_from(page.from, -1, count);
    }
    if button("later ▶") {
        page.from = page_from(page.from, 1, count);
    }
    if button(&format!("show {seed}, which plays")) {
        page.from = page_from(seed.saturating_sub(count as u64 / 2), 0, count);
    }
    if button("restart") {
        hand.write(Id::WalkRestart, Value::Nothing);
    }
}

fn tiles(ui: &Ui, page: &mut Seeds, grid: &Grid, seed: u64, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let response = ui.interact(grid.area, ui.id().with("seeds"), Sense::CLICK | Sense::DRAG);
    let over = response.hover_pos().or(response.interact_pointer_pos()).and_then(|at| grid.at(at));
    let over = over.map(|i| page.from + i as u64);
    let is_held = response.dragged_by(PointerButton::Primary) || response.clicked();
    match over {
        Some(over) if is_held && page.dragged != Some(over) => {
            page.dragged = Some(over);
            hand.write(Id::Seed, Value::Int(over as i64));
        }
        _ if !is_held => page.dragged = None,
        _ => {}
    }
    if response.secondary_clicked() {
        row::learn(Id::Seed.into(), hand);
    }
    for i in 0..grid.count() {
        let (tile, own) = (grid.tile(i), page.from + i as u64);
        ui.painter().rect_filled(tile, look.round(), CARD);
        let texture = hand.picture(ui, page.keys.get(i));
        if let Some(texture) = texture {
            look.picture(ui.painter(), tile, texture);
        }
        let (width, colour) = match (own == seed, Some(own) == over) {
            (true, _) => (3.0, WARM),
            (_, true) => (2.0, COOL),
            _ => (1.0, LINE),
        };
        let text = if own == seed { PLAIN } else { DIM };
        let number = tile.with_min_y(tile.max.y - look.size * 1.5);
        if texture.is_some() {
            ui.painter().rect_filled(number, look.round(), PLATE.gamma_multiply(0.75));
        }
        look.note(ui.painter(), number, Align2::CENTER_CENTER, &own.to_string(), text);
        ui.painter().rect_stroke(tile, look.round(), Stroke::new(width, colour), StrokeKind::Inside);
    }
    if let Some(over) = over {
        hand.grip.say(format!("/seed {over}"), Id::Seed.def().help);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_on_the_map_is_a_seed_or_between_two() {
        let area = Rect::from_min_size(pos2(10.0, 20.0), vec2(600.0, 300.0));
        let grid = Grid::of(area, 80.0, 5.0);
        assert_eq!((grid.columns, grid.lines), (7, 3));
        for i in 0..grid.count() {
            assert!(area.contains_rect(grid.tile(i)), "{i}");
            assert_eq!(grid.at(grid.tile(i).center()), Some(i));
        }
        assert_eq!(grid.at(grid.tile(0).max + vec2(2.0, 0.0)), None, "in a gap");
        let tiny = Grid::of(Rect::from_min_size(pos2(0.0, 0.0), vec2(20.0, 10.0)), 80.0, 5.0);
        assert_eq!(tiny.count(), 1);
    }

    #[test]
    fn pages_stay_among_the_seeds() {
        assert_eq!(page_from(0, -1, 21), 0);
        assert_eq!(page_from(0, 1, 21), 21);
        assert_eq!(page_from(21, -1, 21), 0);
        assert_eq!(page_from(LAST, 1, 21), LAST - 20);
        assert_eq!(page_from(5, 0, 21), 5);
    }
}
