//! How alike two pictures are: in what they show, and in their colours.

use crate::caption::Captioner;
use crate::image::Image;
use crate::image::convert::rgb8_from_image;
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
    let seen = eyes.see(&rgb8_from_image(picture));
    let one = |cell: usize| {
        let mut cell = seen.cell(cell);
        let length = cell.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
        cell.iter_mut().for_each(|x| *x /= length);
        cell
    };
    (0..crate::caption::features::CELLS).map(one).collect()
}

/// The picture at 32 x 32.
fn small(picture: &Image) -> Image {
    let mut small = Image::default();
    Resizer::default().resize(picture, SIDE, SIDE, &mut small);
    small
}
