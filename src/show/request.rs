//! What the next picture is made from, and the pictures that come.

use super::stage::Request;
use super::{Output, Show};
use crate::control::query::Viewer;
use crate::effects::style::StyleSettings;
use crate::engine::{Noise, NoiseMode, Transform};
use crate::latent::mapping::{Scratch, blend_classes};
use crate::latent::walk::{self, Walk};
use crate::network::Network;
use crate::params::{Id, NoiseKind, Params, Target, TimeBase};

impl Show {
    pub(super) fn walk_settings(&self) -> walk::Settings {
        let p = &self.params;
        let per_second = p.get_choice::<TimeBase>(Id::WalkSync).per_second(p.get(Id::Tempo));
        walk::Settings {
            kind: p.get_choice(Id::WalkKind),
            seed: p.base(Id::Seed) as u32,
            speed: p.get(Id::WalkSpeed) * per_second,
            radius: p.get(Id::WalkRadius),
            ease: p.get_choice(Id::WalkEase),
            glide_secs: p.get(Id::WalkGlide),
        }
    }

    /// z with the player's offsets → w → ws, and the noise.
    pub(super) fn make_request(&mut self) {
        let mut mapped = std::mem::take(&mut self.mapped);
        mapped.ws(&self.params, &self.network, &self.walk, &mut self.request.ws);
        match &self.leaving {
            Some(leaving) => mapped.ws(&self.params, &leaving.network, &leaving.walk, &mut self.request.ws_before),
            None => self.request.ws_before.clear(),
        }
        self.mapped = mapped;
        self.request.fade = self.leaving.as_ref().map_or(1.0, |leaving| leaving.fade as f32);
        let p = &self.params;
        self.pictures_asked += 1;
        let mode = match p.get_choice(Id::NoiseMode) {
            NoiseKind::Const => NoiseMode::Const,
            NoiseKind::Random => NoiseMode::Random { seed: p.base(Id::NoiseSeed) as u64 ^ (self.pictures_asked << 32) },
            NoiseKind::None => NoiseMode::None,
        };
        self.request.noise = Noise { mode, gain: p.get(Id::NoiseGain) as f32 };
        self.request.transform = Transform::new(
            p.get(Id::TransformX),
            p.get(Id::TransformY),
            p.get(Id::TransformRotate),
            p.get(Id::TransformScale),
        );
        self.request.generation = self.generation;
        self.request.input = self.content.settings(p.get(Id::InputAmount));
        self.request.style = StyleSettings::from_params(p);
        self.request.style_serial = self.style_serial;
        self.request.at_secs = self.secs;
    }

    /// Does somebody wait for pixels of a picture that is on the card alone?
    pub(super) fn pixels_wanted(&self) -> bool {
        self.devices.viewer.as_ref().is_some_and(Viewer::is_looked_at)
            && self.picture.as_ref().is_some_and(|picture| picture.texture.is_some())
    }

    pub(super) fn submit(&mut self) {
        self.request.pixels = self.devices.viewer.as_ref().is_some_and(Viewer::is_looked_at);
        // A style loop lives on without new latents.
        let same = self.style_file.is_none()
            && self.request.generation == self.last_request.generation
            && self.request.ws == self.last_request.ws
            && self.request.ws_before == self.last_request.ws_before
            && self.request.fade == self.last_request.fade
            && self.request.noise == self.last_request.noise
            && self.request.transform == self.last_request.transform
            && self.request.input == self.last_request.input
            && self.request.style_serial == self.last_request.style_serial
            && (self.last_request.pixels || !self.pixels_wanted());
        if same && self.picture.is_some() {
            return;
        }
        // Into the vectors that are there: a derived clone would allocate new ones.
        let mut ws = std::mem::take(&mut self.last_request.ws);
        let mut ws_before = std::mem::take(&mut self.last_request.ws_before);
        ws.clone_from(&self.request.ws);
        ws_before.clone_from(&self.request.ws_before);
        self.last_request = Request { ws, ws_before, ..self.request };
        match &mut self.output {
            Output::Live { live, .. } => live.submit(&mut self.request),
            Output::Offline { stage } => match stage.draw(&self.request) {
                Ok(Some(picture)) => {
                    self.picture = Some(picture);
                    if let Some(line) = stage.take_unpainted() {
                        self.fault(line);
                    }
                }
                Ok(None) => {}
                Err(error) => self.fault(error.to_string()),
            },
        }
    }

    /// Takes the newest picture when there is one; else the last good one stays.
    pub(super) fn collect(&mut self) {
        let Output::Live { live, .. } = &mut self.output else { return };
        if !live.newest(&mut self.drawn) {
            return;
        }
        for line in [self.drawn.notice.take(), self.drawn.error.take()].into_iter().flatten() {
            self.history.notice(line);
        }
        if let Some(picture) = self.drawn.picture.take() {
            self.history.drawn(self.drawn.took);
            self.picture = Some(picture);
        }
    }
}

/// Working memory of the way from z to ws.
#[derive(Default)]
pub(super) struct Mapped {
    scratch: Scratch,
    w: Vec<f32>,
    class: Vec<f32>,
}

impl Mapped {
    /// z with the player's offsets → w → ws, truncated.
    pub(super) fn ws(&mut self, p: &Params, network: &Network, walk: &Walk, ws: &mut Vec<f32>) {
        let mapping = &network.mapping;
        ws.clear();
        ws.extend_from_slice(walk.z());
        offset(ws, p, Id::Z, p.vector(Id::ZVector));
        blend_classes(p.get(Id::Class), mapping.c_dim, &mut self.class);
        mapping.map(ws, &self.class, &mut self.w, &mut self.scratch);
        offset(&mut self.w, p, Id::W, &[]);
        let cutoff = p.int(Id::PsiCutoff) as usize;
        mapping.truncate_in_class(&self.class, &self.w, p.get(Id::Psi) as f32, cutoff, ws);
    }
}

/// Adds the player's offsets, of single dimensions (`family`) and of a whole vector.
fn offset(values: &mut [f32], params: &Params, family: Id, vector: &[f32]) {
    for (index, value) in values.iter_mut().enumerate().take(family.def().count) {
        *value += params.get(Target { id: family, index: index as u16 }) as f32;
    }
    values.iter_mut().zip(vector).for_each(|(value, offset)| *value += offset);
}
