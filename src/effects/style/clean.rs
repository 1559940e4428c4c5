//! Takes the lattice out of a painting: a fine weave with a period of [`PERIOD`] pixels, best seen on flat areas.
//!
//! Style networks halve the picture twice and enlarge it again, so each of 4 x 4 places in their lattice has filters of its
//! own, and a little error of its own. What pixels in the same place have in common, beyond what all nearby pixels have in
//! common, is that error. Both means are taken over alike colours only, so that outlines stay sharp.

use std::borrow::Cow;

use crate::engine::EngineError;
use crate::engine::canvas::Canvas;
use crate::engine::pass::{Pass, Threads, Work};
use crate::engine::surface::Surface;
use crate::image::Image;

/// Period of the lattice in pixels.
pub const PERIOD: usize = 4;
/// Weights of the pixels one and two steps away, that of the middle being 1: a bell over the same places …
const SAME: [f32; 2] = [0.82, 0.46];
/// … and, over all of them, exactly one period.
const ALL: [f32; 2] = [1.0, 0.5];

/// Means over nearby pixels of alike colours.
static ALIKE: Pass = Pass {
    name: Cow::Borrowed("alike"),
    wgsl: Cow::Borrowed(include_str!("../../../shaders/effects/alike.wgsl")),
    reads: 1,
    uniforms: &["count", "width", "height", "stride", "next", "outer"],
    threads: Threads::Pixels,
    twin: Some(alike_twin),
};

/// Subtracts the difference of two means.
static CLEAN: Pass = Pass {
    name: Cow::Borrowed("clean"),
    wgsl: Cow::Borrowed(include_str!("../../../shaders/effects/clean.wgsl")),
    reads: 2,
    uniforms: &["count", "amount"],
    threads: Threads::Numbers,
    twin: Some(clean_twin),
};

pub static PASSES: [&Pass; 2] = [&ALIKE, &CLEAN];

/// Row by row, so that the inner loop runs over pixels and is vectorised.
fn alike_twin(work: &mut Work) {
    let stride = work.uniforms[3] as usize;
    let weights = [work.float(5), work.float(4), 1.0, work.float(4), work.float(5)];
    let (from, sums) = (work.reads[0], &mut *work.scratch);
    let (width, height, plane) = (from.width, from.height, from.width * from.height);
    sums.data.resize(4 * width, 0.0);
    for y in 0..height {
        sums.data.fill(0.0);
        for (j, row_weight) in weights.iter().enumerate() {
            let Some(row) = (y + j * stride).checked_sub(2 * stride).filter(|row| *row < height) else { continue };
            for (i, weight) in weights.iter().enumerate() {
                add_row(from, [y, row], [i * stride, 2 * stride], row_weight * weight, &mut sums.data);
            }
        }
        let (total, colours) = sums.data.split_at(width);
        for (c, colour) in colours.chunks_exact(width).enumerate() {
            let to = &mut work.to.data[c * plane + y * width..][..width];
            to.iter_mut().zip(colour).zip(total).for_each(|((to, sum), total)| *to = sum / total);
        }
    }
}

/// Adds the pixels of `row` that are `right − left` columns away from those of row `y`: their weights to the first quarter of
/// `sums`, their weighted colours to the others.
fn add_row(from: &Image, [y, row]: [usize; 2], [right, left]: [usize; 2], weight: f32, sums: &mut [f32]) {
    let (width, plane) = (from.width, from.width * from.height);
    let (begin, end) = (left.saturating_sub(right).min(width), (width + left).saturating_sub(right).min(width));
    if begin >= end {
        return;
    }
    let here = |c: usize| &from.data[c * plane + y * width..][begin..end];
    let there = |c: usize| &from.data[c * plane + row * width..][begin + right - left..end + right - left];
    let (totals, colours) = sums.split_at_mut(width);
    let (red, others) = colours.split_at_mut(width);
    let (green, blue) = others.split_at_mut(width);
    let [red, green, blue] = [red, green, blue].map(|colour| &mut colour[begin..end]);
    let ([r, g, b], [r_there, g_there, b_there]) = ([0, 1, 2].map(here), [0, 1, 2].map(there));
    for (x, total) in totals[begin..end].iter_mut().enumerate() {
        let [dr, dg, db] = [r_there[x] - r[x], g_there[x] - g[x], b_there[x] - b[x]];
        let likeness = (1.0 - (dr * dr + dg * dg + db * db)).max(0.0);
        let share = weight * likeness * likeness;
        *total += share;
        red[x] += share * r_there[x];
        green[x] += share * g_there[x];
        blue[x] += share * b_there[x];
    }
}

fn clean_twin(work: &mut Work) {
    let [woven, plain, _] = work.reads;
    let amount = work.float(1);
    let means = woven.data.iter().zip(&plain.data);
    let clean =
        |(to, (woven, plain)): (&mut f32, (&f32, &f32))| *to = (*to - amount * (woven - plain)).clamp(-1.0, 1.0);
    work.to.data.iter_mut().zip(means).for_each(clean);
}

/// Intermediate pictures; kept for their memory.
#[derive(Debug, Default)]
pub struct Clean {
    woven: Surface,
    plain: Surface,
}

impl Clean {
    /// Takes `amount` (0 to 1) of the lattice out of a painting, `[3, H, W]` in −1..1.
    ///
    /// # Errors
    /// As the canvas.
    pub fn clean(&mut self, canvas: &mut dyn Canvas, painting: &mut Surface, amount: f32) -> Result<(), EngineError> {
        let shape @ [_, height, width] = painting.shape();
        if amount <= 0.0 || height * width == 0 {
            return Ok(());
        }
        let [pixels, wide, high] = [height * width, width, height].map(|n| n as u32);
        let settings = |stride: usize, [next, outer]: [f32; 2]| {
            [pixels, wide, high, stride as u32, next.to_bits(), outer.to_bits()]
        };
        canvas.shape(&mut self.woven, shape)?;
        canvas.shape(&mut self.plain, shape)?;
        canvas.run(&ALIKE, &settings(PERIOD, SAME), &mut [painting], &mut self.woven)?;
        canvas.run(&ALIKE, &settings(1, ALL), &mut [&mut self.woven], &mut self.plain)?;
        let uniforms = [painting.len() as u32, amount.to_bits()];
        canvas.run(&CLEAN, &uniforms, &mut [&mut self.woven, &mut self.plain], painting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::canvas::Memory;

    const SIDE: usize = 48;

    fn cleaned(amount: f32, pixel: impl Fn(usize, usize) -> f32) -> Vec<f32> {
        let mut image = Image::new(3, SIDE, SIDE);
        image.data.iter_mut().enumerate().for_each(|(i, to)| *to = pixel(i % SIDE, i / SIDE % SIDE));
        let (mut canvas, mut painting) = (Memory::default(), Surface::from(image));
        Clean::default().clean(&mut canvas, &mut painting, amount).expect("memory has room");
        painting.into_image().data
    }

    /// The largest distance from `pixel`, leaving out `rim` pixels at the edges.
    fn distance(data: &[f32], rim: usize, pixel: impl Fn(usize, usize) -> f32) -> f32 {
        let inside = |at: usize| (rim..SIDE - rim).contains(&at);
        let pixels = data.iter().enumerate().map(|(i, found)| (i % SIDE, i / SIDE % SIDE, *found));
        let distances = pixels.filter(|(x, y, _)| inside(*x) && inside(*y)).map(|(x, y, v)| (v - pixel(x, y)).abs());
        distances.fold(0.0, f32::max)
    }

    #[test]
    fn a_weave_goes_and_its_ground_stays() {
        let weave = |x: usize, y: usize| 0.3 + if x % PERIOD == 1 || y % PERIOD == 2 { 0.06 } else { -0.02 };
        let mean = 0.3 + (7.0 * 0.06 - 9.0 * 0.02) / 16.0;
        assert!(distance(&cleaned(1.0, weave), 8, |_, _| mean) < 2e-3);
        assert!(distance(&cleaned(0.0, weave), 0, weave) == 0.0, "off");
        let half = distance(&cleaned(0.5, weave), 8, |_, _| mean);
        assert!((0.02..0.03).contains(&half), "{half}");
    }

    #[test]
    fn outlines_and_strokes_of_other_widths_stay() {
        let edge = |x: usize, _: usize| if x < 21 { -0.7 } else { 0.7 };
        assert!(distance(&cleaned(1.0, edge), 0, edge) < 1e-6);
        let strokes = |x: usize, y: usize| 0.2 * ((x as f32 + 0.6 * y as f32) / 6.5 * std::f32::consts::TAU).sin();
        assert!(distance(&cleaned(1.0, strokes), 8, strokes) < 0.04, "a fifth at most");
    }
}
