//! Where pictures are made: one program, or two while one network fades into another; pictures from files mixed in; the
//! style loop over it; and the pictures they hand out.
//!
//! A [`Stage`] turns a [`Request`] into a [`Picture`]: pixels, or where nothing here needs them a texture of the card that
//! the window draws with. Live it lives on the `engine` thread ([`Live`]), which
//! takes the newest request and leaves the newest picture; offline it is called directly. Knows nothing of
//! parameters, devices or windows.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::effects::crossfade::Crossfade;
use crate::effects::input::{Input, InputSettings};
use crate::effects::resample::shape;
use crate::effects::style::{StyleLoop, StyleSettings};
use crate::engine::thread::Slot;
use crate::engine::{CardPicture, EngineError, Image, Inputs, Kept, Noise, Program, Transform};
use crate::show::loader::panic_message;

/// A finished picture, ready to be shown or written.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    /// sRGB-encoded RGBA, 8 bits each, rows from top to bottom; none while the picture is on the card.
    pub rgba: Vec<u8>,
    /// The picture itself, on the card that the window draws with.
    pub card: Option<Arc<CardPicture>>,
    /// Grows with each new picture.
    pub serial: u64,
}

/// Everything that a picture is made from. **Latest value wins.**
#[derive(Clone, Debug, Default)]
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
    /// A picture `[3, S, S]` to be mixed in, or none, and its number; see [`Input::change`].
    Input(Option<Image>, u64),
}

/// What a stage no longer needs, to be freed by another thread.
pub enum Used {
    Scenes([Option<Scene>; 2]),
    Style(Option<Box<StyleLoop>>),
    Input(Option<Image>),
}

/// What the picture is faded from.
enum Before {
    Scene(Scene),
    /// The mixture as it was when a third network came in the middle of a fade.
    Still(Image),
}

/// Makes pictures of requests.
pub struct Stage {
    scene: Scene,
    before: Option<Before>,
    image_before: Image,
    crossfade: Crossfade,
    /// The last picture was a mixture of two networks.
    mid_fade: bool,
    style: Option<Box<StyleLoop>>,
    /// What the network made.
    image: Image,
    input: Input,
    /// The network's picture with the input mixed in.
    mixture: Image,
    /// What the style loop made of it.
    painting: Image,
    /// A picture in another number of colours, as style networks want it.
    coloured: Image,
    /// Why the last picture was not painted.
    unpainted: Option<String>,
    /// When the last picture was asked for.
    last_secs: f64,
    /// Pictures handed out before; one that nobody holds any more is filled again.
    pool: Vec<Arc<Picture>>,
    /// Takes the picture that need not leave the card.
    kept: Kept,
    serial: u64,
}

impl Stage {
    pub fn new(scene: Scene) -> Self {
        Stage {
            scene,
            before: None,
            image_before: Image::default(),
            crossfade: Crossfade::default(),
            mid_fade: false,
            style: None,
            image: Image::default(),
            input: Input::default(),
            mixture: Image::default(),
            painting: Image::default(),
            coloured: Image::default(),
            unpainted: None,
            last_secs: 0.0,
            pool: Vec::new(),
            kept: Kept::default(),
            serial: 0,
        }
    }

    /// Takes up something new, whole, and gives back what is no longer needed.
    pub fn change(&mut self, change: Change) -> Used {
        match change {
            Change::Scene { scene, fades } => Used::Scenes(self.change_scene(scene, fades)),
            Change::EndFade => Used::Scenes([self.end_fade(), None]),
            Change::Style(style) => Used::Style(std::mem::replace(&mut self.style, style)),
            Change::Input(picture, serial) => Used::Input(self.input.change(picture, serial)),
        }
    }

    /// Why a picture since the last call was not painted.
    pub fn take_unpainted(&mut self) -> Option<String> {
        self.unpainted.take()
    }

    /// What computes the network's pictures.
    pub fn engine(&self) -> &'static str {
        self.scene.program.engine()
    }

    /// As [`Program::take_notice`], of all that plays.
    pub fn take_notice(&mut self) -> Option<String> {
        self.scene.program.take_notice().or_else(|| self.style.as_mut()?.take_notice())
    }

    fn change_scene(&mut self, scene: Scene, fades: bool) -> [Option<Scene>; 2] {
        let mid_fade = std::mem::take(&mut self.mid_fade);
        let older = self.end_fade();
        let old = std::mem::replace(&mut self.scene, scene);
        if fades && mid_fade {
            self.before = Some(Before::Still(self.crossfade.last().clone()));
            return [older, Some(old)];
        }
        if fades {
            self.before = Some(Before::Scene(old));
            return [older, None];
        }
        [older, Some(old)]
    }

    fn end_fade(&mut self) -> Option<Scene> {
        match self.before.take()? {
            Before::Scene(scene) => Some(scene),
            Before::Still(_) => None,
        }
    }

    /// The network's picture, or two networks' on the way from one to the other. It stays on the card when `stays`, if it
    /// was made on one that a window draws with.
    fn synthesize(&mut self, request: &Request, stays: bool) -> Result<(), EngineError> {
        let (noise, transform) = (request.noise, request.transform);
        let inputs = |ws| Inputs { ws, noise, transform, ..Inputs::default() };
        let kept = stays.then_some(&self.kept);
        self.scene.program.run(&Inputs { kept, ..inputs(&request.ws) }, &mut self.image)?;
        self.mid_fade = false;
        if request.fade >= 1.0 {
            return Ok(());
        }
        let before = match &mut self.before {
            None => return Ok(()),
            Some(Before::Still(image)) => &*image,
            Some(Before::Scene(scene)) => {
                scene.program.run(&inputs(&request.ws_before), &mut self.image_before)?;
                &self.image_before
            }
        };
        self.crossfade.mix(before, &self.image, request.fade);
        self.mid_fade = true;
        Ok(())
    }

    /// Pictures that nobody looks at any more give their place on the card back.
    fn let_go(&mut self) {
        for picture in self.pool.iter_mut().filter_map(Arc::get_mut) {
            picture.card = None;
        }
    }

    /// The picture of `request`; `None` when it is meant for another network.
    ///
    /// # Errors
    /// When the engine fails; the next request may succeed.
    pub fn draw(&mut self, request: &Request) -> Result<Option<Arc<Picture>>, EngineError> {
        if request.generation != self.scene.generation {
            return Ok(None);
        }
        self.let_go();
        let network_share = self.input.network_share(&request.input);
        if network_share > 0.0 {
            let fades = request.fade < 1.0 && self.before.is_some();
            let stays = network_share >= 1.0 && !fades && self.style.is_none() && !request.pixels;
            self.synthesize(request, stays)?;
        }
        if let Some(card) = self.kept.take() {
            self.last_secs = request.at_secs;
            self.serial += 1;
            return Ok(Some(publish(self.serial, &mut self.pool, |picture| {
                [picture.width, picture.height] = card.size;
                picture.rgba.clear();
                picture.card = Some(card);
            })));
        }
        let synthesized = if self.mid_fade { self.crossfade.last() } else { &self.image };
        let content = if network_share < 1.0 {
            self.input.mix(synthesized, &request.input, &mut self.mixture);
            &self.mixture
        } else {
            synthesized
        };
        let dt = (request.at_secs - self.last_secs).max(0.0) as f32;
        self.last_secs = request.at_secs;
        let mut painted = content;
        if let Some(style) = &mut self.style {
            let content = if content.channels == 3 { content } else { coloured(content, &mut self.coloured) };
            match style.process(content, &request.style.after(dt), &mut self.painting) {
                Ok(()) => painted = &self.painting,
                // The network's picture goes on without the painting.
                Err(error) => self.unpainted = Some(format!("not painted: {error}")),
            }
        }
        self.serial += 1;
        Ok(Some(develop(painted, self.serial, &mut self.pool)))
    }
}

/// Grey as three equal colours; an alpha channel is left out.
fn coloured<'a>(image: &Image, out: &'a mut Image) -> &'a Image {
    let plane = image.height * image.width;
    shape(out, 3, image.height, image.width);
    for (c, to) in out.data.chunks_exact_mut(plane.max(1)).enumerate() {
        let c = if image.channels < 3 { 0 } else { c };
        to.copy_from_slice(&image.data[c * plane..][..plane]);
    }
    out
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
        picture.card = None;
        fill(picture);
    }
    pool[index].clone()
}

/// A picture of −1..1 as 8-bit RGBA: trunc(clamp(127.5·x + 128, 0, 255)), as the original tools save it.
/// Grey pictures become RGB; an alpha channel is left out.
pub fn rgba8_from_image(image: &Image, rgba: &mut Vec<u8>) {
    let plane = image.width * image.height;
    rgba.resize(plane * 4, 255);
    if plane == 0 {
        return;
    }
    let byte = |x: f32| (x * 127.5 + 128.0).clamp(0.0, 255.0) as u8;
    let channel = |c: usize| &image.data[c.min(image.channels - 1) * plane..][..plane];
    let (r, g, b) =
        if image.channels < 3 { (channel(0), channel(0), channel(0)) } else { (channel(0), channel(1), channel(2)) };
    for (pixel, ((r, g), b)) in rgba.as_chunks_mut::<4>().0.iter_mut().zip(r.iter().zip(g).zip(b)) {
        *pixel = [byte(*r), byte(*g), byte(*b), 255];
    }
}

/// A picture and how long it took.
#[derive(Clone, Debug, Default)]
pub struct Drawn {
    pub picture: Option<Arc<Picture>>,
    pub took: Duration,
    /// Why there is no picture, or no painting.
    pub error: Option<String>,
    /// What computes the network's pictures.
    pub engine: &'static str,
    /// Another engine had to take over.
    pub notice: Option<String>,
}

/// A stage on a thread of its own. Neither side waits for the other.
pub struct Live {
    requests: Arc<Slot<Request>>,
    drawn: Arc<Slot<Drawn>>,
    changes: Sender<Change>,
    used: Receiver<Used>,
    skipped: u64,
    thread: Option<JoinHandle<()>>,
}

impl Live {
    /// Starts the `engine` thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(stage: Stage) -> std::io::Result<Self> {
        let (requests, drawn) = (Arc::new(Slot::default()), Arc::new(Slot::default()));
        let (changes, new_changes) = bounded(4);
        let (done, used) = bounded(8);
        let thread = {
            let (requests, drawn) = (requests.clone(), drawn.clone());
            std::thread::Builder::new()
                .name("engine".to_owned())
                .spawn(move || engine_thread(stage, &requests, &drawn, &new_changes, &done))?
        };
        Ok(Live { requests, drawn, changes, used, skipped: 0, thread: Some(thread) })
    }

    /// Asks for a picture; a request that the engine did not get to is replaced and counted.
    /// `request` gets an old buffer back.
    pub fn submit(&mut self, request: &mut Request) {
        if self.requests.put(request) {
            self.skipped += 1;
        }
    }

    /// The newest picture, if one was finished since the last call.
    pub fn newest(&mut self, drawn: &mut Drawn) -> bool {
        // What the engine no longer plays is freed here, not on its thread.
        while self.used.try_recv().is_ok() {}
        self.drawn.take(drawn)
    }

    /// Gives the engine something new.
    ///
    /// # Errors
    /// Gives it back when the engine has not even taken up the last ones.
    pub fn change(&self, change: Change) -> Result<(), Change> {
        self.changes.try_send(change).map_err(crossbeam_channel::TrySendError::into_inner)
    }

    /// Requests that were replaced before the engine got to them.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.requests.close();
        if let Some(thread) = self.thread.take() {
            // A panic of the engine was reported when it happened.
            let _ = thread.join();
        }
    }
}

fn engine_thread(
    mut stage: Stage,
    requests: &Slot<Request>,
    drawn: &Slot<Drawn>,
    changes: &Receiver<Change>,
    done: &Sender<Used>,
) {
    let mut request = Request::default();
    let mut result = Drawn::default();
    while !requests.closed() {
        for change in changes.try_iter() {
            // A full channel means that the show is gone: then it is freed here.
            let _ = done.try_send(stage.change(change));
        }
        // Short enough that a new network is taken up soon even when nothing is asked for.
        if !requests.wait(&mut request, Duration::from_millis(100)) {
            continue;
        }
        let started = Instant::now();
        let drawing = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| stage.draw(&request)));
        result.took = started.elapsed();
        (result.picture, result.error) = match drawing {
            Ok(Ok(None)) => continue,
            Ok(Ok(picture)) => (picture, stage.take_unpainted()),
            Ok(Err(error)) => (None, Some(error.to_string())),
            Err(panic) => {
                (None, Some(format!("the engine broke down ({}); please report this", panic_message(&*panic))))
            }
        };
        result.engine = stage.engine();
        // A line that came back was not taken in time.
        result.notice = stage.take_notice().or(result.notice);
        drawn.put(&mut result);
        // The buffer that came back holds an older picture: let it go, so that the pool can fill it again.
        result.picture = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_rounded_as_the_original_tools_do() {
        let image = Image { channels: 3, height: 1, width: 2, data: vec![-1.0, 0.0, 1.0, -9.0, 9.0, 0.5] };
        let mut rgba = Vec::new();
        rgba8_from_image(&image, &mut rgba);
        assert_eq!(rgba, [0, 255, 255, 255, 128, 0, 191, 255]);
        let grey = Image { channels: 1, height: 1, width: 1, data: vec![0.0] };
        rgba8_from_image(&grey, &mut rgba);
        assert_eq!(rgba, [128, 128, 128, 255]);
    }
}
