//! Reads picture files: PNG and JPEG. Accesses the disk, so it never runs within a frame.

use std::io;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageReader};

use super::Image;
use super::convert::image_from_rgba8;
use super::fit::{Composer, Fit};

/// Extensions of the supported picture files.
pub const ENDINGS: &[&str] = &["png", "jpg", "jpeg"];
/// Maximum side of a picture, in pixels.
const LONGEST: u32 = 16_384;
/// Maximum memory for decoding, in bytes.
const MOST_BYTES: u64 = 1 << 30;

/// Why a picture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot read {}: {source}", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("{} is not a readable picture ({}): {source}", file.display(), ENDINGS.join(", "))]
    Broken { file: PathBuf, source: image::ImageError },
}

/// Reads a PNG or JPEG, applying its orientation. The contents decide the format, not the extension.
///
/// # Errors
/// When it cannot be read, is not a PNG or JPEG, or is larger than 16384 pixels on a side.
pub fn read(file: &Path) -> Result<DynamicImage, FileError> {
    let failed = |source| FileError::Read { file: file.to_owned(), source };
    let broken = |source| FileError::Broken { file: file.to_owned(), source };
    let mut reader = ImageReader::open(file).and_then(ImageReader::with_guessed_format).map_err(failed)?;
    let mut limits = image::Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(LONGEST), Some(LONGEST));
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(broken)?;
    let orientation = decoder.orientation().map_err(broken)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(broken)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Reads a picture unscaled: `[3, H, W]` in −1..1.
///
/// # Errors
/// As [`read`].
pub fn read_image(file: &Path) -> Result<Image, FileError> {
    let picture = read(file)?.into_rgba8();
    Ok(image_from_rgba8(picture.as_raw(), picture.height() as usize, picture.width() as usize))
}

/// Reads a picture and fits it into a square of `side` pixels, the shape of the network's pictures.
///
/// # Errors
/// As [`read`].
pub fn read_square(file: &Path, side: usize, fit: Fit) -> Result<Image, FileError> {
    let picture = read(file)?.into_rgba8();
    let mut composer = Composer::new(side as u32, side as u32);
    let square = composer.compose(picture.as_raw(), picture.width(), picture.height(), fit, 1.0);
    Ok(image_from_rgba8(square, side, side))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contents_decide_not_the_extension() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-read-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("b.png");
        std::fs::write(&file, "not a picture").unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("b.png"));
        assert!(read(&folder.join("none.jpg")).unwrap_err().to_string().contains("none.jpg"));
        image::RgbImage::from_pixel(9, 3, image::Rgb([255, 0, 0])).save(folder.join("real.png")).unwrap();
        std::fs::rename(folder.join("real.png"), folder.join("a.jpg")).unwrap();
        let square = read_square(&folder.join("a.jpg"), 16, Fit::Cover).unwrap();
        assert_eq!((square.height, square.width, square.data[0], square.data[256]), (16, 16, 1.0, -1.0));
        assert_eq!(read_image(&folder.join("a.jpg")).unwrap().data.len(), 3 * 9 * 3);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
