//! The strip under the preview: the beat, the tempo and what leads it, the sound, the frame rate, and what is on.

use bevy_egui::egui::{Align2, Id, Rect, Sense, Ui, pos2, vec2};

use super::look::{self, Lit};
use super::{Frame, button, cut, graph};
use crate::app::hud::{COOL, DIM, PLAIN, RED, WARM};
use crate::app::meters;
use crate::params::{Id as Param, Value};

/// What it remembers.
#[derive(Default)]
pub(super) struct Strip {
    /// Whether the graph of the frame rate is shown.
    has_graph: bool,
}

/// Paints it, and writes what is clicked.
pub(super) fn paint(ui: &Ui, area: Rect, state: &mut Strip, frame: &mut Frame) {
    let mut rest = area;
    beat(ui, cut(&mut rest, 232.0), frame);
    if meters::hears(frame.status) {
        sound(ui, cut(&mut rest, 118.0), frame);
    }
    rate(ui, cut(&mut rest, 84.0), state, frame);
    switches(ui, rest, frame);
}

/// Four lamps, bar and beat, the tempo and its source. A click taps.
fn beat(ui: &Ui, area: Rect, frame: &mut Frame) {
    let response = ui.interact(area, Id::new("stage tap"), Sense::click());
    let painter = ui.painter();
    look::card(painter, area, None, response.hovered());
    let beat = frame.status.beat;
    let running = beat.rem_euclid(4.0);
    for lamp in 0..4u8 {
        let since = running - f64::from(lamp);
        let glow = if (0.0..1.0).contains(&since) { 1.0 - 0.7 * since as f32 } else { 0.0 };
        let centre = pos2(area.min.x + 18.0 + 22.0 * f32::from(lamp), area.min.y + 19.0);
        painter.circle_filled(centre, if lamp == 0 { 8.5 } else { 7.0 }, look::lamp(WARM, glow));
    }
    let count = format!("{}.{}", (beat / 4.0).floor() as i64 + 1, running.floor() as i64 + 1);
    let at = pos2(area.min.x + 10.0, area.max.y - 6.0);
    look::line(painter, at, Align2::LEFT_BOTTOM, &count, 13.0, DIM, 90.0);
    let right = area.max.x - 10.0;
    let bpm = format!("{:.1}", frame.status.bpm);
    look::line(painter, pos2(right - 34.0, area.min.y + 3.0), Align2::RIGHT_TOP, &bpm, 25.0, PLAIN, 110.0);
    look::line(painter, pos2(right, area.min.y + 14.0), Align2::RIGHT_TOP, "bpm", 12.0, DIM, 40.0);
    let source = if frame.status.tempo_from.is_empty() { "click to tap" } else { frame.status.tempo_from };
    look::line(painter, pos2(right, area.max.y - 6.0), Align2::RIGHT_BOTTOM, source, 13.0, DIM, 130.0);
    // When it is pressed: how long it is held does not count.
    if response.contains_pointer() && ui.input(|input| input.pointer.primary_pressed()) {
        frame.write(Param::Tap, Value::Nothing);
    }
}

/// How loud bass, mid and high are, and a lamp for hits.
fn sound(ui: &Ui, area: Rect, frame: &Frame) {
    let painter = ui.painter();
    look::card(painter, area, None, false);
    let inner = area.shrink2(vec2(10.0, 8.0));
    meters::bars(painter, Rect::from_min_max(inner.min, inner.max - vec2(34.0, 0.0)), &frame.status.heard);
    let lamp = pos2(inner.max.x - 11.0, inner.center().y);
    painter.circle_filled(lamp, 11.0, look::lamp(WARM, meters::onset(&frame.status.heard)));
}

/// The lamp of the frame rate; a click shows the graph.
fn rate(ui: &Ui, area: Rect, state: &mut Strip, frame: &Frame) {
    let response = ui.interact(area, Id::new("stage rate"), Sense::click());
    state.has_graph ^= response.clicked();
    let painter = ui.painter();
    look::card(painter, area, None, response.hovered() || state.has_graph);
    painter.circle_filled(pos2(area.min.x + 18.0, area.min.y + 19.0), 8.0, frame.rate.lamp());
    let fps = format!("{:.0}", frame.rate.per_sec());
    look::line(painter, pos2(area.max.x - 10.0, area.min.y + 6.0), Align2::RIGHT_TOP, &fps, 20.0, PLAIN, 50.0);
    look::line(painter, pos2(area.max.x - 10.0, area.max.y - 6.0), Align2::RIGHT_BOTTOM, "fps", 12.0, DIM, 40.0);
}

/// What holds, is black, or is being recorded: lit while it is on, and switched by a click.
fn switches(ui: &Ui, area: Rect, frame: &mut Frame) {
    let params = frame.show.params();
    let (is_held, is_black) = (params.bool(Param::Freeze), params.base(Param::Blackout) >= 0.5);
    let is_recording = frame.status.recording.is_some();
    let time = frame.status.recording.as_deref().and_then(|line| line.split_whitespace().next());
    let rec = time.map_or_else(|| "REC".to_owned(), |time| format!("REC {time}"));
    let width = (area.width() - 2.0 * super::GAP) / 3.4;
    let mut rest = area;
    let lit = |is_on: bool, colour, blinks| is_on.then_some(Lit { colour, blinks });
    let held = cut(&mut rest, width);
    if button(ui, held, "hold", if is_held { "HELD" } else { "HOLD" }, lit(is_held, COOL, false)) {
        frame.write(Param::Freeze, Value::Bool(!is_held));
    }
    if button(ui, cut(&mut rest, width), "black", "BLACK", lit(is_black, PLAIN, true)) {
        frame.write(Param::Blackout, Value::Float(if is_black { 0.0 } else { 1.0 }));
    }
    if button(ui, rest, "rec", &rec, lit(is_recording, RED, false)) {
        frame.write(if is_recording { Param::RecordStop } else { Param::RecordStart }, Value::Nothing);
    }
}

/// The graph of the frame rate, at the bottom of the preview.
pub(super) fn graph(ui: &Ui, preview: Rect, state: &Strip, frame: &Frame) {
    if state.has_graph {
        let area = Rect::from_min_max(pos2(preview.min.x + 8.0, preview.max.y - 128.0), preview.max - vec2(8.0, 8.0));
        graph::paint(ui.painter(), area, frame.rate, (frame.status.pictures_per_sec, frame.status.synthesis_ms));
    }
}
