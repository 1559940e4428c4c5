//! Can a stream be played as input, and does it come back by itself? Does nobody from elsewhere open one?
//!
//! Needs ffmpeg; reports "skipped" without it.

use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};

use crate::common::rig::{Folder, Rig, text};
use crate::common::skip_ffmpeg;
use latent_jockey::params::Id;
use latent_jockey::patch::preset::Preset;
use latent_jockey::show::Show;

const PRESET: &str = "[params]\n\"/input/fade\" = 0.0\n\"/walk/speed\" = 0.0\n";

/// Sends one colour to a port until it is dropped.
struct Sender(Child);

impl Sender {
    fn new(colour: &str, port: u16) -> Sender {
        // HD in the colours of HD, and SD in those of SD; neither says so.
        let (size, matrix) = if colour == "red" { ("128x128", "smpte170m") } else { ("1280x720", "bt709") };
        let source = format!("color={colour}:s={size}:r=15,scale=out_color_matrix={matrix},format=yuv420p");
        let to = format!("udp://127.0.0.1:{port}?pkt_size=1316");
        let child = Command::new("ffmpeg")
            .args(["-loglevel", "error", "-nostdin", "-re", "-f", "lavfi", "-i", &source])
            .args(["-c:v", "mpeg2video", "-g", "5", "-f", "mpegts", &to])
            .stdout(Stdio::null())
            .spawn();
        Sender(child.expect("ffmpeg starts"))
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn middle(show: &Show) -> [u8; 3] {
    show.picture().map_or([0; 3], |picture| {
        let at = 4 * (picture.height / 2 * picture.width + picture.width / 2) as usize;
        [picture.rgba[at], picture.rgba[at + 1], picture.rgba[at + 2]]
    })
}

fn is_red(show: &Show) -> bool {
    let [red, green, blue] = middle(show);
    red > 240 && green < 15 && blue < 15
}

fn is_blue(show: &Show) -> bool {
    let [red, green, blue] = middle(show);
    blue > 240 && green < 15 && red < 15
}

#[test]
fn a_lost_stream_holds_its_picture_and_comes_back() {
    if skip_ffmpeg() {
        return;
    }
    let port = UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port();
    let address = format!("udp://127.0.0.1:{port}");
    let sender = Sender::new("red", port);
    let mut rig = Rig::with(&[("a", PRESET)]).live().start();
    rig.wait(&[text(Id::Input, &address)], is_red);
    drop(sender);
    rig.wait(&[], |show| show.status().notice.is_some_and(|line| line.contains("trying again")));
    let told = rig.notice();
    assert!(told.starts_with(&format!("{address}: no picture for")) && told.lines().count() == 1, "{told}");
    assert!(is_red(&rig.show), "the last picture stays");
    let _sender = Sender::new("blue", port);
    rig.wait(&[], is_blue);
    assert_eq!(rig.notice(), "");
    // Something else is played: it does not come back.
    rig.wait(&[text(Id::Input, "")], |show| !is_blue(show));
}

#[test]
fn nobody_from_elsewhere_opens_a_source() {
    let mut rig = Rig::with(&[("a", PRESET)]).live().start();
    rig.set_names_only(true);
    for name in ["camera", "screen", "rtsp://127.0.0.1/x", "http://127.0.0.1:1/x"] {
        rig.wait(&[text(Id::Input, name)], |show| show.status().notice.is_some());
        let told = rig.notice();
        assert!(told.starts_with("cameras, screens and addresses can only be named from this machine"), "{told}");
        // Until the line is gone.
        (0..100).for_each(|_| rig.step(0.1, &[]));
    }
}

#[test]
fn a_render_refuses_what_is_live() {
    let mut rig = Rig::with(&[("a", PRESET)]).start();
    rig.step(0.1, &[text(Id::Input, "camera")]);
    let told = "camera is live: a render cannot wait for it; record it first, and play the file";
    assert_eq!((rig.notice().as_str(), rig.failure()), (told, Some(told)));
}

#[test]
fn what_no_camera_can_be_asked_is_one_line() {
    if skip_ffmpeg() {
        return;
    }
    let mut rig = Rig::with(&[("a", PRESET)]).live().start();
    rig.wait(&[text(Id::Input, "camera:0?size=720p")], |show| show.status().notice.is_some());
    let told = rig.notice();
    assert!(
        told.starts_with("camera:0: a camera takes size=1280x720, fps=60") && told.ends_with("got \"size=720p\""),
        "{told}"
    );
    assert!(told.lines().count() == 1 && rig.picture().is_some(), "and the network plays");
}

#[test]
fn a_camera_that_is_not_there_is_one_line() {
    if skip_ffmpeg() || !cfg!(target_os = "linux") {
        return;
    }
    let folder = Folder::new();
    let file = folder.join("mine.toml");
    std::fs::write(&file, "network = \"flowers128\"\n[params]\n\"/input\" = \"camera:/dev/video77\"\n")
        .expect("a preset");
    let preset = Preset::load(&file).expect("it is right");
    let mut rig = Rig::with(&[("a", PRESET)]).preset(preset).live().start();
    let is_told = |show: &Show| show.status().notice.is_some_and(|line| line.contains("trying again"));
    rig.wait(&[], |show| show.picture().is_some() && is_told(show));
    let told = rig.notice();
    assert!(told.starts_with("camera:/dev/video77: ") && told.lines().count() == 1, "{told}");
    assert!(rig.picture().is_some(), "and the network plays");
}
