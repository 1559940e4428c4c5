//! The small pictures beside the names that can be typed.

use bevy_egui::egui::{Color32, Context, Painter, Rect, TextureId, Vec2, pos2, vec2};

use crate::app::tiles::Tiles;
use crate::patch::edit::complete::{Item, Shows};
use crate::show::Show;
use crate::thumbnail::{Key, SQUARE, WIDE};

/// Heights of a picture in a list and of one alone, in heights of the text.
const IN_LIST: f32 = 4.0;
const ALONE: f32 = 8.0;

/// The networks that play: styles and seeds are theirs.
#[derive(Debug, Default)]
pub struct Playing {
    network: String,
    style_network: String,
}

impl Playing {
    pub fn follow(&mut self, show: &Show) {
        let path = show.network().path.to_string_lossy();
        if self.network != path {
            self.network = path.into_owned();
        }
        let name = show.style_network();
        if self.style_network != name {
            name.clone_into(&mut self.style_network);
        }
    }

    fn key(&self, shows: &Shows) -> Key {
        match shows {
            Shows::Preset(name) => Key::Preset(name.clone()),
            Shows::Network(name) => Key::Network(name.clone()),
            Shows::Style(style) => Key::Style { network: self.style_network.clone(), style: *style },
            Shows::Seed(seed) => Key::Seed { network: self.network.clone(), seed: *seed },
        }
    }
}

/// The pictures of a list.
pub struct Pictures {
    /// In points; zero if the list has none.
    pub size: Vec2,
    /// Of each item that has one, its texture once it is there.
    textures: Vec<Option<Option<TextureId>>>,
}

impl Pictures {
    /// Those of these items. `text` is the height of their text, in points.
    pub fn new<'a>(
        ctx: &Context,
        tiles: &Tiles,
        playing: &Playing,
        items: impl Iterator<Item = &'a Item> + Clone,
        (text, is_alone): (f32, bool),
    ) -> Self {
        let mut shows = items.clone().filter_map(|item| item.shows.as_ref()).peekable();
        let Some(first) = shows.peek() else { return Pictures { size: Vec2::ZERO, textures: Vec::new() } };
        let [width, height] = if matches!(first, Shows::Preset(_)) { WIDE } else { SQUARE };
        let high = text * if is_alone { ALONE } else { IN_LIST };
        let size = vec2(high * width as f32 / height as f32, high);
        let texture = |shows: &Shows| tiles.get(ctx, &playing.key(shows)).map(|(texture, _)| texture);
        let textures = items.map(|item| item.shows.as_ref().map(&texture)).collect();
        Pictures { size, textures }
    }

    /// How far texts stand to the right of them.
    pub fn width(&self, text: f32) -> f32 {
        if self.size == Vec2::ZERO { 0.0 } else { self.size.x + text * 0.6 }
    }

    /// Paints that of an item, in the middle of its row.
    pub fn paint(&self, painter: &Painter, at: usize, from: Vec2, row: f32) {
        let Some(Some(texture)) = self.textures.get(at) else { return };
        let place = Rect::from_min_size((from + vec2(0.0, (row - self.size.y) / 2.0)).to_pos2(), self.size);
        // Until it is there.
        painter.rect_filled(place, 0.0, Color32::from_rgb(34, 40, 50));
        if let Some(texture) = texture {
            painter.image(*texture, place, Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0)), Color32::WHITE);
        }
    }
}
