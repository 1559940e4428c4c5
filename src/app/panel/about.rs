//! The foot of a page: what is known about what the pointer is over.

use bevy_egui::egui::{Align2, Rect, Ui, pos2, vec2};

use super::grip::Hand;
use super::look::{LINE, Look};
use crate::app::hud::{COOL, DIM, WARM};
use crate::params::{Kind, Target};

/// Lines at the foot: a title, and two of small text.
const LINES: f32 = 2.1;

/// Where the foot of a page is.
pub(super) fn place(area: Rect, look: &Look) -> Rect {
    Rect::from_min_max(pos2(area.min.x, area.max.y - look.row() * LINES), area.max)
}

/// Draws it; with `hint` while the pointer is over nothing.
pub(super) fn show(ui: &Ui, rect: Rect, hint: &str, hand: &Hand<'_>) {
    let look = hand.look;
    ui.painter().hline(rect.x_range(), rect.min.y + look.gap() * 0.5, (1.0, LINE));
    let all = rect.with_min_y(rect.min.y + look.gap());
    let (first, second) = all.split_top_bottom_at_y(all.min.y + look.size * 1.7);
    let paint = |title: &str, help: &str, colour| {
        look.line(ui.painter(), first, Align2::LEFT_CENTER, title, COOL);
        look.paragraph(ui.painter(), second, help, colour);
    };
    if let Some(target) = hand.learns {
        let line = format!("{target} waits for a control: move one · right click cancels");
        paint(&line, target.id.def().help, DIM);
    } else if let Some(said) = &hand.grip.said {
        paint(&said.title, &said.help, DIM);
    } else if let Some(target) = hand.grip.over {
        match hand.show.applies(target.id) {
            Ok(()) => paint(&facts(target, hand), target.id.def().help, DIM),
            Err(reason) => paint(&facts(target, hand), &format!("does nothing now: {reason}"), WARM),
        }
    } else {
        look.paragraph(ui.painter(), all.translate(vec2(0.0, look.gap())), hint, DIM);
    }
}

/// Address, range, unit, default and what plays.
fn facts(target: Target, hand: &Hand<'_>) -> String {
    let def = target.id.def();
    let unit = if def.unit.is_empty() { String::new() } else { format!(" {}", def.unit) };
    let mut line = target.to_string();
    if let Kind::Float { min, max, default } = def.kind {
        line += &format!(" · {min} to {max}{unit} · default {default}");
    } else if let Kind::Int { min, max, default } = def.kind {
        line += &format!(" · {min} to {max}{unit} · default {default}");
    }
    let (base, plays) = (hand.params.base(target), hand.params.get(target));
    if def.default_number().is_some() && (base - plays).abs() > 1e-4 * (1.0 + base.abs()) {
        line += &format!(" · plays {plays:.3}");
    }
    line
}
