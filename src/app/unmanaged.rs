//! Full screen on X11 where there is no window manager, as on a kiosk.
//!
//! winit moves the window to the screen's corner and asks the window manager for the rest. Without one nobody answers, and the
//! window shows a corner of its picture. So each window is looked at once, a moment after it went full screen: one that has not
//! grown is given the size of its screen, and its own when it leaves. Runs on the main thread.

use std::time::{Duration, Instant};

use bevy::window::WindowMode;
#[cfg(target_os = "linux")]
use {
    super::Options,
    super::screens::Screens,
    bevy::ecs::entity::EntityHashMap,
    bevy::prelude::*,
    bevy::winit::{DisplayHandleWrapper, WINIT_WINDOWS},
    winit::dpi::PhysicalSize,
    winit::raw_window_handle::{HasDisplayHandle, RawDisplayHandle},
    winit::window::Fullscreen,
};

/// A window manager has answered by then.
const ANSWERS: Duration = Duration::from_millis(400);

/// What has to be done about a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    /// It is to be as large as its screen.
    Fill,
    /// It gets this size back: width and height in pixels.
    Restore([u32; 2]),
}

/// What is known of a window.
#[derive(Debug)]
pub(super) struct Filling {
    mode: WindowMode,
    /// How often screens had changed.
    changes: u32,
    since: Instant,
    is_checked: bool,
    /// Whether it has been a plain window.
    was_plain: bool,
    /// Its size before it was given that of its screen.
    before: Option<[u32; 2]>,
}

impl Filling {
    fn new(now: Instant) -> Self {
        Filling { mode: WindowMode::Windowed, changes: 0, since: now, is_checked: true, was_plain: false, before: None }
    }

    /// Once a frame. `changes` counts those of the screens: one may have another size now.
    fn step(&mut self, mode: WindowMode, changes: u32, now: Instant) -> Option<Due> {
        let is_plain = mode == WindowMode::Windowed;
        self.was_plain |= is_plain;
        if (self.mode, self.changes) != (mode, changes) {
            (self.mode, self.changes, self.since, self.is_checked) = (mode, changes, now, is_plain);
            return self.before.take_if(|_| is_plain).map(Due::Restore);
        }
        let is_due = !self.is_checked && now.duration_since(self.since) >= ANSWERS;
        self.is_checked |= is_due;
        is_due.then_some(Due::Fill)
    }

    /// The size to ask for, if a window of this size does not fill its screen: width and height in pixels. `usual` is the size
    /// that a window has which was never a plain one.
    fn fill(&mut self, size: [u32; 2], screen: [u32; 2], usual: [u32; 2]) -> Option<[u32; 2]> {
        if size == screen {
            return None;
        }
        self.before.get_or_insert(if self.was_plain { size } else { usual });
        Some(screen)
    }
}

/// Lets each window that should fill its screen fill it.
#[cfg(target_os = "linux")]
pub(super) fn fill_screens(
    display: Res<DisplayHandleWrapper>,
    options: Res<Options>,
    screens: Res<Screens>,
    windows: Query<(Entity, &Window)>,
    mut known: Local<EntityHashMap<Filling>>,
) {
    let is_x11 = |handle: RawDisplayHandle| matches!(handle, RawDisplayHandle::Xlib(_) | RawDisplayHandle::Xcb(_));
    if !display.0.display_handle().is_ok_and(|handle| is_x11(handle.as_raw())) {
        return;
    }
    let now = Instant::now();
    known.retain(|entity, _| windows.contains(*entity));
    for (entity, window) in &windows {
        let filling = known.entry(entity).or_insert_with(|| Filling::new(now));
        let Some(due) = filling.step(window.mode, screens.changes, now) else { continue };
        WINIT_WINDOWS.with_borrow(|windows| {
            let Some(window) = windows.get_window(entity) else { return };
            let size = match (due, window.fullscreen()) {
                (Due::Restore(size), _) => Some(size),
                (Due::Fill, Some(Fullscreen::Borderless(screen))) => {
                    let screen = screen.or_else(|| window.current_monitor()).map(|screen| screen.size().into());
                    screen.and_then(|screen| filling.fill(window.inner_size().into(), screen, options.size.into()))
                }
                (Due::Fill, _) => None,
            };
            // The new size comes as an event.
            let _ = size.map(|[width, height]| window.request_inner_size(PhysicalSize::new(width, height)));
        });
    }
}

/// Elsewhere the system does.
#[cfg(not(target_os = "linux"))]
pub(super) fn fill_screens() {}

#[cfg(test)]
mod test {
    use bevy::window::MonitorSelection;

    use super::*;

    const FULL: WindowMode = WindowMode::BorderlessFullscreen(MonitorSelection::Current);
    const SCREEN: [u32; 2] = [1280, 800];
    const USUAL: [u32; 2] = [1280, 720];

    #[test]
    fn a_window_that_nobody_enlarges_fills_its_screen_and_gets_its_size_back() {
        let start = Instant::now();
        let mut filling = Filling::new(start);
        let mut step =
            |millis, mode, changes, size| match filling.step(mode, changes, start + Duration::from_millis(millis)) {
                Some(Due::Fill) => filling.fill(size, SCREEN, USUAL),
                Some(Due::Restore(size)) => Some(size),
                None => None,
            };
        let small = [640, 360];
        for (millis, mode, changes, size, asked) in [
            (0, WindowMode::Windowed, 1, small, None),
            (900, WindowMode::Windowed, 1, small, None),
            (1000, FULL, 1, small, None),
            (1300, FULL, 1, small, None),
            (1400, FULL, 1, small, Some(SCREEN)),
            (1500, FULL, 1, SCREEN, None),
            (9000, FULL, 1, SCREEN, None),
            // A screen was plugged in; this one is as it was.
            (9100, FULL, 2, SCREEN, None),
            (9600, FULL, 2, SCREEN, None),
            (9700, WindowMode::Windowed, 2, SCREEN, Some(small)),
            (9800, WindowMode::Windowed, 2, small, None),
        ] {
            assert_eq!(step(millis, mode, changes, size), asked, "after {millis} ms");
        }
    }

    #[test]
    fn where_a_window_manager_answers_nothing_is_asked_for() {
        let start = Instant::now();
        let mut filling = Filling::new(start);
        assert_eq!(filling.step(FULL, 1, start), None);
        assert_eq!(filling.step(FULL, 1, start + ANSWERS), Some(Due::Fill));
        assert_eq!(filling.fill(SCREEN, SCREEN, USUAL), None);
        assert_eq!(filling.step(WindowMode::Windowed, 1, start + 2 * ANSWERS), None, "it has its size back");
        // One that begins on the whole screen had no size of its own.
        let mut first = Filling::new(start);
        assert_eq!(first.step(FULL, 1, start), None);
        assert_eq!(first.fill([800, 600], SCREEN, USUAL), Some(SCREEN));
        assert_eq!(first.step(WindowMode::Windowed, 1, start), Some(Due::Restore(USUAL)));
    }
}
