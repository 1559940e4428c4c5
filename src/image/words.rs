//! Words over a picture, for an audience: white on a soft shade, in lines of about the same length.
//!
//! The shade is so dark that the words read on white: a contrast of more than 4.5 to 1 (WCAG 2.2, 1.4.3). What is made is a
//! [`Block`] of pixels, laid over a picture here or on a device. The font is DejaVu Sans Condensed Bold, for Latin, Greek and
//! Cyrillic; what it lacks becomes a box. Pure.

use std::sync::OnceLock;

use ab_glyph::{Font, FontRef, PxScale, ScaleFont, point};

use super::convert::linear_table;

const FONT: &[u8] = include_bytes!("words/DejaVuSansCondensed-Bold.ttf");
/// Share of white that the shade takes away, in linear light.
const SHADE: f32 = 0.86;
/// Widest line, as a share of the picture's width.
const WIDEST: f32 = 0.84;
/// Tallest block, as a share of the picture's height.
const TALLEST: f32 = 0.88;
/// Distance to the picture's edge, as a share of its height.
const MARGIN: f32 = 0.05;
/// Smallest height of a line, in pixels.
const SMALLEST: f32 = 9.0;
/// From line to line, as a share of the line's height; so are the next.
const LEADING: f32 = 1.18;
/// From the words to the end of the full shade.
const PADDING: f32 = 0.3;
/// The edge of the shade.
const SOFT: f32 = 0.3;
/// The radius of its corners.
const CORNER: f32 = 0.35;
/// Most characters that are set.
pub const MOST: usize = 600;

/// Where words are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Place {
    #[default]
    Bottom,
    Middle,
    Top,
}

/// How words look.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    /// Counts changes of the words; 0 for none.
    pub serial: u64,
    /// Height of a line, as a share of the picture's height.
    pub size: f32,
    pub place: Place,
    /// From 0, at which nothing is seen, to 1.
    pub opacity: f32,
}

impl Look {
    /// Whether anything is seen.
    pub fn is_shown(&self) -> bool {
        self.serial > 0 && self.opacity > 0.0
    }
}

/// Words as pixels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Its place in the picture, from the left and the top.
    pub at: [u32; 2],
    pub size: [u32; 2],
    /// For each pixel, row by row, white light that is added, and the share of the picture that it covers: 0 to 255 for 0 to 1.
    pub pixels: Vec<[u8; 2]>,
}

/// A block to lay over a picture.
#[derive(Clone, Copy, Debug)]
pub struct Laid<'a> {
    pub block: &'a Block,
    /// Changes with the block.
    pub serial: u64,
    /// From 0 to 1.
    pub opacity: f32,
}

/// Sets words anew only when they, their look or the picture's size change.
#[derive(Debug, Default)]
pub struct Typesetter {
    words: Box<str>,
    made: Option<(Look, [u32; 2])>,
    block: Block,
    /// Counts blocks.
    serial: u64,
}

impl Typesetter {
    /// Other words from now on; returns the last ones.
    pub fn say(&mut self, words: Box<str>) -> Box<str> {
        self.made = None;
        std::mem::replace(&mut self.words, words)
    }

    /// The block for a picture of this width and height; `None` for none.
    pub fn set(&mut self, look: &Look, size: [u32; 2]) -> Option<Laid<'_>> {
        if !look.is_shown() {
            return None;
        }
        // While they fade, their pixels stay.
        let form = (Look { opacity: 1.0, ..*look }, size);
        if self.made != Some(form) {
            self.block = set(&self.words, look, size);
            self.serial += 1;
            self.made = Some(form);
        }
        let laid = Laid { block: &self.block, serial: self.serial, opacity: look.opacity.min(1.0) };
        Some(laid).filter(|laid| !laid.block.pixels.is_empty())
    }
}

fn font() -> Option<&'static FontRef<'static>> {
    static PARSED: OnceLock<Option<FontRef<'static>>> = OnceLock::new();
    PARSED.get_or_init(|| FontRef::try_from_slice(FONT).ok()).as_ref()
}

/// Sets words for a picture of this width and height. Empty if there are none, or no room.
pub fn set(words: &str, look: &Look, [width, height]: [u32; 2]) -> Block {
    let words: Vec<&str> = words.split_whitespace().collect();
    let words = words.join(" ").chars().filter(|c| !c.is_control()).take(MOST).collect::<String>();
    let Some(font) = font().filter(|_| !words.is_empty() && width > 0 && height > 0) else { return Block::default() };
    let (wide, high) = (width as f32, height as f32);
    let mut line = (look.size * high).max(SMALLEST);
    let lines = loop {
        let lines = balanced(font, line, &words, wide * WIDEST - 2.0 * PADDING * line);
        let tall = line * (1.0 + LEADING * (lines.len() as f32 - 1.0) + 2.0 * PADDING);
        if tall <= high * TALLEST || line <= SMALLEST {
            break lines;
        }
        line = (line * 0.92).max(SMALLEST);
    };
    draw(font, line, &lines, look.place, [wide, high])
}

/// Width of words in pixels, with kerning.
fn width_of(font: &FontRef, line: f32, words: &str) -> f32 {
    let font = font.as_scaled(PxScale::from(line));
    let mut last = None;
    words
        .chars()
        .map(|c| {
            let glyph = font.glyph_id(c);
            let kern = last.replace(glyph).map_or(0.0, |last| font.kern(last, glyph));
            kern + font.h_advance(glyph)
        })
        .sum()
}

/// As few lines as fit, of as equal a length as possible.
fn balanced(font: &FontRef, line: f32, words: &str, widest: f32) -> Vec<String> {
    let best = wrapped(font, line, words, widest);
    let (mut low, mut high) = (0.0, widest);
    let mut lines = best;
    for _ in 0..12 {
        let middle = (low + high) / 2.0;
        let tried = wrapped(font, line, words, middle);
        let fits = tried.len() <= lines.len() && tried.iter().all(|tried| width_of(font, line, tried) <= middle);
        if fits {
            (high, lines) = (middle, tried);
        } else {
            low = middle;
        }
    }
    lines
}

/// Lines of at most this width; a word that is longer is broken.
fn wrapped(font: &FontRef, line: f32, words: &str, widest: f32) -> Vec<String> {
    let mut lines = Vec::new();
    let mut now = String::new();
    for word in words.split(' ') {
        let joined = if now.is_empty() { word.to_owned() } else { format!("{now} {word}") };
        if width_of(font, line, &joined) <= widest {
            now = joined;
            continue;
        }
        if !now.is_empty() {
            lines.push(std::mem::take(&mut now));
        }
        for c in word.chars() {
            now.push(c);
            if width_of(font, line, &now) > widest && now.chars().count() > 1 {
                now.pop();
                lines.push(std::mem::replace(&mut now, c.to_string()));
            }
        }
    }
    lines.push(now);
    lines
}

fn draw(font: &FontRef, line: f32, lines: &[String], place: Place, [wide, high]: [f32; 2]) -> Block {
    let widths: Vec<f32> = lines.iter().map(|words| width_of(font, line, words)).collect();
    let widest = widths.iter().copied().fold(0.0, f32::max);
    let tall = line * (1.0 + LEADING * (lines.len() as f32 - 1.0));
    // The shade at its darkest, in the picture.
    let inner = [widest + 2.0 * PADDING * line, tall + 2.0 * PADDING * line];
    let margin = (MARGIN * high).max(SOFT * line);
    let top = match place {
        Place::Top => margin,
        Place::Middle => (high - inner[1]) / 2.0,
        Place::Bottom => high - margin - inner[1],
    };
    let (left, top) = (((wide - inner[0]) / 2.0).round(), top.round());
    let soft = (SOFT * line).ceil();
    let ends = |from: f32, length: f32, most: f32| {
        let [from, to] = [from - soft, from + length + soft].map(|x| x.clamp(0.0, most).round());
        [from as u32, (to - from) as u32]
    };
    let ([x, width], [y, height]) = (ends(left, inner[0], wide), ends(top, inner[1], high));
    let mut white = vec![0.0f32; (width * height) as usize];
    let scaled = font.as_scaled(PxScale::from(line));
    for (number, (words, own)) in lines.iter().zip(&widths).enumerate() {
        let mut pen = point(
            left + (inner[0] - own) / 2.0 - x as f32,
            top + PADDING * line + number as f32 * LEADING * line + scaled.ascent() - y as f32,
        );
        let mut last = None;
        for c in words.chars() {
            let id = scaled.glyph_id(c);
            pen.x += last.replace(id).map_or(0.0, |last| scaled.kern(last, id));
            if let Some(outline) = scaled.outline_glyph(id.with_scale_and_position(PxScale::from(line), pen)) {
                let corner = outline.px_bounds().min;
                outline.draw(|dx, dy, cover| {
                    let (px, py) = (corner.x as i64 + i64::from(dx), corner.y as i64 + i64::from(dy));
                    if (0..i64::from(width)).contains(&px) && (0..i64::from(height)).contains(&py) {
                        let pixel = &mut white[(py * i64::from(width) + px) as usize];
                        *pixel = (*pixel + cover).min(1.0);
                    }
                });
            }
            pen.x += scaled.h_advance(id);
        }
    }
    let (middle, half) = ([left + inner[0] / 2.0, top + inner[1] / 2.0], [inner[0] / 2.0, inner[1] / 2.0]);
    let corner = (CORNER * line).min(half[0]).min(half[1]);
    let pixels = white.iter().enumerate().map(|(i, white)| {
        let at = [x as f32 + (i as u32 % width) as f32 + 0.5, y as f32 + (i as u32 / width) as f32 + 0.5];
        // Distance to a box with round corners; below 0 it is inside.
        let off = [0, 1].map(|axis| (at[axis] - middle[axis]).abs() - half[axis] + corner);
        let outside = if off[0] > 0.0 && off[1] > 0.0 { off[0].hypot(off[1]) } else { off[0].max(off[1]) } - corner;
        let t = (1.0 - outside / soft).clamp(0.0, 1.0);
        let shade = SHADE * t * t * (3.0 - 2.0 * t);
        let cover = 1.0 - (1.0 - shade) * (1.0 - white);
        [*white, cover].map(|share| (share * 255.0).round() as u8)
    });
    Block { at: [x, y], size: [width, height], pixels: pixels.collect() }
}

impl Block {
    /// Lays it over a picture of 8-bit sRGB-encoded RGBA, in linear light; all of it with an `opacity` of 1.
    pub fn over(&self, rgba: &mut [u8], width: u32, opacity: f32) {
        let light = linear_table();
        let rows = self.pixels.chunks_exact(self.size[0].max(1) as usize);
        for (row, words) in (self.at[1] as usize..).zip(rows) {
            let start = (row * width as usize + self.at[0] as usize) * 4;
            let Some(pixels) = rgba.get_mut(start..start + 4 * words.len()) else { return };
            for (pixel, [white, cover]) in pixels.as_chunks_mut::<4>().0.iter_mut().zip(words) {
                if *cover == 0 {
                    continue;
                }
                let [white, cover] = [white, cover].map(|byte| f32::from(*byte) / 255.0 * opacity);
                for byte in &mut pixel[..3] {
                    *byte = encoded(light[usize::from(*byte)] * (1.0 - cover) + white);
                }
            }
        }
    }
}

/// The sRGB byte for linear light 0..1 (IEC 61966-2-1).
fn encoded(light: f32) -> u8 {
    let coded = if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 };
    (coded.clamp(0.0, 1.0) * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "a vase of sunflowers in front of a blue wall, painted thickly by somebody who was in a hurry, \
                        with a table below it and nothing else at all in the whole of the picture";

    fn look(place: Place) -> Look {
        Look { serial: 1, size: 0.06, place, opacity: 1.0 }
    }

    #[test]
    fn words_read_on_every_picture_at_every_size() {
        // Relative luminance and contrast: WCAG 2.2.
        let light = linear_table();
        let contrast = |a: u8, b: u8| {
            let [a, b] = [a, b].map(|byte| light[usize::from(byte)] + 0.05);
            a.max(b) / a.min(b)
        };
        for size in [[1280, 720], [1920, 1080], [3840, 2160], [256, 256]] {
            for under in [0, 90, 188, 255] {
                let block = set(LONG, &look(Place::Bottom), size);
                let mut rgba = vec![under; 4 * (size[0] * size[1]) as usize];
                block.over(&mut rgba, size[0], 1.0);
                let at = |x: u32, y: u32| rgba[4 * ((block.at[1] + y) * size[0] + block.at[0] + x) as usize];
                let (width, height) = (block.size[0] as usize, block.size[1] as usize);
                let white = block.pixels.iter().position(|[white, _]| *white == 255).expect("ink");
                let word = at((white % width) as u32, (white / width) as u32);
                // Everything near the ink is in the full shade.
                let margin = (0.06 * size[1] as f32 * (SOFT + PADDING / 2.0)) as usize + 2;
                for y in margin..height - margin {
                    for x in margin..width - margin {
                        if block.pixels[y * width + x][0] == 0 {
                            let ground = at(x as u32, y as u32);
                            assert!(contrast(word, ground) >= 4.5, "{size:?} on {under}: {word} on {ground}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn long_words_wrap_into_even_lines_and_stay_in_the_picture() {
        let font = font().expect("a font");
        let lines = balanced(font, 40.0, LONG, 1000.0);
        let widths: Vec<f32> = lines.iter().map(|words| width_of(font, 40.0, words)).collect();
        let (longest, shortest) =
            (widths.iter().fold(0.0f32, |a, b| a.max(*b)), widths.iter().fold(1e9f32, |a, b| a.min(*b)));
        assert!(lines.len() > 1 && longest <= 1000.0 && shortest > 0.6 * longest, "{widths:?}");
        assert_eq!(lines.join(" "), LONG.split_whitespace().collect::<Vec<_>>().join(" "));
        let endless = "w".repeat(500);
        for (words, size) in [(LONG, [640, 360]), (&endless, [1280, 720]), (&endless, [64, 64]), ("a", [16, 16])] {
            for place in [Place::Top, Place::Middle, Place::Bottom] {
                let block = set(words, &look(place), size);
                assert!(block.at[0] + block.size[0] <= size[0] && block.at[1] + block.size[1] <= size[1], "{block:?}");
                assert!(block.pixels.iter().any(|[white, _]| *white > 200), "{size:?} {place:?}");
                block.over(&mut vec![0; 4 * (size[0] * size[1]) as usize], size[0], 1.0);
            }
        }
        let [top, bottom] = [Place::Top, Place::Bottom].map(|place| set("a", &look(place), [1280, 720]).at[1]);
        assert!(top < 60 && bottom > 600, "{top} {bottom}");
        assert_eq!(set(" \n ", &look(Place::Top), [1280, 720]), Block::default());
    }

    #[test]
    fn words_are_set_once() {
        let mut setter = Typesetter::default();
        setter.say("one".into());
        let mut serial = |look: &Look| setter.set(look, [640, 360]).map(|laid| (laid.serial, laid.opacity));
        let top = look(Place::Top);
        assert_eq!([serial(&top), serial(&top)], [Some((1, 1.0)); 2]);
        assert_eq!(serial(&Look { opacity: 0.25, ..top }), Some((1, 0.25)), "only as much of it is seen");
        assert_eq!(serial(&look(Place::Bottom)), Some((2, 1.0)));
        assert_eq!([serial(&Look { opacity: 0.0, ..top }), serial(&Look::default())], [None; 2]);
    }

    #[test]
    fn words_fade_in_linear_light() {
        let block = set("O", &look(Place::Middle), [64, 64]);
        let brightest = |opacity: f32| {
            let mut rgba = vec![0; 4 * 64 * 64];
            block.over(&mut rgba, 64, opacity);
            rgba.into_iter().max()
        };
        // Half of white's light is 188 in sRGB.
        assert_eq!([0.0, 0.5, 1.0].map(brightest), [Some(0), Some(188), Some(255)]);
    }
}
