//! Rough pictures: the first layers of a network, and the others at the size that it has reached by then.
//!
//! What they lack is what is finer than a sample, and what that would have done on average: a little of their contrast and colour.
//! A mixture of their colours, the same for all pictures of a network, is fitted by least squares to whole pictures that are
//! reduced to their size. Where they are still far from these, a network has none.
//!
//! (What does not do: to read colours out of the first layers alone. Fitted by ridge regression to all channels of the last two
//! sizes, for 48 pictures, that explained a tenth of what tells flowers128's other pictures apart, as the palette of a picture is
//! only chosen by its later layers; these rough pictures explain three quarters.)
//!
//! Nothing here draws. What was found is kept in a cache folder.

use std::collections::HashMap;
use std::path::Path;

use image::RgbImage;
use nalgebra::{Cholesky, DMatrix};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::kept::Kept;
use crate::engine::plan::{Buffer, Op, Plan};
use crate::image::Image;
use crate::image::convert::{byte_from_float, float_from_byte};

/// Colours of a rough picture that is seen, whatever the network has.
const COLOURS: usize = 3;
/// The longer side of a rough picture: at most a quarter of the whole, if that lies between.
const SIDES: [usize; 2] = [16, 64];
/// Of the whole's multiplications, which is about its share of the time: what is cheap, and the most that the smallest one may
/// cost where none is.
const CHEAP: f64 = 0.1;
const MOST_COST: f64 = 0.3;
/// Of the mean variance of the colours: what keeps the mixture small where they never vary.
const RIDGE: f64 = 1e-6;
/// Least R² with which rough pictures are shown.
pub const LEAST: f64 = 0.5;
/// Changes with every rule above.
const RULES: u32 = 2;
/// Largest file.
const MOST_KEPT: u64 = 1 << 16;

/// The plan of a network's rough pictures: the largest cheap one, or else the smallest one. `None` for a network in which nothing
/// small comes early, or that cannot be computed at another size.
pub fn plan(whole: &Plan) -> Option<Plan> {
    let Buffer { height, width, .. } = *whole.picture()?;
    let longer = height.max(width);
    let largest = (longer / 4).clamp(SIDES[0], SIDES[1]);
    let shrinks = (1..usize::BITS).map(|times| 1usize << times).take_while(|shrink| longer / shrink >= SIDES[0]);
    let fits = |shrink: &usize| longer / shrink <= largest && [height, width].iter().all(|n| n % shrink == 0);
    let sizes: Vec<[usize; 2]> = shrinks.filter(fits).map(|shrink| [height / shrink, width / shrink]).collect();
    let cheap = sizes.iter().find_map(|size| plan_of(whole, *size, CHEAP));
    cheap.or_else(|| plan_of(whole, *sizes.last()?, MOST_COST))
}

/// The plan that stops growing at this size, height and width, as late as this share of the whole's multiplications allows.
fn plan_of(whole: &Plan, size: [usize; 2], cost: f64) -> Option<Plan> {
    let is_last = |op: &Op| {
        let out = whole.get(op.out());
        matches!(op, Op::Synthesis(_)) && [out.height, out.width] == size
    };
    let steps = whole.steps.iter().enumerate().rev().filter(|(_, step)| is_last(&step.op));
    steps.map(|(last, _)| last).find_map(|last| {
        let small = whole.small(last)?;
        let picture = small.picture()?;
        let is_cheap = small.macs() as f64 <= cost * whole.macs() as f64;
        (is_cheap && [picture.height, picture.width] == size).then_some(small)
    })
}

/// A picture's number, which may be far from −1..1: what is beyond white counts little.
fn limited(x: f32) -> f32 {
    x.clamp(-2.0, 2.0)
}

/// A mixture of colours: what is seen of the colours of a rough picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    /// `[3, C + 1]`: the last of each row is added.
    weights: Vec<f32>,
}

/// What was found out about a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    pub mixture: Mixture,
    /// How much of what tells its pictures apart is seen in the rough ones: 1 for all of it.
    pub r2: f64,
}

impl Found {
    /// Whether they are worth being seen.
    pub fn is_good(&self) -> bool {
        self.r2 >= LEAST
    }
}

impl Mixture {
    /// The colours that are seen, `[3, height, width]` in −1..1.
    pub fn of(&self, rough: &Image) -> Vec<f32> {
        let plane = rough.height * rough.width;
        let mut seen = Vec::with_capacity(COLOURS * plane);
        for row in self.weights.chunks_exact(rough.channels + 1) {
            let (own, added) = (&row[..rough.channels], row[rough.channels]);
            seen.extend((0..plane).map(|at| {
                let channels = own.iter().enumerate();
                let sum: f32 = channels.map(|(channel, w)| w * limited(rough.data[channel * plane + at])).sum();
                (sum + added).clamp(-1.0, 1.0)
            }));
        }
        seen
    }

    /// These colours as bytes.
    pub fn picture(&self, rough: &Image) -> RgbImage {
        let (seen, plane) = (self.of(rough), rough.height * rough.width);
        RgbImage::from_fn(rough.width as u32, rough.height as u32, |x, y| {
            let at = y as usize * rough.width + x as usize;
            image::Rgb([0, 1, 2].map(|colour| seen.get(colour * plane + at).map_or(0, |x| byte_from_float(*x))))
        })
    }
}

/// The picture reduced to that height and width, of which its own are multiples: `[3, height, width]` in −1..1.
pub fn reduced(picture: &RgbImage, [height, width]: [usize; 2]) -> Vec<f32> {
    let [across, down] = [picture.width() as usize / width.max(1), picture.height() as usize / height.max(1)];
    let (plane, scale) = (height * width, 1.0 / (across * down).max(1) as f32);
    let mut numbers = vec![0.0; COLOURS * plane];
    for (x, y, pixel) in picture.enumerate_pixels() {
        let at = (y as usize / down.max(1)) * width + x as usize / across.max(1);
        for (colour, byte) in pixel.0.into_iter().enumerate() {
            if let Some(sum) = numbers.get_mut(colour * plane + at) {
                *sum += float_from_byte(byte) * scale;
            }
        }
    }
    numbers
}

/// What the colours of rough pictures say about those of whole ones.
#[derive(Clone, Debug)]
pub struct Fit {
    pictures: usize,
    /// Sums of products of the colours, the last of which is 1: `[C + 1, C + 1]`.
    products: DMatrix<f64>,
    /// Sums of products of these and of what should be seen: `[C + 1, 3]`.
    seen: DMatrix<f64>,
}

impl Fit {
    /// For pictures of so many channels.
    pub fn new(channels: usize) -> Fit {
        let length = channels + 1;
        Fit { pictures: 0, products: DMatrix::zeros(length, length), seen: DMatrix::zeros(length, COLOURS) }
    }

    /// Takes a rough picture and the whole one, [`reduced`] to its size.
    pub fn add(&mut self, rough: &Image, whole: &[f32]) {
        let (length, plane) = (self.products.nrows(), rough.height * rough.width);
        if rough.channels + 1 == length && whole.len() == COLOURS * plane {
            let number = |at: usize, row: usize| {
                let own = (row + 1 < length).then(|| limited(rough.data[row * plane + at]));
                own.map_or(1.0, f64::from)
            };
            let own = DMatrix::from_fn(plane, length, number);
            let whole = DMatrix::from_fn(plane, COLOURS, |at, colour| f64::from(whole[colour * plane + at]));
            self.products += own.transpose() * &own;
            self.seen += own.transpose() * whole;
        }
        self.pictures += 1;
    }

    pub fn pictures(&self) -> usize {
        self.pictures
    }

    /// The mixture that fits best; `None` without pictures, and where numbers are not finite.
    pub fn mixture(&self) -> Option<Mixture> {
        let mut products = self.products.clone();
        let last = products.nrows() - 1;
        let usual = products.trace() / products.nrows() as f64;
        for at in 0..last {
            products[(at, at)] += RIDGE * usual;
        }
        let weights = Cholesky::new(products)?.solve(&self.seen);
        let weights: Vec<f32> =
            weights.column_iter().flat_map(|row| row.iter().map(|x| *x as f32).collect::<Vec<f32>>()).collect();
        weights.iter().all(|x| x.is_finite()).then_some(Mixture { weights })
    }
}

/// How near rough pictures are to the whole ones.
#[derive(Clone, Debug, Default)]
pub struct Judge {
    pictures: usize,
    /// Sum of squares of the differences.
    missed: f64,
    /// Sum of squares of the whole ones' numbers.
    squares: f64,
    /// Sum of each number of the whole ones.
    sums: Vec<f64>,
}

impl Judge {
    /// Takes a rough picture and the whole one, [`reduced`] to its size.
    pub fn add(&mut self, rough: &[f32], whole: &[f32]) {
        self.sums.resize(whole.len(), 0.0);
        for ((rough, whole), sum) in rough.iter().zip(whole).zip(&mut self.sums) {
            let (rough, whole) = (f64::from(*rough), f64::from(*whole));
            self.missed += (rough - whole) * (rough - whole);
            self.squares += whole * whole;
            *sum += whole;
        }
        self.pictures += 1;
    }

    pub fn pictures(&self) -> usize {
        self.pictures
    }

    /// R²: 1 if they are the same, 0 if they tell no more than the network's mean picture would; 0 also if the whole ones are all
    /// the same.
    pub fn r2(&self) -> f64 {
        let count = self.pictures as f64;
        let explained: f64 = self.sums.iter().map(|sum| sum * sum / count.max(1.0)).sum();
        let spread = (self.squares - explained) / (count - 1.0);
        if spread > 1e-9 { 1.0 - self.missed / count / spread } else { 0.0 }
    }
}

/// Where it is kept: `id` is the beginning of the hash of the network's file.
fn kept(folder: &Path, id: &str) -> Kept {
    Kept::named(folder, id, "rough pictures", &format!("rough{RULES}"))
}

/// What was found before, for pictures of so many channels.
pub fn known(folder: &Path, id: &str, channels: usize) -> Option<Found> {
    let bytes = kept(folder, id).read(MOST_KEPT)?;
    let tensors = SafeTensors::deserialize(&bytes).ok()?;
    let numbers = |name: &str, length: usize| {
        let view = tensors.tensor(name).ok().filter(|view| view.dtype() == Dtype::F32)?;
        let numbers: Vec<f32> = view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        (numbers.len() == length && numbers.iter().all(|x| x.is_finite())).then_some(numbers)
    };
    let weights = numbers("weights", COLOURS * (channels + 1))?;
    let r2 = f64::from(*numbers("r2", 1)?.first()?);
    Some(Found { mixture: Mixture { weights }, r2 })
}

/// Keeps it for the next start. A failure costs one line.
pub fn keep(folder: &Path, id: &str, found: &Found) {
    kept(folder, id).write(|| bytes(found));
}

fn bytes(found: &Found) -> std::io::Result<Vec<u8>> {
    let raw = |numbers: &[f32]| numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let (weights, r2) = (raw(&found.mixture.weights), raw(&[found.r2 as f32]));
    let mut tensors = HashMap::new();
    for (name, bytes) in [("weights", &weights), ("r2", &r2)] {
        let view = TensorView::new(Dtype::F32, vec![bytes.len() / 4], bytes).map_err(std::io::Error::other)?;
        tensors.insert(name, view);
    }
    safetensors::serialize(tensors, None).map_err(std::io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::latent::seed::z_from_seed;
    use crate::network::{self, stylegan3};

    fn root(path: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
    }

    #[test]
    fn networks_stop_growing_where_they_are_small_and_cheap() {
        for (file, size) in [
            ("presets/networks/flowers128.safetensors", [16, 16]),
            ("presets/networks/nebulae256.safetensors", [16, 16]),
            ("tests/fixtures/sg2_32_cond.pkl", [16, 16]),
            ("tests/fixtures/pgan_fastgan_128_cond.pkl", [32, 32]),
            ("tests/fixtures/fastgan_1024.pth", [64, 64]),
        ] {
            // The registry's package is without the large ones.
            let Ok(network) = network::open(root(file)) else { continue };
            let small = plan(&network.plan).unwrap_or_else(|| panic!("{file}: none"));
            let picture = small.picture().unwrap();
            assert_eq!([picture.height, picture.width], size, "{file}");
            let cost = small.macs() as f64 / network.plan.macs() as f64;
            assert!((0.01..=MOST_COST).contains(&cost), "{file}: {cost}");
        }
        // Too small, and of other architectures.
        for file in ["sg2_16_p2.pkl", "sg2_32_resnet.pkl", "sg3r_32.pkl"] {
            let network = network::open(root("tests/fixtures").join(file)).unwrap();
            assert!(plan(&network.plan).is_none(), "{file}");
        }
        // The larger a network is, the larger are its cheap pictures.
        for (size, expected) in [(64, 16), (256, 32), (1024, 32)] {
            let whole = network::stylegan2::random(size, 32768, 512, 16, 0).plan;
            let small = plan(&whole).unwrap();
            assert_eq!(small.picture().map(|picture| picture.height), Some(expected), "{size}");
            assert!((small.macs() as f64) < CHEAP * whole.macs() as f64, "{size}");
        }
        assert!(plan(&stylegan3::random(stylegan3::Config::T, 64, 1024, 32, 16).plan).is_none());
    }

    #[test]
    fn a_known_mixture_is_found_again() {
        let known = Mixture { weights: vec![0.3, -0.2, 0.1, 0.1, 0.05, 0.4, 0.2, -0.2, 0.1, 0.2, 0.3, 0.15] };
        let mut fit = Fit::new(3);
        assert_eq!(fit.mixture(), None, "without pictures");
        for seed in 0..4 {
            let data = z_from_seed(seed, 3 * 64).iter().map(|x| 0.5 * x.clamp(-2.0, 2.0)).collect();
            let rough = Image { channels: 3, height: 8, width: 8, data };
            fit.add(&rough, &known.of(&rough));
        }
        let found = fit.mixture().unwrap();
        let pairs = found.weights.iter().zip(&known.weights);
        assert!(pairs.clone().all(|(a, b)| (a - b).abs() < 1e-3), "{found:?}");
        // A colour that never varies does no harm, and a grey network has three colours.
        let mut fit = Fit::new(1);
        let grey = Image { channels: 1, height: 8, width: 8, data: vec![0.25; 64] };
        fit.add(&grey, &[[0.5; 64], [-0.5; 64], [0.0; 64]].concat());
        let seen = fit.mixture().unwrap().picture(&grey);
        let first = seen.get_pixel(3, 3).0;
        assert!([191u8, 64, 128].iter().zip(first).all(|(a, b)| a.abs_diff(b) <= 1), "{first:?}");
    }

    #[test]
    fn a_judge_compares_with_the_mean_picture() {
        let (mut same, mut mean, mut other) = (Judge::default(), Judge::default(), Judge::default());
        assert_eq!(same.r2(), 0.0);
        for seed in 0..20 {
            let whole: Vec<f32> = z_from_seed(seed, 300).iter().map(|x| (0.2 * x).clamp(-1.0, 1.0)).collect();
            same.add(&whole, &whole);
            mean.add(&[0.0; 300], &whole);
            other.add(&z_from_seed(seed + 50, 300).iter().map(|x| 0.2 * x).collect::<Vec<f32>>(), &whole);
        }
        assert!((same.r2() - 1.0).abs() < 1e-9 && mean.r2().abs() < 0.05 && (other.r2() + 1.0).abs() < 0.1);
        let mut flat = Judge::default();
        (0..3).for_each(|_| flat.add(&[0.5; 30], &[0.5; 30]));
        assert_eq!(flat.r2(), 0.0, "there is nothing to tell apart");
    }

    #[test]
    fn a_reduced_picture_has_the_means_of_its_squares() {
        let picture = RgbImage::from_fn(4, 2, |x, y| image::Rgb([[0, 255][(x / 2) as usize], (y * 255) as u8, 255]));
        let found = reduced(&picture, [1, 2]);
        let expected = [-1.0, 1.0, 0.0, 0.0, 1.0, 1.0];
        assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6), "{found:?}");
    }

    #[test]
    fn what_was_found_is_kept() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-rough-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        assert_eq!(known(&folder, "id", 3), None);
        let found = Found { mixture: Mixture { weights: vec![0.5; 12] }, r2: 0.75 };
        keep(&folder, "id", &found);
        assert_eq!(known(&folder, "id", 3), Some(found));
        assert_eq!((known(&folder, "other", 3), known(&folder, "id", 1)), (None, None), "of another network");
        let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
        std::fs::write(&file, b"broken").unwrap();
        assert_eq!(known(&folder, "id", 3), None);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
