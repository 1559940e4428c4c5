//! A second network whose weights are mixed into the one that plays: which blend is wished, and which was asked for.
//!
//! One blend is prepared at a time, on the loader's thread. When it has landed, the newest wish is next: while a knob moves, the
//! picture goes on with the last blend, and no wish waits in a line. Offline the frame waits for its own. A network that is loaded
//! while there is a second one waits for its first blend, and is not seen alone. Without a second network nothing is asked for and
//! nothing is kept.

use std::sync::Arc;

use super::Show;
use super::loads::{BlendRequest, Kind, LoadRequest, Named, Place, Second};
use crate::engine::Program;
use crate::network::Network;
use crate::network::blend::{Share, Swap};
use crate::params::{Id, Params, SwapFrom};

/// Steps of `/network/mix`: finer ones cannot be seen.
const STEPS: f64 = 1000.0;

/// A network that can be played.
pub(super) struct Ready {
    /// Where it was asked for.
    pub place: Place,
    pub network: Arc<Network>,
    pub program: Box<dyn Program>,
}

/// What was asked for last, and what plays.
#[derive(Default)]
pub(super) struct Mixing {
    /// The second network, with an empty name for none, and how much of it.
    asked: Option<(Named, Share)>,
    /// Whether a blend plays.
    plays: bool,
    /// Whether the loader keeps a second network open.
    is_open: bool,
    /// Whether the second network cannot be mixed with the first.
    is_refused: bool,
    /// A network that plays when its blend is ready: it is not seen alone before.
    waiting: Option<Ready>,
}

/// How much of the second network is wished.
fn share(params: &Params) -> Share {
    let amount = (params.get(Id::NetworkMix) * STEPS).round() / STEPS;
    let swap = params.get_choice::<SwapFrom>(Id::NetworkSwap).pixels();
    let width = params.get(Id::NetworkSwapWidth) as f32;
    Share { amount: amount as f32, swap: swap.map(|resolution| Swap { resolution, width }) }
}

impl Mixing {
    /// Another network plays, or the second one was named anew: what was asked for is void.
    fn forget(&mut self) {
        (self.asked, self.is_refused) = (None, false);
    }

    /// What is wished, the name of the second network and how much of it, if that is not what was asked for last.
    fn wish<'a>(&self, params: &'a Params) -> Option<(&'a str, Share)> {
        let name = if self.is_refused { "" } else { params.text(Id::NetworkB) };
        let share = if name.is_empty() { Share::default() } else { share(params) };
        let is_asked = self.asked.as_ref().is_some_and(|(asked, known)| asked.name == name && *known == share);
        let is_nothing = name.is_empty() && !self.plays && !self.is_open;
        (!is_asked && !is_nothing).then_some((name, share))
    }

    fn asks(&mut self, named: &Named, share: Share) {
        self.is_open = !named.name.is_empty();
        self.asked = Some((named.clone(), share));
    }
}

impl Show {
    /// Asks for the blend that is wished, unless one is on its way or another network is. Offline it lands at once.
    pub(super) fn mix(&mut self) {
        while !self.loads.wants(Kind::Network)
            && !self.loads.wants(Kind::Blend)
            && let Some((name, share)) = self.mixing.wish(&self.params)
        {
            let named = Named { name: name.to_owned(), ..self.named(Id::NetworkB) };
            self.mixing.asks(&named, share);
            let second = (!named.name.is_empty()).then_some(Second { named, share });
            let (network, is_alone) = match &self.mixing.waiting {
                Some(ready) => (ready.network.clone(), true),
                None => (self.decks.own_network().clone(), !self.mixing.plays),
            };
            self.loads.request(LoadRequest::Blend(BlendRequest { network, second, is_alone }));
            if let Some(landed) = self.loads.take_ready_offline(Kind::Blend) {
                self.take(landed);
            }
        }
    }

    /// The second network was named. Once more is a question only if it was refused.
    pub(super) fn name_second(&mut self) {
        let named = self.named(Id::NetworkB);
        if !self.mixing.is_refused && self.mixing.asked.as_ref().is_some_and(|(asked, _)| *asked == named) {
            return;
        }
        self.mixing.forget();
        self.loads.cancel(Kind::Blend);
        if self.params.text(Id::NetworkB).is_empty() {
            self.status.mended(Kind::Blend);
            self.play_waiting();
        }
    }

    /// A network has been loaded. It plays at once, unless a second one is to be mixed in.
    pub(super) fn take_network(&mut self, ready: Ready) {
        self.mixing.forget();
        self.loads.cancel(Kind::Blend);
        self.status.mended(Kind::Blend);
        self.mixing.waiting = Some(ready);
        if self.params.text(Id::NetworkB).is_empty() || share(&self.params).amount == 0.0 {
            self.play_waiting();
        }
    }

    /// The network that waits for its blend plays by itself.
    fn play_waiting(&mut self) {
        if let Some(ready) = self.mixing.waiting.take() {
            self.mixing.plays = false;
            self.change_network(ready, None);
        }
    }

    /// A blend is ready, or was found to change nothing.
    pub(super) fn take_blend(&mut self, request: &BlendRequest, blend: Option<(Arc<Network>, Box<dyn Program>)>) {
        let Some((network, program)) = blend else { return self.play_waiting() };
        // What it is a blend of still plays, or waits: a network that lands takes back what was asked for.
        self.mixing.plays = !Arc::ptr_eq(&network, &request.network);
        if let Some(ready) = self.mixing.waiting.take() {
            return self.change_network(Ready { program, ..ready }, Some(network));
        }
        self.decks.exchange(network);
        // Keys that are seeds lie where its mapping network has them.
        self.place_track();
        self.output.set_blend(self.decks.generation(), program);
    }

    /// The second network cannot be mixed in: the first one plays on alone until another is named, or plays.
    pub(super) fn refuse_second(&mut self) {
        self.mixing.is_refused = true;
        self.play_waiting();
    }
}
