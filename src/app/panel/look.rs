//! Colours and sizes of the panel, and its plain widgets: lines of text, buttons, switches.
//!
//! Painted by hand, as egui's own widgets take the focus of the keyboard: Space holds the picture, whatever was clicked
//! last.

use std::sync::Arc;

use bevy_egui::egui::epaint::RectShape;
use bevy_egui::egui::epaint::text::LayoutJob;
use bevy_egui::egui::style::ScrollStyle;
use bevy_egui::egui::{
    Align2, Color32, CornerRadius, FontId, Galley, Id, Painter, Pos2, Rect, Response, Sense, Stroke, StrokeKind,
    TextureId, Ui, Vec2, pos2, vec2,
};

use crate::app::hud::{COOL, DIM, PLAIN, WARM, mono};

/// The page's colours.
pub(super) const PLATE: Color32 = Color32::from_rgba_premultiplied(11, 11, 15, 249);
pub(super) const CARD: Color32 = Color32::from_rgb(21, 21, 27);
pub(super) const LINE: Color32 = Color32::from_rgb(44, 44, 55);
pub(super) const TRACK: Color32 = Color32::from_rgb(43, 43, 54);
const BUTTON: Color32 = Color32::from_rgb(29, 29, 37);
const OVER: Color32 = Color32::from_rgb(46, 46, 58);
/// Text on [`WARM`].
pub(super) const INK: Color32 = Color32::from_rgb(26, 18, 4);

/// How much is seen of what does nothing with the networks that play.
pub(super) const IDLE: f32 = 0.4;

/// Lines of text in the window's height.
const LINES: f32 = 56.0;
/// Characters that a page needs in its width.
const COLUMNS: f32 = 66.0;
/// A character of the monospace font is this wide, of its size.
const CHARACTER: f32 = 0.602;

/// Small text, as a part of the usual size; and from line to line, as a part of its own.
const SMALL: f32 = 0.85;
const LEADING: f32 = 1.2;

/// The sizes of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    /// Height of the text in points.
    pub size: f32,
}

impl Look {
    /// For a window, and a panel of this width in it.
    pub fn of(window: Vec2, width: f32) -> Look {
        let size = (window.y / LINES).min(width / COLUMNS / CHARACTER).clamp(9.0, 48.0);
        // Half points, so that few sizes of the font are drawn while a window is resized.
        Look { size: (size * 2.0).round() / 2.0 }
    }

    /// Height of a row.
    pub fn row(&self) -> f32 {
        (self.size * 2.1).round()
    }

    /// Between two buttons.
    pub fn gap(&self) -> f32 {
        (self.size * 0.35).round()
    }

    pub fn font(&self) -> FontId {
        mono(self.size)
    }

    pub fn small(&self) -> FontId {
        mono(self.size * SMALL)
    }

    /// How wide a text of one line is.
    pub fn width_of(&self, text: &str) -> f32 {
        text.chars().count() as f32 * self.size * CHARACTER
    }

    /// Colours and sizes of what egui draws itself: fields, bars to scroll.
    pub fn dress(&self, ui: &mut Ui) {
        let style = ui.style_mut();
        let visuals = &mut style.visuals;
        visuals.dark_mode = true;
        visuals.extreme_bg_color = Color32::from_rgb(6, 6, 9);
        visuals.selection.bg_fill = WARM.gamma_multiply(0.35);
        visuals.selection.stroke = Stroke::new(1.5, WARM);
        visuals.text_cursor.stroke = Stroke::new((self.size * 0.14).max(2.0), WARM);
        visuals.override_text_color = Some(PLAIN);
        visuals.widgets.inactive.bg_fill = TRACK;
        visuals.widgets.hovered.bg_fill = DIM.gamma_multiply(0.6);
        visuals.widgets.active.bg_fill = WARM;
        style.spacing.scroll = ScrollStyle { bar_width: (self.size * 0.7).max(8.0), ..ScrollStyle::solid() };
    }

    /// A line of text that ends in an ellipsis where there is no room.
    pub fn layout(&self, painter: &Painter, text: &str, font: FontId, colour: Color32, width: f32) -> Arc<Galley> {
        let mut job = LayoutJob::simple_singleline(text.to_owned(), font, colour);
        job.wrap.max_width = width.max(1.0);
        job.wrap.max_rows = 1;
        job.wrap.break_anywhere = true;
        painter.layout_job(job)
    }

    /// Paints a line of text in the middle of the height of `rect`, at its left, centre or right.
    pub fn line(&self, painter: &Painter, rect: Rect, align: Align2, text: &str, colour: Color32) -> Rect {
        self.line_in(painter, rect, align, text, self.font(), colour)
    }

    /// As [`Look::line`], smaller.
    pub fn note(&self, painter: &Painter, rect: Rect, align: Align2, text: &str, colour: Color32) -> Rect {
        self.line_in(painter, rect, align, text, self.small(), colour)
    }

    /// Paints small text from the top left of `rect`, in as many lines as fit there.
    pub fn paragraph(&self, painter: &Painter, rect: Rect, text: &str, colour: Color32) {
        let mut job = LayoutJob::simple(text.to_owned(), self.small(), colour, rect.width().max(1.0));
        job.wrap.max_rows = ((rect.height() / (self.size * SMALL * LEADING)) as usize).max(1);
        painter.galley(rect.min, painter.layout_job(job), colour);
    }

    fn line_in(&self, painter: &Painter, rect: Rect, align: Align2, text: &str, font: FontId, colour: Color32) -> Rect {
        let galley = self.layout(painter, text, font, colour, rect.width());
        let place = align.align_size_within_rect(galley.size(), rect);
        painter.galley(place.min, galley, colour);
        place
    }

    /// A button; `is_lit` in the accent.
    pub fn button(&self, ui: &Ui, rect: Rect, id: Id, text: &str, is_lit: bool) -> Response {
        let response = ui.interact(rect, id, Sense::CLICK);
        self.paint_button(ui, rect, text, &response, is_lit);
        response
    }

    /// The looks of a button.
    pub fn paint_button(&self, ui: &Ui, rect: Rect, text: &str, response: &Response, is_lit: bool) {
        let is_lit = is_lit || response.is_pointer_button_down_on();
        let (fill, ink) = match (is_lit, response.hovered()) {
            (true, _) => (WARM, INK),
            (_, true) => (OVER, PLAIN),
            _ => (BUTTON, PLAIN),
        };
        ui.painter().rect(rect, self.round(), fill, Stroke::new(1.0, LINE), StrokeKind::Inside);
        self.line(ui.painter(), rect.shrink2(vec2(self.size * 0.2, 0.0)), Align2::CENTER_CENTER, text, ink);
    }

    /// A switch, at the left of `rect`.
    pub fn switch(&self, ui: &Ui, rect: Rect, id: Id, is_on: bool) -> Response {
        let response = ui.interact(rect, id, Sense::CLICK);
        let height = self.size * 1.25;
        let pill = Rect::from_center_size(pos2(rect.min.x + height, rect.center().y), vec2(height * 1.8, height));
        let fill = if is_on { WARM } else { TRACK };
        ui.painter().rect(pill, height * 0.5, fill, Stroke::new(1.0, LINE), StrokeKind::Outside);
        let knob = if is_on { pill.max.x - height * 0.5 } else { pill.min.x + height * 0.5 };
        ui.painter().circle_filled(pos2(knob, pill.center().y), height * 0.36, Color32::WHITE);
        if response.hovered() {
            ui.painter().rect_stroke(pill, height * 0.5, Stroke::new(1.5, COOL), StrokeKind::Outside);
        }
        response
    }

    /// A picture that fills `rect`; what is too tall of it is left out at its top and bottom.
    pub fn picture(&self, painter: &Painter, rect: Rect, texture: TextureId) {
        let share = (rect.height() / rect.width().max(1.0)).min(1.0);
        let part = Rect::from_min_max(pos2(0.0, 0.5 - share * 0.5), pos2(1.0, 0.5 + share * 0.5));
        painter.add(RectShape::filled(rect, self.round(), Color32::WHITE).with_texture(texture, part));
    }

    pub fn round(&self) -> CornerRadius {
        CornerRadius::same((self.size * 0.4) as u8)
    }
}

/// The rest of a rectangle, right of `left` points.
pub(super) fn right_of(rect: Rect, left: f32) -> Rect {
    Rect::from_min_max(pos2(rect.min.x + left, rect.min.y), rect.max)
}

/// The first `width` points of a rectangle.
pub(super) fn left_of(rect: Rect, width: f32) -> Rect {
    Rect::from_min_size(rect.min, vec2(width, rect.height()))
}

/// Where words stand as buttons of one line each in `width` points: their places, and how many lines they take.
pub(super) fn wrapped<'a>(
    look: &Look,
    words: impl Iterator<Item = &'a str>,
    width: f32,
) -> (Vec<(usize, Rect)>, usize) {
    let (height, gap) = (look.row() - look.gap(), look.gap());
    let (mut at, mut line) = (0.0, 0);
    let mut places = Vec::new();
    for (i, word) in words.enumerate() {
        let own = (look.width_of(word) + look.size * 1.2).min(width);
        if at > 0.0 && at + own > width {
            (at, line) = (0.0, line + 1);
        }
        let from = Pos2::new(at, line as f32 * look.row());
        places.push((i, Rect::from_min_size(from, vec2(own, height))));
        at += own + gap;
    }
    (places, line + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_wrap_and_keep_their_order() {
        let look = Look { size: 10.0 };
        let words = ["hold", "drift", "loop", "line"];
        let (wide, lines) = wrapped(&look, words.into_iter(), 400.0);
        assert_eq!((wide.len(), lines), (4, 1));
        let (narrow, lines) = wrapped(&look, words.into_iter(), 100.0);
        assert_eq!(lines, 2);
        assert!(narrow.iter().all(|(_, rect)| rect.max.x <= 100.0));
        assert!(narrow.windows(2).all(|two| two[0].1.min.y < two[1].1.min.y || two[0].1.max.x < two[1].1.min.x));
        assert_eq!(wrapped(&look, words.into_iter(), 20.0).1, 4, "one a line where none fits");
    }

    #[test]
    fn text_fits_the_window_and_the_panel() {
        let at = |width: f32, height: f32, panel: f32| Look::of(vec2(width, height), panel).size;
        assert!(at(1280.0, 720.0, 640.0) >= 11.0);
        assert!(at(3840.0, 2160.0, 1900.0) >= 30.0);
        assert!(at(1280.0, 720.0, 300.0) < at(1280.0, 720.0, 640.0), "narrow");
    }
}
