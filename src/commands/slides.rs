//! `slides`: a folder of pictures, or seeds of a network, become a slide show in one file.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::builder::TypedValueParser;
use image::RgbImage;

use super::caption::{CaptionerOptions, pictures};
use super::generate::parse_seeds;
use super::{EngineOptions, check_class};
use crate::caption::Captioner;
use crate::caption::table::{NAME, Table};
use crate::explore::studio::{Settings, Studio};
use crate::image::file;
use crate::network;
use crate::patch::locate::{self, name_of};
use crate::record::slides::{Slides, Words};

#[derive(Debug, clap::Args)]
pub struct Options {
    /// A folder of pictures, or a network for --seeds
    #[arg(value_name = "FOLDER|NETWORK", value_parser = super::path())]
    place: PathBuf,
    /// The page to write
    #[arg(long, value_name = "FILE.html", value_parser = page())]
    out: PathBuf,
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
    /// The page's title [default: the name of the folder or network]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Longest side of a picture in pixels; larger ones are reduced
    #[arg(long, default_value_t = 1600, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(64..=8192))]
    side: u32,
    /// Let the captioner say nothing
    #[arg(long)]
    no_captions: bool,
    #[command(flatten)]
    captioner: CaptionerOptions,
}

/// A path that ends like a page.
pub(super) fn page() -> impl TypedValueParser<Value = PathBuf> {
    super::path().try_map(|path| {
        let ends = |ending: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(ending));
        let is_page = ends("html") || ends("htm");
        is_page
            .then_some(path.clone())
            .ok_or_else(|| format!("expected a file that ends in .html, got {}", path.display()))
    })
}

/// Seconds, from 2 on: what changes faster may flash.
fn parse_stay(text: &str) -> Result<f64, String> {
    let wrong = || format!("expected seconds from 2 to 86400, such as 8, got {text:?}");
    text.trim().parse().ok().filter(|seconds| (2.0..=86_400.0).contains(seconds)).ok_or_else(wrong)
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

    /// The captioner's words, if it may speak.
    pub(super) fn of(&mut self, picture: &RgbImage, note: &str) -> Words {
        let captioner = self.captioner.get_or_insert_with(|| {
            if self.options.no_captions {
                return None;
            }
            let opened = self.options.captioner.open();
            opened.inspect_err(|error| warn!("latent-jockey: no captions: {error:#}")).ok()
        });
        let caption = captioner.as_ref().map(|captioner| captioner.caption(picture));
        let is_guess = caption.as_ref().is_some_and(crate::caption::Caption::is_guess);
        Words { caption: caption.map_or_else(String::new, |caption| caption.text), is_guess, note: note.to_owned() }
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
    let name =
        std::path::absolute(folder)?.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let mut captions = Captions::new(&options.show);
    // The first picture that can be read begins the page: a folder without one leaves what was there.
    let mut page: Option<Page> = None;
    let (mut shown, mut own, mut bad) = (0, 0, 0);
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
        let words = match table.get(file) {
            Some(row) => Words { caption: row.caption.clone(), is_guess: row.is_guess, note: String::new() },
            None => {
                own += 1;
                bar.suspend(|| captions.of(&picture, ""))
            }
        };
        if page.is_none() {
            page = Some(Page::begin(&options.out, &options.show, &name)?);
        }
        if let Some(page) = &mut page {
            page.add(&picture, &words)?;
            shown += 1;
        }
    }
    bar.finish_and_clear();
    let page = page.with_context(|| format!("{}: no picture can be read", folder.display()))?;
    page.end()?;
    say!("{}: {shown} pictures", options.out.display());
    if own > 0 && captions.captioner.flatten().is_some() {
        let table = folder.join(NAME);
        say!(
            "{own} captions are the captioner's; to edit them: latent-jockey caption {0} --out {1}",
            folder.display(),
            table.display()
        );
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
    let mut page = Page::begin(&options.out, &options.show, &name)?;
    let bar = super::progress(seeds.len() as u64);
    for seed in seeds {
        let picture = studio.of_seed(*seed, &settings)?;
        let words = bar.suspend(|| captions.of(&picture, &format!("{name}, seed {seed}")));
        page.add(&picture, &words)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    page.end()?;
    say!("{}: {} pictures", options.out.display(), seeds.len());
    Ok(())
}

/// The page, beside its place until it is whole.
pub(super) struct Page<'a> {
    slides: Slides<BufWriter<File>>,
    part: PathBuf,
    out: &'a Path,
}

impl<'a> Page<'a> {
    pub(super) fn begin(out: &'a Path, options: &ShowOptions, name: &str) -> anyhow::Result<Page<'a>> {
        let mut part = out.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let title = options.title.as_deref().unwrap_or(name);
        let file = File::create(&part).with_context(|| format!("cannot write {}", part.display()))?;
        let slides = Slides::begin(BufWriter::new(file), title, options.stay, options.side);
        Ok(Page { slides: slides.with_context(|| format!("cannot write {}", part.display()))?, part, out })
    }

    pub(super) fn add(&mut self, picture: &RgbImage, words: &Words) -> anyhow::Result<()> {
        self.slides.add(picture, words).with_context(|| format!("cannot write {}", self.part.display()))
    }

    pub(super) fn end(self) -> anyhow::Result<()> {
        let wrong = || format!("cannot write {}", self.out.display());
        self.slides.end().with_context(wrong)?;
        std::fs::rename(&self.part, self.out).with_context(wrong)
    }
}
