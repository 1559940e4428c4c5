//! Pictures are read from files and brought to the shape of the show.
//!
//! Touches the disk: runs on the loader's thread or before a show begins. PNG and JPEG; cameras and videos are not
//! read here.

use std::io;
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageReader};

use crate::engine::Image;
use crate::patch::locate::{self, LocateError, PICTURE_ENDINGS};
use crate::record::compose::{Composer, Fit};

/// Longest side of a picture that is read, in pixels.
const LONGEST: u32 = 16_384;
/// Most memory that decoding may take, in bytes.
const MOST_BYTES: u64 = 1 << 30;

/// Why a file is not played as a picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    #[error(transparent)]
    Folder(#[from] LocateError),
    #[error("{} holds no pictures ({})", folder.display(), PICTURE_ENDINGS.join(", "))]
    Empty { folder: PathBuf },
    #[error("cannot read {}: {source}", file.display())]
    File { file: PathBuf, source: io::Error },
    #[error("{} is no picture that can be read ({}): {source}", file.display(), PICTURE_ENDINGS.join(", "))]
    Broken { file: PathBuf, source: image::ImageError },
}

/// The pictures of a folder in the order of their names, hidden ones left out; a file is itself.
///
/// # Errors
/// When the folder cannot be read or holds no pictures.
pub fn pictures_of(place: &Path) -> Result<Vec<PathBuf>, PictureError> {
    if !place.is_dir() {
        return Ok(vec![place.to_owned()]);
    }
    let found = locate::files(place, PICTURE_ENDINGS)?;
    if found.is_empty() { Err(PictureError::Empty { folder: place.to_owned() }) } else { Ok(found) }
}

/// Reads a PNG or JPEG the way up in which it was taken. What the file holds counts, not what its name says.
///
/// # Errors
/// When it cannot be read, is no such picture, or is larger than 16384 pixels on a side.
pub fn read(file: &Path) -> Result<DynamicImage, PictureError> {
    let failed = |source| PictureError::File { file: file.to_owned(), source };
    let broken = |source| PictureError::Broken { file: file.to_owned(), source };
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

/// `[3, H, W]` in −1..1 of 8-bit RGBA pixels; alpha is left out.
pub fn image_from_rgba8(rgba: &[u8], height: usize, width: usize) -> Image {
    let mut image = Image::new(3, height, width);
    let plane = height * width;
    for (i, pixel) in rgba.as_chunks::<4>().0.iter().enumerate().take(plane) {
        for (c, &byte) in pixel[..3].iter().enumerate() {
            image.data[c * plane + i] = f32::from(byte) / 127.5 - 1.0;
        }
    }
    image
}

/// Reads a picture and brings it to a square of `side` pixels, the shape of the network's pictures.
///
/// # Errors
/// As [`read`].
pub fn read_square(file: &Path, side: usize, fit: Fit) -> Result<Image, PictureError> {
    let picture = read(file)?.into_rgba8();
    let mut composer = Composer::new(side as u32, side as u32);
    let square = composer.compose(picture.as_raw(), picture.width(), picture.height(), fit, 1.0);
    Ok(image_from_rgba8(square, side, side))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::stage::rgba8_from_image;

    #[test]
    fn bytes_become_numbers_and_back() {
        let image = image_from_rgba8(&[0, 128, 255, 7, 255, 0, 1, 9], 1, 2);
        assert_eq!((image.data[0], image.data[4], image.data[1]), (-1.0, 1.0, 1.0));
        let mut rgba = Vec::new();
        rgba8_from_image(&image, &mut rgba);
        assert_eq!(rgba, [0, 128, 255, 255, 255, 0, 1, 255]);
    }

    #[test]
    fn what_is_no_picture_is_named() {
        let folder = std::env::temp_dir().join(format!("latent-jockey-input-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert!(pictures_of(&folder).unwrap_err().to_string().ends_with("holds no pictures (png, jpg, jpeg)"));
        let file = folder.join("b.png");
        std::fs::write(&file, "not a picture").unwrap();
        assert!(read(&file).unwrap_err().to_string().contains("b.png"));
        assert!(read(&folder.join("none.jpg")).unwrap_err().to_string().contains("none.jpg"));
        // A JPEG's name on a PNG: what it holds counts.
        image::RgbImage::from_pixel(9, 3, image::Rgb([255, 0, 0])).save(folder.join("real.png")).unwrap();
        std::fs::rename(folder.join("real.png"), folder.join("a.jpg")).unwrap();
        let square = read_square(&folder.join("a.jpg"), 16, Fit::Cover).unwrap();
        assert_eq!((square.height, square.width, square.data[0], square.data[256]), (16, 16, 1.0, -1.0));
        std::fs::write(folder.join(".hidden.png"), "").unwrap();
        let names: Vec<_> = pictures_of(&folder).unwrap().iter().map(|p| p.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["a.jpg", "b.png"]);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
