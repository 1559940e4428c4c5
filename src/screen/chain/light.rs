//! Pictures in linear light, as the chain works on them: 16-bit floats for recordings that keep them, while one runs.

use super::{Plate, Screen, plate};
use crate::engine::EngineError;
use crate::engine::surface::{Surface, Texture};
use crate::params::{Kernel, Layout};
use crate::screen::Scaling;

impl Screen {
    /// Whether the light of pictures is sent beside their bytes from now on; see [`Screen::take_pixels`].
    pub fn send_light(&mut self, is_wanted: bool) {
        self.sends_light = is_wanted;
        if !is_wanted {
            self.light = None;
        }
    }

    /// Draws a picture that is shown as it is, at its own size and without effects, so that its light can be sent. What
    /// effects and the limit on flashes remember stays as it is.
    ///
    /// # Errors
    /// As [`Screen::draw`].
    pub fn draw_plain(
        &mut self,
        picture: &mut Surface,
        number: Option<u64>,
    ) -> Result<([u32; 2], Option<Texture>), EngineError> {
        let [_, height, width] = picture.shape();
        let size = [width as u32, height as u32];
        self.begin(size, picture)?;
        let made = match self.light.take().filter(|light| light.size == size) {
            Some(light) => light,
            None => plate(&self.device, size, &mut self.ids),
        };
        let mut encoder = self.device.wgpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        // Where pixels meet pixels, this kernel changes none of them.
        let scaling = Scaling { size, fit: Layout::Contain, kernel: Kernel::Linear, zoom: 1.0, ..Scaling::default() };
        self.enlarge(&mut encoder, picture, &scaling, &made)?;
        let texture = self.finish(&mut encoder, &made, false, number);
        self.light = Some(made);
        Ok((size, self.submit(encoder, texture)))
    }

    /// The end of the chain as it is sent; `None` if that is not wanted. It is covered while the pictures flash, and with
    /// words, in a texture of its own, as effects read what was made.
    pub(super) fn light(
        &mut self,
        encoder: &mut wgpu::CommandEncoder,
        made: &Plate,
        covers: bool,
    ) -> Option<wgpu::Texture> {
        if !self.sends_light {
            return None;
        }
        let made_texture = made.view.texture().clone();
        let is_covered = covers && self.flash.is_watching();
        if !is_covered && !self.over.are_laid() {
            return Some(made_texture);
        }
        let light = match self.light.take().filter(|light| light.size == made.size) {
            Some(light) => light,
            None => plate(&self.device, made.size, &mut self.ids),
        };
        let texture = light.view.texture().clone();
        encoder.copy_texture_to_texture(made_texture.as_image_copy(), texture.as_image_copy(), texture.size());
        if is_covered {
            self.flash.cover_light(encoder, &light.view);
        }
        self.over.draw_light(encoder, &light.view);
        self.light = Some(light);
        Some(texture)
    }
}
