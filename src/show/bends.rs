//! The bends of a picture, from the parameters `/bend/<n>/…`.

use crate::engine::bend::{Bend, Bends};
use crate::params::{Id, Params};

/// The bends now. Another `epoch` than before forgets what they remember.
pub(super) fn of(p: &Params, epoch: u32) -> Bends {
    let slot = |n: usize| {
        let [kind, layer, amount, angle, zoom, edge, share, seed] = Id::of_bend(n);
        let number = |id: Id| p.get(id) as f32;
        Bend {
            kind: p.get_choice(kind),
            layer: p.int(layer) as usize,
            amount: number(amount),
            angle: number(angle),
            zoom: number(zoom),
            edge: p.get_choice(edge),
            share: number(share),
            seed: p.int(seed) as u32,
        }
    };
    Bends { slots: std::array::from_fn(slot), epoch, secs: 0.0 }
}
