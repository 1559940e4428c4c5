//! Brings pictures to the size of a recording, a stream or a share: fitted, dimmed, and padded where no odd sizes are taken. Runs
//! on the thread that feeds the encoder or the other program.

use std::sync::Arc;

use super::Pixels;
use super::recorder::{Frame, Look};
use crate::image::fit::Composer;

/// Brings pictures to the size of a recording.
pub(super) struct Framer {
    size: [u32; 2],
    /// What the encoder takes: a little larger where it takes no odd sizes.
    padded: [u32; 2],
    /// Whether linear light is taken where a picture has it.
    takes_light: bool,
    composer: Composer,
    /// The picture, if it is taken as it is.
    direct: Option<Arc<dyn Frame>>,
    /// Whether the frame is in linear light.
    is_light: bool,
    buffer: Vec<u8>,
}

impl Framer {
    pub(super) fn new(size: [u32; 2], padded: [u32; 2]) -> Self {
        Framer {
            size,
            padded,
            takes_light: false,
            composer: Composer::new(size[0], size[1]),
            direct: None,
            is_light: false,
            buffer: Vec::new(),
        }
    }

    /// With linear light where a picture has it: its frames are never padded.
    pub(super) fn with_light(self, takes_light: bool) -> Self {
        Framer { takes_light, ..self }
    }

    pub(super) fn take(&mut self, frame: &Arc<dyn Frame>, look: Look) {
        let Framer { size, padded, takes_light, composer, direct, is_light, buffer } = self;
        let [width, height] = frame.size();
        let whole = width as usize * height as usize * 4;
        *is_light = *takes_light && frame.light().len() == whole;
        let is_whole = *is_light || frame.rgba().len() == whole;
        let is_plain = [width, height] == *size && look.brightness >= 1.0 && is_whole;
        *direct = (is_plain && (size == padded || *is_light)).then(|| frame.clone());
        if direct.is_some() {
            return;
        }
        if *is_light {
            composer.compose_light(frame.light(), width, height, look.fit, look.brightness);
            return;
        }
        let pixels = match is_plain {
            true => frame.rgba(),
            false => composer.compose(frame.rgba(), width, height, look.fit, look.brightness),
        };
        pad(pixels, *size, *padded, buffer);
    }

    /// Width and height of the picture in it.
    pub(super) fn size(&self) -> [u32; 2] {
        self.size
    }

    pub(super) fn padded(&self) -> [u32; 2] {
        self.padded
    }

    /// The frame, of the padded size, with 8 bits.
    pub(super) fn bytes(&self) -> &[u8] {
        self.direct.as_ref().map_or(&self.buffer, |frame| frame.rgba())
    }

    /// The frame.
    pub(super) fn pixels(&self) -> Pixels<'_> {
        match self.is_light {
            true => Pixels::Light(self.direct.as_ref().map_or(self.composer.light(), |frame| frame.light())),
            false => Pixels::Coded(self.bytes()),
        }
    }
}

/// Repeats the last column and row up to a larger size.
pub(super) fn pad(rgba: &[u8], [width, height]: [u32; 2], [to_width, to_height]: [u32; 2], out: &mut Vec<u8>) {
    out.clear();
    if width == 0 || height == 0 {
        return out.resize(to_width as usize * to_height as usize * 4, 0);
    }
    for row in rgba.chunks_exact(width as usize * 4) {
        out.extend_from_slice(row);
        let last = &row[row.len() - 4..];
        (width..to_width).for_each(|_| out.extend_from_slice(last));
    }
    let line = to_width as usize * 4;
    for _ in height..to_height {
        out.extend_from_within(out.len() - line..);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_sizes_are_padded_with_their_edge() {
        let rgba: Vec<u8> = (1..=3).flat_map(|level| [level; 4]).collect();
        let mut out = Vec::new();
        pad(&rgba, [3, 1], [4, 2], &mut out);
        let levels: Vec<u8> = out.iter().step_by(4).copied().collect();
        assert_eq!(levels, [1, 2, 3, 3, 1, 2, 3, 3]);
    }
}
