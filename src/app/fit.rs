//! How a picture fits a window: pure maths, no device.

use crate::show::Fit;

/// The factor that maps the window's coordinates to the picture's, about the centre:
/// `picture = (window - 0.5) * scale + 0.5`, both 0..1 from the top left. Above 1 there are bars (or mirrored sides) on
/// that axis, below 1 it is cropped. Sizes in pixels; empty sizes give 1.
pub(super) fn scale(fit: Fit, window: [u32; 2], picture: [u32; 2]) -> [f32; 2] {
    if window.contains(&0) || picture.contains(&0) {
        return [1.0, 1.0];
    }
    let (window, picture) = (window.map(f64::from), picture.map(f64::from));
    let chosen = fit.enlargement(picture, window);
    [0, 1].map(|axis| (window[axis] / picture[axis] / chosen) as f32)
}

/// Whether the picture is enlarged.
pub(super) fn enlarges(scale: [f32; 2], window: [u32; 2], picture: [u32; 2]) -> bool {
    f64::from(window[0]) > f64::from(picture[0]) * f64::from(scale[0]) * 1.001
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_square_picture_fits_a_wide_window() {
        let (window, picture) = ([1600, 800], [100, 100]);
        assert_eq!(scale(Fit::Contain, window, picture), [2.0, 1.0]);
        assert_eq!(scale(Fit::Mirror, window, picture), [2.0, 1.0]);
        assert_eq!(scale(Fit::Cover, window, picture), [1.0, 0.5]);
        assert_eq!(scale(Fit::Contain, [800, 1600], picture), [1.0, 2.0]);
        assert_eq!(scale(Fit::Cover, [0, 1600], picture), [1.0, 1.0]);
    }

    #[test]
    fn enlarging_is_detected_with_any_fit() {
        let window = [1600, 800];
        for (side, fit, larger) in [
            (100, Fit::Contain, true),
            (800, Fit::Contain, false),
            (1024, Fit::Contain, false),
            (1024, Fit::Cover, true),
            (1600, Fit::Cover, false),
        ] {
            let picture = [side, side];
            assert_eq!(enlarges(scale(fit, window, picture), window, picture), larger, "{side} {fit:?}");
        }
    }
}
