//! What the names of live sources mean: `camera`, `camera:NAME`, `camera:NAME?fps=60`, `screen`, `screen:NAME` and addresses such as
//! `rtsp://host/path`. ffmpeg opens them all, each system in its own way.

use std::ffi::OsStr;
use std::path::Path;

use super::camera::{self, Mode, System};
use super::ffmpeg::{command, plain};

/// Addresses that can be played.
const SCHEMES: [&str; 10] = ["rtsp", "rtsps", "srt", "udp", "tcp", "rist", "rtmp", "rtmps", "http", "https"];
/// What an address may lead to: nothing on this machine.
const PROTOCOLS: &str =
    "rtp,srtp,udp,tcp,tls,rtsp,rtsps,srt,rist,rtmp,rtmps,rtmpt,http,https,httpproxy,hls,crypto,data";
/// Few pictures are read before the first is shown.
const PROMPT: [&str; 8] =
    ["-fflags", "nobuffer", "-flags", "low_delay", "-analyzeduration", "1000000", "-probesize", "1000000"];

/// A live source.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A camera by its name, a part of it, its number or its device; `None` for the first. What is asked of it, or what is
    /// wrong with that.
    Camera(Option<String>, Result<Mode, String>),
    /// A screen or display by its name; `None` for the one in use.
    Screen(Option<String>),
    Address(String),
}

impl Source {
    /// What a name means; `None` if it is no source's.
    pub fn parse(text: &str) -> Option<Source> {
        let text = text.trim();
        if let Some((scheme, rest)) = text.split_once("://") {
            let is_known = SCHEMES.iter().any(|known| known.eq_ignore_ascii_case(scheme));
            return (is_known && !rest.is_empty()).then(|| Source::Address(text.to_owned()));
        }
        let end = text.find([':', '?']).unwrap_or(text.len());
        let (kind, rest) = text.split_at(end);
        let rest = rest.strip_prefix(':').unwrap_or(rest).trim();
        let named = |which: &str| (!which.is_empty()).then(|| which.to_owned());
        match kind.to_ascii_lowercase().as_str() {
            "camera" => {
                let (which, mode) = camera::split(rest);
                Some(Source::Camera(named(which), mode))
            }
            "screen" if !rest.starts_with('?') => Some(Source::Screen(named(rest))),
            _ => None,
        }
    }

    /// For messages: without what may be a key or a password.
    pub fn name(&self) -> String {
        match self {
            Source::Camera(None, _) => "camera".to_owned(),
            Source::Camera(Some(which), _) => format!("camera:{which}"),
            Source::Screen(None) => "screen".to_owned(),
            Source::Screen(Some(which)) => format!("screen:{which}"),
            Source::Address(address) => {
                let (scheme, rest) = address.split_once("://").unwrap_or(("", address));
                let host = rest.split(['/', '?']).next().unwrap_or_default();
                format!("{scheme}://{}", host.rsplit('@').next().unwrap_or_default())
            }
        }
    }

    /// How messages of ffmpeg name it.
    pub(super) fn place(&self) -> String {
        match self {
            Source::Address(address) => address.clone(),
            Source::Camera(which, _) | Source::Screen(which) => {
                which.clone().unwrap_or_else(|| "/dev/video".to_owned())
            }
        }
    }

    /// Whether it is a stream.
    pub(super) fn is_address(&self) -> bool {
        matches!(self, Source::Address(_))
    }

    /// # Errors
    /// One line, when something is asked of a camera that cannot be.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Source::Camera(_, Err(line)) => Err(line.clone()),
            _ => Ok(()),
        }
    }

    /// What a camera offers of which something is asked, on one line, as far as it tells.
    pub(super) fn offers(&self, ffmpeg: &OsStr) -> Option<String> {
        let Source::Camera(which, mode) = self else { return None };
        mode.as_ref().ok().filter(|mode| !mode.is_plain())?;
        let device = device(which.as_deref(), || cameras(ffmpeg)).ok()?;
        camera::told(&camera::offers(ffmpeg, System::HERE, &device))
    }

    /// What ffmpeg says, without the address.
    pub(super) fn told(&self, line: &str) -> String {
        match self {
            Source::Address(address) => line.replace(address.as_str(), &self.name()),
            _ => line.to_owned(),
        }
    }

    /// ffmpeg's options and input.
    ///
    /// # Errors
    /// One line, when this system has none by that name.
    pub(super) fn input(&self, ffmpeg: &OsStr) -> Result<Vec<String>, String> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        Ok(match self {
            Source::Camera(which, mode) => {
                let mode = mode.as_ref().map_err(Clone::clone)?;
                let device = device(which.as_deref(), || cameras(ffmpeg))?;
                let system = System::HERE;
                let depends = mode.depends_on_offers(system);
                let offers = if depends { camera::offers(ffmpeg, system, &device) } else { Vec::new() };
                let prompt = words(&["-fflags", "nobuffer"]);
                prompt.into_iter().chain(mode.input(system, &device, &offers)).collect()
            }
            Source::Screen(which) => screen_input(which.as_deref())?,
            Source::Address(address) => {
                let scheme = address.split_once("://").map_or("", |(scheme, _)| scheme).to_ascii_lowercase();
                let mut input = words(&PROMPT);
                input.extend(words(&["-protocol_whitelist", PROTOCOLS]));
                match scheme.as_str() {
                    "rtsp" | "rtsps" => input.extend(words(&["-rtsp_transport", "tcp"])),
                    // A file on a server comes as fast as it can.
                    "http" | "https" => input.extend(words(&["-re"])),
                    _ => {}
                }
                let is_bare = scheme == "udp" && !address.contains('?');
                let options = if is_bare { "?overrun_nonfatal=1" } else { "" };
                input.extend(["-i".to_owned(), format!("{address}{options}")]);
                input
            }
        })
    }
}

/// A camera of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Camera {
    /// How ffmpeg opens it.
    pub device: String,
    pub name: String,
}

/// The cameras of this machine, as far as the system or ffmpeg lists them.
pub fn cameras(ffmpeg: &OsStr) -> Vec<Camera> {
    if cfg!(target_os = "linux") {
        return video4linux(Path::new("/sys/class/video4linux"));
    }
    let list: &[&str] = if cfg!(windows) {
        &["-f", "dshow", "-list_devices", "true", "-i", "dummy"]
    } else {
        &["-f", "avfoundation", "-list_devices", "true", "-i", ""]
    };
    let output = command(ffmpeg).args(["-hide_banner", "-nostdin"]).args(list).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).unwrap_or_default();
    if cfg!(windows) { listed_by_dshow(&text) } else { listed_by_avfoundation(&text) }
}

/// Linux: the first node of each device takes pictures, the others are about them.
fn video4linux(root: &Path) -> Vec<Camera> {
    let read = |path: &Path| std::fs::read_to_string(path).map(|text| text.trim().to_owned()).unwrap_or_default();
    let mut found: Vec<(u32, Camera)> = std::fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let node = entry.file_name().to_string_lossy().into_owned();
            let number = node.strip_prefix("video")?.parse().ok()?;
            let is_first = ["", "0"].contains(&read(&entry.path().join("index")).as_str());
            let camera = Camera { device: format!("/dev/{node}"), name: read(&entry.path().join("name")) };
            is_first.then_some((number, camera))
        })
        .collect();
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, camera)| camera).collect()
}

/// `[dshow @ 0x1] "Logi C920" (video)`, in older versions under a heading instead.
fn listed_by_dshow(text: &str) -> Vec<Camera> {
    let mut is_video = true;
    let quoted = text.lines().filter_map(|line| {
        let line = plain(line);
        if line.starts_with("DirectShow") {
            is_video = line.contains("video");
        }
        let (name, kind) = line.strip_prefix('"')?.split_once('"')?;
        let is_one = is_video && !kind.contains("(audio)") && !kind.contains("(none)");
        is_one.then(|| Camera { device: format!("video={name}"), name: name.to_owned() })
    });
    quoted.collect()
}

/// `[AVFoundation indev @ 0x7f] [0] FaceTime HD Camera`
fn listed_by_avfoundation(text: &str) -> Vec<Camera> {
    let video = text.lines().skip_while(|line| !line.contains("video devices:")).skip(1);
    let video = video.take_while(|line| !line.contains("audio devices:"));
    video
        .filter_map(|line| {
            let (_, rest) = line.split_once("] [")?;
            let (number, name) = rest.split_once("] ")?;
            let is_camera = number.parse::<u32>().is_ok() && !name.starts_with("Capture screen");
            is_camera.then(|| Camera { device: format!("{number}:none"), name: name.trim().to_owned() })
        })
        .collect()
}

/// How ffmpeg opens the camera that is meant: a device or number, otherwise one whose name contains this.
fn device(which: Option<&str>, cameras: impl FnOnce() -> Vec<Camera>) -> Result<String, String> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if cfg!(target_os = "linux") {
        match which {
            Some(which) if which.starts_with("/dev/") => return Ok(which.to_owned()),
            Some(which) if is_number(which) => return Ok(format!("/dev/video{which}")),
            _ => {}
        }
    }
    let cameras = cameras();
    let Some(which) = which else {
        let first = cameras.into_iter().next().map(|camera| camera.device);
        let usual = if cfg!(target_os = "linux") { Some("/dev/video0".to_owned()) } else { None };
        return first.or(usual).ok_or_else(|| "there is no camera".to_owned());
    };
    if let Some(camera) = which.parse::<usize>().ok().and_then(|at| cameras.get(at)) {
        return Ok(camera.device.clone());
    }
    let part = which.to_lowercase();
    let named = cameras.iter().find(|camera| camera.name.to_lowercase().contains(&part));
    named.map(|camera| camera.device.clone()).ok_or_else(|| {
        let known: Vec<&str> = cameras.iter().map(|camera| camera.name.as_str()).collect();
        let known =
            if known.is_empty() { "there is none".to_owned() } else { format!("there are {}", known.join(", ")) };
        format!("no camera is called {which:?}; {known}")
    })
}

/// Linux: an X display such as `:1`; Windows: a window's title; macOS: the number of a screen.
fn screen_input(which: Option<&str>) -> Result<Vec<String>, String> {
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    if cfg!(windows) {
        let window = which.map_or_else(|| "desktop".to_owned(), |title| format!("title={title}"));
        return Ok(words(&["-f", "gdigrab", "-framerate", "30", "-draw_mouse", "0", "-i", &window]));
    }
    if cfg!(target_os = "macos") {
        let screen = format!("Capture screen {}:none", which.unwrap_or("0"));
        return Ok(words(&["-f", "avfoundation", "-framerate", "30", "-i", &screen]));
    }
    let display = which.map(str::to_owned).or_else(|| std::env::var("DISPLAY").ok().filter(|name| !name.is_empty()));
    let display = display.ok_or("there is no X display; name one as in screen::1")?;
    Ok(words(&["-f", "x11grab", "-framerate", "30", "-draw_mouse", "0", "-i", &display]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_addresses_are_told_from_files() {
        for (text, name) in [
            ("camera", "camera"),
            ("Camera: 1 ", "camera:1"),
            ("camera:/dev/video1", "camera:/dev/video1"),
            ("camera:1?size=1280x720&fps=60", "camera:1"),
            ("camera?fps=60", "camera"),
            ("screen::1", "screen::1"),
            ("rtsp://me:secret@cam.example:8554/live?key=1", "rtsp://cam.example:8554"),
            ("SRT://h:9710?mode=listener", "SRT://h:9710"),
            ("http://h/a.mjpeg", "http://h"),
        ] {
            assert_eq!(Source::parse(text).map(|source| source.name()).as_deref(), Some(name), "{text}");
        }
        for text in [
            "",
            "cameras",
            "camera.mp4",
            "c:/camera",
            "file:///a.mp4",
            "concat:a|b",
            "udp://",
            "lavfi://x",
            "screen/1",
            "camera.mp4?x=1",
            "screen?x=1",
        ] {
            assert_eq!(Source::parse(text), None, "{text}");
        }
        let source = Source::parse("rtsp://me:secret@h/x").unwrap();
        assert_eq!(source.told("rtsp://me:secret@h/x: Connection refused"), "rtsp://h: Connection refused");
    }

    #[test]
    fn an_address_opens_nothing_on_this_machine() {
        let input = |text: &str| Source::parse(text).unwrap().input(OsStr::new("ffmpeg")).unwrap();
        let rtsp = input("rtsp://h/x");
        let at = rtsp.iter().position(|word| word == "-protocol_whitelist").unwrap();
        assert!(!rtsp[at + 1].split(',').any(|protocol| ["file", "pipe", "concat", "unix"].contains(&protocol)));
        assert!(rtsp.contains(&"-rtsp_transport".to_owned()) && rtsp.last().unwrap() == "rtsp://h/x");
        assert_eq!(input("udp://@:5000").last().unwrap(), "udp://@:5000?overrun_nonfatal=1");
        assert_eq!(input("udp://@:5000?fifo_size=9").last().unwrap(), "udp://@:5000?fifo_size=9");
        assert!(input("http://h/a.mp4").contains(&"-re".to_owned()));
    }

    #[test]
    fn cameras_are_listed_as_each_system_lists_them() {
        let dshow = "[dshow @ 01] \"Logi C920\" (video)\n[dshow @ 01]   Alternative name \"@device\"\n[dshow @ 01] \"Mic\" (audio)\n";
        let camera = |device: &str, name: &str| Camera { device: device.to_owned(), name: name.to_owned() };
        assert_eq!(listed_by_dshow(dshow), [camera("video=Logi C920", "Logi C920")]);
        let old = "[dshow @ 01] DirectShow video devices\n[dshow @ 01]  \"Cam\"\n[dshow @ 01] DirectShow audio devices\n[dshow @ 01]  \"Mic\"\n";
        assert_eq!(listed_by_dshow(old), [camera("video=Cam", "Cam")]);
        let mac = concat!(
            "[AVFoundation indev @ 0x7f] AVFoundation video devices:\n[AVFoundation indev @ 0x7f] [0] FaceTime HD Camera\n",
            "[AVFoundation indev @ 0x7f] [1] Capture screen 0\n[AVFoundation indev @ 0x7f] AVFoundation audio devices:\n",
            "[AVFoundation indev @ 0x7f] [0] MacBook Microphone\n"
        );
        assert_eq!(listed_by_avfoundation(mac), [camera("0:none", "FaceTime HD Camera")]);
        let root = std::env::temp_dir().join(format!("latent-jockey-v4l-{}", std::process::id()));
        for (node, name, index) in [("video10", "Grabber", "0"), ("video2", "Webcam", "0"), ("video3", "Webcam", "1")] {
            std::fs::create_dir_all(root.join(node)).unwrap();
            std::fs::write(root.join(node).join("name"), format!("{name}\n")).unwrap();
            std::fs::write(root.join(node).join("index"), format!("{index}\n")).unwrap();
        }
        assert_eq!(video4linux(&root), [camera("/dev/video2", "Webcam"), camera("/dev/video10", "Grabber")]);
        std::fs::remove_dir_all(root).unwrap();
        assert_eq!(video4linux(Path::new("/nowhere")), []);
    }

    #[test]
    fn a_camera_is_found_by_a_part_of_its_name() {
        let known = || {
            ["Built-in", "Logi C920"]
                .map(|name| Camera { device: format!("dev {name}"), name: name.to_owned() })
                .to_vec()
        };
        assert_eq!(device(Some("c920"), known), Ok("dev Logi C920".to_owned()));
        assert_eq!(device(None, known), Ok("dev Built-in".to_owned()));
        let error = device(Some("Sony"), known).unwrap_err();
        assert_eq!(error, "no camera is called \"Sony\"; there are Built-in, Logi C920");
        assert_eq!(device(Some("x"), Vec::new).unwrap_err(), "no camera is called \"x\"; there is none");
        if cfg!(target_os = "linux") {
            assert_eq!(device(Some("1"), known), Ok("/dev/video1".to_owned()));
            assert_eq!(device(Some("/dev/v4l/by-id/x"), known), Ok("/dev/v4l/by-id/x".to_owned()));
        }
    }
}
