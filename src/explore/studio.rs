//! Draws pictures of a network, one after another: of seeds, or of moments of something that was played.

use std::sync::Arc;

use image::RgbImage;
use image::imageops::thumbnail;

use crate::engine::score::Discriminator;
use crate::engine::{EngineError, Inputs, Program};
use crate::image::Image;
use crate::image::convert::rgb8_from_image;
use crate::latent::mapping::{Scratch, blend_classes};
use crate::latent::seed::z_from_seed;
use crate::network::Network;

/// What picks a picture beside its seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// Truncation psi.
    pub psi: f32,
    /// Class of a conditional network; fractions blend two.
    pub class: f64,
}

/// A moment of a take or a walk.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// Since its beginning.
    pub secs: f64,
    /// What was played.
    pub seed: u32,
    pub settings: Settings,
    /// `[w_dim]` before truncation.
    pub w: Vec<f32>,
    /// `[num_ws, w_dim]`
    pub ws: Vec<f32>,
}

impl Moment {
    /// Its time, as 1:05 or 1:05.25.
    pub fn time(&self) -> String {
        let hundredths = (self.secs.max(0.0) * 100.0).round() as u64;
        let (minutes, secs, rest) = (hundredths / 6000, hundredths / 100 % 60, hundredths % 100);
        let whole = format!("{minutes}:{secs:02}");
        if rest == 0 { whole } else { format!("{whole}.{rest:02}").trim_end_matches('0').to_owned() }
    }
}

/// What the pictures of an explorer are.
#[derive(Clone, Debug)]
pub enum Shown {
    /// Picture n is that of seed n.
    Seeds,
    Moments(Arc<[Moment]>),
}

impl Shown {
    /// How many pictures there are.
    pub fn count(&self) -> u32 {
        match self {
            Shown::Seeds => u32::MAX,
            Shown::Moments(moments) => moments.len() as u32,
        }
    }

    /// The moment of picture n; `None` for seeds.
    pub fn moment(&self, n: u32) -> Option<&Moment> {
        match self {
            Shown::Seeds => None,
            Shown::Moments(moments) => moments.get(n as usize),
        }
    }

    /// w `[w_dim]` before truncation, and ws `[num_ws, w_dim]`, of picture n.
    pub fn latent(&self, n: u32, studio: &mut Studio, settings: &Settings) -> (Vec<f32>, Vec<f32>) {
        match self.moment(n) {
            Some(moment) => (moment.w.clone(), moment.ws.clone()),
            None => studio.latent(n, settings),
        }
    }

    /// What seeds have in common that are compared with the pictures: of moments, the class of the first one, untruncated.
    pub fn settings(&self, settings: &Settings) -> Settings {
        match self.moment(0) {
            Some(moment) => Settings { psi: 1.0, class: moment.settings.class },
            None => *settings,
        }
    }

    /// The class of picture n.
    pub fn class(&self, n: u32, settings: &Settings) -> f64 {
        self.moment(n).map_or(settings.class, |moment| moment.settings.class)
    }
}

/// A network with what draws it. Pictures have their constant noise, so the same seed gives the same picture.
pub struct Studio {
    pub network: Arc<Network>,
    program: Box<dyn Program>,
    scratch: Scratch,
    class: Vec<f32>,
    w: Vec<f32>,
    image: Image,
}

impl Studio {
    pub fn new(network: impl Into<Arc<Network>>, program: Box<dyn Program>) -> Studio {
        let (scratch, image) = (Scratch::default(), Image::default());
        Studio { network: network.into(), program, scratch, class: Vec::new(), w: Vec::new(), image }
    }

    /// w `[w_dim]` of a seed before truncation, and its ws `[num_ws, w_dim]`.
    pub fn latent(&mut self, seed: u32, settings: &Settings) -> (Vec<f32>, Vec<f32>) {
        let mapping = &self.network.mapping;
        let mut ws = Vec::new();
        blend_classes(settings.class, mapping.c_dim, &mut self.class);
        mapping.map(&z_from_seed(seed, mapping.z_dim), &self.class, &mut self.w, &mut self.scratch);
        mapping.truncate_in_class(&self.class, &self.w, settings.psi, usize::MAX, &mut ws);
        (self.w.clone(), ws)
    }

    /// The mean w `[w_dim]`, of the class if the network has those.
    pub fn centre(&mut self, settings: &Settings) -> Vec<f32> {
        let mapping = &self.network.mapping;
        if mapping.class_w_avg.is_empty() {
            return mapping.w_avg.clone();
        }
        let mut mean = vec![0.0; mapping.w_dim];
        blend_classes(settings.class, mapping.c_dim, &mut self.class);
        for (share, average) in self.class.iter().zip(mapping.class_w_avg.chunks_exact(mapping.w_dim)) {
            mean.iter_mut().zip(average).for_each(|(m, a)| *m += share * a);
        }
        mean
    }

    /// The picture of ws `[num_ws, w_dim]`, in the network's size.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn draw(&mut self, ws: &[f32]) -> Result<RgbImage, EngineError> {
        self.program.draw(&Inputs { ws, ..Inputs::default() }, &mut self.image)?;
        Ok(rgb8_from_image(&self.image))
    }

    /// How real the discriminator judges the picture of these ws to be, in this class; `None` if it does not fit the network.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn score(&mut self, judge: &Discriminator, ws: &[f32], class: f64) -> Result<Option<f32>, EngineError> {
        self.program.draw(&Inputs { ws, ..Inputs::default() }, &mut self.image)?;
        blend_classes(class, judge.c_dim, &mut self.class);
        Ok(judge.score(&self.image, &self.class))
    }

    /// The picture of a seed.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn of_seed(&mut self, seed: u32, settings: &Settings) -> Result<RgbImage, EngineError> {
        let (_, ws) = self.latent(seed, settings);
        self.draw(&ws)
    }
}

/// The picture with at most `side` pixels on its longer side.
pub fn reduced(picture: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let most = width.max(height);
    if most <= side {
        return picture.clone();
    }
    let shorter = |own: u32| (u64::from(own) * u64::from(side) / u64::from(most)).max(1) as u32;
    thumbnail(picture, shorter(width), shorter(height))
}
