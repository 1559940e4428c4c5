//! Takes: everything that a show was given, frame by frame, so that it can be played and rendered again.
//!
//! A take is a file of JSON lines, described in `docs/TAKES.md`: a header, then what entered the show before its first frame,
//! then the frames. [`Recorder`] writes it from the thread `take`; [`Take::read`] reads it. [`event`] says how events are
//! written. Nothing here plays anything: `show` does.

pub mod event;
mod read;
mod write;

use serde::{Deserialize, Serialize};

pub use read::{Frame, More, Take, TakeError};
pub use write::{Note, Recorder, Told};

/// The version of the format, in each header.
pub const FORMAT: u32 = 1;

/// The extension of takes.
pub const ENDING: &str = "take";

/// The first line of a take: what the show was started with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`]
    pub take: u32,
    /// The program's version.
    pub program: String,
    /// What computed the pictures.
    pub engine: String,
    /// The file of the preset that played first. Its text follows.
    pub preset: String,
    /// The network that was played instead of the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The seed that was given on the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    /// Whether effects from files could be drawn.
    pub screen: bool,
}

/// Something that was requested and arrived in this frame.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Landed {
    /// `network`, `style`, `picture`, `preset`, `effects`, `blend` and so on.
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Whether that file was playing already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub same: bool,
    /// A preset's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<usize>,
    /// How many pictures a folder has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<usize>,
    /// What is said of a picture.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
    /// Why it could not be played.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What the threads of the show reported in this frame.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum News {
    /// The text of the current preset has changed.
    Reload(String),
    /// A preset was saved.
    Saved {
        file: String,
        /// The preset that it was made from, if that is another one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// Whether that one is built in and this is its copy.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        copy: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        number: Option<usize>,
        /// Whether the values were saved too.
        whole: bool,
    },
    /// A file of an effect has changed.
    Effects,
}

/// A network or a picture that a take needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileUsed {
    /// As the take names it.
    pub path: String,
    /// The same from the root of the file system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<String>,
    pub bytes: u64,
    /// SHA-256 in hexadecimal digits.
    pub hash: String,
    /// Whether it is a track that was heard: without it, the pictures are the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sound: bool,
}

/// One line of a take.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct Line {
    /// Microseconds of each frame; a number in quotes is in seconds.
    #[serde(default)]
    dt: Vec<serde_json::Value>,
    /// Which requests were drawn, as seen from each frame: see `docs/TAKES.md`.
    #[serde(default)]
    drew: String,
    #[serde(default)]
    on: Vec<serde_json::Value>,
    #[serde(default)]
    landed: Vec<Landed>,
    #[serde(default)]
    news: Vec<News>,
    size: Option<[u32; 2]>,
    names_only: Option<bool>,
    controllers: Option<Vec<String>>,
    /// The track that is heard, and where it is, in seconds.
    heard: Option<(String, f64)>,
    /// Path and text.
    text: Option<[String; 2]>,
    /// Kind, folder, name and file.
    found: Option<[String; 4]>,
    file: Option<FileUsed>,
    /// The show begins with the next frame; what came before belongs to its start.
    #[serde(default)]
    begin: bool,
    /// The take begins with the next frame; what came before leads up to it.
    #[serde(default)]
    start: bool,
    /// In a snapshot: how many frames lead up to its picture.
    picture: Option<usize>,
}
