//! Pictures as texts: `data:image/jpeg;base64,…`, both ways. Pure.

use std::sync::LazyLock;

use data_encoding::{BASE64, Encoding, Specification};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageError, RgbImage};

use crate::image::file;

/// Longest side of a picture that is read, in pixels.
const LONGEST: u32 = 8192;
/// Most memory for decoding one, in bytes.
const MOST_BYTES: u64 = 256 << 20;
/// Of the JPEGs that are sent.
const QUALITY: u8 = 90;
const HEAD: &str = "data:image/jpeg;base64,";

/// Base64 as people write it: with or without padding, in lines.
static TOLERANT: LazyLock<Encoding> = LazyLock::new(|| {
    let mut specification = Specification::new();
    specification.symbols.push_str("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    specification.translate.from.push_str("-_");
    specification.translate.to.push_str("+/");
    specification.ignore.push_str("= \t\r\n");
    specification.check_trailing_bits = false;
    specification.encoding().expect("symbols and what is ignored do not overlap")
});

/// Why a text is no picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    #[error("expected base64 of a PNG or JPEG, found something else at character {0}")]
    Base64(usize),
    #[error("expected a PNG or JPEG of at most {LONGEST} pixels on a side and {} MB decoded, found a larger one", MOST_BYTES >> 20)]
    TooLarge,
    #[error("expected a PNG or JPEG, found what cannot be read: {0}")]
    Broken(ImageError),
    #[error("expected a PNG or JPEG, found nothing")]
    Empty,
}

/// Reads a data URI, or bare base64: whatever stands before the first comma is passed over. Transparent parts become black.
///
/// # Errors
/// When it is not the base64 of a picture that the instrument reads, or too large.
pub fn decode(text: &str) -> Result<RgbImage, PictureError> {
    let base64 = text.split_once(',').map_or(text, |(_, after)| after);
    let start = text.len() - base64.len();
    let bytes = TOLERANT.decode(base64.as_bytes()).map_err(|error| PictureError::Base64(start + error.position))?;
    if bytes.is_empty() {
        return Err(PictureError::Empty);
    }
    let picture = file::from_bytes(&bytes, LONGEST, MOST_BYTES).map_err(|error| match error {
        ImageError::Limits(_) => PictureError::TooLarge,
        error => PictureError::Broken(error),
    })?;
    let picture = picture.into_rgb8();
    if picture.is_empty() { Err(PictureError::Empty) } else { Ok(picture) }
}

/// A picture as a data URI, a JPEG. `None` if it has no pixels.
pub fn encode(picture: &RgbImage) -> Option<String> {
    let mut jpeg = Vec::with_capacity(64 << 10);
    let encoder = JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
    encoder.write_image(picture, picture.width(), picture.height(), ExtendedColorType::Rgb8).ok()?;
    let mut text = String::with_capacity(HEAD.len() + BASE64.encode_len(jpeg.len()));
    text.push_str(HEAD);
    BASE64.encode_append(&jpeg, &mut text);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{DynamicImage, ImageFormat, Rgba, RgbaImage};
    use std::io::Cursor;

    fn png(picture: &DynamicImage) -> String {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        BASE64.encode(&bytes.into_inner())
    }

    #[test]
    fn pictures_are_read_however_they_are_written() {
        let picture = RgbaImage::from_fn(5, 3, |x, y| Rgba([x as u8 * 50, y as u8 * 90, 7, 255]));
        let expected = DynamicImage::ImageRgba8(picture.clone()).into_rgb8();
        let base64 = png(&picture.into());
        let lines: String =
            base64.as_bytes().chunks(19).map(|line| format!("{}\r\n", String::from_utf8_lossy(line))).collect();
        for text in [
            format!("data:image/png;base64,{base64}"),
            // The type may be wrong, and the head missing.
            format!("data:image/jpeg;base64,{base64}"),
            base64.clone(),
            base64.trim_end_matches('=').to_owned(),
            format!("data:image/png;base64,{lines}"),
            base64.replace('+', "-").replace('/', "_"),
        ] {
            assert_eq!(decode(&text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn grey_and_transparent_pictures_are_coloured() {
        let grey = image::GrayImage::from_pixel(2, 2, image::Luma([99]));
        assert_eq!(decode(&png(&grey.into())).unwrap().get_pixel(1, 1).0, [99; 3]);
        let clear = RgbaImage::from_pixel(2, 2, Rgba([255, 255, 255, 0]));
        assert_eq!(decode(&png(&clear.into())).unwrap().get_pixel(0, 0).0, [0; 3]);
    }

    #[test]
    fn other_texts_are_refused_with_a_line() {
        let cut = png(&DynamicImage::new_rgb8(64, 64));
        for (text, word) in [
            ("", "nothing"),
            ("data:image/png;base64,", "nothing"),
            ("data:,a*b", "character 7"),
            ("QUJD", "cannot be read"),
            (&cut[..cut.len() / 2], "cannot be read"),
        ] {
            let line = decode(text).unwrap_err().to_string();
            assert!(line.contains(word) && line.lines().count() == 1, "{text}: {line}");
        }
        // Only the header counts: sixteen thousand pixels on a side.
        let mut huge = Vec::new();
        let mut writer = png::Encoder::new(&mut huge, 16_000, 16_000).write_header().unwrap();
        writer.write_chunk(png::chunk::IDAT, &[0x78, 0x9c]).unwrap();
        drop(writer);
        assert!(matches!(decode(&BASE64.encode(&huge)), Err(PictureError::TooLarge)));
    }

    #[test]
    fn what_is_sent_is_a_jpeg() {
        let picture = RgbImage::from_pixel(16, 8, image::Rgb([200, 30, 90]));
        let text = encode(&picture).unwrap();
        let back = decode(&text).unwrap();
        assert!(text.starts_with("data:image/jpeg;base64,/9j/"), "{text}");
        assert_eq!(back.dimensions(), (16, 8));
        assert!(back.get_pixel(3, 3).0.iter().zip([200u8, 30, 90]).all(|(a, b)| a.abs_diff(b) < 4));
        assert_eq!(encode(&RgbImage::new(0, 0)), None);
    }
}
