//! What the effects of a chain remember from one picture to the next: their own last outputs, their textures, and the last
//! output of the chain; and what the limit on flashes has seen.

use super::{Mapped, Pair, Pipeline, Plate, Playing, Screen, plate, unavailable, wait};
use crate::engine::EngineError;
use crate::engine::memo::{Memo, MemoError};

impl Playing {
    /// Whether its next picture depends on earlier ones.
    fn remembers(&self) -> bool {
        let shader = &self.link.compiled.shader;
        shader.reads.last || shader.reads.shown || !shader.textures.is_empty()
    }

    /// A compute step may leave some of what is in the texture that it fills.
    fn has_compute(&self) -> bool {
        self.link.compiled.steps.iter().any(|step| matches!(step, Pipeline::Compute(..)))
    }
}

impl Screen {
    /// Whether pictures that were drawn before can be seen in the next one.
    pub fn remembers(&self) -> bool {
        self.links.iter().any(Playing::remembers)
    }

    /// What it remembers.
    ///
    /// # Errors
    /// When the device is lost, and when it is given back to another chain.
    pub fn memo(&mut self, memo: &mut Memo) -> Result<(), MemoError> {
        let mut size = self.size;
        memo.u32(&mut size[0])?;
        memo.u32(&mut size[1])?;
        memo.same("the number of effects", &self.links.len())?;
        if size.contains(&0) {
            return Ok(());
        }
        self.resize(size);
        let mut links = std::mem::take(&mut self.links);
        let described = links.iter_mut().try_for_each(|playing| self.memo_of(playing, memo));
        self.links = links;
        described?;
        let mut watches = self.flash.is_watching();
        memo.bool(&mut watches)?;
        if watches {
            let (buffers, mean) = self.flash.memory(&self.device, size);
            buffers.iter().try_for_each(|buffer| self.buffer(memo, buffer))?;
            self.plate(memo, &Plate { view: mean, id: 0, size })?;
        } else {
            self.flash.forget();
        }
        let mut shown = self.shown.take();
        let is_read = watches || self.links.iter().any(|playing| playing.link.compiled.shader.reads.shown);
        let mut is_shown = shown.is_some() && is_read;
        memo.bool(&mut is_shown)?;
        if is_shown {
            let last = shown.get_or_insert_with(|| plate(&self.device, size, &mut self.ids));
            self.plate(memo, last)?;
        }
        self.shown = shown;
        Ok(())
    }

    fn memo_of(&mut self, playing: &mut Playing, memo: &mut Memo) -> Result<(), MemoError> {
        memo.same("an effect", playing.link.name.as_str())?;
        let shader = playing.link.compiled.shader.clone();
        let both = playing.has_compute();
        // Before it is drawn for the first time it has no textures.
        let mut has_last = playing.last.is_some();
        memo.bool(&mut has_last)?;
        if !has_last {
            playing.last = None;
        } else if playing.last.is_none() {
            playing.last = Some(self.pair(self.size));
        }
        let mut has_textures = !playing.textures.is_empty();
        memo.bool(&mut has_textures)?;
        if !has_textures {
            playing.textures.clear();
        } else if playing.textures.len() != shader.textures.len() {
            playing.textures = shader.textures.iter().map(|texture| self.pair(texture.extent.of(self.size))).collect();
        }
        playing.last.iter().chain(&playing.textures).try_for_each(|pair| self.memo_pair(memo, pair, both))
    }

    fn memo_pair(&self, memo: &mut Memo, pair: &Pair, both: bool) -> Result<(), MemoError> {
        self.plate(memo, pair.front())?;
        if both { self.plate(memo, pair.back()) } else { Ok(()) }
    }

    fn buffer(&self, memo: &mut Memo, buffer: &wgpu::Buffer) -> Result<(), MemoError> {
        let mut bytes = if memo.gives_back() { Vec::new() } else { self.bytes_of(buffer)? };
        memo.bytes(&mut bytes)?;
        if !memo.gives_back() {
            return Ok(());
        }
        if bytes.len() as u64 != buffer.size() {
            return Err(MemoError::Short);
        }
        self.device.queue.write_buffer(buffer, 0, &bytes);
        Ok(())
    }

    fn bytes_of(&self, buffer: &wgpu::Buffer) -> Result<Vec<u8>, EngineError> {
        let through = Mapped::new(&self.device, "memo", buffer.size(), wgpu::MapMode::Read);
        let mut encoder = self.device.wgpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &through.buffer, 0, buffer.size());
        self.device.queue.submit([encoder.finish()]);
        through.map();
        wait(&self.device, None)?;
        if !through.arrived() {
            return Err(unavailable("a buffer cannot be read".to_owned()));
        }
        let view = through.buffer.get_mapped_range(..);
        Ok(view[..buffer.size() as usize].to_vec())
    }

    fn plate(&self, memo: &mut Memo, plate: &Plate) -> Result<(), MemoError> {
        let [width, height] = plate.size;
        memo.same("a texture", &format!("{width}x{height}"))?;
        let mut halves = if memo.gives_back() { Vec::new() } else { self.halves(plate)? };
        memo.bytes(&mut halves)?;
        if !memo.gives_back() {
            return Ok(());
        }
        if halves.len() != width as usize * height as usize * 8 {
            return Err(MemoError::Short);
        }
        self.device.queue.write_texture(
            plate.view.texture().as_image_copy(),
            &halves,
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(width * 8), rows_per_image: None },
            wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        );
        Ok(())
    }
}
