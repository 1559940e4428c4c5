//! `project`: finds the latent whose picture is most like a photograph.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use image::{RgbImage, imageops};
use safetensors::{Dtype, tensor::TensorView};

use super::EngineOptions;
use super::caption::CaptionerOptions;
use super::overwrite::Overwrite;
use crate::image::Image;
use crate::image::convert::{image_from_rgba8, rgb8_from_image};
use crate::image::file;
use crate::image::fit::{Composer, Fit};
use crate::network;
use crate::patch::locate::{self, name_of};
use crate::projection::{Found, Likeness, Projector, Space};

/// Principal axes that are kept.
const AXES: usize = 64;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The photograph; its middle is taken
    photo: PathBuf,
    /// The network: a file, or the name of one that ships or is yours
    #[arg(long, value_name = "NETWORK")]
    network: PathBuf,
    /// Where the latent goes, and beside it NAME-found.png with the photograph and what was found [default: PHOTO-NETWORK.safetensors]
    #[arg(long, value_name = "FILE.safetensors", value_parser = super::path())]
    out: Option<PathBuf>,
    /// How many pictures are drawn
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(64..=1_000_000))]
    pictures: u32,
    #[command(flatten)]
    overwrite: Overwrite,
    #[command(flatten)]
    engine: EngineOptions,
    #[command(flatten)]
    captioner: CaptionerOptions,
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let name = format!("{}-{}.safetensors", name_of(&options.photo), name_of(&options.network));
    let out = options.out.clone().unwrap_or_else(|| PathBuf::from(name));
    ensure!(
        out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("safetensors")),
        "--out: expected FILE.safetensors, got {}",
        out.display()
    );
    let beside = out.with_file_name(format!("{}-found.png", name_of(&out)));
    options.overwrite.check([&out, &beside])?;
    let captioner = options.captioner.open()?;
    let file = locate::network(&options.network)?;
    let network = network::open(&file)?;
    let photo = file::read(&options.photo)?.into_rgba8();
    let engine = options.engine.build();
    let mut program = engine.prepare(network.plan.clone())?;
    let space = Space::of(&network, AXES);
    ensure!(!space.is_empty(), "{}: no w moves the picture of this network", file.display());
    let size = drawn(&mut *program, &space.mean().repeat(network.mapping.num_ws))?;
    let mut composer = Composer::new(size.width as u32, size.height as u32);
    let fitted = composer.compose(photo.as_raw(), photo.width(), photo.height(), Fit::Cover, 1.0);
    let photo = image_from_rgba8(fitted, size.height, size.width);

    let bar = super::progress(u64::from(options.pictures));
    let mut tick = || bar.inc(1);
    let mut projector = Projector::new(&network, program, Likeness::new(&captioner, &photo), &mut tick);
    let found = projector.find(&space, options.pictures as usize)?;
    let picture = projector.draw(&found.ws)?.clone();
    drop(projector);
    bar.finish_and_clear();

    write(&out, &found, network.mapping.num_ws, &name_of(&file))?;
    side_by_side(&photo, &picture).save(&beside).with_context(|| format!("cannot write {}", beside.display()))?;
    tell(&found);
    say!("{}: the latent; in a track of keys, file = {:?} plays it", out.display(), file_name(&out));
    say!("{}: the photograph, and the picture that was found", beside.display());
    Ok(())
}

fn drawn(program: &mut dyn crate::engine::Program, ws: &[f32]) -> anyhow::Result<Image> {
    let mut image = Image::default();
    program.draw(&crate::engine::Inputs { ws, ..Default::default() }, &mut image)?;
    Ok(image)
}

/// How good it is.
fn tell(found: &Found) {
    let Found { distance, mean, seed, linear, w, by_gradients, .. } = found;
    say!("distance from the photograph: 0 is the same, {mean:.3} is the network's mean picture");
    say!("  {:.3}  seed {}, the best of those that were drawn", seed.1, seed.0);
    if let Some((distance, r2)) = linear {
        say!(
            "  {distance:.3}  a linear guess, which explains {:.0} % of the network's own pictures",
            r2.max(0.0) * 100.0
        );
    }
    say!("  {w:.3}  one w for all layers");
    let each = if *by_gradients { "layer, by gradients" } else { "zone" };
    say!("  {distance:.3}  a w for each {each}: what is written");
    if *distance > 0.8 * mean.min(seed.1) {
        say!("little was gained: the network has hardly anything like this photograph");
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Writes ws, and how near it comes.
fn write(out: &Path, found: &Found, num_ws: usize, network: &str) -> anyhow::Result<()> {
    let bytes: Vec<u8> = found.ws.iter().flat_map(|x| x.to_le_bytes()).collect();
    let shape = vec![num_ws, found.ws.len() / num_ws.max(1)];
    let about = HashMap::from([
        ("network".to_owned(), network.to_owned()),
        ("distance".to_owned(), format!("{:.4}", found.distance)),
        ("distance of the mean picture".to_owned(), format!("{:.4}", found.mean)),
    ]);
    let view = TensorView::new(Dtype::F32, shape, &bytes)?;
    let whole = safetensors::serialize([("ws", view)], Some(about))?;
    std::fs::write(out, whole).with_context(|| format!("cannot write {}", out.display()))
}

fn side_by_side(photo: &Image, picture: &Image) -> RgbImage {
    let [photo, picture] = [photo, picture].map(rgb8_from_image);
    let mut both = RgbImage::new(photo.width() + picture.width(), photo.height().max(picture.height()));
    imageops::replace(&mut both, &photo, 0, 0);
    imageops::replace(&mut both, &picture, i64::from(photo.width()), 0);
    both
}
