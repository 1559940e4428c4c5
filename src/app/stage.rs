//! The stage: what the performer looks at and plays with hands.
//!
//! The preview of what the audience sees, under it one strip with the beat and the state of the show, eight faders on the
//! right, and the presets below. With an output window it fills the control window, and the preview is drawn by `present`
//! into the part that [`Layout`] leaves for it; with one window it lies over the picture. What is done on it becomes events, as
//! keys do: the show decides. Sizes are points of a window that is about 720 points high, whatever its pixels are (see
//! [`zoom`]). Painted by egui on the control window only, on the main thread.

mod cross;
mod faders;
mod graph;
mod look;
mod presets;
mod strip;

use bevy_egui::egui::{Area, Context, Id, Order, Pos2, Rect, Ui, pos2, vec2};
pub(super) use graph::Rate;
pub(super) use look::{fitted, style};

use super::tiles::Tiles;
use crate::control::{Event, Source, Write};
use crate::params::{Target, Value};
use crate::show::{Show, Summary};

/// The size of the window, in points, for which the stage is drawn.
const DESIGN: [f32; 2] = [1280.0, 720.0];
/// Between its parts.
const GAP: f32 = 8.0;
const STRIP: f32 = 54.0;
const PRESETS: f32 = 134.0;

/// What the stage remembers between frames.
pub(super) struct Stage {
    /// Whether it lies over the picture while there is one window.
    over: bool,
    /// Whether it is hidden although there is an output window.
    is_bare: bool,
    /// Whether there is an output window.
    has_output: bool,
    /// Whether a text field has the keys: then they play nothing.
    pub is_typing: bool,
    faders: faders::Faders,
    presets: presets::Presets,
    strip: strip::Strip,
}

impl Stage {
    /// A hidden stage, which shows presets by these pictures.
    pub fn new(pictures: Tiles) -> Self {
        Stage {
            over: false,
            is_bare: false,
            has_output: false,
            is_typing: false,
            faders: faders::Faders::default(),
            presets: presets::Presets::new(pictures),
            strip: strip::Strip::default(),
        }
    }

    pub fn is_shown(&self) -> bool {
        if self.has_output { !self.is_bare } else { self.over }
    }

    /// Whether the picture has its own part of the window.
    pub fn has_preview(&self) -> bool {
        self.has_output && self.is_shown()
    }

    /// Shows or hides it.
    pub fn toggle(&mut self) {
        let shown = if self.has_output { &mut self.is_bare } else { &mut self.over };
        *shown = !*shown;
        if !self.is_shown() {
            self.is_typing = false;
        }
    }

    /// With an output window the stage is what the control window is for.
    pub fn set_output(&mut self, has_output: bool) {
        self.has_output = has_output;
        if !self.is_shown() {
            self.is_typing = false;
        }
    }
}

/// The points per pixel of the system for a window of this many pixels: so many that it is as high or as wide as
/// [`DESIGN`]. In sixteenths, since every other size costs new glyphs.
pub(super) fn zoom(window: [u32; 2], pixels_per_point: f32) -> f32 {
    let [x, y] = [0, 1].map(|axis| window[axis] as f32 / DESIGN[axis]);
    let pixels = (x.min(y) * 16.0).floor() / 16.0;
    pixels.max(0.5) / pixels_per_point.max(0.1)
}

/// The parts of the window, in points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Layout {
    /// Where the picture may be.
    pub preview: Rect,
    strip: Rect,
    faders: Rect,
    presets: Rect,
    corner: Rect,
}

impl Layout {
    pub fn of(window: Rect) -> Layout {
        let inner = window.shrink(GAP);
        let right = inner.max.x - (inner.width() * 0.315).min(560.0);
        let bottom = inner.max.y - PRESETS;
        let left = right - GAP;
        let strip = bottom - GAP - STRIP;
        let rect = |x: f32, y: f32, to: Pos2| Rect::from_min_max(pos2(x, y), to);
        Layout {
            preview: rect(inner.min.x, inner.min.y, pos2(left, strip - GAP)),
            strip: rect(inner.min.x, strip, pos2(left, bottom - GAP)),
            faders: rect(right, inner.min.y, pos2(inner.max.x, bottom - GAP)),
            presets: rect(inner.min.x, bottom, pos2(left, inner.max.y)),
            corner: rect(right, bottom, inner.max),
        }
    }
}

/// What is painted from.
struct Frame<'a> {
    show: &'a Show,
    status: &'a Summary,
    rate: &'a Rate,
    events: &'a mut Vec<Event>,
}

impl Frame<'_> {
    /// Writes as a key does.
    fn write(&mut self, target: impl Into<Target>, value: Value) {
        self.events.push(Event::Write(Write { target: target.into(), value, source: Source::Key }));
    }
}

/// Paints the stage.
pub(super) fn paint(
    ctx: &Context,
    stage: &mut Stage,
    (show, status): (&Show, &Summary),
    rate: &Rate,
    events: &mut Vec<Event>,
) {
    let window = ctx.content_rect();
    let layout = Layout::of(window);
    let area = Area::new(Id::new("stage")).order(Order::Background).fixed_pos(window.min).constrain(false);
    area.show(ctx, |ui| {
        ui.set_clip_rect(window);
        ui.set_min_size(window.size());
        ui.set_max_size(window.size());
        let mut frame = Frame { show, status, rate, events };
        if !stage.has_output {
            // They touch: round corners would leave a star of the picture between them.
            for part in [layout.strip, layout.faders, layout.presets, layout.corner] {
                ui.painter().rect_filled(part.expand(GAP * 0.5), 0.0, super::hud::PANEL);
            }
        }
        strip::paint(ui, layout.strip, &mut stage.strip, &mut frame);
        faders::paint(ui, layout.faders, &mut stage.faders, &mut frame);
        presets::paint(ui, layout.presets, layout.corner, &mut stage.presets, &mut frame);
        strip::graph(ui, layout.preview, &stage.strip, &frame);
    });
    stage.is_typing = ctx.memory(|memory| memory.has_focus(presets::name_field()));
}

/// A button that is lit while something is on.
fn button(ui: &Ui, rect: Rect, id: &str, text: &str, lit: Option<look::Lit>) -> bool {
    look::button(ui, rect, Id::new(("stage", id)), text, lit).clicked()
}

/// A part of a rectangle from the left, with what is left of it.
fn cut(rect: &mut Rect, width: f32) -> Rect {
    let part = Rect::from_min_size(rect.min, vec2(width, rect.height()));
    rect.min.x += width + GAP;
    part
}

#[cfg(test)]
mod test {
    use super::*;
    use crate::patch::library::Library;
    use crate::thumbnail::{Options, Thumbnails};

    #[test]
    fn the_parts_fill_the_window_without_overlapping_and_the_preview_is_two_thirds_wide() {
        for (width, height) in [(1280.0, 720.0), (1280.0, 800.0), (1720.0, 720.0), (1280.0, 960.0)] {
            let window = Rect::from_min_size(Pos2::ZERO, vec2(width, height));
            let layout = Layout::of(window);
            let parts = [layout.preview, layout.strip, layout.faders, layout.presets, layout.corner];
            for (i, part) in parts.iter().enumerate() {
                assert!(window.contains_rect(*part) && part.width() > 100.0 && part.height() > 40.0, "{part:?}");
                assert!(parts[..i].iter().all(|other| !other.shrink(1.0).intersects(part.shrink(1.0))), "{part:?}");
            }
            let share = layout.preview.width() / width;
            assert!((0.6..0.72).contains(&share), "{share} of {width}");
        }
    }

    #[test]
    fn a_window_of_any_number_of_pixels_is_about_as_high_in_points() {
        assert_eq!(zoom([1280, 720], 1.0), 1.0);
        assert_eq!(zoom([3840, 2160], 1.0), 3.0);
        assert_eq!(zoom([3840, 2160], 2.0), 1.5, "the system enlarges, too");
        assert_eq!(zoom([1920, 720], 1.0), 1.0, "the smaller side counts");
        assert_eq!(zoom([100, 100], 1.0), 0.5);
    }

    #[test]
    fn with_an_output_the_stage_is_there_and_with_one_window_tab_shows_it() {
        let thumbnails = Thumbnails::new(Options { cache: None, ..Options::new(Library::default()) });
        let mut stage = Stage::new(Tiles::new(thumbnails));
        assert!(!stage.is_shown());
        stage.toggle();
        assert!(stage.is_shown() && !stage.has_preview());
        stage.toggle();
        stage.set_output(true);
        assert!(stage.is_shown() && stage.has_preview());
        stage.toggle();
        assert!(!stage.is_shown());
        stage.set_output(false);
        assert!(!stage.is_shown());
    }
}
