//! How alike two pictures are: in what they show, and in their colours.

use crate::caption::Captioner;
use crate::caption::features::{CELLS, CHANNELS, Features};
use crate::image::Image;
use crate::image::convert::rgb8_from_image;
use crate::image::resample::{Resizer, pulled_back};

/// Pixels on a side of the pictures whose colours are compared.
const SIDE: usize = 32;
/// What their difference counts: features alone are content with other colours.
const COLOURS: f64 = 4.0;

/// The photograph to be compared with.
pub struct Likeness<'a> {
    eyes: &'a Captioner,
    photo: Image,
    /// Features of length 1 in each cell.
    features: Vec<Vec<f32>>,
    small: Image,
}

impl<'a> Likeness<'a> {
    /// A photograph `[3, H, W]` in −1..1, as large as the network's pictures.
    pub fn new(eyes: &'a Captioner, photo: &Image) -> Likeness<'a> {
        Likeness { eyes, photo: photo.clone(), features: features(eyes, photo), small: small(photo) }
    }

    pub fn photo(&self) -> &Image {
        &self.photo
    }

    /// The mean of 1 − cos over the cells of SqueezeNet's last features, 0 to 1, and [`COLOURS`] times the mean square of the
    /// differences of the pictures at 32 x 32 in −1..1.
    pub fn distance(&self, picture: &Image) -> f64 {
        let found = features(self.eyes, picture);
        let cos = |(a, b): (&Vec<f32>, &Vec<f32>)| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
        let shown = self.features.iter().zip(&found).map(cos).map(|cos| 1.0 - cos).sum::<f64>();
        let small = small(picture);
        let square = |(a, b): (&f32, &f32)| f64::from(a - b).powi(2);
        let colours = small.data.iter().zip(&self.small.data).map(square).sum::<f64>();
        shown / found.len().max(1) as f64 + COLOURS * colours / small.data.len().max(1) as f64
    }

    /// The gradient of [`Likeness::distance`] by each number of the picture. What is beyond black and white has none in what is
    /// seen, and rounding to bytes is passed over.
    pub fn gradient(&self, picture: &Image) -> Image {
        let (_, seen) = self.eyes.see_back(&rgb8_from_image(picture), |seen| self.by_features(seen));
        let mut small = small(picture);
        let share = 2.0 * COLOURS as f32 / small.data.len().max(1) as f32;
        small.data.iter_mut().zip(&self.small.data).for_each(|(x, photo)| *x = share * (*x - photo));
        let mut gradient = pulled_back(&small, picture.height, picture.width);
        let plane = picture.height * picture.width;
        for (i, by) in seen.iter().enumerate() {
            // Grey is seen in all three colours; an alpha channel is not seen.
            let at = if picture.channels < 3 { i % plane } else { i };
            if picture.data[at].abs() < 1.0 {
                gradient.data[at] += 127.5 * by;
            }
        }
        gradient
    }

    /// The gradient of what is seen by each feature, the cell fastest.
    fn by_features(&self, seen: &Features) -> Vec<f32> {
        let mut gradient = vec![0.0; CELLS * CHANNELS];
        for (i, photo) in self.features.iter().enumerate() {
            let (length, found) = unit(seen.cell(i));
            let cos: f32 = photo.iter().zip(&found).map(|(a, b)| a * b).sum();
            for (channel, (photo, found)) in photo.iter().zip(&found).enumerate() {
                gradient[channel * CELLS + i] = (cos * found - photo) / (length * CELLS as f32);
            }
        }
        gradient
    }
}

fn features(eyes: &Captioner, picture: &Image) -> Vec<Vec<f32>> {
    let seen = eyes.see(&rgb8_from_image(picture));
    (0..CELLS).map(|cell| unit(seen.cell(cell)).1).collect()
}

/// A cell's length, and the cell at length 1.
fn unit(mut cell: Vec<f32>) -> (f32, Vec<f32>) {
    let length = cell.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
    cell.iter_mut().for_each(|x| *x /= length);
    (length, cell)
}

/// The picture at 32 x 32.
fn small(picture: &Image) -> Image {
    let mut small = Image::default();
    Resizer::default().resize(picture, SIDE, SIDE, &mut small);
    small
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::seed::z_from_seed;

    /// Along its own large shapes, the distance changes as the gradient says: in colours and in grey, and where pictures are not
    /// square.
    #[test]
    fn the_gradient_is_the_slope() {
        let captioner = Captioner::open(None).unwrap();
        for [channels, height, width] in [[3, 96, 96], [1, 64, 64], [3, 80, 128]] {
            let textured = |seed: u32| {
                let mut image = Image::new(channels, height, width);
                let numbers = z_from_seed(seed, image.data.len());
                for (i, x) in image.data.iter_mut().enumerate() {
                    let (at, plane) = (i % (height * width), (i / (height * width)) as f32);
                    let (u, v) = ((at % width) as f32 / width as f32, (at / width) as f32 / height as f32);
                    let shapes = (seed as f32 * 5.0 * u + plane).sin() * (7.0 * v * u + seed as f32).cos();
                    *x = 0.4 * shapes + 0.1 * numbers[i];
                }
                image
            };
            let (photo, picture) = (textured(1), textured(2));
            let likeness = Likeness::new(&captioner, &photo);
            let gradient = likeness.gradient(&picture);
            let mut direction = gradient.clone();
            for side in [10, height] {
                let from = direction.clone();
                let wide = if side == height { width } else { side };
                Resizer::default().resize(&from, side, wide, &mut direction);
            }
            let product = |a: &Image, b: &Image| a.data.iter().zip(&b.data).map(|(a, b)| f64::from(a * b)).sum::<f64>();
            // A quarter of this is half a byte for most numbers, as pictures are rounded to bytes.
            let step = 0.016 * ((direction.data.len() as f64) / product(&direction, &direction)).sqrt();
            let moved = |by: f64| {
                let mut moved = picture.clone();
                let numbers = moved.data.iter_mut().zip(&direction.data);
                numbers.for_each(|(x, slope)| *x += (by * step) as f32 * slope);
                likeness.distance(&moved)
            };
            let (slope, measured) = (product(&gradient, &direction), (moved(0.25) - moved(-0.25)) / (0.5 * step));
            assert!((slope - measured).abs() < 0.15 * slope, "{channels}: {slope}, measured {measured}");
        }
    }
}
