//! A show takes the place of another while the windows and devices stay: a snapshot or a take was dropped on the window.

use std::path::Path;
use std::sync::Arc;

use super::{Devices, Show};
use crate::engine::Engine;
use crate::engine::gpu::Device as Graphics;
use crate::patch::library::Library;
use crate::record::take::Take;

impl Show {
    /// The live show that a snapshot or a take leads to, with the [machinery](Show::machinery) of the one that plays: of a
    /// snapshot it begins with its picture, a take plays on by itself. What leads up to that is simulated, which takes time.
    ///
    /// # Errors
    /// One line, when the file holds no take, or something that it needs is missing or has changed.
    pub fn arrive(
        file: &Path,
        library: Library,
        machinery: (Arc<dyn Engine>, Option<Arc<Graphics>>),
    ) -> Result<Show, String> {
        let take = Take::read(file).map_err(|error| error.to_string())?;
        let places = take.locate().map_err(|error| error.to_string())?;
        let frames = take.picture.unwrap_or(take.start).min(take.frames.len());
        let mut show = Show::resume(&take, frames, places, library, machinery).map_err(|error| error.to_string())?;
        if take.picture.is_none() {
            show.play_take(take, frames, false);
        }
        show.notice(format!("this is {}", file.display()));
        Ok(show)
    }

    /// The engine, and the device that draws at the output's size: for the show that takes over.
    pub fn machinery(&self) -> (Arc<dyn Engine>, Option<Arc<Graphics>>) {
        (self.engine.clone(), self.graphics.clone())
    }

    /// Takes over what belongs to the machine and not to what is played: devices and their ports, outputs, recordings and
    /// streams. The old show can only be dropped then, which may take a moment; its take ends.
    pub fn take_over(&mut self, old: &mut Show) {
        let devices = Devices {
            devices: std::mem::take(&mut old.devices),
            listeners: std::mem::take(&mut old.listeners),
            taps: old.output.give_taps(),
            profiles: old.controls.profiles().clone(),
        };
        self.models = old.models.take();
        self.connect(devices);
        self.controls.take_ports(&mut old.controls);
        self.set_names_only(old.controls.names_only());
        self.set_output_size(old.output.size());
        self.status.take_over(&mut old.status);
        self.takes.take_over(&mut old.takes);
        self.recording = std::mem::take(&mut old.recording);
        self.recording.take_over();
    }
}
