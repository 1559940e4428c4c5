//! Looks at many pictures of a network, and keeps what the captioner's eyes see in each, its mean colour, and how real a
//! discriminator judges it to be. What was seen of seeds is kept in `latent-jockey/explore` in the cache folder, in a file for each
//! network and settings.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use image::RgbImage;
use rayon::prelude::*;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use sha2::{Digest, Sha256};

use super::studio::{Settings, Studio};
use crate::caption::Captioner;
use crate::caption::features::CHANNELS;
use crate::file;
use crate::image::convert::linear_table;
use crate::network::Network;

/// Seeds whose pictures tell what a network usually makes, from 0.
pub const USUAL: u32 = 2000;
/// Drawn before they are looked at on all cores.
const AT_ONCE: usize = 32;
/// Most seeds that are kept in a file.
const MOST_KEPT: usize = 20_000;
/// Largest network file that is hashed.
const MOST_BYTES: u64 = 16 << 30;
/// Changes with what is seen in a picture.
const RULES: u32 = 1;
/// Numbers of a picture: its features, and its mean colour in linear light, red, green and blue.
const NUMBERS: usize = CHANNELS + 3;

/// Where what was seen is kept: in the platform's cache folder.
pub fn folder() -> Option<PathBuf> {
    Some(dirs::cache_dir()?.join("latent-jockey/explore"))
}

/// The beginning of a file's hash; `None` if it cannot be read.
fn hash(network: &Path) -> Option<String> {
    let bytes = file::read(network, MOST_BYTES).ok()?;
    Some(Sha256::digest(&bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect())
}

/// The id of a file that cannot be read.
pub const UNKNOWN: &str = "unknown";

/// Changes with the network's file.
pub fn id(network: &Network) -> String {
    hash(&network.path).unwrap_or_else(|| UNKNOWN.to_owned())
}

/// What was seen in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    numbers: Vec<f32>,
}

impl Look {
    /// What the captioner's eyes see in it, without the place: `[512]`.
    pub fn features(&self) -> &[f32] {
        &self.numbers[..CHANNELS]
    }

    /// Lightness 0 to 1, chroma from 0 for grey, and hue 0 to 1 from red over yellow, of the mean colour, in Oklab.
    /// Source: Björn Ottosson, "A perceptual color space for image processing" (2020).
    pub fn colour(&self) -> [f32; 3] {
        let [r, g, b] = [0, 1, 2].map(|channel| self.numbers[CHANNELS + channel]);
        let l = (0.412_221_5 * r + 0.536_332_5 * g + 0.051_445_99 * b).cbrt();
        let m = (0.211_903_5 * r + 0.680_699_5 * g + 0.107_397 * b).cbrt();
        let s = (0.088_302_46 * r + 0.281_718_8 * g + 0.629_978_7 * b).cbrt();
        let lightness = 0.210_454_3 * l + 0.793_617_8 * m - 0.004_072_05 * s;
        let a = 1.977_998 * l - 2.428_592 * m + 0.450_593_7 * s;
        let b = 0.025_904 * l + 0.782_771_8 * m - 0.808_675_8 * s;
        [lightness, a.hypot(b), (b.atan2(a) / std::f32::consts::TAU).rem_euclid(1.0)]
    }
}

/// What was seen of a network with these settings, by the number of the picture.
#[derive(Default)]
pub struct Survey {
    looks: BTreeMap<u32, Look>,
    /// See [`Discriminator::score`](crate::engine::score::Discriminator::score).
    scores: BTreeMap<u32, f32>,
    /// `None` where there is no cache folder, or no file that could be told from another.
    file: Option<PathBuf>,
    is_new: bool,
}

impl Survey {
    /// What was seen before, if anything, in the platform's cache folder.
    pub fn open(studio: &Studio, settings: &Settings) -> Survey {
        Survey::in_folder(folder().as_deref(), studio, settings)
    }

    /// As [`Survey::open`], in this folder.
    pub fn in_folder(folder: Option<&Path>, studio: &Studio, settings: &Settings) -> Survey {
        let file = folder.and_then(|folder| {
            let hash = hash(&studio.network.path)?;
            Some(folder.join(format!("{hash}-{RULES}-{:?}-{:?}.safetensors", settings.psi, settings.class)))
        });
        let (looks, scores) = file.as_deref().and_then(read).unwrap_or_default();
        Survey { looks, scores, file, is_new: false }
    }

    /// Looks at those pictures that have not been looked at; `draw` draws one.
    ///
    /// # Errors
    /// When `draw` fails.
    pub fn look<E>(
        &mut self,
        numbers: &[u32],
        eyes: &Captioner,
        mut draw: impl FnMut(u32) -> Result<RgbImage, E>,
    ) -> Result<(), E> {
        let missing: Vec<u32> = numbers.iter().copied().filter(|number| !self.looks.contains_key(number)).collect();
        for numbers in missing.chunks(AT_ONCE) {
            let draw = |number: &u32| Ok((*number, draw(*number)?));
            let pictures: Vec<(u32, RgbImage)> = numbers.iter().map(draw).collect::<Result<_, E>>()?;
            let looks: Vec<(u32, Look)> =
                pictures.par_iter().map(|(number, picture)| (*number, see(eyes, picture))).collect();
            self.looks.extend(looks);
            self.is_new = true;
        }
        Ok(())
    }

    /// Scores those pictures that have no score; `score` draws and scores one.
    ///
    /// # Errors
    /// When `score` fails.
    pub fn judge<E>(&mut self, numbers: &[u32], mut score: impl FnMut(u32) -> Result<f32, E>) -> Result<(), E> {
        for number in numbers {
            if !self.scores.contains_key(number) {
                self.scores.insert(*number, score(*number)?);
                self.is_new = true;
            }
        }
        Ok(())
    }

    pub fn score(&self, number: u32) -> Option<f32> {
        self.scores.get(&number).copied()
    }

    pub fn get(&self, seed: u32) -> Option<&Look> {
        self.looks.get(&seed)
    }

    /// Keeps what was seen for the next time. A failure costs one line.
    pub fn keep(&mut self) {
        let Some(file) = self.file.as_deref().filter(|_| self.is_new) else { return };
        if let Err(error) = write(file, &self.looks, &self.scores) {
            tracing::warn!("{}: {error}; the pictures will be looked at again", file.display());
        }
        self.is_new = false;
    }
}

/// What is seen in a picture.
pub fn see(eyes: &Captioner, picture: &RgbImage) -> Look {
    let mut numbers = eyes.see(picture).mean();
    let light = linear_table();
    let mut sums = [0.0f64; 3];
    for pixel in picture.as_raw().as_chunks::<3>().0 {
        sums.iter_mut().zip(pixel).for_each(|(sum, byte)| *sum += f64::from(light[usize::from(*byte)]));
    }
    let pixels = (picture.as_raw().len() / 3).max(1) as f64;
    numbers.extend(sums.map(|sum| (sum / pixels) as f32));
    Look { numbers }
}

type Known = (BTreeMap<u32, Look>, BTreeMap<u32, f32>);

/// What is in a file; `None` if it is broken. Broken scores are none.
fn read(file: &Path) -> Option<Known> {
    let bytes = file::read(file, (MOST_KEPT * (NUMBERS + 3) * 4 + (1 << 16)) as u64).ok()?;
    let tensors = SafeTensors::deserialize(&bytes).ok()?;
    let seeds = |name: &str| {
        let view = tensors.tensor(name).ok().filter(|view| view.dtype() == Dtype::U32)?;
        Some(view.data().as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect::<Vec<u32>>())
    };
    let numbers = |name: &str, length: usize| {
        let view = tensors.tensor(name).ok().filter(|view| view.dtype() == Dtype::F32)?;
        let numbers: Vec<f32> = view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        (numbers.len() == length && numbers.iter().all(|x| x.is_finite())).then_some(numbers)
    };
    let seen = seeds("seeds")?;
    let looks = numbers("looks", seen.len() * NUMBERS)?;
    let looks = looks.chunks_exact(NUMBERS).map(|numbers| Look { numbers: numbers.to_vec() });
    // Of most networks there are none.
    let scored = seeds("scored").unwrap_or_default();
    let scores = numbers("scores", scored.len()).unwrap_or_default();
    Some((seen.into_iter().zip(looks).collect(), scored.into_iter().zip(scores).collect()))
}

/// Writes a temporary file, then renames it. The first [`MOST_KEPT`] seeds are kept.
fn write(file: &Path, looks: &BTreeMap<u32, Look>, scores: &BTreeMap<u32, f32>) -> std::io::Result<()> {
    let kept = || looks.iter().take(MOST_KEPT);
    let seeds: Vec<u8> = kept().flat_map(|(seed, _)| seed.to_le_bytes()).collect();
    let numbers: Vec<u8> = kept().flat_map(|(_, look)| look.numbers.iter().flat_map(|x| x.to_le_bytes())).collect();
    let judged = || scores.iter().filter(|(_, score)| score.is_finite()).take(MOST_KEPT);
    let scored: Vec<u8> = judged().flat_map(|(seed, _)| seed.to_le_bytes()).collect();
    let marks: Vec<u8> = judged().flat_map(|(_, score)| score.to_le_bytes()).collect();
    let count = kept().count();
    let view = |dtype, shape, bytes| TensorView::new(dtype, shape, bytes).map_err(std::io::Error::other);
    let tensors = HashMap::from([
        ("seeds", view(Dtype::U32, vec![count], &seeds)?),
        ("looks", view(Dtype::F32, vec![count, NUMBERS], &numbers)?),
        ("scored", view(Dtype::U32, vec![scored.len() / 4], &scored)?),
        ("scores", view(Dtype::F32, vec![marks.len() / 4], &marks)?),
    ]);
    let whole = safetensors::serialize(tensors, None).map_err(std::io::Error::other)?;
    let aside = file.with_extension(format!("{}.part", std::process::id()));
    std::fs::create_dir_all(file.parent().unwrap_or(Path::new("")))?;
    std::fs::write(&aside, whole)?;
    std::fs::rename(&aside, file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engine;
    use crate::engine::cpu::Cpu;
    use crate::network;

    #[test]
    fn what_was_seen_is_kept_and_not_drawn_again() {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/sg2_16_p2.pkl");
        let folder = std::env::temp_dir().join(format!("latent-jockey-survey-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let network = network::open(&fixture).unwrap();
        let program = Cpu::new(1).prepare(network.plan.clone()).unwrap();
        let mut studio = Studio::new(network, program);
        let eyes = Captioner::open(None).unwrap();
        let settings = Settings { psi: 1.0, class: 0.0 };
        let look = |survey: &mut Survey, studio: &mut Studio, seeds: &[u32]| {
            let mut drawn = Vec::new();
            let draw = |seed| {
                drawn.push(seed);
                studio.of_seed(seed, &settings)
            };
            survey.look(seeds, &eyes, draw).unwrap();
            drawn
        };
        let mut survey = Survey::in_folder(Some(&folder), &studio, &settings);
        assert_eq!(look(&mut survey, &mut studio, &[3, 1]), [3, 1]);
        let seen = survey.get(3).cloned();
        let judge = |seed| if seed == 5 { Ok(-1.5) } else { Err(seed) };
        assert_eq!(survey.judge(&[5, 6], judge), Err(6));
        survey.keep();
        let mut again = Survey::in_folder(Some(&folder), &studio, &settings);
        assert_eq!(look(&mut again, &mut studio, &[1, 2, 3]), [2]);
        assert_eq!(again.get(3).cloned(), seen);
        assert_eq!(again.judge(&[5], |_| Err("scored again")), Ok(()));
        assert_eq!((again.score(5), again.score(6)), (Some(-1.5), None));
        assert_ne!(again.get(2), again.get(3));
        // Other settings are other pictures, and a broken file is none.
        let other = Settings { psi: 0.5, ..settings };
        assert!(Survey::in_folder(Some(&folder), &studio, &other).get(3).is_none());
        let file = std::fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, &bytes[..bytes.len() - 4]).unwrap();
        assert!(Survey::in_folder(Some(&folder), &studio, &settings).get(3).is_none());
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn colours_have_lightness_chroma_and_hue() {
        let eyes = Captioner::open(None).unwrap();
        let colour = |rgb| see(&eyes, &RgbImage::from_pixel(8, 8, image::Rgb(rgb))).colour();
        // Ottosson's values of sRGB's white, red and blue.
        for (rgb, expected) in [
            ([255, 255, 255], [1.0, 0.0, f32::NAN]),
            ([255, 0, 0], [0.628, 0.2577, 29.23 / 360.0]),
            ([0, 0, 255], [0.452, 0.3132, 264.05 / 360.0]),
        ] {
            let found = colour(rgb);
            let is_near = found.iter().zip(expected).all(|(f, e)| e.is_nan() || (f - e).abs() < 2e-3);
            assert!(is_near, "{rgb:?}: {found:?}");
        }
    }
}
