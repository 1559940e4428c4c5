//! Draws small pictures: a preset some seconds after it has begun, a style over a sample picture, a network's picture of a
//! seed. Everything is computed on one thread by the cpu engine; only the effects of presets use a graphics adapter.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};

use crate::effects::style::{StyleLoop, StyleSettings};
use crate::engine::cpu::Cpu;
use crate::engine::gpu::Device;
use crate::engine::score::Discriminator;
use crate::engine::{Engine, Inputs, Noise, NoiseMode, Program};
use crate::file::{self, State};
use crate::image::Image;
use crate::image::convert::rgba8_from_image;
use crate::image::file::read_square;
use crate::image::fit::{Composer, Fit};
use crate::latent::mapping::{Scratch, blend_classes};
use crate::latent::seed::z_from_seed;
use crate::network::style_transfer::StyleNetwork;
use crate::network::{self, Network};
use crate::params::Table;
use crate::patch::library::Library;
use crate::patch::track::{self, Latent};
use crate::show::{Mode, Show};
use crate::thumbnail::{Request, SQUARE, Thumbnail, WIDE};

/// The output at which a preset plays; the thumbnail is a fourth of it, so that lines of effects stay fine.
const OUTPUT: [u32; 2] = [4 * WIDE[0], 4 * WIDE[1]];
/// Frames per second, and after how many seconds the picture is taken.
const FPS: f64 = 10.0;
const MOMENT: f64 = 4.0;
/// Other moments of presets that ship, in seconds.
const MOMENTS: [(&str, f64); 20] = [
    ("1-vortex", 3.0),
    ("2-amber", 1.0),
    ("3-weave", 2.0),
    ("4-ink", 5.0),
    ("5-painters", 7.0),
    ("6-flowers", 8.0),
    ("8-landscapes", 0.5),
    ("9-breathing", 9.0),
    ("10-cathedral", 5.0),
    ("11-star-engine", 1.5),
    ("12-undertow", 3.0),
    ("13-lost-signal", 3.0),
    ("15-stutter", 5.0),
    ("16-orbit", 6.0),
    ("17-between", 7.0),
    ("18-movements", 2.0),
    ("20-twin-suns", 7.0),
    ("22-jellyfish", 3.0),
    ("23-vincent-space", 1.0),
    ("24-rose-window", 3.0),
];
/// Good seeds of the networks that ship; others show their best, or 0.
const SEEDS: [(&str, u32); 4] = [("flowers128", 8), ("mandalas256", 3), ("masters128", 7), ("nebulae256", 2)];
/// What styles are painted over, among the pictures that ship.
const SAMPLE: &str = "built-in:/pictures/paintings/1-wanderer.jpg";
/// Side of a painting before it is made small.
const PAINTING: usize = 2 * SQUARE[0] as usize;
const PSI: f32 = 0.7;
/// Of a network that can judge its own pictures, the best of so many seeds is shown.
const JUDGED: u32 = 12;

/// Draws, and keeps the last network: requests for seeds and styles of one network come together.
pub struct Artist {
    library: Library,
    engine: Arc<dyn Engine>,
    /// Opened for the first preset; `None` inside if there is none.
    screen: Option<Option<Arc<Device>>>,
    generator: Option<(Identity, Generator)>,
    style: Option<(Identity, StyleLoop)>,
}

/// A file, and its state when it was opened.
type Identity = (PathBuf, State);

struct Generator {
    network: Network,
    program: Box<dyn Program>,
}

impl Artist {
    pub fn new(library: Library) -> Self {
        Artist { library, engine: Arc::new(Cpu::new(1)), screen: None, generator: None, style: None }
    }

    /// The thumbnail as a JPEG.
    ///
    /// # Errors
    /// When a file cannot be opened or played.
    pub fn draw(&mut self, request: &Request) -> anyhow::Result<Vec<u8>> {
        let (rgba, size) = match request {
            Request::Preset { file } => (self.preset(file)?, WIDE),
            Request::Style { network, style } => (square(&self.painting(network, *style)?), SQUARE),
            Request::Network { network } => (self.network(network)?, SQUARE),
            Request::Seed { network, seed } => (square(&self.generator(network)?.picture(*seed)?), SQUARE),
            Request::Track { network, file, number } => {
                let keys = track::read(file, Table::built_in()).map_err(anyhow::Error::msg)?;
                let key = keys.get(*number).with_context(|| format!("{} has no key {number}", file.display()))?;
                (square(&self.generator(network)?.key(&key.at)?), SQUARE)
            }
        };
        Thumbnail::encode(&rgba, size).context("an empty picture")
    }

    fn preset(&mut self, file: &Path) -> anyhow::Result<Vec<u8>> {
        let preset = self.library.read(file)?;
        let screen = self.screen.get_or_insert_with(|| Device::open(false).map(Arc::new).ok()).clone();
        let moment = MOMENTS.iter().find(|(name, _)| is_named(file, name));
        let frames = (moment.map_or(MOMENT, |(_, secs)| *secs) * FPS).round() as usize;
        // One that keeps the network that plays is shown with that of the first preset.
        let network = if preset.network.is_none() { self.library.first()?.network } else { None };
        let (library, engine) = (self.library.clone(), self.engine.clone());
        let options =
            crate::show::Options { library, preset, network, seed: None, engine, screen, mode: Mode::Offline };
        let mut show = Show::new(options)?;
        show.set_output_size(OUTPUT);
        show.step(0.0, &[]);
        for _ in 0..frames {
            show.step(1.0 / FPS, &[]);
            if let Some(failure) = show.failure() {
                bail!("{failure}");
            }
        }
        let picture = show.picture().context("no picture")?;
        let mut composer = Composer::new(WIDE[0], WIDE[1]);
        Ok(composer.compose(&picture.rgba, picture.width, picture.height, show.fit(), show.brightness()).to_vec())
    }

    /// `[3, S, S]`
    fn painting(&mut self, file: &Path, style: usize) -> anyhow::Result<Image> {
        let identity = identity(file);
        if self.style.as_ref().is_none_or(|(known, _)| *known != identity) {
            let network = Arc::new(StyleNetwork::open(file)?);
            self.style = Some((identity, StyleLoop::new(self.engine.clone(), network)));
        }
        let painter = self.style.as_mut().map(|(_, painter)| painter).context("no style network")?;
        let styles = painter.styles();
        if style >= styles {
            bail!("{} has {styles} styles, and none has the number {style}", file.display());
        }
        let settings = StyleSettings {
            a: style,
            b: style,
            blend: 0.0,
            amount: 1.0,
            passes: 1,
            feedback: 0.0,
            size: PAINTING,
            keep: 0.0,
            ..StyleSettings::default()
        };
        let sample = read_square(Path::new(SAMPLE), PAINTING, Fit::Cover)?;
        let mut painting = Image::default();
        painter.process(&sample, &settings, &mut painting)?;
        Ok(painting)
    }

    /// Four styles of a style network, or a good picture of another.
    fn network(&mut self, file: &Path) -> anyhow::Result<Vec<u8>> {
        match StyleNetwork::open(file) {
            Ok(network) => self.palette(file, network.styles.len()),
            Err(_) => self.best(file).map(|image| square(&image)),
        }
    }

    fn palette(&mut self, file: &Path, styles: usize) -> anyhow::Result<Vec<u8>> {
        if styles < 4 {
            return Ok(square(&self.painting(file, 0)?));
        }
        let [width, height] = SQUARE.map(|side| side as usize);
        let mut rgba = vec![0; 4 * width * height];
        for tile in 0..4 {
            let painting = self.painting(file, tile * styles / 4)?;
            let small = fitted(&painting, [width as u32 / 2, height as u32 / 2]);
            let row = 4 * width / 2;
            for (y, from) in small.chunks_exact(row).enumerate() {
                let at = 4 * width * (y + tile / 2 * height / 2) + tile % 2 * row;
                rgba[at..at + row].copy_from_slice(from);
            }
        }
        Ok(rgba)
    }

    fn best(&mut self, file: &Path) -> anyhow::Result<Image> {
        let known = SEEDS.iter().find(|(name, _)| file::is_built_in(file) && is_named(file, name));
        if let Some((_, seed)) = known {
            return self.generator(file)?.picture(*seed);
        }
        // A discriminator of another kind is as good as none.
        let judge = Discriminator::open(file).ok().flatten();
        let generator = self.generator(file)?;
        let Some(judge) = judge else { return generator.picture(0) };
        let mut class = Vec::new();
        blend_classes(0.0, judge.c_dim, &mut class);
        let mut best = (f32::NEG_INFINITY, generator.picture(0)?);
        for seed in 0..JUDGED {
            let picture = generator.picture(seed)?;
            if let Some(score) = judge.score(&picture, &class).filter(|score| *score > best.0) {
                best = (score, picture);
            }
        }
        Ok(best.1)
    }

    fn generator(&mut self, file: &Path) -> anyhow::Result<&mut Generator> {
        let identity = identity(file);
        if self.generator.as_ref().is_none_or(|(known, _)| *known != identity) {
            let network = network::open_by(&*self.engine, file)?;
            let program = self.engine.prepare(network.plan.clone())?;
            self.generator = Some((identity, Generator { network, program }));
        }
        self.generator.as_mut().map(|(_, generator)| generator).context("no network")
    }
}

impl Generator {
    fn picture(&mut self, seed: u32) -> anyhow::Result<Image> {
        let mapping = &self.network.mapping;
        let (mut class, mut w) = (Vec::new(), Vec::new());
        blend_classes(0.0, mapping.c_dim, &mut class);
        mapping.map(&z_from_seed(seed, mapping.z_dim), &class, &mut w, &mut Scratch::default());
        self.of_w(&w)
    }

    fn key(&mut self, key: &Latent) -> anyhow::Result<Image> {
        let (w_dim, num_ws) = (self.network.mapping.w_dim, self.network.mapping.num_ws);
        match (key, key.rows()) {
            (Latent::Seed(seed), _) => self.picture(*seed),
            (_, Some((w, false))) if w.len() == w_dim => self.of_w(&w),
            (_, Some((ws, true))) if ws.len() == num_ws * w_dim => self.of_ws(&ws),
            _ => bail!("the key is of another network"),
        }
    }

    fn of_w(&mut self, w: &[f32]) -> anyhow::Result<Image> {
        let mapping = &self.network.mapping;
        let (mut class, mut ws) = (Vec::new(), Vec::new());
        blend_classes(0.0, mapping.c_dim, &mut class);
        mapping.truncate_in_class(&class, w, PSI, usize::MAX, &mut ws);
        self.of_ws(&ws)
    }

    fn of_ws(&mut self, ws: &[f32]) -> anyhow::Result<Image> {
        let noise = Noise { mode: NoiseMode::Const, gain: 1.0 };
        let mut image = Image::default();
        self.program.draw(&Inputs { ws, noise, ..Inputs::default() }, &mut image)?;
        Ok(image)
    }
}

fn identity(file: &Path) -> Identity {
    (file.to_owned(), file::state(file))
}

fn is_named(file: &Path, name: &str) -> bool {
    file.file_stem().is_some_and(|stem| stem == name)
}

fn square(image: &Image) -> Vec<u8> {
    fitted(image, SQUARE)
}

/// sRGB-encoded RGBA of this size, cropped to its shape.
fn fitted(image: &Image, [width, height]: [u32; 2]) -> Vec<u8> {
    let mut rgba = Vec::new();
    rgba8_from_image(image, &mut rgba);
    let mut composer = Composer::new(width, height);
    composer.compose(&rgba, image.width as u32, image.height as u32, Fit::Cover, 1.0).to_vec()
}
