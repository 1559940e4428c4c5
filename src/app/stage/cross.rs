//! The crossfader: brings in by hand the preset that waits for it.
//!
//! A right click on a tile lets a preset wait. The cap is dragged from wherever the track is touched, so that a touch alone
//! moves nothing.

use bevy_egui::egui::{Align2, Color32, CursorIcon, Id, PointerButton, Rect, Sense, Ui, pos2, vec2};

use super::{Frame, look};
use crate::app::hud::{COOL, DIM, WARM};
use crate::params::{Id as Param, Value};

/// Half the width of the cap, in points.
const CAP: f32 = 7.0;
/// As near to an end counts as the end.
const END: f64 = 0.025;

/// What is being dragged.
#[derive(Default)]
pub(super) struct Cross {
    /// Where the cap is by now, 0 to 1.
    drag: Option<f64>,
}

/// Paints it, and writes what a hand does.
pub(super) fn paint(ui: &Ui, area: Rect, state: &mut Cross, frame: &mut Frame) {
    let position = frame.show.params().base(Param::PresetCross);
    let crosses = frame.show.crosses();
    let painter = ui.painter();
    // What is on its way is what plays already.
    let (text, colour) = match frame.show.armed_preset() {
        Some(name) => (format!("crossfade: {name}"), COOL),
        None if crosses => (format!("crossfade: {}", frame.status.preset), COOL),
        None => ("right click on a preset: crossfade by hand".to_owned(), DIM),
    };
    look::line(painter, area.min + vec2(2.0, 0.0), Align2::LEFT_TOP, &text, 12.5, colour, area.width() - 4.0);
    let track = Rect::from_min_max(area.min + vec2(0.0, 20.0), area.max);
    painter.rect_filled(track, look::ROUND, look::CARD);
    let slot = track.shrink2(vec2(CAP + 4.0, 0.0));
    let line = Rect::from_center_size(slot.center(), vec2(slot.width(), 6.0));
    painter.rect_filled(line, 3.0, look::TRACK);
    if crosses {
        play(ui, track, slot.width(), position, state, frame);
    } else {
        state.drag = None;
    }
    let cap = pos2(slot.min.x + slot.width() * position as f32, track.center().y);
    let colour = match (state.drag, crosses) {
        (Some(_), _) => Color32::WHITE,
        (None, true) => WARM,
        (None, false) => look::EDGE,
    };
    painter.rect_filled(Rect::from_center_size(cap, vec2(2.0 * CAP, track.height() - 6.0)), 3.0, colour);
}

fn play(ui: &Ui, track: Rect, width: f32, position: f64, state: &mut Cross, frame: &mut Frame) {
    let response = ui.interact(track, Id::new("stage crossfader"), Sense::click_and_drag());
    if response.hovered() {
        ui.ctx().set_cursor_icon(CursorIcon::ResizeHorizontal);
    }
    if response.drag_started_by(PointerButton::Primary) {
        state.drag = Some(position);
    }
    if !response.dragged_by(PointerButton::Primary) {
        state.drag = None;
    }
    let moved = f64::from(response.drag_delta().x / width.max(1.0));
    if let Some(at) = &mut state.drag
        && moved != 0.0
    {
        *at = (*at + moved).clamp(0.0, 1.0);
        // The ends are easily reached.
        let to = if *at < END {
            0.0
        } else if *at > 1.0 - END {
            1.0
        } else {
            *at
        };
        frame.write(Param::PresetCross, Value::Float(to));
    }
}
