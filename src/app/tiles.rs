//! Thumbnails as textures of one window: uploaded once, and at most [`MOST`] of them. Runs on the main thread.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bevy_egui::egui::{ColorImage, Context, TextureHandle, TextureId, TextureOptions, Vec2, vec2};

use crate::thumbnail::{Key, Thumbnails};

/// More than are ever seen at once; some 25 MB on the card.
const MOST: usize = 300;

/// The thumbnails of one window, shared by all that show some in it. Textures belong to the window's egui context: another
/// window has its own.
#[derive(Clone)]
pub(super) struct Tiles(Arc<Mutex<Textures>>);

struct Textures {
    thumbnails: Thumbnails,
    tiles: HashMap<Key, Tile>,
    /// Grows with each look.
    looks: u64,
}

struct Tile {
    tag: Arc<str>,
    texture: TextureHandle,
    used: u64,
}

impl Tiles {
    pub fn new(thumbnails: Thumbnails) -> Self {
        Tiles(Arc::new(Mutex::new(Textures { thumbnails, tiles: HashMap::new(), looks: 0 })))
    }

    /// The texture and its size in pixels; `None` until it is there, which is when [`Tiles::get`] returns it in a later frame.
    pub fn get(&self, ctx: &Context, key: &Key) -> Option<(TextureId, Vec2)> {
        // Only the main thread looks, so nothing waits here.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(ctx, key)
    }
}

impl Textures {
    fn get(&mut self, ctx: &Context, key: &Key) -> Option<(TextureId, Vec2)> {
        let thumbnail = self.thumbnails.get(key)?;
        self.looks += 1;
        let size = [thumbnail.width as usize, thumbnail.height as usize];
        let image = || ColorImage::from_rgba_unmultiplied(size, &thumbnail.rgba);
        let used = self.looks;
        if let Some(tile) = self.tiles.get_mut(key) {
            tile.used = used;
            if tile.tag != thumbnail.tag {
                tile.tag = thumbnail.tag.clone();
                tile.texture.set(image(), TextureOptions::LINEAR);
            }
        } else {
            let texture = ctx.load_texture("thumbnail", image(), TextureOptions::LINEAR);
            self.tiles.insert(key.clone(), Tile { tag: thumbnail.tag.clone(), texture, used });
            if self.tiles.len() > MOST {
                let oldest = self.tiles.iter().min_by_key(|(_, tile)| tile.used).map(|(key, _)| key.clone());
                oldest.map(|oldest| self.tiles.remove(&oldest));
            }
        }
        let size = vec2(thumbnail.width as f32, thumbnail.height as f32);
        self.tiles.get(key).map(|tile| (tile.texture.id(), size))
    }
}

#[cfg(test)]
mod test {
    use std::path::PathBuf;
    use std::time::{Duration, Instant};

    use super::*;
    use crate::patch::library::Library;
    use crate::thumbnail::Options;

    #[test]
    fn a_thumbnail_is_uploaded_once() {
        let options = Options { cache: None::<PathBuf>, ..Options::new(Library::default()) };
        let tiles = Tiles::new(Thumbnails::new(options));
        let elsewhere = tiles.clone();
        let ctx = Context::default();
        let key = Key::Preset("1-vortex".to_owned());
        let end = Instant::now() + Duration::from_secs(30);
        let (id, size) = loop {
            if let Some(found) = tiles.get(&ctx, &key) {
                break found;
            }
            assert!(Instant::now() < end, "what ships has a picture");
            std::thread::sleep(Duration::from_millis(5));
        };
        assert_eq!(size, vec2(192.0, 108.0));
        let uploads = |ctx: &Context| ctx.tex_manager().write().take_delta().set.len();
        // The font, and the thumbnail.
        let first = uploads(&ctx);
        assert!(first >= 1);
        for _ in 0..5 {
            assert_eq!(elsewhere.get(&ctx, &key), Some((id, size)));
        }
        assert_eq!(uploads(&ctx), 0);
    }
}
