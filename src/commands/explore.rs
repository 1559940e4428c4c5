//! `explore`: many pictures of a network, sorted and starred: on a page in the browser, or on one sheet.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use image::RgbImage;

use super::caption::CaptionerOptions;
use super::generate::parse_seeds;
use super::overwrite::Overwrite;
use super::{EngineOptions, check_class};
use crate::caption::Captioner;
use crate::engine::Engine;
use crate::engine::plan::Plan;
use crate::explore::directions;
use crate::explore::favourites::{self, FILE, Favourite};
use crate::explore::order::{Item, Order, sort, value};
use crate::explore::realness::Realness;
use crate::explore::server::Server;
use crate::explore::site::{About, Site};
use crate::explore::studio::{Settings, Studio, reduced};
use crate::explore::survey::{Survey, USUAL, folder, see};
use crate::explore::worker::{Pace, Tools, Worker};
use crate::image::file;
use crate::network::{self, Network};
use crate::patch::locate;
use crate::record::sheet;

/// The page's port.
const PORT: u16 = 8100;
/// Most pictures of a sheet.
const MOST: u32 = 20_000;
/// Memory of the pictures while the sheet is made, in bytes: with more of them, each is smaller.
const MOST_BYTES: usize = 768 << 20;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The network: a file, or the name of one that ships or is yours
    network: PathBuf,
    /// Write a contact sheet instead of serving a page; FILE.csv beside it says which seed is where
    #[arg(long, value_name = "FILE.png", value_parser = super::path())]
    sheet: Option<PathBuf>,
    /// The page's port on this machine
    #[arg(long, default_value_t = PORT, conflicts_with = "sheet")]
    port: u16,
    /// How many seeds, from 0
    #[arg(
        long,
        requires = "sheet",
        default_value_t = 400,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST))
    )]
    count: u32,
    /// These seeds instead, such as 0-15,85
    #[arg(long, requires = "sheet", value_name = "LIST", conflicts_with = "count")]
    seeds: Option<String>,
    /// What they are sorted by
    #[arg(long, requires = "sheet", value_enum, default_value_t)]
    sort: Order,
    /// For --sort like: seeds of this network, or a picture
    #[arg(long, requires = "sheet", value_name = "SEEDS|FILE")]
    like: Option<String>,
    /// Only the first N of the order
    #[arg(long, requires = "sheet", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    first: Option<u32>,
    /// Truncation psi; 1 shows all that the network can do
    #[arg(long, default_value_t = 1.0, value_parser = psi, allow_negative_numbers = true)]
    psi: f32,
    /// Class of a conditional network; fractions blend two classes
    #[arg(long)]
    class: Option<f64>,
    /// Longest side of a picture on the sheet, in pixels
    #[arg(
        long,
        requires = "sheet",
        default_value_t = 128,
        value_name = "PIXELS",
        value_parser = clap::value_parser!(u32).range(16..=1024)
    )]
    side: u32,
    /// Seeds that tell what is usual, for --sort artifacts and usual
    #[arg(
        long,
        requires = "sheet",
        default_value_t = USUAL,
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(16..=i64::from(MOST))
    )]
    samples: u32,
    /// Add the first N of the order to the favourites
    #[arg(long, requires = "sheet", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    star: Option<u32>,
    /// The file of favourites
    #[arg(long, default_value = FILE, value_name = "FILE.toml", value_parser = super::path())]
    favourites: PathBuf,
    #[command(flatten)]
    overwrite: Overwrite,
    #[command(flatten)]
    captioner: CaptionerOptions,
    #[command(flatten)]
    engine: EngineOptions,
}

/// A psi that the page takes, too.
fn psi(text: &str) -> Result<f32, String> {
    let psi = text.parse().ok().filter(|psi| (-4.0..=4.0).contains(psi));
    psi.ok_or_else(|| "expected a number from -4 to 4".to_owned())
}

pub fn run(options: &Options) -> anyhow::Result<()> {
    match &options.sheet {
        Some(out) => write_sheet(options, out),
        None => serve(options),
    }
}

/// The network, the engine that draws it, and what its pictures have in common.
fn open(options: &Options) -> anyhow::Result<(Network, Arc<dyn Engine>, Settings)> {
    let file = locate::network(&options.network)?;
    let engine = options.engine.trusting(&file).build();
    let network = network::open_by(&*engine, &file)?;
    check_class(options.class, &network)?;
    let settings = Settings { psi: options.psi, class: options.class.unwrap_or(0.0) };
    Ok((network, engine, settings))
}

/// Serves the page until Ctrl-C.
fn serve(options: &Options) -> anyhow::Result<()> {
    super::log();
    let (network, engine, settings) = open(options)?;
    let network = Arc::new(network);
    // If the engine cannot draw it, that is known before the page is there.
    let mut first = Some(engine.prepare(network.plan.clone())?);
    let (whole, path) = (network.plan.clone(), network.path.clone());
    let prepare = move |plan: Arc<Plan>| match first.take_if(|_| Arc::ptr_eq(&plan, &whole)) {
        Some(program) => Ok(program),
        None => engine.prepare(plan).map_err(|error| format!("{}: {error}", path.display())),
    };
    let about = About::new(&network, settings, options.favourites.clone());
    let captioner = options.captioner.clone();
    let named = named(options)?;
    let tools = Tools {
        network: network.clone(),
        prepare: Box::new(prepare),
        eyes: Box::new(move || captioner.open().map_err(|error| format!("{error:#}"))),
        favourites: options.favourites.clone(),
        named: Box::new(move || named.clone()),
        cache: folder(),
    };
    let worker = Worker::start(tools, Pace::Alone, None)?;
    let queue = worker.queue();
    let server = Server::start(options.port, Site::new(about, queue.clone()));
    let server = server.with_context(|| format!("TCP port {}: choose another with --port", options.port))?;
    say!("http://{} shows {}; Ctrl-C ends", server.address(), locate::name_of(&network.path));
    let is_over = super::interrupted();
    // What it finds is kept for the next time, or is found again.
    directions::find(network, std::thread::available_parallelism().map_or(1, usize::from), queue)?;
    while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
        std::thread::park_timeout(std::time::Duration::from_millis(100));
    }
    drop((server, worker));
    Ok(())
}

/// What favourites call the network: a name leads to it from everywhere, a path only if it is whole.
fn named(options: &Options) -> anyhow::Result<String> {
    let named = locate::expand(&options.network);
    let named = if named.is_file() { std::path::absolute(&named)? } else { named };
    Ok(named.to_string_lossy().into_owned())
}

fn write_sheet(options: &Options, out: &Path) -> anyhow::Result<()> {
    ensure!(
        (options.sort == Order::Like) == options.like.is_some(),
        "--sort like and --like SEEDS|FILE belong together"
    );
    let seeds = match &options.seeds {
        Some(list) => parse_seeds(list)?,
        None => (0..options.count).collect(),
    };
    ensure!(seeds.len() <= MOST as usize, "--seeds: at most {MOST} pictures on a sheet, got {}", seeds.len());
    let list = out.with_extension("csv");
    options.overwrite.check([out, &list])?;
    let (network, engine, settings) = open(options)?;
    let program = engine.prepare(network.plan.clone())?;
    let mut studio = Studio::new(network, program);

    let mut small = Small::new(options.side, seeds.len());
    let judged = match options.sort {
        Order::Seed | Order::Average => None,
        _ => Some(judge(options, &seeds, &mut studio, &settings, &mut small)?),
    };
    let mut items = Vec::with_capacity(seeds.len());
    let centre = studio.centre(&settings);
    for seed in &seeds {
        let (w, _) = studio.latent(*seed, &settings);
        let (look, usual, liked) = judged.as_ref().map_or((None, None, &[][..]), |judged| {
            (judged.survey.get(*seed), judged.usual.as_ref(), judged.liked.as_slice())
        });
        items.push(Item { seed: *seed, value: value(options.sort, look, usual, [&w, &centre], liked) });
    }
    sort(&mut items);
    items.truncate(options.first.map_or(usize::MAX, |first| first as usize));

    let bar = super::progress(items.len() as u64);
    let mut pictures = Vec::with_capacity(items.len());
    for item in &items {
        bar.inc(1);
        let picture = match small.pictures.remove(&item.seed) {
            Some(picture) => picture,
            None => reduced(&studio.of_seed(item.seed, &settings)?, options.side),
        };
        let picture = image::DynamicImage::ImageRgb8(picture).into_rgba8();
        pictures.push(sheet::small(picture, items.len() as u32));
    }
    bar.finish_and_clear();
    let page = sheet::contact_sheet(&pictures);
    page.save(out).with_context(|| format!("cannot write {}", out.display()))?;
    write_list(&list, &items, options.sort).with_context(|| format!("cannot write {}", list.display()))?;
    say!("{}: {} pictures, row by row as in {}", out.display(), items.len(), list.display());
    if let Some(count) = options.star {
        star(options, &items[..items.len().min(count as usize)], &mut studio, &settings)?;
    }
    Ok(())
}

/// What is known about the pictures.
struct Judged {
    survey: Survey,
    usual: Option<Realness>,
    liked: Vec<f32>,
}

/// Looks at the pictures, and at those that tell what is usual.
fn judge(
    options: &Options,
    seeds: &[u32],
    studio: &mut Studio,
    settings: &Settings,
    small: &mut Small,
) -> anyhow::Result<Judged> {
    let eyes = options.captioner.open()?;
    let samples: Vec<u32> = match options.sort {
        Order::Artifacts | Order::Usual => (0..options.samples).collect(),
        _ => Vec::new(),
    };
    let mut survey = Survey::open(studio, settings);
    let others = samples.iter().filter(|seed| !seeds.contains(seed)).copied();
    let all: Vec<u32> = seeds.iter().copied().chain(others).collect();
    let wanted: std::collections::HashSet<u32> = seeds.iter().copied().collect();
    let bar = super::progress(all.iter().filter(|seed| survey.get(**seed).is_none()).count() as u64);
    let drawn = |seed: u32, picture: &RgbImage| {
        bar.inc(1);
        if wanted.contains(&seed) {
            small.keep(seed, picture);
        }
    };
    let looked = survey.look(&all, studio, settings, &eyes, drawn);
    bar.finish_and_clear();
    survey.keep();
    looked?;
    let usual = match samples.is_empty() {
        true => None,
        false => {
            let looks: Vec<&[f32]> = samples.iter().filter_map(|seed| Some(survey.get(*seed)?.features())).collect();
            let name = studio.network.path.display();
            Some(Realness::of(looks.into_iter()).with_context(|| format!("{name}: all its pictures look the same"))?)
        }
    };
    let liked = options.like.as_deref().map(|like| liked(like, studio, settings, &eyes)).transpose()?;
    Ok(Judged { survey, usual, liked: liked.unwrap_or_default() })
}

/// The mean features of the pictures that others should resemble.
fn liked(like: &str, studio: &mut Studio, settings: &Settings, eyes: &Captioner) -> anyhow::Result<Vec<f32>> {
    let path = locate::expand(Path::new(like));
    if path.is_file() {
        return Ok(see(eyes, &file::read(&path)?.into_rgb8()).features().to_vec());
    }
    let Ok(seeds) = parse_seeds(like) else {
        bail!("--like takes seeds such as 3,85, or a picture; found no file {}", path.display());
    };
    let mut sum = Vec::new();
    for seed in &seeds {
        let look = see(eyes, &studio.of_seed(*seed, settings)?);
        sum.resize(look.features().len(), 0.0);
        sum.iter_mut().zip(look.features()).for_each(|(sum, x): (&mut f32, _)| *sum += x / seeds.len() as f32);
    }
    Ok(sum)
}

/// Pictures in the size of the sheet, as many as memory is meant for.
struct Small {
    side: u32,
    pictures: HashMap<u32, RgbImage>,
    most: usize,
}

impl Small {
    fn new(side: u32, count: usize) -> Small {
        Small { side, pictures: HashMap::new(), most: (MOST_BYTES / (3 * (side * side) as usize)).min(count) }
    }

    fn keep(&mut self, seed: u32, picture: &RgbImage) {
        if self.pictures.len() < self.most {
            self.pictures.insert(seed, reduced(picture, self.side));
        }
    }
}

/// Writes which seed is where, and what it was sorted by.
fn write_list(file: &Path, items: &[Item], order: Order) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_path(file)?;
    let measure = match order {
        Order::Seed => "",
        Order::Artifacts | Order::Usual => "strangeness",
        Order::Average => "distance",
        Order::Colour => "hue",
        Order::Like => "unlikeness",
    };
    let columns = if measure.is_empty() { vec!["place", "seed"] } else { vec!["place", "seed", measure] };
    writer.write_record(&columns)?;
    for (place, item) in items.iter().enumerate() {
        let mut row = vec![place.to_string(), item.seed.to_string()];
        if !measure.is_empty() {
            row.push(format!("{:.4}", if order == Order::Artifacts { -item.value } else { item.value }));
        }
        writer.write_record(&row)?;
    }
    Ok(writer.flush()?)
}

fn star(options: &Options, items: &[Item], studio: &mut Studio, settings: &Settings) -> anyhow::Result<()> {
    let named = named(options)?;
    let w_dim = studio.network.mapping.w_dim;
    let stars: Vec<Favourite> = items
        .iter()
        .map(|item| {
            let (_, ws) = studio.latent(item.seed, settings);
            Favourite::new(&named, item.seed, [f64::from(settings.psi), settings.class], &ws, w_dim)
        })
        .collect();
    let added = favourites::add(&options.favourites, &stars)?;
    say!("{}: {added} added", options.favourites.display());
    Ok(())
}
