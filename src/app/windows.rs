//! Windows: the control window, the output window, full screen, the pointer, and closing.
//!
//! The control window has the stage, the HUD and the editor; the output window shows only the picture, full screen on the
//! screen that is meant for it, which may be plugged in at any time. Each has a camera with one of the two lists of passes in
//! `present`. Closing the control window ends the show. Runs on the main thread.

use std::time::Instant;

use bevy::ecs::schedule::ScheduleLabel;
use bevy::prelude::*;
use bevy::render::camera::CameraRenderGraph;
use bevy::window::{CursorMoved, CursorOptions, MonitorSelection, PresentMode, WindowCloseRequested, WindowMode};
use bevy_egui::{EguiMultipassSchedule, PrimaryEguiContext};
use nannou::App as Nannou;
use nannou::prelude::Draw;

use super::present::{Bare, Preview, UnderHud};
use super::screens::{self, Place, Remembered, Screens};
use super::{Options, Player};

/// The window's title, and the program's name for X11 and Wayland.
const TITLE: &str = "Latent Jockey";
/// The pointer over a full-screen picture is hidden after this many seconds without movement.
const POINTER_SECS: f32 = 2.0;

/// Marks the control window's camera.
#[derive(Component)]
pub(super) struct ControlCamera;

/// Marks the output window's camera.
#[derive(Component)]
pub(super) struct OutputCamera;

/// When the code on the output window is painted.
#[derive(ScheduleLabel, Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct OutputPass;

/// The output window.
#[derive(Debug)]
struct Open {
    window: Entity,
    camera: Entity,
    /// The screen that it fills; `None` for a plain window.
    on: Option<Entity>,
}

/// The output window, and where it goes.
#[derive(Resource, Debug, Default)]
pub(super) struct Output {
    open: Option<Open>,
    place: Place,
    /// The [`Screens::changes`] that were followed last.
    seen: u32,
    /// Whether a missing screen was reported.
    has_complained: bool,
    /// Whether its screen was unplugged: then no plain window takes its place.
    is_lost: bool,
    /// What the file holds.
    remembered: Remembered,
}

impl Output {
    /// An output for this place; `is_quiet` if nothing is said while its screen is missing.
    pub fn new(place: Place, is_quiet: bool, remembered: Remembered) -> Self {
        Output { place, has_complained: is_quiet, remembered, ..Output::default() }
    }

    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Width and height of what the audience sees, in pixels: the output window, or the control window if there is no other.
    pub fn size(&self, windows: &Query<(Entity, &Window)>) -> Option<[u32; 2]> {
        let own = self.open.as_ref().and_then(|open| windows.get(open.window).ok());
        let (_, window) = own.or_else(|| windows.iter().next())?;
        let size = [window.resolution.physical_width(), window.resolution.physical_height()];
        // A minimised window keeps its picture.
        (!size.contains(&0)).then_some(size)
    }
}

/// A camera that draws nothing by itself. nannou's window builder gives it its window.
fn camera(passes: CameraRenderGraph) -> impl Bundle {
    let black = ClearColorConfig::Custom(Color::BLACK);
    (Camera { clear_color: black, ..default() }, Projection::default(), Msaa::Off, passes)
}

fn window(title: &str, (width, height): (u32, u32), screen: Option<Entity>) -> Window {
    Window {
        title: title.to_owned(),
        name: Some("latent-jockey".to_owned()),
        resolution: (width, height).into(),
        present_mode: PresentMode::AutoVsync,
        mode: screen.map_or(WindowMode::Windowed, fills),
        ..default()
    }
}

fn fills(screen: Entity) -> WindowMode {
    WindowMode::BorderlessFullscreen(MonitorSelection::Entity(screen))
}

/// Opens the control window.
pub(super) fn open_control(app: Nannou, options: Res<Options>, screens: Res<Screens>) {
    let camera = app.command_scope(|mut commands| {
        let passes = camera(CameraRenderGraph::new(UnderHud));
        commands.spawn((passes, ControlCamera, PrimaryEguiContext, Preview::default())).id()
    });
    let screen = options.fullscreen.and_then(|number| screens.all.get(number)).map(|screen| screen.entity);
    app.new_window::<()>().window(window(TITLE, options.size, screen)).camera(camera).primary().build();
}

/// Opens the output window when it is wanted and its screen is there, and closes it when it is not.
pub(super) fn keep_output(
    app: Nannou,
    options: Res<Options>,
    screens: Res<Screens>,
    mut player: ResMut<Player>,
    mut output: ResMut<Output>,
) {
    // The screens are known from the first frame on.
    if screens.changes == 0 {
        return;
    }
    let has_changed = std::mem::replace(&mut output.seen, screens.changes) != screens.changes;
    if std::mem::take(&mut player.output_toggled) {
        player.output_wanted = !output.is_open();
        output.is_lost = false;
        output.place = output.remembered.any();
    }
    let is_wanted = player.output_wanted;
    let screen = output.place.find(&screens.all).filter(|_| is_wanted);
    let on = screen.map(|screen| screen.entity);
    let may_be_window = output.place.may_be_window() && !output.is_lost;
    match &mut output.open {
        None if on.is_some() || is_wanted && may_be_window => {
            let camera = app.command_scope(|mut commands| {
                let passes = camera(CameraRenderGraph::new(Bare));
                commands.spawn((passes, OutputCamera, EguiMultipassSchedule::new(OutputPass))).id()
            });
            let window = window("Latent Jockey: output", options.size, on);
            let window = app.new_window::<()>().window(window).camera(camera).build();
            output.open = Some(Open { window, camera, on });
            output.is_lost = false;
        }
        Some(open) if !is_wanted || has_changed && on.is_none() && open.on.is_some() => {
            app.command_scope(|mut commands| {
                commands.entity(open.camera).try_despawn();
                commands.entity(open.window).try_despawn();
            });
            output.open = None;
            output.is_lost = is_wanted;
            if is_wanted {
                output.has_complained = true;
                player.say("the output's screen is gone; the output comes back with it".to_owned());
            }
        }
        Some(open) if has_changed && on != open.on => {
            open.on = on;
            if let Some(screen) = on {
                let fill = move |mut window: Mut<Window>| window.mode = fills(screen);
                app.command_scope(|mut commands| {
                    commands.entity(open.window).entry::<Window>().and_modify(fill);
                });
            }
        }
        _ => {}
    }
    if is_wanted && !output.is_open() && !std::mem::replace(&mut output.has_complained, true) {
        player.say(screens::missing(&output.place, &screens.all));
    }
    output.has_complained &= is_wanted && !output.is_open();
    player.stage.set_output(output.is_open());
    // A screen that was chosen by itself or by its number is remembered by its name.
    let named = screen.filter(|screen| !screen.name.is_empty()).map(|screen| Place::Name(screen.name.clone()));
    remember(&mut output, &player, named, is_wanted);
}

/// Remembers where the output is for the next run, whenever that changes.
fn remember(output: &mut Output, player: &Player, named: Option<Place>, is_wanted: bool) {
    let mut now = Remembered::new(named.as_ref().unwrap_or(&output.place), is_wanted);
    if !is_wanted {
        now = output.remembered.closed();
    }
    if output.remembered == now {
        return;
    }
    output.remembered = now.clone();
    if let Some(file) = player.windows_file.clone() {
        screens::remember(file, now);
    }
}

/// nannou gives every window a `Draw` at the start of a frame and uploads it at the end, even if nothing was drawn with
/// it: a buffer per window and frame, and a panic if the device has just been lost.
pub(super) fn drop_drawings(mut commands: Commands, windows: Query<Entity, (With<Window>, With<Draw>)>) {
    for window in &windows {
        commands.entity(window).remove::<Draw>();
    }
}

/// Full screen on the monitor that the window is on, and back.
pub(super) fn toggle_fullscreen(window: &mut Mut<Window>) {
    window.mode = match window.mode {
        WindowMode::Windowed => WindowMode::BorderlessFullscreen(MonitorSelection::Current),
        _ => WindowMode::Windowed,
    };
}

pub(super) fn leave_fullscreen(window: &mut Mut<Window>) {
    if window.mode != WindowMode::Windowed {
        window.mode = WindowMode::Windowed;
    }
}

/// Selects each window's list of passes: egui takes part only while it has something to show.
pub(super) fn choose_passes(
    mut player: ResMut<Player>,
    mut controls: Query<&mut CameraRenderGraph, With<ControlCamera>>,
    mut outputs: Query<&mut CameraRenderGraph, (With<OutputCamera>, Without<ControlCamera>)>,
) {
    choose(controls.iter_mut(), player.covers_picture());
    choose(outputs.iter_mut(), player.shows_code());
}

fn choose<'a>(cameras: impl Iterator<Item = Mut<'a, CameraRenderGraph>>, has_egui: bool) {
    let wanted = if has_egui { CameraRenderGraph::new(UnderHud) } else { CameraRenderGraph::new(Bare) };
    for mut passes in cameras {
        if passes.0 != wanted.0 {
            passes.0 = wanted.0;
        }
    }
}

/// Hides an idle pointer over a full-screen picture.
pub(super) fn hide_pointer(
    mut moved: MessageReader<CursorMoved>,
    mut last: Local<Option<Instant>>,
    player: Res<Player>,
    output: Res<Output>,
    mut windows: Query<(Entity, &Window, &mut CursorOptions)>,
) {
    if moved.read().count() > 0 || last.is_none() {
        *last = Some(Instant::now());
    }
    let rests = last.is_some_and(|moment| moment.elapsed().as_secs_f32() > POINTER_SECS);
    for (entity, window, mut cursor) in &mut windows {
        let is_output = output.open.as_ref().is_some_and(|open| open.window == entity);
        let is_played = player.stage.is_shown() && !is_output;
        let visible = window.mode == WindowMode::Windowed || is_played || !rests;
        if cursor.visible != visible {
            cursor.visible = visible;
        }
    }
}

/// Closing the control window ends the show; closing the output window closes only that.
pub(super) fn quit_when_closed(
    mut closed: MessageReader<WindowCloseRequested>,
    output: Res<Output>,
    mut player: ResMut<Player>,
    mut exit: MessageWriter<AppExit>,
) {
    for request in closed.read() {
        if output.open.as_ref().is_some_and(|open| open.window == request.window) {
            player.output_wanted = false;
        } else {
            exit.write(AppExit::Success);
        }
    }
}
