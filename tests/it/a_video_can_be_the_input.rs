//! Can a video be played as input: each picture at its time, round and round, in any direction, in its own colours and
//! upright? Does a render of it give the same bytes, and a take what was played?
//!
//! Needs ffmpeg; reports "skipped" without it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::common::rig::{Folder, Rig, bang, number, text};
use crate::common::skip_ffmpeg;
use latent_jockey::control::Event;
use latent_jockey::engine::cpu::Cpu;
use latent_jockey::params::Id;
use latent_jockey::patch::library::Library;
use latent_jockey::record::take::Take;
use latent_jockey::show::Show;

const PRESET: &str = "[params]\n\"/input/fade\" = 0.0\n\"/walk/speed\" = 0.0\n";

fn ffmpeg(words: &[&str], input: Option<&[u8]>) {
    use std::io::Write;
    let mut child = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error", "-y"])
        .args(words)
        .stdin(Stdio::piped())
        .spawn()
        .expect("ffmpeg starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(input.unwrap_or_default()).expect("it is read");
    drop(pipe);
    assert!(child.wait().expect("it ends").success(), "{words:?}");
}

/// A clip without losses of `count` pictures, 10 in a second: number n has the level `10 * n + base`.
fn counting(file: &Path, count: u8, base: u8) -> PathBuf {
    let pictures: Vec<u8> = (0..count).flat_map(|n| vec![10 * n + base; 64 * 48 * 3]).collect();
    let name = file.to_str().expect("a name");
    let words = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "64x48", "-r", "10", "-i", "pipe:0"];
    ffmpeg(&[&words[..], &["-c:v", "ffv1", "-pix_fmt", "bgr0", name]].concat(), Some(&pictures));
    file.to_owned()
}

/// A pixel, at these parts of the picture's width and height.
fn pixel(show: &Show, x: f64, y: f64) -> [u8; 3] {
    let picture = show.picture().expect("a picture");
    let place = |part: f64, side: u32| ((part * f64::from(side)) as u32).min(side - 1);
    let at = 4 * (place(y, picture.height) * picture.width + place(x, picture.width)) as usize;
    [picture.rgba[at], picture.rgba[at + 1], picture.rgba[at + 2]]
}

/// Which picture of a clip by [`counting`] is shown.
fn shown(show: &Show, base: u8) -> i32 {
    let [level, other, _] = pixel(show, 0.5, 0.5);
    let above = i32::from(level) - i32::from(base);
    assert!(level == other && above % 10 == 0, "{level} is none of its levels");
    above / 10
}

fn step(rig: &mut Rig, dt: f64, events: &[Event]) -> i32 {
    rig.step(dt, events);
    assert_eq!(rig.failure(), None);
    shown(&rig.show, 5)
}

#[test]
fn every_picture_has_its_time_and_a_render_gives_the_same_bytes() {
    if skip_ffmpeg() {
        return;
    }
    let folder = Folder::new();
    let clip = counting(&folder.join("a.mkv"), 20, 5);
    let render = || {
        let mut rig = Rig::with(&[("a", PRESET)]).start();
        rig.step(0.0, &[]);
        let seen: Vec<i32> = (0..45)
            .map(|i| step(&mut rig, 0.1, if i == 0 { vec![text(Id::Input, &clip)] } else { vec![] }.as_slice()))
            .collect();
        assert_eq!(seen, (0..45).map(|i| i % 20).collect::<Vec<_>>(), "round and round without a gap");
        rig.pixels()
    };
    assert!(render() == render());
    // As often as it is shown.
    let mut rig = Rig::with(&[("a", PRESET)]).start();
    step_all(&mut rig, &clip);
}

/// Thirty frames of the show for each second of the clip.
fn step_all(rig: &mut Rig, clip: &Path) {
    rig.step(1.0 / 30.0, &[text(Id::Input, clip)]);
    for i in 1..90 {
        assert_eq!(step(rig, 1.0 / 30.0, &[]), i / 3 % 20, "{i}");
    }
}

#[test]
fn a_clip_is_scrubbed_turned_round_and_bound_to_the_tempo() {
    if skip_ffmpeg() {
        return;
    }
    let folder = Folder::new();
    let clip = counting(&folder.join("a.mkv"), 20, 5);
    let mut rig = Rig::with(&[("a", PRESET)]).start();
    assert_eq!(step(&mut rig, 0.1, &[number(Id::InputTime, 1.25), text(Id::Input, &clip)]), 12, "where it was written");
    assert_eq!(step(&mut rig, 0.1, &[number(Id::InputTime, 0.7)]), 7);
    rig.step(0.0, &[number(Id::InputSpeed, -1.0)]);
    (0..40).for_each(|_| rig.step(0.01, &[]));
    let backward: Vec<i32> = (0..12).map(|_| step(&mut rig, 0.1, &[])).collect();
    let first = backward[0];
    assert_eq!(backward, (0..12).map(|i| (first - i).rem_euclid(20)).collect::<Vec<_>>());
    assert!((rig.base(Id::InputTime) * 10.0 - f64::from(backward[11])).abs() <= 1.1, "{}", rig.base(Id::InputTime));
    rig.step(0.0, &[number(Id::InputSpeed, 0.0)]);
    (0..100).for_each(|_| rig.step(0.01, &[]));
    rig.step(0.0, &[number(Id::InputTime, 0.0)]);
    let still = step(&mut rig, 1.0, &[]);
    assert_eq!(still, 0);
    rig.step(0.0, &[number(Id::InputScrub, 0.5)]);
    (0..50).for_each(|_| rig.step(0.01, &[]));
    assert_eq!(step(&mut rig, 0.5, &[]), 10);
    // At 120 bpm, eight beats take four seconds: twice as long as its own time.
    let mut rig = Rig::with(&[("a", PRESET)]).start();
    let follow = [number(Id::InputBeats, 8.0), text(Id::Input, &clip)];
    rig.step(0.05, &follow);
    let seen: Vec<i32> = (0..44).map(|_| step(&mut rig, 0.1, &[])).collect();
    let halves = seen.windows(2).filter(|pair| pair[0] == pair[1]).count();
    assert!((20..=24).contains(&halves) && seen.contains(&19), "{seen:?}");
    assert!(seen.windows(2).all(|pair| (pair[1] - pair[0]).rem_euclid(20) <= 1), "{seen:?}");
}

#[test]
fn clips_and_pictures_of_a_folder_follow_one_another() {
    if skip_ffmpeg() {
        return;
    }
    let folder = Folder::new();
    counting(&folder.join("10.mkv"), 5, 7);
    counting(&folder.join("2.mkv"), 5, 5);
    image::RgbImage::from_pixel(40, 30, image::Rgb([9, 99, 9])).save(folder.join("3.png")).expect("a picture");
    std::fs::write(folder.join("4.mp4"), "not a video").expect("a file");
    let mut rig = Rig::with(&[("a", PRESET)]).start();
    rig.step(0.1, &[text(Id::Input, &*folder)]);
    assert_eq!(shown(&rig.show, 5), 0);
    rig.step(0.1, &[bang(Id::InputNext)]);
    assert_eq!(pixel(&rig.show, 0.5, 0.5), [9, 99, 9]);
    rig.step(0.1, &[bang(Id::InputNext)]);
    assert!(rig.notice().contains("4.mp4") && rig.notice().lines().count() == 1, "{:?}", rig.notice());
    assert_eq!(pixel(&rig.show, 0.5, 0.5), [9, 99, 9], "what is no video leaves everything as it was");
    rig.step(0.1, &[bang(Id::InputNext)]);
    assert_eq!(shown(&rig.show, 7), 0);
    rig.step(0.1, &[bang(Id::InputNext)]);
    assert_eq!(shown(&rig.show, 5), 0, "round and round");
}

/// Red, green and blue side by side in these colours of a file; `true` if the file says so.
fn stripes(file: &Path, size: &str, matrix: &str, range: &str, is_told: bool) {
    let third = |from: &str, colour: &str| format!("drawbox=x={from}:y=0:w=iw/3+1:h=ih:color={colour}:t=fill");
    let drawn = [third("0", "red"), third("iw/3", "lime"), third("2*iw/3", "blue")].join(",");
    let source = format!("color=black:s={size}:r=5:d=0.4,format=gbrp,{drawn}");
    let filter = format!("scale=out_color_matrix={matrix}:out_range={range}:flags=accurate_rnd,format=yuv444p");
    let name = file.to_str().expect("a name");
    let mut words = vec!["-f", "lavfi", "-i", &source, "-vf", &filter, "-c:v", "ffv1"];
    if is_told {
        words.extend(["-colorspace", matrix, "-color_range", range]);
    } else {
        words.extend(["-colorspace", "unknown", "-color_range", "unknown", "-flags", "+bitexact"]);
    }
    words.push(name);
    ffmpeg(&words, None);
}

#[test]
fn colours_come_out_as_they_were_meant() {
    if skip_ffmpeg() {
        return;
    }
    let folder = Folder::new();
    let mut rig = Rig::with(&[("a", PRESET)]).start();
    for (number, (size, matrix, range, is_told)) in [
        ("96x96", "smpte170m", "tv", true),
        ("96x96", "bt709", "tv", true),
        ("96x96", "smpte170m", "pc", true),
        ("96x96", "bt709", "pc", true),
        // What says nothing is SD or HD by its size.
        ("96x96", "smpte170m", "tv", false),
        ("1280x720", "bt709", "tv", false),
    ]
    .into_iter()
    .enumerate()
    {
        let file = folder.join(format!("{number}.mkv"));
        stripes(&file, size, matrix, range, is_told);
        rig.step(0.1, &[text(Id::Input, &file)]);
        assert_eq!(rig.failure(), None);
        for (x, expected) in [(0.1, [255, 0, 0]), (0.5, [0, 255, 0]), (0.9, [0, 0, 255])] {
            let found = pixel(&rig.show, x, 0.5);
            let is_near = found.iter().zip(&expected).all(|(a, b): (&u8, &u8)| a.abs_diff(*b) <= 2);
            assert!(is_near, "{size} {matrix} {range} {is_told}: {found:?} is not {expected:?}");
        }
    }
}

#[test]
fn a_video_from_a_telephone_is_upright() {
    if skip_ffmpeg() {
        return;
    }
    let folder = Folder::new();
    let (flat, turned) = (folder.join("flat.mp4"), folder.join("turned.mp4"));
    let names = [&flat, &turned].map(|file| file.to_str().expect("a name"));
    // Red above, blue below.
    let source = "color=blue:s=64x64:r=5:d=1,drawbox=x=0:y=0:w=iw:h=ih/2:color=red:t=fill,format=yuv420p";
    ffmpeg(&["-f", "lavfi", "-i", source, "-c:v", "mpeg4", "-q:v", "1", names[0]], None);
    // Newer versions have another option for it.
    ffmpeg(&["-i", names[0], "-c", "copy", "-metadata:s:v:0", "rotate=90", names[1]], None);
    let probe = |name: &str| Command::new("ffprobe").args(["-v", "error", "-show_streams", name]).output();
    let rotation = || {
        let told = String::from_utf8_lossy(&probe(names[1]).expect("ffprobe").stdout).into_owned();
        told.lines().find_map(|line| line.strip_prefix("rotation=")?.parse::<i32>().ok())
    };
    if rotation().is_none() {
        ffmpeg(&["-display_rotation", "90", "-i", names[0], "-c", "copy", names[1]], None);
    }
    // Counterclockwise, what was above is left.
    let [red_at, blue_at] = if rotation() == Some(90) { [0.2, 0.8] } else { [0.8, 0.2] };
    let mut rig = Rig::with(&[("a", PRESET)]).start();
    rig.step(0.1, &[text(Id::Input, &flat)]);
    let is = |found: [u8; 3], at: usize| found[at] > 200 && found[2 - at] < 50;
    assert!(is(pixel(&rig.show, 0.5, 0.2), 0) && is(pixel(&rig.show, 0.5, 0.8), 2));
    rig.step(0.1, &[text(Id::Input, &turned)]);
    let [red, blue] = [red_at, blue_at].map(|x| pixel(&rig.show, x, 0.5));
    assert!(is(red, 0) && is(blue, 2), "a quarter turn of {:?}: {red:?} {blue:?}", rotation());
}

#[test]
fn a_take_plays_the_clip_again_and_names_its_file() {
    if skip_ffmpeg() {
        return;
    }
    let folder = Folder::new();
    let clip = counting(&folder.join("a.mkv"), 20, 5);
    let path = folder.join("show.take");
    let mut rig = Rig::with(&[("a", PRESET)]).live().start();
    rig.start_take(Some(path.clone()));
    rig.wait(&[text(Id::Input, &clip)], |show| show.picture().is_some_and(|picture| picture.width == 512));
    let serial = |show: &Show| show.picture().map_or(0, |picture| picture.serial);
    let last = serial(&rig) + 24;
    rig.wait(&[], |show| serial(show) >= last);
    rig.step(0.05, &[number(Id::InputTime, 1.0), number(Id::InputSpeed, 0.0)]);
    rig.wait(&[], |show| pixel(show, 0.5, 0.5)[0] == 105);
    drop(rig);
    let take = Take::read(&path).expect("a take");
    let used = take.files.iter().find(|used| used.path.ends_with("a.mkv")).expect("it is named");
    assert_eq!(used.hash.len(), 64);
    let repeated = || {
        let places = take.locate().expect("all files");
        let mut show =
            Show::of_take(&take, places, Library::default(), Arc::new(Cpu::default()), None).expect("a show");
        let mut seen = Vec::new();
        for frame in &take.frames {
            show.repeat(frame, frame.is_drawn);
            assert_eq!(show.failure(), None);
            let picture = show.picture().filter(|picture| picture.width == 512);
            seen.extend(picture.map(|picture| picture.rgba[0]));
        }
        assert_eq!(shown(&show, 5), 10);
        seen
    };
    let seen = repeated();
    assert!(seen == repeated() && seen.len() > 20);
    std::fs::write(&clip, "another").expect("it is replaced");
    let error = take.locate().expect_err("it is another file").to_string();
    assert!(error.contains("a.mkv had"), "{error}");
}
