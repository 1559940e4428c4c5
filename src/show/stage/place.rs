//! The way of one picture from the networks to the painting, on whatever easel: the processor's, or that of the card that
//! the networks run on.
//!
//! [`Cast`] is who plays; a [`Place`] has the pictures in between. Runs where its stage runs.

use std::sync::Arc;

use super::{Request, Scene};
use crate::effects::crossfade;
use crate::effects::easel::{Easel, Held};
use crate::effects::input::Input;
use crate::effects::style::StyleLoop;
use crate::engine::gpu::Device;
use crate::engine::{EngineError, Inputs};

/// What the picture is faded from.
pub enum Before {
    Scene(Scene),
    /// The mixture as it was when a third network came in the middle of a fade.
    Still(Held),
}

/// Networks, pictures from files and what paints over them.
pub struct Cast {
    pub scene: Scene,
    pub before: Option<Before>,
    pub input: Input,
    pub style: Option<Box<StyleLoop>>,
    /// The last picture was a mixture of two networks.
    pub mid_fade: bool,
    /// Why the last picture was not painted.
    pub unpainted: Option<String>,
}

impl Cast {
    pub fn new(scene: Scene) -> Cast {
        Cast { scene, before: None, input: Input::default(), style: None, mid_fade: false, unpainted: None }
    }

    fn fades(&self, request: &Request) -> bool {
        request.fade < 1.0 && self.before.is_some()
    }

    /// Is the picture what the network makes, with nothing around it?
    pub fn is_plain(&self, request: &Request) -> bool {
        self.input.network_share(&request.input) >= 1.0 && !self.fades(request) && self.style.is_none()
    }

    /// The card that everything runs on that has to do with this picture; `None` when something runs elsewhere.
    pub fn device(&self, request: &Request) -> Option<&Arc<Device>> {
        let device = self.scene.program.device()?;
        let before = self.before.as_ref().filter(|_| request.fade < 1.0);
        let goes_along = match before {
            Some(Before::Scene(scene)) => scene.program.device().is_some_and(|own| Arc::ptr_eq(own, device)),
            Some(Before::Still(_)) | None => true,
        };
        let is_painted_there = self.style.as_ref().is_none_or(|style| style.is_on(device));
        Some(device).filter(|_| goes_along && is_painted_there)
    }
}

/// The pictures on the way, in one place.
#[derive(Default)]
pub struct Place<E: Easel> {
    pub easel: E,
    /// What the network made.
    image: E::Sheet,
    image_before: E::Sheet,
    /// Two networks' pictures mixed.
    faded: E::Sheet,
    /// The network's picture with the input mixed in.
    mixture: E::Sheet,
    /// A picture in another number of colours, as style networks want it.
    coloured: E::Sheet,
    /// What the style loop made of it.
    painting: E::Sheet,
}

/// Which of the pictures on the way is the last.
#[derive(Clone, Copy)]
pub enum Last {
    Image,
    Faded,
    Mixture,
    Painting,
}

impl<E: Easel> Place<E> {
    pub fn new(easel: E) -> Place<E> {
        Place {
            easel,
            image: E::Sheet::default(),
            image_before: E::Sheet::default(),
            faded: E::Sheet::default(),
            mixture: E::Sheet::default(),
            coloured: E::Sheet::default(),
            painting: E::Sheet::default(),
        }
    }

    /// Makes the picture of `request`, `dt` seconds after the last.
    ///
    /// # Errors
    /// When the engine fails; [`EngineError::LeftDevice`] when something runs elsewhere by now.
    pub fn compose(&mut self, cast: &mut Cast, request: &Request, dt: f32) -> Result<Last, EngineError> {
        let network_share = cast.input.network_share(&request.input);
        if network_share > 0.0 {
            self.synthesize(cast, request)?;
        }
        let mut last = if cast.mid_fade { Last::Faded } else { Last::Image };
        if network_share < 1.0 {
            let picture = if cast.mid_fade { &self.faded } else { &self.image };
            cast.input.mix(&mut self.easel, picture, &request.input, &mut self.mixture)?;
            last = Last::Mixture;
        }
        if cast.style.is_some() {
            match self.paint(cast, request, dt, last) {
                Ok(()) => last = Last::Painting,
                Err(EngineError::LeftDevice) => return Err(EngineError::LeftDevice),
                // The network's picture goes on without the painting.
                Err(error) => cast.unpainted = Some(format!("not painted: {error}")),
            }
        }
        Ok(last)
    }

    /// The network's picture, or two networks' on the way from one to the other.
    fn synthesize(&mut self, cast: &mut Cast, request: &Request) -> Result<(), EngineError> {
        let Place { easel, image, image_before, faded, .. } = self;
        let (noise, transform) = (request.noise, request.transform);
        let inputs = |ws| Inputs { ws, noise, transform, ..Inputs::default() };
        easel.run(&mut *cast.scene.program, &inputs(&request.ws), None, image)?;
        cast.mid_fade = false;
        if request.fade >= 1.0 {
            return Ok(());
        }
        let before = match &mut cast.before {
            None => return Ok(()),
            Some(Before::Still(held)) => match easel.lend(held) {
                Ok(before) => before,
                Err(error) => {
                    // It went with a card that was lost: a cut.
                    tracing::warn!("a fade is cut short: {error}");
                    cast.before = None;
                    return Ok(());
                }
            },
            Some(Before::Scene(scene)) => {
                easel.run(&mut *scene.program, &inputs(&request.ws_before), None, image_before)?;
                &*image_before
            }
        };
        crossfade::mix(easel, before, image, request.fade, faded)?;
        cast.mid_fade = true;
        Ok(())
    }

    fn paint(&mut self, cast: &mut Cast, request: &Request, dt: f32, last: Last) -> Result<(), EngineError> {
        let Some(style) = &mut cast.style else { return Ok(()) };
        let Place { easel, image, faded, mixture, coloured, painting, .. } = self;
        let mut content = match last {
            Last::Image => &*image,
            Last::Faded => &*faded,
            Last::Mixture | Last::Painting => &*mixture,
        };
        let [channels, height, width] = E::shape_of(content);
        if channels != 3 {
            easel.blend(&[(content, 1.0)], [3, height, width], coloured)?;
            content = coloured;
        }
        style.play(easel, content, &request.style.after(dt), painting)
    }

    /// One of the pictures, and the easel to go on with.
    pub fn made(&mut self, last: Last) -> (&mut E, &E::Sheet) {
        let picture = match last {
            Last::Image => &self.image,
            Last::Faded => &self.faded,
            Last::Mixture => &self.mixture,
            Last::Painting => &self.painting,
        };
        (&mut self.easel, picture)
    }

    /// Takes the mixture of two networks away.
    pub fn take_faded(&mut self) -> E::Sheet {
        std::mem::take(&mut self.faded)
    }
}
