//! The presets as tiles: the one that plays is framed, the one that waits for its beat pulses, the one that waits for the
//! crossfader is underlined; and a name to save as.

use super::look::{self, Lit};
use super::{Frame, GAP, cross};
use crate::app::hud::{COOL, DIM, PLAIN, WARM};
use crate::app::lister::Lister;
use crate::app::tiles::Tiles;
use crate::params::{Id as Param, Value};
use crate::patch::library::numbered;
use crate::thumbnail::Key;
use bevy_egui::egui::epaint::RectShape;
use bevy_egui::egui::{
    Align2, Color32, Id, Rect, ScrollArea, Sense, Stroke, StrokeKind, TextEdit, TextureId, Ui, UiBuilder, Vec2, pos2,
    scroll_area, vec2,
};

/// Height of a tile's picture at most, and of the name below it.
const PICTURE: f32 = 94.0;
const NAME: f32 = 24.0;
/// Width of a picture over its height.
const SHAPE: f32 = 16.0 / 9.0;

/// What the tiles remember.
pub(super) struct Presets {
    pictures: Tiles,
    /// The names, and the number of each, if it has one.
    listed: Lister<(Vec<String>, Vec<Option<usize>>)>,
    /// What is typed into the field for a name.
    typed: String,
    /// The preset that was in view last, as the one that plays.
    seen: String,
    cross: cross::Cross,
}

impl Presets {
    pub fn new(pictures: Tiles) -> Self {
        Presets {
            pictures,
            listed: Lister::new("presets", |library| library.numbered_names().into_iter().unzip()),
            typed: String::new(),
            seen: String::new(),
            cross: cross::Cross::default(),
        }
    }
}

/// The field for a name.
pub(super) fn name_field() -> Id {
    Id::new("stage save as")
}

/// What stands below a tile: the number by which the preset is found, and its name without one.
fn title(name: &str, number: Option<usize>) -> String {
    let title = numbered(name).1;
    match number.map(|number| number.to_string()) {
        Some(number) if number != title => format!("{number}  {title}"),
        _ => title.to_owned(),
    }
}

/// How wide a tile is, so that a whole number of them fills the row: none is cut off while the row rests.
fn tile_width(row: f32) -> f32 {
    let count = ((row + GAP) / (PICTURE * SHAPE + GAP)).ceil().max(1.0);
    (row + GAP) / count - GAP
}

/// Paints the tiles and the corner beside them.
pub(super) fn paint(ui: &mut Ui, area: Rect, corner: Rect, state: &mut Presets, frame: &mut Frame) {
    state.listed.follow(frame.show.library());
    let (names, numbers) = state.listed.get();
    let playing = frame.show.preset_listed();
    let waits = frame.show.waiting_preset(names);
    let waits_for_hand = frame.show.armed_listed();
    let follows = state.seen != playing && names.contains(&playing);
    if follows {
        state.seen.clone_from(&playing);
    }
    let (mut chosen, mut armed) = (None, None);
    let size = vec2(tile_width(area.width()), area.height().min(PICTURE + NAME));
    ui.scope_builder(UiBuilder::new().max_rect(area), |ui| {
        ui.spacing_mut().item_spacing = vec2(GAP, 0.0);
        ScrollArea::horizontal()
            .id_salt("stage presets")
            .auto_shrink(false)
            .scroll_source(scroll_area::ScrollSource::ALL)
            .show(ui, |ui| {
                ui.horizontal(|ui| {
                    for (name, number) in names.iter().zip(numbers) {
                        let (rect, response) = ui.allocate_exact_size(size, Sense::click());
                        let is_playing = *name == playing;
                        if is_playing && follows {
                            ui.scroll_to_rect(rect.expand2(vec2(size.x + GAP, 0.0)), None);
                        }
                        if ui.is_rect_visible(rect) {
                            let is_waiting = waits == Some(name.as_str());
                            let picture = state.pictures.get(ui.ctx(), &Key::Preset(name.clone()));
                            tile(ui, rect, (name, *number), picture, (is_playing, is_waiting, response.hovered()));
                            if waits_for_hand.as_deref() == Some(name.as_str()) {
                                let height = size.x / SHAPE;
                                let line = Rect::from_min_max(
                                    rect.left_top() + vec2(0.0, height - 5.0),
                                    rect.right_top() + vec2(0.0, height),
                                );
                                ui.painter().rect_filled(line, 2.0, COOL);
                            }
                        }
                        if response.clicked() {
                            chosen = Some(name.clone());
                        }
                        if response.secondary_clicked() {
                            armed = Some(name.clone());
                        }
                    }
                });
            });
    });
    if let Some(name) = chosen {
        frame.write(Param::Preset, Value::Text(name));
    }
    if let Some(name) = armed {
        // Once more lets go of it.
        let name = if waits_for_hand.as_ref() == Some(&name) { String::new() } else { name };
        frame.write(Param::PresetArm, Value::Text(name));
    }
    save(ui, corner, state, frame);
}

fn tile(
    ui: &Ui,
    rect: Rect,
    (name, number): (&str, Option<usize>),
    thumbnail: Option<(TextureId, Vec2)>,
    (is_playing, is_waiting, is_hovered): (bool, bool, bool),
) {
    let painter = ui.painter();
    let picture = Rect::from_min_size(rect.min, vec2(rect.width(), rect.width() / SHAPE));
    look::card(painter, picture, None, is_hovered);
    match thumbnail {
        Some((texture, _)) => {
            let whole = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
            let tint = if is_hovered { Color32::WHITE } else { Color32::from_gray(216) };
            painter.add(RectShape::filled(picture, look::ROUND, tint).with_texture(texture, whole));
        }
        None => {
            let number = number.map(|number| number.to_string()).unwrap_or_default();
            look::line(painter, picture.center(), Align2::CENTER_CENTER, &number, 30.0, look::EDGE, picture.width());
        }
    }
    let frame = if is_playing {
        Some(WARM)
    } else if is_waiting {
        let pulse = (ui.input(|input| input.time) * 8.0).sin() as f32 * 0.5 + 0.5;
        Some(look::lamp(COOL, 0.3 + 0.7 * pulse))
    } else {
        None
    };
    if let Some(colour) = frame {
        painter.rect_stroke(picture, look::ROUND, Stroke::new(3.0, colour), StrokeKind::Inside);
    }
    let colour = if is_playing { WARM } else { PLAIN };
    let at = pos2(rect.center().x, picture.max.y + 4.0);
    look::line(painter, at, Align2::CENTER_TOP, &title(name, number), 13.5, colour, rect.width());
}

/// A name for a new preset, and the button that saves.
fn save(ui: &mut Ui, area: Rect, state: &mut Presets, frame: &mut Frame) {
    let painter = ui.painter().clone();
    let playing = &frame.status.preset;
    let at = area.min + vec2(2.0, 2.0);
    look::line(&painter, at, Align2::LEFT_TOP, "playing", 12.5, DIM, 80.0);
    look::line(&painter, at + vec2(56.0, -3.0), Align2::LEFT_TOP, playing, 17.0, PLAIN, area.width() - 60.0);
    if let Some(pending) = &frame.status.pending {
        look::line(&painter, pos2(area.max.x, at.y), Align2::RIGHT_TOP, pending, 13.0, COOL, area.width() * 0.5);
    }
    let middle = Rect::from_min_max(area.min + vec2(0.0, 26.0), pos2(area.max.x, area.max.y - 48.0));
    cross::paint(ui, middle, &mut state.cross, frame);
    let row = Rect::from_min_max(pos2(area.min.x, area.max.y - 40.0), area.max);
    let field = Rect::from_min_max(row.min, row.max - vec2(98.0, 0.0));
    let button = Rect::from_min_max(pos2(field.max.x + GAP, row.min.y), row.max);
    let id = name_field();
    let edit = TextEdit::singleline(&mut state.typed)
        .id(id)
        .hint_text("name for a new preset")
        .font(look::font(16.0))
        .margin(vec2(10.0, 9.0))
        .char_limit(64);
    let response = ui.put(field, edit);
    let is_entered = response.lost_focus() && ui.input(|input| input.key_pressed(bevy_egui::egui::Key::Enter));
    let is_named = !state.typed.trim().is_empty();
    let lit = is_named.then_some(Lit { colour: WARM, blinks: false });
    let label = if is_named { "SAVE AS" } else { "SAVE" };
    let is_clicked = look::button(ui, button, Id::new("stage save"), label, lit).clicked();
    if is_clicked || is_entered && is_named {
        frame.write(Param::PresetSave, Value::Text(state.typed.trim().to_owned()));
        state.typed.clear();
        ui.memory_mut(|memory| memory.surrender_focus(id));
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_whole_number_of_tiles_fills_the_row() {
        for row in [858.0, 1159.0, 640.0, 100.0] {
            let width = tile_width(row);
            let count = (row + GAP) / (width + GAP);
            assert!((count - count.round()).abs() < 1e-3 && count >= 1.0, "{count} in {row}");
            assert!(width <= PICTURE * SHAPE + 0.01 && width > 50.0, "{width} in {row}");
        }
    }

    #[test]
    fn a_tile_says_by_which_number_its_preset_is_found() {
        for (name, number, expected) in [
            ("7-gallery", Some(7), "7  gallery"),
            // One of the player's own has that number.
            ("7-gallery", None, "gallery"),
            ("my set", Some(31), "31  my set"),
            ("2001", Some(2001), "2001"),
            ("2001", Some(4), "4  2001"),
            ("3-", None, "3-"),
        ] {
            assert_eq!(title(name, number), expected, "{name}, {number:?}");
        }
    }
}
