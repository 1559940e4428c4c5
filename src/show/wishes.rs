//! Networks, style networks and pictures that are wished for, and what becomes of them.
//!
//! The newest wish of each kind wins. Live, the loader works on it aside; offline it is fulfilled at once. What fails is a
//! line, and what played goes on.

use std::path::PathBuf;
use std::sync::Arc;

use super::loader::{Done, LoadError, Loaded, Progress, Wish};
use super::stage::{Change, Scene};
use super::{Leaving, Output, Show, loader};
use crate::effects::style::{StyleLoop, StyleSettings};
use crate::engine::Program;
use crate::latent::walk::{self, Walk};
use crate::network::Network;
use crate::params::Id;

impl Show {
    pub(super) fn wish_network(&mut self) {
        let name = self.params.text(Id::Network);
        match self.find_network(name, self.writer_of(Id::Network)) {
            Ok(file) => self.load_network(file),
            Err(error) => {
                self.history.notice(format!("{error}; {} plays on", self.network.name));
                self.params.set_text(Id::Network, &self.network.name);
            }
        }
    }

    pub(super) fn load_network(&mut self, file: PathBuf) {
        if file == self.network.path {
            // Whatever is being loaded comes too late now.
            self.wished_network = None;
            return;
        }
        self.wished_network = Some(file.clone());
        self.wish(Wish::Network(file));
    }

    pub(super) fn wish_style(&mut self) {
        let name = self.params.text(Id::StyleNetwork);
        if name.is_empty() {
            self.change_style(None, None);
            return;
        }
        match self.find_network(name, self.writer_of(Id::StyleNetwork)) {
            Ok(file) if self.style_file.as_ref() == Some(&file) => {}
            Ok(file) => {
                self.style_file = Some(file.clone());
                self.wish(self.style_wish(file));
            }
            Err(error) => {
                self.history.notice(error.to_string());
                self.name_style();
            }
        }
    }

    /// `/style/network` names what paints or is about to, whatever was asked for.
    fn name_style(&mut self) {
        let name = self.style_file.as_deref().map(|file| self.library.name_of_network(file)).unwrap_or_default();
        self.params.set_text(Id::StyleNetwork, &name);
    }

    pub(super) fn style_wish(&self, file: PathBuf) -> Wish {
        let settings = Box::new(StyleSettings::from_params(&self.params));
        Wish::Style { file, resolution: self.network.img_resolution, settings }
    }

    pub(super) fn wish(&mut self, wish: Wish) {
        if !self.take_ready(&wish) {
            self.load(wish);
        }
    }

    pub(super) fn load(&mut self, wish: Wish) {
        match &mut self.output {
            Output::Live { loader, .. } => {
                if !loader.wish(wish.clone()) {
                    self.history.notice("too much is waiting to be loaded: try that once more".to_owned());
                    self.forget(&wish);
                }
            }
            Output::Offline { .. } => {
                let result = loader::load(&wish, &self.engine, &Progress::default());
                self.done(Done { wish, result, passed: Vec::new() });
            }
        }
    }

    /// A wish that is not fulfilled: the same again is a new one.
    pub(super) fn forget(&mut self, wish: &Wish) {
        match wish {
            Wish::Network(file) if self.wished_network.as_ref() == Some(file) => {
                self.wished_network = None;
                self.params.set_text(Id::Network, &self.network.name);
            }
            Wish::Style { file, .. } if self.style_file.as_ref() == Some(file) => {
                self.style_file.clone_from(&self.style_playing);
                self.name_style();
            }
            Wish::Input { chosen, .. } => {
                self.content.failed(chosen);
                self.name_input();
            }
            _ => {}
        }
    }

    /// A wish that cannot be fulfilled is one line, and the old one plays on.
    pub(super) fn failed(&mut self, wish: &Wish, error: &LoadError) {
        self.forget(wish);
        let line = match wish {
            Wish::Network(_) | Wish::Style { .. } => format!("{error}; {} plays on", self.network.name),
            Wish::Input { .. } => error.to_string(),
        };
        self.fault(line);
    }

    /// One line on the HUD; offline nobody reads it there.
    pub(super) fn fault(&mut self, line: String) {
        if matches!(self.output, Output::Offline { .. }) {
            self.failure.get_or_insert_with(|| line.clone());
        }
        self.history.notice(line);
    }

    /// The first thing that could not be made offline, if there was one: pictures since then are not what was asked for.
    pub fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    pub(super) fn poll_loader(&mut self) {
        if let Output::Live { loader, .. } = &mut self.output
            && let Some(done) = loader.poll()
        {
            self.done(done);
        }
    }

    /// Swaps in whole what was loaded; what was wished away meanwhile is let go.
    pub(super) fn take_up(&mut self, loaded: Loaded) {
        match loaded {
            Loaded::Network { network, program } => {
                if self.wished_network.as_ref() == Some(&network.path) {
                    self.wished_network = None;
                    self.change_network(network, program);
                }
            }
            Loaded::Style { file, style } => {
                if self.style_file.as_ref() == Some(&file) {
                    self.change_style(Some(file), Some(style));
                }
            }
            Loaded::Input { chosen, picture, count } => {
                if self.content.take_up(chosen, count) {
                    let change = Change::Input(Some(picture), self.content.changed());
                    self.hand_over(change);
                }
            }
        }
    }

    /// The style network paints from the next picture on; `None` paints nothing.
    pub(super) fn change_style(&mut self, file: Option<PathBuf>, style: Option<Box<StyleLoop>>) {
        let styles = style.as_ref().map_or(0, |style| style.styles());
        self.style_file = file;
        if self.hand_over(Change::Style(style)) {
            self.styles = styles;
            self.style_serial += 1;
            self.style_playing.clone_from(&self.style_file);
        } else {
            self.style_file.clone_from(&self.style_playing);
        }
    }

    /// The new network plays from the next request on; the old one leaves at once, or fades.
    pub(super) fn change_network(&mut self, network: Arc<Network>, program: Box<dyn Program>) {
        let fades = self.params.get(Id::NetworkFade) > 0.0;
        let scene = Scene { generation: self.generation + 1, program };
        if !self.hand_over(Change::Scene { scene, fades }) {
            return;
        }
        self.generation += 1;
        let walk = Walk::new(network.mapping.z_dim, self.walk_settings());
        let (network, walk) = (std::mem::replace(&mut self.network, network), std::mem::replace(&mut self.walk, walk));
        self.leaving = fades.then_some(Leaving { network, walk, fade: 0.0 });
        self.params.set_text(Id::Network, &self.network.name);
        self.history.notice(format!("{} is ready", self.network.name));
    }

    /// Both networks of a fade move on. At its end the old one is let go.
    pub(super) fn step_fade(&mut self, dt: f64, settings: &walk::Settings) {
        let secs = self.params.get(Id::NetworkFade);
        let Some(leaving) = &mut self.leaving else { return };
        leaving.walk.step(dt, settings);
        leaving.fade = if secs > 0.0 { (leaving.fade + dt / secs).min(1.0) } else { 1.0 };
        // When the engine has no time to take that up, it will have at the next step.
        if leaving.fade >= 1.0 && self.offer(Change::EndFade) {
            self.leaving = None;
        }
    }

    pub(super) fn hand_over(&mut self, change: Change) -> bool {
        let taken = self.offer(change);
        if !taken {
            self.history.notice("the engine is busy: try that once more".to_owned());
        }
        taken
    }

    /// False when the engine has not even taken up the last changes.
    pub(super) fn offer(&mut self, change: Change) -> bool {
        match &mut self.output {
            Output::Live { live, .. } => live.change(change).is_ok(),
            Output::Offline { stage } => {
                stage.change(change);
                true
            }
        }
    }
}
