//! The style loop's settings for one frame.

use std::sync::LazyLock;

use crate::image::resample::Motion;
pub use crate::params::Keep;
use crate::params::{Id, Params, STYLE_KNOBS, StyleSize, Target};

/// Settings of one frame; the addresses and ranges are in the table of parameters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StyleSettings {
    /// Indices of two styles; they wrap around after the network's last.
    pub a: usize,
    pub b: usize,
    /// 0 is only `a`, 1 is only `b`.
    pub blend: f32,
    /// Additional shares of styles 0, 1, …
    pub mix: [f32; STYLE_KNOBS],
    /// 0 shows the picture, 1 the painting.
    pub amount: f32,
    pub passes: u32,
    /// Share of the last painting in the next canvas, 0 to 1.
    pub feedback: f32,
    /// Length of the shorter side in pixels.
    pub size: usize,
    /// 1 paints every frame.
    pub every: u32,
    /// 0 to 1.
    pub keep: f32,
    pub keep_what: Keep,
    /// 1 takes the networks' lattice out of the painting, 0 leaves it.
    pub clean: f32,
    /// 1 leaves dark, flat parts of the picture unpainted, 0 paints everywhere.
    pub dark: f32,
    /// Scale of the last painting per second; 1 is no zoom.
    pub zoom: f32,
    /// Degrees per second, clockwise.
    pub rotate: f32,
    /// Widths per second to the right.
    pub x: f32,
    /// Heights per second down.
    pub y: f32,
    /// Time from the last frame to this one.
    pub dt_secs: f32,
}

impl Default for StyleSettings {
    /// The defaults of the table, at twelve frames per second.
    fn default() -> Self {
        // Asked for in every frame: a table of its own each time would allocate.
        static DEFAULT: LazyLock<StyleSettings> = LazyLock::new(|| StyleSettings::from_params(&Params::default()));
        *DEFAULT
    }
}

impl StyleSettings {
    /// The effective values of the parameters, for a frame a twelfth of a second after the last one; see
    /// [`StyleSettings::after`].
    pub fn from_params(params: &Params) -> Self {
        let float = |id: Id| params.get(id) as f32;
        let whole = |id: Id| params.int(id).max(0) as usize;
        StyleSettings {
            a: whole(Id::StyleA),
            b: whole(Id::StyleB),
            blend: float(Id::StyleBlend),
            mix: std::array::from_fn(|i| params.get(Target { id: Id::StyleMix, index: i as u16 }) as f32),
            amount: float(Id::StyleAmount),
            passes: whole(Id::StylePasses) as u32,
            feedback: float(Id::StyleFeedback),
            size: params.get_choice::<StyleSize>(Id::StyleSize).pixels(),
            every: whole(Id::StyleEvery).max(1) as u32,
            keep: float(Id::StyleKeep),
            keep_what: params.get_choice(Id::StyleKeepWhat),
            clean: float(Id::StyleClean),
            dark: float(Id::StyleDark),
            zoom: float(Id::FeedbackZoom),
            rotate: float(Id::FeedbackRotate),
            x: float(Id::FeedbackX),
            y: float(Id::FeedbackY),
            dt_secs: 1.0 / 12.0,
        }
    }

    /// The same for a frame `dt_secs` after the last one: motion is per second, not per frame.
    pub fn after(self, dt_secs: f32) -> Self {
        StyleSettings { dt_secs: if dt_secs.is_finite() { dt_secs.clamp(0.0, 0.5) } else { 0.0 }, ..self }
    }

    /// The size of the painting of a `height` x `width` picture: the shorter side is `size`, both are multiples of 4 (the
    /// network halves them twice), and the longer is at most three times the shorter.
    pub fn working_size(&self, height: usize, width: usize) -> (usize, usize) {
        let size = self.size.next_multiple_of(4).max(16);
        let (short, long) = (height.min(width).max(1), height.max(width).max(1));
        let longer = (size as f64 * (long as f64 / short as f64).min(3.0) / 4.0).round() as usize * 4;
        if height <= width { (size, longer) } else { (longer, size) }
    }

    /// How the last painting moves in `secs`, at most half a second.
    pub fn motion(&self, secs: f32) -> Motion {
        let secs = secs.min(0.5);
        Motion {
            zoom: self.zoom.max(0.01).powf(secs),
            turn: (self.rotate * secs).to_radians(),
            x: self.x * secs,
            y: self.y * secs,
        }
    }

    /// One weight per style of the network, summing to 1.
    pub fn mixture(&self, weights: &mut [f32]) {
        let count = weights.len().max(1);
        weights.iter_mut().zip(self.mix.iter().chain(std::iter::repeat(&0.0))).for_each(|(w, m)| *w = m.max(0.0));
        for (style, share) in [(self.a, 1.0 - self.blend), (self.b, self.blend)] {
            if let Some(weight) = weights.get_mut(style % count) {
                *weight += share;
            }
        }
        let sum: f32 = weights.iter().sum();
        weights.iter_mut().for_each(|w| *w /= sum);
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn the_mixture_sums_to_one() {
        let mut settings = StyleSettings { a: 1, b: 10, blend: 0.25, ..StyleSettings::default() };
        let mut weights = vec![9.0; 8];
        settings.mixture(&mut weights);
        assert_eq!(weights, [0.0, 0.75, 0.25, 0.0, 0.0, 0.0, 0.0, 0.0]);
        settings.mix[7] = 1.0;
        settings.mixture(&mut weights);
        assert_eq!(weights, [0.0, 0.375, 0.125, 0.0, 0.0, 0.0, 0.0, 0.5]);
    }

    #[test]
    fn the_working_size_keeps_the_shape() {
        let settings = StyleSettings { size: 256, ..StyleSettings::default() };
        assert_eq!(settings.working_size(64, 64), (256, 256));
        assert_eq!(settings.working_size(1080, 1920), (256, 456));
        assert_eq!(settings.working_size(1000, 500), (512, 256));
        assert_eq!(settings.working_size(1, 1000), (256, 768));
    }

    #[test]
    fn motion_is_per_second() {
        let settings = StyleSettings { zoom: 1.44, rotate: 90.0, x: 0.5, ..StyleSettings::default() };
        let half = settings.motion(0.5);
        assert!((half.zoom - 1.2).abs() < 1e-6 && (half.turn - std::f32::consts::FRAC_PI_4).abs() < 1e-6);
        assert_eq!((half.x, settings.motion(30.0)), (0.25, half));
    }
}
