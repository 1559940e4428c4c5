//! A palette: colours that effects read by a number from 0 to 1.

use crate::image::convert::linear_table;

/// The palettes with names.
pub const NAMED: &[(&str, &str)] = &[
    ("ember", "#0b0410 #3b0a2a #8a1c2b #d9501e #f7a531 #ffeeb0"),
    ("ocean", "#020b1c #06304f #0a6c83 #2fb3a5 #a7e3c1 #f4fbe8"),
    ("aurora", "#050a1a #0d2b45 #1b6d61 #55c179 #c7f29b #f3ffe9"),
    ("neon", "#0a0020 #3a0ca3 #b5179e #f72585 #ff9e6d #fff3c4"),
    ("mono", "#000000 #ffffff"),
    ("rainbow", "#e6393c #f08a24 #f6d743 #4db858 #2f8fd0 #5b4bb5 #b13f9b"),
];

/// How many colours a palette may list.
pub const MOST_COLOURS: usize = 256;

/// 256 colours in linear light.
pub type Palette = [[f32; 3]; 256];

/// The palette that a text describes: a name of [`NAMED`], or colours such as `#0a1b2c`, which are spread evenly and blended
/// in linear light.
///
/// # Errors
/// One line that says what is wrong.
pub fn parse(text: &str) -> Result<Box<Palette>, String> {
    let text = text.trim();
    let colours = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map_or(text, |(_, colours)| colours);
    let colours: Vec<[f32; 3]> =
        colours.split([' ', ',']).filter(|word| !word.is_empty()).map(colour).collect::<Result<_, _>>()?;
    if colours.is_empty() || colours.len() > MOST_COLOURS {
        let found = colours.len();
        return Err(format!("a palette takes 1 to {MOST_COLOURS} colours such as #0a1b2c, found {found}"));
    }
    Ok(spread(&colours))
}

fn colour(word: &str) -> Result<[f32; 3], String> {
    let digits = word.strip_prefix('#').unwrap_or(word);
    let number = u32::from_str_radix(digits, 16).ok().filter(|_| digits.len() == 6 && digits.is_ascii());
    let [_, r, g, b] = number.map(u32::to_be_bytes).ok_or_else(|| {
        let names: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
        format!("a palette is a list of colours such as #0a1b2c, or one of {}; found {word:?}", names.join(", "))
    })?;
    let table = linear_table();
    Ok([r, g, b].map(|byte| table[usize::from(byte)]))
}

/// Colours at equal distances, blended in between.
pub fn spread(colours: &[[f32; 3]]) -> Box<Palette> {
    let last = colours.len() - 1;
    Box::new(std::array::from_fn(|i| {
        let at = i as f32 / 255.0 * last as f32;
        let (low, t) = ((at as usize).min(last), at.fract());
        let high = (low + 1).min(last);
        std::array::from_fn(|c| colours[low][c] + (colours[high][c] - colours[low][c]) * t)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_spread_evenly_in_linear_light() {
        let palette = parse("#000000 #ffffff, #ff0000").unwrap();
        assert_eq!((palette[0], palette[255]), ([0.0; 3], [1.0, 0.0, 0.0]));
        assert!((palette[64][0] - 0.5).abs() < 0.01 && (palette[191][1] - 0.5).abs() < 0.01);
        assert_eq!(parse(" Ember ").unwrap(), parse(NAMED[0].1).unwrap());
        assert_eq!(parse("#102030").unwrap()[200], parse("102030").unwrap()[0]);
        for (name, _) in NAMED {
            parse(name).unwrap();
        }
    }

    #[test]
    fn a_mistake_is_named() {
        assert!(parse("#12345").unwrap_err().ends_with("found \"#12345\""));
        assert!(parse("embr").unwrap_err().contains("one of ember, ocean"));
        assert_eq!(parse(" ").unwrap_err(), "a palette takes 1 to 256 colours such as #0a1b2c, found 0");
        assert!(parse(&"#000000 ".repeat(257)).unwrap_err().ends_with("found 257"));
    }
}
