//! Output: the stage that makes the pictures, the requests to it, and the taps.
//!
//! Live, the stage is on the engine thread and nobody waits for it; offline it is here. Each tap gets the pixels of finished
//! pictures: the page, later a recorder or a stream. Without a tap that wants them, no pixels are requested.

use std::sync::Arc;

use super::effects::Effects;
use super::live::{Drawn, Live};
use super::slideshow::Slideshow;
use super::stage::{Change, Picture, Pixels, Request, Scene, Stage};
use super::status::{About, Status};
use crate::control::query::Viewer;
use crate::effects::input::{Content, InputSettings, Moment};
use crate::effects::style::{StyleLoop, StyleSettings};
use crate::engine::bend::{Bend, Bends, SLOTS};
use crate::engine::memo::{Memo, MemoError};
use crate::engine::{Noise, NoiseMode, Program, Transform};
use crate::image::Fit;
use crate::image::resample::Window;
use crate::image::words::{Look, Place};
use crate::modulate::Signals;
use crate::network::style_transfer::StyleNetwork;
use crate::params::{Detail, Id, NoiseKind, Params};
use crate::screen::palette::Palette;
use crate::screen::{Link, Scaling, Screen};

/// A picture as a frame shows it.
pub struct Shown<'a> {
    /// With its pixels.
    pub picture: &'a Arc<Picture>,
    /// 1 for the picture and 0 for black, in linear light.
    pub brightness: f32,
    /// How it fills an output of another shape.
    pub fit: Fit,
    /// Width and height of the output; 0 for the picture's own.
    pub output: [u32; 2],
    /// Seconds since the last frame.
    pub dt: f64,
}

/// Receives the pixels of finished pictures. Runs inside the frame: it copies or drops, and never waits.
pub trait Tap: Send {
    /// Whether it wants the next picture.
    fn wants(&self) -> bool;

    /// What this frame shows.
    fn picture(&mut self, shown: &Shown);

    /// Whether it wants pictures in linear light too.
    fn wants_light(&self) -> bool {
        false
    }

    /// Whether it wants the clean picture too: the network's own, before all effects.
    fn wants_clean(&self) -> bool {
        false
    }

    /// The newest clean picture, `dt` seconds after the last frame. Comes before [`Tap::picture`].
    fn clean(&mut self, picture: &Arc<Picture>, dt: f64) {
        let _ = (picture, dt);
    }

    /// Whether it has ended: it is removed then.
    fn is_over(&self) -> bool {
        false
    }
}

/// How a frame shows its picture.
#[derive(Clone, Copy)]
pub struct Showing {
    /// 1 for the picture and 0 for black, in linear light.
    pub brightness: f32,
    /// How a picture that has not the output's size fills it.
    pub fit: Fit,
    /// Seconds since the last frame.
    pub dt: f64,
}

impl Tap for Viewer {
    fn wants(&self) -> bool {
        self.is_looked_at()
    }
    fn picture(&mut self, shown: &Shown) {
        let Picture { width, height, rgba, serial, .. } = &**shown.picture;
        self.show(*width, *height, rgba, *serial, shown.brightness);
    }
}

/// A window on a device of its own: it shows pixels, see [`Output::pixels`].
pub struct Uploads;

impl Tap for Uploads {
    fn wants(&self) -> bool {
        true
    }
    fn picture(&mut self, _: &Shown) {}
}

/// The time of a request.
#[derive(Clone, Copy)]
pub struct Now<'a> {
    pub bends: [Bend; SLOTS],
    /// Of the show.
    pub secs: f64,
    pub beat: f64,
    pub signals: &'a Signals,
    /// Height and width of the network's picture.
    pub picture: [usize; 2],
    /// Where the inputs are that move: the newest and the previous one.
    pub moments: [Moment; 2],
    /// What is seen of those that are still.
    pub windows: [Window; 2],
}

/// Where the pictures are made.
enum Maker {
    Live(Live),
    Offline(Box<Stage>),
}

/// The picture-making end of a show.
pub struct Output {
    maker: Maker,
    /// Changes that the engine thread had no room for, one per kind.
    waiting: Vec<Change>,
    request: Request,
    last: Request,
    drawn: Drawn,
    picture: Option<Arc<Picture>>,
    /// The newest with pixels, which may be a little older.
    pixels: Option<Arc<Picture>>,
    /// The network's own, while a tap wants it; and the serial number of the last one.
    clean: Option<Arc<Picture>>,
    clean_serial: u64,
    taps: Vec<Box<dyn Tap>>,
    /// The style network, if there is one.
    style: Option<Arc<StyleNetwork>>,
    /// Counts changes of the style network.
    style_serial: u64,
    /// Counts changes of the input picture.
    input_serial: u64,
    /// Counts chains of effects from files.
    chain_serial: u64,
    /// Counts palettes.
    palette_serial: u64,
    /// Counts what is written over the picture, and whether that is anything.
    words_serial: u64,
    has_words: bool,
    /// How much of them is seen, 0 to 1.
    words_seen: f32,
    /// Counts what makes bends forget.
    bends_epoch: u32,
    /// Width and height of the output in pixels; 0 for the picture's own.
    size: [u32; 2],
    /// The size at which it is drawn, by `/fit/detail`.
    drawn_size: [u32; 2],
    /// Whether a window shows what is drawn in software.
    is_software: bool,
    /// Whether it draws as live although it is offline: the show goes live from there.
    goes_live: bool,
    /// Whether the picture of the request changes with time alone.
    is_moving: bool,
    pictures_asked: u64,
    /// Of a take that is rendered: whether this frame is drawn.
    directed: Option<bool>,
    /// Whether it is noted as drawn instead.
    passes_over: bool,
    /// Whether somebody besides the taps wants pixels, and their light.
    wants_pixels: bool,
    wants_light: bool,
}

impl Output {
    /// Makes the pictures itself until [`Output::start`].
    pub fn new(program: Box<dyn Program>, screen: Option<Screen>) -> Self {
        let device = screen.as_ref().map(Screen::device);
        let is_software = device.is_some_and(|device| device.is_for_window && !device.adapter.is_real());
        Output {
            is_software,
            goes_live: false,
            drawn_size: [0; 2],
            maker: Maker::Offline(Box::new(Stage::new(Scene { generation: 0, program }, screen))),
            chain_serial: 0,
            palette_serial: 0,
            words_serial: 0,
            has_words: false,
            words_seen: 1.0,
            bends_epoch: 0,
            size: [0; 2],
            is_moving: false,
            waiting: Vec::new(),
            request: Request::default(),
            last: Request::default(),
            drawn: Drawn::default(),
            picture: None,
            pixels: None,
            clean: None,
            clean_serial: 0,
            taps: Vec::new(),
            style: None,
            style_serial: 0,
            input_serial: 0,
            pictures_asked: 0,
            directed: None,
            passes_over: false,
            wants_pixels: false,
            wants_light: false,
        }
    }

    /// Makes pictures on the engine thread from now on.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(self) -> std::io::Result<Self> {
        let maker = match self.maker {
            Maker::Offline(stage) => Maker::Live(Live::start(*stage)?),
            live @ Maker::Live(_) => live,
        };
        Ok(Output { maker, directed: None, ..self })
    }

    /// Whether it makes the pictures itself.
    pub fn is_offline(&self) -> bool {
        matches!(self.maker, Maker::Offline(_))
    }

    /// The serial number of the newest finished picture; 0 before the first.
    pub fn newest(&self) -> u64 {
        self.picture.as_ref().map_or(0, |picture| picture.serial)
    }

    /// The serial number of the next clean picture, or of the one that is seen now.
    pub fn next_clean(&self) -> u64 {
        self.clean.as_ref().map_or(self.clean_serial + 1, |picture| picture.serial)
    }

    /// How a picture of that size fills the output, if one of another size does so by `otherwise`.
    pub fn fit(&self, picture: &Picture, otherwise: Fit) -> Fit {
        match [picture.width, picture.height] == self.drawn_size {
            // It fits already; an output of another shape shows the whole.
            true if self.drawn_size == self.size => Fit::Contain,
            // A part of the size is rounded to pixels: what is missing at the edges is less than one of them.
            true => Fit::Mirror,
            false => otherwise,
        }
    }

    /// Adds a tap, which gets each finished picture from now on, until it is over.
    pub fn tap(&mut self, tap: Box<dyn Tap>) {
        self.taps.push(tap);
    }

    /// Removes all taps.
    pub fn give_taps(&mut self) -> Vec<Box<dyn Tap>> {
        std::mem::take(&mut self.taps)
    }

    /// Numbers the pictures from here on. Before [`Output::start`].
    pub fn number_from(&mut self, serial: u64) {
        if let Maker::Offline(stage) = &mut self.maker {
            stage.number_from(serial);
        }
    }

    /// The newest finished picture.
    pub fn picture(&self) -> Option<&Arc<Picture>> {
        self.picture.as_ref()
    }

    /// The newest picture that can be shown where no texture of the engine's device can be.
    pub fn pixels(&self) -> Option<&Arc<Picture>> {
        self.pixels.as_ref()
    }

    /// What computes the network's pictures, once one is finished.
    pub fn engine(&self) -> Option<&'static str> {
        Some(self.drawn.engine).filter(|engine| !engine.is_empty())
    }

    /// How many styles the active style network has.
    pub fn styles(&self) -> usize {
        self.style.as_ref().map_or(0, |style| style.styles.len())
    }

    /// The active style network.
    pub fn style_network(&self) -> Option<&Arc<StyleNetwork>> {
        self.style.as_ref()
    }

    /// Requests that were replaced before the engine got to them.
    pub fn skipped(&self) -> u64 {
        match &self.maker {
            Maker::Live(live) => live.skipped(),
            Maker::Offline(_) => 0,
        }
    }

    /// Plays this network from the next request; with `fades`, the last one is kept for the fade.
    pub fn set_network(&mut self, generation: u64, program: Box<dyn Program>, fades: bool) {
        self.change(Change::Scene { scene: Scene { generation, program }, fades });
    }

    /// Plays the same network with other weights from the next request.
    pub fn set_blend(&mut self, generation: u64, program: Box<dyn Program>) {
        self.change(Change::Blend(Scene { generation, program }));
    }

    /// Drops the network that was faded from.
    pub fn end_fade(&mut self) {
        self.change(Change::EndFade);
    }

    /// Paints with this style network from the next picture; `None` stops painting.
    pub fn set_style(&mut self, style: Option<Box<StyleLoop>>) {
        self.style = style.as_ref().map(|style| style.network().clone());
        self.style_serial += 1;
        self.change(Change::Style(style));
    }

    /// Mixes this in from the next picture on; `None` for no input.
    pub fn set_input(&mut self, content: Option<Content>) {
        self.input_serial += 1;
        self.change(Change::Input(content, self.input_serial));
    }

    /// Runs these effects from the next picture.
    pub fn set_chain(&mut self, links: Vec<Link>) {
        self.chain_serial += 1;
        self.change(Change::Chain(links, self.chain_serial));
    }

    /// Effects use this palette from the next picture.
    pub fn set_palette(&mut self, palette: Box<Palette>) {
        self.palette_serial += 1;
        self.change(Change::Palette(palette));
    }

    /// Writes this over the picture from the next one on, while `/caption/show` is on.
    pub fn set_words(&mut self, words: &str) {
        self.words_serial += 1;
        self.has_words = !words.trim().is_empty();
        self.change(Change::Words(words.into()));
    }

    /// Where words are written over the picture; `None` while there are none.
    pub fn words_at(&self, params: &Params) -> Option<Place> {
        (self.has_words && params.bool(Id::CaptionShow)).then(|| params.get_choice(Id::CaptionPlace))
    }

    /// How much of the words is seen from the next picture on, 0 to 1.
    pub fn fade_words(&mut self, seen: f32) {
        self.words_seen = seen;
    }

    /// The output's width and height in pixels; 0 for the picture's own.
    pub fn size(&self) -> [u32; 2] {
        self.size
    }

    /// Whether pixels are wanted, whatever the taps want.
    pub fn want_pixels(&mut self, are_wanted: bool) {
        self.wants_pixels = are_wanted;
    }

    /// Whether pictures are wanted in linear light, whatever the taps want.
    pub fn want_light(&mut self, is_wanted: bool) {
        self.wants_light = is_wanted;
    }

    /// Bends forget what they remember.
    pub fn forget_bends(&mut self) {
        self.bends_epoch = self.bends_epoch.wrapping_add(1);
    }

    /// Draws the next frame, or not, whether or not its picture differs from the last.
    pub fn direct(&mut self, draws: bool) {
        (self.directed, self.passes_over) = (Some(draws), false);
    }

    /// Notes the next frame as one that was drawn, without drawing it: see [`Stage::pass_over`].
    pub fn pass_over(&mut self) {
        (self.directed, self.passes_over) = (Some(false), true);
    }

    /// Offline: whether pictures that were drawn before can be seen in the next one.
    pub fn remembers(&self) -> bool {
        matches!(&self.maker, Maker::Offline(stage) if stage.remembers())
    }

    /// Offline: what it remembers of the pictures that were drawn, and the newest one.
    ///
    /// # Errors
    /// As [`Stage::memo`].
    pub fn memo(&mut self, memo: &mut Memo) -> Result<(), MemoError> {
        let Maker::Offline(stage) = &mut self.maker else { return Ok(()) };
        stage.memo(memo)?;
        let mut picture = self.picture.as_ref().map(|picture| Picture { texture: None, ..(**picture).clone() });
        let mut is_there = picture.is_some();
        memo.bool(&mut is_there)?;
        if is_there {
            let picture = picture.get_or_insert_default();
            memo.u32(&mut picture.width)?;
            memo.u32(&mut picture.height)?;
            memo.u64(&mut picture.serial)?;
            memo.bytes(&mut picture.rgba)?;
        }
        if memo.gives_back() {
            self.picture = picture.filter(|_| is_there).map(Arc::new);
            self.pixels.clone_from(&self.picture);
        }
        Ok(())
    }

    /// The frame of the next request that was drawn, and its picture's serial number; in order, each once. Live only.
    pub fn drew(&mut self) -> Option<(u64, u64)> {
        match &mut self.maker {
            Maker::Live(live) => live.drew(),
            Maker::Offline(_) => None,
        }
    }

    /// The output's width and height in pixels; 0 for the picture's own.
    pub fn set_size(&mut self, size: [u32; 2]) {
        self.size = size;
    }

    /// Draws from here on as it will when it is live: what effects remember has that size.
    pub fn go_live(&mut self) {
        self.goes_live = true;
    }

    fn change(&mut self, change: Change) {
        let is_like = |other: &Change| std::mem::discriminant(other) == std::mem::discriminant(&change);
        self.waiting.retain(|other| !is_like(other));
        self.waiting.push(change);
        self.has_room();
    }

    /// Whether the engine has accepted every change. Until then nothing is requested and no new change is applied, as a
    /// request that arrives before its network would be dropped.
    pub fn has_room(&mut self) -> bool {
        while !self.waiting.is_empty() {
            let change = self.waiting.remove(0);
            match &mut self.maker {
                Maker::Offline(stage) => drop(stage.change(change)),
                Maker::Live(live) => {
                    if let Err(change) = live.change(change) {
                        self.waiting.insert(0, change);
                        return false;
                    }
                }
            }
        }
        true
    }

    /// The next request, filled with everything except the decks' part. `secs` is the show's time.
    pub fn request(&mut self, p: &Params, slideshow: &Slideshow, effects: &Effects, now: Now) -> &mut Request {
        self.pictures_asked += 1;
        let mode = match p.get_choice(Id::NoiseMode) {
            NoiseKind::Const => NoiseMode::Const,
            NoiseKind::Random => NoiseMode::Random { seed: p.int(Id::NoiseSeed) as u64 ^ (self.pictures_asked << 32) },
            NoiseKind::None => NoiseMode::None,
        };
        let words_at = self.words_at(p);
        let request = &mut self.request;
        request.noise = Noise { mode, gain: p.get(Id::NoiseGain) as f32 };
        request.transform = Transform::new(
            p.get(Id::TransformX),
            p.get(Id::TransformY),
            p.get(Id::TransformRotate),
            p.get(Id::TransformScale),
        );
        request.bends = Bends { slots: now.bends, epoch: self.bends_epoch, secs: 0.0 };
        let amount = p.get(Id::InputAmount) as f32;
        let waits = matches!(self.maker, Maker::Offline(_));
        let (fade, serial) = (slideshow.faded(), self.input_serial);
        let (moments, windows) = (now.moments, now.windows);
        request.input = InputSettings { amount, fade, serial, moments, windows, waits };
        // Without painting, its knobs change no picture.
        request.style = if self.style.is_some() { StyleSettings::from_params(p) } else { StyleSettings::default() };
        request.style_serial = self.style_serial;
        self.drawn_size = match self.maker {
            Maker::Offline(_) if !self.goes_live => self.size,
            _ => p.get_choice::<Detail>(Id::FitDetail).of(self.size, self.is_software),
        };
        let scaling = Scaling {
            size: self.drawn_size,
            fit: p.get_choice(Id::Fit),
            kernel: p.get_choice(Id::FitScaler),
            sharpness: p.get(Id::FitSharpness) as f32,
            centre: [p.get(Id::FitX) as f32, p.get(Id::FitY) as f32],
            zoom: p.get(Id::FitZoom) as f32,
            sectors: p.get(Id::FitSectors) as f32,
            turn: p.get(Id::FitTurn) as f32,
            limits_flashes: p.bool(Id::FlashLimit),
        };
        // A picture that is shown as it is needs no screen.
        let [height, width] = now.picture.map(|side| side as u32);
        let is_plain = effects.is_empty() && scaling.is_plain([width, height]);
        request.scaling = if is_plain { Scaling::default() } else { scaling };
        request.palette_serial = self.palette_serial;
        request.words = match words_at {
            Some(place) => {
                let (size, opacity) = (p.get(Id::CaptionSize) as f32, self.words_seen);
                Look { serial: self.words_serial, size, place, opacity }
            }
            None => Look::default(),
        };
        request.chain = self.chain_serial;
        effects.fill(p, now.signals, &mut request.chain_values);
        (request.at_secs, request.beat, request.bpm) = (now.secs, now.beat, p.get(Id::Tempo) as f32);
        self.is_moving = self.style.is_some() || effects.is_moving(p) || request.bends.moves();
        request
    }

    /// Requests a picture, unless it would be the same as the last. A frozen picture is requested again only if a tap needs
    /// its pixels. Takes the newest picture and hands it to the taps.
    pub fn draw(&mut self, frame: u64, is_frozen: bool, showing: Showing, status: &mut Status) {
        self.taps.retain(|tap| !tap.is_over());
        if is_frozen {
            copy(&self.last, &mut self.request);
        }
        self.request.frame = frame;
        let is_wanted = self.has_room() && (self.picture.is_some() || !is_frozen) && self.is_new();
        // The engine may skip a request, but a frozen picture is always the last that was asked for.
        if is_wanted || self.directed.is_some() {
            copy(&self.request, &mut self.last);
        }
        if self.directed.unwrap_or(is_wanted) {
            self.submit(status);
        } else if let Maker::Offline(stage) = &mut self.maker
            && self.passes_over
        {
            stage.pass_over(&self.request);
        }
        self.collect(status);
        let Showing { brightness, fit, dt } = showing;
        if let Some(clean) = &self.clean {
            self.clean_serial = clean.serial;
            self.taps.iter_mut().filter(|tap| tap.wants_clean()).for_each(|tap| tap.clean(clean, dt));
        }
        if let Some(picture) = &self.pixels {
            let shown = Shown { picture, brightness, fit: self.fit(picture, fit), output: self.size, dt };
            for tap in self.taps.iter_mut().filter(|tap| tap.wants()) {
                tap.picture(&shown);
            }
        }
    }

    /// Whether the request's picture would differ from the last. Compared as a whole, so that no field is forgotten.
    fn is_new(&mut self) -> bool {
        self.request.pixels = match self.maker {
            Maker::Offline(_) => Pixels::Now,
            Maker::Live(_) if self.wants_pixels || self.taps.iter().any(|tap| tap.wants()) => Pixels::Later,
            Maker::Live(_) => Pixels::None,
        };
        self.request.light = self.wants_light || self.taps.iter().any(|tap| tap.wants_light());
        // Nothing is drawn again to be rid of it.
        self.last.light &= self.request.light;
        self.request.clean = self.taps.iter().any(|tap| tap.wants_clean());
        if !self.request.clean {
            self.clean = None;
        }
        let serial = |picture: &Option<Arc<Picture>>| picture.as_ref().map(|picture| picture.serial);
        if serial(&self.pixels) == serial(&self.picture) || self.request.pixels == Pixels::None {
            self.last.pixels = self.request.pixels;
        }
        self.last.frame = self.request.frame;
        let time = (self.last.at_secs, self.last.beat, self.last.bpm);
        // A style loop, feedback and some effects keep moving without new latents; nothing else depends on time.
        if !self.is_moving {
            (self.last.at_secs, self.last.beat, self.last.bpm) =
                (self.request.at_secs, self.request.beat, self.request.bpm);
        }
        let is_new = self.picture.is_none() || self.request != self.last;
        (self.last.at_secs, self.last.beat, self.last.bpm) = time;
        is_new
    }

    fn submit(&mut self, status: &mut Status) {
        match &mut self.maker {
            Maker::Live(live) => live.submit(&mut self.request),
            Maker::Offline(stage) => match stage.draw(&self.request) {
                Ok(Some(picture)) => {
                    self.pixels = Some(picture.clone());
                    self.picture = Some(picture);
                    if let Some(line) = stage.take_fault() {
                        status.fault(About::Drawing, line);
                    }
                }
                Ok(None) => {}
                Err(error) => status.fault(About::Drawing, error.to_string()),
            },
        }
    }

    /// Takes the newest picture if there is one; otherwise the last good one stays.
    fn collect(&mut self, status: &mut Status) {
        let live = match &mut self.maker {
            Maker::Live(live) => live,
            Maker::Offline(stage) => {
                if let Some(clean) = stage.take_clean().filter(|_| self.request.clean) {
                    self.clean = Some(clean);
                }
                return;
            }
        };
        if let Some(pixels) = live.newest_pixels() {
            self.pixels = Some(pixels);
        }
        if let Some(clean) = live.newest_clean().filter(|_| self.last.clean) {
            self.clean = Some(clean);
        }
        if !live.newest(&mut self.drawn) {
            return;
        }
        if let Some(line) = self.drawn.notice.take() {
            status.notice(line);
        }
        if let Some(line) = self.drawn.error.take() {
            status.error(About::Drawing, line);
        }
        if let Some(picture) = self.drawn.picture.take() {
            status.drawn(self.drawn.took);
            if !picture.rgba.is_empty() {
                self.pixels = Some(picture.clone());
            }
            self.picture = Some(picture);
        }
    }
}

/// Copies into the existing vectors; a derived clone would allocate new ones.
fn copy(from: &Request, to: &mut Request) {
    let (mut ws, mut ws_before) = (std::mem::take(&mut to.ws), std::mem::take(&mut to.ws_before));
    let mut chain_values = std::mem::take(&mut to.chain_values);
    ws.clone_from(&from.ws);
    ws_before.clone_from(&from.ws_before);
    chain_values.clone_from(&from.chain_values);
    *to = Request { ws, ws_before, chain_values, ..*from };
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::engine::Engine;
    use crate::engine::cpu::Cpu;
    use crate::network::stylegan2;

    fn program(resolution: usize) -> Box<dyn Program> {
        Cpu::new(1).prepare(stylegan2::random(resolution, 128, 8, 8, 0).plan).unwrap()
    }

    fn ws(resolution: usize) -> Vec<f32> {
        let plan = stylegan2::random(resolution, 128, 8, 8, 0).plan;
        vec![0.1; plan.num_ws * plan.w_dim]
    }

    struct Player {
        output: Output,
        params: Params,
        status: Status,
        secs: f64,
    }

    impl Player {
        fn new() -> Self {
            let (params, status) = (Params::default(), Status::default());
            Player { output: Output::new(program(16), None), params, status, secs: 0.0 }
        }

        /// Steps a frame; returns the picture's serial number.
        fn draw(&mut self, generation: u64, resolution: usize, is_frozen: bool) -> u64 {
            self.secs += 0.1;
            let (signals, picture) = (&Signals::default(), [resolution; 2]);
            let (bends, moments, windows) = Default::default();
            let now = Now { bends, secs: self.secs, beat: 0.0, signals, picture, moments, windows };
            let request = self.output.request(&self.params, &Slideshow::default(), &Effects::default(), now);
            (request.generation, request.ws, request.fade) = (generation, ws(resolution), 1.0);
            let showing = Showing { brightness: 1.0, fit: Fit::Contain, dt: 0.1 };
            self.output.draw(0, is_frozen, showing, &mut self.status);
            self.output.picture().map_or(0, |picture| picture.serial)
        }
    }

    #[test]
    fn an_unchanged_request_is_drawn_once_and_every_field_counts() {
        let mut player = Player::new();
        assert_eq!([player.draw(0, 16, false), player.draw(0, 16, false)], [1, 1]);
        for (id, value) in [(Id::NoiseGain, 0.5), (Id::TransformX, 0.5), (Id::InputAmount, 0.5)] {
            let before = player.draw(0, 16, false);
            player.params.write(id.into(), &crate::params::Value::Float(value)).unwrap();
            player.params.settle();
            assert_eq!(player.draw(0, 16, true), before, "{id:?} while frozen");
            assert_eq!(player.draw(0, 16, false), before + 1, "{id:?}");
        }
    }

    #[test]
    fn a_new_network_is_visible_even_if_nothing_moves() {
        let mut player = Player::new();
        player.output = player.output.start().unwrap();
        let mut wait = |generation, resolution| {
            let started = std::time::Instant::now();
            while player.output.picture().is_none_or(|picture| picture.width as usize != resolution) {
                player.draw(generation, resolution, false);
                assert!(started.elapsed().as_secs() < 30, "it never arrives");
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            player.output.set_network(generation + 1, program(48 - resolution), false);
        };
        for generation in 0..40 {
            wait(generation, if generation % 2 == 0 { 16 } else { 32 });
        }
    }

    /// Counts pictures.
    struct Counter(Arc<AtomicUsize>, Arc<AtomicUsize>);

    impl Tap for Counter {
        fn wants(&self) -> bool {
            self.0.load(Ordering::Relaxed) > 0
        }
        fn picture(&mut self, shown: &Shown) {
            let picture = shown.picture;
            assert_eq!(picture.rgba.len() as u32, picture.width * picture.height * 4);
            self.1.fetch_add(1, Ordering::Relaxed);
        }
        fn is_over(&self) -> bool {
            self.0.load(Ordering::Relaxed) > 1
        }
    }

    #[test]
    fn a_tap_gets_pictures_while_it_wants_them_and_causes_no_extra_drawing() {
        let mut player = Player::new();
        let (wanted, got) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        player.output.tap(Box::new(Counter(wanted.clone(), got.clone())));
        player.draw(0, 16, false);
        assert_eq!(got.load(Ordering::Relaxed), 0);
        wanted.store(1, Ordering::Relaxed);
        assert_eq!(player.draw(0, 16, false), 1, "its pixels are already here");
        assert_eq!(player.draw(0, 16, true), 1);
        assert_eq!(got.load(Ordering::Relaxed), 2);
        assert_eq!(Arc::strong_count(&got), 2);
        wanted.store(2, Ordering::Relaxed);
        player.draw(0, 16, false);
        assert_eq!((got.load(Ordering::Relaxed), Arc::strong_count(&got)), (2, 1), "it was removed");
    }
}
