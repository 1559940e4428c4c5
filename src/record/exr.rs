//! A frame as an OpenEXR file: linear light with the primaries of Rec. 709, as compositing programs expect it.

use std::io::{self, Cursor};
use std::sync::OnceLock;

use exr::prelude::{Blocks, Compression, Encoding, Image, LineOrder, SpecificChannels, Vec2, WritableImage, f16};

use crate::image::convert::linear_table;

/// Writes 8-bit sRGB as half floats; the 256 levels stay apart. Alpha is dropped: what the audience sees has none.
///
/// # Errors
/// When the picture is larger than the format allows.
pub fn encode(to: &mut Vec<u8>, rgba: &[u8], width: u32, height: u32) -> io::Result<()> {
    static HALVES: OnceLock<[f16; 256]> = OnceLock::new();
    let halves = HALVES.get_or_init(|| linear_table().map(f16::from_f32));
    let (pixels, row) = (rgba.as_chunks::<4>().0, width as usize);
    let channels = SpecificChannels::rgb(|Vec2(x, y): Vec2<usize>| {
        let [r, g, b, _] = pixels[y * row + x].map(|byte| halves[usize::from(byte)]);
        (r, g, b)
    });
    let blocks = Blocks::ScanLines;
    let encoding = Encoding { compression: Compression::ZIP16, blocks, line_order: LineOrder::Increasing };
    let image = Image::from_encoded_channels((row, height as usize), encoding, channels);
    image.write().non_parallel().to_buffered(Cursor::new(to)).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use exr::prelude::*;

    use crate::image::convert::{float_from_byte, linear_from_srgb};

    #[test]
    fn levels_are_linear_and_stay_apart() {
        let rgba: Vec<u8> = (0..=255u8).flat_map(|level| [level, 255 - level, 0, 7]).collect();
        let mut bytes = Vec::new();
        super::encode(&mut bytes, &rgba, 64, 4).unwrap();
        let image = read()
            .no_deep_data()
            .largest_resolution_level()
            .all_channels()
            .first_valid_layer()
            .all_attributes()
            .from_buffered(std::io::Cursor::new(&bytes))
            .unwrap();
        let channels = &image.layer_data.channel_data.list;
        let names: Vec<String> = channels.iter().map(|channel| channel.name.to_string()).collect();
        assert_eq!(names, ["B", "G", "R"]);
        let FlatSamples::F16(red) = &channels[2].sample_data else { panic!("half floats") };
        assert!(red.windows(2).all(|pair| pair[0] < pair[1]));
        for (level, red) in (0..=255u8).zip(red) {
            let expected = linear_from_srgb((f64::from(float_from_byte(level)) + 1.0) / 2.0);
            assert!((f64::from(red.to_f32()) - expected).abs() <= expected / 2000.0 + 1e-6, "{level}: {red}");
        }
        let FlatSamples::F16(blue) = &channels[0].sample_data else { panic!("half floats") };
        assert!(blue.iter().all(|blue| blue.to_f32() == 0.0));
    }
}
