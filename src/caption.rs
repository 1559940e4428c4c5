//! Pictures become sentences: what a small network sees in a picture, and how sure it is.
//!
//! A SqueezeNet looks at the middle square of a picture ([`features`]), and a recurrent network puts words to what it has
//! seen ([`words`]). A caption is offered, never asserted: it has a log-probability, below [`GUESS`] it is marked as a guess, and
//! [`table`] keeps what a person has written instead. Only [`watch`] knows of the show, nothing of networks that
//! make pictures or of effects. Not for the frame's path.
//!
//! Source of the maths: Iandola et al., "SqueezeNet" (2016); Xu et al., "Show, Attend and Tell" (2015); the captioner's
//! training program.

pub mod features;
pub mod square;
pub mod table;
pub mod watch;
pub mod words;

use std::path::{Path, PathBuf};

use image::RgbImage;

use crate::file::{self, built_in};
use crate::latent::mapping::FullyConnected;
use crate::network::NetworkError;
use crate::network::checkpoint::{Checkpoint, Tensors};
use features::{Features, SqueezeNet};
use words::Speaker;

/// Mean log-probability of a word below which a caption is marked as a guess. Of pictures of the kinds that it was trained on,
/// one in ten is below. It does not recognise pictures of other kinds.
pub const GUESS: f64 = -0.5;

/// Why there are no captions.
#[derive(Debug, thiserror::Error)]
pub enum CaptionError {
    #[error(
        "this build is without the captioner, because of its size: download presets/{} from the project's page, and name it \
         with --captioner FILE",
        built_in::CAPTIONER
    )]
    Missing,
    #[error(transparent)]
    File(#[from] NetworkError),
    #[error("{}: expected a captioner ({found})", path.display())]
    Other { path: PathBuf, found: String },
}

/// What a picture seems to show.
#[derive(Clone, Debug, PartialEq)]
pub struct Caption {
    /// Lower case words, without punctuation.
    pub text: String,
    /// Natural logarithm of the probability of these words and of their end.
    pub log_probability: f64,
    /// That, divided by the number of words and the end: what captions of different lengths are compared by.
    pub mean: f64,
}

impl Caption {
    /// Whether it is worth little: see [`GUESS`].
    pub fn is_guess(&self) -> bool {
        self.mean < GUESS
    }
}

/// The network that captions pictures. It does not change, so threads share it.
#[derive(Debug)]
pub struct Captioner {
    eyes: SqueezeNet,
    speaker: Speaker,
}

impl Captioner {
    /// Opens the captioner in a file, or the one that ships.
    ///
    /// # Errors
    /// When this build has none, or the file is none, or damaged.
    pub fn open(path: Option<&Path>) -> Result<Captioner, CaptionError> {
        let own = shipped();
        let path = path.unwrap_or(&own);
        if file::is_built_in(path) && !file::is_file(path) {
            return Err(CaptionError::Missing);
        }
        let checkpoint = Checkpoint::open_tensors(path)?;
        if let Some(found) =
            Some(checkpoint.metadata.get("format")).filter(|found| found.is_none_or(|f| f != words::FORMAT))
        {
            let found = format!("format {}, found {}", words::FORMAT, found.map_or("none", String::as_str));
            return Err(CaptionError::Other { path: path.to_owned(), found });
        }
        let eyes = SqueezeNet::read(&checkpoint.root().at("encoder"))?;
        let speaker = Speaker::read(&checkpoint)?;
        Ok(Captioner { eyes, speaker })
    }

    /// What the picture shows: its middle square is looked at.
    pub fn caption(&self, picture: &RgbImage) -> Caption {
        self.put_into_words(&self.see(picture))
    }

    /// What the network sees in the picture's middle square.
    pub fn see(&self, picture: &RgbImage) -> Features {
        self.eyes.see(&square::middle(picture))
    }

    /// As [`Captioner::see`], with the gradient of a number by the picture: see [`SqueezeNet::see_back`]. `[3, height, width]`, red
    /// first, for each unit of a byte; what is not looked at has 0.
    pub fn see_back(&self, picture: &RgbImage, by: impl FnOnce(&Features) -> Vec<f32>) -> (Features, Vec<f32>) {
        let (seen, gradient) = self.eyes.see_back(&square::middle(picture), by);
        (seen, square::pulled_back(&gradient, picture.height() as usize, picture.width() as usize))
    }

    /// The caption for what was seen.
    pub fn put_into_words(&self, seen: &Features) -> Caption {
        self.speaker.speak(seen)
    }
}

/// Where the captioner that ships is.
pub fn shipped() -> PathBuf {
    Path::new(built_in::ROOT).join(built_in::CAPTIONER)
}

/// A layer `y = W x + b` of the file: `[outputs, inputs]`.
fn dense(
    at: &Tensors,
    [weight, bias]: [&str; 2],
    [outputs, inputs]: [usize; 2],
) -> Result<FullyConnected, NetworkError> {
    let (weight, bias) = (at.get(weight, &[outputs, inputs])?, at.get(bias, &[outputs])?);
    Ok(FullyConnected { weight, bias, inputs, outputs })
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use super::*;

    const PICTURES: [&str; 6] = ["dandelion", "melon", "monet", "venus", "heart", "mandala"];

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/caption").join(name)
    }

    fn picture(name: &str) -> RgbImage {
        crate::image::file::read(&fixture(&format!("{name}.png"))).unwrap().into_rgb8()
    }

    fn expected() -> Json {
        serde_json::from_slice(&std::fs::read(fixture("expect.json")).unwrap()).unwrap()
    }

    fn numbers(json: &Json) -> Vec<f64> {
        json.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    }

    #[test]
    fn six_pictures_get_the_captions_that_the_training_program_gives_them() {
        let captioner = Captioner::open(None).unwrap();
        let expected = expected();
        for name in PICTURES {
            let expected = &expected["pictures"][name];
            let found = captioner.caption(&picture(name));
            assert_eq!(found.text, expected["caption"].as_str().unwrap(), "{name}");
            for (what, found) in [("logprob", found.log_probability), ("mean_logprob", found.mean)] {
                let expected = expected[what].as_f64().unwrap();
                assert!((found - expected).abs() < 1e-4, "{name}, {what}: expected {expected}, found {found}");
            }
            assert!(!found.is_guess(), "{name}");
        }
    }

    #[test]
    fn each_layer_sees_what_pytorch_sees() {
        let captioner = Captioner::open(None).unwrap();
        let expected = expected();
        for name in ["venus", "heart"] {
            let stages = expected["pictures"][name]["stages"].as_object().unwrap();
            let mut seen = 0;
            let features = captioner.eyes.watched(&square::middle(&picture(name)), |stage, map| {
                let expected = stages.get(stage).unwrap_or_else(|| panic!("no stage {stage}"));
                let shape = numbers(&expected["shape"]);
                assert_eq!(shape, [map.channels(), map.height, map.width].map(|n| n as f64), "{name}, {stage}");
                let most = expected["absmax"].as_f64().unwrap();
                let all = map.planes.as_slice();
                let mean = all.iter().map(|x| f64::from(*x)).sum::<f64>() / all.len() as f64;
                assert!(
                    (mean - expected["mean"].as_f64().unwrap()).abs() < 1e-5 * most,
                    "{name}, {stage}: mean {mean}"
                );
                let absmax = all.iter().fold(0.0f32, |most, x| most.max(x.abs()));
                assert!((f64::from(absmax) - most).abs() < 1e-5 * most, "{name}, {stage}: largest {absmax}");
                let middle = map.height / 2 * map.width + map.width / 2;
                for (pixel, key) in [(0, "first"), (middle, "mid")] {
                    for (channel, expected) in numbers(&expected[key]).into_iter().enumerate() {
                        let found = f64::from(map.planes[(pixel, channel)]);
                        assert!(
                            (found - expected).abs() < 1e-5 * most,
                            "{name}, {stage}, {key} {channel}: {expected}, {found}"
                        );
                    }
                }
                seen += 1;
            });
            assert_eq!(seen, stages.len(), "{name}");
            let cells = expected["pictures"][name]["features"].as_object().unwrap();
            for (cell, row) in cells {
                for (channel, expected) in numbers(row).into_iter().enumerate() {
                    let found = f64::from(features.cell(cell.parse().unwrap())[channel]);
                    assert!((found - expected).abs() < 1e-4, "{name}, cell {cell}, {channel}: {expected}, {found}");
                }
            }
            let sum: f64 = features.numbers().map(f64::from).sum();
            let expected = expected["pictures"][name]["features_sum"].as_f64().unwrap();
            assert!((sum - expected).abs() < 1e-5 * expected, "{name}: {expected}, {sum}");
        }
    }

    #[test]
    fn each_word_is_as_likely_as_in_pytorch() {
        let captioner = Captioner::open(None).unwrap();
        let expected = expected();
        for name in ["venus", "mandala"] {
            let expected = &expected["pictures"][name];
            let steps = expected["steps"].as_array().unwrap();
            let words: Vec<usize> = steps.iter().map(|step| step["word_in"].as_u64().unwrap() as usize).collect();
            let seen = captioner.see(&picture(name));
            let (cells, start) = captioner.speaker.begin(&seen);
            for (cell, row) in expected["cells"].as_object().unwrap() {
                let found = &cells[cell.parse::<usize>().unwrap() * captioner.speaker.width()..];
                numbers(row)
                    .iter()
                    .zip(found)
                    .for_each(|(e, f)| assert!((e - f64::from(*f)).abs() < 1e-4, "{name}: {e}, {f}"));
            }
            numbers(&expected["h0"]).iter().zip(&start).for_each(|(e, f)| assert!((e - f64::from(*f)).abs() < 1e-4));
            let mut h = start;
            for (step, word) in steps.iter().zip(words) {
                let (next, log_probabilities) = captioner.speaker.step(&cells, &h, word);
                h = next;
                numbers(&step["h"])
                    .iter()
                    .zip(&h)
                    .for_each(|(e, f)| assert!((e - f64::from(*f)).abs() < 1e-4, "{name}: {e}, {f}"));
                for best in step["top"].as_array().unwrap() {
                    let (word, expected) = (best[0].as_u64().unwrap() as usize, best[2].as_f64().unwrap());
                    let found = f64::from(log_probabilities[word]);
                    assert!((found - expected).abs() < 1e-4, "{name}, {word}: {expected}, {found}");
                    assert_eq!(captioner.speaker.word(word), best[1].as_str().unwrap());
                }
            }
        }
    }

    #[test]
    fn what_is_no_captioner_is_refused_by_name() {
        let network = Path::new("built-in:/networks/flowers128.safetensors");
        let line = Captioner::open(Some(network)).unwrap_err().to_string();
        assert!(line.contains("flowers128") && line.contains(words::FORMAT), "{line}");
        let missing = Path::new("built-in:/captioner/other.safetensors");
        assert!(matches!(Captioner::open(Some(missing)), Err(CaptionError::Missing)));
    }
}
