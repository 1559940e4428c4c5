//! A frame as an OpenEXR file: linear light with the primaries of Rec. 709, as compositing programs expect it.

use std::io::{self, Cursor};
use std::sync::OnceLock;

use exr::block::writer::ChunksWriter;
use exr::block::{UncompressedBlock, enumerate_ordered_header_block_indices};
use exr::image::write::layers::{LayersWriter, WritableLayers};
use exr::prelude::{Blocks, Compression, Encoding, Image, LineOrder, SpecificChannels, Vec2, f16};
use rayon::prelude::*;

use super::Pixels;
use crate::image::convert::linear_table;

/// Writes linear light as it is, and 8-bit sRGB as half floats; its 256 levels stay apart. Alpha is dropped: what the
/// audience sees has none.
///
/// # Errors
/// When the picture is larger than the format allows.
pub fn encode(to: &mut Vec<u8>, pixels: Pixels, width: u32, height: u32) -> io::Result<()> {
    static HALVES: OnceLock<[f16; 256]> = OnceLock::new();
    let halves = HALVES.get_or_init(|| linear_table().map(f16::from_f32));
    let row = width as usize;
    let channels = SpecificChannels::rgb(|Vec2(x, y): Vec2<usize>| {
        let at = (y * row + x) * 4;
        match pixels {
            Pixels::Light(light) => (light[at], light[at + 1], light[at + 2]),
            Pixels::Coded(rgba) => {
                let half = |byte: u8| halves[usize::from(byte)];
                (half(rgba[at]), half(rgba[at + 1]), half(rgba[at + 2]))
            }
        }
    });
    let blocks = Blocks::ScanLines;
    let encoding = Encoding { compression: Compression::ZIP16, blocks, line_order: LineOrder::Increasing };
    let image = Image::from_encoded_channels((row, height as usize), encoding, channels);
    let headers = image.layer_data.infer_headers(&image.attributes);
    let layers = image.layer_data.create_writer(&headers);
    let written = exr::block::write(Cursor::new(to), headers, true, |meta, out| {
        // Compressed side by side, as one core is too slow for a live show, and written in order: the same bytes each time.
        // The crate would start threads for every picture.
        let indices: Vec<_> = enumerate_ordered_header_block_indices(&meta.headers).collect();
        let chunk = |(place, index)| {
            let data = layers.extract_uncompressed_block(&meta.headers, index);
            Ok((place, UncompressedBlock { index, data }.compress_to_chunk(&meta.headers)?))
        };
        let chunks: Vec<_> = indices.into_par_iter().map(chunk).collect::<Result<_, exr::error::Error>>()?;
        chunks.into_iter().try_for_each(|(place, chunk)| out.write_chunk(place, chunk))
    });
    written.map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use exr::prelude::*;

    use super::Pixels;
    use crate::image::convert::{float_from_byte, linear_from_srgb};

    /// The names of the channels, and their numbers.
    fn channels_of(bytes: &[u8]) -> Vec<(String, Vec<f16>)> {
        let image = read()
            .no_deep_data()
            .largest_resolution_level()
            .all_channels()
            .first_valid_layer()
            .all_attributes()
            .from_buffered(std::io::Cursor::new(bytes))
            .unwrap();
        let channel = |channel: AnyChannel<FlatSamples>| match channel.sample_data {
            FlatSamples::F16(halves) => (channel.name.to_string(), halves),
            _ => panic!("half floats"),
        };
        image.layer_data.channel_data.list.into_iter().map(channel).collect()
    }

    #[test]
    fn light_is_written_as_it_is() {
        let numbers = [0.25, 0.250_25, 7.5, 1.0, -0.5, 0.0, 1e-5, 1.0, 65_504.0, 1.0, 0.5, 1.0].map(f16::from_f32);
        let mut bytes = Vec::new();
        super::encode(&mut bytes, Pixels::Light(&numbers), 3, 1).unwrap();
        let channels = channels_of(&bytes);
        for (at, name) in ["B", "G", "R"].into_iter().enumerate() {
            let expected: Vec<f16> = numbers.iter().skip(2 - at).step_by(4).copied().collect();
            assert_eq!(channels[at], (name.to_owned(), expected));
        }
    }

    #[test]
    fn levels_are_linear_and_stay_apart() {
        let rgba: Vec<u8> = (0..=255u8).flat_map(|level| [level, 255 - level, 0, 7]).collect();
        let mut bytes = Vec::new();
        super::encode(&mut bytes, Pixels::Coded(&rgba), 64, 4).unwrap();
        let channels = channels_of(&bytes);
        let red = &channels[2].1;
        assert!(red.windows(2).all(|pair| pair[0] < pair[1]));
        for (level, red) in (0..=255u8).zip(red) {
            let expected = linear_from_srgb((f64::from(float_from_byte(level)) + 1.0) / 2.0);
            assert!((f64::from(red.to_f32()) - expected).abs() <= expected / 2000.0 + 1e-6, "{level}: {red}");
        }
        assert!(channels[0].1.iter().all(|blue| blue.to_f32() == 0.0));
    }
}
