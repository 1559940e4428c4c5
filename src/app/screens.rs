//! Screens: which there are, which one the output is meant for, and the file that remembers it.
//!
//! Screens are numbered from 0: the main one first, then the others from left to right, so that a number means the same in
//! `doctor`, on the command line and after a projector was plugged in again. Runs on the main thread; the file is written by
//! a thread of its own.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use bevy::prelude::*;
use bevy::window::{Monitor, PrimaryMonitor};
use winit::application::ApplicationHandler;
use winit::event::WindowEvent;
use winit::event_loop::{ActiveEventLoop, EventLoop};
use winit::monitor::MonitorHandle;
use winit::window::WindowId;
#[cfg(target_os = "linux")]
use {
    bevy::winit::DisplayHandleWrapper,
    winit::raw_window_handle::{HasDisplayHandle, RawDisplayHandle},
    x11_dl::xrandr::Xrandr,
};

/// A screen that is connected.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Screen {
    pub entity: Entity,
    /// What the system calls it, such as `HDMI-1`; empty if it has no name.
    pub name: String,
    /// Width and height in pixels.
    pub size: [u32; 2],
    /// Its top left corner on the desktop, in pixels.
    pub position: [i32; 2],
    pub is_main: bool,
    /// How often it shows a new picture, if that is known.
    pub per_sec: Option<f32>,
}

/// The connected screens, in the order of their numbers.
#[derive(Resource, Debug, Default)]
pub(super) struct Screens {
    pub all: Vec<Screen>,
    /// Increases whenever a screen comes or goes.
    pub changes: u32,
}

/// On X11, lets winit hear of screens that are plugged in and out. It waits for RandR's events, which Xlib drops until the
/// extension's own library has been asked about it, and winit 0.30 does not ask. Without that library (`libXrandr.so.2`), only
/// the screens of the start are known.
#[cfg(target_os = "linux")]
pub(super) fn hear(display: Res<DisplayHandleWrapper>) {
    let Ok(RawDisplayHandle::Xlib(handle)) = display.0.display_handle().map(|handle| handle.as_raw()) else { return };
    let (Some(display), Ok(randr)) = (handle.display, Xrandr::open()) else { return };
    // The display calls its functions from now on.
    let randr = Box::leak(Box::new(randr));
    let (mut first_event, mut first_error) = (0, 0);
    // SAFETY: the display is winit's, open while its event loop has handles, and winit has made Xlib safe for threads.
    unsafe { (randr.XRRQueryExtension)(display.as_ptr().cast(), &mut first_event, &mut first_error) };
}

/// Elsewhere the system tells.
#[cfg(not(target_os = "linux"))]
pub(super) fn hear() {}

/// Follows screens that are plugged in and out.
pub(super) fn follow(
    mut screens: ResMut<Screens>,
    monitors: Query<(Entity, &Monitor, Has<PrimaryMonitor>)>,
    added: Query<(), Added<Monitor>>,
    mut removed: RemovedComponents<Monitor>,
) {
    if removed.read().count() == 0 && added.is_empty() {
        return;
    }
    let screen = |(entity, monitor, is_main): (Entity, &Monitor, bool)| Screen {
        entity,
        name: monitor.name.clone().unwrap_or_default(),
        size: [monitor.physical_width, monitor.physical_height],
        position: monitor.physical_position.to_array(),
        is_main,
        per_sec: monitor.refresh_rate_millihertz.map(|rate| rate as f32 / 1e3),
    };
    screens.all = numbered(monitors.iter().map(screen).collect());
    screens.changes += 1;
}

/// In the order of their numbers.
fn numbered(mut screens: Vec<Screen>) -> Vec<Screen> {
    screens.sort_by(|a, b| (!a.is_main, a.position, &a.name).cmp(&(!b.is_main, b.position, &b.name)));
    screens
}

/// The screens in one line: `0 eDP-1 (1920x1080), 1 HDMI-1 (1280x720)`.
pub(super) fn line(screens: &[Screen]) -> String {
    let one = |(number, screen): (usize, &Screen)| {
        let name = if screen.name.is_empty() { String::new() } else { format!(" {}", screen.name) };
        format!("{number}{name} ({}x{})", screen.size[0], screen.size[1])
    };
    screens.iter().enumerate().map(one).collect::<Vec<_>>().join(", ")
}

/// The connected screens in one line, without opening a window: for `doctor`. Must be called on the main thread, once.
///
/// # Errors
/// When the display does not answer.
pub fn connected() -> Result<String, String> {
    struct Lister(Vec<Screen>);
    impl ApplicationHandler for Lister {
        fn resumed(&mut self, event_loop: &ActiveEventLoop) {
            let main = event_loop.primary_monitor();
            let screen = |monitor: MonitorHandle| Screen {
                entity: Entity::PLACEHOLDER,
                name: monitor.name().unwrap_or_default(),
                size: monitor.size().into(),
                position: monitor.position().into(),
                is_main: main.as_ref() == Some(&monitor),
                per_sec: None,
            };
            self.0 = numbered(event_loop.available_monitors().map(screen).collect());
            event_loop.exit();
        }

        fn window_event(&mut self, _: &ActiveEventLoop, _: WindowId, _: WindowEvent) {}
    }
    let mut lister = Lister(Vec::new());
    let listed = EventLoop::new().and_then(|event_loop| event_loop.run_app(&mut lister));
    listed.map(|()| line(&lister.0)).map_err(|error| error.to_string())
}

/// Where the output window goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The screen with this name, else one beside the main screen; a plain window until there is one.
    Any(String),
    Number(usize),
    /// A screen whose name is or contains this, in any case.
    Name(String),
    /// A plain window: to be moved by hand, or captured by another program.
    Window,
}

impl Default for Place {
    fn default() -> Self {
        Place::Any(String::new())
    }
}

impl Place {
    /// `text` as on the command line: a number, `window`, or a name; nothing is any screen.
    pub fn parse(text: &str) -> Place {
        match text.trim() {
            "" => Place::default(),
            "window" => Place::Window,
            text => text.parse().map_or_else(|_| Place::Name(text.to_owned()), Place::Number),
        }
    }

    /// The screen that is meant, if it is connected.
    pub fn find<'a>(&self, screens: &'a [Screen]) -> Option<&'a Screen> {
        match self {
            Place::Any(name) => named(name, screens)
                .or_else(|| screens.iter().rfind(|screen| !screen.is_main).filter(|_| screens.len() > 1)),
            Place::Number(number) => screens.get(*number),
            Place::Name(name) => named(name, screens),
            Place::Window => None,
        }
    }

    /// Whether a plain window is opened while the screen is not there.
    pub fn may_be_window(&self) -> bool {
        matches!(self, Place::Any(_) | Place::Window)
    }

    /// What is remembered, and read by [`Place::parse`].
    fn word(&self) -> String {
        match self {
            Place::Any(name) | Place::Name(name) => name.clone(),
            Place::Number(number) => number.to_string(),
            Place::Window => "window".to_owned(),
        }
    }
}

/// The screen whose name is `name`, or contains it.
fn named<'a>(name: &str, screens: &'a [Screen]) -> Option<&'a Screen> {
    let wanted = name.to_lowercase();
    let is_it = |screen: &&Screen| screen.name.to_lowercase() == wanted;
    let has_it = |screen: &&Screen| screen.name.to_lowercase().contains(&wanted);
    let found = screens.iter().find(is_it).or_else(|| screens.iter().find(has_it));
    found.filter(|_| !wanted.is_empty())
}

/// One line for a screen that is not there.
pub(super) fn missing(place: &Place, screens: &[Screen]) -> String {
    let wanted = match place {
        Place::Number(number) => format!("screen {number}"),
        place => format!("screen \"{}\"", place.word()),
    };
    format!("no {wanted} for the output, which opens when it is plugged in; there is {}", line(screens))
}

/// What is remembered between runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub(super) struct Remembered {
    /// Where the output was last, as [`Place::parse`] reads it.
    output: Option<String>,
    /// Whether it was open.
    is_open: bool,
}

impl Remembered {
    pub fn new(place: &Place, is_open: bool) -> Self {
        Remembered { output: Some(place.word()), is_open }
    }

    /// The same screen, with the output closed.
    pub fn closed(&self) -> Self {
        Remembered { output: self.output.clone(), is_open: false }
    }

    /// The output at the start: where it goes, whether it is wanted, and whether it waits for its screen without a word.
    /// `asked` is the option on the command line: as [`Place::parse`] reads it, or `none`.
    pub fn at_start(&self, asked: Option<&str>) -> (Place, bool, bool) {
        let last = self.output.as_deref().map(Place::parse).unwrap_or_default();
        match asked.map(str::trim) {
            Some("none") => (self.any(), false, false),
            Some("") => (self.any(), true, false),
            Some(text) => (Place::parse(text), true, false),
            None if self.is_open => (last, true, true),
            None => (self.any(), false, false),
        }
    }

    /// Any screen, but the last one rather than another.
    pub fn any(&self) -> Place {
        match self.output.as_deref().map(Place::parse) {
            Some(Place::Name(name)) => Place::Any(name),
            _ => Place::default(),
        }
    }
}

/// The file in the player's own folder.
pub(super) fn file(own: &Path) -> PathBuf {
    own.join("windows.json")
}

/// What the file remembers; nothing if it is missing or damaged.
pub(super) fn recall(file: &Path) -> Remembered {
    let text = std::fs::read(file).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Writes the file, on a thread of its own; the newest state wins. What cannot be written costs one line in the log.
pub(super) fn remember(file: PathBuf, what: Remembered) {
    static NEWEST: AtomicU64 = AtomicU64::new(0);
    static WRITING: Mutex<()> = Mutex::new(());
    let number = NEWEST.fetch_add(1, Ordering::Relaxed) + 1;
    let work = move || {
        let _one_at_a_time = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        if NEWEST.load(Ordering::Relaxed) != number {
            return;
        }
        let text = serde_json::to_vec(&what).unwrap_or_default();
        // Replaced as a whole: the program may end at any moment.
        let aside = file.with_extension("json.new");
        let folder = file.parent().unwrap_or(Path::new("."));
        let written = std::fs::create_dir_all(folder)
            .and_then(|()| std::fs::write(&aside, text))
            .and_then(|()| std::fs::rename(&aside, &file));
        if let Err(error) = written {
            tracing::warn!("cannot remember the output's screen in {}: {error}", file.display());
        }
    };
    if let Err(error) = std::thread::Builder::new().name("windows".to_owned()).spawn(work) {
        tracing::warn!("cannot start the thread windows: {error}");
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn screens() -> Vec<Screen> {
        let screen = |name: &str, x: i32, is_main: bool| Screen {
            entity: Entity::PLACEHOLDER,
            name: name.to_owned(),
            size: [1920, 1080],
            position: [x, 0],
            is_main,
            per_sec: None,
        };
        numbered(vec![screen("HDMI-2", 1920, false), screen("HDMI-1", -1920, false), screen("eDP-1", 0, true)])
    }

    #[test]
    fn screens_are_numbered_from_the_main_one_and_found_by_number_or_name() {
        let screens = screens();
        assert_eq!(line(&screens), "0 eDP-1 (1920x1080), 1 HDMI-1 (1920x1080), 2 HDMI-2 (1920x1080)");
        let name = |text: &str| Place::parse(text).find(&screens).map(|screen| screen.name.as_str());
        for (text, expected) in [
            ("", Some("HDMI-2")),
            ("0", Some("eDP-1")),
            ("1", Some("HDMI-1")),
            ("7", None),
            ("hdmi-2", Some("HDMI-2")),
            ("edp", Some("eDP-1")),
            ("DP-3", None),
            ("window", None),
        ] {
            assert_eq!(name(text), expected, "{text:?}");
        }
        assert_eq!(Place::default().find(&screens[..1]), None, "the main screen is for the player");
        let any = Place::Any("HDMI-1".to_owned());
        assert_eq!(any.find(&screens).map(|screen| screen.name.as_str()), Some("HDMI-1"));
        assert_eq!(any.find(&[screens[0].clone(), screens[2].clone()]).map(|s| s.name.as_str()), Some("HDMI-2"));
        let line = missing(&Place::parse("DP-3"), &screens[..1]);
        assert!(line.contains("\"DP-3\"") && line.contains("0 eDP-1"), "{line}");
        assert!(missing(&Place::parse("4"), &screens[..1]).contains("screen 4"));
    }

    #[test]
    fn what_is_remembered_is_read_back_and_damage_is_nothing() {
        for place in [Place::default(), Place::Window, Place::Number(2), Place::Name("HDMI-1".to_owned())] {
            let text = serde_json::to_vec(&Remembered::new(&place, true)).unwrap();
            let read: Remembered = serde_json::from_slice(&text).unwrap();
            assert_eq!(read.at_start(None), (place.clone(), true, true));
            assert!(!read.at_start(Some("none")).1);
            assert_eq!(read.at_start(Some("1")), (Place::Number(1), true, false));
        }
        let last = Remembered::new(&Place::Name("HDMI-1".to_owned()), false);
        assert_eq!(last.at_start(None), (Place::Any("HDMI-1".to_owned()), false, false));
        assert_eq!(last.at_start(Some("")), (Place::Any("HDMI-1".to_owned()), true, false));
        assert_eq!(recall(Path::new("/nowhere/windows.json")), Remembered::default());
        assert_eq!(Remembered::default().at_start(None), (Place::default(), false, false));
    }
}
