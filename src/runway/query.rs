//! What can be asked: models, their fields, and the queries for them. Pure.
//!
//! A query is an object of JSON. Sketches send what the model of their author took, so much is forgiven: fields that are
//! missing, too many or out of range. Only what makes no sense is refused. Source of the fields: Runway's model SDK
//! (`data_types.py`), and what the published sketches send.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde_json::{Value as Json, json};

use super::picture::PictureError;
use crate::network::Network;
use crate::network::style_transfer::StyleNetwork;
use crate::show::Models;

/// Most numbers of a `z`.
const MOST_NUMBERS: usize = 1 << 16;
/// Numbers of `z` are kept within ± this.
const LARGEST: f64 = 100.0;
/// What StyleGAN's `truncation` was in Runway.
const TRUNCATION: f64 = 0.8;

/// What draws a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// The network that plays: from `z` and `truncation`.
    Network,
    /// The style network that plays: paints over a picture.
    Style,
    /// Puts a picture into words. Only where it is asked for: elsewhere a picture is painted over.
    Captioner,
}

impl Model {
    const ALL: [(&str, Model); 3] =
        [("network", Model::Network), ("style", Model::Style), ("captioner", Model::Captioner)];

    pub fn from_word(word: &str) -> Option<Model> {
        Self::ALL.iter().find(|(own, _)| *own == word).map(|(_, model)| *model)
    }

    /// Every model with a port, in words.
    pub fn examples() -> String {
        Self::ALL.map(|(word, _)| format!("{word}:8000")).join(", ")
    }
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    #[error("expected an object of JSON: {0}")]
    Json(String),
    #[error("{0}")]
    Asked(&'static str),
    #[error("{field}: {source}")]
    Picture { field: &'static str, source: PictureError },
    #[error("no style network plays: choose a preset with one, such as 5-painters, or set /style/network")]
    NoStyle,
    #[error("style: expected one of {}, found {found:?}", known.join(", "))]
    Style { found: String, known: Vec<String> },
    #[error("too many queries wait: ask for the next picture when the last has arrived")]
    TooMany,
    #[error("superseded by a newer query")]
    Superseded,
    #[error("the picture could not be drawn: {0}")]
    Failed(String),
}

/// The field in which a picture came: the answers' names follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureField {
    pub name: &'static str,
    /// What the picture is called in the answer, beside `image`.
    also: Option<&'static str>,
}

/// By the models that sketches were written for: Fast-Style-Transfer and CycleGAN, Adaptive-Style-Transfer, AdaIN and
/// Arbitrary-Image-Stylization, PhotoSketch.
const PICTURES: [PictureField; 4] = [
    PictureField { name: "image", also: Some("output") },
    PictureField { name: "contentImage", also: Some("stylizedImage") },
    PictureField { name: "content_image", also: None },
    PictureField { name: "input", also: Some("output") },
];

/// A query.
#[derive(Clone, Debug, PartialEq)]
pub enum Ask {
    Generate {
        /// Of any length.
        z: Vec<f32>,
        /// 0 to 1.
        truncation: f32,
        /// Painted in this style afterwards.
        style: Option<String>,
    },
    Paint {
        /// A data URI.
        picture: String,
        field: PictureField,
        /// The mix that plays, if not said.
        style: Option<String>,
    },
    Caption {
        /// A data URI.
        picture: String,
        field: PictureField,
    },
}

impl QueryError {
    /// The parser's line, which repeats what it has found: cut, as the client chose how long that is.
    fn json(error: serde_json::Error) -> QueryError {
        const LONGEST: usize = 200;
        let line = error.to_string();
        let cut = line.char_indices().nth(LONGEST).map(|(at, _)| format!("{}…", &line[..at]));
        QueryError::Json(cut.unwrap_or(line))
    }
}

impl Ask {
    /// What the picture, or the caption, is called in the answer.
    pub fn outputs(&self) -> impl Iterator<Item = &'static str> {
        let (first, also) = match self {
            Ask::Generate { .. } => ("image", None),
            Ask::Paint { field, .. } => ("image", field.also),
            Ask::Caption { .. } => ("caption", None),
        };
        std::iter::once(first).chain(also)
    }

    /// Reads an object, for this model or the one that its fields suggest: a picture is painted over.
    ///
    /// # Errors
    /// When it is not an object of JSON with such fields, or has neither `z` nor a picture.
    pub fn from_object(json: &[u8], model: Option<Model>) -> Result<Ask, QueryError> {
        let fields: Fields = serde_json::from_slice(json).map_err(QueryError::json)?;
        fields.ask(model)
    }

    /// As [`Ask::from_object`], for an event of socket.io: `["query",{…}]`.
    ///
    /// # Errors
    /// As there.
    pub fn from_event(json: &[u8], model: Option<Model>) -> Result<Ask, QueryError> {
        let (_, fields): (String, Fields) = serde_json::from_slice(json).map_err(QueryError::json)?;
        fields.ask(model)
    }
}

/// The fields of a query; others are passed over.
#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Fields {
    z: Option<Numbers>,
    truncation: Option<Number>,
    style: Option<Text<Style>>,
    image: Option<Text<Picture>>,
    #[serde(rename = "contentImage")]
    content_image_camel: Option<Text<Picture>>,
    content_image: Option<Text<Picture>>,
    input: Option<Text<Picture>>,
}

impl Fields {
    fn ask(self, model: Option<Model>) -> Result<Ask, QueryError> {
        let style = self.style.map(|text| text.0).filter(|style| !style.is_empty());
        let pictures = [self.image, self.content_image_camel, self.content_image, self.input];
        let picture = pictures.into_iter().zip(PICTURES).find_map(|(text, field)| Some((text?.0, field)));
        let truncation = self.truncation.map_or(TRUNCATION, |number| number.0).clamp(0.0, 1.0) as f32;
        match (model, picture, self.z) {
            (None | Some(Model::Style), Some((picture, field)), _) => Ok(Ask::Paint { picture, field, style }),
            (Some(Model::Captioner), Some((picture, field)), _) => Ok(Ask::Caption { picture, field }),
            (None | Some(Model::Network), _, Some(Numbers(z))) => Ok(Ask::Generate { z, truncation, style }),
            (None, None, None) => Err(QueryError::Asked(
                "expected z (numbers), or a picture in image, contentImage, content_image or input; found neither",
            )),
            (Some(Model::Network), _, None) => Err(QueryError::Asked("expected z (numbers), found none")),
            (Some(Model::Style | Model::Captioner), None, _) => {
                Err(QueryError::Asked("expected a picture in image, contentImage, content_image or input, found none"))
            }
        }
    }
}

/// The numbers of `z`; `null`, which is what JSON has for NaN, is 0.
struct Numbers(Vec<f32>);

impl<'de> Deserialize<'de> for Numbers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Numbers;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                write!(f, "z, an array of at most {MOST_NUMBERS} numbers")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Numbers, A::Error> {
                let mut numbers = Vec::with_capacity(512);
                while let Some(number) = seq.next_element::<Option<Number>>()? {
                    if numbers.len() == MOST_NUMBERS {
                        return Err(de::Error::invalid_length(MOST_NUMBERS + 1, &self));
                    }
                    numbers.push(number.map_or(0.0, |number| number.0.clamp(-LARGEST, LARGEST)) as f32);
                }
                Ok(Numbers(numbers))
            }
        }
        deserializer.deserialize_seq(Reader)
    }
}

/// A number, which a slider may give as a text.
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a number for z or truncation")
            }
            fn visit_f64<E>(self, number: f64) -> Result<Number, E> {
                Ok(Number(number))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Number, E> {
                Ok(Number(number as f64))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
                let number = text.trim().parse().ok().filter(|number: &f64| !number.is_nan());
                number.map(Number).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// A text that its errors name.
struct Text<W>(String, PhantomData<W>);

struct Picture;
struct Style;

trait What {
    const WHAT: &str;
}

impl What for Picture {
    const WHAT: &str = "a picture as a text (data:image/jpeg;base64,…)";
}

impl What for Style {
    const WHAT: &str = "style, a name";
}

impl<'de, W: What> Deserialize<'de> for Text<W> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader<W>(PhantomData<W>);
        impl<W: What> Visitor<'_> for Reader<W> {
            type Value = Text<W>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str(W::WHAT)
            }
            fn visit_str<E>(self, text: &str) -> Result<Text<W>, E> {
                Ok(Text(text.to_owned(), PhantomData))
            }
            fn visit_string<E>(self, text: String) -> Result<Text<W>, E> {
                Ok(Text(text, PhantomData))
            }
        }
        deserializer.deserialize_string(Reader(PhantomData))
    }
}

/// What `/info` says: the inputs and outputs of the model, or of all.
pub fn info(models: &Models, model: Option<Model>) -> Json {
    let mut inputs = Vec::new();
    if model == Some(Model::Captioner) {
        let caption = json!({ "name": "caption", "type": "text", "description": null, "default": "" });
        return json!({ "inputs": [picture("image")], "outputs": [caption] });
    }
    if model != Some(Model::Style) {
        inputs.extend(network_inputs(&models.network));
    }
    if let Some(style) = models.style.as_deref().filter(|_| model != Some(Model::Network)) {
        inputs.extend(style_inputs(style, models.settings.a));
    } else if model == Some(Model::Style) {
        inputs.push(picture("image"));
    }
    json!({ "inputs": inputs, "outputs": [picture("image")] })
}

fn picture(name: &str) -> Json {
    json!({ "name": name, "type": "image", "description": null, "channels": 3, "defaultOutputFormat": "JPEG" })
}

fn network_inputs(network: &Network) -> [Json; 2] {
    let mapping = &network.mapping;
    // The length of z means nothing to a StyleGAN; for others it should be as in training.
    let std = if mapping.normalizes_z { 0.5 } else { 1.0 };
    [
        json!({
            "name": "z", "type": "vector", "description": null, "length": mapping.z_dim,
            "samplingMean": 0, "samplingStd": std, "default": null,
        }),
        json!({
            "name": "truncation", "type": "number", "description": null,
            "min": 0, "max": 1, "step": 0.01, "default": TRUNCATION,
        }),
    ]
}

fn style_inputs(style: &StyleNetwork, playing: usize) -> [Json; 2] {
    let names: Vec<&str> = style.styles.iter().map(|style| style.name.as_str()).collect();
    let playing = names.get(playing % names.len().max(1)).copied().unwrap_or_default();
    [
        picture("image"),
        json!({ "name": "style", "type": "category", "description": null, "oneOf": names, "default": playing }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(json: &str, model: Option<Model>) -> Result<Ask, String> {
        Ask::from_object(json.as_bytes(), model).map_err(|error| error.to_string())
    }

    fn generate(z: &[f32], truncation: f32) -> Ask {
        Ask::Generate { z: z.to_vec(), truncation, style: None }
    }

    #[test]
    fn sketches_are_forgiven_much() {
        for (json, expected) in [
            (r#"{"z":[0.5,-1,"2"],"truncation":0.5}"#, generate(&[0.5, -1.0, 2.0], 0.5)),
            (r#"{"z":[null,1e300,-1e9],"truncation":7}"#, generate(&[0.0, 100.0, -100.0], 1.0)),
            (r#"{"z":[],"truncation":"0.25","other":{"a":[1]}}"#, generate(&[], 0.25)),
            (r#"{"z":[1],"truncation":null,"image":null}"#, generate(&[1.0], 0.8)),
            (r#"{"z":[1],"truncation":-3}"#, generate(&[1.0], 0.0)),
        ] {
            assert_eq!(ask(json, None), Ok(expected), "{json}");
        }
    }

    #[test]
    fn the_field_of_the_picture_names_the_answer() {
        for (field, outputs) in [
            ("image", &["image", "output"][..]),
            ("contentImage", &["image", "stylizedImage"]),
            ("content_image", &["image"]),
            ("input", &["image", "output"]),
        ] {
            let ask = ask(&format!(r#"{{"{field}":"data:,","style":"a","z":[1]}}"#), None).unwrap();
            assert_eq!(ask.outputs().collect::<Vec<_>>(), outputs);
            let Ask::Paint { picture, field: own, style } = ask else { panic!("{ask:?}") };
            assert_eq!((picture.as_str(), own.name, style.as_deref()), ("data:,", field, Some("a")));
        }
        assert_eq!(generate(&[], 1.0).outputs().collect::<Vec<_>>(), ["image"]);
    }

    #[test]
    fn a_model_takes_its_own_fields_only() {
        let both = r#"{"z":[1],"image":"data:,"}"#;
        assert_eq!(ask(both, Some(Model::Network)), Ok(generate(&[1.0], 0.8)));
        assert!(matches!(ask(both, Some(Model::Style)), Ok(Ask::Paint { .. })));
        let caption = ask(both, Some(Model::Captioner)).unwrap();
        assert!(matches!(&caption, Ask::Caption { picture, .. } if picture == "data:,"), "{caption:?}");
        assert_eq!(caption.outputs().collect::<Vec<_>>(), ["caption"]);
        assert!(ask(r#"{"z":[1]}"#, Some(Model::Captioner)).unwrap_err().contains("picture"));
        assert!(ask(r#"{"image":""}"#, Some(Model::Network)).unwrap_err().contains('z'));
        assert!(ask(r#"{"z":[1]}"#, Some(Model::Style)).unwrap_err().contains("picture"));
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (json, word) in [
            ("", "object"),
            ("[1]", "object"),
            ("5", "object"),
            ("{}", "neither"),
            (r#"{"z":5}"#, "z, an array"),
            (r#"{"z":[[1]]}"#, "a number for z"),
            (r#"{"z":["NaN"]}"#, "a number for z"),
            (r#"{"z":[1],"truncation":{}}"#, "truncation"),
            (r#"{"image":5}"#, "a picture as a text"),
            (r#"{"image":"","style":[]}"#, "style, a name"),
            (r#"{"z":[1]"#, "object"),
        ] {
            let line = ask(json, None).unwrap_err();
            assert!(line.contains(word) && line.lines().count() == 1, "{json}: {line}");
        }
        let deep = format!("{}{}", "{\"a\":[".repeat(100_000), "1");
        assert!(ask(&deep, None).is_err());
        let long = format!("{{\"z\":[{}0]}}", "0,".repeat(MOST_NUMBERS));
        assert!(ask(&long, None).unwrap_err().contains("at most 65536"));
    }

    #[test]
    fn events_are_read() {
        let event = |json: &str| Ask::from_event(json.as_bytes(), None).ok();
        assert_eq!(event(r#"["query",{"z":[1],"truncation":1}]"#), Some(generate(&[1.0], 1.0)));
        for wrong in [r#"["query"]"#, r#"["query",5]"#, "[]", r#"["query",{}]"#] {
            assert_eq!(event(wrong), None, "{wrong}");
        }
    }
}
