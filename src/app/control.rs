//! What is painted on the control window, and in which order: the stage, the editor, lists, the HUD and its lines.

use std::sync::PoisonError;
use std::time::Duration;

use bevy::prelude::*;
use bevy::window::PrimaryWindow;
use bevy_egui::egui::{Context, LayerId, Rect};
use bevy_egui::{EguiContext, EguiContexts, EguiInput, PrimaryEguiContext, egui};

use super::present::Preview;
use super::windows::{ControlCamera, Output};
use super::{Player, editor, hud, list, map, panel, stage};

/// How long a new player is told which key shows the stage.
const HINT: Duration = Duration::from_secs(14);
const HINT_TEXT: &str = "Tab  stage      ?  keys      H  text";

/// How much text lies over the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    Nothing,
    /// Only what needs attention, while it does.
    Lines,
    /// What is played, too.
    All,
}

impl Text {
    pub fn next(self) -> Text {
        match self {
            Text::Nothing => Text::Lines,
            Text::Lines => Text::All,
            Text::All => Text::Nothing,
        }
    }
}

impl Player {
    /// Whether anything has to be painted over the picture, or beside it.
    pub(super) fn covers_picture(&self) -> bool {
        let has_text = match self.text {
            Text::Nothing => false,
            Text::Lines => hud::has_notes(&self.status) || self.hints(),
            Text::All => true,
        };
        let has_pages = self.stage.is_shown() || self.editor.is_shown() || self.panel.is_shown();
        has_text || has_pages || self.list_shown || self.map_shown
    }

    /// Whether a new player is told which key shows the stage.
    fn hints(&self) -> bool {
        let is_new = self.first_picture.is_some_and(|first| first.elapsed() < HINT);
        self.text == Text::Lines && !self.knows_tab && is_new
    }
}

/// Keys play the show. egui gets them only while a text field has them, so that Tab and the arrows move no focus.
pub(super) fn keep_keys(player: Res<Player>, mut contexts: Query<&mut EguiInput, With<PrimaryEguiContext>>) {
    if player.stage.is_typing || player.panel.is_typing() || player.editor.is_shown() {
        return;
    }
    for mut input in &mut contexts {
        let is_key = |event: &egui::Event| matches!(event, egui::Event::Key { .. } | egui::Event::Text(_));
        input.events.retain(|event| !is_key(event));
    }
}

/// Paints the control window.
pub(super) fn paint(
    mut contexts: EguiContexts,
    mut player: ResMut<Player>,
    output: Res<Output>,
    all: Query<(Entity, &Window)>,
    main: Query<&Window, With<PrimaryWindow>>,
    mut previews: Query<&mut Preview, With<ControlCamera>>,
) {
    let Ok(ctx) = contexts.ctx_mut() else { return };
    let ctx = ctx.clone();
    if let Ok(window) = main.single() {
        let pixels = [window.resolution.physical_width(), window.resolution.physical_height()];
        ctx.set_zoom_factor(stage::zoom(pixels, ctx.native_pixels_per_point().unwrap_or(1.0)));
    }
    let player = &mut *player;
    if !std::mem::replace(&mut player.is_styled, true) {
        stage::style(&ctx);
    }
    let area = paint_all(&ctx, player);
    let shape = output.size(&all).map_or(16.0 / 9.0, |[width, height]| width as f32 / height as f32);
    let part = player.stage.has_preview().then(|| pixels(stage::fitted(area, shape), ctx.pixels_per_point()));
    for mut preview in &mut previews {
        preview.set_if_neq(Preview(part));
    }
}

/// Paints everything; returns the part of the window where the picture is seen.
fn paint_all(ctx: &Context, player: &mut Player) -> Rect {
    let window = ctx.content_rect();
    let hints = player.hints() && !player.stage.is_shown();
    let show = player.show.get_mut().unwrap_or_else(PoisonError::into_inner);
    let mut area = window;
    if player.stage.is_shown() {
        area = stage::Layout::of(window).preview;
        stage::paint(ctx, &mut player.stage, (show, &player.status), &player.rate, &mut player.pending);
    }
    let painter = ctx.layer_painter(LayerId::background()).with_clip_rect(area);
    let mut beside = area;
    if player.list_shown {
        let keys = if player.editor.is_shown() { list::Shows::Editor } else { list::Shows::All };
        list::paint(&painter, show.keys(), keys);
    } else if player.editor.is_shown() {
        // What the editor says itself stands at the bottom, too.
        beside.max.y = editor::paint(ctx, area, &mut player.editor, show.params(), &mut player.pending);
        player.editor.relieve(&mut player.status);
    } else if player.panel.is_shown() {
        let width = area.width() * panel::width(player.stage.is_shown());
        let right = egui::pos2(area.max.x - width, area.min.y);
        beside.max.x = right.x;
        panel::over(ctx, Rect::from_min_max(right, area.max), &mut player.panel, show, &mut player.pending);
        if player.panel.takes_editor() {
            player.editor.open(show);
        }
        area.max.x = if player.stage.has_preview() { right.x - 8.0 } else { area.max.x };
    } else if player.map_shown {
        map::paint(&painter, &show.map());
    } else if player.text == Text::All {
        hud::panel(&painter, show, &player.status, &player.rate);
    }
    let stands = hud::Stands::beside(show.words_at(), player.text == Text::All);
    if hints {
        let hint = hud::saying(&painter, beside, stands, HINT_TEXT);
        // What needs attention stands further from the edge.
        match stands {
            hud::Stands::Bottom | hud::Stands::Corner => beside.max.y = hint.min.y,
            hud::Stands::Top => beside.min.y = hint.max.y,
        }
    }
    if !player.list_shown && (player.text != Text::Nothing || player.stage.is_shown()) {
        let painter = painter.with_clip_rect(beside);
        let errors = hud::notes(&painter, &player.status, show.keys().of_window("back"), stands);
        let pressed =
            ctx.input(|input| input.pointer.primary_pressed().then(|| input.pointer.interact_pos()).flatten());
        if errors.zip(pressed).is_some_and(|(errors, at)| errors.contains(at)) {
            show.dismiss();
        }
    }
    area
}

/// A rectangle in points as left, top, width and height in pixels.
fn pixels(rect: Rect, pixels_per_point: f32) -> [u32; 4] {
    [rect.min.x, rect.min.y, rect.width(), rect.height()].map(|points| (points * pixels_per_point).round() as u32)
}

/// What the audience is shown beside the picture: the code, if it is to be seen.
pub(super) fn paint_output(
    mut contexts: Query<&mut EguiContext, (With<super::windows::OutputCamera>, Without<PrimaryEguiContext>)>,
    mut player: ResMut<Player>,
) {
    for mut context in &mut contexts {
        if player.shows_code() {
            let player = &mut *player;
            let show = player.show.get_mut().unwrap_or_else(PoisonError::into_inner);
            editor::paint_output(context.get_mut(), &mut player.editor, show.params());
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn h_goes_through_all_amounts_of_text() {
        let texts = [Text::Lines, Text::All, Text::Nothing, Text::Lines];
        assert!(texts.windows(2).all(|pair| pair[0].next() == pair[1]));
    }

    #[test]
    fn the_preview_is_placed_in_pixels() {
        let rect = Rect::from_min_size(egui::pos2(8.0, 8.0), egui::vec2(100.0, 50.0));
        assert_eq!(pixels(rect, 1.5), [12, 12, 150, 75]);
    }
}
