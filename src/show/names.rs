//! What the networks that play make of the parameters: names of styles and classes, ranges, and which parameters do nothing
//! with them. One that does nothing says so once when it is touched.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use super::Show;
use super::loads::Kind;
use super::scripts::Scripts;
use crate::control::mapping::macros::number_of;
use crate::control::query::{Bending, Dims};
use crate::control::{Source, Write};
use crate::engine::bend;
use crate::network;
use crate::params::{BENDS, Id, Meaning, Params, Value};
use crate::patch::locate::name_of;

/// What was said about parameters that do nothing.
#[derive(Default)]
pub(super) struct Idle {
    /// With what it was said.
    dims: Dims,
    told: Vec<Id>,
    /// The last line, and what it is about.
    line: Option<(Id, String)>,
}

impl Show {
    /// Whether a parameter does anything with what plays: for those who draw it. A macro does if anything that it moves does,
    /// or if it moves nothing by itself.
    ///
    /// # Errors
    /// The reason, if it does nothing.
    pub fn applies(&self, id: Id) -> Result<(), &'static str> {
        let dims = self.dims();
        let Some(number) = number_of(id) else { return dims.applies(id) };
        let mut moves = self.controls.mapping().macros().entries()[number].to.iter().map(|to| to.target.id);
        let Some(first) = moves.next() else { return Ok(()) };
        dims.applies(first)
            .or_else(|reason| if moves.any(|id| dims.applies(id).is_ok()) { Ok(()) } else { Err(reason) })
    }

    /// The style network that plays, by the name under which it was loaded; empty without one. `/style/network` may already
    /// name another, which is still loading.
    pub fn style_network(&self) -> &str {
        self.loads.name_of(Kind::Style)
    }

    /// What there is with the networks that play.
    pub(super) fn dims(&self) -> Dims {
        let network = self.decks.network();
        let latent = &network.mapping;
        Dims {
            z: latent.z_dim,
            w: latent.w_dim,
            layers: latent.num_ws,
            styles: self.output.styles(),
            classes: latent.c_dim,
            // StyleGAN-XL synthesises as StyleGAN3 does.
            is_stylegan3: matches!(network.kind, network::Kind::StyleGan3 | network::Kind::StyleGanXl),
            has_input: !self.params.text(Id::Input).is_empty(),
            has_second: !self.params.text(Id::NetworkB).is_empty(),
            bends: self.bending(),
        }
    }

    fn bending(&self) -> Bending {
        let layers = self.params.meaning(Id::of_bend(0)[1]).map_or(0, |meaning| meaning.count);
        let is_there = |n: usize| self.params.base(Id::of_bend(n)[1]) < layers as f64;
        Bending { by_engine: self.bends_by_engine(), layers, reached: std::array::from_fn(is_there) }
    }

    /// Whether the engine bends anything.
    pub(super) fn bends_by_engine(&self) -> bool {
        let engine = self.output.engine().unwrap_or_else(|| self.engine.name());
        !engine.starts_with("torch")
    }

    /// A style network plays, or none: its styles have these names.
    pub(super) fn name_styles(&mut self, names: Vec<String>) {
        let (words, of): (Arc<[String]>, Arc<str>) =
            (names.as_slice().into(), name_of(Path::new(self.style_network())).into());
        for id in [Id::StyleA, Id::StyleB] {
            self.params.set_meaning(Meaning { id, count: words.len(), words: words.clone(), of: of.clone() });
        }
        let network = if names.is_empty() { "" } else { self.params.text(Id::StyleNetwork) };
        self.scripts.set_styles(names, network);
    }

    /// Another network plays: its classes and layers have its names.
    pub(super) fn name_classes(&mut self) {
        let network = self.decks.network();
        let of: Arc<str> = name_of(&network.path).into();
        let (count, words) = (network.mapping.c_dim, network.class_names.as_slice().into());
        self.params.set_meaning(Meaning { id: Id::Class, count, words, of: of.clone() });
        let names: Arc<[String]> = bend::layers(&network.plan).into_iter().map(|layer| layer.name).collect();
        for n in 0..BENDS {
            let (id, words) = (Id::of_bend(n)[1], names.clone());
            self.params.set_meaning(Meaning { id, count: names.len(), words, of: of.clone() });
        }
    }

    /// Whether another style network loads, or is about to in the middle of a fade.
    pub(super) fn style_is_coming(&self) -> bool {
        self.loads.wants(Kind::Style) || self.morph.brings(Id::StyleNetwork, &self.params)
    }

    /// Whether a write names a style of a network that is still loading: it is kept until then.
    pub(super) fn awaits_style(&mut self, write: &Write) -> bool {
        if !matches!(write.target.id, Id::StyleA | Id::StyleB) {
            return false;
        }
        match &write.value {
            Value::Text(word) if word.trim().parse::<f64>().is_err() && self.style_is_coming() => {
                self.scripts.await_style(write.target, word);
                true
            }
            // A value later wins.
            _ => {
                self.scripts.forget_awaited(write.target);
                false
            }
        }
    }

    /// A hand has written: if that does nothing, one line says why, once.
    pub(super) fn tell_idle(&mut self, write: &Write) {
        let id = write.target.id;
        let is_coming = || [Kind::Network, Kind::Style, Kind::Picture].iter().any(|kind| self.loads.wants(*kind));
        if matches!(write.source, Source::Preset | Source::Script) || self.idle.told.contains(&id) || is_coming() {
            return;
        }
        // Of a macro, its targets say so.
        if let Err(reason) = self.dims().applies(id) {
            let line = format!("{} does nothing: {reason}", write.target);
            self.status.notice(line.clone());
            self.idle.told.push(id);
            self.idle.line = Some((id, line));
        }
    }

    /// Once a frame: what has changed with the networks is said again, and a line that is no longer true goes.
    pub(super) fn settle_idle(&mut self) {
        let dims = self.dims();
        if dims == self.idle.dims {
            return;
        }
        self.idle.dims = dims;
        self.idle.told.retain(|id| dims.applies(*id).is_err());
        if let Some((_, line)) = self.idle.line.take_if(|(id, _)| dims.applies(*id).is_ok()) {
            self.status.withdraw(&line);
        }
    }
}

/// What a preset is saved from: `settled` values. While another style network is on its way, the numbers of styles have no names,
/// and a style that has been named keeps the name that was asked for.
pub(super) fn saved<'a>(settled: Cow<'a, Params>, style_is_coming: bool, scripts: &Scripts) -> Cow<'a, Params> {
    if !style_is_coming {
        return settled;
    }
    let mut params = settled;
    for id in [Id::StyleA, Id::StyleB] {
        params.to_mut().clear_meaning(id);
    }
    for (target, word) in scripts.awaited() {
        params.to_mut().name_last(target.id, word);
    }
    params
}
