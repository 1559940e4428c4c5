//! Left and right, for recordings: the analysis needs only their mean.

use super::resample::Resample;

/// Brings both sides to [`RATE`](super::RATE). Feeding allocates nothing once its buffers have grown.
pub struct Sides {
    resample: [Resample; 2],
    /// One side before and after.
    side: Vec<f32>,
    out: [Vec<f32>; 2],
}

impl Sides {
    /// From that many samples per second; `None` where [`Resample`] cannot do it.
    pub fn new(rate: u32) -> Option<Self> {
        Some(Sides {
            resample: [Resample::new(rate)?, Resample::new(rate)?],
            side: Vec::new(),
            out: Default::default(),
        })
    }

    /// Takes samples at the other rate.
    pub fn feed(&mut self, samples: impl Iterator<Item = [f32; 2]> + Clone) {
        let Sides { resample, side, out } = self;
        for (which, (resample, out)) in resample.iter_mut().zip(out).enumerate() {
            side.clear();
            side.extend(samples.clone().map(|sample| sample[which]));
            resample.feed(side, |fresh| out.extend_from_slice(fresh));
        }
    }

    /// The end.
    pub fn finish(&mut self) {
        for (resample, out) in self.resample.iter_mut().zip(&mut self.out) {
            resample.finish(|fresh| out.extend_from_slice(fresh));
        }
    }

    /// Moves what there is to `to`.
    pub fn take(&mut self, to: &mut Vec<[f32; 2]>) {
        let [left, right] = &mut self.out;
        to.extend(left.drain(..).zip(right.drain(..)).map(|(left, right)| [left, right]));
    }
}

/// The first two channels; a single one is on both sides.
pub fn left_and_right<T: Copy>(frame: &[T]) -> [T; 2] {
    [frame[0], *frame.get(1).unwrap_or(&frame[0])]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_keep_their_place() {
        assert_eq!((left_and_right(&[3]), left_and_right(&[1, 2, 9])), ([3, 3], [1, 2]));
        for rate in [48_000u32, 44_100] {
            let mut sides = Sides::new(rate).unwrap();
            let mut out = Vec::new();
            let all: Vec<[f32; 2]> = (0..rate).map(|n| [if n < rate / 2 { 0.0 } else { 0.5 }, -0.25]).collect();
            for lump in all.chunks(333) {
                sides.feed(lump.iter().copied());
                sides.take(&mut out);
            }
            sides.finish();
            sides.take(&mut out);
            assert_eq!(out.len(), 48_000, "{rate}");
            let step = out.iter().position(|[left, _]| *left > 0.25).unwrap();
            assert!(step.abs_diff(24_000) <= 1, "{rate}: {step}");
            assert!((out[30_000][0] - 0.5).abs() < 1e-3 && (out[30_000][1] + 0.25).abs() < 1e-3);
        }
        assert!(Sides::new(1).is_none());
    }
}
