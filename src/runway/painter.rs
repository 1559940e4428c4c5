//! Queries become pictures, and pictures captions.
//!
//! Runs on the thread `runway pictures`, with an engine of its own on the processor. What it prepares is made at the first
//! query and given back by [`Painter::rest`].

use std::sync::Arc;

use image::RgbImage;
use image::imageops::{FilterType, resize};

use super::picture;
use super::query::{Ask, PictureField, QueryError};
use crate::caption::{Caption, Captioner};
use crate::effects::style::{StyleLoop, StyleSettings};
use crate::engine::cpu::Cpu;
use crate::engine::{Engine, Inputs, Program};
use crate::image::Image;
use crate::image::convert::{image_from_rgba8, rgb8_from_image};
use crate::latent::mapping::{Scratch, blend_classes};
use crate::network::Network;
use crate::network::style_transfer::StyleNetwork;
use crate::show::Models;

/// Longest side of a painting, in pixels.
const LONGEST: u32 = 2048;
/// Largest shorter side that the style network itself paints, in pixels; the rest is enlarged.
const WORKING_SIDE: usize = 512;

/// Draws what is asked for.
pub struct Painter {
    threads: usize,
    engine: Option<Arc<dyn Engine>>,
    /// The network, prepared.
    generator: Option<(Arc<Network>, Box<dyn Program>)>,
    style: Option<StyleLoop>,
    captioner: Option<Captioner>,
}

/// What a query is answered with.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Picture(RgbImage),
    Caption(Caption),
}

impl Painter {
    /// Nothing is made before the first query. `threads` compute, this one included.
    pub fn new(threads: usize) -> Self {
        Painter { threads, engine: None, generator: None, style: None, captioner: None }
    }

    /// Gives back the memory and threads until the next query.
    pub fn rest(&mut self) {
        *self = Painter::new(self.threads);
    }

    /// Draws a query with what plays.
    ///
    /// # Errors
    /// When its picture or style makes no sense, no style network plays, the engine cannot run the network, or there is no
    /// captioner.
    pub fn answer(&mut self, ask: &Ask, models: &Models) -> Result<Answer, QueryError> {
        let Ask::Caption { picture, field } = ask else { return self.draw(ask, models).map(Answer::Picture) };
        let given = decoded(picture, field)?;
        let captioner = match &mut self.captioner {
            Some(captioner) => captioner,
            none => none.insert(Captioner::open(None).map_err(|error| QueryError::Failed(error.to_string()))?),
        };
        Ok(Answer::Caption(captioner.caption(&given)))
    }

    fn draw(&mut self, ask: &Ask, models: &Models) -> Result<RgbImage, QueryError> {
        match ask {
            Ask::Caption { .. } => Ok(RgbImage::default()),
            Ask::Generate { z, truncation, style: None } => {
                Ok(rgb8_from_image(&self.generate(z, *truncation, models)?))
            }
            Ask::Generate { z, truncation, style } => {
                let (network, settings) = styled(models, style.as_deref())?;
                let image = self.generate(z, *truncation, models)?;
                self.paint(&rgb8_from_image(&image), &network, settings)
            }
            Ask::Paint { picture, field, style } => {
                let (network, settings) = styled(models, style.as_deref())?;
                self.paint(&decoded(picture, field)?, &network, settings)
            }
        }
    }

    fn engine(&mut self) -> Arc<dyn Engine> {
        let threads = self.threads;
        self.engine.get_or_insert_with(|| Arc::new(Cpu::new(threads))).clone()
    }

    /// The network's picture, with its constant noise. A z that is shorter than the network's is filled up with zeros.
    fn generate(&mut self, z: &[f32], truncation: f32, models: &Models) -> Result<Image, QueryError> {
        let network = &models.network;
        let is_other = |(own, _): &(Arc<Network>, _)| !Arc::ptr_eq(own, network);
        if self.generator.as_ref().is_none_or(is_other) {
            // The last one is gone before the next takes its memory.
            self.generator = None;
            let program = self.engine().prepare(network.plan.clone()).map_err(failed)?;
            self.generator = Some((network.clone(), program));
        }
        let Some((_, program)) = &mut self.generator else { return Ok(Image::default()) };
        let mapping = &network.mapping;
        let (mut class, mut w, mut ws) = (Vec::new(), Vec::new(), Vec::new());
        blend_classes(models.class, mapping.c_dim, &mut class);
        mapping.map(z, &class, &mut w, &mut Scratch::default());
        mapping.truncate_in_class(&class, &w, truncation, usize::MAX, &mut ws);
        let mut image = Image::default();
        program.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut image).map_err(failed)?;
        Ok(image)
    }

    /// The style network's painting of a picture, in the picture's size, or the largest one of its shape.
    fn paint(
        &mut self,
        given: &RgbImage,
        network: &Arc<StyleNetwork>,
        settings: StyleSettings,
    ) -> Result<RgbImage, QueryError> {
        let (width, height) = within(given.dimensions(), LONGEST);
        let content = if (width, height) == given.dimensions() {
            planes(given)
        } else {
            planes(&resize(given, width, height, FilterType::CatmullRom))
        };
        if self.style.as_ref().is_none_or(|style| !Arc::ptr_eq(style.network(), network)) {
            self.style = Some(StyleLoop::new(self.engine(), network.clone()));
        }
        let Some(style) = &mut self.style else { return Ok(RgbImage::default()) };
        // Each picture stands for itself.
        style.restart();
        let shorter = width.min(height) as usize;
        let settings = StyleSettings { size: shorter.min(WORKING_SIDE), ..settings };
        let mut painting = Image::default();
        style.process(&content, &settings, &mut painting).map_err(failed)?;
        let painting = rgb8_from_image(&painting);
        if painting.dimensions() == (width, height) {
            return Ok(painting);
        }
        Ok(resize(&painting, width, height, FilterType::CatmullRom))
    }
}

/// The picture of a query.
fn decoded(picture: &str, field: &PictureField) -> Result<RgbImage, QueryError> {
    picture::decode(picture).map_err(|source| QueryError::Picture { field: field.name, source })
}

fn failed(error: crate::engine::EngineError) -> QueryError {
    QueryError::Failed(error.to_string())
}

/// The style network, and its settings for one picture in this style, or in the mix that plays. What the show's loop does
/// over time is left out.
fn styled(models: &Models, style: Option<&str>) -> Result<(Arc<StyleNetwork>, StyleSettings), QueryError> {
    let network = models.style.as_ref().ok_or(QueryError::NoStyle)?;
    let playing = models.settings;
    let still = StyleSettings { amount: 1.0, passes: playing.passes.max(1), feedback: 0.0, every: 1, ..playing };
    let Some(named) = style else { return Ok((network.clone(), still)) };
    let found = network.styles.iter().position(|style| style.name.eq_ignore_ascii_case(named.trim()));
    let Some(index) = found else {
        let known = network.styles.iter().map(|style| style.name.clone()).collect();
        // A hostile name must not come back as a whole.
        let found = named.chars().take(80).collect();
        return Err(QueryError::Style { found, known });
    };
    let mix = [0.0; crate::params::STYLE_KNOBS];
    Ok((network.clone(), StyleSettings { a: index, b: index, blend: 0.0, mix, ..still }))
}

/// The largest size of this shape with at most `longest` pixels on a side; never larger than it is.
fn within((width, height): (u32, u32), longest: u32) -> (u32, u32) {
    let long = width.max(height);
    if long <= longest {
        return (width, height);
    }
    let side = |side: u32| (u64::from(side) * u64::from(longest) / u64::from(long)).max(1) as u32;
    (side(width), side(height))
}

fn planes(picture: &RgbImage) -> Image {
    let rgba: Vec<u8> = picture.pixels().flat_map(|&image::Rgb([r, g, b])| [r, g, b, 255]).collect();
    image_from_rgba8(&rgba, picture.height() as usize, picture.width() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::seed::z_from_seed;
    use crate::network;
    use std::path::{Path, PathBuf};

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
    }

    fn models() -> Models {
        let style = StyleNetwork::open(&fixture("style/painters8.safetensors")).unwrap();
        Models {
            network: Arc::new(network::open(fixture("sg2_16_p2.pkl")).unwrap()),
            style: Some(Arc::new(style)),
            settings: StyleSettings { a: 1, b: 1, ..StyleSettings::default() },
            class: 0.0,
        }
    }

    fn generate(z: &[f32], style: Option<&str>) -> Ask {
        Ask::Generate { z: z.to_vec(), truncation: 0.7, style: style.map(str::to_owned) }
    }

    fn paint(picture: &RgbImage, style: Option<&str>) -> Ask {
        let (image, style) = (picture::encode(picture).unwrap(), style.map(|name| format!(",\"style\":\"{name}\"")));
        let json = format!("{{\"image\":\"{image}\"{}}}", style.unwrap_or_default());
        Ask::from_object(json.as_bytes(), None).unwrap()
    }

    #[test]
    fn a_z_gives_the_networks_picture() {
        let models = models();
        let mut painter = Painter::new(1);
        let z = z_from_seed(3, models.network.mapping.z_dim);
        // The same by hand.
        let mapping = &models.network.mapping;
        let (mut w, mut ws, mut image) = (Vec::new(), Vec::new(), Image::default());
        mapping.map(&z, &[], &mut w, &mut Scratch::default());
        mapping.truncate(&w, 0.7, usize::MAX, &mut ws);
        let mut program = Cpu::new(1).prepare(models.network.plan.clone()).unwrap();
        program.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut image).unwrap();
        let expected = rgb8_from_image(&image);
        assert_eq!(painter.draw(&generate(&z, None), &models).unwrap(), expected);
        // More numbers than the network has change nothing, fewer are filled up.
        let long: Vec<f32> = z.iter().copied().chain([9.0; 500]).collect();
        assert_eq!(painter.draw(&generate(&long, None), &models).unwrap(), expected);
        painter.rest();
        assert_eq!(painter.draw(&generate(&z, None), &models).unwrap(), expected);
        assert_ne!(painter.draw(&generate(&z[..3], None), &models).unwrap(), expected);
    }

    #[test]
    fn a_picture_is_painted_in_its_size_and_a_query_leaves_no_trace() {
        let models = models();
        let mut painter = Painter::new(1);
        let picture = RgbImage::from_fn(37, 20, |x, y| image::Rgb([x as u8 * 6, y as u8 * 12, 90]));
        let first = painter.draw(&paint(&picture, None), &models).unwrap();
        assert_eq!(first.dimensions(), (37, 20));
        assert_ne!(first, picture);
        let names: Vec<&str> =
            models.style.iter().flat_map(|style| &style.styles).map(|style| style.name.as_str()).collect();
        // The style that plays is the default.
        assert_eq!(painter.draw(&paint(&picture, Some(names[1])), &models).unwrap(), first);
        assert_ne!(painter.draw(&paint(&picture, Some(names[0])), &models).unwrap(), first);
        assert_eq!(painter.draw(&paint(&picture, None), &models).unwrap(), first);
        let z = z_from_seed(1, models.network.mapping.z_dim);
        let plain = painter.draw(&generate(&z, None), &models).unwrap();
        let painted = painter.draw(&generate(&z, Some(names[0])), &models).unwrap();
        assert!(painted != plain && painted.dimensions() == plain.dimensions());
    }

    #[test]
    fn a_picture_is_put_into_words() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/caption/heart.png");
        let picture = crate::image::file::read(&file).unwrap().into_rgb8();
        // As a JPEG it is nearly the same picture.
        let json = format!("{{\"image\":\"{}\"}}", picture::encode(&picture).unwrap());
        let ask = Ask::from_object(json.as_bytes(), Some(crate::runway::Model::Captioner)).unwrap();
        let answer = Painter::new(1).answer(&ask, &models()).unwrap();
        assert!(matches!(&answer, Answer::Caption(caption) if caption.text.starts_with("an emoji of ")), "{answer:?}");
    }

    #[test]
    fn what_cannot_be_painted_gets_a_line() {
        let mut models = models();
        let mut painter = Painter::new(1);
        let picture = RgbImage::from_pixel(16, 16, image::Rgb([9; 3]));
        let line = painter.draw(&paint(&picture, Some("nobody")), &models).unwrap_err().to_string();
        assert!(line.contains("nobody") && line.contains(&models.style.as_ref().unwrap().styles[0].name), "{line}");
        let broken = Ask::from_object(br#"{"input":"QUJD"}"#, None).unwrap();
        let line = painter.draw(&broken, &models).unwrap_err().to_string();
        assert!(line.starts_with("input: expected a PNG or JPEG"), "{line}");
        models.style = None;
        let line = painter.draw(&paint(&picture, None), &models).unwrap_err().to_string();
        assert!(line.contains("5-painters"), "{line}");
    }

    #[test]
    fn large_pictures_keep_their_shape() {
        assert_eq!(within((600, 400), LONGEST), (600, 400));
        assert_eq!(within((4096, 2048), LONGEST), (2048, 1024));
        assert_eq!(within((1, 8192), LONGEST), (1, 2048));
    }
}
