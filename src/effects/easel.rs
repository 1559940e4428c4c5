//! Where pictures are worked on: here by plain arithmetic, or on a graphics card by its kernels.
//!
//! The effects say what happens to a picture, in which order; an [`Easel`] does it. [`Processor`] is the reference, and the
//! easel of a card (`effects/card.rs`) gives the same numbers but for rounding. Both live on the engine's thread and
//! allocate only when a size changes.

use std::sync::Arc;

use super::style::{Desk, Keep, StyleLoop, balance};
use crate::engine::gpu::{Device, GpuImage};
use crate::engine::{Content, EngineError, Inputs, Program};
use crate::image::Image;
use crate::image::resample::{Motion, Resizer, moved};

/// Works on pictures of one place. Everything that gets a picture `to` shapes it first.
///
/// Each of them fails when the place is gone or has no room: never here, but on a card.
pub trait Easel {
    /// A picture `[C, H, W]` of this place; an empty one at first.
    type Sheet: Default;

    /// Channels, height and width.
    fn shape_of(sheet: &Self::Sheet) -> [usize; 3];

    /// A picture brought to this place, if it is not there yet.
    ///
    /// # Errors
    /// When the place where it was is gone.
    fn lend<'a>(&mut self, held: &'a mut Held) -> Result<&'a Self::Sheet, EngineError>;

    /// What the style loop keeps in this place, its last painting included.
    fn desk<'a>(&mut self, style: &'a mut StyleLoop) -> Desk<'a, Self::Sheet>;

    /// Runs a program, over a content picture when it takes one.
    ///
    /// # Errors
    /// As [`Program::run`]; [`EngineError::LeftDevice`] when the program has left this place.
    fn run(
        &mut self,
        program: &mut dyn Program,
        inputs: &Inputs,
        over: Option<&Self::Sheet>,
        to: &mut Self::Sheet,
    ) -> Result<(), EngineError>;

    fn copy(&mut self, from: &Self::Sheet, to: &mut Self::Sheet) -> Result<(), EngineError>;

    /// The sum of at most three pictures with their shares, each resized to the `shape` of the result; those with a share of
    /// 0 are not looked at. Grey enters all colours; alpha is left out.
    fn blend(
        &mut self,
        parts: &[(&Self::Sheet, f32)],
        shape: [usize; 3],
        to: &mut Self::Sheet,
    ) -> Result<(), EngineError>;

    /// As [`Resizer::resize`].
    fn resize(
        &mut self,
        from: &Self::Sheet,
        height: usize,
        width: usize,
        to: &mut Self::Sheet,
    ) -> Result<(), EngineError>;

    /// As [`balance::clamp`].
    fn limit(&mut self, sheet: &mut Self::Sheet) -> Result<(), EngineError>;

    /// Mixes `share` of the last painting, moved, into a canvas of the same shape.
    fn feed_back(
        &mut self,
        canvas: &mut Self::Sheet,
        painting: &Self::Sheet,
        motion: Motion,
        share: f32,
    ) -> Result<(), EngineError>;

    /// As [`balance::steady`].
    fn steady(&mut self, canvas: &mut Self::Sheet, share: f32) -> Result<(), EngineError>;

    /// As [`balance::stir`].
    fn stir(&mut self, painting: &mut Self::Sheet, before: &Self::Sheet, share: f32) -> Result<(), EngineError>;

    /// As [`balance::keep`].
    fn keep(
        &mut self,
        painting: &mut Self::Sheet,
        picture: &Self::Sheet,
        amount: f32,
        what: Keep,
    ) -> Result<(), EngineError>;

    /// Lays `amount` of a painting over the picture; the painting is on its way from the one before (`fade` 0) to the newest
    /// (1). All are of one shape.
    fn lay_over(&mut self, layers: &Layers<Self::Sheet>, to: &mut Self::Sheet) -> Result<(), EngineError>;
}

/// What [`Easel::lay_over`] lays over what.
pub struct Layers<'a, S> {
    pub picture: &'a S,
    pub before: &'a S,
    pub painting: &'a S,
    pub fade: f32,
    pub amount: f32,
}

/// A picture that stays while others come and go, and is brought to wherever it is looked at.
#[derive(Debug)]
pub struct Held {
    here: Option<Image>,
    there: Option<GpuImage>,
}

impl Held {
    pub fn here(image: Image) -> Held {
        Held { here: Some(image), there: None }
    }

    pub fn there(image: GpuImage) -> Held {
        Held { here: None, there: Some(image) }
    }

    /// The picture in memory, to be changed; `None` when it is on a card alone.
    pub fn image_mut(&mut self) -> Option<&mut Image> {
        if self.here.is_some() {
            self.there = None;
        }
        self.here.as_mut()
    }

    /// The picture in memory.
    ///
    /// # Errors
    /// When it is on a card alone, and that is lost.
    pub fn image(&mut self) -> Result<&Image, EngineError> {
        let image = match (self.here.take(), &self.there) {
            (Some(image), _) => image,
            (None, Some(there)) => there.read()?,
            (None, None) => Image::default(),
        };
        Ok(self.here.insert(image))
    }

    /// The picture on that card.
    ///
    /// # Errors
    /// When the card has no room, or another one that it is on is lost.
    pub fn on(&mut self, device: &Arc<Device>) -> Result<&GpuImage, EngineError> {
        let there = match self.there.take().filter(|there| there.is_on(device)) {
            Some(there) => there,
            None => GpuImage::upload(device, self.image()?)?,
        };
        Ok(self.there.insert(there))
    }
}

/// Plain arithmetic on the processor.
#[derive(Debug, Default)]
pub struct Processor {
    /// The last used comes last.
    resizers: Vec<Resizer>,
    resized: Image,
    moved: Image,
}

/// Sizes whose tables are kept.
const RESIZERS: usize = 6;

impl Processor {
    fn resizer(&mut self, from: &Image, height: usize, width: usize) -> &mut Resizer {
        let sizes = [from.height, from.width, height, width];
        let known = self.resizers.iter().position(|resizer| resizer.sizes() == sizes);
        match known {
            Some(at) => self.resizers[at..].rotate_left(1),
            None if self.resizers.len() < RESIZERS => self.resizers.push(Resizer::default()),
            None => self.resizers.rotate_left(1),
        }
        let last = self.resizers.len() - 1;
        &mut self.resizers[last]
    }

    /// Adds `share` of `image`, resized, to the colours of `to`.
    fn add(&mut self, image: &Image, share: f32, to: &mut Image) {
        let mut resized = std::mem::take(&mut self.resized);
        let is_as_large = (image.height, image.width) == (to.height, to.width);
        if !is_as_large {
            self.resizer(image, to.height, to.width).resize(image, to.height, to.width, &mut resized);
        }
        let image = if is_as_large { image } else { &resized };
        let plane = to.height * to.width;
        for (c, colour) in to.data.chunks_exact_mut(plane.max(1)).enumerate() {
            let c = if image.channels < 3 { 0 } else { c };
            colour.iter_mut().zip(&image.data[c * plane..]).for_each(|(to, from)| *to += share * from);
        }
        self.resized = resized;
    }
}

impl Easel for Processor {
    type Sheet = Image;

    fn shape_of(sheet: &Image) -> [usize; 3] {
        [sheet.channels, sheet.height, sheet.width]
    }

    fn lend<'a>(&mut self, held: &'a mut Held) -> Result<&'a Image, EngineError> {
        held.image()
    }

    fn desk<'a>(&mut self, style: &'a mut StyleLoop) -> Desk<'a, Image> {
        style.desk_here()
    }

    fn run(
        &mut self,
        program: &mut dyn Program,
        inputs: &Inputs,
        over: Option<&Image>,
        to: &mut Image,
    ) -> Result<(), EngineError> {
        program.run(&Inputs { image: over.map(Content::Here), ..*inputs }, to)
    }

    fn copy(&mut self, from: &Image, to: &mut Image) -> Result<(), EngineError> {
        to.reshape(from.channels, from.height, from.width);
        to.data.copy_from_slice(&from.data);
        Ok(())
    }

    fn blend(
        &mut self,
        parts: &[(&Image, f32)],
        [channels, height, width]: [usize; 3],
        to: &mut Image,
    ) -> Result<(), EngineError> {
        to.reshape(channels, height, width);
        to.data.fill(0.0);
        for (image, share) in parts.iter().filter(|(image, share)| *share > 0.0 && !image.data.is_empty()) {
            self.add(image, *share, to);
        }
        Ok(())
    }

    fn resize(&mut self, from: &Image, height: usize, width: usize, to: &mut Image) -> Result<(), EngineError> {
        self.resizer(from, height, width).resize(from, height, width, to);
        Ok(())
    }

    fn limit(&mut self, sheet: &mut Image) -> Result<(), EngineError> {
        balance::clamp(&mut sheet.data);
        Ok(())
    }

    fn feed_back(
        &mut self,
        canvas: &mut Image,
        painting: &Image,
        motion: Motion,
        share: f32,
    ) -> Result<(), EngineError> {
        moved(painting, motion, &mut self.moved);
        let back = |(to, from): (&mut f32, &f32)| *to += share * (from - *to);
        canvas.data.iter_mut().zip(&self.moved.data).for_each(back);
        Ok(())
    }

    fn steady(&mut self, canvas: &mut Image, share: f32) -> Result<(), EngineError> {
        balance::steady(canvas, share);
        Ok(())
    }

    fn stir(&mut self, painting: &mut Image, before: &Image, share: f32) -> Result<(), EngineError> {
        balance::stir(painting, before, share);
        Ok(())
    }

    fn keep(&mut self, painting: &mut Image, picture: &Image, amount: f32, what: Keep) -> Result<(), EngineError> {
        balance::keep(painting, picture, amount, what);
        Ok(())
    }

    fn lay_over(&mut self, layers: &Layers<Image>, to: &mut Image) -> Result<(), EngineError> {
        let Layers { picture, before, painting, fade, amount } = *layers;
        to.reshape(picture.channels, picture.height, picture.width);
        let pixels = before.data.iter().zip(&painting.data).zip(&picture.data);
        for (to, ((before, painting), picture)) in to.data.iter_mut().zip(pixels) {
            let painted = before * (1.0 - fade) + painting * fade;
            *to = picture * (1.0 - amount) + painted * amount;
        }
        Ok(())
    }
}
