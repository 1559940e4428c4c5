//! The bends of a picture, from the parameters `/bend/<n>/…`, and the clusters of channels that they may choose.
//!
//! Clusters are looked for when a bend chooses one, beside the show ([`LoadRequest::Clusters`]); offline the step waits for them.
//! Until they are known, that bend goes on with the channels that it had.

use std::sync::{Arc, Weak};

use super::Show;
use super::loads::{Kind as Load, LoadRequest};
use crate::control::Write;
use crate::engine::bend::{self, Bend, Channels, Cluster, Kind, SLOTS};
use crate::network::Network;
use crate::network::clusters::Clusters;
use crate::params::{Id, Params, Value};

/// The bends of a running show.
#[derive(Default)]
pub(super) struct Bends {
    /// The network whose clusters have been asked for.
    asked: Weak<Network>,
    /// Those, once they have been found.
    clusters: Option<Arc<Clusters>>,
    /// What was said when they were asked for.
    line: Option<String>,
    /// Of the picture before: whether a bend was on, and the channels that it might bend.
    before: [(bool, Option<Channels>); SLOTS],
}

impl Bends {
    /// The bends now.
    pub fn now(&mut self, p: &Params) -> [Bend; SLOTS] {
        std::array::from_fn(|n| {
            let [kind, layer, amount, angle, zoom, edge, share, seed, cluster, channels] = Id::of_bend(n);
            let number = |id: Id| p.get(id) as f32;
            let mut bend = Bend {
                kind: p.get_choice(kind),
                layer: p.int(layer) as usize,
                amount: number(amount),
                angle: number(angle),
                zoom: number(zoom),
                edge: p.get_choice(edge),
                among: Channels::parse(p.text(channels)).unwrap_or_default(),
                share: number(share),
                seed: p.int(seed) as u32,
            };
            if let (None, Some(cluster)) = (bend.among, number_of(p.get_choice(cluster))) {
                match &self.clusters {
                    Some(clusters) => bend.among = Some(clusters.channels(bend.layer, cluster)),
                    None if self.before[n].0 => bend.among = self.before[n].1,
                    None => bend.kind = Kind::Off,
                }
            }
            self.before[n] = (bend.kind != Kind::Off, bend.among);
            bend
        })
    }

    /// Another network plays: its clusters are not known, and the channels of the last one say nothing. Returns the line that is no
    /// longer true.
    fn forget(&mut self) -> Option<String> {
        std::mem::take(self).line
    }
}

/// The number of a cluster, from 0; `None` for all channels.
fn number_of(cluster: Cluster) -> Option<usize> {
    (cluster as usize).checked_sub(1)
}

/// Whether a bend chooses a cluster.
fn wants_clusters(p: &Params) -> bool {
    (0..SLOTS).any(|n| {
        let [kind, .., cluster, channels] = Id::of_bend(n);
        let is_on = p.get_choice::<Kind>(kind) != Kind::Off && number_of(p.get_choice(cluster)).is_some();
        is_on && matches!(Channels::parse(p.text(channels)), Ok(None))
    })
}

impl Show {
    /// Whether a write is no list of channels, or one that can be read; if not, it is refused with a line.
    pub(super) fn can_be_read(&mut self, write: &Write) -> bool {
        let Value::Text(text) = &write.value else { return true };
        if !write.target.id.is_channels() {
            return true;
        }
        let read = Channels::parse(text);
        if let Err(line) = &read {
            self.status.refuse(&format!("{}: {line}", write.target));
        }
        read.is_ok()
    }

    /// Another network plays.
    pub(super) fn forget_clusters(&mut self) {
        if let Some(line) = self.bends.forget() {
            self.status.withdraw(&line);
        }
        self.loads.cancel(Load::Clusters);
        self.status.mended(Load::Clusters);
    }

    /// Asks for the clusters of the network that plays, once, if a bend chooses one.
    pub(super) fn ask_for_clusters(&mut self) {
        // A show that is about to play live starts without them.
        let may_ask = self.bends.asked.strong_count() == 0 && !self.loads.is_starting();
        if !may_ask || !wants_clusters(&self.params) || !self.bends_by_engine() {
            return;
        }
        let network = self.decks.own_network().clone();
        self.bends.asked = Arc::downgrade(&network);
        if !bend::layers(&network.plan).is_empty() {
            let line = format!("looking for clusters in the channels of {}", network.name);
            self.status.notice(line.clone());
            self.bends.line = Some(line);
            self.loads.request(LoadRequest::Clusters(network));
        }
    }

    /// The clusters of a network have been found.
    pub(super) fn take_clusters(&mut self, network: &Arc<Network>, clusters: Arc<Clusters>) {
        if std::ptr::eq(self.bends.asked.as_ptr(), Arc::as_ptr(network)) {
            self.bends.clusters = Some(clusters);
            self.end_search();
        }
    }

    /// Nothing is looked for any more.
    pub(super) fn end_search(&mut self) {
        if let Some(line) = self.bends.line.take() {
            self.status.withdraw(&line);
        }
    }
}
