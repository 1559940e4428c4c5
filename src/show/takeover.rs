//! A show takes the place of another while the windows and devices stay: a snapshot or a take was dropped on the window.

use std::sync::Arc;

use super::{Devices, Show};
use crate::engine::Engine;
use crate::engine::gpu::Device as Graphics;

impl Show {
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
        self.connect(devices);
        self.controls.take_ports(&mut old.controls);
        self.set_names_only(old.controls.names_only());
        self.set_output_size(old.output.size());
        self.recording = std::mem::take(&mut old.recording);
        self.recording.take_over();
    }
}
