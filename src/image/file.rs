//! Reads picture files: PNG, JPEG and WebP. Accesses the disk, so it never runs within a frame.

use std::io::{self, Cursor};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader};

use super::Image;
use super::convert::image_from_rgba8;
use super::fit::{Composer, Fit};

/// Extensions of the supported picture files.
pub const ENDINGS: &[&str] = &["png", "jpg", "jpeg", "jfif", "webp"];
/// Maximum side of a picture, in pixels.
const LONGEST: u32 = 16_384;
/// Maximum memory for decoding, and maximum file size, in bytes.
const MOST_BYTES: u64 = 1 << 30;
/// Signatures of other picture formats: offset, bytes, name.
const FOREIGN: &[(usize, &[u8], &str)] = &[
    (4, b"ftypavi", "an AVIF"),
    (4, b"ftyphei", "a HEIC"),
    (4, b"ftyphev", "a HEIC"),
    (4, b"ftypmif1", "a HEIC or AVIF"),
    (4, b"ftypmsf1", "a HEIC"),
    (0, b"II*\0", "a TIFF"),
    (0, b"MM\0*", "a TIFF"),
    (0, b"GIF8", "a GIF"),
    (0, b"BM", "a BMP"),
    (0, b"8BPS", "a Photoshop"),
    (0, b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (0, b"\xff\x0a", "a JPEG XL"),
];

/// Why a picture cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("cannot read {}: {source}", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("{} is not a readable picture ({}): {source}", file.display(), ENDINGS.join(", "))]
    Broken { file: PathBuf, source: ImageError },
    #[error("{} is {what} picture, which is not supported; save it as PNG, JPEG or WebP", file.display())]
    Foreign { file: PathBuf, what: &'static str },
    #[error("{} is cut short: the download or copy is incomplete", file.display())]
    CutShort { file: PathBuf },
    #[error(
        "{} has {width} x {height} pixels; at most {LONGEST} on a side and {} MB decoded are read",
        file.display(), MOST_BYTES >> 20
    )]
    TooLarge { file: PathBuf, width: u32, height: u32 },
}

/// Reads a PNG, JPEG or WebP, turned as its Exif orientation says, over black where it is transparent. The contents decide
/// the format, not the extension.
///
/// # Errors
/// When it cannot be read, changes while it is read, is not such a picture, is cut short, or has too many pixels.
pub fn read(file: &Path) -> Result<DynamicImage, FileError> {
    let bytes =
        crate::file::read(file, MOST_BYTES).map_err(|source| FileError::Read { file: file.to_owned(), source })?;
    if bytes.is_empty() {
        let source = io::Error::new(io::ErrorKind::UnexpectedEof, "the file is empty");
        return Err(FileError::Read { file: file.to_owned(), source });
    }
    let starts = |(at, start, _): &&(usize, &[u8], &str)| bytes.get(*at..).is_some_and(|rest| rest.starts_with(start));
    if let Some((.., what)) = FOREIGN.iter().find(starts) {
        return Err(FileError::Foreign { file: file.to_owned(), what });
    }
    match decode(&bytes, LONGEST, MOST_BYTES) {
        Ok(picture) => {
            if is_cut_jpeg(&bytes) {
                tracing::warn!("{} is cut short: the missing part is grey", file.display());
            }
            Ok(over_black(picture))
        }
        Err(ImageError::Limits(_)) => {
            // Only the header is read.
            let size = reader(&bytes).and_then(|mut reader| {
                reader.no_limits();
                reader.into_dimensions()
            });
            let (width, height) = size.unwrap_or_default();
            Err(FileError::TooLarge { file: file.to_owned(), width, height })
        }
        Err(ImageError::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(FileError::CutShort { file: file.to_owned() })
        }
        Err(_) if is_cut_jpeg(&bytes) => Err(FileError::CutShort { file: file.to_owned() }),
        Err(source) => Err(FileError::Broken { file: file.to_owned(), source }),
    }
}

fn reader(bytes: &[u8]) -> Result<ImageReader<Cursor<&[u8]>>, ImageError> {
    Ok(ImageReader::new(Cursor::new(bytes)).with_guessed_format()?)
}

/// As [`read`], from memory, with at most `longest` pixels on a side and `most_bytes` for decoding.
///
/// # Errors
/// When it is not such a picture, is cut short, or is larger.
pub fn from_bytes(bytes: &[u8], longest: u32, most_bytes: u64) -> Result<DynamicImage, ImageError> {
    decode(bytes, longest, most_bytes).map(over_black)
}

fn decode(bytes: &[u8], longest: u32, most_bytes: u64) -> Result<DynamicImage, ImageError> {
    let mut reader = reader(bytes)?;
    let mut limits = image::Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(longest), Some(longest));
    limits.max_alloc = Some(most_bytes);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Whether a JPEG lacks its end marker. Some programs write zeros or a few bytes after it.
fn is_cut_jpeg(bytes: &[u8]) -> bool {
    const MOST_BEHIND: usize = 1 << 16;
    let last = &bytes[bytes.len().saturating_sub(MOST_BEHIND)..];
    bytes.starts_with(b"\xff\xd8") && !last.windows(2).any(|pair| pair == b"\xff\xd9")
}

/// Multiplies colours by alpha, on encoded values: half-transparent white becomes middle grey, as in a browser over black.
fn over_black(picture: DynamicImage) -> DynamicImage {
    if !picture.color().has_alpha() {
        return picture;
    }
    let mut rgba = picture.into_rgba8();
    for pixel in rgba.pixels_mut() {
        let alpha = u16::from(pixel.0[3]);
        for colour in &mut pixel.0[..3] {
            *colour = ((u16::from(*colour) * alpha + 127) / 255) as u8;
        }
        pixel.0[3] = 255;
    }
    DynamicImage::ImageRgba8(rgba)
}

/// Reads a picture as it is: `[3, H, W]` in −1..1.
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

    /// A file in a folder used only by this test.
    fn written(name: &str, bytes: &[u8]) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("latent-jockey-kinds-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(name), bytes).unwrap();
        folder.join(name)
    }

    fn encoded(picture: &DynamicImage, format: image::ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn transparent_pictures_are_shown_over_black() {
        use image::{GrayAlphaImage, LumaA, Rgba, RgbaImage};
        let first = |picture: DynamicImage, name: &str| {
            let file = written(name, &encoded(&picture, image::ImageFormat::Png));
            read(&file).unwrap().into_rgba8().get_pixel(0, 0).0
        };
        let rgba = |pixel| DynamicImage::ImageRgba8(RgbaImage::from_pixel(4, 4, Rgba(pixel)));
        assert_eq!(first(rgba([0, 255, 0, 0]), "hidden.png"), [0, 0, 0, 255]);
        assert_eq!(first(rgba([255, 255, 255, 128]), "half.png"), [128, 128, 128, 255]);
        assert_eq!(first(rgba([9, 90, 250, 255]), "opaque.png"), [9, 90, 250, 255]);
        let grey = DynamicImage::ImageLumaA8(GrayAlphaImage::from_pixel(4, 4, LumaA([200, 0])));
        assert_eq!(first(grey, "grey.png"), [0, 0, 0, 255]);
        let deep = image::ImageBuffer::from_pixel(4, 4, Rgba([65_535u16, 0, 65_535, 32_768]));
        assert_eq!(first(DynamicImage::ImageRgba16(deep), "deep.png"), [128, 0, 128, 255]);
        // One opaque and one transparent entry of a palette.
        let mut palette = Vec::new();
        let mut encoder = png_of_palette(&mut palette);
        encoder.write_image_data(&[0, 1]).unwrap();
        drop(encoder);
        let picture = read(&written("palette.png", &palette)).unwrap().into_rgba8();
        assert_eq!([picture.get_pixel(0, 0).0, picture.get_pixel(1, 0).0], [[255, 0, 0, 255], [0, 0, 0, 255]]);
    }

    fn png_of_palette(out: &mut Vec<u8>) -> png::Writer<&mut Vec<u8>> {
        let mut encoder = png::Encoder::new(out, 2, 1);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(&[255, 0, 0, 0, 255, 0][..]);
        encoder.set_trns(&[255, 0][..]);
        encoder.write_header().unwrap()
    }

    #[test]
    fn webp_and_jpeg_are_read_under_any_extension_and_other_formats_are_named() {
        let picture = DynamicImage::ImageRgb8(image::RgbImage::from_pixel(16, 8, image::Rgb([10, 200, 30])));
        let webp = encoded(&picture, image::ImageFormat::WebP);
        let jpeg = encoded(&picture, image::ImageFormat::Jpeg);
        for (name, bytes) in [("a.webp", &webp), ("webp-inside.jpg", &webp), ("a.jfif", &jpeg)] {
            let read = read(&written(name, bytes)).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!((read.width(), read.height()), (16, 8), "{name}");
        }
        for (name, bytes, word) in [
            ("a.heic", &b"\0\0\0\x18ftypheic\0\0\0\0"[..], "HEIC"),
            ("a.avif", b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
            ("a.tif", b"II*\0\x08\0\0\0", "TIFF"),
            ("b.tif", b"MM\0*\0\0\0\x08", "TIFF"),
        ] {
            let message = read(&written(name, bytes)).unwrap_err().to_string();
            assert!(message.contains(word) && message.contains("PNG, JPEG or WebP"), "{message}");
        }
    }

    #[test]
    fn cut_empty_and_huge_pictures_get_one_line() {
        let noise =
            image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([((x * 37) ^ (y * 91)) as u8, (x * y) as u8, x as u8]));
        let whole = encoded(&DynamicImage::ImageRgb8(noise), image::ImageFormat::Png);
        let message = |name: &str, bytes: &[u8]| read(&written(name, bytes)).unwrap_err().to_string();
        let cut = message("cut.png", &whole[..whole.len() / 2]);
        assert!(cut.contains("cut.png is cut short"), "{cut}");
        let empty = message("zero.jpg", b"");
        assert!(empty.contains("zero.jpg") && empty.contains("empty"), "{empty}");
        // Only the header counts.
        let mut huge = Vec::new();
        let mut writer = png::Encoder::new(&mut huge, 30_000, 20_000).write_header().unwrap();
        writer.write_chunk(png::chunk::IDAT, &[0x78, 0x9c]).unwrap();
        drop(writer);
        let huge = message("huge.png", &huge);
        assert!(huge.contains("30000 x 20000 pixels") && huge.contains("16384"), "{huge}");
        for message in [cut, empty, huge] {
            assert_eq!(message.lines().count(), 1, "{message}");
        }
        let jpeg = |bytes: &[u8]| is_cut_jpeg(bytes);
        assert!(jpeg(b"\xff\xd8\xff\xe0...") && !jpeg(b"\xff\xd8\xff\xe0...\xff\xd9\0\0") && !jpeg(b"\x89PNG"));
    }

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
