//! The panel over the picture: pages for everything that can be played by hand.
//!
//! A page is drawn by egui from the show's parameters and status, and what is done on it becomes events, as keys do: the
//! show decides. Only what is in view is laid out. [`look`] has colours, sizes and buttons, [`row`] the row of one
//! parameter; every page has its file. Runs on the main thread.

mod about;
mod effects;
mod grip;
mod latent;
mod list;
mod log;
mod look;
mod mapping;
mod modulation;
mod names;
mod parameters;
pub(super) mod row;
mod slider;
mod style;

use std::time::Instant;

use bevy_egui::egui::{Area, Context, Id, Order, Pos2, Rect, Sense, Ui, UiBuilder, pos2, vec2};

use self::grip::{Grip, Hand};
use self::look::Look;
use super::tiles::Tiles;
use crate::control::{Event, Source, Write};
use crate::params::{Target, Value};
use crate::show::Show;

/// A page of the panel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Page {
    #[default]
    Parameters,
    Latent,
    Style,
    Effects,
    Modulation,
    Mapping,
    Code,
    Log,
}

/// The pages in the order of their tabs, with their names.
const PAGES: [(Page, &str); 8] = [
    (Page::Parameters, "parameters"),
    (Page::Latent, "latent"),
    (Page::Style, "style"),
    (Page::Effects, "effects"),
    (Page::Modulation, "mod"),
    (Page::Mapping, "map"),
    (Page::Code, "code"),
    (Page::Log, "log"),
];

/// What the panel remembers between frames.
pub(super) struct Panel {
    is_shown: bool,
    page: Page,
    grip: Grip,
    parameters: parameters::Parameters,
    effects: effects::Effects,
    latent: latent::Latent,
    style: style::Style,
    modulation: modulation::Modulation,
    mapping: mapping::Mapping,
    log: log::Log,
    /// Pictures of styles and seeds.
    pictures: Tiles,
    /// The editor was asked for.
    wants_editor: bool,
}

impl Panel {
    /// A hidden panel, which shows styles and seeds by these pictures.
    pub fn new(pictures: Tiles) -> Self {
        Panel {
            is_shown: false,
            page: Page::default(),
            grip: Grip::default(),
            parameters: parameters::Parameters::default(),
            effects: effects::Effects::default(),
            latent: latent::Latent::default(),
            style: style::Style::default(),
            modulation: modulation::Modulation::default(),
            mapping: mapping::Mapping::default(),
            log: log::Log::default(),
            pictures,
            wants_editor: false,
        }
    }

    /// Whether a text field has the keys: then they play nothing.
    pub fn is_typing(&self) -> bool {
        self.grip.is_typing || self.parameters.awaits_search()
    }

    /// Whether the editor is to be opened, once.
    pub fn takes_editor(&mut self) -> bool {
        std::mem::take(&mut self.wants_editor)
    }

    pub fn is_shown(&self) -> bool {
        self.is_shown
    }

    /// Shows it, with the next keys for the search.
    pub fn search(&mut self) {
        (self.is_shown, self.page) = (true, Page::Parameters);
        self.parameters.search();
    }

    /// Shows or hides it; a hidden one holds nothing.
    pub fn toggle(&mut self) {
        self.is_shown = !self.is_shown;
        self.grip = Grip::default();
        self.effects.let_go();
        self.style.let_go();
        self.latent.let_go();
    }
}

/// Around a page, in heights of the text.
const MARGIN: f32 = 0.8;

/// The part of the picture's width that the panel takes: more beside the stage, where the picture is smaller.
pub(super) fn width(is_beside_stage: bool) -> f32 {
    if is_beside_stage { 0.58 } else { 0.5 }
}

/// Draws the panel over a part of the window.
pub(super) fn over(ctx: &Context, half: Rect, panel: &mut Panel, show: &Show, events: &mut Vec<Event>) {
    let layer = Area::new(Id::new("panel")).order(Order::Middle).fixed_pos(half.min).constrain(false);
    layer.show(ctx, |ui| {
        ui.set_clip_rect(half);
        ui.set_min_size(half.size());
        ui.set_max_size(half.size());
        self::show(ui, panel, show, events);
    });
}

/// Draws the panel into all of `ui`, and appends what is done on it to `events`.
pub(super) fn show(ui: &mut Ui, panel: &mut Panel, show: &Show, events: &mut Vec<Event>) {
    let began = Instant::now();
    let area = ui.max_rect();
    let look = Look::of(ui.ctx().content_rect().size(), area.width());
    look.dress(ui);
    // What lies under it gets no clicks.
    ui.interact(area, ui.id().with("plate"), Sense::CLICK | Sense::DRAG);
    ui.painter().rect_filled(area, 0.0, look::PLATE);
    panel.grip.begin();
    let inner = area.shrink(look.size * MARGIN);
    let before = panel.page;
    let bottom = tabs(ui, &mut panel.page, inner, &look);
    if panel.page == Page::Code {
        // The editor lies over the picture; what was open here is there when it closes.
        (panel.page, panel.wants_editor) = (before, true);
    }
    let page = Rect::from_min_max(pos2(inner.min.x, bottom + look.size * 0.6), inner.max);
    let mut hand = Hand {
        show,
        params: show.params(),
        learns: show.learns(),
        grip: &mut panel.grip,
        pictures: &panel.pictures,
        events,
        look: &look,
    };
    let mut ui = ui.new_child(UiBuilder::new().max_rect(page).id_salt(panel.page as usize));
    ui.shrink_clip_rect(page.expand(2.0));
    match panel.page {
        Page::Parameters => parameters::show(&mut ui, &mut panel.parameters, show, &mut hand),
        Page::Latent => latent::show(&mut ui, &mut panel.latent, show, &mut hand),
        Page::Style => style::show(&mut ui, &mut panel.style, show, &mut hand),
        Page::Effects => effects::show(&mut ui, &mut panel.effects, show, &mut hand),
        Page::Modulation => modulation::show(&mut ui, &mut panel.modulation, show, &mut hand),
        Page::Mapping => mapping::show(&mut ui, &mut panel.mapping, show, &mut hand),
        Page::Log => log::show(&mut ui, &mut panel.log, show, &mut hand),
        Page::Code => {}
    }
    // For `RUST_LOG=panel=trace`: what the page costs, without egui's painting.
    tracing::trace!(target: "panel", "{:?} {:.3} ms", panel.page, began.elapsed().as_secs_f64() * 1e3);
}

/// The room beside the name of each tab, in points, with which all stand in one line of `width` points.
fn beside_names(look: &Look, width: f32) -> f32 {
    let names: f32 = PAGES.iter().map(|(_, name)| look.width_of(name)).sum();
    let count = PAGES.len() as f32;
    let left = (width - names - look.gap() * (count - 1.0)) / count;
    left.clamp(look.size * 0.5, look.size * 1.6).floor()
}

/// The row of tabs at the top; wraps where the panel is very narrow. Returns where it ends.
fn tabs(ui: &Ui, page: &mut Page, area: Rect, look: &Look) -> f32 {
    let height = look.row();
    let beside = beside_names(look, area.width());
    let mut at: Pos2 = area.min;
    for (of, name) in PAGES {
        let width = look.width_of(name) + beside;
        if at.x + width > area.max.x && at.x > area.min.x {
            at = pos2(area.min.x, at.y + height + look.gap());
        }
        let rect = Rect::from_min_size(at, vec2(width, height));
        if look.button(ui, rect, ui.id().with(("tab", name)), name, *page == of).clicked() {
            *page = of;
        }
        at.x += width + look.gap();
    }
    at.y + height
}

/// What a hand on the panel writes: the same as a key.
fn written(target: impl Into<Target>, value: Value) -> Event {
    Event::Write(Write { target: target.into(), value, source: Source::Key })
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_tabs_stand_in_one_line_also_beside_the_stage() {
        let window = vec2(1280.0, 720.0);
        let preview = crate::app::stage::Layout::of(Rect::from_min_size(Pos2::ZERO, window)).preview;
        for (room, is_beside_stage) in [(window.x, false), (preview.width(), true)] {
            let panel = room * width(is_beside_stage);
            let look = Look::of(window, panel);
            let inner = panel - 2.0 * MARGIN * look.size;
            let tabs: f32 = PAGES.iter().map(|(_, name)| look.width_of(name) + beside_names(&look, inner)).sum();
            assert!(tabs + look.gap() * (PAGES.len() - 1) as f32 <= inner, "{tabs} of {inner}");
            assert!(look.size >= 12.0, "{}", look.size);
        }
    }
}
