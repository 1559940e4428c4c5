//! Recovery when the graphics driver fails: the window gets a new device, and the show goes on.
//!
//! Bevy recreates its renderer on request; the parts that are not Bevy's (egui, our passes) are recreated by systems in its
//! schedule `RenderStartup`. The engine's card is given up, and its networks continue on the fallback engine. A driver
//! that keeps failing ends the window with one line instead of flickering. Runs on the main thread.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy::render::GpuResourceAppExt;
use bevy::render::RenderApp;
use bevy::render::error_handler::{ErrorType, RenderError, RenderErrorHandler, RenderErrorPolicy};
use bevy::render::render_resource::SpecializedRenderPipelines;
use bevy::render::settings::RenderCreation;
use bevy_egui::render::EguiPipeline;
use bevy_egui::render::systems::{EguiRenderData, EguiTransforms};

use super::Player;
use crate::control::Event;
use crate::engine::gpu::Device;

/// Maximum new devices within [`A_WHILE`]; beyond that the driver counts as broken.
const MOST_TRIES: usize = 3;
const A_WHILE: Duration = Duration::from_secs(60);

/// The engine's card if the window draws with it, and when devices failed.
#[derive(Resource)]
struct Devices {
    shared: Option<Arc<Device>>,
    failures: VecDeque<Instant>,
}

impl Devices {
    /// Notes a failure; false if there were too many recently.
    fn fail(&mut self, now: Instant) -> bool {
        self.failures.retain(|then| now.duration_since(*then) < A_WHILE);
        self.failures.push_back(now);
        self.failures.len() <= MOST_TRIES
    }
}

/// Lets the show survive its graphics device.
pub(super) struct RecoverPlugin {
    /// The engine's card if the window draws with it.
    pub shared: Option<Arc<Device>>,
}

impl Plugin for RecoverPlugin {
    fn build(&self, app: &mut App) {
        app.insert_resource(Devices { shared: self.shared.clone(), failures: VecDeque::new() })
            .insert_resource(RenderErrorHandler(recover));
        #[cfg(debug_assertions)]
        app.add_systems(Update, lose_device);
        if let Some(render) = app.get_sub_app_mut(RenderApp) {
            render
                .init_gpu_resource::<EguiPipeline>()
                .init_gpu_resource::<SpecializedRenderPipelines<EguiPipeline>>()
                .init_gpu_resource::<EguiTransforms>()
                .init_gpu_resource::<EguiRenderData>();
        }
    }
}

/// The driver's error, in a few words.
fn reason(error: &RenderError) -> &'static str {
    match error.ty {
        ErrorType::DeviceLost => "the graphics device was lost",
        ErrorType::OutOfMemory => "the graphics card ran out of memory",
        ErrorType::Validation | ErrorType::Internal => "the graphics driver failed",
    }
}

/// Handles an error of the renderer: a new device, unless there were too many.
fn recover(error: &RenderError, world: &mut World, _: &mut World) -> RenderErrorPolicy {
    let reason = reason(error);
    let mut devices = world.resource_mut::<Devices>();
    let is_worth_a_try = devices.fail(Instant::now());
    let shared = devices.shared.take();
    if let Some(device) = &shared {
        device.give_up(reason.to_owned());
    }
    if !is_worth_a_try {
        tracing::error!("{reason}, {MOST_TRIES} times within {} s: the window ends", A_WHILE.as_secs());
        world.write_message(AppExit::error());
        return RenderErrorPolicy::StopRendering;
    }
    let rest = if shared.is_some() { "; networks continue on the cpu engine" } else { "" };
    let line = format!("{reason}: the window draws on a new device{rest}");
    tracing::warn!("{line}");
    world.resource_mut::<Player>().pending.push(Event::Notice(line));
    RenderErrorPolicy::Recover(RenderCreation::default())
}

/// For testing, in debug builds only: loses the device `LATENT_JOCKEY_LOSE_DEVICE` seconds after the start.
#[cfg(debug_assertions)]
fn lose_device(device: Res<bevy::render::renderer::RenderDevice>, time: Res<Time<Real>>, mut is_done: Local<bool>) {
    let at = std::env::var("LATENT_JOCKEY_LOSE_DEVICE").ok().and_then(|secs| secs.parse().ok());
    if !*is_done && at.is_some_and(|at: f32| time.elapsed_secs() >= at) {
        *is_done = true;
        device.wgpu_device().destroy();
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_driver_that_keeps_failing_is_given_up() {
        let start = Instant::now();
        let mut devices = Devices { shared: None, failures: VecDeque::new() };
        let fails = |devices: &mut Devices, secs: u64| devices.fail(start + Duration::from_secs(secs));
        assert!((0..3).all(|secs| fails(&mut devices, secs)));
        assert!(!fails(&mut devices, 30));
        assert!(!fails(&mut devices, 59), "still within a while");
        assert!(fails(&mut devices, 62), "the first ones are long ago");
    }
}
