//! What the effects of a chain remember from one picture to the next: their own last outputs, their textures, and the last
//! output of the chain.

use super::{Pair, Pipeline, Plate, Playing, Screen, plate};
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
        let mut shown = self.shown.take();
        let mut is_shown = shown.is_some() && self.links.iter().any(|playing| playing.link.compiled.shader.reads.shown);
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
