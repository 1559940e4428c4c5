//! The row of one parameter: its label, what its kind is played with, and its value.
//!
//! A double click resets, a right click learns, a click on the number types it. What does nothing with the networks that play
//! is grey, and the foot of the page says why. A label is dragged onto a macro, which moves its parameter from then on.

use bevy_egui::egui::{
    Align2, CursorIcon, LayerId, Order, Painter, Rect, Response, Sense, Stroke, StrokeKind, Ui, UiBuilder, vec2,
};

use super::grip::Hand;
use super::list::SHOWN_ONLY;
use super::look::{IDLE, INK, Look, left_of, right_of, wrapped};
use super::slider::{self, Held};
use crate::app::hud::{COOL, DIM, PLAIN};
use crate::control::mapping::MacroTarget;
use crate::params::{Def, Id, Kind, Target, Value};

/// Parts of a row's width: the label, and the value at its right.
const LABEL: f32 = 0.34;
const VALUE: f32 = 0.17;

/// How many lines the row of a parameter takes in `width` points.
pub(super) fn lines(def: &Def, width: f32, look: &Look) -> usize {
    match def.kind {
        Kind::Choice { options, .. } => wrapped(look, options.iter().copied(), width * (1.0 - LABEL)).1,
        _ => 1,
    }
}

/// Draws the row of a parameter.
pub(super) fn show(ui: &mut Ui, rect: Rect, target: Target, label: &str, hand: &mut Hand<'_>) {
    let look = *hand.look;
    let id = ui.id().with(("row", target));
    // What does nothing is grey, and can be set all the same: it may do something with the next network.
    let mut grey;
    let ui = if hand.show.applies(target.id).is_err() {
        grey = ui.new_child(UiBuilder::new().max_rect(rect));
        grey.multiply_opacity(IDLE);
        &mut grey
    } else {
        ui
    };
    let row = ui.interact(rect, id, Sense::CLICK);
    let is_over = ui.rect_contains_pointer(rect);
    if is_over {
        hand.grip.over = Some(target);
        ui.painter().rect_filled(rect, look.round(), super::look::CARD);
    }
    let first = Rect::from_min_size(rect.min, vec2(rect.width(), look.row()));
    let name = left_of(first, rect.width() * LABEL).shrink2(vec2(look.size * 0.5, 0.0));
    look.line(ui.painter(), name, Align2::LEFT_CENTER, label, PLAIN);
    let carried = carry(ui, name, id, target, label, &look);
    onto(ui, &row, rect, target, hand);
    let rest = right_of(rect, rect.width() * LABEL);
    let control = play(ui, rest, id, target, hand);
    let secondary = row.secondary_clicked() || carried.secondary;
    let double = row.double_clicked() || carried.double;
    meant(Clicks { secondary: control.secondary || secondary, double: control.double || double }, target, hand);
    if hand.learns == Some(target) {
        waiting(ui.painter(), rect, &look, ui.input(|input| input.time));
    }
}

/// The label of a number can be dragged onto a macro, which moves it from then on.
fn carry(ui: &Ui, name: Rect, id: bevy_egui::egui::Id, target: Target, label: &str, look: &Look) -> Clicks {
    if MacroTarget::new(target, None).is_err() {
        return Clicks::default();
    }
    let response = ui.interact(name, id.with("label"), Sense::CLICK | Sense::DRAG);
    response.dnd_set_drag_payload(target);
    if let Some(at) = response.interact_pointer_pos().filter(|_| response.dragged()) {
        ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
        let painter = ui.ctx().layer_painter(LayerId::new(Order::Tooltip, id.with("carried")));
        let plate = Rect::from_min_size(at + vec2(look.size, 0.0), vec2(look.width_of(label) + look.size, look.row()));
        painter.rect_filled(plate, look.round(), COOL);
        look.line(&painter, plate.shrink(look.size * 0.3), Align2::LEFT_CENTER, label, INK);
    }
    Clicks { secondary: response.secondary_clicked(), double: response.double_clicked() }
}

/// A macro takes what is dropped on its row.
fn onto(ui: &Ui, row: &Response, rect: Rect, target: Target, hand: &mut Hand<'_>) {
    let Some(number) = Id::MACROS.iter().position(|id| *id == target.id) else { return };
    if row.dnd_hover_payload::<Target>().is_some() {
        ui.painter().rect_stroke(rect, hand.look.round(), Stroke::new(2.0, COOL), StrokeKind::Inside);
    }
    if let Some(dropped) = row.dnd_release_payload::<Target>() {
        hand.write(Id::MacroSet, Value::Text(macro_entry(number, *dropped)));
    }
}

/// The value of `/macro/set` that lets a macro, from 0, move a parameter over its whole range.
pub(in crate::app) fn macro_entry(number: usize, target: Target) -> String {
    format!("{} = \"{target}\"", number + 1)
}

/// Draws only what plays a switch or a number without its digits, for the head of a card.
pub(super) fn control(ui: &mut Ui, rect: Rect, target: Target, hand: &mut Hand<'_>) {
    let id = ui.id().with(("control", target));
    if ui.rect_contains_pointer(rect) {
        hand.grip.over = Some(target);
    }
    let clicks = match target.id.def().kind {
        Kind::Bool { .. } => switch(ui, rect, id, target, hand),
        _ => slide(ui, rect, id, target, hand),
    };
    meant(clicks, target, hand);
    if hand.learns == Some(target) {
        waiting(ui.painter(), rect, hand.look, ui.input(|input| input.time));
    }
}

/// Does what a click means on every part of a row.
fn meant(clicks: Clicks, target: Target, hand: &mut Hand<'_>) {
    if clicks.secondary {
        learn(target, hand);
    } else if clicks.double {
        hand.reset(target);
    }
}

/// The clicks that mean the same on every part of a row.
#[derive(Default)]
struct Clicks {
    secondary: bool,
    double: bool,
}

/// Learns a control for the parameter, or stops if it is being learned.
pub(super) fn learn(target: Target, hand: &mut Hand<'_>) {
    if hand.learns == Some(target) {
        hand.write(Id::LearnCancel, Value::Nothing);
    } else if target.id.def().learnable {
        hand.write(Id::Learn, Value::Text(target.to_string()));
    }
}

/// A frame that pulses around what waits for a control.
fn waiting(painter: &Painter, rect: Rect, look: &Look, secs: f64) {
    let glow = 0.55 + 0.45 * (secs * 6.0).sin() as f32;
    painter.rect_stroke(rect, look.round(), Stroke::new(2.0, COOL.gamma_multiply(glow)), StrokeKind::Inside);
}

/// Draws what plays the parameter.
fn play(ui: &mut Ui, rest: Rect, id: bevy_egui::egui::Id, target: Target, hand: &mut Hand<'_>) -> Clicks {
    let def = target.id.def();
    match def.kind {
        Kind::Float { .. } | Kind::Int { .. } => number(ui, rest, id, target, hand),
        Kind::Bool { .. } => switch(ui, rest, id, target, hand),
        Kind::Choice { options, .. } => choice(ui, rest, id, target, options, hand),
        Kind::Trigger => trigger(ui, rest, id, target, hand),
        Kind::Text { .. } => text(ui, rest, id, target, hand),
        Kind::Vector { .. } => vector(ui, rest, id, target, hand),
    }
}

/// The slider of a number, and the number, which can be typed.
fn number(ui: &mut Ui, rest: Rect, id: bevy_egui::egui::Id, target: Target, hand: &mut Hand<'_>) -> Clicks {
    let (look, def) = (*hand.look, target.id.def());
    let width = rest.width() / (1.0 - LABEL) * VALUE;
    let value = right_of(rest, rest.width() - width);
    let control = left_of(rest, rest.width() - width - look.gap());
    if hand.grip.types(target) {
        if let Some(typed) = hand.grip.field(ui, value, &look) {
            hand.write(target, typed);
        }
    } else {
        let shown = ui.interact(value, id.with("number"), Sense::CLICK);
        let text = value.shrink2(vec2(look.size * 0.5, 0.0));
        let base = slider::number(hand.params.base(target), def);
        look.line(ui.painter(), text, Align2::RIGHT_CENTER, &base, PLAIN);
        if shown.hovered() {
            ui.painter().rect_stroke(value, look.round(), Stroke::new(1.0, DIM), StrokeKind::Inside);
        }
        if shown.clicked() {
            hand.grip.type_value(target, slider::number(hand.params.base(target), def));
        } else if shown.secondary_clicked() {
            return Clicks { secondary: true, double: false };
        }
    }
    if slider::has_slider(def) { slide(ui, control, id, target, hand) } else { step(ui, control, id, target, hand) }
}

fn slide(ui: &Ui, control: Rect, id: bevy_egui::egui::Id, target: Target, hand: &mut Hand<'_>) -> Clicks {
    let (look, def) = (*hand.look, target.id.def());
    let track = slider::track(control, &look);
    let response = ui.interact(control, id.with("slider"), Sense::CLICK | Sense::DRAG);
    let base = hand.params.travel(target);
    let reach = f64::from(slider::reach(&look) / track.width().max(1.0));
    let at = response.interact_pointer_pos().map(|at| slider::travel_at(track, at.x));
    let before = hand.grip.held.filter(|(held, _)| *held == target).map(|(_, held)| held);
    if response.drag_started_by(bevy_egui::egui::PointerButton::Primary) {
        let pressed = ui.input(|input| input.pointer.press_origin()).map(|at| slider::travel_at(track, at.x));
        hand.grip.held = pressed.map(|pressed| (target, Held::grab(base, pressed, reach)));
    }
    if let Some((held_target, held)) = hand.grip.held.filter(|(held, _)| *held == target) {
        let by = f64::from(response.drag_delta().x / track.width().max(1.0));
        let moved = held.moved(by, slider::is_fine(ui));
        hand.grip.held = Some((held_target, moved));
        let value = moved.value(def);
        if before.map_or(hand.params.base(target), |before| before.value(def)) != value {
            hand.write(target, Value::Float(value));
        }
        if response.drag_stopped() || !ui.input(|input| input.pointer.primary_down()) {
            hand.grip.held = None;
        }
    } else if response.clicked()
        && !response.double_clicked()
        && let Some(at) = at.filter(|at| (at - base).abs() > reach)
    {
        hand.write(target, Value::Float(Held { travel: at }.value(def)));
    }
    let plays = def.to_travel(hand.params.get(target));
    let is_moved = hand.params.modulated().contains(&target) || hand.params.bound().contains(&target);
    let is_gliding = (plays - base).abs() > 1e-3;
    let is_over = response.hovered() || response.dragged();
    slider::paint(ui.painter(), track, def, base, (is_moved || is_gliding).then_some(plays), is_over, &look);
    Clicks { secondary: response.secondary_clicked(), double: response.double_clicked() }
}

/// Buttons for a whole number with a wide range.
fn step(ui: &Ui, control: Rect, id: bevy_egui::egui::Id, target: Target, hand: &mut Hand<'_>) -> Clicks {
    let look = *hand.look;
    let width = look.size * 3.0;
    for (i, (sign, by)) in [("−", -1.0), ("+", 1.0)].into_iter().enumerate() {
        let at = right_of(control, look.size * 0.3 + i as f32 * (width + look.gap()));
        let button = left_of(at, width).shrink2(vec2(0.0, look.gap() * 0.5));
        if look.button(ui, button, id.with(sign), sign, false).clicked() {
            let by = if slider::is_fine(ui) { by * 10.0 } else { by };
            hand.write(target, Value::Float(hand.params.base(target) + by));
        }
    }
    Clicks::default()
}

fn switch(ui: &Ui, rest: Rect, id: bevy_egui::egui::Id, target: Target, hand: &mut Hand<'_>) -> Clicks {
    let is_on = hand.params.base(target) >= 0.5;
    let response = hand.look.switch(ui, rest, id.with("switch"), is_on);
    if response.clicked() {
        hand.write(target, Value::Bool(!is_on));
    }
    // Two clicks are two switches, not a reset.
    Clicks { secondary: response.secondary_clicked(), double: false }
}

fn choice(
    ui: &Ui,
    rest: Rect,
    id: bevy_egui::egui::Id,
    target: Target,
    options: &[&str],
    hand: &mut Hand<'_>,
) -> Clicks {
    let look = *hand.look;
    let chosen = hand.params.base(target).round() as usize;
    let mut clicks = Clicks::default();
    for (i, place) in wrapped(&look, options.iter().copied(), rest.width()).0 {
        let button = place.translate(rest.min.to_vec2() + vec2(0.0, look.gap() * 0.5));
        let response = look.button(ui, button, id.with(i), options[i], i == chosen);
        if response.clicked() {
            hand.write(target, Value::Text(options[i].to_owned()));
        }
        clicks.secondary |= response.secondary_clicked();
    }
    clicks
}

fn trigger(ui: &Ui, rest: Rect, id: bevy_egui::egui::Id, target: Target, hand: &mut Hand<'_>) -> Clicks {
    let look = *hand.look;
    let word = target.id.def().address.rsplit('/').next().unwrap_or_default();
    let width = (look.width_of(word) + look.size * 2.0).max(look.size * 7.0);
    let button = left_of(rest, width).shrink2(vec2(0.0, look.gap() * 0.5)).translate(vec2(look.size * 0.3, 0.0));
    let response = look.button(ui, button, id.with("fire"), word, false);
    if response.clicked() {
        hand.write(target, Value::Nothing);
    }
    Clicks { secondary: response.secondary_clicked(), double: false }
}

fn text(ui: &mut Ui, rest: Rect, id: bevy_egui::egui::Id, target: Target, hand: &mut Hand<'_>) -> Clicks {
    let look = *hand.look;
    let plate = rest.shrink2(vec2(look.size * 0.3, look.gap() * 0.5));
    if hand.grip.types(target) {
        if let Some(typed) = hand.grip.field(ui, plate, &look) {
            hand.write(target, typed);
        }
        return Clicks::default();
    }
    let is_shown_only = SHOWN_ONLY.contains(&target.id);
    let response = ui.interact(plate, id.with("text"), Sense::CLICK);
    let stroke = if response.hovered() && !is_shown_only { DIM } else { super::look::LINE };
    if !is_shown_only {
        ui.painter().rect_filled(plate, look.round(), bevy_egui::egui::Color32::from_rgb(6, 6, 9));
        ui.painter().rect_stroke(plate, look.round(), Stroke::new(1.0, stroke), StrokeKind::Inside);
    }
    let text = hand.params.text(target.id);
    let line = text.lines().next().unwrap_or_default();
    look.line(ui.painter(), plate.shrink2(vec2(look.size * 0.5, 0.0)), Align2::LEFT_CENTER, line, PLAIN);
    if response.clicked() && !is_shown_only {
        hand.grip.type_value(target, text.to_owned());
    }
    Clicks { secondary: response.secondary_clicked(), double: false }
}

fn vector(ui: &Ui, rest: Rect, id: bevy_egui::egui::Id, target: Target, hand: &mut Hand<'_>) -> Clicks {
    let look = *hand.look;
    let count = hand.params.vector(target.id).len();
    let width = look.size * 6.0;
    let button = left_of(rest, width).shrink2(vec2(0.0, look.gap() * 0.5)).translate(vec2(look.size * 0.3, 0.0));
    if count > 0 && look.button(ui, button, id.with("clear"), "clear", false).clicked() {
        hand.write(target, Value::Nothing);
    }
    let text = match count {
        0 => "empty".to_owned(),
        count => format!("{count} numbers"),
    };
    let at = rest.shrink2(vec2(look.size * 0.5, 0.0));
    look.line(ui.painter(), at, Align2::RIGHT_CENTER, &text, DIM);
    Clicks::default()
}
