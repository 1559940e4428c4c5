//! The eight macros as tall faders.
//!
//! A fader is dragged from wherever it is touched, so that a touch alone moves nothing; a double click sets the default, a
//! right click learns a MIDI control, Shift makes drags and the wheel finer.

use bevy_egui::egui::{
    Align2, Color32, CursorIcon, Id, LayerId, Order, Painter, PointerButton, Pos2, Rect, Sense, Shape, Stroke,
    StrokeKind, Ui, pos2, vec2,
};

use super::{Frame, look};
use crate::app::hud::{COOL, DIM, PANEL, PLAIN, WARM};
use crate::app::panel::row::macro_entry;
use crate::params::{Id as Param, Kind, Target, Value};
use crate::show::{MacroState, Show};

/// How many there are.
const FADERS: usize = 8;
/// How much is seen of one that does nothing.
const IDLE: f32 = 0.4;
/// Travel of one step of the wheel.
const WHEEL: f64 = 0.02;
/// What Shift makes of a move.
const FINE: f64 = 0.2;

/// What is being dragged.
#[derive(Default)]
pub(super) struct Faders {
    /// The fader, and where its travel is by now; kept beside the parameter, which may have steps.
    drag: Option<(usize, f64)>,
}

/// One fader.
struct Fader {
    name: String,
    /// The macro's own position.
    id: Param,
    /// What it moves.
    moves: Vec<Target>,
    /// Where the hand has put it, 0 to 1.
    travel: f64,
    /// Where it is at this moment, while a modulator moves it.
    plays: Option<f64>,
    value: String,
    /// Where what it moves is 0, if that is within its travel.
    zero: f64,
    /// Where a controller's knob waits to be moved to.
    ghost: Option<f64>,
    /// Why it does nothing with the networks that play, if so.
    idle: Option<&'static str>,
}

/// The eight macros.
fn faders(frame: &Frame) -> Vec<Fader> {
    frame.show.macros().iter().map(|state| fader(state, frame.show)).collect()
}

fn fader(state: &MacroState, show: &Show) -> Fader {
    let params = show.params();
    let first = state.targets.first();
    // Of a parameter that is moved over its whole range, the fader is the knob.
    let plain = first.filter(|to| to.curve.is_none() && state.targets.len() == 1).map(|to| to.target);
    let value = match plain {
        Some(target) => value(params.get(target), target.id),
        None => format!("{:.0} %", state.modulated.unwrap_or(state.position) * 100.0),
    };
    let (low, high) = plain.map_or((0.0, 1.0), |target| target.id.def().range());
    let zero = plain.filter(|_| low < 0.0 && high > 0.0).map_or(0.0, |target| target.id.def().to_travel(0.0));
    let is_own = |target: Target| target.id == state.id || plain == Some(target);
    Fader {
        name: state.name.to_owned(),
        id: state.id,
        moves: state.targets.iter().map(|to| to.target).collect(),
        travel: state.position,
        plays: state.modulated,
        value,
        zero,
        ghost: show.waiting_knob().filter(|(target, _)| is_own(*target)).map(|(_, at)| at),
        idle: show.applies(state.id).err(),
    }
}

/// A number, short enough for a fader.
fn value(value: f64, id: Param) -> String {
    let (low, high) = id.def().range();
    match id.def().kind {
        Kind::Int { .. } => format!("{value:.0}"),
        _ if high - low > 20.0 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

/// Paints them, and writes what a hand does.
pub(super) fn paint(ui: &Ui, area: Rect, state: &mut Faders, frame: &mut Frame) {
    let all = faders(frame);
    let gap = 4.0;
    let width = (area.width() - gap * (FADERS - 1) as f32) / FADERS as f32;
    for (i, fader) in all.iter().enumerate() {
        let left = area.min.x + (width + gap) * i as f32;
        let rect = Rect::from_min_size(pos2(left, area.min.y), vec2(width, area.height()));
        play(ui, rect, i, fader, state, frame);
        let is_held = state.drag.is_some_and(|(held, _)| held == i);
        paint_one(ui, rect, fader, is_held);
    }
}

/// The part of a fader in which its cap moves.
fn track(rect: Rect) -> Rect {
    Rect::from_min_max(rect.min + vec2(0.0, 30.0), rect.max - vec2(0.0, 40.0))
}

fn play(ui: &Ui, rect: Rect, i: usize, fader: &Fader, state: &mut Faders, frame: &mut Frame) {
    let response = ui.interact(rect, Id::new(("fader", i)), Sense::click_and_drag());
    let fine = if ui.input(|input| input.modifiers.shift) { FINE } else { 1.0 };
    let mut wanted = None;
    if response.hovered() {
        ui.ctx().set_cursor_icon(CursorIcon::ResizeVertical);
        let wheel = f64::from(ui.input(|input| input.smooth_scroll_delta().y));
        wanted = (wheel != 0.0).then(|| fader.travel + wheel / 50.0 * WHEEL * fine * 2.0);
    }
    if response.drag_started_by(PointerButton::Primary) {
        state.drag = Some((i, fader.travel));
    }
    if let Some((_, travel)) = state.drag.as_mut().filter(|(held, _)| *held == i) {
        if response.dragged_by(PointerButton::Primary) {
            let moved = -f64::from(response.drag_delta().y / track(rect).height()) * fine;
            *travel = (*travel + moved).clamp(0.0, 1.0);
            wanted = (moved != 0.0).then_some(*travel).or(wanted);
        } else {
            state.drag = None;
        }
    }
    if response.double_clicked() {
        for target in &fader.moves {
            let default = target.id.def().default_number();
            default.into_iter().for_each(|default| frame.write(*target, Value::Float(default)));
        }
    } else if let Some(travel) = wanted {
        frame.write(fader.id, Value::Float(travel.clamp(0.0, 1.0)));
    }
    // A parameter that is dragged here from the panel.
    if response.dnd_hover_payload::<Target>().is_some() {
        ui.painter().rect_stroke(rect, look::ROUND, Stroke::new(3.0, COOL), StrokeKind::Outside);
    }
    if let Some(target) = response.dnd_release_payload::<Target>() {
        frame.write(Param::MacroSet, Value::Text(macro_entry(i, *target)));
    }
    if response.secondary_clicked() {
        frame.write(Param::Learn, Value::Text(Target::from(fader.id).to_string()));
    }
}

fn paint_one(ui: &Ui, rect: Rect, fader: &Fader, is_held: bool) {
    let mut painter = ui.painter().clone();
    if fader.idle.is_some() {
        painter.multiply_opacity(IDLE);
    }
    let painter = &painter;
    let is_hovered = is_held || ui.rect_contains_pointer(rect);
    painter.rect_filled(rect, look::ROUND, look::CARD);
    if is_hovered {
        painter.rect_stroke(rect, look::ROUND, Stroke::new(1.0, look::EDGE), StrokeKind::Inside);
    }
    let track = track(rect);
    let slot = Rect::from_center_size(track.center(), vec2(rect.width() * 0.5, track.height()));
    let y = |travel: f64| slot.max.y - slot.height() * travel.clamp(0.0, 1.0) as f32;
    painter.rect_filled(slot, 4.0, look::TRACK);
    // A range around 0 fills from there.
    let zero = fader.zero;
    let fill = Rect::from_two_pos(pos2(slot.min.x, y(zero)), pos2(slot.max.x, y(fader.travel)));
    painter.rect_filled(fill, 3.0, WARM.gamma_multiply(if is_hovered { 0.75 } else { 0.55 }));
    if zero > 0.0 {
        painter.line_segment([pos2(slot.min.x, y(zero)), pos2(slot.max.x, y(zero))], Stroke::new(1.0, DIM));
    }
    if let Some(plays) = fader.plays {
        wave(painter, slot, y(plays), y(fader.travel), ui.input(|input| input.time));
    }
    let cap = Rect::from_center_size(pos2(slot.center().x, y(fader.travel)), vec2(rect.width() - 10.0, 8.0));
    painter.rect_filled(cap, 3.0, if is_held { Color32::WHITE } else { WARM });
    if let Some(ghost) = fader.ghost {
        ghost_mark(painter, rect, y(ghost), y(fader.travel));
    }
    let middle = rect.center().x;
    let width = rect.width() - 4.0;
    let colour = if fader.plays.is_some() { COOL } else { PLAIN };
    look::line(painter, pos2(middle, rect.min.y + 15.0), Align2::CENTER_CENTER, &fader.value, 15.0, colour, width);
    name(painter, pos2(middle, rect.max.y - 20.0), &fader.name, width);
    if let Some(reason) = fader.idle.filter(|_| is_hovered) {
        why(ui, rect, reason);
    }
}

/// Why the fader under the pointer is grey, below its value.
fn why(ui: &Ui, rect: Rect, reason: &str) {
    let text = format!("does nothing now: {reason}");
    let galley = ui.painter().layout(text, look::font(12.0), WARM, rect.width() * 2.4);
    let window = ui.clip_rect();
    let left = (rect.center().x - galley.size().x * 0.5).min(window.max.x - galley.size().x - 12.0);
    let at = pos2(left, rect.min.y + 40.0);
    // Above the faders beside it.
    let painter = ui.ctx().layer_painter(LayerId::new(Order::Foreground, Id::new("why a fader is grey")));
    let plate = Rect::from_min_size(at, galley.size()).expand(6.0);
    painter.rect_filled(plate, look::ROUND, PANEL);
    painter.galley(at, galley, WARM);
}

/// What plays, where a modulator moves it: a mark there, and a wave between it and the hand's place.
fn wave(painter: &Painter, slot: Rect, plays: f32, hand: f32, time: f64) {
    let mark = Rect::from_center_size(pos2(slot.center().x, plays), vec2(slot.width() + 12.0, 4.0));
    let (from, to) = (plays.min(hand), plays.max(hand));
    let points: Vec<Pos2> = (0..=((to - from) / 3.0) as usize)
        .map(|step| {
            let y = from + 3.0 * step as f32;
            pos2(slot.center().x + slot.width() * 0.3 * (y * 0.18 + time as f32 * 6.0).sin(), y)
        })
        .collect();
    painter.add(Shape::line(points, Stroke::new(1.5, COOL.gamma_multiply(0.8))));
    painter.rect_filled(mark, 2.0, COOL);
}

/// Where a controller's knob is, and which way it has to be turned to take over.
fn ghost_mark(painter: &Painter, rect: Rect, at: f32, cap: f32) {
    let width = rect.width() - 10.0;
    let ghost = Rect::from_center_size(pos2(rect.center().x, at), vec2(width, 9.0));
    painter.rect_stroke(ghost, 3.0, Stroke::new(1.5, PLAIN), StrokeKind::Inside);
    let way = if cap < at { -1.0 } else { 1.0 };
    let tip = pos2(rect.center().x, at + way * 16.0);
    let base = at + way * 8.0;
    let side = 6.0;
    let arrow = vec![tip, pos2(tip.x - side, base), pos2(tip.x + side, base)];
    painter.add(Shape::convex_polygon(arrow, PLAIN, Stroke::NONE));
}

/// The name in two lines if it has two words.
fn name(painter: &Painter, at: Pos2, name: &str, width: f32) {
    match name.split_once(' ') {
        Some((first, second)) => {
            for (text, off) in [(first, -8.0), (second, 8.0)] {
                word(painter, at + vec2(0.0, off), text, width);
            }
        }
        None => word(painter, at, name, width),
    }
}

/// A word, smaller if it is long.
fn word(painter: &Painter, at: Pos2, text: &str, width: f32) {
    const SIZE: f32 = 13.0;
    let taken = painter.layout_no_wrap(text.to_owned(), look::font(SIZE), PLAIN).size().x;
    let size = (SIZE * width / taken).clamp(9.5, SIZE);
    look::line(painter, at, Align2::CENTER_CENTER, text, size, PLAIN, width + 2.0);
}
