//! The windows: nannou and Bevy present the show, read keys and dropped files, and draw the stage and the HUD.
//!
//! Every frame takes the waiting events, steps the show by the elapsed time and shows its newest picture; nothing
//! here waits for a picture. Everything runs on the main thread. Only this module imports nannou and Bevy: the rest of the
//! crate builds without a window.

mod arrivals;
mod control;
mod editor;
mod fit;
mod hud;
mod keys;
mod list;
mod lister;
mod map;
mod meters;
mod panel;
mod present;
mod recover;
pub mod screens;
mod stage;
mod tiles;
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "only X11 needs it"))]
mod unmanaged;
mod windows;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bevy::app::{PanicHandlerPlugin, PluginGroup};
use bevy::log::LogPlugin;
use bevy::prelude::*;
use bevy::render::RenderPlugin;
use bevy::render::renderer::{
    RenderAdapter, RenderAdapterInfo, RenderDevice, RenderInstance, RenderQueue, WgpuWrapper,
};
use bevy::render::settings::RenderCreation;
use bevy::window::{ExitCondition, WindowPlugin};
use bevy::winit::{UpdateMode, WinitSettings};
use bevy_egui::{EguiGlobalSettings, EguiPlugin, EguiPreUpdateSet, EguiPrimaryContextPass};
use nannou::wgpu::{Backends, DeviceType, Instance};
use tracing_subscriber::EnvFilter;

use crate::control::query::Doorway;
use crate::control::{Event, Events, QUEUE};
use crate::engine::gpu::Device;
use crate::params::Id;
use crate::show::{Show, Summary, whole_micros};
use crate::thread::panic_message;
use crate::thumbnail::Thumbnails;

/// Options of the windows.
#[derive(Resource, Clone, Debug)]
pub struct Options {
    /// Full screen on this screen, counted from 0.
    pub fullscreen: Option<usize>,
    /// The screen of a second window with the picture alone: a number, a part of its name, `window`, `none`, or nothing for
    /// any; `None` is as it was in the last run.
    pub output: Option<String>,
    /// Width and height of a window that is not full screen, in pixels.
    pub size: (u32, u32),
    /// Whether lines that need attention are shown over the picture.
    pub hud: bool,
    /// Ends the show after this many seconds.
    pub seconds: Option<f64>,
    /// What starts recordings and streams, once the output has its size.
    pub first: Vec<Event>,
    /// Small pictures of what can be chosen.
    pub thumbnails: Thumbnails,
    /// Leads to the page.
    pub doorway: Doorway,
}

/// Why the window could not be opened, or closed with an error.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("no window: {0}")]
    NoDisplay(String),
    #[error("the window stopped: {0}")]
    Stopped(String),
}

/// The default log filter unless `RUST_LOG` is set: Bevy, wgpu and winit log only errors.
const LOG_FILTER: &str = "warn,show=info,bevy=error,bevy_render=error,bevy_winit=error,bevy_app=error,bevy_egui=error,\
                              nannou=error,winit=error,wgpu=error,wgpu_core=error,wgpu_hal=off,naga=error,egui=error,\
                              jack=off,symphonia_core=off";

/// A frame never counts as longer than this, so that the show does not jump after a pause.
const LONGEST_FRAME_SECS: f64 = 0.25;
/// An output that has had a size for this long keeps it.
const SETTLED: Duration = Duration::from_millis(500);
/// A window that is not seen has none: recordings begin without.
const MOST_SETTLING: Duration = Duration::from_secs(5);
/// Frame interval with a software driver, whose passes take time away from the cpu engine.
const SOFTWARE_FRAME: Duration = Duration::from_micros(33_333);

/// The show and the state of its windows.
#[derive(Resource)]
struct Player {
    /// `Show` is `Send` but not `Sync`; the mutex is never contended.
    show: Mutex<Show>,
    events: Events,
    /// Events for the next step: key presses, then device events.
    pending: Vec<Event>,
    /// When there was the first picture.
    first_picture: Option<Instant>,
    stepped: Instant,
    rate: stage::Rate,
    /// When to end the show.
    until: Option<Instant>,
    /// The show's status after the last step.
    status: Summary,
    text: control::Text,
    list_shown: bool,
    map_shown: bool,
    stage: stage::Stage,
    /// Whether the stage was shown once by its key.
    knows_tab: bool,
    /// Whether egui has its style.
    is_styled: bool,
    output_wanted: bool,
    /// Whether the output is to be opened, or closed.
    output_toggled: bool,
    /// Where the output's screen is remembered.
    windows_file: Option<std::path::PathBuf>,
    arrivals: arrivals::Arrivals,
    settling: Settling,
    editor: editor::Editor,
    panel: panel::Panel,
    doorway: Doorway,
}

impl Player {
    /// Shows the editor.
    fn open_editor(&mut self) {
        let show = self.show.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.editor.open(show);
    }

    /// Whether the audience sees the code.
    fn shows_code(&mut self) -> bool {
        self.show.get_mut().unwrap_or_else(PoisonError::into_inner).params().bool(Id::EditorOutput)
    }

    /// The editor follows what the show has done.
    fn follow(&mut self) {
        let show = self.show.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.editor.follow(show);
    }

    /// Shows a line, and logs it.
    fn say(&mut self, line: String) {
        self.show.get_mut().unwrap_or_else(PoisonError::into_inner).notice(line);
    }

    /// Errors have been read. False if there were none.
    fn dismiss(&mut self) -> bool {
        self.show.get_mut().unwrap_or_else(PoisonError::into_inner).dismiss()
    }

    /// Whether MIDI learn is waiting for a control.
    fn learning(&mut self) -> bool {
        self.show.get_mut().unwrap_or_else(PoisonError::into_inner).is_learning()
    }

    /// Whether a take is being written.
    fn is_taking(&mut self) -> bool {
        self.show.get_mut().unwrap_or_else(PoisonError::into_inner).is_taking()
    }

    /// Goes to a snapshot or a take.
    fn arrive(&mut self, file: std::path::PathBuf) {
        let show = self.show.get_mut().unwrap_or_else(PoisonError::into_inner);
        self.arrivals.prepare(file, show);
    }

    /// Whether what is shown is being recorded.
    fn recording(&mut self) -> bool {
        self.show.get_mut().unwrap_or_else(PoisonError::into_inner).is_recording()
    }
}

/// A window gets its size after it has opened: full screen, or from a window manager that tiles. A recording that began
/// before would keep the size that was asked for.
#[derive(Debug)]
struct Settling {
    /// What waits for it.
    events: Vec<Event>,
    size: Option<[u32; 2]>,
    since: Instant,
    opened: Instant,
}

impl Settling {
    /// Releases the events once the size has been the same for a while.
    fn step(&mut self, size: Option<[u32; 2]>, now: Instant, pending: &mut Vec<Event>) {
        if self.events.is_empty() {
            return;
        }
        if self.size != size {
            (self.size, self.since) = (size, now);
        }
        let is_settled = size.is_some() && now.duration_since(self.since) >= SETTLED;
        if is_settled || now.duration_since(self.opened) >= MOST_SETTLING {
            pending.append(&mut self.events);
        }
    }
}

/// Whether a window can be opened; if not, why, in a few words. Call it before [`run`].
///
/// # Errors
/// When no display answers or there is no graphics driver.
pub fn display_available() -> Result<(), String> {
    #[cfg(all(unix, not(target_os = "macos")))]
    display::answers(|name| std::env::var(name).ok())?;
    let backends = bevy::render::settings::WgpuSettings::default().backends.unwrap_or(Backends::all());
    let adapters = bevy::tasks::block_on(Instance::default().enumerate_adapters(backends));
    if adapters.is_empty() {
        return Err("no graphics driver was found (neither Vulkan nor OpenGL)".to_owned());
    }
    Ok(())
}

/// Opens the window and plays until it is closed.
///
/// `events` is the receiving end of the event queue; every waiting event goes into the next frame's step.
/// With a `card` the window draws on the engine's device, otherwise on its own. Must be called on the main thread.
///
/// # Errors
/// When there is no display, or when the graphics driver fails for good.
pub fn run(show: Show, card: Option<Arc<Device>>, events: Events, options: Options) -> Result<(), AppError> {
    log();
    let now = Instant::now();
    let windows_file = show.library().folders().own().map(screens::file);
    let remembered = windows_file.as_deref().map(screens::recall).unwrap_or_default();
    let (place, output_wanted, is_quiet) = remembered.at_start(options.output.as_deref());
    let output = windows::Output::new(place, is_quiet, remembered);
    let pictures = tiles::Tiles::new(options.thumbnails.clone());
    let mut player = Player {
        show: Mutex::new(show),
        events,
        pending: Vec::with_capacity(QUEUE),
        first_picture: None,
        stepped: now,
        rate: stage::Rate::new(now),
        until: options.seconds.and_then(|secs| now.checked_add(Duration::try_from_secs_f64(secs).ok()?)),
        status: Summary::default(),
        text: if options.hud { control::Text::Lines } else { control::Text::Nothing },
        list_shown: false,
        map_shown: false,
        stage: stage::Stage::new(pictures.clone()),
        knows_tab: false,
        is_styled: false,
        output_wanted,
        output_toggled: false,
        windows_file,
        arrivals: arrivals::Arrivals::default(),
        settling: Settling { events: options.first.clone(), size: None, since: now, opened: now },
        editor: editor::Editor::new(pictures.clone()),
        panel: panel::Panel::new(pictures),
        doorway: options.doorway.clone(),
    };
    player.follow();
    // Bevy panics when a driver fails; here that becomes an ordinary error.
    let played = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| build(player, card, options, output).run()));
    match played {
        Ok(AppExit::Success) => Ok(()),
        // Ctrl-C in the terminal.
        Ok(AppExit::Error(code)) if code.get() == INTERRUPTED => Ok(()),
        Ok(AppExit::Error(_)) => Err(AppError::Stopped("the graphics driver failed".to_owned())),
        Err(panic) => Err(AppError::Stopped(panic_message(&*panic))),
    }
}

/// Logs to standard error, unless a logger is already set up.
fn log() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| LOG_FILTER.into());
    // Fails only if a logger is already set up, which is then used.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

/// Bevy's exit code for Ctrl-C.
const INTERRUPTED: u8 = 130;

/// Makes the window use the engine's device.
fn render_plugin(card: Option<&Device>) -> RenderPlugin {
    let Some((card, roots)) = card.and_then(|card| Some((card, card.roots.as_ref()?))) else {
        return RenderPlugin::default();
    };
    let creation = RenderCreation::manual(
        RenderDevice::from(card.wgpu.clone()),
        RenderQueue(Arc::new(WgpuWrapper::new(card.queue.clone()))),
        RenderAdapterInfo(WgpuWrapper::new(roots.adapter.get_info())),
        RenderAdapter(Arc::new(WgpuWrapper::new(roots.adapter.clone()))),
        RenderInstance(Arc::new(WgpuWrapper::new(roots.instance.clone()))),
    );
    RenderPlugin { render_creation: creation, ..default() }
}

fn build(player: Player, card: Option<Arc<Device>>, options: Options, output: windows::Output) -> App {
    let mut app = App::new();
    let window = WindowPlugin {
        primary_window: None,
        exit_condition: ExitCondition::DontExit,
        close_when_requested: false,
        ..default()
    };
    app.add_plugins((
        DefaultPlugins
            .set(window)
            .set(render_plugin(card.as_deref()))
            .disable::<LogPlugin>()
            .disable::<PanicHandlerPlugin>(),
        EguiPlugin::default(),
        nannou::NannouPlugin,
        present::PresentPlugin,
        recover::RecoverPlugin { shared: card },
    ));
    app.insert_resource(EguiGlobalSettings { auto_create_primary_context: false, ..default() })
        .insert_resource(ClearColor(Color::BLACK))
        .insert_resource(player)
        .insert_resource(options)
        .insert_resource(output)
        .init_resource::<screens::Screens>()
        .add_systems(Startup, (screens::hear, screens::follow, windows::open_control, set_pace).chain())
        .add_systems(
            PreUpdate,
            control::keep_keys.after(EguiPreUpdateSet::ProcessInput).before(EguiPreUpdateSet::BeginPass),
        )
        .add_systems(Update, (keys::read_keys, keys::read_drops, step, windows::choose_passes).chain())
        .add_systems(
            Update,
            (
                (screens::follow, windows::keep_output).chain(),
                windows::drop_drawings,
                windows::hide_pointer,
                unmanaged::fill_screens,
                windows::quit_when_closed,
            ),
        )
        .add_systems(EguiPrimaryContextPass, control::paint)
        .add_systems(windows::OutputPass, control::paint_output);
    app
}

/// Draws at the display's rate, even in the background. A software driver has no display rate and shares the processor
/// with the engine, so it gets a timer.
fn set_pace(
    adapter: Option<Res<RenderAdapterInfo>>,
    screens: Res<screens::Screens>,
    mut player: ResMut<Player>,
    mut winit: ResMut<WinitSettings>,
) {
    let software = adapter.is_some_and(|adapter| adapter.device_type == DeviceType::Cpu);
    let of_display = screens.all.first().and_then(|screen| screen.per_sec).unwrap_or(60.0);
    player.rate.set_wanted(if software { 1.0 / SOFTWARE_FRAME.as_secs_f32() } else { of_display });
    let mode = if software { UpdateMode::reactive_low_power(SOFTWARE_FRAME) } else { UpdateMode::Continuous };
    *winit = WinitSettings { focused_mode: mode, unfocused_mode: mode };
}

/// One frame of the show.
fn step(
    mut player: ResMut<Player>,
    mut frame: ResMut<present::Frame>,
    mut exit: MessageWriter<AppExit>,
    output: Res<windows::Output>,
    windows: Query<(Entity, &Window)>,
) {
    let now = Instant::now();
    let player = &mut *player;
    let passed = whole_micros(now.duration_since(player.stepped));
    let dt = passed.as_secs_f64().min(LONGEST_FRAME_SECS);
    player.stepped += passed;
    player.rate.frame(now);
    // For `RUST_LOG=frames=trace`: gaps between frames.
    tracing::trace!(target: "frames", "{:.2} ms", passed.as_secs_f64() * 1e3);
    player.events.take_waiting(&mut player.pending);

    let show = player.show.get_mut().unwrap_or_else(PoisonError::into_inner);
    player.arrivals.step(show);
    let size = output.size(&windows);
    if let Some(size) = size {
        show.set_output_size(size);
    }
    player.settling.step(size, now, &mut player.pending);
    show.step(dt, &player.pending);
    player.pending.clear();
    player.editor.follow(show);
    player.status = show.status();
    player.first_picture = player.first_picture.or_else(|| show.shown().map(|_| now));
    *frame = present::Frame { picture: show.shown().cloned(), brightness: show.brightness(), fit: show.fit() };

    if player.until.is_some_and(|until| now >= until) {
        exit.write(AppExit::Success);
    }
}

/// Whether an X11 or Wayland display answers.
#[cfg(all(unix, not(target_os = "macos")))]
mod display {
    use std::net::TcpStream;
    use std::os::unix::net::UnixStream;
    use std::path::{Path, PathBuf};

    /// Tries `WAYLAND_DISPLAY` and `DISPLAY`; `variable` reads the environment.
    pub(super) fn answers(variable: impl Fn(&str) -> Option<String>) -> Result<(), String> {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        if let Some(name) = set("WAYLAND_DISPLAY") {
            let folder = set("XDG_RUNTIME_DIR").unwrap_or_default();
            if UnixStream::connect(Path::new(&folder).join(&name)).is_ok() {
                return Ok(());
            }
        }
        match set("DISPLAY") {
            Some(name) if x11(&name) => Ok(()),
            Some(name) => Err(format!("no display answers at {name:?} (DISPLAY)")),
            None if set("WAYLAND_DISPLAY").is_some() => Err("no display answers at WAYLAND_DISPLAY".to_owned()),
            None => Err("no display (neither WAYLAND_DISPLAY nor DISPLAY is set)".to_owned()),
        }
    }

    /// Connects to `host:number.screen`; without a host, or with `unix`, to this machine.
    fn x11(name: &str) -> bool {
        let Some((host, number)) = name.rsplit_once(':') else { return false };
        let Ok(number) = number.split('.').next().unwrap_or_default().parse::<u16>() else { return false };
        if host.is_empty() || host == "unix" {
            return UnixStream::connect(PathBuf::from(format!("/tmp/.X11-unix/X{number}"))).is_ok()
                || abstract_x11(number);
        }
        let Some(port) = number.checked_add(6000) else { return false };
        // Some systems use the path of a socket.
        if host.starts_with('/') {
            return UnixStream::connect(name).is_ok() || UnixStream::connect(host).is_ok();
        }
        TcpStream::connect((host, port)).is_ok()
    }

    #[cfg(target_os = "linux")]
    fn abstract_x11(number: u16) -> bool {
        use std::os::linux::net::SocketAddrExt;
        std::os::unix::net::SocketAddr::from_abstract_name(format!("/tmp/.X11-unix/X{number}"))
            .and_then(|address| UnixStream::connect_addr(&address))
            .is_ok()
    }

    #[cfg(not(target_os = "linux"))]
    fn abstract_x11(_number: u16) -> bool {
        false
    }

    #[cfg(test)]
    mod test {
        use super::*;

        #[test]
        fn a_missing_display_is_named() {
            let with = |display: Option<&str>| {
                let display = display.map(str::to_owned);
                answers(move |name| if name == "DISPLAY" { display.clone() } else { None })
            };
            assert!(with(None).unwrap_err().contains("neither"));
            assert!(with(Some("")).unwrap_err().contains("neither"));
            for wrong in [":4711", "nonsense", ":x", ":99999", "/nowhere:0"] {
                assert!(with(Some(wrong)).unwrap_err().contains(wrong), "{wrong}");
            }
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_recording_waits_for_the_size_of_the_output() {
        let start = Instant::now();
        let mut settling =
            Settling { events: vec![Event::Notice(String::new())], size: None, since: start, opened: start };
        let mut pending = Vec::new();
        let mut at = |settling: &mut Settling, millis, size| {
            settling.step(size, start + Duration::from_millis(millis), &mut pending);
            pending.len()
        };
        let (small, large) = (Some([1280, 720]), Some([1920, 1080]));
        for (millis, size, released) in [
            (0, None, 0),
            (20, small, 0),
            (400, small, 0),
            (450, large, 0),
            (900, large, 0),
            (960, large, 1),
            (2000, small, 1),
        ] {
            assert_eq!(at(&mut settling, millis, size), released, "after {millis} ms");
        }
        let mut unseen =
            Settling { events: vec![Event::Notice(String::new())], size: None, since: start, opened: start };
        assert_eq!((at(&mut unseen, 4000, None), at(&mut unseen, 5000, None)), (1, 2));
    }
}
