//! Makes the pictures: the network's program, or two during a crossfade, then a chain of effects.
//!
//! A [`Stage`] turns a [`Request`] into a [`Picture`] for the taps: a texture if a window draws with the device that
//! everything runs on, else pixels in memory. The pixels of a picture on a device arrive separately, a frame or two later
//! ([`Stage::take_pixels`]), or with the picture if every frame counts ([`Pixels::Now`]). With a [`Screen`], the picture is
//! then enlarged to the output's size and runs through the effects from files; without one it keeps the network's size. Live, the stage runs on the
//! `engine` thread ([`Live`](super::live::Live)), which takes the newest request and publishes the newest picture; offline
//! it is called directly. Knows nothing of parameters, devices or windows.

mod memo;

use std::sync::Arc;

use half::f16;

use super::clean::Clean;
use crate::effects::chain::Chain;
use crate::effects::input::{self, InputSettings};
use crate::effects::style::{StyleLoop, StyleSettings};
use crate::effects::{Time, Values};
use crate::engine::bend::Bends;
use crate::engine::canvas::{Canvas, Memory};
use crate::engine::surface::{self, Place, Surface, Texture};
use crate::engine::{EngineError, Inputs, Noise, Program, Transform};
use crate::image::convert::rgba8_from_image;
use crate::image::words::{Look, Typesetter};
use crate::screen::palette::Palette;
use crate::screen::{Link, Moment, Scaling, Screen};

/// A finished picture, ready to be shown or written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    /// sRGB-encoded RGBA, 8 bits each, rows from top to bottom; empty while the picture is only on a device.
    pub rgba: Vec<u8>,
    /// The same in linear light, RGBA in half floats, above 1 where it is brighter than white; empty if nobody asked for it
    /// or no screen draws.
    pub light: Vec<f16>,
    /// Whether somebody asked for its light.
    pub is_for_light: bool,
    /// The picture on the device that the window draws with.
    pub texture: Option<Texture>,
    /// Increases with each new picture.
    pub serial: u64,
}

/// Whether the pixels of a picture made on a device are needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pixels {
    /// Not needed: nothing is read back.
    #[default]
    None,
    /// For a tap: they arrive later, and nothing waits for them.
    Later,
    /// Part of each frame's picture: offline.
    Now,
}

/// All inputs of a picture. **Latest value wins.**
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// The frame of the show that it is from. Makes no difference to the picture.
    pub frame: u64,
    /// The network that `ws` is for; requests for another one are not drawn.
    pub generation: u64,
    /// `[num_ws, w_dim]`
    pub ws: Vec<f32>,
    /// The ws of the network to fade from, during a fade.
    pub ws_before: Vec<f32>,
    /// From the previous network (0) to this one (1).
    pub fade: f32,
    pub noise: Noise,
    /// What is done between layers; the time since the picture before is added here.
    pub bends: Bends,
    /// Of the content; StyleGAN3 only.
    pub transform: Transform,
    pub input: InputSettings,
    pub style: StyleSettings,
    /// Counts changes of the style network: without one, a picture stays the same.
    pub style_serial: u64,
    /// Show time of the request, in seconds.
    pub at_secs: f64,
    /// Of the show's clock.
    pub beat: f64,
    pub bpm: f32,
    /// The output, and how the picture fills it.
    pub scaling: Scaling,
    /// How the words of [`Change::Words`] look, if they are shown.
    pub words: Look,
    /// Counts changes of the palette.
    pub palette_serial: u64,
    /// The chain of effects that `chain_values` are for; requests for another one are not drawn.
    pub chain: u64,
    /// See [`Screen::draw`].
    pub chain_values: Vec<u32>,
    pub pixels: Pixels,
    /// Whether pixels are wanted in linear light too.
    pub light: bool,
    /// Whether the network's picture before all effects is wanted too: [`Stage::take_clean`].
    pub clean: bool,
}

impl Request {
    /// Whether the network's picture, before any effect from a file, is the same as that of another request. A style loop
    /// and feedback between layers move with time alone.
    fn has_same_picture(&self, other: &Request) -> bool {
        (self.generation, self.fade, self.noise, self.transform)
            == (other.generation, other.fade, other.noise, other.transform)
            && (self.input, self.style, self.style_serial) == (other.input, other.style, other.style_serial)
            && (&self.ws, &self.ws_before, self.bends) == (&other.ws, &other.ws_before, other.bends)
            && !self.bends.moves()
    }
}

/// A prepared network on its way to the stage.
pub struct Scene {
    pub generation: u64,
    pub program: Box<dyn Program>,
}

/// Changes that a stage makes between two pictures.
pub enum Change {
    /// With `fades`, the old scene is kept for the crossfade until [`Change::EndFade`].
    Scene {
        scene: Scene,
        fades: bool,
    },
    /// The same network with other weights: a fade goes on.
    Blend(Scene),
    EndFade,
    /// `None` paints nothing.
    Style(Option<Box<StyleLoop>>),
    /// What to mix in, or nothing, and its serial; see [`input::Input::change`].
    Input(Option<input::Content>, u64),
    /// The effects from files, and the number of this chain.
    Chain(Vec<Link>, u64),
    Palette(Box<Palette>),
    /// What is written over the picture.
    Words(Box<str>),
}

/// Objects that a stage no longer needs, to be freed by another thread.
pub enum Used {
    Scenes([Option<Scene>; 2]),
    Style(Option<Box<StyleLoop>>),
    Input(Option<input::Shown>),
    Chain(Vec<Link>),
    Palette(Box<Palette>),
    Words(Box<str>),
}

/// Turns requests into pictures.
pub struct Stage {
    scene: Scene,
    /// The scene to fade from.
    before: Option<Scene>,
    /// The network's picture.
    frame: Surface,
    chain: Chain,
    /// The values that effects read, copied from the request.
    values: Values,
    memory: Memory,
    /// The canvas of the device that everything runs on, created on first use.
    device: Option<(Arc<dyn Place>, Box<dyn Canvas>)>,
    /// Whether effects have failed on that device and run in memory until something else is loaded.
    works_in_memory: bool,
    notice: Option<String>,
    /// Why the screen is gone.
    fault: Option<String>,
    /// Show time of the last request.
    last_secs: f64,
    /// Pictures handed out before; those no longer in use are refilled.
    pool: Vec<Arc<Picture>>,
    serial: u64,
    /// The first picture whose light is wanted.
    light_from: Option<u64>,
    /// The newest picture whose pixels have arrived and have not been taken yet.
    pixels: Option<Arc<Picture>>,
    clean: Clean,
    /// Enlarges the picture and runs the effects from files.
    screen: Option<Screen>,
    /// The number of the chain that the screen runs.
    chain_number: u64,
    words: Typesetter,
    /// Of the request that is drawn.
    look: Look,
    /// What the network's picture was made from, if it is still there.
    composed: Option<Request>,
    /// Counts pictures, for effects.
    pictures: u32,
    /// Whether bends remember the last picture.
    bends_remember: bool,
}

impl Stage {
    pub fn new(scene: Scene, screen: Option<Screen>) -> Self {
        Stage {
            screen,
            chain_number: 0,
            words: Typesetter::default(),
            look: Look::default(),
            composed: None,
            pictures: 0,
            bends_remember: false,
            scene,
            before: None,
            frame: Surface::default(),
            chain: Chain::default(),
            values: Values::default(),
            memory: Memory::default(),
            device: None,
            works_in_memory: false,
            notice: None,
            fault: None,
            last_secs: 0.0,
            pool: Vec::new(),
            serial: 0,
            light_from: None,
            pixels: None,
            clean: Clean::default(),
        }
    }

    /// Numbers the pictures from here on.
    pub fn number_from(&mut self, serial: u64) {
        self.serial = serial;
        self.clean.number_from(serial);
    }

    /// Makes a change as a whole, and returns what is no longer needed.
    pub fn change(&mut self, change: Change) -> Used {
        if let Change::Chain(links, number) = change {
            self.chain_number = number;
            return Used::Chain(self.screen.as_mut().map_or_else(Vec::new, |screen| screen.set_chain(links)));
        }
        if let Change::Palette(palette) = change {
            if let Some(screen) = &mut self.screen {
                screen.set_palette(&palette);
            }
            return Used::Palette(palette);
        }
        if let Change::Words(words) = change {
            return Used::Words(self.words.say(words));
        }
        self.works_in_memory = false;
        self.composed = None;
        if let Some((_, canvas)) = &mut self.device {
            canvas.forget();
        }
        match change {
            Change::Scene { scene, fades } => Used::Scenes(self.change_scene(scene, fades)),
            Change::Blend(scene) => Used::Scenes([None, Some(std::mem::replace(&mut self.scene, scene))]),
            Change::EndFade => Used::Scenes([self.end_fade(), None]),
            Change::Style(style) => Used::Style(self.chain.style.change(style)),
            Change::Input(content, serial) => Used::Input(self.chain.input.change(content, serial)),
            Change::Chain(links, _) => Used::Chain(links),
            Change::Palette(palette) => Used::Palette(palette),
            Change::Words(words) => Used::Words(words),
        }
    }

    /// What was left out of the last picture, and why: an effect, or all those from files.
    pub fn take_fault(&mut self) -> Option<String> {
        self.fault.take().or_else(|| self.chain.take_fault())
    }

    /// The name of the engine that runs the network.
    pub fn engine(&self) -> &'static str {
        self.scene.program.engine()
    }

    /// As [`Program::take_notice`], for all current programs.
    pub fn take_notice(&mut self) -> Option<String> {
        let programs = self.scene.program.take_notice().or_else(|| self.chain.style.take_notice());
        programs.or_else(|| self.notice.take())
    }

    fn change_scene(&mut self, scene: Scene, fades: bool) -> [Option<Scene>; 2] {
        let is_mid_fade = std::mem::take(&mut self.chain.crossfade.has_mixed);
        let older = self.end_fade();
        let old = std::mem::replace(&mut self.scene, scene);
        if !fades {
            return [older, Some(old)];
        }
        if is_mid_fade {
            // A third network: the visible mix becomes a still to fade from.
            self.chain.fade_from_mixture();
            return [older, Some(old)];
        }
        self.chain.crossfade.before = Some(Surface::default());
        self.before = Some(old);
        [older, None]
    }

    fn end_fade(&mut self) -> Option<Scene> {
        self.chain.crossfade.before = None;
        self.before.take()
    }

    /// The newest picture whose pixels have arrived since the last call; its serial may lag slightly behind that of the last
    /// one drawn. Pictures that carry their pixels are not returned here. Never waits.
    pub fn take_pixels(&mut self) -> Option<Arc<Picture>> {
        self.collect_pixels();
        self.pixels.take()
    }

    /// The newest clean picture that was made since the last call. Never waits.
    pub fn take_clean(&mut self) -> Option<Arc<Picture>> {
        if let Some((_, canvas)) = &mut self.device {
            self.clean.collect(&mut **canvas);
        }
        self.clean.take()
    }

    /// Collects pixels that have arrived.
    fn collect_pixels(&mut self) {
        let (mut arrived, light_from) = (None, self.light_from);
        let picture = publish(&mut self.pool, |picture| {
            let Picture { rgba, light, .. } = picture;
            arrived = self.screen.as_mut().and_then(|screen| screen.take_pixels(rgba, light)).or_else(|| {
                light.clear();
                let (_, canvas) = self.device.as_mut()?;
                canvas.take_pixels(rgba)
            });
            let ([width, height], serial) = arrived.unwrap_or_default();
            (picture.width, picture.height, picture.serial) = (width, height, serial);
            picture.is_for_light = light_from.is_some_and(|from| serial >= from);
        });
        let is_newer = |known: &Arc<Picture>| known.serial < picture.serial;
        if arrived.is_some() && self.pixels.as_ref().is_none_or(is_newer) {
            self.pixels = Some(picture);
        }
    }

    /// The picture of `request`; `None` if it is for another network.
    ///
    /// # Errors
    /// When the engine fails; the next request may succeed.
    pub fn draw(&mut self, request: &Request) -> Result<Option<Arc<Picture>>, EngineError> {
        if request.generation != self.scene.generation || request.chain != self.chain_number {
            return Ok(None);
        }
        // Textures of pictures no longer in use can be refilled.
        self.pool.iter_mut().filter_map(Arc::get_mut).for_each(|picture| picture.texture = None);
        self.collect_pixels();
        self.light_from = request.light.then(|| self.light_from.unwrap_or(self.serial + 1));
        (self.values.crossfade, self.values.input, self.values.style) = (request.fade, request.input, request.style);
        self.bends_remember = request.bends.remembers();
        self.look = request.words;
        self.chain.input.prepare(&request.input);
        let dt_secs = (request.at_secs - self.last_secs).max(0.0) as f32;
        let time = Time { secs: request.at_secs, dt_secs };
        let picture = match self.draw_on_screen(request, time)? {
            Some(picture) => picture,
            None => {
                // What the network has made is another picture then.
                self.composed = None;
                // Where no screen draws, words are laid over in memory: every other byte stays as it is.
                let drawn = if self.look.is_shown() { None } else { self.draw_on_device(request, time) };
                match drawn {
                    Some(picture) => picture,
                    None => self.draw_in_memory(request, time)?,
                }
            }
        };
        self.last_secs = request.at_secs;
        Ok(Some(picture))
    }

    /// The picture at the output's size, after the effects from files; `None` if there is no screen, or nothing for it to do.
    /// A screen that fails is reported once, and the show continues without it.
    fn draw_on_screen(&mut self, request: &Request, time: Time) -> Result<Option<Arc<Picture>>, EngineError> {
        let Some(mut screen) = self.screen.take() else { return Ok(None) };
        // Without effects there is nothing to remember: if nobody looks, the picture need not be enlarged.
        let is_seen = request.pixels != Pixels::None || screen.device().is_shared();
        // A picture that stays as it is needs a screen only for its light.
        let is_plain = request.scaling.size.contains(&0);
        let draws = if is_plain { request.light && screen.is_empty() } else { is_seen || !screen.is_empty() };
        screen.send_light(request.light);
        if !draws {
            self.screen = Some(screen);
            return Ok(None);
        }
        let is_same = self.chain.style.is_none()
            && self
                .composed
                .as_ref()
                .is_some_and(|composed| request.has_same_picture(composed) && (composed.clean || !request.clean));
        if !is_same && let Err(error) = self.compose(request, time) {
            self.screen = Some(screen);
            return Err(error);
        }
        let drawn = match is_plain {
            true => self.project_plain(&mut screen, request),
            false => self.project(&mut screen, request, time),
        };
        match drawn {
            Ok(picture) => {
                self.fault = screen.take_fault();
                self.screen = Some(screen);
                Ok(Some(picture))
            }
            Err(error) => {
                self.fault = Some(format!("{error}; the effects from files are off"));
                Ok(None)
            }
        }
    }

    /// Makes the network's picture wherever it is made, without showing it.
    fn compose(&mut self, request: &Request, time: Time) -> Result<(), EngineError> {
        let mut is_made = false;
        if let Some(place) = self.place(request) {
            let mut done = None;
            let fault = place.watch(&mut || done = Some(self.compose_only(&place, request, time)));
            match (fault, done) {
                (None, Some(Ok(()))) => is_made = true,
                (Some(reason), _) => {
                    self.leave_device(&*place, EngineError::Unavailable { engine: self.engine(), reason });
                }
                (None, Some(Err(error))) => self.leave_device(&*place, error),
                (None, None) => {}
            }
        }
        if !is_made {
            self.compose_in_memory(request, time)?;
        }
        let composed = self.composed.get_or_insert_default();
        composed.ws.clone_from(&request.ws);
        composed.ws_before.clone_from(&request.ws_before);
        (composed.generation, composed.fade, composed.noise) = (request.generation, request.fade, request.noise);
        (composed.transform, composed.input, composed.clean) = (request.transform, request.input, request.clean);
        (composed.style, composed.style_serial) = (request.style, request.style_serial);
        composed.bends = request.bends;
        Ok(())
    }

    fn compose_only(&mut self, place: &Arc<dyn Place>, request: &Request, time: Time) -> Result<(), EngineError> {
        self.canvas_of(place)?;
        let Stage { scene, before, frame, chain, values, device, clean, .. } = self;
        let Some((_, canvas)) = device else { return Ok(()) };
        canvas.begin();
        compose(&mut **canvas, [Some(scene), before.as_mut()], frame, chain, (request, values, time), false)?;
        if request.clean {
            clean.send(&mut **canvas, chain.clean(frame))?;
        }
        canvas.finish()
    }

    /// The screen's picture.
    fn project(&mut self, screen: &mut Screen, request: &Request, time: Time) -> Result<Arc<Picture>, EngineError> {
        self.pictures = self.pictures.wrapping_add(1);
        let moment =
            Moment { secs: time.secs, dt: time.dt_secs, beat: request.beat, bpm: request.bpm, frame: self.pictures };
        let serial = self.serial + 1;
        let number = (request.pixels != Pixels::None).then_some(serial);
        let mut none = Surface::default();
        // Without effects of the network's size, the network's picture is the one that enters the chain.
        let (painting, network) = match self.chain.made() {
            Some(made) => (made, &mut self.frame),
            None => (&mut self.frame, &mut none),
        };
        let size = request.scaling.size;
        screen.lay_words(self.words.set(&self.look, size));
        let texture = watched(screen, |screen| {
            screen.draw([painting, network], &request.scaling, &request.chain_values, moment, number)
        })?;
        self.publish_from(screen, size, texture, request)
    }

    /// The network's picture by the screen, as it is, with its light.
    fn project_plain(&mut self, screen: &mut Screen, request: &Request) -> Result<Arc<Picture>, EngineError> {
        let number = (request.pixels != Pixels::None).then_some(self.serial + 1);
        let made = self.chain.made().unwrap_or(&mut self.frame);
        let [_, height, width] = made.shape();
        screen.lay_words(self.words.set(&self.look, [width as u32, height as u32]));
        let (size, texture) = watched(screen, |screen| screen.draw_plain(made, number))?;
        self.publish_from(screen, size, texture, request)
    }

    /// The picture that the screen has drawn.
    fn publish_from(
        &mut self,
        screen: &mut Screen,
        [width, height]: [u32; 2],
        texture: Option<Texture>,
        request: &Request,
    ) -> Result<Arc<Picture>, EngineError> {
        self.serial += 1;
        let serial = self.serial;
        // All textures of a window are in use: the pixels are shown instead.
        let reads = request.pixels == Pixels::Now;
        let (pool, mut failed) = (&mut self.pool, None);
        let picture = publish(pool, |picture| {
            (picture.width, picture.height, picture.serial) = (width, height, serial);
            (picture.texture, picture.is_for_light) = (texture, request.light);
            picture.rgba.clear();
            picture.light.clear();
            if reads && let Err(error) = screen.read_with_light(&mut picture.rgba, &mut picture.light) {
                failed = Some(error);
            }
        });
        failed.map_or(Ok(picture), Err)
    }

    fn draw_in_memory(&mut self, request: &Request, time: Time) -> Result<Arc<Picture>, EngineError> {
        self.compose_in_memory(request, time)?;
        self.develop()
    }

    fn compose_in_memory(&mut self, request: &Request, time: Time) -> Result<(), EngineError> {
        let Stage { scene, before, frame, chain, values, memory, clean, .. } = self;
        compose(memory, [Some(scene), before.as_mut()], frame, chain, (request, values, time), true)?;
        if request.clean { clean.keep(chain.clean(frame)) } else { Ok(()) }
    }

    /// The device on which everything for this picture runs; `None` if something runs elsewhere.
    fn place(&self, request: &Request) -> Option<Arc<dyn Place>> {
        let place = self.scene.program.place().filter(|_| !self.works_in_memory)?;
        let before = self.before.as_ref().filter(|_| request.fade < 1.0);
        let goes_along =
            before.is_none_or(|before| before.program.place().is_some_and(|own| surface::same(&own, &place)));
        Some(place).filter(|place| goes_along && self.chain.style.is_on(place))
    }

    /// Makes the picture on the device that everything runs on; `None` if it has to be made in memory.
    fn draw_on_device(&mut self, request: &Request, time: Time) -> Option<Arc<Picture>> {
        let place = self.place(request)?;
        if request.pixels == Pixels::Now && self.chain.is_idle(&self.values) {
            // The program delivers its picture in memory.
            return None;
        }
        let mut drawn = None;
        let fault = place.watch(&mut || drawn = Some(self.compose_on(&place, request, time)));
        let error = match (fault, drawn?) {
            (Some(reason), _) => EngineError::Unavailable { engine: self.scene.program.engine(), reason },
            (None, Err(error)) => error,
            (None, Ok(picture)) => return Some(picture),
        };
        self.leave_device(&*place, error);
        None
    }

    /// Continues in memory after a failure, unless the device itself is lost, which its engine reports.
    fn leave_device(&mut self, place: &dyn Place, error: EngineError) {
        if matches!(error, EngineError::Unavailable { .. }) && place.fault().is_none() {
            self.notice = Some(format!("{error}; effects continue in memory"));
            self.works_in_memory = true;
        }
    }

    /// Makes sure that there is a canvas of that device.
    fn canvas_of(&mut self, place: &Arc<dyn Place>) -> Result<(), EngineError> {
        let known = self.device.take().filter(|(known, _)| surface::same(known, place));
        self.device = Some(match known {
            Some(device) => device,
            None => (place.clone(), place.clone().canvas()?),
        });
        Ok(())
    }

    fn compose_on(
        &mut self,
        place: &Arc<dyn Place>,
        request: &Request,
        time: Time,
    ) -> Result<Arc<Picture>, EngineError> {
        self.canvas_of(place)?;
        let Stage { scene, before, frame, chain, values, device, clean, .. } = self;
        let Some((_, canvas)) = device else { return self.develop() };
        canvas.begin();
        compose(&mut **canvas, [Some(scene), before.as_mut()], frame, chain, (request, values, time), false)?;
        if request.clean {
            clean.send(&mut **canvas, chain.clean(frame))?;
        }
        let made = chain.made().unwrap_or(frame);
        if request.pixels == Pixels::Now {
            canvas.finish()?;
            return self.develop();
        }
        let serial = self.serial + 1;
        let texture = canvas.present(made, (request.pixels == Pixels::Later).then_some(serial))?;
        if texture.is_none() && place.is_shared() {
            // Too large for a texture, or all are in use.
            return self.develop();
        }
        let [_, height, width] = made.shape();
        self.serial = serial;
        Ok(publish(&mut self.pool, |picture| {
            (picture.width, picture.height, picture.serial) = (width as u32, height as u32, serial);
            (picture.texture, picture.is_for_light) = (texture, request.light);
            picture.rgba.clear();
            picture.light.clear();
        }))
    }

    /// The result as a picture with pixels.
    fn develop(&mut self) -> Result<Arc<Picture>, EngineError> {
        let image = self.chain.made().unwrap_or(&mut self.frame).bring()?;
        self.serial += 1;
        let is_for_light = self.light_from.is_some();
        let words = self.words.set(&self.look, [image.width as u32, image.height as u32]);
        Ok(publish(&mut self.pool, |picture| {
            (picture.width, picture.height, picture.serial) = (image.width as u32, image.height as u32, self.serial);
            picture.is_for_light = is_for_light;
            picture.light.clear();
            rgba8_from_image(image, &mut picture.rgba);
            if let Some(words) = words {
                words.block.over(&mut picture.rgba, picture.width, words.opacity);
            }
        }))
    }
}

/// Draws on the screen; an error of its device is reported as one of the effects.
fn watched<T>(screen: &mut Screen, draw: impl FnOnce(&mut Screen) -> Result<T, EngineError>) -> Result<T, EngineError> {
    let device = screen.device().clone();
    let (drawn, error) = device.watched(|| draw(screen));
    match error {
        Some(error) => {
            let reason = crate::engine::gpu::first_line(&error);
            Err(EngineError::Unavailable { engine: "effects", reason })
        }
        None => drawn,
    }
}

/// Runs one network or two, then the chain.
fn compose(
    canvas: &mut dyn Canvas,
    [scene, before]: [Option<&mut Scene>; 2],
    frame: &mut Surface,
    chain: &mut Chain,
    (request, values, time): (&Request, &Values, Time),
    is_last_resort: bool,
) -> Result<(), EngineError> {
    let is_fresh = request.clean || chain.input.network_share(&values.input) > 0.0;
    if let Some(scene) = scene.filter(|_| is_fresh) {
        let (noise, transform) = (request.noise, request.transform);
        let bends = Bends { secs: time.dt_secs, ..request.bends };
        let inputs = |ws| Inputs { ws, noise, transform, bends, ..Inputs::default() };
        canvas.program(&mut *scene.program, &inputs(&request.ws), None, frame)?;
        if let (Some(scene), Some(surface)) = (before.filter(|_| request.fade < 1.0), &mut chain.crossfade.before) {
            canvas.program(&mut *scene.program, &inputs(&request.ws_before), None, surface)?;
        }
    }
    chain.run(canvas, frame, values, time, [is_fresh, is_last_resort])
}

/// A picture filled by `fill`, reusing a free one of the pool with its old contents.
pub(super) fn publish(pool: &mut Vec<Arc<Picture>>, fill: impl FnOnce(&mut Picture)) -> Arc<Picture> {
    let free = pool.iter_mut().position(|picture| Arc::get_mut(picture).is_some());
    let index = free.unwrap_or_else(|| {
        pool.push(Arc::default());
        pool.len() - 1
    });
    if let Some(picture) = Arc::get_mut(&mut pool[index]) {
        picture.texture = None;
        fill(picture);
    }
    pool[index].clone()
}
