//! A slide show as one page of HTML: pictures and captions in one file, for any browser, without a network.
//!
//! Pictures cross-fade and drift slowly, keys and touches move on, and a browser prints one picture a page. Without scripts the
//! page is a list of pictures. Pictures change at most twice a second and never without a fade, so that nothing flashes.

use std::io::{self, Cursor, Write};

use data_encoding::BASE64;
use image::codecs::jpeg::JpegEncoder;
use image::imageops::{FilterType, resize};
use image::{ImageError, RgbImage};

const PAGE: &str = include_str!("slides/page.html");
const QUALITY: u8 = 90;

/// What is said of a picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words {
    /// Empty for none.
    pub caption: String,
    /// Whether the caption is marked as a guess.
    pub is_guess: bool,
    /// A smaller line below, such as the name of the network and the seed; may be empty.
    pub note: String,
}

/// A slide show that is being written.
pub struct Slides<W: Write> {
    out: W,
    /// What comes behind the pictures.
    rest: String,
    /// Longest side of a picture, in pixels; larger ones are reduced.
    longest: u32,
}

impl<W: Write> Slides<W> {
    /// Writes what comes before the pictures. Each picture stays for `seconds`, at least 2.
    ///
    /// # Errors
    /// When `out` cannot be written to.
    pub fn begin(mut out: W, title: &str, seconds: f64, longest: u32) -> io::Result<Slides<W>> {
        let page = PAGE
            .replace("{{version}}", env!("CARGO_PKG_VERSION"))
            .replace("{{title}}", &escaped(title))
            .replace("{{seconds}}", &format!("{:.2}", seconds.max(2.0)));
        let (head, rest) = page.split_once("{{figures}}").unwrap_or((&page, ""));
        out.write_all(head.as_bytes())?;
        Ok(Slides { out, rest: rest.to_owned(), longest })
    }

    /// Adds a picture.
    ///
    /// # Errors
    /// When it has no pixels, or cannot be written.
    pub fn add(&mut self, picture: &RgbImage, words: &Words) -> io::Result<()> {
        let jpeg = jpeg(picture, self.longest).map_err(io::Error::other)?;
        let [caption, note] = [&words.caption, &words.note].map(|text| escaped(text));
        // A picture whose caption is doubtful has none for those who only hear it.
        let alt = if words.is_guess || caption.is_empty() { &note } else { &caption };
        let class = if words.is_guess && !caption.is_empty() { " class=\"guess\"" } else { "" };
        write!(self.out, "<figure{class}><img alt=\"{alt}\" src=\"data:image/jpeg;base64,{}\">", BASE64.encode(&jpeg))?;
        if !caption.is_empty() || !note.is_empty() {
            let said = if caption.is_empty() { String::new() } else { format!("<q>{caption}</q>") };
            let note = if note.is_empty() { String::new() } else { format!("<small>{note}</small>") };
            write!(self.out, "<figcaption>{said}{note}</figcaption>")?;
        }
        writeln!(self.out, "</figure>")
    }

    /// Writes what comes behind the pictures.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn end(mut self) -> io::Result<W> {
        self.out.write_all(self.rest.trim_start().as_bytes())?;
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Small pictures keep their size: the browser enlarges them.
fn jpeg(picture: &RgbImage, longest: u32) -> Result<Vec<u8>, ImageError> {
    let (width, height) = picture.dimensions();
    let most = width.max(height);
    let reduced = (most > longest).then(|| {
        let side = |side: u32| ((u64::from(side) * u64::from(longest)).div_ceil(u64::from(most)) as u32).max(1);
        resize(picture, side(width), side(height), FilterType::Lanczos3)
    });
    let mut bytes = Cursor::new(Vec::new());
    reduced.as_ref().unwrap_or(picture).write_with_encoder(JpegEncoder::new_with_quality(&mut bytes, QUALITY))?;
    Ok(bytes.into_inner())
}

/// A text for HTML, in elements and in quotes.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            char if char.is_control() => escaped.push(' '),
            char => escaped.push(char),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(slides: &[(RgbImage, Words)]) -> String {
        let mut show = Slides::begin(Vec::new(), "A & <b>", 0.0, 64).unwrap();
        slides.iter().for_each(|(picture, words)| show.add(picture, words).unwrap());
        String::from_utf8(show.end().unwrap()).unwrap()
    }

    fn words(caption: &str, is_guess: bool, note: &str) -> Words {
        Words { caption: caption.to_owned(), is_guess, note: note.to_owned() }
    }

    #[test]
    fn one_file_holds_pictures_and_captions_and_asks_for_nothing() {
        let picture = RgbImage::from_pixel(200, 100, image::Rgb([10, 200, 30]));
        let page = page(&[
            (picture.clone(), words("a <rose> & \"more\"", false, "")),
            (picture.clone(), words("an emoji", true, "flowers128, seed 3")),
            (picture, Words::default()),
        ]);
        assert_eq!(page.matches("<figure").count(), 3);
        assert!(page.contains("<q>a &lt;rose&gt; &amp; &quot;more&quot;</q>"), "{page}");
        assert!(page.contains("<figure class=\"guess\"><img alt=\"flowers128, seed 3\""), "{page}");
        assert!(page.contains("<title>A &amp; &lt;b&gt;</title>") && page.contains("STAY = 2.00"));
        assert!(page.trim_end().ends_with("</html>") && !page.contains("{{"));
        for foreign in ["http:", "https:", "url(", "@import", "src=\"/"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        // The first picture, read as a browser does.
        let data = page.split("base64,").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let read = image::load_from_memory(&BASE64.decode(data.as_bytes()).unwrap()).unwrap().into_rgb8();
        assert_eq!(read.dimensions(), (64, 32));
        let pixel = read.get_pixel(30, 15).0;
        assert!(pixel.iter().zip([10, 200, 30]).all(|(a, b)| a.abs_diff(b) < 4), "{pixel:?}");
    }

    #[test]
    fn a_picture_without_pixels_is_refused() {
        let mut show = Slides::begin(Vec::new(), "", 8.0, 64).unwrap();
        assert!(show.add(&RgbImage::new(0, 0), &Words::default()).is_err());
    }
}
