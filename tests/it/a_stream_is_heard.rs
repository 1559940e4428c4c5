//! Does a stream carry what is heard, in step with what is seen, and silence where a service takes no stream without sound?
//!
//! ffmpeg receives over the loopback; reports "skipped" without it.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use latent_jockey::audio::history::History;
use latent_jockey::params::Id;

use crate::common::rig::{Folder, Rig, number, text};
use crate::common::skip_ffmpeg;

/// A click, and a flash as long, at the middle of each second.
const CLICK: std::ops::Range<f64> = 0.5..0.65;

fn port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port()
}

/// ffmpeg as a receiver, which writes what comes to a file and ends after some seconds of it.
struct Receiver(Child);

impl Receiver {
    fn new(input: &[&str], secs: &str, file: &Path) -> Receiver {
        let child = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-y"])
            .args(input)
            .args(["-map", "0", "-c", "copy", "-t", secs])
            .arg(file)
            .stdout(Stdio::null())
            .spawn();
        Receiver(child.expect("ffmpeg starts"))
    }

    fn has_ended(&mut self) -> bool {
        self.0.try_wait().expect("it is ours").is_some()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Plays in real time, flashing with the clicks that are put into `heard`, until the receiver has ended.
fn play(rig: &mut Rig, heard: &History, receiver: &mut Receiver) {
    let started = Instant::now();
    let (mut last, mut written) = (started, 0u64);
    while !receiver.has_ended() {
        assert!(started.elapsed() < Duration::from_secs(90), "nothing is received: {}", rig.show.status());
        let now = Instant::now();
        let secs = (now - started).as_secs_f64();
        let is_loud = |secs: f64| CLICK.contains(&(secs % 1.0));
        let end = (secs * 48_000.0) as u64;
        let loud = |at: u64| if is_loud(at as f64 / 48_000.0) { if at % 48 < 24 { 0.5 } else { -0.5 } } else { 0.0 };
        let samples: Vec<[f32; 2]> = (written..end).map(|at| [loud(at); 2]).collect();
        heard.push(&samples, now);
        written = end;
        rig.show.step((now - last).as_secs_f64(), &[number(Id::Blackout, if is_loud(secs) { 0.0 } else { 1.0 })]);
        last = now;
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn told(command: &mut Command) -> String {
    let output = command.output().expect("it runs");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// The codecs of a file, pictures first.
fn codecs(file: &Path) -> Vec<String> {
    let entries = ["-v", "error", "-show_entries", "stream=codec_type,codec_name", "-of", "csv=p=0"];
    let mut codecs: Vec<String> =
        told(Command::new("ffprobe").args(entries).arg(file)).lines().map(str::to_owned).collect();
    codecs.sort_by_key(|line| !line.contains("video"));
    codecs
}

/// When something ends in a file, by one of ffmpeg's detectors; in seconds.
fn ends(file: &Path, option: &str, detector: &str, word: &str) -> Vec<f64> {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostats", "-i"]).arg(file).args([option, detector, "-f", "null", "-"]);
    let all = told(&mut command);
    let number = |rest: &str| rest.trim_start().split([' ', '\n', '\r']).next().and_then(|word| word.parse().ok());
    all.split(word).skip(1).filter_map(number).collect()
}

/// How far the nearest flash is from each click, in seconds, in order.
fn apart(clicks: &[f64], flashes: &[f64]) -> Vec<f64> {
    let nearest = |click: &f64| flashes.iter().map(|flash| flash - click).min_by(|a, b| a.abs().total_cmp(&b.abs()));
    let mut apart: Vec<f64> = clicks.iter().filter_map(nearest).collect();
    apart.sort_by(f64::total_cmp);
    apart
}

#[test]
fn a_click_and_its_flash_arrive_together_also_after_a_pause() {
    if skip_ffmpeg() {
        return;
    }
    let folder = Folder::new();
    let mut rig = Rig::with(&[("a", "")]).live().start();
    rig.set_output_size([64, 48]);
    let heard = Arc::new(History::default());
    rig.set_sound(heard.clone());
    let address = format!("tcp://127.0.0.1:{}", port());
    let fps = [number(Id::RecordFps, 25.0), text(Id::Stream, &address)];
    rig.step(0.01, &fps);
    // The second time, the receiver has been away.
    for name in ["first.mkv", "again.mkv"] {
        let file = folder.join(name);
        let input = format!("{address}?listen=1");
        let mut receiver = Receiver::new(&["-f", "mpegts", "-i", &input], "6", &file);
        play(&mut rig, &heard, &mut receiver);
        assert_eq!(codecs(&file), ["h264,video", "aac,audio"], "{name}");
        let clicks = ends(&file, "-af", "silencedetect=n=-30dB:d=0.3", "silence_end:");
        let flashes = ends(&file, "-vf", "blackdetect=d=0.2:pic_th=0.9", "black_end:");
        let apart = apart(&clicks, &flashes);
        assert!(apart.len() >= 3, "{name}: {clicks:?} {flashes:?}");
        let middle = apart[apart.len() / 2];
        assert!((-0.04..=0.1).contains(&middle), "{name}: {apart:?}");
    }
}

#[test]
fn a_stream_to_a_service_is_never_without_sound() {
    if skip_ffmpeg() {
        return;
    }
    let folder = Folder::new();
    let mut rig = Rig::with(&[("a", "")]).live().start();
    rig.set_output_size([64, 48]);
    let address = format!("rtmp://127.0.0.1:{}/live/key", port());
    let file = folder.join("x.mkv");
    let mut receiver = Receiver::new(&["-listen", "1", "-f", "flv", "-i", &address], "2", &file);
    rig.wait(&[text(Id::Stream, &address)], |_| receiver.has_ended());
    assert_eq!(codecs(&file), ["h264,video", "aac,audio"]);
    let silence = ends(&file, "-af", "silencedetect=n=-80dB:d=1", "silence_start:");
    assert_eq!(silence.len(), 1, "{silence:?}");
}
