//! `slides`: a folder of pictures, or seeds of a network, become a slide show: a page in one file, or a preset that plays.

mod page;
mod playing;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::builder::TypedValueParser;
use image::RgbImage;

use super::caption::{CaptionerOptions, pictures};
use super::generate::parse_seeds;
use super::overwrite::Overwrite;
use super::{EngineOptions, check_class};
use crate::caption::table::{NAME, Row, Table};
use crate::caption::{Caption, Captioner};
use crate::explore::studio::{Settings, Studio};
use crate::image::file;
use crate::network;
use crate::patch::locate::{self, name_of};
use crate::record::slides::Words;
use page::Page;
use playing::Playing;
pub(super) use playing::Plays;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// A folder of pictures, or a network for --seeds
    #[arg(value_name = "FOLDER|NETWORK", value_parser = super::path())]
    place: PathBuf,
    /// What to write: a page (.html), or a preset that plays the pictures (.toml); both, if it is given twice
    #[arg(long, required = true, value_name = "FILE", value_parser = show_file())]
    out: Vec<PathBuf>,
    /// Show the network's pictures of these seeds, such as 1-40,85
    #[arg(long, value_name = "LIST")]
    seeds: Option<String>,
    /// Truncation psi of the seeds
    #[arg(long, default_value_t = 0.7, requires = "seeds")]
    psi: f32,
    /// Class of a conditional network
    #[arg(long, requires = "seeds")]
    class: Option<f64>,
    #[command(flatten)]
    show: ShowOptions,
    #[command(flatten)]
    engine: EngineOptions,
}

/// How a slide show looks.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ShowOptions {
    /// How long a picture stays, at least 2
    #[arg(long, default_value_t = 8.0, value_name = "SECONDS", value_parser = parse_stay)]
    stay: f64,
    /// How long a picture stays in a preset, in beats of the tempo instead
    #[arg(long, value_name = "BEATS", value_parser = parse_beats)]
    beats: Option<f64>,
    /// The page's title [default: the name of the folder or network]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Longest side of a picture on the page in pixels; larger ones are reduced
    #[arg(long, default_value_t = 1600, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(64..=8192))]
    side: u32,
    /// Let the captioner say nothing
    #[arg(long)]
    no_captions: bool,
    #[command(flatten)]
    pub(super) overwrite: Overwrite,
    #[command(flatten)]
    captioner: CaptionerOptions,
}

/// A path that ends like a page or a preset.
pub(super) fn show_file() -> impl TypedValueParser<Value = PathBuf> {
    super::path().try_map(|path| {
        let is_known = is_page(&path) || is_preset(&path);
        is_known
            .then_some(path.clone())
            .ok_or_else(|| format!("expected a file that ends in .html or .toml, got {}", path.display()))
    })
}

fn ends(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|e| endings.iter().any(|ending| e.eq_ignore_ascii_case(ending)))
}

fn is_page(path: &Path) -> bool {
    ends(path, &["html", "htm"])
}

fn is_preset(path: &Path) -> bool {
    ends(path, &["toml"])
}

/// Seconds, from 2 on: what changes faster may flash.
fn parse_stay(text: &str) -> Result<f64, String> {
    let wrong = || format!("expected seconds from 2 to 86400, such as 8, got {text:?}");
    text.trim().parse().ok().filter(|seconds| (2.0..=86_400.0).contains(seconds)).ok_or_else(wrong)
}

fn parse_beats(text: &str) -> Result<f64, String> {
    let wrong = || format!("expected beats from 4 to 600, such as 16, got {text:?}");
    text.trim().parse().ok().filter(|beats| (4.0..=600.0).contains(beats)).ok_or_else(wrong)
}

/// What is said of a picture.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    /// By the captioner, which no table has yet.
    pub caption: Option<Caption>,
    /// By a table of captions.
    pub row: Option<Row>,
    /// Where it comes from, if not from a file.
    pub note: String,
}

impl Said {
    fn words(&self) -> Words {
        let (caption, is_guess) = match (&self.row, &self.caption) {
            (Some(row), _) => (row.caption.clone(), row.is_guess),
            (None, Some(caption)) => (caption.text.clone(), caption.is_guess()),
            (None, None) => (String::new(), false),
        };
        Words { caption, is_guess, note: self.note.clone() }
    }
}

/// Where captions come from.
pub(super) struct Captions<'a> {
    options: &'a ShowOptions,
    /// Opened for the first picture without a caption; `None` inside where there is none.
    captioner: Option<Option<Captioner>>,
}

impl<'a> Captions<'a> {
    pub(super) fn new(options: &'a ShowOptions) -> Captions<'a> {
        Captions { options, captioner: None }
    }

    /// What the captioner sees, if it may speak.
    pub(super) fn of(&mut self, picture: &RgbImage) -> Option<Caption> {
        let captioner = self.captioner.get_or_insert_with(|| {
            if self.options.no_captions {
                return None;
            }
            let opened = self.options.captioner.open();
            opened.inspect_err(|error| warn!("latent-jockey: no captions: {error:#}")).ok()
        });
        captioner.as_ref().map(|captioner| captioner.caption(picture))
    }
}

/// The slide shows that are being written.
pub(super) struct Shows<'a> {
    page: Option<Page<'a>>,
    preset: Option<Playing<'a>>,
    count: usize,
}

impl<'a> Shows<'a> {
    /// Begins them under this title; a preset plays `plays`.
    ///
    /// # Errors
    /// When one of them cannot be written or is there already, or there are two of a kind.
    pub(super) fn begin(
        outs: &'a [PathBuf],
        options: &'a ShowOptions,
        title: &str,
        plays: &Plays,
    ) -> anyhow::Result<Shows<'a>> {
        let count = |is_kind: fn(&Path) -> bool| outs.iter().filter(|out| is_kind(out)).count();
        ensure!(count(is_page) <= 1 && count(is_preset) <= 1, "expected one page and one preset at most");
        options.overwrite.check(outs)?;
        let preset =
            outs.iter().find(|out| is_preset(out)).map(|out| Playing::begin(out, options, plays)).transpose()?;
        let page = outs.iter().find(|out| is_page(out)).map(|out| Page::begin(out, options, title)).transpose()?;
        Ok(Shows { page, preset, count: 0 })
    }

    /// Adds a picture; `file` is its name where it has no file yet, or else its path.
    pub(super) fn add(&mut self, picture: &RgbImage, said: &Said, file: &Path) -> anyhow::Result<()> {
        self.count += 1;
        if let Some(page) = &mut self.page {
            page.add(picture, &said.words())?;
        }
        self.preset.as_mut().map_or(Ok(()), |preset| preset.add(picture, said, file))
    }

    pub(super) fn end(self) -> anyhow::Result<()> {
        if let Some(page) = self.page {
            let out = page.end()?;
            say!("{}: {} pictures", out.display(), self.count);
        }
        self.preset.map_or(Ok(()), Playing::end)
    }
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    match (&options.seeds, options.place.is_dir()) {
        (Some(seeds), false) => of_seeds(options, &parse_seeds(seeds)?),
        (None, true) => of_folder(options),
        (Some(_), true) => bail!("{}: --seeds belongs to a network, and this is a folder", options.place.display()),
        (None, false) if options.place.is_file() || locate::network(&options.place).is_ok() => {
            bail!("{}: expected a folder of pictures, or --seeds with a network", options.place.display())
        }
        (None, false) => bail!("no folder {}", options.place.display()),
    }
}

fn of_folder(options: &Options) -> anyhow::Result<()> {
    let folder = &options.place;
    let files = pictures(folder)?;
    let table = Table::open(&folder.join(NAME))?;
    let title =
        std::path::absolute(folder)?.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let plays = Plays::Folder(folder.clone());
    let mut captions = Captions::new(&options.show);
    // The first picture that can be read begins the show: a folder without one leaves what was there.
    let mut shows: Option<Shows> = None;
    let (mut own, mut bad) = (0, 0);
    let bar = super::progress(files.len() as u64);
    for file in &files {
        bar.inc(1);
        let picture = match file::read(file) {
            Ok(picture) => picture.into_rgb8(),
            Err(error) => {
                bad += 1;
                bar.suspend(|| warn!("latent-jockey: {error}"));
                continue;
            }
        };
        let shows = match &mut shows {
            Some(shows) => shows,
            none => none.insert(Shows::begin(&options.out, &options.show, &title, &plays)?),
        };
        let row = table.get(file).cloned();
        let caption = if row.is_none() { bar.suspend(|| captions.of(&picture)) } else { None };
        own += usize::from(caption.is_some());
        shows.add(&picture, &Said { caption, row, note: String::new() }, file)?;
    }
    bar.finish_and_clear();
    shows.with_context(|| format!("{}: no picture can be read", folder.display()))?.end()?;
    if own > 0 {
        let table = folder.join(NAME);
        match options.out.iter().any(|out| is_preset(out)) {
            true => say!("{own} captions are the captioner's; they can be edited in {}", table.display()),
            false => say!(
                "{own} captions are the captioner's; to edit them: latent-jockey caption {0} --out {1}",
                folder.display(),
                table.display()
            ),
        }
    }
    ensure!(bad == 0, "{bad} of {} pictures are not shown", files.len());
    Ok(())
}

fn of_seeds(options: &Options, seeds: &[u32]) -> anyhow::Result<()> {
    let file = locate::network(&options.place)?;
    let engine = options.engine.trusting(&file).build();
    let network = network::open_by(&*engine, &file)?;
    check_class(options.class, &network)?;
    let program = engine.prepare(network.plan.clone())?;
    let mut studio = Studio::new(network, program);
    let settings = Settings { psi: options.psi, class: options.class.unwrap_or(0.0) };
    let name = name_of(&file);
    let mut captions = Captions::new(&options.show);
    let plays = Plays::Network(network_name(&options.place)?);
    let mut shows = Shows::begin(&options.out, &options.show, &name, &plays)?;
    let bar = super::progress(seeds.len() as u64);
    for (number, seed) in (1..).zip(seeds) {
        let picture = studio.of_seed(*seed, &settings)?;
        let caption = bar.suspend(|| captions.of(&picture));
        let said = Said { caption, row: None, note: format!("{name}, seed {seed}") };
        shows.add(&picture, &said, Path::new(&picture_name(number, &name, *seed)))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    shows.end()
}

/// A file's name for a picture, in the order of the show.
pub(super) fn picture_name(number: usize, network: &str, seed: u32) -> String {
    format!("{number:03}-{network}-seed{seed:04}.png")
}

/// A network as a preset names it, wherever that lies: a name, or the whole path.
fn network_name(named: &Path) -> anyhow::Result<String> {
    let path = if named.is_file() { std::path::absolute(named)? } else { named.to_owned() };
    path.into_os_string().into_string().ok().with_context(|| format!("{}: not UTF-8", named.display()))
}
