//! Is what a live show shows recorded at a constant frame rate, whatever happens to the output, the encoder or the disk?
//!
//! Needs ffmpeg and ffprobe; reports "skipped" without them.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail and print as tests do")]

use std::io::Read;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::common::rig::{Folder, Rig, bang, number, text, write, write_by};
use latent_jockey::control::Source;
use latent_jockey::params::{Id, Value};
use latent_jockey::patch::locate::shown;
use latent_jockey::record::take::Take;
use latent_jockey::show::Show;

fn skipped() -> bool {
    let missing = ["ffmpeg", "ffprobe"].into_iter().find(|tool| Command::new(tool).arg("-version").output().is_err());
    if let Some(tool) = missing {
        println!("skipped: no {tool}");
    }
    missing.is_some()
}

/// Codec, width, height, frame rate and number of frames.
fn probe(file: &Path) -> String {
    let entries = "stream=codec_name,width,height,avg_frame_rate,nb_read_frames";
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-count_frames", "-select_streams", "v:0", "-show_entries", entries, "-of", "csv=p=0"])
        .arg(file)
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn live(size: [u32; 2]) -> Rig {
    let mut show = Rig::with(&[("a", "")]).live().start();
    show.set_output_size(size);
    show
}

/// Plays until the recording is so many seconds long.
fn play_until(show: &mut Rig, secs: u64) {
    let at = |line: &str| {
        let (minutes, rest) = line.split_once(':')?;
        Some(minutes.parse::<u64>().ok()? * 60 + rest.get(..2)?.parse::<u64>().ok()?)
    };
    show.wait(&[], |show| show.status().recording.is_some_and(|line| at(&line) >= Some(secs)));
}

/// Stops the recording; returns what was told about it.
fn stop(show: &mut Rig) -> String {
    let mut told = String::new();
    show.wait(&[bang(Id::RecordStop)], |show| {
        told = show.status().notice.unwrap_or_default();
        told.starts_with("recorded ") || told.starts_with("the recording has ended")
    });
    told
}

#[test]
fn a_show_is_recorded() {
    if skipped() {
        return;
    }
    let folder = Folder::new();
    let mut show = live([0, 0]);
    // "x.mov" is numbered as "x.mp4" has its take already.
    for (name, written, size, expected) in [
        ("x.mp4", "x.mp4", "64x48", "h264,64,48,25/1"),
        ("odd size.mkv", "odd size.mkv", "63x47", "h264,64,48,25/1"),
        ("x.mov", "x-2.mov", "", "h264,16,16,25/1"),
    ] {
        let file = folder.join(name);
        let order = [text(Id::RecordFile, &file), text(Id::RecordSize, size), number(Id::RecordFps, 25.0)];
        show.step(0.01, &order);
        show.wait(&[bang(Id::RecordStart)], |show| show.is_recording());
        play_until(&mut show, 1);
        // A size that changes while it is recorded; then none of the output's own.
        show.set_output_size([40, 20]);
        play_until(&mut show, 2);
        show.set_output_size([0, 0]);
        let told = stop(&mut show);
        let frames = told.split(": ").nth(1).and_then(|counts| counts.split(' ').next()?.parse::<u32>().ok());
        let frames = frames.unwrap_or_else(|| panic!("{told}"));
        assert!((50..100).contains(&frames), "{told}");
        let file = folder.join(written);
        assert!(told.starts_with(&format!("recorded {}: ", shown(&file))) && told.contains(" dropped"), "{told}");
        assert_eq!(probe(&file), format!("{expected},{frames}"), "{name}");
        assert!(show.status().recording.is_none());
    }
    // The same name again: nothing is overwritten.
    let before = std::fs::read(folder.join("x-2.mov")).unwrap();
    show.wait(&[bang(Id::RecordStart)], |show| show.is_recording());
    play_until(&mut show, 1);
    assert!(stop(&mut show).contains("x-3.mov"));
    assert!(std::fs::read(folder.join("x-2.mov")).unwrap() == before);
    // Each has its take, from the frame on in which it began.
    drop(show);
    let mut names: Vec<String> =
        std::fs::read_dir(&*folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let all = ["odd size.mkv", "odd size.take", "x-2.mov", "x-2.take", "x-3.mov", "x-3.take", "x.mp4", "x.take"];
    assert_eq!(names, all, "nothing else is left");
    for (name, secs) in [("x.take", 2.0), ("x-2.take", 2.0), ("x-3.take", 1.0)] {
        let take = Take::read(&folder.join(name)).unwrap();
        let played: f64 = take.frames[take.start..].iter().map(|frame| frame.dt).sum();
        assert!((secs - 0.5..secs + 2.0).contains(&played), "{name}: {played} s");
    }
}

#[test]
fn a_take_that_runs_already_goes_on_and_none_is_written_if_none_is_wanted() {
    if skipped() {
        return;
    }
    let folder = Folder::new();
    let mut show = live([32, 32]);
    show.wait(&[text(Id::TakeStart, folder.join("mine.take"))], |show| show.is_taking());
    show.wait(&[text(Id::RecordFile, folder.join("a.mkv")), bang(Id::RecordStart)], |show| show.is_recording());
    play_until(&mut show, 1);
    stop(&mut show);
    assert!(show.is_taking(), "it is not the recording's");
    show.wait(&[bang(Id::TakeStop)], |show| !show.is_taking());
    let none = [text(Id::RecordFile, folder.join("b.mkv")), write(Id::RecordTake, Value::Bool(false))];
    show.step(0.01, &none);
    show.wait(&[bang(Id::RecordStart)], |show| show.is_recording());
    play_until(&mut show, 1);
    assert!(!show.is_taking());
    stop(&mut show);
    assert_eq!(std::fs::read_dir(&*folder).unwrap().count(), 3, "mine.take, a.mkv and b.mkv");
    // A recording may have the name of the take that runs.
    show.wait(&[text(Id::TakeStart, folder.join("c.take"))], |show| show.is_taking());
    show.step(0.01, &[text(Id::RecordFile, folder.join("c.mkv")), write(Id::RecordTake, Value::Bool(true))]);
    show.wait(&[bang(Id::RecordStart)], |show| show.is_recording());
    play_until(&mut show, 1);
    assert!(stop(&mut show).contains("c.mkv"), "{:?}", show.status());
    assert!(show.is_taking() && folder.join("c.take").exists());
}

#[test]
fn a_recording_that_follows_at_once_has_a_take_of_its_own() {
    if skipped() {
        return;
    }
    let folder = Folder::new();
    let mut show = live([32, 32]);
    show.step(0.01, &[text(Id::RecordFile, folder.join("x.mkv")), bang(Id::RecordStart)]);
    for _ in 0..2 {
        play_until(&mut show, 1);
        show.step(0.01, &[bang(Id::RecordStop), bang(Id::RecordStart)]);
    }
    play_until(&mut show, 1);
    // The one before may be finished as late as this one.
    let is_last = |line: String| line.starts_with("recorded ") && line.contains("x-3.mkv");
    show.wait(&[bang(Id::RecordStop)], |show| show.status().notice.is_some_and(is_last));
    show.wait(&[], |show| !show.is_taking());
    drop(show);
    for name in ["x.take", "x-2.take", "x-3.take"] {
        let take = Take::read(&folder.join(name)).unwrap();
        let played: f64 = take.frames[take.start..].iter().map(|frame| frame.dt).sum();
        // Finding an encoder may take as long as it takes: meanwhile the show goes on.
        assert!(played > 0.1, "{name}: {played} s");
    }
    assert_eq!(std::fs::read_dir(&*folder).unwrap().count(), 6);
}

/// The first pixel of each frame.
fn first_pixels(file: &Path) -> Vec<[u8; 3]> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-i"])
        .arg(file)
        .args(["-vf", "crop=1:1:0:0", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .output()
        .unwrap();
    output.stdout.as_chunks::<3>().0.to_vec()
}

#[test]
fn the_clean_picture_is_recorded_beside_the_output() {
    if skipped() {
        return;
    }
    let folder = Folder::new();
    // All that is seen is a picture of one colour, over the network's.
    let mut blue = image::RgbImage::new(16, 16);
    blue.pixels_mut().for_each(|pixel| pixel.0 = [0, 0, 255]);
    let picture = folder.join("blue.png");
    blue.save(&picture).unwrap();
    let mut show = live([48, 32]);
    let order = [text(Id::Input, &picture), number(Id::InputAmount, 1.0), number(Id::InputFade, 0.0)];
    let middle = |show: &Show| show.picture().and_then(|picture| picture.rgba.as_chunks::<4>().0.get(100).copied());
    show.wait(&order, |show| middle(show).is_some_and(|[r, _, b, _]| r < 5 && b > 250));
    let file = folder.join("x.mkv");
    let codec = write(Id::RecordCodec, Value::Text("ffv1".to_owned()));
    let what = write(Id::RecordWhat, Value::Text("both".to_owned()));
    show.step(0.01, &[text(Id::RecordFile, &file), codec, what, write(Id::RecordTake, Value::Bool(false))]);
    show.wait(&[bang(Id::RecordStart)], |show| show.is_recording());
    play_until(&mut show, 1);
    show.wait(&[bang(Id::RecordStop)], |show| !show.is_recording());
    let told = show.end_recording();
    drop(show);
    let [seen, clean] = [file, folder.join("x-network.mkv")].map(|file| (probe(&file), first_pixels(&file)));
    assert!(seen.0.starts_with("ffv1,48,32,30/1,") && clean.0.starts_with("ffv1,16,16,30/1,"), "{seen:?} {clean:?}");
    assert_eq!(seen.1.len(), clean.1.len(), "{told:?}");
    assert!(seen.1.iter().all(|[r, _, b]| *r < 5 && *b > 250), "{:?}", seen.1);
    assert!(clean.1.iter().any(|[r, g, _]| *r > 20 || *g > 20), "it is not blue: {:?}", clean.1);
}

#[test]
fn a_recording_goes_on_when_another_show_takes_over() {
    if skipped() {
        return;
    }
    let folder = Folder::new();
    let mut show = live([32, 32]);
    show.wait(&[text(Id::TakeStart, folder.join("a.take"))], |show| show.is_taking());
    (0..20).for_each(|_| show.step(0.01, &[number(Id::Seed, 7.0)]));
    show.wait(&[bang(Id::TakeStop)], |show| !show.is_taking());
    show.wait(&[text(Id::RecordFile, folder.join("x.mkv")), bang(Id::RecordStart)], |show| show.is_recording());
    play_until(&mut show, 1);
    assert!(show.is_taking());
    // As when a take is dropped on the window.
    let take = Take::read(&folder.join("a.take")).unwrap();
    let (count, places) = (take.frames.len(), take.locate().unwrap());
    let library = show.library().clone();
    let mut new = Show::resume(&take, count, places, library, show.machinery()).unwrap();
    new.take_over(&mut show);
    let old = std::mem::replace(&mut show.show, new);
    drop(old);
    assert_eq!(show.base(Id::Seed), 7.0);
    play_until(&mut show, 2);
    assert!(show.is_taking(), "a second take begins here");
    let told = stop(&mut show);
    drop(show);
    assert!(told.contains("x.mkv"), "{told}");
    let frames = probe(&folder.join("x.mkv")).rsplit(',').next().and_then(|frames| frames.parse::<u32>().ok());
    assert!(frames >= Some(60), "{frames:?}");
    for name in ["x.take", "x-2.take"] {
        assert!(Take::read(&folder.join(name)).is_ok(), "{name}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_encoder_costs_one_line_and_its_file_plays() {
    if skipped() {
        return;
    }
    let folder = Folder::new();
    for name in ["x.mp4", "y.mkv"] {
        let mut show = live([128, 96]);
        let file = folder.join(name);
        show.wait(&[text(Id::RecordFile, &file), bang(Id::RecordStart)], |show| show.is_recording());
        play_until(&mut show, 3);
        let encoder = process(&file).expect("an encoder");
        assert!(Command::new("sh").args(["-c", &format!("kill -9 {encoder}")]).status().unwrap().success());
        show.wait(&[], |show| !show.is_recording());
        let told = show.notice();
        assert!(told.starts_with("the recording has ended: ffmpeg ended with ") && told.contains(name), "{told}");
        assert!(told.lines().count() == 1);
        let serial = show.picture().unwrap().serial;
        show.wait(&[], |show| show.picture().unwrap().serial > serial + 2);
        let frames = probe(&file).rsplit(',').next().and_then(|frames| frames.parse::<u32>().ok());
        assert!(frames >= Some(30), "{name}: {frames:?} frames play");
    }
}

/// The child of this process that was started with this file.
#[cfg(target_os = "linux")]
fn process(file: &Path) -> Option<u32> {
    let name = file.display().to_string();
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let words = std::fs::read(entry.path().join("cmdline")).ok()?;
        String::from_utf8_lossy(&words).contains(&name).then_some(id)
    })
}

#[test]
fn what_cannot_be_recorded_is_one_line() {
    let folder = Folder::new();
    let mut show = live([0, 0]);
    show.step(0.01, &[bang(Id::RecordStop)]);
    assert_eq!(show.notice(), "nothing is being recorded; /record/start starts");
    show.step(0.01, &[text(Id::RecordSize, "huge"), bang(Id::RecordStart)]);
    assert!(show.notice().contains("\"huge\"") && !show.is_recording(), "{}", show.notice());
    show.step(0.01, &[text(Id::RecordSize, "")]);
    for (file, line) in [("x.doc", "\"doc\" is not a video extension"), ("in-the-way/x.mkv", "cannot write")] {
        std::fs::write(folder.join("in-the-way"), "").unwrap();
        show.wait(&[text(Id::RecordFile, folder.join(file)), bang(Id::RecordStart)], |show| !show.is_recording());
        assert!(show.notice().contains(line) && show.notice().lines().count() == 1, "{}", show.notice());
    }
    // Other machines may not write files here.
    let start = write_by(Source::Web, Id::RecordStart, Value::Nothing);
    let file = write_by(Source::Web, Id::RecordFile, Value::Text("/tmp/x.mkv".to_owned()));
    show.step(0.01, &[text(Id::RecordFile, ""), file, start]);
    assert!(!show.is_recording() && show.params().text(Id::RecordFile).is_empty());
    assert!(show.status().refused >= 2);
    // Offline there is a file already.
    let mut offline = Rig::with(&[("a", "")]).start();
    offline.step(0.1, &[bang(Id::RecordStart)]);
    assert!(!offline.is_recording() && offline.failure().is_none());
}

#[test]
fn a_stream_is_sent_again_once_its_receiver_is_back() {
    if skipped() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    // Takes a little of a transport stream, goes away, and takes some more.
    let receiver = std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut packets = [0; 188 * 40];
            stream.read_exact(&mut packets).unwrap();
            assert!(packets.iter().step_by(188).all(|&byte| byte == 0x47), "every packet begins with its mark");
        }
    });
    let mut show = live([64, 48]);
    let mut told = Vec::new();
    show.wait(&[text(Id::Stream, &address)], |show| {
        told.extend(show.status().notice.filter(|line| told.last() != Some(line)));
        receiver.is_finished()
    });
    receiver.join().unwrap();
    assert_eq!(told[0], format!("streaming to {address}"));
    assert!(told.iter().any(|line| line.starts_with(&format!("the stream to {address} is lost: "))), "{told:?}");
    assert_eq!(show.status().streaming.as_deref().and_then(|line| line.split(' ').next()), Some(&*address));
    show.step(0.01, &[text(Id::Stream, "")]);
    assert_eq!((show.notice().as_str(), show.status().streaming), ("the stream has ended", None));
    show.step(0.01, &[text(Id::Stream, "http://x/")]);
    assert!(show.notice().contains("\"http://x/\"") && show.status().streaming.is_none(), "{}", show.notice());
}
