//! The class of a conditional network: one, two that blend, or shares of many, which blend in w.
//!
//! `/class` makes a label, and between two classes the label blends. Shares are blended in w instead, one run of the mapping
//! network for each: `w = Σ p_k·mapping(z, class k)`. That path is straight and even, while that of a blended label is bent, as the
//! network normalises its features.

use super::mapping::{Mapping, Scratch, blend_classes};

/// Which classes play, and buffers that are kept between frames.
#[derive(Clone, Debug, Default)]
pub struct Classes {
    /// `[c_dim]`: the label of the class that fills up the shares.
    label: Vec<f32>,
    /// Its share.
    rest: f32,
    /// Classes with a share of their own.
    mixed: Vec<(usize, f32)>,
    /// `[c_dim]`: the shares of all, for truncation.
    shares: Vec<f32>,
    /// `[c_dim]`, of one class.
    single: Vec<f32>,
    /// `[w_dim]`, of one class.
    part: Vec<f32>,
}

impl Classes {
    /// `class` as of [`blend_classes`], and the share of each class `mixes(k)`, at least 0. What is missing to a sum of 1 is the
    /// share of `class`; a larger sum is normalised.
    pub fn set(&mut self, class: f64, c_dim: usize, mixes: impl Iterator<Item = f32>) {
        blend_classes(class, c_dim, &mut self.label);
        self.mixed.clear();
        self.mixed.extend(mixes.take(c_dim).enumerate().filter(|(_, share)| *share > 0.0));
        let sum: f32 = self.mixed.iter().map(|(_, share)| share).sum();
        self.rest = (1.0 - sum).max(0.0);
        self.shares.clear();
        self.shares.extend(self.label.iter().map(|share| share * self.rest));
        for (class, share) in &mut self.mixed {
            *share /= sum.max(1.0);
            self.shares[*class] += *share;
        }
    }

    /// `[c_dim]`: the share of each class.
    pub fn shares(&self) -> &[f32] {
        &self.shares
    }

    /// z `[z_dim]` to w `[w_dim]`.
    pub fn map(&mut self, mapping: &Mapping, z: &[f32], w: &mut Vec<f32>, scratch: &mut Scratch) {
        if self.mixed.is_empty() {
            return mapping.map(z, &self.label, w, scratch);
        }
        if self.rest > 0.0 {
            mapping.map(z, &self.label, w, scratch);
            w.iter_mut().for_each(|x| *x *= self.rest);
        } else {
            w.clear();
            w.resize(mapping.w_dim, 0.0);
        }
        for (class, share) in &self.mixed {
            self.single.clear();
            self.single.resize(self.label.len(), 0.0);
            self.single[*class] = 1.0;
            mapping.map(z, &self.single, &mut self.part, scratch);
            w.iter_mut().zip(&self.part).for_each(|(x, part)| *x += share * part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_class_fills_up_what_the_shares_leave() {
        let mut classes = Classes::default();
        for (class, mixes, expected) in [
            (2.0, [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]),
            (2.0, [0.25, 0.0, 0.0], [0.25, 0.0, 0.75]),
            (2.0, [0.25, 0.5, 0.25], [0.25, 0.5, 0.25]),
            (2.0, [1.0, 1.0, 0.0], [0.5, 0.5, 0.0]),
            (0.5, [0.5, 0.0, 0.0], [0.75, 0.25, 0.0]),
        ] {
            classes.set(class, 3, mixes.into_iter());
            assert_eq!(classes.shares(), expected, "{class} {mixes:?}");
        }
        classes.set(3.0, 0, [1.0].into_iter());
        assert!(classes.shares().is_empty() && classes.mixed.is_empty());
    }
}
