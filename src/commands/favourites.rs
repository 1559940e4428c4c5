//! `favourites`: what was starred becomes a walk, a slide show or PNGs.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use image::RgbImage;

use super::EngineOptions;
use super::slides::{Captions, Plays, Said, ShowOptions, Shows, picture_name, show_file};
use crate::explore::favourites::{FILE, Favourite, read};
use crate::explore::studio::Studio;
use crate::network;
use crate::params::KEY_LENGTHS;
use crate::patch::locate::{self, name_of};
use crate::patch::track::{self, KeyEntry, Latent};

#[derive(Debug, clap::Args)]
#[group(id = "what", required = true, multiple = true, args = ["preset", "slides", "pngs"])]
pub struct Options {
    /// The file of favourites
    #[arg(default_value = FILE, value_name = "FILE.toml", value_parser = super::path())]
    file: PathBuf,
    /// Only those of this network, as the file names it
    #[arg(long, value_name = "NAME")]
    network: Option<String>,
    /// Write a preset that walks from one to the next, and its track NAME-keys.toml
    #[arg(long, value_name = "NAME.toml", value_parser = super::path())]
    preset: Option<PathBuf>,
    /// Seconds from one to the next, in the preset
    #[arg(long, default_value_t = 4.0, value_name = "SECONDS", value_parser = parse_length)]
    length: f64,
    /// Write a slide show: a page (.html), or a preset that plays the pictures (.toml); both, if it is given twice
    #[arg(long, value_name = "FILE", value_parser = show_file())]
    slides: Vec<PathBuf>,
    /// Write a PNG of each into this folder
    #[arg(long, value_name = "FOLDER", value_parser = super::path())]
    pngs: Option<PathBuf>,
    #[command(flatten)]
    show: ShowOptions,
    #[command(flatten)]
    engine: EngineOptions,
}

fn parse_length(text: &str) -> Result<f64, String> {
    let [shortest, longest] = KEY_LENGTHS;
    let wrong = || format!("expected seconds from {shortest} to {longest}, got {text:?}");
    text.trim().parse().ok().filter(|length| (shortest..=longest).contains(length)).ok_or_else(wrong)
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    let mut stars = read(&options.file)?;
    if let Some(network) = &options.network {
        stars.retain(|star| star.network == *network);
    }
    let file = options.file.display();
    ensure!(
        !stars.is_empty(),
        "{file}: no favourites{}",
        options.network.as_deref().map_or(String::new(), |n| format!(" of {n}"))
    );
    let png = |folder: &Path, number: usize, star: &Favourite| {
        folder.join(picture_name(number + 1, &name_of(Path::new(&star.network)), star.seed))
    };
    // All is said before anything is written.
    options.show.overwrite.check(&options.slides)?;
    if let Some(folder) = &options.pngs {
        options.show.overwrite.check(stars.iter().enumerate().map(|(number, star)| png(folder, number, star)))?;
    }
    if let Some(preset) = &options.preset {
        write_preset(options, preset, &stars)?;
    }
    if options.slides.is_empty() && options.pngs.is_none() {
        return Ok(());
    }
    let name = name_of(&options.file);
    let plays = Plays::Network(stars[0].network.clone());
    let mut shows = Shows::begin(&options.slides, &options.show, &name, &plays)?;
    let mut captions = Captions::new(&options.show);
    if let Some(folder) = &options.pngs {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let bar = super::progress(stars.len() as u64);
    let mut studio: Option<(String, Studio)> = None;
    for (number, star) in stars.iter().enumerate() {
        let studio = match &mut studio {
            Some((network, studio)) if *network == star.network => studio,
            other => &mut other.insert((star.network.clone(), open(options, star)?)).1,
        };
        let picture = draw(options, studio, star)?;
        let network = name_of(Path::new(&star.network));
        let file = picture_name(number + 1, &network, star.seed);
        if !options.slides.is_empty() {
            let caption = bar.suspend(|| captions.of(&picture));
            let said = Said { caption, row: None, note: format!("{network}, seed {}", star.seed) };
            shows.add(&picture, &said, Path::new(&file))?;
        }
        if let Some(folder) = &options.pngs {
            let png = png(folder, number, star);
            picture.save(&png).with_context(|| format!("cannot write {}", png.display()))?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    shows.end()?;
    if let Some(folder) = &options.pngs {
        say!("{}: {} pictures", folder.display(), stars.len());
    }
    Ok(())
}

fn open(options: &Options, star: &Favourite) -> anyhow::Result<Studio> {
    let file = locate::network(Path::new(&star.network))?;
    let engine = options.engine.trusting(&file).build();
    let network = network::open_by(&*engine, &file)?;
    let program = engine.prepare(network.plan.clone())?;
    Ok(Studio::new(network, program))
}

/// The rows of a star for the network's layers.
fn rows(options: &Options, star: &Favourite, [num_ws, w_dim]: [usize; 2]) -> anyhow::Result<Vec<Vec<f32>>> {
    star.rows(num_ws, w_dim).with_context(|| {
        let found = star.ws.iter().map(|row| row.len().to_string()).collect::<Vec<_>>().join(", ");
        let (file, seed) = (options.file.display(), star.seed);
        format!(
            "{file}: ws of seed {seed}: {} takes 1 or {num_ws} rows of {w_dim} numbers, found {found}",
            star.network
        )
    })
}

fn draw(options: &Options, studio: &mut Studio, star: &Favourite) -> anyhow::Result<RgbImage> {
    let size = [studio.network.mapping.num_ws, studio.network.mapping.w_dim];
    Ok(studio.draw(&rows(options, star, size)?.concat())?)
}

/// Writes a preset and its track.
fn write_preset(options: &Options, preset: &Path, stars: &[Favourite]) -> anyhow::Result<()> {
    let first = &stars[0].network;
    if let Some(other) = stars.iter().find(|star| star.network != *first) {
        bail!(
            "{}: a preset plays one network: choose {first} or {} with --network",
            options.file.display(),
            other.network
        );
    }
    ensure!(stars.len() <= track::MOST, "a track takes {} keys, and these are {}", track::MOST, stars.len());
    ensure!(
        preset.extension().is_some_and(|e| e.eq_ignore_ascii_case("toml")),
        "--preset: expected a name that ends in .toml, got {}",
        preset.display()
    );
    let name = name_of(preset);
    let keys_file = preset.with_file_name(format!("{name}-keys.toml"));
    options.show.overwrite.check([preset, &keys_file])?;
    let network = network::open(&locate::network(Path::new(first))?)?;
    let size = [network.mapping.num_ws, network.mapping.w_dim];
    let key = |star: &Favourite| -> anyhow::Result<KeyEntry> {
        Ok(KeyEntry { at: Latent::Ws(rows(options, star, size)?), length: options.length, params: Vec::new() })
    };
    let keys: Vec<KeyEntry> = stars.iter().map(key).collect::<anyhow::Result<_>>()?;
    let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
    let text = format!(
        "# From {}, by latent-jockey favourites.\nname = {}\nnetwork = {}\n\n[params]\n\"/walk/kind\" = \"keys\"\n\
         \"/keys/file\" = {}\n",
        quoted(&options.file.display().to_string()),
        quoted(&name),
        quoted(first),
        quoted(&format!("{name}-keys.toml"))
    );
    for (file, text) in [(keys_file.as_path(), track::text(&keys)), (preset, text)] {
        track::write(file, &text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    say!("{}: walks through {} keys of {}", preset.display(), keys.len(), keys_file.display());
    Ok(())
}
