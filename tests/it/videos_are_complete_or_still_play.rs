//! Does a video contain every frame, come out identical twice, and still play after the recorder or encoder was killed?
//!
//! Needs ffmpeg and ffprobe; reports "skipped" without them.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail and print as tests do")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use latent_jockey::params::Codec;
use latent_jockey::record::video::{Effort, VideoError, VideoSettings, VideoWriter};
use latent_jockey::record::{RecordError, Sink};

const WIDTH: u32 = 96;
const HEIGHT: u32 = 64;

fn skipped() -> bool {
    let missing = ["ffmpeg", "ffprobe"].into_iter().find(|tool| Command::new(tool).arg("-version").output().is_err());
    if let Some(tool) = missing {
        println!("skipped: no {tool}");
    }
    missing.is_some()
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("latent-jockey-video-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A frame with motion and some grain, to give the encoder something to do.
fn frame(number: u32) -> Vec<u8> {
    let mut seed = number.wrapping_mul(2_654_435_761);
    (0..WIDTH * HEIGHT)
        .flat_map(|i| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = (seed >> 28) as u8;
            [(i % WIDTH + number) as u8, (i / WIDTH * 4) as u8 | grain, grain, 255]
        })
        .collect()
}

/// What ffprobe reports: codec, width, height, frames, and colour tags.
fn probe(file: &Path) -> String {
    let entries = "stream=codec_name,width,height,pix_fmt,color_space,nb_read_frames";
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries", entries, "-of", "csv=p=0"])
        .arg(file)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn settings(fps: f64, effort: Effort) -> VideoSettings {
    VideoSettings { effort, ..VideoSettings::new(WIDTH, HEIGHT, fps) }
}

#[test]
fn every_frame_is_included_and_reruns_are_identical() {
    if skipped() {
        return;
    }
    let folder = folder("whole");
    for ending in ["mp4", "mov", "mkv"] {
        let bytes = ["a", "b"].map(|name| {
            let file = folder.join(name).with_extension(ending);
            let (mut sink, remark) = Sink::open(&file, WIDTH, HEIGHT, 30.0).unwrap();
            assert_eq!(remark, None);
            for number in 0..75 {
                sink.write(&frame(number)).unwrap();
            }
            let summary = sink.finish().unwrap();
            assert_eq!((summary.frames, summary.seconds, summary.remark), (75, Some(2.5), None));
            assert_eq!(probe(&file), "h264,96,64,yuv420p,bt709,75", "{ending}");
            fs::read(file).unwrap()
        });
        assert!(bytes[0] == bytes[1], "two {ending} of the same frames differ");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "nothing else is left");
        for name in ["a", "b"] {
            fs::remove_file(folder.join(name).with_extension(ending)).unwrap();
        }
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_odd_size_is_padded_with_its_edge() {
    if skipped() {
        return;
    }
    let folder = folder("odd");
    let file = folder.join("x.mkv");
    let settings = VideoSettings::new(63, 46, 30.0);
    for (codec, size, multiple) in [(Codec::H264, "64x46", "even sides"), (Codec::Ffv1, "63x46", "")] {
        let (mut sink, remark) = Sink::open_with(&file, VideoSettings { codec, ..settings }).unwrap();
        let told = remark.unwrap_or_default();
        assert_eq!(told.contains(&format!("63x46 becomes {size}")), !multiple.is_empty(), "{told}");
        assert!(told.contains(multiple), "{told}");
        let red: Vec<u8> = [[200, 0, 0, 255]; 62].iter().chain(&[[0, 0, 200, 255]; 1]).flatten().copied().collect();
        (0..3).for_each(|_| sink.write(&red.repeat(46)).unwrap());
        let summary = sink.finish().unwrap();
        assert_eq!(format!("{}x{}", summary.width, summary.height), size);
        assert!(probe(&file).contains(&format!(",{},", size.replace('x', ","))), "{}", probe(&file));
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn colours_survive() {
    if skipped() {
        return;
    }
    let folder = folder("colours");
    let file = folder.join("odd name: -y 100%.mp4");
    let colour = [200, 60, 30, 255];
    let mut writer = VideoWriter::start(&file, &settings(25.0, Effort::Best)).unwrap();
    for _ in 0..5 {
        writer.write(&colour.repeat((WIDTH * HEIGHT) as usize)).unwrap();
    }
    writer.finish().unwrap();
    let decoded = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(format!("file:{}", file.display()))
        .args(["-f", "rawvideo", "-pix_fmt", "rgb24", "-vf", "scale=in_color_matrix=bt709", "pipe:1"])
        .output()
        .unwrap()
        .stdout;
    assert_eq!(decoded.len(), (5 * WIDTH * HEIGHT * 3) as usize);
    let off = decoded.chunks(3).flat_map(|p| p.iter().zip(colour).map(|(a, b)| a.abs_diff(b))).max();
    assert!(off <= Some(4), "{off:?}: {:?}", &decoded[..3]);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_dropped_recording_plays() {
    if skipped() {
        return;
    }
    let folder = folder("dropped");
    let file = folder.join("x.mp4");
    let mut writer = VideoWriter::start(&file, &settings(30.0, Effort::Live)).unwrap();
    for number in 0..20 {
        writer.write(&frame(number)).unwrap();
    }
    drop(writer);
    assert_eq!(probe(&file), "h264,96,64,yuv420p,bt709,20");
    fs::remove_dir_all(folder).unwrap();
}

#[cfg(unix)]
#[test]
fn the_output_of_a_killed_encoder_plays() {
    if skipped() {
        return;
    }
    let folder = folder("killed");
    for ending in ["mp4", "mkv"] {
        let file = folder.join("x").with_extension(ending);
        let mut writer = VideoWriter::start(&file, &settings(30.0, Effort::Best)).unwrap();
        let mut number = 0;
        let part = folder.join("x").with_extension(format!("part.{ending}"));
        while fs::metadata(&part).unwrap().len() < 200_000 {
            writer.write(&frame(number)).unwrap();
            number += 1;
        }
        // A shell builtin, so it exists on every machine.
        let kill = format!("kill -9 {}", writer.process_id());
        let killed = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(killed.success());
        // The pipe accepts a few frames before it is known to be broken.
        let error = (0..1000).find_map(|n| writer.write(&frame(n)).err()).expect("the encoder is gone");
        assert!(matches!(error, RecordError::Video(VideoError::Encoder { .. })), "{error}");
        for named in [&file, &part] {
            assert!(error.to_string().contains(&named.display().to_string()), "{error}");
        }
        assert!(!file.exists(), "nothing broken is under the name that was asked for");
        let probed = probe(&part);
        let frames: u32 = probed.rsplit(',').next().and_then(|n| n.parse().ok()).unwrap_or(0);
        assert!(frames >= 30, "{ending}: {frames} of {number} frames play ({probed})");
    }
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_recording_without_frames_leaves_no_file() {
    if skipped() {
        return;
    }
    let folder = folder("empty");
    let file = folder.join("deep/x.mp4");
    let writer = VideoWriter::start(&file, &settings(30.0, Effort::Best)).unwrap();
    let error = writer.finish().unwrap_err();
    assert_eq!(error.to_string(), format!("{}: no frame was recorded", file.display()));
    assert!(!file.exists());
    fs::remove_dir_all(folder).unwrap();
}
