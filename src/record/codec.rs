//! Codecs by name: which file endings hold them, and which encoders of ffmpeg make them.
//!
//! Distributions omit encoders (Fedora, openSUSE and conda ship ffmpeg without libx264), and list some whose library or
//! hardware is missing, so every one but the usual software encoders is tested with a frame before it is used.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{LazyLock, Mutex, PoisonError};

use super::RecordError;
use super::video::{Effort, FFMPEG, VideoError, command};
use crate::params::{Choice, Codec};

/// Endings of the videos and animations that can be written.
pub const ENDINGS: &[&str] = &["mp4", "mov", "mkv", "webm", "gif", "webp"];

/// The endings that hold a codec, the usual one first; none for folders of pictures.
fn endings(codec: Codec) -> &'static [&'static str] {
    match codec {
        Codec::Auto => ENDINGS,
        Codec::H264 | Codec::Hevc => &["mp4", "mov", "mkv"],
        Codec::Av1 => &["mp4", "mkv", "webm"],
        Codec::Prores => &["mov", "mkv"],
        Codec::Hap | Codec::Dnxhr => &["mov"],
        Codec::Ffv1 => &["mkv"],
        Codec::Gif => &["gif"],
        Codec::Webp => &["webp"],
        Codec::Png | Codec::Exr => &[],
    }
}

/// Whether it is a folder of pictures.
pub fn is_folder(codec: Codec) -> bool {
    endings(codec).is_empty()
}

/// The codec for a file of this ending; `None` for endings that are no video's.
fn usual(ending: &str) -> Option<Codec> {
    match ending {
        "mp4" | "mov" | "mkv" => Some(Codec::H264),
        "webm" => Some(Codec::Av1),
        "gif" => Some(Codec::Gif),
        "webp" => Some(Codec::Webp),
        _ => None,
    }
}

/// What is written for a name and a codec: never [`Codec::Auto`]. A name without an ending gets the codec's, and is a
/// folder of PNGs without a codec. Where the ending does not hold the codec, it is replaced; the string says so.
///
/// # Errors
/// When the ending is not one of [`ENDINGS`].
pub fn plan(out: &Path, codec: Codec) -> Result<(PathBuf, Codec, Option<String>), RecordError> {
    if let Some((folder, codec)) = sequence(out, codec) {
        let word = Codec::WORDS[codec as usize];
        let first = folder.join(format!("frame_000001.{word}"));
        let remark = format!("pictures are numbered in a folder of their own: writing {} and so on", first.display());
        return Ok((folder, codec, Some(remark)));
    }
    let ending = out.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let known = ending.as_deref().and_then(usual);
    match (codec, ending) {
        (Codec::Exr, None) => Ok((out.to_owned(), Codec::Exr, None)),
        (Codec::Exr, _) if out.is_dir() => Ok((out.to_owned(), Codec::Exr, None)),
        _ if out.is_dir() => Ok((out.to_owned(), Codec::Png, None)),
        (Codec::Auto | Codec::Png, None) => Ok((out.to_owned(), Codec::Png, None)),
        (Codec::Auto, Some(ending)) => match known {
            Some(codec) => Ok((out.to_owned(), codec, None)),
            None => Err(RecordError::Ending { path: out.to_owned(), ending }),
        },
        (codec, Some(ending)) if endings(codec).contains(&ending.as_str()) => Ok((out.to_owned(), codec, None)),
        (codec, ending) => {
            // A dot in a name is not always an ending.
            let stem = if known.is_some() { out.with_extension("") } else { out.to_owned() };
            let mut name = stem.into_os_string();
            match endings(codec).first() {
                Some(usual) => name.push(format!(".{usual}")),
                None => name.push("-frames"),
            }
            let path = PathBuf::from(name);
            let word = Codec::WORDS[codec as usize];
            let remark = ending
                .filter(|_| known.is_some())
                .map(|ending| format!("a .{ending} file holds no {word}: writing {}", path.display()));
            Ok((path, codec, remark))
        }
    }
}

/// The folder for a sequence of pictures that is named as one of them, such as `shot.exr` or `shot/%05d.exr`.
fn sequence(out: &Path, codec: Codec) -> Option<(PathBuf, Codec)> {
    let kind = match out.extension()?.to_ascii_lowercase().to_str()? {
        "exr" => Codec::Exr,
        "png" => Codec::Png,
        _ => return None,
    };
    let codec = if codec == Codec::Auto { kind } else { codec };
    if !is_folder(codec) || out.is_dir() {
        return None;
    }
    let is_pattern = out.file_stem()?.to_string_lossy().contains(['%', '#']);
    let folder = if is_pattern { out.parent()?.to_owned() } else { out.with_extension("") };
    (!folder.as_os_str().is_empty()).then_some((folder, codec))
}

/// Whether files of this codec can have sound.
pub fn has_sound(codec: Codec) -> bool {
    !matches!(codec, Codec::Gif | Codec::Webp | Codec::Png | Codec::Exr)
}

/// What an encoder takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    /// BT.709 in this format.
    Yuv(&'static str),
    /// The same, uploaded to the card.
    Uploaded(&'static str),
    Rgb(&'static str),
    /// A palette for each picture.
    Palette,
}

/// An encoder of ffmpeg, with its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoder {
    /// Its name in ffmpeg.
    pub name: &'static str,
    best: &'static [&'static str],
    live: &'static [&'static str],
    /// For a stream with few delays.
    stream: &'static [&'static str],
    takes: Takes,
    /// Both sides are multiples of this.
    pub multiple: u32,
    /// Part of ffmpeg itself, or found wherever it is listed: needs no trial.
    is_sure: bool,
}

impl Encoder {
    const fn new(
        name: &'static str,
        takes: Takes,
        best: &'static [&'static str],
        live: &'static [&'static str],
    ) -> Self {
        Encoder { name, best, live, stream: live, takes, multiple: 2, is_sure: false }
    }

    const fn sure(self) -> Self {
        Encoder { is_sure: true, ..self }
    }

    const fn multiple(self, multiple: u32) -> Self {
        Encoder { multiple, ..self }
    }

    const fn stream(self, stream: &'static [&'static str]) -> Self {
        Encoder { stream, ..self }
    }
}

use Encoder as E;

const YUV420: Takes = Takes::Yuv("yuv420p");
const NV12: Takes = Takes::Yuv("nv12");
const VAAPI: Takes = Takes::Uploaded("nv12");
const RATE: &[&str] = &["-b:v", "60M"];
const LIVE_RATE: &[&str] = &["-b:v", "40M"];
const STREAM_RATE: &[&str] = &["-b:v", "8M", "-maxrate", "8M", "-bufsize", "4M"];

/// From the best to the one included in every ffmpeg.
const H264: &[Encoder] = &[
    E::new(
        "libx264",
        YUV420,
        &["-preset", "medium", "-crf", "14"],
        // Without frame threads, which would hold the last frames back.
        &["-preset", "ultrafast", "-tune", "zerolatency", "-crf", "16"],
    )
    .stream(&["-preset", "superfast", "-tune", "zerolatency", "-b:v", "8M", "-maxrate", "8M", "-bufsize", "4M"])
    .sure(),
    E::new("h264_videotoolbox", YUV420, RATE, &["-b:v", "40M", "-realtime", "1"]).stream(&[
        "-b:v",
        "8M",
        "-realtime",
        "1",
    ]),
    E::new("h264_nvenc", YUV420, RATE, &["-preset", "p3", "-b:v", "40M"])
        .stream(&["-preset", "p3", "-tune", "ull", "-b:v", "8M", "-maxrate", "8M", "-bufsize", "4M"]),
    E::new("h264_amf", YUV420, RATE, LIVE_RATE).stream(STREAM_RATE),
    E::new("h264_qsv", NV12, RATE, LIVE_RATE).stream(STREAM_RATE),
    E::new("h264_vaapi", VAAPI, RATE, LIVE_RATE).stream(STREAM_RATE),
    E::new("h264_mf", NV12, RATE, LIVE_RATE).stream(STREAM_RATE),
    E::new("libopenh264", YUV420, RATE, LIVE_RATE).stream(STREAM_RATE),
    E::new("mpeg4", YUV420, &["-qscale:v", "2"], &["-qscale:v", "3"]).stream(STREAM_RATE),
];

const HEVC: &[Encoder] = &[
    E::new(
        "libx265",
        YUV420,
        &["-preset", "medium", "-crf", "16", "-x265-params", "log-level=error", "-tag:v", "hvc1"],
        &[
            "-preset",
            "ultrafast",
            "-tune",
            "zerolatency",
            "-crf",
            "18",
            "-x265-params",
            "log-level=error",
            "-tag:v",
            "hvc1",
        ],
    )
    .sure(),
    E::new(
        "hevc_videotoolbox",
        YUV420,
        &["-b:v", "60M", "-tag:v", "hvc1"],
        &["-b:v", "40M", "-realtime", "1", "-tag:v", "hvc1"],
    ),
    E::new("hevc_nvenc", YUV420, RATE, &["-preset", "p3", "-b:v", "40M"]),
    E::new("hevc_amf", YUV420, RATE, LIVE_RATE),
    E::new("hevc_qsv", NV12, RATE, LIVE_RATE),
    E::new("hevc_vaapi", VAAPI, RATE, LIVE_RATE),
];

const AV1: &[Encoder] = &[
    E::new("libsvtav1", YUV420, &["-preset", "6", "-crf", "20"], &["-preset", "12", "-crf", "30"]).sure(),
    E::new("av1_nvenc", YUV420, RATE, &["-preset", "p3", "-b:v", "40M"]),
    E::new("av1_amf", YUV420, RATE, LIVE_RATE),
    E::new("av1_qsv", NV12, RATE, LIVE_RATE),
    E::new("librav1e", YUV420, &["-speed", "6", "-qp", "60"], &["-speed", "10", "-qp", "80"]),
    E::new(
        "libaom-av1",
        YUV420,
        &["-cpu-used", "4", "-crf", "20"],
        &["-usage", "realtime", "-cpu-used", "9", "-crf", "30", "-row-mt", "1"],
    ),
];

// prores_ks takes four times as long.
const PRORES: &[Encoder] = &[
    E::new("prores_videotoolbox", Takes::Yuv("yuv422p10le"), &["-profile:v", "hq"], &["-profile:v", "hq"]),
    E::new("prores_aw", Takes::Yuv("yuv422p10le"), &["-profile:v", "3"], &["-profile:v", "3"]).sure(),
    E::new("prores_ks", Takes::Yuv("yuv422p10le"), &["-profile:v", "3"], &["-profile:v", "3"]).sure(),
];

const HAP: &[Encoder] = &[E::new("hap", Takes::Rgb("rgba"), &["-format", "hap_q"], &["-format", "hap"]).multiple(4)];
const DNXHR: &[Encoder] =
    &[E::new("dnxhd", Takes::Yuv("yuv422p"), &["-profile:v", "dnxhr_hq"], &["-profile:v", "dnxhr_hq"]).sure()];
const FFV1: &[Encoder] = &[E::new(
    "ffv1",
    Takes::Rgb("bgr0"),
    &["-level", "3", "-g", "1", "-slices", "4", "-slicecrc", "1"],
    &["-level", "3", "-g", "1", "-slices", "4", "-slicecrc", "1", "-coder", "0", "-context", "0"],
)
.multiple(1)
.sure()];
const GIF: &[Encoder] = &[E::new("gif", Takes::Palette, &[], &[]).multiple(1).sure()];
const WEBP: &[Encoder] = &[E::new(
    "libwebp_anim",
    Takes::Rgb("bgra"),
    &["-quality", "90", "-loop", "0"],
    &["-quality", "80", "-compression_level", "1", "-loop", "0"],
)
.multiple(1)];

fn candidates(codec: Codec) -> &'static [Encoder] {
    match codec {
        Codec::Auto | Codec::H264 => H264,
        Codec::Hevc => HEVC,
        Codec::Av1 => AV1,
        Codec::Prores => PRORES,
        Codec::Hap => HAP,
        Codec::Dnxhr => DNXHR,
        Codec::Ffv1 => FFV1,
        Codec::Gif => GIF,
        Codec::Webp => WEBP,
        Codec::Png | Codec::Exr => &[],
    }
}

/// What was found out about the ffmpeg on the PATH: the names it lists, and the encoder of each codec.
#[derive(Default)]
struct Found {
    names: Vec<String>,
    encoders: HashMap<Codec, Option<Encoder>>,
}

static ON_PATH: LazyLock<Mutex<Found>> = LazyLock::new(Mutex::default);

impl Encoder {
    /// The best encoder for H.264, or what stands in for it: see [`Encoder::for_codec`].
    ///
    /// # Errors
    /// As [`Encoder::for_codec`].
    pub fn of(ffmpeg: &OsStr) -> Result<Encoder, VideoError> {
        Encoder::for_codec(ffmpeg, Codec::H264)
    }

    /// The best encoder for a codec that this ffmpeg has and that works here. The ffmpeg on the PATH is asked once.
    ///
    /// # Errors
    /// [`VideoError::NoFfmpeg`], or [`VideoError::NoEncoder`] if it has none of the known ones.
    pub fn for_codec(ffmpeg: &OsStr, codec: Codec) -> Result<Encoder, VideoError> {
        let none = || {
            let known: Vec<&str> = candidates(codec).iter().map(|encoder| encoder.name).collect();
            VideoError::NoEncoder { codec: Codec::WORDS[codec as usize], known: known.join(", ") }
        };
        if ffmpeg != FFMPEG {
            return choose(ffmpeg, codec, &listed(ffmpeg)?).ok_or_else(none);
        }
        let mut found = ON_PATH.lock().unwrap_or_else(PoisonError::into_inner);
        if found.names.is_empty() {
            found.names = listed(ffmpeg)?;
        }
        let encoder = match found.encoders.get(&codec) {
            Some(encoder) => *encoder,
            None => {
                let chosen = choose(ffmpeg, codec, &found.names);
                found.encoders.insert(codec, chosen);
                chosen
            }
        };
        encoder.ok_or_else(none)
    }

    /// Whether it can encode a frame.
    fn works(self, ffmpeg: &OsStr) -> bool {
        // Hardware refuses small pictures.
        const WIDTH: usize = 320;
        const HEIGHT: usize = 240;
        let mut command = command(ffmpeg);
        command.args(self.before());
        command.args(["-f", "rawvideo", "-pix_fmt", "rgba", "-s", &format!("{WIDTH}x{HEIGHT}"), "-i", "pipe:0"]);
        command.args(self.arguments(Effort::Best)).args(["-vf", &self.filter("", None)]).args(["-f", "null", "-"]);
        let Ok(mut child) = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn() else { return false };
        let written = child.stdin.take().map(|mut frames| frames.write_all(&[128; 4 * WIDTH * HEIGHT]));
        let ended = child.wait();
        matches!(written, Some(Ok(()))) && ended.is_ok_and(|status| status.success())
    }

    /// Options in front of the input.
    pub(super) fn before(self) -> &'static [&'static str] {
        match self.takes {
            Takes::Uploaded(_) => &["-vaapi_device", "/dev/dri/renderD128"],
            _ => &[],
        }
    }

    /// Its name and options, for ffmpeg's command line.
    pub(super) fn arguments(self, effort: Effort) -> impl Iterator<Item = &'static str> {
        let options = match effort {
            Effort::Best => self.best,
            Effort::Live => self.live,
            Effort::Stream => self.stream,
        };
        let tags: &[&str] = match self.takes {
            Takes::Yuv(_) | Takes::Uploaded(_) => {
                &["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"]
            }
            _ => &[],
        };
        ["-c:v", self.name].into_iter().chain(options.iter().copied()).chain(tags.iter().copied())
    }

    /// The filter that turns RGBA into what it takes; with `fps`, at a constant rate. `flags` are of the scaler.
    pub(super) fn filter(self, flags: &str, fps: Option<f64>) -> String {
        let rate = fps.map(|fps| format!("fps={fps},")).unwrap_or_default();
        let yuv = |format: &str| {
            let flags = if flags.is_empty() { String::new() } else { format!(":flags={flags}") };
            // Converted first: what repeats is converted once.
            let rate = rate.strip_suffix(',').map(|rate| format!(",{rate}")).unwrap_or_default();
            format!("scale=out_color_matrix=bt709:out_range=tv{flags},format={format}{rate}")
        };
        match self.takes {
            Takes::Yuv(format) => yuv(format),
            Takes::Uploaded(format) => yuv(format) + ",hwupload",
            Takes::Rgb(format) => format!("{rate}format={format}"),
            Takes::Palette => {
                format!("{rate}split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1")
            }
        }
    }

    /// One line for the player if H.264 is encoded by something else than usual.
    pub fn remark(self) -> Option<String> {
        let name = self.name;
        (H264.contains(&self) && name != H264[0].name)
            .then(|| format!("this ffmpeg has no libx264: encoding with {name}; a full ffmpeg makes smaller files"))
    }

    /// One line if pictures of this size are padded.
    pub fn told_padding(self, size: [u32; 2]) -> Option<String> {
        let ([width, height], padded) = (size, self.padded(size));
        let what = if self.multiple == 2 { "even sides".to_owned() } else { format!("multiples of {}", self.multiple) };
        (padded != size).then(|| {
            format!(
                "{width}x{height} becomes {}x{}, as {} takes {what}: the edge is repeated",
                padded[0], padded[1], self.name
            )
        })
    }

    /// The smallest size that it takes for pictures of this size.
    pub fn padded(self, size: [u32; 2]) -> [u32; 2] {
        size.map(|side| side.next_multiple_of(self.multiple))
    }
}

/// The names of the encoders that it lists.
fn listed(ffmpeg: &OsStr) -> Result<Vec<String>, VideoError> {
    let listed = command(ffmpeg).arg("-encoders").stdin(Stdio::null()).stdout(Stdio::piped()).output();
    let listed = listed.map_err(VideoError::start)?;
    let listed = String::from_utf8_lossy(&listed.stdout);
    // " V....D libx264    libx264 H.264 / AVC …"
    Ok(listed.lines().filter_map(|line| line.split_whitespace().nth(1)).map(str::to_owned).collect())
}

fn choose(ffmpeg: &OsStr, codec: Codec, names: &[String]) -> Option<Encoder> {
    let mut known = candidates(codec).iter().filter(|encoder| names.iter().any(|name| name == encoder.name));
    known.find(|encoder| encoder.is_sure || encoder.works(ffmpeg)).copied()
}

/// Every codec that needs ffmpeg, and its encoder here, if there is one: for `doctor`.
///
/// # Errors
/// When there is no ffmpeg.
pub fn survey(ffmpeg: &OsStr) -> Result<Vec<(&'static str, Option<Encoder>)>, VideoError> {
    let codecs = [
        Codec::H264,
        Codec::Hevc,
        Codec::Av1,
        Codec::Prores,
        Codec::Hap,
        Codec::Dnxhr,
        Codec::Ffv1,
        Codec::Gif,
        Codec::Webp,
    ];
    let found = codecs.map(|codec| match Encoder::for_codec(ffmpeg, codec) {
        Ok(encoder) => Ok((Codec::WORDS[codec as usize], Some(encoder))),
        Err(VideoError::NoEncoder { codec, .. }) => Ok((codec, None)),
        Err(error) => Err(error),
    });
    found.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_where_its_ending_holds_the_codec() {
        let numbered =
            |first: &str| format!("pictures are numbered in a folder of their own: writing {first} and so on");
        let (shot, a) = (numbered("shot/frame_000001.exr"), numbered("a/frame_000001.exr"));
        for (name, codec, path, expected, remark) in [
            ("x.mp4", Codec::Auto, "x.mp4", Codec::H264, ""),
            ("x.MKV", Codec::Auto, "x.MKV", Codec::H264, ""),
            ("x.gif", Codec::Auto, "x.gif", Codec::Gif, ""),
            ("x.webm", Codec::Auto, "x.webm", Codec::Av1, ""),
            ("x", Codec::Auto, "x", Codec::Png, ""),
            ("x.mov", Codec::Prores, "x.mov", Codec::Prores, ""),
            ("x.mkv", Codec::Hevc, "x.mkv", Codec::Hevc, ""),
            ("x", Codec::Exr, "x", Codec::Exr, ""),
            ("x", Codec::Hap, "x.mov", Codec::Hap, ""),
            ("set 1.5", Codec::H264, "set 1.5.mp4", Codec::H264, ""),
            ("x.mp4", Codec::Hap, "x.mov", Codec::Hap, "a .mp4 file holds no hap: writing x.mov"),
            ("x.mp4", Codec::Ffv1, "x.mkv", Codec::Ffv1, "a .mp4 file holds no ffv1: writing x.mkv"),
            ("x.mp4", Codec::Png, "x-frames", Codec::Png, "a .mp4 file holds no png: writing x-frames"),
            ("shot.exr", Codec::Auto, "shot", Codec::Exr, &*shot),
            ("a/%05d.EXR", Codec::Auto, "a", Codec::Exr, &*a),
            ("a/shot.####.png", Codec::Exr, "a", Codec::Exr, &*a),
        ] {
            let (found, codec, said) = plan(Path::new(name), codec).unwrap();
            assert_eq!((found.as_path(), codec), (Path::new(path), expected), "{name}");
            assert_eq!(said.unwrap_or_default(), remark);
        }
        let error = plan(Path::new("x.avi"), Codec::Auto).unwrap_err().to_string();
        assert!(error.contains("x.avi: \"avi\" is not a video extension"), "{error}");
    }

    #[test]
    fn what_repeats_is_converted_once() {
        let x264 = H264[0];
        let yuv = "scale=out_color_matrix=bt709:out_range=tv:flags=bicubic,format=yuv420p";
        assert_eq!(x264.filter("bicubic", None), yuv);
        assert_eq!(x264.filter("bicubic", Some(29.97)), format!("{yuv},fps=29.97"));
        assert_eq!(FFV1[0].filter("", Some(30.0)), "fps=30,format=bgr0");
        assert_eq!((x264.padded([641, 361]), HAP[0].padded([641, 361])), ([642, 362], [644, 364]));
        let told = HAP[0].told_padding([641, 361]).unwrap();
        assert_eq!(told, "641x361 becomes 644x364, as hap takes multiples of 4: the edge is repeated");
        assert!(x264.told_padding([641, 361]).unwrap().contains("as libx264 takes even sides"));
        assert_eq!((x264.told_padding([640, 360]), FFV1[0].told_padding([641, 361])), (None, None));
    }
}
