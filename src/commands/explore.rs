//! `explore`: many pictures of a network, a take or a walk, sorted and starred: on a page in the browser, or on one sheet.

mod moments;

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use image::RgbImage;

use super::caption::CaptionerOptions;
use super::generate::parse_seeds;
use super::overwrite::Overwrite;
use super::render::parse_interval;
use super::{EngineOptions, check_class};
use crate::caption::Captioner;
use crate::engine::plan::Plan;
use crate::engine::score::Discriminator;
use crate::engine::{Engine, EngineError};
use crate::explore::directions;
use crate::explore::favourites::{self, FILE, Favourite};
use crate::explore::order::{Item, Order, sort, value};
use crate::explore::realness::Realness;
use crate::explore::server::Server;
use crate::explore::site::{About, Site};
use crate::explore::studio::{Settings, Shown, Studio, reduced};
use crate::explore::survey::{Survey, USUAL, folder, see};
use crate::explore::worker::{Pace, Tools, Worker};
use crate::image::file;
use crate::network::{self, Network};
use crate::patch::folders::Folders;
use crate::patch::locate;
use crate::record::sheet;
use crate::show::Mode;
use moments::{Moments, Source, moments};

/// The page's port.
const PORT: u16 = 8100;
/// Where nobody says others: how many seeds are on a sheet, their truncation psi, and seconds from one moment to the next.
const COUNT: u32 = 400;
const PSI: f32 = 1.0;
const EVERY: f64 = 1.0;
/// Most pictures of a sheet.
const MOST: u32 = 20_000;
/// Memory of the pictures while the sheet is made, in bytes: with more of them, each is smaller.
const MOST_BYTES: usize = 768 << 20;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The network: a file, or the name of one that ships or is yours; or a take, or a preset whose walk is to be browsed
    #[arg(value_name = "NETWORK|TAKE|PRESET")]
    subject: PathBuf,
    /// Of a take or a preset: a picture every so many seconds [default: 1]
    #[arg(long, value_name = "S", value_parser = parse_interval)]
    every: Option<f64>,
    /// Of a take or a preset: this much of it, in seconds [default: the whole take, 60 s of a preset]
    #[arg(long, value_name = "S", value_parser = parse_interval)]
    seconds: Option<f64>,
    /// Write a contact sheet instead of serving a page; FILE.csv beside it says which seed is where
    #[arg(long, value_name = "FILE.png", value_parser = super::path())]
    sheet: Option<PathBuf>,
    /// The page's port on this machine
    #[arg(long, default_value_t = PORT, conflicts_with = "sheet")]
    port: u16,
    /// How many seeds, from 0 [default: 400]
    #[arg(
        long,
        requires = "sheet",
        value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST))
    )]
    count: Option<u32>,
    /// These seeds instead, such as 0-15,85
    #[arg(long, requires = "sheet", value_name = "LIST", conflicts_with = "count")]
    seeds: Option<String>,
    /// What they are sorted by
    #[arg(long, requires = "sheet", value_enum, default_value_t)]
    sort: Order,
    /// For --sort like: seeds of this network, of a take or a preset too, or a picture
    #[arg(long, requires = "sheet", value_name = "SEEDS|FILE")]
    like: Option<String>,
    /// Only the first N of the order
    #[arg(long, requires = "sheet", value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    first: Option<u32>,
    /// Truncation psi; 1 shows all that the network can do [default: 1]
    #[arg(long, value_parser = psi, allow_negative_numbers = true)]
    psi: Option<f32>,
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
    /// Seeds that tell what is usual, for --sort artifacts and usual where the network's file holds no discriminator
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

/// What is browsed.
struct Opened {
    network: Arc<Network>,
    engine: Arc<dyn Engine>,
    /// What its pictures have in common, if they are of seeds.
    settings: Settings,
    shown: Shown,
    /// What is shown of it, as the page calls it.
    name: String,
    /// What favourites call the network.
    named: String,
}

fn open(options: &Options) -> anyhow::Result<Opened> {
    let subject = options.subject.display();
    let Some(source) = Source::of(&options.subject) else {
        let given = [("--every", options.every.is_some()), ("--seconds", options.seconds.is_some())];
        if let Some((name, _)) = given.iter().find(|(_, is_given)| *is_given) {
            bail!("{name} is for takes and presets, and {subject} is a network");
        }
        let file = locate::network(&options.subject)?;
        let engine = options.engine.trusting(&file).build();
        let network = Arc::new(network::open_by(&*engine, &file)?);
        check_class(options.class, &network)?;
        let settings = Settings { psi: options.psi.unwrap_or(PSI), class: options.class.unwrap_or(0.0) };
        let (name, named) = (locate::name_of(&file), named(options)?);
        return Ok(Opened { network, engine, settings, shown: Shown::Seeds, name, named });
    };
    let given = [
        ("--psi", options.psi.is_some()),
        ("--class", options.class.is_some()),
        ("--count", options.count.is_some()),
        ("--seeds", options.seeds.is_some()),
    ];
    if let Some((name, _)) = given.iter().find(|(_, is_given)| *is_given) {
        bail!("{name} is for networks, and {subject} shows what was set while it was played");
    }
    // Effects are compiled with it, though none is seen.
    let (engine, screen) = options.engine.build_with_screen(Mode::Offline);
    let every = options.every.unwrap_or(EVERY);
    let played = moments(&source, (engine.clone(), screen), every, options.seconds)?;
    let Moments { network, moments, others } = played;
    if others > 0 {
        let all = others + moments.len();
        warn!("{subject}: {others} of {all} pictures are of other networks than {}, and left out", network.name);
    }
    let (shown, name) = (Shown::Moments(moments.into()), locate::name_of(&options.subject));
    let named = locate::called(&Folders::here()?, &network.path);
    let settings = shown.settings(&Settings { psi: PSI, class: 0.0 });
    Ok(Opened { network, engine, settings, shown, name, named })
}

/// What favourites call the network: a name leads to it from everywhere, a path only if it is whole.
fn named(options: &Options) -> anyhow::Result<String> {
    let named = locate::expand(&options.subject);
    let named = if named.is_file() { std::path::absolute(&named)? } else { named };
    Ok(named.to_string_lossy().into_owned())
}

/// Serves the page until Ctrl-C.
fn serve(options: &Options) -> anyhow::Result<()> {
    super::log();
    let Opened { network, engine, settings, shown, name, named } = open(options)?;
    // If the engine cannot draw it, that is known before the page is there.
    let mut first = Some(engine.prepare(network.plan.clone())?);
    let (whole, path) = (network.plan.clone(), network.path.clone());
    let prepare = move |plan: Arc<Plan>| match first.take_if(|_| Arc::ptr_eq(&plan, &whole)) {
        Some(program) => Ok(program),
        None => engine.prepare(plan).map_err(|error| format!("{}: {error}", path.display())),
    };
    let favourites = options.favourites.clone();
    let about = match &shown {
        Shown::Seeds => About::new(&network, settings, favourites),
        Shown::Moments(moments) => About::of_moments(&network, name.clone(), moments, favourites),
    };
    let captioner = options.captioner.clone();
    let tools = Tools {
        network: network.clone(),
        shown,
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
    say!("http://{} shows {name}; Ctrl-C ends", server.address());
    let is_over = super::interrupted();
    // What it finds is kept for the next time, or is found again.
    directions::find(network, std::thread::available_parallelism().map_or(1, usize::from), queue)?;
    while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
        std::thread::park_timeout(std::time::Duration::from_millis(100));
    }
    drop((server, worker));
    Ok(())
}

fn write_sheet(options: &Options, out: &Path) -> anyhow::Result<()> {
    ensure!(
        (options.sort == Order::Like) == options.like.is_some(),
        "--sort like and --like SEEDS|FILE belong together"
    );
    let list = out.with_extension("csv");
    options.overwrite.check([out, &list])?;
    let seeds = options.seeds.as_deref().map(parse_seeds).transpose()?;
    let Opened { network, engine, settings, shown, named, .. } = open(options)?;
    let numbers: Vec<u32> = match (seeds, &shown) {
        (_, Shown::Moments(_)) => (0..shown.count()).collect(),
        (Some(seeds), _) => seeds,
        (None, _) => (0..options.count.unwrap_or(COUNT)).collect(),
    };
    ensure!(numbers.len() <= MOST as usize, "--seeds: at most {MOST} pictures on a sheet, got {}", numbers.len());
    let mut studio = Studio::new(network.clone(), engine.prepare(network.plan.clone())?);
    let mut small = Small::new(options.side, numbers.len());
    let pictures = Pictures { options, shown: &shown, settings: &settings, numbers: &numbers };
    let judged = match options.sort {
        Order::Seed | Order::Average => Judged::default(),
        _ => pictures.judge(&mut studio, &mut small)?,
    };
    let mut items = Vec::with_capacity(numbers.len());
    let centre = studio.centre(&settings);
    for n in &numbers {
        let (w, _) = shown.latent(*n, &mut studio, &settings);
        let (look, strange) = (judged.survey.get(*n), judged.strange(*n));
        let value = value(options.sort, look, strange, [&w, &centre], &judged.liked);
        items.push(Item { seed: *n, value });
    }
    sort(&mut items);
    items.truncate(options.first.map_or(usize::MAX, |first| first as usize));

    let bar = super::progress(items.len() as u64);
    let mut drawn = Vec::with_capacity(items.len());
    for item in &items {
        bar.inc(1);
        let picture = match small.pictures.remove(&item.seed) {
            Some(picture) => picture,
            None => reduced(&pictures.draw(item.seed, &mut studio)?, options.side),
        };
        let picture = image::DynamicImage::ImageRgb8(picture).into_rgba8();
        drawn.push(sheet::small(picture, items.len() as u32));
    }
    bar.finish_and_clear();
    let page = sheet::contact_sheet(&drawn);
    page.save(out).with_context(|| format!("cannot write {}", out.display()))?;
    let written = write_list(&list, &items, &shown, options.sort, judged.has_scores);
    written.with_context(|| format!("cannot write {}", list.display()))?;
    say!("{}: {} pictures, row by row as in {}", out.display(), items.len(), list.display());
    if let Some(count) = options.star {
        pictures.star(&named, &items[..items.len().min(count as usize)], &mut studio)?;
    }
    Ok(())
}

/// What is known about the pictures.
#[derive(Default)]
struct Judged {
    survey: Survey,
    /// Whether they were scored by a discriminator.
    has_scores: bool,
    usual: Option<Realness>,
    liked: Vec<f32>,
}

impl Judged {
    /// How strange a picture is, if that is what is asked for.
    fn strange(&self, n: u32) -> Option<f32> {
        match &self.usual {
            Some(usual) => Some(usual.distance(self.survey.get(n)?.features())),
            None => Some(-self.survey.score(n)?),
        }
    }
}

/// The pictures of a sheet.
struct Pictures<'a> {
    options: &'a Options,
    shown: &'a Shown,
    settings: &'a Settings,
    numbers: &'a [u32],
}

impl Pictures<'_> {
    fn draw(&self, n: u32, studio: &mut Studio) -> Result<RgbImage, EngineError> {
        let (_, ws) = self.shown.latent(n, studio, self.settings);
        studio.draw(&ws)
    }

    /// Looks at the pictures, and at those that tell what is usual; or scores them.
    fn judge(&self, studio: &mut Studio, small: &mut Small) -> anyhow::Result<Judged> {
        let Pictures { options, shown, settings, numbers } = *self;
        let is_by_usual = matches!(options.sort, Order::Artifacts | Order::Usual);
        let mut survey = match shown {
            Shown::Seeds => Survey::open(studio, settings),
            Shown::Moments(_) => Survey::default(),
        };
        if is_by_usual && let Some(judge) = Discriminator::of(&studio.network) {
            let bar = super::progress(numbers.iter().filter(|n| survey.score(**n).is_none()).count() as u64);
            let scored = survey.judge(numbers, |n| {
                bar.inc(1);
                let (_, ws) = shown.latent(n, studio, settings);
                let score = studio.score(&judge, &ws, shown.class(n, settings))?;
                score.context("the discriminator cannot score its pictures")
            });
            bar.finish_and_clear();
            survey.keep();
            scored?;
            return Ok(Judged { survey, has_scores: true, ..Judged::default() });
        }
        let eyes = options.captioner.open()?;
        // What is usual is what seeds show.
        let samples: Vec<u32> = if is_by_usual { (0..options.samples).collect() } else { Vec::new() };
        let mut usual = Survey::default();
        let mut draw = |shown: &Shown, survey: &mut Survey, numbers: &[u32]| {
            let bar = super::progress(numbers.iter().filter(|n| survey.get(**n).is_none()).count() as u64);
            let wanted: HashSet<u32> = self.numbers.iter().copied().collect();
            let looked = survey.look(numbers, &eyes, |n| {
                bar.inc(1);
                let (_, ws) = shown.latent(n, studio, settings);
                let picture = studio.draw(&ws)?;
                // Of moments, samples are other pictures.
                if wanted.contains(&n) && (shown.moment(n).is_some() || matches!(self.shown, Shown::Seeds)) {
                    small.keep(n, &picture);
                }
                Ok::<_, EngineError>(picture)
            });
            bar.finish_and_clear();
            survey.keep();
            looked
        };
        draw(shown, &mut survey, numbers)?;
        match shown {
            Shown::Seeds => draw(shown, &mut survey, &samples)?,
            Shown::Moments(_) => draw(&Shown::Seeds, &mut usual, &samples)?,
        }
        let among = if matches!(shown, Shown::Seeds) { &survey } else { &usual };
        let looks: Vec<&[f32]> = samples.iter().filter_map(|seed| Some(among.get(*seed)?.features())).collect();
        let name = studio.network.path.display().to_string();
        let same = || format!("{name}: all its pictures look the same");
        let usual = match is_by_usual {
            true => Some(Realness::of(looks.into_iter()).with_context(same)?),
            false => None,
        };
        let liked = options.like.as_deref().map(|like| liked(like, studio, settings, &eyes)).transpose()?;
        Ok(Judged { survey, usual, liked: liked.unwrap_or_default(), has_scores: false })
    }

    fn star(&self, named: &str, items: &[Item], studio: &mut Studio) -> anyhow::Result<()> {
        let w_dim = studio.network.mapping.w_dim;
        let star = |item: &Item| {
            let (_, ws) = self.shown.latent(item.seed, studio, self.settings);
            let moment = self.shown.moment(item.seed);
            let (seed, Settings { psi, class }) = moment.map_or((item.seed, *self.settings), |m| (m.seed, m.settings));
            Favourite::new(named, seed, [f64::from(psi), class], &ws, w_dim)
        };
        let stars: Vec<Favourite> = items.iter().map(star).collect();
        let file = &self.options.favourites;
        let added = favourites::add(file, &stars)?;
        say!("{}: {added} added", file.display());
        Ok(())
    }
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

/// Writes which picture is where, and what it was sorted by.
fn write_list(file: &Path, items: &[Item], shown: &Shown, order: Order, has_scores: bool) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_path(file)?;
    let measure = match order {
        Order::Seed => None,
        Order::Artifacts | Order::Usual if has_scores => Some("score"),
        Order::Artifacts | Order::Usual => Some("strangeness"),
        Order::Average => Some("distance"),
        Order::Colour => Some("hue"),
        Order::Like => Some("unlikeness"),
    };
    let time = matches!(shown, Shown::Moments(_)).then_some("seconds");
    writer.write_record(["place"].into_iter().chain(time).chain(["seed"]).chain(measure))?;
    for (place, item) in items.iter().enumerate() {
        let moment = shown.moment(item.seed);
        let time = moment.map(|moment| format!("{:.3}", moment.secs));
        let seed = moment.map_or(item.seed, |moment| moment.seed).to_string();
        // A score grows the other way than what is strange.
        let turns = (order == Order::Artifacts) != has_scores;
        let measured = measure.map(|_| format!("{:.4}", if turns { -item.value } else { item.value }));
        writer.write_record([place.to_string()].into_iter().chain(time).chain([seed]).chain(measured))?;
    }
    Ok(writer.flush()?)
}
