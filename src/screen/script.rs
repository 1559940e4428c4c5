//! TorchScript modules as effects: an effect whose one texture a module fills.
//!
//! The module runs where its engine does, so the picture leaves the device for it and comes back: sRGB-encoded floats for the
//! module, linear light on the device. A module that fails leaves the texture as it was. Runs on the engine's thread; memory is
//! kept between pictures.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use half::f16;

use super::chain::Plate;
use super::shader::{Shader, ShaderError};
use crate::engine::gpu::{Device, Mapped, unavailable, wait};
use crate::engine::plan::Script;
use crate::engine::surface::Surface;
use crate::engine::{Engine, EngineError, Inputs, Program};
use crate::image::Image;
use crate::image::convert::linear_from_srgb;
use crate::image::resample::Resizer;

/// The effect that a module is, with a row for each of its knobs.
///
/// # Errors
/// When the file's name cannot be part of an address.
pub fn shader(script: &Arc<Script>) -> Result<Shader, ShaderError> {
    let [_, y, x] = script.gives;
    let size = match script.side {
        Some(side) => format!("{}x{}", side * x, side * y),
        None => "full".to_owned(),
    };
    let mut text = format!("//! A TorchScript module: {}\n//@ texture painted {size}\n", script.words());
    if script.knobs > 0 {
        let knob = |n: usize| format!("    knob{n}: f32, // 0..1 = 0.5: knob {n} of the module\n");
        text.push_str(&format!("struct Params {{\n{}}}\n", (1..=script.knobs).map(knob).collect::<String>()));
    }
    text.push_str("fn effect(uv: vec2f) -> vec4f { return painted(uv); }\n");
    let mut shader = Shader::parse(&script.file, &text, &|_| Err("nothing is imported".to_owned()))?;
    // The same picture gives the same.
    shader.reads.time = false;
    shader.script = Some(script.clone());
    Ok(shader)
}

/// The sRGB-encoded number, −1..1, of each half float of linear light.
fn encoded() -> &'static [f32] {
    static TABLE: OnceLock<Vec<f32>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let number = |bits: u16| {
            let x = f16::from_bits(bits).to_f32();
            let x = if x.is_nan() { 0.0 } else { f64::from(x.clamp(0.0, 1.0)) };
            let srgb = if x <= 0.003_130_8 { x * 12.92 } else { 1.055 * x.powf(1.0 / 2.4) - 0.055 };
            (2.0 * srgb - 1.0) as f32
        };
        (0..=u16::MAX).map(number).collect()
    })
}

/// Linear light for sRGB-encoded numbers 0 to 1 in steps of 1/4096.
fn decoded() -> &'static [f16] {
    static TABLE: OnceLock<Vec<f16>> = OnceLock::new();
    TABLE.get_or_init(|| (0..=4096).map(|i| f16::from_f64(linear_from_srgb(f64::from(i) / 4096.0))).collect())
}

type Prepared = Result<Box<dyn Program>, EngineError>;

/// Runs the module of one effect.
pub struct Painter {
    engine: Arc<dyn Engine>,
    script: Arc<Script>,
    name: String,
    /// With the height and width that it takes. One that cannot be prepared is not tried again at this size.
    program: Option<([usize; 2], Prepared)>,
    content: Image,
    fitted: Image,
    resizer: Resizer,
    painted: Image,
    /// Bytes on the way back, and the buffer on the way here with the size of its picture.
    bytes: Vec<f16>,
    through: Option<([u32; 2], Mapped)>,
    has_painted: bool,
}

impl fmt::Debug for Painter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Painter").field(&self.name).finish()
    }
}

impl Painter {
    pub fn new(engine: Arc<dyn Engine>, script: Arc<Script>, name: &str) -> Painter {
        Painter {
            engine,
            script,
            name: name.to_owned(),
            program: None,
            content: Image::default(),
            fitted: Image::default(),
            resizer: Resizer::default(),
            painted: Image::default(),
            bytes: Vec::new(),
            through: None,
            has_painted: false,
        }
    }

    /// Fills `to` with what the module makes of `from`. A module that fails leaves it as it is, or plain before its first
    /// painting; the error says which module it was.
    ///
    /// # Errors
    /// When the module or the device fails.
    pub fn paint(&mut self, device: &Device, from: &Plate, to: &Plate, knobs: &[f32]) -> Result<(), EngineError> {
        self.read(device, from)?;
        let painted = self.run(to.size, knobs);
        if painted.is_err() && !self.has_painted {
            let [width, height] = to.size.map(|side| side as usize);
            self.resizer.resize(&self.content, height, width, &mut self.painted);
        }
        if painted.is_ok() || !self.has_painted {
            self.write(device, to);
        }
        self.has_painted |= painted.is_ok();
        painted.map_err(|error| unavailable_by(&self.name, error))
    }

    /// Forgets its last painting: the texture is a new one.
    pub fn restart(&mut self) {
        self.has_painted = false;
    }

    /// Runs the module on the content.
    fn run(&mut self, [width, height]: [u32; 2], knobs: &[f32]) -> Result<(), EngineError> {
        let [_, y, x] = self.script.gives;
        let size = [(height as usize).div_ceil(y), (width as usize).div_ceil(x)];
        if self.program.as_ref().is_none_or(|(known, _)| *known != size) {
            let plan = Arc::new(self.script.effect(&self.name, size));
            self.program = Some((size, self.engine.prepare(plan)));
        }
        let program = match &mut self.program {
            Some((_, Ok(program))) => program,
            Some((_, Err(error))) => return Err(error.clone()),
            None => return Ok(()),
        };
        self.resizer.resize(&self.content, size[0], size[1], &mut self.fitted);
        if self.script.takes == 1 {
            let plane = size[0] * size[1];
            for i in 0..plane {
                let [r, g, b] = [0, 1, 2].map(|c| self.fitted.data[c * plane + i]);
                self.fitted.data[i] = 0.2126 * r + 0.7152 * g + 0.0722 * b;
            }
            self.fitted.reshape(1, size[0], size[1]);
        }
        let content = Surface::from(std::mem::take(&mut self.fitted));
        let inputs = Inputs { ws: knobs, image: Some(&content), ..Inputs::default() };
        let mut painted = std::mem::take(&mut self.painted);
        let ran = program.draw(&inputs, &mut painted);
        (self.fitted, self.painted) = (content.into_image(), painted);
        ran
    }

    /// Brings a texture into memory, as sRGB-encoded floats.
    fn read(&mut self, device: &Device, from: &Plate) -> Result<(), EngineError> {
        let [width, height] = from.size;
        let pitch = (width * 8).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
        if self.through.as_ref().is_none_or(|(size, _)| *size != from.size) {
            let bytes = u64::from(pitch) * u64::from(height);
            self.through = Some((from.size, Mapped::new(device, "script", bytes, wgpu::MapMode::Read)));
        }
        let Some((_, through)) = &self.through else { return Ok(()) };
        let mut encoder = device.wgpu.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(pitch), rows_per_image: None };
        encoder.copy_texture_to_buffer(
            from.view.texture().as_image_copy(),
            wgpu::TexelCopyBufferInfo { buffer: &through.buffer, layout },
            wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        );
        device.queue.submit([encoder.finish()]);
        through.map();
        wait(device, None)?;
        if !through.arrived() {
            self.through = None;
            return Err(unavailable("a picture cannot be read".to_owned()));
        }
        let (width, height, table) = (width as usize, height as usize, encoded());
        self.content.reshape(3, height, width);
        let plane = width * height;
        let view = through.buffer.get_mapped_range(..);
        for (y, row) in view.chunks_exact(pitch as usize).take(height).enumerate() {
            for (x, pixel) in row.as_chunks::<8>().0.iter().take(width).enumerate() {
                for c in 0..3 {
                    let bits = u16::from_le_bytes([pixel[2 * c], pixel[2 * c + 1]]);
                    self.content.data[c * plane + y * width + x] = table[usize::from(bits)];
                }
            }
        }
        drop(view);
        through.unmap();
        Ok(())
    }

    /// Writes the painting into a texture; what is larger is cut off.
    fn write(&mut self, device: &Device, to: &Plate) {
        let [width, height] = to.size.map(|side| side as usize);
        let (image, table) = (&self.painted, decoded());
        self.bytes.clear();
        self.bytes.resize(width * height * 4, f16::ONE);
        let plane = image.height * image.width;
        for y in 0..height.min(image.height) {
            for x in 0..width.min(image.width) {
                for c in 0..3 {
                    // Grey is grey in all three.
                    let channel = if image.channels < 3 { 0 } else { c };
                    let number = image.data[channel * plane + y * image.width + x];
                    let step = ((number + 1.0) * 2048.0 + 0.5).clamp(0.0, 4096.0) as usize;
                    self.bytes[(y * width + x) * 4 + c] = table[step];
                }
            }
        }
        device.queue.write_texture(
            to.view.texture().as_image_copy(),
            bytemuck::cast_slice(&self.bytes),
            wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(to.size[0] * 8), rows_per_image: None },
            wgpu::Extent3d { width: to.size[0], height: to.size[1], depth_or_array_layers: 1 },
        );
    }
}

/// The error with the name of the module in front.
fn unavailable_by(name: &str, error: EngineError) -> EngineError {
    match error {
        EngineError::Unavailable { engine, reason } => {
            EngineError::Unavailable { engine, reason: format!("{name}.pt: {reason}") }
        }
        other => other,
    }
}

/// Whether a file's ending is that of a TorchScript module.
pub fn is_script(file: &Path) -> bool {
    file.extension().is_some_and(|ending| ["pt", "pth", "ts", "torchscript"].iter().any(|known| ending == *known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::plan::Argument;

    #[test]
    fn a_module_is_an_effect_with_its_knobs() {
        let script = Script {
            file: "some/glow.pt".into(),
            arguments: vec![Argument::Picture, Argument::Knobs { has_batch: false }],
            knobs: 2,
            takes: 3,
            gives: [3, 1, 1],
            ..Script::default()
        };
        let shader = shader(&Arc::new(script)).expect("valid");
        assert_eq!((shader.name.as_str(), shader.textures.len(), shader.reads.time), ("glow", 1, false));
        let rows: Vec<&str> = shader.rows("glow").iter().map(|row| row.address).collect();
        assert_eq!(rows, ["/fx/glow/enabled", "/fx/glow/mix", "/fx/glow/knob1", "/fx/glow/knob2"]);
    }

    #[test]
    fn light_survives_the_way_there_and_back() {
        for i in 0..=255 {
            let light = f16::from_f64(linear_from_srgb(f64::from(i) / 255.0));
            let number = encoded()[usize::from(light.to_bits())];
            let step = ((number + 1.0) * 2048.0 + 0.5) as usize;
            let back = decoded()[step].to_f64();
            assert!((back - light.to_f64()).abs() < 6e-4, "{i}: {back} was {light}");
        }
    }
}
