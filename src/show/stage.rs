//! Where pictures are made: one program, or two while one network fades into another; pictures from files mixed in; the
//! style loop over it; and the pictures they hand out.
//!
//! A [`Stage`] turns a [`Request`] into a [`Picture`]: pixels, or where nothing here needs them a texture of the card that
//! the window draws with. The way there is worked on the card that the networks run on, if it is one, else here. Live it
//! is on the `engine` thread ([`Live`](super::live::Live)), which takes the newest request and leaves the newest picture;
//! offline it is called directly. Knows nothing of parameters, devices or windows.

mod place;

use std::sync::Arc;

use place::{Before, Cast, Place};

use crate::effects::device::GpuEasel;
use crate::effects::easel::{Held, Processor};
use crate::effects::input::{self, InputSettings};
use crate::effects::style::{StyleLoop, StyleSettings};
use crate::engine::gpu::{Device, GpuTexture, first_line, unavailable};
use crate::engine::{EngineError, Noise, Program, Transform};
use crate::image::Image;
use crate::image::convert::rgba8_from_image;

/// A finished picture, ready to be shown or written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    /// sRGB-encoded RGBA, 8 bits each, rows from top to bottom; none while the picture is on the card.
    pub rgba: Vec<u8>,
    /// The picture itself, on the card that the window draws with.
    pub texture: Option<Arc<GpuTexture>>,
    /// Grows with each new picture.
    pub serial: u64,
}

/// Everything that a picture is made from. **Latest value wins.**
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// Which network `ws` is meant for; a request for another one is not drawn.
    pub generation: u64,
    /// `[num_ws, w_dim]`
    pub ws: Vec<f32>,
    /// The ws of the network that is faded from, while there is one.
    pub ws_before: Vec<f32>,
    /// From the network before (0) to this one (1).
    pub fade: f32,
    pub noise: Noise,
    /// Of the content; StyleGAN3 only.
    pub transform: Transform,
    pub input: InputSettings,
    pub style: StyleSettings,
    /// Counts the style networks that came and went: without one, a picture stays as it is.
    pub style_serial: u64,
    /// When in the show it was made, in seconds.
    pub at_secs: f64,
    /// Somebody waits for the picture's pixels: it must not stay on the card.
    pub pixels: bool,
}

/// A prepared network on its way to the stage.
pub struct Scene {
    pub generation: u64,
    pub program: Box<dyn Program>,
}

/// What a stage can take up between two pictures.
pub enum Change {
    /// With `fades`, the old one stays to be faded from until [`Change::EndFade`].
    Scene {
        scene: Scene,
        fades: bool,
    },
    EndFade,
    /// `None` paints nothing.
    Style(Option<Box<StyleLoop>>),
    /// A picture `[3, S, S]` to be mixed in, or none, and its number; see [`input::Input::change`].
    Input(Option<Image>, u64),
}

/// What a stage no longer needs, to be freed by another thread.
pub enum Used {
    Scenes([Option<Scene>; 2]),
    Style(Option<Box<StyleLoop>>),
    Input(Option<input::Picture>),
}

/// Makes pictures of requests.
pub struct Stage {
    cast: Cast,
    here: Place<Processor>,
    /// Made when something plays on a card.
    there: Option<Place<GpuEasel>>,
    /// The last picture was made there.
    is_there: bool,
    /// What is worked on a picture does not go on that card: here instead, until something else plays.
    works_here: bool,
    notice: Option<String>,
    /// A picture brought from the card.
    brought: Image,
    /// When the last picture was asked for.
    last_secs: f64,
    /// Pictures handed out before; one that nobody holds any more is filled again.
    pool: Vec<Arc<Picture>>,
    serial: u64,
}

impl Stage {
    pub fn new(scene: Scene) -> Self {
        Stage {
            cast: Cast::new(scene),
            here: Place::default(),
            there: None,
            is_there: false,
            works_here: false,
            notice: None,
            brought: Image::default(),
            last_secs: 0.0,
            pool: Vec::new(),
            serial: 0,
        }
    }

    /// Takes up something new, whole, and gives back what is no longer needed.
    pub fn change(&mut self, change: Change) -> Used {
        self.works_here = false;
        if let Some(there) = &mut self.there {
            there.easel.forget();
        }
        match change {
            Change::Scene { scene, fades } => Used::Scenes(self.change_scene(scene, fades)),
            Change::EndFade => Used::Scenes([self.end_fade(), None]),
            Change::Style(style) => Used::Style(std::mem::replace(&mut self.cast.style, style)),
            Change::Input(picture, serial) => Used::Input(self.cast.input.change(picture, serial)),
        }
    }

    /// Why a picture since the last call was not painted.
    pub fn take_unpainted(&mut self) -> Option<String> {
        self.cast.unpainted.take()
    }

    /// What computes the network's pictures.
    pub fn engine(&self) -> &'static str {
        self.cast.scene.program.engine()
    }

    /// As [`Program::take_notice`], of all that plays.
    pub fn take_notice(&mut self) -> Option<String> {
        let Cast { scene, style, .. } = &mut self.cast;
        let told = scene.program.take_notice().or_else(|| style.as_mut()?.take_notice());
        told.or_else(|| self.notice.take())
    }

    fn change_scene(&mut self, scene: Scene, fades: bool) -> [Option<Scene>; 2] {
        let mid_fade = std::mem::take(&mut self.cast.mid_fade);
        let older = self.end_fade();
        let old = std::mem::replace(&mut self.cast.scene, scene);
        if fades && mid_fade {
            let still = match &mut self.there {
                Some(there) if self.is_there => Held::there(there.take_faded()),
                _ => Held::here(self.here.take_faded()),
            };
            self.cast.before = Some(Before::Still(still));
            return [older, Some(old)];
        }
        if fades {
            self.cast.before = Some(Before::Scene(old));
            return [older, None];
        }
        [older, Some(old)]
    }

    fn end_fade(&mut self) -> Option<Scene> {
        match self.cast.before.take()? {
            Before::Scene(scene) => Some(scene),
            Before::Still(_) => None,
        }
    }

    /// Pictures that nobody looks at any more give their place on the card back.
    fn let_go(&mut self) {
        for picture in self.pool.iter_mut().filter_map(Arc::get_mut) {
            picture.texture = None;
        }
    }

    /// The picture of `request`; `None` when it is meant for another network.
    ///
    /// # Errors
    /// When the engine fails; the next request may succeed.
    pub fn draw(&mut self, request: &Request) -> Result<Option<Arc<Picture>>, EngineError> {
        if request.generation != self.cast.scene.generation {
            return Ok(None);
        }
        self.let_go();
        let dt = (request.at_secs - self.last_secs).max(0.0) as f32;
        let picture = match self.draw_there(request, dt) {
            Some(picture) => picture,
            None => self.draw_here(request, dt)?,
        };
        self.last_secs = request.at_secs;
        Ok(Some(picture))
    }

    fn draw_here(&mut self, request: &Request, dt: f32) -> Result<Arc<Picture>, EngineError> {
        let last = self.here.compose(&mut self.cast, request, dt)?;
        self.is_there = false;
        self.serial += 1;
        Ok(develop(self.here.made(last).1, self.serial, &mut self.pool))
    }

    /// The picture made on the card that everything runs on; `None` when it has to be made here.
    fn draw_there(&mut self, request: &Request, dt: f32) -> Option<Arc<Picture>> {
        let device = self.cast.device(request).filter(|_| !self.works_here)?.clone();
        let needs_pixels = request.pixels || !device.is_shared();
        if needs_pixels && self.cast.is_plain(request) {
            // The program brings its picture along.
            return None;
        }
        let (drawn, error) = device.watched(|| self.compose_there(&device, request, dt, needs_pixels));
        match error.map_or(drawn, |error| Err(unavailable(first_line(&error)))) {
            Ok(picture) => Some(picture),
            Err(error) => {
                if matches!(error, EngineError::Unavailable { .. }) && device.fault().is_none() {
                    self.notice = Some(format!("{error}; the effects go on without the card"));
                    self.works_here = true;
                }
                None
            }
        }
    }

    fn compose_there(
        &mut self,
        device: &Arc<Device>,
        request: &Request,
        dt: f32,
        needs_pixels: bool,
    ) -> Result<Arc<Picture>, EngineError> {
        let there = match self.there.take().filter(|there| Arc::ptr_eq(there.easel.device(), device)) {
            Some(there) => there,
            None => Place::new(GpuEasel::new(device.clone())?),
        };
        let there = self.there.insert(there);
        there.easel.begin();
        let last = there.compose(&mut self.cast, request, dt)?;
        self.is_there = true;
        let (easel, picture) = there.made(last);
        let shown = if needs_pixels { None } else { easel.show(picture)? };
        if shown.is_none() {
            easel.read(picture, &mut self.brought)?;
        }
        self.serial += 1;
        Ok(match shown {
            None => develop(&self.brought, self.serial, &mut self.pool),
            Some(device) => publish(self.serial, &mut self.pool, |picture| {
                [picture.width, picture.height] = device.size;
                picture.rgba.clear();
                picture.texture = Some(device);
            }),
        })
    }
}

/// An image as a picture.
fn develop(image: &Image, serial: u64, pool: &mut Vec<Arc<Picture>>) -> Arc<Picture> {
    publish(serial, pool, |picture| {
        picture.width = image.width as u32;
        picture.height = image.height as u32;
        rgba8_from_image(image, &mut picture.rgba);
    })
}

/// A picture that is filled by `fill`, in a buffer of the pool when one is free.
fn publish(serial: u64, pool: &mut Vec<Arc<Picture>>, fill: impl FnOnce(&mut Picture)) -> Arc<Picture> {
    let free = pool.iter_mut().position(|picture| Arc::get_mut(picture).is_some());
    let index = free.unwrap_or_else(|| {
        pool.push(Arc::default());
        pool.len() - 1
    });
    if let Some(picture) = Arc::get_mut(&mut pool[index]) {
        picture.serial = serial;
        picture.texture = None;
        fill(picture);
    }
    pool[index].clone()
}
