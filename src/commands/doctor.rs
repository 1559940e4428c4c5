//! `doctor`: what works on this machine, and how to fix what does not.

mod report;

use std::ffi::OsStr;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;

use super::play::OSC_PORT;
use crate::audio::sources::sources;
use crate::control::midi::{self, Profiles};
use crate::engine::gpu;
use crate::file::built_in;
use crate::footage::source;
use crate::patch::folders::{Folders, Kind};
use crate::patch::library::Library;
use crate::record::codec::{self, Encoder};
use crate::record::share::Way;
use crate::record::video;

/// The state of one thing.
enum Health {
    Good(String),
    /// The instrument works without it, with limitations.
    Lesser(String),
    Bad(String),
}

use Health::{Bad, Good, Lesser};

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Print it to be pasted into a bug report: with versions and drivers, without your name in paths
    #[arg(long)]
    report: bool,
}

/// # Errors
/// When the instrument cannot play here.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let home = dirs::home_dir().filter(|_| options.report);
    let shown = |line: &str| report::without_owner(line, home.as_deref());
    if options.report {
        report!("```text");
        report::head(&gpu::adapters()).iter().for_each(|line| report!("{}", shown(line)));
    }
    let checks = [
        ("folders", folders()),
        ("presets", presets()),
        ("processor", processor()),
        ("graphics", graphics()),
        ("torch", torch()),
        ("display", display()),
        ("screens", screens()),
        ("midi", midi_ports()),
        ("audio", audio()),
        ("cameras", cameras()),
        ("link", link()),
        ("osc", osc()),
        ("web", web()),
        ("ffmpeg", ffmpeg()),
        ("codecs", codecs()),
        ("share", shares()),
    ];
    let mut bad = 0;
    for (name, health) in checks {
        let (sign, line) = match health {
            Good(line) => ("ok  ", line),
            Lesser(line) => ("-   ", line),
            Bad(line) => {
                bad += 1;
                ("BAD ", line)
            }
        };
        report!("{}", shown(&format!("{sign}{name:<10} {line}")));
    }
    if options.report {
        report!("```");
    }
    anyhow::ensure!(bad == 0, "the instrument cannot play: {bad} of the checks above failed");
    Ok(())
}

/// Where presets, networks and so on are looked for, in order.
fn folders() -> Health {
    let folders = match Folders::here() {
        Ok(folders) => folders,
        Err(error) => return Bad(error.to_string()),
    };
    let place = |word: &str, folder: &Path| {
        let missing = if folder.is_dir() { "" } else { " (none yet)" };
        format!("{word} {}{missing}", folder.display())
    };
    let show = folders.show().map(|folder| place("the show's", folder));
    let own = folders.own().map(|folder| place("yours in", folder));
    let installed = folders.installed().map(|folder| place("installed in", folder));
    let built_in = Folders::default();
    let count = |kind| built_in.files(kind).len();
    let left_out = built_in::left_out();
    let left_out = match left_out.as_slice() {
        [] => String::new(),
        [one] => format!(", without {one}"),
        [first @ .., last] => format!(", without {} and {last}", first.join(", ")),
    };
    let [presets, networks] = [Kind::Preset, Kind::Network].map(count);
    let built_in = format!("built in ({presets} presets, {networks} networks{left_out})");
    Good([show, own, installed, Some(built_in)].into_iter().flatten().collect::<Vec<_>>().join(", then "))
}

/// Whether there are presets, all valid, with their networks in place.
fn presets() -> Health {
    let library = match Library::open() {
        Ok(library) => library,
        Err(error) => return Bad(error.to_string()),
    };
    match library.check() {
        Ok(count) => Good(format!("{count}, all valid")),
        Err(error) => Bad(error.headline()),
    }
}

fn processor() -> Health {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let line = format!("{cores} cores, {}", crate::engine::cpu::Cpu::default().isa());
    if cores > 1 { Good(line) } else { Lesser(format!("{line}; one core plays small networks only")) }
}

fn graphics() -> Health {
    let adapters = gpu::adapters();
    let line = adapters.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match adapters.iter().any(gpu::Adapter::is_real) {
        true => Good(line),
        false if adapters.is_empty() => Lesser("no card with Vulkan, Metal or DX12; using the processor".to_owned()),
        false => Lesser(format!("{line}; using the processor")),
    }
}

#[cfg(feature = "torch")]
fn torch() -> Health {
    Good(crate::engine::torch::report())
}

#[cfg(not(feature = "torch"))]
fn torch() -> Health {
    Lesser("this build has no torch engine and plays no TorchScript; docs/TORCH.md says how to build one".to_owned())
}

#[cfg(feature = "window")]
fn display() -> Health {
    match crate::app::display_available() {
        Ok(()) => Good("a display and a graphics driver".to_owned()),
        Err(why) => Lesser(format!("{why}; `play` runs headless")),
    }
}

/// The screens, each with the number and the name that `--output` takes.
#[cfg(feature = "window")]
fn screens() -> Health {
    let listed = crate::app::display_available().and_then(|()| crate::app::screens::connected());
    match listed {
        Ok(line) if line.is_empty() => Lesser("the display has none".to_owned()),
        Ok(line) => Good(line),
        Err(why) => Lesser(format!("{why}; run `doctor` where there is one to see its screens")),
    }
}

#[cfg(not(feature = "window"))]
fn screens() -> Health {
    Lesser("this build has no window, and so no output".to_owned())
}

#[cfg(not(feature = "window"))]
fn display() -> Health {
    Lesser("this build has no window; build with the default features to get one".to_owned())
}

fn midi_ports() -> Health {
    match midi::ports() {
        Err(error) if cfg!(target_os = "linux") => Lesser(format!("{error}; try `sudo modprobe snd-seq`")),
        Err(error) => Lesser(error.to_string()),
        Ok(ports) if ports.is_empty() => Lesser("no MIDI input; plug one in at any time".to_owned()),
        Ok(ports) => {
            let files = Folders::here().unwrap_or_default().all(Kind::Controller);
            let (profiles, _) = Profiles::load(&files);
            let named = ports.iter().map(|port| match profiles.of_port(port) {
                Some(profile) => format!("{port} ({})", profile.name),
                None => port.clone(),
            });
            Good(named.collect::<Vec<_>>().join(", "))
        }
    }
}

/// The sound inputs, each with the name that `--audio` takes.
fn audio() -> Health {
    let sources = sources();
    if sources.is_empty() {
        return Lesser(
            "no sound input; plug one in at any time, or listen to a file with `play --audio FILE`".to_owned(),
        );
    }
    let named = sources.iter().map(|source| match source.is_default {
        true => format!("{source} (default)"),
        false => source.to_string(),
    });
    Good(named.collect::<Vec<_>>().join(", "))
}

/// The cameras, each with the name that `/input` takes.
fn cameras() -> Health {
    let cameras = source::cameras(OsStr::new(video::FFMPEG));
    if cameras.is_empty() {
        return Lesser("no camera; plug one in at any time".to_owned());
    }
    let named = cameras.iter().map(|camera| format!("camera:{} ({})", camera.name, camera.device));
    Good(named.collect::<Vec<_>>().join(", "))
}

#[cfg(feature = "link")]
fn link() -> Health {
    /// Peers find each other within two seconds.
    const PATIENCE: std::time::Duration = std::time::Duration::from_millis(2500);
    match crate::control::session::link::peers(PATIENCE) {
        0 => Good("nobody else in the Link session of this network".to_owned()),
        1 => Good("1 peer in the Link session of this network".to_owned()),
        peers => Good(format!("{peers} peers in the Link session of this network")),
    }
}

#[cfg(not(feature = "link"))]
fn link() -> Health {
    Lesser(crate::control::session::ABSENT.to_owned())
}

fn osc() -> Health {
    match UdpSocket::bind(("127.0.0.1", OSC_PORT)) {
        Ok(_) => Good(format!("UDP port {OSC_PORT} is free")),
        Err(error) => Lesser(format!("UDP port {OSC_PORT}: {error}; choose another with `play --osc PORT`")),
    }
}

fn web() -> Health {
    match TcpListener::bind(("127.0.0.1", OSC_PORT)) {
        Ok(_) => Good(format!("TCP port {OSC_PORT} is free; the page will be at http://localhost:{OSC_PORT}/")),
        Err(error) => Lesser(format!("TCP port {OSC_PORT}: {error}; choose another with `play --web PORT`")),
    }
}

fn ffmpeg() -> Health {
    let version = match Command::new(video::FFMPEG).arg("-version").output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or("found").to_owned(),
        Err(_) => {
            return Lesser(
                "not found; shows are recorded as JPEGs, `render` writes PNGs, no videos and cameras (install ffmpeg)"
                    .to_owned(),
            );
        }
    };
    match Encoder::of(OsStr::new(video::FFMPEG)) {
        Ok(encoder) => match encoder.remark() {
            None => Good(version),
            Some(remark) => Lesser(format!("{version}: {remark}")),
        },
        Err(error) => Lesser(format!("{version}: {error}")),
    }
}

/// The codecs that can be recorded, each with its encoder.
fn codecs() -> Health {
    let survey = match codec::survey(OsStr::new(video::FFMPEG)) {
        Ok(survey) => survey,
        Err(error) => return Lesser(error.to_string()),
    };
    let (there, missing): (Vec<_>, Vec<_>) = survey.into_iter().partition(|(_, encoder)| encoder.is_some());
    let named = |(codec, encoder): (&str, Option<Encoder>)| match encoder {
        Some(encoder) if encoder.name != codec => format!("{codec} ({})", encoder.name),
        _ => codec.to_owned(),
    };
    let [there, missing] = [there, missing].map(|codecs| codecs.into_iter().map(named).collect::<Vec<_>>().join(", "));
    if missing.is_empty() { Good(there) } else { Lesser(format!("{there}; this ffmpeg has none for {missing}")) }
}

/// The ways to give pictures to other programs.
fn shares() -> Health {
    let ways = Way::ALL.map(|way| (way, way.available()));
    let line = ways.each_ref().map(|(way, found)| match found {
        Ok(there) => format!("{way} ({there})"),
        Err(why) => format!("no {way}: {why}"),
    });
    let line = line.join("; ");
    if ways.iter().any(|(_, found)| found.is_ok()) { Good(line) } else { Lesser(line) }
}
