//! Ranges of layers, the zones of a network, and style mixing.
//!
//! A layer is a row of ws, numbered from 0: the w that one convolution of the synthesis network reads. Early layers draw small
//! maps and decide about composition, late ones draw large maps and decide about colour. Style mixing: Karras et al., "A
//! Style-Based Generator Architecture for Generative Adversarial Networks" (2019), section 3.1.

pub use crate::params::Zone;

/// The largest maps of the zone `form`, in pixels.
const FORM: usize = 8;
/// The largest maps of the zone `texture`.
const TEXTURE: usize = 32;
/// Networks with fewer layers have a single zone.
const FEWEST: usize = 3;

/// Some layers in a row, both ends included; none if the first comes after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layers {
    pub from: usize,
    pub to: usize,
}

impl Layers {
    pub fn contains(self, layer: usize) -> bool {
        (self.from..=self.to).contains(&layer)
    }

    /// The numbers of these layers in ws `[num_ws, w_dim]`.
    fn of(self, ws: &mut [f32], w_dim: usize) -> &mut [f32] {
        let end = self.to.saturating_add(1).saturating_mul(w_dim).min(ws.len());
        ws.get_mut(self.from.saturating_mul(w_dim)..end).unwrap_or_default()
    }
}

/// Where the zones of a network begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zones {
    layers: usize,
    /// The first layers of texture and of colour.
    starts: Option<[usize; 2]>,
}

impl Zones {
    /// The zones of a network whose layers draw maps of these sizes in pixels: up to 8 and up to 32, and what is larger. Without
    /// sizes, and for pictures of at most 64 pixels, thirds. A network with fewer than three layers has a single zone.
    pub fn new(num_ws: usize, sizes: Option<&[usize]>) -> Zones {
        let first_over = |limit: usize| move |sizes: &[usize]| sizes.iter().take_while(|size| **size <= limit).count();
        let starts = match sizes.filter(|sizes| sizes.iter().any(|size| *size > 2 * TEXTURE)) {
            Some(sizes) => [first_over(FORM)(sizes), first_over(TEXTURE)(sizes)],
            None => [num_ws / 3, 2 * num_ws / 3],
        };
        Zones { layers: num_ws, starts: (num_ws >= FEWEST).then_some(starts) }
    }

    /// The layers of a zone; of [`Zone::Range`], those that are given.
    pub fn layers(self, zone: Zone, range: Layers) -> Layers {
        let Some([texture, colour]) = self.starts.filter(|_| zone != Zone::Range) else { return range };
        let (from, end) = match zone {
            Zone::Range | Zone::Form => (0, texture),
            Zone::Texture => (texture, colour),
            Zone::Colour => (colour, self.layers),
        };
        // An empty zone begins after its end.
        Layers { from: from.max(usize::from(end == 0)), to: end.saturating_sub(1) }
    }
}

/// `ws[i] += amount·(other[i] − ws[i])` for these layers of ws `[num_ws, w_dim]`: 1 replaces them.
pub fn mix(ws: &mut [f32], other: &[f32], amount: f32, layers: Layers, w_dim: usize) {
    let skipped = layers.from.saturating_mul(w_dim).min(other.len());
    for (x, y) in layers.of(ws, w_dim).iter_mut().zip(&other[skipped..]) {
        *x = if amount == 1.0 { *y } else { *x + amount * (y - *x) };
    }
}

/// `ws[i] += amount·step` for these layers of ws `[num_ws, w_dim]`; step is `[w_dim]`.
pub fn add(ws: &mut [f32], step: &[f32], amount: f32, layers: Layers) {
    for w in layers.of(ws, step.len()).chunks_exact_mut(step.len().max(1)) {
        w.iter_mut().zip(step).for_each(|(w, step)| *w += amount * step);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Layers = Layers { from: 0, to: usize::MAX };

    #[test]
    fn zones_follow_the_sizes_of_the_maps() {
        let sizes = [4, 8, 8, 16, 16, 32, 32, 64, 64, 128, 128, 256, 256, 256];
        let zones = Zones::new(14, Some(&sizes));
        let of = |zones: Zones, zone| zones.layers(zone, ALL);
        assert_eq!(of(zones, Zone::Form), Layers { from: 0, to: 2 });
        assert_eq!(of(zones, Zone::Texture), Layers { from: 3, to: 6 });
        assert_eq!(of(zones, Zone::Colour), Layers { from: 7, to: 13 });
        assert_eq!(of(zones, Zone::Range), ALL);
        // Small pictures and StyleGAN3: thirds.
        for zones in [Zones::new(8, Some(&[4, 8, 8, 16, 16, 32, 32, 32])), Zones::new(8, None)] {
            let found = [Zone::Form, Zone::Texture, Zone::Colour].map(|zone| of(zones, zone));
            assert_eq!(found.map(|layers| [layers.from, layers.to]), [[0, 1], [2, 4], [5, 7]]);
        }
        assert_eq!(of(Zones::new(1, Some(&[128])), Zone::Colour), ALL, "it has one zone");
    }

    #[test]
    fn a_zone_may_be_empty() {
        let zones = Zones::new(4, Some(&[16, 16, 128, 128]));
        let form = zones.layers(Zone::Form, ALL);
        assert!((0..4).all(|layer| !form.contains(layer)), "{form:?}");
        let mut ws = [1.0; 4];
        mix(&mut ws, &[2.0; 4], 1.0, form, 1);
        assert_eq!(ws, [1.0; 4]);
    }

    #[test]
    fn only_the_layers_between_both_ends_are_mixed() {
        let mut ws = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
        mix(&mut ws, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 0.5, Layers { from: 1, to: 1 }, 2);
        assert_eq!(ws, [0.0, 0.0, 1.5, 2.0, 0.0, 0.0]);
        mix(&mut ws, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 1.0, ALL, 2);
        assert_eq!(ws, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        for odd in [Layers { from: 9, to: 12 }, Layers { from: 2, to: 1 }] {
            mix(&mut ws, &[9.0; 6], 1.0, odd, 2);
        }
        assert_eq!(ws, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }
}
