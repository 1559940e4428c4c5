//! The track of keys as a strip in time: each key with its small picture, and where the show is.
//!
//! A click on a key goes to it, dragging moves it in time, and dragging it out of the strip removes it. On the line under the keys
//! the show is dragged along. Pictures are those of the file: a key has one as soon as the track is saved.

use bevy_egui::egui::{Align2, PointerButton, Pos2, Rect, Response, Sense, Stroke, StrokeKind, Ui, pos2, vec2};

use super::rows;
use crate::app::hud::{COOL, DIM, PLAIN, WARM};
use crate::app::panel::about;
use crate::app::panel::grip::Hand;
use crate::app::panel::look::{CARD, LINE, PLATE, TRACK, left_of};
use crate::latent::track::{End, Track};
use crate::params::{Id, KEY_LENGTHS, Value, WalkKind};
use crate::show::Show;
use crate::thumbnail::Key;

/// Played below the strip.
const ROWS: [Id; 8] =
    [Id::KeysSpeed, Id::KeysWay, Id::KeysEase, Id::KeysEnd, Id::KeysSync, Id::KeysLength, Id::KeysTake, Id::KeysScrub];
/// Longest side of a picture in characters' heights, and the shortest at which its number can be read.
const SIDES: [f32; 2] = [12.0, 3.0];
/// Most rows of pictures, where keys are close together.
const MOST_LANES: usize = 4;

/// A key in the hand.
#[derive(Clone, Copy, Debug)]
struct HeldKey {
    number: usize,
    /// Where the pointer took it, in points right of its time.
    by: f32,
}

/// What the view remembers.
#[derive(Default)]
pub(super) struct Strip {
    held: Option<HeldKey>,
    /// The pictures of the keys.
    pictures: Vec<Key>,
}

impl Strip {
    pub fn let_go(&mut self) {
        self.held = None;
    }

    fn follow(&mut self, show: &Show) {
        let (network, count) = (show.network().path.to_string_lossy(), show.track().keys.len());
        let Some(file) = show.track_file() else { return self.pictures.clear() };
        let is_same = |key: &Key| matches!(key, Key::Track { network: n, file: f, .. } if *n == network && f == file);
        if self.pictures.len() != count || !self.pictures.first().is_none_or(is_same) {
            let key = |number| Key::Track { network: network.clone().into_owned(), file: file.to_owned(), number };
            self.pictures = (0..count).map(key).collect();
        }
    }
}

/// Where keys lie: time runs from left to right.
struct Scale {
    area: Rect,
    /// In seconds or beats.
    length: f64,
}

impl Scale {
    fn x(&self, time: f64) -> f32 {
        let part = if self.length > 0.0 { (time / self.length) as f32 } else { 0.0 };
        self.area.min.x + part * self.area.width()
    }

    fn time(&self, x: f32) -> f64 {
        f64::from(((x - self.area.min.x) / self.area.width().max(1.0)).clamp(0.0, 1.0)) * self.length
    }
}

/// The pictures of keys at these places: so that none covers another, in as few rows as that takes, but at most [`MOST_LANES`].
/// Returns the side of a picture, and the row of each.
fn lanes(places: &[f32], [longest, shortest]: [f32; 2], height: f32) -> (f32, Vec<usize>) {
    for count in 1..=MOST_LANES {
        let side = (height / count as f32).min(longest);
        let mut ends = vec![f32::NEG_INFINITY; count];
        let mut lane_of = |place: f32| {
            let free = ends.iter().position(|end| *end <= place)?;
            ends[free] = place + side;
            Some(free)
        };
        let found: Option<Vec<usize>> = places.iter().map(|place| lane_of(*place)).collect();
        match found {
            Some(lanes) => return (side, lanes),
            None if count == MOST_LANES || height / (count + 1) as f32 <= shortest => {
                return (side, (0..places.len()).map(|key| key % count).collect());
            }
            None => {}
        }
    }
    (shortest, vec![0; places.len()])
}

/// Draws the view.
pub(super) fn show(ui: &mut Ui, page: &mut Strip, area: Rect, show: &Show, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let foot = about::place(area, &look);
    let top = rows(ui, area, foot, &ROWS, hand) - look.gap();
    let head = area.with_max_y(area.min.y + look.row());
    buttons(ui, head, show, hand);
    page.follow(show);
    let strip = Rect::from_min_max(pos2(area.min.x, head.max.y + look.gap()), pos2(area.max.x, top));
    ui.painter().rect_filled(strip, look.round(), CARD);
    if show.track().keys.is_empty() {
        page.let_go();
        let line = "no keys yet: keep a good moment, then another";
        look.line(ui.painter(), strip, Align2::CENTER_CENTER, line, DIM);
    } else {
        keys(ui, page, strip.shrink(look.gap()), show, hand);
    }
    about::show(ui, foot, "a click goes to a key · drag it in time, or out of the strip to remove it", hand);
}

fn buttons(ui: &Ui, rect: Rect, show: &Show, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let mut at = rect.min.x;
    let mut button = |text: &str, is_lit: bool| {
        let place = left_of(rect.with_min_x(at), look.width_of(text) + look.size * 1.4);
        at = place.max.x + look.gap();
        look.button(ui, place, ui.id().with(text), text, is_lit)
    };
    let plays = show.params().get_choice::<WalkKind>(Id::WalkKind) == WalkKind::Keys;
    if button("keep this moment", false).clicked() {
        hand.write(Id::KeysAdd, Value::Nothing);
    }
    let play = button("play", plays);
    if play.clicked() {
        let kind = if plays { WalkKind::Drift } else { WalkKind::Keys };
        hand.write(Id::WalkKind, Value::Float(f64::from(kind as u8)));
    }
    if play.hovered() {
        hand.grip.say("/walk/kind".to_owned(), Id::WalkKind.def().help);
    }
    let unit = hand.params.choice(Id::KeysSync);
    let line = format!("{:.1} of {:.1} {unit}", show.track_time(), length(show));
    look.line(ui.painter(), rect.with_min_x(at), Align2::RIGHT_CENTER, &line, WARM);
}

/// The length of the strip.
fn length(show: &Show) -> f64 {
    show.track().length(show.params().get_choice::<End>(Id::KeysEnd))
}

fn keys(ui: &Ui, page: &mut Strip, strip: Rect, show: &Show, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let sides = SIDES.map(|side| side * look.size);
    let line = Rect::from_min_max(pos2(strip.min.x, strip.max.y - look.row()), strip.max);
    let above = strip.with_max_y(line.min.y - look.gap());
    // The last key has its picture within the strip, too.
    let scale = Scale { area: line.with_max_x(line.max.x - sides[0].min(above.height())), length: length(show) };
    time_line(ui, line, &scale, hand);
    let mut track = show.track().clone();
    if let Some(held) = page.held {
        let x = ui.input(|input| input.pointer.latest_pos()).map_or(0.0, |at| at.x) - held.by;
        track.move_key(held.number, free_time(&scale, x), KEY_LENGTHS);
    }
    let places: Vec<f32> = (0..track.keys.len()).map(|key| scale.x(track.time_of(key))).collect();
    let (side, rows) = lanes(&places, sides, above.height());
    for (key, (x, row)) in places.iter().zip(rows).enumerate() {
        let tile = Rect::from_min_size(pos2(*x, above.min.y + row as f32 * side), vec2(side, side)).shrink(1.0);
        let response = ui.interact(tile, ui.id().with(("key", key)), Sense::CLICK | Sense::DRAG);
        ui.painter().vline(*x + 1.0, tile.max.y..=line.max.y, (1.0, LINE));
        paint(ui, page, key, tile, &response, hand);
        held(ui, page, key, *x, above, &track, &response, hand);
    }
    let x = scale.x(show.track_time());
    ui.painter().vline(x, strip.y_range(), (2.0, WARM));
}

/// A time under the pointer; right of the strip the last key is pulled further.
fn free_time(scale: &Scale, x: f32) -> f64 {
    f64::from((x - scale.area.min.x) / scale.area.width().max(1.0)) * scale.length.max(KEY_LENGTHS[0])
}

fn paint(ui: &Ui, page: &Strip, key: usize, tile: Rect, response: &Response, hand: &Hand<'_>) {
    let look = hand.look;
    ui.painter().rect_filled(tile, look.round(), PLATE);
    if let Some(texture) = hand.picture(ui, page.pictures.get(key)) {
        look.picture(ui.painter(), tile, texture);
    }
    let is_held = page.held.is_some_and(|held| held.number == key);
    let (width, colour) = match (is_held, response.hovered()) {
        (true, _) => (3.0, WARM),
        (_, true) => (2.0, COOL),
        _ => (1.0, LINE),
    };
    let number = tile.with_min_y(tile.max.y - look.size * 1.5);
    ui.painter().rect_filled(number, look.round(), PLATE.gamma_multiply(0.75));
    look.note(ui.painter(), number, Align2::CENTER_CENTER, &key.to_string(), PLAIN);
    ui.painter().rect_stroke(tile, look.round(), Stroke::new(width, colour), StrokeKind::Inside);
}

/// What a hand does with a key.
#[expect(clippy::too_many_arguments, reason = "the parts of one frame")]
fn held(
    ui: &Ui,
    page: &mut Strip,
    key: usize,
    x: f32,
    above: Rect,
    track: &Track,
    response: &Response,
    hand: &mut Hand<'_>,
) {
    let pointer = ui.input(|input| input.pointer.latest_pos());
    let is_out = |at: Pos2| !above.expand(hand.look.row() * 2.0).contains(at);
    if response.clicked() {
        hand.write(Id::KeysGoto, Value::Text(key.to_string()));
    }
    if response.drag_started_by(PointerButton::Primary) {
        let press = ui.input(|input| input.pointer.press_origin());
        page.held = Some(HeldKey { number: key, by: press.map_or(0.0, |at| at.x - x) });
    }
    let is_held = page.held.is_some_and(|held| held.number == key);
    if is_held && response.drag_stopped() {
        page.held = None;
        if pointer.is_some_and(is_out) {
            hand.write(Id::KeysRemove, Value::Text(key.to_string()));
        } else if key > 0 {
            hand.write(Id::KeysMove, Value::Text(format!("{key} {:.3}", track.time_of(key))));
        }
    } else if is_held || response.hovered() {
        let title = match pointer {
            Some(at) if is_held && is_out(at) => format!("key {key} is removed"),
            _ => format!("key {key} at {:.2}, {:.2} long", track.time_of(key), track.keys[key].length),
        };
        hand.grip.say(title, "a click goes to it · drag it in time, or out of the strip to remove it");
    }
}

/// The line of time under the keys, along which the show is dragged.
fn time_line(ui: &Ui, rect: Rect, scale: &Scale, hand: &mut Hand<'_>) {
    let look = *hand.look;
    ui.painter().rect_filled(rect.shrink2(vec2(0.0, look.row() * 0.38)), look.round(), TRACK);
    let response = ui.interact(rect, ui.id().with("time"), Sense::CLICK | Sense::DRAG);
    let at = response.interact_pointer_pos().filter(|_| response.dragged() || response.clicked());
    if let Some(at) = at {
        hand.write(Id::KeysTime, Value::Float(scale.time(at.x)));
    }
    if response.hovered() {
        hand.grip.over = Some(Id::KeysTime.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_picture_covers_another_while_there_is_room() {
        let (side, rows) = lanes(&[0.0, 100.0, 200.0], [90.0, 30.0], 200.0);
        assert_eq!((side, rows), (90.0, vec![0, 0, 0]));
        let (side, rows) = lanes(&[0.0, 40.0, 95.0], [90.0, 30.0], 180.0);
        assert_eq!((side, rows), (90.0, vec![0, 1, 0]), "two rows");
        let (side, rows) = lanes(&[0.0, 40.0, 95.0, 100.0], [90.0, 30.0], 180.0);
        assert_eq!((side, rows), (60.0, vec![0, 1, 0, 1]), "smaller");
        let (side, rows) = lanes(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0], [90.0, 30.0], 180.0);
        assert_eq!((side, rows), (45.0, vec![0, 1, 2, 3, 0, 1]), "one over another, as there is no room");
    }
}
