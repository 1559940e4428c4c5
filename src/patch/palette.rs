//! Palettes in files, as painting programs and palette sites write them: `.hex` (one colour per line), `.gpl` (GIMP), and
//! pictures, whose first row is read. The colours become the value of `/palette`.

use std::path::Path;

use crate::file::{sources, text};
use crate::screen::palette::{MOST_COLOURS, parse};

/// The value of `/palette` for what a preset in the folder `base` says: colours or a name as they are, or the colours of a
/// file.
///
/// # Errors
/// One line, when the file cannot be read or holds no colours.
pub fn of(written: &str, base: &Path) -> Result<String, String> {
    let path = Path::new(written.trim());
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let colours = match ending.as_deref() {
        None => written.to_owned(),
        Some("hex") => lines(&base.join(path), |line| line.split_whitespace().next().map(str::to_owned))?,
        Some("gpl") => lines(&base.join(path), gimp)?,
        Some("png" | "jpg" | "jpeg" | "webp") => first_row(&base.join(path))?,
        Some(_) => return Err(format!("a palette file is .hex, .gpl or a picture; got {written:?}")),
    };
    parse(&colours)?;
    Ok(colours)
}

fn lines(file: &Path, colour: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let text = text::read(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(text.lines().filter_map(|line| colour(line.trim())).collect::<Vec<_>>().join(" "))
}

/// `255 128 0 Orange`
fn gimp(line: &str) -> Option<String> {
    let mut numbers = line.split_whitespace().map(|word| word.parse::<u8>().ok());
    let [r, g, b] = [numbers.next()??, numbers.next()??, numbers.next()??];
    Some(format!("#{r:02x}{g:02x}{b:02x}"))
}

fn first_row(file: &Path) -> Result<String, String> {
    if let Some(colours) = sources::text(file) {
        sources::note_text(file, &colours);
        return Ok(colours.to_string());
    }
    let picture = image::open(file).map_err(|error| format!("{}: {error}", file.display()))?.into_rgb8();
    let step = picture.width().div_ceil(MOST_COLOURS as u32).max(1);
    let colours = (0..picture.width()).step_by(step as usize).map(|x| {
        let [r, g, b] = picture.get_pixel(x, 0).0;
        format!("#{r:02x}{g:02x}{b:02x}")
    });
    let colours = colours.collect::<Vec<_>>().join(" ");
    sources::note_text(file, &colours);
    Ok(colours)
}

#[cfg(test)]
mod tests {
    use super::super::locate::test_folder;
    use super::*;

    #[test]
    fn palettes_come_from_files() {
        let folder = test_folder("palettes", &[]);
        std::fs::write(folder.join("a.hex"), "0a1b2c\n\nFFEE00\n").unwrap();
        std::fs::write(folder.join("b.gpl"), "GIMP Palette\nName: x\n#\n 10  27 44 dark\n255 238 0\n").unwrap();
        let row = image::RgbImage::from_fn(2, 2, |x, y| image::Rgb([x as u8 * 255, y as u8 * 9, 7]));
        row.save(folder.join("c.png")).unwrap();
        for (written, expected) in [
            ("a.hex", "0a1b2c FFEE00"),
            ("b.gpl", "#0a1b2c #ffee00"),
            ("c.png", "#000007 #ff0007"),
            ("ocean", "ocean"),
            ("#000000 #ffffff", "#000000 #ffffff"),
        ] {
            assert_eq!(of(written, &folder).unwrap(), expected);
        }
        assert!(of("none.hex", &folder).unwrap_err().contains("none.hex"));
        assert!(of("a.txt", &folder).unwrap_err().starts_with("a palette file is .hex, .gpl or a picture"));
        assert!(of("oceann", &folder).unwrap_err().contains("one of ember, ocean"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
