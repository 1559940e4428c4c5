//! How the stage looks: its colours and texts, and the style of egui's own widgets.

use bevy_egui::egui::{
    self, Align2, Color32, Context, CornerRadius, FontFamily, FontId, Id, Painter, Pos2, Rect, Response, Sense, Stroke,
    StrokeKind, Ui, Vec2, vec2,
};

use crate::app::hud::{DIM, PLAIN, WARM};

/// Behind everything.
pub(in crate::app) const BACK: Color32 = Color32::from_rgb(11, 11, 15);
/// A button or tile that rests.
pub(super) const CARD: Color32 = Color32::from_rgb(21, 21, 27);
/// A button under the pointer, and the tracks of faders.
pub(super) const TRACK: Color32 = Color32::from_rgb(38, 38, 48);
pub(super) const EDGE: Color32 = Color32::from_rgb(58, 58, 70);
pub(super) const GREEN: Color32 = Color32::from_rgb(112, 214, 128);
/// Rounding of cards, in points.
pub(super) const ROUND: f32 = 6.0;

pub(super) fn font(size: f32) -> FontId {
    FontId::new(size, FontFamily::Proportional)
}

/// Writes one line, cut to `width` with an ellipsis.
pub(super) fn line(painter: &Painter, at: Pos2, anchor: Align2, text: &str, size: f32, colour: Color32, width: f32) {
    let mut job =
        egui::text::LayoutJob::single_section(text.to_owned(), egui::text::TextFormat::simple(font(size), colour));
    job.wrap = egui::text::TextWrapping::truncate_at_width(width.max(1.0));
    let galley = painter.layout_job(job);
    let rect = anchor.anchor_size(at, galley.size());
    painter.galley(rect.min, galley, colour);
}

/// A card, lit with `colour` if it is on.
pub(super) fn card(painter: &Painter, rect: Rect, lit: Option<Color32>, is_hovered: bool) {
    let fill = match lit {
        Some(colour) => colour,
        None if is_hovered => TRACK,
        None => CARD,
    };
    painter.rect_filled(rect, ROUND, fill);
    if lit.is_none() {
        painter.rect_stroke(rect, ROUND, Stroke::new(1.0, EDGE), StrokeKind::Inside);
    }
}

/// How a button is lit: its colour, and whether it blinks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lit {
    pub colour: Color32,
    pub blinks: bool,
}

/// A button with a text in its middle, lit while something is on.
pub(super) fn button(ui: &Ui, rect: Rect, id: Id, text: &str, lit: Option<Lit>) -> Response {
    let response = ui.interact(rect, id, Sense::click());
    let glow = lit.map(|lit| {
        let time = ui.input(|input| input.time);
        let is_dim = lit.blinks && time.rem_euclid(1.0) > 0.5;
        if is_dim { lit.colour.gamma_multiply(0.55) } else { lit.colour }
    });
    card(ui.painter(), rect, glow, response.hovered());
    let colour = if lit.is_some() { BACK } else { DIM };
    line(ui.painter(), rect.center(), Align2::CENTER_CENTER, text, 15.0, colour, rect.width() - 8.0);
    response
}

/// The colour of a lamp: `glow` 0 to 1.
pub(super) fn lamp(colour: Color32, glow: f32) -> Color32 {
    TRACK.lerp_to_gamma(colour, glow.clamp(0.0, 1.0))
}

/// Dark, with one accent, and large enough for fingers: for egui's own widgets on the pages of the panel.
pub(in crate::app) fn style(ctx: &Context) {
    ctx.global_style_mut(|style| {
        let visuals = &mut style.visuals;
        *visuals = egui::Visuals::dark();
        visuals.override_text_color = Some(PLAIN);
        visuals.weak_text_color = Some(DIM);
        visuals.panel_fill = BACK;
        visuals.window_fill = CARD;
        visuals.extreme_bg_color = Color32::from_rgb(6, 6, 9);
        visuals.faint_bg_color = CARD;
        visuals.hyperlink_color = WARM;
        visuals.slider_trailing_fill = true;
        visuals.selection.bg_fill = WARM.gamma_multiply(0.55);
        visuals.selection.stroke = Stroke::new(1.0, WARM);
        visuals.window_stroke = Stroke::new(1.0, EDGE);
        let widgets = &mut visuals.widgets;
        for (widget, fill, text) in [
            (&mut widgets.noninteractive, CARD, PLAIN),
            (&mut widgets.inactive, TRACK, PLAIN),
            (&mut widgets.hovered, Color32::from_rgb(52, 52, 64), Color32::WHITE),
            (&mut widgets.active, WARM.gamma_multiply(0.7), Color32::WHITE),
            (&mut widgets.open, TRACK, PLAIN),
        ] {
            (widget.bg_fill, widget.weak_bg_fill) = (fill, fill);
            widget.fg_stroke = Stroke::new(1.0, text);
            widget.bg_stroke = Stroke::NONE;
            widget.corner_radius = CornerRadius::same(4);
        }
        style.spacing.interact_size = vec2(40.0, 26.0);
        style.spacing.item_spacing = vec2(8.0, 6.0);
        style.spacing.slider_width = 180.0;
        style.spacing.button_padding = vec2(10.0, 5.0);
        style.spacing.scroll.bar_width = 8.0;
        style.interaction.selectable_labels = false;
    });
}

/// The largest rectangle of this shape (width over height) in the middle of another.
pub(in crate::app) fn fitted(inside: Rect, shape: f32) -> Rect {
    let size = inside.size();
    let size =
        if size.x > size.y * shape { Vec2::new(size.y * shape, size.y) } else { Vec2::new(size.x, size.x / shape) };
    Rect::from_center_size(inside.center(), size)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_picture_keeps_its_shape_in_any_room() {
        let room = Rect::from_min_size(Pos2::ZERO, vec2(200.0, 100.0));
        assert_eq!(fitted(room, 1.0).size(), vec2(100.0, 100.0));
        assert_eq!(fitted(room, 4.0), Rect::from_min_size(Pos2::new(0.0, 25.0), vec2(200.0, 50.0)));
    }
}
