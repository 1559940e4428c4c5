//! Keeps the style loop alive, and the picture's colours in it.
//!
//! A feedback loop can collapse in three ways: to black or white (its mean drifts away), to grey (its deviation goes to 0),
//! or to noise (fine detail grows). [`steady`] keeps mean and deviation of the canvas within a wide band by small steps;
//! paintings inside the band pass unchanged, and all that the networks paint of ordinary pictures are inside. A canvas
//! without contrast gets a little grain, which the network turns into brush strokes, and so does a painting that hardly
//! changed ([`stir`]), so that a contractive network cannot settle on a fixed point. Detail is bounded by the network's last
//! layer and by the bilinear motion. Plain maths on −1..1 pictures.

use std::borrow::Cow;

use super::Keep;
use crate::engine::EngineError;
use crate::engine::canvas::Canvas;
use crate::engine::pass::{Pass, Threads, Work};
use crate::engine::surface::Surface;
use crate::image::Image;

/// Maximum distance of a canvas's mean from middle grey.
pub const MEAN_LIMIT: f32 = 0.75;
/// Minimum and maximum standard deviation of a canvas within its colours.
pub const DEVIATION_LIMITS: [f32; 2] = [0.1, 0.8];
/// Maximum step per frame: a mean moves by this much, a deviation is scaled by at most 1 ± this.
pub const STEP: f32 = 0.06;
/// Below this deviation a canvas counts as empty, and grain with this deviation is added.
pub const EMPTY: f32 = 0.02;
/// Below this mean change from frame to frame a painting counts as still, and grain of deviation [`STIR`] is added.
pub const STILL: f32 = 0.001;
pub const STIR: f32 = 0.01;

/// Clamps every number to −1..1.
static LIMIT: Pass = Pass {
    name: Cow::Borrowed("limit"),
    wgsl: Cow::Borrowed(include_str!("../../../shaders/effects/limit.wgsl")),
    reads: 0,
    uniforms: &["count"],
    threads: Threads::Numbers,
    twin: Some(|work| clamp(&mut work.to.data)),
};

/// Moments of the parts of a canvas. In memory, the twin of [`STEADY`] does everything.
static STEADY_MOMENTS: Pass = Pass {
    name: Cow::Borrowed("steady_moments"),
    wgsl: Cow::Borrowed(include_str!("../../../shaders/effects/steady_moments.wgsl")),
    reads: 1,
    uniforms: &["plane", "parts", "length"],
    threads: Threads::Groups(|uniforms| [uniforms[1] as usize, 3, 1]),
    twin: None,
};

/// Computes the step from the moments.
static STEADY_STEP: Pass = Pass {
    name: Cow::Borrowed("steady_step"),
    wgsl: Cow::Borrowed(include_str!("../../../shaders/effects/steady_step.wgsl")),
    reads: 1,
    uniforms: &["plane", "parts", "length", "share", "mean_limit", "least", "greatest", "step", "empty"],
    threads: Threads::Groups(|_| [1, 1, 1]),
    twin: None,
};

/// Takes a step back into the band.
static STEADY: Pass = Pass {
    name: Cow::Borrowed("steady"),
    wgsl: Cow::Borrowed(include_str!("../../../shaders/effects/steady.wgsl")),
    reads: 1,
    uniforms: &["count", "plane", "share"],
    threads: Threads::Numbers,
    twin: Some(|work| steady(work.to, work.float(2))),
};

/// How far the parts of a painting have moved. In memory, the twin of [`STIR_PASS`] does everything.
static STIR_CHANGE: Pass = Pass {
    name: Cow::Borrowed("stir_change"),
    wgsl: Cow::Borrowed(include_str!("../../../shaders/effects/stir_change.wgsl")),
    reads: 2,
    uniforms: &["count", "length"],
    threads: Threads::Groups(|uniforms| [(uniforms[0] as usize).div_ceil(uniforms[1] as usize), 1, 1]),
    twin: None,
};

/// Adds grain to a still painting.
static STIR_PASS: Pass = Pass {
    name: Cow::Borrowed("stir"),
    wgsl: Cow::Borrowed(include_str!("../../../shaders/effects/stir.wgsl")),
    reads: 2,
    uniforms: &["count", "parts", "still", "grain", "share"],
    threads: Threads::Numbers,
    twin: Some(|work| stir(work.to, work.reads[1], work.float(4))),
};

/// Brings the picture's colour or light back into the painting.
static KEEP: Pass = Pass {
    name: Cow::Borrowed("keep"),
    wgsl: Cow::Borrowed(include_str!("../../../shaders/effects/keep.wgsl")),
    reads: 1,
    uniforms: &["count", "amount", "is_light"],
    threads: Threads::Pixels,
    twin: Some(keep_twin),
};

pub static PASSES: [&Pass; 7] = [&LIMIT, &STEADY_MOMENTS, &STEADY_STEP, &STEADY, &STIR_CHANGE, &STIR_PASS, &KEEP];

fn keep_twin(work: &mut Work) {
    let what = if work.uniforms[2] != 0 { Keep::Light } else { Keep::Colour };
    keep(work.to, work.reads[0], work.float(1), what);
}

/// Minimum numbers per workgroup of a sum, and the maximum number of workgroups, as in `stir`.
const SHORTEST_PART: usize = 2048;
const MOST_PARTS: usize = 64;

/// Number of parts of a sum, and the length of each.
fn cut(count: usize) -> [usize; 2] {
    let length = count.div_ceil(count.div_ceil(SHORTEST_PART).clamp(1, MOST_PARTS)).max(1);
    [count.div_ceil(length), length]
}

/// The functions below on a canvas. Intermediate results (how far a canvas has left its band, whether a painting is still)
/// stay where the pictures are.
#[derive(Debug, Default)]
pub struct Balance {
    /// Results for the parts of a picture, and for the whole.
    parts: Surface,
    step: Surface,
}

impl Balance {
    /// As [`clamp`].
    ///
    /// # Errors
    /// As the canvas.
    pub fn limit(&mut self, canvas: &mut dyn Canvas, surface: &mut Surface) -> Result<(), EngineError> {
        let count = surface.len() as u32;
        canvas.run(&LIMIT, &[count], &mut [], surface)
    }

    /// As [`steady`], of `painted`.
    ///
    /// # Errors
    /// As the canvas.
    pub fn steady(&mut self, canvas: &mut dyn Canvas, painted: &mut Surface, share: f32) -> Result<(), EngineError> {
        let Balance { parts, step } = self;
        let [_, height, width] = painted.shape();
        let plane = height * width;
        let [count, length] = cut(plane);
        let sizes = [plane, count, length].map(|n| n as u32);
        canvas.shape(parts, [1, 3 * MOST_PARTS, 2])?;
        canvas.shape(step, [1, 1, 8])?;
        canvas.run(&STEADY_MOMENTS, &sizes, &mut [painted], parts)?;
        let [least, greatest] = DEVIATION_LIMITS;
        let limits = [share, MEAN_LIMIT, least, greatest, STEP, EMPTY].map(f32::to_bits);
        let [share, mean, least, greatest, most, empty] = limits;
        let uniforms = [sizes[0], sizes[1], sizes[2], share, mean, least, greatest, most, empty];
        canvas.run(&STEADY_STEP, &uniforms, &mut [parts], step)?;
        let uniforms = [painted.len() as u32, sizes[0], share];
        canvas.run(&STEADY, &uniforms, &mut [step], painted)
    }

    /// As [`stir`].
    ///
    /// # Errors
    /// As the canvas.
    pub fn stir(
        &mut self,
        canvas: &mut dyn Canvas,
        painting: &mut Surface,
        before: &mut Surface,
        share: f32,
    ) -> Result<(), EngineError> {
        let parts = &mut self.parts;
        canvas.shape(parts, [1, 3 * MOST_PARTS, 2])?;
        let count = painting.len();
        let [cuts, length] = cut(count);
        canvas.run(&STIR_CHANGE, &[count, length].map(|n| n as u32), &mut [painting, before], parts)?;
        let [still, grain, share] = [STILL * count as f32, share * STIR, share].map(f32::to_bits);
        canvas.run(&STIR_PASS, &[count as u32, cuts as u32, still, grain, share], &mut [parts, before], painting)
    }

    /// As [`keep`].
    ///
    /// # Errors
    /// As the canvas.
    pub fn keep(
        &mut self,
        canvas: &mut dyn Canvas,
        painting: &mut Surface,
        picture: &mut Surface,
        amount: f32,
        what: Keep,
    ) -> Result<(), EngineError> {
        if amount <= 0.0 {
            return Ok(());
        }
        let [_, height, width] = painting.shape();
        let uniforms = [(height * width) as u32, amount.to_bits(), u32::from(what == Keep::Light)];
        canvas.run(&KEEP, &uniforms, &mut [picture], painting)
    }
}

/// Mean and standard deviation of all numbers.
pub fn mean_and_deviation(data: &[f32]) -> (f32, f32) {
    let count = data.len().max(1) as f64;
    // 32-bit sums of short runs, which vectorise, added in 64 bits.
    let sum = |f: &dyn Fn(&[f32]) -> f32| data.chunks(256).map(|run| f64::from(f(run))).sum::<f64>();
    let mean = (sum(&|run| run.iter().sum()) / count) as f32;
    let variance = sum(&|run| run.iter().map(|x| (x - mean) * (x - mean)).sum()) / count;
    (mean, variance.sqrt() as f32)
}

/// Moves a canvas that has left the band one small step back. `share` (0 to 1) is the share of the canvas that comes from
/// the loop, and scales the step. The deviation is measured within each colour: a canvas of one colour is empty.
pub fn steady(canvas: &mut Image, share: f32) {
    let pixels = (canvas.height * canvas.width).max(1);
    if canvas.data.iter().any(|x| !x.is_finite()) {
        clamp(&mut canvas.data);
    }
    let mut means = [0.0; 3];
    let (mut mean, mut variance) = (0.0, 0.0);
    for (plane, own) in canvas.data.chunks_exact(pixels).zip(&mut means) {
        let (plane_mean, deviation) = mean_and_deviation(plane);
        *own = plane_mean;
        mean += plane_mean / 3.0;
        variance += deviation * deviation / 3.0;
    }
    let deviation = variance.sqrt();
    if deviation < EMPTY {
        grain(&mut canvas.data, share * EMPTY, 0);
    }
    let wanted = mean.clamp(-MEAN_LIMIT, MEAN_LIMIT);
    let shift = (wanted - mean).clamp(-STEP, STEP) * share;
    let [least, greatest] = DEVIATION_LIMITS;
    let stretch = deviation.clamp(least, greatest) / deviation.max(1e-6);
    let stretch = 1.0 + (stretch.clamp(1.0 - STEP, 1.0 + STEP) - 1.0) * share;
    if shift == 0.0 && stretch == 1.0 {
        return;
    }
    for (plane, own) in canvas.data.chunks_exact_mut(pixels).zip(means) {
        plane.iter_mut().for_each(|x| *x = ((*x - own) * stretch + own + shift).clamp(-1.0, 1.0));
    }
}

/// Adds barely visible grain to a painting that hardly differs from the previous one; `share` as in [`steady`]. The grain
/// is derived from the painting itself, so a resumed run continues identically.
pub fn stir(painting: &mut Image, before: &Image, share: f32) {
    let runs = painting.data.chunks(256).zip(before.data.chunks(256));
    let difference = |(a, b): (&[f32], &[f32])| a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f32>();
    let change: f64 = runs.map(|run| f64::from(difference(run))).sum();
    if change < f64::from(STILL) * painting.data.len() as f64 {
        let seed = seed_of(&painting.data);
        grain(&mut painting.data, share * STIR, seed);
    }
}

/// A seed from all numbers and their positions, independent of the order of evaluation: a card evaluates many at once.
fn seed_of(data: &[f32]) -> u32 {
    let words = (0u32..).zip(data).map(|(i, x)| mix_bits(x.to_bits() ^ mix_bits(i)));
    words.fold(0, u32::wrapping_add)
}

/// Adds noise of about this deviation, always the same for one seed.
fn grain(data: &mut [f32], deviation: f32, seed: u32) {
    for (i, x) in (0u32..).zip(data) {
        // Uniform over ±√3 deviations.
        *x += (mix_bits(i ^ seed) as f32 / u32::MAX as f32 - 0.5) * (12f32.sqrt() * deviation);
    }
}

/// A bijective hash of 32-bit numbers: the finaliser of MurmurHash3.
fn mix_bits(bits: u32) -> u32 {
    let hash = (bits ^ (bits >> 16)).wrapping_mul(0x85eb_ca6b);
    let hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

/// Luma of one pixel with Rec. 601 weights, on the encoded values.
fn light(rgb: [f32; 3]) -> f32 {
    0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]
}

/// Brings back `amount` (0 to 1) of the picture's colour or light into a painting of the same size.
pub fn keep(painting: &mut Image, picture: &Image, amount: f32, what: Keep) {
    if amount <= 0.0 {
        return;
    }
    let plane = painting.height * painting.width;
    let (reds, rest) = painting.data.split_at_mut(plane);
    let (greens, blues) = rest.split_at_mut(plane);
    for i in 0..plane {
        let painted = [reds[i], greens[i], blues[i]];
        let original = [picture.data[i], picture.data[plane + i], picture.data[2 * plane + i]];
        let (to, from) = (light(painted), light(original));
        let kept: [f32; 3] = match what {
            Keep::Colour => std::array::from_fn(|c| painted[c] + amount * (original[c] - from + to - painted[c])),
            Keep::Light => {
                // Less light has less colour: the distance to grey shrinks with it.
                let fade = ((1.0 + from) / (1.0 + to).max(1e-3)).clamp(0.0, 1.0);
                painted.map(|v| v + amount * (from + (v - to) * fade - v))
            }
        };
        [reds[i], greens[i], blues[i]] = kept.map(|v| v.clamp(-1.0, 1.0));
    }
}

/// Clamps to −1..1; NaN becomes 0.
pub fn clamp(data: &mut [f32]) {
    data.iter_mut().for_each(|x| *x = if x.is_nan() { 0.0 } else { x.clamp(-1.0, 1.0) });
}

#[cfg(test)]
mod test {
    use super::*;

    fn image(f: impl Fn(usize) -> f32) -> Image {
        let mut image = Image::new(3, 16, 16);
        image.data.iter_mut().enumerate().for_each(|(i, x)| *x = f(i));
        image
    }

    #[test]
    fn a_canvas_inside_the_band_is_unchanged() {
        let mut canvas = image(|i| if i % 2 == 0 { 0.6 } else { -0.2 });
        let before = canvas.clone();
        steady(&mut canvas, 1.0);
        assert_eq!(canvas, before);
    }

    #[test]
    fn black_white_grey_and_noise_come_back() {
        type Start = fn(usize) -> f32;
        let starts: [(&str, Start); 6] = [
            ("one colour", |i| [0.6, -0.2, -0.5][i / 256]),
            ("black", |_| -1.0),
            ("white", |_| 1.0),
            ("grey", |_| 0.0),
            ("hard noise", |i| if (i * 7919) % 13 < 6 { -1.0 } else { 1.0 }),
            ("nothing", |_| f32::NAN),
        ];
        for (name, start) in starts {
            let mut canvas = image(start);
            (0..200).for_each(|_| steady(&mut canvas, 0.9));
            let (mean, deviation) = mean_and_deviation(&canvas.data);
            assert!(mean.abs() < MEAN_LIMIT + 0.03, "{name}: mean {mean}");
            let red = mean_and_deviation(&canvas.data[..256]).1;
            assert!((0.08..0.83).contains(&deviation) && red > 0.05, "{name}: deviation {deviation}, of red {red}");
        }
    }

    #[test]
    fn only_a_still_painting_is_stirred() {
        let before = image(|i| i as f32 / 768.0 - 0.5);
        let mut moving = image(|i| i as f32 / 768.0 - 0.498);
        let unstirred = moving.clone();
        stir(&mut moving, &before, 1.0);
        assert_eq!(moving, unstirred);
        let mut still = before.clone();
        stir(&mut still, &before, 1.0);
        let (mut again, mut other) = (before.clone(), still.clone());
        stir(&mut again, &before, 1.0);
        assert_eq!(again, still, "the same painting gets the same grain");
        stir(&mut other, &still, 1.0);
        let steps = |a: &Image, b: &Image| -> Vec<f32> { a.data.iter().zip(&b.data).map(|(a, b)| a - b).collect() };
        let (first, second) = (steps(&still, &before), steps(&other, &still));
        assert!((mean_and_deviation(&first).1 - STIR).abs() < 0.1 * STIR);
        assert!(steps(&still, &other).iter().all(|d| d.abs() < 4.0 * STIR) && first != second);
    }

    #[test]
    fn a_seed_depends_on_every_number_and_its_position() {
        let data: Vec<f32> = (0..64).map(|i| (i as f32).sin()).collect();
        let seed = seed_of(&data);
        for i in 0..64 {
            let mut other = data.clone();
            other[i] = f32::from_bits(other[i].to_bits() ^ 1);
            assert_ne!(seed_of(&other), seed, "number {i}");
            other.clone_from(&data);
            other.swap(i, (i + 7) % 64);
            assert_ne!(seed_of(&other), seed, "number {i} elsewhere");
        }
    }

    #[test]
    fn light_and_colour_are_kept() {
        let picture = image(|i| i as f32 / 768.0 - 0.5);
        let painted = image(|i| (i % 16) as f32 / 40.0);
        let pixel = |i: &Image, at: usize| [i.data[at], i.data[256 + at], i.data[512 + at]];
        let mut out = painted.clone();
        keep(&mut out, &picture, 1.0, Keep::Light);
        assert!((light(pixel(&out, 40)) - light(pixel(&picture, 40))).abs() < 1e-6);
        let mut out = painted.clone();
        keep(&mut out, &picture, 1.0, Keep::Colour);
        assert!((light(pixel(&out, 40)) - light(pixel(&painted, 40))).abs() < 1e-6);
        let difference = |i: &Image| i.data[40] - i.data[512 + 40];
        assert!((difference(&out) - difference(&picture)).abs() < 1e-6);
        let mut out = painted.clone();
        keep(&mut out, &picture, 0.0, Keep::Colour);
        assert_eq!(out, painted);
    }
}
