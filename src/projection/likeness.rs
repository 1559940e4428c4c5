//! How alike two pictures are: in what they show, and in their colours.

use image::RgbImage;

use crate::caption::Captioner;
use crate::image::Image;
use crate::image::convert::byte_from_float;
use crate::image::resample::Resizer;

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
}

fn features(eyes: &Captioner, picture: &Image) -> Vec<Vec<f32>> {
    let seen = eyes.see(&rgb(picture));
    let one = |cell: usize| {
        let mut cell = seen.cell(cell);
        let length = cell.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
        cell.iter_mut().for_each(|x| *x /= length);
        cell
    };
    (0..crate::caption::features::CELLS).map(one).collect()
}

/// A picture `[1 or 3, H, W]` in −1..1 in 8 bits.
pub fn rgb(picture: &Image) -> RgbImage {
    let (width, height) = (picture.width, picture.height);
    let plane = width * height;
    let grey = picture.data.len() < 3 * plane;
    let byte = |channel: usize, i: usize| byte_from_float(picture.data[if grey { i } else { channel * plane + i }]);
    let bytes = (0..plane).flat_map(|i| [byte(0, i), byte(1, i), byte(2, i)]).collect();
    RgbImage::from_raw(width as u32, height as u32, bytes).unwrap_or_default()
}

/// The picture at 32 x 32.
fn small(picture: &Image) -> Image {
    let mut small = Image::default();
    Resizer::default().resize(picture, SIDE, SIDE, &mut small);
    small
}
