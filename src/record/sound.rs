//! A finished video gets the sound of a track.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::Summary;
use super::video::{FFMPEG, audio_codec, command, container, file_url, why};
use crate::params::Codec;

/// A track that goes with a video that is rendered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Heard {
    pub track: PathBuf,
    /// Where it is at the first frame; negative if it begins later.
    pub at_secs: f64,
    /// Whether it begins again when it ends; otherwise silence follows.
    pub loops: bool,
}

/// Adds a track to a finished video, both from their beginning, and as long as the video. The pictures are not encoded again.
/// If that fails, the video stays as it is, and the summary says why.
pub fn add_sound(summary: &mut Summary, track: &Path) {
    let remark = match summary.seconds {
        None => Some("pictures have no sound".to_owned()),
        Some(secs) => mux(OsStr::new(FFMPEG), &summary.path, track, secs)
            .err()
            .map(|why| format!("without the sound of {}: {why}", track.display())),
    };
    remark.iter().for_each(|remark| summary.add_remark(remark));
}

/// The track as an input of ffmpeg, the second one.
pub(super) fn input(command: &mut Command, heard: &Heard) {
    if heard.loops {
        command.args(["-stream_loop", "-1"]);
    }
    command.arg("-i").arg(file_url(&heard.track));
}

/// How it is written with a video `out` of `secs` seconds. The same bytes on every machine with the same ffmpeg.
pub(super) fn output(command: &mut Command, heard: &Heard, codec: &[&str], secs: f64) {
    // Not -ss, after which a track that is played again goes back in time.
    let begin = if heard.at_secs < 0.0 {
        format!("adelay=delays={:.3}:all=1", -heard.at_secs * 1000.0)
    } else {
        format!("atrim=start={:.6},asetpts=PTS-STARTPTS", heard.at_secs)
    };
    // A short track ends in silence, not with the video.
    let filter = format!("{begin},apad");
    command.args(["-map", "1:a:0"]).args(codec).args(["-af", &filter]);
    command.args(["-t", &format!("{secs:.6}"), "-threads", "1", "-flags:a", "+bitexact"]);
}

/// # Errors
/// One line, when ffmpeg fails.
fn mux(ffmpeg: &OsStr, video: &Path, track: &Path, secs: f64) -> Result<(), String> {
    let name = video.file_name().unwrap_or_default().to_string_lossy();
    let aside = video.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
    let mut command = command(ffmpeg);
    command.stdin(Stdio::null()).arg("-i").arg(file_url(video)).arg("-i").arg(file_url(track));
    // A short track ends in silence, not with the video.
    command.args(["-map", "0:v:0", "-map", "1:a:0", "-c:v", "copy"]).args(audio_codec(video, Codec::Auto));
    command.args(["-af", "apad", "-t", &format!("{secs:.6}"), "-map_metadata", "-1", "-map_chapters", "-1"]);
    // The same bytes on every machine with the same ffmpeg.
    command.args(["-threads", "1", "-fflags", "+bitexact", "-flags:a", "+bitexact"]);
    if container(video) != "matroska" {
        command.args(["-movflags", "+faststart"]);
    }
    command.args(["-f", container(video)]).arg(file_url(&aside));
    let ended = command.output().map_err(|error| error.to_string());
    let muxed = ended.and_then(|output| if output.status.success() { Ok(()) } else { Err(why(&output.stderr)) });
    let replaced = muxed.and_then(|()| fs::rename(&aside, video).map_err(|error| error.to_string()));
    if replaced.is_err() {
        let _ = fs::remove_file(&aside);
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_that_cannot_be_added_leaves_the_video_alone() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-sound-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let video = folder.join("x.mp4");
        fs::write(&video, "a video").unwrap();
        let mut summary = Summary {
            path: video.clone(),
            frames: 1,
            width: 2,
            height: 2,
            seconds: Some(1.0),
            remark: Some("a remark".to_owned()),
        };
        let missing = folder.join("missing.flac");
        add_sound(&mut summary, &missing);
        let remark = summary.remark.clone().unwrap();
        assert!(remark.starts_with(&format!("a remark; without the sound of {}: ", missing.display())), "{remark}");
        assert_eq!(remark.lines().count(), 1);
        assert_eq!(fs::read_to_string(&video).unwrap(), "a video");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing is left behind");
        summary.seconds = None;
        add_sound(&mut summary, &missing);
        assert!(summary.remark.unwrap().ends_with("pictures have no sound"));
        fs::remove_dir_all(folder).unwrap();
    }
}
