//! Windows: the control window, the output window, full screen, the pointer, and closing.
//!
//! The control window has the HUD; the output window shows only the picture. Each has a camera with one of the two lists
//! of passes in `present`. Closing either window ends the show. Runs on the main thread.

use std::time::Instant;

use bevy::ecs::schedule::ScheduleLabel;
use bevy::prelude::*;
use bevy::render::camera::CameraRenderGraph;
use bevy::window::{CursorMoved, CursorOptions, MonitorSelection, PresentMode, WindowCloseRequested, WindowMode};
use bevy_egui::{EguiContext, EguiMultipassSchedule, PrimaryEguiContext};
use nannou::App as Nannou;
use nannou::prelude::Draw;

use super::present::{Bare, UnderHud};
use super::{Options, Player, editor};

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

/// The output window and its camera, while they are open.
#[derive(Resource, Default)]
pub(super) struct Output(Option<(Entity, Entity)>);

impl Output {
    /// Width and height of what the audience sees, in pixels: the output window, or the control window if there is no other.
    pub fn size(&self, windows: &Query<(Entity, &Window)>) -> Option<[u32; 2]> {
        let own = self.0.and_then(|(window, _)| windows.get(window).ok());
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

fn window(title: &str, (width, height): (u32, u32), monitor: Option<usize>) -> Window {
    Window {
        title: title.to_owned(),
        name: Some("latent-jockey".to_owned()),
        resolution: (width, height).into(),
        present_mode: PresentMode::AutoVsync,
        mode: monitor.map_or(WindowMode::Windowed, |n| WindowMode::BorderlessFullscreen(MonitorSelection::Index(n))),
        ..default()
    }
}

/// Opens the control window.
pub(super) fn open_control(app: Nannou, options: Res<Options>) {
    let camera = app.command_scope(|mut commands| {
        commands.spawn((camera(CameraRenderGraph::new(UnderHud)), ControlCamera, PrimaryEguiContext)).id()
    });
    let monitor = existing_monitor(&app, options.fullscreen);
    app.new_window::<()>().window(window(TITLE, options.size, monitor)).camera(camera).primary().build();
}

/// Opens the output window when it is wanted, and closes it when it is not.
pub(super) fn keep_output(app: Nannou, options: Res<Options>, player: Res<Player>, mut output: ResMut<Output>) {
    match output.0 {
        None if player.output_wanted => {
            let camera = app.command_scope(|mut commands| {
                let passes = camera(CameraRenderGraph::new(Bare));
                commands.spawn((passes, OutputCamera, EguiMultipassSchedule::new(OutputPass))).id()
            });
            let monitor = existing_monitor(&app, Some(options.output.unwrap_or(1)));
            let window = window("Latent Jockey: output", options.size, monitor);
            output.0 = Some((app.new_window::<()>().window(window).camera(camera).build(), camera));
        }
        Some((window, camera)) if !player.output_wanted => {
            app.command_scope(|mut commands| {
                commands.entity(camera).try_despawn();
                commands.entity(window).try_despawn();
            });
            output.0 = None;
        }
        _ => {}
    }
}

/// nannou gives every window a `Draw` at the start of a frame and uploads it at the end, even if nothing was drawn with
/// it: a buffer per window and frame, and a panic if the device has just been lost.
pub(super) fn drop_drawings(mut commands: Commands, windows: Query<Entity, (With<Window>, With<Draw>)>) {
    for window in &windows {
        commands.entity(window).remove::<Draw>();
    }
}

/// The monitor with this number, from 0, if there is one.
fn existing_monitor(app: &Nannou, wanted: Option<usize>) -> Option<usize> {
    wanted.filter(|&n| n < app.available_monitors().len())
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

/// Paints the code on the output window, if the audience is to see it.
pub(super) fn paint_output(
    mut contexts: Query<&mut EguiContext, (With<OutputCamera>, Without<PrimaryEguiContext>)>,
    mut player: ResMut<Player>,
) {
    for mut context in &mut contexts {
        if player.shows_code() {
            let player = &mut *player;
            let show = player.show.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner);
            editor::paint_output(context.get_mut(), &mut player.editor, show.params());
        }
    }
}

/// Selects each window's list of passes: egui takes part only while it has something to show.
pub(super) fn choose_passes(
    mut player: ResMut<Player>,
    mut controls: Query<&mut CameraRenderGraph, With<ControlCamera>>,
    mut outputs: Query<&mut CameraRenderGraph, (With<OutputCamera>, Without<ControlCamera>)>,
) {
    let is_editing = player.editor.is_shown();
    let is_over = is_editing || player.panel.is_shown() || player.list_shown || player.map_shown;
    let is_on_control = is_over || player.hud_shown || player.learning();
    choose(controls.iter_mut(), is_on_control);
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
    mut windows: Query<(&Window, &mut CursorOptions)>,
) {
    if moved.read().count() > 0 || last.is_none() {
        *last = Some(Instant::now());
    }
    let rests = last.is_some_and(|moment| moment.elapsed().as_secs_f32() > POINTER_SECS);
    for (window, mut cursor) in &mut windows {
        let visible = window.mode == WindowMode::Windowed || !rests;
        if cursor.visible != visible {
            cursor.visible = visible;
        }
    }
}

/// Closing either window ends the show.
pub(super) fn quit_when_closed(mut closed: MessageReader<WindowCloseRequested>, mut exit: MessageWriter<AppExit>) {
    if closed.read().count() > 0 {
        exit.write(AppExit::Success);
    }
}
