//! The frame rate: how fast the window draws, as a lamp and as a graph of the last seconds.

use std::collections::VecDeque;
use std::time::Instant;

use bevy_egui::egui::{Align2, Color32, Painter, Rect, Stroke, pos2, vec2};

use super::look;
use crate::app::hud::{COOL, DIM, PANEL, RED, WARM};

/// Frames in the graph.
const FRAMES: usize = 240;

/// Frames per second over the last half second, slow enough to read, and how long each of the last frames took.
#[derive(Debug)]
pub(in crate::app) struct Rate {
    since: Instant,
    frames: u32,
    per_sec: f32,
    /// Of the display, or of the timer of a software driver.
    wanted: f32,
    /// Milliseconds between frames, the newest last.
    millis: VecDeque<f32>,
    last: Instant,
}

impl Rate {
    pub fn new(now: Instant) -> Self {
        let millis = VecDeque::with_capacity(FRAMES);
        Rate { since: now, frames: 0, per_sec: 0.0, wanted: 60.0, millis, last: now }
    }

    pub fn frame(&mut self, now: Instant) {
        if self.millis.len() == FRAMES {
            self.millis.pop_front();
        }
        self.millis.push_back(now.duration_since(self.last).as_secs_f32() * 1e3);
        self.last = now;
        self.frames += 1;
        let passed = now.duration_since(self.since).as_secs_f32();
        if passed >= 0.5 {
            (self.since, self.frames, self.per_sec) = (now, 0, self.frames as f32 / passed);
        }
    }

    pub fn per_sec(&self) -> f32 {
        self.per_sec
    }

    /// How many frames per second there should be.
    pub fn set_wanted(&mut self, per_sec: f32) {
        self.wanted = per_sec;
    }

    /// Green if the window keeps its rate, amber if some frames are late, red if many are.
    pub fn lamp(&self) -> Color32 {
        match self.per_sec / self.wanted {
            _ if self.per_sec == 0.0 => look::GREEN,
            share if share > 0.9 => look::GREEN,
            share if share > 0.65 => WARM,
            _ => RED,
        }
    }

    /// Whether frames are late.
    pub fn is_slow(&self) -> bool {
        self.lamp() != look::GREEN
    }
}

/// Paints how long the last frames took: a bar each, with lines at one and two frames of the display.
pub(super) fn paint(painter: &Painter, area: Rect, rate: &Rate, pictures: (f32, f32)) {
    painter.rect_filled(area, look::ROUND, PANEL);
    let inner = area.shrink(10.0);
    let plot = Rect::from_min_max(inner.min + vec2(0.0, 20.0), inner.max);
    let whole = 1e3 / rate.wanted;
    let y = |millis: f32| plot.max.y - plot.height() * (millis / (whole * 3.0)).min(1.0);
    let width = plot.width() / FRAMES as f32;
    let from = plot.max.x - width * rate.millis.len() as f32;
    for (i, &millis) in rate.millis.iter().enumerate() {
        let x = from + width * i as f32;
        let colour = if millis > whole * 1.6 { RED } else { COOL.gamma_multiply(0.8) };
        let bar = Rect::from_min_max(pos2(x, y(millis)), pos2(x + width.max(1.0), plot.max.y));
        painter.rect_filled(bar, 0.0, colour);
    }
    for (frames, colour) in [(1.0, look::GREEN), (2.0, WARM)] {
        let y = y(whole * frames);
        painter.line_segment([pos2(plot.min.x, y), pos2(plot.max.x, y)], Stroke::new(1.0, colour.gamma_multiply(0.6)));
    }
    let worst = rate.millis.iter().copied().fold(0.0, f32::max);
    let (per_sec, made) = pictures;
    let text = format!(
        "window {:.1} fps, longest frame {worst:.0} ms     network {per_sec:.1} pictures/s, {made:.1} ms each",
        rate.per_sec
    );
    look::line(painter, inner.min, Align2::LEFT_TOP, &text, 13.0, DIM, inner.width());
}

#[cfg(test)]
mod test {
    use std::time::Duration;

    use super::*;

    fn steady(millis: u32) -> Rate {
        let start = Instant::now();
        let mut rate = Rate::new(start);
        for frame in 1..=60 {
            rate.frame(start + Duration::from_millis(millis.into()) * frame);
        }
        rate
    }

    #[test]
    fn the_rate_is_counted_over_half_a_second() {
        let rate = steady(20);
        assert!((rate.per_sec() - 50.0).abs() < 0.01, "{}", rate.per_sec());
        assert_eq!(rate.millis.len(), 60);
    }

    #[test]
    fn the_lamp_compares_with_the_display() {
        let lamp = |millis: u32, wanted: f32| {
            let mut rate = steady(millis);
            rate.set_wanted(wanted);
            rate.lamp()
        };
        assert_eq!([lamp(17, 60.0), lamp(20, 60.0), lamp(40, 60.0)], [look::GREEN, WARM, RED]);
        assert_eq!(lamp(33, 30.0), look::GREEN);
        assert!(!Rate::new(Instant::now()).is_slow(), "nothing is known yet");
    }
}
