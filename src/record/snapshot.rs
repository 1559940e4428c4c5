//! Snapshots: PNGs that hold, beside the picture, the take that leads up to it.
//!
//! The take is the compressed text of an iTXt chunk, which picture programs keep or drop but never stumble over. A show that
//! plays such a file goes the same way to the same picture; see [`Take::read`](super::take::Take::read).

use std::io::{self, Cursor, Write};
use std::path::PathBuf;

use png::text_metadata::ITXtChunk;
use png::{BitDepth, ColorType, Compression, Encoder, Info};

use crate::image::Fit;
use crate::image::fit::Composer;

/// The extension of snapshots.
pub const ENDING: &str = "png";
/// The chunk's keyword.
const KEYWORD: &str = "latent-jockey take";
/// The first bytes of every PNG.
const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Most bytes of a take in a picture.
const MOST_BYTES: usize = 1 << 30;

/// A picture to be kept, as the audience sees it.
#[derive(Debug)]
pub struct Still {
    /// `None` for `snapshot.png`, or the next number that is free.
    pub path: Option<PathBuf>,
    /// sRGB-encoded RGBA, rows from top to bottom.
    pub rgba: Vec<u8>,
    /// Width and height of the picture, and of the output.
    pub picture: [u32; 2],
    pub output: [u32; 2],
    pub fit: Fit,
    /// 1 for the picture, 0 for black; in linear light.
    pub brightness: f32,
    /// How many frames of the show lead up to it.
    pub frames: u64,
}

impl Still {
    /// Writes the picture and the take that leads up to it.
    ///
    /// # Errors
    /// When writing fails.
    pub fn write(&self, take: String, out: impl Write) -> io::Result<()> {
        let ([width, height], [from_width, from_height]) = (self.output, self.picture);
        let mut composer = Composer::new(width, height);
        let rgba = composer.compose(&self.rgba, from_width, from_height, self.fit, self.brightness);
        let rgb: Vec<u8> = rgba.as_chunks::<4>().0.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect();
        let mut info = Info::with_size(width, height);
        (info.color_type, info.bit_depth) = (ColorType::Rgb, BitDepth::Eight);
        let mut chunk = ITXtChunk::new(KEYWORD, take);
        chunk.compressed = true;
        info.utf8_text.push(chunk);
        let mut encoder = Encoder::with_info(out, info)?;
        encoder.set_compression(Compression::Balanced);
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&rgb)?;
        writer.finish()?;
        Ok(())
    }
}

/// Whether these are the bytes of a PNG.
pub fn is_png(bytes: &[u8]) -> bool {
    bytes.starts_with(SIGNATURE)
}

/// The take in a PNG; `None` if it holds none.
pub fn take_in(bytes: &[u8]) -> Option<String> {
    let limits = png::Limits { bytes: MOST_BYTES };
    let mut reader = png::Decoder::new_with_limits(Cursor::new(bytes), limits).read_info().ok()?;
    let text = |info: &Info| {
        let mut chunk = info.utf8_text.iter().find(|chunk| chunk.keyword == KEYWORD)?.clone();
        chunk.decompress_text_with_limit(MOST_BYTES).ok()?;
        chunk.get_text().ok()
    };
    if let Some(take) = text(reader.info()) {
        return Some(take);
    }
    // Some programs move it behind the picture.
    reader.finish().ok()?;
    text(reader.info())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_holds_its_take() {
        let still = Still {
            path: None,
            rgba: [[255, 0, 0, 255], [0, 0, 255, 255]].concat(),
            picture: [2, 1],
            output: [2, 1],
            fit: Fit::Contain,
            brightness: 1.0,
            frames: 3,
        };
        // More than the texts that the decoder takes unasked.
        let take = "{\"take\":1}\n{\"text\":[\"ä\",\"日本\"]}\n".repeat(100_000);
        let mut bytes = Vec::new();
        still.write(take.clone(), &mut bytes).unwrap();
        assert!(is_png(&bytes) && bytes.len() < take.len() / 10, "compressed");
        assert_eq!(take_in(&bytes), Some(take));
        let picture = image::load_from_memory(&bytes).unwrap().into_rgb8();
        assert_eq!((picture.dimensions(), picture.into_raw()), ((2, 1), vec![255, 0, 0, 0, 0, 255]));
        let mut plain = Cursor::new(Vec::new());
        image::RgbImage::new(2, 2).write_to(&mut plain, image::ImageFormat::Png).unwrap();
        assert_eq!(take_in(plain.get_ref()), None);
        assert_eq!(take_in(&bytes[..40]), None);
    }
}
