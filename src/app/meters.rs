//! The meters of the sound on the HUD: bars for bass, mid and high behind their names, and lamps for hits.

use bevy_egui::egui::{Color32, Painter, Pos2, Rect, Vec2};

use super::hud::{COOL, DIM, PLAIN, RED, WARM};
use crate::audio::outputs::OUTPUTS;
use crate::control::osc::feeds::Heard;
use crate::show::Summary;

/// The row of the HUD, and its text.
pub(super) const LABEL: &str = "sound";
pub(super) const NAMES: &str = "bass     mid      high";

/// The signal of each bar; a bar is 8 columns wide, and the next begins after a ninth.
const BARS: [(&str, Color32); 3] = [("audio.bass", RED), ("audio.mid", WARM), ("audio.high", COOL)];
const BAR_COLUMNS: f32 = 8.0;
const NEXT_BAR: f32 = 9.0;
/// The signal of each lamp, from the left: anything, kick, snare, hat.
const LAMPS: [(&str, Color32); 4] =
    [("audio.onset", PLAIN), ("audio.kick", RED), ("audio.snare", WARM), ("audio.hat", COOL)];
/// The column of the first lamp, and from one to the next.
const FIRST_LAMP: f32 = 27.5;
const NEXT_LAMP: f32 = 1.25;

/// The value of a signal, 0 to 1.
fn value(heard: &Heard, signal: &str) -> f32 {
    OUTPUTS.iter().zip(heard.0).find(|(output, _)| output.signal == signal).map_or(0.0, |(_, value)| value)
}

/// Whether a sound is listened to.
pub(super) fn hears(status: &Summary) -> bool {
    status.devices.iter().any(|device| device.name == "audio" && !device.open.is_empty())
}

/// Whether something was hit just now, 1 falling to 0.
pub(super) fn onset(heard: &Heard) -> f32 {
    value(heard, "audio.onset")
}

/// Paints bass, mid and high as upright bars side by side.
pub(super) fn bars(painter: &Painter, area: Rect, heard: &Heard) {
    let step = area.width() / BARS.len() as f32;
    for (i, (signal, colour)) in BARS.into_iter().enumerate() {
        let left = area.min.x + step * i as f32;
        let bar = |share: f32| {
            Rect::from_min_max(
                Pos2::new(left, area.max.y - area.height() * share),
                Pos2::new(left + step * 0.8, area.max.y),
            )
        };
        painter.rect_filled(bar(1.0), 2.0, DIM.gamma_multiply(0.18));
        painter.rect_filled(bar(value(heard, signal).clamp(0.0, 1.0)), 2.0, colour.gamma_multiply(0.75));
    }
}

/// Paints them from the row's first column on.
pub(super) fn meters(painter: &Painter, at: Pos2, cell: Vec2, heard: &Heard) {
    let height = cell.y * 0.86;
    for (i, (signal, colour)) in BARS.into_iter().enumerate() {
        let left = at + Vec2::new(cell.x * (NEXT_BAR * i as f32), (cell.y - height) / 2.0);
        let bar = |share: f32| Rect::from_min_size(left, Vec2::new(cell.x * BAR_COLUMNS * share, height));
        painter.rect_filled(bar(1.0), cell.y * 0.15, DIM.gamma_multiply(0.18));
        painter.rect_filled(bar(value(heard, signal).clamp(0.0, 1.0)), cell.y * 0.15, colour.gamma_multiply(0.55));
    }
    for (i, (signal, colour)) in LAMPS.into_iter().enumerate() {
        let centre = at + Vec2::new(cell.x * (FIRST_LAMP + NEXT_LAMP * i as f32), cell.y * 0.5);
        let lit = DIM.gamma_multiply(0.4).lerp_to_gamma(colour, value(heard, signal).clamp(0.0, 1.0));
        painter.circle_filled(centre, cell.y * 0.27, lit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_meter_has_its_signal_and_its_name_above_its_bar() {
        for (signal, _) in BARS.into_iter().chain(LAMPS) {
            let place = OUTPUTS.iter().position(|output| output.signal == signal).expect(signal);
            let mut heard = Heard::default();
            heard.0[place] = 0.5;
            assert_eq!(value(&heard, signal), 0.5);
        }
        for (i, (signal, _)) in BARS.into_iter().enumerate() {
            let column = NAMES.find(signal.trim_start_matches("audio.")).expect(signal);
            assert_eq!(column as f32, NEXT_BAR * i as f32);
        }
    }
}
