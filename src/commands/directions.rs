//! `directions`: a contact sheet of a network's directions, and a file in which they get names.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use image::{RgbaImage, imageops};

use super::EngineOptions;
use super::overwrite::Overwrite;
use crate::engine::cpu::Cpu;
use crate::engine::{Inputs, Program};
use crate::image::Image;
use crate::image::convert::rgba8_from_image;
use crate::latent::directions::Direction;
use crate::latent::layers::{Layers, add};
use crate::latent::mapping::{Scratch, blend_classes};
use crate::latent::seed::z_from_seed;
use crate::network::{self, Network, directions};
use crate::params::DIR_KNOBS;
use crate::patch::directions::file_name;
use crate::patch::locate::{self, name_of};
use crate::record::sheet;

/// The columns of the sheet, in standard deviations.
const AMOUNTS: [f32; 7] = [-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0];
/// Truncation psi of the sheet.
const PSI: f32 = 0.7;
/// Largest side of a picture on the sheet.
const SIDE: u32 = 160;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The network: a file, or the name of one that ships or is yours
    network: PathBuf,
    /// Folder for NAME-directions.png and NAME-directions.toml; names that are there stay
    #[arg(long, value_name = "FOLDER", default_value = ".", hide_default_value = true, value_parser = super::path())]
    out: PathBuf,
    /// The seed of the picture that is moved
    #[arg(long, default_value_t = 0)]
    seed: u32,
    #[command(flatten)]
    overwrite: Overwrite,
    #[command(flatten)]
    engine: EngineOptions,
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let file = locate::network(&options.network)?;
    let names = options.out.join(file_name(&file));
    let sheet = names.with_extension("png");
    options.overwrite.check([&sheet])?;
    let network = network::open(&file)?;
    // By the engine that a show finds them with, so that their order is the same.
    let mut exact = Cpu::default().program(network.plan.clone())?;
    let found = directions::of(&network, |ws| {
        let mut image = Image::default();
        exact.draw(&Inputs { ws, ..Inputs::default() }, &mut image).ok()?;
        Some(image.data)
    });
    drop(exact);
    let mut program = options.engine.build().prepare(network.plan.clone())?;
    ensure!(!found.is_empty(), "{}: no w moves the picture of this network", file.display());
    let shown = &found[..found.len().min(DIR_KNOBS)];
    std::fs::create_dir_all(&options.out)
        .with_context(|| format!("cannot make the folder {}", options.out.display()))?;
    let bar = super::progress((shown.len() * AMOUNTS.len()) as u64);
    let mut pictures = Vec::new();
    for direction in shown {
        let row: Vec<Image> = (AMOUNTS.iter())
            .map(|amount| {
                bar.inc(1);
                draw(&network, &mut *program, options.seed, direction, *amount)
            })
            .collect::<anyhow::Result<_>>()?;
        for picture in &row {
            pictures.push(small(picture)?);
        }
    }
    bar.finish_and_clear();
    sheet::rows_of(&pictures, AMOUNTS.len() as u32)
        .save(&sheet)
        .with_context(|| format!("cannot write {}", sheet.display()))?;
    say!("{}: a row for each direction, from -3 to 3 standard deviations", sheet.display());
    if names.exists() {
        say!("{}: kept as it is", names.display());
    } else {
        let text = text(&file, &found);
        std::fs::write(&names, text).with_context(|| format!("cannot write {}", names.display()))?;
        say!("{}: give them names there", names.display());
    }
    Ok(())
}

/// The picture of a seed, moved along a direction in all layers.
fn draw(
    network: &Network,
    program: &mut dyn Program,
    seed: u32,
    direction: &Direction,
    amount: f32,
) -> anyhow::Result<Image> {
    let mapping = &network.mapping;
    let (mut class, mut w, mut ws) = (Vec::new(), Vec::new(), Vec::new());
    blend_classes(0.0, mapping.c_dim, &mut class);
    mapping.map(&z_from_seed(seed, mapping.z_dim), &class, &mut w, &mut Scratch::default());
    mapping.truncate_in_class(&class, &w, PSI, usize::MAX, &mut ws);
    add(&mut ws, &direction.step(), amount, Layers { from: 0, to: usize::MAX });
    let mut image = Image::default();
    program.draw(&Inputs { ws: &ws, ..Inputs::default() }, &mut image)?;
    Ok(image)
}

fn small(image: &Image) -> anyhow::Result<RgbaImage> {
    let mut rgba = Vec::new();
    rgba8_from_image(image, &mut rgba);
    let picture = RgbaImage::from_raw(image.width as u32, image.height as u32, rgba).context("an empty picture")?;
    let factor = picture.width().max(picture.height()).div_ceil(SIDE).max(1);
    let (width, height) = ((picture.width() / factor).max(1), (picture.height() / factor).max(1));
    Ok(if factor == 1 { picture } else { imageops::thumbnail(&picture, width, height) })
}

/// The file of names, as a beginning: all is comment.
fn text(file: &Path, found: &[Direction]) -> String {
    let mut text = format!(
        "# Directions of {}, the strongest first. The first {} are /dir/0 to /dir/{}.\n\
         # A name makes an address: age = 3 is /dir/age. More can be said in a table:\n\
         # age = {{ direction = 3, zone = \"form\", scale = -1 }}\n\
         # smile = {{ file = \"smile.npy\", from = 4, to = 9 }}\n\
         #\n\
         # number: found by, how much one step changes the picture (of 2), or what the layers read\n",
        name_of(file),
        found.len().min(DIR_KNOBS),
        found.len().min(DIR_KNOBS).saturating_sub(1),
    );
    for (number, direction) in found.iter().enumerate() {
        let Direction { origin, effect, change, .. } = direction;
        // Writing to a string cannot fail.
        let _ = match *change > 0.0 {
            true => writeln!(text, "# {number}: {origin}, {change:.3}"),
            false => writeln!(text, "# {number}: {origin}, reads {effect:.3}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latent::directions::Origin;
    use crate::patch::directions::parse;

    #[test]
    fn the_file_of_names_begins_without_names_and_takes_them() {
        let some = Direction { origin: Origin::Principal(2), vector: vec![1.0], sigma: 0.5, effect: 1.25, change: 0.1 };
        let text = text(Path::new("a/flowers.pkl"), &[some]);
        assert!(text.contains("# 0: pca 2, 0.100\n") && text.starts_with("# Directions of flowers"), "{text}");
        assert_eq!(parse(&text, Path::new("x.toml")), Ok(Vec::new()));
        assert_eq!(parse(&format!("{text}age = 0\n"), Path::new("x.toml")).map(|names| names.len()), Ok(1));
    }
}
