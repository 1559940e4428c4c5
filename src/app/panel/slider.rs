//! The slider of a number: what a drag makes of it, and how it is painted.
//!
//! Filled up to the written value, with a tick at what plays where a modulator or live code moves it.

use bevy_egui::egui::{Color32, Painter, Rect, Ui, pos2, vec2};

use super::look::{Look, TRACK};
use crate::app::hud::{COOL, WARM};
use crate::params::{Def, Kind};

/// With Shift, the pointer moves a value by this part.
const FINE: f64 = 0.1;
/// Whole numbers with a wider range than this have buttons instead.
const MOST_STEPS: f64 = 1000.0;

/// A slider that is held.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Held {
    /// Where it is, 0 to 1; may be beyond, so that a pointer that comes back finds it.
    pub travel: f64,
}

impl Held {
    /// Takes a slider at `travel` by a pointer at `at`, both 0 to 1: its handle, which reaches `reach` to both sides, is taken
    /// as it is; elsewhere it goes to the pointer.
    pub fn grab(travel: f64, at: f64, reach: f64) -> Held {
        Held { travel: if (travel - at).abs() <= reach { travel } else { at } }
    }

    /// Moves it by this part of its width.
    pub fn moved(self, by: f64, is_fine: bool) -> Held {
        Held { travel: self.travel + if is_fine { by * FINE } else { by } }
    }

    /// The value that it stands for.
    pub fn value(self, def: &Def) -> f64 {
        neat(def.from_travel(self.travel), def)
    }
}

/// A value with as many digits as a hand can set: about a thousandth of the range.
pub(super) fn neat(value: f64, def: &Def) -> f64 {
    let (min, max) = def.range();
    if let Kind::Float { .. } = def.kind {
        // By dividing: 0.001 is not a float, 1000 is.
        let digits = 3 - (max - min).log10().floor() as i32;
        let scale = 10f64.powi(digits.abs());
        let rounded = if digits >= 0 { (value * scale).round() / scale } else { (value / scale).round() * scale };
        return rounded.clamp(min, max);
    }
    value.round()
}

/// Whether a number is set by a slider; if not, by stepping and typing.
pub(super) fn has_slider(def: &Def) -> bool {
    let (min, max) = def.range();
    !matches!(def.kind, Kind::Int { .. }) || max - min <= MOST_STEPS
}

/// A number as it is read at a glance: digits as the range needs them.
pub(super) fn number(value: f64, def: &Def) -> String {
    let (min, max) = def.range();
    match def.kind {
        Kind::Int { .. } => format!("{value:.0}"),
        _ if max - min >= 200.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// Where the bar begins: at 0 if that is in the range.
fn origin(def: &Def) -> f64 {
    def.to_travel(0.0)
}

/// The handle reaches this many points to both sides.
pub(super) fn reach(look: &Look) -> f32 {
    look.size * 0.7
}

/// The part of a row that the slider's value moves in.
pub(super) fn track(rect: Rect, look: &Look) -> Rect {
    rect.shrink2(vec2(look.size * 0.3, rect.height() * 0.22))
}

/// Where a pointer is on a track, 0 to 1 and beyond.
pub(super) fn travel_at(track: Rect, x: f32) -> f64 {
    f64::from((x - track.min.x) / track.width().max(1.0))
}

/// Paints a slider: `base` is what was written, `plays` what plays, if it is moved; both 0 to 1.
pub(super) fn paint(
    painter: &Painter,
    track: Rect,
    def: &Def,
    base: f64,
    plays: Option<f64>,
    is_over: bool,
    look: &Look,
) {
    let x = |travel: f64| track.min.x + track.width() * travel.clamp(0.0, 1.0) as f32;
    painter.rect_filled(track, look.round(), TRACK);
    let (from, to) = (x(origin(def)), x(base));
    let bar = Rect::from_min_max(pos2(from.min(to), track.min.y), pos2(from.max(to), track.max.y));
    painter.rect_filled(bar, look.round(), WARM.gamma_multiply(if is_over { 0.55 } else { 0.42 }));
    let handle = |x: f32, width: f32, taller: f32, colour: Color32| {
        let size = vec2(width, track.height() + taller);
        painter.rect_filled(Rect::from_center_size(pos2(x, track.center().y), size), width * 0.5, colour);
    };
    handle(to, (look.size * 0.32).max(3.0), look.size * 0.3, WARM);
    if let Some(plays) = plays {
        handle(x(plays), (look.size * 0.2).max(2.0), look.size * 0.3, COOL);
    }
}

/// Whether Shift is held.
pub(super) fn is_fine(ui: &Ui) -> bool {
    ui.input(|input| input.modifiers.shift)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Id;

    #[test]
    fn the_handle_is_taken_as_it_is_and_the_rest_goes_to_the_pointer() {
        assert_eq!(Held::grab(0.5, 0.51, 0.02).travel, 0.5);
        assert_eq!(Held::grab(0.5, 0.6, 0.02).travel, 0.6);
    }

    #[test]
    fn a_drag_moves_finely_with_shift_and_comes_back_from_beyond() {
        let speed = Id::WalkSpeed.def();
        let held = Held { travel: 0.5 };
        assert_eq!(held.moved(0.25, false).value(speed), 2.0);
        assert_eq!(held.moved(0.25, true).value(speed), 0.2);
        let beyond = held.moved(0.75, false);
        assert_eq!(beyond.value(speed), 4.0);
        assert_eq!(beyond.moved(-0.75, false).value(speed), 0.0);
        assert_eq!(Held { travel: 0.34 }.value(Id::StylePasses.def()), 3.0);
    }

    #[test]
    fn values_have_the_digits_that_a_hand_can_set() {
        for (id, value, expected) in [
            (Id::Psi, 0.123_456, 0.123),
            (Id::WalkSpeed, -3.999_9, -4.0),
            (Id::FeedbackRotate, 12.345, 12.3),
            (Id::Tempo, 119.96, 120.0),
            (Id::SnapshotEvery, 86_399.0, 86_400.0),
            (Id::StyleA, 2.6, 3.0),
        ] {
            assert_eq!(neat(value, id.def()), expected, "{id:?}");
        }
        assert_eq!(number(0.7, Id::Psi.def()), "0.70");
        assert_eq!(number(120.0, Id::Tempo.def()), "120.0");
        assert_eq!(number(7.0, Id::Seed.def()), "7");
        assert!(has_slider(Id::StyleA.def()) && has_slider(Id::Psi.def()) && !has_slider(Id::Seed.def()));
    }

    #[test]
    fn a_bar_begins_at_nothing() {
        assert_eq!(origin(Id::WalkSpeed.def()), 0.5);
        assert_eq!(origin(Id::StyleBlend.def()), 0.0);
        assert_eq!(origin(Id::Tempo.def()), 0.0, "0 bpm is out of range");
    }
}
