//! The size, rate and format of a camera, as in `camera:0?size=1280x720&fps=60&format=mjpeg`: how ffmpeg is asked for them on
//! each system, and what a camera says it offers.

use std::ffi::OsStr;

use super::ffmpeg::{command, plain};
use crate::image;

/// Pixels per second up to which cameras send pictures without compression: 640x480 at 30, as much as USB 2 carries.
const RAW_LIMIT: f64 = 9_500_000.0;
/// Pictures per second where nothing else is said.
const USUAL_FPS: f64 = 30.0;
/// How many sizes of each format are told.
const TOLD: usize = 6;

/// What opens cameras.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum System {
    /// Linux.
    V4l2,
    /// Windows.
    Dshow,
    /// macOS.
    AvFoundation,
}

impl System {
    /// That of this machine.
    pub const HERE: System = if cfg!(target_os = "linux") {
        System::V4l2
    } else if cfg!(windows) {
        System::Dshow
    } else {
        System::AvFoundation
    };
}

/// What is asked of a camera; `None` is its own choice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mode {
    /// Width and height.
    size: Option<[u32; 2]>,
    fps: Option<f64>,
    /// ffmpeg's name: `mjpeg`, `yuyv422` and so on.
    format: Option<String>,
}

/// A size in one format.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Offer {
    pub format: String,
    pub size: [u32; 2],
    /// The most pictures per second, if that is told.
    pub fps: Option<f64>,
}

/// Splits what follows `camera:` into the camera and what is asked of it. A name may have a question mark of its own.
pub(super) fn split(text: &str) -> (&str, Result<Mode, String>) {
    let is_setting = |part: &str| {
        part.split_once('=')
            .is_some_and(|(key, _)| !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_lowercase()))
    };
    match text.rsplit_once('?') {
        Some((which, settings)) if settings.split('&').all(is_setting) => (which.trim(), Mode::parse(settings)),
        _ => (text.trim(), Ok(Mode::default())),
    }
}

impl Mode {
    /// # Errors
    /// One line, when something cannot be asked.
    fn parse(settings: &str) -> Result<Mode, String> {
        let mut mode = Mode::default();
        for setting in settings.split('&') {
            let wrong = || {
                format!(
                    "a camera takes size=1280x720, fps=60 and format=mjpeg, or another that it offers; got {setting:?}"
                )
            };
            let (key, value) = setting.split_once('=').ok_or_else(wrong)?;
            match key {
                "size" => mode.size = Some(size(value).ok_or_else(wrong)?),
                "fps" => {
                    let fps = value.parse().ok().filter(|fps: &f64| *fps > 0.0 && *fps <= 1000.0);
                    mode.fps = Some(fps.ok_or_else(wrong)?);
                }
                "format" => mode.format = Some(format(value).ok_or_else(wrong)?),
                _ => return Err(wrong()),
            }
        }
        Ok(mode)
    }

    /// Whether anything is asked.
    pub fn is_plain(&self) -> bool {
        *self == Mode::default()
    }

    /// Whether the format depends on what the camera offers: v4l2 would take pictures without compression, and fewer of them.
    pub(super) fn depends_on_offers(&self, system: System) -> bool {
        system == System::V4l2 && self.format.is_none() && !self.is_plain()
    }

    /// The format that is asked for.
    fn format_of(&self, system: System, offers: &[Offer]) -> Option<&str> {
        if !self.depends_on_offers(system) {
            return self.format.as_deref();
        }
        let fits = |offer: &&Offer| self.size.is_none_or(|size| offer.size == size);
        let is_jpeg = |offer: &Offer| offer.format == "mjpeg";
        let (jpegs, others): (Vec<&Offer>, Vec<&Offer>) = offers.iter().filter(fits).partition(|offer| is_jpeg(offer));
        let pixels = self.size.map_or(640.0 * 480.0, |[width, height]| f64::from(width) * f64::from(height));
        let is_fast = pixels * self.fps.unwrap_or(USUAL_FPS) > RAW_LIMIT;
        (!jpegs.is_empty() && (is_fast || others.is_empty())).then_some("mjpeg")
    }

    /// ffmpeg's options and input for a device.
    pub(super) fn input(&self, system: System, device: &str, offers: &[Offer]) -> Vec<String> {
        let (demuxer, option): (&[&str], _) = match system {
            System::V4l2 => (&["-f", "v4l2"], "-input_format"),
            System::Dshow => (&["-f", "dshow", "-rtbufsize", "64M"], "-pixel_format"),
            System::AvFoundation => (&["-f", "avfoundation"], "-pixel_format"),
        };
        let mut words: Vec<String> = demuxer.iter().map(|word| (*word).to_owned()).collect();
        let mut add = |option: &str, value: String| words.extend([option.to_owned(), value]);
        if let Some(format) = self.format_of(system, offers) {
            let is_coded = system == System::Dshow && ["mjpeg", "h264"].contains(&format);
            add(if is_coded { "-vcodec" } else { option }, format.to_owned());
        }
        if let Some([width, height]) = self.size {
            add("-video_size", format!("{width}x{height}"));
        }
        // AVFoundation takes no rate of its own.
        if let Some(fps) = self.fps.or((system == System::AvFoundation).then_some(USUAL_FPS)) {
            add("-framerate", fps.to_string());
        }
        add("-i", device.to_owned());
        words
    }
}

fn size(text: &str) -> Option<[u32; 2]> {
    image::parse_size(text, 1..=16_384)
}

/// ffmpeg's name of a format.
fn format(text: &str) -> Option<String> {
    let is_word = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let word = text.to_ascii_lowercase();
    is_word.then(|| match word.as_str() {
        "yuyv" | "yuy2" => "yuyv422".to_owned(),
        "uyvy" => "uyvy422".to_owned(),
        "mjpg" | "jpeg" => "mjpeg".to_owned(),
        _ => word,
    })
}

/// What a device offers, as far as ffmpeg tells. Opens it for a moment.
pub(super) fn offers(ffmpeg: &OsStr, system: System, device: &str) -> Vec<Offer> {
    let words: &[&str] = match system {
        System::V4l2 => &["-f", "v4l2", "-list_formats", "all", "-i", device],
        System::Dshow => &["-f", "dshow", "-list_options", "true", "-i", device],
        // It lists what there is when it is asked for what there is not.
        System::AvFoundation => &["-f", "avfoundation", "-framerate", "1000", "-i", device],
    };
    let output = command(ffmpeg).args(["-hide_banner", "-nostdin"]).args(words).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stderr).into_owned()).unwrap_or_default();
    offered(system, &text)
}

fn offered(system: System, text: &str) -> Vec<Offer> {
    let by: fn(&str) -> Vec<Offer> = match system {
        System::V4l2 => offered_by_v4l2,
        System::Dshow => offered_by_dshow,
        System::AvFoundation => offered_by_avfoundation,
    };
    text.lines().flat_map(|line| by(&plain(line))).collect()
}

/// `Compressed:       mjpeg :          Motion-JPEG : 640x480 1280x720`
fn offered_by_v4l2(line: &str) -> Vec<Offer> {
    let Some((kind, rest)) = line.split_once(':') else { return Vec::new() };
    let (Some((format, _)), Some((_, sizes))) = (rest.split_once(" : "), rest.rsplit_once(" : ")) else {
        return Vec::new();
    };
    if !["Raw", "Compressed"].contains(&kind.trim()) {
        return Vec::new();
    }
    let offer = |size| Offer { format: format.trim().to_owned(), size, fps: None };
    sizes.split_whitespace().filter_map(size).map(offer).collect()
}

/// `vcodec=mjpeg  min s=1280x720 fps=5 max s=1280x720 fps=60.0002`
fn offered_by_dshow(line: &str) -> Vec<Offer> {
    let offer = || {
        let (format, rest) = line.split_once(char::is_whitespace)?;
        let format = format.strip_prefix("vcodec=").or_else(|| format.strip_prefix("pixel_format="))?;
        let (_, most) = rest.split_once(" max ")?;
        let value = |key: &str| most.split_whitespace().find_map(|word| word.strip_prefix(key));
        Some(Offer { format: format.to_owned(), size: size(value("s=")?)?, fps: value("fps=")?.parse().ok() })
    };
    offer().into_iter().collect()
}

/// `1280x720@[15.000000 30.000000]fps`
fn offered_by_avfoundation(line: &str) -> Vec<Offer> {
    let offer = || {
        let (at, rates) = line.trim().split_once("@[")?;
        let most = rates.strip_suffix("]fps")?.split_whitespace().last()?;
        Some(Offer { format: String::new(), size: size(at)?, fps: most.parse().ok() })
    };
    offer().into_iter().collect()
}

/// What a camera offers, on one line; `None` if it does not tell. The largest sizes first.
pub(super) fn told(offers: &[Offer]) -> Option<String> {
    let mut formats: Vec<&str> = Vec::new();
    for offer in offers {
        if !formats.contains(&offer.format.as_str()) {
            formats.push(&offer.format);
        }
    }
    let of_format = |format: &&str| {
        let mut own: Vec<&Offer> = offers.iter().filter(|offer| offer.format == **format).collect();
        let area = |offer: &Offer| u64::from(offer.size[0]) * u64::from(offer.size[1]);
        let fps = |offer: &Offer| offer.fps.unwrap_or(0.0);
        own.sort_by(|a, b| (area(b), b.size).cmp(&(area(a), a.size)).then(fps(b).total_cmp(&fps(a))));
        own.dedup_by_key(|offer| offer.size);
        let sizes: Vec<String> = own.iter().take(TOLD).map(|offer| told_of(offer)).collect();
        let more = if own.len() > TOLD { " and smaller ones" } else { "" };
        let name = if format.is_empty() { String::new() } else { format!("{format} ") };
        format!("{name}{}{more}", sizes.join(", "))
    };
    (!formats.is_empty()).then(|| formats.iter().map(of_format).collect::<Vec<_>>().join("; "))
}

fn told_of(offer: &Offer) -> String {
    let [width, height] = offer.size;
    match offer.fps {
        Some(fps) => format!("{width}x{height} at {}", (fps * 100.0).round() / 100.0),
        None => format!("{width}x{height}"),
    }
}

/// What a driver has changed, from a line of ffmpeg such as `The V4L2 driver changed the video from 1920x1080 to 1280x720`
/// or `The driver changed the time per frame from 1/60 to 1/10`.
pub(super) fn changed(line: &str) -> Option<String> {
    let (what, change) = line.split_once("driver changed the ")?.1.split_once(" from ")?;
    let (asked, given) = change.trim().split_once(" to ")?;
    match what {
        "video" => Some(format!("{given} instead of {asked}")),
        "time per frame" => {
            let rate = |text: &str| {
                let (over, under) = text.split_once('/')?;
                let fps = under.parse::<f64>().ok()? / over.parse::<f64>().ok().filter(|over| *over > 0.0)?;
                Some((fps * 100.0).round() / 100.0)
            };
            Some(format!("{} pictures a second instead of {}", rate(given)?, rate(asked)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str, system: System, offers: &[Offer]) -> String {
        let (_, mode) = split(text);
        mode.unwrap().input(system, "DEVICE", offers).join(" ")
    }

    #[test]
    fn every_system_is_asked_in_its_own_words() {
        use System::{AvFoundation, Dshow, V4l2};
        for (text, system, expected) in [
            ("0", V4l2, "-f v4l2 -i DEVICE"),
            ("0", Dshow, "-f dshow -rtbufsize 64M -i DEVICE"),
            ("0", AvFoundation, "-f avfoundation -framerate 30 -i DEVICE"),
            ("0?size=1280x720&fps=60", V4l2, "-f v4l2 -video_size 1280x720 -framerate 60 -i DEVICE"),
            ("0?size=1280x720&fps=60", Dshow, "-f dshow -rtbufsize 64M -video_size 1280x720 -framerate 60 -i DEVICE"),
            ("?fps=59.94", AvFoundation, "-f avfoundation -framerate 59.94 -i DEVICE"),
            ("?size=640x480", AvFoundation, "-f avfoundation -video_size 640x480 -framerate 30 -i DEVICE"),
            ("0?format=YUYV", V4l2, "-f v4l2 -input_format yuyv422 -i DEVICE"),
            ("0?format=mjpeg", Dshow, "-f dshow -rtbufsize 64M -vcodec mjpeg -i DEVICE"),
            ("0?format=nv12", Dshow, "-f dshow -rtbufsize 64M -pixel_format nv12 -i DEVICE"),
            ("0?format=uyvy", AvFoundation, "-f avfoundation -pixel_format uyvy422 -framerate 30 -i DEVICE"),
        ] {
            assert_eq!(words(text, system, &[]), expected, "{text}");
        }
    }

    #[test]
    fn names_keep_their_question_marks_and_mistakes_are_named() {
        let name = r"@device_pnp_\\?\usb#vid_046d&pid_0825&mi_00#6&1";
        assert_eq!(split(name), (name, Ok(Mode::default())));
        assert_eq!(split("Logi C920 ?fps=60").0, "Logi C920");
        for wrong in ["size=720p", "fps=0", "fps=fast", "rate=60", "format=a b", "size=0x0"] {
            let error = split(&format!("0?{wrong}")).1.unwrap_err();
            assert!(error.ends_with(&format!("got {wrong:?}")), "{error}");
        }
    }

    /// As ffmpeg lists a webcam.
    const WEBCAM: &str = "[video4linux2,v4l2 @ 0x5581] Raw       :     yuyv422 :           YUYV 4:2:2 : 640x480 1280x720\n\
        [video4linux2,v4l2 @ 0x5581] Compressed:       mjpeg :          Motion-JPEG : 640x480 1280x720 1920x1080\n\
        /dev/video0: Immediate exit requested\n";

    #[test]
    fn v4l2_compresses_where_the_rate_needs_it() {
        let offers = offered(System::V4l2, WEBCAM);
        assert_eq!(offers.len(), 5);
        for (text, format) in [
            ("0?size=640x480&fps=30", None),
            ("0?size=640x480&fps=60", Some("mjpeg")),
            ("0?size=1280x720&fps=60", Some("mjpeg")),
            ("0?size=1280x720", Some("mjpeg")),
            ("0?size=1280x720&fps=10", None),
            // Only as JPEGs.
            ("0?size=1920x1080&fps=1", Some("mjpeg")),
            ("0?size=1920x1080&format=yuyv", Some("yuyv422")),
            ("0?fps=60", Some("mjpeg")),
            // Not at all: the driver takes what is near.
            ("0?size=4096x2160", None),
            ("0", None),
        ] {
            let (_, mode) = split(text);
            assert_eq!(mode.unwrap().format_of(System::V4l2, &offers), format, "{text}");
        }
        let raw: Vec<Offer> = offers.into_iter().filter(|offer| offer.format != "mjpeg").collect();
        assert!(!words("0?size=1280x720&fps=60", System::V4l2, &raw).contains("mjpeg"), "a grabber that has none");
    }

    #[test]
    fn what_a_camera_offers_is_one_line() {
        let of = |system, text| told(&offered(system, text)).unwrap_or_default();
        assert_eq!(of(System::V4l2, WEBCAM), "yuyv422 1280x720, 640x480; mjpeg 1920x1080, 1280x720, 640x480");
        let dshow = "[dshow @ 01] DirectShow video device options (from video devices)\n\
            [dshow @ 01]  Pin \"Capture\" (alternative pin name \"0\")\n\
            [dshow @ 01]   pixel_format=yuyv422  min s=640x480 fps=5 max s=640x480 fps=30\n\
            [dshow @ 01]   vcodec=mjpeg  min s=1280x720 fps=5 max s=1280x720 fps=30\n\
            [dshow @ 01]   vcodec=mjpeg  min s=1280x720 fps=5 max s=1280x720 fps=60.0002 (pc, bt470bg/bt709/unknown)\n";
        assert_eq!(of(System::Dshow, dshow), "yuyv422 640x480 at 30; mjpeg 1280x720 at 60");
        let mac = "[avfoundation @ 0x7f] Selected framerate (1000.000000) is not supported by the device.\n\
            [avfoundation @ 0x7f] Supported modes:\n[avfoundation @ 0x7f]   640x480@[15.000000 30.000000]fps\n\
            [avfoundation @ 0x7f]   1280x720@[15.000000 30.000030]fps\n";
        assert_eq!(of(System::AvFoundation, mac), "1280x720 at 30, 640x480 at 30");
        assert_eq!(told(&[]), None);
        let many: Vec<Offer> = (1..=9).map(|n| Offer { format: "nv12".into(), size: [n, n], fps: None }).collect();
        assert_eq!(told(&many).as_deref(), Some("nv12 9x9, 8x8, 7x7, 6x6, 5x5, 4x4 and smaller ones"));
    }

    #[test]
    fn what_a_driver_changes_is_said() {
        for (line, said) in [
            ("The V4L2 driver changed the video from 1920x1080 to 1280x720", "1280x720 instead of 1920x1080"),
            ("The driver changed the time per frame from 1/60 to 1/10", "10 pictures a second instead of 60"),
            (
                "The driver changed the time per frame from 1001/60000 to 333333/10000000",
                "30 pictures a second instead of 59.94",
            ),
        ] {
            assert_eq!(changed(line).as_deref(), Some(said));
        }
        assert_eq!(changed("Stream #0:0: Video: mjpeg"), None);
    }
}
