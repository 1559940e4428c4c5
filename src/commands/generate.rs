//! `generate`: stills from seeds or exact latents, and a contact sheet.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use image::RgbaImage;
use safetensors::SafeTensors;

use super::EngineOptions;
use super::overwrite::Overwrite;
use crate::engine::score::Discriminator;
use crate::engine::{Inputs, Noise, NoiseMode, Program};
use crate::image::Image;
use crate::image::convert::rgba8_from_image;
use crate::latent::mapping::Scratch;
use crate::latent::seed::z_from_seed;
use crate::network::{self, Network};
use crate::patch::locate;
use crate::record::sheet;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum NoiseChoice {
    #[default]
    Const,
    None,
    Random,
}

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The network: a file, or the name of one that ships or is yours
    network: PathBuf,
    /// Seeds and ranges, such as 0-15,85
    #[arg(long, default_value = "0-15", value_name = "LIST")]
    seeds: String,
    /// Truncation psi
    #[arg(long, default_value_t = 0.7)]
    psi: f32,
    /// Truncate only the first N layers
    #[arg(long, default_value_t = usize::MAX, hide_default_value = true, value_name = "N")]
    cutoff: usize,
    /// Class of a conditional network; fractions blend two classes
    #[arg(long)]
    class: Option<f64>,
    #[arg(long, value_enum, default_value_t)]
    noise: NoiseChoice,
    /// Folder for the PNGs and the contact sheet
    #[arg(long, value_name = "DIR", value_parser = super::path())]
    out: PathBuf,
    /// Read exact latents from a tensor in this file, instead of seeds
    #[arg(long, value_name = "FILE.safetensors", value_parser = super::path(), requires = "tensor")]
    latents: Option<PathBuf>,
    /// The tensor to read: z [N, z_dim] or ws [N, num_ws, w_dim]
    #[arg(long, requires = "latents")]
    tensor: Option<String>,
    /// Score each picture with the file's discriminator (how real it looks), and sort the contact sheet by score
    #[arg(long)]
    score: bool,
    #[command(flatten)]
    overwrite: Overwrite,
    #[command(flatten)]
    engine: EngineOptions,
}

/// The source of one picture.
enum Latent {
    Z(Vec<f32>),
    Ws(Vec<f32>),
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let file = locate::network(&options.network)?;
    let engine = options.engine.trusting(&file).build();
    let network = network::open_by(&*engine, &file)?;
    super::check_class(options.class, &network)?;
    let judge = if options.score { Some(judge(&file, &network)?) } else { None };
    let latents = latents(options, &network)?;
    let names = latents.iter().map(|(name, _)| format!("{name}.png")).chain(["sheet.png".to_owned()]);
    let names = names.chain(options.score.then(|| "scores.tsv".to_owned()));
    options.overwrite.check(names.map(|name| options.out.join(name)))?;
    let mut program = engine.prepare(network.plan.clone())?;
    std::fs::create_dir_all(&options.out)
        .with_context(|| format!("cannot make the folder {}", options.out.display()))?;
    let bar = super::progress(latents.len() as u64);
    let mut pictures = Vec::with_capacity(latents.len());
    let mut scores: Vec<(f32, usize)> = Vec::new();
    for (index, (name, latent)) in latents.iter().enumerate() {
        let image = image(options, &network, &mut *program, latent, index as u64)?;
        if let Some(judge) = &judge {
            let mut class = Vec::new();
            crate::latent::mapping::blend_classes(options.class.unwrap_or(0.0), judge.c_dim, &mut class);
            let score = judge.score(&image, &class).context("the discriminator cannot score this picture")?;
            scores.push((score, index));
        }
        let picture = picture(&image)?;
        save(&picture, &options.out.join(format!("{name}.png")))?;
        pictures.push(sheet::small(picture, latents.len() as u32));
        bar.inc(1);
    }
    bar.finish_and_clear();
    if options.score {
        scores.sort_by(|a, b| b.0.total_cmp(&a.0));
        let row = |(score, index): &(f32, usize)| format!("{score:.3}\t{}.png\n", latents[*index].0);
        let table: String = scores.iter().map(row).collect();
        let file = options.out.join("scores.tsv");
        std::fs::write(&file, format!("score\tpicture\n{table}"))
            .with_context(|| format!("cannot write {}", file.display()))?;
        say!("{}", table.trim_end());
        pictures = scores.iter().map(|(_, index)| std::mem::take(&mut pictures[*index])).collect();
    }
    let sheet_file = options.out.join("sheet.png");
    save(&sheet::contact_sheet(&pictures), &sheet_file)?;
    say!("{} pictures and {}", pictures.len(), sheet_file.display());
    Ok(())
}

/// The discriminator of the network's file.
fn judge(file: &Path, network: &Network) -> anyhow::Result<Discriminator> {
    let Some(judge) = Discriminator::open(file)? else {
        bail!("{}: --score needs a discriminator, and this file has none of a known kind", file.display());
    };
    ensure!(
        judge.fits(network),
        "{}: the discriminator takes {1} x {1}, {2} channels, {3} classes; the network paints {4} x {4}, {5}, {6}",
        file.display(),
        judge.img_resolution,
        judge.img_channels,
        judge.c_dim,
        network.img_resolution,
        network.img_channels,
        network.mapping.c_dim
    );
    Ok(judge)
}

fn save(picture: &RgbaImage, file: &Path) -> anyhow::Result<()> {
    picture.save(file).with_context(|| format!("cannot write {}", file.display()))
}

fn latents(options: &Options, network: &Network) -> anyhow::Result<Vec<(String, Latent)>> {
    if let (Some(file), Some(tensor)) = (&options.latents, &options.tensor) {
        return read_latents(file, tensor, network);
    }
    let seeds = parse_seeds(&options.seeds)?;
    Ok(seeds
        .into_iter()
        .map(|seed| (format!("seed{seed:04}"), Latent::Z(z_from_seed(seed, network.mapping.z_dim))))
        .collect())
}

/// Parses a list such as `0-15,85`; each range may have at most 100,000 seeds.
pub fn parse_seeds(list: &str) -> anyhow::Result<Vec<u32>> {
    let mut seeds = Vec::new();
    for part in list.split(',').map(str::trim) {
        let number = |s: &str| {
            s.trim()
                .parse::<u32>()
                .with_context(|| format!("--seeds takes numbers and ranges such as 0-15,85; got {part:?}"))
        };
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(part)?, number(part)?),
        };
        ensure!(first <= last, "--seeds: the range {part} goes backwards");
        ensure!(last - first < 100_000, "--seeds: the range {part} is longer than 100,000");
        seeds.extend(first..=last);
    }
    Ok(seeds)
}

fn read_latents(file: &Path, tensor: &str, network: &Network) -> anyhow::Result<Vec<(String, Latent)>> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let tensors =
        SafeTensors::deserialize(&bytes).with_context(|| format!("{} is not a safetensors file", file.display()))?;
    let Ok(view) = tensors.tensor(tensor) else {
        bail!("{} has no tensor {tensor}; it has {}", file.display(), tensors.names().join(", "));
    };
    ensure!(
        view.dtype() == safetensors::Dtype::F32,
        "{}: {tensor} is {:?}, expected 32-bit floats",
        file.display(),
        view.dtype()
    );
    let mapping = &network.mapping;
    let make: fn(Vec<f32>) -> Latent = match *view.shape() {
        [_, z] if z == mapping.z_dim => Latent::Z,
        [_, n, w] if n == mapping.num_ws && w == mapping.w_dim => Latent::Ws,
        ref found => bail!(
            "{}: {tensor} is {found:?}; {} takes z [N, {}] or ws [N, {}, {}]",
            file.display(),
            network.name,
            mapping.z_dim,
            mapping.num_ws,
            mapping.w_dim
        ),
    };
    let each: usize = view.shape()[1..].iter().product();
    let numbers: Vec<f32> = view.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    Ok(numbers.chunks_exact(each).enumerate().map(|(i, x)| (format!("{tensor}{i:04}"), make(x.to_vec()))).collect())
}

fn image(
    options: &Options,
    network: &Network,
    program: &mut dyn Program,
    latent: &Latent,
    index: u64,
) -> anyhow::Result<Image> {
    let mapping = &network.mapping;
    let ws = match latent {
        Latent::Ws(ws) => ws.clone(),
        Latent::Z(z) => {
            let (mut class, mut w, mut ws) = (Vec::new(), Vec::new(), Vec::new());
            crate::latent::mapping::blend_classes(options.class.unwrap_or(0.0), mapping.c_dim, &mut class);
            mapping.map(z, &class, &mut w, &mut Scratch::default());
            mapping.truncate_in_class(&class, &w, options.psi, options.cutoff, &mut ws);
            ws
        }
    };
    let mode = match options.noise {
        NoiseChoice::Const => NoiseMode::Const,
        NoiseChoice::None => NoiseMode::None,
        NoiseChoice::Random => NoiseMode::Random { seed: index },
    };
    let mut image = Image::default();
    program.draw(&Inputs { ws: &ws, noise: Noise { mode, gain: 1.0 }, ..Inputs::default() }, &mut image)?;
    Ok(image)
}

fn picture(image: &Image) -> anyhow::Result<RgbaImage> {
    let mut rgba = Vec::new();
    rgba8_from_image(image, &mut rgba);
    RgbaImage::from_raw(image.width as u32, image.height as u32, rgba).context("an empty picture")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_lists_of_numbers_and_ranges() {
        assert_eq!(parse_seeds("0-3, 85").expect("valid"), [0, 1, 2, 3, 85]);
        for wrong in ["", "a", "3-1", "0-4294967295", "-1", "1,,2"] {
            assert!(parse_seeds(wrong).is_err(), "{wrong}");
        }
    }
}
