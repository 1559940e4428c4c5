//! Fits a decoded picture, which ffmpeg has scaled already, into a square.

use super::ffmpeg::Raw;
use crate::image::Fit;
use crate::image::fit::reflected;

/// The filters that scale a picture for a square of `side` pixels: with [`Fit::Cover`] it is cropped to the square, otherwise
/// its longer side is that of the square. Pixels that are not square are taken into account.
pub(super) fn filter(fit: Fit, side: usize) -> String {
    let scale = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp";
    match fit {
        Fit::Cover => format!("crop=w='min(iw,ih/sar)':h='min(ih,iw*sar)',scale=w={side}:h={side}:{scale}"),
        Fit::Contain | Fit::Mirror => {
            let shorter = |ratio: &str| format!("max(1,min({side},trunc({side}*{ratio}+0.5)))");
            format!("scale=w='{}':h='{}':{scale}", shorter("dar"), shorter("1/dar"))
        }
    }
}

/// A picture as a square of RGB bytes in `square`; its own buffer is left in `raw`.
pub(super) fn place(raw: &mut Raw, side: usize, fit: Fit, square: &mut Vec<u8>) {
    let [width, height] = raw.size.map(|length| length.min(side));
    if [width, height] == [side; 2] && raw.size == [side; 2] {
        return std::mem::swap(&mut raw.rgb, square);
    }
    let (left, top) = ((side - width) / 2, (side - height) / 2);
    square.clear();
    square.resize(side * side * 3, 0);
    let stride = raw.size[0] * 3;
    for (y, line) in square.chunks_exact_mut(side * 3).enumerate() {
        let from = match fit {
            Fit::Mirror => reflected(y, top, height),
            _ if (top..top + height).contains(&y) => y - top,
            _ => continue,
        };
        let Some(row) = raw.rgb.get(from * stride..from * stride + width * 3) else { continue };
        line[left * 3..(left + width) * 3].copy_from_slice(row);
        if fit == Fit::Mirror {
            for x in (0..left).chain(left + width..side) {
                let from = reflected(x, left, width) * 3;
                line[x * 3..x * 3 + 3].copy_from_slice(&row[from..from + 3]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(size: [usize; 2], levels: &[u8], side: usize, fit: Fit) -> Vec<u8> {
        let mut raw = Raw { size, rgb: levels.iter().flat_map(|level| [*level; 3]).collect() };
        let mut square = Vec::new();
        place(&mut raw, side, fit, &mut square);
        assert_eq!(square.len(), side * side * 3);
        square.chunks_exact(3).map(|pixel| pixel[1]).collect()
    }

    #[test]
    fn a_picture_is_placed_with_bars_or_mirrored_edges() {
        assert_eq!(placed([2, 2], &[1, 2, 3, 4], 2, Fit::Cover), [1, 2, 3, 4]);
        assert_eq!(placed([1, 3], &[1, 2, 3], 3, Fit::Contain), [0, 1, 0, 0, 2, 0, 0, 3, 0]);
        assert_eq!(placed([3, 1], &[1, 2, 3], 3, Fit::Contain), [0, 0, 0, 1, 2, 3, 0, 0, 0]);
        assert_eq!(placed([3, 1], &[1, 2, 3], 3, Fit::Mirror), [1, 2, 3, 1, 2, 3, 1, 2, 3]);
        assert_eq!(placed([2, 4], &[1, 2, 3, 4, 5, 6, 7, 8], 4, Fit::Mirror)[..4], [1, 1, 2, 2]);
        // What is larger than it may be, or cut short, is no reason to end.
        assert_eq!(placed([3, 3], &[9; 9], 2, Fit::Contain), [9; 4]);
        assert_eq!(placed([2, 2], &[9; 2], 3, Fit::Contain)[6..], [0; 3]);
    }
}
