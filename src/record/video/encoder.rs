//! Chooses a video encoder. Distributions omit some (Fedora, openSUSE and conda ship ffmpeg without libx264), and some list
//! encoders whose library is missing, so every one but libx264 is tested before the first frame.

use std::ffi::OsStr;
use std::io::Write;
use std::process::Stdio;
use std::sync::OnceLock;

use super::{Effort, FFMPEG, VideoError, command};

/// An encoder of ffmpeg, with its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoder {
    /// Its name in ffmpeg.
    pub name: &'static str,
    best: &'static [&'static str],
    live: &'static [&'static str],
}

/// From the best to the one included in every ffmpeg.
const ENCODERS: [Encoder; 5] = [
    Encoder {
        name: "libx264",
        best: &["-preset", "medium", "-crf", "14"],
        live: &["-preset", "ultrafast", "-crf", "16"],
    },
    Encoder { name: "h264_videotoolbox", best: &["-b:v", "60M"], live: &["-b:v", "40M", "-realtime", "1"] },
    Encoder { name: "h264_mf", best: &["-b:v", "60M"], live: &["-b:v", "40M"] },
    Encoder { name: "libopenh264", best: &["-b:v", "60M"], live: &["-b:v", "40M"] },
    Encoder { name: "mpeg4", best: &["-qscale:v", "2"], live: &["-qscale:v", "3"] },
];

impl Encoder {
    /// The best encoder that this ffmpeg has and that works here. The ffmpeg on the PATH is queried once.
    ///
    /// # Errors
    /// [`VideoError::NoFfmpeg`], or [`VideoError::NoEncoder`] if it has none of the known ones.
    pub fn of(ffmpeg: &OsStr) -> Result<Encoder, VideoError> {
        static ON_PATH: OnceLock<Encoder> = OnceLock::new();
        if ffmpeg != FFMPEG {
            return Encoder::find(ffmpeg);
        }
        if let Some(encoder) = ON_PATH.get() {
            return Ok(*encoder);
        }
        let found = Encoder::find(ffmpeg)?;
        Ok(*ON_PATH.get_or_init(|| found))
    }

    fn find(ffmpeg: &OsStr) -> Result<Encoder, VideoError> {
        let listed = command(ffmpeg).arg("-encoders").stdin(Stdio::null()).stdout(Stdio::piped()).output();
        let listed = listed.map_err(VideoError::start)?;
        let listed = String::from_utf8_lossy(&listed.stdout);
        // " V....D libx264    libx264 H.264 / AVC …"
        let names: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
        let mut known = ENCODERS.into_iter().filter(|encoder| names.contains(&encoder.name));
        known.find(|encoder| encoder.is_usual() || encoder.works(ffmpeg)).ok_or(VideoError::NoEncoder)
    }

    /// Whether it can encode a frame.
    fn works(self, ffmpeg: &OsStr) -> bool {
        const SIDE: usize = 64;
        let mut command = command(ffmpeg);
        command.args(["-f", "rawvideo", "-pix_fmt", "rgba", "-s", &format!("{SIDE}x{SIDE}"), "-i", "pipe:0"]);
        command.args(self.arguments(Effort::Best)).args(["-pix_fmt", "yuv420p", "-f", "null", "-"]);
        let Ok(mut child) = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn() else { return false };
        let written = child.stdin.take().map(|mut frames| frames.write_all(&[128; 4 * SIDE * SIDE]));
        let ended = child.wait();
        matches!(written, Some(Ok(()))) && ended.is_ok_and(|status| status.success())
    }

    /// Its name and options, for ffmpeg's command line.
    pub(super) fn arguments(self, effort: Effort) -> impl Iterator<Item = &'static str> {
        let options = match effort {
            Effort::Best => self.best,
            Effort::Live => self.live,
        };
        ["-c:v", self.name].into_iter().chain(options.iter().copied())
    }

    fn is_usual(self) -> bool {
        self.name == ENCODERS[0].name
    }

    /// One line for the player if it is not the usual encoder.
    pub fn remark(self) -> Option<String> {
        let name = self.name;
        (!self.is_usual())
            .then(|| format!("this ffmpeg has no libx264: encoding with {name}; a full ffmpeg makes smaller files"))
    }
}
