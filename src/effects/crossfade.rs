//! One network's picture crossfaded into another's, which may have another size and other channels.
//!
//! Runs on the engine's thread, wherever its easel is.

use super::easel::Easel;
use crate::engine::EngineError;

/// Makes `to` of `1 − share` of `before` and `share` of `now`, as large as the larger of the two. Grey pictures stay grey
/// unless the other one is in colour; alpha is left out.
///
/// # Errors
/// As the easel.
pub fn mix<E: Easel>(
    easel: &mut E,
    before: &E::Sheet,
    now: &E::Sheet,
    share: f32,
    to: &mut E::Sheet,
) -> Result<(), EngineError> {
    let ([few, low, narrow], [channels, height, width]) = (E::shape_of(before), E::shape_of(now));
    let channels = if few.max(channels) < 3 { 1 } else { 3 };
    easel.blend(&[(before, 1.0 - share), (now, share)], [channels, low.max(height), narrow.max(width)], to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::easel::Processor;
    use crate::image::Image;

    fn plain(channels: usize, side: usize, value: f32) -> Image {
        Image { channels, height: side, width: side, data: vec![value; channels * side * side] }
    }

    fn mixed(before: &Image, now: &Image, share: f32) -> Image {
        let mut mixture = Image::default();
        mix(&mut Processor::default(), before, now, share, &mut mixture).expect("here is room");
        mixture
    }

    #[test]
    fn the_larger_size_and_the_more_colours_win() {
        let mixture = mixed(&plain(1, 4, -1.0), &plain(3, 8, 0.5), 0.25);
        assert_eq!((mixture.channels, mixture.height, mixture.width), (3, 8, 8));
        assert!(mixture.data.iter().all(|x| (x + 0.625).abs() < 1e-6), "{:?}", &mixture.data[..4]);
        let grey = mixed(&plain(1, 4, -1.0), &plain(1, 2, 1.0), 0.5);
        assert_eq!((grey.channels, grey.height), (1, 4));
        assert!(grey.data.iter().all(|x| x.abs() < 1e-6));
        assert_eq!(mixed(&plain(4, 2, 0.25), &plain(4, 2, 1.0), 0.0), plain(3, 2, 0.25));
    }
}
