//! The easel of a graphics card: what happens to a picture, asked of the kernels in `shaders/effects`.
//!
//! Twin of [`Processor`](super::easel::Processor), which is the reference. Numbers found out on the way (how far a canvas has
//! left its band, whether a painting stands still) stay on the card too: the kernels that act on them read them there.
//! Nothing comes back until [`GpuEasel::read`]. Runs on the engine's thread.

use std::sync::Arc;

use super::easel::{Easel, Held, Layers};
use super::style::balance::{DEVIATION_LIMITS, EMPTY, MEAN_LIMIT, STEP, STILL, STIR};
use super::style::{Desk, Keep, StyleLoop};
use crate::engine::gpu::chain::{Chain, Kernel, each};
use crate::engine::gpu::{Device, GpuImage, GpuTexture};
use crate::engine::{Content, EngineError, Inputs, Program};
use crate::image::Image;
use crate::image::resample::{CATMULL_ROM, Motion, Taps};

/// Numbers that one workgroup adds up, at least; and workgroups, at most, as `stir` takes them.
const SHORTEST_PART: usize = 2048;
const MOST_PARTS: usize = 64;
/// Tables of resizing that are kept.
const TABLES: usize = 12;

/// Works on pictures of a card.
pub struct GpuEasel {
    chain: Chain,
    /// The last used comes last.
    tables: Vec<Table>,
    /// A picture resized along one axis.
    half_done: GpuImage,
    resized: [GpuImage; 3],
    /// What was found out about the parts of a picture, and what follows.
    parts: GpuImage,
    step: GpuImage,
}

/// How one axis is resized.
struct Table {
    sizes: [usize; 2],
    starts: GpuImage,
    weights: GpuImage,
    taps: usize,
}

/// How many parts a sum is cut into, and numbers of each.
fn cut(count: usize) -> [usize; 2] {
    let length = count.div_ceil(count.div_ceil(SHORTEST_PART).clamp(1, MOST_PARTS)).max(1);
    [count.div_ceil(length), length]
}

fn word(number: f32) -> u32 {
    number.to_bits()
}

impl GpuEasel {
    /// # Errors
    /// When the card is lost or has no room.
    pub fn new(device: Arc<Device>) -> Result<GpuEasel, EngineError> {
        let mut chain = Chain::new(device)?;
        let parts = chain.table(&[0; 3 * MOST_PARTS * 2])?;
        let step = chain.table(&[0; 8])?;
        let (half_done, resized) = Default::default();
        Ok(GpuEasel { chain, tables: Vec::with_capacity(TABLES), half_done, resized, parts, step })
    }

    /// Where it works.
    pub fn device(&self) -> &Arc<Device> {
        self.chain.device()
    }

    /// As [`Chain::begin`], before each picture.
    pub fn begin(&mut self) {
        self.chain.begin();
    }

    /// Lets go of programs that have left.
    pub fn forget(&mut self) {
        self.chain.forget();
    }

    /// As [`Chain::show`].
    ///
    /// # Errors
    /// When the card is lost or has no room.
    pub fn show(&mut self, image: &GpuImage) -> Result<Option<Arc<GpuTexture>>, EngineError> {
        self.chain.show(image)
    }

    /// As [`Chain::read`].
    ///
    /// # Errors
    /// When the card is lost.
    pub fn read(&mut self, image: &GpuImage, to: &mut Image) -> Result<(), EngineError> {
        self.chain.read(image, to)
    }

    /// Makes the table of an axis the last one.
    fn table(&mut self, input: usize, output: usize) -> Result<(), EngineError> {
        let sizes = [input, output];
        if let Some(at) = self.tables.iter().position(|table| table.sizes == sizes) {
            self.tables[at..].rotate_left(1);
            return Ok(());
        }
        let mut taps = Taps::default();
        taps.set(input, input as f64, output, &CATMULL_ROM);
        let starts: Vec<u32> = taps.starts.iter().map(|start| *start as u32).collect();
        let (starts, weights) = (self.chain.table(&starts)?, self.chain.table(bytemuck::cast_slice(&taps.weights))?);
        if self.tables.len() == TABLES {
            self.tables.remove(0);
            self.chain.forget();
        }
        self.tables.push(Table { sizes, starts, weights, taps: taps.count });
        Ok(())
    }

    /// Resizes the middle one of three axes.
    fn resize_axis(
        &mut self,
        from: &GpuImage,
        [outer, input, inner]: [usize; 3],
        output: usize,
        to: &GpuImage,
    ) -> Result<(), EngineError> {
        self.table(input, output)?;
        let Some(table) = self.tables.last() else { return Ok(()) };
        let count = outer * output * inner;
        let settings = [count, input, output, inner, table.taps].map(|n| n as u32);
        self.chain.dispatch(Kernel::Resize, &[from, &table.starts, &table.weights, to], &settings, each(count))
    }

    /// As [`Easel::resize`], with the picture in between.
    fn resize_by(
        &mut self,
        from: &GpuImage,
        [height, width]: [usize; 2],
        half_done: &mut GpuImage,
        to: &mut GpuImage,
    ) -> Result<(), EngineError> {
        let [channels, high, wide] = from.shape();
        self.chain.shape(half_done, [channels, high, width])?;
        self.chain.shape(to, [channels, height, width])?;
        self.resize_axis(from, [channels * high, wide, 1], width, half_done)?;
        self.resize_axis(half_done, [channels, high, width], height, to)
    }

    fn blend_with(
        &mut self,
        parts: &[(&GpuImage, f32)],
        shape: [usize; 3],
        resized: &mut [GpuImage; 3],
        to: &mut GpuImage,
    ) -> Result<(), EngineError> {
        self.chain.shape(to, shape)?;
        let [_, height, width] = shape;
        let count = shape.iter().product();
        let mut settings = [0; 8];
        (settings[0], settings[1]) = (count as u32, (height * width) as u32);
        let parts = parts.iter().filter(|(image, share)| *share > 0.0 && !image.is_empty());
        let mut images = [None; 3];
        for (at, ((image, share), resized)) in parts.zip(resized).enumerate() {
            let image = if image.shape()[1..] == shape[1..] {
                *image
            } else {
                self.resize(image, height, width, resized)?;
                &*resized
            };
            (images[at], settings[2 + at], settings[5 + at]) = (Some(image), image.shape()[0] as u32, word(*share));
        }
        // Where there is nothing to look at stands what is not looked at.
        let Some(nothing) = images[0] else {
            return self.chain.clear(to);
        };
        let [a, b, c] = images.map(|image| image.unwrap_or(nothing));
        self.chain.dispatch(Kernel::Blend, &[a, b, c, to], &settings, each(count))
    }
}

impl Easel for GpuEasel {
    type Sheet = GpuImage;

    fn shape_of(sheet: &GpuImage) -> [usize; 3] {
        sheet.shape()
    }

    fn lend<'a>(&mut self, held: &'a mut Held) -> Result<&'a GpuImage, EngineError> {
        held.on(self.chain.device())
    }

    fn desk<'a>(&mut self, style: &'a mut StyleLoop) -> Desk<'a, GpuImage> {
        style.desk_on(self.chain.device())
    }

    fn run(
        &mut self,
        program: &mut dyn Program,
        inputs: &Inputs,
        over: Option<&GpuImage>,
        to: &mut GpuImage,
    ) -> Result<(), EngineError> {
        // What the program paints over comes first.
        self.chain.submit()?;
        let made = program.run_on_device(&Inputs { image: over.map(Content::Device), ..*inputs })?;
        // The program writes to its own picture again.
        self.chain.copy(&made, to)
    }

    fn copy(&mut self, from: &GpuImage, to: &mut GpuImage) -> Result<(), EngineError> {
        self.chain.copy(from, to)
    }

    fn blend(&mut self, parts: &[(&GpuImage, f32)], shape: [usize; 3], to: &mut GpuImage) -> Result<(), EngineError> {
        let mut resized = std::mem::take(&mut self.resized);
        let blended = self.blend_with(parts, shape, &mut resized, to);
        self.resized = resized;
        blended
    }

    fn resize(&mut self, from: &GpuImage, height: usize, width: usize, to: &mut GpuImage) -> Result<(), EngineError> {
        if from.is_empty() || height * width == 0 {
            return self.chain.shape(to, [0, 0, 0]);
        }
        if from.shape()[1..] == [height, width] {
            return self.chain.copy(from, to);
        }
        let mut half_done = std::mem::take(&mut self.half_done);
        let resized = self.resize_by(from, [height, width], &mut half_done, to);
        self.half_done = half_done;
        resized
    }

    fn limit(&mut self, sheet: &mut GpuImage) -> Result<(), EngineError> {
        self.chain.dispatch(Kernel::Limit, &[sheet], &[sheet.len() as u32], each(sheet.len()))
    }

    fn feed_back(
        &mut self,
        canvas: &mut GpuImage,
        painting: &GpuImage,
        motion: Motion,
        share: f32,
    ) -> Result<(), EngineError> {
        let [_, height, width] = canvas.shape();
        let [count, wide, high] = [canvas.len(), width, height].map(|n| n as u32);
        let moves = u32::from(motion.moves(height, width));
        let (sin, cos) = motion.turn.sin_cos();
        let [cos, sin, zoom] = [cos, sin, motion.scale()].map(word);
        let [x, y] = [motion.x * width as f32, motion.y * height as f32].map(word);
        let settings = [count, wide, high, word(share), moves, cos, sin, zoom, x, y];
        self.chain.dispatch(Kernel::FeedBack, &[painting, canvas], &settings, each(canvas.len()))
    }

    fn steady(&mut self, canvas: &mut GpuImage, share: f32) -> Result<(), EngineError> {
        let [_, height, width] = canvas.shape();
        let plane = height * width;
        let [parts, length] = cut(plane);
        let sizes @ [size, ..] = [plane, parts, length].map(|n| n as u32);
        self.chain.dispatch(Kernel::SteadyMoments, &[canvas, &self.parts], &sizes, [parts, 3, 1])?;
        let [least, greatest] = DEVIATION_LIMITS;
        let [share, mean, least, greatest, step, empty] = [share, MEAN_LIMIT, least, greatest, STEP, EMPTY].map(word);
        let settings = [sizes[0], sizes[1], sizes[2], share, mean, least, greatest, step, empty];
        self.chain.dispatch(Kernel::SteadyStep, &[&self.parts, &self.step], &settings, [1, 1, 1])?;
        let settings = [canvas.len() as u32, size];
        self.chain.dispatch(Kernel::Steady, &[&self.step, canvas], &settings, each(canvas.len()))
    }

    fn stir(&mut self, painting: &mut GpuImage, before: &GpuImage, share: f32) -> Result<(), EngineError> {
        let count = painting.len();
        let [parts, length] = cut(count);
        let settings = [count, length].map(|n| n as u32);
        self.chain.dispatch(Kernel::StirChange, &[painting, before, &self.parts], &settings, [parts, 1, 1])?;
        let settings = [count as u32, parts as u32, word(STILL * count as f32), word(share * STIR)];
        self.chain.dispatch(Kernel::Stir, &[&self.parts, painting], &settings, each(count))
    }

    fn keep(
        &mut self,
        painting: &mut GpuImage,
        picture: &GpuImage,
        amount: f32,
        what: Keep,
    ) -> Result<(), EngineError> {
        if amount <= 0.0 {
            return Ok(());
        }
        let [_, height, width] = painting.shape();
        let settings = [(height * width) as u32, word(amount), u32::from(what == Keep::Light)];
        self.chain.dispatch(Kernel::Keep, &[picture, painting], &settings, each(height * width))
    }

    fn lay_over(&mut self, layers: &Layers<GpuImage>, to: &mut GpuImage) -> Result<(), EngineError> {
        let Layers { picture, before, painting, fade, amount } = *layers;
        self.chain.shape(to, picture.shape())?;
        let settings = [picture.len() as u32, word(fade), word(amount)];
        self.chain.dispatch(Kernel::LayOver, &[picture, before, painting, to], &settings, each(picture.len()))
    }
}

#[cfg(test)]
#[allow(clippy::print_stderr, reason = "what is skipped is said")]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::effects::style::StyleSettings;
    use crate::engine::gpu::{Gpu, Precision};
    use crate::network::style_transfer::StyleNetwork;

    #[test]
    fn a_loop_that_has_warmed_up_makes_nothing_any_more() {
        let gpu = match Device::open(false).and_then(|device| Gpu::new(device, Precision::F32)) {
            Ok(gpu) => gpu,
            Err(error) => return eprintln!("skipped: {error}"),
        };
        let device = gpu.device().clone();
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("presets/networks/painters8.safetensors");
        let network = Arc::new(StyleNetwork::open(&file).expect("opens"));
        let mut style = StyleLoop::new(Arc::new(gpu), network);
        let mut easel = GpuEasel::new(device.clone()).expect("there is room");
        let mut image = Image::new(3, 48, 48);
        image.data.iter_mut().enumerate().for_each(|(i, x)| *x = (i as f32 * 0.01).sin());
        let (image, mut out) = (GpuImage::upload(&device, &image).expect("there is room"), GpuImage::default());
        let mut resized = GpuImage::default();
        let settings = StyleSettings { size: 32, passes: 3, keep: 0.5, ..StyleSettings::default() };
        let mut play = |frames: u32| {
            for frame in 0..frames {
                // Two sizes in turn, as two pictures of a fade have them.
                easel.resize(&image, 40 + frame as usize % 2, 60, &mut resized).expect("resizes");
                style.play(&mut easel, &resized, &settings, &mut out).expect("plays");
                easel.read(&out, &mut Image::default()).expect("comes back");
            }
            easel.chain.made()
        };
        let warm = play(8);
        assert_eq!(play(12), warm);
    }
}
