//! The code on the audience's window: what the player sees, without tabs, names and messages.

use bevy_egui::egui::text::CCursor;
use bevy_egui::egui::{Context, LayerId, Stroke, pos2};

use super::look::{self, Screen, Size};
use super::{Editor, glow, text};
use crate::app::hud::{PLAIN, WARM};
use crate::params::Params;

/// The share of the height below which the cursor's line does not go.
const LOWEST: f32 = 0.72;

/// Paints the current document over the picture. Does nothing before there is one.
pub(in crate::app) fn paint(ctx: &Context, editor: &mut Editor, params: &Params) {
    let screen = ctx.content_rect();
    let points = editor.points(screen.height());
    let margin = points * 1.5;
    let size = Size { points, width: screen.width() - 2.0 * margin };
    let Some(document) = editor.documents.get_mut(editor.current).filter(|document| document.is_loaded) else { return };
    look::find_assigned(document, &editor.words);
    let galley = look::layout(document, Screen::Output, &editor.words, ctx, size);
    let document = &editor.documents[editor.current];
    let at = document.cursor.min(document.text.len());
    let cursor = galley.pos_from_cursor(CCursor::new(text::character_of(&document.text, at)));
    let hidden = (cursor.min.y - screen.height() * LOWEST).max(0.0);
    let from = pos2(screen.min.x + margin, screen.min.y + margin - hidden);
    let painter = ctx.layer_painter(LayerId::background());
    let here = text::line_of(&document.text, at);
    let glow = |line: usize| glow(&editor.flashes, document.serial, line);
    painter.extend(look::plates(document, Screen::Output, (&galley, from), points, Some(here), glow));
    look::meters(document, (&galley, from), points, (params, &editor.coded), &painter);
    painter.galley(from, galley, PLAIN);
    let line = cursor.translate(from.to_vec2());
    let foot = pos2(line.min.x, line.min.y + points * look::LINE_HEIGHT);
    painter.line_segment([line.min, foot], Stroke::new((points * 0.14).max(2.0), WARM));
}
