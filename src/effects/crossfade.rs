//! One network's picture crossfaded into another's, which may have another size and other channels.
//!
//! Plain arithmetic on −1..1 pictures, on the engine's thread; it allocates only when a size changes.

use super::input::add;
use super::resample::{Resizer, shape};
use crate::engine::Image;

/// What a crossfade works with.
#[derive(Debug, Default)]
pub struct Crossfade {
    resizer: Resizer,
    resized: Image,
    mixture: Image,
}

impl Crossfade {
    /// `1 − share` of `before` and `share` of `now`, as large as the larger of the two. Grey pictures stay grey unless the
    /// other one is in colour; alpha is left out.
    pub fn mix(&mut self, before: &Image, now: &Image, share: f32) -> &Image {
        let channels = if before.channels.max(now.channels) < 3 { 1 } else { 3 };
        let (height, width) = (before.height.max(now.height), before.width.max(now.width));
        shape(&mut self.mixture, channels, height, width);
        self.mixture.data.fill(0.0);
        for (image, share) in [(before, 1.0 - share), (now, share)] {
            if share > 0.0 && image.channels > 0 {
                add(image, share, &mut self.mixture, &mut self.resizer, &mut self.resized);
            }
        }
        &self.mixture
    }

    /// The last mixture.
    pub fn last(&self) -> &Image {
        &self.mixture
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(channels: usize, side: usize, value: f32) -> Image {
        Image { channels, height: side, width: side, data: vec![value; channels * side * side] }
    }

    #[test]
    fn the_larger_size_and_the_more_colours_win() {
        let mut fade = Crossfade::default();
        let mixture = fade.mix(&plain(1, 4, -1.0), &plain(3, 8, 0.5), 0.25);
        assert_eq!((mixture.channels, mixture.height, mixture.width), (3, 8, 8));
        assert!(mixture.data.iter().all(|x| (x + 0.625).abs() < 1e-6), "{:?}", &mixture.data[..4]);
        let grey = fade.mix(&plain(1, 4, -1.0), &plain(1, 2, 1.0), 0.5);
        assert_eq!((grey.channels, grey.height), (1, 4));
        assert!(grey.data.iter().all(|x| x.abs() < 1e-6));
        assert_eq!(fade.mix(&plain(4, 2, 0.25), &plain(4, 2, 1.0), 0.0), &plain(3, 2, 0.25));
    }
}
